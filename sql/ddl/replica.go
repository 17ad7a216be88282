package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// replicaIdentity is REPLICA IDENTITY: kept in the catalog for clients to read.
func (c *Context) replicaIdentity(ctx context.Context, rel *catalog.Relation, s *pg_query.ReplicaIdentityStmt) error {
	if s.IdentityType == "i" {
		return pgerror.Unsupported("REPLICA IDENTITY USING INDEX")
	}
	row, err := c.writer().One(ctx, "pg_class", "pg_class_oid_index", rel.OID)
	if err != nil || row == nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"relreplident": s.IdentityType[0]})
}

// setPersistence marks a table and its indexes as logged. Every table is logged
// in fact: 'u' only says how it was made.
func (c *Context) setPersistence(ctx context.Context, rel *catalog.Relation, p byte) error {
	oids := []types.OID{rel.OID}
	for _, ix := range rel.Indexes {
		oids = append(oids, ix.OID)
	}
	for _, oid := range oids {
		row, err := c.writer().One(ctx, "pg_class", "pg_class_oid_index", oid)
		if err != nil || row == nil {
			return err
		}
		if err := c.writer().Update(ctx, row, catalog.Values{"relpersistence": p}); err != nil {
			return err
		}
	}
	return nil
}
