package ddl

import (
	"context"
	"fmt"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// createTableAs runs CREATE TABLE AS (and SELECT INTO, which the session hands
// over in the same form): the table, then an INSERT of the query's rows.
func createTableAs(ctx context.Context, c *Context, s *pg_query.CreateTableAsStmt) (string, error) {
	if s.Objtype == pg_query.ObjectType_OBJECT_MATVIEW {
		return "", pgerror.Unsupported("materialized views")
	}
	if s.Query.GetExecuteStmt() != nil {
		return "", pgerror.Unsupported("CREATE TABLE AS EXECUTE")
	}
	return c.createTableAs(ctx, s.Into, s.Query, s.IfNotExists)
}

// SelectInto runs SELECT … INTO: node is the SelectStmt.
func selectInto(ctx context.Context, c *Context, s *pg_query.SelectStmt) (string, error) {
	q := &pg_query.SelectStmt{DistinctClause: s.DistinctClause, TargetList: s.TargetList, FromClause: s.FromClause, WhereClause: s.WhereClause,
		GroupClause: s.GroupClause, GroupDistinct: s.GroupDistinct, HavingClause: s.HavingClause, WindowClause: s.WindowClause, ValuesLists: s.ValuesLists,
		SortClause: s.SortClause, LimitOffset: s.LimitOffset, LimitCount: s.LimitCount, LimitOption: s.LimitOption, LockingClause: s.LockingClause,
		WithClause: s.WithClause, Op: s.Op, All: s.All, Larg: s.Larg, Rarg: s.Rarg}
	return c.createTableAs(ctx, s.IntoClause, &pg_query.Node{Node: &pg_query.Node_SelectStmt{SelectStmt: q}}, false)
}

func (c *Context) createTableAs(ctx context.Context, into *pg_query.IntoClause, node *pg_query.Node, ifNotExists bool) (string, error) {
	name := into.Rel.Relname
	if ifNotExists {
		ns, _, err := c.relationNamespace(ctx, into.Rel)
		if err != nil {
			return "", err
		}
		old, err := c.reader().RelationByName(ctx, ns.OID, name)
		if err != nil {
			return "", err
		}
		if old != nil {
			c.notice(notice(pgerror.DuplicateTable, "relation %q already exists, skipping", name))
			return "CREATE TABLE AS", nil
		}
	}
	q, err := analyze.AnalyzeNode(ctx, c.env(), c.source, node, c.ParamTypes)
	if err != nil {
		return "", err
	}
	ns, kept, err := c.relationNamespace(ctx, into.Rel)
	if err == nil {
		err = checkOnCommit(kept, into.OnCommit)
	}
	if err != nil {
		return "", err
	}
	if len(into.ColNames) > countOutput(q) {
		return "", pgerror.New(pgerror.SyntaxError, "too many column names were specified")
	}
	r := relation{namespace: ns, name: name, kind: catalog.KindTable, owner: c.User, persistence: kept}
	if r.options, err = relOptions(into.Options, tableOptions); err != nil {
		return "", err
	}
	outputs := q.TargetList
	if q.Command != query.CmdSelect {
		outputs = q.Returning
	}
	for _, te := range outputs {
		if te.Junk {
			continue
		}
		col := column{name: te.Name, typ: te.Expr.Type(), collation: te.Expr.Collation()}
		if i := len(r.columns); i < len(into.ColNames) {
			col.name = str(into.ColNames[i])
		}
		if col.typ.OID == types.Unknown {
			col.typ, col.collation = types.Of(types.Text), catalog.DefaultCollation
		}
		r.columns = append(r.columns, col)
	}
	oid, err := createRelation(ctx, c, r)
	if err != nil {
		return "", err
	}
	c.noteTemp(oid, kept, into.OnCommit)
	rel, err := c.reader().Relation(ctx, oid)
	if err == nil {
		err = checkDistribution(rel)
	}
	if err == nil {
		err = c.noteNoKey(ctx, oid)
	}
	if err != nil {
		return "", err
	}
	if into.SkipData {
		return "CREATE TABLE AS", nil
	}
	if c.Runner == nil {
		return "SELECT 0", nil
	}
	_, n, err := c.Runner.Run(ctx, insertFrom(rel, q))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("SELECT %d", n), nil
}

func countOutput(q *query.Query) int {
	n := 0
	for _, te := range q.TargetList {
		if !te.Junk {
			n++
		}
	}
	return n
}

// insertFrom makes INSERT INTO rel (all columns) of a query's rows.
func insertFrom(rel *catalog.Relation, q *query.Query) *query.Query {
	target := anyRow(rel, nil).RTable[0]
	target.Lock = uint8(txn.RowExclusive)
	sub := &query.RangeTblEntry{Kind: query.RTESubquery, Alias: "*SELECT*", ERefName: "*SELECT*", Subquery: q}
	ins := &query.Query{Command: query.CmdInsert, RTable: []*query.RangeTblEntry{target, sub}, ResultRelation: 1, ParamTypes: q.ParamTypes,
		JoinTree: &query.FromExpr{Items: []query.FromItem{&query.RangeTblRef{RTIndex: 2}}}, Relations: append([]types.OID{rel.OID}, q.Relations...),
		HasModifyingCTE: q.HasModifyingCTE}
	n := 0
	for _, te := range q.TargetList {
		if te.Junk {
			continue
		}
		n++
		sub.ERefColumns = append(sub.ERefColumns, te.Name)
		sub.ColTypes = append(sub.ColTypes, te.Expr.Type())
		sub.ColCollations = append(sub.ColCollations, te.Expr.Collation())
		ins.TargetList = append(ins.TargetList, &query.TargetEntry{ResNo: n, Name: rel.Columns[n-1].Name,
			Expr: &query.Var{Base: query.Base{T: te.Expr.Type(), Coll: te.Expr.Collation(), Loc: -1}, RTIndex: 2, AttNum: te.ResNo}})
	}
	return ins
}
