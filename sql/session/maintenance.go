package session

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/txn"
)

// lockStmt runs LOCK TABLE.
func (s *Session) lockStmt(ctx context.Context, st *parse.Statement, l *pg_query.LockStmt) error {
	if err := s.requireBlock("LOCK TABLE"); err != nil {
		return err
	}
	if l.Mode > int32(txn.RowShare) {
		if s.cur.readOnly && l.Mode > int32(txn.RowExclusive) {
			return s.forbidReadOnly("LOCK TABLE")
		}
	}
	tx, err := s.statementTxn(ctx)
	if err != nil {
		return err
	}
	policy := txn.WaitBlock
	if l.Nowait {
		policy = txn.WaitError
	}
	for _, n := range l.Relations {
		env, err := s.analyzeEnv(ctx, s.reader())
		if err != nil {
			return err
		}
		rel, err := analyze.ResolveRelation(ctx, env, st.Source, n.GetRangeVar())
		if err != nil {
			return withoutPosition(err)
		}
		if rel.Kind != catalog.KindTable && rel.Kind != catalog.KindView {
			return pgerror.New(pgerror.WrongObjectType, `cannot lock relation "%s"`, rel.Name)
		}
		if err := tx.LockRelation(ctx, relationKey(s.db.OID, rel.OID), txn.RelationLock(l.Mode), policy); err != nil {
			if policy == txn.WaitError && pgerror.Is(err, pgerror.LockNotAvailable) {
				return pgerror.New(pgerror.LockNotAvailable, `could not obtain lock on relation "%s"`, rel.Name)
			}
			return err
		}
	}
	return nil
}

var _ pgwire.Session = (*Session)(nil)
