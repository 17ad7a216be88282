package columns

import (
	"bytes"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/segment"
)

// Bulk writes. A transaction writes provisional segments with NewLoose; nobody else
// sees them. Its commit adds their directory records to the batch, or to the files,
// that carry the rest of it (Addition.Records), and calls Done when that is durable
// and before its timestamp becomes visible. What is not committed is given to Discard;
// after a crash the next start removes the files, but those of prepared transactions (prepared.go).

// LooseWriter writes one provisional segment.
type LooseWriter struct {
	s      *Store
	w      *segment.Writer
	space  Space
	number uint64
	done   bool
}

// NewLoose starts a segment of rows of a space.
func (s *Store) NewLoose(space Space, cols []segment.Column) (*LooseWriter, error) {
	if err := s.eng.Failed(); err != nil {
		return nil, err
	}
	n := s.next.Add(1) - 1
	w, err := segment.NewWriter(s.fs, s.path(n), cols, s.writerOptions())
	if err != nil {
		return nil, s.wrap(err, s.path(n))
	}
	return &LooseWriter{s: s, w: w, space: space, number: n}, nil
}

// Append adds rows; locators ascend strictly.
func (w *LooseWriter) Append(keys segment.Keys, cols []arrow.Array) error {
	return w.s.wrap(w.w.Append(keys, cols), w.s.path(w.number))
}

// Rows is how many rows were appended; Full says that the next belong into another
// segment, Room how many still fit; Size is about the memory held, and the file's size.
func (w *LooseWriter) Rows() int  { return w.w.Rows() }
func (w *LooseWriter) Full() bool { return w.w.Full() }
func (w *LooseWriter) Room() int  { return w.w.Room() }
func (w *LooseWriter) Size() int  { return w.w.Size() }

// Finish completes the file, durably, its name included. REQUIRES: it has a row. The
// segment belongs to the caller, until Discard or Addition.Done.
func (w *LooseWriter) Finish() (*Segment, error) {
	w.done = true
	m, err := w.w.Finish()
	if err == nil {
		err = w.s.syncDir()
	}
	if err != nil {
		w.s.removeFile(w.number)
		return nil, w.s.wrap(err, w.s.path(w.number))
	}
	g := &Segment{fileRef: &fileRef{store: w.s, number: w.number, rows: uint64(m.Rows)}, space: w.space, bytes: uint64(m.Bytes),
		first: bytes.Clone(m.First), last: bytes.Clone(m.Last), cols: statsOf(m)}
	g.obsolete.Store(true) // until the directory has it
	g.refs.Store(1)
	return g, nil
}

// Abort drops what was written; nothing after Finish.
func (w *LooseWriter) Abort() {
	if !w.done {
		w.done = true
		w.w.Abort()
	}
}

// Discard removes provisional segments.
func (s *Store) Discard(segs ...*Segment) {
	for _, g := range segs {
		g.unref()
	}
}

// Addition is provisional segments about to be committed.
type Addition struct {
	s    *Store
	segs []*Segment
	recs []LocalRecord
}

// LocalRecord is a local key of the engine and its value.
type LocalRecord struct{ Key, Value []byte }

// AddLoose prepares the commit of provisional segments at ts.
func (s *Store) AddLoose(ts engine.Timestamp, segs []*Segment) *Addition {
	a := &Addition{s: s, segs: segs}
	for _, g := range segs {
		r := g.record(kindLoose)
		r.ts = ts
		a.recs = append(a.recs, LocalRecord{recordKey(g.number), r.encode()})
		g.ts = ts
	}
	slices.SortFunc(a.recs, func(x, y LocalRecord) int { return bytes.Compare(x.Key, y.Key) })
	return a
}

// record describes the segment to the directory.
func (g *Segment) record(kind byte) *record {
	return &record{number: g.number, kind: kind, hasFile: true, space: g.space, ts: g.ts, rows: g.rows, bytes: g.bytes,
		first: g.first, last: g.last, cols: g.cols}
}

// Records are the local keys that must be committed, ascending.
func (a *Addition) Records() []LocalRecord { return a.recs }

// Done ends the commit: with committed the segments are visible to whoever reads at
// their timestamp or above, else they stay the caller's. REQUIRES: the records are
// durable if committed, and no reader has the timestamp yet.
func (a *Addition) Done(committed bool) {
	if !committed {
		for _, g := range a.segs {
			g.ts = 0
		}
		return
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	bySpace := map[Space][]*Segment{}
	for _, g := range a.segs {
		g.obsolete.Store(false)
		bySpace[g.space] = append(bySpace[g.space], g)
	}
	for space, segs := range bySpace {
		var spans []*span
		var loose []*Segment
		if c := s.cells.Load().byKey[space]; c != nil {
			st := c.cur.Load()
			spans, loose = st.spans, st.loose
		}
		s.publish(space, spans, sortLoose(append(slices.Clone(loose), segs...)))
		s.merger.wrote(space)
	}
	for _, g := range a.segs {
		g.unref() // the caller's
	}
}

// publish puts another state of a space in force. REQUIRES: mu held, the directory
// durably says so.
func (s *Store) publish(space Space, spans []*span, loose []*Segment) {
	all := s.cells.Load()
	c := all.byKey[space]
	st := s.newState(spans, loose)
	if c == nil {
		c = &cell{space: space}
		c.cur.Store(st)
		s.cells.Store(all.with(c))
		return
	}
	if old := c.cur.Swap(st); old != nil {
		old.release()
	}
}

func sortLoose(l []*Segment) []*Segment {
	slices.SortFunc(l, func(a, b *Segment) int {
		if a.ts != b.ts {
			if a.ts < b.ts {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.first, b.first)
	})
	return l
}

func sortSpans(l []*span) []*span {
	slices.SortFunc(l, func(a, b *span) int { return bytes.Compare(a.lower, b.lower) })
	return l
}
