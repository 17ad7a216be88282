package expr

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Expr is a compiled expression. It belongs to one worker: it keeps scratch
// memory and prepared call sites between batches.
type Expr struct {
	Type types.T
	root node
	// conjuncts of a top-level AND, for Filter; nil: root alone.
	conj  []node
	order *conjunctOrder // nil: as they stand
	// columns that are read, ascending
	columns []int
}

// node computes one value per row of in.
type node interface {
	eval(f *Frame, in *Input) (arrow.Array, error)
}

// setLocal binds a local slot's type while what reads it is compiled.
func (m *maker) setLocal(slot uint32, t types.T) {
	if m.locals == nil {
		m.locals = map[uint32]types.T{}
	}
	m.locals[slot] = t
}

// maker is a compilation in progress.
type maker struct {
	reg    *Registry
	frame  *Frame
	locals map[uint32]types.T
	coded  bool // inside a codedNode
	// columns read so far, repeated
	columns []int
	shared  *Shared // nil: nothing is
}

// Compile prepares e. Constant subtrees without volatile or stable calls are
// computed now, and if that fails compilation does: like PostgreSQL's planner,
// which folds 1/0 wherever it stands, except in what a constant condition rules
// out. frame supplies the context functions are prepared with.
func Compile(e *planpb.Expr, reg *Registry, frame *Frame) (*Expr, error) {
	return compileTop(&maker{reg: reg, frame: frame}, e)
}

func compileTop(m *maker, e *planpb.Expr) (*Expr, error) {
	n, err := m.compile(e)
	if err != nil {
		return nil, err
	}
	slices.Sort(m.columns)
	x := &Expr{Type: e.GetType().T(), root: n, columns: slices.Compact(m.columns)}
	if b, ok := n.(*boolNode); ok && b.op == planpb.BoolExpr_AND {
		x.conj = b.args
		x.order = newConjunctOrder(b.args)
	}
	return x, nil
}

