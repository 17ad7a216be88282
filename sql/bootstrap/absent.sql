-- Views over what Basalt does not have: foreign data, replication, transforms,
-- triggers, routines of users, extended statistics, progress of commands. They are
-- there, with PostgreSQL's columns, for clients that look; they have no rows.

CREATE VIEW information_schema._pg_foreign_data_wrappers AS
SELECT NULL::oid AS oid, NULL::oid AS fdwowner, NULL::text[] AS fdwoptions, NULL::name AS foreign_data_wrapper_catalog, NULL::name AS foreign_data_wrapper_name, NULL::name AS authorization_identifier, NULL::character varying AS foreign_data_wrapper_language WHERE false;

CREATE VIEW information_schema._pg_foreign_servers AS
SELECT NULL::oid AS oid, NULL::text[] AS srvoptions, NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name, NULL::name AS foreign_data_wrapper_catalog, NULL::name AS foreign_data_wrapper_name, NULL::character varying AS foreign_server_type, NULL::character varying AS foreign_server_version, NULL::name AS authorization_identifier WHERE false;

CREATE VIEW information_schema._pg_foreign_table_columns AS
SELECT NULL::name AS nspname, NULL::name AS relname, NULL::name AS attname, NULL::text[] AS attfdwoptions WHERE false;

CREATE VIEW information_schema._pg_foreign_tables AS
SELECT NULL::name AS foreign_table_catalog, NULL::name AS foreign_table_schema, NULL::name AS foreign_table_name, NULL::text[] AS ftoptions, NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name, NULL::name AS authorization_identifier WHERE false;

CREATE VIEW information_schema._pg_user_mappings AS
SELECT NULL::oid AS oid, NULL::text[] AS umoptions, NULL::oid AS umuser, NULL::name AS authorization_identifier, NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name, NULL::name AS srvowner WHERE false;

CREATE VIEW information_schema.column_domain_usage AS
SELECT NULL::name AS domain_catalog, NULL::name AS domain_schema, NULL::name AS domain_name, NULL::name AS table_catalog, NULL::name AS table_schema, NULL::name AS table_name, NULL::name AS column_name WHERE false;

CREATE VIEW information_schema.column_options AS
SELECT NULL::name AS table_catalog, NULL::name AS table_schema, NULL::name AS table_name, NULL::name AS column_name, NULL::name AS option_name, NULL::character varying AS option_value WHERE false;

CREATE VIEW information_schema.domain_udt_usage AS
SELECT NULL::name AS udt_catalog, NULL::name AS udt_schema, NULL::name AS udt_name, NULL::name AS domain_catalog, NULL::name AS domain_schema, NULL::name AS domain_name WHERE false;

CREATE VIEW information_schema.foreign_data_wrapper_options AS
SELECT NULL::name AS foreign_data_wrapper_catalog, NULL::name AS foreign_data_wrapper_name, NULL::name AS option_name, NULL::character varying AS option_value WHERE false;

CREATE VIEW information_schema.foreign_data_wrappers AS
SELECT NULL::name AS foreign_data_wrapper_catalog, NULL::name AS foreign_data_wrapper_name, NULL::name AS authorization_identifier, NULL::character varying AS library_name, NULL::character varying AS foreign_data_wrapper_language WHERE false;

CREATE VIEW information_schema.foreign_server_options AS
SELECT NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name, NULL::name AS option_name, NULL::character varying AS option_value WHERE false;

CREATE VIEW information_schema.foreign_servers AS
SELECT NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name, NULL::name AS foreign_data_wrapper_catalog, NULL::name AS foreign_data_wrapper_name, NULL::character varying AS foreign_server_type, NULL::character varying AS foreign_server_version, NULL::name AS authorization_identifier WHERE false;

CREATE VIEW information_schema.foreign_table_options AS
SELECT NULL::name AS foreign_table_catalog, NULL::name AS foreign_table_schema, NULL::name AS foreign_table_name, NULL::name AS option_name, NULL::character varying AS option_value WHERE false;

CREATE VIEW information_schema.routine_column_usage AS
SELECT NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name, NULL::name AS routine_catalog, NULL::name AS routine_schema, NULL::name AS routine_name, NULL::name AS table_catalog, NULL::name AS table_schema, NULL::name AS table_name, NULL::name AS column_name WHERE false;

CREATE VIEW information_schema.routine_routine_usage AS
SELECT NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name, NULL::name AS routine_catalog, NULL::name AS routine_schema, NULL::name AS routine_name WHERE false;

