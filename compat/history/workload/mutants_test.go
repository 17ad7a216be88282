package workload_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/basaltdb/basalt/compat/history"
	"github.com/basaltdb/basalt/compat/history/workload"
	"github.com/basaltdb/basalt/internal/nodetest"
)

// mutantTime bounds how long a mutant may stay unfound.
const mutantTime = 2 * time.Minute

var mutantOnly = flag.String("mutant", "", "only this mutant")

// clusterMutants are those of several nodes.
var clusterMutants = []struct {
	name  string
	level history.Level
}{
	{"no-predicates", history.Serializable},
	{"no-ranges", history.Serializable},
	{"no-fragment-notes", history.Serializable},
	{"no-serial-prepare", history.Serializable},
}

// TestClusterMutants is TestMutants for the bugs that are planted between processes: two
// gateways, three storage nodes. It is asked for in the same way.
func TestClusterMutants(t *testing.T) {
	if testing.Short() || os.Getenv("BASALT_MUTANTS") == "" {
		t.Skip("takes minutes: asked for by BASALT_MUTANTS=1")
	}
	bin := nodetest.BuildTagged(t, "mutants")
	for _, m := range clusterMutants {
		if *mutantOnly != "" && m.name != *mutantOnly {
			continue
		}
		t.Run(m.name+" "+m.level.String(), func(t *testing.T) {
			cl := nodetest.StartClusterBinary(t, bin, []string{"BASALT_MUTANT=" + m.name}, 3, "--tablets", "6")
			dsns := []string{cl.First.DSN(), cl.Gateway().DSN()}
			wantFound(t, workload.Options{Targets: func() []string { return dsns },
				Level: m.level, Clients: 8, Time: mutantTime, Round: 3 * time.Second, Seed: *seed, StopAtFirst: true})
		})
	}
}

// wantFound runs until an anomaly is found, and wants one.
func wantFound(t *testing.T, o workload.Options) {
	t.Helper()
	began := time.Now()
	verdicts, err := workload.Run(t.Context(), o)
	if err != nil {
		t.Logf("and: %v", err)
	}
	for _, v := range verdicts {
		for _, a := range v.Anomalies {
			first, _, _ := strings.Cut(a.Witness, "\n    T")
			t.Logf("found by %s after %s: %s: %s", v.Workload, time.Since(began).Round(time.Second), a.Name, first)
			return
		}
	}
	t.Errorf("not found within %s: %v", time.Since(began).Round(time.Second), verdicts)
}

// mutants are the planted bugs of txn/mutants_off.go with the level that each breaks.
var mutants = []struct {
	name  string
	level history.Level
	only  string // a workload; "": all
}{
	{"shared-snapshot", history.ReadCommitted, ""},
	{"shared-snapshot", history.RepeatableRead, ""},
	{"early-unlock", history.ReadCommitted, ""},
	{"early-unlock", history.RepeatableRead, ""},
	{"early-acknowledge", history.ReadCommitted, ""},
	{"early-visible", history.RepeatableRead, ""},
	{"second-updater", history.RepeatableRead, ""},
	{"stale-lock", history.ReadCommitted, ""},
	{"newest-get", history.RepeatableRead, ""},
	{"newest-scan", history.RepeatableRead, ""},
	{"newest-columns", history.RepeatableRead, ""},
	{"no-predicates", history.Serializable, ""},
	{"no-ranges", history.Serializable, ""},
	{"kept-savepoint", history.ReadCommitted, "txns"},
}

// TestMutants builds the binary with planted bugs and wants each found, and the same
// binary without one clean. It takes minutes, so it is to be asked for:
//
//	BASALT_MUTANTS=1 go test ./compat/history/workload -run TestMutants -v -timeout 1h
func TestMutants(t *testing.T) {
	if testing.Short() || os.Getenv("BASALT_MUTANTS") == "" {
		t.Skip("takes minutes: asked for by BASALT_MUTANTS=1")
	}
	bin := nodetest.BuildTagged(t, "mutants")
	for _, m := range mutants {
		if *mutantOnly != "" && m.name != *mutantOnly {
			continue
		}
		t.Run(m.name+" "+m.level.String(), func(t *testing.T) {
			n := nodetest.StartBinary(t, bin, []string{"BASALT_MUTANT=" + m.name}, filepath.Join(t.TempDir(), "data"), "--columns", "always")
			o := workload.Options{Targets: func() []string { return []string{n.DSN()} },
				Level: m.level, Clients: 8, Time: mutantTime, Round: 3 * time.Second, Seed: *seed, StopAtFirst: true}
			if m.only != "" {
				o.Workloads = []string{m.only}
			}
			wantFound(t, o)
		})
	}
	t.Run("none", func(t *testing.T) {
		n := nodetest.StartBinary(t, bin, nil, filepath.Join(t.TempDir(), "data"), "--columns", "always")
		levels(t, func(t *testing.T, o workload.Options) {
			o.Targets, o.Time, o.Round = func() []string { return []string{n.DSN()} }, max(*long, time.Minute), 3*time.Second
			judge(t, o)
		})
	})
}
