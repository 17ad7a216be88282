package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestTwoPhaseKills: what is prepared outlives SIGKILL whole, with its locks, DDL and bulk
// inserts in it, and is finished by name afterwards.
func TestTwoPhaseKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), "--max-prepared-transactions", "5", "--tablets", "3")
	x := script{t, ctx}
	run, same := x.run, x.same
	c := session(t, n)
	run(c, "", "CREATE TABLE a (k int PRIMARY KEY, v int)", "INSERT INTO a SELECT g, 0 FROM generate_series(1, 100) g",
		"CREATE TABLE wide (k int PRIMARY KEY, v text)", "CREATE DATABASE other",
		"BEGIN", "UPDATE a SET v = 1 WHERE k <= 10", "CREATE TABLE made (x int PRIMARY KEY)", "INSERT INTO made VALUES (1)",
		"INSERT INTO wide SELECT g, 'w' || g FROM generate_series(1, 20000) g", "CREATE INDEX ON wide (v)", "SELECT pg_advisory_xact_lock(5)",
		"PREPARE TRANSACTION 'commit me'",
		"BEGIN", "DELETE FROM a WHERE k > 90", "SELECT * FROM a WHERE k = 50 FOR SHARE", "PREPARE TRANSACTION 'undo me'",
		"BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT * FROM a WHERE k = 20", "UPDATE a SET v = 30 WHERE k = 30", "PREPARE TRANSACTION 'serial'")
	for round := range 2 {
		n.Kill()
		n.Restart()
		c = session(t, n)
		same(c, "SELECT string_agg(gid || ' ' || owner || ' ' || database, ', ' ORDER BY gid) FROM pg_prepared_xacts",
			"commit me postgres postgres, serial postgres postgres, undo me postgres postgres")
		same(c, "SELECT count(*) FROM pg_locks l JOIN pg_prepared_xacts x ON l.virtualtransaction = '-1/' || x.transaction WHERE locktype = 'transactionid' AND l.transactionid = x.transaction AND pid IS NULL", "3")
		same(c, "SELECT string_agg(mode, ', ' ORDER BY mode) FROM pg_locks WHERE pid IS NULL AND relation = 'wide'::regclass", "RowExclusiveLock, ShareLock")
		same(c, "SELECT sum(v) || ' ' || count(*) FROM a", "0 100")
		for _, k := range []int{1, 10, 30, 91} {
			run(c, "55P03", fmt.Sprintf("SELECT * FROM a WHERE k = %d FOR SHARE NOWAIT", k))
		}
		run(c, "55P03", "SELECT * FROM a WHERE k = 50 FOR UPDATE NOWAIT")
		run(c, "", "SELECT * FROM a WHERE k = 50 FOR SHARE NOWAIT")
		same(c, "SELECT pg_try_advisory_lock(5)", "false")
		run(c, "", "SET lock_timeout = '50ms'")
		run(c, "55P03", "INSERT INTO wide VALUES (777, '')")
		run(c, "55P03", "DROP TABLE a")
		run(c, "", "RESET lock_timeout")
		// With whom it was in conflict is forgotten: who reads past its writes may be the one too many.
		run(c, "40001", "BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT * FROM a WHERE k = 30")
		run(c, "", "ROLLBACK")
		if round == 0 {
			continue
		}
		o, err := pgx.Connect(ctx, n.DSN()+" database=other")
		if err != nil {
			t.Fatal(err)
		}
		run(o, "0A000", "COMMIT PREPARED 'serial'")
		run(o, "", "BEGIN", "CREATE TABLE o (a int)", "PREPARE TRANSACTION 'other'")
		_ = o.Close(ctx)
		run(c, "55006", "DROP DATABASE other WITH (FORCE)")
		run(c, "", "COMMIT PREPARED 'commit me'", "ROLLBACK PREPARED 'undo me'", "COMMIT PREPARED 'serial'")
	}
	check := func() {
		t.Helper()
		same(c, "SELECT sum(v) || ' ' || count(*) FROM a", "40 100")
		same(c, "SELECT count(*) || ' ' || sum(k) || ' ' || max(v) FROM wide", "20000 200010000 w9999")
		same(c, "SELECT k FROM wide WHERE v = 'w777'", "777")
		same(c, "SELECT count(*) FROM made", "1")
		same(c, "SELECT string_agg(gid, ', ') FROM pg_prepared_xacts", "other")
		run(c, "23505", "INSERT INTO wide VALUES (777, '')")
	}
	check()
	n.Kill()
	n.Restart()
	c = session(t, n)
	check()
	o, err := pgx.Connect(ctx, n.DSN()+" database=other")
	if err != nil {
		t.Fatal(err)
	}
	run(o, "", "COMMIT PREPARED 'other'", "SELECT * FROM o")
	_ = o.Close(ctx)
	run(c, "", "DROP DATABASE other")
	n.Stop()
	if out := n.CheckData(); out != "" {
		t.Log(out)
	}
}

