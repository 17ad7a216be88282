package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// bankTime is how long TestClusterBank transfers in peace, and again with kills:
// go test ./internal/e2e -run TestClusterBank -bank 5m -timeout 20m, and once more with
// BASALT_START_ARGS='--columns always'
var bankTime = flag.Duration("bank", 0, "how long TestClusterBank runs in peace, and with kills; 0: some seconds in peace (TestClusterKills has the kills)")

var bankPeace = flag.Duration("bank-peace", 0, "how long TestClusterBank runs in peace, if not as long as -bank says")

// TestClusterBank transfers across tablets through two gateways beside sums of the whole table. In peace
// nothing may fail. Then gateways and storage nodes are killed with SIGKILL at random and
// started again: no sum is ever wrong, no acknowledged transfer is lost, and what a dead gateway had
// locked is free within ten seconds.
func TestClusterBank(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	peace, kills := *bankTime, *bankTime
	if *bankPeace != 0 {
		peace = *bankPeace
	} else if peace == 0 {
		peace = 4 * time.Second
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	cl := nodetest.StartCluster(t, 3, "--tablets", "6")
	other := cl.Gateway()
	b := &bank{accounts: 200, dsn: []string{cl.First.DSN(), other.DSN()}}
	b.setUp(t, session(t, cl.First))

	defer func() { // what do they all wait for?
		if !t.Failed() || *bankTime == 0 {
			return
		}
		for i, n := range append([]*nodetest.Node{cl.First, other}, cl.Storage...) {
			file := filepath.Join(os.TempDir(), fmt.Sprintf("basalt-bank-%d-%d.txt", os.Getpid(), i))
			if err := os.WriteFile(file, []byte(n.Dump()), 0o600); err == nil {
				t.Logf("node %d: %s", i, file)
			}
		}
	}()

	const workers, readers = 6, 3
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var done sync.WaitGroup
	tags := make([][]string, workers)
	for w := range workers {
		done.Add(1)
		go func() {
			defer done.Done()
			b.run(ctx, t, w, &tags[w])
		}()
	}
	for w := range readers {
		done.Add(1)
		go func() {
			defer done.Done()
			b.sums(ctx, t, w)
		}()
	}
	sleep := func(d time.Duration) bool {
		for end := time.Now().Add(d); time.Now().Before(end) && !t.Failed(); {
			time.Sleep(min(100*time.Millisecond, time.Until(end)))
		}
		return !t.Failed()
	}
	sleep(peace)
	t.Logf("in peace: %d transfers, %d sums", b.acked.Load(), b.summed.Load())
	b.failed.Range(func(k, _ any) bool { t.Errorf("in peace some failed with %v", k); return true })
	if b.acked.Load() < 10 || b.summed.Load() < 10 {
		t.Errorf("%d transfers, %d sums: the test did not test", b.acked.Load(), b.summed.Load())
	}

	count := map[string]int{}
	var longest time.Duration
	for end := time.Now().Add(kills); time.Now().Before(end) && !t.Failed(); {
		what := []string{"storage", "storage", "gateway", "first", "two at once"}[rng.IntN(5)]
		count[what]++
		down := time.Duration(rng.IntN(1500)) * time.Millisecond
		was := b.acked.Load()
		switch what {
		case "storage":
			s := cl.Storage[rng.IntN(len(cl.Storage))]
			s.Kill()
			sleep(down)
			s.Restart()
		case "two at once":
			k := rng.IntN(len(cl.Storage))
			cl.Storage[k].Kill()
			other.Kill()
			sleep(down)
			cl.Storage[k].Restart()
			other.Restart()
			b.moved(1, other.DSN())
		case "gateway":
			longest = max(longest, locksOfDead(t, b, cl.First, other))
			sleep(down)
			other.Restart()
			b.moved(1, other.DSN())
		case "first":
			cl.First.Kill()
			sleep(down)
			cl.First.Restart()
			b.moved(0, cl.First.DSN())
		}
		// what is back works on
		for end := time.Now().Add(30 * time.Second); b.acked.Load() < was+20 && !t.Failed(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("nothing moves after a kill: %s", what)
			}
		}
		sleep(time.Duration(500+rng.IntN(2500)) * time.Millisecond)
	}
	stop()
	done.Wait()
	if kills > 0 {
		t.Logf("kills: %v; locks of dead gateways were held for %s at most", count, longest.Round(time.Millisecond))
	}
	b.verify(t, session(t, other), tags)
}

// locksOfDead kills a gateway that holds locks and tells how long another waits for them.
func locksOfDead(t *testing.T, b *bank, alive, dead *nodetest.Node) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	holder, err := pgx.Connect(ctx, dead.DSN())
	if err != nil {
		t.Error(err)
		return 0
	}
	defer holder.Close(context.Background())
	lock := fmt.Sprintf("SELECT id FROM accounts WHERE id <= %d ORDER BY id FOR UPDATE", b.accounts/2)
	for range 50 {
		if _, err = holder.Exec(ctx, "BEGIN; "+lock); err == nil {
			break
		}
		holder.Exec(ctx, "ROLLBACK")
	}
	if err != nil {
		t.Errorf("taking the locks: %v", err)
		return 0
	}
	dead.Kill()
	killed := time.Now()
	probe, err := pgx.Connect(ctx, alive.DSN())
	if err != nil {
		t.Error(err)
		return 0
	}
	defer probe.Close(context.Background())
	if _, err := probe.Exec(ctx, "SELECT id FROM accounts WHERE id = 1 FOR UPDATE"); err != nil {
		t.Errorf("locks of a dead gateway: %v", err)
	}
	d := time.Since(killed)
	if d > 10*time.Second {
		t.Errorf("locks of a dead gateway were held for %s", d)
	}
	return d
}
