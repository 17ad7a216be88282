package catalog

import (
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// pathResolver is a Reader's Resolver under a search path.
type pathResolver struct {
	Reader
	role types.OID
	path []types.OID
}

// NewResolver gives the look-ups of value input and output for a session:
// FormatType, RegIn and RegOut follow the effective search path, and RegIn asks
// for the role's USAGE on schemas that are named (role 0: the system's).
func NewResolver(r Reader, role types.OID, path []types.OID) types.Resolver {
	return pathResolver{r, role, path}
}

func (p pathResolver) FormatType(oid types.OID, mod int32) string {
	return FormatTypeIn(p.Reader, p.path, oid, mod, mod >= 0)
}

func (p pathResolver) RegIn(reg types.OID, text string) (types.OID, error) {
	return regIn(p.Reader, p.role, p.path, reg, text)
}

func (p pathResolver) RegOut(reg, value types.OID) string {
	return regOut(p.Reader, p.path, reg, value)
}

// EnumValues implements types.EnumLister.
func (p pathResolver) EnumValues(typ types.OID) []types.OID {
	t, err := p.Reader.Type(bg, typ)
	if err != nil || t == nil {
		return nil
	}
	var vs []types.OID
	for _, l := range t.Labels {
		vs = append(vs, l.OID)
	}
	return vs
}

// SplitName reads a possibly qualified identifier as SQL writes it: parts
// folded to lower case unless quoted. ok is false for bad syntax.
func SplitName(s string) (parts []string, ok bool) {
	s = strings.TrimSpace(s)
	for {
		var part string
		if strings.HasPrefix(s, `"`) {
			i := 1
			var b strings.Builder
			for {
				j := strings.IndexByte(s[i:], '"')
				if j < 0 {
					return nil, false
				}
				b.WriteString(s[i : i+j])
				i += j + 1
				if i < len(s) && s[i] == '"' {
					b.WriteByte('"')
					i++
					continue
				}
				break
			}
			part, s = b.String(), strings.TrimSpace(s[i:])
		} else {
			j := strings.IndexAny(s, ". \t\n\"")
			if j < 0 {
				j = len(s)
			}
			part, s = foldName(s[:j]), strings.TrimSpace(s[j:])
		}
		if part == "" {
			return nil, false
		}
		parts = append(parts, part)
		if s == "" {
			return parts, true
		}
		if s[0] != '.' {
			return nil, false
		}
		s = strings.TrimSpace(s[1:])
	}
}

func foldName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

// qualified splits a name into schema and object, with PostgreSQL's errors.
func qualified(text, database string) (schema, name string, err error) {
	parts, ok := SplitName(text)
	if !ok {
		return "", "", pgerror.New(pgerror.InvalidName, "invalid name syntax")
	}
	switch len(parts) {
	case 1:
		return "", parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	case 3:
		if parts[0] != database {
			return "", "", pgerror.New(pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(parts, "."))
		}
		return parts[1], parts[2], nil
	}
	return "", "", pgerror.New(pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
}

func joinName(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// schemaExists reports an explicitly named schema that is not there.
func schemaExists(r Reader, role types.OID, schema string) error {
	if schema == "" {
		return nil
	}
	ns, err := UsableNamespace(bg, r, role, schema)
	if err != nil {
		return err
	}
	if ns == nil {
		return pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", schema)
	}
	return nil
}

func regIn(r Reader, role types.OID, path []types.OID, reg types.OID, text string) (types.OID, error) {
	if text == "-" && reg != types.RegOper {
		return 0, nil
	}
	if text != "" && strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "value %q is out of range for type %s", text, "oid")
		}
		return types.OID(n), nil
	}
	switch reg {
	case types.RegType:
		t, err := ParseTypeName(r, role, path, text)
		return t.OID, err
	case types.RegProcedure, types.RegOperator:
		return regCallIn(r, role, path, reg, text)
	case types.RegNamespace, types.RegRole:
		parts, ok := SplitName(text)
		if !ok || len(parts) != 1 {
			return 0, pgerror.New(pgerror.InvalidName, "invalid name syntax")
		}
		if reg == types.RegRole {
			named, err := r.RoleByName(bg, parts[0])
			if err != nil {
				return 0, err
			}
			if named == nil {
				return 0, pgerror.New(pgerror.UndefinedObject, "role %q does not exist", parts[0])
			}
			return named.OID, nil
		}
		ns, err := r.NamespaceByName(bg, parts[0])
		if err != nil {
			return 0, err
		}
		if ns == nil || parts[0] == TempAlias { // an alias is no schema
			return 0, pgerror.New(pgerror.InvalidSchemaName, "schema %q does not exist", parts[0])
		}
		return ns.OID, nil
	}
	if reg == types.RegOper {
		schema, name := "", text
		if i := strings.LastIndexByte(text, '.'); i > 0 {
			schema, name = text[:i], text[i+1:]
		}
		if err := schemaExists(r, role, schema); err != nil && pgerror.From(err).Code == pgerror.InsufficientPrivilege {
			return 0, err
		}
		var found []*Operator
		for _, o := range r.Operators(name) {
			if schema == "" || schema == "pg_catalog" {
				found = append(found, o)
			}
		}
		switch len(found) {
		case 0:
			return 0, pgerror.New(pgerror.UndefinedFunction, "operator does not exist: %s", text)
		case 1:
			return found[0].OID, nil
		}
		return 0, pgerror.New(pgerror.AmbiguousFunction, "more than one operator named %s", text)
	}
	schema, name, err := qualified(text, r.DatabaseName())
	if err != nil {
		if e := pgerror.From(err); reg == types.RegClass {
			e.Message = strings.Replace(e.Message, "improper qualified name", "improper relation name", 1)
		}
		return 0, err
	}
	if err := schemaExists(r, role, schema); err != nil && (reg != types.RegProc || pgerror.From(err).Code == pgerror.InsufficientPrivilege) {
		return 0, err
	}
	inCatalog := schema == "" || schema == "pg_catalog"
	switch reg {
	case types.RegClass:
		rel, err := LookupRelation(bg, r, role, path, schema, name)
		if err != nil {
			return 0, err
		}
		if rel == nil {
			return 0, pgerror.New(pgerror.UndefinedTable, "relation %q does not exist", joinName(schema, name))
		}
		return rel.OID, nil
	case types.RegProc:
		fs := r.Functions(name)
		switch {
		case !inCatalog || len(fs) == 0:
			return 0, pgerror.New(pgerror.UndefinedFunction, "function %q does not exist", text)
		case len(fs) > 1:
			return 0, pgerror.New(pgerror.AmbiguousFunction, "more than one function named %q", text)
		}
		return fs[0].OID, nil
	case types.RegCollation:
		if c := r.CollationByName(name); c != nil && inCatalog {
			return c.OID, nil
		}
		return 0, pgerror.New(pgerror.UndefinedObject, "collation %q for encoding \"UTF8\" does not exist", joinName(schema, name))
	case types.RegConfig:
		if oid, ok := textSearch().config[name]; ok && inCatalog {
			return oid, nil
		}
		return 0, pgerror.New(pgerror.UndefinedObject, "text search configuration %q does not exist", joinName(schema, name))
	case types.RegDictionary:
		if oid, ok := textSearch().dict[name]; ok && inCatalog {
			return oid, nil
		}
		return 0, pgerror.New(pgerror.UndefinedObject, "text search dictionary %q does not exist", joinName(schema, name))
	}
	return 0, pgerror.Internal("no input rule for type %d", reg)
}

