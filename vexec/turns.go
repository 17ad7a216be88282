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
// Short statements come first, and do not take everything: longShare of the processor time that
// the process gets is the workers'. How many run at a time does not make that so, since each
// competes with all goroutines of short statements for threads, so what workers have had is
// measured at their borders, and while it is less than their share, more of them run. A plan that
// has begun with few workers keeps to these: what it leaves is for the plans beside and after it.
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
	// spent is the processor time that the process has had so far.
	spent func() time.Duration
	// used is the processor time that workers have had since it was last taken, in nanoseconds.
	used atomic.Int64
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
	queue []*turn       // those that wait, first come first
	seen  int64         // short, when limit was reckoned
	had   time.Duration // spent, when limit was reckoned
	owed  time.Duration // processor time that workers have had less than their share
	more  int           // workers that run beyond what short statements leave
}

// turn is what one worker has of turns. Its methods belong to the worker's goroutine.
// A nil turn is one of somebody who is no worker: always had, never waited for.
type turn struct {
	of    *turns
	ready chan struct{} // of one slot; told, mu held, when the turn is handed over
	used  bool          // it may have one: of the worker's goroutine alone
	last  threadTime    // when it came by last; zero: not measured since. Of the worker's goroutine alone

	// under turns.mu
	has    bool
	since  time.Time // that it has it
	passed time.Time // that the worker came by last
}

// threadTime is the processor time that a thread has had, by the system's number of it.
type threadTime struct {
	thread int
	had    time.Duration
}

const (
	// longShare is the part of the process's processor time that workers get when they can
	// use it, however many short statements come.
	longShare = 0.4
	// owedMax bounds what is made up for when workers had less than their share, or more.
	owedMax = 100 * time.Millisecond
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

func newTurns(cores int) *turns { return &turns{cores: cores, clock: time.Now, spent: processTime} }

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
	short, used := t.short.Load(), time.Duration(t.used.Swap(0))
	n := short - t.seen
	t.seen = short
	// half a processor and more is one
	need := int((time.Duration(n)*shortCost + time.Duration(now.UnixNano()-last)/2) / time.Duration(now.UnixNano()-last))
	limit := 0
	if need > 0 {
		limit = max(1, t.cores-need)
		limit = min(t.cores, limit+t.moreLocked(used, t.cores-limit))
	} else {
		t.had, t.owed, t.more = 0, 0, 0
	}
	t.limit.Store(int32(limit))
	t.grantLocked(now)
}

// moreLocked is how many workers, up to most, run beyond what short statements leave: one more
// each time that workers are owed some of their share, one less each time that they are not.
// used is what they have had since the last time.
func (t *turns) moreLocked(used time.Duration, most int) int {
	spent := t.spent()
	if t.had == 0 || used == 0 && len(t.queue) == 0 { // just begun, or nobody there
		t.owed = 0
	} else {
		t.owed += time.Duration(longShare*float64(spent-t.had)) - used
		t.owed = min(max(t.owed, -owedMax), owedMax)
	}
	t.had = spent
	if t.owed > 0 {
		t.more++
	} else {
		t.more--
	}
	t.more = min(max(t.more, 0), most)
	return t.more
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
	w.measure()
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
	err := w.wait(ctx)
	w.last = threadNow() // perhaps another
	return err
}

// measure adds what the worker has had of a processor since it came by last. What it had when it
// has changed threads meanwhile is not known and not counted.
func (w *turn) measure() {
	now := threadNow()
	if now.thread == w.last.thread && now.thread != 0 {
		w.of.used.Add(int64(now.had - w.last.had))
	}
	w.last = now
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
	w.measure()
	w.last = threadTime{}
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
