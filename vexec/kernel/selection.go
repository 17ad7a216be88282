package kernel

import (
	"math"
	"unsafe"

	"github.com/basaltdb/basalt/internal/simd"
)

// The loops here write every candidate and move on only past hits, so that nothing
// in them depends on how well a branch is predicted. Each operator has its own loop.
// Those over all rows are simd's.

// selectInt lists the rows of x (positions within sel, or of x when sel is nil) that
// are not NULL and compare with k64 as op says. out has room for all.
func selectInt[T int16 | int32 | int64](op Op, x []T, sel []int32, k64 int64, valid Bits, out []int32) []int32 {
	k := T(k64)
	if int64(k) != k64 { // the constant is outside the column's range
		less := k64 < 0 // every value is greater than the constant
		if hit := op == Ne || (less && (op == Gt || op == Ge)) || (!less && (op == Lt || op == Le)); !hit {
			return out
		}
		n := len(x)
		if sel != nil {
			n = len(sel)
		}
		return selectRows(sel, n, valid, out, func(int) bool { return true })
	}
	if sel == nil {
		out = selectAll(op, x, k, out[:len(x)])
	} else {
		out = selectSome(op, x, k, sel, out[:len(sel)])
	}
	return dropNulls(out, sel, valid)
}

// dropNulls is out, positions within sel or of all rows, without those of NULLs.
func dropNulls(out, sel []int32, valid Bits) []int32 {
	if valid.All() {
		return out
	}
	keep := out[:0]
	for _, i := range out {
		r := int(i)
		if sel != nil {
			r = int(sel[i])
		}
		if valid.Get(r) {
			keep = append(keep, i)
		}
	}
	return keep
}

func selectAll[T int16 | int32 | int64](op Op, x []T, k T, out []int32) []int32 {
	lo, hi := T(-1)<<(8*unsafe.Sizeof(k)-1), k
	switch op {
	case Eq, Ne:
		lo = k
	case Lt, Ge:
		lo, hi = k, -(lo + 1)
	}
	return out[:simd.SelectWithin(x, lo, hi, op == Ne || op == Gt || op == Lt, out)]
}

// relation is a op b, for integers: a r b or, with swap, b r a; its inverse with invert.
func (op Op) relation() (r simd.Relation, swap, invert bool) {
	switch op {
	case Eq:
		return simd.Equal, false, false
	case Ne:
		return simd.Equal, false, true
	case Lt:
		return simd.Less, false, false
	case Le:
		return simd.Less, true, true
	case Gt:
		return simd.Less, true, false
	}
	return simd.Less, false, true
}

// selectFloats lists the rows of x whose value, not NULL, compares with k as op says: NaN equals itself and is greatest.
func selectFloats(op Op, x []float64, k float64, valid Bits, out []int32) []int32 {
	out = out[:len(x)]
	var m int
	if math.IsNaN(k) {
		switch op {
		case Le, Gt: // all, none
			m = simd.SelectFloats(simd.Equal, x, k, op == Le, out)
		default: // what is not below or at infinity is NaN
			m = simd.SelectFloats(simd.LessEqual, x, math.Inf(1), op == Eq || op == Ge, out)
		}
	} else {
		switch op {
		case Eq, Ne:
			m = simd.SelectFloats(simd.Equal, x, k, op == Ne, out)
		case Lt, Ge:
			m = simd.SelectFloats(simd.Less, x, k, op == Ge, out)
		default:
			m = simd.SelectFloats(simd.LessEqual, x, k, op == Gt, out)
		}
	}
	return dropNulls(out[:m], nil, valid)
}

func selectSome[T int16 | int32 | int64](op Op, x []T, k T, sel, out []int32) []int32 {
	m := 0
	switch op {
	case Eq:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] == k)
		}
	case Ne:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] != k)
		}
	case Lt:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] < k)
		}
	case Le:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] <= k)
		}
	case Gt:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] > k)
		}
	case Ge:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] >= k)
		}
	}
	return out[:m]
}

// selectPairs lists the rows (positions within sel, or all when sel is nil) where x op y.
func selectPairs[T int32 | int64](mem *Arena, op Op, x, y []T, sel []int32) []int32 {
	y = y[:len(x)]
	r, swap, invert := op.relation()
	if sel == nil {
		if swap {
			x, y = y, x
		}
		out := MakeIn[int32](mem, len(x))
		return out[:simd.SelectPairs(r, x, y, invert, out)]
	}
	switch op { // four loops do for six operators
	case Gt, Ge:
		op, x, y = op.Flip(), y, x
	}
	m := 0
	out := MakeIn[int32](mem, len(sel))
	switch op {
	case Eq:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] == y[r])
		}
	case Ne:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] != y[r])
		}
	case Lt:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] < y[r])
		}
	case Le:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] <= y[r])
		}
	}
	return out[:m]
}

// MinMax gives the least and the greatest of the values that are not NULL, and how many there are.
func MinMax[T int16 | int32 | int64](x []T, valid Bits) (lo, hi int64, n int) {
	if len(x) == 0 {
		return 0, 0, 0
	}
	if valid.All() {
		l, h := simd.MinMax(x)
		return int64(l), int64(h), len(x)
	}
	for i, v := range x {
		if !valid.Get(i) {
			continue
		}
		k := int64(v)
		if n == 0 {
			lo, hi = k, k
		}
		lo, hi = min(lo, k), max(hi, k)
		n++
	}
	return lo, hi, n
}
