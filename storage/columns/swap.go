package columns

import (
	"bytes"
	"slices"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// errChanged: the directory has changed under a merge, which is then given up.
var errChanged = pgerror.Internal("the segments of a space changed while they were merged")

// swap replaces the spans of a space that lie in [lower, upper) by others, at floor
// ts, in one durable batch, and drops loose segments that lie below floors entirely.
// old are the spans it was computed from. Files of replaced segments go when nobody
// reads them any more.
func (s *Store) swap(m *merge, old, spans []*span) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.cancelled.Load() || s.isDropping(m.space) {
		return errChanged
	}
	var was state
	if c := s.cells.Load().byKey[m.space]; c != nil {
		was = state{spans: c.cur.Load().spans, loose: c.cur.Load().loose}
	}
	i := 0
	for i < len(was.spans) && bytes.Compare(was.spans[i].upper, m.lower) <= 0 {
		i++
	}
	if len(was.spans)-i < len(old) || !slices.Equal(was.spans[i:i+len(old)], old) {
		return errChanged
	}
	next := state{spans: slices.Concat(was.spans[:i], spans, was.spans[i+len(old):])}
	var goneLoose []*Segment
	for _, g := range was.loose {
		if next.covers(g.first, g.last, g.ts) {
			goneLoose = append(goneLoose, g)
		} else {
			next.loose = append(next.loose, g)
		}
	}
	b := s.eng.NewBatch(0)
	var err error
	each := func(e error) {
		if err == nil {
			err = e
		}
	}
	for _, sp := range old {
		each(b.LocalDelete(recordKey(sp.number)))
	}
	for _, g := range goneLoose {
		each(b.LocalDelete(recordKey(g.number)))
	}
	for _, sp := range spans {
		each(b.LocalSet(recordKey(sp.number), sp.record(m.space).encode()))
	}
	if err != nil {
		b.Close()
		return err
	}
	if err := b.Commit(true); err != nil {
		return err
	}
	for _, sp := range old {
		if sp.seg != nil {
			sp.seg.obsolete.Store(true)
		}
	}
	for _, g := range goneLoose {
		g.obsolete.Store(true)
	}
	for _, sp := range spans {
		if sp.seg != nil {
			sp.seg.obsolete.Store(false)
		}
	}
	s.publish(m.space, next.spans, next.loose)
	return nil
}

// promote turns loose segments into merged ones whose spans are just what they hold.
// REQUIRES: nothing overlaps them, and the engine has no version at or below their
// timestamps in between; st is what that was seen in. It gives their number.
func (s *Store) promote(space Space, st *state, loose []*Segment) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cells.Load().byKey[space]
	if c == nil || s.isDropping(space) {
		return 0, nil
	}
	cur := c.cur.Load()
	if cur == nil || !slices.Equal(cur.spans, st.spans) {
		return 0, errChanged
	}
	spans, rest := slices.Clone(cur.spans), slices.Clone(cur.loose)
	b := s.eng.NewBatch(0)
	for _, g := range loose {
		i := slices.Index(rest, g)
		if i < 0 {
			b.Close()
			return 0, errChanged
		}
		rest = slices.Delete(rest, i, i+1)
		m := *g
		m.merged = true
		sp := &span{number: g.number, lower: g.first, upper: append(bytes.Clone(g.last), 0), floor: g.ts, seg: &m, created: time.Now()}
		spans = append(spans, sp)
		if err := b.LocalSet(recordKey(sp.number), sp.record(space).encode()); err != nil {
			b.Close()
			return 0, err
		}
	}
	// A loose segment that came meanwhile and overlaps does no harm: its keys had no
	// visible version, and it is newer.
	if err := b.Commit(true); err != nil {
		return 0, err
	}
	s.publish(space, sortSpans(spans), rest)
	return len(loose), nil
}

// record describes a span to the directory.
func (sp *span) record(space Space) *record {
	r := &record{number: sp.number, kind: kindMerged, space: space, ts: sp.floor, lower: sp.lower, upper: sp.upper}
	if g := sp.seg; g != nil {
		r.hasFile, r.rows, r.bytes, r.first, r.last, r.cols = true, g.rows, g.bytes, g.first, g.last, g.cols
	}
	return r
}

// Drop implements engine.Columns. Until done nothing is swapped in the range.
func (s *Store) Drop(b *engine.Batch, lower, upper []byte) (done func(committed bool), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &dropping{bytes.Clone(lower), bytes.Clone(upper)}
	for _, c := range s.cells.Load().in(lower, upper) {
		if !d.has(c.space) {
			continue
		}
		st := c.cur.Load()
		for _, sp := range st.spans {
			if err := b.LocalDelete(recordKey(sp.number)); err != nil {
				return nil, err
			}
		}
		for _, g := range st.loose {
			if err := b.LocalDelete(recordKey(g.number)); err != nil {
				return nil, err
			}
		}
	}
	s.dropping = append(s.dropping, d)
	s.merger.cancel(d.has)
	return func(committed bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropping = slices.DeleteFunc(s.dropping, func(x *dropping) bool { return x == d })
		if !committed {
			return
		}
		s.merger.cancel(d.has) // what has begun since
		all := s.cells.Load()
		var gone []*cell
		for _, c := range all.in(lower, upper) {
			if d.has(c.space) {
				gone = append(gone, c)
			}
		}
		if len(gone) > 0 {
			s.cells.Store(all.without(d.has))
		}
		for _, c := range gone {
			s.closeOverlay(&c.overlay)
			if st := c.cur.Swap(nil); st != nil {
				st.eachSegment(func(g *Segment) { g.obsolete.Store(true) })
				st.release()
			}
		}
	}, nil
}

// dropping is a range of keys that is about to go.
type dropping struct{ lower, upper []byte }

func (d *dropping) has(sp Space) bool {
	return bytes.Compare(d.lower, sp[:]) <= 0 && bytes.Compare(sp[:], d.upper) < 0
}

// isDropping reports whether a space is about to go. REQUIRES: mu held.
func (s *Store) isDropping(sp Space) bool {
	return slices.ContainsFunc(s.dropping, func(d *dropping) bool { return d.has(sp) })
}
