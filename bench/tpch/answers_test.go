package tpch_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestAnswers loads TPC-H at SF 0.01 and compares the 22 answers, byte for byte,
// with PostgreSQL's: over the wire, and through psql where it is installed; from
// one tablet and from eight, and with plans in pieces over the eight.
func TestAnswers(t *testing.T) {
	t.Run("lone", func(t *testing.T) { answers(t) })
	t.Run("tablets", func(t *testing.T) { answers(t, "--tablets", "8") })
	t.Run("pieces", func(t *testing.T) { answers(t, "--tablets", "8", "--local-sites", "3") })
}

// TestLittleMemory: the answers are the same when joins, aggregations and sorts
// have 64 kB each and all queries together 32 MB, so that the large ones
// go to disk, in one process and in pieces.
func TestLittleMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for name, args := range map[string][]string{"lone": nil, "pieces": {"--tablets", "4", "--local-sites", "2"}} {
		t.Run(name, func(t *testing.T) {
			n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), append(args, "--memory", "64MB")...)
			conn := n.Connect(ctx)
			if _, err := tpch.Load(ctx, conn, 0.01, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(ctx, "set work_mem = '64kB'").ReadAll(); err != nil {
				t.Fatal(err)
			}
			spilled := 0
			for q := 1; q <= tpch.QueryCount; q++ {
				want := bytes.TrimRight(tpch.Answer(q, 0.01), "\n")
				got, _, err := tpch.Run(ctx, conn, q)
				if err != nil {
					t.Fatalf("q%d: %v", q, err)
				}
				if got = bytes.TrimRight(got, "\n"); !bytes.Equal(got, want) {
					t.Errorf("q%d: got\n%s\nwant\n%s", q, got, want)
				}
				if name != "lone" || !slices.Contains([]int{3, 9, 13, 18, 21}, q) {
					continue
				}
				plan, err := conn.Exec(ctx, "explain (analyze, timing off) "+tpch.Query(q)).ReadAll()
				if err != nil {
					t.Fatalf("q%d: %v", q, err)
				}
				for _, row := range plan[0].Rows {
					if onDisk.Match(row[0]) {
						spilled++
						break
					}
				}
			}
			if name == "lone" && spilled == 0 {
				t.Errorf("%d queries have gone to disk", spilled)
			}
			t.Logf("%d queries have gone to disk", spilled)
			n.Stop()
		})
	}
}

// onDisk finds the operators of EXPLAIN ANALYZE that spilled.
var onDisk = regexp.MustCompile(`Disk|external merge|Batches: ([2-9]|[1-9][0-9])`)

func answers(t *testing.T, args ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
	conn := n.Connect(ctx)
	if _, err := tpch.Load(ctx, conn, 0.01, nil); err != nil {
		t.Fatal(err)
	}
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Log("psql is not installed: answers are compared over the wire only")
	}
	for q := 1; q <= tpch.QueryCount; q++ {
		t.Run(fmt.Sprintf("q%d", q), func(t *testing.T) {
			want := bytes.TrimRight(tpch.Answer(q, 0.01), "\n")
			got, _, err := tpch.Run(ctx, conn, q)
			if err != nil {
				t.Fatal(err)
			}
			if got = bytes.TrimRight(got, "\n"); !bytes.Equal(got, want) {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
			if psql == "" {
				return
			}
			cmd := exec.CommandContext(ctx, psql, "-X", "-q", "-A", "-t", "-F|", n.DSN(), "-c", tpch.Query(q))
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if out = bytes.TrimRight(out, "\n"); !bytes.Equal(out, want) {
				t.Fatalf("psql printed\n%s\nwant\n%s", out, want)
			}
		})
	}
}
