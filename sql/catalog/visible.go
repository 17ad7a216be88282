package catalog

import (
	"context"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// bg is for look-ups behind interfaces that carry no context.
var bg = context.Background()

// DefaultPath is the effective search path where no session is at hand.
var DefaultPath = []types.OID{PgCatalogNamespace, PublicNamespace}

// EffectivePath turns the namespaces of search_path into the list that names of
// relations and types are looked up in: the session's temporary schema and then
// pg_catalog come first unless they are listed.
func EffectivePath(r Reader, path []types.OID) []types.OID {
	var first []types.OID
	if t := TempNamespace(r); t != 0 && !slices.Contains(path, t) {
		first = append(first, t)
	}
	if !slices.Contains(path, PgCatalogNamespace) {
		first = append(first, PgCatalogNamespace)
	}
	if len(first) == 0 {
		return path
	}
	return append(first, path...)
}

// RelationVisible is pg_table_is_visible: an unqualified use of the relation's
// name finds it. path is an effective search path.
func RelationVisible(ctx context.Context, r Reader, path []types.OID, namespace types.OID, name string) bool {
	for _, n := range path {
		if n == namespace {
			return true
		}
		if rel, err := r.RelationByName(ctx, n, name); err == nil && rel != nil {
			return false
		}
	}
	return false
}

// TypeVisible is pg_type_is_visible.
func TypeVisible(ctx context.Context, r Reader, path []types.OID, ty *Type) bool {
	for _, n := range path {
		if n == ty.Namespace {
			return true
		}
		if o, err := r.TypeByName(ctx, n, ty.Name); err == nil && o != nil {
			return false
		}
	}
	return false
}

func typeVisible(r Reader, path []types.OID, ty *Type) bool { return TypeVisible(bg, r, path, ty) }

// UsableNamespace finds a schema that a statement names; nil for none. The role
// needs USAGE on it (42501); role 0 stands for the system, which may use all.
func UsableNamespace(ctx context.Context, r Reader, role types.OID, schema string) (*Namespace, error) {
	ns, err := r.NamespaceByName(ctx, schema)
	if err != nil || ns == nil || role == 0 {
		return ns, err
	}
	ok, err := HasPrivilege(ctx, r, role, ObjectSchema, ns.Owner, ns.ACL, PrivUsage)
	if err == nil && !ok {
		err = pgerror.New(pgerror.InsufficientPrivilege, "permission denied for schema %s", ns.Name)
	}
	return ns, err
}

// LookupRelation finds a relation by an optionally qualified name; nil for none.
// An unknown schema is not an error here, one the role may not use is.
func LookupRelation(ctx context.Context, r Reader, role types.OID, path []types.OID, schema, name string) (*Relation, error) {
	if schema != "" {
		ns, err := UsableNamespace(ctx, r, role, schema)
		if err != nil || ns == nil {
			return nil, err
		}
		return r.RelationByName(ctx, ns.OID, name)
	}
	for _, n := range path {
		rel, err := r.RelationByName(ctx, n, name)
		if err != nil || rel != nil {
			return rel, err
		}
	}
	return nil, nil
}

// LookupType is LookupRelation for types, by pg_type name.
func LookupType(ctx context.Context, r Reader, role types.OID, path []types.OID, schema, name string) (*Type, error) {
	if schema != "" {
		ns, err := UsableNamespace(ctx, r, role, schema)
		if err != nil || ns == nil {
			return nil, err
		}
		return r.TypeByName(ctx, ns.OID, name)
	}
	for _, n := range path {
		ty, err := r.TypeByName(ctx, n, name)
		if err != nil || ty != nil {
			return ty, err
		}
	}
	return nil, nil
}
