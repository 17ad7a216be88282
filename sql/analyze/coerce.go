package analyze

import (
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// coercionContext orders how willingly a conversion is made.
type coercionContext uint8

const (
	ctxImplicit coercionContext = iota
	ctxAssignment
	ctxExplicit
)

// pathKind is the way from one type to another.
type pathKind uint8

const (
	pathNone pathKind = iota
	pathFunc
	pathRelabel
	pathArray
	pathIO
)

// coercionPath finds how source becomes target.
func (a *analyzer) coercionPath(target, source types.OID, cc coercionContext) (pathKind, types.OID) {
	source, target = a.baseType(source), a.baseType(target)
	if source == target {
		return pathRelabel, 0
	}
	if c := a.cat.Cast(source, target); c != nil {
		need := ctxExplicit
		switch c.Context {
		case 'i':
			need = ctxImplicit
		case 'a':
			need = ctxAssignment
		}
		if cc < need {
			return pathNone, 0
		}
		switch c.Method {
		case 'f':
			return pathFunc, c.Func
		case 'i':
			return pathIO, 0
		}
		return pathRelabel, 0
	}
	if target != types.OidVector && target != types.Int2Vector {
		if te := a.elementOf(target); te != 0 {
			if se := a.elementOf(source); se != 0 {
				if k, _ := a.coercionPath(te, se, cc); k != pathNone {
					return pathArray, 0
				}
			}
		}
	}
	if cc >= ctxAssignment && a.category(target) == 'S' {
		return pathIO, 0
	}
	if cc >= ctxExplicit && a.category(source) == 'S' {
		return pathIO, 0
	}
	return pathNone, 0
}

// canCoerce reports whether expressions of the input types can become the targets.
func (a *analyzer) canCoerce(inputs, targets []types.OID, cc coercionContext) bool {
	generic := false
	for i, in := range inputs {
		t := targets[i]
		switch {
		case in == t, t == types.Any:
			continue
		case isPolymorphic(t):
			generic = true
			continue
		case in == types.Unknown:
			continue
		}
		if k, _ := a.coercionPath(t, in, cc); k != pathNone {
			continue
		}
		if in == types.RecordOID && a.isComposite(t) || t == types.RecordOID && a.isComposite(in) {
			continue
		}
		if t == types.RecordArray && a.elementOf(in) != 0 && a.isComposite(a.elementOf(in)) {
			continue
		}
		return false
	}
	return !generic || a.genericsConsistent(inputs, targets)
}

func (a *analyzer) canCoerce1(in, target types.OID, cc coercionContext) bool {
	if in == target {
		return true
	}
	return a.canCoerce([]types.OID{in}, []types.OID{target}, cc)
}

// coerceToTarget converts e to t with its modifier, nil when there is no way.
func (a *analyzer) coerceToTarget(ps *pstate, e query.Expr, t types.T, cc coercionContext, form query.CoercionForm, loc int) query.Expr {
	if !a.canCoerce1(typeOf(e), t.OID, cc) {
		return nil
	}
	orig := e
	for {
		c, ok := e.(*query.CollateExpr)
		if !ok {
			break
		}
		e = c.Arg
	}
	stripped := e
	out := a.coerceType(e, t.OID, t.Mod, cc, form, loc)
	_, isConst := out.(*query.Const)
	out = a.coerceTypmod(out, t, cc, form, loc, out != stripped && !isConst)
	if orig != stripped && a.typeCollation(t.OID) != 0 {
		c := *orig.(*query.CollateExpr)
		c.Arg = out
		c.T = out.Type()
		return &c
	}
	return out
}

// coerceType converts e to a type without regard to its modifier (which only
// interval's input takes). The way must exist.
func (a *analyzer) coerceType(e query.Expr, target types.OID, mod int32, cc coercionContext, form query.CoercionForm, loc int) query.Expr {
	in := typeOf(e)
	if in == target {
		return e
	}
	switch target {
	case types.Any, types.AnyElement, types.AnyNonArray, types.AnyCompatible, types.AnyCompatibleNonArray:
		return e
	case types.AnyArray, types.AnyEnum, types.AnyRange, types.AnyMultirange, types.AnyCompatibleArray, types.AnyCompatibleRange, types.AnyCompatibleMultirange:
		if in != types.Unknown {
			if b := a.baseType(in); b != in {
				return &query.RelabelType{Base: a.base(b, -1, loc), Arg: e, Form: form}
			}
			return e
		}
	}
	if in == types.Unknown {
		switch n := e.(type) {
		case *query.Const:
			return a.coerceLiteral(n, target, mod, form, loc)
		case *query.Param:
			if n.Kind == query.ParamExternal && n.T.OID == types.Unknown {
				p := a.coerceParam(n, a.baseType(target))
				if bt := a.baseType(target); bt != target {
					return a.coerceType(p, target, mod, cc, form, loc)
				}
				if loc >= 0 && (p.Pos() < 0 || loc < p.Pos()) {
					p.Node().Loc = loc
				}
				return p
			}
		}
	}
	if c, ok := e.(*query.CollateExpr); ok {
		arg := a.coerceType(c.Arg, target, mod, cc, form, loc)
		if a.typeCollation(target) != 0 {
			n := *c
			n.Arg, n.T = arg, arg.Type()
			return &n
		}
		return arg
	}
	switch k, fn := a.coercionPath(target, in, cc); k {
	case pathNone:
	case pathRelabel:
		r := &query.RelabelType{Base: a.base(target, -1, loc), Arg: e, Form: form}
		return r
	default:
		return a.buildCoercion(e, k, fn, a.tOf(target, mod), cc, form, loc)
	}
	if in == types.RecordOID && a.isComposite(target) {
		return a.recordToComposite(e, target, cc, form, loc)
	}
	if target == types.RecordOID && a.isComposite(in) || target == types.RecordArray {
		return e
	}
	if in == types.Unknown {
		// an unknown expression that is no literal (a sub-select's column): through text
		return &query.CoerceViaIO{Base: a.base(target, -1, loc), Arg: e, Form: form}
	}
	fail(pgerror.Internal("failed to find conversion function from %s to %s", a.format(in), a.format(target)))
	return nil
}

// coerceLiteral runs the input function of the target over an unknown literal.
func (a *analyzer) coerceLiteral(c *query.Const, target types.OID, mod int32, form query.CoercionForm, loc int) query.Expr {
	base := a.baseType(target)
	inMod := int32(-1)
	if base == types.IntervalOID {
		inMod = mod
	}
	t := a.tOf(base, inMod)
	out := &query.Const{Base: a.baseT(t, c.Loc)}
	if c.Value != nil {
		s := c.Value.(string)
		v, err := types.In(a.env.Types, t, s)
		if err != nil {
			fail(pgerror.From(err).WithPosition(a.at(c.Loc)))
		}
		out.Value = v
		if literalDepends(base, s) {
			a.constEnv = true
			a.momentary = a.momentary || byClock(s)
		}
	}
	if base != target {
		return &query.RelabelType{Base: a.base(target, -1, loc), Arg: out, Form: form}
	}
	return out
}

// byClock reports whether a date or time literal may name a moment by the clock;
// texts that only look so are harmless.
func byClock(s string) bool {
	s = strings.ToLower(s)
	for _, w := range []string{"now", "today", "tomorrow", "yesterday"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// literalDepends reports whether reading s as typ looks at the clock or a setting.
func literalDepends(typ types.OID, s string) bool {
	switch typ {
	case types.DateOID, types.TimestampOID, types.TimeOID, types.DateArray, types.TimestampArray:
		s = strings.TrimSpace(s)
		if len(s) < 8 || typ == types.DateArray || typ == types.TimestampArray {
			return typ != types.TimeOID
		}
		if typ == types.TimeOID {
			return strings.ContainsAny(s, "nN")
		}
		return !(len(s) >= 10 && s[4] == '-' && s[7] == '-' && strings.IndexFunc(s, func(r rune) bool {
			return !(r >= '0' && r <= '9' || r == '-' || r == ':' || r == ' ' || r == '.' || r == '+')
		}) < 0)
	case types.TimestampTZOID, types.TimeTZOID, types.TimestampTZArray, types.TimeTZArray, types.IntervalOID,
		types.RegClass, types.RegType, types.RegProc, types.RegProcedure, types.RegOper, types.RegOperator,
		types.RegNamespace, types.RegRole, types.RegCollation, types.RegConfig, types.RegDictionary:
		return true
	}
	return false
}

// coerceTypmod applies the modifier of t to e, which is of t's type.
func (a *analyzer) coerceTypmod(e query.Expr, t types.T, cc coercionContext, form query.CoercionForm, loc int, hide bool) query.Expr {
	if t.Mod == e.Type().Mod {
		return e
	}
	if hide {
		e = hideCoercion(e)
	}
	if t.Mod >= 0 {
		elem, isArray := t.OID, false
		if x := a.elementOf(t.OID); x != 0 {
			elem, isArray = x, true
		}
		if c := a.cat.Cast(elem, elem); c != nil && c.Func != 0 {
			if isArray {
				return a.buildCoercion(e, pathArray, 0, t, cc, form, loc)
			}
			return a.buildCoercion(e, pathFunc, c.Func, t, cc, form, loc)
		}
	}
	return &query.RelabelType{Base: query.Base{T: a.tOf(t.OID, t.Mod), Coll: e.Collation(), Loc: loc}, Arg: e, Form: form}
}

// hideCoercion marks a conversion as implicit, because a second one on top shows the type.
func hideCoercion(e query.Expr) query.Expr {
	switch n := e.(type) {
	case *query.FuncExpr:
		c := *n
		c.Form = query.CoerceImplicitCast
		return &c
	case *query.RelabelType:
		c := *n
		c.Form = query.CoerceImplicitCast
		return &c
	case *query.CoerceViaIO:
		c := *n
		c.Form = query.CoerceImplicitCast
		return &c
	case *query.ArrayCoerceExpr:
		c := *n
		c.Form = query.CoerceImplicitCast
		return &c
	case *query.ConvertRowtypeExpr:
		c := *n
		c.Form = query.CoerceImplicitCast
		return &c
	}
	return e
}

func (a *analyzer) buildCoercion(e query.Expr, k pathKind, fn types.OID, t types.T, cc coercionContext, form query.CoercionForm, loc int) query.Expr {
	switch k {
	case pathFunc:
		f := a.cat.Function(fn)
		args := []query.Expr{e}
		mod := int32(-1)
		if len(f.ArgTypes) >= 2 {
			args = append(args, &query.Const{Base: query.Base{T: types.Of(types.Int4), Loc: -1}, Value: t.Mod})
			mod = t.Mod
		}
		if len(f.ArgTypes) == 3 {
			args = append(args, &query.Const{Base: query.Base{T: types.Of(types.Bool), Loc: -1}, Value: cc == ctxExplicit})
		}
		if f.ArgTypes[0] != typeOf(e) && a.canCoerce1(typeOf(e), f.ArgTypes[0], ctxImplicit) {
			args[0] = a.coerceType(e, f.ArgTypes[0], -1, ctxImplicit, query.CoerceImplicitCast, -1)
		}
		return &query.FuncExpr{Base: a.base(t.OID, mod, loc), Func: fn, Name: f.Name, Args: args, Form: form}
	case pathArray:
		src := e.Type()
		se, te := a.elementOf(a.baseType(src.OID)), a.elementOf(a.baseType(t.OID))
		test := &query.Param{Base: a.base(se, src.Mod, -1), Kind: query.ParamCaseTest}
		el := a.coerceToTarget(nil, test, a.tOf(te, t.Mod), cc, form, loc)
		return &query.ArrayCoerceExpr{Base: a.base(t.OID, el.Type().Mod, loc), Arg: e, Elem: el, Form: form}
	}
	return &query.CoerceViaIO{Base: a.base(t.OID, -1, loc), Arg: e, Form: form}
}

// recordToComposite converts ROW(…) or a whole-row reference to a named row type, field by field.
func (a *analyzer) recordToComposite(e query.Expr, target types.OID, cc coercionContext, form query.CoercionForm, loc int) query.Expr {
	r, ok := e.(*query.RowExpr)
	if !ok {
		fail(a.errAt(loc, pgerror.CannotCoerce, "cannot cast type %s to %s", a.format(types.RecordOID), a.format(target)))
	}
	names, fields, ok := a.cat.Composite(a.baseType(target))
	if !ok {
		fail(pgerror.Internal("type %s has no columns", a.format(target)))
	}
	if len(r.Fields) < len(fields) {
		fail(a.errAt(loc, pgerror.CannotCoerce, "cannot cast type %s to %s", a.format(types.RecordOID), a.format(target)).
			WithDetail("Input has too few columns."))
	}
	if len(r.Fields) > len(fields) {
		fail(a.errAt(loc, pgerror.CannotCoerce, "cannot cast type %s to %s", a.format(types.RecordOID), a.format(target)).
			WithDetail("Input has too many columns."))
	}
	out := &query.RowExpr{Base: a.base(target, -1, r.Loc), Names: names, Implicit: r.Implicit}
	for i, f := range fields {
		x := a.coerceToTarget(nil, r.Fields[i], f, cc, query.CoerceImplicitCast, -1)
		if x == nil {
			fail(a.errAt(loc, pgerror.CannotCoerce, "cannot cast type %s to %s", a.format(types.RecordOID), a.format(target)).
				WithDetail("Cannot cast type %s to %s in column %d.", a.format(typeOf(r.Fields[i])), a.format(f.OID), i+1))
		}
		out.Fields = append(out.Fields, x)
	}
	return out
}

// coerceBoolean makes e boolean or complains in the construct's name.
func (a *analyzer) coerceBoolean(e query.Expr, construct string) query.Expr {
	if t := typeOf(e); t != types.Bool {
		out := a.coerceToTarget(nil, e, types.Of(types.Bool), ctxAssignment, query.CoerceImplicitCast, -1)
		if out == nil {
			a.failAt(exprLoc(e), pgerror.DatatypeMismatch, "argument of %s must be type %s, not type %s", construct, "boolean", a.format(t))
		}
		e = out
	}
	if a.returnsSet(e) {
		a.failAt(exprLoc(e), pgerror.DatatypeMismatch, "argument of %s must not return a set", construct)
	}
	return e
}

// coerceToSpecific makes e of a type by assignment or complains in the construct's name.
func (a *analyzer) coerceToSpecific(e query.Expr, target types.T, construct string) query.Expr {
	if t := typeOf(e); t != target.OID {
		out := a.coerceToTarget(nil, e, target, ctxAssignment, query.CoerceImplicitCast, -1)
		if out == nil {
			a.failAt(exprLoc(e), pgerror.DatatypeMismatch, "argument of %s must be type %s, not type %s", construct, a.formatT(target), a.format(t))
		}
		e = out
	}
	if a.returnsSet(e) {
		a.failAt(exprLoc(e), pgerror.DatatypeMismatch, "argument of %s must not return a set", construct)
	}
	return e
}

// returnsSet reports whether a set-returning function is called anywhere in e.
func (a *analyzer) returnsSet(e query.Expr) bool {
	found := false
	query.Walk(e, func(x query.Expr) bool {
		switch n := x.(type) {
		case *query.FuncExpr:
			found = found || n.RetSet
		case *query.OpExpr:
			found = found || n.RetSet
		}
		return !found
	})
	return found
}

// commonType is the type several expressions of one construct agree on. With an
// empty construct it gives 0 instead of an error. which is the expression that decided.
func (a *analyzer) commonType(es []query.Expr, construct string) types.OID {
	p := typeOf(es[0])
	if p != types.Unknown {
		same := true
		for _, e := range es[1:] {
			same = same && typeOf(e) == p
		}
		if same {
			return p
		}
	}
	p = a.baseType(p)
	for _, e := range es[1:] {
		n := a.baseType(typeOf(e))
		if n == types.Unknown || n == p {
			continue
		}
		switch {
		case p == types.Unknown:
			p = n
		case a.category(n) != a.category(p):
			if construct == "" {
				return 0
			}
			a.failAt(exprLoc(e), pgerror.DatatypeMismatch, "%s types %s and %s cannot be matched", construct, a.format(p), a.format(n))
		case !a.preferred(p) && a.canCoerce1(p, n, ctxImplicit) && !a.canCoerce1(n, p, ctxImplicit):
			p = n
		}
	}
	if p == types.Unknown {
		p = types.Text
	}
	return p
}

// verifyCommon reports whether all expressions can implicitly become t.
func (a *analyzer) verifyCommon(t types.OID, es []query.Expr) bool {
	for _, e := range es {
		if !a.canCoerce1(typeOf(e), t, ctxImplicit) {
			return false
		}
	}
	return true
}

// coerceCommon converts e to a construct's common type.
func (a *analyzer) coerceCommon(e query.Expr, t types.OID, construct string) query.Expr {
	in := typeOf(e)
	if in == t {
		return e
	}
	if !a.canCoerce1(in, t, ctxImplicit) {
		a.failAt(exprLoc(e), pgerror.CannotCoerce, "%s could not convert type %s to %s", construct, a.format(in), a.format(t))
	}
	return a.coerceType(e, t, -1, ctxImplicit, query.CoerceImplicitCast, -1)
}

// commonMod is the modifier expressions of type t share, −1 when they differ.
func commonMod(es []query.Expr, t types.OID) int32 {
	mod := int32(-1)
	for i, e := range es {
		et := e.Type()
		if et.OID != t {
			return -1
		}
		if i == 0 {
			mod = et.Mod
		} else if et.Mod != mod {
			return -1
		}
	}
	return mod
}

var _ = catalog.DefaultCollation
