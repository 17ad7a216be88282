package vexec

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sortKeys are compiled ORDER BY expressions.
type sortKeys struct {
	exprs []*expr.Expr
	specs []kernel.SortSpec
}

func newSortKeys(w *worker, ks []*planpb.SortKey) (*sortKeys, error) {
	s := &sortKeys{}
	for _, k := range ks {
		e, err := w.compile(k.GetExpr())
		if err != nil {
			return nil, err
		}
		s.exprs = append(s.exprs, e)
		s.specs = append(s.specs, kernel.SortSpec{Type: e.Type, Descending: k.GetDescending(), NullsFirst: k.GetNullsFirst()})
	}
	return s, nil
}

// eval gives the key columns of b's selected rows.
func (s *sortKeys) eval(f *expr.Frame, b *Batch) ([]arrow.Array, error) {
	return evalAll(f, s.exprs, input(b))
}

// comparer orders row i of key columns a against row j of key columns b.
func (s *sortKeys) comparer(w *worker, a, b []arrow.Array) kernel.RowCompare {
	return compareKeys(w, s.specs, a, b)
}

func compareKeys(w *worker, specs []kernel.SortSpec, a, b []arrow.Array) kernel.RowCompare {
	cs := make([]kernel.RowCompare, len(specs))
	for k, spec := range specs {
		cs[k] = kernel.SortComparer(w.frame.Ctx.Env, spec, a[k], b[k])
	}
	if len(cs) == 1 {
		return cs[0]
	}
	return func(i, j int) int {
		for _, c := range cs {
			if r := c(i, j); r != 0 {
				return r
			}
		}
		return 0
	}
}

// sortRow is one row on its way through the sort: the order-preserving prefix of
// its first key and its number.
type sortRow struct {
	prefix uint64
	row    int32
}

// sortStep is how many rows are prepared for sorting between looks at the context.
const sortStep = 1 << 16

// sortedRows gives the order of n rows by their key columns; equal rows keep
// their order. limit > 0: only the first limit are wanted.
func sortedRows(w *worker, specs []kernel.SortSpec, keys []arrow.Array, n int) []int32 {
	out := make([]int32, n)
	if len(specs) == 0 {
		for i := range out {
			out[i] = int32(i)
		}
		return out
	}
	rows, exact := make([]sortRow, n), true
	for lo := 0; lo < n; lo += sortStep {
		w.interrupt()
		hi := min(lo+sortStep, n)
		prefix, all := kernel.SortPrefix(specs[0], kernel.Slice(keys[0], lo, hi))
		for i, p := range prefix {
			rows[lo+i] = sortRow{p, int32(lo + i)}
		}
		exact = exact && all
	}
	rest, restKeys := specs, keys
	if exact {
		rest, restKeys = specs[1:], keys[1:]
	}
	cmp := interruptible(w, compareKeys(w, rest, restKeys, restKeys))
	slices.SortFunc(rows, func(a, b sortRow) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		if len(rest) > 0 {
			if c := cmp(int(a.row), int(b.row)); c != 0 {
				return c
			}
		}
		return int(a.row) - int(b.row)
	})
	for i, r := range rows {
		out[i] = r.row
	}
	return out
}

// interrupt ends what cannot return an error when the statement is cancelled, as interruptible does.
func (w *worker) interrupt() {
	if w.frame.Ctx != nil && w.frame.Ctx.Ctx != nil && w.frame.Ctx.Ctx.Err() != nil {
		panic(pgerror.From(context.Cause(w.frame.Ctx.Ctx)))
	}
}

// concat is concatBatches of many rows, which may take long.
func (w *worker) concat(ts []types.T, bs []*Batch) *Batch {
	if len(bs) == 1 {
		return bs[0]
	}
	out := &Batch{Cols: make([]arrow.Array, len(ts))}
	for _, b := range bs {
		out.N += b.N
	}
	for c, t := range ts {
		w.interrupt()
		out.Cols[c] = concatColumn(t, bs, c)
	}
	return out
}

// interruptible is cmp, which may be expensive (long arrays), ending the sort when
// the statement is cancelled: by a panic, that the worker's boundary turns into
// the error.
func interruptible(w *worker, cmp kernel.RowCompare) kernel.RowCompare {
	if w.frame.Ctx == nil || w.frame.Ctx.Ctx == nil {
		return cmp
	}
	ctx, n := w.frame.Ctx.Ctx, 0
	return func(i, j int) int {
		if n++; n&255 == 0 && ctx.Err() != nil {
			panic(pgerror.From(context.Cause(ctx)))
		}
		return cmp(i, j)
	}
}
