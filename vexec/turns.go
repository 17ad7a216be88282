package vexec

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// turns lets short statements (Point, ShortRange) come first. While many of them come, the
// workers of parallel plans run by turns: fewer at a time than there are processors, as many
// fewer as the short statements are reckoned to need, and at least one. Otherwise all run and
// nobody waits or takes a lock.
//
// A worker comes by at its borders: before each batch of a scan, each part, each unit of
// groups. There it takes a turn, or waits for one in the order of arrival; it hands its turn
// on when it has had it for turnLength and others wait, and gives it back before it waits
// for anything else (rest). A plan that begins gets no more workers than may run at a time.
//
// Nothing depends on a turn being given back: one that others wait for lapses when its worker
// has not come by for turnLapse. So a worker that waits, unknown to us, for one that waits here
// (the workers of an init plan) makes it late and not stuck, and no query starves.
//
// What a statement's own goroutine runs is not a worker: each query has that much, as a
// backend of PostgreSQL has.
type turns struct {
	cores int
	clock func() time.Time
	// short counts the short statements that have come.
	short atomic.Int64
	// limit is how many workers may run at a time now; 0: all.
	limit atomic.Int32
	// reckoned is when limit was reckoned last, in nanoseconds of the clock.
	reckoned atomic.Int64
	// fixed: limit stays as it is (tests).
	fixed bool

	mu    sync.Mutex
	taken []*turn
	queue []*turn // those that wait, first come first
	seen  int64   // short, when limit was reckoned
}

// turn is what one worker has of turns. Its methods belong to the worker's goroutine.
// A nil turn is one of somebody who is no worker: always had, never waited for.
type turn struct {
	of    *turns
	ready chan struct{} // of one slot; told, mu held, when the turn is handed over
	used  bool          // it may have one: of the worker's goroutine alone

	// under turns.mu
	has    bool
	since  time.Time // that it has it
	passed time.Time // that the worker came by last
}

const (
	// shortCost is what one short statement is reckoned to take of a processor, with the
	// protocol, its share of a commit, and room to answer at once.
	shortCost = 200 * time.Microsecond
	// reckonEvery is how often the limit is reckoned anew.
	reckonEvery = 20 * time.Millisecond
	// turnLength is how long a worker keeps a turn that others wait for.
	turnLength = 5 * time.Millisecond
	// turnLapse is when a turn is taken from a worker that does not come by.
	turnLapse = 10 * time.Millisecond
)

// TestingTurns has workers of parallel plans run one at a time, as beside many short statements.
func (e *Executor) TestingTurns() {
	e.turns.fixed = true
	e.turns.limit.Store(1)
}

func newTurns(cores int) *turns { return &turns{cores: cores, clock: time.Now} }

// came hears of a short statement.
func (t *turns) came() { t.short.Add(1) }

// worker is a turn for a new worker, which has to call rest when it ends.
func (t *turns) worker() *turn { return &turn{of: t, ready: make(chan struct{}, 1)} }

// workers is how many of n workers a parallel plan that begins now gets: no more than may run at a time.
func (t *turns) workers(n int) int {
	t.reckon(t.clock())
	if limit := int(t.limit.Load()); limit > 0 {
		return min(n, limit)
	}
	return n
}

// reckon reckons the limit anew when it is time to.
func (t *turns) reckon(now time.Time) {
	last := t.reckoned.Load()
	if t.fixed || now.UnixNano()-last < int64(reckonEvery) || !t.reckoned.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	short := t.short.Load()
	n := short - t.seen
	t.seen = short
	// half a processor and more is one
	need := int((time.Duration(n)*shortCost + time.Duration(now.UnixNano()-last)/2) / time.Duration(now.UnixNano()-last))
	limit := 0
	if need > 0 {
		limit = max(1, t.cores-need)
	}
	t.limit.Store(int32(limit))
	t.grantLocked(now)
}

// grantLocked hands free turns to those that wait: to all of them when there is no limit any more.
func (t *turns) grantLocked(now time.Time) {
	limit := int(t.limit.Load())
	if limit > 0 && len(t.queue) > 0 && len(t.taken) >= limit {
		t.taken = slices.DeleteFunc(t.taken, func(w *turn) bool {
			lapsed := now.Sub(w.passed) >= turnLapse
			w.has = !lapsed
			return lapsed
		})
	}
	for len(t.queue) > 0 && (limit == 0 || len(t.taken) < limit) {
		w := t.queue[0]
		t.queue = slices.Delete(t.queue, 0, 1)
		t.taken = append(t.taken, w)
		w.has, w.since, w.passed = true, now, now
		w.ready <- struct{}{}
	}
}

// giveLocked gives w's turn back, if it has one.
func (t *turns) giveLocked(w *turn) {
	if w.has {
		w.has = false
		t.taken = slices.DeleteFunc(t.taken, func(o *turn) bool { return o == w })
	}
}

// border is where a worker comes by. The error is the context's.
func (w *turn) border(ctx context.Context) error {
	if w == nil {
		return nil
	}
	t := w.of
	now := t.clock()
	t.reckon(now)
	if t.limit.Load() == 0 {
		w.rest()
		return nil
	}
	t.mu.Lock()
	if w.has && len(t.taken) <= int(t.limit.Load()) && (len(t.queue) == 0 || now.Sub(w.since) < turnLength) {
		w.passed = now
		t.mu.Unlock()
		return nil
	}
	t.giveLocked(w)
	t.queue = append(t.queue, w)
	t.grantLocked(now)
	t.mu.Unlock()
	w.used = true
	return w.wait(ctx)
}

// wait waits in the queue for the turn.
func (w *turn) wait(ctx context.Context) error {
	select {
	case <-w.ready:
		return nil
	default:
	}
	t := w.of
	tick := time.NewTicker(turnLapse)
	defer tick.Stop()
	for {
		select {
		case <-w.ready:
			return nil
		case <-ctx.Done():
			w.leave()
			return ctx.Err()
		case <-tick.C: // nobody else may come by
			now := t.clock()
			t.reckon(now)
			t.mu.Lock()
			t.grantLocked(now)
			t.mu.Unlock()
		}
	}
}

// leave takes w out of the queue; a turn that it has been given meanwhile goes on.
func (w *turn) leave() {
	t := w.of
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.queue, w); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		return
	}
	<-w.ready
	t.giveLocked(w)
	t.grantLocked(t.clock())
}

// rest gives the turn back, if w has it: it waits for something else, or is no more.
func (w *turn) rest() {
	if w == nil || !w.used {
		return
	}
	w.used = false
	t := w.of
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveLocked(w)
	t.grantLocked(t.clock())
}

// restUnless is rest before a wait for done, unless that is closed already.
func (w *turn) restUnless(done <-chan struct{}) {
	select {
	case <-done:
	default:
		w.rest()
	}
}
