package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Node is an operator of the physical tree: what vexec will run plus what EXPLAIN
// shows. The operator's own output (base) goes through steps, filters and
// projections, to become Cols, the layout of the node's batches.
type Node struct {
	// ID is planpb.Plan.id of the outermost vexec operator the node became, the key
	// of its row and time counters; opID is the operator itself.
	ID, opID uint32
	filterID uint32 // of the last filter step, 0 for none
	Op       nodeOp
	Inputs   []*Node
	base     []Col
	steps    []step
	Cols     []Col
	// Rows and Width are estimates of the output; Startup and Total are costs in
	// PostgreSQL's unit (1.0 = a sequential page read).
	Rows, Width, Startup, Total float64
	// Label is EXPLAIN's subplan label: "InitPlan 1 (returns $0)", "CTE x", "SubPlan 1".
	Label string
	// Order is the known sort order of the output.
	Order []sortItem
	// safe: may run below a Gather (parallel.go).
	safe bool
	// spread: put there by the distribute pass; only EXPLAIN (DISTRIBUTED) shows it.
	spread bool
}

// step is a filter (filter not empty) or a projection to cols (items compute
// those that are not there yet).
type step struct {
	filter []query.Expr
	items  []projItem
	cols   []Col
}

// nodeOp is an operator's own part.
type nodeOp interface{ opName() string }

type (
	scanOp struct {
		get     *relGet
		cols    []getCol
		filter  []query.Expr // over the columns, all that is not in cond
		cond    []query.Expr // what the spans stand for (Index Cond)
		spans   []*spanSpec
		index   int    // position in stored.Indexes; −1: the table by its primary key
		name    string // of the index used, "" for a whole scan
		ordered bool
		reverse bool
		limit   float64
	}
	resultOp struct { // one row
		items []projItem
	}
	gateOp struct { // its input's rows, if the conditions (no columns of the input) hold
		quals []query.Expr
	}
	passOp struct { // its input's rows: a place for steps (Subquery Scan)
		alias string
	}
	valuesOp struct {
		rel *relValues
	}
	joinOp struct {
		typ         planpb.JoinType
		method      joinMethod
		lkeys       []query.Expr
		rkeys       []query.Expr
		nullEqual   []bool
		keyQuals    []query.Expr // as written, for EXPLAIN
		residual    []query.Expr
		mark        Col
		bindings    []Col // apply: columns of the left that the right uses
		fromLateral bool
	}
	aggOp struct {
		keys      []projItem
		aggs      []aggItem
		sets      [][]int
		finer     []int // by set: the one whose states are combined for it, −1: none; nil: for all
		groupings []groupingItem
		phase     planpb.Agg_Phase
		sorted    bool
		distinct  bool
		groups    float64 // estimated, before HAVING
		partial   *Node   // FINAL: the PARTIAL aggregation whose states it takes, just below
		eager     bool    // PARTIAL and FINAL stand apart (pass_eager_agg.go)
	}
	sortOp struct {
		keys      []sortItem
		limit     uint64
		presorted int
	}
	limitOp struct {
		count, offset query.Expr
		withTies      bool
		ties          []sortItem
	}
	uniqueOp struct {
		keys []query.Expr
	}
	setOpOp struct {
		op planpb.SetOp_Op
	}
	appendOp struct{}
	windowOp struct {
		rel *relWindow
	}
	projectSetOp struct {
		items []setItem
		pass  []Col
	}
	functionOp struct {
		rel *relFunction
	}
	recursiveOp struct {
		distinct bool
		table    uint32
	}
	workTableOp struct {
		table uint32
		alias string
	}
	cteOp struct {
		cte   *cteInfo
		alias string
	}
	modifyOp struct {
		rel *relModify
	}
	lockOp struct {
		targets []lockTarget
	}
	gatherOp struct {
		workers int
		merge   []sortItem
	}
	materializeOp struct{}
	batchOp       struct {
		slot, first uint32
	}
	chunkOp struct {
		slot uint32
	}
	// exchangeOp moves its input's rows between sites (distribute.go).
	exchangeOp struct {
		id        uint32
		kind      planpb.Exchange_Kind
		keys      []query.Expr
		merge     []sortItem
		onGateway bool
	}
)

type joinMethod uint8

const (
	methodHash joinMethod = iota
	methodLoop
	methodMerge
	methodApply
)

// spanSpec is one key range: equalities on the first columns, then bounds on the next.
type spanSpec struct {
	eq           []query.Expr
	eqNull       []bool
	lower, upper query.Expr
	lowerInc     bool
	upperInc     bool
	lastIsArray  bool
}

