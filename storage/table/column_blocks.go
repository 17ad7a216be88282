package table

import (
	"bytes"
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// columnBlock is rows [lo, hi) of a block of a segment.
type columnBlock struct {
	f     *segment.File
	ts    engine.Timestamp
	block int
	// start is the block's first row in the file, rows its number of rows.
	start, rows int
	lo, hi      int
	// first and end bound the locators of the rows; end is exclusive.
	first, end []byte
	// hidden has a bit for every row that the delta hides; nil for none.
	hidden []byte
}

// blocksOf lists the blocks of parts by their first keys, and reports whether the
// keys of some reach into others.
func blocksOf(parts []columns.Part) (out []*columnBlock, overlap bool, err error) {
	ctx := context.Background() // key blocks that have been read to find the parts' ends
	for _, p := range parts {
		f, err := p.Segment.File()
		if err != nil {
			return nil, false, err
		}
		blocks := make([]columnBlock, f.BlockOf(p.To-1)-f.BlockOf(p.From)+1)
		for i := range blocks {
			c := &blocks[i]
			c.f, c.ts, c.block = f, p.TS, f.BlockOf(p.From)+i
			c.start, c.rows = f.BlockRows(c.block)
			c.hi = c.rows
			c.first = f.FirstKey(c.block)
			switch {
			case c.start+c.rows > p.To:
				c.hi = p.To - c.start
				if c.end, err = f.AppendKey(ctx, nil, p.To); err != nil {
					return nil, false, err
				}
			case c.block+1 < f.Blocks():
				c.end = f.FirstKey(c.block + 1)
			default:
				c.end = append(bytes.Clone(f.Last()), 0)
			}
			if c.start < p.From {
				c.lo = p.From - c.start
				if c.first, err = f.AppendKey(ctx, nil, p.From); err != nil {
					return nil, false, err
				}
			}
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *columnBlock) int { return bytes.Compare(a.first, b.first) })
	for i := 1; i < len(out) && !overlap; i++ {
		overlap = bytes.Compare(out[i].first, out[i-1].end) < 0
	}
	return out, overlap, nil
}

// hide hides the row with a key, if there is one and the version of the key made at ts
// is newer.
func (c *columnBlock) hide(ctx context.Context, loc []byte, ts engine.Timestamp) error {
	if ts <= c.ts || bytes.Compare(loc, c.first) < 0 || bytes.Compare(loc, c.end) >= 0 {
		return nil
	}
	row, ok, err := c.f.Find(ctx, loc)
	if err != nil || !ok {
		return err
	}
	if c.hidden == nil {
		c.hidden = make([]byte, kernel.BitmapLen(c.rows))
	}
	kernel.SetBit(c.hidden, row-c.start)
	return nil
}

// blockReader makes batches of blocks: zones first, then the filter on the columns it
// looks at, then the other columns, of the rows that are left.
type blockReader struct {
	sc      *schema
	oid     types.OID
	exact   bool    // locators are integers
	from    []int32 // per output column: ordinal, or a system column's number
	filter  vexec.ScanFilter
	filters []bool // per output column: the filter looks at it
	need    []bool // per output column: it is to be delivered; nil: all
	conds   []blockCond

	f      *segment.File // whose columns cols are
	cols   []int         // per output column: its number in the file, −1 for none
	conv   []bool        // per output column: the file has it in another form
	condAt []int         // per condition: the column's number in the file

	cur *columnBlock
	// scratch is where columns are made: those that the filter looks at until they are
	// delivered, all of them for good when batches are fleeting.
	scratch  []*segment.Scratch
	ahead    []segment.Ahead
	fleeting bool
	// frame are the rows of the block that those of the batch made last are, nil: all.
	frame []int32
	step  int // rows to deliver at most, 0 for a block; grows when more is asked for
	sel   []int32
}

// blockCond is a condition on a table column that zones can answer.
type blockCond struct {
	ord int
	r   *segment.Range
}

// sparse: so many rows of so many are better read one by one.
func sparse(rows, of int) bool { return rows < of/3 }

func newBlockReader(sc *schema, columns []int32, limitHint uint64, req *vexec.ScanRequest) *blockReader {
	r := &blockReader{sc: sc, oid: types.OID(uint32(sc.t.RelationId)), exact: numericKey(sc), from: columns, filter: req.Filter, need: req.Need, fleeting: req.Fleeting}
	r.cols, r.conv = make([]int, len(columns)), make([]bool, len(columns))
	r.filters, r.scratch = make([]bool, len(columns)), make([]*segment.Scratch, len(columns))
	r.ahead = make([]segment.Ahead, len(columns))
	for i := range r.ahead {
		r.ahead[i].Fleeting = req.Fleeting || r.need != nil && !r.need[i]
	}
	if r.filter != nil {
		for _, c := range r.filter.Columns() {
			r.filters[c] = true
		}
	}
	for _, c := range req.Ranges {
		if x := segment.NewRange(sc.cols[c.Ordinal].T, c.Lower, c.Upper, c.In); x != nil {
			r.conds = append(r.conds, blockCond{c.Ordinal, x})
		}
	}
	r.condAt = make([]int, len(r.conds))
	if limitHint > 0 && limitHint < segment.BlockRowsMax/4 {
		r.step = max(int(limitHint), 16)
	}
	return r
}

// use prepares for the columns of a file.
func (r *blockReader) use(f *segment.File) error {
	if r.f == f {
		return nil
	}
	r.f = f
	cols := f.Columns()
	for i, o := range r.from {
		if o < 0 {
			continue
		}
		c := &r.sc.cols[o]
		at := f.ColumnOf(c.Attnum)
		if r.cols[i], r.conv[i] = at, false; at >= 0 && !sameForm(cols[at].Type, c.T) {
			if cols[at].Type.OID != types.Bytea && !sameBits(cols[at].Type, c.T) {
				return pgerror.Internal("column %d of a segment has type %d, want %d", c.Attnum, cols[at].Type.OID, c.T.OID)
			}
			r.conv[i] = true // kept as stored, or written under another type: ALTER TYPE may be undone
		}
	}
	for i := range r.conds {
		c := &r.sc.cols[r.conds[i].ord]
		if r.condAt[i] = f.ColumnOf(c.Attnum); r.condAt[i] >= 0 && cols[r.condAt[i]].Type.NoMod() != c.T.NoMod() {
			r.condAt[i] = -1
		}
	}
	return nil
}

// sameForm: vectors of one type are vectors of the other.
func sameForm(a, b types.T) bool {
	num := func(t types.T) bool { return t.OID == types.NumericOID && t.Class == types.ClassBase }
	return num(a) == num(b) && (a.OID == types.Bytea) == (b.OID == types.Bytea) && arrow.TypeEqual(types.ArrowType(a), types.ArrowType(b))
}

// sameBits: rows store values of both types as the same four bytes (int4, oid and its kin, enums).
func sameBits(a, b types.T) bool {
	four := func(t types.T) bool {
		id := types.ArrowType(t).ID()
		return id == arrow.INT32 || id == arrow.UINT32
	}
	return four(a) && four(b)
}

// begin takes a block, unless its zones rule it out.
func (r *blockReader) begin(ctx context.Context, c *columnBlock) error {
	if err := r.use(c.f); err != nil {
		return err
	}
	for i, col := range r.condAt {
		if col >= 0 && !c.f.MayMatch(col, c.block, r.conds[i].r) {
			return nil
		}
	}
	r.cur = c
	return nil
}

// next makes a batch of the next rows of the block; nil when none of them pass.
func (r *blockReader) next(ctx context.Context) (*vexec.Batch, error) {
	c := r.cur
	lo, hi := c.lo, c.hi
	if r.step > 0 && hi-lo > r.step {
		hi = lo + r.step
		r.step *= 4
	}
	if c.lo = hi; hi == c.hi {
		r.cur = nil
	}
	var rows []int32 // of the block; nil: all
	if lo > 0 || hi < c.rows || c.hidden != nil {
		r.sel = r.sel[:0]
		for i := lo; i < hi; i++ {
			if c.hidden == nil || c.hidden[i>>3]&(1<<(i&7)) == 0 {
				r.sel = append(r.sel, int32(i))
			}
		}
		if len(r.sel) == 0 {
			return nil, nil
		}
		if len(r.sel) < c.rows {
			rows = slices.Clone(r.sel)
		}
	}
	// The batch's rows are those of frame (nil: the block), of which sel count (nil: all).
	frame, sel, n := rows, []int32(nil), len(rows)
	if rows == nil || !sparse(len(rows), c.rows) {
		frame, sel, n = nil, rows, c.rows
	}
	b := &vexec.Batch{N: n, Sel: sel, Cols: make([]arrow.Array, len(r.from))}
	if r.filter != nil {
		for i := range r.from {
			if r.filters[i] {
				if err := r.read(ctx, c, b, i, frame, r.scratchOf(i)); err != nil {
					return nil, err
				}
			}
		}
		keep, err := r.filter.Select(ctx, b)
		if err != nil {
			return nil, err
		}
		if keep != nil {
			if len(keep) == 0 {
				return nil, nil
			}
			b.Sel = keep
		}
		if b.Sel != nil && len(b.Sel) == n {
			b.Sel, keep = nil, nil
		}
		if b.Sel != nil && sparse(len(b.Sel), n) {
			kept := b.Sel
			if frame != nil {
				kept = make([]int32, len(b.Sel))
				for i, k := range b.Sel {
					kept[i] = frame[k]
				}
			}
			frame = kept
			b = &vexec.Batch{N: len(kept), Cols: make([]arrow.Array, len(r.from))}
		} else if keep != nil && !r.fleeting {
			b.Sel = slices.Clone(keep)
		}
	}
	r.frame = frame
	for i := range r.from {
		if r.need != nil && !r.need[i] {
			b.Cols[i] = nil
			continue
		}
		var scratch *segment.Scratch
		if r.fleeting {
			scratch = r.scratchOf(i)
		}
		if b.Cols[i] == nil {
			if err := r.read(ctx, c, b, i, frame, scratch); err != nil {
				return nil, err
			}
		} else if !r.fleeting {
			r.scratch[i] = nil
		}
	}
	return b, nil
}

// row is the row of the block that row i of the batch made last is.
func (r *blockReader) row(i int32) int32 {
	if r.frame == nil {
		return i
	}
	return r.frame[i]
}

func (r *blockReader) scratchOf(i int) *segment.Scratch {
	if r.scratch[i] == nil {
		r.scratch[i] = segment.NewScratch()
	}
	return r.scratch[i]
}

// release gives up the memory that columns were made in; what was delivered for good has its own.
func (r *blockReader) release() {
	for i, s := range r.scratch {
		if s != nil {
			s.Release()
			r.scratch[i] = nil
		}
	}
}

// read reads output column i of the rows of a frame.
func (r *blockReader) read(ctx context.Context, c *columnBlock, b *vexec.Batch, i int, frame []int32, scratch *segment.Scratch) (err error) {
	switch o := r.from[i]; {
	case o == columnLocator || o == columnCtid:
		keys, err := r.keys(ctx, c, frame)
		if err != nil {
			return err
		}
		if o == columnCtid {
			b.Cols[i] = ctids(keys.Data, keys.Offs, r.exact)
		} else {
			b.Cols[i] = types.NewVarlen(arrow.BinaryTypes.Binary, keys.Offs, keys.Data, nil, 0)
		}
	case o == columnTableOID:
		b.Cols[i] = types.Repeat(types.Of(types.Oid), r.oid, b.N)
	case o == columnXmin:
		b.Cols[i] = types.Repeat(types.Of(types.Xid), types.OID(frozenXid), b.N)
	case r.cols[i] < 0:
		if rc := &r.sc.cols[o]; rc.HasMissing && rc.Missing != nil {
			b.Cols[i] = types.Repeat(rc.T, rc.Missing, b.N)
		} else {
			b.Cols[i] = kernel.Nulls(rc.T, b.N)
		}
	case frame == nil:
		b.Cols[i], err = c.f.ReadWith(ctx, c.block, r.cols[i], scratch, &r.ahead[i])
	default:
		b.Cols[i], err = c.f.ReadSelected(ctx, c.block, r.cols[i], frame, scratch, &r.ahead[i])
	}
	if err == nil && r.from[i] >= 0 && r.conv[i] && r.cols[i] >= 0 {
		b.Cols[i], err = decodeStored(r.sc.cols[r.from[i]].T, b.Cols[i])
	}
	return err
}

// keys gives the locators of the rows of a frame.
func (r *blockReader) keys(ctx context.Context, c *columnBlock, frame []int32) (segment.Keys, error) {
	if frame == nil {
		return c.f.Keys(ctx, c.block)
	}
	k := segment.Keys{Offs: make([]int32, 1, len(frame)+1)}
	var err error
	for _, i := range frame {
		if k.Data, err = c.f.AppendKey(ctx, k.Data, c.start+int(i)); err != nil {
			return k, err
		}
		k.Offs = append(k.Offs, int32(len(k.Data)))
	}
	return k, nil
}

// decodeStored turns values that a segment keeps as rows store them, or as values of a type with the same bits,
// into a vector of t.
func decodeStored(t types.T, a arrow.Array) (arrow.Array, error) {
	a = kernel.Flatten(a)
	if id := a.DataType().ID(); id == arrow.INT32 || id == arrow.UINT32 {
		d := a.Data()
		return array.MakeFromData(array.NewData(types.ArrowType(t), d.Len(), d.Buffers(), nil, d.NullN(), d.Offset())), nil
	}
	s := kernel.Strings(a)
	out := types.NewBuilder(t, a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			out.AppendNull()
			continue
		}
		d, err := rowcodec.DecodeValue(t, s.At(i))
		if err != nil {
			return nil, err
		}
		out.Append(d)
	}
	return out.Finish(), nil
}

// columnScan reports whether ranges are better read by columnReader: they are not
// points only, and each is in one tablet.
func columnScan(ranges []keyRange) bool {
	wide := false
	for i := range ranges {
		if len(ranges[i].tablets) > 1 {
			return false
		}
		wide = wide || !ranges[i].point
	}
	return wide
}
