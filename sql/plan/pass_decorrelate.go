package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// passDecorrelate turns dependent joins into plain ones, innermost first. The
// conditions of the right side that use the left's columns are pulled up through
// its operators into the join: through a filter as they are, through grouping
// (where they must be equalities) by grouping on the inner column too, through
// LIMIT by numbering the rows per group. A join whose right side resists is
// unnested in general (unnest.go) or stays an Apply, which is always right.
func (p *planner) passDecorrelate(r rel, need ColSet) rel {
	return p.decorrelateTree(p.decorrelateTree(r, false), true)
}

// decorrelateTree is passDecorrelate for a subtree. Joins that depend on rows outside
// themselves too are unnested last, when those they depend on will not be.
func (p *planner) decorrelateTree(r rel, last bool) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.decorrelateTree(in, last))
	}
	j, ok := r.(*relJoin)
	if !ok {
		return r
	}
	lcols := outCols(j.left)
	if !correlated(j.right, lcols) || p.volatileTree(j.right) {
		return r
	}
	if n := p.decorrelate(j, lcols); n != nil {
		return n
	}
	if n := p.unnest(j, lcols, last); n != nil {
		return n
	}
	if last {
		p.trace("decorrelate", "apply")
	}
	return r
}

// volatileTree: some expression in the tree is volatile.
func (p *planner) volatileTree(r rel) bool {
	v := false
	mapRelExprs(r, func(e query.Expr) query.Expr { v = v || p.isVolatile(e); return e })
	for _, in := range r.inputs() {
		v = v || p.volatileTree(in)
	}
	return v
}

// pulled is what pull has taken out of a subtree.
type pulled struct {
	quals []query.Expr
	// above are projections to be computed above the join, innermost first.
	above []projItem
	// empty maps aggregate columns to their values over no rows (count is 0), for
	// a scalar aggregation that has become a grouped one.
	scalar bool
	counts []Col
	rules  []string
}

// decorrelate tries to make j's right side independent; nil when it cannot.
func (p *planner) decorrelate(j *relJoin, lcols ColSet) rel {
	if j.typ == joinFull || j.typ == joinNullAwareAnti {
		return nil
	}
	right, pl, ok := p.pull(j.right, lcols, j.typ)
	if !ok || correlated(right, lcols) {
		return nil
	}
	for _, rule := range pl.rules {
		p.trace("decorrelate", rule)
	}
	above := map[Col]query.Expr{}
	for _, it := range pl.above {
		above[it.col] = substitute(it.expr, above)
	}
	if j.exact() {
		if pl.scalar {
			return nil
		}
		for i, q := range pl.quals {
			pl.quals[i], right = p.neverUnknown(substitute(q, above), right, lcols)
		}
	}
	quals := append(append([]query.Expr{}, pl.quals...), j.quals...)
	if pl.scalar {
		return p.joinScalarAgg(j, right, pl, above)
	}
	for i := range quals {
		quals[i] = substitute(quals[i], above)
	}
	switch j.typ {
	case joinInner:
		var out rel = &relJoin{typ: joinInner, left: j.left, right: right, quals: quals}
		if len(pl.above) > 0 {
			out = &relProject{unary: unary{out}, items: pl.above}
		}
		return out
	case joinSemi, joinAnti, joinMark:
		return &relJoin{typ: j.typ, left: j.left, right: right, quals: quals, mark: j.mark, subplan: j.subplan}
	case joinLeft, joinSingle:
		if len(pl.above) == 0 {
			return &relJoin{typ: j.typ, left: j.left, right: right, quals: quals}
		}
		// Computed columns must be NULL where the join found no row.
		m := p.newCol(colInfo{t: types.Of(types.Bool), name: "matched", notNull: true})
		marked := &relProject{unary: unary{right}, items: []projItem{{m, boolConst(true)}}, barrier: true}
		out := &relProject{unary: unary{&relJoin{typ: j.typ, left: j.left, right: marked, quals: quals}}}
		for _, it := range pl.above {
			e := &query.CaseExpr{Base: query.Base{T: it.expr.Type(), Coll: it.expr.Collation(), Loc: -1},
				Whens: []query.CaseWhen{{Cond: p.colVar(m), Result: it.expr}}}
			out.items = append(out.items, projItem{it.col, e})
		}
		return out
	}
	return nil
}

