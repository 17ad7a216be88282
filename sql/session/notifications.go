package session

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
)

// Notifications carries what NOTIFY sends from the transactions of a process to the
// sessions that listen. It is one queue in the order of the commits; each listening
// session has a place in it, and what all have passed goes. Safe for concurrent use.
type Notifications struct {
	// turn is held by a transaction with notifications, or that begins to listen,
	// from before its commit until they are queued: so their order is the commits'.
	turn chan struct{}

	mu        sync.Mutex
	queue     []queued
	first     uint64 // place of queue[0]
	bytes     int
	listeners map[*Session]*listener
}

// queued is a notification for the sessions of a database.
type queued struct {
	db types.OID
	pgwire.Notification
}

func (q *queued) bytes() int { return len(q.Channel) + len(q.Payload) + queuedOverheadBytes }

// listener is a listening session's place in the queue and its channels.
type listener struct {
	next     uint64
	channels map[string]bool
	order    []string // channels as they were listened to
}

// Bounds of notifications.
const (
	channelBytesMax     = 63
	payloadBytesMax     = 7999
	queuedOverheadBytes = 64
	// notifyQueueBytesMax bounds the queue, and what one transaction sends.
	notifyQueueBytesMax = 64 << 20
)

// NewNotifications makes the queue of a process.
func NewNotifications() *Notifications {
	return &Notifications{turn: make(chan struct{}, 1), listeners: map[*Session]*listener{}}
}

var errNotifyFull = pgerror.New(pgerror.ProgramLimitExceeded, "too many notifications in the NOTIFY queue")

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
		return errNotifyFull
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
		n.listenLocked(s, a)
	}
	before := n.first + uint64(len(n.queue))
	for _, note := range notes {
		q := queued{s.db.OID, note}
		n.queue = append(n.queue, q)
		n.bytes += q.bytes()
	}
	for l, at := range n.listeners {
		wanted := false
		if l.db.OID == s.db.OID {
			for i := range notes {
				wanted = wanted || at.channels[notes[i].Channel]
			}
		}
		switch {
		case wanted:
			l.notified.Store(true)
			l.client.Wake()
		case at.next == before:
			at.next += uint64(len(notes))
		}
	}
	n.trimLocked()
}

func (n *Notifications) listenLocked(s *Session, a listenAction) {
	at := n.listeners[s]
	switch {
	case a.stop && at == nil:
	case a.stop && a.channel == "":
		delete(n.listeners, s)
	case a.stop:
		if at.channels[a.channel] {
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
	case at == nil:
		n.listeners[s] = &listener{next: n.first + uint64(len(n.queue)), channels: map[string]bool{a.channel: true}, order: []string{a.channel}}
	case !at.channels[a.channel]:
		at.channels[a.channel] = true
		at.order = append(at.order, a.channel)
	}
}

// trimLocked forgets what every listener has passed.
func (n *Notifications) trimLocked() {
	end := n.first + uint64(len(n.queue))
	least := end
	for _, at := range n.listeners {
		least = min(least, at.next)
	}
	drop := int(least - n.first)
	if drop == 0 {
		return
	}
	for i := range drop {
		n.bytes -= n.queue[i].bytes()
		n.queue[i] = queued{}
	}
	if n.queue, n.first = n.queue[drop:], least; len(n.queue) == 0 {
		n.queue = nil
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
	for _, q := range n.queue[at.next-n.first:] {
		if q.db == s.db.OID && at.channels[q.Channel] {
			out = append(out, q.Notification)
		}
	}
	at.next = n.first + uint64(len(n.queue))
	n.trimLocked()
	return out
}

// leave ends all listening of a session.
func (n *Notifications) leave(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[s] != nil {
		delete(n.listeners, s)
		n.trimLocked()
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

// usage is the part of the queue that is in use.
func (n *Notifications) usage() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return float64(n.bytes) / notifyQueueBytesMax
}
