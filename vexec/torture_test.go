package vexec_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

var (
	tortureSeed  = flag.Int64("torture.seed", 0, "run TestTorture with this one seed")
	torturePlans = flag.Int("torture.plans", 150, "plans per seed of TestTorture")
)

// tree is a plan with what it must yield, computed row by row from the definition
// of each operator. All trees have the columns (int4, text, numeric, int8), so that
// any operator can stand on any other.
type tree struct {
	plan *planpb.Plan
	rows [][]types.Datum
	name string
	// again: the plan can be started for each left row of an Apply and cut into
	// parts by nothing; Gathers stand on top only.
}

var tortureTs = []types.T{tInt, tText, tNum, tBig}

func tcol(i int) *planpb.Expr { return planpb.NewColumn(tortureTs[i], i) }

// torturer makes random trees.
type torturer struct {
	*rand.Rand
	rels []*relation
}

func (g *torturer) leaf() tree {
	r := g.rels[g.Intn(len(g.rels))]
	return tree{r.scan(), r.data.Rows, r.table.Name}
}

// compareRows orders rows by all columns, ascending, NULLs last.
var compareRows = bySortKeys(tortureTs, 0, 1, 2, 3)

// tree makes a tree of at most depth operators above each other.
func (g *torturer) tree(depth int) tree {
	if depth == 0 {
		return g.leaf()
	}
	in := g.tree(depth - 1)
	switch g.Intn(14) {
	case 0:
		return g.filter(in)
	case 1:
		return g.project(in)
	case 2:
		return g.sortLimit(in)
	case 3:
		other := g.tree(g.Intn(depth))
		return tree{Node(tortureTs, &planpb.Append{Inputs: []*planpb.Plan{in.plan, other.plan}}), slices.Concat(in.rows, other.rows),
			"append(" + in.name + ", " + other.name + ")"}
	case 4, 5:
		return g.aggregate(in)
	case 6:
		return g.unique(in)
	case 7:
		return g.setOp(in, g.tree(g.Intn(depth)))
	case 8:
		return g.window(in)
	case 9:
		return tree{Node(tortureTs, &planpb.Materialize{Input: in.plan}), in.rows, "materialize(" + in.name + ")"}
	case 10:
		return g.apply(in, g.leaf())
	}
	return g.join(in, g.tree(g.Intn(depth)))
}

func (g *torturer) filter(in tree) tree {
	k := int32(g.Intn(20))
	less := g.Intn(2) == 0
	sig := map[bool]string{true: "int4lt(int4,int4)", false: "int4ge(int4,int4)"}[less]
	var rows [][]types.Datum
	for _, r := range in.rows {
		if v, ok := r[0].(int32); ok && (v < k) == less {
			rows = append(rows, r)
		}
	}
	return tree{Node(tortureTs, &planpb.Filter{Input: in.plan, Predicate: Func(tBool, sig, tcol(0), planpb.NewConst(tInt, k))}), rows,
		fmt.Sprintf("filter(%s %s %d)", in.name, sig[:6], k)}
}

func (g *torturer) project(in tree) tree {
	k := int32(g.Intn(7) - 3)
	out := make([][]types.Datum, len(in.rows))
	for i, r := range in.rows {
		out[i] = slices.Clone(r)
		if v, ok := r[0].(int32); ok {
			out[i][0] = v + k
		}
	}
	exprs := []*planpb.Expr{Func(tInt, "int4pl(int4,int4)", tcol(0), planpb.NewConst(tInt, k)), tcol(1), tcol(2), tcol(3)}
	return tree{Node(tortureTs, &planpb.Project{Input: in.plan, Exprs: exprs}), out, fmt.Sprintf("project(%s, %+d)", in.name, k)}
}

func (g *torturer) sortLimit(in tree) tree {
	rows := slices.Clone(in.rows)
	desc := g.Intn(2) == 0
	slices.SortStableFunc(rows, func(a, b []types.Datum) int {
		c := compareRows(a, b)
		if desc {
			return -c
		}
		return c
	})
	s := &planpb.Sort{Input: in.plan}
	for i := range tortureTs {
		s.Keys = append(s.Keys, &planpb.SortKey{Expr: tcol(i), Descending: desc, NullsFirst: desc})
	}
	offset, count := g.Intn(4), 1+g.Intn(30)
	if g.Intn(2) == 0 {
		s.Limit = uint64(offset + count)
	}
	l := &planpb.Limit{Input: Node(tortureTs, s), Count: planpb.NewConst(tBig, int64(count)), Offset: planpb.NewConst(tBig, int64(offset))}
	rows = rows[min(offset, len(rows)):]
	return tree{Node(tortureTs, l), rows[:min(count, len(rows))], fmt.Sprintf("limit(sort(%s, desc %v, limit %d), %d offset %d)", in.name, desc, s.Limit, count, offset)}
}

