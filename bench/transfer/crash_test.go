package transfer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/transfer"
	"github.com/basaltdb/basalt/internal/nodetest"
)

// crashRounds is how often the server is killed.
const crashRounds = 20

// TestKillDuringTransfers kills the server with SIGKILL in the middle of
// transfers, again and again. After each restart the sums must agree, and every
// history row whose COMMIT was acknowledged must be there.
func TestKillDuringTransfers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills a server twenty times")
	}
	t.Run("lone", func(t *testing.T) { killDuringTransfers(t, crashRounds) })
	t.Run("tablets", func(t *testing.T) { killDuringTransfers(t, crashRounds/2, "--tablets", "8") })
}

func killDuringTransfers(t *testing.T, rounds int, args ...string) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()

	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
	conn := n.Connect(ctx)
	if err := transfer.Init(ctx, conn, 1, nil); err != nil {
		t.Fatal(err)
	}
	conn.Close(ctx)

	acknowledged := map[string]bool{}
	for round := range rounds {
		acked := transfersUntilKilled(ctx, n, round, time.Duration(200+rng.IntN(800))*time.Millisecond, rng.Uint64())
		for _, id := range acked {
			acknowledged[id] = true
		}
		n.Restart()
		conn := n.Connect(ctx)
		if err := transfer.Check(ctx, conn, true); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		res := conn.ExecParams(ctx, "select trim(filler), count(*) from pgbench_history group by filler", nil, nil, nil, nil).Read()
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		there := map[string]bool{}
		for _, row := range res.Rows {
			if string(row[1]) != "1" {
				t.Fatalf("round %d: history row %s is there %s times", round, row[0], row[1])
			}
			there[string(row[0])] = true
		}
		for id := range acknowledged {
			if !there[id] {
				t.Fatalf("round %d: acknowledged transfer %s is lost", round, id)
			}
		}
		conn.Close(ctx)
	}
	if len(acknowledged) < rounds {
		t.Fatalf("only %d transfers in %d rounds: the test did not test", len(acknowledged), rounds)
	}
	n.Stop()
	n.CheckData()
	t.Logf("%d acknowledged transfers survived %d kills", len(acknowledged), rounds)
}

// transfersUntilKilled runs eight clients, kills the server after a while, and
// returns the ids of the transfers whose COMMIT was acknowledged.
func transfersUntilKilled(ctx context.Context, n *nodetest.Node, round int, after time.Duration, seed uint64) []string {
	var (
		mu    sync.Mutex
		acked []string
		wg    sync.WaitGroup
	)
	conns := make([]*pgconn.PgConn, 8)
	for i := range conns {
		conns[i] = n.Connect(ctx)
	}
	for i, conn := range conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for k := 0; ; k++ {
				id := fmt.Sprintf("%d.%d.%d", round, i, k)
				aid, tid, delta := 1+rng.IntN(100000), 1+rng.IntN(10), rng.IntN(10001)-5000
				sql := fmt.Sprintf(`BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + %[1]d WHERE aid = %[2]d;
UPDATE pgbench_tellers SET tbalance = tbalance + %[1]d WHERE tid = %[3]d;
UPDATE pgbench_branches SET bbalance = bbalance + %[1]d WHERE bid = 1;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) VALUES (%[3]d, 1, %[2]d, %[1]d, CURRENT_TIMESTAMP, '%[4]s');
COMMIT`, delta, aid, tid, id)
				if err := conn.Exec(ctx, sql).Close(); err != nil {
					return // killed
				}
				mu.Lock()
				acked = append(acked, id)
				mu.Unlock()
			}
		}()
	}
	time.Sleep(after)
	n.Kill()
	wg.Wait()
	for _, c := range conns {
		closeCtx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		c.Close(closeCtx) // the connection is gone already
		cancel()
	}
	return acked
}
