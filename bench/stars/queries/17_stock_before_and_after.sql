-- Stock of items before and after a day, where it did not change much.
select * from (
  select w_warehouse_name, i_item_id,
         sum(case when d_date < date '2000-03-11' then inv_quantity_on_hand else 0 end) as before,
         sum(case when d_date >= date '2000-03-11' then inv_quantity_on_hand else 0 end) as after
  from inventory, warehouse, item, date_dim
  where i_item_sk = inv_item_sk and inv_warehouse_sk = w_warehouse_sk and inv_date_sk = d_date_sk and i_current_price between 10 and 60
    and d_date between date '2000-02-01' and date '2000-04-20'
  group by w_warehouse_name, i_item_id) x
where before > 0 and after * 3 between before * 2 and before * 4
order by w_warehouse_name, i_item_id
limit 100
