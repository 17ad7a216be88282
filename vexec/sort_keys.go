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
// the key that is looked at and its number.
type sortRow struct {
	prefix uint64
	row    int32
}

// sortRowBytes is what sorting takes for a row beside the row: its place in the order, its sortRow and one more for the
// radix sort, the prefix, and its share of the ties.
const sortRowBytes = 4 + 2*16 + 8 + 12

// sortStep is how many rows are prepared for sorting between looks at the context.
const sortStep = 1 << 16

// sortedRows gives the order of n rows by their key columns; equal rows keep
// their order. limit > 0: only the first limit are wanted.
//
// Key by key: rows are sorted by the prefixes of a key, then those that tie, by the next key's.
// Rows are compared value by value only where prefixes do not tell, or few rows tie.
func sortedRows(w *worker, specs []kernel.SortSpec, keys []arrow.Array, n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	if len(specs) == 0 {
		return out
	}
	rows := make([]sortRow, n)
	for i := range rows {
		rows[i].row = int32(i)
	}
	ties := [][]sortRow{rows}
	for k := 0; len(ties) > 0; k++ {
		exact := sortByPrefix(w, specs[k], keys[k], ties)
		tied := 0
		if ties, tied = tiesWithin(ties); exact && k+1 == len(specs) {
			break // equal rows, in their order
		}
		if exact && tied > n/tiesFew {
			continue
		}
		if exact {
			k++
		}
		sortByValue(w, specs[k:], keys[k:], ties)
		break
	}
	for i, r := range rows {
		out[i] = r.row
	}
	return out
}

// tiesFew: ties of less than one row in so many are not worth another key's prefixes of all rows.
const tiesFew = 16

// sortByPrefix sorts the rows of each span by the prefixes of one key, equal ones by number. exact:
// rows of equal prefixes have equal keys.
func sortByPrefix(w *worker, spec kernel.SortSpec, key arrow.Array, spans [][]sortRow) (exact bool) {
	exact = true
	n := key.Len()
	prefixes := make([]uint64, 0, n)
	for lo := 0; lo < n; lo += sortStep {
		w.interrupt()
		prefix, all := kernel.SortPrefix(spec, kernel.Slice(key, lo, min(lo+sortStep, n)))
		prefixes = append(prefixes, prefix...)
		exact = exact && all
	}
	var tmp []sortRow
	for _, rows := range spans {
		w.interrupt()
		for i := range rows {
			rows[i].prefix = prefixes[rows[i].row]
		}
		tmp = sortPrefixes(w, rows, tmp)
	}
	return exact
}

// tiesWithin gives the runs of equal prefixes within sorted spans, and how many rows are in them.
func tiesWithin(spans [][]sortRow) (ties [][]sortRow, tied int) {
	for _, rows := range spans {
		for lo := 0; lo < len(rows); {
			hi := lo + 1
			for hi < len(rows) && rows[hi].prefix == rows[lo].prefix {
				hi++
			}
			if hi-lo > 1 {
				ties = append(ties, rows[lo:hi])
				tied += hi - lo
			}
			lo = hi
		}
	}
	return ties, tied
}

// sortByValue sorts the rows of each span by keys, equal ones by number.
func sortByValue(w *worker, specs []kernel.SortSpec, keys []arrow.Array, spans [][]sortRow) {
	cmp := interruptible(w, compareKeys(w, specs, keys, keys))
	for _, rows := range spans {
		slices.SortFunc(rows, func(a, b sortRow) int {
			if c := cmp(int(a.row), int(b.row)); c != 0 {
				return c
			}
			return int(a.row) - int(b.row)
		})
	}
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
