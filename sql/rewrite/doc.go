// Package rewrite makes an analysed query ready for planning, as PostgreSQL's
// rewriter does: views become subqueries, writes to simple views become writes to
// their tables with CHECK OPTION, identity and generated columns get their rules,
// SEARCH and CYCLE become columns of the recursive query.
//
// Invariants. The input is not changed: what differs is copied. A rewritten query
// has no view among its relations that is read or written, and its target lists
// cover what the executor must store.
//
// What is not here: rules made with CREATE RULE (there are none), row security.
package rewrite
