package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// long are statements that would run for minutes, of every kind that has pieces on the
// storage nodes. big has 60,000 rows; a join of it with itself on few values is endless.
var long = []struct{ name, sql string }{
	{"scan", "SELECT count(*) FROM big a JOIN big b ON a.few = b.few WHERE a.k + b.k < 0"},
	{"exchange", "SELECT a.v, b.v FROM big a JOIN big b ON a.few = b.few ORDER BY 1, 2"},
	{"aggregation", "SELECT a.k % 1000, sum(b.k), count(DISTINCT a.v || b.v) FROM big a JOIN big b ON a.few = b.few GROUP BY 1"},
	{"broadcast", "SELECT count(*) FROM big a, big b WHERE a.k < b.k AND a.v < b.v"},
	{"INSERT SELECT", "INSERT INTO copy SELECT a.k * 60000::bigint + b.k, a.v FROM big a JOIN big b ON a.few = b.few"},
	{"UPDATE", "UPDATE big SET v = v || 'x' WHERE (SELECT count(*) FROM big a JOIN big b ON a.few = b.few WHERE a.k + b.k < 0) >= 0"},
	{"COPY", "COPY (SELECT a.k, b.v FROM big a JOIN big b ON a.few = b.few) TO STDOUT"},
	{"COPY FROM", "COPY copy FROM STDIN"},
}

// copyRows is data for COPY copy, as much as is read: rows from 10^12 on.
type copyRows struct {
	next int64
	buf  []byte
}

func (e *copyRows) Read(b []byte) (int, error) {
	for len(e.buf) < len(b) {
		e.next++
		e.buf = fmt.Appendf(e.buf, "%d\tvalue %d\n", 1_000_000_000_000+e.next, e.next)
	}
	n := copy(b, e.buf)
	e.buf = append(e.buf[:0], e.buf[n:]...)
	return n, nil
}

// runLong runs one of long to its end.
func runLong(ctx context.Context, c *pgx.Conn, sql string) (err error) {
	switch {
	case strings.HasPrefix(sql, "COPY copy"):
		_, err = c.PgConn().CopyFrom(ctx, &copyRows{}, sql)
	case strings.HasPrefix(sql, "COPY"):
		_, err = c.PgConn().CopyTo(ctx, io.Discard, sql)
	default:
		_, err = c.PgConn().Exec(ctx, sql).ReadAll()
	}
	return err
}

// under waits until a statement of long runs: it has pieces, or, where nothing but calls
// of the gateway goes to the nodes, these have had to work.
func under(t *testing.T, watch *pgx.Conn, sql string) {
	t.Helper()
	if !strings.HasPrefix(sql, "COPY copy") {
		awaitPieces(t, watch, true, 10*time.Second)
		return
	}
	for end := time.Now().Add(10 * time.Second); text(watch, "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'transactionid'") != "true" && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
}

// cancelCluster is a cluster with a big table.
func cancelCluster(t *testing.T, args ...string) *nodetest.Cluster {
	t.Helper()
	cl := nodetest.StartCluster(t, 3, append([]string{"--tablets", "6"}, args...)...)
	s := session(t, cl.First)
	for _, sql := range []string{"CREATE TABLE big (k int PRIMARY KEY, few int, v text)", "CREATE TABLE copy (k bigint PRIMARY KEY, v text)",
		"INSERT INTO big SELECT i, i % 3, 'value ' || i FROM generate_series(1, 60000) i", "ANALYZE big"} {
		if _, err := s.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return cl
}

// pieces are the statements and fragments that the nodes have now; −1: some did not answer.
func pieces(t *testing.T, c *pgx.Conn) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var n int
	if err := c.QueryRow(ctx, "SELECT coalesce(sum(statements + fragments), 0) + CASE WHEN bool_or(statements IS NULL) THEN -1000 ELSE 0 END FROM basalt.fragments").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return max(n, -1)
}

