-- Customers who returned a fifth more than is usual in their state.
with returned as (
  select cr_returning_customer_sk as customer_sk, ca_state as state, sum(cr_return_amount) as total
  from catalog_returns, date_dim, customer_address
  where cr_returned_date_sk = d_date_sk and d_year = 2000 and cr_returning_addr_sk = ca_address_sk
  group by cr_returning_customer_sk, ca_state)
select c_customer_id, c_salutation, c_first_name, c_last_name, state, total
from returned r, customer
where r.total > (select avg(total) * 1.2 from returned s where s.state = r.state) and c_customer_sk = r.customer_sk
order by total desc, c_customer_id, state
limit 100
