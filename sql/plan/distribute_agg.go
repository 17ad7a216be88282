package plan

import (
	"math"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// groupsGatherMax bounds the groups that the gateway completes; beyond it they are
// completed at the nodes, each those that a hash of the keys gives it.
const groupsGatherMax = 50000

// agg places an aggregation: complete at the nodes where equal keys are together,
// else in two phases, else over rows brought together first.
func (d *distributor) agg(n *Node, o *aggOp) spreading {
	if o.eager {
		return d.phase(n, o)
	}
	in, s := d.place(n.Inputs[0])
	n.Inputs[0] = in
	if s.kind == onGateway {
		return s
	}
	portable, distinct, partial := true, false, true
	for _, k := range o.keys {
		portable = portable && d.portable(k.expr)
	}
	for _, a := range o.aggs {
		portable = portable && d.portable(a.agg)
		distinct = distinct || len(a.agg.Distinct) > 0
		partial = partial && canPartial(a.agg)
	}
	if !portable {
		n.Inputs[0] = d.toGateway(in, s)
		return spreading{}
	}
	if s.kind == copied {
		return s
	}
	if out, ok := d.complete(o, s); ok {
		return out
	}
	var keys []query.Expr
	for _, k := range o.keys {
		keys = append(keys, k.expr)
	}
	groups := math.Min(in.Rows, n.Rows*d.sites)
	many := d.canHash(keys) && len(o.sets) == 0 && n.Rows > groupsGatherMax
	switch {
	case partial && !(many && groups > 0.7*in.Rows):
		return d.phases(n, o, s, many)
	case d.canHash(keys) && len(o.sets) == 0 && len(in.Order) == 0 && (many || distinct && in.Rows > groupsGatherMax):
		n.Inputs[0] = d.exchange(in, planpb.Exchange_HASH, keys, false)
		out := spreading{kind: byHash}
		for _, k := range o.keys {
			out.keys = append(out.keys, spreadKey{setOf(k.col), k.expr.Type()})
		}
		return out
	}
	if distinct && len(in.Order) == 0 {
		in = d.distinctFirst(in, o)
	}
	n.Inputs[0] = d.toGateway(in, s)
	return spreading{}
}

// complete: equal keys are on one node; the result says where the groups are.
func (d *distributor) complete(o *aggOp, s spreading) (spreading, bool) {
	if s.kind != bySlot && s.kind != byHash || len(s.keys) == 0 || len(o.keys) == 0 {
		return spreading{}, false
	}
	has := func(key spreadKey, at func(i int) bool) (cols ColSet, ok bool) {
		for i, k := range o.keys {
			if c, plain := asCol(d.underCasts(k.expr)); plain && key.cols.has(c) && at(i) {
				ok = true
				cols.add(k.col)
			}
		}
		return cols, ok
	}
	for _, set := range o.sets {
		for _, key := range s.keys {
			if _, ok := has(key, func(i int) bool { return contains(set, i) }); !ok {
				return spreading{}, false
			}
		}
	}
	out := spreading{kind: s.kind}
	for _, key := range s.keys {
		cols, ok := has(key, func(int) bool { return true })
		if !ok {
			return spreading{}, false
		}
		out.keys = append(out.keys, spreadKey{cols, key.t})
	}
	if o.sets != nil {
		return spreading{kind: anywhere}, true
	}
	return out, true
}

func contains(set []int, i int) bool {
	for _, x := range set {
		if x == i {
			return true
		}
	}
	return false
}

// phase places an aggregation that is PARTIAL, which works wherever its rows are and may
// give a group at several places, or FINAL, which wants equal keys together.
func (d *distributor) phase(n *Node, o *aggOp) spreading {
	in, s := d.place(n.Inputs[0])
	n.Inputs[0] = in
	if s.kind == onGateway || s.kind == copied && d.portableAgg(o) {
		return s
	}
	if !d.portableAgg(o) {
		n.Inputs[0] = d.toGateway(in, s)
		return spreading{}
	}
	out, together := d.complete(o, s)
	if o.phase == planpb.Agg_PARTIAL {
		n.Rows = math.Max(1, math.Min(in.Rows, n.Rows*d.sites))
		if !together {
			out = spreading{kind: anywhere}
		}
		return out
	}
	if together {
		return out
	}
	var keys []query.Expr
	for _, k := range o.keys {
		keys = append(keys, k.expr)
	}
	if n.Rows <= groupsGatherMax || len(o.sets) > 0 || !d.canHash(keys) {
		n.Inputs[0] = d.toGateway(in, s)
		return spreading{}
	}
	n.Inputs[0] = d.exchange(in, planpb.Exchange_HASH, keys, false)
	out = spreading{kind: byHash}
	for _, k := range o.keys {
		out.keys = append(out.keys, spreadKey{setOf(k.col), k.expr.Type()})
	}
	return out
}

// portableAgg: keys and calls may be computed at the nodes.
func (d *distributor) portableAgg(o *aggOp) bool {
	for _, k := range o.keys {
		if !d.portable(k.expr) {
			return false
		}
	}
	for _, a := range o.aggs {
		if !d.portable(a.agg) {
			return false
		}
	}
	return true
}

// phases aggregates at the nodes, moves the states and completes them.
func (d *distributor) phases(n *Node, o *aggOp, s spreading, hash bool) spreading {
	p, in := d.p, n.Inputs[0]
	part := &aggOp{aggs: o.aggs, distinct: o.distinct, phase: planpb.Agg_PARTIAL}
	var base []Col
	for _, k := range o.keys {
		ci := p.cols[k.col]
		c := p.newCol(ci)
		base = append(base, c)
		part.keys = append(part.keys, projItem{c, k.expr})
	}
	for range o.aggs {
		base = append(base, p.newCol(colInfo{t: types.Of(types.Bytea)}))
	}
	pn := p.newNode(part, base, in)
	pn.Rows = math.Max(1, math.Min(in.Rows, n.Rows*d.sites))
	pn.Width, pn.Startup, pn.Total = p.width(base), n.Startup, n.Startup+pn.Rows*costTuple
	pn.spread = true
	final := *o
	final.phase, final.partial, final.sorted = planpb.Agg_FINAL, pn, false
	n.Op = &final
	var out spreading
	if hash {
		var keys []query.Expr
		for i := range o.keys {
			keys = append(keys, p.colVar(base[i]))
		}
		n.Inputs[0] = d.exchange(pn, planpb.Exchange_HASH, keys, false)
		out.kind = byHash
		for i, k := range o.keys {
			out.keys = append(out.keys, spreadKey{setOf(k.col), p.cols[base[i]].t})
		}
	} else {
		n.Inputs[0] = d.exchange(pn, planpb.Exchange_GATHER, nil, false)
	}
	if len(n.Order) > 0 {
		d.sortGroups(n)
	}
	return out
}

// sortGroups sorts the groups of a node that was to give them sorted: the
// aggregation becomes the input of a sort that stands in its place.
func (d *distributor) sortGroups(n *Node) {
	below := *n
	below.steps, below.Cols = nil, n.base
	below.Order = nil
	s := &sortOp{keys: n.Order}
	n.Op, n.Inputs, n.spread = s, []*Node{&below}, true
}

// distinctFirst drops doubles at the nodes where every call counts the same distinct
// values, so that fewer rows move.
func (d *distributor) distinctFirst(in *Node, o *aggOp) *Node {
	p := d.p
	items := map[string]bool{}
	var keys []projItem
	add := func(e query.Expr) bool {
		c, ok := asCol(e)
		if ok && !items[exprKey(e)] {
			items[exprKey(e)] = true
			keys = append(keys, projItem{c, e})
		}
		return ok
	}
	for _, k := range o.keys {
		if !add(k.expr) {
			return in
		}
	}
	var first string
	for i, a := range o.aggs {
		g := a.agg
		if len(g.Distinct) == 0 || len(g.Args) != 1 || !isNil(g.Filter) || len(g.OrderBy) > 0 && len(g.Distinct) != len(g.OrderBy) || g.Kind != 'n' {
			return in
		}
		k := exprKey(g.Args[0].Expr)
		if i > 0 && k != first || !add(g.Args[0].Expr) {
			return in
		}
		first = k
	}
	if len(o.sets) > 0 || len(o.aggs) == 0 {
		return in
	}
	var base []Col
	for _, k := range keys {
		base = append(base, k.col)
	}
	u := p.newNode(&aggOp{keys: keys, distinct: true}, base, in)
	u.Rows, u.Width, u.Startup, u.Total = in.Rows, p.width(base), in.Total, in.Total+in.Rows*costHashBuild
	u.spread = true
	return u
}

// canPartial: the aggregate's state can be made at several places and put together.
func canPartial(a *query.Aggref) bool {
	return vexec.CanPartial(partialCall(a))
}

// partialCall is as much of a call as vexec.CanPartial looks at.
func partialCall(a *query.Aggref) *planpb.AggCall {
	call := &planpb.AggCall{Func: uint32(a.Func), Distinct: len(a.Distinct) > 0, WithinGroup: a.Kind == 'o' || a.Kind == 'h'}
	if len(a.OrderBy) > 0 {
		call.OrderBy = []*planpb.SortKey{{}}
	}
	if len(a.DirectArgs) > 0 {
		call.DirectArgs = []*planpb.Expr{{}}
	}
	return call
}
