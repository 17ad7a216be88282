package session

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Parts is implemented by Fragments whose nodes can be asked one by one.
type Parts interface {
	// Parts gives what each site of a run's only piece is to run, for whoever redeems it
	// later: nothing is started.
	Parts(ctx context.Context, run FragmentedRun) ([]pgwire.Part, error)
}

var _ pgwire.Spreader = (*Session)(nil)

// Spread implements pgwire.Spreader.
func (s *Session) Spread(ctx context.Context, name string) (out *pgwire.Spread, err error) {
	defer s.finishCall(ctx, &err)
	p, err := s.findPortal(name)
	if err != nil {
		return nil, err
	}
	spreader, ok := s.node.Fragments.(Parts)
	sites := s.node.sites()
	if !ok || sites == nil || p.st == nil || p.res != nil || !optimizable(p.st.Node) {
		return nil, nil
	}
	if s.phase != phaseIdle && s.phase != phaseImplicit {
		return nil, nil
	}
	s.noteQuery(p.text)
	s.ensure()
	ctx, stop := s.withTimeout(ctx)
	defer stop()
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	c, err := s.compile(ctx, p.st.Source, p.st.Start, p.st.Node, p.params.types)
	if err != nil {
		return nil, err
	}
	if c.writes != "" || c.command != query.CmdSelect || c.planned.Exchanges == 0 {
		return nil, nil
	}
	if err := s.checkAccess(ctx, c.access); err != nil {
		return nil, err
	}
	cut, err := c.planned.Cut(sites)
	if err != nil {
		return nil, err
	}
	ts, ok := onlyGathers(cut, sites, c.cols)
	if !ok {
		return nil, nil
	}
	env, slots := s.exec(ctx, p.params.values), map[uint32]types.T{}
	for i := range cut.Before {
		if err := s.runBefore(ctx, &cut.Before[i], slots, &env); err != nil {
			if ctx.Err() != nil || connectionLost(err) {
				return nil, err
			}
			return nil, nil // the statement may not come to it
		}
	}
	tx, ok := s.txn().(txn.Sharer)
	if !ok || s.txn().HasWrites() {
		return nil, nil
	}
	release, err := tx.Pin(ctx)
	if err != nil {
		return nil, err
	}
	pieces, used := cut.Pieces()
	parts, err := spreader.Parts(ctx, FragmentedRun{Statement: cut.Statement, Pieces: pieces, Slots: used, SlotTypes: slots, Env: env, Tx: s.txn()})
	if err != nil {
		release()
		return nil, err
	}
	return &pgwire.Spread{Types: ts, Parts: parts, Release: release}, nil
}

// onlyGathers: the gateway's part of a statement does nothing but pass on what storage
// nodes yield, in any order, of types that need no catalog to be shown.
func onlyGathers(cut *plan.Cut, sites *plan.Sites, cols []pgwire.Column) ([]types.T, bool) {
	root := cut.Statement.GetRoot()
	src := root.GetExchangeSource()
	pieces, _ := cut.Pieces()
	if src == nil || len(src.GetMergeKeys()) > 0 || len(cut.Statement.GetInitPlans()) > 0 || len(cut.Statement.GetCtes()) > 0 || len(pieces) != 1 {
		return nil, false
	}
	p := &pieces[0]
	if p.Writes || len(p.Sources) > 0 || p.Fragment.GetExchange() != src.GetExchange() || p.Fragment.GetOutput() != planpb.Exchange_GATHER {
		return nil, false
	}
	for _, site := range p.Sites {
		if site.Node == sites.Gateway && site.Tablets == nil {
			return nil, false
		}
	}
	ts := make([]types.T, len(cols))
	if len(root.GetOutput()) < len(cols) {
		return nil, false
	}
	for i, c := range cols {
		t := c.Type
		if t != types.WithMod(t.OID, t.Mod) || needsCatalog(t.OID) || needsCatalog(t.Elem) || root.GetOutput()[i].T().NoMod() != t.NoMod() {
			return nil, false
		}
		ts[i] = t
	}
	return ts, true
}

// needsCatalog reports built-in types whose values are shown by what the catalog says.
func needsCatalog(oid types.OID) bool {
	switch oid {
	case types.RegProc, types.RegProcedure, types.RegOper, types.RegOperator, types.RegClass, types.RegType, types.RegConfig, types.RegDictionary,
		types.RegNamespace, types.RegRole, types.RegCollation, types.RecordOID:
		return true
	}
	return oid >= types.FirstNormalOID
}
