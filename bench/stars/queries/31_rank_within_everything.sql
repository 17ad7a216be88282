-- The hundred best by category over all levels of a rollup of seven columns.
select * from (
  select i_category, i_class, i_brand, d_year, d_qoy, d_moy, s_store_id, sum_sales, rank() over (partition by i_category order by sum_sales desc) as rk
  from (select i_category, i_class, i_brand, d_year, d_qoy, d_moy, s_store_id, sum(coalesce(ss_sales_price * ss_quantity, 0)) as sum_sales
        from store_sales, date_dim, store, item
        where ss_sold_date_sk = d_date_sk and ss_item_sk = i_item_sk and ss_store_sk = s_store_sk and d_month_seq between 1200 and 1211
        group by rollup (i_category, i_class, i_brand, d_year, d_qoy, d_moy, s_store_id)) x) y
where rk <= 10
order by i_category, rk, i_class, i_brand, d_year, d_qoy, d_moy, s_store_id, sum_sales
limit 100
