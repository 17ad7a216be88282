package ddl

import (
	"context"
	"slices"
	"sort"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// defaultKind is a kind of object that ALTER DEFAULT PRIVILEGES knows.
type defaultKind struct {
	letter byte // pg_default_acl.defaclobjtype
	noun   string
	kind   catalog.ObjectKind
}

var defaultKinds = map[pg_query.ObjectType]defaultKind{
	pg_query.ObjectType_OBJECT_TABLE:    {'r', "relation", catalog.ObjectTable},
	pg_query.ObjectType_OBJECT_SEQUENCE: {'S', "sequence", catalog.ObjectSequence},
	pg_query.ObjectType_OBJECT_FUNCTION: {'f', "function", catalog.ObjectFunction},
	pg_query.ObjectType_OBJECT_ROUTINE:  {'f', "function", catalog.ObjectFunction},
	pg_query.ObjectType_OBJECT_TYPE:     {'T', "type", catalog.ObjectType},
	pg_query.ObjectType_OBJECT_SCHEMA:   {'n', "schema", catalog.ObjectSchema},
}

var defaultLetters = map[catalog.ObjectKind]byte{catalog.ObjectTable: 'r', catalog.ObjectSequence: 'S', catalog.ObjectType: 'T', catalog.ObjectSchema: 'n'}

func alterDefaultPrivileges(ctx context.Context, c *Context, s *pg_query.AlterDefaultPrivilegesStmt) (string, error) {
	var schemas, roles *pg_query.DefElem
	for _, n := range s.Options {
		d := n.GetDefElem()
		at := &schemas
		if d.Defname == "roles" {
			at = &roles
		}
		if *at != nil {
			return "", pgerror.New(pgerror.SyntaxError, "conflicting or redundant options").WithPosition(c.at(d.Location))
		}
		*at = d
	}
	g := s.Action
	grantees, oids, err := c.grantees(ctx, g)
	if err != nil {
		return "", err
	}
	k, ok := defaultKinds[g.Objtype]
	if !ok {
		return "", pgerror.Internal("unrecognized object type of default privileges: %d", g.Objtype)
	}
	privs := ""
	if len(g.Privileges) == 0 {
		privs = catalog.AllPrivileges(k.kind)
	}
	for _, n := range g.Privileges {
		p := n.GetAccessPriv()
		if len(p.Cols) > 0 {
			return "", pgerror.New(pgerror.InvalidGrantOperation, "default privileges cannot be set for columns")
		}
		l, ok := grantWords[p.PrivName]
		if !ok {
			return "", pgerror.New(pgerror.SyntaxError, "unrecognized privilege type %q", p.PrivName)
		}
		if strings.IndexByte(catalog.AllPrivileges(k.kind), l) < 0 {
			return "", pgerror.New(pgerror.InvalidGrantOperation, "invalid privilege type %s for %s", strings.ToUpper(p.PrivName), k.noun)
		}
		privs += string(l)
	}
	owners := []types.OID{c.User}
	if roles != nil {
		owners = nil
		for _, n := range roles.Arg.GetList().GetItems() {
			oid, err := c.roleSpec(ctx, n.GetRoleSpec())
			if err != nil {
				return "", err
			}
			if err := c.checkBecome(ctx, oid); err != nil {
				return "", err
			}
			owners = append(owners, oid)
		}
	}
	for _, owner := range owners {
		if schemas == nil {
			if err := c.setDefaultPrivileges(ctx, g, k, owner, 0, privs, grantees, oids); err != nil {
				return "", err
			}
			continue
		}
		for _, n := range schemas.Arg.GetList().GetItems() {
			ns, err := namespaceByName(ctx, c, str(n))
			if err != nil {
				return "", err
			}
			if k.kind == catalog.ObjectSchema {
				return "", pgerror.New(pgerror.InvalidGrantOperation, "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS")
			}
			if err := c.setDefaultPrivileges(ctx, g, k, owner, ns.OID, privs, grantees, oids); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// setDefaultPrivileges changes one row of pg_default_acl. The row of no schema
// replaces what is built in; the row of a schema adds to it. A row that says
// what holds anyway goes.
func (c *Context) setDefaultPrivileges(ctx context.Context, g *pg_query.GrantStmt, k defaultKind, owner, schema types.OID, privs string, grantees []string, oids []types.OID) error {
	w := c.writer()
	row, err := w.One(ctx, "pg_default_acl", "pg_default_acl_role_nsp_obj_index", owner, schema, k.letter)
	if err != nil {
		return err
	}
	var base []catalog.ACLItem
	if schema == 0 {
		if base, err = catalog.DefaultACL(ctx, c.reader(), k.kind, owner); err != nil {
			return err
		}
	}
	items := slices.Clone(base)
	if row != nil {
		if items, err = catalog.EffectiveACL(ctx, c.reader(), k.kind, owner, row.Strs("defaclacl")); err != nil {
			return err
		}
	}
	if items, err = mergeGrant(g, items, privs, c.roleText(ctx, owner), owner, grantees, oids); err != nil {
		return err
	}
	acl, held, err := c.sortACL(ctx, items)
	if err != nil {
		return err
	}
	builtin, _, err := c.sortACL(ctx, base)
	if err != nil {
		return err
	}
	if slices.Equal(acl, builtin) {
		if row == nil {
			return nil
		}
		return c.dropObject(ctx, catalog.Object{Class: catalog.ClassDefaultACL, OID: row.OID("oid")})
	}
	t := &grantable{owner: owner, obj: catalog.Object{Class: catalog.ClassDefaultACL}}
	if row != nil {
		t.obj.OID = row.OID("oid")
		if err := w.Update(ctx, row, catalog.Values{"defaclacl": aclArray(acl)}); err != nil {
			return err
		}
		return c.recordGrantees(ctx, t, held)
	}
	if t.obj.OID, err = c.newOID(ctx); err != nil {
		return err
	}
	if err := w.Insert(ctx, "pg_default_acl", catalog.Values{"oid": t.obj.OID, "defaclrole": owner, "defaclnamespace": schema, "defaclobjtype": k.letter,
		"defaclacl": aclArray(acl)}); err != nil {
		return err
	}
	if err := recordOwner(ctx, c, t.obj, owner); err != nil {
		return err
	}
	if schema != 0 {
		if err := w.Depend(ctx, t.obj, catalog.Object{Class: catalog.ClassNamespace, OID: schema}, catalog.DependAuto); err != nil {
			return err
		}
	}
	return c.recordGrantees(ctx, t, held)
}

// sortACL prints the items that hold something in PostgreSQL's order, by the OIDs of
// grantee and grantor, and names the roles in them.
func (c *Context) sortACL(ctx context.Context, items []catalog.ACLItem) (acl []string, held map[string]bool, err error) {
	type entry struct {
		grantee, grantor types.OID
		text             string
	}
	var es []entry
	held = map[string]bool{}
	oid := func(name string) types.OID {
		if name == "" || err != nil {
			return 0
		}
		var r *catalog.Role
		if r, err = c.reader().RoleByName(ctx, name); err == nil && r != nil {
			return r.OID
		}
		return 0
	}
	for _, it := range items {
		if it.Privs == "" {
			continue
		}
		es = append(es, entry{oid(it.Grantee), oid(it.Grantor), it.String()})
		held[it.Grantee], held[it.Grantor] = true, true
	}
	if err != nil {
		return nil, nil, err
	}
	sort.SliceStable(es, func(i, j int) bool {
		if es[i].grantee != es[j].grantee {
			return es[i].grantee < es[j].grantee
		}
		return es[i].grantor < es[j].grantor
	})
	acl = []string{}
	for _, e := range es {
		acl = append(acl, e.text)
	}
	return acl, held, nil
}

// defaultPrivileges is the ACL that a new object of owner gets in a schema by ALTER
// DEFAULT PRIVILEGES; nil where nothing but the built-in privileges hold.
func (c *Context) defaultPrivileges(ctx context.Context, k catalog.ObjectKind, owner, schema types.OID) (*grantable, error) {
	if c.Bootstrap != 0 {
		return nil, nil
	}
	rows := map[types.OID][]string{}
	for _, ns := range []types.OID{0, schema} {
		row, err := c.writer().One(ctx, "pg_default_acl", "pg_default_acl_role_nsp_obj_index", owner, ns, defaultLetters[k])
		if err != nil {
			return nil, err
		}
		if row != nil {
			rows[ns] = row.Strs("defaclacl")
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	base, err := catalog.DefaultACL(ctx, c.reader(), k, owner)
	if err != nil {
		return nil, err
	}
	items := slices.Clone(base)
	if acl, ok := rows[0]; ok {
		if items, err = catalog.EffectiveACL(ctx, c.reader(), k, owner, acl); err != nil {
			return nil, err
		}
	}
	if acl := rows[schema]; schema != 0 && acl != nil {
		more, err := catalog.EffectiveACL(ctx, c.reader(), k, owner, acl)
		if err != nil {
			return nil, err
		}
		for _, m := range more {
			at := slices.IndexFunc(items, func(it catalog.ACLItem) bool { return it.Grantee == m.Grantee && it.Grantor == m.Grantor })
			if at < 0 {
				items = append(items, m)
				continue
			}
			items[at].Privs += m.Privs
			items[at].Options += m.Options
		}
	}
	acl, held, err := c.sortACL(ctx, items)
	if err != nil {
		return nil, err
	}
	builtin, _, err := c.sortACL(ctx, base)
	if err != nil || slices.Equal(acl, builtin) {
		return nil, err
	}
	return &grantable{owner: owner, acl: acl, held: held}, nil
}

// aclOrNil is the ACL as a column's value.
func (t *grantable) aclOrNil() any {
	if t == nil {
		return nil
	}
	return aclArray(t.acl)
}

// recordDefaults notes the roles that a new object's default privileges name.
func (c *Context) recordDefaults(ctx context.Context, t *grantable, o catalog.Object) error {
	if t == nil {
		return nil
	}
	t.obj = o
	return c.recordGrantees(ctx, t, t.held)
}
