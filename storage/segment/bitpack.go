package segment

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/basaltdb/basalt/internal/simd"
)

// Bit packing. Value i of width w is bits i·w … i·w+w−1 of the stream, lowest bit
// first, the stream's bytes in ascending order: value i can be taken out with one
// unaligned load. Widths are 0 … 56 and 64; what needs 57 … 63 bits takes 64.
//
// The kernels read whole words without looking at bounds. REQUIRES, everywhere: the
// packed bytes are complete (packedLen) and wordSlack readable bytes follow them.

// wordSlack is how many bytes behind a packed stream may be read.
const wordSlack = simd.Slack

func bitLen(v uint64) uint { return uint(bits.Len64(v)) }

// packWidth is the width that a stream of values up to v takes.
func packWidth(v uint64) uint {
	w := bitLen(v)
	if w > 56 {
		return 64
	}
	return w
}

// packedLen is the bytes of n values of width w.
func packedLen(n int, w uint) int { return (n*int(w) + 7) / 8 }

// appendPacked appends vals, each less than 2^w.
func appendPacked(dst []byte, vals []uint64, w uint) []byte {
	switch w {
	case 0:
		return dst
	case 64:
		for _, v := range vals {
			dst = binary.LittleEndian.AppendUint64(dst, v)
		}
		return dst
	}
	var acc uint64
	var have uint
	for _, v := range vals {
		acc |= v << have
		if have += w; have >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have -= 64
			acc = v >> (w - have) // w − have bits of v are written; a shift by 64 gives 0
		}
	}
	for ; have > 0; have -= min(have, 8) {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

func load64(p unsafe.Pointer, off uint) uint64 {
	return *(*uint64)(unsafe.Add(p, off))
}

// packedAt is value i.
func packedAt(p unsafe.Pointer, w uint, i int) uint64 {
	bit := uint(i) * w
	if w == 64 {
		return load64(p, bit>>3)
	}
	return load64(p, bit>>3) >> (bit & 7) & (1<<(w&63) - 1)
}

// unpackAt writes base + value sel[k] to dst[k]; simd.Unpack is for all of them.
func unpackAt[T simd.Word](dst []T, p unsafe.Pointer, w uint, base T, sel []int32) {
	switch w {
	case 0:
		for k := range dst {
			dst[k] = base
		}
	case 64:
		for k, i := range sel {
			dst[k] = T(load64(p, uint(i)*8)) + base
		}
	default:
		m := uint64(1)<<(w&63) - 1
		for k, i := range sel {
			bit := uint(i) * w
			dst[k] = T(load64(p, bit>>3)>>(bit&7)&m) + base
		}
	}
}
