// Package catalog holds what a database knows of itself: relations, types,
// constraints, roles and the built-in objects, under PostgreSQL's names.
//
// The catalog is a set of ordinary MVCC tables (pg_class, pg_attribute …) with
// PostgreSQL's OIDs and columns; their layout and first rows come from
// sql/catalog/facts. Everything reads them the way SQL does, so DDL is as
// transactional as any other write.
//
// Vocabulary. A Reader is one consistent state of it, as a statement sees it; its
// descriptors (Relation, Type …) are immutable and shared. Builtins are the
// objects no DDL changes, kept in memory from the facts. The Manager gives out
// Readers and caches descriptors per database; a Writer changes the catalog
// rows of one transaction. An effective search path is the list of namespaces
// unqualified names are looked up in, pg_catalog included.
//
// Storage. The catalogs of a database live in its own key space (database OID
// << 32 | OID of the catalog); shared catalogs and those whose rows never change
// live once under database 0.
//
// Invariants. A shared Reader never shows uncommitted DDL. A committed DDL
// statement starts a new version before it is acknowledged. A transaction with
// uncommitted DDL reads through a Reader of its own.
//
// Threading: Readers, Builtins and the Manager are safe for concurrent use; a
// Writer belongs to its transaction's goroutine.
//
// What is not here: DDL statements (sql/ddl), what a new database is born with
// beyond the facts (sql/bootstrap), name resolution of statements (sql/analyze).
package catalog
