package vexec

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/vexec/planpb"
)

// parallelAgg aggregates the input of a Gather in the Gather's workers: each has
// hash tables of its own, which are merged when all are done. Workers that ran
// out of budget have spilled rows by hash partition; then each partition is
// completed from the merged groups and every worker's rows.
type parallelAgg struct {
	aggOp
	p       *planpb.Plan
	a       *planpb.Agg
	gather  *planpb.Plan
	workers []*aggOp
}

// maybeParallel is the outcome of newParallelAgg.
type maybeParallel struct {
	op  operator
	err error
}

// newParallelAgg gives nil when the aggregation is not one for workers.
func newParallelAgg(w *worker, p *planpb.Plan, a *planpb.Agg) *maybeParallel {
	g := a.GetInput().GetGather()
	if g == nil || len(g.GetMergeKeys()) > 0 || g.GetWorkers() <= 1 || w.q.mutates || w.pool != nil || w.parts > 1 ||
		a.GetStrategy() == planpb.Agg_SORTED || !partitionable(g.GetInput()) {
		return nil
	}
	body, err := newAggBody(w, p, a)
	if err != nil {
		return &maybeParallel{err: err}
	}
	for _, c := range body.calls {
		if !c.parallel() {
			return nil
		}
	}
	return &maybeParallel{op: &parallelAgg{aggOp: *body, p: p, a: a, gather: a.GetInput()}}
}

func (a *parallelAgg) open(ctx context.Context) error {
	a.close()
	return nil
}

func (a *parallelAgg) close() {
	a.reset()
	for _, o := range a.workers {
		o.reset()
	}
	a.workers = nil
}

func (a *parallelAgg) next(ctx context.Context) (*Batch, error) {
	if !a.started {
		a.started = true
		if err := a.consume(ctx); err != nil {
			return nil, err
		}
	}
	return a.aggOp.next(ctx)
}

func (a *parallelAgg) consume(ctx context.Context) error {
	g := a.gather.GetGather()
	var claimed, rows, first atomic.Int64
	began := time.Now()
	workers := make([]*aggOp, a.w.q.ex.opts.Workers+int(g.GetWorkers()))
	r := startRun(a.w, a.gather.GetId(), g.GetWorkers(), false, func(ctx context.Context, r *gatherRun, w *worker, i int) error {
		o, err := newAggBody(w, a.p, a.a)
		if err != nil {
			return err
		}
		workers[i] = o
		for s := range o.sets {
			o.groups = append(o.groups, newGroupSet(o, s, 0))
		}
		claim := func() int { return int(claimed.Add(1)) - 1 }
		o.inPlan = g.GetInput()
		return drainParts(ctx, w, o.buildInput, w.parts*partsPerWorker, claim, func(b *Batch) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if a.w.q.env.Stats != nil {
				rows.Add(int64(b.Rows()))
				first.CompareAndSwap(0, int64(time.Since(began)))
			}
			return o.addAll(b)
		})
	})
	_, err := r.receive(ctx, r.out) // nothing is sent: this waits for the end
	r.stop(a.w.q)
	a.w.q.env.Stats.update(a.gather.GetId(), func(o *OpStats) { // what passed through, as if there were an operator
		took := time.Since(began)
		o.Loops, o.Rows = o.Loops+1, o.Rows+rows.Load()
		if a.w.q.env.Stats.Timing {
			o.Total += took
			o.Startup += min(took, time.Duration(first.Load()))
		}
	})
	if err == nil {
		select { // the first error may have come with the end
		case err = <-r.errs:
		default:
		}
	}
	for _, o := range workers {
		if o != nil {
			a.workers = append(a.workers, o)
		}
	}
	if err != nil {
		return err
	}
	for s := range a.sets {
		if err := a.combine(s); err != nil {
			return err
		}
	}
	return nil
}

// combine merges the workers' tables of set s.
func (a *parallelAgg) combine(s int) error {
	base := a.workers[0].groups[s]
	spilled := base.parts != nil
	for _, o := range a.workers[1:] {
		spilled = spilled || o.groups[s].parts != nil
		if err := base.merge(o.groups[s], nil); err != nil {
			return err
		}
	}
	if !spilled {
		a.groups = append(a.groups, base)
		return nil
	}
	base.plainKeys()
	for p := range uint64(1) << aggFanoutBits {
		q := &aggPartition{set: s, level: 1, base: base, part: p}
		for _, o := range a.workers {
			if parts := o.groups[s].parts; parts != nil && parts[p] != nil {
				q.files = append(q.files, parts[p])
			}
		}
		a.queue = append(a.queue, q)
	}
	for _, o := range a.workers {
		o.groups[s].parts = nil
	}
	return nil
}
