package plan

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// physReq is what a parent wants of a subtree besides its rows.
type physReq struct {
	need ColSet
	// order is a sort order that would be useful; the node's Order says what it got.
	order []sortItem
	// groups, unless 0: the order is wanted only because it brings the rows of so many groups together, which
	// hashing does as well.
	groups float64
	// serial: that hashing would be done by one worker. anyOrder: order is a choice, any other one
	// of its expressions, in either direction, does as well; orderLimits: limit is true of order only.
	serial, anyOrder, orderLimits bool
	// limit is the number of rows that will probably be read; 0: all.
	limit float64
}

// physRoot plans a whole tree that must deliver exactly outs.
func (p *planner) physRoot(r rel, outs []Col, limit float64) *Node {
	p.rowsMemo = map[rel]float64{}
	n := p.phys(r, physReq{need: setOf(outs...), limit: limit})
	n = p.parallelize(n)
	if _, isMod := n.Op.(*modifyOp); !isMod || len(outs) > 0 {
		n.arrange(outs)
	}
	n.Width = p.width(n.Cols)
	return n
}

// phys plans a subtree.
func (p *planner) phys(r rel, rq physReq) *Node {
	switch x := r.(type) {
	case *relGet:
		return p.physGet(x, nil, rq)
	case *relFilter:
		return p.physFilter(x, rq)
	case *relProject:
		return p.physProject(x, rq)
	case *relResult:
		n := p.newNode(&resultOp{}, nil)
		n.Rows, n.Total, n.safe = 1, costTuple, false
		return n
	case *relValues:
		n := p.newNode(&valuesOp{x}, x.cols)
		n.Rows = float64(len(x.rows))
		n.Total = n.Rows * costTuple
		n.Width = p.width(n.Cols)
		return n
	case *relJoin:
		return p.resort(x.left, rq, func(rq physReq) *Node { return p.physJoin(x, rq) })
	case *relGroup:
		return p.physGroup(x, rq)
	case *relWindow:
		return p.physWindow(x, rq)
	case *relSort:
		return p.physSort(x, rq, 0)
	case *relLimit:
		return p.physLimit(x, rq)
	case *relDistinctOn:
		need := rq.need.union(exprCols(x.keys...))
		in := p.phys(x.in, physReq{need: need})
		n := p.newNode(&uniqueOp{x.keys}, in.Cols, in)
		n.Order = in.Order
		n.Rows = p.rows(x)
		n.Startup, n.Total, n.Width = in.Startup, in.Total+in.Rows*costOp, in.Width
		return n
	case *relAppend:
		return p.physAppend(x, rq)
	case *relSetOp:
		return p.physSetOp(x)
	case *relProjectSet:
		need := rq.need
		for _, it := range x.items {
			need = need.union(exprCols(it.fn))
		}
		in := p.phys(x.in, physReq{need: need, order: rq.order, groups: rq.groups, serial: rq.serial, anyOrder: rq.anyOrder, orderLimits: rq.orderLimits})
		o := &projectSetOp{items: x.items}
		for _, c := range in.Cols {
			if rq.need.has(c) {
				o.pass = append(o.pass, c)
			}
		}
		base := append([]Col{}, o.pass...)
		for _, it := range x.items {
			base = append(base, it.col)
		}
		n := p.newNode(o, base, in)
		n.Rows = p.rows(x)
		n.Order = in.Order
		n.Startup, n.Total, n.Width = in.Startup, in.Total+n.Rows*costTuple, p.width(base)
		return n
	case *relFunction:
		n := p.newNode(&functionOp{x}, x.cols)
		n.Rows = p.rows(x)
		n.Total = n.Rows * costTuple
		n.Width = p.width(n.Cols)
		return n
	case *relCTE:
		n := p.newNode(&cteOp{x.cte, x.alias}, x.cols)
		n.Rows = p.rows(x)
		n.Total = n.Rows * costTuple
		n.Width = p.width(n.Cols)
		return n
	case *relBatch:
		return p.resort(x.in, rq, func(rq physReq) *Node { return p.physBatch(x, rq) })
	case *relChunk:
		n := p.newNode(&chunkOp{x.slot}, x.cols)
		n.Rows = p.rows(x)
		n.Total = n.Rows * costTuple
		n.Width = p.width(n.Cols)
		return n
	case *relWorkTable:
		n := p.newNode(&workTableOp{x.table, x.alias}, x.cols)
		n.Rows = p.rows(x)
		n.Total = n.Rows * costTuple
		n.Width = p.width(n.Cols)
		return n
	case *relRecursive:
		l := p.phys(x.left, physReq{need: setOf(x.lcols...)})
		l.arrange(x.lcols)
		rn := p.phys(x.right, physReq{need: setOf(x.rcols...)})
		rn.arrange(x.rcols)
		n := p.newNode(&recursiveOp{x.distinct, x.table}, x.cols, l, rn)
		n.Rows = p.rows(x)
		n.Total = l.Total + 10*rn.Total
		n.Width = p.width(n.Cols)
		return n
	case *relLock:
		p.checkNullable(x, x.in, false)
		need := rq.need.copy()
		for _, t := range x.targets {
			need.add(t.locator)
			for _, c := range t.get.cols {
				need.add(c.col) // the re-check computes everything from the scan's columns
			}
		}
		in := p.phys(x.in, physReq{need: need, order: rq.order, groups: rq.groups, serial: rq.serial, anyOrder: rq.anyOrder, orderLimits: rq.orderLimits})
		n := p.newNode(&lockOp{x.targets}, in.Cols, in)
		n.Rows, n.Startup, n.Total, n.Width, n.Order = in.Rows, in.Startup, in.Total+in.Rows*costTuple, in.Width, in.Order
		return n
	case *relModify:
		return p.physModify(x)
	}
	p.bug("relational operator %T", r)
	return nil
}

