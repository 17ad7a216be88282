package servertest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// soon is a server whose rounds of automatic ANALYZE come every second.
func soon() server.Options {
	return server.Options{InMemory: true, Settings: map[string]string{"autovacuum_naptime": "1"}}
}

func steps(t testing.TB, c *pgx.Conn, sqls ...string) {
	t.Helper()
	for _, sql := range sqls {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// analyzedOf is what pg_stat_user_tables says of a table: how often it was analysed, and of itself, whether it tells
// when, and the rows written since.
func analyzedOf(t testing.TB, c *pgx.Conn, table string) string {
	t.Helper()
	return rowsText(t, c, fmt.Sprintf(`SELECT analyze_count, last_analyze IS NOT NULL, autoanalyze_count, last_autoanalyze IS NOT NULL, n_mod_since_analyze
		FROM pg_stat_user_tables WHERE relname = '%s'`, table))
}

func await(t testing.TB, c *pgx.Conn, table, want string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got := analyzedOf(t, c, table)
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %s, want %s", table, got, want)
		}
	}
}

// TestAutoAnalyze: tables that rows are written to are analysed within the naptime, by the rule of PostgreSQL's
// autovacuum, and then planned for by what they hold.
func TestAutoAnalyze(t *testing.T) {
	n := servertest.StartWith(t, soon())
	c := n.Connect(t)
	steps(t, c, "CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE TABLE off (k int) WITH (autovacuum_enabled = off)", "CREATE TABLE few (k int)",
		"CREATE TABLE often (k int) WITH (autovacuum_analyze_threshold = 5, autovacuum_analyze_scale_factor = 0)", "CREATE TEMP TABLE own (k int)",
		"INSERT INTO off SELECT generate_series(1, 5000)", "INSERT INTO own SELECT generate_series(1, 5000)", "INSERT INTO few SELECT generate_series(1, 50)",
		"INSERT INTO often SELECT generate_series(1, 6)", "INSERT INTO t SELECT i, i % 10 FROM generate_series(1, 5000) i")
	await(t, c, "t", "0|false|1|true|0")
	await(t, c, "often", "0|false|1|true|0")
	if got := rowsText(t, c, "SELECT reltuples FROM pg_class WHERE relname = 't'"); got != "5000" {
		t.Errorf("reltuples: %s", got)
	}
	if got := rowsText(t, c, "EXPLAIN SELECT * FROM t WHERE v = 3"); !strings.Contains(got, "rows=500 ") {
		t.Errorf("estimated: %s", got)
	}
	// 50 and a tenth of the rows are not enough, one more is.
	steps(t, c, "UPDATE t SET v = 1 WHERE k <= 300", "DELETE FROM t WHERE k > 4900", "INSERT INTO t SELECT i, 0 FROM generate_series(4901, 5050) i")
	time.Sleep(1500 * time.Millisecond)
	if got := analyzedOf(t, c, "t"); got != "0|false|1|true|550" {
		t.Errorf("after 550 rows: %s", got)
	}
	steps(t, c, "UPDATE t SET v = 1 WHERE k = 1")
	await(t, c, "t", "0|false|2|true|0")
	// ANALYZE counts for itself; of one column it leaves the others to be done.
	steps(t, c, "UPDATE t SET v = 2 WHERE k <= 7", "ANALYZE t (v)")
	if got := analyzedOf(t, c, "t"); got != "0|false|2|true|7" {
		t.Errorf("after ANALYZE of a column: %s", got)
	}
	steps(t, c, "ANALYZE t")
	if got := analyzedOf(t, c, "t"); got != "1|true|2|true|0" {
		t.Errorf("after ANALYZE: %s", got)
	}
	for table, want := range map[string]string{"off": "0|false|0|false|5000", "few": "0|false|0|false|50", "own": "0|false|0|false|5000"} {
		if got := analyzedOf(t, c, table); got != want {
			t.Errorf("%s: %s, want %s", table, got, want)
		}
	}
	// What is rolled back was not written.
	steps(t, c, "BEGIN", "INSERT INTO few SELECT generate_series(1, 5000)", "ROLLBACK")
	if got := analyzedOf(t, c, "few"); got != "0|false|0|false|50" {
		t.Errorf("rolled back: %s", got)
	}
}

