package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TestGroupBits holds sets of integers against a map, over narrow and wide ranges, with NULLs, up to where the
// bitmaps refuse.
func TestGroupBits(t *testing.T) {
	type pair struct {
		g    int32
		v    int64
		null bool
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		s, model := NewGroupBits(int64(rng.IntN(1<<18))), map[pair]bool{}
		span, base, groups := int64(1)<<rng.IntN(40), rng.Int64(), 1+rng.IntN(200)
		switch rng.IntN(4) {
		case 0:
			base = math.MinInt64
		case 1:
			base = math.MaxInt64 - span
		case 2:
			base = -span / 2
		}
		for range 20 {
			n := 1 + rng.IntN(300)
			gs, xs := make([]int32, n), make([]int64, n)
			valid, nulls := Ones(n), 0
			for i := range n {
				gs[i], xs[i] = int32(rng.IntN(groups)), base+rng.Int64N(span)
				if rng.IntN(9) == 0 {
					ClearBit(valid, i)
					nulls++
				}
			}
			a := MakeFixed(arrow.PrimitiveTypes.Int64, xs, valid, nulls)
			at := func(i int) pair {
				if a.IsNull(i) {
					return pair{gs[i], 0, true}
				}
				return pair{gs[i], xs[i], false}
			}
			has := make([]bool, n)
			s.Find(gs, a, has)
			for i := range n {
				if has[i] != model[at(i)] {
					t.Fatalf("round %d: row %d found %v", round, i, has[i])
				}
			}
			fresh, done := s.Add(gs, a, nil)
			var want []int32
			for i := range done {
				if !model[at(i)] {
					model[at(i)] = true
					want = append(want, int32(i))
				}
			}
			if !slices.Equal(fresh, want) || s.Len() != len(model) {
				t.Fatalf("round %d: fresh %v, want %v", round, fresh, want)
			}
			if done < n {
				break
			}
			if span < 1<<12 && groups < 3 && s.Size() > 1<<16 {
				t.Fatalf("round %d: %d bytes for %d values", round, s.Size(), s.Len())
			}
		}
		got := map[pair]bool{}
		err := s.Each(types.Of(types.Int8), chunkBits+rng.IntN(100), func(gs []int32, a arrow.Array) error {
			for i, g := range gs {
				p := pair{g, 0, true}
				if !a.IsNull(i) {
					p = pair{g, Values[int64](a)[i], false}
				}
				if got[p] {
					t.Fatalf("round %d: %v twice", round, p)
				}
				got[p] = true
			}
			return nil
		})
		if err != nil || len(got) != len(model) {
			t.Fatalf("round %d: %d pairs, want %d, %v", round, len(got), len(model), err)
		}
		for p := range got {
			if !model[p] {
				t.Fatalf("round %d: %v was never put in", round, p)
			}
		}
	}
}
