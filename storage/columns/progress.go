package columns

import (
	"bytes"
	"slices"
	"time"
)

// What merging does now, what it has done and what waits.

// Totals count what merging has done since the start.
type Totals struct {
	Merges, Promotions, Failures int64
	RowsMerged, RowsPurged       int64
	BytesWritten                 int64
	Busy                         time.Duration
}

// Progress is what merging does now.
type Progress struct {
	// Phase is "idle", "surveying", "merging" or "purging".
	Phase     string
	Space     Space
	StorageID uint64
	Started   time.Time
	RowsDone  int64
	RowsTotal int64
}

// Backlog is what waits to be merged in a space.
type Backlog struct {
	Space     Space
	StorageID uint64
	// Segments, Spans and Rows that are in segments; Delta rows that are not.
	Segments, Spans, Loose int
	Rows, LooseRows        int64
	Bytes                  int64
	Delta, Dead            int64
	Surveyed               time.Time
}

// Progress tells what merging does now, Totals what it has done, Backlogs what waits.
func (s *Store) Progress() Progress {
	m := &s.merger
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.status
	if m.active != nil {
		p.RowsDone = m.active.done.Load()
	}
	return p
}

func (s *Store) Totals() Totals {
	s.merger.mu.Lock()
	defer s.merger.mu.Unlock()
	return s.merger.totals
}

func (s *Store) Backlogs() []Backlog {
	m := &s.merger
	m.mu.Lock()
	all := map[Space]*Backlog{}
	for sp, w := range m.spaces {
		b := &Backlog{Space: sp, StorageID: storageOf(sp), Delta: w.written}
		if v := w.survey; v != nil {
			b.Surveyed, b.Dead = v.at, int64(v.dead)
			b.Delta += int64(v.tail)
			for _, d := range v.delta {
				b.Delta += int64(d)
			}
		}
		all[sp] = b
	}
	m.mu.Unlock()
	for _, c := range s.cells.Load().list {
		p := c.pin()
		if p == nil {
			continue
		}
		b := all[c.space]
		if b == nil {
			b = &Backlog{Space: c.space, StorageID: storageOf(c.space)}
			all[c.space] = b
		}
		b.Spans, b.Loose = len(p.st.spans), len(p.st.loose)
		p.st.eachSegment(func(g *Segment) {
			b.Segments++
			b.Bytes += int64(g.bytes)
			if g.merged {
				b.Rows += int64(g.rows)
			} else {
				b.LooseRows += int64(g.rows)
			}
		})
		p.Release()
	}
	out := make([]Backlog, 0, len(all))
	for _, b := range all {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Backlog) int { return bytes.Compare(a.Space[:], b.Space[:]) })
	return out
}
