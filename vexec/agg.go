package vexec

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// aggOp groups its input. Each grouping set has a hash table from keys to group
// numbers and one accumulator per call; a set may be combined from the states of a finer one
// (group_rollup.go). Groups come out in the order they were
// first seen (so a SORTED input keeps its order); the key values are those of
// the group's first row. When a hash table exceeds the budget it takes no more
// groups: rows of other groups go to partitions on disk, which are aggregated
// one after the other later. SORTED never spills: groups leave as they complete.
type aggOp struct {
	w      *worker
	id     uint32
	in     operator
	inPlan *planpb.Plan
	inTs   []types.T
	keys   []*expr.Expr
	keyTs  []types.T
	calls  []*aggCall
	shared []int // by call: the call whose state it reads, −1: its own
	sets   [][]int
	finer  []int // by set: the set whose states are combined for it, −1: it is fed from rows
	gcalls [][]uint32
	sorted bool
	states bool // PARTIAL: states come out instead of results
	flush  bool // PARTIAL: full tables are handed on instead of spilled
	beside bool // the sets of DISTINCT calls are filled side by side
	mem    *memory

	started bool
	groups  []*groupSet
	queue   []*aggPartition
	out     *groupOutput
	pending *Batch    // SORTED: rows of the group that was not complete
	given   *groupSet // SORTED: whose groups were given out last
	ripe    int       // SORTED: from how many groups on those that are complete are given out
	rows    int       // SORTED: rows since groups were given out
	atEnd   bool
	emitted int
	steps   steps // of input batches
}

// aggPartition is spilled input of one grouping set.
type aggPartition struct {
	set   int
	level int
	files []*spillFile
}

func (p *aggPartition) close() {
	for _, f := range p.files {
		f.close()
	}
}

const (
	aggFanoutBits = 4
	aggLevelsMax  = 8
)

func newAgg(w *worker, p *planpb.Plan, a *planpb.Agg) (operator, error) {
	if a, err := completeAgg(a); err != nil {
		return nil, err
	} else if w.pool != nil && w.parts > 1 && cuttable(a) {
		return newSharedAgg(w, p, a, 0)
	} else if par := newParallelAgg(w, p, a); par != nil {
		return par, nil
	} else if op, err := newAggBody(w, p, a); err != nil {
		return nil, err
	} else {
		op.flush = op.states && !op.sorted
		op.in, err = op.buildInput(w)
		return op, err
	}
}

// completeAgg turns FINAL on Gather on PARTIAL into COMPLETE on Gather.
func completeAgg(a *planpb.Agg) (*planpb.Agg, error) {
	if a.GetPhase() == planpb.Agg_COMPLETE {
		return a, nil
	}
	g := a.GetInput().GetGather()
	partial := g.GetInput().GetAgg()
	if a.GetPhase() != planpb.Agg_FINAL || partial.GetPhase() != planpb.Agg_PARTIAL ||
		len(partial.GetKeys()) != len(a.GetKeys()) || len(partial.GetCalls()) != len(a.GetCalls()) || len(a.GetSets()) > 0 {
		return a, checkPartial(a)
	}
	out := &planpb.Agg{Keys: partial.GetKeys(), Calls: partial.GetCalls(), Sets: partial.GetSets(), GroupingCalls: partial.GetGroupingCalls()}
	gp := &planpb.Plan{Id: a.GetInput().GetId(), Output: partial.GetInput().GetOutput(), Rows: partial.GetInput().GetRows()}
	gp.Op = &planpb.Plan_Gather{Gather: &planpb.Gather{Input: partial.GetInput(), Workers: g.GetWorkers()}}
	out.Input = gp
	return out, nil
}

