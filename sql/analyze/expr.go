package analyze

import (
	"math"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// expr analyses an expression of a kind.
func (ps *pstate) expr(n *pg_query.Node, k exprKind) query.Expr {
	var e query.Expr
	ps.withKind(k, func() { e = ps.exprRec(n) })
	return e
}

// exprRec analyses an expression in the current kind.
func (ps *pstate) exprRec(n *pg_query.Node) query.Expr {
	ps.enter()
	defer ps.leave()
	switch x := n.GetNode().(type) {
	case *pg_query.Node_ColumnRef:
		return ps.columnRef(x.ColumnRef)
	case *pg_query.Node_ParamRef:
		return ps.paramRef(x.ParamRef)
	case *pg_query.Node_AConst:
		return ps.constant(x.AConst)
	case *pg_query.Node_AIndirection:
		return ps.indirection(x.AIndirection)
	case *pg_query.Node_AArrayExpr:
		return ps.arrayExpr(x.AArrayExpr, 0, 0, -1)
	case *pg_query.Node_TypeCast:
		return ps.typeCast(x.TypeCast)
	case *pg_query.Node_CollateClause:
		return ps.collateClause(x.CollateClause)
	case *pg_query.Node_AExpr:
		return ps.aExpr(x.AExpr)
	case *pg_query.Node_BoolExpr:
		return ps.boolExpr(x.BoolExpr)
	case *pg_query.Node_FuncCall:
		return ps.funcCall(x.FuncCall)
	case *pg_query.Node_MultiAssignRef:
		return ps.multiAssignRef(x.MultiAssignRef)
	case *pg_query.Node_GroupingFunc:
		return ps.groupingFunc(x.GroupingFunc)
	case *pg_query.Node_NamedArgExpr:
		return ps.exprRec(x.NamedArgExpr.Arg)
	case *pg_query.Node_SubLink:
		return ps.subLink(x.SubLink)
	case *pg_query.Node_CaseExpr:
		return ps.caseExpr(x.CaseExpr)
	case *pg_query.Node_RowExpr:
		return ps.rowExpr(x.RowExpr, false)
	case *pg_query.Node_CoalesceExpr:
		return ps.coalesce(x.CoalesceExpr)
	case *pg_query.Node_MinMaxExpr:
		return ps.minMax(x.MinMaxExpr)
	case *pg_query.Node_SqlvalueFunction:
		return ps.sqlValue(x.SqlvalueFunction)
	case *pg_query.Node_NullTest:
		arg := ps.exprRec(x.NullTest.Arg)
		return &query.NullTest{Base: ps.boolean(int(x.NullTest.Location)), Arg: arg,
			IsNot: x.NullTest.Nulltesttype == pg_query.NullTestType_IS_NOT_NULL, ArgIsRow: ps.isRowType(typeOf(arg))}
	case *pg_query.Node_BooleanTest:
		return ps.booleanTest(x.BooleanTest)
	case *pg_query.Node_SetToDefault:
		ps.failAt(int(x.SetToDefault.Location), pgerror.SyntaxError, "DEFAULT is not allowed in this context")
	case *pg_query.Node_CurrentOfExpr:
		return ps.currentOf(x.CurrentOfExpr.CursorName)
	case *pg_query.Node_XmlExpr:
		ps.unsupported(int(x.XmlExpr.Location), "XML expression")
	case *pg_query.Node_XmlSerialize:
		ps.unsupported(int(x.XmlSerialize.Location), "XMLSERIALIZE")
	case *pg_query.Node_JsonIsPredicate:
		ps.unsupported(int(x.JsonIsPredicate.Location), "IS JSON")
	case *pg_query.Node_JsonObjectConstructor:
		ps.unsupported(int(x.JsonObjectConstructor.Location), "JSON_OBJECT")
	case *pg_query.Node_JsonArrayConstructor:
		ps.unsupported(int(x.JsonArrayConstructor.Location), "JSON_ARRAY")
	case *pg_query.Node_JsonArrayQueryConstructor:
		ps.unsupported(int(x.JsonArrayQueryConstructor.Location), "JSON_ARRAY")
	case *pg_query.Node_JsonObjectAgg:
		ps.unsupported(-1, "JSON_OBJECTAGG")
	case *pg_query.Node_JsonArrayAgg:
		ps.unsupported(-1, "JSON_ARRAYAGG")
	case *pg_query.Node_AStar:
		fail(pgerror.New(pgerror.SyntaxError, "row expansion via \"*\" is not supported here"))
	}
	fail(pgerror.Unsupported("this kind of expression"))
	return nil
}

// constant makes a Const of a literal.
func (ps *pstate) constant(c *pg_query.A_Const) query.Expr {
	loc := int(c.Location)
	if c.Isnull {
		return &query.Const{Base: query.Base{T: types.Of(types.Unknown), Loc: loc}}
	}
	switch v := c.Val.(type) {
	case *pg_query.A_Const_Ival:
		return &query.Const{Base: query.Base{T: types.Of(types.Int4), Loc: loc}, Value: v.Ival.GetIval()}
	case *pg_query.A_Const_Boolval:
		return &query.Const{Base: query.Base{T: types.Of(types.Bool), Loc: loc}, Value: v.Boolval.GetBoolval()}
	case *pg_query.A_Const_Sval:
		return &query.Const{Base: query.Base{T: types.Of(types.Unknown), Loc: loc}, Value: v.Sval.GetSval()}
	case *pg_query.A_Const_Fval:
		return ps.numberConst(v.Fval.GetFval(), loc)
	case *pg_query.A_Const_Bsval:
		d, err := types.In(ps.env.Types, types.Of(types.Bit), v.Bsval.GetBsval())
		if err != nil {
			fail(pgerror.From(err).WithPosition(ps.at(loc)))
		}
		return &query.Const{Base: query.Base{T: types.Of(types.Bit), Loc: loc}, Value: d}
	}
	fail(pgerror.Internal("unknown constant"))
	return nil
}

// numberConst is an integer too large for int4, or a numeric.
func (ps *pstate) numberConst(s string, loc int) query.Expr {
	if !strings.ContainsAny(s, ".eE") || strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		if v, err := strconv.ParseInt(s, 0, 64); err == nil && (s == "0" || s[0] != '0' || len(s) > 1 && s[1] > '9') {
			if v >= math.MinInt32 && v <= math.MaxInt32 {
				return &query.Const{Base: query.Base{T: types.Of(types.Int4), Loc: loc}, Value: int32(v)}
			}
			return &query.Const{Base: query.Base{T: types.Of(types.Int8), Loc: loc}, Value: v}
		}
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			return &query.Const{Base: query.Base{T: types.Of(types.Int8), Loc: loc}, Value: v}
		}
	}
	d, err := types.In(ps.env.Types, types.Of(types.NumericOID), s)
	if err != nil {
		fail(pgerror.From(err).WithPosition(ps.at(loc)))
	}
	return &query.Const{Base: query.Base{T: types.Of(types.NumericOID), Loc: loc}, Value: d}
}

