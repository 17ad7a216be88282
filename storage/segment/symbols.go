package segment

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"
)

// Text is compressed by a table of up to 255 symbols of 1 … 8 bytes, one table per
// chunk (Boncz, Neumann, Leis: FSST, VLDB 2020). A code is one byte: a symbol's
// number, or 255 and then a byte as it is. Every value is compressed by itself, so
// any one can be read alone. The stored table:
//
//	offset  size  what
//	0       1     number of symbols n
//	1       n     their lengths, 1 … 8
//	1+n     …     their bytes, one after the other

const (
	symbolsMax   = 255
	symbolEscape = 255
	symbolLenMax = 8
)

// symbols is a table for reading: a code's bytes (little endian) and their number.
type symbols struct {
	val [256]uint64
	len [256]uint8
}

func parseSymbols(b []byte) (*symbols, error) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, malformed("symbol table: header")
	}
	n := int(b[0])
	if n > symbolsMax {
		return nil, malformed("symbol table: %d symbols", n)
	}
	lens, bytes := b[1:1+n], b[1+n:]
	s := &symbols{}
	for i, l := range lens {
		if l == 0 || l > symbolLenMax || int(l) > len(bytes) {
			return nil, malformed("symbol table: length")
		}
		var w [8]byte
		copy(w[:], bytes[:l])
		s.val[i], s.len[i] = binary.LittleEndian.Uint64(w[:]), l
		bytes = bytes[l:]
	}
	return s, nil
}

// symbolSlack is how many bytes beyond the result expand may write.
const symbolSlack = 8

// expand writes the decompressed src to dst from position at and gives the
// position behind it; −1 when it would pass len(dst) − symbolSlack.
func (s *symbols) expand(dst []byte, at int, src []byte) int {
	limit := len(dst) - symbolSlack
	if at > limit || limit < 0 {
		return -1
	}
	base := unsafe.Pointer(unsafe.SliceData(dst))
	i := 0
	for i+4 <= len(src) && at+4*symbolLenMax <= limit {
		c := binary.LittleEndian.Uint32(src[i:])
		// A byte of c is 255 where its complement is 0.
		if x := ^c; (x-0x01010101)&^x&0x80808080 != 0 {
			if c&0xff != symbolEscape {
				*(*uint64)(unsafe.Add(base, at)) = s.val[c&0xff]
				at += int(s.len[c&0xff])
				i++
				continue
			}
			*(*byte)(unsafe.Add(base, at)) = byte(c >> 8)
			at++
			i += 2
			continue
		}
		*(*uint64)(unsafe.Add(base, at)) = s.val[c&0xff]
		at += int(s.len[c&0xff])
		*(*uint64)(unsafe.Add(base, at)) = s.val[c>>8&0xff]
		at += int(s.len[c>>8&0xff])
		*(*uint64)(unsafe.Add(base, at)) = s.val[c>>16&0xff]
		at += int(s.len[c>>16&0xff])
		*(*uint64)(unsafe.Add(base, at)) = s.val[c>>24]
		at += int(s.len[c>>24])
		i += 4
	}
	for i < len(src) {
		c := src[i]
		i++
		if at > limit {
			return -1
		}
		if c != symbolEscape {
			*(*uint64)(unsafe.Add(base, at)) = s.val[c]
			at += int(s.len[c])
			continue
		}
		if i == len(src) {
			return -1
		}
		*(*byte)(unsafe.Add(base, at)) = src[i]
		at++
		i++
	}
	if at > limit {
		return -1
	}
	return at
}

// symbolEncoder compresses with one table.
type symbolEncoder struct {
	table []symbol
	// short gives, by the next two bytes, code and length of the longest symbol of
	// at most two bytes: code | length << 8; length 0: none.
	short [1 << 16]uint16
	// long gives, by a hash of the next three bytes, a symbol of three or more.
	long [longSlots]longSymbol
}

const longSlots = 2048

type longSymbol struct {
	val, mask uint64
	code, len uint8
}

// symbol is up to eight bytes, little endian.
type symbol struct {
	val uint64
	len uint8
}

func longHash(v uint64) uint { return uint((v & 0xffffff) * 0x9e3779b97f4a7c15 >> 53) }

func (s symbol) mask() uint64 { return ^uint64(0) >> (64 - 8*uint(s.len)) }

// join is s and then t, cut to eight bytes.
func (s symbol) join(t symbol) symbol {
	return symbol{s.val | t.val<<(8*uint(s.len)), min(s.len+t.len, symbolLenMax)}
}

// set takes candidates, the best first, into the table.
func (e *symbolEncoder) set(candidates []symbol) {
	e.table = e.table[:0]
	clear(e.long[:])
	clear(e.short[:])
	for _, c := range candidates {
		if len(e.table) == symbolsMax {
			break
		}
		code := uint8(len(e.table))
		switch c.len {
		case 1, 2:
		default:
			l := &e.long[longHash(c.val)]
			if l.len != 0 { // a better one has the slot
				continue
			}
			*l = longSymbol{c.val, c.mask(), code, c.len}
		}
		e.table = append(e.table, c)
	}
	for code, s := range e.table {
		if s.len == 1 {
			for hi := range 256 {
				if x := &e.short[int(s.val)|hi<<8]; *x>>8 == 0 {
					*x = uint16(code) | 1<<8
				}
			}
		}
	}
	for code, s := range e.table {
		if s.len == 2 {
			e.short[s.val] = uint16(code) | 2<<8
		}
	}
}

