package vexec

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// A right side that workers have read together becomes a table by their work as well, when it is large:
// the one that ends the last part cuts what is to be done into items, and those that wait for the table
// take part in it.

// togetherRowsMin is from how many rows on that pays.
var togetherRowsMin = 1 << 15

// buildItem is one share of the work for whoever takes it, in its own frame and with its own expressions.
type buildItem func(j *hashJoinOp)

// share runs f for each of n items, here and in the workers that wait for the table.
func (s *sharedBuild) share(j *hashJoinOp, n int, f func(j *hashJoinOp, i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	var mu sync.Mutex
	var first error
	var left sync.WaitGroup // items; each of them is short
	left.Add(n)
	item := func(j *hashJoinOp, i int) {
		defer left.Done()
		err := protected(func() error { return f(j, i) })
		if err == nil {
			err = j.w.pool.ctx.Err()
		}
		if err != nil {
			failed.Store(true)
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		}
	}
	work := func(j *hashJoinOp) {
		for {
			i := int(next.Add(1)) - 1
			switch {
			case i >= n:
				return
			case failed.Load():
				left.Done()
			default:
				item(j, i)
			}
		}
	}
	for range min(cap(s.items), n-1) {
		select {
		case s.items <- work:
		default:
		}
	}
	work(j)
	left.Wait()
	for len(s.items) > 0 { // what nobody came for
		select {
		case <-s.items:
		default:
		}
	}
	return first
}

// protected is f with a panic as its error: others wait for the outcome.
func protected(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = recovered(r)
		}
	}()
	return f()
}

// await waits until the table is complete, and takes part in making it.
func (j *hashJoinOp) await(ctx context.Context, s *sharedBuild) error {
	for {
		j.w.turn.restUnless(s.done)
		select {
		case <-s.done:
			return nil
		case work := <-s.items:
			if err := j.w.turn.border(ctx); err != nil {
				return err
			}
			work(j)
		case <-ctx.Done():
			return ctx.Err()
		case <-j.w.pool.ctx.Done():
			return j.w.pool.ctx.Err()
		}
	}
}

// together: the table of rows batches is worth more than one worker. What has to know the NULLs of every row is made by one.
func (j *hashJoinOp) together(batches []*Batch) bool {
	if j.w.pool == nil || len(j.rightKeys) == 0 || j.exactNulls() || len(j.rightKeys) == 1 && j.nullEqual[0] {
		return false
	}
	n := 0
	for _, b := range batches {
		n += b.N
	}
	return n >= togetherRowsMin
}

// buildTogether is buildTable in shared items.
func (j *hashJoinOp) buildTogether(s *sharedBuild) (*joinTable, error) {
	batches := s.batches
	t := &joinTable{filters: make([]*keyFilter, len(j.rightKeys)), rows: &Batch{Cols: make([]arrow.Array, len(j.spec.rightTs))}}
	at := make([]int, len(batches)) // their first rows
	for i, b := range batches {
		at[i] = t.rows.N
		t.rows.N += b.N
	}
	n := t.rows.N
	var wanted []int
	for c, want := range j.spec.needRight {
		if want || j.readByResidual(len(j.spec.leftTs)+c) {
			wanted = append(wanted, c)
		}
	}
	parts := make([]*Batch, len(batches)) // keys
	err := s.share(j, len(wanted)+len(batches), func(j *hashJoinOp, i int) error {
		if i < len(wanted) {
			c := wanted[i]
			t.rows.Cols[c] = concatColumn(j.spec.rightTs[c], batches, c)
			return nil
		}
		i -= len(wanted)
		keys, err := evalCoded(j.w.frame, j.rightKeys, input(batches[i]))
		parts[i] = &Batch{Cols: keys, N: batches[i].N}
		return err
	})
	if err != nil {
		return nil, err
	}
	numbers := make([]int32, n)
	domain := n
	if t.dense, t.keys = j.densely(parts); t.dense != nil {
		domain = t.keys
		if err := s.share(j, len(parts), func(_ *hashJoinOp, i int) error {
			t.dense.Find(parts[i].Cols[0], numbers[at[i]:][:parts[i].N])
			return nil
		}); err != nil {
			return nil, err
		}
	} else if err := j.numberTogether(s, t, parts, at, numbers); err != nil {
		return nil, err
	}
	var nulls atomic.Bool
	err = s.share(j, 1+len(j.rightKeys), func(j *hashJoinOp, i int) error {
		if i == 0 {
			t.index(numbers, domain)
			return nil
		}
		k := i - 1
		for _, p := range parts {
			if !j.nullEqual[k] && p.Cols[k].NullN() > 0 {
				nulls.Store(true)
			}
		}
		if k < len(j.probes) && j.probes[k] != nil {
			t.filterFor(j, k, concatColumn(j.keySpec.Types[k], parts, k))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.hasNull = nulls.Load()
	j.complete(t)
	return t, nil
}

// densely ranks the keys where they allow it.
func (j *hashJoinOp) densely(parts []*Batch) (*kernel.DenseKeys, int) {
	if len(j.rightKeys) != 1 || !filterable(j.keySpec.Types[0]) {
		return nil, 0
	}
	return kernel.NewDenseKeys(concatColumn(j.keySpec.Types[0], parts, 0))
}

// numberTogether gives each row the number of its key, −1 where it can match nothing. The number is the first row
// that has the key.
func (j *hashJoinOp) numberTogether(s *sharedBuild, t *joinTable, parts []*Batch, at []int, numbers []int32) error {
	regions := 4
	for regions < 2*cores.Count() {
		regions *= 2
	}
	b := kernel.NewTableBuild(j.keySpec, len(numbers), regions)
	encs := make([]kernel.Keys, len(parts))
	err := s.share(j, len(parts), func(j *hashJoinOp, i int) error {
		p := parts[i]
		clear(numbers[at[i]:][:p.N])
		for r, skip := range j.skips(p.Cols, p.N) {
			if skip {
				numbers[at[i]+r] = -1
			}
		}
		b.Encode(j.w.frame.Ctx.Env, &encs[i], at[i], p.Cols, p.N)
		return nil
	})
	if err != nil {
		return err
	}
	b.Reserve()
	err = s.share(j, len(parts), func(_ *hashJoinOp, i int) error {
		b.Place(&encs[i], at[i])
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.share(j, b.Regions(), func(_ *hashJoinOp, r int) error {
		b.Fill(r, numbers)
		return nil
	}); err != nil {
		return err
	}
	t.table, t.keys = b.Finish(numbers)
	return nil
}

// complete does what is left when the rows are indexed.
func (j *hashJoinOp) complete(t *joinTable) {
	if j.spec.tracksRight() {
		t.matched = make([]bool, t.rows.N)
	}
	t.rows = &Batch{Cols: slices.Clone(t.rows.Cols), N: t.rows.N} // the batch may be another's
	for c, want := range j.spec.needRight {                       // what was only a key has served
		if !want && !j.readByResidual(len(j.spec.leftTs)+c) {
			t.rows.Cols[c] = nil
		}
	}
	if j.coded {
		t.codeText()
	}
	t.bytes = batchBytes(t.rows) + 4*int64(len(t.list)+len(t.start)) + int64(len(t.matched))
	if t.table != nil {
		t.bytes += t.table.Size()
	}
	if t.dense != nil {
		t.bytes += t.dense.Size()
	}
	for _, f := range t.filters {
		t.bytes += f.size()
	}
}
