package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// relationPath lists where unqualified relations and types are looked for.
func (a *analyzer) relationPath() []types.OID {
	var p []types.OID
	if t := a.env.TempNamespace; t != 0 && !slices.Contains(a.env.SearchPath, t) {
		p = append(p, t)
	}
	return append(p, a.visibleNamespaces()...)
}

// namespace finds a schema that the statement names at loc; nil when there is
// none. The user needs USAGE on it.
func (a *analyzer) namespace(schema string, loc int) *catalog.Namespace {
	ns, err := catalog.UsableNamespace(a.ctx, a.cat, a.env.CurrentUser, schema)
	if err != nil && loc >= 0 {
		err = pgerror.From(err).WithPosition(a.at(loc))
	}
	check(err)
	return ns
}

// searchRelation finds a relation through the search path or in a schema; nil when there is none.
func (a *analyzer) searchRelation(schema, name string, loc int) *catalog.Relation {
	if schema != "" {
		if schema == "pg_temp" && a.env.TempNamespace != 0 {
			r, err := a.cat.RelationByName(a.ctx, a.env.TempNamespace, name)
			check(err)
			return r
		}
		ns := a.namespace(schema, loc)
		if ns == nil && schema == catalog.OwnSchema {
			r, err := a.cat.RelationByName(a.ctx, catalog.PgCatalogNamespace, catalog.OwnSchema+"_"+name)
			check(err)
			return r
		}
		if ns == nil {
			return nil
		}
		r, err := a.cat.RelationByName(a.ctx, ns.OID, name)
		check(err)
		return r
	}
	for _, ns := range a.relationPath() {
		r, err := a.cat.RelationByName(a.ctx, ns, name)
		check(err)
		if r != nil {
			return r
		}
	}
	return nil
}

// lookupRelation finds what a RangeVar names; nil when there is no such relation.
func (a *analyzer) lookupRelation(rv *pg_query.RangeVar) *catalog.Relation {
	if rv.Catalogname != "" && rv.Catalogname != a.cat.DatabaseName() {
		fail(pgerror.New(pgerror.FeatureNotSupported, "cross-database references are not implemented: \"%s.%s.%s\"",
			rv.Catalogname, rv.Schemaname, rv.Relname).WithPosition(a.at(int(rv.Location))))
	}
	r := a.searchRelation(rv.Schemaname, rv.Relname, int(rv.Location))
	if r != nil {
		a.relations[r.OID] = true
	}
	return r
}

// openRelation is lookupRelation that complains.
func (a *analyzer) openRelation(rv *pg_query.RangeVar) *catalog.Relation {
	r := a.lookupRelation(rv)
	if r == nil {
		loc := int(rv.Location)
		if rv.Schemaname != "" {
			a.failAt(loc, pgerror.UndefinedTable, "relation \"%s.%s\" does not exist", rv.Schemaname, rv.Relname)
		}
		a.failAt(loc, pgerror.UndefinedTable, "relation \"%s\" does not exist", rv.Relname)
	}
	return r
}

// findType finds a type through the search path; nil when there is none.
func (a *analyzer) findType(name string) *catalog.Type {
	for _, ns := range a.relationPath() {
		t, err := a.cat.TypeByName(a.ctx, ns, name)
		check(err)
		if t != nil {
			return t
		}
	}
	return nil
}
