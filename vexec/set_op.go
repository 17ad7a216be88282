package vexec

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// setOp is INTERSECT and EXCEPT: the left rows are kept by value with counts of
// both sides. Output order: first appearance on the left while everything fits
// in the budget. When the table exceeds it, it takes no more values: rows of
// other values, of both sides, go to partitions on disk by their hash, which are
// computed one after the other later.
type setOp struct {
	w           *worker
	id          uint32
	op          planpb.SetOp_Op
	ts          []types.T
	left, right operator
	spec        *kernel.KeySpec
	mem         *memory

	started bool
	queue   []*setPart
	cur     *setPart // computed, being delivered
	rows    []int32  // of cur's first kept batch, not yet delivered
}

// setPart is one table of left values with what belongs to other values.
type setPart struct {
	level         int
	left, right   *spillFile // input; nil for the operators' own input
	table         *kernel.Table
	lefts, rights []int64
	kept          []*Batch
	at            int // value number of the first row of kept
	parts         []setPair
}

type setPair struct{ left, right *spillFile }

func (p *setPart) close() {
	p.left.close()
	p.right.close()
	for _, q := range p.parts {
		q.left.close()
		q.right.close()
	}
}

func newSetOp(w *worker, p *planpb.Plan, s *planpb.SetOp) (operator, error) {
	left, err := w.build(s.GetLeft())
	if err != nil {
		return nil, err
	}
	right, err := w.build(s.GetRight())
	if err != nil {
		return nil, err
	}
	ts := outputTypes(p)
	return &setOp{w: w, id: p.GetId(), op: s.GetOp(), ts: ts, left: left, right: right, spec: kernel.NewKeySpec(ts), mem: w.memory(p, "SetOp")}, nil
}

func (s *setOp) reset() {
	for _, p := range s.queue {
		p.close()
	}
	if s.cur != nil {
		s.cur.close()
	}
	s.started, s.queue, s.cur, s.rows = false, nil, nil, nil
	s.mem.free()
}

func (s *setOp) open(ctx context.Context) error {
	s.reset()
	return s.left.open(ctx)
}

func (s *setOp) close() {
	s.reset()
	s.left.close()
	s.right.close()
}

func (s *setOp) next(ctx context.Context) (*Batch, error) {
	if !s.started {
		s.started = true
		s.queue = []*setPart{{}}
	}
	for {
		if p := s.cur; p != nil {
			if len(s.rows) == 0 && len(p.kept) > 0 {
				s.choose(p)
			}
			if len(s.rows) > 0 {
				k := min(len(s.rows), s.w.q.env.BatchSize)
				b := &Batch{Cols: kernel.TakeCols(p.kept[0].Cols, s.rows[:k]), N: k}
				if s.rows = s.rows[k:]; len(s.rows) == 0 {
					p.kept = p.kept[1:]
				}
				return b, nil
			}
			if len(p.kept) > 0 {
				p.kept = p.kept[1:]
				continue
			}
			s.cur = nil
			s.mem.free()
		}
		if len(s.queue) == 0 {
			return nil, ctx.Err()
		}
		p := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		s.cur = p
		if err := s.compute(ctx, p); err != nil {
			return nil, err
		}
	}
}

// choose lists the rows of p's first kept batch as often as they are in the result.
func (s *setOp) choose(p *setPart) {
	s.rows = s.rows[:0]
	for i := range p.kept[0].N {
		l, r := p.lefts[p.at], p.rights[p.at]
		p.at++
		n := int64(0)
		switch s.op {
		case planpb.SetOp_INTERSECT:
			n = min(l, r, 1)
		case planpb.SetOp_INTERSECT_ALL:
			n = min(l, r)
		case planpb.SetOp_EXCEPT:
			n = max(min(l, 1)-r, 0)
		case planpb.SetOp_EXCEPT_ALL:
			n = max(l-r, 0)
		}
		for range n {
			s.rows = append(s.rows, int32(i))
		}
	}
}

