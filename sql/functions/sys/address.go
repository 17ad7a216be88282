package sys

import (
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// pg_get_object_address finds an object by the kind, names and arguments that
// pg_identify_object_as_address gives: the way back of objects.go.

var addressResult = []types.T{types.Of(types.Oid), types.Of(types.Oid), types.Of(types.Int4)}

func registerObjectAddress(r *expr.Registry) {
	add(r, "pg_get_object_address(text,_text,_text)", three(func(ctx *expr.Context, s Session, kind string, names, args *types.Array) (types.Datum, error) {
		n, err := nameList(names)
		if err != nil {
			return nil, err
		}
		a, err := nameList(args)
		if err != nil {
			return nil, err
		}
		o, err := objectFinder{ctx, s}.address(kind, n, a)
		if err != nil {
			return nil, err
		}
		return &types.Record{Type: types.Of(types.RecordOID), Types: addressResult, Names: []string{"classid", "objid", "objsubid"},
			Fields: []types.Datum{o.Class, o.OID, int32(o.Sub)}}, nil
	}))
}

func nameList(a *types.Array) ([]string, error) {
	var out []string
	for _, e := range a.Elems {
		s, ok := e.(string)
		if !ok {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "name or argument lists may not contain nulls")
		}
		out = append(out, s)
	}
	return out, nil
}

var addressedRelations = map[string]string{"table": "rp", "index": "iI", "sequence": "S", "view": "v", "materialized view": "m", "foreign table": "f", "composite type": "c"}

// addressesUnsupported are kinds that have no address by name.
var addressesUnsupported = map[string]bool{"toast table": true, "index column": true, "sequence column": true, "toast table column": true, "view column": true,
	"materialized view column": true}

func listLength(list string, got, want int) error {
	if got == want {
		return nil
	}
	return pgerror.New(pgerror.InvalidParameterValue, "%s list length must be exactly %d", list, want)
}

func (f objectFinder) address(kind string, names, args []string) (catalog.Object, error) {
	var o catalog.Object
	none := func(code pgerror.Code, format string, a ...any) (catalog.Object, error) {
		return catalog.Object{}, pgerror.New(code, format, a...)
	}
	switch {
	case addressesUnsupported[kind]:
		return none(pgerror.InvalidParameterValue, "unsupported object type %q", kind)
	case kind == "type" || kind == "domain" || kind == "cast":
		if err := listLength("name", len(names), 1); err != nil {
			return o, err
		}
		oid, err := f.regIn(types.RegType, names[0])
		if err != nil {
			return o, err
		}
		if kind != "cast" {
			return catalog.Object{Class: catalog.ClassType, OID: oid}, nil
		}
		if err := listLength("argument", len(args), 1); err != nil {
			return o, err
		}
		to, err := f.regIn(types.RegType, args[0])
		if err != nil {
			return o, err
		}
		row, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), "pg_cast", "pg_cast_source_target_index", oid, to)
		if err != nil {
			return o, err
		}
		if row == nil {
			return none(pgerror.UndefinedObject, "cast from type %s to type %s does not exist", f.typeName(oid), f.typeName(to))
		}
		return catalog.Object{Class: classCast, OID: row.OID("oid")}, nil
	case len(names) == 0:
		return none(pgerror.InvalidParameterValue, "name list length must be at least 1")
	}
	if kinds, ok := addressedRelations[kind]; ok {
		row, err := f.relationAddress(names)
		if err != nil {
			return o, err
		}
		if strings.IndexByte(kinds, row.Char("relkind")) < 0 {
			article := "a "
			if kind == "index" {
				article = "an "
			}
			return none(pgerror.WrongObjectType, "%q is not %s%s", row.Str("relname"), article, kind)
		}
		return catalog.Object{Class: catalog.ClassRelation, OID: row.OID("oid")}, nil
	}
	if part, ok := addressedParts[kind]; ok {
		if len(names) < 2 {
			return none(pgerror.InvalidParameterValue, "name list length must be at least 2")
		}
		return part(f, names[:len(names)-1], names[len(names)-1])
	}
	for class, p := range plainClasses {
		if p.kind == kind {
			return f.plainAddress(class, names)
		}
	}
	switch kind {
	case "function", "aggregate", "procedure", "routine":
		return f.routineAddress(kind, names, args)
	case "operator":
		return f.operatorAddress(names, args)
	case "operator class", "operator family":
		return f.opclassAddress(kind, names)
	}
	for _, known := range []string{"conversion", "foreign table column", "domain constraint", "large object", "policy", "transform", "event trigger", "extension",
		"foreign-data wrapper", "server", "user mapping", "default acl", "publication", "publication relation", "publication namespace", "subscription", "statistics object",
		"function of access method", "operator of access method", "parameter ACL"} {
		if kind == known {
			return o, pgerror.Unsupported("the address of a %s", kind)
		}
	}
	return none(pgerror.InvalidParameterValue, "unrecognized object type %q", kind)
}

