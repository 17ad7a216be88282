package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TestAssemble puts vectors together that were cut by rows, in every form numerics have, and compares value by value.
func TestAssemble(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	num, text, boolean := types.Of(types.NumericOID), types.Of(types.Text), types.Of(types.Bool)
	makers := map[types.T]func(k int) types.Datum{
		types.Of(types.Int2): func(k int) types.Datum { return int16(k) }, types.Of(types.Int4): func(k int) types.Datum { return int32(k) },
		types.Of(types.Int8): func(k int) types.Datum { return int64(k) }, boolean: func(k int) types.Datum { return k%2 == 0 },
		text: func(k int) types.Datum { return "words"[:k%6] },
	}
	numerics := []func(k int) types.Datum{
		func(k int) types.Datum { return types.NumericFromInt64(int64(k), 0) },
		func(k int) types.Datum { return types.NumericFromInt64(int64(k), 2) },
		func(k int) types.Datum { return types.NumericFromInt64(int64(k), int32(k%20)) },
		func(int) types.Datum { return types.NumericNaN },
	}
	check := func(ty types.T, maker func(part int) func(int) types.Datum) {
		n, parts := 1+rng.IntN(60), 1+rng.IntN(4)
		rows := make([][]int32, parts)
		want := make([]types.Datum, n)
		for i := range n {
			if k := rng.IntN(parts + 1); k < parts {
				rows[k] = append(rows[k], int32(i))
			}
		}
		vecs := make([]arrow.Array, parts)
		for k, rs := range rows {
			b := types.NewBuilder(ty, len(rs))
			mk, nulls := maker(k), rng.IntN(3)
			for _, r := range rs {
				if nulls > 0 && rng.IntN(nulls) == 0 {
					b.Append(nil)
					continue
				}
				want[r] = mk(rng.IntN(1000))
				b.Append(want[r])
			}
			vecs[k] = b.Finish()
			if ty == num && rng.IntN(2) == 0 {
				vecs[k] = dec64(vecs[k])
			}
		}
		var m *Arena
		if rng.IntN(2) == 0 {
			m = &Arena{}
			for i := range m.words(400) {
				m.chunks[0][i] = rng.Uint64()
			}
			m.Reset()
		}
		got := AssembleIn(m, ty, n, rows, vecs)
		if got.Len() != n {
			t.Fatalf("%d rows, want %d", got.Len(), n)
		}
		for i := range n {
			if g := types.Get(ty, got, i); fmt.Sprint(g) != fmt.Sprint(want[i]) {
				t.Fatalf("%v row %d: %v, want %v", ty, i, g, want[i])
			}
		}
	}
	for range 300 {
		for ty, mk := range makers {
			check(ty, func(int) func(int) types.Datum { return mk })
		}
		check(num, func(int) func(int) types.Datum { return numerics[rng.IntN(len(numerics))] })
	}
}

// dec64 is a numeric vector in its fast form where that has all its values.
func dec64(a arrow.Array) arrow.Array {
	scale, out, valid := int32(-1), make([]int64, a.Len()), Ones(a.Len())
	for i := range out {
		if a.IsNull(i) {
			ClearBit(valid, i)
			continue
		}
		x, s, ok := types.Get(types.Of(types.NumericOID), a, i).(types.Numeric).Int64()
		if !ok || scale >= 0 && s != scale {
			return a
		}
		out[i], scale = x, s
	}
	return types.NewDec64Array(max(scale, 0), out, valid, a.NullN())
}
