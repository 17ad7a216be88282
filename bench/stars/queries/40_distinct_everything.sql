-- Distinct customers, items and tickets of a store by year.
select d_year, ss_store_sk, count(distinct ss_customer_sk) as customers, count(distinct ss_item_sk) as items, count(distinct ss_ticket_number) as tickets, count(*) as lines
from store_sales, date_dim
where ss_sold_date_sk = d_date_sk
group by d_year, ss_store_sk
order by d_year, ss_store_sk
