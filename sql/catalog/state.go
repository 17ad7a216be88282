package catalog

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/types"
)

// state is a Reader: the descriptors of one version of one database, loaded as
// they are asked for.
type state struct {
	*BuiltinObjects
	m       *Manager
	db      types.OID
	name    string
	version uint64
	own     *access // a transaction with own DDL reads through itself; nil: fresh snapshots

	mu         sync.Mutex
	namespaces map[types.OID]*Namespace
	nsNames    map[string]types.OID
	relations  map[types.OID]*Relation
	relNames   map[typeKey]types.OID
	types      map[types.OID]*Type
	typeNames  map[typeKey]types.OID
	enumLabels map[types.OID]enumRef
	sequences  map[types.OID]*Sequence
	stats      map[types.OID]*Stats
	roles      map[types.OID]*Role
	roleNames  map[string]types.OID
	owner      types.OID // of the database, once read
}

type enumRef struct {
	typ   types.OID
	label EnumLabel
}

func newState(m *Manager, db types.OID, name string) *state {
	return &state{
		BuiltinObjects: Builtins(), m: m, db: db, name: name,
		namespaces: map[types.OID]*Namespace{}, nsNames: map[string]types.OID{},
		relations: map[types.OID]*Relation{}, relNames: map[typeKey]types.OID{},
		types: map[types.OID]*Type{}, typeNames: map[typeKey]types.OID{}, enumLabels: map[types.OID]enumRef{},
		sequences: map[types.OID]*Sequence{}, stats: map[types.OID]*Stats{},
		roles: map[types.OID]*Role{}, roleNames: map[string]types.OID{},
	}
}

var _ Reader = (*state)(nil)

// read runs f over the state's rows.
func (s *state) read(f func(a *access) error) error {
	if s.own != nil {
		return f(s.own)
	}
	return s.m.read(s.db, f)
}

