-- Items returned to a store and ordered from the catalog by the same customer later.
select i_item_id, s_state, count(ss_quantity) as sold, avg(ss_quantity) as sold_average, stddev_samp(ss_quantity) as sold_deviation,
       count(sr_return_quantity) as returned, avg(sr_return_quantity) as returned_average, count(cs_quantity) as ordered, avg(cs_quantity) as ordered_average
from store_sales, store_returns, catalog_sales, date_dim d1, date_dim d2, store, item
where d1.d_date_sk = ss_sold_date_sk and d1.d_year between 1999 and 2001 and i_item_sk = ss_item_sk and s_store_sk = ss_store_sk
  and ss_customer_sk = sr_customer_sk and ss_item_sk = sr_item_sk and ss_ticket_number = sr_ticket_number
  and sr_returned_date_sk = d2.d_date_sk and d2.d_year between 1999 and 2001
  and sr_customer_sk = cs_bill_customer_sk and sr_item_sk = cs_item_sk
group by i_item_id, s_state
order by i_item_id, s_state
limit 100
