-- Days on which the running total of an item's web sales is above that of the stores.
with web as (
  select ws_item_sk as item_sk, d_date, sum(sum(ws_sales_price)) over (partition by ws_item_sk order by d_date rows between unbounded preceding and current row) as total
  from web_sales, date_dim where ws_sold_date_sk = d_date_sk and d_month_seq between 1200 and 1211
  group by ws_item_sk, d_date),
shop as (
  select ss_item_sk as item_sk, d_date, sum(sum(ss_sales_price)) over (partition by ss_item_sk order by d_date rows between unbounded preceding and current row) as total
  from store_sales, date_dim where ss_sold_date_sk = d_date_sk and d_month_seq between 1200 and 1211
  group by ss_item_sk, d_date)
select item_sk, d_date, web_sales, store_sales, web_total, store_total from (
  select item_sk, d_date, web_sales, store_sales,
         max(web_sales) over (partition by item_sk order by d_date rows between unbounded preceding and current row) as web_total,
         max(store_sales) over (partition by item_sk order by d_date rows between unbounded preceding and current row) as store_total
  from (select coalesce(web.item_sk, shop.item_sk) as item_sk, coalesce(web.d_date, shop.d_date) as d_date, web.total as web_sales, shop.total as store_sales
        from web full outer join shop on web.item_sk = shop.item_sk and web.d_date = shop.d_date) x) y
where web_total > store_total
order by item_sk, d_date
limit 100
