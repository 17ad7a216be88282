-- Managers whose sales of a month stray from their monthly average.
select * from (
  select i_manager_id, d_moy, sum(ss_sales_price) as sales, avg(sum(ss_sales_price)) over (partition by i_manager_id) as average
  from item, store_sales, date_dim, store
  where ss_item_sk = i_item_sk and ss_sold_date_sk = d_date_sk and ss_store_sk = s_store_sk and d_month_seq between 1200 and 1211
    and (i_category in ('Books', 'Children', 'Electronics') or i_category in ('Women', 'Music', 'Men') and i_size = 'small')
  group by i_manager_id, d_moy) x
where average > 0 and abs(sales - average) * 10 > average
order by i_manager_id, average, sales, d_moy
limit 100
