package expr

import (
	"slices"
	"time"
)

// conjunctOrder learns in which order the conjuncts of a filter are cheapest: by
// time per row against the share of rows that each removes. Only the leading ones
// that cannot fail change places; what may raise an error stays behind the
// conditions that were written before it.
type conjunctOrder struct {
	order   []int // all conjuncts
	movable int   // the first so many of order are free to move
	stats   []conjunctStats
	batches int
}

type conjunctStats struct {
	in, out int64 // rows
	took    time.Duration
}

const (
	reorderFirst = 2  // batches until the order is looked at first
	reorderEvery = 32 // and then again
)

// newConjunctOrder is nil where there is nothing to choose.
func newConjunctOrder(conj []node) *conjunctOrder {
	o := &conjunctOrder{stats: make([]conjunctStats, len(conj))}
	for i, c := range conj {
		o.order = append(o.order, i)
		if o.movable == i && cannotFail(c) {
			o.movable++
		}
	}
	if o.movable < 2 {
		return nil
	}
	return o
}

// cannotFail: no value of its columns makes the predicate raise an error.
func cannotFail(n node) bool {
	switch c := n.(type) {
	case *codedNode:
		return cannotFail(c.inner)
	case *funcNode:
		if !c.isCmp {
			return false
		}
		return simple(c.args)
	case *nullTestNode:
		return simple([]node{c.arg})
	case *boolNode:
		for _, a := range c.args {
			if !cannotFail(a) {
				return false
			}
		}
		return true
	case *scalarArrayNode:
		return c.eqAny && simple([]node{c.scalar, c.array})
	}
	return false
}

func simple(ns []node) bool {
	for _, n := range ns {
		switch c := n.(type) {
		case *columnNode, *constNode, *localNode:
		case *relabelNode:
			if relabelRebuilds(c.from, c.to) || !simple([]node{c.arg}) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// filter is Expr.Filter.
func (o *conjunctOrder) filter(f *Frame, in *Input, conj []node) ([]int32, error) {
	var sel []int32
	cur := in
	for _, k := range o.order {
		start := time.Now()
		keep, err := trueRows(f, conj[k], cur)
		if err != nil {
			return nil, err
		}
		s := &o.stats[k]
		s.in, s.out, s.took = s.in+int64(cur.N), s.out+int64(len(keep)), s.took+time.Since(start)
		if len(keep) == cur.N {
			continue
		}
		if cur, sel = cur.Subset(keep), in.compose(sel, keep); len(sel) == 0 {
			sel = []int32{}
			break
		}
	}
	if o.batches++; o.batches == reorderFirst || o.batches%reorderEvery == 0 {
		o.reorder()
	}
	return sel, nil
}

// reorder sorts by the cost of removing a row. A conjunct that no row reached stays
// where it is: it is behind one that removes everything.
func (o *conjunctOrder) reorder() {
	rank := func(k int) float64 {
		s := o.stats[k]
		if s.in == 0 {
			return 0
		}
		removed := float64(s.in-s.out) + 0.001*float64(s.in)
		return float64(s.took) / removed
	}
	part := o.order[:o.movable]
	for _, k := range part {
		if o.stats[k].in == 0 {
			return
		}
	}
	slices.SortStableFunc(part, func(a, b int) int {
		x, y := rank(a), rank(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for i := range o.stats { // what is long past counts less
		s := &o.stats[i]
		s.in, s.out, s.took = s.in/2, s.out/2, s.took/2
	}
}
