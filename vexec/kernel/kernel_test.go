package kernel_test

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// subject is a type with a source of values, few enough to meet each other.
type subject struct {
	name string
	t    types.T
	cmp  string // name of its comparison functions, with %s for the operator
	gen  func(r *rand.Rand) types.Datum
}

var subjects = []subject{
	{"int2", types.Of(types.Int2), "int2%s(int2,int2)", func(r *rand.Rand) types.Datum { return int16(r.Intn(9) - 4) }},
	{"int4", types.Of(types.Int4), "int4%s(int4,int4)", func(r *rand.Rand) types.Datum { return int32(r.Intn(9) - 4) }},
	{"int8", types.Of(types.Int8), "int8%s(int8,int8)", func(r *rand.Rand) types.Datum { return int64(r.Intn(9)-4) << 40 }},
	{"float8", types.Of(types.Float8), "float8%s(float8,float8)", func(r *rand.Rand) types.Datum {
		return []float64{0, math.Copysign(0, -1), 1.5, -2, math.NaN(), math.Inf(1), math.Inf(-1)}[r.Intn(7)]
	}},
	{"text", types.Of(types.Text), "text", func(r *rand.Rand) types.Datum {
		return []string{"", "a", "ab", "abcdefghij", "abcdefghik", "b", "é"}[r.Intn(7)]
	}},
	{"bpchar", types.Of(types.BPChar), "bpchar%s(bpchar,bpchar)", func(r *rand.Rand) types.Datum {
		return []string{"", " ", "a", "a ", "a  b", "b   "}[r.Intn(6)]
	}},
	{"date", types.Of(types.DateOID), "date_%s(date,date)", func(r *rand.Rand) types.Datum { return types.Date(r.Intn(9) - 4) }},
	{"timestamp", types.Of(types.TimestampOID), "timestamp_%s(timestamp,timestamp)", func(r *rand.Rand) types.Datum { return types.Timestamp(r.Intn(9) - 4) }},
	{"bool", types.Of(types.Bool), "bool%s(bool,bool)", func(r *rand.Rand) types.Datum { return r.Intn(2) == 0 }},
	{"varbit", types.Of(types.VarBit), "varbit%s(varbit,varbit)", func(r *rand.Rand) types.Datum {
		return []string{"", "0", "1", "10", "101010101", "101010100"}[r.Intn(6)]
	}},
	{"uuid", types.Of(types.UUIDOID), "uuid_%s(uuid,uuid)", func(r *rand.Rand) types.Datum { return types.UUID{byte(r.Intn(3)), 15: byte(r.Intn(3))} }},
	{"numeric", types.Of(types.NumericOID), "numeric_%s(numeric,numeric)", func(r *rand.Rand) types.Datum {
		return types.NumericFromInt64(int64(r.Intn(7)-3)*100, 2)
	}},
	{"numeric scales", types.Of(types.NumericOID), "numeric_%s(numeric,numeric)", func(r *rand.Rand) types.Datum {
		s := int32(r.Intn(3))
		u := int64(r.Intn(5) - 2)
		for range s {
			u *= 10
		}
		if r.Intn(12) == 0 {
			return types.NumericNaN
		}
		return types.NumericFromInt64(u+int64(r.Intn(2)), s)
	}},
	{"interval", types.Of(types.IntervalOID), "interval_%s(interval,interval)", func(r *rand.Rand) types.Datum {
		return types.Interval{Months: int32(r.Intn(2)), Days: int32(r.Intn(2) * 30)}
	}},
}

// vector makes n values, sometimes as a slice of a longer vector.
func vector(r *rand.Rand, s subject, n int, nulls bool) (arrow.Array, []types.Datum) {
	lead := r.Intn(3) * r.Intn(9)
	b := types.NewBuilder(s.t, n+lead)
	var vals []types.Datum
	for range n + lead {
		d := s.gen(r)
		if nulls && r.Intn(4) == 0 {
			d = nil
		}
		vals = append(vals, d)
		b.Append(d)
	}
	return kernel.Slice(b.Finish(), lead, n+lead), vals[lead:]
}

func equal(t types.T, a, b types.Datum) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return types.Compare(types.DefaultEnv(), t, a, b) == 0
}

func shown(t types.T, d types.Datum) string {
	if d == nil {
		return "NULL"
	}
	s, err := types.Out(types.DefaultEnv(), t, d)
	if err != nil {
		panic(err)
	}
	return s
}

