package coordinator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// Config of a Coordinator. Every field but OnCatalog and Logf is needed.
type Config struct {
	// Self is this gateway.
	Self   txn.NodeID
	Oracle txn.Oracle
	// HoldNotes lets SERIALIZABLE transactions hold their notes back until a statement
	// ends: the oracle is another process. Else each goes there at once.
	HoldNotes bool
	// Node reaches a node; the own one without a network.
	Node func(txn.NodeID) (txn.Participant, error)
	// Placement is the one in force.
	Placement func() *txn.Placement
	// Nodes lists the nodes to ask for locks.
	Nodes func() []txn.NodeID
	// OnCatalog is told that the catalog changed at ts, before a snapshot that sees
	// the change is given out. May be nil.
	OnCatalog func(ts txn.Timestamp)
	Logf      func(format string, args ...any)
	// OutcomeWait bounds how long a client waits for a commit whose outcome is in
	// doubt (08007 then); 0 for 10 s. EndWait bounds one attempt to end a branch; 0 for 2 s.
	OutcomeWait, EndWait time.Duration
}

// Limits of waiting where the caller gives none.
const (
	// snapshotWait bounds asking the oracle where there is no context to bound it.
	snapshotWait = 10 * time.Second
	// askWait bounds asking the nodes about their locks.
	askWait = 2 * time.Second
	// retryPause is between attempts in the background.
	retryPause = 200 * time.Millisecond
	// idChunk is how many transaction IDs are drawn at a time.
	idChunk = 256
)

// Coordinator is the DB of a gateway.
type Coordinator struct {
	cfg Config
	// pins are the snapshots in use; Fence puts others in their place, by which
	// transactions see that they are from before.
	pins      atomic.Pointer[pins]
	suspended atomic.Bool
	// catalog is the newest catalog change heard of.
	catalog atomic.Uint64
	// nowDirty: UpdateNow has written what no sync has covered yet.
	nowDirty atomic.Bool
	// notified is the newest commit with notifications heard of; feed brings them.
	notified atomic.Uint64
	feed     atomic.Pointer[feed]

	ids struct {
		sync.Mutex
		next, end txn.ID
	}

	background struct {
		sync.Mutex
		closed bool
		wg     sync.WaitGroup
	}
	ctx    context.Context
	cancel context.CancelFunc
}

var (
	_ txn.DB     = (*Coordinator)(nil)
	_ txn.RowTxn = (*transaction)(nil)
)

// New makes a Coordinator. Close ends its background work.
func New(cfg Config) *Coordinator {
	if cfg.OutcomeWait <= 0 {
		cfg.OutcomeWait = 10 * time.Second
	}
	if cfg.EndWait <= 0 {
		cfg.EndWait = 2 * time.Second
	}
	c := &Coordinator{cfg: cfg}
	c.pins.Store(newPins())
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close stops trying to end what could not be ended: the nodes find out by
// themselves that this gateway is gone. REQUIRES: no transaction open.
func (c *Coordinator) Close() error {
	c.background.Lock()
	c.background.closed = true
	c.background.Unlock()
	c.cancel()
	c.background.wg.Wait()
	return nil
}

// Begin implements txn.DB.
func (c *Coordinator) Begin(opts txn.Options) txn.Txn {
	return &transaction{c: c, opts: opts, parts: map[txn.NodeID]*part{}}
}

// run runs f in the background, unless the coordinator is closed; Close waits for it.
func (c *Coordinator) run(f func()) bool {
	c.background.Lock()
	defer c.background.Unlock()
	if c.background.closed {
		return false
	}
	c.background.wg.Add(1)
	go func() {
		defer c.background.wg.Done()
		f()
	}()
	return true
}

// retry runs f until it succeeds or the coordinator is closed.
func (c *Coordinator) retry(what string, f func(ctx context.Context) error) {
	c.run(func() {
		for n := 0; ; n++ {
			ctx, cancel := context.WithTimeout(c.ctx, c.cfg.EndWait)
			err := f(ctx)
			cancel()
			if err == nil || c.ctx.Err() != nil {
				return
			}
			if n == 0 && c.cfg.Logf != nil {
				c.cfg.Logf("%s: %v; trying again", what, err)
			}
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(retryPause):
			}
		}
	})
}

