package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench/transfer"
)

// mergingResult is what merging costs transactions on one target.
type mergingResult struct {
	Target, Script, Mode string
	TPS, TPSMerging      float64 // medians
	Runs, RunsMerging    []float64
	P99Millis            [2]float64 // last runs
	// Merging is the share of the time in which merging was seen at work, without and with.
	Merging [2]float64
}

// mergingShare of the side table's rows is updated before a run that merging shall accompany: more than what calls
// for a merge of every segment.
const mergingShare = 0.4

// mergingRest is how long segments just merged are left alone while others write.
const mergingRest = 31 * time.Second

// runMerging measures a script with and without merging going on: of another table of some rows, which the run finds
// merged, or with many of its rows just updated. Runs take turns.
func runMerging(cmd *cobra.Command, ts []Target, o transfer.Options, runs, rows int, jsonPath string) error {
	ctx := cmd.Context()
	var results []mergingResult
	for _, t := range ts {
		r := mergingResult{Target: t.Name, Script: string(o.Script), Mode: string(o.Mode)}
		side, err := t.connect(ctx)
		if err != nil {
			return err
		}
		defer side.Close(context.WithoutCancel(ctx))
		if err := execAll(ctx, side, "drop table if exists merging_side",
			"create table merging_side (id int primary key, a int not null, b numeric(12,2) not null, c date not null, d text not null)",
			fmt.Sprintf("insert into merging_side select i, i %% 1000, i * 0.25, date '2020-01-01' + i %% 2000, 'row number ' || i from generate_series(1, %d) i", rows)); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		for n := range 2 * max(runs, 1) {
			with := n % 2
			err := execAll(ctx, side, "vacuum")
			if with == 1 && err == nil {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(mergingRest):
				}
				err = execAll(ctx, side, fmt.Sprintf("update merging_side set a = a + 1, d = d || '.' where id %% 100 < %d", int(mergingShare*100)))
			}
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			o.Seed++
			stop, seen := watchMerging(ctx, side)
			res, err := transfer.Run(ctx, t.connect, o)
			stop()
			share := <-seen
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			r.P99Millis[with] = millis(res.P99)
			r.Merging[with] += share / float64(max(runs, 1))
			if with == 1 {
				r.RunsMerging = append(r.RunsMerging, res.TPS)
			} else {
				r.Runs = append(r.Runs, res.TPS)
			}
		}
		r.TPS, r.TPSMerging = median(r.Runs), median(r.RunsMerging)
		results = append(results, r)
		if err := execAll(ctx, side, "drop table merging_side"); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		conn, err := t.connect(ctx)
		if err != nil {
			return err
		}
		err = transfer.Check(ctx, conn, o.Script != transfer.SimpleUpdate)
		conn.Close(context.WithoutCancel(ctx))
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	var out [][]string
	for _, r := range results {
		f := func(v float64) string { return fmt.Sprintf("%.2f", v) }
		out = append(out, []string{r.Script, r.Mode, r.Target, fmt.Sprintf("%.0f", r.TPS), fmt.Sprintf("%.0f", r.TPSMerging), f(r.TPSMerging / max(r.TPS, 1e-9)),
			f(r.P99Millis[0]), f(r.P99Millis[1]), f(r.Merging[0]), f(r.Merging[1])})
	}
	table(cmd.OutOrStdout(), []string{"script", "mode", "target", "tps", "tps merging", "ratio", "p99 ms", "p99 ms merging", "time merging", "time merging, with"}, out)
	return writeJSON(jsonPath, results)
}

func execAll(ctx context.Context, conn *pgconn.PgConn, statements ...string) error {
	for _, s := range statements {
		if err := conn.Exec(ctx, s).Close(); err != nil {
			return err
		}
	}
	return nil
}

// watchMerging looks now and then, until stop, whether anything is merged or purged; seen then gives the share of the looks.
func watchMerging(ctx context.Context, conn *pgconn.PgConn) (stop func(), seen <-chan float64) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan float64, 1)
	done := make(chan struct{})
	go func() {
		looks, busy := 0, 0
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-done:
				cancel()
				out <- float64(busy) / float64(max(looks, 1))
				return
			case <-t.C:
			}
			r := conn.ExecParams(ctx, "select count(*) from basalt.merges where phase <> 'idle'", nil, nil, nil, nil).Read()
			if r.Err != nil || len(r.Rows) == 0 { // a server without merging
				continue
			}
			looks++
			if n, _ := strconv.Atoi(string(r.Rows[0][0])); n > 0 {
				busy++
			}
		}
	}()
	return func() { close(done) }, out
}
