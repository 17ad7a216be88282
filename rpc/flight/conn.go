package flight

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
)

// busyWait bounds how long a call waits for its turn in a transaction whose
// other call is still running: most likely a result nobody reads on.
const busyWait = 30 * time.Second

// conn is a SQL session as Flight calls use it. It is the session's pgwire.Client.
type conn struct {
	server  *Server
	who     *identity
	pid     int32
	session pgwire.Session
	turn    chan struct{} // holds a token while a call runs

	mu         sync.Mutex
	cancel     context.CancelCauseFunc // of the running call
	terminated *pgerror.Error
	used       time.Time // when the last call ended; zero while one runs
}

var errPartsOnly = pgerror.Unsupported("a statement on a node that serves no sessions").WithHint("Ask a gateway; here only the tickets that it gives out are redeemed.")

// connect opens a session.
func (s *Server) connect(ctx context.Context, who *identity, database string) (*conn, error) {
	c := &conn{server: s, who: who, turn: make(chan struct{}, 1), used: time.Now()}
	if s.opts.Backend == nil {
		return nil, errPartsOnly
	}
	c.pid = s.opts.NewPID()
	st := pgwire.Startup{User: who.user, Database: database, Params: who.settings, Remote: who.remote, Local: who.local, TLS: who.tls, PID: c.pid, Started: time.Now()}
	s.mu.Lock()
	if s.closing != nil {
		s.mu.Unlock()
		return nil, s.closing
	}
	if len(s.conns) >= s.opts.MaxSessions {
		s.mu.Unlock()
		return nil, pgerror.New(pgerror.TooManyConnections, "sorry, too many clients already")
	}
	s.conns[c.pid] = c
	s.mu.Unlock()
	var err error
	if c.session, err = s.opts.Backend.Connect(ctx, st, c); err != nil {
		s.forget(c)
		return nil, err
	}
	return c, nil
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c.pid)
	s.mu.Unlock()
}

// call runs f as the session's only call. The error is in its final form.
func (c *conn) call(ctx context.Context, f func(ctx context.Context) error) error {
	select {
	case c.turn <- struct{}{}:
	default:
		wait := time.NewTimer(busyWait)
		defer wait.Stop()
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wait.C:
			return pgerror.New(pgerror.ObjectInUse, "the transaction is busy: the results of another statement are still being read")
		}
	}
	defer func() { <-c.turn }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	if c.terminated != nil {
		c.mu.Unlock()
		return c.terminated
	}
	c.cancel, c.used = cancel, time.Time{}
	c.mu.Unlock()
	c.session.SetIdle(false)
	defer func() {
		c.session.SetIdle(true)
		c.mu.Lock()
		c.cancel, c.used = nil, time.Now()
		c.mu.Unlock()
	}()
	return c.guard(ctx, f)
}

// guard turns a panic into XX000.
func (c *conn) guard(ctx context.Context, f func(ctx context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.server.opts.Log.Error("statement ended by a panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if e, ok := r.(*pgerror.Error); ok {
				err = e
			} else {
				err = pgerror.Internal("unexpected failure: %v", r)
			}
			c.session.Failed()
		}
	}()
	return f(ctx)
}

// close ends the session once its running call, which is cancelled, has ended.
func (c *conn) close(reason *pgerror.Error) {
	c.Terminate(reason)
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.mu.Lock()
	s := c.session
	c.session = nil
	c.mu.Unlock()
	if s == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			c.server.opts.Log.Error("panic while a session closed", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	c.server.forget(c)
	s.Close()
}

var errEnded = pgerror.New(pgerror.ConnectionDoesNotExist, "the session has ended")

// Cancel implements pgwire.Client.
func (c *conn) Cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel(cause)
	}
}

// Terminate implements pgwire.Client: the running call is cancelled, further ones fail.
func (c *conn) Terminate(reason *pgerror.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminated == nil {
		c.terminated = reason
	}
	if c.cancel != nil {
		c.cancel(reason)
	}
}

// Notice implements pgwire.Client. Flight SQL has no place for notices.
func (c *conn) Notice(*pgerror.Error) {}

// Wake implements pgwire.Client. Nor for notifications.
func (c *conn) Wake() {}

// ParameterStatus implements pgwire.Client.
func (c *conn) ParameterStatus(string, string) {}

// idleSince is when the conn became idle; ok false while it runs a call.
func (c *conn) idleSince() (t time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used, !c.used.IsZero() && c.session != nil
}

// Cancel cancels what session pid runs; false when there is no such session.
func (s *Server) Cancel(pid int32) bool {
	c := s.conn(pid)
	if c != nil {
		c.Cancel(errUserCancel)
	}
	return c != nil
}

// Terminate ends session pid; false when there is no such session.
func (s *Server) Terminate(pid int32) bool {
	c := s.conn(pid)
	if c != nil {
		c.Terminate(pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command"))
	}
	return c != nil
}

func (s *Server) conn(pid int32) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[pid]
}

var errUserCancel = pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
