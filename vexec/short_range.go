package vexec

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// ShortRange is a statement about the few rows in one range of the primary key or
// of an index, row by row: Point's sibling. Which plans are is decided when they
// are made (NewShortRange); it gives what Executor.Run gives for the same plan, in
// the order of the keys. It is immutable but for a counter and safe for concurrent use.
//
//	SELECT          Projects over Limit (optional) over Agg without keys (optional) over rows
//	UPDATE, DELETE  Modify over Projects over a scan of one span
//	rows            a scan of one span, or its inner join with a table that is looked
//	                up by its primary key, row by row
//
// Scans may have a filter and Modify RETURNING. What is left to operators is what
// Point leaves to them, volatile functions, OFFSET and WITH TIES.
//
// The planner may have expected too little: a range that has more than
// shortRowsMax rows, or bytes, is given up before anything has been changed or
// delivered, and the statement is the operators'.
type ShortRange struct {
	ex   *Executor
	stmt *planpb.Statement

	fold    expr.ScalarFolder
	general bool
	scan    RowScan // Bounds: those parts that need no values
	span    *planpb.Span
	eq      []*expr.Scalar // of span; nil: IS NULL
	lower   *expr.Scalar
	upper   *expr.Scalar
	filter  *expr.Scalar
	lookup  *shortLookup
	aggs    []shortAgg
	limit   *expr.Scalar
	row     []*expr.Scalar // nil: what was read as it is

	modify    *planpb.Modify
	strength  uint32
	keyKept   bool
	returning []*expr.Scalar

	// skip: so many runs are not tried, since the last one was too long.
	skip atomic.Int32
}

const (
	// shortRowsExpected: what the planner expects more of is not tried. A guess for a range between
	// parameters is a part of the table, so it grows with it while the range does not.
	shortRowsExpected = 1000
	shortRowsMax      = 1024
	shortBytesMax     = 1 << 20
	shortLimitMax     = 64
	// shortSkip is how many runs are left to operators after one that was too long.
	shortSkip = 64
)

// RowScan is a scan of one span of keys, row by row.
type RowScan struct {
	Table *planpb.Table
	// Index is the position in Table.Indexes; below 0: the primary key.
	Index   int
	Bounds  KeyBounds
	Reverse bool
	// Columns are the ordinals wanted.
	Columns []int32
	// RowsMax and BytesMax bound what is read.
	RowsMax, BytesMax int
	// Reuse: a row is done with when the next one comes.
	Reuse bool
}

// NewShortRange prepares a statement; nil when it is none of a short range.
func (e *Executor) NewShortRange(stmt *planpb.Statement) *ShortRange {
	if len(stmt.GetCtes())+len(stmt.GetInitPlans()) > 0 || stmt.GetExecSlots() > 0 {
		return nil
	}
	r := &ShortRange{ex: e, stmt: stmt}
	m := expr.NewScalarMaker(e.opts.Registry)
	root := stmt.GetRoot()
	ok := false
	if mod := root.GetModify(); mod != nil {
		ok = r.prepareModify(m, mod)
	} else {
		ok = r.prepareSelect(m, root)
	}
	if !ok || m.Volatile() {
		return nil
	}
	r.fold, r.general = m.Folder(), m.General()
	return r
}

func (r *ShortRange) prepareSelect(m *expr.ScalarMaker, root *planpb.Plan) (ok bool) {
	below, above := projects(root)
	if l := below.GetLimit(); l != nil {
		if l.GetOffset() != nil || l.GetWithTies() || l.GetCount() == nil {
			return false
		}
		if r.limit = m.Compile(l.GetCount()); r.limit == nil {
			return false
		}
		var ps [][]*planpb.Expr
		below, ps = projects(l.GetInput())
		above = append(above, ps...)
	}
	var columns []*expr.Scalar
	if a := below.GetAgg(); a != nil {
		if columns, ok = r.prepareAgg(m, below, a); !ok {
			return false
		}
	} else if columns, ok = r.prepareRows(m, below); !ok {
		return false
	}
	if r.row, ok = stack(m, columns, above, 0); !ok || slices.Contains(r.row, nil) {
		return false
	}
	if len(r.aggs) == 0 && r.lookup == nil && same(r.row, columns) {
		r.row = nil
	}
	r.scan.Reuse = r.row != nil
	return true
}

