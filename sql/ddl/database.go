package ddl

import (
	"context"
	"fmt"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// ownDatabase reads a database's row that the user must own.
func (c *Context) ownDatabase(ctx context.Context, name string) (*catalog.Row, error) {
	row, err := c.writer().One(ctx, "pg_database", "pg_database_datname_index", name)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, pgerror.New(pgerror.InvalidCatalogName, "database %q does not exist", name)
	}
	if ok, err := catalog.IsMemberOrSuper(ctx, c.reader(), c.User, row.OID("datdba")); err != nil || !ok {
		return nil, pgerror.New(pgerror.InsufficientPrivilege, "must be owner of database %s", name)
	}
	return row, nil
}

func createDatabase(ctx context.Context, c *Context, s *pg_query.CreatedbStmt) (string, error) {
	if c.InTransactionBlock {
		return "", pgerror.New(pgerror.ActiveSQLTransaction, "CREATE DATABASE cannot run inside a transaction block")
	}
	me, err := c.reader().Role(ctx, c.User)
	if err != nil {
		return "", err
	}
	owner, template := c.User, "template1"
	isTemplate, allowConn, limit := false, true, int32(-1)
	seen := map[string]bool{}
	for _, n := range s.Options {
		d := n.GetDefElem()
		if seen[d.Defname] {
			return "", pgerror.New(pgerror.SyntaxError, "conflicting or redundant options").WithPosition(c.at(d.Location))
		}
		seen[d.Defname] = true
		switch d.Defname {
		case "owner":
			if d.Arg != nil {
				r, err := c.reader().RoleByName(ctx, nodeText(d.Arg))
				if err != nil {
					return "", err
				}
				if r == nil {
					return "", pgerror.New(pgerror.UndefinedObject, "role %q does not exist", nodeText(d.Arg))
				}
				owner = r.OID
			}
		case "template":
			if d.Arg != nil {
				template = nodeText(d.Arg)
			}
		case "encoding":
			switch v := nodeText(d.Arg); v {
			case "UTF8", "utf8", "UTF-8", "utf-8", "unicode", "6", "-1":
			default:
				return "", pgerror.Unsupported("encoding %s", v)
			}
		case "locale", "lc_collate", "lc_ctype":
			switch v := nodeText(d.Arg); v {
			case "C", "POSIX":
			default:
				return "", pgerror.Unsupported("locale %q", v)
			}
		case "allow_connections":
			if allowConn, err = defBool(d); err != nil {
				return "", err
			}
		case "is_template":
			if isTemplate, err = defBool(d); err != nil {
				return "", err
			}
		case "connection_limit":
			v, err := defInt(d)
			if err != nil {
				return "", err
			}
			if v < -1 {
				return "", pgerror.New(pgerror.InvalidParameterValue, "invalid connection limit: %d", v)
			}
			limit = int32(v)
		case "tablespace":
			if v := nodeText(d.Arg); d.Arg != nil && v != "pg_default" {
				return "", pgerror.New(pgerror.UndefinedObject, "tablespace %q does not exist", v)
			}
		case "strategy", "locale_provider", "collation_version", "icu_locale":
		case "oid":
			return "", pgerror.Unsupported("CREATE DATABASE with OID")
		default:
			return "", pgerror.New(pgerror.SyntaxError, "option %q not recognized", d.Defname).WithPosition(c.at(d.Location))
		}
	}
	if !me.Super && !me.CreateDB {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied to create database")
	}
	if err := c.checkBecome(ctx, owner); err != nil {
		return "", err
	}
	w := c.writer()
	if old, err := w.One(ctx, "pg_database", "pg_database_datname_index", s.Dbname); err != nil {
		return "", err
	} else if old != nil {
		return "", pgerror.New(pgerror.DuplicateDatabase, "database %q already exists", s.Dbname)
	}
	src, err := w.One(ctx, "pg_database", "pg_database_datname_index", template)
	if err != nil {
		return "", err
	}
	if src == nil {
		return "", pgerror.New(pgerror.InvalidCatalogName, "template database %q does not exist", template)
	}
	if !src.Bool("datistemplate") && !me.Super && src.OID("datdba") != c.User {
		return "", pgerror.New(pgerror.InsufficientPrivilege, "permission denied to copy database %q", template)
	}
	from := src.OID("oid")
	own := 0
	if from == c.reader().DatabaseOID() {
		own = 1
	}
	users, prepared, err := c.waitForOthers(ctx, from, own)
	if err != nil {
		return "", err
	}
	if users+prepared > 0 {
		return "", pgerror.New(pgerror.ObjectInUse, "source database %q is being accessed by other users", template).WithDetail("%s", usedBy(users, prepared))
	}
	oid, err := c.newOID(ctx)
	if err != nil {
		return "", err
	}
	if err := w.Insert(ctx, "pg_database", catalog.Values{"oid": oid, "datname": s.Dbname, "datdba": owner, "encoding": int32(6), "datlocprovider": byte('c'),
		"datistemplate": isTemplate, "datallowconn": allowConn, "datconnlimit": limit, "datfrozenxid": types.OID(716), "datminmxid": types.OID(1),
		"dattablespace": types.OID(1663), "datcollate": "C", "datctype": "C"}); err != nil {
		return "", err
	}
	if err := recordOwner(ctx, c, catalog.Object{Class: catalog.ClassDatabase, OID: oid}, owner); err != nil {
		return "", err
	}
	if err := w.CopyCatalogs(ctx, from, oid); err != nil {
		return "", err
	}
	return "", c.copyTables(ctx, from, template, oid, s.Dbname)
}

