package expr

import (
	"cmp"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

func evalAll(f *Frame, in *Input, ns []node) ([]arrow.Array, error) {
	out := make([]arrow.Array, len(ns))
	for i, n := range ns {
		var err error
		if out[i], err = n.eval(f, in); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rowNode is ROW(…).
type rowNode struct {
	t          types.T
	fields     []node
	fieldTypes []types.T
	names      []string
}

func (r *rowNode) constant() bool { return allConstant(r.fields) }

func (r *rowNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	vecs, err := evalAll(f, in, r.fields)
	if err != nil {
		return nil, err
	}
	b := types.NewBuilder(r.t, in.N)
	for i := range in.N {
		rec := &types.Record{Type: r.t, Types: r.fieldTypes, Names: r.names, Fields: make([]types.Datum, len(vecs))}
		for k, v := range vecs {
			rec.Fields[k] = types.Get(r.fieldTypes[k], v, i)
		}
		b.Append(rec)
	}
	return b.Finish(), nil
}

// rowCompareNode is (a, b, …) < (c, d, …): the first unequal pair decides; a
// NULL met before that makes the result NULL.
type rowCompareNode struct {
	op          planpb.RowCompare_Op
	left, right []node
	ts          []types.T // of left
	rts         []types.T // of right
}

func (r *rowCompareNode) constant() bool { return allConstant(r.left) && allConstant(r.right) }

func (r *rowCompareNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	state := make([]byte, in.N)
	cur, rows := in, []int32(nil)
	at := func(i int) int {
		if rows == nil {
			return i
		}
		return int(rows[i])
	}
	for k := range r.left {
		l, err := r.left[k].eval(f, cur)
		if err != nil {
			return nil, err
		}
		rt, err := r.right[k].eval(f, cur)
		if err != nil {
			return nil, err
		}
		order, err := pairComparer(f.Ctx.Env, r.ts[k], r.rts[k], l, rt)
		if err != nil {
			return nil, err
		}
		lv, rv := kernel.Valid(l), kernel.Valid(rt)
		var left []int32
		for i := range cur.N {
			if !lv.Get(i) || !rv.Get(i) {
				state[at(i)] = 2
				continue
			}
			switch c := order(i, i); {
			case c < 0:
				state[at(i)] = boolByte(r.op == planpb.RowCompare_LT || r.op == planpb.RowCompare_LE)
			case c > 0:
				state[at(i)] = boolByte(r.op == planpb.RowCompare_GT || r.op == planpb.RowCompare_GE)
			default:
				left = append(left, int32(i))
			}
		}
		if len(left) == 0 {
			return kernel.BoolsFromStates(state), nil
		}
		rows, cur = in.compose(rows, left), cur.Subset(left)
	}
	for i := range cur.N {
		state[at(i)] = boolByte(r.op == planpb.RowCompare_LE || r.op == planpb.RowCompare_GE)
	}
	return kernel.BoolsFromStates(state), nil
}

// pairComparer compares vectors whose types may differ: a row comparison's
// operators may be of two types (int8 > int4). Integers and floats mix; other
// pairs of stored forms that differ are refused.
func pairComparer(env *types.Env, lt, rt types.T, l, r arrow.Array) (kernel.RowCompare, error) {
	if lt.OID == rt.OID {
		return kernel.Comparer(env, lt, l, r), nil
	}
	if a, b := widenInts(lt.OID, l), widenInts(rt.OID, r); a != nil && b != nil {
		return func(i, j int) int { return cmp.Compare(a(i), b(j)) }, nil
	}
	if a, b := widenFloats(lt.OID, l), widenFloats(rt.OID, r); a != nil && b != nil {
		return func(i, j int) int { return kernel.CompareFloat(a(i), b(j)) }, nil
	}
	if isText(lt.OID) && isText(rt.OID) {
		return kernel.Comparer(env, types.Of(types.Text), l, r), nil
	}
	return nil, pgerror.Unsupported("a row comparison of different types")
}

func isText(t types.OID) bool { return t == types.Text || t == types.VarChar || t == types.Name }

// widenInts reads an integer vector as int64; nil when it is of another type.
func widenInts(t types.OID, v arrow.Array) func(int) int64 {
	switch t {
	case types.Int2:
		x := kernel.Values[int16](v)
		return func(i int) int64 { return int64(x[i]) }
	case types.Int4:
		x := kernel.Values[int32](v)
		return func(i int) int64 { return int64(x[i]) }
	case types.Int8:
		x := kernel.Values[int64](v)
		return func(i int) int64 { return x[i] }
	}
	return nil
}

// widenFloats reads a float vector as float64; nil when it is of another type.
func widenFloats(t types.OID, v arrow.Array) func(int) float64 {
	switch t {
	case types.Float4:
		x := kernel.Values[float32](v)
		return func(i int) float64 { return float64(x[i]) }
	case types.Float8:
		x := kernel.Values[float64](v)
		return func(i int) float64 { return x[i] }
	}
	return nil
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

type fieldSelectNode struct {
	t       types.T
	arg     node
	argType types.T
	field   int
}

func (n *fieldSelectNode) constant() bool { return isConstant(n.arg) }

func (n *fieldSelectNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	b := types.NewBuilder(n.t, in.N)
	for i := range in.N {
		d := types.Get(n.argType, v, i)
		if d == nil {
			b.Append(nil)
			continue
		}
		rec := d.(*types.Record)
		if n.field >= len(rec.Fields) {
			b.Append(nil)
			continue
		}
		b.Append(rec.Fields[n.field])
	}
	return b.Finish(), nil
}

type fieldStoreNode struct {
	t         types.T
	arg       node
	field     int
	value     node
	valueType types.T
}

func (n *fieldStoreNode) constant() bool { return isConstant(n.arg) && isConstant(n.value) }

func (n *fieldStoreNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	val, err := n.value.eval(f, in)
	if err != nil {
		return nil, err
	}
	b := types.NewBuilder(n.t, in.N)
	for i := range in.N {
		var rec types.Record
		if d := types.Get(n.t, v, i); d != nil {
			rec = *d.(*types.Record)
			rec.Fields = append([]types.Datum{}, rec.Fields...)
		} else {
			if f.Ctx.Env.Resolver == nil {
				return nil, pgerror.Unsupported("assigning a field of a NULL row value")
			}
			names, fields, ok := f.Ctx.Env.Resolver.Composite(n.t.OID)
			if !ok {
				return nil, pgerror.Internal("type %d is not composite", n.t.OID)
			}
			rec = types.Record{Type: n.t, Types: fields, Names: names, Fields: make([]types.Datum, len(fields))}
		}
		if n.field >= len(rec.Fields) {
			return nil, pgerror.Internal("field %d of a row of %d", n.field, len(rec.Fields))
		}
		rec.Fields[n.field] = types.Get(n.valueType, val, i)
		b.Append(&rec)
	}
	return b.Finish(), nil
}

type convertRowNode struct {
	t       types.T
	arg     node
	argType types.T
	fields  []int32
}

func (n *convertRowNode) constant() bool { return isConstant(n.arg) }

func (n *convertRowNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	var names []string
	var ts []types.T
	if r := f.Ctx.Env.Resolver; r != nil {
		names, ts, _ = r.Composite(n.t.OID)
	}
	b := types.NewBuilder(n.t, in.N)
	for i := range in.N {
		d := types.Get(n.argType, v, i)
		if d == nil {
			b.Append(nil)
			continue
		}
		src := d.(*types.Record)
		rec := &types.Record{Type: n.t, Fields: make([]types.Datum, len(n.fields)), Types: make([]types.T, len(n.fields)), Names: names}
		for k, p := range n.fields {
			if p >= 0 && int(p) < len(src.Fields) {
				rec.Fields[k], rec.Types[k] = src.Fields[p], src.Types[p]
			} else if k < len(ts) {
				rec.Types[k] = ts[k]
			}
		}
		b.Append(rec)
	}
	return b.Finish(), nil
}

// coerceIONode prints and reads back.
type coerceIONode struct {
	t       types.T
	arg     node
	argType types.T
}

// constant: text forms depend on settings, so only the plainest are folded.
func (n *coerceIONode) constant() bool { return false }

func (n *coerceIONode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	env := f.Ctx.Env
	b := types.NewBuilder(n.t, in.N)
	valid := kernel.Valid(v)
	var buf []byte
	for i := range in.N {
		if !valid.Get(i) {
			b.Append(nil)
			continue
		}
		if buf, err = types.AppendOut(env, n.argType, buf[:0], types.Get(n.argType, v, i)); err != nil {
			return nil, err
		}
		d, err := types.In(env, n.t, string(buf))
		if err != nil {
			return nil, err
		}
		b.Append(d)
	}
	return b.Finish(), nil
}