// prepareRows prepares where rows come from: columns are what they have, by the
// number in p's output; nil: not available.
func (r *ShortRange) prepareRows(m *expr.ScalarMaker, p *planpb.Plan) (columns []*expr.Scalar, ok bool) {
	p, above := projects(p)
	if g := p.GetGather(); g != nil {
		if len(g.GetMergeKeys()) > 0 {
			return nil, false
		}
		var ps [][]*planpb.Expr
		p, ps = projects(g.GetInput())
		above = append(above, ps...)
	}
	if j := p.GetHashJoin(); j != nil {
		columns, ok = r.prepareLookup(m, j)
	} else {
		columns, ok = r.prepareScan(m, p, false)
	}
	if !ok {
		return nil, false
	}
	return stack(m, columns, above, 0)
}

// prepareScan prepares the scan of a span. whole: all columns are read, and what
// columns stand for goes by their ordinals.
func (r *ShortRange) prepareScan(m *expr.ScalarMaker, p *planpb.Plan, whole bool) (columns []*expr.Scalar, ok bool) {
	var spans []*planpb.Span
	var filter *planpb.Expr
	var ordinals []int32
	var hint uint64
	switch k := p.Op.(type) {
	case *planpb.Plan_Scan:
		s := k.Scan
		if len(s.GetTable().GetPrimaryKey()) == 0 {
			return nil, false
		}
		r.scan.Table, r.scan.Index, r.scan.Reverse = s.GetTable(), -1, s.GetReverse()
		spans, filter, ordinals, hint = s.GetSpans(), s.GetFilter(), s.GetColumns(), s.GetLimitHint()
	case *planpb.Plan_IndexScan:
		s := k.IndexScan
		r.scan.Table, r.scan.Index, r.scan.Reverse = s.GetTable(), int(s.GetIndex()), s.GetReverse()
		spans, filter, ordinals, hint = s.GetSpans(), s.GetFilter(), s.GetColumns(), s.GetLimitHint()
	default:
		return nil, false
	}
	if p.GetRows() > shortRowsExpected && (hint == 0 || hint > shortLimitMax) || len(spans) != 1 || spans[0].GetLastEqIsArray() {
		return nil, false
	}
	if !r.prepareSpan(m, spans[0]) {
		return nil, false
	}
	at := make([]int32, len(ordinals))
	for i, o := range ordinals {
		switch {
		case o < -1 || int(o) >= len(r.scan.Table.GetColumns()):
			return nil, false
		case o < 0 || whole:
			at[i] = o
		default:
			at[i] = int32(len(r.scan.Columns))
			r.scan.Columns = append(r.scan.Columns, o)
		}
	}
	columns = rowColumns(p.GetOutput(), at)
	if filter != nil {
		m.SetColumns(columns)
		if r.filter = m.Compile(filter); r.filter == nil {
			return nil, false
		}
		if whole {
			for o := range r.scan.Table.GetColumns() {
				r.scan.Columns = append(r.scan.Columns, int32(o))
			}
		}
	}
	return columns, true
}

func (r *ShortRange) prepareSpan(m *expr.ScalarMaker, s *planpb.Span) bool {
	r.span = s
	m.SetColumns(nil)
	for i, e := range s.GetEq() {
		if i < len(s.GetEqNull()) && s.GetEqNull()[i] {
			if e.GetKind() != nil {
				return false
			}
			r.eq = append(r.eq, nil)
			continue
		}
		x := m.Compile(e)
		if x == nil {
			return false
		}
		r.eq = append(r.eq, x)
	}
	if e := s.GetLower(); e != nil {
		if r.lower = m.Compile(e); r.lower == nil {
			return false
		}
	}
	if e := s.GetUpper(); e != nil {
		if r.upper = m.Compile(e); r.upper == nil {
			return false
		}
	}
	return true
}

// bounds computes the span; some is false when no row can be in it.
func (r *ShortRange) bounds(in *expr.ScalarInput) (b KeyBounds, some bool, err error) {
	b = KeyBounds{LowerInclusive: r.span.GetLowerInclusive(), UpperInclusive: r.span.GetUpperInclusive()}
	if len(r.eq) > 0 {
		b.Eq = make([]types.Datum, len(r.eq))
	}
	for i, e := range r.eq {
		if e == nil {
			continue
		}
		if b.Eq[i], err = e.Eval(in); err != nil || b.Eq[i] == nil {
			return b, false, err
		}
	}
	if r.lower != nil {
		if b.Lower, err = r.lower.Eval(in); err != nil || b.Lower == nil {
			return b, false, err
		}
		b.HasLower = true
	}
	if r.upper != nil {
		if b.Upper, err = r.upper.Eval(in); err != nil || b.Upper == nil {
			return b, false, err
		}
		b.HasUpper = true
	}
	return b, true, nil
}

