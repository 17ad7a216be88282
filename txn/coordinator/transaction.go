package coordinator

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// transaction implements txn.RowTxn over the participants of its keys.
type transaction struct {
	c    *Coordinator
	opts txn.Options

	stmt  uint32
	seq   uint64
	cuts  uint64        // Branch.Cuts
	snap  txn.Timestamp // 0: none yet
	outer txn.Timestamp // the transaction's own while ReadNewest has put another in snap
	// snapErr is why the last BeginStatement got no snapshot; it fails what follows.
	snapErr error
	ended   bool
	// pins hold the transaction's snapshots; when the coordinator has others, it was fenced.
	pins *pins
	// epoch of the first snapshot.
	epoch   uint64
	catalog bool // the system tablet was written
	// large: fragments wrote, or the node has been sent more than a few calls' worth.
	large bool

	id atomic.Uint64

	// mu guards the parts: the workers of a statement read at once.
	mu    sync.Mutex
	parts map[txn.NodeID]*part

	// serial names a SERIALIZABLE transaction at the Serializer, once it has its snapshot;
	// 0: it need not be watched. notes are those that have not gone there yet.
	serial     uint64
	registered bool // with the Serializer
	notes      txn.HeldNotes

	said []txn.Notification // what it sends with its commit

	advisory    atomic.Pointer[advisoryLocks] // the session's, nil for none
	rels        []heldRelation
	lockTimeout time.Duration
	onCommit    []func(ts txn.Timestamp)
}

type heldRelation struct {
	id   uint64
	mode txn.RelationLock
	seq  uint64
}

// part is the transaction's part on one node.
type part struct {
	node txn.NodeID
	p    txn.Participant
	// begun: the branch exists.
	begun, wrote bool
	// pending are writes not yet sent, ascending by Seq.
	pending      []txn.BranchWrite
	pendingBytes int
	// lent is how many calls that are under way read pending.
	lent int
	// newest has the position of a key's newest pending write, once WroteKey was asked.
	newest map[string]int
}

// pendingBytesMax is how much is held back at most.
const pendingBytesMax = 512 << 10

func (t *transaction) ID() txn.ID {
	if id := t.id.Load(); id != 0 {
		return txn.ID(id)
	}
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	id, err := t.ensureID(ctx)
	if err != nil {
		return 0 // shown to the user at worst: everything else reports the error
	}
	return id
}

func (t *transaction) ensureID(ctx context.Context) (txn.ID, error) {
	if id := t.id.Load(); id != 0 {
		return txn.ID(id), nil
	}
	id, err := t.c.nextID(ctx)
	if err != nil {
		return 0, err
	}
	t.id.CompareAndSwap(0, uint64(id))
	return txn.ID(t.id.Load()), nil
}

func (t *transaction) Options() txn.Options { return t.opts }
func (t *transaction) Statement() uint32    { return t.stmt }
func (t *transaction) NextCommand()         { t.stmt++ }

func (t *transaction) HasWrites() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.parts {
		if p.wrote {
			return true
		}
	}
	return false
}

func (t *transaction) BeginStatement() {
	t.stmt++
	if t.snap != 0 && t.opts.Isolation != txn.ReadCommitted {
		return
	}
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	t.snapErr = t.takeSnapshot(ctx)
}

// takeSnapshot puts a new snapshot in force.
func (t *transaction) takeSnapshot(ctx context.Context) error {
	if t.pins == nil {
		t.pins = t.c.pins.Load()
	}
	if err := t.fenced(); err != nil {
		return err
	}
	ask := t.c.cfg.Oracle.Snapshot
	if t.opts.Isolation == txn.Serializable && !t.registered {
		ask = t.register
	}
	info, err := t.c.snapshot(ctx, t.pins, ask)
	if err != nil {
		return err
	}
	if t.snap != 0 {
		t.pins.unpin(t.snap)
	}
	if t.snap = info.Snapshot; t.epoch == 0 {
		t.epoch = info.Epoch
	}
	return t.advisory.Load().check(info.Epoch, t.pins)
}

