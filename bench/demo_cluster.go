package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/bench/tpch/dbgen"
	"github.com/basaltdb/basalt/internal/loopback"
)

// clusterStorageNodes is the number of storage processes of the cluster demo.
const clusterStorageNodes = 3

// clusterExplained are the queries whose plans the cluster demo prints.
var clusterExplained = []int{1, 3, 18}

// runClusterDemo starts a gateway and storage processes on loopback, loads TPC-H
// through SQL, compares the 22 answers, through psql where it is installed, and
// prints what some of the queries did on each node. The processes are stopped at
// the end unless keep is set.
func runClusterDemo(cmd *cobra.Command, dir, addr string, sf float64, keep bool) (err error) {
	ctx := cmd.Context()
	out := cmd.OutOrStdout()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "basalt-cluster-"); err != nil {
			return err
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--sql-addr: %w", err)
	}
	rpc, err := reserve(1 + clusterStorageNodes)
	if err != nil {
		return err
	}
	var servers []*server
	defer func() {
		if keep && err == nil {
			return
		}
		for i := len(servers) - 1; i >= 0; i-- {
			stopServer(servers[i])
		}
	}()
	start := func(name string, args ...string) (*server, error) {
		s, err := startServer(ctx, filepath.Join(dir, name), args...)
		if err == nil {
			servers = append(servers, s)
		}
		return s, err
	}
	gateway, err := start("gateway", "--role", "gateway", "--sql-addr", addr, "--rpc-addr", rpc[0])
	if err != nil {
		return err
	}
	for i, a := range rpc[1:] {
		if _, err := start(fmt.Sprintf("storage%d", i+1), "--role", "storage", "--rpc-addr", a, "--join", rpc[0]); err != nil {
			return err
		}
	}
	target := Target{Name: "basalt", DSN: fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres sslmode=disable", host, port)}
	conn, err := gateway.connect(ctx, target)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := awaitNodes(ctx, conn, 1+clusterStorageNodes); err != nil {
		return err
	}
	fmt.Fprintf(out, "A gateway runs on %s and %d storage processes behind it, data in %s\n\n", addr, clusterStorageNodes, dir)

	bar := newProgressBar()
	took, err := tpch.Load(ctx, conn, sf, func(t dbgen.Table, done, total int64) { bar.update(string(t), done, total) })
	bar.finish()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "TPC-H SF %v loaded in %s s\n\n", sf, seconds(took))
	answers := map[int][]byte{}
	for q := 1; q <= tpch.QueryCount; q++ {
		answers[q] = tpch.Answer(q, sf)
	}
	if answers[1] == nil {
		fmt.Fprintf(out, "There are no recorded answers for SF %v: one process alone is asked for them\n\n", sf)
		if err := loneAnswers(ctx, filepath.Join(dir, "lone"), sf, answers); err != nil {
			return err
		}
	}
	if err := clusterQueries(ctx, cmd, target, conn, answers); err != nil {
		return err
	}
	for _, q := range clusterExplained {
		plan, err := explainDistributed(ctx, conn, tpch.Query(q))
		if err != nil {
			return fmt.Errorf("query %d: %w", q, err)
		}
		fmt.Fprintf(out, "\nQ%d: EXPLAIN (ANALYZE, DISTRIBUTED, COSTS OFF)\n\n%s", q, plan)
	}
	if err := printMoved(ctx, out, conn); err != nil {
		return err
	}
	if keep {
		fmt.Fprintf(out, "\nThe processes are still running. Look around:\n\n    psql -h %s -p %s -U postgres\n\nStop them with: kill", host, port)
		for _, s := range servers {
			fmt.Fprintf(out, " %d", s.cmd.Process.Pid)
		}
		fmt.Fprintln(out)
	}
	return nil
}

