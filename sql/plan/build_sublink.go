package plan

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Kinds of initPlan, with planpb's values.
const (
	initScalar int32 = iota
	initExists
	initArray
	initRow
)

// exprCtx says where an expression is evaluated.
type exprCtx struct {
	sc *scope
	// at is the relation whose rows it is evaluated over: correlated sub-selects
	// are joined to it. nil with noJoin naming the place where that is not possible.
	at     *rel
	noJoin string
	// perRow: correlated sub-selects become init plans that run again for every row.
	perRow bool
	// guard holds the conditions under which the expression is evaluated at all
	// (branches of CASE and COALESCE).
	guard []query.Expr
	// nullIsFalse: the expression's NULL and FALSE mean the same (WHERE).
	nullIsFalse bool
}

func hasSubLink(es ...query.Expr) bool {
	found := false
	for _, e := range es {
		walk(e, func(x query.Expr) bool {
			switch x.(type) {
			case *query.SubLink, *query.MultiAssignRef:
				found = true
			}
			return !found
		})
	}
	return found
}

// where adds conditions above *r: sub-selects at their top become semi and anti
// joins, those deeper inside are computed first.
func (p *planner) where(qs []query.Expr, r *rel, sc *scope) {
	var plain []query.Expr
	var rest []query.Expr
	for _, q := range qs {
		if hasSubLink(q) {
			rest = append(rest, q)
		} else {
			plain = append(plain, q)
		}
	}
	if len(plain) > 0 {
		*r = &relFilter{unary{*r}, plain}
	}
	for _, q := range rest {
		if p.whereSubLink(q, r, sc) {
			continue
		}
		e := p.expand(q, &exprCtx{sc: sc, at: r, nullIsFalse: true})
		*r = &relFilter{unary{*r}, []query.Expr{e}}
	}
}

// whereSubLink turns [NOT] EXISTS, [NOT] IN, op ANY and op ALL as whole
// conditions into joins.
func (p *planner) whereSubLink(q query.Expr, r *rel, sc *scope) bool {
	neg := false
	for {
		b, ok := q.(*query.BoolExpr)
		if !ok || b.Op != query.Not {
			break
		}
		neg = !neg
		q = b.Args[0]
	}
	sl, ok := q.(*query.SubLink)
	if !ok {
		return false
	}
	switch sl.Kind {
	case query.SubLinkExists:
		sub := p.existsQuery(sl.Query, sc)
		if freeCols(sub).empty() {
			e := p.existsInit(sub)
			if neg {
				e = notExpr(e)
			}
			*r = &relFilter{unary{*r}, []query.Expr{e}}
			return true
		}
		typ := joinSemi
		if neg {
			typ = joinAnti
		}
		*r = &relJoin{typ: typ, left: *r, right: sub}
		return true
	case query.SubLinkAny, query.SubLinkAll:
		if hasSubLink(sl.Left...) {
			return false
		}
		sub, outs := p.buildQuery(sl.Query, sc)
		test := p.testExpr(sl.Test, outs)
		all := sl.Kind == query.SubLinkAll
		if all {
			neg = !neg
			test = notExpr(test)
		}
		if !neg {
			// true where some pair's test is true
			*r = &relJoin{typ: joinSemi, left: *r, right: sub, quals: conjuncts(test)}
			return true
		}
		// true where every pair's test is false
		j := &relJoin{left: *r, right: sub}
		nn := p.nonNull(*r).union(p.nonNull(sub))
		switch {
		case p.neverNull(test, nn):
			j.typ, j.quals = joinAnti, conjuncts(test)
			p.trace("build", "not_in_without_nulls")
		case !all && freeCols(sub).empty() && isSimpleEq(p, test):
			j.typ, j.quals = joinNullAwareAnti, []query.Expr{test}
		default:
			j.typ, j.quals = joinAnti, []query.Expr{boolTest(test, query.IsNotFalse)}
		}
		*r = j
		return true
	}
	return false
}

