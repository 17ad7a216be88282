package ddl

import (
	"context"
	"sort"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

var grantWords = map[string]byte{
	"select": 'r', "insert": 'a', "update": 'w', "delete": 'd', "truncate": 'D', "references": 'x', "trigger": 't', "execute": 'X', "usage": 'U', "create": 'C',
	"temporary": 'T', "temp": 'T', "connect": 'c',
}

// grantable is an object whose ACL a GRANT changes.
type grantable struct {
	kind  catalog.ObjectKind
	noun  string
	name  string
	owner types.OID
	acl   []string
	obj   catalog.Object
	row   *catalog.Row
	col   string          // of the ACL
	held  map[string]bool // roles that acl names, where a new object gets it
	rel   *catalog.Relation
}

func grant(ctx context.Context, c *Context, s *pg_query.GrantStmt) (string, error) {
	var targets []*grantable
	var err error
	switch s.Targtype {
	case pg_query.GrantTargetType_ACL_TARGET_OBJECT:
		targets, err = c.grantTargets(ctx, s.Objtype, s.Objects)
	case pg_query.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA:
		targets, err = c.schemaTargets(ctx, s.Objtype, s.Objects)
	default:
		return "", pgerror.Unsupported("ALTER DEFAULT PRIVILEGES")
	}
	if err != nil {
		return "", err
	}
	grantees, granteeOIDs, err := c.grantees(ctx, s)
	if err != nil {
		return "", err
	}
	for _, t := range targets {
		if err := c.grantOn(ctx, s, t, grantees, granteeOIDs); err != nil {
			return "", err
		}
	}
	return "", nil
}

// grantees names the roles of a GRANT, "" and 0 for PUBLIC.
func (c *Context) grantees(ctx context.Context, s *pg_query.GrantStmt) (names []string, oids []types.OID, err error) {
	for _, n := range s.Grantees {
		spec := n.GetRoleSpec()
		if spec.Roletype == pg_query.RoleSpecType_ROLESPEC_PUBLIC {
			if s.GrantOption && s.IsGrant {
				return nil, nil, pgerror.New(pgerror.InvalidGrantOperation, "grant options can only be granted to roles")
			}
			names, oids = append(names, ""), append(oids, 0)
			continue
		}
		oid, err := c.roleSpec(ctx, spec)
		if err != nil {
			return nil, nil, err
		}
		names, oids = append(names, c.roleText(ctx, oid)), append(oids, oid)
	}
	return names, oids, nil
}

func (c *Context) grantOn(ctx context.Context, s *pg_query.GrantStmt, t *grantable, grantees []string, oids []types.OID) error {
	whole := ""
	columns := map[byte][]string{}
	for _, n := range s.Privileges {
		p := n.GetAccessPriv()
		if len(p.Cols) > 0 {
			if t.rel == nil {
				return pgerror.New(pgerror.InvalidGrantOperation, "column privileges are only valid for relations")
			}
			letters := "arwx"
			if p.PrivName != "" {
				l, ok := grantWords[p.PrivName]
				if !ok {
					return pgerror.New(pgerror.SyntaxError, "unrecognized privilege type %q", p.PrivName)
				}
				if strings.IndexByte(letters, l) < 0 {
					return pgerror.New(pgerror.InvalidGrantOperation, "invalid privilege type %s for column", strings.ToUpper(p.PrivName))
				}
				letters = string(l)
			}
			for i := range len(letters) {
				columns[letters[i]] = append(columns[letters[i]], strs(p.Cols)...)
			}
			continue
		}
		if p.PrivName == "" {
			whole = catalog.AllPrivileges(t.kind)
			continue
		}
		l, ok := grantWords[p.PrivName]
		if !ok {
			return pgerror.New(pgerror.SyntaxError, "unrecognized privilege type %q", p.PrivName)
		}
		allowed := catalog.AllPrivileges(t.kind)
		if t.kind == catalog.ObjectTable && s.Objtype == pg_query.ObjectType_OBJECT_TABLE && t.rel != nil && t.rel.Kind == catalog.KindSequence {
			allowed = "rwU"
		}
		if strings.IndexByte(allowed, l) < 0 {
			noun := map[catalog.ObjectKind]string{catalog.ObjectTable: "table", catalog.ObjectSequence: "sequence", catalog.ObjectDatabase: "database",
				catalog.ObjectSchema: "schema", catalog.ObjectType: "type"}[t.kind]
			return pgerror.New(pgerror.InvalidGrantOperation, "invalid privilege type %s for %s", strings.ToUpper(p.PrivName), noun)
		}
		whole += string(l)
	}
	if len(s.Privileges) == 0 {
		whole = catalog.AllPrivileges(t.kind)
	}
	if whole != "" {
		if err := c.changeACL(ctx, s, t, whole, grantees, oids); err != nil {
			return err
		}
	}
	if whole != "" && !s.IsGrant && t.rel != nil && t.kind == catalog.ObjectTable {
		// A privilege revoked on the table goes from its columns too.
		for i := range len(whole) {
			if l := whole[i]; strings.IndexByte(catalog.AllPrivileges(catalog.ObjectColumn), l) >= 0 {
				for _, col := range t.rel.Columns {
					if !col.Dropped && col.ACL != nil {
						columns[l] = append(columns[l], col.Name)
					}
				}
			}
		}
	}
	byColumn := map[string]string{}
	var names []string
	for l, cols := range columns {
		for _, col := range cols {
			if byColumn[col] == "" {
				names = append(names, col)
			}
			byColumn[col] += string(l)
		}
	}
	sort.Strings(names)
	for _, col := range names {
		n := attnum(t.rel, col)
		if n == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", col, t.rel.Name)
		}
		row, err := c.attribute(ctx, t.rel.OID, n)
		if err != nil {
			return err
		}
		ct := &grantable{kind: catalog.ObjectColumn, noun: "column", name: col, owner: t.owner, acl: row.Strs("attacl"),
			obj: catalog.Object{Class: catalog.ClassRelation, OID: t.rel.OID, Sub: n}, row: row, col: "attacl"}
		if err := c.changeACL(ctx, s, ct, byColumn[col], grantees, oids); err != nil {
			return err
		}
	}
	return nil
}

