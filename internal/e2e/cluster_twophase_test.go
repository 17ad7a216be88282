package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestClusterTwoPhase: what a gateway has prepared outlives it and restarts of every node, with
// its locks and DDL, and is finished from any gateway.
func TestClusterTwoPhase(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx := context.Background()
	cl := nodetest.StartCluster(t, 2, "--max-prepared-transactions", "5", "--tablets", "4")
	second, third := cl.Gateway(), cl.Gateway()
	x := script{t, ctx}
	run, same := x.run, x.same
	a, b := session(t, cl.First), session(t, second)
	run(a, "", "CREATE TABLE a (k int PRIMARY KEY, v int)", "INSERT INTO a SELECT g, 0 FROM generate_series(1, 100) g",
		"CREATE TABLE wide (k int PRIMARY KEY, v text)", "CREATE ROLE joe LOGIN")
	run(b, "", "BEGIN", "UPDATE a SET v = 1 WHERE k <= 10", "CREATE TABLE made (x int PRIMARY KEY)", "INSERT INTO made VALUES (1)",
		"INSERT INTO wide SELECT g, 'w' || g FROM generate_series(1, 5000) g", "SELECT pg_advisory_xact_lock(5)", "PREPARE TRANSACTION 'commit me'",
		"BEGIN", "DELETE FROM a WHERE k > 90", "SELECT * FROM a WHERE k = 50 FOR SHARE", "PREPARE TRANSACTION 'undo me'",
		"BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT * FROM a WHERE k = 20", "UPDATE a SET v = 30 WHERE k = 30", "PREPARE TRANSACTION 'serial'")
	run(b, "42710", "BEGIN", "UPDATE a SET v = 1 WHERE k = 60", "PREPARE TRANSACTION 'serial'")
	run(b, "0A000", "BEGIN", "NOTIFY x", "PREPARE TRANSACTION 'notes'")
	joe, err := pgx.Connect(ctx, second.DSN()+" user=joe")
	if err != nil {
		t.Fatal(err)
	}
	run(joe, "42501", "COMMIT PREPARED 'serial'")
	run(joe, "42704", "COMMIT PREPARED 'none'")
	joe.Close(ctx)
	check := func(what string) {
		t.Helper()
		c := session(t, third)
		deadline := time.Now().Add(30 * time.Second)
		for text(c, "SELECT sum(v) || ' ' || count(*) FROM a") != "0 100" { // nodes may still be settling
			if time.Now().After(deadline) {
				t.Fatalf("after %s: %s", what, text(c, "SELECT sum(v) || ' ' || count(*) FROM a"))
			}
			time.Sleep(100 * time.Millisecond)
		}
		same(c, "SELECT string_agg(gid || ' ' || owner || ' ' || database, ', ' ORDER BY gid) FROM pg_prepared_xacts",
			"commit me postgres postgres, serial postgres postgres, undo me postgres postgres")
		same(c, "SELECT string_agg(DISTINCT mode, ', ' ORDER BY mode) FROM pg_locks WHERE pid IS NULL AND relation = 'wide'::regclass", "RowExclusiveLock")
		for _, k := range []int{1, 5, 10, 30, 91, 95} {
			run(c, "55P03", fmt.Sprintf("SELECT * FROM a WHERE k = %d FOR SHARE NOWAIT", k))
		}
		run(c, "55P03", "SELECT * FROM a WHERE k = 50 FOR UPDATE NOWAIT")
		run(c, "", "SELECT * FROM a WHERE k = 50 FOR SHARE NOWAIT")
		same(c, "SELECT pg_try_advisory_lock(5)", "false")
		run(c, "", "SET lock_timeout = '100ms'")
		run(c, "55P03", "INSERT INTO wide VALUES (777, '')")
		run(c, "55P03", "DROP TABLE a")
		same(c, "SELECT count(*) FROM wide", "0")
		c.Close(ctx)
	}
	check("nothing")
	second.Kill()
	time.Sleep(7 * time.Second) // its lease ends
	check("the gateway's death")
	cl.Storage[0].Kill()
	cl.Storage[0].Restart()
	check("a restart of a storage node")
	cl.First.Kill()
	cl.First.Restart()
	check("a restart of the first node")
	for _, n := range append([]*nodetest.Node{cl.First}, cl.Storage...) {
		n.Kill()
	}
	for _, n := range append([]*nodetest.Node{cl.First}, cl.Storage...) {
		n.Restart()
	}
	check("a restart of all")

	c := session(t, third)
	run(c, "", "COMMIT PREPARED 'commit me'")
	a = session(t, cl.First)
	same(a, "SELECT sum(v) FROM a", "10") // at once, from another gateway
	same(a, "SELECT count(*) FROM made", "1")
	run(a, "", "ROLLBACK PREPARED 'undo me'", "COMMIT PREPARED 'serial'")
	final := func() {
		t.Helper()
		for _, n := range []*nodetest.Node{cl.First, third} {
			c := session(t, n)
			deadline := time.Now().Add(30 * time.Second)
			for text(c, "SELECT sum(v) || ' ' || count(*) FROM a") != "40 100" {
				if time.Now().After(deadline) {
					t.Fatal(text(c, "SELECT sum(v) || ' ' || count(*) FROM a"))
				}
				time.Sleep(100 * time.Millisecond)
			}
			same(c, "SELECT count(*) || ' ' || sum(k) FROM wide", "5000 12502500")
			same(c, "SELECT count(*) FROM pg_prepared_xacts", "0")
			same(c, "SELECT count(*) FROM pg_locks WHERE pid IS NULL", "0")
			run(c, "", "BEGIN", "UPDATE a SET v = v", "SELECT pg_advisory_xact_lock(5)", "LOCK TABLE wide", "ROLLBACK")
			run(c, "23505", "INSERT INTO wide VALUES (777, '')")
			c.Close(ctx)
		}
	}
	final()
	for _, n := range append([]*nodetest.Node{cl.First}, cl.Storage...) {
		n.Kill()
		n.Restart()
	}
	final()
}
