package coordinator

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// NOTIFY: what transactions send goes with their commits, and a gateway whose sessions
// listen reads the first node's queue (txn.NotificationHost).

var (
	_ txn.NotificationSource = (*Coordinator)(nil)
	_ txn.Notifier           = (*transaction)(nil)
)

// Notify implements txn.Notifier.
func (t *transaction) Notify(notes []txn.Notification) { t.said = notes }

// commitNotifications commits a transaction that has written nothing but sends notifications.
func (t *transaction) commitNotifications(ctx context.Context) (txn.Timestamp, error) {
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.cfg.OutcomeWait)
	defer cancel()
	ts, err := t.c.cfg.Oracle.CommitNotifications(wait, t.commitRequest(nil))
	switch {
	case err == nil:
		return ts, nil
	case pgerror.Is(err, pgerror.SerializationFailure), pgerror.Is(err, pgerror.ProgramLimitExceeded):
		return 0, err
	}
	return 0, unknown(err)
}

// catchUpMax bounds CatchUp: the first node may be gone.
const catchUpMax = time.Second

// feed implements txn.NotificationFeed.
type feed struct {
	c    *Coordinator
	sink txn.NotificationSink
	// turn is held by the call that subscribes.
	turn chan struct{}

	mu sync.Mutex
	// sub is the subscription: its number is 0 when there is none. generation counts them.
	sub        txn.Subscription
	generation uint64
	holds      int
	stop       context.CancelFunc // of the reader
	// heard is how far the sink is, as a timestamp; changed is closed when it or sub changes.
	heard   txn.Timestamp
	changed chan struct{}
}

// NotificationFeed implements txn.NotificationSource.
func (c *Coordinator) NotificationFeed(to txn.NotificationSink) txn.NotificationFeed {
	f := &feed{c: c, sink: to, turn: make(chan struct{}, 1), changed: make(chan struct{})}
	c.feed.Store(f)
	return f
}

// seen takes note of a commit that has sent notifications.
func (c *Coordinator) seen(ts txn.Timestamp) {
	for {
		old := c.notified.Load()
		if uint64(ts) <= old || c.notified.CompareAndSwap(old, uint64(ts)) {
			return
		}
	}
}

// Follow implements txn.NotificationFeed.
func (f *feed) Follow(ctx context.Context) (from, generation uint64, err error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return 0, 0, pgerror.From(context.Cause(ctx))
	}
	for again := true; ; again = false {
		from, generation, err = f.follow(ctx)
		if !pgerror.Is(err, txn.NotificationsLost) || !again { // lost: with what was before
			return from, generation, err
		}
	}
}

func (f *feed) follow(ctx context.Context) (from, generation uint64, err error) {
	if f.c.suspended.Load() {
		return 0, 0, errNoContact
	}
	f.mu.Lock()
	if f.sub.Number == 0 {
		f.sub = txn.Subscription{Gateway: f.c.cfg.Self, Number: rand.Uint64() | 1}
		f.generation++
	}
	f.holds++
	sub, generation := f.sub, f.generation
	f.mu.Unlock()
	start, err := f.c.cfg.Oracle.Subscribe(ctx, sub)
	if pgerror.Is(err, txn.NotificationsLost) {
		f.lose(generation, false)
		return 0, 0, err
	}
	if err != nil {
		f.Release(generation)
		return 0, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.generation != generation || f.sub.Number == 0 {
		return 0, 0, txn.ErrNotificationsLost()
	}
	if f.stop == nil {
		f.sub.Epoch, f.heard = start.Epoch, start.Through
		sub = f.sub
		reading, stop := context.WithCancel(f.c.ctx)
		f.stop = stop
		f.c.run(func() { f.read(reading, sub, generation, start.Place) })
	}
	return start.Place, generation, nil
}

// Release implements txn.NotificationFeed.
func (f *feed) Release(generation uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if generation != f.generation || f.holds == 0 {
		return
	}
	if f.holds--; f.holds == 0 {
		f.endLocked(true)
	}
}

// endLocked ends the subscription; tell: the host may know of it.
func (f *feed) endLocked(tell bool) {
	sub := f.sub
	if sub.Number == 0 {
		return
	}
	f.sub, f.holds = txn.Subscription{}, 0
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
	f.changeLocked()
	if tell {
		f.c.retry("ending a subscription to notifications", func(ctx context.Context) error { return f.c.cfg.Oracle.Unsubscribe(ctx, sub) })
	}
}

// lose ends the subscription of a generation, of which something may be missing.
func (f *feed) lose(generation uint64, tell bool) {
	f.mu.Lock()
	if f.generation != generation || f.sub.Number == 0 {
		f.mu.Unlock()
		return
	}
	f.endLocked(tell)
	f.mu.Unlock()
	f.sink.Lost(generation)
}

// fenced is the end of the gateway's lease.
func (f *feed) fenced() {
	f.mu.Lock()
	generation := f.generation
	f.mu.Unlock()
	f.lose(generation, true)
}

func (f *feed) changeLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// read brings what comes to the sink until ctx ends.
func (f *feed) read(ctx context.Context, sub txn.Subscription, generation, place uint64) {
	for ctx.Err() == nil {
		b, err := f.c.cfg.Oracle.AwaitNotifications(ctx, sub, place)
		if pgerror.Is(err, txn.NotificationsLost) && ctx.Err() == nil {
			f.lose(generation, false)
			return
		}
		if err == nil {
			err = f.sink.Deliver(ctx, generation, place, b.Notes)
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(retryPause):
			}
			continue
		}
		place += uint64(len(b.Notes))
		f.mu.Lock()
		if f.generation == generation && b.Through > f.heard {
			f.heard = b.Through
			f.changeLocked()
		}
		f.mu.Unlock()
	}
}

// CatchUp implements txn.NotificationFeed.
func (f *feed) CatchUp(ctx context.Context) {
	to := txn.Timestamp(f.c.notified.Load())
	var timeout *time.Timer
	for {
		f.mu.Lock()
		behind, changed := f.sub.Number != 0 && f.heard < to, f.changed
		f.mu.Unlock()
		if !behind {
			return
		}
		if timeout == nil {
			timeout = time.NewTimer(catchUpMax)
			defer timeout.Stop()
		}
		select {
		case <-changed:
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Usage implements txn.NotificationFeed.
func (f *feed) Usage(ctx context.Context) (float64, error) {
	return f.c.cfg.Oracle.NotificationUsage(ctx)
}
