package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// collectAcc keeps the rows of a call with ORDER BY, DISTINCT or WITHIN GROUP,
// sorts them by group and order at the end, and feeds the registry's aggregate.
// DISTINCT without ORDER BY sorts by the arguments, as PostgreSQL does. Beyond
// its budget it sorts what it has into a run on disk; runs are merged at the end.
type collectAcc struct {
	w       *worker
	c       *aggCall
	n       int
	batches []*Batch // columns, then sort keys
	held    int64
	runs    *sortRuns
	values  []int64 // within: by group, rows whose first value is not NULL
	done    bool
	results []types.Datum
}

func newCollectAcc(w *worker, c *aggCall) accumulator { return &collectAcc{w: w, c: c} }

func (a *collectAcc) resize(n int) {
	a.n = n
	for a.c.within && len(a.values) < n {
		a.values = append(a.values, 0)
	}
}

func (a *collectAcc) bytes() int64 { return a.held }

// columns are the arguments, the order's and the direct arguments' values.
func (a *collectAcc) columns() []types.T {
	ts := append([]types.T{}, a.c.argTs...)
	return append(append(ts, exprTypes(a.c.order.exprs)...), exprTypes(a.c.direct)...)
}

// specs sort by group, then the call's order, then (DISTINCT) the arguments.
func (a *collectAcc) specs() []kernel.SortSpec {
	specs := append([]kernel.SortSpec{{Type: types.Of(types.Int4)}}, a.c.order.specs...)
	if a.c.distinct {
		for _, t := range a.c.argTs {
			specs = append(specs, kernel.SortSpec{Type: t})
		}
	}
	return specs
}

// allTypes are those of columns and then of the sort keys.
func (a *collectAcc) allTypes() []types.T {
	ts := a.columns()
	for _, s := range a.specs() {
		ts = append(ts, s.Type)
	}
	return ts
}

func (a *collectAcc) argSpecs() []kernel.SortSpec {
	s := a.specs()
	return s[len(s)-len(a.c.argTs):]
}

func (a *collectAcc) add(groups []int32, args []arrow.Array) error {
	nArgs, nOrder := len(a.c.argTs), len(a.c.order.exprs)
	cols := append([]arrow.Array{}, args...)
	cols = append(cols, kernel.MakeFixed(arrow.PrimitiveTypes.Int32, append([]int32{}, groups...), nil, 0))
	cols = append(cols, args[nArgs:nArgs+nOrder]...)
	if a.c.distinct {
		cols = append(cols, args[:nArgs]...)
	}
	if a.c.within {
		valid := kernel.Valid(args[0])
		for i, g := range groups {
			if valid.Get(i) {
				a.values[g]++
			}
		}
	}
	b := &Batch{Cols: cols, N: len(groups)}
	a.batches = append(a.batches, b)
	a.held += batchBytes(b) + sortRowBytes*int64(b.N)
	if a.held > a.w.q.env.WorkMem || a.held > 1<<20 && (&memory{q: a.w.q}).fits(a.held) != nil {
		return a.writeRun()
	}
	return nil
}

func (a *collectAcc) merge(accumulator, []int32, []int32) error {
	panic("collected states are not merged")
}

// sorted orders the rows held.
func (a *collectAcc) sorted() (*Batch, []int32) {
	if len(a.batches) == 0 {
		return nil, nil
	}
	all := a.w.concat(a.allTypes(), a.batches)
	a.batches = nil
	return all, sortedRows(a.w, a.specs(), all.Cols[len(all.Cols)-len(a.specs()):], all.N)
}

func (a *collectAcc) writeRun() error {
	all, order := a.sorted()
	if all == nil {
		return nil
	}
	if a.runs == nil {
		a.runs = &sortRuns{w: a.w, ts: a.allTypes(), specs: a.specs()}
		a.w.q.onClose(a.runs.close)
	}
	if err := a.runs.add(a.ctx(), all, order); err != nil {
		return err
	}
	a.held = 0
	return nil
}

