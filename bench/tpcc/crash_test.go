package tpcc

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// crashRounds is how often the server is killed.
const crashRounds = 8

// TestKillDuringRun kills the server with SIGKILL in the middle of a run, again and again. After each restart the
// consistency conditions must hold, and every order whose COMMIT was acknowledged must be there.
func TestKillDuringRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills a server again and again")
	}
	t.Run("lone", func(t *testing.T) { killDuringRun(t, crashRounds) })
	t.Run("tablets", func(t *testing.T) { killDuringRun(t, crashRounds/2, "--tablets", "4") })
}

func killDuringRun(t *testing.T, rounds int, args ...string) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
	conn := n.Connect(ctx)
	if _, err := Load(ctx, conn, small, 1, false, nil); err != nil {
		t.Fatal(err)
	}
	conn.Close(ctx)
	ledger := NewLedger(small, true)
	for round := range rounds {
		var killed atomic.Bool
		done, dsn := make(chan error, 1), n.DSN()
		go func() {
			_, err := Run(ctx, func(ctx context.Context) (*pgconn.PgConn, error) { return pgconn.Connect(ctx, dsn) },
				Options{Size: small, Clients: 8, Time: time.Minute, Seed: rng.Uint64(), Ledger: ledger})
			if !killed.Load() {
				t.Errorf("round %d: the run has ended by itself: %v", round, err)
			}
			done <- err
		}()
		time.Sleep(time.Duration(300+rand.IntN(700)) * time.Millisecond)
		killed.Store(true)
		n.Kill()
		<-done
		n.Restart()
		conn := n.Connect(ctx)
		if err := Check(ctx, conn, small); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := CheckOrders(ctx, conn, ledger.Orders()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		conn.Close(ctx)
	}
	if len(ledger.Orders()) < rounds {
		t.Fatalf("only %d orders in %d rounds: the test did not test", len(ledger.Orders()), rounds)
	}
	n.Stop()
	n.CheckData()
	t.Logf("%d acknowledged orders survived %d kills", len(ledger.Orders()), rounds)
}
