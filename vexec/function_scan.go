package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// functionScan is ROWS FROM (f, g, …): the functions' rows side by side, shorter
// ones padded with NULL, then an ordinality.
type functionScan struct {
	w    *worker
	fs   []*tableFunc
	ts   []types.T
	ord  bool
	n    int64
	done bool
}

type tableFunc struct {
	set    *setCall
	scalar *expr.Expr
	width  int
	ts     []types.T // of the columns, if they were named
	expand bool
	rows   *setRows
	one    []types.Datum // the scalar's row, nil when given
	end    bool
}

func newFunctionScan(w *worker, p *planpb.Plan, f *planpb.FunctionScan) (operator, error) {
	op := &functionScan{w: w, ts: outputTypes(p), ord: f.GetOrdinality()}
	for _, t := range f.GetFuncs() {
		tf := &tableFunc{width: len(t.GetColumns()), expand: t.GetExpand()}
		var err error
		if t.GetSet() != nil {
			tf.set, err = newSetCall(w, t.GetSet())
		} else {
			tf.scalar, err = w.compile(t.GetScalar())
		}
		if err != nil {
			return nil, err
		}
		tf.describe(t)
		op.fs = append(op.fs, tf)
	}
	return op, nil
}

// describe tells the function the columns its rows are to have, which a
// function returning record learns from the column definition list only.
func (t *tableFunc) describe(f *planpb.TableFunc) {
	if len(f.GetColumnNames()) != len(f.GetColumns()) {
		return
	}
	var ts []types.T
	for _, c := range f.GetColumns() {
		ts = append(ts, c.T())
	}
	t.ts = ts
	if t.set != nil {
		t.set.call.ColumnNames, t.set.call.ColumnTypes = f.GetColumnNames(), ts
		return
	}
	t.scalar.SetColumns(f.GetColumnNames(), ts)
}

func (f *functionScan) open(context.Context) error {
	f.close()
	f.n, f.done = 0, f.w.part > 0
	if f.done {
		return nil
	}
	for _, t := range f.fs {
		t.end, t.one = false, nil
		if t.set == nil {
			d, err := t.scalar.EvalScalar(f.w.frame)
			if err != nil {
				return err
			}
			if t.one, err = t.columns([]types.Datum{d}); err != nil {
				return err
			}
			continue
		}
		args := make([]types.Datum, len(t.set.args))
		for i, a := range t.set.args {
			var err error
			if args[i], err = a.EvalScalar(f.w.frame); err != nil {
				return err
			}
		}
		t.rows = t.set.start(f.w, args)
	}
	return nil
}

// columns lays a row out as the function's columns. A record of other columns than the
// query asks for is an error, 42804.
func (t *tableFunc) columns(r []types.Datum) ([]types.Datum, error) {
	if len(r) == 1 && t.expand {
		out := make([]types.Datum, t.width)
		if rec, ok := r[0].(*types.Record); ok {
			if err := t.matches(rec); err != nil {
				return nil, err
			}
			copy(out, rec.Fields)
		}
		return out, nil
	}
	if len(r) == t.width {
		return r, nil
	}
	out := make([]types.Datum, t.width)
	copy(out, r)
	return out, nil
}

func (t *tableFunc) matches(rec *types.Record) error {
	if len(t.ts) == 0 || len(rec.Types) != len(rec.Fields) {
		return nil
	}
	mismatch := pgerror.New(pgerror.DatatypeMismatch, "function return row and query-specified return row do not match")
	switch n := len(rec.Fields); {
	case n == 1 && t.width != 1:
		return mismatch.WithDetail("Returned row contains 1 attribute, but query expects %d.", t.width)
	case n != t.width:
		return mismatch.WithDetail("Returned row contains %d attributes, but query expects %d.", n, t.width)
	}
	for i, want := range t.ts {
		if got := rec.Types[i]; got.OID != want.OID {
			return mismatch.WithDetail("Returned type %s at ordinal position %d, but query expects %s.", types.TypeName(got.OID), i+1, types.TypeName(want.OID))
		}
	}
	return nil
}

// next gives the function's next row of columns, nil at the end.
func (t *tableFunc) next() ([]types.Datum, error) {
	if t.end {
		return nil, nil
	}
	if t.set == nil {
		t.end = true
		return t.one, nil
	}
	r, ok, err := t.rows.row()
	if err != nil || !ok {
		t.end = true
		return nil, err
	}
	return t.columns(r)
}

func (f *functionScan) next(ctx context.Context) (*Batch, error) {
	if f.done {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	size := f.w.q.env.BatchSize
	builders := make([]*types.Builder, len(f.ts))
	for k, t := range f.ts {
		builders[k] = types.NewBuilder(t, size)
	}
	n, held := 0, int64(0)
	row := make([]types.Datum, len(f.ts))
	for n < size {
		any := false
		c := 0
		for _, t := range f.fs {
			r, err := t.next()
			if err != nil {
				return nil, err
			}
			if r != nil {
				any = true
				copy(row[c:c+t.width], r)
			} else {
				clear(row[c : c+t.width])
			}
			c += t.width
		}
		if !any {
			f.done = true
			break
		}
		n++
		f.n++
		if f.ord {
			row[c] = f.n
		}
		for k, b := range builders {
			b.Append(row[k])
			held += datumBytes(row[k])
		}
		if held > stepBytes {
			break
		}
	}
	if n == 0 {
		return nil, nil
	}
	b := &Batch{N: n, Cols: make([]arrow.Array, len(f.ts))}
	for k := range builders {
		b.Cols[k] = builders[k].Finish()
	}
	return b, nil
}

func (f *functionScan) close() {
	for _, t := range f.fs {
		if t.rows != nil {
			t.rows.close()
			t.rows = nil
		}
	}
}
