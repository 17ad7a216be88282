package bench

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/stars"
)

// starsResult is one target's figures, seconds.
type starsResult struct {
	Target      string
	LoadSeconds float64 `json:",omitempty"`
	Queries     []starsQuery
	GeoMean     float64
}

type starsQuery struct {
	Query   string
	Seconds float64 // median; 0 when it was given up
	Runs    []float64
	CPU     float64 `json:",omitempty"` // of the server, where its process is known: of a run in the middle
	Rows    int
	Answer  string // "ok", "differs", "unchecked", "given up"
}

func starsCommand() *cobra.Command {
	var (
		sf       float64
		genOnly  string
		targets  []string
		pids     []string
		runs     int
		skipLoad bool
		loadOnly bool
		jsonPath string
		only     []string
		limit    time.Duration
	)
	cmd := &cobra.Command{
		Use:   "stars",
		Short: "Retail star schema in the manner of TPC-DS: generate, load, run the queries, compare the answers",
		Long: `Retail star schema in the manner of TPC-DS, with wide rows, long texts and a group by of many keys.

The answers of the targets are compared with each other, and at scale factor 0.01 with PostgreSQL's recorded ones.
Runs of a query on the targets follow each other, so that a busy machine is as busy for all.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sf <= 0 || sf > 1000 {
				return fmt.Errorf("--sf %v: want a scale factor above 0, at most 1000", sf)
			}
			if genOnly != "" {
				return generateStars(genOnly, sf)
			}
			ts, err := parseTargets(targets)
			if err != nil {
				return err
			}
			processes, err := parsePIDs(pids)
			if err != nil {
				return err
			}
			for _, q := range only {
				if !slices.Contains(stars.Names(), q) {
					return fmt.Errorf("--queries: no query %q", q)
				}
			}
			if len(only) == 0 {
				only = stars.Names()
			}
			s := &starsRun{sf: sf, runs: max(runs, 1), limit: limit, processes: processes}
			defer s.close()
			if err := s.open(cmd.Context(), ts, !skipLoad); err != nil {
				return err
			}
			differs := false
			if !loadOnly {
				for _, q := range only {
					if err := s.query(cmd.Context(), q); err != nil {
						return err
					}
				}
				differs = s.print(cmd, only)
			}
			if err := writeJSON(jsonPath, s.results); err != nil {
				return err
			}
			if differs {
				return fmt.Errorf("answers differ")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Float64Var(&sf, "sf", 0.1, "scale factor")
	f.StringVar(&genOnly, "gen-only", "", "write the tables to this directory as CSV, with schema.sql, and stop")
	f.StringArrayVar(&targets, "target", nil, "NAME:DSN of a server, repeatable")
	f.StringArrayVar(&pids, "pid", nil, "NAME:PID of a target's process, whose CPU time is then shown")
	f.IntVar(&runs, "runs", 3, "runs of each query; the median counts")
	f.BoolVar(&skipLoad, "skip-load", false, "the tables are loaded already")
	f.BoolVar(&loadOnly, "load-only", false, "stop after loading")
	f.StringVar(&jsonPath, "json", "", "write the results to this file")
	f.StringSliceVar(&only, "queries", nil, "only these queries, by name")
	f.DurationVar(&limit, "limit", 5*time.Minute, "give a query up after this time, on every target")
	return cmd
}

func generateStars(dir string, sf float64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "schema.sql"), []byte(stars.Schema()), 0o644); err != nil {
		return err
	}
	bar := newProgressBar()
	defer bar.finish()
	for _, name := range stars.Tables() {
		f, err := os.Create(filepath.Join(dir, name+".csv"))
		if err != nil {
			return err
		}
		err = stars.Write(f, name, sf, bar.update)
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// starsRun measures targets side by side.
type starsRun struct {
	sf        float64
	runs      int
	limit     time.Duration
	processes map[string]int
	conns     []*pgconn.PgConn
	results   []*starsResult
}

func (s *starsRun) close() {
	for _, c := range s.conns {
		c.Close(context.Background())
	}
}

func (s *starsRun) open(ctx context.Context, ts []Target, load bool) error {
	for _, t := range ts {
		conn, err := t.connect(ctx)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
		r := &starsResult{Target: t.Name}
		s.results = append(s.results, r)
		if load {
			bar := newProgressBar()
			before := processCPU(s.processes[t.Name])
			took, err := stars.Load(ctx, conn, s.sf, bar.update)
			bar.finish()
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			r.LoadSeconds = took.Seconds()
			fmt.Fprintf(os.Stderr, "%s: scale factor %v loaded in %s s", t.Name, s.sf, seconds(took))
			if s.processes[t.Name] > 0 {
				fmt.Fprintf(os.Stderr, ", %s s of CPU", seconds(processCPU(s.processes[t.Name])-before))
			}
			fmt.Fprintln(os.Stderr)
		}
		if err := conn.Exec(ctx, fmt.Sprintf("set statement_timeout = %d", s.limit.Milliseconds())).Close(); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

func (s *starsRun) query(ctx context.Context, name string) error {
	times, cpus := make([][]time.Duration, len(s.conns)), make([][]time.Duration, len(s.conns))
	rows := make([][]byte, len(s.conns))
	queries := make([]starsQuery, len(s.conns))
	for i := range queries {
		queries[i] = starsQuery{Query: name, Answer: "unchecked"}
	}
	for range s.runs {
		for i, conn := range s.conns {
			q, pid := &queries[i], s.processes[s.results[i].Target]
			if q.Answer == "given up" {
				continue
			}
			before := processCPU(pid)
			got, took, err := stars.Run(ctx, conn, name)
			switch {
			case isCanceled(err):
				q.Answer = "given up"
				continue
			case err != nil:
				return fmt.Errorf("%s: %w", s.results[i].Target, err)
			}
			times[i], cpus[i] = append(times[i], took), append(cpus[i], processCPU(pid)-before)
			q.Runs = append(q.Runs, took.Seconds())
			if rows[i] != nil && !bytes.Equal(rows[i], got) {
				q.Answer = "differs" // from run to run
			}
			rows[i] = got
		}
	}
	want := stars.Answer(name, s.sf)
	if want == nil && len(rows) > 1 {
		want = rows[len(rows)-1]
	}
	for i := range queries {
		q := &queries[i]
		if q.Answer == "unchecked" && want != nil {
			q.Answer = "ok"
			if !bytes.Equal(rows[i], want) {
				q.Answer = "differs"
			}
		}
		q.Seconds, q.CPU, q.Rows = median(times[i]).Seconds(), median(cpus[i]).Seconds(), bytes.Count(rows[i], []byte("\n"))
		s.results[i].Queries = append(s.results[i].Queries, *q)
	}
	return nil
}

// print shows the results and says whether answers differ.
func (s *starsRun) print(cmd *cobra.Command, names []string) (differs bool) {
	header := []string{fmt.Sprintf("SF %v", s.sf), "rows"}
	for i, r := range s.results {
		header = append(header, r.Target+" s", "CPU s", "answer")
		if i > 0 {
			header = append(header, "ratio")
		}
	}
	var lines [][]string
	for k, name := range names {
		line := []string{name, fmt.Sprint(s.results[0].Queries[k].Rows)}
		for i, r := range s.results {
			q := r.Queries[k]
			differs = differs || q.Answer == "differs"
			line = append(line, fmt.Sprintf("%.3f", q.Seconds), fmt.Sprintf("%.3f", q.CPU), q.Answer)
			if i > 0 {
				line = append(line, fmt.Sprintf("%.2f", s.results[0].Queries[k].Seconds/max(q.Seconds, 1e-6)))
			}
		}
		lines = append(lines, line)
	}
	line := []string{"geometric mean", ""}
	for i, r := range s.results {
		logs, n := 0.0, 0
		for _, q := range r.Queries {
			if q.Seconds > 0 {
				logs += math.Log(q.Seconds)
				n++
			}
		}
		r.GeoMean = math.Exp(logs / float64(max(n, 1)))
		line = append(line, fmt.Sprintf("%.3f", r.GeoMean), "", "")
		if i > 0 {
			line = append(line, fmt.Sprintf("%.2f", s.results[0].GeoMean/r.GeoMean))
		}
	}
	table(cmd.OutOrStdout(), header, append(lines, line))
	return differs
}
