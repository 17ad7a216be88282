package analyze

import (
	"slices"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// opName splits a possibly qualified operator name: schema OID (0: search path) and name.
func (a *analyzer) opName(names []*pg_query.Node, loc int) (types.OID, string) {
	name := names[len(names)-1].GetString_().GetSval()
	if len(names) == 1 {
		return 0, name
	}
	schema := names[len(names)-2].GetString_().GetSval()
	if len(names) > 3 {
		a.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", nameList(names))
	}
	ns := a.namespace(schema, loc)
	if ns == nil {
		a.failAt(loc, pgerror.InvalidSchemaName, "schema \"%s\" does not exist", schema)
	}
	return ns.OID, name
}

func nameList(names []*pg_query.Node) string {
	var parts []string
	for _, n := range names {
		if s := n.GetString_(); s != nil {
			parts = append(parts, s.Sval)
		} else {
			parts = append(parts, "*")
		}
	}
	return strings.Join(parts, ".")
}

func nodeStrings(names []*pg_query.Node) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, n.GetString_().GetSval())
	}
	return out
}

func (a *analyzer) opVisible(o *catalog.Operator, schema types.OID) bool {
	if schema != 0 {
		return o.Namespace == schema
	}
	return o.Namespace == catalog.PgCatalogNamespace || slices.Contains(a.visibleNamespaces(), o.Namespace)
}

// operExact finds the operator of exactly these types.
func (a *analyzer) operExact(schema types.OID, name string, l, r types.OID) *catalog.Operator {
	for _, o := range a.cat.Operators(name) {
		if o.Left == l && o.Right == r && a.opVisible(o, schema) {
			return o
		}
	}
	return nil
}

// binaryOper resolves a binary operator. noError: nil instead of an error.
func (a *analyzer) binaryOper(names []*pg_query.Node, l, r types.OID, noError bool, loc int) *catalog.Operator {
	schema, name := a.opName(names, loc)
	return a.binaryOperNamed(schema, name, nameList(names), l, r, noError, loc)
}

func (a *analyzer) binaryOperNamed(schema types.OID, name, shown string, l, r types.OID, noError bool, loc int) *catalog.Operator {
	el, er := l, r
	if el == types.Unknown && er != types.Unknown {
		el = er
	} else if er == types.Unknown && el != types.Unknown {
		er = el
	}
	o := a.operExact(schema, name, el, er)
	if o == nil && (l == types.Unknown || r == types.Unknown) && el != types.Unknown {
		if b := a.baseType(el); b != el {
			o = a.operExact(schema, name, b, b)
		}
	}
	ambiguous := false
	if o == nil {
		var cands []*candidate
		for _, x := range a.cat.Operators(name) {
			if x.Kind == 'b' && a.opVisible(x, schema) {
				cands = append(cands, &candidate{op: x, args: []types.OID{x.Left, x.Right}})
			}
		}
		// an unknown operand is first tried as the other operand's type
		in := []types.OID{l, r}
		cands = a.matchArgs(in, cands)
		switch len(cands) {
		case 0:
		case 1:
			o = cands[0].op
		default:
			if c := a.selectCandidate(in, cands); c != nil {
				o = c.op
			} else {
				ambiguous = true
			}
		}
	}
	if o == nil && !noError {
		sig := a.format(l) + " " + shown + " " + a.format(r)
		if ambiguous {
			fail(a.errAt(loc, pgerror.AmbiguousFunction, "operator is not unique: %s", sig).
				WithHint("Could not choose a best candidate operator. You might need to add explicit type casts."))
		}
		fail(a.errAt(loc, pgerror.UndefinedFunction, "operator does not exist: %s", sig).
			WithHint("No operator matches the given name and argument types. You might need to add explicit type casts."))
	}
	return o
}

