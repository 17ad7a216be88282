package txn

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/columns"
)

// Two-phase commit as PostgreSQL's users see it: PREPARE TRANSACTION makes all that a
// transaction has done durable without deciding it, under a name of the user's; who may
// finishes it by the name, in any session, after any number of restarts. Until then it
// keeps its locks (rows, tables, advisory ones of the transaction) and its notes of
// SERIALIZABLE, and holds up nothing else: it reads no more, so its snapshot goes.
//
// A prepared transaction is the object that it was, without a session. What a restart
// needs to make it anew is in its record (twophase_record.go), written before PREPARE is
// acknowledged and deleted in the batch that commits or rolls back.
//
// Over several nodes the first node keeps the name and what belongs to it, and the nodes
// keep the branches (prepared_service.go).

// TwoPhase is a DB whose transactions can be prepared. Those that it begins are Preparers.
type TwoPhase interface {
	DB
	// Prepared lists the prepared transactions, oldest first.
	Prepared(ctx context.Context) ([]PreparedInfo, error)
	// ClaimPrepared takes the prepared transaction of a name to finish it; nobody else can
	// meanwhile. allowed is asked first. Errors: 42704, 55000, those of allowed.
	ClaimPrepared(ctx context.Context, gid string, allowed func(*PreparedInfo) error) (ClaimedTxn, error)
}

// ClaimedTxn is a prepared transaction that somebody has claimed. One goroutine has it.
type ClaimedTxn interface {
	// Info describes the transaction.
	Info() PreparedInfo
	// Recovered tells that this process has not prepared it: what Txn.OnCommit was given
	// then is forgotten.
	Recovered() bool
	// OnCommit is Txn.OnCommit.
	OnCommit(f func(ts Timestamp))
	// Release gives up the claim.
	Release()
	// Commit commits, and ends the claim. After an error the transaction is still prepared,
	// but for 08007: the outcome is unknown.
	Commit(ctx context.Context) (Timestamp, error)
	// Rollback rolls back, and ends the claim. After an error the transaction is still prepared.
	Rollback(ctx context.Context) error
}

// Preparer is a Txn that can be prepared.
type Preparer interface {
	Txn
	// Prepare prepares the transaction, which then is not the caller's any more; after an
	// error it is rolled back. locks are the advisory ones of the session, nil for none: the
	// transaction's go with it. Errors: 42710, 53200, 55000, 40001, 0A000; 08007: the outcome is unknown.
	Prepare(ctx context.Context, p PreparedInfo, locks SessionLocks) error
}

// PreparedInfo is what is known of a prepared transaction.
type PreparedInfo struct {
	Txn             ID // Prepare fills it in
	GID             string
	Owner, Database uint32
	Time            time.Time
	// Backend is the process number of the session that prepared it, −1 when that was
	// before the last start. Prepare fills it in.
	Backend int32
	// Note is the caller's, given back with the transaction.
	Note []byte
}

var (
	_ TwoPhase   = (*Manager)(nil)
	_ ClaimedTxn = (*PreparedTxn)(nil)
	_ Preparer   = (*transaction)(nil)
)

// preparedMemoryMax is how much of a prepared transaction's writes stays in memory.
const preparedMemoryMax = 4 << 20

// preparedSet are the prepared transactions of a manager, by name.
type preparedSet struct {
	mu    sync.Mutex
	byGID map[string]*PreparedTxn
	// decided have committed on this node, the first one, and not on all yet; since the start.
	decided []*PreparedTxn
	// forgone are those of several nodes that are not to be prepared any more.
	forgone recent[ID]
}

// PreparedTxn is a prepared transaction of a Manager, as who has claimed it sees it.
type PreparedTxn struct {
	m    *Manager
	t    *transaction
	info PreparedInfo
	// recovered: made anew by a start.
	recovered bool
	// claimed: being prepared, or finished. Guarded by preparedSet.mu.
	claimed bool
	// hosted is set for a transaction of several nodes, of which t has what the first node
	// keeps beside its branch.
	hosted *hostedPrepared
}

