package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/bench/tpch/dbgen"
	"github.com/basaltdb/basalt/bench/transfer"
)

// DemoCommand is `basalt demo`: a server of its own, TPC-H, and transfers while
// the queries run. The server is left running.
func DemoCommand() *cobra.Command {
	var (
		dir, addr string
		sf        float64
		cluster   bool
		keep      bool
	)
	cmd := &cobra.Command{
		Use:          "demo",
		Short:        "Start a node, load TPC-H, run its queries beside a transfer workload",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cluster {
				return runClusterDemo(cmd, dir, addr, sf, keep)
			}
			return runDemo(cmd, dir, addr, sf)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "data", "", "data directory (default: a new temporary one)")
	f.StringVar(&addr, "sql-addr", "127.0.0.1:5433", "address to listen on")
	f.Float64Var(&sf, "sf", 0.1, "TPC-H scale factor")
	f.BoolVar(&cluster, "cluster", false, "run a gateway and three storage processes, and show what the queries do on each")
	f.BoolVar(&keep, "keep", false, "with --cluster: leave the processes running")
	return cmd
}

// demoTransferScale and demoClients keep the transfer workload short beside the queries.
const (
	demoTransferScale = 1
	demoClients       = 4
)

func runDemo(cmd *cobra.Command, dir, addr string, sf float64) (err error) {
	ctx := cmd.Context()
	out := cmd.OutOrStdout()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "basalt-demo-"); err != nil {
			return err
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--sql-addr: %w", err)
	}
	server, err := startServer(ctx, dir, "--sql-addr", addr)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // nothing to look at: take the server down again
			server.cmd.Process.Signal(syscall.SIGTERM)
			<-server.exited
		}
	}()
	target := Target{Name: "basalt", DSN: fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres sslmode=disable", host, port)}
	conn, err := server.connect(ctx, target)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	fmt.Fprintf(out, "Basalt runs on %s, data in %s, log in %s\n\n", addr, dir, server.log)

	bar := newProgressBar()
	took, err := tpch.Load(ctx, conn, sf, func(t dbgen.Table, done, total int64) { bar.update(string(t), done, total) })
	bar.finish()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "TPC-H SF %v loaded in %s s\n", sf, seconds(took))
	if err := transfer.Init(ctx, conn, demoTransferScale, nil); err != nil {
		return err
	}

	fmt.Fprintf(out, "Running the 22 queries while %d clients transfer money …\n\n", demoClients)
	stop := make(chan struct{})
	type outcome struct {
		r   transfer.Result
		err error
	}
	transfers := make(chan outcome, 1)
	go func() {
		r, err := transfer.Run(ctx, target.connect, transfer.Options{Scale: demoTransferScale, Clients: demoClients, Time: 10 * time.Minute,
			Script: transfer.TPCB, Mode: transfer.Prepared, Seed: 1, Stop: stop})
		transfers <- outcome{r, err}
	}()
	var rows [][]string
	var total time.Duration
	var failed error
	for q := 1; q <= tpch.QueryCount && failed == nil; q++ {
		got, took, err := tpch.Run(ctx, conn, q)
		failed = err
		answer := fmt.Sprintf("%d rows", bytes.Count(got, []byte("\n")))
		if want := tpch.Answer(q, sf); want != nil {
			answer = "as PostgreSQL's"
			if !bytes.Equal(bytes.TrimRight(got, "\n"), bytes.TrimRight(want, "\n")) {
				answer = "DIFFERS"
				failed = errors.Join(failed, fmt.Errorf("query %d: the answer differs from PostgreSQL's", q))
			}
		}
		total += took
		rows = append(rows, []string{fmt.Sprintf("Q%d", q), seconds(took), answer})
	}
	close(stop)
	t := <-transfers
	if err := errors.Join(failed, t.err); err != nil {
		return err
	}
	table(out, []string{"query", "seconds", "answer"}, append(rows, []string{"total", seconds(total), ""}))
	fmt.Fprintf(out, "\nMeanwhile: %d transfers, %.0f per second, median %.2f ms, 99th percentile %.2f ms\n", t.r.Transactions, t.r.TPS, millis(t.r.Median), millis(t.r.P99))
	if err := transfer.Check(ctx, conn, true); err != nil {
		return err
	}
	fmt.Fprintf(out, "Balances of accounts, branches, tellers and history agree.\n\nThe server is still running. Look around:\n\n    psql -h %s -p %s -U postgres\n\nStop it with: kill %d\n", host, port, server.cmd.Process.Pid)
	return server.cmd.Process.Release()
}

// server is a child `basalt start` in a session of its own, so that it outlives the demo.
type server struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

func startServer(ctx context.Context, dir string, args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &server{log: filepath.Join(filepath.Dir(dir), filepath.Base(dir)+".log"), exited: make(chan struct{})}
	f, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s.cmd = exec.Command(self, append([]string{"start", "--data", dir}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = f, f
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.exited)
		s.err = s.cmd.Wait()
	}()
	return s, nil
}

// connect waits until the server accepts a connection, or has ended.
func (s *server) connect(ctx context.Context, t Target) (*pgconn.PgConn, error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		select {
		case <-s.exited:
			log, _ := os.ReadFile(s.log)
			return nil, fmt.Errorf("the server ended at once: %s", bytes.TrimSpace(log))
		case <-time.After(50 * time.Millisecond):
		}
		conn, err := t.connect(ctx)
		if err == nil {
			return conn, nil
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
}
