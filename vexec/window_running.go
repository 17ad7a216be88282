package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Running totals: frames that begin with the partition and only grow. Every row of the
// window gets a group of its own for what its frame has that the row's before had not;
// then each group takes in the one before it, and all values are made at once.

// foldingAcc is an accumulator whose groups can take in others of their own.
type foldingAcc interface {
	accumulator
	// folds: what it holds can be folded.
	folds() bool
	// fold adds group from, whose rows come before, to group to.
	fold(from, to int32) error
}

// runningBytesMax bounds the groups of running.
const runningBytesMax = 64 << 20

// running computes an aggregate over frames that only grow; nil where they are others, the
// aggregate is none of these, or most rows share their frames with others.
func (c *windowCall) running(w *worker, r *windowRows, f *frames, before []int32, args []arrow.Array) (arrow.Array, error) {
	n := r.b.N
	if f.exclude != planpb.WindowFrame_NO_OTHERS || len(args) == 0 || c.agg.collect || c.agg.distinct || c.agg.final {
		return nil, nil
	}
	acc, ok := c.agg.newAccumulator(w).(foldingAcc)
	if !ok {
		return nil, nil
	}
	home := make([]int32, before[n]) // of each argument row: the first row whose frame has it
	given, grown := 0, 0
	for i := range n {
		first := r.partStart[i]
		from, to := first, f.end[i]
		if int32(i) > first {
			from = f.end[i-1]
		}
		if f.start[i] != first || to < from {
			return nil, nil
		}
		if to > from {
			grown++
		}
		for j := before[from]; j < before[to]; j++ {
			home[j] = int32(i)
			given++
		}
	}
	if given != len(home) || grown < n/2 {
		return nil, nil
	}
	if acc.resize(n); acc.bytes() > runningBytesMax {
		return nil, nil
	}
	meter := expr.NewMeter(w.frame.Ctx, n)
	if err := meter.Add(int(acc.bytes())); err != nil {
		return nil, err
	}
	if err := acc.add(home, args); err != nil || !acc.folds() {
		return nil, err
	}
	for i := range n {
		if int32(i) > r.partStart[i] {
			if err := acc.fold(int32(i-1), int32(i)); err != nil {
				return nil, err
			}
		}
	}
	return acc.result(0, n)
}

func (c *countAcc) folds() bool { return true }

func (c *countAcc) fold(from, to int32) error {
	c.n[to] += c.n[from]
	return nil
}

func (s *sumIntAcc) folds() bool { return true }

func (s *sumIntAcc) fold(from, to int32) error {
	if !s.seen[from] {
		return nil
	}
	return s.addOne(to, s.sum[from])
}

func (s *sumNumericAcc) folds() bool { return s.slow == nil }

func (s *sumNumericAcc) fold(from, to int32) error {
	s.fast[to].addWide(s.fast[from])
	s.n[to] += s.n[from]
	return nil
}

func (s *minMaxAcc[T]) folds() bool { return true }

func (s *minMaxAcc[T]) fold(from, to int32) error {
	if s.seen[from] {
		s.one(to, s.best[from])
	}
	return nil
}

func (s *minMaxAnyAcc) folds() bool { return true }

func (s *minMaxAnyAcc) fold(from, to int32) error {
	old, x := s.best[from], s.best[to]
	if x == nil {
		s.best[to] = old
	} else if old != nil {
		// of equal values the last stays
		if c := types.Compare(s.env, s.t, old, x); s.max && c > 0 || !s.max && c < 0 {
			s.best[to] = old
		}
	}
	return nil
}
