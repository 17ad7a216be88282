package plan

import (
	"github.com/basaltdb/basalt/vexec/planpb"
)

// changes places UPDATE, DELETE and MERGE: on the gateway, which reads and writes
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
	if m.op != planpb.Modify_UPDATE && m.op != planpb.Modify_DELETE || t.Placement != planpb.Placement_HASH || m.target == nil ||
		len(m.table.ReferencedBy) > 0 || !d.rowByRow(n.Inputs[0], m.target) {
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
	for _, ord := range distribution(t) {
		for _, c := range m.changed {
			if uint32(c) == ord {
				return false
			}
		}
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
