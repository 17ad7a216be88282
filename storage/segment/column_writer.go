package segment

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// column is a column prepared.
type column struct {
	Column
	phys  phys
	width int
	uns   bool
	order order
	dt    arrow.DataType
}

func newColumn(c Column) column {
	p, w, u, dt := physOf(c.Type)
	return column{Column: c, phys: p, width: w, uns: u, order: orderOf(c.Type), dt: dt}
}

// columnWriter makes a chunk. Of the block being filled it holds the values, of
// earlier ones the encoded form; while a dictionary may pay, codes.
type columnWriter struct {
	column
	enc *intEncoder

	// the block being filled
	n, nulls int
	nullAt   []int32
	ints     []uint64 // physInt, decimals; codes while dict is not nil
	raw      []byte   // physFixed; physBool: a byte per value
	offs     []int32  // physVar without dict, wide numerics
	data     []byte
	scale    int32 // numeric: the scale of ints, −1 for none yet
	wide     bool  // numeric: offs and data are in use

	// the chunk so far: blocks, each with its checksum
	out    []byte
	ends   []int
	zones  []Zone
	shared []byte // dictionary or symbol table

	dict     *dictBuilder
	pending  []pendingBlock
	syms     *symbolEncoder
	plain    bool // symbols do not pay
	trained  bool
	tmp      []byte
	lens     []uint64
	rawBytes int64 // of values that are not NULL
	sketch   Sketch

	// the mapping of the last dictionary seen in input
	inDict  arrow.ArrayData
	inCodes []int32
}

// pendingBlock is a block in codes of the unfinished dictionary.
type pendingBlock struct {
	n      int
	nullAt []int32
	codes  []uint32
}

func newColumnWriter(c Column, enc *intEncoder) *columnWriter {
	w := &columnWriter{column: newColumn(c), enc: enc, scale: -1}
	if w.phys == physVar {
		w.dict = newDictBuilder()
	}
	return w
}

// slot is the number of the block being filled.
func (w *columnWriter) slot() int { return len(w.ends) + len(w.pending) }

// append adds rows lo … hi−1 of a, which fit the block.
func (w *columnWriter) append(a arrow.Array, lo, hi int) error {
	if d, ok := a.(*array.Dictionary); ok {
		if w.phys != physVar {
			a = kernel.Flatten(kernel.Slice(a, lo, hi))
			lo, hi = 0, hi-lo
		} else {
			return w.appendDictionary(d, lo, hi)
		}
	}
	n := hi - lo
	at := w.n
	w.n += n
	hasNulls := a.NullN() > 0
	var valid kernel.Bits
	if hasNulls {
		valid = kernel.Valid(a)
		for i := lo; i < hi; i++ {
			if !valid.Get(i) {
				w.nullAt = append(w.nullAt, int32(at+i-lo))
				w.nulls++
			}
		}
	}
	dt := a.DataType()
	switch w.phys {
	case physInt:
		if !arrow.TypeEqual(dt, w.dt) {
			return w.unexpected(a)
		}
		w.appendInts(a, lo, hi)
		if hasNulls {
			w.fillNulls(at, lo, hi, valid)
		}
	case physBool:
		if dt.ID() != arrow.BOOL {
			return w.unexpected(a)
		}
		v := kernel.Bools(a)
		for i := lo; i < hi; i++ {
			b := byte(0)
			if v.Get(i) {
				b = 1
			}
			w.raw = append(w.raw, b)
		}
	case physFixed:
		if !arrow.TypeEqual(dt, w.dt) {
			return w.unexpected(a)
		}
		d := a.Data()
		b := d.Buffers()[1].Bytes()[(d.Offset()+lo)*w.width : (d.Offset()+hi)*w.width]
		w.raw = append(w.raw, b...)
		if hasNulls {
			for i := lo; i < hi; i++ {
				if !valid.Get(i) {
					w.copyBefore(at + i - lo)
				}
			}
		}
	case physNumeric:
		return w.appendNumeric(a, lo, hi, at, valid)
	case physVar:
		if id := dt.ID(); id != arrow.STRING && id != arrow.BINARY {
			return w.unexpected(a)
		}
		s := kernel.Strings(a)
		for i := lo; i < hi; i++ {
			if hasNulls && !valid.Get(i) {
				w.addBytes(nil, true)
			} else {
				w.addBytes(s.At(i), false)
			}
		}
	}
	return nil
}

