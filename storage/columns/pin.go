package columns

import (
	"bytes"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// Pin is the segments of one space, held. It implements engine.ColumnPin.
type Pin struct {
	space Space
	st    *state
}

var _ engine.ColumnPin = (*Pin)(nil)

// PinKey implements engine.Columns.
func (s *Store) PinKey(key []byte) engine.ColumnPin {
	all := s.cells.Load()
	if len(all.list) == 0 || len(key) < len(Space{}) {
		return nil
	}
	c := all.byKey[Space(key)]
	if c == nil {
		return nil
	}
	if p := c.pin(); p != nil {
		return p
	}
	return nil
}

// Get implements engine.Columns.
func (s *Store) Get(key []byte, at engine.Timestamp, buf []byte, atts []int) (value []byte, ts engine.Timestamp, found, covered bool, err error) {
	if len(key) < len(Space{}) {
		return nil, 0, false, false, nil
	}
	c := s.cells.Load().byKey[Space(key)]
	if c == nil {
		return nil, 0, false, false, nil
	}
	p := Pin{space: c.space, st: c.acquire()}
	if p.st == nil {
		return nil, 0, false, false, nil
	}
	value, ts, found, err = p.get(key, at, 0, buf, atts)
	p.Release()
	return value, ts, found, true, err
}

// Pin implements engine.Columns.
func (s *Store) Pin(lower, upper []byte) engine.ColumnPin {
	all := s.cells.Load()
	if len(all.list) == 0 {
		return nil
	}
	if len(lower) >= len(Space{}) && bytes.HasPrefix(upper, lower[:len(Space{})]) {
		return s.PinKey(lower)
	}
	var pins multiPin
	for _, c := range all.in(lower, upper) {
		if p := c.pin(); p != nil {
			pins = append(pins, p)
		}
	}
	switch len(pins) {
	case 0:
		return nil
	case 1:
		return pins[0]
	}
	return pins
}

// PinSpace holds the segments of a space, nil when there are none.
func (s *Store) PinSpace(space Space) *Pin {
	if c := s.cells.Load().byKey[space]; c != nil {
		return c.pin()
	}
	return nil
}

func (c *cell) pin() *Pin {
	st := c.acquire()
	if st == nil {
		return nil
	}
	return &Pin{space: c.space, st: st}
}

// Release implements engine.ColumnPin.
func (p *Pin) Release() { p.st.release() }

// Covers implements engine.ColumnPin.
func (p *Pin) Covers(key []byte) bool { return bytes.HasPrefix(key, p.space[:]) }

// Floor implements engine.ColumnPin.
func (p *Pin) Floor(key []byte) engine.Timestamp {
	if !p.Covers(key) {
		return 0
	}
	return p.st.floor(key[len(p.space):])
}

// belowFloor is the report of a reader that has been overtaken: a fault of this program.
func belowFloor(at, floor engine.Timestamp) error {
	return pgerror.Internal("rows were read at %d after they had been merged at %d", at, floor)
}

// Get implements engine.ColumnPin.
func (p *Pin) Get(key []byte, at, above engine.Timestamp, buf []byte) (value []byte, ts engine.Timestamp, found bool, err error) {
	return p.get(key, at, above, buf, nil)
}

// get is Get; atts is as for Segment.get.
func (p *Pin) get(key []byte, at, above engine.Timestamp, buf []byte, atts []int) (value []byte, ts engine.Timestamp, found bool, err error) {
	if !p.Covers(key) {
		return nil, 0, false, nil
	}
	loc := key[len(p.space):]
	var sp *span
	floor := engine.Timestamp(0)
	if i := p.st.spanAt(loc); i >= 0 {
		sp = p.st.spans[i]
		if floor = sp.floor; at < floor {
			return nil, 0, false, belowFloor(at, floor)
		}
	}
	for i := len(p.st.loose) - 1; i >= 0; i-- {
		g := p.st.loose[i]
		if g.ts > at {
			continue
		}
		if g.ts <= max(above, floor) {
			break
		}
		if value, found, err = g.get(loc, buf, atts); err != nil || found {
			return value, g.ts, found, err
		}
	}
	if sp == nil || sp.seg == nil || above > floor {
		return nil, 0, false, nil
	}
	value, found, err = sp.seg.get(loc, buf, atts)
	return value, floor, found, err
}

// Covered implements engine.ColumnPin.
func (p *Pin) Covered(key []byte, ts engine.Timestamp) bool {
	if !p.Covers(key) {
		return false
	}
	loc := key[len(p.space):]
	floor := engine.Timestamp(0)
	if i := p.st.spanAt(loc); i >= 0 {
		sp := p.st.spans[i]
		if floor = sp.floor; sp.seg != nil && floor < ts && sp.seg.mayHold(loc) {
			return true
		}
	}
	for _, g := range p.st.loose {
		if g.ts >= ts {
			break
		}
		if g.ts > floor && g.mayHold(loc) {
			return true
		}
	}
	return false
}

// bounds are the locators that a range of keys leaves of the space; nil upper: no bound.
func (p *Pin) bounds(lower, upper []byte) (lo, hi []byte) {
	lo = []byte{}
	if bytes.HasPrefix(lower, p.space[:]) {
		lo = lower[len(p.space):]
	}
	if bytes.HasPrefix(upper, p.space[:]) {
		hi = upper[len(p.space):]
		if hi == nil {
			hi = []byte{}
		}
	}
	return lo, hi
}

// AnyIn implements engine.ColumnPin.
func (p *Pin) AnyIn(lower, upper []byte) (bool, error) {
	lo, hi := p.bounds(lower, upper)
	for _, g := range p.st.overlapping(lo, hi) {
		if any, err := g.anyIn(lo, hi); any || err != nil {
			return any, err
		}
	}
	return false, nil
}

// Marks implements engine.ColumnPin.
func (p *Pin) Marks(lower, upper []byte, most int) []engine.SizeMark {
	lo, hi := p.bounds(lower, upper)
	segs := p.st.overlapping(lo, hi)
	if len(segs) == 0 {
		return nil
	}
	per := max(1, most/len(segs))
	var out []engine.SizeMark
	for _, g := range segs {
		out = append(out, g.marks(p.space, lo, hi, per)...)
	}
	return out
}

// marks cuts the segment at the ends of up to n groups of blocks, inside [lo, hi).
func (g *Segment) marks(space Space, lo, hi []byte, n int) []engine.SizeMark {
	var out []engine.SizeMark
	add := func(loc []byte, bytesBefore uint64) {
		if bytes.Compare(loc, lo) > 0 && (hi == nil || bytes.Compare(loc, hi) < 0) {
			out = append(out, engine.SizeMark{Key: append(bytes.Clone(space[:]), loc...), Bytes: bytesBefore})
		}
	}
	f, err := g.open()
	if err != nil || n < 2 || f.Blocks() < 2 {
		add(g.last, g.bytes)
		return out
	}
	blocks := f.Blocks()
	n = min(n, blocks)
	for i := 1; i < n; i++ {
		b, from := i*blocks/n, (i-1)*blocks/n
		add(f.FirstKey(b), g.bytes*uint64(b-from)/uint64(blocks))
	}
	add(g.last, g.bytes/uint64(n))
	return out
}

// multiPin is the segments of several spaces, ascending.
type multiPin []*Pin

func (m multiPin) of(key []byte) *Pin {
	for _, p := range m {
		if p.Covers(key) {
			return p
		}
	}
	return nil
}

func (m multiPin) Covers(key []byte) bool { return m.of(key) != nil }

func (m multiPin) Floor(key []byte) engine.Timestamp {
	if p := m.of(key); p != nil {
		return p.Floor(key)
	}
	return 0
}

func (m multiPin) Get(key []byte, at, above engine.Timestamp, buf []byte) ([]byte, engine.Timestamp, bool, error) {
	if p := m.of(key); p != nil {
		return p.Get(key, at, above, buf)
	}
	return nil, 0, false, nil
}

func (m multiPin) Covered(key []byte, ts engine.Timestamp) bool {
	p := m.of(key)
	return p != nil && p.Covered(key, ts)
}

func (m multiPin) AnyIn(lower, upper []byte) (bool, error) {
	for _, p := range m {
		if any, err := p.AnyIn(lower, upper); any || err != nil {
			return any, err
		}
	}
	return false, nil
}

func (m multiPin) Marks(lower, upper []byte, most int) []engine.SizeMark {
	var out []engine.SizeMark
	for _, p := range m {
		out = append(out, p.Marks(lower, upper, max(1, most/len(m)))...)
	}
	return out
}

func (m multiPin) Release() {
	for _, p := range m {
		p.Release()
	}
}

// Any implements engine.Columns.
func (s *Store) Any() bool { return len(s.cells.Load().list) > 0 }

// Rows is how many rows a space's segments hold, those hidden by newer versions included.
// It costs a lookup.
func (s *Store) Rows(space Space) int64 {
	if c := s.cells.Load().byKey[space]; c != nil {
		if st := c.cur.Load(); st != nil {
			return st.rows
		}
	}
	return 0
}

// FirstKey implements engine.Columns.
func (s *Store) FirstKey(lower, upper []byte) []byte {
	for _, c := range s.cells.Load().in(lower, upper) {
		if bytes.Compare(c.space[:], lower) >= 0 {
			return bytes.Clone(c.space[:])
		}
	}
	return nil
}

// Size implements engine.Columns.
func (s *Store) Size(lower, upper []byte) int64 {
	var n int64
	for _, c := range s.cells.Load().in(lower, upper) {
		p := c.pin()
		if p == nil {
			continue
		}
		lo, hi := p.bounds(lower, upper)
		for _, g := range p.st.overlapping(lo, hi) {
			if bytes.Compare(lo, g.first) <= 0 && (hi == nil || bytes.Compare(g.last, hi) < 0) {
				n += int64(g.bytes)
			} else {
				n += int64(g.bytes) / 2
			}
		}
		p.Release()
	}
	return n
}
