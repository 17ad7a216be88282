package kernel_test

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// TestSelections holds the selection loops against row-at-a-time comparison.
func TestSelections(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, ty := range []types.T{types.Of(types.Int2), types.Of(types.Int4), types.Of(types.Int8), types.Of(types.DateOID), types.Of(types.NumericOID)} {
		value := func(k int) types.Datum {
			switch ty.OID {
			case types.Int2:
				return int16(k)
			case types.Int4:
				return int32(k)
			case types.Int8:
				return int64(k)
			case types.DateOID:
				return types.Date(k)
			}
			return types.NumericFromInt64(int64(k), 1)
		}
		for _, nulls := range []bool{false, true} {
			build := func() arrow.Array {
				b := types.NewBuilder(ty, 200)
				for range 200 {
					if nulls && rng.Intn(5) == 0 {
						b.Append(nil)
					} else {
						b.Append(value(rng.Intn(9) - 4))
					}
				}
				return b.Finish()
			}
			x, y := build(), build()
			var some []int32
			for i := range int32(200) {
				if rng.Intn(3) > 0 {
					some = append(some, i)
				}
			}
			for op := kernel.Eq; op <= kernel.Ge; op++ {
				c := kernel.Comparison{Op: op, Type: ty}
				for _, sel := range [][]int32{nil, some, {}} {
					want := func(f func(r int) bool) []int32 {
						out := []int32{}
						for i := range 200 {
							r := i
							if sel != nil {
								if i == len(sel) {
									break
								}
								r = int(sel[i])
							}
							if f(r) {
								out = append(out, int32(i))
							}
						}
						return out
					}
					holds := func(a, b types.Datum) bool {
						if a == nil || b == nil {
							return false
						}
						k := types.Compare(types.DefaultEnv(), ty, a, b)
						return [...]bool{k == 0, k != 0, k < 0, k <= 0, k > 0, k >= 0}[op]
					}
					name := fmt.Sprintf("%d op %d nulls %v of %d", ty.OID, op, nulls, len(sel))
					got, done := c.SelectConst(nil, x, sel, value(1), false)
					if w := want(func(r int) bool { return holds(types.Get(ty, x, r), value(1)) }); !done || !slices.Equal(got, w) {
						t.Fatalf("%s: %v, want %v", name, got, w)
					}
					got, done = c.SelectColumns(nil, x, y, sel)
					if w := want(func(r int) bool { return holds(types.Get(ty, x, r), types.Get(ty, y, r)) }); done && !slices.Equal(got, w) || !done && !nulls && ty.OID != types.Int2 {
						t.Fatalf("%s, columns: %v, want %v", name, got, w)
					}
				}
			}
		}
	}
}

// TestDenseKeys numbers integers by position.
func TestDenseKeys(t *testing.T) {
	for _, vals := range [][]types.Datum{
		{int64(5), int64(7), nil, int64(5), int64(-3)},
		{int64(math.MaxInt64), int64(math.MaxInt64 - 2)},
		{int64(math.MinInt64), int64(math.MinInt64 + 1), nil},
	} {
		build := func(vs []types.Datum) arrow.Array {
			b := types.NewBuilder(types.Of(types.Int8), len(vs))
			for _, v := range vs {
				b.Append(v)
			}
			return b.Finish()
		}
		seen := map[types.Datum]int32{}
		want := make([]int32, len(vals))
		for i, v := range vals {
			if v == nil {
				want[i] = -1
				continue
			}
			if _, ok := seen[v]; !ok {
				seen[v] = int32(len(seen))
			}
			want[i] = seen[v]
		}
		got := make([]int32, len(vals))
		d, n := kernel.NewDenseKeys(build(vals), got)
		if d == nil || n != len(seen) || !slices.Equal(got, want) {
			t.Fatalf("%v: numbers %v of %d, want %v", vals, got, n, want)
		}
		probe := append(slices.Clone(vals), int64(0), int64(6), int64(math.MinInt64), int64(math.MaxInt64))
		found := make([]int32, len(probe))
		d.Find(build(probe), found)
		for i, v := range probe {
			w, ok := seen[v]
			if !ok {
				w = -1
			}
			if found[i] != w {
				t.Errorf("%v in %v: %d, want %d", v, vals, found[i], w)
			}
		}
	}
	b := types.NewBuilder(types.Of(types.Int8), 2)
	b.Append(int64(math.MinInt64))
	b.Append(int64(math.MaxInt64))
	if d, _ := kernel.NewDenseKeys(b.Finish(), make([]int32, 2)); d != nil {
		t.Error("values far apart are dense")
	}
}
