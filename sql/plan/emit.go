package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// emitter turns the physical tree into planpb.
type emitter struct {
	p *planner
	// chunks, when re-checking, maps target scans to their ChunkScan slots.
	chunks map[*relGet]uint32
	// unnumbered: without KeyIDs, after the statement has been emitted with them.
	unnumbered bool
}

func (p *planner) planID() uint32 { p.nextID++; return p.nextID }

// emitStatement emits everything.
func (p *planner) emitStatement(root *Node, unnumbered bool) *planpb.Statement {
	st := &planpb.Statement{}
	em := &emitter{p: p, unnumbered: unnumbered}
	for _, c := range p.ctes {
		st.Ctes = append(st.Ctes, &planpb.CTE{Id: c.id, Name: c.name, Plan: em.node(c.node), Modifying: c.modifying})
	}
	for _, ip := range p.inits {
		st.InitPlans = append(st.InitPlans, &planpb.InitPlan{Plan: em.node(ip.node), Kind: planpb.InitPlan_Kind(ip.kind), Slots: ip.slots})
	}
	st.Root = em.node(root)
	st.ExecSlots = p.slots
	return st
}

func (em *emitter) types(cols []Col) []*planpb.Type {
	out := make([]*planpb.Type, len(cols))
	for i, c := range cols {
		out[i] = planpb.NewType(em.p.cols[c].t)
	}
	return out
}

// node emits a node with its steps.
func (em *emitter) node(n *Node) *planpb.Plan {
	p := em.p
	pl := em.op(n)
	if pl.Id == 0 {
		pl.Id = p.planID()
	}
	if pl.Output == nil {
		pl.Output = em.types(n.base)
	}
	pl.Rows = n.Rows
	first := em.chunks == nil && !em.unnumbered
	if first {
		n.opID = pl.Id
	}
	pl = em.keyIDs(pl, n)
	cols := n.base
	for _, s := range n.steps {
		lay := layoutOf(cols)
		next := &planpb.Plan{Id: p.planID(), Rows: n.Rows}
		if len(s.filter) > 0 {
			next.Op = &planpb.Plan_Filter{Filter: &planpb.Filter{Input: pl, Predicate: p.lower(andAll(s.filter), lay)}}
			next.Output = pl.Output
			if first {
				n.filterID = next.Id
			}
		} else {
			exprs := make([]*planpb.Expr, len(s.cols))
			for i, c := range s.cols {
				exprs[i] = p.lower(itemExpr(p, s.items, c), lay)
			}
			cols = s.cols
			next.Output = em.types(cols)
			next.Op = &planpb.Plan_Project{Project: &planpb.Project{Input: pl, Exprs: exprs}}
		}
		pl = next
	}
	if first {
		n.ID = pl.Id
	}
	return pl
}

func itemExpr(p *planner, items []projItem, c Col) query.Expr {
	for _, it := range items {
		if it.col == c {
			return it.expr
		}
	}
	return p.colVar(c)
}

func (em *emitter) sortKeys(ks []sortItem, lay layout) []*planpb.SortKey {
	var out []*planpb.SortKey
	for _, k := range ks {
		out = append(out, &planpb.SortKey{Expr: em.p.lower(k.expr, lay), Descending: k.desc, NullsFirst: k.nullsFirst})
	}
	return out
}

