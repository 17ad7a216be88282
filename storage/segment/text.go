package segment

import (
	"encoding/binary"
	"unsafe"

	"github.com/basaltdb/basalt/internal/simd"
)

// A text stream holds n byte strings. Little endian:
//
//	offset  size  what
//	0       4     bytes of all values, as read
//	4       4     bytes of all values, as stored
//	8       4     base: the length of the shortest, as stored
//	12      1     width w of the packed lengths
//	13      3     0
//	16      …     w > 0: 4 bytes for every 64th value, where its bytes begin;
//	              n packed lengths less base
//	…       …     the values' bytes
//
// Plain values are stored as they are, compressed ones by the chunk's symbols.

const (
	textHeaderLen = 16
	textStride    = 64
)

// text is a parsed text stream.
type text struct {
	n       int
	raw     int
	base, w uint
	starts  unsafe.Pointer // of every 64th value
	lens    unsafe.Pointer
	data    []byte
	syms    *symbols // nil: plain
}

// parseText parses a text stream that fills b. REQUIRES: as parseInts.
func parseText(b []byte, n int, syms *symbols) (t text, err error) {
	if len(b) < textHeaderLen {
		return t, malformed("text: header")
	}
	t = text{n: n, raw: int(binary.LittleEndian.Uint32(b)), base: uint(binary.LittleEndian.Uint32(b[8:])), w: uint(b[12]), syms: syms}
	stored := int(binary.LittleEndian.Uint32(b[4:]))
	if t.w > 32 || t.raw > textBytesMax || stored > textBytesMax {
		return t, malformed("text: %d bytes of width %d", t.raw, t.w)
	}
	b = b[textHeaderLen:]
	if t.w > 0 {
		starts, lens := 4*((n+textStride-1)/textStride), packedLen(n, t.w)
		if len(b) < starts+lens {
			return t, malformed("text: lengths")
		}
		t.starts, t.lens = unsafe.Pointer(unsafe.SliceData(b)), unsafe.Pointer(unsafe.SliceData(b[starts:]))
		b = b[starts+lens:]
	}
	if len(b) != stored {
		return t, malformed("text: %d bytes stored, want %d", len(b), stored)
	}
	t.data = b
	if syms == nil && stored != t.raw {
		return t, malformed("text: %d bytes, want %d", stored, t.raw)
	}
	// Lengths must lead to the end; then every value is in bounds.
	end := uint64(0)
	if t.w == 0 {
		end = uint64(t.base) * uint64(n)
	} else {
		var lens [textStride]uint32
		for i := 0; i < n; i += textStride {
			if end != uint64(t.start(i/textStride)) {
				return t, malformed("text: value %d begins at %d, want %d", i, t.start(i/textStride), end)
			}
			k := min(textStride, n-i)
			t.unpackLens(lens[:k], i)
			for _, l := range lens[:k] {
				end += uint64(l)
			}
		}
	}
	if end != uint64(stored) {
		return t, malformed("text: values end at %d of %d", end, stored)
	}
	return t, nil
}

// textBytesMax bounds the bytes of one block's values: a vector's offsets are 32 bits.
const textBytesMax = 1<<31 - 64

func (t *text) start(k int) uint32 { return *(*uint32)(unsafe.Add(t.starts, 4*k)) }

// unpackLens gives the stored lengths from value i, which is a multiple of 64.
func (t *text) unpackLens(dst []uint32, i int) {
	// 64 values are whole bytes at every width.
	simd.Unpack(dst, unsafe.Add(t.lens, i*int(t.w)/8), t.w, uint32(t.base))
}

// stored is value i as stored; shared.
func (t *text) stored(i int) []byte {
	if t.w == 0 {
		return t.data[i*int(t.base) : (i+1)*int(t.base)]
	}
	var lens [textStride]uint32
	k := i % textStride
	t.unpackLens(lens[:k+1], i-k)
	at := t.start(i / textStride)
	for _, l := range lens[:k] {
		at += l
	}
	return t.data[at : at+lens[k]]
}

// value is value i: shared where values are plain, else in buf's memory.
func (t *text) value(i int, buf []byte) ([]byte, error) {
	s := t.stored(i)
	if t.syms == nil {
		return s, nil
	}
	size := len(s)*symbolLenMax + symbolSlack
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	n := t.syms.expand(buf[:size], 0, s)
	if n < 0 {
		return nil, malformed("text: value %d", i)
	}
	return buf[:n], nil
}

