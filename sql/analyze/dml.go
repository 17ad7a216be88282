package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// setTarget opens the target table and adds it to the range table.
func (ps *pstate) setTarget(rv *pg_query.RangeVar) {
	rel := ps.openRelation(rv)
	it := ps.addRelation(rel, rv, false)
	ps.target, ps.targetRel = it, rel
	ps.q.ResultRelation = it.rti
}

// insertColumn is a target column of INSERT with its subscripts or fields.
type insertColumn struct {
	name        string
	att         int
	indirection []*pg_query.Node
	loc         int
}

// insertStmt analyses INSERT.
func (ps *pstate) insertStmt(s *pg_query.InsertStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdInsert
	ps.isInsert = true
	ps.withClause(s.WithClause)
	switch s.Override {
	case pg_query.OverridingKind_OVERRIDING_USER_VALUE:
		q.Overriding = query.OverridingUser
	case pg_query.OverridingKind_OVERRIDING_SYSTEM_VALUE:
		q.Overriding = query.OverridingSystem
	}
	// the source of INSERT … SELECT sees the WITH items but not the target
	ps.setTarget(s.Relation)
	cols := ps.insertColumns(s.Cols, ps.targetRel)
	var sel *pg_query.SelectStmt
	if s.SelectStmt != nil {
		sel = s.SelectStmt.GetSelectStmt()
	}
	var row []query.Expr
	switch {
	case sel == nil:
		cols = nil
		q.JoinTree = &query.FromExpr{}
	case len(sel.ValuesLists) == 0 || len(sel.SortClause) > 0 || sel.LimitOffset != nil || sel.LimitCount != nil || len(sel.LockingClause) > 0 || sel.WithClause != nil:
		row = ps.insertSelect(s, sel, cols)
	case len(sel.ValuesLists) > 1:
		row = ps.insertValues(s, sel, cols)
	default:
		items := sel.ValuesLists[0].GetList().Items
		es := ps.exprList(items, kindValuesSingle, true)
		row = ps.insertRow(es, s.Cols, cols)
	}
	for i, e := range row {
		q.TargetList = append(q.TargetList, &query.TargetEntry{Expr: e, ResNo: cols[i].att, Name: cols[i].name})
	}
	if q.JoinTree == nil {
		q.JoinTree = &query.FromExpr{Items: ps.joinItems}
	}
	ps.mergeAssignments()
	if s.OnConflictClause != nil {
		ps.onConflict(s.OnConflictClause)
	}
	if len(s.ReturningList) > 0 {
		ps.ns = nil
		ps.showTarget()
		q.Returning = ps.returning(s.ReturningList)
	}
	ps.finish()
	return q
}

// showTarget puts the target table into the namespace.
func (ps *pstate) showTarget() {
	t := *ps.target
	t.relVisible, t.colsVisible, t.lateralOnly, t.lateralOK = true, true, false, true
	ps.ns = append(ps.ns, &t)
}

