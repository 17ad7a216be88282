package servertest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

func exec(t testing.TB, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func code(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return fmt.Sprint(err)
}

func TestProtocol(t *testing.T) {
	ctx := context.Background()
	n := servertest.Start(t)
	c := n.Connect(t)
	exec(t, c, "CREATE TABLE t (a int PRIMARY KEY, b text, c numeric(10,2), d date, e timestamptz, f float8, g bool, h bytea, i int8[])")

	t.Run("binary round trip", func(t *testing.T) {
		when := time.Date(2024, 3, 1, 12, 30, 0, 0, time.UTC)
		exec(t, c, "INSERT INTO t VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)", 1, "ä", "12.50", when, when, 1.5, true, []byte{0, 255}, []int64{1, 2})
		var a int32
		var b, num string
		var d, e time.Time
		var f float64
		var g bool
		var h []byte
		var i []int64
		if err := c.QueryRow(ctx, "SELECT a, b, c::text, d, e, f, g, h, i FROM t WHERE a = $1", 1).Scan(&a, &b, &num, &d, &e, &f, &g, &h, &i); err != nil {
			t.Fatal(err)
		}
		if a != 1 || b != "ä" || num != "12.50" || d.Day() != 1 || !e.Equal(when) || f != 1.5 || !g || !bytes.Equal(h, []byte{0, 255}) || len(i) != 2 {
			t.Fatal(a, b, num, d, e, f, g, h, i)
		}
	})

	t.Run("pipeline skips to sync after an error", func(t *testing.T) {
		b := &pgx.Batch{}
		b.Queue("INSERT INTO t (a) VALUES (100)")
		b.Queue("INSERT INTO t (a) VALUES (100)")
		b.Queue("INSERT INTO t (a) VALUES (101)")
		if err := c.SendBatch(ctx, b).Close(); code(err) != "23505" {
			t.Fatal(err)
		}
		var n int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM t WHERE a >= 100").Scan(&n); err != nil || n != 0 {
			t.Fatal(n, err)
		}
	})

	t.Run("portal with a row limit", func(t *testing.T) {
		pc := c.PgConn()
		mrr := pc.Exec(ctx, "BEGIN; DECLARE k CURSOR FOR SELECT g FROM generate_series(1,10000) g; FETCH 3 FROM k; INSERT INTO t (a) VALUES (5); FETCH 2 FROM k; COMMIT")
		rs, err := mrr.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if string(rs[4].Rows[1][0]) != "5" {
			t.Fatalf("%s", rs[4].Rows)
		}
	})

	t.Run("copy", func(t *testing.T) {
		exec(t, c, "CREATE TABLE cp (a int, b text)")
		rows := [][]any{{int32(1), "x\ty"}, {int32(2), nil}}
		if _, err := c.CopyFrom(ctx, pgx.Identifier{"cp"}, []string{"a", "b"}, pgx.CopyFromRows(rows)); err != nil {
			t.Fatal(err)
		}
		pc := c.PgConn()
		if _, err := pc.CopyFrom(ctx, strings.NewReader("3,\"q\"\"\nz\"\n4,\n"), "COPY cp FROM STDIN (FORMAT csv)"); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := pc.CopyTo(ctx, &out, "COPY (SELECT * FROM cp ORDER BY a) TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		if want := "1\tx\\ty\n2\t\\N\n3\tq\"\\nz\n4\t\\N\n"; out.String() != want {
			t.Fatalf("%q", out.String())
		}
		_, err := pc.CopyFrom(ctx, strings.NewReader("5\tok\nsix\tbad\n"), "COPY cp FROM STDIN")
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "22P02" || pe.Where != `COPY cp, line 2, column a: "six"` {
			t.Fatalf("%#v", err)
		}
		var n int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM cp").Scan(&n); err != nil || n != 4 {
			t.Fatal(n, err)
		}
	})

	t.Run("statement timeout", func(t *testing.T) {
		exec(t, c, "SET statement_timeout = '50ms'")
		defer exec(t, c, "RESET statement_timeout")
		_, err := c.Exec(ctx, "SELECT count(*) FROM generate_series(1, 1000000000) a")
		if code(err) != "57014" || !strings.Contains(err.Error(), "statement timeout") {
			t.Fatal(err)
		}
	})

	t.Run("cancel", func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		d := n.Connect(t)
		if _, err := d.Exec(short, "SELECT count(*) FROM generate_series(1, 1000000000) a"); err == nil {
			t.Fatal("not cancelled")
		}
	})

	t.Run("lock waits, lock timeout and deadlock", func(t *testing.T) {
		exec(t, c, "CREATE TABLE l (a int PRIMARY KEY, n int); ")
		exec(t, c, "INSERT INTO l VALUES (1, 0), (2, 0)")
		d := n.Connect(t)
		exec(t, c, "BEGIN")
		exec(t, c, "UPDATE l SET n = 1 WHERE a = 1")
		exec(t, d, "SET lock_timeout = '50ms'")
		if _, err := d.Exec(ctx, "UPDATE l SET n = 2 WHERE a = 1"); code(err) != "55P03" {
			t.Fatal(err)
		}
		if _, err := d.Exec(ctx, "SELECT * FROM l WHERE a = 1 FOR UPDATE NOWAIT"); code(err) != "55P03" {
			t.Fatal(err)
		}
		exec(t, d, "SET lock_timeout = 0")
		exec(t, d, "BEGIN")
		exec(t, d, "UPDATE l SET n = 2 WHERE a = 2")
		var wg sync.WaitGroup
		wg.Add(1)
		var first error
		go func() {
			defer wg.Done()
			_, first = c.Exec(ctx, "UPDATE l SET n = 3 WHERE a = 2")
		}()
		time.Sleep(50 * time.Millisecond)
		_, second := d.Exec(ctx, "UPDATE l SET n = 3 WHERE a = 1")
		if second != nil {
			exec(t, d, "ROLLBACK")
		}
		wg.Wait()
		if (code(first) == "40P01") == (code(second) == "40P01") {
			t.Fatalf("one of two must lose: %v, %v", first, second)
		}
		c.Exec(ctx, "ROLLBACK")
		d.Exec(ctx, "ROLLBACK")
	})

	t.Run("read committed re-checks after a wait", func(t *testing.T) {
		exec(t, c, "UPDATE l SET n = 0")
		d := n.Connect(t)
		exec(t, c, "BEGIN")
		exec(t, c, "UPDATE l SET n = n + 1 WHERE a = 1")
		done := make(chan error, 1)
		go func() {
			_, err := d.Exec(ctx, "UPDATE l SET n = n + 1 WHERE a = 1")
			done <- err
		}()
		time.Sleep(50 * time.Millisecond)
		exec(t, c, "COMMIT")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var got int
		c.QueryRow(ctx, "SELECT n FROM l WHERE a = 1").Scan(&got)
		if got != 2 {
			t.Fatal(got)
		}
	})

	t.Run("repeatable read loses to the first updater", func(t *testing.T) {
		d := n.Connect(t)
		exec(t, d, "BEGIN ISOLATION LEVEL REPEATABLE READ")
		var got int
		d.QueryRow(ctx, "SELECT n FROM l WHERE a = 1").Scan(&got)
		exec(t, c, "UPDATE l SET n = n + 1 WHERE a = 1")
		if _, err := d.Exec(ctx, "UPDATE l SET n = n + 1 WHERE a = 1"); code(err) != "40001" {
			t.Fatal(err)
		}
		exec(t, d, "ROLLBACK")
	})

	t.Run("plans follow the catalog", func(t *testing.T) {
		d := n.Connect(t)
		exec(t, c, "CREATE TABLE pl (a int)")
		for range 3 {
			exec(t, d, "INSERT INTO pl VALUES (1)")
		}
		exec(t, c, "ALTER TABLE pl ADD COLUMN b int DEFAULT 9")
		exec(t, d, "INSERT INTO pl VALUES (2)")
		var sum int
		if err := d.QueryRow(ctx, "SELECT sum(b) FROM pl", pgx.QueryExecModeSimpleProtocol).Scan(&sum); err != nil || sum != 36 {
			t.Fatal(sum, err)
		}
	})

	t.Run("ten thousand columns", func(t *testing.T) {
		d := n.Connect(t)
		_, err := d.Exec(ctx, "SELECT "+strings.TrimSuffix(strings.Repeat("1,", 10000), ","))
		if err == nil || d.IsClosed() {
			t.Fatal(err)
		}
	})

	t.Run("foreign keys between sessions", func(t *testing.T) {
		exec(t, c, "CREATE TABLE fp (id int PRIMARY KEY)")
		exec(t, c, "CREATE TABLE fc (id int PRIMARY KEY, p int REFERENCES fp)")
		exec(t, c, "INSERT INTO fp VALUES (1), (2)")
		d := n.Connect(t)
		exec(t, c, "BEGIN")
		exec(t, c, "INSERT INTO fc VALUES (1, 1)")
		done := make(chan error, 1)
		go func() {
			_, err := d.Exec(ctx, "DELETE FROM fp WHERE id = 1")
			done <- err
		}()
		time.Sleep(50 * time.Millisecond)
		exec(t, c, "COMMIT")
		if err := <-done; code(err) != "23503" {
			t.Fatal(err)
		}
	})
}
