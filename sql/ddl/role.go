package ddl

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// roleOptions applies CREATE or ALTER ROLE options to row values.
func (c *Context) roleOptions(ctx context.Context, opts []*pg_query.Node, v catalog.Values) (lists map[string][]*pg_query.Node, err error) {
	lists = map[string][]*pg_query.Node{}
	seen := map[string]bool{}
	flags := map[string]string{"superuser": "rolsuper", "inherit": "rolinherit", "createrole": "rolcreaterole", "createdb": "rolcreatedb",
		"canlogin": "rolcanlogin", "isreplication": "rolreplication", "bypassrls": "rolbypassrls"}
	for _, n := range opts {
		d := n.GetDefElem()
		if seen[d.Defname] {
			return nil, pgerror.New(pgerror.SyntaxError, "conflicting or redundant options").WithPosition(c.at(d.Location))
		}
		seen[d.Defname] = true
		if col, ok := flags[d.Defname]; ok {
			if v[col], err = defBool(d); err != nil {
				return nil, err
			}
			continue
		}
		switch d.Defname {
		case "password":
			if d.Arg == nil {
				v["rolpassword"] = nil
				continue
			}
			pw := nodeText(d.Arg)
			if pw == "" {
				c.notice(notice(pgerror.SuccessfulCompletion, "empty string is not a valid password, clearing password"))
				v["rolpassword"] = nil
				continue
			}
			if strings.HasPrefix(pw, "SCRAM-SHA-256$") {
				v["rolpassword"] = pw
				continue
			}
			if c.PlainPassword == nil {
				return nil, pgerror.Unsupported("passwords")
			}
			verifier, err := c.PlainPassword(pw)
			if err != nil {
				return nil, err
			}
			v["rolpassword"] = verifier
		case "connectionlimit":
			n, err := defInt(d)
			if err != nil {
				return nil, err
			}
			if n < -1 {
				return nil, pgerror.New(pgerror.InvalidParameterValue, "invalid connection limit: %d", n)
			}
			v["rolconnlimit"] = int32(n)
		case "validUntil":
			t, err := types.In(c.env().Types, types.Of(types.TimestampTZOID), nodeText(d.Arg))
			if err != nil {
				return nil, err
			}
			v["rolvaliduntil"] = t
		case "addroleto", "rolemembers", "adminmembers":
			lists[d.Defname] = d.Arg.GetList().GetItems()
		case "sysid":
			c.notice(notice(pgerror.SuccessfulCompletion, "SYSID can no longer be specified"))
		default:
			return nil, pgerror.Internal("option %q not recognized", d.Defname)
		}
	}
	return lists, nil
}

func reservedRole(name string) error {
	if strings.HasPrefix(name, "pg_") {
		return pgerror.New(pgerror.ReservedName, "role name %q is reserved", name).WithDetail("Role names starting with \"pg_\" are reserved.")
	}
	if name == "public" || name == "none" {
		return pgerror.New(pgerror.ReservedName, "role name %q is reserved", name)
	}
	return nil
}

