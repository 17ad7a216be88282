package txn

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// transaction implements Txn over a Manager.
type transaction struct {
	m     *Manager
	opts  Options
	state txnState
	// external: a branch, whose snapshots come from its coordinator and are not
	// pinned here.
	external bool

	stmt  uint32
	seq   uint64 // of the last write or lock
	wrote uint64 // seq of the last write
	snap  *snapshot
	outer *snapshot // the transaction's own, while ReadNewest has put a newer one in snap

	owner  lockOwner
	locked lockedVersions
	writes writeBuffer
	spill  atomic.Pointer[spilled]    // nil until the writes outgrow memory
	bulk   atomic.Pointer[bulkWrites] // nil until rows are inserted in bulk
	rels   []heldRelation
	sx     *sxact // SERIALIZABLE, from the first snapshot on; nil when it is safe

	lockTimeout, deadlockTimeout time.Duration
	onCommit                     []func(ts Timestamp)

	idOnce sync.Once
	id     atomic.Uint64

	recordChunks uint32 // of a prepared one's record
}

type txnState uint8

const (
	txnActive txnState = iota
	txnCommitted
	txnEnded    // rolled back, or its commit failed
	txnPrepared // two-phase commit: not a session's any more
)

// heldRelation remembers a relation lock, to skip the lock table.
type heldRelation struct {
	id   uint64
	mask uint16
	seq  uint64
}

func newTransaction(m *Manager, opts Options) *transaction {
	return &transaction{m: m, opts: opts}
}

func (t *transaction) ID() ID {
	t.idOnce.Do(func() { t.id.Store(uint64(t.m.nextID())) })
	return ID(t.id.Load())
}

func (t *transaction) Options() Options  { return t.opts }
func (t *transaction) Statement() uint32 { return t.stmt }

func (t *transaction) NextCommand() {
	_ = t.closeEntries(context.Background()) // kept: reads and the commit fail
	t.stmt++
}

func (t *transaction) HasWrites() bool {
	if t.writes.len() > 0 || t.spill.Load() != nil {
		return true
	}
	b := t.bulk.Load()
	return b != nil && b.any()
}

func (t *transaction) BeginStatement() {
	t.NextCommand()
	if t.snap != nil && t.opts.Isolation != ReadCommitted {
		return
	}
	old := t.snap
	t.takeSnapshot()
	if old != nil {
		t.m.oracle.unpin(old)
	}
}

func (t *transaction) Snapshot() Timestamp {
	if t.snap == nil {
		return t.m.oracle.fresh()
	}
	return t.snap.ts
}

func (t *transaction) FreshSnapshot() Timestamp { return t.m.oracle.fresh() }

func (t *transaction) ReadNewest() (done func()) {
	if t.opts.Isolation == ReadCommitted || t.outer != nil || t.usable() != nil {
		return func() {}
	}
	t.outer = t.snapshotInForce()
	t.snap = t.m.oracle.pin()
	return func() {
		if t.outer != nil { // else the transaction has ended
			t.m.oracle.unpin(t.snap)
			t.snap, t.outer = t.outer, nil
		}
	}
}

// takeSnapshot takes the newest snapshot.
func (t *transaction) takeSnapshot() {
	if t.opts.Isolation == Serializable && !t.external {
		t.sx = t.m.ssi.begin(t.ID(), t.opts, func() Timestamp {
			t.snap = t.m.oracle.pin()
			return t.snap.ts
		})
		return
	}
	t.snap = t.m.oracle.pin()
}

// AwaitSafeSnapshot implements Txn.
func (t *transaction) AwaitSafeSnapshot(ctx context.Context) error {
	if o := t.opts; o.Isolation != Serializable || !o.ReadOnly || !o.Deferrable || t.external || t.snap != nil {
		return nil
	}
	for {
		t.takeSnapshot()
		if t.sx == nil {
			return nil
		}
		safe, err := t.m.ssi.await(ctx, t.sx)
		if err != nil || safe {
			return err
		}
		t.m.ssi.end(t.sx, false)
		t.m.oracle.unpin(t.snap)
		t.sx, t.snap = nil, nil
	}
}

