-- O_OL_CNT = the number of lines of the order
select *
from (select o_w_id, o_d_id, o_id, o_ol_cnt from orders) o
full join (select ol_w_id, ol_d_id, ol_o_id, count(*) as lines from order_line group by ol_w_id, ol_d_id, ol_o_id) l
  on ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id
where o_ol_cnt is distinct from lines
