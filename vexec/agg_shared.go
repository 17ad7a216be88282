package vexec

import (
	"context"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sharedAgg is an aggregation that the workers of a Gather do together, in two phases.
//
// First each worker that comes reads parts of the input into tables of its own, until no part
// is left, and waits for those that others are still reading (as with the right sides of
// joins, see pool). A table that outgrows the caches without reducing the rows much is
// closed, and the rows of other groups wait, cut by the hash of their keys (group_wait.go).
//
// Then the groups are complete in units: what all workers have of some partitions is put
// together by whoever claims the part of the output in which the unit is. Where tables
// stayed small they are merged at once instead. So what stands above, in the same workers,
// gets the groups in parallel: to it the aggregation is a scan cut into parts.
type sharedAgg struct {
	q     *query
	began time.Time

	mu      sync.Mutex
	next    int // next part of the input
	parts   int
	running int // members that read, or combine what they have read
	members []*aggMember
	rows    int64
	first   time.Duration // until the first row
	err     error
	done    chan struct{} // closed when the input has been read

	// the second phase
	whole []*groupSet // complete sets; given out with part 0
	units []*aggUnit
	mem   *memory
}

// aggMember is what one worker has read, by set.
type aggMember struct {
	groups []*groupSet
	by     []*groupParts // of those that are completed by partition
}

// groupParts are the groups of a table by partition: those of p are rows[start[p]:start[p+1]].
type groupParts struct {
	keys        []arrow.Array
	rows, start []int32
}

// aggUnit is partitions lo … hi−1 of a set.
type aggUnit struct {
	set, lo, hi int
	spilled     bool
	taken       bool
}

// mergedGroupsMax is how many groups one worker merges while others wait for it.
const mergedGroupsMax = 1 << 16

// cuttable: the aggregation can be a sharedAgg.
func cuttable(a *planpb.Agg) bool {
	if a.GetPhase() != planpb.Agg_COMPLETE || a.GetStrategy() == planpb.Agg_SORTED || !partitionable(a.GetInput()) {
		return false
	}
	for _, c := range a.GetCalls() {
		if callKind(c) == aggGeneral || c.GetDistinct() {
			return false
		}
	}
	return true
}

func (p *pool) agg(plan *planpb.Plan, o *sharedAggOp) *sharedAgg {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.aggs[plan]
	if s == nil {
		s = &sharedAgg{q: p.q, parts: p.parts, began: time.Now(), done: make(chan struct{}),
			mem: &memory{q: p.q, id: o.id, name: "Aggregate", budget: p.q.env.WorkMem}}
		p.aggs[plan] = s
	}
	return s
}

func (s *sharedAgg) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		for _, g := range m.groups {
			if g != nil {
				g.dropPartitions()
			}
		}
	}
	s.members = nil
	s.mem.free()
}

// sharedAggOp is one worker's hand in a sharedAgg; what it delivers are the units of its part.
type sharedAggOp struct {
	aggOp
	s      *sharedAgg
	gather uint32 // the Gather that is told what went through, 0: none
	joined bool
	at     int
	last   *groupSet // of the unit before, all given out
}

func newSharedAgg(w *worker, p *planpb.Plan, a *planpb.Agg, gather uint32) (*sharedAggOp, error) {
	body, err := newAggBody(w, p, a)
	if err != nil {
		return nil, err
	}
	o := &sharedAggOp{aggOp: *body, gather: gather}
	if g := a.GetInput().GetGather(); g != nil {
		o.inPlan = g.GetInput()
	}
	o.s = w.pool.agg(p, o)
	return o, nil
}

func (o *sharedAggOp) open(context.Context) error {
	o.reset()
	o.started, o.at = true, o.w.part
	return nil
}

func (o *sharedAggOp) close() {
	o.last = nil
	o.reset()
}

func (o *sharedAggOp) next(ctx context.Context) (*Batch, error) {
	if !o.joined {
		if err := o.join(ctx); err != nil {
			return nil, err
		}
		o.joined = true
	}
	if o.at == 0 && o.s.whole != nil { // part 0
		o.groups, o.s.whole = o.s.whole, nil
	}
	for {
		if b, err := o.aggOp.next(ctx); err != nil || b != nil {
			return b, err
		}
		if o.at >= len(o.s.units) {
			return nil, ctx.Err()
		}
		u := o.s.units[o.at]
		o.at += o.w.parts
		if err := o.w.turn.border(ctx); err != nil {
			return nil, err
		}
		if err := o.complete(ctx, u); err != nil {
			return nil, err
		}
	}
}

// join reads parts of the input until there are none and waits for the others.
func (o *sharedAggOp) join(ctx context.Context) error {
	s := o.s
	var m *aggMember
	var in operator
	defer func() {
		if in != nil {
			in.close()
		}
	}()
	w := *o.w
	w.parts = s.parts
	for {
		s.mu.Lock()
		if s.next >= s.parts || s.err != nil {
			s.mu.Unlock()
			break
		}
		w.part = s.next
		s.next++
		if m == nil {
			m = &aggMember{groups: o.newGroups(true)}
			s.running++
			s.members = append(s.members, m)
		}
		s.mu.Unlock()
		s.failed(o.readPart(ctx, &w, &in, m))
	}
	if m != nil {
		s.failed(m.combine())
		s.leave(o)
	}
	o.w.turn.restUnless(s.done)
	select {
	case <-s.done:
	case <-ctx.Done():
		return ctx.Err()
	case <-o.w.pool.ctx.Done():
		return o.w.pool.ctx.Err()
	}
	return s.err
}

