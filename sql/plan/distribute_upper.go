package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sort sorts at the nodes, cutting to the first rows there; whoever needs one order
// of all merges.
func (d *distributor) sort(n *Node, o *sortOp) spreading {
	in, s := d.place(n.Inputs[0])
	n.Inputs[0] = in
	if s.kind != onGateway && !d.portableKeys(o.keys) {
		n.Inputs[0] = d.toGateway(in, s)
		return spreading{}
	}
	return s
}

// limit cuts at the nodes to as many rows as may be asked for, then at the gateway.
func (d *distributor) limit(n *Node, o *limitOp) spreading {
	in, s := d.place(n.Inputs[0])
	if s.kind == onGateway {
		n.Inputs[0] = in
		return s
	}
	if s.spread() {
		if count := d.localCount(o); count != nil {
			if t, ok := in.Op.(*sortOp); !ok || t.limit == 0 || len(in.steps) > 0 {
				cut := d.p.newNode(&limitOp{count: count}, in.Cols, in)
				cut.Order, cut.Width, cut.Startup, cut.Total = in.Order, in.Width, in.Startup, in.Total
				cut.Rows, cut.spread = in.Rows, true
				if c, ok := d.p.constRows(count); ok && c*d.sites < cut.Rows {
					cut.Rows = c * d.sites
				}
				in = d.splitOrder(cut, in)
			}
		}
	}
	n.Inputs[0] = d.toGateway(in, s)
	return spreading{}
}

// splitOrder keeps the columns of a limited input's order at hand for the merge: what
// drops them moves above the limit.
func (d *distributor) splitOrder(cut, in *Node) *Node {
	want := exprCols(sortExprs(in.Order)...)
	if want.subsetOf(in.set()) {
		return cut
	}
	for k := len(in.steps) - 1; k >= 0; k-- {
		if len(in.steps[k].filter) > 0 {
			break
		}
		if cols := in.colsAfter(k); want.subsetOf(setOf(cols...)) {
			cut.steps, cut.Cols = in.steps[k:], in.Cols
			in.steps, in.Cols = in.steps[:k:k], cols
			cut.base = cols
			return cut
		}
	}
	return cut
}

// localCount is the number of rows a node has to deliver for a LIMIT with OFFSET;
// nil when there is no telling.
func (d *distributor) localCount(o *limitOp) query.Expr {
	if isNil(o.count) || o.withTies || !d.portable(o.count) {
		return nil
	}
	if isNil(o.offset) {
		return o.count
	}
	c, okC := d.p.constRows(o.count)
	off, okO := d.p.constRows(o.offset)
	if !okC || !okO {
		return nil
	}
	return &query.Const{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Value: int64(c + off)}
}

// unique drops doubles at the nodes, and once more where a node does not have all
// rows of a key.
func (d *distributor) unique(n *Node, o *uniqueOp) spreading {
	in, s := d.place(n.Inputs[0])
	n.Inputs[0] = in
	if !s.spread() {
		return s
	}
	if !d.portable(o.keys...) {
		n.Inputs[0] = d.toGateway(in, s)
		return spreading{}
	}
	if d.together(s, o.keys) {
		return s
	}
	first := d.p.newNode(&uniqueOp{o.keys}, in.Cols, in)
	first.Order, first.Rows, first.Width, first.Startup, first.Total = in.Order, in.Rows, in.Width, in.Startup, in.Total
	first.spread = true
	n.Inputs[0] = d.toGateway(first, s)
	return spreading{}
}

// together: rows that are equal in keys are on one node.
func (d *distributor) together(s spreading, keys []query.Expr) bool {
	if s.kind != bySlot && s.kind != byHash || len(s.keys) == 0 {
		return false
	}
	for _, k := range s.keys {
		found := false
		for _, e := range keys {
			c, ok := asCol(d.underCasts(e))
			found = found || ok && k.cols.has(c)
		}
		if !found {
			return false
		}
	}
	return true
}

