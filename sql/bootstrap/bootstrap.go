package bootstrap

import (
	"context"
	_ "embed"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/ddl"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

//go:embed views.sql
var catalogViews string

//go:embed information_schema.sql
var informationSchema string

//go:embed basalt.sql
var basaltViews string

//go:embed absent.sql
var absentViews string

// OIDs of the databases every store has.
const (
	Template1 types.OID = 1
	Template0 types.OID = 4
	Postgres  types.OID = 5
)

// firstOID begins the range of the views' OIDs; it ends at types.FirstNormalOID.
const firstOID types.OID = 14000

// Options of Run.
type Options struct {
	DB      txn.DB
	Manager *catalog.Manager
	Store   func(txn.Txn) vexec.Store
	Lower   catalog.Lowerer
}

// Run gives birth to an empty store; it does nothing in one that has databases.
func Run(ctx context.Context, o Options) error {
	if ds, err := o.Manager.Databases(ctx); err != nil || len(ds) > 0 {
		return err
	}
	t := o.DB.Begin(txn.Options{})
	defer t.Rollback()
	t.BeginStatement()
	store := o.Store(t)
	for _, db := range []types.OID{0, Template1} {
		if err := o.Manager.LoadFacts(ctx, t, store, db); err != nil {
			return err
		}
	}
	cat := o.Manager.Transaction(t, store, Template1, "template1")
	w := cat.Writer()
	for _, d := range []struct {
		oid             types.OID
		name            string
		template, conns bool
		acl             any
		comment         string
	}{
		{Template1, "template1", true, true, templateACL(), "default template for new databases"},
		{Template0, "template0", true, false, templateACL(), "unmodifiable empty database"},
		{Postgres, "postgres", false, true, nil, "default administrative connection database"},
	} {
		if err := w.Insert(ctx, "pg_database", catalog.Values{"oid": d.oid, "datname": d.name, "datdba": catalog.BootstrapRole, "encoding": int32(6),
			"datlocprovider": byte('c'), "datistemplate": d.template, "datallowconn": d.conns, "datconnlimit": int32(-1), "datfrozenxid": types.OID(716),
			"datminmxid": types.OID(1), "dattablespace": types.OID(1663), "datcollate": "C", "datctype": "C", "datacl": d.acl}); err != nil {
			return err
		}
		if err := w.Insert(ctx, "pg_shdescription", catalog.Values{"objoid": d.oid, "classoid": catalog.ClassDatabase, "description": d.comment}); err != nil {
			return err
		}
	}
	for oid, text := range map[types.OID]string{catalog.PgCatalogNamespace: "system catalog schema", catalog.PgToastNamespace: "reserved schema for TOAST tables",
		catalog.PublicNamespace: "standard public schema"} {
		if err := w.Insert(ctx, "pg_description", catalog.Values{"objoid": oid, "classoid": catalog.ClassNamespace, "description": text}); err != nil {
			return err
		}
	}
	const monitor, readSettings, readStats, scanTables = types.OID(3373), types.OID(3374), types.OID(3375), types.OID(3377)
	for _, role := range []types.OID{readSettings, readStats, scanTables} {
		if err := w.Insert(ctx, "pg_auth_members", catalog.Values{"roleid": role, "member": monitor, "grantor": catalog.BootstrapRole}); err != nil {
			return err
		}
	}
	c := &ddl.Context{Txn: t, Manager: o.Manager, Catalog: cat, Env: &analyze.Env{SearchPath: []types.OID{catalog.PgCatalogNamespace}, Types: types.DefaultEnv(),
		CurrentUser: catalog.BootstrapRole}, User: catalog.BootstrapRole, SessionUser: catalog.BootstrapRole, Lower: o.Lower, Bootstrap: firstOID}
	for _, text := range []string{catalogViews, informationSchema, absentViews, sqlFeatures(), basaltViews} {
		stmts, err := parse.Parse(text)
		if err != nil {
			return err
		}
		for _, s := range stmts {
			c.Env.Catalog = cat.Reader()
			if _, err := ddl.Execute(ctx, c, s); err != nil {
				e := pgerror.From(err)
				return pgerror.Wrap(err, e.Code, "bootstrap: %s at %d in: %.100s", e.Message, e.Position, s.Text)
			}
		}
	}
	for _, db := range []types.OID{Template0, Postgres} {
		if err := w.CopyCatalogs(ctx, Template1, db); err != nil {
			return err
		}
	}
	_, err := t.Commit(ctx)
	return err
}

func templateACL() any {
	return types.NewArray(types.Of(types.ACLItem), []types.Datum{"=c/postgres", "postgres=CTc/postgres"})
}
