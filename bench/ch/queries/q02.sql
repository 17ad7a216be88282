select su_suppkey, su_name, n_name, i_id, i_name, su_address, su_phone, su_comment
from item
join stock on s_i_id = i_id
join supplier on su_suppkey = mod(s_w_id * s_i_id, 10000)
join nation on n_nationkey = su_nationkey
join region on r_regionkey = n_regionkey
join (
  select s_i_id as m_i_id, min(s_quantity) as m_quantity
  from stock
  join supplier on su_suppkey = mod(s_w_id * s_i_id, 10000)
  join nation on n_nationkey = su_nationkey
  join region on r_regionkey = n_regionkey
  where r_name like 'Europ%'
  group by s_i_id) m on m_i_id = i_id and m_quantity = s_quantity
where i_data like '%b' and r_name like 'Europ%'
order by n_name, su_name, i_id
