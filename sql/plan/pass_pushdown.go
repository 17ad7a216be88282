package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// rejectsNull: q is not true when all columns of cols are NULL (what they are on
// rows that an outer join has added).
func (p *planner) rejectsNull(q query.Expr, cols ColSet) bool {
	switch x := q.(type) {
	case *query.BoolExpr:
		switch x.Op {
		case query.And:
			for _, a := range x.Args {
				if p.rejectsNull(a, cols) {
					return true
				}
			}
			return false
		case query.Or:
			for _, a := range x.Args {
				if !p.rejectsNull(a, cols) {
					return false
				}
			}
			return true
		}
		return p.nullOn(x.Args[0], cols) // NOT NULL is NULL
	case *query.NullTest:
		return x.IsNot && !x.ArgIsRow && p.nullOn(x.Arg, cols)
	case *query.BooleanTest:
		switch x.Test {
		case query.IsTrue, query.IsFalse, query.IsNotUnknown:
			return p.nullOn(x.Arg, cols)
		}
		return false
	case *query.Const:
		v, null, ok := isConstBool(x)
		return ok && (null || !v)
	}
	return p.nullOn(q, cols)
}

// nullOn: e is NULL when all columns of cols are.
func (p *planner) nullOn(e query.Expr, cols ColSet) bool {
	anyOf := func(es ...query.Expr) bool {
		for _, a := range es {
			if !isNil(a) && p.nullOn(a, cols) {
				return true
			}
		}
		return false
	}
	switch x := e.(type) {
	case *query.Var:
		return cols.has(Col(x.RTIndex))
	case *query.Const:
		return x.Value == nil
	case *query.RelabelType:
		return anyOf(x.Arg)
	case *query.CoerceViaIO:
		return anyOf(x.Arg)
	case *query.FuncExpr:
		return !x.RetSet && p.isStrict(x.Func) && anyOf(x.Args...)
	case *query.OpExpr:
		return p.isStrict(x.Func) && anyOf(x.Args...)
	case *query.ScalarArrayOpExpr:
		return x.UseOr && p.isStrict(x.Func) && p.nullOn(x.Scalar, cols)
	case *query.BoolExpr:
		for _, a := range x.Args {
			if !p.nullOn(a, cols) {
				return false
			}
		}
		return len(x.Args) > 0
	case *query.CoalesceExpr:
		for _, a := range x.Args {
			if !p.nullOn(a, cols) {
				return false
			}
		}
		return true
	}
	return false
}

// passOuterJoins turns outer joins into inner (or one-sided) ones where a
// condition above rejects the rows that the outer join would add, and into anti
// joins where one rejects all others.
func (p *planner) passOuterJoins(r rel, need ColSet) rel {
	return p.reduceOuter(r, nil)
}

// reduceOuter visits r knowing conditions that its rows must satisfy to matter.
func (p *planner) reduceOuter(r rel, qs []query.Expr) rel {
	switch x := r.(type) {
	case *relFilter:
		x.in = p.reduceOuter(x.in, append(append([]query.Expr{}, qs...), x.quals...))
		return x
	case *relProject:
		m := itemMap(x.items)
		var sub []query.Expr
		for _, q := range qs {
			sub = append(sub, substitute(q, m))
		}
		x.in = p.reduceOuter(x.in, sub)
		return x
	case *relSort:
		x.in = p.reduceOuter(x.in, qs)
		return x
	case *relJoin:
		rejects := func(side rel) bool {
			cols := outCols(side)
			for _, q := range qs {
				if exprCols(q).intersects(cols) && p.rejectsNull(q, cols) {
					return true
				}
			}
			return false
		}
		switch x.typ {
		case joinLeft:
			if rejects(x.right) {
				p.trace("outer_joins", "left_to_inner")
				x.typ = joinInner
			} else if p.keepsOnlyAdded(x, qs) {
				p.trace("outer_joins", "left_to_anti")
				return p.leftToAnti(x, qs)
			}
		case joinSingle:
			// the added rows do not matter, but a second match still is an error
		case joinFull:
			l, rr := rejects(x.left), rejects(x.right)
			switch {
			case l && rr:
				p.trace("outer_joins", "full_to_inner")
				x.typ = joinInner
			case l: // rows without a left partner are rejected
				p.trace("outer_joins", "full_to_left")
				x.typ = joinLeft
			case rr:
				p.trace("outer_joins", "full_to_left")
				x.typ = joinLeft
				x.left, x.right = x.right, x.left
			}
		}
		all := append(append([]query.Expr{}, qs...), x.quals...)
		switch x.typ {
		case joinInner:
			x.left, x.right = p.reduceOuter(x.left, all), p.reduceOuter(x.right, all)
		case joinLeft:
			x.left, x.right = p.reduceOuter(x.left, qs), p.reduceOuter(x.right, x.quals)
		case joinSemi:
			x.left, x.right = p.reduceOuter(x.left, all), p.reduceOuter(x.right, x.quals)
		case joinAnti, joinMark, joinSingle, joinNullAwareAnti:
			var rq []query.Expr
			if x.typ != joinNullAwareAnti && !x.exact() {
				rq = x.quals
			}
			x.left, x.right = p.reduceOuter(x.left, qs), p.reduceOuter(x.right, rq)
			if x.typ == joinMark {
				return x
			}
		default:
			x.left, x.right = p.reduceOuter(x.left, nil), p.reduceOuter(x.right, nil)
		}
		return x
	}
	for i, in := range r.inputs() {
		r.setInput(i, p.reduceOuter(in, nil))
	}
	return r
}

