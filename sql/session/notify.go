package session

import (
	"context"
	"sync"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/txn"
)

// said is what a transaction has said with NOTIFY, LISTEN and UNLISTEN so far: it
// counts when the transaction commits. pg_notify may be called by workers at once.
type said struct {
	mu      sync.Mutex
	notes   []pgwire.Notification
	known   map[pgwire.Notification]bool // once there are several
	bytes   int
	actions []listenAction
}

// listenAction is LISTEN or, with stop, UNLISTEN; stop without a channel is UNLISTEN *.
type listenAction struct {
	channel string
	stop    bool
}

// saidMark is a position in what a transaction has said.
type saidMark struct{ notes, actions int }

func (d *said) mark() saidMark { return saidMark{len(d.notes), len(d.actions)} }

func (d *said) any() bool { return len(d.notes)+len(d.actions) > 0 }

// cut takes back what was said after a mark.
func (d *said) cut(m saidMark) {
	for _, n := range d.notes[m.notes:] {
		delete(d.known, n)
		d.bytes -= len(n.Channel) + len(n.Payload) + queuedOverheadBytes
	}
	d.notes, d.actions = d.notes[:m.notes], d.actions[:m.actions]
}

// reset forgets everything that was said.
func (d *said) reset() {
	if d.any() {
		d.notes, d.known, d.bytes, d.actions = nil, nil, 0, nil
	}
}

// Notify implements sys.Session.
func (s *Session) Notify(channel, payload string) error {
	switch {
	case channel == "":
		return pgerror.New(pgerror.InvalidParameterValue, "channel name cannot be empty")
	case len(channel) > channelBytesMax:
		return pgerror.New(pgerror.InvalidParameterValue, "channel name too long")
	case len(payload) > payloadBytesMax:
		return pgerror.New(pgerror.InvalidParameterValue, "payload string too long")
	}
	d := &s.said
	d.mu.Lock()
	defer d.mu.Unlock()
	n := pgwire.Notification{PID: s.start.PID, Channel: channel, Payload: payload}
	if d.known[n] {
		return nil
	}
	if d.bytes += len(channel) + len(payload) + queuedOverheadBytes; d.bytes > notifyQueueBytesMax {
		return txn.ErrNotificationsFull()
	}
	if d.known == nil {
		d.known = map[pgwire.Notification]bool{}
	}
	d.known[n] = true
	d.notes = append(d.notes, n)
	return nil
}

// ListeningChannels implements sys.Session.
func (s *Session) ListeningChannels() []string {
	return s.node.Notifications.channels(s)
}

// NotificationQueueUsage implements sys.Session.
func (s *Session) NotificationQueueUsage(ctx context.Context) float64 {
	return s.node.Notifications.usage(ctx)
}

func (s *Session) listenStmt(st *pg_query.ListenStmt) error {
	s.ensure()
	s.said.actions = append(s.said.actions, listenAction{channel: st.Conditionname})
	return nil
}

// unlistenStmt is UNLISTEN; a channel of "" is all.
func (s *Session) unlistenStmt(channel string) {
	s.ensure()
	if len(s.said.actions) == 0 && len(s.ListeningChannels()) == 0 {
		return
	}
	s.said.actions = append(s.said.actions, listenAction{channel: channel, stop: true})
}

// commitSaid commits by way of f and lets everybody know what the transaction has said.
func (s *Session) commitSaid(ctx context.Context, f func() error) error {
	if !s.said.any() {
		return f()
	}
	n := s.node.Notifications
	if n.feed != nil {
		return n.commitFed(ctx, s, f)
	}
	if err := n.begin(ctx, s.said.bytes); err != nil {
		return err
	}
	defer n.end()
	if err := f(); err != nil {
		return err
	}
	n.publish(s, s.said.actions, s.said.notes)
	return nil
}

// Notifications implements pgwire.Session.
func (s *Session) Notifications() []pgwire.Notification {
	if s.phase != phaseIdle || !s.notified.Load() {
		return nil
	}
	s.notified.Store(false)
	return s.node.Notifications.take(s)
}
