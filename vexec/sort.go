package vexec

import (
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
	bound   []arrow.Array // top-N: keys of a row that limit rows held are not behind; nil: none yet
	runs    *sortRuns
	sorted  bool
	out     *Batch
	order   []int32
	at      int
	merge   *runMerge
	given   int
}

func newSort(w *worker, p *planpb.Plan, s *planpb.Sort) (operator, error) {
	limit := int(s.GetLimit())
	// A top-N copies the rows it keeps; where they may be whole batches, it keeps those instead.
	in, err := w.buildWith(s.GetInput(), false, nil, limit > 0 && limit <= topCopiedMax)
	if err != nil {
		return nil, err
	}
	op := &sortOp{w: w, id: p.GetId(), in: in, ts: outputTypes(s.GetInput()), limit: limit, mem: w.memory(p, "Sort")}
	op.keys, err = newSortKeys(w, s.GetKeys())
	return op, err
}

func (s *sortOp) open(ctx context.Context) error {
	s.reset()
	return s.in.open(ctx)
}

func (s *sortOp) reset() {
	s.batches, s.rows, s.bound, s.sorted, s.out, s.order, s.at, s.merge, s.given = nil, 0, nil, false, nil, nil, 0, nil, 0
	s.runs.close()
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
	for {
		b, err := s.in.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if s.limit == 0 {
			b = dense(b)
		}
		keys, err := s.keys.eval(s.w.frame, b)
		if err != nil {
			return err
		}
		if s.limit > 0 {
			s.addTop(b, keys)
		} else {
			s.add(&Batch{Cols: append(append([]arrow.Array{}, b.Cols...), keys...), N: b.N})
		}
		if s.mem.over() {
			if err := s.writeRun(ctx); err != nil {
				return err
			}
		}
	}
	s.in.close()
	method := "quicksort"
	if s.limit > 0 {
		method = "top-N heapsort"
	}
	if s.runs != nil {
		method = "external merge"
		if err := s.writeRun(ctx); err != nil {
			return err
		}
		m, err := s.runs.merge()
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

// add holds a batch of columns and keys.
func (s *sortOp) add(b *Batch) {
	s.batches = append(s.batches, b)
	s.rows += b.N
	s.mem.add(batchBytes(b) + sortRowBytes*int64(b.N))
}

// sortAll joins the batches held and orders them.
func (s *sortOp) sortAll() (*Batch, []int32) {
	if len(s.batches) == 0 {
		return nil, nil
	}
	all := s.w.concat(s.allTypes(), s.batches)
	s.batches = []*Batch{all}
	return all, sortedRows(s.w, s.keys.specs, all.Cols[len(s.ts):], all.N)
}

// writeRun sorts the rows held to disk.
func (s *sortOp) writeRun(ctx context.Context) error {
	all, order := s.sortAll()
	if len(order) == 0 {
		return nil
	}
	if s.limit > 0 {
		order = order[:min(len(order), s.limit)]
	}
	if s.runs == nil {
		s.runs = &sortRuns{w: s.w, id: s.id, ts: s.allTypes(), specs: s.keys.specs, limit: s.limit}
	}
	if err := s.runs.add(ctx, all, order); err != nil {
		return err
	}
	s.batches, s.rows = nil, 0
	s.mem.free()
	return nil
}