// eachBatch calls fn with every batch of a file, or of the operator when it is nil.
func eachBatch(ctx context.Context, f *spillFile, op operator, fn func(b *Batch) error) error {
	for i := 0; ; i++ {
		var b *Batch
		var err error
		if f == nil {
			b, err = op.next(ctx)
		} else if err = ctx.Err(); err == nil && i < f.len() {
			b, err = f.read(i)
		}
		if err != nil || b == nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
	}
}

// compute fills p's table and queues what did not fit.
func (s *setOp) compute(ctx context.Context, p *setPart) error {
	p.table = kernel.NewTable(s.spec, 64)
	env := s.w.frame.Ctx.Env
	var enc kernel.Keys
	var num []int32
	var held int64
	number := func(b *Batch) []int32 {
		s.spec.Encode(env, &enc, b.Cols, b.N)
		if cap(num) < b.N {
			num = make([]int32, b.N)
		}
		return num[:b.N]
	}
	own := p.left == nil
	err := eachBatch(ctx, p.left, s.left, func(b *Batch) error {
		b = dense(b)
		num := number(b)
		if p.parts != nil {
			p.table.Find(&enc, nil, num)
			return s.divert(p, b, &enc, num, p.lefts, func(q *setPair) **spillFile { return &q.left })
		}
		fresh := p.table.Insert(&enc, nil, num, nil)
		p.lefts = grow(p.lefts, p.table.Len())
		for _, k := range num {
			p.lefts[k]++
		}
		if len(fresh) > 0 {
			kb := &Batch{Cols: kernel.TakeCols(b.Cols, fresh), N: len(fresh)}
			p.kept = append(p.kept, kb)
			held += batchBytes(kb) + 16*int64(kb.N)
		}
		s.mem.set(held + p.table.Size())
		if s.mem.over() {
			if p.level >= aggLevelsMax || p.table.Len() < 256 {
				return s.mem.must()
			}
			p.parts = make([]setPair, 1<<aggFanoutBits)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.rights = grow(p.rights, p.table.Len())
	if own {
		s.left.close()
		if err := s.right.open(ctx); err != nil {
			return err
		}
	}
	if own || p.right != nil {
		err := eachBatch(ctx, p.right, s.right, func(b *Batch) error {
			b = dense(b)
			num := number(b)
			p.table.Find(&enc, nil, num)
			return s.divert(p, b, &enc, num, p.rights, func(q *setPair) **spillFile { return &q.right })
		})
		if err != nil {
			return err
		}
	}
	if own {
		s.right.close()
	}
	p.left.close()
	p.right.close()
	for _, q := range p.parts {
		if q.left != nil {
			s.queue = append(s.queue, &setPart{level: p.level + 1, left: q.left, right: q.right})
		}
	}
	p.parts = nil
	return nil
}

// divert counts the rows whose value is in the table; those of others go to the
// partitions, if there are any. A right row without a left partition is of no use.
func (s *setOp) divert(p *setPart, b *Batch, enc *kernel.Keys, num []int32, counts []int64, side func(*setPair) **spillFile) error {
	shift := 60 - p.level*aggFanoutBits
	var out [1 << aggFanoutBits][]int32
	for i, k := range num {
		switch {
		case k >= 0:
			counts[k]++
		case p.parts != nil:
			h := enc.Hash[i] >> shift & (1<<aggFanoutBits - 1)
			out[h] = append(out[h], int32(i))
		}
	}
	for h, rows := range out {
		if len(rows) == 0 {
			continue
		}
		q := &p.parts[h]
		f := side(q)
		if f == &q.right && q.left == nil {
			continue
		}
		if *f == nil {
			made, err := newSpillFile(s.w.q, s.id, s.ts)
			if err != nil {
				return err
			}
			*f = made
		}
		if err := (*f).gather(narrowed(b, rows)); err != nil {
			return err
		}
	}
	return nil
}
