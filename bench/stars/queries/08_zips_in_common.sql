-- Stores' profit in states where preferred customers live in zip codes of a list as well.
with preferred as (
  select ca_zip from customer_address
  where ca_zip in ('10097', '10194', '10291', '10388', '10485', '10873', '11164', '11455', '12425', '13395', '14365', '15335', '19700', '24550', '29400', '48800')
  intersect
  select ca_zip from (
    select ca_zip, count(*) as n from customer_address, customer
    where ca_address_sk = c_current_addr_sk and c_preferred_cust_flag = 'Y'
    group by ca_zip having count(*) > 2) v)
select s_store_name, sum(ss_net_profit) as profit
from store_sales, date_dim, store, customer_address
where ss_store_sk = s_store_sk and ss_sold_date_sk = d_date_sk and ss_addr_sk = ca_address_sk and d_qoy = 2 and d_year = 1998
  and substr(ca_zip, 1, 3) in (select substr(ca_zip, 1, 3) from preferred)
group by s_store_name
order by s_store_name
