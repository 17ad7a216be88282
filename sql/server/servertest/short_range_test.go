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

// TestShortRangesWait has statements of short ranges wait for rows that another
// transaction changes, moves or deletes: they go on with what still qualifies, as it is
// now. The answers are PostgreSQL's.
func TestShortRangesWait(t *testing.T) {
	ctx := context.Background()
	n := servertest.Start(t)
	a, b, look := n.Connect(t), n.Connect(t), n.Connect(t)
	var pid int32
	if err := b.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	exec(t, look, "CREATE TABLE r (a int, b int, v int, w int, PRIMARY KEY (a, b))")
	exec(t, look, "CREATE INDEX r_v ON r (v)")
	for _, c := range []struct{ holds, waits, got, table string }{
		{"UPDATE r SET v = v + 10 WHERE a = 1 AND b = 2", "UPDATE r SET w = v WHERE a = 1 RETURNING b, w", "1|1 2|12 3|3", "1|1|1|1 1|2|12|12 1|3|3|3 2|1|2|0"},
		{"UPDATE r SET v = v + 10 WHERE a = 1 AND b = 2", "UPDATE r SET w = v WHERE a = 1 AND v < 5 RETURNING b, w", "1|1 3|3", "1|1|1|1 1|2|12|0 1|3|3|3 2|1|2|0"},
		{"UPDATE r SET a = 3 WHERE a = 1 AND b = 2", "UPDATE r SET w = 7 WHERE a = 1 RETURNING b, w", "1|7 3|7", "1|1|1|7 1|3|3|7 2|1|2|0 3|2|2|0"},
		{"UPDATE r SET b = 9 WHERE a = 1 AND b = 2", "UPDATE r SET w = 7 WHERE a = 1 RETURNING b, w", "1|7 9|7 3|7", "1|1|1|7 1|3|3|7 1|9|2|7 2|1|2|0"},
		{"UPDATE r SET b = 9 WHERE a = 1 AND b = 2", "UPDATE r SET w = 7 WHERE a = 1 AND b < 5 RETURNING b, w", "1|7 3|7", "1|1|1|7 1|3|3|7 1|9|2|0 2|1|2|0"},
		{"DELETE FROM r WHERE a = 1 AND b = 2", "UPDATE r SET w = 7 WHERE a = 1 RETURNING b, w", "1|7 3|7", "1|1|1|7 1|3|3|7 2|1|2|0"},
		{"DELETE FROM r WHERE a = 1 AND b = 2", "DELETE FROM r WHERE a = 1 RETURNING b", "1 3", "2|1|2|0"},
		{"UPDATE r SET v = 20 WHERE a = 1 AND b = 2", "DELETE FROM r WHERE a = 1 AND v <> 20 RETURNING b, v", "1|1 3|3", "1|2|20|0 2|1|2|0"},
		{"UPDATE r SET v = 20 WHERE a = 1 AND b = 2", "DELETE FROM r WHERE a = 1 AND b > 1 RETURNING b, v", "2|20 3|3", "1|1|1|0 2|1|2|0"},
		{"UPDATE r SET v = 20 WHERE a = 1 AND b = 2", "UPDATE r SET w = w + 1 WHERE v = 2 RETURNING a, b", "2|1", "1|1|1|0 1|2|20|0 1|3|3|0 2|1|2|1"},
		{"UPDATE r SET w = 20 WHERE a = 1 AND b = 2", "UPDATE r SET w = w + 1 WHERE v = 2 RETURNING a, b, w", "1|2|21 2|1|1", "1|1|1|0 1|2|2|21 1|3|3|0 2|1|2|1"},
		{"UPDATE r SET a = 5, w = 20 WHERE a = 1 AND b = 2", "UPDATE r SET v = v + w WHERE v = 2 RETURNING a, b, v", "5|2|22 2|1|2", "1|1|1|0 1|3|3|0 2|1|2|0 5|2|22|20"},
		{"UPDATE r SET v = 2 WHERE a = 1 AND b = 1; UPDATE r SET v = 1 WHERE a = 1 AND b = 2", "DELETE FROM r WHERE v = 2 RETURNING a, b", "2|1", "1|1|2|0 1|2|1|0 1|3|3|0"},
		{"UPDATE r SET v = v + 1 WHERE a = 1 AND b = 2; INSERT INTO r VALUES (1, 8, 1, 1)", "UPDATE r SET b = b + 10, v = v * 2 WHERE a = 1 RETURNING b, v", "11|2 12|6 13|6", "1|8|1|1 1|11|2|0 1|12|6|0 1|13|6|0 2|1|2|0"},
	} {
		exec(t, look, "TRUNCATE r")
		exec(t, look, "INSERT INTO r VALUES (1, 1, 1, 0), (1, 2, 2, 0), (1, 3, 3, 0), (2, 1, 2, 0)")
		exec(t, a, "BEGIN")
		exec(t, a, c.holds)
		type answer struct {
			rows string
			err  error
		}
		done := make(chan answer, 1)
		go func() {
			rows, err := b.Query(ctx, c.waits)
			if err != nil {
				done <- answer{"", err}
				return
			}
			got, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
				vs, err := r.Values()
				return strings.Trim(strings.ReplaceAll(fmt.Sprint(vs), " ", "|"), "[]"), err
			})
			done <- answer{strings.Join(got, " "), err}
		}()
		deadline := time.Now().Add(20 * time.Second)
		for waits := false; !waits && len(done) == 0 && time.Now().Before(deadline); {
			if err := look.QueryRow(ctx, "SELECT cardinality(pg_blocking_pids($1)) > 0", pid).Scan(&waits); err != nil {
				t.Fatal(err)
			}
		}
		exec(t, a, "COMMIT")
		got := <-done
		if got.err != nil {
			t.Fatalf("%s: %v", c.waits, got.err)
		}
		table := rowsText(t, look, "SELECT a, b, v, w FROM r ORDER BY a, b")
		if got.rows != c.got || table != c.table {
			t.Errorf("%s\nafter %s:\n{%q, %q}", c.waits, c.holds, got.rows, table)
		}
	}
}
