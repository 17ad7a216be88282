package columns

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/engine"
)

// Space names the rows of a table in a tablet: what their keys begin with.
type Space [keyenc.PrefixLen]byte

// SpaceOf is the space of a key; ok is false for keys too short to be a row's.
func SpaceOf(key []byte) (s Space, ok bool) {
	if len(key) < len(s) {
		return s, false
	}
	return Space(key), true
}

// MakeSpace is the space of a table's rows in a tablet.
func MakeSpace[T ~uint16](tablet T, storageID uint64) (s Space) {
	keyenc.AppendPrefix(s[:0], tablet, storageID)
	return s
}

// Tablet is where the rows lie.
func (s Space) Tablet() uint16 { return binary.BigEndian.Uint16(s[:]) }

// span is a merged segment, or a span that has no rows. Immutable.
type span struct {
	number       uint64
	lower, upper []byte // locators
	floor        engine.Timestamp
	seg          *Segment  // nil: no rows
	created      time.Time // zero: before the start
}

func (s *span) holds(loc []byte) bool {
	return bytes.Compare(s.lower, loc) <= 0 && bytes.Compare(loc, s.upper) < 0
}

// state is what a space consists of at one moment. Immutable but for its references:
// one of the cell while it is current, one per pin. It keeps its segments' files.
type state struct {
	store *Store
	refs  atomic.Int64
	spans []*span    // ascending, disjoint
	loose []*Segment // ascending by timestamp
	rows  int64      // of all segments
}

// cell is the place of a space in the store.
type cell struct {
	space   Space
	cur     atomic.Pointer[state]
	overlay overlay
}

// acquire takes the current state, nil when the space is gone.
func (c *cell) acquire() *state {
	for {
		st := c.cur.Load()
		if st == nil {
			return nil
		}
		for {
			n := st.refs.Load()
			if n == 0 {
				break // replaced meanwhile
			}
			if st.refs.CompareAndSwap(n, n+1) {
				return st
			}
		}
	}
}

// newState makes a state and references its segments. REQUIRES: Store.mu held.
func (s *Store) newState(spans []*span, loose []*Segment) *state {
	st := &state{store: s, spans: spans, loose: loose}
	st.refs.Store(1)
	st.eachSegment(func(g *Segment) {
		g.refs.Add(1)
		st.rows += int64(g.rows)
	})
	return st
}

func (st *state) eachSegment(f func(g *Segment)) {
	for _, sp := range st.spans {
		if sp.seg != nil {
			f(sp.seg)
		}
	}
	for _, g := range st.loose {
		f(g)
	}
}

// release gives a reference back; with the last one the segments that no other state
// has lose their files.
func (st *state) release() {
	if st.refs.Add(-1) == 0 {
		st.eachSegment(func(g *Segment) { g.unref() })
	}
}

// spanAt is the index of the span that holds loc, −1 for none.
func (st *state) spanAt(loc []byte) int {
	i := st.spanFrom(loc)
	if i < len(st.spans) && bytes.Compare(st.spans[i].lower, loc) <= 0 {
		return i
	}
	return -1
}

// spanFrom is the index of the first span that ends after loc.
func (st *state) spanFrom(loc []byte) int {
	return sort.Search(len(st.spans), func(i int) bool { return bytes.Compare(st.spans[i].upper, loc) > 0 })
}

func (st *state) floor(loc []byte) engine.Timestamp {
	if i := st.spanAt(loc); i >= 0 {
		return st.spans[i].floor
	}
	return 0
}

// overlapping lists the segments with locators in [lower, upper); nil upper: no bound.
func (st *state) overlapping(lower, upper []byte) []*Segment {
	var out []*Segment
	for i := st.spanFrom(lower); i < len(st.spans); i++ {
		sp := st.spans[i]
		if upper != nil && bytes.Compare(sp.lower, upper) >= 0 {
			break
		}
		if sp.seg != nil && sp.seg.overlaps(lower, upper) {
			out = append(out, sp.seg)
		}
	}
	for _, g := range st.loose {
		if g.overlaps(lower, upper) {
			out = append(out, g)
		}
	}
	return out
}

// covers reports whether [lower, upper] is inside spans whose floors are at least ts.
func (st *state) covers(lower, upper []byte, ts engine.Timestamp) bool {
	for at := lower; ; {
		i := st.spanAt(at)
		if i < 0 || st.spans[i].floor < ts {
			return false
		}
		if at = st.spans[i].upper; bytes.Compare(at, upper) > 0 {
			return true
		}
	}
}

// cells is the set of spaces. Immutable: it is replaced when a space comes or goes.
type cells struct {
	byKey map[Space]*cell
	// ordered by space
	list []*cell
}

func (c *cells) with(x *cell) *cells {
	n := &cells{byKey: make(map[Space]*cell, len(c.byKey)+1), list: append(slices.Clone(c.list), x)}
	for _, y := range n.list {
		n.byKey[y.space] = y
	}
	slices.SortFunc(n.list, func(a, b *cell) int { return bytes.Compare(a.space[:], b.space[:]) })
	return n
}

func (c *cells) without(gone func(Space) bool) *cells {
	n := &cells{byKey: map[Space]*cell{}}
	for _, y := range c.list {
		if !gone(y.space) {
			n.list = append(n.list, y)
			n.byKey[y.space] = y
		}
	}
	return n
}

// in lists the cells of spaces that have keys in [lower, upper).
func (c *cells) in(lower, upper []byte) []*cell {
	i := sort.Search(len(c.list), func(i int) bool {
		k := c.list[i].space[:]
		return bytes.Compare(k, lower) >= 0 || bytes.HasPrefix(lower, k)
	})
	j := i
	for j < len(c.list) && bytes.Compare(c.list[j].space[:], upper) < 0 {
		j++
	}
	return c.list[i:j]
}
