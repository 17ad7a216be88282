package txn

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// AdvisoryKey names an advisory lock: a 64 bit number or a pair of 32 bit numbers,
// two spaces that do not overlap, in a database.
type AdvisoryKey struct {
	Database uint32
	Key      uint64 // of a pair the first number is the upper half
	Pair     bool
}

const advisoryKeyLen = 13

func (k AdvisoryKey) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, k.Database)
	dst = binary.BigEndian.AppendUint64(dst, k.Key)
	if k.Pair {
		return append(dst, 2)
	}
	return append(dst, 1)
}

func decodeAdvisoryKey(b string) AdvisoryKey {
	return AdvisoryKey{Database: binary.BigEndian.Uint32([]byte(b)), Key: binary.BigEndian.Uint64([]byte(b[4:])), Pair: b[advisoryKeyLen-1] == 2}
}

// Modes of advisory locks. One covers itself only: each is given back by itself.
const (
	advisoryShared lockMode = iota
	advisoryExclusive
)

var advisoryLockKind = &lockKind{conflicts: []uint16{0b10, 0b11}, covers: []uint16{0b01, 0b10}}

var advisoryLockNames = [...]string{advisoryShared: relationLockNames[ShareLock-1], advisoryExclusive: relationLockNames[Exclusive-1]}

func describeAdvisoryWait(w *lockWaiter, _ *lockOwner) string {
	k := decodeAdvisoryKey(w.e.key)
	sub := 1
	if k.Pair {
		sub = 2
	}
	return fmt.Sprintf("%s on advisory lock [%d,%d,%d,%d]", advisoryLockNames[w.mode], k.Database, uint32(k.Key>>32), uint32(k.Key), sub)
}

// AdvisoryLocks are the advisory locks of one session, kept here: those that it gives
// back itself, and those of its transaction. Both are the session's and never stand in
// each other's way.
type AdvisoryLocks struct {
	m     *Manager
	owner lockOwner
	// txn owns the row and table locks of the session's transaction, nil without one:
	// for whom the one waits, the other waits. Guarded by waits.mu.
	txn *lockOwner

	mu   sync.Mutex
	held map[advisoryHold]*advisoryCount
	// xact are the transaction's acquisitions, in order.
	xact []advisoryHold
}

type advisoryHold struct {
	key  AdvisoryKey
	mode lockMode
}

// advisoryCount is how often a lock is held, by the session and by its transaction.
type advisoryCount struct {
	lock          heldLock
	session, xact int
}

var _ SessionLocks = (*AdvisoryLocks)(nil)

// AdvisoryLocks implements DB.
func (m *Manager) AdvisoryLocks(pid int32) SessionLocks { return m.newAdvisoryLocks(pid) }

func (m *Manager) newAdvisoryLocks(pid int32) *AdvisoryLocks {
	a := &AdvisoryLocks{m: m, held: map[advisoryHold]*advisoryCount{}}
	a.owner.id, a.owner.pid, a.owner.session = m.nextID(), pid, a
	return a
}

// Bind implements SessionLocks. Deadlocks are looked for through both owners.
func (a *AdvisoryLocks) Bind(tx Txn) {
	var o *lockOwner
	if t, ok := tx.(*transaction); ok {
		t.prepareOwner()
		o = &t.owner
	}
	a.m.waits.mu.Lock()
	defer a.m.waits.mu.Unlock()
	if a.txn != nil {
		a.txn.session = nil
	}
	if a.txn = o; o != nil {
		o.session = a
	}
}

// Lock implements SessionLocks.
func (a *AdvisoryLocks) Lock(ctx context.Context, key AdvisoryKey, shared, xact bool, policy WaitPolicy, timeout, deadlock time.Duration) (got bool, err error) {
	h := advisoryHold{key: key, mode: advisoryExclusive}
	if shared {
		h.mode = advisoryShared
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.held[h]
	if c == nil {
		var kb [advisoryKeyLen]byte
		out, err := a.m.advisory.acquire(ctx, &a.owner, lockRequest{key: key.append(kb[:0]), mode: h.mode, policy: policy, timeout: timeout, deadlock: deadlock, seq: 1})
		if n := len(a.owner.held); n > 0 { // also when the context ended at the last moment
			c = &advisoryCount{lock: a.owner.held[n-1]}
			a.owner.held = a.owner.held[:0]
		}
		if err != nil {
			if c != nil {
				c.lock.release(&a.owner)
			}
			return false, err
		}
		if out != lockGranted {
			return false, nil
		}
		a.held[h] = c
	}
	if xact {
		c.xact++
		a.xact = append(a.xact, h)
	} else {
		c.session++
	}
	return true, nil
}

// Unlock implements SessionLocks.
func (a *AdvisoryLocks) Unlock(key AdvisoryKey, shared bool) (bool, error) {
	h := advisoryHold{key: key, mode: advisoryExclusive}
	if shared {
		h.mode = advisoryShared
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.held[h]
	if c == nil || c.session == 0 {
		return false, nil
	}
	c.session--
	a.dropIfIdle(h, c)
	return true, nil
}

// Close implements SessionLocks.
func (a *AdvisoryLocks) Close() {
	a.UnlockAll()
	a.ReleaseAfter(0)
}

// UnlockAll implements SessionLocks.
func (a *AdvisoryLocks) UnlockAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for h, c := range a.held {
		c.session = 0
		a.dropIfIdle(h, c)
	}
}

// Mark implements SessionLocks.
func (a *AdvisoryLocks) Mark() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.xact)
}

