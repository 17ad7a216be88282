package plan

import (
	"math"
	"math/bits"

	"github.com/basaltdb/basalt/sql/query"
)

// passJoinOrder reorders joins. A maximal tree of joins is taken apart into units
// and conditions. Inner units may be joined in any order. A unit that is the right
// side of another kind of join (left, semi, anti, mark, single, dependent) joins
// alone, as a right side, once every unit its conditions refer to is there; that
// keeps its meaning whatever inner joins happen before or after. Up to dpUnitsMax
// units are ordered by dynamic programming over sets (bushy trees included), more
// of them greedily.
func (p *planner) passJoinOrder(r rel, need ColSet) rel {
	switch x := r.(type) {
	case *relJoin:
		if x.typ != joinFull {
			return p.orderJoins(x, nil, need)
		}
	case *relFilter:
		if j, ok := x.in.(*relJoin); ok && j.typ != joinFull {
			return p.orderJoins(j, x.quals, need)
		}
	}
	for i, in := range r.inputs() {
		r.setInput(i, p.passJoinOrder(in, need))
	}
	return r
}

const dpUnitsMax = 10

// joinUnit is one operand of the reordering.
type joinUnit struct {
	rel  rel
	typ  joinType // joinInner: free to move
	lat  bool     // an inner unit that depends on others (LATERAL)
	orig *relJoin // of the other kinds
	on   []query.Expr
	cols ColSet
	deps uint64
	rows float64
	cost float64
	// lookup is the unit as a dependent side, its conditions pushed down to an
	// index; lookupCost is what one left row costs then.
	lookup     rel
	lookupCost float64
	lookupDone bool
}

func (u *joinUnit) free() bool { return u.typ == joinInner && !u.lat }

// joinQual is a condition of the reordering.
type joinQual struct {
	e     query.Expr
	units uint64
	class int // equivalence class, −1 for none
}

// joinSet is the best way found to join a set of units.
type joinSet struct {
	mask        uint64
	cost, rows  float64
	left, right uint64
	index       bool
	cols        ColSet
}

type joinOrder struct {
	p     *planner
	units []*joinUnit
	quals []joinQual
	best  map[uint64]*joinSet
	late  []query.Expr // volatile conditions, evaluated last
}

func (p *planner) orderJoins(j *relJoin, qs []query.Expr, need ColSet) rel {
	o := &joinOrder{p: p, best: map[uint64]*joinSet{}}
	var conds []query.Expr
	for _, q := range qs {
		if p.isVolatile(q) {
			o.late = append(o.late, q)
		} else {
			conds = append(conds, q)
		}
	}
	o.flatten(j, &conds, need)
	if len(o.units) > 60 {
		for i, in := range j.inputs() {
			j.setInput(i, p.passJoinOrder(in, need))
		}
		return filtered(j, qs)
	}
	o.prepare(conds)
	full := uint64(1)<<len(o.units) - 1
	if len(o.units) <= dpUnitsMax {
		o.dynamic(full)
	} else {
		o.greedy(full)
	}
	if o.best[full] == nil {
		o.greedy(full)
	}
	if o.best[full] == nil {
		p.bug("no join order found")
	}
	return filtered(o.build(full), o.late)
}

// flatten takes a join tree apart.
func (o *joinOrder) flatten(r rel, conds *[]query.Expr, need ColSet) {
	p := o.p
	switch x := r.(type) {
	case *relFilter:
		if j, ok := x.in.(*relJoin); ok && j.typ != joinFull {
			for _, q := range x.quals {
				if p.isVolatile(q) {
					o.add(&joinUnit{rel: p.passJoinOrder(r, need), typ: joinInner})
					return
				}
			}
			*conds = append(*conds, x.quals...)
			o.flatten(j, conds, need)
			return
		}
	case *relJoin:
		for _, q := range x.quals {
			if p.isVolatile(q) && x.typ == joinInner {
				o.late = append(o.late, q)
			}
		}
		switch {
		case x.typ == joinFull:
		case isGate(x.left):
			// runs its right side only if a condition holds: stays together
			x.right = p.passJoinOrder(x.right, need)
			o.add(&joinUnit{rel: x, typ: joinInner})
			return
		case x.typ == joinInner && !correlated(x.right, outCols(x.left)):
			for _, q := range x.quals {
				if !p.isVolatile(q) {
					*conds = append(*conds, q)
				}
			}
			o.flatten(x.left, conds, need)
			o.flatten(x.right, conds, need)
			return
		case x.typ == joinInner:
			o.flatten(x.left, conds, need)
			for _, q := range x.quals {
				if !p.isVolatile(q) {
					*conds = append(*conds, q)
				}
			}
			o.add(&joinUnit{rel: p.passJoinOrder(x.right, need), typ: joinInner, lat: true, orig: x})
			return
		default:
			o.flatten(x.left, conds, need)
			o.add(&joinUnit{rel: p.passJoinOrder(x.right, need), typ: x.typ, orig: x, on: x.quals})
			return
		}
	}
	o.add(&joinUnit{rel: p.passJoinOrder(r, need), typ: joinInner})
}

