package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Where groups are few, the rows of a batch are put in order of their groups first, and
// sums add a group's rows up in registers, instead of loading and storing a state for
// each row. And where nearly all rows of a batch are selected, keys and arguments that
// cannot fail are computed for all of them, which spares gathering every column.

// groupRuns are rows by group: those of group k are rows[start[k]:start[k+1]], positions
// in the vectors of the arguments.
type groupRuns struct {
	rows  []int32
	start []int32
}

func (r *groupRuns) of(k int) []int32 { return r.rows[r.start[k]:r.start[k+1]] }

func (r *groupRuns) groups() int { return len(r.start) - 1 }

// runAccumulator is an accumulator that takes rows by group. Order does not matter to it.
type runAccumulator interface {
	accumulator
	addRuns(r *groupRuns, args []arrow.Array) error
}

const (
	runGroupsMax = 64
	runRowsMin   = 256 // of a batch: it is not worth it for fewer
)

// takesRuns: every call's state can take rows by group.
func (g *groupSet) takesRuns() bool {
	if !g.fleeting || len(g.member) == 0 {
		return false
	}
	for i, c := range g.a.calls {
		if _, ok := g.accs[i].(runAccumulator); !ok && g.a.shared[i] < 0 || c.filter != nil {
			return false
		}
	}
	return true
}

// computable: keys and arguments may be computed for rows that do not count.
func (g *groupSet) computable() bool {
	for _, k := range g.member {
		if !g.a.keys[k].CannotFail() {
			return false
		}
	}
	for _, c := range g.a.calls {
		for _, x := range c.args {
			if !x.CannotFail() {
				return false
			}
		}
	}
	return true
}

// addRuns adds a batch by runs; false: it is to be added row by row.
func (g *groupSet) addRuns(b *Batch) (bool, error) {
	f := g.forms
	if !g.runs || f == nil || !f.all || g.parts != nil || b.Rows() < runRowsMin || g.table.Len() > runGroupsMax {
		return false, nil
	}
	g.mem.Reset()
	in, sel, n := input(b), []int32(nil), b.Rows()
	if b.Sel != nil && len(b.Sel) >= b.N-b.N/4 && g.wide {
		in, sel = expr.NewInput(b.Cols, b.N, nil), b.Sel
	}
	in.In(&g.mem)
	keys, err := g.evalKeys(in)
	if err != nil {
		return false, err
	}
	ids := make([][]int32, len(keys))
	for i, c := range keys {
		ids[i] = f.interners[i].IDs(&g.mem, g.a.w.frame.Ctx.Env, c)
	}
	if !f.layout() {
		g.runs = false
		return false, nil
	}
	num := g.numbers[:n]
	g.keep(keys, g.insertDirect(ids, sel, n, num))
	if g.groups() > runGroupsMax {
		g.runs = false // this time still
	}
	r := sortedByGroup(&g.mem, num, sel, g.groups())
	for i, c := range g.a.calls {
		if g.a.shared[i] >= 0 {
			continue
		}
		args, err := evalAll(g.a.w.frame, c.args, in)
		if err == nil {
			err = g.accs[i].(runAccumulator).addRuns(r, args)
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// sortedByGroup puts rows sel (nil: all) in order of their groups.
func sortedByGroup(m *kernel.Arena, groups, sel []int32, n int) *groupRuns {
	r := &groupRuns{rows: kernel.MakeIn[int32](m, len(groups)), start: make([]int32, n+1)}
	count := make([]int32, n)
	for _, g := range groups {
		count[g]++
	}
	at := int32(0)
	for g, c := range count {
		count[g], r.start[g] = at, at
		at += c
	}
	r.start[n] = at
	rows := r.rows
	if sel == nil {
		for i, g := range groups {
			p := count[g]
			rows[p] = int32(i)
			count[g] = p + 1
		}
		return r
	}
	for i, g := range groups {
		p := count[g]
		rows[p] = sel[i]
		count[g] = p + 1
	}
	return r
}

// addRowByRow is addRuns for those who need add.
func addRowByRow(acc accumulator, r *groupRuns, args []arrow.Array) error {
	groups := make([]int32, len(r.rows))
	for k := range r.groups() {
		run := groups[r.start[k]:r.start[k+1]]
		for i := range run {
			run[i] = int32(k)
		}
	}
	return acc.add(groups, kernel.TakeCols(args, r.rows))
}

func (c *countAcc) addRuns(r *groupRuns, args []arrow.Array) error {
	if c.star || args[0].NullN() == 0 {
		for k := range r.groups() {
			c.n[k] += int64(len(r.of(k)))
		}
		return nil
	}
	v := kernel.Valid(args[0])
	for k := range r.groups() {
		for _, i := range r.of(k) {
			if v.Get(int(i)) {
				c.n[k]++
			}
		}
	}
	return nil
}

func (s *sumNumericAcc) addRuns(r *groupRuns, args []arrow.Array) error {
	a := args[0]
	if a.NullN() == 0 && s.slow == nil {
		switch a.DataType().ID() {
		case arrow.INT16:
			sumRuns(s, r, kernel.Values[int16](a))
			return nil
		case arrow.INT32:
			sumRuns(s, r, kernel.Values[int32](a))
			return nil
		case arrow.INT64:
			sumRuns(s, r, kernel.Values[int64](a))
			return nil
		}
		if scale, ok := decimalScale(a); ok && (!s.scaled || s.scale == scale) {
			s.scale, s.scaled = scale, true
			sumRuns(s, r, kernel.Values[int64](a))
			return nil
		}
	}
	return addRowByRow(s, r, args)
}

// sumRuns adds the halves of the values up by themselves: neither sum can overflow
// within a batch, and there is no carry to wait for.
func sumRuns[T int16 | int32 | int64](s *sumNumericAcc, r *groupRuns, x []T) {
	for k := range r.groups() {
		rows := r.of(k)
		var lo, hi int64
		for _, i := range rows {
			v := int64(x[i])
			lo += v & (1<<32 - 1)
			hi += v >> 32
		}
		s.fast[k].addWide(int128{hi >> 32, uint64(hi) << 32})
		s.fast[k].add(lo)
		s.n[k] += int64(len(rows))
	}
}

func (s *sumIntAcc) addRuns(r *groupRuns, args []arrow.Array) error {
	a := args[0]
	if a.NullN() > 0 || a.DataType().ID() != arrow.INT32 {
		return addRowByRow(s, r, args)
	}
	x := kernel.Values[int32](a)
	for k := range r.groups() {
		rows := r.of(k)
		if len(rows) == 0 {
			continue
		}
		var sum int64
		for _, i := range rows {
			sum += int64(x[i])
		}
		if err := s.addOne(int32(k), sum); err != nil {
			return err
		}
	}
	return nil
}
