package types

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// The physical form of each type in a vector:
//
//	bool                                    Boolean
//	"char"                                  Uint8
//	int2, int4, int8                        Int16, Int32, Int64
//	float4, float8                          Float32, Float64
//	oid, xid, cid, reg*, enums              Uint32
//	xid8, pg_lsn, tid                          Uint64
//	numeric                                 Dec64 or Binary (Numeric.AppendBinary), per batch
//	text, varchar, bpchar, name, json, …    String (bpchar padded)
//	bit, bit varying                        String (digits)
//	bytea                                   Binary
//	jsonb                                   Binary (JSONB bytes)
//	date                                    Date32
//	time                                    Time64[us]
//	timestamp                               Timestamp[us]      NB: since 2000-01-01 (timestamp.go),
//	timestamptz                             Timestamp[us, UTC] not since 1970 as Arrow has it; rpc/flight converts
//	timetz                                  FixedSizeBinary(12): int64 micros, int32 zone, little endian
//	interval                                FixedSizeBinary(16): int32 months, int32 days, int64 micros, little endian
//	uuid                                    FixedSizeBinary(16)
//	arrays                                  Binary (AppendArray)
//	records                                 Binary (AppendRecord)
//	void                                    Null is not used: String ""
//
// Vectors are allocated on the Go heap and never reference counted: Retain and
// Release are not called. A vector is immutable once another operator has seen it.

var (
	timeTZType    = &arrow.FixedSizeBinaryType{ByteWidth: 12}
	intervalType  = &arrow.FixedSizeBinaryType{ByteWidth: 16}
	uuidType      = &arrow.FixedSizeBinaryType{ByteWidth: 16}
	timestampType = &arrow.TimestampType{Unit: arrow.Microsecond}
	timestampTZ   = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
)

// ArrowType is the physical form of t. For numeric it is Binary, the form that
// holds every value; a numeric vector may be Dec64 instead.
func ArrowType(t T) arrow.DataType {
	switch t.Class {
	case ClassEnum:
		return arrow.PrimitiveTypes.Uint32
	case ClassArray, ClassComposite:
		return arrow.BinaryTypes.Binary
	}
	switch t.OID {
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Char:
		return arrow.PrimitiveTypes.Uint8
	case Int2:
		return arrow.PrimitiveTypes.Int16
	case Int4:
		return arrow.PrimitiveTypes.Int32
	case Int8:
		return arrow.PrimitiveTypes.Int64
	case Float4:
		return arrow.PrimitiveTypes.Float32
	case Float8:
		return arrow.PrimitiveTypes.Float64
	case Oid, Xid, Cid, RegProc, RegProcedure, RegOper, RegOperator, RegClass, RegType, RegConfig, RegDictionary,
		RegCollation, RegNamespace, RegRole:
		return arrow.PrimitiveTypes.Uint32
	case Xid8, PgLSN, Tid:
		return arrow.PrimitiveTypes.Uint64
	case NumericOID, Bytea, JSONBOID:
		return arrow.BinaryTypes.Binary
	case DateOID:
		return arrow.FixedWidthTypes.Date32
	case TimeOID:
		return arrow.FixedWidthTypes.Time64us
	case TimestampOID:
		return timestampType
	case TimestampTZOID:
		return timestampTZ
	case TimeTZOID:
		return timeTZType
	case IntervalOID:
		return intervalType
	case UUIDOID:
		return uuidType
	}
	return arrow.BinaryTypes.String
}

// NewFixed wraps a buffer of fixed-width values as a vector without copying.
// valid is a validity bitmap (bit 1 = not NULL) or nil when there are no NULLs.
func NewFixed(dt arrow.DataType, values []byte, n int, valid []byte, nulls int) arrow.Array {
	var vb *memory.Buffer
	if nulls > 0 {
		vb = memory.NewBufferBytes(valid)
	}
	return array.MakeFromData(array.NewData(dt, n, []*memory.Buffer{vb, memory.NewBufferBytes(values)}, nil, nulls, 0))
}

