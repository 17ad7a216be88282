package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/check"
	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/session"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Options of a node.
type Options struct {
	// Dir is the data directory; "" with InMemory.
	Dir      string
	InMemory bool
	// MemoryBytes bounds the process's caches and queries; 0: 2 GiB.
	MemoryBytes int64
	Workers     int // of one query; 0: one per processor
	TLS         *tls.Config
	// NoTrust demands passwords on loopback too.
	NoTrust bool
	// MaxConnections and AuthenticationTimeout are PostgreSQL's max_connections and
	// authentication_timeout; 0: their defaults.
	MaxConnections        int
	AuthenticationTimeout time.Duration
	// MaxPreparedTransactions is PostgreSQL's max_prepared_transactions, its default too.
	MaxPreparedTransactions int
	// Tablets of a new store; an existing one must have as many. 0: as it is, 1 for a new one.
	Tablets int
	// Cluster makes the node one of several; nil: it is alone, with a store in Dir.
	Cluster *Cluster
	// Version of the program, for basalt.nodes.
	Version string
	// Columns says which rows become column segments, and when.
	Columns columns.Options
	// Settings are values of server parameters as session.ServerSettings gives them.
	Settings map[string]string
	// LocalSites, for tests: run plans in pieces, as if the tablets lay on so many
	// nodes; 0: whole.
	LocalSites int
	// TestingStore, when set, stands between the sessions' statements and the store.
	TestingStore func(vexec.Store) vexec.Store
	// TestingDB, when set, stands between the sessions and their transactions.
	TestingDB func(txn.DB) txn.DB
	Log       *slog.Logger
}

// Server is a running node.
type Server struct {
	opts  Options
	store *storage.Node
	db    txn.DB
	Node  *session.Node
	wire  *pgwire.Server

	manager  *catalog.Manager
	registry *expr.Registry
	executor *vexec.Executor

	done sync.WaitGroup
	// remote asks other nodes about their column segments; nil: there are none.
	remote *remoteColumns
	// launcher analyses tables, once there is a listener; nil: nobody does.
	launcher *launcher
	launched sync.Once

	started time.Time

	mu     sync.Mutex
	joined []session.Control
	listen string // the first address listened on
}

const defaultMemory = 2 << 30

// Open opens the store and makes the node ready for Listen. Errors are worded for the operator.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = defaultMemory
	}
	if o.Workers <= 0 {
		o.Workers = cores.Count()
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = pgwire.DefaultMaxConnections
	}
	if o.AuthenticationTimeout <= 0 {
		o.AuthenticationTimeout = pgwire.DefaultAuthenticationTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	so := storage.Options{
		Tablets:     o.Tablets,
		Columns:     o.Columns,
		PreparedMax: o.MaxPreparedTransactions,
		MemoryBytes: o.MemoryBytes / 3,
		Logf:        func(format string, args ...any) { o.Log.Debug(fmt.Sprintf(format, args...)) },
		OnFatal: func(err error) {
			o.Log.Error("the store has failed, ending the process", "err", err)
			time.AfterFunc(time.Second, func() { os.Exit(1) }) // sessions report it meanwhile
		},
	}
	temp := ""
	if o.InMemory {
		so.FS = storage.MemFS()
		o.Dir = "memory"
	} else {
		temp = filepath.Join(o.Dir, "temp")
	}
	st, err := open(o, so)
	if err != nil {
		return nil, err
	}
	if temp != "" {
		if err := os.MkdirAll(temp, 0o700); err != nil {
			if o.Cluster == nil {
				err = errors.Join(err, st.Close())
			}
			return nil, err
		}
	}
	registry := functions.Fill()
	s := &Server{opts: o, store: st, registry: registry, started: time.Now()}
	if o.Cluster != nil {
		s.db = o.Cluster.DB
	} else {
		s.db = st.DB()
	}
	sys.Register(registry)
	s.executor = vexec.New(vexec.Options{Registry: registry, Workers: o.Workers, MemoryLimit: o.MemoryBytes / 2, TempDir: temp, OnHeld: Lend(st, o.MemoryBytes)})
	if s.Node, err = s.newNode(ctx, registry, s.executor); err != nil {
		return nil, errors.Join(err, s.closeStore())
	}
	if o.Cluster == nil {
		if err := s.removeLeftovers(ctx); err != nil {
			return nil, errors.Join(err, s.closeStore())
		}
	}
	firstPID, endPID := o.Cluster.pids()
	s.wire = pgwire.NewServer(pgwire.Options{Backend: s.Node, TLS: o.TLS, NoTrust: o.NoTrust, MaxConnections: o.MaxConnections, ReservedConnections: o.reserved(),
		AuthenticationTimeout: o.AuthenticationTimeout, Memory: s.executor, Log: o.Log, FirstPID: firstPID, EndPID: endPID})
	s.Node.SetControl(control{s})
	return s, nil
}

