package sys

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// identity is what the catalogs say of (classid, objid, objsubid) to people and to
// other servers. A zero text is NULL where PostgreSQL answers NULL.
type identity struct {
	description string // pg_describe_object
	kind        string // "table", "view column"; known even of objects that are gone
	schema      string
	name        string
	identity    string   // unambiguous, always qualified
	names, args []string // what pg_get_object_address takes
}

func (o *identity) found() bool { return o.identity != "" }

// Classes beside those that package catalog names.
const (
	classAM         types.OID = 2601
	classOpFamily   types.OID = 2753
	classLanguage   types.OID = 2612
	classTablespace types.OID = 1213
	classCast       types.OID = 2605
	classTSConfig   types.OID = 3602
	classTSDict     types.OID = 3600
	classTSParser   types.OID = 3601
	classTSTemplate types.OID = 3764
)

// plainClasses are catalogs whose objects have a name and perhaps a schema.
var plainClasses = map[types.OID]struct{ table, kind, name, schema string }{
	catalog.ClassNamespace: {"pg_namespace", "schema", "nspname", ""},
	catalog.ClassAuthID:    {"pg_authid", "role", "rolname", ""},
	catalog.ClassDatabase:  {"pg_database", "database", "datname", ""},
	catalog.ClassCollation: {"pg_collation", "collation", "collname", "collnamespace"},
	classAM:                {"pg_am", "access method", "amname", ""},
	classLanguage:          {"pg_language", "language", "lanname", ""},
	classTablespace:        {"pg_tablespace", "tablespace", "spcname", ""},
	classTSConfig:          {"pg_ts_config", "text search configuration", "cfgname", "cfgnamespace"},
	classTSDict:            {"pg_ts_dict", "text search dictionary", "dictname", "dictnamespace"},
	classTSParser:          {"pg_ts_parser", "text search parser", "prsname", "prsnamespace"},
	classTSTemplate:        {"pg_ts_template", "text search template", "tmplname", "tmplnamespace"},
}

// objectFinder looks objects up in one session's catalogs.
type objectFinder struct {
	ctx *expr.Context
	s   Session
}

func (f objectFinder) row(table string, oid types.OID) (*catalog.Row, error) {
	return catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), table, table+"_oid_index", oid)
}

func (f objectFinder) schema(oid types.OID) string {
	if ns, err := f.s.CatalogReader().Namespace(f.ctx.Ctx, oid); err == nil && ns != nil {
		return ns.Name
	}
	return ""
}

// typeNames spells types for people (by the search path) and for identities.
func (f objectFinder) typeName(oid types.OID) string {
	return catalog.FormatTypeIn(f.s.CatalogReader(), path(f.s), oid, -1, false)
}

func (f objectFinder) typeIdentity(oid types.OID) string {
	return catalog.FormatTypeIn(f.s.CatalogReader(), nil, oid, -1, false)
}

func (f objectFinder) typeIdentities(oids []types.OID) []string {
	out := make([]string, len(oids))
	for i, o := range oids {
		out[i] = f.typeIdentity(o)
	}
	return out
}

var relationKinds = map[byte]string{catalog.KindTable: "table", catalog.KindIndex: "index", catalog.KindSequence: "sequence", catalog.KindView: "view",
	catalog.KindMatView: "materialized view", catalog.KindComposite: "composite type", 't': "toast table", 'f': "foreign table", 'p': "table", 'I': "index"}

// relation fills in a relation and returns its noun with its name for people.
func (f objectFinder) relation(oid types.OID, o *identity) (text string, err error) {
	row, err := f.row("pg_class", oid)
	if err != nil || row == nil {
		return "", err
	}
	r := f.s.CatalogReader()
	ns, name := row.OID("relnamespace"), row.Str("relname")
	o.kind, o.schema, o.name = relationKinds[row.Char("relkind")], f.schema(ns), name
	o.identity, o.names = catalog.QuoteQualified(o.schema, name), []string{o.schema, name}
	text = o.identity
	if catalog.RelationVisible(f.ctx.Ctx, r, path(f.s), ns, name) {
		text = catalog.QuoteIdent(name)
	}
	return o.kind + " " + text, nil
}

// part makes o, a relation, into something that belongs to it.
func (o *identity) part(kind, name, description string) {
	o.description, o.kind, o.schema, o.name = description, kind, "", ""
	o.identity, o.names = catalog.QuoteIdent(name)+" on "+o.identity, append(o.names, name)
}

