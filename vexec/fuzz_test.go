package vexec

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// FuzzAggregateState: whatever a node sends as the state of an aggregate is refused with
// 08P01 or an error of the aggregate itself, or is a state that travels on unchanged.
func FuzzAggregateState(f *testing.F) {
	env := types.DefaultEnv()
	text, date, num := types.Of(types.Text), types.Of(types.DateOID), types.Of(types.NumericOID)
	accs := []func() accumulator{
		func() accumulator { return &countAcc{} },
		func() accumulator { return &sumIntAcc{} },
		func() accumulator { return &sumNumericAcc{} },
		func() accumulator { return &sumNumericAcc{avg: true, plainScale: true} },
		func() accumulator { return &sumFloatAcc{} },
		func() accumulator { return &sumFloatAcc{avg: true} },
		func() accumulator { return &boolAcc{and: true} },
		func() accumulator { return newMinMaxAcc(env, types.Of(types.Int2), true) },
		func() accumulator { return newMinMaxAcc(env, date, false) },
		func() accumulator { return newMinMaxAcc(env, text, true) },
		func() accumulator { return newMinMaxAcc(env, num, false) },
		func() accumulator { return newMinMaxAcc(env, types.Of(types.ArrayOf(types.Int4)), true) },
	}
	values := []types.Datum{int32(0), int16(5), types.NumericFromInt64(150, 2), types.NumericFromInt64(7, 0), 1.5, 2.5, true, int16(-3),
		types.Date(0), "abc", types.NumericFromInt64(-1, 4), types.NewArray(types.Of(types.Int4), []types.Datum{int32(1), nil})}
	ts := []types.T{types.Of(types.Int4), types.Of(types.Int2), num, num, types.Of(types.Float8), types.Of(types.Float8), types.Of(types.Bool), types.Of(types.Int2),
		date, text, num, types.Of(types.ArrayOf(types.Int4))}
	for i := range accs {
		acc := accs[i]()
		acc.resize(1)
		b := types.NewBuilder(ts[i], 1)
		b.Append(values[i])
		if err := acc.add([]int32{0}, []arrow.Array{b.Finish()}); err != nil {
			f.Fatal(err)
		}
		state, err := acc.(statefulAcc).state(nil, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), state, state)
	}
	f.Fuzz(func(t *testing.T, which byte, a, b []byte) {
		make := accs[int(which)%len(accs)]
		acc := make()
		acc.resize(2)
		for _, s := range [][]byte{a, b} {
			v := types.NewVarlen(arrow.BinaryTypes.Binary, []int32{0, int32(len(s))}, s, nil, 0)
			if err := absorbStates(acc, []int32{1}, v); err != nil {
				if pgerror.Is(err, pgerror.InternalError) {
					t.Fatal(err)
				}
				return
			}
		}
		out, err := states(acc, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		next := make()
		next.resize(2)
		if err := absorbStates(next, []int32{0, 1}, out); err != nil {
			t.Fatalf("a state that was taken is not taken again: %v", err)
		}
		for _, acc := range []accumulator{acc, next} {
			if _, err := acc.result(0, 2); pgerror.Is(err, pgerror.InternalError) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzSpilledBatch: a temporary file that has been damaged is an error, not a panic.
func FuzzSpilledBatch(f *testing.F) {
	ts := []types.T{types.Of(types.Int4), types.Of(types.Text), types.Of(types.Bool), types.Of(types.NumericOID), types.Of(types.IntervalOID)}
	for _, n := range []int{0, 1, 3, 70} {
		b := &Batch{N: n}
		for _, t := range ts {
			c := types.NewBuilder(t, n)
			for i := range n {
				text := "1"
				if t.OID == types.IntervalOID {
					text = "1 day"
				}
				d, err := types.In(types.DefaultEnv(), t, text)
				if err != nil {
					f.Fatal(err)
				}
				if i%3 == 1 {
					d = nil
				}
				c.Append(d)
			}
			b.Cols = append(b.Cols, c.Finish())
		}
		form := appendBatch(nil, ts, b)
		if got, err := decodeBatch(ts, form); err != nil || got.N != n {
			f.Fatalf("%d rows: %v", n, err)
		}
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, form []byte) {
		b, err := decodeBatch(ts, form)
		if err != nil {
			if !pgerror.Is(err, pgerror.DataCorrupted) {
				t.Fatal(err)
			}
			return
		}
		for c := range ts {
			for i := range b.N {
				types.Get(ts[c], b.Cols[c], i)
			}
		}
		if again, err := decodeBatch(ts, appendBatch(nil, ts, b)); err != nil || again.N != b.N {
			t.Fatalf("what was read is not read again: %v", err)
		}
	})
}
