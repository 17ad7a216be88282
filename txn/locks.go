package txn

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// The lock table: row locks by key and relation locks by relation. One entry per
// locked thing holds its holders and a first-come queue of waiters.
//
// Two latches order everything. A shard's latch guards its map and its entries.
// waits.mu guards everything about waiting: an entry with waiters is changed under
// both (waits.mu first), so whoever holds waits.mu sees a wait-for graph that
// stands still. Requests that do not wait never touch waits.mu.

// lockMode is a LockStrength or a RelationLock, by its number from 0.
type lockMode uint8

// lockKind is one kind of lock with its conflict table: bit b of conflicts[m] is
// set when modes m and b exclude each other; covers[m] are the modes that make m superfluous.
type lockKind struct {
	conflicts []uint16
	covers    []uint16
	// barging: who does not conflict with the holders goes before those who wait.
	// PostgreSQL keeps row locks so, and table locks not.
	barging bool
}

func bit(m lockMode) uint16 { return 1 << m }

// newLockKind derives what covers what: a held mode makes another superfluous
// when it excludes at least as much.
func newLockKind(conflicts ...uint16) *lockKind {
	k := &lockKind{conflicts: conflicts, covers: make([]uint16, len(conflicts))}
	for m := range conflicts {
		for b := range conflicts {
			if conflicts[b]&conflicts[m] == conflicts[m] {
				k.covers[m] |= 1 << b
			}
		}
	}
	return k
}

// rowLockKind is PostgreSQL's table of row locks. Bits, lowest first: FOR KEY
// SHARE, FOR SHARE, FOR NO KEY UPDATE, FOR UPDATE.
var rowLockKind = func() *lockKind {
	k := newLockKind(0b1000, 0b1100, 0b1110, 0b1111)
	k.barging = true
	return k
}()

// relationLockKind is PostgreSQL's table of table locks, ACCESS SHARE lowest.
var relationLockKind = newLockKind(
	0b10000000, // ACCESS SHARE
	0b11000000, // ROW SHARE
	0b11110000, // ROW EXCLUSIVE
	0b11111000, // SHARE UPDATE EXCLUSIVE
	0b11101100, // SHARE
	0b11111100, // SHARE ROW EXCLUSIVE
	0b11111110, // EXCLUSIVE
	0b11111111, // ACCESS EXCLUSIVE
)

// lockOwner is a transaction as the lock table sees it.
type lockOwner struct {
	id  ID
	pid int32
	// held lists what was acquired, in order: one entry per new mode of a thing.
	held []heldLock
	// waiting is the request it waits for; guarded by waits.mu.
	waiting *lockWaiter
	// session has advisory locks, nil when it has none; guarded by waits.mu.
	session *AdvisoryLocks
	// counted remembers what distinct found.
	counted struct {
		n        int
		last     heldLock
		distinct int
	}
}

type heldLock struct {
	e    *lockEntry
	mode lockMode
	seq  uint64
}

type lockHolder struct {
	o    *lockOwner
	mask uint16
}

type lockEntry struct {
	t       *lockTable
	s       *lockShard
	key     string
	holders []lockHolder
	queue   []*lockWaiter
}

type lockWaiter struct {
	o       *lockOwner
	e       *lockEntry
	mode    lockMode
	granted chan struct{}
	since   time.Time
	// err is set before granted is closed when the wait was ended from outside
	// instead (cancelWait).
	err error
}

const lockShards = 64

type lockShard struct {
	mu      sync.Mutex
	entries map[string]*lockEntry
	free    []*lockEntry
	_       [24]byte
}

// waits is the part that row and relation locks share: one wait-for graph.
type waits struct{ mu sync.Mutex }

type lockTable struct {
	kind   *lockKind
	waits  *waits
	seed   maphash.Seed
	shards [lockShards]lockShard
	// describe names what a waiter waits for, for the report of a deadlock.
	describe func(w *lockWaiter, blocker *lockOwner) string
	// implicit holders of row locks: see implicit.go.
	implicit implicitHolders
}

func newLockTable(kind *lockKind, w *waits, describe func(*lockWaiter, *lockOwner) string) *lockTable {
	t := &lockTable{kind: kind, waits: w, seed: maphash.MakeSeed(), describe: describe}
	for i := range t.shards {
		t.shards[i].entries = map[string]*lockEntry{}
	}
	return t
}

// lockOutcome of acquire.
type lockOutcome uint8

const (
	lockGranted lockOutcome = iota
	lockSkipped             // WaitSkip met a conflict
	lockBusy                // WaitError met a conflict
)

