package kernel

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/sql/types"
)

// Keys are the rows of some columns in a form where two rows are equal in SQL
// (NULL equal to NULL) exactly when their forms are. A single column of a
// narrow type is one uint64 per row, several of them are a few words per row (the
// values side by side, then a bit for each NULL where that matters); anything else is a byte string per row:
//
//	per column: 0 for NULL, else 1 and the value: fixed width types little
//	endian, strings and odd types length (uint32) and bytes, numeric see numericKey
type Keys struct {
	N       int
	Narrow  bool
	words   int // of packed keys, 0: not packed
	U64     []uint64
	off     []uint32
	data    []byte
	Hash    []uint64
	Null    []bool // some column of the row is NULL; nil: no NULL at all
	cursors []uint32

	cursors64 []uint64    // scratch of packed keys
	columns   []columnKey // scratch of byte strings
}

// KeySpec describes the columns of a key.
type KeySpec struct {
	Types  []types.T
	narrow bool
	packed []field // of several narrow columns, else nil
	words  int     // of a packed key
	nulls  field   // a bit per column
	// grouped: the first column numbers groups.
	grouped bool
	// matched: rows with a NULL are passed over.
	matched bool
}

// field is a place in a packed key.
type field struct {
	word  int
	shift int
	mask  uint64
}

// packedWordsMax bounds packed keys: wider ones are byte strings.
const packedWordsMax = 4

// NewKeySpec prepares keys over columns of the given types.
func NewKeySpec(ts []types.T) *KeySpec {
	s := &KeySpec{Types: ts, narrow: len(ts) == 1 && narrowType(ts[0])}
	if len(ts) > 1 {
		s.pack()
	}
	return s
}

// NewGroupedKeySpec prepares keys whose first column (int4) numbers groups: it is never NULL and never
// negative. A group and an int4 then fit one word.
func NewGroupedKeySpec(ts []types.T) *KeySpec {
	s := &KeySpec{Types: ts, grouped: true}
	s.pack()
	return s
}

// NewMatchKeySpec prepares keys of which rows with a NULL match nothing: Insert and Find are told to
// skip them, and their keys mean nothing. Two int4 then fit one word.
func NewMatchKeySpec(ts []types.T) *KeySpec {
	s := &KeySpec{Types: ts, matched: true, narrow: len(ts) == 1 && narrowType(ts[0])}
	if len(ts) > 1 {
		s.pack()
	}
	return s
}

// Fixed: keys have a fixed width.
func (s *KeySpec) Fixed() bool { return s.narrow || s.packed != nil }

// groupBits is the width of a group's number.
const groupBits = 31

// pack lays narrow columns out in words, none across two.
func (s *KeySpec) pack() {
	var fs []field
	var used []int // bits, by word
	place := func(width int) field {
		w := max(len(used)-1, 0)
		for i, n := range used {
			if (s.grouped || s.matched) && n+width <= 64 { // the others' hashes nodes agree on
				w = i
				break
			}
		}
		if len(used) == 0 || used[w]+width > 64 {
			w = len(used)
			used = append(used, 0)
		}
		f := field{w, used[w], 1<<width - 1}
		used[w] += width
		return f
	}
	for i, t := range s.Types {
		if !narrowType(t) {
			return
		}
		width := 8 * max(Width(types.ArrowType(t)), 1)
		if t.Class == types.ClassBase && t.OID == types.Float4 {
			width = 64
		}
		if i == 0 && s.grouped {
			width = groupBits
		}
		fs = append(fs, place(width))
	}
	nulls := len(fs)
	if s.grouped {
		nulls--
	}
	if !s.matched {
		s.nulls = place(nulls)
	}
	if len(fs) > 64 || len(used) > packedWordsMax {
		return
	}
	s.packed, s.words = fs, len(used)
}

// narrowType: equality of values is equality of at most 64 bits.
func narrowType(t types.T) bool {
	if t.Class == types.ClassEnum {
		return true
	}
	if t.Class != types.ClassBase {
		return false
	}
	switch t.OID {
	case types.Bool, types.Char, types.Float4, types.Float8:
		return true
	}
	return Width(types.ArrowType(t)) > 0 && Width(types.ArrowType(t)) <= 8
}

// Bytes is the byte form of row i; shared.
func (k *Keys) Bytes(i int) []byte { return k.data[k.off[i]:k.off[i+1]] }

