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

// aggregate computes an aggregate over each row's frame. A frame that only grows
// is added to; one that moves has rows taken out where the aggregate can;
// otherwise each distinct frame is computed afresh.
func (c *windowCall) aggregate(w *worker, r *windowRows, f *frames) (arrow.Array, error) {
	n := r.b.N
	before, args, err := c.aggArgs(w, r.b)
	if err != nil {
		return nil, err
	}
	zero := make([]int32, n)
	meter := expr.NewMeter(w.frame.Ctx, n)
	cut := func(s span) ([]arrow.Array, int) {
		lo, hi := int(before[s.lo]), int(before[s.hi])
		out := make([]arrow.Array, len(args))
		if hi > lo {
			for k, a := range args {
				out[k] = kernel.Slice(a, lo, hi)
			}
		}
		return out, hi - lo
	}
	var acc accumulator
	add := func(s span) error {
		if s.hi <= s.lo {
			return nil
		}
		a, k := cut(s)
		if k == 0 {
			return nil
		}
		return acc.add(zero[:k], a)
	}
	out := types.NewBuilder(c.result, n)
	var value types.Datum
	var cur, next [3]span
	curSpans := cur[:0]
	have := false
	for i := range n {
		spans := f.spans(i, next[:0])
		if int32(i) == r.partStart[i] {
			have = false
		}
		if have && slices.Equal(spans, curSpans) {
			if err := meter.Add(int(datumBytes(value))); err != nil {
				return nil, err
			}
			out.Append(value)
			continue
		}
		fresh := true
		if have && len(spans) == 1 && len(curSpans) == 1 && spans[0].lo >= curSpans[0].lo && spans[0].hi >= curSpans[0].hi {
			old := curSpans[0]
			fresh = false
			if spans[0].lo > old.lo {
				rm, ok := acc.(remover)
				if ok && spans[0].lo <= old.hi {
					if a, k := cut(span{old.lo, spans[0].lo}); k > 0 {
						var err error
						if ok, err = rm.remove(a, k); err != nil {
							return nil, err
						}
					}
				} else {
					ok = false
				}
				fresh = !ok
			}
			if !fresh {
				if err := add(span{old.hi, spans[0].hi}); err != nil {
					return nil, err
				}
			}
		}
		if fresh {
			acc = c.agg.newAccumulator(w)
			acc.resize(1)
			for _, s := range spans {
				if err := add(s); err != nil {
					return nil, err
				}
			}
		}
		v, err := acc.result(0, 1)
		if err != nil {
			return nil, err
		}
		value = types.Get(c.result, v, 0)
		if err := meter.Add(int(datumBytes(value))); err != nil {
			return nil, err
		}
		out.Append(value)
		curSpans = append(cur[:0], spans...)
		have = true
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
