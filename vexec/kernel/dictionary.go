package kernel

import (
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
)

// Coded views a dictionary-coded vector: value i is row Codes[i] of Dict(). Vectors
// with the same ID have the same dictionary, so what is computed of it once serves
// all of them. Values of a dictionary need not be distinct.
type Coded struct {
	Codes []int32 // undefined at NULLs
	Valid Bits
	ID    arrow.ArrayData
}

// Dict is the dictionary. (Not the vector's own method, which fills a field of it
// and so is not for vectors that several workers see.)
func (c Coded) Dict() arrow.Array { return array.MakeFromData(c.ID) }

// IsCoded reports whether a is dictionary-coded.
func IsCoded(a arrow.Array) bool {
	_, ok := a.(*array.Dictionary)
	return ok
}

// DictionaryID identifies the dictionary of a coded vector, nil for a plain one.
func DictionaryID(a arrow.Array) arrow.ArrayData {
	if d, ok := a.(*array.Dictionary); ok {
		return d.Data().Dictionary()
	}
	return nil
}

// CodesOf views a coded vector. REQUIRES: IsCoded(a).
func CodesOf(a arrow.Array) Coded {
	d := a.(*array.Dictionary)
	return Coded{Codes: codes(d), Valid: Valid(a), ID: d.Data().Dictionary()}
}

// codes are the positions in the dictionary; shared where they are 32 bits wide.
func codes(d *array.Dictionary) []int32 {
	switch d.Indices().DataType().ID() {
	case arrow.INT32, arrow.UINT32:
		return rawValues[int32](d.Data())
	case arrow.INT8, arrow.UINT8:
		return widenCodes(rawValues[uint8](d.Data()))
	case arrow.INT16, arrow.UINT16:
		return widenCodes(rawValues[uint16](d.Data()))
	}
	out := make([]int32, d.Len())
	for i, x := range rawValues[uint64](d.Data()) {
		out[i] = int32(x)
	}
	return out
}

func widenCodes[T uint8 | uint16](src []T) []int32 {
	out := make([]int32, len(src))
	for i, x := range src {
		out[i] = int32(x)
	}
	return out
}

// rawValues views the fixed-width buffer of a vector's data.
func rawValues[T any](d arrow.ArrayData) []T {
	if d.Len() == 0 {
		return nil
	}
	b := d.Buffers()[1].Bytes()
	var z T
	s := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(z)))
	return s[d.Offset() : d.Offset()+d.Len()]
}

// MakeCoded makes a coded vector over a dictionary; valid and nulls as in MakeFixed.
// Vectors made with one id have it as theirs.
func MakeCoded(codes []int32, id arrow.ArrayData, valid []byte, nulls int) arrow.Array {
	idx := types.NewFixed(arrow.PrimitiveTypes.Int32, bytesOf(codes), len(codes), valid, nulls).Data().(*array.Data)
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: id.DataType()}
	return array.NewDictionaryData(array.NewDataWithDictionary(dt, len(codes), idx.Buffers(), nulls, 0, id.(*array.Data)))
}

// CodedBy is the plain vector a with itself as dictionary: codes are 0, 1, 2 ….
func CodedBy(codes []int32, a arrow.Array) arrow.Array {
	var valid []byte
	if v := Valid(a); !v.All() {
		valid = Ones(a.Len())
		for i := range codes {
			if !v.Get(i) {
				ClearBit(valid, i)
			}
		}
	}
	return MakeCoded(codes, a.Data(), valid, a.NullN())
}

// takeCoded gathers rows idx of a coded vector; −1 gives NULL. It stays coded.
func takeCoded(m *Arena, d *array.Dictionary, idx []int32) arrow.Array {
	valid, nulls := takeValid(d, idx)
	src, out := codes(d), MakeIn[int32](m, len(idx))
	if nulls == 0 {
		for i, j := range idx {
			out[i] = src[j]
		}
	} else {
		for i, j := range idx {
			if out[i] = 0; j >= 0 {
				out[i] = src[j]
			}
		}
	}
	return MakeCoded(out, d.Data().Dictionary(), valid, nulls)
}

