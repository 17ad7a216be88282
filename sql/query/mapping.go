package query

// MapChildren applies f to every direct child expression and returns e itself
// when none changed, else a copy with the new children.
func MapChildren(e Expr, f func(Expr) Expr) Expr {
	changed := false
	one := func(x Expr) Expr {
		if x == nil {
			return nil
		}
		y := f(x)
		if y != x {
			changed = true
		}
		return y
	}
	many := func(xs []Expr) []Expr {
		out := xs
		for i, x := range xs {
			y := one(x)
			if y != x {
				if &out[0] == &xs[0] {
					out = append([]Expr(nil), xs...)
				}
				out[i] = y
			}
		}
		return out
	}
	switch n := e.(type) {
	case *Var, *Const, *Param, *SQLValueFunction, *SetToDefault, *NextValExpr, *MultiAssignRef, nil:
		return e
	case *FuncExpr:
		c := *n
		if c.Args = many(n.Args); changed {
			return &c
		}
	case *OpExpr:
		c := *n
		if c.Args = many(n.Args); changed {
			return &c
		}
	case *DistinctExpr:
		c := *n
		c.Left, c.Right = one(n.Left), one(n.Right)
		if changed {
			return &c
		}
	case *NullIfExpr:
		c := *n
		c.Left, c.Right = one(n.Left), one(n.Right)
		if changed {
			return &c
		}
	case *ScalarArrayOpExpr:
		c := *n
		c.Scalar, c.Array = one(n.Scalar), one(n.Array)
		if changed {
			return &c
		}
	case *BoolExpr:
		c := *n
		if c.Args = many(n.Args); changed {
			return &c
		}
	case *Aggref:
		c := *n
		c.DirectArgs = many(n.DirectArgs)
		c.Args = mapTargets(n.Args, one)
		c.Filter = one(n.Filter)
		if changed {
			return &c
		}
	case *GroupingFunc:
		c := *n
		if c.Args = many(n.Args); changed {
			return &c
		}
	case *WindowFunc:
		c := *n
		c.Args = many(n.Args)
		c.Filter = one(n.Filter)
		if changed {
			return &c
		}
	case *SubLink:
		c := *n
		c.Left = many(n.Left)
		c.Test = one(n.Test)
		if changed {
			return &c
		}
	case *SubscriptingRef:
		c := *n
		c.Arg = one(n.Arg)
		c.Upper, c.Lower = many(n.Upper), many(n.Lower)
		c.Assign = one(n.Assign)
		if changed {
			return &c
		}
	case *FieldSelect:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	case *FieldStore:
		c := *n
		c.Arg = one(n.Arg)
		c.Values = many(n.Values)
		if changed {
			return &c
		}
	case *RelabelType:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	case *CoerceViaIO:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	case *ArrayCoerceExpr:
		c := *n
		c.Arg, c.Elem = one(n.Arg), one(n.Elem)
		if changed {
			return &c
		}
	case *ConvertRowtypeExpr:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	case *CollateExpr:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	case *CaseExpr:
		c := *n
		c.Arg = one(n.Arg)
		ws := make([]CaseWhen, len(n.Whens))
		for i, w := range n.Whens {
			ws[i] = CaseWhen{one(w.Cond), one(w.Result)}
		}
		c.Default = one(n.Default)
		if changed {
			c.Whens = ws
			return &c
		}
	case *ArrayExpr:
		c := *n
		if c.Elems = many(n.Elems); changed {
			return &c
		}
	case *RowExpr:
		c := *n
		if c.Fields = many(n.Fields); changed {
			return &c
		}
	case *RowCompareExpr:
		c := *n
		c.Left, c.Right = many(n.Left), many(n.Right)
		if changed {
			return &c
		}
	case *CoalesceExpr:
		c := *n
		if c.Args = many(n.Args); changed {
			return &c
		}
	case *MinMaxExpr:
		c := *n
		if c.Args = many(n.Args); changed {
			return &c
		}
	case *NullTest:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	case *BooleanTest:
		c := *n
		if c.Arg = one(n.Arg); changed {
			return &c
		}
	default:
		panic("query: unknown expression node")
	}
	return e
}

func mapTargets(ts []*TargetEntry, one func(Expr) Expr) []*TargetEntry {
	out := ts
	for i, t := range ts {
		if y := one(t.Expr); y != t.Expr {
			if &out[0] == &ts[0] {
				out = append([]*TargetEntry(nil), ts...)
			}
			c := *t
			c.Expr = y
			out[i] = &c
		}
	}
	return out
}

