package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"github.com/basaltdb/basalt/rpc/flight"
	"github.com/basaltdb/basalt/sql/server"
)

// startFlight serves Arrow Flight SQL on its address: the sessions of s, or without s parts of
// results only. nodes is nil for a process alone. The returned function stops it.
func startFlight(s *server.Server, nodes *flight.Nodes, f startFlags, config *tls.Config, log *slog.Logger) (func(context.Context), error) {
	o := flight.Options{Nodes: nodes, Version: version, TLS: config, MaxSessions: f.maxConnections, Log: log}
	if s != nil {
		o.Backend, o.NewPID = s.Node, s.NewPID
	}
	srv, err := flight.NewServer(o)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", f.flight)
	if err != nil {
		srv.Shutdown(context.Background())
		return nil, fmt.Errorf("cannot listen on %s: %w", f.flight, err)
	}
	if s != nil {
		s.Join(srv)
	}
	go func() {
		if err := srv.Serve(l); err != nil {
			log.Error("Flight SQL listener failed", "err", err)
		}
	}()
	log.Info("accepting Flight SQL clients", "addr", l.Addr().String())
	return func(ctx context.Context) {
		if err := srv.Shutdown(ctx); err != nil {
			log.Warn("Flight SQL clients were cut off", "err", err)
		}
	}, nil
}
