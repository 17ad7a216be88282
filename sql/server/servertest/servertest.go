// Package servertest starts whole nodes inside a test: in memory, on a random
// loopback port, closed at the test's end. Tests of any package above the SQL
// layer use it to speak to a node over the wire.
package servertest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server"
)

// Node is a running node.
type Node struct {
	*server.Server
	Addr *net.TCPAddr
}

// Start starts a node in memory.
func Start(t testing.TB) *Node { return StartWith(t, server.Options{InMemory: true}) }

// StartWith starts a node with options of the test's own.
func StartWith(t testing.TB, o server.Options) *Node {
	t.Helper()
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 512 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	s, err := server.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("closing the node: %v", err)
		}
	})
	return &Node{Server: s, Addr: addr.(*net.TCPAddr)}
}

// DSN is a connection string for a database.
func (n *Node) DSN(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", n.Addr, database)
}

// Connect opens a connection to the database postgres, closed at the test's end.
func (n *Node) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), n.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// Check verifies the store (sql/check), within it the databases named, all when
// none is, and reports every problem as an error of the test. what says when.
func (n *Node) Check(t testing.TB, what string, databases ...string) {
	t.Helper()
	res, err := n.Server.Check(context.Background(), false, databases...)
	if err != nil {
		t.Fatalf("%s: checking the store: %v", what, err)
	}
	for i, p := range res.Problems {
		if i == problemsShown {
			t.Errorf("%s: and %d more", what, len(res.Problems)-i)
			break
		}
		t.Errorf("%s: %s", what, p)
	}
}

const problemsShown = 20

// testWriter logs to the test.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	defer func() { _ = recover() }() // the test has ended
	w.t.Logf("%s", p)
	return len(p), nil
}
