package workload

import (
	"context"
	"strconv"
	"sync"

	"github.com/basaltdb/basalt/compat/history"
)

// counter increments counters and tells others of each acknowledged result, whose next
// statement must see it.
type counter struct {
	mu    sync.Mutex
	reads []history.CounterRead
	// told are increments that nobody has looked at yet.
	told chan int64
}

const counters = 3

func newCounter() *counter { return &counter{} }

func (w *counter) tables() []string { return []string{"hist_counter"} }

func (w *counter) create(ctx context.Context, c *client) error {
	for _, sql := range []string{
		"DROP TABLE IF EXISTS hist_counter",
		"CREATE TABLE hist_counter (k int PRIMARY KEY, g int, h int, v bigint)",
		"CREATE INDEX hist_counter_g ON hist_counter (g, v)",
		"INSERT INTO hist_counter SELECT -i, -i, -1, 0 FROM generate_series(1, 2000) i",
		"INSERT INTO hist_counter SELECT i, i, i, 0 FROM generate_series(0, 2) i",
		"VACUUM ANALYZE hist_counter",
	} {
		if _, err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (w *counter) setUp(context.Context, *client) error {
	w.reads, w.told = nil, make(chan int64, 1)
	return nil
}

func (w *counter) step(ctx context.Context, c *client) error {
	// A third of the clients increment; the others look, as soon as they are told.
	if c.id%3 == 0 {
		return w.increment(ctx, c)
	}
	select {
	case k := <-w.told:
		return w.read(ctx, c, k)
	case <-ctx.Done():
		return nil
	default:
		return w.read(ctx, c, int64(c.rng.IntN(counters)))
	}
}

func (w *counter) increment(ctx context.Context, c *client) error {
	k := int64(c.rng.IntN(counters))
	x := history.CounterRead{Session: c.id, Key: strconv.FormatInt(k, 10), Start: c.now()}
	sql := "UPDATE hist_counter SET v = v + 1 WHERE " + [...]string{"k", "h"}[c.rng.IntN(2)] + " = $1::int RETURNING v"
	block := c.chance(2)
	if block {
		if err := c.begin(ctx, ""); err != nil {
			return err
		}
		x.Start = c.now()
	}
	var err error
	x.Value, err = c.number(ctx, sql, k)
	if err == nil && block {
		_, err = c.exec(ctx, "COMMIT")
	}
	x.End = c.now()
	c.count(outcome(err))
	if err != nil {
		return err
	}
	select {
	case w.told <- k:
	default:
	}
	w.add(x)
	return nil
}

func (w *counter) add(x history.CounterRead) {
	w.mu.Lock()
	w.reads = append(w.reads, x)
	w.mu.Unlock()
}

func (w *counter) read(ctx context.Context, c *client, k int64) error {
	x := history.CounterRead{Session: c.id, Key: strconv.FormatInt(k, 10), Start: c.now()}
	where := []string{"k = $1::int", "k = $1::int", "g = $1::int AND v >= 0", "h = $1::int", "k BETWEEN $1::int AND $1::int"}[c.rng.IntN(5)]
	sql := "SELECT v FROM hist_counter WHERE " + where
	block := c.chance(4)
	if block {
		if err := c.begin(ctx, [...]string{"", " READ ONLY"}[c.rng.IntN(2)]); err != nil {
			return err
		}
		x.Start = c.now()
	} else if c.chance(5) {
		sql += " FOR SHARE"
	}
	var err error
	x.Value, err = c.number(ctx, sql, k)
	if x.End = c.now(); err == nil && block {
		_, err = c.exec(ctx, "COMMIT")
	}
	if c.count(outcome(err)); err == nil {
		w.add(x)
	}
	return err
}

func (w *counter) check(ctx context.Context, c *client, r *round) error {
	for k := range int64(counters) {
		for range 5 {
			if err := w.read(ctx, c, k); err != nil {
				return err
			}
		}
	}
	r.found(history.CheckMonotonic(w.reads)...)
	return nil
}
