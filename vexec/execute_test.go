package vexec_test

import (
	"context"
	"math/rand"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// updatePlan is UPDATE t SET c1 = c1 + 1 WHERE c1 < 10 with its re-check.
func updatePlan(rel *relation) *planpb.Plan {
	ts := append([]types.T{types.Of(types.Bytea)}, rel.ts...)
	side := func(in *planpb.Plan) *planpb.Plan {
		f := Node(ts, &planpb.Filter{Input: in, Predicate: Func(tBool, "int4lt(int4,int4)", planpb.NewColumn(tInt, 2), planpb.NewConst(tInt, int32(10)))})
		return Node(ts, &planpb.Project{Input: f, Exprs: []*planpb.Expr{planpb.NewColumn(ts[0], 0), planpb.NewColumn(tInt, 1),
			Func(tInt, "int4pl(int4,int4)", planpb.NewColumn(tInt, 2), planpb.NewConst(tInt, int32(1)))}})
	}
	cols := []int32{-1, 0, 1}
	m := &planpb.Modify{Op: planpb.Modify_UPDATE, Table: rel.table, Input: side(Node(ts, &planpb.Scan{Table: rel.table, Columns: cols})),
		Recheck: side(Node(ts, &planpb.ChunkScan{Slot: 3})), RecheckSlot: 3, RecheckColumns: cols, Changed: []uint32{1},
		HasReturning: true, Returning: Columns(rel.ts)}
	return Node(rel.ts, m)
}

// TestUpdateRecheck: rows that changed since the snapshot are re-computed from
// their newest version, and left alone when that no longer qualifies.
func TestUpdateRecheck(t *testing.T) {
	rel := newRelation("t", []types.T{tInt, tInt}, [][]types.Datum{{int32(0), int32(1)}, {int32(1), int32(2)}, {int32(2), int32(3)}, {int32(3), int32(4)}, {int32(4), int32(50)}})
	s := &Store{Tables: map[string]*Table{"t": rel.data}, Locked: map[int]Outcome{
		1: {State: vexec.RowUpdated, Row: []types.Datum{int32(1), int32(7)}},
		2: {State: vexec.RowUpdated, Row: []types.Datum{int32(2), int32(70)}},
		3: {State: vexec.RowDeleted},
	}}
	e := vexec.New(vexec.Options{Registry: functions.Builtins()})
	got, n, err := Run(e, &planpb.Statement{Root: updatePlan(rel)}, vexec.Exec{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"0|2", "1|8"}; !slices.Equal(got, want) || n != 2 {
		t.Fatalf("got %v, %d rows", got, n)
	}
}

// TestConstraints: the first row that breaks a constraint decides, NOT NULL before CHECK.
func TestConstraints(t *testing.T) {
	rel := newRelation("t", []types.T{tInt, tText}, nil)
	rel.table.Columns[1].NotNull = true
	row := func(a, b types.Datum) *planpb.Row {
		return &planpb.Row{Exprs: []*planpb.Expr{planpb.NewConst(tInt, a), planpb.NewConst(tText, b)}}
	}
	insert := func(rows ...*planpb.Row) error {
		m := &planpb.Modify{Op: planpb.Modify_INSERT, Table: rel.table, Input: Node(rel.ts, &planpb.Values{Rows: rows}),
			Checks: []*planpb.Check{{Name: "pos", Expr: Func(tBool, "int4gt(int4,int4)", planpb.NewColumn(tInt, 0), planpb.NewConst(tInt, int32(0)))}}}
		e := vexec.New(vexec.Options{Registry: functions.Builtins()})
		_, _, err := Run(e, &planpb.Statement{Root: Node(nil, m)}, vexec.Exec{Store: &Store{Tables: map[string]*Table{"t": rel.data}}})
		return err
	}
	for _, c := range []struct {
		rows   []*planpb.Row
		code   pgerror.Code
		detail string
	}{
		{[]*planpb.Row{row(int32(1), "a"), row(nil, "b")}, "", ""},
		{[]*planpb.Row{row(int32(1), "a"), row(int32(-1), "b"), row(int32(1), nil)}, pgerror.CheckViolation, "Failing row contains (-1, b)."},
		{[]*planpb.Row{row(int32(-1), nil)}, pgerror.NotNullViolation, "Failing row contains (-1, null)."},
		{[]*planpb.Row{row(int32(1), "a"), row(int32(2), nil), row(int32(-1), "b")}, pgerror.NotNullViolation, "Failing row contains (2, null)."},
	} {
		err := insert(c.rows...)
		if c.code == "" {
			if err != nil {
				t.Errorf("unexpected %v", err)
			}
			continue
		}
		if e := pgerror.From(err); e == nil || e.Code != c.code || e.Detail != c.detail {
			t.Errorf("got %+v, want %s %s", e, c.code, c.detail)
		}
	}
}

// brokenRegistry has an int4pl that panics at 500.
func brokenRegistry() *expr.Registry {
	r := functions.Fill()
	oid := types.OID(Proc("int4pl(int4,int4)"))
	good := r.Function(oid)
	r.Add(&expr.Function{OID: oid, Strict: true, Eval: func(ctx *expr.Context, c *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		v, err := good.Eval(ctx, c, args, n)
		for i := range n {
			if err == nil && types.Get(tInt, args[0], i) == any(int32(500)) {
				panic("broken")
			}
		}
		return v, err
	}})
	return r
}

// TestFailures: a panic in a worker is an error of the query, a closed or
// cancelled cursor ends its workers, and nobody is left behind.
func TestFailures(t *testing.T) {
	var rows [][]types.Datum
	for i := range 20000 {
		rows = append(rows, []types.Datum{int32(i), int32(i % 7)})
	}
	rel := newRelation("t", []types.T{tInt, tInt}, rows)
	plan := func() *planpb.Plan {
		p := Node(rel.ts, &planpb.Project{Input: rel.scan(), Exprs: []*planpb.Expr{
			Func(tInt, "int4pl(int4,int4)", planpb.NewColumn(tInt, 0), planpb.NewConst(tInt, int32(1))), planpb.NewColumn(tInt, 1)}})
		return Node(rel.ts, &planpb.Gather{Input: p, Workers: 2})
	}
	s := &Store{Tables: map[string]*Table{"t": rel.data}, BatchRows: 100}
	before := runtime.NumGoroutine()
	e := vexec.New(vexec.Options{Registry: brokenRegistry(), Workers: 4})
	if _, _, err := Run(e, &planpb.Statement{Root: plan()}, vexec.Exec{Store: s}); !pgerror.Is(err, pgerror.InternalError) {
		t.Errorf("panic gave %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	env := vexec.Exec{Store: s, Expr: &expr.Context{Ctx: ctx, Env: types.DefaultEnv()}}
	e = vexec.New(vexec.Options{Registry: functions.Builtins(), Workers: 4})
	c, err := e.Run(ctx, &planpb.Statement{Root: plan()}, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil {
		var b *vexec.Batch
		if b, err = c.Next(ctx); b == nil && err == nil {
			t.Fatal("a cancelled cursor came to its end")
		}
	}
	if !pgerror.Is(err, pgerror.QueryCanceled) {
		t.Errorf("cancelled: %v", err)
	}
	c.Close()
	c.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestMemoryLimit: what cannot go to disk, an aggregate's value, fails when the
// executor's limit is reached; windows, merge joins and IN over several columns
// with NULLs go on.
func TestMemoryLimit(t *testing.T) {
	rng := rand.New(rand.NewSource(5))
	rel := newRelation("t", []types.T{tInt, tText, tNum, tBig}, randomRows(rng, 60000, 1000))
	w := Node(append(slices.Clone(rel.ts), tInt), &planpb.Window{Input: rel.scan(),
		Calls: []*planpb.WindowCall{{Func: Proc("nth_value(anyelement,int4)"), Result: planpb.NewType(tInt),
			Args: []*planpb.Expr{planpb.NewColumn(tInt, 0), planpb.NewConst(tInt, int32(3))}}}})
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), MemoryLimit: 2 << 20})
	all := Node([]types.T{types.Of(types.TextArray)}, &planpb.Agg{Input: rel.scan(), Calls: []*planpb.AggCall{{Func: Proc("array_agg(anynonarray)"),
		Result: planpb.NewType(types.Of(types.TextArray)), Args: []*planpb.Expr{Func(tText, "repeat(text,int4)", planpb.NewColumn(tText, 1), planpb.NewConst(tInt, int32(50)))}}}})
	store := &Store{Tables: map[string]*Table{"t": rel.data}}
	if _, _, err := Run(e, &planpb.Statement{Root: all}, vexec.Exec{Store: store}); !pgerror.Is(err, pgerror.OutOfMemory) {
		t.Fatalf("got %v", err)
	}
	key := []*planpb.Expr{planpb.NewColumn(tBig, 3)}
	few := Node(rel.ts, &planpb.Limit{Input: rel.scan(), Count: planpb.NewConst(tBig, int64(2000))})
	two := []*planpb.Expr{planpb.NewColumn(tInt, 0), planpb.NewColumn(tText, 1)}
	for _, p := range []*planpb.Plan{w,
		Node(slices.Concat(rel.ts, rel.ts), &planpb.MergeJoin{Left: rel.scan(), Right: rel.scan(), LeftKeys: key, RightKeys: key}),
		Node(append(slices.Clone(rel.ts), tBool), &planpb.HashJoin{Type: planpb.JoinType_MARK, Left: few, Right: rel.scan(), LeftKeys: two, RightKeys: two})} {
		rows, _, err := Run(e, &planpb.Statement{Root: p}, vexec.Exec{Store: store})
		want := len(rel.data.Rows)
		if p.GetHashJoin() != nil {
			want = 2000
		}
		if err != nil || len(rows) != want {
			t.Fatalf("%T: %d rows, %v", p.Op, len(rows), err)
		}
	}
	// an ordered aggregation holds the groups it has not given out: a limit that all of them exceed is not reached
	wide := newRelation("w", []types.T{tInt}, nil)
	for i := range 200000 {
		wide.data.Rows = append(wide.data.Rows, []types.Datum{int32(i)})
	}
	grouped := Node([]types.T{tInt, tBig}, &planpb.Agg{Input: wide.scan(), Strategy: planpb.Agg_SORTED, Keys: []*planpb.Expr{planpb.NewColumn(tInt, 0)},
		Calls: []*planpb.AggCall{{Func: Proc("sum(int4)"), Result: planpb.NewType(tBig), Args: []*planpb.Expr{planpb.NewColumn(tInt, 0)}}}})
	got, _, err := Run(e, &planpb.Statement{Root: grouped}, vexec.Exec{Store: &Store{Tables: map[string]*Table{"w": wide.data}}})
	if err != nil || len(got) != len(wide.data.Rows) {
		t.Fatalf("%d groups, %v", len(got), err)
	}
	// the memory is given back: a sort of the same rows spills and succeeds
	s := Node(rel.ts, &planpb.Sort{Input: rel.scan(), Keys: []*planpb.SortKey{{Expr: planpb.NewColumn(tBig, 3), Descending: true}}})
	rows, _, err := Run(e, &planpb.Statement{Root: s}, vexec.Exec{Store: &Store{Tables: map[string]*Table{"t": rel.data}}})
	if err != nil || len(rows) != len(rel.data.Rows) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
}
