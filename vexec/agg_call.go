package vexec

import (
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// accumulator holds the states of one aggregate call for groups 0 … n−1.
type accumulator interface {
	// resize makes states up to group n−1 exist.
	resize(n int)
	// add folds rows in: row i belongs to group groups[i].
	add(groups []int32, args []arrow.Array) error
	// result gives the values of groups lo … hi−1.
	result(lo, hi int) (arrow.Array, error)
	// merge folds state from[i] (from nil: i) of another accumulator of the same call into
	// group to[i]; −1: not.
	merge(other accumulator, from, to []int32) error
	// bytes is the memory held, roughly.
	bytes() int64
}

// reusable is an accumulator whose memory may serve other groups when results were taken.
type reusable interface {
	// empty forgets all groups; false: it cannot.
	empty() bool
}

// aggKind is the vectorized form of an aggregate function.
type aggKind uint8

const (
	aggGeneral aggKind = iota
	aggCountStar
	aggCount
	aggSumInt     // int2, int4 → int8
	aggSumNumeric // int8, numeric → numeric
	aggSumFloat
	aggAvgInt // any integer → numeric
	aggAvgNumeric
	aggAvgFloat
	aggMin
	aggMax
	aggBoolAnd
	aggBoolOr
)

var aggKinds = sync.OnceValue(func() map[types.OID]aggKind {
	m := map[types.OID]aggKind{}
	add := func(k aggKind, sigs ...string) {
		for _, s := range sigs {
			if oid, ok := facts.Proc(s); ok {
				m[types.OID(oid)] = k
			}
		}
	}
	add(aggCountStar, "count()")
	add(aggCount, "count(any)")
	add(aggSumInt, "sum(int2)", "sum(int4)")
	add(aggSumNumeric, "sum(int8)", "sum(numeric)")
	add(aggSumFloat, "sum(float4)", "sum(float8)")
	add(aggAvgInt, "avg(int2)", "avg(int4)", "avg(int8)")
	add(aggAvgNumeric, "avg(numeric)")
	add(aggAvgFloat, "avg(float4)", "avg(float8)")
	add(aggBoolAnd, "bool_and(bool)", "every(bool)")
	add(aggBoolOr, "bool_or(bool)")
	for _, t := range []string{"int2", "int4", "int8", "float4", "float8", "numeric", "date", "time", "timetz", "timestamp",
		"timestamptz", "interval", "text", "bpchar", "oid", "pg_lsn", "anyenum", "anyarray", "tid", "xid8"} {
		add(aggMin, "min("+t+")")
		add(aggMax, "max("+t+")")
	}
	return m
})

// aggCall is one compiled aggregate call.
type aggCall struct {
	kind     aggKind
	args     []*expr.Expr
	argTs    []types.T
	filter   *expr.Expr
	distinct bool
	// order: rows are collected and sorted before they reach a general aggregate
	order   *sortKeys
	direct  []*expr.Expr
	agg     *expr.Aggregate
	call    *expr.Call
	result  types.T
	within  bool
	collect bool
	final   bool // the argument is a column of states
}

// callKind is how a call is computed.
func callKind(c *planpb.AggCall) aggKind {
	k := aggKinds()[types.OID(c.GetFunc())]
	if c.GetStar() && len(c.GetArgs()) == 0 && k == aggCount {
		k = aggCountStar
	}
	return k
}

func newAggCall(w *worker, c *planpb.AggCall) (*aggCall, error) {
	a := &aggCall{kind: callKind(c), distinct: c.GetDistinct(), within: c.GetWithinGroup(), result: c.GetResult().T()}
	var err error
	args := c.GetArgs()
	if a.within && len(args) == 0 {
		for _, k := range c.GetOrderBy() {
			args = append(args, k.GetExpr())
		}
	}
	if a.args, err = w.compileAll(args); err != nil {
		return nil, err
	}
	a.argTs = exprTypes(a.args)
	if a.filter, err = w.compile(c.GetFilter()); err != nil {
		return nil, err
	}
	if a.order, err = newSortKeys(w, c.GetOrderBy()); err != nil {
		return nil, err
	}
	if a.direct, err = w.compileAll(c.GetDirectArgs()); err != nil {
		return nil, err
	}
	if a.kind == aggGeneral {
		if a.agg = w.q.ex.opts.Registry.Aggregate(types.OID(c.GetFunc())); a.agg == nil && !(a.within && hypothetical(types.OID(c.GetFunc())) > 0) {
			return nil, pgerror.Unsupported("aggregate function %s", facts.ProcName(c.GetFunc()))
		}
		a.call = &expr.Call{OID: types.OID(c.GetFunc()), ArgTypes: a.argTs, Result: a.result, Variadic: c.GetVariadic(),
			Const: make([]types.Datum, len(a.args)), IsConst: make([]bool, len(a.args))}
		for i, e := range a.args {
			a.call.Const[i], a.call.IsConst[i] = e.Const()
		}
		if a.within {
			a.call.ArgTypes = append(exprTypes(a.direct), a.argTs...)
		}
		a.collect = a.within || a.distinct || len(a.order.exprs) > 0
	}
	return a, nil
}

// CanMerge reports whether states that several workers made of an aggregate function's
// arguments can be put together.
func CanMerge(agg types.OID) bool { return aggKinds()[agg] != aggGeneral }

// keeps: its states may hold on to the vectors they are fed.
func (c *aggCall) keeps() bool {
	switch c.kind {
	case aggGeneral:
		return true
	case aggMin, aggMax:
		if _, ok := newMinMaxAcc(nil, c.argTs[0], false).(*minMaxAnyAcc); ok {
			t := c.argTs[0]
			return t.Class != types.ClassBase || t.OID != types.NumericOID && t.OID != types.Float8 && t.OID != types.Float4
		}
	}
	return c.collect || c.distinct || c.final
}

func (c *aggCall) newAccumulator(w *worker) accumulator {
	acc := c.plain(w)
	if c.distinct && c.kind != aggGeneral && c.kind != aggMin && c.kind != aggMax {
		return newDistinctAcc(w, c, acc)
	}
	return acc
}

func (c *aggCall) plain(w *worker) accumulator {
	switch c.kind {
	case aggCountStar, aggCount:
		return &countAcc{star: c.kind == aggCountStar}
	case aggSumInt:
		return &sumIntAcc{}
	case aggSumNumeric, aggAvgInt, aggAvgNumeric:
		return &sumNumericAcc{avg: c.kind != aggSumNumeric, plainScale: c.argTs[0].OID != types.NumericOID}
	case aggSumFloat, aggAvgFloat:
		return &sumFloatAcc{avg: c.kind == aggAvgFloat, single: c.kind == aggSumFloat && c.argTs[0].OID == types.Float4}
	case aggBoolAnd, aggBoolOr:
		return &boolAcc{and: c.kind == aggBoolAnd}
	case aggMin, aggMax:
		return newMinMaxAcc(w.frame.Ctx.Env, c.argTs[0], c.kind == aggMax)
	}
	if c.collect {
		return newCollectAcc(w, c)
	}
	return &generalAcc{w: w, c: c, mem: &memory{q: w.q}}
}

// feed gives the rows that the call's filter lets through to its state.
func (c *aggCall) feed(w *worker, acc accumulator, in *expr.Input, groups []int32) error {
	groups, args, err := c.arguments(w, in, groups)
	if err != nil || len(groups) == 0 {
		return err
	}
	if c.final {
		return absorbStates(acc, groups, args[0])
	}
	return acc.add(groups, args)
}

// arguments evaluates the call's arguments for the rows its filter lets through, and gives the groups of these.
func (c *aggCall) arguments(w *worker, in *expr.Input, groups []int32) ([]int32, []arrow.Array, error) {
	if c.filter != nil {
		keep, err := c.filter.Filter(w.frame, in)
		if err != nil {
			return nil, nil, err
		}
		if keep != nil {
			if len(keep) == 0 {
				return nil, nil, nil
			}
			in = in.Subset(keep)
			g := make([]int32, len(keep))
			for i, k := range keep {
				g[i] = groups[k]
			}
			groups = g
		}
	}
	args, err := evalAll(w.frame, c.args, in)
	if err != nil {
		return nil, nil, err
	}
	if c.collect {
		for _, k := range c.order.exprs {
			v, err := k.Eval(w.frame, in)
			if err != nil {
				return nil, nil, err
			}
			args = append(args, v)
		}
		direct, err := evalAll(w.frame, c.direct, in)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, direct...)
	}
	return groups, args, nil
}