// PredicateRead implements RowTxn.
func (t *transaction) PredicateRead(lower, upper []byte) error {
	if t.sx == nil || t.outer != nil || mutantNoPredicates || mutantNoRanges && upper != nil {
		return nil
	}
	return t.m.ssi.read(t.sx, lower, upper)
}

// PredicateWrite implements RowTxn.
func (t *transaction) PredicateWrite(key []byte) error {
	if t.sx == nil {
		return nil
	}
	return t.m.ssi.write(t.sx, key, false)
}

// snapshotInForce takes a snapshot where no statement was begun.
func (t *transaction) snapshotInForce() *snapshot {
	if t.snap == nil && t.external {
		t.snap = &snapshot{refs: 1} // locks on relations alone look at no rows
	}
	if t.snap == nil {
		t.takeSnapshot()
		if t.stmt == 0 {
			t.stmt = 1
		}
	}
	return t.snap
}

func (t *transaction) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	if err := t.usable(); err != nil {
		return nil, false, err
	}
	s := t.snapshotInForce()
	return t.get(key, s.ts, t.stmt, nil)
}

// GetInto implements RowTxn.
func (t *transaction) GetInto(_ context.Context, key, buf []byte) ([]byte, bool, error) {
	if err := t.usable(); err != nil {
		return nil, false, err
	}
	s := t.snapshotInForce()
	return t.getInto(key, s.ts, t.stmt, buf)
}

// GetColumns implements RowTxn.
func (t *transaction) GetColumns(_ context.Context, key, buf []byte, atts []int) ([]byte, bool, error) {
	if err := t.usable(); err != nil {
		return nil, false, err
	}
	s := t.snapshotInForce()
	if w, err := t.own(key, t.stmt); err != nil || w != nil {
		if err != nil || w.del {
			return nil, false, err
		}
		return append(buf, w.value...), true, nil
	}
	v, _, found, deleted, err := t.m.eng.GetColumns(key, engine.Timestamp(s.ts), buf, atts)
	if err != nil || !found || deleted {
		return nil, false, err
	}
	return v, true, nil
}

func (t *transaction) getInto(key []byte, at Timestamp, stmt uint32, buf []byte) ([]byte, bool, error) {
	if w, err := t.own(key, stmt); err != nil || w != nil {
		if err != nil || w.del {
			return nil, false, err
		}
		return append(buf, w.value...), true, nil
	}
	return t.committed(key, at, buf)
}

// own is the transaction's newest write to key by a statement before stmt, nil for none.
func (t *transaction) own(key []byte, stmt uint32) (*write, error) {
	// Memory first: what leaves it is in a run before.
	w := t.writes.newest(key, stmt)
	if w != nil {
		return w, nil
	}
	if s := t.spill.Load(); s != nil {
		if w, err := s.newest(key, stmt); w != nil || err != nil {
			return w, err
		}
	}
	if b := t.bulk.Load(); b != nil {
		return b.newest(key, stmt)
	}
	return nil, nil
}

// get reads key at a timestamp with the own writes of statements before stmt over it.
// A committed value is appended to buf.
func (t *transaction) get(key []byte, at Timestamp, stmt uint32, buf []byte) ([]byte, bool, error) {
	if w, err := t.own(key, stmt); err != nil || w != nil {
		if err != nil {
			return nil, false, err
		}
		return w.value, !w.del, nil
	}
	return t.committed(key, at, buf)
}

// committed is the version of key at a timestamp, appended to buf.
func (t *transaction) committed(key []byte, at Timestamp, buf []byte) ([]byte, bool, error) {
	v, _, found, deleted, err := t.m.eng.Get(key, engine.Timestamp(at), buf)
	if err != nil || !found || deleted {
		return nil, false, err
	}
	return v, true, nil
}

func (t *transaction) LockRow(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error) {
	n, err := t.lock(ctx, key, s, policy)
	if err != nil || n.Skipped || t.opts.Isolation == ReadCommitted {
		return n, err
	}
	if t.outer != nil && s >= LockNoKeyUpdate && n.CommitTS > t.outer.ts {
		return n, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
	}
	if !n.Changed || mutantSecondUpdater {
		return n, nil
	}
	if n.Exists {
		return n, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
	}
	return n, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent delete")
}

