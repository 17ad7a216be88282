package plan

import (
	"math"
	"slices"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// orderSatisfies: have begins with want.
func orderSatisfies(have, want []sortItem) bool { return commonPrefix(have, want) == len(want) }

// commonPrefix is the number of leading keys of want that have provides.
func commonPrefix(have, want []sortItem) int {
	n := 0
	for n < len(want) && n < len(have) && have[n].desc == want[n].desc && have[n].nullsFirst == want[n].nullsFirst &&
		equalExpr(have[n].expr, want[n].expr) {
		n++
	}
	return n
}

func sortExprs(ks []sortItem) []query.Expr {
	var es []query.Expr
	for _, k := range ks {
		es = append(es, k.expr)
	}
	return es
}

// sortNode sorts a node unless it is sorted already. limit > 0 keeps that many rows.
func (p *planner) sortNode(in *Node, keys []sortItem, limit uint64) *Node {
	pre := commonPrefix(in.Order, keys)
	if pre == len(keys) {
		return in
	}
	below := in
	if in = p.parallelize(in); in != below && limit > 0 {
		p.topOfParts(in, keys, limit)
	}
	n := p.newNode(&sortOp{keys: keys, limit: limit}, in.Cols, in)
	n.Order = keys
	n.Rows = in.Rows
	depth := math.Log2(math.Max(in.Rows, 2))
	if limit > 0 {
		n.Rows = math.Min(n.Rows, float64(limit))
		depth = math.Log2(math.Max(math.Min(in.Rows, float64(limit)*2), 2))
	}
	n.Startup = in.Total + in.Rows*depth*costOp*2
	n.Total = n.Startup + n.Rows*costOp
	n.Width = in.Width
	return n
}

// topOfParts lets the workers of a new Gather keep the first limit rows of each part that they run.
func (p *planner) topOfParts(g *Node, keys []sortItem, limit uint64) {
	in := g.Inputs[0]
	if _, ok := g.Op.(*gatherOp); !ok || p.opts.Sites > 1 || in.Rows < topOfPartsShare*float64(limit) {
		return
	}
	s := p.newNode(&sortOp{keys: keys, limit: limit}, in.Cols, in)
	s.Rows = math.Min(in.Rows, 8*float64(p.opts.Workers)*float64(limit))
	s.Startup = in.Total + in.Rows*costOp*2
	s.Total, s.Width = s.Startup, in.Width
	g.Inputs[0] = s
	g.Rows = s.Rows
	p.trace("parallel", "top_of_parts")
}

func (p *planner) physSort(x *relSort, rq physReq, limit float64) *Node {
	if p.resorted[x] && limit == 0 {
		return p.phys(x.in, physReq{need: rq.need})
	}
	need := rq.need.union(exprCols(sortExprs(x.keys)...))
	sub := physReq{need: need, order: x.keys, limit: limit}
	defer p.orderKept(false)()
	if limit == 0 {
		sub.limit = rq.limit
	}
	in := p.phys(x.in, sub)
	return p.sortNode(in, x.keys, uint64(math.Min(limit, 1e9)))
}

// constRows is the value of a constant LIMIT or OFFSET.
func (p *planner) constRows(e query.Expr) (float64, bool) {
	if isNil(e) {
		return 0, true
	}
	if c, ok := e.(*query.Const); ok {
		if v, ok := c.Value.(int64); ok && v >= 0 {
			return float64(v), true
		}
	}
	return 0, false
}

func (p *planner) physLimit(x *relLimit, rq physReq) *Node {
	need := rq.need.union(exprCols(sortExprs(x.ties)...))
	rows := 0.0
	count, okC := p.constRows(x.count)
	off, okO := p.constRows(x.offset)
	if isNil(x.count) {
		okC = false
	}
	if okC && okO && !x.withTies {
		rows = count + off
	}
	est := rows
	if est == 0 && !isNil(x.count) && !okC {
		est = 1000
	}
	var in *Node
	if s, ok := x.in.(*relSort); ok {
		in = p.physSort(s, physReq{need: need, limit: est}, math.Max(rows, 0))
	} else {
		in = p.phys(x.in, physReq{need: need, limit: est, order: rq.order})
		in = p.parallelizeLimited(in, est)
	}
	n := p.newNode(&limitOp{x.count, x.offset, x.withTies, x.ties}, in.Cols, in)
	n.Order = in.Order
	n.Rows = p.rows(x)
	frac := 1.0
	if in.Rows > 0 && est > 0 && est < in.Rows {
		frac = est / in.Rows
	}
	n.Startup = in.Startup
	n.Total = in.Startup + (in.Total-in.Startup)*frac
	n.Width = in.Width
	return n
}

func (p *planner) physGroup(x *relGroup, rq physReq) *Node {
	var need ColSet
	for _, k := range x.keys {
		need.addAll(exprCols(k.expr))
	}
	var aggs []aggItem
	for _, a := range x.aggs {
		if rq.need.has(a.col) {
			aggs = append(aggs, a)
			need.addAll(exprCols(a.agg))
		}
	}
	o := &aggOp{keys: x.keys, aggs: aggs, sets: x.sets, groupings: x.groupings, distinct: x.distinct, phase: x.phase, eager: x.phase != planpb.Agg_COMPLETE}
	base := []Col{}
	for _, k := range x.keys {
		base = append(base, k.col)
	}
	for _, g := range x.groupings {
		base = append(base, g.col)
	}
	for _, a := range aggs {
		base = append(base, a.col)
	}
	defer p.orderKept(rowOrderMatters(aggs))()
	if o.eager {
		return p.physPhase(x, o, base, need)
	}
	in := p.phys(x.in, p.groupingOrder(x, aggs, need, rq))
	if x.sets == nil && len(x.keys) > 0 {
		if ord, ok := p.groupedBy(in, x.keys); ok {
			o.sorted = true
			n := p.newNode(o, base, in)
			for _, k := range ord {
				n.Order = append(n.Order, k)
			}
			n.Rows, n.Width = p.rows(x), p.width(n.Cols)
			n.Startup = in.Startup
			n.Total = in.Total + in.Rows*costOp*float64(1+len(n.base)) + n.Rows*costTuple
			return n
		}
	}
	if u, keys, calls := p.distinctFirst(x, aggs, in); u != nil {
		in, o.keys, o.aggs = u, keys, calls
	} else {
		in = p.parallelize(in)
	}
	o.finer = p.finerSets(o, in)
	n := p.newNode(o, base, in)
	p.costGroup(n, x, in)
	o.groups = n.Rows
	return n
}

// groupingOrder asks for what brings the rows of groups together, which saves the hash table and
// gives groups in that order: the one wanted of the groups when only the first of
// them will be read, or else any.
func (p *planner) groupingOrder(x *relGroup, aggs []aggItem, need ColSet, rq physReq) physReq {
	sub := physReq{need: need}
	if x.sets != nil || len(x.keys) == 0 {
		return sub
	}
	sub.groups, sub.anyOrder = p.rows(x), true
	for _, a := range aggs {
		sub.serial = sub.serial || !vexec.CanMerge(a.agg.Func) || len(a.agg.Distinct) > 0
	}
	wanted, left := 0, slices.Clone(x.keys)
	for _, o := range rq.order {
		i := slices.IndexFunc(left, func(k projItem) bool { return equalExpr(o.expr, p.colVar(k.col)) })
		if i < 0 || rq.limit == 0 && (o.desc || o.nullsFirst) {
			break // backwards, reading everything takes much longer
		}
		sub.order = append(sub.order, sortItem{left[i].expr, o.desc, o.nullsFirst})
		left = slices.Delete(left, i, i+1)
		wanted++
	}
	for _, k := range left {
		item := sortItem{expr: k.expr}
		if wanted > 0 {
			item.desc, item.nullsFirst = sub.order[0].desc, sub.order[0].nullsFirst
		}
		sub.order = append(sub.order, item)
	}
	if rq.limit > 0 && wanted == len(rq.order) {
		in := p.rows(x.in)
		sub.limit = math.Max(groupRowsMin, math.Ceil(in*math.Min(1, rq.limit/math.Max(sub.groups, 1))))
		sub.orderLimits = wanted > 0
	}
	return sub
}

// groupRowsMin is the least number of rows that a grouping expects to read.
const groupRowsMin = 64

// physPhase plans a grouping that is PARTIAL or FINAL.
func (p *planner) physPhase(x *relGroup, o *aggOp, base []Col, need ColSet) *Node {
	in := p.parallelize(p.phys(x.in, physReq{need: need}))
	if o.phase == planpb.Agg_FINAL {
		in.arrange(o.stateCols())
	}
	n := p.newNode(o, base, in)
	p.costGroup(n, x, in)
	o.groups = n.Rows
	return n
}

// stateCols is what an eager FINAL reads: its keys, then a state for each call.
func (o *aggOp) stateCols() []Col {
	var cols []Col
	for _, k := range o.keys {
		c, _ := asCol(k.expr)
		cols = append(cols, c)
	}
	for _, a := range o.aggs {
		c, _ := asCol(a.agg.Args[0].Expr)
		cols = append(cols, c)
	}
	return cols
}

func (p *planner) costGroup(n *Node, x *relGroup, in *Node) {
	n.Rows = p.rows(x)
	tables := boolTo(len(x.keys) > 0)
	if o, ok := n.Op.(*aggOp); ok && o.sets != nil {
		tables = o.tables()
	}
	n.Startup = in.Total + in.Rows*(costHashBuild*tables+costOp*float64(len(n.base)))
	n.Total = n.Startup + n.Rows*costTuple
	n.Width = p.width(n.Cols)
}

func boolTo(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// groupedBy: the node's order brings equal keys together; the result is the order
// of the groups.
func (p *planner) groupedBy(in *Node, keys []projItem) ([]sortItem, bool) {
	if len(in.Order) < len(keys) {
		return nil, false
	}
	var out []sortItem
	left := map[string]Col{}
	for _, k := range keys {
		left[exprKey(k.expr)] = k.col
	}
	for _, o := range in.Order {
		c, ok := left[exprKey(o.expr)]
		if !ok {
			break
		}
		delete(left, exprKey(o.expr))
		out = append(out, sortItem{p.colVar(c), o.desc, o.nullsFirst})
		if len(left) == 0 {
			return out, true
		}
	}
	return nil, false
}

func (p *planner) physWindow(x *relWindow, rq physReq) *Node {
	need := rq.need.union(exprCols(x.partition...)).union(exprCols(sortExprs(x.order)...))
	for _, c := range x.calls {
		need.addAll(exprCols(c.fn))
		need.remove(c.col)
	}
	var keys []sortItem
	seen := map[string]bool{}
	for _, e := range x.partition {
		if k := exprKey(e); !seen[k] {
			seen[k] = true
			keys = append(keys, sortItem{expr: e})
		}
	}
	for _, o := range x.order {
		if k := exprKey(o.expr); !seen[k] {
			seen[k] = true
			keys = append(keys, o)
		}
	}
	in := p.phys(x.in, physReq{need: need, order: keys})
	// Any order that groups the partition and then follows ORDER BY will do.
	if !p.windowOrdered(in.Order, x) {
		in = p.sortNode(in, keys, 0)
	} else {
		in = p.parallelize(in)
	}
	base := append([]Col{}, in.Cols...)
	for _, c := range x.calls {
		base = append(base, c.col)
	}
	n := p.newNode(&windowOp{x}, base, in)
	n.Order = in.Order
	n.Rows = in.Rows
	n.Startup, n.Total = in.Startup, in.Total+in.Rows*costOp*float64(2+len(x.calls))
	n.Width = p.width(n.Cols)
	return n
}

func (p *planner) windowOrdered(have []sortItem, x *relWindow) bool {
	part := map[string]bool{}
	for _, e := range x.partition {
		part[exprKey(e)] = true
	}
	i := 0
	for i < len(have) && len(part) > 0 && part[exprKey(have[i].expr)] {
		delete(part, exprKey(have[i].expr))
		i++
	}
	if len(part) > 0 {
		return false
	}
	inPart := map[string]bool{}
	for _, e := range x.partition {
		inPart[exprKey(e)] = true
	}
	for _, o := range x.order {
		if inPart[exprKey(o.expr)] {
			continue
		}
		if i >= len(have) || have[i].desc != o.desc || have[i].nullsFirst != o.nullsFirst || !equalExpr(have[i].expr, o.expr) {
			return false
		}
		i++
	}
	return true
}

var _ = planpb.Agg_HASH