// TestTwoPhaseTransfers moves units between rows by PREPARE and COMMIT PREPARED, kills the
// server at random moments, and finishes what is prepared as an external coordinator
// would: no unit is lost or made, and no acknowledged transfer undone.
func TestTwoPhaseTransfers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), "--max-prepared-transactions", "2")
	c := session(t, n)
	if _, err := c.Exec(ctx, "CREATE TABLE acc (k int PRIMARY KEY, v int); INSERT INTO acc SELECT g, 100 FROM generate_series(1, 10) g; CREATE TABLE done (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	promised := map[int]bool{} // prepared, acknowledged: must be there to be finished
	acked, id := 0, 0
	for round := range 4 {
		stop := time.After(time.Duration(100+rng.IntN(400)) * time.Millisecond)
		killed := make(chan struct{})
		go func() {
			<-stop
			n.Kill()
			close(killed)
		}()
		for {
			id++
			from, to := rng.IntN(10)+1, rng.IntN(10)+1
			_, err := c.Exec(ctx, fmt.Sprintf("BEGIN; UPDATE acc SET v = v - 1 WHERE k = %d; UPDATE acc SET v = v + 1 WHERE k = %d; INSERT INTO done VALUES (%d); PREPARE TRANSACTION '%d'", from, to, id, id))
			if err != nil {
				break
			}
			promised[id] = true
			if _, err = c.Exec(ctx, fmt.Sprintf("COMMIT PREPARED '%d'", id)); err != nil {
				break
			}
			delete(promised, id)
			acked++
		}
		<-killed
		n.Restart()
		c = session(t, n)
		rows, err := c.Query(ctx, "SELECT gid FROM pg_prepared_xacts")
		if err != nil {
			t.Fatal(err)
		}
		gids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if len(gids) > 1 {
			t.Fatalf("%v are prepared", gids)
		}
		for _, g := range gids { // whatever was promised: a coordinator that has decided
			if _, err := c.Exec(ctx, "COMMIT PREPARED '"+g+"'"); err != nil {
				t.Fatal(err)
			}
			var i int
			fmt.Sscan(g, &i)
			if !promised[i] {
				acked++ // its PREPARE was not acknowledged, and all the same durable
				continue
			}
			delete(promised, i)
			acked++
		}
		for i := range promised { // or COMMIT PREPARED came through before the kill
			if text(c, fmt.Sprintf("SELECT count(*) FROM done WHERE id = %d", i)) != "1" {
				t.Fatalf("round %d: transfer %d was prepared and is lost", round, i)
			}
			acked++
		}
		clear(promised)
		if got := text(c, "SELECT sum(v) FROM acc"); got != "1000" {
			t.Fatalf("round %d: the sum is %s", round, got)
		}
		if got := text(c, "SELECT count(*) FROM done"); got != fmt.Sprint(acked) {
			t.Fatalf("round %d: %s transfers, %d acknowledged", round, got, acked)
		}
	}
	t.Logf("%d transfers", acked)
}
