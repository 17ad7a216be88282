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

// startFlight serves Arrow Flight SQL on addr: the sessions of s, or without s parts of
// results only. nodes is nil for a process alone. The returned function stops it.
func startFlight(s *server.Server, nodes *flight.Nodes, addr string, config *tls.Config, log *slog.Logger) (func(context.Context), error) {
	o := flight.Options{Nodes: nodes, Version: version, TLS: config, Log: log}
	if s != nil {
		o.Backend, o.NewPID = s.Node, s.NewPID
	}
	f, err := flight.NewServer(o)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		f.Shutdown(context.Background())
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	if s != nil {
		s.Join(f)
	}
	go func() {
		if err := f.Serve(l); err != nil {
			log.Error("Flight SQL listener failed", "err", err)
		}
	}()
	log.Info("accepting Flight SQL clients", "addr", l.Addr().String())
	return func(ctx context.Context) {
		if err := f.Shutdown(ctx); err != nil {
			log.Warn("Flight SQL clients were cut off", "err", err)
		}
	}, nil
}
