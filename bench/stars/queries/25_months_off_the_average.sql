-- Months in which a brand sold a tenth more or less than it does in the year, with its neighbours.
with months as (
  select i_category, i_brand, s_store_name, d_year, d_moy, sum(ss_sales_price) as sales,
         avg(sum(ss_sales_price)) over (partition by i_category, i_brand, s_store_name, d_year) as average,
         rank() over (partition by i_category, i_brand, s_store_name order by d_year, d_moy) as rn
  from item, store_sales, date_dim, store
  where ss_item_sk = i_item_sk and ss_sold_date_sk = d_date_sk and ss_store_sk = s_store_sk
    and (d_year = 1999 or d_year = 1998 and d_moy = 12 or d_year = 2000 and d_moy = 1)
  group by i_category, i_brand, s_store_name, d_year, d_moy)
select a.i_category, a.i_brand, a.s_store_name, a.d_year, a.d_moy, a.sales, b.sales as before, c.sales as after
from months a, months b, months c
where a.i_category = b.i_category and a.i_brand = b.i_brand and a.s_store_name = b.s_store_name and a.rn = b.rn + 1
  and a.i_category = c.i_category and a.i_brand = c.i_brand and a.s_store_name = c.s_store_name and a.rn = c.rn - 1
  and a.d_year = 1999 and a.average > 0 and abs(a.sales - a.average) * 10 > a.average
order by a.sales - a.average, a.i_category, a.i_brand, a.s_store_name, a.d_moy
limit 100
