package vexec_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestCombinedSets: grouping sets that are combined from finer ones are those that rows would give.
func TestCombinedSets(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	ts := []types.T{tInt, tText, tNum, tBig}
	vectorized := slices.DeleteFunc(aggSpecs(), func(s aggSpec) bool { return s.call.Distinct || len(s.call.OrderBy) > 0 })
	general := append(slices.Clone(vectorized), aggSpec{
		&planpb.AggCall{Func: Proc("bit_or(int4)"), Args: col(tInt, 0), Result: planpb.NewType(tInt)},
		func(r [][]types.Datum) types.Datum {
			var or types.Datum
			for _, v := range values(r, 0) {
				if or == nil {
					or = int32(0)
				}
				or = or.(int32) | v.(int32)
			}
			return or
		}})
	type set struct {
		keys  []int
		finer int // position of the finer set, −1: none
	}
	cases := [][]set{
		{{[]int{0, 1, 2}, -1}, {[]int{0, 1}, 0}, {[]int{0}, 1}, {nil, 2}},
		{{nil, 3}, {[]int{0}, 2}, {[]int{1, 0}, 3}, {[]int{2, 1, 0}, -1}}, // finest last
		{{[]int{0, 1, 2}, -1}, {[]int{0, 1}, 0}, {[]int{0, 2}, 0}, {[]int{2, 1}, 0}, {[]int{0}, 1}, {[]int{1}, 3}, {[]int{2}, 3}, {nil, 4}},
		{{[]int{0, 1}, -1}, {[]int{2}, -1}, {[]int{1}, 0}, {[]int{1}, 2}, {nil, 1}, {nil, -1}}, // equal ones, and what has none
	}
	rels := []*relation{newRelation("t", ts, nil)}
	for _, groups := range []int{3, 300} {
		rels = append(rels, newRelation("t", ts, randomRows(rng, 1200, groups)))
	}
	for ci, sets := range cases {
		for ri, rel := range rels {
			for _, specs := range [][]aggSpec{vectorized, general} {
				agg := &planpb.Agg{GroupingCalls: []*planpb.GroupingCall{{Keys: []uint32{0, 1, 2}}}}
				out := []types.T{tInt, tText, tNum, tInt}
				for k := range 3 {
					agg.Keys = append(agg.Keys, planpb.NewColumn(ts[k], k))
				}
				var states []types.T
				for _, s := range specs {
					agg.Calls = append(agg.Calls, s.call)
					out, states = append(out, s.call.Result.T()), append(states, types.Of(types.Bytea))
				}
				var want []string
				for _, s := range sets {
					gs := &planpb.GroupingSet{Finer: uint32(s.finer + 1)}
					for _, k := range s.keys {
						gs.Keys = append(gs.Keys, uint32(k))
					}
					agg.Sets = append(agg.Sets, gs)
					want = append(want, setRows(rel, s.keys, specs)...)
				}
				for _, h := range hostiles {
					if h.storeBatch == 1 && ri > 1 {
						continue
					}
					what := fmt.Sprintf("case %d relation %d %d calls %s", ci, ri, len(specs), h.name)
					h2 := h
					h2.workers = 0
					agg.Phase, agg.Input = planpb.Agg_COMPLETE, rel.scan()
					if h.workers > 0 {
						agg.Input = Node(ts, &planpb.Gather{Input: rel.scan(), Workers: h.workers})
					}
					same(t, what, canonical(run(t, h2, Node(out, agg), rel), []int{0, 1, 2}), slices.Clone(want))
					if h.workers > 0 {
						agg.Input = rel.scan()
						above := Node(out, &planpb.Gather{Workers: h.workers, Input: Node(out, agg)})
						if specs[len(specs)-1].call.Func != Proc("bit_or(int4)") {
							same(t, what+" in workers", canonical(run(t, h2, above, rel), []int{0, 1, 2}), slices.Clone(want))
						}
					}
					partial := &planpb.Agg{Phase: planpb.Agg_PARTIAL, Input: rel.scan(), Keys: agg.Keys, Calls: agg.Calls}
					agg.Phase, agg.Input = planpb.Agg_FINAL, Node(append(slices.Clone(ts[:3]), states...), partial)
					same(t, what+" of states", canonical(run(t, h2, Node(out, agg), rel), []int{0, 1, 2}), slices.Clone(want))
				}
			}
		}
	}
}

// setRows are the rows of one grouping set of keys 0 … 2, with grouping(0, 1, 2).
func setRows(rel *relation, keys []int, specs []aggSpec) []string {
	var out []string
	for _, r := range canonical(naiveAgg(rel, keys, specs), keys) {
		f := strings.Split(r, "|")
		full, mask := make([]string, 3), 0
		for k := range full {
			mask <<= 1
			if i := slices.Index(keys, k); i >= 0 {
				full[k] = f[i]
			} else {
				mask |= 1
			}
		}
		out = append(out, strings.Join(append(append(full, fmt.Sprint(mask)), f[len(keys):]...), "|"))
	}
	return out
}
