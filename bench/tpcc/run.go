package tpcc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Kind is a kind of transaction.
type Kind int

const (
	NewOrder Kind = iota
	Payment
	OrderStatus
	Delivery
	StockLevel
	Kinds int = iota
)

func (k Kind) String() string {
	return [...]string{"New-Order", "Payment", "Order-Status", "Delivery", "Stock-Level"}[k]
}

// mix is how many of a hundred transactions are of a kind (clause 5.2.3).
var mix = [Kinds]int{45, 43, 4, 4, 4}

var statements = append(noStock[1:],
	noCustomer, noWarehouse, noDistrict, noItem, noOrder, noNewOrder, noTakeStock, noOrderLine,
	payWarehouse, payDistrict, payCustomer, payByName, payGood, payBad, payHistory,
	statusCustomer, statusByName, statusOrder, statusLines,
	deliverOldest, deliverTake, deliverOrder, deliverLines, deliverAmount, deliverPay,
	levelDistrict, levelCount)

// Options of a run.
type Options struct {
	Size    Size
	Clients int
	// Warmup comes before Time and does not count.
	Warmup, Time time.Duration
	Seed         uint64
	Isolation    string // "": the server's default
	// Ledger, unless nil, hears of every acknowledged New-Order and Payment.
	Ledger *Ledger
	// Start, unless nil, is called when the clients set out, with the time in which they are measured.
	Start func(begin, end time.Time)
}

// Result of a run, of the transactions that ended within its time.
type Result struct {
	Elapsed time.Duration
	// TpmC is New-Orders a minute, those rolled back as the specification wants it among them.
	TpmC  float64
	Kinds [Kinds]KindResult
	// Serialization and Deadlocks count attempts that ended with SQLSTATE 40001 and 40P01 and were run again.
	Serialization, Deadlocks int
	RolledBack               int // New-Orders of an item that does not exist
	Skipped                  int // districts that a Delivery found without a new order
}

// KindResult is about the transactions of a kind.
type KindResult struct {
	Kind                  string
	Count                 int
	Median, P95, P99, Max time.Duration
}

// tally is what a client has measured.
type tally struct {
	latencies [Kinds][]time.Duration
	outcome
	rolledBack int
}

// Run has Clients connections run transactions for Warmup and Time. The first error ends the run, except
// serialization failures and deadlocks, after which a transaction is run again.
func Run(ctx context.Context, connect func(context.Context) (*pgconn.PgConn, error), o Options) (Result, error) {
	if err := o.Size.Valid(); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg, ready sync.WaitGroup
	var begin, end time.Time
	start, tallies := make(chan struct{}), make([]tally, o.Clients)
	for n := range o.Clients {
		ready.Add(1)
		wg.Go(func() {
			c, err := open(ctx, connect, o, n)
			ready.Done()
			if err != nil {
				cancel(err)
				return
			}
			defer c.conn.Close(context.WithoutCancel(ctx))
			<-start
			if err := c.work(ctx, begin, end, &tallies[n]); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("client %d: %w", n, err))
			}
		})
	}
	ready.Wait()
	begin = time.Now().Add(o.Warmup)
	end = begin.Add(o.Time)
	if o.Start != nil && ctx.Err() == nil {
		o.Start(begin, end)
	}
	close(start)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	return summary(tallies, o.Time), nil
}

func open(ctx context.Context, connect func(context.Context) (*pgconn.PgConn, error), o Options, n int) (*client, error) {
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	c, err := newClient(ctx, conn, o, n)
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return c, nil
}

// work runs transactions until end and notes those that end after begin.
func (c *client) work(ctx context.Context, begin, end time.Time, t *tally) error {
	for ctx.Err() == nil {
		started := time.Now()
		if !started.Before(end) {
			break
		}
		k := c.next()
		out, err := c.run(ctx, k)
		if err != nil {
			return err
		}
		ended := time.Now()
		if ended.Before(begin) || ended.After(end) {
			continue
		}
		t.latencies[k] = append(t.latencies[k], ended.Sub(started))
		t.serialization += out.serialization
		t.deadlocks += out.deadlocks
		t.skipped += out.skipped
		if out.rolledBack {
			t.rolledBack++
		}
	}
	return nil
}

func summary(tallies []tally, elapsed time.Duration) Result {
	r := Result{Elapsed: elapsed}
	var all [Kinds][]time.Duration
	for i := range tallies {
		t := &tallies[i]
		for k := range all {
			all[k] = append(all[k], t.latencies[k]...)
		}
		r.Serialization += t.serialization
		r.Deadlocks += t.deadlocks
		r.Skipped += t.skipped
		r.RolledBack += t.rolledBack
	}
	for k := range all {
		slices.Sort(all[k])
		n := len(all[k])
		r.Kinds[k] = KindResult{Kind: Kind(k).String(), Count: n}
		if n > 0 {
			at := func(q float64) time.Duration { return all[k][min(int(q*float64(n)), n-1)] }
			r.Kinds[k] = KindResult{Kind: Kind(k).String(), Count: n, Median: at(0.5), P95: at(0.95), P99: at(0.99), Max: all[k][n-1]}
		}
	}
	r.TpmC = float64(r.Kinds[NewOrder].Count) / elapsed.Minutes()
	return r
}
