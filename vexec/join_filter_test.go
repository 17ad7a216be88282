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

// TestJoinFilter joins over everything a join's filter may be pushed through, with the
// key as a bare column (scans are filtered) and as an expression (they are not).
func TestJoinFilter(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	ts := []types.T{tInt, tText, tNum, tBig}
	l := newRelation("l", ts, randomRows(rng, 200, 60))
	m := newRelation("m", ts, randomRows(rng, 80, 60))
	few := newRelation("f", ts, randomRows(rng, 9, 60))
	empty := newRelation("e", ts, nil)
	key := func(i int) []*planpb.Expr { return []*planpb.Expr{planpb.NewColumn(tInt, i)} }
	join := func(typ planpb.JoinType, left, right *planpb.Plan, l, r int) *planpb.Plan {
		out := append(typesOf(left), typesOf(right)...)
		switch typ {
		case planpb.JoinType_SEMI, planpb.JoinType_ANTI:
			out = typesOf(left)
		case planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
			out = typesOf(right)
		}
		return Node(out, &planpb.HashJoin{Type: typ, Left: left, Right: right, LeftKeys: key(l), RightKeys: key(r)})
	}
	counted := func(in *planpb.Plan) *planpb.Plan {
		return Node([]types.T{tInt, tBig}, &planpb.Agg{Input: in, Keys: key(0),
			Calls: []*planpb.AggCall{{Func: Proc("count()"), Star: true, Result: planpb.NewType(tBig)}}})
	}
	// probe sides: the plan, the column that is the key, and the scan that is filtered
	type probe struct {
		name string
		plan func() *planpb.Plan
		col  int
	}
	probes := []probe{
		{"scan", l.scan, 0},
		{"filter", func() *planpb.Plan {
			return Node(ts, &planpb.Filter{Input: l.scan(), Predicate: Func(tBool, "int8gt(int8,int8)", planpb.NewColumn(tBig, 3), planpb.NewConst(tBig, int64(20)))})
		}, 0},
		{"project", func() *planpb.Plan {
			return Node([]types.T{tText, tInt}, &planpb.Project{Input: l.scan(), Exprs: []*planpb.Expr{planpb.NewColumn(tText, 1), planpb.NewColumn(tInt, 0)}})
		}, 1},
		{"group", func() *planpb.Plan { return counted(l.scan()) }, 0},
		{"group of join", func() *planpb.Plan { return counted(join(planpb.JoinType_LEFT, l.scan(), m.scan(), 0, 0)) }, 0},
		{"right of left join", func() *planpb.Plan { return join(planpb.JoinType_LEFT, l.scan(), m.scan(), 0, 0) }, 4},
		{"full join, right", func() *planpb.Plan { return join(planpb.JoinType_FULL, l.scan(), m.scan(), 0, 0) }, 4},
		{"full join, left", func() *planpb.Plan { return join(planpb.JoinType_FULL, l.scan(), m.scan(), 0, 0) }, 0},
		{"right join", func() *planpb.Plan { return join(planpb.JoinType_RIGHT, l.scan(), m.scan(), 0, 0) }, 0},
		{"inner join", func() *planpb.Plan { return join(planpb.JoinType_INNER, l.scan(), m.scan(), 0, 0) }, 4},
		{"anti join", func() *planpb.Plan { return join(planpb.JoinType_ANTI, l.scan(), m.scan(), 0, 0) }, 0},
		{"right anti join", func() *planpb.Plan { return join(planpb.JoinType_RIGHT_ANTI, m.scan(), l.scan(), 0, 0) }, 0},
	}
	for _, right := range []*relation{few, m, empty} {
		for _, typ := range []planpb.JoinType{planpb.JoinType_INNER, planpb.JoinType_SEMI, planpb.JoinType_RIGHT, planpb.JoinType_RIGHT_SEMI,
			planpb.JoinType_RIGHT_ANTI, planpb.JoinType_LEFT, planpb.JoinType_ANTI, planpb.JoinType_FULL} {
			for _, p := range probes {
				plain := join(typ, p.plan(), right.scan(), p.col, 0)
				hj := plain.GetHashJoin()
				hj.LeftKeys = []*planpb.Expr{Func(tInt, "int4pl(int4,int4)", planpb.NewColumn(tInt, p.col), planpb.NewConst(tInt, int32(0)))}
				want := run(t, hostiles[0], plain, l, m, right)
				for _, h := range hostiles {
					if (h.workMem > 0 || h.storeBatch == 1) && (right != few || typ != planpb.JoinType_INNER) {
						continue // slow, and nothing new
					}
					name := fmt.Sprintf("%s/%s/%s/%s", right.table.Name, typ, p.name, h.name)
					same(t, name, run(t, h, join(typ, p.plan(), right.scan(), p.col, 0), l, m, right), slices.Clone(want))
				}
			}
		}
	}
	// the rows do get dropped in the scan
	scan := l.scan()
	st := vexec.NewStats(false)
	s := &Store{Tables: map[string]*Table{"l": l.data, "f": few.data}}
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), Workers: 2})
	if _, _, err := Run(e, &planpb.Statement{Root: join(planpb.JoinType_INNER, counted(scan), few.scan(), 0, 0)}, vexec.Exec{Store: s, Stats: st}); err != nil {
		t.Fatal(err)
	}
	if o, _ := st.Op(scan.Id); o.JoinRemoved < 100 || o.RowsRemoved != 0 {
		t.Errorf("the scan dropped %d rows for the join, %d by its filter", o.JoinRemoved, o.RowsRemoved)
	}
	// a Gather whose workers aggregate tells what went through it
	scan = l.scan()
	gather := Node(ts, &planpb.Gather{Input: scan, Workers: 2})
	st = vexec.NewStats(true)
	if _, _, err := Run(e, &planpb.Statement{Root: counted(gather)}, vexec.Exec{Store: s, Stats: st}); err != nil {
		t.Fatal(err)
	}
	if o, _ := st.Op(gather.Id); o.Loops != 1 || o.Rows != int64(len(l.data.Rows)) || o.Workers == 0 || o.Total == 0 {
		t.Errorf("the Gather: %+v", o)
	}
}

