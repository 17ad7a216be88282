package kernel

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Take gathers rows idx of a into a dense vector; −1 gives NULL. A coded vector stays coded.
func Take(a arrow.Array, idx []int32) arrow.Array { return TakeIn(nil, a, idx) }

// TakeIn is Take in m's memory.
func TakeIn(m *Arena, a arrow.Array, idx []int32) arrow.Array {
	if d, ok := a.(*array.Dictionary); ok {
		return takeCoded(m, d, idx)
	}
	n := len(idx)
	valid, nulls := takeValid(a, idx)
	dt := a.DataType()
	switch Width(dt) {
	case 1:
		return takeFixed[uint8](m, a, idx, valid, nulls)
	case 2:
		return takeFixed[uint16](m, a, idx, valid, nulls)
	case 4:
		return takeFixed[uint32](m, a, idx, valid, nulls)
	case 8:
		return takeFixed[uint64](m, a, idx, valid, nulls)
	case 12:
		return takeFixed[[12]byte](m, a, idx, valid, nulls)
	case 16:
		return takeFixed[[16]byte](m, a, idx, valid, nulls)
	}
	if dt.ID() == arrow.BOOL {
		out := make([]byte, BitmapLen(n))
		v := Bools(a)
		for i, j := range idx {
			if j >= 0 && v.Get(int(j)) {
				SetBit(out, i)
			}
		}
		return MakeBool(out, n, valid, nulls)
	}
	s := Strings(a)
	off := MakeIn[int32](m, n+1)
	off[0] = 0
	total := 0
	for i, j := range idx {
		if j >= 0 {
			total += int(s.off[j+1] - s.off[j])
		}
		if total > math.MaxInt32 {
			panic(pgerror.New(pgerror.ProgramLimitExceeded, "a column of one batch exceeds %d bytes", math.MaxInt32))
		}
		off[i+1] = int32(total)
	}
	data := MakeIn[byte](m, total)
	for i, j := range idx {
		if j >= 0 {
			copy(data[off[i]:], s.data[s.off[j]:s.off[j+1]])
		}
	}
	return types.NewVarlen(dt, off, data, valid, nulls)
}

func takeValid(a arrow.Array, idx []int32) ([]byte, int) {
	n, nulls := len(idx), 0
	var valid []byte
	v := Valid(a)
	if v.All() {
		low := int32(0)
		for _, j := range idx {
			low |= j
		}
		if low >= 0 {
			return nil, 0
		}
	}
	for i, j := range idx {
		if j < 0 || !v.Get(int(j)) {
			if valid == nil {
				valid = Ones(n)
			}
			ClearBit(valid, i)
			nulls++
		}
	}
	return valid, nulls
}

func takeFixed[T any](m *Arena, a arrow.Array, idx []int32, valid []byte, nulls int) arrow.Array {
	src := Values[T](a)
	out := MakeIn[T](m, len(idx))
	if nulls == 0 {
		for i, j := range idx {
			out[i] = src[j]
		}
	} else {
		var zero T
		for i, j := range idx {
			if out[i] = zero; j >= 0 {
				out[i] = src[j]
			}
		}
	}
	return MakeFixed(a.DataType(), out, valid, nulls)
}

// TakeCols gathers rows idx of every column there is.
func TakeCols(cols []arrow.Array, idx []int32) []arrow.Array {
	out := make([]arrow.Array, len(cols))
	for i, c := range cols {
		if c != nil {
			out[i] = Take(c, idx)
		}
	}
	return out
}