func (w *columnWriter) unexpected(a arrow.Array) error {
	return pgerror.Internal("a vector of %s for a segment column of type %d", a.DataType(), w.Type.OID)
}

func (w *columnWriter) appendInts(a arrow.Array, lo, hi int) {
	switch {
	case w.width == 1:
		w.ints = widen(w.ints, kernel.Values[uint8](a)[lo:hi])
	case w.width == 2:
		w.ints = widen(w.ints, kernel.Values[int16](a)[lo:hi])
	case w.width == 4 && w.uns:
		w.ints = widen(w.ints, kernel.Values[uint32](a)[lo:hi])
	case w.width == 4:
		w.ints = widen(w.ints, kernel.Values[int32](a)[lo:hi])
	default:
		w.ints = append(w.ints, kernel.Values[uint64](a)[lo:hi]...)
	}
}

func widen[T uint8 | int16 | int32 | uint32](dst []uint64, src []T) []uint64 {
	for _, v := range src {
		dst = append(dst, uint64(int64(v)))
	}
	return dst
}

// fillNulls puts the value before it at every NULL, which packs best.
func (w *columnWriter) fillNulls(at, lo, hi int, valid kernel.Bits) {
	for i := lo; i < hi; i++ {
		if !valid.Get(i) {
			w.setNullInt(at + i - lo)
		}
	}
}

func (w *columnWriter) setNullInt(i int) {
	if i > 0 {
		w.ints[i] = w.ints[i-1]
	} else {
		w.ints[i] = 0
	}
}

func (w *columnWriter) copyBefore(i int) {
	v := w.raw[i*w.width : (i+1)*w.width]
	if i > 0 {
		copy(v, w.raw[(i-1)*w.width:])
	} else {
		clear(v)
	}
}

// addBytes adds a value of a physVar column.
func (w *columnWriter) addBytes(v []byte, null bool) {
	if !null {
		w.rawBytes += int64(len(v))
	}
	if w.dict != nil {
		code := uint64(0)
		if null {
			if n := len(w.ints); n > 0 {
				code = w.ints[n-1]
			}
		} else {
			code = uint64(w.dict.add(v))
		}
		w.ints = append(w.ints, code)
		return
	}
	w.data = append(w.data, v...)
	w.addOffset()
}

func (w *columnWriter) addOffset() {
	if len(w.offs) == 0 {
		w.offs = append(w.offs, 0)
	}
	w.offs = append(w.offs, int32(len(w.data)))
}

// appendDictionary adds rows of a dictionary vector: each entry is looked up once.
func (w *columnWriter) appendDictionary(d *array.Dictionary, lo, hi int) error {
	if id := d.Dictionary().DataType().ID(); id != arrow.STRING && id != arrow.BINARY {
		return w.unexpected(d)
	}
	entries := kernel.Strings(d.Dictionary())
	entryValid := kernel.Valid(d.Dictionary())
	valid := kernel.Valid(d)
	if w.dict != nil {
		if id := d.Data().Dictionary(); id != w.inDict {
			w.inDict = id
			w.inCodes = slices.Grow(w.inCodes[:0], id.Len())[:id.Len()]
			for i := range w.inCodes {
				w.inCodes[i] = -1
			}
		}
	}
	for i := lo; i < hi; i++ {
		x := 0
		null := !valid.Get(i)
		if !null {
			x = d.GetValueIndex(i)
			null = !entryValid.Get(x)
		}
		if null {
			w.nullAt = append(w.nullAt, int32(w.n))
			w.nulls++
			w.addBytes(nil, true)
		} else if w.dict != nil {
			v := entries.At(x)
			w.rawBytes += int64(len(v))
			if w.inCodes[x] < 0 {
				w.inCodes[x] = int32(w.dict.add(v))
			}
			w.ints = append(w.ints, uint64(w.inCodes[x]))
		} else {
			w.addBytes(entries.At(x), false)
		}
		w.n++
	}
	return nil
}