func (o *scanOp) opName() string        { return "scan" }
func (o *resultOp) opName() string      { return "result" }
func (o *gateOp) opName() string        { return "gate" }
func (o *passOp) opName() string        { return "pass" }
func (o *valuesOp) opName() string      { return "values" }
func (o *joinOp) opName() string        { return "join" }
func (o *aggOp) opName() string         { return "agg" }
func (o *sortOp) opName() string        { return "sort" }
func (o *limitOp) opName() string       { return "limit" }
func (o *uniqueOp) opName() string      { return "unique" }
func (o *setOpOp) opName() string       { return "setop" }
func (o *appendOp) opName() string      { return "append" }
func (o *windowOp) opName() string      { return "window" }
func (o *projectSetOp) opName() string  { return "project set" }
func (o *functionOp) opName() string    { return "function scan" }
func (o *recursiveOp) opName() string   { return "recursive union" }
func (o *workTableOp) opName() string   { return "work table scan" }
func (o *cteOp) opName() string         { return "cte scan" }
func (o *modifyOp) opName() string      { return "modify" }
func (o *lockOp) opName() string        { return "lock rows" }
func (o *gatherOp) opName() string      { return "gather" }
func (o *materializeOp) opName() string { return "materialize" }
func (o *batchOp) opName() string       { return "batch apply" }
func (o *chunkOp) opName() string       { return "batch scan" }
func (o *exchangeOp) opName() string    { return "exchange" }

// newNode makes a node whose operator delivers base.
func (p *planner) newNode(op nodeOp, base []Col, inputs ...*Node) *Node {
	return &Node{Op: op, Inputs: inputs, base: base, Cols: base}
}

func (n *Node) has(c Col) bool {
	for _, x := range n.Cols {
		if x == c {
			return true
		}
	}
	return false
}

func (n *Node) set() ColSet { return setOf(n.Cols...) }

// filter adds conditions on top of the node.
func (n *Node) filter(qs []query.Expr) {
	if len(qs) == 0 {
		return
	}
	if k := len(n.steps) - 1; k >= 0 && len(n.steps[k].filter) > 0 {
		n.steps[k].filter = append(n.steps[k].filter, qs...)
		return
	}
	n.steps = append(n.steps, step{filter: append([]query.Expr{}, qs...)})
}

// project adds computed columns and keeps those of keep among the present ones.
func (n *Node) project(items []projItem, keep ColSet) {
	var cols []Col
	seen := map[Col]bool{}
	for _, c := range n.Cols {
		if keep.has(c) && !seen[c] {
			seen[c] = true
			cols = append(cols, c)
		}
	}
	for _, it := range items {
		cols = append(cols, it.col)
	}
	n.steps = append(n.steps, step{items: items, cols: cols})
	n.Cols = cols
}

// arrange makes the layout exactly cols (which may repeat).
func (n *Node) arrange(cols []Col) {
	same := len(cols) == len(n.Cols)
	for i := 0; same && i < len(cols); i++ {
		same = cols[i] == n.Cols[i]
	}
	if same {
		return
	}
	cols = append([]Col{}, cols...)
	n.steps = append(n.steps, step{cols: cols})
	n.Cols = cols
}

// filters are all conditions in the node's steps.
func (n *Node) filters() []query.Expr {
	var out []query.Expr
	for _, s := range n.steps {
		out = append(out, s.filter...)
	}
	return out
}

// width of a column in bytes, for estimates.
func (p *planner) colWidth(c Col) float64 {
	ci := &p.cols[c]
	if cs := p.colStats(c); cs != nil && cs.AvgWidth > 0 {
		return cs.AvgWidth
	}
	return typeWidth(ci.t)
}

func typeWidth(t types.T) float64 {
	switch t.OID {
	case types.Bool, types.Char:
		return 1
	case types.Int2:
		return 2
	case types.Int4, types.Float4, types.DateOID, types.Oid, types.RegClass, types.RegProc, types.RegType:
		return 4
	case types.Int8, types.Float8, types.TimeOID, types.TimestampOID, types.TimestampTZOID:
		return 8
	case types.IntervalOID, types.UUIDOID:
		return 16
	case types.TimeTZOID:
		return 12
	case types.Name:
		return 64
	case types.NumericOID:
		return 8
	case types.Bit, types.VarBit:
		if t.Mod > 0 {
			return min(float64(t.Mod), 1024)
		}
	case types.BPChar, types.VarChar:
		if t.Mod > 4 {
			if w := float64(t.Mod - 4); w < 32 {
				return w
			} else if t.OID == types.BPChar {
				return w
			}
			return 32
		}
	}
	return 32
}

func (p *planner) width(cols []Col) float64 {
	w := 0.0
	for _, c := range cols {
		w += p.colWidth(c)
	}
	return w
}