// copyTables copies the rows of a template's own tables and the state of its sequences.
func (c *Context) copyTables(ctx context.Context, from types.OID, template string, to types.OID, name string) error {
	if c.Runner == nil {
		return nil
	}
	src, dst := c.Manager.Transaction(c.Txn, c.writer().Store(), from, template), c.Manager.Transaction(c.Txn, c.writer().Store(), to, name)
	src.Writer()
	rels, err := src.Writer().Lookup(ctx, "pg_class", "")
	if err != nil {
		return err
	}
	for _, r := range rels {
		if r.OID("oid") < types.FirstNormalOID {
			continue
		}
		switch r.Char("relkind") {
		case catalog.KindTable:
			a, err := src.Reader().Relation(ctx, r.OID("oid"))
			if err != nil {
				return err
			}
			dst.Writer()
			b, err := dst.Reader().Relation(ctx, r.OID("oid"))
			if err != nil {
				return err
			}
			scan := &planpb.Plan{Id: 1}
			sc := &planpb.Scan{Table: a.Storage}
			for i, col := range a.Storage.Columns {
				sc.Columns = append(sc.Columns, int32(i))
				scan.Output = append(scan.Output, col.Type)
			}
			scan.Op = &planpb.Plan_Scan{Scan: sc}
			mod := &planpb.Plan{Id: 2, Op: &planpb.Plan_Modify{Modify: &planpb.Modify{Op: planpb.Modify_INSERT, Table: b.Storage, Input: scan}}}
			if _, err := c.Runner.RunPlan(ctx, &planpb.Statement{Root: mod}); err != nil {
				return err
			}
		case catalog.KindSequence:
			a, err := src.Reader().Sequence(ctx, r.OID("oid"))
			if err != nil {
				return err
			}
			dst.Writer()
			b, err := dst.Reader().Sequence(ctx, r.OID("oid"))
			if err != nil {
				return err
			}
			st, err := c.Manager.SequenceState(ctx, a)
			if err != nil {
				return err
			}
			if err := c.Manager.SetValue(ctx, b, r.Str("relname"), st.Last, st.Called); err != nil {
				return err
			}
		}
	}
	return nil
}

