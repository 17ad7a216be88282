package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Aggregations of many groups give their groups out in the workers that made them
// (vexec's agg_shared.go), so that a Gather may stand above them and what is between runs
// in parallel: there it takes the place of the one below.

// cutGroupsMin is from how many groups on that pays.
const cutGroupsMin = 5000

// cuttable mirrors vexec's rule for aggregations, of one that stands on a Gather.
func (p *planner) cuttable(n *Node, o *aggOp) bool {
	g, ok := n.Inputs[0].Op.(*gatherOp)
	if !ok || len(g.merge) > 0 || o.phase != planpb.Agg_COMPLETE || o.sorted || len(o.keys) == 0 || o.groups < cutGroupsMin || p.opts.Sites > 0 {
		return false
	}
	for _, k := range o.keys {
		if p.isVolatile(k.expr) {
			return false
		}
	}
	for _, a := range o.aggs {
		if !vexec.CanMerge(a.agg.Func) || a.agg.Kind != 'n' || len(a.agg.Distinct) > 0 || p.isVolatile(a.agg) {
			return false
		}
	}
	return true
}

// ungather takes away the Gathers below aggregations that another one, above n, replaces.
func (p *planner) ungather(n *Node) *Node {
	switch o := n.Op.(type) {
	case *gatherOp:
		in := n.Inputs[0]
		if len(n.steps) > 0 {
			in.steps, in.Cols = append(in.steps, n.steps...), n.Cols
		}
		return in
	case *aggOp, *passOp:
		n.Inputs[0] = p.ungather(n.Inputs[0])
	case *appendOp:
		for i, in := range n.Inputs {
			n.Inputs[i] = p.ungather(in)
		}
	case *joinOp:
		if o.method == methodHash && p.partitionable(n.Inputs[1]) {
			n.Inputs[1] = p.ungather(n.Inputs[1])
		}
		n.Inputs[0] = p.ungather(n.Inputs[0])
	}
	return n
}

// gathered is the part of n's cost that workers share already.
func gathered(n *Node) float64 {
	switch n.Op.(type) {
	case *gatherOp:
		return n.Total
	case *aggOp, *passOp, *joinOp:
		return gathered(n.Inputs[0])
	case *appendOp:
		sum := 0.0
		for _, in := range n.Inputs {
			sum += gathered(in)
		}
		return sum
	}
	return 0
}

// distinctFirst makes the groups of a query whose calls all take the distinct values of one
// argument from the distinct rows of keys and argument, which workers find in parallel; nil:
// it is not such a query, or its rows are few.
func (p *planner) distinctFirst(x *relGroup, aggs []aggItem, in *Node) (*Node, []projItem, []aggItem) {
	if p.opts.Workers < 2 || p.opts.Settings.NoParallel || p.opts.Sites > 0 || p.keepOrder || x.sets != nil || len(aggs) == 0 || in.Rows < cutGroupsMin ||
		!p.partitionable(in) {
		return nil, nil, nil
	}
	for _, k := range x.keys {
		if p.isVolatile(k.expr) {
			return nil, nil, nil
		}
	}
	arg := aggs[0].agg
	for _, a := range aggs {
		g := a.agg
		if len(g.Distinct) != 1 || len(g.OrderBy) > 1 || g.NumArgs != 1 || len(g.Args) != 1 || !isNil(g.Filter) || g.Kind != 'n' || !vexec.CanMerge(g.Func) ||
			!equalExpr(g.Args[0].Expr, arg.Args[0].Expr) || p.isVolatile(g) {
			return nil, nil, nil
		}
	}
	var keys, outer []projItem
	add := func(e query.Expr, t types.T) Col {
		ci := colInfo{t: t, expr: e}
		if c, ok := asCol(e); ok {
			ci = p.cols[c]
		}
		c := p.newCol(ci)
		keys = append(keys, projItem{c, e})
		return c
	}
	for _, k := range x.keys {
		outer = append(outer, projItem{k.col, p.colVar(add(k.expr, p.cols[k.col].t))})
	}
	v := p.colVar(add(arg.Args[0].Expr, arg.Args[0].Expr.Type()))
	var calls []aggItem
	for _, a := range aggs {
		g := *a.agg
		te := *g.Args[0]
		te.Expr = v
		g.Args, g.Distinct, g.OrderBy = []*query.TargetEntry{&te}, nil, nil
		calls = append(calls, aggItem{col: a.col, agg: &g})
	}
	u := p.distinctRows(in, keys)
	p.trace("parallel", "distinct_first")
	return p.parallelize(u), outer, calls
}
