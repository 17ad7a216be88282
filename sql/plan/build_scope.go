package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// scope is a query level while it is built.
type scope struct {
	parent *scope
	q      *query.Query
	rtes   []*rteScope
	ctes   map[string]*cteEntry
	// group is set once the level's grouping has been built: aggregates of this
	// level are added to it on demand, expressions equal to a key become its column.
	group    *relGroup
	groupKey map[string]Col
	aggKey   map[string]Col
	// groupVar maps columns below a grouping to the key that replaces them above.
	groupVar map[Col]query.Expr
}

// rteScope is a range table entry in scope.
type rteScope struct {
	rte  *query.RangeTblEntry
	get  *relGet
	wrap *relProject // where the whole-row column is computed
	cols []Col       // by attribute number − 1; 0: not made yet
	sys  map[int]Col
	row  Col
	// present are columns that say whether the entry is there in a row, for the sides
	// of full joins that are put together by matchFull.
	present []Col
}

// cteEntry is a WITH item in scope.
type cteEntry struct {
	cte    *query.CommonTableExpr
	sc     *scope // where it is defined
	info   *cteInfo
	table  uint32 // work table while the recursive term is built
	inside bool
}

func (p *planner) newScope(parent *scope, q *query.Query) *scope {
	sc := &scope{parent: parent, q: q, rtes: make([]*rteScope, len(q.RTable)), ctes: map[string]*cteEntry{}}
	for i, rte := range q.RTable {
		sc.rtes[i] = &rteScope{rte: rte}
	}
	for _, c := range q.CTEs {
		sc.ctes[c.Name] = &cteEntry{cte: c, sc: sc}
	}
	return sc
}

func (sc *scope) up(n int) *scope {
	for ; n > 0 && sc != nil; n-- {
		sc = sc.parent
	}
	return sc
}

// resolve turns the Vars of an analysed expression into Cols. Sub-selects keep
// their queries; aggregates keep their place (their arguments are resolved).
// shift is added to nothing: levels count from sc.
func (p *planner) resolve(e query.Expr, sc *scope) query.Expr {
	e = p.resolveAt(e, sc, 0)
	p.noteErrors(e)
	return e
}

// resolveAt is resolve for an expression whose Vars count levels from shift levels below sc.
func (p *planner) resolveAt(e query.Expr, sc *scope, shift int) query.Expr {
	return rewrite(e, func(x query.Expr) query.Expr {
		switch v := x.(type) {
		case *query.Var:
			return p.resolveVar(v, sc.up(v.LevelsUp-shift), v.LevelsUp > shift)
		case *query.Aggref:
			if v.LevelsUp > shift {
				return p.outerAgg(v, sc.up(v.LevelsUp-shift))
			}
		case *query.GroupingFunc:
			if v.LevelsUp > shift {
				c := *v
				c.LevelsUp = 0
				return p.groupingCol(&c, sc.up(v.LevelsUp-shift))
			}
		}
		return nil
	})
}

// resolveVar gives the column a Var of level sc stands for. outer: it is seen from
// a sub-select, above sc's grouping if there is one.
func (p *planner) resolveVar(v *query.Var, sc *scope, outer bool) query.Expr {
	if sc == nil || v.RTIndex < 1 || v.RTIndex > len(sc.rtes) {
		p.bug("variable %d.%d has no range table entry", v.RTIndex, v.AttNum)
	}
	e := p.rteColumn(sc, sc.rtes[v.RTIndex-1], v)
	if outer && sc.groupVar != nil {
		e = substitute(e, sc.groupVar)
	}
	return e
}

func (p *planner) rteColumn(sc *scope, rs *rteScope, v *query.Var) query.Expr {
	return p.ifPresent(rs, p.rteColumnBelow(sc, rs, v))
}

// rteColumnBelow is rteColumn where the entry is made.
func (p *planner) rteColumnBelow(sc *scope, rs *rteScope, v *query.Var) query.Expr {
	rte := rs.rte
	if rte.Kind == query.RTEJoin {
		if v.AttNum == 0 {
			row := &query.RowExpr{Base: v.Base}
			for i, a := range rte.JoinAlias {
				row.Fields = append(row.Fields, p.resolve(a, sc))
				row.Names = append(row.Names, rte.ERefColumns[i])
			}
			return row
		}
		if v.AttNum < 1 || v.AttNum > len(rte.JoinAlias) {
			p.bug("join column %d out of range", v.AttNum)
		}
		return p.resolve(rte.JoinAlias[v.AttNum-1], sc)
	}
	switch {
	case v.AttNum > 0:
		if rs.get != nil {
			return p.colVar(p.getColumn(rs, v.AttNum))
		}
		if v.AttNum > len(rs.cols) {
			p.bug("column %d of %q out of range", v.AttNum, rte.ERefName)
		}
		return p.colVar(rs.cols[v.AttNum-1])
	case v.AttNum == 0:
		return p.wholeRow(sc, rs, v)
	}
	if rs.get == nil {
		p.bug("system column of %q", rte.ERefName)
	}
	switch v.AttNum {
	case query.AttCmin, query.AttXmax, query.AttCmax:
		// A row that a scan shows was made by one command and is locked by nobody, as far
		// as can be seen from it: 0 wherever there is a row.
		there := &query.NullTest{Base: boolBase, Arg: p.colVar(p.sysColumn(rs, query.AttXmin, types.Of(types.Xid))), IsNot: true}
		return &query.CaseExpr{Base: query.Base{T: v.T, Loc: -1},
			Whens: []query.CaseWhen{{Cond: there, Result: &query.Const{Base: query.Base{T: v.T, Loc: -1}, Value: types.OID(0)}}}}
	}
	return p.colVar(p.sysColumn(rs, v.AttNum, v.T))
}

