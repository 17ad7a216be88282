package segment

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"unsafe"

	"github.com/basaltdb/basalt/internal/simd"
)

// An integer stream holds n 64-bit integers (signed order; the count n is the
// reader's business). Little endian:
//
//	offset  size  what
//	0       1     kind
//	1       1     width w of the packed values
//	2       2     count: runs, table entries, exceptions
//	4       4     0
//	8       8     base
//	16      …     by kind:
//
//	constant  nothing: every value is base
//	frame     n packed: base + p
//	line      slope (8 bytes, in 1/65536), n packed: base + (slope·i >> 16) + p
//	runs      count ends (2 bytes each, exclusive, ascending, the last is n), count packed: base + p
//	table     count values (8 bytes each), n packed: indexes into them
//	patched   count positions (2 bytes each, ascending), count values (8 bytes each) that stand there,
//	          n packed: base + p
//
// Every kind gives a single value in a few nanoseconds.
const (
	intsConstant = iota
	intsFrame
	intsLine
	intsRuns
	intsTable
	intsPatched
	intsKinds
)

const (
	intsHeaderLen = 16
	slopeShift    = 16
	tableMax      = 256
)

// ints is a parsed stream.
type ints struct {
	kind   uint8
	w      uint
	n      int
	base   uint64
	slope  int64
	at     []uint16 // runs: ends; patched: positions
	vals   []uint64 // table: entries; patched: values
	packed unsafe.Pointer
}

