package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestVacuumMerges sees VACUUM move a table into column segments, over and over
// between changes, with a snapshot from before that must not notice.
func TestVacuumMerges(t *testing.T) {
	ctx := context.Background()
	n := servertest.Start(t)
	c, old := n.Connect(t), n.Connect(t)
	exec(t, c, "CREATE TABLE m (id int PRIMARY KEY, v int, note text)")
	exec(t, c, "INSERT INTO m SELECT i, i, 'row ' || i FROM generate_series(1, 20000) i")
	exec(t, c, "ALTER TABLE m ADD COLUMN added int DEFAULT 7")
	merges := func() (segments, rows, delta int64) {
		t.Helper()
		if err := c.QueryRow(ctx, "SELECT sum(segments), sum(segment_rows), sum(delta_rows) FROM basalt.merges WHERE relation = 'm'::regclass").Scan(&segments, &rows, &delta); err != nil {
			t.Fatal(err)
		}
		return segments, rows, delta
	}
	sums := "SELECT count(*), coalesce(sum(v), 0), coalesce(sum(added), 0), count(*) FILTER (WHERE note = 'row ' || id) FROM m"
	look := func() (got [4]int64) {
		t.Helper()
		if err := c.QueryRow(ctx, sums).Scan(&got[0], &got[1], &got[2], &got[3]); err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := look()
	exec(t, c, "VACUUM ANALYZE m")
	if segments, rows, _ := merges(); segments == 0 || rows != 20000 {
		t.Fatalf("%d segments, %d rows", segments, rows)
	}
	if got := look(); got != before {
		t.Fatalf("%v before, %v after", before, got)
	}
	exec(t, old, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	oldLook := func() (got [4]int64) {
		t.Helper()
		if err := old.QueryRow(ctx, sums).Scan(&got[0], &got[1], &got[2], &got[3]); err != nil {
			t.Fatal(err)
		}
		return got
	}
	oldLook()
	exec(t, c, "UPDATE m SET v = v + 1 WHERE id % 10 = 0")
	exec(t, c, "DELETE FROM m WHERE id % 10 = 1")
	exec(t, c, "INSERT INTO m SELECT i, i, 'row ' || i FROM generate_series(20001, 21000) i")
	changed := look()
	exec(t, c, "VACUUM m")
	if got := oldLook(); got != before {
		t.Fatalf("the old snapshot saw %v, sees %v", before, got)
	}
	exec(t, old, "COMMIT")
	exec(t, c, "VACUUM m")
	if got := look(); got != changed {
		t.Fatalf("%v before, %v after", changed, got)
	}
	if _, rows, _ := merges(); rows != 19000 {
		t.Fatalf("%d rows in segments", rows)
	}
	exec(t, c, "TRUNCATE m")
	if got := look(); got[0] != 0 {
		t.Fatal(got)
	}
	n.Check(t, "after merges")
}

// TestBulkInAnyOrder inserts many rows in an order that is not the key's: they become
// segments all the same, and a key that comes twice is found wherever its first row went.
func TestBulkInAnyOrder(t *testing.T) {
	ctx := context.Background()
	n := servertest.Start(t)
	c := n.Connect(t)
	exec(t, c, "CREATE TABLE m (id int PRIMARY KEY, v int)")
	insert := "INSERT INTO m SELECT (i * 7919) % 60000, i FROM generate_series(0, 59999) i"
	// A key among the first rows, and one among those in bulk, come again at the end.
	for _, again := range []int{10, 45000} {
		_, err := c.Exec(ctx, fmt.Sprintf("%s UNION ALL SELECT (%d * 7919) %% 60000, -1", insert, again))
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "23505" {
			t.Fatalf("row %d again: %v", again, err)
		}
	}
	exec(t, c, insert)
	var rows, distinct, sum, inSegments int64
	if err := c.QueryRow(ctx, "SELECT count(*), count(DISTINCT id), sum(v) FROM m").Scan(&rows, &distinct, &sum); err != nil {
		t.Fatal(err)
	}
	if rows != 60000 || distinct != 60000 || sum != 59999*30000 {
		t.Fatalf("%d rows, %d keys, sum %d", rows, distinct, sum)
	}
	if err := c.QueryRow(ctx, "SELECT sum(segment_rows) FROM basalt.merges WHERE relation = 'm'::regclass").Scan(&inSegments); err != nil {
		t.Fatal(err)
	}
	if inSegments < 40000 {
		t.Errorf("%d of %d rows in segments", inSegments, rows)
	}
}
