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
//
// A chunk remembers the keys that were written since T. For a later reader it is patched: these keys are
// read again, and the next version of the chunk shares all else with the one before it (overlay_patch.go).
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
	dirt    int // keys that the chunks remember
	// chunks that served again, and that were patched
	hits, patched int64
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
	// dirtMax bounds the keys that the chunks of a space remember.
	dirtMax = 64 << 10
)

// Chunk is the delta of a range of locators. Immutable but for its decoded columns.
type Chunk struct {
	store        *Store
	lower, upper []byte // locators; nil upper: the end of the space
	at           engine.Timestamp
	// keys are the locators that have an entry; live lists those that have a row (nil: all).
	keys segment.Keys
	live []int32
	// rows has the rows, in the order in which they were read, perhaps with those of other versions of
	// the chunk; the first stored are this one's and older ones'. pick are the chunk's; nil: all of these.
	rows   *chunkStore
	stored int
	pick   []int32
	spans  []*span
	loose  []*Segment
	over   []chunkOver
	seen   atomic.Pointer[state] // a state known to have these spans and loose segments

	// dirty is the timestamp of the oldest commit since at, 0 for none, and dirt what was written by all of
	// them, in the order heard of, unless that is not known (dirtLost); under overlay.mu.
	dirty    engine.Timestamp
	dirt     []recentVersion
	dirtLost bool

	mu   sync.Mutex
	cols map[chunkColumn]arrow.Array // that were picked
	mem  overlayMemory               // without rows; its one user is the overlay
}

// chunkOver says where the entries of a chunk lie in a segment.
type chunkOver struct {
	seg  *Segment
	file *segment.File
	// rows has per entry the first row at or above it, hides a bit per entry that hides that row.
	rows  []int32
	hides []byte
}

// DeltaWalk walks the delta of a range of a pinned space in pieces, ascending. It belongs to
// one goroutine.
type DeltaWalk struct {
	pin *Pin
	o   *overlay
	it  *engine.Iter
	seq uint64
	at  engine.Timestamp
	lo  []byte
	hi  []byte // nil: the end of the space
	pos []byte
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
	w.lo, w.hi = p.bounds(lower, upper)
	w.pos = w.lo
	return w
}

// Next gives the next piece, which may be empty; nil at the end.
func (w *DeltaWalk) Next(ctx context.Context) (*DeltaPiece, error) {
	if w.end {
		return nil, nil
	}
	c, old, limit := w.o.find(w.pos, w.hi, w.at, w.pin.st)
	if old != nil {
		var err error
		if c, err = w.patch(ctx, old); err != nil {
			return nil, err
		}
	}
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

// find gives the chunk that has pos and serves a reader; else nil, the chunk there that may be patched to serve it,
// nil for none, and where one built from pos on ends at most.
func (o *overlay) find(pos, hi []byte, at engine.Timestamp, st *state) (c, old *Chunk, limit []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.idle, o.used = 0, time.Now()
	i := o.indexOf(pos)
	limit = hi
	if i < len(o.chunks) {
		c := o.chunks[i]
		if bytes.Compare(c.lower, pos) <= 0 {
			clean := c.dirty == 0 || c.dirty > at
			if (clean || !c.dirtLost) && c.serves(at, st) {
				if clean {
					o.hits++
					return c, nil, nil
				}
				old = c
			}
			limit = lowest(limit, c.upper)
		} else {
			limit = lowest(limit, c.lower)
		}
	}
	return nil, old, limit
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

// serves reports whether the chunk is what a reader at at of st wants, but for what is dirty. REQUIRES: overlay.mu held.
func (c *Chunk) serves(at engine.Timestamp, st *state) bool {
	if at < c.at {
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
	c.rows = &chunkStore{store: c.store}
	w.it.SeekGE(append(space[:len(space):len(space)], pos...))
	var stamps []engine.Timestamp
	anyDead := false
	for w.it.Next() {
		loc := w.it.Key()[len(space):]
		if limit != nil && bytes.Compare(loc, limit) >= 0 {
			break
		}
		n := len(stamps)
		if n >= c.store.opts.ChunkRows || n > 0 && len(c.rows.rows)+len(c.keys.Data)+len(w.it.Value()) > chunkBytes {
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
		c.rows.append(w.it.Value())
	}
	if err := w.it.Err(); err != nil {
		return nil, err
	}
	spans, loose := w.pin.st.in(c.lower, c.upper)
	c.stored, c.spans, c.loose = len(c.rows.ends), slices.Clone(spans), loose
	c.seen.Store(w.pin.st)
	if err := c.layAll(ctx, stamps); err != nil {
		return nil, err
	}
	c.rows.mem.add(c.store, c.rows.stored())
	c.weigh()
	return c, nil
}

// weigh notes the memory of a new chunk.
func (c *Chunk) weigh() {
	c.mem.add(c.store, int64(len(c.keys.Data)+4*len(c.keys.Offs)+4*len(c.live)+4*len(c.pick)+len(c.over)*(5*c.keys.Len()+64)+256))
}

// layAll is lay for the segments that reach into the chunk and that it has not been laid over.
func (c *Chunk) layAll(ctx context.Context, stamps []engine.Timestamp) error {
	lay := func(g *Segment) error {
		if slices.ContainsFunc(c.over, func(v chunkOver) bool { return v.seg == g }) {
			return nil
		}
		return c.lay(ctx, g, stamps)
	}
	for _, sp := range c.spans {
		if sp.seg != nil {
			if err := lay(sp.seg); err != nil {
				return err
			}
		}
	}
	for _, g := range c.loose {
		if g.ts <= c.at {
			if err := lay(g); err != nil {
				return err
			}
		}
	}
	return nil
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
	v := chunkOver{seg: g, file: f, rows: make([]int32, n), hides: make([]byte, kernel.BitmapLen(n))}
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
