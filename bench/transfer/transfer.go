package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Script is one of pgbench's built-in scripts.
type Script string

const (
	TPCB         Script = "tpcb-like"
	SimpleUpdate Script = "simple-update"
	SelectOnly   Script = "select-only"
)

// Mode is a protocol mode.
type Mode string

const (
	Simple   Mode = "simple"
	Extended Mode = "extended"
	Prepared Mode = "prepared"
)

// Options of a run.
type Options struct {
	Scale   int
	Clients int
	Time    time.Duration
	Script  Script
	Mode    Mode
	Seed    uint64
	// Stop, when set, ends the run early: each client finishes its transaction.
	Stop <-chan struct{}
}

// Result of a run. Latencies are of whole transactions.
type Result struct {
	Transactions           int64
	Elapsed                time.Duration
	TPS                    float64
	Median, P99, P999, Max time.Duration
}

const (
	tellersPerScale  = 10
	accountsPerScale = 100_000
)

// Init creates and fills the tables at a scale, keys declared. progress may be nil.
func Init(ctx context.Context, conn *pgconn.PgConn, scale int, progress func(done, total int)) error {
	for _, q := range []string{
		"drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers",
		"create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
		"create table pgbench_tellers (tid int primary key, bid int, tbalance int, filler char(84))",
		"create table pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84))",
		"create table pgbench_branches (bid int primary key, bbalance int, filler char(88))",
		fmt.Sprintf("insert into pgbench_branches (bid, bbalance) select i, 0 from generate_series(1, %d) i", scale),
		fmt.Sprintf("insert into pgbench_tellers (tid, bid, tbalance) select i, (i - 1) / %d + 1, 0 from generate_series(1, %d) i", tellersPerScale, scale*tellersPerScale),
	} {
		if err := conn.Exec(ctx, q).Close(); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var buf []byte
		for i := 1; i <= scale*accountsPerScale; i++ {
			buf = strconv.AppendInt(buf, int64(i), 10)
			buf = append(buf, '\t')
			buf = strconv.AppendInt(buf, int64((i-1)/accountsPerScale+1), 10)
			buf = append(buf, "\t0\t\n"...)
			if i%5000 == 0 || i == scale*accountsPerScale {
				if _, err := pw.Write(buf); err != nil {
					return
				}
				buf = buf[:0]
				if progress != nil {
					progress(i, scale*accountsPerScale)
				}
			}
		}
		pw.Close()
	}()
	_, err := conn.CopyFrom(ctx, pr, "copy pgbench_accounts from stdin")
	pr.Close()
	<-done
	if err != nil {
		return err
	}
	return conn.Exec(ctx, "analyze pgbench_accounts; analyze pgbench_branches; analyze pgbench_tellers").Close()
}

// Run drives the script with Clients connections for Time. connect opens one
// connection. The first error ends the run, except a serialization failure or
// deadlock, which is retried like pgbench --max-tries would.
func Run(ctx context.Context, connect func(context.Context) (*pgconn.PgConn, error), o Options) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	latencies := make([][]time.Duration, o.Clients)
	ready, start := sync.WaitGroup{}, make(chan struct{})
	var deadline time.Time
	for c := range o.Clients {
		ready.Add(1)
		wg.Add(1)
		go func() {
			defer wg.Done()
			conn, err := connect(ctx)
			ready.Done()
			if err != nil {
				cancel(err)
				return
			}
			defer conn.Close(context.WithoutCancel(ctx))
			cl := client{conn: conn, o: o, rng: rand.New(rand.NewPCG(o.Seed, uint64(c)))}
			if err := cl.prepare(ctx); err != nil {
				cancel(err)
				return
			}
			<-start
			for ctx.Err() == nil && time.Now().Before(deadline) && !stopped(o.Stop) {
				t := time.Now()
				if err := cl.transaction(ctx); err != nil {
					if ctx.Err() == nil {
						cancel(fmt.Errorf("client %d: %w", c, err))
					}
					return
				}
				latencies[c] = append(latencies[c], time.Since(t))
			}
		}()
	}
	ready.Wait()
	began := time.Now()
	deadline = began.Add(o.Time)
	close(start)
	wg.Wait()
	elapsed := time.Since(began)
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	r := Result{Transactions: int64(len(all)), Elapsed: elapsed, TPS: float64(len(all)) / elapsed.Seconds()}
	if n := len(all); n > 0 {
		at := func(q float64) time.Duration { return all[min(int(q*float64(n)), n-1)] }
		r.Median, r.P99, r.P999, r.Max = at(0.5), at(0.99), at(0.999), all[n-1]
	}
	return r, nil
}

