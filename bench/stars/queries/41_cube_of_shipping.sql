-- Web orders by how they were sent, in all combinations.
select sm_type, sm_carrier, d_year, count(*) as lines, sum(ws_ext_ship_cost) as cost, avg(ws_ship_date_sk - ws_sold_date_sk) as days
from web_sales, ship_mode, date_dim
where ws_ship_mode_sk = sm_ship_mode_sk and ws_sold_date_sk = d_date_sk
group by cube (sm_type, sm_carrier, d_year)
order by sm_type, sm_carrier, d_year, lines
limit 300
