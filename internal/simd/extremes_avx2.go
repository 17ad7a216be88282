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
