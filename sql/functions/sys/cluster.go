package sys

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// registerCluster adds the functions behind basalt.nodes and basalt.tablets.
func registerCluster(r *expr.Registry) {
	set := func(oid types.OID, eval func(s Session, emit func(row ...types.Datum) error) error) {
		r.AddSet(&expr.SetFunction{OID: oid, Strict: true, NeedsSession: true,
			Eval: func(ctx *expr.Context, _ *expr.Call, _ []types.Datum, emit func(row ...types.Datum) error) error {
				s, err := of(ctx)
				if err != nil {
					return err
				}
				return eval(s, emit)
			}})
	}
	text := func(s string) types.Datum {
		if s == "" {
			return nil
		}
		return s
	}
	at := func(t *types.Timestamp) types.Datum {
		if t == nil {
			return nil
		}
		return *t
	}
	set(catalog.FuncNodes, func(s Session, emit func(row ...types.Datum) error) error {
		for _, n := range s.ClusterNodes() {
			if err := emit(n.ID, n.Role, text(n.RPC), text(n.SQL), text(n.Flight), text(n.Version), n.Alive, at(n.LastHeartbeat), at(n.Started)); err != nil {
				return err
			}
		}
		return nil
	})
	set(catalog.FuncFragments, func(s Session, emit func(row ...types.Datum) error) error {
		for _, f := range s.ClusterFragments() {
			row := []types.Datum{f.Node, f.Statements, f.Fragments, f.Memory}
			if !f.Known {
				row = []types.Datum{f.Node, nil, nil, nil}
			}
			if err := emit(row...); err != nil {
				return err
			}
		}
		return nil
	})
	set(catalog.FuncMerges, func(s Session, emit func(row ...types.Datum) error) error {
		for _, m := range s.Merges() {
			if err := emit(m.Tablet, m.Database, m.FileNode, m.Segments, m.Loose, m.Rows, m.Bytes, m.Delta, m.Dead, m.Phase, m.RowsDone, at(m.Surveyed)); err != nil {
				return err
			}
		}
		return nil
	})
	set(catalog.FuncTablets, func(s Session, emit func(row ...types.Datum) error) error {
		for _, t := range s.ClusterTablets() {
			if err := emit(t.ID, t.Node, t.First, t.End, t.Bytes); err != nil {
				return err
			}
		}
		return nil
	})
}
