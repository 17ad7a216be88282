package vexec

import (
	"bytes"
	"context"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// prepareModify prepares UPDATE and DELETE of the rows of one span.
func (r *ShortRange) prepareModify(m *expr.ScalarMaker, mod *planpb.Modify) (ok bool) {
	t := mod.GetTable()
	if mod.GetExtraColumns() > 0 || len(mod.GetGenerated())+len(mod.GetChecks())+len(t.GetComputed()) > 0 || mod.GetPassOld() {
		return false
	}
	nCols := len(t.GetColumns())
	below, ps := projects(mod.GetInput())
	columns, ok := r.prepareScan(m, below, true)
	if !ok || r.scan.Table.GetStorageId() != t.GetStorageId() {
		return false
	}
	if r.row, ok = stack(m, columns, ps, 1); !ok || slices.Contains(r.row, nil) {
		return false
	}
	switch mod.GetOp() {
	case planpb.Modify_UPDATE:
		r.strength, r.keyKept = lockNoKeyUpdate, !indexed(t, mod.GetChanged())
		ok = len(r.row) == nCols
	case planpb.Modify_DELETE:
		r.strength = lockUpdate
		ok = len(r.row) == 0
	default:
		ok = false
	}
	if !ok {
		return false
	}
	r.modify, r.scan.Table, r.scan.Reuse = mod, t, true
	if !mod.GetHasReturning() {
		return true
	}
	ts, at := make([]*planpb.Type, nCols), make([]int32, nCols)
	for i, c := range t.GetColumns() {
		ts[i], at[i] = c.GetType(), int32(i)
	}
	m.SetColumns(rowColumns(ts, at))
	r.returning, ok = compileList(m, mod.GetReturning())
	return ok
}

// shortTarget is a locked row; row, when not nil, its new version, which a re-check has computed.
type shortTarget struct {
	locator  []byte
	old, row []types.Datum
}

// change runs UPDATE and DELETE: the rows are found, then locked, then changed.
func (r *ShortRange) change(ctx context.Context, store RowStore, in *expr.ScalarInput, env Exec) (out [][]types.Datum, affected int64, done bool, err error) {
	var locators [][]byte
	done, err = r.each(ctx, store, in, func(locator []byte) (bool, error) {
		locators = append(locators, bytes.Clone(locator))
		return true, nil
	})
	if err != nil || !done {
		return nil, 0, done, err
	}
	targets := make([]shortTarget, 0, len(locators))
	var again *shortRecheck
	defer func() { again.close() }()
	t := r.modify.GetTable()
	for _, l := range locators {
		loc, st, old, err := lockMoved(ctx, store, t, l, r.strength, waitBlock)
		if err != nil {
			return nil, 0, true, err
		}
		x := shortTarget{locator: l, old: old}
		if !bytes.Equal(loc, l) {
			x.locator = bytes.Clone(loc)
		}
		switch st {
		case RowUnchanged:
		case RowUpdated:
			if again == nil {
				if again, err = r.newRecheck(env); err != nil {
					return nil, 0, true, err
				}
			}
			ok := false
			if x.row, ok, err = again.run(ctx, x.locator, old); err != nil {
				return nil, 0, true, err
			}
			if !ok {
				continue
			}
		default:
			continue
		}
		targets = append(targets, x)
	}
	for i := range targets {
		x := &targets[i]
		if r.modify.GetOp() == planpb.Modify_UPDATE {
			if x.row == nil {
				in.Row = x.old
				if x.row, err = evalRow(r.row, in); err != nil {
					return nil, 0, true, err
				}
			}
			if err := checkNotNull(in.Ctx.Env, t, x.row); err != nil {
				return nil, 0, true, err
			}
		} else {
			x.row = nil
		}
	}
	for i := range targets {
		x := &targets[i]
		switch {
		case r.modify.GetOp() == planpb.Modify_DELETE:
			err = store.Delete(ctx, t, x.locator, x.old)
		case r.keyKept:
			err = store.UpdateInPlace(ctx, t, x.locator, x.row)
		default:
			err = store.Update(ctx, t, x.locator, x.old, x.row)
		}
		if err == nil && r.modify.GetNotify() && env.Observer != nil {
			err = env.Observer.RowChanged(t, r.modify.GetOp(), x.old, x.row)
		}
		if err != nil {
			return nil, 0, true, err
		}
	}
	if r.modify.GetHasReturning() {
		for i := range targets {
			if in.Row = targets[i].row; in.Row == nil {
				in.Row = targets[i].old
			}
			row, err := evalRow(r.returning, in)
			if err != nil {
				return nil, 0, true, err
			}
			out = append(out, row)
		}
	}
	return out, int64(len(targets)), true, nil
}

// shortRecheck computes rows anew that others have changed meanwhile, as the
// operators do and by them.
type shortRecheck struct {
	q  *query
	op *modifyOp
}

func (r *ShortRange) newRecheck(env Exec) (*shortRecheck, error) {
	c, err := r.ex.Run(context.Background(), r.stmt, env)
	if err != nil {
		return nil, err
	}
	x := &shortRecheck{q: c.(*query)}
	var ok bool
	if x.op, ok = unwrap(x.q.root).(*modifyOp); !ok {
		x.close()
		return nil, pgerror.Internal("a short range changes rows without Modify")
	}
	return x, nil
}

// run gives the new version of a row (nothing for DELETE); ok false: it is not wanted any more.
func (x *shortRecheck) run(ctx context.Context, locator []byte, old []types.Datum) (row []types.Datum, ok bool, err error) {
	m := x.op
	if m.recheck == nil {
		return nil, false, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
	}
	m.recheck.set(m.m.GetRecheckSlot(), m.m.GetTable(), m.m.GetRecheckColumns(), locator, old)
	b, err := m.recheck.run(ctx)
	if err != nil || b == nil {
		return nil, false, err
	}
	if m.m.GetOp() == planpb.Modify_UPDATE {
		row = rowOf(&Batch{Cols: b.Cols[1 : 1+m.nCols], N: b.N}, m.row.ts, 0)
	}
	return row, true, nil
}

func (x *shortRecheck) close() {
	if x != nil {
		x.q.Close()
	}
}
