package plan

import (
	"math"
	"slices"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// A Gather is put over the largest subtrees whose rows are the disjoint union of
// what they give for disjoint parts of their driving scan: filters, projections,
// joins that keep their left side's rows apart and aggregations of many groups
// (parallel_agg.go). What stands on the Gather (aggregation, sort) takes the workers' streams; vexec runs an aggregation
// directly on a Gather inside the workers.

// parallelMinCost is the cost below which starting workers is not worth it.
const parallelMinCost = 200

// topOfPartsShare is how many times the rows of a LIMIT there must be for each part's first rows to be worth a sort.
const topOfPartsShare = 64

// parallelize puts a Gather over n where that pays.
func (p *planner) parallelize(n *Node) *Node {
	if p.opts.Workers < 2 || p.opts.Settings.NoParallel || len(n.Order) > 0 || p.keepOrder {
		return n
	}
	if g, ok := n.Op.(*gateOp); ok && len(n.steps) == 0 {
		_ = g
		n.Inputs[0] = p.parallelize(n.Inputs[0])
		n.base, n.Cols = n.Inputs[0].Cols, n.Inputs[0].Cols
		return n
	}
	if n.Total < parallelMinCost || !p.partitionable(n) {
		return n
	}
	before := gathered(n)
	n = p.ungather(n)
	g := p.newNode(&gatherOp{workers: p.opts.Workers}, n.Cols, n)
	g.Rows, g.Width = n.Rows, n.Width
	g.Total = 1 + before + (n.Total-before)/p.workerShare()
	g.Startup = math.Min(n.Startup+1, g.Total)
	p.trace("parallel", "gather")
	return g
}

// workerShare is by how much workers shorten what they share.
func (p *planner) workerShare() float64 { return 0.9 * float64(p.opts.Workers) }

// parallelScan: workers could share an unordered scan of g under conditions.
func (p *planner) parallelScan(g *relGet, quals []query.Expr) bool {
	if p.opts.Workers < 2 || p.opts.Settings.NoParallel || p.keepOrder || g.table.Storage == nil || g.target != 0 {
		return false
	}
	return !slices.ContainsFunc(quals, p.isVolatile)
}

// parallelizeLimited is parallelize for a node of which only some rows will be read.
func (p *planner) parallelizeLimited(n *Node, rows float64) *Node {
	if rows > 0 && rows*10 < n.Rows {
		return n
	}
	return p.parallelize(n)
}

// partitionable mirrors vexec's rule; volatile expressions stay out of workers.
func (p *planner) partitionable(n *Node) bool {
	for _, s := range n.steps {
		for _, e := range s.filter {
			if p.isVolatile(e) {
				return false
			}
		}
		if p.volatileItems(s.items) {
			return false
		}
	}
	switch o := n.Op.(type) {
	case *scanOp:
		for _, q := range o.filter {
			if p.isVolatile(q) {
				return false
			}
		}
		return !o.ordered && n.safe && o.get.target == 0
	case *passOp:
		return p.partitionable(n.Inputs[0])
	case *joinOp:
		switch o.typ {
		case planpb.JoinType_RIGHT, planpb.JoinType_FULL, planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
			if o.method != methodHash || p.opts.Sites > 0 {
				return false
			}
		}
		for _, q := range o.residual {
			if p.isVolatile(q) {
				return false
			}
		}
		if o.method == methodMerge {
			return false
		}
		return p.partitionable(n.Inputs[0]) && p.stableTree(n.Inputs[1])
	case *aggOp:
		return p.cuttable(n, o)
	case *appendOp:
		for _, in := range n.Inputs {
			if !p.partitionable(in) {
				return false
			}
		}
		return true
	}
	return false
}

// stableTree: nothing in the physical tree is volatile or changes data.
func (p *planner) stableTree(n *Node) bool {
	bad := func(es ...query.Expr) bool {
		for _, e := range es {
			if !isNil(e) && p.isVolatile(e) {
				return true
			}
		}
		return false
	}
	for _, s := range n.steps {
		if bad(s.filter...) || p.volatileItems(s.items) {
			return false
		}
	}
	switch o := n.Op.(type) {
	case *scanOp:
		if bad(o.filter...) {
			return false
		}
	case *functionOp:
		for _, f := range o.rel.funcs {
			if bad(f.Expr) {
				return false
			}
		}
	case *projectSetOp:
		for _, it := range o.items {
			if bad(it.fn) {
				return false
			}
		}
	case *modifyOp, *lockOp:
		return false
	}
	for _, in := range n.Inputs {
		if !p.stableTree(in) {
			return false
		}
	}
	return true
}

// rowOrderMatters: some aggregate without ORDER BY shows the order in which its
// rows come. PostgreSQL users see the order of the scan there, so workers, whose
// streams mix, stay out of what lies below, up to the next sort or grouping. Joins
// keep the order of either side per row of the other.
func rowOrderMatters(aggs []aggItem) bool {
	for _, a := range aggs {
		if a.agg.Kind != 'n' || len(a.agg.OrderBy) > 0 || len(a.agg.Distinct) > 0 {
			continue
		}
		switch a.agg.Name {
		case "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg":
			return true
		}
	}
	return false
}

// orderKept sets keepOrder until the function it gives is called.
func (p *planner) orderKept(keep bool) func() {
	was := p.keepOrder
	p.keepOrder = keep
	return func() { p.keepOrder = was }
}

// feedsOrdered: the query has an aggregate of rowOrderMatters or an ARRAY sub-select
// somewhere, which may read a common table expression.
func (p *planner) feedsOrdered(root rel) bool {
	found := false
	var walk func(r rel)
	walk = func(r rel) {
		if g, ok := r.(*relGroup); ok {
			found = found || rowOrderMatters(g.aggs)
		}
		for _, in := range r.inputs() {
			walk(in)
		}
	}
	walk(root)
	for _, c := range p.ctes {
		walk(c.rel)
	}
	for _, ip := range p.inits {
		walk(ip.rel)
		found = found || ip.kind == initArray
	}
	return found
}
