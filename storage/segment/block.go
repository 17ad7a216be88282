package segment

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// A block of one column, n rows:
//
//	offset  size       what
//	0       1          form
//	1       1          flags: 1 a validity bitmap follows
//	2       1          scale of decimals
//	3       1          0
//	4       4          number of NULLs
//	8       ⌈n/8⌉      with flag 1: validity, bit 1 = not NULL, lowest bit first
//	…       …          by form:
//
//	null      nothing: every row is NULL
//	ints      integer stream (integers, dates, times, oids)
//	decimals  integer stream of units of 10^-scale (numeric)
//	bits      ⌈n/8⌉ bytes (bool)
//	fixed     n values of the type's width (floats, intervals, timetz, uuid)
//	one       a fixed value: every row that is not NULL has it
//	text      text stream, plain
//	symbols   text stream, compressed by the chunk's symbol table
//	codes     integer stream: indexes into the chunk's dictionary
//
// What stands at a NULL means nothing, but is in bounds.
const (
	formNull = iota
	formInts
	formDecimals
	formBits
	formFixed
	formOne
	formText
	formSymbols
	formCodes
	formsEnd
)

var formNames = [formsEnd]string{"null", "ints", "decimals", "bits", "fixed", "one", "text", "symbols", "codes"}

const (
	blockHeaderLen = 8
	flagValid      = 1
	scaleMax       = 18
)

// block is a parsed block. Immutable.
type block struct {
	form  uint8
	scale uint8
	n     int
	nulls int
	valid []byte // nil: no NULL
	ints  ints
	text  text
	raw   []byte // bits, fixed, one
	dict  *dictionary
	bytes int
}

// parse parses the payload of a block of n rows of c. syms and dict are the
// chunk's, nil where it has none. REQUIRES: as parseInts.
func (k *block) parse(b []byte, n int, c *column, syms *symbols, dict *dictionary) error {
	if len(b) < blockHeaderLen {
		return malformed("block: header")
	}
	*k = block{form: b[0], scale: b[2], n: n, nulls: int(binary.LittleEndian.Uint32(b[4:])), bytes: len(b)}
	flags := b[1]
	b = b[blockHeaderLen:]
	if k.nulls > n || k.form >= formsEnd || k.scale > scaleMax || (k.nulls > 0 && k.form != formNull) != (flags&flagValid != 0) {
		return malformed("block: form %d, %d NULLs of %d", k.form, k.nulls, n)
	}
	if !c.holds(k.form) {
		return malformed("block: form %s in a column of this type", formNames[k.form])
	}
	if flags&flagValid != 0 {
		l := kernel.BitmapLen(n)
		if len(b) < l {
			return malformed("block: validity")
		}
		k.valid, b = b[:l:l], b[l:]
		set := 0
		for i := range n {
			set += int(k.valid[i>>3] >> (i & 7) & 1)
		}
		if n-set != k.nulls {
			return malformed("block: %d NULLs, want %d", n-set, k.nulls)
		}
	}
	var err error
	switch k.form {
	case formNull:
		k.nulls = n
	case formInts, formDecimals:
		k.ints, _, err = parseInts(b, n)
	case formCodes:
		if dict == nil {
			return malformed("block: codes without a dictionary")
		}
		k.dict = dict
		if k.ints, _, err = parseInts(b, n); err != nil {
			return err
		}
		err = k.ints.below(uint64(dict.n))
	case formBits, formFixed, formOne:
		want := c.width * n
		switch k.form {
		case formBits:
			want = kernel.BitmapLen(n)
		case formOne:
			want = c.width
		}
		if len(b) != want {
			return malformed("block: %d bytes, want %d", len(b), want)
		}
		k.raw = b
	case formText, formSymbols:
		if k.form == formText {
			syms = nil
		} else if syms == nil {
			return malformed("block: symbols without a table")
		}
		k.text, err = parseText(b, n, syms)
	}
	return err
}