// reserve takes a name for a transaction that is about to be prepared.
func (m *Manager) reserve(p *PreparedTxn) error {
	s := &m.prepared
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.cfg.PreparedMax == 0:
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "prepared transactions are disabled").
			WithHint("Set max_prepared_transactions to a nonzero value.")
	case s.byGID[p.info.GID] != nil:
		return pgerror.New(pgerror.DuplicateObject, `transaction identifier "%s" is already in use`, p.info.GID)
	case len(s.byGID) >= m.cfg.PreparedMax:
		return pgerror.New(pgerror.OutOfMemory, "maximum number of prepared transactions reached").
			WithHint("Increase max_prepared_transactions (currently %d).", m.cfg.PreparedMax)
	}
	s.byGID[p.info.GID] = p
	return nil
}

// drop gives a name back.
func (s *preparedSet) drop(p *PreparedTxn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byGID, p.info.GID)
}

// each visits the transactions that are prepared, in no order.
func (s *preparedSet) each(f func(p *PreparedTxn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.byGID {
		if p.info.Txn != 0 {
			f(p)
		}
	}
}

// Prepared implements TwoPhase.
func (m *Manager) Prepared(context.Context) (out []PreparedInfo, err error) {
	m.prepared.each(func(p *PreparedTxn) { out = append(out, p.info) })
	slices.SortFunc(out, func(a, b PreparedInfo) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Txn, b.Txn))
	})
	return out, nil
}

// ClaimPrepared implements TwoPhase.
func (m *Manager) ClaimPrepared(_ context.Context, gid string, allowed func(*PreparedInfo) error) (ClaimedTxn, error) {
	p, err := m.claim(gid, allowed)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (m *Manager) claim(gid string, allowed func(*PreparedInfo) error) (*PreparedTxn, error) {
	s := &m.prepared
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byGID[gid]
	switch {
	case p == nil:
		return nil, pgerror.New(pgerror.UndefinedObject, `prepared transaction with identifier "%s" does not exist`, gid)
	case p.claimed:
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, `prepared transaction with identifier "%s" is busy`, gid)
	}
	if err := allowed(&p.info); err != nil {
		return nil, err
	}
	p.claimed = true
	return p, nil
}

// release gives up a claim: the transaction stays prepared.
func (p *PreparedTxn) release() {
	p.m.prepared.mu.Lock()
	defer p.m.prepared.mu.Unlock()
	p.claimed = false
}

// Prepare implements Preparer. The order matters: nothing is promised before the record is durable, and no lock
// changes hands before.
func (t *transaction) Prepare(ctx context.Context, info PreparedInfo, locks SessionLocks) error {
	if err := t.usable(); err != nil {
		return err
	}
	advisory, _ := locks.(*AdvisoryLocks) // as every one of a Manager
	fail := func(err error) error {
		t.state = txnEnded
		t.end()
		return err
	}
	if t.sx != nil {
		if err := t.m.ssi.prepare(t.sx); err != nil {
			return fail(err)
		}
	}
	p := &PreparedTxn{m: t.m, t: t, info: info, claimed: true}
	if err := t.m.reserve(p); err != nil {
		return fail(err)
	}
	t.prepareOwner()
	err := t.m.eng.Room(int64(t.writes.bytes))
	if err == nil && ctx.Err() != nil {
		err = contextError(ctx)
	}
	if err == nil {
		err = t.closeEntries(ctx)
	}
	if b := t.bulk.Load(); err == nil && b != nil {
		err = b.settle(noStatement)
	}
	if err == nil && advisory != nil {
		err = advisory.preparable()
	}
	id := t.ID()
	if err == nil {
		err = t.writeRecord(ctx, id, &info, advisory)
	}
	if err != nil {
		t.m.prepared.drop(p)
		return fail(err)
	}
	pid := t.owner.pid
	t.detach(advisory)
	if t.writes.bytes > preparedMemoryMax {
		_ = t.spillWrites(context.WithoutCancel(ctx)) // else they stay where they are
	}
	t.m.prepared.mu.Lock()
	defer t.m.prepared.mu.Unlock()
	p.info.Txn, p.info.Backend, p.claimed = id, pid, false
	return nil
}

