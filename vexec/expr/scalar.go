package expr

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Scalar is an expression compiled for one row of Datums at a time: what point
// statements use instead of vectors. It is immutable and safe for concurrent use.
// Its values are Expr's.
type Scalar struct {
	Type types.T
	eval scalarFunc
	// column is the row's column that the expression is, −1 for another kind.
	column int
	// plain: a constant or a parameter.
	plain bool
}

// ScalarInput is what a Scalar is evaluated on. It belongs to one goroutine.
type ScalarInput struct {
	Ctx *Context
	// Row holds the columns.
	Row []types.Datum
	// folded are the values of ScalarMaker.Fold.
	folded []types.Datum
	// stack holds arguments of the calls under way.
	stack []types.Datum
}

type scalarFunc func(in *ScalarInput) (types.Datum, error)

// ScalarMaker compiles the expressions of one statement. It knows plain
// expressions: columns, constants, parameters, calls, relabeled types, AND, OR,
// NOT and IS NULL. The others are left to Compile.
type ScalarMaker struct {
	reg *Registry
	// columns are what ColumnRefs stand for; nil entries are not available.
	columns []*Scalar
	uses    []int // of columns
	folds   []scalarFunc
	// below counts the AND, OR and NOT around what is being compiled.
	below   int
	general bool
	// volatile: a function was met whose calls must be as many as operators make.
	volatile bool
	reads    []int32 // see TakeReads
}

// NewScalarMaker makes a maker for expressions without columns.
func NewScalarMaker(reg *Registry) *ScalarMaker { return &ScalarMaker{reg: reg} }

// SetColumns says what the ColumnRefs of what is compiled from now on stand for:
// columns of the row (RowColumn) or other expressions of it; nil: not available.
func (m *ScalarMaker) SetColumns(columns []*Scalar) {
	m.columns, m.uses = columns, make([]int, len(columns))
}

// UsedOnce reports that every column that has to be computed is used exactly once
// since SetColumns: what computing it does is done once.
func (m *ScalarMaker) UsedOnce() bool {
	for i, c := range m.columns {
		if c != nil && c.column < 0 && !c.plain && m.uses[i] != 1 {
			return false
		}
	}
	return true
}

// RowColumn is column i of the row.
func RowColumn(t types.T, i int) *Scalar { return &Scalar{Type: t, column: i} }

// use gives what a ColumnRef stands for.
func (m *ScalarMaker) use(index uint32) *Scalar {
	if int(index) >= len(m.columns) || m.columns[index] == nil {
		return nil
	}
	m.uses[index]++
	return m.columns[index]
}

// TakeReads gives the row's columns that what was compiled since the last call computes
// with; columns that expressions are, and no more, are not among them.
func (m *ScalarMaker) TakeReads() []int32 {
	r := m.reads
	m.reads = nil
	return r
}

// General reports whether functions are called that account memory (Context.Memory).
func (m *ScalarMaker) General() bool { return m.general }

// Volatile reports whether volatile functions are called.
func (m *ScalarMaker) Volatile() bool { return m.volatile }

// Folder gives what computes the parts of the expressions that depend on
// parameters and constants alone: where Compile folds them, so that they fail
// whether or not there is a row, they are computed before a row is looked for.
func (m *ScalarMaker) Folder() ScalarFolder { return ScalarFolder{m.folds} }

// ScalarFolder computes what does not depend on the row.
type ScalarFolder struct{ folds []scalarFunc }

// Fold computes it for in. Call it before the first Eval.
func (f ScalarFolder) Fold(in *ScalarInput) error {
	if len(f.folds) == 0 {
		return nil
	}
	in.folded = make([]types.Datum, len(f.folds))
	for i, x := range f.folds {
		var err error
		if in.folded[i], err = x(in); err != nil {
			return err
		}
	}
	return nil
}

// Eval computes the expression.
func (s *Scalar) Eval(in *ScalarInput) (types.Datum, error) {
	if s.column >= 0 {
		return in.Row[s.column], nil
	}
	return s.eval(in)
}

// Column is the row's column that the expression is, −1 for another kind.
func (s *Scalar) Column() int { return s.column }

// Compile compiles e; nil when it is of a kind that is left to vectors.
func (m *ScalarMaker) Compile(e *planpb.Expr) *Scalar {
	if e == nil {
		return nil
	}
	if c, ok := e.Kind.(*planpb.Expr_Column); ok {
		return m.use(c.Column.GetIndex())
	}
	s := &Scalar{Type: e.GetType().T(), column: -1}
	n, ok := m.node(e)
	if !ok {
		return nil
	}
	s.eval, s.plain = m.hoist(n), n.fixed && !n.call
	return s
}

// scalarNode is a compiled subtree.
type scalarNode struct {
	eval scalarFunc
	// fixed: it depends on constants and parameters alone and calls nothing but
	// immutable functions. call: it calls one, so that computing it is worth while.
	fixed, call bool
}

// hoist makes a fixed subtree with a call one of the folds.
func (m *ScalarMaker) hoist(n scalarNode) scalarFunc {
	if !n.fixed || !n.call {
		return n.eval
	}
	i := len(m.folds)
	m.folds = append(m.folds, n.eval)
	return func(in *ScalarInput) (types.Datum, error) { return in.folded[i], nil }
}