// Concat joins vectors of SQL type t into one. It may return its only
// non-empty input. Numeric vectors of different forms or scales become Binary.
func Concat(t types.T, parts []arrow.Array) arrow.Array {
	keep := parts[:0:0]
	n := 0
	for _, p := range parts {
		if p.Len() > 0 {
			keep = append(keep, Flatten(p))
			n += p.Len()
		}
	}
	switch len(keep) {
	case 0:
		return Nulls(t, 0)
	case 1:
		return keep[0]
	}
	parts = unifyNumeric(t, keep)
	dt := parts[0].DataType()
	var valid []byte
	nulls, at := 0, 0
	for _, p := range parts {
		if p.NullN() > 0 {
			if valid == nil {
				valid = Ones(n)
			}
			v := Valid(p)
			for i := range p.Len() {
				if !v.Get(i) {
					ClearBit(valid, at+i)
					nulls++
				}
			}
		}
		at += p.Len()
	}
	switch Width(dt) {
	case 1:
		return concatFixed[uint8](dt, parts, n, valid, nulls)
	case 2:
		return concatFixed[uint16](dt, parts, n, valid, nulls)
	case 4:
		return concatFixed[uint32](dt, parts, n, valid, nulls)
	case 8:
		return concatFixed[uint64](dt, parts, n, valid, nulls)
	case 12:
		return concatFixed[[12]byte](dt, parts, n, valid, nulls)
	case 16:
		return concatFixed[[16]byte](dt, parts, n, valid, nulls)
	}
	if dt.ID() == arrow.BOOL {
		out := make([]byte, BitmapLen(n))
		at = 0
		for _, p := range parts {
			v := Bools(p)
			for i := range p.Len() {
				if v.Get(i) {
					SetBit(out, at+i)
				}
			}
			at += p.Len()
		}
		return MakeBool(out, n, valid, nulls)
	}
	total := 0
	for _, p := range parts {
		s := Strings(p)
		total += int(s.off[p.Len()] - s.off[0])
	}
	if total > math.MaxInt32 {
		panic(pgerror.New(pgerror.ProgramLimitExceeded, "a column of an operator's input exceeds %d bytes", math.MaxInt32))
	}
	off, data := make([]int32, 1, n+1), make([]byte, 0, total)
	for _, p := range parts {
		s := Strings(p)
		base := int32(len(data)) - s.off[0]
		for _, o := range s.off[1:] {
			off = append(off, o+base)
		}
		data = append(data, s.data[s.off[0]:s.off[p.Len()]]...)
	}
	return types.NewVarlen(dt, off, data, valid, nulls)
}

func concatFixed[T any](dt arrow.DataType, parts []arrow.Array, n int, valid []byte, nulls int) arrow.Array {
	out := make([]T, 0, n)
	for _, p := range parts {
		out = append(out, Values[T](p)...)
	}
	return MakeFixed(dt, out, valid, nulls)
}

// unifyNumeric gives vectors of one column one physical form.
func unifyNumeric(t types.T, parts []arrow.Array) []arrow.Array {
	if t.OID != types.NumericOID || t.Class != types.ClassBase {
		return parts
	}
	scale, same := int32(-1), true
	for _, p := range parts {
		if p.NullN() == p.Len() {
			continue
		}
		d, ok := p.(*types.Dec64Array)
		if !ok || (scale >= 0 && d.Scale() != scale) {
			same = false
			break
		}
		scale = d.Scale()
	}
	out := make([]arrow.Array, len(parts))
	for i, p := range parts {
		_, dec := p.(*types.Dec64Array)
		switch {
		case same && dec && p.(*types.Dec64Array).Scale() == max(scale, 0):
			out[i] = p
		case same: // all NULL
			out[i] = types.NewDec64Array(max(scale, 0), make([]int64, p.Len()), make([]byte, BitmapLen(p.Len())), p.Len())
		default:
			out[i] = NumericBinary(p)
		}
	}
	return out
}

// NumericBinary is a numeric vector in Binary form.
func NumericBinary(a arrow.Array) arrow.Array {
	d, ok := a.(*types.Dec64Array)
	if !ok {
		return a
	}
	n := d.Len()
	off, data := make([]int32, 1, n+1), make([]byte, 0, n*8)
	vals, v, scale := d.Int64Values(), Valid(a), d.Scale()
	var valid []byte
	if a.NullN() > 0 {
		valid = Ones(n)
	}
	for i := range n {
		if v.Get(i) {
			data = types.NumericFromInt64(vals[i], scale).AppendBinary(data)
		} else {
			ClearBit(valid, i)
		}
		off = append(off, int32(len(data)))
	}
	return types.NewVarlen(arrow.BinaryTypes.Binary, off, data, valid, a.NullN())
}