// isSimpleEq: one hashable equality.
func isSimpleEq(p *planner, e query.Expr) bool {
	o, ok := e.(*query.OpExpr)
	if !ok || len(o.Args) != 2 {
		return false
	}
	return p.isEquality(o.Op)
}

// testExpr puts the sub-select's columns into a SubLink's test.
func (p *planner) testExpr(test query.Expr, outs []Col) query.Expr {
	return rewrite(test, p.testPlace(outs))
}

func (p *planner) testPlace(outs []Col) func(query.Expr) query.Expr {
	return func(x query.Expr) query.Expr {
		if q, ok := x.(*query.Param); ok && q.Kind == query.ParamExec {
			if q.Number < 1 || q.Number > len(outs) {
				p.bug("sub-select has no column %d", q.Number)
			}
			return p.colVar(outs[q.Number-1])
		}
		return nil
	}
}

// expandTest puts columns into the places of a test and expands the sub-selects of
// its left side, in one walk: the parameters that hold those are not places.
func (p *planner) expandTest(test query.Expr, place func(query.Expr) query.Expr, cx *exprCtx) query.Expr {
	return rewrite(test, func(x query.Expr) query.Expr {
		switch x.(type) {
		case *query.SubLink, *query.MultiAssignRef, *query.CaseExpr, *query.CoalesceExpr:
			if hasSubLink(x) {
				return p.expand(x, cx)
			}
		}
		return place(x)
	})
}

// inArray computes an uncorrelated op ANY or op ALL where nothing can be joined: the
// sub-select's column becomes an array. nil when it is not of that simple form.
func (p *planner) inArray(test query.Expr, sub rel, outs []Col, all bool, cx *exprCtx) query.Expr {
	o, ok := test.(*query.OpExpr)
	if cx.at != nil || !ok || len(o.Args) != 2 || len(outs) != 1 || !cx.standalone(sub) {
		return nil
	}
	c, isCol := asCol(o.Args[1])
	array := types.ArrayOf(p.cols[outs[0]].t.OID)
	if !isCol || c != outs[0] || array == 0 {
		return nil
	}
	return &query.ScalarArrayOpExpr{Base: o.Base, Op: o.Op, Func: o.Func, Name: o.Name, UseOr: !all,
		Scalar: o.Args[0], Array: p.initPlanOf(sub, outs, initArray, []types.T{types.Of(array)})[0]}
}

// existsQuery builds the sub-select of EXISTS: its select list, order and a
// positive constant LIMIT do not matter.
func (p *planner) existsQuery(q *query.Query, sc *scope) rel {
	p.quietTargets(q)
	r, _ := p.buildQuery(q, sc)
	for {
		switch x := r.(type) {
		case *relSort:
			r = x.in
			continue
		case *relProject:
			if !p.volatileItems(x.items) {
				r = x.in
				continue
			}
		case *relLimit:
			if c, ok := x.count.(*query.Const); ok && x.offset == nil {
				if n, ok := c.Value.(int64); c.Value == nil || ok && n > 0 {
					r = x.in
					continue
				}
			}
		case *relGroup:
			if len(x.keys) > 0 && x.sets == nil {
				r = x.in // a group exists where a row does
				continue
			}
		}
		return r
	}
}

func (p *planner) volatileItems(items []projItem) bool {
	for _, it := range items {
		if p.isVolatile(it.expr) {
			return true
		}
	}
	return false
}

func (p *planner) existsInit(sub rel) query.Expr {
	t := types.Of(types.Bool)
	ip := &initPlan{rel: sub, kind: initExists, slots: []uint32{p.newSlot()}, types: []types.T{t}}
	p.inits = append(p.inits, ip)
	return execParam(ip.slots[0], t, 0)
}

func execParam(slot uint32, t types.T, coll types.OID) query.Expr {
	return &query.Param{Base: query.Base{T: t, Coll: coll, Loc: -1}, Kind: query.ParamExec, Number: int(slot)}
}

