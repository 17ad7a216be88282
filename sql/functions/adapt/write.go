package adapt

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
)

// Validity is the validity bitmap (bit 1: not NULL) of the rows where every
// argument is not NULL, nil when there are no NULLs. The bitmap is fresh.
func Validity(args []arrow.Array, n int) (valid []byte, nulls int) {
	for _, a := range args {
		if a.NullN() == 0 {
			continue
		}
		d, src := a.Data(), a.NullBitmapBytes()
		if valid == nil {
			valid = make([]byte, bitutil.BytesForBits(int64(n)))
			if src == nil {
				continue // a Null array: all bits off
			}
			bitutil.CopyBitmap(src, d.Offset(), n, valid, 0)
			continue
		}
		for i := range n {
			if a.IsNull(i) {
				bitutil.ClearBit(valid, i)
			}
		}
	}
	if valid == nil {
		return nil, 0
	}
	return valid, n - bitutil.CountSetBits(valid, 0, n)
}

func bytesOf[R any](s []R) []byte {
	var zero R
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// Build makes a vector of type t from Go forms. It takes values over; valid as
// in types.NewFixed and taken over too. Values at NULL rows are ignored.
func Build[R any](t types.T, values []R, valid []byte, nulls int) arrow.Array {
	var zero R
	n := len(values)
	at := func() arrow.DataType { return types.ArrowType(t) }
	switch any(&zero).(type) {
	case *byte, *int16, *int32, *int64, *float32, *float64, *types.OID, *uint64, *types.Date, *types.Time, *types.Timestamp:
		dt := at()
		if fw, ok := dt.(arrow.FixedWidthDataType); !ok || fw.Bytes() != int(unsafe.Sizeof(zero)) {
			panic(fmt.Sprintf("adapt: Go type %T does not fit type %d", zero, t.OID))
		}
		return types.NewFixed(dt, bytesOf(values), n, valid, nulls)
	case *bool:
		return bools(cast[bool](values), valid, nulls)
	case *types.Numeric:
		return numericVector(cast[types.Numeric](values), valid, nulls)
	case *string:
		return varlen(at(), cast[string](values), valid, nulls)
	case *[]byte, *types.JSONB:
		vs := cast[[]byte](values)
		for i, v := range vs {
			if v == nil && (nulls == 0 || bitutil.BitIsSet(valid, i)) {
				valid, nulls = clearBit(valid, nulls, n, i)
			}
		}
		return varlen(at(), vs, valid, nulls)
	case *types.UUID:
		return types.NewFixed(at(), bytesOf(values), n, valid, nulls)
	case *types.TimeTZ:
		buf := make([]byte, 0, 12*n)
		for _, v := range cast[types.TimeTZ](values) {
			buf = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(buf, uint64(v.Micros)), uint32(v.Zone))
		}
		return types.NewFixed(at(), buf, n, valid, nulls)
	case *types.Interval: // the struct's layout is the vector's
		buf := make([]byte, 0, 16*n)
		for _, v := range cast[types.Interval](values) {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(v.Months))
			buf = binary.LittleEndian.AppendUint32(buf, uint32(v.Days))
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v.Micros))
		}
		return types.NewFixed(at(), buf, n, valid, nulls)
	case *types.Unit:
		return types.NewVarlen(at(), make([]int32, n+1), nil, valid, nulls)
	}
	b := types.NewBuilder(t, n)
	for i, v := range values {
		if nulls > 0 && !bitutil.BitIsSet(valid, i) {
			b.AppendNull()
			continue
		}
		switch x := any(v).(type) {
		case *types.Array:
			if x == nil {
				b.AppendNull()
				continue
			}
		case *types.Record:
			if x == nil {
				b.AppendNull()
				continue
			}
		}
		b.Append(types.Datum(v))
	}
	return b.Finish()
}

func clearBit(valid []byte, nulls, n, i int) ([]byte, int) {
	if nulls == 0 {
		valid = make([]byte, bitutil.BytesForBits(int64(n)))
		bitutil.SetBitsTo(valid, 0, int64(n), true)
	}
	bitutil.ClearBit(valid, i)
	return valid, nulls + 1
}

func bools(values []bool, valid []byte, nulls int) arrow.Array {
	n := len(values)
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	for i, v := range values {
		if v {
			bits[i>>3] |= 1 << (i & 7)
		}
	}
	return BoolVector(bits, n, valid, nulls)
}

// BoolVector wraps a bitmap of values as a Boolean vector.
func BoolVector(bits []byte, n int, valid []byte, nulls int) arrow.Array {
	var vb *memory.Buffer
	if nulls > 0 {
		vb = memory.NewBufferBytes(valid)
	}
	return array.MakeFromData(array.NewData(arrow.FixedWidthTypes.Boolean, n,
		[]*memory.Buffer{vb, memory.NewBufferBytes(bits)}, nil, nulls, 0))
}

func varlen[S string | []byte](dt arrow.DataType, values []S, valid []byte, nulls int) arrow.Array {
	if len(values) == 1 && nulls == 0 { // the vector shares the value's memory
		v := values[0]
		return types.NewVarlen(dt, []int32{0, int32(len(v))}, unsafe.Slice(unsafe.StringData(*(*string)(unsafe.Pointer(&v))), len(v)), valid, nulls)
	}
	size := 0
	for _, v := range values {
		size += len(v)
	}
	offsets, data := make([]int32, len(values)+1), make([]byte, 0, size)
	for i, v := range values {
		if nulls == 0 || bitutil.BitIsSet(valid, i) {
			data = append(data, v...)
		}
		offsets[i+1] = int32(len(data))
	}
	return types.NewVarlen(dt, offsets, data, valid, nulls)
}

// numericVector picks Dec64 when all values share a scale and fit.
func numericVector(values []types.Numeric, valid []byte, nulls int) arrow.Array {
	n, scale := len(values), int32(-1)
	dec := make([]int64, n)
	for i, v := range values {
		if nulls > 0 && !bitutil.BitIsSet(valid, i) {
			continue
		}
		u, s, ok := v.Int64()
		if !ok || scale >= 0 && s != scale {
			return numericBinary(values, valid, nulls)
		}
		dec[i], scale = u, s
	}
	return types.NewDec64Array(max(scale, 0), dec, valid, nulls)
}

func numericBinary(values []types.Numeric, valid []byte, nulls int) arrow.Array {
	offsets, data := make([]int32, len(values)+1), make([]byte, 0, 12*len(values))
	for i, v := range values {
		if nulls == 0 || bitutil.BitIsSet(valid, i) {
			data = v.AppendBinary(data)
		}
		offsets[i+1] = int32(len(data))
	}
	return types.NewVarlen(arrow.BinaryTypes.Binary, offsets, data, valid, nulls)
}
