package ddl

import (
	"context"
	"fmt"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// Temporary objects are ordinary ones in a schema pg_temp_N that belongs to one
// session at a time. The schema stays when the session ends; what is in it goes
// (RemoveTemp): at the session's end or, where that was a crash, before the next
// session uses the schema.

// TempSpace is what a session keeps of its temporary objects. The session implements it.
type TempSpace interface {
	// TempSlot is the N of the session's pg_temp_N: no other session has it meanwhile.
	TempSlot() int
	// SetTemp tells the session's schema from now on, unless this is rolled back.
	SetTemp(namespace types.OID)
	// TempTable notes a temporary table that the running statement has made.
	TempTable(table types.OID, onCommit pg_query.OnCommitAction)
}

// tempNamespace gives the session's schema of temporary objects, making it at its first use.
func (c *Context) tempNamespace(ctx context.Context) (*catalog.Namespace, error) {
	if oid := catalog.TempNamespace(c.reader()); oid != 0 {
		ns, err := c.reader().Namespace(ctx, oid)
		if err != nil || ns != nil {
			return ns, err
		}
	}
	if c.Temp == nil {
		return nil, pgerror.Unsupported("temporary objects here")
	}
	if ok, err := c.mayTemp(ctx); err != nil {
		return nil, err
	} else if !ok {
		return nil, pgerror.New(pgerror.InsufficientPrivilege, "permission denied to create temporary tables in database %q", c.reader().DatabaseName())
	}
	name := fmt.Sprintf("%s%d", catalog.TempPrefix, c.Temp.TempSlot())
	ns, err := c.reader().NamespaceByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if ns != nil {
		// Leftovers of a session that did not come to its end.
		if err := RemoveTemp(ctx, c, ns.OID); err != nil {
			return nil, err
		}
	} else {
		oid, err := c.newOID(ctx)
		if err != nil {
			return nil, err
		}
		if err := c.writer().Insert(ctx, "pg_namespace", catalog.Values{"oid": oid, "nspname": name, "nspowner": catalog.BootstrapRole}); err != nil {
			return nil, err
		}
		ns = &catalog.Namespace{OID: oid}
	}
	c.Temp.SetTemp(ns.OID)
	return c.reader().Namespace(ctx, ns.OID)
}

// mayTemp reports whether the user has TEMPORARY on the database.
func (c *Context) mayTemp(ctx context.Context) (bool, error) {
	r := c.reader()
	row, err := c.writer().One(ctx, "pg_database", "pg_database_oid_index", r.DatabaseOID())
	if err != nil || row == nil {
		return false, err
	}
	return catalog.HasPrivilege(ctx, r, c.User, catalog.ObjectDatabase, row.OID("datdba"), row.Strs("datacl"), catalog.PrivTemporary)
}

// relationNamespace is the schema that a new relation goes to, and how it is kept:
// a relation in the session's temporary schema is temporary whether it says so or not.
func (c *Context) relationNamespace(ctx context.Context, v *pg_query.RangeVar) (*catalog.Namespace, byte, error) {
	schema, _, err := rangeVar(c, v)
	if err != nil {
		return nil, 0, err
	}
	kept := catalog.PersistencePermanent
	if v.Relpersistence != "" {
		kept = v.Relpersistence[0]
	}
	if schema == "" && kept == catalog.PersistenceTemp {
		schema = catalog.TempAlias
	}
	ns, err := creationNamespace(ctx, c, schema)
	if err != nil {
		return nil, 0, err
	}
	own, temp := ns.OID == catalog.TempNamespace(c.reader()), catalog.IsTempSchema(ns.Name)
	switch {
	case own && kept != catalog.PersistenceUnlogged:
		kept = catalog.PersistenceTemp
	case temp && kept == catalog.PersistenceUnlogged:
		err = pgerror.New(pgerror.InvalidTableDefinition, "only temporary relations may be created in temporary schemas")
	case temp:
		err = pgerror.New(pgerror.InvalidTableDefinition, "cannot create relations in temporary schemas of other sessions")
	case kept == catalog.PersistenceTemp:
		err = pgerror.New(pgerror.InvalidTableDefinition, "cannot create temporary relation in non-temporary schema")
	}
	return ns, kept, err
}

// noteTemp tells the session of a temporary table it has made.
func (c *Context) noteTemp(table types.OID, kept byte, onCommit pg_query.OnCommitAction) {
	if kept == catalog.PersistenceTemp && c.Temp != nil {
		c.Temp.TempTable(table, onCommit)
	}
}

// refuseOtherTemp is the error for what cannot be done to temporary tables of other sessions.
func (c *Context) refuseOtherTemp(rel *catalog.Relation, what string) error {
	if catalog.OtherTemp(c.reader(), rel) {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot %s temporary tables of other sessions", what)
	}
	return nil
}

// moveTarget is the schema that ALTER … SET SCHEMA names.
func (c *Context) moveTarget(ctx context.Context, from types.OID, name string) (*catalog.Namespace, error) {
	find := namespaceByName
	if name == catalog.TempAlias {
		find = func(ctx context.Context, c *Context, _ string) (*catalog.Namespace, error) {
			return c.tempNamespace(ctx)
		}
	}
	to, err := find(ctx, c, name)
	if err != nil {
		return nil, err
	}
	old, err := c.reader().Namespace(ctx, from)
	if err == nil && (catalog.IsTempSchema(to.Name) || old != nil && catalog.IsTempSchema(old.Name)) {
		err = pgerror.New(pgerror.FeatureNotSupported, "cannot move objects into or out of temporary schemas")
	}
	return to, err
}

// checkTempKey checks that a foreign key does not lead from what lasts to what does not.
func (c *Context) checkTempKey(rel, pk *catalog.Relation) error {
	message := ""
	switch rel.Persistence {
	case catalog.PersistencePermanent:
		if pk.Persistence != catalog.PersistencePermanent {
			message = "constraints on permanent tables may reference only permanent tables"
		}
	case catalog.PersistenceUnlogged:
		if pk.Persistence == catalog.PersistenceTemp {
			message = "constraints on unlogged tables may reference only permanent or unlogged tables"
		}
	case catalog.PersistenceTemp:
		switch {
		case pk.Persistence != catalog.PersistenceTemp:
			message = "constraints on temporary tables may reference only temporary tables"
		case catalog.OtherTemp(c.reader(), pk) || catalog.OtherTemp(c.reader(), rel):
			message = "constraints on temporary tables must involve temporary tables of this session"
		}
	}
	if message != "" {
		return pgerror.New(pgerror.InvalidTableDefinition, "%s", message)
	}
	return nil
}

// RemoveTemp drops everything in a schema of temporary objects, which stays.
func RemoveTemp(ctx context.Context, c *Context, namespace types.OID) error {
	rows, err := c.writer().Lookup(ctx, "pg_depend", "pg_depend_reference_index", catalog.ClassNamespace, namespace)
	if err != nil || len(rows) == 0 {
		return err
	}
	objs := make([]catalog.Object, len(rows))
	for i, r := range rows {
		objs[i] = catalog.Object{Class: r.OID("classid"), OID: r.OID("objid"), Sub: int(r.Int("objsubid"))}
		if objs[i].Class == catalog.ClassRelation {
			if err := c.lock(ctx, objs[i].OID, txn.AccessExclusive); err != nil {
				return err
			}
		}
	}
	return c.drop(ctx, objs, true, true)
}

// EndTemp does what temporary tables have asked for ON COMMIT: it empties some and
// drops others. Tables that are gone are passed over.
func EndTemp(ctx context.Context, c *Context, empty, drop []types.OID) error {
	emptied := map[types.OID]bool{}
	var rels []*catalog.Relation
	for _, oid := range empty {
		rel, err := c.reader().Relation(ctx, oid)
		if err != nil {
			return err
		}
		if rel != nil {
			emptied[oid] = true
			rels = append(rels, rel)
		}
	}
	for _, rel := range rels {
		for _, k := range rel.ReferencedBy {
			if emptied[k.Relation] {
				continue
			}
			fk, err := c.reader().Relation(ctx, k.Relation)
			if err != nil || fk == nil {
				return err
			}
			return pgerror.New(pgerror.FeatureNotSupported, "unsupported ON COMMIT and foreign key combination").
				WithDetail("Table %q references %q, but they do not have the same ON COMMIT setting.", fk.Name, rel.Name)
		}
	}
	for _, rel := range rels {
		if err := c.newStorage(ctx, rel); err != nil {
			return err
		}
	}
	var objs []catalog.Object
	for _, oid := range drop {
		rel, err := c.reader().Relation(ctx, oid)
		if err != nil {
			return err
		}
		if rel != nil {
			objs = append(objs, catalog.Object{Class: catalog.ClassRelation, OID: oid})
		}
	}
	if len(objs) == 0 {
		return nil
	}
	return c.drop(ctx, objs, true, true)
}
