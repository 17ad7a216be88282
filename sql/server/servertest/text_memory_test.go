package servertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestTextMemory: the trees of long statements, prepared statements and named portals are
// accounted: beyond the process's memory is 53200, the session goes on, and what it held
// comes back.
func TestTextMemory(t *testing.T) {
	n := servertest.StartWith(t, server.Options{InMemory: true, MemoryBytes: 64 << 20})
	ctx := context.Background()
	connect := func() *pgconn.PgConn {
		c, err := pgconn.Connect(ctx, n.DSN("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(ctx) })
		return c
	}
	run := func(c *pgconn.PgConn, sql, want string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql).ReadAll(); err != nil && code(err) != want || err == nil && want != "" {
			t.Errorf("%.60s: %v, want %q", sql, err, want)
		}
	}
	first := connect()
	run(first, "select 1", "")
	began := n.Executor().Held()

	c := connect()
	list := strings.Repeat("1,", 100000) + "1"
	run(c, "select 1 where 5 in ("+list+")", "53200")
	run(c, "select 1 /* "+list+" */ where '"+list+"' = ''", "")
	if _, err := c.Prepare(ctx, "s", "select 1 where 5 in ("+list+")", nil); code(err) != "53200" {
		t.Errorf("Parse: %v", err)
	}
	run(c, "prepare s as select 1 where 5 in ("+list+")", "53200")
	run(c, "select 'well'", "")
	if got := n.Executor().Held(); got != began {
		t.Errorf("%d bytes held after statements that failed", got-began)
	}

	// Prepared statements without end.
	padding := strings.Repeat(" ", 100<<10)
	var err error
	i := 0
	for ; err == nil && i < 1000; i++ {
		_, err = c.Prepare(ctx, fmt.Sprint("p", i), fmt.Sprintf("select %d%s", i, padding), nil)
	}
	if code(err) != "53200" || i < 100 {
		t.Errorf("after %d prepared statements: %v", i, err)
	}
	run(c, "deallocate p1; deallocate p2; deallocate p3", "")
	run(c, "execute p5", "")
	run(c, "prepare q as select 1", "")
	run(c, "deallocate all", "")
	if got := n.Executor().Held(); got != began {
		t.Errorf("%d bytes held after DEALLOCATE ALL", got-began)
	}

	// Named portals without end, in one transaction.
	h, err := connect().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Conn.Close()
	h.Conn.SetDeadline(time.Now().Add(30 * time.Second))
	f := h.Frontend
	f.SendParse(&pgproto3.Parse{Name: "s", Query: "select $1::text"})
	value := []byte(strings.Repeat("v", 100<<10))
	for i := range 400 {
		f.SendBind(&pgproto3.Bind{DestinationPortal: fmt.Sprint("p", i), PreparedStatement: "s", Parameters: [][]byte{value}})
		if i%20 == 0 {
			f.Flush()
		}
	}
	f.SendSync(&pgproto3.Sync{})
	f.Flush()
	got, binds := "", 0
	for done := false; !done; {
		m, err := f.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.BindComplete:
			binds++
		case *pgproto3.ErrorResponse:
			got = m.Code
		case *pgproto3.ReadyForQuery:
			done = true
		}
	}
	if got != "53200" || binds < 100 {
		t.Errorf("after %d portals: %s", binds, got)
	}
	// A session that goes leaves nothing.
	run(c, "prepare q as select 1", "")
	c.Close(ctx)
	h.Conn.Close()
	for deadline := time.Now().Add(5 * time.Second); n.Executor().Held() != began; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes held after the sessions have gone", n.Executor().Held()-began)
		}
	}
}