// changeACL grants or revokes privileges on one object.
func (c *Context) changeACL(ctx context.Context, s *pg_query.GrantStmt, t *grantable, privs string, grantees []string, oids []types.OID) error {
	r := c.reader()
	// The grantor is the owner where the user may act for it.
	isOwner, err := catalog.IsMemberOrSuper(ctx, r, c.User, t.owner)
	if err != nil {
		return err
	}
	grantor := c.roleText(ctx, t.owner)
	if !isOwner {
		grantor = c.roleText(ctx, c.User)
		may := ""
		for i := range len(privs) {
			ok, err := catalog.HasGrantOption(ctx, r, c.User, t.kind, t.owner, t.acl, privs[i])
			if err != nil {
				return err
			}
			if ok {
				may += string(privs[i])
			}
		}
		if may == "" {
			any := false
			for _, p := range []byte(catalog.AllPrivileges(t.kind)) {
				ok, err := catalog.HasPrivilege(ctx, r, c.User, t.kind, t.owner, t.acl, p)
				if err != nil {
					return err
				}
				any = any || ok
			}
			if !any {
				return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for %s %s", t.noun, t.name)
			}
			if s.IsGrant {
				c.notice(warning(pgerror.Code("01007"), "no privileges were granted for %q", t.name))
			} else {
				c.notice(warning(pgerror.Code("01006"), "no privileges could be revoked for %q", t.name))
			}
			return nil
		}
		if may != privs {
			if s.IsGrant {
				c.notice(warning(pgerror.Code("01007"), "not all privileges were granted for %q", t.name))
			} else {
				c.notice(warning(pgerror.Code("01006"), "not all privileges could be revoked for %q", t.name))
			}
		}
		privs = may
	}
	items, err := catalog.EffectiveACL(ctx, r, t.kind, t.owner, t.acl)
	if err != nil {
		return err
	}
	if items, err = mergeGrant(s, items, privs, grantor, t.owner, grantees, oids); err != nil {
		return err
	}
	acl := []string{}
	held := map[string]bool{}
	for _, it := range items {
		if it.Privs == "" {
			continue
		}
		acl = append(acl, it.String())
		held[it.Grantee], held[it.Grantor] = true, true
	}
	if t.kind == catalog.ObjectColumn && len(acl) == 0 {
		acl = nil
	}
	if err := c.writer().Update(ctx, t.row, catalog.Values{t.col: aclArray(acl)}); err != nil {
		return err
	}
	return c.recordGrantees(ctx, t, held)
}

