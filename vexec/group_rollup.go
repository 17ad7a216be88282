package vexec

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// A grouping set may have a finer one, with all of its keys and others: each group of the
// finer set lies within one of its groups. Rows are then aggregated by the finer set alone,
// and when all have been read its states are combined into those of the coarser one. As the
// groups of the finer set are in the order of their first rows, so are the coarser ones.
//
// When the finer set's table takes no more groups, or becomes so large that another one like it
// would not fit, its states are combined early and the coarser set takes rows by itself
// from then on: no row is in a file, or waits, that the coarser set has not had.

// setFiner reads which sets are combined from which.
func (a *aggOp) setFiner(p *planpb.Agg) error {
	a.finer = make([]int, len(a.sets))
	for i := range a.finer {
		a.finer[i] = -1
	}
	for i, s := range p.GetSets() {
		if s.GetFiner() == 0 {
			continue
		}
		for _, c := range p.GetCalls() {
			if !CanPartial(c) {
				return pgerror.Internal("states of %s cannot be combined", facts.ProcName(c.GetFunc()))
			}
		}
		a.finer[i] = int(s.GetFiner()) - 1
	}
	return nil
}

// newGroups makes the tables of all sets; those without a finer set are fed from rows.
func (a *aggOp) newGroups(cut bool) []*groupSet {
	var out []*groupSet
	for i := range a.sets {
		g := newGroupSet(a, i, 0)
		g.cut = cut
		out = append(out, g)
	}
	for i, f := range a.finer {
		if f >= 0 {
			out[i].finer = out[f]
			out[f].coarser = append(out[f].coarser, out[i])
		}
	}
	return out
}

// fed lists the sets that take rows.
func fed(groups []*groupSet) []*groupSet {
	return slices.DeleteFunc(slices.Clone(groups), func(g *groupSet) bool { return g.finer != nil })
}

// combineAll completes the sets that are combined from finer ones. REQUIRES: all rows are in.
func combineAll(groups []*groupSet) error {
	for _, g := range groups {
		if err := g.combine(); err != nil {
			return err
		}
	}
	return nil
}

// combine takes in the states of the finer set, after that one has taken in its own finer set's.
func (g *groupSet) combine() error {
	f := g.finer
	if f == nil {
		return nil
	}
	if err := f.combine(); err != nil {
		return err
	}
	g.finer = nil
	f.coarser = slices.DeleteFunc(f.coarser, func(c *groupSet) bool { return c == g })
	return g.mergeFiner(f)
}

// detach makes the coarser sets take rows by themselves, after what the table has had so far.
func (g *groupSet) detach() error {
	for _, c := range g.coarser {
		c.finer = nil
		if err := c.mergeFiner(g); err != nil {
			return err
		}
	}
	g.coarser = nil
	return nil
}

// crowded: a coarser table of the same size might not fit.
func (g *groupSet) crowded() bool {
	return len(g.coarser) > 0 && g.a.mem.used+g.held > g.a.mem.budget
}

// mergeFiner folds in the groups of a finer set, piece by piece.
func (g *groupSet) mergeFiner(f *groupSet) error {
	all := f.keyValues()
	mine := make([]arrow.Array, len(g.member))
	for i, k := range g.member {
		mine[i] = all[slices.Index(f.member, k)]
	}
	if f.forms != nil && !g.decided {
		g.useForms(f)
	}
	g.decided = true
	g.rowsIn += f.rowsIn
	n, step := f.groups(), max(g.a.w.q.env.BatchSize, 1)
	from, to := make([]int32, min(n, step)), make([]int32, min(n, step))
	keys := make([]arrow.Array, len(mine))
	for lo := 0; lo < n; lo += step {
		hi := min(lo+step, n)
		from, to = from[:hi-lo], to[:hi-lo]
		for i := range from {
			from[i] = int32(lo + i)
		}
		if len(g.member) > 0 {
			for i, k := range mine {
				keys[i] = kernel.Slice(k, lo, hi)
			}
			g.mem.Reset()
			g.keep(keys, g.insert(keys, hi-lo, nil, to))
		}
		for i, acc := range g.accs {
			if err := acc.merge(f.accs[i], from, to); err != nil {
				return err
			}
		}
	}
	g.account()
	return nil
}

// useForms chooses ids for the keys that have them in f: rows with such keys may come still.
func (g *groupSet) useForms(f *groupSet) {
	forms := &keyForms{interners: make([]*kernel.Interner, len(g.member)), all: true}
	ts := slices.Clone(g.spec.Types)
	for i, k := range g.member {
		if f.forms.interners[slices.Index(f.member, k)] == nil {
			forms.all = false
			continue
		}
		forms.interners[i] = kernel.NewInterner(ts[i])
		ts[i] = types.Of(types.Int4)
	}
	g.setForms(forms, ts)
}
