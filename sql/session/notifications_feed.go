package session

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// NOTIFY over several nodes: what a transaction says goes with its commit to the first node,
// whose queue comes back by the feed while a session of this process listens. A session listens
// from a place of that queue which is taken before its LISTEN commits, so it hears of everything
// that the transaction has not seen. When something may be missing the sessions that listen are
// ended, as PostgreSQL ends them when it crashes: they know to look for themselves then.

var _ txn.NotificationSink = (*Notifications)(nil)

// usageWait bounds asking for the first node's queue.
const usageWait = 2 * time.Second

// commitFed is Session.commitSaid where a feed brings the notifications.
func (n *Notifications) commitFed(ctx context.Context, s *Session, f func() error) error {
	listens := false
	for _, a := range s.said.actions {
		listens = listens || !a.stop
	}
	var from, generation uint64
	if listens {
		n.expect(s)
		var err error
		if from, generation, err = n.feed.Follow(ctx); err != nil {
			n.forgo(s)
			return err
		}
	}
	if err := n.commitNotes(s, f); err != nil {
		if listens {
			n.forgo(s)
			n.feed.Release(generation)
		}
		return err
	}
	n.act(s, s.said.actions, from, generation, listens)
	return nil
}

// commitNotes commits by way of f with what the transaction sends.
func (n *Notifications) commitNotes(s *Session, f func() error) error {
	if len(s.said.notes) == 0 {
		return f()
	}
	tx, ok := s.txn().(txn.Notifier)
	if !ok {
		return pgerror.Internal("a transaction of several nodes that takes no notifications")
	}
	notes := make([]txn.Notification, len(s.said.notes))
	for i, x := range s.said.notes {
		notes[i] = txn.Notification{Database: uint32(s.db.OID), PID: x.PID, Channel: x.Channel, Payload: x.Payload}
	}
	tx.Notify(notes)
	return f()
}

// expect keeps what comes from now on for a session that is about to listen, to more perhaps.
func (n *Notifications) expect(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.listeners[s]; at != nil {
		at.pending = true
		return
	}
	n.listeners[s] = &listener{channels: map[string]uint64{}, pending: true, begins: true}
}

// forgo undoes expect.
func (n *Notifications) forgo(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.listeners[s]
	switch {
	case at == nil:
	case at.begins:
		delete(n.listeners, s)
	default:
		at.pending = false
	}
	n.trimLocked()
}

// act begins and ends to listen; followed: for that the feed is followed once more, after expect.
func (n *Notifications) act(s *Session, actions []listenAction, from, generation uint64, followed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.listeners[s]
	if before != nil && before.begins {
		delete(n.listeners, s)
		before = nil
	}
	if before != nil {
		before.pending = false
	}
	if followed {
		n.enterLocked(generation, from)
	}
	for _, a := range actions {
		n.listenLocked(s, a, from, generation)
	}
	after := n.listeners[s]
	if before != nil && before != after {
		n.feed.Release(before.generation)
	}
	if followed && (after == nil || after == before) {
		n.feed.Release(generation)
	}
	n.trimLocked()
	s.listens = after != nil
	s.notified.Store(true) // they may have come already
	if after != nil && (after.generation <= n.lost || followed && generation <= n.lost) {
		n.endLocked(s)
	}
}

// enterLocked begins with the places of a generation of the feed, if it is a newer one.
func (n *Notifications) enterLocked(generation, from uint64) {
	if generation > n.generation {
		n.lostLocked(generation - 1)
		n.generation, n.queue, n.bytes, n.first = generation, nil, 0, from
	}
}

// endLocked ends a session that may have missed something.
func (n *Notifications) endLocked(s *Session) {
	delete(n.listeners, s)
	reason := pgerror.From(txn.ErrNotificationsLost())
	s.client.Terminate(reason.WithSeverity("FATAL"))
}

// Deliver implements txn.NotificationSink.
func (n *Notifications) Deliver(ctx context.Context, generation, from uint64, notes []txn.Notification) error {
	all := make([]queued, len(notes))
	size := 0
	for i, x := range notes {
		all[i] = queued{types.OID(x.Database), pgwire.Notification{PID: x.PID, Channel: x.Channel, Payload: x.Payload}}
		size += all[i].bytes()
	}
	for {
		n.mu.Lock()
		n.enterLocked(generation, from)
		if n.bytes == 0 || n.bytes+size <= notifyQueueBytesMax {
			break
		}
		if n.room == nil {
			n.room = make(chan struct{})
		}
		room := n.room
		n.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return contextFailure(ctx)
		}
	}
	defer n.mu.Unlock()
	if generation < n.generation { // who wanted them is gone
		return nil
	}
	if len(n.queue) == 0 {
		n.first = from
	}
	n.addLocked(all)
	return nil
}

// Lost implements txn.NotificationSink.
func (n *Notifications) Lost(generation uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lostLocked(generation)
	n.trimLocked()
}

func (n *Notifications) lostLocked(generation uint64) {
	n.lost = max(n.lost, generation)
	for s, at := range n.listeners {
		if !at.begins && at.generation <= n.lost {
			n.endLocked(s)
		}
	}
}

// hear waits until what the session has seen committed has been heard of, if it listens.
func (n *Notifications) hear(ctx context.Context, s *Session) {
	if n.feed != nil && s.listens {
		n.feed.CatchUp(ctx)
	}
}