// newAggBody makes the operator but for its input.
func newAggBody(w *worker, p *planpb.Plan, a *planpb.Agg) (*aggOp, error) {
	op := &aggOp{w: w, id: p.GetId(), inPlan: a.GetInput(), inTs: outputTypes(a.GetInput()), mem: w.memory(p, "Aggregate")}
	var err error
	final := a.GetPhase() == planpb.Agg_FINAL
	op.states = a.GetPhase() == planpb.Agg_PARTIAL
	op.beside = w.parts <= 1 && a.GetInput().GetGather().GetWorkers() > 1 // workers cost the query nothing new
	keys := a.GetKeys()
	if final {
		keys = finalKeys(a)
	}
	if len(a.GetCalls()) > 1 && !final {
		all := slices.Clone(keys)
		for _, c := range a.GetCalls() {
			all = append(all, c.GetArgs()...)
		}
		w.shared = expr.NewShared(all)
		defer func() { w.shared = nil }()
	}
	if op.keys, err = w.compileAll(keys); err != nil {
		return nil, err
	}
	op.keyTs = exprTypes(op.keys)
	for i, c := range a.GetCalls() {
		var call *aggCall
		if final {
			call, err = newFinalCall(w, c, len(keys)+i)
		} else {
			call, err = newAggCall(w, c)
		}
		if err != nil {
			return nil, err
		}
		op.calls = append(op.calls, call)
	}
	op.shared = shareStates(op.calls, a.GetCalls())
	for _, s := range a.GetSets() {
		set := []int{}
		for _, k := range s.GetKeys() {
			set = append(set, int(k))
		}
		op.sets = append(op.sets, set)
	}
	if len(op.sets) == 0 {
		all := make([]int, len(op.keys))
		for i := range all {
			all[i] = i
		}
		op.sets = [][]int{all}
	}
	if err := op.setFiner(a); err != nil {
		return nil, err
	}
	for _, g := range a.GetGroupingCalls() {
		op.gcalls = append(op.gcalls, g.GetKeys())
	}
	op.sorted = a.GetStrategy() == planpb.Agg_SORTED && len(op.sets) == 1 && len(op.keys) > 0
	return op, nil
}

// buildInput makes the operator of the input in worker w.
func (a *aggOp) buildInput(w *worker) (operator, error) {
	need := make([]bool, len(a.inTs))
	markColumns(need, a.keys...)
	for _, c := range a.calls {
		markColumns(need, c.args...)
		markColumns(need, c.filter)
		markColumns(need, c.order.exprs...)
		markColumns(need, c.direct...)
	}
	return w.buildFleeting(a.inPlan, need, a.fleeting())
}

// fleeting: nothing here holds on to vectors of the input.
func (a *aggOp) fleeting() bool {
	return !slices.ContainsFunc(a.calls, (*aggCall).keeps)
}

func (a *aggOp) open(ctx context.Context) error {
	a.reset()
	return a.in.open(ctx)
}

func (a *aggOp) reset() {
	for _, p := range a.queue {
		p.close()
	}
	for _, g := range a.groups {
		g.dropPartitions()
	}
	a.ripe, a.rows = 1, 0
	a.started, a.groups, a.queue, a.out, a.pending, a.given, a.atEnd, a.emitted = false, nil, nil, nil, nil, nil, false, 0
	a.steps.start()
	a.mem.free()
}

func (a *aggOp) close() {
	a.reset()
	a.in.close()
}

func (a *aggOp) next(ctx context.Context) (*Batch, error) {
	if a.sorted {
		return a.nextSorted(ctx)
	}
	if a.flush {
		return a.nextPartial(ctx)
	}
	if !a.started {
		a.started = true
		if err := a.consume(ctx); err != nil {
			return nil, err
		}
	}
	for {
		if a.out != nil {
			b, err := a.out.next(a.w.q.env.BatchSize)
			if err != nil || b != nil {
				return b, err
			}
			a.out = nil
		}
		if len(a.groups) > 0 {
			g := a.groups[0]
			a.groups = a.groups[1:]
			a.out = g.output()
			continue
		}
		a.mem.free()
		if len(a.queue) == 0 {
			return nil, ctx.Err()
		}
		p := a.queue[len(a.queue)-1]
		a.queue = a.queue[:len(a.queue)-1]
		if err := a.consumePartition(ctx, p); err != nil {
			return nil, err
		}
	}
}

// consume reads the whole input into the groups of every set.
func (a *aggOp) consume(ctx context.Context) error {
	a.groups = a.newGroups(false)
	for {
		b, err := a.in.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := a.addAll(b); err != nil {
			return err
		}
	}
	a.in.close()
	if err := combineAll(a.groups); err != nil {
		return err
	}
	for _, g := range a.groups {
		a.queue = append(a.queue, g.takePartitions()...)
	}
	return nil
}

// addAll feeds a batch to every set that takes rows, in pieces when the arguments are large.
func (a *aggOp) addAll(b *Batch) error {
	for once := true; once || a.steps.held != nil; once = false {
		piece, err := a.steps.cut(func() (*Batch, error) { return b, nil })
		if err != nil {
			return err
		}
		a.w.takeProduced()
		for _, g := range fed(a.groups) { // others may join while the piece is added
			if err := g.add(piece); err != nil {
				return err
			}
		}
		a.steps.measured(piece.Rows(), a.w.takeProduced())
	}
	return nil
}

