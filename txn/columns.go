package txn

import (
	"bytes"
	"context"
	"slices"

	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
)

// Column segments beneath transactions. Nothing changes for those who read and write
// rows: the engine merges what lies in segments. Merging asks the manager which
// timestamps are over (columns.Clock), and readers that can do more with segments
// than read them row by row take the parts of a range apart (ColumnView).

var _ columns.Clock = (*Manager)(nil)

// ColumnView is a View that gives engine and segments of a range apart. Views of local
// transactions and of fragments are.
type ColumnView interface {
	View
	// Columns takes [lower, upper), a range of one row space, apart; nil: nothing of it lies in
	// segments, and NewIter gives all there is. Close what it gives before the view. Ranges that are
	// disjoint may be taken apart at different moments.
	Columns(ctx context.Context, lower, upper []byte) (*ColumnParts, error)
}

// ColumnParts is a range of a row space as a view sees it: rows of segments, and what
// lies over them. A segment's row with key k is visible iff the delta has no entry for
// k, or one that is not newer than the part (Timestamp ≤ TS). An entry of the delta
// that is not a tombstone is a row of its own, whatever the segments hold.
type ColumnParts struct {
	// Parts, in order of their first keys. Those of merged segments are disjoint; loose
	// and own segments may overlap others.
	Parts []columns.Part
	// Delta walks keys with versions that count, ascending, tombstones included.
	Delta DeltaIter
	// Walk gives the same in pieces that are kept from scan to scan; nil where there are own writes in the
	// range. Either of the two may be used.
	Walk *columns.DeltaWalk

	pin engine.ColumnPin
}

// Close ends the delta and releases the segments.
func (p *ColumnParts) Close() {
	if p.Delta != nil {
		_ = p.Delta.Close()
		p.Delta = nil
	}
	if p.pin != nil {
		p.pin.Release()
		p.pin = nil
	}
}

// DeltaIter walks the newest counting version of each key outside segments, own
// writes over committed ones. Key and Value are valid until the next Next or Close.
type DeltaIter interface {
	Next() bool
	Key() []byte
	Value() []byte
	Deleted() bool
	// Timestamp is the commit timestamp; for an own write OwnTimestamp of its number.
	Timestamp() engine.Timestamp
	Err() error
	Close() error
}

// OwnTimestamp stands for the commit timestamp of an own write, or an own provisional
// segment, with a sequence number: newer than all committed ones, in the order made.
func OwnTimestamp(seq uint64) engine.Timestamp { return 1<<63 | seq }

// columnParts takes a range apart at a timestamp, with the own writes of statements
// before stmt over it.
func (t *transaction) columnParts(lower, upper []byte, at Timestamp, stmt uint32) (*ColumnParts, error) {
	if t.m.eng.Columns() == nil {
		return nil, nil
	}
	if mutantNewestColumns {
		at = t.m.oracle.fresh()
	}
	var seq uint64
	store, _ := t.m.eng.Columns().(*columns.Store)
	if store != nil {
		seq = store.DeltaSeq(lower)
	}
	it, pin, err := t.m.eng.OpenParts(engine.IterOptions{Lower: lower, Upper: upper, At: engine.Timestamp(at)})
	if err != nil {
		return nil, err
	}
	p := &ColumnParts{Delta: committedDelta{it}, pin: pin}
	fail := func(err error) (*ColumnParts, error) {
		p.Close()
		return nil, err
	}
	if pin != nil {
		cp, ok := pin.(*columns.Pin)
		if !ok { // of several spaces
			return fail(nil)
		}
		if p.Parts, err = cp.Parts(lower, upper, engine.Timestamp(at)); err != nil {
			return fail(err)
		}
	}
	own := -len(p.Parts)
	if err := t.bulkParts(p, lower, upper, stmt); err != nil {
		return fail(err)
	}
	own += len(p.Parts)
	if len(p.Parts) == 0 {
		return fail(nil)
	}
	src, err := t.ownRows(lower, upper, stmt, false)
	if err != nil {
		return fail(err)
	}
	if src != nil {
		p.Delta = &mergedDelta{committed: it, own: src}
	}
	if cp, ok := pin.(*columns.Pin); ok && src == nil && own == 0 && store != nil {
		p.Walk = cp.Walk(it, seq, lower, upper, engine.Timestamp(at))
	}
	return p, nil
}

