package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// distinctAcc lets each argument value into its group once.
type distinctAcc struct {
	w     *worker
	c     *aggCall
	inner accumulator
	spec  *kernel.KeySpec
	table *kernel.Table
	keys  kernel.Keys
}

func newDistinctAcc(w *worker, c *aggCall, inner accumulator) accumulator {
	ts := append([]types.T{types.Of(types.Int4)}, c.argTs...)
	spec := kernel.NewKeySpec(ts)
	return &distinctAcc{w: w, c: c, inner: inner, spec: spec, table: kernel.NewTable(spec, 64)}
}

func (d *distinctAcc) resize(n int) { d.inner.resize(n) }
func (d *distinctAcc) bytes() int64 { return d.inner.bytes() + d.table.Size() }

func (d *distinctAcc) add(groups []int32, args []arrow.Array) error {
	n := len(groups)
	cols := append([]arrow.Array{kernel.MakeFixed(arrow.PrimitiveTypes.Int32, groups, nil, 0)}, args...)
	d.spec.Encode(d.w.frame.Ctx.Env, &d.keys, cols, n)
	fresh := d.table.Insert(&d.keys, nil, make([]int32, n), nil)
	if len(fresh) == 0 {
		return nil
	}
	g := make([]int32, len(fresh))
	for i, r := range fresh {
		g[i] = groups[r]
	}
	return d.inner.add(g, kernel.TakeCols(args, fresh))
}

func (d *distinctAcc) result(lo, hi int) (arrow.Array, error) { return d.inner.result(lo, hi) }
func (d *distinctAcc) merge(accumulator, []int32) error       { panic("distinct states are not merged") }

// collectAcc keeps the rows of a call with ORDER BY, DISTINCT or WITHIN GROUP,
// sorts them by group and order at the end, and feeds the registry's aggregate.
// DISTINCT without ORDER BY sorts by the arguments, as PostgreSQL does.
type collectAcc struct {
	w       *worker
	c       *aggCall
	n       int
	groups  [][]int32
	batches []*Batch
	held    int64
	done    bool
	results []types.Datum
}

func newCollectAcc(w *worker, c *aggCall) accumulator { return &collectAcc{w: w, c: c} }

func (a *collectAcc) resize(n int) { a.n = n }
func (a *collectAcc) bytes() int64 { return a.held }

func (a *collectAcc) add(groups []int32, args []arrow.Array) error {
	a.groups = append(a.groups, append([]int32{}, groups...))
	b := &Batch{Cols: args, N: len(groups)}
	a.batches = append(a.batches, b)
	a.held += batchBytes(b) + 4*int64(b.N)
	return nil
}

func (a *collectAcc) merge(accumulator, []int32) error { panic("collected states are not merged") }

func (a *collectAcc) result(lo, hi int) (arrow.Array, error) {
	if !a.done {
		if err := a.compute(); err != nil {
			return nil, err
		}
		a.done = true
	}
	b := types.NewBuilder(a.c.result, hi-lo)
	for _, d := range a.results[lo:hi] {
		b.Append(d)
	}
	return b.Finish(), nil
}

func (a *collectAcc) compute() error {
	c := a.c
	a.results = make([]types.Datum, a.n)
	ts := append([]types.T{}, c.argTs...)
	ts = append(append(ts, exprTypes(c.order.exprs)...), exprTypes(c.direct)...)
	var all *Batch
	var groups []int32
	if len(a.batches) > 0 {
		all = concatBatches(ts, a.batches)
		for _, g := range a.groups {
			groups = append(groups, g...)
		}
	}
	a.batches, a.groups = nil, nil
	// sort by group, then the call's order, then (DISTINCT) the arguments
	specs := []kernel.SortSpec{{Type: types.Of(types.Int4)}}
	var keys []arrow.Array
	nArgs, nOrder := len(c.argTs), len(c.order.exprs)
	if all != nil {
		keys = append(keys, kernel.MakeFixed(arrow.PrimitiveTypes.Int32, groups, nil, 0))
		keys = append(keys, all.Cols[nArgs:nArgs+nOrder]...)
	}
	specs = append(specs, c.order.specs...)
	if c.distinct {
		for k, t := range c.argTs {
			specs = append(specs, kernel.SortSpec{Type: t})
			if all != nil {
				keys = append(keys, all.Cols[k])
			}
		}
	}
	var order []int32
	if all != nil {
		order = sortedRows(a.w, specs, keys, all.N)
	}
	at := 0
	for g := range a.n {
		from := at
		for at < len(order) && groups[order[at]] == int32(g) {
			at++
		}
		d, err := a.group(all, order[from:at])
		if err != nil {
			return err
		}
		a.results[g] = d
	}
	return nil
}

