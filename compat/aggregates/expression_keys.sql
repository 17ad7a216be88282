-- Groupings of many groups by expressions: over several nodes they are completed where a hash of the keys sends the rows.
create table ek_item (id int primary key, name varchar(24), data text, price numeric);
insert into ek_item select i, 'item ' || i % 9000, case when i % 13 = 0 then null else substr('abcdefgh', i % 5 + 1) || i % 3 end, case when i % 2 = 0 then 1.5 else 1.50 end from generate_series(1, 36000) i;
create table ek_stock (w int, item int, qty int, primary key (w, item));
insert into ek_stock select w, i, (w * i) % 91 from generate_series(1, 3) w, generate_series(1, 36000) i where (w + i) % 10 <> 0;
create table ek_bad (id int primary key, note text);
insert into ek_bad select i, case when i % 4 = 0 then 'bad' else 'good' end from generate_series(0, 90) i;
analyze ek_item, ek_stock, ek_bad;
select count(*), sum(n), sum(k) from (select name, 10 / (36001 - id) as k, count(*) as n from ek_item join ek_stock on item = id and id < 30000 group by 1, 2) s;
select name, 10 / (36001 - id), count(*) from ek_item join ek_stock on item = id and id < 30000 group by 1, 2 order by 3 desc, 1, 2 limit 5;
select count(*), sum(n), count(d) from (select name, substr(data, 1, 1) as d, price, count(distinct mod(w * item, 91)) as n from ek_item join ek_stock on item = id group by name, substr(data, 1, 1), price) s;
select count(*), sum(n) from (select id + w as k, count(distinct qty) as n from ek_item join ek_stock on item = id where qty not in (select id from ek_bad where note = 'bad') group by id + w, w) s;
select item * 2, w, array_agg(qty order by qty) from ek_stock group by item * 2, w order by 1 desc, 2 limit 4;
select count(*), sum(k) from (select distinct item * 2 + w as k, qty from ek_stock) s;
select count(*), sum(a), sum(b) from (select item * 2 as a, w * item as b, rank() over (partition by item * 2, w order by qty) as r from ek_stock) s where r = 1;
drop table ek_item, ek_stock, ek_bad;
