package ddl

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Settings is what ALTER ROLE and ALTER DATABASE … SET ask of the session.
type Settings interface {
	// SettingText checks a SET or RESET of one parameter and gives the parameter's
	// name as it is spelled and the value's text as the user wrote it.
	SettingText(v *pg_query.VariableSetStmt) (name, text string, err error)
}

const (
	roleSettings      = "pg_db_role_setting"
	roleSettingsIndex = "pg_db_role_setting_databaseid_rol_index"
)

func alterRoleSet(ctx context.Context, c *Context, s *pg_query.AlterRoleSetStmt) (string, error) {
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return "", err
	}
	var role, db types.OID
	if s.Role != nil {
		if role, err = c.roleSpec(ctx, s.Role); err != nil {
			return "", err
		}
		target, err := c.reader().Role(ctx, role)
		if err != nil {
			return "", err
		}
		switch {
		case me.Super:
		case target.Super:
			return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to alter superusers")
		case !me.CreateRole && role != c.User:
			return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied")
		}
	}
	if s.Database != "" {
		row, err := c.databaseRow(ctx, s.Database)
		if err != nil {
			return "", err
		}
		if db = row.OID("oid"); role == 0 {
			if _, err := c.ownDatabase(ctx, s.Database); err != nil {
				return "", err
			}
		}
	}
	if role == 0 && db == 0 && !me.Super {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "must be superuser to alter settings globally")
	}
	return "", c.changeSettings(ctx, db, role, s.Setstmt)
}

func alterDatabaseSet(ctx context.Context, c *Context, s *pg_query.AlterDatabaseSetStmt) (string, error) {
	row, err := c.databaseRow(ctx, s.Dbname)
	if err != nil {
		return "", err
	}
	if row, err = c.ownDatabase(ctx, s.Dbname); err != nil {
		return "", err
	}
	return "", c.changeSettings(ctx, row.OID("oid"), 0, s.Setstmt)
}

func alterDatabase(ctx context.Context, c *Context, s *pg_query.AlterDatabaseStmt) (string, error) {
	v := catalog.Values{}
	for _, n := range s.Options {
		d := n.GetDefElem()
		switch d.Defname {
		case "is_template", "allow_connections":
			b, err := defBool(d)
			if err != nil {
				return "", err
			}
			v[map[string]string{"is_template": "datistemplate", "allow_connections": "datallowconn"}[d.Defname]] = b
		case "connection_limit":
			n, err := defInt(d)
			if err != nil {
				return "", err
			}
			if n < -1 {
				return "", pgerror.New(pgerror.InvalidParameterValue, "invalid connection limit: %d", n)
			}
			v["datconnlimit"] = int32(n)
		case "tablespace":
			return "", pgerror.Unsupported("ALTER DATABASE … SET TABLESPACE")
		default:
			return "", pgerror.New(pgerror.SyntaxError, "option %q not recognized", d.Defname).WithPosition(c.at(d.Location))
		}
	}
	if _, err := c.databaseRow(ctx, s.Dbname); err != nil {
		return "", err
	}
	row, err := c.ownDatabase(ctx, s.Dbname)
	if err != nil || len(v) == 0 {
		return "", err
	}
	if v["datallowconn"] == false && row.OID("oid") == c.reader().DatabaseOID() {
		return "", pgerror.New(pgerror.InvalidParameterValue, "cannot disallow connections for current database")
	}
	return "", c.writer().Update(ctx, row, v)
}

func (c *Context) databaseRow(ctx context.Context, name string) (*catalog.Row, error) {
	row, err := c.writer().One(ctx, "pg_database", "pg_database_datname_index", name)
	if err == nil && row == nil {
		err = pgerror.New(pgerror.InvalidCatalogName, "database %q does not exist", name)
	}
	return row, err
}

// changeSettings applies one SET or RESET to the settings that sessions of a role
// (0: all) in a database (0: all) begin with.
func (c *Context) changeSettings(ctx context.Context, db, role types.OID, v *pg_query.VariableSetStmt) error {
	w := c.writer()
	row, err := w.One(ctx, roleSettings, roleSettingsIndex, db, role)
	if err != nil {
		return err
	}
	var list []string
	if row != nil {
		list = row.Strs("setconfig")
	}
	if v.Kind == pg_query.VariableSetKind_VAR_RESET_ALL {
		list = nil
	} else {
		if c.Settings == nil {
			return pgerror.Unsupported("settings of roles and databases")
		}
		name, text, err := c.Settings.SettingText(v)
		if err != nil {
			return err
		}
		reset := v.Kind == pg_query.VariableSetKind_VAR_RESET || v.Kind == pg_query.VariableSetKind_VAR_SET_DEFAULT
		list = changeSetting(list, name, text, reset)
	}
	switch {
	case row == nil && len(list) == 0:
		return nil
	case len(list) == 0:
		return w.Delete(ctx, row)
	}
	texts := make([]types.Datum, len(list))
	for i, s := range list {
		texts[i] = s
	}
	config := types.NewArray(types.Of(types.Text), texts)
	if row != nil {
		return w.Update(ctx, row, catalog.Values{"setconfig": config})
	}
	return w.Insert(ctx, roleSettings, catalog.Values{"setdatabase": db, "setrole": role, "setconfig": config})
}

// changeSetting replaces, adds or removes NAME=VALUE in a list, the others in order.
func changeSetting(list []string, name, text string, remove bool) []string {
	var out []string
	found := false
	for _, s := range list {
		n, _, _ := strings.Cut(s, "=")
		if !strings.EqualFold(n, name) {
			out = append(out, s)
			continue
		}
		if found = true; !remove {
			out = append(out, name+"="+text)
		}
	}
	if !found && !remove {
		out = append(out, name+"="+text)
	}
	return out
}

// dropSettings forgets the settings of a role or database that goes.
func (c *Context) dropSettings(ctx context.Context, db, role types.OID) error {
	w := c.writer()
	rows, err := w.Lookup(ctx, roleSettings, "")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if db != 0 && r.OID("setdatabase") == db || role != 0 && r.OID("setrole") == role {
			if err := w.Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}
