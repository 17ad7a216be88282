package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/tpcc"
)

// tpccResult is one target's figures: medians over its runs.
type tpccResult struct {
	Target      string
	LoadSeconds float64 `json:",omitempty"`
	TpmC        float64
	Runs        []tpcc.Result
	CPU         []float64 `json:",omitempty"` // seconds of the server per run, where its process is known
}

// tpccFlags are what tpcc and ch have in common.
type tpccFlags struct {
	targets, pids      []string
	warehouses         int
	o                  tpcc.Options
	runs               int
	skipLoad, loadOnly bool
	foreignKeys        bool
	skipCheck          bool
	jsonPath           string

	ts        []Target
	processes map[string]int
}

func (f *tpccFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringArrayVar(&f.targets, "target", nil, "NAME:DSN of a server, repeatable")
	s.StringArrayVar(&f.pids, "pid", nil, "NAME:PID of a target's process, whose CPU time is then shown")
	s.IntVar(&f.warehouses, "warehouses", 4, "warehouses: some 100 MB each")
	s.IntVar(&f.o.Clients, "clients", 8, "connections that run transactions")
	s.DurationVar(&f.o.Time, "time", 30*time.Second, "length of one run")
	s.DurationVar(&f.o.Warmup, "warmup", 5*time.Second, "what comes before it and does not count")
	s.IntVar(&f.runs, "runs", 1, "runs on each target, which take turns; the median counts")
	s.StringVar(&f.o.Isolation, "isolation", "", "isolation level of the transactions (default: the server's)")
	s.BoolVar(&f.foreignKeys, "foreign-keys", false, "declare the foreign keys")
	s.BoolVar(&f.skipLoad, "skip-load", false, "the tables are loaded already")
	s.BoolVar(&f.loadOnly, "load-only", false, "stop after loading")
	s.BoolVar(&f.skipCheck, "skip-check", false, "do not check the consistency conditions at the end")
	s.Uint64Var(&f.o.Seed, "seed", 1, "seed of the data and of the random choices")
	s.StringVar(&f.jsonPath, "json", "", "write the results to this file")
}

func (f *tpccFlags) parse() (err error) {
	if f.ts, err = parseTargets(f.targets); err != nil {
		return err
	}
	if f.processes, err = parsePIDs(f.pids); err != nil {
		return err
	}
	f.o.Size = tpcc.Spec(f.warehouses)
	if f.o.Clients < 1 || f.o.Time <= 0 || f.o.Warmup < 0 {
		return fmt.Errorf("--clients and --time must be above 0, --warmup not below")
	}
	switch f.o.Isolation {
	case "", "read committed", "repeatable read", "serializable":
	default:
		return fmt.Errorf("--isolation %q: read committed, repeatable read or serializable", f.o.Isolation)
	}
	return f.o.Size.Valid()
}

// load fills a target; loading may add to what it measures.
func (f *tpccFlags) load(ctx context.Context, t Target) (time.Duration, error) {
	conn, err := t.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	bar := newProgressBar()
	took, err := tpcc.Load(ctx, conn, f.o.Size, f.o.Seed, f.foreignKeys, bar.update)
	bar.finish()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t.Name, err)
	}
	fmt.Fprintf(os.Stderr, "%s: %d warehouses loaded in %s s\n", t.Name, f.warehouses, seconds(took))
	return took, nil
}

// inTurns runs on every target as often as was asked for. They take turns, so that drift of the machine hits
// all. cpu hears of the processor time of a run where the target's process is known.
func (f *tpccFlags) inTurns(run func(i int, t Target) error, cpu func(i int, seconds float64)) error {
	for range max(f.runs, 1) {
		f.o.Seed++
		for i, t := range f.ts {
			before := processCPU(f.processes[t.Name])
			if err := run(i, t); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			if f.processes[t.Name] > 0 {
				cpu(i, (processCPU(f.processes[t.Name]) - before).Seconds())
			}
		}
	}
	return nil
}

// check verifies the consistency conditions of a target.
func (f *tpccFlags) check(ctx context.Context, t Target) error {
	if f.skipCheck {
		return nil
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := tpcc.Check(ctx, conn, f.o.Size); err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}

func tpccCommand() *cobra.Command {
	var f tpccFlags
	cmd := &cobra.Command{
		Use:   "tpcc",
		Short: "TPC-C: load, run the five transactions without think times, check the consistency conditions",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.parse(); err != nil {
				return err
			}
			ctx := cmd.Context()
			results := make([]tpccResult, len(f.ts))
			for i, t := range f.ts {
				results[i].Target = t.Name
				if !f.skipLoad {
					took, err := f.load(ctx, t)
					if err != nil {
						return err
					}
					results[i].LoadSeconds = took.Seconds()
				}
			}
			if f.loadOnly {
				return writeJSON(f.jsonPath, results)
			}
			err := f.inTurns(func(i int, t Target) error {
				r, err := tpcc.Run(ctx, t.connect, f.o)
				results[i].Runs = append(results[i].Runs, r)
				return err
			}, func(i int, seconds float64) { results[i].CPU = append(results[i].CPU, seconds) })
			if err != nil {
				return err
			}
			for _, t := range f.ts {
				if err := f.check(ctx, t); err != nil {
					return err
				}
			}
			printTpcc(cmd, results)
			return writeJSON(f.jsonPath, results)
		},
	}
	f.register(cmd)
	return cmd
}

// tpccMedian is the run whose throughput is in the middle.
func tpccMedian(runs []tpcc.Result) tpcc.Result {
	var all []float64
	for _, r := range runs {
		all = append(all, r.TpmC)
	}
	best := runs[0]
	for _, r := range runs {
		if m := median(all); absolute(r.TpmC-m) < absolute(best.TpmC-m) {
			best = r
		}
	}
	return best
}

func absolute(v float64) float64 { return max(v, -v) }

func printTpcc(cmd *cobra.Command, results []tpccResult) {
	var rows, kinds [][]string
	for i := range results {
		r := &results[i]
		var all []float64
		errors := [4]int{}
		for _, run := range r.Runs {
			all = append(all, run.TpmC)
			for k, n := range [...]int{run.Serialization, run.Deadlocks, run.RolledBack, run.Skipped} {
				errors[k] += n
			}
		}
		r.TpmC = median(all)
		row := []string{r.Target, fmt.Sprintf("%.0f", r.TpmC), fmt.Sprintf("%.2f", r.TpmC/results[0].TpmC), fmt.Sprintf("%.1f", median(r.CPU))}
		for _, n := range errors {
			row = append(row, fmt.Sprint(n))
		}
		rows = append(rows, row)
		kinds = append(kinds, tpccKinds(r.Target, tpccMedian(r.Runs))...)
	}
	table(cmd.OutOrStdout(), []string{"target", "tpmC", "of the first", "CPU s", "40001", "40P01", "rolled back", "skipped"}, rows)
	fmt.Fprintln(cmd.OutOrStdout())
	table(cmd.OutOrStdout(), []string{"transaction", "target", "count", "median ms", "p95 ms", "p99 ms", "max ms"}, kinds)
}

// tpccKinds are the rows of a table of latencies.
func tpccKinds(target string, r tpcc.Result) (rows [][]string) {
	for k, v := range r.Kinds {
		rows = append(rows, []string{tpcc.Kind(k).String(), target, fmt.Sprint(v.Count), fmt.Sprintf("%.2f", millis(v.Median)),
			fmt.Sprintf("%.2f", millis(v.P95)), fmt.Sprintf("%.2f", millis(v.P99)), fmt.Sprintf("%.2f", millis(v.Max))})
	}
	return rows
}
