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
	params []types.OID // by number − 1; 0: not seen, Unknown: seen, not inferred
	// fixedParams: parameters are not allowed (DDL expressions, utility statements).
	noParams  bool
	relations map[types.OID]bool
	constEnv  bool
	momentary bool
	depth     int
	paramRefs []*query.Param
	subs      map[*pg_query.SubLink]*query.Query // analysed sub-selects, for column names
}

func newAnalyzer(ctx context.Context, env *Env, source string, paramTypes []types.OID) *analyzer {
	a := &analyzer{ctx: ctx, env: env, cat: env.Catalog, source: source, relations: map[types.OID]bool{}}
	a.params = append([]types.OID(nil), paramTypes...)
	return a
}

// at gives the character position of a byte offset in the source.
func (a *analyzer) at(loc int) int { return parse.Position(a.source, loc) }

// errAt makes an error with a position.
func (a *analyzer) errAt(loc int, code pgerror.Code, format string, args ...any) *pgerror.Error {
	return pgerror.New(code, format, args...).WithPosition(a.at(loc))
}

func (a *analyzer) failAt(loc int, code pgerror.Code, format string, args ...any) {
	fail(a.errAt(loc, code, format, args...))
}

func (a *analyzer) unsupported(loc int, format string, args ...any) {
	fail(pgerror.Unsupported(format, args...).WithPosition(a.at(loc)))
}

// depthMax bounds recursion over parse trees; the parser's own bound is lower in practice.
const depthMax = 12000

func (a *analyzer) enter() {
	if a.depth++; a.depth > depthMax {
		fail(pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
			WithHint("Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's stack depth limit is adequate."))
	}
}

func (a *analyzer) leave() { a.depth-- }

// exprKind says where an expression stands: PostgreSQL's ParseExprKind.
type exprKind uint8

const (
	kindNone exprKind = iota
	kindOther
	kindJoinOn
	kindJoinUsing
	kindFromSubselect
	kindFromFunction
	kindWhere
	kindHaving
	kindFilter
	kindWindowPartition
	kindWindowOrder
	kindWindowFrameRange
	kindWindowFrameRows
	kindWindowFrameGroups
	kindSelectTarget
	kindInsertTarget
	kindUpdateSource
	kindUpdateTarget
	kindMergeWhen
	kindGroupBy
	kindOrderBy
	kindDistinctOn
	kindLimit
	kindOffset
	kindReturning
	kindValues
	kindValuesSingle
	kindCheck
	kindDefault
	kindIndexExpr
	kindIndexPredicate
	kindAlterTransform
	kindExecuteParam
	kindGenerated
	kindCallArgument
	kindCycleMark
)

// kindNames are the words of "… are not allowed in WHERE" and of assignments' messages.
var kindNames = map[exprKind]string{
	kindJoinOn: "JOIN/ON", kindJoinUsing: "JOIN/USING", kindFromSubselect: "sub-SELECT in FROM", kindFromFunction: "function in FROM",
	kindWhere: "WHERE", kindHaving: "HAVING", kindFilter: "FILTER", kindWindowPartition: "window PARTITION BY",
	kindWindowOrder: "window ORDER BY", kindWindowFrameRange: "window RANGE", kindWindowFrameRows: "window ROWS",
	kindWindowFrameGroups: "window GROUPS", kindSelectTarget: "SELECT", kindInsertTarget: "INSERT", kindUpdateSource: "UPDATE",
	kindUpdateTarget: "UPDATE", kindMergeWhen: "MERGE WHEN", kindGroupBy: "GROUP BY", kindOrderBy: "ORDER BY",
	kindDistinctOn: "DISTINCT ON", kindLimit: "LIMIT", kindOffset: "OFFSET", kindReturning: "RETURNING", kindValues: "VALUES",
	kindValuesSingle: "VALUES", kindCheck: "CHECK", kindDefault: "DEFAULT", kindIndexExpr: "index expression",
	kindIndexPredicate: "index predicate", kindAlterTransform: "USING", kindExecuteParam: "EXECUTE",
	kindGenerated: "GENERATED AS", kindCallArgument: "CALL", kindCycleMark: "CYCLE",
}

// pstate is the parse state of one query level.
type pstate struct {
	*analyzer
	parent *pstate
	q      *query.Query
	ns     []*nsItem // what names can refer to here
	// joins holds the JoinExpr of each RTEJoin entry, by range table index.
	joinItems   []query.FromItem
	ctes        []*cteState                 // visible WITH items of this level
	future      []*pg_query.CommonTableExpr // WITH items not analysed yet
	parentCTE   *cteState
	windowDefs  []*pg_query.WindowDef
	kind        exprKind
	nextRes     int
	target      *nsItem
	targetRel   *catalog.Relation
	isInsert    bool
	lateral     bool
	locking     []*pg_query.LockingClause
	lockedAbove bool
	// resolveUnknowns: output columns of type unknown become text.
	resolveUnknowns bool
	multi           query.Expr // source of the (a, b) = … being analysed
	multiID         int
	lastSRF         query.Expr

	// insertColumns are the columns on offer to "there is a column … but it cannot be referenced".

}

