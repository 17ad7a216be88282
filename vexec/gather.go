package vexec

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/vexec/planpb"
)

// gatherOp runs its input with several workers over disjoint parts of the
// input's driving scan. Each worker has its own operators and EXEC slots; hash
// tables are shared (see pool). Streams come out as they arrive, or merged by
// the merge keys. A top-N directly below is one of each part. Workers beyond the first need a free token of the Executor,
// and that short statements leave them a processor (turns.go).
// What cannot be cut into parts, or changes rows, runs in the calling goroutine.
type gatherOp struct {
	w    *worker
	id   uint32
	p    *planpb.Plan
	g    *planpb.Gather
	keys *sortKeys

	coded bool // of the input, as asked for
	need  []bool

	single operator // the input, when it runs in this goroutine
	run    *gatherRun
	merge  *streamMerge
}

// gatherRun is one set of running workers.
type gatherRun struct {
	ctx     context.Context
	cancel  context.CancelFunc
	pool    *pool
	wg      sync.WaitGroup
	out     chan *Batch   // unordered
	streams []chan *Batch // merge: one per worker
	errs    chan error
	tokens  int
	ended   atomic.Bool
}

// partsPerWorker cuts the driving scan finer than there are workers, so that an
// uneven cut does not leave one waiting for the other.
const partsPerWorker = 8

func newGather(w *worker, p *planpb.Plan, g *planpb.Gather) (operator, error) {
	op := &gatherOp{w: w, id: p.GetId(), p: p, g: g, coded: w.coded, need: w.need}
	in, fleeting := g.GetInput(), w.fleeting
	if w.pool != nil && len(g.GetMergeKeys()) == 0 {
		return w.buildWith(in, op.coded, op.need, fleeting) // already one of several workers
	}
	cut := partitionable(in) || topParts(in)
	if len(g.GetMergeKeys()) > 0 {
		cut = sortedParts(in)
	}
	if !cut || w.q.mutates || w.pool != nil || w.parts > 1 || g.GetWorkers() <= 1 {
		var err error
		op.single, err = w.serial().buildWith(in, op.coded, op.need, fleeting)
		return op, err
	}
	var err error
	if op.keys, err = newSortKeys(w, g.GetMergeKeys()); len(op.keys.exprs) > 0 {
		op.coded, op.need = false, nil // merging looks at whole rows
	}
	return op, err
}

// topParts: the input is a top-N of what can be cut; whoever stands on the Gather takes the first rows of each part's.
func topParts(p *planpb.Plan) bool {
	s := p.GetSort()
	return s.GetLimit() > 0 && partitionable(s.GetInput())
}

// sortedParts: each worker's rows come out sorted from a cut input.
func sortedParts(p *planpb.Plan) bool {
	switch k := p.Op.(type) {
	case *planpb.Plan_Sort:
		return partitionable(k.Sort.GetInput())
	case *planpb.Plan_Project:
		return sortedParts(k.Project.GetInput())
	case *planpb.Plan_Limit:
		return false
	}
	return false
}

func (g *gatherOp) open(ctx context.Context) error {
	if g.single != nil {
		return g.single.open(ctx)
	}
	g.stop()
	return nil
}

func (g *gatherOp) close() {
	if g.single != nil {
		g.single.close()
		return
	}
	g.stop()
}

func (g *gatherOp) stop() {
	if g.run != nil {
		g.run.stop(g.w.q)
		g.run = nil
	}
	g.merge = nil
}

func (g *gatherOp) next(ctx context.Context) (*Batch, error) {
	if g.single != nil {
		return g.single.next(ctx)
	}
	if g.run == nil {
		if err := g.start(ctx); err != nil {
			return nil, err
		}
	}
	g.w.turn.rest()
	if len(g.keys.exprs) > 0 {
		if g.merge == nil {
			g.merge = newStreamMerge(g.w, g.keys, outputTypes(g.p), g.run)
		}
		return g.merge.next(ctx)
	}
	return g.run.receive(ctx, g.run.out)
}

