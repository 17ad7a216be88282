package tpch

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

// record writes the answers that a PostgreSQL gives after Freshen:
//
//	go test ./bench/tpch -run TestFresh -record 'host=… user=…'
var record = flag.String("record", "", "DSN of a PostgreSQL 15 (locale C) whose answers after Freshen are to be recorded")

const (
	freshScale = 0.01
	freshShare = 0.05
)

// TestFresh: after updating 5 % of lineitem's rows and inserting 5 % more by ordinary transactions
// the 22 answers are PostgreSQL's on the same data, while the changes lie beside the column segments
// and after they have been merged.
func TestFresh(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if *record != "" {
		recordFresh(ctx, t)
		return
	}
	for name, args := range map[string][]string{"off": {"--columns", "off"}, "auto": nil, "always": {"--columns", "always", "--tablets", "3"}} {
		t.Run(name, func(t *testing.T) {
			n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
			conn := n.Connect(ctx)
			if _, err := Load(ctx, conn, freshScale, nil); err != nil {
				t.Fatal(err)
			}
			if err := conn.Exec(ctx, "vacuum").Close(); err != nil {
				t.Fatal(err)
			}
			if err := Freshen(ctx, conn, freshScale, freshShare, nil); err != nil {
				t.Fatal(err)
			}
			check := func(when string) {
				for q := 1; q <= QueryCount; q++ {
					got, _, err := Run(ctx, conn, q)
					if err != nil {
						t.Fatal(err)
					}
					if want := FreshAnswer(q, freshScale); !bytes.Equal(got, want) {
						t.Errorf("%s, q%d: got\n%.2000s\nwant\n%.2000s", when, q, got, want)
					}
				}
			}
			check("fresh")
			if err := conn.Exec(ctx, "vacuum").Close(); err != nil {
				t.Fatal(err)
			}
			check("merged")
			n.Stop()
		})
	}
}

func recordFresh(ctx context.Context, t *testing.T) {
	conn, err := pgconn.Connect(ctx, *record)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := Load(ctx, conn, freshScale, nil); err != nil {
		t.Fatal(err)
	}
	if err := Freshen(ctx, conn, freshScale, freshShare, nil); err != nil {
		t.Fatal(err)
	}
	for q := 1; q <= QueryCount; q++ {
		rows, _, err := Run(ctx, conn, q)
		if err != nil {
			t.Fatal(err)
		}
		path := freshPath(q, freshScale)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, rows, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
