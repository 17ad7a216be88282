package array

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// dim gives a dimension by its 1-based number.
func dim(a arr, n int32) (types.ArrayDim, bool) {
	if n < 1 || int(n) > len(a.Dims) {
		return types.ArrayDim{}, false
	}
	return a.Dims[n-1], true
}

func registerBounds(r *expr.Registry) {
	bound := func(sig string, f func(d types.ArrayDim) int32) {
		adapt.Add(r, sig, adapt.F2(func(a arr, n int32) types.Datum {
			d, ok := dim(a, n)
			if !ok {
				return nil
			}
			return f(d)
		}))
	}
	bound("array_lower(anyarray,int4)", func(d types.ArrayDim) int32 { return d.Lower })
	bound("array_upper(anyarray,int4)", func(d types.ArrayDim) int32 { return d.Lower + d.Len - 1 })
	bound("array_length(anyarray,int4)", func(d types.ArrayDim) int32 { return d.Len })
	adapt.Add(r, "array_ndims(anyarray)", adapt.F1(func(a arr) types.Datum {
		if len(a.Dims) == 0 {
			return nil
		}
		return int32(len(a.Dims))
	}))
	adapt.Add(r, "array_dims(anyarray)", adapt.F1(func(a arr) types.Datum {
		if len(a.Dims) == 0 {
			return nil
		}
		return a.DimsText()
	}))
	adapt.Add(r, "cardinality(anyarray)", adapt.F1(func(a arr) int32 { return int32(len(a.Elems)) }))
}
