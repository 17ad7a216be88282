package array

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func asArray(d types.Datum) arr {
	if d == nil {
		return nil
	}
	return d.(arr)
}

// elemOf is the element type of an array argument, also when it is NULL.
func elemOf(call *expr.Call, i int) types.T { return call.ArgTypes[i].ElemType().NoMod() }

// equalNull is equality where NULL equals NULL.
func equalNull(ctx *expr.Context, t types.T, a, b types.Datum) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return types.Compare(ctx.Env, t, a, b) == 0
}

// put adds one element at the end or the front of an empty or one-dimensional array.
func put(a arr, elem types.T, d types.Datum, front bool) (types.Datum, error) {
	if a == nil || len(a.Dims) == 0 {
		return types.NewArray(elem, []types.Datum{d}), nil
	}
	if len(a.Dims) != 1 {
		return nil, pgerror.New(pgerror.DataException, "argument must be empty or one-dimensional array")
	}
	dim := a.Dims[0]
	if int64(dim.Lower)+int64(dim.Len) > math.MaxInt32 || front && dim.Lower == math.MinInt32 {
		return nil, pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
	}
	n := &types.Array{Elem: a.Elem, Elems: make([]types.Datum, 0, len(a.Elems)+1)}
	if front {
		// The lower bound stays: the elements move up.
		n.Elems = append(append(n.Elems, d), a.Elems...)
	} else {
		n.Elems = append(append(n.Elems, a.Elems...), d)
	}
	n.Dims = []types.ArrayDim{{Len: dim.Len + 1, Lower: dim.Lower}}
	return n, types.CheckArrayDims(n.Dims)
}

func incompatible(detail string, args ...any) error {
	return pgerror.New(pgerror.ArraySubscriptError, "cannot concatenate incompatible arrays").WithDetail(detail, args...)
}

// concat is array || array: of the same depth along the first dimension, or an
// array and a row of it.
func concat(a, b arr) (arr, error) {
	if len(a.Dims) == 0 {
		return b, nil
	}
	if len(b.Dims) == 0 {
		return a, nil
	}
	na, nb := len(a.Dims), len(b.Dims)
	var dims []types.ArrayDim
	same := func(x, y []types.ArrayDim, detail string) error {
		for i := range x {
			if x[i] != y[i] {
				return incompatible("%s", detail)
			}
		}
		return nil
	}
	switch na - nb {
	case 0:
		if err := same(a.Dims[1:], b.Dims[1:], "Arrays with differing element dimensions are not compatible for concatenation."); err != nil {
			return nil, err
		}
		dims = append(dims, a.Dims...)
		dims[0].Len += b.Dims[0].Len
	case 1:
		if err := same(a.Dims[1:], b.Dims, "Arrays with differing dimensions are not compatible for concatenation."); err != nil {
			return nil, err
		}
		dims = append(dims, a.Dims...)
		dims[0].Len++
	case -1:
		if err := same(b.Dims[1:], a.Dims, "Arrays with differing dimensions are not compatible for concatenation."); err != nil {
			return nil, err
		}
		dims = append(dims, b.Dims...)
		dims[0].Len++
	default:
		return nil, incompatible("Arrays of %d and %d dimensions are not compatible for concatenation.", na, nb)
	}
	if err := types.CheckArrayDims(dims); err != nil {
		return nil, err
	}
	n := &types.Array{Elem: a.Elem, Dims: dims, Elems: make([]types.Datum, 0, len(a.Elems)+len(b.Elems))}
	n.Elems = append(append(n.Elems, a.Elems...), b.Elems...)
	return n, nil
}

