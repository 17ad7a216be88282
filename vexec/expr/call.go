package expr

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// funcNode calls a function: the registry's, or a kernel of the engine that has
// the same meaning and is tried first.
type funcNode struct {
	fn       *Function
	call     *Call
	args     []node
	fast     kernel.Fast
	compare  kernel.Comparison // set when isCmp
	isCmp    bool
	prepared bool
	vecs     []arrow.Array
}

func (m *maker) call(oid types.OID, t types.T, coll types.OID, ts []types.T, args []node, variadic bool) (node, error) {
	oid, ts, args = dateBound(oid, ts, args)
	n, err := m.callNode(oid, t, coll, ts, args, variadic)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (m *maker) callNode(oid types.OID, t types.T, coll types.OID, ts []types.T, args []node, variadic bool) (*funcNode, error) {
	n := &funcNode{args: args, vecs: make([]arrow.Array, len(args))}
	n.call = &Call{OID: oid, ArgTypes: ts, Result: t, Collation: coll, Variadic: variadic,
		Const: make([]types.Datum, len(args)), IsConst: make([]bool, len(args))}
	for i, a := range args {
		if c, ok := a.(*constNode); ok {
			n.call.Const[i], n.call.IsConst[i] = c.value, true
		}
	}
	n.fn = m.reg.Function(oid)
	n.fast = kernel.FastFunction(oid)
	n.compare, n.isCmp = kernel.ComparisonFunction(oid)
	if n.fn == nil {
		if n.fast == nil {
			return nil, pgerror.Unsupported("function %s", facts.ProcName(uint32(oid)))
		}
		n.fn = &Function{OID: oid, Strict: true}
	}
	return n, nil
}

func (c *funcNode) constant() bool {
	return c.fn.Volatility == Immutable && !c.fn.NeedsSession && allConstant(c.args)
}

func (c *funcNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if in.N == 0 {
		return kernel.Nulls(c.call.Result, 0), nil
	}
	for i, a := range c.args {
		v, err := a.eval(f, in)
		if err != nil {
			return nil, err
		}
		if c.fn.Strict && v.NullN() == in.N {
			return kernel.Nulls(c.call.Result, in.N), nil
		}
		c.vecs[i] = v
	}
	if c.fast != nil && len(c.args) == 2 {
		c.alignConstants(in.N)
	}
	return c.apply(f, in.mem, c.vecs, in.N)
}

// alignConstants gives a decimal constant the scale of the decimals on the other side
// where that is greater, so that kernels of addition and comparison find both alike.
func (c *funcNode) alignConstants(n int) {
	for i, a := range c.args {
		k, ok := a.(*constNode)
		if !ok || !kernel.AlignsDecimals(c.fn.OID) {
			continue
		}
		if d, ok := c.vecs[1-i].(*types.Dec64Array); ok {
			if v := k.atScale(d.Scale(), n); v != nil {
				c.vecs[i] = v
			}
		}
	}
}

// apply calls the function on evaluated arguments; the result may be in mem's memory.
func (c *funcNode) apply(f *Frame, mem *kernel.Arena, args []arrow.Array, n int) (arrow.Array, error) {
	if n == 0 {
		return kernel.Nulls(c.call.Result, 0), nil
	}
	if c.fast != nil {
		v, err := c.fast(mem, args, n)
		if err != nil {
			return nil, err
		}
		if v != nil {
			return v, nil
		}
	}
	if c.fn.Eval == nil {
		return nil, pgerror.Unsupported("function with OID %d over these forms", c.fn.OID)
	}
	if err := c.prepare(f); err != nil {
		return nil, err
	}
	v, err := c.fn.Eval(f.Ctx, c.call, args, n)
	if err != nil {
		return nil, err
	}
	v = kernel.Flatten(v)
	if v.Len() != n {
		return nil, pgerror.Internal("function %d gave %d values for %d rows", c.fn.OID, v.Len(), n)
	}
	if c.fn.Strict {
		v = kernel.MaskNulls(v, args)
	}
	return v, nil
}

// prepare calls Function.Prepare, once.
func (c *funcNode) prepare(f *Frame) error {
	if c.prepared {
		return nil
	}
	if c.fn.Prepare != nil {
		state, err := c.fn.Prepare(f.Ctx, c.call)
		if err != nil {
			return err
		}
		c.call.State = state
	}
	c.prepared = true
	return nil
}

// selectByFunction is selectRows by Function.Select.
func (c *funcNode) selectByFunction(f *Frame, in *Input) ([]int32, bool, error) {
	col, ok := c.args[0].(*columnNode)
	if !ok || slices.Contains(c.call.IsConst[1:], false) {
		return nil, false, nil
	}
	if err := c.prepare(f); err != nil {
		return nil, false, err
	}
	a, sel := in.source(col.index)
	return c.fn.Select(f.Ctx, c.call, a, sel, kernel.MakeIn[int32](in.mem, in.N)[:0])
}

// selectRows implements selecter for column op constant and column op column, and functions that say how.
func (c *funcNode) selectRows(f *Frame, in *Input) ([]int32, bool, error) {
	if c.fn.Select != nil && len(c.args) > 0 && in.N > 0 {
		return c.selectByFunction(f, in)
	}
	if !c.isCmp || len(c.args) != 2 {
		return nil, false, nil
	}
	l, lc := c.args[0].(*columnNode)
	r, rc := c.args[1].(*columnNode)
	switch {
	case lc && !rc:
		v, ok, err := scalarOf(f, c.args[1])
		if !ok || err != nil {
			return nil, false, err
		}
		if v == nil {
			return []int32{}, true, nil
		}
		a, sel := in.source(l.index)
		keep, done := c.compare.SelectConst(in.mem, a, sel, v, false)
		return keep, done, nil
	case rc && !lc:
		v, ok, err := scalarOf(f, c.args[0])
		if !ok || err != nil {
			return nil, false, err
		}
		if v == nil {
			return []int32{}, true, nil
		}
		a, sel := in.source(r.index)
		keep, done := c.compare.SelectConst(in.mem, a, sel, v, true)
		return keep, done, nil
	case lc && rc:
		a, sel := in.source(l.index)
		b, selB := in.source(r.index)
		if (sel == nil) != (selB == nil) { // one was gathered before
			a, b, sel = in.Column(l.index), in.Column(r.index), nil
		}
		keep, done := c.compare.SelectColumns(in.mem, a, b, sel)
		return keep, done, nil
	}
	return nil, false, nil
}

// scalarOf gives the value of a node that is the same for every row.
func scalarOf(f *Frame, n node) (types.Datum, bool, error) {
	switch c := n.(type) {
	case *constNode:
		return c.value, true, nil
	case *slotNode:
		d, err := f.Slot(c.slot)
		return d, true, err
	}
	return nil, false, nil
}

// SetColumns tells a call of a function that returns record its column
// definition list (Call.ColumnNames). It is ignored when e is no plain call.
func (e *Expr) SetColumns(names []string, ts []types.T) {
	root := e.root
	if c, ok := root.(*codedNode); ok {
		root = c.inner
	}
	if c, ok := root.(*funcNode); ok {
		c.call.ColumnNames, c.call.ColumnTypes = names, ts
	}
}
