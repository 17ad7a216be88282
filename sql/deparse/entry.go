package deparse

import "github.com/basaltdb/basalt/sql/query"

// Expr prints an expression (pg_get_expr; with Context.Pretty its pretty form).
func Expr(e query.Expr, c Context) string { return "???" }

// Query prints a query without a final semicolon (pg_get_viewdef without its own).
func Query(q *query.Query, c Context, pretty bool) string { return "???" }

// IndexKeyExpr prints an expression as pg_get_indexdef does: in parentheses unless it looks like a function call.
func IndexKeyExpr(e query.Expr, c Context) string { return "???" }