func registerElements(r *expr.Registry) {
	adapt.Add(r, "array_append(anycompatiblearray,anycompatible)", adapt.D(func(_ *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
		return put(asArray(a[0]), elemOf(call, 0), a[1], false)
	}))
	adapt.Add(r, "array_prepend(anycompatible,anycompatiblearray)", adapt.D(func(_ *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
		return put(asArray(a[1]), elemOf(call, 1), a[0], true)
	}))
	adapt.Add(r, "array_cat(anycompatiblearray,anycompatiblearray)", adapt.D(func(_ *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
		if a[0] == nil || a[1] == nil {
			if a[0] == nil {
				return a[1], nil
			}
			return a[0], nil
		}
		return concat(a[0].(arr), a[1].(arr))
	}))
	adapt.Add(r, "array_remove(anycompatiblearray,anycompatible)", adapt.D(func(ctx *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
		if a[0] == nil {
			return nil, nil
		}
		v := a[0].(arr)
		if len(v.Dims) > 1 {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "removing elements from multidimensional arrays is not supported")
		}
		if len(v.Elems) == 0 {
			return v, nil
		}
		if err := needEquality(ctx, v.Elem); err != nil {
			return nil, err
		}
		var keep []types.Datum
		for _, e := range v.Elems {
			if !equalNull(ctx, v.Elem, e, a[1]) {
				keep = append(keep, e)
			}
		}
		if len(keep) == len(v.Elems) {
			return v, nil
		}
		n := types.NewArray(v.Elem, keep)
		if len(keep) > 0 {
			n.Dims[0].Lower = v.Dims[0].Lower
		}
		return n, nil
	}))
	adapt.Add(r, "array_replace(anycompatiblearray,anycompatible,anycompatible)", adapt.D(func(ctx *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
		if a[0] == nil {
			return nil, nil
		}
		v := a[0].(arr)
		if len(v.Elems) == 0 {
			return v, nil
		}
		if err := needEquality(ctx, v.Elem); err != nil {
			return nil, err
		}
		n := &types.Array{Elem: v.Elem, Dims: v.Dims, Elems: append([]types.Datum(nil), v.Elems...)}
		for i, e := range n.Elems {
			if equalNull(ctx, v.Elem, e, a[1]) {
				n.Elems[i] = a[2]
			}
		}
		return n, nil
	}))

	position := adapt.D(func(ctx *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
		if a[0] == nil {
			return nil, nil
		}
		v := a[0].(arr)
		if len(v.Dims) > 1 {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "searching for elements in multidimensional arrays is not supported")
		}
		if len(v.Elems) == 0 {
			return nil, nil
		}
		from := int32(math.MinInt32)
		if len(a) == 3 {
			if a[2] == nil {
				return nil, pgerror.New(pgerror.NullValueNotAllowed, "initial position must not be null")
			}
			from = a[2].(int32)
		}
		if err := needEquality(ctx, v.Elem); err != nil {
			return nil, err
		}
		for i, e := range v.Elems {
			if p := v.Dims[0].Lower + int32(i); p >= from && equalNull(ctx, v.Elem, e, a[1]) {
				return p, nil
			}
		}
		return nil, nil
	})
	adapt.Add(r, "array_position(anycompatiblearray,anycompatible)", position)
	adapt.Add(r, "array_position(anycompatiblearray,anycompatible,int4)", position)
	adapt.Add(r, "array_positions(anycompatiblearray,anycompatible)", adapt.D(func(ctx *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
		if a[0] == nil {
			return nil, nil
		}
		v := a[0].(arr)
		if len(v.Dims) > 1 {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "searching for elements in multidimensional arrays is not supported")
		}
		if err := needEquality(ctx, v.Elem); err != nil {
			return nil, err
		}
		var found []types.Datum
		for i, e := range v.Elems {
			if equalNull(ctx, v.Elem, e, a[1]) {
				found = append(found, v.Dims[0].Lower+int32(i))
			}
		}
		return types.NewArray(types.Of(types.Int4), found), nil
	}))
	adapt.Add(r, "array_fill(anyelement,_int4)", adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
		return fill(ctx, call.ArgTypes[0].NoMod(), a[0], asArray(a[1]), nil)
	}))
	adapt.Add(r, "array_fill(anyelement,_int4,_int4)", adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
		if a[2] == nil {
			return nil, errNullDims()
		}
		return fill(ctx, call.ArgTypes[0].NoMod(), a[0], asArray(a[1]), asArray(a[2]))
	}))
	adapt.Add(r, "trim_array(anyarray,int4)", adapt.E2(func(a arr, n int32) (arr, error) {
		size := int32(0)
		if len(a.Dims) > 0 {
			size = a.Dims[0].Len
		}
		if n < 0 || n > size {
			return nil, pgerror.New(pgerror.ArraySubscriptError, "number of elements to trim must be between 0 and %d", size)
		}
		if n == size {
			return &types.Array{Elem: a.Elem}, nil
		}
		t := &types.Array{Elem: a.Elem, Dims: append([]types.ArrayDim(nil), a.Dims...)}
		t.Elems = a.Elems[:len(a.Elems)/int(size)*int(size-n)]
		t.Dims[0].Len -= n
		for i := range t.Dims {
			t.Dims[i].Lower = 1
		}
		return t, nil
	}))
	adapt.Add(r, "width_bucket(anycompatible,anycompatiblearray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, d types.Datum, a arr) (int32, error) {
		if len(a.Dims) > 1 {
			return 0, pgerror.New(pgerror.ArraySubscriptError, "thresholds must be one-dimensional array")
		}
		for _, e := range a.Elems {
			if e == nil {
				return 0, pgerror.New(pgerror.NullValueNotAllowed, "thresholds array must not contain NULLs")
			}
		}
		if err := needOrder(ctx, a.Elem); err != nil {
			return 0, err
		}
		lo, hi := 0, len(a.Elems)
		for lo < hi {
			if mid := (lo + hi) / 2; types.Compare(ctx.Env, a.Elem, d, a.Elems[mid]) < 0 {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		return int32(lo), nil
	}))
}

