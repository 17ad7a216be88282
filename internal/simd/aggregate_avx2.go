//go:build goexperiment.simd && amd64

package simd

import "simd/archsimd"

func minMax32(x []int32) (done int, lo, hi int32) {
	if len(x) < 16 {
		return 0, 0, 0
	}
	l := vec32(x, 0)
	h := l
	for done = 8; done+8 <= len(x); done += 8 {
		v := vec32(x, done)
		l, h = l.Min(v), h.Max(v)
	}
	var a, b [8]int32
	l.Store(&a)
	h.Store(&b)
	archsimd.ClearAVXUpperBits()
	lo, _ = minMax(a[1:], a[0], a[0])
	_, hi = minMax(b[1:], b[0], b[0])
	return done, lo, hi
}

// minMax64 keeps two of each: a 64-bit comparison takes as long as four steps of the loop.
func minMax64(x []int64) (done int, lo, hi int64) {
	if len(x) < 16 {
		return 0, 0, 0
	}
	l0, l1 := vec64(x, 0), vec64(x, 4)
	h0, h1 := l0, l1
	for done = 8; done+8 <= len(x); done += 8 {
		v, w := vec64(x, done), vec64(x, done+4)
		l0, h0 = v.Merge(l0, l0.Greater(v)), v.Merge(h0, v.Greater(h0))
		l1, h1 = w.Merge(l1, l1.Greater(w)), w.Merge(h1, w.Greater(h1))
	}
	var a, b [8]int64
	l0.Store((*[4]int64)(a[:4]))
	l1.Store((*[4]int64)(a[4:]))
	h0.Store((*[4]int64)(b[:4]))
	h1.Store((*[4]int64)(b[4:]))
	archsimd.ClearAVXUpperBits()
	lo, _ = minMax(a[1:], a[0], a[0])
	_, hi = minMax(b[1:], b[0], b[0])
	return done, lo, hi
}

// sumRows is how many rows sum64 adds up before its halves could overflow.
const sumRows = 1 << 30

// sum64 sums lower and upper halves; those of x less −2^63, which have no sign.
func sum64(x []int64) (done int, hi int64, lo uint64) {
	by32, lower := archsimd.BroadcastUint64x4(32), archsimd.BroadcastUint64x4(1<<32-1)
	sign := archsimd.BroadcastUint64x4(1 << 63)
	l0, h0 := archsimd.BroadcastUint64x4(0), archsimd.BroadcastUint64x4(0)
	l1, h1 := l0, h0
	for ; done+8 <= len(x) && done < sumRows; done += 8 {
		v, w := vec64(x, done).AsUint64x4(), vec64(x, done+4).AsUint64x4()
		l0, h0 = l0.Add(v.And(lower)), h0.Add(v.Xor(sign).ShiftRight(by32))
		l1, h1 = l1.Add(w.And(lower)), h1.Add(w.Xor(sign).ShiftRight(by32))
	}
	var l, h [4]uint64
	l0.Add(l1).Store(&l)
	h0.Add(h1).Store(&h)
	archsimd.ClearAVXUpperBits()
	upper := int64(h[0]+h[1]+h[2]+h[3]) - int64(done)<<31
	hi, lo = sum64Plain([]int64{int64(l[0] + l[1] + l[2] + l[3])}, upper>>32, uint64(upper)<<32)
	return done, hi, lo
}

func sum32(x []int32) (done int, sum int64) {
	s0, s1 := archsimd.BroadcastInt64x4(0), archsimd.BroadcastInt64x4(0)
	for ; done+8 <= len(x); done += 8 {
		v := vec32(x, done)
		s0, s1 = s0.Add(v.GetLo().ExtendToInt64()), s1.Add(v.GetHi().ExtendToInt64())
	}
	var s [4]int64
	s0.Add(s1).Store(&s)
	archsimd.ClearAVXUpperBits()
	return done, s[0] + s[1] + s[2] + s[3]
}
