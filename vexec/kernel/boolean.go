package kernel

import (
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// TrueRows lists the rows of a bool vector that are true (not false, not NULL), in m's memory.
func TrueRows(m *Arena, a arrow.Array) []int32 {
	n := a.Len()
	out := MakeIn[int32](m, n)[:0]
	v, ok := Bools(a), Valid(a)
	for i := 0; i < n; i += 64 {
		out = appendOnes(out, v.Word(i, n)&ok.Word(i, n), i)
	}
	return out
}

// SelectTrue lists the positions that are true.
func SelectTrue(hit []bool) []int32 {
	out := make([]int32, len(hit))
	m := 0
	for i, h := range hit {
		out[m] = int32(i)
		m += b2i(h)
	}
	return out[:m]
}

// SplitRows separates the rows that are true from the others.
func SplitRows(a arrow.Array) (yes, no []int32) {
	n := a.Len()
	yes, no = make([]int32, 0, n), make([]int32, 0, n)
	v, ok := Bools(a), Valid(a)
	for i := 0; i < n; i += 64 {
		w := v.Word(i, n) & ok.Word(i, n)
		yes, no = appendOnes(yes, w, i), appendOnes(no, ^w&Bits{}.Word(i, n), i)
	}
	return yes, no
}

// Not negates; NULL stays NULL.
func Not(a arrow.Array) arrow.Array {
	n := a.Len()
	v := Bools(a)
	out, _ := mapWords(n, func(i int) uint64 { return ^v.Word(i, n) & Bits{}.Word(i, n) })
	return MakeBool(out, n, copyValid(a), a.NullN())
}

// copyValid is a's validity as a bitmap from bit 0, nil when there are no NULLs.
func copyValid(a arrow.Array) []byte {
	if a.NullN() == 0 {
		return nil
	}
	return copyBits(Valid(a), a.Len())
}

// BoolsFromStates makes a bool vector of bytes 0 (false), 1 (true), 2 (NULL).
func BoolsFromStates(state []byte) arrow.Array {
	n := len(state)
	out := make([]byte, BitmapLen(n))
	var valid []byte
	nulls := 0
	for i, s := range state {
		switch s {
		case 1:
			SetBit(out, i)
		case 2:
			if valid == nil {
				valid = Ones(n)
			}
			ClearBit(valid, i)
			nulls++
		}
	}
	return MakeBool(out, n, valid, nulls)
}

// MaskNulls is v with NULL also where any of by is NULL. It shares v's values.
func MaskNulls(v arrow.Array, by []arrow.Array) arrow.Array {
	any := false
	for _, a := range by {
		if a.NullN() > 0 {
			any = true
		}
	}
	if !any {
		return v
	}
	n := v.Len()
	valid, nulls := CombineValid(n, append([]arrow.Array{v}, by...))
	d := v.Data()
	// the bitmap must have the offset of the other buffers
	if d.Offset() > 0 {
		shifted := make([]byte, BitmapLen(n+d.Offset()))
		for i := range n {
			if valid[i>>3]&(1<<(i&7)) != 0 {
				SetBit(shifted, i+d.Offset())
			}
		}
		valid = shifted
	}
	bufs := append([]*memory.Buffer{memory.NewBufferBytes(valid)}, d.Buffers()[1:]...)
	return array.MakeFromData(array.NewData(v.DataType(), n, bufs, nil, nulls, d.Offset()))
}

// CombineValid intersects the validity of vectors of n rows: nil when no row is NULL in any.
func CombineValid(n int, as []arrow.Array) (valid []byte, nulls int) {
	for _, a := range as {
		if a.NullN() == 0 {
			continue
		}
		c := copyValid(a)
		if valid == nil {
			valid = c
			continue
		}
		for i := range valid {
			valid[i] &= c[i]
		}
	}
	if valid == nil {
		return nil, 0
	}
	ones := 0
	for i, b := range valid {
		if rest := n - i*8; rest < 8 {
			b &= 1<<rest - 1
		}
		ones += bits.OnesCount8(b)
	}
	return valid, n - ones
}
