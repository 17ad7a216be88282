package compat_test

import (
	"context"
	"flag"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/basaltdb/basalt/compat"
	"github.com/basaltdb/basalt/internal/nodetest"
)

// knownShareMax is the share of the corpus that known.txt must stay under.
const knownShareMax = 0.01

// only narrows TestReplay to the files whose names begin so: go test ./compat -run TestReplay/lone -only dml/on_
var only = flag.String("only", "", "replay the files whose names begin so")

// setting is how a server holds data, which must make no difference.
type setting struct {
	name string
	args []string
	// storage: so many processes hold the data, another serves the session; 0: one process.
	storage int
	// unordered: rows of a table lie in several places, and come in no order of their own.
	unordered bool
}

var settings = []setting{
	{"lone", nil, 0, false},
	{"tablets", []string{"--tablets", "8"}, 0, true},
	{"pieces", []string{"--tablets", "8", "--local-sites", "3"}, 0, true},
	{"merging", []string{"--columns", "always"}, 0, true},
	{"cluster", []string{"--tablets", "8"}, 3, true},
}

// start starts what a setting says and gives the node to connect to.
func (s setting) start(t *testing.T) *nodetest.Node {
	s.args = append([]string{"--max-prepared-transactions", "20"}, s.args...) // as StartPostgres
	if s.storage > 0 {
		return nodetest.StartCluster(t, s.storage, s.args...).First
	}
	return nodetest.Start(t, filepath.Join(t.TempDir(), "data"), s.args...)
}

// TestReplay runs the whole corpus on Basalt, in each setting (the last: a gateway and
// three storage processes), and compares it with what PostgreSQL answered. Statements listed in known.txt may differ; one
// that is listed and agrees must be taken off the list. nodes.txt lists what differs
// over several nodes only, and with - in place of a statement the files left out there.
func TestReplay(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel() // each has a server of its own and one connection at a time
			replay(t, s)
		})
	}
}

func replay(t *testing.T, s setting) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	files, err := compat.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	known, err := compat.LoadKnown("known.txt")
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := compat.LoadKnown("nodes.txt")
	if err != nil {
		t.Fatal(err)
	}
	if s.storage == 0 {
		clear(nodes)
	}
	for f, ids := range nodes {
		if known[f] == nil {
			known[f] = map[string]string{}
		}
		maps.Copy(known[f], ids)
		delete(known[f], "-")
	}
	n := s.start(t)
	var tally compat.Tally
	if s.unordered {
		if tally.Unordered, err = compat.LoadKnown("unordered.txt"); err != nil {
			t.Fatal(err)
		}
		for _, d := range compat.Dangling(files, tally.Unordered) {
			t.Errorf("unordered.txt lists a statement that is gone: %s", d)
		}
	}
	for _, f := range files {
		if _, out := nodes[f.Name]["-"]; out || !strings.HasPrefix(f.Name, *only) {
			continue
		}
		if f.Recorded == nil {
			t.Errorf("%s has no recording: make compat-record", f.Name)
			continue
		}
		got, err := compat.RunFile(ctx, n.DSN(), f)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		var diff strings.Builder
		tally.Compare(&diff, f, f.Recorded, got, known, false)
		if diff.Len() > 0 {
			t.Errorf("%s", diff.String())
		}
	}
	t.Log(tally.Summary())
	if *only != "" {
		return
	}
	for _, s := range tally.Stale {
		t.Errorf("known.txt lists a difference that is gone: %s", s)
	}
	for _, s := range compat.Dangling(files, known) {
		t.Errorf("known.txt lists a statement that is gone: %s", s)
	}
	share := float64(tally.Known) / float64(tally.Statements)
	t.Logf("known differences: %.2f %% of all statements", share*100)
	if share >= knownShareMax {
		t.Errorf("%.2f %% of the statements are listed as known differences, fewer than %.0f %% may be", share*100, knownShareMax*100)
	}
}

// TestPsql runs the psql sessions and compares what psql prints.
func TestPsql(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) { psqlSessions(t, s) })
	}
}

func psqlSessions(t *testing.T, set setting) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed")
	}
	scripts, err := compat.LoadScripts(".")
	if err != nil {
		t.Fatal(err)
	}
	n := set.start(t)
	for _, s := range scripts {
		t.Run(filepath.Base(s.Name), func(t *testing.T) {
			got, err := compat.RunScript(t.Context(), n.DSN(), s)
			if err != nil {
				t.Fatal(err)
			}
			if set.unordered && slices.Equal(words(s.Recorded), words(got)) {
				return
			}
			mask := func(s string) string { return s }
			if filepath.Base(s.Name) == "sizes.psql" {
				mask = compat.MaskSizes
			}
			if diff := compat.DiffLines(mask(s.Recorded), mask(got)); diff != "" {
				t.Errorf("- PostgreSQL, + Basalt\n%s", diff)
			}
		})
	}
}

// words are the words of a transcript in no order: what it says when rows, or
// columns made of rows, come as they like.
func words(text string) []string {
	w := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n\t|+-", r) })
	slices.Sort(w)
	return w
}
