package columns

import (
	"bytes"
	"container/heap"
	"context"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/segment"
)

// bg is the context of reads that are too short to be cancelled.
var bg = context.Background()

// NewIter implements engine.ColumnPin.
func (p *Pin) NewIter(lower, upper []byte, at engine.Timestamp, reverse bool) (engine.ColumnIter, error) {
	lo, hi := p.bounds(lower, upper)
	it := &Iter{pin: p, reverse: reverse, span: -1, key: append([]byte{}, p.space[:]...)}
	var inSpans []*Segment
	for _, g := range p.st.overlapping(lo, hi) {
		switch {
		case g.ts > at:
			if g.merged {
				return nil, belowFloor(at, g.ts)
			}
		case g.merged:
			inSpans = append(inSpans, g)
		default:
			it.heap.list = append(it.heap.list, &cursor{segs: []*Segment{g}, lo: lo, hi: hi, reverse: reverse})
		}
	}
	if len(inSpans) > 0 {
		it.heap.list = append(it.heap.list, &cursor{segs: inSpans, lo: lo, hi: hi, reverse: reverse})
	}
	it.heap.reverse = reverse
	return it, nil
}

// NewIter walks the rows of provisional segments of one space, one per key: that of
// the last segment in the list. Keys are whole keys.
func NewIter(segs []*Segment, lower, upper []byte, reverse bool) *Iter {
	if len(segs) == 0 {
		return &Iter{}
	}
	p := &Pin{space: segs[0].space, st: &state{}}
	lo, hi := p.bounds(lower, upper)
	it := &Iter{pin: p, reverse: reverse, span: -1, key: append([]byte{}, p.space[:]...)}
	it.heap.reverse = reverse
	for i, g := range segs {
		if g.overlaps(lo, hi) {
			it.heap.list = append(it.heap.list, &cursor{segs: []*Segment{g}, order: i, lo: lo, hi: hi, reverse: reverse})
		}
	}
	return it
}

// Iter walks rows of segments, the newest of each key. It implements engine.ColumnIter.
type Iter struct {
	pin     *Pin
	reverse bool
	heap    cursorHeap
	started bool
	cur     *cursor // stands on the row
	key     []byte
	val     []byte
	err     error
	// span is the index of the span looked at last; −1 for none.
	span int
}

// Next implements engine.ColumnIter.
func (i *Iter) Next() bool {
	if i.err != nil || i.pin == nil {
		return false
	}
	h := &i.heap
	if !i.started {
		i.started = true
		live := h.list[:0]
		for _, c := range h.list {
			if i.err = c.first(); i.err != nil {
				return false
			}
			if i.err = i.skipDead(c); i.err != nil {
				return false
			}
			if c.valid {
				live = append(live, c)
			}
		}
		h.list = live
		heap.Init(h)
	} else if i.cur != nil {
		// Leave the key, in every segment that has it.
		for len(h.list) > 0 && bytes.Equal(h.list[0].key(), i.key[len(i.pin.space):]) {
			c := h.list[0]
			if i.err = c.next(); i.err != nil {
				return false
			}
			if i.err = i.skipDead(c); i.err != nil {
				return false
			}
			if c.valid {
				heap.Fix(h, 0)
			} else {
				heap.Pop(h)
			}
		}
	}
	if len(h.list) == 0 {
		i.cur = nil
		return false
	}
	i.cur = h.list[0]
	i.key = append(i.key[:len(i.pin.space)], i.cur.key()...)
	return true
}

