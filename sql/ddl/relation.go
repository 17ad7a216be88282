package ddl

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// columnsMax is PostgreSQL's limit of columns per table.
const columnsMax = 1600

// column is a column to be.
type column struct {
	name      string
	typ       types.T
	collation types.OID
	ndims     int
	notNull   bool
	def       query.Expr
	generated bool
	identity  byte
	storage   byte // 0: the type's
	missing   types.Datum
	isMissing bool
	loc       int32
}

// relation is a relation to be.
type relation struct {
	namespace   *catalog.Namespace
	name        string
	kind        byte
	owner       types.OID
	persistence byte
	columns     []column
	options     []string
	am          types.OID
}

var systemColumns = []struct {
	name string
	typ  types.OID
	num  int
	len  int16
	al   byte
}{
	{"ctid", types.Tid, -1, 6, 's'}, {"xmin", types.Xid, -2, 4, 'i'}, {"cmin", types.Cid, -3, 4, 'i'}, {"xmax", types.Xid, -4, 4, 'i'},
	{"cmax", types.Cid, -5, 4, 'i'}, {"tableoid", types.Oid, -6, 4, 'i'},
}

// checkColumnNames refuses duplicate and system column names.
func checkColumnNames(c *Context, cols []column, kind byte) error {
	if len(cols) > columnsMax {
		return pgerror.New(pgerror.TooManyColumns, "tables can have at most %d columns", columnsMax)
	}
	seen := map[string]bool{}
	for _, col := range cols {
		if kind != catalog.KindView && kind != catalog.KindComposite {
			for _, s := range systemColumns {
				if s.name == col.name {
					return pgerror.New(pgerror.DuplicateColumn, "column name %q conflicts with a system column name", col.name)
				}
			}
		}
		if seen[col.name] {
			return pgerror.New(pgerror.DuplicateColumn, "column %q specified more than once", col.name)
		}
		seen[col.name] = true
	}
	return nil
}

// checkColumnType refuses pseudo-types in stored columns.
func checkColumnType(ctx context.Context, c *Context, name string, t types.T) error {
	ty, err := c.reader().Type(ctx, t.OID)
	if err != nil {
		return err
	}
	if ty != nil && ty.TypType == 'p' && c.Bootstrap == 0 {
		return pgerror.New(pgerror.InvalidTableDefinition, "column %q has pseudo-type %s", name, c.reader().FormatType(t.OID, -1))
	}
	if t.Class == types.ClassArray && t.ElemClass == types.ClassPseudo {
		return checkColumnType(ctx, c, name, t.ElemType())
	}
	return nil
}

// attribute makes the pg_attribute row of a column.
func attribute(ctx context.Context, c *Context, relid types.OID, n int, col column) (catalog.Values, error) {
	ty, err := c.writer().One(ctx, "pg_type", "pg_type_oid_index", col.typ.OID)
	if err != nil {
		return nil, err
	}
	if ty == nil {
		return nil, pgerror.Internal("cache lookup failed for type %d", col.typ.OID)
	}
	v := catalog.Values{
		"attrelid": relid, "attname": col.name, "atttypid": col.typ.OID, "attstattarget": int32(-1), "attlen": ty.Get("typlen"), "attnum": int16(n),
		"attndims": int32(col.ndims), "attcacheoff": int32(-1), "atttypmod": col.typ.Mod, "attbyval": ty.Get("typbyval"), "attalign": ty.Get("typalign"),
		"attstorage": ty.Get("typstorage"), "attnotnull": col.notNull, "atthasdef": col.def != nil, "attislocal": true, "attcollation": col.collation,
		"attidentity": col.identity,
	}
	if col.storage != 0 {
		v["attstorage"] = col.storage
	}
	if col.generated {
		v["attgenerated"] = byte('s')
	}
	if col.isMissing && col.missing != nil {
		text, err := missingText(ctx, c, col.typ, col.missing)
		if err != nil {
			return nil, err
		}
		v["atthasmissing"], v["attmissingval"] = true, text
	}
	return v, nil
}

// missingText is the stored form of a missing value: a one-element text array of
// its text form, which shows as PostgreSQL's array of the value does.
func missingText(_ context.Context, c *Context, t types.T, d types.Datum) (string, error) {
	env := c.env().Types
	text, err := types.Out(env, t.NoMod(), d)
	if err != nil {
		return "", err
	}
	return types.Out(env, types.Of(types.TextArray), types.NewArray(types.Of(types.Text), []types.Datum{text}))
}

