package stars

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

// answersScale is the scale factor of the recorded answers.
const answersScale = 0.01

// TestAnswers compares the answer to every query with PostgreSQL's: from rows and columns as
// they come, and with everything in columns and plans in pieces over several tablets.
func TestAnswers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if *record != "" {
		recordAnswers(ctx, t)
		return
	}
	for name, args := range map[string][]string{"lone": nil, "pieces": {"--columns", "always", "--tablets", "4", "--local-sites", "2"}} {
		t.Run(name, func(t *testing.T) {
			if name == "pieces" && testing.Short() {
				t.Skip("lone is enough")
			}
			n := nodetest.Start(t, filepath.Join(t.TempDir(), "data"), args...)
			conn := n.Connect(ctx)
			if _, err := Load(ctx, conn, answersScale, nil); err != nil {
				t.Fatal(err)
			}
			for _, q := range Names() {
				want := Answer(q, answersScale)
				if want == nil {
					t.Errorf("%s: no answer is recorded", q)
					continue
				}
				start := time.Now()
				got, _, err := Run(ctx, conn, q)
				if err != nil {
					t.Error(err)
				} else if !bytes.Equal(got, want) {
					t.Errorf("%s: got\n%.4000s\nwant\n%.4000s", q, got, want)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Logf("%s took %v", q, took)
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
	if _, err := Load(ctx, conn, answersScale, nil); err != nil {
		t.Fatal(err)
	}
	for _, q := range Names() {
		rows, took, err := Run(ctx, conn, q)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Logf("%s: %d rows, %v", q, bytes.Count(rows, []byte("\n")), took)
		path := answerPath(q, answersScale)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, rows, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeterministic: a table is the same each time, and grows by its scale factor.
func TestDeterministic(t *testing.T) {
	for _, name := range Tables() {
		var a, b, c bytes.Buffer
		for _, w := range []*bytes.Buffer{&a, &b} {
			if err := Write(w, name, 0.001, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := Write(&c, name, 0.003, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s differs from run to run", name)
		}
		if a.Len() == 0 || c.Len() < a.Len() {
			t.Errorf("%s: %d bytes at 0.001, %d at 0.003", name, a.Len(), c.Len())
		}
	}
}