func errNullDims() error {
	return pgerror.New(pgerror.NullValueNotAllowed, "dimension array or low bound array cannot be null")
}

// fill makes an array of the given dimensions, every element d.
func fill(ctx *expr.Context, elem types.T, d types.Datum, dims, lower arr) (types.Datum, error) {
	if dims == nil {
		return nil, errNullDims()
	}
	wrong := func(detail string) error {
		return pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts").WithDetail("%s", detail)
	}
	if len(dims.Dims) > 1 {
		return nil, wrong("Dimension array must be one dimensional.")
	}
	if lower != nil && len(lower.Dims) > 1 {
		return nil, wrong("Dimension array must be one dimensional.")
	}
	nulls := func(a arr) error {
		for _, e := range a.Elems {
			if e == nil {
				return pgerror.New(pgerror.NullValueNotAllowed, "dimension values cannot be null")
			}
		}
		return nil
	}
	if err := nulls(dims); err != nil {
		return nil, err
	}
	if n := len(dims.Elems); n > 6 {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", n, 6)
	}
	if lower != nil {
		if err := nulls(lower); err != nil {
			return nil, err
		}
		if len(lower.Elems) != len(dims.Elems) {
			return nil, wrong("Low bound array has different size than dimensions array.")
		}
	}
	a := &types.Array{Elem: elem}
	size := 1
	for i, n := range dims.Elems {
		dim := types.ArrayDim{Len: n.(int32), Lower: 1}
		if lower != nil {
			dim.Lower = lower.Elems[i].(int32)
		}
		a.Dims = append(a.Dims, dim)
		if err := types.CheckArrayDims(a.Dims); err != nil {
			return nil, err
		}
		size *= int(dim.Len)
	}
	if len(a.Dims) == 0 || size == 0 {
		return &types.Array{Elem: elem}, nil
	}
	if size > fillElemsMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", fillElemsMax)
	}
	if err := ctx.GrowLarge(int64(size) * (elemBytes + valueBytes(d))); err != nil {
		return nil, err
	}
	a.Elems = make([]types.Datum, size)
	for i := range a.Elems {
		a.Elems[i] = d
	}
	return a, nil
}

// fillElemsMax keeps one call from taking gigabytes.
const fillElemsMax = 64 << 20
