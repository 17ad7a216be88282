package columns

import (
	"bytes"
	"context"
	"time"
)

// A survey counts what waits in a space, span by span; from it follows what is merged next.

// survey is what a space consisted of.
type survey struct {
	at    time.Time
	st    []*span // spans at that time
	delta []int   // live versions per span, and the gap before it
	loose []int   // rows of loose segments per span, about
	gap   []bool  // there are some in the gap before the span
	tail  int     // live versions behind the last span
	// tailLoose counts rows of loose segments there.
	tailLoose int
	rows      int // all rows, about
	dead      int
	promote   bool
}

// survey counts what a space consists of.
func (m *merger) survey(ctx context.Context, sp Space, pace func(context.Context, time.Duration) error) (*survey, error) {
	s := m.s
	m.setStatus("surveying", sp, 0)
	defer m.setStatus("idle", sp, 0)
	v := &survey{at: time.Now()}
	lower, upper := sp[:], spaceEnd(sp)
	vs, err := s.eng.NewVersionsIn(lower, upper)
	if err != nil {
		return nil, err
	}
	defer vs.Close()
	st := &state{}
	if p := s.PinSpace(sp); p != nil {
		defer p.Release()
		st = p.st
	}
	v.st = st.spans
	v.delta, v.loose, v.gap = make([]int, len(st.spans)), make([]int, len(st.spans)), make([]bool, len(st.spans))
	for _, x := range st.spans {
		if x.seg != nil {
			v.rows += int(x.seg.rows)
		}
	}
	for _, g := range st.loose {
		if err := v.countLoose(ctx, g); err != nil {
			return nil, err
		}
	}
	at := len(st.spans)
	n := 0
	start := time.Now()
	for ok := vs.SeekKey(lower); ok; ok = vs.NextKey() {
		if n++; n%paceRows == 0 {
			if err := pace(ctx, time.Since(start)); err != nil {
				return nil, err
			}
			start = time.Now()
		}
		loc := vs.Key()[len(sp):]
		if at == len(st.spans) || !st.spans[at].holds(loc) {
			at = st.spanFrom(loc)
		}
		switch {
		case at == len(st.spans):
			v.tail++
			if !vs.Deleted() {
				v.rows++
			}
		case bytes.Compare(loc, st.spans[at].lower) < 0:
			v.delta[at]++
			v.gap[at] = true
			if !vs.Deleted() {
				v.rows++
			}
		case vs.Timestamp() <= st.spans[at].floor:
			v.dead++
		default:
			v.delta[at]++
		}
	}
	if err := vs.Err(); err != nil {
		return nil, err
	}
	return v, nil
}

// countLoose adds the rows of a loose segment to the spans that they lie in, where they are not dead.
func (v *survey) countLoose(ctx context.Context, g *Segment) error {
	f, err := g.open()
	if err != nil {
		return err
	}
	row := 0
	for i := (&state{spans: v.st}).spanFrom(g.first); i < len(v.st) && row < f.Rows(); i++ {
		sp := v.st[i]
		lo, err := f.SeekRow(ctx, sp.lower)
		if err != nil {
			return g.wrap(err)
		}
		if lo > row {
			v.loose[i] += lo - row
			v.rows += lo - row
			v.gap[i], row = true, lo
		}
		hi, err := f.SeekRow(ctx, sp.upper)
		if err != nil {
			return g.wrap(err)
		}
		if g.ts > sp.floor {
			v.loose[i] += hi - row
			v.rows += hi - row
		}
		row = hi
	}
	v.tailLoose += f.Rows() - row
	v.rows += f.Rows() - row
	return nil
}

// lower is where a merge from span i on begins: with the gap before it, if there is anything.
func (v *survey) lower(i int) []byte {
	switch {
	case !v.gap[i]:
		return v.st[i].lower
	case i == 0:
		return []byte{}
	}
	return v.st[i-1].upper
}

// rowsOf is how many rows the segment of span i has.
func (v *survey) rowsOf(i int) int {
	if v.st[i].seg == nil {
		return 0
	}
	return int(v.st[i].seg.rows)
}

