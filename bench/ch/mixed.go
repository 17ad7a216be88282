package ch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpcc"
)

// Options of a mixed run.
type Options struct {
	// TPCC is what runs beside the analysts; its Ledger and Start are the run's own.
	TPCC     tpcc.Options
	Analysts int
}

// Result of a mixed run.
type Result struct {
	TPCC tpcc.Result
	// Queries that ended within the time, and how many that is an hour of the analysts' time, which is
	// the run's without what the questions of freshness took.
	Queries int
	PerHour float64
	Mean    [Queries]time.Duration // by query; 0: none ended
	// Snapshots is how many snapshots were found to balance and to be fresh.
	Snapshots int
}

// analyst asks queries on a connection of its own.
type analyst struct {
	conn  *pgconn.PgConn
	rng   *rand.Rand
	fresh *freshness

	begin, end time.Time
	queries    [Queries]int
	took       [Queries]time.Duration
	checking   time.Duration // within begin and end
	snapshots  int
}

// Mixed runs TPC-C's clients with analysts beside them. Every query's snapshot is checked; one that
// does not balance or is old is an error.
func Mixed(ctx context.Context, connect func(context.Context) (*pgconn.PgConn, error), o Options) (Result, error) {
	if err := o.TPCC.Size.Valid(); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o.TPCC.Ledger = tpcc.NewLedger(o.TPCC.Size, false)
	var fresh *freshness
	analysts := make([]*analyst, o.Analysts)
	for i := range analysts {
		conn, err := connect(ctx)
		if err != nil {
			return Result{}, err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if fresh == nil {
			if fresh, err = newFreshness(ctx, conn, o.TPCC.Size, o.TPCC.Ledger); err != nil {
				return Result{}, err
			}
		}
		analysts[i] = &analyst{conn: conn, rng: rand.New(rand.NewPCG(o.TPCC.Seed, uint64(1000+i))), fresh: fresh}
	}
	var wg sync.WaitGroup
	o.TPCC.Start = func(begin, end time.Time) {
		for i, a := range analysts {
			a.begin, a.end = begin, end
			wg.Go(func() {
				if err := a.work(ctx); err != nil && ctx.Err() == nil {
					cancel(fmt.Errorf("analyst %d: %w", i, err))
				}
			})
		}
	}
	r, err := tpcc.Run(ctx, connect, o.TPCC)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return Result{}, err
	}
	return o.summary(r, analysts), nil
}

func (o Options) summary(r tpcc.Result, analysts []*analyst) Result {
	out := Result{TPCC: r}
	var n [Queries]int
	var hours float64
	for _, a := range analysts {
		for q := range n {
			n[q] += a.queries[q]
			out.Queries += a.queries[q]
			out.Mean[q] += a.took[q]
		}
		out.Snapshots += a.snapshots
		hours += (o.TPCC.Time - a.checking).Hours() / float64(len(analysts))
	}
	for q := range n {
		out.Mean[q] /= time.Duration(max(n[q], 1))
	}
	if hours > 0 {
		out.PerHour = float64(out.Queries) / hours
	}
	return out
}

// work asks the queries in one random order after the other until end.
func (a *analyst) work(ctx context.Context) error {
	// A query that runs when the time is up is cancelled: it would run into what is measured next.
	timer := time.AfterFunc(time.Until(a.end), func() { a.conn.CancelRequest(ctx) })
	defer timer.Stop()
	for {
		for i, q := range a.rng.Perm(Queries) {
			if ctx.Err() != nil || !time.Now().Before(a.end) {
				return nil
			}
			err := a.ask(ctx, q+1, i == 0)
			var pe *pgconn.PgError
			if errors.As(err, &pe) && pe.Code == "57014" && !time.Now().Before(a.end) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// ask runs a query and questions of the same snapshot.
func (a *analyst) ask(ctx context.Context, q int, withLines bool) error {
	if err := exec(ctx, a.conn, "begin isolation level repeatable read read only"); err != nil {
		return err
	}
	marks, started := a.fresh.ledger.Marks(), time.Now()
	if _, _, err := Run(ctx, a.conn, q); err != nil {
		return err
	}
	ended := time.Now()
	if !ended.Before(a.begin) && ended.Before(a.end) {
		a.queries[q-1]++
		a.took[q-1] += ended.Sub(started)
	}
	if err := a.fresh.check(ctx, a.conn, marks, withLines); err != nil {
		return fmt.Errorf("after query %d: %w", q, err)
	}
	if err := exec(ctx, a.conn, "commit"); err != nil {
		return err
	}
	a.snapshots++
	if from, to := later(ended, a.begin), earlier(time.Now(), a.end); to.After(from) {
		a.checking += to.Sub(from)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
