package plan

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// walk visits e and everything below it, parents first; visit returns false to
// stay out of a node's children. Sub-selects are not entered (their Left and Test are).
func walk(e query.Expr, visit func(query.Expr) bool) {
	if isNil(e) || !visit(e) {
		return
	}
	mapChildren(e, func(c query.Expr) query.Expr { walk(c, visit); return c })
}

func isNil(e query.Expr) bool {
	if e == nil {
		return true
	}
	v := reflect.ValueOf(e)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// transform rebuilds e bottom-up: f is given each node with its children already
// transformed and returns its replacement. Unchanged nodes are shared.
func transform(e query.Expr, f func(query.Expr) query.Expr) query.Expr {
	if isNil(e) {
		return nil
	}
	return f(mapChildren(e, func(c query.Expr) query.Expr { return transform(c, f) }))
}

// rewrite rebuilds e top-down: where f returns non-nil, that replaces the node and
// its children are not visited.
func rewrite(e query.Expr, f func(query.Expr) query.Expr) query.Expr {
	if isNil(e) {
		return nil
	}
	if r := f(e); r != nil {
		return r
	}
	return mapChildren(e, func(c query.Expr) query.Expr { return rewrite(c, f) })
}

// substitute replaces column references.
func substitute(e query.Expr, m map[Col]query.Expr) query.Expr {
	if len(m) == 0 {
		return e
	}
	return rewrite(e, func(x query.Expr) query.Expr {
		if v, ok := x.(*query.Var); ok {
			if r, ok := m[Col(v.RTIndex)]; ok {
				return r
			}
		}
		return nil
	})
}

// mapChildren applies f to the direct children of e and gives e itself when none
// changed, a copy with the new children otherwise.
func mapChildren(e query.Expr, f func(query.Expr) query.Expr) query.Expr {
	changed := false
	one := func(c query.Expr) query.Expr {
		if isNil(c) {
			return nil
		}
		n := f(c)
		if n != c {
			changed = true
		}
		return n
	}
	list := func(cs []query.Expr) []query.Expr {
		var out []query.Expr
		for i, c := range cs {
			n := one(c)
			if out == nil && n != c && !(isNil(n) && isNil(c)) {
				out = append(make([]query.Expr, 0, len(cs)), cs[:i]...)
			}
			if out != nil {
				out = append(out, n)
			}
		}
		if out == nil {
			return cs
		}
		return out
	}
	switch x := e.(type) {
	case *query.FuncExpr:
		if a := list(x.Args); changed {
			n := *x
			n.Args = a
			return &n
		}
	case *query.OpExpr:
		if a := list(x.Args); changed {
			n := *x
			n.Args = a
			return &n
		}
	case *query.DistinctExpr:
		if l, r := one(x.Left), one(x.Right); changed {
			n := *x
			n.Left, n.Right = l, r
			return &n
		}
	case *query.NullIfExpr:
		if l, r := one(x.Left), one(x.Right); changed {
			n := *x
			n.Left, n.Right = l, r
			return &n
		}
	case *query.ScalarArrayOpExpr:
		if l, r := one(x.Scalar), one(x.Array); changed {
			n := *x
			n.Scalar, n.Array = l, r
			return &n
		}
	case *query.BoolExpr:
		if a := list(x.Args); changed {
			n := *x
			n.Args = a
			return &n
		}
	case *query.Aggref:
		args := make([]*query.TargetEntry, len(x.Args))
		for i, te := range x.Args {
			args[i] = te
			if ne := one(te.Expr); ne != te.Expr {
				c := *te
				c.Expr = ne
				args[i] = &c
			}
		}
		d, fl := list(x.DirectArgs), one(x.Filter)
		if changed {
			n := *x
			n.Args, n.DirectArgs, n.Filter = args, d, fl
			return &n
		}
	case *query.GroupingFunc: // arguments are never evaluated
	case *query.WindowFunc:
		if a, fl := list(x.Args), one(x.Filter); changed {
			n := *x
			n.Args, n.Filter = a, fl
			return &n
		}
	case *query.SubLink:
		if l, t := list(x.Left), one(x.Test); changed {
			n := *x
			n.Left, n.Test = l, t
			return &n
		}
	case *query.SubscriptingRef:
		if a, u, l, s := one(x.Arg), list(x.Upper), list(x.Lower), one(x.Assign); changed {
			n := *x
			n.Arg, n.Upper, n.Lower, n.Assign = a, u, l, s
			return &n
		}
	case *query.FieldSelect:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	case *query.FieldStore:
		if a, v := one(x.Arg), list(x.Values); changed {
			n := *x
			n.Arg, n.Values = a, v
			return &n
		}
	case *query.RelabelType:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	case *query.CoerceViaIO:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	case *query.ArrayCoerceExpr:
		if a, el := one(x.Arg), one(x.Elem); changed {
			n := *x
			n.Arg, n.Elem = a, el
			return &n
		}
	case *query.ConvertRowtypeExpr:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	case *query.CollateExpr:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	case *query.CaseExpr:
		a := one(x.Arg)
		ws := make([]query.CaseWhen, len(x.Whens))
		for i, w := range x.Whens {
			ws[i] = query.CaseWhen{Cond: one(w.Cond), Result: one(w.Result)}
		}
		if d := one(x.Default); changed {
			n := *x
			n.Arg, n.Whens, n.Default = a, ws, d
			return &n
		}
	case *query.ArrayExpr:
		if a := list(x.Elems); changed {
			n := *x
			n.Elems = a
			return &n
		}
	case *query.RowExpr:
		if a := list(x.Fields); changed {
			n := *x
			n.Fields = a
			return &n
		}
	case *query.RowCompareExpr:
		if l, r := list(x.Left), list(x.Right); changed {
			n := *x
			n.Left, n.Right = l, r
			return &n
		}
	case *query.CoalesceExpr:
		if a := list(x.Args); changed {
			n := *x
			n.Args = a
			return &n
		}
	case *query.MinMaxExpr:
		if a := list(x.Args); changed {
			n := *x
			n.Args = a
			return &n
		}
	case *query.NullTest:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	case *query.BooleanTest:
		if a := one(x.Arg); changed {
			n := *x
			n.Arg = a
			return &n
		}
	}
	return e
}

// exprKey is a canonical text of an expression: equal keys mean that the
// expressions compute the same thing (positions in the statement do not count).
func exprKey(e query.Expr) string {
	var b strings.Builder
	writeKey(&b, e)
	return b.String()
}

func writeKey(b *strings.Builder, e query.Expr) {
	if isNil(e) {
		b.WriteString("~")
		return
	}
	t := e.Type()
	switch x := e.(type) {
	case *query.Var:
		fmt.Fprintf(b, "v%d.%d.%d", x.RTIndex, x.AttNum, x.LevelsUp)
		return
	case *query.Const:
		if x.Value == nil {
			fmt.Fprintf(b, "c%d:null", t.OID)
		} else {
			fmt.Fprintf(b, "c%d.%d:%x", t.OID, t.Mod, types.AppendDatum(t, nil, x.Value))
		}
		return
	case *query.Param:
		fmt.Fprintf(b, "p%d.%d.%d", x.Kind, x.Number, t.OID)
		return
	case *query.SubLink:
		fmt.Fprintf(b, "sublink%p", x)
		return
	case *query.MultiAssignRef:
		fmt.Fprintf(b, "multi%p.%d", x.SubLink, x.Column)
		return
	case *query.GroupingFunc:
		fmt.Fprintf(b, "grouping%v", x.Refs)
		return
	case *query.FuncExpr:
		fmt.Fprintf(b, "f%d.%v", x.Func, x.Variadic)
	case *query.OpExpr:
		fmt.Fprintf(b, "o%d.%d", x.Op, x.InputColl)
	case *query.DistinctExpr:
		fmt.Fprintf(b, "distinct%d", x.Func)
	case *query.NullIfExpr:
		fmt.Fprintf(b, "nullif%d", x.Func)
	case *query.ScalarArrayOpExpr:
		fmt.Fprintf(b, "saop%d.%v", x.Func, x.UseOr)
	case *query.BoolExpr:
		fmt.Fprintf(b, "bool%d", x.Op)
	case *query.Aggref:
		fmt.Fprintf(b, "agg%d.%v.%v.%v.%v.%d.%d", x.Func, x.Star, x.Distinct, x.OrderBy, x.Variadic, x.NumArgs, x.LevelsUp)
		for _, te := range x.Args {
			fmt.Fprintf(b, ".%d", te.SortGroupRef)
		}
	case *query.WindowFunc:
		fmt.Fprintf(b, "win%d.%d.%v", x.Func, x.WinRef, x.Star)
	case *query.SubscriptingRef:
		fmt.Fprintf(b, "sub%d.%d", len(x.Upper), len(x.Lower))
		for _, u := range x.Upper {
			fmt.Fprintf(b, ".%v", isNil(u))
		}
		for _, u := range x.Lower {
			fmt.Fprintf(b, ".%v", isNil(u))
		}
	case *query.FieldSelect:
		fmt.Fprintf(b, "field%d", x.Field)
	case *query.FieldStore:
		fmt.Fprintf(b, "store%v", x.Fields)
	case *query.RowCompareExpr:
		fmt.Fprintf(b, "rowcmp%s%v", x.Op, x.Funcs)
	case *query.CaseExpr:
		fmt.Fprintf(b, "case%v.%d", isNil(x.Arg), len(x.Whens))
	case *query.MinMaxExpr:
		fmt.Fprintf(b, "minmax%v", x.Greatest)
	case *query.NullTest:
		fmt.Fprintf(b, "null%v.%v", x.IsNot, x.ArgIsRow)
	case *query.BooleanTest:
		fmt.Fprintf(b, "btest%d", x.Test)
	case *query.SQLValueFunction:
		fmt.Fprintf(b, "sqlval%d", x.Kind)
	case *query.NextValExpr:
		fmt.Fprintf(b, "nextval%d", x.Sequence)
	default:
		fmt.Fprintf(b, "%T", e)
	}
	fmt.Fprintf(b, ":%d.%d.%d(", t.OID, t.Mod, e.Collation())
	mapChildren(e, func(c query.Expr) query.Expr { writeKey(b, c); b.WriteByte(','); return c })
	b.WriteByte(')')
}

func equalExpr(a, b query.Expr) bool { return a == b || exprKey(a) == exprKey(b) }

// conjuncts splits a condition at its ANDs; nil gives none.
func conjuncts(e query.Expr) []query.Expr {
	if isNil(e) {
		return nil
	}
	if b, ok := e.(*query.BoolExpr); ok && b.Op == query.And {
		var out []query.Expr
		for _, a := range b.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []query.Expr{e}
}

// disjuncts splits a condition at its ORs.
func disjuncts(e query.Expr) []query.Expr {
	if b, ok := e.(*query.BoolExpr); ok && b.Op == query.Or {
		var out []query.Expr
		for _, a := range b.Args {
			out = append(out, disjuncts(a)...)
		}
		return out
	}
	return []query.Expr{e}
}

var boolBase = query.Base{T: types.Of(types.Bool), Loc: -1}

// andAll joins conditions with AND; nil for none.
func andAll(es []query.Expr) query.Expr { return combine(query.And, es) }

func orAll(es []query.Expr) query.Expr { return combine(query.Or, es) }

func combine(op query.BoolOp, es []query.Expr) query.Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return &query.BoolExpr{Base: boolBase, Op: op, Args: es}
}

func notExpr(e query.Expr) query.Expr {
	return &query.BoolExpr{Base: boolBase, Op: query.Not, Args: []query.Expr{e}}
}

func boolConst(v bool) *query.Const { return &query.Const{Base: boolBase, Value: v} }

func boolTest(e query.Expr, t query.BoolTestKind) query.Expr {
	return &query.BooleanTest{Base: boolBase, Arg: e, Test: t}
}

func nullConst(t types.T) *query.Const {
	return &query.Const{Base: query.Base{T: t, Loc: -1}}
}

// isConstBool tells TRUE, FALSE and NULL constants: known is false for others.
func isConstBool(e query.Expr) (val, null, known bool) {
	c, ok := e.(*query.Const)
	if !ok {
		return false, false, false
	}
	if c.Value == nil {
		return false, true, true
	}
	v, ok := c.Value.(bool)
	return v, false, ok
}