// failed notes the first error.
func (s *sharedAgg) failed(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// leave is called by each member that will read no more; the last one plans the second phase.
func (s *sharedAgg) leave(o *sharedAggOp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running > 0 {
		return
	}
	if s.err == nil {
		s.err = s.finish(o)
	}
	close(s.done)
}

// combine completes the sets of a member that has read its last row. A panic is an error here.
func (m *aggMember) combine() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered(r)
		}
	}()
	return combineAll(m.groups)
}

// readPart reads one part of the input. A panic is an error here: others wait for the outcome.
func (o *sharedAggOp) readPart(ctx context.Context, w *worker, in *operator, m *aggMember) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered(r)
		}
	}()
	if *in == nil {
		if *in, err = o.buildInput(w); err != nil {
			return err
		}
	}
	if err := (*in).open(ctx); err != nil {
		return err
	}
	o.groups = m.groups
	defer func() { o.groups = nil }()
	rows, first := int64(0), time.Duration(0)
	for {
		b, err := (*in).next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if rows == 0 {
			first = time.Since(o.s.began)
		}
		rows += int64(b.Rows())
		if err := o.addAll(b); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	o.s.rows += rows
	if rows > 0 && (o.s.first == 0 || first < o.s.first) {
		o.s.first = first
	}
	return nil
}

// finish plans the second phase. REQUIRES: mu, and that nobody reads any more.
func (s *sharedAgg) finish(o *sharedAggOp) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered(r)
		}
	}()
	if o.gather != 0 {
		s.q.env.Stats.update(o.gather, func(st *OpStats) { // what passed through, as if there were an operator
			took := time.Since(s.began)
			st.Loops, st.Rows = st.Loops+1, st.Rows+s.rows
			if s.q.env.Stats.Timing {
				st.Total += took
				st.Startup += min(took, s.first)
			}
		})
	}
	for _, m := range s.members { // they go on accounting what they make of it
		m.by = make([]*groupParts, len(m.groups))
		g := m.groups[0]
		s.mem.add(g.a.mem.used)
		g.a.mem.free()
	}
	for set := range s.members[0].groups {
		if err := s.plan(set); err != nil {
			return err
		}
	}
	return nil
}

// plan merges the tables of a set or cuts what there is of it into units.
func (s *sharedAgg) plan(set int) error {
	groups, waiting, spilled := 0, false, false
	for _, m := range s.members {
		g := m.groups[set]
		groups += g.groups()
		waiting = waiting || g.wait != nil
		spilled = spilled || g.wait != nil && g.wait.files != nil
	}
	base := s.members[0].groups[set]
	if !waiting && (groups <= mergedGroupsMax || len(s.members) == 1) {
		for _, m := range s.members[1:] {
			if err := base.mergeFrom(m.groups[set], m.groups[set].keyValues(), nil); err != nil {
				return err
			}
			m.groups[set] = nil
		}
		s.whole = append(s.whole, base)
		return nil
	}
	sizes := make([]int, 1<<waitBits)
	var cut []func() error // side by side: the other workers wait
	for _, m := range s.members {
		cut = append(cut, func() error {
			g := m.groups[set]
			g.plainKeys()
			by := &groupParts{keys: g.keyValues()}
			by.rows, by.start = g.table.PartitionOf(waitBits)
			m.by[set] = by
			return nil
		})
	}
	if err := together(cut); err != nil {
		return err
	}
	for _, m := range s.members {
		g, by := m.groups[set], m.by[set]
		for p := range sizes {
			sizes[p] += int(by.start[p+1] - by.start[p])
			if g.wait != nil {
				sizes[p] += g.wait.rows.PartRows(p)
			}
		}
	}
	unitRows := s.q.env.CachedGroups / 2 // groups and rows that wait, of several partitions
	const step = 1 << (waitBits - aggFanoutBits)
	for lo := 0; lo < len(sizes); {
		u := &aggUnit{set: set, lo: lo, hi: lo + 1, spilled: spilled}
		if spilled {
			u.hi = lo + step
		} else {
			for n := sizes[lo]; u.hi < len(sizes) && n+sizes[u.hi] <= unitRows; u.hi++ {
				n += sizes[u.hi]
			}
		}
		s.units = append(s.units, u)
		lo = u.hi
	}
	return nil
}

// complete puts a unit together; its groups are given out next.
func (o *sharedAggOp) complete(ctx context.Context, u *aggUnit) error {
	s := o.s
	if u.taken {
		return pgerror.Internal("a part of an aggregation is read twice")
	}
	u.taken = true
	var g *groupSet
	if o.last != nil && o.last.set == u.set {
		g = o.last.emptied()
	} else {
		g = newGroupSet(&o.aggOp, u.set, 1)
	}
	o.last = g
	freed := int64(0)
	for _, m := range s.members {
		from := m.groups[u.set]
		by := m.by[u.set]
		if rows := by.rows[by.start[u.lo]:by.start[u.hi]]; len(rows) > 0 {
			if err := g.mergeFrom(from, by.keys, rows); err != nil {
				return err
			}
		}
		if from.wait == nil {
			continue
		}
		for p := u.lo; p < u.hi; p++ {
			pieces, n := from.wait.rows.Take(p)
			freed += n
			for _, b := range pieces {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := g.add(&Batch{Cols: b.Cols, N: b.N}); err != nil {
					return err
				}
			}
		}
		if !u.spilled || from.wait.files == nil {
			continue
		}
		if f := from.wait.files[u.lo>>(waitBits-aggFanoutBits)]; f != nil {
			if err := g.addFile(ctx, f); err != nil {
				return err
			}
			f.close()
		}
	}
	s.mu.Lock()
	s.mem.add(-freed)
	s.mu.Unlock()
	g.account()
	o.groups = []*groupSet{g}
	o.queue = append(o.queue, g.takePartitions()...)
	return nil
}