// Encode fills k with the rows of cols, reusing its memory. n is the number of rows.
func (s *KeySpec) Encode(env *types.Env, k *Keys, cols []arrow.Array, n int) {
	for i, c := range cols {
		if IsCoded(c) && !s.takesCoded(i, c) {
			cols = slices.Clone(cols)
			for ; i < len(cols); i++ {
				if !s.takesCoded(i, cols[i]) {
					cols[i] = Flatten(cols[i])
				}
			}
			break
		}
	}
	k.N, k.Narrow, k.Null, k.words = n, s.narrow, nil, s.words
	for _, c := range cols {
		if c.NullN() == 0 {
			continue
		}
		if k.Null == nil {
			k.Null = make([]bool, n)
		}
		v := Valid(c)
		for i := range n {
			if !v.Get(i) {
				k.Null[i] = true
			}
		}
	}
	k.Hash = resize(k.Hash, n)
	if s.narrow {
		k.U64 = resize(k.U64, n)
		narrowValues(cols[0], k.U64)
		simd.Hashes(k.Hash, k.U64)
		for i := range k.Null {
			if k.Null[i] {
				k.U64[i], k.Hash[i] = 0, nullHash
			}
		}
		return
	}
	if s.packed != nil {
		s.encodePacked(k, cols)
		return
	}
	// lengths, then offsets, then one column after the other
	if len(k.columns) < len(cols) {
		k.columns = make([]columnKey, len(cols))
	}
	encs := k.columns[:len(cols)]
	k.off = resize(k.off, n+1)
	sizes := k.off[1:]
	clear(sizes)
	for c, a := range cols {
		encs[c].set(env, s.Types[c], a)
		encs[c].addSizes(sizes)
	}
	k.off[0] = 0
	total := uint32(0)
	for i, w := range sizes {
		total += w
		sizes[i] = total
	}
	k.data = resize(k.data, int(total))
	k.cursors = resize(k.cursors, n)
	copy(k.cursors, k.off[:n])
	for c := range encs {
		encs[c].write(k.data, k.cursors)
		encs[c].drop()
	}
	for i := range n {
		k.Hash[i] = xxh3.Hash(k.data[k.off[i]:k.off[i+1]])
	}
}

// takesCoded: the values of column i of byte strings are read through the codes of c.
func (s *KeySpec) takesCoded(i int, c arrow.Array) bool {
	d, ok := c.(*array.Dictionary)
	return ok && !s.narrow && s.packed == nil && keyedAsString(s.Types[i], d.Data().Dictionary().DataType()) && d.Data().Dictionary().NullN() == 0
}

// keyedAsString: keys of t have the bytes of strings.
func keyedAsString(t types.T, form arrow.DataType) bool {
	return t.Class == types.ClassBase && (form.ID() == arrow.STRING || t.OID == types.Bytea) && t.OID != types.JSON && t.OID != types.UUIDOID &&
		t.OID != types.NumericOID && !narrowType(t)
}

// encodePacked writes the columns into the rows' words.
func (s *KeySpec) encodePacked(k *Keys, cols []arrow.Array) {
	n, w := k.N, s.words
	k.U64 = resize(k.U64, n*w)
	if n == 0 { // a worker that saw no rows
		return
	}
	clear(k.U64)
	if cap(k.cursors64) < n {
		k.cursors64 = make([]uint64, n)
	}
	vals := k.cursors64[:n]
	for c, a := range cols {
		f := s.packed[c]
		narrowValues(a, vals)
		out := k.U64[f.word:]
		valid := Valid(a)
		if valid.All() {
			for i, v := range vals {
				out[i*w] |= v & f.mask << f.shift
			}
			continue
		}
		bit := c
		if s.grouped {
			bit--
		}
		null := uint64(1) << (s.nulls.shift + bit)
		for i, v := range vals {
			if valid.Get(i) {
				out[i*w] |= v & f.mask << f.shift
			} else if !s.matched {
				k.U64[i*w+s.nulls.word] |= null
			}
		}
	}
	switch w {
	case 1:
		simd.Hashes(k.Hash, k.U64)
	case 2:
		for i := range n {
			k.Hash[i] = HashU64(HashU64(k.U64[2*i]) + k.U64[2*i+1])
		}
	default:
		for i := range n {
			h := uint64(0)
			for _, x := range k.U64[i*w : (i+1)*w] {
				h = HashU64(h + x)
			}
			k.Hash[i] = h
		}
	}
}

// nullHash is the hash of NULL among narrow keys.
const nullHash = 0x9e3779b97f4a7c15

