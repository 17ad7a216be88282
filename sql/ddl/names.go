package ddl

import (
	"context"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// str reads a String node.
func str(n *pg_query.Node) string { return n.GetString_().GetSval() }

// strs reads a list of String nodes.
func strs(ns []*pg_query.Node) []string {
	out := make([]string, len(ns))
	for i, n := range ns {
		out[i] = str(n)
	}
	return out
}

// splitQualified takes a dotted name apart.
func splitQualified(c *Context, parts []string) (schema, name string, err error) {
	switch len(parts) {
	case 1:
		return "", parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	case 3:
		if parts[0] != c.reader().DatabaseName() {
			return "", "", pgerror.New(pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(parts, "."))
		}
		return parts[1], parts[2], nil
	}
	return "", "", pgerror.New(pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
}

func rangeVar(c *Context, v *pg_query.RangeVar) (schema, name string, err error) {
	if v.Catalogname != "" && v.Catalogname != c.reader().DatabaseName() {
		return "", "", pgerror.New(pgerror.FeatureNotSupported, "cross-database references are not implemented: %q",
			v.Catalogname+"."+v.Schemaname+"."+v.Relname)
	}
	return v.Schemaname, v.Relname, nil
}

func dotted(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// namespaceByName finds a schema that must exist, by its own name: pg_temp is none.
func namespaceByName(ctx context.Context, c *Context, name string) (*catalog.Namespace, error) {
	ns, err := c.reader().NamespaceByName(ctx, name)
	if name == catalog.TempAlias {
		ns = nil
	}
	if err == nil && ns == nil {
		err = pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", name)
	}
	return ns, err
}

// usableNamespace is namespaceByName for the schema of a qualified name: the user needs USAGE on it.
func usableNamespace(ctx context.Context, c *Context, name string) (*catalog.Namespace, error) {
	if ns, err := catalog.UsableNamespace(ctx, c.reader(), c.roleOfNames(), name); err != nil || ns != nil {
		return ns, err
	}
	return namespaceByName(ctx, c, name)
}

// creationNamespace is the schema a new object goes to: the named one, or the
// first of the search path. The user must have CREATE on it.
func creationNamespace(ctx context.Context, c *Context, schema string) (*catalog.Namespace, error) {
	var ns *catalog.Namespace
	var err error
	if schema == catalog.TempAlias || schema == "" && c.Env.TempFirst {
		if ns, err = c.tempNamespace(ctx); err != nil {
			return nil, err
		}
	} else if schema != "" {
		if ns, err = namespaceByName(ctx, c, schema); err != nil {
			return nil, err
		}
	} else {
		for _, oid := range c.Env.SearchPath {
			if ns, err = c.reader().Namespace(ctx, oid); err != nil || ns != nil {
				break
			}
		}
		if err != nil {
			return nil, err
		}
		if ns == nil {
			return nil, pgerror.New(pgerror.InvalidSchemaName, "no schema has been selected to create in")
		}
	}
	return ns, c.checkSchemaCreate(ctx, ns)
}

func (c *Context) checkSchemaCreate(ctx context.Context, ns *catalog.Namespace) error {
	ok, err := catalog.HasPrivilege(ctx, c.reader(), c.User, catalog.ObjectSchema, ns.Owner, ns.ACL, catalog.PrivCreate)
	if err == nil && !ok {
		err = pgerror.New(pgerror.InsufficientPrivilege, "permission denied for schema %s", ns.Name)
	}
	return err
}

// refuseCatalog is the error for new relations in pg_catalog.
func (c *Context) refuseCatalog(ns *catalog.Namespace, name string) error {
	if ns.OID == catalog.PgCatalogNamespace && c.Bootstrap == 0 {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to create \"%s.%s\"", ns.Name, name).
			WithDetail("System catalog modifications are currently disallowed.")
	}
	return nil
}

// kindNoun is what PostgreSQL calls a relation of a kind.
func kindNoun(k byte) string {
	switch k {
	case catalog.KindIndex:
		return "index"
	case catalog.KindSequence:
		return "sequence"
	case catalog.KindView:
		return "view"
	case catalog.KindMatView:
		return "materialized view"
	case catalog.KindComposite:
		return "type"
	}
	return "table"
}

// findRelation finds an existing relation and locks it; nil when it is missing
// and missingOK. Ownership and kind are the caller's to check.
func findRelation(ctx context.Context, c *Context, v *pg_query.RangeVar, mode txn.RelationLock, missingOK bool) (*catalog.Relation, error) {
	schema, name, err := rangeVar(c, v)
	if err != nil {
		return nil, err
	}
	return lookupLocked(ctx, c, schema, name, mode, missingOK, v.Location)
}

func lookupLocked(ctx context.Context, c *Context, schema, name string, mode txn.RelationLock, missingOK bool, loc int32) (*catalog.Relation, error) {
	for {
		if schema != "" && !missingOK {
			if _, err := usableNamespace(ctx, c, schema); err != nil {
				return nil, err
			}
		}
		rel, err := catalog.LookupRelation(ctx, c.reader(), c.roleOfNames(), c.path(), schema, name)
		if err != nil {
			return nil, err
		}
		if rel == nil {
			if missingOK {
				return nil, nil
			}
			e := pgerror.New(pgerror.UndefinedTable, "relation %q does not exist", dotted(schema, name))
			return nil, e
		}
		if rel.OID < types.FirstNormalOID || mode == 0 {
			return rel, nil
		}
		if err := c.lock(ctx, rel.OID, mode); err != nil {
			return nil, err
		}
		again, err := catalog.LookupRelation(ctx, c.reader(), c.roleOfNames(), c.path(), schema, name)
		if err != nil {
			return nil, err
		}
		if again != nil && again.OID == rel.OID {
			return again, nil
		}
	}
}

// checkOwner refuses a relation the user does not own, and the system's own.
func (c *Context) checkOwner(ctx context.Context, rel *catalog.Relation) error {
	ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, rel.Owner)
	if err != nil {
		return err
	}
	if !ok {
		return pgerror.New(pgerror.InsufficientPrivilege, "must be owner of %s %s", kindNoun(rel.Kind), rel.Name)
	}
	if rel.OID < types.FirstNormalOID && c.Bootstrap == 0 {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied: %q is a system catalog", rel.Name)
	}
	return nil
}

// nameMax is the longest identifier in bytes (NAMEDATALEN − 1).
const nameMax = 63

// objectName joins the parts of a generated name, shortening the first two in
// turn so that the whole fits.
func objectName(name1, name2, label string) string {
	over := len(label)
	if label != "" {
		over++
	}
	if name2 != "" {
		over++
	}
	avail := nameMax - over
	n1, n2 := len(name1), len(name2)
	for n1+n2 > avail {
		if n1 > n2 {
			n1--
		} else {
			n2--
		}
	}
	s := clip(name1, n1)
	if name2 != "" {
		s += "_" + clip(name2, n2)
	}
	if label != "" {
		s += "_" + label
	}
	return s
}

// clip cuts to at most n bytes without splitting a character.
func clip(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// chooseRelationName makes a relation name nobody has yet in a schema.
func chooseRelationName(ctx context.Context, c *Context, name1, name2, label string, ns types.OID, isConstraint bool) (string, error) {
	for pass := 0; ; pass++ {
		l := label
		if pass > 0 {
			l += strconv.Itoa(pass)
		}
		name := objectName(name1, name2, l)
		rel, err := c.reader().RelationByName(ctx, ns, name)
		if err != nil {
			return "", err
		}
		if rel != nil {
			continue
		}
		if isConstraint {
			rows, err := c.writer().Lookup(ctx, "pg_constraint", "pg_constraint_conname_nsp_index", name, ns)
			if err != nil {
				return "", err
			}
			if len(rows) > 0 {
				continue
			}
		}
		return name, nil
	}
}

// chooseConstraintName makes a constraint name nobody has yet in a schema.
func chooseConstraintName(ctx context.Context, c *Context, name1, name2, label string, ns types.OID, taken map[string]bool) (string, error) {
	for pass := 0; ; pass++ {
		l := label
		if pass > 0 {
			l += strconv.Itoa(pass)
		}
		name := objectName(name1, name2, l)
		if taken[name] {
			continue
		}
		rows, err := c.writer().Lookup(ctx, "pg_constraint", "pg_constraint_conname_nsp_index", name, ns)
		if err != nil {
			return "", err
		}
		if len(rows) == 0 {
			return name, nil
		}
	}
}

// joinColumns is the column part of generated constraint and index names.
func joinColumns(cols []string) string {
	s := ""
	for _, c := range cols {
		if s != "" {
			s += "_"
		}
		s += c
		if len(s) >= nameMax+1 {
			break
		}
	}
	return s
}
