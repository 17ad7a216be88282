-- Sales whose customer, site or warehouse nobody noted, by channel, year, quarter and category.
select channel, missing, d_year, d_qoy, i_category, count(*) as lines, sum(price) as price from (
  select 'store' as channel, 'customer' as missing, d_year, d_qoy, i_category, ss_ext_sales_price as price
  from store_sales, item, date_dim where ss_customer_sk is null and ss_sold_date_sk = d_date_sk and ss_item_sk = i_item_sk
  union all
  select 'web', 'site', d_year, d_qoy, i_category, ws_ext_sales_price
  from web_sales, item, date_dim where ws_web_site_sk is null and ws_sold_date_sk = d_date_sk and ws_item_sk = i_item_sk
  union all
  select 'catalog', 'warehouse', d_year, d_qoy, i_category, cs_ext_sales_price
  from catalog_sales, item, date_dim where cs_warehouse_sk is null and cs_sold_date_sk = d_date_sk and cs_item_sk = i_item_sk) x
group by channel, missing, d_year, d_qoy, i_category
order by channel, missing, d_year, d_qoy, i_category
limit 100
