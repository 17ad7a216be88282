package plan

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Lowerer turns the catalog's stored expressions (index expressions, predicates)
// into vexec's form; it implements catalog.Lowerer.
type Lowerer struct{}

// LowerExpr lowers an expression whose Vars have RTIndex 1; ordinals maps
// attribute number − 1 to the input column, −1 for dropped ones.
func (Lowerer) LowerExpr(ctx context.Context, cat catalog.Reader, e query.Expr, ordinals []int) (out *planpb.Expr, err error) {
	p := newPlanner(ctx, Options{Catalog: cat})
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(planFailure)
			if !ok {
				panic(r)
			}
			err = f.err
		}
	}()
	lay := layout{}
	e = query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		v, ok := x.(*query.Var)
		if !ok {
			return nil, false
		}
		if v.AttNum < 1 || v.AttNum > len(ordinals) || ordinals[v.AttNum-1] < 0 {
			p.fail(pgerror.Unsupported("an index over a whole row or a system column"))
		}
		c := *v
		c.RTIndex, c.AttNum = v.AttNum, 1
		lay[Col(v.AttNum)] = ordinals[v.AttNum-1]
		return &c, true
	})
	return p.lower(e, lay), nil
}
