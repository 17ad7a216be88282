package deparse

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// expr writes an expression. showImplicit writes implicit casts as well.
func (p *printer) expr(e query.Expr, showImplicit bool) {
	switch e := e.(type) {
	case *query.Var:
		p.variable(e, 0)
	case *query.Const:
		p.constant(e, labelIfNeeded)
	case *query.Param:
		p.param(e)
	case *query.FuncExpr:
		p.funcExpr(e, showImplicit)
	case *query.OpExpr:
		p.opExpr(e)
	case *query.DistinctExpr:
		p.infix(e, e.Left, " IS DISTINCT FROM ", e.Right)
	case *query.NullIfExpr:
		p.call("NULLIF", []query.Expr{e.Left, e.Right}, true)
	case *query.ScalarArrayOpExpr:
		p.open()
		p.operand(e.Scalar, true, e)
		p.str(" " + e.Name + map[bool]string{true: " ANY (", false: " ALL ("}[e.UseOr])
		p.operand(e.Array, true, e)
		p.str(")")
		p.close()
	case *query.BoolExpr:
		p.boolExpr(e)
	case *query.SubLink:
		p.subLink(e)
	case *query.MultiAssignRef:
		p.str("???")
	case *query.Aggref:
		p.aggref(e)
	case *query.GroupingFunc:
		p.call("GROUPING", e.Args, true)
	case *query.WindowFunc:
		p.windowFunc(e)
	case *query.SubscriptingRef:
		p.subscript(e)
	case *query.FieldSelect:
		p.fieldSelect(e)
	case *query.FieldStore:
		p.list(e.Values, true)
	case *query.RelabelType:
		p.conversion(e, e.Arg, e.Form, showImplicit)
	case *query.CoerceViaIO:
		p.conversion(e, e.Arg, e.Form, showImplicit)
	case *query.ArrayCoerceExpr:
		p.conversion(e, e.Arg, e.Form, showImplicit)
	case *query.ConvertRowtypeExpr:
		p.conversion(e, e.Arg, e.Form, showImplicit)
	case *query.CollateExpr:
		p.open()
		p.operand(e.Arg, showImplicit, e)
		name := "???"
		if c := p.Catalog.Collation(e.Coll); c != nil {
			name = QuoteIdent(c.Name)
		}
		p.str(" COLLATE " + name)
		p.close()
	case *query.CaseExpr:
		p.caseExpr(e)
	case *query.ArrayExpr:
		p.str("ARRAY[")
		p.list(e.Elems, true)
		p.str("]")
		if len(e.Elems) == 0 {
			p.str("::" + p.typeName(e.T))
		}
	case *query.RowExpr:
		p.str("ROW(")
		p.list(e.Fields, true)
		p.str(")")
		if e.T.OID != types.RecordOID {
			p.str("::" + p.typeName(e.T))
		}
	case *query.RowCompareExpr:
		p.str("(ROW(")
		p.list(e.Left, true)
		p.str(") " + e.Op + " ROW(")
		p.list(e.Right, true)
		p.str("))")
	case *query.CoalesceExpr:
		p.call("COALESCE", e.Args, true)
	case *query.MinMaxExpr:
		p.call(map[bool]string{true: "GREATEST", false: "LEAST"}[e.Greatest], e.Args, true)
	case *query.NullTest:
		what := " IS NULL"
		if e.IsNot {
			what = " IS NOT NULL"
		}
		if t := e.Arg.Type(); !e.ArgIsRow && t.Class == types.ClassComposite {
			what = " IS NOT DISTINCT FROM NULL"
			if e.IsNot {
				what = " IS DISTINCT FROM NULL"
			}
		}
		p.postfix(e, e.Arg, what)
	case *query.BooleanTest:
		p.postfix(e, e.Arg, [...]string{" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE", " IS UNKNOWN", " IS NOT UNKNOWN"}[e.Test])
	case *query.SQLValueFunction:
		p.sqlValue(e)
	case *query.SetToDefault:
		p.str("DEFAULT")
	case *query.NextValExpr:
		p.str("nextval(" + QuoteLiteral(p.relationName(e.Sequence)) + "::regclass)")
	default:
		p.str(fmt.Sprintf("??%T??", e))
	}
}

