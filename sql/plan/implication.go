package plan

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// When is a partial index's predicate sure to hold? It has to follow from the
// conditions of a scan, or from the WHERE of an ON CONFLICT target. As in
// PostgreSQL: by ANDs and ORs taken apart, by equality of expressions, by
// strictness for IS NOT NULL, and by comparing the constants of btree operators.

// implied: a partial index's predicate follows from the conditions.
func (p *planner) implied(pred query.Expr, qs []query.Expr, colOf map[int]Col) bool {
	e := p.overCols(pred, colOf)
	if e == nil {
		return false
	}
	var given []query.Expr
	for _, q := range qs {
		given = append(given, conjuncts(q)...)
	}
	return p.follows(p.simplify(e), given)
}

// armsMax bounds the arrays that are looked into as ORs.
const armsMax = 100

// follows: pred is true wherever all of qs are.
func (p *planner) follows(pred query.Expr, qs []query.Expr) bool {
	for _, q := range qs {
		if p.impliesAtom(q, pred) {
			return true
		}
	}
	if b, ok := pred.(*query.BoolExpr); ok && b.Op == query.And {
		for _, x := range b.Args {
			if !p.follows(x, qs) {
				return false
			}
		}
		return true
	}
	// A condition that is an OR: each arm has to imply the predicate.
	for i, q := range qs {
		arms := p.arms(q, true)
		if arms == nil {
			continue
		}
		rest := append(append([]query.Expr{}, qs[:i]...), qs[i+1:]...)
		all := true
		for _, a := range arms {
			if !p.follows(pred, append(conjuncts(a), rest...)) {
				all = false
				break
			}
		}
		if all {
			return true
		}
	}
	for _, a := range p.arms(pred, true) {
		if p.follows(a, qs) {
			return true
		}
	}
	if arms := p.arms(pred, false); arms != nil {
		for _, a := range arms {
			if !p.follows(a, qs) {
				return false
			}
		}
		return true
	}
	return false
}

// arms takes an OR (or, with or false, what stands for an AND) apart: x = ANY of a
// constant array too. nil when e is none.
func (p *planner) arms(e query.Expr, or bool) []query.Expr {
	switch x := e.(type) {
	case *query.BoolExpr:
		if or && x.Op == query.Or {
			return x.Args
		}
	case *query.ScalarArrayOpExpr:
		if x.UseOr != or {
			return nil
		}
		var elems []query.Expr
		switch a := stripRelabel(x.Array).(type) {
		case *query.ArrayExpr:
			elems = a.Elems
		case *query.Const:
			v, ok := a.Value.(*types.Array)
			if !ok {
				return nil
			}
			et := v.Elem
			for _, d := range v.Elems {
				elems = append(elems, &query.Const{Base: query.Base{T: et, Coll: a.Coll, Loc: -1}, Value: d})
			}
		}
		if len(elems) == 0 || len(elems) > armsMax {
			return nil
		}
		var out []query.Expr
		for _, el := range elems {
			out = append(out, &query.OpExpr{Base: x.Base, Op: x.Op, Func: x.Func, Name: x.Name, Args: []query.Expr{x.Scalar, el}})
		}
		return out
	}
	return nil
}

// impliesAtom: pred is true wherever q is.
func (p *planner) impliesAtom(q, pred query.Expr) bool {
	return equalExpr(pred, q) || p.impliesNotNull(q, pred) || p.impliesComparison(q, pred)
}

// impliesNotNull: c is "x IS NOT NULL" and q can be true only for non-null x.
func (p *planner) impliesNotNull(q, c query.Expr) bool {
	nt, ok := c.(*query.NullTest)
	if !ok || !nt.IsNot || nt.ArgIsRow {
		return false
	}
	col, ok := asCol(nt.Arg)
	return ok && p.rejectsNull(q, setOf(col))
}

// comparison is x op constant, op by its btree strategy; 6 is <>.
type comparison struct {
	arg      query.Expr
	value    *query.Const
	family   types.OID
	strategy int
}

const strategyUnequal = 6

func (p *planner) comparison(e query.Expr) (c comparison, ok bool) {
	o, ok := e.(*query.OpExpr)
	if !ok || len(o.Args) != 2 {
		return c, false
	}
	l, r := o.Args[0], o.Args[1]
	op := p.cat.Operator(o.Op)
	if op == nil {
		return c, false
	}
	if _, isConst := l.(*query.Const); isConst {
		if op = p.cat.Operator(op.Commutator); op == nil {
			return c, false
		}
		l, r = r, l
	}
	if c.value, ok = r.(*query.Const); !ok || c.value.Value == nil {
		return c, false
	}
	c.arg = l
	oc := p.cat.DefaultOpClass("btree", op.Left)
	if oc == nil {
		return c, false
	}
	c.family, c.strategy = oc.Family, p.strategyOf(oc, op)
	return c, c.strategy > 0
}

func (p *planner) strategyOf(oc *catalog.OpClass, op *catalog.Operator) int {
	for s := 1; s <= 5; s++ {
		if p.cat.FamilyOperator(oc.Family, op.Left, op.Right, s) == op.OID {
			return s
		}
	}
	if n := p.cat.Operator(op.Negator); n != nil && p.cat.FamilyOperator(oc.Family, n.Left, n.Right, 3) == n.OID {
		return strategyUnequal
	}
	return 0
}

// impliesComparison: both compare the same expression with constants, and those
// say that what q leaves is within pred.
func (p *planner) impliesComparison(q, pred query.Expr) bool {
	b, ok := p.comparison(pred)
	if !ok {
		return false
	}
	a, ok := p.comparison(q)
	if !ok || a.family != b.family || !equalExpr(a.arg, b.arg) || a.value.Coll != b.value.Coll {
		return false
	}
	const lt, le, eq, ge, gt, ne = 1, 2, 3, 4, 5, strategyUnequal
	test := 0 // how a's constant has to stand to b's
	switch a.strategy {
	case eq:
		test = b.strategy
	case lt:
		switch b.strategy {
		case lt, le, ne:
			test = le
		}
	case le:
		switch b.strategy {
		case le:
			test = le
		case lt, ne:
			test = lt
		}
	case gt:
		switch b.strategy {
		case gt, ge, ne:
			test = ge
		}
	case ge:
		switch b.strategy {
		case ge:
			test = ge
		case gt, ne:
			test = gt
		}
	case ne:
		if b.strategy == ne {
			test = eq
		}
	}
	if test == 0 {
		return false
	}
	negate := test == ne
	if negate {
		test = eq
	}
	op := p.cat.Operator(p.cat.FamilyOperator(a.family, a.value.T.OID, b.value.T.OID, test))
	if op == nil {
		return false
	}
	v, ok := p.simplify(&query.OpExpr{Base: boolBase, Op: op.OID, Func: op.Func, Name: op.Name, InputColl: a.value.Coll,
		Args: []query.Expr{a.value, b.value}}).(*query.Const)
	if !ok {
		return false
	}
	holds, ok := v.Value.(bool)
	return ok && holds != negate
}
