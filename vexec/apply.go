package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// applyOp runs its right input once per left row, with EXEC slots set from that
// row. Output order: the left input's.
type applyOp struct {
	w           *worker
	spec        joinSpec
	left, right operator
	bindings    []applyBinding

	b         *Batch
	vals      []arrow.Array
	row       int
	rightOpen bool // the right side is open for row
	seen      bool // row has had a match
	null      bool // row has had a NULL condition
}

type applyBinding struct {
	slot uint32
	t    types.T
	eval func(b *Batch) (arrow.Array, error)
}

func newApply(w *worker, p *planpb.Plan, a *planpb.Apply) (operator, error) {
	left, err := w.build(a.GetLeft())
	if err != nil {
		return nil, err
	}
	right, err := w.repeated().build(a.GetRight())
	if err != nil {
		return nil, err
	}
	op := &applyOp{w: w, left: left, right: right,
		spec: joinSpec{typ: a.GetType(), leftTs: outputTypes(a.GetLeft()), rightTs: outputTypes(a.GetRight())}}
	for _, b := range a.GetBindings() {
		e, err := w.compile(b.GetValue())
		if err != nil {
			return nil, err
		}
		op.bindings = append(op.bindings, applyBinding{b.GetSlot(), e.Type, func(b *Batch) (arrow.Array, error) {
			return e.Eval(w.frame, input(b))
		}})
	}
	op.spec.residual, err = w.compile(a.GetCondition())
	return op, err
}

func (a *applyOp) open(ctx context.Context) error {
	a.b, a.rightOpen = nil, false
	return a.left.open(ctx)
}

func (a *applyOp) close() {
	a.left.close()
	a.right.close()
}

func (a *applyOp) next(ctx context.Context) (*Batch, error) {
	size := a.w.q.env.BatchSize
	for {
		if a.b == nil {
			b, err := a.left.next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			a.b, a.row, a.rightOpen = dense(b), 0, false
			a.vals = make([]arrow.Array, len(a.bindings))
			for k, bd := range a.bindings {
				if a.vals[k], err = bd.eval(a.b); err != nil {
					return nil, err
				}
			}
		}
		var left []int32
		var pieces []*Batch
		var states []byte // MARK
		n := 0
		b := a.b
		size := rowsWithin(size, b)
		for a.row < b.N && n < size {
			rows, err := a.step(ctx)
			if err != nil {
				return nil, err
			}
			if rows != nil {
				for range rows.N {
					left = append(left, int32(a.row))
				}
				n += rows.N
				pieces = append(pieces, rows)
			}
			if a.rightOpen {
				continue // the right side has more for this row
			}
			switch a.spec.typ {
			case planpb.JoinType_LEFT, planpb.JoinType_SINGLE:
				if !a.seen {
					left = append(left, int32(a.row))
					pieces = append(pieces, a.nullRow())
					n++
				}
			case planpb.JoinType_SEMI:
				if a.seen {
					left = append(left, int32(a.row))
					n++
				}
			case planpb.JoinType_ANTI:
				if !a.seen {
					left = append(left, int32(a.row))
					n++
				}
			case planpb.JoinType_MARK:
				left = append(left, int32(a.row))
				n++
				switch {
				case a.seen:
					states = append(states, 1)
				case a.null:
					states = append(states, 2)
				default:
					states = append(states, 0)
				}
			}
			a.row++
		}
		if a.row >= b.N {
			a.b = nil
		}
		if n == 0 {
			continue
		}
		out := &Batch{Cols: takeLeft(nil, b, left, nil), N: n}
		switch {
		case a.spec.typ == planpb.JoinType_MARK:
			out.Cols = append(append([]arrow.Array{}, out.Cols...), kernel.BoolsFromStates(states))
		case !a.spec.leftOnly():
			r := concatBatches(a.spec.rightTs, pieces)
			out.Cols = append(append([]arrow.Array{}, out.Cols...), r.Cols...)
		}
		return out, nil
	}
}

func (a *applyOp) nullRow() *Batch {
	b := &Batch{N: 1}
	for _, t := range a.spec.rightTs {
		b.Cols = append(b.Cols, kernel.Nulls(t, 1))
	}
	return b
}

// step pulls one batch of the right side for the current row: the rows that join
// (nil: none, or the join type needs none). rightOpen tells whether there may be more.
func (a *applyOp) step(ctx context.Context) (*Batch, error) {
	if !a.rightOpen {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for k, bd := range a.bindings {
			a.w.frame.Set(bd.slot, types.Get(bd.t, a.vals[k], a.row))
		}
		a.seen, a.null = false, false
		if err := a.right.open(ctx); err != nil {
			return nil, err
		}
		a.rightOpen = true
	} else {
		// an operator below may have set the same slots for another row
		for k, bd := range a.bindings {
			a.w.frame.Set(bd.slot, types.Get(bd.t, a.vals[k], a.row))
		}
	}
	b, err := a.right.next(ctx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		a.rightOpen = false
		return nil, nil
	}
	b = dense(b)
	if a.spec.residual != nil {
		rep := make([]int32, b.N)
		for i := range rep {
			rep[i] = int32(a.row)
		}
		in := input(&Batch{Cols: append(kernel.TakeCols(a.b.Cols, rep), b.Cols...), N: b.N})
		if a.spec.typ == planpb.JoinType_MARK {
			v, err := a.spec.residual.Eval(a.w.frame, in)
			if err != nil {
				return nil, err
			}
			a.null = a.null || v.NullN() > 0
		}
		keep, err := a.spec.residual.Filter(a.w.frame, in)
		if err != nil {
			return nil, err
		}
		b = dense(narrowed(b, keep))
	}
	if b.N == 0 {
		return nil, nil
	}
	if a.spec.typ == planpb.JoinType_SINGLE && (a.seen || b.N > 1) {
		return nil, moreThanOneRow()
	}
	a.seen = true
	if a.spec.leftOnly() {
		a.rightOpen = false // one match is enough
		return nil, nil
	}
	return b, nil
}
