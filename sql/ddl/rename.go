package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

func rename(ctx context.Context, c *Context, s *pg_query.RenameStmt) (string, error) {
	switch s.RenameType {
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_INDEX, pg_query.ObjectType_OBJECT_SEQUENCE:
		return "", c.renameRelation(ctx, s)
	case pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_ATTRIBUTE:
		return "", c.renameColumn(ctx, s)
	case pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		return "", c.renameConstraint(ctx, s)
	case pg_query.ObjectType_OBJECT_SCHEMA:
		return "", c.renameSchema(ctx, s)
	case pg_query.ObjectType_OBJECT_TYPE:
		return "", c.renameType(ctx, s)
	case pg_query.ObjectType_OBJECT_DATABASE:
		return "", c.renameDatabase(ctx, s)
	case pg_query.ObjectType_OBJECT_ROLE:
		return "", c.renameRole(ctx, s)
	}
	return "", pgerror.Unsupported("this kind of RENAME")
}

func (c *Context) renameRelation(ctx context.Context, s *pg_query.RenameStmt) error {
	rel, err := findRelation(ctx, c, s.Relation, txn.AccessExclusive, s.MissingOk)
	if err != nil {
		return err
	}
	if rel == nil {
		c.notice(notice(pgerror.SuccessfulCompletion, "relation %q does not exist, skipping", s.Relation.Relname))
		return nil
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return err
	}
	if k := alterNouns[s.RenameType]; s.RenameType != pg_query.ObjectType_OBJECT_TABLE && !k.ok(rel.Kind) && !(s.RenameType == pg_query.ObjectType_OBJECT_INDEX && rel.Kind == catalog.KindTable) {
		return pgerror.New(pgerror.WrongObjectType, "%q is not %s", rel.Name, article(k.noun))
	}
	if rel.Kind == catalog.KindComposite {
		return pgerror.New(pgerror.WrongObjectType, "%q is a composite type", rel.Name).WithHint("Use ALTER TYPE instead.")
	}
	return c.renameClass(ctx, rel, s.Newname)
}

func (c *Context) renameClass(ctx context.Context, rel *catalog.Relation, name string) error {
	if old, err := c.reader().RelationByName(ctx, rel.Namespace, name); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateTable, "relation %q already exists", name)
	}
	row, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"relname": name}); err != nil {
		return err
	}
	if rel.RowType != 0 {
		if err := c.renameTypeRow(ctx, rel.RowType, name); err != nil {
			return err
		}
	}
	if rel.Kind == catalog.KindIndex {
		cons, err := c.constraintOfIndex(ctx, rel.OID)
		if err != nil || cons == nil {
			return err
		}
		return c.writer().Update(ctx, cons, catalog.Values{"conname": name})
	}
	return nil
}

// constraintOfIndex finds the constraint an index backs.
func (c *Context) constraintOfIndex(ctx context.Context, ix types.OID) (*catalog.Row, error) {
	deps, err := c.writer().Lookup(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassRelation, ix)
	if err != nil {
		return nil, err
	}
	for _, d := range deps {
		if d.OID("refclassid") == catalog.ClassConstraint && d.Char("deptype") == byte(catalog.DependInternal) {
			return c.writer().One(ctx, "pg_constraint", "pg_constraint_oid_index", d.OID("refobjid"))
		}
	}
	return nil, nil
}

// renameTypeRow renames a type and its array type.
func (c *Context) renameTypeRow(ctx context.Context, oid types.OID, name string) error {
	t, err := c.reader().Type(ctx, oid)
	if err != nil || t == nil {
		return err
	}
	if old, err := c.reader().TypeByName(ctx, t.Namespace, name); err != nil {
		return err
	} else if old != nil && old.OID != oid {
		if !old.IsTrueArray {
			return pgerror.New(pgerror.DuplicateObject, "type %q already exists", name)
		}
		if err := moveArrayTypeName(ctx, c, old); err != nil {
			return err
		}
	}
	row, err := c.writer().One(ctx, "pg_type", "pg_type_oid_index", oid)
	if err != nil {
		return err
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"typname": name}); err != nil {
		return err
	}
	if t.Array == 0 {
		return nil
	}
	arr := "_" + name
	for {
		old, err := c.reader().TypeByName(ctx, t.Namespace, clip(arr, nameMax))
		if err != nil {
			return err
		}
		if old == nil || old.OID == t.Array {
			break
		}
		arr = "_" + arr
	}
	row, err = c.writer().One(ctx, "pg_type", "pg_type_oid_index", t.Array)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"typname": clip(arr, nameMax)})
}