// createRelation writes the catalog rows of a new relation: pg_class, pg_attribute,
// its row type, defaults and dependencies. The name is known to be free.
func createRelation(ctx context.Context, c *Context, r relation) (types.OID, error) {
	w := c.writer()
	if err := c.refuseCatalog(r.namespace, r.name); err != nil {
		return 0, err
	}
	old, err := c.reader().RelationByName(ctx, r.namespace.OID, r.name)
	if err != nil {
		return 0, err
	}
	if old != nil {
		return 0, pgerror.New(pgerror.DuplicateTable, "relation %q already exists", r.name)
	}
	if t := catalog.TempNamespace(c.reader()); t != 0 && r.namespace.OID == t {
		r.persistence = catalog.PersistenceTemp
	}
	if err := checkColumnNames(c, r.columns, r.kind); err != nil {
		return 0, err
	}
	for _, col := range r.columns {
		if err := checkColumnType(ctx, c, col.name, col.typ); err != nil {
			return 0, err
		}
	}
	hasType := r.kind != catalog.KindIndex && r.kind != catalog.KindSequence
	if hasType {
		t, err := c.reader().TypeByName(ctx, r.namespace.OID, r.name)
		if err != nil {
			return 0, err
		}
		if t != nil {
			if t.IsTrueArray {
				if err := moveArrayTypeName(ctx, c, t); err != nil {
					return 0, err
				}
			} else {
				return 0, pgerror.New(pgerror.DuplicateObject, "type %q already exists", r.name).
					WithHint("A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type.")
			}
		}
	}
	oid, err := c.newOID(ctx)
	if err != nil {
		return 0, err
	}
	var rowType types.OID
	if hasType {
		if rowType, err = createRowType(ctx, c, r, oid); err != nil {
			return 0, err
		}
	}
	var options any
	if len(r.options) > 0 {
		options = textArray(r.options)
	}
	class := catalog.Values{
		"oid": oid, "relname": r.name, "relnamespace": r.namespace.OID, "reltype": rowType, "relowner": r.owner, "relfilenode": oid,
		"relpersistence": r.persistence, "relkind": r.kind, "relnatts": int16(len(r.columns)), "relispopulated": true, "reltuples": float32(-1),
		"relreplident": byte('n'), "reloptions": options, "relam": r.am,
	}
	if c.Bootstrap != 0 && r.kind == catalog.KindView && r.name != "pg_shadow" {
		class["relacl"] = aclArray([]string{"postgres=arwdDxt/postgres", "=r/postgres"})
	}
	switch r.kind {
	case catalog.KindTable:
		class["relam"], class["relreplident"] = types.OID(2), byte('d')
	case catalog.KindView, catalog.KindComposite:
		class["relfilenode"] = types.OID(0)
		if r.kind == catalog.KindComposite {
			class["reltuples"] = float32(0)
		} else {
			class["reltuples"] = float32(0)
		}
	case catalog.KindSequence:
		class["reltuples"], class["relpages"] = float32(1), int32(1)
	case catalog.KindIndex:
		class["reltuples"], class["relpages"] = float32(0), int32(1)
	}
	var defaults *grantable
	switch r.kind {
	case catalog.KindTable, catalog.KindView, catalog.KindMatView:
		defaults, err = c.defaultPrivileges(ctx, catalog.ObjectTable, r.owner, r.namespace.OID)
	case catalog.KindSequence:
		defaults, err = c.defaultPrivileges(ctx, catalog.ObjectSequence, r.owner, r.namespace.OID)
	}
	if err != nil {
		return 0, err
	}
	if defaults != nil {
		class["relacl"] = defaults.aclOrNil()
	}
	if err := w.Insert(ctx, "pg_class", class); err != nil {
		return 0, err
	}
	if err := c.recordDefaults(ctx, defaults, catalog.Object{Class: catalog.ClassRelation, OID: oid}); err != nil {
		return 0, err
	}
	var atts []catalog.Values
	for i, col := range r.columns {
		v, err := attribute(ctx, c, oid, i+1, col)
		if err != nil {
			return 0, err
		}
		atts = append(atts, v)
	}
	if r.kind == catalog.KindTable || r.kind == catalog.KindSequence || r.kind == catalog.KindMatView {
		for _, s := range systemColumns {
			atts = append(atts, catalog.Values{"attrelid": oid, "attname": s.name, "atttypid": s.typ, "attlen": s.len, "attnum": int16(s.num), "attcacheoff": int32(-1),
				"atttypmod": int32(-1), "attbyval": s.num != -1, "attalign": s.al, "attstorage": byte('p'), "attnotnull": true, "attislocal": true})
		}
	}
	if len(atts) > 0 {
		if err := w.InsertMany(ctx, "pg_attribute", atts); err != nil {
			return 0, err
		}
	}
	self := catalog.Object{Class: catalog.ClassRelation, OID: oid}
	if r.kind != catalog.KindIndex {
		owner := self
		if r.kind == catalog.KindComposite {
			owner = catalog.Object{Class: catalog.ClassType, OID: rowType}
		}
		if err := w.Depend(ctx, owner, catalog.Object{Class: catalog.ClassNamespace, OID: r.namespace.OID}, catalog.DependNormal); err != nil {
			return 0, err
		}
		if err := recordOwner(ctx, c, owner, r.owner); err != nil {
			return 0, err
		}
	}
	for i, col := range r.columns {
		obj := catalog.Object{Class: catalog.ClassRelation, OID: oid, Sub: i + 1}
		if r.kind != catalog.KindIndex && r.kind != catalog.KindView {
			if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassType, OID: col.typ.OID}, catalog.DependNormal); err != nil {
				return 0, err
			}
		}
		if col.def != nil {
			if err := storeDefault(ctx, c, oid, i+1, col.def, col.generated); err != nil {
				return 0, err
			}
		}
	}
	return oid, nil
}