// mergeGrant applies a GRANT or REVOKE of privs by grantor to an ACL; items left
// without privileges stay in it.
func mergeGrant(s *pg_query.GrantStmt, items []catalog.ACLItem, privs, grantor string, owner types.OID, grantees []string, oids []types.OID) ([]catalog.ACLItem, error) {
	without := func(set, drop string) string {
		return strings.Map(func(x rune) rune {
			if strings.ContainsRune(drop, x) {
				return -1
			}
			return x
		}, set)
	}
	for i, g := range grantees {
		at := -1
		for k := range items {
			if items[k].Grantee == g && items[k].Grantor == grantor {
				at = k
			}
		}
		if s.IsGrant {
			if at < 0 {
				items = append(items, catalog.ACLItem{Grantee: g, Grantor: grantor})
				at = len(items) - 1
			}
			items[at].Privs = without(items[at].Privs, privs) + privs
			if s.GrantOption {
				items[at].Options = without(items[at].Options, privs) + privs
			}
			continue
		}
		if at < 0 {
			continue
		}
		// What the grantee passed on hangs on its grant option.
		lost := ""
		for k := range len(privs) {
			if strings.IndexByte(items[at].Options, privs[k]) >= 0 {
				lost += string(privs[k])
			}
		}
		if lost != "" && g != "" && oids[i] != owner {
			var err error
			if items, err = dropDependentGrants(items, g, lost, s.Behavior == pg_query.DropBehavior_DROP_CASCADE, map[string]bool{}); err != nil {
				return nil, err
			}
			for k := range items {
				if items[k].Grantee == g && items[k].Grantor == grantor {
					at = k
				}
			}
		}
		items[at].Options = without(items[at].Options, privs)
		if !s.GrantOption {
			items[at].Privs = without(items[at].Privs, privs)
		}
	}
	return items, nil
}

// dropDependentGrants removes what grantee gave on of the privileges lost.
func dropDependentGrants(items []catalog.ACLItem, grantee, lost string, cascade bool, busy map[string]bool) ([]catalog.ACLItem, error) {
	if busy[grantee] {
		return items, nil
	}
	busy[grantee] = true
	for k := range items {
		if items[k].Grantor != grantee || items[k].Grantee == grantee {
			continue
		}
		hit, opts := "", ""
		for i := range len(lost) {
			if strings.IndexByte(items[k].Privs, lost[i]) >= 0 {
				hit += string(lost[i])
			}
			if strings.IndexByte(items[k].Options, lost[i]) >= 0 {
				opts += string(lost[i])
			}
		}
		if hit == "" {
			continue
		}
		if !cascade {
			return nil, pgerror.New(pgerror.DependentObjectsStillExist, "dependent privileges exist").WithHint("Use CASCADE to revoke them too.")
		}
		for _, set := range []*string{&items[k].Privs, &items[k].Options} {
			for i := range len(hit) {
				*set = strings.ReplaceAll(*set, string(hit[i]), "")
			}
		}
		if opts != "" {
			var err error
			if items, err = dropDependentGrants(items, items[k].Grantee, opts, cascade, busy); err != nil {
				return nil, err
			}
		}
	}
	return items, nil
}

