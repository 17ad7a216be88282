-- Items whose stock varies much in two months that follow each other.
with stock as (
  select w_warehouse_sk, i_item_sk, d_moy, stddev_samp(inv_quantity_on_hand) as deviation, avg(inv_quantity_on_hand) as mean
  from inventory, item, warehouse, date_dim
  where inv_item_sk = i_item_sk and inv_warehouse_sk = w_warehouse_sk and inv_date_sk = d_date_sk and d_year between 1998 and 2001
  group by w_warehouse_sk, i_item_sk, d_moy)
select a.w_warehouse_sk, a.i_item_sk, a.d_moy, a.mean, b.d_moy as next_moy, b.mean as next_mean
from stock a, stock b
where a.i_item_sk = b.i_item_sk and a.w_warehouse_sk = b.w_warehouse_sk and a.d_moy = 1 and b.d_moy = 2
  and a.mean > 0 and b.mean > 0 and a.deviation > a.mean and b.deviation > b.mean
order by a.w_warehouse_sk, a.i_item_sk
limit 100