// aggregate groups by the first one or two columns: max(text), min(numeric), count or a sum.
func (g *torturer) aggregate(in tree) tree {
	distinct, filtered, sorted := g.Intn(3) == 0, g.Intn(3) == 0, g.Intn(2) == 0
	call := func(t types.T, sig string, arg *planpb.Expr) *planpb.AggCall {
		return &planpb.AggCall{Func: Proc(sig), Args: []*planpb.Expr{arg}, Result: planpb.NewType(t)}
	}
	count := call(tBig, "count(any)", tcol(1))
	count.Distinct = distinct
	if filtered {
		count.Filter = Func(tBool, "int8lt(int8,int8)", tcol(3), planpb.NewConst(tBig, int64(25)))
	}
	a := &planpb.Agg{Input: in.plan, Keys: []*planpb.Expr{tcol(0)}, Calls: []*planpb.AggCall{call(tText, "max(text)", tcol(1)), call(tNum, "min(numeric)", tcol(2)), count}}
	if sorted {
		a.Strategy = planpb.Agg_SORTED
		a.Input = Node(tortureTs, &planpb.Sort{Input: in.plan, Keys: []*planpb.SortKey{{Expr: tcol(0)}}})
	}
	groups := map[types.Datum][][]types.Datum{}
	for _, r := range in.rows {
		groups[r[0]] = append(groups[r[0]], r)
	}
	var rows [][]types.Datum
	for k, rs := range groups {
		out := []types.Datum{k, nil, nil, int64(0)}
		seen := map[string]bool{}
		for _, r := range rs {
			if s, ok := r[1].(string); ok {
				if out[1] == nil || s > out[1].(string) {
					out[1] = s
				}
				if v, ok := r[3].(int64); (!filtered || ok && v < 25) && !(distinct && seen[s]) {
					seen[s] = true
					out[3] = out[3].(int64) + 1
				}
			}
			if r[2] != nil && (out[2] == nil || types.Compare(types.DefaultEnv(), tNum, r[2], out[2]) < 0) {
				out[2] = r[2]
			}
		}
		rows = append(rows, out)
	}
	return tree{Node(tortureTs, a), rows, fmt.Sprintf("agg(%s, distinct %v, filter %v, sorted %v)", in.name, distinct, filtered, sorted)}
}

// unique keeps the first row of each int4, in the order of all columns.
func (g *torturer) unique(in tree) tree {
	rows := slices.Clone(in.rows)
	slices.SortStableFunc(rows, compareRows)
	rows = slices.CompactFunc(rows, func(a, b []types.Datum) bool { return a[0] == b[0] })
	s := &planpb.Sort{Input: in.plan}
	for i := range tortureTs {
		s.Keys = append(s.Keys, &planpb.SortKey{Expr: tcol(i)})
	}
	return tree{Node(tortureTs, &planpb.Unique{Input: Node(tortureTs, s), Keys: []*planpb.Expr{tcol(0)}}), rows, "unique(" + in.name + ")"}
}

// setOp compares the int4 and the text; the other columns are made the same.
func (g *torturer) setOp(l, r tree) tree {
	op := planpb.SetOp_Op(g.Intn(4))
	narrow := func(t tree) (*planpb.Plan, map[[2]types.Datum]int, [][2]types.Datum) {
		counts := map[[2]types.Datum]int{}
		var order [][2]types.Datum
		for _, row := range t.rows {
			k := [2]types.Datum{row[0], row[1]}
			if counts[k]++; counts[k] == 1 {
				order = append(order, k)
			}
		}
		return Node(tortureTs, &planpb.Project{Input: t.plan, Exprs: []*planpb.Expr{tcol(0), tcol(1), planpb.NewConst(tNum, nil), planpb.NewConst(tBig, int64(7))}}), counts, order
	}
	lp, lc, order := narrow(l)
	rp, rc, _ := narrow(r)
	var rows [][]types.Datum
	for _, k := range order {
		n := 0
		switch op {
		case planpb.SetOp_INTERSECT:
			n = min(lc[k], rc[k], 1)
		case planpb.SetOp_INTERSECT_ALL:
			n = min(lc[k], rc[k])
		case planpb.SetOp_EXCEPT:
			if rc[k] == 0 {
				n = 1
			}
		case planpb.SetOp_EXCEPT_ALL:
			n = lc[k] - rc[k]
		}
		for range n {
			rows = append(rows, []types.Datum{k[0], k[1], nil, int64(7)})
		}
	}
	return tree{Node(tortureTs, &planpb.SetOp{Op: op, Left: lp, Right: rp}), rows, fmt.Sprintf("%v(%s, %s)", op, l.name, r.name)}
}

