package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// dropKinds are the relation kinds of DROP statements.
var dropKinds = map[pg_query.ObjectType]struct {
	kind byte
	noun string
	code pgerror.Code
}{
	pg_query.ObjectType_OBJECT_TABLE:    {catalog.KindTable, "table", pgerror.UndefinedTable},
	pg_query.ObjectType_OBJECT_INDEX:    {catalog.KindIndex, "index", pgerror.UndefinedObject},
	pg_query.ObjectType_OBJECT_SEQUENCE: {catalog.KindSequence, "sequence", pgerror.UndefinedTable},
	pg_query.ObjectType_OBJECT_VIEW:     {catalog.KindView, "view", pgerror.UndefinedTable},
	pg_query.ObjectType_OBJECT_MATVIEW:  {catalog.KindMatView, "materialized view", pgerror.UndefinedTable},
}

// article puts "a" or "an" before a noun.
func article(noun string) string {
	switch noun[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return "an " + noun
	}
	return "a " + noun
}

var removeHints = map[byte]string{
	catalog.KindTable: "Use DROP TABLE to remove a table.", catalog.KindIndex: "Use DROP INDEX to remove an index.",
	catalog.KindSequence: "Use DROP SEQUENCE to remove a sequence.", catalog.KindView: "Use DROP VIEW to remove a view.",
	catalog.KindMatView: "Use DROP MATERIALIZED VIEW to remove a materialized view.", catalog.KindComposite: "Use DROP TYPE to remove a type.",
}

func dropObjects(ctx context.Context, c *Context, s *pg_query.DropStmt) (string, error) {
	cascade := s.Behavior == pg_query.DropBehavior_DROP_CASCADE
	if k, ok := dropKinds[s.RemoveType]; ok {
		if s.Concurrent {
			switch {
			case len(s.Objects) > 1:
				return "", pgerror.New(pgerror.FeatureNotSupported, "DROP INDEX CONCURRENTLY does not support dropping multiple objects")
			case cascade:
				return "", pgerror.New(pgerror.FeatureNotSupported, "DROP INDEX CONCURRENTLY does not support CASCADE")
			case c.InTransactionBlock:
				return "", pgerror.New(pgerror.ActiveSQLTransaction, "DROP INDEX CONCURRENTLY cannot run inside a transaction block")
			}
		}
		var objs []catalog.Object
		for _, n := range s.Objects {
			o, ok, err := c.dropRelation(ctx, strs(n.GetList().GetItems()), k.kind, k.noun, k.code, s.MissingOk)
			if err != nil {
				return "", err
			}
			if ok {
				objs = append(objs, o)
			}
		}
		return "", c.drop(ctx, objs, cascade, false)
	}
	var objs []catalog.Object
	for _, n := range s.Objects {
		o, ok, err := c.dropOther(ctx, s, n)
		if err != nil {
			return "", err
		}
		if ok {
			objs = append(objs, o)
		}
	}
	return "", c.drop(ctx, objs, cascade, false)
}

func (c *Context) dropRelation(ctx context.Context, parts []string, kind byte, noun string, code pgerror.Code, missingOK bool) (o catalog.Object, ok bool, err error) {
	schema, name, err := splitQualified(c, parts)
	if err != nil {
		return o, false, err
	}
	if skip, err := c.missingSchema(ctx, schema, missingOK); skip || err != nil {
		return o, false, err
	}
	if kind == catalog.KindIndex {
		if err := c.lockTableOfIndex(ctx, schema, name); err != nil {
			return o, false, err
		}
	}
	rel, err := lookupLocked(ctx, c, schema, name, txn.AccessExclusive, true, -1)
	if err != nil {
		return o, false, err
	}
	if rel == nil {
		if missingOK {
			c.notice(notice(pgerror.SuccessfulCompletion, "%s %q does not exist, skipping", noun, name))
			return o, false, nil
		}
		return o, false, pgerror.New(code, "%s %q does not exist", noun, name)
	}
	if rel.Kind != kind {
		return o, false, pgerror.New(pgerror.WrongObjectType, "%q is not %s", rel.Name, article(noun)).WithHint("%s", removeHints[rel.Kind])
	}
	owner, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, rel.Owner)
	if err != nil {
		return o, false, err
	}
	if !owner {
		ns, err := c.reader().Namespace(ctx, rel.Namespace)
		if err != nil {
			return o, false, err
		}
		if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ns.Owner); err != nil || !ok {
			return o, false, pgerror.New(pgerror.InsufficientPrivilege, "must be owner of %s %s", noun, rel.Name)
		}
	}
	if rel.OID < types.FirstNormalOID && c.Bootstrap == 0 {
		return o, false, pgerror.New(pgerror.InsufficientPrivilege, "permission denied: %q is a system catalog", rel.Name)
	}
	return catalog.Object{Class: catalog.ClassRelation, OID: rel.OID}, true, nil
}

// lockTableOfIndex locks the table of the index of that name, if there is one:
// tables are locked before their indexes, and the index may go while we wait.
func (c *Context) lockTableOfIndex(ctx context.Context, schema, name string) error {
	for {
		rel, err := catalog.LookupRelation(ctx, c.reader(), c.roleOfNames(), c.path(), schema, name)
		if err != nil || rel == nil || rel.Kind != catalog.KindIndex || rel.OID < types.FirstNormalOID {
			return err
		}
		x, err := c.writer().One(ctx, "pg_index", "pg_index_indexrelid_index", rel.OID)
		if err != nil || x == nil {
			return err
		}
		if err := c.lock(ctx, x.OID("indrelid"), txn.AccessExclusive); err != nil {
			return err
		}
		again, err := catalog.LookupRelation(ctx, c.reader(), c.roleOfNames(), c.path(), schema, name)
		if err != nil || again == nil || again.OID == rel.OID {
			return err
		}
	}
}