// detach takes a transaction from its session.
func (t *transaction) detach(advisory *AdvisoryLocks) {
	t.state = txnPrepared
	if b := t.bulk.Load(); b != nil {
		b.store.Prepared(b.segments())
	}
	if advisory != nil {
		advisory.handOver(t)
	}
	t.m.waits.mu.Lock()
	t.owner.pid = 0
	if t.owner.session != nil {
		t.owner.session.txn, t.owner.session = nil, nil
	}
	t.m.waits.mu.Unlock()
	if t.sx != nil {
		t.m.ssi.detach(t.sx)
	}
	for _, s := range []**snapshot{&t.snap, &t.outer} {
		if *s != nil {
			t.m.oracle.unpin(*s)
			*s = nil
		}
	}
	t.rels, t.locked = nil, lockedVersions{}
}

// segments are the provisional segments. REQUIRES: all rows are in them.
func (b *bulkWrites) segments() []*columns.Segment {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*columns.Segment, len(b.segs))
	for i, g := range b.segs {
		out[i] = g.Segment
	}
	return out
}

// Info implements ClaimedTxn.
func (p *PreparedTxn) Info() PreparedInfo { return p.info }

// Recovered implements ClaimedTxn.
func (p *PreparedTxn) Recovered() bool { return p.recovered }

// OnCommit implements ClaimedTxn.
func (p *PreparedTxn) OnCommit(f func(ts Timestamp)) { p.t.onCommit = append(p.t.onCommit, f) }

// Release implements ClaimedTxn.
func (p *PreparedTxn) Release() { p.release() }

// Commit implements ClaimedTxn.
func (p *PreparedTxn) Commit(ctx context.Context) (Timestamp, error) {
	t, m := p.t, p.m
	err := m.eng.Room(int64(t.writes.bytes))
	if err == nil && ctx.Err() != nil {
		err = contextError(ctx)
	}
	var ts Timestamp
	switch {
	case err != nil:
	case !t.HasWrites():
		ts = m.oracle.fresh()
		err = t.commitNothing()
	case t.spill.Load() != nil:
		ts, err = t.commitBulk(ctx)
	default:
		ts, err = t.commitBatch()
	}
	if err != nil {
		if t.sx != nil {
			m.ssi.stamped(t.sx, 0)
		}
		p.release()
		return 0, err
	}
	t.state = txnCommitted
	for _, f := range t.onCommit {
		f(ts)
	}
	t.end()
	m.prepared.drop(p)
	return ts, nil
}

// commitNothing commits a prepared transaction without writes: its record goes.
func (t *transaction) commitNothing() error {
	b := t.m.eng.NewBatch(0)
	if err := t.deleteRecord(b); err != nil {
		b.Close()
		return err
	}
	if err := b.Commit(true); err != nil {
		return unknownOutcome(err)
	}
	return nil
}

// Rollback implements ClaimedTxn.
func (p *PreparedTxn) Rollback(context.Context) error {
	t, m := p.t, p.m
	b := m.eng.NewBatch(0)
	err := t.deleteRecord(b)
	bulk := t.bulk.Load()
	if bulk != nil {
		for _, k := range bulk.store.PreparedRecordKeys(bulk.segments()) {
			if err == nil {
				err = b.LocalDelete(k)
			}
		}
	}
	if err != nil {
		b.Close()
		p.release()
		return err
	}
	if err := b.Commit(true); err != nil {
		p.release()
		return unknownOutcome(err)
	}
	if bulk != nil {
		bulk.store.Unprepare(bulk.segments())
	}
	t.state = txnEnded
	t.end()
	m.prepared.drop(p)
	return nil
}

// closePrepared gives back what prepared transactions have open. REQUIRES: nobody does anything any more.
func (m *Manager) closePrepared() {
	var all []*transaction
	m.prepared.each(func(p *PreparedTxn) { all = append(all, p.t) })
	for _, t := range all {
		if b := t.bulk.Load(); b != nil {
			b.store.Discard(b.segments()...) // their records keep the files
		}
		if s := t.spill.Load(); s != nil {
			s.discard()
		}
	}
}
