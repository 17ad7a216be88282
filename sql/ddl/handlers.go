package ddl

import pg_query "github.com/pganalyze/pg_query_go/v5"

// moreHandlers are the statements beside tables and indexes.
func moreHandlers(node *pg_query.Node) execFunc {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		if n.SelectStmt.IntoClause != nil {
			return on(selectInto, n.SelectStmt)
		}
	case *pg_query.Node_CreateSeqStmt:
		return on(createSequence, n.CreateSeqStmt)
	case *pg_query.Node_AlterTableStmt:
		return on(alterTable, n.AlterTableStmt)
	case *pg_query.Node_TruncateStmt:
		return on(truncate, n.TruncateStmt)
	case *pg_query.Node_AlterSeqStmt:
		return on(alterSequence, n.AlterSeqStmt)
	}
	return nil
}
