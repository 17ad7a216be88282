// Package sys holds the functions about the session and the catalog: version(),
// current_setting(), nextval(), pg_get_indexdef(), pg_table_is_visible(),
// has_table_privilege(), pg_sleep() and their kin, and the functions under the
// views pg_settings, pg_locks and pg_stat_activity.
//
// What they need of the session they run in is the Session interface, which
// expr.Context.Session must implement; every function here has NeedsSession set.
//
// Invariants. Look-ups go through the statement's catalog.Reader, so that a
// transaction sees its own DDL. Where PostgreSQL answers NULL for an object that
// does not exist, so do these. Functions that describe what Basalt has none of
// (replication, tablespaces, write-ahead log positions) are not registered.
//
// Threading: one statement's workers may call a Session at once; it must allow that.
package sys