// generalAcc drives the registry's aggregate, a row at a time.
type generalAcc struct {
	w      *worker
	c      *aggCall
	states []expr.AggState
	size   int64 // of all states
	asked  int64 // part of size that is accounted
	mem    *memory
}

func (g *generalAcc) resize(n int) {
	for len(g.states) < n {
		s := g.c.agg.New(g.w.frame.Ctx, g.c.call)
		g.states = append(g.states, s)
		g.size += 16 + s.Size()
	}
}

func (g *generalAcc) add(groups []int32, args []arrow.Array) error {
	valid := make([]kernel.Bits, len(args))
	for k, a := range args {
		valid[k] = kernel.Valid(a)
	}
	row := make([]types.Datum, len(args))
rows:
	for i, gr := range groups {
		for k, a := range args {
			row[k] = nil
			if valid[k].Get(i) {
				row[k] = types.Get(g.c.argTs[k], a, i)
			} else if g.c.agg.SkipNulls {
				continue rows
			}
		}
		s := g.states[gr]
		before := s.Size()
		if err := s.Add(append([]types.Datum(nil), row...)); err != nil {
			return err
		}
		grown := s.Size() - before
		g.size += grown
		if grown > 1<<20 { // asks before the next large one
			if err := g.mem.fits(g.size - g.asked); err != nil {
				return err
			}
		}
	}
	g.asked = g.size
	return nil
}

func (g *generalAcc) result(lo, hi int) (arrow.Array, error) {
	if hi-lo == 1 {
		d, err := g.states[lo].Result()
		if err != nil {
			return nil, err
		}
		return types.Repeat(g.c.result, d, 1), nil
	}
	b := types.NewBuilder(g.c.result, hi-lo)
	for _, s := range g.states[lo:hi] {
		d, err := s.Result()
		if err != nil {
			return nil, err
		}
		b.Append(d)
	}
	return b.Finish(), nil
}

func (g *generalAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*generalAcc)
	var held []byte
	for k, gr := range to {
		if gr < 0 {
			continue
		}
		var err error
		if held, err = p.state(held[:0], source(from, k)); err != nil {
			return err
		}
		before := g.states[gr].Size()
		if err = g.absorb(gr, &stateReader{b: held}); err != nil {
			return err
		}
		g.size += g.states[gr].Size() - before
	}
	return nil
}

func (g *generalAcc) bytes() int64 { return g.size }
