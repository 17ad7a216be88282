package table

import (
	"bytes"
	"context"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// columnReader reads key ranges of a table whose rows lie in segments and, newer ones,
// in the engine (the delta). Output: for every block of a segment a batch of the
// rows that pass (column_blocks.go), and between them batches of the delta's rows.
// Order: none, or the key's when ordered is set. The filter, if there is one, has been
// applied. Owns its view.
//
// Unordered. Blocks of a range are taken in the order of their first keys, while one
// walk over the delta goes along: every entry of the delta is a row to be delivered,
// or a tombstone, and hides the row with its key in every block that has one and is
// older. A block is complete when the walk has passed its last key. Blocks of loose
// segments may overlap others; then several wait for the walk.
//
// Ordered. A block is delivered whole where the delta has nothing between its keys;
// else the rows between them are read one by one.
type columnReader struct {
	view    txn.ColumnView
	sc      *schema
	filter  vexec.ScanFilter
	ordered bool
	ranges  []keyRange
	out     *output // rows of the delta
	blocks  *blockReader

	parts   *txn.ColumnParts // of the range being read, nil between ranges
	upper   []byte           // of the range
	deltaOK bool             // the walk stands on an entry that has not been taken
	pending []*columnBlock   // blocks of the range, by first key
	active  []*columnBlock   // the blocks that the walk is in or has passed
	overlay *overlayReader   // the delta in pieces instead, nil where it is walked entry by entry
	columns []int32
	small   bool // a few rows are wanted
	part    bool // of a scan in parts, which is a large one whatever the ranges here

	// rows between two keys, read one by one
	it    txn.Iter
	steps int
	done  bool
}

// newColumnReader reads ranges, each in one tablet.
func newColumnReader(view txn.ColumnView, sc *schema, ranges []keyRange, columns []int32, ordered bool, limitHint uint64, req *vexec.ScanRequest) *columnReader {
	return &columnReader{view: view, sc: sc, filter: req.Filter, ordered: ordered, ranges: ranges,
		columns: columns, small: limitHint > 0 && limitHint < batchRows, part: req.Parts > 1,
		out: newOutput(sc, columns, capacityFor(limitHint, ranges)), blocks: newBlockReader(sc, columns, limitHint, req)}
}

func (r *columnReader) Next(ctx context.Context) (*vexec.Batch, error) {
	for !r.done {
		b, err := r.step(ctx)
		if err != nil {
			r.Close()
			return nil, err
		}
		if b != nil {
			return b, nil
		}
	}
	return nil, nil
}

// step does a piece of work, and gives a batch if that has made one.
func (r *columnReader) step(ctx context.Context) (*vexec.Batch, error) {
	if ctx.Err() != nil {
		return nil, pgerror.From(context.Cause(ctx))
	}
	switch {
	case r.out.dec.Full():
		return r.flush(ctx)
	case r.it != nil:
		return nil, r.readRows(ctx)
	case r.blocks.cur != nil:
		return r.blocks.next(ctx)
	case r.parts == nil:
		return r.nextRange(ctx)
	case r.overlay != nil && r.ordered:
		return r.stepOverlayOrdered(ctx)
	case r.overlay != nil:
		return r.stepOverlay(ctx)
	case r.ordered:
		return r.stepOrdered(ctx)
	}
	if len(r.active) == 0 {
		if len(r.pending) == 0 {
			if more, err := r.walk(ctx, nil); more || err != nil {
				return nil, err
			}
			return nil, r.endRange()
		}
		r.activate()
	}
	c := r.active[0]
	if more, err := r.walk(ctx, c.end); more || err != nil {
		return nil, err
	}
	r.active = r.active[1:]
	return nil, r.blocks.begin(ctx, c)
}

// flush delivers the delta's rows collected so far.
func (r *columnReader) flush(ctx context.Context) (*vexec.Batch, error) {
	return r.filtered(ctx, r.out.finish())
}

// filtered applies the filter to a batch of the delta; nil when no row passes.
func (r *columnReader) filtered(ctx context.Context, b *vexec.Batch) (*vexec.Batch, error) {
	if b == nil || r.filter == nil {
		return b, nil
	}
	keep, err := r.filter.Select(ctx, b)
	if err != nil {
		return nil, err
	}
	if keep != nil {
		if len(keep) == 0 {
			return nil, nil
		}
		b.Sel = slices.Clone(keep)
	}
	return b, nil
}

// nextRange opens the next range.
func (r *columnReader) nextRange(ctx context.Context) (*vexec.Batch, error) {
	kr, ok := nextRange(&r.ranges, false)
	if !ok {
		b, err := r.flush(ctx)
		if err == nil {
			r.Close()
		}
		return b, err
	}
	if kr.point {
		v, ok, err := r.view.Get(ctx, kr.lower)
		if err == nil && ok {
			err = r.out.append(kr.lower[keyenc.PrefixLen:], v)
		}
		return nil, err
	}
	parts, err := r.view.Columns(ctx, kr.lower, kr.upper)
	if err != nil {
		return nil, err
	}
	if parts == nil {
		r.it, err = r.view.NewIter(ctx, txn.IterOptions{Lower: kr.lower, Upper: kr.upper})
		return nil, err
	}
	r.parts, r.upper = parts, kr.upper
	overlap := false
	if r.pending, overlap, err = blocksOf(parts.Parts); err != nil {
		return nil, err
	}
	if r.ordered && overlap {
		if err := r.endRange(); err != nil {
			return nil, err
		}
		r.it, err = r.view.NewIter(ctx, txn.IterOptions{Lower: kr.lower, Upper: kr.upper})
		return nil, err
	}
	if parts.Walk != nil && (len(r.pending) >= overlayBlocksMin || r.part && len(r.pending) > 0) && !r.small {
		r.overlay = newOverlayReader(parts.Walk, r.out, r.sc, r.columns)
		return nil, nil
	}
	return nil, r.advance()
}

func (r *columnReader) endRange() error {
	err := r.parts.Delta.Err()
	r.parts.Close()
	r.parts, r.pending, r.active, r.overlay = nil, nil, nil, nil
	return err
}

// advance moves the walk over the delta.
func (r *columnReader) advance() error {
	if r.deltaOK = r.parts.Delta.Next(); !r.deltaOK {
		return r.parts.Delta.Err()
	}
	return nil
}

// activate takes the next block, and those that begin with it.
func (r *columnReader) activate() {
	r.active = append(r.active, r.pending[0])
	r.pending = r.pending[1:]
}

// walk takes the entries of the delta before end (nil: all). more: there are more, but
// a batch is full, or it is time to look at the context.
func (r *columnReader) walk(ctx context.Context, end []byte) (more bool, err error) {
	for r.deltaOK {
		loc := r.parts.Delta.Key()[keyenc.PrefixLen:]
		if end != nil && bytes.Compare(loc, end) >= 0 {
			return false, nil
		}
		if r.out.dec.Full() {
			return true, nil
		}
		for len(r.pending) > 0 && bytes.Compare(r.pending[0].first, loc) <= 0 {
			r.activate()
		}
		ts := r.parts.Delta.Timestamp()
		for _, c := range r.active {
			if err := c.hide(ctx, loc, ts); err != nil {
				return false, err
			}
		}
		if !r.parts.Delta.Deleted() {
			if err := r.out.append(loc, r.parts.Delta.Value()); err != nil {
				return false, err
			}
		}
		if err := r.advance(); err != nil {
			return false, err
		}
		if r.steps++; r.steps%ctxCheckRows == 0 && ctx.Err() != nil {
			return true, nil
		}
	}
	return false, nil
}

// stepOrdered takes the next block, or the delta's rows before it.
func (r *columnReader) stepOrdered(ctx context.Context) (*vexec.Batch, error) {
	if len(r.pending) == 0 {
		if more, err := r.walk(ctx, nil); more || err != nil {
			return nil, err
		}
		return nil, r.endRange()
	}
	c := r.pending[0]
	if more, err := r.walkBefore(ctx, c.first); more || err != nil {
		return nil, err
	}
	if b, err := r.flush(ctx); b != nil || err != nil { // they come before the block
		return b, err
	}
	if !r.deltaOK || bytes.Compare(r.parts.Delta.Key()[keyenc.PrefixLen:], c.end) >= 0 {
		r.pending = r.pending[1:]
		return nil, r.blocks.begin(ctx, c)
	}
	// Row by row, to the end of the last block that the delta's entries are in.
	prefix := bytes.Clone(r.parts.Delta.Key()[:keyenc.PrefixLen])
	var end []byte
	for len(r.pending) > 0 && r.deltaOK && bytes.Compare(r.parts.Delta.Key()[keyenc.PrefixLen:], r.pending[0].end) < 0 {
		end = r.pending[0].end
		r.pending = r.pending[1:]
		for r.deltaOK && bytes.Compare(r.parts.Delta.Key()[keyenc.PrefixLen:], end) < 0 {
			if err := r.advance(); err != nil {
				return nil, err
			}
			if r.steps++; r.steps%ctxCheckRows == 0 && ctx.Err() != nil {
				return nil, pgerror.From(context.Cause(ctx))
			}
		}
	}
	upper := join(prefix, end)
	if bytes.Compare(upper, r.upper) > 0 { // the next block begins behind the range
		upper = r.upper
	}
	var err error
	r.it, err = r.view.NewIter(ctx, txn.IterOptions{Lower: join(prefix, c.first), Upper: upper})
	return nil, err
}

func join(a, b []byte) []byte { return append(append(make([]byte, 0, len(a)+len(b)), a...), b...) }

// walkBefore is walk for entries that are in no block.
func (r *columnReader) walkBefore(ctx context.Context, end []byte) (more bool, err error) {
	pending := r.pending
	r.pending = nil
	more, err = r.walk(ctx, end)
	r.pending = pending
	return more, err
}

// readRows reads rows one by one until a batch is full.
func (r *columnReader) readRows(ctx context.Context) error {
	for !r.out.dec.Full() {
		if !r.it.Next() {
			err := r.it.Close()
			r.it = nil
			return err
		}
		if err := r.out.append(r.it.Key()[keyenc.PrefixLen:], r.it.Value()); err != nil {
			return err
		}
		if r.steps++; r.steps%ctxCheckRows == 0 && ctx.Err() != nil {
			return pgerror.From(context.Cause(ctx))
		}
	}
	return nil
}

func (r *columnReader) Close() {
	if r.done {
		return
	}
	r.done = true
	if r.it != nil {
		r.it.Close()
		r.it = nil
	}
	if r.parts != nil {
		r.parts.Close()
		r.parts = nil
	}
	r.blocks.release()
	r.view.Close()
}
