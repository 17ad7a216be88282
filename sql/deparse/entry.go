package deparse

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Expr prints an expression (pg_get_expr; with Context.Pretty its pretty form).
// With Context.Var set it prints as EXPLAIN does: every operator in parentheses,
// on one line.
func Expr(e query.Expr, c Context) string {
	p := newPrinter(c, c.Pretty, c.Var == nil)
	p.expr(e, false)
	return string(p.buf)
}

// Query prints a query without a final semicolon (pg_get_viewdef without its own).
func Query(q *query.Query, c Context, pretty bool) string {
	p := newPrinter(c, pretty, true)
	p.query(q, nil)
	return string(p.buf)
}

// IndexKeyExpr prints an expression as pg_get_indexdef does: in parentheses unless it looks like a function call.
func IndexKeyExpr(e query.Expr, c Context) string {
	s := Expr(e, c)
	if looksLikeFunction(e) {
		return s
	}
	return "(" + s + ")"
}

// IndexKeyPrinter implements catalog.Printer.
type IndexKeyPrinter struct{}

// IndexKey implements catalog.Printer. There is no session here: names are printed
// as with the default search path.
func (IndexKeyPrinter) IndexKey(ctx context.Context, e query.Expr, r *catalog.Relation, cat catalog.Reader) string {
	path := []types.OID{catalog.PublicNamespace}
	env := *types.DefaultEnv()
	env.Resolver = catalog.NewResolver(cat, 0, catalog.EffectivePath(cat, path))
	return IndexKeyExpr(e, Context{Ctx: ctx, Catalog: cat, Types: &env, SearchPath: path, Relation: r, Pretty: true})
}

func looksLikeFunction(e query.Expr) bool {
	switch e := e.(type) {
	case *query.FuncExpr:
		return e.Form == query.CoerceExplicitCall || e.Form == query.CoerceSQLSyntax
	case *query.Aggref, *query.GroupingFunc, *query.WindowFunc, *query.CoalesceExpr, *query.MinMaxExpr, *query.NullIfExpr, *query.SQLValueFunction:
		return true
	}
	return false
}
