package analyze

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// aExpr analyses the operator forms of the grammar.
func (ps *pstate) aExpr(a *pg_query.A_Expr) query.Expr {
	loc := int(a.Location)
	switch a.Kind {
	case pg_query.A_Expr_Kind_AEXPR_OP, pg_query.A_Expr_Kind_AEXPR_LIKE, pg_query.A_Expr_Kind_AEXPR_ILIKE, pg_query.A_Expr_Kind_AEXPR_SIMILAR:
		return ps.aExprOp(a, loc)
	case pg_query.A_Expr_Kind_AEXPR_OP_ANY, pg_query.A_Expr_Kind_AEXPR_OP_ALL:
		l := ps.exprRec(a.Lexpr)
		r := ps.exprRec(a.Rexpr)
		return ps.makeScalarArrayOp(a.Name, a.Kind == pg_query.A_Expr_Kind_AEXPR_OP_ANY, l, r, loc)
	case pg_query.A_Expr_Kind_AEXPR_DISTINCT, pg_query.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return ps.distinctExpr(a, loc)
	case pg_query.A_Expr_Kind_AEXPR_NULLIF:
		return ps.nullIf(a, loc)
	case pg_query.A_Expr_Kind_AEXPR_IN:
		return ps.inList(a, loc)
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN, pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pg_query.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		return ps.between(a, loc)
	}
	fail(pgerror.Internal("unknown operator form %v", a.Kind))
	return nil
}

func isNullConst(n *pg_query.Node) bool {
	c := n.GetAConst()
	return c != nil && c.Isnull
}

func (ps *pstate) aExprOp(a *pg_query.A_Expr, loc int) query.Expr {
	lrow, rrow := a.Lexpr.GetRowExpr(), a.Rexpr.GetRowExpr()
	sub := a.Rexpr.GetSubLink()
	switch {
	case lrow != nil && sub != nil && sub.SubLinkType == pg_query.SubLinkType_EXPR_SUBLINK:
		// (a, b) op (SELECT …)
		return ps.subLink(&pg_query.SubLink{SubLinkType: pg_query.SubLinkType_ROWCOMPARE_SUBLINK, Testexpr: a.Lexpr, OperName: a.Name, Subselect: sub.Subselect, Location: a.Location})
	case lrow != nil && rrow != nil:
		l := ps.exprRec(a.Lexpr).(*query.RowExpr)
		r := ps.exprRec(a.Rexpr).(*query.RowExpr)
		return ps.rowCompare(a.Name, l.Fields, r.Fields, loc)
	}
	last := ps.lastSRF
	var l query.Expr
	if a.Lexpr != nil {
		l = ps.exprRec(a.Lexpr)
	}
	r := ps.exprRec(a.Rexpr)
	_ = last
	return ps.makeOp(a.Name, l, r, loc)
}

func (ps *pstate) distinctExpr(a *pg_query.A_Expr, loc int) query.Expr {
	not := a.Kind == pg_query.A_Expr_Kind_AEXPR_NOT_DISTINCT
	if isNullConst(a.Rexpr) || isNullConst(a.Lexpr) {
		n := a.Lexpr
		if !isNullConst(a.Rexpr) {
			n = a.Rexpr
		}
		arg := ps.exprRec(n)
		return &query.NullTest{Base: ps.boolean(loc), Arg: arg, IsNot: !not}
	}
	l, r := ps.exprRec(a.Lexpr), ps.exprRec(a.Rexpr)
	var out query.Expr
	lr, ok1 := l.(*query.RowExpr)
	rr, ok2 := r.(*query.RowExpr)
	if ok1 && ok2 {
		out = ps.rowDistinct(a.Name, lr, rr, loc)
	} else {
		out = ps.makeDistinct(a.Name, l, r, loc)
	}
	if not {
		out = &query.BoolExpr{Base: ps.boolean(loc), Op: query.Not, Args: []query.Expr{out}}
	}
	return out
}

func (ps *pstate) makeDistinct(names []*pg_query.Node, l, r query.Expr, loc int) query.Expr {
	o := ps.makeOp(names, l, r, loc).(*query.OpExpr)
	if typeOf(o) != types.Bool {
		ps.failAt(loc, pgerror.DatatypeMismatch, "IS DISTINCT FROM requires = operator to yield boolean")
	}
	return &query.DistinctExpr{Base: ps.boolean(loc), Op: o.Op, Func: o.Func, Left: o.Args[0], Right: o.Args[1]}
}

