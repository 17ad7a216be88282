package e2e

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// run runs the binary with args to its end.
func run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, nodetest.Binary(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// refused checks that `basalt start args` ends with status 1 and one line that says why.
func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	_, stderr, status := run(t, append([]string{"start"}, args...)...)
	if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
		t.Errorf("start %v: status %d, %q; want status 1 and one line with %q", args, status, stderr, want)
	}
}

func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	foreign := filepath.Join(dir, "foreign")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Mkdir(foreign, 0o700),
		os.WriteFile(filepath.Join(foreign, "thesis.txt"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	used := filepath.Join(dir, "used")
	n := nodetest.Start(t, used)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fresh := filepath.Join(dir, "fresh")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`required flag(s) "data" not set`, nil},
		{"not a directory", []string{"--data", file}},
		{"not a directory", []string{"--data", filepath.Join(file, "sub")}},
		{"is not empty", []string{"--data", foreign}},
		{"is in use by another process", []string{"--data", used, "--sql-addr", "127.0.0.1:0"}},
		{"the address is in use", []string{"--data", fresh, "--sql-addr", l.Addr().String()}},
		{"invalid port", []string{"--data", fresh, "--sql-addr", "127.0.0.1:99999"}},
		{"want HOST:PORT", []string{"--data", fresh, "--sql-addr", "here"}},
		{"or say --insecure", []string{"--data", fresh, "--sql-addr", "0.0.0.0:0"}},
		{"or say --insecure", []string{"--data", fresh, "--sql-addr", ":0"}},
		{"go together", []string{"--data", fresh, "--tls-cert", "c.pem"}},
		{"c.pem: no such file", []string{"--data", fresh, "--tls-cert", "c.pem", "--tls-key", "k.pem"}},
		{"--memory plenty: want a size of at least 64MB", []string{"--data", fresh, "--memory", "plenty"}},
		{"--memory 1MB: want a size of at least 64MB", []string{"--data", fresh, "--memory", "1MB"}},
		{"want debug, info, warn or error", []string{"--data", fresh, "--log-level", "loud"}},
		{"unknown flag: --dta", []string{"--dta", fresh}},
		{"the number of tablets must be between 1 and 4096", []string{"--data", fresh, "--tablets", "5000"}},
	} {
		refused(t, c.want, c.args...)
	}
	if entries, err := os.ReadDir(foreign); err != nil || len(entries) != 1 {
		t.Errorf("the foreign directory holds %v, %v", entries, err)
	}
	if os.Getuid() != 0 {
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o500); err != nil {
			t.Fatal(err)
		}
		refused(t, "permission denied", "--data", locked)
	}
	n.Stop()
	refused(t, "is 1 and cannot become 8", "--data", used, "--tablets", "8")
	if log := n.Log(); !strings.Contains(log, "accepting connections") || !strings.Contains(log, used) {
		t.Errorf("the log says %q", log)
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"PostgreSQL 16", []string{"version"}},
		{"PostgreSQL 16", []string{"--version"}},
		{"basalt start --data ./data", []string{"--help"}},
		{"--sql-addr", []string{"start", "--help"}},
	} {
		if out, stderr, status := run(t, c.args...); status != 0 || stderr != "" || !strings.Contains(out, c.want) {
			t.Errorf("%v: status %d, %q, %q", c.args, status, out, stderr)
		}
	}
	if _, stderr, status := run(t, "strat"); status != 1 || !strings.Contains(stderr, `unknown command "strat"`) {
		t.Errorf("status %d, %q", status, stderr)
	}
}

// TestStop: a stop amid open transactions, running statements and clients that
// do not read is clean and quick, tells the clients why, and loses nothing committed.
func TestStop(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		n := nodetest.Start(t, t.TempDir())
		idle, open, busy, waiting := connect(t, n), connect(t, n), connect(t, n), connect(t, n)
		exec1(t, idle, "create table t (a int primary key); insert into t values (1)")
		exec1(t, open, "begin; insert into t values (2); update t set a = 10 where a = 1")
		results := make(chan error, 2)
		go func() { results <- query(ctx, busy, "select count(*) from generate_series(1, 10000000000)") }()
		go func() { results <- query(ctx, waiting, "update t set a = 11 where a = 1") }()
		deaf(t, n)
		time.Sleep(300 * time.Millisecond)
		started := time.Now()
		n.StopBy(sig)
		if d := time.Since(started); d > 5*time.Second {
			t.Errorf("%s: stopped after %s", sig, d)
		}
		for range 2 {
			wantCode(t, <-results, "57P01")
		}
		wantCode(t, query(ctx, idle, "select 1"), "57P01")
		n.Restart()
		if got := value(t, connect(t, n), "select string_agg(a::text, ',' order by a) from t"); got != "1" {
			t.Errorf("after the restart t holds %s", got)
		}
		n.Stop()
	}
}

// deaf opens a session that asks for endless rows and reads none.
func deaf(t *testing.T, n *nodetest.Node) net.Conn {
	t.Helper()
	c := login(t, n)
	send(c, 'Q', []byte("select repeat('x', 1000) from generate_series(1, 100000000)\x00"))
	return c
}

func connect(t *testing.T, n *nodetest.Node) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), n.DSN()+" default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

func exec1(t *testing.T, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query(ctx context.Context, c *pgx.Conn, sql string) error {
	_, err := c.Exec(ctx, sql)
	return err
}

func value(t *testing.T, c *pgx.Conn, sql string) (s string) {
	t.Helper()
	if err := c.QueryRow(context.Background(), sql).Scan(&s); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}
