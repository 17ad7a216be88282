package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// ignoresNull are the built-in aggregates whose result does not depend on rows in which
// their argument is NULL.
var ignoresNull = map[string]bool{"count": true, "sum": true, "avg": true, "min": true, "max": true,
	"stddev": true, "stddev_samp": true, "stddev_pop": true, "variance": true, "var_samp": true, "var_pop": true,
	"bool_and": true, "bool_or": true, "every": true, "bit_and": true, "bit_or": true}

// filterAgg makes agg(x) FILTER (WHERE c) of agg(CASE WHEN c THEN x END): the values of x
// are computed and added for the rows that count, and no column of x or NULL is made for
// all of them.
func (p *planner) filterAgg(a *query.Aggref) *query.Aggref {
	if a.Kind != 'n' || a.Func >= types.FirstNormalOID || !ignoresNull[a.Name] || len(a.Args) != 1 || len(a.Distinct) > 0 || len(a.OrderBy) > 0 {
		return a
	}
	c, ok := a.Args[0].Expr.(*query.CaseExpr)
	if !ok || !isNil(c.Arg) || len(c.Whens) != 1 || !isNil(c.Default) && !isNullConst(c.Default) || c.Whens[0].Result.Type().OID != c.Type().OID {
		return a
	}
	n := *a
	arg := *a.Args[0]
	arg.Expr = c.Whens[0].Result
	n.Args = []*query.TargetEntry{&arg}
	n.Filter = c.Whens[0].Cond
	if !isNil(a.Filter) {
		n.Filter = &query.BoolExpr{Base: boolBase, Op: query.And, Args: []query.Expr{a.Filter, n.Filter}}
	}
	p.trace("simplify", "case_to_filter")
	return &n
}
