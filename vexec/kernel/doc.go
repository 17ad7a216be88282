// Package kernel holds the tight loops of the engine over Arrow vectors: gather,
// concatenation, comparison, equality keys and their hash table, and the fast
// forms of PostgreSQL's comparison and arithmetic functions.
//
// Vocabulary. A view (Bits, Strs, the slices of Values) reads a vector without
// per-value calls. A selection is an ascending list of row numbers. Keys are the
// rows of some columns in a form in which SQL equality is equality of bytes.
//
// Invariants. Vectors may be slices with an offset; nothing here changes its
// inputs; results are fresh unless said otherwise. The value at a NULL is
// undefined and never looked at by anything that could fail on it. A numeric
// vector is Dec64 or Binary and every function here takes both.
//
// Everything is safe for concurrent use, except Table and Keys, which have one
// owner. What is not here: functions in general (sql/functions), expressions
// (vexec/expr), operators (vexec).
package kernel