// shares reports whether vectors of all rows have memory of the block in them.
func (k *block) shares() bool {
	return k.valid != nil || k.form == formBits || k.form == formFixed || k.form == formText
}

// holds reports whether a column's blocks may have a form.
func (c *column) holds(form uint8) bool {
	switch form {
	case formNull:
		return true
	case formInts:
		return c.phys == physInt
	case formDecimals:
		return c.phys == physNumeric
	case formBits:
		return c.phys == physBool
	case formFixed, formOne:
		return c.phys == physFixed
	case formText:
		return c.phys == physVar || c.phys == physNumeric
	}
	return c.phys == physVar
}

func (k *block) null(i int) bool {
	return k.form == formNull || k.valid != nil && k.valid[i>>3]&(1<<(i&7)) == 0
}

// Scratch is memory that a vector may be made in. Vectors made in it are good until it
// is used again; who hands one on gives the Scratch up. A nil Scratch has none.
type Scratch struct {
	words []uint64
	offs  []int32
	data  []byte
}

// scratches are those that nobody uses: parts of a scan come one after the other, and fresh memory costs more
// to fill than memory that was just in use.
var scratches = sync.Pool{New: func() any { return new(Scratch) }}

// scratchBytesMax bounds what is kept of one.
const scratchBytesMax = 8 << 20

// NewScratch gives one that may have been used.
func NewScratch() *Scratch { return scratches.Get().(*Scratch) }

// Release gives s up. REQUIRES: vectors made in it are no longer needed.
func (s *Scratch) Release() {
	if 8*cap(s.words)+4*cap(s.offs)+cap(s.data) <= scratchBytesMax {
		scratches.Put(s)
	}
}

// take gives n words that hold anything, zeros without a Scratch.
func (s *Scratch) take(n int) []uint64 {
	if s == nil {
		return make([]uint64, n)
	}
	if cap(s.words) < n {
		s.words = make([]uint64, roomy(n))
	}
	return s.words[:n]
}

// bytes gives n bytes that may be read as words of any size.
func (s *Scratch) bytes(n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s.take((n+7)/8)))), n)
}

// roomy is n with room to grow.
func roomy(n int) int { return n + n/4 }

func (s *Scratch) takeOffsets(n int) []int32 {
	if s == nil {
		return make([]int32, n)
	}
	if cap(s.offs) < n {
		s.offs = make([]int32, roomy(n))
	}
	return s.offs[:n]
}

func (s *Scratch) takeBytes(n int) []byte {
	if s == nil {
		return make([]byte, n)
	}
	if cap(s.data) < n {
		s.data = make([]byte, roomy(n))
	}
	return s.data[:n]
}

// vector gives all rows; the values are in scratch's memory or the block's own.
func (k *block) vector(c *column, scratch *Scratch) (arrow.Array, error) {
	switch k.form {
	case formNull:
		return kernel.Nulls(c.Type, k.n), nil
	case formInts:
		return types.NewFixed(c.dt, k.fixedInts(c.width, scratch), k.n, k.valid, k.nulls), nil
	case formDecimals:
		out := scratch.take(k.n)
		decodeInts(&k.ints, out)
		return types.NewDec64Array(int32(k.scale), asInt64(out), k.valid, k.nulls), nil
	case formBits:
		return types.NewFixed(c.dt, k.raw, k.n, k.valid, k.nulls), nil
	case formFixed:
		return types.NewFixed(c.dt, k.raw, k.n, k.valid, k.nulls), nil
	case formOne:
		return types.NewFixed(c.dt, repeated(k.raw, k.n), k.n, k.valid, k.nulls), nil
	case formCodes:
		out := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(scratch.take((k.n+1)/2)))), k.n)
		decodeInts(&k.ints, out)
		return k.dict.vector(c, out, k.valid, k.nulls), nil
	}
	offs, data, err := k.text.decode(scratch)
	if err != nil {
		return nil, err
	}
	return types.NewVarlen(c.dt, offs, data, k.valid, k.nulls), nil
}

