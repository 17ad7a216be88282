-- Brands that all channels sell, where they sell above the average, with subtotals.
with cross_items as (
  select i_item_sk as item_sk from item, (
    select i_brand_id as brand_id, i_class_id as class_id, i_category_id as category_id from store_sales, item, date_dim
    where ss_item_sk = i_item_sk and ss_sold_date_sk = d_date_sk and d_year between 1999 and 2001
    intersect
    select i_brand_id, i_class_id, i_category_id from catalog_sales, item, date_dim
    where cs_item_sk = i_item_sk and cs_sold_date_sk = d_date_sk and d_year between 1999 and 2001
    intersect
    select i_brand_id, i_class_id, i_category_id from web_sales, item, date_dim
    where ws_item_sk = i_item_sk and ws_sold_date_sk = d_date_sk and d_year between 1999 and 2001) x
  where i_brand_id = brand_id and i_class_id = class_id and i_category_id = category_id),
average as (
  select avg(amount) as average_sales from (
    select ss_ext_list_price as amount from store_sales, date_dim where ss_sold_date_sk = d_date_sk and d_year between 1999 and 2001
    union all
    select cs_ext_list_price from catalog_sales, date_dim where cs_sold_date_sk = d_date_sk and d_year between 1999 and 2001
    union all
    select ws_ext_list_price from web_sales, date_dim where ws_sold_date_sk = d_date_sk and d_year between 1999 and 2001) x)
select channel, i_brand_id, i_class_id, i_category_id, sum(sales) as sales, sum(number_sales) as number_sales from (
  select 'store' as channel, i_brand_id, i_class_id, i_category_id, sum(ss_ext_list_price) as sales, count(*) as number_sales
  from store_sales, item, date_dim
  where ss_item_sk in (select item_sk from cross_items) and ss_item_sk = i_item_sk and ss_sold_date_sk = d_date_sk and d_year = 2001 and d_moy = 11
  group by i_brand_id, i_class_id, i_category_id having sum(ss_ext_list_price) > (select average_sales from average)
  union all
  select 'catalog', i_brand_id, i_class_id, i_category_id, sum(cs_ext_list_price), count(*)
  from catalog_sales, item, date_dim
  where cs_item_sk in (select item_sk from cross_items) and cs_item_sk = i_item_sk and cs_sold_date_sk = d_date_sk and d_year = 2001 and d_moy = 11
  group by i_brand_id, i_class_id, i_category_id having sum(cs_ext_list_price) > (select average_sales from average)
  union all
  select 'web', i_brand_id, i_class_id, i_category_id, sum(ws_ext_list_price), count(*)
  from web_sales, item, date_dim
  where ws_item_sk in (select item_sk from cross_items) and ws_item_sk = i_item_sk and ws_sold_date_sk = d_date_sk and d_year = 2001 and d_moy = 11
  group by i_brand_id, i_class_id, i_category_id having sum(ws_ext_list_price) > (select average_sales from average)) y
group by rollup (channel, i_brand_id, i_class_id, i_category_id)
order by channel, i_brand_id, i_class_id, i_category_id, sales
limit 100