// op emits the operator of a node.
func (em *emitter) op(n *Node) *planpb.Plan {
	p := em.p
	var in []*planpb.Plan
	if _, isScan := n.Op.(*scanOp); !isScan {
		if m, isMod := n.Op.(*modifyOp); isMod {
			return em.modify(n, m.rel)
		}
		if l, isLock := n.Op.(*lockOp); isLock {
			if em.chunks != nil {
				return em.node(n.Inputs[0])
			}
			return em.lock(n, l)
		}
		for _, c := range n.Inputs {
			in = append(in, em.node(c))
		}
	}
	pl := &planpb.Plan{}
	inLay := func() layout { return layoutOf(n.Inputs[0].Cols) }
	switch o := n.Op.(type) {
	case *scanOp:
		return em.scan(o)
	case *resultOp:
		r := &planpb.Result{}
		for _, it := range o.items {
			r.Exprs = append(r.Exprs, p.lower(it.expr, layout{}))
		}
		pl.Op = &planpb.Plan_Result{Result: r}
	case *gateOp:
		gate := &planpb.Plan{Id: p.planID(), Rows: 1, Op: &planpb.Plan_Result{Result: &planpb.Result{Filter: p.lower(andAll(o.quals), layout{})}}}
		if r, ok := n.Inputs[0].Op.(*resultOp); ok && len(n.Inputs[0].steps) == 0 {
			res := gate.Op.(*planpb.Plan_Result).Result
			for _, it := range r.items {
				res.Exprs = append(res.Exprs, p.lower(it.expr, layout{}))
			}
			pl.Op = gate.Op
			return pl
		}
		pl.Op = &planpb.Plan_Apply{Apply: &planpb.Apply{Type: planpb.JoinType_INNER, Left: gate, Right: in[0]}}
	case *passOp:
		return em.pass(in[0])
	case *valuesOp:
		v := &planpb.Values{}
		for _, row := range o.rel.rows {
			v.Rows = append(v.Rows, &planpb.Row{Exprs: p.lowerAll(row, layout{})})
		}
		pl.Op = &planpb.Plan_Values{Values: v}
	case *joinOp:
		em.join(pl, n, o, in)
	case *aggOp:
		em.agg(pl, n, o, in[0])
	case *sortOp:
		pl.Op = &planpb.Plan_Sort{Sort: &planpb.Sort{Input: in[0], Keys: em.sortKeys(o.keys, inLay()), Limit: o.limit, Presorted: uint32(o.presorted)}}
	case *limitOp:
		pl.Op = &planpb.Plan_Limit{Limit: &planpb.Limit{Input: in[0], Count: p.lower(o.count, layout{}), Offset: p.lower(o.offset, layout{}),
			WithTies: o.withTies, Ties: em.sortKeys(o.ties, inLay())}}
	case *uniqueOp:
		pl.Op = &planpb.Plan_Unique{Unique: &planpb.Unique{Input: in[0], Keys: p.lowerAll(o.keys, inLay())}}
	case *setOpOp:
		pl.Op = &planpb.Plan_SetOp{SetOp: &planpb.SetOp{Op: o.op, Left: in[0], Right: in[1]}}
	case *appendOp:
		pl.Op = &planpb.Plan_Append{Append: &planpb.Append{Inputs: in}}
	case *windowOp:
		em.window(pl, n, o.rel, in[0])
	case *projectSetOp:
		ps := &planpb.ProjectSet{Input: in[0]}
		lay := inLay()
		for _, c := range o.pass {
			ps.Exprs = append(ps.Exprs, &planpb.SetExpr{Expr: p.lower(p.colVar(c), lay)})
		}
		for _, it := range o.items {
			if it.set {
				ps.Exprs = append(ps.Exprs, &planpb.SetExpr{Set: em.setFunc(it.fn, lay)})
			} else {
				ps.Exprs = append(ps.Exprs, &planpb.SetExpr{Expr: p.lower(it.fn, lay)})
			}
		}
		pl.Op = &planpb.Plan_ProjectSet{ProjectSet: ps}
	case *functionOp:
		fs := &planpb.FunctionScan{Ordinality: o.rel.ordinality}
		for _, f := range o.rel.funcs {
			tf := &planpb.TableFunc{Expand: f.Composite, ColumnNames: f.ColNames}
			for _, t := range f.ColTypes {
				tf.Columns = append(tf.Columns, planpb.NewType(t))
			}
			if isSRF(f.Expr) {
				tf.Set = em.setFunc(f.Expr, layout{})
			} else {
				tf.Scalar = p.lower(f.Expr, layout{})
			}
			fs.Funcs = append(fs.Funcs, tf)
		}
		pl.Op = &planpb.Plan_FunctionScan{FunctionScan: fs}
	case *recursiveOp:
		pl.Op = &planpb.Plan_RecursiveUnion{RecursiveUnion: &planpb.RecursiveUnion{Left: in[0], Right: in[1], Distinct: o.distinct, WorkTable: o.table}}
	case *workTableOp:
		pl.Op = &planpb.Plan_WorkTableScan{WorkTableScan: &planpb.WorkTableScan{WorkTable: o.table}}
	case *cteOp:
		pl.Op = &planpb.Plan_CteScan{CteScan: &planpb.CTEScan{Cte: o.cte.id}}
	case *gatherOp:
		if em.chunks != nil {
			return em.pass(in[0])
		}
		pl.Op = &planpb.Plan_Gather{Gather: &planpb.Gather{Input: in[0], Workers: uint32(o.workers), MergeKeys: em.sortKeys(o.merge, inLay())}}
	case *exchangeOp:
		pl.Op = &planpb.Plan_Exchange{Exchange: &planpb.Exchange{Id: o.id, Input: in[0], Kind: o.kind, Keys: p.lowerAll(o.keys, inLay()),
			MergeKeys: em.sortKeys(o.merge, inLay()), OnGateway: o.onGateway}}
	case *batchOp:
		pl.Op = &planpb.Plan_BatchApply{BatchApply: &planpb.BatchApply{Input: in[0], Slot: o.slot, Body: in[1], FirstRows: o.first}}
	case *chunkOp:
		pl.Op = &planpb.Plan_ChunkScan{ChunkScan: &planpb.ChunkScan{Slot: o.slot}}
	case *materializeOp:
		pl.Op = &planpb.Plan_Materialize{Materialize: &planpb.Materialize{Input: in[0]}}
	default:
		p.bug("physical operator %T", n.Op)
	}
	return pl
}

