package vexec_test

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

var (
	tInt  = types.Of(types.Int4)
	tBig  = types.Of(types.Int8)
	tText = types.Of(types.Text)
	tNum  = types.Of(types.NumericOID)
	tBool = types.Of(types.Bool)
	tFlt  = types.Of(types.Float8)
)

// hostile is one way to run a plan.
type hostile struct {
	name         string
	storeBatch   int
	batch        int
	workMem      int64
	dictionaries bool
	selections   bool
	offsets      bool
	workers      uint32
	cached       int // Exec.CachedGroups
	turns        bool
}

// hostiles are the settings every plan must give the same rows under.
var hostiles = []hostile{
	{name: "plain"},
	{name: "one-row", storeBatch: 1, batch: 1},
	{name: "odd", storeBatch: 7, batch: 5, dictionaries: true},
	{name: "selected", storeBatch: 64, batch: 13, selections: true},
	{name: "spill", storeBatch: 50, batch: 32, workMem: 1},
	{name: "parallel", storeBatch: 33, workers: 2},
	{name: "parallel-cut", storeBatch: 33, workers: 2, cached: 16, dictionaries: true},
	{name: "parallel-turns", storeBatch: 9, workers: 2, turns: true},
	{name: "parallel-spill", storeBatch: 33, workers: 2, workMem: 1, dictionaries: true, selections: true},
}

// relation is a table of the tests with its rows.
type relation struct {
	table *planpb.Table
	ts    []types.T
	data  *Table
}

func newRelation(name string, ts []types.T, rows [][]types.Datum) *relation {
	t := &planpb.Table{Name: name, Schema: "public"}
	for i, ty := range ts {
		t.Columns = append(t.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: fmt.Sprintf("c%d", i), Type: planpb.NewType(ty)})
	}
	return &relation{t, ts, &Table{Types: ts, Rows: rows}}
}

func (r *relation) scan() *planpb.Plan {
	s := &planpb.Scan{Table: r.table}
	for i := range r.ts {
		s.Columns = append(s.Columns, int32(i))
	}
	return Node(r.ts, s)
}

func run(t *testing.T, h hostile, root *planpb.Plan, rs ...*relation) []string {
	t.Helper()
	rows, err := tryRun(t, h, root, rs...)
	if err != nil {
		t.Fatalf("%s: %v", h.name, err)
	}
	return rows
}

// memoryDir is a directory in memory where there is one: the tests make many
// thousands of temporary files.
func memoryDir() string {
	const dir = "/dev/shm"
	if f, err := os.CreateTemp(dir, "probe"); err == nil {
		f.Close()
		os.Remove(f.Name())
		return dir
	}
	return ""
}

func tryRun(t *testing.T, h hostile, root *planpb.Plan, rs ...*relation) ([]string, error) {
	t.Helper()
	s := &Store{Tables: map[string]*Table{}, BatchRows: h.storeBatch, Dictionaries: h.dictionaries, Selections: h.selections, Offsets: h.offsets}
	for _, r := range rs {
		s.Tables[r.table.Name] = r.data
	}
	if h.workers > 0 && root.GetGather() == nil {
		root = Node(typesOf(root), &planpb.Gather{Input: root, Workers: h.workers})
	}
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), Workers: 2, TempDir: memoryDir()})
	if h.turns {
		e.TestingTurns()
	}
	rows, _, err := Run(e, &planpb.Statement{Root: root, ExecSlots: 1}, vexec.Exec{Store: s, WorkMem: h.workMem, BatchSize: h.batch, CachedGroups: h.cached})
	return rows, err
}

func typesOf(p *planpb.Plan) []types.T {
	var ts []types.T
	for _, t := range p.Output {
		ts = append(ts, t.T())
	}
	return ts
}

func randomRows(rng *rand.Rand, n, keys int) [][]types.Datum {
	var rows [][]types.Datum
	for i := range n {
		var k, s, d types.Datum
		if rng.Intn(10) > 0 {
			k = int32(rng.Intn(keys))
		}
		if rng.Intn(10) > 0 {
			s = strings.Repeat("x", rng.Intn(3)) + fmt.Sprint(rng.Intn(keys))
		}
		if rng.Intn(10) > 0 {
			if rng.Intn(2) == 0 {
				d = types.NumericFromInt64(int64(rng.Intn(keys))*10, 1)
			} else {
				d = types.NumericFromInt64(int64(rng.Intn(keys)), 0)
			}
		}
		rows = append(rows, []types.Datum{k, s, d, int64(i)})
	}
	return rows
}

