package vexec

import (
	"context"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Point is a statement that reads or changes one row by its primary key, or
// inserts one: it runs without operators, batches and vectors. Which plans are
// points is decided when they are made (NewPoint); a Point gives what Executor.Run
// gives for the same plan. It is immutable and safe for concurrent use.
//
//	SELECT         Projects over Scan of one key
//	… FOR UPDATE   Projects over LockRows (which waits) over Projects over Scan of one key
//	UPDATE, DELETE Modify over Projects over Scan of one key
//	INSERT         Modify over Projects over Result or Values of one row
//
// Scans may have a filter and Modify RETURNING. Generated columns, CHECK, ON
// CONFLICT, computed index columns and expressions beyond expr.Scalar's are left
// to operators.
type Point struct {
	ex     *Executor
	stmt   *planpb.Statement
	kind   pointKind
	table  *planpb.Table
	modify *planpb.Modify

	fold    expr.ScalarFolder
	general bool
	key     []*expr.Scalar // of the primary key's columns
	filter  *expr.Scalar
	columns []int32        // SELECT that locks nothing: ordinals that are read
	row     []*expr.Scalar // the output row of SELECT, the new row of INSERT and UPDATE
	// returning is over the table's columns of the new (DELETE: old) row.
	returning []*expr.Scalar
	strength  uint32
	// keyKept: UPDATE leaves the columns of the primary key and of indexes alone.
	keyKept bool
	// wanted are the ordinals whose values are looked at of a row that is locked; nil: all.
	wanted []int32
}

type pointKind uint8

const (
	pointSelect pointKind = iota
	pointLock
	pointInsert
	pointUpdate
	pointDelete
)

// RowStore is a Store that reaches single rows without Readers. Its methods belong
// to the goroutine that drives the transaction. Keys are values of the primary
// key's columns, none of them NULL.
type RowStore interface {
	Store
	// GetRow reads columns (ordinals) of the row with a key; nil: there is none.
	GetRow(ctx context.Context, table *planpb.Table, key []types.Datum, columns []int32) ([]types.Datum, error)
	// LockKeyed finds the row with a key in the snapshot, asks match (unless nil)
	// whether it is wanted, and locks it as LockRow does, waiting. The locator is
	// valid until the next call; it is nil when the snapshot has no such row. It may
	// be RowUnchanged or RowUpdated with a row, another state without. Unless wanted is
	// nil, values of other columns may be LazyValues; match gets none.
	LockKeyed(ctx context.Context, table *planpb.Table, key []types.Datum, strength uint32, wanted []int32, match func(row []types.Datum) (bool, error)) (locator []byte, st RowState, row []types.Datum, err error)
	// InsertRow inserts a row that must not conflict.
	InsertRow(ctx context.Context, table *planpb.Table, row []types.Datum) error
	// ScanRows calls f with the rows of a span in the order of its keys, until f wants no
	// more. The locator is valid during the call, and a row too with scan.Reuse. done is false
	// when the span has more than the scan's maxima or is not for reading row by row;
	// f may have been called before.
	ScanRows(ctx context.Context, scan *RowScan, f func(locator []byte, row []types.Datum) (more bool, err error)) (done bool, err error)
	// UpdateInPlace is Update for a row whose keys and index entries stay what they are. It takes
	// LazyValues of the table's rows.
	UpdateInPlace(ctx context.Context, table *planpb.Table, locator []byte, row []types.Datum) error
}

// LazyValue is a value, not NULL, that a store has not read yet: what is in no expression need not be
// made a Datum only to be stored again.
type LazyValue interface {
	Value() (types.Datum, error)
}

// NewPoint prepares a statement as a point; nil when it is none.
func (e *Executor) NewPoint(stmt *planpb.Statement) *Point {
	if len(stmt.GetCtes())+len(stmt.GetInitPlans()) > 0 || stmt.GetExecSlots() > 0 {
		return nil
	}
	p := &Point{ex: e, stmt: stmt}
	m := expr.NewScalarMaker(e.opts.Registry)
	root := stmt.GetRoot()
	ok := false
	if mod := root.GetModify(); mod != nil {
		ok = p.prepareModify(m, mod)
	} else {
		ok = p.prepareSelect(m, root)
	}
	if !ok {
		return nil
	}
	p.fold, p.general = m.Folder(), m.General()
	return p
}

// projects takes the Projects off a plan, the topmost first.
func projects(p *planpb.Plan) (below *planpb.Plan, out [][]*planpb.Expr) {
	for p.GetProject() != nil {
		out = append(out, p.GetProject().GetExprs())
		p = p.GetProject().GetInput()
	}
	return p, out
}

// rowColumns are columns of the row by number; −1: not available.
func rowColumns(ts []*planpb.Type, at []int32) []*expr.Scalar {
	out := make([]*expr.Scalar, len(at))
	for i, c := range at {
		if c >= 0 {
			out[i] = expr.RowColumn(ts[i].T(), int(c))
		}
	}
	return out
}

// stack compiles projections over columns, the topmost first: what comes out of
// the top. The first skip columns are the locator. ok is false when something
// is not scalar, or would be computed twice or not at all.
func stack(m *expr.ScalarMaker, columns []*expr.Scalar, ps [][]*planpb.Expr, skip int) (out []*expr.Scalar, ok bool) {
	for k := len(ps) - 1; k >= 0; k-- {
		m.SetColumns(columns)
		out = make([]*expr.Scalar, len(ps[k]))
		for i, e := range ps[k] {
			if out[i] = m.Compile(e); out[i] == nil && !isLocator(e) {
				return nil, false
			}
		}
		if !m.UsedOnce() {
			return nil, false
		}
		columns = out
	}
	for i := range skip { // these have to be the locator
		if len(columns) <= i || columns[i] != nil {
			return nil, false
		}
	}
	return columns[skip:], true
}

// isLocator: a bare column, which may be one that is not available.
func isLocator(e *planpb.Expr) bool { return e.GetColumn() != nil }

// compileList compiles expressions; ok is false when one is not scalar.
func compileList(m *expr.ScalarMaker, es []*planpb.Expr) (out []*expr.Scalar, ok bool) {
	out = make([]*expr.Scalar, len(es))
	for i, e := range es {
		if out[i] = m.Compile(e); out[i] == nil {
			return nil, false
		}
	}
	return out, true
}

func (p *Point) prepareSelect(m *expr.ScalarMaker, root *planpb.Plan) (ok bool) {
	below, ps := projects(root)
	if l := below.GetLockRows(); l != nil {
		return p.prepareLock(m, l, ps)
	}
	s := below.GetScan()
	if s == nil || !p.prepareKey(m, s) {
		return false
	}
	p.columns = s.GetColumns()
	at := make([]int32, len(p.columns))
	for i, c := range p.columns {
		if c < 0 || int(c) >= len(p.table.GetColumns()) {
			return false
		}
		at[i] = int32(i)
	}
	columns := rowColumns(below.GetOutput(), at)
	if !p.prepareFilter(m, s, columns) {
		return false
	}
	if p.row, ok = stack(m, columns, ps, 0); !ok || slices.Contains(p.row, nil) {
		return false
	}
	if same(p.row, columns) {
		p.row = nil
	}
	return true
}

// prepareLock is prepareSelect for a row that is locked; above are the Projects of what comes out.
func (p *Point) prepareLock(m *expr.ScalarMaker, l *planpb.LockRows, above [][]*planpb.Expr) (ok bool) {
	below, ps := projects(l.GetInput())
	s := below.GetScan()
	if s == nil || len(l.GetTargets()) != 1 || l.GetTargets()[0].GetPolicy() != waitBlock || !p.prepareKey(m, s) {
		return false
	}
	t := l.GetTargets()[0]
	if t.GetTable().GetStorageId() != p.table.GetStorageId() || slices.ContainsFunc(s.GetColumns(), func(c int32) bool { return c < -1 }) {
		return false
	}
	// Expressions see the whole row, by ordinal.
	columns := rowColumns(below.GetOutput(), s.GetColumns())
	if !p.prepareFilter(m, s, columns) {
		return false
	}
	if p.row, ok = stack(m, columns, append(above, ps...), 0); !ok || slices.Contains(p.row, nil) {
		return false
	}
	p.kind, p.strength = pointLock, t.GetStrength()
	p.wanted = lookedAt(m.TakeReads(), p.row)
	return true
}

// lookedAt adds to reads the columns that expressions are. It is not nil.
func lookedAt(reads []int32, es []*expr.Scalar) []int32 {
	out := append([]int32{}, reads...)
	for _, e := range es {
		if c := e.Column(); c >= 0 {
			out = append(out, int32(c))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// same: the expressions are the columns as they are.
func same(es, columns []*expr.Scalar) bool { return slices.Equal(es, columns) }

// prepareKey checks that a scan is of one key.
func (p *Point) prepareKey(m *expr.ScalarMaker, s *planpb.Scan) (ok bool) {
	p.table = s.GetTable()
	n := len(p.table.GetPrimaryKey())
	if len(s.GetSpans()) != 1 || n == 0 {
		return false
	}
	sp := s.GetSpans()[0]
	if len(sp.GetEq()) != n || sp.GetLower() != nil || sp.GetUpper() != nil || sp.GetLastEqIsArray() || slices.Contains(sp.GetEqNull(), true) {
		return false
	}
	p.key, ok = compileList(m, sp.GetEq())
	return ok
}

func (p *Point) prepareFilter(m *expr.ScalarMaker, s *planpb.Scan, columns []*expr.Scalar) bool {
	if s.GetFilter() == nil {
		return true
	}
	m.SetColumns(columns)
	p.filter = m.Compile(s.GetFilter())
	return p.filter != nil
}

func (p *Point) prepareModify(m *expr.ScalarMaker, mod *planpb.Modify) (ok bool) {
	t := mod.GetTable()
	if mod.GetExtraColumns() > 0 || mod.GetOnConflict() != nil || len(mod.GetGenerated())+len(mod.GetChecks())+len(t.GetComputed()) > 0 || mod.GetPassOld() {
		return false
	}
	nCols := len(t.GetColumns())
	below, ps := projects(mod.GetInput())
	if mod.GetOp() == planpb.Modify_INSERT {
		p.kind = pointInsert
		var values []*planpb.Expr
		switch k := below.Op.(type) {
		case *planpb.Plan_Result:
			if k.Result.GetFilter() != nil {
				return false
			}
			values = k.Result.GetExprs()
		case *planpb.Plan_Values:
			if len(k.Values.GetRows()) != 1 {
				return false
			}
			values = k.Values.GetRows()[0].GetExprs()
		default:
			return false
		}
		columns, ok := compileList(m, values)
		if !ok {
			return false
		}
		if p.row, ok = stack(m, columns, ps, 0); !ok || len(p.row) != nCols || slices.Contains(p.row, nil) {
			return false
		}
	} else {
		s := below.GetScan()
		if s == nil || !p.prepareKey(m, s) || s.GetTable().GetStorageId() != t.GetStorageId() {
			return false
		}
		if slices.ContainsFunc(s.GetColumns(), func(c int32) bool { return c < -1 }) {
			return false
		}
		// Expressions see the whole row, by ordinal.
		columns := rowColumns(below.GetOutput(), s.GetColumns())
		if !p.prepareFilter(m, s, columns) {
			return false
		}
		if p.row, ok = stack(m, columns, ps, 1); !ok || slices.Contains(p.row, nil) {
			return false
		}
		switch mod.GetOp() {
		case planpb.Modify_UPDATE:
			p.kind, p.strength = pointUpdate, lockNoKeyUpdate
			if len(p.row) != nCols {
				return false
			}
			p.keyKept = !indexed(t, mod.GetChanged())
		case planpb.Modify_DELETE:
			p.kind, p.strength = pointDelete, lockUpdate
			if len(p.row) != 0 {
				return false
			}
		default:
			return false
		}
	}
	p.modify, p.table = mod, t
	if p.kind == pointUpdate && p.keyKept && !mod.GetNotify() {
		p.wanted = lookedAt(m.TakeReads(), nil)
	}
	if !mod.GetHasReturning() {
		return true
	}
	ts, at := make([]*planpb.Type, nCols), make([]int32, nCols)
	for i, c := range t.GetColumns() {
		ts[i], at[i] = c.GetType(), int32(i)
	}
	m.SetColumns(rowColumns(ts, at))
	p.returning, ok = compileList(m, mod.GetReturning())
	if ok && p.wanted != nil {
		for _, c := range lookedAt(m.TakeReads(), p.returning) { // of the new row
			p.wanted = lookedAt(p.wanted, p.row[c:c+1])
		}
	}
	return ok
}

// indexed: a column of the primary key or of any index may change.
func indexed(t *planpb.Table, changed []uint32) bool {
	if slices.ContainsFunc(t.GetPrimaryKey(), func(k *planpb.KeyPart) bool { return slices.Contains(changed, k.GetOrdinal()) }) {
		return true
	}
	for _, ix := range t.GetIndexes() {
		if ix.GetPartial() || slices.ContainsFunc(ix.GetKeys(), func(k *planpb.KeyPart) bool { return slices.Contains(changed, k.GetOrdinal()) }) ||
			slices.ContainsFunc(ix.GetInclude(), func(o uint32) bool { return slices.Contains(changed, o) }) {
			return true
		}
	}
	return false
}

// Run runs the statement at once. row is what it delivers, nil for none; affected
// is Cursor.RowsAffected.
func (p *Point) Run(ctx context.Context, store RowStore, env Exec) (row []types.Datum, affected int64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered(r)
		}
		if err != nil {
			row, affected, err = nil, 0, pgerror.From(err)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	p.ex.turns.came()
	in := expr.ScalarInput{Ctx: env.Expr}
	if p.general {
		c := *env.Expr
		c.Memory = expr.NewMemory(valueLimit{p.ex})
		in.Ctx = &c
		defer c.Memory.Reset()
	}
	if err := p.fold.Fold(&in); err != nil {
		return nil, 0, err
	}
	switch p.kind {
	case pointSelect:
		if row, err = p.read(ctx, store, &in); row != nil {
			affected = 1
		}
		return row, affected, err
	case pointInsert:
		return p.insert(ctx, store, &in, env.Observer)
	}
	return p.change(ctx, store, &in, env.Observer)
}

// keyOf computes the key; nil: a value is NULL, no row has it.
func (p *Point) keyOf(in *expr.ScalarInput) ([]types.Datum, error) {
	key := make([]types.Datum, len(p.key))
	for i, k := range p.key {
		d, err := k.Eval(in)
		if err != nil || d == nil {
			return nil, err
		}
		key[i] = d
	}
	return key, nil
}

func (p *Point) matches(in *expr.ScalarInput) (bool, error) {
	if p.filter == nil {
		return true, nil
	}
	d, err := p.filter.Eval(in)
	return d == true, err
}

func evalRow(es []*expr.Scalar, in *expr.ScalarInput) ([]types.Datum, error) {
	out := make([]types.Datum, len(es))
	for i, e := range es {
		var err error
		if out[i], err = e.Eval(in); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Point) read(ctx context.Context, store RowStore, in *expr.ScalarInput) ([]types.Datum, error) {
	key, err := p.keyOf(in)
	if err != nil || key == nil {
		return nil, err
	}
	if in.Row, err = store.GetRow(ctx, p.table, key, p.columns); err != nil || in.Row == nil {
		return nil, err
	}
	if ok, err := p.matches(in); err != nil || !ok {
		return nil, err
	}
	if p.row == nil {
		return in.Row, nil
	}
	return evalRow(p.row, in)
}

func (p *Point) insert(ctx context.Context, store RowStore, in *expr.ScalarInput, obs RowObserver) (out []types.Datum, affected int64, err error) {
	row, err := evalRow(p.row, in)
	if err != nil {
		return nil, 0, err
	}
	if err := checkNotNull(in.Ctx.Env, p.table, row); err != nil {
		return nil, 0, err
	}
	if err := store.InsertRow(ctx, p.table, row); err != nil {
		return nil, 0, err
	}
	return p.changed(in, obs, nil, row)
}

func (p *Point) change(ctx context.Context, store RowStore, in *expr.ScalarInput, obs RowObserver) (out []types.Datum, affected int64, err error) {
	key, err := p.keyOf(in)
	if err != nil || key == nil {
		return nil, 0, err
	}
	var match func(row []types.Datum) (bool, error)
	if p.filter != nil {
		match = func(row []types.Datum) (bool, error) {
			in.Row = row
			return p.matches(in)
		}
	}
	loc, st, old, err := store.LockKeyed(ctx, p.table, key, p.strength, p.wanted, match)
	if err != nil || loc == nil {
		return nil, 0, err
	}
	switch st {
	case RowUnchanged:
	case RowUpdated: // by its key it is the one; the rest of the condition is checked on what it is now
		in.Row = old
		if ok, err := p.matches(in); err != nil || !ok {
			return nil, 0, err
		}
	default:
		return nil, 0, nil
	}
	in.Row = old
	if p.kind == pointLock {
		out, err = evalRow(p.row, in)
		return out, 1, err
	}
	if p.kind == pointDelete {
		if err := store.Delete(ctx, p.table, loc, old); err != nil {
			return nil, 0, err
		}
		return p.changed(in, obs, old, nil)
	}
	row, err := evalRow(p.row, in)
	if err != nil {
		return nil, 0, err
	}
	if err := checkNotNull(in.Ctx.Env, p.table, row); err != nil {
		return nil, 0, err
	}
	if p.keyKept {
		err = store.UpdateInPlace(ctx, p.table, loc, row)
	} else {
		err = store.Update(ctx, p.table, loc, old, row)
	}
	if err != nil {
		return nil, 0, err
	}
	return p.changed(in, obs, old, row)
}

// changed tells the observer and computes RETURNING.
func (p *Point) changed(in *expr.ScalarInput, obs RowObserver, old, row []types.Datum) (out []types.Datum, affected int64, err error) {
	if p.modify.GetNotify() && obs != nil {
		if err := obs.RowChanged(p.table, p.modify.GetOp(), old, row); err != nil {
			return nil, 0, err
		}
	}
	if !p.modify.GetHasReturning() {
		return nil, 1, nil
	}
	if in.Row = row; row == nil {
		in.Row = old
	}
	out, err = evalRow(p.returning, in)
	return out, 1, err
}

// checkNotNull finds a NULL in a new row of a table where none may be.
func checkNotNull(env *types.Env, t *planpb.Table, row []types.Datum) error {
	for i, c := range t.GetColumns() {
		if row[i] == nil && c.GetNotNull() {
			if err := readLazy(row); err != nil {
				return err
			}
			detail, err := describeRow(env, t, row)
			if err != nil {
				return err
			}
			return notNullViolation(t, i, detail)
		}
	}
	return nil
}

// readLazy reads what a store has left unread.
func readLazy(row []types.Datum) (err error) {
	for i, d := range row {
		if l, ok := d.(LazyValue); ok {
			if row[i], err = l.Value(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Batch gives rows the point delivered as vectors.
func (p *Point) Batch(rows [][]types.Datum) *Batch { return rowsBatch(p.stmt, rows) }
