-- Subscripts of jsonb: reading, assigning, making what is missing

create table jj (id int primary key, b jsonb);
insert into jj values (1,'{"a":[1,2],"s":"x","n":null}'),(2,null),(3,'5'),(4,'[1]');
select id, b['a'], b['a'][0], b['a'][-1], b[0], b['zz'], b[null] from jj order by id;
update jj set b['a'][3] = '9' where id = 1 returning b;
update jj set b['q']['r'][2] = '"v"' where id = 1 returning b;
update jj set b['s']['r'] = '1' where id = 1;
update jj set b['n']['r'] = '1' where id = 1;
update jj set b['x'] = '1' where id = 2 returning b;
update jj set b = null where id = 2;
update jj set b[1] = '1' where id = 2 returning b;
update jj set b['x'] = '1' where id = 3;
update jj set b['x'] = '1' where id = 4;
update jj set b[-5] = '1' where id = 4;
update jj set b[-1] = null where id = 4 returning b;
update jj set b[null] = '1' where id = 4;
update jj set b['a'] = '1', b['b'] = '2' where id = 1 returning b;
select ('{"a":{"b":1}}'::jsonb)['a']['b'], ('[1,2]'::jsonb)['1'], ('[1,2]'::jsonb)[1.5];
select ('[1,2]'::jsonb)[0:1];
drop table jj;
