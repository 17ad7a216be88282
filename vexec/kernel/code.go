package kernel

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
)

// Code gives a plain vector of strings with at most so many different values dictionary-coded,
// in memory of its own; any other vector as it is. Several goroutines may use the result.
func Code(a arrow.Array, most int) arrow.Array {
	if a.DataType().ID() != arrow.STRING || a.Len() == 0 {
		return a
	}
	c := coder{seen: make(map[string]int32, min(most, 64)), offs: []int32{0}, most: most}
	if !c.add(a) || len(c.seen) == 0 {
		return a
	}
	return c.vector(types.NewVarlen(a.DataType(), c.offs, c.data, nil, 0).Data(), a)
}

// Append is the rows of a and then those of b, of type t: dictionary-coded if a is and its dictionary,
// which is shared where b has no other values, has at most so many entries then; else plain.
func Append(t types.T, a, b arrow.Array, most int) arrow.Array {
	if !IsCoded(a) || IsCoded(b) {
		return Concat(t, []arrow.Array{a, b})
	}
	id := DictionaryID(a)
	words := Strings(array.MakeFromData(id))
	c := coder{seen: make(map[string]int32, id.Len()), codes: slices.Grow(slices.Clone(CodesOf(a).Codes), b.Len()), most: most}
	for i := range id.Len() {
		x := words.At(i)
		c.seen[string(x)] = int32(i)
		c.data = append(c.data, x...)
		c.offs = append(c.offs, int32(len(c.data)-len(x)))
	}
	c.offs = append(c.offs, int32(len(c.data)))
	if !c.add(b) {
		return Concat(t, []arrow.Array{a, b})
	}
	if len(c.offs)-1 > id.Len() {
		id = types.NewVarlen(id.DataType(), c.offs, c.data, nil, 0).Data()
	}
	return c.vector(id, a, b)
}

// coder makes the codes of strings and their dictionary.
type coder struct {
	seen  map[string]int32
	codes []int32
	offs  []int32
	data  []byte
	most  int
}

// add adds rows; false: there are too many values.
func (c *coder) add(a arrow.Array) bool {
	s, v := Strings(a), Valid(a)
	for i := range a.Len() {
		if !v.Get(i) {
			c.codes = append(c.codes, 0)
			continue
		}
		x := s.At(i)
		k, ok := c.seen[string(x)]
		if !ok {
			if k = int32(len(c.offs) - 1); int(k) >= c.most {
				return false
			}
			c.seen[string(x)] = k
			c.data = append(c.data, x...)
			c.offs = append(c.offs, int32(len(c.data)))
		}
		c.codes = append(c.codes, k)
	}
	return true
}

// vector is the coded vector; parts have its NULLs.
func (c *coder) vector(id arrow.ArrayData, parts ...arrow.Array) arrow.Array {
	var valid []byte
	nulls, at := 0, 0
	for _, p := range parts {
		if v := Valid(p); !v.All() {
			if valid == nil {
				valid = Ones(len(c.codes))
			}
			for i := range p.Len() {
				if !v.Get(i) {
					ClearBit(valid, at+i)
					nulls++
				}
			}
		}
		at += p.Len()
	}
	out := MakeCoded(c.codes, id, valid, nulls)
	out.(*array.Dictionary).Dictionary() // made at the first call, which several goroutines may be the first to make
	return out
}