// TestSharedBuildStats counts a build that workers share.
func TestSharedBuildStats(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	ts := []types.T{tInt, tText, tNum, tBig}
	l, m := newRelation("l", ts, randomRows(rng, 200, 60)), newRelation("m", ts, randomRows(rng, 80, 60))
	join := Node(append(slices.Clone(ts), ts...), &planpb.HashJoin{Left: l.scan(), Right: m.scan(),
		LeftKeys: []*planpb.Expr{planpb.NewColumn(tInt, 0)}, RightKeys: []*planpb.Expr{planpb.NewColumn(tInt, 0)}})
	st := vexec.NewStats(true)
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), Workers: 2})
	stmt := &planpb.Statement{Root: Node(typesOf(join), &planpb.Gather{Input: join, Workers: 2})}
	if _, _, err := Run(e, stmt, vexec.Exec{Store: &Store{Tables: map[string]*Table{"l": l.data, "m": m.data}}, Stats: st}); err != nil {
		t.Fatal(err)
	}
	if o, _ := st.Op(join.Id); o.HashBuckets == 0 || o.HashBuckets > 60 {
		t.Errorf("%d keys", o.HashBuckets)
	}
}

// TestCodedText holds expressions over dictionary-coded text against the same over
// plain text, among them one that fails on a value of the dictionary that no row has.
func TestCodedText(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	words := []types.Datum{"", "1", "12", "x", "promo brushed", "PROMO", "a%b", "%", nil}
	var rows [][]types.Datum
	for i := range 300 {
		rows = append(rows, []types.Datum{words[rng.Intn(len(words))], int32(i % 4)})
	}
	r := newRelation("r", []types.T{tText, tInt}, rows)
	c, n := planpb.NewColumn(tText, 0), planpb.NewColumn(tInt, 1)
	text := func(s string) *planpb.Expr { return planpb.NewConst(tText, s) }
	op := func(sig string, args ...*planpb.Expr) *planpb.Expr { return Func(tBool, sig, args...) }
	boolean := func(o planpb.BoolExpr_Op, args ...*planpb.Expr) *planpb.Expr {
		return &planpb.Expr{Type: planpb.NewType(tBool), Kind: &planpb.Expr_Bool{Bool: &planpb.BoolExpr{Op: o, Args: args}}}
	}
	isNull := &planpb.Expr{Type: planpb.NewType(tBool), Kind: &planpb.Expr_NullTest{NullTest: &planpb.NullTest{Arg: c}}}
	like := op("textlike(text,text)", c, text("%ro%"))
	sub := Func(tText, "substr(text,int4,int4)", c, planpb.NewConst(tInt, int32(1)), planpb.NewConst(tInt, int32(2)))
	upper := Func(tText, "upper(text)", c)
	digits := boolean(planpb.BoolExpr_AND, op("textregexeq(text,text)", c, text("^[0-9]+$")), op("int4gt(int4,int4)",
		&planpb.Expr{Type: planpb.NewType(tInt), Kind: &planpb.Expr_CoerceViaIo{CoerceViaIo: &planpb.CoerceViaIO{Arg: c}}}, planpb.NewConst(tInt, int32(5))))
	cond := &planpb.Expr{Type: planpb.NewType(tText), Kind: &planpb.Expr_Case{Case: &planpb.Case{
		Whens: []*planpb.CaseWhen{{When: like, Then: text("has")}, {When: isNull, Then: text("null")}}, Default: sub}}}
	preds := map[string]*planpb.Expr{
		"eq": op("texteq(text,text)", c, text("12")), "ne": op("textne(text,text)", text("x"), c), "like": like, "null": isNull,
		"or":  boolean(planpb.BoolExpr_OR, like, op("int4eq(int4,int4)", n, planpb.NewConst(tInt, int32(2))), isNull),
		"and": boolean(planpb.BoolExpr_AND, boolean(planpb.BoolExpr_NOT, like), op("int4gt(int4,int4)", n, planpb.NewConst(tInt, int32(0)))),
		"sub": op("texteq(text,text)", sub, text("pr")), "fails": digits, "case": op("texteq(text,text)", cond, text("has")),
	}
	for name, p := range preds {
		scan := r.scan()
		scan.GetScan().Filter = p
		plan := Node([]types.T{tText, tText, tText, tInt}, &planpb.Project{Input: scan, Exprs: []*planpb.Expr{c, upper, cond, n}})
		agg := Node([]types.T{tText, tText, tBig}, &planpb.Agg{Input: scan, Keys: []*planpb.Expr{sub, cond},
			Calls: []*planpb.AggCall{{Func: Proc("count()"), Star: true, Result: planpb.NewType(tBig)}}})
		want, groups := run(t, hostiles[0], plan, r), run(t, hostiles[0], agg, r)
		if len(want) == 0 {
			t.Errorf("%s: no rows", name)
		}
		for _, h := range hostiles {
			h.dictionaries = true
			same(t, name+"/"+h.name, run(t, h, plan, r), slices.Clone(want))
			same(t, name+"/group/"+h.name, run(t, h, agg, r), slices.Clone(groups))
		}
	}
}

