package ddl

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// refuseRowTypeUsers refuses, with 0A000, a change of rel's columns while some table stores
// values of rel's row type: by itself, in arrays, or within other row types.
func (c *Context) refuseRowTypeUsers(ctx context.Context, rel *catalog.Relation) error {
	if rel.RowType == 0 {
		return nil
	}
	user, column, err := c.rowTypeUser(ctx, rel.RowType, map[types.OID]bool{})
	if err != nil || user == nil {
		return err
	}
	if rel.Kind == catalog.KindComposite {
		return pgerror.New(pgerror.FeatureNotSupported, "cannot alter type %q because column \"%s.%s\" uses it", rel.Name, user.Name, column)
	}
	return pgerror.New(pgerror.FeatureNotSupported, "cannot alter table %q because column \"%s.%s\" uses its row type", rel.Name, user.Name, column)
}

// rowTypeUser finds a table with a column that holds values of type oid; seen are the
// types looked at.
func (c *Context) rowTypeUser(ctx context.Context, oid types.OID, seen map[types.OID]bool) (*catalog.Relation, string, error) {
	if oid == 0 || seen[oid] {
		return nil, "", nil
	}
	seen[oid] = true
	rows, err := c.writer().Lookup(ctx, "pg_depend", "pg_depend_reference_index", catalog.ClassType, oid)
	if err != nil {
		return nil, "", err
	}
	for _, r := range rows {
		if r.OID("classid") != catalog.ClassRelation || r.Int("objsubid") == 0 {
			continue
		}
		user, err := c.reader().Relation(ctx, r.OID("objid"))
		if err != nil {
			return nil, "", err
		}
		switch {
		case user == nil:
			continue
		case user.Kind == catalog.KindTable:
			return user, user.Columns[r.Int("objsubid")-1].Name, nil
		}
		if found, column, err := c.rowTypeUser(ctx, user.RowType, seen); err != nil || found != nil {
			return found, column, err
		}
	}
	t, err := c.reader().Type(ctx, oid)
	if err != nil || t == nil {
		return nil, "", err
	}
	return c.rowTypeUser(ctx, t.Array, seen)
}

// refuseSelfMember refuses a column of type oid in rel if oid holds values of rel's own row
// type: by itself, as elements, or within another row type. 42P16.
func (c *Context) refuseSelfMember(ctx context.Context, rel *catalog.Relation, oid types.OID) error {
	holds, err := c.holdsRowType(ctx, oid, rel.RowType)
	if err == nil && holds {
		err = pgerror.New(pgerror.InvalidTableDefinition, "composite type %s cannot be made a member of itself", rel.Name)
	}
	return err
}

func (c *Context) holdsRowType(ctx context.Context, oid, row types.OID) (bool, error) {
	if oid == row {
		return row != 0, nil
	}
	t, err := c.reader().Type(ctx, oid)
	if err != nil || t == nil {
		return false, err
	}
	if t.IsTrueArray {
		return c.holdsRowType(ctx, t.Elem, row)
	}
	if t.Relation == 0 {
		return false, nil
	}
	r, err := c.reader().Relation(ctx, t.Relation)
	if err != nil || r == nil {
		return false, err
	}
	for _, col := range r.Columns {
		if col.Dropped {
			continue
		}
		if holds, err := c.holdsRowType(ctx, col.Type.OID, row); err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}
