package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// passEagerAgg aggregates one operand of the joins below a grouping before it is joined
// (Yan and Larson's eager group-by): a PARTIAL grouping by those of its columns that are used
// above stands in its place, and the grouping on top, now FINAL, merges the states of the
// joined rows. A state is that of rows that no join condition and no key tells apart, so it
// counts as often as each of them would. Done where the estimate says that it pays
// (pass_eager_cost.go).
//
// An operand may be any subtree from which the path to the grouping leads through filters and
// joins that treat its rows one by one. If the path makes its rows NULL, a lost state has to
// be what a row of NULLs would have added: nothing.
func (p *planner) passEagerAgg(r rel, need ColSet) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.passEagerAgg(in, need))
	}
	if g, ok := r.(*relGroup); ok && !p.opts.Settings.NoEagerAgg {
		p.eagerAgg(g)
	}
	return r
}

// eagerAgg splits g if that pays.
func (p *planner) eagerAgg(g *relGroup) {
	if len(g.aggs) == 0 || g.phase != planpb.Agg_COMPLETE {
		return
	}
	e := &eagerSearch{p: p, g: g}
	in := g.in
	m := map[Col]query.Expr{}
	if pr, ok := in.(*relProject); ok {
		if !p.liftable(pr) {
			return
		}
		in = pr.in
		for _, it := range pr.items { // an item may use an earlier one
			m[it.col] = substitute(it.expr, m)
		}
	}
	if !joinBelow(in) || !e.calls(m) || !freeCols(g).empty() {
		return
	}
	e.descend(in, nil, false)
	if e.best != nil {
		e.apply(in)
	}
}

// joinBelow: filters above a join.
func joinBelow(r rel) bool {
	if f, ok := r.(*relFilter); ok {
		return joinBelow(f.in)
	}
	_, ok := r.(*relJoin)
	return ok
}

// eagerSearch is the search for the operand to aggregate first.
type eagerSearch struct {
	p    *planner
	g    *relGroup
	keys []projItem
	aggs []eagerCall
	path []pathStep
	best *eagerChoice
}

// pathStep is a filter or join between the grouping and an operand.
type pathStep struct {
	r    rel
	side int // of a join: the input that holds the operand
}

// eagerCall is a call of the grouping over the columns of the joins.
type eagerCall struct {
	item aggItem
	// filter are the conditions of its FILTER, which may be split.
	filter []query.Expr
	// known, unless nil: the call counts the rows in which this is not NULL, and where it comes from
	// another operand is count(*) with a filter.
	known query.Expr
}

// eagerChoice is an operand and what its PARTIAL grouping is to have.
type eagerChoice struct {
	path []pathStep
	r    rel
	need ColSet // key columns: what is used above
	// keyed are the positions of the final keys that are computed below.
	keyed map[int]bool
	gain  float64
}

// calls prepares keys and calls; false: some call cannot be split at all.
func (e *eagerSearch) calls(m map[Col]query.Expr) bool {
	p := e.p
	anyOrder := p.opts.Workers > 1 && !p.opts.Settings.NoParallel || p.opts.Sites > 0
	for _, k := range e.g.keys {
		x := substitute(k.expr, m)
		if p.isVolatile(x) {
			return false
		}
		e.keys = append(e.keys, projItem{k.col, x})
	}
	for _, a := range e.g.aggs {
		n := substitute(a.agg, m).(*query.Aggref)
		if n.Kind == 'n' && p.anyOf.has(a.col) && !exprCols(n).empty() && isNil(n.Filter) {
			// the other keys determine it: it may as well be a key (passGroupKeys)
			e.aggs = append(e.aggs, eagerCall{item: aggItem{col: a.col, agg: n}})
			continue
		}
		if n.Kind != 'n' || n.Func >= types.FirstNormalOID || !combines(n, anyOrder) || p.isVolatile(n) || sumOverflows(n) {
			return false
		}
		c := eagerCall{item: aggItem{col: a.col, agg: n}}
		if !isNil(n.Filter) {
			c.filter = conjuncts(n.Filter)
		}
		if n.Func == procCountAny && len(n.Args) == 1 && n.Args[0].Expr.Type().Class == types.ClassBase {
			c.known = n.Args[0].Expr
		}
		e.aggs = append(e.aggs, c)
	}
	return true
}

