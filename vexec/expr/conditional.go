package expr

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// caseNode evaluates each WHEN on the rows no earlier WHEN took, and each THEN
// on the rows its WHEN took.
type caseNode struct {
	t     types.T
	test  node
	slot  uint32
	whens []node
	thens []node
	def   node // nil: NULL
}

func (m *maker) caseExpr(t types.T, c *planpb.Case) (node, error) {
	n := &caseNode{t: t, slot: c.GetTestSlot()}
	var err error
	if c.GetTest() != nil {
		if n.test, err = m.compile(c.GetTest()); err != nil {
			return nil, err
		}
		old, had := m.locals[n.slot]
		m.setLocal(n.slot, c.Test.GetType().T())
		defer func() {
			delete(m.locals, n.slot)
			if had {
				m.locals[n.slot] = old
			}
		}()
	}
	for _, w := range c.GetWhens() {
		when, err := m.compile(w.GetWhen())
		if err != nil {
			return nil, err
		}
		k, isConst := when.(*constNode)
		if isConst && k.value != true {
			continue // never taken
		}
		then, err := m.compile(w.GetThen())
		if err != nil {
			return nil, err
		}
		if isConst { // always taken: the rest is never reached
			n.def = then
			return n, nil
		}
		n.whens, n.thens = append(n.whens, when), append(n.thens, then)
	}
	if c.GetDefault() != nil {
		if n.def, err = m.compile(c.GetDefault()); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (c *caseNode) constant() bool {
	return allConstant(c.whens) && allConstant(c.thens) && (c.test == nil || isConstant(c.test)) && (c.def == nil || isConstant(c.def))
}

func (c *caseNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if c.test != nil {
		v, err := c.test.eval(f, in)
		if err != nil {
			return nil, err
		}
		in = in.bind(c.slot, v)
	}
	p := newPieces(c.t, in)
	cur, rows := in, []int32(nil)
	for k, w := range c.whens {
		if cur.N == 0 {
			break
		}
		v, err := w.eval(f, cur)
		if err != nil {
			return nil, err
		}
		taken, left := kernel.SplitRows(v)
		if len(taken) == 0 {
			continue
		}
		v, err = c.thens[k].eval(f, cur.Subset(taken))
		if err != nil {
			return nil, err
		}
		p.add(in.compose(rows, taken), v)
		cur, rows = cur.Subset(left), in.compose(rows, left)
	}
	if cur.N > 0 {
		if c.def == nil {
			p.add(rows, kernel.Nulls(c.t, cur.N))
		} else {
			v, err := c.def.eval(f, cur)
			if err != nil {
				return nil, err
			}
			p.add(rows, v)
		}
	}
	return p.finish(), nil
}

// compose maps positions within outer (nil: all) to its values.
func (in *Input) compose(outer, inner []int32) []int32 {
	if outer == nil {
		return inner
	}
	out := kernel.MakeIn[int32](in.mem, len(inner))
	for i, k := range inner {
		out[i] = outer[k]
	}
	return out
}

// pieces assembles a vector of n rows from vectors over disjoint row sets.
type pieces struct {
	t    types.T
	n    int
	mem  *kernel.Arena
	rows [][]int32
	vecs []arrow.Array
}

func newPieces(t types.T, in *Input) *pieces { return &pieces{t: t, n: in.N, mem: in.mem} }

// add gives the values of rows (nil: all).
func (p *pieces) add(rows []int32, v arrow.Array) {
	p.rows, p.vecs = append(p.rows, rows), append(p.vecs, v)
}

func (p *pieces) finish() arrow.Array {
	if len(p.vecs) == 0 {
		return kernel.Nulls(p.t, p.n)
	}
	if len(p.vecs) == 1 && p.vecs[0].Len() == p.n {
		return p.vecs[0]
	}
	return kernel.AssembleIn(p.mem, p.t, p.n, p.rows, p.vecs)
}

// coalesceNode evaluates each argument on the rows still NULL.
type coalesceNode struct {
	t    types.T
	args []node
}

func (c *coalesceNode) constant() bool { return allConstant(c.args) }

func (c *coalesceNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	p := newPieces(c.t, in)
	cur, rows := in, []int32(nil)
	for _, a := range c.args {
		v, err := a.eval(f, cur)
		if err != nil {
			return nil, err
		}
		if v.NullN() == 0 {
			p.add(rows, v)
			break
		}
		have, left := kernel.MakeIn[int32](in.mem, cur.N)[:0], kernel.MakeIn[int32](in.mem, v.NullN())[:0]
		valid := kernel.Valid(v)
		for i := range cur.N {
			if valid.Get(i) {
				have = append(have, int32(i))
			} else {
				left = append(left, int32(i))
			}
		}
		if len(have) > 0 {
			p.add(in.compose(rows, have), kernel.TakeIn(in.mem, v, have))
		}
		if len(left) == 0 {
			break
		}
		cur, rows = cur.Subset(left), in.compose(rows, left)
	}
	return p.finish(), nil
}

// minMaxNode is GREATEST or LEAST; NULLs are passed over.
type minMaxNode struct {
	t        types.T
	args     []node
	greatest bool
}

func (m *minMaxNode) constant() bool { return allConstant(m.args) }

func (m *minMaxNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	best := make([]int32, in.N) // position in the concatenation, −1: none yet
	for i := range best {
		best[i] = -1
	}
	vecs := make([]arrow.Array, len(m.args))
	for k, a := range m.args {
		var err error
		if vecs[k], err = a.eval(f, in); err != nil {
			return nil, err
		}
	}
	if in.N == 0 {
		return kernel.Nulls(m.t, 0), nil
	}
	all := kernel.Concat(m.t, vecs)
	cmp, valid := kernel.Comparer(f.Ctx.Env, m.t, all, all), kernel.Valid(all)
	for k := range vecs {
		for i := range in.N {
			p := k*in.N + i
			if !valid.Get(p) {
				continue
			}
			if best[i] < 0 {
				best[i] = int32(p)
				continue
			}
			if c := cmp(p, int(best[i])); m.greatest && c > 0 || !m.greatest && c < 0 {
				best[i] = int32(p)
			}
		}
	}
	return kernel.Take(all, best), nil
}