func (f objectFinder) regIn(kind types.OID, text string) (types.OID, error) {
	return catalog.NewResolver(f.s.CatalogReader(), f.s.CurrentUserOID(), path(f.s)).RegIn(kind, text)
}

func quoteNames(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = catalog.QuoteIdent(n)
	}
	return strings.Join(q, ".")
}

func (f objectFinder) relationAddress(names []string) (*catalog.Row, error) {
	if len(names) > 3 {
		return nil, pgerror.New(pgerror.SyntaxError, "improper relation name (too many dotted names): %s", strings.Join(names, "."))
	}
	if len(names) > 1 {
		ns, err := f.s.CatalogReader().NamespaceByName(f.ctx.Ctx, names[len(names)-2])
		if err != nil {
			return nil, err
		}
		if ns == nil {
			return nil, pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", names[len(names)-2])
		}
	}
	oid, err := f.regIn(types.RegClass, quoteNames(names))
	if err != nil {
		return nil, err
	}
	row, err := f.row("pg_class", oid)
	if err == nil && row == nil {
		err = pgerror.New(pgerror.UndefinedTable, "relation %q does not exist", strings.Join(names, "."))
	}
	return row, err
}

// addressedParts find what belongs to a relation.
var addressedParts = map[string]func(f objectFinder, rel []string, name string) (catalog.Object, error){
	"table column": objectFinder.columnAddress,
	"default value": func(f objectFinder, rel []string, name string) (catalog.Object, error) {
		o, err := f.columnAddress(rel, name)
		if err != nil {
			return o, err
		}
		row, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), "pg_attrdef", "pg_attrdef_adrelid_adnum_index", o.OID, int16(o.Sub))
		if err != nil {
			return o, err
		}
		if row == nil {
			return o, pgerror.New(pgerror.UndefinedColumn, "default value for column %q of relation %q does not exist", name, strings.Join(rel, "."))
		}
		return catalog.Object{Class: catalog.ClassAttrDef, OID: row.OID("oid")}, nil
	},
	"table constraint": func(f objectFinder, rel []string, name string) (catalog.Object, error) {
		return f.partAddress(catalog.ClassConstraint, "pg_constraint", "pg_constraint_conrelid_contypid_conname_index", "constraint", rel, name, types.OID(0))
	},
	"rule": func(f objectFinder, rel []string, name string) (catalog.Object, error) {
		return f.partAddress(catalog.ClassRewrite, "pg_rewrite", "pg_rewrite_rel_rulename_index", "rule", rel, name)
	},
	"trigger": func(f objectFinder, rel []string, name string) (catalog.Object, error) {
		return f.partAddress(classTrigger, "pg_trigger", "pg_trigger_tgrelid_tgname_index", "trigger", rel, name)
	},
}