// lockRequest is one call of acquire.
type lockRequest struct {
	key     []byte
	mode    lockMode
	policy  WaitPolicy
	timeout time.Duration
	// deadlock is how long a wait lasts before a deadlock is looked for; 0: at once.
	deadlock time.Duration
	seq      uint64
}

// acquire takes a lock for o. Errors: 40P01, 55P03 (timeout), the context's.
func (t *lockTable) acquire(ctx context.Context, o *lockOwner, r lockRequest) (lockOutcome, error) {
	s := &t.shards[maphash.Bytes(t.seed, r.key)%lockShards]
	s.mu.Lock()
	var gen uint64
	for t.implicit.count.Load() > 0 && t.implicit.generation.Load() != gen {
		s.mu.Unlock()
		var err error
		if gen, err = t.implicit.inflate(t, s, o, r.key); err != nil {
			return 0, err
		}
		s.mu.Lock()
	}
	e := s.entries[string(r.key)]
	if e == nil {
		e = s.newEntry(t, string(r.key))
		e.holders = append(e.holders, lockHolder{o, bit(r.mode)})
		s.mu.Unlock()
		o.held = append(o.held, heldLock{e, r.mode, r.seq})
		return lockGranted, nil
	}
	if e.mask(o)&t.kind.covers[r.mode] != 0 {
		s.mu.Unlock()
		return lockGranted, nil
	}
	if len(e.queue) == 0 && !e.blocked(o, r.mode, 0) {
		e.grant(o, r.mode)
		s.mu.Unlock()
		o.held = append(o.held, heldLock{e, r.mode, r.seq})
		return lockGranted, nil
	}
	s.mu.Unlock()
	return t.acquireSlow(ctx, o, s, gen, r)
}

// acquireSlow is acquire where somebody is in the way, or was a moment ago.
func (t *lockTable) acquireSlow(ctx context.Context, o *lockOwner, s *lockShard, gen uint64, r lockRequest) (lockOutcome, error) {
	t.waits.mu.Lock()
	s.mu.Lock()
	if t.implicit.count.Load() > 0 && t.implicit.generation.Load() != gen {
		s.mu.Unlock()
		t.waits.mu.Unlock()
		return t.acquire(ctx, o, r)
	}
	e := s.entries[string(r.key)]
	if e == nil {
		e = s.newEntry(t, string(r.key))
	}
	// A transaction that already holds the thing goes before those that do not:
	// they could not be granted before it anyway.
	pos := len(e.queue)
	if e.mask(o) != 0 {
		pos = 0
		for pos < len(e.queue) && e.mask(e.queue[pos].o) != 0 {
			pos++
		}
	}
	ahead := pos
	if t.kind.barging {
		ahead = 0
	}
	if !e.blocked(o, r.mode, ahead) {
		e.grant(o, r.mode)
		s.mu.Unlock()
		t.waits.mu.Unlock()
		o.held = append(o.held, heldLock{e, r.mode, r.seq})
		return lockGranted, nil
	}
	if r.policy != WaitBlock {
		s.mu.Unlock()
		t.waits.mu.Unlock()
		if r.policy == WaitSkip {
			return lockSkipped, nil
		}
		return lockBusy, nil
	}
	w := &lockWaiter{o: o, e: e, mode: r.mode, granted: make(chan struct{}), since: time.Now()}
	e.queue = append(e.queue, nil)
	copy(e.queue[pos+1:], e.queue[pos:])
	e.queue[pos] = w
	o.waiting = w
	s.mu.Unlock()
	if r.deadlock <= 0 || w.mutual() {
		if err := w.checkDeadlock(); err != nil {
			t.abandonLocked(w)
			t.waits.mu.Unlock()
			return 0, err
		}
	}
	t.waits.mu.Unlock()

	var timer, check <-chan time.Time
	if r.timeout > 0 {
		tm := time.NewTimer(r.timeout)
		defer tm.Stop()
		timer = tm.C
	}
	if r.deadlock > 0 {
		tm := time.NewTimer(r.deadlock)
		defer tm.Stop()
		check = tm.C
	}
	var err error
	for wait := true; wait && err == nil; {
		wait = false
		select {
		case <-w.granted:
			if w.err != nil {
				return 0, w.err
			}
		case <-ctx.Done():
			err = contextError(ctx)
		case <-timer:
			err = pgerror.New(pgerror.LockNotAvailable, "canceling statement due to lock timeout")
		case <-check:
			t.waits.mu.Lock()
			err = w.checkDeadlock()
			t.waits.mu.Unlock()
			wait, check = true, nil
		}
	}
	if err != nil {
		t.waits.mu.Lock()
		waiting := o.waiting == w
		if waiting {
			t.abandonLocked(w)
		}
		t.waits.mu.Unlock()
		if waiting {
			return 0, err
		}
		if w.err != nil {
			return 0, w.err
		}
		// Granted at the last moment: it is held, and released with the others.
	}
	o.held = append(o.held, heldLock{e, r.mode, r.seq})
	return lockGranted, err
}

