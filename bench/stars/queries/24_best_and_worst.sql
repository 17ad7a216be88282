-- The items with the best and the worst average profit in a store, side by side.
with average as (
  select ss_item_sk as item_sk, avg(ss_net_profit) as profit from store_sales
  where ss_store_sk = 4 group by ss_item_sk
  having avg(ss_net_profit) > 0.5 * (select avg(ss_net_profit) from store_sales where ss_store_sk = 4 and ss_addr_sk is null))
select up.place, i1.i_product_name as best, i2.i_product_name as worst
from (select * from (select item_sk, rank() over (order by profit, item_sk) as place from average) a where place < 11) down,
     (select * from (select item_sk, rank() over (order by profit desc, item_sk desc) as place from average) b where place < 11) up, item i1, item i2
where up.place = down.place and i1.i_item_sk = up.item_sk and i2.i_item_sk = down.item_sk
order by up.place