// mapQuery applies f to the expression roots of q, copying what changes.
func mapQuery(q *Query, f func(Expr) Expr) *Query {
	changed := false
	one := func(x Expr) Expr {
		if x == nil {
			return nil
		}
		y := f(x)
		if y != x {
			changed = true
		}
		return y
	}
	many := func(xs []Expr) []Expr {
		out := xs
		for i, x := range xs {
			if y := one(x); y != x {
				if &out[0] == &xs[0] {
					out = append([]Expr(nil), xs...)
				}
				out[i] = y
			}
		}
		return out
	}
	c := *q
	rt := make([]*RangeTblEntry, len(q.RTable))
	for i, r := range q.RTable {
		rt[i] = mapRTE(r, one, many)
	}
	c.TargetList = mapTargets(q.TargetList, one)
	if q.JoinTree != nil {
		c.JoinTree = mapFrom(q.JoinTree, one).(*FromExpr)
	}
	c.Having = one(q.Having)
	ws := make([]*WindowClause, len(q.WindowClause))
	for i, w := range q.WindowClause {
		x := *w
		x.Frame.StartOffset, x.Frame.EndOffset = one(w.Frame.StartOffset), one(w.Frame.EndOffset)
		ws[i] = &x
	}
	c.LimitOffset, c.LimitCount = one(q.LimitOffset), one(q.LimitCount)
	if o := q.OnConflict; o != nil {
		x := *o
		x.Set = mapTargets(o.Set, one)
		x.Where = one(o.Where)
		x.Infer = append([]InferElem(nil), o.Infer...)
		for i := range x.Infer {
			x.Infer[i].Expr = one(x.Infer[i].Expr)
		}
		x.InferWhere = one(o.InferWhere)
		c.OnConflict = &x
	}
	c.Returning = mapTargets(q.Returning, one)
	ms := make([]*MergeAction, len(q.MergeActions))
	for i, m := range q.MergeActions {
		x := *m
		x.Condition = one(m.Condition)
		x.TargetList = mapTargets(m.TargetList, one)
		ms[i] = &x
	}
	c.MergeJoin = one(q.MergeJoin)
	vs := make([]ViewCheck, len(q.CheckOptions))
	for i, v := range q.CheckOptions {
		vs[i] = v
		vs[i].Qual = one(v.Qual)
	}
	c.Generated = mapTargets(q.Generated, one)
	if !changed {
		return q
	}
	c.RTable, c.WindowClause, c.MergeActions, c.CheckOptions = rt, ws, ms, vs
	return &c
}

func mapRTE(r *RangeTblEntry, one func(Expr) Expr, many func([]Expr) []Expr) *RangeTblEntry {
	changed := false
	f := func(x Expr) Expr {
		y := one(x)
		if y != x {
			changed = true
		}
		return y
	}
	list := func(xs []Expr) []Expr {
		out := make([]Expr, len(xs))
		for i, x := range xs {
			out[i] = f(x)
		}
		return out
	}
	c := *r
	if s := r.TableSample; s != nil {
		x := *s
		x.Args, x.Repeatable = list(s.Args), f(s.Repeatable)
		c.TableSample = &x
	}
	if r.JoinAlias != nil {
		c.JoinAlias = list(r.JoinAlias)
	}
	if r.Functions != nil {
		c.Functions = make([]*RangeTblFunction, len(r.Functions))
		for i, fn := range r.Functions {
			x := *fn
			x.Expr = f(fn.Expr)
			c.Functions[i] = &x
		}
	}
	if r.ValuesLists != nil {
		c.ValuesLists = make([][]Expr, len(r.ValuesLists))
		for i, l := range r.ValuesLists {
			c.ValuesLists[i] = list(l)
		}
	}
	if !changed {
		return r
	}
	return &c
}

func mapFrom(i FromItem, one func(Expr) Expr) FromItem {
	switch n := i.(type) {
	case *JoinExpr:
		l, r := mapFrom(n.Left, one), mapFrom(n.Right, one)
		q := one(n.Quals)
		if l == n.Left && r == n.Right && q == n.Quals {
			return n
		}
		c := *n
		c.Left, c.Right, c.Quals = l, r, q
		return &c
	case *FromExpr:
		items := make([]FromItem, len(n.Items))
		same := true
		for k, x := range n.Items {
			items[k] = mapFrom(x, one)
			same = same && items[k] == x
		}
		q := one(n.Quals)
		if same && q == n.Quals {
			return n
		}
		return &FromExpr{Items: items, Quals: q}
	}
	return i
}
