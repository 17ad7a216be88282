package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/internal/hugepages"
	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/rpc/flight"
	"github.com/basaltdb/basalt/rpc/node"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/session"
	"github.com/basaltdb/basalt/storage/columns"
)

// Bounds of the flags, as PostgreSQL has them for the parameters.
const (
	maxConnectionsMost = 262143
	maxPreparedMost    = 262143
	authTimeoutMost    = 600 * time.Second
)

// shutdownTimeout bounds the wait for sessions to end on SIGTERM.
const shutdownTimeout = 10 * time.Second

type startFlags struct {
	data, addr, flight, cert, key, memory, level, pprof, metrics string
	rpc, role, certs                                             string
	join                                                         []string
	insecure, addrGiven                                          bool
	tablets, localSites, maxConnections, maxPrepared             int
	authTimeout                                                  time.Duration
	columns                                                      string
	settings                                                     []string
}

func startCommand() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use:   "start --data DIR",
		Short: "Start a server on a data directory",
		Long: `Start a server on a data directory, which is made when it does not exist: an
empty one gets the superuser postgres and the database postgres.

Clients on this machine (loopback) are trusted; all others log in with the
password of their role (SCRAM-SHA-256). The same holds for Arrow Flight SQL
clients, who are served on --flight-addr. An address that other machines can
reach is refused unless TLS is configured or --insecure is given.

SIGTERM and SIGINT stop the server cleanly.`,
		Example: `  basalt start --data ./data
  basalt start --data /var/lib/basalt --sql-addr 0.0.0.0:5433 --tls-cert server.crt --tls-key server.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.addrGiven = cmd.Flags().Changed("sql-addr")
			return start(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "data directory (required)")
	fl.StringVar(&f.addr, "sql-addr", "127.0.0.1:5433", "address to listen on for PostgreSQL clients")
	fl.StringVar(&f.flight, "flight-addr", "", "address to listen on for Arrow Flight SQL clients (default: none); of a storage node: for their tickets")
	fl.StringVar(&f.cert, "tls-cert", "", "file with the TLS certificate chain (PEM)")
	fl.StringVar(&f.key, "tls-key", "", "file with the TLS private key (PEM)")
	fl.StringVar(&f.memory, "memory", "", "memory for caches and queries, such as 4GB (default: half of the machine's)")
	fl.IntVar(&f.maxConnections, "max-connections", pgwire.DefaultMaxConnections, "sessions at a time, the last of them for superusers; of each protocol")
	fl.IntVar(&f.maxPrepared, "max-prepared-transactions", 0, "transactions that may be prepared at a time (PREPARE TRANSACTION); of a cluster, given to its first node")
	fl.DurationVar(&f.authTimeout, "authentication-timeout", pgwire.DefaultAuthenticationTimeout, "how long a client has to log in")
	fl.StringArrayVar(&f.settings, "set", nil, "NAME=VALUE of a server parameter, repeatable: autovacuum, autovacuum_naptime, autovacuum_analyze_threshold, autovacuum_analyze_scale_factor, autovacuum_vacuum_cost_delay")
	fl.IntVar(&f.tablets, "tablets", 0, "number of tablets of a new data directory, fixed for its life (default 1); of a cluster, given to its first node (default: one per storage node)")
	fl.StringVar(&f.rpc, "rpc-addr", "", "address to listen on for other nodes: makes this a node of a cluster, its first unless --join is given")
	fl.StringSliceVar(&f.join, "join", nil, "addresses (--rpc-addr) of the cluster's first node")
	fl.StringVar(&f.role, "role", "all", "what a node of a cluster does: gateway (serves sessions), storage (holds data) or all")
	fl.StringVar(&f.certs, "certs", "", "directory with ca.crt, node.crt and node.key for TLS between nodes (see basalt cert)")
	fl.IntVar(&f.localSites, "local-sites", 0, "run plans in pieces, as if the tablets lay on so many nodes (for tests)")
	fl.StringVar(&f.columns, "columns", "auto", "when rows move into column segments: auto, off or always (for tests)")
	fl.StringVar(&f.level, "log-level", "info", "what to log: debug, info, warn or error")
	fl.BoolVar(&f.insecure, "insecure", false, "listen beyond loopback without TLS")
	fl.StringVar(&f.metrics, "metrics-addr", "", "address to serve metrics for Prometheus on, at /metrics (default: none)")
	fl.StringVar(&f.pprof, "pprof-addr", "", "loopback address to serve profiles on")
	fl.MarkHidden("pprof-addr")
	cmd.MarkFlagRequired("data")
	return cmd
}

func start(ctx context.Context, f startFlags) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return fmt.Errorf("--log-level %s: want debug, info, warn or error", f.level)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if f.maxConnections < 1 || f.maxConnections > maxConnectionsMost {
		return fmt.Errorf("--max-connections %d: want 1 to %d", f.maxConnections, maxConnectionsMost)
	}
	if f.maxPrepared < 0 || f.maxPrepared > maxPreparedMost {
		return fmt.Errorf("--max-prepared-transactions %d: want 0 to %d", f.maxPrepared, maxPreparedMost)
	}
	if f.authTimeout < time.Second || f.authTimeout > authTimeoutMost || f.authTimeout%time.Second != 0 {
		return fmt.Errorf("--authentication-timeout %s: want whole seconds, 1s to %s", f.authTimeout, authTimeoutMost)
	}
	memory, err := memoryBytes(f.memory)
	if err != nil {
		return err
	}
	var cols columns.Options
	cols.Mode, err = columns.ParseMode(f.columns)
	if err != nil {
		return fmt.Errorf("--columns %w", err)
	}
	settings, err := session.ServerSettings(f.settings)
	if err != nil {
		return fmt.Errorf("--set %w", err)
	}
	tlsConfig, err := loadTLS(f.cert, f.key)
	if err != nil {
		return err
	}
	for _, a := range []string{f.addr, f.flight} {
		if a == "" {
			continue
		}
		if err := checkAddress(a, tlsConfig != nil || f.insecure); err != nil {
			return err
		}
	}
	if f.metrics != "" && checkAddress(f.metrics, f.insecure) != nil {
		return fmt.Errorf("--metrics-addr %s is reachable from other machines, and metrics are served without TLS: say --insecure", f.metrics)
	}
	cores.Oversubscribe()
	tuneCollector(memory)
	if f.pprof != "" {
		if err := checkAddress(f.pprof, false); err != nil {
			return err
		}
		if err := servePprof(f.pprof); err != nil {
			return err
		}
	}
	// Signals count from here on: a stop during recovery is a clean one too.
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	o := server.Options{Dir: f.data, MemoryBytes: memory, TLS: tlsConfig, Log: log, Version: version, Columns: cols, Settings: settings,
		MaxConnections: f.maxConnections, MaxPreparedTransactions: f.maxPrepared, AuthenticationTimeout: f.authTimeout}
	if f.rpc != "" || len(f.join) > 0 {
		return startNode(ctx, stop, f, o)
	}
	if err := node.CheckLone(f.data); err != nil {
		return err
	}
	o.Tablets, o.LocalSites = f.tablets, f.localSites
	s, err := server.Open(ctx, o)
	if err != nil {
		return err
	}
	stopMetrics, err := serveMetrics(f.metrics, s.Storage(), s, log)
	if err != nil {
		s.Close(context.Background())
		return err
	}
	defer stopMetrics()
	if err := serve(ctx, stop, s, nil, f, tlsConfig, log); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// serve serves sessions until ctx ends, and closes s.
func serve(ctx context.Context, stop func(), s *server.Server, nodes *flight.Nodes, f startFlags, tlsConfig *tls.Config, log *slog.Logger) error {
	addr, err := s.Listen(f.addr)
	if err != nil {
		s.Close(context.Background())
		return err
	}
	stopFlight := func(context.Context) {}
	if f.flight != "" {
		if stopFlight, err = startFlight(s, nodes, f, tlsConfig, log); err != nil {
			s.Close(context.Background())
			return err
		}
	}
	log.Info("accepting connections", "addr", addr.String(), "data", f.data, "version", version, "vectors", simd.Vectors())
	<-ctx.Done()
	stop() // a second signal ends the process at once
	log.Info("stopping")
	wait, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	stopFlight(wait)
	return s.Close(wait)
}

// gcPercent: the heap in use is small next to the store's caches, which lie
// outside it, so collecting rarely costs little memory and saves a visible share
// of every scan. The limit brings the collector back when queries fill the heap.
const gcPercent = 400

// tuneCollector sets the heap and its garbage collector for a process of so much memory, of
// which the store takes a third (sql/server).
func tuneCollector(memory int64) {
	hugepages.Advise(memory / 3 * 2)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory / 3 * 2)
	}
}

func loadTLS(cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, fmt.Errorf("--tls-cert and --tls-key go together")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// checkAddress refuses an address beyond loopback unless secured says it is meant.
func checkAddress(addr string, secured bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %s: want HOST:PORT", addr)
	}
	if secured || host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is reachable from other machines: give --tls-cert and --tls-key, or say --insecure", addr)
}

// memoryBytes reads a size such as 512MB or 4GiB; "" is half of the machine's memory.
func memoryBytes(s string) (int64, error) {
	if s == "" {
		return machineMemory() / 2, nil
	}
	t := strings.ToUpper(strings.TrimSpace(s))
	unit := int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", 1 << 40},
		{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1}} {
		if strings.HasSuffix(t, u.suffix) {
			t, unit = strings.TrimSpace(strings.TrimSuffix(t, u.suffix)), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(t, 64)
	bytes := n * float64(unit)
	if err != nil || bytes < memoryBytesMin || bytes > 1<<50 {
		return 0, fmt.Errorf("--memory %s: want a size of at least 64MB, such as 4GB", s)
	}
	return int64(bytes), nil
}

const memoryBytesMin = 64 << 20

// machineMemory is the memory of the machine, or a guess of 4 GB.
func machineMemory() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err == nil {
		for _, line := range strings.Split(string(b), "\n") {
			f := strings.Fields(line)
			if len(f) >= 2 && f[0] == "MemTotal:" {
				if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					return kb << 10
				}
			}
		}
	}
	return 4 << 30
}
