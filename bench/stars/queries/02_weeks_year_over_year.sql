-- Sales of web and catalog by weekday, each week against the same week of the next year.
with sold as (
  select ws_sold_date_sk as sold_date_sk, ws_ext_sales_price as price from web_sales
  union all
  select cs_sold_date_sk, cs_ext_sales_price from catalog_sales),
weeks as (
  select d_week_seq,
         sum(case when d_day_name = 'Sunday' then price end) as sun, sum(case when d_day_name = 'Monday' then price end) as mon,
         sum(case when d_day_name = 'Tuesday' then price end) as tue, sum(case when d_day_name = 'Wednesday' then price end) as wed,
         sum(case when d_day_name = 'Thursday' then price end) as thu, sum(case when d_day_name = 'Friday' then price end) as fri,
         sum(case when d_day_name = 'Saturday' then price end) as sat
  from sold join date_dim on d_date_sk = sold_date_sk
  group by d_week_seq)
select a.d_week_seq, round(cast(a.sun as double precision) / cast(b.sun as double precision)) as sun, b.mon - a.mon as mon, b.tue - a.tue as tue,
       b.wed - a.wed as wed, b.thu - a.thu as thu, b.fri - a.fri as fri, b.sat - a.sat as sat
from weeks a join weeks b on b.d_week_seq = a.d_week_seq + 53
where a.d_week_seq in (select d_week_seq from date_dim where d_year = 2000)
  and b.d_week_seq in (select d_week_seq from date_dim where d_year = 2001)
order by a.d_week_seq
