package simd

// MinMax gives the least and the greatest value. REQUIRES: x is not empty.
func MinMax[T int16 | int32 | int64](x []T) (lo, hi T) {
	lo, hi = x[0], x[0]
	if enabled {
		switch v := any(x).(type) {
		case []int32:
			if done, l, h := minMax32(v); done > 0 {
				lo, hi, x = T(l), T(h), x[done:]
			}
		case []int64:
			if done, l, h := minMax64(v); done > 0 {
				lo, hi, x = T(l), T(h), x[done:]
			}
		}
	}
	return minMax(x, lo, hi)
}

// minMax takes x into lo and hi.
func minMax[T int16 | int32 | int64](x []T, lo, hi T) (T, T) {
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}
