package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// randomBools makes n values of 0 (false), 1 (true) and 2 (NULL), as a slice of a longer vector.
func randomBools(r *rand.Rand, n int, nulls bool) (arrow.Array, []byte) {
	before, after := r.IntN(70), r.IntN(70)
	state := make([]byte, before+n+after)
	for i := range state {
		if state[i] = byte(r.IntN(2)); nulls && r.IntN(5) == 0 {
			state[i] = 2
		}
	}
	return array.NewSlice(BoolsFromStates(state), int64(before), int64(before+n)), state[before : before+n]
}

// TestBitmaps compares what is done a word at a time with its meaning row by row.
func TestBitmaps(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	states := func(a arrow.Array) []byte {
		out := make([]byte, a.Len())
		v, ok := Bools(a), Valid(a)
		nulls := 0
		for i := range out {
			switch {
			case !ok.Get(i):
				out[i] = 2
				nulls++
			case v.Get(i):
				out[i] = 1
			}
		}
		if nulls != a.NullN() {
			t.Fatalf("%d NULLs, said to be %d", nulls, a.NullN())
		}
		return out
	}
	for n := range 200 {
		for range 3 {
			as, want := make([]arrow.Array, 1+r.IntN(3)), make([][]byte, 0)
			for i := range as {
				var s []byte
				as[i], s = randomBools(r, n, r.IntN(3) > 0)
				want = append(want, s)
			}
			check := func(what string, got []byte, f func(i int) byte) {
				t.Helper()
				for i, g := range got {
					if w := f(i); g != w {
						t.Fatalf("%s of %d rows: row %d is %d, want %d", what, n, i, g, w)
					}
				}
			}
			for _, or := range []bool{false, true} {
				decides := byte(0)
				if or {
					decides = 1
				}
				check(fmt.Sprint("AndOr ", or), states(AndOr(or, as)), func(i int) byte {
					out := 1 - decides
					for _, s := range want {
						if s[i] == decides {
							return decides
						} else if s[i] == 2 {
							out = 2
						}
					}
					return out
				})
			}
			a, s := as[0], want[0]
			check("Not", states(Not(a)), func(i int) byte { return [3]byte{1, 0, 2}[s[i]] })
			check("IS NULL", states(IsNull(a, false)), func(i int) byte { return [3]byte{0, 0, 1}[s[i]] })
			check("IS NOT NULL", states(IsNull(a, true)), func(i int) byte { return [3]byte{1, 1, 0}[s[i]] })
			var yes, no []int32
			for i, x := range s {
				if x == 1 {
					yes = append(yes, int32(i))
				} else {
					no = append(no, int32(i))
				}
			}
			y, o := SplitRows(a)
			if !slices.Equal(y, yes) || !slices.Equal(o, no) || !slices.Equal(TrueRows(nil, a), yes) {
				t.Fatalf("%d rows: SplitRows gives %v and %v, TrueRows %v; want %v and %v", n, y, o, TrueRows(nil, a), yes, no)
			}
			if c := copyValid(a); c != nil {
				for i, x := range s {
					if (c[i>>3]&(1<<(i&7)) != 0) != (x != 2) {
						t.Fatalf("copyValid of %d rows: row %d", n, i)
					}
				}
			}
		}
	}
}
