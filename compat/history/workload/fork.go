package workload

import (
	"context"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/compat/history"
)

// fork inserts keys, each once, into groups that are read as a whole meanwhile. Two
// reads of a group must agree on which of two keys came first.
type fork struct {
	mu    sync.Mutex
	low   int64
	group int64 // the newest
	left  []int64
	reads []history.SetRead
}

const forkGroupLen = 6

func (w *fork) tables() []string { return []string{"hist_fork"} }

func (w *fork) create(ctx context.Context, c *client) error {
	for _, sql := range []string{
		"DROP TABLE IF EXISTS hist_fork",
		"CREATE TABLE hist_fork (k int PRIMARY KEY, g int, h int)",
		"CREATE INDEX hist_fork_g ON hist_fork (g)",
		"INSERT INTO hist_fork SELECT -i, -1, -1 FROM generate_series(1, 2000) i",
		"VACUUM ANALYZE hist_fork",
	} {
		if _, err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (w *fork) setUp(ctx context.Context, c *client) error {
	w.reads, w.left = nil, nil
	w.low = w.group + 1
	_, err := c.exec(ctx, "DELETE FROM hist_fork WHERE k >= 0")
	return err
}

func (w *fork) step(ctx context.Context, c *client) error {
	w.mu.Lock()
	if len(w.left) == 0 {
		w.group++
		for i := range int64(forkGroupLen) {
			w.left = append(w.left, w.group*forkGroupLen+i)
		}
		c.rng.Shuffle(len(w.left), func(i, j int) { w.left[i], w.left[j] = w.left[j], w.left[i] })
	}
	g := max(w.low, w.group-int64(c.rng.IntN(2)))
	var key int64 = -1
	if c.chance(3) {
		key, w.left = w.left[0], w.left[1:]
		g = key / forkGroupLen
	}
	w.mu.Unlock()
	if key >= 0 {
		_, err := c.exec(ctx, "INSERT INTO hist_fork VALUES ($1::int, $2::int, $2::int)", key, g)
		c.count(outcome(err))
		if err != nil {
			return err
		}
	}
	return w.read(ctx, c, g)
}

func (w *fork) read(ctx context.Context, c *client, g int64) error {
	s := history.SetRead{Session: c.id, Group: strconv.FormatInt(g, 10), Start: c.now()}
	scan := func(rows pgx.Rows) error {
		var k int64
		err := rows.Scan(&k)
		s.Seen = append(s.Seen, k)
		return err
	}
	low, high := g*forkGroupLen, (g+1)*forkGroupLen-1
	var err error
	switch how := c.rng.IntN(5); {
	case how == 0 && c.r.Level != history.ReadCommitted:
		if err = c.begin(ctx, ""); err != nil {
			return err
		}
		for _, i := range c.rng.Perm(forkGroupLen) {
			if err = c.query(ctx, scan, "SELECT k FROM hist_fork WHERE k = $1::int", low+int64(i)); err != nil {
				return err
			}
			c.breathe(ctx)
		}
		_, err = c.exec(ctx, "COMMIT")
	case how <= 1:
		err = c.query(ctx, scan, "SELECT k FROM hist_fork WHERE k BETWEEN $1::int AND $2::int", low, high)
	case how == 2:
		err = c.query(ctx, scan, "SELECT k FROM hist_fork WHERE g = $1::int", g)
	case how == 3:
		err = c.query(ctx, scan, "SELECT k FROM hist_fork WHERE h = $1::int", g)
	case how == 4:
		keys := []int64{}
		for k := low; k <= high; k++ {
			keys = append(keys, k)
		}
		err = c.query(ctx, scan, "SELECT k FROM hist_fork WHERE k = ANY($1::int[])", keys)
	}
	s.End = c.now()
	if c.count(outcome(err)); err == nil {
		w.mu.Lock()
		w.reads = append(w.reads, s)
		w.mu.Unlock()
	}
	return err
}

func (w *fork) check(ctx context.Context, c *client, r *round) error {
	for g := w.low; g <= w.group; g++ {
		if err := w.read(ctx, c, g); err != nil {
			return err
		}
	}
	r.found(history.CheckForks(w.reads)...)
	return nil
}
