//go:build goexperiment.simd && amd64

package simd

import "simd/archsimd"

// timesConstant multiplies modulo 2^64; c is the constant, high its upper half. Of the four products of halves that of
// the upper ones is lost.
func timesConstant(v, c, high, by32 archsimd.Uint64x4) archsimd.Uint64x4 {
	low := v.AsUint32x8().MulEvenWiden(c.AsUint32x8())
	cross := v.ShiftRight(by32).AsUint32x8().MulEvenWiden(c.AsUint32x8()).Add(v.AsUint32x8().MulEvenWiden(high.AsUint32x8()))
	return low.Add(cross.ShiftLeft(by32))
}

func hashes(out, x []uint64) (done int) {
	by32, by29 := archsimd.BroadcastUint64x4(32), archsimd.BroadcastUint64x4(29)
	a, aHigh := archsimd.BroadcastUint64x4(hashFirst), archsimd.BroadcastUint64x4(hashFirst>>32)
	b, bHigh := archsimd.BroadcastUint64x4(hashSecond), archsimd.BroadcastUint64x4(hashSecond>>32)
	for ; done+4 <= len(x); done += 4 {
		v := archsimd.LoadUint64x4((*[4]uint64)(at(x, done)))
		v = timesConstant(v.Xor(v.ShiftRight(by32)), a, aHigh, by32)
		v = timesConstant(v.Xor(v.ShiftRight(by29)), b, bHigh, by32)
		v.Xor(v.ShiftRight(by32)).Store((*[4]uint64)(at(out, done)))
	}
	archsimd.ClearAVXUpperBits()
	return done
}