func (a *collectAcc) result(lo, hi int) (arrow.Array, error) {
	if !a.done {
		if err := a.compute(); err != nil {
			return nil, err
		}
		a.done = true
	}
	if hi-lo == 1 {
		return types.Repeat(a.c.result, a.results[lo], 1), nil
	}
	b := types.NewBuilder(a.c.result, hi-lo)
	for _, d := range a.results[lo:hi] {
		b.Append(d)
	}
	return b.Finish(), nil
}

// compute reads all rows in order and ends one group after the other.
func (a *collectAcc) compute() error {
	a.results = make([]types.Datum, a.n)
	next, err := a.source()
	if err != nil {
		return err
	}
	g, cur := 0, (*collectGroup)(nil)
	finish := func() (err error) {
		if cur == nil {
			if cur, err = a.begin(nil, 0, g); err != nil {
				return err
			}
		}
		a.results[g], err = cur.end()
		a.held += datumBytes(a.results[g])
		cur = nil
		g++
		return err
	}
	key := len(a.columns())
	for {
		b, err := next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		groups := kernel.Values[int32](b.Cols[key])
		for i := range b.N {
			for g < int(groups[i]) {
				if err := finish(); err != nil {
					return err
				}
			}
			if cur == nil {
				if cur, err = a.begin(b, i, g); err != nil {
					return err
				}
			}
			if err := cur.add(b, i); err != nil {
				return err
			}
		}
	}
	for g < a.n {
		if err := finish(); err != nil {
			return err
		}
	}
	return nil
}

// ctx is the statement's context.
func (a *collectAcc) ctx() context.Context {
	if e := a.w.q.env.Expr; e != nil && e.Ctx != nil {
		return e.Ctx
	}
	return context.Background()
}

// source yields the rows in order.
func (a *collectAcc) source() (func() (*Batch, error), error) {
	size := a.w.q.env.BatchSize
	if a.runs != nil {
		if err := a.writeRun(); err != nil {
			return nil, err
		}
		m, err := a.runs.merge()
		if err != nil {
			return nil, err
		}
		return func() (*Batch, error) {
			b, err := m.next(size)
			if err == nil {
				err = a.ctx().Err()
			}
			return b, err
		}, nil
	}
	all, order := a.sorted()
	at := 0
	return func() (*Batch, error) {
		if at >= len(order) {
			return nil, nil
		}
		end := min(at+rowsWithin(size, all), len(order))
		b := &Batch{Cols: kernel.TakeCols(all.Cols, order[at:end]), N: end - at}
		at = end
		return b, nil
	}, nil
}

// collectGroup computes one group from its rows in order.
type collectGroup struct {
	a      *collectAcc
	direct []types.Datum
	state  interface {
		Add([]types.Datum) error
		Result() (types.Datum, error)
	}
	prev             *Batch // the row before
	prevAt           int
	specs            []kernel.SortSpec // of DISTINCT arguments
	cmp              kernel.RowCompare // of rows of cmpPrev and cmpThis
	cmpPrev, cmpThis *Batch
	hypoCmp          kernel.RowCompare // of rows of hypoOf
	hypoOf           *Batch
	// hypothetical-set aggregates
	kind                       int
	hypo                       []arrow.Array
	rows, before, peers, ranks int
}

