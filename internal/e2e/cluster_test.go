package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// session opens a session, closed at the test's end.
func session(t testing.TB, n *nodetest.Node) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), n.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// text is the one value of a query, as text; an error's SQLSTATE otherwise.
func text(c *pgx.Conn, sql string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var s string
	if err := c.QueryRow(ctx, "SELECT ("+sql+")::text").Scan(&s); err != nil {
		return code(err)
	}
	return s
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code + " " + e.Message
	}
	return err.Error()
}

// TestClusterCatalog changes the catalog through one gateway and uses it through
// another at once, prepared statements included.
func TestClusterCatalog(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx := context.Background()
	cl := nodetest.StartCluster(t, 2)
	a, b := session(t, cl.First), session(t, cl.Gateway())
	exec := func(c *pgx.Conn, sql string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	want := func(c *pgx.Conn, sql, want string) {
		t.Helper()
		if got := text(c, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	exec(a, "CREATE TABLE t (k int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i")
	want(b, "SELECT count(*) FROM t", "1000")
	if _, err := b.Prepare(ctx, "p", "SELECT v FROM t WHERE k = $1"); err != nil {
		t.Fatal(err)
	}
	prepared := func(want string) {
		t.Helper()
		var v string
		if err := b.QueryRow(ctx, "p", 7).Scan(&v); err != nil {
			v = code(err)
		}
		if v != want {
			t.Errorf("prepared: %s, want %s", v, want)
		}
	}
	prepared("v7")
	for i := range 20 {
		exec(a, fmt.Sprintf("ALTER TABLE t ADD COLUMN c%d int DEFAULT %d", i, i))
		exec(b, fmt.Sprintf("INSERT INTO t (k, v, c%d) VALUES (%d, 'b', -1)", i, 2000+i))
		want(a, fmt.Sprintf("SELECT sum(c%d) FROM t", i), fmt.Sprint(i*(1000+i)-1))
		exec(b, fmt.Sprintf("CREATE UNIQUE INDEX i%d ON t (v, k)", i))
		want(a, "SELECT count(*) FROM pg_indexes WHERE tablename = 't'", "2")
		prepared("v7")
		exec(a, fmt.Sprintf("DROP INDEX i%d", i))
	}
	exec(a, "ALTER TABLE t RENAME v TO w")
	prepared(`42703 column "v" does not exist`)
	exec(a, "ALTER TABLE t RENAME w TO v")
	prepared("v7")
	for _, c := range []*pgx.Conn{a, b} { // without --max-prepared-transactions
		if _, err := c.Exec(ctx, "BEGIN; UPDATE t SET v = 'x'; PREPARE TRANSACTION 'p'"); !hasCode(err, "55000") {
			t.Errorf("PREPARE TRANSACTION: %v", err)
		}
		if _, err := c.Exec(ctx, "COMMIT PREPARED 'p'"); !hasCode(err, "42704") {
			t.Errorf("COMMIT PREPARED: %v", err)
		}
		want(c, "SELECT count(*) FROM pg_prepared_xacts", "0")
	}
	exec(b, "DROP TABLE t")
	want(a, "SELECT count(*) FROM t", `42P01 relation "t" does not exist`)
	want(a, "SELECT count(*) FROM basalt.tablets", "2")
	if text(a, "SELECT pg_backend_pid()") == text(b, "SELECT pg_backend_pid()") {
		t.Error("two sessions with one process number")
	}
}

// bank is accounts spread over all tablets, transfers between them and sums of all.
type bank struct {
	accounts int
	mu       sync.Mutex
	dsn      []string
	acked    atomic.Int64
	summed   atomic.Int64
	failed   sync.Map // SQLSTATE: true
}

const bankBalance = 100

func (b *bank) setUp(t *testing.T, c *pgx.Conn) {
	t.Helper()
	for _, sql := range []string{"CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)", "CREATE TABLE moves (id bigserial PRIMARY KEY, tag text UNIQUE)",
		fmt.Sprintf("INSERT INTO accounts SELECT i, %d FROM generate_series(1, %d) i", bankBalance, b.accounts)} {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// gateway is where a worker connects.
func (b *bank) gateway(w int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dsn[w%len(b.dsn)]
}

func (b *bank) moved(i int, dsn string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dsn[i] = dsn
}

// transfer moves money in one transaction, noting tag; a deadlock is avoided by order.
func (b *bank) transfer(ctx context.Context, c *pgx.Conn, tag string) error {
	x, y := rand.IntN(b.accounts)+1, rand.IntN(b.accounts-1)+1
	if y >= x {
		y++
	}
	n := rand.IntN(10)
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	first, second, sign := x, y, n
	if second < first {
		first, second, sign = y, x, -n
	}
	for _, s := range []struct{ id, d int }{{first, -sign}, {second, sign}} {
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance + $1 WHERE id = $2", s.d, s.id); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO moves (tag) VALUES ($1)", tag); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// run transfers until ctx ends, noting the tags that were acknowledged. What fails
// must fail as docs/cluster.md says.
func (b *bank) run(ctx context.Context, t *testing.T, worker int, tags *[]string) {
	var c *pgx.Conn
	defer func() {
		if c != nil {
			c.Close(context.Background())
		}
	}()
	for i := 0; ctx.Err() == nil; i++ {
		if c == nil || c.IsClosed() {
			var err error
			if c, err = pgx.Connect(ctx, b.gateway(worker)); err != nil {
				c = nil
				time.Sleep(50 * time.Millisecond)
				continue
			}
		}
		tag := fmt.Sprintf("%d-%d", worker, i)
		wait, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := b.transfer(wait, c, tag)
		cancel()
		if err == nil {
			*tags = append(*tags, tag)
			b.acked.Add(1)
			continue
		}
		var e *pgconn.PgError
		if !errors.As(err, &e) {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a transfer hangs: %v", err)
			}
			continue // the gateway is gone
		}
		switch e.Code {
		case "08006", "08003", "08007", "40001", "72000", "57P01", "57P03":
			b.failed.Store(e.Code, true)
		default:
			t.Errorf("a transfer fails with %s %s\n%s", e.Code, e.Message, e.Detail)
		}
	}
}

// sums checks that every sum seen is right, until ctx ends.
func (b *bank) sums(ctx context.Context, t *testing.T, worker int) {
	for ctx.Err() == nil {
		c, err := pgx.Connect(ctx, b.gateway(worker))
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for ctx.Err() == nil {
			var sum, n int
			wait, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			err := c.QueryRow(wait, "SELECT sum(balance), count(*) FROM accounts").Scan(&sum, &n)
			cancel()
			if err != nil {
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a sum hangs")
				}
				break
			}
			b.summed.Add(1)
			if sum != b.accounts*bankBalance || n != b.accounts {
				t.Errorf("%d accounts hold %d, want %d with %d", n, sum, b.accounts, b.accounts*bankBalance)
			}
		}
		c.Close(context.Background())
	}
}

// TestClusterKills transfers through two gateways while storage nodes, a gateway
// and the first node are killed and restarted: no sum is ever wrong, no
// acknowledged transfer is lost, and locks of the dead are free within seconds.
func TestClusterKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	cl := nodetest.StartCluster(t, 3, "--tablets", "6")
	other := cl.Gateway()
	b := &bank{accounts: 60, dsn: []string{cl.First.DSN(), other.DSN()}}
	b.setUp(t, session(t, cl.First))

	const workers = 4
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var done sync.WaitGroup
	tags := make([][]string, workers)
	for w := range workers {
		done.Add(1)
		go func() {
			defer done.Done()
			b.run(ctx, t, w, &tags[w])
		}()
	}
	for w := range 2 {
		done.Add(1)
		go func() {
			defer done.Done()
			b.sums(ctx, t, w)
		}()
	}
	progress := func(what string) {
		t.Helper()
		was := b.acked.Load()
		for end := time.Now().Add(15 * time.Second); b.acked.Load() < was+20; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nothing moves after %s", what)
			}
		}
	}
	progress("the start")
	for round, s := range cl.Storage[:2] {
		s.Kill()
		time.Sleep(300 * time.Millisecond)
		s.Restart()
		progress(fmt.Sprintf("storage node %d was killed", round+1))
	}
	// A gateway dies with a lock held.
	holder, err := pgx.Connect(context.Background(), other.DSN())
	if err != nil {
		t.Fatal(err)
	}
	// In the order of transfers: one statement for all rows takes them tablet by tablet, and is a deadlock now and then.
	hold := func() error {
		if _, err := holder.Exec(context.Background(), "BEGIN"); err != nil {
			return err
		}
		for id := 1; id <= 30; id++ {
			if _, err := holder.Exec(context.Background(), "UPDATE accounts SET balance = balance WHERE id = $1", id); err != nil {
				return err
			}
		}
		return nil
	}
	for i := 0; ; i++ {
		if err = hold(); err == nil {
			break
		}
		if i == 20 {
			t.Fatal(err)
		}
		holder.Exec(context.Background(), "ROLLBACK")
	}
	other.Kill()
	killed := time.Now()
	probe := session(t, cl.First)
	for id := 1; id <= 30; id++ {
		if _, err := probe.Exec(context.Background(), "SELECT id FROM accounts WHERE id = $1 FOR UPDATE", id); err != nil {
			t.Errorf("locks of a dead gateway: %v", err)
		}
	}
	if d := time.Since(killed); d > 10*time.Second {
		t.Errorf("locks of a dead gateway were held for %s", d)
	}
	other.Restart()
	b.moved(1, other.DSN())
	progress("a gateway was killed")
	cl.First.Kill()
	time.Sleep(200 * time.Millisecond)
	cl.First.Restart()
	b.moved(0, cl.First.DSN())
	progress("the first node was killed")
	stop()
	done.Wait()

	b.verify(t, session(t, other), tags)
}

// verify checks that the money is all there, and every acknowledged transfer.
func (b *bank) verify(t *testing.T, c *pgx.Conn, tags [][]string) {
	t.Helper()
	if got := text(c, "SELECT sum(balance) FROM accounts"); got != fmt.Sprint(b.accounts*bankBalance) {
		t.Errorf("the accounts hold %s", got)
	}
	rows, err := c.Query(context.Background(), "SELECT tag FROM moves")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, s := range stored {
		have[s] = true
	}
	for _, list := range tags {
		for _, tag := range list {
			if !have[tag] {
				t.Errorf("acknowledged transfer %s is lost", tag)
			}
		}
	}
	t.Logf("%d transfers acknowledged, %d stored", b.acked.Load(), len(stored))
	b.failed.Range(func(k, _ any) bool { t.Logf("some failed with %v", k); return true })
}

// TestClusterTLS lets in who has a certificate of the cluster's, and nobody else.
func TestClusterTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	certs := t.TempDir()
	run := func(args ...string) (string, error) {
		out, err := exec.Command(nodetest.Binary(t), args...).CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{{"cert", "create-ca", "--certs", certs}, {"cert", "create-node", "--certs", certs, "127.0.0.1", "localhost"}} {
		if out, err := run(args...); err != nil {
			t.Fatalf("%v: %s", args, out)
		}
	}
	if out, err := run("cert", "create-node", "--certs", certs, "127.0.0.1"); err == nil || !strings.Contains(out, "is not overwritten") {
		t.Errorf("a key is overwritten: %s", out)
	}
	rpc := nodetest.FreeAddr(t)
	n := nodetest.Start(t, t.TempDir(), "--rpc-addr", rpc, "--certs", certs)
	if out, err := run("status", "--join", rpc, "--certs", certs); err != nil || !strings.Contains(out, rpc) {
		t.Errorf("status with a certificate: %s", out)
	}
	if out, err := run("status", "--join", rpc); err == nil {
		t.Errorf("status without a certificate: %s", out)
	}
	stranger := t.TempDir()
	run("cert", "create-ca", "--certs", stranger)
	run("cert", "create-node", "--certs", stranger, "127.0.0.1")
	if out, err := run("status", "--join", rpc, "--certs", stranger); err == nil {
		t.Errorf("status with another cluster's certificate: %s", out)
	}
	if got := text(session(t, n), "SELECT count(*) FROM basalt.nodes WHERE alive"); got != "1" {
		t.Error(got)
	}
}

// TestDirectories: a directory belongs to one node of one database.
func TestDirectories(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	lone, rpc := t.TempDir(), nodetest.FreeAddr(t)
	nodetest.Start(t, lone).Stop()
	run := func(want string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, nodetest.Binary(t), append([]string{"start", "--sql-addr", nodetest.FreeAddr(t)}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %s", args, out)
		}
	}
	run("cannot become part of a cluster", "--data", lone, "--rpc-addr", rpc)
	run("cannot become part of a cluster", "--data", lone, "--rpc-addr", rpc, "--join", "127.0.0.1:1")
	first := t.TempDir()
	nodetest.Start(t, first, "--rpc-addr", rpc).Stop()
	run("start it with --rpc-addr", "--data", first)
	run("start it without --join", "--data", first, "--rpc-addr", rpc, "--join", "127.0.0.1:1")
	run("--role", "--data", first, "--rpc-addr", rpc, "--role", "gateway")
	run("--insecure", "--data", t.TempDir(), "--rpc-addr", "0.0.0.0:0")
}
