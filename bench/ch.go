package bench

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/ch"
)

// chResult is one target's figures: medians over its runs.
type chResult struct {
	Target      string
	LoadSeconds float64 `json:",omitempty"`
	TpmC        float64
	PerHour     float64
	Runs        []ch.Result
	CPU         []float64 `json:",omitempty"` // seconds of the server per run, where its process is known
}

func chCommand() *cobra.Command {
	var (
		f        tpccFlags
		analysts int
	)
	cmd := &cobra.Command{
		Use:   "ch",
		Short: "CH-benCHmark: TPC-C with analysts beside it, who must see one moment and the newest commits",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.parse(); err != nil {
				return err
			}
			if analysts < 1 {
				return fmt.Errorf("--analysts must be above 0")
			}
			ctx := cmd.Context()
			results := make([]chResult, len(f.ts))
			for i, t := range f.ts {
				results[i].Target = t.Name
				if !f.skipLoad {
					took, err := f.load(ctx, t)
					if err == nil {
						err = loadCH(ctx, t, f.o.Seed)
					}
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
				r, err := ch.Mixed(ctx, t.connect, ch.Options{TPCC: f.o, Analysts: analysts})
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
			printCH(cmd, results)
			return writeJSON(f.jsonPath, results)
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&analysts, "analysts", 1, "connections that ask the 22 queries")
	return cmd
}

func loadCH(ctx context.Context, t Target, seed uint64) error {
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := ch.Load(ctx, conn, seed); err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}

func printCH(cmd *cobra.Command, results []chResult) {
	var rows, kinds [][]string
	header := []string{"query"}
	queries := make([][]string, ch.Queries)
	for q := range queries {
		queries[q] = []string{fmt.Sprint(q + 1)}
	}
	for i := range results {
		r := &results[i]
		var tpmC, perHour []float64
		var count, snapshots, again int
		for _, run := range r.Runs {
			tpmC, perHour = append(tpmC, run.TPCC.TpmC), append(perHour, run.PerHour)
			count += run.Queries
			snapshots += run.Snapshots
			again += run.TPCC.Serialization + run.TPCC.Deadlocks
		}
		r.TpmC, r.PerHour = median(tpmC), median(perHour)
		rows = append(rows, []string{r.Target, fmt.Sprintf("%.0f", r.TpmC), fmt.Sprintf("%.2f", r.TpmC/results[0].TpmC), fmt.Sprint(count), fmt.Sprintf("%.0f", r.PerHour),
			fmt.Sprintf("%.2f", r.PerHour/max(results[0].PerHour, 1e-9)), fmt.Sprintf("%.1f", median(r.CPU)), fmt.Sprint(snapshots), fmt.Sprint(again)})
		kinds = append(kinds, tpccKinds(r.Target, r.Runs[len(r.Runs)/2].TPCC)...)
		header = append(header, r.Target+" ms")
		for q := range queries {
			var ms []float64
			for _, run := range r.Runs {
				if run.Mean[q] > 0 {
					ms = append(ms, millis(run.Mean[q]))
				}
			}
			queries[q] = append(queries[q], fmt.Sprintf("%.1f", median(ms)))
		}
	}
	table(cmd.OutOrStdout(), []string{"target", "tpmC", "of the first", "queries", "an hour", "of the first", "CPU s", "snapshots checked", "40001, 40P01"}, rows)
	fmt.Fprintln(cmd.OutOrStdout())
	table(cmd.OutOrStdout(), []string{"transaction", "target", "count", "median ms", "p95 ms", "p99 ms", "max ms"}, kinds)
	fmt.Fprintln(cmd.OutOrStdout())
	table(cmd.OutOrStdout(), header, queries)
}
