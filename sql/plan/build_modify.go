package plan

import (
	"slices"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// buildModify builds INSERT, UPDATE, DELETE and MERGE; the columns are those of RETURNING.
func (p *planner) buildModify(q *query.Query, parent *scope) (rel, []Col) {
	p.readOnly = false
	sc := p.newScope(parent, q)
	p.buildModifyingCTEs(sc)
	rs := sc.rtes[q.ResultRelation-1]
	table, err := p.cat.Relation(p.ctx, rs.rte.Relid)
	p.check(err)
	if table == nil {
		p.bug("target relation %d does not exist", rs.rte.Relid)
	}
	if table.Storage == nil {
		p.unsupported("changing relation %q", table.Name)
	}
	p.relations[table.OID] = true
	m := &relModify{table: table, stored: table.Storage, alias: rs.rte.ERefName}
	var r rel
	switch q.Command {
	case query.CmdInsert:
		m.op = planpb.Modify_INSERT
		r = p.buildSource(q, sc)
		r = p.assignColumns(m, q.TargetList, sc, r, nil)
	case query.CmdUpdate:
		m.op = planpb.Modify_UPDATE
		r = p.buildTargetSource(q, sc, m)
		r = p.assignColumns(m, q.TargetList, sc, r, rs)
		m.inCols = append([]Col{p.locatorCol(rs)}, m.inCols...)
	case query.CmdDelete:
		m.op = planpb.Modify_DELETE
		r = p.buildTargetSource(q, sc, m)
		m.inCols = []Col{p.locatorCol(rs)}
	case query.CmdMerge:
		m.op = planpb.Modify_MERGE
		r = p.buildMerge(q, sc, m)
	}
	m.in = r
	p.newRow(m, q, sc)
	return p.buildReturning(m, q, sc)
}

// buildSource builds FROM and WHERE.
func (p *planner) buildSource(q *query.Query, sc *scope) rel {
	var r rel = &relResult{}
	if q.JoinTree != nil {
		r = p.buildFromList(q.JoinTree.Items, sc)
		p.where(conjuncts(p.resolve(q.JoinTree.Quals, sc)), &r, sc)
	}
	return r
}

// buildTargetSource builds the rows to UPDATE or DELETE; the target is part of FROM.
func (p *planner) buildTargetSource(q *query.Query, sc *scope, m *relModify) rel {
	items := q.JoinTree.Items
	if !refers(items, q.ResultRelation) {
		items = append([]query.FromItem{&query.RangeTblRef{RTIndex: q.ResultRelation}}, items...)
	}
	r := p.buildFromList(items, sc)
	p.where(conjuncts(p.resolve(q.JoinTree.Quals, sc)), &r, sc)
	p.markTarget(m, sc.rtes[q.ResultRelation-1])
	return r
}

func (p *planner) markTarget(m *relModify, rs *rteScope) {
	if rs.get == nil {
		p.bug("target relation is not scanned")
	}
	p.targets++
	rs.get.target = p.targets
	m.target = rs.get
	// The re-check needs whole rows.
	for i, c := range rs.get.table.Columns {
		if !c.Dropped {
			p.getColumn(rs, i+1)
		}
	}
}

func refers(items []query.FromItem, rti int) bool {
	for _, it := range items {
		switch x := it.(type) {
		case *query.RangeTblRef:
			if x.RTIndex == rti {
				return true
			}
		case *query.JoinExpr:
			if refers([]query.FromItem{x.Left, x.Right}, rti) {
				return true
			}
		case *query.FromExpr:
			if refers(x.Items, rti) {
				return true
			}
		}
	}
	return false
}

// assignColumns computes one column per table column in ordinal order: what list
// assigns, else the old value (UPDATE), else NULL. old is nil for INSERT.
func (p *planner) assignColumns(m *relModify, list []*query.TargetEntry, sc *scope, r rel, old *rteScope) rel {
	byAtt := map[int]*query.TargetEntry{}
	for _, te := range list {
		if !te.Junk {
			byAtt[te.ResNo] = te
		}
	}
	var ts []*target
	for i, c := range m.table.Columns {
		if c.Dropped {
			continue
		}
		te := byAtt[i+1]
		var e query.Expr
		switch {
		case te != nil && !c.Generated:
			e = p.resolve(te.Expr, sc)
			if old != nil {
				m.changed = append(m.changed, p.ordinal(m.table, i+1))
			}
		case old != nil:
			e = p.colVar(p.getColumn(old, i+1))
			if c.Generated {
				m.changed = append(m.changed, p.ordinal(m.table, i+1))
			}
		default:
			e = nullConst(c.Type)
		}
		ts = append(ts, &target{te: &query.TargetEntry{Name: c.Name}, expr: e})
	}
	p.computeTargets(sc, ts, &r)
	for _, t := range ts {
		m.inCols = append(m.inCols, t.col)
	}
	return r
}

// buildMerge joins target and source and computes the action and the new row.
func (p *planner) buildMerge(q *query.Query, sc *scope, m *relModify) rel {
	var items []query.FromItem
	if q.JoinTree != nil {
		for _, it := range q.JoinTree.Items {
			if ref, ok := it.(*query.RangeTblRef); !ok || ref.RTIndex != q.ResultRelation {
				items = append(items, it)
			}
		}
	}
	if len(items) == 0 {
		items = []query.FromItem{&query.RangeTblRef{RTIndex: q.MergeSource}}
	}
	src := p.buildFromList(items, sc)
	rs := sc.rtes[q.ResultRelation-1]
	tgt := p.buildRTE(q.ResultRelation, sc)
	p.markTarget(m, rs)
	loc := p.locatorCol(rs)
	typ := joinInner
	for _, a := range q.MergeActions {
		if !a.Matched {
			typ = joinLeft
		}
	}
	qs := conjuncts(p.resolve(q.MergeJoin, sc))
	var r rel
	if hasSubLink(qs...) {
		p.where(qs, &tgt, sc)
		qs = nil
	}
	r = &relJoin{typ: typ, left: src, right: tgt, quals: qs}

	matched := &query.NullTest{Base: boolBase, Arg: p.colVar(loc), IsNot: true}
	int4 := types.Of(types.Int4)
	action := &query.CaseExpr{Base: query.Base{T: int4, Loc: -1}, Default: int4Const(-1)}
	for k, a := range q.MergeActions {
		var cond query.Expr = matched
		if !a.Matched {
			cond = notExpr(matched)
		}
		if a.Condition != nil {
			cond = andAll([]query.Expr{cond, p.resolve(a.Condition, sc)})
		}
		action.Whens = append(action.Whens, query.CaseWhen{Cond: cond, Result: int4Const(int32(k))})
		pa := &planpb.MergeAction{DoNothing: a.Command == query.CmdSelect}
		switch a.Command {
		case query.CmdInsert:
			pa.Op = planpb.Modify_INSERT
		case query.CmdUpdate:
			pa.Op = planpb.Modify_UPDATE
		case query.CmdDelete:
			pa.Op = planpb.Modify_DELETE
		}
		m.actions = append(m.actions, pa)
	}
	at := &target{te: &query.TargetEntry{Name: "action"}, expr: action}
	p.computeTargets(sc, []*target{at}, &r)

	var ts []*target
	seen := map[int]bool{}
	for i, c := range m.table.Columns {
		if c.Dropped {
			continue
		}
		ord := p.ordinal(m.table, i+1)
		ce := &query.CaseExpr{Base: query.Base{T: c.Type, Coll: c.Collation, Loc: -1}}
		for k, a := range q.MergeActions {
			var e query.Expr
			if a.Command == query.CmdUpdate {
				e = p.colVar(p.getColumn(rs, i+1))
			}
			for _, te := range a.TargetList {
				if te.ResNo == i+1 && !te.Junk && !c.Generated {
					e = p.resolve(te.Expr, sc)
					if a.Command == query.CmdUpdate && !seen[ord] {
						seen[ord] = true
						m.changed = append(m.changed, ord)
					}
				}
			}
			if e != nil {
				is := &query.OpExpr{Base: boolBase, Op: opInt4Eq, Func: procInt4Eq, Name: "=",
					Args: []query.Expr{p.colVar(at.col), int4Const(int32(k))}}
				ce.Whens = append(ce.Whens, query.CaseWhen{Cond: is, Result: e})
			}
		}
		if c.Generated && !seen[ord] {
			m.changed = append(m.changed, ord)
		}
		var e query.Expr = ce
		if len(ce.Whens) == 0 {
			e = nullConst(c.Type)
		}
		ts = append(ts, &target{te: &query.TargetEntry{Name: c.Name}, expr: e})
	}
	p.computeTargets(sc, ts, &r)
	m.inCols = []Col{loc, at.col}
	for _, t := range ts {
		m.inCols = append(m.inCols, t.col)
	}
	return r
}

// int4 = int4.
const (
	opInt4Eq   types.OID = 96
	procInt4Eq types.OID = 65
)

// newRow makes the columns by which the changed row is named, and everything
// computed over it: generated columns, checks, ON CONFLICT.
func (p *planner) newRow(m *relModify, q *query.Query, sc *scope) {
	byAtt := make([]Col, len(m.table.Columns))
	for i, c := range m.table.Columns {
		if c.Dropped {
			continue
		}
		byAtt[i] = p.newCol(colInfo{t: c.Type, coll: c.Collation, name: c.Name, rel: m.alias})
		m.rowCols = append(m.rowCols, byAtt[i])
	}
	overRow := func(e query.Expr) query.Expr {
		return rewrite(e, func(x query.Expr) query.Expr {
			if v, ok := x.(*query.Var); ok && v.LevelsUp == 0 {
				return p.rowVar(m.table, byAtt, v)
			}
			return nil
		})
	}
	if m.op != planpb.Modify_DELETE {
		for i, c := range m.table.Columns {
			if c.Generated && !c.Dropped && c.Default != nil {
				m.generated = append(m.generated, modifyAssign{p.ordinal(m.table, i+1), overRow(c.Default)})
			}
		}
		for _, c := range m.table.Constraints {
			if c.Type == 'c' && c.Check != nil {
				m.checks = append(m.checks, modifyCheck{name: c.Name, expr: overRow(c.Check)})
			}
		}
		for _, v := range q.CheckOptions {
			e := p.expand(overRow(v.Qual), &exprCtx{sc: sc, noJoin: "WITH CHECK OPTION"})
			m.checks = append(m.checks, modifyCheck{view: v.View, expr: e})
		}
	}
	if q.OnConflict != nil {
		p.buildConflict(m, q, sc, byAtt)
	}
}

// rowVar is a Var of a table that stands for a column of a row in hand.
func (p *planner) rowVar(t *catalog.Relation, byAtt []Col, v *query.Var) query.Expr {
	switch {
	case v.AttNum > 0 && v.AttNum <= len(byAtt) && byAtt[v.AttNum-1] != 0:
		return p.colVar(byAtt[v.AttNum-1])
	case v.AttNum == 0:
		row := &query.RowExpr{Base: v.Base}
		for i, c := range byAtt {
			if c != 0 {
				row.Fields = append(row.Fields, p.colVar(c))
				row.Names = append(row.Names, t.Columns[i].Name)
			}
		}
		return row
	case v.AttNum == query.AttTableOID:
		return &query.Const{Base: query.Base{T: types.Of(types.Oid), Loc: -1}, Value: t.OID}
	}
	p.unsupported("system columns of a changed row")
	return nil
}

func (p *planner) buildConflict(m *relModify, q *query.Query, sc *scope, byAtt []Col) {
	oc := q.OnConflict
	arbiters := oc.ArbiterIndexes
	if len(oc.Infer) > 0 {
		arbiters = p.inferArbiters(m, oc, byAtt)
	}
	c := &modifyConflict{update: oc.Update, anyIndex: len(arbiters) == 0}
	for _, oid := range arbiters {
		found := false
		for _, ix := range m.table.Indexes {
			if ix.OID != oid {
				continue
			}
			found = true
			c.names = append(c.names, ix.Name)
			if ix.StorageIndex < 0 {
				c.primary = true
			} else {
				c.indexes = append(c.indexes, ix.StorageIndex)
			}
		}
		if !found {
			p.bug("arbiter index %d not found", oid)
		}
	}
	exclAtt := make([]Col, len(m.table.Columns))
	for i, col := range m.table.Columns {
		if col.Dropped {
			continue
		}
		exclAtt[i] = p.newCol(colInfo{t: col.Type, coll: col.Collation, name: col.Name, rel: "excluded"})
		c.excluded = append(c.excluded, exclAtt[i])
	}
	if oc.Update {
		over := func(e query.Expr) query.Expr {
			if isNil(e) {
				return nil
			}
			saved := append([]*rteScope{}, sc.rtes...)
			sc.rtes[q.ResultRelation-1] = p.rowScope(saved[q.ResultRelation-1].rte, byAtt)
			if oc.ExcludedRTIndex > 0 {
				sc.rtes[oc.ExcludedRTIndex-1] = p.rowScope(saved[oc.ExcludedRTIndex-1].rte, exclAtt)
			}
			e = rewrite(e, func(x query.Expr) query.Expr {
				if v, ok := x.(*query.Var); ok && v.LevelsUp == 0 && (v.AttNum <= 0) {
					cols := byAtt
					if v.RTIndex == oc.ExcludedRTIndex {
						cols = exclAtt
					}
					return p.rowVar(m.table, cols, v)
				}
				if v, ok := x.(*query.Var); ok {
					return p.resolve(v, sc)
				}
				return nil
			})
			e = p.expand(e, &exprCtx{sc: sc, noJoin: "ON CONFLICT DO UPDATE", perRow: true})
			sc.rtes = saved
			return e
		}
		inits := len(p.inits)
		for _, te := range oc.Set {
			if te.Junk {
				continue
			}
			ord := p.ordinal(m.table, te.ResNo)
			c.set = append(c.set, modifyAssign{ord, over(te.Expr)})
			m.changed = append(m.changed, ord)
		}
		c.where = over(oc.Where)
		for _, ip := range p.inits[inits:] {
			if free := freeCols(ip.rel); !free.empty() {
				ip.perRow = true
				c.inits = append(c.inits, ip.slots...)
				c.bound = c.bound.union(free)
			}
		}
		p.perRow = p.perRow.union(c.bound)
		for _, g := range m.generated {
			m.changed = append(m.changed, g.ord)
		}
	}
	m.conflict = c
}

// inferArbiters finds the unique indexes that an ON CONFLICT target means: those of
// just its columns and expressions whose predicate follows from its WHERE.
func (p *planner) inferArbiters(m *relModify, oc *query.OnConflictExpr, byAtt []Col) []types.OID {
	colOf := map[int]Col{}
	for i, c := range byAtt {
		if c != 0 {
			colOf[i+1] = c
		}
	}
	over := func(e query.Expr) query.Expr {
		if e = p.overCols(e, colOf); e == nil {
			p.unsupported("system columns in an ON CONFLICT target")
		}
		return p.simplify(e)
	}
	items := make([]query.Expr, len(oc.Infer))
	for i, e := range oc.Infer {
		items[i] = over(e.Expr)
	}
	var given []query.Expr
	if !isNil(oc.InferWhere) {
		given = conjuncts(over(oc.InferWhere))
	}
	var out []types.OID
	for _, ix := range m.table.Indexes {
		if !ix.Unique || !ix.Valid {
			continue
		}
		used := make([]bool, len(items))
		ok := true
		for _, k := range ix.Keys {
			key := p.indexKeyExpr(k, colOf)
			hit := false
			for i, e := range oc.Infer {
				if equalExpr(p.simplify(key), items[i]) && (e.Collation == 0 || e.Collation == k.Collation) && (e.Family == 0 || e.Family == k.Family) {
					used[i], hit = true, true
				}
			}
			ok = ok && hit
		}
		if ok && !slices.Contains(used, false) && (ix.Predicate == nil || p.implied(ix.Predicate, given, colOf)) {
			out = append(out, ix.OID)
		}
	}
	if len(out) == 0 {
		p.fail(pgerror.New(pgerror.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification"))
	}
	return out
}

// rowScope is a range table entry whose columns are those of a row in hand.
func (p *planner) rowScope(rte *query.RangeTblEntry, byAtt []Col) *rteScope {
	return &rteScope{rte: &query.RangeTblEntry{Kind: query.RTESubquery, ERefName: rte.ERefName, ERefColumns: rte.ERefColumns}, cols: byAtt}
}

// buildReturning resolves RETURNING: the target's columns are the changed row's,
// others come from the Modify's input.
func (p *planner) buildReturning(m *relModify, q *query.Query, sc *scope) (rel, []Col) {
	if len(q.Returning) == 0 {
		return m, nil
	}
	byAtt := make([]Col, len(m.table.Columns))
	i := 0
	for k, c := range m.table.Columns {
		if !c.Dropped {
			byAtt[k] = m.rowCols[i]
			i++
		}
	}
	saved := sc.rtes[q.ResultRelation-1]
	sc.rtes[q.ResultRelation-1] = p.rowScope(saved.rte, byAtt)
	defer func() { sc.rtes[q.ResultRelation-1] = saved }()
	row := setOf(m.rowCols...)
	extra := func(es ...query.Expr) {
		for _, c := range exprCols(es...).minus(row).list() {
			dup := false
			for _, e := range m.extra {
				dup = dup || e == c
			}
			if !dup {
				m.extra = append(m.extra, c)
			}
		}
	}
	var ts []*target
	for _, te := range q.Returning {
		e := rewrite(te.Expr, func(x query.Expr) query.Expr {
			v, ok := x.(*query.Var)
			if !ok {
				return nil
			}
			if v.LevelsUp == 0 && v.RTIndex == q.ResultRelation && v.AttNum <= 0 {
				return p.rowVar(m.table, byAtt, v)
			}
			return p.resolve(v, sc)
		})
		ts = append(ts, &target{te: te, expr: e})
	}
	var cols []Col
	withSub := false
	for _, t := range ts {
		withSub = withSub || hasSubLink(t.expr) || hasSRF(t.expr)
	}
	if !withSub {
		for _, t := range ts {
			extra(t.expr)
			c := p.newCol(colInfo{t: t.expr.Type(), coll: t.expr.Collation(), name: t.te.Name, expr: t.expr})
			m.returning = append(m.returning, projItem{c, t.expr})
			cols = append(cols, c)
		}
		return m, cols
	}
	// Sub-selects are evaluated above the Modify, over its rows.
	var up rel = m
	p.computeTargets(sc, ts, &up)
	var used ColSet
	var visit func(r rel)
	visit = func(r rel) {
		if r == rel(m) {
			return
		}
		used.addAll(usedCols(r))
		for _, in := range r.inputs() {
			visit(in)
		}
	}
	visit(up)
	for _, t := range ts {
		used.add(t.col)
		cols = append(cols, t.col)
	}
	below := outCols(m.in)
	for _, c := range used.intersect(row.union(below)).list() {
		m.returning = append(m.returning, projItem{c, p.colVar(c)})
		extra(p.colVar(c))
	}
	if len(m.returning) == 0 {
		c := m.rowCols[0]
		m.returning = append(m.returning, projItem{c, p.colVar(c)})
	}
	return up, cols
}