// nextID draws a transaction ID.
func (c *Coordinator) nextID(ctx context.Context) (txn.ID, error) {
	c.ids.Lock()
	defer c.ids.Unlock()
	if c.ids.next == c.ids.end {
		first, err := c.cfg.Oracle.NextIDs(ctx, idChunk)
		if err != nil {
			return 0, err
		}
		c.ids.next, c.ids.end = first, first+idChunk
	}
	c.ids.next++
	return c.ids.next - 1, nil
}

var errNoContact = pgerror.New(pgerror.ConnectionFailure, "this gateway has no contact to the first node of the cluster")

// snapshot asks for a snapshot and pins it in p; unpin it.
func (c *Coordinator) snapshot(ctx context.Context, p *pins, ask func(context.Context) (txn.SnapshotInfo, error)) (txn.SnapshotInfo, error) {
	if c.suspended.Load() {
		return txn.SnapshotInfo{}, errNoContact
	}
	done := p.expect()
	info, err := ask(ctx)
	if err != nil {
		done(0)
		return txn.SnapshotInfo{}, err
	}
	if c.cfg.OnCatalog != nil {
		for {
			old := c.catalog.Load()
			if uint64(info.Catalog) <= old {
				break
			}
			c.cfg.OnCatalog(info.Catalog)
			if c.catalog.CompareAndSwap(old, uint64(info.Catalog)) {
				break
			}
		}
	}
	c.seen(info.Notified)
	done(info.Snapshot)
	return info, nil
}

// Refresh asks for a snapshot nobody uses: an idle gateway's OldestSnapshot goes on
// by it, and a newer catalog is heard of.
func (c *Coordinator) Refresh(ctx context.Context) error {
	p := c.pins.Load()
	info, err := c.snapshot(ctx, p, c.cfg.Oracle.Snapshot)
	if err == nil {
		p.unpin(info.Snapshot)
	}
	return err
}

// Fence is for a gateway whose lease has ended: others may already have ended its
// branches, and nothing keeps what its snapshots see. Every transaction begun so
// far fails, and until Resume there are no snapshots.
func (c *Coordinator) Fence() {
	c.suspended.Store(true)
	c.pins.Store(newPins())
	if f := c.feed.Load(); f != nil {
		f.fenced()
	}
}

// Resume ends what Fence began. REQUIRES: the gateway has a lease again.
func (c *Coordinator) Resume() { c.suspended.Store(false) }

// OldestSnapshot implements txn.DB: what the gateway reports to the oracle.
func (c *Coordinator) OldestSnapshot() txn.Timestamp { return c.pins.Load().oldest() }

// system is the node of the system tablet.
func (c *Coordinator) system() (txn.Participant, error) {
	return c.cfg.Node(c.cfg.Placement().System)
}

// UpdateNow implements txn.DB.
func (c *Coordinator) UpdateNow(ctx context.Context, key []byte, f func(old []byte) ([]byte, error)) error {
	p, err := c.system()
	if err != nil {
		return err
	}
	old, err := p.ReadNow(ctx, key)
	if err != nil {
		return err
	}
	for {
		v, err := f(old)
		if err != nil {
			return err
		}
		now, ok, err := p.SwapNow(ctx, key, old, v)
		if err != nil {
			return err
		}
		if ok {
			c.nowDirty.Store(true)
			return nil
		}
		old = now
	}
}

// ReadNow implements txn.DB.
func (c *Coordinator) ReadNow(ctx context.Context, key []byte) ([]byte, error) {
	p, err := c.system()
	if err != nil {
		return nil, err
	}
	return p.ReadNow(ctx, key)
}

