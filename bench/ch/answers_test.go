package ch

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// record writes the answers of a PostgreSQL whose text compares by bytes.
var record = flag.String("record", "", "DSN of a PostgreSQL 15 (locale C) whose answers are to be recorded")

// TestAnswers compares the answer to every query with PostgreSQL's: from rows and columns as
// they come, and with everything in columns and plans in pieces over several tablets.
func TestAnswers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if *record != "" {
		recordAnswers(ctx, t)
		return
	}
	for name, args := range map[string][]string{"lone": nil, "rows": {"--columns", "off"}, "pieces": {"--columns", "always", "--tablets", "4", "--local-sites", "2"}} {
		t.Run(name, func(t *testing.T) {
			if name != "lone" && testing.Short() {
				t.Skip("lone is enough")
			}
			n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
			conn := n.Connect(ctx)
			defer conn.Close(ctx)
			if err := LoadAnswers(ctx, conn); err != nil {
				t.Fatal(err)
			}
			for q := 1; q <= Queries; q++ {
				got, took, err := Run(ctx, conn, q)
				if err != nil {
					t.Error(err)
				} else if want := Answer(q); !bytes.Equal(got, want) {
					t.Errorf("query %d: got\n%.4000s\nwant\n%.4000s", q, got, want)
				}
				if took > 3*time.Second {
					t.Logf("query %d took %v", q, took)
				}
			}
			n.Stop()
		})
	}
}

func recordAnswers(ctx context.Context, t *testing.T) {
	conn, err := pgconn.Connect(ctx, *record)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := LoadAnswers(ctx, conn); err != nil {
		t.Fatal(err)
	}
	for q := 1; q <= Queries; q++ {
		rows, took, err := Run(ctx, conn, q)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Logf("query %d: %d rows, %v", q, bytes.Count(rows, []byte("\n")), took)
		if err := os.WriteFile(answerPath(q), rows, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