// cached looks key up, loading it at the first call. A load that finds nothing is
// remembered too. Two goroutines may load the same key at once; the first result stays.
func cached[K comparable, V any](s *state, m map[K]V, key K, load func(a *access) (V, error)) (V, error) {
	s.mu.Lock()
	v, ok := m[key]
	s.mu.Unlock()
	if ok {
		return v, nil
	}
	err := s.read(func(a *access) (err error) {
		v, err = load(a)
		return err
	})
	if err != nil {
		var zero V
		return zero, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := m[key]; ok {
		return old, nil
	}
	m[key] = v
	return v, nil
}

func (s *state) Version() uint64        { return s.version }
func (s *state) Private() bool          { return s.own != nil }
func (s *state) DatabaseOID() types.OID { return s.db }
func (s *state) DatabaseName() string   { return s.name }

func (s *state) Namespace(ctx context.Context, oid types.OID) (*Namespace, error) {
	return cached(s, s.namespaces, oid, func(a *access) (*Namespace, error) {
		r, err := a.one(ctx, "pg_namespace", "pg_namespace_oid_index", oid)
		if err != nil || r == nil {
			return nil, err
		}
		return &Namespace{OID: r.OID("oid"), Name: r.Str("nspname"), Owner: r.OID("nspowner"), ACL: r.Strs("nspacl")}, nil
	})
}

func (s *state) NamespaceByName(ctx context.Context, name string) (*Namespace, error) {
	oid, err := cached(s, s.nsNames, name, func(a *access) (types.OID, error) {
		r, err := a.one(ctx, "pg_namespace", "pg_namespace_nspname_index", name)
		if err != nil || r == nil {
			return 0, err
		}
		return r.OID("oid"), nil
	})
	if err != nil || oid == 0 {
		return nil, err
	}
	return s.Namespace(ctx, oid)
}

func (s *state) Relation(ctx context.Context, oid types.OID) (*Relation, error) {
	if oid == 0 {
		return nil, nil
	}
	if r := SystemRelation(s.db, oid); r != nil {
		return r, nil
	}
	return cached(s, s.relations, oid, func(a *access) (*Relation, error) { return s.loadRelation(ctx, a, oid) })
}

func (s *state) RelationByName(ctx context.Context, namespace types.OID, name string) (*Relation, error) {
	if namespace == PgCatalogNamespace {
		if oid := SystemRelationOID(name); oid != 0 {
			return SystemRelation(s.db, oid), nil
		}
	}
	oid, err := cached(s, s.relNames, typeKey{namespace, name}, func(a *access) (types.OID, error) {
		r, err := a.one(ctx, "pg_class", "pg_class_relname_nsp_index", name, namespace)
		if err != nil || r == nil {
			return 0, err
		}
		return r.OID("oid"), nil
	})
	if err != nil || oid == 0 {
		return nil, err
	}
	return s.Relation(ctx, oid)
}

func (s *state) Type(ctx context.Context, oid types.OID) (*Type, error) {
	if t := s.BuiltinType(oid); t != nil {
		return t, nil
	}
	if oid == 0 {
		return nil, nil
	}
	return cached(s, s.types, oid, func(a *access) (*Type, error) { return s.loadType(ctx, a, oid) })
}

func (s *state) TypeByName(ctx context.Context, namespace types.OID, name string) (*Type, error) {
	if t := s.BuiltinTypeByName(namespace, name); t != nil {
		return t, nil
	}
	oid, err := cached(s, s.typeNames, typeKey{namespace, name}, func(a *access) (types.OID, error) {
		r, err := a.one(ctx, "pg_type", "pg_type_typname_nsp_index", name, namespace)
		if err != nil || r == nil {
			return 0, err
		}
		return r.OID("oid"), nil
	})
	if err != nil || oid == 0 {
		return nil, err
	}
	return s.Type(ctx, oid)
}

func (s *state) loadType(ctx context.Context, a *access, oid types.OID) (*Type, error) {
	r, err := a.one(ctx, "pg_type", "pg_type_oid_index", oid)
	if err != nil || r == nil {
		return nil, err
	}
	t := &Type{
		OID: oid, Name: r.Str("typname"), Namespace: r.OID("typnamespace"), Owner: r.OID("typowner"), Len: int16(r.Int("typlen")),
		ByVal: r.Bool("typbyval"), TypType: r.Char("typtype"), Category: r.Char("typcategory"), Preferred: r.Bool("typispreferred"),
		Delim: r.Char("typdelim"), Relation: r.OID("typrelid"), Elem: r.OID("typelem"), Array: r.OID("typarray"),
		IsTrueArray: r.OID("typsubscript") != 0 && r.OID("typelem") != 0, Collation: r.OID("typcollation"),
		TypmodIn: r.OID("typmodin"), TypmodOut: r.OID("typmodout"), Input: r.OID("typinput"), Output: r.OID("typoutput"), BaseType: r.OID("typbasetype"),
	}
	if t.TypType == 'e' {
		rows, err := a.lookup(ctx, "pg_enum", "pg_enum_typid_sortorder_index", oid)
		if err != nil {
			return nil, err
		}
		for _, e := range rows {
			t.Labels = append(t.Labels, EnumLabel{OID: e.OID("oid"), Label: e.Str("enumlabel"), Sort: float32(e.Float("enumsortorder"))})
		}
	}
	var elem *Type
	if t.IsTrueArray {
		if elem, err = s.Type(ctx, t.Elem); err != nil {
			return nil, err
		}
	}
	FillType(t, elem)
	return t, nil
}

func (s *state) Role(ctx context.Context, oid types.OID) (*Role, error) {
	return cached(s, s.roles, oid, func(a *access) (*Role, error) {
		r, err := a.one(ctx, "pg_authid", "pg_authid_oid_index", oid)
		if err != nil || r == nil {
			return nil, err
		}
		role := &Role{OID: oid, Name: r.Str("rolname"), Super: r.Bool("rolsuper"), Inherit: r.Bool("rolinherit"), CreateRole: r.Bool("rolcreaterole"),
			CreateDB: r.Bool("rolcreatedb"), Login: r.Bool("rolcanlogin"), Replication: r.Bool("rolreplication"), BypassRLS: r.Bool("rolbypassrls"),
			ConnLimit: int(r.Int("rolconnlimit")), Password: r.Str("rolpassword")}
		if t, ok := r.Get("rolvaliduntil").(types.Timestamp); ok {
			role.ValidUntil = &t
		}
		ms, err := a.lookup(ctx, "pg_auth_members", "pg_auth_members_member_role_index", oid)
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			role.MemberOf = append(role.MemberOf, m.OID("roleid"))
		}
		return role, nil
	})
}