// pass hands its input on; the plan keeps its own id.
func (em *emitter) pass(in *planpb.Plan) *planpb.Plan { return in }

func (em *emitter) setFunc(e query.Expr, lay layout) *planpb.SetFunc {
	switch f := e.(type) {
	case *query.FuncExpr:
		return &planpb.SetFunc{Func: uint32(f.Func), Args: em.p.lowerAll(f.Args, lay), Result: planpb.NewType(f.T), Variadic: f.Variadic}
	case *query.OpExpr:
		return &planpb.SetFunc{Func: uint32(f.Func), Args: em.p.lowerAll(f.Args, lay), Result: planpb.NewType(f.T)}
	}
	em.p.bug("set-returning expression %T", e)
	return nil
}

// scan emits an access path; when re-checking, a target's scan becomes a ChunkScan
// and its key conditions are checked again.
func (em *emitter) scan(o *scanOp) *planpb.Plan {
	p := em.p
	var ords []int32
	var cols []Col
	for _, c := range o.cols {
		ords = append(ords, c.ord)
		cols = append(cols, c.col)
	}
	lay := layoutOf(cols)
	out := em.types(cols)
	if slot, ok := em.chunks[o.get]; ok && em.chunks != nil {
		pl := &planpb.Plan{Id: p.planID(), Output: out, Rows: 1, Op: &planpb.Plan_ChunkScan{ChunkScan: &planpb.ChunkScan{Slot: slot}}}
		if qs := append(append([]query.Expr{}, o.cond...), o.filter...); len(qs) > 0 {
			pl = &planpb.Plan{Id: p.planID(), Output: out, Rows: 1, Op: &planpb.Plan_Filter{Filter: &planpb.Filter{Input: pl, Predicate: p.lower(andAll(qs), lay)}}}
		}
		return pl
	}
	var spans []*planpb.Span
	for _, s := range o.spans {
		ps := &planpb.Span{EqNull: s.eqNull, LowerInclusive: s.lowerInc, UpperInclusive: s.upperInc, LastEqIsArray: s.lastIsArray}
		ps.Eq = p.lowerAll(s.eq, layout{})
		ps.Lower, ps.Upper = p.lower(s.lower, layout{}), p.lower(s.upper, layout{})
		spans = append(spans, ps)
	}
	pl := &planpb.Plan{Id: p.planID(), Output: out}
	filter := p.lower(andAll(o.filter), lay)
	if o.index >= 0 && o.name != "" {
		pl.Op = &planpb.Plan_IndexScan{IndexScan: &planpb.IndexScan{Table: o.get.stored, Index: uint32(o.index), Columns: ords, Filter: filter,
			Spans: spans, Ordered: o.ordered, Reverse: o.reverse, LimitHint: uint64(o.limit)}}
	} else {
		pl.Op = &planpb.Plan_Scan{Scan: &planpb.Scan{Table: o.get.stored, Columns: ords, Filter: filter,
			Spans: spans, Ordered: o.ordered, Reverse: o.reverse, LimitHint: uint64(o.limit)}}
	}
	return pl
}

