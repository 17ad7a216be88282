package txn

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Branches implements Participant over a Manager: the node's parts of
// transactions that coordinators drive. Snapshots, statement numbers, sequence
// numbers and commit timestamps come from them.
//
// A branch is made by the first call that writes or locks; reads of transactions
// without one go straight to the store.
type Branches struct {
	m *Manager
	// records asks other nodes for transaction records (recovery).
	records func(node NodeID) (Participant, error)
	// serializer gets the notes of SERIALIZABLE fragments.
	serializer Serializer

	mu sync.Mutex
	// open by transaction.
	open map[ID]*branch
	// ended remembers transactions whose branch here has ended, or was to end before it
	// was made, so that a late call does not make it anew: those of this period
	// and of the one before.
	ended      [2]map[ID]struct{}
	endedSince time.Time

	// decide64 orders what reads and writes the record of a transaction, by ID.
	decide64 [64]sync.Mutex
}

// branch is one transaction's part.
type branch struct {
	mu       sync.Mutex // one call at a time
	since    Timestamp  // the horizon when it was made: it commits above
	b        Branch
	t        *transaction
	prepared bool
	applied  bool
	held     bool   // by PREPARE TRANSACTION
	gone     bool   // ended while a call waited for mu
	cuts     uint64 // Branch.Cuts of the newest call
	record   NodeID
}

var _ Participant = (*Branches)(nil)

// NewBranches makes the participant of m's node and recovers the intents it
// finds: they stay until Resolve has settled them. records reaches other nodes.
func NewBranches(m *Manager, records func(NodeID) (Participant, error)) (*Branches, error) {
	p := &Branches{m: m, records: records, open: map[ID]*branch{}}
	if err := p.recover(); err != nil {
		return nil, err
	}
	if err := p.unfenceAll(); err != nil {
		return nil, err
	}
	m.branches.Store(p)
	return p, nil
}

// SetSerializer says where fragments of SERIALIZABLE transactions leave their notes.
// It comes before the first fragment.
func (p *Branches) SetSerializer(s Serializer) { p.serializer = s }

// BranchLost is the SQLSTATE of a call for a branch that is not there any more.
const BranchLost = pgerror.ConnectionDoesNotExist

// lost is its report.
func lost(id ID) error {
	return pgerror.New(BranchLost, "the part of transaction %d on a storage node is lost", id).
		WithHint("The transaction might succeed if retried.")
}

// with runs f on the branch, made when it does not exist yet. A call that its caller
// has given up does nothing.
func (p *Branches) with(ctx context.Context, b Branch, at ReadAt, f func(x *branch) error) error {
	p.mu.Lock()
	x := p.open[b.Txn]
	if x == nil {
		if b.Begun || p.hasEnded(b.Txn) {
			p.mu.Unlock()
			return lost(b.Txn)
		}
		x = &branch{b: b, t: newTransaction(p.m, Options{Isolation: b.Isolation, ProcessID: b.ProcessID}), since: p.m.oracle.bound()}
		x.t.external = true
		x.t.idOnce.Do(func() { x.t.id.Store(uint64(b.Txn)) })
		p.open[b.Txn] = x
	}
	p.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return lost(b.Txn)
	}
	if ctx.Err() != nil { // whoever called may have rolled back what this would do
		return contextError(ctx)
	}
	if err := x.hear(b); err != nil {
		return err
	}
	if at.Snapshot != 0 {
		if x.held {
			return lost(b.Txn)
		}
		x.t.stmt = at.Statement
		x.t.snap = &snapshot{ts: at.Snapshot, refs: 1}
	}
	return f(x)
}

// hear takes note of the call's number of rollbacks, and refuses a call from before the
// last one. REQUIRES: x.mu held.
func (x *branch) hear(b Branch) error {
	if b.Cuts < x.cuts { // nobody waits for the answer
		return pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request").WithDetail("What the call belongs to has been rolled back.")
	}
	x.cuts = b.Cuts
	return nil
}

// endedPeriod is how long ended transactions are remembered at least. Connections that
// deliver nothing are closed much sooner (keepalive), with the calls that they hold.
const endedPeriod = 30 * time.Second

// hasEnded reports whether the transaction's branch here has ended. REQUIRES: p.mu held.
func (p *Branches) hasEnded(id ID) bool {
	_, now := p.ended[0][id]
	_, before := p.ended[1][id]
	return now || before
}

// noteEnd remembers that a branch has ended. REQUIRES: p.mu held.
func (p *Branches) noteEnd(id ID) {
	if now := time.Now(); now.Sub(p.endedSince) > endedPeriod || p.ended[0] == nil {
		p.ended[0], p.ended[1], p.endedSince = map[ID]struct{}{}, p.ended[0], now
	}
	p.ended[0][id] = struct{}{}
}

// find is the branch of a transaction, nil when there is none.
func (p *Branches) find(id ID) *branch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[id]
}

// reader is what a read of b goes through.
func (p *Branches) reader(b Branch) (*transaction, error) {
	if x := p.find(b.Txn); x != nil {
		return x.t, nil
	}
	if b.Begun {
		return nil, lost(b.Txn)
	}
	return &transaction{m: p.m, external: true}, nil
}

