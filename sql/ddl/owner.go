package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// roleSpec finds the role a RoleSpec names.
func (c *Context) roleSpec(ctx context.Context, s *pg_query.RoleSpec) (types.OID, error) {
	switch s.Roletype {
	case pg_query.RoleSpecType_ROLESPEC_CURRENT_USER, pg_query.RoleSpecType_ROLESPEC_CURRENT_ROLE:
		return c.User, nil
	case pg_query.RoleSpecType_ROLESPEC_SESSION_USER:
		return c.SessionUser, nil
	case pg_query.RoleSpecType_ROLESPEC_PUBLIC:
		return 0, pgerror.New(pgerror.UndefinedObject, "role \"public\" does not exist")
	}
	r, err := c.reader().RoleByName(ctx, s.Rolename)
	if err != nil {
		return 0, err
	}
	if r == nil {
		return 0, pgerror.New(pgerror.UndefinedObject, "role %q does not exist", s.Rolename)
	}
	return r.OID, nil
}

// checkBecome refuses an owner the user is no member of.
func (c *Context) checkBecome(ctx context.Context, owner types.OID) error {
	ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, owner)
	if err != nil || ok {
		return err
	}
	r, err := c.reader().Role(ctx, owner)
	if err == nil {
		err = pgerror.New(pgerror.InsufficientPrivilege, "must be member of role %q", r.Name)
	}
	return err
}

// changeRelationOwner is ALTER TABLE … OWNER TO, with the indexes, row type and
// owned sequences.
func (c *Context) changeRelationOwner(ctx context.Context, rel *catalog.Relation, owner types.OID) error {
	if rel.Owner == owner {
		return nil
	}
	if err := c.checkBecome(ctx, owner); err != nil {
		return err
	}
	if rel.Kind == catalog.KindSequence {
		seq, err := c.reader().Sequence(ctx, rel.OID)
		if err != nil {
			return err
		}
		if seq != nil && seq.OwnedByTable != 0 {
			t, err := c.reader().Relation(ctx, seq.OwnedByTable)
			if err != nil {
				return err
			}
			return pgerror.New(pgerror.FeatureNotSupported, "cannot change owner of sequence %q", rel.Name).
				WithDetail("Sequence %q is linked to table %q.", rel.Name, t.Name)
		}
	}
	return c.setRelationOwner(ctx, rel, owner)
}

func (c *Context) setRelationOwner(ctx context.Context, rel *catalog.Relation, owner types.OID) error {
	w := c.writer()
	row, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	acl, err := c.aclNewOwner(ctx, rel.ACL, rel.Owner, owner)
	if err != nil {
		return err
	}
	if err := w.Update(ctx, row, catalog.Values{"relowner": owner, "relacl": aclArray(acl)}); err != nil {
		return err
	}
	if err := c.moveOwner(ctx, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID}, owner); err != nil {
		return err
	}
	if rel.RowType != 0 {
		if err := c.setTypeOwner(ctx, rel.RowType, owner); err != nil {
			return err
		}
	}
	for _, ix := range rel.Indexes {
		r, err := c.class(ctx, ix.OID)
		if err != nil {
			return err
		}
		if err := w.Update(ctx, r, catalog.Values{"relowner": owner}); err != nil {
			return err
		}
	}
	for _, col := range rel.Columns {
		if col.Sequence != 0 {
			s, err := c.reader().Relation(ctx, col.Sequence)
			if err != nil {
				return err
			}
			if err := c.setRelationOwner(ctx, s, owner); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Context) setTypeOwner(ctx context.Context, oid, owner types.OID) error {
	w := c.writer()
	row, err := w.One(ctx, "pg_type", "pg_type_oid_index", oid)
	if err != nil || row == nil {
		return err
	}
	if err := w.Update(ctx, row, catalog.Values{"typowner": owner}); err != nil {
		return err
	}
	if arr := row.OID("typarray"); arr != 0 {
		return c.setTypeOwner(ctx, arr, owner)
	}
	return nil
}

// moveOwner notes an object's new owner in pg_shdepend.
func (c *Context) moveOwner(ctx context.Context, o catalog.Object, owner types.OID) error {
	db := c.reader().DatabaseOID()
	if o.Class == catalog.ClassDatabase {
		db = 0
	}
	rows, err := c.writer().Lookup(ctx, "pg_shdepend", "pg_shdepend_depender_index", db, o.Class, o.OID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Char("deptype") == 'o' {
			if err := c.writer().Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	return recordOwner(ctx, c, o, owner)
}

// aclNewOwner replaces the old owner by the new one in an ACL.
func (c *Context) aclNewOwner(ctx context.Context, acl []string, from, to types.OID) ([]string, error) {
	if acl == nil {
		return nil, nil
	}
	a, err := c.reader().Role(ctx, from)
	if err != nil {
		return nil, err
	}
	b, err := c.reader().Role(ctx, to)
	if err != nil {
		return nil, err
	}
	var items []catalog.ACLItem
	for _, s := range acl {
		it, err := catalog.ParseACLItem(s)
		if err != nil {
			return nil, err
		}
		if it.Grantee == a.Name {
			it.Grantee = b.Name
		}
		if it.Grantor == a.Name {
			it.Grantor = b.Name
		}
		merged := false
		for i := range items {
			if items[i].Grantee == it.Grantee && items[i].Grantor == it.Grantor {
				items[i].Privs += it.Privs
				items[i].Options += it.Options
				merged = true
			}
		}
		if !merged {
			items = append(items, it)
		}
	}
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.String()
	}
	return out, nil
}