// regCallIn reads regprocedure and regoperator: name(type, …).
func regCallIn(r Reader, role types.OID, path []types.OID, reg types.OID, text string) (types.OID, error) {
	open := strings.IndexByte(text, '(')
	if open < 0 {
		return 0, pgerror.New(pgerror.InvalidTextRepresentation, "expected a left parenthesis")
	}
	body := strings.TrimSpace(text[open+1:])
	if !strings.HasSuffix(body, ")") {
		return 0, pgerror.New(pgerror.InvalidTextRepresentation, "expected a right parenthesis")
	}
	body = strings.TrimSpace(body[:len(body)-1])
	var args []types.OID
	if body != "" {
		for _, a := range splitTypeList(body) {
			if reg == types.RegOperator && foldName(strings.TrimSpace(a)) == "none" {
				args = append(args, 0)
				continue
			}
			t, err := ParseTypeName(r, role, path, a)
			if err != nil {
				return 0, err
			}
			args = append(args, t.OID)
		}
	}
	head := strings.TrimSpace(text[:open])
	if reg == types.RegOperator {
		if len(args) != 2 {
			if len(args) == 1 {
				return 0, pgerror.New(pgerror.UndefinedParameter, "missing argument").WithHint("Use NONE to denote the missing argument of a unary operator.")
			}
			return 0, pgerror.New(pgerror.TooManyArguments, "too many arguments").WithHint("Provide two argument types for operator.")
		}
		name := head[strings.LastIndexByte(head, '.')+1:]
		for _, o := range r.Operators(name) {
			if o.Left == args[0] && o.Right == args[1] {
				return o.OID, nil
			}
		}
		return 0, pgerror.New(pgerror.UndefinedFunction, "operator does not exist: %s", head)
	}
	schema, name, err := qualified(head, r.DatabaseName())
	if err != nil {
		return 0, err
	}
	if err := schemaExists(r, role, schema); err != nil && pgerror.From(err).Code == pgerror.InsufficientPrivilege {
		return 0, err
	}
	for _, f := range r.Functions(name) {
		if sameOIDs(f.ArgTypes, args) && (schema == "" || schema == "pg_catalog") {
			return f.OID, nil
		}
	}
	return 0, pgerror.New(pgerror.UndefinedFunction, "function %q does not exist", text)
}

