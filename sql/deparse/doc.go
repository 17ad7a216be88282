// Package deparse prints query trees and expressions as SQL, the way PostgreSQL
// prints them: pg_get_viewdef, pg_get_expr, pg_get_indexdef, pg_get_constraintdef
// and the expressions of EXPLAIN.
//
// Vocabulary. Pretty printing is PostgreSQL's PRETTYFLAG_PAREN (parentheses only
// where needed) and PRETTYFLAG_INDENT. Names are qualified only when the search
// path would not find them.
//
// Invariants. Printing needs the catalog for names only and never fails: an
// object that is gone prints as ???. What is printed parses back to an equal tree.
//
// What is not here: the commands around the expressions (CREATE INDEX …), which
// sql/catalog composes.
package deparse
