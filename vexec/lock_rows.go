package vexec

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// lockRowsOp locks the rows its input names and passes the input on. A row that
// changed since the snapshot is re-computed from the newest versions and comes
// out in its new form if it still qualifies; deleted and skipped rows vanish.
// Order preserved.
type lockRowsOp struct {
	w       *worker
	in      operator
	l       *planpb.LockRows
	ts      []types.T
	recheck *recheck
	// single: rows are locked one at a time as they are asked for, since a LIMIT
	// above may not want the next one
	single bool
	held   *Batch
	at     int
}

func newLockRows(w *worker, p *planpb.Plan, l *planpb.LockRows) (operator, error) {
	in, err := w.build(l.GetInput())
	if err != nil {
		return nil, err
	}
	op := &lockRowsOp{w: w, in: in, l: l, ts: outputTypes(p)}
	if l.GetRecheck() != nil {
		op.recheck = newRecheck(w, l.GetRecheck())
	}
	return op, nil
}

func (l *lockRowsOp) open(ctx context.Context) error {
	l.held = nil
	return l.in.open(ctx)
}

func (l *lockRowsOp) close() {
	l.in.close()
	l.recheck.close()
}

func (l *lockRowsOp) next(ctx context.Context) (*Batch, error) {
	for {
		b, err := l.pull(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		var keep []int32
		replaced := map[int32]*Batch{}
		for i := range b.N {
			ok, nb, err := l.lock(ctx, b, i)
			if err != nil {
				return nil, err
			}
			if ok {
				if nb != nil {
					replaced[int32(len(keep))] = nb
				}
				keep = append(keep, int32(i))
			}
		}
		if len(keep) == 0 {
			continue
		}
		if len(replaced) == 0 {
			if len(keep) == b.N {
				return b, nil
			}
			return narrowed(b, keep), nil
		}
		parts := make([]*Batch, len(keep))
		for k, i := range keep {
			if parts[k] = replaced[int32(k)]; parts[k] == nil {
				parts[k] = &Batch{Cols: oneRow(b.Cols, int(i)), N: 1}
			}
		}
		return concatBatches(l.ts, parts), nil
	}
}

// pull gives the next rows to lock.
func (l *lockRowsOp) pull(ctx context.Context) (*Batch, error) {
	if l.held == nil {
		b, err := l.in.next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		l.held, l.at = dense(b), 0
	}
	b := l.held
	if !l.single {
		l.held = nil
		return b, nil
	}
	l.at++
	if l.at >= b.N {
		l.held = nil
	}
	return sliced(b, l.at-1, l.at), nil
}

// lock locks row i's targets. ok false: the row is out; nb is its new form.
func (l *lockRowsOp) lock(ctx context.Context, b *Batch, i int) (ok bool, nb *Batch, err error) {
	changed := false
	for _, t := range l.l.GetTargets() {
		col := b.Cols[t.GetLocatorColumn()]
		if col.IsNull(i) {
			continue // the NULL side of an outer join has no row
		}
		loc := kernel.Strings(col).At(i)
		loc, st, row, err := lockMoved(ctx, l.w.q.env.Store, t.GetTable(), loc, t.GetStrength(), t.GetPolicy())
		if err != nil {
			return false, nil, err
		}
		switch st {
		case RowDeleted, RowSkipped, RowSelfModified:
			return false, nil, nil
		case RowUpdated:
			changed = true
		}
		if l.recheck != nil {
			l.recheck.set(t.GetRecheckSlot(), t.GetTable(), t.GetRecheckColumns(), loc, row)
		}
	}
	if !changed {
		return true, nil, nil
	}
	if l.recheck == nil {
		return false, nil, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
	}
	out, err := l.recheck.run(ctx)
	if err != nil || out == nil {
		return false, nil, err
	}
	return true, &Batch{Cols: oneRow(out.Cols, 0), N: 1}, nil
}

// lockMoved is LockRow that follows a row to its new key, under which it then counts
// as changed. It gives the locator of the row it has locked.
func lockMoved(ctx context.Context, store Store, t *planpb.Table, loc []byte, strength, policy uint32) ([]byte, RowState, []types.Datum, error) {
	for moved := false; ; moved = true {
		st, row, err := store.LockRow(ctx, t, loc, strength, policy)
		if err != nil {
			return nil, st, nil, err
		}
		switch {
		case st == RowMoved:
			loc = row[0].([]byte)
			continue
		case moved && st == RowUnchanged:
			st = RowUpdated
		}
		return loc, st, row, nil
	}
}
