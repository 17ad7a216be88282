package vexec

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// query is one running statement and its Cursor.
type query struct {
	ex     *Executor
	env    Exec
	stmt   *planpb.Statement
	w      *worker
	fresh  *expr.Frame // as at the start: CTEs and init plans begin from it
	root   operator
	opened bool
	done   bool
	err    error
	rows   int64
	closed bool

	ctes  map[uint32]*cteState
	inits map[uint32]*initState // by slot
	// mutates: some operator changes rows, so nothing runs in parallel.
	mutates bool

	mu      sync.Mutex
	closers []func() // workers and files to end at Close, last first
	sources map[uint32]*sharedSource
	lists   map[uint32]*keyList
}

func newQuery(e *Executor, stmt *planpb.Statement, env Exec) (q *query, err error) {
	defer func() {
		if r := recover(); r != nil {
			q, err = nil, recovered(r)
		}
	}()
	q = &query{ex: e, env: env, stmt: stmt}
	q.mutates = mutates(stmt)
	if env.Expr != nil {
		ctx := *env.Expr
		ctx.Memory = expr.NewMemory(valueLimit{e})
		env.Expr, q.env.Expr = &ctx, &ctx
	}
	frame := expr.NewFrame(env.Expr, int(stmt.GetExecSlots()))
	for s, d := range env.ExecParams {
		frame.Set(s, d)
	}
	q.w = &worker{q: q, frame: frame, parts: 1, chunks: map[uint32]*chunk{}, workTables: map[uint32]*workTable{}, probed: cloneProbes(nil)}
	frame.Resolve = q.resolveSlot
	if len(stmt.GetCtes())+len(stmt.GetInitPlans()) > 0 {
		q.fresh, q.ctes, q.inits = frame.Clone(), map[uint32]*cteState{}, map[uint32]*initState{}
	}
	for _, c := range stmt.GetCtes() {
		q.ctes[c.GetId()] = &cteState{q: q, cte: c}
	}
	for _, ip := range stmt.GetInitPlans() {
		st := &initState{q: q, plan: ip}
		for _, s := range ip.GetSlots() {
			q.inits[s] = st
		}
	}
	if q.root, err = q.w.buildAs(stmt.GetRoot(), env.Coded, nil); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

// recovered turns a panic into an error: data errors raised deep inside keep
// their code, anything else is a bug.
func recovered(r any) error {
	var e *pgerror.Error
	if err, ok := r.(error); ok && errors.As(err, &e) {
		return err
	}
	e = pgerror.Internal("executor: %v", r)
	e.Where = firstFrames(debug.Stack())
	return e
}

// firstFrames shortens a stack to what a report needs.
func firstFrames(stack []byte) string {
	const max = 2000
	if len(stack) > max {
		stack = stack[:max]
	}
	return string(stack)
}

// Next implements Reader.
func (q *query) Next(ctx context.Context) (b *Batch, err error) {
	if q.err != nil {
		return nil, q.err
	}
	if q.done || q.closed {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, recovered(r)
		}
		if err != nil {
			err = pgerror.From(err)
			q.err = err
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.w.resetValues()
	if !q.opened {
		q.opened = true
		if err := q.root.open(ctx); err != nil {
			return nil, err
		}
	}
	for {
		b, err = q.root.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			for _, c := range q.stmt.GetCtes() {
				if c.GetModifying() {
					if err := q.ctes[c.GetId()].finish(ctx); err != nil {
						return nil, err
					}
				}
			}
			q.done = true
			return nil, nil
		}
		if b.Rows() > 0 {
			q.rows += int64(b.Rows())
			return b, nil
		}
	}
}

// RowsAffected implements Cursor.
func (q *query) RowsAffected() int64 {
	if m, ok := unwrap(q.root).(interface{ affected() int64 }); ok {
		return m.affected()
	}
	return q.rows
}

// Close implements Reader.
func (q *query) Close() {
	if q.closed {
		return
	}
	q.closed = true
	q.w.resetValues()
	if q.root != nil {
		q.root.close()
	}
	for _, c := range q.ctes {
		c.close()
	}
	for _, s := range q.inits {
		s.close()
	}
	q.mu.Lock()
	cs := q.closers
	q.closers = nil
	q.mu.Unlock()
	for i := len(cs) - 1; i >= 0; i-- {
		cs[i]()
	}
}

// onClose registers work for Close.
func (q *query) onClose(f func()) {
	q.mu.Lock()
	q.closers = append(q.closers, f)
	q.mu.Unlock()
}

// initState runs an init plan once, when one of its slots is first read.
type initState struct {
	q    *query
	plan *planpb.InitPlan
	mu   sync.Mutex
	done bool
	vals []types.Datum
	err  error
	op   operator
	row  map[uint32]types.Datum // slots that the plan sees: those of the row it runs for
}

// rerun makes the init plans of the slots run again, for other values of outer slots.
func (q *query) rerun(slots []uint32, row map[uint32]types.Datum) {
	for _, s := range slots {
		if st := q.inits[s]; st != nil {
			st.mu.Lock()
			st.done, st.vals, st.err, st.row = false, nil, nil, row
			st.mu.Unlock()
		}
	}
}

func (q *query) resolveSlot(slot uint32) (types.Datum, error) {
	st := q.inits[slot]
	if st == nil {
		return nil, nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.done {
		st.vals, st.err = st.run()
		st.done = true
	}
	if st.err != nil {
		return nil, st.err
	}
	for i, s := range st.plan.GetSlots() {
		if s == slot {
			return st.vals[i], nil
		}
	}
	return nil, pgerror.Internal("init plan without slot %d", slot)
}

func (st *initState) close() {
	if st.op != nil {
		st.op.close()
	}
}

func (st *initState) run() ([]types.Datum, error) {
	ctx := st.q.env.Expr.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	w := st.q.w
	iw := &worker{q: st.q, frame: st.q.fresh.Clone(), parts: 1, chunks: w.chunks, workTables: map[uint32]*workTable{}, probed: cloneProbes(nil)}
	for s, d := range st.row {
		iw.frame.Set(s, d)
	}
	op, err := iw.build(st.plan.GetPlan())
	if err != nil {
		return nil, err
	}
	st.op = op
	defer op.close()
	if err := op.open(ctx); err != nil {
		return nil, err
	}
	return collectSubquery(ctx, op, outputTypes(st.plan.GetPlan()), st.plan.GetKind(), len(st.plan.GetSlots()))
}

// collectSubquery reads an expression subquery's result.
func collectSubquery(ctx context.Context, op operator, ts []types.T, kind planpb.InitPlan_Kind, slots int) ([]types.Datum, error) {
	vals := make([]types.Datum, slots)
	var elems []types.Datum
	seen := 0
	for {
		b, err := op.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		b = dense(b)
		if b.N == 0 {
			continue
		}
		switch kind {
		case planpb.InitPlan_EXISTS:
			vals[0] = true
			return vals, nil
		case planpb.InitPlan_ARRAY:
			for i := range b.N {
				elems = append(elems, types.Get(ts[0], b.Cols[0], i))
			}
			continue
		}
		seen += b.N
		if seen > 1 {
			return nil, moreThanOneRow()
		}
		for i := range vals {
			if i < len(b.Cols) {
				vals[i] = types.Get(ts[i], b.Cols[i], 0)
			}
		}
	}
	switch kind {
	case planpb.InitPlan_EXISTS:
		vals[0] = false
	case planpb.InitPlan_ARRAY:
		vals[0] = arrayOf(ts[0], elems)
	}
	return vals, nil
}

// arrayOf makes ARRAY(subquery): of arrays, one dimension more.
func arrayOf(t types.T, elems []types.Datum) types.Datum {
	if t.Class != types.ClassArray {
		return types.NewArray(t, elems)
	}
	out := &types.Array{Elem: t.ElemType()}
	for _, e := range elems {
		a, _ := e.(*types.Array)
		if a == nil || len(a.Dims) == 0 {
			continue
		}
		if out.Dims == nil {
			out.Dims = append([]types.ArrayDim{{Lower: 1}}, a.Dims...)
		}
		if len(a.Dims)+1 != len(out.Dims) || len(a.Elems)*int(out.Dims[0].Len) != len(out.Elems) {
			panic(pgerror.New(pgerror.ArraySubscriptError, "cannot accumulate arrays of different dimensionality"))
		}
		out.Dims[0].Len++
		out.Elems = append(out.Elems, a.Elems...)
	}
	return out
}

func moreThanOneRow() error {
	return pgerror.New(pgerror.CardinalityViolation, "more than one row returned by a subquery used as an expression")
}

// mutates tells whether any part of a statement changes or locks rows.
func mutates(stmt *planpb.Statement) bool {
	found := false
	visit := func(p *planpb.Plan) {
		switch p.Op.(type) {
		case *planpb.Plan_Modify, *planpb.Plan_LockRows:
			found = true
		}
	}
	walkPlan(stmt.GetRoot(), visit)
	for _, c := range stmt.GetCtes() {
		walkPlan(c.GetPlan(), visit)
	}
	return found
}

// walkPlan visits p and everything below it.
func walkPlan(p *planpb.Plan, visit func(*planpb.Plan)) {
	if p == nil {
		return
	}
	visit(p)
	for _, c := range inputs(p) {
		walkPlan(c, visit)
	}
}

// inputs lists the plan nodes directly below p.
func inputs(p *planpb.Plan) []*planpb.Plan {
	switch k := p.Op.(type) {
	case *planpb.Plan_Filter:
		return []*planpb.Plan{k.Filter.GetInput()}
	case *planpb.Plan_Project:
		return []*planpb.Plan{k.Project.GetInput()}
	case *planpb.Plan_HashJoin:
		return []*planpb.Plan{k.HashJoin.GetLeft(), k.HashJoin.GetRight()}
	case *planpb.Plan_NestLoop:
		return []*planpb.Plan{k.NestLoop.GetLeft(), k.NestLoop.GetRight()}
	case *planpb.Plan_MergeJoin:
		return []*planpb.Plan{k.MergeJoin.GetLeft(), k.MergeJoin.GetRight()}
	case *planpb.Plan_Apply:
		return []*planpb.Plan{k.Apply.GetLeft(), k.Apply.GetRight()}
	case *planpb.Plan_BatchApply:
		return []*planpb.Plan{k.BatchApply.GetInput(), k.BatchApply.GetBody()}
	case *planpb.Plan_Agg:
		return []*planpb.Plan{k.Agg.GetInput()}
	case *planpb.Plan_KeyIds:
		return []*planpb.Plan{k.KeyIds.GetInput()}
	case *planpb.Plan_KeyValues:
		return []*planpb.Plan{k.KeyValues.GetInput()}
	case *planpb.Plan_Sort:
		return []*planpb.Plan{k.Sort.GetInput()}
	case *planpb.Plan_Limit:
		return []*planpb.Plan{k.Limit.GetInput()}
	case *planpb.Plan_Unique:
		return []*planpb.Plan{k.Unique.GetInput()}
	case *planpb.Plan_SetOp:
		return []*planpb.Plan{k.SetOp.GetLeft(), k.SetOp.GetRight()}
	case *planpb.Plan_Append:
		return k.Append.GetInputs()
	case *planpb.Plan_Window:
		return []*planpb.Plan{k.Window.GetInput()}
	case *planpb.Plan_ProjectSet:
		return []*planpb.Plan{k.ProjectSet.GetInput()}
	case *planpb.Plan_RecursiveUnion:
		return []*planpb.Plan{k.RecursiveUnion.GetLeft(), k.RecursiveUnion.GetRight()}
	case *planpb.Plan_Modify:
		return []*planpb.Plan{k.Modify.GetInput(), k.Modify.GetRecheck()}
	case *planpb.Plan_LockRows:
		return []*planpb.Plan{k.LockRows.GetInput(), k.LockRows.GetRecheck()}
	case *planpb.Plan_Gather:
		return []*planpb.Plan{k.Gather.GetInput()}
	case *planpb.Plan_Materialize:
		return []*planpb.Plan{k.Materialize.GetInput()}
	case *planpb.Plan_Exchange:
		return []*planpb.Plan{k.Exchange.GetInput()}
	}
	return nil
}
