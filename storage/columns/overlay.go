package columns

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// What the engine holds over a space's segments (the delta) is kept in memory, as far
// as scans have read it, in a form that the next scan reads at the speed of segments:
// an overlay is a list of chunks, each the delta of a range of locators as it was at
// one timestamp, with the rows of segments that it hides already looked up and columns
// decoded as they are asked for.
//
// A chunk serves a reader at R, of a state of the space, iff
//
//   - it was built at T ≤ R, and no version of a key in its range was committed in (T, R];
//   - the spans and loose segments that reach into its range are those it was built with.
//
// The first needs to know of every commit: the engine tells of them before anybody can
// read at their timestamps (engine.Columns). A space is watched from the first chunk on;
// of commits that nobody noted down the overlay only knows that they are at or below
// lost. A chunk is built from an iterator that was opened when seq versions had been
// heard of: what was heard of later, or is newer than T, may be missing in it.
type overlay struct {
	watched atomic.Bool

	mu     sync.Mutex
	seq    uint64
	chunks []*Chunk // ascending, disjoint
	// recent are the versions heard of last, ascending by seq; lostSeq is the last one that is not
	// there any more, lost a bound of the timestamps of such.
	recent  []recentVersion
	lost    engine.Timestamp
	lostSeq uint64
	idle    int       // versions heard of since a scan has asked
	used    time.Time // when a scan has asked last
	closed  bool
	hits    int64 // chunks that served again
}

type recentVersion struct {
	loc []byte
	ts  engine.Timestamp
	seq uint64
}

const (
	// recentMax bounds what is noted down of commits, for chunks being built meanwhile.
	recentMax = 8 << 10
	// overlayIdleMax is how many versions are noted down of a space that nobody scans.
	overlayIdleMax = 64 << 10
	// chunkRows and chunkBytes bound a chunk.
	chunkRows  = 4096
	chunkBytes = 4 << 20
	// chunksMax bounds the chunks of a space: ranges of scans that cut others leave small ones.
	chunksMax = 16 << 10
)

// Chunk is the delta of a range of locators. Immutable but for its decoded columns.
type Chunk struct {
	store        *Store
	lower, upper []byte // locators; nil upper: the end of the space
	at           engine.Timestamp
	// keys are the locators that have an entry; live lists those that have a row (nil: all).
	keys segment.Keys
	live []int32
	// rows are the stored rows of those that have one.
	rows  []byte
	ends  []uint32
	spans []*span
	loose []*Segment
	over  []chunkOver
	seen  atomic.Pointer[state] // a state known to have these spans and loose segments

	// dirty is the timestamp of the oldest commit since at, 0 for none; under overlay.mu.
	dirty engine.Timestamp

	mu   sync.Mutex
	cols map[chunkColumn]arrow.Array
	held bool         // the overlay has the chunk, and its memory is accounted
	size atomic.Int64 // bytes
}

// chunkOver says where the entries of a chunk lie in a segment.
type chunkOver struct {
	file *segment.File
	// rows has per entry the first row at or above it, hides a bit per entry that hides that row.
	rows  []int32
	hides []byte
}

type chunkColumn struct {
	attnum int
	typ    string
}

// DeltaWalk walks the delta of a range of a pinned space in pieces, ascending. It belongs to
// one goroutine.
type DeltaWalk struct {
	pin *Pin
	o   *overlay
	it  *engine.Iter
	seq uint64
	at  engine.Timestamp
	pos []byte
	hi  []byte // nil: the end of the space
	end bool
}

// DeltaPiece is entries [Lo, Hi) of a chunk: all that the delta has from where the piece
// before ended to Upper (nil: the end of the space).
type DeltaPiece struct {
	*Chunk
	Lo, Hi int
	Upper  []byte
}

// DeltaSeq is to be read before the engine's iterator is opened; see Pin.Walk.
func (s *Store) DeltaSeq(key []byte) uint64 {
	sp, ok := SpaceOf(key)
	if !ok {
		return 0
	}
	c := s.cells.Load().byKey[sp]
	if c == nil {
		return 0
	}
	c.overlay.mu.Lock()
	defer c.overlay.mu.Unlock()
	return c.overlay.seq
}

// Walk walks the delta of [lower, upper) at at, whole keys, with an iterator over it (engine.OpenParts) from
// before p was pinned, which nobody else uses, and what DeltaSeq gave before that. Nil: the space is gone.
func (p *Pin) Walk(it *engine.Iter, seq uint64, lower, upper []byte, at engine.Timestamp) *DeltaWalk {
	c := p.st.store.cells.Load().byKey[p.space]
	if c == nil {
		return nil
	}
	w := &DeltaWalk{pin: p, o: &c.overlay, it: it, seq: seq, at: at}
	w.pos, w.hi = p.bounds(lower, upper)
	return w
}

