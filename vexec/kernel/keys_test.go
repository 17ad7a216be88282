package kernel

import (
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