func (f objectFinder) find(class, oid types.OID, sub int32) (*identity, error) {
	o := &identity{}
	if p, ok := plainClasses[class]; ok {
		o.kind = p.kind
		row, err := f.row(p.table, oid)
		if err != nil || row == nil {
			return o, err
		}
		o.name = row.Str(p.name)
		o.identity, o.names = catalog.QuoteIdent(o.name), []string{o.name}
		if p.schema != "" {
			o.schema = f.schema(row.OID(p.schema))
			o.identity, o.names = catalog.QuoteQualified(o.schema, o.name), []string{o.schema, o.name}
		}
		o.description = p.kind + " " + catalog.QuoteIdent(o.name)
		if p.schema == "" {
			o.description = p.kind + " " + o.name
		}
		return o, nil
	}
	r := f.s.CatalogReader()
	switch class {
	case catalog.ClassRelation:
		return o, f.column(oid, sub, o)
	case catalog.ClassType:
		o.kind = "type"
		ty, err := r.Type(f.ctx.Ctx, oid)
		if err != nil || ty == nil {
			return o, err
		}
		o.schema, o.name, o.identity = f.schema(ty.Namespace), ty.Name, f.typeIdentity(oid)
		o.names, o.description = []string{o.identity}, "type "+f.typeName(oid)
	case catalog.ClassProc:
		o.kind = "routine"
		p := r.Function(oid)
		if p == nil {
			return o, nil
		}
		noun := map[byte]string{'a': "aggregate", 'p': "procedure"}[p.Kind]
		if o.kind = noun; noun == "" {
			o.kind = "function"
		}
		what := "function "
		if p.Kind == 'p' {
			what = "procedure "
		}
		o.schema, o.args = f.schema(p.Namespace), f.typeIdentities(p.ArgTypes)
		o.identity, o.names = catalog.QuoteQualified(o.schema, p.Name)+"("+strings.Join(o.args, ",")+")", []string{o.schema, p.Name}
		o.description = what + f.reg(types.RegProcedure, oid)
	case catalog.ClassOperator:
		o.kind = "operator"
		p := r.Operator(oid)
		if p == nil {
			return o, nil
		}
		o.schema, o.args = f.schema(p.Namespace), []string{"-", f.typeIdentity(p.Right)}
		left := "NONE"
		if p.Left != 0 {
			left = f.typeIdentity(p.Left)
			o.args[0] = left
		}
		o.identity, o.names = o.schema+"."+p.Name+"("+left+","+o.args[1]+")", []string{o.schema, p.Name}
		o.description = "operator " + f.reg(types.RegOperator, oid)
	case catalog.ClassOpClass, classOpFamily:
		return o, f.opclass(class, oid, o)
	case classCast:
		o.kind = "cast"
		row, err := f.row("pg_cast", oid)
		if err != nil || row == nil {
			return o, err
		}
		s, t := row.OID("castsource"), row.OID("casttarget")
		o.names, o.args = []string{f.typeIdentity(s)}, []string{f.typeIdentity(t)}
		o.identity = "(" + o.names[0] + " AS " + o.args[0] + ")"
		o.description = "cast from " + f.typeName(s) + " to " + f.typeName(t)
	case catalog.ClassConstraint:
		o.kind = "constraint"
		row, err := f.row("pg_constraint", oid)
		if err != nil || row == nil || row.OID("conrelid") == 0 {
			return o, err
		}
		text, err := f.relation(row.OID("conrelid"), o)
		if err != nil {
			return o, err
		}
		schema, name := o.schema, row.Str("conname")
		o.part("table constraint", name, "constraint "+name+" on "+text)
		o.schema = schema
	case catalog.ClassRewrite, classTrigger:
		table, kind, name, rel := "pg_rewrite", "rule", "rulename", "ev_class"
		if class == classTrigger {
			table, kind, name, rel = "pg_trigger", "trigger", "tgname", "tgrelid"
		}
		o.kind = kind
		row, err := f.row(table, oid)
		if err != nil || row == nil {
			return o, err
		}
		text, err := f.relation(row.OID(rel), o)
		if err != nil {
			return o, err
		}
		o.part(kind, row.Str(name), kind+" "+row.Str(name)+" on "+text)
	case catalog.ClassAttrDef:
		o.kind = "default value"
		row, err := f.row("pg_attrdef", oid)
		if err != nil || row == nil {
			return o, err
		}
		if err := f.column(row.OID("adrelid"), int32(row.Int("adnum")), o); err != nil || !o.found() {
			return o, err
		}
		o.description, o.kind = "default value for "+o.description, "default value"
		o.schema, o.name, o.identity = "", "", "for "+o.identity
	case catalog.ClassDefaultACL:
		o.kind = "default acl"
		row, err := f.row("pg_default_acl", oid)
		if err != nil || row == nil {
			return o, err
		}
		o.description = catalog.DescribeDefaultACL(f.ctx.Ctx, r, row)
		role, err := r.Role(f.ctx.Ctx, row.OID("defaclrole"))
		if err != nil || role == nil {
			return o, err
		}
		o.names, o.args = []string{role.Name}, []string{string(rune(row.Char("defaclobjtype")))}
		o.identity = "for role " + catalog.QuoteIdent(role.Name)
		if schema := f.schema(row.OID("defaclnamespace")); schema != "" {
			o.names, o.identity = append(o.names, schema), o.identity+" in schema "+catalog.QuoteIdent(schema)
		}
		o.identity += " on " + defaultACLNouns[row.Char("defaclobjtype")]
	default:
		if catalog.SystemRelation(r.DatabaseOID(), class) != nil {
			return nil, pgerror.Unsupported("the description of an object of class %s", f.reg(types.RegClass, class))
		}
		return nil, pgerror.New(pgerror.InternalError, "unrecognized object class: %d", class)
	}
	return o, nil
}

