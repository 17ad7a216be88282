-- Customers whose purchases on the web grew faster than those in stores.
with year_total as (
  select c_customer_sk, c_customer_id, c_last_name, d_year, sum(ss_net_paid) as total, 's' as channel
  from customer join store_sales on ss_customer_sk = c_customer_sk join date_dim on d_date_sk = ss_sold_date_sk
  where d_year in (2000, 2001)
  group by c_customer_sk, c_customer_id, c_last_name, d_year
  union all
  select c_customer_sk, c_customer_id, c_last_name, d_year, sum(ws_net_paid), 'w'
  from customer join web_sales on ws_bill_customer_sk = c_customer_sk join date_dim on d_date_sk = ws_sold_date_sk
  where d_year in (2000, 2001)
  group by c_customer_sk, c_customer_id, c_last_name, d_year)
select s2.c_customer_id, s2.c_last_name, s1.total as store_before, s2.total as store_after, w1.total as web_before, w2.total as web_after
from year_total s1, year_total s2, year_total w1, year_total w2
where s2.c_customer_sk = s1.c_customer_sk and w1.c_customer_sk = s1.c_customer_sk and w2.c_customer_sk = s1.c_customer_sk
  and s1.channel = 's' and s2.channel = 's' and w1.channel = 'w' and w2.channel = 'w'
  and s1.d_year = 2000 and s2.d_year = 2001 and w1.d_year = 2000 and w2.d_year = 2001
  and s1.total > 0 and w1.total > 0
  and w2.total * s1.total > s2.total * w1.total
order by s2.c_customer_id
limit 100