// neverUnknown is a condition of a WHERE clause as one of an exact mark join, whose
// NULLs would count: an equality requires its right side instead.
func (p *planner) neverUnknown(q query.Expr, right rel, lcols ColSet) (query.Expr, rel) {
	rcols := outCols(right)
	l, r, ok := p.equalitySides(q)
	if ok {
		if exprCols(l).intersects(rcols) {
			l, r = r, l
		}
		if _, _, _, ok = p.hashable(q, lcols, rcols); ok {
			o := q.(*query.OpExpr)
			return notExpr(&query.DistinctExpr{Base: boolBase, Op: o.Op, Func: o.Func, Left: o.Args[0], Right: o.Args[1]}),
				&relFilter{unary{right}, []query.Expr{&query.NullTest{Base: boolBase, Arg: r, IsNot: true}}}
		}
	}
	return boolTest(q, query.IsTrue), right
}

// joinScalarAgg joins a scalar aggregation that was grouped by its correlation:
// left rows without a group see the aggregates over no rows.
func (p *planner) joinScalarAgg(j *relJoin, right rel, pl *pulled, above map[Col]query.Expr) rel {
	zero := map[Col]query.Expr{}
	for _, c := range pl.counts {
		zero[c] = &query.CoalesceExpr{Base: query.Base{T: p.cols[c].t, Loc: -1}, Args: []query.Expr{p.colVar(c),
			&query.Const{Base: query.Base{T: p.cols[c].t, Loc: -1}, Value: int64(0)}}}
	}
	switch j.typ {
	case joinLeft, joinSingle, joinInner:
		if j.typ == joinInner && len(j.quals) > 0 {
			return nil
		}
		if len(j.quals) > 0 { // a guard: without it the result is NULL, not the empty aggregate
			return nil
		}
		var out rel = &relJoin{typ: joinLeft, left: j.left, right: right, quals: pl.quals}
		items := []projItem{}
		ren := map[Col]query.Expr{}
		for _, c := range pl.counts {
			// The compensated value takes the column's place above; the raw one gets a new name.
			raw := p.newCol(p.cols[c])
			p.renameMade(right, c, raw)
			zero[c] = &query.CoalesceExpr{Base: query.Base{T: p.cols[c].t, Loc: -1}, Args: []query.Expr{p.colVar(raw),
				&query.Const{Base: query.Base{T: p.cols[c].t, Loc: -1}, Value: int64(0)}}}
			items = append(items, projItem{c, zero[c]})
			ren[c] = p.colVar(raw)
		}
		if len(items) > 0 {
			out = &relProject{unary: unary{out}, items: items}
		}
		if len(pl.above) > 0 {
			out = &relProject{unary: unary{out}, items: pl.above}
		}
		return out
	case joinSemi, joinMark:
		// A missing group must not match: true when the test rejects the NULLs.
		qs := make([]query.Expr, len(j.quals))
		for i, q := range j.quals {
			qs[i] = substitute(q, above)
		}
		if len(pl.counts) > 0 || len(qs) == 0 {
			return nil
		}
		agg := outCols(right)
		rejects := false
		for _, q := range qs {
			rejects = rejects || p.rejectsNull(q, agg)
		}
		if !rejects {
			return nil
		}
		return &relJoin{typ: j.typ, left: j.left, right: right, quals: append(append([]query.Expr{}, pl.quals...), qs...), mark: j.mark, subplan: j.subplan}
	}
	return nil
}

// renameMade gives an aggregate's column another number where it is made.
func (p *planner) renameMade(r rel, from, to Col) {
	if g, ok := r.(*relGroup); ok {
		for i := range g.aggs {
			if g.aggs[i].col == from {
				g.aggs[i].col = to
			}
		}
	}
	mapRelExprs(r, func(e query.Expr) query.Expr { return substitute(e, map[Col]query.Expr{from: p.colVar(to)}) })
	for _, in := range r.inputs() {
		p.renameMade(in, from, to)
	}
}

