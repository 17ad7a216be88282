package simd

import "math/bits"

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

// Sum64 gives the sum as a two's complement integer of 128 bits.
func Sum64(x []int64) (hi int64, lo uint64) {
	done := 0
	if enabled {
		done, hi, lo = sum64(x)
	}
	return sum64Plain(x[done:], hi, lo)
}

// sum64Plain adds x to a sum.
func sum64Plain(x []int64, hi int64, lo uint64) (int64, uint64) {
	var c uint64
	for _, v := range x {
		lo, c = bits.Add64(lo, uint64(v), 0)
		hi += v>>63 + int64(c)
	}
	return hi, lo
}

// Sum32 gives the sum of int32s. REQUIRES: they are fewer than 2^32, so that it is an int64.
func Sum32(x []int32) (sum int64) {
	done := 0
	if enabled {
		done, sum = sum32(x)
	}
	return sum32Plain(x[done:], sum)
}

func sum32Plain(x []int32, sum int64) int64 {
	for _, v := range x {
		sum += int64(v)
	}
	return sum
}
