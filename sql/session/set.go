package session

import (
	"context"
	"math"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/settings"
	"github.com/basaltdb/basalt/sql/types"
)

// constText is a constant of the parse tree as SET reads it, and as a flag.
func constText(n *pg_query.Node) (string, bool) {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_AConst:
		c := x.AConst
		switch {
		case c.GetSval() != nil:
			return c.GetSval().Sval, false
		case c.GetIval() != nil:
			return strconv.Itoa(int(c.GetIval().Ival)), c.GetIval().Ival != 0
		case c.GetFval() != nil:
			return c.GetFval().Fval, false
		case c.GetBoolval() != nil:
			return strconv.FormatBool(c.GetBoolval().Boolval), c.GetBoolval().Boolval
		case !c.Isnull:
			return "0", false
		}
	case *pg_query.Node_Integer:
		return strconv.Itoa(int(x.Integer.Ival)), x.Integer.Ival != 0
	case *pg_query.Node_Float:
		return x.Float.Fval, false
	case *pg_query.Node_String_:
		return x.String_.Sval, false
	case *pg_query.Node_Boolean:
		return strconv.FormatBool(x.Boolean.Boolval), x.Boolean.Boolval
	}
	return "", false
}

// setStmt runs SET and RESET.
func (s *Session) setStmt(ctx context.Context, v *pg_query.VariableSetStmt) error {
	switch v.Kind {
	case pg_query.VariableSetKind_VAR_SET_MULTI:
		switch v.Name {
		case "TRANSACTION":
			if s.phase != phaseBlock && !s.inQueryString {
				s.warn(pgerror.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks")
			}
			return s.characteristics(v.Args, false)
		case "SESSION CHARACTERISTICS":
			return s.characteristics(v.Args, true)
		}
		id, _ := constText(v.Args[0]) // the only other kind
		return s.importSnapshot(id)
	case pg_query.VariableSetKind_VAR_RESET_ALL:
		for _, d := range s.settings.ResetAll() {
			s.reportOne(d)
		}
		return nil
	}
	if v.IsLocal && s.phase != phaseBlock && !s.inQueryString {
		s.warn(pgerror.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks")
	}
	reset := v.Kind == pg_query.VariableSetKind_VAR_RESET || v.Kind == pg_query.VariableSetKind_VAR_SET_DEFAULT
	d, err := s.settings.Find(v.Name)
	text := ""
	if !reset {
		var err2 error
		if text, err2 = s.flatten(v, d); err2 != nil && (err == nil || strings.Contains(v.Name, ".")) {
			return err2
		}
	}
	if v.Kind == pg_query.VariableSetKind_VAR_SET_CURRENT {
		return pgerror.Unsupported("SET ... FROM CURRENT")
	}
	return s.setVariable(ctx, v.Name, text, reset, v.IsLocal)
}

// setVariable sets a parameter (set_config and SET); those whose value is an act are done here.
func (s *Session) setVariable(ctx context.Context, name, text string, reset, local bool) error {
	switch strings.ToLower(name) {
	case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		return s.setTransactionVariable(strings.ToLower(name), text, reset)
	case "role":
		return s.setRole(ctx, text, reset, local)
	case "session_authorization":
		return s.setSessionAuthorization(ctx, text, reset, local)
	case "seed":
		if reset {
			return nil
		}
	}
	var d *settings.Definition
	var err error
	if reset {
		if d, err = s.settings.Find(name); err != nil {
			return err
		}
		if err = d.Writable(name, s.currentUser.Super); err != nil {
			return err
		}
		s.settings.Assign(d, s.settings.ResetValue(d), local)
	} else if d, err = s.settings.Set(name, text, local, s.currentUser.Super); err != nil {
		return err
	}
	s.reportOne(d)
	return nil
}

func (s *Session) setTransactionVariable(name, text string, reset bool) error {
	if name == "transaction_isolation" {
		if reset {
			text = s.settings.Get("default_transaction_isolation")
		}
		return s.setIsolation(text, false)
	}
	if reset {
		text = s.settings.Get("default_" + name)
	}
	on, ok := settings.ParseBool(text)
	if !ok {
		return pgerror.New(pgerror.InvalidParameterValue, `parameter "%s" requires a Boolean value`, name)
	}
	if name == "transaction_read_only" {
		return s.setReadOnly(on, false)
	}
	if s.cur.queried {
		return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION [NOT] DEFERRABLE must be called before any query")
	}
	s.cur.opts.Deferrable = on
	return nil
}

// flatten makes one text of SET's values.
func (s *Session) flatten(v *pg_query.VariableSetStmt, d *settings.Definition) (string, error) {
	isList := d != nil && d.List
	if len(v.Args) != 1 && !isList {
		return "", pgerror.New(pgerror.InvalidParameterValue, "SET %s takes only one argument", v.Name)
	}
	var parts []string
	for _, a := range v.Args {
		if c := a.GetTypeCast(); c != nil { // SET TIME ZONE INTERVAL '…'
			t, _ := constText(c.Arg)
			zone, err := s.intervalZone(t, c.TypeName)
			return zone, err
		}
		t, _ := constText(a)
		if isList && d.Quote && a.GetAConst().GetSval() != nil {
			t = quoteIdentifier(t)
		}
		parts = append(parts, t)
	}
	return strings.Join(parts, ", "), nil
}

// intervalZone reads SET TIME ZONE INTERVAL: hours and minutes east of UTC.
func (s *Session) intervalZone(text string, t *pg_query.TypeName) (string, error) {
	typ := types.Of(types.IntervalOID)
	if len(t.Typmods) > 0 {
		if m, _ := constText(t.Typmods[0]); m != "" {
			typ = typ.WithMod(int32(atoi(m))<<16 | 0xffff)
		}
	}
	d, err := types.In(s.Env(), typ, text)
	if err != nil {
		return "", err
	}
	iv := d.(types.Interval)
	text, _ = types.Out(s.Env(), types.Of(types.IntervalOID), d)
	if iv.Months != 0 {
		return "", pgerror.New(pgerror.InvalidParameterValue, `invalid value for parameter "TimeZone": "INTERVAL '%s'"`, text).
			WithDetail("Cannot specify months in time zone interval.")
	}
	if iv.Days != 0 {
		return "", pgerror.New(pgerror.InvalidParameterValue, `invalid value for parameter "TimeZone": "INTERVAL '%s'"`, text).
			WithDetail("Cannot specify days in time zone interval.")
	}
	_, name := settings.FixedZone(int(iv.Micros / 1_000_000))
	return name, nil
}

// quoteIdentifier quotes an identifier where it would not be read back as it is.
func quoteIdentifier(name string) string {
	plain := name != ""
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && (c >= '0' && c <= '9' || c == '$')) {
			plain = false
		}
	}
	if plain {
		return catalog.QuoteIdent(name)
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// showStmt runs SHOW.
func (s *Session) showStmt(v *pg_query.VariableShowStmt) (*result, error) {
	if v.Name == "all" {
		var rows [][]string
		for _, d := range s.settings.All() {
			_, shown, _ := s.showVariable(d.Name)
			rows = append(rows, []string{d.Name, shown, d.Short})
		}
		return textRows("SHOW", []string{"name", "setting", "description"}, rows), nil
	}
	d, shown, err := s.showVariable(v.Name)
	if err != nil {
		return nil, err
	}
	return textRows("SHOW", []string{d.Name}, [][]string{{shown}}), nil
}

// showVariable is a parameter's value as SHOW and current_setting give it.
func (s *Session) showVariable(name string) (*settings.Definition, string, error) {
	d, shown, err := s.settings.Show(name)
	if err != nil {
		return nil, "", err
	}
	switch d.Name {
	case "transaction_isolation":
		shown = isolationNames[s.cur.opts.Isolation]
		if s.cur.uncommitted {
			shown = "read uncommitted"
		}
	case "transaction_read_only":
		shown = onOff(s.cur.readOnly)
	case "transaction_deferrable":
		shown = onOff(s.cur.opts.Deferrable)
	case "seed":
		shown = "unavailable"
	}
	return d, shown, nil
}

// setRole runs SET ROLE.
func (s *Session) setRole(ctx context.Context, name string, reset, local bool) error {
	d := settings.Lookup("role")
	if reset || strings.EqualFold(name, "none") {
		s.settings.Assign(d, "none", local)
		s.restoreUsers()
		return nil
	}
	r, err := s.reader().RoleByName(ctx, name)
	if err != nil {
		return err
	}
	if r == nil {
		return pgerror.New(pgerror.InvalidParameterValue, `role "%s" does not exist`, name)
	}
	if !s.sessionUser.Super && r.OID != s.sessionUser.OID && !s.memberOf(ctx, s.sessionUser, r.OID) {
		return pgerror.New(pgerror.InsufficientPrivilege, `permission denied to set role "%s"`, name)
	}
	s.settings.Assign(d, r.Name, local)
	s.setUser(r)
	return nil
}

// setSessionAuthorization runs SET SESSION AUTHORIZATION.
func (s *Session) setSessionAuthorization(ctx context.Context, name string, reset, local bool) error {
	d := settings.Lookup("session_authorization")
	if reset {
		name = s.settings.ResetValue(d)
	}
	r, err := s.reader().RoleByName(ctx, name)
	if err != nil {
		return err
	}
	if r == nil {
		return pgerror.New(pgerror.InvalidParameterValue, `role "%s" does not exist`, name)
	}
	if !s.loginSuper && r.Name != s.settings.ResetValue(d) {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to set session authorization")
	}
	s.settings.Assign(settings.Lookup("role"), "none", local)
	s.settings.Assign(d, r.Name, local)
	s.sessionUser = r
	s.setUser(r)
	s.reportOne(d)
	return nil
}

func (s *Session) setUser(r *catalog.Role) {
	s.currentUser = r
	d := settings.Lookup("is_superuser")
	s.settings.Assign(d, onOff(r.Super), false)
	s.reportOne(d)
}

// restoreUsers makes the users what the settings say, after an undo.
func (s *Session) restoreUsers() {
	ctx := context.Background()
	if r, err := s.reader().RoleByName(ctx, s.settings.Get("session_authorization")); err == nil && r != nil {
		s.sessionUser = r
	}
	s.currentUser = s.sessionUser
	if name := s.settings.Get("role"); name != "none" {
		if r, err := s.reader().RoleByName(ctx, name); err == nil && r != nil {
			s.currentUser = r
		}
	}
	s.reportOne(settings.Lookup("is_superuser"))
}

// memberOf reports whether a role is, directly or not, a member of another.
func (s *Session) memberOf(ctx context.Context, r *catalog.Role, of types.OID) bool {
	seen := map[types.OID]bool{}
	var walk func(r *catalog.Role, depth int) bool
	walk = func(r *catalog.Role, depth int) bool {
		for _, m := range r.MemberOf {
			if m == of {
				return true
			}
			if seen[m] || depth > math.MaxUint8 {
				continue
			}
			seen[m] = true
			if up, err := s.reader().Role(ctx, m); err == nil && up != nil && walk(up, depth+1) {
				return true
			}
		}
		return false
	}
	return walk(r, 0)
}
