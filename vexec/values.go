package vexec

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// valuesOp yields rows of expressions without columns, in order, a batch at a
// time. In a Gather only the first worker has rows.
type valuesOp struct {
	w    *worker
	ts   []types.T
	rows [][]*expr.Expr
	at   int
	mem  *memory // the last batch, when it is large
}

func newValues(w *worker, p *planpb.Plan, v *planpb.Values) (operator, error) {
	op := &valuesOp{w: w, ts: outputTypes(p), mem: w.memory(p, "Values")}
	for _, r := range v.GetRows() {
		es, err := w.compileAll(r.GetExprs())
		if err != nil {
			return nil, err
		}
		op.rows = append(op.rows, es)
	}
	return op, nil
}

func (v *valuesOp) open(context.Context) error {
	v.at = 0
	if v.w.part > 0 {
		v.at = len(v.rows)
	}
	return nil
}

func (v *valuesOp) next(ctx context.Context) (*Batch, error) {
	if v.at >= len(v.rows) {
		return nil, ctx.Err()
	}
	n := min(len(v.rows)-v.at, v.w.q.env.BatchSize)
	v.mem.free()
	v.w.resetValues()
	builders := make([]*types.Builder, len(v.ts))
	for c, t := range v.ts {
		builders[c] = types.NewBuilder(t, n)
	}
	for _, r := range v.rows[v.at : v.at+n] {
		for c, e := range r {
			d, err := e.EvalScalar(v.w.frame)
			if err != nil {
				return nil, err
			}
			builders[c].Append(d)
		}
	}
	v.at += n
	b := &Batch{N: n, Cols: make([]arrow.Array, len(v.ts))}
	for c := range builders {
		b.Cols[c] = builders[c].Finish()
	}
	return b, v.mem.hold(batchBytes(b))
}

func (v *valuesOp) close() { v.mem.free() }

// resultOp yields one row, or none when its filter is not true.
type resultOp struct {
	w      *worker
	ts     []types.T
	exprs  []*expr.Expr
	filter *expr.Expr
	done   bool
	mem    *memory // the row, when it is large
}

func newResult(w *worker, p *planpb.Plan, r *planpb.Result) (operator, error) {
	op := &resultOp{w: w, ts: outputTypes(p), mem: w.memory(p, "Result")}
	var err error
	if op.exprs, err = w.compileAll(r.GetExprs()); err != nil {
		return nil, err
	}
	op.filter, err = w.compile(r.GetFilter())
	return op, err
}

func (r *resultOp) open(context.Context) error {
	r.done = r.w.part > 0
	return nil
}

func (r *resultOp) next(ctx context.Context) (*Batch, error) {
	r.mem.free()
	if r.done {
		return nil, ctx.Err()
	}
	r.done = true
	if r.filter != nil {
		d, err := r.filter.EvalScalar(r.w.frame)
		if err != nil || d != true {
			return nil, err
		}
	}
	cols, err := evalAll(r.w.frame, r.exprs, &expr.Input{N: 1})
	if err != nil {
		return nil, err
	}
	b := &Batch{Cols: cols, N: 1}
	return b, r.mem.hold(batchBytes(b))
}

func (r *resultOp) close() { r.mem.free() }

// filterOp keeps the rows for which a predicate is true. Order preserved; the
// input's batches pass through with a selection.
type filterOp struct {
	w    *worker
	id   uint32
	in   operator
	pred *expr.Expr
	// coded: text may come out dictionary-coded
	coded    bool
	fleeting bool // output is done with when the next is asked for
	rows     rowLimit
	mem      kernel.Arena // of the last evaluation
	steps
}

func newFilter(w *worker, p *planpb.Plan, f *planpb.Filter) (operator, error) {
	op := &filterOp{w: w, id: p.GetId(), coded: w.coded, fleeting: w.fleeting}
	need := slices.Clone(w.need)
	var err error
	if op.pred, err = w.compile(f.GetPredicate()); err != nil {
		return nil, err
	}
	markColumns(need, op.pred)
	op.in, err = w.buildFleeting(f.GetInput(), need, op.fleeting)
	return op, err
}

func (f *filterOp) open(ctx context.Context) error {
	f.rows.start()
	f.steps.start()
	return f.in.open(ctx)
}

func (f *filterOp) close() { f.in.close() }

func (f *filterOp) next(ctx context.Context) (*Batch, error) {
	for {
		b, err := f.cut(func() (*Batch, error) { return f.rows.pull(ctx, f.in) })
		if err != nil || b == nil {
			return nil, err
		}
		f.w.resetValues()
		f.mem.Reset()
		keep, err := f.pred.Filter(f.w.frame, input(b).In(&f.mem))
		if err != nil {
			return nil, err
		}
		f.measured(b.Rows(), f.w.takeProduced())
		if keep == nil {
			return f.out(b), nil
		}
		removed := b.Rows() - len(keep)
		f.w.q.env.Stats.update(f.id, func(o *OpStats) { o.RowsRemoved += int64(removed) })
		if len(keep) > 0 {
			if !f.fleeting {
				keep = slices.Clone(keep)
			}
			return f.out(narrowed(b, keep)), nil
		}
	}
}