// appendNumeric adds decimals while the block's have one scale, else bytes.
func (w *columnWriter) appendNumeric(a arrow.Array, lo, hi, at int, valid kernel.Bits) error {
	d, isDec := a.(*types.Dec64Array)
	if isDec {
		vals := d.Int64Values()
		if !w.wide && (w.scale < 0 || w.scale == d.Scale()) {
			w.scale = d.Scale()
			from := len(w.ints)
			for _, v := range vals[lo:hi] {
				w.ints = append(w.ints, uint64(v))
			}
			if !valid.All() {
				w.fillNulls(from, lo, hi, valid)
			}
			return nil
		}
		for i := lo; i < hi; i++ {
			w.addNumeric(vals[i], d.Scale(), !valid.Get(i))
		}
		return nil
	}
	if a.DataType().ID() != arrow.BINARY {
		return w.unexpected(a)
	}
	s := kernel.Strings(a)
	for i := lo; i < hi; i++ {
		if !valid.Get(i) {
			w.addNumeric(0, 0, true)
			continue
		}
		if u, scale, ok := types.NumericFromBinary(s.At(i)).Int64(); ok && scale >= 0 && scale <= scaleMax {
			w.addNumeric(u, scale, false)
			continue
		}
		w.goWide()
		w.data = append(w.data, s.At(i)...)
		w.addOffset()
	}
	return nil
}

// addNumeric adds a numeric that fits a decimal.
func (w *columnWriter) addNumeric(u int64, scale int32, null bool) {
	if !w.wide && (null || w.scale < 0 || w.scale == scale) {
		if null {
			w.ints = append(w.ints, 0)
			w.setNullInt(len(w.ints) - 1)
			return
		}
		w.scale = scale
		w.ints = append(w.ints, uint64(u))
		return
	}
	w.goWide()
	if !null {
		w.data = types.NumericFromInt64(u, scale).AppendBinary(w.data)
	}
	w.addOffset()
}

// goWide turns the block's decimals into bytes.
func (w *columnWriter) goWide() {
	if w.wide {
		return
	}
	w.wide = true
	nulls := w.nullAt
	for i, u := range w.ints {
		if len(nulls) > 0 && int(nulls[0]) == i {
			nulls = nulls[1:]
		} else {
			w.data = types.NumericFromInt64(int64(u), max(w.scale, 0)).AppendBinary(w.data)
		}
		w.addOffset()
	}
	w.ints = w.ints[:0]
}

// held is the bytes of values in the block being filled.
func (w *columnWriter) held() int { return len(w.data) + len(w.raw) + 8*len(w.ints) }

// flush ends a block.
func (w *columnWriter) flush() {
	if w.dict != nil {
		w.pending = append(w.pending, pendingBlock{n: w.n, nullAt: slices.Clone(w.nullAt), codes: narrowed(w.ints)})
		if !w.dict.pays(w.pending) {
			w.abandon()
		}
	} else {
		w.encode()
	}
	w.n, w.nulls = 0, 0
	w.nullAt, w.ints, w.raw, w.offs, w.data = w.nullAt[:0], w.ints[:0], w.raw[:0], w.offs[:0], w.data[:0]
	w.wide, w.scale = false, -1
}

func narrowed(v []uint64) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = uint32(x)
	}
	return out
}

// abandon writes the blocks so far without the dictionary.
func (w *columnWriter) abandon() {
	d := w.dict
	w.dict, w.inDict, w.inCodes = nil, nil, nil
	pending := w.pending
	w.pending = nil
	for _, p := range pending {
		w.n, w.nulls, w.nullAt = p.n, len(p.nullAt), append(w.nullAt[:0], p.nullAt...)
		w.offs, w.data = w.offs[:0], w.data[:0]
		nulls := p.nullAt
		for i, c := range p.codes {
			if len(nulls) > 0 && int(nulls[0]) == i {
				nulls = nulls[1:]
			} else {
				w.data = append(w.data, d.at(int(c))...)
			}
			w.addOffset()
		}
		w.encode()
	}
}

