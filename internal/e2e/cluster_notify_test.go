package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// heard gives the next n notifications that a connection gets, as channel:payload.
func heard(t *testing.T, c *pgx.Conn, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out []string
	for range n {
		x, err := c.WaitForNotification(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		out = append(out, x.Channel+":"+x.Payload)
	}
	return strings.Join(out, " ")
}

// TestClusterNotify: sessions of two gateways hear of each other's commits, in one order and
// when they can see them. A gateway that dies holds up nobody; when the first node restarts
// those that listen are told to begin anew.
func TestClusterNotify(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx := context.Background()
	cl := nodetest.StartCluster(t, 2)
	second, third := cl.Gateway(), cl.Gateway()
	a, b, sender, other := session(t, cl.First), session(t, second), session(t, second), session(t, cl.First)
	exec := func(c *pgx.Conn, sql string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	exec(a, "CREATE TABLE t (k int PRIMARY KEY)")
	exec(sender, "NOTIFY one, 'nobody listens yet'")
	for _, c := range []*pgx.Conn{a, b} {
		exec(c, "LISTEN one")
		exec(c, "LISTEN two")
	}
	want("channels", text(b, "SELECT array_agg(c) FROM pg_listening_channels() c"), "{one,two}")

	exec(sender, "BEGIN; NOTIFY one, 'x'; NOTIFY two, 'x'; NOTIFY one, 'x'; SAVEPOINT s; NOTIFY one, 'lost'; ROLLBACK TO s; NOTIFY one, 'y'; COMMIT")
	exec(sender, "BEGIN; NOTIFY one, 'rolled back'; ROLLBACK")
	exec(other, "INSERT INTO t VALUES (1); NOTIFY one, 'z'")
	for _, c := range []*pgx.Conn{a, b} {
		want("from others", heard(t, c, 4), "one:x two:x one:y one:z")
	}
	// One's own come with the commit; the process number is the sender's.
	exec(b, "NOTIFY two, 'own'")
	n, err := b.WaitForNotification(ctx)
	if err != nil || n.Payload != "own" || n.PID != b.PgConn().PID() {
		t.Errorf("own: %v, %v", n, err)
	}
	want("of b", heard(t, a, 1), "two:own")

	// A statement brings what was committed before it began.
	quiet := session(t, second)
	exec(quiet, "LISTEN three")
	for i := range 20 {
		exec(a, fmt.Sprintf("INSERT INTO t VALUES (%d); NOTIFY three, '%d'", 100+i, i))
		exec(quiet, "SELECT 1")
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		n, err := quiet.WaitForNotification(short) // it is here already
		cancel()
		if err != nil || n.Payload != fmt.Sprint(i) {
			t.Fatalf("statement %d brought %v, %v", i, n, err)
		}
	}
	// In a block nothing comes; another database hears nothing; LISTEN hears nothing earlier.
	exec(a, "CREATE DATABASE d")
	elsewhere, err := pgx.Connect(ctx, strings.Replace(second.DSN(), "dbname=postgres", "dbname=d", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close(ctx)
	want("database", text(elsewhere, "SELECT current_database()"), "d")
	exec(elsewhere, "LISTEN one")
	exec(b, "BEGIN; SELECT 1")
	exec(other, "NOTIFY one, 'in a block'")
	want("a", heard(t, a, 1), "one:in a block")
	late := session(t, second)
	exec(late, "LISTEN one")
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	if n, err := b.WaitForNotification(short); err == nil {
		t.Errorf("in a block: %v", n)
	}
	cancel()
	b.Close(ctx)
	b = session(t, second)
	exec(b, "LISTEN one")
	exec(other, "NOTIFY one, 'again'")
	want("b", heard(t, b, 1), "one:again")
	want("late", heard(t, late, 1), "one:again")
	want("a", heard(t, a, 1), "one:again")
	exec(elsewhere, "NOTIFY one, 'd'")
	want("elsewhere", heard(t, elsewhere, 1), "one:d")

	// Many at once: everybody hears them in one order, each with its row.
	c := session(t, third)
	exec(c, "LISTEN one")
	const senders, each = 6, 30
	var done sync.WaitGroup
	for i := range senders {
		conn := session(t, []*nodetest.Node{cl.First, second, third}[i%3])
		done.Add(1)
		go func() {
			defer done.Done()
			for j := range each {
				k := 1000 + i*each + j
				if _, err := conn.Exec(ctx, fmt.Sprintf("BEGIN; INSERT INTO t VALUES (%d); INSERT INTO t VALUES (%d); NOTIFY one, '%d'; COMMIT", k, k+100000, k)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	var orders [3]string
	for i, c := range []*pgx.Conn{a, b, c} {
		done.Add(1)
		go func() {
			defer done.Done()
			for range senders * each {
				wait, cancel := context.WithTimeout(ctx, 30*time.Second)
				n, err := c.WaitForNotification(wait)
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				orders[i] += n.Payload + " "
				if got := text(c, "SELECT count(*) FROM t WHERE k IN ("+n.Payload+", "+n.Payload+" + 100000)"); got != "2" {
					t.Errorf("row %s is not there: %s", n.Payload, got)
				}
			}
		}()
	}
	done.Wait()
	if orders[0] != orders[1] || orders[0] != orders[2] {
		t.Errorf("orders differ:\n%s\n%s\n%s", orders[0], orders[1], orders[2])
	}

	// A gateway dies: others go on, and the queue is empty soon.
	third.Kill()
	exec(other, "NOTIFY one, 'after a death'")
	want("a", heard(t, a, 1), "one:after a death")
	want("b", heard(t, b, 1), "one:after a death")
	for end := time.Now().Add(20 * time.Second); text(b, "SELECT pg_notification_queue_usage()") != "0"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what a dead gateway has not read stays in the queue")
		}
	}
	// The first node restarts: b may have missed something, and is told.
	cl.First.Kill()
	cl.First.Restart()
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if n, err := b.WaitForNotification(wait); !hasCode(err, "57P02") {
		t.Errorf("b after a restart of the first node: %v, %v", n, err)
	}
	b, a = session(t, second), session(t, cl.First)
	exec(b, "LISTEN one")
	exec(a, "LISTEN one; NOTIFY one, 'anew'")
	want("b", heard(t, b, 1), "one:anew")
	want("a", heard(t, a, 1), "one:anew")
	exec(b, "UNLISTEN *")
	exec(a, "NOTIFY one, 'only a'")
	want("a", heard(t, a, 1), "one:only a")
	exec(b, "LISTEN two; NOTIFY two")
	want("b", heard(t, b, 1), "two:")
}