// missingSchema reports a schema that is not there: skip says that IF EXISTS passes over it.
func (c *Context) missingSchema(ctx context.Context, schema string, missingOK bool) (skip bool, err error) {
	if schema == "" {
		return false, nil
	}
	ns, err := catalog.UsableNamespace(ctx, c.reader(), c.roleOfNames(), schema)
	if err != nil || ns != nil {
		return false, err
	}
	if missingOK {
		c.notice(notice(pgerror.SuccessfulCompletion, "schema %q does not exist, skipping", schema))
		return true, nil
	}
	return false, pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", schema)
}

// dropOther finds the object of DROP SCHEMA, TYPE and the kinds Basalt has none of.
func (c *Context) dropOther(ctx context.Context, s *pg_query.DropStmt, n *pg_query.Node) (o catalog.Object, ok bool, err error) {
	switch s.RemoveType {
	case pg_query.ObjectType_OBJECT_SCHEMA:
		name := str(n)
		ns, err := c.reader().NamespaceByName(ctx, name)
		if err != nil {
			return o, false, err
		}
		if ns == nil || name == catalog.TempAlias {
			if s.MissingOk {
				c.notice(notice(pgerror.SuccessfulCompletion, "schema %q does not exist, skipping", name))
				return o, false, nil
			}
			return o, false, pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", name)
		}
		if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ns.Owner); err != nil || !ok {
			return o, false, pgerror.New(pgerror.InsufficientPrivilege, "must be owner of schema %s", name)
		}
		if ns.OID < types.FirstNormalOID && ns.OID != catalog.PublicNamespace {
			return o, false, pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop %s because it is required by the database system", c.describe(ctx, catalog.Object{Class: catalog.ClassNamespace, OID: ns.OID}))
		}
		return catalog.Object{Class: catalog.ClassNamespace, OID: ns.OID}, true, nil
	case pg_query.ObjectType_OBJECT_TYPE, pg_query.ObjectType_OBJECT_DOMAIN:
		return c.dropType(ctx, s, n)
	}
	noun, known := otherNouns[s.RemoveType]
	if !known {
		return o, false, pgerror.Unsupported("this kind of DROP")
	}
	name := ""
	if l := n.GetList(); l != nil {
		name = joinParts(strs(l.Items))
	} else if str(n) != "" {
		name = str(n)
	} else {
		return o, false, pgerror.Unsupported("DROP %s", noun)
	}
	if s.MissingOk {
		c.notice(notice(pgerror.SuccessfulCompletion, "%s %q does not exist, skipping", noun, name))
		return o, false, nil
	}
	return o, false, pgerror.New(pgerror.UndefinedObject, "%s %q does not exist", noun, name)
}

var otherNouns = map[pg_query.ObjectType]string{
	pg_query.ObjectType_OBJECT_EXTENSION: "extension", pg_query.ObjectType_OBJECT_FOREIGN_SERVER: "server",
	pg_query.ObjectType_OBJECT_FDW: "foreign-data wrapper", pg_query.ObjectType_OBJECT_PUBLICATION: "publication",
	pg_query.ObjectType_OBJECT_EVENT_TRIGGER: "event trigger",
	pg_query.ObjectType_OBJECT_STATISTIC_EXT: "statistics object", pg_query.ObjectType_OBJECT_FOREIGN_TABLE: "foreign table",
}

func joinParts(p []string) string {
	s := ""
	for i, x := range p {
		if i > 0 {
			s += "."
		}
		s += x
	}
	return s
}

func (c *Context) dropType(ctx context.Context, s *pg_query.DropStmt, n *pg_query.Node) (o catalog.Object, ok bool, err error) {
	tn := n.GetTypeName()
	parts := strs(tn.GetNames())
	schema := ""
	if len(parts) == 2 {
		schema = parts[0]
	}
	if skip, err := c.missingSchema(ctx, schema, s.MissingOk); skip || err != nil {
		return o, false, err
	}
	t, err := analyze.ResolveTypeName(ctx, c.env(), c.source, tn)
	if err != nil {
		e := pgerror.From(err)
		if e.Code != pgerror.UndefinedObject {
			return o, false, err
		}
		name := joinParts(parts)
		if len(tn.ArrayBounds) > 0 {
			name += "[]"
		}
		if s.MissingOk {
			c.notice(notice(pgerror.SuccessfulCompletion, "type %q does not exist, skipping", name))
			return o, false, nil
		}
		return o, false, pgerror.New(pgerror.UndefinedObject, "type %q does not exist", name)
	}
	ty, err := c.reader().Type(ctx, t.OID)
	if err != nil {
		return o, false, err
	}
	if s.RemoveType == pg_query.ObjectType_OBJECT_DOMAIN {
		return o, false, pgerror.New(pgerror.WrongObjectType, "%q is not a domain", c.reader().FormatType(ty.OID, -1))
	}
	if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ty.Owner); err != nil || !ok {
		return o, false, pgerror.New(pgerror.InsufficientPrivilege, "must be owner of type %s", c.reader().FormatType(ty.OID, -1))
	}
	if ty.OID < types.FirstNormalOID {
		return o, false, pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop %s because it is required by the database system", c.describe(ctx, catalog.Object{Class: catalog.ClassType, OID: ty.OID}))
	}
	return catalog.Object{Class: catalog.ClassType, OID: ty.OID}, true, nil
}
