package datetime

import (
	"context"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func benchFunction(b *testing.B, sig string, result types.OID, args ...func(i int) types.Datum) {
	r := expr.NewRegistry()
	Register(r)
	const n = 4096
	f := r.Function(adapt.Proc(sig))
	ctx := &expr.Context{Ctx: context.Background(), Env: types.DefaultEnv()}
	call := &expr.Call{OID: f.OID, Result: types.Of(result)}
	var vecs []arrow.Array
	for _, a := range args {
		t := types.Of(types.Text)
		switch a(0).(type) {
		case types.Date:
			t = types.Of(types.DateOID)
		case types.Timestamp:
			t = types.Of(types.TimestampOID)
		case types.Interval:
			t = types.Of(types.IntervalOID)
		}
		bl := types.NewBuilder(t, n)
		for i := range n {
			bl.Append(a(i))
		}
		vecs = append(vecs, bl.Finish())
		call.ArgTypes = append(call.ArgTypes, t)
		s, isText := a(0).(string)
		call.Const, call.IsConst = append(call.Const, types.Datum(s)), append(call.IsConst, isText)
	}
	if f.Prepare != nil {
		call.State, _ = f.Prepare(ctx, call)
	}
	b.SetBytes(n)
	for b.Loop() {
		if _, err := f.Eval(ctx, call, vecs, n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtractYear(b *testing.B) {
	benchFunction(b, "extract(text,date)", types.NumericOID, func(int) types.Datum { return "year" }, func(i int) types.Datum { return types.Date(8000 + i) })
}

func BenchmarkDateLess(b *testing.B) {
	benchFunction(b, "date_lt(date,date)", types.Bool, func(i int) types.Datum { return types.Date(8000 + i) }, func(i int) types.Datum { return types.Date(9000) })
}

func BenchmarkDateTrunc(b *testing.B) {
	benchFunction(b, "date_trunc(text,timestamp)", types.TimestampOID, func(int) types.Datum { return "month" },
		func(i int) types.Datum { return types.Timestamp(int64(i) * 1e12) })
}

func BenchmarkDatePlusInterval(b *testing.B) {
	benchFunction(b, "date_pl_interval(date,interval)", types.TimestampOID, func(i int) types.Datum { return types.Date(8000 + i) },
		func(int) types.Datum { return types.Interval{Months: 3} })
}
