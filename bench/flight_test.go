package bench

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/basaltdb/basalt/rpc/flight"
	sqlserver "github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestExportFlight: the bench's client counts what the library's own counts.
func TestExportFlight(t *testing.T) {
	n := servertest.StartWith(t, sqlserver.Options{InMemory: true})
	s, err := flight.NewServer(flight.Options{Backend: n.Node, NewPID: n.NewPID})
	if err != nil {
		t.Fatal(err)
	}
	n.Join(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer s.Shutdown(ctx)
	const q = "SELECT i, i::numeric(15,2), repeat('x', i % 50), NULLIF(i % 3, 0) FROM generate_series(1, 30000) i"
	rows, bytes, err := exportFlight(ctx, l.Addr().String(), "postgres", "", "postgres", q, false)
	if err != nil || rows != 30000 || bytes < 30000*45 {
		t.Fatalf("%d rows, %d bytes: %v", rows, bytes, err)
	}
	stockRows, stockBytes, err := exportFlight(ctx, l.Addr().String(), "postgres", "", "postgres", q, true)
	if err != nil || stockRows != rows || stockBytes < bytes*9/10 || stockBytes > bytes*11/10 {
		t.Errorf("%d rows, %d bytes, the library's own client %d, %d: %v", rows, bytes, stockRows, stockBytes, err)
	}
}
