package coordinator

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// advisoryLocks are a session's, kept by the first node (txn.AdvisoryHost). It counts
// what is held: what was taken under another epoch or lease is lost, and so the session's
// transactions fail until they are told to do without.
type advisoryLocks struct {
	c   *Coordinator
	pid int32

	turn sync.Mutex // held by a call

	mu     sync.Mutex
	number uint64 // of the session at the host; 0: it is not known there
	call   uint64
	// session and xact are how many acquisitions are held, of epoch and pins.
	session, xact int
	epoch         uint64
	pins          *pins
	lost          bool
}

var _ txn.SessionLocks = (*advisoryLocks)(nil)

// AdvisoryLocks implements txn.DB.
func (c *Coordinator) AdvisoryLocks(pid int32) txn.SessionLocks {
	return &advisoryLocks{c: c, pid: pid}
}

// Bind implements txn.SessionLocks. Deadlocks are found by the process.
func (a *advisoryLocks) Bind(tx txn.Txn) {
	if t, ok := tx.(*transaction); ok {
		t.advisory.Store(a)
	}
}

// check fails what relies on locks that are lost: epoch and pins are those of now.
func (a *advisoryLocks) check(epoch uint64, p *pins) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session+a.xact > 0 && (epoch != a.epoch || p != a.pins) {
		a.lost = true
	}
	return a.errLocked()
}

// errLocked is the error of a session that has lost its locks. REQUIRES: mu held.
func (a *advisoryLocks) errLocked() error {
	if a.lost {
		return txn.ErrAdvisoryLost()
	}
	return nil
}

// nameLocked names the session at the host. REQUIRES: mu held.
func (a *advisoryLocks) nameLocked() txn.AdvisorySession {
	if a.number == 0 {
		a.number = rand.Uint64() | 1
	}
	s := txn.AdvisorySession{Gateway: a.c.cfg.Self, Number: a.number, ProcessID: a.pid}
	if a.session+a.xact > 0 {
		s.Epoch = a.epoch
	}
	return s
}

// abandonLocked ends the session at the host, whose state is not known, and goes on as
// another one there. REQUIRES: mu held.
func (a *advisoryLocks) abandonLocked() {
	s := a.nameLocked()
	a.number, a.call = 0, 0
	a.lost = a.session+a.xact > 0
	end := func(ctx context.Context) error { return a.c.cfg.Oracle.EndAdvisory(ctx, s) }
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.c.ctx), a.c.cfg.EndWait)
	defer cancel()
	if end(ctx) != nil {
		a.c.retry("ending the advisory locks of a session", end)
	}
}

// settledLocked takes note of what is held now. REQUIRES: mu held.
func (a *advisoryLocks) settledLocked(session, xact int) {
	a.session, a.xact = session, xact
	if session+xact == 0 {
		a.lost = false
	}
}

// Lock implements txn.SessionLocks.
func (a *advisoryLocks) Lock(ctx context.Context, key txn.AdvisoryKey, shared, xact bool, policy txn.WaitPolicy, timeout, deadlock time.Duration) (bool, error) {
	a.turn.Lock()
	defer a.turn.Unlock()
	c := txn.AdvisoryCall{Key: key, Shared: shared, Xact: xact, Policy: policy, Timeout: timeout, Deadlock: deadlock}
	got, again, err := a.lock(ctx, c)
	if again {
		got, _, err = a.lock(ctx, c)
	}
	return got, err
}

// lock makes one call. again: the host knew nothing of the session, which does not matter
// as it held nothing.
func (a *advisoryLocks) lock(ctx context.Context, c txn.AdvisoryCall) (got, again bool, err error) {
	p := a.c.pins.Load()
	a.mu.Lock()
	if a.session+a.xact > 0 && a.pins != p {
		a.lost = true
	}
	if err := a.errLocked(); err != nil {
		a.mu.Unlock()
		return false, false, err
	}
	s := a.nameLocked()
	a.call++
	c.Number = a.call
	a.mu.Unlock()
	if a.c.suspended.Load() {
		return false, false, errNoContact
	}
	got, epoch, err := a.c.cfg.Oracle.LockAdvisory(ctx, s, c)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil && got:
		if a.session+a.xact == 0 {
			a.epoch, a.pins = epoch, p
		}
		if c.Xact {
			a.xact++
		} else {
			a.session++
		}
	case err == nil:
	case pgerror.Is(err, txn.AdvisoryLost):
		a.abandonLocked()
		again = !a.lost
	case pgerror.Is(err, pgerror.DeadlockDetected), pgerror.Is(err, pgerror.LockNotAvailable):
	default: // it may have been granted
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.c.cfg.EndWait)
		defer cancel()
		if a.c.cfg.Oracle.UndoAdvisory(undo, s, c.Number) != nil {
			a.abandonLocked()
		}
	}
	return got && err == nil, again, err
}

// ask is a context for a call that has none.
func (a *advisoryLocks) ask() (context.Context, context.CancelFunc) {
	return context.WithTimeout(a.c.ctx, snapshotWait)
}

// Unlock implements txn.SessionLocks.
func (a *advisoryLocks) Unlock(key txn.AdvisoryKey, shared bool) (bool, error) {
	a.turn.Lock()
	defer a.turn.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost || a.session == 0 {
		return false, a.errLocked()
	}
	ctx, cancel := a.ask()
	defer cancel()
	had, err := a.c.cfg.Oracle.UnlockAdvisory(ctx, a.nameLocked(), key, shared)
	if err != nil {
		a.abandonLocked()
		return false, err
	}
	if had {
		a.settledLocked(a.session-1, a.xact)
	}
	return had, nil
}

// UnlockAll implements txn.SessionLocks.
func (a *advisoryLocks) UnlockAll() {
	a.turn.Lock()
	defer a.turn.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session > 0 {
		a.releaseLocked(true, 0)
		a.settledLocked(0, a.xact)
	}
}

// Mark implements txn.SessionLocks.
func (a *advisoryLocks) Mark() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.xact
}

// ReleaseAfter implements txn.SessionLocks.
func (a *advisoryLocks) ReleaseAfter(mark int) {
	a.turn.Lock()
	defer a.turn.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.xact > mark {
		a.releaseLocked(false, mark)
		a.settledLocked(a.session, mark)
	}
}

// releaseLocked has the host give locks back. When it does not answer, all are: a late
// call must not meet what is taken later. REQUIRES: mu held.
func (a *advisoryLocks) releaseLocked(session bool, mark int) {
	if a.lost {
		return
	}
	ctx, cancel := context.WithTimeout(a.c.ctx, a.c.cfg.EndWait)
	defer cancel()
	if a.c.cfg.Oracle.ReleaseAdvisory(ctx, a.nameLocked(), session, mark) != nil {
		a.abandonLocked()
	}
}

// Close implements txn.SessionLocks.
func (a *advisoryLocks) Close() {
	a.turn.Lock()
	defer a.turn.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.number != 0 {
		a.abandonLocked()
	}
	a.settledLocked(0, 0)
}
