package columns

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// merger decides what is merged and when. What it goes by is a survey of a space: how
// many versions that count lie in the engine, span by span (with the gap before it, where
// no span is) and behind the last span (the tail). Surveys are taken when a space has taken enough writes, or has been left
// alone for a while after some.
//
// A span is merged when its delta outgrows a share of it, or, with a much smaller
// share, once the space is quiet. A span just merged rests for a while under writes:
// hot ranges stay in rows. The tail is merged when it fills segments, or once the
// space is quiet.
type merger struct {
	s     *Store
	clock Clock
	// tablets lists those that may have tables.
	tablets func() []uint16
	wake    chan struct{}
	quit    context.CancelFunc
	ctx     context.Context
	done    sync.WaitGroup

	// run serialises merges and purges: the goroutine's and MergeNow's.
	run sync.Mutex

	mu     sync.Mutex
	spaces map[Space]*watched
	// fresh are tables registered and not yet looked for.
	fresh  []uint64
	status Progress
	active *merge // the merge that runs
	err    error  // last error of the goroutine, reported once
	totals Totals
	// commits and at: what the load was reckoned from last
	commits uint64
	at      time.Time
	rate    float64 // commits per second lately
}

// watched is a space with rows in the engine, or segments.
type watched struct {
	written  int64 // rows since the survey
	last     time.Time
	survey   *survey
	failedAt time.Time // a merge that could not be done; not tried again for a while
}

const (
	// deltaShareMax: a span with this share of its rows changed is merged, writes or not.
	deltaShareMax = 0.25
	// looseShareMax is the share for rows of loose segments: a load in another order than the key's does not have
	// what it has loaded merged again and again.
	looseShareMax = 1
	// quietShare is the share once nothing has been written for quietAfter.
	quietShare = 0.01
	quietAfter = 10 * time.Second
	// spanRest is how long a span rests under writes.
	spanRest = 30 * time.Second
	// surveyWrites is how many rows written call for a survey, and surveyShare which share
	// of the rows there are.
	surveyWrites = 16 << 10
	surveyShare  = 0.05
	// mergeInterval is how often the merger looks around.
	mergeInterval  = time.Second
	alwaysInterval = 15 * time.Millisecond
	// unitRowsMax is up to how many rows neighbours that are due are merged at once: what has grown does not leave a
	// small segment behind each, and many small ones are one merge.
	unitRowsMax = 8 * fileRowsMax
	// tailRowsMax bounds the rows of one merge of a tail.
	tailRowsMax = 8 * fileRowsMax
	// retryAfter a merge that failed
	retryAfter = time.Minute
	// purgeCompactMin is how many versions purged, or bytes of them, are worth a compaction: scans pass over what
	// was removed until then.
	purgeCompactMin      = 4 << 10
	purgeCompactBytesMin = 1 << 20
)

func (m *merger) init(s *Store) {
	m.s = s
	m.wake = make(chan struct{}, 1)
	m.spaces = map[Space]*watched{}
	m.ctx, m.quit = context.WithCancel(context.Background())
	m.status.Phase = "idle"
}

// Start merges in the background until Close; a store that is off gets no goroutine,
// only what it has. tablets lists those that may have tables.
func (s *Store) Start(clock Clock, tablets func() []uint16) {
	m := &s.merger
	m.mu.Lock()
	m.clock, m.tablets = clock, tablets
	for _, c := range s.cells.Load().list {
		m.watch(c.space).last = time.Now()
	}
	m.mu.Unlock()
	if s.opts.Mode == Off {
		return
	}
	m.done.Add(1)
	go m.loop()
}

func (m *merger) stop() error {
	m.quit()
	m.done.Wait()
	m.run.Lock() // whoever called MergeNow
	defer m.run.Unlock()
	return nil
}

// watch is the entry of a space. REQUIRES: mu held.
func (m *merger) watch(sp Space) *watched {
	w := m.spaces[sp]
	if w == nil {
		w = &watched{}
		m.spaces[sp] = w
	}
	return w
}

// registered hears of a table prepared for the first time.
func (m *merger) registered(storageID uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh = append(m.fresh, storageID)
}

// wrote hears of loose segments.
func (m *merger) wrote(sp Space) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watch(sp)
	w.written += surveyWrites
	w.last = time.Now()
}

