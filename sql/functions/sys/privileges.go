package sys

import (
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

var privilegeWords = map[string]byte{
	"SELECT": catalog.PrivSelect, "INSERT": catalog.PrivInsert, "UPDATE": catalog.PrivUpdate, "DELETE": catalog.PrivDelete, "TRUNCATE": catalog.PrivTruncate,
	"REFERENCES": catalog.PrivReferences, "TRIGGER": catalog.PrivTrigger, "EXECUTE": catalog.PrivExecute, "USAGE": catalog.PrivUsage, "CREATE": catalog.PrivCreate,
	"CONNECT": catalog.PrivConnect, "TEMPORARY": catalog.PrivTemporary, "TEMP": catalog.PrivTemporary, "RULE": 0,
}

type wanted struct {
	priv   byte
	option bool
}

// parsePrivileges reads "SELECT, UPDATE WITH GRANT OPTION".
func parsePrivileges(text, allowed string) ([]wanted, error) {
	var out []wanted
	for _, part := range strings.Split(text, ",") {
		w := strings.ToUpper(strings.TrimSpace(part))
		base, option := strings.CutSuffix(w, " WITH GRANT OPTION")
		p, ok := privilegeWords[strings.TrimSpace(base)]
		if !ok || p != 0 && strings.IndexByte(allowed, p) < 0 || p == 0 && !strings.Contains(allowed, "r") {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "unrecognized privilege type: %q", strings.TrimSpace(part))
		}
		out = append(out, wanted{p, option})
	}
	return out, nil
}

// object is what a privilege is asked on. nil: there is no such object.
type object struct {
	kind  catalog.ObjectKind
	owner types.OID
	acl   []string
}

// family is a set of has_…_privilege functions.
type family struct {
	name    string
	allowed string
	find    func(ctx *expr.Context, s Session, oid types.OID) (*object, error)
	resolve func(ctx *expr.Context, s Session, text string) (types.OID, error)
}

func roleArg(ctx *expr.Context, s Session, d types.Datum) (types.OID, error) {
	switch v := d.(type) {
	case types.OID:
		return v, nil
	case string:
		if v == "public" {
			return 0, nil
		}
		r, err := s.CatalogReader().RoleByName(ctx.Ctx, v)
		if err == nil && r == nil {
			err = pgerror.New(pgerror.UndefinedObject, "role %q does not exist", v)
		}
		if err != nil {
			return 0, err
		}
		return r.OID, nil
	}
	return s.CurrentUserOID(), nil
}

func (f family) check(ctx *expr.Context, s Session, role types.OID, obj, priv types.Datum) (types.Datum, error) {
	oid, ok := obj.(types.OID)
	if !ok {
		var err error
		if oid, err = f.resolve(ctx, s, obj.(string)); err != nil {
			return nil, err
		}
	}
	ws, err := parsePrivileges(priv.(string), f.allowed)
	if err != nil {
		return nil, err
	}
	o, err := f.find(ctx, s, oid)
	if err != nil || o == nil {
		return nil, err
	}
	for _, w := range ws {
		if w.priv == 0 {
			continue
		}
		has := catalog.HasPrivilege
		if w.option {
			has = catalog.HasGrantOption
		}
		if ok, err := has(ctx.Ctx, s.CatalogReader(), role, o.kind, o.owner, o.acl, w.priv); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (f family) register(r *expr.Registry) {
	for _, obj := range []string{"text", "oid"} {
		add(r, f.name+"("+obj+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
			if a[0] == nil || a[1] == nil {
				return nil, nil
			}
			return f.check(ctx, s, s.CurrentUserOID(), a[0], a[1])
		}))
		for _, user := range []string{"name", "oid"} {
			add(r, f.name+"("+user+","+obj+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
				if a[0] == nil || a[1] == nil || a[2] == nil {
					return nil, nil
				}
				role, err := roleArg(ctx, s, a[0])
				if err != nil {
					return nil, err
				}
				return f.check(ctx, s, role, a[1], a[2])
			}))
		}
	}
}

func resolveReg(reg types.OID) func(*expr.Context, Session, string) (types.OID, error) {
	return func(_ *expr.Context, s Session, text string) (types.OID, error) {
		return catalog.NewResolver(s.CatalogReader(), s.CurrentUserOID(), path(s)).RegIn(reg, text)
	}
}

