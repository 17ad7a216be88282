package base

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func dec64(n int, scale int32, f func(i int) int64) arrow.Array {
	v := make([]int64, n)
	for i := range v {
		v[i] = f(i)
	}
	return types.NewDec64Array(scale, v, nil, 0)
}

func eval(t testing.TB, sig string, c *expr.Call, args ...arrow.Array) arrow.Array {
	r := expr.NewRegistry()
	Register(r)
	out, err := r.Function(adapt.Proc(sig)).Eval(&expr.Context{Env: types.DefaultEnv()}, c, args, args[0].Len())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func numericCall(result types.OID) *expr.Call {
	n := types.Of(types.NumericOID)
	return &expr.Call{ArgTypes: []types.T{n, n}, Result: types.Of(result)}
}

// TestDec64 holds the Dec64 kernels against the values' own arithmetic, at the
// edges where they must fall back.
func TestDec64(t *testing.T) {
	const big = 9_000_000_000_000_000_000
	edge := []int64{0, 1, -1, 5, 99, -100, big, -big, 1<<31 - 1, 1 << 32, -1 << 31, 3_037_000_500, 1 << 62}
	ops := map[string]func(a, b types.Numeric) (types.Numeric, error){
		"numeric_add(numeric,numeric)": types.Numeric.Add, "numeric_sub(numeric,numeric)": types.Numeric.Sub, "numeric_mul(numeric,numeric)": types.Numeric.Mul,
	}
	for _, scales := range [][2]int32{{0, 0}, {2, 2}, {2, 4}, {6, 1}, {18, 0}, {9, 10}} {
		for _, k := range edge {
			a := dec64(len(edge), scales[0], func(i int) int64 { return edge[i] })
			b := dec64(len(edge), scales[1], func(int) int64 { return k })
			for _, withConst := range []bool{false, true} {
				c := numericCall(types.NumericOID)
				if withConst {
					c.IsConst, c.Const = []bool{false, true}, []types.Datum{nil, types.NumericFromInt64(k, scales[1])}
				}
				for sig, op := range ops {
					got := eval(t, sig, c, a, b)
					for i := range edge {
						want, _ := op(types.NumericFromInt64(edge[i], scales[0]), types.NumericFromInt64(k, scales[1]))
						if g := types.Get(types.Of(types.NumericOID), got, i).(types.Numeric); g.String() != want.String() {
							t.Fatalf("%s of %d/%d and %d/%d (const %v): %s, want %s", sig, edge[i], scales[0], k, scales[1], withConst, g, want)
						}
					}
				}
				bc := *c
				bc.Result = types.Of(types.Bool)
				for i, o := range ops6() {
					got := eval(t, o, &bc, a, b)
					for j := range edge {
						want := op(i).holds(types.NumericFromInt64(edge[j], scales[0]).Cmp(types.NumericFromInt64(k, scales[1])))
						if g := types.Get(types.Of(types.Bool), got, j).(bool); g != want {
							t.Fatalf("%s of %d/%d and %d/%d: %v", o, edge[j], scales[0], k, scales[1], g)
						}
					}
				}
			}
		}
	}
}

func ops6() []string {
	out := make([]string, len(opNames))
	for i, n := range opNames {
		out[i] = "numeric_" + n + "(numeric,numeric)"
	}
	return out
}

func BenchmarkKernels(b *testing.B) {
	const n = 4096
	r := expr.NewRegistry()
	Register(r)
	price, disc := dec64(n, 2, func(i int) int64 { return int64(i*7919) % 10_000_000 }), dec64(n, 2, func(i int) int64 { return int64(i % 11) })
	text := types.NewBuilder(types.Of(types.Text), n)
	for i := range n {
		text.Append([]string{"AIR", "RAIL", "TRUCK", "MAIL"}[i%4])
	}
	tv := text.Finish()
	constant := func(c *expr.Call, d types.Datum) *expr.Call {
		c.IsConst, c.Const = []bool{false, true}, []types.Datum{nil, d}
		return c
	}
	tcall := func() *expr.Call {
		return &expr.Call{ArgTypes: []types.T{types.Of(types.Text), types.Of(types.Text)}, Result: types.Of(types.Bool)}
	}
	for _, c := range []struct {
		name, sig string
		call      *expr.Call
		args      []arrow.Array
	}{
		{"dec64 mul", "numeric_mul(numeric,numeric)", numericCall(types.NumericOID), []arrow.Array{price, disc}},
		{"dec64 sub", "numeric_sub(numeric,numeric)", numericCall(types.NumericOID), []arrow.Array{price, disc}},
		{"dec64 div", "numeric_div(numeric,numeric)", numericCall(types.NumericOID), []arrow.Array{disc, dec64(n, 2, func(i int) int64 { return int64(i + 1) })}},
		{"dec64 < const", "numeric_lt(numeric,numeric)", constant(numericCall(types.Bool), types.NumericFromInt64(24, 0)), []arrow.Array{price, disc}},
		{"text = const", "texteq(text,text)", constant(tcall(), "RAIL"), []arrow.Array{tv, tv}},
		{"text = text", "texteq(text,text)", tcall(), []arrow.Array{tv, tv}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := r.Function(adapt.Proc(c.sig))
			for b.Loop() {
				if _, err := f.Eval(nil, c.call, c.args, n); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
