//go:build goexperiment.simd && amd64

package simd

import (
	"math/bits"
	"simd/archsimd"
	"unsafe"
)

// places[b] are the positions of b's ones, ascending, then anything. With it eight results become a list of rows
// without a branch: eight places are written and those that count are kept.
var places = func() (t [257][8]uint8) { // one more, as sixteen bytes are loaded at a time
	for b := range 256 {
		n := 0
		for i := range uint8(8) {
			if b>>i&1 != 0 {
				t[b][n] = i
				n++
			}
		}
	}
	return t
}()

// list writes rows + b's places to out[m:], where there is room for eight, and gives the next m.
func list(out []int32, m int, rows archsimd.Uint32x8, b uint8) int {
	p := archsimd.LoadUint8x16((*[16]uint8)(unsafe.Pointer(&places[b]))).ExtendLo8ToUint32()
	p.Add(rows).Store((*[8]uint32)(at(out, m)))
	return m + bits.OnesCount8(b)
}

func within32(x []int32, lo, hi int32, invert bool, out []int32) (done, m int) {
	l, h, f := archsimd.BroadcastInt32x8(lo), archsimd.BroadcastInt32x8(hi), all(!invert)
	rows, step := archsimd.BroadcastUint32x8(0), archsimd.BroadcastUint32x8(8)
	for ; done+8 <= len(x); done += 8 {
		v := vec32(x, done)
		m = list(out, m, rows, l.Greater(v).Or(v.Greater(h)).ToBits()^f)
		rows = rows.Add(step)
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}

func within64(x []int64, lo, hi int64, invert bool, out []int32) (done, m int) {
	l, h, f := archsimd.BroadcastInt64x4(lo), archsimd.BroadcastInt64x4(hi), all(!invert)
	rows, step := archsimd.BroadcastUint32x8(0), archsimd.BroadcastUint32x8(8)
	for ; done+8 <= len(x); done += 8 {
		v, w := vec64(x, done), vec64(x, done+4)
		m = list(out, m, rows, eight(l.Greater(v).Or(v.Greater(h)), l.Greater(w).Or(w.Greater(h)))^f)
		rows = rows.Add(step)
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}

func selectPairs32(r Relation, x, y []int32, invert bool, out []int32) (done, m int) {
	f := all(invert)
	rows, step := archsimd.BroadcastUint32x8(0), archsimd.BroadcastUint32x8(8)
	if r == Equal {
		for ; done+8 <= len(x); done += 8 {
			m = list(out, m, rows, vec32(x, done).Equal(vec32(y, done)).ToBits()^f)
			rows = rows.Add(step)
		}
	} else {
		for ; done+8 <= len(x); done += 8 {
			m = list(out, m, rows, vec32(y, done).Greater(vec32(x, done)).ToBits()^f)
			rows = rows.Add(step)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}

func selectPairs64(r Relation, x, y []int64, invert bool, out []int32) (done, m int) {
	f := all(invert)
	rows, step := archsimd.BroadcastUint32x8(0), archsimd.BroadcastUint32x8(8)
	if r == Equal {
		for ; done+8 <= len(x); done += 8 {
			b := eight(vec64(x, done).Equal(vec64(y, done)), vec64(x, done+4).Equal(vec64(y, done+4)))
			m = list(out, m, rows, b^f)
			rows = rows.Add(step)
		}
	} else {
		for ; done+8 <= len(x); done += 8 {
			b := eight(vec64(y, done).Greater(vec64(x, done)), vec64(y, done+4).Greater(vec64(x, done+4)))
			m = list(out, m, rows, b^f)
			rows = rows.Add(step)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}

func selectFloats(r Relation, x []float64, k float64, invert bool, out []int32) (done, m int) {
	f, c := all(invert), archsimd.BroadcastFloat64x4(k)
	rows, step := archsimd.BroadcastUint32x8(0), archsimd.BroadcastUint32x8(8)
	switch r {
	case Equal:
		for ; done+8 <= len(x); done += 8 {
			m = list(out, m, rows, eight(vecFloat(x, done).Equal(c), vecFloat(x, done+4).Equal(c))^f)
			rows = rows.Add(step)
		}
	case Less:
		for ; done+8 <= len(x); done += 8 {
			m = list(out, m, rows, eight(vecFloat(x, done).Less(c), vecFloat(x, done+4).Less(c))^f)
			rows = rows.Add(step)
		}
	case LessEqual:
		for ; done+8 <= len(x); done += 8 {
			m = list(out, m, rows, eight(vecFloat(x, done).LessEqual(c), vecFloat(x, done+4).LessEqual(c))^f)
			rows = rows.Add(step)
		}
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}