func (f *filterOp) out(b *Batch) *Batch {
	if f.coded {
		return b
	}
	return flattened(b)
}

// projectOp computes expressions over its input's rows. Order preserved; dense output.
type projectOp struct {
	w     *worker
	in    operator
	exprs []*expr.Expr
	// bare: every expression is a column, so batches keep their selection.
	bare []int
	// coded: text may come out dictionary-coded; need: what is asked for, nil: all
	coded    bool
	need     []bool
	fleeting bool // output is done with when the next is asked for
	rows     rowLimit
	mem      *memory      // the last batch, when it is large
	values   kernel.Arena // of the last batch, when it is fleeting
	steps
}

func newProject(w *worker, p *planpb.Plan, pr *planpb.Project) (operator, error) {
	op := &projectOp{w: w, mem: w.memory(p, "Project"), coded: w.coded, need: w.need, fleeting: w.fleeting}
	var err error
	if op.exprs, err = w.compileAll(pr.GetExprs()); err != nil {
		return nil, err
	}
	need := make([]bool, len(pr.GetInput().GetOutput()))
	for i, e := range op.exprs {
		if op.wants(i) {
			markColumns(need, e)
		}
	}
	if op.in, err = w.buildFleeting(pr.GetInput(), need, op.fleeting); err != nil {
		return nil, err
	}
	for _, e := range op.exprs {
		c := e.ColumnIndex()
		if c < 0 {
			op.bare = nil
			break
		}
		op.bare = append(op.bare, c)
	}
	return op, nil
}

// wants: column i is computed. What nobody asks for still is unless it is a bare
// column: it may fail.
func (p *projectOp) wants(i int) bool {
	return p.need == nil || p.need[i] || p.exprs[i].ColumnIndex() < 0
}

func (p *projectOp) open(ctx context.Context) error {
	p.rows.start()
	p.steps.start()
	p.mem.free()
	return p.in.open(ctx)
}

func (p *projectOp) close() {
	p.mem.free()
	p.in.close()
}

func (p *projectOp) next(ctx context.Context) (*Batch, error) {
	p.mem.free()
	if p.bare != nil {
		b, err := p.rows.pull(ctx, p.in)
		if err != nil || b == nil {
			return nil, err
		}
		out := &Batch{N: b.N, Sel: b.Sel, Cols: make([]arrow.Array, len(p.bare))}
		for i, c := range p.bare {
			if p.wants(i) {
				out.Cols[i] = b.Cols[c]
			}
		}
		if !p.coded {
			out = flattened(out)
		}
		return out, nil
	}
	b, err := p.cut(func() (*Batch, error) { return p.rows.pull(ctx, p.in) })
	if err != nil || b == nil {
		return nil, err
	}
	p.w.resetValues()
	in := input(b)
	if p.fleeting {
		p.values.Reset()
		in.In(&p.values)
	}
	out := &Batch{Cols: make([]arrow.Array, len(p.exprs)), N: b.Rows()}
	for i, e := range p.exprs {
		switch {
		case !p.wants(i):
		case p.coded:
			out.Cols[i], err = e.EvalCoded(p.w.frame, in)
		default:
			out.Cols[i], err = e.Eval(p.w.frame, in)
		}
		if err != nil {
			return nil, err
		}
	}
	size := batchBytes(out)
	p.measured(out.N, max(size, p.w.takeProduced()))
	return out, p.mem.hold(size)
}

// appendOp yields its inputs one after the other.
type appendOp struct {
	ins []operator
	at  int
}

func newAppend(w *worker, p *planpb.Plan, a *planpb.Append) (operator, error) {
	op := &appendOp{}
	for _, c := range a.GetInputs() {
		in, err := w.build(c)
		if err != nil {
			return nil, err
		}
		op.ins = append(op.ins, in)
	}
	return op, nil
}

func (a *appendOp) open(ctx context.Context) error {
	a.at = -1
	return nil
}

func (a *appendOp) next(ctx context.Context) (*Batch, error) {
	for a.at < len(a.ins) {
		if a.at >= 0 {
			b, err := a.ins[a.at].next(ctx)
			if err != nil || b != nil {
				return b, err
			}
			a.ins[a.at].close()
		}
		if a.at++; a.at < len(a.ins) {
			if err := a.ins[a.at].open(ctx); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

func (a *appendOp) close() {
	for _, in := range a.ins {
		in.close()
	}
}
