// Package ddl runs the statements that change the catalog: CREATE, ALTER and DROP
// of tables, indexes, views, sequences, schemas, types, databases and roles,
// GRANT and REVOKE, COMMENT and TRUNCATE.
//
// Vocabulary is PostgreSQL's. A statement is first transformed (serial columns
// become sequences, column constraints table constraints), then carried out as
// catalog rows in the transaction that runs it. Dropping follows pg_depend:
// normal dependencies need CASCADE, automatic and internal ones do not.
//
// Invariants. Everything is a write of the statement's transaction: rolling it
// back undoes all. A statement locks the relations it changes in PostgreSQL's
// modes before it reads their descriptors. Storage generations (relfilenode) are
// never reused, so TRUNCATE and rewrites need not delete rows. Error texts,
// details, hints and SQLSTATEs are PostgreSQL's.
//
// Threading: a Context belongs to one statement and goroutine.
//
// What is not here: running queries (the session's Runner does, for CREATE TABLE
// AS, constraint validation and rewrites), COPY, ANALYZE, SET.
package ddl
