// Package catalogtest is an in-memory catalog.Reader for tests of parse analysis
// and planning: tables, enums and composite types are declared by Go calls, the
// built-in objects and the system catalogs are there.
package catalogtest

import (
	"context"
	"fmt"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Catalog is a test double of one database. Declare first, read afterwards;
// reading is safe for concurrent use.
type Catalog struct {
	*catalog.BuiltinObjects
	next      types.OID
	rels      map[types.OID]*catalog.Relation
	byName    map[string]*catalog.Relation
	types     map[types.OID]*catalog.Type
	typeName  map[string]*catalog.Type
	labels    map[types.OID]enumLabel
	seqs      map[types.OID]*catalog.Sequence
	stats     map[types.OID]*catalog.Stats
	spaces    []*catalog.Namespace
	indexRels map[types.OID]*catalog.Index
}

type enumLabel struct {
	typ types.OID
	catalog.EnumLabel
}

// DatabaseOID of the test database.
const DatabaseOID types.OID = 5

// New makes a database with the namespaces pg_catalog and public.
func New() *Catalog {
	return &Catalog{
		BuiltinObjects: catalog.Builtins(), next: types.FirstNormalOID,
		rels: map[types.OID]*catalog.Relation{}, byName: map[string]*catalog.Relation{},
		types: map[types.OID]*catalog.Type{}, typeName: map[string]*catalog.Type{}, labels: map[types.OID]enumLabel{},
		seqs: map[types.OID]*catalog.Sequence{}, stats: map[types.OID]*catalog.Stats{}, indexRels: map[types.OID]*catalog.Index{},
		spaces: []*catalog.Namespace{
			{OID: catalog.PgCatalogNamespace, Name: "pg_catalog", Owner: catalog.BootstrapRole},
			{OID: catalog.PublicNamespace, Name: "public", Owner: catalog.BootstrapRole},
		},
	}
}

func (c *Catalog) oid() types.OID { c.next++; return c.next - 1 }

// Col declares a column: a name and a type as SQL writes it ("int", "numeric(15,2)", "text[]").
func Col(name, typ string) ColumnDef { return ColumnDef{Name: name, Type: typ} }

// ColumnDef is a column of Table.
type ColumnDef struct {
	Name, Type string
	NotNull    bool
	Default    query.Expr
	Generated  bool
	Identity   byte
}

// Required makes the column NOT NULL.
func (d ColumnDef) Required() ColumnDef { d.NotNull = true; return d }

// WithDefault sets the default expression.
func (d ColumnDef) WithDefault(e query.Expr) ColumnDef { d.Default = e; return d }

// Table declares public.name. An element of cols that is a name in primaryKey becomes NOT NULL.
func (c *Catalog) Table(name string, primaryKey []string, cols ...ColumnDef) *catalog.Relation {
	oid := c.oid()
	row := c.addType(&catalog.Type{Name: name, TypType: 'c', Category: 'C', Len: -1, Relation: oid, Delim: ','})
	r := &catalog.Relation{OID: oid, Name: name, Namespace: catalog.PublicNamespace, Schema: "public", Kind: catalog.KindTable,
		Owner: catalog.BootstrapRole, RowType: row.OID, FileNode: oid, Persistence: 'p', PrimaryKey: -1}
	r.Storage = &planpb.Table{StorageId: uint64(DatabaseOID)<<32 | uint64(oid), RelationId: uint64(DatabaseOID)<<32 | uint64(oid), Schema: "public", Name: name}
	for i, d := range cols {
		t := c.mustType(d.Type)
		col := catalog.Column{Name: d.Name, AttNum: i + 1, Type: t, NotNull: d.NotNull, Default: d.Default, Generated: d.Generated, Identity: d.Identity}
		if ty, _ := c.Type(context.Background(), t.OID); ty != nil {
			col.Collation = ty.Collation
		}
		for _, k := range primaryKey {
			col.NotNull = col.NotNull || k == d.Name
		}
		r.Columns = append(r.Columns, col)
		r.Ordinals = append(r.Ordinals, i)
		r.Storage.Columns = append(r.Storage.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: d.Name, Type: planpb.NewType(t), NotNull: col.NotNull})
	}
	c.rels[oid], c.byName["public."+name] = r, r
	if len(primaryKey) > 0 {
		ix := c.index(r, name+"_pkey", true, primaryKey)
		ix.Primary, ix.StorageIndex = true, -1
		r.PrimaryKey = len(r.Indexes) - 1
		for _, k := range ix.Keys {
			r.Storage.PrimaryKey = append(r.Storage.PrimaryKey, &planpb.KeyPart{Ordinal: uint32(k.AttNum - 1)})
		}
		r.Storage.PrimaryKeyName = ix.Name
		con := &catalog.Constraint{OID: c.oid(), Name: ix.Name, Namespace: r.Namespace, Type: 'p', Relation: oid, Index: ix.OID, Validated: true}
		for _, k := range ix.Keys {
			con.Columns = append(con.Columns, k.AttNum)
		}
		ix.Constraint = con.OID
		r.Constraints = append(r.Constraints, con)
	}
	return r
}

