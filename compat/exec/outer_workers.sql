-- Outer and semi joins over enough rows for several workers, distinct counts, constants along outer joins, whole-partition windows.
create table wide (id int primary key, g int, k bigint, n numeric(9,2), t text);
create table other (id int primary key, g int, k bigint, q int);
insert into wide select i, i % 97, (i * 7919) % 40000, case when i % 11 = 0 then null else (i % 1000) / 4.0 end, 'w' || i % 501 from generate_series(1, 40000) i;
insert into other select i, i % 61, (i * 104729) % 60000, i % 13 from generate_series(1, 30000) i;
analyze wide;
analyze other;
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from wide w full join other o on o.k = w.k;
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from wide w full join other o on o.k = w.k and o.g = w.g;
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from wide w left join other o on o.k = w.k;
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from other o left join wide w on o.k = w.k and w.g < 50;
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from (select * from other where g < 7) o left join wide w on o.k = w.k;
select count(*), sum(id) from (select * from other where g < 7) o where exists (select from wide w where w.k = o.k and w.g < 50);
select count(*), sum(id) from (select * from other where g < 7) o where not exists (select from wide w where w.k = o.k and w.g < 50);
select count(*), count(a.k), count(b.k), sum(a.n), sum(b.n) from (select k, g, count(*) as n from wide group by k, g) a full join (select k, q, count(*) as n from other group by k, q) b on a.k = b.k;
set work_mem = '64kB';
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from wide w full join other o on o.k = w.k;
select count(*), count(w.id), count(o.id), sum(w.id), sum(o.q) from (select * from other where g < 30) o left join wide w on o.k = w.k;
select g % 5, count(distinct k), count(distinct id), sum(distinct g) from wide group by 1 order by 1;
reset work_mem;
select g % 5, count(distinct k), count(distinct id), sum(distinct g), count(distinct case when id % 3 = 0 then k end) from wide group by 1 order by 1;
select count(distinct k * 1000003), count(distinct -k), count(distinct id::smallint) from wide where id < 30000;
select count(distinct k * 9223372036854), count(distinct date '2000-01-01' + id) from wide;
-- numerics of several scales in one sum
select g % 4, sum(coalesce(n, 0)), avg(coalesce(n, 0)), sum(coalesce(n * id, 0)) from wide where g < 8 group by 1 order by 1;
select sum(coalesce(n, 0)), sum(case when id < 100 then 0 when id < 200 then n else n * 1.000 end) from wide;
select sum(coalesce(n, 0)) from wide where n is null;
select g, sum(coalesce(n, 0)), min(coalesce(n, 0)), max(case when id % 2 = 0 then n else 1 end) from wide where n is null or id < 20 group by g order by g limit 30;
select coalesce(n, 0), case when id % 2 = 0 then n else id::numeric end, coalesce(n, 'NaN') from wide where id between 5 and 15 order by id;
-- one frame for all rows of a partition
select id, g, sum(n) over (partition by g), avg(k) over (partition by g), count(*) over (partition by g), min(t) over (partition by g), count(n) filter (where id % 2 = 0) over (partition by g) from wide where id < 300 order by id limit 40;
select id, sum(id) over (), max(n) over (), count(*) over (rows between unbounded preceding and unbounded following) from wide where id < 12 order by id;
select id, sum(id) over (order by id rows between unbounded preceding and unbounded following), avg(n) over (order by g range between unbounded preceding and unbounded following exclude current row) from wide where id < 12 order by id;
-- constants along equalities of outer joins
select w.g, w.n, o.n from (select g, count(*) as n from wide group by g) w left join (select g, count(*) as n from other group by g) o on o.g = w.g where w.g = 12;
select w.g, w.n, o.n from (select g, count(*) as n from wide group by g) w left join (select g, count(*) as n from other group by g) o on o.g = w.g where w.g = 80;
select w.g, w.n, o.n from (select g, count(*) as n from wide where g = 12 group by g) w left join (select g, count(*) as n from other group by g having count(*) > 5) o on o.g = w.g;
select count(*) from (select g from wide where 12 = g) w where exists (select from other o where o.g = w.g and o.q = 3);
select count(*) from (select g from wide where 12 = g) w where not exists (select from other o where o.g = w.g and o.q = 30);
select count(*), count(o.id) from wide w full join other o on o.g = w.g and o.q = w.g where w.g = 12;
select length(repeat('añ日', 30)), substr(repeat('añ日', 30), 17, 9), left(repeat('añ日b', 30), 35), right(repeat('añ日', 30), 10), lpad('añ日', 12, 'ñ'), length(repeat('x', 1001) || 'é');