func (t *transaction) LockKey(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error) {
	return t.lock(ctx, key, s, policy)
}

// lock takes a row lock and reads the newest version.
func (t *transaction) lock(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error) {
	if err := t.usable(); err != nil {
		return Newest{}, err
	}
	snap := t.snapshotInForce()
	t.seq++
	t.prepareOwner()
	out, err := t.m.rows.acquire(ctx, &t.owner, lockRequest{key: key, mode: lockMode(s), policy: policy, timeout: t.lockTimeout, deadlock: t.deadlockTimeout, seq: t.seq})
	if err != nil {
		return Newest{}, err
	}
	switch out {
	case lockSkipped:
		return Newest{Skipped: true}, nil
	case lockBusy:
		return Newest{}, pgerror.New(pgerror.LockNotAvailable, "could not obtain lock on row")
	}
	newest := engine.MaxTimestamp
	if mutantStaleLock {
		newest = engine.Timestamp(snap.ts)
	}
	var n Newest
	if known := t.locked.find(key); known != nil {
		n.CommitTS, n.Exists, n.Value = known.ts, true, known.value
		n.Changed = n.CommitTS > snap.ts
	} else {
		v, ts, found, deleted, err := t.m.eng.Get(key, newest, nil)
		if err != nil {
			return Newest{}, err
		}
		if found {
			n.CommitTS, n.Exists, n.Value = Timestamp(ts), !deleted, v
			n.Changed = n.CommitTS > snap.ts
			if n.Exists && s >= LockNoKeyUpdate {
				t.locked.add(key, v, n.CommitTS, t.seq)
			}
		}
	}
	w, err := t.own(key, math.MaxUint32)
	if err != nil {
		return Newest{}, err
	}
	if w != nil {
		n.Exists, n.Value, n.OwnStatement = !w.del, w.value, w.stmt
	}
	return n, nil
}

// prepareOwner names the lock owner before its first lock.
func (t *transaction) prepareOwner() {
	if t.owner.id != 0 {
		return
	}
	t.owner.id = t.ID()
	if t.owner.pid = t.opts.ProcessID; t.owner.pid == 0 {
		t.owner.pid = int32(t.owner.id)
	}
}

func (t *transaction) Put(ctx context.Context, key, value []byte) error {
	return t.write(ctx, key, value, false)
}

func (t *transaction) Delete(ctx context.Context, key []byte) error {
	return t.write(ctx, key, nil, true)
}

func (t *transaction) DeleteMoved(ctx context.Context, key, to []byte) error {
	return t.write(ctx, key, to, true)
}

func (t *transaction) write(ctx context.Context, key, value []byte, del bool) error {
	if err := t.usable(); err != nil {
		return err
	}
	t.snapshotInForce()
	if t.sx != nil {
		if err := t.m.ssi.write(t.sx, key, true); err != nil {
			return err
		}
	}
	t.seq++
	t.wrote = t.seq
	t.writes.put(key, value, del, true, t.stmt, t.seq)
	if t.writes.bytes > t.m.cfg.SpillBytes {
		return t.spillWrites(ctx)
	}
	return nil
}

// PutNew is Put for a key that has no version: the garbage collector need not
// look at it. REQUIRES: as Put, and LockKey found nothing, or the key was never used.
func (t *transaction) PutNew(ctx context.Context, key, value []byte) error {
	if err := t.usable(); err != nil {
		return err
	}
	t.snapshotInForce()
	if t.sx != nil {
		if err := t.m.ssi.write(t.sx, key, true); err != nil {
			return err
		}
	}
	t.seq++
	t.wrote = t.seq
	t.writes.put(key, value, false, false, t.stmt, t.seq)
	if t.writes.bytes > t.m.cfg.SpillBytes {
		return t.spillWrites(ctx)
	}
	return nil
}

func (t *transaction) WroteKey(key []byte) (bool, error) {
	w := t.writes.newest(key, noStatement)
	if s := t.spill.Load(); w == nil && s != nil {
		var err error
		if w, err = s.newest(key, noStatement); err != nil {
			return false, err
		}
	}
	if b := t.bulk.Load(); w == nil && b != nil {
		return b.holds(key)
	}
	return w != nil && !w.del, nil
}

