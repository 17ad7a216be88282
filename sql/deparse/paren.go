package deparse

import (
	"strings"

	"github.com/basaltdb/basalt/sql/query"
)

// operand writes an argument, in parentheses if it needs them below parent. Only
// the pretty form asks: otherwise operators bring their own.
func (p *printer) operand(e query.Expr, showImplicit bool, parent query.Expr) {
	paren := p.paren && !simple(e, parent)
	if paren {
		p.str("(")
	}
	p.expr(e, showImplicit)
	if paren {
		p.str(")")
	}
}

// open and close write the parentheses an operator has unless printing is pretty.
func (p *printer) open() {
	if !p.paren {
		p.str("(")
	}
}

func (p *printer) close() {
	if !p.paren {
		p.str(")")
	}
}

// simple reports whether e needs no parentheses as an argument of parent.
func simple(e, parent query.Expr) bool {
	switch e := e.(type) {
	case *query.Var, *query.Const, *query.Param, *query.SetToDefault, *query.SubscriptingRef, *query.ArrayExpr, *query.RowExpr,
		*query.CoalesceExpr, *query.MinMaxExpr, *query.SQLValueFunction, *query.NextValExpr, *query.NullIfExpr, *query.Aggref,
		*query.GroupingFunc, *query.WindowFunc, *query.FuncExpr, *query.CaseExpr:
		return true
	case *query.FieldSelect:
		_, same := parent.(*query.FieldSelect)
		return !same
	case *query.FieldStore:
		_, same := parent.(*query.FieldStore)
		return !same
	case *query.RelabelType:
		return simple(e.Arg, e)
	case *query.CoerceViaIO:
		return simple(e.Arg, e)
	case *query.ArrayCoerceExpr:
		return simple(e.Arg, e)
	case *query.ConvertRowtypeExpr:
		return simple(e.Arg, e)
	case *query.OpExpr:
		if up, ok := parent.(*query.OpExpr); ok {
			return bindsTighter(e, up)
		}
		return enclosed(parent, true)
	case *query.SubLink, *query.NullTest, *query.BooleanTest, *query.DistinctExpr:
		return enclosed(parent, true)
	case *query.BoolExpr:
		if up, ok := parent.(*query.BoolExpr); ok {
			switch e.Op {
			case query.And:
				return up.Op != query.Not
			case query.Or:
				return up.Op == query.Or
			}
			return false
		}
		return enclosed(parent, false)
	}
	return false
}

// enclosed reports whether parent sets its arguments apart by itself; below
// AND, OR and NOT operators do as well.
func enclosed(parent query.Expr, inBool bool) bool {
	switch up := parent.(type) {
	case *query.FuncExpr:
		return up.Form == query.CoerceExplicitCall
	case *query.BoolExpr:
		return inBool
	case *query.SubscriptingRef, *query.ArrayExpr, *query.RowExpr, *query.CoalesceExpr, *query.MinMaxExpr, *query.NullIfExpr,
		*query.Aggref, *query.GroupingFunc, *query.WindowFunc, *query.CaseExpr:
		return true
	}
	return false
}

// bindsTighter knows the basic arithmetic operators.
func bindsTighter(e, parent *query.OpExpr) bool {
	const low, high = "+-", "*/%"
	if len(e.Args) != 2 || len(parent.Args) != 2 || len(e.Name) != 1 || len(parent.Name) != 1 ||
		!strings.Contains(low+high, e.Name) || !strings.Contains(low+high, parent.Name) {
		return false
	}
	eHigh, parentHigh := strings.Contains(high, e.Name), strings.Contains(high, parent.Name)
	if eHigh != parentHigh {
		return eHigh
	}
	return parent.Args[0] == query.Expr(e)
}