// group computes one group from its rows in order.
func (a *collectAcc) group(all *Batch, rows []int32) (types.Datum, error) {
	c := a.c
	nArgs, nOrder := len(c.argTs), len(c.order.exprs)
	var direct []types.Datum
	for k, e := range c.direct {
		if len(rows) > 0 {
			direct = append(direct, types.Get(e.Type, all.Cols[nArgs+nOrder+k], int(rows[0])))
		} else if d, ok := e.Const(); ok {
			direct = append(direct, d)
		} else {
			direct = append(direct, nil)
		}
	}
	if c.within {
		if kind := hypothetical(c.call.OID); kind > 0 {
			return a.hypothetical(kind, all, rows, direct)
		}
	}
	state, err := a.newState(direct)
	if err != nil {
		return nil, err
	}
	var same func(i, j int) bool
	if c.distinct && all != nil {
		cmps := make([]kernel.RowCompare, nArgs)
		for k, t := range c.argTs {
			cmps[k] = kernel.SortComparer(a.w.frame.Ctx.Env, kernel.SortSpec{Type: t}, all.Cols[k], all.Cols[k])
		}
		same = func(i, j int) bool {
			for _, c := range cmps {
				if c(i, j) != 0 {
					return false
				}
			}
			return true
		}
	}
	prev := -1
rows:
	for _, r := range rows {
		if same != nil && prev >= 0 && same(prev, int(r)) {
			continue
		}
		prev = int(r)
		args := make([]types.Datum, nArgs)
		for k := range args {
			args[k] = types.Get(c.argTs[k], all.Cols[k], int(r))
			if args[k] == nil && (c.agg.SkipNulls || c.within) {
				continue rows
			}
		}
		if err := state.Add(args); err != nil {
			return nil, err
		}
	}
	return state.Result()
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

// hypothetical ranks the row of direct arguments among the group's rows.
func (a *collectAcc) hypothetical(kind int, all *Batch, rows []int32, direct []types.Datum) (types.Datum, error) {
	nArgs := len(a.c.argTs)
	before, peers, distinct := 0, 0, 0
	if len(rows) > 0 {
		keys := all.Cols[nArgs : nArgs+len(a.c.order.specs)]
		hypo := make([]arrow.Array, len(keys))
		for k, spec := range a.c.order.specs {
			b := types.NewBuilder(spec.Type, 1)
			b.Append(direct[k])
			hypo[k] = b.Finish()
		}
		cmp := compareKeys(a.w, a.c.order.specs, keys, hypo)
		self := compareKeys(a.w, a.c.order.specs, keys, keys)
		for i, r := range rows {
			switch c := cmp(int(r), 0); {
			case c < 0:
				before++
				if i == 0 || self(int(rows[i-1]), int(r)) != 0 {
					distinct++
				}
			case c == 0:
				peers++
			}
		}
	}
	n := len(rows)
	switch kind {
	case hypoRank:
		return int64(before + 1), nil
	case hypoDenseRank:
		return int64(distinct + 1), nil
	case hypoPercentRank:
		if n == 0 {
			return float64(0), nil
		}
		return float64(before) / float64(n), nil
	}
	return float64(before+peers+1) / float64(n+1), nil
}