func (em *emitter) join(pl *planpb.Plan, n *Node, o *joinOp, in []*planpb.Plan) {
	p := em.p
	l, r := n.Inputs[0].Cols, n.Inputs[1].Cols
	both := layoutOf(l, r)
	residual := p.lower(andAll(o.residual), both)
	switch o.method {
	case methodHash:
		pl.Op = &planpb.Plan_HashJoin{HashJoin: &planpb.HashJoin{Type: o.typ, Left: in[0], Right: in[1],
			LeftKeys: p.lowerAll(o.lkeys, layoutOf(l)), RightKeys: p.lowerAll(o.rkeys, layoutOf(r)), NullEqual: o.nullEqual, Residual: residual}}
	case methodMerge:
		pl.Op = &planpb.Plan_MergeJoin{MergeJoin: &planpb.MergeJoin{Type: o.typ, Left: in[0], Right: in[1],
			LeftKeys: p.lowerAll(o.lkeys, layoutOf(l)), RightKeys: p.lowerAll(o.rkeys, layoutOf(r)), Residual: residual}}
	case methodLoop:
		pl.Op = &planpb.Plan_NestLoop{NestLoop: &planpb.NestLoop{Type: o.typ, Left: in[0], Right: in[1], Condition: residual}}
	case methodApply:
		a := &planpb.Apply{Type: o.typ, Left: in[0], Right: in[1], Condition: residual}
		lay := layoutOf(l)
		for _, c := range o.bindings {
			a.Bindings = append(a.Bindings, &planpb.SlotBinding{Slot: p.slotFor(c), Value: p.lower(p.colVar(c), lay)})
		}
		pl.Op = &planpb.Plan_Apply{Apply: a}
	}
}

func (em *emitter) aggCall(a *query.Aggref, lay layout) *planpb.AggCall {
	p := em.p
	c := &planpb.AggCall{Func: uint32(a.Func), Distinct: len(a.Distinct) > 0, WithinGroup: a.Kind == 'o' || a.Kind == 'h', Star: a.Star,
		Result: planpb.NewType(a.T), Variadic: a.Variadic, Filter: p.lower(a.Filter, lay), DirectArgs: p.lowerAll(a.DirectArgs, lay)}
	for i, te := range a.Args {
		if i < a.NumArgs || c.WithinGroup {
			c.Args = append(c.Args, p.lower(te.Expr, lay))
		}
	}
	for _, oc := range a.OrderBy {
		for _, te := range a.Args {
			if te.SortGroupRef == oc.Ref {
				c.OrderBy = append(c.OrderBy, &planpb.SortKey{Expr: p.lower(te.Expr, lay), Descending: oc.Descending, NullsFirst: oc.NullsFirst})
				break
			}
		}
	}
	return c
}

