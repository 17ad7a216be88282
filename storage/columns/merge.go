package columns

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

// Clock is what merging must know of transactions (txn.Manager implements it).
type Clock interface {
	// HoldHorizon gives a timestamp ts such that nobody reads or will read below it,
	// every commit at or below it has been applied and none will arrive; until release
	// nothing that a reader at ts sees is collected. 0: nothing can be said now.
	HoldHorizon() (ts engine.Timestamp, release func())
	// CommitsWaiting is how many commits are under way, Commits how many there were.
	CommitsWaiting() int
	Commits() uint64
}

// merge is one merge: of the rows of a space in [lower, upper) as they are at ts.
type merge struct {
	s            *Store
	space        Space
	lower, upper []byte // locators; nil upper: to the end
	// rowsMax ends the merge at the next row once so many were written; 0: no bound.
	rowsMax int
	ts      engine.Timestamp
	// pace is called between portions of work with the time that the last one took.
	pace func(ctx context.Context, d time.Duration) error
	done atomic.Int64 // rows written so far
	// cancelled by Drop, under Store.mu.
	cancelled atomic.Bool

	schema *tableSchema
	cols   []segment.Column
	dec    []rowcodec.Column

	spans []*span
	w     *segment.Writer
	num   uint64
	limit int // rows of the present file
	rows  int // in the present file
}

// errUnknownColumn: rows store a column that nobody has registered yet, and others
// lack it: what they hold instead is not known.
var errUnknownColumn = pgerror.Internal("rows have columns that are not known yet")

func (m *merge) key(loc []byte) []byte { return append(append([]byte{}, m.space[:]...), loc...) }

// bounds are the whole keys that bound the merge.
func (m *merge) bounds() (lower, upper []byte) {
	lower = m.key(m.lower)
	if m.upper != nil {
		return lower, m.key(m.upper)
	}
	return lower, spaceEnd(m.space)
}

// spaceEnd is above every key of a space.
func spaceEnd(sp Space) []byte {
	end := append([]byte{}, sp[:]...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			break
		}
	}
	return end
}

// run does it. It gives the bounds of what was merged; false when there was nothing to do.
func (m *merge) run(ctx context.Context, clock Clock) (bool, error) {
	s := m.s
	ts, release := clock.HoldHorizon()
	defer release()
	if ts == 0 {
		return false, nil
	}
	m.ts = ts
	if m.schema = s.schemas.of(storageOf(m.space)); m.schema == nil {
		return false, nil
	}
	lower, upper := m.bounds()
	// The engine first, then the segments: see engine.Columns.
	look, err := m.look(ctx, lower, upper)
	if err != nil || look == nil {
		return false, err
	}
	defer look.st.release()
	if m.upper == nil {
		// What comes later at the end is for another merge.
		m.upper = append(bytes.Clone(look.last), 0)
		_, upper = m.bounds()
	}
	var unknown []int
	m.cols, m.dec, unknown = m.schema.layout(look.slots)
	for _, a := range unknown {
		if look.slotsMin < a {
			return false, errUnknownColumn
		}
	}
	if err := m.write(ctx, lower, upper, look); err != nil {
		m.abandon()
		return false, err
	}
	if err := s.syncDirFor(m.spans); err != nil {
		m.abandon()
		return false, err
	}
	if err := s.swap(m, look.spans, m.spans); err != nil {
		m.abandon()
		return false, err
	}
	for _, sp := range m.spans {
		if sp.seg != nil {
			sp.seg.unref() // the merge's own; the state has another
		}
	}
	return true, nil
}

func (s *Store) syncDirFor(spans []*span) error {
	for _, sp := range spans {
		if sp.seg != nil {
			return s.syncDir()
		}
	}
	return nil
}

// abandon removes what was written so far.
func (m *merge) abandon() {
	if m.w != nil {
		m.w.Abort()
		m.w = nil
	}
	for _, sp := range m.spans {
		if sp.seg != nil {
			sp.seg.unref()
		}
	}
	m.spans = nil
}

// looked is what a range consists of before it is merged.
type looked struct {
	st    *state // held
	spans []*span
	// last is the last locator that the merge must take in.
	last []byte
	// slots is the highest attribute number that a row stores, slotsMin the lowest of such.
	slots, slotsMin int
	// delta counts versions of the engine that count at ts.
	delta int
	rows  int // estimate of the outcome
}

