-- sum(O_OL_CNT) = the number of order lines of the district
select *
from (select o_w_id, o_d_id, sum(o_ol_cnt) as expected from orders group by o_w_id, o_d_id) o
full join (select ol_w_id, ol_d_id, count(*) as lines from order_line group by ol_w_id, ol_d_id) l on ol_w_id = o_w_id and ol_d_id = o_d_id
where expected is distinct from lines