// awaitPieces waits until there are some, or none, and tells how long that took.
func awaitPieces(t *testing.T, c *pgx.Conn, some bool, bound time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		n := pieces(t, c)
		if d := time.Since(began); n > 0 == some && n >= 0 {
			return d
		} else if d > bound {
			t.Errorf("after %s there are %d pieces", d, n)
			return d
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// stopsWithin bounds what a node may still compute for a statement that was ended: in CPU time, a
// second of two cores, since the machine may have other work. The clock's bound is wide for the same reason.
const (
	stopsWithin = 2 * time.Second
	stopsAtLast = 10 * time.Second
	clockSlack  = 2 * time.Second
)

// cpu is the CPU time that the nodes have used, each.
func cpu(t *testing.T, nodes []*nodetest.Node) []time.Duration {
	t.Helper()
	out := make([]time.Duration, len(nodes))
	for i, n := range nodes {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID()))
		if err != nil {
			t.Skip(err)
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from the third field on
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		out[i] = time.Duration(user+system) * 10 * time.Millisecond
	}
	return out
}

// TestClusterCancel: a cancel request, statement_timeout and a client that goes away each stop
// statements of every kind on every node within a second.
func TestClusterCancel(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	addr := nodetest.FreeAddr(t)
	cl := cancelCluster(t, "--flight-addr", addr)
	watch := session(t, cl.First)
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	defer stop()
	nodes := append([]*nodetest.Node{cl.First}, cl.Storage...)
	var longest, most time.Duration
	// ending takes the time at which a statement is ended; stopped waits until no node works on it.
	type moment struct {
		at   time.Time
		used []time.Duration
	}
	ending := func(t *testing.T) moment { return moment{time.Now(), cpu(t, nodes)} }
	stopped := func(t *testing.T, m moment) {
		t.Helper()
		awaitPieces(t, watch, false, stopsAtLast)
		d := time.Since(m.at)
		longest = max(longest, d)
		// On the clock, unless the machine is too busy even for the question.
		asked := time.Now()
		pieces(t, watch)
		if d > time.Second+clockSlack && time.Since(asked) < time.Second/5 {
			t.Errorf("it stopped after %s", d)
		}
		// Nothing is left of it a second later: no locks, no work.
		time.Sleep(time.Until(m.at.Add(time.Second)))
		for end := time.Now().Add(clockSlack); ; time.Sleep(10 * time.Millisecond) {
			if n := text(watch, "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid'"); n == "0" {
				break
			} else if time.Now().After(end) {
				t.Errorf("%s transactions have locks a second later", n)
				break
			}
		}
		for i, u := range cpu(t, nodes) {
			d := u - m.used[i]
			if most = max(most, d); d > stopsWithin {
				t.Errorf("node %d went on for %s", i, d)
			}
		}
	}
	for _, x := range long {
		t.Run(x.name, func(t *testing.T) {
			c := session(t, cl.First)
			ended := make(chan error, 1)
			run := func() { go func() { ended <- runLong(ctx, c, x.sql) }() }
			run()
			under(t, watch, x.sql)
			time.Sleep(50 * time.Millisecond)
			at := ending(t)
			if err := c.PgConn().CancelRequest(ctx); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !hasCode(err, "57014") {
				t.Errorf("cancel request: %v", err)
			}
			stopped(t, at)

			if _, err := c.Exec(ctx, "SET statement_timeout = 300"); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			run()
			time.Sleep(time.Until(began.Add(290 * time.Millisecond)))
			at = ending(t)
			if err := <-ended; !hasCode(err, "57014") {
				t.Errorf("statement_timeout: %v", err)
			}
			stopped(t, at)

			gone := login(t, cl.First)
			send(gone, 'Q', []byte(x.sql+"\x00"))
			if strings.HasPrefix(x.sql, "COPY copy") {
				data := make([]byte, 1<<20)
				(&copyRows{}).Read(data)
				send(gone, 'd', data)
			}
			under(t, watch, x.sql)
			at = ending(t)
			gone.Close()
			stopped(t, at)
		})
	}
	t.Run("Flight", func(t *testing.T) {
		g := flightClient(t, addr)
		for _, sql := range []string{"SELECT a.k, b.v FROM big a JOIN big b ON a.few = b.few", "SELECT count(*) FROM big a JOIN big b ON a.few = b.few WHERE a.k + b.k < 0"} {
			call, cancel := context.WithCancel(ctx)
			info, err := g.Execute(call, sql)
			if err != nil {
				t.Fatal(err)
			}
			go func() { // until it is cancelled
				if r, err := g.DoGet(call, info.Endpoint[0].Ticket); err == nil {
					defer r.Release()
					for r.Next() {
					}
				}
			}()
			awaitPieces(t, watch, true, 10*time.Second)
			at := ending(t)
			cancel()
			stopped(t, at)
		}
		// a part, from its node: few rows are read, the client goes
		info, err := g.Execute(ctx, "SELECT repeat(v, 200) FROM big")
		if err != nil || len(info.Endpoint) != 3 {
			t.Fatalf("%v, %v", info, err)
		}
		node := flightClient(t, strings.TrimPrefix(info.Endpoint[0].Location[0].Uri, "grpc+tcp://"))
		for _, c := range []*flightsql.Client{node, g} {
			call, cancel := context.WithCancel(ctx)
			r, err := c.DoGet(call, info.Endpoint[0].Ticket)
			if err != nil || !r.Next() {
				t.Fatalf("%v", err)
			}
			awaitPieces(t, watch, true, 10*time.Second)
			at := ending(t)
			cancel()
			stopped(t, at)
			r.Release()
		}
	})
	t.Logf("the longest took %s, %s of CPU time on one node", longest.Round(time.Millisecond), most)
}

// TestClusterSlowClient: who reads slowly does not make any node grow: the result waits on disk or
// is not computed yet.
func TestClusterSlowClient(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	addr := nodetest.FreeAddr(t)
	cl := cancelCluster(t, "--flight-addr", addr)
	watch := session(t, cl.First)
	nodes := append([]*nodetest.Node{cl.First}, cl.Storage...)
	const sql = "SELECT a.k, repeat(b.v, 20) FROM big a JOIN big b ON a.few = b.few" // 1.2 billion rows
	rss := func(n *nodetest.Node) int64 { return memory(t, n) }
	slow := func(what string, read func() error) {
		t.Helper()
		before := make([]int64, len(nodes))
		var peak [4]int64
		for i, n := range nodes {
			before[i] = rss(n)
		}
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if err := read(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for i, n := range nodes {
				peak[i] = max(peak[i], rss(n))
			}
		}
		for i := range nodes {
			grown := (peak[i] - before[i]) >> 20
			t.Logf("%s: node %d grew by %d MB", what, i, grown)
			if grown > slowGrowthMax {
				t.Errorf("%s: node %d grew from %d to %d MB", what, i, before[i]>>20, peak[i]>>20)
			}
		}
	}
	wire := login(t, cl.First)
	send(wire, 'Q', []byte(sql+"\x00"))
	buf := make([]byte, 4096)
	slow("wire", func() error {
		wire.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err := wire.Read(buf)
		return err
	})
	wire.Close()
	awaitPieces(t, watch, false, 10*time.Second)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := flightClient(t, addr)
	info, err := g.Execute(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	call, end := context.WithCancel(ctx)
	r, err := g.DoGet(call, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	slow("Flight", func() error {
		if i++; i%8 == 0 && !r.Next() {
			return errors.Join(errors.New("the result has ended"), r.Err())
		}
		return nil
	})
	end()
	r.Release()
	awaitPieces(t, watch, false, 10*time.Second)
}

// slowGrowthMax is what a node may grow by in MB: what its operators and buffers hold.
const slowGrowthMax = 150

// TestClusterNodeGone: a node that is killed or hangs while a statement runs makes it fail with a
// connection's error, soon, and what is left of it ends everywhere.
func TestClusterNodeGone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	cl := cancelCluster(t)
	watch := session(t, cl.First)
	for i, x := range long {
		victim := cl.Storage[i%len(cl.Storage)]
		c := session(t, cl.First)
		ended := make(chan error, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		go func() { ended <- runLong(ctx, c, x.sql) }()
		under(t, watch, x.sql)
		time.Sleep(100 * time.Millisecond)
		at := time.Now()
		victim.Kill()
		err := <-ended
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || !strings.HasPrefix(pe.Code, "08") && pe.Code != "57P01" {
			t.Errorf("%s: %v", x.name, err)
		}
		if d := time.Since(at); d > 10*time.Second {
			t.Errorf("%s: the error took %s", x.name, d)
		}
		cancel()
		victim.Restart()
		awaitPieces(t, watch, false, 20*time.Second)
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if got := text(watch, "SELECT count(*) FROM big"); got == "60000" {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%s: afterwards: %s", x.name, got)
			}
		}
	}
}