// loneAnswers fills answers with those of one process, over the same data.
func loneAnswers(ctx context.Context, dir string, sf float64, answers map[int][]byte) error {
	addrs, err := reserve(1)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, dir, "--sql-addr", addrs[0])
	if err != nil {
		return err
	}
	defer stopServer(s)
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx, Target{Name: "lone", DSN: fmt.Sprintf("host=127.0.0.1 port=%s user=postgres dbname=postgres sslmode=disable", port)})
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := tpch.Load(ctx, conn, sf, func(dbgen.Table, int64, int64) {}); err != nil {
		return err
	}
	for q := range answers {
		if answers[q], _, err = tpch.Run(ctx, conn, q); err != nil {
			return fmt.Errorf("query %d: %w", q, err)
		}
	}
	return nil
}

// clusterQueries runs the 22 queries and compares their answers.
func clusterQueries(ctx context.Context, cmd *cobra.Command, target Target, conn *pgconn.PgConn, answers map[int][]byte) error {
	psql, err := exec.LookPath("psql")
	if err != nil {
		psql = ""
		fmt.Fprintln(cmd.OutOrStdout(), "psql is not installed: queries run over the wire only")
	}
	var rows [][]string
	var total time.Duration
	var differs []string
	for q := 1; q <= tpch.QueryCount; q++ {
		var got []byte
		var took time.Duration
		if psql != "" {
			began := time.Now()
			c := exec.CommandContext(ctx, psql, "-X", "-q", "-A", "-t", "-F|", target.DSN, "-c", tpch.Query(q))
			c.Stderr = os.Stderr
			if got, err = c.Output(); err != nil {
				return fmt.Errorf("query %d: %w", q, err)
			}
			took = time.Since(began)
		} else if got, took, err = tpch.Run(ctx, conn, q); err != nil {
			return fmt.Errorf("query %d: %w", q, err)
		}
		answer := "equal"
		if !bytes.Equal(bytes.TrimRight(got, "\n"), bytes.TrimRight(answers[q], "\n")) {
			answer = "DIFFERS"
			differs = append(differs, fmt.Sprint(q))
		}
		total += took
		rows = append(rows, []string{fmt.Sprintf("Q%d", q), seconds(took), answer})
	}
	table(cmd.OutOrStdout(), []string{"query", "seconds", "answer"}, append(rows, []string{"total", seconds(total), ""}))
	if len(differs) > 0 {
		return fmt.Errorf("the answers of queries %s differ", strings.Join(differs, ", "))
	}
	return nil
}

// explainDistributed gives the plans of a text's queries with what each node did;
// other statements are run.
func explainDistributed(ctx context.Context, conn *pgconn.PgConn, text string) (string, error) {
	var b strings.Builder
	r := conn.ExecParams(ctx, "explain (analyze, distributed, costs off) "+strings.TrimRight(strings.TrimSpace(text), ";"), nil, nil, nil, nil)
	for r.NextRow() {
		b.Write(r.Values()[0])
		b.WriteByte('\n')
	}
	_, err := r.Close()
	return b.String(), err
}

// awaitNodes waits until n nodes have joined.
func awaitNodes(ctx context.Context, conn *pgconn.PgConn, n int) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		r, err := conn.Exec(ctx, "select count(*) from basalt.nodes").ReadAll()
		if err != nil {
			return err
		}
		if got := string(r[0].Rows[0][0]); got == fmt.Sprint(n) {
			return nil
		} else if time.Now().After(deadline) {
			return fmt.Errorf("%s of %d nodes have joined", got, n)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// reserve finds loopback addresses to listen on.
func reserve(n int) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		addr, err := loopback.Reserve()
		if err != nil {
			return nil, err
		}
		out[i] = addr.String()
	}
	return out, nil
}

// stopServer ends a child process, by force when it does not end by itself.
func stopServer(s *server) {
	if s.cmd.Process.Signal(syscall.SIGTERM) != nil {
		return
	}
	select {
	case <-s.exited:
	case <-time.After(15 * time.Second):
		if s.cmd.Process.Kill() == nil {
			<-s.exited
		}
	}
}