// TestComparisons: functions and selections agree with types.Compare.
func TestComparisons(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	ops := []string{"eq", "ne", "lt", "le", "gt", "ge"}
	holds := []func(c int) bool{func(c int) bool { return c == 0 }, func(c int) bool { return c != 0 }, func(c int) bool { return c < 0 },
		func(c int) bool { return c <= 0 }, func(c int) bool { return c > 0 }, func(c int) bool { return c >= 0 }}
	for _, s := range subjects {
		for k, op := range ops {
			sig := s.cmp
			if sig == "text" {
				sig = []string{"texteq", "textne", "text_lt", "text_le", "text_gt", "text_ge"}[k] + "(text,text)"
			} else {
				sig = fmt.Sprintf(sig, op)
			}
			oid, ok := facts.Proc(sig)
			if !ok {
				t.Fatal(sig)
			}
			c, ok := kernel.ComparisonFunction(types.OID(oid))
			if !ok {
				continue // the general function serves
			}
			for trial := range 30 {
				n := 1 + r.Intn(40)
				a, av := vector(r, s, n, trial%2 == 0)
				b, bv := vector(r, s, n, trial%3 == 0)
				v, err := kernel.FastFunction(types.OID(oid))(nil, []arrow.Array{a, b}, n)
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; v != nil && i < n; i++ {
					var want types.Datum
					if av[i] != nil && bv[i] != nil {
						want = holds[k](types.Compare(types.DefaultEnv(), s.t, av[i], bv[i]))
					}
					if got := types.Get(types.Of(types.Bool), v, i); got != want {
						t.Fatalf("%s: %s, %s gave %v", sig, shown(s.t, av[i]), shown(s.t, bv[i]), got)
					}
				}
				con := s.gen(r)
				var sel []int32
				if trial%2 == 1 {
					for i := range n {
						if r.Intn(2) == 0 {
							sel = append(sel, int32(i))
						}
					}
					if sel == nil {
						continue
					}
				}
				for _, flipped := range []bool{false, true} {
					keep, done := c.SelectConst(nil, a, sel, con, flipped)
					if !done {
						continue
					}
					at := 0
					rows := n
					if sel != nil {
						rows = len(sel)
					}
					for i := range rows {
						d := av[i]
						if sel != nil {
							d = av[sel[i]]
						}
						want := false
						if d != nil {
							x := types.Compare(types.DefaultEnv(), s.t, d, con)
							if flipped {
								x = -x
							}
							want = holds[k](x)
						}
						got := at < len(keep) && keep[at] == int32(i)
						if got {
							at++
						}
						if got != want {
							t.Fatalf("%s: select %s against %s (flipped %v) gave %v", sig, shown(s.t, d), shown(s.t, con), flipped, got)
						}
					}
				}
			}
		}
	}
}

// TestKeys: equal rows have equal keys and numbers, unequal ones do not, across vectors of different forms.
func TestKeys(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for _, s := range subjects {
		for _, more := range [][]subject{{}, {subjects[4]}, {subjects[1], subjects[5]}} {
			all := append([]subject{s}, more...)
			var ts []types.T
			for _, x := range all {
				ts = append(ts, x.t)
			}
			spec := kernel.NewKeySpec(ts)
			table := kernel.NewTable(spec, 0)
			var rows [][]types.Datum
			var numbers []int32
			for range 6 {
				n := 1 + r.Intn(60)
				cols, vals := make([]arrow.Array, len(all)), make([][]types.Datum, len(all))
				for c, x := range all {
					cols[c], vals[c] = vector(r, x, n, true)
				}
				var k kernel.Keys
				spec.Encode(types.DefaultEnv(), &k, cols, n)
				num := make([]int32, n)
				table.Insert(&k, nil, num, nil)
				found := make([]int32, n)
				table.Find(&k, nil, found)
				for i := range n {
					if found[i] != num[i] {
						t.Fatalf("%s: inserted as %d, found as %d", s.name, num[i], found[i])
					}
					row := make([]types.Datum, len(all))
					for c := range all {
						row[c] = vals[c][i]
					}
					rows, numbers = append(rows, row), append(numbers, num[i])
				}
			}
			for i := range rows {
				for j := range i {
					same := true
					for c := range all {
						same = same && equal(ts[c], rows[i][c], rows[j][c])
					}
					if same != (numbers[i] == numbers[j]) {
						t.Fatalf("%s: %s and %s: equal %v, numbers %d and %d", s.name, shown(ts[0], rows[i][0]), shown(ts[0], rows[j][0]), same, numbers[i], numbers[j])
					}
				}
			}
		}
	}
}

// TestTakeConcat: gathered and joined vectors show the values they were made of.
func TestTakeConcat(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for _, s := range subjects {
		for range 40 {
			var parts []arrow.Array
			var want []types.Datum
			for range 1 + r.Intn(3) {
				a, v := vector(r, s, r.Intn(20), r.Intn(2) == 0)
				parts, want = append(parts, a), append(want, v...)
			}
			all := kernel.Concat(s.t, parts)
			if all.Len() != len(want) {
				t.Fatalf("%s: %d values of %d", s.name, all.Len(), len(want))
			}
			idx := []int32{-1}
			picked := []types.Datum{nil}
			for i, d := range want {
				if got := types.Get(s.t, all, i); shown(s.t, got) != shown(s.t, d) {
					t.Fatalf("%s: concat gave %s for %s", s.name, shown(s.t, got), shown(s.t, d))
				}
				if r.Intn(2) == 0 {
					idx, picked = append(idx, int32(i)), append(picked, d)
				}
			}
			if len(want) == 0 {
				continue
			}
			taken := kernel.Take(all, idx)
			for i, d := range picked {
				if got := types.Get(s.t, taken, i); shown(s.t, got) != shown(s.t, d) {
					t.Fatalf("%s: take gave %s for %s", s.name, shown(s.t, got), shown(s.t, d))
				}
			}
		}
	}
}

// TestSortOrder: prefixes never contradict the comparer.
func TestSortOrder(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	for _, s := range subjects {
		for trial := range 20 {
			spec := kernel.SortSpec{Type: s.t, Descending: trial%2 == 0, NullsFirst: trial%3 == 0}
			a, vals := vector(r, s, 40, trial%4 != 0)
			p, exact := kernel.SortPrefix(spec, a)
			cmp := kernel.SortComparer(types.DefaultEnv(), spec, a, a)
			for i := range vals {
				for j := range vals {
					c := cmp(i, j)
					if p[i] < p[j] && c >= 0 || p[i] > p[j] && c <= 0 || exact && p[i] == p[j] && c != 0 {
						t.Fatalf("%s %+v: %s and %s: prefixes %d %d, comparer %d", s.name, spec, shown(s.t, vals[i]), shown(s.t, vals[j]), p[i], p[j], c)
					}
				}
			}
		}
	}
}
