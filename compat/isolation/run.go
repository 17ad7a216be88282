package isolation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Runner plays specs on a server.
type Runner struct {
	Tester string // path of isolationtester
	DSN    string // superuser's, keyword form
	// Limit bounds one spec; it is killed after that.
	Limit time.Duration
}

// Outcome of a spec: what it printed, and where that leaves the accepted outputs.
type Outcome struct {
	Output []byte
	Equal  bool
	// Reordered: equal but for the order of rows within results.
	Reordered bool
	// Want is the plain expected output.
	Want []byte
}

// Run plays a spec in a database of its own. An error says that it could not be
// played; a spec that breaks off or takes too long has an outcome.
func (r *Runner) Run(ctx context.Context, s Spec) (*Outcome, error) {
	const db = "isolation_regression"
	if err := r.exec(ctx, "DROP DATABASE IF EXISTS "+db+" WITH (FORCE)", "CREATE DATABASE "+db); err != nil {
		return nil, err
	}
	in, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	limited, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	cmd := exec.CommandContext(limited, r.Tester, r.DSN+" dbname="+db)
	cmd.Env = append(os.Environ(), "PGAPPNAME=isolation/"+s.Name, "PGTZ=PST8PDT", "PGDATESTYLE=Postgres, MDY", "LC_MESSAGES=C")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &out
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			return nil, err
		}
		fmt.Fprintf(&out, "isolationtester: %v\n", err)
	}
	o := &Outcome{Output: out.Bytes()}
	for i, p := range s.Expected {
		want, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			o.Want = want
		}
		o.Equal = o.Equal || bytes.Equal(want, o.Output)
		o.Reordered = o.Reordered || bytes.Equal(orderRows(want), orderRows(o.Output))
	}
	return o, nil
}

// orderRows sorts the rows of every result in what isolationtester prints: they lie
// between a line of dashes and the line that counts them.
func orderRows(out []byte) []byte {
	lines := strings.Split(string(out), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" || strings.Trim(lines[i], "-+") != "" {
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] != "" && !(strings.HasPrefix(lines[end], "(") && (strings.HasSuffix(lines[end], " rows)") || lines[end] == "(1 row)")) {
			end++
		}
		slices.Sort(lines[i+1 : end])
		i = end
	}
	return []byte(strings.Join(lines, "\n"))
}

func (r *Runner) exec(ctx context.Context, statements ...string) error {
	c, err := pgconn.Connect(ctx, r.DSN+" dbname=postgres")
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for _, q := range statements {
		if err := c.Exec(ctx, q).Close(); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
