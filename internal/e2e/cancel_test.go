package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

func hasCode(err error, code string) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == code
}

// memory is the process's resident memory.
func memory(t *testing.T, n *nodetest.Node) int64 {
	t.Helper()
	return status(t, n, "VmRSS:") << 10
}

func status(t *testing.T, n *nodetest.Node, field string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID()))
	if err != nil {
		t.Skip(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == field {
			v, _ := strconv.ParseInt(f[1], 10, 64)
			return v
		}
	}
	t.Skip("no " + field)
	return 0
}

// endless are statements of every kind that would run for hours.
var endless = []string{
	"select count(*) from generate_series(1, 100000000000)",
	"select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b where a <> b",
	"select count(*) from (select a from generate_series(1, 3000000000) a order by a desc) s",
	"select a, count(*) from generate_series(1, 3000000000) a group by a having count(*) > 1",
	"with recursive r(n) as (select 1 union all select n + 1 - 1 from r) select count(*) from r",
	"insert into c select a, a from generate_series(10, 2000000000) a",
	"update c set b = (select count(*) from generate_series(1, 100000000000))",
	"select pg_sleep(3600)",
	"select repeat('x', 1000) from generate_series(1, 1000000000)",
	"update c set b = 5 where a = 1", // waits for a row lock
	"insert into c values (2, 2)",    // waits for a key
	"alter table c add d int",        // waits for the table
	"declare x cursor for select * from generate_series(1, 10000000000); move all in x",
	"with x as materialized (select * from generate_series(1, 10000000000)) select count(*) from x a join x b on a = b",
	"create table big as select * from generate_series(1, 10000000000)",
	"copy (select * from generate_series(1, 10000000000)) to stdout",
}

// TestEndlessStatements: a CancelRequest, statement_timeout, and the client's
// leaving each stop a statement of any kind at once.
func TestEndlessStatements(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Second)
	defer stop()
	n := nodetest.Start(t, t.TempDir(), "--memory", "512MB")
	holder := connect(t, n)
	exec1(t, holder, "create table c (a int primary key, b int); insert into c values (1, 1)")
	exec1(t, holder, "begin; update c set b = 2 where a = 1; insert into c values (2, 1)")
	const prompt = 2 * time.Second
	for _, sql := range endless {
		c := connect(t, n)
		timer := time.AfterFunc(200*time.Millisecond, func() { c.PgConn().CancelRequest(ctx) })
		started := time.Now()
		r := c.PgConn().Exec(ctx, "begin; "+sql)
		_, err := r.ReadAll()
		timer.Stop()
		if d := time.Since(started); !hasCode(err, "57014") || d > prompt {
			t.Errorf("CancelRequest: %s: %v after %s", sql, err, d)
		}
		if c.IsClosed() {
			t.Errorf("CancelRequest: %s: the session has ended", sql)
			continue
		}
		exec1(t, c, "rollback; set statement_timeout = 100")
		started = time.Now()
		_, err = c.PgConn().Exec(ctx, sql).ReadAll()
		if d := time.Since(started); !hasCode(err, "57014") || !strings.Contains(err.Error(), "statement timeout") || d > prompt {
			t.Errorf("statement_timeout: %s: %v after %s", sql, err, d)
		}
		gone := login(t, n)
		send(gone, 'Q', []byte(sql+" /* gone */\x00"))
		time.AfterFunc(100*time.Millisecond, func() { gone.Close() })
	}
	quiet := connect(t, n)
	deadline := time.Now().Add(5 * time.Second)
	for {
		left := value(t, quiet, `select coalesce(string_agg(query, '; '), '') from pg_stat_activity where query like '%/* gone */' and pid <> pg_backend_pid()`)
		if left == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running without a client: %s", left)
		}
		time.Sleep(50 * time.Millisecond)
	}
	exec1(t, holder, "commit")
	if got := value(t, quiet, "select string_agg(c::text, ',' order by a) from c"); got != "(1,2),(2,1)" {
		t.Errorf("c holds %s", got)
	}
	n.Stop()
}

// TestCursorsOutliveCalls: what a cursor or a suspended portal runs does not end
// with the call that began it, neither does statement_timeout break it.
func TestCursorsOutliveCalls(t *testing.T) {
	ctx := context.Background()
	n := nodetest.Start(t, t.TempDir())
	c := connect(t, n)
	exec1(t, c, "set statement_timeout = '20s'")
	exec1(t, c, "begin")
	exec1(t, c, "declare x cursor for select a from generate_series(1, 100000) a")
	exec1(t, c, "move 70000 in x")
	if got := value(t, c, "fetch x"); got != "70001" {
		t.Error(got)
	}
	exec1(t, c, "savepoint s")
	exec1(t, c, "set local statement_timeout = 100")
	_, err := c.Exec(ctx, "select pg_sleep(10)")
	wantCode(t, err, "57014")
	exec1(t, c, "rollback to s")
	if got := value(t, c, "fetch x"); got != "70002" {
		t.Error(got)
	}
	exec1(t, c, "commit")

	raw := login(t, n)
	send(raw, 'Q', []byte("set statement_timeout = '20s'; begin\x00"))
	expectRows(t, raw, 0)
	send(raw, 'P', []byte("\x00select a from generate_series(1, 100000) a\x00\x00\x00"))
	send(raw, 'B', []byte("\x00\x00\x00\x00\x00\x00\x00\x00"))
	for range 3 {
		send(raw, 'E', []byte("\x00\x00\x00\x10\x00"))
		send(raw, 'S', nil)
		expectRows(t, raw, 4096)
	}
	n.Stop()
}

// expectRows reads up to ReadyForQuery and wants so many rows and no error.
func expectRows(t *testing.T, c net.Conn, want int) {
	t.Helper()
	got := 0
	for {
		typ, body, err := receive(c)
		if err != nil || typ == 'E' {
			t.Errorf("%v %q", err, body)
		}
		if typ == 'D' {
			got++
		}
		if err != nil || typ == 'Z' {
			break
		}
	}
	if got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
}

// TestManyConnections: idle sessions are cheap, and the limit is an error for those beyond it only.
func TestManyConnections(t *testing.T) {
	n := nodetest.Start(t, t.TempDir())
	ctx := context.Background()
	before := memory(t, n)
	var all []*pgx.Conn
	defer func() {
		for _, c := range all {
			c.Close(ctx)
		}
	}()
	var refusal error
	for refusal == nil && len(all) < 1100 {
		c, err := pgx.Connect(ctx, n.DSN())
		if refusal = err; err == nil {
			all = append(all, c)
		}
	}
	if len(all) < 200 {
		t.Errorf("%d connections", len(all))
	}
	wantCode(t, refusal, "53300")
	for i, c := range all {
		if i%50 == 0 {
			if got := value(t, c, "select 'well'"); got != "well" {
				t.Error(got)
			}
		}
	}
	if grown := memory(t, n) - before; grown > int64(len(all))<<18 {
		t.Errorf("%d idle sessions take %d MB", len(all), grown>>20)
	}
	all[0].Close(ctx)
	time.Sleep(100 * time.Millisecond)
	connect(t, n)
	n.Stop()
}
