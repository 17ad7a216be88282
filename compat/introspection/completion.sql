-- The queries that psql 15's tab completion sends, one for each place that asks the server.
-- They have no ORDER BY of their own, so each is sorted from outside.

create schema app;
create type mood as enum ('sad', 'ok', 'happy');
create table customers (id serial primary key, name varchar(40) not null, feeling mood default 'ok', constraint score_positive check (id >= 0));
create table orders (id bigint generated always as identity primary key, customer int not null references customers (id) on delete cascade, total numeric(12,2));
create index orders_customer on orders (customer);
create view big_orders as select o.id, c.name, o.total from orders o join customers c on c.id = o.customer;
create sequence app.ticket;
create table app.logs (at timestamp, line text);

-- alter aggregate c<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.prokind = 'a' AND (p.proname) LIKE 'c%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'c%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter aggregate count<TAB>
select * from (SELECT pg_catalog.oidvectortypes(p.proargtypes)||')', NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE (pg_catalog.oidvectortypes(p.proargtypes)||')') LIKE '%' AND p.proname = 'count' AND pg_catalog.pg_function_is_visible(p.oid)
LIMIT 1000) q order by 1, 2;
-- alter collation<TAB>
select * from (SELECT c.collname, NULL::pg_catalog.text FROM pg_catalog.pg_collation c WHERE c.collencoding IN (-1, pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding())) AND (c.collname) LIKE '%' AND pg_catalog.pg_collation_is_visible(c.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter conversion<TAB>
select * from (SELECT conname FROM pg_catalog.pg_conversion WHERE conname LIKE '%'
LIMIT 1000) q order by 1;
-- alter database<TAB>
select * from (SELECT datname FROM pg_catalog.pg_database  WHERE datname LIKE '%'
LIMIT 1000) q order by 1;
-- alter database postgres set tablespace<TAB>
select * from (SELECT spcname FROM pg_catalog.pg_tablespace  WHERE spcname LIKE '%'
LIMIT 1000) q order by 1;
-- alter database postgres set tablespace<TAB>
select * from (SELECT spcname FROM pg_catalog.pg_tablespace  WHERE spcname LIKE 'pg\_%'
LIMIT 1000) q order by 1;
-- alter database postgres set<TAB>
select * from (SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings  WHERE context IN ('user', 'superuser')    AND pg_catalog.lower(name) LIKE pg_catalog.lower('%')
LIMIT 1000) q order by 1;
-- alter domain<TAB>
select * from (SELECT t.typname, NULL::pg_catalog.text FROM pg_catalog.pg_type t WHERE t.typtype = 'd' AND (t.typname) LIKE '%' AND pg_catalog.pg_type_is_visible(t.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter domain foo rename constraint<TAB>
select * from (SELECT con.conname, NULL::pg_catalog.text FROM pg_catalog.pg_constraint con, pg_catalog.pg_type t WHERE con.contypid=t.oid AND (con.conname) LIKE '%' AND t.typname = 'foo' AND pg_catalog.pg_type_is_visible(t.oid)
LIMIT 1000) q order by 1, 2;
-- alter event trigger<TAB>
select * from (SELECT evtname    FROM pg_catalog.pg_event_trigger   WHERE evtname LIKE '%'
LIMIT 1000) q order by 1;
-- alter extension<TAB>
select * from (SELECT extname    FROM pg_catalog.pg_extension   WHERE extname LIKE '%'
LIMIT 1000) q order by 1;
-- alter extension plpgsql update to<TAB>
select * from (SELECT version    FROM pg_catalog.pg_available_extension_versions   WHERE version LIKE '%' AND name='plpgsql'
LIMIT 1000) q order by 1;
-- alter extension plpgsql add table<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter foreign data wrapper<TAB>
select * from (SELECT fdwname    FROM pg_catalog.pg_foreign_data_wrapper   WHERE fdwname LIKE '%'
LIMIT 1000) q order by 1;
-- alter foreign table<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('f') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter function low<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.prokind != 'p' AND (p.proname) LIKE 'low%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'low%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter function lower(<TAB>
select * from (SELECT pg_catalog.oidvectortypes(p.proargtypes)||')', NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE (pg_catalog.oidvectortypes(p.proargtypes)||')') LIKE '%' AND p.proname = 'lower' AND pg_catalog.pg_function_is_visible(p.oid)
LIMIT 1000) q order by 1, 2;
-- alter group<TAB>
select * from (SELECT rolname    FROM pg_catalog.pg_roles   WHERE rolname LIKE '%'
LIMIT 1000) q order by 1;
-- alter index<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('i', 'I') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter index orders_customer alter column<TAB>
select * from (SELECT a.attnum::pg_catalog.text, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attnum::pg_catalog.text) LIKE '%' AND c.relname = 'orders_customer' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- alter language<TAB>
select * from (SELECT lanname   FROM pg_catalog.pg_language  WHERE lanname != 'internal'    AND lanname LIKE '%'
LIMIT 1000) q order by 1;
-- alter materialized view<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('m') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter materialized view m rename column<TAB>
select * from (SELECT a.attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attname) LIKE '%' AND c.relname = 'm' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- alter policy<TAB>
select * from (SELECT polname    FROM pg_catalog.pg_policy   WHERE polname LIKE '%'
LIMIT 1000) q order by 1;
-- alter policy p on<TAB>
select * from (SELECT DISTINCT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c, pg_catalog.pg_policy p WHERE c.oid=p.polrelid AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND p.polname = 'p'
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter procedure<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.prokind = 'p' AND (p.proname) LIKE '%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter publication<TAB>
select * from (SELECT pubname    FROM pg_catalog.pg_publication   WHERE pubname LIKE '%'
LIMIT 1000) q order by 1;
-- alter publication p add tables in schema<TAB>
select * from (SELECT nspname FROM pg_catalog.pg_namespace  WHERE nspname LIKE '%' AND nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1;
-- alter routine low<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE (p.proname) LIKE 'low%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'low%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter rule<TAB>
select * from (SELECT rulename FROM pg_catalog.pg_rules WHERE rulename LIKE '%'
LIMIT 1000) q order by 1;
-- alter rule<TAB>
select * from (SELECT rulename FROM pg_catalog.pg_rules WHERE rulename LIKE 'pg\_settings\_%'
LIMIT 1000) q order by 1;
-- alter rule r on<TAB>
select * from (SELECT DISTINCT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c, pg_catalog.pg_rewrite r WHERE c.oid=r.ev_class AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND r.rulename = 'r'
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter schema<TAB>
select * from (SELECT nspname FROM pg_catalog.pg_namespace  WHERE nspname LIKE '%'
LIMIT 1000) q order by 1;
-- alter sequence<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('S') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter sequence app.<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('S') AND (c.relname) LIKE '%' AND n.nspname = 'app'
LIMIT 1000) q order by 1;
-- alter server<TAB>
select * from (SELECT srvname    FROM pg_catalog.pg_foreign_server   WHERE srvname LIKE '%'
LIMIT 1000) q order by 1;
-- alter statistics<TAB>
select * from (SELECT s.stxname, NULL::pg_catalog.text FROM pg_catalog.pg_statistic_ext s WHERE (s.stxname) LIKE '%' AND pg_catalog.pg_statistics_obj_is_visible(s.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter subscription<TAB>
select * from (SELECT s.subname    FROM pg_catalog.pg_subscription s, pg_catalog.pg_database d   WHERE s.subname LIKE '%'     AND d.datname = pg_catalog.current_database()     AND s.subdbid = d.oid
LIMIT 1000) q order by 1;
-- alter system set<TAB>
select * from (SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings  WHERE context != 'internal'    AND pg_catalog.lower(name) LIKE pg_catalog.lower('%')
LIMIT 1000) q order by 1;
-- alter system set work_mem to<TAB>
select * from (SELECT vartype FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = pg_catalog.lower('work_mem')) q order by 1;
-- alter system set bytea_output to<TAB>
select * from (SELECT vartype FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = pg_catalog.lower('bytea_output')) q order by 1;
-- alter system set bytea_output to<TAB>
select * from (SELECT val FROM (    SELECT name, pg_catalog.unnest(enumvals) AS val      FROM pg_catalog.pg_settings     ) ss   WHERE val LIKE '%'        and pg_catalog.lower(name)=pg_catalog.lower('bytea_output')
LIMIT 1000) q order by 1;
-- alter table app.<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND (c.relname) LIKE '%' AND n.nspname = 'app'
LIMIT 1000) q order by 1;
-- alter table customers add constraint x primary key using index<TAB>
select * from (SELECT c2.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c1, pg_catalog.pg_class c2, pg_catalog.pg_index i WHERE c1.oid=i.indrelid and i.indexrelid=c2.oid and i.indisunique AND (c2.relname) LIKE '%' AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers alter<TAB>
select * from (SELECT a.attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attname) LIKE '%' AND c.relname = 'customers' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers drop constraint<TAB>
select * from (SELECT con.conname, NULL::pg_catalog.text FROM pg_catalog.pg_constraint con, pg_catalog.pg_class c1 WHERE con.conrelid=c1.oid AND (con.conname) LIKE '%' AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers validate constraint<TAB>
select * from (SELECT con.conname, NULL::pg_catalog.text FROM pg_catalog.pg_constraint con, pg_catalog.pg_class c1 WHERE con.conrelid=c1.oid and not con.convalidated AND (con.conname) LIKE '%' AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers enable trigger<TAB>
select * from (SELECT t.tgname, NULL::pg_catalog.text FROM pg_catalog.pg_trigger t, pg_catalog.pg_class c1 WHERE t.tgrelid=c1.oid and not t.tgisinternal AND (t.tgname) LIKE '%' AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers enable rule<TAB>
select * from (SELECT r.rulename, NULL::pg_catalog.text FROM pg_catalog.pg_rewrite r, pg_catalog.pg_class c1 WHERE r.ev_class=c1.oid AND (r.rulename) LIKE '%' AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers cluster on<TAB>
select * from (SELECT c2.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c1, pg_catalog.pg_class c2, pg_catalog.pg_index i WHERE c1.oid=i.indrelid and i.indexrelid=c2.oid AND (c2.relname) LIKE '%' AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
LIMIT 1000) q order by 1, 2;
-- alter table customers detach partition<TAB>
select * from (SELECT c2.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c1, pg_catalog.pg_class c2, pg_catalog.pg_inherits i WHERE c1.oid=i.inhparent and i.inhrelid=c2.oid and c2.relispartition AND (c2.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c2.oid) AND c1.relname = 'customers' AND pg_catalog.pg_table_is_visible(c1.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter table customers set access method<TAB>
select * from (SELECT amname    FROM pg_catalog.pg_am   WHERE amname LIKE '%' AND    amtype='t'
LIMIT 1000) q order by 1;
-- alter text search configuration<TAB>
select * from (SELECT c.cfgname, NULL::pg_catalog.text FROM pg_catalog.pg_ts_config c WHERE (c.cfgname) LIKE '%' AND pg_catalog.pg_ts_config_is_visible(c.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter text search dictionary<TAB>
select * from (SELECT d.dictname, NULL::pg_catalog.text FROM pg_catalog.pg_ts_dict d WHERE (d.dictname) LIKE '%' AND pg_catalog.pg_ts_dict_is_visible(d.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter text search parser<TAB>
select * from (SELECT p.prsname, NULL::pg_catalog.text FROM pg_catalog.pg_ts_parser p WHERE (p.prsname) LIKE '%' AND pg_catalog.pg_ts_parser_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter text search template<TAB>
select * from (SELECT t.tmplname, NULL::pg_catalog.text FROM pg_catalog.pg_ts_template t WHERE (t.tmplname) LIKE '%' AND pg_catalog.pg_ts_template_is_visible(t.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter trigger<TAB>
select * from (SELECT tgname FROM pg_catalog.pg_trigger WHERE tgname LIKE '%' AND NOT tgisinternal
LIMIT 1000) q order by 1;
-- alter trigger t on<TAB>
select * from (SELECT DISTINCT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c, pg_catalog.pg_trigger t WHERE c.oid=t.tgrelid AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND t.tgname = 't'
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter type<TAB>
select * from (SELECT t.typname, NULL::pg_catalog.text FROM pg_catalog.pg_type t WHERE (t.typrelid = 0  OR (SELECT c.relkind = 'c'     FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND t.typname !~ '^_' AND (t.typname) LIKE '%' AND pg_catalog.pg_type_is_visible(t.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter type mood rename value<TAB>
select * from (SELECT pg_catalog.quote_literal(enumlabel), NULL::pg_catalog.text FROM pg_catalog.pg_enum e, pg_catalog.pg_type t WHERE t.oid = e.enumtypid AND (pg_catalog.quote_literal(enumlabel)) LIKE '%' AND t.typname = 'mood' AND pg_catalog.pg_type_is_visible(t.oid)
LIMIT 1000) q order by 1, 2;
-- alter type mood rename value<TAB>
select * from (SELECT e.enumlabel, NULL::pg_catalog.text FROM pg_catalog.pg_enum e, pg_catalog.pg_type t WHERE t.oid = e.enumtypid AND (e.enumlabel) LIKE '%' AND t.typname = 'mood' AND pg_catalog.pg_type_is_visible(t.oid)
LIMIT 1000) q order by 1, 2;
-- alter type mood rename attribute<TAB>
select * from (SELECT a.attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attname) LIKE '%' AND c.relname = 'mood' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- alter user mapping<TAB>
select * from (SELECT usename    FROM pg_catalog.pg_user_mappings   WHERE usename LIKE '%'
LIMIT 1000) q order by 1;
-- alter view<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('v') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- alter view big_orders alter column<TAB>
select * from (SELECT a.attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attname) LIKE '%' AND c.relname = 'big_orders' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- analyze<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'm', 'f') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- close<TAB>
select * from (SELECT name    FROM pg_catalog.pg_cursors   WHERE name LIKE '%'
LIMIT 1000) q order by 1;
-- cluster<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'm') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- comment on access method<TAB>
select * from (SELECT amname    FROM pg_catalog.pg_am   WHERE amname LIKE '%'
LIMIT 1000) q order by 1;
-- comment on constraint<TAB>
select * from (SELECT conname   FROM pg_catalog.pg_constraint c  WHERE c.conrelid <> 0        and conname LIKE '%'
LIMIT 1000) q order by 1;
-- comment on constraint score_positive on<TAB>
select * from (SELECT DISTINCT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c, pg_catalog.pg_constraint con WHERE c.oid=con.conrelid and c.relkind IN ('r', 'p') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND con.conname = 'score_positive'
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- comment on function ar<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.prokind != 'p' AND (p.proname) LIKE 'ar%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- create aggregate<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.prokind = 'a' AND (p.proname) LIKE '%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- create database x template<TAB>
select * from (SELECT d.datname   FROM pg_catalog.pg_database d  WHERE d.datname LIKE '%'    AND (d.datistemplate OR pg_catalog.pg_has_role(d.datdba, 'USAGE'))
LIMIT 1000) q order by 1;
-- create extension<TAB>
select * from (SELECT name    FROM pg_catalog.pg_available_extensions   WHERE name LIKE '%' AND installed_version IS NULL
LIMIT 1000) q order by 1;
-- create foreign table x partition of<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('p') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- create index i on customers using<TAB>
select * from (SELECT amname    FROM pg_catalog.pg_am   WHERE amname LIKE '%' AND    amtype='i'
LIMIT 1000) q order by 1;
-- create policy p on customers as permissive for update to<TAB>
select * from (SELECT a.attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attname) LIKE '%' AND c.relname = 'to' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- create table x of<TAB>
select * from (SELECT t.typname, NULL::pg_catalog.text FROM pg_catalog.pg_type t WHERE (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) AND t.typname !~ '^_' AND (t.typname) LIKE '%' AND pg_catalog.pg_type_is_visible(t.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- create trigger t before update of<TAB>
select * from (SELECT a.attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped AND (a.attname) LIKE '%' AND c.relname = 'of' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000) q order by 1, 2;
-- create constraint trigger t after insert on customers from<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- deallocate<TAB>
select * from (SELECT name    FROM pg_catalog.pg_prepared_statements   WHERE name LIKE '%'
LIMIT 1000) q order by 1;
-- delete from<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'f', 'v', 'p') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- drop function f1<TAB>
select * from (SELECT pg_catalog.oidvectortypes(p.proargtypes)||')', NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE (pg_catalog.oidvectortypes(p.proargtypes)||')') LIKE '%' AND p.proname = 'f1' AND pg_catalog.pg_function_is_visible(p.oid)
LIMIT 1000) q order by 1, 2;
-- grant p<TAB>
select * from (SELECT rolname    FROM pg_catalog.pg_roles   WHERE rolname LIKE 'p%'
LIMIT 1000) q order by 1;
-- grant select on a<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'a%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'a%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- grant execute on routine ar<TAB>
select * from (SELECT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE (p.proname) LIKE 'ar%' AND pg_catalog.pg_function_is_visible(p.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- insert into app.<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'f', 'v', 'p') AND (c.relname) LIKE '%' AND n.nspname = 'app'
LIMIT 1000) q order by 1;
-- insert into big<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'f', 'v', 'p') AND (c.relname) LIKE 'big%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'big%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- merge into<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p')  AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- notify<TAB>
select * from (SELECT channel    FROM pg_catalog.pg_listening_channels() AS channel   WHERE channel LIKE '%'
LIMIT 1000) q order by 1;
-- reset d<TAB>
select * from (SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings  WHERE context IN ('user', 'superuser')    AND pg_catalog.lower(name) LIKE pg_catalog.lower('d%')
LIMIT 1000) q order by 1;
-- select * from app.<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE '%' AND n.nspname = 'app'
LIMIT 1000) q order by 1;
-- select * from public.cu<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'cu%' AND n.nspname = 'public'
LIMIT 1000) q order by 1;
-- select * from public.cu<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'customers%' AND n.nspname = 'public'
LIMIT 1000) q order by 1;
-- select * from pg_catalog.pg_cl<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'pg\_cl%' AND n.nspname = 'pg_catalog'
LIMIT 1000) q order by 1;
-- select * from information_schema.ta<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'ta%' AND n.nspname = 'information_schema'
LIMIT 1000) q order by 1;
-- select * from information_schema.ta<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (c.relname) LIKE 'table%' AND n.nspname = 'information_schema'
LIMIT 1000) q order by 1;
-- set constraints<TAB>
select * from (SELECT c.conname, NULL::pg_catalog.text FROM pg_catalog.pg_constraint c WHERE c.conrelid <> 0 AND (c.conname) LIKE '%'
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- set local<TAB>
select * from (SELECT vartype FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = pg_catalog.lower('local')) q order by 1;
-- set schema<TAB>
select * from (SELECT vartype FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = pg_catalog.lower('schema')) q order by 1;
-- set search_path to<TAB>
select * from (SELECT nspname FROM pg_catalog.pg_namespace  WHERE nspname LIKE '%' AND nspname NOT LIKE E'pg\\_toast%' AND nspname NOT LIKE E'pg\\_temp%'
LIMIT 1000) q order by 1;
-- set timezone to'Am<TAB>
select * from (SELECT pg_catalog.quote_literal(name) AS name   FROM pg_catalog.pg_timezone_names()  WHERE pg_catalog.lower(name) LIKE pg_catalog.lower('Am%')
LIMIT 1000) q order by 1;
-- set timezone to 'Eu<TAB>
select * from (SELECT name    FROM pg_catalog.pg_timezone_names()   WHERE pg_catalog.lower(name) LIKE pg_catalog.lower('Eu%')
LIMIT 1000) q order by 1;
-- set timezone to 'Eu<TAB>
select * from (SELECT name    FROM pg_catalog.pg_timezone_names()   WHERE pg_catalog.lower(name) LIKE pg_catalog.lower('Europe/%')
LIMIT 1000) q order by 1;
-- set client_encoding to<TAB>
select * from (SELECT vartype FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = pg_catalog.lower('client_encoding')) q order by 1;
-- set default_tablespace to<TAB>
select * from (SELECT vartype FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = pg_catalog.lower('default_tablespace')) q order by 1;
-- show<TAB>
select * from (SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings  WHERE pg_catalog.lower(name) LIKE pg_catalog.lower('%')
LIMIT 1000) q order by 1;
-- show w<TAB>
select * from (SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings  WHERE pg_catalog.lower(name) LIKE pg_catalog.lower('w%')
LIMIT 1000) q order by 1;
-- truncate<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'f', 'p') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \d<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \d app.<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND (c.relname) LIKE '%' AND n.nspname = 'app'
LIMIT 1000) q order by 1;
-- \d cust<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE (c.relname) LIKE 'cust%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'cust%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \d cust<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE (c.relname) LIKE 'customers%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'customers%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \dP<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('p', 'I') AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \dPi<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind = 'I' AND (c.relname) LIKE '%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE '%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \encoding<TAB>
select * from (SELECT DISTINCT pg_catalog.pg_encoding_to_char(conforencoding)    FROM pg_catalog.pg_conversion   WHERE pg_catalog.pg_encoding_to_char(conforencoding) LIKE pg_catalog.upper('%')
LIMIT 1000) q order by 1;
-- \sf pg_catalog.lo<TAB>
select * from (SELECT p.proname, n.nspname FROM pg_catalog.pg_proc p, pg_catalog.pg_namespace n WHERE p.pronamespace = n.oid AND (p.proname) LIKE 'lo%' AND n.nspname = 'pg_catalog'
LIMIT 1000) q order by 1;
-- \d "Cu<TAB>
select * from (SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE (c.relname) LIKE 'Cu%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'Cu%' AND n.nspname NOT LIKE E'pg\\_%'
LIMIT 1000) q order by 1, 2;
-- \dt *.<TAB>
select * from (SELECT c.relname, n.nspname FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND (c.relname) LIKE '%' AND n.nspname = '*'
LIMIT 1000) q order by 1;
-- \dT pg_catalog.in<TAB>
select * from (SELECT t.typname, n.nspname FROM pg_catalog.pg_type t, pg_catalog.pg_namespace n WHERE t.typnamespace = n.oid AND (t.typrelid = 0  OR (SELECT c.relkind = 'c'     FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND t.typname !~ '^_' AND (t.typname) LIKE 'in%' AND n.nspname = 'pg_catalog'
LIMIT 1000) q order by 1;