// createRowType makes the composite type of a relation and the array type over it.
func createRowType(ctx context.Context, c *Context, r relation, relid types.OID) (types.OID, error) {
	arr, err := c.newOID(ctx)
	if err != nil {
		return 0, err
	}
	oid, err := c.newOID(ctx)
	if err != nil {
		return 0, err
	}
	w := c.writer()
	record := catalog.Builtins()
	fn := func(sig string) types.OID {
		for _, f := range record.Functions(sig) {
			return f.OID
		}
		return 0
	}
	var acl any
	if r.kind == catalog.KindComposite {
		defaults, err := c.defaultPrivileges(ctx, catalog.ObjectType, r.owner, r.namespace.OID)
		if err != nil {
			return 0, err
		}
		acl = defaults.aclOrNil()
		if err := c.recordDefaults(ctx, defaults, catalog.Object{Class: catalog.ClassType, OID: oid}); err != nil {
			return 0, err
		}
	}
	err = w.Insert(ctx, "pg_type", catalog.Values{
		"oid": oid, "typacl": acl, "typname": r.name, "typnamespace": r.namespace.OID, "typowner": r.owner, "typlen": int16(-1), "typtype": byte('c'), "typcategory": byte('C'),
		"typisdefined": true, "typdelim": byte(','), "typrelid": relid, "typarray": arr, "typinput": fn("record_in"), "typoutput": fn("record_out"),
		"typreceive": fn("record_recv"), "typsend": fn("record_send"), "typalign": byte('d'), "typstorage": byte('x'), "typtypmod": int32(-1),
	})
	if err != nil {
		return 0, err
	}
	if err := createArrayType(ctx, c, arr, oid, r.name, r.namespace.OID, r.owner, 'd', 0); err != nil {
		return 0, err
	}
	self := catalog.Object{Class: catalog.ClassType, OID: oid}
	rel := catalog.Object{Class: catalog.ClassRelation, OID: relid}
	if r.kind == catalog.KindComposite {
		return oid, w.Depend(ctx, rel, self, catalog.DependInternal)
	}
	return oid, w.Depend(ctx, self, rel, catalog.DependInternal)
}

