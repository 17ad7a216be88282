package txn

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// notificationQueue is the first node's: what committed transactions have sent, in the
// order of their timestamps, for the gateways that have subscribed. It is in memory only:
// a restart forgets it, as it forgets the subscriptions. Its mutex comes after OracleService.mu.
type notificationQueue struct {
	mu sync.Mutex
	// settled have committed at timestamps that were perhaps not visible yet, ascending.
	settled []*PendingCommit
	queue   []queuedNotification
	first   uint64 // place of queue[0]
	bytes   int    // in the queue, settled, and of commits in flight
	subs    map[subscriptionKey]*subscriber
	ended   recent[subscriptionKey]
	// changed is closed at the next change of queue or subs.
	changed chan struct{}

	waiting atomic.Int32 // len(settled)
	// newest is the newest commit whose notifications have entered the queue.
	newest atomic.Uint64
}

type queuedNotification struct {
	ts Timestamp
	Notification
}

type subscriptionKey struct {
	gateway NodeID
	number  uint64
}

type subscriber struct{ next uint64 }

// awaitNotificationsMax is how long AwaitNotifications waits.
const awaitNotificationsMax = 10 * time.Second

var _ NotificationHost = (*OracleService)(nil)

func (s Subscription) key() subscriptionKey { return subscriptionKey{s.Gateway, s.Number} }

func notificationBytes(notes []Notification) (n int) {
	for i := range notes {
		n += notes[i].Bytes()
	}
	return n
}

// reserve makes room for what a commit sends; Settle gives it back, at last.
func (q *notificationQueue) reserve(notes []Notification) error {
	if len(notes) == 0 {
		return nil
	}
	n := notificationBytes(notes)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+n > NotificationQueueBytesMax {
		return ErrNotificationsFull()
	}
	q.bytes += n
	return nil
}

// settle takes over from a commit that has been settled.
func (q *notificationQueue) settle(p *PendingCommit, committed bool) {
	if len(p.notifications) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !committed {
		q.bytes -= notificationBytes(p.notifications)
		return
	}
	i := len(q.settled)
	for i > 0 && q.settled[i-1].TS > p.TS {
		i--
	}
	q.settled = append(q.settled, nil)
	copy(q.settled[i+1:], q.settled[i:])
	q.settled[i] = p
	q.waiting.Store(int32(len(q.settled)))
}

// publish queues what commits up to a timestamp have sent, all of which are settled.
func (q *notificationQueue) publish(at Timestamp) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.settled) && q.settled[n].TS <= at {
		p := q.settled[n]
		for _, x := range p.notifications {
			q.queue = append(q.queue, queuedNotification{p.TS, x})
		}
		q.newest.Store(uint64(p.TS))
		q.settled[n] = nil
		n++
	}
	if n == 0 {
		return
	}
	q.settled = append(q.settled[:0], q.settled[n:]...)
	q.waiting.Store(int32(len(q.settled)))
	q.trimLocked()
	q.wakeLocked()
}

func (q *notificationQueue) wakeLocked() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// trimLocked forgets what every subscriber has.
func (q *notificationQueue) trimLocked() {
	least := q.first + uint64(len(q.queue))
	for _, x := range q.subs {
		least = min(least, x.next)
	}
	drop := int(least - q.first)
	for i := range drop {
		q.bytes -= q.queue[i].Bytes()
		q.queue[i] = queuedNotification{}
	}
	if q.queue, q.first = q.queue[drop:], least; len(q.queue) == 0 {
		q.queue = nil
	}
}

// end ends the subscriptions that a function picks.
func (q *notificationQueue) end(which func(k subscriptionKey) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for k := range q.subs {
		if which(k) {
			delete(q.subs, k)
			q.ended.add(k)
		}
	}
	q.trimLocked()
	q.wakeLocked()
}

// batchLocked is what comes from a place on.
func (q *notificationQueue) batchLocked(from uint64) (b NotificationBatch) {
	rest := q.queue[from-q.first:]
	n, size := 0, 0
	for n < len(rest) && (n == 0 || size < notificationBatchBytes) {
		b.Notes = append(b.Notes, rest[n].Notification)
		size += rest[n].Bytes()
		n++
	}
	switch {
	case n == len(rest):
		b.Through = Timestamp(q.newest.Load())
	case rest[n].ts == rest[n-1].ts: // the commit goes on
		b.Through = rest[n].ts - 1
	default:
		b.Through = rest[n-1].ts
	}
	return b
}

// Sweep does what waits for commits to become visible. The first node calls it now and then,
// for those whose gateways do not wait for that any more.
func (s *OracleService) Sweep() {
	s.notifications.publish(s.m.oracle.fresh())
	s.SweepSerializable()
}

// CommitNotifications implements NotificationHost.
func (s *OracleService) CommitNotifications(ctx context.Context, r CommitRequest) (Timestamp, error) {
	r.Participants = nil
	ts, err := s.BeginCommit(ctx, r)
	if err != nil {
		return 0, err
	}
	return ts, s.FinishCommit(ctx, ts, true)
}

// Subscribe implements NotificationHost.
func (s *OracleService) Subscribe(_ context.Context, x Subscription) (SubscriptionStart, error) {
	if x.Epoch != 0 && x.Epoch != s.epoch {
		return SubscriptionStart{}, ErrNotificationsLost()
	}
	s.Sweep() // what is visible now is before
	q := &s.notifications
	q.mu.Lock()
	defer q.mu.Unlock()
	place := q.first + uint64(len(q.queue))
	if q.subs[x.key()] == nil {
		if x.Epoch != 0 || x.Number == 0 || q.ended.has(x.key()) {
			return SubscriptionStart{}, ErrNotificationsLost()
		}
		if q.subs == nil {
			q.subs = map[subscriptionKey]*subscriber{}
		}
		q.subs[x.key()] = &subscriber{next: place}
	}
	return SubscriptionStart{Epoch: s.epoch, Place: place, Through: Timestamp(q.newest.Load())}, nil
}

// Unsubscribe implements NotificationHost.
func (s *OracleService) Unsubscribe(_ context.Context, x Subscription) error {
	s.notifications.end(func(k subscriptionKey) bool { return k == x.key() })
	s.notifications.mu.Lock()
	defer s.notifications.mu.Unlock()
	s.notifications.ended.add(x.key())
	return nil
}

// AwaitNotifications implements NotificationHost.
func (s *OracleService) AwaitNotifications(ctx context.Context, x Subscription, from uint64) (NotificationBatch, error) {
	if x.Epoch != s.epoch {
		return NotificationBatch{}, ErrNotificationsLost()
	}
	timeout := time.NewTimer(awaitNotificationsMax)
	defer timeout.Stop()
	q := &s.notifications
	for waited := false; ; {
		q.mu.Lock()
		sub := q.subs[x.key()]
		end := q.first + uint64(len(q.queue))
		if sub == nil || from > end {
			q.mu.Unlock()
			return NotificationBatch{}, ErrNotificationsLost()
		}
		if from > sub.next {
			sub.next = from
			q.trimLocked()
		}
		if from = max(from, sub.next); from < end || waited {
			b := q.batchLocked(from)
			q.mu.Unlock()
			return b, nil
		}
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			waited = true
		case <-ctx.Done():
			return NotificationBatch{}, contextError(ctx)
		}
	}
}

// NotificationUsage implements NotificationHost.
func (s *OracleService) NotificationUsage(context.Context) (float64, error) {
	s.notifications.mu.Lock()
	defer s.notifications.mu.Unlock()
	return float64(s.notifications.bytes) / NotificationQueueBytesMax, nil
}
