package ddl

import (
	"context"
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// ownedRoles finds the roles of DROP OWNED and REASSIGN OWNED; the user must have
// the privileges of each. verb completes "permission denied to … objects".
func (c *Context) ownedRoles(ctx context.Context, specs []*pg_query.Node, verb string) ([]types.OID, error) {
	var out []types.OID
	for _, n := range specs {
		role, err := c.roleSpec(ctx, n.GetRoleSpec())
		if err != nil {
			return nil, err
		}
		out = append(out, role)
	}
	for _, role := range out {
		if err := c.checkHasRole(ctx, role, verb); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Context) checkHasRole(ctx context.Context, role types.OID, verb string) error {
	ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, role)
	if err == nil && !ok {
		err = pgerror.New(pgerror.InsufficientPrivilege, "permission denied to %s objects", verb)
	}
	return err
}

// ownedRows are the pg_shdepend rows of a role that concern this database or
// objects that all databases share.
func (c *Context) ownedRows(ctx context.Context, role types.OID) ([]*catalog.Row, error) {
	rows, err := c.writer().Lookup(ctx, "pg_shdepend", "pg_shdepend_reference_index", catalog.ClassAuthID, role)
	if err != nil {
		return nil, err
	}
	var out []*catalog.Row
	for _, r := range rows {
		if db := r.OID("dbid"); db == 0 || db == c.reader().DatabaseOID() {
			out = append(out, r)
		}
	}
	return out, nil
}

func dependObject(r *catalog.Row) catalog.Object {
	return catalog.Object{Class: r.OID("classid"), OID: r.OID("objid"), Sub: int(r.Int("objsubid"))}
}

// dropOwned drops what roles own in this database and takes back what they were
// granted in it and on the databases.
func dropOwned(ctx context.Context, c *Context, s *pg_query.DropOwnedStmt) (string, error) {
	roles, err := c.ownedRoles(ctx, s.Roles, "drop")
	if err != nil {
		return "", err
	}
	var victims []catalog.Object
	for _, role := range roles {
		if role < types.FirstNormalOID {
			return "", pgerror.New(pgerror.DependentObjectsStillExist,
				"cannot drop objects owned by role %s because they are required by the database system", c.roleText(ctx, role))
		}
		rows, err := c.ownedRows(ctx, role)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			o := dependObject(r)
			if r.Char("deptype") == 'a' {
				if err := c.revokeAll(ctx, o, role); err != nil {
					return "", err
				}
				continue
			}
			if o.Class == catalog.ClassDatabase {
				continue // databases are dropped by DROP DATABASE alone
			}
			if o.Class == catalog.ClassRelation {
				if err := c.lock(ctx, o.OID, txn.AccessExclusive); err != nil {
					return "", err
				}
				row, err := c.class(ctx, o.OID)
				if err != nil {
					return "", err
				}
				if row == nil {
					continue // gone while the lock was waited for
				}
				if row.Char("relkind") == catalog.KindComposite {
					o = catalog.Object{Class: catalog.ClassType, OID: row.OID("reltype")}
				}
			}
			victims = append(victims, o)
		}
	}
	return "", c.drop(ctx, victims, s.Behavior == pg_query.DropBehavior_DROP_CASCADE, false)
}

// ownACL is an object's ACL as a target of GRANT and REVOKE; nil when the object is gone.
func (c *Context) ownACL(ctx context.Context, o catalog.Object) (*grantable, error) {
	w := c.writer()
	t := &grantable{obj: o}
	var err error
	switch {
	case o.Class == catalog.ClassRelation:
		rel, err := c.reader().Relation(ctx, o.OID)
		if err != nil || rel == nil {
			return nil, err
		}
		t.owner, t.kind, t.col = rel.Owner, catalog.ObjectTable, "relacl"
		if rel.Kind == catalog.KindSequence {
			t.kind = catalog.ObjectSequence
		}
		if o.Sub != 0 {
			t.kind, t.col = catalog.ObjectColumn, "attacl"
			t.row, err = c.attribute(ctx, o.OID, o.Sub)
		} else {
			t.row, err = c.class(ctx, o.OID)
		}
		if err != nil {
			return nil, err
		}
	case o.Class == catalog.ClassType:
		t.kind, t.col = catalog.ObjectType, "typacl"
		if t.row, err = w.One(ctx, "pg_type", "pg_type_oid_index", o.OID); err == nil && t.row != nil {
			t.owner = t.row.OID("typowner")
		}
	case o.Class == catalog.ClassNamespace:
		t.kind, t.col = catalog.ObjectSchema, "nspacl"
		if t.row, err = w.One(ctx, "pg_namespace", "pg_namespace_oid_index", o.OID); err == nil && t.row != nil {
			t.owner = t.row.OID("nspowner")
		}
	case o.Class == catalog.ClassDatabase:
		t.kind, t.col = catalog.ObjectDatabase, "datacl"
		if t.row, err = w.One(ctx, "pg_database", "pg_database_oid_index", o.OID); err == nil && t.row != nil {
			t.owner = t.row.OID("datdba")
		}
	case o.Class == catalog.ClassDefaultACL:
		t.col = "defaclacl"
		if t.row, err = w.One(ctx, "pg_default_acl", "pg_default_acl_oid_index", o.OID); err == nil && t.row != nil {
			t.owner = t.row.OID("defaclrole")
			for kind, letter := range defaultLetters {
				if letter == t.row.Char("defaclobjtype") {
					t.kind = kind
				}
			}
		}
	default:
		return nil, pgerror.Unsupported("DROP OWNED of privileges on %s", c.describe(ctx, o))
	}
	if err != nil || t.row == nil {
		return nil, err
	}
	t.acl = t.row.Strs(t.col)
	return t, nil
}

