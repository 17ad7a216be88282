package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// groupSet aggregates by one grouping set.
type groupSet struct {
	a       *aggOp
	set     int
	level   int
	member  []int
	spec    *kernel.KeySpec
	table   *kernel.Table
	keyCols [][]arrow.Array // per member key: values of new groups, in pieces
	accs    []accumulator
	keyMem  int64
	held    int64
	// fleeting: nothing made of a batch is needed after it
	fleeting bool
	// runs: batches may be added by runs (group_runs.go); wide: from whole columns
	runs, wide bool

	count   int         // SORTED: groups, which need no table
	last    kernel.Keys // SORTED: the key of the last group
	forms   *keyForms   // nil: keys as they are
	decided bool        // whether there are forms

	mem     kernel.Arena // of what is made of a batch
	enc     kernel.Keys
	numbers []int32
	parts   []*spillFile

	// cut: rows of groups that the table does not take wait in partitions (group_wait.go)
	cut  bool
	wait *waitingRows
	// finer: the set that this one is combined from; coarser: those combined from this one
	finer   *groupSet
	coarser []*groupSet
	used    []bool // columns of the input that rows that wait need
	rowsIn  int
	checked [2]int // groups and rowsIn at the last look at how many groups there are
}

func newGroupSet(a *aggOp, set, level int) *groupSet {
	g := &groupSet{a: a, set: set, level: level, member: a.sets[set], fleeting: a.fleeting()}
	var ts []types.T
	for _, k := range g.member {
		ts = append(ts, a.keyTs[k])
	}
	g.spec = kernel.NewKeySpec(ts)
	g.table = kernel.NewTable(g.spec, 64)
	g.keyCols = make([][]arrow.Array, len(g.member))
	for i, c := range a.calls {
		if k := a.shared[i]; k >= 0 {
			g.accs = append(g.accs, &sharedAcc{of: g.accs[k], avg: c.kind != aggSumNumeric})
			continue
		}
		g.accs = append(g.accs, c.newAccumulator(a.w))
	}
	if len(g.member) == 0 {
		for _, acc := range g.accs {
			acc.resize(1)
		}
	}
	g.runs = g.takesRuns()
	g.wide = g.runs && g.computable()
	return g
}

// emptied is a table for other groups of the set, in the memory of g where that can be used
// again. REQUIRES: g's groups were given out, and what they took is no longer accounted.
func (g *groupSet) emptied() *groupSet {
	n := newGroupSet(g.a, g.set, g.level)
	if g.forms == nil && g.parts == nil && g.wait == nil {
		g.table.Reset()
		n.table = g.table
	}
	for i, acc := range g.accs {
		if r, ok := acc.(reusable); ok && g.a.shared[i] < 0 && len(g.member) > 0 && r.empty() {
			n.accs[i] = acc
		}
	}
	for i, k := range g.a.shared {
		if k >= 0 {
			n.accs[i].(*sharedAcc).of = n.accs[k]
		}
	}
	n.numbers, n.enc = g.numbers, g.enc
	return n
}

// groups is the number of groups.
func (g *groupSet) groups() int {
	switch {
	case len(g.member) == 0:
		return 1
	case g.a.sorted:
		return g.count
	}
	return g.table.Len()
}