// Next gives the next piece, which may be empty; nil at the end.
func (w *DeltaWalk) Next(ctx context.Context) (*DeltaPiece, error) {
	if w.end {
		return nil, nil
	}
	c, limit := w.o.find(w.pos, w.hi, w.at, w.pin.st)
	if c == nil {
		var err error
		if c, err = w.build(ctx, w.pos, limit); err != nil {
			return nil, err
		}
		w.pin.st.store.keep(w.o, c, w.seq)
	}
	p := &DeltaPiece{Chunk: c, Lo: c.seek(w.pos), Hi: c.keys.Len(), Upper: c.upper}
	if w.hi != nil && (c.upper == nil || bytes.Compare(c.upper, w.hi) >= 0) {
		p.Hi, p.Upper, w.end = c.seek(w.hi), w.hi, true
	}
	w.end = w.end || p.Upper == nil
	w.pos = p.Upper
	return p, nil
}

// seek is the first entry at or above loc.
func (c *Chunk) seek(loc []byte) int {
	if bytes.Compare(loc, c.lower) <= 0 {
		return 0
	}
	return sort.Search(c.keys.Len(), func(i int) bool { return bytes.Compare(c.keys.At(i), loc) >= 0 })
}

// find gives the chunk that has pos and serves a reader; else nil, and where one built from pos on ends at most.
func (o *overlay) find(pos, hi []byte, at engine.Timestamp, st *state) (c *Chunk, limit []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.idle, o.used = 0, time.Now()
	i := o.indexOf(pos)
	limit = hi
	if i < len(o.chunks) {
		c := o.chunks[i]
		if bytes.Compare(c.lower, pos) <= 0 {
			if c.serves(at, st) {
				o.hits++
				return c, nil
			}
			limit = lowest(limit, c.upper)
		} else {
			limit = lowest(limit, c.lower)
		}
	}
	return nil, limit
}

// lowest of two upper bounds, nil for none.
func lowest(a, b []byte) []byte {
	if a == nil || b != nil && bytes.Compare(b, a) < 0 {
		return b
	}
	return a
}

// indexOf is the index of the first chunk that ends after loc. REQUIRES: mu held.
func (o *overlay) indexOf(loc []byte) int {
	return sort.Search(len(o.chunks), func(i int) bool {
		return o.chunks[i].upper == nil || bytes.Compare(o.chunks[i].upper, loc) > 0
	})
}

// serves reports whether the chunk is what a reader at at of st wants. REQUIRES: overlay.mu held.
func (c *Chunk) serves(at engine.Timestamp, st *state) bool {
	if at < c.at || c.dirty > 0 && c.dirty <= at {
		return false
	}
	if c.seen.Load() == st {
		return true
	}
	spans, loose := st.in(c.lower, c.upper)
	if !slices.Equal(spans, c.spans) || !slices.Equal(loose, c.loose) {
		return false
	}
	c.seen.Store(st)
	return true
}

// in gives the spans and loose segments that reach into [lower, upper).
func (st *state) in(lower, upper []byte) (spans []*span, loose []*Segment) {
	i := st.spanFrom(lower)
	j := i
	for j < len(st.spans) && (upper == nil || bytes.Compare(st.spans[j].lower, upper) < 0) {
		j++
	}
	for _, g := range st.loose {
		if g.overlaps(lower, upper) {
			loose = append(loose, g)
		}
	}
	return st.spans[i:j:j], loose
}

// build reads the delta of a chunk from pos on, to limit at most.
func (w *DeltaWalk) build(ctx context.Context, pos, limit []byte) (*Chunk, error) {
	space := w.pin.space
	c := &Chunk{store: w.pin.st.store, lower: bytes.Clone(pos), upper: limit, at: w.at}
	w.it.SeekGE(append(space[:len(space):len(space)], pos...))
	var stamps []engine.Timestamp
	anyDead := false
	for w.it.Next() {
		loc := w.it.Key()[len(space):]
		if limit != nil && bytes.Compare(loc, limit) >= 0 {
			break
		}
		n := len(stamps)
		if n >= c.store.opts.ChunkRows || n > 0 && len(c.rows)+len(c.keys.Data)+len(w.it.Value()) > chunkBytes {
			c.upper = bytes.Clone(loc)
			break
		}
		if n%paceRows == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.keys.Append(loc)
		stamps = append(stamps, w.it.Timestamp())
		if w.it.Deleted() {
			if !anyDead {
				anyDead = true
				c.live = make([]int32, n, n+64)
				for i := range c.live {
					c.live[i] = int32(i)
				}
			}
			continue
		}
		if anyDead {
			c.live = append(c.live, int32(n))
		}
		c.rows = append(c.rows, w.it.Value()...)
		c.ends = append(c.ends, uint32(len(c.rows)))
	}
	if err := w.it.Err(); err != nil {
		return nil, err
	}
	spans, loose := w.pin.st.in(c.lower, c.upper)
	c.spans, c.loose = slices.Clone(spans), loose
	c.seen.Store(w.pin.st)
	for _, sp := range spans {
		if sp.seg != nil {
			if err := c.lay(ctx, sp.seg, stamps); err != nil {
				return nil, err
			}
		}
	}
	for _, g := range loose {
		if g.ts <= w.at {
			if err := c.lay(ctx, g, stamps); err != nil {
				return nil, err
			}
		}
	}
	c.size.Store(int64(len(c.rows) + 4*len(c.ends) + len(c.keys.Data) + 4*len(c.keys.Offs) + 4*len(c.live) + len(c.over)*(5*len(stamps)+64) + 256))
	return c, nil
}

