// Package ri keeps foreign keys true: it hears of every changed row of tables
// that refer or are referred to, and at the end of the statement (or of the
// transaction, for deferred constraints) checks and acts, as PostgreSQL's
// referential integrity triggers do.
//
// Vocabulary. A check is a referencing key that must exist in the referenced
// table; an action is a referenced row that was deleted or whose key changed:
// NO ACTION and RESTRICT look for rows that still refer to it, CASCADE, SET NULL
// and SET DEFAULT change them.
//
// Everything is done by SQL statements of our own making, run through a Runner in
// the same transaction: they take KEY SHARE locks on referenced rows, so that a
// check stays true until commit. Rows that still refer to a key are looked for in
// the newest committed state at every isolation level; a key that must exist is
// looked for in the transaction's snapshot, as PostgreSQL does, and locked. Changes made by actions are heard of in turn, until nothing is left.
//
// Invariants. (1) A key is checked once per statement however many rows have it.
// (2) A check that fails is reported only if a row with that key still exists: it
// may have been changed again since. (3) Deferred events survive statements and
// are cut back with savepoints.
//
// A Queue belongs to one session.
package ri