// initPlanOf makes sub an init plan and gives the parameters that hold its result.
func (p *planner) initPlanOf(sub rel, outs []Col, kind int32, ts []types.T) []query.Expr {
	ip := &initPlan{rel: sub, cols: outs, kind: kind, types: ts}
	var es []query.Expr
	for i, t := range ts {
		ip.slots = append(ip.slots, p.newSlot())
		coll := types.OID(0)
		if i < len(outs) {
			coll = p.cols[outs[i]].coll
		}
		es = append(es, execParam(ip.slots[i], t, coll))
	}
	p.inits = append(p.inits, ip)
	return es
}

// expand replaces the sub-selects of an expression (Vars resolved) by columns and
// parameters, joining what is correlated to *cx.at.
func (p *planner) expand(e query.Expr, cx *exprCtx) query.Expr {
	if isNil(e) || !hasSubLink(e) {
		return e
	}
	sub := func(guards ...query.Expr) *exprCtx {
		c := *cx
		c.nullIsFalse = false
		c.guard = append(append([]query.Expr{}, cx.guard...), guards...)
		return &c
	}
	switch x := e.(type) {
	case *query.SubLink:
		return p.subLink(x, cx)
	case *query.MultiAssignRef:
		return p.multiAssign(x, cx)
	case *query.BoolExpr:
		c := cx
		if x.Op == query.Not {
			c = sub()
		}
		return mapChildren(x, func(a query.Expr) query.Expr { return p.expand(a, c) })
	case *query.CaseExpr:
		if s := p.pruneCase(x); s != query.Expr(x) {
			return p.expand(s, cx)
		}
		n := *x
		n.Arg = p.expand(x.Arg, sub())
		n.Whens = nil
		var before []query.Expr
		cond := func(w query.Expr) query.Expr {
			if isNil(n.Arg) {
				return w
			}
			return replaceCaseTest(w, n.Arg)
		}
		for _, w := range x.Whens {
			c := p.expand(w.Cond, sub(before...))
			res := p.expand(w.Result, sub(append(append([]query.Expr{}, before...), cond(c))...))
			n.Whens = append(n.Whens, query.CaseWhen{Cond: c, Result: res})
			before = append(before, boolTest(cond(c), query.IsNotTrue))
		}
		n.Default = p.expand(x.Default, sub(before...))
		return &n
	case *query.CoalesceExpr:
		n := *x
		n.Args = nil
		var before []query.Expr
		for _, a := range x.Args {
			if a = p.simplify(a); isNullConst(a) {
				continue
			}
			a = p.expand(a, sub(before...))
			n.Args = append(n.Args, a)
			before = append(before, &query.NullTest{Base: boolBase, Arg: a})
			if isConst(a) {
				break // the sub-selects of what follows are never looked at
			}
		}
		if len(n.Args) == 0 {
			return &query.Const{Base: x.Base}
		}
		return &n
	}
	c := sub()
	return mapChildren(e, func(a query.Expr) query.Expr { return p.expand(a, c) })
}

// replaceCaseTest puts arg in the place of the nearest CASE operand.
func replaceCaseTest(e, arg query.Expr) query.Expr {
	return rewrite(e, func(x query.Expr) query.Expr {
		switch v := x.(type) {
		case *query.Param:
			if v.Kind == query.ParamCaseTest {
				return arg
			}
		case *query.CaseExpr:
			if !isNil(v.Arg) {
				return v // its operand is another
			}
		case *query.ArrayCoerceExpr:
			n := *v
			n.Arg = replaceCaseTest(v.Arg, arg)
			return &n
		}
		return nil
	})
}

// standalone: a sub-select can be an init plan.
func (cx *exprCtx) standalone(sub rel) bool {
	return cx.perRow || freeCols(sub).empty() && !readsWorkTable(sub)
}

