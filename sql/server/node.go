package server

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/session"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// dataStore is the store as sessions see it.
type dataStore struct{ *storage.Node }

func (d dataStore) Store(tx txn.Txn, env *types.Env) vexec.Store { return d.Node.Store(tx, env) }

func (d dataStore) Bytes(storageID uint64) int64 {
	st, err := d.Node.Stats(storageID)
	if err != nil {
		return 0
	}
	return st.Bytes
}

func (d dataStore) BuildIndex(ctx context.Context, tx txn.Txn, env *types.Env, t *planpb.Table, pos int, eval func(ctx context.Context, rows *vexec.Batch) (*vexec.Batch, error)) error {
	return d.Node.BuildIndex(ctx, tx, env, t, pos, eval)
}

// newNode makes the SQL side over the open store, giving birth to an empty one.
func (s *Server) newNode(ctx context.Context, registry *expr.Registry, executor *vexec.Executor) (*session.Node, error) {
	ds := dataStore{s.store}
	manager := catalog.NewManager(catalog.Options{
		DB:    s.store.DB(),
		Store: func(t txn.Txn) vexec.Store { return ds.Store(t, nil) },
		Lower: plan.Lowerer{},
	})
	if err := bootstrap(ctx, manager, s.store.DB(), ds); err != nil {
		return nil, err
	}
	return session.NewNode(session.Config{DB: s.store.DB(), Catalog: manager, Executor: executor, Registry: registry, Storage: ds, Lower: plan.Lowerer{}, Workers: s.opts.Workers}), nil
}

func bootstrap(ctx context.Context, m *catalog.Manager, db txn.DB, ds dataStore) error {
	if d, err := m.DatabaseByName(ctx, "postgres"); err != nil || d != nil {
		return err
	}
	t := db.Begin(txn.Options{})
	defer t.Rollback()
	t.BeginStatement()
	st := ds.Store(t, nil)
	const postgres = 5
	for _, id := range []types.OID{0, postgres} {
		if err := m.LoadFacts(ctx, t, st, id); err != nil {
			return err
		}
	}
	w := m.Transaction(t, st, postgres, "postgres").Writer()
	if err := w.Insert(ctx, "pg_database", catalog.Values{"oid": types.OID(postgres), "datname": "postgres", "datdba": catalog.BootstrapRole, "encoding": int32(6),
		"datlocprovider": byte('c'), "datistemplate": false, "datallowconn": true, "datconnlimit": int32(-1), "datfrozenxid": types.OID(726), "datminmxid": types.OID(1),
		"dattablespace": types.OID(1663), "datcollate": "C", "datctype": "C"}); err != nil {
		return err
	}
	_, err := t.Commit(ctx)
	return err
}