// keepsOnlyAdded: of a left join's rows only those matter that found no partner, because a
// column of the right side that the join's conditions want a value of has to be NULL.
func (p *planner) keepsOnlyAdded(x *relJoin, qs []query.Expr) bool {
	if x.exact() {
		return false
	}
	right := outCols(x.right)
	for _, q := range qs {
		t, ok := q.(*query.NullTest)
		if !ok || t.IsNot || t.ArgIsRow {
			continue
		}
		c, ok := asCol(t.Arg)
		if !ok || !right.has(c) {
			continue
		}
		for _, j := range x.quals {
			if p.rejectsNull(j, setOf(c)) {
				return true
			}
		}
	}
	return false
}

// leftToAnti makes an anti join of a left join that keepsOnlyAdded; the right side's columns
// are NULL above it.
func (p *planner) leftToAnti(x *relJoin, qs []query.Expr) rel {
	pr := &relProject{}
	for _, c := range outCols(x.right).list() {
		pr.items = append(pr.items, projItem{c, nullConst(p.cols[c].t)})
	}
	x.typ = joinAnti
	x.left, x.right = p.reduceOuter(x.left, qs), p.reduceOuter(x.right, x.quals)
	pr.in = x
	return pr
}

// passPushdown moves conditions as far down as they can go.
func (p *planner) passPushdown(r rel, need ColSet) rel { return p.push(r, nil) }

// push gives r with the conditions qs applied, as deep as possible.
func (p *planner) push(r rel, qs []query.Expr) rel {
	stay := func() rel {
		for i, in := range r.inputs() {
			r.setInput(i, p.push(in, nil))
		}
		return filtered(r, qs)
	}
	// split those that may move through a node producing only the columns in ok.
	split := func(ok func(query.Expr) bool) (down, keep []query.Expr) {
		for _, q := range qs {
			if !p.isVolatile(q) && ok(q) {
				down = append(down, q)
			} else {
				keep = append(keep, q)
			}
		}
		return
	}
	switch x := r.(type) {
	case *relFilter:
		vol := false
		for _, q := range x.quals {
			vol = vol || p.isVolatile(q)
		}
		if vol {
			var down, keep []query.Expr
			for _, q := range append(append([]query.Expr{}, x.quals...), qs...) {
				if p.isVolatile(q) {
					keep = append(keep, q)
				} else {
					down = append(down, q)
				}
			}
			return filtered(p.push(x.in, down), keep)
		}
		return p.push(x.in, append(append([]query.Expr{}, x.quals...), qs...))
	case *relProject:
		m := itemMap(x.items)
		var made ColSet
		for _, it := range x.items {
			if p.isVolatile(it.expr) {
				made.add(it.col)
			}
		}
		down, keep := split(func(q query.Expr) bool { return !exprCols(q).intersects(made) })
		for i := range down {
			down[i] = p.simplify(substitute(down[i], m))
		}
		x.in = p.push(x.in, flatten(down))
		return filtered(x, keep)
	case *relSort:
		x.in = p.push(x.in, qs)
		return x
	case *relJoin:
		return p.pushJoin(x, qs)
	case *relGroup:
		if x.sets != nil || x.scalar() {
			return stay()
		}
		m := map[Col]query.Expr{}
		for _, k := range x.keys {
			m[k.col] = k.expr
		}
		var aggs ColSet
		for _, a := range x.aggs {
			aggs.add(a.col)
		}
		down, keep := split(func(q query.Expr) bool { return !exprCols(q).intersects(aggs) && !exprCols(q).empty() })
		for i := range down {
			down[i] = substitute(down[i], m)
		}
		x.in = p.push(x.in, down)
		return filtered(x, keep)
	case *relWindow:
		var part ColSet
		for _, e := range x.partition {
			if c, ok := asCol(e); ok {
				part.add(c)
			}
		}
		own := outCols(x)
		down, keep := split(func(q query.Expr) bool {
			c := exprCols(q).intersect(own)
			return !c.empty() && c.subsetOf(part)
		})
		x.in = p.push(x.in, down)
		return filtered(x, keep)
	case *relDistinctOn:
		var keys ColSet
		for _, e := range x.keys {
			if c, ok := asCol(e); ok {
				keys.add(c)
			}
		}
		own := outCols(x)
		down, keep := split(func(q query.Expr) bool {
			c := exprCols(q).intersect(own)
			return !c.empty() && c.subsetOf(keys)
		})
		x.in = p.push(x.in, down)
		return filtered(x, keep)
	case *relProjectSet:
		var made ColSet
		for _, it := range x.items {
			made.add(it.col)
		}
		down, keep := split(func(q query.Expr) bool { return !exprCols(q).intersects(made) })
		x.in = p.push(x.in, down)
		return filtered(x, keep)
	case *relAppend:
		down, keep := split(func(query.Expr) bool { return true })
		for i := range x.ins {
			x.ins[i] = p.push(x.ins[i], p.overInput(down, x.cols, x.inCols[i]))
		}
		return filtered(x, keep)
	case *relSetOp:
		if x.op == planpb.SetOp_EXCEPT_ALL || x.op == planpb.SetOp_INTERSECT_ALL {
			return stay()
		}
		down, keep := split(func(query.Expr) bool { return true })
		x.left = p.push(x.left, p.overInput(down, x.cols, x.lcols))
		x.right = p.push(x.right, p.overInput(down, x.cols, x.rcols))
		return filtered(x, keep)
	}
	return stay()
}

