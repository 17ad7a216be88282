package session

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// Notifications carries what NOTIFY sends from the transactions of a process to the
// sessions that listen. It is one queue in the order of the commits; each listening
// session has a place in it, and what all have passed goes. Over several nodes the queue is
// this process's share of the first node's, with the same places, while somebody listens
// here: a feed brings it. Safe for concurrent use.
type Notifications struct {
	feed txn.NotificationFeed // nil: all sessions are in this process

	// turn is held by a transaction with notifications, or that begins to listen,
	// from before its commit until they are queued: so their order is the commits'.
	turn chan struct{}

	mu        sync.Mutex
	queue     []queued
	first     uint64 // place of queue[0]
	bytes     int
	listeners map[*Session]*listener
	room      chan struct{} // closed when some of the queue has gone; nil: nobody waits
	// generation is the feed's whose places the queue has, lost the newest one of which
	// something may be missing.
	generation, lost uint64
}

// queued is a notification for the sessions of a database.
type queued struct {
	db types.OID
	pgwire.Notification
}

func (q *queued) bytes() int { return len(q.Channel) + len(q.Payload) + queuedOverheadBytes }

// listener is a listening session's place in the queue and its channels.
type listener struct {
	next uint64
	// channels by the place from which on they are listened to.
	channels   map[string]uint64
	order      []string // channels as they were listened to
	generation uint64   // of the feed
	// pending: the session is about to listen to more, and nothing may go; begins: it is not
	// a listener yet.
	pending, begins bool
}

// wants reports whether the notification at a place is for the listener.
func (l *listener) wants(channel string, place uint64) bool {
	from, ok := l.channels[channel]
	return ok && place >= from
}

// Bounds of notifications.
const (
	channelBytesMax     = 63
	payloadBytesMax     = 7999
	queuedOverheadBytes = 64
	// notifyQueueBytesMax bounds the queue, and what one transaction sends.
	notifyQueueBytesMax = txn.NotificationQueueBytesMax
)

// NewNotifications makes the queue of a process whose sessions' transactions are db's.
func NewNotifications(db txn.DB) *Notifications {
	n := &Notifications{turn: make(chan struct{}, 1), listeners: map[*Session]*listener{}}
	if f, ok := db.(txn.NotificationSource); ok {
		n.feed = f.NotificationFeed(n)
	}
	return n
}

// begin waits for the turn of a transaction that will queue so many bytes.
func (n *Notifications) begin(ctx context.Context, bytes int) error {
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return contextFailure(ctx)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bytes+bytes > notifyQueueBytesMax {
		<-n.turn
		return txn.ErrNotificationsFull()
	}
	return nil
}

// contextFailure is what a cancelled wait reports.
func contextFailure(ctx context.Context) error {
	return pgerror.Wrap(context.Cause(ctx), pgerror.QueryCanceled, "canceling statement due to user request")
}

// end gives the turn back.
func (n *Notifications) end() { <-n.turn }

// publish carries out what a committed transaction has said: it begins and ends to
// listen, and its notifications are queued. REQUIRES: begin.
func (n *Notifications) publish(s *Session, actions []listenAction, notes []pgwire.Notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range actions {
		n.listenLocked(s, a, n.tail(), 0)
	}
	all := make([]queued, len(notes))
	for i, note := range notes {
		all[i] = queued{s.db.OID, note}
	}
	n.addLocked(all)
}

// tail is the place of the next notification. REQUIRES: mu held.
func (n *Notifications) tail() uint64 { return n.first + uint64(len(n.queue)) }

// addLocked queues notifications and wakes those that want them.
func (n *Notifications) addLocked(notes []queued) {
	before := n.tail()
	for _, q := range notes {
		n.queue = append(n.queue, q)
		n.bytes += q.bytes()
	}
	for l, at := range n.listeners {
		wanted := false
		for i := range notes {
			wanted = wanted || notes[i].db == l.db.OID && at.wants(notes[i].Channel, before+uint64(i))
		}
		switch {
		case wanted:
			l.notified.Store(true)
			l.client.Wake()
		case at.next >= before && !at.pending:
			at.next = max(at.next, n.tail())
		}
	}
	n.trimLocked()
}

// listenLocked begins or ends to listen, to what comes from a place on. REQUIRES: mu held.
func (n *Notifications) listenLocked(s *Session, a listenAction, from, generation uint64) {
	at := n.listeners[s]
	switch {
	case a.stop && at == nil:
	case a.stop && a.channel == "":
		delete(n.listeners, s)
	case a.stop:
		if _, ok := at.channels[a.channel]; ok {
			delete(at.channels, a.channel)
			kept := at.order[:0]
			for _, c := range at.order {
				if c != a.channel {
					kept = append(kept, c)
				}
			}
			at.order = kept
		}
		if len(at.channels) == 0 {
			delete(n.listeners, s)
		}
	default:
		if at == nil {
			at = &listener{next: from, channels: map[string]uint64{}, generation: generation}
			n.listeners[s] = at
		}
		if _, ok := at.channels[a.channel]; !ok {
			at.channels[a.channel] = from
			at.order = append(at.order, a.channel)
		}
	}
}

// trimLocked forgets what every listener has passed.
func (n *Notifications) trimLocked() {
	least := n.tail()
	for _, at := range n.listeners {
		least = min(least, at.next)
	}
	if least <= n.first {
		return
	}
	drop := int(least - n.first)
	for i := range drop {
		n.bytes -= n.queue[i].bytes()
		n.queue[i] = queued{}
	}
	if n.queue, n.first = n.queue[drop:], least; len(n.queue) == 0 {
		n.queue = nil
	}
	if n.room != nil {
		close(n.room)
		n.room = nil
	}
}

// take gives what has come for a session since it last asked.
func (n *Notifications) take(s *Session) (out []pgwire.Notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.listeners[s]
	if at == nil {
		return nil
	}
	for ; at.next < n.tail(); at.next++ {
		q := &n.queue[at.next-n.first]
		if q.db == s.db.OID && at.wants(q.Channel, at.next) {
			out = append(out, q.Notification)
		}
	}
	n.trimLocked()
	return out
}

// leave ends all listening of a session.
func (n *Notifications) leave(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.listeners[s]
	if at == nil {
		return
	}
	delete(n.listeners, s)
	n.trimLocked()
	if n.feed != nil {
		n.feed.Release(at.generation)
	}
}

// channels lists what a session listens to.
func (n *Notifications) channels(s *Session) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.listeners[s]; at != nil {
		return append([]string(nil), at.order...)
	}
	return nil
}

// usage is the part of the queue that is in use; over several nodes of the first node's, or
// of this process's, if that is more.
func (n *Notifications) usage(ctx context.Context) float64 {
	n.mu.Lock()
	u := float64(n.bytes) / notifyQueueBytesMax
	n.mu.Unlock()
	if n.feed != nil {
		ctx, cancel := context.WithTimeout(ctx, usageWait)
		defer cancel()
		if there, err := n.feed.Usage(ctx); err == nil {
			u = max(u, there)
		}
	}
	return u
}
