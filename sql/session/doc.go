// Package session is what a PostgreSQL session is: it takes statements, decides
// what each is, runs it in the right transaction, and keeps the state that
// clients see: settings, prepared statements, portals and cursors, transaction
// blocks.
//
// The life of a statement: text → sql/parse → one of
//
//	optimizable   analyze → rewrite → plan (or the plan cache) → vexec.Run → rows
//	utility       dispatch.go: transaction control, SET, cursors, COPY, DDL …
//
// Either way it becomes a result: columns, a source of batches, and a tag.
// Simple-protocol queries drain it at once, portals as far as they are asked.
//
// Vocabulary. A Node holds what the sessions of a process share. A transaction
// (transaction.go) is a txn.Txn with what the session hangs on it: savepoints,
// settings to undo, deferred constraint checks. A block is what BEGIN opens; an
// implicit block is a multi-statement query string or a pipeline up to Sync. A
// cached statement is a parsed, analysed and planned text, shared by the sessions
// of a database and valid for one catalog version.
//
// Invariants. (1) An error rolls the transaction (or its innermost savepoint)
// back before it is reported; then the block is failed (25P02) until it ends.
// (2) Under READ COMMITTED each statement has its own snapshot; a portal that is
// not finished keeps its own, by reading to its end before the snapshot moves.
// (3) Relation locks are taken before a plan is used, and the catalog version is
// checked again after. (4) A commit is acknowledged only when it is durable.
//
// Threading: a Session is driven by its connection's goroutine. Node, and the
// plan cache in it, are shared.
//
// What is not here: messages (sql/pgwire), the grammar (sql/parse), DDL (sql/ddl),
// functions about the session (sql/functions/sys, over this package's Session).
package session
