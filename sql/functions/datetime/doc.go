// Package datetime holds the functions, operators and casts of date, time,
// timetz, timestamp, timestamptz and interval (chapter 9.9 of PostgreSQL's
// manual), and the formatting functions to_char, to_date and to_timestamp over
// them.
//
// The arithmetic itself is in sql/types (datetime_math.go, datetime_fields.go);
// this package gives it PostgreSQL's names and NULL rules. Functions that depend
// on the session (time zone, transaction time) read expr.Context.Env.
//
// Comparisons of date and timestamp, and EXTRACT with a constant field, have
// dense kernels of their own: they are on the hot path of analytical queries.
//
// Templates of to_char and to_date are parsed once per call site when constant
// (Prepare) and otherwise through a small cache.
//
// What is not here: input, output and binary forms (sql/types), window
// functions (vexec), ranges.
package datetime
