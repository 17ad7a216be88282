package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// keepsLeft: the join treats each left row by itself, so that the right side may be
// whole at every node and the left in parts.
func keepsLeft(t planpb.JoinType) bool {
	switch t {
	case planpb.JoinType_RIGHT, planpb.JoinType_FULL, planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
		return false
	}
	return true
}

// keepsRight is the same with the sides exchanged.
func keepsRight(t planpb.JoinType) bool {
	switch t {
	case planpb.JoinType_INNER, planpb.JoinType_RIGHT, planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
		return true
	}
	return false
}

// byKeys: rows of one key need to meet the other side's rows of that key only.
// NOT IN and marks ask whether the whole right side holds a NULL.
func byKeys(t planpb.JoinType) bool {
	return t != planpb.JoinType_NULL_AWARE_ANTI && t != planpb.JoinType_MARK
}

// joinWay is one way to bring the sides of a join together.
type joinWay struct {
	cost        float64
	left, right func(in *Node, s spreading) (*Node, spreading) // nil: as it is
	gateway     bool
}

// join places a hash, merge or loop join.
func (d *distributor) join(n *Node, o *joinOp) spreading {
	if !d.portable(o.residual...) || !d.portable(o.lkeys...) || !d.portable(o.rkeys...) {
		return d.gatherInputs(n)
	}
	l, ls := d.place(n.Inputs[0])
	r, rs := d.place(n.Inputs[1])
	n.Inputs = []*Node{l, r}
	if ls.kind == onGateway && rs.kind == onGateway {
		return spreading{}
	}
	if ls.kind == copied && rs.kind == copied {
		return ls
	}
	if !d.sendable(l, ls) || !d.sendable(r, rs) {
		n.Inputs = []*Node{d.toGateway(l, ls), d.toGateway(r, rs)}
		return spreading{}
	}
	gathered := func(in *Node, s spreading) (*Node, spreading) { return d.toGateway(in, s), spreading{} }
	everywhere := func(in *Node, s spreading) (*Node, spreading) {
		if s.kind == copied {
			return in, s
		}
		return d.exchange(in, planpb.Exchange_BROADCAST, nil, s.kind == onGateway), spreading{kind: copied}
	}
	away := func(in *Node, s spreading) float64 { // bytes to the gateway
		if s.kind == onGateway || s.kind == copied {
			return 0
		}
		return d.bytes(in)
	}
	wide := func(in *Node, s spreading) float64 { // bytes to every node
		if s.kind == copied {
			return 0
		}
		return (d.bytes(in)-exchangeBytes)*d.sites + exchangeBytes
	}
	once := func(in *Node, s spreading) float64 { // bytes to one node each
		if s.kind == onGateway {
			return d.bytes(in)
		}
		return d.bytes(in) * (d.sites - 1) / d.sites
	}
	// The gateway works alone: what it has to take in counts more.
	best := joinWay{cost: (away(l, ls) + away(r, rs)) * gatewayPenalty, left: gathered, right: gathered, gateway: true}
	try := func(w joinWay) {
		if w.cost < best.cost {
			best = w
		}
	}
	if ls.kind != onGateway && keepsLeft(o.typ) && ls.kind != copied {
		try(joinWay{cost: wide(r, rs), right: everywhere})
	}
	if rs.kind != onGateway && keepsRight(o.typ) && rs.kind != copied {
		try(joinWay{cost: wide(l, ls), left: everywhere})
	}
	if byKeys(o.typ) && len(o.lkeys) > 0 && ls.kind != copied && rs.kind != copied {
		if d.colocated(ls, rs, o.lkeys, o.rkeys) {
			try(joinWay{cost: 0})
		}
		if keys, ok := d.follow(ls, o.lkeys, o.rkeys); ok {
			try(joinWay{cost: once(r, rs), right: d.sender(ls, keys)})
		}
		if keys, ok := d.follow(rs, o.rkeys, o.lkeys); ok {
			try(joinWay{cost: once(l, ls), left: d.sender(rs, keys)})
		}
		if d.canHash(o.lkeys) && d.canHash(o.rkeys) {
			try(joinWay{cost: once(l, ls) + once(r, rs), left: d.hasher(o.lkeys), right: d.hasher(o.rkeys)})
		}
	}
	if best.left != nil {
		n.Inputs[0], ls = best.left(l, ls)
	}
	if best.right != nil {
		n.Inputs[1], rs = best.right(r, rs)
	}
	if best.gateway {
		return spreading{}
	}
	return d.joined(o, ls, rs)
}

