package txn

import (
	"bytes"
	"slices"
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
	mu sync.RWMutex
	// tree is nil while there are few writes: then the log is looked through.
	tree *btree.BTreeG[*write]
	log  []*write // ascending seq
	// bytes is the memory taken, an estimate.
	bytes int64
	slab  []write
	arena []byte
}

const (
	writeOverheadBytes = 160 // struct, tree and log share of one write
	treelessWrites     = 16
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
	if w.tree == nil && len(w.log) >= treelessWrites {
		w.tree = btree.NewG(32, lessWrite)
		for _, x := range w.log { // later ones take the place of earlier ones
			w.tree.ReplaceOrInsert(x)
		}
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
	if old := w.headLocked(key); old != nil {
		x.prev, x.key = old, old.key
		x.overwrites = x.overwrites || old.overwrites
	} else {
		x.key = w.alloc(key)
	}
	if w.tree != nil {
		w.tree.ReplaceOrInsert(x)
	}
	w.log = append(w.log, x)
	w.bytes += int64(len(key)+len(value)) + writeOverheadBytes
}

// headLocked is the newest write to key, nil for none.
func (w *writeBuffer) headLocked(key []byte) *write {
	if w.tree != nil {
		x, _ := w.tree.Get(&write{key: key})
		return x
	}
	for i := len(w.log) - 1; i >= 0; i-- {
		if bytes.Equal(w.log[i].key, key) {
			return w.log[i]
		}
	}
	return nil
}

// rangeLocked calls f with the newest write of each key from lower on, below upper
// (nil: to the end), in order, until it returns false.
func (w *writeBuffer) rangeLocked(lower, upper []byte, f func(x *write) bool) {
	if w.tree != nil {
		w.tree.AscendGreaterOrEqual(&write{key: lower}, func(x *write) bool {
			return (upper == nil || bytes.Compare(x.key, upper) < 0) && f(x)
		})
		return
	}
	var buf [treelessWrites]*write
	heads := buf[:0]
	for i := len(w.log) - 1; i >= 0; i-- {
		x := w.log[i]
		if bytes.Compare(x.key, lower) < 0 || upper != nil && bytes.Compare(x.key, upper) >= 0 {
			continue
		}
		at, found := slices.BinarySearchFunc(heads, x, func(a, b *write) int { return bytes.Compare(a.key, b.key) })
		if !found { // else a newer write to the key
			heads = slices.Insert(heads, at, x)
		}
	}
	for _, x := range heads {
		if !f(x) {
			return
		}
	}
}

// cut undoes the writes after seq.
func (w *writeBuffer) cut(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.log)
	for ; n > 0 && w.log[n-1].seq > seq; n-- {
		x := w.log[n-1]
		switch {
		case w.tree == nil:
		case x.prev != nil:
			w.tree.ReplaceOrInsert(x.prev)
		default:
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
	if len(w.log) == 0 {
		return nil
	}
	x := w.headLocked(key)
	for x != nil && x.stmt >= stmt {
		x = x.prev
	}
	return x
}

// collect lists the newest writes of statements before stmt in [lower, upper), ascending.
func (w *writeBuffer) collect(lower, upper []byte, stmt uint32) []*write {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if len(w.log) == 0 || w.log[0].stmt >= stmt {
		return nil
	}
	var out []*write
	w.rangeLocked(lower, upper, func(x *write) bool {
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
	var err error
	w.rangeLocked(nil, nil, func(x *write) bool {
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
