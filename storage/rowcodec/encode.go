package rowcodec

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Column says where a column is stored and what rows that lack it hold.
type Column struct {
	Attnum     int // from 1
	T          types.T
	HasMissing bool
	Missing    types.Datum
}

// Encoder turns rows into their stored form.
type Encoder struct {
	cols  []Column
	order []int // columns by attnum
	slots int
	data  []byte
	ends  []uint32
	bits  []byte
}

// NewEncoder makes an encoder of rows with these columns, in any order.
func NewEncoder(cols []Column) (*Encoder, error) {
	e := &Encoder{cols: cols, order: make([]int, len(cols))}
	for i, c := range cols {
		if c.Attnum < 1 || c.Attnum > slotsMax {
			return nil, pgerror.Internal("attribute number %d cannot be stored", c.Attnum)
		}
		e.slots = max(e.slots, c.Attnum)
		j := i
		for ; j > 0 && cols[e.order[j-1]].Attnum > c.Attnum; j-- {
			e.order[j] = e.order[j-1]
		}
		e.order[j] = i
	}
	e.ends = make([]uint32, e.slots)
	e.bits = make([]byte, (e.slots+7)/8)
	return e, nil
}

// AppendRow appends the stored form of row i of the vectors, one per column.
func (e *Encoder) AppendRow(dst []byte, cols []arrow.Array, i int) ([]byte, error) {
	e.start()
	slot := 0
	for _, c := range e.order {
		s := e.cols[c].Attnum - 1
		slot = e.gap(slot, s)
		if arr := cols[c]; !arr.IsNull(i) {
			e.bits[s>>3] |= 1 << (s & 7)
			var err error
			if e.data, err = appendAt(e.data, e.cols[c].T, arr, i); err != nil {
				return nil, err
			}
		}
		e.ends[s] = uint32(len(e.data))
		slot = s + 1
	}
	return e.finish(dst)
}

// AppendDatums appends the stored form of a row of Datums, one per column.
func (e *Encoder) AppendDatums(dst []byte, vals []types.Datum) ([]byte, error) {
	e.start()
	slot := 0
	for _, c := range e.order {
		s := e.cols[c].Attnum - 1
		slot = e.gap(slot, s)
		if d := vals[c]; d != nil {
			e.bits[s>>3] |= 1 << (s & 7)
			e.data = AppendValue(e.data, d)
		}
		e.ends[s] = uint32(len(e.data))
		slot = s + 1
	}
	return e.finish(dst)
}

// AppendStored appends the stored form of a row whose values are given as AppendValue
// makes them, one per column; nil is NULL.
func (e *Encoder) AppendStored(dst []byte, vals [][]byte) ([]byte, error) {
	e.start()
	slot := 0
	for _, c := range e.order {
		s := e.cols[c].Attnum - 1
		slot = e.gap(slot, s)
		if v := vals[c]; v != nil {
			e.bits[s>>3] |= 1 << (s & 7)
			e.data = append(e.data, v...)
		}
		e.ends[s] = uint32(len(e.data))
		slot = s + 1
	}
	return e.finish(dst)
}

// AppendDecimal is AppendValue of a numeric of so many units of 10^-scale, 0 ≤ scale ≤ 18.
func AppendDecimal(dst []byte, units int64, scale uint8) []byte {
	return appendShortInt(append(dst, scale), units)
}

// AppendNumericBinary is AppendValue of a numeric in the form of vectors.
func AppendNumericBinary(dst, v []byte) []byte {
	return appendNumeric(dst, types.NumericFromBinary(v))
}

func (e *Encoder) start() {
	e.data = e.data[:0]
	clear(e.bits)
}

// gap ends the empty slots from slot to s.
func (e *Encoder) gap(slot, s int) int {
	for ; slot < s; slot++ {
		e.ends[slot] = uint32(len(e.data))
	}
	return slot
}

// rowBytesMax is the largest stored row.
const rowBytesMax = 1 << 30