// finish ends the chunk.
func (w *columnWriter) finish() {
	if w.dict == nil {
		if w.syms != nil {
			w.shared = w.syms.appendTable(nil)
		}
		return
	}
	rows := 0
	for _, p := range w.pending {
		rows += p.n - len(p.nullAt)
	}
	if !w.dict.worth(rows, w.rawBytes) {
		w.abandon()
		w.finish()
		return
	}
	rank, offs, data := w.dict.sorted()
	for i := range len(offs) - 1 {
		w.sketch.add(xxh3.Hash(data[offs[i]:offs[i+1]]))
	}
	w.shared = binary.LittleEndian.AppendUint32(nil, uint32(len(offs)-1))
	w.shared, _, _ = appendText(w.shared, offs, data, nil, nil, nil)
	for _, p := range w.pending {
		z := Zone{Rows: p.n, Nulls: len(p.nullAt)}
		if z.Nulls == p.n {
			w.closeBlock(appendBlockHeader(w.out, formNull, 0, p.n, nil), z)
			continue
		}
		w.ints = w.ints[:0]
		lo, hi := uint32(math.MaxUint32), uint32(0)
		nulls := p.nullAt
		for i, c := range p.codes {
			r := rank[c]
			w.ints = append(w.ints, uint64(r))
			if len(nulls) > 0 && int(nulls[0]) == i {
				nulls = nulls[1:]
				continue
			}
			lo, hi = min(lo, r), max(hi, r)
		}
		w.codeZone(&z, data[offs[lo]:offs[lo+1]], data[offs[hi]:offs[hi+1]])
		b := appendBlockHeader(w.out, formCodes, 0, p.n, p.nullAt)
		w.closeBlock(w.enc.append(b, w.ints), z)
	}
	w.dict, w.pending = nil, nil
}

// codeZone sets the bounds of a block whose least and greatest entry are lo and hi.
func (w *columnWriter) codeZone(z *Zone, lo, hi []byte) {
	switch w.order {
	case orderPadded: // entries are in the order of their bytes, blanks included
		lo, hi = bytes.TrimRight(lo, " "), bytes.TrimRight(hi, " ")
		if w.dict.controls() {
			lo, hi = w.dict.trimmedBounds()
		}
		z.setBytes(lo, hi)
	case orderBytes:
		z.setBytes(lo, hi)
	}
}

// encode ends a block that is not in codes.
func (w *columnWriter) encode() {
	z := Zone{Rows: w.n, Nulls: w.nulls}
	if w.nulls == w.n {
		w.closeBlock(appendBlockHeader(w.out, formNull, 0, w.n, nil), z)
		return
	}
	w.observe(&z)
	header := func(form, scale byte) []byte { return appendBlockHeader(w.out, form, scale, w.n, w.nullAt) }
	var b []byte
	switch w.phys {
	case physInt:
		b = w.enc.append(header(formInts, 0), w.ints)
	case physNumeric:
		if w.wide {
			b, w.tmp, w.lens = appendText(header(formText, 0), w.offs, w.data, nil, w.tmp, w.lens)
			break
		}
		b = w.enc.append(header(formDecimals, byte(max(w.scale, 0))), w.ints)
	case physBool:
		b = header(formBits, 0)
		from := len(b)
		b = append(b, make([]byte, kernel.BitmapLen(w.n))...)
		for i, v := range w.raw {
			b[from+i>>3] |= v << (i & 7)
		}
	case physFixed:
		if first := w.raw[:w.width]; bytes.Equal(w.raw[w.width:], w.raw[:len(w.raw)-w.width]) {
			b = append(header(formOne, 0), first...)
			break
		}
		b = append(header(formFixed, 0), w.raw...)
	case physVar:
		if !w.trained {
			w.train()
		}
		form := byte(formSymbols)
		if w.syms == nil {
			form = formText
		}
		b, w.tmp, w.lens = appendText(header(form, 0), w.offs, w.data, w.syms, w.tmp, w.lens)
	}
	w.closeBlock(b, z)
}

// train makes the chunk's symbol table of the first block with values, unless it does not pay.
func (w *columnWriter) train() {
	n := len(w.offs) - 1
	raw := int(w.offs[n] - w.offs[0])
	if raw < 256 {
		return
	}
	w.trained = true
	value := func(i int) []byte { return w.data[w.offs[i]:w.offs[i+1]] }
	sample := sampleOf(n, value)
	e := &symbolEncoder{}
	new(symbolTrainer).train(e, sample)
	in, out := 0, 0
	for _, v := range sample {
		w.tmp = e.append(w.tmp[:0], v)
		in += len(v)
		out += len(w.tmp)
	}
	if out+len(e.table)*4 < in-in/8 {
		w.syms = e
	}
}

