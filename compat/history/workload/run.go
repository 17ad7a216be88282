package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/compat/history"
)

// Options of a run.
type Options struct {
	// Targets gives the DSNs, asked anew for each connection: a server that was killed
	// may come back elsewhere. Client i uses the one at i modulo their number.
	Targets func() []string
	Level   history.Level
	Clients int
	// Time of the whole run, and of one round of one workload.
	Time, Round time.Duration
	// Workloads by name, in turn; none: all.
	Workloads []string
	Seed      uint64
	// Faults: servers are killed meanwhile, so connections may break.
	Faults bool
	// Ready is called, if set, when the tables are made: kill no sooner.
	Ready func()
	// StopAtFirst ends the run after the first round with anomalies.
	StopAtFirst bool
	Log         func(format string, args ...any)
}

// Verdict on the rounds of one workload.
type Verdict struct {
	Workload                              string
	Rounds, Committed, Aborted, Undecided int
	Unknown                               int
	// Errors counts the SQLSTATEs of what failed.
	Errors    map[string]int
	Anomalies []history.Anomaly
	// Notes say what else was seen.
	Notes map[string]int
}

// String is a line, and the anomalies in more.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %4d rounds %7d committed %6d aborted %4d unknown", v.Workload, v.Rounds, v.Committed, v.Aborted, v.Unknown)
	if v.Undecided > 0 {
		fmt.Fprintf(&b, " %d undecided", v.Undecided)
	}
	for _, m := range []map[string]int{v.Errors, v.Notes} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, " %s:%d", k, m[k])
		}
	}
	if len(v.Anomalies) == 0 {
		b.WriteString(": clean")
	} else {
		fmt.Fprintf(&b, ": %d anomalies", len(v.Anomalies))
	}
	for _, a := range v.Anomalies {
		b.WriteString("\n  " + a.String())
	}
	return b.String()
}

// workload makes one kind of history. One goroutine calls setUp and check, many step.
type workload interface {
	// create makes the tables, once.
	create(ctx context.Context, c *client) error
	// setUp begins a round.
	setUp(ctx context.Context, c *client) error
	// step is one transaction of a client. An error that the client does not know to
	// happen ends the run.
	step(ctx context.Context, c *client) error
	// check reads what is left and judges the round.
	check(ctx context.Context, c *client, r *round) error
	// tables are for VACUUM.
	tables() []string
}

var workloads = map[string]func() workload{
	"txns":     func() workload { return newTxns() },
	"bank":     func() workload { return &bank{} },
	"fork":     func() workload { return &fork{} },
	"counter":  func() workload { return newCounter() },
	"register": func() workload { return &register{} },
	"skew":     func() workload { return &skew{} },
}

// Names of the workloads.
func Names() []string { return slices.Sorted(maps.Keys(workloads)) }

// run is a run of Options.
type run struct {
	Options
	base  time.Time
	value atomic.Int64 // the last unique value
}

func (r *run) now() int64 { return time.Since(r.base).Nanoseconds() }

// round is the result of one round.
type round struct {
	mu        sync.Mutex
	committed atomic.Int64
	aborted   atomic.Int64
	unknown   atomic.Int64
	undecided int
	errors    map[string]int
	notes     map[string]int
	anomalies []history.Anomaly
}

func (r *round) note(what string) {
	r.mu.Lock()
	r.notes[what]++
	r.mu.Unlock()
}

func (r *round) found(as ...history.Anomaly) {
	r.mu.Lock()
	r.anomalies = append(r.anomalies, as...)
	r.mu.Unlock()
}

