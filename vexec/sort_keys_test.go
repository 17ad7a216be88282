package vexec

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// BenchmarkSortedRows sorts by one key: of few values, of many, of long texts, in order already.
func BenchmarkSortedRows(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 16, 1 << 20} {
		r := rand.New(rand.NewPCG(7, 7))
		w := &worker{frame: &expr.Frame{Ctx: &expr.Context{Env: types.DefaultEnv()}}}
		kinds := map[string]struct {
			t   types.T
			gen func(i int) types.Datum
		}{
			"dates":   {types.Of(types.Int4), func(int) types.Datum { return int32(r.IntN(2500)) }},
			"numbers": {types.Of(types.Int8), func(int) types.Datum { return int64(r.Uint64()) }},
			"texts":   {types.Of(types.Text), func(int) types.Datum { return fmt.Sprintf("%x and what follows", r.Uint64()) }},
			"ordered": {types.Of(types.Int8), func(i int) types.Datum { return int64(i) }},
		}
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			k := kinds[name]
			build := types.NewBuilder(k.t, n)
			for i := range n {
				build.Append(k.gen(i))
			}
			keys, specs := []arrow.Array{build.Finish()}, []kernel.SortSpec{{Type: k.t}}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for range b.N {
					sortedRows(w, specs, keys, n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
			})
		}
	}
}

// TestSortedRows: rows that tie in some keys, many or few, by prefix or value, come in the order of comparing
// them key by key, equal rows in their own.
func TestSortedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	w := &worker{frame: &expr.Frame{Ctx: &expr.Context{Env: types.DefaultEnv()}}}
	text := func(values, width int) func() types.Datum {
		return func() types.Datum {
			s := strings.Repeat("x", width) + string(rune('a'+r.IntN(values)))
			return s[:r.IntN(len(s))+1]
		}
	}
	kinds := []struct {
		t   types.T
		gen func() types.Datum
	}{
		{types.Of(types.Int4), func() types.Datum { return int32(r.IntN(4)) }},
		{types.Of(types.Int8), func() types.Datum { return r.Int64N(1000) - 500 }},
		{types.Of(types.Int8), func() types.Datum { return int64(r.Uint64()) >> r.IntN(60) }},
		{types.Of(types.Text), text(3, 0)},
		{types.Of(types.Text), text(20, 7)},
		{types.Of(types.VarChar), text(20, 12)},
		{types.Of(types.Bytea), func() types.Datum { return make([]byte, r.IntN(4)) }},
		{types.Of(types.Float8), func() types.Datum { return float64(r.IntN(50)) / 4 }},
	}
	for trial := range 300 {
		n := 1 + r.IntN(700)
		var specs []kernel.SortSpec
		var keys []arrow.Array
		for range 1 + r.IntN(4) {
			k := kinds[r.IntN(len(kinds))]
			b := types.NewBuilder(k.t, n)
			nulls := r.IntN(3) == 0
			if r.IntN(5) == 0 && k.t.OID == types.Int8 { // in order already
				for i := range n {
					b.Append(int64(i / 3))
				}
			} else {
				for range n {
					if nulls && r.IntN(5) == 0 {
						b.Append(nil)
					} else {
						b.Append(k.gen())
					}
				}
			}
			specs = append(specs, kernel.SortSpec{Type: k.t, Descending: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0})
			keys = append(keys, b.Finish())
		}
		cmp := compareKeys(w, specs, keys, keys)
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, func(a, b int32) int { return cmp(int(a), int(b)) })
		if got := sortedRows(w, specs, keys, n); !slices.Equal(got, want) {
			t.Fatalf("trial %d: %d rows by %+v:\n%v\nwant\n%v", trial, n, specs, got, want)
		}
	}
}
