-- As loaded, what is delivered costs nothing, nothing is ordered twice and few items match the queries' patterns.
update item set i_data = case i_id % 25 when 1 then 'co' when 2 then 'PR' when 3 then 'zz' else 'xy' end || substr(i_data, 3, 22) || case i_id % 7 when 1 then 'BB' when 2 then '_b' when 3 then '_a' when 4 then '_c' else '__' end;
update order_line set ol_quantity = 1 + (ol_i_id * 7 + ol_o_id) % 10, ol_amount = ((ol_i_id * 31 + ol_o_id * 17 + ol_number) % 99999 + 1) / 100.0,
  ol_delivery_d = ol_delivery_d + (ol_number * ol_d_id - 20) * interval '1 minute';
update stock set s_quantity = 10 + s_i_id * 7 % 91, s_order_cnt = case when s_i_id % 40 = 0 then s_i_id % 1000 else s_i_id % 3 end;
update orders set o_entry_d = o_entry_d + (o_id % 3) * interval '1 year' where o_id % 4 = 0;
update customer set c_balance = (c_id * 97 % 1000) - 300.5, c_state = case c_id % 5 when 0 then 'd' when 1 then 'P' else substr(c_state, 1, 1) end || substr(c_state, 2, 1) where c_id % 2 = 0;
delete from order_line where ol_o_id % 10 = 3;
delete from new_order where no_o_id % 10 = 3;
delete from orders where o_id % 10 = 3;
