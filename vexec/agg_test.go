package vexec_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// aggSpec is one call and its meaning over the rows of a group.
type aggSpec struct {
	call  *planpb.AggCall
	naive func(rows [][]types.Datum) types.Datum
}

func col(t types.T, i int) []*planpb.Expr { return []*planpb.Expr{planpb.NewColumn(t, i)} }

func values(rows [][]types.Datum, c int) []types.Datum {
	var out []types.Datum
	for _, r := range rows {
		if r[c] != nil {
			out = append(out, r[c])
		}
	}
	return out
}

func asNumeric(d types.Datum) types.Numeric {
	switch v := d.(type) {
	case types.Numeric:
		return v
	case int32:
		return types.NumericFromInt64(int64(v), 0)
	}
	return types.NumericFromInt64(d.(int64), 0)
}

func sumNumeric(vals []types.Datum) types.Datum {
	if len(vals) == 0 {
		return nil
	}
	s := asNumeric(vals[0])
	for _, v := range vals[1:] {
		s, _ = s.Add(asNumeric(v))
	}
	return s
}

func avgNumeric(vals []types.Datum) types.Datum {
	s := sumNumeric(vals)
	if s == nil {
		return nil
	}
	q, _ := s.(types.Numeric).Div(types.NumericFromInt64(int64(len(vals)), 0))
	return q
}

func extreme(t types.T, vals []types.Datum, sign int) types.Datum {
	if len(vals) == 0 {
		return nil
	}
	return slices.MaxFunc(vals, func(a, b types.Datum) int { return sign * types.Compare(types.DefaultEnv(), t, a, b) })
}

func distinct(t types.T, vals []types.Datum) []types.Datum {
	var out []types.Datum
	for _, v := range vals {
		if !slices.ContainsFunc(out, func(o types.Datum) bool { return types.Compare(types.DefaultEnv(), t, o, v) == 0 }) {
			out = append(out, v)
		}
	}
	return out
}

func aggSpecs() []aggSpec {
	typed := func(t types.T, sig string, args []*planpb.Expr) *planpb.AggCall {
		return &planpb.AggCall{Func: Proc(sig), Args: args, Result: planpb.NewType(t)}
	}
	star := typed(tBig, "count()", nil)
	star.Star = true
	countDistinct := typed(tBig, "count(any)", col(tText, 1))
	countDistinct.Distinct = true
	sumDistinct := typed(tNum, "sum(numeric)", col(tNum, 2))
	sumDistinct.Distinct = true
	filtered := typed(tBig, "sum(int4)", col(tInt, 0))
	filtered.Filter = Func(tBool, "int8lt(int8,int8)", planpb.NewColumn(tBig, 3), planpb.NewConst(tBig, int64(50)))
	ordered := typed(types.Of(types.Int8Array), "array_agg(anynonarray)", col(tBig, 3))
	ordered.OrderBy = []*planpb.SortKey{{Expr: planpb.NewColumn(tBig, 3), Descending: true}}
	minText := typed(tText, "min(text)", col(tText, 1))
	return []aggSpec{
		{star, func(r [][]types.Datum) types.Datum { return int64(len(r)) }},
		{typed(tBig, "count(any)", col(tInt, 0)), func(r [][]types.Datum) types.Datum { return int64(len(values(r, 0))) }},
		{typed(tBig, "sum(int4)", col(tInt, 0)), func(r [][]types.Datum) types.Datum {
			s := sumNumeric(values(r, 0))
			if s == nil {
				return nil
			}
			u, _, _ := s.(types.Numeric).Int64()
			return u
		}},
		{typed(tNum, "sum(int8)", col(tBig, 3)), func(r [][]types.Datum) types.Datum { return sumNumeric(values(r, 3)) }},
		{typed(tNum, "sum(numeric)", col(tNum, 2)), func(r [][]types.Datum) types.Datum { return sumNumeric(values(r, 2)) }},
		{typed(tNum, "avg(int4)", col(tInt, 0)), func(r [][]types.Datum) types.Datum { return avgNumeric(values(r, 0)) }},
		{typed(tNum, "avg(numeric)", col(tNum, 2)), func(r [][]types.Datum) types.Datum { return avgNumeric(values(r, 2)) }},
		{minText, func(r [][]types.Datum) types.Datum { return extreme(tText, values(r, 1), -1) }},
		{typed(tBig, "max(int8)", col(tBig, 3)), func(r [][]types.Datum) types.Datum { return extreme(tBig, values(r, 3), 1) }},
		{countDistinct, func(r [][]types.Datum) types.Datum { return int64(len(distinct(tText, values(r, 1)))) }},
		{sumDistinct, func(r [][]types.Datum) types.Datum {
			return nil // only its value is compared, see below: the kept form of equal values is unspecified
		}},
		{filtered, func(r [][]types.Datum) types.Datum {
			var k [][]types.Datum
			for _, x := range r {
				if x[3].(int64) < 50 {
					k = append(k, x)
				}
			}
			s := sumNumeric(values(k, 0))
			if s == nil {
				return nil
			}
			u, _, _ := s.(types.Numeric).Int64()
			return u
		}},
		{ordered, func(r [][]types.Datum) types.Datum {
			v := values(r, 3)
			slices.SortFunc(v, func(a, b types.Datum) int { return -types.Compare(types.DefaultEnv(), tBig, a, b) })
			if len(v) == 0 {
				return nil
			}
			return types.NewArray(tBig, v)
		}},
	}
}

