package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/bench/tpch/dbgen"
)

// tpchResult is one target's figures, seconds.
type tpchResult struct {
	Target      string
	LoadSeconds float64 `json:",omitempty"`
	Queries     []tpchQuery
	Total       float64
	GeoMean     float64
}

type tpchQuery struct {
	Query   int
	Seconds float64 // median
	Runs    []float64
	Answer  string // "ok", "differs", "unchecked"
}

func tpchCommand() *cobra.Command {
	var (
		sf       float64
		genOnly  string
		targets  []string
		runs     int
		skipLoad bool
		loadOnly bool
		jsonPath string
		only     []int
		fresh    float64
		pids     []string
	)
	cmd := &cobra.Command{
		Use:   "tpch",
		Short: "Generate TPC-H, load it, run the 22 queries, check the answers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sf <= 0 || sf > 1000 {
				return fmt.Errorf("--sf %v: want a scale factor above 0, at most 1000", sf)
			}
			if genOnly != "" {
				return generateFiles(genOnly, sf)
			}
			ts, err := parseTargets(targets)
			if err != nil {
				return err
			}
			if len(only) == 0 {
				for q := 1; q <= tpch.QueryCount; q++ {
					only = append(only, q)
				}
			}
			if fresh > 0 {
				processes, err := parsePIDs(pids)
				if err != nil {
					return err
				}
				return runFresh(cmd, ts, processes, sf, fresh, only, runs, !skipLoad, jsonPath)
			}
			var results []tpchResult
			differs := false
			for _, t := range ts {
				r, err := runTPCH(cmd.Context(), t, sf, only, runs, !skipLoad, loadOnly)
				if err != nil {
					return err
				}
				for _, q := range r.Queries {
					differs = differs || q.Answer == "differs"
				}
				results = append(results, r)
			}
			if !loadOnly {
				printTPCH(cmd, sf, results)
			}
			if err := writeJSON(jsonPath, results); err != nil {
				return err
			}
			if differs {
				return fmt.Errorf("answers differ from the recorded ones")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Float64Var(&sf, "sf", 0.1, "scale factor")
	f.StringVar(&genOnly, "gen-only", "", "write the .tbl files to this directory and stop")
	f.StringArrayVar(&targets, "target", nil, "NAME:DSN of a server, repeatable")
	f.IntVar(&runs, "runs", 3, "runs of each query; the median counts")
	f.BoolVar(&skipLoad, "skip-load", false, "the tables are loaded already")
	f.BoolVar(&loadOnly, "load-only", false, "stop after loading")
	f.StringVar(&jsonPath, "json", "", "write the results to this file")
	f.Float64Var(&fresh, "fresh", 0, "update this share of lineitem (0.05) and insert as much by small transactions, and run the queries before, after, and after VACUUM; answers are compared with the last target's")
	f.StringArrayVar(&pids, "pid", nil, "NAME:PID of a target's process, whose CPU time --fresh then shows")
	f.IntSliceVar(&only, "queries", nil, "only these queries (1 to 22)")
	return cmd
}

func generateFiles(dir string, sf float64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	bar := newProgressBar()
	defer bar.finish()
	for _, t := range dbgen.Tables {
		if err := generateFile(filepath.Join(dir, string(t)+".tbl"), t, sf, bar); err != nil {
			return err
		}
	}
	return nil
}

func generateFile(path string, t dbgen.Table, sf float64, bar *progressBar) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	total := dbgen.Units(t, sf)
	g := dbgen.NewGenerator(t, sf, 0, total)
	var buf []byte
	for n := int64(0); ; n++ {
		var ok bool
		if buf, ok = g.Append(buf[:0]); !ok {
			break
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		if n%4096 == 0 {
			bar.update(string(t), n, total)
		}
	}
	bar.update(string(t), total, total)
	return w.Flush()
}

func runTPCH(ctx context.Context, t Target, sf float64, only []int, runs int, load, loadOnly bool) (tpchResult, error) {
	r := tpchResult{Target: t.Name}
	conn, err := t.connect(ctx)
	if err != nil {
		return r, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if load {
		bar := newProgressBar()
		took, err := tpch.Load(ctx, conn, sf, func(tab dbgen.Table, done, total int64) { bar.update(string(tab), done, total) })
		bar.finish()
		if err != nil {
			return r, fmt.Errorf("%s: %w", t.Name, err)
		}
		r.LoadSeconds = took.Seconds()
		fmt.Fprintf(os.Stderr, "%s: TPC-H SF %v loaded in %s s\n", t.Name, sf, seconds(took))
	}
	if loadOnly {
		return r, nil
	}
	logs := 0.0
	for _, q := range only {
		res := tpchQuery{Query: q, Answer: "unchecked"}
		var times []time.Duration
		for range max(runs, 1) {
			rows, took, err := tpch.Run(ctx, conn, q)
			if err != nil {
				return r, fmt.Errorf("%s: %w", t.Name, err)
			}
			times = append(times, took)
			res.Runs = append(res.Runs, took.Seconds())
			if want := tpch.Answer(q, sf); want != nil && res.Answer != "differs" {
				res.Answer = "differs"
				if bytes.Equal(bytes.TrimRight(rows, "\n"), bytes.TrimRight(want, "\n")) {
					res.Answer = "ok"
				}
			}
		}
		res.Seconds = median(times).Seconds()
		r.Total += res.Seconds
		logs += math.Log(max(res.Seconds, 1e-6))
		r.Queries = append(r.Queries, res)
	}
	r.GeoMean = math.Exp(logs / float64(max(len(only), 1)))
	return r, nil
}

func printTPCH(cmd *cobra.Command, sf float64, results []tpchResult) {
	header := []string{fmt.Sprintf("SF %v", sf)}
	for i, r := range results {
		header = append(header, r.Target+" s", "answer")
		if i > 0 {
			header = append(header, "ratio")
		}
	}
	var rows [][]string
	line := func(name string, value func(tpchResult) (float64, string)) {
		row := []string{name}
		base, _ := value(results[0])
		for i, r := range results {
			v, answer := value(r)
			row = append(row, fmt.Sprintf("%.3f", v), answer)
			if i > 0 {
				row = append(row, fmt.Sprintf("%.2f", base/v))
			}
		}
		rows = append(rows, row)
	}
	for k, q := range results[0].Queries {
		line(fmt.Sprintf("Q%d", q.Query), func(r tpchResult) (float64, string) { return r.Queries[k].Seconds, r.Queries[k].Answer })
	}
	line("total", func(r tpchResult) (float64, string) { return r.Total, "" })
	line("geometric mean", func(r tpchResult) (float64, string) { return r.GeoMean, "" })
	table(cmd.OutOrStdout(), header, rows)
}
