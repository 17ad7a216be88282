package query

// EachChild calls f on every direct child expression that is not nil. The
// expressions of a SubLink's query are not its children; Left is not visited
// because Test holds the same expressions.
func EachChild(e Expr, f func(Expr)) {
	one := func(x Expr) {
		if x != nil {
			f(x)
		}
	}
	many := func(xs []Expr) {
		for _, x := range xs {
			one(x)
		}
	}
	switch n := e.(type) {
	case *Var, *Const, *Param, *SQLValueFunction, *SetToDefault, *NextValExpr, nil:
	case *FuncExpr:
		many(n.Args)
	case *OpExpr:
		many(n.Args)
	case *DistinctExpr:
		one(n.Left)
		one(n.Right)
	case *NullIfExpr:
		one(n.Left)
		one(n.Right)
	case *ScalarArrayOpExpr:
		one(n.Scalar)
		one(n.Array)
	case *BoolExpr:
		many(n.Args)
	case *Aggref:
		many(n.DirectArgs)
		for _, t := range n.Args {
			one(t.Expr)
		}
		one(n.Filter)
	case *GroupingFunc:
		many(n.Args)
	case *WindowFunc:
		many(n.Args)
		one(n.Filter)
	case *SubLink:
		one(n.Test)
	case *MultiAssignRef:
	case *SubscriptingRef:
		one(n.Arg)
		many(n.Upper)
		many(n.Lower)
		one(n.Assign)
	case *FieldSelect:
		one(n.Arg)
	case *FieldStore:
		one(n.Arg)
		many(n.Values)
	case *RelabelType:
		one(n.Arg)
	case *CoerceViaIO:
		one(n.Arg)
	case *ArrayCoerceExpr:
		one(n.Arg)
		one(n.Elem)
	case *ConvertRowtypeExpr:
		one(n.Arg)
	case *CollateExpr:
		one(n.Arg)
	case *CaseExpr:
		one(n.Arg)
		for _, w := range n.Whens {
			one(w.Cond)
			one(w.Result)
		}
		one(n.Default)
	case *ArrayExpr:
		many(n.Elems)
	case *RowExpr:
		many(n.Fields)
	case *RowCompareExpr:
		many(n.Left)
		many(n.Right)
	case *CoalesceExpr:
		many(n.Args)
	case *MinMaxExpr:
		many(n.Args)
	case *NullTest:
		one(n.Arg)
	case *BooleanTest:
		one(n.Arg)
	default:
		panic("query: unknown expression node")
	}
}

// Walk visits e and everything below it in pre-order; f returning false skips
// the node's children. It does not enter the queries of SubLinks.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	EachChild(e, func(c Expr) { Walk(c, f) })
}

// WalkDeep is Walk that also enters the queries of SubLinks, where depth is one
// more per query level (a Var belongs to the starting level when LevelsUp equals depth).
func WalkDeep(e Expr, depth int, f func(e Expr, depth int) bool) {
	Walk(e, func(x Expr) bool {
		if !f(x, depth) {
			return false
		}
		switch s := x.(type) {
		case *SubLink:
			WalkQuery(s.Query, depth+1, f)
		case *MultiAssignRef:
			WalkQuery(s.SubLink.Query, depth+1, f)
		}
		return true
	})
}

// WalkQuery visits every expression of q, of its subqueries in FROM and of its
// CTEs (with depth one more each).
func WalkQuery(q *Query, depth int, f func(e Expr, depth int) bool) {
	if q == nil {
		return
	}
	EachExpr(q, func(e Expr) { WalkDeep(e, depth, f) })
	for _, r := range q.RTable {
		WalkQuery(r.Subquery, depth+1, f)
	}
	for _, c := range q.CTEs {
		WalkQuery(c.Query, depth+1, f)
	}
}

// EachExpr calls f on every expression root of q itself: not of its subqueries or CTEs.
func EachExpr(q *Query, f func(Expr)) {
	mapQuery(q, func(e Expr) Expr { f(e); return e })
}

// Mutate rebuilds e: f may replace a node (done true: its children are left
// alone), otherwise the children are mutated and the node copied if one changed.
// It does not enter the queries of SubLinks.
func Mutate(e Expr, f func(Expr) (out Expr, done bool)) Expr {
	if e == nil {
		return nil
	}
	if out, done := f(e); done {
		return out
	} else if out != nil && out != e {
		e = out
	}
	return MapChildren(e, func(c Expr) Expr { return Mutate(c, f) })
}

// MutateDeep is Mutate that enters the queries of SubLinks, see WalkDeep.
func MutateDeep(e Expr, depth int, f func(e Expr, depth int) (Expr, bool)) Expr {
	if e == nil {
		return nil
	}
	if out, done := f(e, depth); done {
		return out
	} else if out != nil && out != e {
		e = out
	}
	e = MapChildren(e, func(c Expr) Expr { return MutateDeep(c, depth, f) })
	switch s := e.(type) {
	case *SubLink:
		if q := MutateQuery(s.Query, depth+1, f); q != s.Query {
			c := *s
			c.Query = q
			return &c
		}
	case *MultiAssignRef:
		if x := MutateDeep(s.SubLink, depth, f); x != Expr(s.SubLink) {
			c := *s
			c.SubLink = x.(*SubLink)
			return &c
		}
	}
	return e
}

