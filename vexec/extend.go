package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// NewExtender makes a function that gives rows of a table with its computed columns (planpb.Table.Computed)
// behind the others. It belongs to one goroutine.
func NewExtender(c *expr.Context, r *expr.Registry, computed []*planpb.Expr) (func(ctx context.Context, rows *Batch) (*Batch, error), error) {
	frame := expr.NewFrame(c, 0)
	exprs, err := expr.CompileAll(computed, r, frame)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, rows *Batch) (*Batch, error) {
		in := expr.NewInput(rows.Cols, rows.N, nil)
		cols := append([]arrow.Array{}, rows.Cols...)
		for _, e := range exprs {
			v, err := e.Eval(frame, in)
			if err != nil {
				return nil, err
			}
			cols = append(cols, v)
		}
		return &Batch{Cols: cols, N: rows.N}, nil
	}, nil
}