func (c *Context) renameColumn(ctx context.Context, s *pg_query.RenameStmt) error {
	rel, err := findRelation(ctx, c, s.Relation, txn.AccessExclusive, s.MissingOk)
	if err != nil {
		return err
	}
	if rel == nil {
		c.notice(notice(pgerror.SuccessfulCompletion, "relation %q does not exist, skipping", s.Relation.Relname))
		return nil
	}
	switch rel.Kind {
	case catalog.KindTable, catalog.KindView, catalog.KindComposite, catalog.KindIndex, catalog.KindMatView:
	default:
		return pgerror.New(pgerror.WrongObjectType, "cannot rename columns of relation %q", rel.Name).WithDetail("%s", noSupport(rel.Kind))
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return err
	}
	n := attnum(rel, s.Subname)
	if n == 0 {
		for _, x := range systemColumns {
			if x.name == s.Subname && rel.Kind == catalog.KindTable {
				return pgerror.New(pgerror.FeatureNotSupported, "cannot rename system column %q", s.Subname)
			}
		}
		return pgerror.New(pgerror.UndefinedColumn, "column %q does not exist", s.Subname)
	}
	if rel.Kind == catalog.KindTable {
		for _, x := range systemColumns {
			if x.name == s.Newname {
				return pgerror.New(pgerror.DuplicateColumn, "column name %q conflicts with a system column name", s.Newname)
			}
		}
	}
	if attnum(rel, s.Newname) != 0 {
		return pgerror.New(pgerror.DuplicateColumn, "column %q of relation %q already exists", s.Newname, rel.Name)
	}
	row, err := c.attribute(ctx, rel.OID, n)
	if err != nil {
		return err
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"attname": s.Newname}); err != nil {
		return err
	}
	if rel.Kind == catalog.KindView {
		return c.renameViewColumn(ctx, rel, n, s.Newname)
	}
	if err := c.renameDistribution(ctx, rel, s.Subname, s.Newname); err != nil {
		return err
	}
	// Index columns that stand for the column are called the same.
	for _, ix := range rel.Indexes {
		for i, k := range ix.Keys {
			if k.AttNum != n {
				continue
			}
			att, err := c.attribute(ctx, ix.OID, i+1)
			if err != nil {
				return err
			}
			if err := c.writer().Update(ctx, att, catalog.Values{"attname": s.Newname}); err != nil {
				return err
			}
		}
	}
	return nil
}

// renameViewColumn gives output column n of a stored view query a new name.
func (c *Context) renameViewColumn(ctx context.Context, rel *catalog.Relation, n int, name string) error {
	rules, err := c.writer().Lookup(ctx, "pg_rewrite", "pg_rewrite_rel_rulename_index", rel.OID)
	if err != nil || len(rules) == 0 {
		return err
	}
	q, err := query.Unmarshal([]byte(rules[0].Str("ev_action")))
	if err != nil {
		return err
	}
	i := 0
	for _, te := range q.TargetList {
		if te.Junk {
			continue
		}
		if i++; i == n {
			te.Name = name
		}
	}
	return c.writer().Update(ctx, rules[0], catalog.Values{"ev_action": string(query.Marshal(q))})
}

func (c *Context) renameConstraint(ctx context.Context, s *pg_query.RenameStmt) error {
	rel, err := findRelation(ctx, c, s.Relation, txn.AccessExclusive, s.MissingOk)
	if err != nil {
		return err
	}
	if rel == nil {
		c.notice(notice(pgerror.SuccessfulCompletion, "relation %q does not exist, skipping", s.Relation.Relname))
		return nil
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return err
	}
	for _, k := range rel.Constraints {
		if k.Name != s.Subname {
			continue
		}
		if err := constraintExists(rel, s.Newname); err != nil {
			return err
		}
		if k.Type == 'p' || k.Type == 'u' {
			ix, err := c.reader().Relation(ctx, k.Index)
			if err != nil {
				return err
			}
			return c.renameClass(ctx, ix, s.Newname)
		}
		row, err := c.writer().One(ctx, "pg_constraint", "pg_constraint_oid_index", k.OID)
		if err != nil {
			return err
		}
		return c.writer().Update(ctx, row, catalog.Values{"conname": s.Newname})
	}
	return pgerror.New(pgerror.UndefinedObject, "constraint %q for table %q does not exist", s.Subname, rel.Name)
}

func (c *Context) renameSchema(ctx context.Context, s *pg_query.RenameStmt) error {
	ns, err := namespaceByName(ctx, c, s.Subname)
	if err != nil {
		return err
	}
	if old, err := c.reader().NamespaceByName(ctx, s.Newname); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateSchema, "schema %q already exists", s.Newname)
	}
	if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ns.Owner); err != nil || !ok {
		return pgerror.New(pgerror.InsufficientPrivilege, "must be owner of schema %s", ns.Name)
	}
	if len(s.Newname) > 3 && s.Newname[:3] == "pg_" {
		return pgerror.New(pgerror.ReservedName, "unacceptable schema name %q", s.Newname).WithDetail("The prefix \"pg_\" is reserved for system schemas.")
	}
	row, err := c.writer().One(ctx, "pg_namespace", "pg_namespace_oid_index", ns.OID)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"nspname": s.Newname})
}

