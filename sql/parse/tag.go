package parse

import pg_query "github.com/pganalyze/pg_query_go/v5"

// StatementTag is the command tag of a statement without its row count, as
// CommandComplete and messages name it: "SELECT", "CREATE TABLE", "" when unknown.
func StatementTag(node *pg_query.Node) string {
	if node == nil {
		return ""
	}
	switch n := node.Node.(type) {
	case *pg_query.Node_SelectStmt:
		if n.SelectStmt.IntoClause != nil {
			return "SELECT INTO"
		}
		return "SELECT"
	case *pg_query.Node_InsertStmt:
		return "INSERT"
	case *pg_query.Node_UpdateStmt:
		return "UPDATE"
	case *pg_query.Node_DeleteStmt:
		return "DELETE"
	case *pg_query.Node_MergeStmt:
		return "MERGE"
	case *pg_query.Node_TransactionStmt:
		return transactionTag(n.TransactionStmt.Kind)
	case *pg_query.Node_DeclareCursorStmt:
		return "DECLARE CURSOR"
	case *pg_query.Node_ClosePortalStmt:
		if n.ClosePortalStmt.Portalname == "" {
			return "CLOSE CURSOR ALL"
		}
		return "CLOSE CURSOR"
	case *pg_query.Node_FetchStmt:
		if n.FetchStmt.Ismove {
			return "MOVE"
		}
		return "FETCH"
	case *pg_query.Node_CreateSchemaStmt:
		return "CREATE SCHEMA"
	case *pg_query.Node_CreateStmt:
		return "CREATE TABLE"
	case *pg_query.Node_CreateTableAsStmt:
		if n.CreateTableAsStmt.Objtype == pg_query.ObjectType_OBJECT_MATVIEW {
			return "CREATE MATERIALIZED VIEW"
		}
		if n.CreateTableAsStmt.IsSelectInto {
			return "SELECT INTO"
		}
		return "CREATE TABLE AS"
	case *pg_query.Node_RefreshMatViewStmt:
		return "REFRESH MATERIALIZED VIEW"
	case *pg_query.Node_ViewStmt:
		return "CREATE VIEW"
	case *pg_query.Node_IndexStmt:
		return "CREATE INDEX"
	case *pg_query.Node_CreateSeqStmt:
		return "CREATE SEQUENCE"
	case *pg_query.Node_AlterSeqStmt:
		return "ALTER SEQUENCE"
	case *pg_query.Node_CreateEnumStmt, *pg_query.Node_CompositeTypeStmt, *pg_query.Node_CreateRangeStmt:
		return "CREATE TYPE"
	case *pg_query.Node_AlterEnumStmt, *pg_query.Node_AlterTypeStmt:
		return "ALTER TYPE"
	case *pg_query.Node_DefineStmt:
		return "CREATE " + ObjectTypeTag(n.DefineStmt.Kind)
	case *pg_query.Node_CreateDomainStmt:
		return "CREATE DOMAIN"
	case *pg_query.Node_AlterDomainStmt:
		return "ALTER DOMAIN"
	case *pg_query.Node_CreateExtensionStmt:
		return "CREATE EXTENSION"
	case *pg_query.Node_CreateFunctionStmt:
		if n.CreateFunctionStmt.IsProcedure {
			return "CREATE PROCEDURE"
		}
		return "CREATE FUNCTION"
	case *pg_query.Node_CreateTrigStmt:
		return "CREATE TRIGGER"
	case *pg_query.Node_CreateRoleStmt:
		return "CREATE ROLE"
	case *pg_query.Node_AlterRoleStmt, *pg_query.Node_AlterRoleSetStmt:
		return "ALTER ROLE"
	case *pg_query.Node_DropRoleStmt:
		return "DROP ROLE"
	case *pg_query.Node_GrantRoleStmt:
		if n.GrantRoleStmt.IsGrant {
			return "GRANT ROLE"
		}
		return "REVOKE ROLE"
	case *pg_query.Node_GrantStmt:
		if n.GrantStmt.IsGrant {
			return "GRANT"
		}
		return "REVOKE"
	case *pg_query.Node_AlterDefaultPrivilegesStmt:
		return "ALTER DEFAULT PRIVILEGES"
	case *pg_query.Node_CreatedbStmt:
		return "CREATE DATABASE"
	case *pg_query.Node_AlterDatabaseStmt, *pg_query.Node_AlterDatabaseSetStmt:
		return "ALTER DATABASE"
	case *pg_query.Node_DropdbStmt:
		return "DROP DATABASE"
	case *pg_query.Node_AlterTableStmt:
		return "ALTER " + ObjectTypeTag(n.AlterTableStmt.Objtype)
	case *pg_query.Node_RenameStmt:
		t := n.RenameStmt.RenameType
		if t == pg_query.ObjectType_OBJECT_COLUMN || t == pg_query.ObjectType_OBJECT_TABCONSTRAINT {
			t = n.RenameStmt.RelationType
			if t == pg_query.ObjectType_OBJECT_TYPE_UNDEFINED || n.RenameStmt.RenameType == pg_query.ObjectType_OBJECT_TABCONSTRAINT {
				t = pg_query.ObjectType_OBJECT_TABLE
			}
		}
		return "ALTER " + ObjectTypeTag(t)
	case *pg_query.Node_AlterObjectSchemaStmt:
		return "ALTER " + ObjectTypeTag(n.AlterObjectSchemaStmt.ObjectType)
	case *pg_query.Node_AlterOwnerStmt:
		return "ALTER " + ObjectTypeTag(n.AlterOwnerStmt.ObjectType)
	case *pg_query.Node_DropStmt:
		return "DROP " + ObjectTypeTag(n.DropStmt.RemoveType)
	case *pg_query.Node_TruncateStmt:
		return "TRUNCATE TABLE"
	case *pg_query.Node_CommentStmt:
		return "COMMENT"
	case *pg_query.Node_CopyStmt:
		return "COPY"
	case *pg_query.Node_PrepareStmt:
		return "PREPARE"
	case *pg_query.Node_ExecuteStmt:
		return "EXECUTE"
	case *pg_query.Node_DeallocateStmt:
		if n.DeallocateStmt.Name == "" {
			return "DEALLOCATE ALL"
		}
		return "DEALLOCATE"
	case *pg_query.Node_ExplainStmt:
		return "EXPLAIN"
	case *pg_query.Node_VacuumStmt:
		if n.VacuumStmt.IsVacuumcmd {
			return "VACUUM"
		}
		return "ANALYZE"
	case *pg_query.Node_VariableSetStmt:
		switch n.VariableSetStmt.Kind {
		case pg_query.VariableSetKind_VAR_RESET, pg_query.VariableSetKind_VAR_RESET_ALL:
			return "RESET"
		}
		return "SET"
	case *pg_query.Node_VariableShowStmt:
		return "SHOW"
	case *pg_query.Node_DiscardStmt:
		switch n.DiscardStmt.Target {
		case pg_query.DiscardMode_DISCARD_PLANS:
			return "DISCARD PLANS"
		case pg_query.DiscardMode_DISCARD_TEMP:
			return "DISCARD TEMP"
		case pg_query.DiscardMode_DISCARD_SEQUENCES:
			return "DISCARD SEQUENCES"
		}
		return "DISCARD ALL"
	case *pg_query.Node_ConstraintsSetStmt:
		return "SET CONSTRAINTS"
	case *pg_query.Node_CheckPointStmt:
		return "CHECKPOINT"
	case *pg_query.Node_ReindexStmt:
		return "REINDEX"
	case *pg_query.Node_ClusterStmt:
		return "CLUSTER"
	case *pg_query.Node_LockStmt:
		return "LOCK TABLE"
	case *pg_query.Node_ListenStmt:
		return "LISTEN"
	case *pg_query.Node_NotifyStmt:
		return "NOTIFY"
	case *pg_query.Node_UnlistenStmt:
		return "UNLISTEN"
	case *pg_query.Node_LoadStmt:
		return "LOAD"
	case *pg_query.Node_DoStmt:
		return "DO"
	case *pg_query.Node_CallStmt:
		return "CALL"
	case *pg_query.Node_AlterSystemStmt:
		return "ALTER SYSTEM"
	case *pg_query.Node_RuleStmt:
		return "CREATE RULE"
	case *pg_query.Node_DropOwnedStmt:
		return "DROP OWNED"
	case *pg_query.Node_ReassignOwnedStmt:
		return "REASSIGN OWNED"
	}
	return ""
}