// MutateQuery mutates every expression of q, its subqueries and CTEs; q itself
// is returned when nothing changed.
func MutateQuery(q *Query, depth int, f func(e Expr, depth int) (Expr, bool)) *Query {
	if q == nil {
		return nil
	}
	out := mapQuery(q, func(e Expr) Expr { return MutateDeep(e, depth, f) })
	for i, r := range out.RTable {
		if s := MutateQuery(r.Subquery, depth+1, f); s != r.Subquery {
			if out == q {
				out = q.Copy()
			}
			c := *out.RTable[i]
			c.Subquery = s
			out.RTable = append([]*RangeTblEntry(nil), out.RTable...)
			out.RTable[i] = &c
		}
	}
	for i, e := range out.CTEs {
		if s := MutateQuery(e.Query, depth+1, f); s != e.Query {
			if out == q {
				out = q.Copy()
			}
			c := *out.CTEs[i]
			c.Query = s
			out.CTEs = append([]*CommonTableExpr(nil), out.CTEs...)
			out.CTEs[i] = &c
		}
	}
	return out
}

// MapQuery rebuilds q with f applied to every expression root of q itself; q is
// returned when f changed none.
func MapQuery(q *Query, f func(Expr) Expr) *Query { return mapQuery(q, f) }

// Copy is a shallow copy.
func (q *Query) Copy() *Query {
	c := *q
	return &c
}

// IncrementLevels raises LevelsUp of every Var, Aggref, GroupingFunc and CTE
// reference in e that points min levels or more outside by delta.
func IncrementLevels(e Expr, delta, min int) Expr {
	return MutateDeep(e, min, func(x Expr, depth int) (Expr, bool) { return shiftLevels(x, delta, depth) })
}

// IncrementQueryLevels is IncrementLevels for a whole query: what refers outside of q is raised by delta.
func IncrementQueryLevels(q *Query, delta, min int) *Query {
	q = MutateQuery(q, min, func(x Expr, depth int) (Expr, bool) { return shiftLevels(x, delta, depth) })
	return shiftCTELevels(q, delta, min)
}

func shiftLevels(x Expr, delta, depth int) (Expr, bool) {
	switch n := x.(type) {
	case *Var:
		if n.LevelsUp >= depth {
			c := *n
			c.LevelsUp += delta
			return &c, true
		}
	case *Aggref:
		if n.LevelsUp >= depth {
			c := *n
			c.LevelsUp += delta
			return &c, false
		}
	case *GroupingFunc:
		if n.LevelsUp >= depth {
			c := *n
			c.LevelsUp += delta
			return &c, false
		}
	case *SubLink:
		if q := shiftCTELevels(n.Query, delta, depth+1); q != n.Query {
			c := *n
			c.Query = q
			return &c, false
		}
	}
	return x, false
}

func shiftCTELevels(q *Query, delta, depth int) *Query {
	if q == nil {
		return nil
	}
	out := q
	for i, r := range q.RTable {
		c := *r
		switch {
		case r.Kind == RTECTE && r.CTELevelsUp >= depth:
			c.CTELevelsUp += delta
		case r.Subquery != nil:
			c.Subquery = shiftCTELevels(r.Subquery, delta, depth+1)
			if c.Subquery == r.Subquery {
				continue
			}
		default:
			continue
		}
		if out == q {
			out = q.Copy()
			out.RTable = append([]*RangeTblEntry(nil), q.RTable...)
		}
		out.RTable[i] = &c
	}
	for i, e := range q.CTEs {
		if s := shiftCTELevels(e.Query, delta, depth+1); s != e.Query {
			if out == q {
				out = q.Copy()
			}
			c := *e
			c.Query = s
			out.CTEs = append([]*CommonTableExpr(nil), out.CTEs...)
			out.CTEs[i] = &c
		}
	}
	return out
}

// EachQuery visits q and every query inside it.
func EachQuery(q *Query, f func(*Query)) {
	f(q)
	for _, c := range q.CTEs {
		EachQuery(c.Query, f)
	}
	for _, r := range q.RTable {
		if r.Subquery != nil {
			EachQuery(r.Subquery, f)
		}
	}
	EachExpr(q, func(e Expr) {
		Walk(e, func(e Expr) bool {
			switch s := e.(type) {
			case *SubLink:
				if s.Query != nil {
					EachQuery(s.Query, f)
				}
			case *MultiAssignRef:
				if s.Column == 1 && s.SubLink.Query != nil {
					EachQuery(s.SubLink.Query, f)
				}
			}
			return true
		})
	})
}