func (em *emitter) agg(pl *planpb.Plan, n *Node, o *aggOp, in *planpb.Plan) {
	p := em.p
	from := n.Inputs[0]
	if o.phase == planpb.Agg_FINAL && !o.eager {
		// Keys and calls repeat PARTIAL's, over PARTIAL's input; what comes in are its
		// keys and states.
		from = o.partial.Inputs[0]
	}
	lay := layoutOf(from.Cols)
	a := &planpb.Agg{Input: in, Phase: o.phase}
	if o.eager && o.phase == planpb.Agg_FINAL {
		em.finalAgg(a, n, o)
		pl.Op = &planpb.Plan_Agg{Agg: a}
		return
	}
	if o.sorted {
		a.Strategy = planpb.Agg_SORTED
	}
	for _, k := range o.keys {
		a.Keys = append(a.Keys, p.lower(k.expr, lay))
	}
	for _, c := range o.aggs {
		a.Calls = append(a.Calls, em.aggCall(c.agg, lay))
	}
	emitSets(a, o)
	pl.Op = &planpb.Plan_Agg{Agg: a}
}

// finalAgg emits an eager FINAL: keys are the first columns of its input, and of the calls'
// arguments, which are elsewhere, the types are told.
func (em *emitter) finalAgg(a *planpb.Agg, n *Node, o *aggOp) {
	lay := layoutOf(n.Inputs[0].Cols)
	for _, k := range o.keys {
		a.Keys = append(a.Keys, em.p.lower(k.expr, lay))
	}
	for i, c := range o.aggs {
		w := c.whole
		call := &planpb.AggCall{Func: uint32(w.Func), Star: w.Star, Result: planpb.NewType(w.T), Variadic: w.Variadic}
		for _, te := range w.Args {
			call.Args = append(call.Args, planpb.NewColumn(te.Expr.Type(), len(o.keys)+i))
		}
		a.Calls = append(a.Calls, call)
	}
	emitSets(a, o)
}

func emitSets(a *planpb.Agg, o *aggOp) {
	for i, s := range o.sets {
		gs := &planpb.GroupingSet{}
		if o.finer != nil {
			gs.Finer = uint32(o.finer[i] + 1)
		}
		for _, k := range s {
			gs.Keys = append(gs.Keys, uint32(k))
		}
		a.Sets = append(a.Sets, gs)
	}
	for _, g := range o.groupings {
		gc := &planpb.GroupingCall{}
		for _, k := range g.keys {
			gc.Keys = append(gc.Keys, uint32(k))
		}
		a.GroupingCalls = append(a.GroupingCalls, gc)
	}
}

func (em *emitter) window(pl *planpb.Plan, n *Node, w *relWindow, in *planpb.Plan) {
	p := em.p
	lay := layoutOf(n.Inputs[0].Cols)
	win := &planpb.Window{Input: in, Partition: p.lowerAll(w.partition, lay), Order: em.sortKeys(w.order, lay)}
	f := w.frame
	win.Frame = &planpb.WindowFrame{Mode: planpb.WindowFrame_Mode(f.Mode), Start: planpb.WindowFrame_Bound(f.Start), End: planpb.WindowFrame_Bound(f.End),
		StartOffset: p.lower(f.StartOffset, layout{}), EndOffset: p.lower(f.EndOffset, layout{}), Exclude: planpb.WindowFrame_Exclude(f.Exclusion),
		StartInRange: uint32(f.StartInRange), EndInRange: uint32(f.EndInRange)}
	for _, c := range w.calls {
		win.Calls = append(win.Calls, &planpb.WindowCall{Func: uint32(c.fn.Func), Args: p.lowerAll(c.fn.Args, lay), Filter: p.lower(c.fn.Filter, lay),
			Result: planpb.NewType(c.fn.T), IsAggregate: c.fn.IsAgg, Star: c.fn.Star})
	}
	pl.Op = &planpb.Plan_Window{Window: win}
}