// skipDead moves a cursor over a loose segment past rows that are below a floor.
func (i *Iter) skipDead(c *cursor) error {
	if len(i.pin.st.spans) == 0 {
		return nil
	}
	for c.valid && !c.seg().merged {
		s := i.pin.st.spanAt(c.key())
		if s < 0 || i.pin.st.spans[s].floor < c.seg().ts {
			return nil
		}
		sp := i.pin.st.spans[s]
		var err error
		if i.reverse {
			err = c.seekBelow(sp.lower)
		} else {
			err = c.seek(sp.upper)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Key, Timestamp and Value implement engine.ColumnIter.
func (i *Iter) Key() []byte                 { return i.key }
func (i *Iter) Timestamp() engine.Timestamp { return i.cur.seg().ts }
func (i *Iter) Value() ([]byte, error) {
	var err error
	i.val, err = i.cur.appendRow(i.val[:0])
	return i.val, err
}

// Floor implements engine.ColumnIter.
func (i *Iter) Floor(key []byte) engine.Timestamp {
	if !i.pin.Covers(key) {
		return 0
	}
	loc, st := key[len(i.pin.space):], i.pin.st
	if len(st.spans) == 0 {
		return 0
	}
	if i.span >= 0 && st.spans[i.span].holds(loc) {
		return st.spans[i.span].floor
	}
	if i.span = st.spanAt(loc); i.span < 0 {
		return 0
	}
	return st.spans[i.span].floor
}

// Err implements engine.ColumnIter.
func (i *Iter) Err() error { return i.err }

// Close implements engine.ColumnIter.
func (i *Iter) Close() error {
	for _, c := range i.heap.list {
		c.leave()
	}
	i.heap.list, i.cur, i.pin = nil, nil, nil
	return nil
}

// cursor walks segments whose rows do not overlap and ascend from one to the next.
type cursor struct {
	segs    []*Segment
	order   int // newer of two rows with the same key and timestamp
	lo, hi  []byte
	reverse bool

	at       int // in segs
	f        *openFile
	row, end int // rows [row, end) of the segment are left; descending: row is the next, end the last
	valid    bool

	// the block that row is in
	block, blockFirst int
	blockRows         int
	keys              segment.Keys  // empty until the block's are decoded
	rowKey            []byte        // until then, row's
	singleKeys        int           // keys that were read one by one
	cols              []arrow.Array // nil until the block is decoded
	singles           int           // rows of segments that were read one by one
	enc               *rowEncoder
}

func (c *cursor) seg() *Segment { return c.segs[c.at] }

// first goes to the first row.
func (c *cursor) first() error {
	c.at = -1
	if c.reverse {
		c.at = len(c.segs)
	}
	return c.nextSegment()
}

// nextSegment goes to the first row of the next segment that has one in range.
func (c *cursor) nextSegment() error {
	for {
		c.leave()
		if c.reverse {
			c.at--
		} else {
			c.at++
		}
		if c.at < 0 || c.at >= len(c.segs) {
			c.valid = false
			c.at = min(max(c.at, 0), len(c.segs)-1)
			return nil
		}
		g := c.seg()
		f, err := g.open()
		if err != nil {
			return err
		}
		from, to := 0, f.Rows()
		if bytes.Compare(c.lo, g.first) > 0 {
			if from, err = f.SeekRow(bg, c.lo); err != nil {
				return g.wrap(err)
			}
		}
		if c.hi != nil && bytes.Compare(c.hi, g.last) <= 0 {
			if to, err = f.SeekRow(bg, c.hi); err != nil {
				return g.wrap(err)
			}
		}
		if from >= to {
			continue
		}
		c.f = f
		if c.reverse {
			c.row, c.end = to-1, from-1
		} else {
			c.row, c.end = from, to
		}
		return c.enter()
	}
}

// leave gives up the segment's resources.
func (c *cursor) leave() {
	if c.f != nil && c.enc != nil {
		clear(c.enc.cols)
		c.f.encoders.Put(c.enc)
	}
	c.f, c.enc, c.cols = nil, nil, nil
	c.blockRows = 0
}

// enter loads row's key, or those of its block, if they are not.
func (c *cursor) enter() (err error) {
	c.valid = true
	if c.blockRows == 0 || c.row < c.blockFirst || c.row >= c.blockFirst+c.blockRows {
		c.block = c.f.BlockOf(c.row)
		c.blockFirst, c.blockRows = c.f.BlockRows(c.block)
		c.cols, c.keys = nil, segment.Keys{}
	}
	switch {
	case c.keys.Len() > 0:
	case c.singleKeys < singleKeysMax:
		c.singleKeys++
		c.rowKey, err = c.f.AppendKey(bg, c.rowKey[:0], c.row)
	default:
		c.keys, err = c.f.Keys(bg, c.block)
	}
	return c.seg().wrap(err)
}

func (c *cursor) key() []byte {
	if c.keys.Len() > 0 {
		return c.keys.At(c.row - c.blockFirst)
	}
	return c.rowKey
}

// next goes to the next row.
func (c *cursor) next() error {
	if c.reverse {
		c.row--
	} else {
		c.row++
	}
	if c.row == c.end {
		return c.nextSegment()
	}
	return c.enter()
}

// seek goes to the first row at or above loc, which is not below the present one.
func (c *cursor) seek(loc []byte) error {
	for c.valid {
		if bytes.Compare(loc, c.seg().last) <= 0 {
			row, err := c.f.SeekRow(bg, loc)
			if err != nil {
				return c.seg().wrap(err)
			}
			if row = max(row, c.row); row < c.end {
				c.row = row
				return c.enter()
			}
		}
		if err := c.nextSegment(); err != nil {
			return err
		}
		if c.valid && bytes.Compare(c.key(), loc) >= 0 {
			return nil
		}
	}
	return nil
}

// seekBelow goes to the last row below loc, which is not above the present one.
func (c *cursor) seekBelow(loc []byte) error {
	for c.valid {
		if bytes.Compare(c.seg().first, loc) < 0 {
			row, err := c.f.SeekRow(bg, loc)
			if err != nil {
				return c.seg().wrap(err)
			}
			if row = min(row-1, c.row); row > c.end {
				c.row = row
				return c.enter()
			}
		}
		if err := c.nextSegment(); err != nil {
			return err
		}
		if c.valid && bytes.Compare(c.key(), loc) < 0 {
			return nil
		}
	}
	return nil
}

// load decodes the block.
func (c *cursor) load() error {
	if c.cols != nil {
		return nil
	}
	if c.enc == nil {
		c.enc = c.f.encoders.Get().(*rowEncoder)
	}
	for i := range c.enc.cols {
		var err error
		if c.enc.cols[i], err = c.f.Read(bg, c.block, i); err != nil {
			return c.seg().wrap(err)
		}
	}
	c.cols = c.enc.cols
	if c.cols == nil {
		c.cols = []arrow.Array{}
	}
	return nil
}

// appendRow appends the stored form of the row.
func (c *cursor) appendRow(dst []byte) ([]byte, error) {
	if c.cols == nil && c.singles < singleRowsMax { // short ranges are not worth a decoded block
		c.singles++
		dst, err := c.f.appendRow(bg, dst, c.row, nil)
		return dst, c.seg().wrap(err)
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c.enc.enc.AppendRow(dst, c.cols, c.row-c.blockFirst)
}

// How many rows, and keys, a cursor reads one by one before it decodes blocks: about as many as take
// the time that decoding a block takes.
const (
	singleRowsMax = 128
	singleKeysMax = 512
)

// cursorHeap has the cursor with the next key at its root; of several with the same
// key the newest.
type cursorHeap struct {
	list    []*cursor
	reverse bool
}

func (h *cursorHeap) Len() int { return len(h.list) }
func (h *cursorHeap) Less(i, j int) bool {
	a, b := h.list[i], h.list[j]
	if c := bytes.Compare(a.key(), b.key()); c != 0 {
		return c < 0 != h.reverse
	}
	if x, y := a.seg().ts, b.seg().ts; x != y {
		return x > y
	}
	return a.order > b.order
}
func (h *cursorHeap) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *cursorHeap) Push(x any)    { h.list = append(h.list, x.(*cursor)) }
func (h *cursorHeap) Pop() any {
	n := len(h.list) - 1
	x := h.list[n]
	h.list = h.list[:n]
	return x
}

// chainIter is the iterators of several spaces, one after the other.
type chainIter struct {
	pins multiPin
	its  []engine.ColumnIter // in order of the walk
	at   int
}

// NewIter implements engine.ColumnPin.
func (m multiPin) NewIter(lower, upper []byte, at engine.Timestamp, reverse bool) (engine.ColumnIter, error) {
	c := &chainIter{pins: m}
	for i := range m {
		p := m[i]
		if reverse {
			p = m[len(m)-1-i]
		}
		it, err := p.NewIter(lower, upper, at, reverse)
		if err != nil {
			return nil, err
		}
		c.its = append(c.its, it)
	}
	return c, nil
}

func (c *chainIter) Next() bool {
	for c.at < len(c.its) {
		if c.its[c.at].Next() {
			return true
		}
		if c.its[c.at].Err() != nil {
			return false
		}
		c.at++
	}
	return false
}

func (c *chainIter) cur() engine.ColumnIter            { return c.its[min(c.at, len(c.its)-1)] }
func (c *chainIter) Key() []byte                       { return c.cur().Key() }
func (c *chainIter) Timestamp() engine.Timestamp       { return c.cur().Timestamp() }
func (c *chainIter) Value() ([]byte, error)            { return c.cur().Value() }
func (c *chainIter) Floor(key []byte) engine.Timestamp { return c.pins.Floor(key) }
func (c *chainIter) Err() error                        { return c.cur().Err() }
func (c *chainIter) Close() error {
	for _, it := range c.its {
		_ = it.Close()
	}
	return nil
}

// Part is rows [From, To) of a segment, all of them current: for readers that take
// engine and segments apart. A row with key k is visible iff the engine's newest
// counting version of k, if there is one, is not newer than TS.
type Part struct {
	Segment  *Segment
	From, To int
	TS       engine.Timestamp
}

// Parts lists the rows of segments at or below at in [lower, upper), by what the
// floors leave of them, in order of their first keys.
func (p *Pin) Parts(lower, upper []byte, at engine.Timestamp) ([]Part, error) {
	lo, hi := p.bounds(lower, upper)
	var out []Part
	for _, g := range p.st.overlapping(lo, hi) {
		if g.ts > at {
			if g.merged {
				return nil, belowFloor(at, g.ts)
			}
			continue
		}
		f, err := g.open()
		if err != nil {
			return nil, err
		}
		seek := func(loc []byte) (int, error) {
			row, err := f.SeekRow(bg, loc)
			return row, g.wrap(err)
		}
		from, to := 0, f.Rows()
		if bytes.Compare(lo, g.first) > 0 {
			if from, err = seek(lo); err != nil {
				return nil, err
			}
		}
		if hi != nil && bytes.Compare(hi, g.last) <= 0 {
			if to, err = seek(hi); err != nil {
				return nil, err
			}
		}
		if g.merged {
			if from < to {
				out = append(out, Part{g, from, to, g.ts})
			}
			continue
		}
		// What spans above the segment's timestamp leave.
		for i := p.st.spanFrom(g.first); i < len(p.st.spans) && from < to; i++ {
			sp := p.st.spans[i]
			if bytes.Compare(sp.lower, g.last) > 0 {
				break
			}
			if sp.floor < g.ts {
				continue
			}
			a, err := seek(sp.lower)
			if err != nil {
				return nil, err
			}
			b, err := seek(sp.upper)
			if err != nil {
				return nil, err
			}
			if a > from {
				out = append(out, Part{g, from, min(a, to), g.ts})
			}
			from = max(from, b)
		}
		if from < to {
			out = append(out, Part{g, from, to, g.ts})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return bytes.Compare(out[i].Segment.first, out[j].Segment.first) < 0 })
	return out, nil
}
