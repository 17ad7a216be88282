package ddl

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
)

func createSchema(ctx context.Context, c *Context, s *pg_query.CreateSchemaStmt) (string, error) {
	owner := c.User
	var err error
	name := s.Schemaname
	if s.Authrole != nil {
		if owner, err = c.roleSpec(ctx, s.Authrole); err != nil {
			return "", err
		}
		if name == "" {
			r, err := c.reader().Role(ctx, owner)
			if err != nil {
				return "", err
			}
			name = r.Name
		}
	}
	if err := c.checkDatabaseCreate(ctx); err != nil {
		return "", err
	}
	if err := c.checkBecome(ctx, owner); err != nil {
		return "", err
	}
	if strings.HasPrefix(name, "pg_") && c.Bootstrap == 0 {
		return "", pgerror.New(pgerror.ReservedName, "unacceptable schema name %q", name).WithDetail("The prefix \"pg_\" is reserved for system schemas.")
	}
	old, err := c.reader().NamespaceByName(ctx, name)
	if err != nil {
		return "", err
	}
	if old != nil {
		if s.IfNotExists {
			c.notice(notice(pgerror.DuplicateSchema, "schema %q already exists, skipping", name))
			return "", nil
		}
		return "", pgerror.New(pgerror.DuplicateSchema, "schema %q already exists", name)
	}
	oid, err := c.newOID(ctx)
	if err != nil {
		return "", err
	}
	defaults, err := c.defaultPrivileges(ctx, catalog.ObjectSchema, owner, 0)
	if err != nil {
		return "", err
	}
	if err := c.writer().Insert(ctx, "pg_namespace", catalog.Values{"oid": oid, "nspname": name, "nspowner": owner, "nspacl": defaults.aclOrNil()}); err != nil {
		return "", err
	}
	if err := c.recordDefaults(ctx, defaults, catalog.Object{Class: catalog.ClassNamespace, OID: oid}); err != nil {
		return "", err
	}
	if err := recordOwner(ctx, c, catalog.Object{Class: catalog.ClassNamespace, OID: oid}, owner); err != nil {
		return "", err
	}
	if len(s.SchemaElts) == 0 {
		return "", nil
	}
	// The elements are made with the new schema first in the path: sequences and
	// tables before views and indexes, as PostgreSQL sorts them.
	env, user := c.Env, c.User
	inner := *c.Env
	inner.CurrentUser = owner
	inner.SearchPath = append(append(inner.SearchPath[:0:0], oid), env.SearchPath...)
	c.Env, c.User = &inner, owner
	defer func() { c.Env, c.User = env, user }()
	order := func(n *pg_query.Node) int {
		switch n.GetNode().(type) {
		case *pg_query.Node_CreateSeqStmt:
			return 0
		case *pg_query.Node_CreateStmt:
			return 1
		case *pg_query.Node_ViewStmt:
			return 2
		case *pg_query.Node_IndexStmt:
			return 3
		}
		return 4
	}
	for pass := range 5 {
		for _, n := range s.SchemaElts {
			if order(n) != pass {
				continue
			}
			h := handler(n)
			if h == nil {
				return "", pgerror.Unsupported("this kind of schema element")
			}
			if v := elementName(n); v != nil && v.Schemaname != "" && v.Schemaname != name {
				return "", pgerror.New(pgerror.InvalidSchemaDefinition, "CREATE specifies a schema (%s) different from the one being created (%s)", v.Schemaname, name)
			}
			if _, err := h(ctx, c); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func elementName(n *pg_query.Node) *pg_query.RangeVar {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_CreateSeqStmt:
		return x.CreateSeqStmt.Sequence
	case *pg_query.Node_CreateStmt:
		return x.CreateStmt.Relation
	case *pg_query.Node_ViewStmt:
		return x.ViewStmt.View
	}
	return nil
}

// checkDatabaseCreate wants CREATE on the database.
func (c *Context) checkDatabaseCreate(ctx context.Context) error {
	r := c.reader()
	row, err := c.writer().One(ctx, "pg_database", "pg_database_oid_index", r.DatabaseOID())
	if err != nil || row == nil {
		return err
	}
	ok, err := catalog.HasPrivilege(ctx, r, c.User, catalog.ObjectDatabase, row.OID("datdba"), row.Strs("datacl"), catalog.PrivCreate)
	if err == nil && !ok {
		err = pgerror.New(pgerror.InsufficientPrivilege, "permission denied for database %s", r.DatabaseName())
	}
	return err
}
