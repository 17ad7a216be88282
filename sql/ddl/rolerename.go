package ddl

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// aclColumns says where a class of objects keeps its ACL.
var aclColumns = map[types.OID]struct{ table, column string }{
	catalog.ClassRelation:   {"pg_class", "relacl"},
	catalog.ClassType:       {"pg_type", "typacl"},
	catalog.ClassNamespace:  {"pg_namespace", "nspacl"},
	catalog.ClassDatabase:   {"pg_database", "datacl"},
	catalog.ClassDefaultACL: {"pg_default_acl", "defaclacl"},
}

// renameInACLs gives a role its new name in the ACLs of every database: an ACL
// names roles, and pg_shdepend knows which ACLs may name this one, as those of
// what it owns and those it was granted something in.
func (c *Context) renameInACLs(ctx context.Context, r *catalog.Role, name string) error {
	deps, err := c.writer().Lookup(ctx, "pg_shdepend", "pg_shdepend_reference_index", catalog.ClassAuthID, r.OID)
	if err != nil {
		return err
	}
	writers := map[types.OID]*catalog.Writer{0: c.writer(), c.reader().DatabaseOID(): c.writer()}
	for _, d := range deps {
		class, oid, db := d.OID("classid"), d.OID("objid"), d.OID("dbid")
		at, ok := aclColumns[class]
		if !ok {
			continue
		}
		w := writers[db]
		if w == nil {
			row, err := c.writer().One(ctx, "pg_database", "pg_database_oid_index", db)
			if err != nil {
				return err
			}
			if row == nil {
				continue
			}
			w = c.Manager.Transaction(c.Txn, c.writer().Store(), db, row.Str("datname")).Writer()
			writers[db] = w
		}
		row, err := w.One(ctx, at.table, at.table+"_oid_index", oid)
		if err != nil {
			return err
		}
		if err := renameInACL(ctx, w, row, at.column, r.Name, name); err != nil {
			return err
		}
		if class != catalog.ClassRelation {
			continue
		}
		columns, err := w.Lookup(ctx, "pg_attribute", "pg_attribute_relid_attnum_index", oid)
		if err != nil {
			return err
		}
		for _, col := range columns {
			if err := renameInACL(ctx, w, col, "attacl", r.Name, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func renameInACL(ctx context.Context, w *catalog.Writer, row *catalog.Row, column, from, to string) error {
	if row == nil || row.Get(column) == nil {
		return nil
	}
	var acl []string
	changed := false
	for _, text := range row.Strs(column) {
		it, err := catalog.ParseACLItem(text)
		if err != nil {
			return err
		}
		for _, who := range []*string{&it.Grantee, &it.Grantor} {
			if *who == from {
				*who, changed = to, true
			}
		}
		acl = append(acl, it.String())
	}
	if !changed {
		return nil
	}
	return w.Update(ctx, row, catalog.Values{column: aclArray(acl)})
}