// TestDateBound holds dates compared with constant timestamps against the same
// comparison of a timestamp that is not known beforehand.
func TestDateBound(t *testing.T) {
	tDate, tStamp := types.Of(types.DateOID), types.Of(types.TimestampOID)
	const day = 24 * 60 * 60 * 1_000_000
	for _, at := range []types.Timestamp{0, 1, -1, day, -day, 5*day - 1, -5*day + 1, types.TimestampPosInfinity, types.TimestampNegInfinity} {
		var rows [][]types.Datum
		for _, d := range []types.Datum{types.Date(-6), types.Date(-5), types.Date(-1), types.Date(0), types.Date(1), types.Date(4), types.Date(5),
			types.DatePosInfinity, types.DateNegInfinity, nil} {
			rows = append(rows, []types.Datum{d, at})
		}
		r := newRelation("r", []types.T{tDate, tStamp}, rows)
		for _, op := range []string{"lt", "le", "gt", "ge", "eq", "ne"} {
			filtered := func(right *planpb.Expr) []string {
				p := r.scan()
				p.GetScan().Filter = Func(tBool, "date_"+op+"_timestamp(date,timestamp)", planpb.NewColumn(tDate, 0), right)
				return run(t, hostiles[0], p, r)
			}
			same(t, fmt.Sprintf("%s %d", op, at), filtered(planpb.NewConst(tStamp, at)), filtered(planpb.NewColumn(tStamp, 1)))
		}
	}
}
