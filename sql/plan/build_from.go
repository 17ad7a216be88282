package plan

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// ordinal is the storage ordinal of an attribute.
func (p *planner) ordinal(r *catalog.Relation, att int) int {
	if att-1 < len(r.Ordinals) {
		return r.Ordinals[att-1]
	}
	o := 0
	for _, c := range r.Columns[:att-1] {
		if !c.Dropped {
			o++
		}
	}
	return o
}

// storage is the table as vexec knows it. Relations without storage of their own
// (virtual catalogs) get a description with storage_id 0: the Store serves them
// by relation_id.
func (p *planner) storage(r *catalog.Relation) *planpb.Table {
	if r.Storage != nil {
		return r.Storage
	}
	t := &planpb.Table{RelationId: uint64(p.cat.DatabaseOID())<<32 | uint64(r.OID), Schema: r.Schema, Name: r.Name}
	for _, c := range r.Columns {
		if !c.Dropped {
			t.Columns = append(t.Columns, &planpb.Column{Attnum: uint32(c.AttNum), Name: c.Name, Type: planpb.NewType(c.Type), NotNull: c.NotNull})
		}
	}
	return t
}

// buildFrom builds a FROM item.
func (p *planner) buildFrom(item query.FromItem, sc *scope) rel {
	switch x := item.(type) {
	case *query.RangeTblRef:
		return p.buildRTE(x.RTIndex, sc)
	case *query.FromExpr:
		r := p.buildFromList(x.Items, sc)
		if x.Quals != nil {
			p.where(conjuncts(p.resolve(x.Quals, sc)), &r, sc)
		}
		return r
	case *query.JoinExpr:
		return p.buildJoin(x, sc)
	}
	p.bug("unknown FROM item %T", item)
	return nil
}

func (p *planner) buildFromList(items []query.FromItem, sc *scope) rel {
	var r rel
	for _, it := range items {
		n := p.buildFrom(it, sc)
		if r == nil {
			r = n
		} else {
			r = &relJoin{typ: joinInner, left: r, right: n}
		}
	}
	if r == nil {
		r = &relResult{}
	}
	return r
}

func (p *planner) buildJoin(x *query.JoinExpr, sc *scope) rel {
	left, right := p.buildFrom(x.Left, sc), p.buildFrom(x.Right, sc)
	typ := joinInner
	switch x.Type {
	case query.JoinLeft:
		typ = joinLeft
	case query.JoinRight:
		typ = joinLeft
		left, right = right, left
	case query.JoinFull:
		typ = joinFull
	}
	j := &relJoin{typ: typ, left: left, right: right}
	qs := conjuncts(p.resolve(x.Quals, sc))
	if !hasSubLink(qs...) {
		j.quals = qs
		return j
	}
	switch typ {
	case joinInner:
		var r rel = j
		p.where(qs, &r, sc)
		return r
	case joinLeft:
		// The sub-selects are evaluated over the right side's rows, with the left's
		// columns as outer ones.
		var r rel = &relFilter{}
		inner := right
		p.where(qs, &inner, sc)
		r = inner
		j.right = r
		return j
	}
	var both []query.Expr
	for _, q := range qs {
		e, ok := p.expandOneSide(q, &j.left, j.right, sc)
		if !ok {
			e, ok = p.expandOneSide(q, &j.right, j.left, sc)
		}
		if ok {
			j.quals = append(j.quals, e)
		} else {
			both = append(both, q)
		}
	}
	if len(both) > 0 {
		return p.matchFull(x, j, both, sc)
	}
	return j
}

// expandOneSide computes the sub-selects of a FULL JOIN condition over one side's
// rows; false when they need columns of the other side.
func (p *planner) expandOneSide(q query.Expr, side *rel, other rel, sc *scope) (query.Expr, bool) {
	r, inits := *side, len(p.inits)
	e := p.expand(q, &exprCtx{sc: sc, at: &r})
	if freeCols(r).intersects(outCols(other)) {
		p.inits = p.inits[:inits]
		return nil, false
	}
	*side = r
	return e, true
}

// buildRTE builds a range table entry.
func (p *planner) buildRTE(rti int, sc *scope) rel {
	rs := sc.rtes[rti-1]
	rte := rs.rte
	wrap := &relProject{}
	rs.wrap = wrap
	switch rte.Kind {
	case query.RTERelation:
		wrap.in = p.buildRelation(rs, sc)
	case query.RTESubquery:
		if s := p.shared[rte.Subquery]; s != nil {
			wrap.in, wrap.alias = p.buildShared(s, rs), rte.ERefName
			break
		}
		p.quietTargets(rte.Subquery)
		in, outs := p.buildQuery(rte.Subquery, sc)
		wrap.in, rs.cols, wrap.alias = in, outs, rte.ERefName
	case query.RTEFunction:
		wrap.in = p.buildFunction(rs, sc)
	case query.RTEValues:
		wrap.in = p.buildValues(rs, sc)
	case query.RTECTE:
		wrap.in = p.buildCTERef(rs, sc)
	case query.RTEResult:
		wrap.in = &relResult{}
	default:
		p.bug("range table entry of kind %d in FROM", rte.Kind)
	}
	return wrap
}