func (c *Context) renameType(ctx context.Context, s *pg_query.RenameStmt) error {
	t, err := c.findType(ctx, strs(s.Object.GetList().GetItems()))
	if err != nil {
		return err
	}
	if err := c.checkTypeOwner(ctx, t); err != nil {
		return err
	}
	if t.Relation != 0 {
		rel, err := c.reader().Relation(ctx, t.Relation)
		if err != nil {
			return err
		}
		if rel.Kind != catalog.KindComposite {
			return pgerror.New(pgerror.WrongObjectType, "%s is a table's row type", c.reader().FormatType(t.OID, -1)).WithHint("Use ALTER TABLE instead.")
		}
		return c.renameClass(ctx, rel, s.Newname)
	}
	if t.IsTrueArray {
		return pgerror.New(pgerror.WrongObjectType, "cannot alter array type %s", c.reader().FormatType(t.OID, -1)).
			WithHint("You can alter type %s, which will alter the array type as well.", c.reader().FormatType(t.Elem, -1))
	}
	return c.renameTypeRow(ctx, t.OID, s.Newname)
}

// setSchema is ALTER … SET SCHEMA.
func setSchema(ctx context.Context, c *Context, s *pg_query.AlterObjectSchemaStmt) (string, error) {
	if s.ObjectType == pg_query.ObjectType_OBJECT_TYPE {
		t, err := c.findType(ctx, strs(s.Object.GetList().GetItems()))
		if err != nil {
			return "", err
		}
		if err := c.checkTypeOwner(ctx, t); err != nil {
			return "", err
		}
		ns, err := c.moveTarget(ctx, t.Namespace, s.Newschema)
		if err != nil {
			return "", err
		}
		if t.Relation != 0 {
			rel, err := c.reader().Relation(ctx, t.Relation)
			if err != nil {
				return "", err
			}
			return "", c.moveRelation(ctx, rel, ns)
		}
		return "", c.moveType(ctx, t.OID, ns)
	}
	if s.Relation == nil {
		return "", pgerror.Unsupported("this kind of SET SCHEMA")
	}
	rel, err := findRelation(ctx, c, s.Relation, txn.AccessExclusive, s.MissingOk)
	if err != nil {
		return "", err
	}
	if rel == nil {
		c.notice(notice(pgerror.SuccessfulCompletion, "relation %q does not exist, skipping", s.Relation.Relname))
		return "", nil
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return "", err
	}
	if rel.Kind == catalog.KindSequence {
		seq, err := c.reader().Sequence(ctx, rel.OID)
		if err != nil {
			return "", err
		}
		if seq.OwnedByTable != 0 {
			t, err := c.reader().Relation(ctx, seq.OwnedByTable)
			if err != nil {
				return "", err
			}
			return "", pgerror.New(pgerror.FeatureNotSupported, "cannot move an owned sequence into another schema").
				WithDetail("Sequence %q is linked to table %q.", rel.Name, t.Name)
		}
	}
	ns, err := c.moveTarget(ctx, rel.Namespace, s.Newschema)
	if err != nil {
		return "", err
	}
	if err := c.checkSchemaCreate(ctx, ns); err != nil {
		return "", err
	}
	if err := c.refuseCatalog(ns, rel.Name); err != nil {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied for schema %s", ns.Name)
	}
	return "", c.moveRelation(ctx, rel, ns)
}

