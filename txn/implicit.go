package txn

import (
	"slices"
	"sync"
	"sync/atomic"
)

// implicitHolders are the transactions whose spilled writes stand for row locks:
// millions of them would not fit the lock table. Whoever asks for a key that
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
		w, err := x.t.spill.Load().newest(key, noStatement)
		if err != nil {
			return 0, err
		}
		if w == nil {
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