// createArrayType makes the array type over elem.
func createArrayType(ctx context.Context, c *Context, oid, elem types.OID, name string, ns, owner types.OID, align byte, collation types.OID) error {
	arrName := ""
	for base := "_" + name; ; base = "_" + base {
		arrName = clip(base, nameMax)
		t, err := c.reader().TypeByName(ctx, ns, arrName)
		if err != nil {
			return err
		}
		if t == nil {
			break
		}
	}
	fn := func(sig string) types.OID {
		for _, f := range catalog.Builtins().Functions(sig) {
			return f.OID
		}
		return 0
	}
	err := c.writer().Insert(ctx, "pg_type", catalog.Values{
		"oid": oid, "typname": arrName, "typnamespace": ns, "typowner": owner, "typlen": int16(-1), "typtype": byte('b'), "typcategory": byte('A'),
		"typisdefined": true, "typdelim": byte(','), "typsubscript": arraySubscript, "typelem": elem, "typinput": fn("array_in"), "typoutput": fn("array_out"),
		"typreceive": fn("array_recv"), "typsend": fn("array_send"), "typanalyze": fn("array_typanalyze"), "typalign": align, "typstorage": byte('x'),
		"typtypmod": int32(-1), "typcollation": collation,
	})
	if err != nil {
		return err
	}
	return c.writer().Depend(ctx, catalog.Object{Class: catalog.ClassType, OID: oid}, catalog.Object{Class: catalog.ClassType, OID: elem}, catalog.DependInternal)
}

// arraySubscript is array_subscript_handler.
const arraySubscript types.OID = 6179

// moveArrayTypeName renames an array type that stands in the way of a new type's name.
func moveArrayTypeName(ctx context.Context, c *Context, t *catalog.Type) error {
	row, err := c.writer().One(ctx, "pg_type", "pg_type_oid_index", t.OID)
	if err != nil || row == nil {
		return err
	}
	name := "_" + t.Name
	for {
		o, err := c.reader().TypeByName(ctx, t.Namespace, clip(name, nameMax))
		if err != nil {
			return err
		}
		if o == nil {
			break
		}
		name = "_" + name
	}
	return c.writer().Update(ctx, row, catalog.Values{"typname": clip(name, nameMax)})
}

// storeDefault writes a column's default (or generation) expression.
func storeDefault(ctx context.Context, c *Context, relid types.OID, attnum int, e query.Expr, generated bool) error {
	w := c.writer()
	oid, err := c.newOID(ctx)
	if err != nil {
		return err
	}
	if err := w.Insert(ctx, "pg_attrdef", catalog.Values{"oid": oid, "adrelid": relid, "adnum": int16(attnum), "adbin": string(query.MarshalExpr(e))}); err != nil {
		return err
	}
	obj := catalog.Object{Class: catalog.ClassAttrDef, OID: oid}
	col := catalog.Object{Class: catalog.ClassRelation, OID: relid, Sub: attnum}
	how := catalog.DependAuto
	if generated {
		how = catalog.DependInternal
	}
	if err := w.Depend(ctx, obj, col, how); err != nil {
		return err
	}
	if generated {
		// What the expression needs cannot go without the column itself.
		return w.DependOnExpr(ctx, col, e, relid, catalog.DependNormal, catalog.DependNormal)
	}
	return w.DependOnExpr(ctx, obj, e, relid, catalog.DependNormal, catalog.DependNormal)
}

func textArray(ss []string) *types.Array {
	ds := make([]types.Datum, len(ss))
	for i, s := range ss {
		ds[i] = s
	}
	return types.NewArray(types.Of(types.Text), ds)
}

func aclArray(ss []string) any {
	if ss == nil {
		return nil
	}
	ds := make([]types.Datum, len(ss))
	for i, s := range ss {
		ds[i] = s
	}
	return types.NewArray(types.Of(types.ACLItem), ds)
}

// recordOwner notes in pg_shdepend that a role owns an object; the bootstrap role
// needs no note.
func recordOwner(ctx context.Context, c *Context, obj catalog.Object, owner types.OID) error {
	return shDepend(ctx, c, obj, owner, 'o')
}

func shDepend(ctx context.Context, c *Context, obj catalog.Object, role types.OID, how byte) error {
	if role < types.FirstNormalOID {
		return nil
	}
	db := c.reader().DatabaseOID()
	if obj.Class == catalog.ClassDatabase {
		db = 0
	}
	return c.writer().Insert(ctx, "pg_shdepend", catalog.Values{"dbid": db, "classid": obj.Class, "objid": obj.OID, "objsubid": int32(obj.Sub),
		"refclassid": catalog.ClassAuthID, "refobjid": role, "deptype": how})
}
