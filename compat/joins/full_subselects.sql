-- FULL JOIN conditions with sub-selects over both sides.
create table a (x int, y int);
create table b (x int, z int);
insert into a values (1, 10), (2, 20), (3, null), (null, 40), (2, 21), (3, 30);
insert into b values (2, 200), (3, 300), (4, null), (null, 500), (3, 301), (2, 201);
select * from a full join b on a.x = b.x and (select count(*) from a a2 where a2.x < b.x + a.x) > 4 order by 1, 2, 3, 4;
select a, b, a.y, b.z from a full join b on a.x = b.x and exists (select 1 from a a2 where a2.y = a.y and a2.x = b.x) order by 1, 2, 3, 4;
select * from a full join b on a.x = b.x and a.y in (select a2.y from a a2 where a2.x * 100 < b.z) order by 1, 2, 3, 4;
select a is null, b is null, a.x, z from a full join b on a.x = b.x and a.y not in (select a2.y from a a2 where a2.x < b.z) order by 1, 2, 3, 4;
select * from a full join b using (x) full join a c on c.x = b.x and exists (select 1 from b q where q.z > c.y and q.x = a.x) order by 1, 2, 3, 4, 5;
select a.x, s.* from a, lateral (select count(*), count(p.x), count(q.x), sum(q.z) from (select * from b where b.x >= a.x) p full join b q on p.x = q.x and (select count(*) from a r where r.x < p.x + q.x + a.x) > 3) s order by 1,2,3,4;
select count(*), a.tableoid is null as n from a full join b on a.x = b.x and exists (select 1 from b q where q.z > a.y and q.x = b.x) group by 2 order by 1;
select * from a full join b on exists (select 1 from a q where q.x = a.x and q.x = b.x);
select * from a full join b on a.x < b.x and exists (select 1 from a q where q.x = a.x and q.x = b.x);
select * from a full join b on a.x = b.x and (select a.x + b.z > 203) where a.x > 1 order by 1,2,3,4;
select * from a full join b on a.x = b.x and (select a.x + b.z > 203) where b.x > 1 order by 1,2,3,4;
select x, count(*) from a full join b using (x) where exists (select 1 from b b2 where b2.x = a.x) group by 1 order by 1;
select * from a left join (b full join a c on b.x = c.x and (select c.y > b.x + a.x from a limit 1)) on a.x = c.x order by 1,2,3,4,5,6,7;
