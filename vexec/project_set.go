package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// projectSetOp expands set-returning functions in a select list: for each input
// row all of them run in lockstep, the shorter ones padded with NULL, and the
// plain expressions are repeated. A row whose sets are all empty vanishes.
type projectSetOp struct {
	w     *worker
	in    operator
	ts    []types.T
	plain []*expr.Expr
	sets  []*setCall

	b     *Batch
	vals  []arrow.Array
	args  [][]arrow.Array
	row   int
	calls []*setRows
}

func newProjectSet(w *worker, p *planpb.Plan, s *planpb.ProjectSet) (operator, error) {
	in, err := w.build(s.GetInput())
	if err != nil {
		return nil, err
	}
	n := len(s.GetExprs())
	op := &projectSetOp{w: w, in: in, ts: outputTypes(p), plain: make([]*expr.Expr, n), sets: make([]*setCall, n)}
	for i, e := range s.GetExprs() {
		if e.GetSet() != nil {
			op.sets[i], err = newSetCall(w, e.GetSet())
		} else {
			op.plain[i], err = w.compile(e.GetExpr())
		}
		if err != nil {
			return nil, err
		}
	}
	return op, nil
}

func (p *projectSetOp) open(ctx context.Context) error {
	p.stop()
	p.b = nil
	return p.in.open(ctx)
}

func (p *projectSetOp) stop() {
	for _, c := range p.calls {
		if c != nil {
			c.close()
		}
	}
	p.calls = nil
}

func (p *projectSetOp) close() {
	p.stop()
	p.in.close()
}

func (p *projectSetOp) next(ctx context.Context) (*Batch, error) {
	size := p.w.q.env.BatchSize
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p.b == nil {
			b, err := p.in.next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			if err := p.load(dense(b)); err != nil {
				return nil, err
			}
		}
		size := rowsWithin(size, p.b)
		builders := make([]*types.Builder, len(p.ts))
		for k := range p.ts {
			if p.sets[k] != nil {
				builders[k] = types.NewBuilder(p.ts[k], size)
			}
		}
		var from []int32
		for p.row < p.b.N && len(from) < size {
			if p.calls == nil {
				p.begin()
			}
			more, err := p.step(builders)
			if err != nil {
				return nil, err
			}
			if more {
				from = append(from, int32(p.row))
			} else {
				p.stop()
				p.row++
			}
		}
		out := &Batch{N: len(from), Cols: make([]arrow.Array, len(p.ts))}
		if len(from) > 0 {
			for k := range p.ts {
				if builders[k] != nil {
					out.Cols[k] = builders[k].Finish()
				} else {
					out.Cols[k] = kernel.Take(p.vals[k], from)
				}
			}
		}
		if p.row >= p.b.N {
			p.b = nil
		}
		if len(from) > 0 {
			return out, nil
		}
	}
}

func (p *projectSetOp) load(b *Batch) (err error) {
	in := input(b)
	p.b, p.row = b, 0
	p.vals, p.args = make([]arrow.Array, len(p.ts)), make([][]arrow.Array, len(p.ts))
	for k := range p.ts {
		if p.plain[k] != nil {
			p.vals[k], err = p.plain[k].Eval(p.w.frame, in)
		} else {
			p.args[k], err = evalAll(p.w.frame, p.sets[k].args, in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin calls the set functions for the current row.
func (p *projectSetOp) begin() {
	p.calls = make([]*setRows, len(p.ts))
	for k, s := range p.sets {
		if s == nil {
			continue
		}
		args := make([]types.Datum, len(s.args))
		for i, a := range p.args[k] {
			args[i] = types.Get(s.call.ArgTypes[i], a, p.row)
		}
		p.calls[k] = s.start(p.w, args)
	}
}

// step takes one row of every set; false when all are at their end.
func (p *projectSetOp) step(builders []*types.Builder) (bool, error) {
	vals := make([]types.Datum, len(p.calls))
	any := false
	for k, c := range p.calls {
		if c == nil {
			continue
		}
		r, ok, err := c.row()
		if err != nil {
			return false, err
		}
		if ok {
			any = true
			vals[k] = p.sets[k].oneValue(p.ts[k], r)
		}
	}
	if !any {
		return false, nil
	}
	for k, b := range builders {
		if b != nil {
			b.Append(vals[k])
		}
	}
	return true, nil
}

// oneValue makes a set function's row a single value: several columns become a record.
func (c *setCall) oneValue(t types.T, r []types.Datum) types.Datum {
	if len(r) == 1 && c.fn.Columns == nil {
		return r[0]
	}
	rec := &types.Record{Type: t, Fields: r}
	if c.fn.Columns != nil {
		rec.Names, rec.Types = c.fn.Columns(c.call)
	}
	if len(rec.Types) != len(r) {
		out := facts.ProcOut(uint32(c.call.OID))
		rec.Names, rec.Types = out.Names, make([]types.T, len(r))
		for i := range r {
			if i < len(out.Types) {
				rec.Types[i] = types.Of(types.OID(out.Types[i]))
			}
		}
	}
	return rec
}
