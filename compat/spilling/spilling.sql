-- Results that need more memory than work_mem are the same as any others.
set work_mem = '64kB';
create table s (a int, b int, c text);
insert into s select i, i % 37, case when i % 11 = 0 then null else 'v' || i % 101 end from generate_series(1, 6000) i;
-- windows whose frames move, exclude rows or look far
select count(*), sum(n), sum(m), sum(l) from (select nth_value(a, 5) over w n, max(a) over w m, lag(a, b) over w l from s window w as (order by a)) x;
select sum(x), sum(y), count(z) from (select sum(a) over w x, count(*) over w y, first_value(c) over w z from s window w as (order by a rows between 3 preceding and unbounded following)) q;
select sum(x), count(y), sum(z) from (select sum(a) over w x, nth_value(b, 5) over w y, first_value(b) over w z from s window w as (order by b groups between 2 preceding and 1 following)) q;
select sum(x), sum(y) from (select sum(a) over w x, count(c) over w y from s window w as (order by b range between 3 preceding and 2 following)) q;
select sum(x), sum(y) from (select sum(a) over w x, count(c) over w y from s window w as (order by b desc range between 1 preceding and unbounded following)) q;
select sum(x), sum(y) from (select sum(a) filter (where a % 2 = 0) over w x, nth_value(a, 2) over w y from s window w as (order by a rows between 2 preceding and 2 following exclude current row)) q;
select sum(x) from (select count(*) over (order by b groups between 1 preceding and 1 following exclude ties) x from s) q;
select sum(x) from (select count(*) over (order by c nulls first range between unbounded preceding and current row exclude group) x from s where a <= 2000) q;
select sum(r), sum(d), sum(p::numeric(20,6)), sum(cd::numeric(20,6)), sum(n) from (select rank() over w r, dense_rank() over w d, percent_rank() over w p, cume_dist() over w cd, ntile(7) over w n from s window w as (order by b)) q;
select sum(r), sum(rn) from (select rank() over () r, row_number() over () rn from s) q;
select sum(x), sum(y) from (select lead(a, 4000, -1) over (order by a) x, lag(a, -5, 7) over (order by a) y from s) q;
select sum(x) from (select sum(a) over (order by a rows between 100000 preceding and 100000 following) x from s where a <= 3000) q;
select sum(x) from (select sum(a) over (partition by b % 2 order by b) x from s) q;
select sum(a) over (order by a rows between -1 preceding and unbounded following) from s limit 1;
select sum(a) over (order by a rows between null preceding and unbounded following) from s limit 1;
select nth_value(a, 0) over (order by a rows between current row and unbounded following) from s limit 1;
select ntile(0) over (order by b), rank() over (order by b) from s limit 1;
-- IN over several columns, with NULLs
select count(*) from s where (b, c) in (select b, c from s where a > 3000);
select count(*) from s where (b, c) not in (select b, c from s where a > 3000);
select count(*) from s where (b, c) not in (select b, c from s where a > 3000 and c is not null);
select count(*) from s where (a, c) not in (select a, c from s where a > 3000 and c is not null);
select count(*) from s where (a, c) not in (select a, c from s where a > 3000);
select x, count(*) from (select (a, c) in (select a + 1, c from s where a % 3 = 0) x from s) q group by x order by x;
select x, count(*) from (select (b, c) in (select b, c from s o where o.a > s.a) x from s where a > 5900) q group by x order by x;
-- joins with few distinct keys
select count(*), sum(x.a), sum(y.a) from s x join s y on x.b = y.b and x.a < y.a where x.a < 2000;
select count(*), count(y.a) from s x left join s y on x.b = y.b and x.a + 3000 = y.a;
select count(*), count(x.a), count(y.a) from s x full join s y on x.b = y.b + 30;
-- aggregates of sorted values
select percentile_disc(0.5) within group (order by a), percentile_cont(0.25) within group (order by a), mode() within group (order by b) from s;
select percentile_disc(array[0, 0.1, null, 0.999, 1]) within group (order by c), percentile_cont(array[[0.1, 0.2], [0.9, 1]]) within group (order by a desc) from s;
select b % 3, percentile_cont(0.5) within group (order by a), percentile_disc(0.9) within group (order by c desc), mode() within group (order by c) from s group by 1 order by 1;
select count(distinct a), count(distinct c), sum(distinct b), md5(string_agg(distinct c, ',' order by c)), md5(string_agg(c, ',' order by a desc)) from s;
select percentile_disc(1.5) within group (order by a) from s where false;
select percentile_disc(1.5) within group (order by a) from s;
select percentile_cont(array[1.5]) within group (order by a) from s where false;
select percentile_cont(array[1.5]) within group (order by a) from s;
select percentile_disc(null::float8) within group (order by a), percentile_disc(0.3) within group (order by null::int), mode() within group (order by null::int) from s;
select percentile_cont(0.5) within group (order by a * interval '1 minute') from s;
select percentile_cont('nan'::float8) within group (order by a) from s;
-- sorts of many runs
select md5(string_agg(a::text, ',')) from (select a from s order by c desc nulls last, b, a) q;
select a, c from s order by c desc nulls last, a offset 5000 limit 3;
-- set operations and cursors
select count(*) from (select a, c from s intersect select a + 10, c from s where c is null) q;
select count(*) from (select a, c from s except all select a, c from s where a % 2 = 0) q;
begin;
declare k scroll cursor with hold for select a, c from s order by a;
fetch 2 from k;
fetch last from k;
fetch absolute 3000 from k;
fetch backward 2 from k;
commit;
fetch prior from k;
move backward all in k;
fetch 1 from k;
close k;
reset work_mem;