func newPState(a *analyzer, parent *pstate) *pstate {
	return &pstate{analyzer: a, parent: parent, q: &query.Query{}, nextRes: 1, resolveUnknowns: true}
}

// child makes a state for a sub-select of ps.
func (ps *pstate) child() *pstate { return newPState(ps.analyzer, ps) }

// withKind runs f with another expression kind.
func (ps *pstate) withKind(k exprKind, f func()) {
	old := ps.kind
	ps.kind = k
	f()
	ps.kind = old
}

// rte gives a range table entry of a level.
func (ps *pstate) rte(index, levelsUp int) *query.RangeTblEntry {
	p := ps
	for ; levelsUp > 0; levelsUp-- {
		p = p.parent
	}
	return p.q.RTable[index-1]
}

// topLevel analyses a whole statement.
func (a *analyzer) topLevel(node *pg_query.Node) *query.Query {
	ps := newPState(a, nil)
	var q *query.Query
	switch n := node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		q = ps.selectStmt(n.SelectStmt)
	case *pg_query.Node_InsertStmt:
		q = ps.insertStmt(n.InsertStmt)
	case *pg_query.Node_UpdateStmt:
		q = ps.updateStmt(n.UpdateStmt)
	case *pg_query.Node_DeleteStmt:
		q = ps.deleteStmt(n.DeleteStmt)
	case *pg_query.Node_MergeStmt:
		q = ps.mergeStmt(n.MergeStmt)
	default:
		return &query.Query{Command: query.CmdUtility}
	}
	a.finishParams()
	for _, p := range a.params {
		q.ParamTypes = append(q.ParamTypes, a.tOf(p, -1))
	}
	for r := range a.relations {
		q.Relations = append(q.Relations, r)
	}
	q.ConstEnv, q.Momentary = a.constEnv, a.momentary
	return q
}

// paramRef makes the node of $n.
func (ps *pstate) paramRef(n *pg_query.ParamRef) query.Expr {
	loc, no := int(n.Location), int(n.Number)
	if ps.noParams || ps.env.NoParams || no <= 0 || no > 65535 {
		ps.failAt(loc, pgerror.UndefinedParameter, "there is no parameter $%d", no)
	}
	for len(ps.params) < no {
		ps.params = append(ps.params, 0)
	}
	if ps.params[no-1] == 0 {
		ps.params[no-1] = types.Unknown
	}
	p := &query.Param{Base: ps.base(ps.params[no-1], -1, loc), Kind: query.ParamExternal, Number: no}
	ps.paramRefs = append(ps.paramRefs, p)
	return p
}

// coerceParam gives a parameter of unknown type the type it is used as.
func (a *analyzer) coerceParam(p *query.Param, target types.OID) query.Expr {
	cur := a.params[p.Number-1]
	switch {
	case cur == types.Unknown:
		a.params[p.Number-1] = target
	case cur != target:
		fail(a.errAt(p.Loc, pgerror.AmbiguousParameter, "inconsistent types deduced for parameter $%d", p.Number).
			WithDetail("%s versus %s", a.format(cur), a.format(target)))
	}
	p.Base = a.base(target, -1, p.Loc)
	return p
}

// finishParams checks that every parameter got one type.
func (a *analyzer) finishParams() {
	for _, p := range a.paramRefs {
		if t := a.params[p.Number-1]; p.T.OID != t && t != types.Unknown {
			a.failAt(p.Loc, pgerror.AmbiguousParameter, "could not determine data type of parameter $%d", p.Number)
		}
	}
	for i, t := range a.params {
		if t == types.Unknown || t == 0 {
			loc := -1
			for _, p := range a.paramRefs {
				if p.Number == i+1 {
					loc = p.Loc
					break
				}
			}
			_ = loc
			fail(pgerror.New(pgerror.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1))
		}
	}
}

// base makes the common part of a node of a type.
func (a *analyzer) base(typ types.OID, mod int32, loc int) query.Base {
	return query.Base{T: a.tOf(typ, mod), Coll: a.typeCollation(typ), Loc: loc}
}

func (a *analyzer) baseT(t types.T, loc int) query.Base {
	return query.Base{T: t, Coll: a.typeCollation(t.OID), Loc: loc}
}

// boolean makes the common part of a boolean node.
func (a *analyzer) boolean(loc int) query.Base {
	return query.Base{T: types.Of(types.Bool), Loc: loc}
}