func (o *joinOrder) add(u *joinUnit) { o.units = append(o.units, u) }

// prepare computes what units deliver and depend on, and derives conditions.
func (o *joinOrder) prepare(conds []query.Expr) {
	p := o.p
	for _, u := range o.units {
		switch u.typ {
		case joinSemi, joinAnti, joinNullAwareAnti:
		case joinMark:
			u.cols = setOf(u.orig.mark)
		default:
			u.cols = outCols(u.rel)
		}
	}
	for i, u := range o.units {
		if u.free() {
			continue
		}
		used := exprCols(u.on...).union(freeCols(u.rel))
		for k, v := range o.units {
			if k != i && used.intersects(v.cols) {
				u.deps |= 1 << k
			}
		}
	}
	o.derive(conds)
	for _, u := range o.units {
		u.rows = p.rows(u.rel)
		n := p.phys(u.rel, physReq{need: outCols(u.rel)})
		u.cost = n.Total
		if u.free() && !u.lat {
			u.rows = math.Max(n.Rows, 1)
		}
	}
}

func (o *joinOrder) unitsOf(e query.Expr) uint64 {
	var m uint64
	c := exprCols(e)
	for i, u := range o.units {
		if c.intersects(u.cols) {
			m |= 1 << i
		}
	}
	return m
}

// single is a set of one unit.
func (o *joinOrder) single(i int) *joinSet {
	u := o.units[i]
	return &joinSet{mask: 1 << i, cost: u.cost, rows: u.rows, cols: u.cols}
}

// applied gives the conditions that become testable when two sets meet, one per
// equivalence class.
func (o *joinOrder) applied(a, b uint64) []query.Expr {
	var out []query.Expr
	var classes uint64
	both := a | b
	aOwn, bOwn := o.settled(a), o.settled(b)
	for _, q := range o.quals {
		if q.units&^both != 0 || aOwn && q.units&^a == 0 || bOwn && q.units&^b == 0 {
			continue
		}
		if q.class >= 0 && q.class < 64 {
			if classes&(1<<q.class) != 0 {
				continue
			}
			classes |= 1 << q.class
		}
		out = append(out, q.e)
	}
	return out
}

// settled: conditions over the set alone have been applied to it. They have not
// where the set is the right side of an outer join or the like.
func (o *joinOrder) settled(a uint64) bool {
	return bits.OnesCount64(a) > 1 || o.units[bits.TrailingZeros64(a)].free()
}

// connected: a condition or dependency links the sets.
func (o *joinOrder) connected(a, b uint64) bool {
	for _, q := range o.quals {
		if q.units&^(a|b) == 0 && q.units&a != 0 && q.units&b != 0 {
			return true
		}
	}
	for i, u := range o.units {
		if u.free() {
			continue
		}
		bit := uint64(1) << i
		if bit == b && u.deps&a != 0 || bit == a && u.deps&b != 0 {
			return true
		}
	}
	return false
}

