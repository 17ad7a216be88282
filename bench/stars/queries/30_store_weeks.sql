-- Weekly sales of stores by weekday against the year before.
with weeks as (
  select d_week_seq, ss_store_sk,
         sum(case when d_day_name = 'Sunday' then ss_sales_price end) as sun, sum(case when d_day_name = 'Monday' then ss_sales_price end) as mon,
         sum(case when d_day_name = 'Friday' then ss_sales_price end) as fri, sum(case when d_day_name = 'Saturday' then ss_sales_price end) as sat
  from store_sales, date_dim where d_date_sk = ss_sold_date_sk group by d_week_seq, ss_store_sk)
select s_store_name, s_store_id, y.d_week_seq, y.sun - x.sun as sun, y.mon - x.mon as mon, y.fri - x.fri as fri, y.sat - x.sat as sat
from weeks y, weeks x, store
where y.ss_store_sk = s_store_sk and x.ss_store_sk = s_store_sk and y.d_week_seq = x.d_week_seq - 52
  and exists (select 1 from date_dim d where d.d_week_seq = y.d_week_seq and d.d_month_seq between 1200 and 1211)
order by s_store_name, s_store_id, y.d_week_seq, x.ss_store_sk, y.ss_store_sk
limit 100
