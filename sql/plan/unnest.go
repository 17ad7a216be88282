package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// General unnesting of dependent joins, for what pulling conditions up cannot do
// (pass_decorrelate.go). The left side is computed once and kept; the distinct
// values of its columns that the right side uses, the domain, are joined into the
// right side instead, at the leaves that need them, and carried up through its
// operators: aggregates group by them too, windows and limits count per value,
// set operations compare them too. The join then matches the left row's values
// with those carried along, NULL with NULL. The right side is so computed once for
// all values that occur, and for no others.
//
// It stays a dependent join where the left side is a row being changed or locked
// (a re-check needs the row itself), where it depends on a row outside itself,
// below a LIMIT that will not read all its rows, and where it has but a few rows.

// unnestRowsMin is the estimated number of left rows that makes unnesting worth it.
const unnestRowsMin = 8

type unnester struct {
	p      *planner
	outer  ColSet
	params []Col
	cte    *cteInfo
}

// carried maps the columns of the left side to those carried through the right.
type carried map[Col]query.Expr

// unnest makes the right side of j independent of its left; nil when it cannot.
func (p *planner) unnest(j *relJoin, lcols ColSet) rel {
	if p.earlyStop[j] || !p.shareable(j.left) || !freeCols(j.left).empty() || isGate(j.left) {
		return nil
	}
	switch j.typ {
	case joinInner, joinLeft, joinSingle, joinSemi, joinAnti:
	case joinMark:
		if j.subplan == "exact" {
			return nil // no hash keys then: comparing all pairs would cost more than it saves
		}
	default:
		return nil
	}
	if overFunction(j.right) || p.rows(j.left) < unnestRowsMin {
		return nil
	}
	right := cloneRel(j.right)
	if right == nil {
		return nil
	}
	u := &unnester{p: p, outer: lcols, params: freeCols(right).intersect(lcols).list()}
	for _, c := range u.params {
		if !exactEquality(p.cols[c].t) {
			return nil
		}
	}
	if !u.can(right) {
		return nil
	}
	nn := p.nonNull(j.left)
	u.cte = &cteInfo{id: uint32(len(p.ctes)), name: "outer_rows", rel: j.left, cols: lcols.list()}
	p.ctes = append(p.ctes, u.cte)
	u.cte.refs++
	l := &relCTE{cte: u.cte, cols: u.cte.cols, alias: u.cte.name}
	r, m := u.push(right)
	quals := append([]query.Expr{}, j.quals...)
	for _, c := range u.params {
		quals = append(quals, p.sameValue(p.colVar(c), m[c], !nn.has(c)))
	}
	p.trace("decorrelate", "domain")
	return &relJoin{typ: j.typ, left: l, right: p.passDecorrelate(r, ColSet{}), quals: quals, mark: j.mark, subplan: j.subplan}
}

// overFunction: the right side is a function of the left's row and what is made of
// its rows one by one: it has to be called for every value, in a join as well.
func overFunction(r rel) bool {
	for {
		switch x := r.(type) {
		case *relFunction:
			return true
		case *relFilter:
			r = x.in
		case *relProject:
			r = x.in
		default:
			return false
		}
	}
}

// shareable: the tree may be computed once, away from its place.
func (p *planner) shareable(r rel) bool {
	switch x := r.(type) {
	case *relGet:
		if x.target != 0 {
			return false
		}
	case *relLock, *relModify, *relWorkTable:
		return false
	}
	for _, in := range r.inputs() {
		if !p.shareable(in) {
			return false
		}
	}
	return true
}

// exactEquality: equal values of the type cannot be told apart (1.0 = 1.00 can).
func exactEquality(t types.T) bool {
	switch t.OID {
	case types.Bool, types.Int2, types.Int4, types.Int8, types.Oid, types.Text, types.VarChar, types.Name, types.Char,
		types.DateOID, types.TimestampOID, types.TimestampTZOID, types.UUIDOID, types.Bytea, types.Bit, types.VarBit:
		return true
	}
	return t.Class == types.ClassEnum
}