func dropDatabase(ctx context.Context, c *Context, s *pg_query.DropdbStmt) (string, error) {
	if c.InTransactionBlock {
		return "", pgerror.New(pgerror.ActiveSQLTransaction, "DROP DATABASE cannot run inside a transaction block")
	}
	w := c.writer()
	row, err := w.One(ctx, "pg_database", "pg_database_datname_index", s.Dbname)
	if err != nil {
		return "", err
	}
	if row == nil {
		if s.MissingOk {
			c.notice(notice(pgerror.SuccessfulCompletion, "database %q does not exist, skipping", s.Dbname))
			return "", nil
		}
		return "", pgerror.New(pgerror.InvalidCatalogName, "database %q does not exist", s.Dbname)
	}
	if row, err = c.ownDatabase(ctx, s.Dbname); err != nil {
		return "", err
	}
	oid := row.OID("oid")
	if oid == c.reader().DatabaseOID() {
		return "", pgerror.New(pgerror.ObjectInUse, "cannot drop the currently open database")
	}
	if row.Bool("datistemplate") {
		return "", pgerror.New(pgerror.WrongObjectType, "cannot drop a template database")
	}
	for _, o := range s.Options {
		if c.Runner == nil || o.GetDefElem().GetDefname() != "force" {
			continue
		}
		n, err := c.Runner.Prepared(ctx, oid)
		if err != nil {
			return "", err
		}
		if n > 0 {
			return "", pgerror.New(pgerror.ObjectInUse, "database %q is being used by prepared transactions", s.Dbname).WithDetail("%s", usedBy(0, n))
		}
		c.Runner.Terminate(oid)
	}
	users, prepared, err := c.waitForOthers(ctx, oid, 0)
	if err != nil {
		return "", err
	}
	if users+prepared > 0 {
		return "", pgerror.New(pgerror.ObjectInUse, "database %q is being accessed by other users", s.Dbname).WithDetail("%s", usedBy(users, prepared))
	}
	if err := c.dropSettings(ctx, oid, 0); err != nil {
		return "", err
	}
	d := c.Manager.Transaction(c.Txn, w.Store(), oid, s.Dbname)
	rels, err := d.Writer().Lookup(ctx, "pg_class", "")
	if err != nil {
		return "", err
	}
	if c.Runner != nil {
		var ids []uint64
		for _, r := range rels {
			if id := catalog.StorageOf(oid, r); id != 0 && !catalog.SharedStorage(r.OID("oid")) {
				ids = append(ids, id)
			}
		}
		if err := c.Runner.DropStorage(ctx, ids...); err != nil {
			return "", err
		}
	}
	if err := c.setComment(ctx, catalog.Object{Class: catalog.ClassDatabase, OID: oid}, ""); err != nil {
		return "", err
	}
	if err := w.DeleteAll(ctx, "pg_shdepend", "pg_shdepend_depender_index", oid); err != nil {
		return "", err
	}
	if err := w.DeleteAll(ctx, "pg_shdepend", "pg_shdepend_depender_index", types.OID(0), catalog.ClassDatabase, oid); err != nil {
		return "", err
	}
	return "", w.Delete(ctx, row)
}

func (c *Context) renameDatabase(ctx context.Context, s *pg_query.RenameStmt) error {
	row, err := c.ownDatabase(ctx, s.Subname)
	if err != nil {
		return err
	}
	if old, err := c.writer().One(ctx, "pg_database", "pg_database_datname_index", s.Newname); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateDatabase, "database %q already exists", s.Newname)
	}
	if row.OID("oid") == c.reader().DatabaseOID() {
		return pgerror.New(pgerror.FeatureNotSupported, "current database cannot be renamed")
	}
	return c.writer().Update(ctx, row, catalog.Values{"datname": s.Newname})
}

// othersWait is how long a database's last sessions may take to go, as in PostgreSQL.
const othersWait = 5 * time.Second

// waitForOthers counts the sessions of a database beyond own of them and its prepared
// transactions, after giving ones that are just ending some time.
func (c *Context) waitForOthers(ctx context.Context, database types.OID, own int) (users, prepared int, err error) {
	if c.Runner == nil {
		return 0, 0, nil
	}
	for deadline := time.Now().Add(othersWait); ; {
		users = max(c.Runner.Connections(database)-own, 0)
		if prepared, err = c.Runner.Prepared(ctx, database); err != nil {
			return 0, 0, err
		}
		if users+prepared == 0 || time.Now().After(deadline) {
			return users, prepared, nil
		}
		select {
		case <-ctx.Done():
			return 0, 0, pgerror.From(context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// usedBy says what uses a database.
func usedBy(users, prepared int) string {
	switch {
	case users > 0 && prepared > 0:
		return fmt.Sprintf("There are %d other session(s) and %d prepared transaction(s) using the database.", users, prepared)
	case users == 1:
		return "There is 1 other session using the database."
	case users > 0:
		return fmt.Sprintf("There are %d other sessions using the database.", users)
	case prepared == 1:
		return "There is 1 prepared transaction using the database."
	}
	return fmt.Sprintf("There are %d prepared transactions using the database.", prepared)
}