// TestAggregates holds hash and sorted aggregation against the definition.
func TestAggregates(t *testing.T) {
	rng := rand.New(rand.NewSource(2))
	ts := []types.T{tInt, tText, tNum, tBig}
	specs := slices.DeleteFunc(aggSpecs(), func(s aggSpec) bool { return s.call.Distinct && s.call.Func == Proc("sum(numeric)") })
	vectorized := slices.DeleteFunc(slices.Clone(specs), func(s aggSpec) bool { return s.call.Distinct || len(s.call.OrderBy) > 0 })
	for _, groups := range []int{3, 700} {
		rel := newRelation("t", ts, randomRows(rng, 1200, groups))
		for _, keys := range [][]int{{}, {0}, {1}, {2}, {0, 1}, {2, 1, 0}} {
			for _, sp := range [][]aggSpec{specs, vectorized} {
				want := naiveAgg(rel, keys, sp)
				var out []types.T
				agg := &planpb.Agg{}
				for _, k := range keys {
					agg.Keys = append(agg.Keys, planpb.NewColumn(ts[k], k))
					out = append(out, ts[k])
				}
				for _, s := range sp {
					agg.Calls = append(agg.Calls, s.call)
					out = append(out, s.call.Result.T())
				}
				for _, h := range hostiles {
					if h.storeBatch == 1 && groups > 3 {
						continue
					}
					in := rel.scan()
					if h.workers > 0 {
						in = Node(ts, &planpb.Gather{Input: in, Workers: h.workers})
					}
					agg.Input, agg.Strategy = in, planpb.Agg_HASH
					h2 := h
					h2.workers = 0
					got := run(t, h2, Node(out, agg), rel)
					same(t, fmt.Sprintf("hash %v %d groups %s", keys, groups, h.name), canonical(got, keys), canonical(want, keys))
					if h.workers > 0 && len(keys) > 0 { // what stands on the aggregation runs in the workers too
						agg.Input = rel.scan()
						above := Node(out, &planpb.Gather{Workers: h.workers, Input: Node(out, &planpb.Filter{Input: Node(out, agg),
							Predicate: planpb.NewConst(tBool, true)})})
						got := run(t, h2, above, rel)
						same(t, fmt.Sprintf("hash in workers %v %d groups %s", keys, groups, h.name), canonical(got, keys), canonical(want, keys))
						agg.Input = in
					}
					if len(keys) > 0 {
						sort := &planpb.Sort{Input: in}
						for _, k := range agg.Keys {
							sort.Keys = append(sort.Keys, &planpb.SortKey{Expr: k})
						}
						agg.Input, agg.Strategy = Node(ts, sort), planpb.Agg_SORTED
						got := run(t, h2, Node(out, agg), rel)
						same(t, fmt.Sprintf("sorted %v %d groups %s", keys, groups, h.name), canonical(got, keys), canonical(want, keys))
					}
				}
			}
		}
	}
}

// canonical drops trailing zeros of numeric keys: any form of equal keys may represent the group.
func canonical(rows []string, keys []int) []string {
	out := slices.Clone(rows)
	for p, k := range keys {
		if k != 2 {
			continue
		}
		for i, r := range out {
			f := strings.Split(r, "|")
			f[p] = strings.TrimSuffix(f[p], ".0")
			out[i] = strings.Join(f, "|")
		}
	}
	return out
}

func naiveAgg(rel *relation, keys []int, specs []aggSpec) []string {
	groups := map[string][][]types.Datum{}
	var order []string
	for _, r := range rel.data.Rows {
		var k []byte
		for _, c := range keys {
			k = types.AppendEqualityKey(types.DefaultEnv(), rel.ts[c], k, r[c])
		}
		if _, ok := groups[string(k)]; !ok {
			order = append(order, string(k))
		}
		groups[string(k)] = append(groups[string(k)], r)
	}
	if len(keys) == 0 && len(order) == 0 {
		order = []string{""}
	}
	var out []string
	for _, k := range order {
		rows := groups[k]
		var row []types.Datum
		var ts []types.T
		for _, c := range keys {
			row, ts = append(row, rows[0][c]), append(ts, rel.ts[c])
		}
		for _, s := range specs {
			row, ts = append(row, s.naive(rows)), append(ts, s.call.Result.T())
		}
		out = append(out, show(ts, row))
	}
	return out
}

