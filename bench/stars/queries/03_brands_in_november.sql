-- Brands of some manufacturers in the Novembers of all years.
select d_year, i_brand_id, i_brand, sum(ss_ext_sales_price) as price
from date_dim, store_sales, item
where d_date_sk = ss_sold_date_sk and ss_item_sk = i_item_sk and i_manufact_id between 1 and 20 and d_moy = 11
group by d_year, i_brand_id, i_brand
order by d_year, price desc, i_brand_id, i_brand
limit 100