// Index declares a secondary index over columns of a table.
func (c *Catalog) Index(r *catalog.Relation, name string, unique bool, cols ...string) *catalog.Index {
	ix := c.index(r, name, unique, cols)
	p := &planpb.Index{StorageId: uint64(DatabaseOID)<<32 | uint64(ix.OID), Oid: uint32(ix.OID), Name: name, Unique: unique}
	for _, k := range ix.Keys {
		p.Keys = append(p.Keys, &planpb.KeyPart{Ordinal: uint32(k.AttNum - 1)})
	}
	ix.StorageIndex = len(r.Storage.Indexes)
	r.Storage.Indexes = append(r.Storage.Indexes, p)
	return ix
}

func (c *Catalog) index(r *catalog.Relation, name string, unique bool, cols []string) *catalog.Index {
	ix := &catalog.Index{OID: c.oid(), Name: name, Table: r.OID, Unique: unique, Valid: true}
	ix.FileNode = ix.OID
	for _, n := range cols {
		for _, col := range r.Columns {
			if col.Name == n {
				k := catalog.IndexKey{AttNum: col.AttNum, Type: col.Type, Collation: col.Collation}
				if oc := c.DefaultOpClass("btree", col.Type.OID); oc != nil {
					k.OpClass, k.Family = oc.OID, oc.Family
				}
				ix.Keys = append(ix.Keys, k)
			}
		}
	}
	if len(ix.Keys) != len(cols) {
		panic(fmt.Sprintf("catalogtest: index %s: unknown column in %v", name, cols))
	}
	r.Indexes = append(r.Indexes, ix)
	c.indexRels[ix.OID] = ix
	return ix
}

// Check adds a CHECK constraint to a table.
func (c *Catalog) Check(r *catalog.Relation, name string, e query.Expr) {
	r.Constraints = append(r.Constraints, &catalog.Constraint{OID: c.oid(), Name: name, Namespace: r.Namespace, Type: 'c', Relation: r.OID, Check: e, Validated: true})
}

// View declares public.name with a definition; columns come from its target list.
func (c *Catalog) View(name string, q *query.Query) *catalog.Relation {
	oid := c.oid()
	row := c.addType(&catalog.Type{Name: name, TypType: 'c', Category: 'C', Len: -1, Relation: oid, Delim: ','})
	r := &catalog.Relation{OID: oid, Name: name, Namespace: catalog.PublicNamespace, Schema: "public", Kind: catalog.KindView,
		Owner: catalog.BootstrapRole, RowType: row.OID, Persistence: 'p', PrimaryKey: -1, View: q}
	for _, te := range q.TargetList {
		if te.Junk {
			continue
		}
		r.Columns = append(r.Columns, catalog.Column{Name: te.Name, AttNum: len(r.Columns) + 1, Type: te.Expr.Type(), Collation: te.Expr.Collation()})
		r.Ordinals = append(r.Ordinals, len(r.Ordinals))
	}
	c.rels[oid], c.byName["public."+name] = r, r
	return r
}

// Enum declares an enum type with its array type.
func (c *Catalog) Enum(name string, labels ...string) *catalog.Type {
	t := c.addType(&catalog.Type{Name: name, TypType: 'e', Category: 'E', Len: 4, ByVal: true, Delim: ','})
	for i, l := range labels {
		e := catalog.EnumLabel{OID: c.oid(), Label: l, Sort: float32(i + 1)}
		t.Labels = append(t.Labels, e)
		c.labels[e.OID] = enumLabel{t.OID, e}
	}
	return t
}

// SetStats gives a table statistics.
func (c *Catalog) SetStats(r *catalog.Relation, s *catalog.Stats) { c.stats[r.OID] = s }

// AddSequence declares a sequence relation.
func (c *Catalog) AddSequence(name string) *catalog.Relation {
	r := &catalog.Relation{OID: c.oid(), Name: name, Namespace: catalog.PublicNamespace, Schema: "public", Kind: catalog.KindSequence, Owner: catalog.BootstrapRole, Persistence: 'p', PrimaryKey: -1}
	c.rels[r.OID], c.byName["public."+name] = r, r
	c.seqs[r.OID] = &catalog.Sequence{Relation: r.OID, Type: types.Int8, Start: 1, Increment: 1, Min: 1, Max: 1<<63 - 1, Cache: 1}
	return r
}

func (c *Catalog) addType(t *catalog.Type) *catalog.Type {
	t.OID, t.Namespace, t.Owner = c.oid(), catalog.PublicNamespace, catalog.BootstrapRole
	arr := &catalog.Type{OID: c.oid(), Name: "_" + t.Name, Namespace: t.Namespace, Owner: t.Owner, Len: -1, TypType: 'b', Category: 'A', Elem: t.OID, IsTrueArray: true, Delim: ','}
	t.Array = arr.OID
	catalog.FillType(t, nil)
	catalog.FillType(arr, t)
	for _, x := range []*catalog.Type{t, arr} {
		c.types[x.OID], c.typeName["public."+x.Name] = x, x
	}
	return t
}

func (c *Catalog) mustType(s string) types.T {
	t, err := catalog.ParseTypeName(c, 0, catalog.DefaultPath, s)
	if err != nil {
		panic(fmt.Sprintf("catalogtest: type %q: %v", s, err))
	}
	return t
}