// Wrote implements engine.Columns.
func (s *Store) Wrote(key []byte, n int, ts engine.Timestamp) (watched bool) {
	s.committed(ts)
	sp, ok := SpaceOf(key)
	if !ok {
		return false
	}
	if c := s.cells.Load().byKey[sp]; c != nil {
		watched = c.overlay.watched.Load()
	}
	if s.schemas.of(storageOf(sp)) == nil {
		return watched
	}
	m := &s.merger
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watch(sp)
	w.written += int64(n)
	w.last = time.Now()
	return watched
}

// cancel ends the merge of a space that is dropped. REQUIRES: Store.mu held.
func (m *merger) cancel(in func(Space) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.active != nil && in(m.active.space) {
		m.active.cancelled.Store(true)
	}
	for sp := range m.spaces {
		if in(sp) {
			delete(m.spaces, sp)
		}
	}
}

func (m *merger) loop() {
	defer m.done.Done()
	every := mergeInterval
	if m.s.opts.Mode == Always {
		every = alwaysInterval
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-t.C:
		case <-m.wake:
		}
		if m.s.eng.Failed() != nil {
			return
		}
		if err := m.look(m.ctx); err != nil && m.ctx.Err() == nil {
			m.s.logf("merging column segments: %v", err)
		}
	}
}

