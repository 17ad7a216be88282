package vexec

import (
	"context"
	"math"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// limitOp skips offset rows and yields up to count, then (WITH TIES) the rows
// that are equal to the last one in the tie keys. Order preserved. It stops
// pulling its input as soon as it can.
type limitOp struct {
	w             *worker
	in            operator
	count, offset *expr.Expr
	withTies      bool
	ties          *sortKeys

	skip, left int64
	last       *Batch // tie keys of the last row delivered, one row
	done       bool
}

func newLimit(w *worker, p *planpb.Plan, l *planpb.Limit) (operator, error) {
	in, err := w.build(l.GetInput())
	if err != nil {
		return nil, err
	}
	op := &limitOp{w: w, in: in, withTies: l.GetWithTies()}
	if op.count, err = w.compile(l.GetCount()); err != nil {
		return nil, err
	}
	if op.offset, err = w.compile(l.GetOffset()); err != nil {
		return nil, err
	}
	op.ties, err = newSortKeys(w, l.GetTies())
	return op, err
}

func (l *limitOp) open(ctx context.Context) error {
	l.skip, l.left, l.done, l.last = 0, math.MaxInt64, false, nil
	if l.offset != nil {
		d, err := l.offset.EvalScalar(l.w.frame)
		if err != nil {
			return err
		}
		if d != nil {
			if l.skip = int64Of(d); l.skip < 0 {
				return pgerror.New(pgerror.InvalidRowCountInResultOffsetClause, "OFFSET must not be negative")
			}
		}
	}
	if l.count != nil {
		d, err := l.count.EvalScalar(l.w.frame)
		if err != nil {
			return err
		}
		if d != nil {
			if l.left = int64Of(d); l.left < 0 {
				return pgerror.New(pgerror.InvalidRowCountInLimitClause, "LIMIT must not be negative")
			}
		}
	}
	l.done = l.left == 0
	if want := l.left + l.skip; want > 0 && want < int64(l.w.q.env.BatchSize) && !l.withTies {
		limitInput(l.in, want)
	} else if l.count != nil {
		limitInput(l.in, 0)
	}
	return l.in.open(ctx)
}

func int64Of(d types.Datum) int64 {
	switch v := d.(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	case int16:
		return int64(v)
	}
	panic(pgerror.Internal("integer expected, not %T", d))
}

func (l *limitOp) next(ctx context.Context) (*Batch, error) {
	for !l.done {
		b, err := l.in.next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		n := int64(b.Rows())
		if l.skip >= n {
			l.skip -= n
			continue
		}
		if l.skip > 0 {
			b = sliced(b, int(l.skip), int(n))
			n -= l.skip
			l.skip = 0
		}
		if l.last != nil { // only ties are left
			return l.tied(b)
		}
		if l.left > n {
			l.left -= n
			return b, nil
		}
		if !l.withTies {
			l.done = true
			return sliced(b, 0, int(l.left)), nil
		}
		keys, err := l.ties.eval(l.w.frame, b)
		if err != nil {
			return nil, err
		}
		at := int32(l.left - 1)
		l.last = &Batch{Cols: kernel.TakeCols(keys, []int32{at}), N: 1}
		cmp := l.ties.comparer(l.w, l.last.Cols, keys)
		end := l.left
		for end < n && cmp(0, int(end)) == 0 {
			end++
		}
		l.done = end < n
		return sliced(b, 0, int(end)), nil
	}
	return nil, nil
}

func (l *limitOp) tied(b *Batch) (*Batch, error) {
	keys, err := l.ties.eval(l.w.frame, b)
	if err != nil {
		return nil, err
	}
	cmp, end := l.ties.comparer(l.w, l.last.Cols, keys), 0
	for end < b.Rows() && cmp(0, end) == 0 {
		end++
	}
	l.done = end < b.Rows()
	if end == 0 {
		return nil, nil
	}
	return sliced(b, 0, end), nil
}

func (l *limitOp) close() { l.in.close() }