// sendable: rows on the gateway can be sent from there. What reads a CTE runs with
// the statement and not as a piece of its own.
func (d *distributor) sendable(n *Node, s spreading) bool {
	return s.kind != onGateway || !d.shared && !readsShared(n)
}

// gatewayPenalty weighs bytes that only the gateway can work on.
const gatewayPenalty = 2

// joined is where the rows of a join are, with its inputs in place.
func (d *distributor) joined(o *joinOp, l, r spreading) spreading {
	out := l
	switch {
	case o.typ == planpb.JoinType_FULL:
		return spreading{kind: anywhere}
	case l.kind == copied, !keepsLeft(o.typ):
		out = r
	}
	out.keys = append([]spreadKey{}, out.keys...)
	if o.typ != planpb.JoinType_INNER {
		return out
	}
	for i := range o.lkeys {
		if o.nullEqual[i] {
			continue
		}
		a, okA := asCol(d.underCasts(o.lkeys[i]))
		b, okB := asCol(d.underCasts(o.rkeys[i]))
		if !okA || !okB {
			continue
		}
		for k, key := range out.keys {
			if key.cols.has(a) || key.cols.has(b) {
				key.cols = key.cols.copy()
				key.cols.add(a)
				key.cols.add(b)
				out.keys[k] = key
			}
		}
	}
	return out
}

// isKey: a join key is column i of what places rows. Both ways to place hash equal
// values of different types alike.
func (d *distributor) isKey(s spreading, i int, e query.Expr) bool {
	k := s.keys[i]
	if !slotAlike(k.t, e.Type()) {
		return false
	}
	c, ok := asCol(d.underCasts(e))
	return ok && k.cols.has(c)
}

// colocated: rows with equal keys are on one node already.
func (d *distributor) colocated(l, r spreading, lkeys, rkeys []query.Expr) bool {
	if l.kind != r.kind || l.kind != bySlot && l.kind != byHash || len(l.keys) != len(r.keys) || len(l.keys) == 0 {
		return false
	}
	for i := range l.keys {
		found := false
		for j := range lkeys {
			found = found || d.isKey(l, i, lkeys[j]) && d.isKey(r, i, rkeys[j]) && slotAlike(l.keys[i].t, r.keys[i].t)
		}
		if !found {
			return false
		}
	}
	return true
}

