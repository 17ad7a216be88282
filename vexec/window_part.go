package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/kernel"
)

// partitionInput reads the rows of one partition that began in o.held.
type partitionInput struct {
	o     *windowOp
	key   []arrow.Array // the partition's, one row
	ended bool          // the partition has no more input
}

func newPartitionInput(o *windowOp) (*partitionInput, error) {
	s := &partitionInput{o: o}
	if len(o.part) > 0 {
		keys, err := evalAll(o.w.frame, o.part, input(sliced(o.held[0], 0, 1)))
		if err != nil {
			return nil, err
		}
		s.key = kernel.TakeCols(keys, []int32{0})
	}
	return s, nil
}

// next gives the partition's next batch, nil at its end; rows of the next
// partition are left in o.held.
func (s *partitionInput) next(ctx context.Context) (*Batch, error) {
	o := s.o
	if s.ended {
		return nil, nil
	}
	if len(o.held) > 0 { // what was read before the stream began: all of this partition
		b := o.held[0]
		if b.N > o.w.q.env.BatchSize {
			o.held[0] = sliced(b, o.w.q.env.BatchSize, b.N)
			b = sliced(b, 0, o.w.q.env.BatchSize)
		} else {
			o.held = o.held[1:]
		}
		o.rows -= b.N
		return b, nil
	}
	b, err := o.in.next(ctx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		s.ended, o.end = true, true
		o.in.close()
		return nil, nil
	}
	b = dense(b)
	if len(o.part) == 0 {
		return b, nil
	}
	keys, err := evalAll(o.w.frame, o.part, input(b))
	if err != nil {
		return nil, err
	}
	for k := range keys {
		keys[k] = kernel.Concat(o.part[k].Type, []arrow.Array{s.key[k], keys[k]})
	}
	var enc kernel.Keys
	o.spec.Encode(o.w.frame.Ctx.Env, &enc, keys, b.N+1)
	n := 0
	for n < b.N && enc.Equal(0, n+1) {
		n++
	}
	if n == b.N {
		return b, nil
	}
	s.ended = true
	rest := sliced(b, n, b.N)
	o.held, o.rows = []*Batch{rest}, rest.N
	if n == 0 {
		return nil, nil
	}
	return sliced(b, 0, n), nil
}
