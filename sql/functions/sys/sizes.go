package sys

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// storageOf is a relation's key-space id.
func storageOf(s Session, node types.OID) uint64 {
	return uint64(s.CatalogReader().DatabaseOID())<<32 | uint64(node)
}

func registerSizes(r *expr.Registry) {
	table := func(s Session, rel *catalog.Relation) int64 {
		if rel.Storage != nil {
			return s.StorageBytes(rel.Storage.StorageId)
		}
		switch rel.Kind {
		case catalog.KindIndex:
			return s.StorageBytes(storageOf(s, rel.FileNode))
		case catalog.KindSequence:
			return 8192
		}
		return 0
	}
	indexes := func(s Session, rel *catalog.Relation) int64 {
		n := int64(0)
		if rel.Storage != nil {
			for _, ix := range rel.Storage.Indexes {
				n += s.StorageBytes(ix.StorageId)
			}
		}
		return n
	}
	size := func(sig string, f func(s Session, rel *catalog.Relation) int64) {
		add(r, sig, one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
			rel, err := s.CatalogReader().Relation(ctx.Ctx, o)
			if err != nil || rel == nil {
				return nil, err
			}
			return f(s, rel), nil
		}))
	}
	size("pg_relation_size(regclass)", table)
	add(r, "pg_relation_size(regclass,text)", two(func(ctx *expr.Context, s Session, o types.OID, fork string) (types.Datum, error) {
		rel, err := s.CatalogReader().Relation(ctx.Ctx, o)
		if err != nil || rel == nil {
			return nil, err
		}
		if fork != "main" {
			return int64(0), nil
		}
		return table(s, rel), nil
	}))
	size("pg_table_size(regclass)", table)
	size("pg_indexes_size(regclass)", indexes)
	size("pg_total_relation_size(regclass)", func(s Session, rel *catalog.Relation) int64 { return table(s, rel) + indexes(s, rel) })
	database := func(ctx *expr.Context, s Session) (types.Datum, error) {
		rr, ok := s.CatalogReader().(catalog.RowReader)
		if !ok {
			return nil, nil
		}
		rows, err := rr.Rows(ctx.Ctx, "pg_class", "")
		if err != nil {
			return nil, err
		}
		n := int64(0)
		for _, c := range rows {
			if node := c.OID("relfilenode"); node != 0 {
				n += s.StorageBytes(storageOf(s, node))
			}
		}
		return n, nil
	}
	add(r, "pg_database_size(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		if o != s.CatalogReader().DatabaseOID() {
			return nil, nil
		}
		return database(ctx, s)
	}))
	add(r, "pg_database_size(name)", one(func(ctx *expr.Context, s Session, n string) (types.Datum, error) {
		if n != s.CatalogReader().DatabaseName() {
			return nil, nil
		}
		return database(ctx, s)
	}))
	add(r, "pg_tablespace_size(oid)", one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return nil, nil }))
	add(r, "pg_tablespace_size(name)", one(func(*expr.Context, Session, string) (types.Datum, error) { return nil, nil }))
	add(r, "pg_tablespace_location(oid)", one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return "", nil }))
	registerSizeTexts(r)
	add(r, "pg_relation_filenode(regclass)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		rel, err := s.CatalogReader().Relation(ctx.Ctx, o)
		if err != nil || rel == nil || rel.FileNode == 0 {
			return nil, err
		}
		return rel.FileNode, nil
	}))
	adapt.Add(r, "pg_column_size(any)", adapt.D(func(_ *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
		if args[0] == nil {
			return nil, nil
		}
		return int32(len(types.AppendDatum(call.ArgTypes[0], nil, args[0]))), nil
	}))
}
