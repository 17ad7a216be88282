package catalog

import (
	"strings"
	"sync"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sysTable is one of the catalogs itself: its layout as the facts give it.
type sysTable struct {
	name    string
	oid     types.OID
	shared  bool // one for all databases (pg_database, pg_authid …)
	static  bool // rows are facts that no DDL changes: stored once for all databases
	columns []Column
	cols    map[string]int // ordinal by name
	indexes []sysIndex
	byName  map[string]*sysIndex
	primary *sysIndex
}

type sysIndex struct {
	oid     types.OID
	name    string
	unique  bool
	primary bool
	keys    []int // ordinals
	pos     int   // in planpb.Table.Indexes; −1: the primary key
}

// staticCatalogs never change after the store was made, so that databases share them.
var staticCatalogs = map[string]bool{
	"pg_proc": true, "pg_operator": true, "pg_cast": true, "pg_aggregate": true, "pg_amop": true, "pg_amproc": true,
	"pg_opclass": true, "pg_opfamily": true, "pg_am": true, "pg_collation": true, "pg_language": true, "pg_range": true,
	"pg_ts_config": true, "pg_ts_dict": true, "pg_ts_parser": true, "pg_ts_template": true, "pg_conversion": true,
}

// textualColumns hold values whose type the catalog calls anyarray: their text
// form is stored.
var textualColumns = types.AnyArray

type sysCatalog struct {
	tables map[string]*sysTable
	byOID  map[types.OID]*sysTable
	// index OID → table
	indexTable map[types.OID]*sysTable
	// byRelName finds the OID of a catalog or of its index.
	byRelName map[string]types.OID
	class     map[types.OID]factRow
}

var sysCatalogs = sync.OnceValue(func() *sysCatalog {
	s := &sysCatalog{tables: map[string]*sysTable{}, byOID: map[types.OID]*sysTable{}, indexTable: map[types.OID]*sysTable{}, byRelName: map[string]types.OID{}, class: map[types.OID]factRow{}}
	b := Builtins()
	names := map[types.OID]string{}
	loadFacts("pg_class").each(func(r factRow) {
		oid := r.oid("oid")
		s.class[oid] = r
		names[oid] = r.str("relname")
		if r.char("relkind") != KindTable {
			return
		}
		t := &sysTable{name: r.str("relname"), oid: oid, shared: r.boolean("relisshared"), cols: map[string]int{}, byName: map[string]*sysIndex{}}
		t.static = staticCatalogs[t.name]
		s.tables[t.name], s.byOID[oid], s.byRelName[t.name] = t, t, oid
	})
	loadFacts("pg_attribute").each(func(r factRow) {
		t := s.byOID[r.oid("attrelid")]
		n := int(r.num("attnum"))
		if t == nil || n <= 0 {
			return
		}
		for len(t.columns) < n {
			t.columns = append(t.columns, Column{})
		}
		c := Column{Name: r.str("attname"), AttNum: n, Collation: r.oid("attcollation"), NotNull: r.boolean("attnotnull")}
		if ty := b.BuiltinType(r.oid("atttypid")); ty.OID == textualColumns {
			c.Type, c.Collation = types.Of(types.Text), DefaultCollation
		} else {
			c.Type = ty.T
		}
		t.columns[n-1] = c
		t.cols[c.Name] = n - 1
	})
	loadFacts("pg_index").each(func(r factRow) {
		t := s.byOID[r.oid("indrelid")]
		if t == nil {
			return
		}
		ix := sysIndex{oid: r.oid("indexrelid"), unique: r.boolean("indisunique"), primary: r.boolean("indisprimary"), pos: -1}
		ix.name = names[ix.oid]
		for _, k := range strings.Fields(r.str("indkey")) {
			ix.keys = append(ix.keys, atoi(k)-1)
		}
		t.indexes = append(t.indexes, ix)
		s.indexTable[ix.oid] = t
		s.byRelName[ix.name] = ix.oid
	})
	for _, t := range s.tables {
		n := 0
		for i := range t.indexes {
			ix := &t.indexes[i]
			t.byName[ix.name] = ix
			if ix.primary {
				t.primary = ix
				continue
			}
			ix.pos = n
			n++
		}
	}
	return s
})

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// sysTableByName gives a catalog's layout. The name is a constant of this package's callers.
func sysTableByName(name string) *sysTable {
	t := sysCatalogs().tables[name]
	if t == nil {
		panic("catalog: no catalog " + name)
	}
	return t
}

// storageDB is the database whose key space holds the rows.
func (t *sysTable) storageDB(db types.OID) types.OID {
	if t.shared || t.static {
		return 0
	}
	return db
}

var sysStorage sync.Map // sysStorageKey → *planpb.Table

type sysStorageKey struct{ db, table types.OID }

// storage is the catalog as storage knows it, for one database.
func (t *sysTable) storage(db types.OID) *planpb.Table {
	key := sysStorageKey{t.storageDB(db), t.oid}
	if p, ok := sysStorage.Load(key); ok {
		return p.(*planpb.Table)
	}
	p := &planpb.Table{
		StorageId: storageID(key.db, t.oid), RelationId: storageID(key.db, t.oid), Schema: "pg_catalog", Name: t.name, Placement: planpb.Placement_SYSTEM,
	}
	for _, c := range t.columns {
		p.Columns = append(p.Columns, &planpb.Column{Attnum: uint32(c.AttNum), Name: c.Name, Type: planpb.NewType(c.Type), NotNull: c.NotNull})
	}
	keyParts := func(ix *sysIndex) []*planpb.KeyPart {
		var k []*planpb.KeyPart
		for _, o := range ix.keys {
			k = append(k, &planpb.KeyPart{Ordinal: uint32(o)})
		}
		return k
	}
	for i := range t.indexes {
		ix := &t.indexes[i]
		if ix.primary {
			p.PrimaryKey, p.PrimaryKeyName = keyParts(ix), ix.name
			continue
		}
		p.Indexes = append(p.Indexes, &planpb.Index{StorageId: storageID(key.db, ix.oid), Oid: uint32(ix.oid), Name: ix.name, Unique: ix.unique, Keys: keyParts(ix)})
	}
	got, _ := sysStorage.LoadOrStore(key, p)
	return got.(*planpb.Table)
}

// storageID is a relation's key-space id (or, with its pg_class OID, its lock id).
func storageID(db, node types.OID) uint64 { return uint64(db)<<32 | uint64(node) }

// relation is the catalog's own descriptor.
func (t *sysTable) relation(db types.OID) *Relation {
	b := Builtins()
	class := sysCatalogs().class[t.oid]
	r := &Relation{
		OID: t.oid, Name: t.name, Namespace: PgCatalogNamespace, Schema: "pg_catalog", Kind: KindTable, Owner: BootstrapRole,
		RowType: class.oid("reltype"), FileNode: t.oid, Persistence: 'p', ACL: []string{"postgres=arwdDxt/postgres", "=r/postgres"},
		Columns: t.columns, PrimaryKey: -1, Storage: t.storage(db), Ordinals: make([]int, len(t.columns)),
	}
	if secretCatalogs[t.name] {
		r.ACL = r.ACL[:1]
	}
	for i := range r.Ordinals {
		r.Ordinals[i] = i
	}
	for i := range t.indexes {
		ix := &t.indexes[i]
		d := &Index{OID: ix.oid, Name: ix.name, Table: t.oid, Unique: ix.unique, Primary: ix.primary, Valid: true, StorageIndex: ix.pos, FileNode: ix.oid}
		for _, o := range ix.keys {
			c := t.columns[o]
			k := IndexKey{AttNum: c.AttNum, Type: c.Type, Collation: c.Collation}
			if oc := b.DefaultOpClassOf("btree", b.BuiltinType(c.Type.OID)); oc != nil {
				k.OpClass, k.Family = oc.OID, oc.Family
			}
			d.Keys = append(d.Keys, k)
		}
		if ix.primary {
			r.PrimaryKey = len(r.Indexes)
		}
		r.Indexes = append(r.Indexes, d)
	}
	return r
}

// secretCatalogs are readable by superusers only.
var secretCatalogs = map[string]bool{"pg_authid": true, "pg_statistic": true, "pg_statistic_ext_data": true, "pg_subscription": true, "pg_user_mapping": true, "pg_largeobject": true}

var sysRelations sync.Map // sysStorageKey → *Relation

// SystemRelation describes one of the catalogs themselves for a database, from
// the facts alone; nil when oid is none.
func SystemRelation(db, oid types.OID) *Relation {
	t := sysCatalogs().byOID[oid]
	if t == nil {
		return nil
	}
	key := sysStorageKey{db, oid}
	if r, ok := sysRelations.Load(key); ok {
		return r.(*Relation)
	}
	r, _ := sysRelations.LoadOrStore(key, t.relation(db))
	return r.(*Relation)
}

// SystemRelationOID finds a catalog by name, 0 for none.
func SystemRelationOID(name string) types.OID {
	if t := sysCatalogs().tables[name]; t != nil {
		return t.oid
	}
	return 0
}

// SharedStorage reports whether a catalog's rows are stored once for all databases.
func SharedStorage(oid types.OID) bool {
	s := sysCatalogs()
	t := s.byOID[oid]
	if t == nil {
		t = s.indexTable[oid]
	}
	return t != nil && (t.shared || t.static)
}

// StorageOf is the storage id of a row of pg_class of database db, 0 for what has
// none. PostgreSQL shows relfilenode 0 for the catalogs it needs first; they lie
// under their OID.
func StorageOf(db types.OID, class *Row) uint64 {
	oid, node := class.OID("oid"), class.OID("relfilenode")
	switch class.Char("relkind") {
	case KindTable, KindIndex, KindMatView:
		if node == 0 && oid < types.FirstNormalOID {
			node = oid
		}
	}
	if node == 0 {
		return 0
	}
	if SharedStorage(oid) {
		db = 0
	}
	return storageID(db, node)
}