// checkNullable refuses row locks where an outer join may have no row.
func (p *planner) checkNullable(l *relLock, r rel, nullable bool) {
	switch x := r.(type) {
	case *relGet:
		for _, t := range l.targets {
			if nullable && t.get == x {
				m := query.RowMark{Strength: uint8(t.strength)}
				p.fail(pgerror.New(pgerror.FeatureNotSupported, "%s cannot be applied to the nullable side of an outer join", m.LockName()))
			}
		}
	case *relJoin:
		p.checkNullable(l, x.left, nullable || x.typ == joinFull)
		p.checkNullable(l, x.right, nullable || x.typ == joinFull || x.typ == joinLeft)
		return
	}
	for _, in := range r.inputs() {
		p.checkNullable(l, in, nullable)
	}
}

func (p *planner) physModify(x *relModify) *Node {
	cols := append(append([]Col{}, x.inCols...), x.extra...)
	in := p.phys(x.in, physReq{need: setOf(cols...)})
	in.arrange(cols)
	var out []Col
	for _, it := range x.returning {
		out = append(out, it.col)
	}
	n := p.newNode(&modifyOp{x}, out, in)
	n.Startup, n.Total = in.Startup, in.Total
	if len(out) > 0 {
		n.Rows = in.Rows
	}
	return n
}

func (p *planner) physAppend(x *relAppend, rq physReq) *Node {
	n := p.newNode(&appendOp{}, x.cols)
	for i, in := range x.ins {
		c := p.phys(in, physReq{need: setOf(x.inCols[i]...)})
		c.arrange(x.inCols[i])
		n.Inputs = append(n.Inputs, c)
		n.Rows += c.Rows
		n.Total += c.Total
		if i == 0 {
			n.Startup = c.Startup
		}
	}
	if !p.partitionable(n) {
		for i, c := range n.Inputs {
			c = p.parallelize(c)
			c.arrange(x.inCols[i])
			n.Inputs[i] = c
		}
	}
	n.Width = p.width(x.cols)
	return n
}

// physFilter plans conditions: those without columns of the input gate it, those
// over a table choose its access path.
func (p *planner) physFilter(x *relFilter, rq physReq) *Node {
	own := outCols(x.in)
	var gate, qs []query.Expr
	for _, q := range x.quals {
		if !exprCols(q).intersects(own) && !p.isVolatile(q) {
			gate = append(gate, q)
		} else {
			qs = append(qs, q)
		}
	}
	need := rq.need.union(exprCols(qs...))
	var n *Node
	if g, ok := x.in.(*relGet); ok {
		n = p.physGet(g, qs, rq)
	} else {
		sub := rq
		sub.need = need
		if len(qs) > 0 {
			sub.limit = 0
		}
		n = p.phys(x.in, sub)
		if len(qs) > 0 {
			n.filter(qs)
			n.Rows = p.rows(x)
			n.Total += n.Rows * costOp * float64(len(qs))
		}
	}
	if len(gate) > 0 {
		g := p.newNode(&gateOp{gate}, n.Cols, n)
		g.Rows, g.Startup, g.Total, g.Width, g.Order = n.Rows, n.Startup, n.Total, n.Width, n.Order
		n = g
	}
	return n
}

func (p *planner) physProject(x *relProject, rq physReq) *Node {
	var items []projItem
	need := rq.need.copy()
	// An item may use an earlier one; take them from the last to the first.
	for i := len(x.items) - 1; i >= 0; i-- {
		it := x.items[i]
		if need.has(it.col) || p.isVolatile(it.expr) && x.barrier {
			items = append([]projItem{it}, items...)
			need.addAll(exprCols(it.expr))
		}
	}
	sub := need
	for _, it := range items {
		sub.remove(it.col)
	}
	below := rq
	below.need, below.order = sub, translateOrder(rq.order, items)
	n := p.phys(x.in, below)
	if len(items) == 0 {
		return n
	}
	for _, layer := range projLayers(items) {
		keep := rq.need.copy()
		for _, it := range items {
			keep.addAll(exprCols(it.expr))
			keep.add(it.col)
		}
		n.project(layer, keep)
	}
	n.Total += n.Rows * costOp * float64(len(items))
	n.Width = p.width(n.Cols)
	return n
}