// columnRefRefused says why a kind has no columns.
func (ps *pstate) columnRefRefused() string {
	switch ps.kind {
	case kindDefault:
		return "cannot use column reference in DEFAULT expression"
	}
	return ""
}

// columnRef resolves a.b.c.
func (ps *pstate) columnRef(c *pg_query.ColumnRef) query.Expr {
	loc := int(c.Location)
	if m := ps.columnRefRefused(); m != "" {
		ps.failAt(loc, pgerror.FeatureNotSupported, "%s", m)
	}
	fields := c.Fields
	str := func(i int) string { return fields[i].GetString_().GetSval() }
	isStar := func(i int) bool { return fields[i].GetAStar() != nil }
	whole := func(it *nsItem, up int) query.Expr { return ps.wholeRow(it, up, loc) }
	member := func(it *nsItem, up int, i int, table string) query.Expr {
		if isStar(i) {
			return whole(it, up)
		}
		if e := ps.columnOf(it, up, str(i), loc); e != nil {
			return e
		}
		// a function of the whole row
		w := whole(it, up)
		if e := ps.parseFunc([]*pg_query.Node{fields[i]}, []query.Expr{w}, ps.lastSRF, nil, false, loc); e != nil {
			return e
		}
		ps.missingColumn(table, str(i), loc)
		return nil
	}
	switch len(fields) {
	case 1:
		name := str(0)
		if e := ps.columnByName(name, false, loc); e != nil {
			return e
		}
		// a table's name alone is its whole row
		if it, up := ps.findItem("", name, loc); it != nil {
			return whole(it, up)
		}
		if len(ps.q.RTable) == 0 && ps.parent == nil || true {
			ps.missingColumn("", name, loc)
		}
	case 2:
		it, up := ps.findItem("", str(0), loc)
		if it == nil {
			ps.missingTable("", str(0), loc)
		}
		return member(it, up, 1, str(0))
	case 3:
		it, up := ps.findItem(str(0), str(1), loc)
		if it == nil {
			ps.missingTable(str(0), str(1), loc)
		}
		return member(it, up, 2, str(1))
	case 4:
		if str(0) != ps.cat.DatabaseName() {
			ps.failAt(loc, pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", nameList(fields))
		}
		it, up := ps.findItem(str(1), str(2), loc)
		if it == nil {
			ps.missingTable(str(1), str(2), loc)
		}
		return member(it, up, 3, str(2))
	}
	ps.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", nameList(fields))
	return nil
}

// wholeRow is a reference to all of an item.
func (ps *pstate) wholeRow(it *nsItem, up, loc int) query.Expr {
	r := it.rte
	if r.Kind == query.RTEJoin {
		row := &query.RowExpr{Base: query.Base{T: types.Of(types.RecordOID), Loc: loc}}
		for i, c := range it.cols {
			v := ps.itemVar(it, i, up, loc)
			_ = c
			row.Fields = append(row.Fields, v)
			row.Names = append(row.Names, r.ERefColumns[i])
		}
		return row
	}
	t := types.Of(types.RecordOID)
	switch r.Kind {
	case query.RTERelation:
		rel, err := ps.cat.Relation(ps.ctx, r.Relid)
		check(err)
		if rel != nil && rel.RowType != 0 {
			t = ps.tOf(rel.RowType, -1)
		}
	case query.RTEFunction:
		if len(r.Functions) == 1 && !r.Ordinality {
			ft := r.Functions[0].Expr.Type()
			if ps.isComposite(ft.OID) {
				t = ft
			} else if !r.Functions[0].Composite {
				// a scalar function's row is its value
				return ps.itemVar(it, 0, up, loc)
			}
		}
	}
	return &query.Var{Base: ps.baseT(t, loc), RTIndex: it.rti, AttNum: 0, LevelsUp: up}
}

// indirection is expr[…] and (expr).field.
func (ps *pstate) indirection(in *pg_query.A_Indirection) query.Expr {
	last := ps.lastSRF
	e := ps.exprRec(in.Arg)
	loc := exprLoc(e)
	var subs []*pg_query.A_Indices
	flush := func() {
		if len(subs) > 0 {
			e = ps.subscripts(e, subs, nil, types.T{}, ctxImplicit)
			subs = nil
		}
	}
	for _, n := range in.Indirection {
		switch x := n.GetNode().(type) {
		case *pg_query.Node_AIndices:
			subs = append(subs, x.AIndices)
		case *pg_query.Node_AStar:
			ps.failAt(loc, pgerror.FeatureNotSupported, "row expansion via \"*\" is not supported here")
		case *pg_query.Node_String_:
			flush()
			out := ps.parseFunc([]*pg_query.Node{n}, []query.Expr{e}, last, nil, false, loc)
			if out == nil {
				ps.unknownField(e, x.String_.Sval, loc)
			}
			e = out
		}
	}
	flush()
	return e
}

// unknownField complains about (expr).name.
func (ps *pstate) unknownField(e query.Expr, name string, loc int) {
	if v, ok := e.(*query.Var); ok && v.AttNum == 0 {
		r := ps.rte(v.RTIndex, v.LevelsUp)
		ps.failAt(loc, pgerror.UndefinedColumn, "column %s.%s does not exist", r.ERefName, name)
	}
	t := typeOf(e)
	switch {
	case ps.isComposite(t):
		ps.failAt(loc, pgerror.UndefinedColumn, "column \"%s\" not found in data type %s", name, ps.format(t))
	case t == types.RecordOID:
		ps.failAt(loc, pgerror.UndefinedColumn, "could not identify column \"%s\" in record data type", name)
	}
	ps.failAt(loc, pgerror.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", name, ps.format(t))
}

// subscripts builds e[…]; value non-nil: an assignment of that value, which is
// converted to the element or array type (colName names the column in errors).
func (ps *pstate) subscripts(e query.Expr, subs []*pg_query.A_Indices, value func(t types.T) query.Expr, _ types.T, _ coercionContext) query.Expr {
	t := e.Type()
	cont := ps.baseType(t.OID)
	elem := ps.subscriptElement(cont)
	loc := exprLoc(e)
	if elem == 0 {
		if cont == types.JSONBOID {
			return ps.jsonbSubscripts(e, subs, value)
		}
		if len(subs) > 0 {
			fail(ps.errAt(loc, pgerror.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", ps.format(t.OID)))
		}
	}
	if cont != t.OID {
		e = &query.RelabelType{Base: ps.base(cont, -1, -1), Arg: e, Form: query.CoerceImplicitCast}
	}
	if len(subs) > 6 {
		fail(pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(subs), 6))
	}
	slice := false
	for _, s := range subs {
		slice = slice || s.IsSlice
	}
	out := &query.SubscriptingRef{Arg: e, ElemType: ps.tOf(elem, t.Mod)}
	conv := func(n *pg_query.Node) query.Expr {
		x := ps.exprRec(n)
		c := ps.coerceToTarget(ps, x, types.Of(types.Int4), ctxAssignment, query.CoerceImplicitCast, -1)
		if c == nil {
			ps.failAt(exprLoc(x), pgerror.DatatypeMismatch, "array subscript must have type integer")
		}
		return c
	}
	for _, s := range subs {
		var lo, up query.Expr
		if slice {
			switch {
			case s.Lidx != nil:
				lo = conv(s.Lidx)
			case !s.IsSlice:
				lo = &query.Const{Base: query.Base{T: types.Of(types.Int4), Loc: -1}, Value: int32(1)}
			}
			out.Lower = append(out.Lower, lo)
		}
		if s.Uidx != nil {
			up = conv(s.Uidx)
		}
		out.Upper = append(out.Upper, up)
	}
	res := ps.tOf(elem, t.Mod)
	if slice {
		res = ps.tOf(cont, t.Mod)
	}
	if value != nil {
		out.Assign = value(res)
		res = ps.tOf(cont, t.Mod)
	}
	out.Base = ps.baseT(res, -1)
	return out
}

// jsonbSubscripts is jsonb's own subscripting: keys as text or integers.
func (ps *pstate) jsonbSubscripts(e query.Expr, subs []*pg_query.A_Indices, value func(t types.T) query.Expr) query.Expr {
	out := &query.SubscriptingRef{Base: ps.base(types.JSONBOID, -1, -1), Arg: e, ElemType: types.Of(types.JSONBOID)}
	for _, s := range subs {
		if s.IsSlice {
			n := s.Uidx
			if n == nil {
				n = s.Lidx
			}
			loc := -1
			if n != nil {
				loc = rawLoc(n)
			}
			ps.failAt(loc, pgerror.DatatypeMismatch, "jsonb subscript does not support slices")
		}
		x := ps.exprRec(s.Uidx)
		t := types.OID(types.Text)
		if k := typeOf(x); k != types.Unknown {
			canInt, canText := ps.canCoerce1(k, types.Int4, ctxImplicit), ps.canCoerce1(k, types.Text, ctxImplicit)
			switch {
			case canInt && canText:
				fail(ps.errAt(exprLoc(x), pgerror.DatatypeMismatch, "subscript type %s is not supported", ps.format(k)).
					WithHint("jsonb subscript must be coercible to only one type, integer or text."))
			case canInt:
				t = types.Int4
			case !canText:
				fail(ps.errAt(exprLoc(x), pgerror.DatatypeMismatch, "subscript type %s is not supported", ps.format(k)).
					WithHint("jsonb subscript must be coercible to either integer or text."))
			}
		}
		out.Upper = append(out.Upper, ps.coerceType(x, t, -1, ctxImplicit, query.CoerceImplicitCast, -1))
	}
	if value != nil {
		out.Assign = value(types.Of(types.JSONBOID))
		return out
	}
	// reading is jsonb_extract_path
	keys := &query.ArrayExpr{Base: ps.base(types.TextArray, -1, -1), ElemType: types.Of(types.Text)}
	for _, k := range out.Upper {
		if typeOf(k) != types.Text {
			k = &query.CoerceViaIO{Base: ps.base(types.Text, -1, -1), Arg: k, Form: query.CoerceImplicitCast}
		}
		keys.Elems = append(keys.Elems, k)
	}
	for _, f := range ps.cat.Functions("jsonb_extract_path") {
		return &query.FuncExpr{Base: ps.base(types.JSONBOID, -1, -1), Func: f.OID, Name: f.Name, Args: []query.Expr{e, keys}, Variadic: true}
	}
	return out
}

// typeCast is CAST and ::.
func (ps *pstate) typeCast(tc *pg_query.TypeCast) query.Expr {
	t := ps.typeName(tc.TypeName)
	var e query.Expr
	if arr := tc.Arg.GetAArrayExpr(); arr != nil {
		// the cast tells ARRAY[…] its element type
		target := ps.baseType(t.OID)
		mod := t.Mod
		if el := ps.elementOf(target); el != 0 {
			e = ps.arrayExpr(arr, target, el, mod)
		}
	}
	if e == nil {
		e = ps.exprRec(tc.Arg)
	}
	in := typeOf(e)
	loc := int(tc.Location)
	if loc < 0 {
		loc = int(tc.TypeName.Location)
	}
	out := ps.coerceToTarget(ps, e, t, ctxExplicit, query.CoerceExplicitCast, loc)
	if out == nil {
		ps.failAt(loc, pgerror.CannotCoerce, "cannot cast type %s to %s", ps.format(in), ps.format(t.OID))
	}
	return out
}

// collateClause is expr COLLATE name.
func (ps *pstate) collateClause(c *pg_query.CollateClause) query.Expr {
	e := ps.exprRec(c.Arg)
	loc := int(c.Location)
	t := typeOf(e)
	if ps.typeCollation(t) == 0 && t != types.Unknown {
		ps.failAt(loc, pgerror.DatatypeMismatch, "collations are not supported by type %s", ps.format(t))
	}
	return &query.CollateExpr{Base: query.Base{T: e.Type(), Coll: ps.collation(c.Collname, loc), Loc: loc}, Arg: e}
}

// collation finds a collation by name.
func (a *analyzer) collation(names []*pg_query.Node, loc int) types.OID {
	n := nodeStrings(names)
	c := a.cat.CollationByName(n[len(n)-1])
	if c == nil {
		a.failAt(loc, pgerror.UndefinedObject, "collation \"%s\" for encoding \"UTF8\" does not exist", strings.Join(n, "."))
	}
	return c.OID
}

// boolExpr is AND, OR, NOT.
func (ps *pstate) boolExpr(b *pg_query.BoolExpr) query.Expr {
	out := &query.BoolExpr{Base: ps.boolean(int(b.Location))}
	name := "AND"
	switch b.Boolop {
	case pg_query.BoolExprType_OR_EXPR:
		out.Op, name = query.Or, "OR"
	case pg_query.BoolExprType_NOT_EXPR:
		out.Op, name = query.Not, "NOT"
	}
	for _, n := range b.Args {
		out.Args = append(out.Args, ps.coerceBoolean(ps.exprRec(n), name))
	}
	return out
}

// booleanTest is IS TRUE and its kin.
func (ps *pstate) booleanTest(b *pg_query.BooleanTest) query.Expr {
	var k query.BoolTestKind
	name := ""
	switch b.Booltesttype {
	case pg_query.BoolTestType_IS_TRUE:
		k, name = query.IsTrue, "IS TRUE"
	case pg_query.BoolTestType_IS_NOT_TRUE:
		k, name = query.IsNotTrue, "IS NOT TRUE"
	case pg_query.BoolTestType_IS_FALSE:
		k, name = query.IsFalse, "IS FALSE"
	case pg_query.BoolTestType_IS_NOT_FALSE:
		k, name = query.IsNotFalse, "IS NOT FALSE"
	case pg_query.BoolTestType_IS_UNKNOWN:
		k, name = query.IsUnknown, "IS UNKNOWN"
	default:
		k, name = query.IsNotUnknown, "IS NOT UNKNOWN"
	}
	e := ps.coerceBoolean(ps.exprRec(b.Arg), name)
	return &query.BooleanTest{Base: ps.boolean(int(b.Location)), Arg: e, Test: k}
}

// caseExpr is CASE.
func (ps *pstate) caseExpr(c *pg_query.CaseExpr) query.Expr {
	out := &query.CaseExpr{}
	last := ps.lastSRF
	var test query.Expr
	if c.Arg != nil {
		arg := ps.exprRec(c.Arg)
		if typeOf(arg) == types.Unknown {
			arg = ps.coerceCommon(arg, types.Text, "CASE")
		}
		ps.assignCollation(arg)
		test = &query.Param{Base: query.Base{T: arg.Type(), Coll: arg.Collation(), Loc: -1}, Kind: query.ParamCaseTest}
		out.Arg = arg
	}
	var results []query.Expr
	for _, w := range c.Args {
		cw := w.GetCaseWhen()
		cond := ps.exprRec(cw.Expr)
		if test != nil {
			cond = ps.makeOpNamed("=", test, cond, int(cw.Location))
		}
		cond = ps.coerceBoolean(cond, "CASE/WHEN")
		res := ps.exprRec(cw.Result)
		out.Whens = append(out.Whens, query.CaseWhen{Cond: cond, Result: res})
		results = append(results, res)
	}
	if c.Defresult != nil {
		out.Default = ps.exprRec(c.Defresult)
	} else {
		out.Default = &query.Const{Base: query.Base{T: types.Of(types.Unknown), Loc: -1}}
	}
	// the ELSE result is considered first
	results = append([]query.Expr{out.Default}, results...)
	t := ps.commonType(results, "CASE")
	out.Default = ps.coerceCommon(out.Default, t, "CASE/ELSE")
	all := []query.Expr{out.Default}
	for i := range out.Whens {
		out.Whens[i].Result = ps.coerceCommon(out.Whens[i].Result, t, "CASE/WHEN")
		all = append(all, out.Whens[i].Result)
	}
	ps.refuseSRF(last, "CASE")
	out.Base = ps.base(t, commonMod(all, t), int(c.Location))
	return out
}

// refuseSRF complains when a set-returning function was met since last.
func (ps *pstate) refuseSRF(last query.Expr, construct string) {
	if ps.lastSRF != last {
		fail(ps.errAt(exprLoc(ps.lastSRF), pgerror.FeatureNotSupported, "set-returning functions are not allowed in %s", construct).
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item."))
	}
}

// coalesce is COALESCE.
func (ps *pstate) coalesce(c *pg_query.CoalesceExpr) query.Expr {
	last := ps.lastSRF
	var args []query.Expr
	for _, n := range c.Args {
		args = append(args, ps.exprRec(n))
	}
	t := ps.commonType(args, "COALESCE")
	for i := range args {
		args[i] = ps.coerceCommon(args[i], t, "COALESCE")
	}
	ps.refuseSRF(last, "COALESCE")
	return &query.CoalesceExpr{Base: ps.base(t, commonMod(args, t), int(c.Location)), Args: args}
}

// minMax is GREATEST and LEAST.
func (ps *pstate) minMax(m *pg_query.MinMaxExpr) query.Expr {
	name := "LEAST"
	if m.Op == pg_query.MinMaxOp_IS_GREATEST {
		name = "GREATEST"
	}
	var args []query.Expr
	for _, n := range m.Args {
		args = append(args, ps.exprRec(n))
	}
	t := ps.commonType(args, name)
	for i := range args {
		args[i] = ps.coerceCommon(args[i], t, name)
	}
	if lt, _, _, _ := ps.sortOperators(t); lt == 0 {
		ps.failAt(-1, pgerror.UndefinedFunction, "could not identify a comparison function for type %s", ps.format(t))
	}
	return &query.MinMaxExpr{Base: ps.base(t, commonMod(args, t), int(m.Location)), Greatest: name == "GREATEST", Args: args}
}

// sqlValue is CURRENT_DATE and its kin.
func (ps *pstate) sqlValue(f *pg_query.SQLValueFunction) query.Expr {
	var k query.SQLValueKind
	t, mod := types.OID(types.Name), int32(-1)
	prec := func() {
		if mod = f.Typmod; mod > 6 {
			if ps.env.Notice != nil {
				name := map[query.SQLValueKind]string{query.CurrentTime: "TIME(%d) WITH TIME ZONE", query.CurrentTimestamp: "TIMESTAMP(%d) WITH TIME ZONE", query.LocalTime: "TIME(%d)", query.LocalTimestamp: "TIMESTAMP(%d)"}[k]
				ps.env.Notice(pgerror.New(pgerror.InvalidParameterValue, name+" precision reduced to maximum allowed, %d", mod, 6).WithSeverity("WARNING"))
			}
			mod = 6
		}
	}
	switch f.Op {
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		k, t = query.CurrentDate, types.DateOID
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME:
		k, t = query.CurrentTime, types.TimeTZOID
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
		k, t = query.CurrentTime, types.TimeTZOID
		prec()
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP:
		k, t = query.CurrentTimestamp, types.TimestampTZOID
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
		k, t = query.CurrentTimestamp, types.TimestampTZOID
		prec()
	case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME:
		k, t = query.LocalTime, types.TimeOID
	case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
		k, t = query.LocalTime, types.TimeOID
		prec()
	case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP:
		k, t = query.LocalTimestamp, types.TimestampOID
	case pg_query.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		k, t = query.LocalTimestamp, types.TimestampOID
		prec()
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:
		k = query.CurrentRole
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_USER, pg_query.SQLValueFunctionOp_SVFOP_USER:
		k = query.CurrentUser
	case pg_query.SQLValueFunctionOp_SVFOP_SESSION_USER:
		k = query.SessionUser
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:
		k = query.CurrentCatalog
	case pg_query.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:
		k = query.CurrentSchema
	}
	return &query.SQLValueFunction{Base: ps.base(t, mod, int(f.Location)), Kind: k}
}

// rowExpr is ROW(…); with defaults, DEFAULT is allowed inside (multi-column SET).
func (ps *pstate) rowExpr(r *pg_query.RowExpr, defaults bool) query.Expr {
	out := &query.RowExpr{Base: query.Base{T: types.Of(types.RecordOID), Loc: int(r.Location)}}
	out.Implicit = r.RowFormat == pg_query.CoercionForm_COERCE_IMPLICIT_CAST
	out.Fields = ps.exprList(r.Args, ps.kind, defaults)
	if len(out.Fields) > 1664 {
		ps.failAt(int(r.Location), pgerror.TooManyColumns, "ROW expressions can have at most %d entries", 1664)
	}
	for i := range out.Fields {
		out.Names = append(out.Names, rowFieldName(i))
	}
	return out
}

// exprList analyses a list in which x.* expands.
func (ps *pstate) exprList(list []*pg_query.Node, k exprKind, defaults bool) []query.Expr {
	var out []query.Expr
	for _, n := range list {
		if c := n.GetColumnRef(); c != nil && c.Fields[len(c.Fields)-1].GetAStar() != nil {
			for _, t := range ps.expandColumnStar(c) {
				out = append(out, t.Expr)
			}
			continue
		}
		if in := n.GetAIndirection(); in != nil && in.Indirection[len(in.Indirection)-1].GetAStar() != nil {
			for _, t := range ps.expandIndirectionStar(in, k) {
				out = append(out, t.Expr)
			}
			continue
		}
		if d := n.GetSetToDefault(); d != nil && defaults {
			out = append(out, &query.SetToDefault{Base: query.Base{T: types.Of(types.Unknown), Loc: int(d.Location)}})
			continue
		}
		out = append(out, ps.expr(n, k))
	}
	return out
}

// arrayExpr is ARRAY[…]; with array not 0 a cast around it gives the types.
func (ps *pstate) arrayExpr(a *pg_query.A_ArrayExpr, array, elem types.OID, mod int32) query.Expr {
	loc := int(a.Location)
	out := &query.ArrayExpr{}
	var elems []query.Expr
	for _, n := range a.Elements {
		var e query.Expr
		if sub := n.GetAArrayExpr(); sub != nil {
			e = ps.arrayExpr(sub, array, elem, mod)
			out.Nested = true
		} else {
			e = ps.exprRec(n)
			if !out.Nested && ps.elementOf(typeOf(e)) != 0 {
				out.Nested = true
			}
		}
		elems = append(elems, e)
	}
	var want types.OID
	hard := false
	if array != 0 {
		want, hard = elem, true
		if len(elems) == 0 && (array == types.Int2Vector || array == types.OidVector) {
			fail(pgerror.New(pgerror.DatatypeMismatch, "array is not a valid %s", ps.format(array)))
		}
		if out.Nested {
			want = array
		}
	} else {
		if len(elems) == 0 {
			fail(ps.errAt(loc, pgerror.IndeterminateDatatype, "cannot determine type of empty array").
				WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."))
		}
		want = ps.commonType(elems, "ARRAY")
		ps.noVectorElements(want, loc)
		if out.Nested {
			array = want
			elem = ps.elementOf(array)
			if elem == 0 {
				ps.failAt(loc, pgerror.UndefinedObject, "could not find element type for data type %s", ps.format(array))
			}
		} else {
			elem = want
			array = ps.cat.ArrayTypeOf(elem)
			if array == 0 {
				ps.failAt(loc, pgerror.UndefinedObject, "could not find array type for data type %s", ps.format(elem))
			}
		}
	}
	for i, e := range elems {
		if hard {
			c := ps.coerceToTarget(ps, e, ps.tOf(want, mod), ctxExplicit, query.CoerceExplicitCast, -1)
			if c == nil {
				ps.failAt(exprLoc(e), pgerror.CannotCoerce, "cannot cast type %s to %s", ps.format(typeOf(e)), ps.format(want))
			}
			elems[i] = c
		} else {
			elems[i] = ps.coerceCommon(e, want, "ARRAY")
		}
	}
	out.Elems = elems
	out.ElemType = ps.tOf(elem, -1)
	m := int32(-1)
	if len(elems) > 0 {
		m = commonMod(elems, want)
	}
	out.Base = ps.base(array, m, loc)
	return out
}

// groupingFunc is GROUPING(…).
func (ps *pstate) groupingFunc(g *pg_query.GroupingFunc) query.Expr {
	if len(g.Args) > 31 {
		ps.failAt(int(g.Location), pgerror.TooManyArguments, "GROUPING must have fewer than 32 arguments")
	}
	out := &query.GroupingFunc{Base: ps.base(types.Int4, -1, int(g.Location))}
	for _, n := range g.Args {
		out.Args = append(out.Args, ps.exprRec(n))
	}
	out.LevelsUp = ps.aggLevel(nil, out.Args, nil, true, int(g.Location))
	return out
}

// rawLoc is the leftmost position of a raw expression.
func rawLoc(n *pg_query.Node) int {
	left := func(a, b int) int {
		switch {
		case a < 0:
			return b
		case b < 0:
			return a
		}
		return min(a, b)
	}
	if n == nil {
		return -1
	}
	switch x := n.Node.(type) {
	case *pg_query.Node_ColumnRef:
		return int(x.ColumnRef.Location)
	case *pg_query.Node_ParamRef:
		return int(x.ParamRef.Location)
	case *pg_query.Node_AConst:
		return int(x.AConst.Location)
	case *pg_query.Node_FuncCall:
		l := int(x.FuncCall.Location)
		for _, a := range x.FuncCall.Args {
			l = left(l, rawLoc(a))
		}
		return l
	case *pg_query.Node_AExpr:
		return left(int(x.AExpr.Location), rawLoc(x.AExpr.Lexpr))
	case *pg_query.Node_AArrayExpr:
		return int(x.AArrayExpr.Location)
	case *pg_query.Node_AIndirection:
		return rawLoc(x.AIndirection.Arg)
	case *pg_query.Node_TypeCast:
		return left(rawLoc(x.TypeCast.Arg), left(int(x.TypeCast.Location), int(x.TypeCast.TypeName.GetLocation())))
	case *pg_query.Node_CollateClause:
		return rawLoc(x.CollateClause.Arg)
	case *pg_query.Node_BoolExpr:
		l := int(x.BoolExpr.Location)
		for _, a := range x.BoolExpr.Args {
			l = left(l, rawLoc(a))
		}
		return l
	case *pg_query.Node_SubLink:
		return left(int(x.SubLink.Location), rawLoc(x.SubLink.Testexpr))
	case *pg_query.Node_CaseExpr:
		return int(x.CaseExpr.Location)
	case *pg_query.Node_RowExpr:
		return int(x.RowExpr.Location)
	case *pg_query.Node_CoalesceExpr:
		return int(x.CoalesceExpr.Location)
	case *pg_query.Node_MinMaxExpr:
		return int(x.MinMaxExpr.Location)
	case *pg_query.Node_SqlvalueFunction:
		return int(x.SqlvalueFunction.Location)
	case *pg_query.Node_NullTest:
		return left(int(x.NullTest.Location), rawLoc(x.NullTest.Arg))
	case *pg_query.Node_BooleanTest:
		return left(int(x.BooleanTest.Location), rawLoc(x.BooleanTest.Arg))
	case *pg_query.Node_GroupingFunc:
		return int(x.GroupingFunc.Location)
	case *pg_query.Node_GroupingSet:
		return int(x.GroupingSet.Location)
	case *pg_query.Node_SetToDefault:
		return int(x.SetToDefault.Location)
	case *pg_query.Node_NamedArgExpr:
		return left(int(x.NamedArgExpr.Location), rawLoc(x.NamedArgExpr.Arg))
	case *pg_query.Node_ResTarget:
		return int(x.ResTarget.Location)
	case *pg_query.Node_SortBy:
		return rawLoc(x.SortBy.Node)
	case *pg_query.Node_RangeVar:
		return int(x.RangeVar.Location)
	case *pg_query.Node_TypeName:
		return int(x.TypeName.Location)
	case *pg_query.Node_List:
		for _, i := range x.List.Items {
			if l := rawLoc(i); l >= 0 {
				return l
			}
		}
	case *pg_query.Node_MultiAssignRef:
		return rawLoc(x.MultiAssignRef.Source)
	case *pg_query.Node_SelectStmt:
		return -1
	}
	return -1
}
