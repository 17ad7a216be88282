package plan

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// bool_or(bool).
const procBoolOr types.OID = 2518

// matchFull gives a FULL JOIN whose conditions hold sub-selects over both sides. The
// join on the other conditions has every candidate pair, and every row without one;
// over its rows the sub-selects are values like others. A row of one side then has a
// match if any of its pairs does, and comes out alone, once, if none does: every
// joined row is taken three times, as a pair, as its left row and as its right row.
// Columns of the two sides are seen from above through the columns that say whether
// the side is there (rteScope.present).
func (p *planner) matchFull(x *query.JoinExpr, j *relJoin, quals []query.Expr, sc *scope) rel {
	lcols, rcols := outCols(j.left), outCols(j.right)
	hash := false
	for _, q := range j.quals {
		_, _, _, ok := p.hashable(q, lcols, rcols)
		hash = hash || ok
	}
	if !hash {
		p.fail(pgerror.New(pgerror.FeatureNotSupported, "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions"))
	}
	lid, rid := p.numbered(&j.left), p.numbered(&j.right)
	thereL := &query.NullTest{Base: boolBase, Arg: p.colVar(lid), IsNot: true}
	thereR := &query.NullTest{Base: boolBase, Arg: p.colVar(rid), IsNot: true}
	var r rel = j
	both := []query.Expr{thereL, thereR}
	for _, q := range quals {
		e := p.expand(q, &exprCtx{sc: sc, at: &r, guard: []query.Expr{thereL, thereR}})
		both = append(both, boolTest(e, query.IsTrue))
	}
	ok := p.newCol(colInfo{t: types.Of(types.Bool), name: "matched", notNull: true})
	r = &relProject{unary: unary{r}, items: []projItem{{ok, andAll(both)}}, barrier: true}
	alone := func(id Col, there query.Expr) query.Expr {
		hit := p.newCol(colInfo{t: types.Of(types.Bool), name: "matched"})
		row := p.newCol(colInfo{t: types.Of(types.Int8), name: "row_number", notNull: true})
		r = &relWindow{unary: unary{r}, partition: []query.Expr{p.colVar(id)},
			frame: query.Frame{Mode: query.FrameRange, Start: query.UnboundedPreceding, End: query.UnboundedFollowing},
			calls: []windowItem{{row, p.rowNumber()}, {hit, &query.WindowFunc{Base: boolBase, Func: procBoolOr, Name: "bool_or", IsAgg: true,
				Args: []query.Expr{p.colVar(ok)}}}}}
		first := &query.OpExpr{Base: boolBase, Op: opInt8Le, Func: procInt8Le, Name: "<=", Args: []query.Expr{p.colVar(row), one8}}
		return andAll([]query.Expr{there, boolTest(p.colVar(hit), query.IsNotTrue), first})
	}
	aloneL, aloneR := alone(lid, thereL), alone(rid, thereR)
	pair, left, right := int4Const(1), int4Const(2), int4Const(3)
	as := p.newCol(colInfo{t: types.Of(types.Int4), name: "as", notNull: true})
	is := func(v query.Expr) query.Expr {
		return &query.OpExpr{Base: boolBase, Op: opInt4Eq, Func: procInt4Eq, Name: "=", Args: []query.Expr{p.colVar(as), v}}
	}
	r = &relJoin{typ: joinInner, left: r, right: &relValues{cols: []Col{as}, rows: [][]query.Expr{{pair}, {left}, {right}}, alias: "full"}}
	r = &relFilter{unary{r}, []query.Expr{orAll([]query.Expr{
		andAll([]query.Expr{is(pair), p.colVar(ok)}), andAll([]query.Expr{is(left), aloneL}), andAll([]query.Expr{is(right), aloneR})})}}
	seenL := p.newCol(colInfo{t: types.Of(types.Bool), name: "left", notNull: true})
	seenR := p.newCol(colInfo{t: types.Of(types.Bool), name: "right", notNull: true})
	p.markPresent(x.Left, seenL, sc)
	p.markPresent(x.Right, seenR, sc)
	return &relProject{unary: unary{r}, items: []projItem{{seenL, notExpr(is(right))}, {seenR, notExpr(is(left))}}, barrier: true}
}

// numbered adds a number to each row of *r.
func (p *planner) numbered(r *rel) Col {
	id := p.newCol(colInfo{t: types.Of(types.Int8), name: "row_number", notNull: true})
	*r = &relWindow{unary: unary{*r}, calls: []windowItem{{id, p.rowNumber()}}, frame: rowsSoFar}
	return id
}

// markPresent lets the range table entries of a FROM item be seen through seen.
func (p *planner) markPresent(item query.FromItem, seen Col, sc *scope) {
	switch x := item.(type) {
	case *query.RangeTblRef:
		rs := sc.rtes[x.RTIndex-1]
		rs.present = append(rs.present, seen)
	case *query.FromExpr:
		for _, it := range x.Items {
			p.markPresent(it, seen, sc)
		}
	case *query.JoinExpr:
		p.markPresent(x.Left, seen, sc)
		p.markPresent(x.Right, seen, sc)
	}
}

// ifPresent is a column of an entry, NULL where the entry's side of a join is not there.
func (p *planner) ifPresent(rs *rteScope, e query.Expr) query.Expr {
	for _, c := range rs.present {
		e = &query.CaseExpr{Base: query.Base{T: e.Type(), Coll: e.Collation(), Loc: -1}, Whens: []query.CaseWhen{{Cond: p.colVar(c), Result: e}}}
	}
	return e
}
