package kernel

import (
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
)

// TestKeysOfNoRows encodes empty columns: keys of several words have no second word then.
func TestKeysOfNoRows(t *testing.T) {
	empty := array.NewInt32Builder(memory.DefaultAllocator).NewInt32Array()
	for n := 1; n <= 5; n++ {
		var ts []types.T
		var cols []arrow.Array
		for range n {
			ts, cols = append(ts, types.Of(types.Int4)), append(cols, empty)
		}
		var k Keys
		NewKeySpec(ts).Encode(nil, &k, cols, 0)
		if k.N != 0 || len(k.Hash) != 0 {
			t.Errorf("%d columns: %d keys, %d hashes", n, k.N, len(k.Hash))
		}
	}
}

// TestGroupedKeys: a group's number and an int4 are one word, and NULL is no value of it.
func TestGroupedKeys(t *testing.T) {
	for _, other := range []types.T{types.Of(types.Int4), types.Of(types.Int8)} {
		spec := NewGroupedKeySpec([]types.T{types.Of(types.Int4), other})
		if want := map[types.OID]int{types.Int4: 1, types.Int8: 2}[other.OID]; spec.words != want {
			t.Errorf("%d words, want %d", spec.words, want)
		}
		groups := MakeFixed(arrow.PrimitiveTypes.Int32, []int32{0, 0, 1<<31 - 1, 0, 1<<31 - 1, 0}, nil, 0)
		valid := []byte{0b110101}
		vals := MakeFixed(arrow.PrimitiveTypes.Int32, []int32{0, 7, -1, 8, -1, 0}, valid, 2)
		if other.OID == types.Int8 {
			vals = MakeFixed(arrow.PrimitiveTypes.Int64, []int64{0, 7, -1, 8, -1, 0}, valid, 2)
		}
		var k Keys
		spec.Encode(types.DefaultEnv(), &k, []arrow.Array{groups, vals}, 6)
		numbers := make([]int32, 6)
		NewTable(spec, 64).Insert(&k, nil, numbers, nil)
		if want := []int32{0, 1, 2, 1, 2, 0}; !slices.Equal(numbers, want) {
			t.Errorf("numbers %v, want %v", numbers, want)
		}
	}
}

// TestMatchKeys: keys whose rows with a NULL are skipped need no room for NULLs.
func TestMatchKeys(t *testing.T) {
	int4, int2, int8 := types.Of(types.Int4), types.Of(types.Int2), types.Of(types.Int8)
	for _, c := range []struct {
		ts    []types.T
		words int
	}{
		{[]types.T{int4, int4}, 1}, {[]types.T{int2, int4, int2}, 1}, {[]types.T{int4, int8, int4}, 2}, {[]types.T{int8, int8}, 2},
	} {
		spec := NewMatchKeySpec(c.ts)
		if spec.words != c.words {
			t.Errorf("%v: %d words, want %d", c.ts, spec.words, c.words)
		}
		// rows 0 and 3 are equal, 1 differs in the last column, 2 has a NULL there
		var cols []arrow.Array
		for i, ty := range c.ts {
			b := types.NewBuilder(ty, 4)
			for _, v := range []int64{-1, -1, -1, -1} {
				switch ty.OID {
				case types.Int2:
					b.Append(int16(v))
				case types.Int4:
					b.Append(int32(v))
				default:
					b.Append(v)
				}
			}
			a := b.Finish()
			if i == len(c.ts)-1 {
				b := types.NewBuilder(ty, 4)
				for _, v := range []types.Datum{int64(-1), int64(5), nil, int64(-1)} {
					if x, ok := v.(int64); ok && ty.OID == types.Int4 {
						v = int32(x)
					} else if ok && ty.OID == types.Int2 {
						v = int16(x)
					}
					b.Append(v)
				}
				a = b.Finish()
			}
			cols = append(cols, a)
		}
		skip := []bool{false, false, true, false}
		var k Keys
		spec.Encode(types.DefaultEnv(), &k, cols, 4)
		numbers := make([]int32, 4)
		table := NewTable(spec, 64)
		table.Insert(&k, skip, numbers, nil)
		if want := []int32{0, 1, -1, 0}; !slices.Equal(numbers, want) {
			t.Errorf("%v: numbers %v, want %v", c.ts, numbers, want)
		}
		clear(numbers)
		table.Find(&k, skip, numbers)
		if want := []int32{0, 1, -1, 0}; !slices.Equal(numbers, want) {
			t.Errorf("%v: found %v, want %v", c.ts, numbers, want)
		}
	}
}
