package kernel

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TestTableBuild compares tables filled together with a map.
func TestTableBuild(t *testing.T) {
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
			for round := range 8 {
				var parts [][]arrow.Array
				var rows [][]types.Datum
				var at []int
				numbers := []int32{}
				domain := 1 + r.IntN(1<<uint(2+r.IntN(14)))
				count := 1 + r.IntN(20)
				if round == 7 { // a table with marks
					count = 60
				}
				for range count {
					n := r.IntN(900)
					keys, skip := randomKeys(r, ts, n, domain)
					cols := make([]arrow.Array, len(ts))
					for c := range ts {
						b := types.NewBuilder(ts[c], n)
						for _, row := range keys {
							b.Append(row[c])
						}
						cols[c] = b.Finish()
					}
					at, parts = append(at, len(rows)), append(parts, cols)
					for i, row := range keys {
						out := int32(0)
						if skip != nil && skip[i] || spec.narrow && row[0] == nil {
							out = -1
						}
						numbers = append(numbers, out)
					}
					rows = append(rows, keys...)
				}
				b := NewTableBuild(spec, len(rows), 1<<r.IntN(4))
				encs := make([]Keys, len(parts))
				each := func(n int, f func(i int)) {
					var wg sync.WaitGroup
					for i := range n {
						wg.Go(func() { f(i) })
					}
					wg.Wait()
				}
				env := types.DefaultEnv()
				each(len(parts), func(i int) { b.Encode(env, &encs[i], at[i], parts[i], parts[i][0].Len()) })
				b.Reserve()
				each(len(parts), func(i int) { b.Place(&encs[i], at[i]) })
				skipped := append([]int32{}, numbers...)
				each(b.Regions(), func(i int) { b.Fill(i, numbers) })
				table, distinct := b.Finish(numbers)
				model := map[string]int32{}
				for i, row := range rows {
					want := int32(-1)
					if skipped[i] == 0 {
						k := fmt.Sprint(row)
						if _, ok := model[k]; !ok {
							model[k] = int32(i)
						}
						want = model[k]
					}
					if numbers[i] != want {
						t.Fatalf("row %d %v: number %d, want %d", i, row, numbers[i], want)
					}
				}
				if distinct != len(model) {
					t.Fatalf("%d keys, want %d", distinct, len(model))
				}
				others, _ := randomKeys(r, ts, 4*probeRows, 4*domain) // of a larger domain: most are absent
				cols := make([]arrow.Array, len(ts))
				for c := range ts {
					b := types.NewBuilder(ts[c], len(others))
					for _, row := range others {
						b.Append(row[c])
					}
					cols[c] = b.Finish()
				}
				at, parts, rows = append(at, len(rows)), append(parts, cols), append(rows, others...)
				for i, cols := range parts {
					n := cols[0].Len()
					var enc Keys
					spec.Encode(env, &enc, cols, n)
					found := make([]int32, n)
					table.Find(&enc, nil, found)
					for k := range n {
						want, ok := model[fmt.Sprint(rows[at[i]+k])]
						if !ok {
							want = -1
						}
						if found[k] != want {
							t.Fatalf("find %v: number %d, want %d", rows[at[i]+k], found[k], want)
						}
					}
				}
			}
		})
	}
}
