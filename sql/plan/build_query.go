package plan

import (
	"slices"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// buildStatement builds the outermost query.
func (p *planner) buildStatement(q *query.Query) (rel, []Col) {
	switch q.Command {
	case query.CmdSelect:
		return p.buildQuery(q, nil)
	case query.CmdInsert, query.CmdUpdate, query.CmdDelete, query.CmdMerge:
		return p.buildModify(q, nil)
	}
	p.bug("utility statement given to the planner")
	return nil, nil
}

// target is a select-list entry while it is built.
type target struct {
	te   *query.TargetEntry
	expr query.Expr
	col  Col // once it is a column
}

// buildQuery builds a SELECT; the columns are those of the non-junk select list.
func (p *planner) buildQuery(q *query.Query, parent *scope) (rel, []Col) {
	sc := p.newScope(parent, q)
	p.buildModifyingCTEs(sc)
	if q.SetOperations != nil {
		return p.buildSetQuery(q, sc)
	}
	var r rel = &relResult{}
	// HAVING without groups or aggregates decides about one row that the tables have no part in.
	single := q.Having != nil && !q.HasAggs && len(q.GroupClause) == 0 && !q.HasGroupingSets
	if q.JoinTree != nil && !single {
		r = p.buildFromList(q.JoinTree.Items, sc)
		p.where(conjuncts(p.resolve(q.JoinTree.Quals, sc)), &r, sc)
	}
	return p.buildUpper(q, sc, r)
}

// buildUpper builds everything above WHERE.
func (p *planner) buildUpper(q *query.Query, sc *scope, r rel) (rel, []Col) {
	ts := make([]*target, len(q.TargetList))
	for i, te := range q.TargetList {
		ts[i] = &target{te: te, expr: p.resolveAt(te.Expr, sc, 0)}
		if !p.quiet[q] || te.SortGroupRef != 0 {
			p.noteErrors(ts[i].expr)
		}
	}
	grouped := q.HasAggs || len(q.GroupClause) > 0 || q.HasGroupingSets || q.Having != nil
	if grouped {
		p.buildGroup(q, sc, ts, r)
		r = sc.group
		for _, t := range ts {
			if t.col == 0 {
				t.expr = p.aboveGroup(t.expr, sc)
			}
		}
		if q.Having != nil {
			p.where(conjuncts(p.aboveGroup(p.resolve(q.Having, sc), sc)), &r, sc)
		}
	}
	if q.HasWindowFuncs {
		r = p.buildWindows(q, sc, ts, r)
	}
	r, cols := p.buildOutput(q, sc, ts, r)
	if grouped {
		p.addDependentKeys(sc, r)
	}
	return r, cols
}

// aboveGroup rewrites an expression to the columns of sc's grouping.
func (p *planner) aboveGroup(e query.Expr, sc *scope) query.Expr {
	return rewrite(e, func(x query.Expr) query.Expr {
		switch v := x.(type) {
		case *query.Aggref:
			return p.aggCol(v, sc)
		case *query.GroupingFunc:
			return p.groupingCol(v, sc)
		case *query.Const, *query.Param:
			return nil
		}
		if c, ok := sc.groupKey[exprKey(x)]; ok {
			return p.colVar(c)
		}
		return nil
	})
}

// outerAgg is an aggregate of level sc seen from a sub-select.
func (p *planner) outerAgg(a *query.Aggref, sc *scope) query.Expr {
	if sc == nil || sc.group == nil {
		p.bug("aggregate of an outer query without grouping")
	}
	// Seen from sc, its own sub-selects included.
	c := query.IncrementLevels(a, -a.LevelsUp, a.LevelsUp)
	n := mapChildren(c, func(x query.Expr) query.Expr { return p.resolve(x, sc) })
	return p.aggCol(n.(*query.Aggref), sc)
}

// aggCol adds an aggregate (arguments resolved) to sc's grouping.
func (p *planner) aggCol(a *query.Aggref, sc *scope) query.Expr {
	if sc.group == nil {
		p.bug("aggregate without grouping")
	}
	key := exprKey(a)
	if c, ok := sc.aggKey[key]; ok {
		return p.colVar(c)
	}
	if len(sc.group.sets) > 1 {
		// They are NULL in the sets a column is not of; arguments are computed before the sets part.
		for _, d := range a.DirectArgs {
			if !exprCols(d).empty() {
				p.unsupported("direct arguments of %s that depend on grouped columns, with GROUPING SETS", a.Name)
			}
		}
	}
	if hasSubLink(a) {
		// The sub-selects of arguments see the rows below the grouping.
		above := sc.groupVar
		sc.groupVar = nil
		a = mapChildren(a, func(x query.Expr) query.Expr {
			return p.expand(x, &exprCtx{sc: sc, at: &sc.group.in})
		}).(*query.Aggref)
		sc.groupVar = above
	}
	c := p.newCol(colInfo{t: a.T, coll: a.Coll, name: a.Name, expr: a})
	sc.group.aggs = append(sc.group.aggs, aggItem{col: c, agg: a})
	sc.aggKey[key] = c
	return p.colVar(c)
}

// groupingCol adds a GROUPING() call.
func (p *planner) groupingCol(g *query.GroupingFunc, sc *scope) query.Expr {
	if sc == nil || sc.group == nil {
		p.bug("GROUPING without grouping")
	}
	it := groupingItem{}
	for _, ref := range g.Refs {
		for i, gc := range sc.q.GroupClause {
			if gc.Ref == ref {
				it.keys = append(it.keys, i)
			}
		}
	}
	if sc.group.sets == nil {
		// Without grouping sets every key is part of the one grouping.
		return &query.Const{Base: query.Base{T: types.Of(types.Int4), Loc: -1}, Value: int32(0)}
	}
	it.col = p.newCol(colInfo{t: types.Of(types.Int4), name: "grouping", notNull: true, expr: g})
	sc.group.groupings = append(sc.group.groupings, it)
	return p.colVar(it.col)
}

// buildGroup makes sc.group over r.
func (p *planner) buildGroup(q *query.Query, sc *scope, ts []*target, r rel) {
	g := &relGroup{}
	g.in = r
	sc.groupKey, sc.aggKey = map[string]Col{}, map[string]Col{}
	withSets := q.HasGroupingSets || len(q.GroupingSets) > 0
	groupVar := map[Col]query.Expr{}
	for _, gc := range q.GroupClause {
		t := findTarget(ts, gc.Ref)
		if t == nil {
			p.bug("GROUP BY item %d is not in the target list", gc.Ref)
		}
		if t.col != 0 {
			// The same target entry twice: keep positions.
			g.keys = append(g.keys, projItem{t.col, g.keys[p.keyPos(g, t.col)].expr})
			continue
		}
		raw := t.expr
		e := raw
		if hasSubLink(e) {
			e = p.expand(e, &exprCtx{sc: sc, at: &g.in})
		}
		if hasSRF(e) {
			es := []query.Expr{e}
			p.projectSets(es, &g.in)
			e = es[0]
		}
		c, isVar := asCol(e)
		if !isVar || withSets {
			ci := colInfo{t: e.Type(), coll: e.Collation(), name: t.te.Name, expr: e}
			if isVar {
				ci = p.cols[c]
				ci.notNull = false
				ci.expr = e
			}
			nc := p.newCol(ci)
			if isVar {
				groupVar[c] = p.colVar(nc)
			}
			c = nc
		}
		g.keys = append(g.keys, projItem{c, e})
		t.col = c
		t.expr = p.colVar(c)
		if _, dup := sc.groupKey[exprKey(raw)]; !dup {
			sc.groupKey[exprKey(raw)] = c
		}
	}
	if withSets {
		g.sets = [][]int{}
		for _, s := range q.GroupingSets {
			set := []int{}
			for _, ref := range s {
				for i, gc := range q.GroupClause {
					if gc.Ref == ref {
						set = append(set, i)
						break
					}
				}
			}
			g.sets = append(g.sets, set)
		}
		sc.groupVar = groupVar
	}
	sc.group = g
}

func (p *planner) keyPos(g *relGroup, c Col) int {
	for i, k := range g.keys {
		if k.col == c {
			return i
		}
	}
	return 0
}

func findTarget(ts []*target, ref int) *target {
	if ref == 0 {
		return nil
	}
	for _, t := range ts {
		if t.te.SortGroupRef == ref {
			return t
		}
	}
	return nil
}

// addDependentKeys groups also by the columns that are used above the grouping
// because they depend functionally on its keys (GROUP BY primary key).
func (p *planner) addDependentKeys(sc *scope, top rel) {
	g := sc.group
	have, below := outCols(g), outCols(g.in)
	var missing ColSet
	var visit func(r rel)
	visit = func(r rel) {
		if r == rel(g) {
			return
		}
		missing.addAll(usedCols(r))
		for _, in := range r.inputs() {
			visit(in)
		}
	}
	visit(top)
	m := map[Col]query.Expr{}
	for _, c := range missing.intersect(below).minus(have).list() {
		n := c
		if g.sets != nil {
			ci := p.cols[c]
			ci.expr = p.colVar(c)
			n = p.newCol(ci)
			m[c] = p.colVar(n)
			for i := range g.sets {
				g.sets[i] = append(g.sets[i], len(g.keys))
			}
		}
		g.keys = append(g.keys, projItem{n, p.colVar(c)})
	}
	if len(m) > 0 {
		var subst func(r rel)
		subst = func(r rel) {
			if r == rel(g) {
				return
			}
			mapRelExprs(r, func(e query.Expr) query.Expr { return substitute(e, m) })
			for _, in := range r.inputs() {
				subst(in)
			}
		}
		subst(top)
	}
}

// buildWindows adds a relWindow per window clause that is used and rewrites the
// targets to their columns.
func (p *planner) buildWindows(q *query.Query, sc *scope, ts []*target, r rel) rel {
	p.windowSets(q, sc, ts, &r)
	calls := map[int][]*query.WindowFunc{}
	seen := map[string]Col{}
	for _, t := range ts {
		walk(t.expr, func(x query.Expr) bool {
			if w, ok := x.(*query.WindowFunc); ok {
				if _, dup := seen[exprKey(w)]; !dup {
					seen[exprKey(w)] = 0
					calls[w.WinRef] = append(calls[w.WinRef], w)
				}
				return false
			}
			return true
		})
	}
	cx := &exprCtx{sc: sc, at: &r}
	// Everything the windows need is computed below the first of them.
	var wins []*relWindow
	for _, wc := range p.windowOrder(q, calls) {
		w := &relWindow{frame: wc.Frame}
		keyExpr := func(ref int) query.Expr {
			t := findTarget(ts, ref)
			if t == nil {
				p.bug("window key %d is not in the target list", ref)
			}
			e := t.expr
			if hasSubLink(e) {
				e = p.expand(e, cx)
				t.expr = e
			}
			return e
		}
		for _, pc := range wc.Partition {
			w.partition = append(w.partition, keyExpr(pc.Ref))
		}
		for _, oc := range wc.Order {
			w.order = append(w.order, sortItem{keyExpr(oc.Ref), oc.Descending, oc.NullsFirst})
		}
		level := func(e query.Expr) query.Expr {
			if isNil(e) {
				return nil
			}
			e = p.resolve(e, sc)
			if sc.group != nil {
				e = p.aboveGroup(e, sc)
			}
			return p.expand(e, cx)
		}
		w.frame.StartOffset, w.frame.EndOffset = level(wc.Frame.StartOffset), level(wc.Frame.EndOffset)
		for _, fn := range calls[wc.Ref] {
			n := mapChildren(fn, func(x query.Expr) query.Expr { return p.expand(x, cx) }).(*query.WindowFunc)
			c := p.newCol(colInfo{t: fn.T, coll: fn.Coll, name: fn.Name, expr: n})
			seen[exprKey(fn)] = c
			w.calls = append(w.calls, windowItem{c, n})
		}
		wins = append(wins, w)
	}
	for _, w := range wins {
		w.in = r
		r = w
	}
	for _, t := range ts {
		t.expr = rewrite(t.expr, func(x query.Expr) query.Expr {
			if w, ok := x.(*query.WindowFunc); ok {
				return p.colVar(seen[exprKey(w)])
			}
			return nil
		})
	}
	return r
}

// windowSets computes the window keys that contain set-returning functions, below
// all windows. The same expressions elsewhere in the select list are those columns;
// other set-returning functions run above the windows.
func (p *planner) windowSets(q *query.Query, sc *scope, ts []*target, r *rel) {
	var keys []*target
	made := map[string]Col{}
	var raw []string
	for _, wc := range q.WindowClause {
		for _, c := range append(append([]query.SortGroupClause{}, wc.Partition...), wc.Order...) {
			if t := findTarget(ts, c.Ref); t != nil && hasSRF(t.expr) {
				if k := exprKey(t.expr); !slices.Contains(raw, k) {
					keys, raw = append(keys, t), append(raw, k)
				}
			}
		}
	}
	if len(keys) == 0 {
		return
	}
	p.computeTargets(sc, keys, r)
	for i, t := range keys {
		made[raw[i]] = t.col
	}
	for _, t := range ts {
		t.expr = rewrite(t.expr, func(x query.Expr) query.Expr {
			if c, ok := made[exprKey(x)]; ok {
				return p.colVar(c)
			}
			return nil
		})
	}
}

// windowOrder puts window clauses with longer sort keys first, so that clauses
// whose keys are a prefix share the sort.
func (p *planner) windowOrder(q *query.Query, calls map[int][]*query.WindowFunc) []*query.WindowClause {
	var out []*query.WindowClause
	for _, wc := range q.WindowClause {
		if len(calls[wc.Ref]) > 0 {
			out = append(out, wc)
		}
	}
	key := func(w *query.WindowClause) []query.SortGroupClause {
		return append(append([]query.SortGroupClause{}, w.Partition...), w.Order...)
	}
	prefix := func(a, b []query.SortGroupClause) bool {
		if len(a) > len(b) {
			return false
		}
		for i := range a {
			if a[i].Ref != b[i].Ref || a[i].Descending != b[i].Descending || a[i].NullsFirst != b[i].NullsFirst {
				return false
			}
		}
		return true
	}
	// Move a clause directly behind an earlier or later one that it is a prefix of.
	var res []*query.WindowClause
	done := make([]bool, len(out))
	for i := range out {
		if done[i] {
			continue
		}
		// the longest clause that i is a prefix of leads its group
		lead := i
		for j := range out {
			if !done[j] && prefix(key(out[lead]), key(out[j])) && len(key(out[j])) > len(key(out[lead])) {
				lead = j
			}
		}
		res = append(res, out[lead])
		done[lead] = true
		for j := range out {
			if !done[j] && prefix(key(out[j]), key(out[lead])) {
				res = append(res, out[j])
				done[j] = true
			}
		}
	}
	return res
}

// buildOutput computes the select list and applies DISTINCT, ORDER BY, row locks and LIMIT.
func (p *planner) buildOutput(q *query.Query, sc *scope, ts []*target, r rel) (rel, []Col) {
	// With ORDER BY, volatile and set-returning items that are no sort keys are
	// computed after the sort; with LIMIT also those that are dear.
	late := func(t *target) bool {
		if t.te.SortGroupRef != 0 || len(q.SortClause) == 0 || len(q.DistinctClause) > 0 && !q.HasDistinctOn {
			return false
		}
		return hasSRF(t.expr) || p.isVolatile(t.expr) || q.LimitCount != nil && hasSubLink(t.expr)
	}
	var now, after []*target
	anySRFKey := false
	for _, t := range ts {
		if t.te.SortGroupRef != 0 && hasSRF(t.expr) {
			anySRFKey = true
		}
	}
	for _, t := range ts {
		if late(t) && !(anySRFKey && hasSRF(t.expr)) {
			after = append(after, t)
		} else {
			now = append(now, t)
		}
	}
	p.computeTargets(sc, now, &r)
	if len(q.DistinctClause) > 0 && !q.HasDistinctOn {
		r = p.buildDistinct(q, ts, r)
	}
	keys := p.sortKeys(q.SortClause, ts)
	if q.HasDistinctOn {
		var on []query.Expr
		sortOn := append([]sortItem{}, keys...)
		for _, dc := range q.DistinctClause {
			t := findTarget(ts, dc.Ref)
			on = append(on, t.expr)
			if !hasSortKey(sortOn, t.expr) {
				sortOn = append(sortOn, sortItem{t.expr, dc.Descending, dc.NullsFirst})
			}
		}
		r = &relSort{unary: unary{r}, keys: sortOn}
		r = &relDistinctOn{unary{r}, on}
	} else if len(keys) > 0 {
		r = &relSort{unary: unary{r}, keys: keys, final: len(after) > 0}
	}
	p.computeTargets(sc, after, &r)
	if len(q.RowMarks) > 0 {
		r = p.buildLocks(q, sc, r)
	}
	r = p.buildLimit(q, sc, r, keys)
	var cols []Col
	for _, t := range ts {
		if !t.te.Junk {
			cols = append(cols, t.col)
		}
	}
	return r, cols
}

func hasSortKey(ks []sortItem, e query.Expr) bool {
	for _, k := range ks {
		if equalExpr(k.expr, e) {
			return true
		}
	}
	return false
}

// computeTargets turns targets into columns: set-returning functions first, then a projection.
func (p *planner) computeTargets(sc *scope, ts []*target, r *rel) {
	if len(ts) == 0 {
		return
	}
	cx := &exprCtx{sc: sc, at: r}
	es := make([]query.Expr, len(ts))
	for i, t := range ts {
		es[i] = p.expand(t.expr, cx)
	}
	p.projectSets(es, r)
	pr := &relProject{}
	have := outCols(*r)
	for i, t := range ts {
		if c, ok := asCol(es[i]); ok && have.has(c) {
			t.col = c
		} else {
			t.col = p.newCol(colInfo{t: es[i].Type(), coll: es[i].Collation(), name: t.te.Name, expr: es[i]})
			pr.items = append(pr.items, projItem{t.col, es[i]})
			pr.barrier = pr.barrier || p.isVolatile(es[i])
		}
		t.expr = p.colVar(t.col)
	}
	if len(pr.items) > 0 {
		pr.in = *r
		*r = pr
	}
}

// projectSets puts ProjectSets under r for the set-returning calls in es,
// innermost first, and replaces the calls by their columns.
func (p *planner) projectSets(es []query.Expr, r *rel) {
	for {
		ps := &relProjectSet{}
		seen := map[query.Expr]Col{}
		var find func(e query.Expr) bool // whether e contains a set-returning call
		find = func(e query.Expr) bool {
			below := false
			mapChildren(e, func(c query.Expr) query.Expr { below = find(c) || below; return c })
			if !isSRF(e) {
				return below
			}
			if !below {
				if _, ok := seen[e]; !ok {
					c := p.newCol(colInfo{t: e.Type(), coll: e.Collation(), name: srfName(e), expr: e})
					seen[e] = c
					ps.items = append(ps.items, setItem{col: c, set: true, fn: e})
				}
			}
			return true
		}
		any := false
		for _, e := range es {
			any = find(e) || any
		}
		if !any {
			return
		}
		ps.in = *r
		*r = ps
		for i := range es {
			es[i] = rewrite(es[i], func(x query.Expr) query.Expr {
				if c, ok := seen[x]; ok {
					return p.colVar(c)
				}
				return nil
			})
		}
	}
}

func srfName(e query.Expr) string {
	if f, ok := e.(*query.FuncExpr); ok {
		return f.Name
	}
	return ""
}

func (p *planner) sortKeys(cs []query.SortGroupClause, ts []*target) []sortItem {
	var out []sortItem
	for _, sc := range cs {
		t := findTarget(ts, sc.Ref)
		if t == nil {
			p.bug("sort key %d is not in the target list", sc.Ref)
		}
		if _, isConst := t.expr.(*query.Const); isConst || hasSortKey(out, t.expr) {
			continue
		}
		out = append(out, sortItem{t.expr, sc.Descending, sc.NullsFirst})
	}
	return out
}

func (p *planner) buildDistinct(q *query.Query, ts []*target, r rel) rel {
	g := &relGroup{unary: unary{r}, distinct: true}
	seen := map[Col]bool{}
	for _, dc := range q.DistinctClause {
		t := findTarget(ts, dc.Ref)
		if t != nil && !seen[t.col] {
			seen[t.col] = true
			g.keys = append(g.keys, projItem{t.col, p.colVar(t.col)})
		}
	}
	return g
}

func (p *planner) buildLimit(q *query.Query, sc *scope, r rel, keys []sortItem) rel {
	if q.LimitCount == nil && q.LimitOffset == nil {
		return r
	}
	cx := &exprCtx{sc: sc, noJoin: "LIMIT"}
	l := &relLimit{unary: unary{r}, withTies: q.WithTies}
	if q.LimitCount != nil {
		l.count = p.expand(p.resolve(q.LimitCount, sc), cx)
	}
	if q.LimitOffset != nil {
		l.offset = p.expand(p.resolve(q.LimitOffset, sc), cx)
	}
	if q.WithTies {
		l.ties = append([]sortItem{}, keys...)
	}
	return l
}

// buildLocks puts a relLock over the rows of FOR UPDATE and its kin.
func (p *planner) buildLocks(q *query.Query, sc *scope, r rel) rel {
	l := &relLock{unary: unary{r}}
	for _, m := range q.RowMarks {
		rs := sc.rtes[m.RTIndex-1]
		if rs.get == nil || rs.get.table.Storage == nil {
			continue // sub-selects carry their own marks; other items have no rows to lock
		}
		if rs.get.target == 0 {
			p.targets++
			rs.get.target = p.targets
		}
		l.targets = append(l.targets, lockTarget{get: rs.get, locator: p.locatorCol(rs), strength: uint32(m.Strength), policy: uint32(m.Policy)})
	}
	if len(l.targets) == 0 {
		return r
	}
	p.readOnly = false
	return l
}

// ------------------------------------------------------------ set operations

// buildSetQuery builds a query whose FROM is a tree of set operations.
func (p *planner) buildSetQuery(q *query.Query, sc *scope) (rel, []Col) {
	r, cols := p.buildSetOp(q.SetOperations, sc)
	// The outer select list's Vars name the leftmost leaf.
	left := q.SetOperations.Left
	for left.Op != nil {
		left = left.Op.Left
	}
	sc.rtes[left.RTIndex-1].cols = cols
	for i, te := range q.TargetList {
		if i < len(cols) {
			p.cols[cols[i]].name = te.Name
		}
	}
	ts := make([]*target, len(q.TargetList))
	for i, te := range q.TargetList {
		ts[i] = &target{te: te, expr: p.resolve(te.Expr, sc)}
	}
	return p.buildOutput(q, sc, ts, r)
}

func (p *planner) buildSetArg(a query.SetOperationArg, sc *scope, op *query.SetOperation) (rel, []Col) {
	if a.Op != nil {
		r, cols := p.buildSetOp(a.Op, sc)
		return p.coerceColumns(r, cols, op.ColTypes)
	}
	return p.buildSetLeaf(a.RTIndex, sc, op)
}

// buildSetLeaf builds a side of a set operation with the operation's column types.
func (p *planner) buildSetLeaf(rti int, sc *scope, op *query.SetOperation) (rel, []Col) {
	rte := sc.rtes[rti-1].rte
	r, cols := p.buildQuery(rte.Subquery, sc)
	return p.coerceColumns(r, cols, op.ColTypes)
}

// coerceColumns casts columns whose types differ from the set operation's.
func (p *planner) coerceColumns(r rel, cols []Col, want []types.T) (rel, []Col) {
	pr := &relProject{unary: unary{r}}
	out := append([]Col{}, cols...)
	for i, t := range want {
		have := p.cols[cols[i]].t
		if have.OID == t.OID {
			continue
		}
		e := p.castTo(p.colVar(cols[i]), t)
		out[i] = p.newCol(colInfo{t: e.Type(), coll: e.Collation(), name: p.cols[cols[i]].name, expr: e})
		pr.items = append(pr.items, projItem{out[i], e})
	}
	if len(pr.items) == 0 {
		return r, cols
	}
	return pr, out
}

// castTo converts a value between types for which analysis has found an implicit conversion.
func (p *planner) castTo(e query.Expr, t types.T) query.Expr {
	base := query.Base{T: t, Coll: e.Collation(), Loc: -1}
	if e.Type().OID == types.Unknown {
		return &query.CoerceViaIO{Base: base, Arg: e, Form: query.CoerceImplicitCast}
	}
	c := p.cat.Cast(e.Type().OID, t.OID)
	switch {
	case c != nil && c.Method == 'f' && c.Func != 0:
		args := []query.Expr{e}
		if f := p.cat.Function(c.Func); f != nil && len(f.ArgTypes) >= 2 {
			args = append(args, int4Const(t.Mod))
			if len(f.ArgTypes) >= 3 {
				args = append(args, boolConst(false))
			}
		}
		return &query.FuncExpr{Base: base, Func: c.Func, Args: args, Form: query.CoerceImplicitCast}
	case c != nil && c.Method == 'b', e.Type().Class == t.Class && t.Class != types.ClassBase:
		return &query.RelabelType{Base: base, Arg: e, Form: query.CoerceImplicitCast}
	}
	return &query.CoerceViaIO{Base: base, Arg: e, Form: query.CoerceImplicitCast}
}

func int4Const(v int32) *query.Const {
	return &query.Const{Base: query.Base{T: types.Of(types.Int4), Loc: -1}, Value: v}
}

func (p *planner) setCols(op *query.SetOperation) []Col {
	var cols []Col
	for i, t := range op.ColTypes {
		cols = append(cols, p.newCol(colInfo{t: t, coll: at(op.ColCollations, i)}))
	}
	return cols
}

func (p *planner) buildSetOp(op *query.SetOperation, sc *scope) (rel, []Col) {
	if op.Op == query.Union {
		ap := &relAppend{cols: p.setCols(op)}
		p.appendInputs(ap, op.Left, op, op, sc)
		p.appendInputs(ap, op.Right, op, op, sc)
		if op.All {
			return ap, ap.cols
		}
		g := &relGroup{unary: unary{ap}, distinct: true}
		for _, c := range ap.cols {
			g.keys = append(g.keys, projItem{c, p.colVar(c)})
		}
		return g, ap.cols
	}
	s := &relSetOp{cols: p.setCols(op)}
	s.left, s.lcols = p.buildSetArg(op.Left, sc, op)
	s.right, s.rcols = p.buildSetArg(op.Right, sc, op)
	switch {
	case op.Op == query.Intersect && op.All:
		s.op = planpb.SetOp_INTERSECT_ALL
	case op.Op == query.Intersect:
		s.op = planpb.SetOp_INTERSECT
	case op.All:
		s.op = planpb.SetOp_EXCEPT_ALL
	default:
		s.op = planpb.SetOp_EXCEPT
	}
	return s, s.cols
}

// appendInputs adds one side of a UNION, taking nested UNIONs of the same kind
// (or any UNION below a distinct one) apart.
func (p *planner) appendInputs(ap *relAppend, a query.SetOperationArg, parent, top *query.SetOperation, sc *scope) {
	if n := a.Op; n != nil && n.Op == query.Union && (n.All || !top.All) && sameTypes(n.ColTypes, top.ColTypes) {
		p.appendInputs(ap, n.Left, n, top, sc)
		p.appendInputs(ap, n.Right, n, top, sc)
		return
	}
	r, cols := p.buildSetArg(a, sc, top)
	ap.ins, ap.inCols = append(ap.ins, r), append(ap.inCols, cols)
}

func sameTypes(a, b []types.T) bool {
	for i := range a {
		if a[i].OID != b[i].OID {
			return false
		}
	}
	return len(a) == len(b)
}
