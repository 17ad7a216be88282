package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// Bounds of TestIdleConnections: what issue and README promise of an idle connection, and
// how many there are.
const (
	idleBytesMax      = 100 << 10
	idleConnections   = 2000
	activeConnections = 200
)

// TestIdleConnections: connections that have worked and then wait take little memory each,
// and those beside them work on. All have prepared and run a point statement, a tenth has
// received rows of 100 kB, a tenth has sent values of 100 kB.
func TestIdleConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 2,200 connections")
	}
	idle := idleConnections
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Cur) - 2*activeConnections - 200; most < idle {
		idle = most // Go has raised the soft limit to the hard one already
	}
	if idle < 200 {
		t.Skipf("only %d files may be open", limit.Cur)
	}
	n := nodetest.Start(t, t.TempDir(), "--max-connections", fmt.Sprint(idle+activeConnections+10), "--memory", "1GB")
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	witness := connect(t, n)
	exec1(t, witness, "create table idle (k int primary key, v text, w text); insert into idle select g, 'value ' || g, repeat('w', 100000) from generate_series(1, 100) g")
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres database=postgres sslmode=disable", n.Port())
	wide := []byte(strings.Repeat("p", 100000))
	work := func(c *pgconn.PgConn, i int) error {
		type step struct {
			sql  string
			args [][]byte
		}
		key := []byte(fmt.Sprint(i%100 + 1))
		steps := []step{{"select v from idle where k = $1", [][]byte{key}}}
		switch i % 10 {
		case 1:
			steps = append(steps, step{"select w, upper(w) from idle where k = $1", [][]byte{key}}, step{"select * from idle limit 3", nil})
		case 2:
			steps = append(steps, step{"select length($1::text)", [][]byte{wide}})
		}
		for j, s := range steps {
			name := fmt.Sprint("s", j)
			if _, err := c.Prepare(ctx, name, s.sql, nil); err != nil {
				return err
			}
			if r := c.ExecPrepared(ctx, name, s.args, nil, nil).Read(); r.Err != nil || len(r.Rows) == 0 {
				return fmt.Errorf("%s: %d rows, %w", s.sql, len(r.Rows), r.Err)
			}
		}
		return nil
	}
	open := func(from, to int, conns []*pgconn.PgConn) error {
		for i := from; i < to; i++ {
			c, err := pgconn.Connect(ctx, dsn)
			if err != nil {
				return err
			}
			conns[i] = c
			if err := work(c, i); err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
		}
		return nil
	}
	conns := make([]*pgconn.PgConn, idle)
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				c.Conn().Close()
			}
		}
	})
	const warm = 100 // the server's own caches and pools are not theirs
	if err := open(0, warm, conns); err != nil {
		t.Fatal(err)
	}
	before := memory(t, n)
	if err := open(warm, idle, conns); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	grown := memory(t, n) - before
	each := grown / int64(idle-warm)
	t.Logf("%d idle connections (of %d files that may be open): %d MB, %d KiB each", idle, limit.Cur, grown>>20, each>>10)
	if each > idleBytesMax {
		t.Errorf("an idle connection takes %d KiB, want at most %d", each>>10, idleBytesMax>>10)
	}

	// Active ones beside them.
	active := make([]*pgconn.PgConn, activeConnections)
	var wg sync.WaitGroup
	var done atomic.Int64
	var slowest atomic.Int64
	for i := range active {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := pgconn.Connect(ctx, dsn)
			if err != nil {
				t.Errorf("an active connection: %v", err)
				return
			}
			defer c.Close(ctx)
			if _, err := c.Prepare(ctx, "s", "update idle set v = v || 'x' where k = $1", nil); err != nil {
				t.Error(err)
				return
			}
			for j := range 5 {
				began := time.Now()
				if r := c.ExecPrepared(ctx, "s", [][]byte{[]byte(fmt.Sprint((i+j*37)%100 + 1))}, nil, nil).Read(); r.Err != nil || r.CommandTag.RowsAffected() != 1 {
					t.Errorf("an active connection: %v %s", r.Err, r.CommandTag)
					return
				}
				done.Add(1)
				for d := int64(time.Since(began)); ; {
					old := slowest.Load()
					if d <= old || slowest.CompareAndSwap(old, d) {
						break
					}
				}
			}
		}()
	}
	wg.Wait()
	t.Logf("%d updates of %d active connections, the slowest took %s", done.Load(), activeConnections, time.Duration(slowest.Load()))
	if got := value(t, witness, "select sum(length(v) - length('value ' || k))::text from idle"); got != fmt.Sprint(5*activeConnections) {
		t.Errorf("%s updates are there", got)
	}
	// The idle ones are still there.
	for i := 0; i < idle; i += idle / 50 {
		if r := conns[i].ExecPrepared(ctx, "s0", [][]byte{[]byte("1")}, nil, nil).Read(); r.Err != nil || len(r.Rows) != 1 {
			t.Fatalf("connection %d after its rest: %v", i, r.Err)
		}
	}
}

// TestOldSnapshot: a transaction that stays open while others write sees what it saw at
// first, however much is written and collected, and the others go on.
func TestOldSnapshot(t *testing.T) {
	n := nodetest.Start(t, t.TempDir(), "--columns", "always")
	ctx := context.Background()
	old, writer := connect(t, n), connect(t, n)
	exec1(t, writer, "create table snap (k int primary key, v int); insert into snap select g, 0 from generate_series(1, 3000) g")
	exec1(t, old, "begin isolation level repeatable read")
	const question = "select count(*) || '/' || sum(v) || '/' || sum(k) from snap"
	want := value(t, old, question)
	round := func(i int) {
		exec1(t, writer, fmt.Sprintf("update snap set v = v + 1 where k %% 3 <> %d; delete from snap where k = %d; insert into snap values (%d, 7)", i%3, i+1, 10000+i))
		exec1(t, writer, "vacuum snap")
	}
	for i := range 12 {
		round(i)
		if got := value(t, old, question); got != want {
			t.Fatalf("round %d: the old snapshot has become %s, was %s", i, got, want)
		}
		if got := value(t, old, fmt.Sprintf("select v::text from snap where k = %d", i+1)); got != "0" {
			t.Fatalf("round %d: row %d is %s", i, i+1, got)
		}
	}
	if _, err := old.Exec(ctx, "update snap set v = 1 where k = 100"); !hasCode(err, "40001") {
		t.Errorf("an update of a row that others have changed: %v", err)
	}
	exec1(t, old, "rollback")
	if got, now := value(t, old, question), value(t, writer, question); got != now {
		t.Errorf("after its end it sees %s, others %s", got, now)
	}
}
