package vexec

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// remover is an accumulator that can take rows out again (moving frames). ok
// false: not these; start over.
type remover interface {
	remove(args []arrow.Array, n int) (ok bool, err error)
}

// frameAggregate computes an aggregate over one frame after the other. A frame
// that only grows is added to; one that moves has rows taken out where the
// aggregate can; otherwise each distinct frame is computed afresh.
type frameAggregate struct {
	c *windowCall
	w *worker
	// each hands on the arguments of a span's rows that pass the filter, in order, until f returns false.
	each  func(s span, f func(args []arrow.Array, n int) (bool, error)) error
	acc   accumulator
	spans []span // of the frame in acc
	have  bool   // acc and value are of spans
	value types.Datum
	zero  []int32
}

// fresh forgets the frame: the next row is of another partition.
func (a *frameAggregate) fresh() { a.have = false }

func (a *frameAggregate) add(s span) error {
	if s.hi <= s.lo {
		return nil
	}
	return a.each(s, func(args []arrow.Array, n int) (bool, error) {
		if len(a.zero) < n {
			a.zero = make([]int32, n)
		}
		return true, a.acc.add(a.zero[:n], args)
	})
}

// remove takes the rows of s out; ok false: acc must be started over.
func (a *frameAggregate) remove(s span) (ok bool, err error) {
	rm, ok := a.acc.(remover)
	if !ok {
		return false, nil
	}
	err = a.each(s, func(args []arrow.Array, n int) (bool, error) {
		var err error
		ok, err = rm.remove(args, n)
		return ok, err
	})
	return ok, err
}

// at gives the value over a frame's spans.
func (a *frameAggregate) at(spans []span) (types.Datum, error) {
	if a.have && slices.Equal(spans, a.spans) {
		return a.value, nil
	}
	fresh := true
	if a.have && len(spans) == 1 && len(a.spans) == 1 && spans[0].lo >= a.spans[0].lo && spans[0].hi >= a.spans[0].hi {
		old := a.spans[0]
		ok := true
		if spans[0].lo > old.lo {
			ok = spans[0].lo <= old.hi
			if ok {
				var err error
				if ok, err = a.remove(span{old.lo, spans[0].lo}); err != nil {
					return nil, err
				}
			}
		}
		if fresh = !ok; ok {
			if err := a.add(span{old.hi, spans[0].hi}); err != nil {
				return nil, err
			}
		}
	}
	if fresh {
		a.acc = a.c.agg.newAccumulator(a.w)
		if sum, ok := a.acc.(*sumIntAcc); ok {
			a.acc = &movingSumInt{sumIntAcc: sum}
		}
		a.acc.resize(1)
		for _, s := range spans {
			if err := a.add(s); err != nil {
				return nil, err
			}
		}
	}
	v, err := a.acc.result(0, 1)
	if err != nil {
		return nil, err
	}
	a.value = types.Get(a.c.result, v, 0)
	a.spans, a.have = append(a.spans[:0], spans...), true
	return a.value, nil
}

// aggregate computes an aggregate over each row's frame.
func (c *windowCall) aggregate(w *worker, r *windowRows, f *frames) (arrow.Array, error) {
	n := r.b.N
	before, args, err := c.aggArgs(w, r.b)
	if err != nil {
		return nil, err
	}
	if v, err := c.running(w, r, f, before, args); v != nil || err != nil {
		return v, err
	}
	if v, err := c.sharedFrames(w, r, f, before, args); v != nil || err != nil {
		return v, err
	}
	meter := expr.NewMeter(w.frame.Ctx, n)
	agg := &frameAggregate{c: c, w: w, each: func(s span, f func([]arrow.Array, int) (bool, error)) error {
		lo, hi := int(before[s.lo]), int(before[s.hi])
		if hi <= lo {
			return nil
		}
		cut := make([]arrow.Array, len(args))
		for k, a := range args {
			cut[k] = kernel.Slice(a, lo, hi)
		}
		_, err := f(cut, hi-lo)
		return err
	}}
	out := types.NewBuilder(c.result, n)
	var buf [3]span
	for i := range n {
		if int32(i) == r.partStart[i] {
			agg.fresh()
		}
		value, err := agg.at(f.spans(i, buf[:0]))
		if err != nil {
			return nil, err
		}
		if err := meter.Add(int(datumBytes(value))); err != nil {
			return nil, err
		}
		out.Append(value)
	}
	return out.Finish(), nil
}

// aggArgs gives the arguments of the rows of b that pass the call's filter, and
// how many of those lie before each row.
func (c *windowCall) aggArgs(w *worker, b *Batch) (before []int32, args []arrow.Array, err error) {
	n := b.N
	in := input(b)
	before = make([]int32, n+1)
	for i := range before {
		before[i] = int32(i)
	}
	if c.agg.filter != nil {
		keep, err := c.agg.filter.Filter(w.frame, in)
		if err != nil {
			return nil, nil, err
		}
		if keep != nil {
			k := 0
			for i := range n {
				before[i] = int32(k)
				if k < len(keep) && keep[k] == int32(i) {
					k++
				}
			}
			before[n] = int32(k)
			in = in.Subset(keep)
		}
	}
	args, err = evalAll(w.frame, c.agg.args, in)
	return before, args, err
}

func (c *countAcc) remove(args []arrow.Array, n int) (bool, error) {
	if !c.star {
		n -= args[0].NullN()
	}
	c.n[0] -= int64(n)
	return true, nil
}

// movingSumInt is a sumIntAcc of one group that knows when its frame has no value left.
type movingSumInt struct {
	*sumIntAcc
	n int
}

func (s *movingSumInt) add(groups []int32, args []arrow.Array) error {
	s.n += len(groups) - args[0].NullN()
	return s.sumIntAcc.add(groups, args)
}

func (s *movingSumInt) remove(args []arrow.Array, n int) (bool, error) {
	gone := &sumIntAcc{}
	gone.resize(1)
	if err := gone.add(make([]int32, n), args); err != nil {
		return false, err
	}
	s.n -= n - args[0].NullN()
	s.seen[0] = s.n > 0
	x := s.sum[0] - gone.sum[0]
	if (s.sum[0]^gone.sum[0])&(s.sum[0]^x) < 0 {
		return false, nil
	}
	s.sum[0] = x
	return true, nil
}

func (s *sumNumericAcc) remove(args []arrow.Array, n int) (bool, error) {
	a := args[0]
	if d, ok := a.(*types.Dec64Array); s.slow != nil || a.DataType().ID() == arrow.BINARY || ok && d.Scale() != s.scale && a.NullN() < n {
		return false, nil
	}
	neg := &sumNumericAcc{scale: s.scale, scaled: s.scaled}
	neg.resize(1)
	if err := neg.add(make([]int32, n), args); err != nil {
		return false, err
	}
	x := neg.fast[0]
	// subtract: two's complement
	x.lo, x.hi = ^x.lo, ^x.hi
	s.fast[0].addWide(x)
	s.fast[0].addWide(int128{0, 1})
	s.n[0] -= neg.n[0]
	return true, nil
}

func (g *generalAcc) remove(args []arrow.Array, n int) (bool, error) {
	rm, ok := g.states[0].(expr.WindowRemover)
	if !ok {
		return false, nil
	}
rows:
	for i := range n {
		row := make([]types.Datum, len(args))
		for k, a := range args {
			row[k] = types.Get(g.c.argTs[k], a, i)
			if row[k] == nil && g.c.agg.SkipNulls {
				continue rows
			}
		}
		if err := rm.Remove(row); err != nil {
			return false, err
		}
	}
	return true, nil
}
