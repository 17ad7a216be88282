package plan

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// simplify folds constants and flattens conditions, as PostgreSQL's
// eval_const_expressions does. What raises an error stays as it is; fold_errors.go
// says when it is the statement's.
func (p *planner) simplify(e query.Expr) query.Expr {
	return transform(e, p.simplifyNode)
}

func isConst(e query.Expr) bool { _, ok := e.(*query.Const); return ok }

func isNullConst(e query.Expr) bool {
	c, ok := e.(*query.Const)
	return ok && c.Value == nil
}

func (p *planner) simplifyNode(e query.Expr) query.Expr {
	switch x := e.(type) {
	case *query.Param:
		if x.Kind == query.ParamExternal && p.opts.HasParams && x.Number >= 1 && x.Number <= len(p.opts.Params) {
			p.usedParam = true
			return &query.Const{Base: x.Base, Value: p.opts.Params[x.Number-1]}
		}
	case *query.BoolExpr:
		return p.simplifyBool(x)
	case *query.FuncExpr:
		if x.RetSet {
			return x
		}
		return p.foldCall(x, x.Func, x.Args)
	case *query.OpExpr:
		if x.RetSet {
			return x
		}
		return p.foldCall(x, x.Func, x.Args)
	case *query.ScalarArrayOpExpr:
		if isNullConst(x.Array) {
			return nullConst(x.T)
		}
		if isConst(x.Scalar) && isConst(x.Array) && p.volatility(x.Func) == 'i' {
			return p.fold(x)
		}
	case *query.DistinctExpr:
		if isConst(x.Left) && isConst(x.Right) && p.volatility(x.Func) == 'i' {
			return p.fold(x)
		}
	case *query.NullIfExpr:
		if isConst(x.Left) && isConst(x.Right) && p.volatility(x.Func) == 'i' {
			return p.fold(x)
		}
	case *query.RelabelType:
		if c, ok := x.Arg.(*query.Const); ok {
			return &query.Const{Base: x.Base, Value: c.Value}
		}
		if r, ok := x.Arg.(*query.RelabelType); ok {
			n := *x
			n.Arg = r.Arg
			return &n
		}
	case *query.CollateExpr:
		return &query.RelabelType{Base: x.Base, Arg: x.Arg, Form: query.CoerceImplicitCast}
	case *query.CoerceViaIO:
		if isConst(x.Arg) && p.ioVolatility(x) == 'i' {
			return p.fold(x)
		}
	case *query.ArrayCoerceExpr:
		if isConst(x.Arg) && p.isImmutable(x.Elem) {
			return p.fold(x)
		}
	case *query.ArrayExpr:
		for _, a := range x.Elems {
			if !isConst(a) {
				return x
			}
		}
		return p.fold(x)
	case *query.MinMaxExpr:
		for _, a := range x.Args {
			if !isConst(a) {
				return x
			}
		}
		return p.fold(x)
	case *query.CoalesceExpr:
		var args []query.Expr
		for _, a := range x.Args {
			if isNullConst(a) {
				continue
			}
			args = append(args, a)
			if isConst(a) {
				break
			}
		}
		switch {
		case len(args) == 0:
			return &query.Const{Base: x.Base}
		case len(args) == 1:
			return p.retype(args[0], x)
		}
		n := *x
		n.Args = args
		return &n
	case *query.CaseExpr:
		return p.simplifyCase(x)
	case *query.NullTest:
		if c, ok := x.Arg.(*query.Const); ok && !x.ArgIsRow {
			return boolConst((c.Value == nil) != x.IsNot)
		}
	case *query.BooleanTest:
		if v, null, ok := isConstBool(x.Arg); ok {
			var r bool
			switch x.Test {
			case query.IsTrue:
				r = !null && v
			case query.IsNotTrue:
				r = null || !v
			case query.IsFalse:
				r = !null && !v
			case query.IsNotFalse:
				r = null || v
			case query.IsUnknown:
				r = null
			default:
				r = !null
			}
			return boolConst(r)
		}
	case *query.SubscriptingRef:
		if isNil(x.Assign) && isConst(x.Arg) {
			all := true
			for _, u := range append(append([]query.Expr{}, x.Upper...), x.Lower...) {
				all = all && (isNil(u) || isConst(u))
			}
			if all {
				return p.fold(x)
			}
		}
	}
	return e
}

// retype makes e carry the type of want where only the modifier differs.
func (p *planner) retype(e, want query.Expr) query.Expr {
	if e.Type() == want.Type() {
		return e
	}
	return &query.RelabelType{Base: query.Base{T: want.Type(), Coll: want.Collation(), Loc: -1}, Arg: e, Form: query.CoerceImplicitCast}
}

func (p *planner) foldCall(e query.Expr, fn types.OID, args []query.Expr) query.Expr {
	f := p.cat.Function(fn)
	if f == nil || f.Kind != 'f' {
		return e
	}
	all := true
	for _, a := range args {
		if f.Strict && isNullConst(a) {
			return nullConst(e.Type())
		}
		all = all && isConst(a)
	}
	if all && f.Volatility == 'i' {
		return p.fold(e)
	}
	return e
}

// fold evaluates an expression of constants.
func (p *planner) fold(e query.Expr) query.Expr {
	if p.opts.Registry == nil || e.Type().Class == types.ClassPseudo {
		return e
	}
	fr := expr.NewFrame(&expr.Context{Ctx: p.ctx, Env: p.opts.Types, Memory: expr.NewMemory(foldLimit{})}, int(p.slots)+8)
	saved := p.slots
	x, err := expr.Compile(p.lower(e, layout{}), p.opts.Registry, fr)
	var v types.Datum
	if err == nil { // compiling evaluates calls of constants, too
		v, err = x.EvalScalar(fr)
	}
	p.slots = saved
	if err != nil {
		p.raised(err)
		return e
	}
	if !foldable(v) {
		return e
	}
	return &query.Const{Base: query.Base{T: e.Type(), Coll: e.Collation(), Loc: e.Pos()}, Value: v}
}