func findRelation(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
	rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
	if err != nil || rel == nil {
		return nil, err
	}
	k := catalog.ObjectTable
	if rel.Kind == catalog.KindSequence {
		k = catalog.ObjectSequence
	}
	return &object{k, rel.Owner, rel.ACL}, nil
}

func registerPrivileges(r *expr.Registry) {
	family{"has_table_privilege", "arwdDxt", findRelation, resolveReg(types.RegClass)}.register(r)
	family{"has_sequence_privilege", "rwU", func(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
		rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
		if err != nil || rel == nil {
			return nil, err
		}
		if rel.Kind != catalog.KindSequence {
			return nil, pgerror.New(pgerror.WrongObjectType, "%q is not a sequence", rel.Name)
		}
		return &object{catalog.ObjectSequence, rel.Owner, rel.ACL}, nil
	}, resolveReg(types.RegClass)}.register(r)
	family{"has_schema_privilege", "UC", func(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
		ns, err := s.CatalogReader().Namespace(ctx.Ctx, oid)
		if err != nil || ns == nil {
			return nil, err
		}
		return &object{catalog.ObjectSchema, ns.Owner, ns.ACL}, nil
	}, resolveName(types.RegNamespace)}.register(r)
	family{"has_database_privilege", "CTc", func(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_database", "pg_database_oid_index", oid)
		if err != nil || row == nil {
			return nil, err
		}
		return &object{catalog.ObjectDatabase, row.OID("datdba"), row.Strs("datacl")}, nil
	}, func(ctx *expr.Context, s Session, text string) (types.OID, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_database", "pg_database_datname_index", text)
		if err == nil && row == nil {
			err = pgerror.New(pgerror.InvalidCatalogName, "database %q does not exist", text)
		}
		if err != nil {
			return 0, err
		}
		return row.OID("oid"), nil
	}}.register(r)
	family{"has_function_privilege", "X", func(_ *expr.Context, s Session, oid types.OID) (*object, error) {
		if s.CatalogReader().Function(oid) == nil {
			return nil, nil
		}
		return &object{catalog.ObjectFunction, catalog.BootstrapRole, nil}, nil
	}, resolveReg(types.RegProcedure)}.register(r)
	family{"has_type_privilege", "U", func(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
		ty, err := s.CatalogReader().Type(ctx.Ctx, oid)
		if err != nil || ty == nil {
			return nil, err
		}
		return &object{catalog.ObjectType, ty.Owner, nil}, nil
	}, resolveReg(types.RegType)}.register(r)
	family{"has_tablespace_privilege", "C", func(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_tablespace", "pg_tablespace_oid_index", oid)
		if err != nil || row == nil {
			return nil, err
		}
		return &object{catalog.ObjectTablespace, row.OID("spcowner"), row.Strs("spcacl")}, nil
	}, func(ctx *expr.Context, s Session, text string) (types.OID, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_tablespace", "pg_tablespace_spcname_index", text)
		if err == nil && row == nil {
			err = pgerror.New(pgerror.UndefinedObject, "tablespace %q does not exist", text)
		}
		if err != nil {
			return 0, err
		}
		return row.OID("oid"), nil
	}}.register(r)
	family{"has_language_privilege", "U", func(ctx *expr.Context, s Session, oid types.OID) (*object, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_language", "pg_language_oid_index", oid)
		if err != nil || row == nil {
			return nil, err
		}
		return &object{catalog.ObjectLanguage, row.OID("lanowner"), nil}, nil
	}, func(ctx *expr.Context, s Session, text string) (types.OID, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_language", "pg_language_name_index", text)
		if err == nil && row == nil {
			err = pgerror.New(pgerror.UndefinedObject, "language %q does not exist", text)
		}
		if err != nil {
			return 0, err
		}
		return row.OID("oid"), nil
	}}.register(r)
	anyColumn := family{"has_any_column_privilege", "arwx", findRelation, resolveReg(types.RegClass)}
	for _, obj := range []string{"text", "oid"} {
		run := func(ctx *expr.Context, s Session, role types.OID, o, p types.Datum) (types.Datum, error) {
			has, err := anyColumn.check(ctx, s, role, o, p)
			if err != nil || has == nil || has.(bool) {
				return has, err
			}
			oid, ok := o.(types.OID)
			if !ok {
				if oid, err = anyColumn.resolve(ctx, s, o.(string)); err != nil {
					return nil, err
				}
			}
			rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
			if err != nil || rel == nil {
				return nil, err
			}
			for _, col := range rel.Columns {
				if has, err := columnPrivilege(ctx, s, role, rel, col.AttNum, p.(string)); err != nil || has == true {
					return has, err
				}
			}
			return false, nil
		}
		add(r, "has_any_column_privilege("+obj+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
			if a[0] == nil || a[1] == nil {
				return nil, nil
			}
			return run(ctx, s, s.CurrentUserOID(), a[0], a[1])
		}))
		for _, user := range []string{"name", "oid"} {
			add(r, "has_any_column_privilege("+user+","+obj+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
				if a[0] == nil || a[1] == nil || a[2] == nil {
					return nil, nil
				}
				role, err := roleArg(ctx, s, a[0])
				if err != nil {
					return nil, err
				}
				return run(ctx, s, role, a[1], a[2])
			}))
		}
	}
	registerColumnPrivileges(r)
	registerRoles(r)
}