func (g *groupSet) evalKeys(in *expr.Input) ([]arrow.Array, error) {
	out := make([]arrow.Array, len(g.member))
	for i, k := range g.member {
		var err error
		if g.a.sorted {
			out[i], err = g.a.keys[k].Eval(g.a.w.frame, in)
		} else {
			out[i], err = g.a.keys[k].EvalCoded(g.a.w.frame, in)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// lastGroupStart is where the batch's last group starts; begins: not before the batch.
func (g *groupSet) lastGroupStart(b *Batch) (cut int, begins bool, err error) {
	keys, err := g.evalKeys(input(b))
	if err != nil {
		return 0, false, err
	}
	n := b.Rows()
	g.spec.Encode(g.a.w.frame.Ctx.Env, &g.enc, keys, n)
	cut = n - 1
	for cut > 0 && g.enc.Equal(cut-1, n-1) {
		cut--
	}
	return cut, g.count == 0 || !g.enc.EqualTo(cut, &g.last, 0), nil
}

func (g *groupSet) add(b *Batch) error {
	n := b.Rows()
	if cap(g.numbers) < n {
		g.numbers = make([]int32, n)
	}
	if g.wait != nil {
		if err := g.addWaiting(b); err != nil {
			return err
		}
	} else if done, err := g.addRuns(b); err != nil {
		return err
	} else if !done {
		if done, err = g.addRows(b); !done || err != nil {
			return err
		}
	}
	g.account()
	if g.crowded() {
		if err := g.detach(); err != nil {
			return err
		}
	}
	if g.cut {
		return g.limit(n)
	}
	if g.parts == nil && !g.a.flush && g.a.mem.over() {
		if g.level >= aggLevelsMax || g.table.Len() < 256 || len(g.a.sets) > 1 && g.held*int64(len(g.a.sets)) < g.a.mem.used {
			return g.a.mem.must()
		}
		if err := g.detach(); err != nil {
			return err
		}
		g.plainKeys()
		g.parts = make([]*spillFile, 1<<aggFanoutBits)
	}
	return nil
}

// account says how much memory is held.
func (g *groupSet) account() {
	size := g.table.Size() + g.keyMem + g.forms.size() + g.wait.bytes()
	for _, acc := range g.accs {
		size += acc.bytes()
	}
	g.a.mem.add(size - g.held)
	g.held = size
}

// limit keeps the table in the caches and the rest within the budget, after n more rows.
func (g *groupSet) limit(n int) error {
	if g.wait == nil && g.manyGroups(n) {
		if err := g.startWaiting(); err != nil {
			return err
		}
	}
	if !g.a.mem.over() {
		return nil
	}
	if g.table.Len() < 256 && g.wait == nil || len(g.a.sets) > 1 && g.held*int64(len(g.a.sets)) < g.a.mem.used {
		return g.a.mem.must()
	}
	if g.wait == nil {
		if err := g.startWaiting(); err != nil {
			return err
		}
	} else if err := g.spillWaiting(); err != nil {
		return err
	}
	g.account()
	return nil
}

// keep keeps the key values of rows that began a group.
func (g *groupSet) keep(keys []arrow.Array, fresh []int32) {
	if len(fresh) == 0 {
		return
	}
	for i, k := range keys {
		v := kernel.Take(k, fresh)
		g.keyCols[i] = append(g.keyCols[i], v)
		g.keyMem += kernel.Bytes(v)
	}
	for _, acc := range g.accs {
		acc.resize(g.groups())
	}
}

// addRows adds a batch row by row; false: all of it went to partitions.
func (g *groupSet) addRows(b *Batch) (bool, error) {
	in := input(b)
	g.mem.Reset()
	if g.fleeting {
		in.In(&g.mem)
	}
	n := in.N
	num := g.numbers[:n]
	if len(g.member) == 0 {
		clear(num)
	} else {
		keys, err := g.evalKeys(in)
		if err != nil {
			return false, err
		}
		if !g.decided {
			g.decide(keys)
		}
		if g.parts != nil {
			g.spec.Encode(g.a.w.frame.Ctx.Env, &g.enc, keys, n)
			if in, num, err = g.divert(b, in, num); err != nil || in == nil {
				return false, err
			}
		} else {
			g.keep(keys, g.insert(keys, n, nil, num))
		}
	}
	return true, g.feed(in, num)
}

// divert keeps the rows whose group is in the table and writes the others to partitions.
func (g *groupSet) divert(b *Batch, in *expr.Input, num []int32) (*expr.Input, []int32, error) {
	g.table.Find(&g.enc, nil, num)
	stay, there := make([]int32, 0, in.N), make([]int32, 0, in.N)
	out := make([][]int32, len(g.parts))
	shift := 60 - g.level*aggFanoutBits
	for i, k := range num {
		if k >= 0 {
			stay, there = append(stay, int32(i)), append(there, k)
			continue
		}
		p := g.enc.Hash[i] >> shift & (1<<aggFanoutBits - 1)
		out[p] = append(out[p], int32(i))
	}
	for p, rows := range out {
		if len(rows) == 0 {
			continue
		}
		if g.parts[p] == nil {
			f, err := newSpillFile(g.a.w.q, g.a.id, g.a.inTs)
			if err != nil {
				return nil, nil, err
			}
			g.parts[p] = f
		}
		if err := g.parts[p].gather(narrowed(b, rows)); err != nil {
			return nil, nil, err
		}
	}
	if len(stay) == 0 {
		return nil, nil, nil
	}
	return in.Subset(stay), there, nil
}

// takePartitions hands over what was spilled.
func (g *groupSet) takePartitions() []*aggPartition {
	var out []*aggPartition
	for _, f := range g.parts {
		if f != nil {
			out = append(out, &aggPartition{set: g.set, level: g.level + 1, files: []*spillFile{f}})
		}
	}
	g.parts = nil
	return out
}

func (g *groupSet) dropPartitions() {
	for _, f := range g.parts {
		f.close()
	}
	g.parts = nil
	g.wait.close()
}