// list writes expressions separated by commas.
func (p *printer) list(es []query.Expr, showImplicit bool) {
	for i, e := range es {
		if i > 0 {
			p.str(", ")
		}
		p.expr(e, showImplicit)
	}
}

func (p *printer) call(name string, args []query.Expr, showImplicit bool) {
	p.str(name + "(")
	p.list(args, showImplicit)
	p.str(")")
}

func (p *printer) infix(e, left query.Expr, op string, right query.Expr) {
	p.open()
	p.operand(left, true, e)
	p.str(op)
	p.operand(right, true, e)
	p.close()
}

func (p *printer) postfix(e, arg query.Expr, what string) {
	p.open()
	p.operand(arg, true, e)
	p.str(what)
	p.close()
}

func (p *printer) param(e *query.Param) {
	if p.Param != nil && e.Kind != query.ParamExternal {
		p.str(p.Param(e))
		return
	}
	switch e.Kind {
	case query.ParamExternal:
		p.str("$" + strconv.Itoa(e.Number))
	case query.ParamDomainValue:
		p.str("VALUE")
	case query.ParamCaseTest:
		p.str("CASE_TEST_EXPR")
	default:
		p.str("$" + strconv.Itoa(e.Number))
	}
}

func (p *printer) opExpr(e *query.OpExpr) {
	p.open()
	if len(e.Args) == 2 {
		p.operand(e.Args[0], true, e)
		p.str(" " + p.operatorName(e) + " ")
		p.operand(e.Args[1], true, e)
	} else {
		p.str(p.operatorName(e) + " ")
		p.operand(e.Args[0], true, e)
	}
	p.close()
}

func (p *printer) operatorName(e *query.OpExpr) string {
	if e.Name != "" {
		return e.Name
	}
	if op := p.Catalog.Operator(e.Op); op != nil {
		return op.Name
	}
	return "???"
}

func (p *printer) boolExpr(e *query.BoolExpr) {
	p.open()
	if e.Op == query.Not {
		p.str("NOT ")
		p.operand(e.Args[0], false, e)
	} else {
		word := " AND "
		if e.Op == query.Or {
			word = " OR "
		}
		for i, a := range e.Args {
			if i > 0 {
				p.str(word)
			}
			p.operand(a, false, e)
		}
	}
	p.close()
}

// funcExpr writes a call, a cast, or SQL's own syntax for some functions.
func (p *printer) funcExpr(e *query.FuncExpr, showImplicit bool) {
	switch e.Form {
	case query.CoerceImplicitCast:
		if !showImplicit {
			p.operand(e.Args[0], false, e)
			return
		}
		p.cast(e, e.Args[0], e.T)
		return
	case query.CoerceExplicitCast:
		p.cast(e, e.Args[0], e.T)
		return
	case query.CoerceSQLSyntax:
		if p.sqlSyntax(e) {
			return
		}
	}
	p.str(p.functionName(e.Func, e.Name) + "(")
	for i, a := range e.Args {
		if i > 0 {
			p.str(", ")
		}
		if e.Variadic && i == len(e.Args)-1 {
			p.str("VARIADIC ")
		}
		p.expr(a, true)
	}
	p.str(")")
}

// conversion writes a cast node, or its argument alone when it was implicit.
func (p *printer) conversion(e, arg query.Expr, form query.CoercionForm, showImplicit bool) {
	if form == query.CoerceImplicitCast && !showImplicit {
		p.operand(arg, false, e)
		return
	}
	p.cast(e, arg, e.Type())
}

func (p *printer) cast(e, arg query.Expr, t types.T) {
	if c, ok := arg.(*query.Const); ok && c.T.OID == t.OID && c.T.Mod == -1 && c.Value != nil {
		p.constant(c, labelNever)
	} else {
		p.open()
		p.operand(arg, false, e)
		p.close()
	}
	p.str("::" + p.typeName(t))
}

