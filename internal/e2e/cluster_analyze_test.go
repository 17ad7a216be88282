package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestClusterAutoAnalyze: the first node analyses what rows are written to through any gateway, once, and a
// joined gateway nothing of its own.
func TestClusterAutoAnalyze(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Setenv("BASALT_START_ARGS", "--set autovacuum_naptime=1s")
	cl := nodetest.StartCluster(t, 2)
	first, joined := session(t, cl.First), session(t, cl.Gateway())
	for _, sql := range []string{"CREATE TABLE t (k int PRIMARY KEY, v int)", "INSERT INTO t SELECT i, i % 10 FROM generate_series(1, 1000) i"} {
		if _, err := joined.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const stat = "SELECT concat_ws(' ', autoanalyze_count, n_mod_since_analyze) FROM pg_stat_user_tables WHERE relname = 't'"
	await := func(want string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			got := text(first, stat)
			if got == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	}
	await("1 0")
	if got := text(joined, "SELECT reltuples::int FROM pg_class WHERE relname = 't'"); got != "1000" {
		t.Errorf("reltuples: %s", got)
	}
	if _, err := joined.Exec(context.Background(), "UPDATE t SET v = 1 WHERE k <= 100"); err != nil {
		t.Fatal(err)
	}
	await("1 100")
	if _, err := joined.Exec(context.Background(), "UPDATE t SET v = 2 WHERE k <= 60"); err != nil {
		t.Fatal(err)
	}
	await("2 0")
	if got := text(joined, "SELECT autoanalyze_count FROM pg_stat_user_tables WHERE relname = 't'"); got != "0" {
		t.Errorf("the joined gateway has analysed %s times", got)
	}
}
