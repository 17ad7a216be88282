package servertest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// eachSetting runs a test on a node with one tablet and on one with eight.
func eachSetting(t *testing.T, f func(t *testing.T, n *servertest.Node)) {
	for _, tablets := range []int{1, 8} {
		t.Run(fmt.Sprintf("tablets=%d", tablets), func(t *testing.T) {
			f(t, servertest.StartWith(t, server.Options{InMemory: true, Tablets: tablets}))
		})
	}
}

// TestForeignKeysAcrossSnapshots runs one transaction whose snapshot is taken
// first, another that commits, and the first's change. Expected codes are PostgreSQL's.
func TestForeignKeysAcrossSnapshots(t *testing.T) { eachSetting(t, testForeignKeysAcrossSnapshots) }

func testForeignKeysAcrossSnapshots(t *testing.T, n *servertest.Node) {
	ctx := context.Background()
	a, b := n.Connect(t), n.Connect(t)
	exec(t, a, "CREATE TABLE p (id int PRIMARY KEY, u int UNIQUE, v int)")
	exec(t, a, "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)")
	exec(t, a, "CREATE TABLE cu (id int, u int REFERENCES p (u))")
	exec(t, a, "CREATE TABLE cc (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)")
	exec(t, a, "CREATE TABLE cn (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL)")
	const rr, rc = "REPEATABLE READ", "READ COMMITTED"
	for _, x := range []struct{ level, before, other, own, want string }{
		{rr, "", "INSERT INTO p VALUES (10, 10)", "INSERT INTO c VALUES (1, 10)", "23503"},
		{rc, "", "INSERT INTO p VALUES (10, 10)", "INSERT INTO c VALUES (1, 10)", ""},
		{rr, "", "DELETE FROM p WHERE id = 1", "INSERT INTO c VALUES (1, 1)", "40001"},
		{rc, "", "DELETE FROM p WHERE id = 1", "INSERT INTO c VALUES (1, 1)", "23503"},
		{rr, "", "UPDATE p SET v = 1", "INSERT INTO c VALUES (1, 1)", ""},
		{rr, "", "UPDATE p SET v = 1", "INSERT INTO cu VALUES (1, 1)", ""},
		{rr, "", "UPDATE p SET u = 7 WHERE u = 1", "INSERT INTO cu VALUES (1, 1)", "40001"},
		{rr, "", "INSERT INTO c VALUES (1, 1)", "DELETE FROM p WHERE id = 1", "23503"},
		{rr, "", "INSERT INTO c VALUES (1, 1)", "UPDATE p SET id = 5 WHERE id = 1", "23503"},
		{rc, "", "INSERT INTO c VALUES (1, 1)", "DELETE FROM p WHERE id = 1", "23503"},
		{rr, "INSERT INTO c VALUES (1, 1)", "UPDATE c SET p = 2", "DELETE FROM p WHERE id = 2", "23503"},
		{rr, "INSERT INTO c VALUES (1, 1)", "DELETE FROM c", "DELETE FROM p WHERE id = 1", ""},
		{rr, "", "INSERT INTO cc VALUES (1, 1)", "DELETE FROM p WHERE id = 1", "40001"},
		{rc, "", "INSERT INTO cc VALUES (1, 1)", "DELETE FROM p WHERE id = 1", ""},
		{rr, "", "INSERT INTO cn VALUES (1, 1)", "DELETE FROM p WHERE id = 1", "40001"},
		{rr, "INSERT INTO cc VALUES (1, 1)", "DELETE FROM cc", "DELETE FROM p WHERE id = 1", ""},
		{rr, "INSERT INTO cc VALUES (1, 1)", "UPDATE cc SET p = 2", "DELETE FROM p WHERE id = 1", ""},
		{rr, "INSERT INTO cc VALUES (1, 1)", "SELECT 1", "DELETE FROM p WHERE id = 1", ""},
	} {
		exec(t, a, "TRUNCATE p, c, cu, cc, cn")
		exec(t, a, "INSERT INTO p VALUES (1, 1), (2, 2)")
		if x.before != "" {
			exec(t, a, x.before)
		}
		exec(t, a, "BEGIN ISOLATION LEVEL "+x.level)
		exec(t, a, "SELECT count(*) FROM p")
		exec(t, b, x.other)
		_, err := a.Exec(ctx, x.own)
		got := ""
		if err != nil {
			got = code(err)
			exec(t, a, "ROLLBACK")
		} else {
			exec(t, a, "COMMIT")
		}
		if got != x.want {
			t.Errorf("%s: %s, then %s: got %q, want %q (%v)", x.level, x.other, x.own, got, x.want, err)
		}
		noOrphans(t, a)
	}
}

