package session

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// transactionStmt runs BEGIN, COMMIT, SAVEPOINT and their kin; it returns the tag.
func (s *Session) transactionStmt(ctx context.Context, st *pg_query.TransactionStmt) (string, error) {
	switch st.Kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_BEGIN, pg_query.TransactionStmtKind_TRANS_STMT_START:
		tag := "BEGIN"
		if st.Kind == pg_query.TransactionStmtKind_TRANS_STMT_START {
			tag = "START TRANSACTION"
		}
		begun := s.phase == phaseIdle
		switch s.phase {
		case phaseBlock:
			s.warn(pgerror.ActiveSQLTransaction, "there is already a transaction in progress")
		case phaseFailed:
			return "", errFailedBlock
		case phaseIdle:
			s.begin(phaseBlock)
		default:
			s.phase = phaseBlock
		}
		err := s.characteristics(st.Options, false)
		if err != nil && begun {
			s.rollback() // BEGIN that fails begins nothing
		}
		return tag, err
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT:
		return s.endBlock(ctx, st.Chain, true)
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		return s.endBlock(ctx, st.Chain, false)
	case pg_query.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		if s.phase == phaseFailed {
			return "", errFailedBlock
		}
		if err := s.requireBlock("SAVEPOINT"); err != nil {
			return "", err
		}
		sp := savepoint{name: st.SavepointName, settings: s.settings.Mark(), deferred: s.ri.Mark(), advisory: s.advisoryMark(), temp: s.temp.namespace, said: s.said.mark(), readOnly: s.cur.readOnly}
		if s.cur.tx != nil {
			sp.at, sp.begun = s.cur.tx.Savepoint(), true
		}
		s.cur.savepoints = append(s.cur.savepoints, sp)
		return "SAVEPOINT", nil
	case pg_query.TransactionStmtKind_TRANS_STMT_RELEASE:
		if s.phase == phaseFailed {
			return "", errFailedBlock
		}
		if err := s.requireBlock("RELEASE SAVEPOINT"); err != nil {
			return "", err
		}
		i, err := s.findSavepoint(st.SavepointName)
		if err != nil {
			return "", err
		}
		s.cur.savepoints = s.cur.savepoints[:i]
		for _, p := range s.portals {
			p.level = min(p.level, i)
		}
		return "RELEASE", nil
	case pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		if err := s.requireBlock("ROLLBACK TO SAVEPOINT"); err != nil {
			return "", err
		}
		i, err := s.findSavepoint(st.SavepointName)
		if err != nil {
			return "", err
		}
		err = s.rollbackTo(i)
		s.cur.savepoints = s.cur.savepoints[:i+1]
		if err != nil {
			return "", err
		}
		if s.phase == phaseFailed {
			s.phase = phaseBlock
		}
		return "ROLLBACK", nil
	}
	return s.twoPhase(ctx, st)
}

func (s *Session) findSavepoint(name string) (int, error) {
	for i := len(s.cur.savepoints) - 1; i >= 0; i-- {
		if s.cur.savepoints[i].name == name {
			return i, nil
		}
	}
	return 0, pgerror.New(pgerror.InvalidSavepointSpecification, `savepoint "%s" does not exist`, name)
}

func (s *Session) endBlock(ctx context.Context, chain, commit bool) (string, error) {
	command := "ROLLBACK"
	if commit {
		command = "COMMIT"
	}
	if s.phase == phaseIdle || s.phase == phaseImplicit {
		if chain {
			return "", pgerror.New(pgerror.NoActiveSQLTransaction, "%s AND CHAIN can only be used in transaction blocks", command)
		}
		s.warn(pgerror.NoActiveSQLTransaction, "there is no transaction in progress")
		if commit {
			return command, s.commit(ctx)
		}
		s.rollback()
		return command, nil
	}
	old := s.cur
	if commit && s.phase != phaseFailed {
		if err := s.commit(ctx); err != nil {
			return "", err
		}
	} else {
		command = "ROLLBACK"
		s.rollback()
	}
	if chain {
		s.begin(phaseBlock)
		s.cur.opts, s.cur.readOnly, s.cur.uncommitted = old.opts, old.readOnly, old.uncommitted
	}
	return command, nil
}

// characteristics applies transaction modes: of BEGIN, SET TRANSACTION or, with
// session, SET SESSION CHARACTERISTICS.
func (s *Session) characteristics(options []*pg_query.Node, session bool) error {
	for _, o := range options {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		text, on := constText(d.Arg)
		switch d.Defname {
		case "transaction_isolation":
			if err := s.setIsolation(text, session); err != nil {
				return err
			}
		case "transaction_read_only":
			if err := s.setReadOnly(on, session); err != nil {
				return err
			}
		case "transaction_deferrable":
			if session {
				if _, err := s.settings.Set("default_transaction_deferrable", onOff(on), false, true); err != nil {
					return err
				}
				continue
			}
			if s.cur.queried {
				return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION [NOT] DEFERRABLE must be called before any query")
			}
			s.cur.opts.Deferrable = on
		}
	}
	return nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func (s *Session) setIsolation(text string, session bool) error {
	if session {
		_, err := s.settings.Set("default_transaction_isolation", text, false, true)
		return err
	}
	iso := txn.ReadCommitted
	switch strings.ToLower(text) {
	case "repeatable read":
		iso = txn.RepeatableRead
	case "serializable":
		iso = txn.Serializable
	case "read committed", "read uncommitted":
	default:
		return pgerror.New(pgerror.InvalidParameterValue, `invalid value for parameter "transaction_isolation": "%s"`, text).
			WithHint("Available values: serializable, repeatable read, read committed, read uncommitted.")
	}
	if iso == s.cur.opts.Isolation {
		s.cur.uncommitted = strings.EqualFold(text, "read uncommitted")
		return nil
	}
	if s.cur.queried {
		return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
	}
	if len(s.cur.savepoints) > 0 {
		return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction")
	}
	s.cur.opts.Isolation = iso
	s.cur.uncommitted = strings.EqualFold(text, "read uncommitted")
	s.cur.forget()
	return nil
}

func (s *Session) setReadOnly(on, session bool) error {
	if session {
		d, err := s.settings.Set("default_transaction_read_only", onOff(on), false, true)
		if err == nil {
			s.reportOne(d)
		}
		return err
	}
	if !on && s.cur.readOnly {
		if len(s.cur.savepoints) > 0 {
			return pgerror.New(pgerror.ActiveSQLTransaction, "cannot set transaction read-write mode inside a read-only transaction")
		}
		if s.cur.queried {
			return pgerror.New(pgerror.ActiveSQLTransaction, "transaction read-write mode must be set before any query")
		}
	}
	s.cur.readOnly = on
	return nil
}
