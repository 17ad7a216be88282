package vexec

import (
	"context"
	"sync/atomic"

	"github.com/basaltdb/basalt/vexec/planpb"
)

// parallelAgg aggregates the input of a Gather in the Gather's workers (agg_shared.go) and
// gives out their groups as they come.
type parallelAgg struct {
	w      *worker
	p      *planpb.Plan
	a      *planpb.Agg
	gather *planpb.Plan
	run    *gatherRun
}

// newParallelAgg gives nil when the aggregation is not one for workers.
func newParallelAgg(w *worker, p *planpb.Plan, a *planpb.Agg) operator {
	g := a.GetInput().GetGather()
	if g == nil || len(g.GetMergeKeys()) > 0 || g.GetWorkers() <= 1 || w.q.mutates || w.pool != nil || w.parts > 1 ||
		a.GetStrategy() == planpb.Agg_SORTED || !partitionable(g.GetInput()) {
		return nil
	}
	for _, c := range a.GetCalls() {
		if callKind(c) == aggGeneral || c.GetDistinct() {
			return nil
		}
	}
	return &parallelAgg{w: w, p: p, a: a, gather: a.GetInput()}
}

func (a *parallelAgg) open(context.Context) error {
	a.close()
	return nil
}

func (a *parallelAgg) close() {
	if a.run != nil {
		a.run.stop(a.w.q)
		a.run = nil
	}
}

func (a *parallelAgg) next(ctx context.Context) (*Batch, error) {
	if a.run == nil {
		a.start()
	}
	a.w.turn.rest()
	return a.run.receive(ctx, a.run.out)
}

func (a *parallelAgg) start() {
	var claimed atomic.Int64
	a.run = startRun(a.w, a.gather.GetId(), a.gather.GetGather().GetWorkers(), false, func(ctx context.Context, r *gatherRun, w *worker, i int) error {
		build := func(w *worker) (operator, error) { return newSharedAgg(w, a.p, a.a, a.gather.GetId()) }
		claim := func() int { return int(claimed.Add(1)) - 1 }
		return drainParts(ctx, w, build, w.parts*partsPerWorker, claim, func(b *Batch) error {
			return w.send(ctx, r.out, b)
		})
	})
}