// Lend lends the memory of queries to the store's column cache and gives a function that must be
// told how many bytes they hold, which takes it back. st may be nil.
//
// Of memory, the cache has a twelfth anyway, and up to a third while queries hold less than
// an eighth: what is read again and again is then not read from files each time. Both
// together stay below the collector's limit, which is two thirds, with room for garbage.
func Lend(st *storage.Node, memory int64) func(held int64) {
	if st == nil {
		return nil
	}
	f := func(held int64) { st.LendToColumns(memory/4 - max(held-memory/8, 0)) }
	f(0)
	return f
}

// reserved is superuser_reserved_connections, which is less than max_connections.
func (o *Options) reserved() int { return min(pgwire.DefaultReservedConnections, o.MaxConnections-1) }

// parameters are the values of server parameters that the options set.
func (o *Options) parameters() map[string]string {
	p := map[string]string{
		"max_connections":                strconv.Itoa(o.MaxConnections),
		"superuser_reserved_connections": strconv.Itoa(o.reserved()),
		"max_prepared_transactions":      strconv.Itoa(o.MaxPreparedTransactions),
		"authentication_timeout":         strconv.Itoa(int(o.AuthenticationTimeout / time.Second)),
	}
	maps.Copy(p, o.Settings)
	return p
}

// closeStore closes the store unless it belongs to who opened the cluster's node.
func (s *Server) closeStore() error {
	if s.opts.Cluster != nil {
		return nil
	}
	return s.store.Close()
}

// NewPID gives a session of another protocol a process number of its own.
func (s *Server) NewPID() int32 { return s.wire.NewPID() }

// Join makes the sessions of another protocol reachable by their process numbers.
func (s *Server) Join(c session.Control) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = append(s.joined, c)
}

// control reaches the sessions of every protocol.
type control struct{ s *Server }

func (c control) any(f func(session.Control) bool) bool {
	if f(c.s.wire) {
		return true
	}
	c.s.mu.Lock()
	joined := c.s.joined
	c.s.mu.Unlock()
	return slices.ContainsFunc(joined, f)
}

func (c control) Cancel(pid int32) bool {
	return c.any(func(x session.Control) bool { return x.Cancel(pid) })
}

func (c control) Terminate(pid int32) bool {
	return c.any(func(x session.Control) bool { return x.Terminate(pid) })
}

// Listen starts to accept connections on addr and returns the address in use.
func (s *Server) Listen(addr string) (net.Addr, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, listenError(addr, err)
	}
	s.mu.Lock()
	if s.listen == "" {
		s.listen = l.Addr().String()
	}
	s.mu.Unlock()
	s.launched.Do(s.launch)
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		if err := s.wire.Serve(l); err != nil {
			s.opts.Log.Error("listener failed", "err", err)
		}
	}()
	return l.Addr(), nil
}

// addr is the first address listened on, "" before.
func (s *Server) addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listen
}

// listenError words why an address cannot be listened on.
func listenError(addr string, err error) error {
	if strings.Contains(err.Error(), "address already in use") {
		return fmt.Errorf("cannot listen on %s: the address is in use", addr)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("cannot listen on %s: %w", addr, err)
}

// Executor runs the node's plans, and pieces of other nodes' plans.
func (s *Server) Executor() *vexec.Executor { return s.executor }

// Storage is the store beneath, for checks and metrics.
func (s *Server) Storage() *storage.Node { return s.store }

// Check verifies the store beside whatever else runs (sql/check): its files if
// asked for, and the databases named, all when none is.
func (s *Server) Check(ctx context.Context, files bool, databases ...string) (*check.Result, error) {
	return check.Run(ctx, check.Options{Store: s.store, Manager: s.manager, Registry: s.registry, Files: files, Databases: databases})
}

// Close ends the sessions and closes the store. ctx bounds the wait for sessions.
func (s *Server) Close(ctx context.Context) error {
	if s.launcher != nil {
		s.launcher.close()
	}
	err := s.wire.Shutdown(ctx)
	s.done.Wait()
	if s.remote != nil {
		s.remote.close()
	}
	return errors.Join(err, s.closeStore())
}