CREATE VIEW information_schema.routine_sequence_usage AS
SELECT NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name, NULL::name AS routine_catalog, NULL::name AS routine_schema, NULL::name AS routine_name, NULL::name AS sequence_catalog, NULL::name AS sequence_schema, NULL::name AS sequence_name WHERE false;

CREATE VIEW information_schema.routine_table_usage AS
SELECT NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name, NULL::name AS routine_catalog, NULL::name AS routine_schema, NULL::name AS routine_name, NULL::name AS table_catalog, NULL::name AS table_schema, NULL::name AS table_name WHERE false;

CREATE VIEW information_schema.transforms AS
SELECT NULL::name AS udt_catalog, NULL::name AS udt_schema, NULL::name AS udt_name, NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name, NULL::name AS group_name, NULL::character varying AS transform_type WHERE false;

CREATE VIEW information_schema.triggered_update_columns AS
SELECT NULL::name AS trigger_catalog, NULL::name AS trigger_schema, NULL::name AS trigger_name, NULL::name AS event_object_catalog, NULL::name AS event_object_schema, NULL::name AS event_object_table, NULL::name AS event_object_column WHERE false;

CREATE VIEW information_schema.user_mapping_options AS
SELECT NULL::name AS authorization_identifier, NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name, NULL::name AS option_name, NULL::character varying AS option_value WHERE false;

CREATE VIEW information_schema.user_mappings AS
SELECT NULL::name AS authorization_identifier, NULL::name AS foreign_server_catalog, NULL::name AS foreign_server_name WHERE false;

CREATE VIEW information_schema.view_routine_usage AS
SELECT NULL::name AS table_catalog, NULL::name AS table_schema, NULL::name AS table_name, NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name WHERE false;

CREATE VIEW pg_catalog.pg_replication_origin_status AS
SELECT NULL::oid AS local_id, NULL::text AS external_id, NULL::pg_lsn AS remote_lsn, NULL::pg_lsn AS local_lsn WHERE false;

CREATE VIEW pg_catalog.pg_stat_progress_analyze AS
SELECT NULL::integer AS pid, NULL::oid AS datid, NULL::name AS datname, NULL::oid AS relid, NULL::text AS phase, NULL::bigint AS sample_blks_total, NULL::bigint AS sample_blks_scanned, NULL::bigint AS ext_stats_total, NULL::bigint AS ext_stats_computed, NULL::bigint AS child_tables_total, NULL::bigint AS child_tables_done, NULL::oid AS current_child_table_relid WHERE false;

CREATE VIEW pg_catalog.pg_stat_progress_basebackup AS
SELECT NULL::integer AS pid, NULL::text AS phase, NULL::bigint AS backup_total, NULL::bigint AS backup_streamed, NULL::bigint AS tablespaces_total, NULL::bigint AS tablespaces_streamed WHERE false;

CREATE VIEW pg_catalog.pg_stat_progress_cluster AS
SELECT NULL::integer AS pid, NULL::oid AS datid, NULL::name AS datname, NULL::oid AS relid, NULL::text AS command, NULL::text AS phase, NULL::oid AS cluster_index_relid, NULL::bigint AS heap_tuples_scanned, NULL::bigint AS heap_tuples_written, NULL::bigint AS heap_blks_total, NULL::bigint AS heap_blks_scanned, NULL::bigint AS index_rebuild_count WHERE false;

CREATE VIEW pg_catalog.pg_stat_progress_copy AS
SELECT NULL::integer AS pid, NULL::oid AS datid, NULL::name AS datname, NULL::oid AS relid, NULL::text AS command, NULL::text AS type, NULL::bigint AS bytes_processed, NULL::bigint AS bytes_total, NULL::bigint AS tuples_processed, NULL::bigint AS tuples_excluded WHERE false;

CREATE VIEW pg_catalog.pg_stat_progress_create_index AS
SELECT NULL::integer AS pid, NULL::oid AS datid, NULL::name AS datname, NULL::oid AS relid, NULL::oid AS index_relid, NULL::text AS command, NULL::text AS phase, NULL::bigint AS lockers_total, NULL::bigint AS lockers_done, NULL::bigint AS current_locker_pid, NULL::bigint AS blocks_total, NULL::bigint AS blocks_done, NULL::bigint AS tuples_total, NULL::bigint AS tuples_done, NULL::bigint AS partitions_total, NULL::bigint AS partitions_done WHERE false;

