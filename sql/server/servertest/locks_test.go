package servertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestLocksView has sessions wait for a row and for a table, and looks on.
func TestLocksView(t *testing.T) {
	ctx := context.Background()
	n := servertest.Start(t)
	a, b, c, look := n.Connect(t), n.Connect(t), n.Connect(t), n.Connect(t)
	exec(t, look, "CREATE TABLE t (id int PRIMARY KEY, v int)")
	exec(t, look, "INSERT INTO t VALUES (1, 0)")
	pid := func(x *pgx.Conn) (p int32) {
		if err := x.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	pa, pb, pc := pid(a), pid(b), pid(c)
	exec(t, a, "BEGIN")
	exec(t, a, "UPDATE t SET v = 1 WHERE id = 1")
	done := make(chan error, 2)
	wait := func(x *pgx.Conn, p int32, sql string) {
		go func() {
			_, err := x.Exec(ctx, sql)
			done <- err
		}()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			var waits bool
			if err := look.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_locks WHERE pid = $1 AND NOT granted AND waitstart IS NOT NULL", p).Scan(&waits); err != nil {
				t.Fatal(err)
			}
			if waits {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not seen to wait", sql)
			}
		}
	}
	wait(b, pb, "UPDATE t SET v = 2 WHERE id = 1")
	exec(t, c, "BEGIN")
	wait(c, pc, "LOCK TABLE t IN EXCLUSIVE MODE")
	rows, err := look.Query(ctx, `SELECT CASE pid WHEN $1 THEN 'a' WHEN $2 THEN 'b' ELSE 'c' END || ' ' || locktype || ' ' ||
		coalesce(relation::regclass::text, CASE WHEN transactionid = (SELECT transactionid FROM pg_locks WHERE pid = $1 AND locktype = 'transactionid') THEN 'of a' ELSE 'own' END)
		|| ' ' || mode || CASE WHEN granted THEN '' ELSE ' waits' END
		FROM pg_locks WHERE pid IN ($1, $2, $3) ORDER BY 1`, pa, pb, pc)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := `a relation t RowExclusiveLock
a transactionid of a ExclusiveLock
b relation t RowExclusiveLock
b transactionid of a ShareLock waits
b transactionid own ExclusiveLock
c relation t ExclusiveLock waits`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got:\n%s\nwant:\n%s", s, want)
	}
	for p, want := range map[int32]string{pa: "idle in transaction Client ClientRead", pb: "active Lock transactionid", pc: "active Lock relation", pid(look): "active"} {
		if got := rowsText(t, look, fmt.Sprintf("SELECT concat_ws(' ', state, wait_event_type, wait_event) FROM pg_stat_activity WHERE pid = %d", p)); got != want {
			t.Errorf("pg_stat_activity: %q, want %q", got, want)
		}
	}
	for p, want := range map[int32][]int32{pa: nil, pb: {pa}, pc: {pa, pb}, 12345678: nil} {
		var got []int32
		if err := look.QueryRow(ctx, "SELECT array_agg(x ORDER BY x) FROM unnest(pg_blocking_pids($1)) x", p).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || len(got) > 0 && got[0] != min(want[0], want[len(want)-1]) {
			t.Errorf("pg_blocking_pids(%d) = %v, want %v", p, got, want)
		}
	}
	exec(t, a, "COMMIT")
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
