package plan

import (
	"fmt"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// layout maps Cols to positions in a batch.
type layout map[Col]int

func layoutOf(cols ...[]Col) layout {
	l := layout{}
	n := 0
	for _, cs := range cols {
		for _, c := range cs {
			if _, dup := l[c]; !dup && c != 0 {
				l[c] = n
			}
			n++
		}
	}
	return l
}

// slotFor is the EXEC slot that carries a column of an outer Apply.
func (p *planner) slotFor(c Col) uint32 {
	s, ok := p.slotOf[c]
	if !ok {
		s = p.newSlot()
		p.slotOf[c] = s
	}
	return s
}

// exprLowering turns expressions over a layout into planpb; columns that are not
// in it are an outer Apply's and become EXEC slots.
type exprLowering struct {
	p     *planner
	lay   layout
	slots []uint32 // of enclosing CASE operands and array elements, innermost last
}

func (p *planner) lower(e query.Expr, lay layout) *planpb.Expr {
	if isNil(e) {
		return nil
	}
	return (&exprLowering{p: p, lay: lay}).expr(e)
}

func (p *planner) lowerAll(es []query.Expr, lay layout) []*planpb.Expr {
	var out []*planpb.Expr
	for _, e := range es {
		out = append(out, p.lower(e, lay))
	}
	return out
}

func (l *exprLowering) list(es []query.Expr) []*planpb.Expr {
	var out []*planpb.Expr
	for _, e := range es {
		out = append(out, l.expr(e))
	}
	return out
}

func (l *exprLowering) opt(e query.Expr) *planpb.Expr {
	if isNil(e) {
		return nil
	}
	return l.expr(e)
}

func execSlot(t types.T, slot uint32) *planpb.Expr {
	return &planpb.Expr{Type: planpb.NewType(t), Kind: &planpb.Expr_Param{Param: &planpb.Param{Kind: planpb.Param_EXEC, Index: slot}}}
}

func (l *exprLowering) expr(e query.Expr) *planpb.Expr {
	out := l.kind(e)
	if out.Type == nil {
		out.Type = planpb.NewType(e.Type())
	}
	if out.Collation == 0 {
		out.Collation = uint32(e.Collation())
	}
	return out
}

func (l *exprLowering) kind(e query.Expr) *planpb.Expr {
	p := l.p
	out := &planpb.Expr{}
	switch x := e.(type) {
	case *query.Var:
		c := Col(x.RTIndex)
		if i, ok := l.lay[c]; ok {
			return planpb.NewColumn(x.T, i)
		}
		return execSlot(x.T, p.slotFor(c))
	case *query.Const:
		return planpb.NewConst(x.T, x.Value)
	case *query.Param:
		switch x.Kind {
		case query.ParamExternal:
			out.Kind = &planpb.Expr_Param{Param: &planpb.Param{Kind: planpb.Param_EXTERNAL, Index: uint32(x.Number)}}
		case query.ParamExec:
			return execSlot(x.T, uint32(x.Number))
		case query.ParamCaseTest:
			if len(l.slots) == 0 {
				p.bug("CASE operand outside CASE")
			}
			return execSlot(x.T, l.slots[len(l.slots)-1])
		default:
			p.unsupported("domains")
		}
	case *query.FuncExpr:
		out.Kind = &planpb.Expr_Func{Func: &planpb.Func{Oid: uint32(x.Func), Args: l.list(x.Args), Variadic: x.Variadic}}
	case *query.OpExpr:
		out.Collation = uint32(x.InputColl)
		out.Kind = &planpb.Expr_Func{Func: &planpb.Func{Oid: uint32(x.Func), Args: l.list(x.Args)}}
	case *query.DistinctExpr:
		out.Kind = &planpb.Expr_Distinct{Distinct: &planpb.Distinct{Eq: uint32(x.Func), Left: l.expr(x.Left), Right: l.expr(x.Right)}}
	case *query.NullIfExpr:
		out.Kind = &planpb.Expr_NullIf{NullIf: &planpb.NullIf{Eq: uint32(x.Func), Left: l.expr(x.Left), Right: l.expr(x.Right)}}
	case *query.ScalarArrayOpExpr:
		out.Kind = &planpb.Expr_ScalarArrayOp{ScalarArrayOp: &planpb.ScalarArrayOp{Func: uint32(x.Func), All: !x.UseOr, Scalar: l.expr(x.Scalar), Array: l.expr(x.Array)}}
	case *query.BoolExpr:
		op := planpb.BoolExpr_AND
		switch x.Op {
		case query.Or:
			op = planpb.BoolExpr_OR
		case query.Not:
			op = planpb.BoolExpr_NOT
		}
		out.Kind = &planpb.Expr_Bool{Bool: &planpb.BoolExpr{Op: op, Args: l.list(x.Args)}}
	case *query.CaseExpr:
		c := &planpb.Case{}
		if !isNil(x.Arg) {
			c.Test = l.expr(x.Arg)
			c.TestSlot = p.newSlot()
			l.slots = append(l.slots, c.TestSlot)
		}
		var conds []*planpb.Expr
		for _, w := range x.Whens {
			conds = append(conds, l.expr(w.Cond))
		}
		if !isNil(x.Arg) {
			l.slots = l.slots[:len(l.slots)-1]
		}
		for i, w := range x.Whens {
			c.Whens = append(c.Whens, &planpb.CaseWhen{When: conds[i], Then: l.expr(w.Result)})
		}
		c.Default = l.opt(x.Default)
		out.Kind = &planpb.Expr_Case{Case: c}
	case *query.CoalesceExpr:
		out.Kind = &planpb.Expr_Coalesce{Coalesce: &planpb.Coalesce{Args: l.list(x.Args)}}
	case *query.MinMaxExpr:
		out.Kind = &planpb.Expr_MinMax{MinMax: &planpb.MinMax{Greatest: x.Greatest, Args: l.list(x.Args)}}
	case *query.NullTest:
		out.Kind = &planpb.Expr_NullTest{NullTest: &planpb.NullTest{Not: x.IsNot, Arg: l.expr(x.Arg), ArgIsRow: x.ArgIsRow}}
	case *query.BooleanTest:
		out.Kind = &planpb.Expr_BooleanTest{BooleanTest: &planpb.BooleanTest{Test: planpb.BooleanTest_Test(x.Test), Arg: l.expr(x.Arg)}}
	case *query.ArrayExpr:
		out.Kind = &planpb.Expr_Array{Array: &planpb.ArrayExpr{Elems: l.list(x.Elems), Nested: x.Nested}}
	case *query.RowExpr:
		out.Kind = &planpb.Expr_Row{Row: &planpb.RowExpr{Fields: l.list(x.Fields), Names: x.Names}}
	case *query.RowCompareExpr:
		op, ok := rowCompareOps[x.Op]
		if !ok {
			p.bug("row comparison %q", x.Op)
		}
		out.Kind = &planpb.Expr_RowCompare{RowCompare: &planpb.RowCompare{Op: op, Left: l.list(x.Left), Right: l.list(x.Right)}}
	case *query.FieldSelect:
		out.Kind = &planpb.Expr_FieldSelect{FieldSelect: &planpb.FieldSelect{Arg: l.expr(x.Arg), Field: uint32(p.fieldIndex(x.Arg.Type(), x.Field))}}
	case *query.FieldStore:
		arg := l.expr(x.Arg)
		for i, v := range x.Values {
			arg = &planpb.Expr{Type: planpb.NewType(x.T), Kind: &planpb.Expr_FieldStore{FieldStore: &planpb.FieldStore{
				Arg: arg, Field: uint32(p.fieldIndex(x.T, x.Fields[i])), Value: l.expr(v)}}}
		}
		return arg
	case *query.SubscriptingRef:
		return l.subscript(x)
	case *query.CoerceViaIO:
		out.Kind = &planpb.Expr_CoerceViaIo{CoerceViaIo: &planpb.CoerceViaIO{Arg: l.expr(x.Arg)}}
	case *query.ArrayCoerceExpr:
		a := &planpb.ArrayCoerce{Arg: l.expr(x.Arg), Slot: p.newSlot()}
		l.slots = append(l.slots, a.Slot)
		a.Elem = l.expr(x.Elem)
		l.slots = l.slots[:len(l.slots)-1]
		out.Kind = &planpb.Expr_ArrayCoerce{ArrayCoerce: a}
	case *query.RelabelType:
		out.Kind = &planpb.Expr_Relabel{Relabel: &planpb.Relabel{Arg: l.expr(x.Arg)}}
	case *query.CollateExpr:
		return l.expr(x.Arg)
	case *query.ConvertRowtypeExpr:
		out.Kind = &planpb.Expr_ConvertRowtype{ConvertRowtype: &planpb.ConvertRowtype{Arg: l.expr(x.Arg), FieldMap: p.rowMap(x.Arg.Type(), x.T)}}
	case *query.SQLValueFunction:
		return l.sqlValue(x)
	case *query.NextValExpr:
		int8 := types.Of(types.Int8)
		call := planpb.NewFunc(int8, uint32(catalog.FuncIdentityValue), planpb.NewConst(types.Of(types.RegClass), x.Sequence))
		switch x.T.OID {
		case types.Int4:
			return planpb.NewFunc(x.T, p.proc("int4(int8)"), call)
		case types.Int2:
			return planpb.NewFunc(x.T, p.proc("int2(int8)"), call)
		}
		return call
	case *query.SetToDefault:
		return planpb.NewConst(x.T, nil)
	case *query.GroupingFunc:
		p.bug("GROUPING outside grouping")
	default:
		p.bug("expression %T reached the executor's plan", e)
	}
	return out
}

// rowCompareOps are the operators rows compare with. Those of the pattern families compare
// bytes, which is how text compares here.
var rowCompareOps = map[string]planpb.RowCompare_Op{
	"<": planpb.RowCompare_LT, "<=": planpb.RowCompare_LE, ">=": planpb.RowCompare_GE, ">": planpb.RowCompare_GT,
	"~<~": planpb.RowCompare_LT, "~<=~": planpb.RowCompare_LE, "~>=~": planpb.RowCompare_GE, "~>~": planpb.RowCompare_GT,
}

// fieldIndex turns an attribute number of a row type into the field's position
// among the live ones.
func (p *planner) fieldIndex(t types.T, att int) int {
	ct, err := p.cat.Type(p.ctx, t.OID)
	p.check(err)
	if ct != nil && ct.Relation != 0 {
		r, err := p.cat.Relation(p.ctx, ct.Relation)
		p.check(err)
		if r != nil {
			return p.ordinal(r, att)
		}
	}
	return att - 1
}

// rowMap gives, per field of row type to, the position in row type from of the
// column of that name, −1 for none.
func (p *planner) rowMap(from, to types.T) []int32 {
	fn, _, ok1 := p.cat.Composite(from.OID)
	tn, _, ok2 := p.cat.Composite(to.OID)
	if !ok1 || !ok2 {
		p.unsupported("conversion between these row types")
	}
	var m []int32
	for _, n := range tn {
		k := int32(-1)
		for i, f := range fn {
			if f == n {
				k = int32(i)
			}
		}
		m = append(m, k)
	}
	return m
}

func (l *exprLowering) subscript(x *query.SubscriptingRef) *planpb.Expr {
	slice := len(x.Lower) > 0
	var ix []*planpb.SubscriptIndex
	for i := range x.Upper {
		s := &planpb.SubscriptIndex{Upper: l.opt(x.Upper[i])}
		if slice {
			s.Lower = l.opt(x.Lower[i])
		}
		ix = append(ix, s)
	}
	if !isNil(x.Assign) {
		return &planpb.Expr{Kind: &planpb.Expr_Assign{Assign: &planpb.Assign{Arg: l.expr(x.Arg), Indexes: ix, Slice: slice, Value: l.expr(x.Assign)}}}
	}
	return &planpb.Expr{Kind: &planpb.Expr_Subscript{Subscript: &planpb.Subscript{Arg: l.expr(x.Arg), Indexes: ix, Slice: slice}}}
}

// proc gives the OID of a built-in function that the lowering itself calls.
func (p *planner) proc(signature string) uint32 {
	oid, ok := facts.Proc(signature)
	if !ok {
		p.bug("no function %s", signature)
	}
	return oid
}

// sqlValue lowers CURRENT_DATE and its kin to calls.
func (l *exprLowering) sqlValue(x *query.SQLValueFunction) *planpb.Expr {
	p := l.p
	tstz := types.Of(types.TimestampTZOID)
	now := planpb.NewFunc(tstz, p.proc("now()"))
	withPrecision := func(e *planpb.Expr, name string) *planpb.Expr {
		if x.T.Mod < 0 {
			return e
		}
		return planpb.NewFunc(x.T, p.proc(fmt.Sprintf("%s(%s,int4)", name, name)), e, planpb.NewConst(types.Of(types.Int4), x.T.Mod))
	}
	call := func(signature string, args ...*planpb.Expr) *planpb.Expr {
		return planpb.NewFunc(x.T.NoMod(), p.proc(signature), args...)
	}
	switch x.Kind {
	case query.CurrentDate:
		return call("date(timestamptz)", now)
	case query.CurrentTime:
		return withPrecision(call("timetz(timestamptz)", now), "timetz")
	case query.CurrentTimestamp:
		return withPrecision(now, "timestamptz")
	case query.LocalTime:
		return withPrecision(call("time(timestamptz)", now), "time")
	case query.LocalTimestamp:
		return withPrecision(call("timestamp(timestamptz)", now), "timestamp")
	case query.CurrentRole, query.CurrentUser:
		return call("current_user()")
	case query.SessionUser:
		return call("session_user()")
	case query.CurrentCatalog:
		return call("current_database()")
	case query.CurrentSchema:
		return call("current_schema()")
	}
	p.bug("SQL value function %d", x.Kind)
	return nil
}
