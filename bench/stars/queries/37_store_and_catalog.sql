-- Pairs of customer and item in a store only, in the catalog only, and in both.
with shop as (
  select ss_customer_sk as customer_sk, ss_item_sk as item_sk from store_sales, date_dim
  where ss_sold_date_sk = d_date_sk and d_month_seq between 1200 and 1211 group by ss_customer_sk, ss_item_sk),
catalog as (
  select cs_bill_customer_sk as customer_sk, cs_item_sk as item_sk from catalog_sales, date_dim
  where cs_sold_date_sk = d_date_sk and d_month_seq between 1200 and 1211 group by cs_bill_customer_sk, cs_item_sk)
select sum(case when shop.customer_sk is not null and catalog.customer_sk is null then 1 else 0 end) as store_only,
       sum(case when shop.customer_sk is null and catalog.customer_sk is not null then 1 else 0 end) as catalog_only,
       sum(case when shop.customer_sk is not null and catalog.customer_sk is not null then 1 else 0 end) as both_channels
from shop full outer join catalog on shop.customer_sk = catalog.customer_sk and shop.item_sk = catalog.item_sk
