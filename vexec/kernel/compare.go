package kernel

import (
	"bytes"
	"cmp"
	"math"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// RowCompare compares row i of one vector with row j of another, both not NULL.
type RowCompare func(i, j int) int

// Comparer gives the default btree order of type t between rows of a and rows of b.
func Comparer(env *types.Env, t types.T, a, b arrow.Array) RowCompare {
	if t.Class == types.ClassBase {
		switch t.OID {
		case types.Bool:
			x, y := Bools(a), Bools(b)
			return func(i, j int) int { return cmp.Compare(b2i(x.Get(i)), b2i(y.Get(j))) }
		case types.Char:
			return ordered[uint8](a, b)
		case types.Int2:
			return ordered[int16](a, b)
		case types.Int4, types.DateOID:
			return ordered[int32](a, b)
		case types.Int8, types.TimestampOID, types.TimestampTZOID, types.TimeOID:
			return ordered[int64](a, b)
		case types.Oid, types.RegProc, types.RegClass, types.RegType:
			return ordered[uint32](a, b)
		case types.Float4:
			x, y := Values[float32](a), Values[float32](b)
			return func(i, j int) int { return CompareFloat(float64(x[i]), float64(y[j])) }
		case types.Float8:
			x, y := Values[float64](a), Values[float64](b)
			return func(i, j int) int { return CompareFloat(x[i], y[j]) }
		case types.Text, types.VarChar, types.Name, types.Bytea, types.Bit, types.VarBit:
			x, y := Strings(a), Strings(b)
			return func(i, j int) int { return bytes.Compare(x.At(i), y.At(j)) }
		case types.BPChar:
			x, y := Strings(a), Strings(b)
			return func(i, j int) int { return bytes.Compare(TrimBlanks(x.At(i)), TrimBlanks(y.At(j))) }
		case types.UUIDOID:
			x, y := Values[[16]byte](a), Values[[16]byte](b)
			return func(i, j int) int { return bytes.Compare(x[i][:], y[j][:]) }
		case types.NumericOID:
			p, ok1 := a.(*types.Dec64Array)
			q, ok2 := b.(*types.Dec64Array)
			if ok1 && ok2 && p.Scale() == q.Scale() {
				return ordered[int64](a, b)
			}
			x, y := numericsOf(a), numericsOf(b)
			return func(i, j int) int { return x.at(i).Cmp(y.at(j)) }
		}
	}
	return func(i, j int) int { return types.Compare(env, t, types.Get(t, a, i), types.Get(t, b, j)) }
}

// numerics reads a numeric vector of either form.
type numerics struct {
	dec    []int64
	scale  int32
	binary Strs
}

func numericsOf(a arrow.Array) numerics {
	if d, ok := a.(*types.Dec64Array); ok {
		return numerics{dec: d.Int64Values(), scale: d.Scale()}
	}
	return numerics{binary: Strings(a)}
}

// at is value i, anything at a NULL.
func (v *numerics) at(i int) types.Numeric {
	if v.dec != nil {
		return types.NumericFromInt64(v.dec[i], v.scale)
	}
	return types.NumericFromBinary(v.binary.At(i))
}

func ordered[T cmp.Ordered](a, b arrow.Array) RowCompare {
	x, y := Values[T](a), Values[T](b)
	return func(i, j int) int {
		if x[i] < y[j] {
			return -1
		}
		if x[i] > y[j] {
			return 1
		}
		return 0
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompareFloat orders as PostgreSQL does: NaN equals itself and is greatest.
func CompareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	return b2i(math.IsNaN(x)) - b2i(math.IsNaN(y))
}

// TrimBlanks is b without trailing blanks.
func TrimBlanks(b []byte) []byte {
	n := len(b)
	for n > 0 && b[n-1] == ' ' {
		n--
	}
	return b[:n]
}

// SortSpec is how one sort key orders.
type SortSpec struct {
	Type       types.T
	Descending bool
	NullsFirst bool
}

// SortComparer compares rows of a and b by spec, NULLs included.
func SortComparer(env *types.Env, spec SortSpec, a, b arrow.Array) RowCompare {
	c := Comparer(env, spec.Type, a, b)
	if spec.Descending {
		asc := c
		c = func(i, j int) int { return -asc(i, j) }
	}
	if a.NullN() == 0 && b.NullN() == 0 {
		return c
	}
	va, vb := Valid(a), Valid(b)
	nullFirst := 1
	if spec.NullsFirst {
		nullFirst = -1
	}
	return func(i, j int) int {
		x, y := va.Get(i), vb.Get(j)
		switch {
		case x && y:
			return c(i, j)
		case x == y:
			return 0
		case !x:
			return nullFirst
		}
		return -nullFirst
	}
}

// SortPrefix maps each row of a to a number that orders as spec does as far as
// it goes: a smaller number sorts first; equal numbers need the comparer unless exact.
func SortPrefix(spec SortSpec, a arrow.Array) (prefix []uint64, exact bool) {
	n := a.Len()
	p := make([]uint64, n)
	exact = a.NullN() == 0
	if spec.Type.Class != types.ClassBase {
		exact = false
		return nullPrefix(spec, a, p), exact
	}
	switch spec.Type.OID {
	case types.Bool:
		v := Bools(a)
		for i := range p {
			p[i] = uint64(b2i(v.Get(i)))
		}
	case types.Char:
		fill(p, Values[uint8](a), func(x uint8) uint64 { return uint64(x) })
	case types.Int2:
		fill(p, Values[int16](a), func(x int16) uint64 { return uint64(x) ^ 1<<63 })
	case types.Int4, types.DateOID:
		fill(p, Values[int32](a), func(x int32) uint64 { return uint64(x) ^ 1<<63 })
	case types.Int8, types.TimestampOID, types.TimestampTZOID, types.TimeOID:
		fill(p, Values[int64](a), func(x int64) uint64 { return uint64(x) ^ 1<<63 })
	case types.Oid, types.RegProc, types.RegClass, types.RegType:
		fill(p, Values[uint32](a), func(x uint32) uint64 { return uint64(x) })
	case types.Float4:
		fill(p, Values[float32](a), func(x float32) uint64 { return floatPrefix(float64(x)) })
	case types.Float8:
		fill(p, Values[float64](a), floatPrefix)
	case types.NumericOID:
		if _, ok := a.(*types.Dec64Array); !ok {
			exact = false
			v := numericsOf(a)
			for i := range p {
				p[i] = v.at(i).SortPrefix()
			}
			break
		}
		fill(p, Values[int64](a), func(x int64) uint64 { return uint64(x) ^ 1<<63 })
	case types.Text, types.VarChar, types.Name, types.Bytea, types.BPChar, types.Bit, types.VarBit:
		// bytea and bit strings may have zeros, which the prefix is filled up with
		exact = exact && spec.Type.OID != types.Bytea && spec.Type.OID != types.Bit && spec.Type.OID != types.VarBit
		s := Strings(a)
		bp := spec.Type.OID == types.BPChar
		for i := range p {
			b := s.At(i)
			if bp {
				b = TrimBlanks(b)
			}
			var x uint64
			exact = exact && len(b) <= 8
			if len(b) >= 8 {
				x = uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32 | uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
			} else {
				for k, c := range b {
					x |= uint64(c) << (56 - 8*k)
				}
			}
			p[i] = x
		}
	default:
		exact = false
		return nullPrefix(spec, a, p), exact
	}
	if spec.Descending {
		for i := range p {
			p[i] = ^p[i]
		}
	}
	return nullPrefix(spec, a, p), exact
}

// nullPrefix gives NULLs the end of the range they sort at. Values there may
// share it, so prefixes of vectors with NULLs are not exact.
func nullPrefix(spec SortSpec, a arrow.Array, p []uint64) []uint64 {
	if a.NullN() == 0 {
		return p
	}
	v := Valid(a)
	at := ^uint64(0)
	if spec.NullsFirst {
		at = 0
	}
	for i := range p {
		if !v.Get(i) {
			p[i] = at
		}
	}
	return p
}

func fill[T any](p []uint64, src []T, f func(T) uint64) {
	for i, x := range src {
		p[i] = f(x)
	}
}

func floatPrefix(x float64) uint64 {
	if math.IsNaN(x) {
		return ^uint64(0)
	}
	if x == 0 {
		x = 0 // −0
	}
	b := math.Float64bits(x)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}
