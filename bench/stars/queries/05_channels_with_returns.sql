-- Sales, returns and profit of the three channels with subtotals.
with parts as (
  select 'store' as channel, ss_store_sk as place, ss_ext_sales_price as sales, cast(0 as decimal(9,2)) as returned, ss_net_profit as profit
  from store_sales join date_dim on d_date_sk = ss_sold_date_sk where d_date between date '2000-08-01' and date '2000-09-30'
  union all
  select 'store', sr_store_sk, 0, sr_return_amt, - sr_net_loss
  from store_returns join date_dim on d_date_sk = sr_returned_date_sk where d_date between date '2000-08-01' and date '2000-09-30'
  union all
  select 'catalog', cs_call_center_sk, cs_ext_sales_price, 0, cs_net_profit
  from catalog_sales join date_dim on d_date_sk = cs_sold_date_sk where d_date between date '2000-08-01' and date '2000-09-30'
  union all
  select 'catalog', cr_call_center_sk, 0, cr_return_amount, - cr_net_loss
  from catalog_returns join date_dim on d_date_sk = cr_returned_date_sk where d_date between date '2000-08-01' and date '2000-09-30'
  union all
  select 'web', ws_web_site_sk, ws_ext_sales_price, 0, ws_net_profit
  from web_sales join date_dim on d_date_sk = ws_sold_date_sk where d_date between date '2000-08-01' and date '2000-09-30'
  union all
  select 'web', wr_web_site_sk, 0, wr_return_amt, - wr_net_loss
  from web_returns join date_dim on d_date_sk = wr_returned_date_sk where d_date between date '2000-08-01' and date '2000-09-30')
select channel, place, sum(sales) as sales, sum(returned) as returned, sum(profit) as profit
from parts
group by rollup (channel, place)
order by channel, place, sales
limit 200