CREATE VIEW pg_catalog.pg_stat_progress_vacuum AS
SELECT NULL::integer AS pid, NULL::oid AS datid, NULL::name AS datname, NULL::oid AS relid, NULL::text AS phase, NULL::bigint AS heap_blks_total, NULL::bigint AS heap_blks_scanned, NULL::bigint AS heap_blks_vacuumed, NULL::bigint AS index_vacuum_count, NULL::bigint AS max_dead_tuples, NULL::bigint AS num_dead_tuples WHERE false;

CREATE VIEW pg_catalog.pg_stat_replication_slots AS
SELECT NULL::text AS slot_name, NULL::bigint AS spill_txns, NULL::bigint AS spill_count, NULL::bigint AS spill_bytes, NULL::bigint AS stream_txns, NULL::bigint AS stream_count, NULL::bigint AS stream_bytes, NULL::bigint AS total_txns, NULL::bigint AS total_bytes, NULL::timestamp with time zone AS stats_reset WHERE false;

CREATE VIEW pg_catalog.pg_stat_subscription AS
SELECT NULL::oid AS subid, NULL::name AS subname, NULL::integer AS pid, NULL::oid AS relid, NULL::pg_lsn AS received_lsn, NULL::timestamp with time zone AS last_msg_send_time, NULL::timestamp with time zone AS last_msg_receipt_time, NULL::pg_lsn AS latest_end_lsn, NULL::timestamp with time zone AS latest_end_time WHERE false;

CREATE VIEW pg_catalog.pg_stat_subscription_stats AS
SELECT NULL::oid AS subid, NULL::name AS subname, NULL::bigint AS apply_error_count, NULL::bigint AS sync_error_count, NULL::timestamp with time zone AS stats_reset WHERE false;

CREATE VIEW pg_catalog.pg_stat_user_functions AS
SELECT NULL::oid AS funcid, NULL::name AS schemaname, NULL::name AS funcname, NULL::bigint AS calls, NULL::double precision AS total_time, NULL::double precision AS self_time WHERE false;

CREATE VIEW pg_catalog.pg_stat_wal_receiver AS
SELECT NULL::integer AS pid, NULL::text AS status, NULL::pg_lsn AS receive_start_lsn, NULL::integer AS receive_start_tli, NULL::pg_lsn AS written_lsn, NULL::pg_lsn AS flushed_lsn, NULL::integer AS received_tli, NULL::timestamp with time zone AS last_msg_send_time, NULL::timestamp with time zone AS last_msg_receipt_time, NULL::pg_lsn AS latest_end_lsn, NULL::timestamp with time zone AS latest_end_time, NULL::text AS slot_name, NULL::text AS sender_host, NULL::integer AS sender_port, NULL::text AS conninfo WHERE false;

CREATE VIEW pg_catalog.pg_stat_xact_user_functions AS
SELECT NULL::oid AS funcid, NULL::name AS schemaname, NULL::name AS funcname, NULL::bigint AS calls, NULL::double precision AS total_time, NULL::double precision AS self_time WHERE false;

CREATE VIEW pg_catalog.pg_stats_ext AS
SELECT NULL::name AS schemaname, NULL::name AS tablename, NULL::name AS statistics_schemaname, NULL::name AS statistics_name, NULL::name AS statistics_owner, NULL::name[] AS attnames, NULL::text[] AS exprs, NULL::"char"[] AS kinds, NULL::boolean AS inherited, NULL::pg_ndistinct AS n_distinct, NULL::pg_dependencies AS dependencies, NULL::text[] AS most_common_vals, NULL::boolean[] AS most_common_val_nulls, NULL::double precision[] AS most_common_freqs, NULL::double precision[] AS most_common_base_freqs WHERE false;

CREATE VIEW pg_catalog.pg_stats_ext_exprs AS
SELECT NULL::name AS schemaname, NULL::name AS tablename, NULL::name AS statistics_schemaname, NULL::name AS statistics_name, NULL::name AS statistics_owner, NULL::text AS expr, NULL::boolean AS inherited, NULL::real AS null_frac, NULL::integer AS avg_width, NULL::real AS n_distinct, NULL::anyarray AS most_common_vals, NULL::real[] AS most_common_freqs, NULL::anyarray AS histogram_bounds, NULL::real AS correlation, NULL::anyarray AS most_common_elems, NULL::real[] AS most_common_elem_freqs, NULL::real[] AS elem_count_histogram WHERE false;

-- Nobody is authenticated by GSSAPI.
CREATE VIEW pg_catalog.pg_stat_gssapi AS
SELECT s.pid, s.gss_auth AS gss_authenticated, s.gss_princ AS principal, s.gss_enc AS encrypted FROM pg_stat_get_activity(NULL) s WHERE s.client_port IS NOT NULL;
