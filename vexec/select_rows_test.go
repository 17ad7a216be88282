package vexec_test

import (
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestSelectRows: OR of predicates that list their rows themselves (LIKE), of one that may be computed for all rows
// (length) and of a column test, over plain texts with NULLs.
func TestSelectRows(t *testing.T) {
	rng := rand.New(rand.NewSource(21))
	word := func() types.Datum {
		if rng.Intn(8) == 0 {
			return nil
		}
		b := make([]byte, rng.Intn(6))
		for i := range b {
			b[i] = "abc"[rng.Intn(3)]
		}
		return string(b)
	}
	like := func(sig string, col int, pattern types.Datum) *planpb.Expr {
		return Func(tBool, sig, planpb.NewColumn(tText, col), planpb.NewConst(tText, pattern))
	}
	longer := func(col int, n int32) *planpb.Expr {
		return Func(tBool, "int4gt(int4,int4)", Func(tInt, "length(text)", planpb.NewColumn(tText, col)), planpb.NewConst(tInt, n))
	}
	for range 60 {
		var rows [][]types.Datum
		for i := range 1 + rng.Intn(300) {
			rows = append(rows, []types.Datum{int32(i), word(), word()})
		}
		n := int32(rng.Intn(6))
		type arm struct {
			e    *planpb.Expr
			true func(r []types.Datum) bool
		}
		on := func(col int, f func(s string) bool) func([]types.Datum) bool {
			return func(r []types.Datum) bool { s, ok := r[col].(string); return ok && f(s) }
		}
		arms := []arm{
			{like("textlike(text,text)", 1, "a%"), on(1, func(s string) bool { return strings.HasPrefix(s, "a") })},
			{like("textlike(text,text)", 2, "%bc%"), on(2, func(s string) bool { return strings.Contains(s, "bc") })},
			{like("textnlike(text,text)", 1, "_%"), on(1, func(s string) bool { return s == "" })},
			{like("textlike(text,text)", 1, nil), func([]types.Datum) bool { return false }},
			{longer(2, n), on(2, func(s string) bool { return len(s) > int(n) })},
			{longer(1, 4), on(1, func(s string) bool { return len(s) > 4 })},
		}
		rng.Shuffle(len(arms), func(i, j int) { arms[i], arms[j] = arms[j], arms[i] })
		arms = arms[:1+rng.Intn(len(arms))]
		var es []*planpb.Expr
		for _, a := range arms {
			es = append(es, a.e)
		}
		ts := []types.T{tInt, tText, tText}
		rel := newRelation("t", ts, rows)
		first := Node(ts, &planpb.Filter{Input: rel.scan(), Predicate: like("textlike(text,text)", 2, "%")}) // leaves a selection
		or := &planpb.Expr{Type: planpb.NewConst(tBool, true).Type, Kind: &planpb.Expr_Bool{Bool: &planpb.BoolExpr{Op: planpb.BoolExpr_OR, Args: es}}}
		plan := Node(ts, &planpb.Filter{Input: first, Predicate: or})
		got, _, err := Run(vexec.New(vexec.Options{Registry: functions.Builtins()}), &planpb.Statement{Root: plan}, vexec.Exec{Store: &Store{Tables: map[string]*Table{"t": rel.data}}})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, r := range rows {
			if r[2] != nil && slices.ContainsFunc(arms, func(a arm) bool { return a.true(r) }) {
				want = append(want, show(ts, r))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// TestTopOfParts: a top-N of each part below a Gather and one of all above it give the first rows of all.
func TestTopOfParts(t *testing.T) {
	rng := rand.New(rand.NewSource(22))
	ts := []types.T{tInt, tText, tNum, tBig}
	for _, n := range []int{0, 3, 500, 20000} {
		rel := newRelation("t", ts, randomRows(rng, n, 1000))
		keys := []*planpb.SortKey{{Expr: planpb.NewColumn(tNum, 2), Descending: true, NullsFirst: true}, {Expr: planpb.NewColumn(tInt, 0)}, {Expr: planpb.NewColumn(tText, 1)}, {Expr: planpb.NewColumn(tBig, 3)}}
		for _, limit := range []uint64{1, 7, 100, 5000} {
			sorted := Node(ts, &planpb.Sort{Input: rel.scan(), Keys: keys})
			top := Node(ts, &planpb.Sort{Input: Node(ts, &planpb.Gather{Input: Node(ts, &planpb.Sort{Input: rel.scan(), Keys: keys, Limit: limit}), Workers: 3}), Keys: keys, Limit: limit})
			e := vexec.New(vexec.Options{Registry: functions.Builtins(), Workers: 3})
			exec := vexec.Exec{Store: &Store{Tables: map[string]*Table{"t": rel.data}}}
			want, _, err := Run(e, &planpb.Statement{Root: sorted}, exec)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := Run(e, &planpb.Statement{Root: top}, exec)
			if err != nil {
				t.Fatal(err)
			}
			if want = want[:min(len(want), int(limit))]; !slices.Equal(got, want) {
				t.Fatalf("%d rows, limit %d: got %v, want %v", n, limit, got, want)
			}
		}
	}
}
