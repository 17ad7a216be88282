package session

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/settings"
	"github.com/basaltdb/basalt/sql/types"
)

// SettingText implements ddl.Settings for ALTER ROLE and ALTER DATABASE … SET.
func (s *Session) SettingText(v *pg_query.VariableSetStmt) (name, text string, err error) {
	if v.Kind == pg_query.VariableSetKind_VAR_SET_MULTI {
		return "", "", pgerror.New(pgerror.UndefinedObject, `unrecognized configuration parameter "%s"`, v.Name)
	}
	d, err := s.settings.Find(v.Name)
	if err != nil && (!strings.Contains(v.Name, ".") || d != nil) {
		return "", "", err
	}
	name = v.Name
	if d != nil {
		name = d.Name
		if err := d.Writable(v.Name, s.currentUser.Super); err != nil {
			return "", "", err
		}
	}
	if strings.EqualFold(name, "transaction_isolation") && v.Kind == pg_query.VariableSetKind_VAR_SET_VALUE {
		return "", "", pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
	}
	switch v.Kind {
	case pg_query.VariableSetKind_VAR_RESET, pg_query.VariableSetKind_VAR_SET_DEFAULT:
		return name, "", nil
	case pg_query.VariableSetKind_VAR_SET_CURRENT:
		if d == nil {
			return "", "", pgerror.New(pgerror.UndefinedObject, `unrecognized configuration parameter "%s"`, v.Name)
		}
		_, text, _ = s.settings.Show(d.Name)
		return name, text, nil
	}
	if text, err = s.flatten(v, d); err != nil {
		return "", "", err
	}
	// Checked as a session would when it begins.
	return name, text, settings.New(nil).Startup(v.Name, text, s.currentUser.Super)
}

// roleSettings applies what ALTER ROLE and ALTER DATABASE … SET stored for the
// session's role and database: the more specific over the more general. A value
// that is no longer good is left out with a warning.
func (s *Session) roleSettings(ctx context.Context, r catalog.Reader) error {
	for _, key := range [][2]types.OID{{0, 0}, {s.db.OID, 0}, {0, s.sessionUser.OID}, {s.db.OID, s.sessionUser.OID}} {
		row, err := catalog.FindRow(ctx, r, "pg_db_role_setting", "pg_db_role_setting_databaseid_rol_index", key[0], key[1])
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		for _, kv := range row.Strs("setconfig") {
			name, text, _ := strings.Cut(kv, "=")
			// They were checked against the privileges of who stored them.
			if err := s.settings.Startup(name, text, true); err != nil {
				s.client.Notice(pgerror.From(err).WithSeverity("WARNING"))
			}
		}
	}
	return nil
}

// admit refuses a session that the limits of connections do not allow: those of
// the role and those of the database. Superusers are not counted out.
func (n *Node) admit(db *catalog.Database, role *catalog.Role) error {
	if role.Super {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if role.ConnLimit >= 0 {
		mine := 0
		for _, o := range n.sessions {
			if o.sessionUser.OID == role.OID {
				mine++
			}
		}
		if mine >= role.ConnLimit {
			return pgerror.New(pgerror.TooManyConnections, `too many connections for role "%s"`, role.Name)
		}
	}
	if db.ConnLimit >= 0 && n.dbConns[db.OID] >= db.ConnLimit {
		return pgerror.New(pgerror.TooManyConnections, `too many connections for database "%s"`, db.Name)
	}
	return nil
}