func (a *aggOp) consumePartition(ctx context.Context, p *aggPartition) error {
	g := newGroupSet(a, p.set, p.level)
	defer p.close()
	for _, f := range p.files {
		if err := g.addFile(ctx, f); err != nil {
			return err
		}
	}
	a.groups = []*groupSet{g}
	a.queue = append(a.queue, g.takePartitions()...)
	return nil
}

func (g *groupSet) addFile(ctx context.Context, f *spillFile) error {
	for i := range f.len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := f.read(i)
		if err != nil {
			return err
		}
		if err := g.add(b); err != nil {
			return err
		}
	}
	return nil
}

// sortedRowsMax is how many rows are taken before complete groups are given out, however few.
const sortedRowsMax = 1 << 14

// nextSorted aggregates an ordered input, giving groups as they complete: the first ones soon, for a
// LIMIT may want no more, and then about a batch of them at a time.
func (a *aggOp) nextSorted(ctx context.Context) (*Batch, error) {
	for {
		if a.out != nil {
			b, err := a.out.next(a.w.q.env.BatchSize)
			if err != nil || b != nil {
				return b, err
			}
			a.out = nil
		}
		if a.atEnd {
			return nil, nil
		}
		if len(a.groups) == 0 {
			if a.given != nil {
				a.mem.free()
				a.groups = []*groupSet{a.given.emptied()}
			} else {
				a.groups = []*groupSet{newGroupSet(a, 0, aggLevelsMax)}
			}
			if p := a.pending; p != nil {
				a.pending = nil
				if err := a.groups[0].add(p); err != nil {
					return nil, err
				}
			}
		}
		g := a.groups[0]
		b, err := a.in.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			a.atEnd = true
			if g.groups() > 0 {
				a.out = g.output()
			}
			continue
		}
		a.rows += b.Rows()
		if g.groups() < a.ripe && (a.rows < sortedRowsMax || g.groups() == 0) {
			if err := g.add(b); err != nil {
				return nil, err
			}
			continue
		}
		// cut at the start of the batch's last group: all before it is complete
		cut, begins, err := g.lastGroupStart(b)
		if err != nil {
			return nil, err
		}
		if cut == 0 && !begins {
			if err := g.add(b); err != nil {
				return nil, err
			}
			continue
		}
		if cut > 0 {
			if err := g.add(sliced(b, 0, cut)); err != nil {
				return nil, err
			}
		}
		a.ripe, a.rows = min(a.ripe*4, a.w.q.env.BatchSize), 0
		a.pending, a.groups = sliced(b, cut, b.Rows()), nil
		a.out, a.given = g.output(), g
	}
}

// groupOutput delivers the groups of a finished set.
type groupOutput struct {
	g    *groupSet
	keys []arrow.Array
	at   int
}

func (g *groupSet) output() *groupOutput {
	o := &groupOutput{g: g, keys: make([]arrow.Array, len(g.a.keys))}
	for i, k := range g.member {
		o.keys[k] = kernel.Concat(g.a.keyTs[k], g.keyCols[i])
		g.keyCols[i] = nil
	}
	return o
}

func (o *groupOutput) next(size int) (*Batch, error) {
	g := o.g
	lo, hi := o.at, min(o.at+size, g.groups())
	if lo >= hi {
		return nil, nil
	}
	o.at = hi
	b := &Batch{N: hi - lo}
	for k, c := range o.keys {
		if c == nil {
			b.Cols = append(b.Cols, kernel.Nulls(g.a.keyTs[k], b.N))
			continue
		}
		b.Cols = append(b.Cols, kernel.Slice(c, lo, hi))
	}
	for _, call := range g.a.gcalls {
		v := int32(0)
		for _, k := range call {
			v <<= 1
			if o.keys[k] == nil {
				v |= 1
			}
		}
		b.Cols = append(b.Cols, types.Repeat(types.Of(types.Int4), v, b.N))
	}
	for _, acc := range g.accs {
		get := acc.result
		if g.a.states {
			get = func(lo, hi int) (arrow.Array, error) { return states(acc, lo, hi) }
		}
		v, err := get(lo, hi)
		if err != nil {
			return nil, err
		}
		b.Cols = append(b.Cols, v)
	}
	return b, nil
}