// observe takes a block's values into its zone and the chunk's statistics.
func (w *columnWriter) observe(z *Zone) {
	switch {
	case w.phys == physInt, w.phys == physNumeric && !w.wide:
		flip := uint64(0)
		if w.order == orderUint {
			flip = 1 << 63
		}
		lo, hi := int64(w.ints[w.firstRow()]^flip), int64(w.ints[w.firstRow()]^flip)
		prev := ^w.ints[0]
		nulls := w.nullAt
		for i, v := range w.ints {
			if len(nulls) > 0 && int(nulls[0]) == i {
				nulls = nulls[1:]
				continue
			}
			x := int64(v ^ flip)
			lo, hi = min(lo, x), max(hi, x)
			if v != prev {
				w.sketch.add(hashInt(v))
				prev = v
			}
		}
		z.Min, z.Max = lo, hi
		if w.phys == physNumeric {
			z.Kind, z.Scale = ZoneDecimals, uint8(max(w.scale, 0))
			w.rawBytes += int64(8 * (w.n - w.nulls))
		} else {
			if w.order != orderNone {
				z.Kind = ZoneInts
			}
			w.rawBytes += int64(w.width * (w.n - w.nulls))
		}
	case w.phys == physBool:
		z.Kind, z.Min, z.Max = ZoneInts, 1, 0
		w.eachValue(func(i int) {
			v := int64(w.raw[i])
			z.Min, z.Max = min(z.Min, v), max(z.Max, v)
		})
		w.sketch.add(hashInt(uint64(z.Min)))
		w.sketch.add(hashInt(uint64(z.Max)))
		w.rawBytes += int64(w.n - w.nulls)
	case w.phys == physFixed:
		w.rawBytes += int64(w.width * (w.n - w.nulls))
		var lo, hi []byte
		z.Min, z.Max = math.MaxInt64, math.MinInt64
		w.eachValue(func(i int) {
			v := w.raw[i*w.width : (i+1)*w.width]
			w.sketch.add(xxh3.Hash(v))
			switch w.order {
			case orderFloat:
				var x int64
				if w.width == 4 {
					x = orderedFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(v))))
				} else {
					x = orderedFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)))
				}
				z.Kind, z.Min, z.Max = ZoneInts, min(z.Min, x), max(z.Max, x)
			case orderBytes:
				if lo == nil || bytes.Compare(v, lo) < 0 {
					lo = v
				}
				if hi == nil || bytes.Compare(v, hi) > 0 {
					hi = v
				}
			}
		})
		if lo != nil {
			z.setBytes(lo, hi)
		}
	default:
		var lo, hi []byte
		known := w.order == orderBytes || w.order == orderPadded
		w.eachValue(func(i int) {
			v := w.data[w.offs[i]:w.offs[i+1]]
			w.sketch.add(xxh3.Hash(v))
			if !known {
				return
			}
			if w.order == orderPadded {
				v = bytes.TrimRight(v, " ")
			}
			if lo == nil || bytes.Compare(v, lo) < 0 {
				lo = v
			}
			if hi == nil || bytes.Compare(v, hi) > 0 {
				hi = v
			}
		})
		if w.phys == physNumeric {
			w.rawBytes += int64(len(w.data))
		} else if known {
			z.setBytes(lo, hi)
		}
	}
}

func (w *columnWriter) firstRow() int {
	i := 0
	for _, r := range w.nullAt {
		if int(r) != i {
			break
		}
		i++
	}
	return i
}

func (w *columnWriter) eachValue(f func(i int)) {
	nulls := w.nullAt
	for i := range w.n {
		if len(nulls) > 0 && int(nulls[0]) == i {
			nulls = nulls[1:]
			continue
		}
		f(i)
	}
}

// appendBlockHeader appends the header and the validity of a block.
func appendBlockHeader(dst []byte, form, scale byte, n int, nullAt []int32) []byte {
	if form == formNull {
		dst = append(dst, form, 0, 0, 0)
		return binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	flags := byte(0)
	if len(nullAt) > 0 {
		flags = flagValid
	}
	dst = append(dst, form, flags, scale, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(nullAt)))
	if len(nullAt) > 0 {
		from := len(dst)
		dst = append(dst, kernel.Ones(n)...)
		for _, i := range nullAt {
			kernel.ClearBit(dst[from:], int(i))
		}
	}
	return dst
}

// closeBlock takes out with one block more.
func (w *columnWriter) closeBlock(out []byte, z Zone) {
	from := 0
	if n := len(w.ends); n > 0 {
		from = w.ends[n-1]
	}
	w.out = appendChecksum(out, from)
	w.ends = append(w.ends, len(w.out))
	w.zones = append(w.zones, z)
}

// size is the bytes of the chunk so far, about.
func (w *columnWriter) size() int {
	n := len(w.out)
	for i := range w.pending {
		n += 2 * len(w.pending[i].codes)
	}
	if w.dict != nil {
		n += len(w.dict.data)
	}
	return n
}