func (s *state) RoleByName(ctx context.Context, name string) (*Role, error) {
	oid, err := cached(s, s.roleNames, name, func(a *access) (types.OID, error) {
		r, err := a.one(ctx, "pg_authid", "pg_authid_rolname_index", name)
		if err != nil || r == nil {
			return 0, err
		}
		return r.OID("oid"), nil
	})
	if err != nil || oid == 0 {
		return nil, err
	}
	return s.Role(ctx, oid)
}

func (s *state) Sequence(ctx context.Context, relid types.OID) (*Sequence, error) {
	return cached(s, s.sequences, relid, func(a *access) (*Sequence, error) { return s.loadSequence(ctx, a, relid) })
}

func (s *state) Stats(ctx context.Context, relid types.OID) (*Stats, error) {
	return cached(s, s.stats, relid, func(a *access) (*Stats, error) { return s.loadStats(ctx, a, relid) })
}

func (s *state) DefaultOpClass(am string, typ types.OID) *OpClass {
	t, err := s.Type(bg, typ)
	if err != nil {
		return nil
	}
	return s.DefaultOpClassOf(am, t)
}

// The Resolver, over the default path.

func (s *state) TypeByOID(oid types.OID) (types.T, bool) {
	t, err := s.Type(bg, oid)
	if err != nil || t == nil {
		return types.T{}, false
	}
	return t.T, true
}

func (s *state) FormatType(oid types.OID, mod int32) string {
	return FormatTypeIn(s, DefaultPath, oid, mod, mod >= 0)
}

func (s *state) ArrayTypeOf(elem types.OID) types.OID {
	t, err := s.Type(bg, elem)
	if err != nil || t == nil {
		return 0
	}
	return t.Array
}

func (s *state) EnumLabel(v types.OID) (types.OID, string, float32, bool) {
	e, err := cached(s, s.enumLabels, v, func(a *access) (enumRef, error) {
		r, err := a.one(bg, "pg_enum", "pg_enum_oid_index", v)
		if err != nil || r == nil {
			return enumRef{}, err
		}
		return enumRef{r.OID("enumtypid"), EnumLabel{OID: v, Label: r.Str("enumlabel"), Sort: float32(r.Float("enumsortorder"))}}, nil
	})
	if err != nil || e.typ == 0 {
		return 0, "", 0, false
	}
	return e.typ, e.label.Label, e.label.Sort, true
}

func (s *state) EnumValue(typ types.OID, label string) (types.OID, bool) {
	t, err := s.Type(bg, typ)
	if err != nil || t == nil {
		return 0, false
	}
	for _, l := range t.Labels {
		if l.Label == label {
			return l.OID, true
		}
	}
	return 0, false
}

// EnumValues implements types.EnumLister.
func (s *state) EnumValues(typ types.OID) []types.OID { return pathResolver{Reader: s}.EnumValues(typ) }

func (s *state) Composite(typ types.OID) (names []string, fields []types.T, ok bool) {
	t, err := s.Type(bg, typ)
	if err != nil || t == nil || t.Relation == 0 {
		return nil, nil, false
	}
	r, err := s.Relation(bg, t.Relation)
	if err != nil || r == nil {
		return nil, nil, false
	}
	for _, c := range r.Columns {
		if !c.Dropped {
			names, fields = append(names, c.Name), append(fields, c.Type)
		}
	}
	return names, fields, true
}

func (s *state) RegIn(reg types.OID, text string) (types.OID, error) {
	return regIn(s, 0, DefaultPath, reg, text)
}

func (s *state) RegOut(reg, value types.OID) string { return regOut(s, DefaultPath, reg, value) }

// RowReader reads catalog rows by index, as Writer.Lookup does. The Readers of a
// Manager implement it.
type RowReader interface {
	Rows(ctx context.Context, table, index string, eq ...types.Datum) ([]*Row, error)
}

// Rows implements RowReader.
func (s *state) Rows(ctx context.Context, table, index string, eq ...types.Datum) (out []*Row, err error) {
	err = s.read(func(a *access) error {
		out, err = a.lookup(ctx, table, index, eq...)
		return err
	})
	return out, err
}

// FindRow reads one row through a Reader that can; nil for none.
func FindRow(ctx context.Context, r Reader, table, index string, eq ...types.Datum) (*Row, error) {
	rr, ok := r.(RowReader)
	if !ok {
		return nil, nil
	}
	rows, err := rr.Rows(ctx, table, index, eq...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}
