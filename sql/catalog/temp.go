package catalog

import (
	"context"
	"strings"

	"github.com/basaltdb/basalt/sql/types"
)

// TempAlias is what every session calls its own schema of temporary objects; the
// schema itself is pg_temp_N.
const TempAlias = "pg_temp"

// TempPrefix begins the names of the schemas of temporary objects.
const TempPrefix = TempAlias + "_"

// IsTempSchema reports whether a schema is some session's for temporary objects.
func IsTempSchema(name string) bool { return strings.HasPrefix(name, TempPrefix) }

// tempReader is a Reader for a session that has a schema of temporary objects:
// pg_temp names it, and the session may do everything in it.
type tempReader struct {
	*state
	temp types.OID
}

// WithTemp gives a Manager's Reader for a session whose temporary objects are in
// the schema temp; 0: it has none.
func WithTemp(r Reader, temp types.OID) Reader {
	switch x := r.(type) {
	case *state:
		if temp != 0 {
			return tempReader{x, temp}
		}
	case tempReader:
		if temp != x.temp {
			return WithTemp(x.state, temp)
		}
	}
	return r
}

// TempNamespace is the schema of temporary objects of the session that a Reader is
// for; 0 for none.
func TempNamespace(r Reader) types.OID {
	if t, ok := r.(tempReader); ok {
		return t.temp
	}
	return 0
}

// OtherTemp reports whether a relation is temporary and another session's.
func OtherTemp(r Reader, rel *Relation) bool {
	return rel.Persistence == PersistenceTemp && rel.Namespace != TempNamespace(r)
}

// Namespace implements Reader.
func (t tempReader) Namespace(ctx context.Context, oid types.OID) (*Namespace, error) {
	ns, err := t.state.Namespace(ctx, oid)
	if err != nil || ns == nil || oid != t.temp {
		return ns, err
	}
	own := *ns
	own.ACL = []string{"=UC/postgres"}
	return &own, nil
}

// NamespaceByName implements Reader.
func (t tempReader) NamespaceByName(ctx context.Context, name string) (*Namespace, error) {
	if name == TempAlias {
		return t.Namespace(ctx, t.temp)
	}
	ns, err := t.state.NamespaceByName(ctx, name)
	if err != nil || ns == nil || ns.OID != t.temp {
		return ns, err
	}
	return t.Namespace(ctx, t.temp)
}

// SchemaName is the name that a schema goes by in printed definitions: pg_temp for
// the session's own temporary one.
func SchemaName(r Reader, oid types.OID, name string) string {
	if oid != 0 && oid == TempNamespace(r) {
		return TempAlias
	}
	return name
}