// Get implements Participant.
func (p *Branches) Get(_ context.Context, b Branch, at ReadAt, key []byte) ([]byte, bool, error) {
	t, err := p.reader(b)
	if err != nil {
		return nil, false, err
	}
	return t.get(key, at.Snapshot, at.Statement, nil)
}

// manyBytesMax is how much GetMany answers at a time.
const manyBytesMax = 1 << 20

// GetMany implements Participant.
func (p *Branches) GetMany(ctx context.Context, b Branch, at ReadAt, keys [][]byte) ([][]byte, error) {
	t, err := p.reader(b)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, len(keys))
	size := 0
	for i, k := range keys {
		v, ok, err := t.get(k, at.Snapshot, at.Statement, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case !ok:
			v = nil
		case v == nil:
			v = []byte{}
		default:
			v = bytes.Clone(v)
		}
		out = append(out, v)
		if size += len(v); size > manyBytesMax {
			break
		}
		if i%256 == 255 && ctx.Err() != nil {
			return nil, contextError(ctx)
		}
	}
	return out, nil
}

// NewIter iterates as Scan pages, for coordinators in the same process.
func (p *Branches) NewIter(ctx context.Context, b Branch, at ReadAt, o IterOptions) (Iter, error) {
	t, err := p.reader(b)
	if err != nil {
		return nil, err
	}
	return t.newIter(ctx, o, at.Snapshot, at.Statement)
}

// Scan implements Participant.
func (p *Branches) Scan(ctx context.Context, b Branch, at ReadAt, s ScanPage) (Page, error) {
	it, err := p.NewIter(ctx, b, at, IterOptions{Lower: s.Lower, Upper: s.Upper, Reverse: s.Reverse, CommittedOnly: s.CommittedOnly})
	if err != nil {
		return Page{}, err
	}
	defer it.Close()
	var out Page
	size := 0
	for it.Next() {
		k, v := bytes.Clone(it.Key()), bytes.Clone(it.Value())
		out.Keys, out.Values = append(out.Keys, k), append(out.Values, v)
		if size += len(k) + len(v); len(out.Keys) >= s.RowsMax || size >= s.BytesMax {
			out.More = true
			break
		}
		if len(out.Keys)%1024 == 0 && ctx.Err() != nil {
			return Page{}, contextError(ctx)
		}
	}
	if err := it.Err(); err != nil {
		return Page{}, err
	}
	return out, nil
}

// Own implements Participant.
func (p *Branches) Own(_ context.Context, b Branch, key []byte) (bool, error) {
	t, err := p.reader(b)
	if err != nil {
		return false, err
	}
	return t.WroteKey(key)
}

// Lock implements Participant.
func (p *Branches) Lock(ctx context.Context, b Branch, at ReadAt, l LockCall) ([]Newest, error) {
	var out []Newest
	err := p.with(ctx, b, at, func(x *branch) error {
		t := x.t
		if err := t.writeAll(ctx, l.Writes); err != nil {
			return err
		}
		if l.OwnSnapshot != 0 {
			t.outer = &snapshot{ts: l.OwnSnapshot, refs: 1}
			defer func() { t.outer = nil }()
		}
		t.SetLockTimeout(l.Timeout)
		for i, k := range l.Keys {
			t.seq = l.Seq + uint64(i)*LockSeqStep - 1
			var n Newest
			var err error
			switch l.Kind {
			case LockKindRow:
				n, err = t.LockRow(ctx, k, l.Strength, l.Policy)
			case LockKindKey:
				n, err = t.LockKey(ctx, k, l.Strength, l.Policy)
			case LockKindUnique:
				if l.Policy == WaitSkip {
					n, err = t.lock(ctx, k, LockUpdate, WaitSkip)
				} else {
					n, err = t.LockUnique(ctx, k)
				}
			default:
				err = pgerror.Internal("unknown lock kind %d", l.Kind)
			}
			if err != nil {
				return err
			}
			out = append(out, n)
		}
		return nil
	})
	return out, err
}

