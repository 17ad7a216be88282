package session

import (
	"context"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// prepareStmt runs PREPARE.
func (s *Session) prepareStmt(ctx context.Context, st *parse.Statement, p *pg_query.PrepareStmt) error {
	if p.Name == "" {
		return pgerror.New(pgerror.InvalidSQLStatementName, "invalid statement name: must not be empty")
	}
	if !optimizable(p.Query) {
		return pgerror.New(pgerror.SyntaxError, "utility statements cannot be prepared")
	}
	env, err := s.analyzeEnv(ctx, s.reader())
	if err != nil {
		return err
	}
	declared := make([]types.OID, len(p.Argtypes))
	for i, a := range p.Argtypes {
		t, err := analyze.ResolveTypeName(ctx, env, st.Source, a.GetTypeName())
		if err != nil {
			return err
		}
		declared[i] = t.OID
	}
	inner := *st
	inner.Node = p.Query
	q := &prepared{name: p.Name, text: st.Source, st: &inner, declared: declared, fromSQL: true, created: time.Now()}
	if err := s.prepare(ctx, q); err != nil {
		return err
	}
	if s.prepared[p.Name] != nil {
		return pgerror.New(pgerror.DuplicatePreparedStatement, `prepared statement "%s" already exists`, p.Name)
	}
	return s.keepPrepared(q)
}

// deallocateStmt runs DEALLOCATE.
func (s *Session) deallocateStmt(d *pg_query.DeallocateStmt) (*result, error) {
	if d.Name == "" {
		s.dropAllPrepared()
		return done("DEALLOCATE ALL"), nil
	}
	if _, err := s.findPrepared(d.Name); err != nil {
		return nil, err
	}
	s.dropPrepared(d.Name)
	return done("DEALLOCATE"), nil
}

// discardStmt runs DISCARD.
func (s *Session) discardStmt(ctx context.Context, d *pg_query.DiscardStmt) (*result, error) {
	switch d.Target {
	case pg_query.DiscardMode_DISCARD_ALL:
		if err := s.preventBlock("DISCARD ALL"); err != nil {
			return nil, err
		}
		s.dropPortals(-1)
		s.dropAllPrepared()
		s.settings.ResetAll()
		if err := s.setSessionAuthorization(ctx, "", true, false); err != nil {
			return nil, err
		}
		s.seq.Forget()
		s.AdvisoryUnlockAll()
		s.unlistenStmt("")
		return done("DISCARD ALL"), s.removeTemp(ctx)
	case pg_query.DiscardMode_DISCARD_PLANS:
		return done("DISCARD PLANS"), nil
	case pg_query.DiscardMode_DISCARD_SEQUENCES:
		s.seq.Forget()
		return done("DISCARD SEQUENCES"), nil
	}
	s.ensure()
	return done("DISCARD TEMP"), s.removeTemp(ctx)
}