// lookAround hears of the newest catalog, and of the epoch, without a new snapshot.
func (t *transaction) lookAround(ctx context.Context) error {
	if t.pins == nil {
		t.pins = t.c.pins.Load()
	}
	if err := t.fenced(); err != nil {
		return err
	}
	info, err := t.c.snapshot(ctx, t.pins, t.c.cfg.Oracle.Snapshot)
	if err != nil {
		return err
	}
	t.pins.unpin(info.Snapshot)
	if t.epoch == 0 {
		t.epoch = info.Epoch
	}
	return nil
}

// fenced fails a transaction from before the last Fence.
func (t *transaction) fenced() error {
	if t.pins == nil || t.pins == t.c.pins.Load() {
		return nil
	}
	return pgerror.New("72000", "snapshot too old").
		WithDetail("The gateway was without contact to the cluster for longer than its lease.").
		WithHint("The transaction might succeed if retried.")
}

func (t *transaction) usable(ctx context.Context) error {
	if t.ended {
		return pgerror.Internal("transaction %d used after its end", t.id.Load())
	}
	if t.snapErr != nil {
		return t.snapErr
	}
	if err := t.fenced(); err != nil {
		return err
	}
	if t.snap == 0 {
		if t.stmt == 0 {
			t.stmt = 1
		}
		return t.takeSnapshot(ctx)
	}
	return nil
}

func (t *transaction) Snapshot() txn.Timestamp {
	if t.snap == 0 && !t.ended && t.snapErr == nil {
		ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
		defer cancel()
		t.snapErr = t.usable(ctx)
	}
	return t.snap
}

// FreshSnapshot is newer than the pinned one, which keeps what it sees from
// being collected.
func (t *transaction) FreshSnapshot() txn.Timestamp {
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	if t.snapErr = t.usable(ctx); t.snapErr != nil {
		return t.snap
	}
	info, err := t.c.snapshot(ctx, t.pins, t.c.cfg.Oracle.Snapshot)
	if err != nil {
		t.snapErr = err
		return t.snap
	}
	t.pins.unpin(info.Snapshot)
	return info.Snapshot
}

func (t *transaction) ReadNewest() (done func()) {
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	if t.opts.Isolation == txn.ReadCommitted || t.outer != 0 || t.usable(ctx) != nil {
		return func() {}
	}
	own := t.snap
	t.snap = 0
	if err := t.takeSnapshot(ctx); err != nil {
		t.snap, t.snapErr = own, err
		return func() {}
	}
	t.outer = own
	return func() {
		if t.outer != 0 && !t.ended {
			t.pins.unpin(t.snap)
			t.snap, t.outer = t.outer, 0
		}
	}
}

func (t *transaction) readAt() txn.ReadAt {
	return txn.ReadAt{Snapshot: t.snap, Statement: t.stmt}
}

// tabletOf reads the tablet off a key.
func tabletOf(key []byte) (txn.TabletID, error) {
	if len(key) < 2 {
		return 0, pgerror.Internal("a key of %d bytes", len(key))
	}
	return txn.TabletID(binary.BigEndian.Uint16(key)), nil
}

// partOf is the part of the node that has key.
func (t *transaction) partOf(key []byte) (*part, error) {
	tablet, err := tabletOf(key)
	if err != nil {
		return nil, err
	}
	n := t.c.cfg.Placement().NodeOf(tablet)
	if n == 0 {
		return nil, pgerror.Internal("no node has tablet %d", tablet)
	}
	return t.partAt(n)
}

func (t *transaction) partAt(n txn.NodeID) (*part, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.parts[n]; p != nil {
		return p, nil
	}
	x, err := t.c.cfg.Node(n)
	if err != nil {
		return nil, err
	}
	p := &part{node: n, p: x}
	t.parts[n] = p
	return p, nil
}

