package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// fromClause analyses a FROM list into ps.joinItems and the namespace.
func (ps *pstate) fromClause(list []*pg_query.Node) {
	for _, n := range list {
		item, _, ns := ps.fromItem(n)
		ps.checkConflicts(ps.ns, ns)
		setLateral(ns, true, true)
		ps.joinItems = append(ps.joinItems, item)
		ps.ns = append(ps.ns, ns...)
	}
	setLateral(ps.ns, false, true)
}

// fromItem analyses one item; top is its own namespace item, ns all that it shows.
func (ps *pstate) fromItem(n *pg_query.Node) (item query.FromItem, top *nsItem, ns []*nsItem) {
	ps.enter()
	defer ps.leave()
	switch x := n.GetNode().(type) {
	case *pg_query.Node_RangeVar:
		top = ps.rangeVar(x.RangeVar)
	case *pg_query.Node_RangeSubselect:
		top = ps.rangeSubselect(x.RangeSubselect)
	case *pg_query.Node_RangeFunction:
		top = ps.rangeFunction(x.RangeFunction)
	case *pg_query.Node_RangeTableSample:
		return ps.rangeTableSample(x.RangeTableSample)
	case *pg_query.Node_JoinExpr:
		return ps.joinExpr(x.JoinExpr)
	case *pg_query.Node_RangeTableFunc:
		ps.unsupported(int(x.RangeTableFunc.Location), "XMLTABLE")
	default:
		fail(pgerror.Unsupported("this item in FROM"))
	}
	return &query.RangeTblRef{RTIndex: top.rti}, top, []*nsItem{top}
}

