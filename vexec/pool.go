package vexec

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// pool is what the workers of one Gather share: its aggregations (agg_shared.go) and the hash
// tables of its joins, which they build together. The right side of a join is cut into parts; each
// worker that needs the table runs parts until none are left, and waits for
// those that others are still running. So no worker waits for one that does not
// come, and joins nested in a right side resolve bottom-up.
type pool struct {
	q      *query
	ctx    context.Context // ends with the Gather
	parts  int             // parts of a right side
	mu     sync.Mutex
	builds map[*planpb.Plan]*sharedBuild
	aggs   map[*planpb.Plan]*sharedAgg
}

// sharedBuild is the right side of one join.
type sharedBuild struct {
	mu      sync.Mutex
	next    int // next part to run
	parts   int
	running int
	batches []*Batch
	mem     *memory
	files   []*spillFile // when the budget was exceeded
	grace   bool
	store   *rowStore // the same, of rows that cannot be cut by hash
	facts   rightFacts
	err     error
	table   *joinTable
	items   chan buildItem // for workers that wait for done
	ending  bool           // somebody makes the table
	done    chan struct{}

	// Of joins that give out right rows by whether they matched: whoever ends the last part of the left side does.
	probed int          // parts of the left side that are done
	marks  [][]bool     // rows of table that matched, as each of those at work saw it; one takes any
	left   []*spillFile // with grace: the left side's rows
}

func (p *pool) build(plan *planpb.Plan, j *hashJoinOp) *sharedBuild {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.builds[plan]
	if s == nil {
		s = &sharedBuild{parts: 1, items: make(chan buildItem, cores.Count()), done: make(chan struct{}), mem: &memory{q: p.q, id: j.id, name: "Hash Join", budget: p.q.env.WorkMem}}
		if partitionable(plan) {
			s.parts = p.parts
		}
		p.builds[plan] = s
	}
	return s
}

// close frees the tables.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.builds {
		s.mu.Lock()
		s.mem.free()
		for _, f := range s.files {
			f.close()
		}
		for _, f := range s.left {
			f.close()
		}
		if s.store != nil {
			s.store.clear()
		}
		s.mu.Unlock()
	}
	for _, s := range p.aggs {
		s.close()
	}
}

// buildShared takes part in building the right side and waits until it is complete.
func (j *hashJoinOp) buildShared(ctx context.Context) error {
	s := j.w.pool.build(j.rightPlan, j)
	for {
		s.mu.Lock()
		if s.next >= s.parts || s.err != nil {
			s.mu.Unlock()
			break
		}
		part := s.next
		s.next++
		s.running++
		s.mu.Unlock()
		err := j.buildPart(ctx, s, part)
		s.mu.Lock()
		s.running--
		if err != nil && s.err == nil {
			s.err = err
		}
		last := s.running == 0 && (s.next >= s.parts || s.err != nil) && !s.ending
		s.ending = s.ending || last
		s.mu.Unlock()
		if last {
			if s.err == nil && !s.grace && s.store == nil {
				s.err = s.finish(j)
			}
			close(s.done)
		}
	}
	if err := j.await(ctx, s); err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	if s.grace {
		if j.sharesTail() {
			return j.graceShared(ctx, s)
		}
		g, err := (&graceJoin{j: j, right: s.files, at: -1, facts: &s.facts}).splitLeft(ctx)
		if err == nil {
			j.spilled = g
		}
		return err
	}
	if s.store != nil {
		right := &storeScan{store: s.store}
		p, err := newPassJoin(ctx, j, nil, right)
		if err == nil {
			j.spilled = p
		}
		return err
	}
	j.table = s.table
	if j.spec.tracksRight() {
		t := *s.table
		t.matched = s.takeMarks()
		j.table = &t
	}
	j.probe = newJoinProbe(j, j.table)
	return nil
}

