package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// uniqueOp keeps the first row of each run of equal keys. Order preserved.
type uniqueOp struct {
	w    *worker
	in   operator
	keys []*expr.Expr
	spec *kernel.KeySpec
	enc  kernel.Keys
	prev []arrow.Array // keys of the last row seen
}

func newUnique(w *worker, p *planpb.Plan, u *planpb.Unique) (operator, error) {
	in, err := w.build(u.GetInput())
	if err != nil {
		return nil, err
	}
	op := &uniqueOp{w: w, in: in}
	op.keys, err = w.compileAll(u.GetKeys())
	op.spec = kernel.NewKeySpec(exprTypes(op.keys))
	return op, err
}

func (u *uniqueOp) open(ctx context.Context) error {
	u.prev = nil
	return u.in.open(ctx)
}

func (u *uniqueOp) close() { u.in.close() }

func (u *uniqueOp) next(ctx context.Context) (*Batch, error) {
	for {
		b, err := u.in.next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		n := b.Rows()
		keys, err := evalAll(u.w.frame, u.keys, input(b))
		if err != nil {
			return nil, err
		}
		first := 0
		if u.prev != nil { // put the previous row's keys in front
			for k := range keys {
				keys[k] = kernel.Concat(u.spec.Types[k], []arrow.Array{u.prev[k], keys[k]})
			}
			first = 1
		}
		u.spec.Encode(u.w.frame.Ctx.Env, &u.enc, keys, n+first)
		keep := make([]int32, 0, n)
		for i := range n {
			if i+first == 0 || !u.enc.Equal(i+first-1, i+first) {
				keep = append(keep, int32(i))
			}
		}
		u.prev = kernel.TakeCols(keys, []int32{int32(n + first - 1)})
		if len(keep) > 0 {
			return narrowed(b, keep), nil
		}
	}
}
