package rowcodec

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
)

// Decoder collects some columns of stored rows into vectors.
type Decoder struct {
	cols []vector
	n    int
	cap  int
	size int // bytes of rows collected
	// room is how many rows to make room for at the start of a batch: few for the
	// first, since most scans of an index nested loop deliver a handful.
	room  int
	begun bool // the batch has its buffers
}

const firstRoom = 16

// vector is a column being collected.
type vector struct {
	Column
	slot int
	kind kind
	dt   arrow.DataType

	fixed []byte  // fixed kinds: the values; bool: bits
	offs  []int32 // var: offsets, one more than rows
	data  []byte  // var: bytes
	dec   []int64 // numeric while narrow
	scale int32   // numeric: scale of the values so far, −1 for none
	wide  bool    // numeric in binary form: offs and data are in use
	valid []byte  // nil until the first NULL
	nulls int
	hint  int    // bytes of data in the last batch
	miss  []byte // stored form of the missing value
}

// NewDecoder makes a decoder of batches of up to capacity rows.
func NewDecoder(cols []Column, capacity int) *Decoder {
	d := &Decoder{cols: make([]vector, len(cols)), cap: capacity, room: min(capacity, firstRoom)}
	for i, c := range cols {
		v := &d.cols[i]
		v.Column, v.slot, v.kind, v.dt = c, c.Attnum-1, kindOf(c.T), types.ArrowType(c.T)
		if c.HasMissing && c.Missing != nil {
			v.miss = AppendValue([]byte{}, c.Missing)
		}
	}
	return d
}

// Reserve makes room for n rows at the start of the next batch.
func (d *Decoder) Reserve(n int) { d.room = min(max(n, 1), d.cap) }

// Len is the number of rows collected.
func (d *Decoder) Len() int { return d.n }

// Full reports whether a batch is complete.
func (d *Decoder) Full() bool { return d.n >= d.cap || d.size >= batchBytesMax }

// batchBytesMax ends a batch of large rows early.
const batchBytesMax = 64 << 20

// begin makes the buffers of a batch.
func (d *Decoder) begin() {
	d.begun = true
	d.n, d.size = 0, 0
	for i := range d.cols {
		v := &d.cols[i]
		v.valid, v.nulls = nil, 0
		v.fixed, v.offs, v.data, v.dec = nil, nil, nil, nil
		switch v.kind {
		case kindVar:
			v.startVar(d.room)
		case kindNumeric:
			v.dec, v.scale, v.wide = make([]int64, 0, d.room), -1, false
		case kindBool:
			v.fixed = make([]byte, (d.cap+7)/8)
		default:
			v.fixed = make([]byte, 0, d.room*v.kind.width())
		}
	}
}

func (v *vector) startVar(capacity int) {
	v.offs = make([]int32, 1, capacity+1)
	v.data = make([]byte, 0, max(v.hint+v.hint/8, 64))
}

// Append adds a row.
func (d *Decoder) Append(b []byte) error {
	if !d.begun {
		d.begin()
	}
	d.size += len(b)
	if len(d.cols) == 0 {
		d.n++
		return nil
	}
	r, err := parse(b)
	if err != nil {
		return err
	}
	for i := range d.cols {
		v := &d.cols[i]
		var val []byte
		if v.slot < r.n {
			if r.b[headerLen+v.slot>>3]&(1<<(v.slot&7)) == 0 {
				v.null(d.n, d.cap)
				continue
			}
			start := r.data
			if v.slot > 0 {
				start += r.end(v.slot - 1)
			}
			end := r.data + r.end(v.slot)
			if start > end || end > len(b) {
				return corrupt("value out of bounds")
			}
			val = b[start:end:end]
		} else if val = v.miss; val == nil {
			v.null(d.n, d.cap)
			continue
		}
		if err := v.append(val, d.n); err != nil {
			return err
		}
		if v.valid != nil {
			v.valid[d.n>>3] |= 1 << (d.n & 7)
		}
	}
	d.n++
	return nil
}

