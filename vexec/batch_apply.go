package vexec

import (
	"context"

	"github.com/basaltdb/basalt/vexec/planpb"
)

// batchApplyOp runs its body once per stretch of its input's rows, which the body
// reads through ChunkScans: what would otherwise run per row is computed for all
// rows of a stretch together. Output: the body's, stretch by stretch, so the input's
// order is kept as far as the body keeps it. A stretch is held in memory, up to the
// budget.
type batchApplyOp struct {
	in   operator
	body operator
	w    *worker // of the body
	slot uint32
	// outer are the rows handed to ChunkScans around, in the input and in the body
	outer map[uint32]*chunk
	mem   *memory

	first   int
	want    int    // rows of the next stretch; 0: all that fit
	held    *Batch // rows of the input beyond the stretch in work
	end     bool   // the input has no more
	started bool   // the body is open for a stretch
}

func newBatchApply(w *worker, p *planpb.Plan, a *planpb.BatchApply) (operator, error) {
	in, err := w.build(a.GetInput())
	if err != nil {
		return nil, err
	}
	bw := w.repeated()
	bw.chunks = map[uint32]*chunk{}
	op := &batchApplyOp{in: in, w: bw, outer: w.chunks, slot: a.GetSlot(), mem: w.memory(p, "Batch Apply"), first: int(a.GetFirstRows())}
	op.body, err = bw.build(a.GetBody())
	return op, err
}

func (a *batchApplyOp) open(ctx context.Context) error {
	a.drop()
	a.held, a.end, a.want = nil, false, a.first
	return a.in.open(ctx)
}

// drop lets go of the stretch in work. The body is closed: what it kept depends on it.
func (a *batchApplyOp) drop() {
	a.body.close()
	a.started = false
	delete(a.w.chunks, a.slot)
	a.mem.free()
}

func (a *batchApplyOp) close() {
	a.drop()
	a.held = nil
	a.in.close()
}

func (a *batchApplyOp) next(ctx context.Context) (*Batch, error) {
	for {
		if !a.started {
			c, err := a.stretch(ctx)
			if err != nil || c == nil {
				return nil, err
			}
			for k, v := range a.outer {
				a.w.chunks[k] = v
			}
			a.w.chunks[a.slot] = c
			if err := a.body.open(ctx); err != nil {
				return nil, err
			}
			a.started = true
		}
		b, err := a.body.next(ctx)
		if err != nil || b != nil {
			return b, err
		}
		a.drop()
	}
}

// stretch reads the next rows of the input; nil at the end.
func (a *batchApplyOp) stretch(ctx context.Context) (*chunk, error) {
	c, rows := &chunk{}, 0
	for (a.want == 0 || rows < a.want) && (rows == 0 || !a.mem.over()) {
		b := a.held
		a.held = nil
		if b == nil {
			if a.end {
				break
			}
			var err error
			if b, err = a.in.next(ctx); err != nil {
				return nil, err
			}
			if b == nil {
				a.end = true
				a.in.close()
				break
			}
			b = dense(b)
		}
		if n := a.want - rows; a.want > 0 && n < b.N {
			a.held = sliced(b, n, b.N)
			b = sliced(b, 0, n)
		}
		rows += b.N
		c.batches = append(c.batches, b)
		a.mem.add(batchBytes(b))
		if err := a.mem.must(); err != nil {
			return nil, err
		}
	}
	if rows == 0 {
		return nil, ctx.Err()
	}
	if a.want > 0 {
		a.want = min(2*a.want, stretchRowsMax)
	}
	return c, nil
}

// stretchRowsMax bounds the growth of stretches.
const stretchRowsMax = 1 << 20