func noOrphans(t *testing.T, c *pgx.Conn) {
	t.Helper()
	var n int
	if err := c.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM c WHERE p IS NOT NULL AND NOT EXISTS (SELECT FROM p WHERE id = p))
		+ (SELECT count(*) FROM cu WHERE NOT EXISTS (SELECT FROM p WHERE p.u = cu.u))
		+ (SELECT count(*) FROM cc LEFT JOIN p ON p.id = cc.p WHERE p.id IS NULL)
		+ (SELECT count(*) FROM cn LEFT JOIN p ON p.id = cn.p WHERE p.id IS NULL AND cn.p IS NOT NULL)`).Scan(&n); err != nil || n != 0 {
		t.Fatalf("%d rows refer to nothing (%v)", n, err)
	}
}

// TestForeignKeysWait has the two changes meet while both transactions are open.
func TestForeignKeysWait(t *testing.T) { eachSetting(t, testForeignKeysWait) }

func testForeignKeysWait(t *testing.T, n *servertest.Node) {
	ctx := context.Background()
	a, b := n.Connect(t), n.Connect(t)
	exec(t, a, "CREATE TABLE p (id int PRIMARY KEY)")
	exec(t, a, "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)")
	const rr, rc = "REPEATABLE READ", "READ COMMITTED"
	insert, remove := "INSERT INTO c VALUES (1, 1)", "DELETE FROM p WHERE id = 1"
	for _, x := range []struct{ level, first, second, end, want string }{
		{rc, insert, remove, "COMMIT", "23503"},
		{rr, insert, remove, "COMMIT", "23503"},
		{rc, remove, insert, "COMMIT", "23503"},
		{rr, remove, insert, "COMMIT", "40001"},
		{rc, insert, remove, "ROLLBACK", ""},
		{rr, insert, remove, "ROLLBACK", ""},
		{rc, remove, insert, "ROLLBACK", ""},
		{rr, remove, insert, "ROLLBACK", ""},
	} {
		exec(t, a, "TRUNCATE p, c")
		exec(t, a, "INSERT INTO p VALUES (1)")
		for _, s := range []*pgx.Conn{a, b} {
			exec(t, s, "BEGIN ISOLATION LEVEL "+x.level)
			exec(t, s, "SELECT * FROM p")
		}
		exec(t, a, x.first)
		done := make(chan error, 1)
		go func() {
			_, err := b.Exec(ctx, x.second)
			done <- err
		}()
		select {
		case err := <-done:
			t.Errorf("%s: %s did not wait for %s (%v)", x.level, x.second, x.first, err)
			done <- err
		case <-time.After(50 * time.Millisecond):
		}
		exec(t, a, x.end)
		err := <-done
		got := ""
		if err != nil {
			got = code(err)
			exec(t, b, "ROLLBACK")
		} else {
			exec(t, b, "COMMIT")
		}
		if got != x.want {
			t.Errorf("%s: %s against %s, %s: got %q, want %q (%v)", x.level, x.second, x.first, x.end, got, x.want, err)
		}
	}
}

// TestForeignKeysUnderLoad lets sessions insert and delete at both ends at random:
// no row may be left without the row it refers to, and every acknowledged change counts.
func TestForeignKeysUnderLoad(t *testing.T) { eachSetting(t, testForeignKeysUnderLoad) }

func testForeignKeysUnderLoad(t *testing.T, n *servertest.Node) {
	ctx := context.Background()
	setup := n.Connect(t)
	exec(t, setup, "CREATE TABLE p (id int PRIMARY KEY, v int)")
	exec(t, setup, "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, cc int)")
	exec(t, setup, "CREATE TABLE cc (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)")
	exec(t, setup, "CREATE INDEX ON c (p)")
	exec(t, setup, "CREATE INDEX ON cc (p)")
	const parents, sessions, rounds = 5, 6, 120
	exec(t, setup, "INSERT INTO p SELECT g FROM generate_series(1, $1::int) g", parents)
	var mu sync.Mutex
	sum := map[string]int64{"p": parents}
	var wg sync.WaitGroup
	for s := range sessions {
		c := n.Connect(t)
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(s), 7))
			for i := range rounds {
				level := []string{"READ COMMITTED", "REPEATABLE READ"}[r.IntN(2)]
				p, id := 1+r.IntN(parents), s*rounds+i
				table, sql := "c", ""
				switch r.IntN(7) {
				case 0:
					table, sql = "p", fmt.Sprintf("DELETE FROM p WHERE id = %d", p)
				case 1, 2:
					table, sql = "p", fmt.Sprintf("INSERT INTO p VALUES (%d) ON CONFLICT DO NOTHING", p)
				case 3:
					sql = fmt.Sprintf("INSERT INTO c VALUES (%d, %d)", id, p)
				case 4:
					sql = fmt.Sprintf("DELETE FROM c WHERE p = %d", p)
				case 5:
					table, sql = "cc", fmt.Sprintf("INSERT INTO cc VALUES (%d, %d)", id, p)
				case 6:
					table, sql = "p", fmt.Sprintf("UPDATE p SET v = %d WHERE id = %d", i, p)
				}
				tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: map[string]pgx.TxIsoLevel{"READ COMMITTED": pgx.ReadCommitted, "REPEATABLE READ": pgx.RepeatableRead}[level]})
				if err != nil {
					t.Error(err)
					return
				}
				var count int64
				err = tx.QueryRow(ctx, "SELECT count(*) FROM p").Scan(&count)
				var affected int64
				if err == nil {
					tag, e := tx.Exec(ctx, sql)
					affected, err = tag.RowsAffected(), e
				}
				if err == nil {
					err = tx.Commit(ctx)
				}
				if err != nil {
					tx.Rollback(ctx)
					switch code(err) {
					case "23503", "40001", "40P01":
					default:
						t.Errorf("%s: %v", sql, err)
					}
					continue
				}
				switch {
				case sql[0] == 'U':
					affected = 0
				case sql[0] == 'D':
					affected = -affected
				}
				mu.Lock()
				sum[table] += affected
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	var np, nc, orphans int64
	if err := setup.QueryRow(ctx, `SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c),
		(SELECT count(*) FROM c LEFT JOIN p ON p.id = c.p WHERE p.id IS NULL) + (SELECT count(*) FROM cc LEFT JOIN p ON p.id = cc.p WHERE p.id IS NULL)`).Scan(&np, &nc, &orphans); err != nil {
		t.Fatal(err)
	}
	if np != sum["p"] || nc != sum["c"] || orphans != 0 {
		t.Fatalf("%d parents (want %d), %d children (want %d), %d rows refer to nothing", np, sum["p"], nc, sum["c"], orphans)
	}
}