// NewVarlen wraps offsets (n+1 of them) and bytes as a String or Binary vector without copying.
func NewVarlen(dt arrow.DataType, offsets []int32, data []byte, valid []byte, nulls int) arrow.Array {
	var vb *memory.Buffer
	if nulls > 0 {
		vb = memory.NewBufferBytes(valid)
	}
	return array.MakeFromData(array.NewData(dt, len(offsets)-1,
		[]*memory.Buffer{vb, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(data)}, nil, nulls, 0))
}

// Get reads row i of a vector of type t as a Datum, nil for NULL. It also reads
// dictionary vectors. Strings and byte slices share the vector's memory.
func Get(t T, arr arrow.Array, i int) Datum {
	if arr.IsNull(i) {
		return nil
	}
	switch a := arr.(type) {
	case *array.Dictionary:
		return Get(t, a.Dictionary(), a.GetValueIndex(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.Uint8:
		return a.Value(i)
	case *array.Int16:
		return a.Value(i)
	case *array.Int32:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Uint32:
		return OID(a.Value(i))
	case *array.Uint64:
		return a.Value(i)
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *Dec64Array:
		return NumericFromInt64(a.Int64Values()[i], a.Scale())
	case *array.String:
		if t.OID == Void {
			return Unit{}
		}
		return a.Value(i)
	case *array.Date32:
		return Date(a.Value(i))
	case *array.Time64:
		return Time(a.Value(i))
	case *array.Timestamp:
		return Timestamp(a.Value(i))
	case *array.FixedSizeBinary:
		b := a.Value(i)
		switch t.OID {
		case TimeTZOID:
			return TimeTZ{Micros: int64(binary.LittleEndian.Uint64(b)), Zone: int32(binary.LittleEndian.Uint32(b[8:]))}
		case IntervalOID:
			return Interval{Months: int32(binary.LittleEndian.Uint32(b)), Days: int32(binary.LittleEndian.Uint32(b[4:])), Micros: int64(binary.LittleEndian.Uint64(b[8:]))}
		}
		return UUID(b)
	case *array.Binary:
		b := a.Value(i)
		switch t.Class {
		case ClassArray:
			return DecodeArray(t, b)
		case ClassComposite:
			return DecodeRecord(t, b)
		}
		switch t.OID {
		case NumericOID:
			return NumericFromBinary(b)
		case JSONBOID:
			return JSONB(b)
		}
		return b
	}
	panic(fmt.Sprintf("types.Get: no rule for %T as type %d", arr, t.OID))
}

// Builder collects Datums of one type into a vector. A numeric builder yields
// Dec64 while all its values have one scale and fit, Binary otherwise.
type Builder struct {
	t     T
	b     array.Builder
	dec   []int64 // numeric in Dec64 form so far
	scale int32   // −1: no non-NULL value yet
	isDec bool
	valid []bool
}

// NewBuilder makes a builder with room for n values.
func NewBuilder(t T, n int) *Builder {
	b := &Builder{t: t}
	if t.OID == NumericOID && t.Class == ClassBase {
		b.isDec, b.scale = true, -1
		b.dec, b.valid = make([]int64, 0, n), make([]bool, 0, n)
		return b
	}
	b.b = array.NewBuilder(memory.DefaultAllocator, ArrowType(t))
	b.b.Reserve(n)
	return b
}

// Len is the number of values appended since the last Finish.
func (b *Builder) Len() int {
	if b.isDec {
		return len(b.dec)
	}
	return b.b.Len()
}

// AppendNull appends a NULL.
func (b *Builder) AppendNull() { b.Append(nil) }

// Append appends d, which must be nil or in the Go form of the builder's type.
func (b *Builder) Append(d Datum) {
	if b.isDec {
		if d == nil {
			b.dec, b.valid = append(b.dec, 0), append(b.valid, false)
			return
		}
		n := d.(Numeric)
		if u, scale, ok := n.Int64(); ok && (b.scale < 0 || b.scale == scale) {
			b.scale = scale
			b.dec, b.valid = append(b.dec, u), append(b.valid, true)
			return
		}
		b.widen()
	}
	if d == nil {
		b.b.AppendNull()
		return
	}
	switch bb := b.b.(type) {
	case *array.BooleanBuilder:
		bb.Append(d.(bool))
	case *array.Uint8Builder:
		bb.Append(d.(byte))
	case *array.Int16Builder:
		bb.Append(d.(int16))
	case *array.Int32Builder:
		bb.Append(d.(int32))
	case *array.Int64Builder:
		bb.Append(d.(int64))
	case *array.Uint32Builder:
		bb.Append(uint32(d.(OID)))
	case *array.Uint64Builder:
		bb.Append(d.(uint64))
	case *array.Float32Builder:
		bb.Append(d.(float32))
	case *array.Float64Builder:
		bb.Append(d.(float64))
	case *array.StringBuilder:
		if _, void := d.(Unit); void {
			bb.Append("")
			return
		}
		bb.Append(d.(string))
	case *array.Date32Builder:
		bb.Append(arrow.Date32(d.(Date)))
	case *array.Time64Builder:
		bb.Append(arrow.Time64(d.(Time)))
	case *array.TimestampBuilder:
		bb.Append(arrow.Timestamp(d.(Timestamp)))
	case *array.FixedSizeBinaryBuilder:
		switch v := d.(type) {
		case TimeTZ:
			bb.Append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, uint64(v.Micros)), uint32(v.Zone)))
		case Interval:
			x := binary.LittleEndian.AppendUint32(nil, uint32(v.Months))
			x = binary.LittleEndian.AppendUint32(x, uint32(v.Days))
			bb.Append(binary.LittleEndian.AppendUint64(x, uint64(v.Micros)))
		default:
			u := d.(UUID)
			bb.Append(u[:])
		}
	case *array.BinaryBuilder:
		switch v := d.(type) {
		case []byte:
			bb.Append(v)
		case JSONB:
			bb.Append(v)
		case Numeric:
			bb.Append(v.AppendBinary(nil))
		case *Array:
			bb.Append(AppendArray(nil, v))
		default:
			bb.Append(AppendRecord(nil, d.(*Record)))
		}
	default:
		panic(fmt.Sprintf("types.Builder: no rule for %T", b.b))
	}
}