// foldLimit keeps large values out of plans, which live long: they are made at
// execution, under its budget.
type foldLimit struct{}

func (foldLimit) Reserve(int64) error {
	return pgerror.New(pgerror.OutOfMemory, "too large for a constant")
}
func (foldLimit) Release(int64) {}

const foldBytesMax = 64 << 10

func foldable(d types.Datum) bool {
	switch v := d.(type) {
	case string:
		return len(v) <= foldBytesMax
	case []byte:
		return len(v) <= foldBytesMax
	case types.JSONB:
		return len(v) <= foldBytesMax
	case *types.Array:
		return len(v.Elems) <= foldBytesMax
	}
	return true
}

func (p *planner) simplifyBool(x *query.BoolExpr) query.Expr {
	if x.Op == query.Not {
		return p.negate(x.Args[0])
	}
	absorb := x.Op == query.Or // the constant that decides
	var args []query.Expr
	var null query.Expr
	seen := map[string]bool{}
	var flat []query.Expr
	for _, a := range x.Args {
		if b, ok := a.(*query.BoolExpr); ok && b.Op == x.Op {
			flat = append(flat, b.Args...)
		} else {
			flat = append(flat, a)
		}
	}
	for _, a := range flat {
		if v, isNull, ok := isConstBool(a); ok {
			if isNull {
				null = a
				continue
			}
			if v == absorb {
				return boolConst(absorb)
			}
			continue
		}
		if k := exprKey(a); !seen[k] || p.isVolatile(a) {
			seen[k] = true
			args = append(args, a)
		}
	}
	if null != nil {
		args = append(args, null)
	}
	if len(args) == 0 {
		return boolConst(!absorb)
	}
	if x.Op == query.Or {
		return p.factorOr(args)
	}
	return combine(x.Op, args)
}

// factorOr takes the conditions that all alternatives share out of an OR:
// (A AND B) OR (A AND C) is A AND (B OR C).
func (p *planner) factorOr(args []query.Expr) query.Expr {
	if len(args) < 2 {
		return combine(query.Or, args)
	}
	count := map[string]int{}
	for _, a := range args {
		for _, c := range conjuncts(a) {
			count[exprKey(c)]++
		}
	}
	var common []query.Expr
	isCommon := map[string]bool{}
	for _, c := range conjuncts(args[0]) {
		if k := exprKey(c); count[k] == len(args) && !isCommon[k] && !p.isVolatile(c) {
			isCommon[k] = true
			common = append(common, c)
		}
	}
	if len(common) == 0 {
		return combine(query.Or, args)
	}
	p.trace("simplify", "factor_or")
	var alts []query.Expr
	for _, a := range args {
		var rest []query.Expr
		for _, c := range conjuncts(a) {
			if !isCommon[exprKey(c)] {
				rest = append(rest, c)
			}
		}
		if len(rest) == 0 {
			return andAll(common) // one alternative is just the common part
		}
		alts = append(alts, andAll(rest))
	}
	return andAll(append(common, orAll(alts)))
}

func (p *planner) simplifyCase(x *query.CaseExpr) query.Expr {
	if isConst(x.Arg) {
		return p.pruneCase(x)
	}
	if !isNil(x.Arg) {
		return x
	}
	var whens []query.CaseWhen
	for _, w := range x.Whens {
		if v, null, ok := isConstBool(w.Cond); ok {
			if null || !v {
				continue
			}
			if len(whens) == 0 {
				return p.retype(w.Result, x)
			}
			n := *x
			n.Whens, n.Default = whens, w.Result
			return &n
		}
		whens = append(whens, w)
	}
	if len(whens) == len(x.Whens) {
		return x
	}
	if len(whens) == 0 {
		if isNil(x.Default) {
			return &query.Const{Base: x.Base}
		}
		return p.retype(x.Default, x)
	}
	n := *x
	n.Whens = whens
	return &n
}

// pruneCase leaves out the branches of a CASE that constants decide about, before the
// sub-selects in them are built.
func (p *planner) pruneCase(x *query.CaseExpr) query.Expr {
	n := *x
	n.Arg, n.Whens = p.simplify(x.Arg), nil
	c, constArg := n.Arg.(*query.Const)
	for _, w := range x.Whens {
		cond := w.Cond
		if constArg {
			cond = replaceCaseTest(cond, c)
		}
		v, null, known := isConstBool(p.simplify(cond))
		if known && (null || !v) {
			continue
		}
		if known {
			n.Default = w.Result
			break
		}
		n.Whens = append(n.Whens, w)
	}
	switch {
	case len(n.Whens) == len(x.Whens):
		return x
	case len(n.Whens) > 0:
		return &n
	case isNil(n.Default):
		return &query.Const{Base: x.Base}
	}
	return p.retype(n.Default, x)
}

// simplifyQuals simplifies conditions of a WHERE: a NULL constant is FALSE there.
// The result is flat; a single FALSE stands for a contradiction.
func (p *planner) simplifyQuals(qs []query.Expr) []query.Expr {
	var out []query.Expr
	for _, q := range qs {
		for _, c := range conjuncts(p.simplify(q)) {
			if v, null, ok := isConstBool(c); ok {
				if null || !v {
					return []query.Expr{boolConst(false)}
				}
				continue
			}
			out = append(out, c)
		}
	}
	return out
}
