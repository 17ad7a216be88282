package analyze

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// funcArgsMax is FUNC_MAX_ARGS.
const funcArgsMax = 100

// namedArg is an argument in named notation, on its way into a call.
type namedArg struct {
	query.Expr
	name string
	loc  int
}

// funcCall analyses a call in the FuncCall form.
func (ps *pstate) funcCall(fn *pg_query.FuncCall) query.Expr {
	last := ps.lastSRF
	var args []query.Expr
	for _, n := range fn.Args {
		if na := n.GetNamedArgExpr(); na != nil {
			args = append(args, &namedArg{Expr: ps.exprRec(na.Arg), name: na.Name, loc: int(na.Location)})
			continue
		}
		args = append(args, ps.exprRec(n))
	}
	if fn.AggWithinGroup {
		for _, s := range fn.AggOrder {
			e := ps.exprKind(s.GetSortBy().GetNode(), kindOrderBy)
			args = append(args, e)
		}
	}
	return ps.parseFunc(fn.Funcname, args, last, fn, false, int(fn.Location))
}

// exprKind transforms with another kind.
func (ps *pstate) exprKind(n *pg_query.Node, k exprKind) query.Expr {
	var e query.Expr
	ps.withKind(k, func() { e = ps.exprRec(n) })
	return e
}

// funcSignature prints name(type, …) for messages.
func (a *analyzer) funcSignature(name string, argNames []string, argTypes []types.OID) string {
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte('(')
	pos := len(argTypes) - len(argNames)
	for i, t := range argTypes {
		if i > 0 {
			b.WriteString(", ")
		}
		if i >= pos {
			b.WriteString(argNames[i-pos])
			b.WriteString(" => ")
		}
		b.WriteString(a.format(t))
	}
	b.WriteByte(')')
	return b.String()
}