func (m *ScalarMaker) node(e *planpb.Expr) (n scalarNode, ok bool) {
	t := e.GetType().T()
	switch k := e.Kind.(type) {
	case *planpb.Expr_Column:
		c := m.use(k.Column.GetIndex())
		if c == nil {
			return n, false
		}
		if c.column >= 0 && !slices.Contains(m.reads, int32(c.column)) {
			m.reads = append(m.reads, int32(c.column))
		}
		return scalarNode{eval: c.Eval}, true
	case *planpb.Expr_Const:
		var d types.Datum
		if !k.Const.GetNull() {
			var err error
			if d, err = types.ReadDatum(t, k.Const.GetValue()); err != nil {
				return n, false
			}
		}
		return scalarNode{eval: func(*ScalarInput) (types.Datum, error) { return d, nil }, fixed: true}, true
	case *planpb.Expr_Param:
		i := int(k.Param.GetIndex())
		return scalarNode{eval: func(in *ScalarInput) (types.Datum, error) { return externalValue(in.Ctx, i) }, fixed: true},
			k.Param.GetKind() == planpb.Param_EXTERNAL
	case *planpb.Expr_Func:
		return m.callNode(k.Func, t, types.OID(e.GetCollation()))
	case *planpb.Expr_Bool:
		return m.boolNode(k.Bool)
	case *planpb.Expr_NullTest:
		if k.NullTest.GetArgIsRow() {
			return n, false
		}
		a, ok := m.node(k.NullTest.GetArg())
		not := k.NullTest.GetNot()
		a.call = true
		eval := a.eval
		a.eval = func(in *ScalarInput) (types.Datum, error) {
			d, err := eval(in)
			return (d == nil) != not, err
		}
		return a, ok
	case *planpb.Expr_Relabel:
		if relabelRebuilds(k.Relabel.GetArg().GetType().T(), t) {
			return n, false
		}
		return m.node(k.Relabel.GetArg())
	}
	return n, false
}

// callNode compiles a call of a function.
func (m *ScalarMaker) callNode(k *planpb.Func, t types.T, coll types.OID) (n scalarNode, ok bool) {
	oid := types.OID(k.GetOid())
	fn, fast := m.reg.Function(oid), kernel.FastFunction(oid)
	if fn == nil {
		if fast == nil {
			return n, false
		}
		fn = &Function{OID: oid, Strict: true}
	}
	m.volatile = m.volatile || fn.Volatility == Volatile
	n = scalarNode{fixed: fn.Volatility == Immutable && !fn.NeedsSession, call: true}
	nodes := make([]scalarNode, len(k.GetArgs()))
	for i, a := range k.GetArgs() {
		if nodes[i], ok = m.node(a); !ok {
			return n, false
		}
		n.fixed = n.fixed && nodes[i].fixed
	}
	if n.fixed && m.below > 0 { // Compile folds it only where no constant rules it out
		return n, false
	}
	args := make([]scalarFunc, len(nodes))
	for i, a := range nodes {
		if args[i] = a.eval; !n.fixed {
			args[i] = m.hoist(a)
		}
	}
	if f := intFunction(oid); f != nil && len(args) == 2 {
		x, y := args[0], args[1]
		n.eval = func(in *ScalarInput) (types.Datum, error) {
			a, err := x(in)
			if err != nil {
				return nil, err
			}
			b, err := y(in)
			if err != nil || a == nil || b == nil {
				return nil, err
			}
			return f(a, b)
		}
		return n, true
	}
	if fn.Prepare != nil { // its state would belong to one run
		return n, false
	}
	call := &Call{OID: oid, ArgTypes: typesOf(k.GetArgs()), Result: t, Collation: coll, Variadic: k.GetVariadic(),
		Const: make([]types.Datum, len(args)), IsConst: make([]bool, len(args))}
	if fn.Value != nil && fn.Strict {
		m.general = m.general || fn.Grows
		n.eval = func(in *ScalarInput) (types.Datum, error) {
			base := len(in.stack)
			for _, a := range args {
				d, err := a(in)
				if err != nil || d == nil {
					in.stack = in.stack[:base]
					return nil, err
				}
				in.stack = append(in.stack, d)
			}
			d, err := fn.Value(in.Ctx, call, in.stack[base:])
			in.stack = in.stack[:base]
			return d, err
		}
		return n, true
	}
	m.general = true
	c := &funcNode{fn: fn, call: call, fast: fast, prepared: true}
	n.eval = func(in *ScalarInput) (types.Datum, error) {
		vecs := make([]arrow.Array, len(args))
		for i, a := range args {
			d, err := a(in)
			if err != nil || d == nil && fn.Strict {
				return nil, err
			}
			vecs[i] = repeat(call.ArgTypes[i], d, 1)
		}
		v, err := c.apply(&Frame{Ctx: in.Ctx}, nil, vecs, 1)
		if err != nil {
			return nil, err
		}
		return types.Get(t, v, 0), nil
	}
	return n, true
}

// boolNode compiles AND, OR and NOT: an argument is evaluated only when those
// before it have not decided.
func (m *ScalarMaker) boolNode(k *planpb.BoolExpr) (n scalarNode, ok bool) {
	m.below++
	defer func() { m.below-- }()
	args := make([]scalarFunc, len(k.GetArgs()))
	for i, a := range k.GetArgs() {
		arg, ok := m.node(a)
		if !ok {
			return n, false
		}
		args[i] = arg.eval
	}
	if k.GetOp() == planpb.BoolExpr_NOT {
		if len(args) != 1 {
			return n, false
		}
		return scalarNode{eval: func(in *ScalarInput) (types.Datum, error) {
			d, err := args[0](in)
			if b, ok := d.(bool); ok {
				return !b, err
			}
			return nil, err
		}}, true
	}
	decides := k.GetOp() == planpb.BoolExpr_OR
	return scalarNode{eval: func(in *ScalarInput) (types.Datum, error) {
		var out types.Datum = !decides
		for _, a := range args {
			d, err := a(in)
			if err != nil {
				return nil, err
			}
			switch d {
			case nil:
				out = nil
			case decides:
				return decides, nil
			}
		}
		return out, nil
	}}, true
}