func (e *Encoder) finish(dst []byte) ([]byte, error) {
	n := len(e.data)
	if n > rowBytesMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "row is too big: size %d, maximum size %d", n, rowBytesMax)
	}
	w := byte(0)
	switch {
	case n > math.MaxUint16:
		w = 2
	case n > math.MaxUint8:
		w = 1
	}
	dst = append(dst, version|w<<4, byte(e.slots), byte(e.slots>>8))
	dst = append(dst, e.bits...)
	switch w {
	case 0:
		for _, x := range e.ends {
			dst = append(dst, byte(x))
		}
	case 1:
		for _, x := range e.ends {
			dst = append(dst, byte(x), byte(x>>8))
		}
	default:
		for _, x := range e.ends {
			dst = binary.LittleEndian.AppendUint32(dst, x)
		}
	}
	return append(dst, e.data...), nil
}

// appendAt appends the stored value at row i of a vector; it is not NULL.
func appendAt(dst []byte, t types.T, arr arrow.Array, i int) ([]byte, error) {
	switch a := arr.(type) {
	case *array.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(a.Value(i))), nil
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i))), nil
	case *types.Dec64Array:
		return appendShortInt(append(dst, byte(a.Scale())), a.Int64Values()[i]), nil
	case *array.String:
		return append(dst, a.Value(i)...), nil
	case *array.Date32:
		return binary.LittleEndian.AppendUint32(dst, uint32(a.Value(i))), nil
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i))), nil
	case *array.Time64:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i))), nil
	case *array.Int16:
		return binary.LittleEndian.AppendUint16(dst, uint16(a.Value(i))), nil
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(a.Value(i))), nil
	case *array.Float32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(a.Value(i))), nil
	case *array.Uint32:
		return binary.LittleEndian.AppendUint32(dst, a.Value(i)), nil
	case *array.Uint64:
		return binary.LittleEndian.AppendUint64(dst, a.Value(i)), nil
	case *array.Uint8:
		return append(dst, a.Value(i)), nil
	case *array.Boolean:
		if a.Value(i) {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case *array.FixedSizeBinary:
		return append(dst, a.Value(i)...), nil
	case *array.Binary:
		if t.OID == types.NumericOID && t.Class == types.ClassBase {
			return appendNumeric(dst, types.NumericFromBinary(a.Value(i))), nil
		}
		return append(dst, a.Value(i)...), nil
	case *array.Dictionary:
		return appendAt(dst, t, a.Dictionary(), a.GetValueIndex(i))
	}
	return nil, pgerror.Internal("a vector of %s cannot be stored", arr.DataType())
}

func appendNumeric(dst []byte, v types.Numeric) []byte {
	if u, scale, ok := v.Int64(); ok && scale >= 0 {
		return appendShortInt(append(dst, byte(scale)), u)
	}
	return v.AppendBinary(append(dst, numericWide))
}

// AppendValue appends the stored form of one value, which must not be nil.
func AppendValue(dst []byte, d types.Datum) []byte {
	switch v := d.(type) {
	case bool:
		if v {
			return append(dst, 1)
		}
		return append(dst, 0)
	case byte:
		return append(dst, v)
	case int16:
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	case int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case int64:
		return binary.LittleEndian.AppendUint64(dst, uint64(v))
	case types.OID:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case uint64:
		return binary.LittleEndian.AppendUint64(dst, v)
	case float32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	case float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	case types.Numeric:
		return appendNumeric(dst, v)
	case string:
		return append(dst, v...)
	case []byte:
		return append(dst, v...)
	case types.JSONB:
		return append(dst, v...)
	case types.Date:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case types.Time:
		return binary.LittleEndian.AppendUint64(dst, uint64(v))
	case types.Timestamp:
		return binary.LittleEndian.AppendUint64(dst, uint64(v))
	case types.TimeTZ:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Micros))
		return binary.LittleEndian.AppendUint32(dst, uint32(v.Zone))
	case types.Interval:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Months))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Days))
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Micros))
	case types.UUID:
		return append(dst, v[:]...)
	case *types.Array:
		return types.AppendArray(dst, v)
	case *types.Record:
		return types.AppendRecord(dst, v)
	case types.Unit:
		return dst
	case *lazyValue:
		return append(dst, v.b...)
	}
	panic(pgerror.Internal("a %T cannot be stored", d))
}
