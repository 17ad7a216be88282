package fragment

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
)

// TableHost opens fragments over the tables of this node.
type TableHost struct {
	Branches *txn.Branches
	Shared   *table.Shared
	// Resolver gives the catalog as of a moment, for values of user types; nil where
	// there is none.
	Resolver func(at txn.ReadAt) types.Resolver
}

var _ Opener = (*TableHost)(nil)

// Open implements Opener.
func (h *TableHost) Open(_ context.Context, r OpenRequest) (vexec.Exec, func(ok bool), error) {
	var res types.Resolver
	if h.Resolver != nil {
		res = h.Resolver(r.At)
	}
	env, err := decodeSettings(r.Settings, res)
	if err != nil {
		return vexec.Exec{}, nil, err
	}
	tx, done, err := h.Branches.Fragment(r.Branch, r.At, r.Seq, r.LockTimeout)
	if err != nil {
		return vexec.Exec{}, nil, err
	}
	store := table.NewStore(h.Shared, tx, env)
	store.Confine(r.Tablets)
	return vexec.Exec{Store: store, Expr: &expr.Context{Env: env}}, done, nil
}
