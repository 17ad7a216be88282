package vexec

import (
	"container/heap"
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// sortRuns are the sorted runs of one sort on disk. As soon as runsPerLevel of
// the newest are of one level they are merged into one of the next, so that there
// are never many files and a merge never holds many batches.
type sortRuns struct {
	w     *worker
	id    uint32
	ts    []types.T
	specs []kernel.SortSpec // of the last columns
	limit int               // > 0: no more rows of a run are wanted
	files []*spillFile      // in the order of the input
	level []int
}

const runsPerLevel = 24

// add writes the rows order of all as a run.
func (s *sortRuns) add(ctx context.Context, all *Batch, order []int32) error {
	size := s.batchRows(all)
	at := 0
	return s.push(ctx, 0, func() (*Batch, error) {
		if at >= len(order) {
			return nil, nil
		}
		end := min(at+size, len(order))
		b := &Batch{Cols: kernel.TakeCols(all.Cols, order[at:end]), N: end - at}
		at = end
		return b, nil
	})
}

// batchRows is how many rows like those of b a run's batch has: a merge holds a batch of every run.
func (s *sortRuns) batchRows(b *Batch) int {
	return min(s.w.q.env.BatchSize, max(1, rowsWithin(16*s.w.q.env.BatchSize, b)/16))
}

// push writes what next gives as a run, then merges what has become too much.
func (s *sortRuns) push(ctx context.Context, level int, next func() (*Batch, error)) error {
	f, err := newSpillFile(s.w.q, s.id, s.ts)
	if err != nil {
		return err
	}
	s.files, s.level = append(s.files, f), append(s.level, level)
	for rows := 0; s.limit == 0 || rows < s.limit; {
		b, err := next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := f.write(b); err != nil {
			return err
		}
		rows += b.N
	}
	first := len(s.files)
	for first > 0 && s.level[first-1] == level {
		first--
	}
	if len(s.files)-first < runsPerLevel {
		return nil
	}
	old := s.files[first:]
	m, err := newRunMerge(s.w, s.ts, s.specs, old)
	if err != nil {
		return err
	}
	rest := &sortRuns{w: s.w, id: s.id, ts: s.ts, specs: s.specs, limit: s.limit}
	err = rest.push(ctx, level+1, func() (*Batch, error) { return m.next(s.w.q.env.BatchSize) })
	if err != nil {
		rest.close()
		return err
	}
	for _, f := range old {
		f.close()
	}
	s.files, s.level = append(s.files[:first], rest.files...), append(s.level[:first], level+1)
	return nil
}

// merge gives the rows of all runs in order.
func (s *sortRuns) merge() (*runMerge, error) { return newRunMerge(s.w, s.ts, s.specs, s.files) }

func (s *sortRuns) close() {
	if s == nil {
		return
	}
	for _, f := range s.files {
		f.close()
	}
	s.files, s.level = nil, nil
}

// runMerge merges sorted runs; earlier runs win ties, so the sort stays stable.
type runMerge struct {
	w     *worker
	ts    []types.T
	specs []kernel.SortSpec
	runs  []*mergeRun // a heap
}

type mergeRun struct {
	file  *spillFile
	order int
	next  int
	b     *Batch
	at    int
	m     *runMerge
}

func newRunMerge(w *worker, ts []types.T, specs []kernel.SortSpec, files []*spillFile) (*runMerge, error) {
	m := &runMerge{w: w, ts: ts, specs: specs}
	for i, f := range files {
		r := &mergeRun{file: f, order: i, m: m}
		ok, err := r.load()
		if err != nil {
			return nil, err
		}
		if ok {
			m.runs = append(m.runs, r)
		}
	}
	heap.Init(m)
	return m, nil
}

func (r *mergeRun) load() (bool, error) {
	if r.next >= r.file.len() {
		return false, nil
	}
	b, err := r.file.read(r.next)
	r.b, r.at = b, 0
	r.next++
	return err == nil, err
}

func (m *runMerge) Len() int      { return len(m.runs) }
func (m *runMerge) Swap(i, j int) { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *runMerge) Push(x any)    { m.runs = append(m.runs, x.(*mergeRun)) }
func (m *runMerge) Pop() any {
	r := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return r
}

func (m *runMerge) Less(i, j int) bool {
	a, b := m.runs[i], m.runs[j]
	off := len(m.ts) - len(m.specs)
	for k, spec := range m.specs {
		if c := kernel.SortComparer(m.w.frame.Ctx.Env, spec, a.b.Cols[off+k], b.b.Cols[off+k])(a.at, b.at); c != 0 {
			return c < 0
		}
	}
	return a.order < b.order
}

// next gives up to size rows.
func (m *runMerge) next(size int) (*Batch, error) {
	// rows are cut from the runs' batches; each batch is gathered once
	type piece struct {
		b    *Batch
		rows []int32
	}
	var pieces []*piece
	index := map[*Batch]int{}
	var from []int // piece of each output row
	if len(m.runs) > 0 {
		size = rowsWithin(size, m.runs[0].b)
	}
	for len(from) < size && len(m.runs) > 0 {
		r := m.runs[0]
		p, ok := index[r.b]
		if !ok {
			p = len(pieces)
			index[r.b] = p
			pieces = append(pieces, &piece{b: r.b})
		}
		pieces[p].rows = append(pieces[p].rows, int32(r.at))
		from = append(from, p)
		r.at++
		if r.at >= r.b.N {
			ok, err := r.load()
			if err != nil {
				return nil, err
			}
			if !ok {
				heap.Pop(m)
				continue
			}
		}
		heap.Fix(m, 0)
	}
	if len(from) == 0 {
		return nil, nil
	}
	start := make([]int32, len(pieces))
	total := int32(0)
	for i, p := range pieces {
		start[i] = total
		total += int32(len(p.rows))
	}
	perm := make([]int32, len(from))
	for i, p := range from {
		perm[i] = start[p]
		start[p]++
	}
	out := &Batch{N: len(from), Cols: make([]arrow.Array, len(m.ts))}
	parts := make([]arrow.Array, len(pieces))
	for c, t := range m.ts {
		for i, p := range pieces {
			parts[i] = kernel.Take(p.b.Cols[c], p.rows)
		}
		out.Cols[c] = kernel.Take(kernel.Concat(t, parts), perm)
	}
	return out, nil
}
