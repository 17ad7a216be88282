package columns

import (
	"context"
)

// TestingMerge merges spans from index from up to index to of a space, or with to at
// or above their number the tail as well, whether or not it is worth it.
func (s *Store) TestingMerge(ctx context.Context, sp Space, from, to int) error {
	m := &s.merger
	m.run.Lock()
	defer m.run.Unlock()
	x := &merge{space: sp, lower: []byte{}}
	if p := s.PinSpace(sp); p != nil {
		if n := len(p.st.spans); n > 0 {
			if from = min(from, n); from == n {
				x.lower = p.st.spans[n-1].upper
			} else if from > 0 {
				x.lower = p.st.spans[from].lower
			}
			if to < n {
				x.upper = p.st.spans[max(to, from)].upper
			}
		}
		p.Release()
	}
	if x.upper == nil && to%2 == 1 {
		x.rowsMax = 1 + to%7
	}
	return m.merge(ctx, x, noPace)
}

// TestingPromote makes merged segments of loose ones.
func (s *Store) TestingPromote(sp Space) error {
	s.merger.run.Lock()
	defer s.merger.run.Unlock()
	err := s.merger.promote(sp)
	if err == errChanged {
		err = nil
	}
	return err
}

// TestingSpans is the number of spans and loose segments of a space.
func (s *Store) TestingSpans(sp Space) (spans, loose int) {
	if p := s.PinSpace(sp); p != nil {
		spans, loose = len(p.st.spans), len(p.st.loose)
		p.Release()
	}
	return spans, loose
}

// TestingOverlayHits is how often chunks of the delta have served a scan again, as they were and patched.
func (s *Store) TestingOverlayHits() (hits, patched int64) {
	for _, c := range s.cells.Load().list {
		c.overlay.mu.Lock()
		hits += c.overlay.hits
		patched += c.overlay.patched
		c.overlay.mu.Unlock()
	}
	return hits, patched
}
