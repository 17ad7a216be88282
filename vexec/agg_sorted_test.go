package vexec_test

import (
	"fmt"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestSortedStopsEarly: an aggregation of ordered rows gives its first groups out before it has read
// much more than their rows, be they many or few.
func TestSortedStopsEarly(t *testing.T) {
	const rows, bad = 60000, 50000 // the key of row bad cannot be computed
	rel := newRelation("t", []types.T{tInt}, nil)
	for i := range rows {
		rel.data.Rows = append(rel.data.Rows, []types.Datum{int32(i)})
	}
	i, num := planpb.NewColumn(tInt, 0), func(n int) *planpb.Expr { return planpb.NewConst(tInt, int32(n)) }
	nothing := Func(tInt, "int4mul(int4,int4)", num(0), Func(tInt, "int4div(int4,int4)", num(1), Func(tInt, "int4mi(int4,int4)", num(bad), i)))
	out := []types.T{tInt, tBig}
	for _, c := range []struct {
		size int
		want []string
	}{{1, []string{"0|1", "1|1"}}, {3, []string{"0|3", "1|3"}}, {10000, []string{"0|10000", "1|10000"}}} {
		key := Func(tInt, "int4pl(int4,int4)", Func(tInt, "int4div(int4,int4)", i, num(c.size)), nothing)
		groups := Node(out, &planpb.Agg{Strategy: planpb.Agg_SORTED, Input: rel.scan(), Keys: []*planpb.Expr{key},
			Calls: []*planpb.AggCall{{Func: Proc("count()"), Star: true, Result: planpb.NewType(tBig)}}})
		limit := Node(out, &planpb.Limit{Input: groups, Count: planpb.NewConst(tBig, int64(2))})
		same(t, "limit", run(t, hostile{name: fmt.Sprint("groups of ", c.size), storeBatch: 1000}, limit, rel), c.want)
		if _, err := tryRun(t, hostile{storeBatch: 1000}, groups, rel); err == nil {
			t.Fatal("all rows can be read")
		}
	}
}
