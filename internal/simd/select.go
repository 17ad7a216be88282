package simd

import "unsafe"

// Vectors names the instructions that the vector forms use here, "none" when they are not used.
func Vectors() string {
	if enabled {
		return "avx2"
	}
	return "none"
}

// Relation is a comparison; with its inverse, and sides exchanged, the three are all six.
type Relation uint8

const (
	Equal Relation = iota
	Less
	LessEqual // of floats only, where it is not the inverse of less with sides exchanged
)

// SelectWithin lists in out the rows of x whose value is in [lo, hi], or, inverted, those whose value is not, and
// gives how many they are. Every comparison of integers with a constant is one of the two.
// REQUIRES: len(out) ≥ len(x).
func SelectWithin[T int16 | int32 | int64](x []T, lo, hi T, invert bool, out []int32) int {
	out = out[:len(x)]
	done, m := 0, 0
	if enabled {
		switch x := any(x).(type) {
		case []int32:
			done, m = within32(x, int32(lo), int32(hi), invert, out)
		case []int64:
			done, m = within64(x, int64(lo), int64(hi), invert, out)
		}
	}
	return selectWithin(x, lo, hi, invert, out, done, m)
}

// selectWithin is SelectWithin from row i on, where m are listed. Here as below every row is written and kept only
// when it belongs to the list, so that nothing depends on how well a branch is predicted.
func selectWithin[T int16 | int32 | int64](x []T, lo, hi T, invert bool, out []int32, i, m int) int {
	if lo > hi { // nothing is in there: what is not is all there is
		lo = -1 << (8*unsafe.Sizeof(lo) - 1)
		hi, invert = -(lo + 1), !invert
	}
	from, span := int64(lo), uint64(int64(hi))-uint64(int64(lo))
	if invert {
		for ; i < len(x); i++ {
			out[m] = int32(i)
			m += one(uint64(int64(x[i])-from) > span)
		}
		return m
	}
	for ; i < len(x); i++ {
		out[m] = int32(i)
		m += one(uint64(int64(x[i])-from) <= span)
	}
	return m
}

// SelectPairs lists in out the rows where x r y holds, or, inverted, those where it does not, and gives how many they
// are. REQUIRES: r is Equal or Less; len(y), len(out) ≥ len(x).
func SelectPairs[T int32 | int64](r Relation, x, y []T, invert bool, out []int32) int {
	y, out = y[:len(x)], out[:len(x)]
	done, m := 0, 0
	if enabled {
		switch x := any(x).(type) {
		case []int32:
			done, m = selectPairs32(r, x, any(y).([]int32), invert, out)
		case []int64:
			done, m = selectPairs64(r, x, any(y).([]int64), invert, out)
		}
	}
	return selectPairs(r, x, y, invert, out, done, m)
}

func selectPairs[T int32 | int64](r Relation, x, y []T, invert bool, out []int32, i, m int) int {
	f := one(invert)
	if r == Equal {
		for ; i < len(x); i++ {
			out[m] = int32(i)
			m += one(x[i] == y[i]) ^ f
		}
		return m
	}
	for ; i < len(x); i++ {
		out[m] = int32(i)
		m += one(x[i] < y[i]) ^ f
	}
	return m
}

// SelectFloats lists in out the rows where x r k holds, or, inverted, those where it does not, by the processor's
// comparison: none holds with a NaN. It gives how many they are. REQUIRES: len(out) ≥ len(x).
func SelectFloats(r Relation, x []float64, k float64, invert bool, out []int32) int {
	out = out[:len(x)]
	done, m := 0, 0
	if enabled {
		done, m = selectFloats(r, x, k, invert, out)
	}
	return selectFloatsPlain(r, x, k, invert, out, done, m)
}

func selectFloatsPlain(r Relation, x []float64, k float64, invert bool, out []int32, i, m int) int {
	f := one(invert)
	switch r {
	case Equal:
		for ; i < len(x); i++ {
			out[m] = int32(i)
			m += one(x[i] == k) ^ f
		}
	case Less:
		for ; i < len(x); i++ {
			out[m] = int32(i)
			m += one(x[i] < k) ^ f
		}
	case LessEqual:
		for ; i < len(x); i++ {
			out[m] = int32(i)
			m += one(x[i] <= k) ^ f
		}
	}
	return m
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