// same compares as sets.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %d rows, want %d\n%s", what, len(got), len(want), firstDiff(got, want))
	}
}

func firstDiff(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "<none>", "<none>"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("row %d: got %q, want %q", i, g, w)
		}
	}
	return ""
}

func show(ts []types.T, row []types.Datum) string {
	var f []string
	for i, d := range row {
		s := ""
		if d != nil {
			s, _ = types.Out(types.DefaultEnv(), ts[i], d)
		}
		f = append(f, s)
	}
	return strings.Join(f, "|")
}

// naiveJoin is the definition of every join type, pair by pair.
func naiveJoin(typ planpb.JoinType, l, r *relation, match func(a, b []types.Datum) (is, null bool)) []string {
	var out []string
	nulls := func(n int) []types.Datum { return make([]types.Datum, n) }
	lts, rts := l.ts, r.ts
	both := append(append([]types.T{}, lts...), rts...)
	rightHit := make([]bool, len(r.data.Rows))
	for _, a := range l.data.Rows {
		hit, null := false, false
		for k, b := range r.data.Rows {
			is, nl := match(a, b)
			null = null || nl
			if !is {
				continue
			}
			hit = true
			rightHit[k] = true
			switch typ {
			case planpb.JoinType_INNER, planpb.JoinType_LEFT, planpb.JoinType_RIGHT, planpb.JoinType_FULL:
				out = append(out, show(both, append(append([]types.Datum{}, a...), b...)))
			}
		}
		switch typ {
		case planpb.JoinType_LEFT, planpb.JoinType_FULL:
			if !hit {
				out = append(out, show(both, append(append([]types.Datum{}, a...), nulls(len(rts))...)))
			}
		case planpb.JoinType_SEMI:
			if hit {
				out = append(out, show(lts, a))
			}
		case planpb.JoinType_ANTI:
			if !hit {
				out = append(out, show(lts, a))
			}
		case planpb.JoinType_NULL_AWARE_ANTI:
			if !hit && !null {
				out = append(out, show(lts, a))
			}
		case planpb.JoinType_MARK:
			m := "f"
			if hit {
				m = "t"
			} else if null {
				m = ""
			}
			out = append(out, show(lts, a)+"|"+m)
		}
	}
	for k, b := range r.data.Rows {
		switch typ {
		case planpb.JoinType_RIGHT, planpb.JoinType_FULL:
			if !rightHit[k] {
				out = append(out, show(both, append(nulls(len(lts)), b...)))
			}
		case planpb.JoinType_RIGHT_SEMI:
			if rightHit[k] {
				out = append(out, show(rts, b))
			}
		case planpb.JoinType_RIGHT_ANTI:
			if !rightHit[k] {
				out = append(out, show(rts, b))
			}
		}
	}
	return out
}

func joinOutput(typ planpb.JoinType, l, r *relation) []types.T {
	switch typ {
	case planpb.JoinType_SEMI, planpb.JoinType_ANTI, planpb.JoinType_NULL_AWARE_ANTI:
		return l.ts
	case planpb.JoinType_MARK:
		return append(append([]types.T{}, l.ts...), tBool)
	case planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
		return r.ts
	}
	return append(append([]types.T{}, l.ts...), r.ts...)
}

func equalDatums(t types.T, a, b types.Datum) (is, null bool) {
	if a == nil || b == nil {
		return false, true
	}
	return types.Compare(types.DefaultEnv(), t, a, b) == 0, false
}

var joinTypes = []planpb.JoinType{planpb.JoinType_INNER, planpb.JoinType_LEFT, planpb.JoinType_RIGHT, planpb.JoinType_FULL,
	planpb.JoinType_SEMI, planpb.JoinType_ANTI, planpb.JoinType_NULL_AWARE_ANTI, planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI, planpb.JoinType_MARK}