// receive takes the next batch of a stream, nil at its end.
func (r *gatherRun) receive(ctx context.Context, c chan *Batch) (*Batch, error) {
	select {
	case b, ok := <-c:
		if ok {
			return b, nil
		}
		select { // an ended stream may have ended by an error
		case err := <-r.errs:
			return nil, err
		default:
			return nil, nil
		}
	case err := <-r.errs:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// startRun launches workers that each call body with a worker of their own.
func startRun(w *worker, id uint32, workers uint32, merge bool, body func(ctx context.Context, r *gatherRun, w *worker, i int) error) *gatherRun {
	q := w.q
	n, most := 1, q.ex.turns.workers(int(workers))
	for n < most {
		select {
		case q.ex.tokens <- struct{}{}:
			n++
			continue
		default:
		}
		break
	}
	r := &gatherRun{errs: make(chan error, n), tokens: n - 1}
	// the workers outlive the call that starts them: a portal may be resumed
	// under another context; the Gather's end cancels them
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.pool = &pool{q: q, ctx: r.ctx, parts: n * partsPerWorker, builds: map[*planpb.Plan]*sharedBuild{}, aggs: map[*planpb.Plan]*sharedAgg{}}
	if merge {
		for range n {
			r.streams = append(r.streams, make(chan *Batch, 2))
		}
	} else {
		r.out = make(chan *Batch, 2*n)
	}
	q.env.Stats.update(id, func(o *OpStats) { o.Workers = max(o.Workers, int64(n)) })
	for i := range n {
		r.wg.Add(1)
		ww := &worker{q: q, frame: w.frame.Clone(), parts: n, part: i, pool: r.pool, again: true, chunks: w.chunks, probed: cloneProbes(w.probed),
			workTables: maps.Clone(w.workTables), turn: q.ex.turns.worker()}
		go func() {
			defer r.wg.Done()
			defer ww.turn.rest()
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = recovered(p)
					}
				}()
				return body(r.ctx, r, ww, i)
			}()
			if err != nil {
				r.errs <- err
				r.cancel()
			}
			if merge {
				close(r.streams[i])
			}
		}()
	}
	if !merge {
		go func() {
			r.wg.Wait()
			close(r.out)
		}()
	}
	return r
}

func (g *gatherOp) start(ctx context.Context) error {
	in := g.g.GetInput()
	merge := len(g.keys.exprs) > 0
	var next atomic.Int64
	g.run = startRun(g.w, g.id, g.g.GetWorkers(), merge, func(ctx context.Context, r *gatherRun, w *worker, i int) error {
		out, parts := r.out, w.parts*partsPerWorker
		claim := func() int { return int(next.Add(1)) - 1 }
		if merge { // one part each, or a stream would not be sorted
			out, parts = r.streams[i], w.parts
			claim = once(i, w.parts)
		}
		build := func(w *worker) (operator, error) { return w.buildAs(in, g.coded, g.need) }
		return drainParts(ctx, w, build, parts, claim, func(b *Batch) error {
			return w.send(ctx, out, b)
		})
	})
	return nil
}

// send hands a batch of a worker on.
func (w *worker) send(ctx context.Context, out chan *Batch, b *Batch) error {
	select {
	case out <- b:
		return nil
	default:
		w.turn.rest()
	}
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once claims part first and then none.
func once(first, parts int) func() int {
	next := first
	return func() int {
		p := next
		next = parts
		return p
	}
}

// drainParts runs parts of the plan that build makes, one after the other as claim gives them out,
// and hands every batch to emit.
func drainParts(ctx context.Context, w *worker, build func(*worker) (operator, error), parts int, claim func() int, emit func(*Batch) error) error {
	w.parts = parts
	w.part = claim()
	if w.part >= parts {
		return nil
	}
	op, err := build(w)
	if err != nil {
		return err
	}
	defer op.close()
	for w.part < parts {
		if err := w.turn.border(ctx); err != nil {
			return err
		}
		if err := op.open(ctx); err != nil {
			return err
		}
		for {
			b, err := op.next(ctx)
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			if b.Rows() > 0 {
				if err := emit(b); err != nil {
					return err
				}
			}
		}
		w.part = claim()
	}
	return nil
}

// stop ends the workers and waits for them.
func (r *gatherRun) stop(q *query) {
	if r.ended.Swap(true) {
		return
	}
	r.cancel()
	r.wg.Wait()
	r.pool.close()
	for range r.tokens {
		<-q.ex.tokens
	}
}
