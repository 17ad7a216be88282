package plan

import (
	"math/bits"

	"github.com/basaltdb/basalt/sql/query"
)

// derive fills quals: the conditions given, the equalities that follow from them
// by transitivity, constants carried along equalities, and restrictions of single
// units that follow from ORs.
func (o *joinOrder) derive(conds []query.Expr) {
	p := o.p
	class := map[Col]int{}
	members := [][]Col{}
	join := func(a, b Col) {
		ca, okA := class[a]
		cb, okB := class[b]
		switch {
		case !okA && !okB:
			class[a], class[b] = len(members), len(members)
			members = append(members, []Col{a, b})
		case okA && !okB:
			class[b] = ca
			members[ca] = append(members[ca], b)
		case !okA && okB:
			class[a] = cb
			members[cb] = append(members[cb], a)
		case ca != cb:
			for _, m := range members[cb] {
				class[m] = ca
			}
			members[ca] = append(members[ca], members[cb]...)
			members[cb] = nil
		}
	}
	ops := map[int]*query.OpExpr{}
	isColEq := func(q query.Expr) (a, b Col, op *query.OpExpr, ok bool) {
		l, r, is := p.equalitySides(q)
		if !is {
			return
		}
		ca, okA := asCol(l)
		cb, okB := asCol(r)
		if !okA || !okB || p.cols[ca].t.OID != p.cols[cb].t.OID || ca == cb {
			return
		}
		op = q.(*query.OpExpr)
		return ca, cb, op, true
	}
	free := func(c Col) int {
		for i, u := range o.units {
			if u.cols.has(c) {
				if u.free() {
					return i
				}
				return -1
			}
		}
		return -1
	}
	seen := map[string]bool{}
	for _, q := range conds {
		if a, b, _, ok := isColEq(q); ok && free(a) >= 0 && free(b) >= 0 {
			join(a, b)
		}
	}
	for _, q := range conds {
		if seen[exprKey(q)] {
			continue
		}
		seen[exprKey(q)] = true
		jq := joinQual{e: q, units: o.unitsOf(q), class: -1}
		if jq.units == 0 {
			o.late = append(o.late, q)
			continue
		}
		if bits.OnesCount64(jq.units) == 1 {
			if u := o.units[bits.TrailingZeros64(jq.units)]; u.free() {
				u.rel = filtered(u.rel, []query.Expr{q})
				continue
			}
		}
		if a, b, op, ok := isColEq(q); ok && free(a) >= 0 && free(b) >= 0 {
			jq.class = class[a]
			ops[class[a]] = op
			seen[exprKey(p.colVar(a))+"="+exprKey(p.colVar(b))] = true
			seen[exprKey(p.colVar(b))+"="+exprKey(p.colVar(a))] = true
		}
		o.quals = append(o.quals, jq)
	}
	for ci, ms := range members {
		op := ops[ci]
		if op == nil {
			continue
		}
		for i, a := range ms {
			for _, b := range ms[i+1:] {
				if u := free(a); u == free(b) {
					// Members of one unit are made equal there: a join then tests one
					// condition per class.
					n := *op
					n.Args = []query.Expr{p.colVar(a), p.colVar(b)}
					o.units[u].rel = filtered(o.units[u].rel, []query.Expr{&n})
					continue
				}
				if seen[exprKey(p.colVar(a))+"="+exprKey(p.colVar(b))] {
					continue
				}
				n := *op
				n.Args = []query.Expr{p.colVar(a), p.colVar(b)}
				o.quals = append(o.quals, joinQual{e: &n, units: o.unitsOf(&n), class: ci})
				p.trace("join_order", "transitive_equality")
			}
		}
	}
	o.constants(class, members)
	o.fromOrs()
}

// constants carries col = constant along the equivalence classes, and along the
// equalities of left, semi and anti joins into their right sides.
func (o *joinOrder) constants(class map[Col]int, members [][]Col) {
	p := o.p
	known := map[Col]*query.OpExpr{} // col = value without columns
	for _, u := range o.units {
		if u.free() {
			p.constantsOf(u.rel, known)
		}
	}
	inner := map[Col]*query.OpExpr{} // of the right sides of other joins
	for _, u := range o.units {
		if u.typ == joinLeft || u.typ == joinSemi || u.typ == joinAnti {
			p.constantsOf(u.rel, inner)
		}
	}
	give := func(u *joinUnit, to Col, from *query.OpExpr) {
		if _, has := known[to]; has || p.cols[to].t.OID != from.Args[0].Type().OID {
			return
		}
		n := *from
		n.Args = []query.Expr{p.colVar(to), from.Args[1]}
		u.rel = p.push(u.rel, []query.Expr{&n})
		known[to] = &n
		p.trace("join_order", "constant_along_equality")
	}
	for _, ms := range members {
		var src *query.OpExpr
		for _, m := range ms {
			if q := known[m]; q != nil {
				src = q
			}
		}
		if src == nil {
			continue
		}
		for _, m := range ms {
			for _, u := range o.units {
				if u.free() && u.cols.has(m) {
					give(u, m, src)
				}
			}
		}
	}
	for _, u := range o.units {
		if u.typ != joinLeft && u.typ != joinSemi && u.typ != joinAnti {
			continue
		}
		right := outCols(u.rel)
		for _, q := range u.on {
			l, r, ok := p.equalitySides(q)
			if !ok {
				continue
			}
			a, okA := asCol(l)
			b, okB := asCol(r)
			if !okA || !okB {
				continue
			}
			if right.has(a) {
				a, b = b, a
			}
			if right.has(b) && known[a] != nil && inner[b] == nil && (u.orig == nil || !u.orig.given.has(b)) {
				give(u, b, known[a])
			}
		}
	}
}

// fromOrs derives restrictions of single units: (n1='F' AND n2='G') OR (n1='G'
// AND n2='F') lets each of n1, n2 be F or G only.
func (o *joinOrder) fromOrs() {
	p := o.p
	for _, q := range o.quals {
		b, ok := q.e.(*query.BoolExpr)
		if !ok || b.Op != query.Or || bits.OnesCount64(q.units) < 2 {
			continue
		}
		for i, u := range o.units {
			if q.units&(1<<i) == 0 || !u.free() {
				continue
			}
			var alts []query.Expr
			for _, d := range b.Args {
				var own []query.Expr
				for _, c := range conjuncts(d) {
					if o.unitsOf(c) == 1<<i && exprCols(c).subsetOf(u.cols) {
						own = append(own, c)
					}
				}
				if len(own) == 0 {
					alts = nil
					break
				}
				alts = append(alts, andAll(own))
			}
			if len(alts) == 0 {
				continue
			}
			d := p.simplify(orAll(alts))
			sel := p.selectivity([]query.Expr{d}, u.rel)
			u.rel = p.push(u.rel, conjuncts(d))
			if p.derivedSel == nil {
				p.derivedSel = map[string]float64{}
			}
			k := exprKey(q.e)
			if p.derivedSel[k] == 0 {
				p.derivedSel[k] = 1
			}
			p.derivedSel[k] *= sel
			p.trace("join_order", "restriction_from_or")
		}
	}
}