func transactionTag(k pg_query.TransactionStmtKind) string {
	switch k {
	case pg_query.TransactionStmtKind_TRANS_STMT_BEGIN:
		return "BEGIN"
	case pg_query.TransactionStmtKind_TRANS_STMT_START:
		return "START TRANSACTION"
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT:
		return "COMMIT"
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK, pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		return "ROLLBACK"
	case pg_query.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		return "SAVEPOINT"
	case pg_query.TransactionStmtKind_TRANS_STMT_RELEASE:
		return "RELEASE"
	case pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
		return "PREPARE TRANSACTION"
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		return "COMMIT PREPARED"
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		return "ROLLBACK PREPARED"
	}
	return ""
}

var objectTypeTags = map[pg_query.ObjectType]string{
	pg_query.ObjectType_OBJECT_TABLE: "TABLE", pg_query.ObjectType_OBJECT_INDEX: "INDEX", pg_query.ObjectType_OBJECT_SEQUENCE: "SEQUENCE",
	pg_query.ObjectType_OBJECT_VIEW: "VIEW", pg_query.ObjectType_OBJECT_MATVIEW: "MATERIALIZED VIEW", pg_query.ObjectType_OBJECT_SCHEMA: "SCHEMA",
	pg_query.ObjectType_OBJECT_TYPE: "TYPE", pg_query.ObjectType_OBJECT_ATTRIBUTE: "TYPE", pg_query.ObjectType_OBJECT_DOMAIN: "DOMAIN",
	pg_query.ObjectType_OBJECT_DOMCONSTRAINT: "DOMAIN", pg_query.ObjectType_OBJECT_ROLE: "ROLE", pg_query.ObjectType_OBJECT_DATABASE: "DATABASE",
	pg_query.ObjectType_OBJECT_FUNCTION: "FUNCTION", pg_query.ObjectType_OBJECT_PROCEDURE: "PROCEDURE", pg_query.ObjectType_OBJECT_ROUTINE: "ROUTINE",
	pg_query.ObjectType_OBJECT_AGGREGATE: "AGGREGATE", pg_query.ObjectType_OBJECT_OPERATOR: "OPERATOR", pg_query.ObjectType_OBJECT_OPCLASS: "OPERATOR CLASS",
	pg_query.ObjectType_OBJECT_OPFAMILY: "OPERATOR FAMILY", pg_query.ObjectType_OBJECT_COLLATION: "COLLATION", pg_query.ObjectType_OBJECT_CONVERSION: "CONVERSION",
	pg_query.ObjectType_OBJECT_CAST: "CAST", pg_query.ObjectType_OBJECT_EXTENSION: "EXTENSION", pg_query.ObjectType_OBJECT_LANGUAGE: "LANGUAGE",
	pg_query.ObjectType_OBJECT_TRIGGER: "TRIGGER", pg_query.ObjectType_OBJECT_RULE: "RULE", pg_query.ObjectType_OBJECT_POLICY: "POLICY",
	pg_query.ObjectType_OBJECT_FOREIGN_TABLE: "FOREIGN TABLE", pg_query.ObjectType_OBJECT_FOREIGN_SERVER: "SERVER", pg_query.ObjectType_OBJECT_FDW: "FOREIGN DATA WRAPPER",
	pg_query.ObjectType_OBJECT_TABLESPACE: "TABLESPACE", pg_query.ObjectType_OBJECT_STATISTIC_EXT: "STATISTICS", pg_query.ObjectType_OBJECT_PUBLICATION: "PUBLICATION",
	pg_query.ObjectType_OBJECT_SUBSCRIPTION: "SUBSCRIPTION", pg_query.ObjectType_OBJECT_EVENT_TRIGGER: "EVENT TRIGGER", pg_query.ObjectType_OBJECT_TSCONFIGURATION: "TEXT SEARCH CONFIGURATION",
	pg_query.ObjectType_OBJECT_TSDICTIONARY: "TEXT SEARCH DICTIONARY", pg_query.ObjectType_OBJECT_TSPARSER: "TEXT SEARCH PARSER", pg_query.ObjectType_OBJECT_TSTEMPLATE: "TEXT SEARCH TEMPLATE",
	pg_query.ObjectType_OBJECT_ACCESS_METHOD: "ACCESS METHOD", pg_query.ObjectType_OBJECT_TRANSFORM: "TRANSFORM",
}

// ObjectTypeTag is an object type's name in command tags: "TABLE", "MATERIALIZED VIEW".
func ObjectTypeTag(t pg_query.ObjectType) string { return objectTypeTags[t] }
