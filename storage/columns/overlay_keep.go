package columns

import (
	"bytes"
	"slices"
	"sync"

	"github.com/basaltdb/basalt/storage/engine"
)

// Chunks that were built are kept for the scans after, within Options.OverlayBytes for all
// spaces; what was scanned least lately goes first. What commits do to them is said in overlay.go.

// keep adds a chunk that was built by an iterator from when seq versions had been heard of,
// unless it may lack some.
func (s *Store) keep(o *overlay, c *Chunk, seq uint64) {
	if !s.overlayFits(o, c.mem.needs()+c.rows.mem.needs()) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if !o.watched.Load() {
		// Who has looked at watched before this has noted down its timestamp before that.
		o.watched.Store(true)
		o.lost = max(o.lost, s.newest.Load())
		o.lostSeq = o.seq
	}
	if c.at < o.lost || seq < o.lostSeq {
		return
	}
	for i := len(o.recent) - 1; i >= 0; i-- {
		v := &o.recent[i]
		if v.seq <= seq && v.ts <= c.at || !c.covers(v.loc) {
			continue
		}
		if v.ts <= c.at {
			return // it came after the iterator was opened
		}
		c.soil(*v)
	}
	slices.Reverse(c.dirt)
	i := o.indexOf(c.lower)
	j := i
	for j < len(o.chunks) && (c.upper == nil || bytes.Compare(o.chunks[j].lower, c.upper) < 0) {
		if o.chunks[j].at > c.at {
			return // for newer readers than this one
		}
		j++
	}
	for _, x := range o.chunks[i:j] {
		s.dropped(o, x)
	}
	if len(o.chunks) >= chunksMax {
		s.clearLocked(o)
		i, j = 0, 0
	}
	o.chunks = slices.Replace(o.chunks, i, j, c)
	o.dirt += len(c.dirt)
	s.held(c)
}

// held notes that an overlay has c now.
func (s *Store) held(c *Chunk) {
	c.rows.mem.hold(s)
	c.mem.hold(s)
}

// soil notes that a key of the chunk has a newer version. REQUIRES: overlay.mu held.
func (c *Chunk) soil(v recentVersion) {
	if c.dirty == 0 || v.ts < c.dirty {
		c.dirty = v.ts
	}
	if !c.dirtLost {
		c.dirt = append(c.dirt, v)
	}
}

// forget gives up to remember the dirt of a chunk that o has. REQUIRES: o.mu held.
func (o *overlay) forget(c *Chunk) {
	o.dirt -= len(c.dirt)
	c.dirt, c.dirtLost = nil, true
}

func (c *Chunk) covers(loc []byte) bool {
	return bytes.Compare(c.lower, loc) <= 0 && (c.upper == nil || bytes.Compare(loc, c.upper) < 0)
}

// dropped gives the memory of a chunk back that the overlay no longer has. REQUIRES: o.mu held.
func (s *Store) dropped(o *overlay, c *Chunk) {
	o.dirt -= len(c.dirt)
	c.mem.release(s)
	c.rows.mem.release(s)
}

func (s *Store) clearLocked(o *overlay) {
	for _, c := range o.chunks {
		s.dropped(o, c)
	}
	o.chunks = nil
}

// overlayMemory is what the parts of overlays need. It is accounted while they have users. Commits wait for
// its lock, which is held for moments only.
type overlayMemory struct {
	mu    sync.Mutex
	users int
	bytes int64
}

// hold and release count users.
func (m *overlayMemory) hold(s *Store) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users++; m.users == 1 {
		s.overlayBytes.Add(m.bytes)
	}
}

func (m *overlayMemory) release(s *Store) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users--; m.users == 0 {
		s.overlayBytes.Add(-m.bytes)
	}
}

// add notes n bytes more.
func (m *overlayMemory) add(s *Store, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += n
	if m.users > 0 {
		s.overlayBytes.Add(n)
	}
}

// grow is add if there is room.
func (m *overlayMemory) grow(s *Store, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users > 0 {
		if n > 0 && s.overlayBytes.Load()+n > s.opts.OverlayBytes {
			return false
		}
		s.overlayBytes.Add(n)
	}
	m.bytes += n
	return true
}

// has is the memory, needs what a new user adds to what is accounted.
func (m *overlayMemory) has() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

func (m *overlayMemory) needs() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users > 0 {
		return 0
	}
	return m.bytes
}

// overlayFits makes room for size bytes, at the cost of spaces that were scanned less lately than o's.
func (s *Store) overlayFits(o *overlay, size int64) bool {
	if s.overlayBytes.Load()+size <= s.opts.OverlayBytes {
		return true
	}
	var oldest *overlay
	for _, c := range s.cells.Load().list {
		x := &c.overlay
		if x == o {
			continue
		}
		x.mu.Lock()
		if len(x.chunks) > 0 && (oldest == nil || x.used.Before(oldest.used)) {
			oldest = x
		}
		x.mu.Unlock()
	}
	if oldest == nil {
		return false
	}
	oldest.mu.Lock()
	s.clearLocked(oldest)
	oldest.mu.Unlock()
	return s.overlayBytes.Load()+size <= s.opts.OverlayBytes
}

// Written implements engine.Columns.
func (s *Store) Written(key []byte, ts engine.Timestamp) {
	sp, ok := SpaceOf(key)
	if !ok {
		return
	}
	c := s.cells.Load().byKey[sp]
	if c == nil || !c.overlay.watched.Load() {
		return
	}
	o, loc := &c.overlay, key[len(sp):]
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.watched.Load() {
		return
	}
	o.seq++
	if o.idle++; o.idle > overlayIdleMax {
		s.clearLocked(o)
		o.watched.Store(false)
		o.recent, o.idle = nil, 0
		return
	}
	if len(o.recent) >= recentMax {
		half := len(o.recent) / 2
		for i := range o.recent[:half] {
			o.lost, o.lostSeq = max(o.lost, o.recent[i].ts), o.recent[i].seq
		}
		o.recent = slices.Delete(o.recent, 0, half)
	}
	v := recentVersion{bytes.Clone(loc), ts, o.seq}
	o.recent = append(o.recent, v)
	if i := o.indexOf(loc); i < len(o.chunks) && o.chunks[i].covers(loc) {
		if x := o.chunks[i]; ts > x.at {
			if x.soil(v); !x.dirtLost {
				if o.dirt++; o.dirt > dirtMax {
					o.forget(x)
				}
			}
		} else {
			s.dropped(o, x)
			o.chunks = slices.Delete(o.chunks, i, i+1)
		}
	}
}

// Ingested implements engine.Columns.
func (s *Store) Ingested(ts engine.Timestamp) {
	s.committed(ts)
	for _, c := range s.cells.Load().list {
		o := &c.overlay
		o.mu.Lock()
		o.seq++
		o.lost, o.lostSeq, o.recent = max(o.lost, ts), o.seq, nil
		s.clearLocked(o)
		o.mu.Unlock()
	}
}

// committed notes that there are versions at ts.
func (s *Store) committed(ts engine.Timestamp) {
	for {
		old := s.newest.Load()
		if old >= ts || s.newest.CompareAndSwap(old, ts) {
			return
		}
	}
}

// closeOverlay ends the overlay of a space that is gone.
func (s *Store) closeOverlay(o *overlay) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.watched.Store(false)
	o.recent = nil
	s.clearLocked(o)
}

// OverlayBytes is the memory of what is kept of the delta.
func (s *Store) OverlayBytes() int64 { return s.overlayBytes.Load() }