// branch names the branch of a part. REQUIRES: t.mu held where others may run.
func (t *transaction) branch(p *part) txn.Branch {
	pid := t.opts.ProcessID
	return txn.Branch{Txn: txn.ID(t.id.Load()), Gateway: t.c.cfg.Self, Epoch: t.epoch, Isolation: t.opts.Isolation, ProcessID: pid, Begun: p.begun, Cuts: t.cuts, Serial: t.serial}
}

// flush sends a part's pending writes. When it fails they stay: the node, which may have
// them, knows them when they come again. REQUIRES: t.mu held.
func (t *transaction) flush(ctx context.Context, p *part) error {
	if len(p.pending) == 0 {
		return nil
	}
	if _, err := t.ensureID(ctx); err != nil {
		return err
	}
	err := p.p.Write(ctx, t.branch(p), t.readAt(), p.pending)
	p.begun = true // or it may be
	if err != nil {
		return err
	}
	p.sent(p.pending[len(p.pending)-1].Seq)
	return nil
}

// sent forgets the pending writes up to seq.
func (p *part) sent(seq uint64) {
	n := 0
	for n < len(p.pending) && p.pending[n].Seq <= seq {
		p.pendingBytes -= len(p.pending[n].Key) + len(p.pending[n].Value)
		n++
	}
	if n == 0 {
		return
	}
	p.newest = nil
	if n < len(p.pending) || p.lent > 0 {
		p.pending = p.pending[n:]
		return
	}
	clear(p.pending)
	p.pending = p.pending[:0]
}

// flushFor sends what a read of statements before stmt must see.
func (t *transaction) flushFor(ctx context.Context, p *part, stmt uint32) (txn.Branch, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p.pending) > 0 && p.pending[0].Statement < stmt {
		if err := t.flush(ctx, p); err != nil {
			return txn.Branch{}, err
		}
	}
	return t.branch(p), nil
}

func (t *transaction) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	if err := t.usable(ctx); err != nil {
		return nil, false, err
	}
	return t.get(ctx, key, t.readAt())
}

// GetColumns implements txn.RowTxn.
func (t *transaction) GetColumns(ctx context.Context, key, buf []byte, _ []int) ([]byte, bool, error) {
	return t.GetInto(ctx, key, buf)
}

// GetInto implements txn.RowTxn.
func (t *transaction) GetInto(ctx context.Context, key, buf []byte) ([]byte, bool, error) {
	v, ok, err := t.Get(ctx, key)
	if err != nil || !ok {
		return nil, false, err
	}
	return append(buf, v...), true, nil
}

func (t *transaction) get(ctx context.Context, key []byte, at txn.ReadAt) ([]byte, bool, error) {
	p, err := t.partOf(key)
	if err != nil {
		return nil, false, err
	}
	b, err := t.flushFor(ctx, p, at.Statement)
	if err != nil {
		return nil, false, err
	}
	v, ok, err := p.p.Get(ctx, b, at, key)
	if err == nil {
		err = t.fenced() // what it saw may have been collected
	}
	return v, ok, err
}

func (t *transaction) Put(ctx context.Context, key, value []byte) error {
	return t.write(ctx, txn.BranchWrite{Key: key, Value: value})
}

func (t *transaction) PutNew(ctx context.Context, key, value []byte) error {
	return t.write(ctx, txn.BranchWrite{Key: key, Value: value, New: true})
}

func (t *transaction) Delete(ctx context.Context, key []byte) error {
	return t.write(ctx, txn.BranchWrite{Key: key, Delete: true})
}

func (t *transaction) DeleteMoved(ctx context.Context, key, to []byte) error {
	return t.write(ctx, txn.BranchWrite{Key: key, Value: to, Delete: true})
}

