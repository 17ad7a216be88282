package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TestTable compares tables over keys of all forms with a map.
func TestTable(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	forms := map[string][]types.OID{
		"narrow": {types.Int8}, "one word": {types.Int4, types.Int2}, "two words": {types.Int8, types.Int4},
		"three words": {types.Int8, types.Int8, types.Int4}, "bytes": {types.Text, types.Int4},
	}
	for name, oids := range forms {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var ts []types.T
			for _, o := range oids {
				ts = append(ts, types.Of(o))
			}
			spec := NewKeySpec(ts)
			for range 4 {
				table, model := NewTable(spec, 1+r.IntN(100)), map[string]int32{}
				domain := 1 + r.IntN(1<<uint(2+r.IntN(14)))
				var enc Keys
				for range 30 {
					n := 1 + r.IntN(3*probeRows)
					keys, skip := randomKeys(r, ts, n, domain)
					cols := make([]arrow.Array, len(ts))
					for c := range ts {
						b := types.NewBuilder(ts[c], n)
						for _, row := range keys {
							b.Append(row[c])
						}
						cols[c] = b.Finish()
					}
					spec.Encode(types.DefaultEnv(), &enc, cols, n)
					numbers := make([]int32, n)
					if r.IntN(3) == 0 {
						table.Find(&enc, skip, numbers)
						for i, row := range keys {
							want, ok := model[fmt.Sprint(row)]
							if !ok || skip != nil && skip[i] {
								want = -1
							}
							if numbers[i] != want {
								t.Fatalf("find %v: number %d, want %d", row, numbers[i], want)
							}
						}
						continue
					}
					fresh := table.Insert(&enc, skip, numbers, nil)
					for i, row := range keys {
						want := int32(-1)
						if skip == nil || !skip[i] {
							var ok bool
							if want, ok = model[fmt.Sprint(row)]; !ok {
								want = int32(len(model))
								model[fmt.Sprint(row)] = want
								if len(fresh) == 0 || fresh[0] != int32(i) {
									t.Fatalf("row %d %v is new, fresh goes on with %v", i, row, fresh)
								}
								fresh = fresh[1:]
							}
							if h := table.Hash(int(want)); h != enc.Hash[i] {
								t.Fatalf("key %v has hash %x, want %x", row, h, enc.Hash[i])
							}
						}
						if numbers[i] != want {
							t.Fatalf("insert %v: number %d, want %d", row, numbers[i], want)
						}
					}
					if len(fresh) > 0 || table.Len() != len(model) {
						t.Fatalf("%d keys, want %d; fresh has %v too many", table.Len(), len(model), fresh)
					}
				}
			}
		})
	}
}

// randomKeys makes rows of a domain, in runs of equal ones at times, some NULL, and what is to be skipped (nil: nothing).
func randomKeys(r *rand.Rand, ts []types.T, n, domain int) (keys [][]types.Datum, skip []bool) {
	if r.IntN(3) == 0 {
		skip = make([]bool, n)
	}
	again := r.IntN(2) * r.IntN(10) // of ten rows
	for i := range n {
		if skip != nil {
			skip[i] = r.IntN(8) == 0
		}
		if i > 0 && r.IntN(10) < again {
			keys = append(keys, keys[i-1])
			continue
		}
		x := r.IntN(domain)
		row := make([]types.Datum, len(ts))
		for c, ty := range ts {
			switch v := x >> (3 * c); {
			case r.IntN(50) == 0: // NULL
			case ty.OID == types.Int2:
				row[c] = int16(v)
			case ty.OID == types.Int4:
				row[c] = int32(v)
			case ty.OID == types.Int8:
				row[c] = int64(v)
			default:
				row[c] = fmt.Sprint("key ", v)
			}
		}
		keys = append(keys, row)
	}
	return keys, skip
}
