package vexec_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// runBoth runs a plan with a generous and a tiny budget.
func runBoth(t *testing.T, store *Store, plan func() *planpb.Plan, budget int64) (rich, poor []string) {
	t.Helper()
	e := vexec.New(vexec.Options{Registry: functions.Builtins()})
	rich, _, err := Run(e, &planpb.Statement{Root: plan()}, vexec.Exec{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	poor, _, err = Run(e, &planpb.Statement{Root: plan()}, vexec.Exec{Store: store, WorkMem: budget, BatchSize: 128})
	if err != nil {
		t.Fatal(err)
	}
	return rich, poor
}

// TestSetOpSpill: INTERSECT and EXCEPT give the same rows whatever their budget.
func TestSetOpSpill(t *testing.T) {
	rng := rand.New(rand.NewSource(8))
	ts := []types.T{tInt, tText, tNum, tBig}
	a, b := newRelation("a", ts, randomRows(rng, 6000, 9)), newRelation("b", ts, randomRows(rng, 3000, 9))
	two := []types.T{tText, tNum}
	side := func(r *relation) *planpb.Plan {
		return Node(two, &planpb.Project{Input: r.scan(), Exprs: []*planpb.Expr{planpb.NewColumn(tText, 1), planpb.NewColumn(tNum, 2)}})
	}
	wide := func(r *relation) *planpb.Plan {
		return Node(two, &planpb.Project{Input: r.scan(), Exprs: []*planpb.Expr{planpb.NewColumn(tText, 1),
			Func(tNum, "numeric(int8)", planpb.NewColumn(tBig, 3))}})
	}
	store := &Store{Tables: map[string]*Table{"a": a.data, "b": b.data}, BatchRows: 300}
	for _, op := range []planpb.SetOp_Op{planpb.SetOp_INTERSECT, planpb.SetOp_INTERSECT_ALL, planpb.SetOp_EXCEPT, planpb.SetOp_EXCEPT_ALL} {
		for i, in := range []func(*relation) *planpb.Plan{side, wide} {
			rich, poor := runBoth(t, store, func() *planpb.Plan {
				return Node(two, &planpb.SetOp{Op: op, Left: in(a), Right: in(b)})
			}, 16<<10)
			slices.Sort(rich)
			slices.Sort(poor)
			if !slices.Equal(rich, poor) {
				t.Errorf("%v of %d: %d rows in memory, %d spilled", op, i, len(rich), len(poor))
			}
		}
	}
}

// TestWindowPieces: partitions beyond the budget give the same values as in memory.
func TestWindowPieces(t *testing.T) {
	rng := rand.New(rand.NewSource(9))
	ts := []types.T{tInt, tText, tNum, tBig}
	call := func(res types.T, sig string, args ...*planpb.Expr) *planpb.WindowCall {
		return &planpb.WindowCall{Func: Proc(sig), Args: args, Result: planpb.NewType(res)}
	}
	agg := func(c *planpb.WindowCall) *planpb.WindowCall { c.IsAggregate = true; return c }
	c0, c3 := planpb.NewColumn(tInt, 0), planpb.NewColumn(tBig, 3)
	filtered := agg(call(tNum, "sum(int8)", c3))
	filtered.Filter = Func(tBool, "int8lt(int8,int8)", c3, planpb.NewConst(tBig, int64(50)))
	numbers := []*planpb.WindowCall{call(tBig, "row_number()"), call(tBig, "rank()"), call(tBig, "dense_rank()")}
	totals := []*planpb.WindowCall{call(types.Of(types.Float8), "percent_rank()"), call(types.Of(types.Float8), "cume_dist()"),
		call(tInt, "ntile(int4)", planpb.NewConst(tInt, int32(7)))}
	shifts := []*planpb.WindowCall{call(tInt, "lag(anyelement,int4)", c0, planpb.NewConst(tInt, int32(3))), call(tInt, "lead(anyelement)", c0)}
	over := []*planpb.WindowCall{filtered, agg(call(tBig, "count(any)", c0)), call(tInt, "first_value(anyelement)", c0), call(tInt, "last_value(anyelement)", c0),
		agg(call(tText, "max(text)", planpb.NewColumn(tText, 1)))}
	far := []*planpb.WindowCall{call(tInt, "nth_value(anyelement,int4)", c0, planpb.NewConst(tInt, int32(3))),
		call(tInt, "lag(anyelement,int4)", c0, c0), call(tInt, "lead(anycompatible,int4,anycompatible)", c0, planpb.NewConst(tInt, int32(200)), planpb.NewConst(tInt, int32(-1)))}
	inRange := Proc("in_range(int8,int8,int8,bool,bool)")
	two, five := planpb.NewConst(tBig, int64(2)), planpb.NewConst(tBig, int64(5))
	frames := []*planpb.WindowFrame{nil,
		{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_UNBOUNDED_PRECEDING, End: planpb.WindowFrame_CURRENT_ROW},
		{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_OFFSET_PRECEDING, End: planpb.WindowFrame_OFFSET_FOLLOWING, StartOffset: two, EndOffset: five},
		{Mode: planpb.WindowFrame_GROUPS, Start: planpb.WindowFrame_UNBOUNDED_PRECEDING, End: planpb.WindowFrame_UNBOUNDED_FOLLOWING},
		// from here on frames that need the whole partition
		{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_CURRENT_ROW, End: planpb.WindowFrame_UNBOUNDED_FOLLOWING},
		{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_OFFSET_FOLLOWING, End: planpb.WindowFrame_OFFSET_FOLLOWING, StartOffset: two, EndOffset: planpb.NewConst(tBig, int64(1<<62))},
		{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_UNBOUNDED_PRECEDING, End: planpb.WindowFrame_OFFSET_PRECEDING, EndOffset: two, Exclude: planpb.WindowFrame_EXCLUDE_GROUP},
		{Mode: planpb.WindowFrame_GROUPS, Start: planpb.WindowFrame_OFFSET_PRECEDING, End: planpb.WindowFrame_OFFSET_FOLLOWING, StartOffset: two, EndOffset: five, Exclude: planpb.WindowFrame_EXCLUDE_TIES},
		{Mode: planpb.WindowFrame_GROUPS, Start: planpb.WindowFrame_OFFSET_FOLLOWING, End: planpb.WindowFrame_UNBOUNDED_FOLLOWING, StartOffset: five, Exclude: planpb.WindowFrame_EXCLUDE_CURRENT_ROW},
		{Mode: planpb.WindowFrame_RANGE, Start: planpb.WindowFrame_OFFSET_PRECEDING, End: planpb.WindowFrame_OFFSET_FOLLOWING, StartOffset: two, EndOffset: five, StartInRange: inRange, EndInRange: inRange},
		{Mode: planpb.WindowFrame_RANGE, Start: planpb.WindowFrame_OFFSET_PRECEDING, End: planpb.WindowFrame_CURRENT_ROW, StartOffset: five, StartInRange: inRange, Exclude: planpb.WindowFrame_EXCLUDE_CURRENT_ROW},
	}
	rel := newRelation("t", ts, randomRows(rng, 500, 9))
	store := &Store{Tables: map[string]*Table{"t": rel.data}, BatchRows: 300}
	for _, parts := range []int{0, 1} {
		for fi, frame := range frames {
			for ci, calls := range [][]*planpb.WindowCall{numbers, totals, shifts, over, far, slices.Concat(numbers, totals, shifts, over, far)} {
				if fi > 3 && ci < 3 { // these do not look at frames
					continue
				}
				t.Run(fmt.Sprint(parts, fi, ci), func(t *testing.T) {
					outs := slices.Clone(ts)
					for _, c := range calls {
						outs = append(outs, c.GetResult().T())
					}
					rich, poor := runBoth(t, store, func() *planpb.Plan {
						// the first key has many equal values, and NULLs
						keys := []*planpb.SortKey{{Expr: Func(tBig, "int8(int4)", c0), Descending: parts > 0}}
						if frame.GetMode() == planpb.WindowFrame_ROWS {
							keys = append(keys, &planpb.SortKey{Expr: c3})
						}
						w := &planpb.Window{Order: keys, Frame: frame, Calls: calls}
						if parts > 0 {
							w.Partition = []*planpb.Expr{Func(tBool, "int4lt(int4,int4)", c0, planpb.NewConst(tInt, int32(4)))}
							keys = append([]*planpb.SortKey{{Expr: w.Partition[0]}}, keys...)
						}
						w.Input = Node(ts, &planpb.Sort{Input: rel.scan(), Keys: keys})
						return Node(outs, w)
					}, 8<<10)
					if !slices.Equal(rich, poor) {
						for i := range rich {
							if i >= len(poor) || rich[i] != poor[i] {
								t.Fatalf("%d and %d rows; row %d: %s, in pieces %s", len(rich), len(poor), i, rich[i], append(poor, make([]string, len(rich))...)[i])
							}
						}
						t.Fatal("too many rows")
					}
				})
			}
		}
	}
}