// Flatten is a without dictionary coding.
func Flatten(a arrow.Array) arrow.Array { return FlattenRows(a, nil) }

// FlattenRows gathers rows sel (nil: all) of a without dictionary coding.
func FlattenRows(a arrow.Array, sel []int32) arrow.Array { return FlattenRowsIn(nil, a, sel) }

// FlattenRowsIn is FlattenRows in m's memory.
func FlattenRowsIn(m *Arena, a arrow.Array, sel []int32) arrow.Array {
	d, ok := a.(*array.Dictionary)
	if !ok {
		if sel == nil {
			return a
		}
		return TakeIn(m, a, sel)
	}
	src, valid := codes(d), Valid(a)
	if sel == nil && valid.All() {
		return TakeIn(m, array.MakeFromData(d.Data().Dictionary()), src)
	}
	n := len(sel)
	if sel == nil {
		n = d.Len()
	}
	idx := MakeIn[int32](m, n)
	for i := range idx {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		if r < 0 || !valid.Get(r) {
			idx[i] = -1
		} else {
			idx[i] = src[r]
		}
	}
	return TakeIn(m, array.MakeFromData(d.Data().Dictionary()), idx)
}

// ConcatCoded is Concat that keeps vectors coded where all of them are and their
// dictionaries together are much smaller than their rows.
func ConcatCoded(t types.T, parts []arrow.Array) arrow.Array {
	rows, words := 0, 0
	bases := map[arrow.ArrayData]int32{}
	var ids []arrow.ArrayData
	for _, p := range parts {
		if p.Len() == 0 {
			continue
		}
		id := DictionaryID(p)
		if id == nil {
			return Concat(t, parts)
		}
		rows += p.Len()
		if _, ok := bases[id]; !ok {
			bases[id] = int32(words)
			ids = append(ids, id)
			words += id.Len()
		}
	}
	if len(ids) == 0 || words > rows/2 {
		return Concat(t, parts)
	}
	id := ids[0]
	if len(ids) > 1 {
		dicts := make([]arrow.Array, len(ids))
		for i, d := range ids {
			dicts[i] = array.MakeFromData(d)
		}
		id = Concat(t, dicts).Data()
	}
	out := make([]int32, 0, rows)
	var valid []byte
	nulls := 0
	for _, p := range parts {
		if p.Len() == 0 {
			continue
		}
		c := CodesOf(p)
		base := bases[c.ID]
		if !c.Valid.All() {
			if valid == nil {
				valid = Ones(rows)
			}
			for i := range c.Codes {
				if !c.Valid.Get(i) {
					ClearBit(valid, len(out)+i)
					nulls++
				}
			}
		}
		for _, k := range c.Codes {
			out = append(out, k+base)
		}
	}
	return MakeCoded(out, id, valid, nulls)
}

// SelectCodes lists the rows (positions within sel, or of c when sel is nil) whose
// value has want; want's last element is for NULL.
func SelectCodes(m *Arena, c Coded, sel []int32, want []bool) []int32 {
	n := len(c.Codes)
	if sel != nil {
		n = len(sel)
	}
	out := MakeIn[int32](m, n)
	k := 0
	switch {
	case !c.Valid.All():
		null := want[len(want)-1]
		for i := range n {
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			hit := null
			if c.Valid.Get(r) {
				hit = want[c.Codes[r]]
			}
			out[k] = int32(i)
			k += b2i(hit)
		}
	case sel == nil:
		for i, c := range c.Codes {
			out[k] = int32(i)
			k += b2i(want[c])
		}
	default:
		for i, r := range sel {
			out[k] = int32(i)
			k += b2i(want[c.Codes[r]])
		}
	}
	return out[:k]
}
