package plan

import (
	"github.com/basaltdb/basalt/sql/query"
)

// Node is an operator of the physical tree: what vexec will run plus what EXPLAIN
// shows. Cols is the layout of its output batches.
type Node struct {
	// ID is planpb.Plan.id, the key of the executor's counters. A Node that emits
	// several vexec operators (a join with a projection) is counted by the outermost.
	ID     uint32
	Op     nodeOp
	Inputs []*Node
	Cols   []Col
	// Rows and Width are estimates of the output; Startup and Total are costs in
	// PostgreSQL's unit (1.0 = a sequential page read).
	Rows, Width, Startup, Total float64
	// Label is EXPLAIN's relationship or subplan label (InitPlan 1 (returns $0), CTE x, SubPlan 1).
	Label string
	// Parallel: runs below a Gather. Order is the sort order of the output, known prefix.
	Order []sortItem
	// filterID is the vexec Filter emitted above the operator, 0 for none.
	filterID uint32
}

// nodeOp is an operator's own part, one struct per kind, in phys_*.go.
type nodeOp interface{ opName() string }

// quals is a conjunction evaluated by a node.
type quals = []query.Expr
