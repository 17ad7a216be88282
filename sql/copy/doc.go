// Package copy reads and writes the data formats of COPY: text, CSV and binary,
// with PostgreSQL's options, escapes and error contexts.
//
// A Reader cuts input into rows and parses their fields straight into column
// vectors; the common types (integers, numerics of fixed scale, text, dates) are
// parsed from the bytes, the others by types.In and types.Recv. A Writer turns
// batches into rows of output. Options are checked by Options.Check in
// PostgreSQL's order, so that the first complaint is the same.
//
// Errors of a row carry the context PostgreSQL gives: COPY table, line n, column
// c: "value".
//
// Memory: a Reader holds one input buffer (which grows to the longest row) and
// one batch. Readers and Writers belong to one goroutine.
//
// What is not here: the statement (sql/session), and where bytes come from.
package copy
