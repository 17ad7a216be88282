package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// comment reads an object's comment, "" for none.
func (c *Context) comment(ctx context.Context, o catalog.Object) (string, error) {
	row, err := c.writer().One(ctx, "pg_description", "pg_description_o_c_o_index", o.OID, o.Class, int32(o.Sub))
	if err != nil || row == nil {
		return "", err
	}
	return row.Str("description"), nil
}

// setComment sets or (with "") removes an object's comment.
func (c *Context) setComment(ctx context.Context, o catalog.Object, text string) error {
	table, index := "pg_description", "pg_description_o_c_o_index"
	key := []types.Datum{o.OID, o.Class, int32(o.Sub)}
	v := catalog.Values{"objoid": o.OID, "classoid": o.Class, "objsubid": int32(o.Sub), "description": text}
	if o.Class == catalog.ClassDatabase || o.Class == catalog.ClassAuthID || o.Class == classTablespace {
		table, index, key = "pg_shdescription", "pg_shdescription_o_c_index", key[:2]
		delete(v, "objsubid")
	}
	w := c.writer()
	row, err := w.One(ctx, table, index, key...)
	if err != nil {
		return err
	}
	switch {
	case text == "" && row == nil:
		return nil
	case text == "":
		return w.Delete(ctx, row)
	case row != nil:
		return w.Update(ctx, row, catalog.Values{"description": text})
	}
	return w.Insert(ctx, table, v)
}

const classTablespace types.OID = 1213

func commentOn(ctx context.Context, c *Context, s *pg_query.CommentStmt) (string, error) {
	switch s.Objtype {
	case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_VIEW, pg_query.ObjectType_OBJECT_INDEX, pg_query.ObjectType_OBJECT_SEQUENCE,
		pg_query.ObjectType_OBJECT_COLUMN, pg_query.ObjectType_OBJECT_TABCONSTRAINT:
		parts := strs(s.Object.GetList().GetItems())
		sub := ""
		if s.Objtype == pg_query.ObjectType_OBJECT_COLUMN || s.Objtype == pg_query.ObjectType_OBJECT_TABCONSTRAINT {
			parts, sub = parts[:len(parts)-1], parts[len(parts)-1]
		}
		schema, name, err := splitQualified(c, parts)
		if err != nil {
			return "", err
		}
		rel, err := lookupLocked(ctx, c, schema, name, txn.ShareUpdateExclusive, false, -1)
		if err != nil {
			return "", err
		}
		if err := c.checkOwner(ctx, rel); err != nil {
			return "", err
		}
		o := catalog.Object{Class: catalog.ClassRelation, OID: rel.OID}
		switch s.Objtype {
		case pg_query.ObjectType_OBJECT_COLUMN:
			switch rel.Kind {
			case catalog.KindTable, catalog.KindView, catalog.KindMatView, catalog.KindComposite:
			default:
				return "", pgerror.New(pgerror.WrongObjectType, "cannot set comment on relation %q", rel.Name).WithDetail("%s", noSupport(rel.Kind))
			}
			if o.Sub = attnum(rel, sub); o.Sub == 0 {
				return "", pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", sub, rel.Name)
			}
		case pg_query.ObjectType_OBJECT_TABCONSTRAINT:
			o = catalog.Object{}
			for _, k := range rel.Constraints {
				if k.Name == sub {
					o = catalog.Object{Class: catalog.ClassConstraint, OID: k.OID}
				}
			}
			if o.OID == 0 {
				return "", pgerror.New(pgerror.UndefinedObject, "constraint %q for table %q does not exist", sub, rel.Name)
			}
		default:
			if k := map[pg_query.ObjectType]byte{pg_query.ObjectType_OBJECT_TABLE: catalog.KindTable, pg_query.ObjectType_OBJECT_VIEW: catalog.KindView,
				pg_query.ObjectType_OBJECT_INDEX: catalog.KindIndex, pg_query.ObjectType_OBJECT_SEQUENCE: catalog.KindSequence}[s.Objtype]; rel.Kind != k {
				return "", pgerror.New(pgerror.WrongObjectType, "%q is not %s", rel.Name, article(kindNoun(k)))
			}
		}
		return "", c.setComment(ctx, o, s.Comment)
	case pg_query.ObjectType_OBJECT_SCHEMA:
		ns, err := namespaceByName(ctx, c, str(s.Object))
		if err != nil {
			return "", err
		}
		if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, ns.Owner); err != nil || !ok {
			return "", pgerror.New(pgerror.InsufficientPrivilege, "must be owner of schema %s", ns.Name)
		}
		return "", c.setComment(ctx, catalog.Object{Class: catalog.ClassNamespace, OID: ns.OID}, s.Comment)
	case pg_query.ObjectType_OBJECT_TYPE:
		t, err := c.findType(ctx, strs(s.Object.GetTypeName().GetNames()))
		if err != nil {
			return "", err
		}
		if err := c.checkTypeOwner(ctx, t); err != nil {
			return "", err
		}
		return "", c.setComment(ctx, catalog.Object{Class: catalog.ClassType, OID: t.OID}, s.Comment)
	case pg_query.ObjectType_OBJECT_DATABASE:
		row, err := c.ownDatabase(ctx, str(s.Object))
		if err != nil {
			return "", err
		}
		return "", c.setComment(ctx, catalog.Object{Class: catalog.ClassDatabase, OID: row.OID("oid")}, s.Comment)
	case pg_query.ObjectType_OBJECT_ROLE:
		r, err := c.reader().RoleByName(ctx, str(s.Object))
		if err != nil {
			return "", err
		}
		if r == nil {
			return "", pgerror.New(pgerror.UndefinedObject, "role %q does not exist", str(s.Object))
		}
		return "", c.setComment(ctx, catalog.Object{Class: catalog.ClassAuthID, OID: r.OID}, s.Comment)
	}
	return "", pgerror.Unsupported("COMMENT on this kind of object")
}
