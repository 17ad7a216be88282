package plan

import "github.com/basaltdb/basalt/sql/query"

// cloneRel copies a tree's nodes (not its columns: the copy delivers the same
// Cols), so that a rewrite can be tried without committing to it. nil when the
// tree holds something that must not be copied.
func cloneRel(r rel) rel {
	exprs := func(es []query.Expr) []query.Expr { return append([]query.Expr(nil), es...) }
	sub := func(u unary) (unary, bool) {
		in := cloneRel(u.in)
		return unary{in}, in != nil
	}
	switch x := r.(type) {
	case *relGet:
		if x.target != 0 {
			return nil
		}
		n := *x
		n.quals = exprs(x.quals)
		return &n
	case *relResult:
		return &relResult{}
	case *relValues:
		n := *x
		n.rows = nil
		for _, row := range x.rows {
			n.rows = append(n.rows, exprs(row))
		}
		return &n
	case *relFunction:
		n := *x
		n.funcs = append([]*query.RangeTblFunction(nil), x.funcs...)
		return &n
	case *relCTE:
		n := *x
		return &n
	case *relWorkTable:
		n := *x
		return &n
	case *relFilter:
		u, ok := sub(x.unary)
		if !ok {
			return nil
		}
		return &relFilter{u, exprs(x.quals)}
	case *relProject:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.items = append([]projItem(nil), x.items...)
		return &n
	case *relJoin:
		n := *x
		n.left, n.right = cloneRel(x.left), cloneRel(x.right)
		if n.left == nil || n.right == nil {
			return nil
		}
		n.quals = exprs(x.quals)
		return &n
	case *relGroup:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.keys = append([]projItem(nil), x.keys...)
		n.aggs = append([]aggItem(nil), x.aggs...)
		return &n
	case *relSort:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.keys = append([]sortItem(nil), x.keys...)
		return &n
	case *relLimit:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.ties = append([]sortItem(nil), x.ties...)
		return &n
	case *relWindow:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.partition = exprs(x.partition)
		n.order = append([]sortItem(nil), x.order...)
		n.calls = append([]windowItem(nil), x.calls...)
		return &n
	case *relProjectSet:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.items = append([]setItem(nil), x.items...)
		return &n
	case *relDistinctOn:
		n := *x
		var ok bool
		if n.unary, ok = sub(x.unary); !ok {
			return nil
		}
		n.keys = exprs(x.keys)
		return &n
	case *relSetOp:
		n := *x
		n.left, n.right = cloneRel(x.left), cloneRel(x.right)
		if n.left == nil || n.right == nil {
			return nil
		}
		return &n
	case *relAppend:
		n := *x
		n.ins = nil
		n.inCols = append([][]Col(nil), x.inCols...)
		for _, in := range x.ins {
			c := cloneRel(in)
			if c == nil {
				return nil
			}
			n.ins = append(n.ins, c)
		}
		return &n
	}
	return nil
}