// rangeVar is a table, a view or a WITH item.
func (ps *pstate) rangeVar(rv *pg_query.RangeVar) *nsItem {
	if rv.Schemaname == "" {
		if c, up := ps.findCTE(rv.Relname); c != nil {
			return ps.addCTE(c, up, rv)
		}
		for p := ps; p != nil; p = p.parent {
			for _, f := range p.future {
				if f.Ctename == rv.Relname && ps.searchRelation("", rv.Relname, -1) == nil {
					fail(ps.errAt(int(rv.Location), pgerror.UndefinedTable, "relation \"%s\" does not exist", rv.Relname).
						WithDetail("There is a WITH item named \"%s\", but it cannot be referenced from this part of the query.", rv.Relname).
						WithHint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references."))
				}
			}
		}
	}
	rel := ps.openRelation(rv)
	return ps.addRelation(rel, rv, true)
}

// addRelation adds a relation to the range table.
func (ps *pstate) addRelation(rel *catalog.Relation, rv *pg_query.RangeVar, inFrom bool) *nsItem {
	switch rel.Kind {
	case catalog.KindIndex, 'I':
		fail(ps.errAt(int(rv.Location), pgerror.WrongObjectType, "cannot open relation \"%s\"", rel.Name).WithDetail("This operation is not supported for indexes."))
	case catalog.KindComposite:
		fail(ps.errAt(int(rv.Location), pgerror.WrongObjectType, "cannot open relation \"%s\"", rel.Name).WithDetail("This operation is not supported for composite types."))
	}
	r := relationRTE(rel)
	r.Inh = rv.Inh
	name := rel.Name
	ps.setAlias(r, rv.Alias, name, func(have int) {
		ps.failAt(-1, pgerror.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified", rv.Alias.Aliasname, have, len(rv.Alias.Colnames))
	})
	return ps.addRTE(r)
}

// relationRTE makes the entry of a relation with its columns; dropped ones are "".
func relationRTE(rel *catalog.Relation) *query.RangeTblEntry {
	r := &query.RangeTblEntry{Kind: query.RTERelation, Relid: rel.OID, RelKind: rel.Kind, ERefName: rel.Name, Inh: true}
	for i := range rel.Columns {
		c := &rel.Columns[i]
		n := c.Name
		if c.Dropped {
			n = ""
		}
		r.ERefColumns = append(r.ERefColumns, n)
		r.ColTypes = append(r.ColTypes, c.Type)
		r.ColCollations = append(r.ColCollations, c.Collation)
	}
	return r
}

// setAlias gives an entry its alias and renames its first columns.
func (ps *pstate) setAlias(r *query.RangeTblEntry, al *pg_query.Alias, name string, tooMany func(have int)) {
	r.ERefName = name
	if al == nil {
		return
	}
	r.Alias, r.ERefName = al.Aliasname, al.Aliasname
	if len(al.Colnames) == 0 {
		return
	}
	r.AliasColumns = nodeStrings(al.Colnames)
	names := slices.Clone(r.ERefColumns)
	k, live := 0, 0
	for i, n := range names {
		if n == "" {
			continue
		}
		live++
		if k < len(r.AliasColumns) {
			names[i] = r.AliasColumns[k]
			k++
		}
	}
	if k < len(r.AliasColumns) {
		tooMany(live)
	}
	r.ERefColumns = names
}

// rangeSubselect is a subquery in FROM.
func (ps *pstate) rangeSubselect(rs *pg_query.RangeSubselect) *nsItem {
	old := ps.lateral
	ps.lateral = rs.Lateral
	var q *query.Query
	ps.withKind(kindFromSubselect, func() { q = ps.subSelect(rs.Subquery.GetSelectStmt(), nil, ps.isLockedAlias(rs.Alias), true) })
	ps.lateral = old
	return ps.addSubquery(q, rs.Alias, rs.Lateral)
}

func (ps *pstate) addSubquery(q *query.Query, al *pg_query.Alias, lateral bool) *nsItem {
	r := &query.RangeTblEntry{Kind: query.RTESubquery, Subquery: q, Lateral: lateral}
	for _, t := range q.TargetList {
		if t.Junk {
			continue
		}
		r.ERefColumns = append(r.ERefColumns, t.Name)
		r.ColTypes = append(r.ColTypes, t.Expr.Type())
		r.ColCollations = append(r.ColCollations, t.Expr.Collation())
	}
	ps.setAlias(r, al, "unnamed_subquery", func(have int) {
		fail(pgerror.New(pgerror.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified", al.Aliasname, have, len(al.Colnames)))
	})
	it := ps.addRTE(r)
	if al == nil {
		it.relVisible = false
		it.name = ""
	}
	return it
}

// subSelect analyses a sub-select as a child of ps.
func (ps *pstate) subSelect(s *pg_query.SelectStmt, parentCTE *cteState, lockedAbove, resolveUnknowns bool) *query.Query {
	c := ps.child()
	c.parentCTE = parentCTE
	c.lockedAbove = lockedAbove
	c.resolveUnknowns = resolveUnknowns
	return c.selectStmt(s)
}

// rangeTableSample is TABLESAMPLE.
func (ps *pstate) rangeTableSample(ts *pg_query.RangeTableSample) (query.FromItem, *nsItem, []*nsItem) {
	item, top, ns := ps.fromItem(ts.Relation)
	r := top.rte
	if r.Kind != query.RTERelation || r.RelKind != catalog.KindTable && r.RelKind != catalog.KindMatView {
		ps.failAt(rawLoc(ts.Relation), pgerror.FeatureNotSupported, "TABLESAMPLE clause can only be applied to tables and materialized views")
	}
	name := nameList(ts.Method)
	m := name
	if len(ts.Method) > 1 {
		m = nodeStrings(ts.Method)[len(ts.Method)-1]
	}
	foreign := len(ts.Method) > 1 && nodeStrings(ts.Method)[0] != "pg_catalog"
	if foreign || m != "bernoulli" && m != "system" {
		ps.failAt(int(ts.Location), pgerror.UndefinedObject, "tablesample method %s does not exist", name)
	}
	if len(ts.Args) != 1 {
		ps.failAt(int(ts.Location), pgerror.Code("2202H"), "tablesample method %s requires %d argument, not %d", name, 1, len(ts.Args))
	}
	sample := &query.TableSample{Method: m}
	e := ps.expr(ts.Args[0], kindFromFunction)
	sample.Args = []query.Expr{ps.coerceToSpecific(e, types.Of(types.Float4), "TABLESAMPLE")}
	ps.assignCollation(sample.Args[0])
	if ts.Repeatable != nil {
		e := ps.expr(ts.Repeatable, kindFromFunction)
		sample.Repeatable = ps.coerceToSpecific(e, types.Of(types.Float8), "REPEATABLE")
		ps.assignCollation(sample.Repeatable)
	}
	r.TableSample = sample
	return item, top, ns
}

// rangeFunction is one or several functions in FROM.
func (ps *pstate) rangeFunction(rf *pg_query.RangeFunction) *nsItem {
	old := ps.lateral
	ps.lateral = true // functions always see what is to their left
	r := &query.RangeTblEntry{Kind: query.RTEFunction, Ordinality: rf.Ordinality, Lateral: rf.Lateral}
	type spec struct {
		raw  *pg_query.Node
		defs []*pg_query.Node
	}
	var specs []spec
	for _, f := range rf.Functions {
		items := f.GetList().Items
		raw := items[0]
		var defs []*pg_query.Node
		if len(items) > 1 && items[1].GetList() != nil {
			defs = items[1].GetList().Items
		}
		// unnest(a, b) in FROM is ROWS FROM (unnest(a), unnest(b))
		if c := raw.GetFuncCall(); c != nil && len(c.Args) > 1 && len(c.AggOrder) == 0 && c.AggFilter == nil && c.Over == nil && !c.AggStar && !c.AggDistinct && !c.FuncVariadic && len(defs) == 0 {
			names := nodeStrings(c.Funcname)
			if len(names) == 1 && names[0] == "unnest" || len(names) == 2 && names[0] == "pg_catalog" && names[1] == "unnest" {
				for _, arg := range c.Args {
					specs = append(specs, spec{raw: &pg_query.Node{Node: &pg_query.Node_FuncCall{FuncCall: &pg_query.FuncCall{Funcname: c.Funcname, Args: []*pg_query.Node{arg}, Location: c.Location, Funcformat: c.Funcformat}}}})
				}
				continue
			}
		}
		specs = append(specs, spec{raw, defs})
	}
	if len(rf.Coldeflist) > 0 {
		if len(specs) != 1 {
			loc := int(rf.Coldeflist[0].GetColumnDef().GetLocation())
			if rf.IsRowsfrom {
				fail(ps.errAt(loc, pgerror.SyntaxError, "ROWS FROM() with multiple functions cannot have a column definition list").
					WithHint("Put a separate column definition list for each function inside ROWS FROM()."))
			}
			fail(ps.errAt(loc, pgerror.SyntaxError, "UNNEST() with multiple arguments cannot have a column definition list").
				WithHint("Use separate UNNEST() calls inside ROWS FROM(), and attach a column definition list to each one."))
		}
		if rf.Ordinality {
			fail(ps.errAt(int(rf.Coldeflist[0].GetColumnDef().GetLocation()), pgerror.SyntaxError, "WITH ORDINALITY cannot be used with a column definition list").
				WithHint("Put the column definition list inside ROWS FROM()."))
		}
		specs[0].defs = rf.Coldeflist
	}
	var firstName string
	for i, s := range specs {
		last := ps.lastSRF
		e := ps.expr(s.raw, kindFromFunction)
		if ps.lastSRF != last && ps.lastSRF != stripFuncExpr(e) {
			ps.failAt(exprLoc(ps.lastSRF), pgerror.FeatureNotSupported, "set-returning functions must appear at top level of FROM")
		}
		ps.assignCollation(e)
		name := ps.figureName(s.raw)
		if i == 0 {
			firstName = name
		}
		f := ps.tableFunction(e, s.defs, name, rf, len(specs))
		r.Functions = append(r.Functions, f)
		for k, n := range f.ColNames {
			r.ERefColumns = append(r.ERefColumns, n)
			r.ColTypes = append(r.ColTypes, f.ColTypes[k])
			r.ColCollations = append(r.ColCollations, ps.typeCollation(f.ColTypes[k].OID))
		}
	}
	ps.lateral = old
	if rf.Ordinality {
		r.ERefColumns = append(r.ERefColumns, "ordinality")
		r.ColTypes = append(r.ColTypes, types.Of(types.Int8))
		r.ColCollations = append(r.ColCollations, 0)
	}
	// a single function with a scalar result lends its column the alias' name
	if al := rf.Alias; al != nil && len(r.Functions) == 1 && !r.Functions[0].Composite && len(r.Functions[0].ColNames) == 1 && len(specs[0].defs) == 0 {
		f := r.Functions[0]
		if ps.singleOutName(f.Expr) == "" {
			f.ColNames[0] = al.Aliasname
			r.ERefColumns[0] = al.Aliasname
		}
	}
	ps.setAlias(r, rf.Alias, firstName, func(have int) {
		fail(pgerror.New(pgerror.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified", rf.Alias.Aliasname, have, len(rf.Alias.Colnames)))
	})
	ps.dropLateral(r)
	return ps.addRTE(r)
}

// dropLateral clears the mark on functions that refer to nothing (plans are simpler without).
func (ps *pstate) dropLateral(r *query.RangeTblEntry) {
	r.Lateral = false
	for _, f := range r.Functions {
		query.WalkDeep(f.Expr, 0, func(e query.Expr, depth int) bool {
			if v, ok := e.(*query.Var); ok && v.LevelsUp == depth {
				r.Lateral = true
			}
			return !r.Lateral
		})
	}
}

// stripFuncExpr is e when it can carry a set-returning call itself.
func stripFuncExpr(e query.Expr) query.Expr { return e }

// singleOutName is the name of a function's only OUT parameter, "" for none.
func (ps *pstate) singleOutName(e query.Expr) string {
	f, ok := e.(*query.FuncExpr)
	if !ok {
		return ""
	}
	fn := ps.cat.Function(f.Func)
	if fn == nil {
		return ""
	}
	name, n := "", 0
	for i, m := range []byte(fn.ArgModes) {
		if m == 'o' || m == 'b' || m == 't' {
			n++
			if i < len(fn.ArgNames) {
				name = fn.ArgNames[i]
			}
		}
	}
	if n == 1 {
		return name
	}
	return ""
}

// outColumns gives the columns of a function with several OUT parameters.
func (ps *pstate) outColumns(fn *catalog.Function, call *query.FuncExpr) (names []string, ts []types.T) {
	var elem types.OID
	for i, d := range fn.ArgTypes {
		if i < len(call.Args) {
			switch d {
			case types.AnyElement, types.AnyNonArray, types.AnyCompatible:
				elem = typeOf(call.Args[i])
			case types.AnyArray, types.AnyCompatibleArray:
				elem = ps.elementOf(typeOf(call.Args[i]))
			}
		}
	}
	for i, m := range []byte(fn.ArgModes) {
		if m != 'o' && m != 'b' && m != 't' {
			continue
		}
		t := fn.AllArgTypes[i]
		switch t {
		case types.AnyElement, types.AnyNonArray, types.AnyCompatible:
			t = elem
		case types.AnyArray, types.AnyCompatibleArray:
			t = ps.cat.ArrayTypeOf(elem)
		}
		n := ""
		if i < len(fn.ArgNames) {
			n = fn.ArgNames[i]
		}
		if n == "" {
			n = "column" + rowFieldName(len(names))[1:]
		}
		names, ts = append(names, n), append(ts, ps.tOf(t, -1))
	}
	return names, ts
}

// tableFunction finds the columns a function in FROM gives.
func (ps *pstate) tableFunction(e query.Expr, defs []*pg_query.Node, name string, rf *pg_query.RangeFunction, nfuncs int) *query.RangeTblFunction {
	f := &query.RangeTblFunction{Expr: e}
	t := e.Type()
	isRecord := t.OID == types.RecordOID
	var names []string
	var ts []types.T
	if call, ok := e.(*query.FuncExpr); ok {
		if fn := ps.cat.Function(call.Func); fn != nil && fn.ArgModes != "" && isRecord {
			names, ts = ps.outColumns(fn, call)
		}
	}
	if len(defs) > 0 {
		loc := int(defs[0].GetColumnDef().GetLocation())
		switch {
		case isRecord && len(names) > 0:
			ps.failAt(loc, pgerror.SyntaxError, "a column definition list is redundant for a function with OUT parameters")
		case ps.isComposite(t.OID):
			ps.failAt(loc, pgerror.SyntaxError, "a column definition list is redundant for a function returning a named composite type")
		case !isRecord:
			ps.failAt(loc, pgerror.SyntaxError, "a column definition list is only allowed for functions returning \"record\"")
		}
		for _, d := range defs {
			cd := d.GetColumnDef()
			if cd.TypeName.GetSetof() {
				ps.failAt(int(cd.Location), pgerror.InvalidTableDefinition, "column \"%s\" cannot be declared SETOF", cd.Colname)
			}
			if slices.Contains(f.ColNames, cd.Colname) {
				ps.failAt(-1, pgerror.DuplicateColumn, "column name \"%s\" specified more than once", cd.Colname)
			}
			f.ColNames = append(f.ColNames, cd.Colname)
			f.ColTypes = append(f.ColTypes, ps.typeName(cd.TypeName))
		}
		f.Composite = true
		return f
	}
	switch {
	case isRecord && len(names) > 0:
		f.ColNames, f.ColTypes, f.Composite = names, ts, true
	case isRecord:
		ps.failAt(exprLoc(e), pgerror.SyntaxError, "a column definition list is required for functions returning \"record\"")
	case ps.isComposite(t.OID):
		n, c, _ := ps.cat.Composite(ps.baseType(t.OID))
		f.ColNames, f.ColTypes, f.Composite = slices.Clone(n), slices.Clone(c), true
	default:
		if t.Class == types.ClassPseudo && t.OID != types.Void && t.OID != types.CString && t.OID != types.AnyArray {
			ps.failAt(exprLoc(e), pgerror.DatatypeMismatch, "function \"%s\" in FROM has unsupported return type %s", name, ps.format(t.OID))
		}
		n := ps.singleOutName(e)
		if n == "" {
			n = name
		}
		f.ColNames, f.ColTypes = []string{n}, []types.T{t}
	}
	return f
}
