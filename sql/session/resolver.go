package session

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// sessionResolver reads and writes names in values (reg* types, type names) by the
// session's search path, which it works out at the first value that needs it.
// Safe for concurrent use by the workers of a statement.
type sessionResolver struct {
	catalog.Reader
	s    *Session
	once sync.Once
	r    types.Resolver
}

func (r *sessionResolver) byPath() types.Resolver {
	r.once.Do(func() {
		path, err := r.s.searchPath(context.Background(), r.Reader)
		if err != nil {
			path = nil // the look-ups that follow fail the same way and can say so
		}
		r.r = catalog.NewResolver(r.Reader, r.s.currentUser.OID, catalog.EffectivePath(r.Reader, path))
	})
	return r.r
}

func (r *sessionResolver) FormatType(oid types.OID, mod int32) string {
	return r.byPath().FormatType(oid, mod)
}

func (r *sessionResolver) RegIn(reg types.OID, text string) (types.OID, error) {
	return r.byPath().RegIn(reg, text)
}

func (r *sessionResolver) RegOut(reg, value types.OID) string { return r.byPath().RegOut(reg, value) }

// EnumValues implements types.EnumLister.
func (r *sessionResolver) EnumValues(typ types.OID) []types.OID {
	return r.byPath().(types.EnumLister).EnumValues(typ)
}