// try considers joining a (left) with b (right).
func (o *joinOrder) try(a, b *joinSet) *joinSet {
	p := o.p
	s := &joinSet{mask: a.mask | b.mask, left: a.mask, right: b.mask, cols: a.cols.union(b.cols)}
	var u *joinUnit
	if bits.OnesCount64(b.mask) == 1 {
		if w := o.units[bits.TrailingZeros64(b.mask)]; !w.free() {
			u = w
			if u.deps&^a.mask != 0 {
				return nil
			}
		}
	}
	// A unit that is no inner operand never is a left side, nor alone in a set.
	if bits.OnesCount64(a.mask) == 1 && !o.units[bits.TrailingZeros64(a.mask)].free() {
		return nil
	}
	qs := o.applied(a.mask, b.mask)
	if u != nil {
		j := &relJoin{typ: u.typ, left: &colsRel{cols: a.cols}, right: u.rel}
		dep := correlated(u.rel, a.cols)
		s.rows = p.joinRows(u.typ, a.rows, u.rows, u.on, j)
		switch {
		case dep:
			s.cost = a.cost + a.rows*(costRestart+u.cost)
		case o.hasEq(u.on, a.cols, outCols(u.rel)):
			s.cost = a.cost + u.cost + hashCost(a.rows, u.rows) + s.rows*costTuple
		default:
			s.cost = a.cost + u.cost + a.rows*u.rows*costPair
		}
		if !dep {
			if c, ok := o.lookupCost(u, a); ok && c+s.rows*costTuple < s.cost {
				s.cost, s.index = c+s.rows*costTuple, true
			}
		}
		if len(qs) > 0 {
			s.rows *= p.selectivity(qs, nil)
		}
		s.rows = clampRows(s.rows)
		return s
	}
	sel, _ := p.joinSelectivity(qs, a.cols, b.cols, a.rows, b.rows, nil)
	s.rows = clampRows(a.rows * b.rows * sel)
	if o.hasEq(qs, a.cols, b.cols) {
		s.cost = a.cost + b.cost + hashCost(a.rows, b.rows) + s.rows*costTuple
	} else {
		s.cost = a.cost + b.cost + a.rows*b.rows*costPair + s.rows*costTuple
	}
	if c, ok := o.indexCost(a, b, qs, s.rows); ok && c < s.cost {
		s.cost, s.index = c, true
	}
	return s
}

func hashCost(l, r float64) float64 {
	return math.Min(l, r)*costHashBuild + math.Max(l, r)*costHashProbe
}

func (o *joinOrder) hasEq(qs []query.Expr, l, r ColSet) bool {
	for _, q := range qs {
		if _, _, _, ok := o.p.hashable(q, l, r); ok {
			return true
		}
	}
	return false
}

// indexCost is the cost of looking b's rows up by index for each row of a.
func (o *joinOrder) indexCost(a, b *joinSet, qs []query.Expr, rows float64) (float64, bool) {
	p := o.p
	if bits.OnesCount64(b.mask) != 1 || len(qs) == 0 || p.opts.Settings.NoNestLoop {
		return 0, false
	}
	u := o.units[bits.TrailingZeros64(b.mask)]
	g, own := getOf(u.rel)
	if g == nil || g.table.Storage == nil {
		return 0, false
	}
	n := p.physGet(g, append(append([]query.Expr{}, own...), qs...), physReq{need: u.cols})
	s, ok := n.Op.(*scanOp)
	if !ok || s.name == "" || len(s.spans) == 0 || !exprCols(s.cond...).intersects(a.cols) {
		return 0, false
	}
	return a.cost + a.rows*(costRestart+n.Total) + rows*costTuple, true
}

// lookupCost is the cost of running a non-inner unit once per row of a with its
// conditions pushed into it, where they reach an index.
func (o *joinOrder) lookupCost(u *joinUnit, a *joinSet) (float64, bool) {
	p := o.p
	if p.opts.Settings.NoNestLoop || u.typ == joinNullAwareAnti || u.typ == joinMark && u.orig.exact() {
		return 0, false
	}
	if !u.lookupDone {
		u.lookupDone = true
		eq := false
		for _, q := range u.on {
			_, _, is := p.equalitySides(q)
			eq = eq || is && !p.isVolatile(q)
		}
		if !eq {
			return 0, false
		}
		c := cloneRel(u.rel)
		if c == nil {
			return 0, false
		}
		c = p.push(c, append([]query.Expr{}, u.on...))
		n := p.phys(c, physReq{need: outCols(u.rel), limit: boolTo(u.typ == joinSemi || u.typ == joinAnti || u.typ == joinMark)})
		if !dependentScans(n) {
			return 0, false
		}
		u.lookup, u.lookupCost = c, n.Total
	}
	if u.lookup == nil {
		return 0, false
	}
	return a.cost + a.rows*(costRestart+u.lookupCost), true
}

// dependentScans: every table scan of the tree is by key, so that running it
// again and again reads little.
func dependentScans(n *Node) bool {
	if s, ok := n.Op.(*scanOp); ok {
		return len(s.spans) > 0
	}
	for _, in := range n.Inputs {
		if !dependentScans(in) {
			return false
		}
	}
	return len(n.Inputs) > 0
}

// getOf finds the scan of a unit that is a (filtered) table.
func getOf(r rel) (*relGet, []query.Expr) {
	switch x := r.(type) {
	case *relGet:
		return x, nil
	case *relFilter:
		if g, ok := x.in.(*relGet); ok {
			return g, x.quals
		}
	}
	return nil, nil
}

