-- max(NO_O_ID) - min(NO_O_ID) + 1 = the number of new orders of the district
select no_w_id, no_d_id, max(no_o_id), min(no_o_id), count(*)
from new_order
group by no_w_id, no_d_id
having max(no_o_id) - min(no_o_id) + 1 <> count(*)
