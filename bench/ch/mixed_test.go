package ch

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpcc"
	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestMixed has analysts ask while transactions run: every snapshot balances and is fresh.
func TestMixed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	size := tpcc.Size{Warehouses: 2, Items: 1000, Customers: 60}
	for name, args := range map[string][]string{"lone": nil, "pieces": {"--columns", "always", "--tablets", "4", "--local-sites", "2"}} {
		t.Run(name, func(t *testing.T) {
			if name != "lone" && testing.Short() {
				t.Skip("lone is enough")
			}
			n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
			conn := n.Connect(ctx)
			defer conn.Close(ctx)
			if _, err := tpcc.Load(ctx, conn, size, 1, false, nil); err != nil {
				t.Fatal(err)
			}
			if err := Load(ctx, conn, 1); err != nil {
				t.Fatal(err)
			}
			connect := func(ctx context.Context) (*pgconn.PgConn, error) { return pgconn.Connect(ctx, n.DSN()) }
			r, err := Mixed(ctx, connect, Options{TPCC: tpcc.Options{Size: size, Clients: 4, Time: 5 * time.Second, Seed: 1}, Analysts: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.0f tpmC, %d queries, %d snapshots", r.TPCC.TpmC, r.Queries, r.Snapshots)
			if r.Snapshots == 0 || r.TPCC.TpmC == 0 {
				t.Fatal("the test did not test")
			}
			if err := tpcc.Check(ctx, conn, size); err != nil {
				t.Fatal(err)
			}
			n.Stop()
		})
	}
}

// TestFreshnessNotices shows the check snapshots that are old or no moment at all.
func TestFreshnessNotices(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	size := tpcc.Size{Warehouses: 1, Items: 100, Customers: 10}
	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"))
	conn := n.Connect(ctx)
	defer conn.Close(ctx)
	if _, err := tpcc.Load(ctx, conn, size, 1, false, nil); err != nil {
		t.Fatal(err)
	}
	ledger := tpcc.NewLedger(size, false)
	f, err := newFreshness(ctx, conn, size, ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.check(ctx, conn, ledger.Marks(), true); err != nil {
		t.Fatal(err)
	}
	old := func(change func(tpcc.Marks)) {
		m := ledger.Marks()
		change(m)
		if err := f.check(ctx, conn, m, true); err == nil || !strings.Contains(err.Error(), "is old") {
			t.Errorf("an old snapshot: %v", err)
		}
	}
	old(func(m tpcc.Marks) { m.Paid[3] = 1 })
	old(func(m tpcc.Marks) { m.LastOrder[3] = 11 })
	for _, sql := range []string{
		"update warehouse set w_ytd = w_ytd + 1", "update district set d_ytd = d_ytd + 1 where d_id = 2", "delete from history where h_c_id = 3",
		"update district set d_next_o_id = 5 where d_id = 2", "delete from orders where o_id = 10", "delete from order_line where ol_o_id = 3 and ol_number = 1",
	} {
		if err := exec(ctx, conn, "begin; "+sql); err != nil {
			t.Fatal(err)
		}
		if err := f.check(ctx, conn, ledger.Marks(), true); err == nil || !strings.Contains(err.Error(), "does not balance") {
			t.Errorf("after %s: %v", sql, err)
		}
		if err := exec(ctx, conn, "rollback"); err != nil {
			t.Fatal(err)
		}
	}
}