// window puts the sum of the int8 over a frame of rows, or a rank, in place of the
// int8. Rows of equal order must not be told apart, so all columns order.
func (g *torturer) window(in tree) tree {
	s := &planpb.Sort{Input: in.plan}
	for i := range tortureTs {
		s.Keys = append(s.Keys, &planpb.SortKey{Expr: tcol(i)})
	}
	before, after := g.Intn(4), g.Intn(4)
	rank := g.Intn(3) == 0
	whole := g.Intn(3) == 0
	w := &planpb.Window{Input: Node(tortureTs, s), Partition: []*planpb.Expr{tcol(0)}, Order: []*planpb.SortKey{{Expr: tcol(1)}, {Expr: tcol(2)}, {Expr: tcol(3)}}}
	switch {
	case rank:
		w.Calls = []*planpb.WindowCall{{Func: Proc("rank()"), Result: planpb.NewType(tBig)}}
	default:
		w.Frame = &planpb.WindowFrame{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_OFFSET_PRECEDING, End: planpb.WindowFrame_OFFSET_FOLLOWING,
			StartOffset: planpb.NewConst(tBig, int64(before)), EndOffset: planpb.NewConst(tBig, int64(after))}
		if whole {
			w.Frame = &planpb.WindowFrame{Mode: planpb.WindowFrame_ROWS, Start: planpb.WindowFrame_CURRENT_ROW, End: planpb.WindowFrame_UNBOUNDED_FOLLOWING}
		}
		w.Calls = []*planpb.WindowCall{{Func: Proc("sum(int4)"), Args: []*planpb.Expr{Func(tInt, "int4(int8)", tcol(3))}, IsAggregate: true, Result: planpb.NewType(tBig)}}
	}
	rows := slices.Clone(in.rows)
	slices.SortStableFunc(rows, compareRows)
	out := make([][]types.Datum, len(rows))
	for lo := 0; lo < len(rows); {
		hi := lo
		for hi < len(rows) && rows[hi][0] == rows[lo][0] {
			hi++
		}
		for i := lo; i < hi; i++ {
			out[i] = slices.Clone(rows[i])
			if rank {
				r := i
				for r > lo && compareRows(rows[r-1], rows[i]) == 0 {
					r--
				}
				out[i][3] = int64(r - lo + 1)
				continue
			}
			from, to := max(lo, i-before), min(hi, i+after+1)
			if whole {
				from, to = i, hi
			}
			var sum types.Datum
			for _, r := range rows[from:to] {
				if v, ok := r[3].(int64); ok {
					x, _ := sum.(int64)
					sum = x + v
				}
			}
			out[i][3] = sum
		}
		lo = hi
	}
	exprs := []*planpb.Expr{tcol(0), tcol(1), tcol(2), planpb.NewColumn(tBig, 4)}
	return tree{Node(tortureTs, &planpb.Project{Input: Node(append(slices.Clone(tortureTs), tBig), w), Exprs: exprs}), out,
		fmt.Sprintf("window(%s, rank %v, whole %v, %d, %d)", in.name, rank, whole, before, after)}
}

// back brings the columns of a join's output back to four: of the left side, but for the last.
func back(p *planpb.Plan, ts []types.T) *planpb.Plan {
	if len(ts) == len(tortureTs) {
		return p
	}
	last := planpb.NewColumn(tBig, len(ts)-1)
	if ts[len(ts)-1] == tBool {
		last = Func(tBig, "int8(int4)", Func(tInt, "int4(bool)", planpb.NewColumn(tBool, len(ts)-1)))
	}
	return Node(tortureTs, &planpb.Project{Input: p, Exprs: []*planpb.Expr{tcol(0), tcol(1), tcol(2), last}})
}