func (m *merger) surveyed(w *watched, v *survey) {
	m.mu.Lock()
	w.survey, w.written = v, 0
	m.mu.Unlock()
}

// units lists the merges that are due by a survey.
func (m *merger) units(sp Space, v *survey, quiet bool) []*merge {
	var out []*merge
	rows := v.rowsOf
	const small = fileRowsMax / 4
	isDue := func(i int) bool {
		delta, loose, all := float64(v.delta[i]), float64(v.loose[i]), float64(max(rows(i), 1))
		if quiet {
			return delta+loose > 0 && (delta+loose)/all >= quietShare
		}
		return time.Since(v.st[i].created) >= spanRest && (delta/all >= deltaShareMax || loose/all >= looseShareMax)
	}
	for i := 0; i < len(v.st); {
		if !isDue(i) {
			i++
			continue
		}
		changed := v.delta[i] + v.loose[i]
		from, to, total := i, i+1, rows(i)+changed
		// Take small neighbours in, and neighbours that are due as well.
		for from > 0 && len(out) == 0 && rows(from-1) < small && total+rows(from-1) <= fileRowsMax {
			from--
			total += rows(from) + v.delta[from]
		}
		for to < len(v.st) && (rows(to) < small && total+rows(to) <= fileRowsMax || total < unitRowsMax && isDue(to)) {
			total += rows(to) + v.delta[to]
			to++
		}
		out = append(out, &merge{space: sp, lower: v.lower(from), upper: v.st[to-1].upper})
		i = to
	}
	tail := v.tail + v.tailLoose
	overlap := quiet && v.tailLoose >= m.s.opts.RowsMin // of loose segments that could not be promoted
	if v.tail >= fileRowsMax || overlap || quiet && v.tail > 0 && tail >= min(m.s.opts.RowsMin, 16<<10) || quiet && v.tail > 0 && len(v.st) > 0 && tail >= 1024 {
		lower := []byte{}
		if n := len(v.st); n > 0 {
			lower = v.st[n-1].upper
			// A small last span grows rather than that many follow it.
			if rows(n-1) < small && (len(out) == 0 || !bytes.Equal(out[len(out)-1].upper, lower)) {
				lower = v.st[n-1].lower
			}
		}
		out = append(out, &merge{space: sp, lower: lower, rowsMax: tailRowsMax})
	}
	return out
}

// dirty lists merges of all that is not in segments.
func (m *merger) dirty(sp Space, v *survey) []*merge {
	var out []*merge
	for i := 0; i < len(v.st); i++ {
		if v.delta[i]+v.loose[i] == 0 {
			continue
		}
		j, total := i, 0
		for ; j < len(v.st) && v.delta[j]+v.loose[j] > 0 && (j == i || total < unitRowsMax); j++ {
			total += v.rowsOf(j) + v.delta[j] + v.loose[j]
		}
		out = append(out, &merge{space: sp, lower: v.lower(i), upper: v.st[j-1].upper})
		i = j - 1
	}
	if v.tail > 0 || v.tailLoose > 0 && m.overlapping(sp) {
		lower := []byte{}
		if n := len(v.st); n > 0 {
			lower = v.st[n-1].upper
			if g := v.st[n-1].seg; (g == nil || g.rows < fileRowsMax/4) && (len(out) == 0 || !bytes.Equal(out[len(out)-1].upper, lower)) {
				lower = v.st[n-1].lower
			}
		}
		out = append(out, &merge{space: sp, lower: lower, rowsMax: tailRowsMax})
	}
	return out
}

// spans is the number of spans of a space now.
func (m *merger) spans(sp Space) int {
	p := m.s.PinSpace(sp)
	if p == nil {
		return 0
	}
	defer p.Release()
	return len(p.st.spans)
}

// overlapping reports whether a space has loose segments that were not promoted.
func (m *merger) overlapping(sp Space) bool {
	p := m.s.PinSpace(sp)
	if p == nil {
		return false
	}
	defer p.Release()
	return len(p.st.loose) > 0
}
