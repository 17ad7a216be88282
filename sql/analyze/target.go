package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// targetEntriesMax is MaxTupleAttributeNumber.
const targetEntriesMax = 1664

// targetList analyses a SELECT or RETURNING list.
func (ps *pstate) targetList(list []*pg_query.Node, k exprKind) []*query.TargetEntry {
	var out []*query.TargetEntry
	for _, n := range list {
		rt := n.GetResTarget()
		if k != kindUpdateSource {
			if c := rt.Val.GetColumnRef(); c != nil && c.Fields[len(c.Fields)-1].GetAStar() != nil {
				out = append(out, ps.expandColumnStar(c)...)
				continue
			}
			if in := rt.Val.GetAIndirection(); in != nil && in.Indirection[len(in.Indirection)-1].GetAStar() != nil {
				out = append(out, ps.expandIndirectionStar(in, k)...)
				continue
			}
		}
		out = append(out, ps.targetEntry(rt.Val, nil, k, rt.Name, false))
	}
	return out
}

// targetEntry makes one entry; e may already be analysed.
func (ps *pstate) targetEntry(n *pg_query.Node, e query.Expr, k exprKind, name string, junk bool) *query.TargetEntry {
	if e == nil {
		if k == kindUpdateSource && n.GetSetToDefault() != nil {
			e = &query.SetToDefault{Base: query.Base{T: types.Of(types.Unknown), Loc: int(n.GetSetToDefault().Location)}}
		} else {
			if d := n.GetSetToDefault(); d != nil {
				ps.failAt(int(d.Location), pgerror.SyntaxError, "DEFAULT is not allowed in this context")
			}
			e = ps.expr(n, k)
		}
	}
	if name == "" && !junk {
		name = ps.figureName(n)
	}
	t := &query.TargetEntry{Expr: e, ResNo: ps.nextRes, Name: name, Junk: junk}
	ps.nextRes++
	return t
}

