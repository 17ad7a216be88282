package kernel

import (
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
)

// Bits views a bitmap; the zero Bits is all ones.
type Bits struct {
	b   []byte
	off int
}

// Get is bit i.
func (v Bits) Get(i int) bool {
	if v.b == nil {
		return true
	}
	i += v.off
	return v.b[i>>3]&(1<<(i&7)) != 0
}

// All says that every bit is one without looking (no bitmap).
func (v Bits) All() bool { return v.b == nil }

// Valid views the validity of a: bit 1 is not NULL.
func Valid(a arrow.Array) Bits {
	if a.NullN() == 0 {
		return Bits{}
	}
	return Bits{a.NullBitmapBytes(), a.Data().Offset()}
}

// Bools views the values of a bool vector.
func Bools(a arrow.Array) Bits {
	d := a.Data()
	if d.Len() == 0 {
		return Bits{}
	}
	return Bits{d.Buffers()[1].Bytes(), d.Offset()}
}

// Values views the values of a fixed-width vector whose values have T's size.
func Values[T any](a arrow.Array) []T {
	return rawValues[T](a.Data())
}

// bytesOf is s as bytes, shared.
func bytesOf[T any](s []T) []byte {
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(z)))
}

// Strs views a String or Binary vector.
type Strs struct {
	off  []int32
	data []byte
}

// Strings views a String or Binary vector.
func Strings(a arrow.Array) Strs {
	d := a.Data()
	if d.Len() == 0 {
		return Strs{off: []int32{0}}
	}
	ob := d.Buffers()[1].Bytes()
	off := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(ob))), len(ob)/4)
	var data []byte
	if b := d.Buffers()[2]; b != nil {
		data = b.Bytes()
	}
	return Strs{off[d.Offset() : d.Offset()+d.Len()+1], data}
}

// At is value i; shared.
func (s Strs) At(i int) []byte { return s.data[s.off[i]:s.off[i+1]:s.off[i+1]] }

// Total is the bytes of some values.
func (s Strs) Total(rows []int32) int {
	n := 0
	for _, r := range rows {
		n += int(s.off[r+1] - s.off[r])
	}
	return n
}

// Span is the bytes of values lo … hi−1.
func (s Strs) Span(lo, hi int) int { return int(s.off[hi] - s.off[lo]) }

// Str is value i as a string that shares the vector's memory.
func (s Strs) Str(i int) string {
	b := s.data[s.off[i]:s.off[i+1]]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// bytesString is b as a string, shared.
func bytesString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Width is the bytes of one value of a fixed-width type other than bool, else 0.
func Width(dt arrow.DataType) int {
	switch t := dt.(type) {
	case *types.Dec64Type:
		return 8
	case *arrow.BooleanType:
		return 0
	case arrow.FixedWidthDataType:
		if dt.ID() == arrow.DICTIONARY {
			return 0
		}
		return t.BitWidth() / 8
	}
	return 0
}

// Bytes estimates the memory a vector's rows take.
func Bytes(a arrow.Array) int64 {
	n := int64(a.Len())
	size := n / 8
	switch w := Width(a.DataType()); {
	case w > 0:
		size += n * int64(w)
	case a.DataType().ID() == arrow.BOOL:
		size += n / 8
	case IsCoded(a):
		size += 4 * n
	case n > 0:
		s := Strings(a)
		size += 4*n + int64(s.off[n]-s.off[0])
	}
	return size + 64
}

// MakeFixed wraps values as a vector of dt, whose values have T's size.
// valid is nil or a bitmap; nulls its count of zeros.
func MakeFixed[T any](dt arrow.DataType, values []T, valid []byte, nulls int) arrow.Array {
	if d, ok := dt.(*types.Dec64Type); ok {
		b := bytesOf(values)
		return types.NewDec64Array(d.Scale, unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(b))), len(values)), valid, nulls)
	}
	return types.NewFixed(dt, bytesOf(values), len(values), valid, nulls)
}

// MakeBool wraps a bitmap of n values as a bool vector.
func MakeBool(values []byte, n int, valid []byte, nulls int) arrow.Array {
	return types.NewFixed(arrow.FixedWidthTypes.Boolean, values, n, valid, nulls)
}

// BitmapLen is the bytes of a bitmap of n bits.
func BitmapLen(n int) int { return (n + 7) / 8 }

// SetBit and ClearBit change bit i.
func SetBit(b []byte, i int)   { b[i>>3] |= 1 << (i & 7) }
func ClearBit(b []byte, i int) { b[i>>3] &^= 1 << (i & 7) }

// Ones is a bitmap of n ones.
func Ones(n int) []byte {
	b := make([]byte, BitmapLen(n))
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// Nulls is a vector of n NULLs of type t.
func Nulls(t types.T, n int) arrow.Array {
	dt := types.ArrowType(t)
	valid := make([]byte, BitmapLen(n))
	if n == 0 {
		valid = nil
	}
	if w := Width(dt); w > 0 {
		return types.NewFixed(dt, make([]byte, n*w), n, valid, n)
	}
	if dt.ID() == arrow.BOOL {
		return types.NewFixed(dt, make([]byte, BitmapLen(n)), n, valid, n)
	}
	return types.NewVarlen(dt, make([]int32, n+1), nil, valid, n)
}

// Slice is rows lo … hi−1 of a; shared.
func Slice(a arrow.Array, lo, hi int) arrow.Array {
	if lo == 0 && hi == a.Len() {
		return a
	}
	return array.NewSlice(a, int64(lo), int64(hi))
}
