package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// can tells whether push will manage the tree; nothing has been changed then.
func (u *unnester) can(r rel) bool {
	if !correlated(r, u.outer) {
		return true
	}
	switch x := r.(type) {
	case *relFilter, *relProject, *relProjectSet, *relSort, *relWindow, *relAppend, *relSetOp:
	case *relValues, *relFunction:
		return true
	case *relGroup:
		if x.sets != nil && len(x.keys) > groupingKeysMax-1 {
			return false
		}
	case *relDistinctOn:
	case *relLimit:
		_, okC := u.p.constRows(x.count)
		_, okO := u.p.constRows(x.offset)
		if !okC || !okO {
			return false
		}
	case *relJoin:
		if x.typ == joinFull {
			return u.can(x.left) && u.can(x.right)
		}
		return u.can(x.left) && (x.typ != joinInner || correlated(x.left, u.outer) || u.can(x.right))
	default:
		return false
	}
	for _, in := range r.inputs() {
		if !u.can(in) {
			return false
		}
	}
	return true
}

// domain is a new reading of the distinct values.
func (u *unnester) domain() (rel, carried) {
	p := u.p
	from := []Col(nil)
	if u.cte != nil {
		from = u.cte.cols
	} else {
		from = u.batch.cols
	}
	cols := make([]Col, len(from))
	at := carried{}
	for i, col := range from {
		cols[i] = p.newCol(p.cols[col])
		at[col] = p.colVar(cols[i])
	}
	var r rel
	if u.cte != nil {
		u.cte.refs++
		r = &relCTE{cte: u.cte, cols: cols, alias: u.cte.name}
	} else {
		r = &relChunk{slot: u.batch.slot, cols: cols, rows: u.rows}
	}
	m := carried{}
	if len(u.keys) != len(u.params) { // the rows themselves
		for _, c := range u.params {
			m[c] = at[c]
		}
		return r, m
	}
	g := &relGroup{unary: unary{r}, distinct: true}
	for _, c := range u.params {
		k := p.newCol(p.cols[c])
		g.keys = append(g.keys, projItem{k, at[c]})
		m[c] = p.colVar(k)
	}
	return g, m
}

// complete adds to a tree that carries the keys alone the rest of the domain's columns.
func (u *unnester) complete(r rel, m carried) (rel, carried) {
	if len(u.keys) == len(u.params) {
		return r, m
	}
	d, dm := u.domain()
	return &relJoin{typ: joinInner, left: d, right: r, quals: u.same(dm, m, false)}, dm
}

// same are the conditions that two trees carry the same values.
func (u *unnester) same(a, b carried, nulls bool) []query.Expr {
	var qs []query.Expr
	for _, c := range u.keys {
		qs = append(qs, u.p.sameValue(a[c], b[c], nulls))
	}
	return qs
}

// subst replaces the outer columns everywhere in a tree.
func (u *unnester) subst(r rel, m carried) {
	mapRelExprs(r, func(e query.Expr) query.Expr { return substitute(e, m) })
	for _, in := range r.inputs() {
		u.subst(in, m)
	}
}

func (u *unnester) exprs(es []query.Expr, m carried) []query.Expr {
	out := make([]query.Expr, len(es))
	for i, e := range es {
		out[i] = substitute(e, m)
	}
	return out
}

// keyExprs are the carried keys as expressions.
func (u *unnester) keyExprs(m carried) []query.Expr {
	var out []query.Expr
	for _, c := range u.keys {
		out = append(out, m[c])
	}
	return out
}