func (ps *pstate) rowDistinct(names []*pg_query.Node, l, r *query.RowExpr, loc int) query.Expr {
	if len(l.Fields) != len(r.Fields) {
		ps.failAt(loc, pgerror.SyntaxError, "unequal number of entries in row expressions")
	}
	var parts []query.Expr
	for i := range l.Fields {
		parts = append(parts, ps.makeDistinct(names, l.Fields[i], r.Fields[i], loc))
	}
	switch len(parts) {
	case 0:
		return &query.Const{Base: ps.boolean(loc), Value: false}
	case 1:
		return parts[0]
	}
	return &query.BoolExpr{Base: ps.boolean(loc), Op: query.Or, Args: parts}
}

func (ps *pstate) nullIf(a *pg_query.A_Expr, loc int) query.Expr {
	l, r := ps.exprRec(a.Lexpr), ps.exprRec(a.Rexpr)
	o := ps.makeOp(a.Name, l, r, loc).(*query.OpExpr)
	if typeOf(o) != types.Bool {
		ps.failAt(loc, pgerror.DatatypeMismatch, "NULLIF requires = operator to yield boolean")
	}
	if o.RetSet {
		ps.failAt(loc, pgerror.DatatypeMismatch, "%s must not return a set", "NULLIF")
	}
	return &query.NullIfExpr{Base: ps.baseT(o.Args[0].Type(), loc), Op: o.Op, Func: o.Func, Left: o.Args[0], Right: o.Args[1]}
}