// descend looks for operands below r. used are the columns that the path uses, nullable says
// that it may make r's rows NULL.
func (e *eagerSearch) descend(r rel, used []query.Expr, nullable bool) {
	p := e.p
	switch x := r.(type) {
	case *relFilter:
		for _, q := range x.quals {
			if p.isVolatile(q) {
				return
			}
		}
		e.path = append(e.path, pathStep{r: x})
		e.descend(x.in, append(used[:len(used):len(used)], x.quals...), nullable)
		e.path = e.path[:len(e.path)-1]
	case *relJoin:
		for _, q := range x.quals {
			if p.isVolatile(q) {
				return
			}
		}
		if isGate(x.left) || correlated(x.right, outCols(x.left)) {
			return // for few rows, or by their order
		}
		used = append(used[:len(used):len(used)], x.quals...)
		side := func(i int, in rel, nullable bool) {
			e.path = append(e.path, pathStep{x, i})
			e.consider(in, used, nullable)
			e.descend(in, used, nullable)
			e.path = e.path[:len(e.path)-1]
		}
		switch x.typ {
		case joinFull:
		case joinInner, joinLeft:
			side(1, x.right, nullable || x.typ == joinLeft)
			fallthrough
		default:
			side(0, x.left, nullable)
		}
	}
}

// consider weighs r as the operand that is aggregated first.
func (e *eagerSearch) consider(r rel, used []query.Expr, nullable bool) {
	p := e.p
	own := outCols(r)
	inside := func(x query.Expr) bool { return exprCols(x).subsetOf(own) }
	c := &eagerChoice{r: r, keyed: map[int]bool{}}
	above := exprCols(used...)
	calls, conditions := map[string]bool{}, 0
	for _, a := range e.aggs {
		n := a.item.agg
		if p.anyOf.has(a.item.col) {
			above.addAll(exprCols(n))
			continue
		}
		if nullable && (!ignoresNull[n.Name] || len(n.Args) != 1 || !p.nullOnNull(n.Args[0].Expr, own)) {
			return
		}
		for _, te := range n.Args {
			if !inside(te.Expr) {
				if isNil(a.known) || nullable {
					return
				}
				above.addAll(exprCols(a.known))
				conditions++
			} else if !p.isTotal(te.Expr) {
				return
			}
		}
		for _, q := range a.filter {
			if !inside(q) || !p.isTotal(q) {
				above.addAll(exprCols(q))
				conditions++
			}
		}
		bare := *n
		bare.Filter = nil
		calls[exprKey(&bare)] = true
	}
	above = above.intersect(own)
	for _, k := range above.list() {
		if !imageEqual(p.cols[k].t) {
			return
		}
	}
	var keys []query.Expr
	joined := above.copy()
	for i, k := range e.keys {
		if col, ok := asCol(k.expr); ok {
			if own.has(col) {
				above.add(col)
			}
			continue
		}
		kc := exprCols(k.expr).intersect(own)
		if kc.subsetOf(joined) {
			continue // computed from keys, once a group
		}
		if inside(k.expr) && !nullable && p.isTotal(k.expr) {
			c.keyed[i] = true
			keys = append(keys, k.expr)
			continue
		}
		for _, col := range kc.list() {
			if !imageEqual(p.cols[col].t) {
				return
			}
			above.add(col)
		}
	}
	c.need = above
	for _, k := range above.list() {
		keys = append(keys, p.colVar(k))
	}
	if len(keys) == 0 {
		return // without rows there would be a group all the same
	}
	c.path = append([]pathStep{}, e.path...)
	if c.gain = e.gain(c, keys, len(calls), conditions); c.gain > 0 && (e.best == nil || c.gain > e.best.gain) {
		e.best = c
	}
}

