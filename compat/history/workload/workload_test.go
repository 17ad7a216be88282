package workload_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/compat/history"
	"github.com/basaltdb/basalt/compat/history/workload"
	"github.com/basaltdb/basalt/internal/nodetest"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/basaltdb/basalt/storage/columns"
)

// go test ./compat/history/workload -run TestKills -history 10m -timeout 1h
var (
	long      = flag.Duration("history", 0, "how long each level of a test runs; 0: some seconds")
	seed      = flag.Uint64("history-seed", uint64(time.Now().UnixNano()), "the seed of the choices")
	only      = flag.String("history-only", "", "only these workloads, separated by commas")
	onlyLevel = flag.String("history-level", "", "only this level")
)

// levels runs f at each level.
func levels(t *testing.T, f func(t *testing.T, o workload.Options)) {
	for l := history.ReadCommitted; l <= history.Serializable; l++ {
		if *onlyLevel != "" {
			if only, err := history.ParseLevel(*onlyLevel); err != nil || l != only {
				continue
			}
		}
		t.Run(l.String(), func(t *testing.T) {
			o := workload.Options{Level: l, Clients: 6, Seed: *seed, Log: t.Logf}
			if *only != "" {
				o.Workloads = strings.Split(*only, ",")
			}
			if o.Time = *long; o.Time == 0 {
				o.Round = 700 * time.Millisecond // one round of each
			}
			f(t, o)
		})
	}
}

// judge runs and wants nothing to be found.
func judge(t *testing.T, o workload.Options) {
	t.Helper()
	verdicts, err := workload.Run(t.Context(), o)
	for _, v := range verdicts {
		t.Log(v)
		if len(v.Anomalies) > 0 {
			t.Errorf("%s at %s: %d anomalies", v.Workload, o.Level, len(v.Anomalies))
		}
		if v.Rounds > 0 && v.Committed == 0 {
			t.Errorf("%s at %s: nothing was committed", v.Workload, o.Level)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestInProcess runs the workloads on a node inside the test, for the race detector. Its
// rows lie in column segments; once more over several tablets.
func TestInProcess(t *testing.T) {
	for _, tablets := range []int{1, 4} {
		if tablets > 1 && testing.Short() {
			continue
		}
		n := servertest.StartWith(t, server.Options{InMemory: true, Tablets: tablets, Columns: columns.Options{Mode: columns.Always}})
		levels(t, func(t *testing.T, o workload.Options) {
			o.Targets = func() []string { return []string{n.DSN("postgres")} }
			judge(t, o)
		})
	}
}

// TestKills kills the server with SIGKILL meanwhile and starts it again: what was
// acknowledged stays, what was not comes whole or not at all. BASALT_BUILD_FLAGS=-race has
// the race detector look on.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills a server")
	}
	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), "--columns", "always")
	var dsn atomic.Value
	dsn.Store(n.DSN())
	levels(t, func(t *testing.T, o workload.Options) {
		o.Targets = func() []string { return []string{dsn.Load().(string)} }
		if o.Time == 0 {
			o.Round, o.Workloads = 3*time.Second, []string{"txns", "bank", "counter"}
		}
		kills := whileKilling(t, o, func(*rand.Rand) {
			n.Kill()
			wantNoRace(t, n)
			n.Restart()
			dsn.Store(n.DSN())
		})
		t.Logf("%d kills", kills)
		if kills == 0 {
			t.Error("nothing was killed")
		}
	})
	n.Stop()
	wantNoRace(t, n)
	n.CheckData()
}

// wantNoRace looks for a race in what a process has printed that does not run any more.
func wantNoRace(t *testing.T, n *nodetest.Node) {
	if _, race, found := strings.Cut(n.Log(), "WARNING: DATA RACE"); found {
		t.Errorf("a data race:%s", race)
	}
}

// whileKilling runs and judges, with kill called now and then once the tables are made, and
// tells how often. Slow starts make for longer lives.
func whileKilling(t *testing.T, o workload.Options, kill func(rng *rand.Rand)) int {
	ready, done := make(chan struct{}), make(chan struct{})
	o.Faults, o.Ready = true, func() { close(ready) }
	go func() {
		defer close(done)
		judge(t, o)
	}()
	defer func() { <-done }()
	select {
	case <-ready:
	case <-done:
		return 0
	}
	rng := rand.New(rand.NewPCG(o.Seed, 7))
	var took time.Duration
	for kills := 0; ; kills++ {
		select {
		case <-done:
			return kills
		case <-time.After(time.Duration(500+rng.IntN(1500))*time.Millisecond + 2*took):
			began := time.Now()
			kill(rng)
			took = time.Since(began)
		}
	}
}

// TestCluster runs the workloads through two gateways over three storage nodes, in peace,
// and with kills of any of them when -history says how long. A level that several nodes
// refuse is left out.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	cl := nodetest.StartCluster(t, 3, "--tablets", "6", "--columns", "always")
	other := cl.Gateway()
	var mu sync.Mutex
	dsns := []string{cl.First.DSN(), other.DSN()}
	targets := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), dsns...)
	}
	levels(t, func(t *testing.T, o workload.Options) {
		o.Targets = targets
		if err := begins(cl.First.DSN(), o.Level); err != nil {
			t.Skip(err)
		}
		judge(t, o)
		if *long == 0 {
			return
		}
		o.Seed++
		kills := whileKilling(t, o, func(rng *rand.Rand) {
			i := rng.IntN(5)
			n := append([]*nodetest.Node{cl.First, other}, cl.Storage...)[i]
			n.Kill()
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
			n.Restart()
			if i < len(dsns) {
				mu.Lock()
				dsns[i] = n.DSN()
				mu.Unlock()
			}
		})
		t.Logf("%d kills", kills)
	})
}

// begins tells whether a transaction of a level can be begun.
func begins(dsn string, level history.Level) error {
	c, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		return err
	}
	defer c.Close(context.Background())
	_, err = c.Exec(context.Background(), "BEGIN ISOLATION LEVEL "+level.String())
	var pe *pgconn.PgError
	if errors.As(err, &pe) && pe.Code == "0A000" {
		return err
	}
	return nil
}
