package catalog

import (
	"context"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Privilege letters of aclitem.
const (
	PrivSelect     byte = 'r'
	PrivInsert     byte = 'a'
	PrivUpdate     byte = 'w'
	PrivDelete     byte = 'd'
	PrivTruncate   byte = 'D'
	PrivReferences byte = 'x'
	PrivTrigger    byte = 't'
	PrivExecute    byte = 'X'
	PrivUsage      byte = 'U'
	PrivCreate     byte = 'C'
	PrivConnect    byte = 'c'
	PrivTemporary  byte = 'T'
	PrivSet        byte = 's'
	PrivAlterSys   byte = 'A'
)

// ObjectKind is a kind of object that privileges are granted on.
type ObjectKind uint8

const (
	ObjectTable ObjectKind = iota
	ObjectSequence
	ObjectDatabase
	ObjectSchema
	ObjectType
	ObjectFunction
	ObjectLanguage
	ObjectTablespace
	ObjectColumn
)

// AllPrivileges are the letters of a kind's privileges, in aclitem's order.
func AllPrivileges(k ObjectKind) string {
	switch k {
	case ObjectSequence:
		return "rwU"
	case ObjectDatabase:
		return "CTc"
	case ObjectSchema:
		return "UC"
	case ObjectType, ObjectLanguage:
		return "U"
	case ObjectFunction:
		return "X"
	case ObjectTablespace:
		return "C"
	case ObjectColumn:
		return "arwx"
	}
	return "arwdDxt"
}

// publicDefaults are what PUBLIC has on an object without an ACL.
func publicDefaults(k ObjectKind) string {
	switch k {
	case ObjectDatabase:
		return "Tc"
	case ObjectType, ObjectLanguage:
		return "U"
	case ObjectFunction:
		return "X"
	}
	return ""
}

// ACLItem is one aclitem taken apart. Grantee "" is PUBLIC. Privs lists letters
// in aclitem's order; Options those held with grant option.
type ACLItem struct {
	Grantee, Grantor string
	Privs, Options   string
}

// ParseACLItem reads aclitem's text form (role names quoted where needed).
func ParseACLItem(s string) (ACLItem, error) {
	name, rest, ok := aclName(s)
	if !ok || rest == "" || rest[0] != '=' {
		return ACLItem{}, pgerror.New(pgerror.InvalidTextRepresentation, "missing \"=\" sign")
	}
	it := ACLItem{Grantee: name}
	rest = rest[1:]
	privs, grantor, _ := strings.Cut(rest, "/")
	for i := 0; i < len(privs); i++ {
		if privs[i] == '*' {
			if i > 0 {
				it.Options += string(privs[i-1])
			}
			continue
		}
		it.Privs += string(privs[i])
	}
	it.Grantor, _, _ = aclName(grantor)
	return it, nil
}

func aclName(s string) (name, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := 0
		for i < len(s) && s[i] != '=' && s[i] != '/' {
			i++
		}
		return s[:i], s[i:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

// String is aclitem's text form.
func (it ACLItem) String() string {
	var b strings.Builder
	b.WriteString(aclQuote(it.Grantee))
	b.WriteByte('=')
	for i := range len(aclOrder) {
		p := aclOrder[i]
		if strings.IndexByte(it.Privs, p) >= 0 {
			b.WriteByte(p)
			if strings.IndexByte(it.Options, p) >= 0 {
				b.WriteByte('*')
			}
		}
	}
	b.WriteByte('/')
	b.WriteString(aclQuote(it.Grantor))
	return b.String()
}

const aclOrder = "arwdDxtXUCTcsA"

func aclQuote(s string) string {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !('a' <= c && c <= 'z') && !('A' <= c && c <= 'Z') && !('0' <= c && c <= '9') {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
	}
	return s
}

// DefaultACL is what an object without an ACL grants: acldefault().
func DefaultACL(ctx context.Context, r Reader, k ObjectKind, owner types.OID) ([]ACLItem, error) {
	role, err := r.Role(ctx, owner)
	if err != nil {
		return nil, err
	}
	name := ""
	if role != nil {
		name = role.Name
	}
	var out []ACLItem
	if p := publicDefaults(k); p != "" {
		out = append(out, ACLItem{Grantor: name, Privs: p})
	}
	if k != ObjectColumn {
		out = append(out, ACLItem{Grantee: name, Grantor: name, Privs: AllPrivileges(k)})
	}
	return out, nil
}

// EffectiveACL is an object's ACL, the default one when it has none.
func EffectiveACL(ctx context.Context, r Reader, k ObjectKind, owner types.OID, acl []string) ([]ACLItem, error) {
	if acl == nil {
		return DefaultACL(ctx, r, k, owner)
	}
	out := make([]ACLItem, 0, len(acl))
	for _, s := range acl {
		it, err := ParseACLItem(s)
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}

// Memberships lists the roles whose privileges a role has: itself and, through
// INHERIT, those it is a member of. With inheritOnly false it lists all
// memberships. pg_database_owner counts as held by the database's owner.
func Memberships(ctx context.Context, r Reader, role types.OID, inheritOnly bool) (map[types.OID]bool, error) {
	seen := map[types.OID]bool{role: true}
	todo := []types.OID{role}
	for len(todo) > 0 {
		cur, err := r.Role(ctx, todo[0])
		todo = todo[1:]
		if err != nil {
			return nil, err
		}
		if cur == nil || inheritOnly && !cur.Inherit {
			continue
		}
		for _, m := range cur.MemberOf {
			if !seen[m] {
				seen[m] = true
				todo = append(todo, m)
			}
		}
	}
	if o, ok := r.(interface {
		databaseOwner(ctx context.Context) (types.OID, error)
	}); ok {
		owner, err := o.databaseOwner(ctx)
		if err != nil {
			return nil, err
		}
		if seen[owner] {
			seen[databaseOwnerRole] = true
		}
	}
	return seen, nil
}

// databaseOwnerRole is pg_database_owner.
const databaseOwnerRole types.OID = 6171

func (s *state) databaseOwner(ctx context.Context) (types.OID, error) {
	s.mu.Lock()
	o := s.owner
	s.mu.Unlock()
	if o != 0 {
		return o, nil
	}
	err := s.read(func(a *access) error {
		r, err := a.one(ctx, "pg_database", "pg_database_oid_index", s.db)
		if r != nil {
			o = r.OID("datdba")
		}
		return err
	})
	s.mu.Lock()
	s.owner = o
	s.mu.Unlock()
	return o, err
}

// HasPrivilege reports whether a role has a privilege on an object: as superuser,
// as owner, or through the ACL (nil: the kind's default), memberships included.
func HasPrivilege(ctx context.Context, r Reader, role types.OID, k ObjectKind, owner types.OID, acl []string, priv byte) (bool, error) {
	return hasPrivilege(ctx, r, role, k, owner, acl, priv, false)
}

// HasGrantOption is HasPrivilege for the right to grant it on.
func HasGrantOption(ctx context.Context, r Reader, role types.OID, k ObjectKind, owner types.OID, acl []string, priv byte) (bool, error) {
	return hasPrivilege(ctx, r, role, k, owner, acl, priv, true)
}

func hasPrivilege(ctx context.Context, r Reader, role types.OID, k ObjectKind, owner types.OID, acl []string, priv byte, option bool) (bool, error) {
	me, err := r.Role(ctx, role)
	if err != nil {
		return false, err
	}
	if me != nil && me.Super {
		return true, nil
	}
	member, err := Memberships(ctx, r, role, true)
	if err != nil {
		return false, err
	}
	if option && member[owner] {
		return true, nil
	}
	items, err := EffectiveACL(ctx, r, k, owner, acl)
	if err != nil {
		return false, err
	}
	for _, it := range items {
		held := it.Privs
		if option {
			held = it.Options
		}
		if strings.IndexByte(held, priv) < 0 {
			continue
		}
		if it.Grantee == "" {
			if !option {
				return true, nil
			}
			continue
		}
		g, err := r.RoleByName(ctx, it.Grantee)
		if err != nil {
			return false, err
		}
		if g != nil && member[g.OID] {
			return true, nil
		}
	}
	return false, nil
}

// IsMemberOrSuper reports whether role has the privileges of owner.
func IsMemberOrSuper(ctx context.Context, r Reader, role, owner types.OID) (bool, error) {
	if role == owner {
		return true, nil
	}
	me, err := r.Role(ctx, role)
	if err != nil || me == nil {
		return false, err
	}
	if me.Super {
		return true, nil
	}
	m, err := Memberships(ctx, r, role, true)
	return m[owner], err
}

// relationKind is the kind a relation's privileges follow.
func relationKind(rel *Relation) ObjectKind {
	if rel.Kind == KindSequence {
		return ObjectSequence
	}
	return ObjectTable
}

// CheckPrivilege is what sessions call before they read or write a relation:
// 42501 when the role lacks a privilege on the relation and on the columns used
// (attribute numbers; nil: the whole relation, empty: on any column of it).
func CheckPrivilege(ctx context.Context, r Reader, role types.OID, rel *Relation, priv byte, columns []int) error {
	ok, err := HasPrivilege(ctx, r, role, relationKind(rel), rel.Owner, rel.ACL, priv)
	if err != nil || ok {
		return err
	}
	allowed := len(columns) > 0
	if columns != nil && len(columns) == 0 {
		for i := range rel.Columns {
			if acl := rel.Columns[i].ACL; acl != nil && !rel.Columns[i].Dropped {
				if ok, err := HasPrivilege(ctx, r, role, ObjectColumn, 0, acl, priv); err != nil || ok {
					return err
				}
			}
		}
	}
	for _, n := range columns {
		if n <= 0 || n > len(rel.Columns) {
			allowed = false
			break
		}
		has := false
		if acl := rel.Columns[n-1].ACL; acl != nil {
			if has, err = HasPrivilege(ctx, r, role, ObjectColumn, 0, acl, priv); err != nil {
				return err
			}
		}
		allowed = allowed && has
	}
	if allowed {
		return nil
	}
	noun := "table"
	switch rel.Kind {
	case KindView:
		noun = "view"
	case KindSequence:
		noun = "sequence"
	}
	return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for %s %s", noun, rel.Name)
}