// push gives r with the domain joined in, over all of whose values it is computed.
// REQUIRES: can(r).
func (u *unnester) push(r rel) (rel, carried) {
	p := u.p
	if !correlated(r, u.outer) {
		d, m := u.domain()
		if _, ok := r.(*relResult); ok {
			return d, m
		}
		return &relJoin{typ: joinInner, left: d, right: r}, m
	}
	one := func() carried {
		in, m := u.push(r.inputs()[0])
		r.setInput(0, in)
		mapRelExprs(r, func(e query.Expr) query.Expr { return substitute(e, m) })
		return m
	}
	switch x := r.(type) {
	case *relFilter, *relProject, *relProjectSet, *relSort:
		return r, one()
	case *relWindow:
		m := one()
		x.partition = append(u.keyExprs(m), x.partition...)
		return x, m
	case *relGroup:
		return u.pushGroup(x)
	case *relDistinctOn:
		body := x.in
		var order []sortItem
		if s, ok := body.(*relSort); ok { // not there when its keys are constants
			order, body = s.keys, s.in
		}
		in, m := u.push(body)
		return u.firstRows(in, append(u.keyExprs(m), u.exprs(x.keys, m)...), u.sortKeys(order, m), &relLimit{count: one8}), m
	case *relLimit:
		return u.pushLimit(x)
	case *relAppend:
		var out carried
		for i, in := range x.ins {
			n, m := u.push(in)
			x.ins[i] = n
			for _, c := range u.params {
				x.inCols[i] = append(append([]Col{}, x.inCols[i]...), colOf(m[c]))
			}
		}
		x.cols, out = u.more(x.cols, u.params)
		return x, out
	case *relSetOp:
		add := func(r rel, cols []Col) (rel, []Col) {
			n, m := u.push(r)
			cols = append([]Col{}, cols...)
			for _, c := range u.keys {
				cols = append(cols, colOf(m[c]))
			}
			return n, cols
		}
		x.left, x.lcols = add(x.left, x.lcols)
		x.right, x.rcols = add(x.right, x.rcols)
		var out carried
		x.cols, out = u.more(x.cols, u.keys)
		return u.complete(x, out)
	case *relValues:
		ap := &relAppend{}
		for _, row := range x.rows {
			d, m := u.domain()
			pr := &relProject{unary: unary{d}}
			var cols []Col
			for i, e := range row {
				c := p.newCol(p.cols[x.cols[i]])
				pr.items = append(pr.items, projItem{c, substitute(e, m)})
				cols = append(cols, c)
			}
			for _, c := range u.params {
				cols = append(cols, colOf(m[c]))
			}
			ap.ins, ap.inCols = append(ap.ins, pr), append(ap.inCols, cols)
		}
		var out carried
		ap.cols, out = u.more(x.cols, u.params)
		return ap, out
	case *relFunction:
		d, m := u.domain()
		u.subst(x, m)
		return &relJoin{typ: joinInner, left: d, right: x}, m
	case *relJoin:
		if x.typ == joinFull {
			return u.pushFull(x)
		}
		if x.typ == joinNullAwareAnti && correlated(x.right, u.outer) {
			x.typ = joinAnti
			for i, q := range x.quals {
				x.quals[i] = boolTest(q, query.IsNotFalse)
			}
		}
		if x.typ == joinInner && !correlated(x.left, u.outer) && !correlated(x.right, outCols(x.left)) {
			n, m := u.push(x.right)
			x.right = n
			x.quals = u.exprs(x.quals, m)
			return x, m
		}
		n, m := u.push(x.left)
		x.left = n
		x.quals = u.exprs(x.quals, m)
		u.subst(x.right, m) // may now depend on the left, to be unnested in turn
		return x, m
	}
	p.bug("unnesting %T", r)
	return nil, nil
}

// more adds output columns for the domain.
func (u *unnester) more(cols, domain []Col) ([]Col, carried) {
	out, m := append([]Col{}, cols...), carried{}
	for _, c := range domain {
		n := u.p.newCol(u.p.cols[c])
		out = append(out, n)
		m[c] = u.p.colVar(n)
	}
	return out, m
}

func colOf(e query.Expr) Col {
	c, _ := asCol(e)
	return c
}

