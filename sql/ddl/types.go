package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// newTypeName finds the schema of a type to be and checks that its name is free.
func (c *Context) newTypeName(ctx context.Context, parts []string) (*catalog.Namespace, string, error) {
	schema, name, err := splitQualified(c, parts)
	if err != nil {
		return nil, "", err
	}
	ns, err := creationNamespace(ctx, c, schema)
	if err != nil {
		return nil, "", err
	}
	old, err := c.reader().TypeByName(ctx, ns.OID, name)
	if err != nil {
		return nil, "", err
	}
	if old != nil && old.IsTrueArray && old.OID >= types.FirstNormalOID {
		return ns, name, moveArrayTypeName(ctx, c, old)
	}
	if old != nil {
		return nil, "", pgerror.New(pgerror.DuplicateObject, "type %q already exists", name)
	}
	return ns, name, nil
}

// enumLabelMax is the longest label in bytes.
const enumLabelMax = 63

func createEnum(ctx context.Context, c *Context, s *pg_query.CreateEnumStmt) (string, error) {
	ns, name, err := c.newTypeName(ctx, strs(s.TypeName))
	if err != nil {
		return "", err
	}
	w := c.writer()
	arr, err := c.newOID(ctx)
	if err != nil {
		return "", err
	}
	oid, err := c.newOID(ctx)
	if err != nil {
		return "", err
	}
	fn := func(n string) types.OID { return c.builtins().Functions(n)[0].OID }
	defaults, err := c.defaultPrivileges(ctx, catalog.ObjectType, c.User, ns.OID)
	if err != nil {
		return "", err
	}
	if err := w.Insert(ctx, "pg_type", catalog.Values{"oid": oid, "typacl": defaults.aclOrNil(), "typname": name, "typnamespace": ns.OID, "typowner": c.User, "typlen": int16(4), "typbyval": true,
		"typtype": byte('e'), "typcategory": byte('E'), "typisdefined": true, "typdelim": byte(','), "typarray": arr, "typinput": fn("enum_in"), "typoutput": fn("enum_out"),
		"typreceive": fn("enum_recv"), "typsend": fn("enum_send"), "typalign": byte('i'), "typstorage": byte('p'), "typtypmod": int32(-1)}); err != nil {
		return "", err
	}
	obj := catalog.Object{Class: catalog.ClassType, OID: oid}
	if err := c.recordDefaults(ctx, defaults, obj); err != nil {
		return "", err
	}
	if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassNamespace, OID: ns.OID}, catalog.DependNormal); err != nil {
		return "", err
	}
	if err := recordOwner(ctx, c, obj, c.User); err != nil {
		return "", err
	}
	if err := createArrayType(ctx, c, arr, oid, name, ns.OID, c.User, 'i', 0); err != nil {
		return "", err
	}
	seen := map[string]bool{}
	for i, v := range s.Vals {
		label := str(v)
		if len(label) > enumLabelMax {
			return "", invalidLabel(label)
		}
		if seen[label] {
			return "", pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"").
				WithDetail("Key (enumtypid, enumlabel)=(%d, %s) already exists.", oid, label).WithTable("pg_catalog", "pg_enum").WithConstraint("pg_enum_typid_label_index")
		}
		seen[label] = true
		if err := c.addLabel(ctx, oid, label, float32(i+1)); err != nil {
			return "", err
		}
	}
	return "", nil
}

func invalidLabel(label string) error {
	return pgerror.New(pgerror.InvalidName, "invalid enum label %q", label).WithDetail("Labels must be %d bytes or less.", enumLabelMax)
}

func (c *Context) addLabel(ctx context.Context, typ types.OID, label string, order float32) error {
	oid, err := c.newOID(ctx)
	if err != nil {
		return err
	}
	return c.writer().Insert(ctx, "pg_enum", catalog.Values{"oid": oid, "enumtypid": typ, "enumsortorder": order, "enumlabel": label})
}

// findType finds a type by name for ALTER.
func (c *Context) findType(ctx context.Context, parts []string) (*catalog.Type, error) {
	schema, name, err := splitQualified(c, parts)
	if err != nil {
		return nil, err
	}
	if schema != "" {
		if _, err := usableNamespace(ctx, c, schema); err != nil {
			return nil, err
		}
	}
	t, err := catalog.LookupType(ctx, c.reader(), c.roleOfNames(), c.path(), schema, name)
	if err == nil && t == nil {
		err = pgerror.New(pgerror.UndefinedObject, "type %q does not exist", dotted(schema, name))
	}
	return t, err
}