// attach joins a correlated sub-select to the relation the expression is evaluated over.
func (p *planner) attach(typ joinType, sub rel, cx *exprCtx, quals []query.Expr) *relJoin {
	if cx.at == nil {
		p.unsupported("correlated subqueries in %s", cx.noJoin)
	}
	if len(cx.guard) > 0 {
		sub = &relJoin{typ: joinInner, left: &relFilter{unary{&relResult{}}, cx.guard}, right: sub}
	}
	p.subplans++
	j := &relJoin{typ: typ, left: *cx.at, right: sub, quals: quals}
	*cx.at = j
	return j
}

func (p *planner) subLink(sl *query.SubLink, cx *exprCtx) query.Expr {
	switch sl.Kind {
	case query.SubLinkExists:
		sub := p.existsQuery(sl.Query, cx.sc)
		if cx.standalone(sub) {
			return p.existsInit(sub)
		}
		j := p.attach(joinMark, sub, cx, nil)
		j.mark = p.newCol(colInfo{t: types.Of(types.Bool), name: "exists"})
		return p.markTest(j.mark, cx)
	case query.SubLinkAny, query.SubLinkAll:
		inner := *cx
		inner.nullIsFalse = false
		sub, outs := p.buildQuery(sl.Query, cx.sc)
		test := p.expandTest(sl.Test, p.testPlace(outs), &inner)
		all := sl.Kind == query.SubLinkAll
		if e := p.inArray(test, sub, outs, all, cx); e != nil {
			return e
		}
		if all {
			test = notExpr(test)
		}
		exact := !cx.nullIsFalse || all
		if exact && p.neverNull(test, p.nonNull(*orResult(cx.at)).union(p.nonNull(sub))) {
			exact = false
		}
		var qs []query.Expr
		if exact {
			qs = []query.Expr{test}
		} else {
			qs = conjuncts(test)
		}
		j := p.attach(joinMark, sub, cx, qs)
		j.mark = p.newCol(colInfo{t: types.Of(types.Bool), name: "in"})
		var out query.Expr
		if exact {
			out = p.colVar(j.mark)
			j.subplan = "exact"
		} else {
			out = p.markTest(j.mark, cx)
		}
		if all {
			out = notExpr(out)
		}
		return out
	case query.SubLinkExpr:
		sub, outs := p.buildQuery(sl.Query, cx.sc)
		if cx.standalone(sub) {
			return p.initPlanOf(sub, outs[:1], initScalar, p.typesOf(outs[:1]))[0]
		}
		p.attachScalar(sub, cx)
		return p.colVar(outs[0])
	case query.SubLinkRowCompare:
		sub, outs := p.buildQuery(sl.Query, cx.sc)
		place := p.testPlace(outs)
		if cx.standalone(sub) {
			ps := p.initPlanOf(sub, outs, initRow, p.typesOf(outs))
			place = func(x query.Expr) query.Expr {
				if q, ok := x.(*query.Param); ok && q.Kind == query.ParamExec && q.Number >= 1 && q.Number <= len(ps) {
					return ps[q.Number-1]
				}
				return nil
			}
		} else {
			p.attachScalar(sub, cx)
		}
		return p.expandTest(sl.Test, place, cx)
	case query.SubLinkArray:
		sub, outs := p.buildQuery(sl.Query, cx.sc)
		if cx.standalone(sub) {
			return p.initPlanOf(sub, outs[:1], initArray, []types.T{sl.T})[0]
		}
		agg := p.arrayAgg(outs[0], sl)
		c := p.newCol(colInfo{t: sl.T, name: "array", expr: agg})
		g := &relGroup{unary: unary{sub}, aggs: []aggItem{{col: c, agg: agg}}}
		p.attach(joinLeft, g, cx, nil)
		empty := &query.ArrayExpr{Base: query.Base{T: sl.T, Coll: sl.Coll, Loc: -1}, ElemType: sl.T.ElemType()}
		return &query.CoalesceExpr{Base: query.Base{T: sl.T, Coll: sl.Coll, Loc: -1}, Args: []query.Expr{p.colVar(c), empty}}
	}
	p.bug("sub-select of kind %d in an expression", sl.Kind)
	return nil
}

