package catalog_test

import (
	"testing"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/catalog/catalogtest"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

func TestLoadFacts(t *testing.T) {
	ctx := t.Context()
	db := catalogtest.NewMemDB()
	m := catalog.NewManager(catalog.Options{DB: db, Store: catalogtest.MemStore})
	tx := db.Begin(txn.Options{})
	for _, o := range []types.OID{0, 5} {
		if err := m.LoadFacts(ctx, tx, catalogtest.MemStore(tx), o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	r := m.Reader(5, "postgres")
	if ns, err := r.NamespaceByName(ctx, "public"); err != nil || ns == nil || ns.OID != 2200 || len(ns.ACL) != 2 {
		t.Errorf("public: %+v %v", ns, err)
	}
	if role, err := r.RoleByName(ctx, "postgres"); err != nil || role == nil || !role.Super || role.ConnLimit != -1 {
		t.Errorf("postgres: %+v %v", role, err)
	}
	ix, err := r.RelationByName(ctx, 11, "pg_class_oid_index")
	if err != nil || ix == nil || ix.Kind != 'i' {
		t.Errorf("pg_class_oid_index: %+v %v", ix, err)
	}
	tc := m.Transaction(db.Begin(txn.Options{}), nil, 5, "postgres")
	w := tc.Writer()
	oid, err := w.NewOID(ctx)
	if err != nil || oid != types.FirstNormalOID {
		t.Errorf("first OID %d %v", oid, err)
	}
	if err := w.Insert(ctx, "pg_namespace", catalog.Values{"oid": oid, "nspname": "s", "nspowner": catalog.BootstrapRole}); err != nil {
		t.Fatal(err)
	}
	if ns, _ := tc.Reader().NamespaceByName(ctx, "s"); ns == nil || !tc.Reader().Private() {
		t.Error("own namespace not seen")
	}
}
