-- Aggregates of CASE without ELSE: rows for which it is NULL do not count.
create table w (g int, d text, x numeric(9,2), n int, f float8, b bool);
insert into w select i % 3, (array['Mon', 'Tue', 'Wed', null])[1 + i % 4], case when i % 5 > 0 then i * 1.25 end, nullif(i % 7, 0), i / 8.0, case i % 3 when 0 then true when 1 then false end from generate_series(1, 60) i;
insert into w values (9, 'Thu', 1, 1, 1, true);
select g, sum(case when d = 'Mon' then x end), avg(case when d = 'Tue' then x end), count(case when d = 'Wed' then x end), count(case when d is null then 1 end) from w group by g order by g;
select g, sum(case when d = 'Mon' then n end), avg(case when d = 'Mon' then n else null end), min(case when d <> 'Mon' then d end), max(case when n > 3 then f end), stddev_samp(case when n > 2 then n end), var_pop(case when b then x end) from w group by g order by g;
select sum(case when d = 'none' then x end), count(case when d = 'none' then x end), max(case when false then x end), bool_and(case when g = 1 then b end), bool_or(case when g = 9 then b end), bit_or(case when n > 0 then n end) from w;
select sum(case when d = 'Mon' then x end) filter (where n > 2), sum(case when n > 0 then 12 / n end), count(distinct case when n > 3 then d end), count(case when b then null end) from w;
select sum(case when n >= 0 then 10 / (n - 1) end) from w;
select sum(case when n <> 1 then 10 / (n - 1) end) from w where g < 3;
select g, sum(case d when 'Mon' then x end), sum(case when d = 'Mon' then x when d = 'Tue' then - x end), sum(case when d = 'Mon' then x else 0 end) from w group by g order by g;
select array_agg(case when d = 'Mon' then n end order by f), string_agg(case when n > 5 then d end, ',' order by f), count(case when d = 'Mon' then row(1, null) end) from w where g = 1;
select g, d, sum(case when grouping(d) = 0 then x end), sum(case when n > 3 then x end) from w group by rollup (g, d) order by g, d;
select g, sum(case when d = 'Mon' then x end) over (partition by g order by f) from w where f < 2 order by g, f;
drop table w;
