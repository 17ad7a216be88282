package simd

import "math/bits"

// Add writes x + y to out; ok is false when a sum is not an int64. REQUIRES: len(x), len(y) ≥ len(out).
func Add(out, x, y []int64) (ok bool) {
	x, y = x[:len(out)], y[:len(out)]
	done, over := 0, false
	if enabled {
		done, over = add(out, x, y)
	}
	return addPlain(out, x, y, done) && !over
}

// addPlain is Add from row i on.
func addPlain(out, x, y []int64, i int) bool {
	var bad int64
	for ; i < len(out); i++ {
		v, w := x[i], y[i]
		r := v + w
		bad |= (v ^ r) & (w ^ r)
		out[i] = r
	}
	return bad >= 0
}

// Sub writes x − y to out; ok is false when a difference is not an int64. REQUIRES: as Add.
func Sub(out, x, y []int64) (ok bool) {
	x, y = x[:len(out)], y[:len(out)]
	done, over := 0, false
	if enabled {
		done, over = sub(out, x, y)
	}
	return subPlain(out, x, y, done) && !over
}

func subPlain(out, x, y []int64, i int) bool {
	var bad int64
	for ; i < len(out); i++ {
		v, w := x[i], y[i]
		r := v - w
		bad |= (v ^ w) & (v ^ r)
		out[i] = r
	}
	return bad >= 0
}

// Mul writes x · y to out; ok is false when |x|·|y| ≥ 2^63 somewhere. REQUIRES: as Add.
func Mul(out, x, y []int64) (ok bool) {
	x, y = x[:len(out)], y[:len(out)]
	done := 0
	if enabled {
		done = mul(out, x, y)
	}
	return mulPlain(out, x, y, done)
}

// mulStep is after how many rows the vector form looks whether all factors were narrow.
const mulStep = 64

func mulPlain(out, x, y []int64, i int) bool {
	var wide uint64
	for ; i < len(out); i++ {
		v, w := x[i], y[i]
		hi, lo := bits.Mul64(abs64(v), abs64(w))
		wide |= hi | lo>>63
		out[i] = v * w
	}
	return wide == 0
}

func abs64(v int64) uint64 {
	m := v >> 63
	return uint64((v ^ m) - m)
}