func (v *vector) append(val []byte, n int) error {
	switch v.kind {
	case kindVar:
		if len(v.data)+len(val) > math.MaxInt32 {
			return corrupt("batch too large")
		}
		v.data = append(v.data, val...)
		v.offs = append(v.offs, int32(len(v.data)))
	case kind4:
		if len(val) != 4 {
			return corrupt("width")
		}
		v.fixed = binary.LittleEndian.AppendUint32(v.fixed, binary.LittleEndian.Uint32(val))
	case kind8:
		if len(val) != 8 {
			return corrupt("width")
		}
		v.fixed = binary.LittleEndian.AppendUint64(v.fixed, binary.LittleEndian.Uint64(val))
	case kindNumeric:
		return v.appendNumeric(val, n)
	case kindBool:
		if len(val) != 1 {
			return corrupt("width")
		}
		if val[0] != 0 {
			v.fixed[n>>3] |= 1 << (n & 7)
		}
	default:
		if len(val) != v.kind.width() {
			return corrupt("width")
		}
		v.fixed = append(v.fixed, val...)
	}
	return nil
}

func (v *vector) appendNumeric(val []byte, n int) error {
	if len(val) == 0 {
		return corrupt("numeric")
	}
	if s := int32(val[0]); s <= 18 && len(val) <= 9 {
		if !v.wide && (s == v.scale || v.scale < 0) {
			v.scale = s
			v.dec = append(v.dec, shortInt(val[1:]))
			return nil
		}
		v.widen(n)
		v.data = types.NumericFromInt64(shortInt(val[1:]), s).AppendBinary(v.data)
	} else if val[0] == numericWide {
		v.widen(n)
		v.data = append(v.data, val[1:]...)
	} else {
		return corrupt("numeric")
	}
	v.offs = append(v.offs, int32(len(v.data)))
	return nil
}

// widen moves the n numerics so far to binary form.
func (v *vector) widen(n int) {
	if v.wide {
		return
	}
	v.wide = true
	v.startVar(cap(v.dec))
	for i, u := range v.dec {
		if v.valid == nil || v.valid[i>>3]&(1<<(i&7)) != 0 {
			v.data = types.NumericFromInt64(u, v.scale).AppendBinary(v.data)
		}
		v.offs = append(v.offs, int32(len(v.data)))
	}
	v.dec = nil
}

// null adds a NULL as value number n.
func (v *vector) null(n, capacity int) {
	if v.valid == nil {
		v.valid = make([]byte, (capacity+7)/8)
		for i := range n >> 3 {
			v.valid[i] = 0xff
		}
		if n&7 != 0 {
			v.valid[n>>3] = 1<<(n&7) - 1
		}
	}
	v.nulls++
	switch {
	case v.kind == kindVar || v.wide:
		v.offs = append(v.offs, int32(len(v.data)))
	case v.kind == kindNumeric:
		v.dec = append(v.dec, 0)
	case v.kind == kindBool:
	default:
		v.fixed = append(v.fixed, zeros[:v.kind.width()]...)
	}
}

var zeros [16]byte

// Finish returns the vectors and starts the next batch.
func (d *Decoder) Finish() []arrow.Array {
	if !d.begun {
		d.begin()
	}
	out := make([]arrow.Array, len(d.cols))
	for i := range d.cols {
		v := &d.cols[i]
		switch {
		case v.kind == kindVar || v.wide:
			v.hint = len(v.data)
			out[i] = types.NewVarlen(v.dt, v.offs, v.data, v.valid, v.nulls)
		case v.kind == kindNumeric:
			out[i] = types.NewDec64Array(max(v.scale, 0), v.dec, v.valid, v.nulls)
		case v.kind == kindBool:
			var vb *memory.Buffer
			if v.nulls > 0 {
				vb = memory.NewBufferBytes(v.valid)
			}
			out[i] = array.NewBoolean(d.n, memory.NewBufferBytes(v.fixed), vb, v.nulls)
		default:
			out[i] = types.NewFixed(v.dt, v.fixed, d.n, v.valid, v.nulls)
		}
	}
	if d.n >= d.cap {
		d.room = d.cap
	}
	d.begun, d.n, d.size = false, 0, 0
	return out
}