func createRole(ctx context.Context, c *Context, s *pg_query.CreateRoleStmt) (string, error) {
	v := catalog.Values{"rolname": s.Role, "rolinherit": true, "rolcanlogin": s.StmtType == pg_query.RoleStmtType_ROLESTMT_USER, "rolconnlimit": int32(-1)}
	lists, err := c.roleOptions(ctx, s.Options, v)
	if err != nil {
		return "", err
	}
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return "", err
	}
	switch {
	case v["rolsuper"] == true && !me.Super:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to create superusers")
	case v["rolreplication"] == true && !me.Super:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to create replication users")
	case v["rolbypassrls"] == true && !me.Super:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to create bypassrls users")
	case !me.Super && !me.CreateRole:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied to create role")
	}
	if err := reservedRole(s.Role); err != nil {
		return "", err
	}
	if old, err := c.reader().RoleByName(ctx, s.Role); err != nil {
		return "", err
	} else if old != nil {
		return "", pgerror.New(pgerror.DuplicateObject, "role %q already exists", s.Role)
	}
	oid, err := c.newOID(ctx)
	if err != nil {
		return "", err
	}
	v["oid"] = oid
	if err := c.writer().Insert(ctx, "pg_authid", v); err != nil {
		return "", err
	}
	for _, n := range lists["addroleto"] {
		to, err := c.roleSpec(ctx, n.GetRoleSpec())
		if err != nil {
			return "", err
		}
		if err := c.addMember(ctx, to, oid, false); err != nil {
			return "", err
		}
	}
	for _, list := range []string{"rolemembers", "adminmembers"} {
		for _, n := range lists[list] {
			m, err := c.roleSpec(ctx, n.GetRoleSpec())
			if err != nil {
				return "", err
			}
			if err := c.addMember(ctx, oid, m, list == "adminmembers"); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func alterRole(ctx context.Context, c *Context, s *pg_query.AlterRoleStmt) (string, error) {
	oid, err := c.roleSpec(ctx, s.Role)
	if err != nil {
		return "", err
	}
	v := catalog.Values{}
	lists, err := c.roleOptions(ctx, s.Options, v)
	if err != nil {
		return "", err
	}
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return "", err
	}
	target, err := c.reader().Role(ctx, oid)
	if err != nil {
		return "", err
	}
	_, onlyPassword := v["rolpassword"]
	onlyPassword = onlyPassword && len(v) == 1
	switch {
	case me.Super:
	case target.Super || v["rolsuper"] != nil:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to alter superuser roles or change superuser attribute")
	case target.Replication || v["rolreplication"] != nil:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to alter replication roles or change replication attribute")
	case v["rolbypassrls"] != nil:
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to change bypassrls attribute")
	case !me.CreateRole && !(oid == c.User && onlyPassword):
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied")
	}
	row, err := c.writer().One(ctx, "pg_authid", "pg_authid_oid_index", oid)
	if err != nil {
		return "", err
	}
	if len(v) > 0 {
		if err := c.writer().Update(ctx, row, v); err != nil {
			return "", err
		}
	}
	for _, n := range lists["rolemembers"] {
		m, err := c.roleSpec(ctx, n.GetRoleSpec())
		if err != nil {
			return "", err
		}
		if s.Action > 0 {
			err = c.addMember(ctx, oid, m, false)
		} else {
			err = c.removeMember(ctx, oid, m, false)
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

func dropRole(ctx context.Context, c *Context, s *pg_query.DropRoleStmt) (string, error) {
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return "", err
	}
	if !me.Super && !me.CreateRole {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied to drop role")
	}
	w := c.writer()
	for _, n := range s.Roles {
		spec := n.GetRoleSpec()
		if spec.Roletype != pg_query.RoleSpecType_ROLESPEC_CSTRING {
			return "", pgerror.New(pgerror.InvalidParameterValue, "cannot use special role specifier in DROP ROLE")
		}
		r, err := c.reader().RoleByName(ctx, spec.Rolename)
		if err != nil {
			return "", err
		}
		if r == nil {
			if s.MissingOk {
				c.notice(notice(pgerror.SuccessfulCompletion, "role %q does not exist, skipping", spec.Rolename))
				continue
			}
			return "", pgerror.New(pgerror.UndefinedObject, "role %q does not exist", spec.Rolename)
		}
		switch {
		case r.OID == c.User:
			return "", pgerror.New(pgerror.ObjectInUse, "current user cannot be dropped")
		case r.OID == c.SessionUser:
			return "", pgerror.New(pgerror.ObjectInUse, "session user cannot be dropped")
		case r.Super && !me.Super:
			return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to drop superusers")
		case r.OID < types.FirstNormalOID:
			return "", pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop role %s because it is required by the database system", r.Name)
		}
		if err := w.DeleteAll(ctx, "pg_auth_members", "pg_auth_members_role_member_index", r.OID); err != nil {
			return "", err
		}
		if err := w.DeleteAll(ctx, "pg_auth_members", "pg_auth_members_member_role_index", r.OID); err != nil {
			return "", err
		}
		deps, err := w.Lookup(ctx, "pg_shdepend", "pg_shdepend_reference_index", catalog.ClassAuthID, r.OID)
		if err != nil {
			return "", err
		}
		if len(deps) > 0 {
			var lines []string
			elsewhere := map[types.OID]int{}
			for _, d := range deps {
				if db := d.OID("dbid"); db != 0 && db != c.reader().DatabaseOID() {
					elsewhere[db]++
					continue
				}
				what := "owner of "
				if d.Char("deptype") == 'a' {
					what = "privileges for "
				}
				lines = append(lines, what+c.describeShared(ctx, catalog.Object{Class: d.OID("classid"), OID: d.OID("objid"), Sub: int(d.Int("objsubid"))}))
			}
			for db, n := range elsewhere {
				name := ""
				if row, err := w.One(ctx, "pg_database", "pg_database_oid_index", db); err == nil && row != nil {
					name = row.Str("datname")
				}
				noun := "objects"
				if n == 1 {
					noun = "object"
				}
				lines = append(lines, itoa(n)+" "+noun+" in database "+name)
			}
			return "", pgerror.New(pgerror.DependentObjectsStillExist, "role %q cannot be dropped because some objects depend on it", r.Name).
				WithDetail("%s", clientLines(lines))
		}
		row, err := w.One(ctx, "pg_authid", "pg_authid_oid_index", r.OID)
		if err != nil {
			return "", err
		}
		if err := c.dropSettings(ctx, 0, r.OID); err != nil {
			return "", err
		}
		if err := c.setComment(ctx, catalog.Object{Class: catalog.ClassAuthID, OID: r.OID}, ""); err != nil {
			return "", err
		}
		if err := w.Delete(ctx, row); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (c *Context) describeShared(ctx context.Context, o catalog.Object) string {
	if o.Class == catalog.ClassDatabase {
		if row, err := c.writer().One(ctx, "pg_database", "pg_database_oid_index", o.OID); err == nil && row != nil {
			return "database " + row.Str("datname")
		}
	}
	return c.describe(ctx, o)
}

func (c *Context) renameRole(ctx context.Context, s *pg_query.RenameStmt) error {
	r, err := c.reader().RoleByName(ctx, s.Subname)
	if err != nil {
		return err
	}
	if r == nil {
		return pgerror.New(pgerror.UndefinedObject, "role %q does not exist", s.Subname)
	}
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return err
	}
	switch {
	case r.OID == c.SessionUser:
		return pgerror.New(pgerror.FeatureNotSupported, "session user cannot be renamed")
	case r.OID == c.User:
		return pgerror.New(pgerror.FeatureNotSupported, "current user cannot be renamed")
	}
	if err := reservedRole(r.Name); err != nil {
		return err
	}
	if err := reservedRole(s.Newname); err != nil {
		return err
	}
	if old, err := c.reader().RoleByName(ctx, s.Newname); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateObject, "role %q already exists", s.Newname)
	}
	if !me.Super && (r.Super || !me.CreateRole) {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to rename role")
	}
	if err := c.renameInACLs(ctx, r, s.Newname); err != nil {
		return err
	}
	row, err := c.writer().One(ctx, "pg_authid", "pg_authid_oid_index", r.OID)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"rolname": s.Newname})
}

