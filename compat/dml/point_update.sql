-- Rows that are changed or locked by their primary key, of which some columns are looked at and others stay as they are.
create table p (id int primary key, n int not null, t text, c char(6), v varchar(8) not null, d numeric(8,2), m numeric, a int[], j jsonb, b bytea, ts timestamp, f boolean not null default false, u uuid);
insert into p values (1, 10, 'ten', 'c', 'var', 1.5, 1e30, '{1,2}', '{"k": 1}', '\x00ff', '2026-01-02 03:04:05.678', true, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (2, 20, null, null, '', null, 'NaN', null, null, null, null, false, null);
prepare inc as update p set n = n + $2 where id = $1;
execute inc(1, 5);
execute inc(2, -5);
execute inc(3, 1);
select * from p order by id;
-- columns of the old row at other places, and RETURNING of what was passed on
update p set t = v, v = t where id = 1 returning t, v, n, c || '|', d;
update p set t = v where id = 2 returning *;
update p set v = v || '!' where id = 1 returning v, id, n + 1, length(v), a, j -> 'k';
update p set d = d * 2, m = m + 1 where id = 1 returning d, m, t;
update p set d = n where id = 2 returning d, n, m;
update p set c = 'abcdefgh' where id = 1;
update p set c = 'abc', v = 'toolongvalue' where id = 1;
update p set c = t, v = c where id = 1 returning c || '|', v || '|';
update p set a = a || 3, b = b || '\x01', ts = ts + interval '1 day' where id = 1 returning a, b, ts, u, f;
update p set f = not f, u = u where id = 1 returning f, u;
-- NOT NULL tells the whole row
update p set n = null where id = 1;
update p set v = t where id = 2;
update p set v = null, t = 'changed' where id = 1;
prepare setn as update p set n = $2 where id = $1 returning n, v;
execute setn(1, null);
execute setn(1, 7);
-- conditions on other columns
update p set n = n + 1 where id = 1 and v like 'a%' returning n;
update p set n = n + 1 where id = 1 and n = 0 returning n;
update p set n = n + 1 where id = 1 and d is not null and f returning n, d;
-- locked rows
begin;
select n, v from p where id = 1 for update;
select j, n + 1, c || '|' from p where id = 1 for no key update;
select id from p where id = 2 for share;
select * from p where id = 2 for key share;
update p set n = n + 1 where id = 1 returning n, j, b;
update p set t = t || '?' where id = 1 returning *;
select t, n from p where id = 1 for update;
rollback;
select t, n from p where id = 1;
-- columns that were added later, and dropped ones
alter table p add column e text default 'later', add column g int;
update p set n = 100 where id = 1 returning e, g, n;
update p set g = n, e = e || '.' where id = 2 returning e, g;
alter table p drop column t;
update p set n = n + 1 where id = 1 returning *;
update p set g = g + 1 where id = 1 returning g;
alter table p add column h numeric(6,3) default 1.25;
update p set g = 0 where id = 1 returning h, e;
update p set h = h * 3 where id = 1 returning h;
select * from p order by id;
-- indexes and keys
create index p_n on p (n);
create unique index p_v on p (v);
update p set n = n + 1 where id = 1 returning n, e;
update p set v = 'same' where id = 1 returning v;
update p set v = 'same' where id = 2 returning v;
update p set id = 3 where id = 2 returning id, e, v;
select id, n, v from p where n > 0 order by id;
delete from p where id = 3 returning *;
create table q (pid int primary key references p, k int, w text);
insert into q values (1, 1, 'w');
update q set k = k + 1 where pid = 1 returning w, k;
update q set pid = 2 where pid = 1;
update q set pid = pid, w = w || k where pid = 1 returning *;
drop table q, p;