// ReleaseAfter implements SessionLocks.
func (a *AdvisoryLocks) ReleaseAfter(mark int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.xact) > mark {
		h := a.xact[len(a.xact)-1]
		a.xact = a.xact[:len(a.xact)-1]
		c := a.held[h]
		c.xact--
		a.dropIfIdle(h, c)
	}
}

// dropIfIdle gives a lock back that is not held any more. REQUIRES: a.mu held.
func (a *AdvisoryLocks) dropIfIdle(h advisoryHold, c *advisoryCount) {
	if c.session == 0 && c.xact == 0 {
		delete(a.held, h)
		c.lock.release(&a.owner)
	}
}

// preparable reports whether the transaction's locks can be taken from the session.
func (a *AdvisoryLocks) preparable() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	own := map[AdvisoryKey]bool{}
	for h, c := range a.held {
		own[h.key] = own[h.key] || c.session > 0
	}
	for _, h := range a.xact {
		if own[h.key] {
			return pgerror.New(pgerror.FeatureNotSupported, "cannot PREPARE while holding both session-level and transaction-level locks on the same object")
		}
	}
	return nil
}

// transactions are the locks of the session's transaction, each once.
func (a *AdvisoryLocks) transactions() (out []advisoryHold) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for h, c := range a.held {
		if c.xact > 0 {
			out = append(out, h)
		}
	}
	return out
}

// handOver gives the transaction's locks to t, which is prepared. REQUIRES: preparable.
func (a *AdvisoryLocks) handOver(t *transaction) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.m.waits.mu.Lock()
	defer a.m.waits.mu.Unlock()
	for h, c := range a.held {
		if c.xact == 0 {
			continue
		}
		e := c.lock.e
		e.s.mu.Lock()
		e.unhold(&a.owner, h.mode)
		e.grant(&t.owner, h.mode)
		e.s.mu.Unlock()
		t.seq++
		t.owner.held = append(t.owner.held, heldLock{e: e, mode: h.mode, seq: t.seq})
		delete(a.held, h)
	}
	a.xact = nil
}

// sameSession: waiting for one is waiting for the other. REQUIRES: waits.mu held.
func sameSession(a, b *lockOwner) bool { return a == b || a.session != nil && a.session == b.session }

// sessionWait is what o, or its session by another owner, waits for; nil for
// nothing. REQUIRES: waits.mu held.
func (o *lockOwner) sessionWait() *lockWaiter {
	if o.waiting != nil || o.session == nil {
		return o.waiting
	}
	if s := o.session; s.owner.waiting != nil {
		return s.owner.waiting
	} else if s.txn != nil {
		return s.txn.waiting
	}
	return nil
}

// lockTables are all that take part in the wait-for graph.
func (m *Manager) lockTables() []*lockTable { return []*lockTable{m.rels, m.rows, m.advisory} }

// advisoryLocks lists the advisory locks held and waited for. REQUIRES: waits.mu held.
func (m *Manager) advisoryLocks() []LockInfo {
	var out []LockInfo
	m.advisory.each(func(e *lockEntry) {
		k := decodeAdvisoryKey(e.key)
		for _, h := range e.holders {
			for mode, name := range advisoryLockNames {
				if h.mask&bit(lockMode(mode)) != 0 {
					out = append(out, LockInfo{Advisory: &k, Holder: h.o.id, ProcessID: h.o.pid, Mode: name, Granted: true})
				}
			}
		}
		for _, w := range e.queue {
			out = append(out, LockInfo{Advisory: &k, Holder: w.o.id, ProcessID: w.o.pid, Mode: advisoryLockNames[w.mode], Since: w.since})
		}
	})
	return slices.Clip(out)
}
