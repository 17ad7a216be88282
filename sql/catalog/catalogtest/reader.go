package catalogtest

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

var _ catalog.Reader = (*Catalog)(nil)

func (c *Catalog) resolver() types.Resolver { return catalog.NewResolver(c, 0, catalog.DefaultPath) }

// Version, Private, DatabaseOID and DatabaseName: a catalog that never changes.
func (c *Catalog) Version() uint64        { return 1 }
func (c *Catalog) Private() bool          { return false }
func (c *Catalog) DatabaseOID() types.OID { return DatabaseOID }
func (c *Catalog) DatabaseName() string   { return "test" }

func (c *Catalog) Namespace(_ context.Context, oid types.OID) (*catalog.Namespace, error) {
	for _, n := range c.spaces {
		if n.OID == oid {
			return n, nil
		}
	}
	return nil, nil
}

func (c *Catalog) NamespaceByName(_ context.Context, name string) (*catalog.Namespace, error) {
	for _, n := range c.spaces {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, nil
}

func (c *Catalog) Relation(_ context.Context, oid types.OID) (*catalog.Relation, error) {
	if r := c.rels[oid]; r != nil {
		return r, nil
	}
	return catalog.SystemRelation(DatabaseOID, oid), nil
}

func (c *Catalog) RelationByName(_ context.Context, ns types.OID, name string) (*catalog.Relation, error) {
	if ns == catalog.PgCatalogNamespace {
		return catalog.SystemRelation(DatabaseOID, catalog.SystemRelationOID(name)), nil
	}
	if ns == catalog.PublicNamespace {
		return c.byName["public."+name], nil
	}
	return nil, nil
}

func (c *Catalog) Type(_ context.Context, oid types.OID) (*catalog.Type, error) {
	if t := c.types[oid]; t != nil {
		return t, nil
	}
	return c.BuiltinType(oid), nil
}

func (c *Catalog) TypeByName(_ context.Context, ns types.OID, name string) (*catalog.Type, error) {
	if ns == catalog.PublicNamespace {
		return c.typeName["public."+name], nil
	}
	return c.BuiltinTypeByName(ns, name), nil
}

func (c *Catalog) Sequence(_ context.Context, relid types.OID) (*catalog.Sequence, error) {
	return c.seqs[relid], nil
}

func (c *Catalog) Stats(_ context.Context, relid types.OID) (*catalog.Stats, error) {
	return c.stats[relid], nil
}

var postgres = &catalog.Role{OID: catalog.BootstrapRole, Name: "postgres", Super: true, Inherit: true, CreateRole: true, CreateDB: true, Login: true, Replication: true, BypassRLS: true, ConnLimit: -1}

func (c *Catalog) Role(_ context.Context, oid types.OID) (*catalog.Role, error) {
	if oid == postgres.OID {
		return postgres, nil
	}
	return nil, nil
}

func (c *Catalog) RoleByName(_ context.Context, name string) (*catalog.Role, error) {
	if name == postgres.Name {
		return postgres, nil
	}
	return nil, nil
}

func (c *Catalog) DefaultOpClass(am string, typ types.OID) *catalog.OpClass {
	t, _ := c.Type(context.Background(), typ)
	return c.DefaultOpClassOf(am, t)
}

// The Resolver, over the path pg_catalog, public.

func (c *Catalog) TypeByOID(oid types.OID) (types.T, bool) {
	t, _ := c.Type(context.Background(), oid)
	if t == nil {
		return types.T{}, false
	}
	return t.T, true
}

func (c *Catalog) FormatType(oid types.OID, mod int32) string {
	return catalog.FormatTypeIn(c, catalog.DefaultPath, oid, mod, mod >= 0)
}

func (c *Catalog) ArrayTypeOf(elem types.OID) types.OID {
	t, _ := c.Type(context.Background(), elem)
	if t == nil {
		return 0
	}
	return t.Array
}

func (c *Catalog) EnumLabel(v types.OID) (types.OID, string, float32, bool) {
	e, ok := c.labels[v]
	return e.typ, e.Label, e.Sort, ok
}

func (c *Catalog) EnumValue(typ types.OID, label string) (types.OID, bool) {
	if t := c.types[typ]; t != nil {
		for _, e := range t.Labels {
			if e.Label == label {
				return e.OID, true
			}
		}
	}
	return 0, false
}

func (c *Catalog) Composite(typ types.OID) (names []string, fields []types.T, ok bool) {
	t, _ := c.Type(context.Background(), typ)
	if t == nil || t.Relation == 0 {
		return nil, nil, false
	}
	r, _ := c.Relation(context.Background(), t.Relation)
	if r == nil {
		return nil, nil, false
	}
	for _, col := range r.Columns {
		if !col.Dropped {
			names, fields = append(names, col.Name), append(fields, col.Type)
		}
	}
	return names, fields, true
}

func (c *Catalog) RegIn(reg types.OID, text string) (types.OID, error) {
	return c.resolver().RegIn(reg, text)
}

func (c *Catalog) RegOut(reg, v types.OID) string { return c.resolver().RegOut(reg, v) }
