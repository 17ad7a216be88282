// Package copy reads and writes the data formats of COPY: text, CSV and binary,
// with PostgreSQL's options, escapes and error contexts.
//
// A Reader cuts input into chunks of whole lines (cutter); parsers on all
// processors turn them into column vectors, and the batches come out in the
// input's order. Lines without escapes and the like, most of any real file, are
// cut into fields in one pass and then parsed column by column (run); the others
// go one by one (parser.row). The common types (integers, floats, numerics of
// fixed scale, text, dates, timestamps) are parsed from the bytes, the others by
// types.In and types.Recv. Binary input is read by the caller's goroutine. A Writer
// turns batches into rows of output. Options are checked by Options.Check in
// PostgreSQL's order, so that the first complaint is the same.
//
// Errors of a row carry the context PostgreSQL gives: COPY table, line n, column
// c: "value". The first error of the input wins, whatever was parsed first.
//
// Memory: a Reader holds one input buffer (which grows to the longest row) and a
// chunk and its vectors per processor. Readers and Writers belong to one goroutine;
// a Reader owns those that parse and ends them in Close. The input is read by the
// Reader's caller alone.
//
// What is not here: the statement (sql/session), and where bytes come from.
package copy