func orResult(at *rel) *rel {
	if at == nil {
		var r rel = &relResult{}
		return &r
	}
	return at
}

// markTest reads a mark that must not be NULL unless NULL means FALSE anyway.
func (p *planner) markTest(c Col, cx *exprCtx) query.Expr {
	if cx.nullIsFalse {
		return p.colVar(c)
	}
	return boolTest(p.colVar(c), query.IsTrue)
}

func (p *planner) attachScalar(sub rel, cx *exprCtx) {
	typ := joinSingle
	if p.maxOneRow(sub) {
		typ = joinLeft
	}
	p.attach(typ, sub, cx, nil)
}

// OIDs of array_agg.
const (
	procArrayAgg      types.OID = 2335
	procArrayAggArray types.OID = 4053
)

func (p *planner) arrayAgg(c Col, sl *query.SubLink) *query.Aggref {
	fn := procArrayAgg
	if p.cols[c].t.Class == types.ClassArray {
		fn = procArrayAggArray
	}
	return &query.Aggref{Base: query.Base{T: sl.T, Coll: sl.Coll, Loc: -1}, Func: fn, Name: "array_agg", Kind: 'n', NumArgs: 1,
		Args: []*query.TargetEntry{{Expr: p.colVar(c), ResNo: 1}}, ArgTypes: []types.T{p.cols[c].t}}
}

// multiAssign is one column of UPDATE … SET (a, b) = (SELECT …).
func (p *planner) multiAssign(m *query.MultiAssignRef, cx *exprCtx) query.Expr {
	es, ok := p.multi[m.SubLink]
	if !ok {
		sub, outs := p.buildQuery(m.SubLink.Query, cx.sc)
		if cx.standalone(sub) {
			es = p.initPlanOf(sub, outs, initRow, p.typesOf(outs))
		} else {
			p.attachScalar(sub, cx)
			for _, c := range outs {
				es = append(es, p.colVar(c))
			}
		}
		p.multi[m.SubLink] = es
	}
	if m.Column < 1 || m.Column > len(es) {
		p.bug("multi-assignment column %d of %d", m.Column, len(es))
	}
	return es[m.Column-1]
}

// maxOneRow: r delivers at most one row for given values of its free columns.
func (p *planner) maxOneRow(r rel) bool {
	switch x := r.(type) {
	case *relResult:
		return true
	case *relValues:
		return len(x.rows) <= 1
	case *relGroup:
		return x.scalar() || p.maxOneRow(x.in) && x.sets == nil
	case *relLimit:
		if c, ok := x.count.(*query.Const); ok && !x.withTies {
			if n, ok := c.Value.(int64); ok && n <= 1 {
				return true
			}
		}
		return p.maxOneRow(x.in)
	case *relFilter:
		if g, ok := stripToGet(x.in); ok && p.keyBound(g, x.quals) {
			return true
		}
		return p.maxOneRow(x.in)
	case *relProject:
		return p.maxOneRow(x.in)
	case *relSort:
		return p.maxOneRow(x.in)
	case *relDistinctOn:
		return p.maxOneRow(x.in)
	case *relWindow:
		return p.maxOneRow(x.in)
	case *relGet:
		return p.keyBound(x, x.quals)
	case *relJoin:
		switch x.typ {
		case joinSemi, joinAnti, joinNullAwareAnti, joinMark, joinSingle:
			return p.maxOneRow(x.left)
		case joinInner, joinLeft:
			return p.maxOneRow(x.left) && p.maxOneRow(x.right)
		}
	}
	return false
}

func stripToGet(r rel) (*relGet, bool) {
	for {
		switch x := r.(type) {
		case *relGet:
			return x, true
		case *relProject:
			r = x.in
		default:
			return nil, false
		}
	}
}

