package segment

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Keys are byte strings one after the other: string i is Data[Offs[i]:Offs[i+1]].
type Keys struct {
	Offs []int32
	Data []byte
}

// Len is the number of keys.
func (k *Keys) Len() int { return max(len(k.Offs)-1, 0) }

// At is key i; shared.
func (k *Keys) At(i int) []byte { return k.Data[k.Offs[i]:k.Offs[i+1]:k.Offs[i+1]] }

// Append adds a key.
func (k *Keys) Append(key []byte) {
	if len(k.Offs) == 0 {
		k.Offs = append(k.Offs, 0)
	}
	k.Data = append(k.Data, key...)
	k.Offs = append(k.Offs, int32(len(k.Data)))
}

// Reset empties k and keeps its memory.
func (k *Keys) Reset() { k.Offs, k.Data = k.Offs[:0], k.Data[:0] }

// Slice is keys lo … hi−1; shared.
func (k *Keys) Slice(lo, hi int) Keys { return Keys{k.Offs[lo : hi+1], k.Data} }

// A key block:
//
//	offset  size  what
//	0       1     kind
//	1       …     by kind
//
// bits: all keys have one length, and the bits in which they differ fit 64.
//
//	1       1     length L
//	2       L     template: the bits that all keys have, 0 elsewhere
//	2+L     L     mask: the bits in which keys may differ, in each byte a run of ones
//	2+2L    …     integer stream: each key's bits under the mask, the first byte's highest, as
//	              unsigned integer less 2^63 (so that their order is the signed one)
//
// front: anything else.
//
//	1       4·g   for every 16th key the offset of its entry, from the first entry
//	1+4·g   …     entries: bytes shared with the key before (uvarint; 0 for every 16th),
//	              bytes that follow (uvarint), these bytes
const (
	keysBits = iota
	keysFront
)

const (
	frontStride = 16
	keyLenBits  = 255
	keySignFlip = uint64(1) << 63
)

// keyPart is one byte of keys that differ in it.
type keyPart struct {
	pos         int
	mask        byte
	shift, bits uint
}

// keyBlock is a parsed key block.
type keyBlock struct {
	n        int
	kind     uint8
	template []byte
	mask     []byte
	parts    []keyPart
	vals     ints
	starts   []uint32
	entries  []byte
}

func keyParts(mask []byte) (parts []keyPart, width uint) {
	for i, m := range mask {
		if m != 0 {
			p := keyPart{pos: i, mask: m, shift: uint(bits.TrailingZeros8(m))}
			p.bits = uint(bits.Len8(m)) - p.shift
			parts = append(parts, p)
			width += p.bits
		}
	}
	return parts, width
}

// gather takes the bits of a key that its block's keys differ in.
func gather(parts []keyPart, key []byte) uint64 {
	var v uint64
	for i := range parts {
		p := &parts[i]
		v = v<<p.bits | uint64(key[p.pos]&p.mask>>p.shift)
	}
	return v
}

// appendKeyBlock appends a block of keys, ascending and distinct.
func appendKeyBlock(dst []byte, k Keys, e *intEncoder, vals []uint64) ([]byte, []uint64) {
	n := k.Len()
	first := k.At(0)
	same := len(first) <= keyLenBits
	var mask [keyLenBits]byte
	for i := 1; same && i < n; i++ {
		key := k.At(i)
		if len(key) != len(first) {
			same = false
			break
		}
		for j, c := range key {
			mask[j] |= c ^ first[j]
		}
	}
	m := mask[:min(len(first), keyLenBits)]
	for i, c := range m { // runs of ones make gathering simple
		if c != 0 {
			lo, hi := bits.TrailingZeros8(c), bits.Len8(c)
			m[i] = byte(1<<hi - 1<<lo)
		}
	}
	parts, width := keyParts(m)
	if same && width <= 64 {
		dst = append(dst, keysBits, byte(len(first)))
		for i, c := range first {
			dst = append(dst, c&^m[i])
		}
		dst = append(dst, m...)
		vals = vals[:0]
		for i := range n {
			vals = append(vals, gather(parts, k.At(i))^keySignFlip)
		}
		return e.append(dst, vals), vals
	}
	dst = append(dst, keysFront)
	at := len(dst)
	dst = append(dst, make([]byte, 4*((n+frontStride-1)/frontStride))...)
	base := len(dst)
	var prev []byte
	for i := range n {
		key := k.At(i)
		shared := 0
		if i%frontStride == 0 {
			binary.LittleEndian.PutUint32(dst[at+4*(i/frontStride):], uint32(len(dst)-base))
		} else {
			for shared < len(prev) && shared < len(key) && prev[shared] == key[shared] {
				shared++
			}
		}
		dst = binary.AppendUvarint(dst, uint64(shared))
		dst = binary.AppendUvarint(dst, uint64(len(key)-shared))
		dst = append(dst, key[shared:]...)
		prev = key
	}
	return dst, vals
}

