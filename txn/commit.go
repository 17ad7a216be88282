package txn

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// Commit implements Txn. The order matters: the timestamp is drawn first, the
// batch is durable before the timestamp becomes visible, the timestamp is
// visible before the locks go and before the commit is acknowledged.
func (t *transaction) Commit(ctx context.Context) (Timestamp, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	if t.sx != nil {
		if err := t.m.ssi.prepare(t.sx); err != nil {
			t.state = txnEnded
			t.end()
			return 0, err
		}
	}
	if !t.HasWrites() {
		// Sequence values handed out by this transaction must not come again.
		err := t.m.eng.Sync()
		ts := t.Snapshot()
		if err != nil {
			t.state = txnEnded
			t.end()
			return 0, err
		}
		t.state = txnCommitted
		for _, f := range t.onCommit {
			f(ts)
		}
		t.end()
		return ts, nil
	}
	err := t.m.eng.Room(int64(t.writes.bytes))
	if ctx.Err() != nil {
		err = contextError(ctx)
	}
	if err != nil {
		t.state = txnEnded
		t.end()
		return 0, err
	}
	var ts Timestamp
	if err = t.closeEntries(ctx); err == nil {
		if b := t.bulk.Load(); b != nil {
			err = b.settle(noStatement)
		}
	}
	if err == nil && t.spill.Load() != nil {
		ts, err = t.commitBulk(ctx)
	} else if err == nil {
		ts, err = t.commitBatch()
	}
	if err != nil {
		t.state = txnEnded
		t.end()
		return 0, err
	}
	t.state = txnCommitted
	for _, f := range t.onCommit {
		f(ts)
	}
	t.end()
	return ts, nil
}

// commitBatch commits the writes in memory as one batch.
func (t *transaction) commitBatch() (Timestamp, error) {
	if mutantEarlyUnlock {
		t.owner.releaseAfter(0)
	}
	begin := t.m.oracle.begin
	if t.hasBulk() {
		begin = t.m.oracle.beginPair
	}
	slot, err := begin()
	if err != nil {
		return 0, err
	}
	t.stamped(slot.ts)
	add := t.prepareBulk(slot.ts)
	b := t.m.eng.NewBatch(int(t.writes.bytes) - (writeOverheadBytes-32)*len(t.writes.log))
	var stale []staleKey
	ts := engine.Timestamp(slot.ts)
	err = t.writes.ascend(func(x *write) error {
		// Over a row of a segment alone there is nothing to collect but tombstones.
		if x.overwrites && (x.del || !t.m.eng.Lacks(x.key)) {
			k := staleKey{key: x.key, ts: slot.ts}
			if known := t.locked.find(x.key); known != nil && !x.del {
				k.old = known.ts
			}
			stale = append(stale, k)
		}
		if x.del {
			return b.DeleteMoved(x.key, x.value, ts)
		}
		return b.Put(x.key, x.value, ts)
	})
	for _, r := range add.records() {
		if err == nil {
			err = b.LocalSet(r.Key, r.Value)
		}
	}
	if err == nil && t.state == txnPrepared {
		err = t.deleteRecord(b)
	}
	if err != nil {
		add.done(false)
		b.Close()
		t.m.oracle.finish(slot)
		return 0, err
	}
	if mutantEarlyVisible {
		t.m.oracle.finish(slot)
	}
	if err := b.Commit(true); err != nil {
		// The engine has failed and answers no read any more, so it does no harm that
		// the slot counts as visible; others wait for it to pass.
		add.lost()
		t.m.oracle.finish(slot)
		return 0, unknownOutcome(err)
	}
	t.m.commits.Add(1)
	add.done(true)
	if !mutantEarlyVisible {
		t.m.oracle.finish(slot)
	}
	t.m.gc.add(stale)
	return slot.ts, nil
}

// stamped tells SERIALIZABLE the timestamp before the commit is visible.
func (t *transaction) stamped(ts Timestamp) {
	if t.sx != nil {
		t.m.ssi.stamped(t.sx, ts)
	}
}

// unknownOutcome is the report of a commit whose record may or may not be on disk.
func unknownOutcome(err error) error {
	return pgerror.Wrap(err, "08007", "the outcome of the transaction is unknown: %v", err)
}
