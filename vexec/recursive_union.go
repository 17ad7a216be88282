package vexec

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// recursiveUnion yields its left input, then the right input run over the rows
// of the previous round until a round yields nothing. distinct drops rows that
// were yielded before.
type recursiveUnion struct {
	w           *worker
	left, right operator
	id          uint32
	distinct    bool
	spec        *kernel.KeySpec
	ts          []types.T
	mem         *memory
	p           *planpb.Plan

	table   *kernel.Table
	enc     kernel.Keys
	pending *rowStore // rows of the round in progress
	inRight bool
	done    bool
}

func newRecursiveUnion(w *worker, p *planpb.Plan, r *planpb.RecursiveUnion) (operator, error) {
	op := &recursiveUnion{w: w, id: r.GetWorkTable(), distinct: r.GetDistinct(), ts: outputTypes(p), mem: w.memory(p, "Recursive Union"), p: p}
	op.spec = kernel.NewKeySpec(op.ts)
	var err error
	if op.left, err = w.build(r.GetLeft()); err != nil {
		return nil, err
	}
	op.right, err = w.build(r.GetRight())
	return op, err
}

func (r *recursiveUnion) newStore() *rowStore {
	return &rowStore{mem: r.w.memory(r.p, "Recursive Union"), ts: r.ts}
}

func (r *recursiveUnion) open(ctx context.Context) error {
	r.release()
	r.table = kernel.NewTable(r.spec, 64)
	r.pending, r.inRight, r.done = r.newStore(), false, false
	return r.left.open(ctx)
}

func (r *recursiveUnion) release() {
	if r.pending != nil {
		r.pending.clear()
	}
	if t := r.w.workTables[r.id]; t != nil {
		t.rows.clear()
		delete(r.w.workTables, r.id)
	}
	r.mem.free()
}

func (r *recursiveUnion) close() {
	r.release()
	r.left.close()
	r.right.close()
}

func (r *recursiveUnion) next(ctx context.Context) (*Batch, error) {
	for !r.done {
		in := r.left
		if r.inRight {
			in = r.right
		}
		b, err := in.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			if err := r.nextRound(ctx); err != nil {
				return nil, err
			}
			continue
		}
		b = dense(b)
		if r.distinct {
			r.spec.Encode(r.w.frame.Ctx.Env, &r.enc, b.Cols, b.N)
			fresh := r.table.Insert(&r.enc, nil, make([]int32, b.N), nil)
			r.mem.set(r.table.Size())
			if err := r.mem.must(); err != nil {
				return nil, err
			}
			if len(fresh) == 0 {
				continue
			}
			b = dense(narrowed(b, fresh))
		}
		if b.N == 0 {
			continue
		}
		if err := r.pending.add(b); err != nil {
			return nil, err
		}
		return b, nil
	}
	return nil, nil
}

// nextRound makes the last round's rows the work table and runs the right side again.
func (r *recursiveUnion) nextRound(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t := r.w.workTables[r.id]; t != nil {
		t.rows.clear()
	}
	if r.pending.rows == 0 {
		r.done = true
		return nil
	}
	r.w.workTables[r.id] = &workTable{rows: r.pending}
	r.pending = r.newStore()
	r.inRight = true
	return r.right.open(ctx)
}