// fixedInts are all integers in their vector form.
func (k *block) fixedInts(width int, scratch *Scratch) []byte {
	b := scratch.bytes(k.n * width)
	p := unsafe.Pointer(unsafe.SliceData(b))
	switch width {
	case 1:
		decodeInts(&k.ints, b)
	case 2:
		decodeInts(&k.ints, unsafe.Slice((*uint16)(p), k.n))
	case 4:
		decodeInts(&k.ints, unsafe.Slice((*uint32)(p), k.n))
	default:
		decodeInts(&k.ints, unsafe.Slice((*uint64)(p), k.n))
	}
	return b
}

// makeWords makes n bytes that may be read as words of any size.
func makeWords(n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(make([]uint64, (n+7)/8)))), n)
}

func asInt64(v []uint64) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}

func repeated(value []byte, n int) []byte {
	b := makeWords(n * len(value))
	at := copy(b, value)
	for at < len(b) {
		at += copy(b[at:], b[:at])
	}
	return b
}

// selected gives the rows at the ascending positions sel.
func (k *block) selected(c *column, sel []int32, scratch *Scratch) (arrow.Array, error) {
	n := len(sel)
	valid, nulls := k.selectValid(sel)
	switch k.form {
	case formNull:
		return kernel.Nulls(c.Type, n), nil
	case formInts:
		b := scratch.bytes(n * c.width)
		p := unsafe.Pointer(unsafe.SliceData(b))
		switch c.width {
		case 1:
			decodeIntsAt(&k.ints, b, sel)
		case 2:
			decodeIntsAt(&k.ints, unsafe.Slice((*uint16)(p), n), sel)
		case 4:
			decodeIntsAt(&k.ints, unsafe.Slice((*uint32)(p), n), sel)
		default:
			decodeIntsAt(&k.ints, unsafe.Slice((*uint64)(p), n), sel)
		}
		return types.NewFixed(c.dt, b, n, valid, nulls), nil
	case formDecimals:
		out := scratch.take(n)
		decodeIntsAt(&k.ints, out, sel)
		return types.NewDec64Array(int32(k.scale), asInt64(out), valid, nulls), nil
	case formBits:
		return types.NewFixed(c.dt, selectBits(k.raw, sel), n, valid, nulls), nil
	case formFixed:
		w := c.width
		b := scratch.bytes(n * w)
		for i, r := range sel {
			copy(b[i*w:(i+1)*w], k.raw[int(r)*w:])
		}
		return types.NewFixed(c.dt, b, n, valid, nulls), nil
	case formOne:
		return types.NewFixed(c.dt, repeated(k.raw, n), n, valid, nulls), nil
	case formCodes:
		out := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(scratch.take((n+1)/2)))), n)
		decodeIntsAt(&k.ints, out, sel)
		return k.dict.vector(c, out, valid, nulls), nil
	}
	offs, data, err := k.text.decodeAt(sel, scratch)
	if err != nil {
		return nil, err
	}
	return types.NewVarlen(c.dt, offs, data, valid, nulls), nil
}

func (k *block) selectValid(sel []int32) (valid []byte, nulls int) {
	if k.valid == nil {
		return nil, 0
	}
	valid = selectBits(k.valid, sel)
	for _, r := range sel {
		nulls += int(^k.valid[r>>3] >> (r & 7) & 1)
	}
	return valid, nulls
}

func selectBits(bits []byte, sel []int32) []byte {
	out := make([]byte, kernel.BitmapLen(len(sel)))
	for i, r := range sel {
		out[i>>3] |= bits[r>>3] >> (r & 7) & 1 << (i & 7)
	}
	return out
}

// Value is one value in the form it is stored in.
type Value struct {
	Null bool
	// Dec: a numeric of Bits (int64) units of 10^-Scale; otherwise numerics are in
	// Bytes, as Numeric.AppendBinary makes them.
	Dec   bool
	Scale uint8
	// Bits is an integer, sign-extended when its type is signed; bool is 0 or 1.
	Bits uint64
	// Bytes is everything else: floats and other fixed widths as in vectors, text,
	// and what Binary vectors hold.
	Bytes []byte
}

