package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// rowsText are a query's rows, space between rows, | between columns.
func rowsText(t testing.TB, c *pgx.Conn, sql string) string {
	t.Helper()
	rows, err := c.Query(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
		v, err := r.Values()
		s := make([]string, len(v))
		for i := range v {
			s[i] = fmt.Sprint(v[i])
		}
		return strings.Join(s, "|"), err
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(out, " ")
}

// TestDistributeBy goes through what DDL has to say about distribute_by, with one
// tablet and with several: a step is a statement with its error or the rows of a query.
func TestDistributeBy(t *testing.T) {
	steps := []struct{ sql, want string }{
		{"CREATE TABLE t (a int, b text, c int, PRIMARY KEY (a, b)) WITH (distribute_by = 'b', fillfactor = 90)", ""},
		{"INSERT INTO t SELECT i % 7, 'b' || i, i FROM generate_series(1, 500) i", ""},
		{"SELECT reloptions::text FROM pg_class WHERE relname = 't'", "{distribute_by=b,fillfactor=90}"},
		{"SELECT count(*), sum(c) FROM t", "500|125250"},
		{"SELECT c FROM t WHERE a = 3 AND b = 'b10'", "10"},
		{"SELECT c FROM t WHERE b = 'b10'", "10"},
		{"SELECT c FROM t WHERE a = 3 ORDER BY b LIMIT 3", "10 101 108"},
		{"SELECT c FROM t ORDER BY a DESC, b DESC LIMIT 3", "97 90 83"},
		{"UPDATE t SET b = 'moved' || c WHERE c < 20", ""},
		{"SELECT count(*), sum(c) FROM t WHERE b LIKE 'moved%'", "19|190"},
		{"ALTER TABLE t RENAME b TO \"B b\"", ""},
		{"SELECT reloptions::text FROM pg_class WHERE relname = 't'", `{"distribute_by=\"B b\"",fillfactor=90}`},
		{"SELECT c FROM t WHERE \"B b\" = 'moved7'", "7"},
		{"ALTER TABLE t DROP COLUMN \"B b\"", `42P16 cannot drop column "B b" because relation "t" is distributed by it`},
		{"ALTER TABLE t RENAME \"B b\" TO b", ""},
		{"CREATE UNIQUE INDEX t_c ON t (c)", ""},
		{"ALTER TABLE t SET (distribute_by = 'a, b')", ""},
		{"SELECT c FROM t WHERE a = 3 AND b = 'b101'", "101"},
		{"SELECT count(*), sum(c), min(c) FROM t", "500|125250|1"},
		{"INSERT INTO t VALUES (1, 'x', 77)", `23505 duplicate key value violates unique constraint "t_c"`},
		{"INSERT INTO t VALUES (1, 'x', 77) ON CONFLICT (c) DO UPDATE SET b = 'upserted'", ""},
		{"SELECT * FROM t WHERE c = 77", "0|upserted|77"},
		{"ALTER TABLE t SET (distribute_by = 'all')", ""},
		{"SELECT count(*), sum(c) FROM t", "500|125250"},
		{"DELETE FROM t WHERE c % 2 = 0", ""},
		{"UPDATE t SET a = a + 1, c = -c WHERE c < 100", ""},
		{"SELECT count(*), sum(c) FROM t", "250|57500"},
		{"SELECT c FROM t WHERE c BETWEEN -9 AND 105 ORDER BY c", "-9 -7 -5 -3 -1 101 103 105"},
		{"ALTER TABLE t RESET (distribute_by)", ""},
		{"SELECT count(*), sum(c) FROM t", "250|57500"},
		{"ALTER TABLE t DROP COLUMN b", ""},
		{"SELECT count(*), sum(c) FROM t", "250|57500"},
		{"ALTER TABLE t ADD PRIMARY KEY (c)", ""},
		{"SELECT a FROM t WHERE c = -5", "6"},
		{"ALTER TABLE t DROP CONSTRAINT t_pkey", ""},
		{"SELECT count(*), sum(c) FROM t", "250|57500"},
		{"TRUNCATE t", ""},
		{"SELECT count(*) FROM t", "0"},
		{"DROP TABLE t", ""},

		{"CREATE TABLE t (a int PRIMARY KEY, b int) WITH (distribute_by = 'b')", `42P17 primary key of table "t" must contain column "b", which the table is distributed by`},
		{"CREATE TABLE t (a int PRIMARY KEY) WITH (distribute_by = 'x')", `42703 column "x" named in distribute_by does not exist`},
		{"CREATE TABLE t (a int PRIMARY KEY) WITH (distribute_by = 'a, a')", `42701 column "a" appears twice in distribute_by`},
		{"CREATE TABLE t (a int PRIMARY KEY) WITH (distribute_by = 'a b')", `22023 invalid value for "distribute_by": "a b"`},
		{"CREATE TABLE t (a int PRIMARY KEY) WITH (distribute_by = '')", `22023 invalid value for "distribute_by": ""`},
		{"CREATE TABLE t (a int PRIMARY KEY) WITH (distributed_by = 'a')", `22023 unrecognized parameter "distributed_by"`},
		{"CREATE TABLE t (a int, b int) WITH (distribute_by = 'b')", "NOTICE"}, // as a dump has it
		{"INSERT INTO t VALUES (1, 2), (2, 3)", ""},
		{"ALTER TABLE t ADD PRIMARY KEY (a)", `42P17 primary key of table "t" must contain column "b", which the table is distributed by`},
		{"ALTER TABLE t ADD PRIMARY KEY (a, b)", ""},
		{"SELECT a FROM t WHERE b = 3", "2"},
		{"ALTER TABLE t SET (distribute_by = 'c')", `42703 column "c" named in distribute_by does not exist`},
		{"CREATE TABLE u WITH (distribute_by = 'all') AS SELECT a, b FROM t", ""},
		{"SELECT count(*), sum(b) FROM u", "2|5"},
		{"SELECT count(*) FROM u JOIN t USING (a)", "2"},
		{"CREATE INDEX i ON t (b) WITH (distribute_by = 'b')", `22023 unrecognized parameter "distribute_by"`},
	}
	for _, tablets := range []int{1, 8} {
		t.Run(fmt.Sprintf("tablets=%d", tablets), func(t *testing.T) {
			n := servertest.StartWith(t, server.Options{InMemory: true, Tablets: tablets})
			c := n.Connect(t)
			for _, s := range steps {
				if strings.HasPrefix(s.sql, "SELECT") {
					if got := rowsText(t, c, s.sql); got != s.want {
						t.Errorf("%s:\n%s, want\n%s", s.sql, got, s.want)
					}
					continue
				}
				_, err := c.Exec(context.Background(), s.sql)
				got := ""
				var pe *pgconn.PgError
				if errors.As(err, &pe) {
					got = pe.Code + " " + pe.Message
				} else if err != nil {
					got = err.Error()
				}
				if got != strings.TrimPrefix(s.want, "NOTICE") {
					t.Errorf("%s:\n%s, want\n%s", s.sql, got, s.want)
				}
			}
			res, err := n.Server.Check(context.Background(), true)
			if err != nil || len(res.Problems) > 0 {
				t.Errorf("%v %v", res.Problems, err)
			}
		})
	}
}
