package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// BenchmarkTable inserts and finds int8 keys of a domain, in batches, at random.
func BenchmarkTable(b *testing.B) {
	const batch = 4096
	for _, domain := range []int{1 << 8, 1 << 14, 1 << 17, 1 << 21} {
		r := rand.New(rand.NewPCG(1, 2))
		spec := NewKeySpec([]types.T{types.Of(types.Int8)})
		var enc [64]Keys
		for i := range enc {
			v := make([]int64, batch)
			for k := range v {
				v[k] = int64(r.IntN(domain)) * 7
			}
			spec.Encode(types.DefaultEnv(), &enc[i], []arrow.Array{MakeFixed(arrow.PrimitiveTypes.Int64, v, nil, 0)}, batch)
		}
		numbers := make([]int32, batch)
		full := NewTable(spec, 64)
		var fresh []Keys // batches of new keys
		for at := 0; at < domain; at += batch {
			v := make([]int64, min(batch, domain-at))
			for i := range v {
				v[i] = int64(at+i) * 7
			}
			fresh = append(fresh, Keys{})
			spec.Encode(types.DefaultEnv(), &fresh[len(fresh)-1], []arrow.Array{MakeFixed(arrow.PrimitiveTypes.Int64, v, nil, 0)}, len(v))
		}
		for i := range fresh {
			full.Insert(&fresh[i], nil, numbers, nil)
		}
		b.Run(fmt.Sprintf("insert-known/%d", domain), func(b *testing.B) {
			for i := range b.N {
				full.Insert(&enc[i%len(enc)], nil, numbers, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
		})
		b.Run(fmt.Sprintf("find/%d", domain), func(b *testing.B) {
			for i := range b.N {
				full.Find(&enc[i%len(enc)], nil, numbers)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
		})
		b.Run(fmt.Sprintf("insert-new/%d", domain), func(b *testing.B) {
			for range b.N {
				t := NewTable(spec, 64)
				for i := range fresh {
					t.Insert(&fresh[i], nil, numbers, nil)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(domain), "ns/row")
		})
	}
}

// BenchmarkTableRuns inserts and finds keys of two words that come in order, run rows each, as the lines of orders do.
func BenchmarkTableRuns(b *testing.B) {
	const batch, batches = 4096, 64
	for _, run := range []int{1, 2, 10} {
		spec := NewKeySpec([]types.T{types.Of(types.Int4), types.Of(types.Int4), types.Of(types.Int4)})
		var enc [batches]Keys
		for i := range enc {
			a, c := make([]int32, batch), make([]int32, batch)
			for k := range c {
				row := (i*batch + k) / run
				a[k], c[k] = int32(row>>12), int32(row)
			}
			col := func(v []int32) arrow.Array { return MakeFixed(arrow.PrimitiveTypes.Int32, v, nil, 0) }
			spec.Encode(types.DefaultEnv(), &enc[i], []arrow.Array{col(a), col(a), col(c)}, batch)
		}
		numbers := make([]int32, batch)
		full := NewTable(spec, 64)
		for i := range enc {
			full.Insert(&enc[i], nil, numbers, nil)
		}
		b.Run(fmt.Sprintf("find/%d", run), func(b *testing.B) {
			for i := range b.N {
				full.Find(&enc[i%batches], nil, numbers)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
		})
		b.Run(fmt.Sprintf("insert-new/%d", run), func(b *testing.B) {
			for range b.N {
				t := NewTable(spec, 64)
				for i := range enc {
					t.Insert(&enc[i], nil, numbers, nil)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch/batches, "ns/row")
		})
	}
}

// BenchmarkTableAbsent finds keys in a table that a join has built, of which so many in a hundred are there.
func BenchmarkTableAbsent(b *testing.B) {
	const batch, n = 4096, 128 << 10
	for words, ts := range [][]types.T{{types.Of(types.Int8)}, {types.Of(types.Int8), types.Of(types.Int8)}} {
		spec := NewKeySpec(ts)
		encode := func(k *Keys, value func(i int) int64, n int) {
			cols, v := make([]arrow.Array, len(ts)), make([]int64, n)
			for i := range v {
				v[i] = value(i)
			}
			for c := range cols {
				cols[c] = MakeFixed(arrow.PrimitiveTypes.Int64, v, nil, 0)
			}
			spec.Encode(types.DefaultEnv(), k, cols, n)
		}
		build := NewTableBuild(spec, n, 4)
		all := make([]int64, n)
		for i := range all {
			all[i] = int64(i) * 2654435761 % 1000003
		}
		cols := make([]arrow.Array, len(ts))
		for c := range cols {
			cols[c] = MakeFixed(arrow.PrimitiveTypes.Int64, all, nil, 0)
		}
		var enc Keys
		build.Encode(types.DefaultEnv(), &enc, 0, cols, n)
		build.Reserve()
		build.Place(&enc, 0)
		numbers := make([]int32, n)
		for r := range build.Regions() {
			build.Fill(r, numbers)
		}
		table, _ := build.Finish(numbers)
		for _, present := range []int{0, 15, 40, 60, 100} {
			r := rand.New(rand.NewPCG(1, 2))
			var probes [64]Keys
			for i := range probes {
				encode(&probes[i], func(k int) int64 {
					if r.IntN(100) < present {
						return all[r.IntN(n)]
					}
					return r.Int64N(1<<40) + 1<<20
				}, batch)
			}
			b.Run(fmt.Sprintf("words-%d/present-%d", words+1, present), func(b *testing.B) {
				for i := range b.N {
					table.Find(&probes[i%len(probes)], nil, numbers[:batch])
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
			})
		}
	}
}
