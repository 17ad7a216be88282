package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Row lock strengths and the blocking wait policy, as txn numbers them.
const (
	lockNoKeyUpdate = 2
	lockUpdate      = 3
	waitBlock       = 0
)

// modifyOp applies INSERT, UPDATE, DELETE or MERGE to one table, a batch of its
// input at a time: rows are locked, re-checked where a newer version was found,
// completed (generated columns), checked, and handed to the Mutator. Output: the
// RETURNING rows; without RETURNING the first call to next does all the work.
type modifyOp struct {
	w         *worker
	in        operator
	m         *planpb.Modify
	inTs      []types.T
	row       *rowMaker
	returning []*expr.Expr
	recheck   *recheck
	strength  uint32
	nCols     int

	// ON CONFLICT DO UPDATE
	conflictSet   []*expr.Expr
	conflictWhere *expr.Expr
	conflictBind  []*expr.Expr

	count int64
	done  bool
	out   []*Batch
}

func newModify(w *worker, p *planpb.Plan, m *planpb.Modify) (operator, error) {
	in, err := w.build(m.GetInput())
	if err != nil {
		return nil, err
	}
	op := &modifyOp{w: w, in: in, m: m, inTs: outputTypes(m.GetInput()), nCols: len(m.GetTable().GetColumns())}
	if op.row, err = newRowMaker(w, m); err != nil {
		return nil, err
	}
	if op.returning, err = w.compileAll(m.GetReturning()); err != nil {
		return nil, err
	}
	if m.GetRecheck() != nil {
		op.recheck = newRecheck(w, m.GetRecheck())
	}
	if c := m.GetOnConflict(); c != nil && c.GetUpdate() {
		for _, a := range c.GetSet() {
			e, err := w.compile(a.GetValue())
			if err != nil {
				return nil, err
			}
			op.conflictSet = append(op.conflictSet, e)
		}
		for _, b := range c.GetBindings() {
			e, err := w.compile(b.GetValue())
			if err != nil {
				return nil, err
			}
			op.conflictBind = append(op.conflictBind, e)
		}
		if op.conflictWhere, err = w.compile(c.GetWhere()); err != nil {
			return nil, err
		}
	}
	op.strength = lockNoKeyUpdate // Store.Update takes more where a key does change
	return op, nil
}

func (m *modifyOp) affected() int64 { return m.count }

func (m *modifyOp) open(ctx context.Context) error {
	m.count, m.done, m.out = 0, false, nil
	return m.in.open(ctx)
}

func (m *modifyOp) close() {
	m.in.close()
	m.recheck.close()
}

func (m *modifyOp) next(ctx context.Context) (*Batch, error) {
	for {
		if len(m.out) > 0 {
			b := m.out[0]
			m.out = m.out[1:]
			return b, nil
		}
		if m.done {
			return nil, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := m.in.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			m.done = true
			continue
		}
		b = dense(b)
		switch m.m.GetOp() {
		case planpb.Modify_INSERT:
			err = m.insert(ctx, b.Cols, b.N)
		case planpb.Modify_UPDATE:
			err = m.update(ctx, b)
		case planpb.Modify_DELETE:
			err = m.delete(ctx, b)
		case planpb.Modify_MERGE:
			err = m.merge(ctx, b)
		}
		if err != nil {
			return nil, err
		}
	}
}

// give queues RETURNING rows computed from table columns and extra columns.
func (m *modifyOp) give(cols, extra []arrow.Array, n int) error {
	m.count += int64(n)
	if !m.m.GetHasReturning() || n == 0 {
		return nil
	}
	all := append(append(make([]arrow.Array, 0, len(cols)+len(extra)), cols...), extra...)
	out, err := evalAll(m.w.frame, m.returning, expr.NewInput(all, n, nil))
	if err != nil {
		return err
	}
	m.out = append(m.out, &Batch{Cols: out, N: n})
	return nil
}

