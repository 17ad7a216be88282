package plan

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// What the planner asks of functions and operators.

func isSRF(e query.Expr) bool {
	switch x := e.(type) {
	case *query.FuncExpr:
		return x.RetSet
	case *query.OpExpr:
		return x.RetSet
	}
	return false
}

func hasSRF(e query.Expr) bool {
	found := false
	walk(e, func(x query.Expr) bool {
		found = found || isSRF(x)
		return !found
	})
	return found
}

// volatility of a function: 'i', 's' or 'v'.
func (p *planner) volatility(fn types.OID) byte {
	f := p.cat.Function(fn)
	if f == nil {
		return 'v'
	}
	return f.Volatility
}

// worst gives the worst volatility in an expression, sub-selects included.
func (p *planner) worst(e query.Expr) byte {
	w := byte('i')
	use := func(v byte) {
		if v == 'v' || v == 's' && w == 'i' {
			w = v
		}
	}
	walk(e, func(x query.Expr) bool {
		switch f := x.(type) {
		case *query.FuncExpr:
			use(p.volatility(f.Func))
		case *query.OpExpr:
			use(p.volatility(f.Func))
		case *query.ScalarArrayOpExpr:
			use(p.volatility(f.Func))
		case *query.DistinctExpr:
			use(p.volatility(f.Func))
		case *query.NullIfExpr:
			use(p.volatility(f.Func))
		case *query.WindowFunc:
			use(p.volatility(f.Func))
		case *query.NextValExpr:
			use('v')
		case *query.SQLValueFunction:
			use('s')
		case *query.CoerceViaIO:
			use(p.ioVolatility(f))
		case *query.SubLink:
			if p.volatileQuery(f.Query) {
				use('v')
			} else {
				use('s')
			}
		}
		return w != 'v'
	})
	return w
}

// ioVolatility is the worse of the output and the input function's.
func (p *planner) ioVolatility(x *query.CoerceViaIO) byte {
	w := byte('i')
	for i, oid := range []types.OID{x.Arg.Type().OID, x.T.OID} {
		t, err := p.cat.Type(p.ctx, oid)
		if err != nil || t == nil {
			return 's'
		}
		fn := t.Output
		if i == 1 {
			fn = t.Input
		}
		if v := p.volatility(fn); v != 'i' {
			w = 's'
		}
	}
	return w
}

func (p *planner) isVolatile(e query.Expr) bool { return p.worst(e) == 'v' }

func (p *planner) isImmutable(e query.Expr) bool { return p.worst(e) == 'i' }

// volatileQuery: some expression of the query, at any depth, is volatile.
func (p *planner) volatileQuery(q *query.Query) bool {
	v := false
	queryExprs(q, func(e query.Expr) {
		v = v || p.isVolatile(e)
	})
	return v
}

// queryExprs visits the expressions of a query and of the queries in its range
// table and WITH list; those in SubLinks are left to the visitor.
func queryExprs(q *query.Query, f func(query.Expr)) {
	one := func(e query.Expr) {
		if !isNil(e) {
			f(e)
		}
	}
	for _, te := range q.TargetList {
		one(te.Expr)
	}
	for _, te := range q.Returning {
		one(te.Expr)
	}
	one(q.Having)
	one(q.LimitCount)
	one(q.LimitOffset)
	one(q.MergeJoin)
	var from func(it query.FromItem)
	from = func(it query.FromItem) {
		switch x := it.(type) {
		case *query.FromExpr:
			one(x.Quals)
			for _, i := range x.Items {
				from(i)
			}
		case *query.JoinExpr:
			one(x.Quals)
			from(x.Left)
			from(x.Right)
		}
	}
	if q.JoinTree != nil {
		from(q.JoinTree)
	}
	for _, rte := range q.RTable {
		if rte.Subquery != nil {
			queryExprs(rte.Subquery, f)
		}
		for _, fn := range rte.Functions {
			one(fn.Expr)
		}
		for _, row := range rte.ValuesLists {
			for _, e := range row {
				one(e)
			}
		}
	}
	for _, c := range q.CTEs {
		queryExprs(c.Query, f)
	}
}

