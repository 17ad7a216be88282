-- Catalog orders sent from more than one warehouse of which nothing came back.
select count(distinct cs_order_number) as orders, sum(cs_ext_ship_cost) as shipping, sum(cs_net_profit) as profit
from catalog_sales s, date_dim, customer_address, call_center
where d_date between date '2002-02-01' and date '2002-04-30' and s.cs_ship_date_sk = d_date_sk and s.cs_ship_addr_sk = ca_address_sk
  and ca_state in ('AL', 'AK', 'GA', 'AZ') and s.cs_call_center_sk = cc_call_center_sk and cc_call_center_sk <= 4
  and exists (select 1 from catalog_sales o where o.cs_order_number = s.cs_order_number and o.cs_warehouse_sk <> s.cs_warehouse_sk)
  and not exists (select 1 from catalog_returns r where r.cr_order_number = s.cs_order_number)