func flatten(qs []query.Expr) []query.Expr {
	var out []query.Expr
	for _, q := range qs {
		out = append(out, conjuncts(q)...)
	}
	return out
}

// overInput rewrites conditions over a union's columns to those of an input.
func (p *planner) overInput(qs []query.Expr, cols, in []Col) []query.Expr {
	m := map[Col]query.Expr{}
	for i, c := range cols {
		e := query.Expr(p.colVar(in[i]))
		if p.cols[in[i]].t != p.cols[c].t {
			e = relabelTo(e, p.cols[c])
		}
		m[c] = e
	}
	var out []query.Expr
	for _, q := range qs {
		out = append(out, substitute(q, m))
	}
	return out
}

func relabelTo(e query.Expr, ci colInfo) query.Expr {
	return &query.RelabelType{Base: query.Base{T: ci.t, Coll: ci.coll, Loc: -1}, Arg: e, Form: query.CoerceImplicitCast}
}

func (p *planner) pushJoin(x *relJoin, qs []query.Expr) rel {
	lcols, rcols := outCols(x.left), outCols(x.right)
	var keep, toLeft, toRight, on []query.Expr
	apply := correlated(x.right, lcols)
	switch x.typ {
	case joinInner:
		for _, q := range append(append([]query.Expr{}, qs...), x.quals...) {
			c := exprCols(q)
			switch {
			case p.isVolatile(q):
				keep = append(keep, q)
			case !c.intersects(rcols) && c.intersects(lcols):
				toLeft = append(toLeft, q)
			case !c.intersects(lcols) && c.intersects(rcols):
				toRight = append(toRight, q)
			case !c.intersects(lcols) && !c.intersects(rcols) && !isGate(x.left):
				toLeft = append(toLeft, q) // a one-time condition
			default:
				on = append(on, q)
			}
		}
		if apply && len(on) > 0 {
			// Conditions of a dependent join are evaluated inside it: they may choose an index.
			toRight = append(toRight, on...)
			on = nil
		}
		x.quals = on
	case joinLeft, joinSingle, joinSemi, joinAnti, joinMark, joinNullAwareAnti:
		var mark ColSet
		if x.typ == joinMark {
			mark = setOf(x.mark)
		}
		right := rcols
		if x.typ != joinLeft && x.typ != joinSingle {
			right = mark
		}
		for _, q := range qs {
			c := exprCols(q)
			if p.isVolatile(q) || c.intersects(right) {
				keep = append(keep, q)
			} else {
				toLeft = append(toLeft, q)
			}
		}
		for _, q := range x.quals {
			c := exprCols(q)
			exact := x.typ == joinNullAwareAnti || x.exact()
			switch {
			case exact || p.isVolatile(q):
				on = append(on, q)
			case !c.intersects(lcols) && c.intersects(rcols):
				toRight = append(toRight, q)
			case x.typ == joinSemi && !c.intersects(rcols):
				toLeft = append(toLeft, q)
			case apply:
				toRight = append(toRight, q)
			default:
				on = append(on, q)
			}
		}
		x.quals = on
	default:
		keep = qs
	}
	x.left = p.push(x.left, toLeft)
	if !apply {
		toRight = append(toRight, p.constantsForRight(x)...)
	}
	x.right = p.push(x.right, toRight)
	return filtered(x, keep)
}
