package txn

import (
	"bytes"
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// LockFresh implements RowTxn. A bulk load of ascending keys into a range that
// nobody has keys in costs one look at the store per call, and one lock per key.
func (t *transaction) LockFresh(ctx context.Context, keys [][]byte, f func(i int, n Newest) error) error {
	if err := t.usable(); err != nil {
		return err
	}
	for start := 0; start < len(keys); {
		// Lock as far as nobody is in the way, in order: locking past a key that has
		// to be waited for would make deadlocks of what are queues.
		t.seq++
		end := start
		t.prepareOwner()
		for ; end < len(keys); end++ {
			out, err := t.m.rows.acquire(ctx, &t.owner, lockRequest{key: keys[end], mode: lockMode(LockUpdate), policy: WaitSkip, seq: t.seq})
			if err != nil {
				return err
			}
			if out != lockGranted {
				break
			}
		}
		if err := t.visitFresh(keys[start:end], func(i int, n Newest) error { return f(start+i, n) }); err != nil {
			return err
		}
		if start = end; start < len(keys) {
			n, err := t.LockUnique(ctx, keys[start])
			if err == nil {
				err = f(start, n)
			}
			if err != nil {
				return err
			}
			start++
		}
	}
	return nil
}

// visitFresh calls f with the newest versions of keys whose locks are held. f may
// write its key.
func (t *transaction) visitFresh(keys [][]byte, f func(i int, n Newest) error) error {
	if len(keys) == 0 {
		return nil
	}
	snap := t.snapshotInForce()
	lower, upper := keys[0], keys[0]
	ascending := true
	for i, k := range keys[1:] {
		if bytes.Compare(keys[i], k) < 0 {
			if ascending {
				upper = k
				continue
			}
		} else {
			ascending = false
		}
		if bytes.Compare(k, lower) < 0 {
			lower = k
		}
		if bytes.Compare(k, upper) > 0 {
			upper = k
		}
	}
	end := append(bytes.Clone(upper), 0)
	ownNone := ascending && !t.writes.anyIn(lower, end)
	if s := t.spill.Load(); ownNone && s != nil {
		ownNone = !s.mayHoldIn(lower, end)
	}
	if b := t.bulk.Load(); ownNone && b != nil {
		ownNone = !b.mayHoldIn(lower, end)
	}
	committed, err := t.m.eng.AnyIn(lower, end)
	if err != nil {
		return err
	}
	var g *engine.Getter
	if committed {
		if g, err = t.m.eng.NewGetter(); err != nil {
			return err
		}
		defer g.Close()
	}
	for i, k := range keys {
		var n Newest
		if g != nil {
			v, ts, found, deleted, err := g.Get(k, engine.MaxTimestamp)
			if err != nil {
				return err
			}
			if found {
				n.CommitTS, n.Exists, n.Value = Timestamp(ts), !deleted, v
				n.Changed = n.CommitTS > snap.ts
			}
		}
		if !ownNone {
			w, err := t.own(k, noStatement)
			if err != nil {
				return err
			}
			if w != nil {
				n.Exists, n.Value, n.OwnStatement = !w.del, w.value, w.stmt
			}
		}
		if err := f(i, n); err != nil {
			return err
		}
	}
	return nil
}

// LockUnique implements RowTxn.
func (t *transaction) LockUnique(ctx context.Context, key []byte) (Newest, error) {
	n, err := t.lock(ctx, key, LockUpdate, WaitSkip)
	if err != nil || !n.Skipped {
		return n, err
	}
	seq := t.seq
	// A key-share lock waits for those who insert, delete or move the key only.
	n, err = t.lock(ctx, key, LockKeyShare, WaitBlock)
	if err != nil || n.Exists {
		return n, err
	}
	t.owner.releaseAfter(seq)
	n, err = t.lock(ctx, key, LockUpdate, WaitBlock)
	if n.Skipped {
		err = pgerror.Internal("a blocking lock request was skipped")
	}
	return n, err
}

// anyIn reports whether the buffer has a key in [lower, upper).
func (w *writeBuffer) anyIn(lower, upper []byte) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	any := false
	w.rangeLocked(lower, upper, func(x *write) bool {
		any = true
		return false
	})
	return any
}

// anyOf reports whether the buffer has one of keys, all of which are in [lower, upper).
func (w *writeBuffer) anyOf(keys [][]byte, lower, upper []byte) bool {
	if !w.anyIn(lower, upper) {
		return false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, k := range keys {
		if w.headLocked(k) != nil {
			return true
		}
	}
	return false
}

// mayHoldIn reports whether a run reaches into [lower, upper).
func (s *spilled) mayHoldIn(lower, upper []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if bytes.Compare(r.first, upper) < 0 && bytes.Compare(r.last, lower) >= 0 {
			return true
		}
	}
	return false
}