// TestJoins holds hash and nested-loop joins of every type against the definition.
func TestJoins(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	ts := []types.T{tInt, tText, tNum, tBig}
	l := newRelation("l", ts, randomRows(rng, 120, 30))
	r := newRelation("r", ts, randomRows(rng, 90, 30))
	noNulls := newRelation("n", ts, slices.DeleteFunc(randomRows(rng, 60, 30), func(row []types.Datum) bool { return slices.Contains(row, nil) }))
	empty := newRelation("e", ts, nil)
	eq := []string{"int4eq(int4,int4)", "texteq(text,text)", "numeric_eq(numeric,numeric)"}
	less := Func(tBool, "int8lt(int8,int8)", planpb.NewColumn(tBig, 3), planpb.NewColumn(tBig, 7))
	for _, right := range []*relation{r, noNulls, empty} {
		for _, typ := range joinTypes {
			for key := range 3 {
				if right != r && key > 0 {
					continue // the key's type makes no difference there
				}
				for _, residual := range []bool{false, true} {
					want := naiveJoin(typ, l, right, func(a, b []types.Datum) (bool, bool) {
						is, null := equalDatums(ts[key], a[key], b[key])
						if residual && a[3].(int64) >= b[3].(int64) {
							is, null = false, false
						}
						return is, null
					})
					for _, h := range hostiles {
						if h.workMem > 0 && (key > 0 || residual || right != r || h.workers > 0) {
							h.workMem = 4 << 10 // partitions once; every level is gone through with the first key
						}
						name := fmt.Sprintf("%s/%s/key%d/residual=%v/%s", right.table.Name, typ, key, residual, h.name)
						hj := &planpb.HashJoin{Type: typ, Left: l.scan(), Right: right.scan(),
							LeftKeys: []*planpb.Expr{planpb.NewColumn(ts[key], key)}, RightKeys: []*planpb.Expr{planpb.NewColumn(ts[key], key)}}
						cond := Func(tBool, eq[key], planpb.NewColumn(ts[key], key), planpb.NewColumn(ts[key], 4+key))
						if residual {
							hj.Residual = less
							cond = &planpb.Expr{Type: planpb.NewType(tBool), Kind: &planpb.Expr_Bool{Bool: &planpb.BoolExpr{Args: []*planpb.Expr{cond, less}}}}
						}
						out := joinOutput(typ, l, right)
						same(t, "hash "+name, run(t, h, Node(out, hj), l, right), want)
						if h.storeBatch == 1 && key > 0 {
							continue // slow, and nothing new
						}
						nl := &planpb.NestLoop{Type: typ, Left: l.scan(), Right: right.scan(), Condition: cond}
						if typ == planpb.JoinType_NULL_AWARE_ANTI && residual {
							continue
						}
						same(t, "nest "+name, run(t, h, Node(out, nl), l, right), slices.Clone(want))
					}
				}
			}
		}
	}
}

// TestRowNotIn holds two-column IN and NOT IN against the definition: a pair that
// differs in one column is false however NULL the other is.
func TestRowNotIn(t *testing.T) {
	rng := rand.New(rand.NewSource(4))
	ts := []types.T{tInt, tText, tNum, tBig}
	l := newRelation("l", ts, randomRows(rng, 80, 6))
	r := newRelation("r", ts, randomRows(rng, 12, 6))
	less := Func(tBool, "int8lt(int8,int8)", planpb.NewColumn(tBig, 3), planpb.NewColumn(tBig, 7))
	for _, typ := range []planpb.JoinType{planpb.JoinType_MARK, planpb.JoinType_NULL_AWARE_ANTI} {
		for _, residual := range []bool{false, true} {
			want := naiveJoin(typ, l, r, func(a, b []types.Datum) (bool, bool) {
				x, xn := equalDatums(tInt, a[0], b[0])
				y, yn := equalDatums(tText, a[1], b[1])
				if residual && a[3].(int64) >= b[3].(int64) || !x && !xn || !y && !yn {
					return false, false
				}
				return x && y, xn || yn
			})
			for _, h := range hostiles {
				keys := []*planpb.Expr{planpb.NewColumn(tInt, 0), planpb.NewColumn(tText, 1)}
				j := &planpb.HashJoin{Type: typ, Left: l.scan(), Right: r.scan(), LeftKeys: keys, RightKeys: keys}
				if residual {
					j.Residual = less
				}
				same(t, fmt.Sprintf("%s %v %s", typ, residual, h.name), run(t, h, Node(joinOutput(typ, l, r), j), l, r), slices.Clone(want))
			}
		}
	}
}