func resolveName(reg types.OID) func(*expr.Context, Session, string) (types.OID, error) {
	return func(ctx *expr.Context, s Session, text string) (types.OID, error) {
		ns, err := s.CatalogReader().NamespaceByName(ctx.Ctx, text)
		if err == nil && ns == nil {
			err = pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", text)
		}
		if err != nil {
			return 0, err
		}
		return ns.OID, nil
	}
}

// columnPrivilege asks for a privilege on a column, through the table or itself.
func columnPrivilege(ctx *expr.Context, s Session, role types.OID, rel *catalog.Relation, att int, text string) (types.Datum, error) {
	ws, err := parsePrivileges(text, "arwx")
	if err != nil {
		return nil, err
	}
	if att < 1 || att > len(rel.Columns) || rel.Columns[att-1].Dropped {
		return nil, nil
	}
	for _, w := range ws {
		has := catalog.HasPrivilege
		if w.option {
			has = catalog.HasGrantOption
		}
		ok, err := has(ctx.Ctx, s.CatalogReader(), role, catalog.ObjectTable, rel.Owner, rel.ACL, w.priv)
		if err == nil && !ok && rel.Columns[att-1].ACL != nil {
			ok, err = has(ctx.Ctx, s.CatalogReader(), role, catalog.ObjectColumn, 0, rel.Columns[att-1].ACL, w.priv)
		}
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func registerColumnPrivileges(r *expr.Registry) {
	run := func(ctx *expr.Context, s Session, role types.OID, tab, col, priv types.Datum) (types.Datum, error) {
		oid, ok := tab.(types.OID)
		if !ok {
			var err error
			if oid, err = resolveReg(types.RegClass)(ctx, s, tab.(string)); err != nil {
				return nil, err
			}
		}
		rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
		if err != nil || rel == nil {
			return nil, err
		}
		att := 0
		switch c := col.(type) {
		case int16:
			att = int(c)
		case string:
			for _, x := range rel.Columns {
				if x.Name == c && !x.Dropped {
					att = x.AttNum
				}
			}
			if att == 0 {
				return nil, pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", c, rel.Name)
			}
		}
		return columnPrivilege(ctx, s, role, rel, att, priv.(string))
	}
	for _, tab := range []string{"text", "oid"} {
		for _, col := range []string{"text", "int2"} {
			add(r, "has_column_privilege("+tab+","+col+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
				if a[0] == nil || a[1] == nil || a[2] == nil {
					return nil, nil
				}
				return run(ctx, s, s.CurrentUserOID(), a[0], a[1], a[2])
			}))
			for _, user := range []string{"name", "oid"} {
				add(r, "has_column_privilege("+user+","+tab+","+col+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
					for _, x := range a {
						if x == nil {
							return nil, nil
						}
					}
					role, err := roleArg(ctx, s, a[0])
					if err != nil {
						return nil, err
					}
					return run(ctx, s, role, a[1], a[2], a[3])
				}))
			}
		}
	}
}