// insertColumns resolves INSERT's column list.
func (ps *pstate) insertColumns(list []*pg_query.Node, rel *catalog.Relation) []insertColumn {
	var out []insertColumn
	if len(list) == 0 {
		for i := range rel.Columns {
			if c := &rel.Columns[i]; !c.Dropped {
				out = append(out, insertColumn{name: c.Name, att: c.AttNum, loc: -1})
			}
		}
		return out
	}
	whole, part := map[int]bool{}, map[int]bool{}
	for _, n := range list {
		rt := n.GetResTarget()
		att := ps.attNumber(rel, rt.Name)
		if att <= 0 {
			ps.failAt(int(rt.Location), pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", rt.Name, rel.Name)
		}
		if whole[att] || part[att] && len(rt.Indirection) == 0 {
			ps.failAt(int(rt.Location), pgerror.DuplicateColumn, "column \"%s\" specified more than once", rt.Name)
		}
		if len(rt.Indirection) == 0 {
			whole[att] = true
		} else {
			part[att] = true
		}
		out = append(out, insertColumn{name: rt.Name, att: att, indirection: rt.Indirection, loc: int(rt.Location)})
	}
	return out
}

// attNumber finds a column by name: its number, negative for system columns, 0 for none.
func (a *analyzer) attNumber(rel *catalog.Relation, name string) int {
	for i := range rel.Columns {
		if rel.Columns[i].Name == name && !rel.Columns[i].Dropped {
			return rel.Columns[i].AttNum
		}
	}
	if s, ok := systemColumns[name]; ok {
		return s.att
	}
	return 0
}

// insertSelect is INSERT … SELECT.
func (ps *pstate) insertSelect(s *pg_query.InsertStmt, sel *pg_query.SelectStmt, cols []insertColumn) []query.Expr {
	sub := ps.child()
	sub.resolveUnknowns = false
	// the source is not a sub-select of the target: hide it
	ns := ps.ns
	ps.ns = nil
	q := sub.selectStmt(sel)
	ps.ns = ns
	r := &query.RangeTblEntry{Kind: query.RTESubquery, Subquery: q, Alias: "*SELECT*", ERefName: "*SELECT*"}
	var es []query.Expr
	rti := len(ps.q.RTable) + 1
	for _, t := range q.TargetList {
		if t.Junk {
			continue
		}
		r.ERefColumns = append(r.ERefColumns, t.Name)
		e := t.Expr
		_, isConst := e.(*query.Const)
		_, isParam := e.(*query.Param)
		if !(typeOf(e) == types.Unknown && (isConst || isParam)) {
			e = &query.Var{Base: query.Base{T: t.Expr.Type(), Coll: t.Expr.Collation(), Loc: exprLoc(t.Expr)}, RTIndex: rti, AttNum: t.ResNo}
		}
		es = append(es, e)
	}
	// columns first: what is still unknown in the subquery afterwards is not read
	ps.q.RTable = append(ps.q.RTable, r)
	row := ps.insertRow(es, s.Cols, cols)
	for _, t := range q.TargetList {
		if t.Junk {
			continue
		}
		if typeOf(t.Expr) == types.Unknown {
			t.Expr = ps.coerceType(t.Expr, types.Text, -1, ctxImplicit, query.CoerceImplicitCast, -1)
		}
		r.ColTypes, r.ColCollations = append(r.ColTypes, t.Expr.Type()), append(r.ColCollations, t.Expr.Collation())
	}
	ps.joinItems = append(ps.joinItems, &query.RangeTblRef{RTIndex: rti})
	return row
}

// insertValues is INSERT … VALUES with several rows.
func (ps *pstate) insertValues(s *pg_query.InsertStmt, sel *pg_query.SelectStmt, cols []insertColumn) []query.Expr {
	r := &query.RangeTblEntry{Kind: query.RTEValues, ERefName: "*VALUES*"}
	width := -1
	for _, n := range sel.ValuesLists {
		es := ps.exprList(n.GetList().Items, kindValues, true)
		if width < 0 {
			width = len(es)
		} else if len(es) != width {
			ps.failAt(exprsLoc(es), pgerror.SyntaxError, "VALUES lists must all be the same length")
		}
		// fields and subscripts are applied above the VALUES list
		r.ValuesLists = append(r.ValuesLists, ps.insertRowPlain(es, s.Cols, cols))
	}
	for i := range r.ValuesLists[0] {
		col := make([]query.Expr, len(r.ValuesLists))
		for k := range r.ValuesLists {
			col[k] = r.ValuesLists[k][i]
		}
		t := col[0].Type()
		for _, e := range col {
			if e.Type().OID != types.Unknown {
				t = e.Type()
				break
			}
		}
		for _, e := range col {
			if e.Type() != t {
				t = t.NoMod()
			}
		}
		r.ERefColumns = append(r.ERefColumns, "column"+rowFieldName(i)[1:])
		r.ColTypes = append(r.ColTypes, t)
		r.ColCollations = append(r.ColCollations, ps.typeCollation(t.OID))
	}
	ps.lateralValues(r)
	it := ps.addRTE(r)
	ps.joinItems = append(ps.joinItems, &query.RangeTblRef{RTIndex: it.rti})
	var es []query.Expr
	for i := range r.ERefColumns {
		v := ps.itemVar(it, i, 0, -1)
		var e query.Expr = v
		if len(cols[i].indirection) > 0 {
			e = ps.assignedExpr(e, kindInsertTarget, cols[i].name, cols[i].att, cols[i].indirection, cols[i].loc)
		}
		es = append(es, e)
	}
	return es
}

// insertRowPlain converts one VALUES row for columns without indirection.
func (ps *pstate) insertRowPlain(es []query.Expr, stmtCols []*pg_query.Node, cols []insertColumn) []query.Expr {
	ps.checkRowWidth(es, stmtCols, cols)
	out := make([]query.Expr, len(es))
	for i, e := range es {
		if len(cols[i].indirection) > 0 {
			// the value keeps its own type until the assignment above
			c := ps.targetColumn(cols[i].att)
			_ = c
			out[i] = e
			if typeOf(e) == types.Unknown {
				if t := ps.indirectionType(cols[i]); t.OID != 0 {
					if x := ps.coerceToTarget(ps, e, t, ctxAssignment, query.CoerceImplicitCast, -1); x != nil {
						out[i] = x
					}
				}
			}
			continue
		}
		out[i] = ps.assignedExpr(e, kindInsertTarget, cols[i].name, cols[i].att, nil, cols[i].loc)
	}
	return out
}

// indirectionType is the type an indirect column assigns; zero when it is not simple.
func (ps *pstate) indirectionType(c insertColumn) types.T {
	t := ps.targetColumn(c.att).Type
	for _, n := range c.indirection {
		switch x := n.GetNode().(type) {
		case *pg_query.Node_AIndices:
			if x.AIndices.IsSlice {
				return t
			}
			el := ps.subscriptElement(ps.baseType(t.OID))
			if el == 0 {
				return types.T{}
			}
			t = ps.tOf(el, t.Mod)
		case *pg_query.Node_String_:
			names, fs, _ := ps.cat.Composite(ps.baseType(t.OID))
			i := slices.Index(names, x.String_.Sval)
			if i < 0 {
				return types.T{}
			}
			t = fs[i]
		}
	}
	return t
}

func (ps *pstate) checkRowWidth(es []query.Expr, stmtCols []*pg_query.Node, cols []insertColumn) {
	if len(es) > len(cols) {
		ps.failAt(exprLoc(es[len(cols)]), pgerror.SyntaxError, "INSERT has more expressions than target columns")
	}
	if len(stmtCols) > 0 && len(es) < len(cols) {
		e := ps.errAt(cols[len(es)].loc, pgerror.SyntaxError, "INSERT has more target columns than expressions")
		if len(es) == 1 {
			n := -1
			switch x := es[0].(type) {
			case *query.RowExpr:
				n = len(x.Fields)
			case *query.Var:
				if r := ps.q.RTable[x.RTIndex-1]; r.Kind == query.RTESubquery {
					if t := visibleTarget(r.Subquery, x.AttNum); t != nil {
						if row, ok := t.Expr.(*query.RowExpr); ok {
							n = len(row.Fields)
						}
					}
				}
			}
			if n == len(cols) {
				e.WithHint("The insertion source is a row expression containing the same number of columns expected by the INSERT. Did you accidentally use extra parentheses?")
			}
		}
		fail(e)
	}
}

// insertRow converts one row to the columns' types.
func (ps *pstate) insertRow(es []query.Expr, stmtCols []*pg_query.Node, cols []insertColumn) []query.Expr {
	ps.checkRowWidth(es, stmtCols, cols)
	out := make([]query.Expr, len(es))
	for i, e := range es {
		out[i] = ps.assignedExpr(e, kindInsertTarget, cols[i].name, cols[i].att, cols[i].indirection, cols[i].loc)
	}
	return out
}

func (ps *pstate) targetColumn(att int) *catalog.Column { return &ps.targetRel.Columns[att-1] }

// assignedExpr converts an expression for assignment to a target column.
func (ps *pstate) assignedExpr(e query.Expr, k exprKind, name string, att int, indirection []*pg_query.Node, loc int) query.Expr {
	old := ps.kind
	ps.kind = k
	defer func() { ps.kind = old }()
	if att <= 0 {
		ps.failAt(loc, pgerror.FeatureNotSupported, "cannot assign to system column \"%s\"", name)
	}
	col := ps.targetColumn(att)
	t := col.Type
	if d, ok := e.(*query.SetToDefault); ok {
		d.Base = query.Base{T: t, Coll: col.Collation, Loc: d.Loc}
		if len(indirection) > 0 {
			if indirection[0].GetAIndices() != nil {
				ps.failAt(loc, pgerror.FeatureNotSupported, "cannot set an array element to DEFAULT")
			}
			ps.failAt(loc, pgerror.FeatureNotSupported, "cannot set a subfield to DEFAULT")
		}
		return d
	}
	if len(indirection) > 0 {
		var base query.Expr
		if ps.isInsert {
			base = &query.Const{Base: query.Base{T: t, Coll: col.Collation, Loc: -1}}
		} else {
			base = &query.Var{Base: query.Base{T: t, Coll: col.Collation, Loc: loc}, RTIndex: ps.target.rti, AttNum: att}
		}
		return ps.assignInto(base, name, false, t, indirection, e, loc)
	}
	in := typeOf(e)
	out := ps.coerceToTarget(ps, e, t, ctxAssignment, query.CoerceImplicitCast, -1)
	if out == nil {
		fail(ps.errAt(exprLoc(e), pgerror.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s", name, ps.format(t.OID), ps.format(in)).
			WithHint("You will need to rewrite or cast the expression."))
	}
	return out
}

// assignInto builds the new value of a container with one element or field replaced.
func (ps *pstate) assignInto(base query.Expr, name string, sub bool, t types.T, ind []*pg_query.Node, rhs query.Expr, loc int) query.Expr {
	var subs []*pg_query.A_Indices
	for i, n := range ind {
		if x := n.GetAIndices(); x != nil {
			subs = append(subs, x)
			continue
		}
		if len(subs) > 0 {
			return ps.assignSubscripts(base, name, t, subs, ind[i:], rhs, loc)
		}
		field := n.GetString_().GetSval()
		bt := ps.baseType(t.OID)
		names, fs, ok := ps.cat.Composite(bt)
		if !ok || bt == types.RecordOID {
			ps.failAt(loc, pgerror.DatatypeMismatch, "cannot assign to field \"%s\" of column \"%s\" because its type %s is not a composite type", field, name, ps.format(t.OID))
		}
		k := slices.Index(names, field)
		if k < 0 {
			ps.failAt(loc, pgerror.UndefinedColumn, "cannot assign to field \"%s\" of column \"%s\" because there is no such column in data type %s", field, name, ps.format(t.OID))
		}
		var inner query.Expr
		if i+1 < len(ind) {
			inner = &query.FieldSelect{Base: ps.baseT(fs[k], -1), Arg: base, Field: k + 1, Name: field}
		}
		v := ps.assignInto(inner, field, false, fs[k], ind[i+1:], rhs, loc)
		return &query.FieldStore{Base: ps.baseT(t, -1), Arg: base, Fields: []int{k + 1}, Values: []query.Expr{v}}
	}
	if len(subs) > 0 {
		return ps.assignSubscripts(base, name, t, subs, nil, rhs, loc)
	}
	out := ps.coerceToTarget(ps, rhs, t, ctxAssignment, query.CoerceImplicitCast, -1)
	if out == nil {
		if sub {
			fail(ps.errAt(loc, pgerror.DatatypeMismatch, "subscripted assignment to \"%s\" requires type %s but expression is of type %s", name, ps.format(t.OID), ps.format(typeOf(rhs))).
				WithHint("You will need to rewrite or cast the expression."))
		}
		fail(ps.errAt(loc, pgerror.DatatypeMismatch, "subfield \"%s\" is of type %s but expression is of type %s", name, ps.format(t.OID), ps.format(typeOf(rhs))).
			WithHint("You will need to rewrite or cast the expression."))
	}
	return out
}

func (ps *pstate) assignSubscripts(base query.Expr, name string, t types.T, subs []*pg_query.A_Indices, rest []*pg_query.Node, rhs query.Expr, loc int) query.Expr {
	if base == nil {
		base = &query.Const{Base: ps.baseT(t, -1)}
	}
	return ps.subscripts(base, subs, func(et types.T) query.Expr {
		var inner query.Expr
		if len(rest) > 0 {
			inner = &query.SubscriptingRef{Base: ps.baseT(et, -1), Arg: base, ElemType: et, Upper: nil}
			inner = ps.subscripts(base, subs, nil, types.T{}, ctxImplicit)
		}
		return ps.assignInto(inner, name, len(rest) == 0, et, rest, rhs, loc)
	}, types.T{}, ctxImplicit)
}

// mergeAssignments folds several assignments to parts of one column into one entry
// and refuses a column assigned twice.
func (ps *pstate) mergeAssignments() { ps.q.TargetList = ps.mergedTargets(ps.q.TargetList) }

func (ps *pstate) mergedTargets(ts []*query.TargetEntry) []*query.TargetEntry {
	var out []*query.TargetEntry
	at := map[int]int{}
	for _, t := range ts {
		if t.Junk {
			out = append(out, t)
			continue
		}
		i, dup := at[t.ResNo]
		if !dup {
			at[t.ResNo] = len(out)
			out = append(out, t)
			continue
		}
		e := graft(t.Expr, out[i].Expr)
		if e == nil {
			fail(pgerror.New(pgerror.SyntaxError, "multiple assignments to same column \"%s\"", t.Name))
		}
		c := *out[i]
		c.Expr = e
		out[i] = &c
	}
	return out
}

// updateStmt analyses UPDATE.
func (ps *pstate) updateStmt(s *pg_query.UpdateStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdUpdate
	ps.withClause(s.WithClause)
	ps.setTarget(s.Relation)
	ps.showTarget()
	it := ps.ns[0]
	it.lateralOnly, it.lateralOK = true, false
	ps.joinItems = append(ps.joinItems, &query.RangeTblRef{RTIndex: ps.target.rti})
	ps.fromClause(s.FromClause)
	it.lateralOnly, it.lateralOK = false, true
	where := ps.whereClause(s.WhereClause, kindWhere, "WHERE")
	if len(s.ReturningList) > 0 {
		q.Returning = ps.returning(s.ReturningList)
	}
	q.TargetList = ps.updateTargets(s.TargetList)
	q.JoinTree = &query.FromExpr{Items: ps.joinItems, Quals: where}
	ps.finish()
	return q
}

// updateTargets analyses a SET list.
func (ps *pstate) updateTargets(list []*pg_query.Node) []*query.TargetEntry {
	ps.nextRes = 1
	var out []*query.TargetEntry
	type pending struct {
		t  *query.TargetEntry
		rt *pg_query.ResTarget
	}
	var ps2 []pending
	for _, n := range list {
		rt := n.GetResTarget()
		t := ps.targetEntry(rt.Val, nil, kindUpdateSource, rt.Name, false)
		ps2 = append(ps2, pending{t, rt})
	}
	ps.multi = nil
	wasInsert := ps.isInsert
	ps.isInsert = false
	for _, p := range ps2 {
		att := ps.attNumber(ps.targetRel, p.rt.Name)
		if att == 0 {
			ps.failAt(int(p.rt.Location), pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", p.rt.Name, ps.targetRel.Name)
		}
		p.t.Expr = ps.assignedExpr(p.t.Expr, kindUpdateTarget, p.rt.Name, att, p.rt.Indirection, int(p.rt.Location))
		p.t.ResNo, p.t.Name = att, p.rt.Name
		out = append(out, p.t)
	}
	ps.isInsert = wasInsert
	return ps.mergedTargets(out)
}

// multiAssignRef is one column of (a, b) = ….
func (ps *pstate) multiAssignRef(m *pg_query.MultiAssignRef) query.Expr {
	if m.Colno == 1 {
		ps.multi = nil
		switch {
		case m.Source.GetSubLink() != nil && m.Source.GetSubLink().SubLinkType == pg_query.SubLinkType_EXPR_SUBLINK:
			s := m.Source.GetSubLink()
			e := ps.subLink(&pg_query.SubLink{SubLinkType: pg_query.SubLinkType_MULTIEXPR_SUBLINK, Subselect: s.Subselect, Location: s.Location}).(*query.SubLink)
			if n := len(outputTargets(e.Query)); n != int(m.Ncolumns) {
				ps.failAt(int(s.Location), pgerror.SyntaxError, "number of columns does not match number of values")
			}
			ps.multiID++
			e.ID = ps.multiID
			ps.multi = e
		case m.Source.GetRowExpr() != nil:
			r := ps.rowExpr(m.Source.GetRowExpr(), true).(*query.RowExpr)
			if len(r.Fields) != int(m.Ncolumns) {
				ps.failAt(r.Loc, pgerror.SyntaxError, "number of columns does not match number of values")
			}
			ps.multi = r
		default:
			ps.failAt(rawLoc(m.Source), pgerror.FeatureNotSupported, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression")
		}
	}
	switch x := ps.multi.(type) {
	case *query.RowExpr:
		return x.Fields[m.Colno-1]
	case *query.SubLink:
		t := outputTargets(x.Query)[m.Colno-1]
		return &query.MultiAssignRef{Base: query.Base{T: t.Expr.Type(), Coll: t.Expr.Collation(), Loc: exprLoc(t.Expr)}, SubLink: x, Column: int(m.Colno)}
	}
	fail(pgerror.Internal("multi-assignment without source"))
	return nil
}

// deleteStmt analyses DELETE.
func (ps *pstate) deleteStmt(s *pg_query.DeleteStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdDelete
	ps.withClause(s.WithClause)
	ps.setTarget(s.Relation)
	ps.showTarget()
	it := ps.ns[0]
	it.lateralOnly, it.lateralOK = true, false
	ps.joinItems = append(ps.joinItems, &query.RangeTblRef{RTIndex: ps.target.rti})
	ps.fromClause(s.UsingClause)
	it.lateralOnly, it.lateralOK = false, true
	where := ps.whereClause(s.WhereClause, kindWhere, "WHERE")
	if len(s.ReturningList) > 0 {
		q.Returning = ps.returning(s.ReturningList)
	}
	q.JoinTree = &query.FromExpr{Items: ps.joinItems, Quals: where}
	ps.finish()
	return q
}

// returning analyses RETURNING.
func (ps *pstate) returning(list []*pg_query.Node) []*query.TargetEntry {
	old := ps.nextRes
	ps.nextRes = 1
	ts := ps.targetList(list, kindReturning)
	if len(ts) == 0 {
		ps.failAt(rawLoc(list[0]), pgerror.SyntaxError, "RETURNING must have at least one column")
	}
	ps.markOrigins(ts)
	if ps.resolveUnknowns {
		ps.resolveUnknownTargets(ts)
	}
	ps.nextRes = old
	return ts
}