// apply puts the PARTIAL grouping in and makes the grouping FINAL. in is the input of the
// grouping, below projections.
func (e *eagerSearch) apply(in rel) {
	p, g, c := e.p, e.g, e.best
	own := outCols(c.r)
	part := &relGroup{unary: unary{c.r}, phase: planpb.Agg_PARTIAL}
	top := &relProject{unary: unary{in}}
	for _, k := range c.need.list() {
		part.keys = append(part.keys, projItem{k, p.colVar(k)})
	}
	column := func(x query.Expr, below bool) query.Expr {
		if _, ok := asCol(x); ok {
			return x
		}
		n := p.newCol(colInfo{t: x.Type(), expr: x})
		if below {
			part.keys = append(part.keys, projItem{n, x})
		} else {
			top.items = append(top.items, projItem{n, x})
		}
		return p.colVar(n)
	}
	var keys []projItem
	for i, k := range e.keys {
		keys = append(keys, projItem{k.col, column(k.expr, c.keyed[i])})
	}
	states := map[string]Col{}
	var aggs []aggItem
	for _, a := range e.aggs {
		n := a.item.agg
		if p.anyOf.has(a.item.col) {
			keys = append(keys, projItem{a.item.col, column(n.Args[0].Expr, false)})
			continue
		}
		call := *n
		call.Filter = nil
		var below, above []query.Expr
		for _, q := range a.filter {
			if exprCols(q).subsetOf(own) && p.isTotal(q) {
				below = append(below, q)
			} else {
				above = append(above, q)
			}
		}
		if len(below) > 0 {
			call.Filter = andAll(below)
		}
		if len(n.Args) > 0 && !isNil(a.known) && !exprCols(a.known).subsetOf(own) {
			above = append(above, &query.NullTest{Base: boolBase, Arg: a.known, IsNot: true})
			call.Func, call.Args, call.NumArgs, call.Star, call.ArgTypes = procCountStar, nil, 0, true, nil
		}
		id := exprKey(&call)
		s, ok := states[id]
		if !ok {
			s = p.newCol(colInfo{t: types.Of(types.Bytea), expr: &call})
			states[id] = s
			part.aggs = append(part.aggs, aggItem{col: s, agg: &call})
		}
		state := query.Expr(p.colVar(s))
		if len(above) > 0 {
			state = column(&query.CaseExpr{Base: query.Base{T: types.Of(types.Bytea), Loc: -1}, Whens: []query.CaseWhen{{Cond: andAll(above), Result: state}}}, false)
		}
		final := call
		final.Filter, final.Star, final.NumArgs = nil, false, 1
		final.Args = []*query.TargetEntry{{Expr: state, ResNo: 1}}
		aggs = append(aggs, aggItem{col: a.item.col, agg: &final, whole: &call})
	}
	last := c.path[len(c.path)-1]
	last.r.setInput(last.side, part)
	g.keys, g.aggs, g.phase = keys, aggs, planpb.Agg_FINAL
	g.in = rel(top)
	if len(top.items) == 0 {
		g.in = in
	}
	p.trace("eager_agg", "partial_below_join")
}

// imageEqual: equal values of the type are the same to every function.
func imageEqual(t types.T) bool {
	if t.Class != types.ClassBase {
		return false
	}
	switch t.OID {
	case types.Bool, types.Text, types.VarChar, types.UUIDOID, types.Oid, types.Char, types.Name, types.Bytea:
		return true
	case types.BPChar:
		return t.Mod > 0
	}
	return narrowKeys[t.OID]
}