// naive joins row by row and gives what back makes of it.
func naive(typ planpb.JoinType, l, r tree, match func(a, b []types.Datum) (is, null bool)) (rows [][]types.Datum) {
	rightHit := make([]bool, len(r.rows))
	nulls := make([]types.Datum, len(tortureTs))
	pair := func(a, b []types.Datum) { rows = append(rows, []types.Datum{a[0], a[1], a[2], b[3]}) }
	for _, a := range l.rows {
		hit, unknown := false, false
		for k, b := range r.rows {
			is, null := match(a, b)
			unknown = unknown || null
			if !is {
				continue
			}
			hit, rightHit[k] = true, true
			switch typ {
			case planpb.JoinType_INNER, planpb.JoinType_LEFT, planpb.JoinType_RIGHT, planpb.JoinType_FULL:
				pair(a, b)
			}
		}
		switch typ {
		case planpb.JoinType_LEFT, planpb.JoinType_FULL:
			if !hit {
				pair(a, nulls)
			}
		case planpb.JoinType_SEMI:
			if hit {
				rows = append(rows, a)
			}
		case planpb.JoinType_ANTI:
			if !hit {
				rows = append(rows, a)
			}
		case planpb.JoinType_NULL_AWARE_ANTI:
			if !hit && !unknown {
				rows = append(rows, a)
			}
		case planpb.JoinType_MARK:
			var m types.Datum = int64(0)
			if hit {
				m = int64(1)
			} else if unknown {
				m = nil
			}
			rows = append(rows, []types.Datum{a[0], a[1], a[2], m})
		}
	}
	for k, b := range r.rows {
		switch typ {
		case planpb.JoinType_RIGHT, planpb.JoinType_FULL:
			if !rightHit[k] {
				pair(nulls, b)
			}
		case planpb.JoinType_RIGHT_SEMI:
			if rightHit[k] {
				rows = append(rows, b)
			}
		case planpb.JoinType_RIGHT_ANTI:
			if !rightHit[k] {
				rows = append(rows, b)
			}
		}
	}
	return rows
}

func (g *torturer) join(l, r tree) tree {
	typ := joinTypes[g.Intn(len(joinTypes))]
	method := g.Intn(3)
	keys := [][]int{{0}, {1}, {2}, {0, 1}, {2, 0}}[g.Intn(5)]
	residual := g.Intn(3) == 0
	if method == 1 && (typ == planpb.JoinType_MARK || typ == planpb.JoinType_NULL_AWARE_ANTI) || method == 2 && typ == planpb.JoinType_NULL_AWARE_ANTI && residual {
		method = 0
	}
	less := Func(tBool, "int8lt(int8,int8)", tcol(3), planpb.NewColumn(tBig, 7))
	match := func(a, b []types.Datum) (is, null bool) {
		is = true
		for _, k := range keys {
			e, n := equalDatums(tortureTs[k], a[k], b[k])
			if !e && !n {
				return false, false
			}
			is, null = is && e, null || n
		}
		if residual {
			x, xok := a[3].(int64)
			y, yok := b[3].(int64)
			switch {
			case !xok || !yok:
				is, null = false, true
			case x >= y:
				return false, false
			}
		}
		return is, null
	}
	rel := &relation{ts: tortureTs}
	ts := joinOutput(typ, rel, rel)
	var op any
	var lk []*planpb.Expr
	for _, k := range keys {
		lk = append(lk, tcol(k))
	}
	switch method {
	case 0:
		j := &planpb.HashJoin{Type: typ, Left: l.plan, Right: r.plan, LeftKeys: lk, RightKeys: lk}
		if residual {
			j.Residual = less
		}
		op = j
	case 1:
		sorted := func(p *planpb.Plan) *planpb.Plan {
			s := &planpb.Sort{Input: p}
			for _, k := range lk {
				s.Keys = append(s.Keys, &planpb.SortKey{Expr: k})
			}
			return Node(tortureTs, s)
		}
		j := &planpb.MergeJoin{Type: typ, Left: sorted(l.plan), Right: sorted(r.plan), LeftKeys: lk, RightKeys: lk}
		if residual {
			j.Residual = less
		}
		op = j
	case 2:
		var and []*planpb.Expr
		for _, k := range keys {
			sig := []string{"int4eq(int4,int4)", "texteq(text,text)", "numeric_eq(numeric,numeric)"}[k]
			and = append(and, Func(tBool, sig, tcol(k), planpb.NewColumn(tortureTs[k], 4+k)))
		}
		if residual {
			and = append(and, less)
		}
		cond := and[0]
		if len(and) > 1 {
			cond = &planpb.Expr{Type: planpb.NewType(tBool), Kind: &planpb.Expr_Bool{Bool: &planpb.BoolExpr{Args: and}}}
		}
		op = &planpb.NestLoop{Type: typ, Left: l.plan, Right: r.plan, Condition: cond}
	}
	return tree{back(Node(ts, op), ts), naive(typ, l, r, match), fmt.Sprintf("%s[%d](%s, %s on %v residual %v)", typ, method, l.name, r.name, keys, residual)}
}

