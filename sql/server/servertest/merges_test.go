package servertest_test

import (
	"context"
	"testing"

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
