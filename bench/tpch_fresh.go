package bench

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/bench/tpch/dbgen"
)

// freshStates are when the queries run: on the tables as loaded, after the changes, and after VACUUM.
var freshStates = [...]string{"loaded", "fresh", "merged"}

// freshResult is one target's figures by state.
type freshResult struct {
	Target        string
	ChangeSeconds float64
	VacuumSeconds float64
	Seconds, CPU  [len(freshStates)][]float64 // median per query
	GeoMean       [len(freshStates)]float64
	CPUTotal      [len(freshStates)]float64
	Answers       [len(freshStates)][][]byte `json:"-"`
}

// runFresh measures what changes by ordinary transactions cost the queries until they are merged.
func runFresh(cmd *cobra.Command, ts []Target, processes map[string]int, sf, share float64, only []int, runs int, load bool, jsonPath string) error {
	var results []*freshResult
	for _, t := range ts {
		r, err := freshTarget(cmd.Context(), t, processes[t.Name], sf, share, only, runs, load)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		results = append(results, r)
	}
	last := results[len(results)-1]
	differs := 0
	for _, r := range results {
		header := []string{fmt.Sprintf("%s, SF %v", r.Target, sf), "loaded s", "fresh s", "ratio to merged", "merged s", "ratio to loaded", "loaded CPU", "fresh CPU", "merged CPU", "answer"}
		var rows [][]string
		for k, q := range only {
			answer := "ok"
			if !bytes.Equal(r.Answers[1][k], last.Answers[1][k]) || !bytes.Equal(r.Answers[1][k], r.Answers[2][k]) {
				answer = "differs"
				differs++
			}
			rows = append(rows, freshRow(fmt.Sprintf("Q%d", q), [3]float64{r.Seconds[0][k], r.Seconds[1][k], r.Seconds[2][k]}, [3]float64{r.CPU[0][k], r.CPU[1][k], r.CPU[2][k]}, answer))
		}
		rows = append(rows, freshRow("geometric mean", r.GeoMean, r.CPUTotal, "(CPU: total)"))
		table(cmd.OutOrStdout(), header, rows)
		fmt.Fprintf(cmd.OutOrStdout(), "%s: changes %.1f s, VACUUM %.1f s\n", r.Target, r.ChangeSeconds, r.VacuumSeconds)
	}
	if err := writeJSON(jsonPath, results); err != nil {
		return err
	}
	if differs > 0 {
		return fmt.Errorf("%d answers differ", differs)
	}
	return nil
}

func freshRow(name string, s, cpu [3]float64, answer string) []string {
	f := func(v float64) string { return fmt.Sprintf("%.3f", v) }
	return []string{name, f(s[0]), f(s[1]), fmt.Sprintf("%.2f", s[1]/max(s[2], 1e-6)), f(s[2]), fmt.Sprintf("%.2f", s[2]/max(s[0], 1e-6)), f(cpu[0]), f(cpu[1]), f(cpu[2]), answer}
}

func freshTarget(ctx context.Context, t Target, pid int, sf, share float64, only []int, runs int, load bool) (*freshResult, error) {
	r := &freshResult{Target: t.Name}
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	bar := newProgressBar()
	defer bar.finish()
	if load {
		if _, err := tpch.Load(ctx, conn, sf, func(tab dbgen.Table, done, total int64) { bar.update(string(tab), done, total) }); err != nil {
			return nil, err
		}
	}
	if err := conn.Exec(ctx, "vacuum").Close(); err != nil {
		return nil, err
	}
	if err := r.measure(ctx, conn, 0, pid, only, runs); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := tpch.Freshen(ctx, conn, sf, share, func(done, total int64) { bar.update("changes", done, total) }); err != nil {
		return nil, err
	}
	r.ChangeSeconds = time.Since(start).Seconds()
	if err := r.measure(ctx, conn, 1, pid, only, runs); err != nil {
		return nil, err
	}
	start = time.Now()
	if err := conn.Exec(ctx, "vacuum analyze").Close(); err != nil {
		return nil, err
	}
	r.VacuumSeconds = time.Since(start).Seconds()
	return r, r.measure(ctx, conn, 2, pid, only, runs)
}

// measure runs the queries in one of freshStates.
func (r *freshResult) measure(ctx context.Context, conn *pgconn.PgConn, state, pid int, only []int, runs int) error {
	logs := 0.0
	for _, q := range only {
		var times, cpus []time.Duration
		var rows []byte
		for range max(runs, 1) {
			before := processCPU(pid)
			got, took, err := tpch.Run(ctx, conn, q)
			if err != nil {
				return err
			}
			times, cpus, rows = append(times, took), append(cpus, processCPU(pid)-before), got
		}
		r.Seconds[state] = append(r.Seconds[state], median(times).Seconds())
		r.CPU[state] = append(r.CPU[state], median(cpus).Seconds())
		r.CPUTotal[state] += median(cpus).Seconds()
		r.Answers[state] = append(r.Answers[state], rows)
		logs += math.Log(max(median(times).Seconds(), 1e-6))
	}
	r.GeoMean[state] = math.Exp(logs / float64(max(len(only), 1)))
	return nil
}
