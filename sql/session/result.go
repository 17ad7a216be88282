package session

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// source yields a statement's rows; nil batch at the end.
type source interface {
	Next(ctx context.Context) (*vexec.Batch, error)
	Close()
}

// result is a running statement.
type result struct {
	cols    []pgwire.Column // nil: no rows for the client
	formats []int16
	types   []types.T // of src's columns; nil: those of cols
	src     source    // nil: nothing to run any more
	// tag is the command tag once rows rows have been delivered.
	tag func(rows int64) string
	// finish runs after the last row (constraint checks); may be nil.
	finish func(ctx context.Context) error
	// empty: an empty query string.
	empty bool
	// takesSink marks COPY, which talks to the client itself.
	copy func(ctx context.Context, out pgwire.Sink) (tag string, err error)
}

// source is the source of a point statement's result, which may be nil; ok is
// false for others.
func (r *result) source() (*pointSource, bool) {
	if r == nil {
		return nil, false
	}
	p, ok := r.src.(*pointSource)
	return p, ok
}

// rowTypes are the types of src's columns.
func (r *result) rowTypes() []types.T {
	if r.types != nil {
		return r.types
	}
	ts := make([]types.T, len(r.cols))
	for i, c := range r.cols {
		ts[i] = c.Type
	}
	return ts
}

func done(tag string) *result { return &result{tag: func(int64) string { return tag }} }

// batches is a source over batches in memory.
type batches struct{ list []*vexec.Batch }

func (b *batches) Next(context.Context) (*vexec.Batch, error) {
	if len(b.list) == 0 {
		return nil, nil
	}
	x := b.list[0]
	b.list = b.list[1:]
	return x, nil
}

func (b *batches) Close() { b.list = nil }

// textRows makes a result of text columns, as SHOW and EXPLAIN give.
func textRows(tag string, names []string, rows [][]string) *result {
	cols := make([]pgwire.Column, len(names))
	for i, n := range names {
		cols[i] = pgwire.Column{Name: n, Type: types.Of(types.Text), Len: -1}
	}
	r := &result{cols: cols, tag: func(int64) string { return tag }, src: &batches{}}
	if len(rows) > 0 {
		vectors := make([]arrow.Array, len(names))
		for i := range names {
			b := types.NewBuilder(types.Of(types.Text), len(rows))
			for _, row := range rows {
				b.Append(row[i])
			}
			vectors[i] = b.Finish()
		}
		r.src = &batches{list: []*vexec.Batch{{Cols: vectors, N: len(rows)}}}
	}
	return r
}

// part cuts rows [from, to) out of a batch's selected rows.
func part(b *vexec.Batch, from, to int) *vexec.Batch {
	if from == 0 && to == b.Rows() {
		return b
	}
	if b.Sel != nil {
		return &vexec.Batch{Cols: b.Cols, Sel: b.Sel[from:to], N: b.N}
	}
	sel := make([]int32, to-from)
	for i := range sel {
		sel[i] = int32(from + i)
	}
	return &vexec.Batch{Cols: b.Cols, Sel: sel, N: b.N}
}

// appendRows reads a batch's selected rows as Datums.
func appendRows(rows [][]types.Datum, cols []pgwire.Column, b *vexec.Batch) [][]types.Datum {
	n := b.Rows()
	for k := range n {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		row := make([]types.Datum, len(cols))
		for c := range cols {
			row[c] = types.Get(cols[c].Type, b.Cols[c], i)
		}
		rows = append(rows, row)
	}
	return rows
}