// Run runs the workloads in turn for a time. An error says that it could not, not
// that something was found.
func Run(ctx context.Context, o Options) ([]*Verdict, error) {
	if o.Round == 0 {
		o.Round = 4 * time.Second
	}
	if o.Clients == 0 {
		o.Clients = 8
	}
	if len(o.Workloads) == 0 {
		o.Workloads = Names()
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	r := &run{Options: o, base: time.Now()}
	o.Log("seed %d", o.Seed)
	var all []workload
	var verdicts []*Verdict
	for _, name := range o.Workloads {
		make := workloads[name]
		if make == nil {
			return nil, fmt.Errorf("no workload %q (there are %s)", name, strings.Join(Names(), ", "))
		}
		w := make()
		c := r.client(-1, nil, 0)
		err := c.retry(ctx, func() error { return w.create(ctx, c) })
		c.close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, w)
		verdicts = append(verdicts, &Verdict{Workload: name, Errors: map[string]int{}, Notes: map[string]int{}})
	}
	if o.Ready != nil {
		o.Ready()
	}
	for n := uint64(0); n == 0 || time.Since(r.base) < o.Time; n++ {
		for i, w := range all {
			if n > 0 && time.Since(r.base) >= o.Time {
				break
			}
			rd, err := r.round(ctx, w, n*uint64(len(all))+uint64(i))
			v := verdicts[i]
			v.Rounds++
			v.Committed += int(rd.committed.Load())
			v.Aborted += int(rd.aborted.Load())
			v.Unknown += int(rd.unknown.Load())
			v.Undecided += rd.undecided
			for k, n := range rd.errors {
				v.Errors[k] += n
			}
			for k, n := range rd.notes {
				v.Notes[k] += n
			}
			v.Anomalies = append(v.Anomalies, rd.anomalies...)
			if len(rd.anomalies) > 0 {
				o.Log("%s, round %d: %v", v.Workload, n, rd.anomalies)
			}
			if err != nil {
				return verdicts, fmt.Errorf("%s, round %d: %w", v.Workload, n, err)
			}
			if o.StopAtFirst && len(rd.anomalies) > 0 {
				return verdicts, nil
			}
		}
	}
	return verdicts, nil
}

// round runs a workload for a while.
func (r *run) round(ctx context.Context, w workload, n uint64) (*round, error) {
	rd := &round{errors: map[string]int{}, notes: map[string]int{}}
	own := r.client(-1, rd, n)
	defer func() { own.close() }()
	if err := own.retry(ctx, func() error { return w.setUp(ctx, own) }); err != nil {
		return rd, fmt.Errorf("setting up: %w", err)
	}
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	until := time.Now().Add(r.Round)
	var wg sync.WaitGroup
	for i := range r.Clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := r.client(i, rd, n)
			defer c.close()
			for time.Now().Before(until) && work.Err() == nil {
				if err := c.expect(work, func() error { return w.step(work, c) }); err != nil {
					cancel(fmt.Errorf("client %d: %w", i, err))
				}
			}
		}()
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		c := r.client(-2, rd, n)
		defer c.close()
		for time.Now().Before(until) && work.Err() == nil {
			t := w.tables()
			if err := c.expect(work, func() error {
				_, err := c.exec(work, "VACUUM "+t[c.rng.IntN(len(t))])
				return err
			}); err != nil {
				cancel(fmt.Errorf("VACUUM: %w", err))
			}
			pause(work, time.Duration(50+c.rng.IntN(400))*time.Millisecond)
		}
	}()
	wg.Wait()
	if err := context.Cause(work); err != nil && ctx.Err() == nil {
		return rd, err
	}
	if ctx.Err() != nil {
		return rd, ctx.Err()
	}
	return rd, own.retry(ctx, func() error { return w.check(ctx, own, rd) })
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// client makes a client; -1 is who sets up and checks. It connects when it has to.
func (r *run) client(id int, rd *round, n uint64) *client {
	modes := []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec}
	return &client{r: r, rd: rd, id: id, rng: rand.New(rand.NewPCG(r.Seed, n<<16|uint64(id+2))), mode: modes[max(id, 0)%len(modes)]}
}

// errStuck is a statement that was not answered in time.
var errStuck = errors.New("no answer within " + statementTime.String())

// statementTime is how long a statement may take before the run counts as stuck.
const statementTime = 60 * time.Second