func sameOIDs(a, b []types.OID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// splitTypeList cuts at commas outside parentheses and quotes.
func splitTypeList(s string) []string {
	var out []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func regOut(r Reader, path []types.OID, reg, v types.OID) string {
	if v == 0 {
		return "-"
	}
	number := strconv.FormatUint(uint64(v), 10)
	schemaOf := func(ns types.OID) string {
		if n, err := r.Namespace(bg, ns); err == nil && n != nil {
			return n.Name
		}
		return ""
	}
	inPath := func(ns types.OID) bool {
		for _, p := range path {
			if p == ns {
				return true
			}
		}
		return false
	}
	switch reg {
	case types.RegClass:
		ns, name, ok := relationName(r, v)
		if !ok {
			return number
		}
		if RelationVisible(bg, r, path, ns, name) {
			return QuoteIdent(name)
		}
		return QuoteQualified(schemaOf(ns), name)
	case types.RegType:
		if ty, err := r.Type(bg, v); err != nil || ty == nil {
			return number
		}
		return FormatTypeIn(r, path, v, -1, false)
	case types.RegProc:
		f := r.Function(v)
		if f == nil {
			return number
		}
		if len(r.Functions(f.Name)) == 1 && inPath(f.Namespace) {
			return QuoteIdent(f.Name)
		}
		return QuoteQualified(schemaOf(f.Namespace), f.Name)
	case types.RegProcedure:
		f := r.Function(v)
		if f == nil {
			return number
		}
		args := make([]string, len(f.ArgTypes))
		for i, a := range f.ArgTypes {
			args[i] = FormatTypeIn(r, path, a, -1, false)
		}
		name := QuoteIdent(f.Name)
		if !inPath(f.Namespace) {
			name = QuoteQualified(schemaOf(f.Namespace), f.Name)
		}
		return name + "(" + strings.Join(args, ",") + ")"
	case types.RegOper:
		o := r.Operator(v)
		if o == nil {
			return number
		}
		if len(r.Operators(o.Name)) == 1 {
			return o.Name
		}
		return schemaOf(o.Namespace) + "." + o.Name
	case types.RegOperator:
		o := r.Operator(v)
		if o == nil {
			return number
		}
		left := "NONE"
		if o.Left != 0 {
			left = FormatTypeIn(r, path, o.Left, -1, false)
		}
		return o.Name + "(" + left + "," + FormatTypeIn(r, path, o.Right, -1, false) + ")"
	case types.RegNamespace:
		if n := schemaOf(v); n != "" {
			return QuoteIdent(n)
		}
	case types.RegRole:
		if role, err := r.Role(bg, v); err == nil && role != nil {
			return QuoteIdent(role.Name)
		}
	case types.RegCollation:
		if c := r.Collation(v); c != nil {
			return QuoteIdent(c.Name)
		}
	case types.RegConfig:
		for n, oid := range textSearch().config {
			if oid == v {
				return QuoteIdent(n)
			}
		}
	case types.RegDictionary:
		for n, oid := range textSearch().dict {
			if oid == v {
				return QuoteIdent(n)
			}
		}
	}
	return number
}

// relationName avoids building a whole descriptor where the Reader can.
func relationName(r Reader, oid types.OID) (namespace types.OID, name string, ok bool) {
	rel, err := r.Relation(bg, oid)
	if err != nil {
		return 0, "", false
	}
	if rel != nil {
		return rel.Namespace, rel.Name, true
	}
	if ix, ok := r.(interface {
		IndexName(oid types.OID) (types.OID, string, bool)
	}); ok {
		return ix.IndexName(oid)
	}
	return 0, "", false
}
