-- What an item contributes to the revenue of its class.
select i_item_id, i_category, i_class, i_current_price, sum(cs_ext_sales_price) as revenue,
       round(cast(sum(cs_ext_sales_price) * 100 as double precision) / cast(sum(sum(cs_ext_sales_price)) over (partition by i_class) as double precision)) as share
from catalog_sales, item, date_dim
where cs_item_sk = i_item_sk and i_category in ('Books', 'Music', 'Sports') and cs_sold_date_sk = d_date_sk and d_date between date '1999-02-22' and date '1999-03-24'
group by i_item_id, i_category, i_class, i_current_price
order by i_category, i_class, i_item_id, revenue, i_current_price
limit 200
