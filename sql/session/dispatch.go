package session

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
)

// utility runs a statement the planner does not.
func (s *Session) utility(ctx context.Context, st *parse.Statement, params bound) (*result, error) {
	tag := parse.StatementTag(st.Node)
	switch n := st.Node.GetNode().(type) {
	case *pg_query.Node_TransactionStmt:
		t, err := s.transactionStmt(ctx, n.TransactionStmt)
		if err != nil {
			return nil, err
		}
		return done(t), nil
	case *pg_query.Node_VariableSetStmt:
		s.ensure()
		if err := s.setStmt(ctx, n.VariableSetStmt); err != nil {
			return nil, err
		}
		return done(tag), nil
	case *pg_query.Node_VariableShowStmt:
		s.ensure()
		return s.showStmt(n.VariableShowStmt)
	case *pg_query.Node_PrepareStmt:
		s.ensure()
		return done(tag), s.prepareStmt(ctx, st, n.PrepareStmt)
	case *pg_query.Node_ExecuteStmt:
		s.ensure()
		return s.executeStmt(ctx, st, n.ExecuteStmt, params)
	case *pg_query.Node_DeallocateStmt:
		s.ensure()
		return s.deallocateStmt(n.DeallocateStmt)
	case *pg_query.Node_DeclareCursorStmt:
		s.ensure()
		return done(tag), s.declareStmt(ctx, st, n.DeclareCursorStmt, params)
	case *pg_query.Node_FetchStmt:
		s.ensure()
		return s.fetchStmt(ctx, n.FetchStmt)
	case *pg_query.Node_ClosePortalStmt:
		s.ensure()
		return done(tag), s.closeStmt(n.ClosePortalStmt)
	case *pg_query.Node_DiscardStmt:
		return s.discardStmt(ctx, n.DiscardStmt)
	case *pg_query.Node_ExplainStmt:
		return s.explainStmt(ctx, st, n.ExplainStmt, params)
	case *pg_query.Node_CopyStmt:
		return s.copyStmt(ctx, st, n.CopyStmt)
	case *pg_query.Node_LockStmt:
		return done(tag), s.lockStmt(ctx, st, n.LockStmt)
	case *pg_query.Node_ConstraintsSetStmt:
		return done(tag), s.setConstraints(ctx, st, n.ConstraintsSetStmt)
	case *pg_query.Node_VacuumStmt:
		return s.vacuumStmt(ctx, st, n.VacuumStmt)
	case *pg_query.Node_CheckPointStmt:
		if !s.currentUser.Super {
			return nil, pgerror.New(pgerror.InsufficientPrivilege, "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT")
		}
		s.ensure()
		return done(tag), nil
	case *pg_query.Node_ListenStmt:
		return done(tag), s.listenStmt(n.ListenStmt)
	case *pg_query.Node_NotifyStmt:
		s.ensure()
		return done(tag), s.Notify(n.NotifyStmt.Conditionname, n.NotifyStmt.Payload)
	case *pg_query.Node_UnlistenStmt:
		s.unlistenStmt(n.UnlistenStmt.Conditionname)
		return done(tag), nil
	case *pg_query.Node_DoStmt:
		return nil, pgerror.Unsupported("DO")
	case *pg_query.Node_LoadStmt:
		return nil, pgerror.Unsupported("LOAD")
	case *pg_query.Node_CallStmt:
		return nil, pgerror.Unsupported("CALL")
	}
	return s.ddlStmt(ctx, st, tag, params)
}

// describeUtility gives the columns a utility statement will deliver; nil for none.
func (s *Session) describeUtility(ctx context.Context, st *parse.Statement) ([]pgwire.Column, error) {
	text := func(names ...string) []pgwire.Column {
		out := make([]pgwire.Column, len(names))
		for i, n := range names {
			out[i] = pgwire.Column{Name: n, Type: types.Of(types.Text), Len: -1}
		}
		return out
	}
	switch n := st.Node.GetNode().(type) {
	case *pg_query.Node_VariableShowStmt:
		if n.VariableShowStmt.Name == "all" {
			return text("name", "setting", "description"), nil
		}
		d, err := s.settings.Find(n.VariableShowStmt.Name)
		if err != nil {
			return nil, err
		}
		return text(d.Name), nil
	case *pg_query.Node_ExplainStmt:
		return s.explainColumns(n.ExplainStmt), nil
	case *pg_query.Node_ExecuteStmt:
		if p := s.prepared[n.ExecuteStmt.Name]; p != nil {
			if err := s.refresh(ctx, p); err != nil {
				return nil, err
			}
			if p.st != nil && !optimizable(p.st.Node) {
				return s.describeUtility(ctx, p.st)
			}
			return p.cols, nil
		}
	case *pg_query.Node_FetchStmt:
		if p := s.portals[n.FetchStmt.Portalname]; p != nil && !n.FetchStmt.Ismove {
			return p.cols, nil
		}
	}
	return nil, nil
}
