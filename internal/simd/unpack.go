package simd

import "unsafe"

// Slack is how many bytes behind packed values may be read.
const Slack = 8

// Word are the words that values are unpacked into: vectors of every integer type are written through the one of
// their size.
type Word interface {
	uint8 | uint16 | uint32 | uint64
}

func load64(p unsafe.Pointer, off uint) uint64 {
	return *(*uint64)(unsafe.Add(p, off))
}

// Unpack writes base + value i to dst[i], for all of dst. The value is bits i·w … i·w+w−1 of what p points to,
// lowest bit first, and the processor's words are little-endian. REQUIRES: w ≤ 56 or w = 64; the packed bytes
// are complete and Slack readable bytes follow them.
func Unpack[T Word](dst []T, p unsafe.Pointer, w uint, base T) {
	done := 0
	if enabled {
		switch d := any(dst).(type) {
		case []uint32:
			done = unpack32(d, p, w, uint32(base))
		case []uint64:
			done = unpack64(d, p, w, uint64(base))
		}
	}
	unpack(dst, p, w, base, done)
}

// unpack is Unpack from value i on, a multiple of 8.
func unpack[T Word](dst []T, p unsafe.Pointer, w uint, base T, i int) {
	n := len(dst)
	switch {
	case w == 0:
		for i := range dst {
			dst[i] = base
		}
		return
	case w <= 8:
		m := uint64(1)<<w - 1
		s := w & 63
		for ; i+8 <= n; i += 8 {
			d := (*[8]T)(unsafe.Pointer(&dst[i]))
			x := load64(p, uint(i)*w>>3)
			y := x >> (4 * w & 63)
			d[0] = T(x&m) + base
			d[4] = T(y&m) + base
			x >>= s
			y >>= s
			d[1] = T(x&m) + base
			d[5] = T(y&m) + base
			x >>= s
			y >>= s
			d[2] = T(x&m) + base
			d[6] = T(y&m) + base
			x >>= s
			y >>= s
			d[3] = T(x&m) + base
			d[7] = T(y&m) + base
		}
	case w <= 15 || w == 16:
		m := uint64(1)<<w - 1
		s := w & 63
		for ; i+8 <= n; i += 8 {
			d := (*[8]T)(unsafe.Pointer(&dst[i]))
			bit := uint(i) * w
			x := load64(p, bit>>3)
			y := load64(p, (bit+4*w)>>3) >> (4 * w & 7)
			d[0] = T(x&m) + base
			d[4] = T(y&m) + base
			x >>= s
			y >>= s
			d[1] = T(x&m) + base
			d[5] = T(y&m) + base
			x >>= s
			y >>= s
			d[2] = T(x&m) + base
			d[6] = T(y&m) + base
			x >>= s
			y >>= s
			d[3] = T(x&m) + base
			d[7] = T(y&m) + base
		}
	case w <= 30 || w == 32:
		m := uint64(1)<<w - 1
		s := w & 63
		for ; i+8 <= n; i += 8 {
			d := (*[8]T)(unsafe.Pointer(&dst[i]))
			bit := uint(i) * w
			x := load64(p, bit>>3)
			y := load64(p, (bit+2*w)>>3) >> ((2 * w) & 7)
			d[0] = T(x&m) + base
			d[2] = T(y&m) + base
			d[1] = T(x>>s&m) + base
			d[3] = T(y>>s&m) + base
			x = load64(p, (bit+4*w)>>3) >> ((4 * w) & 7)
			y = load64(p, (bit+6*w)>>3) >> ((6 * w) & 7)
			d[4] = T(x&m) + base
			d[6] = T(y&m) + base
			d[5] = T(x>>s&m) + base
			d[7] = T(y>>s&m) + base
		}
	case w == 64:
		for ; i < n; i++ {
			dst[i] = T(load64(p, uint(i)*8)) + base
		}
		return
	}
	m := uint64(1)<<(w&63) - 1
	for bit := uint(i) * w; i < n; i++ {
		dst[i] = T(load64(p, bit>>3)>>(bit&7)&m) + base
		bit += w
	}
}
