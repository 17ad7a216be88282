package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/compat/history"
)

// txns is the workload for the dependency graph: transactions of some statements over
// three kinds of things, chosen from a few keys that many use at once. A key that has
// been written often enough makes room for a new one.
type txns struct {
	ids atomic.Int64

	mu    sync.Mutex
	pools [3]pool
	done  []history.Txn
}

// kind of a thing, and the letter its keys begin with in a history.
type kind int

const (
	arrays    kind = iota // a list is an array in one row
	lists                 // a list is rows (key, position)
	registers             // a row with a value and the one it replaced
)

func (k kind) key(n int64) string { return fmt.Sprintf("%c%d", "alg"[k], n) }

// pool is the keys in use.
type pool struct {
	active []int64
	writes map[int64]int
	next   int64
	// low is the lowest key of the round.
	low int64
}

const (
	activeKeys = 5
	// writesMax is how often a key is written, about.
	writesMax = 40
	// groupLen is how many keys have a value of the column g in common.
	groupLen = 4
	fillers  = 3000
)

func newTxns() *txns { return &txns{} }

func (w *txns) tables() []string { return []string{"hist_arrays", "hist_lists", "hist_registers"} }

func (w *txns) create(ctx context.Context, c *client) error {
	for _, sql := range []string{
		"DROP TABLE IF EXISTS hist_arrays, hist_lists, hist_registers",
		"CREATE TABLE hist_arrays (k int PRIMARY KEY, g int, h int, n int, v bigint[], s text)",
		"CREATE INDEX hist_arrays_g ON hist_arrays (g, n)",
		"CREATE TABLE hist_lists (k int, pos int, g int, h int, v bigint, PRIMARY KEY (k, pos))",
		"CREATE INDEX hist_lists_g ON hist_lists (g, k, pos)",
		"CREATE TABLE hist_registers (k int PRIMARY KEY, g int, h int, v bigint, prev bigint, pad text)",
		"CREATE INDEX hist_registers_g ON hist_registers (g, v)",
		fmt.Sprintf("INSERT INTO hist_arrays SELECT -i, -i, -1, 1, '{0}', '0' FROM generate_series(1, %d) i", fillers),
		fmt.Sprintf("INSERT INTO hist_lists SELECT -i, 1, -i, -1, 0 FROM generate_series(1, %d) i", fillers),
		fmt.Sprintf("INSERT INTO hist_registers SELECT -i, -i, -1, 0, 0, repeat('x', 20) FROM generate_series(1, %d) i", fillers),
		"VACUUM ANALYZE hist_arrays",
		"VACUUM ANALYZE hist_lists",
		"VACUUM ANALYZE hist_registers",
	} {
		if _, err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// setUp takes new keys. What is left of older rounds goes now and then.
func (w *txns) setUp(ctx context.Context, c *client) error {
	w.mu.Lock()
	w.done = nil
	for i := range w.pools {
		p := &w.pools[i]
		p.next = (p.next/groupLen + 1) * groupLen
		p.low, p.active, p.writes = p.next, nil, map[int64]int{}
		for range activeKeys {
			p.active = append(p.active, p.next)
			p.next++
		}
	}
	w.mu.Unlock()
	if !c.chance(3) {
		return nil
	}
	for i, t := range w.tables() {
		if _, err := c.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE k >= 0 AND k < %d", t, w.pools[i].low)); err != nil {
			return err
		}
	}
	return nil
}

// pick chooses a key in use; one that is written will be so no more often than writesMax.
func (w *txns) pick(rng *rand.Rand, k kind, write bool) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.pools[k]
	i := min(rng.IntN(activeKeys), rng.IntN(activeKeys)) // some more than others
	key := p.active[i]
	if write {
		if p.writes[key]++; p.writes[key] >= writesMax {
			p.active[i] = p.next
			p.next++
		}
	}
	return key
}

// recorder takes a transaction down while it runs.
type recorder struct {
	w     *txns
	c     *client
	t     history.Txn
	block bool
	// section is the savepoint's number, 0 for none; mark the first operation after it.
	section, mark int
}

// statement is what a transaction does at one moment. intent is what it may have done
// when no answer comes.
type statement struct {
	intent []history.Op
	run    func(ctx context.Context, c *client) ([]history.Op, error)
}

