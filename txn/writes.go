package txn

import (
	"bytes"
	"sync"

	"github.com/google/btree"
)

// write is one provisional write. Writes to one key form a chain, newest first.
type write struct {
	key   []byte
	value []byte // the new value; with del, where the key has moved, mostly nil
	del   bool
	// overwrites: there may be a committed version below, so that the garbage
	// collector must look at the key after the commit.
	overwrites bool
	stmt       uint32
	seq        uint64
	prev       *write
}

// writeBuffer holds a transaction's provisional writes in memory, ordered by
// key, newest write of each key first, and by time. Its latch lets readers of
// the transaction run beside its writer.
type writeBuffer struct {
	mu   sync.RWMutex
	tree *btree.BTreeG[*write]
	log  []*write // ascending seq
	// bytes is the memory taken, an estimate.
	bytes int64
	slab  []write
	arena []byte
}

const (
	writeOverheadBytes = 160 // struct, tree and log share of one write
	writeSlab          = 32
	arenaChunkBytes    = 16 << 10
)

func lessWrite(a, b *write) bool { return bytes.Compare(a.key, b.key) < 0 }

// alloc copies b into the arena.
func (w *writeBuffer) alloc(b []byte) []byte {
	if len(b) > cap(w.arena)-len(w.arena) {
		if len(b) > arenaChunkBytes/4 {
			return append(make([]byte, 0, len(b)), b...)
		}
		n := arenaChunkBytes
		if w.arena == nil {
			n = 512 // most transactions are small
		}
		w.arena = make([]byte, 0, max(n, len(b)))
	}
	n := len(w.arena)
	w.arena = append(w.arena, b...)
	return w.arena[n:len(w.arena):len(w.arena)]
}

// put adds a write.
func (w *writeBuffer) put(key, value []byte, del, overwrites bool, stmt uint32, seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tree == nil {
		w.tree = btree.NewG(32, lessWrite)
	}
	if len(w.slab) == 0 {
		n := writeSlab
		if len(w.log) == 0 {
			n = 4
		}
		w.slab = make([]write, n)
	}
	x := &w.slab[0]
	w.slab = w.slab[1:]
	x.del, x.overwrites, x.stmt, x.seq = del, overwrites, stmt, seq
	x.key = key
	if !del || len(value) > 0 {
		x.value = w.alloc(value)
	}
	if old, ok := w.tree.Get(x); ok {
		x.prev, x.key = old, old.key
		x.overwrites = x.overwrites || old.overwrites
	} else {
		x.key = w.alloc(key)
	}
	w.tree.ReplaceOrInsert(x)
	w.log = append(w.log, x)
	w.bytes += int64(len(key)+len(value)) + writeOverheadBytes
}

// cut undoes the writes after seq.
func (w *writeBuffer) cut(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.log)
	for ; n > 0 && w.log[n-1].seq > seq; n-- {
		x := w.log[n-1]
		if x.prev != nil {
			w.tree.ReplaceOrInsert(x.prev)
		} else {
			w.tree.Delete(x)
		}
		w.log[n-1] = nil
		w.bytes -= int64(len(x.key)+len(x.value)) + writeOverheadBytes
	}
	w.log = w.log[:n]
}

// reset forgets everything (after a spill).
func (w *writeBuffer) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tree, w.log, w.slab, w.arena, w.bytes = nil, nil, nil, nil, 0
}

// newest is the newest write to key of a statement before stmt, nil for none.
func (w *writeBuffer) newest(key []byte, stmt uint32) *write {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.tree == nil || len(w.log) == 0 {
		return nil
	}
	x, _ := w.tree.Get(&write{key: key})
	for x != nil && x.stmt >= stmt {
		x = x.prev
	}
	return x
}

// collect lists the newest writes of statements before stmt in [lower, upper), ascending.
func (w *writeBuffer) collect(lower, upper []byte, stmt uint32) []*write {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.tree == nil || len(w.log) == 0 || w.log[0].stmt >= stmt {
		return nil
	}
	var out []*write
	w.tree.AscendGreaterOrEqual(&write{key: lower}, func(x *write) bool {
		if bytes.Compare(x.key, upper) >= 0 {
			return false
		}
		for x != nil && x.stmt >= stmt {
			x = x.prev
		}
		if x != nil {
			out = append(out, x)
		}
		return true
	})
	return out
}

// ascend calls f for the newest write of every key.
func (w *writeBuffer) ascend(f func(x *write) error) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.tree == nil {
		return nil
	}
	var err error
	w.tree.Ascend(func(x *write) bool {
		err = f(x)
		return err == nil
	})
	return err
}

func (w *writeBuffer) len() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.log)
}
