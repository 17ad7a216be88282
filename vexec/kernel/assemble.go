package kernel

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// AssembleIn makes a vector of n rows of SQL type t, in m's memory, from vectors over disjoint sets of its rows:
// value i of vecs[k] goes to row rows[k][i] (rows[k] nil: to row i). Rows in no set are NULL.
// Numeric vectors of different forms or scales become Binary.
func AssembleIn(m *Arena, t types.T, n int, rows [][]int32, vecs []arrow.Array) arrow.Array {
	var parts []arrow.Array
	var places [][]int32
	same := true
	for k, v := range vecs {
		if v.NullN() == v.Len() {
			continue // a form that says nothing
		}
		parts, places = append(parts, Flatten(v)), append(places, rows[k])
		same = same && arrow.TypeEqual(parts[len(parts)-1].DataType(), parts[0].DataType())
	}
	if rows = places; len(parts) == 0 {
		return Nulls(t, n)
	}
	if !same && t.OID == types.NumericOID && t.Class == types.ClassBase {
		return assembleNumeric(m, n, rows, parts)
	}
	if same {
		switch dt := parts[0].DataType(); Width(dt) {
		case 1:
			return assembleFixed[uint8](m, dt, n, rows, parts)
		case 2:
			return assembleFixed[uint16](m, dt, n, rows, parts)
		case 4:
			return assembleFixed[uint32](m, dt, n, rows, parts)
		case 8:
			return assembleFixed[uint64](m, dt, n, rows, parts)
		case 12:
			return assembleFixed[[12]byte](m, dt, n, rows, parts)
		case 16:
			return assembleFixed[[16]byte](m, dt, n, rows, parts)
		}
	}
	from := MakeIn[int32](m, n)
	for i := range from {
		from[i] = -1
	}
	at := int32(0)
	for k, p := range parts {
		for i := range p.Len() {
			from[rowOf(rows[k], i)] = at + int32(i)
		}
		at += int32(p.Len())
	}
	return TakeIn(m, Concat(t, parts), from)
}

func rowOf(rows []int32, i int) int {
	if rows == nil {
		return i
	}
	return int(rows[i])
}

// assembledNulls are the rows that no set has, or with a NULL.
func assembledNulls(n int, rows [][]int32, parts []arrow.Array) (valid []byte, nulls int) {
	given := 0
	for _, p := range parts {
		given += p.Len()
		nulls += p.NullN()
	}
	if given == n && nulls == 0 {
		return nil, 0
	}
	valid, nulls = make([]byte, BitmapLen(n)), n
	for k, p := range parts {
		v := Valid(p)
		for i := range p.Len() {
			if v.Get(i) {
				SetBit(valid, rowOf(rows[k], i))
				nulls--
			}
		}
	}
	return valid, nulls
}

func assembleFixed[T any](m *Arena, dt arrow.DataType, n int, rows [][]int32, parts []arrow.Array) arrow.Array {
	valid, nulls := assembledNulls(n, rows, parts)
	out := MakeIn[T](m, n)
	if nulls > 0 {
		clear(out)
	}
	for k, p := range parts {
		x := Values[T](p)
		if rows[k] == nil {
			copy(out, x)
			continue
		}
		for i, r := range rows[k] {
			out[r] = x[i]
		}
	}
	return MakeFixed(dt, out, valid, nulls)
}

// assembleNumeric is AssembleIn of numerics of several forms.
func assembleNumeric(m *Arena, n int, rows [][]int32, parts []arrow.Array) arrow.Array {
	type place struct{ part, at int32 }
	from := make([]place, n)
	total := 0
	xs, strs, scales := make([][]int64, len(parts)), make([]Strs, len(parts)), make([]int32, len(parts))
	for k, p := range parts {
		if d, ok := p.(*types.Dec64Array); ok {
			xs[k], scales[k] = d.Int64Values(), d.Scale()
			total += types.NumericSmallBytes * p.Len()
		} else if b, ok := p.(*array.Binary); ok {
			strs[k] = Strings(b)
			total += strs[k].Span(0, p.Len())
		}
		for i := range p.Len() {
			from[rowOf(rows[k], i)] = place{int32(k), int32(i)}
		}
	}
	if total > math.MaxInt32 {
		panic(pgerror.New(pgerror.ProgramLimitExceeded, "a column of one batch exceeds %d bytes", math.MaxInt32))
	}
	valid, nulls := assembledNulls(n, rows, parts)
	v := Bits{}
	if nulls > 0 {
		v.b = valid
	}
	off, data := MakeIn[int32](m, n+1), MakeIn[byte](m, total)[:0]
	off[0] = 0
	for i, f := range from {
		if v.Get(i) {
			if x := xs[f.part]; x != nil {
				data = types.NumericFromInt64(x[f.at], scales[f.part]).AppendBinary(data)
			} else {
				data = append(data, strs[f.part].At(int(f.at))...)
			}
		}
		off[i+1] = int32(len(data))
	}
	return types.NewVarlen(arrow.BinaryTypes.Binary, off, data, valid, nulls)
}