func (p *planner) buildRelation(rs *rteScope, sc *scope) rel {
	r, err := p.cat.Relation(p.ctx, rs.rte.Relid)
	p.check(err)
	if r == nil {
		p.bug("relation %d does not exist", rs.rte.Relid)
	}
	if r.Kind == catalog.KindView {
		p.bug("view %q was not expanded", r.Name)
	}
	p.relations[r.OID] = true
	rs.get = &relGet{table: r, stored: p.storage(r), alias: rs.rte.ERefName}
	rs.cols = make([]Col, len(r.Columns))
	if s := rs.rte.TableSample; s != nil {
		rs.get.sample = s
		return p.sample(rs, s, sc)
	}
	return rs.get
}

// sample filters a scan by TABLESAMPLE.
func (p *planner) sample(rs *rteScope, s *query.TableSample, sc *scope) rel {
	arg := func(e query.Expr) query.Expr {
		return p.expand(p.resolve(e, sc), &exprCtx{sc: sc, noJoin: "TABLESAMPLE"})
	}
	var seed query.Expr = &query.Const{Base: query.Base{T: types.Of(types.Float8), Loc: -1}, Value: float64(0)}
	if s.Repeatable != nil {
		seed = arg(s.Repeatable)
	}
	return &relFilter{unary{rs.get}, []query.Expr{&query.FuncExpr{Base: boolBase, Func: catalog.FuncSampleRow, Name: "pg_sample_row",
		Args: []query.Expr{p.colVar(p.locatorCol(rs)), arg(s.Args[0]), seed, boolConst(s.Repeatable != nil)}}}}
}

func (p *planner) buildValues(rs *rteScope, sc *scope) rel {
	rte := rs.rte
	n := len(rte.ColTypes)
	for i := 0; i < n; i++ {
		rs.cols = append(rs.cols, p.newCol(colInfo{t: rte.ColTypes[i], coll: at(rte.ColCollations, i), name: p.rteColName(rte, i+1), rel: rte.ERefName}))
	}
	plain := true
	rows := make([][]query.Expr, len(rte.ValuesLists))
	for i, row := range rte.ValuesLists {
		rows[i] = make([]query.Expr, len(row))
		for k, e := range row {
			rows[i][k] = p.resolve(e, sc)
			plain = plain && !hasSubLink(rows[i][k])
		}
	}
	if plain {
		return &relValues{cols: rs.cols, rows: rows, alias: rte.ERefName}
	}
	// Rows with sub-selects become selects of their own.
	ap := &relAppend{cols: rs.cols}
	for _, row := range rows {
		var in rel = &relResult{}
		var items []projItem
		var cols []Col
		for k, e := range row {
			e = p.expand(e, &exprCtx{sc: sc, at: &in})
			c := p.newCol(colInfo{t: rte.ColTypes[k], expr: e})
			items, cols = append(items, projItem{c, e}), append(cols, c)
		}
		ap.ins = append(ap.ins, &relProject{unary: unary{in}, items: items, barrier: true})
		ap.inCols = append(ap.inCols, cols)
	}
	return ap
}

func at(l []types.OID, i int) types.OID {
	if i < len(l) {
		return l[i]
	}
	return 0
}

func (p *planner) buildFunction(rs *rteScope, sc *scope) rel {
	rte := rs.rte
	f := &relFunction{ordinality: rte.Ordinality, alias: rte.ERefName}
	var in rel = &relResult{}
	for _, fn := range rte.Functions {
		c := *fn
		c.Expr = p.expand(p.resolve(fn.Expr, sc), &exprCtx{sc: sc, at: &in})
		f.funcs = append(f.funcs, &c)
		for _, t := range fn.ColTypes {
			i := len(f.cols)
			f.cols = append(f.cols, p.newCol(colInfo{t: t, coll: at(rte.ColCollations, i), name: p.rteColName(rte, i+1), rel: rte.ERefName}))
		}
	}
	if rte.Ordinality {
		i := len(f.cols)
		f.cols = append(f.cols, p.newCol(colInfo{t: types.Of(types.Int8), name: p.rteColName(rte, i+1), rel: rte.ERefName, notNull: true}))
	}
	rs.cols = f.cols
	if _, ok := in.(*relResult); !ok {
		return &relJoin{typ: joinInner, left: in, right: f} // correlated sub-selects in arguments
	}
	return f
}

