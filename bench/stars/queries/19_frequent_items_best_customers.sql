-- What the best customers spend on items that often sell.
with frequent as (
  select ss_item_sk as item_sk, d_date, count(*) as n
  from store_sales, date_dim where ss_sold_date_sk = d_date_sk and d_year in (2000, 2001, 2002)
  group by ss_item_sk, d_date having count(*) > 1),
spent as (
  select ss_customer_sk as customer_sk, sum(ss_quantity * ss_sales_price) as total
  from store_sales where ss_customer_sk is not null group by ss_customer_sk),
best as (
  select customer_sk from spent where total > (select max(total) / 2 from spent))
select c_last_name, c_first_name, sum(sales) as sales from (
  select cs_bill_customer_sk as customer_sk, cs_quantity * cs_list_price as sales from catalog_sales, date_dim
  where d_year = 2000 and d_moy between 2 and 5 and cs_sold_date_sk = d_date_sk and cs_item_sk in (select item_sk from frequent)
    and cs_bill_customer_sk in (select customer_sk from best)
  union all
  select ws_bill_customer_sk, ws_quantity * ws_list_price from web_sales, date_dim
  where d_year = 2000 and d_moy between 2 and 5 and ws_sold_date_sk = d_date_sk and ws_item_sk in (select item_sk from frequent)
    and ws_bill_customer_sk in (select customer_sk from best)) x, customer
where c_customer_sk = customer_sk
group by c_last_name, c_first_name
order by c_last_name, c_first_name, sales
limit 100
