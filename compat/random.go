package compat

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/basaltdb/basalt/compat/randomsql"
	"github.com/jackc/pgx/v5/pgconn"
)

// RandomTally counts what RunRandom saw.
type RandomTally struct {
	Statements, Failing, Undecided, Different int
}

// reduceBudget bounds the texts tried to make one difference smaller.
const reduceBudget = 150

// RunRandom runs count statements of a seed on PostgreSQL and Basalt, each in a new
// database, and prints every difference in a reduced form. Rows of unordered
// statements are compared as multisets, errors by SQLSTATE. After a statement that
// changes a table the whole table is compared; a change that differs is undone on
// both sides.
func RunRandom(ctx context.Context, w io.Writer, postgres, basalt string, seed int64, count int) (RandomTally, error) {
	var tally RandomTally
	g := randomsql.New(seed)
	schema := g.Schema()
	var sides [2]*randomSide
	for i, dsn := range []string{postgres, basalt} {
		s, err := openRandomSide(ctx, dsn, fmt.Sprintf("compat_random_%d", seed))
		if err != nil {
			return tally, err
		}
		defer s.close(ctx)
		sides[i] = s
	}
	for _, q := range schema {
		for _, s := range sides {
			if o := s.exec(ctx, q); o.Err != nil {
				return tally, fmt.Errorf("%s: %s", q, o.Err.Message)
			}
		}
	}
	for i := 0; i < count && ctx.Err() == nil; i++ {
		st := g.Next()
		tally.Statements++
		text := st.String()
		answers := func(sql string) (want, got string) {
			return sides[0].answer(ctx, sql, st), sides[1].answer(ctx, sql, st)
		}
		want, got := answers(text)
		switch {
		case undecided(want) || undecided(got) && !strings.Contains(got, "connection"):
			if undecided(got) && !undecided(want) {
				fmt.Fprintf(w, "-- seed %d, statement %d: timeout\n%s;\n\n", seed, i+1, text)
			}
			tally.Undecided++
			continue
		case want != got:
			tally.Different++
			fmt.Fprintf(w, "-- seed %d, statement %d\n", seed, i+1)
			randomsql.Reduce(st.Node, reduceBudget, func(sql string) bool {
				w, g := answers(sql)
				return w != g && failure(w) == failure(want) && failure(g) == failure(got)
			})
			want, got := answers(st.String())
			fmt.Fprintf(w, "%s;\n%s\n", st.String(), DiffLines(want, got))
			continue
		case strings.HasPrefix(want, "!"):
			tally.Failing++
			continue
		}
		if st.Changes != "" {
			for _, s := range sides {
				s.exec(ctx, text)
			}
		}
	}
	return tally, ctx.Err()
}

// failure is the error in an answer, "" when there are rows.
func failure(answer string) string {
	if !strings.HasPrefix(answer, "!") {
		return ""
	}
	return answer
}

// undecided: the server ran out of time.
func undecided(answer string) bool {
	return strings.HasPrefix(answer, "! 57014") || strings.HasPrefix(answer, "! -----")
}

// randomSide is one server during a run.
type randomSide struct {
	dsn, db string
	conn    *pgconn.PgConn
	names   typeNames
}

func openRandomSide(ctx context.Context, dsn, db string) (*randomSide, error) {
	admin, err := connect(ctx, dsn, "", nil)
	if err != nil {
		return nil, err
	}
	defer admin.Close(ctx)
	for _, q := range []string{"DROP DATABASE IF EXISTS " + db, "CREATE DATABASE " + db} {
		if err := admin.Exec(ctx, q).Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", q, err)
		}
	}
	s := &randomSide{dsn: dsn, db: db, names: typeNames{}}
	return s, s.reconnect(ctx)
}

func (s *randomSide) reconnect(ctx context.Context) (err error) {
	if s.conn, err = connect(ctx, s.dsn, s.db, nil); err != nil {
		return err
	}
	return s.conn.Exec(ctx, "SET statement_timeout = '2s'").Close()
}

func (s *randomSide) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	s.conn.Close(ctx)
	if admin, err := connect(ctx, s.dsn, "", nil); err == nil {
		admin.Exec(ctx, "DROP DATABASE IF EXISTS "+s.db).Close()
		admin.Close(ctx)
	}
}

func (s *randomSide) exec(ctx context.Context, sql string) *Outcome {
	if s.conn.IsClosed() {
		if err := s.reconnect(ctx); err != nil {
			return &Outcome{Err: &Failure{Code: "-----", Message: "connection: " + err.Error()}}
		}
	}
	sctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return execStatement(sctx, s.conn, sql)
}

// answer is what is compared for a statement. Changes are undone.
func (s *randomSide) answer(ctx context.Context, sql string, st randomsql.Statement) string {
	if st.Changes == "" {
		return s.print(ctx, s.exec(ctx, sql), st.Ordered)
	}
	s.exec(ctx, "BEGIN")
	defer s.exec(ctx, "ROLLBACK")
	a := s.print(ctx, s.exec(ctx, sql), false)
	if strings.HasPrefix(a, "!") {
		return a
	}
	return a + s.print(ctx, s.exec(ctx, "SELECT * FROM "+st.Changes), false)
}

func (s *randomSide) print(ctx context.Context, o *Outcome, ordered bool) string {
	if o.Err != nil {
		a := "! " + o.Err.Code
		if o.Err.Code == "-----" || o.Err.Code == "XX000" || o.Err.Code == "0A000" {
			a += " " + o.Err.Message
		}
		return a + "\n"
	}
	s.names.resolve(ctx, s.conn, o)
	lines := strings.SplitAfter(Essence(o.Record()), "\n")
	if !ordered {
		sort.Strings(lines)
	}
	return strings.Join(lines, "")
}
