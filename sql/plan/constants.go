package plan

import "github.com/basaltdb/basalt/sql/query"

// constantsOf adds to known the conditions column = value, the value without columns, that hold for all rows of r:
// those of filters, through projections, groupings by the column and the sides of joins whose rows all are r's.
func (p *planner) constantsOf(r rel, known map[Col]*query.OpExpr) {
	through := func(items []projItem) {
		for _, it := range items {
			if c, ok := asCol(it.expr); ok && known[c] != nil && known[it.col] == nil && p.cols[it.col].t.OID == p.cols[c].t.OID {
				known[it.col] = p.constantFor(it.col, known[c])
			}
		}
	}
	switch x := r.(type) {
	case *relFilter:
		p.constantsOf(x.in, known)
		for _, q := range x.quals {
			p.constantOf(q, known)
		}
	case *relProject:
		p.constantsOf(x.in, known)
		through(x.items)
	case *relGroup:
		if x.sets == nil && !x.scalar() {
			p.constantsOf(x.in, known)
			through(x.keys)
		}
	case *relJoin:
		switch x.typ {
		case joinInner:
			p.constantsOf(x.right, known)
			p.constantsOf(x.left, known)
			for _, q := range x.quals {
				p.constantOf(q, known)
			}
		case joinLeft, joinSemi, joinAnti:
			p.constantsOf(x.left, known)
		}
	}
}

// constantOf adds q to known when it is column = value, either way around.
func (p *planner) constantOf(q query.Expr, known map[Col]*query.OpExpr) {
	l, r, ok := p.equalitySides(q)
	if !ok {
		return
	}
	if exprCols(l).empty() {
		c, can := p.commute(q.(*query.OpExpr))
		if !can {
			return
		}
		l, r, q = c.Args[0], c.Args[1], c
	}
	if c, isCol := asCol(l); isCol && exprCols(r).empty() && p.worst(r) != 'v' {
		known[c] = q.(*query.OpExpr)
	}
}

// constantFor is the condition from, of another column.
func (p *planner) constantFor(c Col, from *query.OpExpr) *query.OpExpr {
	n := *from
	n.Args = []query.Expr{p.colVar(c), from.Args[1]}
	return &n
}

// constantsForRight gives conditions of the right side of a left, semi or anti join that follow from constants of its
// left side along the join's equalities: other rows of the right side match nothing.
func (p *planner) constantsForRight(x *relJoin) []query.Expr {
	if x.typ != joinLeft && x.typ != joinSemi && x.typ != joinAnti || len(x.quals) == 0 {
		return nil
	}
	known := map[Col]*query.OpExpr{}
	p.constantsOf(x.left, known)
	if len(known) == 0 {
		return nil
	}
	left, inner := outCols(x.left), map[Col]*query.OpExpr{}
	p.constantsOf(x.right, inner)
	var out []query.Expr
	for _, q := range x.quals {
		l, r, ok := p.equalitySides(q)
		if !ok {
			continue
		}
		a, okA := asCol(l)
		b, okB := asCol(r)
		if !okA || !okB {
			continue
		}
		if left.has(b) {
			a, b = b, a
		}
		if from := known[a]; left.has(a) && !left.has(b) && from != nil && inner[b] == nil && !x.given.has(b) && p.cols[b].t.OID == from.Args[0].Type().OID {
			x.given = x.given.union(setOf(b))
			out = append(out, p.constantFor(b, from))
			p.trace("pushdown", "constant_along_equality")
		}
	}
	return out
}
