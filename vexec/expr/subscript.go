package expr

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// subscriptNode reads an element or slice of an array, or (value set) gives the
// array with that element or slice replaced.
type subscriptNode struct {
	t            types.T
	arg          node
	argType      types.T
	lower, upper []node // nil: open bound
	boundType    []types.T
	slice        bool
	value        node
	valueType    types.T
}

func (m *maker) subscript(t types.T, arg *planpb.Expr, idx []*planpb.SubscriptIndex, slice bool, value *planpb.Expr) (node, error) {
	n := &subscriptNode{t: t, argType: arg.GetType().T(), slice: slice}
	if n.argType.OID == types.JSONBOID {
		return m.jsonbSubscript(t, arg, idx, slice, value)
	}
	if n.argType.Class != types.ClassArray {
		return nil, pgerror.Unsupported("subscripting a value of type OID %d", n.argType.OID)
	}
	var err error
	if n.arg, err = m.compile(arg); err != nil {
		return nil, err
	}
	bound := func(e *planpb.Expr) (node, error) {
		if e == nil {
			return nil, nil
		}
		return m.compile(e)
	}
	for _, i := range idx {
		lo, err := bound(i.GetLower())
		if err != nil {
			return nil, err
		}
		hi, err := bound(i.GetUpper())
		if err != nil {
			return nil, err
		}
		n.lower, n.upper = append(n.lower, lo), append(n.upper, hi)
	}
	if value != nil {
		if n.value, err = m.compile(value); err != nil {
			return nil, err
		}
		n.valueType = value.GetType().T()
	}
	return n, nil
}

func (n *subscriptNode) constant() bool {
	return isConstant(n.arg) && allConstant(n.lower) && allConstant(n.upper) && (n.value == nil || isConstant(n.value))
}

// bounds of one row; a missing bound has has false.
type bounds struct {
	lo, hi       []int32
	hasLo, hasHi []bool
}

func (n *subscriptNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	k := len(n.upper)
	los, his := make([]arrow.Array, k), make([]arrow.Array, k)
	for i := range k {
		if n.lower[i] != nil {
			if los[i], err = n.lower[i].eval(f, in); err != nil {
				return nil, err
			}
		}
		if n.upper[i] != nil {
			if his[i], err = n.upper[i].eval(f, in); err != nil {
				return nil, err
			}
		}
	}
	var val arrow.Array
	if n.value != nil {
		if val, err = n.value.eval(f, in); err != nil {
			return nil, err
		}
	}
	b := types.NewBuilder(n.t, in.N)
	bd := bounds{make([]int32, k), make([]int32, k), make([]bool, k), make([]bool, k)}
	for i := range in.N {
		null := false
		get := func(a arrow.Array, to *int32, has *bool) {
			*has = a != nil
			if a == nil {
				return
			}
			d := types.Get(types.Of(types.Int4), a, i)
			if d == nil {
				null = true
				return
			}
			*to = d.(int32)
		}
		for j := range k {
			get(los[j], &bd.lo[j], &bd.hasLo[j])
			get(his[j], &bd.hi[j], &bd.hasHi[j])
		}
		a, _ := types.Get(n.argType, v, i).(*types.Array)
		if n.value != nil {
			if null {
				return nil, pgerror.New(pgerror.NullValueNotAllowed, "array subscript in assignment must not be null")
			}
			d, err := n.assign(a, &bd, types.Get(n.valueType, val, i))
			if err != nil {
				return nil, err
			}
			b.Append(d)
			continue
		}
		switch {
		case a == nil || null:
			b.Append(nil)
		case n.slice:
			b.Append(slice(a, &bd))
		default:
			b.Append(element(a, bd.hi))
		}
	}
	return b.Finish(), nil
}

func element(a *types.Array, idx []int32) types.Datum {
	if len(idx) != len(a.Dims) {
		return nil
	}
	pos := 0
	for k, d := range a.Dims {
		o := int64(idx[k]) - int64(d.Lower)
		if o < 0 || o >= int64(d.Len) {
			return nil
		}
		pos = pos*int(d.Len) + int(o)
	}
	return a.Elems[pos]
}

// slice cuts out the bounds, clamped to the array; the result's lower bounds are 1.
func slice(a *types.Array, bd *bounds) *types.Array {
	out := &types.Array{Elem: a.Elem}
	if len(bd.lo) > len(a.Dims) || len(a.Dims) == 0 {
		return out
	}
	from, n := make([]int, len(a.Dims)), make([]int, len(a.Dims))
	total := 1
	for k, d := range a.Dims {
		lo, hi := int64(d.Lower), int64(d.Lower)+int64(d.Len)-1
		l, h := lo, hi
		if k < len(bd.lo) {
			if bd.hasLo[k] {
				l = max(lo, int64(bd.lo[k]))
			}
			if bd.hasHi[k] {
				h = min(hi, int64(bd.hi[k]))
			}
		}
		if l > h {
			return out
		}
		from[k], n[k] = int(l-lo), int(h-l+1)
		total *= n[k]
		out.Dims = append(out.Dims, types.ArrayDim{Len: int32(n[k]), Lower: 1})
	}
	out.Elems = make([]types.Datum, 0, total)
	walk(n, func(pos []int) {
		at := 0
		for k, d := range a.Dims {
			at = at*int(d.Len) + from[k] + pos[k]
		}
		out.Elems = append(out.Elems, a.Elems[at])
	})
	return out
}

// walk visits the positions of a box in row-major order.
func walk(n []int, visit func(pos []int)) {
	pos := make([]int, len(n))
	for {
		visit(pos)
		k := len(n) - 1
		for ; k >= 0; k-- {
			pos[k]++
			if pos[k] < n[k] {
				break
			}
			pos[k] = 0
		}
		if k < 0 {
			return
		}
	}
}

