package plan

import (
	"fmt"
	"sort"
	"time"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// FragmentRun is what one node did of the fragment that feeds an exchange.
type FragmentRun struct {
	Exchange uint32 // 0: of all fragments together
	Node     uint32
	Rows     int64 // sent
	Bytes    int64 // sent
	Time     time.Duration
	// MemoryPeak in bytes.
	MemoryPeak int64
}

func (r *FragmentRun) text(o ExplainOptions) string {
	s := fmt.Sprintf("Node %d: rows=%d bytes=%d", r.Node, r.Rows, r.Bytes)
	if o.Timing {
		s += " time=" + millis(r.Time)
	}
	return s
}

func (r *FragmentRun) json() string {
	return fmt.Sprintf(`{"Node": %d, "Rows Sent": %d, "Bytes Sent": %d, "Time": %s}`, r.Node, r.Rows, r.Bytes, millis(r.Time))
}

// perNode sums the fragments of each node.
func perNode(o ExplainOptions) []FragmentRun {
	if !o.Distributed || !o.Analyze {
		return nil
	}
	sum := map[uint32]*FragmentRun{}
	var out []FragmentRun
	for _, r := range o.Runs {
		s := sum[r.Node]
		if s == nil {
			s = &FragmentRun{Node: r.Node}
			sum[r.Node] = s
		}
		s.Rows, s.Bytes, s.Time = s.Rows+r.Rows, s.Bytes+r.Bytes, s.Time+r.Time
	}
	for _, s := range sum {
		out = append(out, *s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Node < out[j].Node })
	return out
}

func nodeLines(o ExplainOptions) []string {
	var lines []string
	for _, r := range perNode(o) {
		lines = append(lines, r.text(o))
	}
	return lines
}

// visible steps over what the distribute pass has put in, unless that is to be
// shown; conditions left there are those of the node below.
func (d *describer) visible(n *Node) (*Node, []query.Expr) {
	var hidden []query.Expr
	for n.spread && !d.opts.Distributed {
		hidden = append(hidden, n.filters()...)
		n = n.Inputs[0]
	}
	return n, hidden
}

// exchange describes an exchange: where its input runs and where the rows go.
func (d *describer) exchange(n *Node, o *exchangeOp, x *description) {
	kind := [...]string{"Gather", "Broadcast", "Hash", "Slot"}[o.kind]
	from, to := "storage nodes", "storage nodes"
	if o.onGateway {
		from = "gateway"
	}
	if o.kind == planpb.Exchange_GATHER {
		to = "gateway"
	}
	x.name = "Exchange"
	x.title = fmt.Sprintf("Exchange %s %d: %s to %s", kind, o.id, from, to)
	x.fields = append(x.fields, property{label: "Exchange Kind", value: kind}, property{label: "Fragment", value: float64(o.id)},
		property{label: "Runs On", value: from}, property{label: "Sends To", value: to})
	if len(o.keys) > 0 {
		x.props = append(x.props, property{label: kind + " Key", value: d.exprs(o.keys)})
	}
	if len(o.merge) > 0 {
		x.props = append(x.props, property{label: "Merge Key", value: d.keys(o.merge)})
	}
	var runs []FragmentRun
	for _, r := range d.opts.Runs {
		if r.Exchange == o.id {
			runs = append(runs, r)
		}
	}
	if len(runs) > 0 {
		sort.Slice(runs, func(i, j int) bool { return runs[i].Node < runs[j].Node })
		x.props = append(x.props, property{label: "Nodes", value: runs})
	}
	d.child(n, x)
}
