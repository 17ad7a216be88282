package vexec

import (
	"context"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// operator is one node of a running plan.
//
// open starts it, or starts it over: it may be called again at any time and
// then forgets everything but what cannot have changed. next gives the next
// non-empty batch, nil at the end (and again nil after that). close frees what
// is held; it may come before open, more than once, and before the end. An
// operator is used by one goroutine at a time and owns its inputs.
type operator interface {
	open(ctx context.Context) error
	next(ctx context.Context) (*Batch, error)
	close()
}

// worker is one goroutine's share of a running plan: its EXEC slots and its part
// of the driving scan. The statement's own goroutine is worker 0 of 1.
type worker struct {
	q           *query
	frame       *expr.Frame
	part, parts int
	// pool is set inside a Gather: what its workers share.
	pool *pool
	// turn is the worker's among those of parallel plans; nil: the statement's own goroutine.
	turn *turn
	// again: operators may be built or started more than once for the same rows (by
	// each worker of a Gather, by an Apply for each left row).
	again bool
	// rows that ChunkScan and WorkTableScan deliver, by slot
	chunks map[uint32]*chunk
	// workTables are those of the recursive queries this worker runs: the workers of a
	// Gather start from what stands around it and each run their own.
	workTables map[uint32]*workTable
	// coded and need are what buildCoded said of the operator being built; one that
	// cares reads them before it builds its inputs.
	coded bool
	need  []bool
	// fleeting is what buildFleeting said likewise: batches are done with when the next
	// one is asked for.
	fleeting bool
	// shared, while an aggregation compiles: what its expressions have in common.
	shared *expr.Shared
	// probed are the scans whose rows joins above them can tell unwanted, by plan node.
	probed map[*planpb.Plan][]*scanProbe
}

// chunk holds rows handed to ChunkScan operators.
type chunk struct{ batches []*Batch }

// serial is w for a subtree that must not be cut into parts.
func (w *worker) serial() *worker {
	if w.parts == 1 {
		return w
	}
	s := *w
	s.part, s.parts, s.pool = 0, 1, nil
	return &s
}

// repeated is w.serial() for a subtree that is started again and again.
func (w *worker) repeated() *worker {
	s := *w.serial()
	s.again = true
	return &s
}

// typesOf gives a plan's output types.
func outputTypes(p *planpb.Plan) []types.T {
	out := make([]types.T, len(p.GetOutput()))
	for i, t := range p.GetOutput() {
		out[i] = t.T()
	}
	return out
}

func (w *worker) compile(e *planpb.Expr) (*expr.Expr, error) {
	if e == nil {
		return nil, nil
	}
	if w.shared != nil {
		return expr.CompileShared(e, w.q.ex.opts.Registry, w.frame, w.shared)
	}
	return expr.Compile(e, w.q.ex.opts.Registry, w.frame)
}

func (w *worker) compileAll(es []*planpb.Expr) ([]*expr.Expr, error) {
	if w.shared == nil {
		return expr.CompileAll(es, w.q.ex.opts.Registry, w.frame)
	}
	out := make([]*expr.Expr, len(es))
	for i, e := range es {
		var err error
		if out[i], err = w.compile(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// build makes the operator of a plan node. Its batches have no dictionary-coded columns.
func (w *worker) build(p *planpb.Plan) (operator, error) { return w.buildAs(p, false, nil) }

// buildCoded is build for those who take dictionary-coded columns and say which
// columns they look at (nil: all). The others may be nil in the batches that come.
func (w *worker) buildCoded(p *planpb.Plan, need []bool) (operator, error) {
	return w.buildAs(p, true, need)
}

// buildFleeting is buildCoded, for those who, where fleeting is set, are done with a batch
// and all of its vectors when they ask for the next: they may be made in memory that is
// used again then.
func (w *worker) buildFleeting(p *planpb.Plan, need []bool, fleeting bool) (operator, error) {
	return w.buildWith(p, true, need, fleeting)
}

func (w *worker) buildAs(p *planpb.Plan, coded bool, need []bool) (operator, error) {
	return w.buildWith(p, coded, need, false)
}

func (w *worker) buildWith(p *planpb.Plan, coded bool, need []bool, fleeting bool) (operator, error) {
	w.coded, w.need, w.fleeting = coded, need, fleeting
	if p == nil {
		return nil, pgerror.Internal("plan node without an input")
	}
	op, err := w.buildOp(p)
	if err != nil {
		return nil, err
	}
	if w.q.env.Stats != nil {
		return &measured{operator: op, id: p.GetId(), stats: w.q.env.Stats}, nil
	}
	return op, nil
}

func (w *worker) buildOp(p *planpb.Plan) (operator, error) {
	switch k := p.Op.(type) {
	case *planpb.Plan_Scan:
		return newScan(w, p, k.Scan)
	case *planpb.Plan_IndexScan:
		return newIndexScan(w, p, k.IndexScan)
	case *planpb.Plan_Values:
		return newValues(w, p, k.Values)
	case *planpb.Plan_Result:
		return newResult(w, p, k.Result)
	case *planpb.Plan_Filter:
		return newFilter(w, p, k.Filter)
	case *planpb.Plan_Project:
		return newProject(w, p, k.Project)
	case *planpb.Plan_Limit:
		return newLimit(w, p, k.Limit)
	case *planpb.Plan_Append:
		return newAppend(w, p, k.Append)
	case *planpb.Plan_Sort:
		return newSort(w, p, k.Sort)
	case *planpb.Plan_Agg:
		return newAgg(w, p, k.Agg)
	case *planpb.Plan_KeyIds:
		return newKeyIDs(w, p, k.KeyIds)
	case *planpb.Plan_KeyValues:
		return newKeyValues(w, p, k.KeyValues)
	case *planpb.Plan_HashJoin:
		return newHashJoin(w, p, k.HashJoin)
	case *planpb.Plan_CteScan:
		return newCTEScan(w, p, k.CteScan)
	case *planpb.Plan_Materialize:
		return newMaterialize(w, p, k.Materialize)
	case *planpb.Plan_ChunkScan:
		return newChunkScan(w, p, k.ChunkScan)
	case *planpb.Plan_WorkTableScan:
		return newWorkTableScan(w, p, k.WorkTableScan)
	case *planpb.Plan_NestLoop:
		return newNestLoop(w, p, k.NestLoop)
	case *planpb.Plan_MergeJoin:
		return newMergeJoin(w, p, k.MergeJoin)
	case *planpb.Plan_Apply:
		return newApply(w, p, k.Apply)
	case *planpb.Plan_BatchApply:
		return newBatchApply(w, p, k.BatchApply)
	case *planpb.Plan_Unique:
		return newUnique(w, p, k.Unique)
	case *planpb.Plan_SetOp:
		return newSetOp(w, p, k.SetOp)
	case *planpb.Plan_Window:
		return newWindow(w, p, k.Window)
	case *planpb.Plan_ProjectSet:
		return newProjectSet(w, p, k.ProjectSet)
	case *planpb.Plan_FunctionScan:
		return newFunctionScan(w, p, k.FunctionScan)
	case *planpb.Plan_RecursiveUnion:
		return newRecursiveUnion(w, p, k.RecursiveUnion)
	case *planpb.Plan_LockRows:
		return newLockRows(w, p, k.LockRows)
	case *planpb.Plan_Gather:
		return newGather(w, p, k.Gather)
	case *planpb.Plan_Modify:
		return newModify(w, p, k.Modify)
	case *planpb.Plan_Exchange:
		return newExchange(w, p, k.Exchange)
	case *planpb.Plan_ExchangeSource:
		return newExchangeSource(w, p, k.ExchangeSource)
	}
	return nil, pgerror.Unsupported("plan operator %T", p.Op)
}

// measured counts what an operator does, for EXPLAIN ANALYZE.
type measured struct {
	operator
	id      uint32
	stats   *Stats
	started bool
}

func (m *measured) open(ctx context.Context) error {
	m.started = false
	var t time.Time
	if m.stats.Timing {
		t = time.Now()
	}
	err := m.operator.open(ctx)
	m.stats.update(m.id, func(o *OpStats) {
		o.Loops++
		if m.stats.Timing {
			d := time.Since(t)
			o.Total += d
			o.Startup += d
		}
	})
	return err
}

func (m *measured) next(ctx context.Context) (*Batch, error) {
	var t time.Time
	if m.stats.Timing {
		t = time.Now()
	}
	b, err := m.operator.next(ctx)
	m.stats.update(m.id, func(o *OpStats) {
		if m.stats.Timing {
			d := time.Since(t)
			o.Total += d
			if !m.started {
				o.Startup += d
			}
		}
		if b != nil {
			o.Rows += int64(b.Rows())
			o.Batches++
		}
	})
	m.started = true
	return b, err
}

// unwrap gives the operator inside the statistics wrapper.
func unwrap(op operator) operator {
	if m, ok := op.(*measured); ok {
		return m.operator
	}
	return op
}

// input is b as the input of expressions.
func input(b *Batch) *expr.Input { return expr.NewInput(b.Cols, b.N, b.Sel) }

// dense is b without a selection.
func dense(b *Batch) *Batch {
	if b.Sel == nil {
		return b
	}
	return &Batch{Cols: kernel.TakeCols(b.Cols, b.Sel), N: len(b.Sel)}
}

// flattened is b without dictionary-coded columns.
func flattened(b *Batch) *Batch {
	if !slices.ContainsFunc(b.Cols, kernel.IsCoded) {
		return b
	}
	out := &Batch{Cols: make([]arrow.Array, len(b.Cols)), N: b.Rows()}
	for i, c := range b.Cols {
		if c != nil {
			out.Cols[i] = kernel.FlattenRows(c, b.Sel)
		}
	}
	return out
}

// narrowed is b restricted to the rows keep, positions among its selected rows; nil: all.
func narrowed(b *Batch, keep []int32) *Batch {
	if keep == nil {
		return b
	}
	if b.Sel != nil {
		sel := make([]int32, len(keep))
		for i, k := range keep {
			sel[i] = b.Sel[k]
		}
		keep = sel
	}
	return &Batch{Cols: b.Cols, Sel: keep, N: b.N}
}

// sliced is rows lo … hi−1 of b's selected rows.
func sliced(b *Batch, lo, hi int) *Batch {
	if lo == 0 && hi == b.Rows() {
		return b
	}
	if b.Sel != nil {
		return &Batch{Cols: b.Cols, Sel: b.Sel[lo:hi], N: b.N}
	}
	cols := make([]arrow.Array, len(b.Cols))
	for i, c := range b.Cols {
		if c != nil {
			cols[i] = kernel.Slice(c, lo, hi)
		}
	}
	return &Batch{Cols: cols, N: hi - lo}
}

// rowOf reads one row of a dense batch.
func rowOf(b *Batch, ts []types.T, i int) []types.Datum {
	out := make([]types.Datum, len(b.Cols))
	for c, a := range b.Cols {
		out[c] = types.Get(ts[c], a, i)
	}
	return out
}

// batchOf makes a batch of rows.
func batchOf(ts []types.T, rows ...[]types.Datum) *Batch {
	b := &Batch{N: len(rows), Cols: make([]arrow.Array, len(ts))}
	for c, t := range ts {
		if len(rows) == 1 {
			b.Cols[c] = types.Repeat(t, rows[0][c], 1)
			continue
		}
		bl := types.NewBuilder(t, len(rows))
		for _, r := range rows {
			bl.Append(r[c])
		}
		b.Cols[c] = bl.Finish()
	}
	return b
}

// batchBytes estimates a dense batch's memory.
func batchBytes(b *Batch) int64 {
	n := int64(64)
	for _, c := range b.Cols {
		if c != nil {
			n += kernel.Bytes(c)
		}
	}
	return n
}

// evalAll evaluates expressions over one batch.
func evalAll(f *expr.Frame, es []*expr.Expr, in *expr.Input) ([]arrow.Array, error) {
	if f.Ctx != nil {
		f.Ctx.Memory.Reset()
	}
	out := make([]arrow.Array, len(es))
	for i, e := range es {
		var err error
		if out[i], err = e.Eval(f, in); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// evalCoded is evalAll, but text that can stay dictionary-coded does, where its dictionary has no NULL: rows that
// are NULL are told by the vector itself.
func evalCoded(f *expr.Frame, es []*expr.Expr, in *expr.Input) ([]arrow.Array, error) {
	if f.Ctx != nil {
		f.Ctx.Memory.Reset()
	}
	out := make([]arrow.Array, len(es))
	for i, e := range es {
		var err error
		if out[i], err = e.EvalCoded(f, in); err != nil {
			return nil, err
		}
		if d := kernel.DictionaryID(out[i]); d != nil && d.NullN() != 0 {
			out[i] = kernel.Flatten(out[i])
		}
	}
	return out, nil
}

func exprTypes(es []*expr.Expr) []types.T {
	out := make([]types.T, len(es))
	for i, e := range es {
		out[i] = e.Type
	}
	return out
}

// concatBatches joins dense batches of the given types.
func concatBatches(ts []types.T, bs []*Batch) *Batch {
	if len(bs) == 1 {
		return bs[0]
	}
	out := &Batch{Cols: make([]arrow.Array, len(ts))}
	for _, b := range bs {
		out.N += b.N
	}
	for c, t := range ts {
		out.Cols[c] = concatColumn(t, bs, c)
	}
	return out
}

// concatColumn joins column c of batches; nil: nobody looks at it.
func concatColumn(t types.T, bs []*Batch, c int) arrow.Array {
	parts := make([]arrow.Array, len(bs))
	for i, b := range bs {
		if parts[i] = b.Cols[c]; parts[i] == nil {
			return nil
		}
	}
	return kernel.ConcatCoded(t, parts)
}