// TestAutoAnalyzeOff: a server started with autovacuum = off leaves all tables alone.
func TestAutoAnalyzeOff(t *testing.T) {
	o := soon()
	o.Settings["autovacuum"] = "off"
	c := servertest.StartWith(t, o).Connect(t)
	steps(t, c, "CREATE TABLE t AS SELECT generate_series(1, 5000) AS k")
	time.Sleep(2500 * time.Millisecond)
	if got := analyzedOf(t, c, "t"); got != "0|false|0|false|5000" {
		t.Error(got)
	}
	if got := rowsText(t, c, "SHOW autovacuum") + rowsText(t, c, "SHOW autovacuum_naptime"); got != "off1s" {
		t.Error(got)
	}
}

// TestAutoAnalyzeLocked: a table that somebody has locked is left for later, and nobody waits for its lock.
func TestAutoAnalyzeLocked(t *testing.T) {
	n := servertest.StartWith(t, soon())
	c, holder := n.Connect(t), n.Connect(t)
	steps(t, c, "CREATE TABLE locked (k int)", "CREATE TABLE after (k int)")
	steps(t, holder, "INSERT INTO locked SELECT generate_series(1, 1000)", "BEGIN", "LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
	before := analyzedOf(t, c, "locked")
	steps(t, c, "INSERT INTO after SELECT generate_series(1, 1000)")
	await(t, c, "after", "0|false|1|true|0")
	time.Sleep(1500 * time.Millisecond)
	if got := analyzedOf(t, c, "locked"); got != before {
		t.Errorf("locked: %s, before %s", got, before)
	}
	steps(t, holder, "COMMIT")
	await(t, c, "locked", "0|false|1|true|0")
}

// heldStore keeps scans of the table "slow" waiting while it is shut.
type heldStore struct {
	vexec.Store
	gate *gate
}

type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-open:
		return nil
	}
}

func (s *heldStore) Scan(ctx context.Context, scan *planpb.Scan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	if scan.GetTable().GetName() == "slow" {
		if err := s.gate.wait(ctx); err != nil {
			return nil, false, err
		}
	}
	return s.Store.Scan(ctx, scan, req)
}

// TestAutoAnalyzeYields: while a table is read, it may be altered and dropped at once, statistics of the table it
// was are thrown away, and the analysis shows and can be cancelled.
func TestAutoAnalyzeYields(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	o := soon()
	o.TestingStore = func(s vexec.Store) vexec.Store { return &heldStore{s, g} }
	n := servertest.StartWith(t, o)
	c := n.Connect(t)
	steps(t, c, "CREATE TABLE slow (k int)", "INSERT INTO slow SELECT generate_series(1, 1000)")
	worker := func() string {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if got := rowsText(t, c, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query = 'autovacuum: ANALYZE public.slow' AND state = 'active'"); got != "" {
				return got
			}
			if time.Now().After(end) {
				t.Fatal("no worker")
			}
		}
	}
	worker()
	steps(t, c, "SET lock_timeout = '2s'", "ALTER TABLE slow ALTER k SET DEFAULT 7", "ALTER TABLE slow ADD v int")
	close(g.open)
	await(t, c, "slow", "0|false|1|true|0") // of the next round
	if got := rowsText(t, c, "SELECT attname FROM pg_stats WHERE tablename = 'slow' ORDER BY 1"); got != "k v" {
		t.Errorf("statistics of %s", got)
	}
	g.mu.Lock()
	g.open = make(chan struct{})
	g.mu.Unlock()
	steps(t, c, "INSERT INTO slow SELECT generate_series(1, 1000)")
	first := worker()
	if got := rowsText(t, c, "SELECT pg_cancel_backend("+first+")"); got != "true" {
		t.Errorf("cancelled: %s", got)
	}
	for end := time.Now().Add(10 * time.Second); worker() == first; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it goes on")
		}
	}
	steps(t, c, "DROP TABLE slow")
}

// TestAnalyzedLasts: what is known of statistics, and the rows written since, outlive the server.
func TestAnalyzedLasts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	ctx := context.Background()
	for _, want := range []string{"1|true|0|false|3", "1|true|0|false|3"} {
		s, err := server.Open(ctx, server.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		addr, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", addr))
		if err != nil {
			t.Fatal(err)
		}
		steps(t, c, "CREATE TABLE IF NOT EXISTS t (k int)")
		if analyzedOf(t, c, "t") == "0|false|0|false|0" {
			steps(t, c, "INSERT INTO t SELECT generate_series(1, 100)", "ANALYZE t", "DELETE FROM t WHERE k <= 3")
		}
		if got := analyzedOf(t, c, "t"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		c.Close(ctx)
		if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
