// Package array holds the array functions and operators of chapter 9.19 of
// PostgreSQL's manual, unnest and generate_subscripts, generate_series over
// numbers, and the aggregates array_agg, min and max over arrays.
//
// Functions take the element type from the array value itself (Array.Elem), so
// one implementation serves every element type. Ordering and equality are the
// element type's default ones (types.Compare); an element type without them is
// answered with PostgreSQL's 42883.
//
// What is not here: string_to_array, array_to_string (functions/text), array
// subscripts and constructors (expression nodes of vexec), text and binary forms
// (sql/types).
package array
