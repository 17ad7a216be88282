-- Columns that the other grouping columns determine, alone, through joins, and where they do not.
create table gk_customer (id int primary key, name text, code varchar(10), tag char(5), credit numeric(12,2), since date, seen timestamp, nick text);
insert into gk_customer select i, 'name ' || i % 3, 'c' || i % 4, 't' || i % 2, i % 5 * 1.10, date '2020-01-01' + i % 7, timestamp '2020-01-01' + i % 3 * interval '1 hour', case when i % 3 = 0 then null else 'n' || i % 2 end from generate_series(1, 20) i;
create table gk_order (w int, o int, customer int references gk_customer, placed timestamptz, lines smallint, total numeric, primary key (w, o));
insert into gk_order select i % 3, i, case when i % 11 = 0 then null else i % 20 + 1 end, timestamptz '2021-01-01 00:00+00' + i * interval '1 day', i % 4, case when i % 2 = 0 then 1.0 else 1.00 end from generate_series(1, 60) i;
create table gk_line (w int, o int, n int, amount numeric(8,2), primary key (w, o, n));
insert into gk_line select o.w, o.o, n, (o.o * n % 13) + 0.5 from gk_order o, generate_series(1, 5) n where n <= o.o % 5 + 1;
-- one table
select name, code, tag, credit, since, seen, nick, id, count(*) from gk_customer group by name, code, tag, credit, since, seen, nick, id order by id limit 7;
select id, credit * 2, upper(name), count(nick) from gk_customer group by id, credit, name order by 1 limit 5;
select distinct id, name from gk_customer order by 1 limit 3;
-- the key on the other side of an equality
select l.o, l.w, placed, lines, sum(amount) from gk_line l join gk_order r on r.w = l.w and r.o = l.o group by l.o, l.w, placed, lines order by placed limit 6;
select r.o, r.w, c.id, c.name, c.nick, placed, sum(amount) as s from gk_customer c, gk_order r, gk_line l where c.id = r.customer and l.w = r.w and l.o = r.o group by r.o, r.w, c.id, c.name, c.nick, placed having sum(amount) > 20 order by s desc, r.o limit 8;
-- only a part of a key
select w, lines, count(*) from gk_order group by w, lines order by 1, 2;
select l.w, r.lines, count(*) from gk_line l join gk_order r on r.w = l.w and r.o = l.o group by l.w, r.lines order by 1, 2;
-- outer joins
select r.w, r.o, r.lines, c.id, c.name, count(*) from gk_order r left join gk_customer c on c.id = r.customer and c.id < 5 group by r.w, r.o, r.lines, c.id, c.name order by r.o limit 12;
select c.id, c.name, count(*), min(r.o) from gk_order r left join gk_customer c on c.id = r.customer group by c.id, c.name order by 1 nulls first limit 4;
select c.id, c.name, r.w, r.o, r.lines, count(*) from gk_customer c full join gk_order r on c.id = r.o group by c.id, c.name, r.w, r.o, r.lines order by r.o, c.id limit 25;
-- grouping sets, expressions, sub-selects
select id, name, count(*) from gk_customer where id < 4 group by grouping sets ((id, name), (name), ()) order by 1, 2;
select id, name || '!', grouping(id), count(*) from gk_customer where id < 4 group by id, name order by 1;
select s.w, s.o, s.lines, count(*) from (select w, o, lines from gk_order where o < 6) s join gk_line l on l.w = s.w and l.o = s.o group by s.w, s.o, s.lines order by s.o;
select id, name from gk_customer c group by id, name having (select count(*) from gk_order r where r.customer = c.id) > 2 order by id;
select id, name, row_number() over (order by id desc) from gk_customer group by id, name order by id limit 3;
drop table gk_line, gk_order, gk_customer;
