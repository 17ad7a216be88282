// Package types holds PostgreSQL's data types as values: OIDs, Go forms, text
// and binary input and output, ordering and equality, exact numeric, date and
// interval arithmetic, and the mapping to Arrow.
//
// Vocabulary. A T names a type with its modifier. A Datum is one value in Go
// form (see Datum for the table). A vector is an arrow.Array in the physical
// form of its T (see ArrowType). An Env is what the session adds: time zone,
// DateStyle, catalog look-ups for user types.
//
// Dates and day numbers count from 1970, timestamps from 2000 (see Timestamp),
// in every form a value has.
//
// Invariants. Every function here is pure but for its Env, safe for concurrent
// use, and keeps no reference to its inputs unless it says so. Errors are
// *pgerror.Error with PostgreSQL's SQLSTATE and text. Values given to Out,
// Send, Compare and the builders must be in the Go form of their type; anything
// else is a bug and panics in the type assertion.
//
// What is not here: functions and operators over SQL values that the parser
// resolves by name (sql/functions), catalogs (sql/catalog), batches (vexec).
//
// The package is a leaf: it imports sql/pgerror and libraries only.
package types