// keyBound: quals fix every column of some unique key of g's table to values from outside.
func (p *planner) keyBound(g *relGet, qs []query.Expr) bool {
	fixed := map[int]bool{}
	own := outCols(g)
	for _, q := range qs {
		l, r, ok := p.equalitySides(q)
		if !ok {
			continue
		}
		for _, s := range [][2]query.Expr{{l, r}, {r, l}} {
			if c, isCol := asCol(stripRelabel(s[0])); isCol && own.has(c) && p.cols[c].att > 0 && !exprCols(s[1]).intersects(own) {
				fixed[p.cols[c].att] = true
			}
		}
	}
	return p.uniqueOver(g.table, fixed)
}

// uniqueOver: the attributes contain a unique key of the table.
func (p *planner) uniqueOver(t *catalog.Relation, atts map[int]bool) bool {
	for _, ix := range t.Indexes {
		if !ix.Unique || ix.Predicate != nil || !ix.Valid || len(ix.Keys) == 0 {
			continue
		}
		all := true
		for _, k := range ix.Keys {
			all = all && k.AttNum > 0 && atts[k.AttNum]
		}
		if all {
			return true
		}
	}
	return false
}

func stripRelabel(e query.Expr) query.Expr {
	for {
		r, ok := e.(*query.RelabelType)
		if !ok {
			return e
		}
		e = r.Arg
	}
}

// equalitySides gives the sides of a top-level equality.
func (p *planner) equalitySides(q query.Expr) (l, r query.Expr, ok bool) {
	o, isOp := q.(*query.OpExpr)
	if !isOp || len(o.Args) != 2 || !p.isEquality(o.Op) {
		return nil, nil, false
	}
	return o.Args[0], o.Args[1], true
}

// nonNull is the set of columns that r never delivers NULL in.
func (p *planner) nonNull(r rel) ColSet {
	var s ColSet
	switch x := r.(type) {
	case *relGet:
		for _, c := range x.cols {
			if p.cols[c.col].notNull {
				s.add(c.col)
			}
		}
	case *relFunction:
		if x.ordinality {
			s.add(x.cols[len(x.cols)-1])
		}
	case *relProject:
		s = p.nonNull(x.in)
		for _, it := range x.items {
			if p.neverNull(it.expr, s) {
				s.add(it.col)
			}
		}
	case *relJoin:
		switch x.typ {
		case joinInner:
			s = p.nonNull(x.left).union(p.nonNull(x.right))
		case joinFull:
		default:
			s = p.nonNull(x.left)
		}
	case *relGroup:
		in := p.nonNull(x.in)
		if x.sets == nil {
			for _, k := range x.keys {
				if p.neverNull(k.expr, in) {
					s.add(k.col)
				}
			}
		}
		for _, a := range x.aggs {
			if isCount(a.agg) {
				s.add(a.col)
			}
		}
	case *relFilter:
		s = p.nonNull(x.in)
	case *relSort, *relLimit, *relDistinctOn, *relLock, *relWindow, *relProjectSet:
		s = p.nonNull(r.inputs()[0])
	}
	return s
}

// neverNull: e cannot be NULL when the columns in nn are not.
func (p *planner) neverNull(e query.Expr, nn ColSet) bool {
	switch x := e.(type) {
	case *query.Var:
		return nn.has(Col(x.RTIndex))
	case *query.Const:
		return x.Value != nil
	case *query.RelabelType:
		return p.neverNull(x.Arg, nn)
	case *query.BoolExpr:
		for _, a := range x.Args {
			if !p.neverNull(a, nn) {
				return false
			}
		}
		return true
	case *query.NullTest, *query.BooleanTest, *query.DistinctExpr:
		return true
	case *query.OpExpr:
		// Comparisons of the default families give NULL only for NULL.
		if p.isComparison(x.Op) {
			for _, a := range x.Args {
				if !p.neverNull(a, nn) {
					return false
				}
			}
			return true
		}
	case *query.CoalesceExpr:
		for _, a := range x.Args {
			if p.neverNull(a, nn) {
				return true
			}
		}
	}
	return false
}