// finish makes the table. A panic is an error here: others wait for the outcome.
func (s *sharedBuild) finish(j *hashJoinOp) error {
	err := protected(func() (err error) {
		if j.together(s.batches) {
			s.table, err = j.buildTogether(s)
		} else {
			s.table, err = j.buildTable(s.batches)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.batches = nil
	if s.table.matched != nil {
		s.marks = append(s.marks, s.table.matched)
	}
	s.mem.set(s.table.bytes)
	j.w.q.env.Stats.update(j.id, func(o *OpStats) { o.HashBuckets, o.HashBatches = int64(s.table.keys), 1 })
	return nil
}

// buildPart runs one part of the right side.
func (j *hashJoinOp) buildPart(ctx context.Context, s *sharedBuild, part int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered(r)
		}
	}()
	w := *j.w
	w.part, w.parts = part, s.parts
	if s.parts == 1 {
		w.pool, w.again = nil, false // by this worker alone
	}
	_, need := j.inputNeeds()
	op, err := w.buildCoded(j.rightPlan, need)
	if err != nil {
		return err
	}
	defer op.close()
	if err := op.open(ctx); err != nil {
		return err
	}
	for {
		b, err := op.next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := s.add(j, dense(b)); err != nil {
			return err
		}
	}
}

func (s *sharedBuild) add(j *hashJoinOp, b *Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &graceJoin{j: j, facts: &s.facts}
	if s.grace {
		return g.splitRight(b, s.files)
	}
	if s.store != nil {
		return s.store.add(b)
	}
	s.batches = append(s.batches, b)
	s.mem.add(batchBytes(b) + 24*int64(b.N))
	if !s.mem.over() {
		return nil
	}
	if !j.canSpill() {
		if j.spec.tracksRight() { // the workers would each give out what none of them matched
			return s.mem.must()
		}
		s.store = &rowStore{mem: s.mem, ts: j.spec.rightTs}
		s.mem.free()
		for _, b := range s.batches {
			if err := s.store.add(b); err != nil {
				return err
			}
		}
		s.batches = nil
		return nil
	}
	s.grace = true
	s.files = make([]*spillFile, 1<<graceFanoutBits)
	for _, b := range s.batches {
		if err := g.splitRight(b, s.files); err != nil {
			return err
		}
	}
	s.batches = nil
	s.mem.free()
	return nil
}

// partitionable: the rows of p are the disjoint union of what p gives when its
// driving scan is cut into parts.
func partitionable(p *planpb.Plan) bool {
	switch k := p.Op.(type) {
	case *planpb.Plan_Scan:
		return !k.Scan.GetOrdered()
	case *planpb.Plan_IndexScan:
		return !k.IndexScan.GetOrdered()
	case *planpb.Plan_Values, *planpb.Plan_Result:
		return true
	case *planpb.Plan_Filter:
		return partitionable(k.Filter.GetInput())
	case *planpb.Plan_Project:
		return partitionable(k.Project.GetInput())
	case *planpb.Plan_KeyIds:
		return partitionable(k.KeyIds.GetInput())
	case *planpb.Plan_KeyValues:
		return partitionable(k.KeyValues.GetInput())
	case *planpb.Plan_ProjectSet:
		return partitionable(k.ProjectSet.GetInput())
	case *planpb.Plan_HashJoin:
		return partitionable(k.HashJoin.GetLeft())
	case *planpb.Plan_NestLoop:
		return !(&joinSpec{typ: k.NestLoop.GetType()}).tracksRight() && partitionable(k.NestLoop.GetLeft())
	case *planpb.Plan_Apply:
		return partitionable(k.Apply.GetLeft())
	case *planpb.Plan_Append:
		for _, in := range k.Append.GetInputs() {
			if !partitionable(in) {
				return false
			}
		}
		return true
	case *planpb.Plan_Gather:
		return len(k.Gather.GetMergeKeys()) == 0 && partitionable(k.Gather.GetInput())
	case *planpb.Plan_Exchange:
		return partitionable(k.Exchange.GetInput())
	case *planpb.Plan_Agg:
		return len(k.Agg.GetKeys()) > 0 && cuttable(k.Agg)
	}
	return false
}