// Check verifies that the account balances agree with the history, and the branch
// balances with the tellers'; and all four when only TPCB ran (simple-update
// leaves branches and tellers alone).
func Check(ctx context.Context, conn *pgconn.PgConn, onlyTPCB bool) error {
	res, err := conn.Exec(ctx, "select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches), (select sum(tbalance) from pgbench_tellers), (select coalesce(sum(delta), 0) from pgbench_history)").ReadAll()
	if err != nil {
		return err
	}
	row := res[0].Rows[0]
	accounts, branches, tellers, history := string(row[0]), string(row[1]), string(row[2]), string(row[3])
	if accounts != history || branches != tellers || onlyTPCB && accounts != branches {
		return fmt.Errorf("sums differ: accounts %s, branches %s, tellers %s, history %s", accounts, branches, tellers, history)
	}
	return nil
}

type client struct {
	conn *pgconn.PgConn
	o    Options
	rng  *rand.Rand
}

var statements = map[string]string{
	"update_account": "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2",
	"select_account": "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
	"update_teller":  "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2",
	"update_branch":  "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2",
	"insert_history": "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)",
}

func (c *client) prepare(ctx context.Context) error {
	if c.o.Mode != Prepared {
		return nil
	}
	for name, sql := range statements {
		if _, err := c.conn.Prepare(ctx, name, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

// run executes one of statements in the run's protocol mode.
func (c *client) run(ctx context.Context, name string, args ...int) error {
	switch c.o.Mode {
	case Simple:
		sql := statements[name]
		for i := len(args); i > 0; i-- {
			sql = strings.ReplaceAll(sql, "$"+strconv.Itoa(i), strconv.Itoa(args[i-1]))
		}
		return c.conn.Exec(ctx, sql).Close()
	}
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = strconv.AppendInt(nil, int64(a), 10)
	}
	if c.o.Mode == Prepared {
		return c.conn.ExecPrepared(ctx, name, params, nil, nil).Read().Err
	}
	return c.conn.ExecParams(ctx, statements[name], params, nil, nil, nil).Read().Err
}

func (c *client) transaction(ctx context.Context) error {
	for {
		err := c.attempt(ctx)
		var pe *pgconn.PgError
		if errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01") {
			if err := c.conn.Exec(ctx, "ROLLBACK").Close(); err != nil {
				return err
			}
			continue
		}
		return err
	}
}

func (c *client) attempt(ctx context.Context) error {
	aid := 1 + c.rng.IntN(accountsPerScale*c.o.Scale)
	if c.o.Script == SelectOnly {
		return c.run(ctx, "select_account", aid)
	}
	bid, tid := 1+c.rng.IntN(c.o.Scale), 1+c.rng.IntN(tellersPerScale*c.o.Scale)
	delta := c.rng.IntN(10001) - 5000
	if err := c.conn.Exec(ctx, "BEGIN").Close(); err != nil {
		return err
	}
	if err := c.run(ctx, "update_account", delta, aid); err != nil {
		return err
	}
	if err := c.run(ctx, "select_account", aid); err != nil {
		return err
	}
	if c.o.Script == TPCB {
		if err := c.run(ctx, "update_teller", delta, tid); err != nil {
			return err
		}
		if err := c.run(ctx, "update_branch", delta, bid); err != nil {
			return err
		}
	}
	if err := c.run(ctx, "insert_history", tid, bid, aid, delta); err != nil {
		return err
	}
	return c.conn.Exec(ctx, "END").Close()
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