// sameValue is a = b, or a IS NOT DISTINCT FROM b.
func (p *planner) sameValue(a, b query.Expr, nulls bool) query.Expr {
	t := a.Type()
	oc, equal := p.cat.DefaultOpClass("hash", t.OID), 1
	if oc == nil { // bit strings have an ordering only
		oc, equal = p.cat.DefaultOpClass("btree", t.OID), 3
	}
	if oc == nil {
		p.bug("no equality for type %d", t.OID)
	}
	op := p.cat.Operator(p.cat.FamilyOperator(oc.Family, oc.InType, oc.InType, equal))
	if op == nil {
		p.bug("no equality for type %d", t.OID)
	}
	if oc.InType != t.OID && t.Class == types.ClassBase {
		in := types.Of(oc.InType)
		a = &query.RelabelType{Base: query.Base{T: in, Coll: a.Collation(), Loc: -1}, Arg: a, Form: query.CoerceImplicitCast}
		b = &query.RelabelType{Base: query.Base{T: in, Coll: b.Collation(), Loc: -1}, Arg: b, Form: query.CoerceImplicitCast}
	}
	if nulls {
		return notExpr(&query.DistinctExpr{Base: boolBase, Op: op.OID, Func: op.Func, Left: a, Right: b})
	}
	return &query.OpExpr{Base: boolBase, Op: op.OID, Func: op.Func, Name: "=", Args: []query.Expr{a, b}}
}

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
		if x.sets != nil || len(x.groupings) > 0 {
			return false
		}
		for _, a := range x.aggs {
			if x.scalar() && !isCount(a.agg) && !u.p.nullOverNothing(a.agg) {
				return false
			}
		}
	case *relDistinctOn:
		if _, ok := x.in.(*relSort); !ok {
			return false
		}
	case *relLimit:
		_, okC := u.p.constRows(x.count)
		_, okO := u.p.constRows(x.offset)
		if !okC || !okO || x.withTies {
			return false
		}
	case *relJoin:
		if x.typ == joinFull || x.typ == joinNullAwareAnti {
			return false
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
	u.cte.refs++
	c := &relCTE{cte: u.cte, cols: make([]Col, len(u.cte.cols)), alias: u.cte.name}
	g := &relGroup{unary: unary{c}, distinct: true}
	m := carried{}
	for i, col := range u.cte.cols {
		c.cols[i] = p.newCol(p.cols[col])
		for _, q := range u.params {
			if q == col {
				k := p.newCol(p.cols[col])
				g.keys = append(g.keys, projItem{k, p.colVar(c.cols[i])})
				m[col] = p.colVar(k)
			}
		}
	}
	return g, m
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

// keys are the carried columns as expressions.
func (u *unnester) keys(m carried) []query.Expr {
	var out []query.Expr
	for _, c := range u.params {
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
		x.partition = append(u.keys(m), x.partition...)
		return x, m
	case *relGroup:
		return u.pushGroup(x)
	case *relDistinctOn:
		s := x.in.(*relSort)
		in, m := u.push(s.in)
		order := make([]sortItem, len(s.keys))
		for i, k := range s.keys {
			order[i] = sortItem{substitute(k.expr, m), k.desc, k.nullsFirst}
		}
		return u.firstRows(in, append(u.keys(m), u.exprs(x.keys, m)...), order, 0, 1, true), m
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
		x.cols, out = u.more(x.cols)
		return x, out
	case *relSetOp:
		add := func(r rel, cols []Col) (rel, []Col) {
			n, m := u.push(r)
			cols = append([]Col{}, cols...)
			for _, c := range u.params {
				cols = append(cols, colOf(m[c]))
			}
			return n, cols
		}
		x.left, x.lcols = add(x.left, x.lcols)
		x.right, x.rcols = add(x.right, x.rcols)
		var out carried
		x.cols, out = u.more(x.cols)
		return x, out
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
		ap.cols, out = u.more(x.cols)
		return ap, out
	case *relFunction:
		d, m := u.domain()
		u.subst(x, m)
		return &relJoin{typ: joinInner, left: d, right: x}, m
	case *relJoin:
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
func (u *unnester) more(cols []Col) ([]Col, carried) {
	out, m := append([]Col{}, cols...), carried{}
	for _, c := range u.params {
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

// pushGroup groups by the domain too. A scalar aggregation gives a row for every
// value of the domain, also those that no input row has.
func (u *unnester) pushGroup(g *relGroup) (rel, carried) {
	p := u.p
	scalar := g.scalar()
	in, m := u.push(g.in)
	g.in = in
	mapRelExprs(g, func(e query.Expr) query.Expr { return substitute(e, m) })
	out := carried{}
	for _, c := range u.params {
		k := p.newCol(p.cols[c])
		g.keys = append(g.keys, projItem{k, m[c]})
		out[c] = p.colVar(k)
	}
	if !scalar {
		return g, out
	}
	d, dm := u.domain()
	j := &relJoin{typ: joinLeft, left: d, right: g}
	for _, c := range u.params {
		j.quals = append(j.quals, p.sameValue(dm[c], out[c], true))
	}
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

// pushLimit numbers the rows of each value.
func (u *unnester) pushLimit(x *relLimit) (rel, carried) {
	count, _ := u.p.constRows(x.count)
	offset, _ := u.p.constRows(x.offset)
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
	keys := make([]sortItem, len(order))
	for i, k := range order {
		keys[i] = sortItem{substitute(k.expr, m), k.desc, k.nullsFirst}
	}
	out := u.firstRows(in, u.keys(m), keys, offset, count, !isNil(x.count))
	for i := len(above) - 1; i >= 0; i-- {
		above[i].in = out
		mapRelExprs(above[i], func(e query.Expr) query.Expr { return substitute(e, m) })
		out = above[i]
	}
	return out, m
}

// int8 > int8.
const (
	opInt8Gt   types.OID = 413
	procInt8Gt types.OID = 470
)

// firstRows keeps count rows after offset of each partition.
func (u *unnester) firstRows(in rel, partition []query.Expr, order []sortItem, offset, count float64, limited bool) rel {
	p := u.p
	int8 := types.Of(types.Int8)
	c := p.newCol(colInfo{t: int8, name: "row_number", notNull: true})
	w := &relWindow{unary: unary{in}, partition: partition, order: order, calls: []windowItem{{c, &query.WindowFunc{
		Base: query.Base{T: int8, Loc: -1}, Func: procRowNumber, Name: "row_number"}}}}
	w.frame = query.Frame{Mode: query.FrameRange, Start: query.UnboundedPreceding, End: query.CurrentRow}
	cmp := func(op, fn types.OID, name string, n float64) query.Expr {
		return &query.OpExpr{Base: boolBase, Op: op, Func: fn, Name: name,
			Args: []query.Expr{p.colVar(c), &query.Const{Base: query.Base{T: int8, Loc: -1}, Value: int64(n)}}}
	}
	var qs []query.Expr
	if limited {
		qs = append(qs, cmp(opInt8Le, procInt8Le, "<=", offset+count))
	}
	if offset > 0 {
		qs = append(qs, cmp(opInt8Gt, procInt8Gt, ">", offset))
	}
	return filtered(w, qs)
}

// stopsEarly notes the joins on the way from a LIMIT down its streaming inputs,
// whose left sides may not be read to the end.
func (p *planner) stopsEarly(r rel, under bool) {
	switch x := r.(type) {
	case *relLimit:
		under = under || !isNil(x.count)
	case *relFilter, *relProject, *relProjectSet:
	case *relJoin:
		if under {
			if p.earlyStop == nil {
				p.earlyStop = map[*relJoin]bool{}
			}
			p.earlyStop[x] = true
		}
		p.stopsEarly(x.left, under)
		p.stopsEarly(x.right, false)
		return
	default:
		under = false
	}
	for _, in := range r.inputs() {
		p.stopsEarly(in, under)
	}
}
