package expr

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// scalarArrayNode is x op ANY (array) and x op ALL (array). A NULL array gives
// NULL; over the elements the results combine as OR (AND for ALL) does.
type scalarArrayNode struct {
	scalar, array         node
	scalarType, arrayType types.T
	fn                    *funcNode
	all                   bool
	eqAny                 bool // x = ANY with the engine's own equality
	set                   *kernel.Table
	spec                  *kernel.KeySpec
	setFor                *types.Array
	setNull               bool
	keys                  kernel.Keys
	numbers               []int32
}

func (m *maker) scalarArrayOp(k *planpb.ScalarArrayOp, e *planpb.Expr) (node, error) {
	s, err := m.compile(k.GetScalar())
	if err != nil {
		return nil, err
	}
	a, err := m.compile(k.GetArray())
	if err != nil {
		return nil, err
	}
	st, at := k.GetScalar().GetType().T(), k.GetArray().GetType().T()
	fn, err := m.callNode(types.OID(k.GetFunc()), types.Of(types.Bool), types.OID(e.GetCollation()), []types.T{st, at.ElemType()}, []node{nil, nil}, false)
	if err != nil {
		return nil, err
	}
	n := &scalarArrayNode{scalar: s, array: a, scalarType: st, arrayType: at, fn: fn, all: k.GetAll()}
	// a hash set serves x = ANY and x <> ALL over operands of one type
	if fn.isCmp && sameForm(st, at.ElemType()) {
		n.eqAny = fn.compare.Op == kernel.Eq && !n.all || fn.compare.Op == kernel.Ne && n.all
	}
	return n, nil
}

// sameForm: values of the two types have equal keys when they are equal.
func sameForm(a, b types.T) bool {
	if a.Class != types.ClassBase || b.Class != types.ClassBase {
		return false
	}
	str := func(o types.OID) bool { return o == types.Text || o == types.VarChar || o == types.Name }
	return a.OID == b.OID || str(a.OID) && str(b.OID)
}

func (n *scalarArrayNode) constant() bool {
	return isConstant(n.scalar) && isConstant(n.array) && n.fn.fn.Volatility == Immutable
}

func (n *scalarArrayNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if in.N == 0 {
		return kernel.Nulls(types.Of(types.Bool), 0), nil
	}
	s, err := n.scalar.eval(f, in)
	if err != nil {
		return nil, err
	}
	if d, ok, err := scalarOf(f, n.array); err != nil {
		return nil, err
	} else if ok {
		if d == nil {
			return kernel.Nulls(types.Of(types.Bool), in.N), nil
		}
		arr := d.(*types.Array)
		if n.eqAny && len(arr.Elems) > 2 {
			return n.bySet(f, s, arr, in.N), nil
		}
		return n.byElement(f, s, arr, in.N)
	}
	a, err := n.array.eval(f, in)
	if err != nil {
		return nil, err
	}
	return n.byRow(f, s, a, in.N)
}

// bySet looks values up in a hash set of the constant array's elements.
func (n *scalarArrayNode) bySet(f *Frame, s arrow.Array, arr *types.Array, rows int) arrow.Array {
	if n.setFor != arr {
		b := types.NewBuilder(n.scalarType, len(arr.Elems))
		n.setNull = false
		for _, e := range arr.Elems {
			if e == nil {
				n.setNull = true
			} else {
				b.Append(e)
			}
		}
		v := b.Finish()
		n.spec = kernel.NewKeySpec([]types.T{n.scalarType})
		n.set = kernel.NewTable(n.spec, v.Len())
		var k kernel.Keys
		n.spec.Encode(f.Ctx.Env, &k, []arrow.Array{v}, v.Len())
		n.set.Insert(&k, nil, make([]int32, v.Len()), nil)
		n.setFor = arr
	}
	n.spec.Encode(f.Ctx.Env, &n.keys, []arrow.Array{s}, rows)
	if cap(n.numbers) < rows {
		n.numbers = make([]int32, rows)
	}
	num := n.numbers[:rows]
	n.set.Find(&n.keys, n.keys.Null, num)
	state := make([]byte, rows)
	for i, x := range num {
		switch {
		case n.keys.Null != nil && n.keys.Null[i]:
			state[i] = 2
		case x >= 0:
			state[i] = boolByte(!n.all)
		case n.setNull:
			state[i] = 2
		default:
			state[i] = boolByte(n.all)
		}
	}
	return kernel.BoolsFromStates(state)
}

// byElement calls the operator once per element of a constant array, on the rows not decided.
func (n *scalarArrayNode) byElement(f *Frame, s arrow.Array, arr *types.Array, rows int) (arrow.Array, error) {
	state := make([]byte, rows)
	for i := range state {
		state[i] = boolByte(n.all)
	}
	elemType := n.arrayType.ElemType()
	left := make([]int32, rows)
	for i := range left {
		left[i] = int32(i)
	}
	cur := s
	for _, e := range arr.Elems {
		if len(left) == 0 {
			break
		}
		r, err := n.call(f, cur, repeat(elemType, e, len(left)), len(left))
		if err != nil {
			return nil, err
		}
		left = n.combine(r, left, state)
		if len(left) < cur.Len() {
			cur = kernel.Take(s, left)
		}
	}
	return kernel.BoolsFromStates(state), nil
}

// combine folds results for rows left into state and gives the rows still undecided.
func (n *scalarArrayNode) combine(r arrow.Array, left []int32, state []byte) []int32 {
	val, valid := kernel.Bools(r), kernel.Valid(r)
	keep := left[:0:0]
	for i, row := range left {
		switch {
		case !valid.Get(i):
			state[row] = 2
		case val.Get(i) != n.all:
			state[row] = boolByte(!n.all)
			continue
		}
		keep = append(keep, row)
	}
	return keep
}

