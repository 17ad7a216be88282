//go:build goexperiment.simd && amd64

package simd

import (
	"simd/archsimd"
	"unsafe"
)

// Eight values of width w take w bytes. Four that fit 16 bytes are loaded into each half of a vector, their bytes
// moved to where the values are to be, and each value shifted down by the bits that lie before it in its first byte.
//
// narrowMax is the widest value that, with the bits before it, is within 4 bytes; wideMax within 8.
const (
	narrowMax = 25
	wideMax   = 56
)

// layout says where values are: bytes moves them, shift is by how much they are to be shifted.
type layout32 struct {
	bytes [32]int8
	shift [8]uint32
}

type layout64 struct {
	bytes [2][32]int8 // values 0 to 3, 4 to 7
	shift [2][4]uint64
}

var layouts32 = func() (t [narrowMax + 1]layout32) {
	for w := 1; w <= narrowMax; w++ {
		for i := range 8 {
			bit := i * w
			if i >= 4 { // of the upper half, which begins with the byte that value 4 begins in
				bit -= 4 * w &^ 7
			}
			t[w].shift[i] = uint32(bit & 7)
			for b := range 4 {
				t[w].bytes[4*i+b] = int8(bit>>3 + b)
			}
		}
	}
	return t
}()

var layouts64 = func() (t [wideMax + 1]layout64) {
	for w := 1; w <= wideMax; w++ {
		for i := range 8 {
			bit := i * w
			bit -= i &^ 1 * w &^ 7 // every pair of values has its own half
			t[w].shift[i/4][i%4] = uint64(bit & 7)
			for b := range 8 {
				t[w].bytes[i/4][i%4*8+b] = int8(bit>>3 + b)
			}
		}
	}
	return t
}()

func half(p unsafe.Pointer, off uint) archsimd.Uint8x16 {
	return archsimd.LoadUint8x16((*[16]uint8)(unsafe.Add(p, off)))
}

func halves(p unsafe.Pointer, lo, hi uint) archsimd.Uint8x32 {
	var v archsimd.Uint8x32
	return v.SetLo(half(p, lo)).SetHi(half(p, hi))
}

// whole is how many of n values of width w can be unpacked by eights, when each time the 16 bytes from last on
// are read.
func whole(n int, w, last uint) int {
	readable := (uint(n)*w+7)/8 + Slack
	if readable < last+16 {
		return 0
	}
	return int(min(uint(n)/8, (readable-last-16)/w+1)) * 8
}

func unpack32(dst []uint32, p unsafe.Pointer, w uint, base uint32) (done int) {
	if w == 0 || w > narrowMax {
		return 0
	}
	l := &layouts32[w]
	bytes, shift := archsimd.LoadInt8x32(&l.bytes), archsimd.LoadUint32x8(&l.shift)
	mask, b := archsimd.BroadcastUint32x8(1<<w-1), archsimd.BroadcastUint32x8(base)
	hi := 4 * w / 8
	n := whole(len(dst), w, hi)
	out := unsafe.Pointer(unsafe.SliceData(dst))
	for ; done < n; done += 8 {
		v := halves(p, 0, hi).PermuteOrZeroGrouped(bytes).AsUint32x8().ShiftRight(shift).And(mask)
		v.Add(b).Store((*[8]uint32)(unsafe.Add(out, done*4)))
		p = unsafe.Add(p, w)
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func unpack64(dst []uint64, p unsafe.Pointer, w uint, base uint64) (done int) {
	if w == 0 || w > wideMax {
		return 0
	}
	out := unsafe.Pointer(unsafe.SliceData(dst))
	b := archsimd.BroadcastUint64x4(base)
	l := &layouts64[w]
	bytes0, shift0 := archsimd.LoadInt8x32(&l.bytes[0]), archsimd.LoadUint64x4(&l.shift[0])
	bytes1, shift1 := archsimd.LoadInt8x32(&l.bytes[1]), archsimd.LoadUint64x4(&l.shift[1])
	mask := archsimd.BroadcastUint64x4(1<<w - 1)
	off1, off2, off3 := 2*w/8, 4*w/8, 6*w/8
	n := whole(len(dst), w, off3)
	for ; done < n; done += 8 {
		v := halves(p, 0, off1).PermuteOrZeroGrouped(bytes0).AsUint64x4().ShiftRight(shift0).And(mask)
		v.Add(b).Store((*[4]uint64)(unsafe.Add(out, done*8)))
		v = halves(p, off2, off3).PermuteOrZeroGrouped(bytes1).AsUint64x4().ShiftRight(shift1).And(mask)
		v.Add(b).Store((*[4]uint64)(unsafe.Add(out, done*8+32)))
		p = unsafe.Add(p, w)
	}
	archsimd.ClearAVXUpperBits()
	return done
}
