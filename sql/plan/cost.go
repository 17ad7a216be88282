package plan

import "github.com/basaltdb/basalt/sql/query"

// The cost model. The unit is PostgreSQL's (one sequential page read), the
// constants are Basalt's: a scan decodes rows of the row delta one by one, so a row
// read costs about as much as a hash table insertion, and everything behind the
// scan runs over vectors and is cheaper by a factor of three to ten. Rows in column
// segments are decoded by blocks, a nanosecond or two for each value.
const (
	costScanRow    = 0.02    // decode one row of the delta
	costScanCol    = 0.002   // and one of its columns
	costColumnRow  = 0.0004  // pass a row of a segment
	costColumnCol  = 0.0003  // and decode one of its columns
	costColumnByte = 0.00006 // and one of its bytes beyond the first columnWide
	costTuple      = 0.002   // hand one row on
	costOp         = 0.0005  // one operation of an expression on one row
	costHashBuild  = 0.012   // put one row into a hash table
	costHashProbe  = 0.005   // look one row up
	costPair       = 0.0008  // test one pair of a nested loop
	costLookup     = 3       // open a scan or position a key lookup: as much as some hundred rows of a scan
	costIndexRow   = 0.6     // fetch one row through a secondary index
	costRestart    = 4       // start an Apply's right side once more

	// orderedGroupsEdge is by how much hashing must be cheaper than grouping in order, which takes no memory and one core.
	orderedGroupsEdge = 1.25
	// columnWide is the width in bytes from which values cost by their length.
	columnWide = 128
)

// costJoin sets the costs of a join node.
func (p *planner) costJoin(n *Node, o *joinOp, l, r *Node) {
	switch o.method {
	case methodHash:
		n.Startup = l.Startup + r.Total + r.Rows*costHashBuild
		n.Total = n.Startup + (l.Total - l.Startup) + l.Rows*costHashProbe + n.Rows*costTuple
	case methodLoop:
		n.Startup = l.Startup + r.Total
		n.Total = n.Startup + (l.Total - l.Startup) + l.Rows*r.Rows*costPair*float64(1+len(o.residual)) + n.Rows*costTuple
	case methodMerge:
		n.Startup = l.Startup + r.Startup
		n.Total = l.Total + r.Total + (l.Rows+r.Rows)*costOp*4 + n.Rows*costTuple
	}
}

// costUnorderedGroups is what grouping by hash costs, together with an unordered scan of g that costs scan and gives rows:
// workers share that, and one of them merges what they have; serial: they share the scan.
func (p *planner) costUnorderedGroups(g *relGet, quals []query.Expr, scan, rows, groups float64, serial bool) float64 {
	cost := scan + rows*costHashProbe + groups*costHashBuild
	switch {
	case scan < parallelMinCost || !p.parallelScan(g, quals):
	case serial:
		cost += scan/p.workerShare() - scan
	default:
		cost = cost/p.workerShare() + groups*costHashBuild
	}
	return cost * orderedGroupsEdge
}
