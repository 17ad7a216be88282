package columns

import (
	"bytes"
	"context"
	"slices"
	"sort"

	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/segment"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Where rows are updated all the time every scan finds nearly every chunk dirty, for the sake of a few keys
// in it. A patch reads these alone and makes the chunk's next version of the one before it: keys, places in
// segments and stored rows are shared or copied in runs, decoded columns go on to be used.

const (
	// patchShareMax and patchMin: a chunk of which more is dirty is read anew.
	patchShareMax = 0.5
	patchMin      = 256
	// patchSpareMin is how many rows that are no more a chunk may have beside as many as it has.
	patchSpareMin = 512
	// patchSteps is how many keys are stepped over rather than sought past.
	patchSteps = 4
)

// patchEntry is what a dirty key has become.
type patchEntry struct {
	loc  []byte
	ts   engine.Timestamp
	at   int   // the first entry of the old chunk at or above it
	had  bool  // which is its own
	gone bool  // it has no entry any more
	row  int32 // among the new rows; −1: a tombstone
}

// patch makes of a chunk that serves w but for its dirt one that does, and gives that to the overlay; nil: it is better
// read anew.
func (w *DeltaWalk) patch(ctx context.Context, old *Chunk) (*Chunk, error) {
	w.o.mu.Lock()
	dirt, lost := old.dirt, old.dirtLost // which grows at its end only
	w.o.mu.Unlock()
	var locs [][]byte
	for i := range dirt {
		if dirt[i].ts <= w.at {
			locs = append(locs, dirt[i].loc)
		}
	}
	n := old.keys.Len()
	if lost || len(locs) == 0 || len(locs) > max(patchMin, int(patchShareMax*float64(n))) {
		return nil, nil
	}
	slices.SortFunc(locs, bytes.Compare)
	locs = slices.CompactFunc(locs, bytes.Equal)
	if bytes.Compare(locs[0], w.lo) < 0 || w.hi != nil && bytes.Compare(locs[len(locs)-1], w.hi) >= 0 {
		return nil, nil // beyond what w's iterator sees
	}
	fresh := &chunkStore{store: old.store}
	entries, err := w.reread(ctx, locs, fresh)
	if err != nil {
		return nil, err
	}
	added := 0
	for i := range entries {
		e := &entries[i]
		from := 0
		if i > 0 {
			from = entries[i-1].at
		}
		e.at = from + sort.Search(n-from, func(k int) bool { return bytes.Compare(old.keys.At(from+k), e.loc) >= 0 })
		if e.had = e.at < n && bytes.Equal(old.keys.At(e.at), e.loc); !e.had && !e.gone {
			added++
		}
	}
	if n+added > 2*old.store.opts.ChunkRows {
		return nil, nil // it is to be cut
	}
	entries = slices.DeleteFunc(entries, func(e patchEntry) bool { return e.gone && !e.had })
	c := &Chunk{store: old.store, lower: old.lower, upper: old.upper, at: w.at, rows: old.rows, spans: old.spans, loose: old.loose}
	c.seen.Store(w.pin.st)
	first := old.rows.add(fresh)
	c.stored = first + len(fresh.ends)
	if err := c.patchEntries(ctx, old, entries, int32(first)); err != nil {
		return nil, err
	}
	if spare := c.stored - len(c.pick); spare > len(c.pick)+min(patchSpareMin, old.store.opts.ChunkRows) {
		if c.rows, err = c.rows.compact(c.pick); err != nil {
			return nil, err
		}
		c.stored, c.pick = len(c.pick), nil
	}
	c.weigh()
	w.pin.st.store.replace(w.o, old, c, len(dirt), w.seq)
	return c, nil
}

// reread reads keys at w.at; their rows go to fresh.
func (w *DeltaWalk) reread(ctx context.Context, locs [][]byte, fresh *chunkStore) ([]patchEntry, error) {
	space := w.pin.space
	entries := make([]patchEntry, len(locs))
	key := append([]byte{}, space[:]...)
	cmp, placed := -1, false // of the key that the iterator stands on with the one wanted
	for i, loc := range locs {
		if i%paceRows == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if placed {
			cmp = bytes.Compare(w.it.Key()[len(space):], loc)
			for steps := 0; cmp < 0 && steps < patchSteps; steps++ {
				if placed = w.it.Next(); !placed {
					break
				}
				cmp = bytes.Compare(w.it.Key()[len(space):], loc)
			}
		}
		if !placed || cmp < 0 {
			w.it.SeekGE(append(key[:len(space)], loc...))
			if placed = w.it.Next(); placed {
				cmp = bytes.Compare(w.it.Key()[len(space):], loc)
			}
		}
		e := &entries[i]
		e.loc = loc
		switch {
		case !placed || cmp != 0:
			e.gone = true
		case w.it.Deleted():
			e.row, e.ts = -1, w.it.Timestamp()
		default:
			e.row, e.ts = int32(len(fresh.ends)), w.it.Timestamp()
			fresh.append(w.it.Value())
		}
	}
	return entries, w.it.Err()
}

// patchEntries makes c's entries of old's and those patched, whose rows begin at first.
func (c *Chunk) patchEntries(ctx context.Context, old *Chunk, entries []patchEntry, first int32) error {
	n := old.keys.Len()
	same := true // the keys stay
	for i := range entries {
		if e := &entries[i]; e.gone || !e.had {
			same = false
		}
	}
	// runs calls keep for runs of entries that stay and put for those patched, in order.
	runs := func(keep func(lo, hi int), put func(e *patchEntry)) {
		at := 0
		for i := range entries {
			e := &entries[i]
			if e.at > at {
				keep(at, e.at)
			}
			at = max(at, e.at)
			if e.had {
				at++
			}
			if !e.gone {
				put(e)
			}
		}
		if at < n {
			keep(at, n)
		}
	}
	c.keys = old.keys
	total := n
	if !same {
		c.keys = segment.Keys{Offs: make([]int32, 1, n+len(entries)+1), Data: make([]byte, 0, len(old.keys.Data)+len(entries)*32)}
		runs(func(lo, hi int) {
			by := int32(len(c.keys.Data)) - old.keys.Offs[lo]
			c.keys.Data = append(c.keys.Data, old.keys.Data[old.keys.Offs[lo]:old.keys.Offs[hi]]...)
			for _, o := range old.keys.Offs[lo+1 : hi+1] {
				c.keys.Offs = append(c.keys.Offs, o+by)
			}
		}, func(e *patchEntry) { c.keys.Append(e.loc) })
		total = c.keys.Len()
	}

	before := old.entryRows()
	rows := make([]int32, 0, total)
	dead := 0
	runs(func(lo, hi int) { rows = append(rows, before[lo:hi]...) }, func(e *patchEntry) {
		if e.row < 0 {
			rows = append(rows, -1)
		} else {
			rows = append(rows, first+e.row)
		}
	})
	for _, r := range rows {
		if r < 0 {
			dead++
		}
	}
	if dead > 0 {
		c.live = make([]int32, 0, total-dead)
		for i, r := range rows {
			if r >= 0 {
				rows[len(c.live)] = r
				c.live = append(c.live, int32(i))
			}
		}
		rows = rows[:len(c.live)]
	}
	c.pick = rows

	stamps := make([]engine.Timestamp, 0, total) // 0 for entries that stay: they lie in no segment that is new to c
	runs(func(lo, hi int) { stamps = append(stamps, make([]engine.Timestamp, hi-lo)...) },
		func(e *patchEntry) { stamps = append(stamps, e.ts) })
	c.over = make([]chunkOver, 0, len(old.over))
	for _, v := range old.over {
		p := chunkOver{seg: v.seg, file: v.file, rows: v.rows, hides: make([]byte, kernel.BitmapLen(total))}
		if same {
			copy(p.hides, v.hides)
		} else {
			p.rows = make([]int32, 0, total)
		}
		at := 0
		var err error
		runs(func(lo, hi int) {
			if !same {
				p.rows = append(p.rows, v.rows[lo:hi]...)
				for i := lo; i < hi; i++ {
					if v.hides[i>>3]&(1<<(i&7)) != 0 {
						kernel.SetBit(p.hides, at+i-lo)
					}
				}
			}
			at += hi - lo
		}, func(e *patchEntry) {
			if err != nil {
				return
			}
			row, exact, lerr := v.file.Locate(ctx, e.loc)
			if lerr != nil {
				err = v.seg.store.wrap(lerr, v.seg.Path())
				return
			}
			if !same {
				p.rows = append(p.rows, int32(row))
			}
			if exact && e.ts > v.seg.ts {
				kernel.SetBit(p.hides, at)
			}
			at++
		})
		if err != nil {
			return err
		}
		c.over = append(c.over, p)
	}
	return c.layAll(ctx, stamps)
}

// entryRows gives per entry the number of its row among the stored ones, −1 for none.
func (c *Chunk) entryRows() []int32 {
	if c.live == nil && c.pick != nil {
		return c.pick
	}
	rows := make([]int32, c.keys.Len())
	if c.live == nil {
		for i := range rows {
			rows[i] = int32(i)
		}
		return rows
	}
	for i := range rows {
		rows[i] = -1
	}
	for r, e := range c.live {
		rows[e] = int32(r)
		if c.pick != nil {
			rows[e] = c.pick[r]
		}
	}
	return rows
}

// replace puts c, which is old with the first known of its dirt read again, by an iterator from when seq versions had been
// heard of, in old's place, unless it may lack some.
func (s *Store) replace(o *overlay, old, c *Chunk, known int, seq uint64) {
	if !s.overlayFits(o, max(0, c.mem.needs()-old.mem.has())+c.rows.mem.needs()) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	i := o.indexOf(c.lower)
	if i == len(o.chunks) || o.chunks[i] != old || old.dirtLost {
		return
	}
	for k := range old.dirt {
		switch v := &old.dirt[k]; {
		case v.ts > c.at:
			c.soil(*v)
		case k >= known || v.seq > seq:
			return // it came after the iterator was opened
		}
	}
	s.dropped(o, old)
	o.dirt += len(c.dirt)
	o.chunks[i] = c
	o.patched++
	s.held(c)
}
