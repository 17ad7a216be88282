-- orders - new orders = the orders delivered from the beginning, $1, + sum(C_DELIVERY_CNT)
select *
from (select o_w_id, o_d_id, count(*) as orders from orders group by o_w_id, o_d_id) o
left join (select no_w_id, no_d_id, count(*) as new_orders from new_order group by no_w_id, no_d_id) n on no_w_id = o_w_id and no_d_id = o_d_id
join (select c_w_id, c_d_id, sum(c_delivery_cnt) as delivered from customer group by c_w_id, c_d_id) c on c_w_id = o_w_id and c_d_id = o_d_id
where orders - coalesce(new_orders, 0) <> delivered + $1
