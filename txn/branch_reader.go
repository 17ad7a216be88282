package txn

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Fragment is the node's side of a transaction for a fragment of one of its
// statements: what storage reads and writes through, bound to a branch and a moment.
// Reads may come from several goroutines. Writes and locks, if seq is not empty, go to
// the branch, which exists (Sharer.Share made it), with numbers from seq; they come
// from one goroutine. done is called with whether the fragment succeeded, after its last use.
func (p *Branches) Fragment(b Branch, at ReadAt, seq SeqRange, lockTimeout time.Duration) (tx RowTxn, done func(ok bool), err error) {
	if at.Snapshot == 0 {
		return nil, nil, pgerror.Internal("a fragment without a snapshot")
	}
	if b.Serial != 0 && p.serializer == nil {
		return nil, nil, pgerror.Internal("a node takes no notes of SERIALIZABLE transactions")
	}
	t, err := p.reader(b)
	if err != nil {
		return nil, nil, err
	}
	f := &fragment{p: p, b: b, at: at, t: t, next: seq.First, end: seq.End, timeout: lockTimeout}
	if seq.First != 0 {
		x := p.find(b.Txn)
		if x == nil {
			return nil, nil, lost(b.Txn)
		}
		x.mu.Lock()
		err := x.hear(b)
		x.mu.Unlock()
		if err != nil {
			return nil, nil, err
		}
	}
	return f, f.done, nil
}

// fragment implements RowTxn over a branch.
type fragment struct {
	p         *Branches
	b         Branch
	at        ReadAt
	t         *transaction // the branch's, or an empty one
	next, end uint64
	timeout   time.Duration
	onCommit  []func(ts Timestamp)
	notes     HeldNotes
}

func (f *fragment) done(ok bool) {
	if ok { // what waits for the commit is estimates only
		for _, g := range f.onCommit {
			g(f.at.Snapshot)
		}
	}
}

func (f *fragment) AwaitSafeSnapshot(context.Context) error { return nil }

// PredicateRead implements RowTxn.
func (f *fragment) PredicateRead(lower, upper []byte) error {
	if f.b.Serial == 0 || mutantNoFragmentNotes || !f.notes.Add(NoteRead, lower, upper) {
		return nil
	}
	return f.FlushNotes(context.Background())
}

// PredicateWrite implements RowTxn.
func (f *fragment) PredicateWrite(key []byte) error {
	if f.b.Serial == 0 {
		return nil
	}
	f.notes.Add(NoteTouch, key, nil)
	return f.FlushNotes(context.Background())
}

// FlushNotes implements Noter. It must come before rows leave the node that come from
// what was read, and before the fragment's end.
func (f *fragment) FlushNotes(ctx context.Context) error {
	if f.b.Serial == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, noteWait)
	defer cancel()
	return f.notes.Flush(ctx, f.p.serializer, f.b.Serialized())
}

// noteWait bounds sending notes where nothing else does.
const noteWait = 10 * time.Second

// noteWrite notes a write of the fragment.
func (f *fragment) noteWrite(ctx context.Context, key []byte) error {
	if f.b.Serial == 0 || !f.notes.Add(NoteWrite, key, nil) {
		return nil
	}
	return f.FlushNotes(ctx)
}

func (f *fragment) ID() ID { return f.b.Txn }
func (f *fragment) Options() Options {
	return Options{Isolation: f.b.Isolation, ProcessID: f.b.ProcessID}
}
func (f *fragment) BeginStatement()              {}
func (f *fragment) Statement() uint32            { return f.at.Statement }
func (f *fragment) NextCommand()                 { f.at.Statement++ }
func (f *fragment) Snapshot() Timestamp          { return f.at.Snapshot }
func (f *fragment) FreshSnapshot() Timestamp     { return f.at.Snapshot }
func (f *fragment) ReadNewest() (done func())    { return func() {} }
func (f *fragment) HasWrites() bool              { return f.t.HasWrites() }
func (f *fragment) SetLockTimeout(time.Duration) {}
func (f *fragment) Rollback()                    {}
func (f *fragment) OnCommit(g func(ts Timestamp)) {
	f.onCommit = append(f.onCommit, g)
}

func (f *fragment) Commit(context.Context) (Timestamp, error) {
	return 0, pgerror.Internal("commit in a fragment")
}

func (f *fragment) HoldsRelation(uint64, RelationLock) bool { return false }

func (f *fragment) LockRelation(context.Context, uint64, RelationLock, WaitPolicy) error {
	return pgerror.Internal("a table lock in a fragment")
}

func (f *fragment) Get(_ context.Context, key []byte) ([]byte, bool, error) {
	return f.t.get(key, f.at.Snapshot, f.at.Statement, nil)
}