func outOfRange() error {
	return pgerror.New(pgerror.ArraySubscriptError, "array subscript out of range")
}

const arrayElemsMax = 1 << 27

// assign gives a with an element or slice replaced; a nil is a NULL array.
func (n *subscriptNode) assign(a *types.Array, bd *bounds, d types.Datum) (types.Datum, error) {
	elem := n.t.ElemType()
	if n.slice {
		src, _ := d.(*types.Array)
		if src == nil { // a NULL slice changes nothing
			if a == nil {
				return nil, nil
			}
			return a, nil
		}
		if a == nil {
			a = &types.Array{Elem: elem}
		}
		return assignSlice(a, bd, src)
	}
	if a == nil {
		a = &types.Array{Elem: elem}
	}
	k := len(bd.hi)
	if len(a.Dims) == 0 {
		dims := make([]types.ArrayDim, k)
		for i := range dims {
			dims[i] = types.ArrayDim{Len: 1, Lower: bd.hi[i]}
		}
		return &types.Array{Elem: elem, Dims: dims, Elems: []types.Datum{d}}, nil
	}
	if len(a.Dims) != k {
		return nil, pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts")
	}
	if k == 1 {
		grown, err := growOne(a, int64(bd.hi[0]), int64(bd.hi[0]))
		if err != nil {
			return nil, err
		}
		grown.Elems[int64(bd.hi[0])-int64(grown.Dims[0].Lower)] = d
		return grown, nil
	}
	pos := 0
	for i, dim := range a.Dims {
		o := int64(bd.hi[i]) - int64(dim.Lower)
		if o < 0 || o >= int64(dim.Len) {
			return nil, outOfRange()
		}
		pos = pos*int(dim.Len) + int(o)
	}
	out := *a
	out.Elems = append([]types.Datum{}, a.Elems...)
	out.Elems[pos] = d
	return &out, nil
}

// growOne copies a one-dimensional array, extended with NULLs to reach lo … hi.
func growOne(a *types.Array, lo, hi int64) (*types.Array, error) {
	oldLo := int64(a.Dims[0].Lower)
	oldHi := oldLo + int64(a.Dims[0].Len) - 1
	newLo, newHi := min(lo, oldLo), max(hi, oldHi)
	if newHi-newLo+1 > arrayElemsMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayElemsMax-1)
	}
	out := &types.Array{Elem: a.Elem, Dims: []types.ArrayDim{{Len: int32(newHi - newLo + 1), Lower: int32(newLo)}}}
	out.Elems = make([]types.Datum, newHi-newLo+1)
	copy(out.Elems[oldLo-newLo:], a.Elems)
	return out, nil
}

func assignSlice(a *types.Array, bd *bounds, src *types.Array) (types.Datum, error) {
	k := len(bd.lo)
	tooSmall := func() error { return pgerror.New(pgerror.ArraySubscriptError, "source array too small") }
	reversed := func() error {
		return pgerror.New(pgerror.ArraySubscriptError, "upper bound cannot be less than lower bound")
	}
	if len(a.Dims) == 0 {
		dims, n := make([]types.ArrayDim, k), 1
		for i := range k {
			if !bd.hasLo[i] || !bd.hasHi[i] {
				return nil, pgerror.New(pgerror.ArraySubscriptError, "array slice subscript must provide both boundaries").
					WithDetail("When assigning to a slice of an empty array value, slice boundaries must be fully specified.")
			}
			if bd.hi[i] < bd.lo[i] {
				return nil, reversed()
			}
			dims[i] = types.ArrayDim{Len: bd.hi[i] - bd.lo[i] + 1, Lower: bd.lo[i]}
			if n *= int(dims[i].Len); n > arrayElemsMax || dims[i].Len <= 0 {
				return nil, pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayElemsMax-1)
			}
		}
		if len(src.Elems) < n {
			return nil, tooSmall()
		}
		return &types.Array{Elem: a.Elem, Dims: dims, Elems: append([]types.Datum{}, src.Elems[:n]...)}, nil
	}
	if len(a.Dims) < k {
		return nil, pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts")
	}
	lo, hi := make([]int64, len(a.Dims)), make([]int64, len(a.Dims))
	for i, d := range a.Dims {
		lo[i], hi[i] = int64(d.Lower), int64(d.Lower)+int64(d.Len)-1
		if i < k {
			if bd.hasLo[i] {
				lo[i] = int64(bd.lo[i])
			}
			if bd.hasHi[i] {
				hi[i] = int64(bd.hi[i])
			}
		}
	}
	out := *a
	if len(a.Dims) == 1 {
		if lo[0] > hi[0] {
			return nil, reversed()
		}
		g, err := growOne(a, lo[0], hi[0])
		if err != nil {
			return nil, err
		}
		out = *g
	} else {
		for i, d := range a.Dims {
			if lo[i] > hi[i] {
				return nil, reversed()
			}
			if lo[i] < int64(d.Lower) || hi[i] >= int64(d.Lower)+int64(d.Len) {
				return nil, outOfRange()
			}
		}
		out.Elems = append([]types.Datum{}, a.Elems...)
	}
	n, total := make([]int, len(out.Dims)), 1
	for i := range n {
		n[i] = int(hi[i] - lo[i] + 1)
		total *= n[i]
	}
	if len(src.Elems) < total {
		return nil, tooSmall()
	}
	next := 0
	walk(n, func(pos []int) {
		at := 0
		for i, d := range out.Dims {
			at = at*int(d.Len) + int(lo[i]-int64(d.Lower)) + pos[i]
		}
		out.Elems[at] = src.Elems[next]
		next++
	})
	return &out, nil
}