func registerRoles(r *expr.Registry) {
	check := func(ctx *expr.Context, s Session, member types.OID, of types.Datum, priv string) (types.Datum, error) {
		role, err := roleArg(ctx, s, of)
		if err != nil {
			return nil, err
		}
		me, err := s.CatalogReader().Role(ctx.Ctx, member)
		if err != nil {
			return nil, err
		}
		for _, part := range strings.Split(priv, ",") {
			w := strings.ToUpper(strings.TrimSpace(part))
			base := strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(w, " WITH GRANT OPTION"), " WITH ADMIN OPTION"))
			if base != "USAGE" && base != "MEMBER" && base != "SET" {
				return nil, pgerror.New(pgerror.InvalidParameterValue, "unrecognized privilege type: %q", strings.TrimSpace(part))
			}
			if me != nil && me.Super {
				return true, nil
			}
			ms, err := catalog.Memberships(ctx.Ctx, s.CatalogReader(), member, base == "USAGE")
			if err != nil {
				return nil, err
			}
			if ms[role] {
				return true, nil
			}
		}
		return false, nil
	}
	for _, of := range []string{"name", "oid"} {
		add(r, "pg_has_role("+of+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
			if a[0] == nil || a[1] == nil {
				return nil, nil
			}
			return check(ctx, s, s.CurrentUserOID(), a[0], a[1].(string))
		}))
		for _, user := range []string{"name", "oid"} {
			add(r, "pg_has_role("+user+","+of+",text)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
				if a[0] == nil || a[1] == nil || a[2] == nil {
					return nil, nil
				}
				m, err := roleArg(ctx, s, a[0])
				if err != nil {
					return nil, err
				}
				return check(ctx, s, m, a[1], a[2].(string))
			}))
		}
	}
	add(r, "row_security_active(oid)", one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return false, nil }))
	add(r, "row_security_active(text)", one(func(*expr.Context, Session, string) (types.Datum, error) { return false, nil }))
	add(r, "acldefault(char,oid)", two(func(ctx *expr.Context, s Session, k byte, owner types.OID) (types.Datum, error) {
		kind, ok := map[byte]catalog.ObjectKind{'c': catalog.ObjectColumn, 'r': catalog.ObjectTable, 's': catalog.ObjectSequence, 'd': catalog.ObjectDatabase,
			'f': catalog.ObjectFunction, 'l': catalog.ObjectLanguage, 'n': catalog.ObjectSchema, 't': catalog.ObjectTablespace, 'T': catalog.ObjectType}[k]
		if !ok {
			return nil, pgerror.New(pgerror.InternalError, "unrecognized object type abbreviation: %c", k)
		}
		items, err := catalog.DefaultACL(ctx.Ctx, s.CatalogReader(), kind, owner)
		if err != nil {
			return nil, err
		}
		ds := []types.Datum{}
		for _, it := range items {
			ds = append(ds, it.String())
		}
		return types.NewArray(types.Of(types.ACLItem), ds), nil
	}))
	addSet(r, "aclexplode(_aclitem)", func(ctx *expr.Context, s Session, args []types.Datum, emit func(row ...types.Datum) error) error {
		for _, e := range args[0].(*types.Array).Elems {
			text, ok := e.(string)
			if !ok {
				return pgerror.New(pgerror.NullValueNotAllowed, "ACL arrays must not contain null values")
			}
			it, err := catalog.ParseACLItem(text)
			if err != nil {
				return err
			}
			oid := func(name string) (types.OID, error) {
				if name == "" {
					return 0, nil
				}
				r, err := s.CatalogReader().RoleByName(ctx.Ctx, name)
				if err != nil || r == nil {
					return 0, err
				}
				return r.OID, nil
			}
			grantor, err := oid(it.Grantor)
			if err != nil {
				return err
			}
			grantee, err := oid(it.Grantee)
			if err != nil {
				return err
			}
			for i := range len(it.Privs) {
				if err := emit(grantor, grantee, privilegeNames[it.Privs[i]], strings.IndexByte(it.Options, it.Privs[i]) >= 0); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

var privilegeNames = map[byte]string{'r': "SELECT", 'a': "INSERT", 'w': "UPDATE", 'd': "DELETE", 'D': "TRUNCATE", 'x': "REFERENCES", 't': "TRIGGER", 'X': "EXECUTE",
	'U': "USAGE", 'C': "CREATE", 'c': "CONNECT", 'T': "TEMPORARY", 's': "SET", 'A': "ALTER SYSTEM"}
