// Command compat records PostgreSQL's answers to the corpus, or runs PostgreSQL
// and Basalt side by side and shows where they differ, on the corpus or on random SQL.
//
//	compat record [-dir compat] [-postgres DSN] [-only AREA/NAME]
//	compat live   [-dir compat] [-postgres DSN] -basalt DSN [-only AREA/NAME] [-minor]
//	compat random [-postgres DSN] -basalt DSN [-seed N] [-seeds N] [-count M]
//
// Without -postgres a server is started from the installed binaries.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/basaltdb/basalt/compat"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 2 || (os.Args[1] != "record" && os.Args[1] != "live" && os.Args[1] != "random") {
		return fmt.Errorf("usage: compat record|live|random [flags]")
	}
	mode := os.Args[1]
	fs := flag.NewFlagSet(mode, flag.ExitOnError)
	dir := fs.String("dir", "compat", "corpus directory")
	pg := fs.String("postgres", "", "DSN of a PostgreSQL; started from the installed binaries when empty")
	basalt := fs.String("basalt", "", "DSN of a Basalt (live)")
	only := fs.String("only", "", "only files whose AREA/NAME.sql starts with this")
	minor := fs.Bool("minor", false, "show differences in details, hints, positions and notices too")
	seed := fs.Int64("seed", 1, "first seed (random)")
	seeds := fs.Int("seeds", 1, "number of seeds (random)")
	count := fs.Int("count", 200, "statements per seed (random)")
	if err := fs.Parse(os.Args[2:]); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if *pg == "" {
		dsn, stop, err := compat.StartPostgres(ctx)
		if err != nil {
			return err
		}
		defer stop()
		*pg = dsn
	}
	if mode == "random" {
		return runRandom(ctx, *pg, *basalt, *seed, *seeds, *count)
	}
	files, err := compat.Load(*dir)
	if err != nil && mode == "live" {
		return err
	}
	if mode == "record" {
		if files, err = compat.LoadStatements(*dir); err != nil {
			return err
		}
	}
	known, err := compat.LoadKnown(filepath.Join(*dir, "known.txt"))
	if err != nil {
		return err
	}
	needs16, err := compat.LoadNames(filepath.Join(*dir, "v16.txt"))
	if err != nil {
		return err
	}
	newer, err := compat.AtLeast16(ctx, *pg)
	if err != nil {
		return err
	}
	var tally compat.Tally
	n := 0
	for _, f := range files {
		if !strings.HasPrefix(f.Name, *only) {
			continue
		}
		if mode == "record" && !newer && needs16[f.Name] {
			fmt.Fprintf(os.Stderr, "%s: left alone, it needs PostgreSQL 16\n", f.Name)
			continue
		}
		want, err := compat.RunFile(ctx, *pg, f)
		if err != nil {
			return fmt.Errorf("%s on PostgreSQL: %w", f.Name, err)
		}
		n += len(want)
		if mode == "record" {
			if err := f.WriteOut(want); err != nil {
				return err
			}
			continue
		}
		got, err := compat.RunFile(ctx, *basalt, f)
		if err != nil {
			return fmt.Errorf("%s on Basalt: %w", f.Name, err)
		}
		tally.Compare(os.Stdout, f, want, got, known, *minor)
	}
	scripts, err := compat.LoadScripts(*dir)
	if err != nil {
		return err
	}
	for _, s := range scripts {
		if !strings.HasPrefix(s.Name, *only) {
			continue
		}
		want, err := compat.RunScript(ctx, *pg, s)
		if err != nil {
			return fmt.Errorf("%s on PostgreSQL: %w", s.Name, err)
		}
		if mode == "record" {
			if err := s.WriteOut(want); err != nil {
				return err
			}
			continue
		}
		got, err := compat.RunScript(ctx, *basalt, s)
		if err != nil {
			return fmt.Errorf("%s on Basalt: %w", s.Name, err)
		}
		if diff := compat.DiffLines(want, got); diff != "" {
			fmt.Printf("--- %s (- PostgreSQL, + Basalt)\n%s", s.Name, diff)
		}
	}
	if mode == "record" {
		fmt.Printf("%d statements recorded\n", n)
		return nil
	}
	fmt.Println(tally.Summary())
	return nil
}

func runRandom(ctx context.Context, postgres, basalt string, seed int64, seeds, count int) error {
	var sum compat.RandomTally
	for s := seed; s < seed+int64(seeds); s++ {
		t, err := compat.RunRandom(ctx, os.Stdout, postgres, basalt, s, count)
		sum.Statements += t.Statements
		sum.Failing += t.Failing
		sum.Undecided += t.Undecided
		sum.Different += t.Different
		if err != nil {
			return fmt.Errorf("seed %d: %w", s, err)
		}
	}
	fmt.Printf("%d statements, %d of them failing on both, %d undecided, %d different\n", sum.Statements, sum.Failing, sum.Undecided, sum.Different)
	return nil
}
