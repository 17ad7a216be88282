package ddl

import (
	"context"
	"sort"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// reindex builds indexes anew from the rows, in the statement's transaction. The
// primary key is the table itself, so there is nothing of it to build.
// CONCURRENTLY locks writers out like the plain form.
func reindex(ctx context.Context, c *Context, s *pg_query.ReindexStmt) (string, error) {
	verbose, concurrently := false, false
	for _, n := range s.Params {
		d := n.GetDefElem()
		var err error
		switch d.Defname {
		case "verbose":
			verbose, err = defBool(d)
		case "concurrently":
			concurrently, err = defBool(d)
		case "tablespace":
			if name := nodeText(d.Arg); name != "pg_default" {
				err = pgerror.New(pgerror.UndefinedObject, "tablespace %q does not exist", name)
			}
		default:
			err = pgerror.New(pgerror.SyntaxError, "unrecognized REINDEX option %q", d.Defname).WithPosition(c.at(d.Location))
		}
		if err != nil {
			return "", err
		}
	}
	what := map[pg_query.ReindexObjectType]string{pg_query.ReindexObjectType_REINDEX_OBJECT_SCHEMA: "REINDEX SCHEMA",
		pg_query.ReindexObjectType_REINDEX_OBJECT_SYSTEM: "REINDEX SYSTEM", pg_query.ReindexObjectType_REINDEX_OBJECT_DATABASE: "REINDEX DATABASE"}[s.Kind]
	if concurrently {
		what = "REINDEX CONCURRENTLY"
	}
	if what != "" && c.InTransactionBlock {
		return "", pgerror.New(pgerror.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
	}
	switch s.Kind {
	case pg_query.ReindexObjectType_REINDEX_OBJECT_INDEX:
		return "", c.reindexNamed(ctx, s.Relation, verbose)
	case pg_query.ReindexObjectType_REINDEX_OBJECT_TABLE:
		rel, err := findRelation(ctx, c, s.Relation, txn.AccessExclusive, false)
		if err != nil {
			return "", err
		}
		if rel.Kind != catalog.KindTable && rel.Kind != catalog.KindMatView {
			return "", pgerror.New(pgerror.WrongObjectType, "%q is not a table or materialized view", rel.Name)
		}
		if err := c.reindexable(ctx, rel, rel.Name); err != nil {
			return "", err
		}
		return "", c.reindexTable(ctx, rel, 0, verbose)
	}
	tables, err := c.reindexTables(ctx, s)
	if err != nil {
		return "", err
	}
	for _, oid := range tables {
		if err := c.lock(ctx, oid, txn.AccessExclusive); err != nil {
			return "", err
		}
		rel, err := c.reader().Relation(ctx, oid)
		if err != nil {
			return "", err
		}
		if rel == nil { // dropped while the lock was waited for
			continue
		}
		if err := c.reindexTable(ctx, rel, 0, verbose); err != nil {
			return "", err
		}
	}
	return "", nil
}

// reindexable refuses an index or table the user does not own, and the system's.
func (c *Context) reindexable(ctx context.Context, rel *catalog.Relation, name string) error {
	ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, rel.Owner)
	if err != nil {
		return err
	}
	if !ok {
		return pgerror.New(pgerror.InsufficientPrivilege, "must be owner of %s %s", kindNoun(rel.Kind), name)
	}
	if rel.OID < types.FirstNormalOID {
		return pgerror.Unsupported("REINDEX of system catalogs")
	}
	return nil
}

// reindexNamed is REINDEX INDEX: the table is locked first, the index looked up again under its lock.
func (c *Context) reindexNamed(ctx context.Context, v *pg_query.RangeVar, verbose bool) error {
	for {
		rel, err := findRelation(ctx, c, v, 0, false)
		if err != nil {
			return err
		}
		if rel.Kind != catalog.KindIndex {
			return pgerror.New(pgerror.WrongObjectType, "%q is not an index", rel.Name)
		}
		if err := c.reindexable(ctx, rel, rel.Name); err != nil {
			return err
		}
		x, err := c.writer().One(ctx, "pg_index", "pg_index_indexrelid_index", rel.OID)
		if err != nil {
			return err
		}
		if x == nil {
			return pgerror.Internal("index %d is not there", rel.OID)
		}
		if err := c.lock(ctx, x.OID("indrelid"), txn.AccessExclusive); err != nil {
			return err
		}
		again, err := findRelation(ctx, c, v, 0, false)
		if err != nil {
			return err
		}
		if again.OID != rel.OID {
			continue
		}
		table, err := c.reader().Relation(ctx, x.OID("indrelid"))
		if err != nil || table == nil {
			return err
		}
		return c.reindexTable(ctx, table, rel.OID, verbose)
	}
}

// reindexTables lists the tables of REINDEX SCHEMA and DATABASE in OID order, so
// that two such statements lock them in the same order.
func (c *Context) reindexTables(ctx context.Context, s *pg_query.ReindexStmt) ([]types.OID, error) {
	var schema types.OID
	switch s.Kind {
	case pg_query.ReindexObjectType_REINDEX_OBJECT_SCHEMA:
		ns, err := namespaceByName(ctx, c, s.Name)
		if err != nil {
			return nil, err
		}
		if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ns.Owner); err != nil || !ok {
			return nil, pgerror.New(pgerror.InsufficientPrivilege, "must be owner of schema %s", ns.Name)
		}
		schema = ns.OID
	default:
		if s.Name != "" && s.Name != c.reader().DatabaseName() {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "can only reindex the currently open database")
		}
		if _, err := c.ownDatabase(ctx, c.reader().DatabaseName()); err != nil {
			return nil, err
		}
		if s.Kind == pg_query.ReindexObjectType_REINDEX_OBJECT_SYSTEM {
			return nil, pgerror.Unsupported("REINDEX of system catalogs")
		}
	}
	rows, err := c.writer().Lookup(ctx, "pg_class", "")
	if err != nil {
		return nil, err
	}
	var out []types.OID
	for _, r := range rows {
		if r.Char("relkind") == catalog.KindTable && r.OID("oid") >= types.FirstNormalOID && (schema == 0 || r.OID("relnamespace") == schema) {
			out = append(out, r.OID("oid"))
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out, nil
}

// reindexTable builds a table's indexes, or the only one asked for, in new storage.
// REQUIRES: the table is locked AccessExclusive.
func (c *Context) reindexTable(ctx context.Context, rel *catalog.Relation, only types.OID, verbose bool) error {
	w := c.writer()
	var dropped []uint64
	var names []string
	build := map[types.OID]bool{}
	for _, ix := range rel.Indexes {
		if only != 0 && ix.OID != only {
			continue
		}
		names = append(names, ix.Name)
		if ix.StorageIndex < 0 {
			continue
		}
		row, err := c.class(ctx, ix.OID)
		if err != nil {
			return err
		}
		node, err := c.newOID(ctx)
		if err != nil {
			return err
		}
		dropped = append(dropped, uint64(c.reader().DatabaseOID())<<32|uint64(row.OID("relfilenode")))
		if err := w.Update(ctx, row, catalog.Values{"relfilenode": node}); err != nil {
			return err
		}
		build[ix.OID] = true
	}
	if c.Runner == nil {
		return nil
	}
	if len(build) > 0 {
		if err := c.Runner.DropStorage(ctx, dropped...); err != nil {
			return err
		}
		cur, err := c.reader().Relation(ctx, rel.OID)
		if err != nil {
			return err
		}
		for _, ix := range cur.Indexes {
			if !build[ix.OID] {
				continue
			}
			if err := c.Runner.BuildIndex(ctx, cur.Storage, ix.StorageIndex); err != nil {
				if e := pgerror.From(err); e.Code == pgerror.UniqueViolation {
					return couldNotBuild(e, ix.Name)
				}
				return err
			}
		}
	}
	if verbose {
		for _, n := range names {
			c.notice(pgerror.New(pgerror.SuccessfulCompletion, "index %q was reindexed", n).WithSeverity("INFO"))
		}
	}
	return nil
}