// writeAll adds provisional writes with the coordinator's numbers, which ascend. Those that
// are here come again when the answer to a call has not reached the coordinator.
func (t *transaction) writeAll(ctx context.Context, w []BranchWrite) error {
	for i := range w {
		x := &w[i]
		if x.Seq <= t.wrote {
			continue
		}
		t.seq, t.wrote = x.Seq, x.Seq
		t.writes.put(x.Key, x.Value, x.Delete, !x.New, x.Statement, x.Seq)
		if t.writes.bytes > t.m.cfg.SpillBytes {
			if err := t.spillWrites(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Write implements Participant.
func (p *Branches) Write(ctx context.Context, b Branch, at ReadAt, w []BranchWrite) error {
	return p.with(ctx, b, at, func(x *branch) error {
		x.t.prepareOwner()
		return x.t.writeAll(ctx, w)
	})
}

// LockRelation implements Participant.
func (p *Branches) LockRelation(ctx context.Context, b Branch, id uint64, mode RelationLock, policy WaitPolicy, seq uint64, timeout time.Duration) error {
	return p.with(ctx, b, ReadAt{}, func(x *branch) error {
		x.t.seq = seq - 1
		x.t.SetLockTimeout(timeout)
		return x.t.LockRelation(ctx, id, mode, policy)
	})
}

// RollbackTo implements Participant.
func (p *Branches) RollbackTo(_ context.Context, b Branch, seq uint64) error {
	x := p.find(b.Txn)
	if x == nil {
		if b.Begun {
			return lost(b.Txn)
		}
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return lost(b.Txn)
	}
	if err := x.hear(b); err != nil {
		return err
	}
	return x.t.RollbackTo(Savepoint{Seq: seq})
}

// Release implements Participant.
func (p *Branches) Release(_ context.Context, b Branch) error {
	p.end(b.Txn)
	return nil
}

// Abort implements Participant.
func (p *Branches) Abort(_ context.Context, b Branch) error {
	x := p.find(b.Txn)
	if x == nil {
		p.end(b.Txn)
		return nil
	}
	x.mu.Lock()
	prepared := x.prepared && !x.applied
	x.mu.Unlock()
	if prepared {
		if err := p.dropIntents(b.Txn); err != nil {
			return err
		}
	}
	p.end(b.Txn)
	return p.unfence(b.Txn)
}

// end forgets a branch and gives its locks back.
func (p *Branches) end(id ID) {
	p.mu.Lock()
	x := p.open[id]
	delete(p.open, id)
	p.noteEnd(id)
	p.mu.Unlock()
	if x == nil {
		return
	}
	p.m.cancelWait(id, lost(id)) // or the call that waits would hold the latch
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone = true
	x.t.state = txnEnded
	x.t.end()
}

// Locks implements Participant.
func (p *Branches) Locks(context.Context) ([]LockInfo, error) { return p.m.Locks(), nil }

// Waits implements Participant.
func (p *Branches) Waits(context.Context) ([]Wait, error) { return p.m.waitEdges(), nil }

// CancelWait implements Participant.
func (p *Branches) CancelWait(_ context.Context, id ID, err error) error {
	p.m.cancelWait(id, err)
	return nil
}

// ReadNow implements Participant.
func (p *Branches) ReadNow(ctx context.Context, key []byte) ([]byte, error) {
	return p.m.ReadNow(ctx, key)
}

// SwapNow implements Participant.
func (p *Branches) SwapNow(ctx context.Context, key, old, value []byte) (now []byte, ok bool, err error) {
	err = p.m.UpdateNow(ctx, key, func(v []byte) ([]byte, error) {
		if (v == nil) != (old == nil) || !bytes.Equal(v, old) {
			now = bytes.Clone(v)
			return nil, errChanged
		}
		ok = true
		return value, nil
	})
	if err == errChanged {
		err = nil
	}
	return now, ok, err
}

var errChanged = pgerror.Internal("the value has changed")

// SyncNow implements Participant.
func (p *Branches) SyncNow(context.Context) error { return p.m.eng.Sync() }

// EndGateway implements Participant.
func (p *Branches) EndGateway(ctx context.Context, gateway NodeID) error {
	p.mu.Lock()
	var mine []*branch
	for _, x := range p.open {
		if x.b.Gateway == gateway {
			mine = append(mine, x)
		}
	}
	p.mu.Unlock()
	for _, x := range mine {
		if err := p.settle(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// Resolve settles every branch with intents, as their records say. A node calls
// it before it serves anything.
func (p *Branches) Resolve(ctx context.Context) error {
	p.mu.Lock()
	var prepared []*branch
	for _, x := range p.open {
		if x.prepared {
			prepared = append(prepared, x)
		}
	}
	p.mu.Unlock()
	for _, x := range prepared {
		if err := p.settle(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// settle ends a branch whose coordinator is gone.
func (p *Branches) settle(ctx context.Context, x *branch) error {
	p.m.cancelWait(x.b.Txn, lost(x.b.Txn))
	x.mu.Lock()
	prepared, record, applied := x.prepared, x.record, x.applied
	b := x.b
	b.Cuts = x.cuts
	x.mu.Unlock()
	if !prepared || applied {
		// Without intents here nothing was promised: either it is the only participant,
		// and its commit is one batch that has or has not happened, or it never prepared.
		p.end(x.b.Txn)
		return p.unfence(x.b.Txn)
	}
	var at Participant = p // 0: the record of a sole participant is here
	if record != 0 {
		var err error
		if at, err = p.records(record); err != nil {
			return err
		}
	}
	ts, state, err := at.Outcome(ctx, x.b.Txn, true)
	if err != nil {
		return err
	}
	if state == OutcomePrepared {
		return nil
	}
	if state == OutcomeCommitted {
		if err := p.Apply(ctx, b, ts); pgerror.Is(err, BranchLost) {
			return nil // who has decided has ended it meanwhile
		} else if err != nil {
			return err
		}
		return p.Release(ctx, b)
	}
	return p.Abort(ctx, b)
}
