package plan

import "github.com/basaltdb/basalt/sql/query"

// passSimplify folds the constants of every expression, flattens and merges
// filters, and removes operators that do nothing.
func (p *planner) passSimplify(r rel, need ColSet) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.passSimplify(in, need))
	}
	switch x := r.(type) {
	case *relFilter:
		x.quals = p.simplifyQuals(x.quals)
		if f, ok := x.in.(*relFilter); ok {
			x.quals = p.simplifyQuals(append(append([]query.Expr{}, f.quals...), x.quals...))
			x.in = f.in
		}
		if len(x.quals) == 0 {
			return x.in
		}
		return x
	case *relJoin:
		if x.exact() {
			for i := range x.quals {
				x.quals[i] = p.simplify(x.quals[i])
			}
			return x
		}
		before := x.quals
		x.quals = p.simplifyQuals(x.quals)
		if x.typ == joinNullAwareAnti && (len(x.quals) != 1 || !isSimpleEq(p, x.quals[0])) {
			// The equality has become a constant: it says for itself when it is NULL.
			x.typ = joinAnti
			for i, q := range before {
				before[i] = boolTest(q, query.IsNotFalse)
			}
			x.quals = p.simplifyQuals(before)
		}
		if x.typ == joinInner {
			if _, ok := x.right.(*relResult); ok {
				return filtered(x.left, x.quals)
			}
			if _, ok := x.left.(*relResult); ok {
				return filtered(x.right, x.quals)
			}
		}
		return x
	}
	mapRelExprs(r, p.simplify)
	switch x := r.(type) {
	case *relGroup:
		for i := range x.aggs {
			x.aggs[i].agg = p.filterAgg(x.aggs[i].agg)
		}
	case *relProject:
		if len(x.items) == 0 {
			return x.in
		}
	case *relLimit:
		if isNullConst(x.count) {
			x.count = nil
		}
		if c, ok := x.offset.(*query.Const); ok && (c.Value == nil || c.Value == int64(0)) {
			x.offset = nil
		}
		if isNil(x.count) && isNil(x.offset) {
			return x.in
		}
	case *relSort:
		var keys []sortItem
		for _, k := range x.keys {
			if !isConst(k.expr) {
				keys = append(keys, k)
			}
		}
		x.keys = keys
		if len(keys) == 0 {
			return x.in
		}
	}
	return r
}

// filtered puts conditions over r.
func filtered(r rel, qs []query.Expr) rel {
	if len(qs) == 0 {
		return r
	}
	if f, ok := r.(*relFilter); ok {
		f.quals = append(f.quals, qs...)
		return f
	}
	return &relFilter{unary{r}, qs}
}
