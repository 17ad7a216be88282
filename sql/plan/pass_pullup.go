package plan

import "github.com/basaltdb/basalt/sql/query"

// passPullUp moves projections above the joins they feed, where the join does not
// make their columns NULL, so that join ordering sees the tables below.
func (p *planner) passPullUp(r rel, need ColSet) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.passPullUp(in, need))
	}
	switch x := r.(type) {
	case *relFilter:
		// Filter(Project) is Project(Filter) with the conditions substituted.
		if pr, ok := x.in.(*relProject); ok && p.liftable(pr) {
			m := itemMap(pr.items)
			for i, q := range x.quals {
				x.quals[i] = substitute(q, m)
			}
			x.in = pr.in
			pr.in = p.passPullUp(x, need)
			return pr
		}
	case *relJoin:
		if pr, ok := x.left.(*relProject); ok && x.typ != joinFull && p.liftable(pr) {
			m := itemMap(pr.items)
			for i, q := range x.quals {
				x.quals[i] = substitute(q, m)
			}
			substTree(x.right, m)
			x.left = pr.in
			pr.in = p.passPullUp(x, need)
			return pr
		}
		if pr, ok := x.right.(*relProject); ok && p.liftable(pr) {
			switch x.typ {
			case joinInner:
				m := itemMap(pr.items)
				for i, q := range x.quals {
					x.quals[i] = substitute(q, m)
				}
				x.right = pr.in
				pr.in = p.passPullUp(x, need)
				return pr
			case joinSemi, joinAnti:
				m := itemMap(pr.items)
				for i, q := range x.quals {
					x.quals[i] = substitute(q, m)
				}
				x.right = pr.in
				return p.passPullUp(x, need)
			}
		}
	}
	return r
}

// liftable: computing the items later or elsewhere gives the same.
func (p *planner) liftable(pr *relProject) bool { return !pr.barrier && !p.volatileItems(pr.items) }

// substTree substitutes in every expression of a tree.
func substTree(r rel, m map[Col]query.Expr) {
	mapRelExprs(r, func(e query.Expr) query.Expr { return substitute(e, m) })
	for _, in := range r.inputs() {
		substTree(in, m)
	}
}
