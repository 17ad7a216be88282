package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// cluster notes the index a table is clustered on. Rows are always kept in primary
// key order, so no row moves.
func cluster(ctx context.Context, c *Context, s *pg_query.ClusterStmt) (string, error) {
	for _, n := range s.Params {
		d := n.GetDefElem()
		if d.Defname != "verbose" {
			return "", pgerror.New(pgerror.SyntaxError, "unrecognized CLUSTER option %q", d.Defname).WithPosition(c.at(d.Location))
		}
		if _, err := defBool(d); err != nil {
			return "", err
		}
	}
	if s.Relation == nil {
		if c.InTransactionBlock {
			return "", pgerror.New(pgerror.ActiveSQLTransaction, "CLUSTER cannot run inside a transaction block")
		}
		return "", nil
	}
	rel, err := findRelation(ctx, c, s.Relation, txn.AccessExclusive, false)
	if err != nil {
		return "", err
	}
	if rel.Kind != catalog.KindTable && rel.Kind != catalog.KindMatView {
		return "", pgerror.New(pgerror.WrongObjectType, "%q is not a table or materialized view", rel.Name)
	}
	if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, rel.Owner); err != nil {
		return "", err
	} else if !ok {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be owner of table %s", rel.Name)
	}
	if rel.OID < types.FirstNormalOID {
		return "", pgerror.Unsupported("CLUSTER of system catalogs")
	}
	if s.Indexname != "" {
		return "", c.clusterOn(ctx, rel, s.Indexname)
	}
	for _, ix := range rel.Indexes {
		x, err := c.writer().One(ctx, "pg_index", "pg_index_indexrelid_index", ix.OID)
		if err != nil {
			return "", err
		}
		if x.Bool("indisclustered") {
			return "", nil
		}
	}
	return "", pgerror.New(pgerror.UndefinedObject, "there is no previously clustered index for table %q", rel.Name)
}

// clusterOn marks an index as the one its table is clustered on; "" marks none.
func (c *Context) clusterOn(ctx context.Context, rel *catalog.Relation, index string) error {
	var on types.OID
	for _, ix := range rel.Indexes {
		if ix.Name == index {
			on = ix.OID
			if ix.Predicate != nil {
				return pgerror.New(pgerror.FeatureNotSupported, "cannot cluster on partial index %q", index)
			}
		}
	}
	if index != "" && on == 0 {
		other, err := c.reader().RelationByName(ctx, rel.Namespace, index)
		if err != nil {
			return err
		}
		if other != nil {
			return pgerror.New(pgerror.WrongObjectType, "%q is not an index for table %q", index, rel.Name)
		}
		return pgerror.New(pgerror.UndefinedObject, "index %q for table %q does not exist", index, rel.Name)
	}
	for _, ix := range rel.Indexes {
		x, err := c.writer().One(ctx, "pg_index", "pg_index_indexrelid_index", ix.OID)
		if err != nil {
			return err
		}
		if x.Bool("indisclustered") != (ix.OID == on) {
			if err := c.writer().Update(ctx, x, catalog.Values{"indisclustered": ix.OID == on}); err != nil {
				return err
			}
		}
	}
	return nil
}