// projLayers splits items so that none uses a column of its own layer.
func projLayers(items []projItem) [][]projItem {
	var out [][]projItem
	var cur []projItem
	var made ColSet
	for _, it := range items {
		if exprCols(it.expr).intersects(made) {
			out = append(out, cur)
			cur, made = nil, ColSet{}
		}
		cur = append(cur, it)
		made.add(it.col)
	}
	return append(out, cur)
}

// translateOrder gives the longest prefix of a wanted order that can be asked of
// the input of a projection.
func translateOrder(order []sortItem, items []projItem) []sortItem {
	m := map[Col]query.Expr{}
	for _, it := range items {
		m[it.col] = it.expr
	}
	var out []sortItem
	for _, k := range order {
		e := substitute(k.expr, m)
		out = append(out, sortItem{e, k.desc, k.nullsFirst})
	}
	return out
}

// ------------------------------------------------------------------ joins

func (p *planner) physJoin(x *relJoin, rq physReq) *Node {
	lcols, rcols := outCols(x.left), outCols(x.right)
	need := rq.need.union(exprCols(x.quals...))
	if correlated(x.right, lcols) || isGate(x.left) {
		return p.physApply(x, rq, need)
	}
	o := &joinOp{}
	for _, q := range x.quals {
		if l, r, nulls, ok := p.hashable(q, lcols, rcols); ok && (nulls || !x.exact() || len(x.quals) == 1) {
			o.lkeys, o.rkeys = append(o.lkeys, l), append(o.rkeys, r)
			o.nullEqual = append(o.nullEqual, nulls)
			o.keyQuals = append(o.keyQuals, q)
		} else {
			o.residual = append(o.residual, q)
		}
	}
	if x.typ == joinFull && len(o.lkeys) == 0 && exprCols(x.quals...).intersects(lcols) {
		p.fail(pgerror.New(pgerror.FeatureNotSupported, "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions"))
	}
	l := p.phys(x.left, physReq{need: need.intersect(lcols)})
	r := p.phys(x.right, physReq{need: need.intersect(rcols)})
	rows := p.rows(x)
	o.method = methodHash
	o.typ = planJoinType(x.typ)
	swap := false
	if len(o.lkeys) == 0 {
		o.method = methodLoop
		if x.typ == joinInner && l.Rows*l.Width < r.Rows*r.Width && x.hint != hintFixed {
			swap = true // the smaller side is the one kept
		}
	} else if p.swapHash(x.typ, l, r) {
		swap = true
	}
	if swap {
		l, r = r, l
		o.lkeys, o.rkeys = o.rkeys, o.lkeys
		o.typ = swapped(o.typ)
	}
	switch o.typ {
	case planpb.JoinType_RIGHT, planpb.JoinType_FULL, planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
		if o.method != methodHash || p.opts.Sites > 0 || !p.partitionable(l) {
			// The join itself runs in one piece; its inputs need not.
			l, r = p.parallelize(l), p.parallelize(r)
		}
	default:
		if !p.partitionable(l) {
			// So does this one: its right side may still be read by workers.
			r = p.parallelize(r)
		}
	}
	base := append(append([]Col{}, l.Cols...), r.Cols...)
	switch o.typ {
	case planpb.JoinType_SEMI, planpb.JoinType_ANTI, planpb.JoinType_NULL_AWARE_ANTI:
		base = append([]Col{}, l.Cols...)
	case planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
		base = append([]Col{}, r.Cols...)
	case planpb.JoinType_MARK:
		base = append(append([]Col{}, l.Cols...), x.mark)
		o.mark = x.mark
	}
	n := p.newNode(o, base, l, r)
	n.Rows = rows
	p.costJoin(n, o, l, r)
	n.Width = p.width(n.Cols)
	return n
}

// physBatch plans what runs for stretches of rows.
func (p *planner) physBatch(x *relBatch, rq physReq) *Node {
	in := p.parallelize(p.phys(x.in, physReq{need: setOf(x.cols...), order: rq.order}))
	in.arrange(x.cols)
	body := p.parallelize(p.phys(x.body, physReq{need: rq.need}))
	n := p.newNode(&batchOp{x.slot, x.first}, body.Cols, in, body)
	n.Rows = p.rows(x)
	n.Startup, n.Total, n.Width = in.Startup+body.Startup, in.Total+body.Total, body.Width
	return n
}

