package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/transfer"
)

// transferResult is one target's figures of one script and mode.
type transferResult struct {
	Target, Script, Mode                string
	TPS                                 float64 // median of the runs
	Runs                                []float64
	MedianMillis, P99Millis, P999Millis float64 // of the median run's kind: medians over the runs
}

func pgbenchCommand() *cobra.Command {
	var (
		targets  []string
		o        transfer.Options
		scripts  []string
		modes    []string
		runs     int
		skipInit bool
		merging  int
		jsonPath string
	)
	cmd := &cobra.Command{
		Use:   "pgbench",
		Short: "Run pgbench's transfer workload and check the sums",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ts, err := parseTargets(targets)
			if err != nil {
				return err
			}
			if o.Scale < 1 || o.Clients < 1 || o.Time <= 0 {
				return fmt.Errorf("--scale, --clients and --time must be above 0")
			}
			var results []transferResult
			for _, t := range ts {
				if !skipInit {
					if err := initTransfer(cmd.Context(), t, o.Scale); err != nil {
						return err
					}
				}
			}
			if merging > 0 {
				o.Script, o.Mode = transfer.Script(scripts[0]), transfer.Mode(modes[0])
				if err := validTransfer(o); err != nil {
					return err
				}
				return runMerging(cmd, ts, o, runs, merging, jsonPath)
			}
			for _, s := range scripts {
				for _, m := range modes {
					o.Script, o.Mode = transfer.Script(s), transfer.Mode(m)
					if err := validTransfer(o); err != nil {
						return err
					}
					perTarget := make([]transferResult, len(ts))
					for range max(runs, 1) { // targets take turns, so that drift of the machine hits all
						for i, t := range ts {
							o.Seed++
							r, err := transfer.Run(cmd.Context(), t.connect, o)
							if err != nil {
								return fmt.Errorf("%s: %w", t.Name, err)
							}
							p := &perTarget[i]
							p.Target, p.Script, p.Mode = t.Name, s, m
							p.Runs = append(p.Runs, r.TPS)
							p.MedianMillis, p.P99Millis, p.P999Millis = millis(r.Median), millis(r.P99), millis(r.P999)
						}
					}
					for i := range perTarget {
						perTarget[i].TPS = median(perTarget[i].Runs)
					}
					results = append(results, perTarget...)
				}
			}
			for _, t := range ts {
				conn, err := t.connect(cmd.Context())
				if err != nil {
					return err
				}
				err = transfer.Check(cmd.Context(), conn, !slices.Contains(scripts, string(transfer.SimpleUpdate)))
				conn.Close(context.WithoutCancel(cmd.Context()))
				if err != nil {
					return fmt.Errorf("%s: %w", t.Name, err)
				}
			}
			printTransfer(cmd, ts[0].Name, results)
			return writeJSON(jsonPath, results)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&targets, "target", nil, "NAME:DSN of a server, repeatable")
	f.IntVar(&o.Scale, "scale", 10, "scale: 100,000 accounts each")
	f.IntVar(&o.Clients, "clients", 8, "connections")
	f.DurationVar(&o.Time, "time", 20*time.Second, "length of one run")
	f.StringSliceVar(&scripts, "script", []string{"tpcb-like", "simple-update", "select-only"}, "scripts to run")
	f.StringSliceVar(&modes, "mode", []string{"simple", "extended", "prepared"}, "protocol modes")
	f.IntVar(&runs, "runs", 1, "runs of each; the median counts")
	f.BoolVar(&skipInit, "skip-init", false, "the tables are there already")
	f.IntVar(&merging, "merging", 0, "compare runs of the first script and mode with such beside which another table, of so many rows, is merged (1000000)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the random choices")
	f.StringVar(&jsonPath, "json", "", "write the results to this file")
	return cmd
}

func validTransfer(o transfer.Options) error {
	switch o.Script {
	case transfer.TPCB, transfer.SimpleUpdate, transfer.SelectOnly:
	default:
		return fmt.Errorf("no script %q: tpcb-like, simple-update or select-only", o.Script)
	}
	switch o.Mode {
	case transfer.Simple, transfer.Extended, transfer.Prepared:
	default:
		return fmt.Errorf("no mode %q: simple, extended or prepared", o.Mode)
	}
	return nil
}

func initTransfer(ctx context.Context, t Target, scale int) error {
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	bar := newProgressBar()
	defer bar.finish()
	if err := transfer.Init(ctx, conn, scale, func(done, total int) { bar.update("accounts", int64(done), int64(total)) }); err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}

func printTransfer(cmd *cobra.Command, base string, results []transferResult) {
	var rows [][]string
	var first float64
	for _, r := range results {
		ratio := ""
		if r.Target == base {
			first = r.TPS
		} else {
			ratio = fmt.Sprintf("%.2f", first/r.TPS)
		}
		rows = append(rows, []string{r.Script, r.Mode, r.Target, fmt.Sprintf("%.0f", r.TPS), fmt.Sprintf("%.2f", r.MedianMillis),
			fmt.Sprintf("%.2f", r.P99Millis), fmt.Sprintf("%.2f", r.P999Millis), ratio})
	}
	table(cmd.OutOrStdout(), []string{"script", "mode", "target", "tps", "median ms", "p99 ms", "p99.9 ms", "ratio"}, rows)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
