package adapt

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func vec(oid types.OID, ds ...types.Datum) arrow.Array {
	b := types.NewBuilder(types.Of(oid), len(ds))
	for _, d := range ds {
		b.Append(d)
	}
	return b.Finish()
}

func call(result types.OID, args ...types.OID) *expr.Call {
	c := &expr.Call{Result: types.Of(result)}
	for _, a := range args {
		c.ArgTypes = append(c.ArgTypes, types.Of(a))
	}
	return c
}

func check(t *testing.T, oid types.OID, got arrow.Array, err error, want ...types.Datum) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got.Len() != len(want) {
		t.Fatalf("length %d, want %d", got.Len(), len(want))
	}
	for i, w := range want {
		g := types.Get(types.Of(oid), got, i)
		if (g == nil) != (w == nil) || g != nil && types.Compare(nil, types.Of(oid), g, w) != 0 {
			t.Errorf("row %d: %v, want %v", i, g, w)
		}
	}
}

func TestKernels(t *testing.T) {
	add := F2(func(a, b int32) int32 { return a + b })
	x, y := vec(types.Int4, int32(9), int32(1), nil, int32(3)), vec(types.Int4, int32(9), int32(10), int32(20), nil)
	got, err := add(nil, call(types.Int4, types.Int4, types.Int4), []arrow.Array{array.NewSlice(x, 1, 4), array.NewSlice(y, 1, 4)}, 3)
	check(t, types.Int4, got, err, int32(11), nil, nil)

	num := func(s string) types.Numeric {
		n, err := types.ParseNumeric(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, in := range [][]types.Datum{{num("1.5"), nil, num("2.5")}, {num("1.5"), nil, num("99999999999999999999.123")}} {
		got, err = E2(types.Numeric.Add)(nil, call(types.NumericOID, types.NumericOID, types.NumericOID),
			[]arrow.Array{vec(types.NumericOID, in...), vec(types.NumericOID, num("1"), num("2"), num("3"))}, 3)
		sum, _ := in[2].(types.Numeric).Add(num("3"))
		check(t, types.NumericOID, got, err, num("2.5"), nil, sum)
	}

	dict := array.NewDictionaryArray(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		vec2(int8(1), int8(0), int8(1)), vec(types.Text, "a", "bcd"))
	got, err = F1(func(s string) int32 { return int32(len(s)) })(nil, call(types.Int4, types.Text), []arrow.Array{dict}, 3)
	check(t, types.Int4, got, err, int32(3), int32(1), int32(3))

	got, err = D(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
		return args[0] == nil, nil
	})(
		nil, call(types.Bool, types.Text), []arrow.Array{vec(types.Text, nil, "x")}, 2)
	check(t, types.Bool, got, err, true, false)

	iv := types.Interval{Months: 1, Days: -2, Micros: 3}
	got, err = F1(func(v types.Interval) types.Interval { v.Days = 7; return v })(nil, call(types.IntervalOID, types.IntervalOID),
		[]arrow.Array{vec(types.IntervalOID, nil, iv)}, 2)
	if err != nil || got.IsValid(0) || types.Get(types.Of(types.IntervalOID), got, 1) != (types.Interval{Months: 1, Days: 7, Micros: 3}) {
		t.Error("interval", got, err)
	}
	got, err = F1(func(s string) []byte {
		if s == "" {
			return nil
		}
		return []byte(s)
	})(nil, call(types.Bytea, types.Text), []arrow.Array{vec(types.Text, "", "ab")}, 2)
	check(t, types.Bytea, got, err, nil, []byte("ab"))
}

func vec2(v ...int8) arrow.Array {
	b := array.NewInt8Builder(memory.DefaultAllocator)
	b.AppendValues(v, nil)
	return b.NewArray()
}
