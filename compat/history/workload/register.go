package workload

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/basaltdb/basalt/compat/history"
)

// register reads, writes, and compares and sets single keys by single statements.
type register struct {
	mu   sync.Mutex
	ops  []history.RegisterOp
	key  int64 // the first in use; registersActive are
	uses int
	last map[int64]int64 // a recent value, to compare with
}

const (
	registersActive = 3
	// registerUses is how many operations the keys in use get before they make room: long
	// histories of one key are expensive to judge.
	registerUses = 600
	judgeTime    = 20 * time.Second
)

func (w *register) tables() []string { return []string{"hist_register"} }

func (w *register) create(ctx context.Context, c *client) error {
	for _, sql := range []string{
		"DROP TABLE IF EXISTS hist_register",
		"CREATE TABLE hist_register (k int PRIMARY KEY, g int, h int, v bigint)",
		"CREATE INDEX hist_register_g ON hist_register (g, v)",
		"INSERT INTO hist_register SELECT -i, -i, -1, 0 FROM generate_series(1, 2000) i",
		"VACUUM ANALYZE hist_register",
	} {
		if _, err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (w *register) setUp(context.Context, *client) error {
	w.ops, w.uses, w.last = nil, 0, map[int64]int64{}
	w.key += registersActive
	return nil
}

func (w *register) step(ctx context.Context, c *client) error {
	w.mu.Lock()
	if w.uses++; w.uses > registerUses {
		w.key, w.uses = w.key+registersActive, 0
	}
	k := w.key + int64(c.rng.IntN(registersActive))
	from := w.last[k]
	w.mu.Unlock()
	o := history.RegisterOp{Session: c.id, Key: strconv.FormatInt(k, 10), Kind: history.RegisterKind(c.rng.IntN(3)), Start: c.now()}
	by := [...]string{"k = $1::int", "h = $1::int", "g = $1::int AND v >= 0"}[c.rng.IntN(3)]
	var n int64
	var err error
	switch o.Kind {
	case history.RegisterRead:
		// no row is 0
		o.Value, err = c.number(ctx, "SELECT coalesce(max(v), 0) FROM hist_register WHERE "+by, k)
	case history.RegisterWrite:
		o.Value = c.next()
		_, err = c.exec(ctx, "INSERT INTO hist_register VALUES ($1::int, $1::int, $1::int, $2::bigint) ON CONFLICT (k) DO UPDATE SET v = excluded.v", k, o.Value)
	case history.RegisterCAS:
		o.From, o.Value = from, c.next()
		if from == 0 {
			n, err = c.exec(ctx, "INSERT INTO hist_register VALUES ($1::int, $1::int, $1::int, $2::bigint) ON CONFLICT DO NOTHING", k, o.Value)
		} else {
			n, err = c.exec(ctx, "UPDATE hist_register SET v = $3::bigint WHERE "+by+" AND v = $2::bigint", k, from, o.Value)
		}
		o.Done = n == 1
	}
	o.End = c.now()
	result := outcome(err)
	c.count(result)
	// Under READ COMMITTED a compare-and-set whose row does not match the snapshot any
	// more, or not yet, may fail by the older state: PostgreSQL checks the newest version of
	// rows that matched. One that found nothing is then a read of no certain moment.
	skip := result == history.Aborted || o.Kind == history.RegisterCAS && !o.Done && result == history.Committed
	o.Unknown = result == history.Unknown
	w.mu.Lock()
	if !skip {
		w.ops = append(w.ops, o)
	}
	if err == nil && (o.Kind != history.RegisterCAS || o.Done) {
		w.last[k] = o.Value
	}
	w.mu.Unlock()
	return err
}

func (w *register) check(ctx context.Context, c *client, r *round) error {
	as, undecided := history.CheckLinearizable(w.ops, judgeTime)
	r.found(as...)
	r.undecided += undecided
	return nil
}
