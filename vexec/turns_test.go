package vexec

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// manualTurns are turns whose clock stands until it is advanced.
func manualTurns(cores int) (t *turns, advance func(time.Duration)) {
	var now atomic.Int64
	now.Store(int64(time.Hour))
	t = newTurns(cores)
	t.clock = func() time.Time { return time.Unix(0, now.Load()) }
	t.reckoned.Store(now.Load())
	return t, func(d time.Duration) { now.Add(int64(d)) }
}

// crowd has short statements come, n in the time in which the limit is reckoned.
func crowd(t *turns, advance func(time.Duration), n int) {
	for range n {
		t.came()
	}
	advance(reckonEvery)
	t.reckon(t.clock())
}

// arrive has a worker come by in a goroutine of its own and waits until it stands in the queue.
func arrive(t *turns, ctx context.Context, w *turn) <-chan error {
	t.mu.Lock()
	before := len(t.queue)
	t.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- w.border(ctx) }()
	for {
		t.mu.Lock()
		n := len(t.queue)
		t.mu.Unlock()
		if n > before {
			return done
		}
		runtime.Gosched()
	}
}

func TestTurnsLimit(t *testing.T) {
	for _, c := range []struct{ cores, short, limit int }{
		{2, 0, 0}, {2, 40, 0}, {2, 60, 1}, {2, 1000, 1},
		{1, 1000, 1}, {8, 60, 7}, {8, 300, 5}, {8, 10_000, 1},
	} {
		turns, advance := manualTurns(c.cores)
		crowd(turns, advance, c.short)
		if got := int(turns.limit.Load()); got != c.limit {
			t.Errorf("%d processors, %d statements: limit %d, want %d", c.cores, c.short, got, c.limit)
		}
		if crowd(turns, advance, 0); turns.limit.Load() != 0 {
			t.Error("the limit outlives the statements")
		}
	}
}

// TestTurnsFree: without short statements nobody waits, however many there are.
func TestTurnsFree(t *testing.T) {
	turns, _ := manualTurns(2)
	for range 5 {
		if err := turns.worker().border(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if len(turns.taken)+len(turns.queue) > 0 {
		t.Error("turns are taken")
	}
	if err := (*turn)(nil).border(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestTurnsHandedOn(t *testing.T) {
	turns, advance := manualTurns(2)
	crowd(turns, advance, 1000)
	ctx := context.Background()
	a, b, c := turns.worker(), turns.worker(), turns.worker()
	if err := a.border(ctx); err != nil {
		t.Fatal(err)
	}
	bDone := arrive(turns, ctx, b)
	cDone := arrive(turns, ctx, c)
	// a goes on while its turn is short; having rested it leaves it to b
	if err := a.border(ctx); err != nil || !a.has {
		t.Fatal(err, a.has)
	}
	a.rest()
	if err := <-bDone; err != nil {
		t.Fatal(err)
	}
	// b's turn has been long: it goes to c, and b waits
	advance(turnLength)
	again := make(chan error, 1)
	go func() { again <- b.border(ctx) }()
	if err := <-cDone; err != nil {
		t.Fatal(err)
	}
	c.rest()
	if err := <-again; err != nil {
		t.Fatal(err)
	}
}

// TestTurnsLapse: a worker that does not come by loses its turn to one that waits.
func TestTurnsLapse(t *testing.T) {
	turns, advance := manualTurns(2)
	crowd(turns, advance, 1000)
	turns.fixed = true
	ctx := context.Background()
	a, b := turns.worker(), turns.worker()
	if err := a.border(ctx); err != nil {
		t.Fatal(err)
	}
	done := arrive(turns, ctx, b)
	advance(turnLapse)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	turns.mu.Lock()
	if a.has || !b.has || len(turns.taken) != 1 {
		t.Error("the turn has not moved")
	}
	turns.mu.Unlock()
	a.rest() // has nothing to give
	if b.rest(); len(turns.taken) != 0 {
		t.Error("a turn is left")
	}
}

// TestTurnsLifted: who waits goes on when short statements come no more, and when it is cancelled.
func TestTurnsLifted(t *testing.T) {
	turns, advance := manualTurns(2)
	crowd(turns, advance, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	a, b, c := turns.worker(), turns.worker(), turns.worker()
	if err := a.border(ctx); err != nil {
		t.Fatal(err)
	}
	done := arrive(turns, ctx, b)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	done = arrive(turns, context.Background(), c)
	advance(reckonEvery)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if turns.limit.Load() != 0 || len(turns.queue) != 0 {
		t.Error("still limited")
	}
}

// TestTurnsWorkers: a plan that begins beside short statements gets as many workers as may run.
func TestTurnsWorkers(t *testing.T) {
	turns, advance := manualTurns(4)
	if n := turns.workers(3); n != 3 {
		t.Errorf("%d workers without short statements", n)
	}
	crowd(turns, advance, 200) // two processors' worth
	if n, few := turns.workers(3), turns.workers(1); n != 2 || few != 1 {
		t.Errorf("%d and %d workers", n, few)
	}
}

// TestTurnsShare: workers that get less than their share beside short statements run more at a time
// until they have had it, and nobody is owed anything for the time before it came.
func TestTurnsShare(t *testing.T) {
	turns, advance := manualTurns(8)
	var spent time.Duration = time.Hour
	turns.spent = func() time.Duration { return spent }
	// each step: what the process and its workers have had meanwhile, in ms
	step := func(process, workers int) int {
		spent += time.Duration(process) * time.Millisecond
		turns.used.Add(int64(workers) * int64(time.Millisecond))
		crowd(turns, advance, 600) // six processors' worth
		return int(turns.limit.Load())
	}
	for i, c := range []struct{ process, workers, limit int }{
		{100, 0, 2}, // no workers
		{100, 0, 2},
		{100, 20, 3}, // owed 20
		{100, 30, 4}, // owed 30
		{100, 60, 5}, // owed 10
		{100, 60, 4},
		{100, 40, 3},
		{100, 40, 2},
		{100, 40, 2},
		{400, 1, 3}, {400, 1, 4}, {400, 1, 5}, {400, 1, 6}, {400, 1, 7}, {400, 1, 8}, {400, 1, 8},
		{0, 99, 8}, // no more is owed than owedMax
		{0, 2, 7},
		{400, 0, 6}, // nobody there
		{400, 0, 5},
	} {
		if got := step(c.process, c.workers); got != c.limit {
			t.Errorf("step %d: limit %d, want %d", i, got, c.limit)
		}
	}
	if crowd(turns, advance, 0); turns.limit.Load() != 0 || turns.more != 0 {
		t.Error("the share outlives the statements")
	}
}

// TestTurnsMeasured: what a worker has had of a processor between borders is counted.
func TestTurnsMeasured(t *testing.T) {
	if threadNow().thread == 0 {
		t.Skip("processor time of threads is not measured here")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	turns, advance := manualTurns(2)
	crowd(turns, advance, 1000)
	turns.fixed = true
	w := turns.worker()
	if err := w.border(context.Background()); err != nil {
		t.Fatal(err)
	}
	for from := threadNow().had; threadNow().had-from < time.Millisecond; {
	}
	if w.rest(); turns.used.Load() < int64(time.Millisecond) {
		t.Errorf("%d ns counted", turns.used.Load())
	}
}
