-- WITH items of which every reader wants some rows only.
create table sale (id int primary key, y int, m int, item text, amount numeric(9,2), q int);
insert into sale select i, 2000 + i % 5, 1 + i % 12, 'item ' || i % 7, (i % 100) * 1.25, nullif(i % 9, 0) from generate_series(1, 2000) i;
with s as (select y, item, sum(amount) as total, count(*) as n, avg(q) as mean from sale group by y, item)
  select a.item, a.total, b.total, b.total - a.total as more, a.n, b.n, a.mean, b.mean from s a join s b on a.item = b.item where a.y = 2001 and b.y = 2003 order by a.item;
with s as (select y, item, sum(amount) as total from sale group by y, item)
  select a.item, a.total, b.total from s a left join s b on a.item = b.item and b.y = 2002 where a.y = 2001 order by a.item;
with s as (select y, item, sum(amount) as total from sale group by y, item)
  select a.item, a.total, b.total from s a full join (select * from s where y = 2002) b on a.item = b.item and a.y = 2001 order by a.item, a.total, b.total limit 12;
with s as (select y, item, sum(amount) as total from sale group by y, item)
  select item, total from s where y = 2001 and total > (select avg(total) from s where y = 2004) order by item;
with s as (select y, item, sum(amount) as total from sale group by y, item)
  select item, total, (select max(total) from s i where i.item = o.item and i.y in (2000, 2003)) as best from s o where y = 2001 order by item;
with s as (select y, m, sum(amount) as total from sale group by rollup (y, m))
  select a.y, a.m, a.total, b.total from s a, s b where a.y = 2001 and b.y is null and a.total > 2000 order by a.y, a.m;
with s as (select y, m, item, rank() over (partition by y order by sum(amount) desc, m, item) as r from sale group by y, m, item)
  select a.m, a.item, b.m, b.item, a.r from s a join s b on a.r = b.r where a.y = 2001 and b.y = 2002 and a.r <= 5 and b.r <= 5 order by a.r;
with s as (select y, item from sale union select m, 'month' from sale)
  select a.y, a.item, b.item from s a join s b on a.y = b.y + 1994 where a.item <> 'month' and b.item = 'month' and a.y > 2002 order by 1, 2, 3;
with s as (select y, item from sale except select y, item from sale where amount > 100)
  select count(*) from s a, s b where a.y = 2000 and b.y = 2001;
with s as (select y, item, amount from sale order by amount desc, id limit 10)
  select a.amount, b.amount from s a, s b where a.y = 2004 and b.y = 2003 order by 1, 2;
with s as (select distinct on (item) item, y, amount from sale order by item, amount desc, id)
  select a.item, b.item from s a, s b where a.y = 2000 and b.y = 2004 order by 1, 2;
with s as (select y, max(q) as q from sale group by y), t as (select y, q from s where q > 3)
  select a.y, b.y from t a, s b where a.y = 2000 and b.y = 2001;
with s as (select y, sum(q) as q from sale group by y)
  select a.y, a.q, b.y, b.q from s a, s b where (a.y = 2000 or a.y = 2001 and a.q > 5) and (b.q is null or b.y between 2003 and 2004) order by 1, 3;
with s as materialized (select y, sum(q) as q from sale group by y) select a.q, b.q from s a, s b where a.y = 2000 and b.y = 2001;
with recursive s as (select 1 as n union all select n + 1 from s where n < 20) select a.n, b.n from s a, s b where a.n = 3 and b.n = 19;
with s as (select y, count(*) as n from sale group by y) select a.n, b.n from s a, s b where a.y = 1 and b.y = 2001;
create sequence sq;
with s as (select nextval('sq') as v, y from sale) select count(*) from s a join s b on a.v = b.v where a.y = 2000 and b.y = 2000;
select last_value from sq;
prepare p(int, int) as with s as (select y, sum(amount) as total from sale group by y) select a.total, b.total from s a, s b where a.y = $1 and b.y = $2;
execute p(2000, 2001);
execute p(2002, 2003);
execute p(null, 2003);
deallocate p;
create view totals as select y, sum(amount) as total from sale group by y;
select a.y, b.total - a.total from totals a join totals b on b.y = a.y + 1 where a.y in (2000, 2002) and b.y > 2000 order by 1;
drop view totals;
drop sequence sq;
drop table sale;