func (c *Context) moveRelation(ctx context.Context, rel *catalog.Relation, ns *catalog.Namespace) error {
	if rel.Namespace == ns.OID {
		return nil
	}
	if old, err := c.reader().RelationByName(ctx, ns.OID, rel.Name); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateTable, "relation %q already exists in schema %q", rel.Name, ns.Name)
	}
	w := c.writer()
	row, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	if err := w.Update(ctx, row, catalog.Values{"relnamespace": ns.OID}); err != nil {
		return err
	}
	if err := c.moveNamespaceDepend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID}, ns.OID); err != nil {
		return err
	}
	if rel.RowType != 0 {
		if err := c.moveType(ctx, rel.RowType, ns); err != nil {
			return err
		}
	}
	for _, ix := range rel.Indexes {
		r, err := c.class(ctx, ix.OID)
		if err != nil {
			return err
		}
		if err := w.Update(ctx, r, catalog.Values{"relnamespace": ns.OID}); err != nil {
			return err
		}
	}
	for _, k := range rel.Constraints {
		r, err := w.One(ctx, "pg_constraint", "pg_constraint_oid_index", k.OID)
		if err != nil {
			return err
		}
		if err := w.Update(ctx, r, catalog.Values{"connamespace": ns.OID}); err != nil {
			return err
		}
	}
	for _, col := range rel.Columns {
		if col.Sequence == 0 {
			continue
		}
		seq, err := c.reader().Relation(ctx, col.Sequence)
		if err != nil {
			return err
		}
		if err := c.moveRelation(ctx, seq, ns); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) moveType(ctx context.Context, oid types.OID, ns *catalog.Namespace) error {
	row, err := c.writer().One(ctx, "pg_type", "pg_type_oid_index", oid)
	if err != nil || row == nil || row.OID("typnamespace") == ns.OID {
		return err
	}
	if old, err := c.reader().TypeByName(ctx, ns.OID, row.Str("typname")); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateObject, "type %q already exists in schema %q", row.Str("typname"), ns.Name)
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"typnamespace": ns.OID}); err != nil {
		return err
	}
	if err := c.moveNamespaceDepend(ctx, catalog.Object{Class: catalog.ClassType, OID: oid}, ns.OID); err != nil {
		return err
	}
	if arr := row.OID("typarray"); arr != 0 {
		return c.moveType(ctx, arr, ns)
	}
	return nil
}

func (c *Context) moveNamespaceDepend(ctx context.Context, o catalog.Object, ns types.OID) error {
	rows, err := c.writer().Lookup(ctx, "pg_depend", "pg_depend_depender_index", o.Class, o.OID)
	if err != nil {
		return err
	}
	had := false
	for _, r := range rows {
		if r.OID("refclassid") == catalog.ClassNamespace {
			had = true
			if err := c.writer().Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	if !had {
		return nil
	}
	return c.writer().Depend(ctx, o, catalog.Object{Class: catalog.ClassNamespace, OID: ns}, catalog.DependNormal)
}

// alterOwner is ALTER … OWNER TO for what ALTER TABLE does not cover.
func alterOwner(ctx context.Context, c *Context, s *pg_query.AlterOwnerStmt) (string, error) {
	owner, err := c.roleSpec(ctx, s.Newowner)
	if err != nil {
		return "", err
	}
	w := c.writer()
	switch s.ObjectType {
	case pg_query.ObjectType_OBJECT_SCHEMA:
		ns, err := namespaceByName(ctx, c, str(s.Object))
		if err != nil {
			return "", err
		}
		if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ns.Owner); err != nil || !ok {
			return "", pgerror.New(pgerror.InsufficientPrivilege, "must be owner of schema %s", ns.Name)
		}
		if err := c.checkBecome(ctx, owner); err != nil {
			return "", err
		}
		row, err := w.One(ctx, "pg_namespace", "pg_namespace_oid_index", ns.OID)
		if err != nil {
			return "", err
		}
		acl, err := c.aclNewOwner(ctx, ns.ACL, ns.Owner, owner)
		if err != nil {
			return "", err
		}
		if err := w.Update(ctx, row, catalog.Values{"nspowner": owner, "nspacl": aclArray(acl)}); err != nil {
			return "", err
		}
		return "", c.moveOwner(ctx, catalog.Object{Class: catalog.ClassNamespace, OID: ns.OID}, owner)
	case pg_query.ObjectType_OBJECT_TYPE:
		t, err := c.findType(ctx, strs(s.Object.GetList().GetItems()))
		if err != nil {
			return "", err
		}
		if err := c.checkTypeOwner(ctx, t); err != nil {
			return "", err
		}
		if err := c.checkBecome(ctx, owner); err != nil {
			return "", err
		}
		if t.Relation != 0 {
			rel, err := c.reader().Relation(ctx, t.Relation)
			if err != nil {
				return "", err
			}
			return "", c.setRelationOwner(ctx, rel, owner)
		}
		if err := c.setTypeOwner(ctx, t.OID, owner); err != nil {
			return "", err
		}
		return "", c.moveOwner(ctx, catalog.Object{Class: catalog.ClassType, OID: t.OID}, owner)
	case pg_query.ObjectType_OBJECT_DATABASE:
		row, err := c.ownDatabase(ctx, str(s.Object))
		if err != nil {
			return "", err
		}
		if err := c.checkBecome(ctx, owner); err != nil {
			return "", err
		}
		if err := w.Update(ctx, row, catalog.Values{"datdba": owner}); err != nil {
			return "", err
		}
		return "", c.moveOwner(ctx, catalog.Object{Class: catalog.ClassDatabase, OID: row.OID("oid")}, owner)
	}
	return "", pgerror.Unsupported("this kind of OWNER TO")
}
