-- Subscripts of jsonb, read and assigned.
create table j (id int, d jsonb);
insert into j values (1, '{"a": {"b": [1, 2]}, "n": null}'), (2, '[1, [2, 3]]'), (3, null);
select d['a'], d['a']['b'][0], d[1][0], d['n'], d['zz']['y'] from j order by id;
update j set d['a']['b'][5] = '9' where id = 1 returning d;
update j set d['q']['r'] = '"new"' returning id, d;
update j set d[-1] = '0' where id = 2;
update j set d[0] = '7' where id = 2 returning d;
update j set d[-9] = '1' where id = 2;
update j set d['x'] = null where id = 1 returning d;
update j set d['n']['m'] = '1' where id = 1;
update j set d['n'][0] = '1' where id = 1 returning d;
select d[1:2] from j;
select d['a'][null] from j;
select (d['a'])['b'][-1] from j where id = 1;
select d[1.5] from j;
select d['a']['b']['0'] from j where id = 1;
update j set d['a'] = d['a'] || '{"k": 1}', d['z'] = '2' where id = 1 returning d;
insert into j (id, d['a']) values (4, '1') returning *;
