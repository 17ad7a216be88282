-- What the catalogs say of objects: descriptions, identities, addresses, and the lists PostgreSQL has built in.
create schema app;
create type mood as enum ('sad', 'ok', 'happy');
create table customers (id serial primary key, name varchar(40) not null, feeling mood default 'ok', constraint score_positive check (id >= 0));
create table orders (id bigint generated always as identity primary key, customer int not null references customers (id) on delete cascade, total numeric(12,2));
create index orders_customer on orders (customer);
create view big_orders as select o.id, c.name, o.total from orders o join customers c on c.id = o.customer;
create sequence app.ticket;
create table app.logs (at timestamp, line text);
create type comp as (a int, b text);
select d.c::regclass, pg_describe_object(d.c,d.o,d.s), (pg_identify_object(d.c,d.o,d.s)).*, (pg_identify_object_as_address(d.c,d.o,d.s)).* from (values
('pg_class'::regclass::oid,'customers'::regclass::oid,0),('pg_class'::regclass,'customers'::regclass,2),('pg_class'::regclass,'app.logs'::regclass,1),
('pg_class'::regclass,'app.logs'::regclass,0),('pg_class'::regclass,'big_orders'::regclass,0),('pg_class'::regclass,'big_orders'::regclass,1),('pg_class'::regclass,'app.ticket'::regclass,0),('pg_class'::regclass,'orders_customer'::regclass,0),('pg_class'::regclass,'comp'::regclass,0),
('pg_type'::regclass,'mood'::regtype,0),('pg_type'::regclass,'int'::regtype,0),('pg_type'::regclass,'text[]'::regtype,0),('pg_namespace'::regclass,'app'::regnamespace,0),
('pg_proc'::regclass,'lower(text)'::regprocedure,0),('pg_proc'::regclass,'count("any")'::regprocedure,0),('pg_operator'::regclass,'+(int,int)'::regoperator,0),('pg_operator'::regclass,'!~~(text,text)'::regoperator,0),
('pg_authid'::regclass,'postgres'::regrole,0),('pg_database'::regclass,5,0),('pg_collation'::regclass,'"C"'::regcollation,0),('pg_constraint'::regclass,(select oid from pg_constraint where conname='score_positive'),0),
('pg_attrdef'::regclass,(select oid from pg_attrdef where adrelid='customers'::regclass and adnum=1),0),('pg_rewrite'::regclass,(select oid from pg_rewrite where ev_class='big_orders'::regclass),0),
('pg_opclass'::regclass,(select oid from pg_opclass where opcname='int4_ops' and opcmethod=403),0),('pg_opfamily'::regclass,1976,0),('pg_am'::regclass,403,0),('pg_language'::regclass,12,0),('pg_tablespace'::regclass,1663,0),('pg_cast'::regclass,(select oid from pg_cast where castsource=23 and casttarget=20),0),
('pg_ts_config'::regclass,3748,0),('pg_ts_dict'::regclass,3765,0),('pg_ts_parser'::regclass,3722,0),('pg_ts_template'::regclass,3727,0),
('pg_class'::regclass,1,0),('pg_class'::regclass,0,0),('pg_type'::regclass,1,0),('pg_proc'::regclass,1,0),('pg_class'::regclass,'customers'::regclass,99),('pg_namespace'::regclass,1,0)) d(c,o,s);
select pg_describe_object(1,1,0);
select pg_identify_object(1,1,0);
select pg_identify_object_as_address(1,1,0);
select pg_identify_object(0,0,0), pg_describe_object(0,0,0),pg_identify_object_as_address(0,0,0);

select word, catcode, barelabel, catdesc, baredesc from pg_get_keywords() where word in ('select', 'abort', 'between', 'left', 'as', 'over') order by 1;
select catcode, count(*) from pg_get_keywords() where word in ('all', 'and', 'any', 'at', 'bit', 'cube') group by 1 order by 1;
select tokid, alias, description from ts_token_type('default') order by 1;
select count(*) from ts_token_type(3722);
select * from ts_token_type('nothing');
select * from ts_token_type(1);
select name, abbrev, utc_offset, is_dst from pg_timezone_names where name in ('UTC', 'Asia/Tokyo', 'Asia/Kolkata', 'America/Phoenix', 'Etc/GMT+5') order by 1;
select abbrev, utc_offset, is_dst from pg_timezone_abbrevs where abbrev in ('EST', 'EDT', 'IST', 'UTC', 'Z', 'NFT', 'MSK', 'ACST') order by 1;
select count(*), count(distinct abbrev), count(*) filter (where is_dst) > 40 from pg_timezone_abbrevs;
select oidvectortypes('23 25 1007'::oidvector), oidvectortypes(''::oidvector), oidvectortypes('1 0'::oidvector), oidvectortypes(null);
select oidvectortypes(proargtypes) from pg_proc where proname in ('lower', 'substr', 'count', 'lead') order by 1;
select * from pg_listening_channels();
select (information_schema._pg_expandarray(array['a', 'b', null])).n, information_schema._pg_expandarray(array['a', 'b', null]);
select * from information_schema._pg_expandarray('[3:5]={10,20,30}'::int[]);
select * from information_schema._pg_expandarray('{}'::int[]);
select x, n from information_schema._pg_expandarray(null::int[]);
select information_schema._pg_expandarray('{{1,2},{3,4}}'::int[]);
select _pg_expandarray('{1}'::int[]);
select (json_each('{"a": 1, "b": [2]}')).value, json_each('{"a": 1, "b": [2]}');
select json_each_text('{"a": null}'), pg_typeof(json_each_text('{"a": null}'));
