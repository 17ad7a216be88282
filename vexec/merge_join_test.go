package vexec_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// bySortKeys orders rows as a Sort ascending, NULLs last, on the columns would.
func bySortKeys(ts []types.T, cols ...int) func(a, b []types.Datum) int {
	return func(a, b []types.Datum) int {
		for _, c := range cols {
			switch {
			case a[c] == nil && b[c] == nil:
				continue
			case a[c] == nil:
				return 1
			case b[c] == nil:
				return -1
			}
			if r := types.Compare(types.DefaultEnv(), ts[c], a[c], b[c]); r != 0 {
				return r
			}
		}
		return 0
	}
}

// TestMergeJoin holds merge joins of every type they have against the definition,
// over inputs with few keys (groups of many batches), many and none, and their
// order against the left input's.
func TestMergeJoin(t *testing.T) {
	seed := int64(21)
	rng := rand.New(rand.NewSource(seed))
	t.Logf("seed %d", seed)
	ts := []types.T{tInt, tText, tNum, tBig}
	sorted := func(name string, rows [][]types.Datum, cols ...int) *relation {
		slices.SortStableFunc(rows, bySortKeys(ts, cols...))
		return newRelation(name, ts, rows)
	}
	less := Func(tBool, "int8lt(int8,int8)", planpb.NewColumn(tBig, 3), planpb.NewColumn(tBig, 7))
	hs := slices.DeleteFunc(slices.Clone(hostiles), func(h hostile) bool { return h.workers > 0 })
	for _, keys := range [][]int{{0}, {1}, {2}, {2, 1}} {
		for _, sizes := range [][3]int{{90, 70, 20}, {60, 80, 2}, {40, 0, 5}, {0, 30, 5}, {200, 150, 1000}} {
			l := sorted("l", randomRows(rng, sizes[0], sizes[2]), keys...)
			r := sorted("r", randomRows(rng, sizes[1], sizes[2]), keys...)
			for _, typ := range append(slices.Clone(joinTypes), planpb.JoinType_SINGLE) {
				if typ == planpb.JoinType_MARK || typ == planpb.JoinType_NULL_AWARE_ANTI {
					continue
				}
				for _, residual := range []bool{false, true} {
					match := func(a, b []types.Datum) (bool, bool) {
						for _, k := range keys {
							if is, _ := equalDatums(ts[k], a[k], b[k]); !is {
								return false, false
							}
						}
						return !residual || a[3].(int64) < b[3].(int64), false
					}
					like := typ
					if typ == planpb.JoinType_SINGLE {
						like = planpb.JoinType_LEFT
					}
					want := naiveJoin(like, l, r, match)
					tooMany := typ == planpb.JoinType_SINGLE && len(want) > len(l.data.Rows)
					m := &planpb.MergeJoin{Type: typ, Left: l.scan(), Right: r.scan()}
					for _, k := range keys {
						m.LeftKeys = append(m.LeftKeys, planpb.NewColumn(ts[k], k))
						m.RightKeys = append(m.RightKeys, planpb.NewColumn(ts[k], k))
					}
					if residual {
						m.Residual = less
					}
					root := Node(joinOutput(typ, l, r), m)
					for _, h := range hs {
						name := fmt.Sprintf("%s keys %v of %v residual=%v %s", typ, keys, sizes, residual, h.name)
						if tooMany {
							if _, err := tryRun(t, h, root, l, r); err == nil {
								t.Fatalf("%s: more than one row is no error", name)
							}
							continue
						}
						got := run(t, h, root, l, r)
						if like == planpb.JoinType_INNER || like == planpb.JoinType_LEFT || typ == planpb.JoinType_SEMI || typ == planpb.JoinType_ANTI {
							if !slices.Equal(got, want) { // the definition goes through the pairs in this very order
								t.Fatalf("%s: %d rows, want %d: %s", name, len(got), len(want), firstDiff(got, want))
							}
							continue
						}
						same(t, name, got, slices.Clone(want))
					}
				}
			}
		}
	}
}