// TestSort holds sorting and top-N against a stable sort of the rows.
func TestSort(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	ts := []types.T{tInt, tText, tNum, tBig}
	rel := newRelation("t", ts, randomRows(rng, 900, 40))
	for trial := range 24 {
		var keys []*planpb.SortKey
		cols := rng.Perm(3)[:1+rng.Intn(3)]
		for _, c := range cols {
			keys = append(keys, &planpb.SortKey{Expr: planpb.NewColumn(ts[c], c), Descending: rng.Intn(2) == 0, NullsFirst: rng.Intn(2) == 0})
		}
		keys = append(keys, &planpb.SortKey{Expr: planpb.NewColumn(tBig, 3)})
		cols = append(cols, 3)
		rows := slices.Clone(rel.data.Rows)
		slices.SortStableFunc(rows, func(a, b []types.Datum) int {
			for i, c := range cols {
				x, y := a[c], b[c]
				if x == nil || y == nil {
					if x == nil && y == nil {
						continue
					}
					if (x == nil) == keys[i].NullsFirst {
						return -1
					}
					return 1
				}
				r := types.Compare(types.DefaultEnv(), ts[c], x, y)
				if keys[i].Descending {
					r = -r
				}
				if r != 0 {
					return r
				}
			}
			return 0
		})
		limit := []int{0, 1, 17, 5000}[trial%4]
		if limit > 0 && limit < len(rows) {
			rows = rows[:limit]
		}
		var want []string
		for _, r := range rows {
			want = append(want, show(ts, r))
		}
		for _, h := range hostiles {
			s := Node(ts, &planpb.Sort{Input: rel.scan(), Keys: keys, Limit: uint64(limit)})
			if h.workers > 0 {
				s = Node(ts, &planpb.Gather{Input: s, Workers: h.workers, MergeKeys: keys})
				s = Node(ts, &planpb.Limit{Input: s, Count: planpb.NewConst(tBig, int64(len(want)))})
			}
			h.workers = 0
			got := run(t, h, s, rel)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %v limit %d: %s", h.name, cols, limit, firstDiff(got, want))
			}
		}
	}
}

// TestAggregateRuns: few groups of dictionary-coded keys, with nearly all rows of each batch selected.
func TestAggregateRuns(t *testing.T) {
	rng := rand.New(rand.NewSource(5))
	ts := []types.T{tInt, tText, tNum, tBig}
	product := aggSpec{&planpb.AggCall{Func: Proc("sum(numeric)"), Result: planpb.NewType(tNum),
		Args: []*planpb.Expr{Func(tNum, "numeric_mul(numeric,numeric)", planpb.NewColumn(tNum, 2), planpb.NewColumn(tNum, 2))}},
		func(r [][]types.Datum) types.Datum {
			var squares []types.Datum
			for _, v := range values(r, 2) {
				x, err := v.(types.Numeric).Mul(v.(types.Numeric))
				if err != nil {
					t.Fatal(err)
				}
				squares = append(squares, x)
			}
			return sumNumeric(squares)
		}}
	specs := append(slices.DeleteFunc(aggSpecs(), func(s aggSpec) bool {
		return s.call.Distinct || len(s.call.OrderBy) > 0 || s.call.Filter != nil || s.call.Result.T().OID == types.Text || s.call.Func == Proc("max(int8)")
	}), product)
	for _, nulls := range []bool{true, false} {
		for _, keys := range [][]int{{1}, {1, 2}} {
			rel := newRelation("t", ts, randomRows(rng, 3000, 5))
			if !nulls {
				for _, r := range rel.data.Rows {
					for c, v := range []types.Datum{int32(7), "w", types.NumericFromInt64(30, 1), int64(7)} {
						if r[c] == nil {
							r[c] = v
						}
					}
				}
			}
			limit := int64(2700)
			counted := newRelation("t", ts, slices.DeleteFunc(slices.Clone(rel.data.Rows), func(r []types.Datum) bool { return r[3] == nil || r[3].(int64) >= limit }))
			if n, of := len(counted.data.Rows), len(rel.data.Rows); n == of || n < of*3/4 {
				t.Fatalf("the filter keeps %d of %d rows", n, of)
			}
			want := naiveAgg(counted, keys, specs)
			agg := &planpb.Agg{Strategy: planpb.Agg_HASH}
			var out []types.T
			for _, k := range keys {
				agg.Keys = append(agg.Keys, planpb.NewColumn(ts[k], k))
				out = append(out, ts[k])
			}
			for _, s := range specs {
				agg.Calls = append(agg.Calls, s.call)
				out = append(out, s.call.Result.T())
			}
			for _, h := range append([]hostile{{name: "coded", storeBatch: 1000, dictionaries: true}}, hostiles...) {
				in := rel.scan()
				in.GetScan().Filter = Func(tBool, "int8lt(int8,int8)", planpb.NewColumn(tBig, 3), planpb.NewConst(tBig, limit))
				agg.Input = in
				h.workers = 0
				same(t, fmt.Sprintf("%v nulls %v %s", keys, nulls, h.name), canonical(run(t, h, Node(out, agg), rel), keys), canonical(want, keys))
			}
		}
	}
}
