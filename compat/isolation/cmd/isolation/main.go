// Command isolation plays PostgreSQL's isolation specs on a server and compares.
//
//	isolation [-dsn DSN | -basalt bin/basalt [-nodes N [-joined]]] [-dir compat/isolation] [-only NAME,…] [-out DIR] [-all]
//
// Without -dsn a Basalt is started in a temporary directory from the built binary: one
// process, or with -nodes a gateway and that many storage processes; with -joined the
// specs are played on a second gateway, which is not the first node. What differs over
// several nodes only is in nodes.txt; rows may come in another order there.
// The exit status is 1 when a spec differs that known.txt does not list, or one
// that it lists does not. With -out the outputs and their differences are kept.
// -all plays the skipped ones too and counts nothing as known.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/compat"
	"github.com/basaltdb/basalt/compat/isolation"
	"github.com/basaltdb/basalt/internal/loopback"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		os.Exit(1)
	}
}

func run() error {
	dsn := flag.String("dsn", "", "the server, keyword form, without dbname")
	basalt := flag.String("basalt", "bin/basalt", "the binary to start when there is no -dsn")
	nodes := flag.Int("nodes", 0, "storage processes to start beside a gateway; 0: one process is all")
	joined := flag.Bool("joined", false, "with -nodes: on a gateway that has joined")
	dir := flag.String("dir", "compat/isolation", "where skipped.txt and known.txt are")
	only := flag.String("only", "", "only these specs, separated by commas")
	outDir := flag.String("out", "", "keep outputs and differences here")
	all := flag.Bool("all", false, "skip nothing, know nothing")
	limit := flag.Duration("limit", 10*time.Minute, "the longest time for one spec")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *dsn == "" {
		started, end, err := start(ctx, *basalt, *nodes, *joined)
		if err != nil {
			return err
		}
		defer end()
		*dsn = started
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	src, err := isolation.Source(ctx, filepath.Join(cache, "pgsrc"))
	if err != nil {
		return err
	}
	specs, err := isolation.Load(src)
	if err != nil {
		return err
	}
	r := &isolation.Runner{DSN: *dsn, Limit: *limit}
	if r.Tester, err = isolation.Tester(); err != nil {
		return err
	}
	skipped, err := isolation.LoadReasons(filepath.Join(*dir, "skipped.txt"))
	if err != nil {
		return err
	}
	known, err := isolation.LoadReasons(filepath.Join(*dir, "known.txt"))
	if err != nil {
		return err
	}
	if *nodes > 0 {
		more, err := isolation.LoadReasons(filepath.Join(*dir, "nodes.txt"))
		if err != nil {
			return err
		}
		for spec, reason := range more {
			known[spec] = reason
		}
	}
	if *all {
		clear(skipped)
		clear(known)
	}
	names := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' || r == ' ' })
	if *outDir != "" {
		if err := os.MkdirAll(*outDir, 0o755); err != nil {
			return err
		}
	}
	var equal, reordered, differ, listed, left, wrong int
	for _, s := range specs {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		if reason, ok := skipped[s.Name]; ok && len(names) == 0 {
			left++
			fmt.Printf("%-34s left out: %s\n", s.Name, reason)
			continue
		}
		begun := time.Now()
		o, err := r.Run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		reason, isKnown := known[s.Name]
		verdict := "equal"
		switch {
		case o.Equal, *nodes > 0 && o.Reordered:
			if equal++; !o.Equal {
				reordered++
				verdict = "equal but for the order of rows"
			}
			if isKnown {
				wrong++
				verdict = "equal, but a list has it as known"
			}
		case isKnown:
			listed++
			verdict = "differs as known: " + reason
		default:
			differ++
			wrong++
			verdict = "DIFFERS"
		}
		fmt.Printf("%-34s %s (%.1f s)\n", s.Name, verdict, time.Since(begun).Seconds())
		if *outDir != "" {
			if err := os.WriteFile(filepath.Join(*outDir, s.Name+".out"), o.Output, 0o644); err != nil {
				return err
			}
			diff := filepath.Join(*outDir, s.Name+".diff")
			_ = os.Remove(diff)
			if !o.Equal {
				if err := os.WriteFile(diff, []byte(compat.DiffLines(string(o.Want), string(o.Output))), 0o644); err != nil {
					return err
				}
			}
		} else if verdict == "DIFFERS" {
			fmt.Print(compat.DiffLines(string(o.Want), string(o.Output)))
		}
	}
	fmt.Printf("%d specs equal (%d but for the order of rows), %d differ, %d differ as known, %d left out\n", equal, reordered, differ, listed, left)
	if wrong > 0 {
		return fmt.Errorf("%d specs are not as expected", wrong)
	}
	return nil
}

// start runs a node on free loopback ports with a temporary directory until end is
// called: alone, or as the gateway of some storage nodes.
func start(ctx context.Context, binary string, nodes int, joined bool) (dsn string, end func(), err error) {
	dir, err := os.MkdirTemp("", "basalt-isolation-")
	if err != nil {
		return "", nil, err
	}
	var running []*exec.Cmd
	stop := func() {
		for _, cmd := range slices.Backward(running) {
			_ = cmd.Process.Signal(os.Interrupt)
			_ = cmd.Wait()
		}
		_ = os.RemoveAll(dir)
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	launch := func(name string, args ...string) error {
		cmd := exec.CommandContext(ctx, binary, append([]string{"start", "--data", filepath.Join(dir, name)}, args...)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		running = append(running, cmd)
		return nil
	}
	var addrs [3]*net.TCPAddr
	for i := range addrs {
		var err error
		if addrs[i], err = loopback.Reserve(); err != nil {
			return "", nil, err
		}
	}
	args := []string{"--sql-addr", addrs[0].String(), "--max-prepared-transactions", "10"}
	if nodes > 0 {
		args = append(args, "--role", "gateway", "--rpc-addr", addrs[1].String())
	}
	if err := launch("data", args...); err != nil {
		return "", nil, err
	}
	at := func(a *net.TCPAddr) string {
		return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres sslmode=disable", a.Port)
	}
	dsn = at(addrs[0])
	if err := await(ctx, dsn, ""); err != nil || nodes == 0 {
		return dsn, stop, err
	}
	others := []string{"--rpc-addr", "127.0.0.1:0", "--flight-addr", "127.0.0.1:0", "--join", addrs[1].String()}
	for i := range nodes {
		if err := launch(fmt.Sprint("storage", i+1), append([]string{"--role", "storage"}, others...)...); err != nil {
			return "", nil, err
		}
	}
	members := nodes + 1
	if joined {
		members++
		if err := launch("gateway", append([]string{"--role", "gateway", "--sql-addr", addrs[2].String()}, others...)...); err != nil {
			return "", nil, err
		}
	}
	if err := await(ctx, dsn, fmt.Sprint(members)); err != nil || !joined {
		return dsn, stop, err
	}
	dsn = at(addrs[2])
	return dsn, stop, await(ctx, dsn, fmt.Sprint(members))
}

// await waits until a server answers, and until it knows so many nodes ("": any).
func await(ctx context.Context, dsn, nodes string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		c, err := pgconn.Connect(ctx, dsn+" dbname=postgres")
		if err == nil && nodes != "" {
			r := c.ExecParams(ctx, "SELECT count(*) FROM basalt.nodes WHERE alive", nil, nil, nil, nil).Read()
			if err = r.Err; err == nil && string(r.Rows[0][0]) != nodes {
				err = fmt.Errorf("%s nodes are alive, not %s", r.Rows[0][0], nodes)
			}
		}
		if c != nil {
			_ = c.Close(ctx)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