// HashU64 mixes one narrow key.
func HashU64(x uint64) uint64 { return simd.Hash(x) }

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// narrowValues writes the canonical 64 bits of each value (anything at NULLs).
func narrowValues(a arrow.Array, out []uint64) {
	switch a.DataType().ID() {
	case arrow.BOOL:
		v := Bools(a)
		for i := range out {
			out[i] = uint64(b2i(v.Get(i)))
		}
		return
	case arrow.FLOAT32:
		for i, x := range Values[float32](a) {
			out[i] = floatKey(float64(x))
		}
		return
	case arrow.FLOAT64:
		for i, x := range Values[float64](a) {
			out[i] = floatKey(x)
		}
		return
	}
	switch Width(a.DataType()) {
	case 1:
		fill(out, Values[uint8](a), func(x uint8) uint64 { return uint64(x) })
	case 2:
		fill(out, Values[int16](a), func(x int16) uint64 { return uint64(x) })
	case 4:
		fill(out, Values[int32](a), func(x int32) uint64 { return uint64(x) })
	case 8:
		copy(out, Values[uint64](a))
	}
}

func floatKey(x float64) uint64 {
	if x == 0 {
		return 0
	}
	if math.IsNaN(x) {
		return 0x7ff8000000000001
	}
	return math.Float64bits(x)
}

// columnKey writes one column into row keys.
type columnKey struct {
	valid  Bits
	width  int      // fixed: 1 + width bytes
	fixed  []uint64 // width 8 values
	raw16  [][16]byte
	strs   *Strs
	codes  []int32 // positions in strs; nil: by row
	trim   bool
	custom [][]byte // encoded values
	arena  []byte   // memory of custom
}

// set takes column a; memory of the column before is used again.
func (c *columnKey) set(env *types.Env, t types.T, a arrow.Array) {
	c.valid, c.width, c.strs, c.codes, c.trim = Valid(a), 0, nil, nil, false
	if IsCoded(a) {
		d := CodesOf(a)
		s := Strings(d.Dict())
		c.strs, c.codes, c.trim = &s, d.Codes, t.OID == types.BPChar
		return
	}
	switch n := a.Len(); {
	case narrowType(t):
		c.width = max(Width(a.DataType()), 1)
		if t.OID == types.Float4 && t.Class == types.ClassBase {
			c.width = 8
		}
		c.fixed = resize(c.fixed, n)
		narrowValues(a, c.fixed)
	case t.Class == types.ClassBase && t.OID == types.UUIDOID:
		c.width, c.raw16 = 16, Values[[16]byte](a)
	case t.Class == types.ClassBase && t.OID == types.NumericOID:
		c.custom = resize(c.custom, n)
		c.arena = numericKeys(env, t, a, c.custom, c.arena[:0])
	case keyedAsString(t, a.DataType()):
		s := Strings(a)
		c.strs, c.trim = &s, t.OID == types.BPChar
	default:
		c.custom = resize(c.custom, n)
		for i := range c.custom {
			if c.valid.Get(i) {
				c.custom[i] = types.AppendEqualityKey(env, t, nil, types.Get(t, a, i))
			}
		}
	}
}

// drop lets go of the column; the memory stays for the next.
func (c *columnKey) drop() { c.valid, c.raw16, c.strs, c.codes = Bits{}, nil, nil, nil }

func (c *columnKey) addSizes(sizes []uint32) {
	switch {
	case c.width > 0 && c.valid.All():
		for i := range sizes {
			sizes[i] += uint32(1 + c.width)
		}
	case c.width > 0:
		for i := range sizes {
			sizes[i]++
			if c.valid.Get(i) {
				sizes[i] += uint32(c.width)
			}
		}
	case c.strs != nil:
		for i := range sizes {
			sizes[i]++
			if c.valid.Get(i) {
				sizes[i] += uint32(4 + len(c.str(i)))
			}
		}
	default:
		for i := range sizes {
			sizes[i]++
			if c.valid.Get(i) {
				sizes[i] += uint32(4 + len(c.custom[i]))
			}
		}
	}
}

func (c *columnKey) str(i int) []byte {
	if c.codes != nil {
		i = int(c.codes[i])
	}
	b := c.strs.At(i)
	if c.trim {
		return TrimBlanks(b)
	}
	return b
}

func (c *columnKey) write(data []byte, cur []uint32) {
	for i := range cur {
		p := data[cur[i]:]
		if !c.valid.Get(i) {
			p[0] = 0
			cur[i]++
			continue
		}
		p[0] = 1
		p = p[1:]
		switch {
		case c.width == 16:
			copy(p, c.raw16[i][:])
		case c.width == 8:
			binary.LittleEndian.PutUint64(p, c.fixed[i])
		case c.width == 4:
			binary.LittleEndian.PutUint32(p, uint32(c.fixed[i]))
		case c.width == 2:
			binary.LittleEndian.PutUint16(p, uint16(c.fixed[i]))
		case c.width == 1:
			p[0] = byte(c.fixed[i])
		default:
			var b []byte
			if c.strs != nil {
				b = c.str(i)
			} else {
				b = c.custom[i]
			}
			binary.LittleEndian.PutUint32(p, uint32(len(b)))
			copy(p[4:], b)
			cur[i] += uint32(5 + len(b))
			continue
		}
		cur[i] += uint32(1 + c.width)
	}
}