// append places UNION ALL: at the nodes when all its inputs are.
func (d *distributor) append(n *Node) spreading {
	all := make([]spreading, len(n.Inputs))
	spread := true
	for i, in := range n.Inputs {
		n.Inputs[i], all[i] = d.place(in)
		spread = spread && all[i].spread()
	}
	if spread {
		return d.appended(n, all)
	}
	for i, in := range n.Inputs {
		n.Inputs[i] = d.toGateway(in, all[i])
	}
	return spreading{}
}

// appended is where the rows of a UNION ALL are: by the keys that all its inputs
// have at the same positions.
func (d *distributor) appended(n *Node, all []spreading) spreading {
	out := spreading{kind: all[0].kind}
	for k := range all[0].keys {
		key := spreadKey{t: all[0].keys[k].t}
		for pos, c := range n.base {
			same := true
			for i, s := range all {
				if s.kind != out.kind || len(s.keys) != len(all[0].keys) || pos >= len(n.Inputs[i].Cols) {
					return spreading{kind: anywhere}
				}
				same = same && s.keys[k].cols.has(n.Inputs[i].Cols[pos]) && s.keys[k].t.OID == key.t.OID
			}
			if same {
				key.cols.add(c)
			}
		}
		if key.cols.empty() {
			return spreading{kind: anywhere}
		}
		out.keys = append(out.keys, key)
	}
	if len(out.keys) == 0 {
		return spreading{kind: anywhere}
	}
	return out
}

// setOp places INTERSECT and EXCEPT: large inputs meet by a hash of all columns.
func (d *distributor) setOp(n *Node) spreading {
	l, ls := d.place(n.Inputs[0])
	r, rs := d.place(n.Inputs[1])
	hash := ls.spread() && rs.spread() && l.Rows+r.Rows > groupsGatherMax && d.canHash(d.vars(l.Cols))
	for i := range l.Cols {
		hash = hash && d.p.cols[l.Cols[i]].t.OID == d.p.cols[r.Cols[i]].t.OID
	}
	if !hash {
		n.Inputs[0], n.Inputs[1] = d.toGateway(l, ls), d.toGateway(r, rs)
		return spreading{}
	}
	n.Inputs[0] = d.exchange(l, planpb.Exchange_HASH, d.vars(l.Cols), false)
	n.Inputs[1] = d.exchange(r, planpb.Exchange_HASH, d.vars(r.Cols), false)
	return d.placedBy(byHash, d.vars(n.base))
}

func (d *distributor) vars(cols []Col) []query.Expr {
	var out []query.Expr
	for _, c := range cols {
		out = append(out, d.p.colVar(c))
	}
	return out
}

// window places window functions: at the nodes when the rows of a partition are
// together, or are brought together.
func (d *distributor) window(n *Node, o *windowOp) spreading {
	w := o.rel
	ok := d.portable(w.partition...) && d.portableKeys(w.order) && d.portable(w.frame.StartOffset, w.frame.EndOffset)
	for _, c := range w.calls {
		ok = ok && d.portable(c.fn)
	}
	if !ok {
		return d.gatherInputs(n)
	}
	// The sort for the window can follow the exchange.
	at, i := n, 0
	if t, is := n.Inputs[0].Op.(*sortOp); is && t.limit == 0 && t.presorted == 0 {
		at = n.Inputs[0]
		for k := range at.steps {
			if !d.portableStep(&at.steps[k]) {
				return d.gatherInputs(n)
			}
		}
		if !d.portableKeys(t.keys) {
			return d.gatherInputs(n)
		}
	}
	in, s := d.place(at.Inputs[i])
	at.Inputs[i] = in
	switch {
	case !s.spread():
		return s
	case d.together(s, w.partition):
	case at != n && d.canHash(w.partition) && in.Rows > groupsGatherMax:
		at.Inputs[i] = d.exchange(in, planpb.Exchange_HASH, w.partition, false)
		s = d.placedBy(byHash, w.partition)
	default:
		n.Inputs[0] = d.toGateway(n.Inputs[0], s)
		return spreading{}
	}
	if at != n {
		for k := range at.steps {
			for _, it := range at.steps[k].items {
				s.rename(it.col, it.expr)
			}
		}
	}
	return s
}
