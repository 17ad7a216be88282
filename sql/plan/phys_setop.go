package plan

import (
	"cmp"
	"slices"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// INTERSECT and EXCEPT of many rows are planned as semi and anti joins whose keys are all columns, NULLs
// being equal, below one DISTINCT: workers share those, as they cannot share a SetOp, whose table holds
// every value of the left side. A chain a ∩ b − c is one pipeline, a probing a table for each of the
// others. ALL has to count, and stays with SetOp.

// setJoinRowsMin is from how many rows of all inputs together that pays.
const setJoinRowsMin = 20000

// fewerShare is how often an input must repeat its rows to be made distinct before it is joined.
const fewerShare = 4

// setInput is one side of a chain: columns cols of n. op is what joins it with those before it.
type setInput struct {
	n        *Node
	cols     []Col
	nonNull  ColSet
	op       *relSetOp
	distinct bool
}

// physSetOp plans the chain of set operations that ends with x.
func (p *planner) physSetOp(x *relSetOp) *Node {
	ins := p.setChain(x)
	if n := p.setJoins(x, ins); n != nil {
		return n
	}
	n := ins[0].n
	for _, in := range ins[1:] {
		l := p.parallelize(n)
		l.arrange(in.op.lcols)
		r := p.parallelize(in.n)
		r.arrange(in.cols)
		n = p.newNode(&setOpOp{in.op.op}, in.op.cols, l, r)
		n.Rows = p.rows(in.op)
		n.Total = l.Total + r.Total + (l.Rows+r.Rows)*costHashBuild
		n.Startup, n.Width = n.Total-n.Rows*costTuple, l.Width
	}
	return n
}

// setChain plans the sides of x and of the set operations that are its left sides.
func (p *planner) setChain(x *relSetOp) []setInput {
	var ins []setInput
	side := func(r rel, cols []Col, op *relSetOp) {
		ins = append(ins, setInput{n: p.phys(r, physReq{need: setOf(cols...)}), cols: cols, nonNull: p.nonNull(r), op: op})
	}
	if in, ok := x.left.(*relSetOp); ok && slices.Equal(in.cols, x.lcols) {
		ins = p.setChain(in)
	} else {
		side(x.left, x.lcols, nil)
	}
	side(x.right, x.rcols, x)
	return ins
}

// setJoins plans a chain as joins; nil: it cannot be planned so, or its rows are few.
func (p *planner) setJoins(x *relSetOp, ins []setInput) *Node {
	if p.opts.Workers < 2 || p.opts.Settings.NoParallel || p.opts.Settings.NoHashJoin || p.opts.Sites > 0 || p.keepOrder || len(x.cols) == 0 {
		return nil
	}
	rows, swappable := 0.0, true
	for _, in := range ins {
		if in.op != nil && in.op.op != planpb.SetOp_INTERSECT && in.op.op != planpb.SetOp_EXCEPT || !p.stableTree(in.n) {
			return nil
		}
		rows += in.n.Rows
		swappable = swappable && (in.op == nil || in.op.op == planpb.SetOp_INTERSECT)
	}
	if rows < setJoinRowsMin || !p.partitionable(ins[0].n) {
		return nil
	}
	for i, c := range x.cols {
		t := p.cols[c].t
		if !exactEquality(t) && (t.Class != types.ClassBase || t.OID != types.NumericOID) {
			return nil
		}
		for _, in := range ins {
			if p.cols[in.cols[i]].t.OID != t.OID {
				return nil
			}
		}
		swappable = swappable && exactEquality(t)
	}
	for i := range ins {
		p.fewer(&ins[i])
	}
	if swappable {
		p.largestProbes(ins)
	}
	first := ins[0]
	n := first.n
	for _, in := range ins[1:] {
		n = p.setJoin(n, first, in)
	}
	p.trace("parallel", "set_joins")
	keys := make([]projItem, len(x.cols))
	for i, c := range x.cols {
		e := query.Expr(p.colVar(first.cols[i]))
		if p.cols[first.cols[i]].t != p.cols[c].t {
			e = relabelTo(e, p.cols[c])
		}
		keys[i] = projItem{c, e}
	}
	if !first.distinct {
		return p.distinctRows(n, keys)
	}
	n.steps = append(n.steps, step{items: keys, cols: x.cols})
	n.Cols = x.cols
	return n
}

// fewer takes the distinct rows of an input that repeats each of them often.
func (p *planner) fewer(in *setInput) {
	keys := make([]projItem, 0, len(in.cols))
	var es []query.Expr
	var seen ColSet
	for _, c := range in.cols {
		if !seen.has(c) {
			seen.add(c)
			keys, es = append(keys, projItem{c, p.colVar(c)}), append(es, p.colVar(c))
		}
	}
	if in.n.Rows < cutGroupsMin || p.groups(es, in.n.Rows)*fewerShare > in.n.Rows {
		return
	}
	in.n, in.distinct = p.distinctRows(in.n, keys), true
}

// largestProbes puts the input of most rows first in a chain of intersections and the others in ascending order.
func (p *planner) largestProbes(ins []setInput) {
	largest := 0
	for i := range ins {
		if ins[i].n.Rows > ins[largest].n.Rows && p.partitionable(ins[i].n) {
			largest = i
		}
	}
	ins[0], ins[largest] = ins[largest], ins[0]
	slices.SortStableFunc(ins[1:], func(a, b setInput) int { return cmp.Compare(a.n.Rows, b.n.Rows) })
}

// setJoin joins n, whose rows are first's, with a further side.
func (p *planner) setJoin(n *Node, first, in setInput) *Node {
	o := &joinOp{typ: planpb.JoinType_SEMI, method: methodHash}
	if in.op != nil && in.op.op == planpb.SetOp_EXCEPT {
		o.typ = planpb.JoinType_ANTI
	}
	for i, l := range first.cols {
		r := in.cols[i]
		nulls := !first.nonNull.has(l) && !in.nonNull.has(r)
		o.lkeys, o.rkeys = append(o.lkeys, p.colVar(l)), append(o.rkeys, p.colVar(r))
		o.nullEqual = append(o.nullEqual, nulls)
		o.keyQuals = append(o.keyQuals, p.sameValue(p.colVar(l), p.colVar(r), nulls))
	}
	right := in.n
	if !p.partitionable(n) {
		right = p.parallelize(right) // the join runs in one piece
	}
	out := p.newNode(o, append([]Col{}, n.Cols...), n, right)
	out.Rows = max(1, n.Rows/2)
	p.costJoin(out, o, n, right)
	out.Width = p.width(out.Cols)
	return out
}

// distinctRows groups n by keys, in workers.
func (p *planner) distinctRows(n *Node, keys []projItem) *Node {
	var es []query.Expr
	var base []Col
	for _, k := range keys {
		es, base = append(es, k.expr), append(base, k.col)
	}
	groups := p.groups(es, n.Rows)
	in := p.parallelize(n)
	u := p.newNode(&aggOp{keys: keys, distinct: true, groups: groups}, base, in)
	u.Rows, u.Width = groups, p.width(base)
	u.Startup = in.Total + in.Rows*(costHashBuild+costOp*float64(len(base)))
	u.Total = u.Startup + u.Rows*costTuple
	return u
}
