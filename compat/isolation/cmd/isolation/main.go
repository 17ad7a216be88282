// Command isolation plays PostgreSQL's isolation specs on a server and compares.
//
//	isolation [-dsn DSN | -basalt bin/basalt] [-dir compat/isolation] [-only NAME,…] [-out DIR] [-all]
//
// Without -dsn a Basalt is started in a temporary directory from the built binary.
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
	dir := flag.String("dir", "compat/isolation", "where skipped.txt and known.txt are")
	only := flag.String("only", "", "only these specs, separated by commas")
	outDir := flag.String("out", "", "keep outputs and differences here")
	all := flag.Bool("all", false, "skip nothing, know nothing")
	limit := flag.Duration("limit", 3*time.Minute, "the longest time for one spec")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *dsn == "" {
		started, end, err := start(ctx, *basalt)
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
	var equal, differ, listed, left, wrong int
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
		case o.Equal:
			equal++
			if isKnown {
				wrong++
				verdict = "equal, but known.txt lists it"
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
	fmt.Printf("%d specs equal, %d differ, %d differ as known, %d left out\n", equal, differ, listed, left)
	if wrong > 0 {
		return fmt.Errorf("%d specs are not as expected", wrong)
	}
	return nil
}

// start runs a node on a free loopback port with a temporary directory until end is called.
func start(ctx context.Context, binary string) (dsn string, end func(), err error) {
	dir, err := os.MkdirTemp("", "basalt-isolation-")
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "start", "--data", filepath.Join(dir, "data"), "--sql-addr", addr.String())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	dsn = fmt.Sprintf("host=127.0.0.1 port=%d user=postgres sslmode=disable", addr.Port)
	for wait, stop := context.WithTimeout(ctx, time.Minute); ; {
		c, err := pgconn.Connect(wait, dsn+" dbname=postgres")
		if err == nil {
			stop()
			return dsn, end, c.Close(ctx)
		}
		select {
		case <-wait.Done():
			stop()
			end()
			return "", nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