// sqlSyntax writes functions that came from SQL's own syntax; false when e is not one it knows.
func (p *printer) sqlSyntax(e *query.FuncExpr) bool {
	arg := func(i int) { p.expr(e.Args[i], false) }
	n := len(e.Args)
	word := func(i int) string { // a constant naming a field, written bare
		if c, ok := e.Args[i].(*query.Const); ok {
			if s, ok := c.Value.(string); ok {
				return s
			}
		}
		return "???"
	}
	switch {
	case e.Name == "timezone" && n == 2:
		p.str("(")
		p.operand(e.Args[1], false, e)
		p.str(" AT TIME ZONE ")
		p.operand(e.Args[0], false, e)
		p.str(")")
	case e.Name == "extract" && n == 2:
		p.str("EXTRACT(" + word(0) + " FROM ")
		arg(1)
		p.str(")")
	case e.Name == "overlaps" && n == 4:
		p.str("((")
		arg(0)
		p.str(", ")
		arg(1)
		p.str(") OVERLAPS (")
		arg(2)
		p.str(", ")
		arg(3)
		p.str("))")
	case e.Name == "position" && n == 2:
		p.str("POSITION((")
		arg(1)
		p.str(") IN (")
		arg(0)
		p.str("))")
	case e.Name == "substring" && n >= 2:
		p.keywordCall("SUBSTRING", e, " FROM ", " FOR ")
	case e.Name == "overlay" && n >= 3:
		p.keywordCall("OVERLAY", e, " PLACING ", " FROM ", " FOR ")
	case (e.Name == "btrim" || e.Name == "ltrim" || e.Name == "rtrim") && n <= 2:
		p.str("TRIM(" + map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[e.Name])
		if n == 2 {
			p.str(" ")
			arg(1)
		}
		p.str(" FROM ")
		arg(0)
		p.str(")")
	case e.Name == "normalize":
		p.str("NORMALIZE(")
		arg(0)
		if n == 2 {
			p.str(", " + word(1))
		}
		p.str(")")
	case e.Name == "is_normalized":
		p.str("(")
		p.operand(e.Args[0], false, e)
		p.str(" IS")
		if n == 2 {
			p.str(" " + strings.ToUpper(word(1)))
		}
		p.str(" NORMALIZED)")
	case e.Name == "pg_collation_for":
		p.str("COLLATION FOR (")
		arg(0)
		p.str(")")
	default:
		return false
	}
	return true
}

func (p *printer) keywordCall(name string, e *query.FuncExpr, words ...string) {
	p.str(name + "(")
	for i, a := range e.Args {
		if i > 0 {
			p.str(words[i-1])
		}
		p.expr(a, false)
	}
	p.str(")")
}

func (p *printer) sqlValue(e *query.SQLValueFunction) {
	names := [...]string{"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP",
		"CURRENT_ROLE", "CURRENT_USER", "SESSION_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA"}
	p.str(names[e.Kind])
	if e.T.Mod >= 0 && e.Kind >= query.CurrentTime && e.Kind <= query.LocalTimestamp {
		p.str("(" + strconv.Itoa(int(e.T.Mod)) + ")")
	}
}

func (p *printer) caseExpr(e *query.CaseExpr) {
	p.keyword("CASE", 0, indentVar, 0)
	if e.Arg != nil {
		p.str(" ")
		p.expr(e.Arg, true)
	}
	for _, w := range e.Whens {
		if !p.indent {
			p.str(" ")
		}
		p.keyword("WHEN ", 0, 0, 0)
		cond := w.Cond
		if op, ok := cond.(*query.OpExpr); ok && e.Arg != nil && len(op.Args) == 2 && caseTest(op.Args[0]) {
			cond = op.Args[1] // CASE x WHEN v stands as x = v
		}
		p.expr(cond, false)
		p.str(" THEN ")
		p.expr(w.Result, true)
	}
	if !p.indent {
		p.str(" ")
	}
	p.keyword("ELSE ", 0, 0, 0)
	if e.Default != nil {
		p.expr(e.Default, true)
	} else {
		p.str("NULL::" + p.typeName(e.T))
	}
	if !p.indent {
		p.str(" ")
	}
	p.keyword("END", -indentVar, 0, 0)
}

// caseTest reports whether e is the CASE operand, perhaps converted.
func caseTest(e query.Expr) bool {
	switch e := e.(type) {
	case *query.Param:
		return e.Kind == query.ParamCaseTest
	case *query.RelabelType:
		return caseTest(e.Arg)
	case *query.CoerceViaIO:
		return caseTest(e.Arg)
	case *query.FuncExpr:
		return e.Form == query.CoerceImplicitCast && len(e.Args) > 0 && caseTest(e.Args[0])
	}
	return false
}

