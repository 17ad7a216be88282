package session

import (
	"context"

	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// advisoryLocks are the session's, made when it first needs them.
func (s *Session) advisoryLocks() (txn.SessionLocks, error) {
	s.advisoryMu.Lock()
	defer s.advisoryMu.Unlock()
	if s.advisory == nil {
		if s.advisory = s.node.DB.AdvisoryLocks(s.start.PID); s.advisory == nil {
			return nil, pgerror.Unsupported("advisory locks")
		}
		if s.cur.tx != nil {
			s.advisory.Bind(s.cur.tx)
		}
	}
	return s.advisory, nil
}

func (s *Session) advisoryKey(k sys.AdvisoryKey) txn.AdvisoryKey {
	return txn.AdvisoryKey{Database: uint32(s.db.OID), Key: k.Key, Pair: k.Pair}
}

// AdvisoryLock implements sys.Session.
func (s *Session) AdvisoryLock(ctx context.Context, k sys.AdvisoryKey, shared, xact, try bool) (bool, error) {
	a, err := s.advisoryLocks()
	if err != nil {
		return false, err
	}
	policy := txn.WaitBlock
	if try {
		policy = txn.WaitError
	}
	return a.Lock(ctx, s.advisoryKey(k), shared, xact, policy, s.lockTimeout(), s.current().deadlock)
}

// AdvisoryUnlock implements sys.Session.
func (s *Session) AdvisoryUnlock(k sys.AdvisoryKey, shared bool) (bool, error) {
	a, err := s.advisoryLocks()
	if err != nil {
		return false, err
	}
	if had, err := a.Unlock(s.advisoryKey(k), shared); had || err != nil {
		return had, err
	}
	mode := "ExclusiveLock"
	if shared {
		mode = "ShareLock"
	}
	s.warn(pgerror.Warning, "you don't own a lock of type %s", mode)
	return false, nil
}

// AdvisoryUnlockAll implements sys.Session.
func (s *Session) AdvisoryUnlockAll() {
	if s.advisory != nil {
		s.advisory.UnlockAll()
	}
}

// advisoryMark is a position among the transaction's advisory locks.
func (s *Session) advisoryMark() int {
	if s.advisory == nil {
		return 0
	}
	return s.advisory.Mark()
}

// releaseAdvisory gives back what the transaction took after a mark.
func (s *Session) releaseAdvisory(mark int) {
	if s.advisory != nil {
		s.advisory.ReleaseAfter(mark)
	}
}
