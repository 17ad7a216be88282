package vexec

import (
	"container/heap"
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sortOp orders its input; equal rows keep their order. With a limit it is a
// top-N: rows beyond the first limit are dropped as they come. Beyond its
// budget it sorts what it has into a run on disk and merges the runs at the
// end. Output: dense batches.
type sortOp struct {
	w     *worker
	id    uint32
	in    operator
	ts    []types.T
	keys  *sortKeys
	limit int
	mem   *memory

	batches []*Batch // columns, then keys
	rows    int
	runs    []*spillFile
	sorted  bool
	out     *Batch
	order   []int32
	at      int
	merge   *runMerge
	given   int
}

func newSort(w *worker, p *planpb.Plan, s *planpb.Sort) (operator, error) {
	in, err := w.build(s.GetInput())
	if err != nil {
		return nil, err
	}
	op := &sortOp{w: w, id: p.GetId(), in: in, ts: outputTypes(s.GetInput()), limit: int(s.GetLimit()), mem: w.memory(p, "Sort")}
	op.keys, err = newSortKeys(w, s.GetKeys())
	return op, err
}

func (s *sortOp) open(ctx context.Context) error {
	s.reset()
	return s.in.open(ctx)
}

func (s *sortOp) reset() {
	s.batches, s.rows, s.sorted, s.out, s.order, s.at, s.merge, s.given = nil, 0, false, nil, nil, 0, nil, 0
	for _, r := range s.runs {
		r.close()
	}
	s.runs = nil
	s.mem.free()
}

func (s *sortOp) close() {
	s.reset()
	s.in.close()
}

// allTypes are the columns' and then the keys' types.
func (s *sortOp) allTypes() []types.T {
	return append(append([]types.T{}, s.ts...), exprTypes(s.keys.exprs)...)
}

func (s *sortOp) next(ctx context.Context) (*Batch, error) {
	if !s.sorted {
		if err := s.consume(ctx); err != nil {
			return nil, err
		}
		s.sorted = true
	}
	if s.limit > 0 && s.given >= s.limit {
		return nil, nil
	}
	var b *Batch
	if s.merge != nil {
		var err error
		if b, err = s.merge.next(s.w.q.env.BatchSize); err != nil || b == nil {
			return nil, err
		}
		b = &Batch{Cols: b.Cols[:len(s.ts)], N: b.N}
	} else {
		if s.at >= len(s.order) {
			return nil, nil
		}
		end := min(s.at+rowsWithin(s.w.q.env.BatchSize, s.out), len(s.order))
		b = &Batch{Cols: kernel.TakeCols(s.out.Cols[:len(s.ts)], s.order[s.at:end]), N: end - s.at}
		s.at = end
	}
	if s.limit > 0 && s.given+b.N > s.limit {
		b = sliced(b, 0, s.limit-s.given)
	}
	s.given += b.N
	return b, ctx.Err()
}

// consume reads the input and leaves either one sorted batch or a merge of runs.
func (s *sortOp) consume(ctx context.Context) error {
	trim := 2*s.limit + s.w.q.env.BatchSize
	for {
		b, err := s.in.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		b = dense(b)
		keys, err := s.keys.eval(s.w.frame, b)
		if err != nil {
			return err
		}
		b = &Batch{Cols: append(append([]arrow.Array{}, b.Cols...), keys...), N: b.N}
		s.batches = append(s.batches, b)
		s.rows += b.N
		s.mem.add(batchBytes(b) + 16*int64(b.N))
		if s.limit > 0 && s.rows > trim {
			s.keepTop()
		}
		if s.mem.over() {
			if err := s.writeRun(); err != nil {
				return err
			}
		}
	}
	s.in.close()
	method := "quicksort"
	if s.limit > 0 {
		method = "top-N heapsort"
	}
	if len(s.runs) > 0 {
		method = "external merge"
		if err := s.writeRun(); err != nil {
			return err
		}
		m, err := newRunMerge(s.w, s.allTypes(), s.keys.specs, s.runs)
		if err != nil {
			return err
		}
		s.merge = m
	} else {
		s.out, s.order = s.sortAll()
	}
	s.w.q.env.Stats.update(s.id, func(o *OpStats) { o.SortMethod = method })
	return nil
}

// sortAll joins the batches held and orders them.
func (s *sortOp) sortAll() (*Batch, []int32) {
	if len(s.batches) == 0 {
		return nil, nil
	}
	all := concatBatches(s.allTypes(), s.batches)
	s.batches = []*Batch{all}
	return all, sortedRows(s.w, s.keys.specs, all.Cols[len(s.ts):], all.N)
}

// keepTop drops all but the first limit rows held.
func (s *sortOp) keepTop() {
	all, order := s.sortAll()
	order = order[:min(len(order), s.limit)]
	b := &Batch{Cols: kernel.TakeCols(all.Cols, order), N: len(order)}
	s.batches, s.rows = []*Batch{b}, b.N
	s.mem.set(batchBytes(b))
}

// writeRun sorts the rows held to disk.
func (s *sortOp) writeRun() error {
	all, order := s.sortAll()
	if len(order) == 0 {
		return nil
	}
	if s.limit > 0 {
		order = order[:min(len(order), s.limit)]
	}
	f, err := newSpillFile(s.w.q, s.id, s.allTypes())
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	size := min(s.w.q.env.BatchSize, max(1, rowsWithin(16*s.w.q.env.BatchSize, all)/16)) // a merge holds a batch of every run
	for at := 0; at < len(order); at += size {
		end := min(at+size, len(order))
		if err := f.write(&Batch{Cols: kernel.TakeCols(all.Cols, order[at:end]), N: end - at}); err != nil {
			return err
		}
	}
	s.batches, s.rows = nil, 0
	s.mem.free()
	return nil
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
