package kernel_test

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// TestSelections holds the selection loops against row-at-a-time comparison.
func TestSelections(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, ty := range []types.T{types.Of(types.Int2), types.Of(types.Int4), types.Of(types.Int8), types.Of(types.DateOID), types.Of(types.NumericOID), types.Of(types.Float8)} {
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
			case types.Float8:
				return [...]float64{math.Inf(-1), -1.5, math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1), math.NaN()}[k+4]
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
					for k := -4; k <= 4; k++ {
						for _, flipped := range []bool{false, true} {
							got, done := c.SelectConst(nil, x, sel, value(k), flipped)
							w := want(func(r int) bool {
								if flipped {
									return holds(value(k), types.Get(ty, x, r))
								}
								return holds(types.Get(ty, x, r), value(k))
							})
							if !done || !slices.Equal(got, w) {
								t.Fatalf("%s, %v flipped %v: %v, want %v", name, value(k), flipped, got, w)
							}
						}
					}
					got, done := c.SelectColumns(nil, x, y, sel)
					if w := want(func(r int) bool { return holds(types.Get(ty, x, r), types.Get(ty, y, r)) }); done && !slices.Equal(got, w) || !done && !nulls && ty.OID != types.Int2 && ty.OID != types.Float8 {
						t.Fatalf("%s, columns: %v, want %v", name, got, w)
					}
				}
			}
		}
	}
}

// TestDenseKeys ranks integers by position, in an array and by bits.
func TestDenseKeys(t *testing.T) {
	build := func(vs []types.Datum) arrow.Array {
		b := types.NewBuilder(types.Of(types.Int8), len(vs))
		for _, v := range vs {
			b.Append(v)
		}
		return b.Finish()
	}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	cases := [][]types.Datum{
		{int64(5), int64(7), nil, int64(5), int64(-3)},
		{int64(math.MaxInt64), int64(math.MaxInt64 - 2)},
		{int64(math.MinInt64), int64(math.MinInt64 + 1), nil},
	}
	for _, step := range []int{1, 3, 64, 100} {
		for _, n := range []int{1, 63, 64, 65, 4000} {
			lo := int64(rnd.Intn(1000) - 500)
			var vals []types.Datum
			for range n {
				vals = append(vals, lo+int64(rnd.Intn(n*step)))
				if rnd.Intn(20) == 0 {
					vals = append(vals, nil)
				}
			}
			cases = append(cases, vals)
		}
	}
	for _, vals := range cases {
		var distinct []int64
		for _, v := range vals {
			if v != nil {
				distinct = append(distinct, v.(int64))
			}
		}
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		d, n := kernel.NewDenseKeys(build(vals))
		if d == nil || n != len(distinct) {
			t.Fatalf("%v: %d keys, want %d", vals, n, len(distinct))
		}
		least, greatest, bits := d.Bits()
		if least != distinct[0] || greatest != distinct[len(distinct)-1] || len(bits) != int(uint64(greatest-least)+1)/64+1 {
			t.Fatalf("%v: bits of %d to %d in %d words", vals, least, greatest, len(bits))
		}
		probe := append(slices.Clone(vals), int64(0), int64(6), int64(math.MinInt64), int64(math.MaxInt64))
		for _, v := range distinct {
			probe = append(probe, v-1, v+1, v+64)
		}
		found := make([]int32, len(probe))
		d.Find(build(probe), found)
		for i, v := range probe {
			w := -1
			if v != nil {
				if at, ok := slices.BinarySearch(distinct, v.(int64)); ok {
					w = at
				}
			}
			if found[i] != int32(w) {
				t.Errorf("%v in %v: %d, want %d", v, vals, found[i], w)
			}
		}
	}
	b := types.NewBuilder(types.Of(types.Int8), 2)
	b.Append(int64(math.MinInt64))
	b.Append(int64(math.MaxInt64))
	if d, _ := kernel.NewDenseKeys(b.Finish()); d != nil {
		t.Error("values far apart are dense")
	}
}