func grantRole(ctx context.Context, c *Context, s *pg_query.GrantRoleStmt) (string, error) {
	admin, adminSaid := false, false
	for _, n := range s.Opt {
		d := n.GetDefElem()
		b, err := defBool(d)
		if err != nil {
			return "", err
		}
		if d.Defname != "admin" {
			return "", pgerror.Unsupported("GRANT … WITH %s OPTION", strings.ToUpper(d.Defname))
		}
		admin, adminSaid = b, true
	}
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return "", err
	}
	for _, g := range s.GrantedRoles {
		name := g.GetAccessPriv().PrivName
		if name == "" {
			return "", pgerror.New(pgerror.InvalidGrantOperation, "column names cannot be included in GRANT/REVOKE ROLE")
		}
		r, err := c.reader().RoleByName(ctx, name)
		if err != nil {
			return "", err
		}
		if r == nil {
			return "", pgerror.New(pgerror.UndefinedObject, "role %q does not exist", name)
		}
		if !me.Super {
			row, err := c.writer().One(ctx, "pg_auth_members", "pg_auth_members_role_member_index", r.OID, c.User)
			if err != nil {
				return "", err
			}
			if r.Super {
				return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to alter superusers")
			}
			if !me.CreateRole && (row == nil || !row.Bool("admin_option")) {
				return "", pgerror.New(pgerror.InsufficientPrivilege, "must have admin option on role %q", r.Name)
			}
		}
		for _, n := range s.GranteeRoles {
			m, err := c.roleSpec(ctx, n.GetRoleSpec())
			if err != nil {
				return "", err
			}
			if s.IsGrant {
				err = c.addMember(ctx, r.OID, m, admin)
			} else {
				err = c.removeMember(ctx, r.OID, m, adminSaid)
			}
			if err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func (c *Context) roleText(ctx context.Context, oid types.OID) string {
	if r, err := c.reader().Role(ctx, oid); err == nil && r != nil {
		return r.Name
	}
	return ""
}

func (c *Context) addMember(ctx context.Context, role, member types.OID, admin bool) error {
	ms, err := catalog.Memberships(ctx, c.reader(), role, false)
	if err != nil {
		return err
	}
	if ms[member] {
		return pgerror.New(pgerror.InvalidGrantOperation, "role %q is a member of role %q", c.roleText(ctx, role), c.roleText(ctx, member))
	}
	w := c.writer()
	row, err := w.One(ctx, "pg_auth_members", "pg_auth_members_role_member_index", role, member)
	if err != nil {
		return err
	}
	if row != nil {
		if !admin || row.Bool("admin_option") {
			c.notice(notice(pgerror.SuccessfulCompletion, "role %q is already a member of role %q", c.roleText(ctx, member), c.roleText(ctx, role)))
			return nil
		}
		return w.Update(ctx, row, catalog.Values{"admin_option": true, "grantor": c.User})
	}
	return w.Insert(ctx, "pg_auth_members", catalog.Values{"roleid": role, "member": member, "grantor": c.User, "admin_option": admin})
}

func (c *Context) removeMember(ctx context.Context, role, member types.OID, adminOnly bool) error {
	w := c.writer()
	row, err := w.One(ctx, "pg_auth_members", "pg_auth_members_role_member_index", role, member)
	if err != nil {
		return err
	}
	if row == nil {
		c.notice(warning(pgerror.Warning, "role %q is not a member of role %q", c.roleText(ctx, member), c.roleText(ctx, role)))
		return nil
	}
	if adminOnly {
		return w.Update(ctx, row, catalog.Values{"admin_option": false})
	}
	return w.Delete(ctx, row)
}