// inList is x IN (…): one ScalarArrayOp over the elements without variables,
// OR'ed (AND'ed for NOT IN) with comparisons for the rest.
func (ps *pstate) inList(a *pg_query.A_Expr, loc int) query.Expr {
	useOr := a.Name[0].GetString_().GetSval() != "<>"
	l := ps.exprRec(a.Lexpr)
	var vars, consts, all []query.Expr
	for _, n := range a.Rexpr.GetList().Items {
		e := ps.exprRec(n)
		all = append(all, e)
		if ps.containsVars(e) {
			vars = append(vars, e)
		} else {
			consts = append(consts, e)
		}
	}
	var result query.Expr
	if len(consts) > 1 {
		typed := append([]query.Expr{l}, consts...)
		t := types.OID(0)
		if _, ok := l.(*query.RowExpr); !ok {
			t = ps.commonType(typed, "")
		}
		array := types.OID(0)
		if t != 0 && t != types.RecordOID && ps.verifyCommon(t, typed) {
			array = ps.cat.ArrayTypeOf(t)
		}
		if array != 0 {
			elems := make([]query.Expr, len(consts))
			for i, e := range consts {
				elems[i] = ps.coerceCommon(e, t, "IN")
			}
			arr := &query.ArrayExpr{Base: ps.base(array, -1, -1), Elems: elems, ElemType: ps.tOf(t, -1)}
			result = ps.makeScalarArrayOp(a.Name, useOr, l, arr, loc)
			all = vars
		}
	}
	var parts []query.Expr
	if result != nil {
		parts = append(parts, result)
	}
	lrow, lok := l.(*query.RowExpr)
	for _, r := range all {
		var c query.Expr
		if rrow, ok := r.(*query.RowExpr); ok && lok {
			c = ps.rowCompare(a.Name, cloneExprs(lrow.Fields), rrow.Fields, loc)
		} else {
			c = ps.makeOp(a.Name, l, r, loc)
		}
		parts = append(parts, ps.coerceBoolean(c, "IN"))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	op := query.And
	if useOr {
		op = query.Or
	}
	return &query.BoolExpr{Base: ps.boolean(loc), Op: op, Args: parts}
}

func cloneExprs(es []query.Expr) []query.Expr { return append([]query.Expr(nil), es...) }

// containsVars reports whether e has a Var of its own level.
func (ps *pstate) containsVars(e query.Expr) bool {
	found := false
	query.WalkDeep(e, 0, func(x query.Expr, depth int) bool {
		if v, ok := x.(*query.Var); ok && v.LevelsUp == depth {
			found = true
		}
		return !found
	})
	return found
}

// between expands BETWEEN as PostgreSQL does.
func (ps *pstate) between(a *pg_query.A_Expr, loc int) query.Expr {
	items := a.Rexpr.GetList().Items
	lo, hi := items[0], items[1]
	cmp := func(op string, l, r *pg_query.Node) *pg_query.Node {
		return &pg_query.Node{Node: &pg_query.Node_AExpr{AExpr: &pg_query.A_Expr{Kind: pg_query.A_Expr_Kind_AEXPR_OP,
			Name: []*pg_query.Node{pg_query.MakeStrNode(op)}, Lexpr: l, Rexpr: r, Location: a.Location}}}
	}
	join := func(k pg_query.BoolExprType, args ...*pg_query.Node) *pg_query.Node {
		return &pg_query.Node{Node: &pg_query.Node_BoolExpr{BoolExpr: &pg_query.BoolExpr{Boolop: k, Args: args, Location: a.Location}}}
	}
	and, or := pg_query.BoolExprType_AND_EXPR, pg_query.BoolExprType_OR_EXPR
	var n *pg_query.Node
	switch a.Kind {
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN:
		n = join(and, cmp(">=", a.Lexpr, lo), cmp("<=", a.Lexpr, hi))
	case pg_query.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		n = join(or, cmp("<", a.Lexpr, lo), cmp(">", a.Lexpr, hi))
	case pg_query.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		n = join(or, join(and, cmp(">=", a.Lexpr, lo), cmp("<=", a.Lexpr, hi)), join(and, cmp(">=", a.Lexpr, hi), cmp("<=", a.Lexpr, lo)))
	default:
		n = join(and, join(or, cmp("<", a.Lexpr, lo), cmp(">", a.Lexpr, hi)), join(or, cmp("<", a.Lexpr, hi), cmp(">", a.Lexpr, lo)))
	}
	return ps.exprRec(n)
}

// rowCompare is (a, b) op (c, d): pairwise AND for =, OR for <>, else by the
// btree family the column operators share.
func (ps *pstate) rowCompare(names []*pg_query.Node, l, r []query.Expr, loc int) query.Expr {
	if len(l) != len(r) {
		ps.failAt(loc, pgerror.SyntaxError, "unequal number of entries in row expressions")
	}
	if len(l) == 0 {
		ps.failAt(loc, pgerror.FeatureNotSupported, "cannot compare rows of zero length")
	}
	ops := make([]*query.OpExpr, len(l))
	for i := range l {
		o := ps.makeOp(names, l[i], r[i], loc).(*query.OpExpr)
		if typeOf(o) != types.Bool {
			fail(ps.errAt(loc, pgerror.DatatypeMismatch, "row comparison operator must yield type boolean, not type %s", ps.format(typeOf(o))))
		}
		if o.RetSet {
			ps.failAt(loc, pgerror.DatatypeMismatch, "row comparison operator must not return a set")
		}
		ops[i] = o
	}
	if len(ops) == 1 {
		return ops[0]
	}
	name := nodeStrings(names)
	shown := name[len(name)-1]
	// strategies the operators have in common
	var common map[int]bool
	for _, o := range ops {
		mine := map[int]bool{}
		for _, m := range ps.cat.OpFamilyMembers(o.Op) {
			if m.AM == "btree" {
				mine[m.Strategy] = true
			}
		}
		// <> is the negator of a btree equality
		if op := ps.cat.Operator(o.Op); op != nil && op.Negator != 0 {
			for _, m := range ps.cat.OpFamilyMembers(op.Negator) {
				if m.AM == "btree" && m.Strategy == 3 {
					mine[6] = true
				}
			}
		}
		if common == nil {
			common = mine
			continue
		}
		for s := range common {
			if !mine[s] {
				delete(common, s)
			}
		}
	}
	strategy := 0
	for s := 1; s <= 6; s++ {
		if common[s] {
			strategy = s
			break
		}
	}
	var es []query.Expr
	for _, o := range ops {
		es = append(es, o)
	}
	switch strategy {
	case 0:
		fail(ps.errAt(loc, pgerror.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", shown).
			WithHint("Row comparison operators must be associated with btree operator families."))
	case 3:
		return &query.BoolExpr{Base: ps.boolean(loc), Op: query.And, Args: es}
	case 6:
		return &query.BoolExpr{Base: ps.boolean(loc), Op: query.Or, Args: es}
	}
	out := &query.RowCompareExpr{Base: ps.boolean(loc), Op: shown}
	for _, o := range ops {
		out.Ops, out.Funcs = append(out.Ops, o.Op), append(out.Funcs, o.Func)
		out.Left, out.Right = append(out.Left, o.Args[0]), append(out.Right, o.Args[1])
	}
	return out
}

// subLinkPhrase is where sub-selects are refused.
var subLinkPhrase = map[exprKind]string{
	kindCheck: "check constraint", kindDefault: "DEFAULT expression", kindIndexExpr: "index expression", kindIndexPredicate: "index predicate",
	kindAlterTransform: "transform expression", kindExecuteParam: "EXECUTE parameter", kindGenerated: "column generation expression", kindCallArgument: "CALL argument",
}

// subLink analyses a sub-select in an expression.
func (ps *pstate) subLink(s *pg_query.SubLink) query.Expr {
	loc := int(s.Location)
	if p, ok := subLinkPhrase[ps.kind]; ok {
		ps.failAt(loc, pgerror.FeatureNotSupported, "cannot use subquery in %s", p)
	}
	ps.q.HasSubLinks = true
	q := ps.subSelect(s.Subselect.GetSelectStmt(), nil, false, true)
	ps.rememberSub(s, q)
	out := &query.SubLink{Base: ps.boolean(loc), Query: q}
	visible := func() []*query.TargetEntry {
		var ts []*query.TargetEntry
		for _, t := range q.TargetList {
			if !t.Junk {
				ts = append(ts, t)
			}
		}
		return ts
	}
	switch s.SubLinkType {
	case pg_query.SubLinkType_EXISTS_SUBLINK:
		out.Kind = query.SubLinkExists
		return out
	case pg_query.SubLinkType_EXPR_SUBLINK, pg_query.SubLinkType_ARRAY_SUBLINK:
		ts := visible()
		if len(ts) != 1 {
			ps.failAt(loc, pgerror.SyntaxError, "subquery must return only one column")
		}
		t := ts[0].Expr.Type()
		out.Kind = query.SubLinkExpr
		out.Base = query.Base{T: t, Coll: ts[0].Expr.Collation(), Loc: loc}
		if s.SubLinkType == pg_query.SubLinkType_ARRAY_SUBLINK {
			out.Kind = query.SubLinkArray
			at := t.OID
			ps.noVectorElements(at, loc)
			if ps.elementOf(at) == 0 {
				at = ps.cat.ArrayTypeOf(t.OID)
			}
			if at == 0 {
				ps.failAt(loc, pgerror.UndefinedObject, "could not find array type for data type %s", ps.format(t.OID))
			}
			out.Base = query.Base{T: ps.tOf(at, t.Mod), Coll: ts[0].Expr.Collation(), Loc: loc}
		}
		return out
	case pg_query.SubLinkType_MULTIEXPR_SUBLINK:
		out.Kind = query.SubLinkMulti
		out.Base = query.Base{T: types.Of(types.RecordOID), Loc: loc}
		return out
	}
	// ANY, ALL and row comparison
	names := s.OperName
	if len(names) == 0 {
		names = []*pg_query.Node{pg_query.MakeStrNode("=")}
	}
	var left []query.Expr
	l := ps.exprRec(s.Testexpr)
	if r, ok := l.(*query.RowExpr); ok {
		left = r.Fields
	} else {
		left = []query.Expr{l}
	}
	var right []query.Expr
	for i, t := range visible() {
		right = append(right, &query.Param{Base: query.Base{T: t.Expr.Type(), Coll: t.Expr.Collation(), Loc: -1}, Kind: query.ParamExec, Number: i + 1})
	}
	if len(left) < len(right) {
		ps.failAt(loc, pgerror.SyntaxError, "subquery has too many columns")
	}
	if len(left) > len(right) {
		ps.failAt(loc, pgerror.SyntaxError, "subquery has too few columns")
	}
	out.Test = ps.rowCompare(names, left, right, loc)
	out.OpName = strings.Join(nodeStrings(names), ".")
	switch s.SubLinkType {
	case pg_query.SubLinkType_ANY_SUBLINK:
		out.Kind = query.SubLinkAny
	case pg_query.SubLinkType_ALL_SUBLINK:
		out.Kind = query.SubLinkAll
	default:
		out.Kind = query.SubLinkRowCompare
	}
	leftOf := func(e query.Expr) {
		if o, ok := e.(*query.OpExpr); ok {
			out.Left = append(out.Left, o.Args[0])
		}
	}
	switch t := out.Test.(type) {
	case *query.BoolExpr:
		for _, x := range t.Args {
			leftOf(x)
		}
	case *query.RowCompareExpr:
		out.Left = append(out.Left, t.Left...)
	default:
		leftOf(t)
	}
	return out
}
