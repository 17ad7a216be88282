-- D_NEXT_O_ID - 1 = max(O_ID) = max(NO_O_ID), where there are new orders
select d_w_id, d_id, d_next_o_id, last_order, last_new
from district
left join (select o_w_id, o_d_id, max(o_id) as last_order from orders group by o_w_id, o_d_id) o on o_w_id = d_w_id and o_d_id = d_id
left join (select no_w_id, no_d_id, max(no_o_id) as last_new from new_order group by no_w_id, no_d_id) n on no_w_id = d_w_id and no_d_id = d_id
where d_next_o_id - 1 is distinct from last_order or last_new <> last_order