// colsRel stands for a set of units whose tree is not built yet.
type colsRel struct {
	leaf
	cols ColSet
}

func (o *joinOrder) keep(s *joinSet) {
	if s == nil {
		return
	}
	if old := o.best[s.mask]; old != nil {
		s.rows = old.rows // one estimate per set, however it is made
		if s.cost >= old.cost {
			return
		}
	}
	o.best[s.mask] = s
}

// dynamic fills best for every connected set.
func (o *joinOrder) dynamic(full uint64) {
	n := len(o.units)
	for i := range o.units {
		o.best[1<<i] = o.single(i)
	}
	// components of the whole graph may be crossed once they are complete
	comp := o.components(full)
	for mask := uint64(1); mask <= full; mask++ {
		if mask&full != mask || bits.OnesCount64(mask) < 2 {
			continue
		}
		whole := true // a union of whole components
		for _, c := range comp {
			if m := mask & c; m != 0 && m != c {
				whole = false
			}
		}
		for pass := 0; pass < 2; pass++ {
			for sub := (mask - 1) & mask; sub > 0; sub = (sub - 1) & mask {
				a, b := o.best[sub], o.best[mask&^sub]
				if a == nil || b == nil {
					continue
				}
				if pass == 0 && !o.connected(sub, mask&^sub) {
					continue
				}
				o.keep(o.try(a, b))
			}
			if o.best[mask] != nil || !whole {
				break
			}
		}
	}
	_ = n
}

func (o *joinOrder) components(full uint64) []uint64 {
	var out []uint64
	left := full
	for left != 0 {
		c := left & -left
		for grown := true; grown; {
			grown = false
			for i := range o.units {
				bit := uint64(1) << i
				if c&bit == 0 && left&bit != 0 && (o.connected(c, bit) || o.linked(c, bit)) {
					c |= bit
					grown = true
				}
			}
		}
		out = append(out, c)
		left &^= c
	}
	return out
}

// linked: some condition over more units touches both.
func (o *joinOrder) linked(a, b uint64) bool {
	for _, q := range o.quals {
		if q.units&a != 0 && q.units&b != 0 {
			return true
		}
	}
	for i, u := range o.units {
		m := u.deps | 1<<i
		if !u.free() && m&a != 0 && m&b != 0 {
			return true
		}
	}
	return false
}

// greedy joins the pair of sets that costs least, again and again.
func (o *joinOrder) greedy(full uint64) {
	var sets []*joinSet
	for i := range o.units {
		s := o.best[1<<i]
		if s == nil {
			s = o.single(i)
			o.best[1<<i] = s
		}
		sets = append(sets, s)
	}
	for len(sets) > 1 {
		var best *joinSet
		bi, bj := 0, 0
		for pass := 0; pass < 2 && best == nil; pass++ {
			for i, a := range sets {
				for j, b := range sets {
					if i == j || pass == 0 && !o.connected(a.mask, b.mask) {
						continue
					}
					s := o.try(a, b)
					if s == nil {
						continue
					}
					if best == nil || s.rows < best.rows || s.rows == best.rows && s.cost < best.cost {
						best, bi, bj = s, i, j
					}
				}
			}
		}
		if best == nil {
			return
		}
		o.best[best.mask] = best
		var rest []*joinSet
		for k, s := range sets {
			if k != bi && k != bj {
				rest = append(rest, s)
			}
		}
		sets = append(rest, best)
	}
}

// build makes the tree of a set.
func (o *joinOrder) build(mask uint64) rel {
	if bits.OnesCount64(mask) == 1 {
		return o.units[bits.TrailingZeros64(mask)].rel
	}
	s := o.best[mask]
	left := o.build(s.left)
	qs := o.applied(s.left, s.right)
	if bits.OnesCount64(s.right) == 1 {
		u := o.units[bits.TrailingZeros64(s.right)]
		if !u.free() {
			j := &relJoin{typ: u.typ, left: left, right: u.rel, quals: u.on}
			if s.index {
				o.p.trace("join_order", "lookup_per_row")
				j.right, j.quals = u.lookup, nil
			}
			if u.orig != nil {
				j.mark, j.subplan = u.orig.mark, u.orig.subplan
			}
			return filtered(j, qs)
		}
		if s.index {
			o.p.trace("join_order", "index_nested_loop")
			return &relJoin{typ: joinInner, left: left, right: filtered(u.rel, qs)}
		}
	}
	return &relJoin{typ: joinInner, left: left, right: o.build(s.right), quals: qs}
}