// expandColumnStar expands * and t.* in a list.
func (ps *pstate) expandColumnStar(c *pg_query.ColumnRef) []*query.TargetEntry {
	loc := int(c.Location)
	f := c.Fields
	if len(f) == 1 {
		var out []*query.TargetEntry
		found := false
		for _, it := range ps.ns {
			if !it.colsVisible {
				continue
			}
			found = true
			out = append(out, ps.expandItem(it, 0, loc)...)
		}
		if !found {
			ps.failAt(loc, pgerror.SyntaxError, "SELECT * with no tables specified is not valid")
		}
		return out
	}
	names := nodeStrings(f[:len(f)-1])
	schema, table := "", names[len(names)-1]
	switch len(names) {
	case 1:
	case 2:
		schema = names[0]
	case 3:
		if names[0] != ps.cat.DatabaseName() {
			ps.failAt(loc, pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", nameList(f))
		}
		schema = names[1]
	default:
		ps.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", nameList(f))
	}
	it, up := ps.findItem(schema, table, loc)
	if it == nil {
		ps.missingTable(schema, table, loc)
	}
	return ps.expandItem(it, up, loc)
}

// expandItem lists all columns of an item.
func (ps *pstate) expandItem(it *nsItem, up, loc int) []*query.TargetEntry {
	var out []*query.TargetEntry
	for i, n := range it.rte.ERefColumns {
		if n == "" || it.cols[i].hidden {
			continue
		}
		out = append(out, &query.TargetEntry{Expr: ps.itemVar(it, i, up, loc), ResNo: ps.nextRes, Name: n})
		ps.nextRes++
	}
	return out
}

// expandIndirectionStar expands (expr).*.
func (ps *pstate) expandIndirectionStar(in *pg_query.A_Indirection, k exprKind) []*query.TargetEntry {
	short := &pg_query.A_Indirection{Arg: in.Arg, Indirection: in.Indirection[:len(in.Indirection)-1]}
	var e query.Expr
	ps.withKind(k, func() {
		if len(short.Indirection) == 0 {
			e = ps.exprRec(in.Arg)
		} else {
			e = ps.indirection(short)
		}
	})
	loc := exprLoc(e)
	if v, ok := e.(*query.Var); ok && v.AttNum == 0 {
		p := ps
		for i := v.LevelsUp; i > 0; i-- {
			p = p.parent
		}
		r := p.q.RTable[v.RTIndex-1]
		it := p.item(r, v.RTIndex)
		return ps.expandItem(it, v.LevelsUp, loc)
	}
	names, fields := ps.rowFields(e)
	if names == nil {
		t := typeOf(e)
		if t == types.RecordOID {
			fail(pgerror.New(pgerror.DatatypeMismatch, "record type has not been registered"))
		}
		fail(pgerror.New(pgerror.WrongObjectType, "type %s is not composite", ps.format(t)))
	}
	var out []*query.TargetEntry
	for i, n := range names {
		if n == "" {
			continue
		}
		var x query.Expr = &query.FieldSelect{Base: ps.baseT(fields[i], loc), Arg: e, Field: i + 1, Name: n}
		out = append(out, &query.TargetEntry{Expr: x, ResNo: ps.nextRes, Name: n})
		ps.nextRes++
	}
	return out
}

// figureName chooses the name of an output column.
func (ps *pstate) figureName(n *pg_query.Node) string {
	if name, s := ps.figure(n); s > 0 {
		return name
	}
	return "?column?"
}

// figure gives a name and how good it is: 0 none, 1 weak, 2 strong.
func (ps *pstate) figure(n *pg_query.Node) (string, int) {
	if n == nil {
		return "", 0
	}
	lastString := func(ns []*pg_query.Node) string {
		name := ""
		for _, f := range ns {
			if s := f.GetString_(); s != nil {
				name = s.Sval
			}
		}
		return name
	}
	switch x := n.Node.(type) {
	case *pg_query.Node_ColumnRef:
		if s := lastString(x.ColumnRef.Fields); s != "" {
			return s, 2
		}
	case *pg_query.Node_AIndirection:
		if s := lastString(x.AIndirection.Indirection); s != "" {
			return s, 2
		}
		return ps.figure(x.AIndirection.Arg)
	case *pg_query.Node_FuncCall:
		return lastString(x.FuncCall.Funcname), 2
	case *pg_query.Node_AExpr:
		if x.AExpr.Kind == pg_query.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg_query.Node_TypeCast:
		name, s := ps.figure(x.TypeCast.Arg)
		if s <= 1 && x.TypeCast.TypeName != nil {
			return lastString(x.TypeCast.TypeName.Names), 1
		}
		return name, s
	case *pg_query.Node_CollateClause:
		return ps.figure(x.CollateClause.Arg)
	case *pg_query.Node_GroupingFunc:
		return "grouping", 2
	case *pg_query.Node_SubLink:
		switch x.SubLink.SubLinkType {
		case pg_query.SubLinkType_EXISTS_SUBLINK:
			return "exists", 2
		case pg_query.SubLinkType_ARRAY_SUBLINK:
			return "array", 2
		case pg_query.SubLinkType_EXPR_SUBLINK:
			if q := ps.subs[x.SubLink]; q != nil && len(q.TargetList) > 0 {
				return q.TargetList[0].Name, 2
			}
		}
	case *pg_query.Node_CaseExpr:
		name, s := ps.figure(x.CaseExpr.Defresult)
		if s <= 1 {
			return "case", 1
		}
		return name, s
	case *pg_query.Node_AArrayExpr:
		return "array", 2
	case *pg_query.Node_RowExpr:
		return "row", 2
	case *pg_query.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg_query.Node_MinMaxExpr:
		if x.MinMaxExpr.Op == pg_query.MinMaxOp_IS_GREATEST {
			return "greatest", 2
		}
		return "least", 2
	case *pg_query.Node_SqlvalueFunction:
		switch x.SqlvalueFunction.Op {
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
			return "current_date", 2
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME, pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
			return "current_time", 2
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
			return "current_timestamp", 2
		case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME, pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
			return "localtime", 2
		case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
			return "localtimestamp", 2
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:
			return "current_role", 2
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_USER:
			return "current_user", 2
		case pg_query.SQLValueFunctionOp_SVFOP_USER:
			return "user", 2
		case pg_query.SQLValueFunctionOp_SVFOP_SESSION_USER:
			return "session_user", 2
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:
			return "current_catalog", 2
		case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:
			return "current_schema", 2
		}
	}
	return "", 0
}

func (a *analyzer) rememberSub(s *pg_query.SubLink, q *query.Query) {
	if a.subs == nil {
		a.subs = map[*pg_query.SubLink]*query.Query{}
	}
	a.subs[s] = q
}

// resolveUnknownTargets makes output columns of type unknown text.
func (ps *pstate) resolveUnknownTargets(ts []*query.TargetEntry) {
	for _, t := range ts {
		if typeOf(t.Expr) == types.Unknown {
			t.Expr = ps.coerceType(t.Expr, types.Text, -1, ctxImplicit, query.CoerceImplicitCast, -1)
		}
	}
}

// markOrigins notes which table column an output column is.
func (ps *pstate) markOrigins(ts []*query.TargetEntry) {
	for _, t := range ts {
		if v, ok := t.Expr.(*query.Var); ok {
			t.OrigTable, t.OrigColumn = ps.origin(v)
		}
	}
}

func (ps *pstate) origin(v *query.Var) (types.OID, int) {
	p := ps
	for l := v.LevelsUp; l > 0; l-- {
		p = p.parent
	}
	r := p.q.RTable[v.RTIndex-1]
	switch r.Kind {
	case query.RTERelation:
		if v.AttNum != 0 {
			return r.Relid, v.AttNum
		}
	case query.RTESubquery:
		if t := visibleTarget(r.Subquery, v.AttNum); t != nil {
			return t.OrigTable, t.OrigColumn
		}
	case query.RTEJoin:
		if v.AttNum > 0 {
			if x, ok := r.JoinAlias[v.AttNum-1].(*query.Var); ok {
				return p.origin(x)
			}
		}
	case query.RTECTE:
		if c, _ := p.findCTEAt(r.CTEName, r.CTELevelsUp); c != nil && c.done {
			if t := visibleTarget(c.cte.Query, v.AttNum); t != nil {
				return t.OrigTable, t.OrigColumn
			}
		}
	}
	return 0, 0
}
