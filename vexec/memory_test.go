package vexec_test

import (
	"errors"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestOrderedAggregatesSpill: DISTINCT and ORDER BY calls give the same values
// whatever their budget.
func TestOrderedAggregatesSpill(t *testing.T) {
	rng := rand.New(rand.NewSource(11))
	ts := []types.T{tInt, tText, tNum, tBig}
	rel := newRelation("t", ts, randomRows(rng, 5000, 3000))
	store := &Store{Tables: map[string]*Table{"t": rel.data}, BatchRows: 300}
	call := func(res types.T, sig string, distinct bool, order []*planpb.SortKey, args ...*planpb.Expr) *planpb.AggCall {
		return &planpb.AggCall{Func: Proc(sig), Args: args, Result: planpb.NewType(res), Distinct: distinct, OrderBy: order}
	}
	text, num := planpb.NewColumn(tText, 1), planpb.NewColumn(tNum, 2)
	sep := planpb.NewConst(tText, ",")
	calls := []*planpb.AggCall{
		call(tText, "string_agg(text,text)", false, []*planpb.SortKey{{Expr: num, Descending: true}, {Expr: text}}, text, sep),
		call(tText, "string_agg(text,text)", true, []*planpb.SortKey{{Expr: text}}, text, sep),
		call(tBig, "count(any)", true, nil, text),
		call(tNum, "sum(numeric)", true, nil, num),
	}
	outs := []types.T{tBool, tText, tText, tBig, tNum}
	for _, grouped := range []bool{true, false} {
		rich, poor := runBoth(t, store, func() *planpb.Plan {
			a := &planpb.Agg{Input: rel.scan(), Calls: calls}
			ts := outs[1:]
			if grouped {
				a.Keys, ts = []*planpb.Expr{Func(tBool, "int4lt(int4,int4)", planpb.NewColumn(tInt, 0), planpb.NewConst(tInt, int32(9)))}, outs
			}
			return Node(ts, a)
		}, 8<<10)
		slices.Sort(rich)
		slices.Sort(poor)
		if !slices.Equal(rich, poor) {
			t.Errorf("grouped %v: in memory and spilled differ: %.300v and %.300v", grouped, rich, poor)
		}
	}
}

// TestLargeValues: values are bounded by the executor's limit before they are
// made; wide rows go through in pieces; nothing stays accounted.
func TestLargeValues(t *testing.T) {
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), MemoryLimit: 64 << 20})
	rows := make([][]types.Datum, 1000)
	for i := range rows {
		rows[i] = []types.Datum{int32(i)}
	}
	rel := newRelation("t", []types.T{tInt}, rows)
	store := &Store{Tables: map[string]*Table{"t": rel.data}}
	repeat := func(n int32) *planpb.Expr {
		return Func(tText, "repeat(text,int4)", planpb.NewConst(tText, "x"), planpb.NewConst(tInt, n))
	}
	try := func(p *planpb.Plan) ([]string, error) {
		got, _, err := Run(e, &planpb.Statement{Root: p}, vexec.Exec{Store: store})
		return got, err
	}
	length := func(x *planpb.Expr) *planpb.Expr { return Func(tInt, "length(text)", x) }
	result := func(x *planpb.Expr) *planpb.Plan {
		return Node([]types.T{tInt}, &planpb.Result{Exprs: []*planpb.Expr{x}})
	}
	for range 3 {
		if got, err := try(result(length(repeat(30_000_000)))); err != nil || !slices.Equal(got, []string{"30000000"}) {
			t.Fatal(got, err)
		}
		var pe *pgerror.Error
		if _, err := try(result(length(repeat(200_000_000)))); !errors.As(err, &pe) || pe.Code != pgerror.OutOfMemory {
			t.Fatal(err)
		}
		if _, err := try(result(length(repeat(1_073_741_821)))); !errors.As(err, &pe) || pe.Code != pgerror.ProgramLimitExceeded || !strings.Contains(pe.Message, "requested length too large") {
			t.Fatal(err)
		}
		wide := Node([]types.T{tText}, &planpb.Project{Input: rel.scan(), Exprs: []*planpb.Expr{repeat(300_000)}})
		p := Node([]types.T{tInt}, &planpb.Project{Input: wide, Exprs: []*planpb.Expr{length(planpb.NewColumn(tText, 0))}})
		if got, err := try(p); err != nil || len(got) != 1000 || got[999] != "300000" {
			t.Fatal(len(got), err)
		}
	}
}

// TestOnHeld: whoever lends memory to queries hears of what they take and give back.
func TestOnHeld(t *testing.T) {
	var heard []int64
	e := vexec.New(vexec.Options{OnHeld: func(bytes int64) { heard = append(heard, bytes) }})
	for _, n := range []int64{1 << 20, 40 << 20, 1 << 20, -1 << 20, -40 << 20, -1 << 20} {
		e.Hold(n)
	}
	if want := []int64{41 << 20, 1 << 20}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	if err := e.Reserve(20 << 20); err != nil || heard[len(heard)-1] != 20<<20 {
		t.Errorf("heard %v: %v", heard, err)
	}
	e.Release(20 << 20)
	if last := heard[len(heard)-1]; last != 0 {
		t.Errorf("%d bytes are held at the end", last)
	}
}
