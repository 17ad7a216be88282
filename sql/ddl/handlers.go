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
	case *pg_query.Node_ViewStmt:
		return on(createView, n.ViewStmt)
	case *pg_query.Node_CreateSchemaStmt:
		return on(createSchema, n.CreateSchemaStmt)
	case *pg_query.Node_CreateEnumStmt:
		return on(createEnum, n.CreateEnumStmt)
	case *pg_query.Node_AlterEnumStmt:
		return on(alterEnum, n.AlterEnumStmt)
	case *pg_query.Node_CompositeTypeStmt:
		return on(createComposite, n.CompositeTypeStmt)
	case *pg_query.Node_RenameStmt:
		return on(rename, n.RenameStmt)
	case *pg_query.Node_AlterObjectSchemaStmt:
		return on(setSchema, n.AlterObjectSchemaStmt)
	case *pg_query.Node_AlterOwnerStmt:
		return on(alterOwner, n.AlterOwnerStmt)
	case *pg_query.Node_CreatedbStmt:
		return on(createDatabase, n.CreatedbStmt)
	case *pg_query.Node_DropdbStmt:
		return on(dropDatabase, n.DropdbStmt)
	case *pg_query.Node_CreateRoleStmt:
		return on(createRole, n.CreateRoleStmt)
	case *pg_query.Node_AlterRoleStmt:
		return on(alterRole, n.AlterRoleStmt)
	case *pg_query.Node_AlterRoleSetStmt:
		return on(alterRoleSet, n.AlterRoleSetStmt)
	case *pg_query.Node_AlterDatabaseSetStmt:
		return on(alterDatabaseSet, n.AlterDatabaseSetStmt)
	case *pg_query.Node_AlterDatabaseStmt:
		return on(alterDatabase, n.AlterDatabaseStmt)
	case *pg_query.Node_DropRoleStmt:
		return on(dropRole, n.DropRoleStmt)
	case *pg_query.Node_DropOwnedStmt:
		return on(dropOwned, n.DropOwnedStmt)
	case *pg_query.Node_ReassignOwnedStmt:
		return on(reassignOwned, n.ReassignOwnedStmt)
	case *pg_query.Node_GrantRoleStmt:
		return on(grantRole, n.GrantRoleStmt)
	case *pg_query.Node_GrantStmt:
		return on(grant, n.GrantStmt)
	case *pg_query.Node_AlterDefaultPrivilegesStmt:
		return on(alterDefaultPrivileges, n.AlterDefaultPrivilegesStmt)
	case *pg_query.Node_CommentStmt:
		return on(commentOn, n.CommentStmt)
	case *pg_query.Node_TruncateStmt:
		return on(truncate, n.TruncateStmt)
	case *pg_query.Node_ReindexStmt:
		return on(reindex, n.ReindexStmt)
	case *pg_query.Node_ClusterStmt:
		return on(cluster, n.ClusterStmt)
	case *pg_query.Node_AlterSeqStmt:
		return on(alterSequence, n.AlterSeqStmt)
	}
	return nil
}