// value gives row i. Bytes may be in buf's memory, which is given back grown.
func (k *block) value(c *column, i int, buf []byte) (v Value, _ []byte, err error) {
	if k.null(i) {
		return Value{Null: true}, buf, nil
	}
	switch k.form {
	case formInts:
		v.Bits = k.ints.value(i)
	case formDecimals:
		v.Dec, v.Scale, v.Bits = true, k.scale, k.ints.value(i)
	case formBits:
		v.Bits = uint64(k.raw[i>>3] >> (i & 7) & 1)
	case formFixed:
		v.Bytes = k.raw[i*c.width : (i+1)*c.width : (i+1)*c.width]
	case formOne:
		v.Bytes = k.raw
	case formCodes:
		v.Bytes = k.dict.entry(int(k.ints.value(i)))
	default:
		if k.text.syms == nil {
			v.Bytes = k.text.stored(i)
			break
		}
		s := k.text.stored(i)
		from := len(buf)
		need := from + len(s)*symbolLenMax + symbolSlack
		if cap(buf) < need {
			buf = append(make([]byte, 0, 2*need), buf...)
		}
		end := k.text.syms.expand(buf[:need], from, s)
		if end < 0 {
			return v, buf, malformed("text: value %d", i)
		}
		buf = buf[:end]
		v.Bytes = buf[from:end:end]
	}
	return v, buf, nil
}

// dictionary is a chunk's distinct values, ascending by bytes. Immutable.
type dictionary struct {
	n      int
	values arrow.Array // String or Binary
	strs   kernel.Strs
	dt     *arrow.DictionaryType
	bytes  int
}

// parseDictionary parses a text stream of a dictionary: 4 bytes count, then the stream.
func parseDictionary(b []byte, c *column) (*dictionary, error) {
	if len(b) < 4 {
		return nil, malformed("dictionary: header")
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n == 0 || n > dictEntriesMax {
		return nil, malformed("dictionary: %d entries", n)
	}
	t, err := parseText(b[4:], n, nil)
	if err != nil {
		return nil, err
	}
	offs, data, err := t.decode(nil)
	if err != nil {
		return nil, err
	}
	d := &dictionary{n: n, values: types.NewVarlen(c.dt, offs, data, nil, 0), bytes: len(b) + 4*n}
	d.strs = kernel.Strings(d.values)
	d.dt = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: c.dt}
	return d, nil
}

func (d *dictionary) entry(i int) []byte { return d.strs.At(i) }

// vector makes a vector of codes, which are in bounds: a dictionary vector for
// strings, plain values for others.
func (d *dictionary) vector(c *column, codes []uint32, valid []byte, nulls int) arrow.Array {
	if c.dt.ID() != arrow.STRING {
		return d.flat(c, codes, valid, nulls)
	}
	var vb *memory.Buffer
	if nulls > 0 {
		vb = memory.NewBufferBytes(valid)
	}
	data := array.NewDataWithDictionary(d.dt, len(codes), []*memory.Buffer{vb, memory.NewBufferBytes(arrow.Uint32Traits.CastToBytes(codes))},
		nulls, 0, d.values.Data().(*array.Data))
	a := array.NewDictionaryData(data)
	a.Dictionary() // made at the first call, which several goroutines may be the first to make
	return a
}

func (d *dictionary) flat(c *column, codes []uint32, valid []byte, nulls int) arrow.Array {
	offs := make([]int32, len(codes)+1)
	size := 0
	for i, x := range codes {
		size += len(d.strs.At(int(x)))
		offs[i+1] = int32(size)
	}
	data := make([]byte, 0, size)
	for _, x := range codes {
		data = append(data, d.strs.At(int(x))...)
	}
	return types.NewVarlen(c.dt, offs, data, valid, nulls)
}
