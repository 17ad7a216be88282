package vexec

import (
	"context"

	"github.com/basaltdb/basalt/vexec/planpb"
)

// nestLoopOp tries every pair of rows. The right input is read once and kept
// (on disk beyond the budget). Output order: for each left batch, its pairs by
// right batch, left row, right row; then rows that RIGHT and FULL add.
type nestLoopOp struct {
	w           *worker
	spec        joinSpec
	left, right operator
	rows        *rowStore

	built   bool
	matched [][]bool // per right batch
	b       *Batch   // left batch in work
	state   *leftState
	rb      int // right batch
	t       *joinTable
	l, r    int
	tail    int
	tailS   *tailScan
}

func newNestLoop(w *worker, p *planpb.Plan, n *planpb.NestLoop) (operator, error) {
	left, err := w.build(n.GetLeft())
	if err != nil {
		return nil, err
	}
	right, err := w.serial().build(n.GetRight())
	if err != nil {
		return nil, err
	}
	op := &nestLoopOp{w: w, left: left, right: right,
		spec: joinSpec{typ: n.GetType(), leftTs: outputTypes(n.GetLeft()), rightTs: outputTypes(n.GetRight())}}
	op.rows = &rowStore{mem: w.memory(p, "Nested Loop"), ts: op.spec.rightTs}
	op.spec.residual, err = w.compile(n.GetCondition())
	return op, err
}

func (n *nestLoopOp) open(ctx context.Context) error {
	n.built, n.matched, n.b, n.tail, n.tailS = false, nil, nil, 0, nil
	n.rows.clear()
	return n.left.open(ctx)
}

func (n *nestLoopOp) close() {
	n.rows.clear()
	n.left.close()
	n.right.close()
}

func (n *nestLoopOp) build(ctx context.Context) error {
	if err := n.right.open(ctx); err != nil {
		return err
	}
	for {
		b, err := n.right.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if b.Rows() == 0 {
			continue
		}
		if err := n.rows.add(b); err != nil {
			return err
		}
		if n.spec.tracksRight() {
			n.matched = append(n.matched, make([]bool, b.Rows()))
		}
	}
	n.right.close()
	n.built = true
	return nil
}

// table loads right batch i.
func (n *nestLoopOp) table(i int) (*joinTable, error) {
	if i >= n.rows.len() {
		return &joinTable{rows: &Batch{}}, nil
	}
	b, err := n.rows.get(i)
	if err != nil {
		return nil, err
	}
	t := &joinTable{rows: b}
	if n.matched != nil {
		t.matched = n.matched[i]
	}
	return t, nil
}

func (n *nestLoopOp) next(ctx context.Context) (*Batch, error) {
	if !n.built {
		if err := n.build(ctx); err != nil {
			return nil, err
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if n.b == nil {
			if n.tail > 0 {
				return n.nextTail()
			}
			b, err := n.left.next(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				n.left.close()
				n.tail = 1
				continue
			}
			n.b = dense(b)
			n.state = newLeftState(&n.spec, n.b.N)
			n.rb, n.l, n.r = 0, 0, 0
			if n.t, err = n.table(0); err != nil {
				return nil, err
			}
		}
		out, err := n.step()
		if err != nil {
			return nil, err
		}
		if out != nil && out.Rows() > 0 {
			return out, nil
		}
	}
}

// step tries the next group of pairs of the left batch.
func (n *nestLoopOp) step() (*Batch, error) {
	size := rowsWithin(n.w.q.env.BatchSize, n.b, n.t.rows)
	left, right := make([]int32, 0, size), make([]int32, 0, size)
	rows := n.t.rows.N
	for n.l < n.b.N && len(left) < size {
		if n.spec.leftOnly() && n.state.matched[n.l] && n.spec.typ != planpb.JoinType_MARK || rows == 0 {
			n.l, n.r = n.l+1, 0
			continue
		}
		take := min(rows-n.r, size-len(left))
		for k := range take {
			left, right = append(left, int32(n.l)), append(right, int32(n.r+k))
		}
		if n.r += take; n.r == rows {
			n.l, n.r = n.l+1, 0
		}
	}
	b, t := n.b, n.t
	last := false
	if n.l >= n.b.N {
		n.rb++
		n.l, n.r = 0, 0
		if n.rb >= n.rows.len() {
			last, n.b = true, nil
		} else {
			var err error
			if n.t, err = n.table(n.rb); err != nil {
				return nil, err
			}
		}
	}
	return n.state.emit(n.w, t, b, left, right, last, func(int) bool { return false })
}

func (n *nestLoopOp) nextTail() (*Batch, error) {
	if n.matched == nil {
		return nil, nil
	}
	for {
		if n.tailS != nil {
			if b := n.tailS.next(); b != nil {
				return b, nil
			}
			n.tailS = nil
		}
		if n.tail > n.rows.len() {
			return nil, nil
		}
		t, err := n.table(n.tail - 1)
		if err != nil {
			return nil, err
		}
		n.tail++
		n.tailS = &tailScan{spec: &n.spec, t: t, size: rowsWithin(n.w.q.env.BatchSize, t.rows)}
	}
}