// lay finds the places of the entries, made at stamps, in a segment.
func (c *Chunk) lay(ctx context.Context, g *Segment, stamps []engine.Timestamp) error {
	n := len(stamps)
	if n == 0 || bytes.Compare(c.keys.At(n-1), g.first) < 0 || bytes.Compare(c.keys.At(0), g.last) > 0 {
		return nil
	}
	f, err := g.File()
	if err != nil {
		return err
	}
	v := chunkOver{file: f, rows: make([]int32, n), hides: make([]byte, kernel.BitmapLen(n))}
	for i, ts := range stamps {
		row, exact, err := f.Locate(ctx, c.keys.At(i))
		if err != nil {
			return g.store.wrap(err, g.Path())
		}
		v.rows[i] = int32(row)
		if exact && ts > g.ts {
			kernel.SetBit(v.hides, i)
		}
	}
	c.over = append(c.over, v)
	return nil
}

// Hide sets bits in hidden, of the rows [start, start+n) of a file, for those that the chunk hides; a nil
// bitmap is made when it is needed.
func (c *Chunk) Hide(f *segment.File, start, n int, hidden []byte) []byte {
	for i := range c.over {
		v := &c.over[i]
		if v.file != f {
			continue
		}
		for e, _ := slices.BinarySearch(v.rows, int32(start)); e < len(v.rows) && int(v.rows[e]) < start+n; e++ {
			if v.hides[e>>3]&(1<<(e&7)) != 0 {
				if hidden == nil {
					hidden = make([]byte, kernel.BitmapLen(n))
				}
				kernel.SetBit(hidden, int(v.rows[e])-start)
			}
		}
	}
	return hidden
}

// Key is the locator of an entry.
func (c *Chunk) Key(i int) []byte { return c.keys.At(i) }

// Seek is the first entry at or above loc.
func (c *Chunk) Seek(loc []byte) int { return c.seek(loc) }

// Row is the number of the first row of a file that is at or above entry i. REQUIRES: a
// segment that reaches into the chunk has the file.
func (c *Chunk) Row(f *segment.File, i int) int {
	for k := range c.over {
		if c.over[k].file == f {
			return int(c.over[k].rows[i])
		}
	}
	return 0
}

// Live are the numbers of the rows, of those in the chunk, that entries [lo, hi) have.
func (c *Chunk) Live(lo, hi int) (from, to int) {
	if c.live == nil {
		return lo, hi
	}
	from, _ = slices.BinarySearch(c.live, int32(lo))
	to, _ = slices.BinarySearch(c.live, int32(hi))
	return from, to
}

// Entry is the entry of row number r.
func (c *Chunk) Entry(r int) int {
	if c.live == nil {
		return r
	}
	return int(c.live[r])
}

// Columns gives columns of all the chunk's rows.
func (c *Chunk) Columns(cols []rowcodec.Column) ([]arrow.Array, error) {
	out := make([]arrow.Array, len(cols))
	ids := make([]chunkColumn, len(cols))
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []int
	var decode []rowcodec.Column
	for i := range cols {
		ids[i] = columnID(&cols[i])
		if out[i] = c.cols[ids[i]]; out[i] == nil {
			missing, decode = append(missing, i), append(decode, cols[i])
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	dec := rowcodec.NewDecoder(decode, max(len(c.ends), 1))
	from := uint32(0)
	for _, end := range c.ends {
		if err := dec.Append(c.rows[from:end:end]); err != nil {
			return nil, err
		}
		from = end
	}
	made := dec.Finish()
	size := int64(0)
	for k, i := range missing {
		out[i] = made[k]
		size += vectorBytes(made[k])
	}
	if c.grow(size) {
		if c.cols == nil {
			c.cols = map[chunkColumn]arrow.Array{}
		}
		for _, i := range missing {
			c.cols[ids[i]] = out[i]
		}
	}
	return out, nil
}

// columnID names what a column decodes to.
func columnID(c *rowcodec.Column) chunkColumn {
	id := make([]byte, 0, 24)
	for _, x := range [...]uint32{uint32(c.T.OID), uint32(c.T.Mod), uint32(c.T.Class), uint32(c.T.Elem), uint32(c.T.ElemClass)} {
		id = append(id, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
	}
	if c.HasMissing && c.Missing != nil {
		id = rowcodec.AppendValue(id, c.Missing)
	}
	return chunkColumn{c.Attnum, string(id)}
}

func vectorBytes(a arrow.Array) (n int64) {
	for _, b := range a.Data().Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	return n
}
