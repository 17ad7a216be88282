package kernel

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
)

// arithmetic holds numeric addition, subtraction and multiplication over Dec64
// vectors. Results of different scale than Dec64 can hold, or that overflow an
// int64, are left to the general functions.
var arithmetic = sync.OnceValue(func() map[types.OID]Fast {
	fast := map[types.OID]Fast{}
	add := func(sig string, f Fast) {
		if oid, ok := facts.Proc(sig); ok {
			fast[types.OID(oid)] = f
		}
	}
	add("numeric_add(numeric,numeric)", func(m *Arena, a []arrow.Array, n int) (arrow.Array, error) {
		return dec64Add(m, a[0], a[1], n, false), nil
	})
	add("numeric_sub(numeric,numeric)", func(m *Arena, a []arrow.Array, n int) (arrow.Array, error) {
		return dec64Add(m, a[0], a[1], n, true), nil
	})
	add("numeric_mul(numeric,numeric)", func(m *Arena, a []arrow.Array, n int) (arrow.Array, error) { return dec64Mul(m, a[0], a[1], n), nil })
	return fast
})

// CannotFail: the function gives a value for whatever its arguments are.
func CannotFail(oid types.OID) bool { return arithmetic()[oid] != nil }

// AlignsDecimals: the function begins by giving its decimals one scale, so that one
// of a greater scale than written makes no difference to its result beside a decimal
// of that scale.
func AlignsDecimals(oid types.OID) bool { return alignsDecimals()[oid] }

var alignsDecimals = sync.OnceValue(func() map[types.OID]bool {
	m := map[types.OID]bool{}
	for _, f := range []string{"add", "sub", "eq", "ne", "lt", "le", "gt", "ge"} {
		if oid, ok := facts.Proc("numeric_" + f + "(numeric,numeric)"); ok {
			m[types.OID(oid)] = true
		}
	}
	return m
})

func dec64Add(m *Arena, a, b arrow.Array, n int, sub bool) arrow.Array {
	x, y, ok := alignDec64(m, a, b)
	if !ok {
		return nil
	}
	out := MakeIn[int64](m, n)
	f := simd.Add
	if sub {
		f = simd.Sub
	}
	if !f(out, x, y) {
		return nil
	}
	valid, nulls := CombineValid(n, []arrow.Array{a, b})
	return types.NewDec64Array(max(a.(*types.Dec64Array).Scale(), b.(*types.Dec64Array).Scale()), out, valid, nulls)
}

func dec64Mul(m *Arena, a, b arrow.Array, n int) arrow.Array {
	p, ok1 := a.(*types.Dec64Array)
	q, ok2 := b.(*types.Dec64Array)
	if !ok1 || !ok2 || p.Scale()+q.Scale() > 18 {
		return nil
	}
	x, y := p.Int64Values(), q.Int64Values()
	valid, nulls := CombineValid(n, []arrow.Array{a, b})
	out := MakeIn[int64](m, n)
	if !simd.Mul(out, x, y) {
		if nulls == 0 {
			return nil
		}
		for i, v := range x[:n] { // perhaps only the garbage at NULLs
			if valid[i>>3]&(1<<(i&7)) == 0 {
				continue
			}
			if hi, lo := bits.Mul64(abs64(v), abs64(y[i])); hi|lo>>63 != 0 {
				return nil
			}
		}
	}
	return types.NewDec64Array(p.Scale()+q.Scale(), out, valid, nulls)
}

func abs64(v int64) uint64 {
	m := v >> 63
	return uint64((v ^ m) - m)
}