// btreeStrategy gives the btree family and strategy of an operator, 0 for none.
func (p *planner) btreeStrategy(op types.OID) (family types.OID, strategy int, left, right types.OID) {
	for _, m := range p.cat.OpFamilyMembers(op) {
		if m.AM == "btree" {
			return m.Family, m.Strategy, m.Left, m.Right
		}
	}
	return 0, 0, 0, 0
}

// isEquality: the operator is the equality of a btree or hash family.
func (p *planner) isEquality(op types.OID) bool {
	for _, m := range p.cat.OpFamilyMembers(op) {
		if m.AM == "btree" && m.Strategy == catalog.StrategyEqual || m.AM == "hash" && m.Strategy == 1 {
			return true
		}
	}
	return false
}

// isComparison: the operator belongs to a btree family or is the negator of an equality.
func (p *planner) isComparison(op types.OID) bool {
	if _, s, _, _ := p.btreeStrategy(op); s != 0 {
		return true
	}
	o := p.cat.Operator(op)
	return o != nil && o.Negator != 0 && p.isEquality(o.Negator)
}

// isStrict tells whether a function gives NULL for any NULL argument.
func (p *planner) isStrict(fn types.OID) bool {
	f := p.cat.Function(fn)
	return f != nil && f.Strict
}

// OIDs of count.
const (
	procCountAny  types.OID = 2147
	procCountStar types.OID = 2803
)

func isCount(a *query.Aggref) bool { return a.Func == procCountAny || a.Func == procCountStar }

// negate gives the negation of a condition with NOT pushed down; exact in
// three-valued logic.
func (p *planner) negate(e query.Expr) query.Expr {
	switch x := e.(type) {
	case *query.BoolExpr:
		switch x.Op {
		case query.Not:
			return x.Args[0]
		default:
			n := *x
			n.Op = query.And + query.Or - x.Op
			n.Args = nil
			for _, a := range x.Args {
				n.Args = append(n.Args, p.negate(a))
			}
			return &n
		}
	case *query.OpExpr:
		if o := p.cat.Operator(x.Op); o != nil && o.Negator != 0 {
			if no := p.cat.Operator(o.Negator); no != nil {
				n := *x
				n.Op, n.Func, n.Name = no.OID, no.Func, no.Name
				return &n
			}
		}
	case *query.ScalarArrayOpExpr:
		if o := p.cat.Operator(x.Op); o != nil && o.Negator != 0 {
			if no := p.cat.Operator(o.Negator); no != nil {
				n := *x
				n.Op, n.Func, n.Name, n.UseOr = no.OID, no.Func, no.Name, !x.UseOr
				return &n
			}
		}
	case *query.NullTest:
		if !x.ArgIsRow {
			n := *x
			n.IsNot = !x.IsNot
			return &n
		}
	case *query.BooleanTest:
		n := *x
		n.Test = x.Test ^ 1 // the tests come in pairs: IS x, IS NOT x
		return &n
	case *query.Const:
		if v, null, ok := isConstBool(x); ok {
			if null {
				return x
			}
			return boolConst(!v)
		}
	}
	return notExpr(e)
}

// commute swaps the sides of a binary operator; ok false when it has no commutator.
func (p *planner) commute(o *query.OpExpr) (*query.OpExpr, bool) {
	d := p.cat.Operator(o.Op)
	if d == nil || d.Commutator == 0 || len(o.Args) != 2 {
		return nil, false
	}
	c := p.cat.Operator(d.Commutator)
	if c == nil {
		return nil, false
	}
	n := *o
	n.Op, n.Func, n.Name = c.OID, c.Func, c.Name
	n.Args = []query.Expr{o.Args[1], o.Args[0]}
	return &n, true
}
