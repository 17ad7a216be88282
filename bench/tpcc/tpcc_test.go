package tpcc

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// small is a size for tests.
var small = Size{Warehouses: 2, Items: 1000, Customers: 60}

func TestDataDependOnTheSeedOnly(t *testing.T) {
	for _, name := range Tables() {
		var a, b, other bytes.Buffer
		for _, w := range []*bytes.Buffer{&a, &b} {
			if err := Write(w, name, small, 1, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := Write(&other, name, small, 2, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) || a.Len() == 0 {
			t.Errorf("%s differs from run to run", name)
		}
		if bytes.Equal(a.Bytes(), other.Bytes()) != (name == "new_order") {
			t.Errorf("%s: another seed", name)
		}
	}
}

// TestPopulation counts what clause 4.3.3.1 prescribes.
func TestPopulation(t *testing.T) {
	count := func(name string, s Size) int {
		var b bytes.Buffer
		if err := Write(&b, name, s, 1, nil); err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b.Bytes(), []byte("\n"))
	}
	for name, want := range map[string]int{"item": 100_000, "warehouse": 1, "stock": 100_000, "district": 10, "customer": 30_000, "history": 30_000, "orders": 30_000, "new_order": 9000} {
		if got := count(name, Spec(1)); got != want {
			t.Errorf("%s: %d rows, want %d", name, got, want)
		}
	}
	if n := count("order_line", Spec(1)); n < 297_000 || n > 303_000 {
		t.Errorf("order_line: %d rows", n)
	}
	var b bytes.Buffer
	if err := Write(&b, "item", Spec(1), 1, nil); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "ORIGINAL"); n < 9500 || n > 10_500 {
		t.Errorf("%d items are original", n)
	}
	if lastName(371) != "PRICALLYOUGHT" || lastName(0) != "BARBARBAR" {
		t.Error(lastName(371), lastName(0))
	}
	if d := cLastLoad - cLastRun; d < 65 || d > 119 || d == 96 || d == 112 {
		t.Errorf("the constants of C_LAST differ by %d", d)
	}
}

// TestRun runs the mix at every isolation level, with and without foreign keys, and checks the conditions
// meanwhile and after it.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for name, args := range map[string][]string{"lone": nil, "tablets": {"--tablets", "4"}, "columns": {"--columns", "always"}} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "lone" {
				t.Skip("lone is enough")
			}
			n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
			conn := n.Connect(ctx)
			defer conn.Close(ctx)
			if _, err := Load(ctx, conn, small, 1, name == "lone", nil); err != nil {
				t.Fatal(err)
			}
			if err := Check(ctx, conn, small); err != nil {
				t.Fatal(err)
			}
			levels := []string{"", "repeatable read", "serializable"}
			if name == "tablets" {
				levels = levels[:2]
			}
			for i, level := range levels {
				ledger := NewLedger(small, true)
				o := Options{Size: small, Clients: 4, Time: time.Second, Seed: uint64(i), Isolation: level, Ledger: ledger}
				done := make(chan error, 1)
				go func() {
					r, err := Run(ctx, func(ctx context.Context) (*pgconn.PgConn, error) { return pgconn.Connect(ctx, n.DSN()) }, o)
					if err == nil {
						t.Logf("%q: %.0f tpmC, %d serialization failures, %d deadlocks, %d rolled back, %d skipped", level, r.TpmC, r.Serialization, r.Deadlocks, r.RolledBack, r.Skipped)
					}
					done <- err
				}()
				for k := 0; ; k++ {
					select {
					case err := <-done:
						if err != nil {
							t.Fatal(err)
						}
					default:
						if err := CheckCondition(ctx, conn, k%Conditions+1, small); err != nil {
							t.Fatalf("%q, meanwhile: %v", level, err)
						}
						continue
					}
					break
				}
				if err := Check(ctx, conn, small); err != nil {
					t.Fatalf("%q: %v", level, err)
				}
				if err := CheckOrders(ctx, conn, ledger.Orders()); err != nil {
					t.Fatalf("%q: %v", level, err)
				}
			}
			n.Stop()
			n.CheckData()
		})
	}
}

// TestChecksNotice breaks every condition, one after the other.
func TestChecksNotice(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"))
	conn := n.Connect(ctx)
	defer conn.Close(ctx)
	if _, err := Load(ctx, conn, small, 1, false, nil); err != nil {
		t.Fatal(err)
	}
	for condition, sql := range map[int]string{
		1:  "update warehouse set w_ytd = w_ytd + 0.01 where w_id = 1",
		2:  "update district set d_next_o_id = d_next_o_id + 1 where d_w_id = 2 and d_id = 10",
		3:  "delete from new_order where no_w_id = 1 and no_d_id = 3 and no_o_id = 55",
		4:  "delete from order_line where ol_w_id = 1 and ol_d_id = 3 and ol_o_id = 60 and ol_number = 1",
		5:  "update orders set o_carrier_id = 1 where o_w_id = 1 and o_d_id = 3 and o_id = 60",
		6:  "update order_line set ol_number = 99, ol_o_id = 1 where ol_w_id = 1 and ol_d_id = 3 and ol_o_id = 60 and ol_number = 1",
		7:  "update order_line set ol_delivery_d = null where ol_w_id = 1 and ol_d_id = 3 and ol_o_id = 1 and ol_number = 1",
		8:  "delete from history where h_w_id = 2 and h_d_id = 1 and h_c_id = 5",
		9:  "update history set h_d_id = 2 where h_w_id = 2 and h_d_id = 1 and h_c_id = 5",
		10: "update customer set c_balance = c_balance + 0.01 where c_w_id = 2 and c_d_id = 1 and c_id = 5",
		11: "update customer set c_delivery_cnt = c_delivery_cnt + 1 where c_w_id = 2 and c_d_id = 1 and c_id = 5",
		12: "update customer set c_ytd_payment = c_ytd_payment + 0.01 where c_w_id = 2 and c_d_id = 1 and c_id = 5",
	} {
		if err := CheckCondition(ctx, conn, condition, small); err != nil {
			t.Fatal(err)
		}
		if err := exec(ctx, conn, "begin; "+sql); err != nil {
			t.Fatal(err)
		}
		if err := CheckCondition(ctx, conn, condition, small); err == nil {
			t.Errorf("condition %d holds after %s", condition, sql)
		}
		if err := exec(ctx, conn, "rollback"); err != nil {
			t.Fatal(err)
		}
	}
	if err := CheckOrders(ctx, conn, []Order{{Warehouse: 1, District: 1, ID: 61, Customer: 1, Lines: 5}}); err == nil {
		t.Error("an order that is not there is not missed")
	}
}