// numericKeys encodes values so that 1.0 and 1.00 agree in either form: when the
// value without trailing zeros fits an int64 it is 'd', scale, unscaled; else 'n'
// and the type's own equality key. They come into out, nothing where a is NULL; arena is memory
// for them, given back for the next call.
func numericKeys(env *types.Env, t types.T, a arrow.Array, out [][]byte, arena []byte) []byte {
	valid := Valid(a)
	arena = slices.Grow(arena, 10*len(out)) // what is in out must not move
	small := func(u int64, scale int32) []byte {
		u, scale = ReduceDecimal(u, scale)
		at := len(arena)
		arena = append(arena, 'd', byte(scale))
		arena = binary.LittleEndian.AppendUint64(arena, uint64(u))
		return arena[at:len(arena):len(arena)]
	}
	if d, ok := a.(*types.Dec64Array); ok {
		vals, scale := d.Int64Values(), d.Scale()
		for i := range out {
			if valid.Get(i) {
				out[i] = small(vals[i], scale)
			}
		}
		return arena
	}
	s := Strings(a)
	for i := range out {
		if !valid.Get(i) {
			continue
		}
		num := types.NumericFromBinary(s.At(i))
		if u, scale, ok := num.Int64(); ok {
			out[i] = small(u, scale)
		} else if u, scale, ok := num.TrimScale().Int64(); ok {
			out[i] = small(u, scale)
		} else {
			out[i] = types.AppendEqualityKey(env, t, []byte{'n'}, num)
		}
	}
	return arena
}

// ReduceDecimal drops trailing zeros after the point.
func ReduceDecimal(u int64, scale int32) (int64, int32) {
	if u == 0 {
		return 0, 0
	}
	for scale > 0 && u%10 == 0 {
		u /= 10
		scale--
	}
	return u, scale
}

// Equal says whether rows i and j have equal keys.
func (k *Keys) Equal(i, j int) bool {
	if k.Hash[i] != k.Hash[j] {
		return false
	}
	if w := k.words; w > 0 {
		return slices.Equal(k.U64[i*w:(i+1)*w], k.U64[j*w:(j+1)*w])
	}
	if !k.Narrow {
		return bytes.Equal(k.Bytes(i), k.Bytes(j))
	}
	ni, nj := k.Null != nil && k.Null[i], k.Null != nil && k.Null[j]
	return ni == nj && k.U64[i] == k.U64[j]
}

// EqualTo says whether row i of k and row j of o, keys of one spec, are equal.
func (k *Keys) EqualTo(i int, o *Keys, j int) bool {
	if k.Hash[i] != o.Hash[j] {
		return false
	}
	if w := k.words; w > 0 {
		return slices.Equal(k.U64[i*w:(i+1)*w], o.U64[j*w:(j+1)*w])
	}
	if !k.Narrow {
		return bytes.Equal(k.Bytes(i), o.Bytes(j))
	}
	ni, nj := k.Null != nil && k.Null[i], o.Null != nil && o.Null[j]
	return ni == nj && k.U64[i] == o.U64[j]
}

// SetRow makes k row i of o alone.
func (k *Keys) SetRow(o *Keys, i int) {
	k.N, k.Narrow, k.words, k.Null = 1, o.Narrow, o.words, nil
	k.Hash = append(k.Hash[:0], o.Hash[i])
	switch {
	case o.words > 0:
		k.U64 = append(k.U64[:0], o.U64[i*o.words:(i+1)*o.words]...)
	case o.Narrow:
		k.U64 = append(k.U64[:0], o.U64[i])
		if o.Null != nil {
			k.Null = []bool{o.Null[i]}
		}
	default:
		k.data = append(k.data[:0], o.Bytes(i)...)
		k.off = append(k.off[:0], 0, uint32(len(k.data)))
	}
}

// Runs numbers runs of equal rows: the first row has number first, each row that differs
// from the one before has the next. Rows that begin a run, but for the first, are
// appended to fresh.
func (k *Keys) Runs(first int32, numbers []int32, fresh []int32) []int32 {
	numbers[0] = first
	if k.Narrow && k.Null == nil {
		prev := k.U64[0]
		for i, x := range k.U64[:k.N] {
			if x != prev {
				first++
				fresh = append(fresh, int32(i))
			}
			numbers[i], prev = first, x
		}
		return fresh
	}
	for i := 1; i < k.N; i++ {
		if !k.Equal(i-1, i) {
			first++
			fresh = append(fresh, int32(i))
		}
		numbers[i] = first
	}
	return fresh
}
