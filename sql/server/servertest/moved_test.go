package servertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestMovedRows waits for rows whose primary keys the holder changes: who waited goes
// on with the row under its new key if it still qualifies. The answers are PostgreSQL's.
func TestMovedRows(t *testing.T) {
	ctx := context.Background()
	n := servertest.Start(t)
	a, b, look := n.Connect(t), n.Connect(t), n.Connect(t)
	var pid int32
	if err := b.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	table := func() string {
		rows, err := look.Query(ctx, "SELECT id || ':' || v FROM m ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, r := range got {
			out += r + " "
		}
		return out
	}
	exec(t, look, "CREATE TABLE m (id int PRIMARY KEY, v int)")
	for _, c := range []struct{ moves, waits, tag, table string }{
		{"UPDATE m SET id = 10 WHERE id = 1", "UPDATE m SET v = v + 1 WHERE v = 0", "UPDATE 2", "2:1 10:1 "},
		{"UPDATE m SET id = 10, v = 5 WHERE id = 1", "UPDATE m SET v = v + 1 WHERE v = 0", "UPDATE 1", "2:1 10:5 "},
		{"UPDATE m SET id = 10 WHERE id = 1", "UPDATE m SET v = v + 1 WHERE id = 1", "UPDATE 0", "2:0 10:0 "},
		{"UPDATE m SET id = 10, v = 7 WHERE id = 1; UPDATE m SET id = 11 WHERE id = 10", "UPDATE m SET v = v + 1 WHERE v >= 0", "UPDATE 2", "2:1 11:8 "},
		{"UPDATE m SET id = 10 WHERE id = 1", "DELETE FROM m WHERE v = 0", "DELETE 2", ""},
		{"UPDATE m SET id = 10 WHERE id = 1", "UPDATE m SET id = id + 100 WHERE v = 0", "UPDATE 2", "102:0 110:0 "},
		{"UPDATE m SET id = 10 WHERE id = 1", "SELECT * FROM m WHERE v = 0 ORDER BY 1 FOR UPDATE", "SELECT 2", "2:0 10:0 "},
		{"UPDATE m SET id = 10 WHERE id = 1", "MERGE INTO m USING (VALUES (0)) s(v) ON m.v = s.v WHEN MATCHED THEN UPDATE SET v = 9", "MERGE 2", "2:9 10:9 "},
		{"DELETE FROM m WHERE id = 1", "UPDATE m SET v = v + 1 WHERE v = 0", "UPDATE 1", "2:1 "},
		{"UPDATE m SET id = 10 WHERE id = 1", "INSERT INTO m VALUES (1, 3) ON CONFLICT (id) DO UPDATE SET v = 4", "INSERT 0 1", "1:3 2:0 10:0 "},
	} {
		exec(t, look, "TRUNCATE m")
		exec(t, look, "INSERT INTO m VALUES (1, 0), (2, 0)")
		exec(t, a, "BEGIN")
		exec(t, a, c.moves)
		type answer struct {
			tag string
			err error
		}
		done := make(chan answer, 1)
		go func() {
			tag, err := b.Exec(ctx, c.waits)
			done <- answer{tag.String(), err}
		}()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			var waits bool
			if err := look.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_locks WHERE pid = $1 AND NOT granted", pid).Scan(&waits); err != nil {
				t.Fatal(err)
			}
			if waits {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not seen to wait", c.waits)
			}
		}
		exec(t, a, "COMMIT")
		got := <-done
		if got.err != nil || got.tag != c.tag {
			t.Errorf("%s; %s: %s, %v, want %s", c.moves, c.waits, got.tag, got.err, c.tag)
		}
		if s := table(); s != c.table {
			t.Errorf("%s; %s: %q, want %q", c.moves, c.waits, s, c.table)
		}
	}
}
