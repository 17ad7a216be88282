package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// changes places UPDATE, DELETE and MERGE (INSERT: insert): on the gateway, which reads and writes
// through the store, unless every change of a row stays on the row's node.
func (d *distributor) changes(n *Node, m *relModify) spreading {
	if !d.p.opts.PushChanges || !d.changeStays(n, m) {
		return spreading{}
	}
	d.target = m.target
	in, s := d.place(n.Inputs[0])
	d.target = nil
	if !s.spread() {
		return spreading{} // a key lookup: in was left as it is
	}
	n.Inputs[0] = in
	return spreading{kind: anywhere}
}

// changeStays: the rows to change come straight from a scan, keep their places,
// have no unique entries elsewhere and no constraints that look at other rows.
func (d *distributor) changeStays(n *Node, m *relModify) bool {
	t := m.stored
	if m.op != planpb.Modify_UPDATE && m.op != planpb.Modify_DELETE || m.target == nil || len(m.table.ReferencedBy) > 0 ||
		!d.rowByRow(n.Inputs[0], m.target) || !d.rowsStandAlone(m) {
		return false
	}
	for _, ord := range distribution(t) {
		for _, c := range m.changed {
			if uint32(c) == ord {
				return false
			}
		}
	}
	return true
}

// rowsStandAlone: a row of a hash distributed table is stored and checked without a look at
// anything that lies elsewhere.
func (d *distributor) rowsStandAlone(m *relModify) bool {
	t := m.stored
	if t.Placement != planpb.Placement_HASH {
		return false
	}
	for _, c := range m.table.Constraints {
		if c.Type == 'f' {
			return false
		}
	}
	for _, ix := range t.Indexes {
		if ix.Unique {
			return false
		}
	}
	if len(t.Computed) > 0 {
		return false
	}
	for _, c := range t.Columns {
		if !plainType(c.Type.T()) {
			return false
		}
	}
	for _, c := range m.checks {
		if !d.portable(c.expr) {
			return false
		}
	}
	for _, g := range m.generated {
		if !d.portable(g.expr) {
			return false
		}
	}
	for _, r := range m.returning {
		if !d.portable(r.expr) {
			return false
		}
	}
	return true
}

// insertRowsMin is how many rows an INSERT should have for them to be stored by pieces of
// the statement on their nodes.
const insertRowsMin = 1000

// insert places INSERT: on the gateway, or, when there are many rows, on the nodes of their
// slots. Rows that lie there already are stored where they are; others are sent by
// the exchange, from node to node, or in batches from the gateway.
func (d *distributor) insert(n *Node, m *relModify) spreading {
	keys := distribution(m.stored)
	if !d.p.opts.PushChanges || len(keys) == 0 || !d.rowsStandAlone(m) || !d.conflictStays(m, keys) {
		return d.gatherInputs(n)
	}
	for _, g := range m.generated {
		for _, ord := range keys {
			if g.ord == int(ord) {
				return d.gatherInputs(n)
			}
		}
	}
	in, s := d.place(n.Inputs[0])
	if s.kind == copied {
		in, s = d.toGateway(in, s), spreading{}
	}
	if in.Rows < insertRowsMin || !d.sendable(in, s) {
		n.Inputs[0] = d.toGateway(in, s)
		return spreading{}
	}
	there := s.kind == bySlot && len(s.keys) == len(keys)
	by := make([]query.Expr, len(keys))
	for i, ord := range keys {
		c := m.inCols[ord]
		by[i] = d.p.colVar(c)
		if !slotAlike(d.p.cols[c].t, m.stored.Columns[ord].Type.T()) {
			n.Inputs[0] = d.toGateway(in, s)
			return spreading{}
		}
		there = there && s.keys[i].cols.has(c) && slotAlike(s.keys[i].t, d.p.cols[c].t)
	}
	if !there {
		in.Order = nil // rows are stored as they come
		in = d.exchange(in, planpb.Exchange_SLOT, by, s.kind == onGateway)
	}
	n.Inputs[0] = in
	return spreading{kind: anywhere}
}

// conflictStays: what ON CONFLICT does is done where the row is.
func (d *distributor) conflictStays(m *relModify, keys []uint32) bool {
	c := m.conflict
	if c == nil {
		return true
	}
	if len(c.inits) > 0 || !d.portable(c.where) {
		return false
	}
	for _, a := range c.set {
		if !d.portable(a.expr) {
			return false
		}
		for _, ord := range keys {
			if a.ord == int(ord) {
				return false
			}
		}
	}
	return true
}

// rowByRow: nothing but conditions and projections, all portable, is above the
// scan of target, which reads more than some keys.
func (d *distributor) rowByRow(n *Node, target *relGet) bool {
	for i := range n.steps {
		if !d.portableStep(&n.steps[i]) {
			return false
		}
	}
	switch o := n.Op.(type) {
	case *scanOp:
		return o.get == target && d.portable(o.filter...)
	case *gateOp:
		return d.portable(o.quals...) && d.rowByRow(n.Inputs[0], target)
	case *passOp, *gatherOp:
		return d.rowByRow(n.Inputs[0], target)
	}
	return false
}