// begin starts a group at its first row; b is nil for a group without rows.
func (a *collectAcc) begin(b *Batch, row, group int) (*collectGroup, error) {
	c := a.c
	g := &collectGroup{a: a}
	for k, e := range c.direct {
		if b != nil {
			g.direct = append(g.direct, types.Get(e.Type, b.Cols[len(c.argTs)+len(c.order.exprs)+k], row))
		} else if d, ok := e.Const(); ok {
			g.direct = append(g.direct, d)
		} else {
			g.direct = append(g.direct, nil)
		}
	}
	if c.within {
		if g.kind = hypothetical(c.call.OID); g.kind > 0 {
			for k, spec := range c.order.specs {
				g.hypo = append(g.hypo, types.Repeat(spec.Type, g.direct[k], 1))
			}
			return g, nil
		}
	}
	var err error
	if g.state, err = a.newState(g.direct); err != nil {
		return nil, err
	}
	if x, ok := g.state.(expr.CountedState); ok {
		x.Expect(a.values[group])
	}
	return g, nil
}

// same reports that row i of b equals the row before in cols from … from+len(specs)−1.
func (g *collectGroup) same(specs []kernel.SortSpec, from int, b *Batch, i int) bool {
	if g.prev == nil {
		return false
	}
	if g.cmp == nil || g.cmpPrev != g.prev || g.cmpThis != b {
		n := len(specs)
		g.cmp, g.cmpPrev, g.cmpThis = compareKeys(g.a.w, specs, g.prev.Cols[from:from+n], b.Cols[from:from+n]), g.prev, b
	}
	return g.cmp(g.prevAt, i) == 0
}

func (g *collectGroup) add(b *Batch, i int) error {
	c := g.a.c
	defer func() { g.prev, g.prevAt = b, i }()
	nArgs := len(c.argTs)
	if g.kind > 0 {
		g.rows++
		keys := b.Cols[nArgs : nArgs+len(c.order.specs)]
		if g.hypoOf != b {
			g.hypoCmp, g.hypoOf = compareKeys(g.a.w, c.order.specs, keys, g.hypo), b
		}
		switch x := g.hypoCmp(i, 0); {
		case x < 0:
			g.before++
			if !g.same(c.order.specs, nArgs, b, i) {
				g.ranks++
			}
		case x == 0:
			g.peers++
		}
		return nil
	}
	if c.distinct {
		if g.specs == nil {
			g.specs = g.a.argSpecs()
		}
		if g.same(g.specs, 0, b, i) {
			return nil
		}
	}
	args := make([]types.Datum, nArgs)
	for k := range args {
		args[k] = types.Get(c.argTs[k], b.Cols[k], i)
		if args[k] == nil && (c.agg.SkipNulls || c.within) {
			return nil
		}
	}
	if err := g.state.Add(args); err != nil {
		return err
	}
	if s, ok := g.state.(expr.AggState); ok && g.rows&255 == 0 {
		if err := (&memory{q: g.a.w.q}).fits(s.Size()); err != nil {
			return err
		}
	}
	g.rows++
	return nil
}

func (g *collectGroup) end() (types.Datum, error) {
	switch g.kind {
	case 0:
		return g.state.Result()
	case hypoRank:
		return int64(g.before + 1), nil
	case hypoDenseRank:
		return int64(g.ranks + 1), nil
	case hypoPercentRank:
		if g.rows == 0 {
			return float64(0), nil
		}
		return float64(g.before) / float64(g.rows), nil
	}
	return float64(g.before+g.peers+1) / float64(g.rows+1), nil
}

func (a *collectAcc) newState(direct []types.Datum) (interface {
	Add([]types.Datum) error
	Result() (types.Datum, error)
}, error) {
	if a.c.within && a.c.agg.NewOrdered != nil {
		return a.c.agg.NewOrdered(a.w.frame.Ctx, a.c.call, direct)
	}
	return a.c.agg.New(a.w.frame.Ctx, a.c.call), nil
}

// hypothetical-set aggregates.
const (
	hypoRank = iota + 1
	hypoDenseRank
	hypoPercentRank
	hypoCumeDist
)

func hypothetical(oid types.OID) int {
	for i, s := range []string{"rank", "dense_rank", "percent_rank", "cume_dist"} {
		if o, ok := facts.Proc(s + "(any)"); ok && types.OID(o) == oid {
			return i + 1
		}
	}
	return 0
}
