package vexec

import (
	"context"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// rowMaker turns proposed rows into rows fit to store: generated columns, NOT
// NULL, CHECK, and the computed columns of the extended row.
type rowMaker struct {
	w         *worker
	table     *planpb.Table
	ts        []types.T
	extTs     []types.T
	generated []*expr.Expr
	genAt     []uint32
	checks    []*expr.Expr
	checkDefs []*planpb.Check
	computed  []*expr.Expr
}

func newRowMaker(w *worker, m *planpb.Modify) (*rowMaker, error) {
	r := &rowMaker{w: w, table: m.GetTable(), checkDefs: m.GetChecks()}
	for _, c := range r.table.GetColumns() {
		r.ts = append(r.ts, c.GetType().T())
	}
	var err error
	for _, g := range m.GetGenerated() {
		e, err := w.compile(g.GetValue())
		if err != nil {
			return nil, err
		}
		r.generated, r.genAt = append(r.generated, e), append(r.genAt, g.GetOrdinal())
	}
	for _, c := range r.checkDefs {
		e, err := w.compile(c.GetExpr())
		if err != nil {
			return nil, err
		}
		r.checks = append(r.checks, e)
	}
	if r.computed, err = w.compileAll(r.table.GetComputed()); err != nil {
		return nil, err
	}
	r.extTs = append(append([]types.T{}, r.ts...), exprTypes(r.computed)...)
	return r, nil
}

// complete assigns generated columns and checks constraints.
func (r *rowMaker) complete(cols []arrow.Array, n int) (*Batch, error) {
	if len(r.generated) > 0 {
		in := expr.NewInput(cols, n, nil)
		out := append([]arrow.Array{}, cols...)
		for k, e := range r.generated {
			v, err := e.Eval(r.w.frame, in)
			if err != nil {
				return nil, err
			}
			out[r.genAt[k]] = v
		}
		cols = out
	}
	b := &Batch{Cols: cols, N: n}
	return b, r.check(b)
}

// check finds the first row that breaks a constraint: within a row NOT NULL
// comes before CHECK, each in order.
func (r *rowMaker) check(b *Batch) error {
	bad, rank := b.N, 0
	consider := func(row, k int) {
		if row < bad || row == bad && k < rank {
			bad, rank = row, k
		}
	}
	for c, col := range r.table.GetColumns() {
		if !col.GetNotNull() || b.Cols[c].NullN() == 0 {
			continue
		}
		v := kernel.Valid(b.Cols[c])
		for i := range b.N {
			if !v.Get(i) {
				consider(i, c)
				break
			}
		}
	}
	nCols := len(r.table.GetColumns())
	for k, e := range r.checks {
		n := min(bad, b.N)
		if n == 0 {
			break
		}
		v, err := e.Eval(r.w.frame, input(sliced(b, 0, n)))
		if err != nil {
			return err
		}
		ok, val := kernel.Valid(v), kernel.Bools(v)
		for i := range n {
			if ok.Get(i) && !val.Get(i) || r.checkDefs[k].GetView() != "" && !ok.Get(i) {
				consider(i, nCols+k)
				break
			}
		}
	}
	if bad == b.N {
		return nil
	}
	t := r.table
	detail, err := r.describe(b, bad)
	if err != nil {
		return err
	}
	if rank < nCols {
		e := notNullViolation(t, rank, detail)
		e.Row = bad + 1
		return e
	}
	c := r.checkDefs[rank-nCols]
	if c.GetView() != "" {
		return pgerror.New(pgerror.WithCheckOptionViolation, "new row violates check option for view \"%s\"", c.GetView()).
			WithDetail("Failing row contains %s.", detail)
	}
	e := pgerror.New(pgerror.CheckViolation, "new row for relation \"%s\" violates check constraint \"%s\"", t.GetName(), c.GetName()).
		WithDetail("Failing row contains %s.", detail).WithTable(t.GetSchema(), t.GetName()).WithConstraint(c.GetName())
	e.Row = bad + 1
	return e
}

// notNullViolation is the report of a NULL in a column; detail describes the row.
func notNullViolation(t *planpb.Table, column int, detail string) *pgerror.Error {
	col := t.Columns[column].GetName()
	return pgerror.New(pgerror.NotNullViolation, "null value in column \"%s\" of relation \"%s\" violates not-null constraint", col, t.GetName()).
		WithDetail("Failing row contains %s.", detail).WithTable(t.GetSchema(), t.GetName()).WithColumn(col)
}

// describe prints a row for an error's detail.
func (r *rowMaker) describe(b *Batch, i int) (string, error) {
	return describeRow(r.w.frame.Ctx.Env, r.table, rowOf(&Batch{Cols: b.Cols[:len(r.ts)], N: b.N}, r.ts, i))
}

// describeRow prints a row for an error's detail, long values cut.
func describeRow(env *types.Env, table *planpb.Table, row []types.Datum) (string, error) {
	const fieldBytesMax = 64
	out := []byte{'('}
	for c, col := range table.GetColumns() {
		if c > 0 {
			out = append(out, ", "...)
		}
		if row[c] == nil {
			out = append(out, "null"...)
			continue
		}
		s, err := types.Out(env, col.GetType().T(), row[c])
		if err != nil {
			return "", err
		}
		if len(s) > fieldBytesMax {
			cut := fieldBytesMax
			for cut > 0 && !utf8.RuneStart(s[cut]) {
				cut--
			}
			out = append(append(out, s[:cut]...), "..."...)
			continue
		}
		out = append(out, s...)
	}
	return string(append(out, ')')), nil
}

// extend adds the computed columns.
func (r *rowMaker) extend(b *Batch) (*Batch, error) {
	if len(r.computed) == 0 {
		return b, nil
	}
	v, err := evalAll(r.w.frame, r.computed, input(b))
	if err != nil {
		return nil, err
	}
	return &Batch{Cols: append(append([]arrow.Array{}, b.Cols...), v...), N: b.N}, nil
}

// recheck re-computes an operator's input for rows whose newest versions are
// handed in through ChunkScans. Its plan is built when it is first needed: most
// statements never meet a changed row.
type recheck struct {
	w    *worker
	plan *planpb.Plan
	op   operator // nil until run
}

func newRecheck(w *worker, p *planpb.Plan) *recheck {
	rw := *w
	rw.chunks = make(map[uint32]*chunk, len(w.chunks)+1)
	for k, v := range w.chunks {
		rw.chunks[k] = v
	}
	return &recheck{w: &rw, plan: p}
}

func (r *recheck) close() {
	if r != nil && r.op != nil {
		r.op.close()
	}
}

// set hands in one row of a table: its newest version and locator.
func (r *recheck) set(slot uint32, t *planpb.Table, columns []int32, locator []byte, row []types.Datum) {
	b := &Batch{N: 1}
	add := func(ty types.T, d types.Datum) {
		bl := types.NewBuilder(ty, 1)
		bl.Append(d)
		b.Cols = append(b.Cols, bl.Finish())
	}
	for _, o := range columns {
		switch {
		case o >= 0 && int(o) < len(row):
			add(t.Columns[o].GetType().T(), row[o])
		case o == -1:
			add(types.Of(types.Bytea), append([]byte{}, locator...))
		case o == -2:
			add(types.Of(types.Oid), types.OID(uint32(t.GetRelationId())))
		case o == -3:
			add(types.Of(types.Xid), types.OID(0))
		default:
			add(types.Of(types.Tid), uint64(0))
		}
	}
	r.w.chunks[slot] = &chunk{batches: []*Batch{b}}
}

// run gives the first batch of the recomputed input, dense; nil: no row passes.
func (r *recheck) run(ctx context.Context) (*Batch, error) {
	if r.op == nil {
		op, err := r.w.build(r.plan)
		if err != nil {
			return nil, err
		}
		r.op = op
	}
	if err := r.op.open(ctx); err != nil {
		return nil, err
	}
	defer r.op.close()
	for {
		b, err := r.op.next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if b.Rows() > 0 {
			return dense(b), nil
		}
	}
}
