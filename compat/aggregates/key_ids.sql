-- Groupings whose keys come from one side of a join that many rows meet: the keys are compared once per row of that side.
create table ki_item (id int primary key, name varchar(24), data text, code char(6), price numeric, made date);
insert into ki_item select i, 'item ' || i % 9000, case when i % 13 = 0 then null else substr('abcdefgh', i % 5 + 1) || i % 3 end, case when i % 2 = 0 then 'c' else 'c ' end, case when i % 2 = 0 then 1.5 else 1.50 end, date '2020-01-01' + i % 7 from generate_series(1, 36000) i;
create table ki_stock (w int, item int, qty int, primary key (w, item));
insert into ki_stock select w, i, (w * i) % 91 from generate_series(1, 3) w, generate_series(1, 36000) i where (w + i) % 10 <> 0;
create table ki_bad (id int primary key, note text);
insert into ki_bad select i, case when i % 4 = 0 then 'bad' else 'good' end from generate_series(0, 90) i;
analyze ki_item, ki_stock, ki_bad;
-- all keys from there
select name, price, count(*), sum(qty) from ki_item join ki_stock on item = id group by name, price order by sum(qty) desc, name limit 5;
select count(*), sum(n), min(name), max(name) from (select name, count(*) as n from ki_item join ki_stock on item = id group by name) s;
select name, data, code, made, count(*) from ki_item join ki_stock on item = id group by name, data, code, made order by name desc, data nulls first, made limit 6;
select data, count(*) from ki_item join ki_stock on item = id group by data order by data nulls first;
select code || '|', count(*) from ki_item join ki_stock on item = id group by code;
-- keys of both sides, and expressions
select w, name, sum(qty) from ki_item join ki_stock on item = id where id < 34000 group by w, name order by sum(qty) desc, w, name limit 5;
select substr(data, 1, 2), w, count(*) from ki_item join ki_stock on item = id group by substr(data, 1, 2), w order by 1 nulls first, 2 limit 6;
select upper(name), count(*) from ki_item join ki_stock on item = id group by upper(name) order by 1 limit 3;
-- distinct calls, groupings of groupings, other joins between
select count(*), sum(n) from (select name, data, count(distinct qty) as n from ki_stock join ki_item on item = id where exists (select from ki_bad where ki_bad.id = qty and note = 'good') group by name, data) s;
select n, count(*) from (select name, data, count(*) as n from (select name, data, w, count(*) from ki_stock join ki_item on item = id group by name, data, w) s group by name, data) t group by n order by n;
select n, count(*) from (select name, count(*) as n from (select name, data, w, count(*) from ki_stock join ki_item on item = id group by name, data, w) s group by name) t group by n order by n;
-- what the keys determine
select id, name, data, price, sum(qty) from ki_item join ki_stock on item = id group by id, name, data, price having sum(qty) > 190 order by sum(qty) desc, id limit 5;
select item, name, made, count(*) from ki_item join ki_stock on item = id group by item, name, made order by item desc limit 4;
select id, w, name, code, count(*) from ki_item join ki_stock on item = id group by id, w, name, code order by id desc, w limit 4;
-- calls, filters, order and limits
select name, max(price), min(data), count(*) filter (where w = 2), string_agg(distinct w::text, ',' order by w::text) from ki_item join ki_stock on item = id group by name order by name limit 3;
select distinct name, w from ki_item join ki_stock on item = id order by name desc, w limit 4;
select name, data, count(*) from ki_item join ki_stock on item = id group by rollup (name, data) order by count(*) desc, name, data nulls first limit 4;
-- without a row
select name, count(*) from ki_item join ki_stock on item = id where qty > 1000 group by name;
-- rows of a transaction's own, and cursors
begin;
update ki_item set name = 'changed' where id <= 20;
insert into ki_stock values (9, 3, 5), (9, 4, 6);
select name, sum(qty), count(*) from ki_item join ki_stock on item = id group by name order by name limit 2;
declare c cursor for select name, data, sum(qty) from ki_item join ki_stock on item = id group by name, data order by 1, 2 nulls first;
fetch 3 from c;
fetch 2 from c;
rollback;
drop table ki_item, ki_stock, ki_bad;