// decode gives all values as offsets and bytes; plain bytes are the block's own.
func (t *text) decode(scratch *Scratch) ([]int32, []byte, error) {
	offs := scratch.takeOffsets(t.n + 1)
	offs[0] = 0
	if t.syms == nil {
		if t.w == 0 {
			for i := range offs {
				offs[i] = int32(i * int(t.base))
			}
			return offs, t.data, nil
		}
		simd.Unpack(unsafe.Slice((*uint32)(unsafe.Pointer(&offs[1])), t.n), t.lens, t.w, uint32(t.base))
		at := int32(0)
		for i, l := range offs[1:] {
			at += l
			offs[i+1] = at
		}
		return offs, t.data, nil
	}
	out := scratch.takeBytes(t.raw + symbolSlack)
	var lens [textStride]uint32
	if t.w == 0 {
		for i := range lens {
			lens[i] = uint32(t.base)
		}
	}
	from, at := 0, 0
	for i := 0; i < t.n; i += textStride {
		k := min(textStride, t.n-i)
		if t.w > 0 {
			t.unpackLens(lens[:k], i)
		}
		for j, l := range lens[:k] {
			if at = t.syms.expand(out, at, t.data[from:from+int(l)]); at < 0 {
				return nil, nil, malformed("text: value %d", i+j)
			}
			offs[i+j+1] = int32(at)
			from += int(l)
		}
	}
	if at != t.raw {
		return nil, nil, malformed("text: %d bytes, want %d", at, t.raw)
	}
	return offs, out[:at], nil
}

// decodeAt gives the values at the ascending positions sel.
func (t *text) decodeAt(sel []int32, scratch *Scratch) ([]int32, []byte, error) {
	offs := scratch.takeOffsets(len(sel) + 1)
	offs[0] = 0
	var lens, starts [textStride]uint32
	group := int32(-1)
	// The result's size is known for plain values and bounded for others.
	size := 0
	if t.w == 0 {
		size = len(sel) * int(t.base)
	} else {
		for _, i := range sel {
			size += int(t.base) + int(packedAt(t.lens, t.w, int(i)))
		}
	}
	var out []byte
	if t.syms == nil {
		out = scratch.takeBytes(size)[:0]
	} else {
		// The mean expansion of the block, with room to grow.
		size = int(int64(size)*int64(t.raw)/int64(max(len(t.data), 1))) + size/8 + 64
		out = scratch.takeBytes(size + symbolSlack)
	}
	at := 0
	for k, i := range sel {
		var s []byte
		if t.w == 0 {
			s = t.data[int(i)*int(t.base) : (int(i)+1)*int(t.base)]
		} else {
			if g := i / textStride; g != group {
				group = g
				n := min(textStride, t.n-int(g)*textStride)
				t.unpackLens(lens[:n], int(g)*textStride)
				p := t.start(int(g))
				for j, l := range lens[:n] {
					starts[j] = p
					p += l
				}
			}
			j := i % textStride
			s = t.data[starts[j] : starts[j]+lens[j]]
		}
		if t.syms == nil {
			out = append(out, s...)
			at = len(out)
		} else {
			if need := at + len(s)*symbolLenMax + symbolSlack; need > len(out) {
				grown := make([]byte, max(need, len(out)*2))
				copy(grown, out[:at])
				out = grown
			}
			if at = t.syms.expand(out, at, s); at < 0 || at > textBytesMax {
				return nil, nil, malformed("text: value %d", i)
			}
		}
		offs[k+1] = int32(at)
	}
	return offs, out[:at], nil
}

// appendText appends a text stream of the values between offs, compressed by e
// unless it is nil. tmp is scratch memory, given back for the next call.
func appendText(dst []byte, offs []int32, data []byte, e *symbolEncoder, tmp []byte, lens []uint64) ([]byte, []byte, []uint64) {
	n := len(offs) - 1
	raw := data[offs[0]:offs[n]]
	lens = lens[:0]
	stored := raw
	if e == nil {
		for i := range n {
			lens = append(lens, uint64(offs[i+1]-offs[i]))
		}
	} else {
		tmp = tmp[:0]
		for i := range n {
			from := len(tmp)
			tmp = e.append(tmp, data[offs[i]:offs[i+1]])
			lens = append(lens, uint64(len(tmp)-from))
		}
		stored = tmp
	}
	lo, hi := lens[0], lens[0]
	for _, l := range lens {
		lo, hi = min(lo, l), max(hi, l)
	}
	w := packWidth(hi - lo)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(stored)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(lo))
	dst = append(dst, byte(w), 0, 0, 0)
	if w > 0 {
		at := uint64(0)
		for i := range lens {
			if i%textStride == 0 {
				dst = binary.LittleEndian.AppendUint32(dst, uint32(at))
			}
			at += lens[i]
			lens[i] -= lo
		}
		dst = appendPacked(dst, lens, w)
	}
	return append(dst, stored...), tmp, lens
}