func (n *scalarArrayNode) call(f *Frame, l, r arrow.Array, rows int) (arrow.Array, error) {
	if n.fn.fn.Strict && (l.NullN() == rows || r.NullN() == rows) {
		return kernel.Nulls(types.Of(types.Bool), rows), nil
	}
	return n.fn.apply(f, nil, []arrow.Array{l, r}, rows)
}

// byRow flattens the arrays of a batch and calls the operator once.
func (n *scalarArrayNode) byRow(f *Frame, s, a arrow.Array, rows int) (arrow.Array, error) {
	elems := types.NewBuilder(n.arrayType.ElemType(), rows)
	var owner []int32
	state := make([]byte, rows)
	for i := range rows {
		d := types.Get(n.arrayType, a, i)
		if d == nil {
			state[i] = 2
			continue
		}
		state[i] = boolByte(n.all)
		for _, e := range d.(*types.Array).Elems {
			elems.Append(e)
			owner = append(owner, int32(i))
		}
	}
	if len(owner) == 0 {
		return kernel.BoolsFromStates(state), nil
	}
	r, err := n.call(f, kernel.Take(s, owner), elems.Finish(), len(owner))
	if err != nil {
		return nil, err
	}
	decided := boolByte(!n.all)
	val, valid := kernel.Bools(r), kernel.Valid(r)
	for k, i := range owner {
		switch {
		case state[i] == decided:
		case !valid.Get(k):
			state[i] = 2
		case val.Get(k) != n.all:
			state[i] = decided
		}
	}
	return kernel.BoolsFromStates(state), nil
}

// arrayNode is ARRAY[…].
type arrayNode struct {
	t         types.T
	elems     []node
	elemTypes []types.T
	nested    bool
}

func (n *arrayNode) constant() bool { return allConstant(n.elems) }

func (n *arrayNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	vecs, err := evalAll(f, in, n.elems)
	if err != nil {
		return nil, err
	}
	b := types.NewBuilder(n.t, in.N)
	elem := n.t.ElemType()
	for i := range in.N {
		vals := make([]types.Datum, len(vecs))
		for k, v := range vecs {
			vals[k] = types.Get(n.elemTypes[k], v, i)
		}
		if !n.nested {
			b.Append(types.NewArray(elem, vals))
			continue
		}
		a, err := stack(elem, vals)
		if err != nil {
			return nil, err
		}
		b.Append(a)
	}
	return b.Finish(), nil
}

// stack makes an array of one more dimension; NULL and empty parts must be so throughout.
func stack(elem types.T, parts []types.Datum) (*types.Array, error) {
	mismatch := func() error {
		return pgerror.New(pgerror.ArraySubscriptError, "multidimensional arrays must have array expressions with matching dimensions")
	}
	out := &types.Array{Elem: elem}
	empty := 0
	for _, p := range parts {
		a, _ := p.(*types.Array)
		if a == nil || len(a.Dims) == 0 {
			empty++
			continue
		}
		if out.Dims == nil {
			out.Dims = append([]types.ArrayDim{{Lower: 1}}, a.Dims...)
			if len(out.Dims) > 6 {
				return nil, pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(out.Dims), 6)
			}
		}
		if len(out.Dims) != len(a.Dims)+1 {
			return nil, mismatch()
		}
		for k, d := range a.Dims {
			if out.Dims[k+1] != d {
				return nil, mismatch()
			}
		}
		out.Dims[0].Len++
		out.Elems = append(out.Elems, a.Elems...)
	}
	if empty > 0 && empty < len(parts) {
		return nil, mismatch()
	}
	return out, nil
}

// arrayCoerceNode maps an expression over the elements of arrays.
type arrayCoerceNode struct {
	t       types.T
	arg     node
	argType types.T
	elem    node
	slot    uint32
}

func (m *maker) arrayCoerce(t types.T, k *planpb.ArrayCoerce) (node, error) {
	arg, err := m.compile(k.GetArg())
	if err != nil {
		return nil, err
	}
	at := k.GetArg().GetType().T()
	old, had := m.locals[k.GetSlot()]
	m.setLocal(k.GetSlot(), at.ElemType())
	elem, err := m.compile(k.GetElem())
	delete(m.locals, k.GetSlot())
	if had {
		m.locals[k.GetSlot()] = old
	}
	return &arrayCoerceNode{t: t, arg: arg, argType: at, elem: elem, slot: k.GetSlot()}, err
}

func (n *arrayCoerceNode) constant() bool { return false }

func (n *arrayCoerceNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	src := types.NewBuilder(n.argType.ElemType(), in.N)
	arrays := make([]*types.Array, in.N)
	total := 0
	for i := range in.N {
		if d := types.Get(n.argType, v, i); d != nil {
			arrays[i] = d.(*types.Array)
			for _, e := range arrays[i].Elems {
				src.Append(e)
			}
			total += len(arrays[i].Elems)
		}
	}
	elem := n.t.ElemType()
	var res arrow.Array
	if total > 0 {
		inner := &Input{N: total, locals: []local{{n.slot, src.Finish()}}}
		if res, err = n.elem.eval(f, inner); err != nil {
			return nil, err
		}
	}
	b := types.NewBuilder(n.t, in.N)
	at := 0
	for _, a := range arrays {
		if a == nil {
			b.Append(nil)
			continue
		}
		out := &types.Array{Elem: elem, Dims: a.Dims, Elems: make([]types.Datum, len(a.Elems))}
		for k := range out.Elems {
			out.Elems[k] = types.Get(elem, res, at)
			at++
		}
		b.Append(out)
	}
	return b.Finish(), nil
}