// buildCTERef builds a reference to a WITH item: its own copy of the query where
// PostgreSQL inlines it, a scan of the shared subplan otherwise.
func (p *planner) buildCTERef(rs *rteScope, sc *scope) rel {
	rte := rs.rte
	def := sc.up(rte.CTELevelsUp)
	if def == nil || def.ctes[rte.CTEName] == nil {
		p.bug("WITH item %q not found", rte.CTEName)
	}
	ent := def.ctes[rte.CTEName]
	cte := ent.cte
	fresh := func() []Col {
		var cols []Col
		for i, t := range cte.ColTypes {
			cols = append(cols, p.newCol(colInfo{t: t, coll: at(cte.ColCollations, i), name: p.rteColName(rte, i+1), rel: rte.ERefName}))
		}
		return cols
	}
	if rte.SelfReference || ent.inside {
		w := &relWorkTable{table: ent.table, cols: fresh(), alias: rte.ERefName}
		rs.cols = w.cols
		return w
	}
	if ent.info == nil {
		recursive := isRecursive(cte)
		if !recursive && cte.Query.Command == query.CmdSelect && len(cte.Query.RowMarks) == 0 &&
			(cte.Materialized == query.CTENever || cte.Materialized == query.CTEDefault && cte.RefCount <= 1) &&
			!p.volatileQuery(cte.Query) {
			p.trace("build", "inline_cte")
			p.quietTargets(cte.Query)
			in, outs := p.buildQuery(cte.Query, ent.sc)
			rs.cols = outs
			return in
		}
		r, outs := p.buildCTE(ent)
		if cte.Query.Command == query.CmdSelect && (!freeCols(r).empty() || readsWorkTable(r)) {
			// Depends on an enclosing query's row, or on the rows of a recursion's round:
			// every reference computes its own.
			if cte.RefCount > 1 && p.volatileQuery(cte.Query) {
				p.unsupported("WITH items with volatile functions that depend on an enclosing query and are referred to more than once")
			}
			rs.cols = outs
			return r
		}
		p.addCTE(ent, r, outs)
	}
	ent.info.refs++
	c := &relCTE{cte: ent.info, cols: fresh(), alias: rte.ERefName}
	rs.cols = c.cols
	return c
}

// buildCTE builds the query of a WITH item once.
func (p *planner) buildCTE(ent *cteEntry) (rel, []Col) {
	if isRecursive(ent.cte) {
		return p.buildRecursive(ent)
	}
	if ent.cte.Query.Command != query.CmdSelect {
		return p.buildModify(ent.cte.Query, ent.sc)
	}
	return p.buildQuery(ent.cte.Query, ent.sc)
}

func (p *planner) addCTE(ent *cteEntry, r rel, outs []Col) {
	ent.info = &cteInfo{id: uint32(len(p.ctes)), name: ent.cte.Name, query: ent.cte.Query, rel: r, cols: outs,
		modifying: ent.cte.Query.Command != query.CmdSelect, fence: ent.cte.Materialized == query.CTEAlways || isRecursive(ent.cte)}
	p.ctes = append(p.ctes, ent.info)
}

// isRecursive: the item refers to itself (WITH RECURSIVE alone does not make it so).
func isRecursive(c *query.CommonTableExpr) bool {
	return c.Recursive && c.Query.SetOperations != nil
}

// buildModifyingCTEs makes sure that every data-modifying WITH item of a level is
// run, referenced or not, in the order given.
func (p *planner) buildModifyingCTEs(sc *scope) {
	for _, c := range sc.q.CTEs {
		if ent := sc.ctes[c.Name]; c.Query.Command != query.CmdSelect && ent.info == nil {
			r, outs := p.buildCTE(ent)
			p.addCTE(ent, r, outs)
		}
	}
}

func (p *planner) buildRecursive(ent *cteEntry) (rel, []Col) {
	q := ent.cte.Query
	op := q.SetOperations
	if op == nil || op.Op != query.Union {
		p.bug("recursive query %q is not a UNION", ent.cte.Name)
	}
	ent.table = p.workTable
	p.workTable++
	sc := p.newScope(ent.sc, q)
	p.buildModifyingCTEs(sc)
	r := &relRecursive{distinct: !op.All, table: ent.table}
	r.left, r.lcols = p.buildSetArg(op.Left, sc, op)
	ent.inside = true
	r.right, r.rcols = p.buildSetArg(op.Right, sc, op)
	ent.inside = false
	for i, t := range op.ColTypes {
		name := ""
		if i < len(ent.cte.ColNames) {
			name = ent.cte.ColNames[i]
		}
		r.cols = append(r.cols, p.newCol(colInfo{t: t, coll: at(op.ColCollations, i), name: name, rel: ent.cte.Name}))
	}
	return r, r.cols
}
