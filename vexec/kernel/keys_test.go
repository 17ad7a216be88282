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
