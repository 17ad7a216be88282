package vexec_test

import (
	"reflect"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestBatchApply counts, for each row, the rows of its stretch, which shows how the
// input is cut; nested ones read the rows of both.
func TestBatchApply(t *testing.T) {
	ts := []types.T{tInt}
	values := func(n int) *planpb.Plan {
		v := &planpb.Values{}
		for i := range n {
			v.Rows = append(v.Rows, &planpb.Row{Exprs: []*planpb.Expr{planpb.NewConst(tInt, int32(i))}})
		}
		return Node(ts, v)
	}
	chunk := func(slot uint32) *planpb.Plan { return Node(ts, &planpb.ChunkScan{Slot: slot}) }
	count := &planpb.AggCall{Func: Proc("count()"), Star: true, Result: planpb.NewType(tBig)}
	body := func(slot uint32) *planpb.Plan {
		return Node([]types.T{tInt, tBig}, &planpb.NestLoop{Left: chunk(slot), Right: Node([]types.T{tBig}, &planpb.Agg{Input: chunk(slot), Calls: []*planpb.AggCall{count}})})
	}
	run := func(n int, first uint32, size int, workMem int64) []string {
		e := vexec.New(vexec.Options{Registry: functions.Builtins(), TempDir: t.TempDir()})
		root := Node([]types.T{tInt, tBig}, &planpb.BatchApply{Input: values(n), Slot: 4, Body: body(4), FirstRows: first})
		rows, _, err := Run(e, &planpb.Statement{Root: root}, vexec.Exec{BatchSize: size, WorkMem: workMem})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	for _, size := range []int{1, 3, 1024} {
		got := run(10, 2, size, 1<<20)
		if exp := []string{"0|2", "1|2", "2|4", "3|4", "4|4", "5|4", "6|4", "7|4", "8|4", "9|4"}; !reflect.DeepEqual(got, exp) {
			t.Errorf("batches of %d: %v", size, got)
		}
		if got := run(3, 0, size, 1<<20); !reflect.DeepEqual(got, []string{"0|3", "1|3", "2|3"}) {
			t.Errorf("batches of %d: %v", size, got)
		}
		if got := run(0, 0, size, 1<<20); len(got) != 0 {
			t.Errorf("no rows: %v", got)
		}
	}
	// Beyond the budget a stretch ends.
	if got := run(6, 0, 2, 1); !reflect.DeepEqual(got, []string{"0|2", "1|2", "2|2", "3|2", "4|2", "5|2"}) {
		t.Errorf("no memory: %v", got)
	}
	inner := Node([]types.T{tInt, tInt}, &planpb.BatchApply{Input: chunk(4), Slot: 5,
		Body: Node([]types.T{tInt, tInt}, &planpb.NestLoop{Left: chunk(5), Right: chunk(4)}), FirstRows: 1})
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), TempDir: t.TempDir()})
	root := Node([]types.T{tInt, tInt}, &planpb.BatchApply{Input: values(3), Slot: 4, Body: inner, FirstRows: 2})
	rows, _, err := Run(e, &planpb.Statement{Root: root}, vexec.Exec{})
	if err != nil {
		t.Fatal(err)
	}
	if exp := []string{"0|0", "0|1", "1|0", "1|1", "2|2"}; !reflect.DeepEqual(rows, exp) {
		t.Errorf("nested: %v", rows)
	}
}
