package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// A subplan that is kept for several readers is computed whole, although each of them may
// want some of its rows only. Where every reader has conditions, rows that none of them
// wants are left out: the disjunction of the readers' conditions moves into the subplan,
// as deep as it can go. The readers keep their own. As a WITH item is computed before the
// conditions on it, only comparisons that cannot fail move; and nothing moves into one that
// is volatile, recursive or said to be MATERIALIZED.

// filterCTEs moves the readers' conditions into subplans. It runs between the passes that
// move conditions and those that order joins, on all trees of the statement.
func (p *planner) filterCTEs(root rel) {
	// Readers come after what they read: the last item's conditions are complete first.
	for i := len(p.ctes) - 1; i >= 0; i-- {
		c := p.ctes[i]
		if c.modifying || c.query == nil || c.fence || p.volatileTree(c.rel) {
			continue
		}
		rd := &cteReaders{p: p, cte: c}
		rd.visit(root, nil)
		for _, ip := range p.inits {
			rd.visit(ip.rel, nil)
		}
		for _, o := range p.ctes {
			rd.visit(o.rel, nil)
		}
		if rd.whole || len(rd.arms) == 0 {
			continue
		}
		q := rd.arms[0]
		if len(rd.arms) > 1 {
			q = &query.BoolExpr{Base: boolBase, Op: query.Or, Args: rd.arms}
		}
		c.rows = p.rows(c.rel) // what the readers' conditions are estimated on
		p.trace("pushdown", "cte_filter")
		c.rel = p.passSimplify(p.push(c.rel, conjuncts(p.simplify(q))), setOf(c.cols...))
		p.verify("pushdown", c.rel, setOf(c.cols...))
		p.rowsMemo = map[rel]float64{}
	}
}

// cteReaders collects what the readers of a subplan want of it.
type cteReaders struct {
	p   *planner
	cte *cteInfo
	// arms are the readers' conditions over the subplan's columns; whole: somebody wants all rows.
	arms  []query.Expr
	whole bool
}

// visit looks for readers in r, which is below conditions qs.
func (rd *cteReaders) visit(r rel, qs []query.Expr) {
	if rd.whole {
		return
	}
	switch x := r.(type) {
	case *relFilter:
		rd.visit(x.in, x.quals)
		return
	case *relCTE:
		if x.cte == rd.cte {
			rd.reader(x, qs)
		}
		return
	}
	for _, in := range r.inputs() {
		rd.visit(in, nil)
	}
}

func (rd *cteReaders) reader(x *relCTE, qs []query.Expr) {
	m := map[Col]query.Expr{}
	var own ColSet
	for i, c := range x.cols {
		if c != 0 {
			m[c] = rd.p.colVar(rd.cte.cols[i])
			own.add(c)
		}
	}
	var arm []query.Expr
	for _, q := range qs {
		if c := exprCols(q); !c.empty() && c.subsetOf(own) && rd.p.cannotFail(q) {
			arm = append(arm, substitute(q, m))
		}
	}
	switch len(arm) {
	case 0:
		rd.whole = true
	case 1:
		rd.arms = append(rd.arms, arm[0])
	default:
		rd.arms = append(rd.arms, &query.BoolExpr{Base: boolBase, Op: query.And, Args: arm})
	}
}

// cannotFail: q compares columns and constants by the operators of built-in btree
// families of scalars, asks for NULL, or combines such conditions.
func (p *planner) cannotFail(q query.Expr) bool {
	value := func(e query.Expr) bool {
		if r, ok := e.(*query.RelabelType); ok {
			e = r.Arg
		}
		switch x := e.(type) {
		case *query.Var, *query.Const:
			return true
		case *query.Param:
			return x.Kind == query.ParamExternal
		}
		return false
	}
	switch x := q.(type) {
	case *query.BoolExpr:
		for _, a := range x.Args {
			if !p.cannotFail(a) {
				return false
			}
		}
		return true
	case *query.NullTest:
		return !x.ArgIsRow && value(x.Arg)
	case *query.OpExpr:
		return len(x.Args) == 2 && p.scalarComparison(x.Op) && value(x.Args[0]) && value(x.Args[1])
	case *query.ScalarArrayOpExpr:
		_, isConst := x.Array.(*query.Const)
		return isConst && p.scalarComparison(x.Op) && value(x.Scalar)
	case *query.Var:
		return true
	}
	return false
}

// scalarComparison: an operator of a built-in btree family of scalars, or the negator of its equality.
func (p *planner) scalarComparison(op types.OID) bool {
	family, s, left, right := p.btreeStrategy(op)
	if s == 0 && p.isComparison(op) {
		if o := p.cat.Operator(op); o != nil {
			family, _, left, right = p.btreeStrategy(o.Negator)
		}
	}
	return family != 0 && family < types.FirstNormalOID && left != types.RecordOID && right != types.RecordOID && left != types.AnyArray && right != types.AnyArray
}
