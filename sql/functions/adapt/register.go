package adapt

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

type procFact struct {
	strict     bool
	volatility expr.Volatility
}

var procFacts = sync.OnceValue(func() map[types.OID]procFact {
	t := facts.Load("pg_proc")
	o, s, v := t.Column("oid"), t.Column("proisstrict"), t.Column("provolatile")
	m := make(map[types.OID]procFact, len(t.Rows))
	for _, r := range t.Rows {
		oid, err := strconv.ParseUint(r[o], 10, 32)
		if err != nil {
			panic(fmt.Sprintf("adapt: pg_proc oid %q", r[o]))
		}
		m[types.OID(oid)] = procFact{strict: r[s] == "t", volatility: map[string]expr.Volatility{"i": expr.Immutable, "s": expr.Stable, "v": expr.Volatile}[r[v]]}
	}
	return m
})

// Proc is the OID of a built-in function by signature (see facts.Proc). It panics when there is none.
func Proc(sig string) types.OID {
	oid, ok := facts.Proc(sig)
	if !ok {
		panic("adapt: no built-in function " + sig)
	}
	return types.OID(oid)
}

// Option refines a registration.
type Option func(*expr.Function)

// Prepare sets Function.Prepare.
func Prepare(f func(ctx *expr.Context, call *expr.Call) (any, error)) Option {
	return func(fn *expr.Function) { fn.Prepare = f }
}

// Select sets Function.Select.
func Select(f func(ctx *expr.Context, call *expr.Call, a arrow.Array, sel, out []int32) ([]int32, bool, error)) Option {
	return func(fn *expr.Function) { fn.Select = f }
}

// CannotFail marks a function that raises no error whatever its arguments are.
func CannotFail(fn *expr.Function) { fn.CannotFail = true }

// Grows marks a function whose form for single rows may reserve memory (Context.Grow).
func Grows(fn *expr.Function) { fn.Grows = true }

// NeedsSession marks a function that runs at the gateway only.
func NeedsSession(fn *expr.Function) { fn.NeedsSession = true }

// Add registers a scalar function. Strictness and volatility are pg_proc's.
func Add(r *expr.Registry, sig string, k expr.Kernel, opts ...Option) {
	oid := Proc(sig)
	f := procFacts()[oid]
	fn := &expr.Function{OID: oid, Strict: f.strict, Volatility: f.volatility, Eval: k}
	for _, o := range opts {
		o(fn)
	}
	r.Add(fn)
}

// AddSet registers a set-returning function.
func AddSet(r *expr.Registry, sig string,
	eval func(ctx *expr.Context, call *expr.Call, args []types.Datum, emit func(row ...types.Datum) error) error) {
	oid := Proc(sig)
	r.AddSet(&expr.SetFunction{OID: oid, Strict: procFacts()[oid].strict, Eval: eval})
}

// AddAgg registers an aggregate in the general form; skipNulls as Aggregate.SkipNulls.
func AddAgg(r *expr.Registry, sig string, skipNulls bool, create func(ctx *expr.Context, call *expr.Call) expr.AggState) {
	r.AddAggregate(&expr.Aggregate{OID: Proc(sig), SkipNulls: skipNulls, New: create})
}

// AddOrderedAgg registers an ordered-set aggregate.
func AddOrderedAgg(r *expr.Registry, sig string, skipNulls bool,
	create func(ctx *expr.Context, call *expr.Call, direct []types.Datum) (expr.AggState, error)) {
	r.AddAggregate(&expr.Aggregate{OID: Proc(sig), SkipNulls: skipNulls, NewOrdered: create})
}
