package coordinator

import (
	"context"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// session is one with advisory locks.
type session struct {
	t testing.TB
	txn.SessionLocks
}

func newSession(t testing.TB, g *Coordinator, pid int32) session {
	s := session{t, g.AdvisoryLocks(pid)}
	t.Cleanup(s.Close)
	return s
}

// try takes a lock without waiting.
func (s session) try(key uint64, shared, xact bool) bool {
	s.t.Helper()
	got, err := s.Lock(ctx, txn.AdvisoryKey{Key: key}, shared, xact, txn.WaitError, 0, 0)
	must(s.t, err)
	return got
}

func (s session) want(got bool, key uint64, shared, xact bool) {
	s.t.Helper()
	if s.try(key, shared, xact) != got {
		s.t.Errorf("lock %d: got is not %v", key, got)
	}
}

// wait takes a lock when it is free.
func (s session) wait(key uint64) chan error {
	done := make(chan error, 1)
	go func() {
		got, err := s.Lock(ctx, txn.AdvisoryKey{Key: key}, false, false, txn.WaitBlock, 0, 0)
		if err == nil && !got {
			err = pgerror.Internal("not got")
		}
		done <- err
	}()
	select {
	case err := <-done:
		s.t.Fatalf("lock %d is not waited for: %v", key, err)
	case <-time.After(20 * time.Millisecond):
	}
	return done
}

// TestAdvisoryLocks: sessions of all gateways share them.
func TestAdvisoryLocks(t *testing.T) {
	c := newCluster(t, 2)
	near, far := c.twoGateways()
	a, b := newSession(t, near, 1), newSession(t, far, 2)
	a.want(true, 1, false, false)
	a.want(true, 1, false, false)
	b.want(false, 1, false, false)
	b.want(false, 1, true, true)
	done := b.wait(1)
	if p := near.Blockers(2); len(p) != 1 || p[0] != 1 {
		t.Errorf("blocked by %v", p)
	}
	for range 2 {
		if had, err := a.Unlock(txn.AdvisoryKey{Key: 1}, false); err != nil || !had {
			t.Error(had, err)
		}
	}
	must(t, <-done)
	if had, err := a.Unlock(txn.AdvisoryKey{Key: 1}, false); err != nil || had {
		t.Error(had, err)
	}
	// of the transaction, with savepoints
	b.want(true, 2, true, true)
	m := b.Mark()
	b.want(true, 3, false, true)
	a.want(true, 2, true, false)
	a.want(false, 3, false, false)
	b.ReleaseAfter(m)
	a.want(true, 3, false, false)
	a.want(false, 2, false, false)
	b.ReleaseAfter(0)
	a.want(true, 2, false, false)
	a.UnlockAll()
	b.want(true, 2, false, false)
	// lock_timeout
	if _, err := a.Lock(ctx, txn.AdvisoryKey{Key: 2}, false, false, txn.WaitBlock, 10*time.Millisecond, 0); !pgerror.Is(err, pgerror.LockNotAvailable) {
		t.Error(err)
	}
	var shown int
	for _, l := range far.Locks() {
		if l.Advisory != nil && l.ProcessID == 2 && l.Granted {
			shown++
		}
	}
	if shown != 2 {
		t.Errorf("%d locks are shown", shown)
	}
	b.Close()
	a.want(true, 1, false, false)
	a.want(true, 2, false, false)
}

// TestAdvisoryUndo: a lock whose answer was lost, or that came when nobody waited any
// more, is not held.
func TestAdvisoryUndo(t *testing.T) {
	c := newCluster(t, 2)
	near, far := c.twoGateways()
	a, b := newSession(t, near, 1), newSession(t, far, 2)
	b.want(true, 9, false, false) // held all the time
	loses := &losesLocks{Oracle: c.oracle, lose: true}
	far.cfg.Oracle = loses
	if _, err := b.Lock(ctx, txn.AdvisoryKey{Key: 1}, false, false, txn.WaitError, 0, 0); err == nil {
		t.Error("the answer was not lost")
	}
	a.want(true, 1, false, false)
	a.want(false, 9, false, false)
	loses.lose = false
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := b.Lock(short, txn.AdvisoryKey{Key: 1}, false, false, txn.WaitBlock, 0, 0); err == nil {
		t.Error("not cancelled")
	}
	a.UnlockAll()
	a.want(true, 1, false, false)
	b.want(false, 1, false, false)
	b.want(true, 9, false, false)
	// A call that comes after it was undone.
	x := txn.AdvisorySession{Gateway: 2, Number: 5}
	must(t, c.oracle.UndoAdvisory(ctx, x, 1))
	if got, _, err := c.oracle.LockAdvisory(ctx, x, txn.AdvisoryCall{Number: 1, Key: txn.AdvisoryKey{Key: 77}}); err == nil || got {
		t.Error(got, err)
	}
}

type losesLocks struct {
	txn.Oracle
	lose bool
}

func (l *losesLocks) LockAdvisory(ctx context.Context, s txn.AdvisorySession, c txn.AdvisoryCall) (bool, uint64, error) {
	got, epoch, err := l.Oracle.LockAdvisory(ctx, s, c)
	if l.lose {
		err = errDown
	}
	return got, epoch, err
}

// TestAdvisoryLost: a session whose locks the first node has forgotten does nothing more
// until it is told to do without; locks of a transaction are lost with it.
func TestAdvisoryLost(t *testing.T) {
	c := newCluster(t, 2)
	near, far := c.twoGateways()
	c.deposit(near, 4, 1)
	a, b, d := newSession(t, near, 1), newSession(t, far, 2), newSession(t, far, 3)
	a.want(true, 1, false, false)
	b.want(true, 2, false, true)
	b.want(true, 3, false, false)
	rec := &Recovery{Oracle: c.oracle, Nodes: c.place.Nodes, Node: c.reach, Dead: func(txn.NodeID) bool { return false }}
	must(t, rec.EndGateway(ctx, 2))
	far.Fence()
	far.Resume()
	a.want(true, 3, false, false)
	usable := func(g *Coordinator, s session, want bool) {
		t.Helper()
		tx := g.Begin(txn.Options{}).(*transaction)
		defer tx.Rollback()
		s.Bind(tx)
		tx.BeginStatement()
		_, _, err := tx.Get(ctx, c.key(1))
		if want && err != nil || !want && !pgerror.Is(err, txn.AdvisoryLost) {
			t.Errorf("usable is not %v: %v", want, err)
		}
	}
	usable(near, a, true)
	usable(far, d, true)
	usable(far, b, false)
	b.ReleaseAfter(0)
	usable(far, b, false)
	if _, err := b.Lock(ctx, txn.AdvisoryKey{Key: 4}, false, false, txn.WaitError, 0, 0); !pgerror.Is(err, txn.AdvisoryLost) {
		t.Error(err)
	}
	b.UnlockAll()
	usable(far, b, true)
	b.want(true, 4, false, false)
	d.want(false, 4, false, false)
	// The first node restarts.
	var err error
	c.oracle, err = txn.NewOracleService(c.nodes[1].mgr)
	must(t, err)
	near.cfg.Oracle, far.cfg.Oracle = c.oracle, c.oracle
	usable(far, b, false)
	usable(far, d, true)
	b.UnlockAll()
	usable(far, b, true)
}

// TestAdvisoryDeadlock: a session waits for a row whose holder waits for the session's
// advisory lock.
func TestAdvisoryDeadlock(t *testing.T) {
	c := newCluster(t, 3)
	near, far := c.twoGateways()
	c.deposit(near, 12, 1)
	a, b := newSession(t, near, 1), newSession(t, far, 2)
	ta, tb := near.Begin(txn.Options{ProcessID: 1}).(*transaction), far.Begin(txn.Options{ProcessID: 2}).(*transaction)
	defer ta.Rollback()
	defer tb.Rollback()
	a.want(true, 1, false, true)
	tb.BeginStatement()
	_, err := tb.LockRow(ctx, c.key(2), txn.LockUpdate, txn.WaitBlock)
	must(t, err)
	waits := b.wait(1)
	ta.BeginStatement()
	row := make(chan error, 1)
	go func() {
		_, err := ta.LockRow(ctx, c.key(2), txn.LockUpdate, txn.WaitBlock)
		row <- err
	}()
	det := &Detector{Nodes: c.place.Nodes, Node: c.reach}
	for range 200 {
		det.Round(ctx)
		select {
		case err = <-row:
			if !pgerror.Is(err, pgerror.DeadlockDetected) {
				t.Error(err)
			}
			a.ReleaseAfter(0)
			must(t, <-waits)
			return
		case err := <-waits:
			t.Fatalf("the first that waits is ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the deadlock is not found")
}
