package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestClusterColumnStatistics: a gateway without data plans with what the column segments of the storage
// nodes know, before the table is analysed, and counts the rows that the nodes write.
func TestClusterColumnStatistics(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Setenv("BASALT_START_ARGS", "--columns always")
	cl := nodetest.StartCluster(t, 2)
	s := session(t, cl.First)
	if _, err := s.Exec(context.Background(), "CREATE TABLE measured (k int PRIMARY KEY, few int)"); err != nil {
		t.Fatal(err)
	}
	const rows, values = 300_000, 5
	for lo := 0; lo < rows; lo += 50_000 {
		if _, err := s.Exec(context.Background(), fmt.Sprintf("INSERT INTO measured SELECT i, i %% %d FROM generate_series(%d, %d) i", values, lo, lo+49_999)); err != nil {
			t.Fatal(err)
		}
	}
	estimate := func(where string) (n int) {
		r, err := s.Query(context.Background(), "EXPLAIN SELECT * FROM measured "+where)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for r.Next() {
			var line string
			if err := r.Scan(&line); err != nil {
				t.Fatal(err)
			}
			if _, after, ok := strings.Cut(line, "rows="); ok && strings.Contains(line, "Scan on measured") {
				fmt.Sscanf(after, "%d", &n)
			}
		}
		return n
	}
	const few = "WHERE few = 1"
	first := estimate(few)
	await := func(what, where string, rows int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			if n := estimate(where); n > rows*8/10 && n < rows*12/10 {
				t.Logf("%s: %d rows estimated, %d at first", what, n, first)
				return
			} else if time.Now().After(end) {
				t.Fatalf("%s: %d rows estimated, %d at first; there are %d", what, n, first, rows)
			}
		}
	}
	await("with segments", few, rows/values)
	// Rows that the nodes write for a statement are counted.
	await("inserted", "", rows)
	// So many are deleted that kept plans are outgrown (plan.TableSize.Drifted).
	const deleted = 250_000
	if _, err := s.Exec(context.Background(), fmt.Sprintf("DELETE FROM measured WHERE k < %d", deleted)); err != nil {
		t.Fatal(err)
	}
	await("deleted", "", rows-deleted)
	await("deleted", few, (rows-deleted)/values)
}