// pushFull computes a full join for every value: what one side has for a value that
// the other does not have stays, with the value from its own side.
func (u *unnester) pushFull(x *relJoin) (rel, carried) {
	p := u.p
	l, lm := u.push(x.left)
	r, rm := u.push(x.right)
	both := make([]query.Expr, len(x.quals))
	for i, q := range x.quals {
		both[i] = substitute(q, lm)
	}
	j := &relJoin{typ: joinFull, left: l, right: r, quals: append(both, u.same(lm, rm, true)...)}
	pr, m := &relProject{unary: unary{j}}, carried{}
	for _, c := range u.keys {
		n := p.newCol(p.cols[c])
		t := p.cols[c]
		pr.items = append(pr.items, projItem{n, &query.CoalesceExpr{Base: query.Base{T: t.t, Coll: t.coll, Loc: -1}, Args: []query.Expr{lm[c], rm[c]}}})
		m[c] = p.colVar(n)
	}
	return u.complete(pr, m)
}

// pushGroup groups by the domain too. An aggregation without keys, and the empty set
// of grouping sets, give a row for every value of the domain, also for those that no
// input row has.
func (u *unnester) pushGroup(g *relGroup) (rel, carried) {
	p := u.p
	scalar, empty, simple := g.scalar(), false, true
	for _, s := range g.sets {
		empty = empty || len(s) == 0
	}
	for _, a := range g.aggs {
		simple = simple && (isCount(a.agg) || p.nullOverNothing(a.agg))
	}
	in, m := u.push(g.in)
	g.in = in
	var found query.Expr
	if empty || scalar && !simple {
		g.in, m, found = u.withMissing(in, m)
	}
	mapRelExprs(g, func(e query.Expr) query.Expr { return substitute(e, m) })
	out, own := carried{}, len(g.keys)
	for _, c := range u.keys {
		k := p.newCol(p.cols[c])
		for i := range g.sets {
			g.sets[i] = append(append([]int{}, g.sets[i]...), len(g.keys))
		}
		g.keys = append(g.keys, projItem{k, m[c]})
		out[c] = p.colVar(k)
	}
	if found != nil {
		return u.complete(u.groupMissing(g, found, own, empty), out)
	}
	if !scalar {
		return u.complete(g, out)
	}
	d, dm := u.domain()
	j := &relJoin{typ: joinLeft, left: d, right: g, quals: u.same(dm, out, true)}
	var items []projItem
	for i, a := range g.aggs {
		if isCount(a.agg) {
			raw := p.newCol(p.cols[a.col])
			g.aggs[i].col = raw
			items = append(items, projItem{a.col, &query.CoalesceExpr{Base: query.Base{T: p.cols[a.col].t, Loc: -1},
				Args: []query.Expr{p.colVar(raw), &query.Const{Base: query.Base{T: p.cols[a.col].t, Loc: -1}, Value: int64(0)}}}})
		}
	}
	if len(items) == 0 {
		return j, dm
	}
	return &relProject{unary: unary{j}, items: items}, dm
}

// withMissing gives a row to every value of the domain that in has none for; the
// condition tells the rows of in.
func (u *unnester) withMissing(in rel, m carried) (rel, carried, query.Expr) {
	p := u.p
	c := p.newCol(colInfo{t: types.Of(types.Bool), name: "matched", notNull: true})
	marked := &relProject{unary: unary{in}, items: []projItem{{c, boolConst(true)}}, barrier: true}
	d, dm := u.domain()
	return &relJoin{typ: joinLeft, left: d, right: marked, quals: u.same(dm, m, true)}, dm, &query.NullTest{Base: boolBase, Arg: p.colVar(c), IsNot: true}
}

// groupMissing aggregates in g only what was found, and drops the groups that were
// made of nothing, but for those of an empty set of its own keys.
func (u *unnester) groupMissing(g *relGroup, found query.Expr, own int, empty bool) rel {
	p := u.p
	for i := range g.aggs {
		a := *g.aggs[i].agg
		qs := []query.Expr{found}
		if !isNil(a.Filter) {
			qs = append(qs, a.Filter)
		}
		a.Filter = andAll(qs)
		g.aggs[i].agg = &a
	}
	if !empty {
		return g
	}
	int8 := types.Of(types.Int8)
	count := &query.Aggref{Base: query.Base{T: int8, Loc: -1}, Func: procCountStar, Name: "count", Kind: 'n', Star: true, Filter: found}
	n := p.newCol(colInfo{t: int8, name: "count", expr: count})
	g.aggs = append(g.aggs, aggItem{col: n, agg: count})
	all := groupingItem{col: p.newCol(colInfo{t: types.Of(types.Int4), name: "grouping", notNull: true})}
	for i := range own {
		all.keys = append(all.keys, i)
	}
	g.groupings = append(g.groupings, all)
	keep := orAll([]query.Expr{
		&query.OpExpr{Base: boolBase, Op: opInt8Gt, Func: procInt8Gt, Name: ">", Args: []query.Expr{p.colVar(n), &query.Const{Base: query.Base{T: int8, Loc: -1}, Value: int64(0)}}},
		&query.OpExpr{Base: boolBase, Op: opInt4Eq, Func: procInt4Eq, Name: "=", Args: []query.Expr{p.colVar(all.col), int4Const(int32(1)<<own - 1)}}})
	return filtered(g, []query.Expr{keep})
}

