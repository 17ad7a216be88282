package plan

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// passMinMax answers ungrouped min and max over a table by reading one row from
// the end of an index: each aggregate gets the first non-null row in its order as
// input. It is done only if all of the node's aggregates can have that.
func (p *planner) passMinMax(r rel, need ColSet) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.passMinMax(in, need))
	}
	g, ok := r.(*relGroup)
	if !ok || !g.scalar() || len(g.aggs) == 0 {
		return r
	}
	get, quals := getOf(g.in)
	if get == nil || get.table.Storage == nil || get.target != 0 || len(get.quals) > 0 || len(get.table.Indexes) == 0 {
		return r
	}
	for _, q := range quals {
		if p.isVolatile(q) {
			return r
		}
	}
	var out rel
	for _, a := range g.aggs {
		one := p.firstRow(get, quals, a)
		if one == nil {
			return r
		}
		if out == nil {
			out = one
		} else {
			out = &relJoin{typ: joinInner, left: out, right: one}
		}
	}
	p.trace("min_max", "first_row_of_index")
	return out
}

// firstRow is the aggregate over the one row that decides it; nil when no index
// gives that row.
func (p *planner) firstRow(get *relGet, quals []query.Expr, a aggItem) rel {
	ag := p.cat.Aggregate(a.agg.Func)
	if ag == nil || ag.SortOp == 0 || a.agg.NumArgs != 1 || len(a.agg.Args) != 1 || a.agg.Filter != nil || len(a.agg.Distinct)+len(a.agg.OrderBy) > 0 {
		return nil
	}
	c, ok := asCol(a.agg.Args[0].Expr)
	if !ok || !outCols(get).has(c) {
		return nil
	}
	_, strategy, _, _ := p.btreeStrategy(ag.SortOp)
	if strategy != catalog.StrategyLess && strategy != catalog.StrategyGreater {
		return nil
	}
	// A scan of its own.
	n := *get
	n.cols = nil
	m := map[Col]query.Expr{}
	for _, gc := range get.cols {
		nc := p.newCol(p.cols[gc.col])
		n.cols = append(n.cols, getCol{nc, gc.ord})
		m[gc.col] = p.colVar(nc)
	}
	arg := m[c]
	var qs []query.Expr
	for _, q := range quals {
		qs = append(qs, substitute(q, m))
	}
	if !p.cols[c].notNull {
		qs = append(qs, &query.NullTest{Base: boolBase, Arg: arg, IsNot: true})
	}
	desc := strategy == catalog.StrategyGreater
	s := &relSort{unary: unary{filtered(&n, qs)}, keys: []sortItem{{expr: arg, desc: desc, nullsFirst: desc}}}
	l := &relLimit{unary: unary{s}, count: &query.Const{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Value: int64(1)}}
	node := p.phys(l, physReq{need: exprCols(arg)})
	scan, ok := node.Inputs[0].Op.(*scanOp)
	if !ok || !scan.ordered {
		return nil
	}
	agg := substitute(a.agg, m).(*query.Aggref)
	return &relGroup{unary: unary{l}, aggs: []aggItem{{col: a.col, agg: agg}}}
}
