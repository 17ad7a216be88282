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

CREATE VIEW information_schema.check_constraint_routine_usage AS
SELECT NULL::name AS constraint_catalog, NULL::name AS constraint_schema, NULL::name AS constraint_name, NULL::name AS specific_catalog, NULL::name AS specific_schema, NULL::name AS specific_name WHERE false;

CREATE VIEW pg_catalog.pg_backend_memory_contexts AS
SELECT NULL::text AS name, NULL::text AS ident, NULL::text AS parent, NULL::integer AS level, NULL::bigint AS total_bytes, NULL::bigint AS total_nblocks, NULL::bigint AS free_bytes, NULL::bigint AS free_chunks, NULL::bigint AS used_bytes WHERE false;

CREATE VIEW pg_catalog.pg_file_settings AS
SELECT NULL::text AS sourcefile, NULL::integer AS sourceline, NULL::integer AS seqno, NULL::text AS name, NULL::text AS setting, NULL::boolean AS applied, NULL::text AS error WHERE false;

CREATE VIEW pg_catalog.pg_hba_file_rules AS
SELECT NULL::integer AS line_number, NULL::text AS type, NULL::text[] AS database, NULL::text[] AS user_name, NULL::text AS address, NULL::text AS netmask, NULL::text AS auth_method, NULL::text[] AS options, NULL::text AS error WHERE false;

CREATE VIEW pg_catalog.pg_ident_file_mappings AS
SELECT NULL::integer AS line_number, NULL::text AS map_name, NULL::text AS sys_name, NULL::text AS pg_username, NULL::text AS error WHERE false;

CREATE VIEW pg_catalog.pg_shmem_allocations AS
SELECT NULL::text AS name, NULL::bigint AS off, NULL::bigint AS size, NULL::bigint AS allocated_size WHERE false;

CREATE VIEW pg_catalog.pg_stat_slru AS
SELECT NULL::text AS name, NULL::bigint AS blks_zeroed, NULL::bigint AS blks_hit, NULL::bigint AS blks_read, NULL::bigint AS blks_written, NULL::bigint AS blks_exists, NULL::bigint AS flushes, NULL::bigint AS truncates, NULL::timestamp with time zone AS stats_reset WHERE false;

-- Counters of processes that Basalt does not have stay at zero, since the server started.

CREATE VIEW pg_catalog.pg_stat_archiver AS
SELECT 0::bigint AS archived_count, NULL::text AS last_archived_wal, NULL::timestamp with time zone AS last_archived_time, 0::bigint AS failed_count, NULL::text AS last_failed_wal, NULL::timestamp with time zone AS last_failed_time, pg_postmaster_start_time() AS stats_reset;

CREATE VIEW pg_catalog.pg_stat_bgwriter AS
SELECT 0::bigint AS checkpoints_timed, 0::bigint AS checkpoints_req, 0::double precision AS checkpoint_write_time, 0::double precision AS checkpoint_sync_time, 0::bigint AS buffers_checkpoint, 0::bigint AS buffers_clean, 0::bigint AS maxwritten_clean, 0::bigint AS buffers_backend, 0::bigint AS buffers_backend_fsync, 0::bigint AS buffers_alloc, pg_postmaster_start_time() AS stats_reset;

CREATE VIEW pg_catalog.pg_stat_recovery_prefetch AS
SELECT pg_postmaster_start_time() AS stats_reset, 0::bigint AS prefetch, 0::bigint AS hit, 0::bigint AS skip_init, 0::bigint AS skip_new, 0::bigint AS skip_fpw, 0::bigint AS skip_rep, 0::integer AS wal_distance, 0::integer AS block_distance, 0::integer AS io_depth;

CREATE VIEW pg_catalog.pg_stat_wal AS
SELECT 0::bigint AS wal_records, 0::bigint AS wal_fpi, 0::numeric AS wal_bytes, 0::bigint AS wal_buffers_full, 0::bigint AS wal_write, 0::bigint AS wal_sync, 0::double precision AS wal_write_time, 0::double precision AS wal_sync_time, pg_postmaster_start_time() AS stats_reset;

CREATE VIEW pg_catalog.pg_stat_database_conflicts AS
SELECT d.oid AS datid, d.datname, 0::bigint AS confl_tablespace, 0::bigint AS confl_lock, 0::bigint AS confl_snapshot, 0::bigint AS confl_bufferpin, 0::bigint AS confl_deadlock FROM pg_catalog.pg_database d;

-- Reads of blocks are not counted.

CREATE VIEW pg_catalog.pg_stat_xact_all_tables AS
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, 0::bigint AS seq_scan, 0::bigint AS seq_tup_read, 0::bigint AS idx_scan, 0::bigint AS idx_tup_fetch, 0::bigint AS n_tup_ins, 0::bigint AS n_tup_upd, 0::bigint AS n_tup_del, 0::bigint AS n_tup_hot_upd
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 't', 'm', 'p');

CREATE VIEW pg_catalog.pg_stat_xact_sys_tables AS
SELECT * FROM pg_catalog.pg_stat_xact_all_tables WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast';

CREATE VIEW pg_catalog.pg_stat_xact_user_tables AS
SELECT * FROM pg_catalog.pg_stat_xact_all_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast';

CREATE VIEW pg_catalog.pg_statio_sys_tables AS
SELECT * FROM pg_catalog.pg_statio_all_tables WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast';

CREATE VIEW pg_catalog.pg_statio_all_indexes AS
SELECT c.oid AS relid, i.oid AS indexrelid, n.nspname AS schemaname, c.relname, i.relname AS indexrelname, 0::bigint AS idx_blks_read, 0::bigint AS idx_blks_hit
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_index x ON c.oid = x.indrelid
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 't', 'm');

CREATE VIEW pg_catalog.pg_statio_sys_indexes AS
SELECT * FROM pg_catalog.pg_statio_all_indexes WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast';

CREATE VIEW pg_catalog.pg_statio_user_indexes AS
SELECT * FROM pg_catalog.pg_statio_all_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast';

CREATE VIEW pg_catalog.pg_statio_all_sequences AS
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, 0::bigint AS blks_read, 0::bigint AS blks_hit
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('S');

CREATE VIEW pg_catalog.pg_statio_sys_sequences AS
SELECT * FROM pg_catalog.pg_statio_all_sequences WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast';

CREATE VIEW pg_catalog.pg_statio_user_sequences AS
SELECT * FROM pg_catalog.pg_statio_all_sequences WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast';

CREATE VIEW pg_catalog.pg_stat_ssl AS
SELECT s.pid, s.ssl, s.sslversion AS version, s.sslcipher AS cipher, s.sslbits AS bits, s.ssl_client_dn AS client_dn, s.ssl_client_serial AS client_serial,
       s.ssl_issuer_dn AS issuer_dn
FROM pg_stat_get_activity(NULL) s WHERE s.client_port IS NOT NULL;

-- Of the build only the version is known.
CREATE VIEW pg_catalog.pg_config AS
SELECT 'VERSION'::text AS name, 'PostgreSQL ' || current_setting('server_version') AS setting;