// Row decodes columns of one row into Datums. Strings and bytes do not share b's memory.
func Row(cols []Column, b []byte) ([]types.Datum, error) {
	out := make([]types.Datum, len(cols))
	r, err := parse(b)
	if err != nil {
		return nil, err
	}
	for i := range cols {
		if out[i], err = r.datum(&cols[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Columns is Row for the columns at some positions of cols.
func Columns(cols []Column, at []int32, b []byte) ([]types.Datum, error) {
	out := make([]types.Datum, len(at))
	if err := ColumnsInto(out, cols, at, b); err != nil {
		return nil, err
	}
	return out, nil
}

// ColumnsInto is Columns into a row that is there. REQUIRES: len(out) = len(at).
func ColumnsInto(out []types.Datum, cols []Column, at []int32, b []byte) error {
	r, err := parse(b)
	if err != nil {
		return err
	}
	for i, c := range at {
		if out[i], err = r.datum(&cols[c]); err != nil {
			return err
		}
	}
	return nil
}

// datum decodes one column.
func (r *row) datum(c *Column) (types.Datum, error) {
	slot := c.Attnum - 1
	if slot >= r.n {
		if c.HasMissing {
			return c.Missing, nil
		}
		return nil, nil
	}
	v, ok, err := r.value(slot)
	if err != nil || !ok {
		return nil, err
	}
	return DecodeValue(c.T, v)
}

// DecodeValue reads AppendValue's form of a value of type t.
func DecodeValue(t types.T, v []byte) (types.Datum, error) {
	k := kindOf(t)
	if w := k.width(); w > 0 && len(v) != w || k == kindBool && len(v) != 1 {
		return nil, corrupt("width")
	}
	switch k {
	case kindBool:
		return v[0] != 0, nil
	case kind1:
		return v[0], nil
	case kind2:
		return int16(binary.LittleEndian.Uint16(v)), nil
	case kind4:
		u := binary.LittleEndian.Uint32(v)
		switch {
		case t.Class == types.ClassEnum:
			return types.OID(u), nil
		case t.OID == types.Int4:
			return int32(u), nil
		case t.OID == types.Float4:
			return math.Float32frombits(u), nil
		case t.OID == types.DateOID:
			return types.Date(u), nil
		}
		return types.OID(u), nil
	case kind8:
		u := binary.LittleEndian.Uint64(v)
		switch t.OID {
		case types.Int8:
			return int64(u), nil
		case types.Float8:
			return math.Float64frombits(u), nil
		case types.TimeOID:
			return types.Time(u), nil
		case types.TimestampOID, types.TimestampTZOID:
			return types.Timestamp(u), nil
		}
		return u, nil
	case kind12:
		return types.TimeTZ{Micros: int64(binary.LittleEndian.Uint64(v)), Zone: int32(binary.LittleEndian.Uint32(v[8:]))}, nil
	case kind16:
		if t.OID == types.UUIDOID {
			return types.UUID(v), nil
		}
		return types.Interval{Months: int32(binary.LittleEndian.Uint32(v)), Days: int32(binary.LittleEndian.Uint32(v[4:])),
			Micros: int64(binary.LittleEndian.Uint64(v[8:]))}, nil
	case kindNumeric:
		switch {
		case len(v) > 0 && v[0] <= 18 && len(v) <= 9:
			return types.NumericFromInt64(shortInt(v[1:]), int32(v[0])), nil
		case len(v) > 0 && v[0] == numericWide:
			return types.NumericFromBinary(append([]byte{}, v[1:]...)), nil
		}
		return nil, corrupt("numeric")
	}
	switch {
	case t.Class == types.ClassArray:
		return types.DecodeArray(t, append([]byte{}, v...)), nil
	case t.Class == types.ClassComposite:
		return types.DecodeRecord(t, append([]byte{}, v...)), nil
	case t.OID == types.Bytea:
		return append([]byte{}, v...), nil
	case t.OID == types.JSONBOID:
		return types.JSONB(append([]byte{}, v...)), nil
	case t.OID == types.Void:
		return types.Unit{}, nil
	}
	return string(v), nil
}

// Slots is the highest attribute number a stored row has room for.
func Slots(b []byte) (int, error) {
	r, err := parse(b)
	return r.n, err
}