// parseInts parses a stream of n values at the start of b and gives what follows.
// REQUIRES: wordSlack readable bytes behind b; 0 < n ≤ BlockRowsMax.
func parseInts(b []byte, n int) (s ints, rest []byte, err error) {
	if len(b) < intsHeaderLen {
		return s, nil, malformed("integers: header")
	}
	s = ints{kind: b[0], w: uint(b[1]), n: n, base: binary.LittleEndian.Uint64(b[8:])}
	count := int(binary.LittleEndian.Uint16(b[2:]))
	b = b[intsHeaderLen:]
	if s.kind >= intsKinds || s.w > 64 || s.w > 56 && s.w < 64 {
		return s, nil, malformed("integers: kind %d, width %d", s.kind, s.w)
	}
	packed := n
	switch s.kind {
	case intsConstant:
		return s, b, nil
	case intsLine:
		if len(b) < 8 {
			return s, nil, malformed("integers: slope")
		}
		s.slope, b = int64(binary.LittleEndian.Uint64(b)), b[8:]
	case intsRuns:
		if count == 0 || count > n {
			return s, nil, malformed("integers: %d runs of %d values", count, n)
		}
		packed = count
	case intsTable:
		if count == 0 || count > tableMax {
			return s, nil, malformed("integers: table of %d", count)
		}
	}
	if s.kind == intsRuns || s.kind == intsPatched {
		if len(b) < 2*count {
			return s, nil, malformed("integers: positions")
		}
		s.at = make([]uint16, count)
		last := -1
		for i := range s.at {
			s.at[i] = binary.LittleEndian.Uint16(b[2*i:])
			if int(s.at[i]) <= last {
				return s, nil, malformed("integers: positions descend")
			}
			last = int(s.at[i])
		}
		if s.kind == intsRuns && last != n || s.kind == intsPatched && last >= n {
			return s, nil, malformed("integers: positions end at %d of %d", last, n)
		}
		b = b[2*count:]
	}
	if s.kind == intsTable || s.kind == intsPatched {
		if len(b) < 8*count {
			return s, nil, malformed("integers: table")
		}
		s.vals = make([]uint64, count)
		for i := range s.vals {
			s.vals[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		if s.kind == intsTable { // indexes out of the table find this
			s.vals = append(s.vals, make([]uint64, tableMax-count)...)
		}
		b = b[8*count:]
	}
	if s.kind == intsTable && s.w > 8 {
		return s, nil, malformed("integers: table of width %d", s.w)
	}
	size := packedLen(packed, s.w)
	if len(b) < size {
		return s, nil, malformed("integers: %d bytes, want %d", len(b), size)
	}
	s.packed = unsafe.Pointer(unsafe.SliceData(b))
	return s, b[size:], nil
}

// below fails unless all values, as unsigned ones, are below n.
func (s *ints) below(n uint64) error {
	if s.kind == intsConstant && s.base < n || s.kind == intsFrame && s.w < 32 && s.base < n && s.base+1<<s.w <= n {
		return nil // whatever the packed values are
	}
	all := wordsPool.Get().(*[BlockRowsMax]uint64)
	defer wordsPool.Put(all)
	vals := all[:s.n]
	decodeInts(s, vals)
	for i, x := range vals {
		if x >= n {
			return malformed("integers: value %d is %d, want less than %d", i, x, n)
		}
	}
	return nil
}

var wordsPool = sync.Pool{New: func() any { return new([BlockRowsMax]uint64) }}

// value is value i.
func (s *ints) value(i int) uint64 {
	switch s.kind {
	case intsConstant:
		return s.base
	case intsLine:
		return s.base + uint64(s.slope*int64(i)>>slopeShift) + packedAt(s.packed, s.w, i)
	case intsRuns:
		return s.base + packedAt(s.packed, s.w, s.run(i))
	case intsTable:
		return s.vals[packedAt(s.packed, s.w, i)&(tableMax-1)]
	case intsPatched:
		if k := searchFrom(s.at, uint16(i)); k < len(s.at) && int(s.at[k]) == i {
			return s.vals[k]
		}
	}
	return s.base + packedAt(s.packed, s.w, i)
}

// run is the run that value i is in.
func (s *ints) run(i int) int { return searchFrom(s.at, uint16(i)+1) }

// searchFrom is the first position of an ascending slice whose value is at least v.
func searchFrom(a []uint16, v uint16) int {
	lo, hi := 0, len(a)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if a[m] < v {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// decodeInts writes all values, cut to T, to dst. REQUIRES: len(dst) = s.n.
func decodeInts[T simd.Word](s *ints, dst []T) {
	switch s.kind {
	case intsConstant:
		v := T(s.base)
		for i := range dst {
			dst[i] = v
		}
	case intsRuns:
		decodeRuns(s, dst)
	case intsTable:
		simd.Unpack(dst, s.packed, s.w, 0)
		t := (*[tableMax]uint64)(s.vals)
		for i, x := range dst {
			dst[i] = T(t[uint8(x)])
		}
	case intsLine:
		simd.Unpack(dst, s.packed, s.w, T(s.base))
		var acc int64
		for i := range dst {
			dst[i] += T(acc >> slopeShift)
			acc += s.slope
		}
	default:
		simd.Unpack(dst, s.packed, s.w, T(s.base))
		for k, i := range s.at { // patched
			dst[i] = T(s.vals[k])
		}
	}
}

// decodeRuns is decodeInts for runs. Most are short: it writes shortRun values whatever the run's length, which
// spares a loop whose end cannot be predicted; the next run overwrites what was too much.
func decodeRuns[T simd.Word](s *ints, dst []T) {
	const step = 64 // that many packed values end with a byte
	var vals [step]T
	from := 0
	for lo := 0; lo < len(s.at); lo += step {
		ends := s.at[lo:min(lo+step, len(s.at))]
		simd.Unpack(vals[:len(ends)], unsafe.Add(s.packed, lo/8*int(s.w)), s.w, T(s.base))
		for r, end := range ends {
			v := vals[r&(step-1)]
			if from+shortRun > len(dst) {
				for i := range dst[from:end] {
					dst[from+i] = v
				}
			} else {
				d := (*[shortRun]T)(dst[from:])
				d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = v, v, v, v, v, v, v, v
				for i := from + shortRun; i < int(end); i++ {
					dst[i] = v
				}
			}
			from = int(end)
		}
	}
}

const shortRun = 8

// decodeIntsAt writes the values at the ascending positions sel.
func decodeIntsAt[T simd.Word](s *ints, dst []T, sel []int32) {
	switch s.kind {
	case intsConstant:
		v := T(s.base)
		for k := range sel {
			dst[k] = v
		}
	case intsRuns:
		r, v, last := -1, T(0), int32(0)
		for k, i := range sel {
			if r < 0 || i >= last {
				if r < 0 || i-last > 16 {
					r = s.run(int(i))
				} else {
					for i >= int32(s.at[r]) {
						r++
					}
				}
				last = int32(s.at[r])
				v = T(s.base + packedAt(s.packed, s.w, r))
			}
			dst[k] = v
		}
	case intsTable:
		unpackAt(dst, s.packed, s.w, 0, sel)
		t := (*[tableMax]uint64)(s.vals)
		for i, x := range dst {
			dst[i] = T(t[uint8(x)])
		}
	case intsLine:
		unpackAt(dst, s.packed, s.w, T(s.base), sel)
		for k, i := range sel {
			dst[k] += T(s.slope * int64(i) >> slopeShift)
		}
	case intsPatched:
		unpackAt(dst, s.packed, s.w, T(s.base), sel)
		at := s.at
		for k, i := range sel {
			for len(at) > 0 && int32(at[0]) < i {
				at = at[1:]
			}
			if len(at) == 0 {
				break
			}
			if int32(at[0]) == i {
				dst[k] = T(s.vals[len(s.vals)-len(at)])
			}
		}
	default:
		unpackAt(dst, s.packed, s.w, T(s.base), sel)
	}
}

// intEncoder chooses how to store integers. It keeps scratch memory only.
type intEncoder struct {
	tmp   []uint64
	slots [2 * tableMax]uint64
	used  [2 * tableMax]bool
}

// append appends a stream of vals (int64 in two's complement). REQUIRES: 0 < len(vals) ≤ BlockRowsMax.
func (e *intEncoder) append(dst []byte, vals []uint64) []byte {
	n := len(vals)
	lo, hi := int64(vals[0]), int64(vals[0])
	runs := 1
	prev := vals[0]
	for _, v := range vals {
		lo, hi = min(lo, int64(v)), max(hi, int64(v))
		if v != prev {
			runs++
			prev = v
		}
	}
	base, span := uint64(lo), uint64(hi)-uint64(lo)
	if span == 0 {
		return appendIntsHeader(dst, intsConstant, 0, 0, base)
	}
	w := packWidth(span)
	best, size := uint8(intsFrame), packedLen(n, w)
	// What is not as plain as a frame has to save a tenth of it.
	better := func(kind uint8, s int) {
		if s < size-size/10 && s < size {
			best, size = kind, s
		}
	}
	better(intsRuns, 2*runs+packedLen(runs, w))
	slope, lineBase, lineWidth, lineOK := e.line(vals, span)
	if lineOK {
		better(intsLine, 8+packedLen(n, lineWidth))
	}
	var table []uint64
	if w > 4 && size > n/2 {
		if table = e.table(vals); table != nil {
			better(intsTable, 8*len(table)+packedLen(n, bitLen(uint64(len(table)-1))))
		}
	}
	patchWidth, patches := uint(0), 0
	if w > 4 && size > n/2 {
		var s int
		if patchWidth, patches, s = patching(vals, base); patches > 0 {
			better(intsPatched, s)
		}
	}
	switch best {
	case intsRuns:
		dst = appendIntsHeader(dst, intsRuns, w, runs, base)
		tmp := e.scratch(runs)
		k := 0
		for i, v := range vals {
			if i > 0 && v != vals[i-1] {
				dst = binary.LittleEndian.AppendUint16(dst, uint16(i))
				k++
			}
			tmp[k] = v - base
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		return appendPacked(dst, tmp, w)
	case intsLine:
		dst = appendIntsHeader(dst, intsLine, lineWidth, 0, lineBase)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(slope))
		tmp := e.scratch(n)
		for i, v := range vals {
			tmp[i] = v - lineBase - uint64(slope*int64(i)>>slopeShift)
		}
		return appendPacked(dst, tmp, lineWidth)
	case intsTable:
		w := bitLen(uint64(len(table) - 1))
		dst = appendIntsHeader(dst, intsTable, w, len(table), 0)
		for _, v := range table {
			dst = binary.LittleEndian.AppendUint64(dst, v)
		}
		tmp := e.scratch(n)
		for i, v := range vals {
			tmp[i] = uint64(searchTable(table, v))
		}
		return appendPacked(dst, tmp, w)
	case intsPatched:
		dst = appendIntsHeader(dst, intsPatched, patchWidth, patches, base)
		tmp := e.scratch(n)
		limit := uint64(1) << patchWidth
		for i, v := range vals {
			if tmp[i] = v - base; tmp[i] >= limit {
				dst = binary.LittleEndian.AppendUint16(dst, uint16(i))
			}
		}
		for i, v := range vals {
			if tmp[i] >= limit {
				dst = binary.LittleEndian.AppendUint64(dst, v)
				tmp[i] = 0
			}
		}
		return appendPacked(dst, tmp, patchWidth)
	}
	dst = appendIntsHeader(dst, intsFrame, w, 0, base)
	tmp := e.scratch(n)
	for i, v := range vals {
		tmp[i] = v - base
	}
	return appendPacked(dst, tmp, w)
}

func appendIntsHeader(dst []byte, kind uint8, w uint, count int, base uint64) []byte {
	dst = append(dst, kind, byte(w), byte(count), byte(count>>8), 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint64(dst, base)
}

func (e *intEncoder) scratch(n int) []uint64 {
	if cap(e.tmp) < n {
		e.tmp = make([]uint64, max(n, BlockRowsMax))
	}
	return e.tmp[:n]
}

// line fits values by a line through the first and the last; ok is false where
// a frame is surely as good.
func (e *intEncoder) line(vals []uint64, span uint64) (slope int64, base uint64, w uint, ok bool) {
	n := len(vals)
	if n < 16 || span >= 1<<45 {
		return 0, 0, 0, false
	}
	slope = int64(vals[n-1]-vals[0]) << slopeShift / int64(n-1)
	residual := func(i int) int64 { return int64(vals[i] - vals[0] - uint64(slope*int64(i)>>slopeShift)) }
	var lo, hi int64
	for i := 0; i < n; i += max(n/64, 1) { // a look at some before all
		r := residual(i)
		lo, hi = min(lo, r), max(hi, r)
	}
	if uint64(hi-lo) > span/2 {
		return 0, 0, 0, false
	}
	for i := range vals {
		r := residual(i)
		lo, hi = min(lo, r), max(hi, r)
	}
	return slope, vals[0] + uint64(lo), packWidth(uint64(hi - lo)), true
}

// table gives the distinct values, ascending, when they are few; nil otherwise.
func (e *intEncoder) table(vals []uint64) []uint64 {
	clear(e.used[:])
	var out []uint64
	prev := ^vals[0]
	for _, v := range vals {
		if v == prev {
			continue
		}
		prev = v
		h := v * 0x9e3779b97f4a7c15 >> (64 - 9)
		for e.used[h] && e.slots[h] != v {
			h = (h + 1) % (2 * tableMax)
		}
		if e.used[h] {
			continue
		}
		if len(out) == tableMax {
			return nil
		}
		e.used[h], e.slots[h] = true, v
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b uint64) int { return cmp.Compare(int64(a), int64(b)) })
	return out
}

// searchTable finds v, which is there.
func searchTable(table []uint64, v uint64) int {
	lo, hi := 0, len(table)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if int64(table[m]) < int64(v) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// patchesMax bounds how many values stand outside a patched frame.
const patchesMax = 255

// patching finds the width that makes a frame with exceptions smallest.
func patching(vals []uint64, base uint64) (w uint, patches, size int) {
	var hist [65]int
	for _, v := range vals {
		hist[bits.Len64(v-base)]++
	}
	out := 0
	for b := 64; b > 1; b-- {
		if out += hist[b]; out > patchesMax {
			break
		}
		if hist[b] == 0 || b-1 > 56 {
			continue
		}
		if s := 10*out + packedLen(len(vals), uint(b-1)); size == 0 || s < size {
			w, patches, size = uint(b-1), out, s
		}
	}
	return w, patches, size
}