// widen moves a numeric builder from Dec64 to Binary form.
func (b *Builder) widen() {
	b.isDec = false
	b.b = array.NewBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for i, u := range b.dec {
		if !b.valid[i] {
			b.b.AppendNull()
			continue
		}
		b.Append(NumericFromInt64(u, b.scale))
	}
	b.dec, b.valid = nil, nil
}

// Finish returns the vector and resets the builder.
func (b *Builder) Finish() arrow.Array {
	if !b.isDec {
		a := b.b.NewArray()
		if b.t.OID == NumericOID && b.t.Class == ClassBase {
			*b = *NewBuilder(b.t, a.Len())
		}
		return a
	}
	n := len(b.dec)
	bits, nulls := make([]byte, bitutil.BytesForBits(int64(n))), 0
	for i, ok := range b.valid {
		if ok {
			bitutil.SetBit(bits, i)
		} else {
			nulls++
		}
	}
	a := NewDec64Array(max(b.scale, 0), b.dec, bits, nulls)
	*b = *NewBuilder(b.t, n)
	return a
}

// Repeat makes a vector of n copies of d.
func Repeat(t T, d Datum, n int) arrow.Array {
	if t.Class == ClassBase { // what keys are made of goes without a builder
		switch v := d.(type) {
		case string:
			if n == 1 { // the vector shares the value's memory
				return NewVarlen(ArrowType(t), []int32{0, int32(len(v))}, unsafe.Slice(unsafe.StringData(v), len(v)), nil, 0)
			}
		case []byte:
			if n == 1 {
				return NewVarlen(ArrowType(t), []int32{0, int32(len(v))}, v, nil, 0)
			}
		case int32:
			if t.OID == Int4 {
				vs := make([]int32, n)
				for i := range vs {
					vs[i] = v
				}
				return NewFixed(arrow.PrimitiveTypes.Int32, arrow.Int32Traits.CastToBytes(vs), n, nil, 0)
			}
		case int64:
			if t.OID == Int8 {
				vs := make([]int64, n)
				for i := range vs {
					vs[i] = v
				}
				return NewFixed(arrow.PrimitiveTypes.Int64, arrow.Int64Traits.CastToBytes(vs), n, nil, 0)
			}
		}
	}
	b := NewBuilder(t, n)
	for range n {
		b.Append(d)
	}
	return b.Finish()
}
