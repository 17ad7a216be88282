package txn

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Hold implements Participant.
func (p *Branches) Hold(ctx context.Context, b Branch, record NodeID) error {
	b.Begun = true
	return p.with(context.WithoutCancel(ctx), b, ReadAt{}, func(x *branch) error {
		if x.held {
			return nil
		}
		return p.hold(ctx, x, record)
	})
}

func (p *Branches) hold(ctx context.Context, x *branch, record NodeID) error {
	t, id := x.t, x.b.Txn
	w := &recordWriter{m: p.m, key: func(chunk uint32) []byte { return intentKey(id, intentLockChunk+chunk) }}
	err := t.writeLocks(w)
	if err == nil {
		err = w.flush(0)
	}
	if err != nil {
		return err
	}
	chunks, err := p.writeIntents(ctx, x)
	if err != nil {
		return err
	}
	h := intentHeader{held: true, record: record, gateway: x.b.Gateway, chunks: chunks, isolation: x.b.Isolation, lockChunks: w.chunks, implicit: t.spill.Load() != nil}
	if err := p.m.eng.LocalSet(intentKey(id, 0), h.encode(), true); err != nil {
		return err
	}
	x.prepared, x.held, x.record = true, true, record
	if t.writes.bytes > preparedMemoryMax {
		_ = t.spillWrites(context.WithoutCancel(ctx)) // else they stay where they are
	}
	p.m.waits.mu.Lock()
	t.owner.pid = 0
	p.m.waits.mu.Unlock()
	return nil
}

// recoverHeld gives a held branch its locks back at a start.
func (p *Branches) recoverHeld(x *branch, h *intentHeader) error {
	ctx := context.Background()
	t, id := x.t, x.b.Txn
	t.owner.id = id
	t.stmt = 1
	var read uint32
	err := p.m.eng.LocalScan(intentKey(id, intentLockChunk), intentsEnd(id), func(_, chunk []byte) error {
		read++
		return eachEntry(chunk, func(e *entry) error {
			if e.tag != entryLock {
				return pgerror.New(pgerror.DataCorrupted, "malformed locks of prepared transaction %d", id)
			}
			t.seq++
			return t.relock(ctx, e)
		})
	})
	if err == nil && read != h.lockChunks {
		err = pgerror.New(pgerror.DataCorrupted, "prepared transaction %d has %d of %d chunks of locks", id, read, h.lockChunks)
	}
	if err != nil || !h.implicit {
		return err
	}
	err = p.eachIntent(ctx, id, func(key, value []byte, del, overwrites bool) error {
		t.seq++
		t.writes.put(key, value, del, overwrites, t.stmt, t.seq)
		if t.writes.bytes > min(preparedMemoryMax, p.m.cfg.SpillBytes) {
			return t.spillWrites(ctx)
		}
		return nil
	})
	if err == nil && t.writes.len() > 0 {
		err = t.spillWrites(ctx)
	}
	return err
}
