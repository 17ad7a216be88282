//go:build goexperiment.simd && amd64

package simd

import (
	"simd/archsimd"
	"unsafe"
)

// bitPlaces are where the bits of a step's values are in the set, and its bytes there. These are fetched one by one,
// there being no gathers; the rest is done for eight values at a time, before and after.
type bitPlaces struct {
	byte  [membersStep]uint32
	shift [membersStep]uint32 // takes the bit to the highest of 32
	bytes [membersStep + 8]uint8
}

func eightOf(x *uint32) *[8]uint32 { return (*[8]uint32)(unsafe.Pointer(x)) }

// fetch reads the bytes of the set.
func (p *bitPlaces) fetch(set unsafe.Pointer) {
	for i := 0; i < membersStep; i += 8 {
		at, to := eightOf(&p.byte[i]), (*[8]uint8)(unsafe.Pointer(&p.bytes[i]))
		to[0] = *(*uint8)(unsafe.Add(set, at[0]))
		to[1] = *(*uint8)(unsafe.Add(set, at[1]))
		to[2] = *(*uint8)(unsafe.Add(set, at[2]))
		to[3] = *(*uint8)(unsafe.Add(set, at[3]))
		to[4] = *(*uint8)(unsafe.Add(set, at[4]))
		to[5] = *(*uint8)(unsafe.Add(set, at[5]))
		to[6] = *(*uint8)(unsafe.Add(set, at[6]))
		to[7] = *(*uint8)(unsafe.Add(set, at[7]))
	}
}

// list lists the rows of the step whose bits are ones.
func (p *bitPlaces) list(out []int32, m, row int) int {
	zero := archsimd.BroadcastInt32x8(0)
	rows, step := archsimd.BroadcastUint32x8(uint32(row)), archsimd.BroadcastUint32x8(8)
	for i := 0; i < membersStep; i += 8 {
		b := archsimd.LoadUint8x16((*[16]uint8)(unsafe.Pointer(&p.bytes[i]))).ExtendLo8ToUint32()
		ones := zero.Greater(b.ShiftLeft(archsimd.LoadUint32x8(eightOf(&p.shift[i]))).AsInt32x8())
		m = list(out, m, rows, ones.ToBits())
		rows = rows.Add(step)
	}
	return m
}

func members32(x []int32, set []uint64, lo, hi int32, out []int32) (done, m int) {
	var p bitPlaces
	l, h, end := archsimd.BroadcastInt32x8(lo), archsimd.BroadcastInt32x8(hi), archsimd.BroadcastInt32x8(hi-lo+1)
	three, seven, top := archsimd.BroadcastUint32x8(3), archsimd.BroadcastUint32x8(7), archsimd.BroadcastUint32x8(24)
	for ; done+membersStep <= len(x); done += membersStep {
		for i := 0; i < membersStep; i += 8 {
			v := vec32(x, done+i)
			bit := end.Merge(v.Sub(l), l.Greater(v).Or(v.Greater(h))).AsUint32x8()
			bit.ShiftRight(three).Store(eightOf(&p.byte[i]))
			seven.AndNot(bit).Add(top).Store(eightOf(&p.shift[i]))
		}
		p.fetch(unsafe.Pointer(unsafe.SliceData(set)))
		m = p.list(out, m, done)
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}

func members64(x []int64, set []uint64, lo, hi int64, out []int32) (done, m int) {
	var p bitPlaces
	l, h, end := archsimd.BroadcastInt64x4(lo), archsimd.BroadcastInt64x4(hi), archsimd.BroadcastInt64x4(hi-lo+1)
	three, seven, top := archsimd.BroadcastUint32x8(3), archsimd.BroadcastUint32x8(7), archsimd.BroadcastUint32x8(24)
	order := archsimd.LoadUint32x8(&[8]uint32{0, 1, 4, 5, 2, 3, 6, 7})
	for ; done+membersStep <= len(x); done += membersStep {
		for i := 0; i < membersStep; i += 8 {
			v, w := vec64(x, done+i), vec64(x, done+i+4)
			v = end.Merge(v.Sub(l), l.Greater(v).Or(v.Greater(h)))
			w = end.Merge(w.Sub(l), l.Greater(w).Or(w.Greater(h)))
			bit := v.AsUint32x8().SelectFromPairGrouped(0, 2, 4, 6, w.AsUint32x8()).Permute(order)
			bit.ShiftRight(three).Store(eightOf(&p.byte[i]))
			seven.AndNot(bit).Add(top).Store(eightOf(&p.shift[i]))
		}
		p.fetch(unsafe.Pointer(unsafe.SliceData(set)))
		m = p.list(out, m, done)
	}
	archsimd.ClearAVXUpperBits()
	return done, m
}
