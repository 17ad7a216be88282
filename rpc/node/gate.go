package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// gate lets calls to a node's branches through when the node may answer: it has a
// lease, and has settled its intents since the newest epoch it has heard of.
// Outcome, Locks and Waits always may: they are what settling needs.
type gate struct {
	*txn.Branches
	// lease reports whether the node has one.
	lease func() bool

	epoch atomic.Uint64 // settled; 0: never
	mu    sync.Mutex

	// ends is held shared by calls that end a commit, exclusively to raise floor: ends
	// of commits of epochs below it come too late.
	ends  sync.RWMutex
	floor uint64
}

var _ txn.Participant = (*gate)(nil)

// settleWait bounds settling for a caller that has met a newer epoch first.
const settleWait = 10 * time.Second

// enter is called before what reads or changes data.
func (g *gate) enter(ctx context.Context, epoch uint64) error {
	if !g.lease() {
		return pgerror.New(pgerror.ConnectionFailure, "a storage node has no contact to the first node of the cluster")
	}
	if e := g.epoch.Load(); e != 0 && epoch <= e {
		return nil
	}
	return g.settle(ctx, max(epoch, 1)) // for the first time, perhaps: the node has just started
}

// settle settles all intents for an epoch.
func (g *gate) settle(ctx context.Context, epoch uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if epoch <= g.epoch.Load() {
		return nil
	}
	g.ends.Lock()
	g.floor = max(g.floor, epoch)
	g.ends.Unlock()
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	if err := g.Branches.Resolve(ctx); err != nil {
		return pgerror.Wrap(err, pgerror.ConnectionFailure, "a storage node cannot settle transactions in doubt: %v", err)
	}
	g.epoch.Store(epoch)
	return nil
}

// ending is enter for f, which ends a commit: one from before a newer epoch began
// comes too late.
func (g *gate) ending(ctx context.Context, b txn.Branch, f func() error) error {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return err
	}
	g.ends.RLock()
	defer g.ends.RUnlock()
	if b.Epoch < g.floor {
		return pgerror.New(txn.BranchLost, "the part of transaction %d on a storage node is lost", b.Txn).
			WithHint("The transaction might succeed if retried.")
	}
	return f()
}

func (g *gate) Get(ctx context.Context, b txn.Branch, at txn.ReadAt, key []byte) ([]byte, bool, error) {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return nil, false, err
	}
	return g.Branches.Get(ctx, b, at, key)
}

func (g *gate) GetMany(ctx context.Context, b txn.Branch, at txn.ReadAt, keys [][]byte) ([][]byte, error) {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return nil, err
	}
	return g.Branches.GetMany(ctx, b, at, keys)
}

func (g *gate) NewIter(ctx context.Context, b txn.Branch, at txn.ReadAt, o txn.IterOptions) (txn.Iter, error) {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return nil, err
	}
	return g.Branches.NewIter(ctx, b, at, o)
}

func (g *gate) Scan(ctx context.Context, b txn.Branch, at txn.ReadAt, s txn.ScanPage) (txn.Page, error) {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return txn.Page{}, err
	}
	return g.Branches.Scan(ctx, b, at, s)
}

func (g *gate) Lock(ctx context.Context, b txn.Branch, at txn.ReadAt, l txn.LockCall) ([]txn.Newest, error) {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return nil, err
	}
	return g.Branches.Lock(ctx, b, at, l)
}

func (g *gate) Write(ctx context.Context, b txn.Branch, at txn.ReadAt, w []txn.BranchWrite) error {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return err
	}
	return g.Branches.Write(ctx, b, at, w)
}

func (g *gate) LockRelation(ctx context.Context, b txn.Branch, id uint64, mode txn.RelationLock, policy txn.WaitPolicy, seq uint64, timeout time.Duration) error {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return err
	}
	return g.Branches.LockRelation(ctx, b, id, mode, policy, seq, timeout)
}

func (g *gate) Own(ctx context.Context, b txn.Branch, key []byte) (bool, error) {
	if err := g.enter(ctx, b.Epoch); err != nil {
		return false, err
	}
	return g.Branches.Own(ctx, b, key)
}

func (g *gate) Prepare(ctx context.Context, b txn.Branch, record txn.NodeID) error {
	return g.ending(ctx, b, func() error { return g.Branches.Prepare(ctx, b, record) })
}

func (g *gate) Hold(ctx context.Context, b txn.Branch, record txn.NodeID) error {
	return g.ending(ctx, b, func() error { return g.Branches.Hold(ctx, b, record) })
}

func (g *gate) Decide(ctx context.Context, b txn.Branch, ts txn.Timestamp) error {
	return g.ending(ctx, b, func() error { return g.Branches.Decide(ctx, b, ts) })
}

func (g *gate) Apply(ctx context.Context, b txn.Branch, ts txn.Timestamp) error {
	return g.ending(ctx, b, func() error { return g.Branches.Apply(ctx, b, ts) })
}
