package vexec

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TestSumStates: sums of numerics of several scales, made in parts and put together by states and by
// merging, in any order, are those of adding the values up, their scale included.
func TestSumStates(t *testing.T) {
	const groups = 4
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		scales := 1 + rng.IntN(3)
		want := make([]*types.Numeric, groups)
		parts := make([]*sumNumericAcc, 1+rng.IntN(4))
		for i := range parts {
			parts[i] = &sumNumericAcc{}
			parts[i].resize(groups)
		}
		for range 1 + rng.IntN(12) {
			b := types.NewBuilder(types.Of(types.NumericOID), 0)
			var at []int32
			for range 1 + rng.IntN(4) {
				g := rng.IntN(groups)
				x := types.NumericFromInt64(int64(rng.IntN(2000)-1000), int32(rng.IntN(scales)))
				at = append(at, int32(g))
				b.Append(x)
				if want[g] == nil {
					want[g] = &x
				} else if sum, err := want[g].Add(x); err != nil {
					t.Fatal(err)
				} else {
					want[g] = &sum
				}
			}
			if err := parts[rng.IntN(len(parts))].add(at, []arrow.Array{b.Finish()}); err != nil {
				t.Fatal(err)
			}
		}
		all := []int32{0, 1, 2, 3}
		byState, merged := &sumNumericAcc{}, &sumNumericAcc{}
		byState.resize(groups)
		merged.resize(groups)
		for _, i := range rng.Perm(len(parts)) {
			for _, g := range rng.Perm(groups) {
				s, err := states(parts[i], g, g+1)
				if err == nil {
					err = absorbStates(byState, []int32{int32(g)}, s)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := merged.merge(parts[i], nil, all); err != nil {
				t.Fatal(err)
			}
		}
		for name, acc := range map[string]*sumNumericAcc{"states": byState, "merged": merged} {
			got, err := acc.result(0, groups)
			if err != nil {
				t.Fatal(err)
			}
			for g, w := range want {
				v := types.Get(types.Of(types.NumericOID), got, g)
				if w == nil && v != nil || w != nil && (v == nil || v.(types.Numeric).String() != w.String()) {
					t.Fatalf("seed %d, %s, group %d: %v, want %v", seed, name, g, v, w)
				}
			}
		}
	}
}
