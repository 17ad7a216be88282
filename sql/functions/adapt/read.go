package adapt

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
)

// cast views a slice as a slice of another type of the same layout.
func cast[A, S any](s []S) []A { return *(*[]A)(unsafe.Pointer(&s)) }

// Values reads a vector of type t as a slice of Go forms, without copying where
// the layouts agree. Rows that are NULL hold unspecified (but valid) values.
func Values[A any](t types.T, arr arrow.Array) []A {
	if d, ok := arr.(*array.Dictionary); ok {
		dict := Values[A](t, d.Dictionary())
		out := make([]A, d.Len())
		for i := range out {
			if d.IsValid(i) {
				out[i] = dict[d.GetValueIndex(i)]
			}
		}
		return out
	}
	var zero A
	n := arr.Len()
	switch any(&zero).(type) {
	case *types.Datum:
		out := make([]types.Datum, n)
		for i := range out {
			out[i] = types.Get(t, arr, i)
		}
		return cast[A](out)
	case *bool:
		a := arr.(*array.Boolean)
		out := make([]bool, n)
		for i := range out {
			out[i] = a.Value(i)
		}
		return cast[A](out)
	case *byte:
		return cast[A](arr.(*array.Uint8).Uint8Values())
	case *int16:
		return cast[A](arr.(*array.Int16).Int16Values())
	case *int32:
		return cast[A](arr.(*array.Int32).Int32Values())
	case *int64:
		return cast[A](arr.(*array.Int64).Int64Values())
	case *float32:
		return cast[A](arr.(*array.Float32).Float32Values())
	case *float64:
		return cast[A](arr.(*array.Float64).Float64Values())
	case *types.OID:
		return cast[A](arr.(*array.Uint32).Uint32Values())
	case *uint64:
		return cast[A](arr.(*array.Uint64).Uint64Values())
	case *types.Date:
		return cast[A](arr.(*array.Date32).Date32Values())
	case *types.Time:
		return cast[A](arr.(*array.Time64).Time64Values())
	case *types.Timestamp:
		return cast[A](arr.(*array.Timestamp).TimestampValues())
	case *types.Numeric:
		return cast[A](numerics(arr))
	case *string:
		a := arr.(*array.String)
		out := make([]string, n)
		for i := range out {
			out[i] = a.Value(i)
		}
		return cast[A](out)
	case *[]byte, *types.JSONB:
		a := arr.(*array.Binary)
		out := make([][]byte, n)
		for i := range out {
			out[i] = a.Value(i)
		}
		return cast[A](out)
	case *types.UUID:
		a := arr.(*array.FixedSizeBinary)
		out := make([]types.UUID, n)
		for i := range out {
			copy(out[i][:], a.Value(i))
		}
		return cast[A](out)
	case *types.TimeTZ:
		a := arr.(*array.FixedSizeBinary)
		out := make([]types.TimeTZ, n)
		for i := range out {
			b := a.Value(i)
			out[i] = types.TimeTZ{Micros: int64(binary.LittleEndian.Uint64(b)), Zone: int32(binary.LittleEndian.Uint32(b[8:]))}
		}
		return cast[A](out)
	case *types.Interval:
		a := arr.(*array.FixedSizeBinary)
		out := make([]types.Interval, n)
		for i := range out {
			b := a.Value(i)
			out[i] = types.Interval{Months: int32(binary.LittleEndian.Uint32(b)), Days: int32(binary.LittleEndian.Uint32(b[4:])),
				Micros: int64(binary.LittleEndian.Uint64(b[8:]))}
		}
		return cast[A](out)
	case *types.Unit:
		return make([]A, n)
	case **types.Array, **types.Record:
		out := make([]A, n)
		for i := range out {
			if d := types.Get(t, arr, i); d != nil {
				out[i] = d.(A)
			}
		}
		return out
	}
	panic(fmt.Sprintf("adapt: no vector form for Go type %T", zero))
}

func numerics(arr arrow.Array) []types.Numeric {
	out := make([]types.Numeric, arr.Len())
	if a, ok := arr.(*types.Dec64Array); ok {
		scale := a.Scale()
		for i, u := range a.Int64Values() {
			out[i] = types.NumericFromInt64(u, scale)
		}
		return out
	}
	a := arr.(*array.Binary)
	for i := range out {
		if a.IsValid(i) {
			out[i] = types.NumericFromBinary(a.Value(i))
		}
	}
	return out
}
