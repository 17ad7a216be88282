// Package settings holds the run-time parameters of a session (PostgreSQL's
// GUCs): which there are, what values they take, and how a session's values
// follow its transactions.
//
// Definitions come from the facts (pg_settings of a PostgreSQL), with Basalt's
// own server_version and the few parameters pg_settings does not list. A value
// is kept as text in canonical form: numbers in the parameter's unit, booleans as
// on and off, enums in the list's spelling. Show turns it into what SHOW prints.
//
// Vocabulary. A parameter's session value lives until changed or reset; a local
// value (SET LOCAL) shadows it until the end of the transaction. Boot is the
// built-in default, reset what RESET returns to: the boot value, or what the
// client asked for at start-up.
//
// Invariants. Every change inside a transaction can be undone: Mark gives a
// position, UndoTo returns to it (rollback to savepoint, abort), Commit keeps
// session values and drops local ones. Generation changes with every change, so
// that what is derived from settings can be cached.
//
// A Settings is used by one goroutine at a time. Definitions are shared and immutable.
//
// What is not here: what parameters do, and those whose value is an act (role,
// session_authorization, transaction_isolation): sql/session wires them.
package settings