// CompileAll compiles a list.
func CompileAll(es []*planpb.Expr, reg *Registry, frame *Frame) ([]*Expr, error) {
	out := make([]*Expr, len(es))
	for i, e := range es {
		var err error
		if out[i], err = Compile(e, reg, frame); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Eval computes the expression for every row of in. The result may share memory with in.
func (x *Expr) Eval(f *Frame, in *Input) (arrow.Array, error) { return x.root.eval(f, in) }

// Filter gives the rows of in for which the (bool) expression is true,
// ascending; nil when all are. Conjuncts are evaluated one after the other, each
// on the rows its predecessors left; those that cannot fail are put in the order
// that has proved cheapest.
func (x *Expr) Filter(f *Frame, in *Input) ([]int32, error) {
	conj := x.conj
	if conj == nil {
		conj = []node{x.root}
	}
	if x.order != nil {
		return x.order.filter(f, in, conj)
	}
	var sel []int32 // rows of in; nil: all
	cur := in
	for _, c := range conj {
		keep, err := trueRows(f, c, cur)
		if err != nil {
			return nil, err
		}
		if len(keep) == cur.N {
			continue
		}
		if cur, sel = cur.Subset(keep), in.compose(sel, keep); len(sel) == 0 {
			return []int32{}, nil
		}
	}
	return sel, nil
}

// trueRows lists the rows of in for which c is true.
func trueRows(f *Frame, c node, in *Input) ([]int32, error) {
	if s, ok := c.(selecter); ok {
		if keep, done, err := s.selectRows(f, in); done || err != nil {
			return keep, err
		}
	}
	v, err := c.eval(f, in)
	if err != nil {
		return nil, err
	}
	return kernel.TrueRows(in.mem, v), nil
}

// selecter is a predicate with a direct way to its true rows. done false: use eval.
type selecter interface {
	selectRows(f *Frame, in *Input) (keep []int32, done bool, err error)
}

// EvalScalar computes an expression without columns to one value.
func (x *Expr) EvalScalar(f *Frame) (types.Datum, error) {
	if d, ok, err := scalarOf(f, x.root); ok || err != nil {
		return d, err
	}
	v, err := x.root.eval(f, &Input{N: 1})
	if err != nil {
		return nil, err
	}
	return types.Get(x.Type, v, 0), nil
}

// Const gives the value of a constant expression.
func (x *Expr) Const() (d types.Datum, ok bool) {
	c, ok := x.root.(*constNode)
	if !ok {
		return nil, false
	}
	return c.value, true
}

// CannotFail: no value of its columns makes the expression raise an error, or have an
// effect, so that it may be computed for rows nobody asked for.
func (x *Expr) CannotFail() bool { return total(x.root) }

func total(n node) bool {
	switch c := n.(type) {
	case *columnNode, *constNode:
		return true
	case *sharedNode:
		return total(c.inner)
	case *codedNode:
		return total(c.inner)
	case *funcNode:
		if !c.fn.CannotFail && !kernel.CannotFail(c.fn.OID) {
			return false
		}
		for _, a := range c.args {
			if !total(a) {
				return false
			}
		}
		return true
	}
	return false
}

// ColumnIndex gives the column of a bare column reference, −1 otherwise.
func (x *Expr) ColumnIndex() int {
	if c, ok := x.root.(*columnNode); ok {
		return c.index
	}
	return -1
}

func (m *maker) all(es []*planpb.Expr) ([]node, error) {
	out := make([]node, len(es))
	for i, e := range es {
		var err error
		if out[i], err = m.compile(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// compile compiles e and folds it when it is constant.
func (m *maker) compile(e *planpb.Expr) (node, error) {
	if e == nil {
		return nil, pgerror.Internal("missing expression")
	}
	key := m.repeated(e)
	if key != "" {
		if n := m.shared.nodes[key]; n != nil {
			m.columns = append(m.columns, n.reads...)
			return n, nil
		}
	}
	first := len(m.columns)
	n, err := m.compileOnce(e)
	if err != nil || key == "" {
		return n, err
	}
	if _, ok := n.(*funcNode); !ok {
		return n, nil
	}
	s := &sharedNode{inner: n, reads: slices.Clone(m.columns[first:])}
	m.shared.nodes[key] = s
	return s, nil
}

func (m *maker) compileOnce(e *planpb.Expr) (node, error) {
	column := -1
	if !m.coded {
		if column = m.codable(e); column >= 0 {
			m.coded = true
		}
	}
	n, err := m.compileKind(e)
	if column >= 0 {
		m.coded = false
	}
	if err != nil {
		return nil, err
	}
	if column >= 0 {
		if _, ok := n.(*constNode); !ok {
			return &codedNode{inner: n, column: column, t: e.GetType().T()}, nil
		}
	}
	if _, ok := n.(*constNode); !ok && isConstant(n) {
		t := e.GetType().T()
		v, err := n.eval(m.frame, &Input{N: 1})
		if err != nil {
			return nil, err
		}
		return &constNode{t: t, value: types.Get(t, v, 0)}, nil
	}
	return n, nil
}

// pure nodes report whether they depend on nothing but constants.
type pure interface{ constant() bool }

func isConstant(n node) bool {
	p, ok := n.(pure)
	return ok && p.constant()
}

func allConstant(ns []node) bool {
	for _, n := range ns {
		if n != nil && !isConstant(n) {
			return false
		}
	}
	return true
}

func (m *maker) compileKind(e *planpb.Expr) (node, error) {
	t := e.GetType().T()
	switch k := e.Kind.(type) {
	case *planpb.Expr_Column:
		m.columns = append(m.columns, int(k.Column.GetIndex()))
		return &columnNode{int(k.Column.GetIndex())}, nil
	case *planpb.Expr_Const:
		if k.Const.GetNull() {
			return &constNode{t: t}, nil
		}
		d, err := types.ReadDatum(t, k.Const.GetValue())
		if err != nil {
			return nil, err
		}
		return &constNode{t: t, value: d}, nil
	case *planpb.Expr_Param:
		if k.Param.GetKind() == planpb.Param_EXTERNAL {
			d, err := externalValue(m.frame.Ctx, int(k.Param.GetIndex()))
			return &constNode{t: t, value: d}, err
		}
		if _, ok := m.locals[k.Param.GetIndex()]; ok {
			return &localNode{k.Param.GetIndex()}, nil
		}
		return &slotNode{t: t, slot: k.Param.GetIndex()}, nil
	case *planpb.Expr_Func:
		args, err := m.all(k.Func.GetArgs())
		if err != nil {
			return nil, err
		}
		return m.call(types.OID(k.Func.GetOid()), t, types.OID(e.GetCollation()), typesOf(k.Func.GetArgs()), args, k.Func.GetVariadic())
	case *planpb.Expr_Bool:
		return m.boolExpr(k.Bool)
	case *planpb.Expr_Case:
		return m.caseExpr(t, k.Case)
	case *planpb.Expr_Coalesce:
		c := &coalesceNode{t: t}
		for _, a := range k.Coalesce.GetArgs() {
			n, err := m.compile(a)
			if err != nil {
				return nil, err
			}
			c.args = append(c.args, n)
			if v, ok := n.(*constNode); ok && v.value != nil {
				break // the rest is never reached
			}
		}
		return c, nil
	case *planpb.Expr_MinMax:
		args, err := m.all(k.MinMax.GetArgs())
		return &minMaxNode{t: t, args: args, greatest: k.MinMax.GetGreatest()}, err
	case *planpb.Expr_NullTest:
		arg, err := m.compile(k.NullTest.GetArg())
		if err != nil {
			return nil, err
		}
		return &nullTestNode{arg: arg, argType: k.NullTest.Arg.GetType().T(), not: k.NullTest.GetNot(), row: k.NullTest.GetArgIsRow()}, nil
	case *planpb.Expr_BooleanTest:
		arg, err := m.compile(k.BooleanTest.GetArg())
		return &booleanTestNode{arg, k.BooleanTest.GetTest()}, err
	case *planpb.Expr_Distinct:
		l, r, eq, err := m.equality(k.Distinct.GetEq(), k.Distinct.GetLeft(), k.Distinct.GetRight(), e)
		return &distinctNode{l, r, eq}, err
	case *planpb.Expr_NullIf:
		l, r, eq, err := m.equality(k.NullIf.GetEq(), k.NullIf.GetLeft(), k.NullIf.GetRight(), e)
		return &nullIfNode{l, r, eq}, err
	case *planpb.Expr_ScalarArrayOp:
		return m.scalarArrayOp(k.ScalarArrayOp, e)
	case *planpb.Expr_Array:
		elems, err := m.all(k.Array.GetElems())
		return &arrayNode{t: t, elems: elems, elemTypes: typesOf(k.Array.GetElems()), nested: k.Array.GetNested()}, err
	case *planpb.Expr_Row:
		fields, err := m.all(k.Row.GetFields())
		return &rowNode{t: t, fields: fields, fieldTypes: typesOf(k.Row.GetFields()), names: k.Row.GetNames()}, err
	case *planpb.Expr_RowCompare:
		l, err := m.all(k.RowCompare.GetLeft())
		if err != nil {
			return nil, err
		}
		r, err := m.all(k.RowCompare.GetRight())
		if len(l) != len(r) {
			return nil, pgerror.Internal("row comparison of %d and %d columns", len(l), len(r))
		}
		return &rowCompareNode{op: k.RowCompare.GetOp(), left: l, right: r, ts: typesOf(k.RowCompare.GetLeft()), rts: typesOf(k.RowCompare.GetRight())}, err
	case *planpb.Expr_FieldSelect:
		arg, err := m.compile(k.FieldSelect.GetArg())
		if err != nil {
			return nil, err
		}
		return &fieldSelectNode{t: t, arg: arg, argType: k.FieldSelect.Arg.GetType().T(), field: int(k.FieldSelect.GetField())}, nil
	case *planpb.Expr_Subscript:
		return m.subscript(t, k.Subscript.GetArg(), k.Subscript.GetIndexes(), k.Subscript.GetSlice(), nil)
	case *planpb.Expr_Assign:
		return m.subscript(t, k.Assign.GetArg(), k.Assign.GetIndexes(), k.Assign.GetSlice(), k.Assign.GetValue())
	case *planpb.Expr_CoerceViaIo:
		arg, err := m.compile(k.CoerceViaIo.GetArg())
		if err != nil {
			return nil, err
		}
		return &coerceIONode{t: t, arg: arg, argType: k.CoerceViaIo.Arg.GetType().T()}, nil
	case *planpb.Expr_ArrayCoerce:
		return m.arrayCoerce(t, k.ArrayCoerce)
	case *planpb.Expr_Relabel:
		arg, err := m.compile(k.Relabel.GetArg())
		if err != nil {
			return nil, err
		}
		from := k.Relabel.Arg.GetType().T()
		if c, ok := arg.(*constNode); ok && !relabelRebuilds(from, t) {
			return &constNode{t: t, value: c.value}, nil
		}
		return &relabelNode{arg: arg, from: from, to: t}, nil
	case *planpb.Expr_ConvertRowtype:
		arg, err := m.compile(k.ConvertRowtype.GetArg())
		if err != nil {
			return nil, err
		}
		return &convertRowNode{t: t, arg: arg, argType: k.ConvertRowtype.Arg.GetType().T(), fields: k.ConvertRowtype.GetFieldMap()}, nil
	case *planpb.Expr_FieldStore:
		arg, err := m.compile(k.FieldStore.GetArg())
		if err != nil {
			return nil, err
		}
		value, err := m.compile(k.FieldStore.GetValue())
		if err != nil {
			return nil, err
		}
		return &fieldStoreNode{t: t, arg: arg, field: int(k.FieldStore.GetField()), value: value, valueType: k.FieldStore.Value.GetType().T()}, nil
	}
	return nil, pgerror.Internal("expression kind %T", e.Kind)
}

func typesOf(es []*planpb.Expr) []types.T {
	out := make([]types.T, len(es))
	for i, e := range es {
		out[i] = e.GetType().T()
	}
	return out
}

// equality compiles both sides of IS DISTINCT FROM and NULLIF and the call of eq over them.
func (m *maker) equality(eq uint32, left, right *planpb.Expr, e *planpb.Expr) (l, r node, call *funcNode, err error) {
	if l, err = m.compile(left); err != nil {
		return
	}
	if r, err = m.compile(right); err != nil {
		return
	}
	ts := []types.T{left.GetType().T(), right.GetType().T()}
	n, err := m.callNode(types.OID(eq), types.Of(types.Bool), types.OID(e.GetCollation()), ts, []node{nil, nil}, false)
	return l, r, n, err
}