func (f objectFinder) columnAddress(rel []string, name string) (catalog.Object, error) {
	row, err := f.relationAddress(rel)
	if err != nil {
		return catalog.Object{}, err
	}
	att, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), "pg_attribute", "pg_attribute_relid_attnam_index", row.OID("oid"), name)
	if err != nil {
		return catalog.Object{}, err
	}
	if att == nil {
		return catalog.Object{}, pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", name, strings.Join(rel, "."))
	}
	return catalog.Object{Class: catalog.ClassRelation, OID: row.OID("oid"), Sub: int(att.Int("attnum"))}, nil
}

func (f objectFinder) partAddress(class types.OID, table, index, noun string, rel []string, name string, between ...types.Datum) (catalog.Object, error) {
	row, err := f.relationAddress(rel)
	if err != nil {
		return catalog.Object{}, err
	}
	found, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), table, index, append(append([]types.Datum{row.OID("oid")}, between...), name)...)
	if err != nil {
		return catalog.Object{}, err
	}
	if found == nil {
		kind := "table"
		if noun == "rule" {
			kind = "relation"
		}
		return catalog.Object{}, pgerror.New(pgerror.UndefinedObject, "%s %q for %s %q does not exist", noun, name, kind, row.Str("relname"))
	}
	return catalog.Object{Class: class, OID: found.OID("oid")}, nil
}

// plainNameIndexes find the objects of plainClasses by name, those in schemas by name
// and namespace.
var plainNameIndexes = map[string]string{"pg_namespace": "pg_namespace_nspname_index", "pg_authid": "pg_authid_rolname_index", "pg_database": "pg_database_datname_index",
	"pg_am": "pg_am_name_index", "pg_language": "pg_language_name_index", "pg_tablespace": "pg_tablespace_spcname_index", "pg_collation": "",
	"pg_ts_config": "pg_ts_config_cfgname_index", "pg_ts_dict": "pg_ts_dict_dictname_index", "pg_ts_parser": "pg_ts_parser_prsname_index", "pg_ts_template": "pg_ts_template_tmplname_index"}

func (f objectFinder) plainAddress(class types.OID, names []string) (catalog.Object, error) {
	p := plainClasses[class]
	o := catalog.Object{Class: class}
	if p.schema == "" {
		if err := listLength("name", len(names), 1); err != nil {
			return o, err
		}
		row, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), p.table, plainNameIndexes[p.table], names[0])
		if err != nil {
			return o, err
		}
		if row == nil {
			code := pgerror.UndefinedObject
			switch class {
			case catalog.ClassNamespace:
				code = pgerror.InvalidSchemaName
			case catalog.ClassDatabase:
				code = pgerror.InvalidCatalogName
			}
			return o, pgerror.New(code, "%s %q does not exist", p.kind, names[0])
		}
		o.OID = row.OID("oid")
		return o, nil
	}
	if class == catalog.ClassCollation {
		oid, err := f.regIn(types.RegCollation, quoteNames(names))
		o.OID = oid
		return o, err
	}
	spaces, name, err := f.searched(names)
	if err != nil {
		return o, err
	}
	for _, ns := range spaces {
		row, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), p.table, plainNameIndexes[p.table], name, ns)
		if err != nil {
			return o, err
		}
		if row != nil {
			o.OID = row.OID("oid")
			return o, nil
		}
	}
	return o, pgerror.New(pgerror.UndefinedObject, "%s %q does not exist", p.kind, strings.Join(names, "."))
}

// searched are the schemas in which a perhaps qualified name is looked for.
func (f objectFinder) searched(names []string) (spaces []types.OID, name string, err error) {
	name = names[len(names)-1]
	if len(names) == 1 {
		return append([]types.OID{catalog.PgCatalogNamespace}, f.s.SchemaPath()...), name, nil
	}
	ns, err := f.s.CatalogReader().NamespaceByName(f.ctx.Ctx, names[len(names)-2])
	if err == nil && ns == nil {
		err = pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", names[len(names)-2])
	}
	if err != nil {
		return nil, "", err
	}
	return []types.OID{ns.OID}, name, nil
}

