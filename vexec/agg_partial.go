package vexec

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Aggregation across processes: a PARTIAL Agg delivers its keys and one state per
// call, FINAL merges them.
//
// PARTIAL never spills: when its table is full, or when it has met many groups
// with few rows each, it hands on what it has and starts over; groups may come out
// several times. A PARTIAL on a Gather is aggregated by the Gather's workers first.
//
// FINAL reads keys from its input's first columns, one per key of its own (whatever
// expressions they are: those are PARTIAL's), and then one state per call, of whose
// arguments only the types matter. It groups, spills and keeps orders as COMPLETE does.
// Between the two there may be joins: a state counts as often as it comes, a NULL adds
// nothing.

// CanPartial reports whether an aggregate call may be split into PARTIAL and
// FINAL: its states can travel and the order of its input does not matter. Calls
// with DISTINCT or an order of their own cannot.
//
// A PARTIAL Agg has no grouping sets. FINAL's calls are those of PARTIAL; its
// grouping sets, if any, regroup the keys.
func CanPartial(call *planpb.AggCall) bool {
	if call.GetDistinct() || call.GetWithinGroup() || len(call.GetOrderBy()) > 0 || len(call.GetDirectArgs()) > 0 {
		return false
	}
	oid := types.OID(call.GetFunc())
	return aggKinds()[oid] != aggGeneral || portable()[oid]
}

// portable are the general aggregates whose states are expr.PortableState.
var portable = sync.OnceValue(func() map[types.OID]bool {
	m := map[types.OID]bool{}
	add := func(sig string) {
		if oid, ok := facts.Proc(sig); ok {
			m[types.OID(oid)] = true
		}
	}
	for _, f := range []string{"var_pop", "var_samp", "variance", "stddev_pop", "stddev_samp", "stddev"} {
		for _, t := range []string{"int2", "int4", "int8", "numeric", "float4", "float8"} {
			add(f + "(" + t + ")")
		}
	}
	for _, f := range []string{"regr_count", "regr_sxx", "regr_syy", "regr_sxy", "regr_avgx", "regr_avgy", "covar_pop", "covar_samp", "corr",
		"regr_r2", "regr_slope", "regr_intercept"} {
		add(f + "(float8,float8)")
	}
	for _, f := range []string{"bit_and", "bit_or", "bit_xor"} {
		for _, t := range []string{"int2", "int4", "int8"} {
			add(f + "(" + t + ")")
		}
	}
	add("sum(interval)")
	add("avg(interval)")
	return m
})

// When a PARTIAL hands on its groups early: once there are so many and they have not
// on average taken partialReduceMin rows each.
const (
	partialGroupsMin = 1 << 14
	partialReduceMin = 3
)

// checkPartial refuses what does not work in PARTIAL or FINAL.
func checkPartial(a *planpb.Agg) error {
	if a.GetPhase() == planpb.Agg_PARTIAL && (len(a.GetSets()) > 0 || len(a.GetGroupingCalls()) > 0) {
		return pgerror.Internal("grouping sets in a partial aggregation")
	}
	for _, c := range a.GetCalls() {
		if !CanPartial(c) {
			return pgerror.Unsupported("partial aggregation with %s", facts.ProcName(c.GetFunc()))
		}
	}
	if n := len(a.GetInput().GetOutput()); a.GetPhase() == planpb.Agg_FINAL && n < len(a.GetKeys())+len(a.GetCalls()) {
		return pgerror.Internal("%d columns of keys and states where %d are needed", n, len(a.GetKeys())+len(a.GetCalls()))
	}
	return nil
}

// finalKeys are FINAL's keys as its input has them.
func finalKeys(a *planpb.Agg) []*planpb.Expr {
	out := make([]*planpb.Expr, len(a.GetKeys()))
	for i, k := range a.GetKeys() {
		out[i] = planpb.NewColumn(k.GetType().T(), i)
	}
	return out
}

// newFinalCall compiles a call that reads states from a column.
func newFinalCall(w *worker, c *planpb.AggCall, column int) (*aggCall, error) {
	a := &aggCall{kind: callKind(c), result: c.GetResult().T(), final: true, order: &sortKeys{}}
	for _, e := range c.GetArgs() {
		a.argTs = append(a.argTs, e.GetType().T())
	}
	var err error
	a.args, err = w.compileAll([]*planpb.Expr{planpb.NewColumn(types.Of(types.Bytea), column)})
	if err != nil || a.kind != aggGeneral {
		return a, err
	}
	if a.agg = w.q.ex.opts.Registry.Aggregate(types.OID(c.GetFunc())); a.agg == nil {
		return nil, pgerror.Unsupported("aggregate function %s", facts.ProcName(c.GetFunc()))
	}
	a.call = &expr.Call{OID: types.OID(c.GetFunc()), ArgTypes: a.argTs, Result: a.result, Variadic: c.GetVariadic(),
		Const: make([]types.Datum, len(a.argTs)), IsConst: make([]bool, len(a.argTs))}
	return a, nil
}

// nextPartial aggregates until the table is full or the input ends, hands the
// groups on, and starts over.
func (a *aggOp) nextPartial(ctx context.Context) (*Batch, error) {
	for {
		if a.out != nil {
			b, err := a.out.next(a.w.q.env.BatchSize)
			if err != nil || b != nil {
				return b, err
			}
			a.out, a.groups = nil, nil
			a.mem.free()
		}
		if a.atEnd {
			return nil, ctx.Err()
		}
		g := newGroupSet(a, 0, aggLevelsMax)
		a.groups = []*groupSet{g}
		rows := 0
		for {
			b, err := a.in.next(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				a.atEnd = true
				break
			}
			rows += b.Rows()
			if err := a.addAll(b); err != nil {
				return nil, err
			}
			n := g.table.Len()
			if len(a.keys) > 0 && (n > 0 && a.mem.over() || n >= partialGroupsMin && rows < partialReduceMin*n) {
				break
			}
		}
		if len(a.keys) == 0 || g.table.Len() > 0 {
			a.out = g.output()
		}
	}
}