// pace keeps merging out of the way: while commits are under way it gives them the
// processor for as long as it has taken it, and some more while many are.
func (m *merger) pace(ctx context.Context, d time.Duration) error {
	m.mu.Lock()
	m.totals.Busy += d
	clock := m.clock
	now := time.Now()
	if since := now.Sub(m.at); since > 200*time.Millisecond {
		n := clock.Commits()
		m.rate = float64(n-m.commits) / since.Seconds()
		m.commits, m.at = n, now
	}
	rate := m.rate
	m.mu.Unlock()
	if m.s.opts.Mode == Always {
		return ctx.Err()
	}
	rest := time.Duration(0)
	switch waiting := clock.CommitsWaiting(); {
	case rate > 20 && waiting > 1:
		rest = 9 * d
	case rate > 20:
		rest = 4 * d
	case rate > 1:
		rest = d
	}
	if rest = min(rest, paceRestMax); rest == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// paceRestMax bounds one rest.
const paceRestMax = 500 * time.Millisecond

// noPace is the pace of merges that somebody waits for.
func noPace(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// look finds what is due and does it.
func (m *merger) look(ctx context.Context) error {
	m.findFresh()
	m.mu.Lock()
	var due []Space
	now := time.Now()
	for sp, w := range m.spaces {
		if m.surveyDue(w, now) {
			due = append(due, sp)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(due, func(a, b Space) int { return bytes.Compare(a[:], b[:]) })
	var first error
	for _, sp := range due {
		if m.s.schemas.of(storageOf(sp)) == nil {
			continue
		}
		err := m.work(ctx, sp)
		if err == nil || errors.Is(err, errChanged) {
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		m.mu.Lock()
		m.watch(sp).failedAt = time.Now()
		m.totals.Failures++
		m.mu.Unlock()
		if first == nil {
			first = err
		}
		if m.s.eng.Failed() != nil {
			return first
		}
	}
	return first
}

// surveyDue reports whether a space is worth a look. REQUIRES: mu held.
func (m *merger) surveyDue(w *watched, now time.Time) bool {
	if m.s.opts.Mode == Always {
		return w.written > 0 || w.survey == nil
	}
	if now.Sub(w.failedAt) < retryAfter {
		return false
	}
	if w.survey == nil {
		return w.written >= surveyWrites || now.Sub(w.last) > quietAfter
	}
	if w.written > max(surveyWrites, int64(surveyShare*float64(w.survey.rows))) && now.Sub(w.survey.at) > 2*mergeInterval {
		return true
	}
	// Once after the last write.
	return w.last.After(w.survey.at.Add(-quietAfter)) && now.Sub(w.last) > quietAfter && w.survey.at.Before(w.last.Add(quietAfter))
}

// findFresh looks for rows of tables that were registered since.
func (m *merger) findFresh() {
	m.mu.Lock()
	fresh := m.fresh
	m.fresh = nil
	m.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	for _, t := range m.tablets() {
		for _, id := range fresh {
			sp := MakeSpace(t, id)
			any, err := m.s.eng.AnyIn(sp[:], spaceEnd(sp))
			if err != nil {
				return
			}
			if any {
				m.mu.Lock()
				w := m.watch(sp)
				if w.last.IsZero() {
					w.last = time.Now()
				}
				m.mu.Unlock()
			}
		}
	}
}

// work surveys a space and merges what is due in it.
func (m *merger) work(ctx context.Context, sp Space) error {
	m.run.Lock()
	defer m.run.Unlock()
	m.mu.Lock()
	w := m.watch(sp)
	m.mu.Unlock()
	if m.s.opts.Mode == Always {
		return m.everything(ctx, sp, noPace, w)
	}
	v, err := m.survey(ctx, sp, m.pace)
	if err != nil {
		return err
	}
	m.surveyed(w, v)
	if v.dead > 0 {
		if err := m.purge(ctx, sp, nil, nil, m.pace); err != nil {
			return err
		}
	}
	if v.rows < m.s.opts.RowsMin {
		return nil
	}
	if err := m.promote(sp); err != nil {
		return err
	}
	for {
		m.mu.Lock()
		quiet := time.Since(w.last) > quietAfter
		m.mu.Unlock()
		if quiet && v.tailLoose > 0 && len(v.st) != m.spans(sp) { // promoted: not to be merged
			if v, err = m.survey(ctx, sp, m.pace); err != nil {
				return err
			}
		}
		units := m.units(sp, v, quiet)
		before := m.merges()
		for _, u := range units {
			if err := m.merge(ctx, u, m.pace); err != nil {
				return err
			}
		}
		// Of a tail of loose segments a portion was merged: no write will call for a survey.
		if m.merges() == before || v.tailLoose == 0 || units[len(units)-1].done.Load() < tailRowsMax {
			return nil
		}
		if v, err = m.survey(ctx, sp, m.pace); err != nil {
			return err
		}
		m.surveyed(w, v)
	}
}

// everything merges all of a space, tail included.
func (m *merger) everything(ctx context.Context, sp Space, pace func(context.Context, time.Duration) error, w *watched) error {
	m.surveyed(w, &survey{at: time.Now()})
	return m.merge(ctx, &merge{space: sp, lower: []byte{}}, pace)
}

// merge runs one merge and purges behind it. REQUIRES: run held.
func (m *merger) merge(ctx context.Context, x *merge, pace func(context.Context, time.Duration) error) error {
	s := m.s
	if err := s.eng.Failed(); err != nil {
		return err
	}
	x.s, x.pace = s, pace
	m.mu.Lock()
	clock := m.clock
	m.active = x
	m.status = Progress{Phase: "merging", Space: x.space, StorageID: storageOf(x.space), Started: time.Now()}
	m.mu.Unlock()
	if clock == nil {
		return pgerror.Internal("merging was not started")
	}
	merged, err := x.run(ctx, clock)
	m.mu.Lock()
	m.active = nil
	if merged {
		m.totals.Merges++
		m.totals.RowsMerged += x.done.Load()
		for _, sp := range x.spans {
			if sp.seg != nil {
				m.totals.BytesWritten += int64(sp.seg.bytes)
			}
		}
	}
	m.status = Progress{Phase: "idle"}
	m.mu.Unlock()
	if err != nil || !merged {
		return err
	}
	return m.purge(ctx, x.space, x.lower, x.upper, pace)
}

// purge removes what a merge has left in the engine, and the space it took.
func (m *merger) purge(ctx context.Context, sp Space, lower, upper []byte, pace func(context.Context, time.Duration) error) error {
	m.setStatus("purging", sp, 0)
	defer m.setStatus("idle", sp, 0)
	n, bytes, err := m.s.purge(ctx, sp, lower, upper, pace)
	m.mu.Lock()
	m.totals.RowsPurged += int64(n)
	m.mu.Unlock()
	if err != nil || n < purgeCompactMin && bytes < purgeCompactBytesMin {
		return err
	}
	from, to := append(append([]byte{}, sp[:]...), lower...), spaceEnd(sp)
	if upper != nil {
		to = append(append([]byte{}, sp[:]...), upper...)
	}
	return m.s.eng.Compact(ctx, from, to)
}

func (m *merger) setStatus(phase string, sp Space, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = Progress{Phase: phase, Space: sp, StorageID: storageOf(sp), Started: time.Now(), RowsTotal: total}
}

// promote makes merged segments of loose ones that nothing overlaps: no span, no
// other loose segment, no version in the engine that its floor would kill.
func (m *merger) promote(sp Space) error {
	s := m.s
	p := s.PinSpace(sp)
	if p == nil {
		return nil
	}
	defer p.Release()
	if len(p.st.loose) == 0 {
		return nil
	}
	m.mu.Lock()
	clock := m.clock
	m.mu.Unlock()
	ts, release := clock.HoldHorizon()
	defer release()
	byFirst := slices.Clone(p.st.loose)
	slices.SortFunc(byFirst, func(a, b *Segment) int { return bytes.Compare(a.first, b.first) })
	var alone []*Segment
	for i, g := range byFirst {
		end := append(bytes.Clone(g.last), 0)
		j := p.st.spanFrom(g.first)
		if g.ts > ts || i > 0 && bytes.Compare(maxLast(byFirst[:i]), g.first) >= 0 || i+1 < len(byFirst) && bytes.Compare(byFirst[i+1].first, g.last) <= 0 ||
			j < len(p.st.spans) && bytes.Compare(p.st.spans[j].lower, end) < 0 {
			continue
		}
		// Versions at or below its timestamp would die; there must be none.
		lower, upper := append(append([]byte{}, sp[:]...), g.first...), append(append([]byte{}, sp[:]...), end...)
		dies, err := s.anyAtOrBelow(lower, upper, g.ts)
		if err != nil {
			return err
		}
		if !dies {
			alone = append(alone, g)
		}
	}
	if len(alone) == 0 {
		return nil
	}
	n, err := s.promote(sp, p.st, alone)
	m.mu.Lock()
	m.totals.Promotions += int64(n)
	m.mu.Unlock()
	return err
}

func maxLast(l []*Segment) []byte {
	var last []byte
	for _, g := range l {
		if bytes.Compare(g.last, last) > 0 {
			last = g.last
		}
	}
	return last
}

// anyAtOrBelow reports whether the engine has a version at or below ts in a range.
func (s *Store) anyAtOrBelow(lower, upper []byte, ts engine.Timestamp) (bool, error) {
	it, pin, err := s.eng.OpenParts(engine.IterOptions{Lower: lower, Upper: upper, At: ts})
	if err != nil {
		return false, err
	}
	if pin != nil {
		defer pin.Release()
	}
	any := it.Next()
	err = it.Err()
	if cerr := it.Recycle(); err == nil {
		err = cerr
	}
	return any, err
}

// MergeNow merges everything of a table that is not in segments yet, whatever the
// share, and purges; rows of a table with fewer than Options.RowsMin rows stay where they are.
func (s *Store) MergeNow(ctx context.Context, storageID uint64) error {
	m := &s.merger
	if m.tablets == nil {
		return pgerror.Internal("merging was not started")
	}
	for _, t := range m.tablets() {
		sp := MakeSpace(t, storageID)
		if err := m.now(ctx, sp); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) now(ctx context.Context, sp Space) error {
	m.run.Lock()
	defer m.run.Unlock()
	m.mu.Lock()
	w := m.watch(sp)
	m.mu.Unlock()
	for {
		v, err := m.survey(ctx, sp, noPace)
		if err != nil {
			return err
		}
		m.surveyed(w, v)
		if v.dead > 0 {
			if err := m.purge(ctx, sp, nil, nil, noPace); err != nil {
				return err
			}
		}
		if v.rows < m.s.opts.RowsMin {
			return nil
		}
		if err := m.promote(sp); err != nil {
			return err
		}
		units := m.dirty(sp, v)
		if len(units) == 0 {
			return nil
		}
		before := m.merges()
		for _, u := range units {
			if err := m.merge(ctx, u, noPace); err != nil {
				return err
			}
		}
		// A tail is merged a portion at a time; stop when nothing moves, such as
		// versions that snapshots hold back.
		if m.merges() == before || units[len(units)-1].rowsMax == 0 || units[len(units)-1].done.Load() < tailRowsMax {
			return nil
		}
	}
}

func (m *merger) merges() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.totals.Merges
}
