-- Statements about the few rows of one short range of keys, as plans that are used again.
create table lines (w int, o int, n int, item int, qty int, amount numeric(8,2), note text, at date, primary key (w, o, n));
create table items (w int, id int, qty int not null, name text not null, primary key (w, id));
insert into lines select w, o, n, 1 + (o * 7 + n * 3) % 40, (o + n) % 10, (o * n)::numeric / 4, case when n % 3 = 0 then null else 'n' || n end, date '2024-01-01' + o
  from generate_series(1, 3) w, generate_series(1, 60) o, generate_series(1, 5) n;
insert into items select w, i, (i * 13) % 50, 'item ' || i from generate_series(1, 3) w, generate_series(1, 40) i;
create index lines_by_item on lines (w, item, o desc);
create unique index items_by_name on items (name, w);
analyze lines;
analyze items;

-- ranges of the primary key, and their order
prepare r1(int, int) as select o, n, item, note from lines where w = $1 and o = $2 order by n;
execute r1(1, 7);
execute r1(1, 61);
execute r1(1, null);
prepare r2(int, int) as select n from lines where w = $1 and o = $2 order by n desc;
execute r2(2, 9);
prepare r3(int, int, int) as select o, n from lines where w = $1 and o >= $2 and o < $3 order by o, n;
execute r3(1, 3, 5);
execute r3(1, 5, 3);
execute r3(1, null, 3);
prepare r4(int, int) as select o, n from lines where w = $1 and o > $2 order by o desc, n desc limit 3;
execute r4(1, 10);
execute r4(1, 60);
prepare r5(int, int, bigint) as select o, n from lines where w = $1 and o > $2 order by o, n limit $3;
execute r5(1, 10, 2);
execute r5(1, 10, 0);
execute r5(3, 59, null);
execute r5(1, 10, -1);
prepare r6(int) as select min(o) from lines where w = $1;
execute r6(1);
execute r6(9);
prepare r7(int) as select max(o) from lines where w = $1;
execute r7(2);
execute r7(9);

-- an index: keys descending, NULL, filters beside it
prepare i1(int, int) as select o, n, qty from lines where w = $1 and item = $2 order by o desc limit 2;
execute i1(1, 11);
execute i1(1, 99);
prepare i2(int, int, int) as select o, n from lines where w = $1 and item = $2 and qty > $3 order by o desc, n;
execute i2(1, 11, 4);
execute i2(1, 11, null);
prepare i3(text) as select w, id, qty from items where name = $1 order by w;
execute i3('item 7');
execute i3('nothing');
update lines set item = null where w = 2 and o = 8 and n in (1, 2);
prepare i4(int) as select o, n from lines where w = $1 and item is null order by o, n;
execute i4(2);
execute i4(1);

-- aggregates
prepare a1(int, int) as select count(*), count(note), sum(qty), sum(amount), min(at), max(n), min(note), count(distinct item), sum(qty) filter (where n > 2) from lines where w = $1 and o = $2;
execute a1(1, 7);
execute a1(1, 99);
execute a1(null, 1);
prepare a2(int, int) as select sum(qty) * 2 + count(*) as s, coalesce(sum(amount), 0) from lines where w = $1 and o = $2 limit 1;
execute a2(1, 7);
execute a2(1, 99);
prepare a3(int, int) as select sum(amount / (n - 1)) from lines where w = $1 and o = $2;
execute a3(1, 7);
execute a3(1, 99);
prepare a4(int, int) as select count(*) from lines where w = $1 and o = $2 having count(*) > 3;
execute a4(1, 7);
execute a4(1, 99);
prepare a5(int, int) as select sum(amount::float8), avg(qty), min(amount), max(amount), bool_and(qty > 2), string_agg(note, ',' order by n) from lines where w = $1 and o = $2;
execute a5(1, 7);
prepare a6(int, int) as select sum(distinct qty), sum(n::bigint), sum(n::smallint) from lines where w = $1 and o = $2;
execute a6(1, 7);

-- joins with rows looked up
prepare j1(int, int, int) as select count(distinct id) from lines l, items i where l.w = $1 and l.o between $2 and $2 + 3 and i.w = $1 and i.id = l.item and i.qty < $3;
execute j1(1, 7, 25);
execute j1(1, 7, 0);
execute j1(1, 99, 25);
execute j1(2, 7, 50);
prepare j2(int, int) as select l.n, i.name, i.qty + l.qty from lines l join items i on i.w = l.w and i.id = l.item where l.w = $1 and l.o = $2 order by l.n;
execute j2(1, 7);
execute j2(2, 8);
prepare j3(int, int) as select sum(l.qty * i.qty) from lines l, items i where l.w = $1 and l.o = $2 and i.w = l.w and i.id = l.item and i.qty > l.qty * 5;
execute j3(1, 7);
execute j3(2, 8);