const classTrigger types.OID = 2620

var defaultACLNouns = map[byte]string{'r': "tables", 'S': "sequences", 'f': "functions", 'T': "types", 'n': "schemas"}

// column describes a relation or, with sub, one of its columns.
func (f objectFinder) column(oid types.OID, sub int32, o *identity) error {
	o.kind = "relation"
	text, err := f.relation(oid, o)
	if err != nil || text == "" {
		if sub != 0 {
			o.kind = "table column"
		}
		return err
	}
	if sub == 0 {
		o.description = text
		return nil
	}
	rel := o.kind
	rows, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), "pg_attribute", "pg_attribute_relid_attnum_index", oid, int16(sub))
	if err != nil {
		return err
	}
	if rows == nil {
		*o = identity{kind: rel + " column"}
		return nil
	}
	name := rows.Str("attname")
	o.description, o.kind = "column "+name+" of "+text, rel+" column"
	o.identity, o.names = o.identity+"."+catalog.QuoteIdent(name), append(o.names, name)
	return nil
}

func (f objectFinder) opclass(class, oid types.OID, o *identity) error {
	table, pre := "pg_opclass", "opc"
	o.kind = "operator class"
	if class == classOpFamily {
		table, pre, o.kind = "pg_opfamily", "opf", "operator family"
	}
	row, err := f.row(table, oid)
	if err != nil || row == nil {
		return err
	}
	am := catalog.Builtins().AccessMethod(row.OID(pre + "method"))
	o.schema, o.name = f.schema(row.OID(pre+"namespace")), row.Str(pre+"name")
	o.identity = catalog.QuoteQualified(o.schema, o.name) + " USING " + am
	o.names = []string{am, o.schema, o.name}
	o.description = o.kind + " " + catalog.QuoteIdent(o.name) + " for access method " + am
	return nil
}

func (f objectFinder) reg(kind, oid types.OID) string {
	return catalog.NewResolver(f.s.CatalogReader(), 0, path(f.s)).RegOut(kind, oid)
}

func registerObjectNames(r *expr.Registry) {
	find := func(ctx *expr.Context, s Session, a []types.Datum) (*identity, error) {
		return objectFinder{ctx, s}.find(a[0].(types.OID), a[1].(types.OID), a[2].(int32))
	}
	text := func(s string) types.Datum {
		if s == "" {
			return nil
		}
		return s
	}
	add(r, "pg_describe_object(oid,oid,int4)", three(func(ctx *expr.Context, s Session, class, oid types.OID, sub int32) (types.Datum, error) {
		if class == 0 && oid == 0 {
			return nil, nil
		}
		o, err := find(ctx, s, []types.Datum{class, oid, sub})
		if err != nil {
			return nil, err
		}
		return text(o.description), nil
	}))
	row := func(sig string, make func(o *identity) []types.Datum) {
		add(r, sig, three(func(ctx *expr.Context, s Session, class, oid types.OID, sub int32) (types.Datum, error) {
			o, err := find(ctx, s, []types.Datum{class, oid, sub})
			if err != nil {
				return nil, err
			}
			fields := make(o)
			rec := &types.Record{Type: types.Of(types.RecordOID), Fields: fields, Types: textRow[:len(fields)], Names: []string{"type", "schema", "name", "identity"}}
			if len(fields) == 3 {
				rec.Types, rec.Names = addressRow, []string{"type", "object_names", "object_args"}
			}
			return rec, nil
		}))
	}
	row("pg_identify_object(oid,oid,int4)", func(o *identity) []types.Datum {
		name := text(o.name)
		if o.name != "" {
			name = catalog.QuoteIdent(o.name)
		}
		schema := text(o.schema)
		if o.schema != "" {
			schema = catalog.QuoteIdent(o.schema)
		}
		return []types.Datum{o.kind, schema, name, text(o.identity)}
	})
	row("pg_identify_object_as_address(oid,oid,int4)", func(o *identity) []types.Datum {
		if !o.found() {
			return []types.Datum{o.kind, nil, nil}
		}
		return []types.Datum{o.kind, textArray(o.names), textArray(o.args)}
	})
}

var (
	textRow    = []types.T{types.Of(types.Text), types.Of(types.Text), types.Of(types.Text), types.Of(types.Text)}
	addressRow = []types.T{types.Of(types.Text), types.Of(types.TextArray), types.Of(types.TextArray)}
)

func textArray(s []string) *types.Array {
	ds := make([]types.Datum, len(s))
	for i, t := range s {
		ds[i] = t
	}
	return types.NewArray(types.Of(types.Text), ds)
}

// errCacheLookup is PostgreSQL's answer to an OID that names nothing.
func errCacheLookup(what string, oid types.OID) error {
	return pgerror.New(pgerror.InternalError, "cache lookup failed for %s %s", what, strconv.FormatUint(uint64(oid), 10))
}

func errNoParser(name string) error {
	return pgerror.New(pgerror.UndefinedObject, "%s", fmt.Sprintf("text search parser %q does not exist", name))
}
