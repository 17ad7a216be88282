package txn

import (
	"math/bits"
	"slices"
	"time"
)

// LockInfo is one lock that a transaction holds or waits for. A row lock itself
// is not shown, as in PostgreSQL: who waits for a row waits for the transaction
// that has it, and every transaction with row locks holds one on itself.
type LockInfo struct {
	// Advisory is the key of an advisory lock, nil for others.
	Advisory *AdvisoryKey
	// Relation is what LockRelation was given, 0 for a lock on a transaction.
	Relation uint64
	// Storage is what a predicate lock (SIReadLock) is on: a storage id of storage/table; Key: on one of its keys.
	// Relation is 0 then.
	Storage uint64
	Key     bool
	// Transaction that is locked, 0 for a lock on a relation.
	Transaction ID
	// Holder is the transaction that holds it or waits, ProcessID its Options'; 0: it is prepared.
	Holder    ID
	ProcessID int32
	// Mode is PostgreSQL's name, such as AccessShareLock.
	Mode    string
	Granted bool
	// Since is the start of the wait, zero for a granted lock.
	Since time.Time
}

// Locks implements DB. Locks on relations and waits are one moment's; locks that
// transactions hold on themselves are gathered while others go on.
func (m *Manager) Locks() []LockInfo {
	var out []LockInfo
	own := map[ID]int32{}
	m.waits.mu.Lock()
	defer m.waits.mu.Unlock()
	m.rels.each(func(e *lockEntry) {
		id := decodeRelationKey(e.key)
		for _, h := range e.holders {
			for mask := h.mask; mask != 0; mask &= mask - 1 {
				out = append(out, LockInfo{Relation: id, Holder: h.o.id, ProcessID: h.o.pid, Mode: relationLockNames[bits.TrailingZeros16(mask)], Granted: true})
			}
		}
		for _, w := range e.queue {
			out = append(out, LockInfo{Relation: id, Holder: w.o.id, ProcessID: w.o.pid, Mode: relationLockNames[w.mode], Since: w.since})
		}
	})
	out = append(out, m.advisoryLocks()...)
	out = append(out, m.ssi.predicates()...)
	m.rows.each(func(e *lockEntry) {
		for _, h := range e.holders {
			own[h.o.id] = h.o.pid
		}
		for _, w := range e.queue {
			own[w.o.id] = w.o.pid
			info := LockInfo{Holder: w.o.id, ProcessID: w.o.pid, Mode: relationLockNames[ShareLock-1], Since: w.since}
			w.eachBlocker(func(o *lockOwner) {
				if info.Transaction == 0 {
					info.Transaction = o.id
				}
			})
			out = append(out, info)
		}
	})
	m.prepared.each(func(p *PreparedTxn) { own[p.info.Txn] = 0 })
	for id, pid := range own {
		out = append(out, LockInfo{Transaction: id, Holder: id, ProcessID: pid, Mode: relationLockNames[Exclusive-1], Granted: true})
	}
	return out
}

// Blockers implements DB.
func (m *Manager) Blockers(pid int32) []int32 {
	var out []int32
	m.waits.mu.Lock()
	defer m.waits.mu.Unlock()
	for _, t := range m.lockTables() {
		t.each(func(e *lockEntry) {
			for _, w := range e.queue {
				if w.o.pid == pid {
					w.eachBlocker(func(o *lockOwner) {
						if !slices.Contains(out, o.pid) {
							out = append(out, o.pid)
						}
					})
				}
			}
		})
	}
	return out
}

// SafeSnapshotBlockers implements DB.
func (m *Manager) SafeSnapshotBlockers(pid int32) []int32 { return m.ssi.safeSnapshotBlockers(pid) }

// each visits all entries, a shard at a time under its latch.
func (t *lockTable) each(f func(e *lockEntry)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			f(e)
		}
		s.mu.Unlock()
	}
}

// eachBlocker visits whom a waiter waits for: those who hold the lock in a
// conflicting mode, then those before it in the queue who will. REQUIRES: waits.mu
// and the shard's latch held.
func (w *lockWaiter) eachBlocker(f func(o *lockOwner)) {
	c := w.e.t.kind.conflicts[w.mode]
	for _, h := range w.e.holders {
		if h.o != w.o && h.mask&c != 0 {
			f(h.o)
		}
	}
	for _, q := range w.e.queue {
		if q == w {
			return
		}
		if q.o != w.o && bit(q.mode)&c != 0 {
			f(q.o)
		}
	}
}
