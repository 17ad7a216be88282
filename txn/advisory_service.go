package txn

import (
	"context"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Advisory locks over several nodes are the first node's: for each session of a gateway
// that has asked for one it keeps AdvisoryLocks (advisory.go). This file is the contract
// (AdvisoryHost) and the host.

// SessionLocks are the advisory locks of one session, wherever they are kept. Safe for
// concurrent use; one call waits at a time.
type SessionLocks interface {
	// Bind says which transaction is the session's; nil for none.
	Bind(tx Txn)
	// Lock takes a lock, once more if it is held; got is false when policy is not
	// WaitBlock and somebody is in the way. xact: it is given back at the end of the
	// transaction. Errors: 40P01, 55P03 (timeout), the context's.
	Lock(ctx context.Context, key AdvisoryKey, shared, xact bool, policy WaitPolicy, timeout, deadlock time.Duration) (got bool, err error)
	// Unlock gives back one of the session's own acquisitions; false when there is none.
	Unlock(key AdvisoryKey, shared bool) (bool, error)
	// UnlockAll gives back all of the session's own.
	UnlockAll()
	// Mark is a position among the transaction's acquisitions.
	Mark() int
	// ReleaseAfter gives back what the transaction took after a mark, newest first; 0: all of it.
	ReleaseAfter(mark int)
	// Close is the session's end.
	Close()
}

// AdvisoryHost keeps the advisory locks of all gateways' sessions.
type AdvisoryHost interface {
	// LockAdvisory is SessionLocks.Lock; epoch is the host's. AdvisoryLost: what the
	// session holds is lost.
	LockAdvisory(ctx context.Context, s AdvisorySession, c AdvisoryCall) (got bool, epoch uint64, err error)
	// UndoAdvisory makes a call of LockAdvisory undone whose answer has not come, whether
	// it has arrived or not.
	UndoAdvisory(ctx context.Context, s AdvisorySession, call uint64) error
	// UnlockAdvisory is SessionLocks.Unlock.
	UnlockAdvisory(ctx context.Context, s AdvisorySession, key AdvisoryKey, shared bool) (bool, error)
	// ReleaseAdvisory is UnlockAll (session), or ReleaseAfter(mark).
	ReleaseAdvisory(ctx context.Context, s AdvisorySession, session bool, mark int) error
	// EndAdvisory gives everything back; no call of the session makes anything any more.
	EndAdvisory(ctx context.Context, s AdvisorySession) error
}

// AdvisorySession names a session at the host by a number that its gateway draws. Epoch
// is the host's when the session took the locks it holds, 0 when it holds none.
type AdvisorySession struct {
	Gateway   NodeID
	Number    uint64
	ProcessID int32
	Epoch     uint64
}

// AdvisoryCall asks for a lock. The calls of a session are numbered from 1 on.
type AdvisoryCall struct {
	Number            uint64
	Key               AdvisoryKey
	Shared, Xact      bool
	Policy            WaitPolicy
	Timeout, Deadlock time.Duration
}

// AdvisoryLost is the SQLSTATE of a session that has lost the advisory locks it held.
const AdvisoryLost = pgerror.ObjectNotInPrerequisiteState

// ErrAdvisoryLost is its report.
func ErrAdvisoryLost() error {
	return pgerror.New(AdvisoryLost, "the advisory locks of the session are lost").
		WithDetail("The first node of the cluster has restarted, or the gateway was without contact to it.").
		WithHint("Connect anew, or go on without them by pg_advisory_unlock_all().")
}

// advisoryKey names a hosted session.
type advisorySessionKey struct {
	gateway NodeID
	number  uint64
}

func (s AdvisorySession) key() advisorySessionKey { return advisorySessionKey{s.Gateway, s.Number} }

// hostedSessions are the sessions with advisory locks.
type hostedSessions struct {
	mu    sync.Mutex
	open  map[advisorySessionKey]*hostedSession
	ended recent[advisorySessionKey]
}

// hostedSession is one.
type hostedSession struct {
	locks *AdvisoryLocks
	// ctx ends with the session, and what it waits for.
	ctx    context.Context
	cancel context.CancelFunc

	// turn is held by a call that takes or gives back; call is the newest call of
	// LockAdvisory, undo takes back what it has got (nil: nothing).
	turn sync.Mutex
	call uint64
	undo func()
}

// hosted finds a session; one that holds nothing is made.
func (s *OracleService) hosted(x AdvisorySession) (*hostedSession, error) {
	h := &s.hostedSessions
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.open[x.key()]; e != nil {
		return e, nil
	}
	if x.Epoch != 0 || x.Number == 0 || h.ended.has(x.key()) {
		return nil, ErrAdvisoryLost()
	}
	e := &hostedSession{locks: s.m.newAdvisoryLocks(x.ProcessID)}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if h.open == nil {
		h.open = map[advisorySessionKey]*hostedSession{}
	}
	h.open[x.key()] = e
	return e, nil
}

// LockAdvisory implements AdvisoryHost.
func (s *OracleService) LockAdvisory(ctx context.Context, x AdvisorySession, c AdvisoryCall) (got bool, epoch uint64, err error) {
	if x.Epoch != 0 && x.Epoch != s.epoch {
		return false, s.epoch, ErrAdvisoryLost()
	}
	e, err := s.hosted(x)
	if err != nil {
		return false, s.epoch, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.ctx, func() { cancel(ErrAdvisoryLost()) })()
	e.turn.Lock()
	defer e.turn.Unlock()
	if c.Number <= e.call || ctx.Err() != nil {
		return false, s.epoch, pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request").WithDetail("The call for an advisory lock comes too late.")
	}
	e.call, e.undo = c.Number, nil
	mark := e.locks.Mark()
	if got, err = e.locks.Lock(ctx, c.Key, c.Shared, c.Xact, c.Policy, c.Timeout, c.Deadlock); got {
		e.undo = func() {
			if c.Xact {
				e.locks.ReleaseAfter(mark)
			} else {
				_, _ = e.locks.Unlock(c.Key, c.Shared)
			}
		}
	}
	return got, s.epoch, err
}

// UndoAdvisory implements AdvisoryHost.
func (s *OracleService) UndoAdvisory(_ context.Context, x AdvisorySession, call uint64) error {
	if x.Epoch != 0 && x.Epoch != s.epoch {
		return ErrAdvisoryLost()
	}
	e, err := s.hosted(x)
	if err != nil {
		return err
	}
	e.turn.Lock() // until the call, which nobody waits for any more, has ended
	defer e.turn.Unlock()
	switch {
	case call > e.call: // it has not arrived
		e.call = call
	case call == e.call && e.undo != nil:
		e.undo()
	}
	e.undo = nil
	return nil
}

// UnlockAdvisory implements AdvisoryHost.
func (s *OracleService) UnlockAdvisory(_ context.Context, x AdvisorySession, key AdvisoryKey, shared bool) (bool, error) {
	if x.Epoch == 0 {
		return false, nil
	}
	e, err := s.hosted(x)
	if err != nil {
		return false, err
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	e.undo = nil
	return e.locks.Unlock(key, shared)
}

// ReleaseAdvisory implements AdvisoryHost.
func (s *OracleService) ReleaseAdvisory(_ context.Context, x AdvisorySession, session bool, mark int) error {
	e, err := s.hosted(x)
	if err != nil {
		return err
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	e.undo = nil
	if session {
		e.locks.UnlockAll()
	} else {
		e.locks.ReleaseAfter(mark)
	}
	return nil
}

// EndAdvisory implements AdvisoryHost.
func (s *OracleService) EndAdvisory(_ context.Context, x AdvisorySession) error {
	s.endAdvisory(x.key())
	return nil
}

func (s *OracleService) endAdvisory(k advisorySessionKey) {
	h := &s.hostedSessions
	h.mu.Lock()
	e := h.open[k]
	delete(h.open, k)
	h.ended.add(k)
	h.mu.Unlock()
	if e == nil {
		return
	}
	e.cancel()
	e.turn.Lock()
	defer e.turn.Unlock()
	e.call = ^uint64(0)
	e.locks.Close()
}

// endAdvisoryOf ends the sessions of a dead gateway.
func (s *OracleService) endAdvisoryOf(gateway NodeID) {
	h := &s.hostedSessions
	h.mu.Lock()
	var keys []advisorySessionKey
	for k := range h.open {
		if k.gateway == gateway {
			keys = append(keys, k)
		}
	}
	h.mu.Unlock()
	for _, k := range keys {
		s.endAdvisory(k)
	}
}
