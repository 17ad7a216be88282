package vexec

import (
	"context"

	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// setOp is INTERSECT and EXCEPT: the left rows are kept by value with counts of
// both sides. Output order: first appearance on the left.
type setOp struct {
	w           *worker
	op          planpb.SetOp_Op
	left, right operator
	spec        *kernel.KeySpec
	mem         *memory

	done bool
	out  []*Batch
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
	return &setOp{w: w, op: s.GetOp(), left: left, right: right, spec: kernel.NewKeySpec(outputTypes(p)), mem: w.memory(p, "SetOp")}, nil
}

func (s *setOp) open(ctx context.Context) error {
	s.done, s.out = false, nil
	s.mem.free()
	return s.left.open(ctx)
}

func (s *setOp) close() {
	s.mem.free()
	s.left.close()
	s.right.close()
}

func (s *setOp) next(ctx context.Context) (*Batch, error) {
	if !s.done {
		s.done = true
		if err := s.run(ctx); err != nil {
			return nil, err
		}
	}
	if len(s.out) == 0 {
		return nil, nil
	}
	b := s.out[0]
	s.out = s.out[1:]
	return b, nil
}

func (s *setOp) run(ctx context.Context) error {
	table := kernel.NewTable(s.spec, 64)
	var lefts, rights []int64
	var kept []*Batch
	var enc kernel.Keys
	env := s.w.frame.Ctx.Env
	for {
		b, err := s.left.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		b = dense(b)
		s.spec.Encode(env, &enc, b.Cols, b.N)
		num := make([]int32, b.N)
		fresh := table.Insert(&enc, nil, num, nil)
		lefts = grow(lefts, table.Len())
		for _, k := range num {
			lefts[k]++
		}
		if len(fresh) > 0 {
			kb := &Batch{Cols: kernel.TakeCols(b.Cols, fresh), N: len(fresh)}
			kept = append(kept, kb)
			s.mem.add(batchBytes(kb))
			if err := s.mem.must(); err != nil {
				return err
			}
		}
	}
	s.left.close()
	rights = grow(rights, table.Len())
	if err := s.right.open(ctx); err != nil {
		return err
	}
	for {
		b, err := s.right.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		b = dense(b)
		s.spec.Encode(env, &enc, b.Cols, b.N)
		num := make([]int32, b.N)
		table.Find(&enc, nil, num)
		for _, k := range num {
			if k >= 0 {
				rights[k]++
			}
		}
	}
	s.right.close()
	at := 0
	for _, b := range kept {
		var rows []int32
		for i := range b.N {
			l, r := lefts[at], rights[at]
			at++
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
				rows = append(rows, int32(i))
			}
		}
		for len(rows) > 0 {
			k := min(len(rows), s.w.q.env.BatchSize)
			s.out = append(s.out, &Batch{Cols: kernel.TakeCols(b.Cols, rows[:k]), N: k})
			rows = rows[k:]
		}
	}
	return nil
}