// follow gives the keys by which the other side's rows go to where this side's are.
func (d *distributor) follow(s spreading, own, other []query.Expr) ([]query.Expr, bool) {
	if s.kind != bySlot && s.kind != byHash || len(s.keys) == 0 {
		return nil, false
	}
	var keys []query.Expr
	for i := range s.keys {
		found := false
		for j := range own {
			if d.isKey(s, i, own[j]) && slotAlike(s.keys[i].t, other[j].Type()) {
				keys = append(keys, other[j])
				found = true
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return keys, true
}

// sender moves rows to where those placed as to are, by keys.
func (d *distributor) sender(to spreading, keys []query.Expr) func(in *Node, s spreading) (*Node, spreading) {
	return func(in *Node, s spreading) (*Node, spreading) {
		kind := planpb.Exchange_SLOT
		if to.kind == byHash {
			kind = planpb.Exchange_HASH
		}
		return d.exchange(in, kind, keys, s.kind == onGateway), d.placedBy(to.kind, keys)
	}
}

// hasher spreads rows by a hash of keys.
func (d *distributor) hasher(keys []query.Expr) func(in *Node, s spreading) (*Node, spreading) {
	return func(in *Node, s spreading) (*Node, spreading) {
		return d.exchange(in, planpb.Exchange_HASH, keys, s.kind == onGateway), d.placedBy(byHash, keys)
	}
}

// placedBy is where rows are that were sent by keys.
func (d *distributor) placedBy(kind spreadKind, keys []query.Expr) spreading {
	s := spreading{kind: kind}
	for _, k := range keys {
		key := spreadKey{t: k.Type()}
		if c, ok := asCol(d.underCasts(k)); ok {
			key.cols.add(c)
		}
		s.keys = append(s.keys, key)
	}
	return s
}

// apply places a join whose right side runs once per left row. It runs at the
// nodes when all that the right side reads lies where the left row is.
func (d *distributor) apply(n *Node, o *joinOp) spreading {
	l, ls := d.place(n.Inputs[0])
	n.Inputs[0] = l
	keys, ok := d.beside(l, n.Inputs[1])
	if !ok || !d.portable(o.residual...) || ls.kind == onGateway && l.Rows <= lookupRowsMax || !d.sendable(l, ls) {
		n.Inputs[0] = d.toGateway(l, ls)
		return spreading{}
	}
	if len(keys) == 0 { // copied tables only
		return ls
	}
	if ls.kind == bySlot && len(ls.keys) == len(keys) {
		there := true
		for i := range keys {
			there = there && d.isKey(ls, i, keys[i])
		}
		if there {
			return ls
		}
	}
	if ls.kind == copied {
		n.Inputs[0] = d.toGateway(l, ls)
		return spreading{}
	}
	n.Inputs[0] = d.exchange(l, planpb.Exchange_SLOT, keys, ls.kind == onGateway)
	return d.placedBy(bySlot, keys)
}

// beside looks for the columns of the left row whose slot is that of every row that
// the right side reads; no keys: all it reads is copied to every node.
func (d *distributor) beside(l, right *Node) (keys []query.Expr, ok bool) {
	left := l.set()
	alias := map[Col]query.Expr{} // distribution columns of right scans by what they equal
	var pending []*scanOp
	if !d.collect(right, &pending) {
		return nil, false
	}
	for len(pending) > 0 {
		var rest []*scanOp
		for _, o := range pending {
			ks, cols, found := d.boundTo(o, left, alias)
			if !found {
				rest = append(rest, o)
				continue
			}
			if keys == nil {
				keys = ks
			} else if len(keys) != len(ks) {
				return nil, false
			}
			for i := range ks {
				if !equalExpr(keys[i], ks[i]) {
					return nil, false
				}
				alias[cols[i]] = ks[i]
			}
		}
		if len(rest) == len(pending) {
			return nil, false
		}
		pending = rest
	}
	return keys, true
}

// collect lists the scans of hash distributed tables in a subtree run per row;
// false when it cannot run at the nodes.
func (d *distributor) collect(n *Node, scans *[]*scanOp) bool {
	for i := range n.steps {
		if !d.portableStep(&n.steps[i]) {
			return false
		}
	}
	switch o := n.Op.(type) {
	case *scanOp:
		t := o.get.stored
		if t == nil || o.get.table.Storage == nil || o.get.target != 0 || o.get.sample != nil || t.Placement == planpb.Placement_SYSTEM ||
			!d.portable(o.filter...) || !d.portable(o.cond...) || o.index >= 0 && o.name != "" && t.Indexes[o.index].Unique {
			return false
		}
		for _, c := range n.base {
			if !plainType(d.p.cols[c].t) {
				return false
			}
		}
		if t.Placement != planpb.Placement_ALL {
			*scans = append(*scans, o)
		}
	case *joinOp:
		if !d.portable(o.residual...) || !d.portable(o.lkeys...) || !d.portable(o.rkeys...) {
			return false
		}
	case *aggOp:
		for _, a := range o.aggs {
			if !d.portable(a.agg) {
				return false
			}
		}
		for _, k := range o.keys {
			if !d.portable(k.expr) {
				return false
			}
		}
	case *gateOp:
		if !d.portable(o.quals...) {
			return false
		}
	case *sortOp:
		if !d.portableKeys(o.keys) {
			return false
		}
	case *limitOp:
		if !d.portable(o.count, o.offset) {
			return false
		}
	case *passOp, *materializeOp, *resultOp, *appendOp:
	default:
		return false
	}
	for _, in := range n.Inputs {
		if !d.collect(in, scans) {
			return false
		}
	}
	return true
}

// boundTo gives the left columns that the distribution columns of a scan equal.
func (d *distributor) boundTo(o *scanOp, left ColSet, alias map[Col]query.Expr) (keys []query.Expr, cols []Col, ok bool) {
	quals := append(append([]query.Expr{}, o.cond...), o.filter...)
	dist := distribution(o.get.stored)
	for _, ord := range dist {
		var col Col
		for _, c := range o.get.cols {
			if c.ord == int32(ord) {
				col = c.col
			}
		}
		found := false
		for _, q := range quals {
			a, b, is := d.p.equalitySides(q)
			if !is || found {
				continue
			}
			for range 2 {
				a, b = b, a
				if c, plain := asCol(d.underCasts(a)); !plain || c != col || found {
					continue
				}
				v := d.underCasts(b)
				c, plain := asCol(v)
				if !plain || !slotAlike(d.p.cols[col].t, v.Type()) || !slotAlike(a.Type(), b.Type()) {
					continue
				}
				if e, has := alias[c]; has {
					v = e
				} else if !left.has(c) {
					continue
				}
				keys, cols, found = append(keys, v), append(cols, col), true
			}
		}
		if !found {
			return nil, nil, false
		}
	}
	return keys, cols, len(dist) > 0
}