func (t *transaction) LockRelation(ctx context.Context, id uint64, mode RelationLock, policy WaitPolicy) error {
	if err := t.usable(); err != nil {
		return err
	}
	lm := lockMode(mode - 1)
	for i := range t.rels {
		if t.rels[i].id == id && t.rels[i].mask&relationLockKind.covers[lm] != 0 {
			return nil
		}
	}
	t.seq++
	t.prepareOwner()
	k := relationKey(id)
	out, err := t.m.rels.acquire(ctx, &t.owner, lockRequest{key: k[:], mode: lm, policy: policy, timeout: t.lockTimeout, deadlock: t.deadlockTimeout, seq: t.seq})
	if err != nil {
		return err
	}
	if out != lockGranted {
		return pgerror.New(pgerror.LockNotAvailable, "could not obtain lock on relation %d", uint32(id))
	}
	t.rels = append(t.rels, heldRelation{id: id, mask: bit(lm), seq: t.seq})
	return nil
}

// HoldsRelation reports whether the transaction holds a lock on the relation that covers mode.
func (t *transaction) HoldsRelation(id uint64, mode RelationLock) bool {
	for i := range t.rels {
		if t.rels[i].id == id && t.rels[i].mask&relationLockKind.covers[mode-1] != 0 {
			return true
		}
	}
	return false
}

func (t *transaction) Savepoint() Savepoint {
	if b := t.bulk.Load(); b != nil {
		_ = t.closeEntries(context.Background()) // kept, as in NextCommand
		b.sealAll(noStatement)
	}
	return Savepoint{Statement: t.stmt, Seq: t.seq}
}

func (t *transaction) RollbackTo(sp Savepoint) error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.wrote > sp.Seq && !mutantKeptSavepoint {
		t.writes.cut(sp.Seq)
		if s := t.spill.Load(); s != nil {
			s.cut(sp.Seq, t.seq)
		}
		if b := t.bulk.Load(); b != nil {
			b.cut(sp.Seq)
		}
		t.wrote = sp.Seq
	}
	t.owner.releaseAfter(sp.Seq)
	t.locked.cut(sp.Seq)
	for n := len(t.rels); n > 0 && t.rels[n-1].seq > sp.Seq; n-- {
		t.rels = t.rels[:n-1]
	}
	return nil
}

func (t *transaction) Rollback() {
	if t.state != txnActive {
		return
	}
	t.state = txnEnded
	t.end()
}

// end gives everything back.
func (t *transaction) end() {
	if t.sx != nil { // before anybody who waited for a lock goes on
		t.m.ssi.end(t.sx, t.state == txnCommitted)
		t.sx = nil
	}
	if s := t.spill.Load(); s != nil {
		s.discard()
		t.spill.Store(nil)
	}
	if b := t.bulk.Load(); b != nil {
		t.m.rows.implicit.unregister(t)
		b.cut(0)
		t.bulk.Store(nil)
	}
	t.owner.releaseAfter(0)
	t.locked = lockedVersions{}
	if t.owner.session != nil {
		t.owner.session.Bind(nil)
	}
	t.rels = nil
	t.writes.reset()
	if t.external {
		t.snap, t.outer = nil, nil
		return
	}
	if t.snap != nil {
		t.m.oracle.unpin(t.snap)
		t.snap = nil
	}
	if t.outer != nil {
		t.m.oracle.unpin(t.outer)
		t.outer = nil
	}
}

func (t *transaction) OnCommit(f func(ts Timestamp)) { t.onCommit = append(t.onCommit, f) }

func (t *transaction) SetLockTimeout(d time.Duration) { t.lockTimeout = d }

// SetDeadlockTimeout implements DeadlockTimer.
func (t *transaction) SetDeadlockTimeout(d time.Duration) { t.deadlockTimeout = d }

func (t *transaction) usable() error {
	if t.state != txnActive {
		return pgerror.Internal("transaction %d used after its end", t.id.Load())
	}
	return nil
}
