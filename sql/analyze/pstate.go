package analyze

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// bail carries an error to the entry point.
type bail struct{ err *pgerror.Error }

func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case bail:
		*err = r.err
	default:
		panic(r)
	}
}

// fail raises an error.
func fail(e *pgerror.Error) { panic(bail{e}) }

// check raises err if it is not nil.
func check(err error) {
	if err != nil {
		panic(bail{pgerror.From(err)})
	}
}

// analyzer is what all query levels of one statement share.
type analyzer struct {
	ctx    context.Context
	env    *Env
	cat    catalog.Reader
	source string
}

func newAnalyzer(ctx context.Context, env *Env, source string, paramTypes []types.OID) *analyzer {
	return &analyzer{ctx: ctx, env: env, cat: env.Catalog, source: source}
}

// at gives the character position of a byte offset in the source.
func (a *analyzer) at(loc int) int { return parse.Position(a.source, loc) }

func (a *analyzer) topLevel(node *pg_query.Node) *query.Query {
	fail(pgerror.Unsupported("analysis"))
	return nil
}
func (a *analyzer) standalone(spec ExprSpec) query.Expr {
	fail(pgerror.Unsupported("analysis"))
	return nil
}
func (a *analyzer) typeName(name *pg_query.TypeName) types.T {
	fail(pgerror.Unsupported("analysis"))
	return types.T{}
}
func (a *analyzer) openRelation(name *pg_query.RangeVar) *catalog.Relation {
	fail(pgerror.Unsupported("analysis"))
	return nil
}
func (a *analyzer) lookupRelation(name *pg_query.RangeVar) *catalog.Relation {
	fail(pgerror.Unsupported("analysis"))
	return nil
}
func (a *analyzer) coerceToTarget(ps any, e query.Expr, t types.T, ctx int, form query.CoercionForm, loc int) query.Expr {
	fail(pgerror.Unsupported("analysis"))
	return nil
}

const ctxAssignment = 1
