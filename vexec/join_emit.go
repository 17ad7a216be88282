package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// leftState follows the rows of one left batch through a join.
type leftState struct {
	spec    *joinSpec
	matched []bool
	unknown []bool        // MARK, NULL_AWARE_ANTI with residual: some pair was NULL
	mem     *kernel.Arena // of the output, nil for fresh memory
}

func newLeftState(spec *joinSpec, n int) *leftState {
	s := &leftState{spec: spec}
	if spec.keepsLeft() || spec.leftOnly() {
		s.matched = make([]bool, n)
	}
	return s
}

// emit turns candidate pairs (left[k], right[k]) of left batch b, left counted among
// its selected rows, into output.
// last says that these are b's last pairs: left rows without a match follow.
// nullMark tells for which of them MARK gives NULL.
func (s *leftState) emit(w *worker, t *joinTable, b *Batch, left, right []int32, last bool, nullMark func(int) bool) (*Batch, error) {
	spec := s.spec
	if spec.residual != nil && len(left) > 0 {
		readLeft, readRight := spec.reads()
		l, r := takeLeft(s.mem, b, left, readLeft), takeNeeded(s.mem, t.rows.Cols, right, readRight)
		in := input(&Batch{Cols: append(append(make([]arrow.Array, 0, len(l)+len(r)), l...), r...), N: len(left)}).In(s.mem)
		if spec.typ == planpb.JoinType_MARK || spec.typ == planpb.JoinType_NULL_AWARE_ANTI {
			v, err := spec.residual.Eval(w.frame, in)
			if err != nil {
				return nil, err
			}
			valid := kernel.Valid(v)
			for i := range left {
				if !valid.Get(i) {
					if s.unknown == nil {
						s.unknown = make([]bool, b.Rows())
					}
					s.unknown[left[i]] = true
				}
			}
		}
		keep, err := spec.residual.Filter(w.frame, in)
		if err != nil {
			return nil, err
		}
		if keep != nil {
			left, right = pick(left, keep), pick(right, keep)
		}
	}
	if t.matched != nil {
		if spec.typ == planpb.JoinType_RIGHT_SEMI || spec.typ == planpb.JoinType_RIGHT_ANTI {
			for _, r := range right {
				t.matched[r] = true
			}
			return nil, nil
		}
		for _, r := range right {
			t.matched[r] = true
		}
	}
	if s.matched != nil {
		for _, l := range left {
			if s.matched[l] && spec.typ == planpb.JoinType_SINGLE {
				return nil, moreThanOneRow()
			}
			s.matched[l] = true
		}
	}
	if spec.leftOnly() {
		if !last {
			return nil, nil
		}
		return s.leftRows(b, nullMark), nil
	}
	if last && spec.keepsLeft() {
		for i, m := range s.matched {
			if !m {
				left, right = append(left, int32(i)), append(right, -1)
			}
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	lcols, rcols := takeLeft(s.mem, b, left, spec.needLeft), takeRight(s.mem, t, right, spec)
	return &Batch{Cols: append(append(make([]arrow.Array, 0, len(lcols)+len(rcols)), lcols...), rcols...), N: len(left)}, nil
}

// takeLeft gathers the rows left (counted among the selected ones) of the columns
// that are asked for; every row once in order is the batch itself.
func takeLeft(m *kernel.Arena, b *Batch, left []int32, need []bool) []arrow.Array {
	rows := left
	if len(left) == b.Rows() && ascending(left) {
		if rows = b.Sel; rows == nil {
			return b.Cols
		}
	} else if b.Sel != nil {
		rows = pickIn(m, b.Sel, left)
	}
	return takeNeeded(m, b.Cols, rows, need)
}

// ascending: rows are 0, 1, 2 ….
func ascending(rows []int32) bool {
	for i, l := range rows {
		if int(l) != i {
			return false
		}
	}
	return true
}

// takeNeeded gathers rows of the columns that are asked for (nil: all), in m's memory.
func takeNeeded(m *kernel.Arena, cols []arrow.Array, rows []int32, need []bool) []arrow.Array {
	out := make([]arrow.Array, len(cols))
	for i, c := range cols {
		if c != nil && (need == nil || need[i]) {
			out[i] = kernel.TakeIn(m, c, rows)
		}
	}
	return out
}

// takeRight gathers right columns; an empty right side gives NULLs.
func takeRight(m *kernel.Arena, t *joinTable, right []int32, spec *joinSpec) []arrow.Array {
	if t.rows.N == 0 {
		out := make([]arrow.Array, len(spec.rightTs))
		for c, ty := range spec.rightTs {
			out[c] = kernel.Nulls(ty, len(right))
		}
		return out
	}
	return takeNeeded(m, t.rows.Cols, right, spec.needRight)
}

// leftRows gives what SEMI, ANTI and MARK say of a batch whose pairs are all seen.
func (s *leftState) leftRows(b *Batch, nullMark func(int) bool) *Batch {
	n := len(s.matched)
	null := func(i int) bool { return s.unknown != nil && s.unknown[i] || nullMark(i) }
	if s.spec.typ == planpb.JoinType_MARK {
		state := make([]byte, n)
		for i, m := range s.matched {
			switch {
			case m:
				state[i] = 1
			case null(i):
				state[i] = 2
			}
		}
		return &Batch{Cols: append(append([]arrow.Array{}, dense(b).Cols...), kernel.BoolsFromStates(state)), N: n}
	}
	keep := make([]int32, 0, n)
	for i, m := range s.matched {
		switch s.spec.typ {
		case planpb.JoinType_SEMI:
		case planpb.JoinType_ANTI:
			m = !m
		default:
			m = !m && !null(i)
		}
		if m {
			keep = append(keep, int32(i))
		}
	}
	if len(keep) == 0 {
		return nil
	}
	return narrowed(b, keep)
}

func pick(rows, keep []int32) []int32 { return pickIn(nil, rows, keep) }

func pickIn(m *kernel.Arena, rows, keep []int32) []int32 {
	out := kernel.MakeIn[int32](m, len(keep))
	for i, k := range keep {
		out[i] = rows[k]
	}
	return out
}

// tailScan delivers right rows by whether they found a match, after all probing.
type tailScan struct {
	spec *joinSpec
	t    *joinTable
	at   int
	size int
}

func (s *tailScan) next() *Batch {
	if s.t == nil || s.t.matched == nil {
		return nil
	}
	want := s.spec.typ == planpb.JoinType_RIGHT_SEMI
	rows := make([]int32, 0, s.size)
	for s.at < len(s.t.matched) && len(rows) < s.size {
		if s.t.matched[s.at] == want {
			rows = append(rows, int32(s.at))
		}
		s.at++
	}
	if len(rows) == 0 {
		return nil
	}
	cols := takeNeeded(nil, s.t.rows.Cols, rows, s.spec.needRight)
	if s.spec.rightOnly() {
		return &Batch{Cols: cols, N: len(rows)}
	}
	out := &Batch{N: len(rows)}
	for c, t := range s.spec.leftTs {
		if s.spec.needLeft != nil && !s.spec.needLeft[c] {
			out.Cols = append(out.Cols, nil)
			continue
		}
		out.Cols = append(out.Cols, kernel.Nulls(t, len(rows)))
	}
	out.Cols = append(out.Cols, cols...)
	return out
}