// pull makes r independent of the columns in outer, giving what has to hold or be
// computed above the join instead. ok is false when it cannot; r may then have
// been copied in part but is unchanged.
func (p *planner) pull(r rel, outer ColSet, typ joinType) (rel, *pulled, bool) {
	if !correlated(r, outer) {
		return r, &pulled{}, true
	}
	switch x := r.(type) {
	case *relFilter:
		in, pl, ok := p.pull(x.in, outer, typ)
		if !ok {
			return nil, nil, false
		}
		if pl.scalar {
			return nil, nil, false // HAVING decides about rows that the join would add
		}
		above := itemMap(pl.above)
		var own []query.Expr
		for _, q := range x.quals {
			s := substitute(q, above)
			if exprCols(s).intersects(outer) {
				pl.quals = append(pl.quals, s)
			} else {
				own = append(own, s)
			}
		}
		pl.rules = append(pl.rules, "pull_filter")
		return filtered(in, own), pl, true
	case *relProject:
		in, pl, ok := p.pull(x.in, outer, typ)
		if !ok {
			return nil, nil, false
		}
		lift := len(pl.above) > 0 || pl.scalar
		for _, it := range x.items {
			lift = lift || exprCols(it.expr).intersects(outer)
		}
		if !lift {
			return &relProject{unary: unary{in}, items: x.items, barrier: x.barrier}, pl, true
		}
		pl.above = append(pl.above, x.items...)
		return in, pl, true
	case *relGroup:
		return p.pullGroup(x, outer)
	case *relJoin:
		return p.pullJoin(x, outer)
	case *relSort:
		in, pl, ok := p.pull(x.in, outer, typ)
		if !ok || len(pl.above) > 0 || pl.scalar || usedCols(x).intersects(outer) {
			return nil, nil, false
		}
		return &relSort{unary: unary{in}, keys: x.keys}, pl, true // an aggregate above may want the order
	case *relDistinctOn:
		return nil, nil, false
	case *relWindow:
		in, pl, ok := p.pull(x.in, outer, typ)
		if !ok || len(pl.above) > 0 || pl.scalar || usedCols(x).intersects(outer) {
			return nil, nil, false
		}
		keys, ok := p.equalityKeys(pl.quals, outer)
		if !ok {
			return nil, nil, false
		}
		n := &relWindow{unary: unary{in}, order: x.order, frame: x.frame, calls: x.calls}
		n.partition = append(append([]query.Expr{}, keys...), x.partition...)
		pl.rules = append(pl.rules, "pull_window")
		return n, pl, true
	case *relLimit:
		return p.pullLimit(x, outer, typ)
	}
	return nil, nil, false
}

func itemMap(items []projItem) map[Col]query.Expr {
	m := map[Col]query.Expr{}
	for _, it := range items {
		m[it.col] = substitute(it.expr, m)
	}
	return m
}

// equalityKeys gives the inner sides of conditions that are all equalities of an
// inner with an outer expression.
func (p *planner) equalityKeys(qs []query.Expr, outer ColSet) ([]query.Expr, bool) {
	var keys []query.Expr
	for _, q := range qs {
		if exprCols(q).subsetOf(outer) {
			continue // a condition on the outer row alone
		}
		l, r, ok := p.equalitySides(q)
		if !ok {
			return nil, false
		}
		if exprCols(l).intersects(outer) {
			l, r = r, l
		}
		if exprCols(l).intersects(outer) || !exprCols(r).subsetOf(outer) || !p.groupable(l) {
			return nil, false
		}
		keys = append(keys, l)
	}
	return keys, true
}

// groupable: values that are equal under the type's default equality are equal
// under the condition's too.
func (p *planner) groupable(e query.Expr) bool {
	return p.cat.DefaultOpClass("hash", e.Type().OID) != nil
}

func (p *planner) pullGroup(g *relGroup, outer ColSet) (rel, *pulled, bool) {
	if usedCols(g).intersects(outer) || g.sets != nil {
		return nil, nil, false
	}
	in, pl, ok := p.pull(g.in, outer, joinInner)
	if !ok || pl.scalar {
		return nil, nil, false
	}
	if len(pl.above) > 0 {
		m := itemMap(pl.above)
		for _, e := range m {
			if exprCols(e).intersects(outer) {
				return nil, nil, false
			}
		}
		in = &relProject{unary: unary{in}, items: pl.above}
		pl.above = nil
	}
	n := &relGroup{unary: unary{in}, keys: append([]projItem{}, g.keys...), aggs: append([]aggItem{}, g.aggs...), distinct: g.distinct}
	scalar := g.scalar()
	keys, ok := p.equalityKeys(pl.quals, outer)
	if !ok {
		return nil, nil, false
	}
	m := map[string]Col{}
	for _, k := range n.keys {
		m[exprKey(k.expr)] = k.col
	}
	repl := map[string]query.Expr{}
	for _, k := range keys {
		c, have := m[exprKey(k)]
		if !have {
			if v, isVar := asCol(k); isVar {
				c = v
			} else {
				c = p.newCol(colInfo{t: k.Type(), coll: k.Collation(), name: "key", expr: k})
			}
			n.keys = append(n.keys, projItem{c, k})
			m[exprKey(k)] = c
		}
		repl[exprKey(k)] = p.colVar(c)
	}
	for i, q := range pl.quals {
		pl.quals[i] = rewrite(q, func(x query.Expr) query.Expr { return repl[exprKey(x)] })
	}
	if scalar {
		if len(keys) == 0 {
			return nil, nil, false
		}
		pl.scalar = true
		for _, a := range n.aggs {
			if isCount(a.agg) {
				pl.counts = append(pl.counts, a.col)
			} else if !p.nullOverNothing(a.agg) {
				return nil, nil, false
			}
		}
		pl.rules = append(pl.rules, "group_scalar_aggregate")
	} else {
		pl.rules = append(pl.rules, "pull_group")
	}
	return n, pl, true
}

