package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// The distribute pass runs over the physical trees of a statement when tables are
// spread over several storage nodes (Options.Sites). It works out for every
// operator where its rows are (spreading) and puts exchanges where an operator
// needs them elsewhere, choosing by the bytes that move. Sites are bound when the
// plan runs: an operator runs on the gateway or on every storage node, each over
// its own tablets.
//
// Rules. Only rows whose order is known (Node.Order) are merged by an exchange; the
// others come as they arrive. What has to run once (volatile functions, functions
// that see the catalog or the session, changes and locks of rows, recursion, CTE
// scans) runs on the gateway, as does what is run again and again for an outer row,
// unless all it reads lies beside that row. REQUIRES of a subtree at the sites: no
// column of an outer Apply, since fragments are started once.

// spreadKind says where the rows of an operator are.
type spreadKind uint8

const (
	onGateway spreadKind = iota // all of them on the gateway
	anywhere                    // each on some storage node
	bySlot                      // on the node of the slot of their keys
	byHash                      // on the node that a hash of their keys names
	copied                      // all of them on every storage node
)

// spreading is where rows are.
type spreading struct {
	kind spreadKind
	keys []spreadKey // bySlot, byHash
}

// spreadKey is one column of what places rows, known by any of several equal columns.
type spreadKey struct {
	cols ColSet
	t    types.T // as hashed
}

func (s spreading) spread() bool { return s.kind == anywhere || s.kind == bySlot || s.kind == byHash }

// lookupRowsMax bounds the rows that the gateway reads through the store itself
// rather than by a fragment: key lookups.
const lookupRowsMax = 200

// exchangeBytes is what an exchange costs beyond its rows, in bytes moved.
const exchangeBytes = 4096

type distributor struct {
	p         *planner
	sites     float64
	exchanges uint32 // so far
	// shared: some init plan reads a CTE. local are the slots of init plans then: their
	// values are not computed before the statement runs, as those that travel are.
	shared bool
	local  map[uint32]bool
	// target is the scan of the rows that a piece is to change.
	target *relGet
}

// distribute puts exchanges into the trees of a statement.
func (p *planner) distribute(pl *Planned) {
	if p.opts.Sites < 1 || p.opts.Disable["distribute"] {
		return
	}
	d := &distributor{p: p, sites: float64(p.opts.Sites), local: map[uint32]bool{}}
	for _, ip := range p.inits {
		d.shared = d.shared || readsShared(ip.node) // one init plan may read another
	}
	for _, ip := range p.inits {
		for _, slot := range ip.slots {
			d.local[slot] = d.shared
		}
	}
	for _, c := range p.ctes {
		c.node = d.root(c.node)
	}
	for i, c := range p.ctes {
		pl.CTEs[i] = c.node
	}
	for i, ip := range p.inits {
		if ip.perRow {
			continue // run for each conflict, on the gateway
		}
		ip.node = d.root(ip.node)
		pl.InitPlans[i] = ip.node
	}
	pl.Root = d.root(pl.Root)
	pl.Exchanges = int(d.exchanges)
	if d.exchanges > 0 {
		p.trace("distribute", "exchange")
	}
}

// readsShared: a subtree reads a CTE.
func readsShared(n *Node) bool {
	if _, ok := n.Op.(*cteOp); ok {
		return true
	}
	for _, in := range n.Inputs {
		if readsShared(in) {
			return true
		}
	}
	return false
}

// root places a tree whose rows the gateway takes.
func (d *distributor) root(n *Node) *Node {
	label := n.Label
	n.Label = ""
	n, s := d.place(n)
	n = d.toGateway(n, s)
	n.Label = label
	return n
}

// bytes of a node's rows.
func (d *distributor) bytes(n *Node) float64 { return n.Rows*(d.p.width(n.Cols)+2) + exchangeBytes }

