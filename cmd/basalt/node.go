package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/basaltdb/basalt/rpc/node"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/storage"
)

// startNode starts a node of a cluster and runs it until ctx ends.
func startNode(ctx context.Context, stop func(), f startFlags, o server.Options) (err error) {
	log := o.Log
	role, err := node.ParseRole(f.role)
	if err != nil {
		return fmt.Errorf("--%w", err)
	}
	if f.rpc == "" {
		return fmt.Errorf("--join needs --rpc-addr: other nodes must reach this one")
	}
	var creds *wire.Credentials
	if f.certs != "" {
		if creds, err = wire.LoadCredentials(f.certs); err != nil {
			return err
		}
	}
	if checkAddress(f.rpc, creds != nil || f.insecure) != nil {
		return fmt.Errorf("--rpc-addr %s is reachable from other machines: give --certs DIR (basalt cert makes them), or say --insecure", f.rpc)
	}
	cfg := node.Config{Dir: f.data, Role: role, Addr: f.rpc, FlightAddr: f.flight, Join: f.join, Tablets: f.tablets, Credentials: creds, Version: version, Log: log,
		Store: storage.Options{Columns: o.Columns, PreparedMax: o.MaxPreparedTransactions, MemoryBytes: o.MemoryBytes / 3, Logf: func(format string, args ...any) { log.Debug(fmt.Sprintf(format, args...)) },
			OnFatal: func(err error) {
				log.Error("the store has failed, ending the process", "err", err)
				time.AfterFunc(time.Second, func() { os.Exit(1) }) // sessions report it meanwhile
			}}}
	sessions := role != node.Storage
	if sessions {
		cfg.SQLAddr = f.addr
	} else if f.addrGiven {
		return fmt.Errorf("a node with --role storage serves no sessions: --sql-addr has no meaning for it")
	}
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, n.Close())
		if err == nil {
			log.Info("stopped")
		}
	}()
	var s *server.Server
	var pieces *fragments
	if n.DB() != nil {
		o.Cluster = &server.Cluster{Self: n.ID(), First: n.First(), DB: n.DB(), Store: n.Store(), OnCatalog: n.OnCatalog, Describe: func() ([]sys.ClusterNode, []sys.ClusterTablet) { return describe(n.Status()) },
			Fragments: func() []sys.ClusterFragments { return pieces.active(ctx) },
			Columns: func(ctx context.Context, storageID uint64, attnum int) (int64, []server.ColumnSegment, error) {
				return pieces.columns(ctx, storageID, attnum)
			}}
		if s, err = server.Open(ctx, o); err != nil {
			return err
		}
		pieces = serveFragments(n, s.Executor())
		s.Node.Fragments = pieces
	} else {
		if err := os.MkdirAll(filepath.Join(f.data, "temp"), 0o700); err != nil {
			return err
		}
		pieces = serveFragments(n, storageExecutor(o, n.Store()))
	}
	stopMetrics, err := serveMetrics(f.metrics, n.Store(), s, log)
	if err != nil {
		return err
	}
	defer stopMetrics()
	if err := n.Serve(ctx); err != nil {
		return err
	}
	log.Info("answering other nodes", "node", n.ID(), "role", role.String(), "addr", n.Addr().String(), "data", f.data)
	if sessions {
		return serve(ctx, stop, s, pieces.nodes(), f, o.TLS, log)
	}
	stopFlight := func(context.Context) {}
	if f.flight != "" {
		if stopFlight, err = startFlight(nil, pieces.nodes(), f, o.TLS, log); err != nil {
			return err
		}
	}
	<-ctx.Done()
	stop()
	log.Info("stopping")
	wait, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	stopFlight(wait)
	if s != nil {
		return s.Close(wait)
	}
	return nil
}