// SyncNow makes what UpdateNow wrote durable.
func (c *Coordinator) SyncNow(ctx context.Context) error { return c.syncNow(ctx) }

// syncNow makes sequence values that were handed out durable.
func (c *Coordinator) syncNow(ctx context.Context) error {
	if !c.nowDirty.Swap(false) {
		return nil
	}
	p, err := c.system()
	if err == nil {
		err = p.SyncNow(ctx)
	}
	if err != nil {
		c.nowDirty.Store(true)
	}
	return err
}

// Locks implements txn.DB. Nodes that do not answer are left out.
func (c *Coordinator) Locks() []txn.LockInfo {
	ctx, cancel := context.WithTimeout(c.ctx, askWait)
	defer cancel()
	var out []txn.LockInfo
	own := map[txn.ID]bool{} // of transactions on themselves: one each, however many branches
	for _, n := range c.cfg.Nodes() {
		p, err := c.cfg.Node(n)
		if err != nil {
			continue
		}
		locks, err := p.Locks(ctx)
		if err != nil {
			continue
		}
		for _, l := range locks {
			if l.Transaction != 0 && l.Granted && l.Transaction == l.Holder {
				if own[l.Holder] {
					continue
				}
				own[l.Holder] = true
			}
			out = append(out, l)
		}
	}
	return out
}

// RelationLocksHere implements txn.DB.
func (c *Coordinator) RelationLocksHere() bool { return c.cfg.Placement().System == c.cfg.Self }

// SafeSnapshotBlockers implements txn.DB.
func (c *Coordinator) SafeSnapshotBlockers(pid int32) []int32 {
	ctx, cancel := context.WithTimeout(c.ctx, askWait)
	defer cancel()
	out, err := c.cfg.Oracle.SafeSnapshotBlockers(ctx, pid)
	if err != nil {
		return nil
	}
	return out
}

// Blockers implements txn.DB.
func (c *Coordinator) Blockers(pid int32) []int32 {
	ctx, cancel := context.WithTimeout(c.ctx, askWait)
	defer cancel()
	var out []int32
	seen := map[int32]bool{}
	for _, n := range c.cfg.Nodes() {
		p, err := c.cfg.Node(n)
		if err != nil {
			continue
		}
		w, err := p.Waits(ctx)
		if err != nil {
			continue
		}
		for _, e := range w {
			if e.WaiterPID == pid && !seen[e.BlockerPID] {
				seen[e.BlockerPID] = true
				out = append(out, e.BlockerPID)
			}
		}
	}
	return out
}

func newPins() *pins { return &pins{live: map[txn.Timestamp]int{}} }

// pins are the snapshots in use.
type pins struct {
	mu   sync.Mutex
	live map[txn.Timestamp]int
	// last is the newest snapshot seen.
	last txn.Timestamp
}

// expect announces that a snapshot is being asked for: until done is called with
// it, oldest goes no further than what was seen before. done pins it; 0: there is none.
func (p *pins) expect() (done func(ts txn.Timestamp)) {
	p.mu.Lock()
	at := p.last
	p.live[at]++
	p.mu.Unlock()
	return func(ts txn.Timestamp) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.drop(at)
		if ts != 0 {
			p.live[ts]++
			p.last = max(p.last, ts)
		}
	}
}

func (p *pins) pin(ts txn.Timestamp) {
	p.mu.Lock()
	p.live[ts]++
	p.mu.Unlock()
}

func (p *pins) unpin(ts txn.Timestamp) {
	p.mu.Lock()
	p.drop(ts)
	p.mu.Unlock()
}

func (p *pins) drop(ts txn.Timestamp) {
	if p.live[ts]--; p.live[ts] <= 0 {
		delete(p.live, ts)
	}
}

func (p *pins) oldest() txn.Timestamp {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.last
	for ts := range p.live {
		o = min(o, ts)
	}
	return o
}