// exchange moves the rows of a node. Its order is kept by merging at the gateway,
// where columns of the order that the node's last steps drop are dropped after the
// exchange, and by sorting again elsewhere: nodes that merge one another's streams
// could wait for each other without end.
func (d *distributor) exchange(in *Node, kind planpb.Exchange_Kind, keys []query.Expr, gateway bool) *Node {
	d.exchanges++
	cols := in.Cols
	o := &exchangeOp{id: d.exchanges, kind: kind, keys: keys, onGateway: gateway}
	want := exprCols(sortExprs(in.Order)...)
	var moved []step
	if kind == planpb.Exchange_GATHER {
		o.merge = in.Order
		for k := len(in.steps); k >= 0; k-- {
			if want.subsetOf(setOf(in.colsAfter(k)...)) {
				moved = in.steps[k:]
				in.Cols = in.colsAfter(k)
				in.steps = in.steps[:k:k]
				break
			}
		}
	}
	e := d.p.newNode(o, in.Cols, in)
	e.steps, e.Cols, e.spread = moved, cols, true
	e.Rows, e.Width = in.Rows, in.Width
	e.Startup, e.Total = in.Startup, in.Total+d.bytes(in)*costByte
	if kind == planpb.Exchange_GATHER {
		e.Order = in.Order
	} else if len(in.Order) > 0 && want.subsetOf(in.set()) {
		e = d.p.sortNode(e, in.Order, 0)
		e.spread = true
	}
	return e
}

// costByte is the cost of moving one byte between nodes.
const costByte = 0.0002

// colsAfter is the layout after the first k steps.
func (n *Node) colsAfter(k int) []Col {
	cols := n.base
	for _, s := range n.steps[:k] {
		if len(s.filter) == 0 {
			cols = s.cols
		}
	}
	return cols
}

// toGateway brings the rows of a placed node to the gateway.
func (d *distributor) toGateway(n *Node, s spreading) *Node {
	switch s.kind {
	case onGateway:
		return n
	case copied:
		return d.withoutCopies(n)
	}
	return d.exchange(n, planpb.Exchange_GATHER, nil, false)
}

// withoutCopies makes a copied subtree one for the gateway: it reads the copied
// tables through the store, and what was sent to every node comes to it alone.
func (d *distributor) withoutCopies(n *Node) *Node {
	if e, ok := n.Op.(*exchangeOp); ok {
		if e.onGateway {
			in := n.Inputs[0]
			in.steps = append(in.steps[:len(in.steps):len(in.steps)], n.steps...)
			in.Cols = n.Cols
			return in
		}
		e.kind = planpb.Exchange_GATHER
		return n
	}
	for i, in := range n.Inputs {
		n.Inputs[i] = d.withoutCopies(in)
	}
	return n
}

// place works out where the rows of a subtree are, putting exchanges below it.
func (d *distributor) place(n *Node) (*Node, spreading) {
	steps, cols := n.steps, n.Cols
	s := d.op(n)
	if s.kind == onGateway {
		return n, s
	}
	for i := range steps {
		if !d.portableStep(&steps[i]) {
			n.steps, n.Cols = steps[:i:i], n.colsAfter(i)
			g := d.toGateway(n, s)
			g.steps = append(g.steps[:len(g.steps):len(g.steps)], steps[i:]...)
			g.Cols = cols
			return g, spreading{}
		}
		for _, it := range steps[i].items {
			s.rename(it.col, it.expr)
		}
	}
	return n, s
}

// rename notes that column c is expression e.
func (s *spreading) rename(c Col, e query.Expr) {
	from, ok := asCol(e)
	if !ok {
		return
	}
	for i, k := range s.keys {
		if k.cols.has(from) {
			k.cols = k.cols.copy()
			k.cols.add(c)
			s.keys[i] = k
		}
	}
}

// gatherInputs places the inputs of a node and brings them to the gateway.
func (d *distributor) gatherInputs(n *Node) spreading {
	for i, in := range n.Inputs {
		n.Inputs[i] = d.root(in)
	}
	return spreading{}
}