func (p *printer) subscript(e *query.SubscriptingRef) {
	_, isVar := e.Arg.(*query.Var)
	_, isField := e.Arg.(*query.FieldSelect)
	paren := !isVar && !isField
	if paren {
		p.str("(")
	}
	p.expr(e.Arg, true)
	if paren {
		p.str(")")
	}
	for i, u := range e.Upper {
		p.str("[")
		if e.Lower != nil {
			if e.Lower[i] != nil {
				p.expr(e.Lower[i], false)
			}
			p.str(":")
		}
		if u != nil {
			p.expr(u, false)
		}
		p.str("]")
	}
	if e.Assign != nil {
		p.str(" := ")
		p.expr(e.Assign, true)
	}
}

func (p *printer) fieldSelect(e *query.FieldSelect) {
	_, sub := e.Arg.(*query.SubscriptingRef)
	_, field := e.Arg.(*query.FieldSelect)
	paren := !sub && !field
	if paren {
		p.str("(")
	}
	p.expr(e.Arg, true)
	if paren {
		p.str(")")
	}
	p.str(".")
	p.ident(e.Name)
}

func (p *printer) aggref(e *query.Aggref) {
	p.str(p.functionName(e.Func, e.Name) + "(")
	if len(e.Distinct) > 0 {
		p.str("DISTINCT ")
	}
	ordered := e.Kind == 'o' || e.Kind == 'h'
	switch {
	case ordered:
		p.list(e.DirectArgs, true)
		p.str(") WITHIN GROUP (ORDER BY ")
		p.orderBy(e.OrderBy, e.Args, false)
	case e.Star:
		p.str("*")
	default:
		for i, a := range e.Args[:e.NumArgs] {
			if i > 0 {
				p.str(", ")
			}
			if e.Variadic && i == e.NumArgs-1 {
				p.str("VARIADIC ")
			}
			p.expr(a.Expr, true)
		}
		if len(e.OrderBy) > 0 {
			p.str(" ORDER BY ")
			p.orderBy(e.OrderBy, e.Args, false)
		}
	}
	if e.Filter != nil {
		p.str(") FILTER (WHERE ")
		p.expr(e.Filter, false)
	}
	p.str(")")
}

func (p *printer) windowFunc(e *query.WindowFunc) {
	p.str(p.functionName(e.Func, e.Name) + "(")
	if e.Star {
		p.str("*")
	} else {
		p.list(e.Args, true)
	}
	if e.Filter != nil {
		p.str(") FILTER (WHERE ")
		p.expr(e.Filter, false)
	}
	p.str(") OVER ")
	if len(p.scopes) == 0 {
		p.str("(?)")
		return
	}
	q := p.scopes[len(p.scopes)-1].q
	for _, w := range q.WindowClause {
		if w.Ref == e.WinRef {
			if w.Name != "" {
				p.ident(w.Name)
			} else {
				p.windowSpec(w, q)
			}
			return
		}
	}
	p.str("???")
}

// subLink writes a sub-select with its test.
func (p *printer) subLink(e *query.SubLink) {
	if p.SubPlan != nil {
		if s := p.SubPlan(e); s != "" {
			p.str(s)
			return
		}
	}
	if e.Kind == query.SubLinkArray {
		p.str("ARRAY(")
	} else {
		p.str("(")
	}
	if len(e.Left) == 1 {
		p.operand(e.Left[0], true, e)
	} else if len(e.Left) > 1 {
		p.str("(")
		p.list(e.Left, true)
		p.str(")")
	}
	paren := true
	switch e.Kind {
	case query.SubLinkExists:
		p.str("EXISTS ")
	case query.SubLinkAny:
		if e.OpName == "=" {
			p.str(" IN ")
		} else {
			p.str(" " + e.OpName + " ANY ")
		}
	case query.SubLinkAll:
		p.str(" " + e.OpName + " ALL ")
	case query.SubLinkRowCompare:
		p.str(" " + e.OpName + " ")
	default:
		paren = false
	}
	if paren {
		p.str("(")
	}
	p.query(e.Query, nil)
	if paren {
		p.str("))")
	} else {
		p.str(")")
	}
}