// getColumn gives the Col of a table column, adding it to the scan.
func (p *planner) getColumn(rs *rteScope, att int) Col {
	rel := rs.get.table
	if att > len(rel.Columns) || rel.Columns[att-1].Dropped {
		p.bug("column %d of relation %q does not exist", att, rel.Name)
	}
	if c := rs.cols[att-1]; c != 0 {
		return c
	}
	col := &rel.Columns[att-1]
	c := p.newCol(colInfo{t: col.Type, coll: col.Collation, name: p.rteColName(rs.rte, att), rel: rs.get.alias,
		table: rel.OID, att: att, notNull: col.NotNull})
	rs.cols[att-1] = c
	rs.get.cols = append(rs.get.cols, getCol{c, int32(p.ordinal(rel, att))})
	return c
}

func (p *planner) rteColName(rte *query.RangeTblEntry, att int) string {
	if att <= len(rte.ERefColumns) {
		return rte.ERefColumns[att-1]
	}
	return ""
}

// rowTypeNames are the names of the live columns behind a named row type; nil for others.
func (p *planner) rowTypeNames(t types.T) []string {
	if t.Class != types.ClassComposite || t.OID == types.RecordOID {
		return nil
	}
	ct, err := p.cat.Type(p.ctx, t.OID)
	p.check(err)
	if ct == nil || ct.Relation == 0 {
		return nil
	}
	r, err := p.cat.Relation(p.ctx, ct.Relation)
	p.check(err)
	if r == nil {
		return nil
	}
	var names []string
	for _, c := range r.Columns {
		if !c.Dropped {
			names = append(names, c.Name)
		}
	}
	return names
}

// sysOrdinals maps attribute numbers of system columns to planpb's negative ordinals.
var sysOrdinals = map[int]int32{query.AttLocator: -1, query.AttTableOID: -2, query.AttXmin: -3, query.AttCTID: -4}

var sysNames = map[int]string{query.AttTableOID: "tableoid", query.AttXmin: "xmin", query.AttCTID: "ctid", query.AttLocator: "locator"}

func (p *planner) sysColumn(rs *rteScope, att int, t types.T) Col {
	if c, ok := rs.sys[att]; ok {
		return c
	}
	ord, ok := sysOrdinals[att]
	if !ok {
		p.unsupported("system column %d", att)
	}
	c := p.newCol(colInfo{t: t, name: sysNames[att], rel: rs.get.alias, notNull: true})
	if rs.sys == nil {
		rs.sys = map[int]Col{}
	}
	rs.sys[att] = c
	rs.get.cols = append(rs.get.cols, getCol{c, ord})
	return c
}

// locatorCol gives the row key column of a scan.
func (p *planner) locatorCol(rs *rteScope) Col {
	return p.sysColumn(rs, query.AttLocator, types.Of(types.Bytea))
}

// wholeRow gives the row value of an entry, computed directly above it so that
// outer joins make it NULL as a whole.
func (p *planner) wholeRow(sc *scope, rs *rteScope, v *query.Var) query.Expr {
	if rs.row != 0 {
		return p.colVar(rs.row)
	}
	if rs.rte.Kind == query.RTEFunction && len(rs.cols) == 1 && v.T.Class != types.ClassComposite {
		return p.colVar(rs.cols[0]) // a scalar function's row is its value
	}
	row := &query.RowExpr{Base: v.Base}
	n := len(rs.cols)
	for att := 1; att <= n; att++ {
		if rs.get != nil && rs.get.table.Columns[att-1].Dropped {
			continue
		}
		var e query.Expr
		if rs.get != nil {
			e = p.colVar(p.getColumn(rs, att))
		} else {
			e = p.colVar(rs.cols[att-1])
		}
		row.Fields = append(row.Fields, e)
		row.Names = append(row.Names, p.rteColName(rs.rte, att))
	}
	// A named row type's fields keep their names, whatever the columns are called here.
	if names := p.rowTypeNames(v.T); len(names) == len(row.Names) {
		row.Names = names
	}
	rs.row = p.newCol(colInfo{t: v.T, name: rs.rte.ERefName, expr: row})
	rs.wrap.items = append(rs.wrap.items, projItem{rs.row, row})
	return p.colVar(rs.row)
}