// look walks the engine's part of the range. nil: there is nothing to merge.
func (m *merge) look(ctx context.Context, lower, upper []byte) (*looked, error) {
	s := m.s
	it, pin, err := s.eng.OpenParts(engine.IterOptions{Lower: lower, Upper: upper, At: m.ts})
	if err != nil {
		return nil, err
	}
	defer it.Recycle()
	l := &looked{slotsMin: 1 << 30, st: &state{store: s}}
	l.st.refs.Store(1)
	if pin != nil {
		defer pin.Release()
		if p, ok := pin.(*Pin); ok && p.space == m.space {
			l.st = p.st
			l.st.refs.Add(1)
		}
	}
	ok, cut := false, false
	defer func() {
		if !ok {
			l.st.release()
		}
	}()
	start := time.Now()
	for it.Next() {
		l.delta++
		if l.delta%paceRows == 0 {
			if err := m.pace(ctx, time.Since(start)); err != nil {
				return nil, err
			}
			start = time.Now()
		}
		if m.rowsMax > 0 && l.delta > m.rowsMax && m.upper == nil {
			cut = true // the rest of the tail is for another merge
			break
		}
		l.last = append(l.last[:0], it.Key()[len(m.space):]...)
		if it.Deleted() {
			continue
		}
		l.rows++
		n, err := rowcodec.Slots(it.Value())
		if err != nil {
			return nil, fmt.Errorf("row %x: %w", it.Key(), err)
		}
		l.slots, l.slotsMin = max(l.slots, n), min(l.slotsMin, n)
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	for i := l.st.spanFrom(m.lower); i < len(l.st.spans); i++ {
		sp := l.st.spans[i]
		if m.upper != nil && bytes.Compare(sp.lower, m.upper) >= 0 {
			break
		}
		if bytes.Compare(sp.lower, m.lower) < 0 || m.upper != nil && bytes.Compare(sp.upper, m.upper) > 0 || sp.floor > m.ts {
			return nil, errChanged
		}
		l.spans = append(l.spans, sp)
		// The successor's bound: what the span ends with, however it ends.
		if m.upper == nil && bytes.Compare(sp.upper, l.last) > 0 {
			l.last = append(l.last[:0], sp.upper...)
		}
	}
	loose := 0
	for _, g := range l.st.overlapping(m.lower, m.upper) {
		if g.ts > m.ts {
			continue
		}
		if !g.merged {
			loose++
			if m.upper == nil && !cut && bytes.Compare(g.last, l.last) > 0 {
				l.last = append(l.last[:0], g.last...)
			}
		}
		l.rows += int(g.rows)
		f, err := g.open()
		if err != nil {
			return nil, err
		}
		n := 0
		for _, c := range f.Columns() {
			n = max(n, c.Attnum)
		}
		l.slots, l.slotsMin = max(l.slots, n), min(l.slotsMin, n)
	}
	if l.delta == 0 && loose == 0 && len(l.spans) < 2 || l.rows == 0 && len(l.spans) == 0 && loose == 0 {
		return nil, nil
	}
	ok = true
	return l, nil
}

// paceRows is how many rows are worked on between looks at the load.
const paceRows = 4096

// blockRows is how many rows are handed to a file at once.
const blockRows = 4096

// write writes the visible rows of the range to new files.
func (m *merge) write(ctx context.Context, lower, upper []byte, l *looked) error {
	it, err := m.s.eng.NewIter(engine.IterOptions{Lower: lower, Upper: upper, At: m.ts})
	if err != nil {
		return err
	}
	defer it.Recycle()
	dec := rowcodec.NewDecoder(m.dec, blockRows)
	var keys segment.Keys
	m.startSpan(m.lower, l.rows)
	start := time.Now()
	flush := func() error {
		if dec.Len() == 0 {
			return nil
		}
		if m.w == nil {
			if m.w, err = segment.NewWriter(m.s.fs, m.s.path(m.num), m.cols, m.s.writerOptions()); err != nil {
				return m.s.wrap(err, m.s.path(m.num))
			}
		}
		n := dec.Len()
		if err := m.w.Append(keys, dec.Finish()); err != nil {
			return m.s.wrap(err, m.s.path(m.num))
		}
		m.rows += n
		m.done.Add(int64(n))
		keys.Reset()
		if m.cancelled.Load() {
			return errChanged
		}
		err := m.pace(ctx, time.Since(start))
		start = time.Now()
		return err
	}
	total := 0
	for it.Next() {
		loc := it.Key()[len(m.space):]
		if m.rows+dec.Len() >= m.limit || m.w != nil && dec.Len() == 0 && m.w.Full() {
			if err := flush(); err != nil {
				return err
			}
			if err := m.endSpan(loc); err != nil {
				return err
			}
			if m.rowsMax > 0 && total >= m.rowsMax && len(l.spans) == 0 {
				m.upper = bytes.Clone(loc)
				return nil
			}
			m.startSpan(loc, l.rows)
		}
		if err := dec.Append(it.Value()); err != nil {
			return fmt.Errorf("row %x: %w", it.Key(), err)
		}
		total++
		keys.Append(loc)
		if dec.Full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return m.endSpan(m.upper)
}

// startSpan begins the next span at a locator.
func (m *merge) startSpan(loc []byte, rows int) {
	m.num = m.s.next.Add(1) - 1
	m.limit, m.rows = m.s.opts.FileRowsMax, 0
	if m.limit <= 0 {
		m.limit = fileRowsMax
		if m.s.opts.Mode == Always {
			m.limit = max(int(m.num%3)+1, rows/alwaysFiles)
		}
	}
	m.spans = append(m.spans, &span{number: m.num, lower: bytes.Clone(loc), floor: m.ts, created: time.Now()})
}

const (
	fileRowsMax = 128 << 10
	// alwaysFiles bounds the files of one merge under Always.
	alwaysFiles = 40
)

// endSpan completes the present span, which ends before loc.
func (m *merge) endSpan(loc []byte) error {
	sp := m.spans[len(m.spans)-1]
	sp.upper = bytes.Clone(loc)
	if m.w == nil {
		return nil
	}
	meta, err := m.w.Finish()
	m.w = nil
	if err != nil {
		m.s.removeFile(m.num)
		return m.s.wrap(err, m.s.path(m.num))
	}
	g := &Segment{fileRef: &fileRef{store: m.s, number: m.num, rows: uint64(meta.Rows)}, space: m.space, merged: true, ts: m.ts, bytes: uint64(meta.Bytes),
		first: bytes.Clone(meta.First), last: bytes.Clone(meta.Last), cols: statsOf(meta)}
	g.obsolete.Store(true)
	g.refs.Store(1)
	sp.seg = g
	return nil
}

// purge removes the versions of the engine in [lower, upper) that lie below floors.
// It may be stopped at any time, by a crash as well. It counts the versions and their bytes.
func (s *Store) purge(ctx context.Context, space Space, lower, upper []byte, pace func(context.Context, time.Duration) error) (purged int, size int64, err error) {
	from := append(append([]byte{}, space[:]...), lower...)
	end := spaceEnd(space)
	if upper != nil {
		end = append(append([]byte{}, space[:]...), upper...)
	}
	for from != nil {
		start := time.Now()
		n, bytes, next, err := s.purgeSome(space, from, end)
		purged, size = purged+n, size+bytes
		if err != nil {
			return purged, size, err
		}
		from = next
		if err := pace(ctx, time.Since(start)); err != nil {
			return purged, size, err
		}
	}
	return purged, size, nil
}

const (
	purgeVersionsMax = 4096
	purgeBytesMax    = 256 << 10
)

func (s *Store) purgeSome(space Space, from, end []byte) (n int, size int64, next []byte, err error) {
	p := s.PinSpace(space)
	if p == nil {
		return 0, 0, nil, nil
	}
	defer p.Release()
	v, err := s.eng.NewVersionsIn(from, end)
	if err != nil {
		return 0, 0, nil, err
	}
	defer v.Close()
	b := s.eng.NewBatch(0)
	seen := 0
	for ok := v.SeekKey(from); ok; ok = v.NextKey() {
		if seen > purgeVersionsMax || b.Len() > purgeBytesMax {
			next = bytes.Clone(v.Key())
			break
		}
		floor := p.Floor(v.Key())
		for more := true; more; more = v.NextVersion() {
			seen++
			if v.Timestamp() <= floor {
				n++
				size += int64(v.Size())
				if err := b.ForgetEngineKey(v.EngineKey()); err != nil {
					b.Close()
					return 0, 0, nil, err
				}
			}
		}
	}
	if err := v.Err(); err != nil || n == 0 {
		b.Close()
		return 0, 0, next, err
	}
	return n, size, next, b.Commit(false)
}
