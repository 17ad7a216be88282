package pgwire

import (
	"container/list"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Options of a Server.
type Options struct {
	Backend Backend
	// TLS, when set, is offered to clients that ask for it.
	TLS *tls.Config
	// MaxConnections bounds the sessions at a time; 0: 1000.
	MaxConnections int
	// ReservedConnections are the last of them, for superusers only.
	ReservedConnections int
	// MaxPending bounds the connections that have not logged in; 0: as many as sessions, at least 100.
	MaxPending int
	// AuthenticationTimeout is how long a client has to log in; 0: a minute.
	AuthenticationTimeout time.Duration
	// Memory accounts long messages; nil: nobody does.
	Memory Memory
	// NoTrust demands a password on loopback too.
	NoTrust bool
	// FirstPID and EndPID bound the process numbers of sessions, EndPID exclusive; they
	// come round again. Both 0: from 1001 on, none twice.
	FirstPID, EndPID int32
	Log              *slog.Logger
}

// Memory is the process's account of memory. Safe for concurrent use.
type Memory interface {
	// Reserve fails with 53200 when there are no n bytes more.
	Reserve(n int64) error
	Release(n int64)
}

// Defaults of Options.
const (
	DefaultMaxConnections        = 1000
	DefaultReservedConnections   = 3
	DefaultAuthenticationTimeout = time.Minute
	maxPendingLeast              = 100
)

const watchdogInterval = 500 * time.Millisecond

// Server accepts connections. Serve may be called for several listeners.
type Server struct {
	opts Options
	ctx  context.Context // cancelled when the server stops
	stop context.CancelCauseFunc

	mu        sync.Mutex
	conns     map[int32]*conn // those with a session, and those about to get theirs
	pending   list.List       // of *conn: those that have not logged in
	listeners []net.Listener
	closing   bool
	done      sync.WaitGroup
	nextPID   atomic.Int32
}

// NewServer makes a server; it starts no goroutine before Serve.
func NewServer(opts Options) *Server {
	if opts.MaxConnections == 0 {
		opts.MaxConnections = DefaultMaxConnections
	}
	if opts.MaxPending == 0 {
		opts.MaxPending = max(opts.MaxConnections, maxPendingLeast)
	}
	if opts.AuthenticationTimeout == 0 {
		opts.AuthenticationTimeout = DefaultAuthenticationTimeout
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: opts, conns: map[int32]*conn{}}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.nextPID.Store(max(1000, opts.FirstPID))
	s.done.Add(1)
	go s.watch()
	return s
}

// Serve accepts connections until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				continue
			}
			s.opts.Log.Warn("accepting a connection failed", "err", err)
			time.Sleep(50 * time.Millisecond) // out of descriptors: existing sessions go on
			continue
		}
		s.mu.Lock()
		if s.closing {
			s.mu.Unlock()
			nc.Close()
			continue
		}
		c := s.newConn(nc)
		evicted := s.pendingLocked(c)
		s.done.Add(1)
		s.mu.Unlock()
		if evicted != nil {
			evicted.raw.Close()
		}
		go func() {
			defer s.done.Done()
			c.serve()
			s.leave(c)
		}()
	}
}

// NewPID gives a process number that no session of this server has or, unless they
// have come round, will have.
func (s *Server) NewPID() int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newPIDLocked()
}

func (s *Server) newPIDLocked() int32 {
	for {
		pid := s.nextPID.Add(1)
		if s.opts.EndPID == 0 {
			return pid
		}
		if pid >= s.opts.EndPID || pid < s.opts.FirstPID {
			s.nextPID.CompareAndSwap(pid, s.opts.FirstPID)
			continue
		}
		if s.conns[pid] == nil {
			return pid
		}
	}
}

func (s *Server) newConn(nc net.Conn) *conn {
	if tc, ok := nc.(*net.TCPConn); ok {
		tc.SetNoDelay(true)
		tc.SetKeepAlive(true)
	}
	c := &conn{server: s, raw: nc, started: time.Now()}
	var secret [4]byte
	rand.Read(secret[:])
	c.secret = binary.BigEndian.Uint32(secret[:])
	c.setNet(nc)
	return c
}

// Shutdown stops accepting, ends every session with 57P01, and waits for them.
func (s *Server) Shutdown(ctx context.Context) error {
	reason := pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command").WithSeverity("FATAL")
	s.mu.Lock()
	s.closing = true
	for _, l := range s.listeners {
		l.Close()
	}
	conns := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	pending := waiters(&s.pending)
	s.mu.Unlock()
	s.stop(reason)
	for _, c := range pending {
		c.raw.Close()
	}
	for _, c := range conns {
		c.Terminate(reason)
	}
	finished := make(chan struct{})
	go func() { s.done.Wait(); close(finished) }()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		for _, c := range conns {
			c.raw.Close()
		}
		return ctx.Err()
	}
}

// Cancel cancels what the session pid runs; false when there is no such session.
func (s *Server) Cancel(pid int32) bool {
	if c := s.conn(pid); c != nil {
		c.Cancel(userCancel())
		return true
	}
	return false
}

// Terminate ends the session pid; false when there is no such session.
func (s *Server) Terminate(pid int32) bool {
	if c := s.conn(pid); c != nil {
		c.Terminate(pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command").WithSeverity("FATAL"))
		return true
	}
	return false
}

func (s *Server) conn(pid int32) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[pid]
}

// cancelRequest serves a CancelRequest; a wrong key is ignored.
func (s *Server) cancelRequest(pid int32, secret uint32) {
	if c := s.conn(pid); c != nil && subtle.ConstantTimeEq(int32(c.secret), int32(secret)) == 1 {
		c.Cancel(userCancel())
	}
}

func userCancel() *pgerror.Error {
	return pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
}

// watch cancels the statements of clients that have gone: their connection
// goroutine is busy and does not read.
func (s *Server) watch() {
	defer s.done.Done()
	tick := time.NewTicker(watchdogInterval)
	defer tick.Stop()
	var busy []*conn
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		busy = busy[:0]
		s.mu.Lock()
		for _, c := range s.conns {
			if c.busySince() > watchdogInterval {
				busy = append(busy, c)
			}
		}
		s.mu.Unlock()
		for _, c := range busy {
			if vanished(c.raw) {
				c.Cancel(pgerror.New(pgerror.ConnectionFailure, "connection to client lost").WithSeverity("FATAL"))
			}
		}
	}
}