func isGate(r rel) bool {
	f, ok := r.(*relFilter)
	if !ok {
		return false
	}
	_, ok = f.in.(*relResult)
	return ok
}

func planJoinType(t joinType) planpb.JoinType {
	return [...]planpb.JoinType{planpb.JoinType_INNER, planpb.JoinType_LEFT, planpb.JoinType_FULL, planpb.JoinType_SEMI, planpb.JoinType_ANTI,
		planpb.JoinType_NULL_AWARE_ANTI, planpb.JoinType_MARK, planpb.JoinType_SINGLE}[t]
}

// swapped is the join type with its sides exchanged.
func swapped(t planpb.JoinType) planpb.JoinType {
	switch t {
	case planpb.JoinType_LEFT:
		return planpb.JoinType_RIGHT
	case planpb.JoinType_SEMI:
		return planpb.JoinType_RIGHT_SEMI
	case planpb.JoinType_ANTI:
		return planpb.JoinType_RIGHT_ANTI
	}
	return t
}

// swapHash decides the build side: the right one, unless the left is clearly smaller.
func (p *planner) swapHash(t joinType, l, r *Node) bool {
	switch t {
	case joinInner, joinLeft, joinSemi, joinAnti, joinFull:
	default:
		return false
	}
	lb, rb := l.Rows*(l.Width+24), r.Rows*(r.Width+24)
	if t == joinInner || t == joinFull {
		return lb < rb
	}
	return lb*2 < rb
}

// physApply plans a join whose right side depends on the left's row.
func (p *planner) physApply(x *relJoin, rq physReq, need ColSet) *Node {
	lcols, rcols := outCols(x.left), outCols(x.right)
	free := freeCols(x.right).intersect(lcols)
	switch x.typ {
	case joinFull, joinNullAwareAnti:
		p.unsupported("%s joins with a dependent side", x.typ)
	}
	l := p.phys(x.left, physReq{need: need.intersect(lcols).union(free), order: rq.order})
	limit := 0.0
	if x.typ == joinSemi || x.typ == joinAnti || x.typ == joinMark {
		limit = 1
	}
	r := p.phys(x.right, physReq{need: need.intersect(rcols), limit: limit})
	o := &joinOp{typ: planJoinType(x.typ), method: methodApply, residual: x.quals, bindings: free.list(), mark: x.mark}
	var base []Col
	switch x.typ {
	case joinSemi, joinAnti:
		base = append(base, l.Cols...)
	case joinMark:
		base = append(append(base, l.Cols...), x.mark)
	default:
		base = append(append(base, l.Cols...), r.Cols...)
	}
	n := p.newNode(o, base, l, r)
	n.Rows = p.rows(x)
	n.Order = l.Order
	n.Startup = l.Startup + r.Startup
	n.Total = l.Total + l.Rows*(costRestart+r.Total)
	n.Width = p.width(n.Cols)
	return n
}

// hashable: q is an equality between the two sides (or IS NOT DISTINCT FROM);
// l and r are its keys, brought to one type.
func (p *planner) hashable(q query.Expr, lcols, rcols ColSet) (l, r query.Expr, nulls, ok bool) {
	var op *query.OpExpr
	switch x := q.(type) {
	case *query.OpExpr:
		op = x
	case *query.BoolExpr:
		if x.Op != query.Not {
			return
		}
		d, isD := x.Args[0].(*query.DistinctExpr)
		if !isD {
			return
		}
		op = &query.OpExpr{Base: d.Base, Op: d.Op, Func: d.Func, Args: []query.Expr{d.Left, d.Right}}
		nulls = true
	default:
		return
	}
	if len(op.Args) != 2 || !p.isHashOp(op.Op) || p.isVolatile(q) {
		return
	}
	a, b := op.Args[0], op.Args[1]
	ac, bc := exprCols(a), exprCols(b)
	if ac.empty() || bc.empty() {
		return
	}
	switch {
	case !ac.intersects(rcols) && !bc.intersects(lcols) && ac.intersects(lcols) && bc.intersects(rcols):
		l, r = a, b
	case !ac.intersects(lcols) && !bc.intersects(rcols) && ac.intersects(rcols) && bc.intersects(lcols):
		l, r = b, a
	default:
		return
	}
	l, r, ok = p.unifyKeys(l, r)
	return l, r, nulls, ok
}

// isHashOp: an equality usable for hash joins. PostgreSQL has no hash functions
// of bit strings and joins them by merging; here equal ones have equal keys.
func (p *planner) isHashOp(op types.OID) bool {
	for _, m := range p.cat.OpFamilyMembers(op) {
		if m.AM == "hash" && m.Strategy == 1 || m.AM == "btree" && m.Strategy == catalog.StrategyEqual && isBits(m.Left) {
			return true
		}
	}
	return false
}