// notify tells the observer of changed rows.
func (m *modifyOp) notify(op planpb.Modify_Op, old, new []types.Datum) error {
	if !m.m.GetNotify() || m.w.q.env.Observer == nil {
		return nil
	}
	return m.w.q.env.Observer.RowChanged(m.m.GetTable(), op, old, new)
}

func (m *modifyOp) notifyAll(op planpb.Modify_Op, b *Batch) error {
	if !m.m.GetNotify() || m.w.q.env.Observer == nil {
		return nil
	}
	for i := range b.N {
		if err := m.notify(op, nil, rowOf(b, m.row.ts, i)); err != nil {
			return err
		}
	}
	return nil
}

// insert adds rows of the first table columns of cols; the rest are extra.
func (m *modifyOp) insert(ctx context.Context, cols []arrow.Array, n int) error {
	b, err := m.row.complete(cols[:m.nCols], n)
	if err != nil {
		return err
	}
	extra := cols[m.nCols:]
	ext, err := m.row.extend(b)
	if err != nil {
		return err
	}
	if m.m.GetOnConflict() != nil {
		return m.insertOrConflict(ctx, b, ext, extra)
	}
	if err := m.w.q.env.Store.InsertBatch(ctx, m.m.GetTable(), ext); err != nil {
		return err
	}
	if err := m.notifyAll(planpb.Modify_INSERT, b); err != nil {
		return err
	}
	return m.give(b.Cols, extra, n)
}

// rowBatch is one row's columns and extra columns.
func oneRow(cols []arrow.Array, i int) []arrow.Array {
	out := make([]arrow.Array, len(cols))
	for c, a := range cols {
		out[c] = kernel.Slice(a, i, i+1)
	}
	return out
}

func (m *modifyOp) insertOrConflict(ctx context.Context, b, ext *Batch, extra []arrow.Array) error {
	var fresh []int32
	flush := func() error {
		if len(fresh) == 0 {
			return nil
		}
		err := m.give(kernel.TakeCols(b.Cols, fresh), kernel.TakeCols(extra, fresh), len(fresh))
		fresh = nil
		return err
	}
	for i := range b.N {
		row := rowOf(ext, m.row.extTs, i)
		for {
			c, err := m.w.q.env.Store.InsertOrConflict(ctx, m.m.GetTable(), m.m.GetOnConflict(), row)
			if err != nil {
				return err
			}
			if c == nil {
				fresh = append(fresh, int32(i))
				if err := m.notify(planpb.Modify_INSERT, nil, row[:m.nCols]); err != nil {
					return err
				}
				break
			}
			if !m.m.GetOnConflict().GetUpdate() {
				break
			}
			if c.SameStatement {
				return onConflictTwice()
			}
			if err := flush(); err != nil {
				return err
			}
			gone, err := m.conflictUpdate(ctx, c.Locator, oneRow(b.Cols, i), oneRow(extra, i))
			if err != nil {
				return err
			}
			if !gone {
				break
			}
		}
	}
	return flush()
}