// GetColumns implements RowTxn.
func (f *fragment) GetColumns(ctx context.Context, key, buf []byte, _ []int) ([]byte, bool, error) {
	return f.GetInto(ctx, key, buf)
}

// GetInto implements RowTxn.
func (f *fragment) GetInto(_ context.Context, key, buf []byte) ([]byte, bool, error) {
	return f.t.getInto(key, f.at.Snapshot, f.at.Statement, buf)
}

func (f *fragment) NewIter(ctx context.Context, o IterOptions) (Iter, error) {
	at := f.at.Snapshot
	if o.At != 0 {
		at = o.At
	}
	return f.t.newIter(ctx, o, at, f.at.Statement)
}

// NewView implements RowTxn. The gateway keeps the snapshot from being collected.
func (f *fragment) NewView() (View, error) {
	return &fragmentView{view{t: f.t, snap: &snapshot{ts: f.at.Snapshot, refs: 1}, stmt: f.at.Statement}}, nil
}

// fragmentView is a view whose snapshot is pinned elsewhere.
type fragmentView struct{ view }

func (v *fragmentView) Close() {
	if v.get != nil {
		v.get.Close()
		v.get = nil
	}
}

// numbers sets n sequence numbers aside.
func (f *fragment) numbers(n uint64) (uint64, error) {
	first := f.next
	if first == 0 || n > f.end-first {
		return 0, pgerror.Internal("a fragment has no sequence numbers for its writes")
	}
	f.next += n
	return first, nil
}

// change runs do on the branch with n sequence numbers, the first being the next to be used.
func (f *fragment) change(ctx context.Context, n uint64, do func(t *transaction) error) error {
	first, err := f.numbers(n)
	if err != nil {
		return err
	}
	// When its statement has been rolled back and it does not know yet, the branch has
	// heard of more cuts and refuses.
	return f.p.with(ctx, f.b, f.at, func(x *branch) error {
		x.t.SetLockTimeout(f.timeout)
		x.t.prepareOwner()
		x.t.seq = first - 1
		return do(x.t)
	})
}

func (f *fragment) Put(ctx context.Context, key, value []byte) error {
	if err := f.noteWrite(ctx, key); err != nil {
		return err
	}
	return f.change(ctx, 1, func(t *transaction) error { return t.Put(ctx, key, value) })
}

func (f *fragment) PutNew(ctx context.Context, key, value []byte) error {
	if err := f.noteWrite(ctx, key); err != nil {
		return err
	}
	return f.change(ctx, 1, func(t *transaction) error { return t.PutNew(ctx, key, value) })
}

func (f *fragment) Delete(ctx context.Context, key []byte) error {
	if err := f.noteWrite(ctx, key); err != nil {
		return err
	}
	return f.change(ctx, 1, func(t *transaction) error { return t.Delete(ctx, key) })
}

func (f *fragment) DeleteMoved(ctx context.Context, key, to []byte) error {
	if err := f.noteWrite(ctx, key); err != nil {
		return err
	}
	return f.change(ctx, 1, func(t *transaction) error { return t.DeleteMoved(ctx, key, to) })
}

func (f *fragment) lock(ctx context.Context, do func(t *transaction) (Newest, error)) (n Newest, err error) {
	err = f.change(ctx, LockSeqStep, func(t *transaction) error {
		n, err = do(t)
		return err
	})
	return n, err
}

func (f *fragment) LockRow(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error) {
	return f.lock(ctx, func(t *transaction) (Newest, error) { return t.LockRow(ctx, key, s, policy) })
}

func (f *fragment) LockKey(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error) {
	return f.lock(ctx, func(t *transaction) (Newest, error) { return t.LockKey(ctx, key, s, policy) })
}

func (f *fragment) LockUnique(ctx context.Context, key []byte) (Newest, error) {
	return f.lock(ctx, func(t *transaction) (Newest, error) { return t.LockUnique(ctx, key) })
}

// LockFresh implements RowTxn key by key: g may write, which takes the branch's latch.
func (f *fragment) LockFresh(ctx context.Context, keys [][]byte, g func(i int, n Newest) error) error {
	for i, k := range keys {
		n, err := f.LockUnique(ctx, k)
		if err == nil {
			err = g(i, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fragment) WroteKey(key []byte) (bool, error) { return f.t.WroteKey(key) }

func (f *fragment) Savepoint() Savepoint {
	return Savepoint{Statement: f.at.Statement, Seq: f.next - 1}
}

func (f *fragment) RollbackTo(sp Savepoint) error {
	return f.p.with(context.Background(), f.b, f.at, func(x *branch) error { return x.t.RollbackTo(sp) })
}
