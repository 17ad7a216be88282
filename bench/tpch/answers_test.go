package tpch_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
