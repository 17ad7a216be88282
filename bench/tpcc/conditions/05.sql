-- an order has no carrier if and only if it is among the new orders
select o_w_id, o_d_id, o_id, o_carrier_id, no_o_id
from orders
full join new_order on no_w_id = o_w_id and no_d_id = o_d_id and no_o_id = o_id
where (o_carrier_id is null) <> (no_o_id is not null) or o_id is null
