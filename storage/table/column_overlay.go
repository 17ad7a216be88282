package table

import (
	"bytes"
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// overlayReader is what columnReader does where the delta comes in pieces (columns.DeltaWalk): no entry is
// looked at one by one. Pieces are taken until they cover the next block; the rows of segments that they hide
// are known, and their own rows are a batch each. Ordered, the rows of a block and those of the delta
// between them become one batch.
type overlayReader struct {
	walk *columns.DeltaWalk
	// taken are the pieces that reach into the blocks to come, end where the last one ends.
	taken []*columns.DeltaPiece
	end   []byte
	done  bool // the walk is over
	// due are the rows to be delivered next
	due     *columns.DeltaPiece
	cols    []rowcodec.Column // of the table, that are asked for
	at      []int             // per output column: its number in cols, or a system column's number
	columns []arrow.Array     // of due's chunk
}

// overlayBlocksMin is how many blocks a range that is no part of a larger scan must have for pieces of the delta to be
// worth keeping.
const overlayBlocksMin = 8

func newOverlayReader(walk *columns.DeltaWalk, out *output, sc *schema, columns []int32) *overlayReader {
	v := &overlayReader{walk: walk, at: out.from}
	for _, c := range columns {
		if c >= 0 {
			v.cols = append(v.cols, sc.cols[c])
		}
	}
	return v
}

// take takes the next piece.
func (v *overlayReader) take(ctx context.Context) error {
	p, err := v.walk.Next(ctx)
	if err != nil {
		return err
	}
	if v.done = p == nil || p.Upper == nil; p == nil {
		return nil
	}
	v.taken, v.end = append(v.taken, p), p.Upper
	return nil
}

// covers reports whether the pieces taken reach to end.
func (v *overlayReader) covers(end []byte) bool {
	return v.done || v.end != nil && bytes.Compare(v.end, end) >= 0
}

// leave forgets the pieces that end at or before loc.
func (v *overlayReader) leave(loc []byte) {
	for len(v.taken) > 0 && v.taken[0].Upper != nil && bytes.Compare(v.taken[0].Upper, loc) <= 0 {
		v.taken = v.taken[1:]
	}
}

// hide hides rows of a block.
func (v *overlayReader) hide(c *columnBlock) {
	for _, p := range v.taken {
		c.hidden = p.Hide(c.f, c.start, c.rows, c.hidden)
	}
}

// stepOverlay is step between blocks, unordered.
func (r *columnReader) stepOverlay(ctx context.Context) (*vexec.Batch, error) {
	v := r.overlay
	if p := v.due; p != nil {
		v.due = nil
		return r.deltaRows(ctx, p.Chunk, p.Lo, p.Hi)
	}
	if !v.done && (len(r.pending) == 0 || !v.covers(r.pending[0].end)) {
		n := len(v.taken)
		if err := v.take(ctx); err != nil {
			return nil, err
		}
		if len(v.taken) > n && v.taken[n].Lo < v.taken[n].Hi {
			v.due = v.taken[n]
		}
		return nil, nil
	}
	if len(r.pending) == 0 {
		return nil, r.endRange()
	}
	c := r.pending[0]
	r.pending = r.pending[1:]
	v.leave(c.first)
	if err := r.blocks.begin(ctx, c); err != nil || r.blocks.cur == nil {
		return nil, err
	}
	v.hide(c)
	return nil, nil
}

// deltaRows makes a batch of the rows of entries [lo, hi) that pass the filter; nil for none.
func (r *columnReader) deltaRows(ctx context.Context, c *columns.Chunk, lo, hi int) (*vexec.Batch, error) {
	from, to := c.Live(lo, hi)
	if from == to {
		return nil, nil
	}
	v := r.overlay
	cols, err := c.Columns(v.cols)
	if err != nil {
		return nil, err
	}
	b := &vexec.Batch{N: to - from, Cols: make([]arrow.Array, len(v.at))}
	var offs []int32
	var locs []byte
	if r.out.needLoc {
		offs = append(make([]int32, 0, b.N+1), 0)
		for i := from; i < to; i++ {
			locs = append(locs, c.Key(c.Entry(i))...)
			offs = append(offs, int32(len(locs)))
		}
	}
	for i, at := range v.at {
		if at >= 0 {
			b.Cols[i] = kernel.Slice(cols[at], from, to)
		} else {
			b.Cols[i] = r.out.system(at, b.N, locs, offs)
		}
	}
	return r.filtered(ctx, b)
}

// stepOverlayOrdered is step between blocks, in the order of keys. REQUIRES: blocks do not overlap.
func (r *columnReader) stepOverlayOrdered(ctx context.Context) (*vexec.Batch, error) {
	v := r.overlay
	if p := v.due; p != nil {
		// The rows before the next block.
		hi := p.Hi
		if len(r.pending) > 0 {
			hi = min(hi, max(p.Lo, p.Seek(r.pending[0].first)))
		}
		v.due = nil
		lo := p.Lo
		p.Lo = hi
		return r.deltaRows(ctx, p.Chunk, lo, hi)
	}
	for i, p := range v.taken { // oldest first
		if p.Lo < p.Hi && (len(r.pending) == 0 || bytes.Compare(p.Key(p.Lo), r.pending[0].first) < 0) {
			v.due = v.taken[i]
			return nil, nil
		}
	}
	if !v.done && (len(r.pending) == 0 || !v.covers(r.pending[0].end)) {
		return nil, v.take(ctx)
	}
	if len(r.pending) == 0 {
		return nil, r.endRange()
	}
	c := r.pending[0]
	r.pending = r.pending[1:]
	v.leave(c.first)
	return r.mergedBlock(ctx, c)
}

// mergedBlock gives the rows of a block and those of the delta between them as one batch; blocks without
// such are left to blockReader.
func (r *columnReader) mergedBlock(ctx context.Context, c *columnBlock) (*vexec.Batch, error) {
	v := r.overlay
	var parts []*vexec.Batch // of the delta
	var rows []int32         // and before which row of the block each of their rows comes
	for _, p := range v.taken {
		lo, hi := p.Lo, min(p.Hi, max(p.Lo, p.Seek(c.end)))
		if lo == hi {
			continue
		}
		p.Lo = hi
		b, err := r.deltaRows(ctx, p.Chunk, lo, hi)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		from, _ := p.Live(lo, hi)
		add := func(i int32) { rows = append(rows, int32(p.Row(c.f, p.Entry(from+int(i)))-c.start)) }
		if b.Sel == nil {
			for i := range b.N {
				add(int32(i))
			}
		} else {
			for _, i := range b.Sel {
				add(i)
			}
			b = &vexec.Batch{N: len(b.Sel), Cols: kernel.TakeCols(b.Cols, b.Sel)}
		}
		parts = append(parts, b)
	}
	if err := r.blocks.begin(ctx, c); err != nil {
		return nil, err
	}
	if r.blocks.cur != nil {
		v.hide(c)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	var base *vexec.Batch
	if r.blocks.cur != nil {
		step := r.blocks.step
		r.blocks.step = 0
		var err error
		base, err = r.blocks.next(ctx)
		r.blocks.step = step
		if err != nil {
			return nil, err
		}
	}
	if base == nil && len(parts) == 1 {
		return parts[0], nil
	}
	var all []*vexec.Batch
	var order []int32
	nb := 0
	if base != nil {
		all, nb = append(all, base), base.N
		order = make([]int32, 0, nb+len(rows))
		k := 0
		add := func(i int32) {
			row := r.blocks.row(i)
			for k < len(rows) && rows[k] <= row {
				order = append(order, int32(nb+k))
				k++
			}
			order = append(order, i)
		}
		if base.Sel == nil {
			for i := range nb {
				add(int32(i))
			}
		} else {
			for _, i := range base.Sel {
				add(i)
			}
		}
		for ; k < len(rows); k++ {
			order = append(order, int32(nb+k))
		}
	} else {
		for k := range rows {
			order = append(order, int32(k))
		}
	}
	all = append(all, parts...)
	out := &vexec.Batch{N: len(order), Cols: make([]arrow.Array, len(v.at))}
	vectors := make([]arrow.Array, len(all))
	for i, o := range r.blocks.from {
		if r.blocks.need != nil && !r.blocks.need[i] {
			continue
		}
		for k, b := range all {
			vectors[k] = b.Cols[i]
		}
		t := systemType(o)
		if o >= 0 {
			t = r.sc.cols[o].T
		}
		out.Cols[i] = kernel.Take(kernel.ConcatCoded(t, vectors), order)
	}
	return out, nil
}

// systemType is the type of a system column.
func systemType(o int32) types.T {
	switch o {
	case columnTableOID:
		return types.Of(types.Oid)
	case columnXmin:
		return types.Of(types.Xid)
	case columnCtid:
		return types.Of(types.Tid)
	}
	return types.Of(types.Bytea)
}
