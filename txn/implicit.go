package txn

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// implicitHolders are the transactions whose spilled writes and bulk inserts stand for
// row locks: millions of them would not fit the lock table. Whoever asks for a key that
// such a transaction wrote first has its lock put into the table ("inflated"),
// and then waits for it there like for any other.
//
// generation grows before a transaction's locks leave the table; acquire compares
// it under the shard's latch, so that it never sees a key between its explicit
// and its implicit lock.
type implicitHolders struct {
	generation atomic.Uint64
	count      atomic.Int32
	mu         sync.Mutex
	holders    []*implicitHolder
}

type implicitHolder struct {
	t        *transaction
	inflated []heldLock
}

// register makes t's runs count as locks.
func (h *implicitHolders) register(t *transaction) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.ContainsFunc(h.holders, func(x *implicitHolder) bool { return x.t == t }) {
		h.holders = append(h.holders, &implicitHolder{t: t})
		h.count.Add(1)
	}
	h.generation.Add(1)
}

// unregister ends it and releases what was inflated.
func (h *implicitHolders) unregister(t *transaction) {
	h.mu.Lock()
	var inflated []heldLock
	for i, x := range h.holders {
		if x.t == t {
			inflated = x.inflated
			h.holders = slices.Delete(h.holders, i, i+1)
			h.count.Add(-1)
			break
		}
	}
	h.mu.Unlock()
	for _, l := range inflated {
		l.release(&t.owner)
	}
}

// inflate puts the implicit locks of others on key into the table. It gives the
// generation its answer is good for.
func (h *implicitHolders) inflate(t *lockTable, s *lockShard, o *lockOwner, key []byte) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gen := h.generation.Load()
	for _, x := range h.holders {
		if &x.t.owner == o {
			continue
		}
		holds, err := x.t.holdsImplicitly(key)
		if err != nil {
			return 0, err
		}
		if !holds {
			continue
		}
		t.waits.mu.Lock()
		s.mu.Lock()
		e := s.entries[string(key)]
		if e == nil {
			e = s.newEntry(t, string(key))
		}
		// A lock that did not leave the table is as good.
		if e.mask(&x.t.owner)&(bit(lockMode(LockNoKeyUpdate))|bit(lockMode(LockUpdate))) == 0 {
			e.grant(&x.t.owner, lockMode(LockUpdate))
			x.inflated = append(x.inflated, heldLock{e: e, mode: lockMode(LockUpdate)})
		}
		s.mu.Unlock()
		t.waits.mu.Unlock()
	}
	return gen, nil
}

// holdsImplicitly reports whether a spilled write or a bulk insert stands for a lock on key.
func (t *transaction) holdsImplicitly(key []byte) (bool, error) {
	if s := t.spill.Load(); s != nil {
		if w, err := s.newest(key, noStatement); w != nil || err != nil {
			return w != nil, err
		}
	}
	if b := t.bulk.Load(); b != nil {
		return b.holds(key)
	}
	return false, nil
}

// shrink releases what was inflated for t and is no longer held implicitly, after a
// claim was taken back.
func (h *implicitHolders) shrink(t *transaction) {
	var gone []heldLock
	h.mu.Lock()
	for _, x := range h.holders {
		if x.t != t {
			continue
		}
		kept := x.inflated[:0]
		for _, l := range x.inflated {
			// On an error the lock stays until the transaction's end.
			if holds, err := t.holdsImplicitly([]byte(l.e.key)); holds || err != nil {
				kept = append(kept, l)
			} else {
				gone = append(gone, l)
			}
		}
		clear(x.inflated[len(kept):])
		x.inflated = kept
	}
	h.mu.Unlock()
	for _, l := range gone {
		l.release(&t.owner)
	}
}

// contested reports whether somebody else holds a lock on one of keys (ascending), in
// the table or implicitly.
func (t *lockTable) contested(tx *transaction, keys [][]byte) (bool, error) {
	lower, upper := keys[0], keys[len(keys)-1]
	if t.size() > tx.owner.distinct(t) && t.othersHold(&tx.owner, keys) {
		return true, nil
	}
	if t.implicit.count.Load() == 0 {
		return false, nil
	}
	t.implicit.mu.Lock()
	holders := make([]*transaction, 0, len(t.implicit.holders))
	for _, x := range t.implicit.holders {
		if x.t != tx {
			holders = append(holders, x.t)
		}
	}
	t.implicit.mu.Unlock()
	for _, x := range holders {
		if !x.mayHoldImplicitly(lower, upper) {
			continue
		}
		for _, k := range keys {
			if holds, err := x.holdsImplicitly(k); holds || err != nil {
				return holds, err
			}
		}
	}
	return false, nil
}

// mayHoldImplicitly reports whether holdsImplicitly may be true in [lower, upper].
func (t *transaction) mayHoldImplicitly(lower, upper []byte) bool {
	if s := t.spill.Load(); s != nil && s.mayHoldIn(lower, append(bytes.Clone(upper), 0)) {
		return true
	}
	b := t.bulk.Load()
	return b != nil && b.mayHoldIn(lower, upper)
}

// size is the number of things locked.
func (t *lockTable) size() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

// distinct is the number of different things that o has acquired in t. It belongs to
// o's goroutine.
func (o *lockOwner) distinct(t *lockTable) int {
	n := len(o.held)
	if n == 0 {
		return 0
	}
	if c := &o.counted; c.n == n && c.last == o.held[n-1] {
		return c.distinct
	}
	things := make(map[*lockEntry]struct{}, n)
	for _, h := range o.held {
		if h.e.t == t {
			things[h.e] = struct{}{}
		}
	}
	o.counted.n, o.counted.last, o.counted.distinct = n, o.held[n-1], len(things)
	return len(things)
}

// othersHold looks for holders of keys besides o.
func (t *lockTable) othersHold(o *lockOwner, keys [][]byte) bool {
	byShard := make([][]int32, lockShards)
	for j, k := range keys {
		h := maphash.Bytes(t.seed, k) % lockShards
		byShard[h] = append(byShard[h], int32(j))
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, j := range byShard[i] {
			e := s.entries[string(keys[j])]
			if e != nil && (len(e.holders) > 1 || len(e.holders) == 1 && e.holders[0].o != o) {
				s.mu.Unlock()
				return true
			}
		}
		s.mu.Unlock()
	}
	return false
}
