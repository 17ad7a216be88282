package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestClusterDrops: many tables that are dropped at once are removed from the nodes, and no node loses
// its lease over it.
func TestClusterDrops(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	cl := nodetest.StartCluster(t, 2)
	s := session(t, cl.First)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	const tables = 400
	var sql strings.Builder
	for i := range tables {
		fmt.Fprintf(&sql, "CREATE TABLE dropped%d (k int PRIMARY KEY, v text UNIQUE); INSERT INTO dropped%d VALUES (1, 'a'), (2, 'b');", i, i)
	}
	for i := range tables {
		fmt.Fprintf(&sql, "DROP TABLE dropped%d;", i)
	}
	if _, err := s.PgConn().Exec(ctx, sql.String()).ReadAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(ctx, "CREATE TABLE kept (k int PRIMARY KEY); INSERT INTO kept SELECT generate_series(1, 100)"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got := text(s, "SELECT count(*) FROM kept"); got != "100" {
			t.Fatalf("while tables are removed: %s", got)
		}
	}
	for _, n := range cl.Storage {
		if log := n.Log(); strings.Contains(log, "lost its lease") {
			t.Errorf("a node has lost its lease:\n%s", log)
		}
	}
}
