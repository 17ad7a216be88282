package servertest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// tempSchema is the session's pg_temp_N.
func tempSchema(t *testing.T, c *pgx.Conn) string {
	t.Helper()
	var name string
	if err := c.QueryRow(t.Context(), "SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTemporaryTablesOfOthers: two sessions have temporary tables of one name, each
// its own, through the shared plan cache too; those of the other are out of reach
// and go with it.
func TestTemporaryTablesOfOthers(t *testing.T) {
	n := servertest.Start(t)
	a, b := n.Connect(t), n.Connect(t)
	exec(t, a, "CREATE TABLE x (v text)")
	exec(t, a, "INSERT INTO x VALUES ('permanent')")
	read := func(c *pgx.Conn) string { return rowsText(t, c, "SELECT v FROM x") }
	permanent := read(a)
	exec(t, a, "CREATE TEMP TABLE x (v text)")
	exec(t, a, "INSERT INTO x VALUES ('of a')")
	ofA := read(a)
	if got := read(b); got != permanent || got == ofA {
		t.Fatalf("another session sees %q", got)
	}
	exec(t, b, "CREATE TEMP TABLE x (v text)")
	exec(t, b, "INSERT INTO x VALUES ('of b')")
	if read(a) != ofA || read(b) == ofA || read(b) == permanent {
		t.Fatalf("sessions mix up their tables: %q, %q", read(a), read(b))
	}
	schema := tempSchema(t, a)
	if schema == tempSchema(t, b) {
		t.Fatal("two sessions share a schema")
	}
	for _, q := range []string{"SELECT * FROM %s.x", "INSERT INTO %s.x VALUES ('1')", "DELETE FROM %s.x", "TRUNCATE %s.x", "CREATE INDEX ON %s.x (v)", "COPY %s.x FROM stdin", "COPY %s.x TO stdout"} {
		q = fmt.Sprintf(q, schema)
		if _, err := b.Exec(t.Context(), q); code(err) != "0A000" {
			t.Errorf("%s: %v", q, err)
		}
	}
	if _, err := b.Exec(t.Context(), "CREATE TABLE "+schema+".y (a int)"); code(err) != "42P16" {
		t.Errorf("a table in another session's schema: %v", err)
	}
	if got := rowsText(t, b, "SELECT pg_is_other_temp_schema('"+schema+"'::regnamespace)::text"); got != "true" {
		t.Errorf("pg_is_other_temp_schema: %q", got)
	}
	exec(t, b, "ANALYZE")
	exec(t, b, "DROP TABLE "+schema+".x")
	if got := read(a); got != permanent {
		t.Errorf("after a superuser dropped it: %q", got)
	}
	exec(t, a, "CREATE TEMP TABLE x (v text)")
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The server takes a moment to see that a client has gone.
	for i := 0; i < 1000 && rowsText(t, b, "SELECT count(*)::text FROM pg_stat_activity WHERE datname IS NOT NULL") != "1"; i++ {
		time.Sleep(time.Millisecond)
	}
	if got := rowsText(t, b, "SELECT count(*)::text FROM pg_class WHERE relnamespace = '"+schema+"'::regnamespace"); got != "0" {
		t.Errorf("%s left behind by its session", got)
	}
	c := n.Connect(t)
	exec(t, c, "CREATE TEMP TABLE z (a int)")
	if got := tempSchema(t, c); got != schema {
		t.Errorf("the schema is not used again: %s, %s", got, schema)
	}
	n.Check(t, "temporary tables")
}

// TestTemporaryTablesAfterCrash: what a session could not remove goes when the server starts.
func TestTemporaryTablesAfterCrash(t *testing.T) {
	dir := t.TempDir()
	o := server.Options{Dir: dir}
	s, err := server.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", addr))
	if err != nil {
		t.Fatal(err)
	}
	exec(t, c, "CREATE TEMP TABLE gone (a serial PRIMARY KEY, b text)")
	exec(t, c, "INSERT INTO gone (b) VALUES ('x')")
	// The session's end finds no store any more, as after a crash.
	if err := s.Storage().Close(); err != nil {
		t.Fatal(err)
	}
	closing, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Close(closing)

	n := servertest.StartWith(t, o)
	again := n.Connect(t)
	if got := rowsText(t, again, "SELECT count(*)::text FROM pg_class WHERE relname LIKE 'gone%'"); got != "0" {
		t.Errorf("%s objects are left", got)
	}
	n.Check(t, "leftovers")
}