// prefixOper resolves a prefix operator.
func (a *analyzer) prefixOper(names []*pg_query.Node, r types.OID, loc int) *catalog.Operator {
	schema, name := a.opName(names, loc)
	o := a.operExact(schema, name, 0, r)
	if o != nil {
		return o
	}
	var cands []*candidate
	for _, x := range a.cat.Operators(name) {
		if x.Kind == 'l' && a.opVisible(x, schema) {
			cands = append(cands, &candidate{op: x, args: []types.OID{x.Right}})
		}
	}
	in := []types.OID{r}
	if r == types.Unknown || len(cands) > 0 {
		cands = a.matchArgs(in, cands)
	}
	ambiguous := false
	switch len(cands) {
	case 0:
	case 1:
		return cands[0].op
	default:
		if c := a.selectCandidate(in, cands); c != nil {
			return c.op
		}
		ambiguous = true
	}
	sig := nameList(names) + " " + a.format(r)
	if ambiguous {
		fail(a.errAt(loc, pgerror.AmbiguousFunction, "operator is not unique: %s", sig).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts."))
	}
	fail(a.errAt(loc, pgerror.UndefinedFunction, "operator does not exist: %s", sig).
		WithHint("No operator matches the given name and argument type. You might need to add an explicit type cast."))
	return nil
}

// makeOp builds an operator call; l nil for prefix operators.
func (ps *pstate) makeOp(names []*pg_query.Node, l, r query.Expr, loc int) query.Expr {
	if r == nil {
		ps.failAt(loc, pgerror.SyntaxError, "postfix operators are not supported")
	}
	var o *catalog.Operator
	if l == nil {
		o = ps.prefixOper(names, typeOf(r), loc)
	} else {
		o = ps.binaryOper(names, typeOf(l), typeOf(r), false, loc)
	}
	return ps.opCall(o, l, r, loc)
}

// makeOpNamed is makeOp for an operator of pg_catalog the grammar stands for.
func (ps *pstate) makeOpNamed(name string, l, r query.Expr, loc int) query.Expr {
	return ps.makeOp([]*pg_query.Node{pg_query.MakeStrNode(name)}, l, r, loc)
}

func (ps *pstate) opCall(o *catalog.Operator, l, r query.Expr, loc int) query.Expr {
	if o.Func == 0 {
		ps.failAt(loc, pgerror.UndefinedFunction, "operator is only a shell: %s", o.Name)
	}
	var args []query.Expr
	var actual, declared []types.OID
	if l != nil {
		args, actual, declared = append(args, l), append(actual, typeOf(l)), append(declared, o.Left)
	}
	args, actual, declared = append(args, r), append(actual, typeOf(r)), append(declared, o.Right)
	res := ps.enforceGenerics(actual, declared, o.Result)
	ps.coerceArgs(args, actual, declared)
	n := &query.OpExpr{Base: ps.base(res, -1, loc), Op: o.OID, Func: o.Func, Name: o.Name, Args: args}
	if f := ps.cat.Function(o.Func); f != nil && f.ReturnsSet {
		n.RetSet = true
		ps.checkSRFPlacement(ps.lastSRF, loc)
		ps.lastSRF = n
	}
	return n
}

// coerceArgs converts arguments to the declared types, which fit.
func (a *analyzer) coerceArgs(args []query.Expr, actual, declared []types.OID) {
	for i := range args {
		if actual[i] != declared[i] {
			args[i] = a.coerceType(args[i], declared[i], -1, ctxImplicit, query.CoerceImplicitCast, -1)
		}
	}
}

// makeScalarArrayOp builds x op ANY|ALL (array).
func (ps *pstate) makeScalarArrayOp(names []*pg_query.Node, useOr bool, l, r query.Expr, loc int) query.Expr {
	lt, at := typeOf(l), typeOf(r)
	rt := types.OID(types.Unknown)
	if at != types.Unknown {
		if rt = ps.elementOf(ps.baseType(at)); rt == 0 {
			ps.failAt(loc, pgerror.WrongObjectType, "op ANY/ALL (array) requires array on right side")
		}
	}
	o := ps.binaryOper(names, lt, rt, false, loc)
	args := []query.Expr{l, r}
	actual, declared := []types.OID{lt, rt}, []types.OID{o.Left, o.Right}
	res := ps.enforceGenerics(actual, declared, o.Result)
	if res != types.Bool {
		ps.failAt(loc, pgerror.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	if f := ps.cat.Function(o.Func); f != nil && f.ReturnsSet {
		ps.failAt(loc, pgerror.WrongObjectType, "op ANY/ALL (array) requires operator not to return a set")
	}
	resArray := ps.cat.ArrayTypeOf(declared[1])
	if resArray == 0 {
		ps.failAt(loc, pgerror.UndefinedObject, "could not find array type for data type %s", ps.format(declared[1]))
	}
	if isPolymorphic(o.Right) && at != types.Unknown {
		resArray = at
	}
	declared[1], actual[1] = resArray, at
	ps.coerceArgs(args, actual, declared)
	return &query.ScalarArrayOpExpr{Base: ps.boolean(loc), Op: o.OID, Func: o.Func, Name: o.Name, UseOr: useOr, Scalar: args[0], Array: args[1]}
}

// sortOperators finds the "<", "=" and ">" of a type's default btree class, and
// whether it can be hashed. Zero for what does not exist.
func (a *analyzer) sortOperators(t types.OID) (lt, eq, gt types.OID, hash bool) {
	t = a.baseType(t)
	if c := a.cat.DefaultOpClass("btree", t); c != nil {
		in := a.opInput(c, t)
		lt = a.cat.FamilyOperator(c.Family, in, in, catalog.StrategyLess)
		eq = a.cat.FamilyOperator(c.Family, in, in, catalog.StrategyEqual)
		gt = a.cat.FamilyOperator(c.Family, in, in, catalog.StrategyGreater)
	}
	h := a.cat.DefaultOpClass("hash", t)
	if h != nil && eq == 0 {
		in := a.opInput(h, t)
		eq = a.cat.FamilyOperator(h.Family, in, in, 1)
	}
	hash = h != nil
	// arrays and rows can do only what their elements can
	if e := a.elementOf(t); e != 0 {
		el, ee, eg, eh := a.sortOperators(e)
		if el == 0 {
			lt = 0
		}
		if ee == 0 {
			eq = 0
		}
		if eg == 0 {
			gt = 0
		}
		hash = hash && eh
	} else if t != types.RecordOID && a.isComposite(t) {
		_, fields, _ := a.cat.Composite(t)
		for _, f := range fields {
			el, ee, eg, eh := a.sortOperators(f.OID)
			if el == 0 {
				lt = 0
			}
			if ee == 0 {
				eq = 0
			}
			if eg == 0 {
				gt = 0
			}
			hash = hash && eh
		}
	}
	return
}

// opInput is the type a class's operators take for t.
func (a *analyzer) opInput(c *catalog.OpClass, t types.OID) types.OID { return c.InType }

// needSortOperators is sortOperators that complains about missing ones.
func (a *analyzer) needSortOperators(t types.OID, needLT, needEQ, needGT bool, loc int) (lt, eq, gt types.OID, hash bool) {
	lt, eq, gt, hash = a.sortOperators(t)
	if needLT && lt == 0 || needGT && gt == 0 {
		fail(a.errAt(loc, pgerror.UndefinedFunction, "could not identify an ordering operator for type %s", a.format(t)).
			WithHint("Use an explicit ordering operator or modify the query."))
	}
	if needEQ && eq == 0 {
		a.failAt(loc, pgerror.UndefinedFunction, "could not identify an equality operator for type %s", a.format(t))
	}
	return
}