func (f objectFinder) argTypes(args []string) (oids []types.OID, text string, err error) {
	var names []string
	for _, a := range args {
		if a == "-" { // regtype would read it as no type
			return nil, "", pgerror.New(pgerror.SyntaxError, "syntax error at or near %q", a)
		}
		oid, err := f.regIn(types.RegType, a)
		if err != nil {
			return nil, "", err
		}
		oids, names = append(oids, oid), append(names, f.typeName(oid))
	}
	return oids, strings.Join(names, ", "), nil
}

func (f objectFinder) routineAddress(kind string, names, args []string) (catalog.Object, error) {
	o := catalog.Object{Class: catalog.ClassProc}
	oids, text, err := f.argTypes(args)
	if err != nil {
		return o, err
	}
	spaces, name, err := f.searched(names)
	if err != nil {
		return o, err
	}
	said := quoteNames(names) + "(" + text + ")"
	for _, ns := range spaces {
		for _, p := range f.s.CatalogReader().Functions(name) {
			if p.Namespace != ns || !equalOIDs(p.ArgTypes, oids) {
				continue
			}
			is := map[byte]string{'a': "aggregate", 'p': "procedure"}[p.Kind]
			switch {
			case kind == "aggregate" && is != kind:
				return o, pgerror.New(pgerror.WrongObjectType, "function %s is not an aggregate", said)
			case kind == "procedure" && is != kind:
				return o, pgerror.New(pgerror.WrongObjectType, "%s is not a procedure", said)
			case kind == "function" && is == "procedure":
				return o, pgerror.New(pgerror.WrongObjectType, "%s is not a function", said)
			}
			o.OID = p.OID
			return o, nil
		}
	}
	if kind == "routine" {
		kind = "function"
	}
	return o, pgerror.New(pgerror.UndefinedFunction, "%s %s does not exist", kind, said)
}

func equalOIDs(a, b []types.OID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (f objectFinder) operatorAddress(names, args []string) (catalog.Object, error) {
	o := catalog.Object{Class: catalog.ClassOperator}
	if err := listLength("argument", len(args), 2); err != nil {
		return o, err
	}
	oids, _, err := f.argTypes(args)
	if err != nil {
		return o, err
	}
	spaces, name, err := f.searched(names)
	if err != nil {
		return o, err
	}
	for _, ns := range spaces {
		for _, p := range f.s.CatalogReader().Operators(name) {
			if p.Namespace == ns && p.Left == oids[0] && p.Right == oids[1] {
				o.OID = p.OID
				return o, nil
			}
		}
	}
	return o, pgerror.New(pgerror.UndefinedFunction, "operator does not exist: %s %s %s", f.typeName(oids[0]), strings.Join(names, "."), f.typeName(oids[1]))
}

func (f objectFinder) opclassAddress(kind string, names []string) (catalog.Object, error) {
	o := catalog.Object{Class: catalog.ClassOpClass}
	table, index := "pg_opclass", "pg_opclass_am_name_nsp_index"
	if kind == "operator family" {
		o.Class, table, index = classOpFamily, "pg_opfamily", "pg_opfamily_am_name_nsp_index"
	}
	if len(names) < 2 {
		return o, pgerror.New(pgerror.InvalidParameterValue, "name list length must be at least 2")
	}
	am, err := f.plainAddress(classAM, names[:1])
	if err != nil {
		return o, err
	}
	spaces, name, err := f.searched(names[1:])
	if err != nil {
		return o, err
	}
	for _, ns := range spaces {
		row, err := catalog.FindRow(f.ctx.Ctx, f.s.CatalogReader(), table, index, am.OID, name, ns)
		if err != nil {
			return o, err
		}
		if row != nil {
			o.OID = row.OID("oid")
			return o, nil
		}
	}
	return o, pgerror.New(pgerror.UndefinedObject, "%s %q does not exist for access method %q", kind, strings.Join(names[1:], "."), names[0])
}