// Run runs the statement at once. rows is what it delivers, affected
// Cursor.RowsAffected. done is false when nothing was done: run the plan.
func (r *ShortRange) Run(ctx context.Context, store RowStore, env Exec) (rows [][]types.Datum, affected int64, done bool, err error) {
	if r.skip.Load() > 0 {
		r.skip.Add(-1)
		return nil, 0, false, nil
	}
	defer func() {
		if x := recover(); x != nil {
			err = recovered(x)
		}
		if err != nil {
			rows, affected, done, err = nil, 0, true, pgerror.From(err)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, 0, true, err
	}
	r.ex.turns.came()
	in := expr.ScalarInput{Ctx: env.Expr}
	if r.general {
		c := *env.Expr
		c.Memory = expr.NewMemory(valueLimit{r.ex})
		in.Ctx = &c
		defer c.Memory.Reset()
	}
	if err := r.fold.Fold(&in); err != nil {
		return nil, 0, true, err
	}
	if r.modify != nil {
		rows, affected, done, err = r.change(ctx, store, &in, env)
	} else {
		rows, done, err = r.read(ctx, store, &in)
		affected = int64(len(rows))
	}
	if !done && err == nil {
		r.skip.Store(shortSkip)
	}
	return rows, affected, done, err
}

// each gives the rows of the span that pass the filter to f as in.Row, joined
// where there is a lookup, until f has enough.
func (r *ShortRange) each(ctx context.Context, store RowStore, in *expr.ScalarInput, f func(locator []byte) (more bool, err error)) (done bool, err error) {
	scan := r.scan
	scan.RowsMax, scan.BytesMax = shortRowsMax, shortBytesMax
	some := false
	if scan.Bounds, some, err = r.bounds(in); err != nil || !some {
		return true, err
	}
	if r.lookup != nil {
		return r.lookup.each(ctx, store, in, &scan, r.filter, f)
	}
	return store.ScanRows(ctx, &scan, func(locator []byte, row []types.Datum) (bool, error) {
		in.Row = row
		if r.filter != nil {
			if d, err := r.filter.Eval(in); err != nil || d != true {
				return err == nil, err
			}
		}
		return f(locator)
	})
}

// read runs SELECT.
func (r *ShortRange) read(ctx context.Context, store RowStore, in *expr.ScalarInput) (rows [][]types.Datum, done bool, err error) {
	limit := int64(-1)
	if r.limit != nil {
		d, err := r.limit.Eval(in)
		if err != nil {
			return nil, true, err
		}
		if d != nil {
			if limit = int64Of(d); limit < 0 {
				return nil, true, pgerror.New(pgerror.InvalidRowCountInLimitClause, "LIMIT must not be negative")
			}
		}
	}
	if limit == 0 {
		return nil, true, nil
	}
	if len(r.aggs) > 0 {
		states := make([]shortState, len(r.aggs))
		done, err = r.each(ctx, store, in, func([]byte) (bool, error) {
			for i := range r.aggs {
				if err := r.aggs[i].add(&states[i], in); err != nil {
					return false, err
				}
			}
			return true, nil
		})
		if err != nil || !done {
			return nil, done, err
		}
		in.Row = make([]types.Datum, len(states))
		for i := range states {
			in.Row[i] = r.aggs[i].result(&states[i])
		}
		row, err := evalRow(r.row, in)
		return [][]types.Datum{row}, true, err
	}
	bytes := 0
	long := false
	done, err = r.each(ctx, store, in, func([]byte) (bool, error) {
		row := in.Row
		if r.row != nil {
			var err error
			if row, err = evalRow(r.row, in); err != nil {
				return false, err
			}
			if bytes += rowBytes(row); bytes > shortBytesMax {
				long = true
				return false, nil
			}
		}
		rows = append(rows, row)
		return limit < 0 || int64(len(rows)) < limit, nil
	})
	return rows, done && !long, err
}

// rowBytes is about what the larger values of a row take.
func rowBytes(row []types.Datum) (n int) {
	for _, d := range row {
		switch v := d.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// Batch gives rows it delivered as vectors.
func (r *ShortRange) Batch(rows [][]types.Datum) *Batch {
	return rowsBatch(r.stmt, rows)
}

// rowsBatch gives rows that a statement delivered as vectors.
func rowsBatch(stmt *planpb.Statement, rows [][]types.Datum) *Batch {
	ts := make([]types.T, len(stmt.GetRoot().GetOutput()))
	for i, t := range stmt.GetRoot().GetOutput() {
		ts[i] = t.T()
	}
	return batchOf(ts, rows...)
}