// groupingKeysMax is the number of keys that GROUPING() takes.
const groupingKeysMax = 31

// pushLimit numbers the rows of each value.
func (u *unnester) pushLimit(x *relLimit) (rel, carried) {
	body := x.in
	var above []*relProject
	for {
		pr, ok := body.(*relProject)
		if !ok {
			break
		}
		above = append(above, pr)
		body = pr.in
	}
	var order []sortItem
	if s, ok := body.(*relSort); ok {
		order = s.keys
		body = s.in
	}
	in, m := u.push(body)
	out := u.firstRows(in, u.keyExprs(m), u.sortKeys(order, m), x)
	for i := len(above) - 1; i >= 0; i-- {
		above[i].in = out
		mapRelExprs(above[i], func(e query.Expr) query.Expr { return substitute(e, m) })
		out = above[i]
	}
	return out, m
}

func (u *unnester) sortKeys(keys []sortItem, m carried) []sortItem {
	out := make([]sortItem, len(keys))
	for i, k := range keys {
		out[i] = sortItem{substitute(k.expr, m), k.desc, k.nullsFirst}
	}
	return out
}

// int8 > int8, rank().
const (
	opInt8Gt   types.OID = 413
	procInt8Gt types.OID = 470
	procRank   types.OID = 3101
)

// one8 is a count of one row.
var one8 = &query.Const{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Value: int64(1)}

// firstRows keeps of each partition what l keeps of all rows: by their numbers, and
// WITH TIES by their ranks, which the peers of the last row share.
func (u *unnester) firstRows(in rel, partition []query.Expr, order []sortItem, l *relLimit) rel {
	p := u.p
	count, _ := p.constRows(l.count)
	offset, _ := p.constRows(l.offset)
	int8 := types.Of(types.Int8)
	w := &relWindow{unary: unary{in}, partition: partition, order: order, frame: rowsSoFar}
	call := func(name string, fn *query.WindowFunc) Col {
		c := p.newCol(colInfo{t: int8, name: name, notNull: true})
		w.calls = append(w.calls, windowItem{c, fn})
		return c
	}
	cmp := func(c Col, op, fn types.OID, name string, n float64) query.Expr {
		return &query.OpExpr{Base: boolBase, Op: op, Func: fn, Name: name,
			Args: []query.Expr{p.colVar(c), &query.Const{Base: query.Base{T: int8, Loc: -1}, Value: int64(n)}}}
	}
	var qs []query.Expr
	row := Col(0)
	if offset > 0 || !l.withTies {
		row = call("row_number", p.rowNumber())
	}
	switch {
	case isNil(l.count):
	case l.withTies && count > 0:
		rank := call("rank", &query.WindowFunc{Base: query.Base{T: int8, Loc: -1}, Func: procRank, Name: "rank"})
		qs = append(qs, cmp(rank, opInt8Le, procInt8Le, "<=", offset+count))
	case l.withTies:
		qs = append(qs, boolConst(false))
	default:
		qs = append(qs, cmp(row, opInt8Le, procInt8Le, "<=", offset+count))
	}
	if offset > 0 {
		qs = append(qs, cmp(row, opInt8Gt, procInt8Gt, ">", offset))
	}
	if len(w.calls) == 0 {
		return filtered(in, qs)
	}
	return filtered(w, qs)
}
