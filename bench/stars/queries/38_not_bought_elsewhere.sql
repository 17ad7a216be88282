-- Sums of store purchases that were not returned and whose customer did not buy the item on the web.
with ss as (
  select d_year, ss_item_sk, ss_customer_sk, sum(ss_quantity) as quantity, sum(ss_wholesale_cost) as cost, sum(ss_sales_price) as price
  from store_sales left join store_returns on sr_ticket_number = ss_ticket_number and ss_item_sk = sr_item_sk join date_dim on ss_sold_date_sk = d_date_sk
  where sr_ticket_number is null group by d_year, ss_item_sk, ss_customer_sk),
ws as (
  select d_year, ws_item_sk, ws_bill_customer_sk, sum(ws_quantity) as quantity from web_sales left join web_returns on wr_order_number = ws_order_number and ws_item_sk = wr_item_sk
  join date_dim on ws_sold_date_sk = d_date_sk
  where wr_order_number is null group by d_year, ws_item_sk, ws_bill_customer_sk)
select ss.ss_item_sk, ss.ss_customer_sk, ss.quantity as store_quantity, ss.cost, ss.price, coalesce(ws.quantity, 0) as web_quantity
from ss left join ws on ws.d_year = ss.d_year and ws.ws_item_sk = ss.ss_item_sk and ws.ws_bill_customer_sk = ss.ss_customer_sk
where ss.d_year = 2000 and (coalesce(ws.quantity, 0) > 0 or ss.quantity > 150)
order by ss.quantity desc, ss.cost desc, ss.price desc, ss.ss_item_sk, ss.ss_customer_sk
limit 100
