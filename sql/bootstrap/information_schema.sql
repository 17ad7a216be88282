-- information_schema: the SQL standard's views, PostgreSQL's columns and order. The
-- domains of its columns are left out: columns have their base types.

CREATE VIEW information_schema.information_schema_catalog_name AS SELECT current_database()::name AS catalog_name;

CREATE VIEW information_schema.enabled_roles AS
SELECT a.rolname AS role_name FROM pg_catalog.pg_authid a WHERE pg_has_role(a.oid, 'USAGE');

CREATE VIEW information_schema.applicable_roles AS
SELECT a.rolname AS grantee, b.rolname AS role_name, CASE WHEN m.admin_option THEN 'YES' ELSE 'NO' END::varchar(3) AS is_grantable
FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_authid a ON m.member = a.oid JOIN pg_catalog.pg_authid b ON m.roleid = b.oid
WHERE pg_has_role(a.oid, 'USAGE');

CREATE VIEW information_schema.character_sets AS
SELECT NULL::name AS character_set_catalog, NULL::name AS character_set_schema, 'UTF8'::name AS character_set_name, 'UCS'::name AS character_repertoire,
       'UTF8'::name AS form_of_use, current_database()::name AS default_collate_catalog, 'pg_catalog'::name AS default_collate_schema, 'C'::name AS default_collate_name;

CREATE VIEW information_schema.collations AS
SELECT current_database()::name AS collation_catalog, n.nspname AS collation_schema, c.collname AS collation_name, 'NO PAD'::varchar AS pad_attribute
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON c.collnamespace = n.oid WHERE c.collencoding IN (-1, 6);

CREATE VIEW information_schema.schemata AS
SELECT current_database()::name AS catalog_name, n.nspname AS schema_name, u.rolname AS schema_owner, NULL::name AS default_character_set_catalog, NULL::name AS default_character_set_schema, NULL::name AS default_character_set_name, NULL::varchar AS sql_path
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_authid u ON n.nspowner = u.oid
WHERE pg_has_role(n.nspowner, 'USAGE') OR has_schema_privilege(n.oid, 'CREATE, USAGE');