// Columns implements ColumnView.
func (v *view) Columns(_ context.Context, lower, upper []byte) (*ColumnParts, error) {
	return v.t.columnParts(lower, upper, v.snap.ts, v.stmt)
}

var (
	_ ColumnView = (*view)(nil)
	_ ColumnView = (*fragmentView)(nil)
)

// committedDelta is an engine iterator as a DeltaIter.
type committedDelta struct{ *engine.Iter }

func (d committedDelta) Close() error { return d.Recycle() }

// mergedDelta lays own writes over committed versions.
type mergedDelta struct {
	committed      *engine.Iter
	own            writeSource
	started        bool
	cOK            bool
	w              *write
	fromOwn, fromC bool
	isOwn          bool
	err            error
}

func (d *mergedDelta) Next() bool {
	if d.err != nil || d.committed == nil {
		return false
	}
	if !d.started {
		d.started, d.fromOwn, d.fromC = true, true, true
	}
	if d.fromOwn {
		if d.w, d.err = d.own.next(); d.err != nil {
			return false
		}
	}
	if d.fromC {
		if d.cOK = d.committed.Next(); !d.cOK {
			if d.err = d.committed.Err(); d.err != nil {
				return false
			}
		}
	}
	switch {
	case d.w == nil && !d.cOK:
		d.fromOwn, d.fromC = false, false
		return false
	case d.w == nil:
		d.fromOwn, d.fromC = false, true
	case !d.cOK:
		d.fromOwn, d.fromC = true, false
	default:
		c := bytes.Compare(d.w.key, d.committed.Key())
		d.fromOwn, d.fromC = c <= 0, c >= 0
	}
	d.isOwn = d.fromOwn
	return true
}

func (d *mergedDelta) Key() []byte {
	if d.isOwn {
		return d.w.key
	}
	return d.committed.Key()
}

func (d *mergedDelta) Value() []byte {
	if d.isOwn {
		return d.w.value
	}
	return d.committed.Value()
}

func (d *mergedDelta) Deleted() bool {
	if d.isOwn {
		return d.w.del
	}
	return d.committed.Deleted()
}

func (d *mergedDelta) Timestamp() engine.Timestamp {
	if d.isOwn {
		return OwnTimestamp(d.w.seq)
	}
	return d.committed.Timestamp()
}

func (d *mergedDelta) Err() error { return d.err }

func (d *mergedDelta) Close() error {
	if d.committed == nil {
		return d.err
	}
	if err := d.own.close(); d.err == nil {
		d.err = err
	}
	if err := d.committed.Recycle(); d.err == nil {
		d.err = err
	}
	d.committed = nil
	return d.err
}

// HoldHorizon implements columns.Clock. In a cluster, commits come with timestamps
// from elsewhere, drawn after the branch that they end was made: open branches hold
// the horizon down to what it was then, so that none commits below a floor.
func (m *Manager) HoldHorizon() (engine.Timestamp, func()) {
	open := Timestamp(1<<64 - 1)
	if p := m.branches.Load(); p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, x := range p.open {
			open = min(open, x.since)
		}
	}
	o := &m.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	ts := min(o.horizonLocked(), open)
	o.held = append(o.held, ts)
	return engine.Timestamp(ts), func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		i := slices.Index(o.held, ts)
		o.held = slices.Delete(o.held, i, i+1)
	}
}

// bound is what every commit drawn from now on is above.
func (o *oracle) bound() Timestamp {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.clustered {
		return o.limit
	}
	return o.watermark
}

// CommitsWaiting and Commits implement columns.Clock.
func (m *Manager) CommitsWaiting() int {
	m.oracle.mu.Lock()
	defer m.oracle.mu.Unlock()
	return len(m.oracle.inflight)
}

func (m *Manager) Commits() uint64 { return m.commits.Load() }