// nullOverNothing: the aggregate of no rows is NULL.
func (p *planner) nullOverNothing(a *query.Aggref) bool {
	switch a.Name {
	case "regr_count":
		return false
	}
	return a.Kind == 'n'
}

func (p *planner) pullJoin(j *relJoin, outer ColSet) (rel, *pulled, bool) {
	lcols := outCols(j.left)
	if correlated(j.right, lcols) {
		return nil, nil, false
	}
	switch j.typ {
	case joinInner:
		l, pl, ok := p.pull(j.left, outer, joinInner)
		if !ok || pl.scalar {
			return nil, nil, false
		}
		r, pr, ok := p.pull(j.right, outer, joinInner)
		if !ok || pr.scalar {
			return nil, nil, false
		}
		out := &pulled{quals: append(pl.quals, pr.quals...), above: append(pl.above, pr.above...), rules: append(pl.rules, pr.rules...)}
		m := itemMap(out.above)
		n := &relJoin{typ: joinInner, left: l, right: r}
		for _, q := range j.quals {
			s := substitute(q, m)
			if exprCols(s).intersects(outer) {
				out.quals = append(out.quals, s)
			} else {
				n.quals = append(n.quals, s)
			}
		}
		return n, out, true
	case joinLeft, joinSemi, joinAnti, joinMark, joinSingle, joinNullAwareAnti:
		if correlated(j.right, outer) || exprCols(j.quals...).intersects(outer) {
			return nil, nil, false
		}
		l, pl, ok := p.pull(j.left, outer, joinInner)
		if !ok || pl.scalar || len(pl.above) > 0 {
			return nil, nil, false
		}
		n := *j
		n.left = l
		return &n, pl, true
	}
	return nil, nil, false
}

// row_number().
const procRowNumber types.OID = 3100

// int8 <= int8.
const (
	opInt8Le   types.OID = 414
	procInt8Le types.OID = 471
)

// pullLimit replaces a constant LIMIT by row numbers per value of the correlation.
func (p *planner) pullLimit(x *relLimit, outer ColSet, typ joinType) (rel, *pulled, bool) {
	n, ok := p.constRows(x.count)
	if !ok || isNil(x.count) || x.withTies || !isNil(x.offset) || usedCols(x).intersects(outer) {
		return nil, nil, false
	}
	body := x.in
	var items []projItem
	for {
		if pr, ok := body.(*relProject); ok && !pr.barrier {
			items = append(append([]projItem{}, pr.items...), items...)
			body = pr.in
			continue
		}
		break
	}
	var order []sortItem
	if s, ok := body.(*relSort); ok {
		order = s.keys
		body = s.in
	}
	in, pl, ok := p.pull(body, outer, joinInner)
	if !ok || len(pl.above) > 0 || pl.scalar || exprCols(sortExprs(order)...).intersects(outer) {
		return nil, nil, false
	}
	keys, ok := p.equalityKeys(pl.quals, outer)
	if !ok {
		return nil, nil, false
	}
	for _, it := range items {
		if exprCols(it.expr).intersects(outer) {
			return nil, nil, false
		}
	}
	int8 := types.Of(types.Int8)
	c := p.newCol(colInfo{t: int8, name: "row_number", notNull: true})
	w := &relWindow{unary: unary{in}, partition: keys, order: order, calls: []windowItem{{c, &query.WindowFunc{
		Base: query.Base{T: int8, Loc: -1}, Func: procRowNumber, Name: "row_number"}}}}
	w.frame = query.Frame{Mode: query.FrameRange, Start: query.UnboundedPreceding, End: query.CurrentRow}
	cut := &query.OpExpr{Base: boolBase, Op: opInt8Le, Func: procInt8Le, Name: "<=",
		Args: []query.Expr{p.colVar(c), &query.Const{Base: query.Base{T: int8, Loc: -1}, Value: int64(n)}}}
	var out rel = &relFilter{unary{w}, []query.Expr{cut}}
	if len(items) > 0 {
		out = &relProject{unary: unary{out}, items: items}
	}
	pl.rules = append(pl.rules, "limit_to_row_number")
	return out, pl, true
}
