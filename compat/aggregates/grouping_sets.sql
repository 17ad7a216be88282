-- Grouping sets of which some have all keys of others: combined from those or not, the rows are the same.
create table gs (id int primary key, a int, b int, c text, d numeric, e numeric(10,2), f float8, g interval, h boolean, m bigint);
insert into gs select i, case when i % 11 = 0 then null else i % 5 end, case when i % 7 = 0 then null else i % 6 end, case when i % 13 = 0 then null else 'c' || i % 4 end,
  case when i % 3 = 0 then i / 10.0 else i * 1.00 end, i / 3.0, i / 8.0, i * interval '1 hour', i % 9 < 8, i * 10000000000 from generate_series(1, 3000) i;
create table gs_none (a int, b int, v int);
analyze gs, gs_none;
-- rollup, cube and lists, with NULLs among the keys
select a, b, c, grouping(a, b, c), count(*), count(c), sum(b), sum(m), sum(d), avg(d), min(e), max(c) from gs where id <= 60 group by rollup (a, b, c) order by 4, 1, 2, 3;
select a, b, c, grouping(a, b, c), count(*), sum(e), avg(a), bool_and(h), bool_or(h) from gs group by cube (a, b, c) order by 4, 1, 2, 3;
select a, b, grouping(b, a), count(*), min(m), max(id) from gs group by grouping sets ((a, b), (a), (b), ()) order by 3, 1, 2;
select a, b, grouping(a), grouping(b), count(*) from gs group by grouping sets ((), (b), (a, b), (a, b), ()) order by 3, 4, 1, 2;
select a, b, c, grouping(a, b, c), count(*) from gs group by a, rollup (b, c) order by 4, 1, 2, 3 limit 50;
select a + b as ab, c, grouping(a + b, c), sum(a + b), count(*) from gs group by cube (a + b, c) order by 3, 1, 2;
select a, c, grouping(a, c), sum(id) from gs group by grouping sets ((a), (c)) order by 3, 1, 2;
-- nothing to group
select a, b, count(*), sum(v), max(v) from gs_none group by rollup (a, b);
select a, b, count(*), sum(v), max(v) from gs_none group by cube (a, b) having count(*) > 0;
select a, count(*) from gs_none group by grouping sets ((a), (), ());
-- filters, and calls that cannot be combined: DISTINCT, ORDER BY, ordered sets, lists
select a, b, count(*) filter (where id % 2 = 0), sum(d) filter (where c = 'c1'), min(c) filter (where a is null) from gs group by rollup (a, b) order by grouping(a, b), a, b;
select a, b, count(distinct c), sum(distinct b), count(*) from gs group by rollup (a, b) order by grouping(a, b), a, b;
select a, b, min(distinct id), max(distinct c) from gs group by rollup (a, b) order by grouping(a, b), a, b limit 8;
select a, h, percentile_disc(0.5) within group (order by id), mode() within group (order by c), sum(id) from gs group by rollup (a, h) order by grouping(a, h), a, h;
select a, h, array_agg(id order by id desc), string_agg(c, ',' order by id), sum(id) from gs where id < 30 group by rollup (a, h) order by grouping(a, h), a, h;
-- others that can: variances, bits, intervals; and floats
select a, b, var_pop(id), stddev(d), bit_or(id), bit_and(id), bit_xor(id) from gs group by rollup (a, b) order by grouping(a, b), a, b;
select a, b, sum(g), avg(g), min(g), max(g) from gs group by cube (a, b) order by grouping(a, b), a, b limit 20;
select a, b, round(sum(f / 7)::numeric, 6), round(avg(f / 3)::numeric, 6), round(var_samp(f / 3)::numeric, 6), sum(f), max(f) from gs where id < 400 group by rollup (a, b) order by grouping(a, b), a, b;
-- equal values that look different
select a, h, trim_scale(min(x)), trim_scale(max(x)) from (values (1, 1, 2.50), (1, 2, 2.5), (1, 1, 2.500), (2, 1, 0.0), (2, 2, 0.00)) v(a, h, x) group by rollup (a, h) order by grouping(a, h), a, h;
select x, y, count(*) from (values (1.0, 1), (1.00, 2), (1.0, 3), (null, 1), (null, 2)) v(x, y) group by cube (x, y) order by grouping(x, y), x, y;
-- sums beyond a bigint, and an overflow
select a, b, sum(m * 900000), avg(m * 900000) from gs where m > 0 group by rollup (a, b) order by grouping(a, b), a, b limit 10;
select a, sum(9223372036854775807), sum(9223372036854775807 - id) from gs group by rollup (a) order by grouping(a), a;
-- joins, groupings of groupings, windows, HAVING, LIMIT
select x.a, y.c, count(*), sum(x.e) from gs x join gs y on x.id = y.id + 1 group by rollup (x.a, y.c) order by grouping(x.a, y.c), 1, 2;
select n, count(*), sum(s) from (select a, b, c, count(*) as n, sum(id) as s from gs group by cube (a, b, c)) t group by rollup (n) order by n nulls last, 2;
select a, b, sum(id), rank() over (partition by grouping(a, b) order by sum(id) desc) from gs group by rollup (a, b) order by grouping(a, b), 4, a, b limit 12;
select a, b, c, count(*) from gs group by cube (a, b, c) having count(*) > 450 order by 4 desc, a, b, c;
select count(*), sum(n), sum(s) from (select id, a, b, count(*) as n, sum(m) as s from gs group by rollup (id, a, b)) t;
select o.a, (select count(*) from (select b, c from gs i where i.a = o.a group by rollup (b, c)) t) from (select distinct a from gs) o order by 1;
select a, b, count(*) from gs group by rollup (a, b) order by count(*) desc, a, b limit 3;
-- little memory
set work_mem = '64kB';
select count(*), sum(n), sum(s), sum(k), max(z) from (select id % 2500 as x, a, c, count(*) as n, sum(m) as s, sum(e) as k, max(c) as z from gs group by rollup (id % 2500, a, c)) t;
select count(*), sum(n), sum(s), sum(v) from (select id, b, c, count(*) as n, sum(m) as s, bit_or(id) as v from gs group by cube (id, b, c)) t;
reset work_mem;
drop table gs, gs_none;
