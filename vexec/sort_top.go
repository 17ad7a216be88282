package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/kernel"
)

// The top-N of sortOp: of each batch only the rows are taken that come before the last of the first limit rows seen
// so far, and never more than limit of them. Wide rows that are not among the first are never copied.

// topCopiedMax is the limit up to which a top-N copies all rows it takes, so that its input may use the memory
// of a batch again.
const topCopiedMax = 4096

// addTop holds the rows of a batch that may be among the first; keys has the selected rows' keys.
func (s *sortOp) addTop(b *Batch, keys []arrow.Array) {
	n := b.Rows()
	var rows []int32 // of keys; nil: all
	if s.bound != nil {
		rows = make([]int32, 0, 64)
		before := compareKeys(s.w, s.keys.specs, keys, s.bound)
		for i := range n {
			if before(i, 0) < 0 {
				rows = append(rows, int32(i))
			}
		}
		if len(rows) == 0 {
			return
		}
		if n = len(rows); n > s.limit {
			keys = kernel.TakeCols(keys, rows)
		}
	}
	if n > s.limit {
		first := sortedRows(s.w, s.keys.specs, keys, n)[:s.limit]
		keys = kernel.TakeCols(keys, first)
		if rows != nil {
			for i, r := range first {
				first[i] = rows[r]
			}
		}
		rows, n = first, s.limit
	} else if rows != nil {
		keys = kernel.TakeCols(keys, rows)
	}
	cols := b.Cols
	if rows != nil || b.Sel != nil || s.limit <= topCopiedMax {
		cols = kernel.TakeCols(cols, pickRows(b, rows))
		if rows == nil && s.limit <= topCopiedMax { // a key may be a column
			keys = kernel.TakeCols(keys, allRows(n))
		}
	}
	s.add(&Batch{Cols: append(append([]arrow.Array{}, cols...), keys...), N: n})
	if s.bound == nil && s.rows >= s.limit || s.rows > 2*s.limit+s.w.q.env.BatchSize {
		s.keepTop()
	}
}

// pickRows are rows, of those selected (nil: all), as rows of the batch.
func pickRows(b *Batch, rows []int32) []int32 {
	switch {
	case rows == nil && b.Sel == nil:
		return allRows(b.N)
	case rows == nil:
		return b.Sel
	case b.Sel == nil:
		return rows
	}
	out := make([]int32, len(rows))
	for i, r := range rows {
		out[i] = b.Sel[r]
	}
	return out
}

func allRows(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// keepTop drops all but the first limit rows held.
func (s *sortOp) keepTop() {
	all, order := s.sortAll()
	order = order[:min(len(order), s.limit)]
	b := &Batch{Cols: kernel.TakeCols(all.Cols, order), N: len(order)}
	if b.N == s.limit {
		s.bound = kernel.TakeCols(b.Cols[len(s.ts):], []int32{int32(b.N - 1)})
	}
	s.batches, s.rows = []*Batch{b}, b.N
	s.mem.set(batchBytes(b))
}
