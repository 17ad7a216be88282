package expr

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// codedNode is an expression over one text column and constants. When the column
// comes dictionary-coded the expression is computed once per value of the
// dictionary, and again only for another dictionary; rows then look their value's
// result up. A value that no row has may be one the expression fails on: then rows
// are computed one by one, as they are for plain vectors.
type codedNode struct {
	inner   node
	column  int
	t       types.T
	results map[arrow.ArrayData]*codedResult
}

// codedResult is what is known of one dictionary.
type codedResult struct {
	// vec holds the result of each value and, last, that of NULL; nil: not computed.
	vec    arrow.Array
	truth  []bool // of a bool vec: it is true
	failed bool
	asked  int // rows computed one by one so far
}

// codedResultsMax bounds the dictionaries remembered.
const codedResultsMax = 16

func (c *codedNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if r := c.result(f, in); r != nil {
		return kernel.FlattenRowsIn(in.mem, r.vec, c.positions(r, in)), nil
	}
	return c.inner.eval(f, in)
}

// evalCoded implements coder: a text result stays coded.
func (c *codedNode) evalCoded(f *Frame, in *Input) (arrow.Array, error) {
	r := c.result(f, in)
	if r == nil || r.vec.DataType().ID() != arrow.STRING {
		return c.eval(f, in)
	}
	return kernel.MakeCoded(c.positions(r, in), r.vec.Data(), nil, 0), nil
}

// selectRows implements selecter.
func (c *codedNode) selectRows(f *Frame, in *Input) ([]int32, bool, error) {
	r := c.result(f, in)
	if r == nil || r.truth == nil {
		if s, ok := c.inner.(selecter); ok {
			return s.selectRows(f, in)
		}
		return nil, false, nil
	}
	col := kernel.CodesOf(in.cols[c.column])
	return kernel.SelectCodes(in.mem, col, in.sel, r.truth), true, nil
}

// positions are the rows of r.vec that belong to the rows of in.
func (c *codedNode) positions(r *codedResult, in *Input) []int32 {
	col := kernel.CodesOf(in.cols[c.column])
	null := int32(r.vec.Len() - 1)
	if in.sel == nil && col.Valid.All() {
		return col.Codes
	}
	out := kernel.MakeIn[int32](in.mem, in.N)
	for i := range out {
		row := i
		if in.sel != nil {
			row = int(in.sel[i])
		}
		if col.Valid.Get(row) {
			out[i] = col.Codes[row]
		} else {
			out[i] = null
		}
	}
	return out
}

// result is the expression over the dictionary of in's column; nil: compute rows.
func (c *codedNode) result(f *Frame, in *Input) *codedResult {
	if c.column >= len(in.cols) || in.N == 0 {
		return nil
	}
	id := kernel.DictionaryID(in.cols[c.column])
	if id == nil {
		return nil
	}
	r := c.results[id]
	if r == nil {
		if c.results == nil || len(c.results) >= codedResultsMax {
			c.results = map[arrow.ArrayData]*codedResult{}
		}
		r = &codedResult{}
		c.results[id] = r
	}
	if r.vec != nil {
		return r
	}
	if r.failed || r.asked+in.N < id.Len() {
		r.asked += in.N
		return nil
	}
	dict := kernel.CodesOf(in.cols[c.column]).Dict()
	words := kernel.Concat(types.Of(types.Text), []arrow.Array{dict, kernel.Nulls(types.Of(types.Text), 1)})
	cols := make([]arrow.Array, len(in.cols))
	cols[c.column] = words
	vec, err := c.inner.eval(f, NewInput(cols, words.Len(), nil))
	if err != nil {
		r.failed = true
		return nil
	}
	if vec.DataType().ID() == arrow.BOOL {
		r.truth = make([]bool, vec.Len())
		for _, i := range kernel.TrueRows(nil, vec) {
			r.truth[i] = true
		}
	}
	r.vec = vec
	return r
}

// coder is a node that may give a dictionary-coded vector.
type coder interface {
	evalCoded(f *Frame, in *Input) (arrow.Array, error)
}

// EvalCoded is Eval, but text that can stay dictionary-coded does.
func (x *Expr) EvalCoded(f *Frame, in *Input) (arrow.Array, error) {
	switch n := x.root.(type) {
	case *columnNode:
		if n.index < len(in.cols) {
			return in.codedColumn(n.index), nil
		}
	case coder:
		return n.evalCoded(f, in)
	}
	return x.root.eval(f, in)
}

// codable finds the one text column that e depends on besides constants, −1 when e
// is a bare column or depends on more, or on anything that may change from row to row.
func (m *maker) codable(e *planpb.Expr) int {
	switch e.Kind.(type) {
	case *planpb.Expr_Column, *planpb.Expr_Const, *planpb.Expr_Param:
		return -1
	}
	col := -1
	if !m.overOne(e, &col) {
		return -1
	}
	return col
}

// overOne walks e: false when it is not for codedNode.
func (m *maker) overOne(e *planpb.Expr, col *int) bool {
	each := func(es ...*planpb.Expr) bool {
		for _, a := range es {
			if a != nil && !m.overOne(a, col) {
				return false
			}
		}
		return true
	}
	switch k := e.GetKind().(type) {
	case *planpb.Expr_Column:
		i := int(k.Column.GetIndex())
		if t := e.GetType().T(); *col >= 0 && *col != i || types.ArrowType(t).ID() != arrow.STRING || t.Class != types.ClassBase {
			return false
		}
		*col = i
		return true
	case *planpb.Expr_Const:
		return true
	case *planpb.Expr_Param:
		return k.Param.GetKind() == planpb.Param_EXTERNAL
	case *planpb.Expr_Func:
		fn := m.reg.Function(types.OID(k.Func.GetOid()))
		if fn != nil && (fn.Volatility != Immutable || fn.NeedsSession) {
			return false
		}
		return each(k.Func.GetArgs()...)
	case *planpb.Expr_Bool:
		return each(k.Bool.GetArgs()...)
	case *planpb.Expr_Case:
		if k.Case.GetTest() != nil {
			return false
		}
		for _, w := range k.Case.GetWhens() {
			if !each(w.GetWhen(), w.GetThen()) {
				return false
			}
		}
		return each(k.Case.GetDefault())
	case *planpb.Expr_Coalesce:
		return each(k.Coalesce.GetArgs()...)
	case *planpb.Expr_NullTest:
		return !k.NullTest.GetArgIsRow() && each(k.NullTest.GetArg())
	case *planpb.Expr_BooleanTest:
		return each(k.BooleanTest.GetArg())
	case *planpb.Expr_ScalarArrayOp:
		fn := m.reg.Function(types.OID(k.ScalarArrayOp.GetFunc()))
		if fn != nil && (fn.Volatility != Immutable || fn.NeedsSession) {
			return false
		}
		return each(k.ScalarArrayOp.GetScalar(), k.ScalarArrayOp.GetArray())
	case *planpb.Expr_Relabel:
		return each(k.Relabel.GetArg())
	}
	return false
}
