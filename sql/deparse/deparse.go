package deparse

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Context is what printing needs.
type Context struct {
	Ctx     context.Context
	Catalog catalog.Reader
	Types   *types.Env
	// SearchPath as in analyze.Env: names it finds are not qualified.
	SearchPath []types.OID
	// Relation gives Expr the names of Vars with RTIndex 1 (checks, defaults, index expressions).
	Relation *catalog.Relation
	// Var, when set, names Vars for Expr (EXPLAIN); it comes before Relation.
	Var func(*query.Var) string
	// Param, when set, prints parameters that are not $n.
	Param func(*query.Param) string
	// SubPlan, when set, prints sub-selects for EXPLAIN ("(SubPlan 1)"); "" falls back to the query's text.
	SubPlan func(*query.SubLink) string
	// Pretty: parentheses only where needed, and line breaks in queries.
	Pretty bool
	// WrapColumn breaks target lists of pretty queries at this width; 0 breaks after every column, as PostgreSQL does by default.
	WrapColumn int
	// Prefix qualifies the columns of Relation with its name.
	Prefix bool
}