// revokeAll takes every privilege on an object from a role, and with it what the
// role granted on.
func (c *Context) revokeAll(ctx context.Context, o catalog.Object, role types.OID) error {
	t, err := c.ownACL(ctx, o)
	if err != nil || t == nil {
		return err
	}
	name := c.roleText(ctx, role)
	var items []catalog.ACLItem
	lost := ""
	for _, text := range t.acl {
		it, err := catalog.ParseACLItem(text)
		if err != nil {
			return err
		}
		if it.Grantee == name {
			lost += it.Options
			continue
		}
		items = append(items, it)
	}
	if items, err = dropDependentGrants(items, name, lost, true, map[string]bool{}); err != nil {
		return err
	}
	acl, held, err := c.sortACL(ctx, items)
	if err != nil {
		return err
	}
	if o.Class == catalog.ClassDefaultACL {
		// A row that says what holds anyway goes.
		var base []catalog.ACLItem
		if t.row.OID("defaclnamespace") == 0 {
			if base, err = catalog.DefaultACL(ctx, c.reader(), t.kind, t.owner); err != nil {
				return err
			}
		}
		builtin, _, err := c.sortACL(ctx, base)
		if err != nil {
			return err
		}
		if slices.Equal(acl, builtin) {
			return c.dropObject(ctx, o)
		}
	}
	if t.kind == catalog.ObjectColumn && len(acl) == 0 {
		acl = nil
	}
	if err := c.writer().Update(ctx, t.row, catalog.Values{t.col: aclArray(acl)}); err != nil {
		return err
	}
	return c.recordGrantees(ctx, t, held)
}

// reassignOwned gives what roles own in this database, and the databases they own, to another role.
func reassignOwned(ctx context.Context, c *Context, s *pg_query.ReassignOwnedStmt) (string, error) {
	roles, err := c.ownedRoles(ctx, s.Roles, "reassign")
	if err != nil {
		return "", err
	}
	to, err := c.roleSpec(ctx, s.Newrole)
	if err != nil {
		return "", err
	}
	if err := c.checkHasRole(ctx, to, "reassign"); err != nil {
		return "", err
	}
	for _, role := range roles {
		if role < types.FirstNormalOID {
			return "", pgerror.New(pgerror.DependentObjectsStillExist,
				"cannot reassign ownership of objects owned by role %s because they are required by the database system", c.roleText(ctx, role))
		}
		rows, err := c.ownedRows(ctx, role)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			if r.Char("deptype") != 'o' {
				continue
			}
			if err := c.giveAway(ctx, dependObject(r), role, to); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// giveAway makes one object of a role another role's.
func (c *Context) giveAway(ctx context.Context, o catalog.Object, from, to types.OID) error {
	if o.Class == catalog.ClassRelation {
		if err := c.lock(ctx, o.OID, txn.AccessExclusive); err != nil {
			return err
		}
		rel, err := c.reader().Relation(ctx, o.OID)
		if err != nil || rel == nil || rel.Owner != from { // gone, or went with its table
			return err
		}
		return c.setRelationOwner(ctx, rel, to)
	}
	if o.Class == catalog.ClassDefaultACL {
		return nil // what a role's new objects grant stays the role's
	}
	t, err := c.ownACL(ctx, o)
	if err != nil || t == nil || t.owner != from {
		return err
	}
	if o.Class == catalog.ClassType {
		if rel := t.row.OID("typrelid"); rel != 0 {
			return c.giveAway(ctx, catalog.Object{Class: catalog.ClassRelation, OID: rel}, from, to)
		}
		if err := c.setTypeOwner(ctx, o.OID, to); err != nil {
			return err
		}
		return c.moveOwner(ctx, o, to)
	}
	owner := map[types.OID]string{catalog.ClassNamespace: "nspowner", catalog.ClassDatabase: "datdba"}[o.Class]
	v := catalog.Values{owner: to}
	if t.acl != nil {
		acl, err := c.aclNewOwner(ctx, t.acl, from, to)
		if err != nil {
			return err
		}
		v[t.col] = aclArray(acl)
	}
	if err := c.writer().Update(ctx, t.row, v); err != nil {
		return err
	}
	return c.moveOwner(ctx, o, to)
}
