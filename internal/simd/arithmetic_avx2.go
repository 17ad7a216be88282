//go:build goexperiment.simd && amd64

package simd

import "simd/archsimd"

// anyNegative: the highest bit of some element is set.
func anyNegative(v archsimd.Int64x4) bool {
	return archsimd.BroadcastInt64x4(0).Greater(v).ToBits() != 0
}

func add(out, x, y []int64) (done int, over bool) {
	bad := archsimd.BroadcastInt64x4(0)
	for ; done+4 <= len(out); done += 4 {
		v, w := vec64(x, done), vec64(y, done)
		r := v.Add(w)
		bad = bad.Or(v.Xor(r).And(w.Xor(r)))
		r.Store((*[4]int64)(at(out, done)))
	}
	over = anyNegative(bad)
	archsimd.ClearAVXUpperBits()
	return done, over
}

func sub(out, x, y []int64) (done int, over bool) {
	bad := archsimd.BroadcastInt64x4(0)
	for ; done+4 <= len(out); done += 4 {
		v, w := vec64(x, done), vec64(y, done)
		r := v.Sub(w)
		bad = bad.Or(v.Xor(w).And(v.Xor(r)))
		r.Store((*[4]int64)(at(out, done)))
	}
	over = anyNegative(bad)
	archsimd.ClearAVXUpperBits()
	return done, over
}

// mul multiplies factors of 32 bits, for which there is an instruction and whose product always is an int64. It stops
// before the mulStep rows where it meets others.
func mul(out, x, y []int64) (done int) {
	bias := archsimd.BroadcastInt64x4(1 << 31)   // makes int32s uint32s
	above := archsimd.BroadcastInt64x4(-1 << 32) // what these do not have
	for ; done+mulStep <= len(out); done += mulStep {
		high := archsimd.BroadcastInt64x4(0)
		for i := done; i < done+mulStep; i += 4 {
			v, w := vec64(x, i), vec64(y, i)
			high = high.Or(v.Add(bias)).Or(w.Add(bias))
			v.AsInt32x8().MulEvenWiden(w.AsInt32x8()).Store((*[4]int64)(at(out, i)))
		}
		if !high.And(above).IsZero() {
			break
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}