CREATE VIEW information_schema.tables AS
SELECT current_database()::name AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       CASE WHEN n.oid = pg_my_temp_schema() THEN 'LOCAL TEMPORARY' WHEN c.relkind IN ('r', 'p') THEN 'BASE TABLE' WHEN c.relkind = 'v' THEN 'VIEW' WHEN c.relkind = 'f' THEN 'FOREIGN' END::varchar AS table_type,
       NULL::name AS self_referencing_column_name, NULL::varchar AS reference_generation, NULL::name AS user_defined_type_catalog, NULL::name AS user_defined_type_schema, NULL::name AS user_defined_type_name,
       CASE WHEN c.relkind IN ('r', 'p') OR c.relkind = 'v' AND pg_relation_is_updatable(c.oid::regclass, false) & 8 = 8 THEN 'YES' ELSE 'NO' END::varchar(3) AS is_insertable_into,
       'NO'::varchar(3) AS is_typed, NULL::varchar AS commit_action
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'f', 'p') AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.views AS
SELECT current_database()::name AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
       CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN pg_get_viewdef(c.oid) END::varchar AS view_definition,
       CASE WHEN 'check_option=cascaded' = ANY (c.reloptions) THEN 'CASCADED' WHEN 'check_option=local' = ANY (c.reloptions) THEN 'LOCAL' ELSE 'NONE' END::varchar AS check_option,
       CASE WHEN pg_relation_is_updatable(c.oid::regclass, false) & 20 = 20 THEN 'YES' ELSE 'NO' END::varchar(3) AS is_updatable,
       CASE WHEN pg_relation_is_updatable(c.oid::regclass, false) & 8 = 8 THEN 'YES' ELSE 'NO' END::varchar(3) AS is_insertable_into,
       'NO'::varchar(3) AS is_trigger_updatable, 'NO'::varchar(3) AS is_trigger_deletable, 'NO'::varchar(3) AS is_trigger_insertable_into
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON n.oid = c.relnamespace
WHERE c.relkind = 'v'
  AND (pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.columns AS
SELECT current_database()::name AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, a.attnum::int4 AS ordinal_position,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END::varchar AS column_default,
       CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END::varchar(3) AS is_nullable,
       CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' WHEN tn.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) ELSE 'USER-DEFINED' END::varchar AS data_type,
       CASE WHEN t.oid IN (1042, 1043) AND a.atttypmod <> -1 THEN a.atttypmod - 4 WHEN t.oid IN (1560, 1562) AND a.atttypmod <> -1 THEN a.atttypmod END::int4 AS character_maximum_length,
       CASE WHEN t.oid IN (25, 1042, 1043) THEN CASE WHEN a.atttypmod = -1 THEN 1073741824 ELSE least((a.atttypmod - 4)::int8 * 4, 1073741824) END END::int4 AS character_octet_length,
       CASE t.oid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53 WHEN 1700 THEN CASE WHEN a.atttypmod <> -1 THEN ((a.atttypmod - 4) >> 16) & 65535 END END::int4 AS numeric_precision,
       CASE WHEN t.oid IN (20, 21, 23, 700, 701) THEN 2 WHEN t.oid = 1700 THEN 10 END::int4 AS numeric_precision_radix,
       CASE WHEN t.oid IN (20, 21, 23) THEN 0 WHEN t.oid = 1700 AND a.atttypmod <> -1 THEN (a.atttypmod - 4) & 65535 END::int4 AS numeric_scale,
       CASE WHEN t.oid = 1082 THEN 0 WHEN t.oid IN (1083, 1114, 1184, 1266) THEN CASE WHEN a.atttypmod < 0 THEN 6 ELSE a.atttypmod END
            WHEN t.oid = 1186 THEN CASE WHEN a.atttypmod < 0 OR a.atttypmod & 65535 = 65535 THEN 6 ELSE a.atttypmod & 65535 END END::int4 AS datetime_precision,
       CASE WHEN t.oid = 1186 AND a.atttypmod >= 0 AND format_type(t.oid, a.atttypmod) ~ '^interval [a-z]' THEN upper(regexp_replace(substr(format_type(t.oid, a.atttypmod), 10), '\(.*', '')) END::varchar AS interval_type,
       NULL::int4 AS interval_precision,
       NULL::name AS character_set_catalog, NULL::name AS character_set_schema, NULL::name AS character_set_name,
       CASE WHEN co.collname IS NOT NULL THEN current_database()::name END AS collation_catalog, cn.nspname AS collation_schema, co.collname AS collation_name,
       NULL::name AS domain_catalog, NULL::name AS domain_schema, NULL::name AS domain_name,
       current_database()::name AS udt_catalog, tn.nspname AS udt_schema, t.typname AS udt_name, NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name, NULL::int4 AS maximum_cardinality, a.attnum::text::name AS dtd_identifier,
       'NO'::varchar(3) AS is_self_referencing, CASE WHEN a.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END::varchar(3) AS is_identity,
       CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END::varchar AS identity_generation,
       s.seqstart::text::varchar AS identity_start, s.seqincrement::text::varchar AS identity_increment, s.seqmax::text::varchar AS identity_maximum,
       s.seqmin::text::varchar AS identity_minimum, CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END::varchar(3) AS identity_cycle,
       CASE WHEN a.attgenerated <> '' THEN 'ALWAYS' ELSE 'NEVER' END::varchar AS is_generated,
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END::varchar AS generation_expression,
       CASE WHEN c.relkind IN ('r', 'p') OR c.relkind IN ('v', 'f') AND pg_column_is_updatable(c.oid::regclass, a.attnum, false) THEN 'YES' ELSE 'NO' END::varchar(3) AS is_updatable
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
JOIN pg_catalog.pg_namespace tn ON t.typnamespace = tn.oid
LEFT JOIN pg_catalog.pg_collation co ON a.attcollation = co.oid AND co.collname <> 'default'
LEFT JOIN pg_catalog.pg_namespace cn ON co.collnamespace = cn.oid
LEFT JOIN pg_catalog.pg_depend dep ON dep.refclassid = 'pg_class'::regclass AND dep.refobjid = c.oid AND dep.refobjsubid = a.attnum AND dep.deptype = 'i' AND dep.classid = 'pg_class'::regclass
LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = dep.objid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p')
  AND (pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.attributes AS
SELECT current_database()::name AS udt_catalog, n.nspname AS udt_schema, c.relname AS udt_name, a.attname AS attribute_name, a.attnum::int4 AS ordinal_position,
       NULL::varchar AS attribute_default, 'YES'::varchar(3) AS is_nullable,
       CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' WHEN tn.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) ELSE 'USER-DEFINED' END::varchar AS data_type,
       CASE WHEN t.oid IN (1042, 1043) AND a.atttypmod <> -1 THEN a.atttypmod - 4 WHEN t.oid IN (1560, 1562) AND a.atttypmod <> -1 THEN a.atttypmod END::int4 AS character_maximum_length,
       CASE WHEN t.oid IN (25, 1042, 1043) THEN CASE WHEN a.atttypmod = -1 THEN 1073741824 ELSE least((a.atttypmod - 4)::int8 * 4, 1073741824) END END::int4 AS character_octet_length,
       NULL::name AS character_set_catalog, NULL::name AS character_set_schema, NULL::name AS character_set_name,
       NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name,
       CASE t.oid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53 WHEN 1700 THEN CASE WHEN a.atttypmod <> -1 THEN ((a.atttypmod - 4) >> 16) & 65535 END END::int4 AS numeric_precision,
       CASE WHEN t.oid IN (20, 21, 23, 700, 701) THEN 2 WHEN t.oid = 1700 THEN 10 END::int4 AS numeric_precision_radix,
       CASE WHEN t.oid IN (20, 21, 23) THEN 0 WHEN t.oid = 1700 AND a.atttypmod <> -1 THEN (a.atttypmod - 4) & 65535 END::int4 AS numeric_scale,
       CASE WHEN t.oid = 1082 THEN 0 WHEN t.oid IN (1083, 1114, 1184, 1266) THEN CASE WHEN a.atttypmod < 0 THEN 6 ELSE a.atttypmod END
            WHEN t.oid = 1186 THEN CASE WHEN a.atttypmod < 0 OR a.atttypmod & 65535 = 65535 THEN 6 ELSE a.atttypmod & 65535 END END::int4 AS datetime_precision,
       CASE WHEN t.oid = 1186 AND a.atttypmod >= 0 AND format_type(t.oid, a.atttypmod) ~ '^interval [a-z]' THEN upper(regexp_replace(substr(format_type(t.oid, a.atttypmod), 10), '\(.*', '')) END::varchar AS interval_type,
       NULL::int4 AS interval_precision,
       current_database()::name AS attribute_udt_catalog, tn.nspname AS attribute_udt_schema, t.typname AS attribute_udt_name, NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name, NULL::int4 AS maximum_cardinality, a.attnum::text::name AS dtd_identifier,
       'NO'::varchar(3) AS is_derived_reference_attribute
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
JOIN pg_catalog.pg_namespace tn ON t.typnamespace = tn.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'c';

CREATE VIEW information_schema.user_defined_types AS
SELECT current_database()::name AS user_defined_type_catalog, n.nspname AS user_defined_type_schema, c.relname AS user_defined_type_name, 'STRUCTURED'::varchar AS user_defined_type_category,
       'YES'::varchar(3) AS is_instantiable, NULL::varchar(3) AS is_final, NULL::varchar AS ordering_form, NULL::varchar AS ordering_category,
       NULL::name AS ordering_routine_catalog, NULL::name AS ordering_routine_schema, NULL::name AS ordering_routine_name, NULL::varchar AS reference_type, NULL::varchar AS data_type,
       NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
       NULL::name AS character_set_name, NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name,
       NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision,
       NULL::varchar AS interval_type, NULL::int4 AS interval_precision, NULL::name AS source_dtd_identifier, NULL::name AS ref_dtd_identifier
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON n.oid = c.relnamespace WHERE c.relkind = 'c';

CREATE VIEW information_schema.table_constraints AS
SELECT current_database()::name AS constraint_catalog, nc.nspname AS constraint_schema, c.conname AS constraint_name, current_database()::name AS table_catalog, nr.nspname AS table_schema,
       r.relname AS table_name, CASE c.contype WHEN 'c' THEN 'CHECK' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END::varchar AS constraint_type,
       CASE WHEN c.condeferrable THEN 'YES' ELSE 'NO' END::varchar(3) AS is_deferrable, CASE WHEN c.condeferred THEN 'YES' ELSE 'NO' END::varchar(3) AS initially_deferred,
       'YES'::varchar(3) AS enforced,
       CASE WHEN c.contype = 'u' THEN CASE WHEN (SELECT NOT i.indnullsnotdistinct FROM pg_catalog.pg_index i WHERE i.indexrelid = c.conindid) THEN 'YES' ELSE 'NO' END END::varchar(3) AS nulls_distinct
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON c.conrelid = r.oid
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
WHERE c.contype IN ('c', 'f', 'p', 'u') AND r.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(nr.oid)
  AND (pg_has_role(r.relowner, 'USAGE') OR has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'))
UNION ALL
SELECT current_database()::name, nr.nspname, (nr.oid::text || '_' || r.oid::text || '_' || a.attnum::text || '_not_null')::name, current_database()::name, nr.nspname, r.relname, 'CHECK'::varchar,
       'NO'::varchar(3), 'NO'::varchar(3), 'YES'::varchar(3), NULL::varchar(3)
FROM pg_catalog.pg_namespace nr JOIN pg_catalog.pg_class r ON nr.oid = r.relnamespace JOIN pg_catalog.pg_attribute a ON r.oid = a.attrelid
WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p')
  AND (pg_has_role(r.relowner, 'USAGE') OR has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.check_constraints AS
SELECT current_database()::name AS constraint_catalog, n.nspname AS constraint_schema, c.conname AS constraint_name,
       substring(pg_get_constraintdef(c.oid) FROM 7)::varchar AS check_clause
FROM pg_catalog.pg_constraint c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
LEFT JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
WHERE pg_has_role(r.relowner, 'USAGE') AND c.contype = 'c'
UNION
SELECT current_database()::name, n.nspname, (n.oid::text || '_' || r.oid::text || '_' || a.attnum::text || '_not_null')::name, (a.attname || ' IS NOT NULL')::varchar
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class r ON n.oid = r.relnamespace JOIN pg_catalog.pg_attribute a ON r.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND r.relkind IN ('r', 'p') AND pg_has_role(r.relowner, 'USAGE');

CREATE VIEW information_schema.key_column_usage AS
SELECT current_database()::name AS constraint_catalog, k.nc_nspname AS constraint_schema, k.conname AS constraint_name, current_database()::name AS table_catalog, k.nr_nspname AS table_schema,
       k.relname AS table_name, a.attname AS column_name, k.n::int4 AS ordinal_position,
       CASE WHEN k.contype = 'f' THEN array_position(k.uniquekey, k.confkey[k.n]) END::int4 AS position_in_unique_constraint
FROM pg_catalog.pg_attribute a,
     (SELECT r.oid AS roid, r.relname, r.relowner, nc.nspname AS nc_nspname, nr.nspname AS nr_nspname, c.conname, c.contype, c.confkey,
             c.conkey, u.conkey AS uniquekey, generate_subscripts(c.conkey, 1) AS n
      FROM pg_catalog.pg_namespace nr
      JOIN pg_catalog.pg_class r ON nr.oid = r.relnamespace
      JOIN pg_catalog.pg_constraint c ON r.oid = c.conrelid
      JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
      LEFT JOIN pg_catalog.pg_constraint u ON u.conindid = c.conindid AND u.contype IN ('p', 'u') AND u.conrelid = c.confrelid
      WHERE c.contype IN ('p', 'u', 'f') AND r.relkind IN ('r', 'p')) k
WHERE k.roid = a.attrelid AND a.attnum = k.conkey[k.n] AND NOT a.attisdropped
  AND (pg_has_role(k.relowner, 'USAGE') OR has_column_privilege(k.roid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.referential_constraints AS
SELECT current_database()::name AS constraint_catalog, nc.nspname AS constraint_schema, c.conname AS constraint_name,
       CASE WHEN npk.nspname IS NULL THEN NULL ELSE current_database()::name END AS unique_constraint_catalog, npk.nspname AS unique_constraint_schema, pk.conname AS unique_constraint_name,
       CASE c.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' WHEN 's' THEN 'NONE' END::varchar AS match_option,
       CASE c.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END::varchar AS update_rule,
       CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END::varchar AS delete_rule
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
LEFT JOIN pg_catalog.pg_constraint pk ON pk.conindid = c.conindid AND pk.contype IN ('p', 'u') AND pk.conrelid = c.confrelid
LEFT JOIN pg_catalog.pg_namespace npk ON pk.connamespace = npk.oid
WHERE c.contype = 'f'
  AND (pg_has_role(r.relowner, 'USAGE') OR has_table_privilege(r.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(r.oid, 'INSERT, UPDATE, REFERENCES'));

CREATE VIEW information_schema.constraint_column_usage AS
SELECT current_database()::name AS table_catalog, x.tblschema AS table_schema, x.tblname AS table_name, x.colname AS column_name, current_database()::name AS constraint_catalog,
       x.cstrschema AS constraint_schema, x.cstrname AS constraint_name
FROM (SELECT DISTINCT nr.nspname AS tblschema, r.relname AS tblname, r.relowner AS tblowner, a.attname AS colname, nc.nspname AS cstrschema, c.conname AS cstrname
      FROM pg_catalog.pg_namespace nr
      JOIN pg_catalog.pg_class r ON nr.oid = r.relnamespace
      JOIN pg_catalog.pg_attribute a ON r.oid = a.attrelid
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.refobjsubid = a.attnum AND d.classid = 'pg_constraint'::regclass
      JOIN pg_catalog.pg_constraint c ON d.objid = c.oid
      JOIN pg_catalog.pg_namespace nc ON c.connamespace = nc.oid
      WHERE c.contype = 'c' AND r.relkind IN ('r', 'p') AND NOT a.attisdropped
      UNION ALL
      SELECT nr.nspname, r.relname, r.relowner, a.attname, nc.nspname, c.conname
      FROM pg_catalog.pg_namespace nr
      JOIN pg_catalog.pg_class r ON nr.oid = r.relnamespace
      JOIN pg_catalog.pg_attribute a ON r.oid = a.attrelid
      JOIN pg_catalog.pg_constraint c ON r.oid = CASE c.contype WHEN 'f' THEN c.confrelid ELSE c.conrelid END
      JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
      WHERE a.attnum = ANY (CASE c.contype WHEN 'f' THEN c.confkey ELSE c.conkey END) AND NOT a.attisdropped
        AND c.contype IN ('p', 'u', 'f') AND r.relkind IN ('r', 'p')) x
WHERE pg_has_role(x.tblowner, 'USAGE');

CREATE VIEW information_schema.constraint_table_usage AS
SELECT current_database()::name AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name, current_database()::name AS constraint_catalog, nc.nspname AS constraint_schema, c.conname AS constraint_name
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_namespace nc ON c.connamespace = nc.oid
JOIN pg_catalog.pg_class r ON r.oid = CASE c.contype WHEN 'f' THEN c.confrelid ELSE c.conrelid END
JOIN pg_catalog.pg_namespace nr ON r.relnamespace = nr.oid
WHERE c.contype IN ('p', 'u', 'f') AND r.relkind IN ('r', 'p') AND pg_has_role(r.relowner, 'USAGE');

CREATE VIEW information_schema.sequences AS
SELECT current_database()::name AS sequence_catalog, n.nspname AS sequence_schema, c.relname AS sequence_name, format_type(s.seqtypid, NULL)::varchar AS data_type,
       CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 ELSE 64 END::int4 AS numeric_precision, 2::int4 AS numeric_precision_radix, 0::int4 AS numeric_scale,
       s.seqstart::text::varchar AS start_value, s.seqmin::text::varchar AS minimum_value, s.seqmax::text::varchar AS maximum_value,
       s.seqincrement::text::varchar AS increment, CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END::varchar(3) AS cycle_option
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid JOIN pg_catalog.pg_sequence s ON c.oid = s.seqrelid
WHERE c.relkind = 'S' AND NOT pg_is_other_temp_schema(n.oid) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
  AND (pg_has_role(c.relowner, 'USAGE') OR has_sequence_privilege(c.oid, 'SELECT, UPDATE, USAGE'));

CREATE VIEW information_schema.table_privileges AS
SELECT g.rolname AS grantor, e.rolname AS grantee, current_database()::name AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, c.prtype::varchar AS privilege_type,
       CASE WHEN pg_has_role(e.oid, c.relowner, 'USAGE') OR c.grantable THEN 'YES' ELSE 'NO' END::varchar(3) AS is_grantable,
       CASE WHEN c.prtype = 'SELECT' THEN 'YES' ELSE 'NO' END::varchar(3) AS with_hierarchy
FROM (SELECT k.relname, k.relnamespace, k.relkind, k.relowner, x.grantor, x.grantee, x.privilege_type AS prtype, x.is_grantable AS grantable
      FROM pg_catalog.pg_class k, aclexplode(coalesce(k.relacl, acldefault('r', k.relowner))) x) c
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_authid g ON c.grantor = g.oid
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC'::name) e ON c.grantee = e.oid
WHERE c.relkind IN ('r', 'v', 'f', 'p') AND c.prtype IN ('INSERT', 'SELECT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
  AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(e.oid, 'USAGE') OR e.rolname = 'PUBLIC');

CREATE VIEW information_schema.role_table_grants AS
SELECT grantor, grantee, table_catalog, table_schema, table_name, privilege_type, is_grantable, with_hierarchy
FROM information_schema.table_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

CREATE VIEW information_schema.column_privileges AS
SELECT g.rolname AS grantor, e.rolname AS grantee, current_database()::name AS table_catalog, n.nspname AS table_schema, x.relname AS table_name, x.attname AS column_name,
       x.prtype::varchar AS privilege_type, CASE WHEN pg_has_role(e.oid, x.relowner, 'USAGE') OR x.grantable THEN 'YES' ELSE 'NO' END::varchar(3) AS is_grantable
FROM (SELECT k.relname, k.relnamespace, k.relowner, a.attname, p.grantor, p.grantee, p.privilege_type AS prtype, p.is_grantable AS grantable
      FROM pg_catalog.pg_class k JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid AND a.attnum > 0 AND NOT a.attisdropped,
           aclexplode(coalesce(k.relacl, acldefault('r', k.relowner))) p
      WHERE k.relkind IN ('r', 'v', 'f', 'p')
      UNION
      SELECT k.relname, k.relnamespace, k.relowner, a.attname, p.grantor, p.grantee, p.privilege_type, p.is_grantable
      FROM pg_catalog.pg_class k JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid AND a.attnum > 0 AND NOT a.attisdropped,
           aclexplode(coalesce(a.attacl, acldefault('c', k.relowner))) p
      WHERE k.relkind IN ('r', 'v', 'f', 'p')) x
JOIN pg_catalog.pg_namespace n ON x.relnamespace = n.oid
JOIN pg_catalog.pg_authid g ON x.grantor = g.oid
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC'::name) e ON x.grantee = e.oid
WHERE x.prtype IN ('INSERT', 'SELECT', 'UPDATE', 'REFERENCES') AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(e.oid, 'USAGE') OR e.rolname = 'PUBLIC');

CREATE VIEW information_schema.role_column_grants AS
SELECT grantor, grantee, table_catalog, table_schema, table_name, column_name, privilege_type, is_grantable
FROM information_schema.column_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

CREATE VIEW information_schema.domains AS
SELECT NULL::name AS domain_catalog, NULL::name AS domain_schema, NULL::name AS domain_name, NULL::varchar AS data_type, NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
       NULL::name AS character_set_name, NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name,
       NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision,
       NULL::varchar AS interval_type, NULL::int4 AS interval_precision, NULL::varchar AS domain_default,
       NULL::name AS udt_catalog, NULL::name AS udt_schema, NULL::name AS udt_name, NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name, NULL::int4 AS maximum_cardinality, NULL::name AS dtd_identifier WHERE false;

CREATE VIEW information_schema.domain_constraints AS
SELECT NULL::name AS constraint_catalog, NULL::name AS constraint_schema, NULL::name AS constraint_name, NULL::name AS domain_catalog, NULL::name AS domain_schema, NULL::name AS domain_name, NULL::varchar(3) AS is_deferrable, NULL::varchar(3) AS initially_deferred WHERE false;

CREATE VIEW information_schema.element_types AS
SELECT current_database()::name AS object_catalog, n.nspname AS object_schema, c.relname AS object_name, 'TABLE'::varchar AS object_type, a.attnum::text::name AS collection_type_identifier,
       CASE WHEN en.nspname = 'pg_catalog' THEN format_type(e.oid, NULL) ELSE 'USER-DEFINED' END::varchar AS data_type, NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
       NULL::name AS character_set_name, NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name,
       NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision,
       NULL::varchar AS interval_type, NULL::int4 AS interval_precision, NULL::varchar AS domain_default,
       current_database()::name AS udt_catalog, en.nspname AS udt_schema, e.typname AS udt_name, NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name, NULL::int4 AS maximum_cardinality, ('a' || a.attnum::text)::name AS dtd_identifier
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
JOIN pg_catalog.pg_type e ON t.typelem = e.oid
JOIN pg_catalog.pg_namespace en ON e.typnamespace = en.oid
WHERE t.typlen = -1 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p') AND pg_has_role(c.relowner, 'USAGE');

CREATE VIEW information_schema.column_udt_usage AS
SELECT current_database()::name AS udt_catalog, tn.nspname AS udt_schema, t.typname AS udt_name, current_database()::name AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
JOIN pg_catalog.pg_namespace tn ON t.typnamespace = tn.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'f', 'p') AND pg_has_role(t.typowner, 'USAGE');

CREATE VIEW information_schema.view_table_usage AS
SELECT DISTINCT current_database()::name AS view_catalog, nv.nspname AS view_schema, v.relname AS view_name, current_database()::name AS table_catalog, nt.nspname AS table_schema, t.relname AS table_name
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_namespace nv ON nv.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
JOIN pg_catalog.pg_namespace nt ON nt.oid = t.relnamespace
WHERE v.relkind = 'v' AND t.relkind IN ('r', 'v', 'f', 'p') AND pg_has_role(t.relowner, 'USAGE');

CREATE VIEW information_schema.view_column_usage AS
SELECT DISTINCT current_database()::name AS view_catalog, nv.nspname AS view_schema, v.relname AS view_name, current_database()::name AS table_catalog, nt.nspname AS table_schema, t.relname AS table_name, a.attname AS column_name
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_namespace nv ON nv.oid = v.relnamespace
JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
JOIN pg_catalog.pg_namespace nt ON nt.oid = t.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE v.relkind = 'v' AND t.relkind IN ('r', 'v', 'f', 'p') AND pg_has_role(t.relowner, 'USAGE');

CREATE VIEW information_schema.triggers AS
SELECT NULL::name AS trigger_catalog, NULL::name AS trigger_schema, NULL::name AS trigger_name, NULL::varchar AS event_manipulation, NULL::name AS event_object_catalog, NULL::name AS event_object_schema, NULL::name AS event_object_table,
       NULL::int4 AS action_order, NULL::varchar AS action_condition, NULL::varchar AS action_statement, NULL::varchar AS action_orientation, NULL::varchar AS action_timing,
       NULL::name AS action_reference_old_table, NULL::name AS action_reference_new_table, NULL::name AS action_reference_old_row, NULL::name AS action_reference_new_row, NULL::timestamptz(2) AS created WHERE false;

CREATE VIEW information_schema.foreign_tables AS
SELECT NULL::name AS foreign_table_catalog, NULL::name AS foreign_table_schema, NULL::name AS foreign_table_name, NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name WHERE false;

CREATE VIEW information_schema.routines AS
SELECT current_database()::name AS specific_catalog, n.nspname AS specific_schema, (p.proname || '_' || p.oid::text)::name AS specific_name, current_database()::name AS routine_catalog,
       n.nspname AS routine_schema, p.proname AS routine_name, CASE p.prokind WHEN 'f' THEN 'FUNCTION' WHEN 'p' THEN 'PROCEDURE' END::varchar AS routine_type,
       NULL::name AS module_catalog, NULL::name AS module_schema, NULL::name AS module_name, NULL::name AS udt_catalog, NULL::name AS udt_schema, NULL::name AS udt_name,
       CASE WHEN p.prokind = 'p' THEN NULL WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' WHEN nt.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) ELSE 'USER-DEFINED' END::varchar AS data_type,
       NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
       NULL::name AS character_set_name, NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name,
       NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision,
       NULL::varchar AS interval_type, NULL::int4 AS interval_precision, CASE WHEN nt.nspname IS NOT NULL THEN current_database()::name END AS type_udt_catalog, nt.nspname AS type_udt_schema, t.typname AS type_udt_name,
       NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name, NULL::int4 AS maximum_cardinality, '0'::name AS dtd_identifier, CASE WHEN l.lanname = 'sql' THEN 'SQL' ELSE 'EXTERNAL' END::varchar AS routine_body,
       CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN p.prosrc END::varchar AS routine_definition, CASE WHEN l.lanname = 'c' THEN p.prosrc END::varchar AS external_name,
       upper(l.lanname)::varchar AS external_language, 'GENERAL'::varchar AS parameter_style, CASE WHEN p.provolatile = 'i' THEN 'YES' ELSE 'NO' END::varchar(3) AS is_deterministic,
       'MODIFIES'::varchar AS sql_data_access, CASE WHEN p.prokind <> 'p' THEN CASE WHEN p.proisstrict THEN 'YES' ELSE 'NO' END END::varchar(3) AS is_null_call,
       NULL::varchar AS sql_path, 'YES'::varchar(3) AS schema_level_routine, 0::int4 AS max_dynamic_result_sets, NULL::varchar(3) AS is_user_defined_cast,
       NULL::varchar(3) AS is_implicitly_invocable, CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'INVOKER' END::varchar AS security_type,
       NULL::name AS to_sql_specific_catalog, NULL::name AS to_sql_specific_schema, NULL::name AS to_sql_specific_name, 'NO'::character varying AS as_locator,
       NULL::timestamp with time zone AS created, NULL::timestamp with time zone AS last_altered, NULL::character varying AS new_savepoint_level, 'NO'::character varying AS is_udt_dependent,
       NULL::character varying AS result_cast_from_data_type, NULL::character varying AS result_cast_as_locator, NULL::integer AS result_cast_char_max_length, NULL::integer AS result_cast_char_octet_length,
       NULL::name AS result_cast_char_set_catalog, NULL::name AS result_cast_char_set_schema, NULL::name AS result_cast_char_set_name, NULL::name AS result_cast_collation_catalog,
       NULL::name AS result_cast_collation_schema, NULL::name AS result_cast_collation_name, NULL::integer AS result_cast_numeric_precision, NULL::integer AS result_cast_numeric_precision_radix,
       NULL::integer AS result_cast_numeric_scale, NULL::integer AS result_cast_datetime_precision, NULL::character varying AS result_cast_interval_type, NULL::integer AS result_cast_interval_precision,
       NULL::name AS result_cast_type_udt_catalog, NULL::name AS result_cast_type_udt_schema, NULL::name AS result_cast_type_udt_name, NULL::name AS result_cast_scope_catalog,
       NULL::name AS result_cast_scope_schema, NULL::name AS result_cast_scope_name, NULL::integer AS result_cast_maximum_cardinality, NULL::name AS result_cast_dtd_identifier
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_proc p ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON p.prolang = l.oid
LEFT JOIN pg_catalog.pg_type t ON p.prorettype = t.oid AND p.prokind <> 'p'
LEFT JOIN pg_catalog.pg_namespace nt ON t.typnamespace = nt.oid
WHERE pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE');

CREATE VIEW information_schema.parameters AS
SELECT current_database()::name AS specific_catalog, ss.nspname AS specific_schema, (ss.proname || '_' || ss.oid::text)::name AS specific_name, ss.n::int4 AS ordinal_position,
       CASE WHEN ss.proargmodes IS NULL THEN 'IN' WHEN ss.proargmodes[ss.n] = 'i' THEN 'IN' WHEN ss.proargmodes[ss.n] = 'o' THEN 'OUT' WHEN ss.proargmodes[ss.n] = 'b' THEN 'INOUT'
            WHEN ss.proargmodes[ss.n] = 'v' THEN 'IN' WHEN ss.proargmodes[ss.n] = 't' THEN 'OUT' END::varchar AS parameter_mode,
       'NO'::varchar(3) AS is_result, 'NO'::varchar(3) AS as_locator, nullif(ss.proargnames[ss.n], '')::name AS parameter_name,
       CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' WHEN nt.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) ELSE 'USER-DEFINED' END::varchar AS data_type,
       NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
       NULL::name AS character_set_name, NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name,
       NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision,
       NULL::varchar AS interval_type, NULL::int4 AS interval_precision, current_database()::name AS udt_catalog, nt.nspname AS udt_schema, t.typname AS udt_name, NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name, NULL::int4 AS maximum_cardinality, ss.n::text::name AS dtd_identifier,
       CASE WHEN pg_has_role(ss.proowner, 'USAGE') THEN pg_get_function_arg_default(ss.oid, ss.n) END::varchar AS parameter_default
FROM (SELECT p.oid, p.proname, p.proowner, n.nspname, p.proargnames, p.proargmodes, coalesce(p.proallargtypes, p.proargtypes::oid[]) AS argtypes,
             generate_series(1, coalesce(array_length(p.proallargtypes, 1), p.pronargs::int4)) AS n
      FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_proc p ON n.oid = p.pronamespace
      WHERE pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE')) ss
JOIN pg_catalog.pg_type t ON t.oid = CASE WHEN ss.proargmodes IS NULL THEN ss.argtypes[array_lower(ss.argtypes, 1) + ss.n - 1] ELSE ss.argtypes[ss.n] END
JOIN pg_catalog.pg_namespace nt ON t.typnamespace = nt.oid;

CREATE VIEW information_schema.usage_privileges AS
SELECT g.rolname AS grantor, e.rolname AS grantee, current_database()::name AS object_catalog, n.nspname AS object_schema, c.relname AS object_name, 'SEQUENCE'::varchar AS object_type,
       'USAGE'::varchar AS privilege_type, CASE WHEN pg_has_role(e.oid, c.relowner, 'USAGE') OR c.grantable THEN 'YES' ELSE 'NO' END::varchar(3) AS is_grantable
FROM (SELECT k.relname, k.relnamespace, k.relowner, x.grantor, x.grantee, x.privilege_type AS prtype, x.is_grantable AS grantable
      FROM pg_catalog.pg_class k, aclexplode(coalesce(k.relacl, acldefault('s', k.relowner))) x WHERE k.relkind = 'S') c
JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
JOIN pg_catalog.pg_authid g ON c.grantor = g.oid
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC'::name) e ON c.grantee = e.oid
WHERE c.prtype = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(e.oid, 'USAGE') OR e.rolname = 'PUBLIC');

CREATE VIEW information_schema.role_usage_grants AS
SELECT grantor, grantee, object_catalog, object_schema, object_name, object_type, privilege_type, is_grantable FROM information_schema.usage_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

CREATE VIEW information_schema.administrable_role_authorizations AS
SELECT grantee, role_name, is_grantable FROM information_schema.applicable_roles WHERE is_grantable = 'YES';

CREATE VIEW information_schema.collation_character_set_applicability AS
SELECT current_database()::name AS collation_catalog, n.nspname AS collation_schema, c.collname AS collation_name, NULL::name AS character_set_catalog,
       NULL::name AS character_set_schema, 'UTF8'::name AS character_set_name
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON c.collnamespace = n.oid WHERE c.collencoding IN (-1, 6);

CREATE VIEW information_schema.column_column_usage AS
SELECT DISTINCT current_database()::name AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, used.attname AS column_name, made.attname AS dependent_column
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute made ON made.attrelid = c.oid AND made.attgenerated <> ''
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = made.attnum AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
JOIN pg_catalog.pg_attribute used ON used.attrelid = c.oid AND used.attnum = d.refobjsubid
WHERE used.attnum <> made.attnum AND pg_has_role(c.relowner, 'USAGE');

CREATE VIEW information_schema.data_type_privileges AS
SELECT current_database()::name AS object_catalog, x.object_schema, x.object_name, x.object_type::varchar AS object_type, x.dtd_identifier
FROM (SELECT udt_schema AS object_schema, udt_name AS object_name, 'USER-DEFINED TYPE' AS object_type, dtd_identifier FROM information_schema.attributes
      UNION ALL SELECT table_schema, table_name, 'TABLE', dtd_identifier FROM information_schema.columns
      UNION ALL SELECT domain_schema, domain_name, 'DOMAIN', dtd_identifier FROM information_schema.domains
      UNION ALL SELECT specific_schema, specific_name, 'ROUTINE', dtd_identifier FROM information_schema.parameters
      UNION ALL SELECT specific_schema, specific_name, 'ROUTINE', dtd_identifier FROM information_schema.routines) x;

CREATE VIEW information_schema.udt_privileges AS
SELECT g.rolname AS grantor, e.rolname AS grantee, current_database()::name AS udt_catalog, n.nspname AS udt_schema, t.typname AS udt_name, 'TYPE USAGE'::varchar AS privilege_type,
       CASE WHEN pg_has_role(e.oid, t.typowner, 'USAGE') OR t.grantable THEN 'YES' ELSE 'NO' END::varchar(3) AS is_grantable
FROM (SELECT k.typname, k.typnamespace, k.typtype, k.typowner, x.grantor, x.grantee, x.privilege_type AS prtype, x.is_grantable AS grantable
      FROM pg_catalog.pg_type k, aclexplode(coalesce(k.typacl, acldefault('T', k.typowner))) x WHERE k.typtype = 'c') t
JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid
JOIN pg_catalog.pg_authid g ON t.grantor = g.oid
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC'::name) e ON t.grantee = e.oid
WHERE t.prtype = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(e.oid, 'USAGE') OR e.rolname = 'PUBLIC');

CREATE VIEW information_schema.role_udt_grants AS
SELECT grantor, grantee, udt_catalog, udt_schema, udt_name, privilege_type, is_grantable FROM information_schema.udt_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);

CREATE VIEW information_schema.routine_privileges AS
SELECT g.rolname AS grantor, e.rolname AS grantee, current_database()::name AS specific_catalog, n.nspname AS specific_schema, nameconcatoid(p.proname, p.oid) AS specific_name,
       current_database()::name AS routine_catalog, n.nspname AS routine_schema, p.proname AS routine_name, 'EXECUTE'::varchar AS privilege_type,
       CASE WHEN pg_has_role(e.oid, p.proowner, 'USAGE') OR p.grantable THEN 'YES' ELSE 'NO' END::varchar(3) AS is_grantable
FROM (SELECT k.oid, k.proname, k.pronamespace, k.proowner, x.grantor, x.grantee, x.privilege_type AS prtype, x.is_grantable AS grantable
      FROM pg_catalog.pg_proc k, aclexplode(coalesce(k.proacl, acldefault('f', k.proowner))) x) p
JOIN pg_catalog.pg_namespace n ON p.pronamespace = n.oid
JOIN pg_catalog.pg_authid g ON p.grantor = g.oid
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC'::name) e ON p.grantee = e.oid
WHERE p.prtype = 'EXECUTE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(e.oid, 'USAGE') OR e.rolname = 'PUBLIC');

CREATE VIEW information_schema.role_routine_grants AS
SELECT grantor, grantee, specific_catalog, specific_schema, specific_name, routine_catalog, routine_schema, routine_name, privilege_type, is_grantable
FROM information_schema.routine_privileges
WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) OR grantee IN (SELECT role_name FROM information_schema.enabled_roles);
