package vexec_test

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestDistinctSets holds aggregations with several DISTINCT calls, whose sets are filled side by side above a
// Gather, against the definition: with filters, in memory and spilled.
func TestDistinctSets(t *testing.T) {
	rng := rand.New(rand.NewSource(11))
	ts := []types.T{tInt, tText, tNum, tBig}
	rel := newRelation("t", ts, randomRows(rng, 6000, 900))
	var specs []aggSpec
	for c, ty := range ts {
		call := &planpb.AggCall{Func: Proc("count(any)"), Args: []*planpb.Expr{planpb.NewColumn(ty, c)}, Result: planpb.NewType(tBig), Distinct: true}
		specs = append(specs, aggSpec{call, func(r [][]types.Datum) types.Datum { return int64(len(distinct(ty, values(r, c)))) }})
	}
	for _, keys := range [][]int{{}, {0}} {
		want := naiveAgg(rel, keys, specs)
		agg := &planpb.Agg{Input: Node(ts, &planpb.Gather{Input: rel.scan(), Workers: 2}), Strategy: planpb.Agg_HASH}
		var out []types.T
		for _, k := range keys {
			agg.Keys = append(agg.Keys, planpb.NewColumn(ts[k], k))
			out = append(out, ts[k])
		}
		for _, s := range specs {
			agg.Calls = append(agg.Calls, s.call)
			out = append(out, tBig)
		}
		large := []hostile{{name: "large", storeBatch: 700}, {name: "large-spill", storeBatch: 700, workMem: 1}}
		for _, h := range append(large, hostiles...) {
			if h.storeBatch == 1 {
				continue
			}
			h.workers = 0
			same(t, fmt.Sprintf("%v %s", keys, h.name), canonical(run(t, h, Node(out, agg), rel), keys), canonical(want, keys))
		}
	}
}