func (t *transaction) write(ctx context.Context, w txn.BranchWrite) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	p, err := t.partOf(w.Key)
	if err != nil {
		return err
	}
	if err := t.noteWrite(ctx, txn.NoteWrite, w.Key); err != nil {
		return err
	}
	if tablet, _ := tabletOf(w.Key); tablet == txn.SystemTablet {
		t.catalog = true
	}
	t.seq++
	both := make([]byte, len(w.Key)+len(w.Value))
	n := copy(both, w.Key)
	copy(both[n:], w.Value)
	w.Key, w.Statement, w.Seq = both[:n:n], t.stmt, t.seq
	if w.Value = both[n:]; w.Delete && len(w.Value) == 0 {
		w.Value = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.wrote = true
	p.pending = append(p.pending, w)
	if p.newest != nil {
		p.newest[string(w.Key)] = len(p.pending) - 1
	}
	if p.pendingBytes += len(both); p.pendingBytes >= pendingBytesMax {
		t.large = true
		return t.flush(ctx, p)
	}
	return nil
}

func (t *transaction) WroteKey(key []byte) (bool, error) {
	p, err := t.partOf(key)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.newest == nil {
		p.newest = make(map[string]int, len(p.pending))
		for i := range p.pending {
			p.newest[string(p.pending[i].Key)] = i
		}
	}
	if i, ok := p.newest[string(key)]; ok {
		return !p.pending[i].Delete, nil
	}
	if !p.begun {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	return p.p.Own(ctx, t.branch(p), key)
}

func (t *transaction) Savepoint() txn.Savepoint {
	return txn.Savepoint{Statement: t.stmt, Seq: t.seq}
}

func (t *transaction) RollbackTo(sp txn.Savepoint) error {
	if t.ended {
		return pgerror.Internal("transaction %d used after its end", t.id.Load())
	}
	if t.seq == sp.Seq {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	for n := len(t.rels); n > 0 && t.rels[n-1].seq > sp.Seq; n-- {
		t.rels = t.rels[:n-1]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts++
	for _, p := range t.parts {
		for n := len(p.pending); n > 0 && p.pending[n-1].Seq > sp.Seq; n-- {
			p.pendingBytes -= len(p.pending[n-1].Key) + len(p.pending[n-1].Value)
			p.pending, p.newest = p.pending[:n-1], nil
		}
		if !p.begun {
			continue
		}
		if err := p.p.RollbackTo(ctx, t.branch(p), sp.Seq); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) Rollback() {
	if t.ended {
		return
	}
	t.ended = true
	t.endSerial() // before anybody who waits for a lock goes on
	t.abortAll(nil)
	t.release()
}

// release gives the snapshots back.
func (t *transaction) release() {
	if t.snap != 0 {
		t.pins.unpin(t.snap)
	}
	if t.outer != 0 {
		t.pins.unpin(t.outer)
	}
	t.snap, t.outer, t.rels = 0, 0, nil
}

// each runs f for parts at once and gives the first error in the order of the parts.
func each(parts []*part, f func(p *part) error) error {
	if len(parts) == 1 {
		return f(parts[0])
	}
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = f(p)
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// abortAll rolls back every branch but those of skip; what does not get through
// is tried again in the background.
func (t *transaction) abortAll(skip map[*part]bool) {
	var parts []*part
	for _, p := range t.parts {
		if p.begun && !skip[p] {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.c.ctx), t.c.cfg.EndWait)
	defer cancel()
	_ = each(parts, func(p *part) error {
		b := t.branch(p)
		if err := p.p.Abort(ctx, b); err != nil {
			t.c.retry("rolling back a branch of "+b.String(), func(ctx context.Context) error { return p.p.Abort(ctx, b) })
		}
		return nil
	})
}

func (t *transaction) OnCommit(f func(ts txn.Timestamp)) { t.onCommit = append(t.onCommit, f) }

func (t *transaction) SetLockTimeout(d time.Duration) { t.lockTimeout = d }