// op places an operator, not minding its steps.
func (d *distributor) op(n *Node) spreading {
	switch o := n.Op.(type) {
	case *scanOp:
		return d.scan(n, o)
	case *joinOp:
		if o.method == methodApply {
			return d.apply(n, o)
		}
		return d.join(n, o)
	case *aggOp:
		return d.agg(n, o)
	case *gateOp:
		if !d.portable(o.quals...) {
			return d.gatherInputs(n)
		}
		return d.through(n)
	case *passOp, *materializeOp:
		return d.through(n)
	case *gatherOp:
		return d.gather(n)
	case *sortOp:
		return d.sort(n, o)
	case *limitOp:
		return d.limit(n, o)
	case *uniqueOp:
		return d.unique(n, o)
	case *appendOp:
		return d.append(n)
	case *setOpOp:
		return d.setOp(n)
	case *windowOp:
		return d.window(n, o)
	case *projectSetOp:
		if len(n.Order) > 0 {
			return d.gatherInputs(n)
		}
		for _, it := range o.items {
			if !d.portable(it.fn) {
				return d.gatherInputs(n)
			}
		}
		return d.through(n)
	case *recursiveOp:
		n.Inputs[0] = d.root(n.Inputs[0]) // the right side runs again and again
		return spreading{}
	case *batchOp:
		n.Inputs[0] = d.root(n.Inputs[0]) // the body runs again and again
		return spreading{}
	case *modifyOp:
		if o.rel.op == planpb.Modify_INSERT {
			return d.insert(n, o.rel)
		}
		return d.changes(n, o.rel)
	}
	// Values, functions, CTEs, work tables and locked rows.
	return spreading{}
}

// through places an operator with one input that works row by row.
func (d *distributor) through(n *Node) spreading {
	in, s := d.place(n.Inputs[0])
	n.Inputs[0] = in
	return s
}

// gather places what the workers of one node read together. Where each of them
// would start what pulls an exchange, there is one worker.
func (d *distributor) gather(n *Node) spreading {
	s := d.through(n)
	if ownExchange(n.Inputs[0]) {
		n.Op.(*gatherOp).workers = 1
	}
	return s
}

// ownExchange: an exchange is read elsewhere than in the build side of a hash join,
// which workers share.
func ownExchange(n *Node) bool {
	if _, ok := n.Op.(*exchangeOp); ok {
		return true
	}
	for i, in := range n.Inputs {
		if j, ok := n.Op.(*joinOp); ok && j.method == methodHash && i == 1 {
			continue
		}
		if ownExchange(in) {
			return true
		}
	}
	return false
}

// scan places a table's rows.
func (d *distributor) scan(n *Node, o *scanOp) spreading {
	t := o.get.stored
	if t == nil || o.get.table.Storage == nil || o.get.target != 0 && o.get != d.target || o.get.sample != nil || t.Placement == planpb.Placement_SYSTEM || !d.portable(o.filter...) {
		return spreading{}
	}
	for _, c := range n.base {
		if !plainType(d.p.cols[c].t) {
			return spreading{}
		}
	}
	if o.index >= 0 && o.name != "" && t.Indexes[o.index].Unique {
		return spreading{} // its entries lie apart from their rows
	}
	if t.Placement == planpb.Placement_ALL {
		return spreading{kind: copied}
	}
	if d.fixed(o) && n.Rows <= lookupRowsMax {
		return spreading{}
	}
	s := spreading{kind: bySlot}
	for _, ord := range distribution(t) {
		found := false
		for _, c := range o.cols {
			if c.ord == int32(ord) {
				s.keys = append(s.keys, spreadKey{setOf(c.col), d.p.cols[c.col].t})
				found = true
				break
			}
		}
		if !found {
			return spreading{kind: anywhere}
		}
	}
	if len(s.keys) == 0 {
		s.kind = anywhere
	}
	return s
}

// distribution lists the ordinals of the columns that place a hash distributed
// table's rows; none for hidden row ids.
func distribution(t *planpb.Table) []uint32 {
	if len(t.PrimaryKey) == 0 {
		return nil
	}
	if len(t.Distribution) == 0 {
		return []uint32{t.PrimaryKey[0].Ordinal}
	}
	var out []uint32
	for _, k := range t.Distribution {
		out = append(out, t.PrimaryKey[k].Ordinal)
	}
	return out
}

// fixed: the keys a scan reads name the nodes of their rows.
func (d *distributor) fixed(o *scanOp) bool {
	if len(o.spans) == 0 || o.name == "" {
		return false
	}
	t := o.get.stored
	keys := t.PrimaryKey
	if o.index >= 0 {
		keys = t.Indexes[o.index].Keys
	}
	dist := distribution(t)
	for _, sp := range o.spans {
		for _, ord := range dist {
			found := false
			for i := range sp.eq {
				found = found || i < len(keys) && keys[i].Ordinal == ord
			}
			if !found {
				return false
			}
		}
	}
	return len(dist) > 0
}
