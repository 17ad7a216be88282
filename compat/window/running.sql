-- Frames that begin with the partition and only grow.
create table r (id int primary key, g int, k int, n int, s int2, b int8, x numeric(9,2), y numeric, f float8, d date, t text);
insert into r select i, i % 4, i / 3, nullif(i % 7, 0), (i % 11)::int2, i * 1000000007::int8, case when i % 5 > 0 then i * 1.25 end, case i % 3 when 0 then 1.5 when 1 then 2 else 2.000 end, i / 8.0, date '2020-01-01' + (i * 37) % 50, 'v' || (i * 13) % 17 from generate_series(1, 40) i;
select id, sum(n) over w, sum(s) over w, sum(b) over w, sum(x) over w, sum(y) over w, sum(f) over w from r window w as (partition by g order by id rows between unbounded preceding and current row) order by id;
select id, avg(n) over w, avg(x) over w, avg(y) over w, count(*) over w, count(n) over w, count(x) over w from r window w as (partition by g order by id rows unbounded preceding) order by id;
select id, min(n) over w, max(n) over w, min(x) over w, max(x) over w, max(y) over w, min(y) over w, min(d) over w, max(d) over w, max(t) over w from r window w as (partition by g order by id rows unbounded preceding) order by id;
select id, sum(x) over w, count(*) over w, max(x) over w, min(y) over w from r window w as (partition by g order by k) order by id;
select id, sum(x) over w, max(n) over w from r window w as (order by k groups between unbounded preceding and 1 following) order by id;
select id, sum(x) over w, max(n) over w, count(n) over w from r window w as (partition by g order by id rows between unbounded preceding and 2 following) order by id;
select id, sum(x) over w, max(n) over w, count(n) over w from r window w as (partition by g order by id rows between unbounded preceding and 2 preceding) order by id;
select id, sum(x) over w, max(n) over w, count(n) over w from r window w as (partition by g order by id rows between unbounded preceding and current row exclude current row) order by id;
select id, sum(x) filter (where n > 3) over w, count(*) filter (where n is null) over w, max(y) filter (where id % 2 = 0) over w from r window w as (partition by g order by id rows unbounded preceding) order by id;
select id, sum(b * 200000000000) over w from r window w as (order by id rows unbounded preceding) order by id limit 5;
select id, sum(x) over (order by id), sum(x) over (partition by g), sum(x) over () from r order by id limit 12;
select sum(n) over (order by id), count(null) over (order by id), max(null::int) over (order by id), sum(null::numeric) over (order by id) from r order by id limit 5;
select id, sum(q) over (order by id rows unbounded preceding) from (select id, 4611686018427387904 / 2147483648 * 1000000 * n::int8 as q from r) x order by id limit 6;
select sum(2147483647) over (order by id rows unbounded preceding) from r order by id limit 4;
drop table r;
