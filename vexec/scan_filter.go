package vexec

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// scanFilter decides on the rows of one scan: by the scan's own predicate, and by
// what hash joins above it know of their build sides (join_filter.go). What is
// cheapest for the rows it removes goes first; a join's filter that removes hardly
// anything is left out. It implements ScanFilter and belongs to one worker.
type scanFilter struct {
	w       *worker
	id      uint32
	pred    *expr.Expr // nil: none
	columns []int32    // the scan's
	probes  []*scanProbe

	order []scanStage
	calls int
	used  []int
	mem   kernel.Arena // of the last Select
}

// scanStage is one condition: the predicate (probe nil) or a join's filter.
type scanStage struct {
	probe   *scanProbe
	in, out int64
	took    time.Duration
}

// scanProbe is one join key's filter on one column of one scan, in one worker.
type scanProbe struct {
	join   *planpb.Plan // with key, what it is of
	key    int
	column int
	// keys is set once the join's build side is complete; nil: nothing is known.
	keys *keyFilter
}

func newScanFilter(w *worker, p *planpb.Plan, pred *expr.Expr, columns []int32) *scanFilter {
	return &scanFilter{w: w, id: p.GetId(), pred: pred, columns: columns, probes: w.probed[p]}
}

// start takes what the joins know by now.
func (s *scanFilter) start() {
	old := s.order
	s.order, s.used = nil, nil
	find := func(p *scanProbe) scanStage {
		for _, o := range old { // the part before has taught something
			if o.probe == p {
				return o
			}
		}
		return scanStage{probe: p}
	}
	if s.pred != nil {
		s.order = append(s.order, find(nil))
		s.used = append(s.used, s.pred.Columns()...)
	}
	for _, p := range s.probes {
		if p.keys == nil {
			continue
		}
		st := find(p)
		if useless(st) {
			continue
		}
		s.order = append(s.order, st)
		s.used = append(s.used, p.column)
	}
	slices.Sort(s.used)
	s.used = slices.Compact(s.used)
	s.reorder()
}

// nothing: some join's build side is empty, so no row is wanted.
func (s *scanFilter) nothing() bool {
	return slices.ContainsFunc(s.probes, func(p *scanProbe) bool { return p.keys != nil && p.keys.empty })
}

func (s *scanFilter) any() bool { return len(s.order) > 0 }

// ranges are conditions on single columns that follow.
func (s *scanFilter) ranges() []ColumnRange {
	var out []ColumnRange
	if s.pred != nil {
		for _, r := range s.pred.Ranges(s.w.frame) {
			if o := s.columns[r.Column]; o >= 0 {
				out = append(out, ColumnRange{Ordinal: int(o), Lower: r.Lower, Upper: r.Upper, In: r.In})
			}
		}
	}
	for _, st := range s.order {
		if st.probe == nil || s.columns[st.probe.column] < 0 {
			continue
		}
		lower, upper := st.probe.keys.bounds()
		out = append(out, ColumnRange{Ordinal: int(s.columns[st.probe.column]), Lower: lower, Upper: upper})
	}
	return out
}

// Columns implements ScanFilter.
func (s *scanFilter) Columns() []int { return s.used }

// Select implements ScanFilter.
func (s *scanFilter) Select(_ context.Context, b *Batch) ([]int32, error) {
	s.mem.Reset()
	in := input(b).In(&s.mem)
	var sel []int32 // positions among b's rows; nil: all
	removed, joined := 0, 0
	for i := range s.order {
		st := &s.order[i]
		start, n := time.Now(), in.N
		var keep []int32 // positions among in's rows; nil: all
		if st.probe == nil {
			var err error
			if keep, err = s.pred.Filter(s.w.frame, in); err != nil {
				return nil, err
			}
		} else {
			vec, rows := in.Source(st.probe.column)
			keep = st.probe.keys.filter(&s.mem, vec, rows)
		}
		kept := n
		if keep != nil {
			kept = len(keep)
		}
		st.in, st.out, st.took = st.in+int64(n), st.out+int64(kept), st.took+time.Since(start)
		if kept == n {
			continue
		}
		if st.probe == nil {
			removed += n - kept
		} else {
			joined += n - kept
		}
		if kept > 0 && i < len(s.order)-1 {
			in = in.Subset(keep)
		}
		if sel != nil {
			keep = pickIn(&s.mem, sel, keep)
		}
		if sel = keep; kept == 0 {
			break
		}
	}
	if s.calls++; s.calls == 2 || s.calls%64 == 0 {
		s.reorder()
	}
	if sel == nil {
		return nil, nil
	}
	s.w.q.env.Stats.update(s.id, func(o *OpStats) {
		o.RowsRemoved += int64(removed)
		o.JoinRemoved += int64(joined)
	})
	if b.Sel != nil {
		sel = pickIn(&s.mem, b.Sel, sel)
	}
	return sel, nil
}

// useless: so few rows fail a join's filter that it is not worth its time.
func useless(st scanStage) bool {
	return st.probe != nil && st.in > uselessRows && st.out > st.in-st.in/16
}

// uselessRows is how many rows a join's filter is tried on.
const uselessRows = 16 << 10

// reorder puts first what removes a row for the least time.
func (s *scanFilter) reorder() {
	s.order = slices.DeleteFunc(s.order, useless)
	rank := func(st scanStage) float64 {
		if st.in == 0 { // not tried: a join's filter is likely to be cheap
			if st.probe != nil {
				return 0
			}
			return 1
		}
		return float64(st.took) / (float64(st.in-st.out) + 0.001*float64(st.in))
	}
	slices.SortStableFunc(s.order, func(a, b scanStage) int { return cmp.Compare(rank(a), rank(b)) })
}