// contextError is the report of a cancelled context: its cause when that is a report.
func contextError(ctx context.Context) error {
	return pgerror.From(context.Cause(ctx))
}

// abandonLocked takes a waiter out of its queue. REQUIRES: waits.mu held.
func (t *lockTable) abandonLocked(w *lockWaiter) {
	e := w.e
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	for i, q := range e.queue {
		if q == w {
			e.queue = append(e.queue[:i], e.queue[i+1:]...)
			break
		}
	}
	w.o.waiting = nil
	e.grantWaiters()
	e.dropIfIdle()
}

// release gives back one acquisition.
func (h heldLock) release(o *lockOwner) {
	s := h.e.s
	s.mu.Lock()
	if len(h.e.queue) == 0 {
		h.e.unhold(o, h.mode)
		h.e.dropIfIdle()
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	w := h.e.t.waits
	w.mu.Lock()
	s.mu.Lock()
	h.e.unhold(o, h.mode)
	h.e.grantWaiters()
	h.e.dropIfIdle()
	s.mu.Unlock()
	w.mu.Unlock()
}

// releaseAfter gives back what o acquired after seq.
func (o *lockOwner) releaseAfter(seq uint64) {
	for n := len(o.held); n > 0 && o.held[n-1].seq > seq; n-- {
		h := o.held[n-1]
		o.held[n-1] = heldLock{}
		o.held = o.held[:n-1]
		h.release(o)
	}
}

// newEntry makes an entry. REQUIRES: s.mu held.
func (s *lockShard) newEntry(t *lockTable, key string) *lockEntry {
	var e *lockEntry
	if n := len(s.free); n > 0 {
		e, s.free = s.free[n-1], s.free[:n-1]
	} else {
		e = &lockEntry{}
	}
	e.t, e.s, e.key = t, s, key
	s.entries[key] = e
	return e
}

const freeEntriesMax = 256

// dropIfIdle removes an entry that nobody holds or wants.
func (e *lockEntry) dropIfIdle() {
	if len(e.holders) > 0 || len(e.queue) > 0 {
		return
	}
	s := e.s
	delete(s.entries, e.key)
	if len(s.free) < freeEntriesMax {
		*e = lockEntry{holders: e.holders[:0], queue: e.queue[:0]}
		s.free = append(s.free, e)
	}
}

// mask is what o holds.
func (e *lockEntry) mask(o *lockOwner) uint16 {
	for i := range e.holders {
		if e.holders[i].o == o {
			return e.holders[i].mask
		}
	}
	return 0
}

// blocked reports whether a request of o must wait at position pos of the queue.
func (e *lockEntry) blocked(o *lockOwner, m lockMode, pos int) bool {
	c := e.t.kind.conflicts[m]
	for i := range e.holders {
		if h := &e.holders[i]; h.o != o && h.mask&c != 0 {
			return true
		}
	}
	for _, w := range e.queue[:pos] {
		if w.o != o && bit(w.mode)&c != 0 {
			return true
		}
	}
	return false
}

func (e *lockEntry) grant(o *lockOwner, m lockMode) {
	for i := range e.holders {
		if e.holders[i].o == o {
			e.holders[i].mask |= bit(m)
			return
		}
	}
	e.holders = append(e.holders, lockHolder{o, bit(m)})
}

func (e *lockEntry) unhold(o *lockOwner, m lockMode) {
	for i := range e.holders {
		if e.holders[i].o != o {
			continue
		}
		if e.holders[i].mask &^= bit(m); e.holders[i].mask == 0 {
			n := len(e.holders) - 1
			e.holders[i] = e.holders[n]
			e.holders[n] = lockHolder{}
			e.holders = e.holders[:n]
		}
		return
	}
}

// grantWaiters grants, first come first served, whatever can be granted.
// REQUIRES: waits.mu and the shard's latch held.
func (e *lockEntry) grantWaiters() {
	for i := 0; i < len(e.queue); {
		w := e.queue[i]
		if e.blocked(w.o, w.mode, i) {
			i++
			continue
		}
		e.grant(w.o, w.mode)
		e.queue = append(e.queue[:i], e.queue[i+1:]...)
		w.o.waiting = nil
		close(w.granted)
	}
}
