package analyze

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// standaloneKinds maps what others ask for to what the analysis knows.
var standaloneKinds = map[ExprKind]exprKind{
	ExprDefault: kindDefault, ExprCheck: kindCheck, ExprGenerated: kindGenerated, ExprIndex: kindIndexExpr,
	ExprIndexPredicate: kindIndexPredicate, ExprAlterType: kindAlterTransform, ExprExecuteParam: kindExecuteParam, ExprCallArgument: kindCallArgument,
}

// standalone analyses an expression outside of a query.
func (a *analyzer) standalone(spec ExprSpec) query.Expr {
	a.noParams = true
	ps := newPState(a, nil)
	if spec.Relation != nil {
		it := ps.addRTE(relationRTE(spec.Relation))
		ps.ns = []*nsItem{it}
	}
	k := standaloneKinds[spec.Kind]
	e := ps.expr(spec.Node, k)
	// type
	switch spec.Kind {
	case ExprCheck:
		e = a.coerceBoolean(e, "CHECK")
	case ExprIndexPredicate:
		e = a.coerceBoolean(e, "WHERE")
	}
	if spec.Kind == ExprIndex {
		if typeOf(e) == types.Unknown {
			e = a.coerceType(e, types.Text, -1, ctxImplicit, query.CoerceImplicitCast, -1)
		}
		if a.returnsSet(e) {
			fail(pgerror.New(pgerror.InvalidTableDefinition, "index expression cannot return a set"))
		}
	}
	if spec.Kind == ExprGenerated {
		a.checkGenerated(e, spec.Relation)
	}
	if spec.Target.OID != 0 {
		in := typeOf(e)
		c := a.coerceToTarget(ps, e, spec.Target, ctxAssignment, query.CoerceImplicitCast, -1)
		if c == nil {
			switch spec.Kind {
			case ExprDefault, ExprGenerated:
				fail(pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but default expression is of type %s", spec.ColumnName, a.format(spec.Target.OID), a.format(in)).
					WithHint("You will need to rewrite or cast the expression."))
			case ExprAlterType:
				return nil
			case ExprExecuteParam:
				fail(a.errAt(exprLoc(e), pgerror.DatatypeMismatch, "parameter %s of type %s cannot be coerced to the expected type %s", spec.ColumnName, a.format(in), a.format(spec.Target.OID)).
					WithHint("You will need to rewrite or cast the expression."))
			}
			fail(a.errAt(exprLoc(e), pgerror.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s", spec.ColumnName, a.format(spec.Target.OID), a.format(in)).
				WithHint("You will need to rewrite or cast the expression."))
		}
		e = c
	} else if typeOf(e) == types.Unknown {
		e = a.coerceType(e, types.Text, -1, ctxImplicit, query.CoerceImplicitCast, -1)
	}
	a.assignCollation(e)
	switch spec.Kind {
	case ExprIndex:
		a.needImmutable(e, "functions in index expression must be marked IMMUTABLE")
	case ExprIndexPredicate:
		a.needImmutable(e, "functions in index predicate must be marked IMMUTABLE")
	case ExprGenerated:
		if a.volatility(e) != 'i' {
			fail(pgerror.New(pgerror.InvalidObjectDefinition, "generation expression is not immutable"))
		}
	}
	return e
}

// checkGenerated refuses what a generation expression cannot refer to.
func (a *analyzer) checkGenerated(e query.Expr, rel *catalog.Relation) {
	query.Walk(e, func(x query.Expr) bool {
		v, ok := x.(*query.Var)
		if !ok || rel == nil {
			return true
		}
		switch {
		case v.AttNum == 0:
			fail(a.errAt(v.Loc, pgerror.InvalidObjectDefinition, "cannot use whole-row variable in column generation expression").
				WithDetail("This would cause the generated column to depend on its own value."))
		case v.AttNum < 0 && v.AttNum != query.AttTableOID:
			name := ""
			for n, s := range systemColumns {
				if s.att == v.AttNum {
					name = n
				}
			}
			a.failAt(v.Loc, pgerror.InvalidColumnReference, "cannot use system column \"%s\" in column generation expression", name)
		case v.AttNum > 0 && rel.Columns[v.AttNum-1].Generated:
			fail(a.errAt(v.Loc, pgerror.InvalidObjectDefinition, "cannot use generated column \"%s\" in column generation expression", rel.Columns[v.AttNum-1].Name).
				WithDetail("A generated column cannot reference another generated column."))
		}
		return true
	})
}

func (a *analyzer) needImmutable(e query.Expr, msg string) {
	if a.volatility(e) != 'i' {
		fail(pgerror.New(pgerror.InvalidObjectDefinition, "%s", msg))
	}
}

// volatility is the worst volatility of the functions in e: i, s or v.
func (a *analyzer) volatility(e query.Expr) byte {
	worst := byte('i')
	note := func(fn types.OID) {
		f := a.cat.Function(fn)
		if f == nil {
			return
		}
		if f.Volatility == 'v' || f.Volatility == 's' && worst == 'i' {
			worst = f.Volatility
		}
	}
	query.Walk(e, func(x query.Expr) bool {
		switch n := x.(type) {
		case *query.FuncExpr:
			note(n.Func)
		case *query.OpExpr:
			note(n.Func)
		case *query.DistinctExpr:
			note(n.Func)
		case *query.NullIfExpr:
			note(n.Func)
		case *query.ScalarArrayOpExpr:
			note(n.Func)
		case *query.RowCompareExpr:
			for _, f := range n.Funcs {
				note(f)
			}
		case *query.CoerceViaIO:
			in, out := a.typ(typeOf(n.Arg)), a.typ(n.T.OID)
			note(in.Output)
			note(out.Input)
		case *query.SQLValueFunction:
			if worst == 'i' {
				worst = 's'
			}
		case *query.NextValExpr:
			worst = 'v'
		}
		return true
	})
	return worst
}