-- changes, and what the transaction sees of its own
begin;
prepare u1(int, int, int) as update lines set qty = qty + $3, note = coalesce(note, '') || '!' where w = $1 and o = $2;
execute u1(1, 7, 100);
execute r1(1, 7);
execute a1(1, 7);
insert into lines values (1, 7, 9, 5, 1, 1, 'own', '2024-02-02');
execute a1(1, 7);
prepare d1(int, int, int) as delete from lines where w = $1 and o = $2 and n < $3 returning n, item, qty;
execute d1(1, 7, 3);
execute r1(1, 7);
prepare u2(int, int) as update lines set n = n + 10 where w = $1 and o = $2 returning o, n, qty * 2 as twice;
execute u2(1, 7);
execute u2(1, 7);
savepoint s;
execute u2(1, 7);
rollback to s;
execute r1(1, 7);
prepare u3(int, int) as update lines set item = item + 1 where w = $1 and item = $2;
execute u3(1, 7);
execute u3(1, 7);
execute i1(1, 8);
prepare d2(int, int) as delete from lines where w = $1 and item = $2 and qty % 2 = 0;
execute d2(1, 8);
execute d2(1, 8);
execute i2(1, 8, 0);
rollback;
execute r1(1, 7);

-- errors
prepare e1(int, int) as update items set qty = null where w = $1 and id between $2 and $2 + 1;
execute e1(1, 3);
prepare e2(int, int) as update items set id = 5 where w = $1 and id between $2 and $2 + 1;
execute e2(1, 3);
prepare e3(int, int) as update lines set qty = 1 / (n - 3) where w = $1 and o = $2;
execute e3(1, 7);
execute a1(1, 7);
prepare e4(int, int) as select 1 / (n - 3) from lines where w = $1 and o = $2 order by n;
execute e4(1, 7);
prepare e5(int, int) as select n from lines where w = $1 and o = $2 and 1 / (n - 3) < 1;
execute e5(1, 7);

-- more rows than were expected
create table grows (a int, b int, c text, primary key (a, b));
insert into grows values (1, 1, 'x'), (2, 1, 'y');
prepare g1(int) as select count(*), min(b), max(b), sum(b) from grows where a = $1;
prepare g2(int) as update grows set c = c || '+' where a = $1;
prepare g3(int) as select count(*), count(distinct c), min(c) from grows where a = $1 and b > 0;
execute g1(1);
execute g2(1);
insert into grows select 1, i, 'z' from generate_series(2, 3000) i;
execute g1(1);
execute g1(1);
execute g1(2);
execute g2(1);
execute g2(2);
execute g3(1);
execute g3(2);
begin;
insert into grows select 3, i, repeat('w', 3000) from generate_series(1, 600) i;
execute g1(3);
execute g2(3);
execute g3(3);
delete from grows where a = 3 and b > 5;
execute g2(3);
execute g3(3);
commit;

-- volatile functions, cursors, locks
create sequence s;
prepare v1(int, int) as select n, nextval('s') from lines where w = $1 and o = $2 order by n limit 2;
execute v1(1, 7);
select nextval('s');
begin;
declare c cursor for select n from lines where w = 1 and o = 7 order by n;
fetch 2 from c;
delete from lines where w = 1 and o = 7 and n > 2;
fetch all from c;
rollback;
prepare l1(int, int) as select n from lines where w = $1 and o = $2 order by n for update;
execute l1(1, 7);

-- ranges that are placed by the table of foreign keys
create table parents (a int primary key);
create table children (p int references parents, k int, primary key (p, k));
insert into parents values (1), (2);
insert into children select 1, i from generate_series(1, 4) i;
prepare f1(int) as update children set p = $1 where p = 1 and k < 3;
execute f1(3);
execute f1(2);
select * from children order by p, k;
prepare f2(int) as delete from parents where a >= $1 and a < $1 + 2;
execute f2(1);
delete from children where p = 2;
prepare f3(int) as delete from parents where a > $1 and a < 10;
execute f3(1);
select * from parents;
drop table children, parents, grows, lines, items;
drop sequence s;