// apply runs a filtered scan for each left row.
func (g *torturer) apply(l, r tree) tree {
	typ := []planpb.JoinType{planpb.JoinType_INNER, planpb.JoinType_LEFT, planpb.JoinType_SEMI, planpb.JoinType_ANTI, planpb.JoinType_MARK}[g.Intn(5)]
	param := &planpb.Expr{Type: planpb.NewType(tInt), Kind: &planpb.Expr_Param{Param: &planpb.Param{Kind: planpb.Param_EXEC, Index: 0}}}
	right := Node(tortureTs, &planpb.Filter{Input: r.plan, Predicate: Func(tBool, "int4eq(int4,int4)", tcol(0), param)})
	rel := &relation{ts: tortureTs}
	ts := joinOutput(typ, rel, rel)
	rows := naive(typ, l, r, func(a, b []types.Datum) (bool, bool) {
		is, _ := equalDatums(tInt, a[0], b[0])
		return is, false
	})
	a := &planpb.Apply{Type: typ, Left: l.plan, Right: right, Bindings: []*planpb.SlotBinding{{Slot: 0, Value: tcol(0)}}}
	return tree{back(Node(ts, a), ts), rows, fmt.Sprintf("apply %s(%s, %s)", typ, l.name, r.name)}
}

// cutZeros is a row as printed with the numeric's zeros cut: which of equal
// numerics comes through an operator is not said.
func cutZeros(row string) string {
	f := strings.Split(row, "|")
	if strings.Contains(f[2], ".") {
		f[2] = strings.TrimRight(strings.TrimRight(f[2], "0"), ".")
	}
	return strings.Join(f, "|")
}

// TestTorture holds random trees of all operators against their definitions, under
// every hostile setting. A failure names the seed and the tree:
// go test ./vexec -run TestTorture -torture.seed N.
func TestTorture(t *testing.T) {
	seeds := []int64{1, 2, 3}
	if *tortureSeed != 0 {
		seeds = []int64{*tortureSeed}
	}
	hs := append(slices.Clone(hostiles), hostile{name: "sliced", storeBatch: 9, batch: 4, offsets: true, dictionaries: true},
		hostile{name: "sliced-spill", storeBatch: 21, batch: 16, workMem: 2 << 10, offsets: true, selections: true})
	for _, seed := range seeds {
		g := &torturer{Rand: rand.New(rand.NewSource(seed))}
		for i, n := range []int{50, 30, 3, 0} {
			g.rels = append(g.rels, newRelation(fmt.Sprint("t", i), tortureTs, randomRows(g.Rand, n, 8)))
		}
		for i := range *torturePlans {
			tr := g.tree(1 + g.Intn(3))
			if len(tr.rows) > 3000 {
				continue
			}
			var want []string
			for _, r := range tr.rows {
				want = append(want, cutZeros(show(tortureTs, r)))
			}
			slices.Sort(want)
			for _, h := range hs {
				got, err := tryRun(t, h, tr.plan, g.rels...)
				if err != nil {
					t.Fatalf("seed %d, plan %d, %s: %s: %v", seed, i, h.name, tr.name, err)
				}
				for k := range got {
					got[k] = cutZeros(got[k])
				}
				slices.SortFunc(got, cmp.Compare[string])
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d, plan %d, %s: %s: %d rows, want %d: %s", seed, i, h.name, tr.name, len(got), len(want), firstDiff(got, want))
				}
			}
		}
	}
}
