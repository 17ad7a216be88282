package coordinator

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

func (t *transaction) LockRow(ctx context.Context, key []byte, s txn.LockStrength, policy txn.WaitPolicy) (txn.Newest, error) {
	return t.lockOne(ctx, txn.LockKindRow, key, s, policy)
}

func (t *transaction) LockKey(ctx context.Context, key []byte, s txn.LockStrength, policy txn.WaitPolicy) (txn.Newest, error) {
	return t.lockOne(ctx, txn.LockKindKey, key, s, policy)
}

func (t *transaction) LockUnique(ctx context.Context, key []byte) (txn.Newest, error) {
	return t.lockOne(ctx, txn.LockKindUnique, key, txn.LockUpdate, txn.WaitBlock)
}

func (t *transaction) lockOne(ctx context.Context, kind txn.LockKind, key []byte, s txn.LockStrength, policy txn.WaitPolicy) (txn.Newest, error) {
	if err := t.usable(ctx); err != nil {
		return txn.Newest{}, err
	}
	p, err := t.partOf(key)
	if err != nil {
		return txn.Newest{}, err
	}
	n, err := t.lock(ctx, p, txn.LockCall{Kind: kind, Keys: [][]byte{key}, Strength: s, Policy: policy, Seq: t.seq + 1})
	t.seq += txn.LockSeqStep
	if err != nil {
		return txn.Newest{}, err
	}
	return n[0], nil
}

// lock makes one call, pending writes ahead.
func (t *transaction) lock(ctx context.Context, p *part, l txn.LockCall) ([]txn.Newest, error) {
	if _, err := t.ensureID(ctx); err != nil {
		return nil, err
	}
	t.mu.Lock()
	b := t.branch(p)
	l.Writes, l.Timeout, l.OwnSnapshot = p.pending, t.lockTimeout, t.outer
	p.lent++
	t.mu.Unlock()
	n, err := p.p.Lock(ctx, b, t.readAt(), l)
	// A call that fails may have made the branch and its writes, or not: as in flush.
	t.mu.Lock()
	p.begun = true
	p.lent--
	if err == nil && len(l.Writes) > 0 {
		p.sent(l.Writes[len(l.Writes)-1].Seq)
	}
	t.mu.Unlock()
	if err == nil && len(n) != len(l.Keys) {
		err = pgerror.Internal("%d locks asked for, %d answered", len(l.Keys), len(n))
	}
	return n, err
}

// LockFresh implements txn.RowTxn. Keys are locked as far as nobody is in the way,
// node by node at once; the first that must be waited for is waited for alone,
// with no lock held on those after it: locking past it would make deadlocks of
// what are queues.
func (t *transaction) LockFresh(ctx context.Context, keys [][]byte, f func(i int, n txn.Newest) error) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	for start := 0; start < len(keys); {
		end, found, err := t.lockFree(ctx, keys[start:])
		if err != nil {
			return err
		}
		for i := range end {
			if err := f(start+i, found[i]); err != nil {
				return err
			}
		}
		if start += end; start < len(keys) {
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

// lockChunk bounds the keys of one call.
const lockChunk = 4096

// lockFree locks a prefix of keys that nobody else holds.
func (t *transaction) lockFree(ctx context.Context, keys [][]byte) (end int, found []txn.Newest, err error) {
	if len(keys) > lockChunk {
		keys = keys[:lockChunk]
	}
	// A key that comes again is for a later call: what f writes for the first is part
	// of what the second is told.
	seen := make(map[string]bool, len(keys))
	for i, k := range keys {
		if seen[string(k)] {
			keys = keys[:i]
			break
		}
		seen[string(k)] = true
	}
	base := t.seq + 1
	t.seq += uint64(len(keys)) * txn.LockSeqStep
	// The positions of each part's keys; runs of keys on one part keep their numbers
	// by sending the key's own sequence number as the position's.
	type run struct {
		p   *part
		pos []int
	}
	var runs []*run
	byPart := map[*part]*run{}
	for i, k := range keys {
		p, err := t.partOf(k)
		if err != nil {
			return 0, nil, err
		}
		r := byPart[p]
		if r == nil {
			r = &run{p: p}
			byPart[p] = r
			runs = append(runs, r)
		}
		r.pos = append(r.pos, i)
	}
	found = make([]txn.Newest, len(keys))
	parts := make([]*part, len(runs))
	for i, r := range runs {
		parts[i] = r.p
	}
	err = each(parts, func(p *part) error {
		r := byPart[p]
		ks := make([][]byte, len(r.pos))
		for i, at := range r.pos {
			ks[i] = keys[at]
		}
		n, err := t.lock(ctx, p, txn.LockCall{Kind: txn.LockKindUnique, Keys: ks, Strength: txn.LockUpdate, Policy: txn.WaitSkip, Seq: base})
		if err != nil {
			return err
		}
		for i, at := range r.pos {
			found[at] = n[i]
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	end = len(keys)
	for i := range found {
		if found[i].Skipped {
			end = i
			break
		}
	}
	if end == len(keys) {
		return end, found, nil
	}
	// Give back the locks behind the first that is not free. Key j of a part's call
	// has the numbers from base + j·LockSeqStep on.
	for _, r := range runs {
		keep := 0
		for keep < len(r.pos) && r.pos[keep] < end {
			keep++
		}
		if keep == len(r.pos) {
			continue
		}
		t.mu.Lock()
		b := t.branch(r.p)
		t.mu.Unlock()
		if err := r.p.p.RollbackTo(ctx, b, base+uint64(keep)*txn.LockSeqStep-1); err != nil {
			return 0, nil, err
		}
	}
	return end, found, nil
}

func (t *transaction) LockRelation(ctx context.Context, id uint64, mode txn.RelationLock, policy txn.WaitPolicy) error {
	if t.ended {
		return pgerror.Internal("transaction %d used after its end", t.id.Load())
	}
	if t.HoldsRelation(id, mode) {
		return nil
	}
	if t.snapErr != nil {
		return t.snapErr
	}
	if t.epoch == 0 { // a lock does not fix the snapshot of REPEATABLE READ
		if err := t.lookAround(ctx); err != nil {
			return err
		}
	}
	if _, err := t.ensureID(ctx); err != nil {
		return err
	}
	p, err := t.partAt(t.c.cfg.Placement().System)
	if err != nil {
		return err
	}
	t.mu.Lock()
	b := t.branch(p)
	t.mu.Unlock()
	t.seq++
	err = p.p.LockRelation(ctx, b, id, mode, policy, t.seq, t.lockTimeout)
	t.mu.Lock()
	p.begun = true
	t.mu.Unlock()
	if err != nil {
		return err
	}
	t.rels = append(t.rels, heldRelation{id: id, mode: mode, seq: t.seq})
	// Whoever changed the relation between our snapshot and our lock is visible now:
	// the catalog must not be read as of before.
	return t.lookAround(ctx)
}

// HoldsRelation implements txn.RowTxn.
func (t *transaction) HoldsRelation(id uint64, mode txn.RelationLock) bool {
	for i := range t.rels {
		if t.rels[i].id == id && txn.Covers(t.rels[i].mode, mode) {
			return true
		}
	}
	return false
}
