// Package functions is the library of PostgreSQL's built-in functions: one
// registry from pg_proc OID to implementation.
//
// The functions live in packages by theme, each with a Register function:
// base (comparison, casts, arithmetic of the scalar types), math (chapter 9.3),
// text (9.4, 9.5, 9.7 and number formatting), aggfn (aggregates in the general
// form), and those of dates, arrays, json and enums beside them. They are plain
// Go functions over values, made into vector kernels by adapt; the hot ones are
// kernels by hand.
//
// Operators are functions too: which operator means which function is a fact of
// pg_operator that parse analysis reads. Functions about the catalog or the
// session are registered by their own packages above this one.
//
// Invariants: a function answers with PostgreSQL's value and, where it cannot,
// with PostgreSQL's error; what is not implemented is not registered.
package functions