func (c *Context) checkTypeOwner(ctx context.Context, t *catalog.Type) error {
	ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, t.Owner)
	if err == nil && !ok {
		err = pgerror.New(pgerror.InsufficientPrivilege, "must be owner of type %s", c.reader().FormatType(t.OID, -1))
	}
	return err
}

func alterEnum(ctx context.Context, c *Context, s *pg_query.AlterEnumStmt) (string, error) {
	t, err := c.findType(ctx, strs(s.TypeName))
	if err != nil {
		return "", err
	}
	if t.TypType != 'e' {
		return "", pgerror.New(pgerror.WrongObjectType, "%s is not an enum", c.reader().FormatType(t.OID, -1))
	}
	if err := c.checkTypeOwner(ctx, t); err != nil {
		return "", err
	}
	if len(s.NewVal) > enumLabelMax {
		return "", invalidLabel(s.NewVal)
	}
	exists := func(l string) bool {
		for _, x := range t.Labels {
			if x.Label == l {
				return true
			}
		}
		return false
	}
	if s.OldVal != "" {
		if !exists(s.OldVal) {
			return "", pgerror.New(pgerror.InvalidParameterValue, "%q is not an existing enum label", s.OldVal)
		}
		if exists(s.NewVal) {
			return "", pgerror.New(pgerror.DuplicateObject, "enum label %q already exists", s.NewVal)
		}
		row, err := c.writer().One(ctx, "pg_enum", "pg_enum_typid_label_index", t.OID, s.OldVal)
		if err != nil {
			return "", err
		}
		return "", c.writer().Update(ctx, row, catalog.Values{"enumlabel": s.NewVal})
	}
	if exists(s.NewVal) {
		if s.SkipIfNewValExists {
			c.notice(notice(pgerror.DuplicateObject, "enum label %q already exists, skipping", s.NewVal))
			return "", nil
		}
		return "", pgerror.New(pgerror.DuplicateObject, "enum label %q already exists", s.NewVal)
	}
	if s.NewValNeighbor == "" {
		order := float32(1)
		if n := len(t.Labels); n > 0 {
			order = t.Labels[n-1].Sort + 1
		}
		return "", c.addLabel(ctx, t.OID, s.NewVal, order)
	}
	at := -1
	for i, l := range t.Labels {
		if l.Label == s.NewValNeighbor {
			at = i
		}
	}
	if at < 0 {
		return "", pgerror.New(pgerror.InvalidParameterValue, "%q is not an existing enum label", s.NewValNeighbor)
	}
	order := func(labels []catalog.EnumLabel) (float32, bool) {
		n := at
		if s.NewValIsAfter {
			n++
		}
		switch {
		case n == 0:
			return labels[0].Sort - 1, true
		case n == len(labels):
			return labels[n-1].Sort + 1, true
		}
		a, b := labels[n-1].Sort, labels[n].Sort
		m := (a + b) / 2
		return m, m != a && m != b
	}
	o, ok := order(t.Labels)
	if !ok {
		// No float is left between the neighbours: number the labels anew, from behind.
		for i := len(t.Labels) - 1; i >= 0; i-- {
			row, err := c.writer().One(ctx, "pg_enum", "pg_enum_oid_index", t.Labels[i].OID)
			if err != nil {
				return "", err
			}
			if err := c.writer().Update(ctx, row, catalog.Values{"enumsortorder": float32(i+1) + 10000}); err != nil {
				return "", err
			}
		}
		if t, err = c.reader().Type(ctx, t.OID); err != nil {
			return "", err
		}
		o, _ = order(t.Labels)
	}
	return "", c.addLabel(ctx, t.OID, s.NewVal, o)
}

func createComposite(ctx context.Context, c *Context, s *pg_query.CompositeTypeStmt) (string, error) {
	schema, name, err := rangeVar(c, s.Typevar)
	if err != nil {
		return "", err
	}
	parts := []string{name}
	if schema != "" {
		parts = []string{schema, name}
	}
	ns, name, err := c.newTypeName(ctx, parts)
	if err != nil {
		return "", err
	}
	r := relation{namespace: ns, name: name, kind: catalog.KindComposite, owner: c.User, persistence: 'p'}
	for _, n := range s.Coldeflist {
		var cons []*constraintDef
		d, err := transformColumn(ctx, c, name, n.GetColumnDef(), &cons)
		if err != nil {
			return "", err
		}
		if d.serial {
			return "", pgerror.New(pgerror.UndefinedObject, "type %q does not exist", str(n.GetColumnDef().TypeName.Names[0])).WithPosition(c.at(n.GetColumnDef().TypeName.Location))
		}
		r.columns = append(r.columns, d.column)
	}
	_, err = createRelation(ctx, c, r)
	return "", err
}
