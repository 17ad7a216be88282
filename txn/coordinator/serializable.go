package coordinator

import (
	"context"
	"math/rand/v2"

	"github.com/basaltdb/basalt/txn"
)

// SERIALIZABLE: the first node watches (txn.Serializer); transactions register there
// with their snapshot, and tell what they read and write. The commit's call to the
// oracle is the last check.

var _ txn.Noter = (*transaction)(nil)

// watched names the transaction.
func (t *transaction) watched() txn.SerialTxn {
	return txn.SerialTxn{Gateway: t.c.cfg.Self, Number: t.serial, Epoch: t.epoch}
}

// register is the oracle's Snapshot for a transaction that is to be watched.
func (t *transaction) register(ctx context.Context) (txn.SnapshotInfo, error) {
	id, err := t.ensureID(ctx)
	if err != nil {
		return txn.SnapshotInfo{}, err
	}
	t.serial = rand.Uint64() | 1 // no number of this gateway's last run either
	info, watched, err := t.c.cfg.Oracle.BeginSerializable(ctx, t.watched(), id, t.opts)
	if err != nil {
		t.endSerial() // perhaps it is known
		return info, err
	}
	if t.registered = true; !watched {
		t.serial = 0
	}
	return info, nil
}

// AwaitSafeSnapshot implements txn.Txn.
func (t *transaction) AwaitSafeSnapshot(ctx context.Context) error {
	if o := t.opts; o.Isolation != txn.Serializable || !o.ReadOnly || !o.Deferrable || t.snap != 0 || t.ended || t.snapErr != nil {
		return nil
	}
	for {
		if err := t.takeSnapshot(ctx); err != nil {
			return err
		}
		if t.serial == 0 {
			return nil
		}
		safe, err := t.c.cfg.Oracle.AwaitSafe(ctx, t.watched())
		if err != nil {
			return err
		}
		t.endSerial()
		if safe {
			return nil
		}
		t.pins.unpin(t.snap)
		t.snap, t.registered = 0, false
	}
}

// PredicateRead implements txn.RowTxn.
func (t *transaction) PredicateRead(lower, upper []byte) error {
	if t.serial == 0 || t.outer != 0 || !t.notes.Add(txn.NoteRead, lower, upper) && t.c.cfg.HoldNotes {
		return nil
	}
	return t.flushNotes()
}

// PredicateWrite implements txn.RowTxn.
func (t *transaction) PredicateWrite(key []byte) error {
	if t.serial == 0 {
		return nil
	}
	t.notes.Add(txn.NoteTouch, key, nil)
	return t.flushNotes()
}

// noteWrite notes a write.
func (t *transaction) noteWrite(ctx context.Context, kind txn.NoteKind, key []byte) error {
	if t.serial == 0 || !t.notes.Add(kind, key, nil) && t.c.cfg.HoldNotes {
		return nil
	}
	return t.FlushNotes(ctx)
}

// flushNotes is FlushNotes where there is no context.
func (t *transaction) flushNotes() error {
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	return t.FlushNotes(ctx)
}

// FlushNotes implements txn.Noter.
func (t *transaction) FlushNotes(ctx context.Context) error {
	if t.serial == 0 {
		return nil
	}
	return t.notes.Flush(ctx, t.c.cfg.Oracle, t.watched())
}

// commitSerial is the last check of a transaction that has written nothing, and its end.
func (t *transaction) commitSerial(ctx context.Context) error {
	if t.serial != 0 && t.notes.Safe() { // nothing depends on what it has read
		t.endSerial()
	}
	if t.serial == 0 {
		return nil
	}
	err := t.c.cfg.Oracle.EndSerializable(ctx, t.watched(), t.notes.Take(), true)
	if err == nil {
		t.serial = 0
	}
	return err
}

// endSerial takes back the registration of a transaction that does not commit, or that
// is safe.
func (t *transaction) endSerial() {
	if t.serial == 0 {
		return
	}
	x := t.watched()
	t.serial = 0
	t.notes.Take()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.c.ctx), t.c.cfg.EndWait)
	defer cancel()
	end := func(ctx context.Context) error { return t.c.cfg.Oracle.EndSerializable(ctx, x, nil, false) }
	if err := end(ctx); err != nil {
		t.c.retry("ending a SERIALIZABLE transaction", end)
	}
}
