package servertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestExportedSnapshots: a session sees what another one's snapshot shows, from its import to its own end,
// and can import it as long as the transaction lasts that has exported it.
func TestExportedSnapshots(t *testing.T) {
	ctx := context.Background()
	s := servertest.Start(t)
	a, b, c := s.Connect(t), s.Connect(t), s.Connect(t)
	exec(t, a, "CREATE TABLE s (k int PRIMARY KEY, v int); INSERT INTO s SELECT i, 1 FROM generate_series(1, 100) i")
	sum := func(c *pgx.Conn) (n int) {
		t.Helper()
		if err := c.QueryRow(ctx, "SELECT sum(v) FROM s").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	imported := func(c *pgx.Conn, id string) (code string) {
		t.Helper()
		_, err := c.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+id+"'")
		var e *pgconn.PgError
		if errors.As(err, &e) {
			return e.Code
		}
		if err != nil {
			t.Fatal(err)
		}
		return ""
	}
	for _, level := range []string{"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"} {
		exec(t, a, "BEGIN ISOLATION LEVEL "+level)
		was := sum(a)
		var id string
		if err := a.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&id); err != nil {
			t.Fatal(err)
		}
		exec(t, c, "UPDATE s SET v = v + 1; DELETE FROM s WHERE k = (SELECT min(k) FROM s)")
		exec(t, b, "BEGIN ISOLATION LEVEL REPEATABLE READ")
		if code := imported(b, id); code != "" {
			t.Fatalf("%s: importing %s: %s", level, id, code)
		}
		exec(t, a, "ROLLBACK")
		exec(t, c, "VACUUM s")
		for range 2 {
			if n := sum(b); n != was {
				t.Errorf("%s: the sum in the snapshot is %d, was %d", level, n, was)
			}
		}
		if _, err := b.Exec(ctx, "UPDATE s SET v = 0"); err == nil {
			t.Errorf("%s: rows that have changed since were updated", level)
		}
		exec(t, b, "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ")
		if code := imported(b, id); code != "22023" {
			t.Errorf("%s: importing %s after its transaction: %q", level, id, code)
		}
		exec(t, b, "ROLLBACK")
		// An error ends it too.
		exec(t, a, "BEGIN")
		if err := a.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&id); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Exec(ctx, "SELECT 1 / 0"); err == nil {
			t.Fatal("no error")
		}
		exec(t, b, "BEGIN ISOLATION LEVEL REPEATABLE READ")
		if code := imported(b, id); code != "22023" {
			t.Errorf("%s: importing %s after an error: %q", level, id, code)
		}
		exec(t, a, "ROLLBACK")
		exec(t, b, "ROLLBACK")
	}
	_, err := a.Exec(ctx, "SELECT count(pg_export_snapshot()) FROM generate_series(1, 5000)")
	if e := (*pgconn.PgError)(nil); !errors.As(err, &e) || e.Code != "54000" {
		t.Errorf("exporting without end: %v", err)
	}
}
