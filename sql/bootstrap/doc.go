// Package bootstrap makes what a new store is born with: the catalogs' first rows
// (sql/catalog/facts), the views of pg_catalog and information_schema, the
// superuser postgres and the databases template1, template0 and postgres.
//
// The views are SQL in views.sql and information_schema.sql: PostgreSQL's names,
// column order and types, defined over Basalt's catalogs and analysed like any
// CREATE VIEW, with OIDs from the system's range. Everything happens in template1
// in one transaction; the other two databases are copies.
//
// Invariants. A store either has all of it or nothing: Run does nothing when
// pg_database has rows. The OIDs of these objects are below 16384 and differ from
// PostgreSQL's where PostgreSQL's are not fixed.
//
// Threading: Run is called once, before sessions are served.
package bootstrap
