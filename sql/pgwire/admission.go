package pgwire

import (
	"container/list"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Who has not logged in yet waits in Server.pending, oldest first, and has no process
// number. When there are as many of them as Options.MaxPending, the oldest makes room
// for the newest: connections that say nothing cannot keep out those that log in, who
// are done in a few round trips. Who has logged in gets one of MaxConnections places and
// a process number, the last ReservedConnections of them for superusers.

// pendingLocked takes a new connection among those that have not logged in, and returns
// the one that has to go for it, nil for none.
func (s *Server) pendingLocked(c *conn) (evicted *conn) {
	if s.pending.Len() >= s.opts.MaxPending {
		evicted = s.pending.Remove(s.pending.Front()).(*conn)
		evicted.waiting = nil
	}
	c.waiting = s.pending.PushBack(c)
	return evicted
}

// settle gives a connection that has logged in its place among the sessions. With
// reserved the place is one for superusers.
func (s *Server) settle(c *conn) (reserved bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.conns)
	switch {
	case s.closing:
		return false, fatal(pgerror.CannotConnectNow, "the database system is shutting down")
	case c.waiting == nil: // it was given up while it logged in
		return false, errClose
	case n >= s.opts.MaxConnections:
		return false, fatal(pgerror.TooManyConnections, "sorry, too many clients already")
	}
	s.pending.Remove(c.waiting)
	c.waiting = nil
	c.pid = s.newPIDLocked()
	s.conns[c.pid] = c
	return n >= s.opts.MaxConnections-s.opts.ReservedConnections, nil
}

// leave forgets a connection that has ended.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.waiting != nil {
		s.pending.Remove(c.waiting)
		c.waiting = nil
	}
	if c.pid != 0 && s.conns[c.pid] == c {
		delete(s.conns, c.pid)
	}
}

// waiters lists those that have not logged in.
func waiters(l *list.List) []*conn {
	out := make([]*conn, 0, l.Len())
	for e := l.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*conn))
	}
	return out
}