func onConflictTwice() error {
	return pgerror.New(pgerror.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
		WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
}

// conflictUpdate updates the row an INSERT met; gone: it has vanished, insert again.
func (m *modifyOp) conflictUpdate(ctx context.Context, locator []byte, excluded, extra []arrow.Array) (gone bool, err error) {
	st, old, err := m.w.q.env.Store.LockRow(ctx, m.m.GetTable(), locator, m.strength, waitBlock)
	if err != nil {
		return false, err
	}
	switch st {
	case RowDeleted, RowSkipped, RowMoved: // what the row was in conflict with is gone with its key
		return true, nil
	case RowSelfModified:
		return false, onConflictTwice()
	}
	oldB := batchOf(m.row.ts, old)
	in := expr.NewInput(append(append([]arrow.Array{}, oldB.Cols...), excluded...), 1, nil)
	if err := m.bindRow(in); err != nil {
		return false, err
	}
	if m.conflictWhere != nil {
		keep, err := m.conflictWhere.Filter(m.w.frame, in)
		if err != nil {
			return false, err
		}
		if keep != nil && len(keep) == 0 {
			return false, nil
		}
	}
	cols := append([]arrow.Array{}, oldB.Cols...)
	for k, e := range m.conflictSet {
		if cols[m.m.OnConflict.Set[k].GetOrdinal()], err = e.Eval(m.w.frame, in); err != nil {
			return false, err
		}
	}
	return false, m.replace(ctx, [][]byte{locator}, [][]types.Datum{old}, cols, extra, 1)
}

// bindRow makes the sub-selects of ON CONFLICT see the row in hand.
func (m *modifyOp) bindRow(in *expr.Input) error {
	c := m.m.GetOnConflict()
	if len(c.GetInitSlots()) == 0 {
		return nil
	}
	row := map[uint32]types.Datum{}
	for k, b := range c.GetBindings() {
		v, err := m.conflictBind[k].Eval(m.w.frame, in)
		if err != nil {
			return err
		}
		row[b.GetSlot()] = types.Get(m.conflictBind[k].Type, v, 0)
	}
	m.w.q.rerun(c.GetInitSlots(), row)
	for _, s := range c.GetInitSlots() {
		m.w.frame.Unset(s)
	}
	return nil
}

// replace completes, checks and stores the new versions (cols) of locked rows.
func (m *modifyOp) replace(ctx context.Context, locators [][]byte, old [][]types.Datum, cols, extra []arrow.Array, n int) error {
	b, err := m.row.complete(cols, n)
	if err != nil {
		return err
	}
	ext, err := m.row.extend(b)
	if err != nil {
		return err
	}
	oldExt, err := m.row.extend(batchOf(m.row.ts, old...))
	if err != nil {
		return err
	}
	for i := range n {
		o, nw := rowOf(oldExt, m.row.extTs, i), rowOf(ext, m.row.extTs, i)
		if err := m.w.q.env.Store.Update(ctx, m.m.GetTable(), locators[i], o, nw); err != nil {
			return err
		}
		if err := m.notify(planpb.Modify_UPDATE, o[:m.nCols], nw[:m.nCols]); err != nil {
			return err
		}
	}
	return m.give(b.Cols, extra, n)
}

// lockedRow is a target row of UPDATE or DELETE after locking.
type lockedRow struct {
	locator []byte
	old     []types.Datum
	in      []arrow.Array // the input row, re-computed if the row had changed
}

// lock locks a target row. ok false: skip it.
func (m *modifyOp) lock(ctx context.Context, locator []byte, strength uint32, in []arrow.Array) (r lockedRow, st RowState, ok bool, err error) {
	locator, st, old, err := lockMoved(ctx, m.w.q.env.Store, m.m.GetTable(), locator, strength, waitBlock)
	if err != nil {
		return r, st, false, err
	}
	r = lockedRow{append([]byte{}, locator...), old, in}
	switch st {
	case RowUnchanged:
		return r, st, true, nil
	case RowUpdated:
		if m.recheck == nil {
			return r, st, false, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
		}
		m.recheck.set(m.m.GetRecheckSlot(), m.m.GetTable(), m.m.GetRecheckColumns(), locator, old)
		b, err := m.recheck.run(ctx)
		if err != nil || b == nil {
			return r, st, false, err
		}
		r.in = oneRow(b.Cols, 0)
		return r, st, true, nil
	}
	return r, st, false, nil
}

// lockAll locks the targets of a batch, each row once.
func (m *modifyOp) lockAll(ctx context.Context, b *Batch, strength uint32) ([]lockedRow, error) {
	loc, valid := kernel.Strings(b.Cols[0]), kernel.Valid(b.Cols[0])
	var rows []lockedRow
	var seen map[string]bool
	if b.N > 1 {
		seen = make(map[string]bool, b.N)
	}
	for i := range b.N {
		if !valid.Get(i) {
			continue
		}
		if seen != nil {
			if seen[loc.Str(i)] {
				continue
			}
			seen[loc.Str(i)] = true
		}
		r, _, ok, err := m.lock(ctx, loc.At(i), strength, oneRow(b.Cols, i))
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// columns joins the input rows of locked rows.
func (m *modifyOp) columns(rows []lockedRow) []arrow.Array {
	if len(rows) == 1 {
		return rows[0].in
	}
	out := make([]arrow.Array, len(m.inTs))
	parts := make([]arrow.Array, len(rows))
	for c, t := range m.inTs {
		for i, r := range rows {
			parts[i] = r.in[c]
		}
		out[c] = kernel.Concat(t, parts)
	}
	return out
}

func (m *modifyOp) update(ctx context.Context, b *Batch) error {
	rows, err := m.lockAll(ctx, b, m.strength)
	if err != nil || len(rows) == 0 {
		return err
	}
	cols := m.columns(rows)
	locators, old := make([][]byte, len(rows)), make([][]types.Datum, len(rows))
	for i, r := range rows {
		locators[i], old[i] = r.locator, r.old
	}
	return m.replace(ctx, locators, old, cols[1:1+m.nCols], cols[1+m.nCols:], len(rows))
}

func (m *modifyOp) delete(ctx context.Context, b *Batch) error {
	rows, err := m.lockAll(ctx, b, lockUpdate)
	if err != nil || len(rows) == 0 {
		return err
	}
	return m.remove(ctx, rows, m.columns(rows)[1:])
}

func (m *modifyOp) remove(ctx context.Context, rows []lockedRow, extra []arrow.Array) error {
	old := make([][]types.Datum, len(rows))
	for i, r := range rows {
		old[i] = r.old
	}
	b := batchOf(m.row.ts, old...)
	ext, err := m.row.extend(b)
	if err != nil {
		return err
	}
	for i, r := range rows {
		o := rowOf(ext, m.row.extTs, i)
		if err := m.w.q.env.Store.Delete(ctx, m.m.GetTable(), r.locator, o); err != nil {
			return err
		}
		if err := m.notify(planpb.Modify_DELETE, o[:m.nCols], nil); err != nil {
			return err
		}
	}
	return m.give(b.Cols, extra, len(rows))
}

// merge applies each row's action.
func (m *modifyOp) merge(ctx context.Context, b *Batch) error {
	for i := range b.N {
		if err := m.mergeRow(ctx, oneRow(b.Cols, i)); err != nil {
			return err
		}
	}
	return nil
}

func (m *modifyOp) mergeRow(ctx context.Context, in []arrow.Array) error {
	locked := false
	var r lockedRow
	for {
		action := kernel.Values[int32](in[1])[0]
		if in[1].NullN() > 0 || action < 0 {
			return nil
		}
		if int(action) >= len(m.m.GetMergeActions()) {
			return pgerror.Internal("merge action %d of %d", action, len(m.m.GetMergeActions()))
		}
		a := m.m.MergeActions[action]
		if a.GetDoNothing() {
			return nil
		}
		cols := in[2:]
		if a.GetOp() == planpb.Modify_INSERT {
			return m.insert(ctx, cols, 1)
		}
		if !locked {
			strength := m.strength
			if a.GetOp() == planpb.Modify_DELETE {
				strength = lockUpdate
			}
			var st RowState
			var ok bool
			var err error
			if r, st, ok, err = m.lock(ctx, kernel.Strings(in[0]).At(0), strength, in); err != nil {
				return err
			}
			if st == RowSelfModified {
				return pgerror.New(pgerror.CardinalityViolation, "MERGE command cannot affect row a second time").
					WithHint("Ensure that not more than one source row matches any one target row.")
			}
			if !ok {
				return nil
			}
			locked = true
			if st == RowUpdated { // the action may be another one now
				in = r.in
				continue
			}
		}
		if a.GetOp() == planpb.Modify_DELETE {
			return m.remove(ctx, []lockedRow{r}, cols[m.nCols:])
		}
		return m.replace(ctx, [][]byte{r.locator}, [][]types.Datum{r.old}, cols[:m.nCols], cols[m.nCols:], 1)
	}
}