// parseKeyBlock parses a block of n keys. REQUIRES: as parseInts.
func parseKeyBlock(b []byte, n int) (*keyBlock, error) {
	if len(b) < 2 {
		return nil, malformed("keys: header")
	}
	k := &keyBlock{n: n, kind: b[0]}
	switch k.kind {
	case keysBits:
		l := int(b[1])
		if len(b) < 2+2*l {
			return nil, malformed("keys: template")
		}
		k.template, k.mask = b[2:2+l:2+l], b[2+l:2+2*l:2+2*l]
		var width uint
		if k.parts, width = keyParts(k.mask); width > 64 {
			return nil, malformed("keys: %d bits", width)
		}
		for i, m := range k.mask {
			if k.template[i]&m != 0 {
				return nil, malformed("keys: template and mask overlap")
			}
		}
		var err error
		k.vals, _, err = parseInts(b[2+2*l:], n)
		return k, err
	case keysFront:
		groups := (n + frontStride - 1) / frontStride
		if len(b) < 1+4*groups {
			return nil, malformed("keys: starts")
		}
		k.starts = make([]uint32, groups)
		for i := range k.starts {
			k.starts[i] = binary.LittleEndian.Uint32(b[1+4*i:])
		}
		k.entries = b[1+4*groups:]
		// One pass finds what could be wrong, so that later ones need not look.
		at, length := 0, 0
		for i := range n {
			if i%frontStride == 0 {
				if int(k.starts[i/frontStride]) != at {
					return nil, malformed("keys: key %d begins at %d", i, at)
				}
				length = 0
			}
			shared, s1 := binary.Uvarint(k.entries[at:])
			if s1 <= 0 || shared > uint64(length) {
				return nil, malformed("keys: key %d", i)
			}
			rest, s2 := binary.Uvarint(k.entries[at+s1:])
			if s2 <= 0 || rest > uint64(len(k.entries)-at-s1-s2) {
				return nil, malformed("keys: key %d", i)
			}
			at += s1 + s2 + int(rest)
			length = int(shared + rest)
		}
		return k, nil
	}
	return nil, malformed("keys: kind %d", k.kind)
}

// entry reads the front-coded entry at an offset.
func (k *keyBlock) entry(at int) (shared int, rest []byte, next int) {
	s, s1 := binary.Uvarint(k.entries[at:])
	l, s2 := binary.Uvarint(k.entries[at+s1:])
	at += s1 + s2
	return int(s), k.entries[at : at+int(l)], at + int(l)
}

// scatter appends the key with the given differing bits.
func (k *keyBlock) scatter(dst []byte, v uint64) []byte {
	from := len(dst)
	dst = append(dst, k.template...)
	for i := len(k.parts) - 1; i >= 0; i-- {
		p := &k.parts[i]
		dst[from+p.pos] |= byte(v<<p.shift) & p.mask
		v >>= p.bits
	}
	return dst
}

// appendKey appends key i.
func (k *keyBlock) appendKey(dst []byte, i int) []byte {
	if k.kind == keysBits {
		return k.scatter(dst, k.vals.value(i)^keySignFlip)
	}
	from := len(dst)
	at := int(k.starts[i/frontStride])
	for range i%frontStride + 1 {
		shared, rest, next := k.entry(at)
		dst = append(dst[:from+shared], rest...)
		at = next
	}
	return dst
}

// all gives all keys.
func (k *keyBlock) all() Keys {
	out := Keys{Offs: make([]int32, 1, k.n+1)}
	if k.kind == keysBits {
		vals := make([]uint64, k.n)
		decodeInts(&k.vals, vals)
		out.Data = make([]byte, 0, k.n*len(k.template))
		for _, v := range vals {
			out.Data = k.scatter(out.Data, v^keySignFlip)
			out.Offs = append(out.Offs, int32(len(out.Data)))
		}
		return out
	}
	out.Data = make([]byte, 0, len(k.entries)*2)
	at, from := 0, 0
	for range k.n {
		shared, rest, next := k.entry(at)
		start := len(out.Data)
		out.Data = append(out.Data, out.Data[from:from+shared]...)
		out.Data = append(out.Data, rest...)
		out.Offs = append(out.Offs, int32(len(out.Data)))
		at, from = next, start
	}
	return out
}

// covers: key differs from the block's keys in nothing but the bits that these
// differ in.
func (k *keyBlock) covers(key []byte) bool {
	if len(key) != len(k.template) {
		return false
	}
	for i, c := range key {
		if c&^k.mask[i] != k.template[i] {
			return false
		}
	}
	return true
}

// seek is the first row whose key is at least key, and whether it is key.
func (k *keyBlock) seek(key []byte) (row int, exact bool) {
	if k.kind == keysBits && k.covers(key) {
		v := gather(k.parts, key) ^ keySignFlip
		lo, hi := 0, k.n
		for lo < hi {
			m := int(uint(lo+hi) >> 1)
			if int64(k.vals.value(m)) < int64(v) {
				lo = m + 1
			} else {
				hi = m
			}
		}
		return lo, lo < k.n && k.vals.value(lo) == v
	}
	var buf [64]byte
	if k.kind == keysBits {
		lo, hi := 0, k.n
		for lo < hi {
			m := int(uint(lo+hi) >> 1)
			if bytes.Compare(k.appendKey(buf[:0], m), key) < 0 {
				lo = m + 1
			} else {
				hi = m
			}
		}
		return lo, false // what is not covered is not there
	}
	// The last group that begins below key, then along it.
	g, _ := slices.BinarySearchFunc(k.starts, key, func(at uint32, key []byte) int {
		_, rest, _ := k.entry(int(at))
		return bytes.Compare(rest, key)
	})
	if g < len(k.starts) {
		if _, rest, _ := k.entry(int(k.starts[g])); bytes.Equal(rest, key) {
			return g * frontStride, true
		}
	}
	if g == 0 {
		return 0, false
	}
	g--
	cur := buf[:0]
	at := int(k.starts[g])
	end := min((g+1)*frontStride, k.n)
	for i := g * frontStride; i < end; i++ {
		shared, rest, next := k.entry(at)
		cur = append(cur[:shared], rest...)
		if c := bytes.Compare(cur, key); c >= 0 {
			return i, c == 0
		}
		at = next
	}
	return end, false
}