func (x *recorder) do(ctx context.Context, s statement) error {
	start := x.c.now()
	ops, err := s.run(ctx, x.c)
	end := x.c.now()
	if x.t.FirstEnd == 0 {
		x.t.First, x.t.FirstEnd = start, end
	}
	if !x.block {
		x.t.Commit, x.t.End, x.t.Outcome = start, end, outcome(err)
		if x.t.Outcome == history.Unknown {
			ops = s.intent
		}
	}
	for i := range ops {
		ops[i].Start, ops[i].End = start, end
	}
	if err == nil || x.t.Outcome == history.Unknown {
		x.t.Ops = append(x.t.Ops, ops...)
	}
	return err
}

// finish hands the transaction in. Aborted ones count for what they read.
func (x *recorder) finish() {
	x.c.count(x.t.Outcome)
	x.w.mu.Lock()
	x.w.done = append(x.w.done, x.t)
	x.w.mu.Unlock()
}

func (w *txns) step(ctx context.Context, c *client) error {
	x := &recorder{w: w, c: c, t: history.Txn{ID: int(w.ids.Add(1)), Session: c.id}}
	switch c.rng.IntN(10) {
	case 0, 1:
		err := x.do(ctx, w.read(c, false))
		x.finish()
		return err
	case 2:
		err := x.do(ctx, w.single(c))
		x.finish()
		return err
	}
	return w.run(ctx, x)
}

// run is a transaction in a block.
func (w *txns) run(ctx context.Context, x *recorder) error {
	c := x.c
	x.block = true
	x.t.Outcome = history.Aborted // until COMMIT says otherwise
	options, readOnly := "", c.chance(8)
	if readOnly {
		options = " READ ONLY"
		if c.chance(4) && c.r.Level == history.Serializable {
			options += ", DEFERRABLE"
		}
	}
	if err := c.begin(ctx, options); err != nil {
		return err
	}
	err := w.body(ctx, x, readOnly)
	if err != nil {
		x.t.Commit, x.t.End = c.now(), c.now()
		x.finish()
		return err
	}
	end := "COMMIT"
	if c.chance(20) {
		end = "ROLLBACK"
	}
	x.t.Commit = c.now()
	_, err = c.exec(ctx, end)
	x.t.End = c.now()
	if end == "COMMIT" {
		x.t.Outcome = outcome(err)
	}
	x.finish()
	return err
}

func (w *txns) body(ctx context.Context, x *recorder, readOnly bool) error {
	c := x.c
	for n := 1 + c.rng.IntN(5); n > 0; n-- {
		if x.section == 0 && !readOnly && c.chance(8) {
			if _, err := c.exec(ctx, "SAVEPOINT a"); err != nil {
				return err
			}
			x.section, x.mark = n, len(x.t.Ops)
		}
		s := w.read(c, !readOnly)
		if !readOnly && c.chance(2) {
			var err error
			if s, err = w.write(ctx, x); err != nil {
				return err
			}
		}
		if s.run != nil {
			if err := x.do(ctx, s); err != nil {
				return err
			}
		}
		if x.section != 0 && c.chance(2) {
			if err := x.endSavepoint(ctx); err != nil {
				return err
			}
		}
		c.breathe(ctx)
	}
	return nil
}

// endSavepoint releases the savepoint or rolls back to it.
func (x *recorder) endSavepoint(ctx context.Context) error {
	sql, undo := "RELEASE SAVEPOINT a", x.c.chance(2)
	if undo {
		sql = "ROLLBACK TO SAVEPOINT a"
	}
	if _, err := x.c.exec(ctx, sql); err != nil {
		return err
	}
	if undo {
		for i := range x.t.Ops[x.mark:] {
			x.t.Ops[x.mark+i].Undone = x.section
		}
	}
	x.section = 0
	return nil
}

// check reads everything once more, on several ways, and judges.
func (w *txns) check(ctx context.Context, c *client, r *round) error {
	for path := range 3 {
		for k := arrays; k <= registers; k++ {
			p := &w.pools[k]
			start := c.now()
			ops, err := w.readRange(ctx, c, k, p.low, p.next-1, path)
			if err != nil {
				return err
			}
			end := c.now()
			for i := range ops {
				ops[i].Start, ops[i].End = start, end
			}
			w.done = append(w.done, history.Txn{ID: int(w.ids.Add(1)), Session: c.id, Ops: ops, Commit: start, End: end})
		}
	}
	began := time.Now()
	r.found(history.Check(w.done, c.r.Level)...)
	if d := time.Since(began); d > 10*time.Second {
		c.r.Log("judging %d transactions took %s", len(w.done), d)
	}
	return nil
}