// recheckOf emits the input of a Modify or LockRows again with the target scans
// replaced by ChunkScans.
func (em *emitter) recheckOf(n *Node, gets []*relGet) (*planpb.Plan, map[*relGet][]int32) {
	found := map[*relGet][]int32{}
	var visit func(n *Node)
	visit = func(n *Node) {
		if s, ok := n.Op.(*scanOp); ok {
			for _, g := range gets {
				if s.get == g {
					var ords []int32
					for _, c := range s.cols {
						ords = append(ords, c.ord)
					}
					found[g] = ords
				}
			}
		}
		for _, c := range n.Inputs {
			visit(c)
		}
	}
	visit(n)
	sub := &emitter{p: em.p, chunks: map[*relGet]uint32{}}
	for _, g := range gets {
		if found[g] == nil {
			return nil, nil
		}
		sub.chunks[g] = g.target
	}
	return sub.node(n), found
}

func (em *emitter) modify(n *Node, m *relModify) *planpb.Plan {
	p := em.p
	in := n.Inputs[0]
	pl := &planpb.Plan{Id: p.planID(), Output: em.types(n.base)}
	mod := &planpb.Modify{Op: m.op, Table: m.stored, Input: em.node(in), ExtraColumns: uint32(len(m.extra)), HasReturning: len(m.returning) > 0,
		MergeActions: m.actions}
	row := layoutOf(m.rowCols)
	rowExtra := layoutOf(m.rowCols, m.extra)
	for _, r := range m.returning {
		mod.Returning = append(mod.Returning, p.lower(r.expr, rowExtra))
	}
	for _, c := range m.checks {
		mod.Checks = append(mod.Checks, &planpb.Check{Name: c.name, View: c.view, Expr: p.lower(c.expr, row)})
	}
	for _, g := range m.generated {
		mod.Generated = append(mod.Generated, &planpb.Assignment{Ordinal: uint32(g.ord), Value: p.lower(g.expr, row)})
	}
	for _, o := range m.changed {
		mod.Changed = append(mod.Changed, uint32(o))
	}
	for _, c := range m.table.Constraints {
		if c.Type == 'f' {
			mod.Notify = true
		}
	}
	if len(m.table.ReferencedBy) > 0 {
		mod.Notify = true
	}
	if c := m.conflict; c != nil {
		oc := &planpb.OnConflict{Update: c.update, AnyIndex: c.anyIndex, PrimaryKey: c.primary}
		for _, i := range c.indexes {
			oc.Indexes = append(oc.Indexes, uint32(i))
		}
		both := layoutOf(m.rowCols, c.excluded)
		for _, s := range c.set {
			oc.Set = append(oc.Set, &planpb.Assignment{Ordinal: uint32(s.ord), Value: p.lower(s.expr, both)})
		}
		oc.Where = p.lower(c.where, both)
		oc.InitSlots = c.inits
		for _, col := range c.bound.list() {
			oc.Bindings = append(oc.Bindings, &planpb.SlotBinding{Slot: p.slotFor(col), Value: p.lower(p.colVar(col), both)})
		}
		mod.OnConflict = oc
	}
	if m.target != nil && em.chunks == nil {
		re, cols := em.recheckOf(in, []*relGet{m.target})
		if re != nil {
			mod.Recheck, mod.RecheckSlot, mod.RecheckColumns = re, m.target.target, cols[m.target]
		}
	}
	pl.Op = &planpb.Plan_Modify{Modify: mod}
	return pl
}

func (em *emitter) lock(n *Node, o *lockOp) *planpb.Plan {
	p := em.p
	in := n.Inputs[0]
	lay := layoutOf(in.Cols)
	pl := &planpb.Plan{Id: p.planID(), Output: em.types(n.base)}
	lr := &planpb.LockRows{Input: em.node(in)}
	var gets []*relGet
	for _, t := range o.targets {
		gets = append(gets, t.get)
	}
	re, cols := em.recheckOf(in, gets)
	lr.Recheck = re
	for _, t := range o.targets {
		lr.Targets = append(lr.Targets, &planpb.LockTarget{Table: t.get.stored, LocatorColumn: uint32(lay[t.locator]), Strength: t.strength,
			Policy: t.policy, RecheckSlot: t.get.target, RecheckColumns: cols[t.get]})
	}
	pl.Op = &planpb.Plan_LockRows{LockRows: lr}
	return pl
}

var _ = types.Bool
