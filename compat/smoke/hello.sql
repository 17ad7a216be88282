-- The smallest round trip.
select 1 as one, 'x' as s, null as n, 1.50 as num, true as b;
select 1/0;
selec 1;
create table t (a int primary key, b text);
insert into t values (1, 'a''b'), (2, E'tab\there'), (3, null);
select * from t order by a;
insert into t values (1, 'again');
select * from nowhere;
drop table if exists nowhere;
select (1;
drop table t;
