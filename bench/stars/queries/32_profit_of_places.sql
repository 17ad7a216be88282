-- Profit by state and county with ranks, for the five best states only.
select sum(ss_net_profit) as profit, s_state, s_county, grouping(s_state) + grouping(s_county) as level,
       rank() over (partition by grouping(s_state) + grouping(s_county), case when grouping(s_county) = 0 then s_state end order by sum(ss_net_profit) desc) as place
from store_sales, date_dim, store
where d_month_seq between 1200 and 1211 and d_date_sk = ss_sold_date_sk and s_store_sk = ss_store_sk
  and s_state in (select s_state from (
    select s_state, rank() over (order by sum(ss_net_profit) desc) as r from store_sales, store, date_dim
    where d_month_seq between 1200 and 1211 and d_date_sk = ss_sold_date_sk and s_store_sk = ss_store_sk group by s_state) best where r <= 5)
group by rollup (s_state, s_county)
order by level desc, s_state, place, s_county
