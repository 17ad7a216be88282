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

// Env is what analysis needs of the session.
type Env struct {
	Catalog catalog.Reader
	// SearchPath lists the namespaces of search_path that exist, in order.
	// pg_catalog is searched first unless it is in the list; TempNamespace (0:
	// none) before that, for relations and types, unless it is in the list.
	SearchPath    []types.OID
	TempNamespace types.OID
	// TempFirst: new objects without a schema go to the session's temporary one.
	TempFirst   bool
	Types       *types.Env // its Resolver should be Catalog
	CurrentUser types.OID
	// NoParams: the statement has no parameters, so that a $n is an error.
	NoParams bool
	// CurrentOf gives the key of the row a cursor stands on in a table, for WHERE
	// CURRENT OF; nil where there are no cursors.
	CurrentOf func(cursor string, table *catalog.Relation) (locator []byte, err error)
	// Notice receives notices and warnings; may be nil.
	Notice func(*pgerror.Error)
}

// Analyze analyses one statement. paramTypes are the declared types of $1 …; 0 or
// types.Unknown and missing ones are inferred, and the result's ParamTypes has
// them all. Statements that are not optimizable give CmdUtility.
func Analyze(ctx context.Context, env *Env, stmt parse.Statement, paramTypes []types.OID) (*query.Query, error) {
	return AnalyzeNode(ctx, env, stmt.Source, stmt.Node, paramTypes)
}

// AnalyzeNode is Analyze for a statement inside another one (EXPLAIN, PREPARE,
// DECLARE CURSOR, CREATE TABLE AS, CREATE VIEW, COPY (query)). source is the
// text that locations in node refer to.
func AnalyzeNode(ctx context.Context, env *Env, source string, node *pg_query.Node, paramTypes []types.OID) (q *query.Query, err error) {
	defer catch(&err)
	a := newAnalyzer(ctx, env, source, paramTypes)
	return a.topLevel(node), nil
}

// ExprKind says where an expression given to AnalyzeExpr stands.
type ExprKind uint8

const (
	ExprDefault   ExprKind = iota // column DEFAULT
	ExprCheck                     // CHECK constraint
	ExprGenerated                 // GENERATED ALWAYS AS
	ExprIndex                     // index expression
	ExprIndexPredicate
	ExprAlterType    // ALTER COLUMN TYPE … USING
	ExprExecuteParam // EXECUTE's arguments
	ExprCallArgument // CALL's arguments
)

// ExprSpec asks AnalyzeExpr for one stand-alone expression.
type ExprSpec struct {
	Source string
	Node   *pg_query.Node
	Kind   ExprKind
	// Relation whose columns the expression may use, as Vars with RTIndex 1; nil for none.
	Relation *catalog.Relation
	// Target, when its OID is not 0, is the type to coerce to in assignment context;
	// ColumnName names the column in errors. CHECK and predicates become boolean by themselves.
	Target     types.T
	ColumnName string
	// Collation of the target column, for generated columns.
	Collation types.OID
}

// AnalyzeExpr analyses a stand-alone expression by the rules of its kind
// (no sub-selects in CHECK, immutable functions only in indexes …).
func AnalyzeExpr(ctx context.Context, env *Env, spec ExprSpec) (e query.Expr, err error) {
	defer catch(&err)
	a := newAnalyzer(ctx, env, spec.Source, nil)
	return a.standalone(spec), nil
}

// ResolveTypeName finds the type a name stands for, modifier applied. Errors: 42704 and those of the modifier.
// serial and its kin are DDL's and are not types.
func ResolveTypeName(ctx context.Context, env *Env, source string, name *pg_query.TypeName) (t types.T, err error) {
	defer catch(&err)
	a := newAnalyzer(ctx, env, source, nil)
	return a.typeName(name), nil
}

// ResolveRelation finds a relation by name through the search path; 42P01 (3F000
// for a schema, 0A000 for another database) when it does not exist.
func ResolveRelation(ctx context.Context, env *Env, source string, name *pg_query.RangeVar) (r *catalog.Relation, err error) {
	defer catch(&err)
	a := newAnalyzer(ctx, env, source, nil)
	return a.openRelation(name), nil
}

// LookupRelation is ResolveRelation with nil instead of 42P01.
func LookupRelation(ctx context.Context, env *Env, source string, name *pg_query.RangeVar) (r *catalog.Relation, err error) {
	defer catch(&err)
	a := newAnalyzer(ctx, env, source, nil)
	return a.lookupRelation(name), nil
}

// Coerce converts an analysed expression to t by the rules of assignment; nil when there is no conversion.
func Coerce(ctx context.Context, env *Env, e query.Expr, t types.T) (out query.Expr, err error) {
	defer catch(&err)
	a := newAnalyzer(ctx, env, "", nil)
	return a.coerceToTarget(nil, e, t, ctxAssignment, query.CoerceImplicitCast, -1), nil
}
