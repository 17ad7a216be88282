package plan

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// PostgreSQL folds constants when it plans, and an error there is the statement's,
// whether or not the expression would have been reached. The errors are found on the
// expressions as written, once, in its order: what CASE, COALESCE, AND and OR leave
// out because of a constant is not looked at. A statement that has one can be planned
// and described; it must not run (Planned.ConstError). With parameters the same is
// done when their values are known (Planned.CheckParams), as a custom plan would.

// noteErrors looks for errors among the constants of an expression (Vars resolved).
func (p *planner) noteErrors(e query.Expr) {
	if isNil(e) || p.constError != nil {
		return
	}
	withParam := false
	if !p.mayFold(e, &withParam) {
		return
	}
	if withParam && !p.opts.HasParams {
		p.paramChecks = append(p.paramChecks, e)
	}
	p.raise = true
	p.foldStrict(e)
	p.raise = false
}

// mayFold: somewhere in e a call has arguments that are all constant, or will be when
// the parameters are.
func (p *planner) mayFold(e query.Expr, withParam *bool) bool {
	found := false
	var constant func(e query.Expr) (ok, param bool)
	constant = func(e query.Expr) (bool, bool) {
		ok, param, args := true, false, 0
		mapChildren(e, func(c query.Expr) query.Expr {
			o, q := constant(c)
			ok, param = ok && o, param || q
			args++
			return c
		})
		switch x := e.(type) {
		case *query.Const:
			return true, false
		case *query.Param:
			return x.Kind == query.ParamExternal, true
		case *query.FuncExpr, *query.OpExpr, *query.ScalarArrayOpExpr, *query.DistinctExpr, *query.NullIfExpr, *query.CoerceViaIO,
			*query.ArrayCoerceExpr, *query.MinMaxExpr, *query.SubscriptingRef:
		default: // nothing that could fail
			return ok && args > 0, param
		}
		if args == 0 {
			return false, false
		}
		if ok {
			found = true
			*withParam = *withParam || param
		}
		return ok, param
	}
	constant(e)
	return found
}

// foldStrict is simplify in PostgreSQL's order of evaluation.
func (p *planner) foldStrict(e query.Expr) query.Expr {
	if isNil(e) {
		return nil
	}
	switch x := e.(type) {
	case *query.BoolExpr:
		if x.Op == query.Not {
			break
		}
		n := *x
		n.Args = nil
		for _, a := range x.Args {
			a = p.foldStrict(a)
			if v, null, ok := isConstBool(a); ok && !null && v == (x.Op == query.Or) {
				return a
			}
			n.Args = append(n.Args, a)
		}
		return p.simplifyNode(&n)
	case *query.CaseExpr:
		arg := p.foldStrict(x.Arg)
		for _, w := range x.Whens {
			cond := w.Cond
			if c, ok := arg.(*query.Const); ok {
				cond = replaceCaseTest(cond, c)
			}
			cond = p.foldStrict(cond)
			v, null, ok := isConstBool(cond)
			if ok && (null || !v) {
				continue
			}
			res := p.foldStrict(w.Result)
			if ok {
				return res // not the value where an earlier branch may hold, but what is looked at
			}
		}
		p.foldStrict(x.Default)
		return x
	case *query.CoalesceExpr:
		n := *x
		n.Args = nil
		for _, a := range x.Args {
			a = p.foldStrict(a)
			n.Args = append(n.Args, a)
			if isConst(a) && !isNullConst(a) {
				break
			}
		}
		return p.simplifyNode(&n)
	}
	return p.simplifyNode(mapChildren(e, p.foldStrict))
}

// WatchesParams: CheckParams has something to look at.
func (pl *Planned) WatchesParams() bool { return len(pl.paramChecks) > 0 }

// CheckParams looks for errors that constants give together with the parameters' values.
func (pl *Planned) CheckParams(ctx context.Context, opts Options, values []types.Datum) error {
	if len(pl.paramChecks) == 0 {
		return nil
	}
	opts.Params, opts.HasParams = values, true
	p := newPlanner(ctx, opts)
	for _, e := range pl.paramChecks {
		p.noteErrors(e)
	}
	return p.constError
}

// raised notes an error of folding: what is refused or too large for a constant is none.
func (p *planner) raised(err error) {
	if !p.raise || p.constError != nil {
		return
	}
	switch string(pgerror.From(err).Code)[:2] {
	case "0A", "53", "57", "XX":
		return
	}
	p.constError = err
}
