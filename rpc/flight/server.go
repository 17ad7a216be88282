package flight

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
)

// Options of a Server.
type Options struct {
	// Backend opens sessions; nil: this server gives parts of results only, to who has a
	// ticket of another node's.
	Backend pgwire.Backend
	// Nodes of the database, when it has several; needed without a Backend.
	Nodes *Nodes
	// NewPID gives the next session a process number no other session has.
	NewPID func() int32
	// Version of the product, for GetSqlInfo.
	Version string
	TLS     *tls.Config
	// NoTrust demands a password on loopback too.
	NoTrust bool
	// MaxSessions bounds the sessions at a time; 0: 1000.
	MaxSessions int
	// TransactionIdle ends a transaction nobody uses, unless its session has a setting
	// of its own (idle_in_transaction_session_timeout); 0: 5 minutes.
	TransactionIdle time.Duration
	// PreparedIdle forgets a prepared statement nobody uses; 0: 1 hour.
	PreparedIdle time.Duration
	Log          *slog.Logger
}

const (
	// recvBytesMax bounds one message of a client: a batch of parameters.
	recvBytesMax = 64 << 20
	// headerBytesMax bounds the metadata of a call, which is read before its login; streamsMax
	// bounds the calls of one connection at a time.
	headerBytesMax = 64 << 10
	streamsMax     = 256
	// writeBufferBytes is how much of a result is written to a connection at once.
	writeBufferBytes  = 256 << 10
	sweepInterval     = time.Second
	keepaliveInterval = 30 * time.Second // to notice clients that vanished
	keepaliveTimeout  = 15 * time.Second
)

// Server serves Flight SQL. Safe for concurrent use.
type Server struct {
	flightsql.BaseServer
	opts Options
	grpc *grpc.Server
	key  []byte // authenticates tickets and tokens
	stop chan struct{}
	done sync.WaitGroup

	known logins

	mu           sync.Mutex
	closing      error
	conns        map[int32]*conn
	transactions map[string]*conn
	prepared     map[string]*prepared
	running      map[redemption]context.CancelCauseFunc
	cancelled    map[[16]byte]time.Time // tickets not to be redeemed, until when they are good anyway
	leases       map[[16]byte]*lease    // of FlightInfos with parts
}

// NewServer makes a server.
func NewServer(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = 1000
	}
	if o.TransactionIdle == 0 {
		o.TransactionIdle = 5 * time.Minute
	}
	if o.PreparedIdle == 0 {
		o.PreparedIdle = time.Hour
	}
	s := &Server{opts: o, key: make([]byte, 32), stop: make(chan struct{}), conns: map[int32]*conn{}, transactions: map[string]*conn{},
		prepared: map[string]*prepared{}, running: map[redemption]context.CancelCauseFunc{}, leases: map[[16]byte]*lease{}, cancelled: map[[16]byte]time.Time{}}
	rand.Read(s.key)
	s.Alloc = memory.DefaultAllocator
	if err := s.registerInfo(); err != nil {
		return nil, err
	}
	so := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()), grpc.WriteBufferSize(writeBufferBytes),
		grpc.UnaryInterceptor(s.unaryInterceptor), grpc.StreamInterceptor(s.streamInterceptor), grpc.MaxRecvMsgSize(recvBytesMax),
		grpc.MaxHeaderListSize(headerBytesMax), grpc.MaxConcurrentStreams(streamsMax),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if o.TLS != nil {
		so = append(so, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	s.grpc = grpc.NewServer(so...)
	flight.RegisterFlightServiceServer(s.grpc, service{flightsql.NewFlightServer(s), s})
	s.done.Add(1)
	go s.sweep()
	return s, nil
}

// Serve accepts connections until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Shutdown stops accepting, ends every session with 57P01 and waits for them, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	reason := pgerror.New(pgerror.AdminShutdown, "terminating connection due to administrator command")
	s.mu.Lock()
	if s.closing != nil {
		s.mu.Unlock()
		return nil
	}
	s.closing = reason
	conns := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	kept := s.transactions
	for _, cancel := range s.running {
		cancel(reason)
	}
	for id, l := range s.leases {
		s.dropLease(id, l)
	}
	s.transactions, s.prepared = map[string]*conn{}, map[string]*prepared{}
	s.mu.Unlock()
	close(s.stop)
	for _, c := range conns {
		c.Terminate(reason)
	}
	finished := make(chan struct{})
	go func() {
		for _, c := range kept {
			c.close(reason)
		}
		s.grpc.GracefulStop()
		s.done.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		return ctx.Err()
	}
}

// guard turns a panic of f into XX000.
func (s *Server) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.opts.Log.Error("a part of a result ended by a panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = pgerror.Internal("unexpected failure: %v", r)
		}
	}()
	return f()
}

// recovered turns a panic outside a session into an error of the call.
func (s *Server) recovered(err *error) {
	if r := recover(); r != nil {
		s.opts.Log.Error("call ended by a panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		*err = statusOf(pgerror.New(pgerror.ProtocolViolation, "malformed call"))
	}
}

// sweep ends what nobody has used for long.
func (s *Server) sweep() {
	defer s.done.Done()
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.expire(now)
		}
	}
}

func (s *Server) expire(now time.Time) {
	type ended struct {
		c      *conn
		reason *pgerror.Error
	}
	var out []ended
	s.mu.Lock()
	for id, c := range s.transactions {
		since, ok := c.idleSince()
		if !ok {
			continue
		}
		limit, reason := c.idleLimit()
		if reason == nil || limit <= 0 {
			limit, reason = s.opts.TransactionIdle, pgerror.New(pgerror.IdleInTransactionSessionTimeout, "terminating connection due to idle-in-transaction timeout")
		}
		if c.terminatedBy() != nil || now.Sub(since) > limit {
			delete(s.transactions, id)
			out = append(out, ended{c, reason})
		}
	}
	for h, p := range s.prepared {
		if now.Sub(p.lastUsed()) > s.opts.PreparedIdle {
			delete(s.prepared, h)
		}
	}
	s.expireLeases(now)
	for id, until := range s.cancelled {
		if now.After(until) {
			delete(s.cancelled, id)
		}
	}
	s.mu.Unlock()
	for _, e := range out {
		e.c.close(e.reason)
	}
}

// idleLimit asks the session how long it may be idle, if no call runs now.
func (c *conn) idleLimit() (time.Duration, *pgerror.Error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	default:
		return time.Hour, errEnded // a call has just begun
	}
	if c.session == nil {
		return 0, nil
	}
	return c.session.IdleTimeout()
}

func (c *conn) terminatedBy() *pgerror.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.terminated
}

// newID makes an identifier nobody can guess.
func newID() (id [16]byte) {
	rand.Read(id[:])
	return id
}