// funcSchema resolves a qualified function name; schema 0 means the search path,
// ok false that a named schema does not exist.
func (a *analyzer) funcSchema(names []*pg_query.Node, loc int) (schema types.OID, name string) {
	name = names[len(names)-1].GetString_().GetSval()
	if len(names) == 1 {
		return 0, name
	}
	if len(names) > 3 {
		a.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", nameList(names))
	}
	if len(names) == 3 {
		if db := names[0].GetString_().GetSval(); db != a.cat.DatabaseName() {
			a.failAt(loc, pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", nameList(names))
		}
	}
	s := names[len(names)-2].GetString_().GetSval()
	ns := a.namespace(s, loc)
	if ns == nil {
		a.failAt(loc, pgerror.InvalidSchemaName, "schema \"%s\" does not exist", s)
	}
	return ns.OID, name
}

// parseFunc resolves a call or, with fn nil, a column written as f(x) or x.f (nil when it is neither).
func (ps *pstate) parseFunc(names []*pg_query.Node, fargs []query.Expr, lastSRF query.Expr, fn *pg_query.FuncCall, isCall bool, loc int) query.Expr {
	isColumn := fn == nil
	if fn == nil {
		fn = &pg_query.FuncCall{}
	}
	over := fn.Over
	if len(fargs) > funcArgsMax {
		ps.failAt(loc, pgerror.TooManyArguments, "cannot pass more than %d arguments to a function", funcArgsMax)
	}
	var argNames []string
	var actual []types.OID
	args := make([]query.Expr, len(fargs))
	for i, f := range fargs {
		if na, ok := f.(*namedArg); ok {
			for _, n := range argNames {
				if n == na.name {
					ps.failAt(na.loc, pgerror.SyntaxError, "argument name \"%s\" used more than once", n)
				}
			}
			argNames = append(argNames, na.name)
			f = na.Expr
		} else if len(argNames) > 0 {
			ps.failAt(exprLoc(f), pgerror.SyntaxError, "positional argument cannot follow named argument")
		}
		args[i] = f
		actual = append(actual, typeOf(f))
	}
	projection := len(args) == 1 && !isCall && len(fn.AggOrder) == 0 && fn.AggFilter == nil && !fn.AggStar && !fn.AggDistinct &&
		over == nil && !fn.FuncVariadic && len(argNames) == 0 && len(names) == 1 && ps.isRowType(actual[0])
	if projection && isColumn {
		if e := ps.projectField(args[0], names[0].GetString_().GetSval(), loc); e != nil {
			return e
		}
	}
	var filter query.Expr
	if fn.AggFilter != nil {
		filter = ps.whereClause(fn.AggFilter, kindFilter, "FILTER")
	}
	schema, name := ps.funcSchema(names, loc)
	shown := nameList(names)
	d := ps.funcDetail(schema, name, args, argNames, actual, !fn.FuncVariadic, true)
	if d.kind == 0 {
		if isColumn {
			return nil
		}
		sig := ps.funcSignature(shown, argNames, actual)
		if d.ambiguous {
			fail(ps.errAt(loc, pgerror.AmbiguousFunction, "function %s is not unique", sig).
				WithHint("Could not choose a best candidate function. You might need to add explicit type casts."))
		}
		if projection {
			if e := ps.projectField(args[0], name, loc); e != nil {
				return e
			}
		}
		if len(fn.AggOrder) > 1 && !fn.AggWithinGroup {
			fail(ps.errAt(loc, pgerror.UndefinedFunction, "function %s does not exist", sig).
				WithHint("No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate."))
		}
		fail(ps.errAt(loc, pgerror.UndefinedFunction, "function %s does not exist", sig).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."))
	}
	if d.kind == 'p' {
		fail(ps.errAt(loc, pgerror.WrongObjectType, "%s is a procedure", ps.funcSignature(shown, argNames, actual)).WithHint("To call a procedure, use CALL."))
	}
	wrong := func(format string, a ...any) { ps.failAt(loc, pgerror.WrongObjectType, format, a...) }
	if d.kind == 'f' || d.kind == 'T' {
		switch {
		case fn.AggStar:
			wrong("%s(*) specified, but %s is not an aggregate function", shown, shown)
		case fn.AggDistinct:
			wrong("DISTINCT specified, but %s is not an aggregate function", shown)
		case fn.AggWithinGroup:
			wrong("WITHIN GROUP specified, but %s is not an aggregate function", shown)
		case len(fn.AggOrder) > 0:
			wrong("ORDER BY specified, but %s is not an aggregate function", shown)
		case filter != nil:
			wrong("FILTER specified, but %s is not an aggregate function", shown)
		case over != nil:
			wrong("OVER specified, but %s is not a window function nor an aggregate function", shown)
		}
	}
	if d.kind == 'T' {
		return ps.coerceType(args[0], d.target, -1, ctxExplicit, query.CoerceExplicitCall, loc)
	}
	c := d.cand
	f := c.fn
	var agg *catalog.Aggregate
	switch d.kind {
	case 'a':
		agg = ps.cat.Aggregate(f.OID)
		if agg == nil {
			fail(pgerror.Internal("aggregate %s has no pg_aggregate row", f.Name))
		}
		ps.checkWithinGroup(agg, f, c, fn, args, argNames, actual, shown, loc)
	case 'w':
		if over == nil {
			wrong("window function %s requires an OVER clause", shown)
		}
		if fn.AggWithinGroup {
			wrong("window function %s cannot have WITHIN GROUP", shown)
		}
	}
	declared := append([]types.OID(nil), c.args...)
	if len(c.order) > 0 {
		args, actual, declared = ps.orderNamed(c, args, actual)
	} else if c.defaults > 0 {
		for i := len(args); i < len(f.ArgTypes); i++ {
			e := ps.defaultArg(f, i)
			args, actual = append(args, e), append(actual, typeOf(e))
		}
	}
	if agg != nil && agg.Kind == 'h' {
		ps.unifyHypothetical(args, actual, declared, len(fn.AggOrder), loc)
	}
	res := ps.enforceGenerics(actual, declared, f.Returns)
	ps.coerceArgs(args, actual, declared)
	variadic := fn.FuncVariadic
	if !variadic && c.variadic > 0 && f.Variadic != types.Any {
		k := len(args) - c.variadic
		elems := append([]query.Expr(nil), args[k:]...)
		elem := typeOf(elems[0])
		arr := ps.cat.ArrayTypeOf(elem)
		if arr == 0 {
			ps.failAt(exprsLoc(elems), pgerror.UndefinedObject, "could not find array type for data type %s", ps.format(elem))
		}
		args = append(args[:k:k], &query.ArrayExpr{Base: ps.base(arr, -1, exprsLoc(elems)), Elems: elems, ElemType: ps.tOf(elem, -1)})
		variadic = true
	}
	if f.Variadic == types.Any && variadic {
		last := args[len(args)-1]
		if ps.elementOf(ps.baseType(typeOf(last))) == 0 {
			ps.failAt(exprLoc(last), pgerror.DatatypeMismatch, "VARIADIC argument must be an array")
		}
	}
	if f.ReturnsSet {
		ps.checkSRFPlacement(lastSRF, loc)
	}
	switch {
	case d.kind == 'f':
		form := query.CoerceExplicitCall
		if fn.Funcformat == pg_query.CoercionForm_COERCE_SQL_SYNTAX {
			form = query.CoerceSQLSyntax
		}
		e := &query.FuncExpr{Base: ps.base(res, -1, loc), Func: f.OID, Name: f.Name, Args: args, Variadic: variadic, RetSet: f.ReturnsSet, Form: form}
		if f.ReturnsSet {
			ps.lastSRF = e
		}
		return e
	case d.kind == 'a' && over == nil:
		if len(args) == 0 && !fn.AggStar && !fn.AggWithinGroup {
			wrong("%s(*) must be used to call a parameterless aggregate function", shown)
		}
		if len(argNames) > 0 {
			ps.failAt(loc, pgerror.FeatureNotSupported, "aggregates cannot use named arguments")
		}
		e := &query.Aggref{Base: ps.base(res, -1, loc), Func: f.OID, Name: f.Name, Filter: filter, Star: fn.AggStar, Variadic: variadic, Kind: agg.Kind}
		ps.aggregateCall(e, args, actual, fn)
		return e
	}
	if fn.AggDistinct {
		ps.failAt(loc, pgerror.FeatureNotSupported, "DISTINCT is not implemented for window functions")
	}
	if d.kind == 'a' && len(args) == 0 && !fn.AggStar {
		wrong("%s(*) must be used to call a parameterless aggregate function", shown)
	}
	if len(fn.AggOrder) > 0 {
		ps.failAt(loc, pgerror.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions")
	}
	if d.kind != 'a' && filter != nil {
		ps.failAt(loc, pgerror.FeatureNotSupported, "FILTER is not implemented for non-aggregate window functions")
	}
	if ps.lastSRF != lastSRF {
		fail(ps.errAt(exprLoc(ps.lastSRF), pgerror.FeatureNotSupported, "window function calls cannot contain set-returning function calls").
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item."))
	}
	w := &query.WindowFunc{Base: ps.base(res, -1, loc), Func: f.OID, Name: f.Name, Args: args, Filter: filter, Star: fn.AggStar, IsAgg: d.kind == 'a'}
	ps.windowCall(w, over)
	return w
}

// funcDetail is the outcome of resolution: kind 'f', 'a', 'w', 'p' with a
// candidate, 'T' a conversion to target, 0 nothing (ambiguous: too many).
type funcDetail struct {
	kind      byte
	cand      *candidate
	target    types.OID
	ambiguous bool
}

func (ps *pstate) funcDetail(schema types.OID, name string, args []query.Expr, argNames []string, actual []types.OID, expandVariadic, expandDefaults bool) funcDetail {
	cands := ps.functionCandidates(schema, name, len(actual), argNames, expandVariadic, expandDefaults)
	var best *candidate
	for _, c := range cands {
		exact := true
		for i, t := range actual {
			if c.args[i] != t {
				exact = false
				break
			}
		}
		if exact {
			best = c
			break
		}
	}
	if best == nil {
		if len(actual) == 1 && len(args) == 1 && len(argNames) == 0 {
			if t := ps.funcNameAsType(schema, name); t != 0 {
				src := actual[0]
				ok := src == types.Unknown
				if !ok {
					switch k, _ := ps.coercionPath(t, src, ctxExplicit); k {
					case pathRelabel:
						ok = true
					case pathIO:
						ok = !(ps.isRowType(src) && ps.category(t) == 'S')
					}
				}
				if ok {
					return funcDetail{kind: 'T', target: t}
				}
			}
		}
		m := ps.matchArgs(actual, cands)
		switch len(m) {
		case 0:
			return funcDetail{}
		case 1:
			best = m[0]
		default:
			if best = ps.selectCandidate(actual, m); best == nil {
				return funcDetail{ambiguous: true}
			}
		}
	}
	return funcDetail{kind: best.fn.Kind, cand: best}
}

// funcNameAsType gives the type of a name used as a function, 0 for none.
func (a *analyzer) funcNameAsType(schema types.OID, name string) types.OID {
	var t *catalog.Type
	if schema != 0 {
		x, err := a.cat.TypeByName(a.ctx, schema, name)
		check(err)
		t = x
	} else {
		t = a.findType(name)
	}
	if t == nil || t.TypType == 'c' && t.Relation != 0 {
		return 0
	}
	return t.OID
}

// orderNamed puts the arguments of named notation into the function's order and adds defaults.
func (ps *pstate) orderNamed(c *candidate, args []query.Expr, actual []types.OID) ([]query.Expr, []types.OID, []types.OID) {
	n := len(c.fn.ArgTypes)
	out, at := make([]query.Expr, n), make([]types.OID, n)
	for i, k := range c.order {
		if i < len(args) {
			out[k], at[k] = args[i], actual[i]
		}
	}
	for k := range out {
		if out[k] == nil {
			out[k] = ps.defaultArg(c.fn, k)
			at[k] = typeOf(out[k])
		}
	}
	return out, at, append([]types.OID(nil), c.fn.ArgTypes...)
}

// defaultArg analyses the default of argument i (0-based) of a function.
func (ps *pstate) defaultArg(f *catalog.Function, i int) query.Expr {
	text := f.Defaults[i-(len(f.ArgTypes)-len(f.Defaults))]
	src := "select " + text
	res, err := pg_query.Parse(src)
	if err != nil {
		fail(pgerror.Internal("default %q of %s: %v", text, f.Name, err))
	}
	a := newAnalyzer(ps.ctx, ps.env, src, nil)
	sub := newPState(a, nil)
	e := sub.expr(res.Stmts[0].Stmt.GetSelectStmt().TargetList[0].GetResTarget().Val, kindOther)
	query.Walk(e, func(x query.Expr) bool { x.Node().Loc = -1; return true })
	return e
}

// srfPhrase is where set-returning functions are refused with words of their own.
var srfPhrase = map[exprKind]string{
	kindJoinOn: "JOIN conditions", kindJoinUsing: "JOIN conditions",
	kindWindowFrameRange: "window definitions", kindWindowFrameRows: "window definitions", kindWindowFrameGroups: "window definitions",
	kindMergeWhen: "MERGE WHEN conditions", kindCheck: "check constraints", kindDefault: "DEFAULT expressions",
	kindIndexExpr: "index expressions", kindIndexPredicate: "index predicates", kindAlterTransform: "transform expressions",
	kindExecuteParam: "EXECUTE parameters", kindGenerated: "column generation expressions", kindCallArgument: "CALL arguments",
}

// checkSRFPlacement refuses set-returning functions where they cannot be.
func (ps *pstate) checkSRFPlacement(lastSRF query.Expr, loc int) {
	switch ps.kind {
	case kindNone, kindOther, kindFromSubselect:
		if ps.kind != kindFromSubselect {
			return
		}
	case kindFromFunction:
		if ps.lastSRF != lastSRF {
			ps.failAt(exprLoc(ps.lastSRF), pgerror.FeatureNotSupported, "set-returning functions must appear at top level of FROM")
		}
		return
	case kindWindowPartition, kindWindowOrder, kindSelectTarget, kindInsertTarget, kindGroupBy, kindOrderBy, kindDistinctOn, kindValuesSingle:
		ps.q.HasTargetSRFs = true
		return
	}
	p, ok := srfPhrase[ps.kind]
	if !ok {
		p = kindNames[ps.kind]
	}
	ps.failAt(loc, pgerror.FeatureNotSupported, "set-returning functions are not allowed in %s", p)
}

// projectField reads a column written as a function of a row: f(x) or x.f; nil when the row has none.
func (ps *pstate) projectField(arg query.Expr, name string, loc int) query.Expr {
	if v, ok := arg.(*query.Var); ok && v.AttNum == 0 {
		r := ps.rte(v.RTIndex, v.LevelsUp)
		for i, c := range r.ERefColumns {
			if c == name && c != "" {
				p := ps
				for l := v.LevelsUp; l > 0; l-- {
					p = p.parent
				}
				return &query.Var{Base: query.Base{T: r.ColTypes[i], Coll: r.ColCollations[i], Loc: loc}, RTIndex: v.RTIndex, AttNum: i + 1, LevelsUp: v.LevelsUp}
			}
		}
		if r.Kind == query.RTERelation {
			return nil
		}
	}
	names, fields := ps.rowFields(arg)
	for i, n := range names {
		if n == name && n != "" {
			return &query.FieldSelect{Base: ps.baseT(fields[i], loc), Arg: arg, Field: i + 1, Name: n}
		}
	}
	return nil
}

// rowFields gives the columns of a row-valued expression; nil when they are not known.
func (ps *pstate) rowFields(e query.Expr) ([]string, []types.T) {
	t := ps.baseType(typeOf(e))
	if t != types.RecordOID {
		n, f, _ := ps.cat.Composite(t)
		return n, f
	}
	switch n := e.(type) {
	case *query.RowExpr:
		var names []string
		var ts []types.T
		for i, f := range n.Fields {
			names, ts = append(names, rowFieldName(i)), append(ts, f.Type())
		}
		return names, ts
	case *query.Var:
		p := ps
		for l := n.LevelsUp; l > 0; l-- {
			p = p.parent
		}
		r := p.q.RTable[n.RTIndex-1]
		if n.AttNum == 0 {
			return r.ERefColumns, r.ColTypes
		}
		switch r.Kind {
		case query.RTESubquery:
			te := visibleTarget(r.Subquery, n.AttNum)
			if te != nil {
				sub := newPState(ps.analyzer, p)
				sub.q = r.Subquery
				return sub.rowFields(te.Expr)
			}
		case query.RTECTE:
			if c, up := p.findCTE(r.CTEName); c != nil && c.done {
				te := visibleTarget(c.cte.Query, n.AttNum)
				if te != nil {
					q := p
					for ; up > 0; up-- {
						q = q.parent
					}
					sub := newPState(ps.analyzer, q)
					sub.q = c.cte.Query
					return sub.rowFields(te.Expr)
				}
			}
		case query.RTEJoin:
			return p.rowFields(r.JoinAlias[n.AttNum-1])
		}
	case *query.FuncExpr:
		f := ps.cat.Function(n.Func)
		if f != nil && f.ArgModes != "" {
			return ps.outColumns(f, n)
		}
	case *query.SubLink:
		if n.Kind == query.SubLinkExpr {
			sub := newPState(ps.analyzer, ps)
			sub.q = n.Query
			return sub.rowFields(n.Query.TargetList[0].Expr)
		}
	}
	return nil, nil
}

// visibleTarget is the n-th output column (1-based).
func visibleTarget(q *query.Query, n int) *query.TargetEntry {
	if q == nil {
		return nil
	}
	ts := q.TargetList
	if q.Command != query.CmdSelect {
		ts = q.Returning
	}
	for _, t := range ts {
		if t.ResNo == n && !t.Junk {
			return t
		}
	}
	return nil
}