// nullOnNull: e is NULL when all columns of s are.
func (p *planner) nullOnNull(e query.Expr, s ColSet) bool {
	args := func(fn types.OID, es []query.Expr) bool {
		if !p.isStrict(fn) {
			return false
		}
		for _, a := range es {
			if p.nullOnNull(a, s) {
				return true
			}
		}
		return false
	}
	switch x := e.(type) {
	case *query.Var:
		return s.has(Col(x.RTIndex))
	case *query.RelabelType:
		return p.nullOnNull(x.Arg, s)
	case *query.FuncExpr:
		return !x.RetSet && args(x.Func, x.Args)
	case *query.OpExpr:
		return !x.RetSet && args(x.Func, x.Args)
	}
	return false
}

// isTotal: e has a value for every row, also for those that a join would have dropped.
func (p *planner) isTotal(e query.Expr) bool {
	ok := true
	walk(e, func(x query.Expr) bool {
		switch f := x.(type) {
		case *query.Var, *query.Const, *query.RelabelType, *query.BoolExpr, *query.BooleanTest, *query.CoalesceExpr:
		case *query.Param:
			ok = ok && f.Kind == query.ParamExternal
		case *query.NullTest:
			ok = ok && !f.ArgIsRow
		case *query.CaseExpr:
			ok = ok && isNil(f.Arg)
		case *query.ScalarArrayOpExpr:
			_, isConst := f.Array.(*query.Const)
			ok = ok && isConst && p.scalarComparison(f.Op)
		case *query.OpExpr:
			ok = ok && (p.scalarComparison(f.Op) || totalOperator(f))
		case *query.FuncExpr:
			ok = ok && totalCast(f)
		default:
			ok = false
		}
		return ok
	})
	return ok
}

// sumOverflows: the aggregate adds up values whose sum may be out of range, and that of rows which a join drops
// must not be the one that is.
func sumOverflows(n *query.Aggref) bool {
	if n.Name == "count" || n.Name == "min" || n.Name == "max" {
		return false
	}
	for i := range n.NumArgs {
		switch n.Args[i].Expr.Type().OID {
		case types.Float4, types.Float8, types.IntervalOID:
			return true
		}
	}
	return false
}

// totalOperator: +, − and * of numeric, which has room for every result of columns of a declared precision.
func totalOperator(x *query.OpExpr) bool {
	if x.RetSet || x.Op >= types.FirstNormalOID || x.T.OID != types.NumericOID {
		return false
	}
	for _, a := range x.Args {
		if a.Type().OID != types.NumericOID {
			return false
		}
	}
	declared := true
	walk(x, func(e query.Expr) bool {
		if v, ok := e.(*query.Var); ok && v.T.OID == types.NumericOID && v.T.Mod < 0 {
			declared = false
		}
		return declared
	})
	return declared && (x.Name == "+" || x.Name == "-" || x.Name == "*")
}

// totalCast: a widening cast, or a part of a date or timestamp.
func totalCast(x *query.FuncExpr) bool {
	if x.RetSet || x.Func >= types.FirstNormalOID || len(x.Args) == 0 {
		return false
	}
	if len(x.Args) == 2 && (x.Name == "extract" || x.Name == "date_part" || x.Name == "date_trunc") {
		c, ok := x.Args[0].(*query.Const)
		if !ok || x.Args[1].Type().OID != types.DateOID && x.Args[1].Type().OID != types.TimestampOID {
			return false
		}
		s, ok := c.Value.(string)
		return ok && (s == "year" || s == "month" || s == "day" || s == "quarter" || s == "week")
	}
	if len(x.Args) != 1 {
		return false
	}
	from := x.Args[0].Type().OID
	switch x.T.OID {
	case types.Int4:
		return from == types.Int2
	case types.Int8:
		return from == types.Int2 || from == types.Int4
	case types.NumericOID:
		return from == types.Int2 || from == types.Int4 || from == types.Int8
	case types.Float8:
		return from == types.Int2 || from == types.Int4 || from == types.Int8 || from == types.Float4
	}
	return false
}