// next gives the code of the longest symbol at the start of w, of which left bytes
// are there; length 0: none.
func (e *symbolEncoder) next(w uint64, left int) (code, length uint8) {
	l := &e.long[longHash(w)]
	if l.len != 0 && w&l.mask == l.val && int(l.len) <= left {
		return l.code, l.len
	}
	x := e.short[uint16(w)]
	if int(x>>8) <= left {
		return uint8(x), uint8(x >> 8)
	}
	if x = e.oneByte(byte(w)); x>>8 == 1 {
		return uint8(x), 1
	}
	return 0, 0
}

// oneByte looks for a symbol of one byte where a longer one does not fit.
func (e *symbolEncoder) oneByte(b byte) uint16 {
	for code, s := range e.table {
		if s.len == 1 && byte(s.val) == b {
			return uint16(code) | 1<<8
		}
	}
	return 0
}

// append appends the compressed form of src.
func (e *symbolEncoder) append(dst, src []byte) []byte {
	i := 0
	for i+8 <= len(src) {
		w := binary.LittleEndian.Uint64(src[i:])
		l := &e.long[longHash(w)]
		if l.len != 0 && w&l.mask == l.val {
			dst = append(dst, l.code)
			i += int(l.len)
			continue
		}
		x := e.short[uint16(w)]
		if x>>8 == 0 {
			dst = append(dst, symbolEscape, byte(w))
			i++
			continue
		}
		dst = append(dst, byte(x))
		i += int(x >> 8)
	}
	for i < len(src) {
		code, n := e.next(tailWord(src[i:]), len(src)-i)
		if n == 0 {
			dst = append(dst, symbolEscape, src[i])
			i++
			continue
		}
		dst = append(dst, code)
		i += int(n)
	}
	return dst
}

// tailWord is the first eight bytes of b, zeros where there are fewer.
func tailWord(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var w uint64
	for i, c := range b {
		w |= uint64(c) << (8 * i)
	}
	return w
}

// appendTable appends the stored table.
func (e *symbolEncoder) appendTable(dst []byte) []byte {
	dst = append(dst, byte(len(e.table)))
	for _, s := range e.table {
		dst = append(dst, s.len)
	}
	for _, s := range e.table {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], s.val)
		dst = append(dst, w[:s.len]...)
	}
	return dst
}

// symbolTrainer makes tables.
type symbolTrainer struct {
	one  [512]uint32
	pair [512 * 512]uint16
	cand map[symbol]uint64
}

const (
	trainRounds      = 5
	trainSampleBytes = 16 << 10
)

// train makes e's table from a sample of values.
func (t *symbolTrainer) train(e *symbolEncoder, sample [][]byte) {
	if t.cand == nil {
		t.cand = map[symbol]uint64{}
	}
	e.set(nil)
	var list []symbol
	for range trainRounds {
		clear(t.one[:])
		clear(t.pair[:])
		for _, v := range sample {
			prev := -1
			for i := 0; i < len(v); {
				// Codes 256 … are bytes without a symbol.
				code, n := e.next(tailWord(v[i:]), len(v)-i)
				c := int(code)
				if n == 0 {
					c, n = 256+int(v[i]), 1
				}
				t.one[c]++
				if prev >= 0 {
					t.pair[prev<<9|c]++
				}
				prev = c
				i += int(n)
			}
		}
		of := func(c int) symbol {
			if c >= 256 {
				return symbol{uint64(c - 256), 1}
			}
			return e.table[c]
		}
		clear(t.cand)
		for c, n := range t.one {
			if n == 0 {
				continue
			}
			s := of(c)
			gain := uint64(n) * uint64(s.len)
			if s.len == 1 { // an escape costs two bytes
				gain *= 8
			}
			t.cand[s] += gain
			if s.len == symbolLenMax {
				continue
			}
			for d := range 512 {
				if n := t.pair[c<<9|d]; n > 1 {
					p := s.join(of(d))
					t.cand[p] += uint64(n) * uint64(p.len)
				}
			}
		}
		list = list[:0]
		for s := range t.cand {
			list = append(list, s)
		}
		slices.SortFunc(list, func(a, b symbol) int {
			return cmp.Or(cmp.Compare(t.cand[b], t.cand[a]), cmp.Compare(b.len, a.len), cmp.Compare(a.val, b.val))
		})
		e.set(list)
	}
}

// sampleOf picks values for training, spread over all.
func sampleOf(n int, value func(i int) []byte) [][]byte {
	var out [][]byte
	total := 0
	for i := range n {
		total += len(value(i))
	}
	step := 1
	if total > trainSampleBytes {
		step = total / trainSampleBytes
	}
	size := 0
	for i := 0; i < n && size < 2*trainSampleBytes; i += step {
		v := value(i)
		if len(v) > trainSampleBytes {
			v = v[:trainSampleBytes]
		}
		out = append(out, v)
		size += len(v)
	}
	return out
}