// recordGrantees notes in pg_shdepend which roles an ACL names.
func (c *Context) recordGrantees(ctx context.Context, t *grantable, held map[string]bool) error {
	db := c.reader().DatabaseOID()
	if t.obj.Class == catalog.ClassDatabase {
		db = 0
	}
	rows, err := c.writer().Lookup(ctx, "pg_shdepend", "pg_shdepend_depender_index", db, t.obj.Class, t.obj.OID, int32(t.obj.Sub))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Char("deptype") == 'a' {
			if err := c.writer().Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	names := make([]string, 0, len(held))
	for n := range held {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		role, err := c.reader().RoleByName(ctx, n)
		if err != nil {
			return err
		}
		if role == nil || role.OID == t.owner {
			continue
		}
		if err := shDepend(ctx, c, t.obj, role.OID, 'a'); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) relationTarget(ctx context.Context, rel *catalog.Relation, kind catalog.ObjectKind) (*grantable, error) {
	row, err := c.class(ctx, rel.OID)
	if err != nil {
		return nil, err
	}
	noun := kindNoun(rel.Kind)
	return &grantable{kind: kind, noun: noun, name: rel.Name, owner: rel.Owner, acl: row.Strs("relacl"),
		obj: catalog.Object{Class: catalog.ClassRelation, OID: rel.OID}, row: row, col: "relacl", rel: rel}, nil
}

func (c *Context) grantTargets(ctx context.Context, kind pg_query.ObjectType, objs []*pg_query.Node) ([]*grantable, error) {
	var out []*grantable
	w := c.writer()
	for _, n := range objs {
		switch kind {
		case pg_query.ObjectType_OBJECT_TABLE, pg_query.ObjectType_OBJECT_SEQUENCE:
			rel, err := findRelation(ctx, c, n.GetRangeVar(), txn.AccessShare, false)
			if err != nil {
				return nil, err
			}
			k := catalog.ObjectTable
			switch rel.Kind {
			case catalog.KindIndex:
				return nil, pgerror.New(pgerror.WrongObjectType, "%q is an index", rel.Name)
			case catalog.KindComposite:
				return nil, pgerror.New(pgerror.WrongObjectType, "%q is a composite type", rel.Name)
			case catalog.KindSequence:
				k = catalog.ObjectSequence
			default:
				if kind == pg_query.ObjectType_OBJECT_SEQUENCE {
					return nil, pgerror.New(pgerror.WrongObjectType, "%q is not a sequence", rel.Name)
				}
			}
			t, err := c.relationTarget(ctx, rel, k)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		case pg_query.ObjectType_OBJECT_SCHEMA:
			ns, err := namespaceByName(ctx, c, str(n))
			if err != nil {
				return nil, err
			}
			row, err := w.One(ctx, "pg_namespace", "pg_namespace_oid_index", ns.OID)
			if err != nil {
				return nil, err
			}
			out = append(out, &grantable{kind: catalog.ObjectSchema, noun: "schema", name: ns.Name, owner: ns.Owner, acl: row.Strs("nspacl"),
				obj: catalog.Object{Class: catalog.ClassNamespace, OID: ns.OID}, row: row, col: "nspacl"})
		case pg_query.ObjectType_OBJECT_DATABASE:
			row, err := w.One(ctx, "pg_database", "pg_database_datname_index", str(n))
			if err != nil {
				return nil, err
			}
			if row == nil {
				return nil, pgerror.New(pgerror.InvalidCatalogName, "database %q does not exist", str(n))
			}
			out = append(out, &grantable{kind: catalog.ObjectDatabase, noun: "database", name: str(n), owner: row.OID("datdba"), acl: row.Strs("datacl"),
				obj: catalog.Object{Class: catalog.ClassDatabase, OID: row.OID("oid")}, row: row, col: "datacl"})
		case pg_query.ObjectType_OBJECT_TYPE:
			t, err := c.findType(ctx, strs(n.GetList().GetItems()))
			if err != nil {
				return nil, err
			}
			row, err := w.One(ctx, "pg_type", "pg_type_oid_index", t.OID)
			if err != nil {
				return nil, err
			}
			out = append(out, &grantable{kind: catalog.ObjectType, noun: "type", name: c.reader().FormatType(t.OID, -1), owner: t.Owner, acl: row.Strs("typacl"),
				obj: catalog.Object{Class: catalog.ClassType, OID: t.OID}, row: row, col: "typacl"})
		default:
			return nil, pgerror.Unsupported("GRANT on this kind of object")
		}
	}
	return out, nil
}

func (c *Context) schemaTargets(ctx context.Context, kind pg_query.ObjectType, schemas []*pg_query.Node) ([]*grantable, error) {
	var out []*grantable
	for _, n := range schemas {
		ns, err := namespaceByName(ctx, c, str(n))
		if err != nil {
			return nil, err
		}
		rows, err := c.writer().Lookup(ctx, "pg_class", "")
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			k := r.Char("relkind")
			if r.OID("relnamespace") != ns.OID {
				continue
			}
			want := kind == pg_query.ObjectType_OBJECT_SEQUENCE && k == catalog.KindSequence ||
				kind == pg_query.ObjectType_OBJECT_TABLE && (k == catalog.KindTable || k == catalog.KindView)
			if !want {
				continue
			}
			rel, err := c.reader().Relation(ctx, r.OID("oid"))
			if err != nil {
				return nil, err
			}
			ok := catalog.ObjectTable
			if k == catalog.KindSequence {
				ok = catalog.ObjectSequence
			}
			t, err := c.relationTarget(ctx, rel, ok)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
	}
	return out, nil
}
