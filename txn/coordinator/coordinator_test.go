package coordinator

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cluster is some nodes in one process, without a network. Node 1 is the first.
type cluster struct {
	t     testing.TB
	place *txn.Placement

	mu    sync.Mutex
	nodes map[txn.NodeID]*node

	oracle *txn.OracleService
	// fault, when set, is asked around every call to a participant.
	fault atomic.Pointer[func(n txn.NodeID, call string, after bool) error]
	// keep, when set, may take a call, which then fails for its caller and is made when deliver is.
	keep atomic.Pointer[func(n txn.NodeID, call string, deliver func() error) bool]
}

type node struct {
	id  txn.NodeID
	fs  *vfs.MemFS
	eng *engine.Engine
	mgr *txn.Manager
	br  *txn.Branches

	// ctx ends with the node, and with it every call to it; calls counts those. It is
	// added to under cluster.mu while the node can be reached.
	ctx    context.Context
	cancel context.CancelFunc
	calls  sync.WaitGroup
}

func newNode(id txn.NodeID, fs *vfs.MemFS) *node {
	n := &node{id: id, fs: fs}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

var errDown = pgerror.New(pgerror.ConnectionFailure, "the node does not answer")

func newCluster(t testing.TB, nodes int) *cluster {
	c := &cluster{t: t, nodes: map[txn.NodeID]*node{}}
	var ids []txn.NodeID
	for i := range nodes {
		ids = append(ids, txn.NodeID(i+1))
	}
	c.place = txn.EvenPlacement(1, ids, 2*nodes)
	for _, id := range ids {
		c.start(newNode(id, vfs.NewCrashableMem()))
	}
	var err error
	c.oracle, err = txn.NewOracleService(c.nodes[1].mgr)
	must(t, err)
	for _, n := range c.nodes {
		n.br.SetSerializer(c.oracle)
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			if n != nil { // nil: the test ended in a crash
				n.close(t)
			}
		}
	})
	return c
}

// close ends a node that nobody can reach any more: first the calls it is still in,
// lock waits too, then its store.
func (n *node) close(t testing.TB) {
	n.cancel()
	n.calls.Wait()
	must(t, n.mgr.Close())
	must(t, n.eng.Close())
}

func (c *cluster) start(n *node) {
	var err error
	n.eng, err = engine.Open("data", engine.Options{FS: n.fs, MemoryBytes: 16 << 20})
	must(c.t, err)
	n.mgr, err = txn.NewManager(n.eng, txn.Config{SpillBytes: 1 << 20, PreparedMax: 20})
	must(c.t, err)
	n.br, err = txn.NewBranches(n.mgr, c.reach)
	must(c.t, err)
	n.mgr.SetHorizon(0)
	c.mu.Lock()
	c.nodes[n.id] = n
	c.mu.Unlock()
}

// crash loses what node id has not synced and starts it again. Calls that are under way
// go on beside the picture that is taken of the disk, as they do on a real machine, and
// as there no answer gets out any more: it might speak of what the picture has not.
func (c *cluster) crash(id txn.NodeID) {
	c.mu.Lock()
	old := c.nodes[id]
	c.nodes[id] = nil
	c.mu.Unlock()
	fs := old.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	old.close(c.t)
	n := newNode(id, fs)
	var err error
	n.eng, err = engine.Open("data", engine.Options{FS: n.fs, MemoryBytes: 16 << 20})
	must(c.t, err)
	n.mgr, err = txn.NewManager(n.eng, txn.Config{SpillBytes: 1 << 20, PreparedMax: 20})
	must(c.t, err)
	n.mgr.SetHorizon(0)
	// Its own records are there before others may call it.
	n.br, err = txn.NewBranches(n.mgr, func(x txn.NodeID) (txn.Participant, error) {
		if x == id {
			return n.br, nil
		}
		return c.reach(x)
	})
	must(c.t, err)
	n.br.SetSerializer(c.oracle)
	for n.br.Resolve(ctx) != nil {
		time.Sleep(10 * time.Millisecond)
	}
	c.mu.Lock()
	c.nodes[id] = n
	c.mu.Unlock()
}

func (c *cluster) reach(id txn.NodeID) (txn.Participant, error) {
	return &faulty{c: c, id: id}, nil
}

// gateway's commits are seen through however slow the machine is.
func (c *cluster) gateway(id txn.NodeID) *Coordinator { return c.gatewayThatWaits(id, time.Minute) }

// gatewayThatWaits leaves a commit to the background when it has not come through in wait.
func (c *cluster) gatewayThatWaits(id txn.NodeID, wait time.Duration) *Coordinator {
	return New(Config{Self: id, Oracle: c.oracle, Node: c.reach, Placement: func() *txn.Placement { return c.place }, Nodes: c.place.Nodes,
		OutcomeWait: wait, EndWait: 50 * time.Millisecond})
}

// faulty is a participant behind a bad wire.
type faulty struct {
	c  *cluster
	id txn.NodeID
}

// via makes one call. What a node answers while it crashes is not heard: every answer
// that is was given before the picture of its disk was taken.
func via[T any](ctx context.Context, f *faulty, call string, do func(ctx context.Context, p *txn.Branches) (T, error)) (T, error) {
	var zero T
	f.c.mu.Lock()
	n := f.c.nodes[f.id]
	if n == nil {
		f.c.mu.Unlock()
		return zero, errDown
	}
	n.calls.Add(1)
	f.c.mu.Unlock()
	v, err := func() (T, error) {
		defer n.calls.Done()
		if h := f.c.fault.Load(); h != nil {
			if err := (*h)(f.id, call, false); err != nil {
				return zero, err
			}
		}
		if k := f.c.keep.Load(); k != nil {
			if (*k)(f.id, call, func() error { _, err := do(n.ctx, n.br); return err }) {
				return zero, errDown
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(n.ctx, cancel)()
		v, err := do(ctx, n.br)
		if h := f.c.fault.Load(); h != nil {
			if err := (*h)(f.id, call, true); err != nil {
				return zero, err
			}
		}
		return v, err
	}()
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if f.c.nodes[f.id] != n {
		return zero, errDown
	}
	return v, err
}

type none struct{}

type got struct {
	v  []byte
	ok bool
}

func (f *faulty) Get(ctx context.Context, b txn.Branch, at txn.ReadAt, key []byte) ([]byte, bool, error) {
	g, err := via(ctx, f, "get", func(ctx context.Context, p *txn.Branches) (got, error) {
		v, ok, err := p.Get(ctx, b, at, key)
		return got{v, ok}, err
	})
	return g.v, g.ok, err
}
func (f *faulty) GetMany(ctx context.Context, b txn.Branch, at txn.ReadAt, keys [][]byte) ([][]byte, error) {
	return via(ctx, f, "get", func(ctx context.Context, p *txn.Branches) ([][]byte, error) { return p.GetMany(ctx, b, at, keys) })
}
func (f *faulty) Scan(ctx context.Context, b txn.Branch, at txn.ReadAt, s txn.ScanPage) (txn.Page, error) {
	return via(ctx, f, "scan", func(ctx context.Context, p *txn.Branches) (txn.Page, error) { return p.Scan(ctx, b, at, s) })
}
func (f *faulty) Lock(ctx context.Context, b txn.Branch, at txn.ReadAt, l txn.LockCall) ([]txn.Newest, error) {
	return via(ctx, f, "lock", func(ctx context.Context, p *txn.Branches) ([]txn.Newest, error) { return p.Lock(ctx, b, at, l) })
}
func (f *faulty) Write(ctx context.Context, b txn.Branch, at txn.ReadAt, w []txn.BranchWrite) error {
	_, err := via(ctx, f, "write", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Write(ctx, b, at, w) })
	return err
}
func (f *faulty) LockRelation(ctx context.Context, b txn.Branch, id uint64, m txn.RelationLock, w txn.WaitPolicy, seq uint64, d time.Duration) error {
	_, err := via(ctx, f, "lockrelation", func(ctx context.Context, p *txn.Branches) (none, error) {
		return none{}, p.LockRelation(ctx, b, id, m, w, seq, d)
	})
	return err
}
func (f *faulty) RollbackTo(ctx context.Context, b txn.Branch, seq uint64) error {
	_, err := via(ctx, f, "rollbackto", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.RollbackTo(ctx, b, seq) })
	return err
}
func (f *faulty) Own(ctx context.Context, b txn.Branch, key []byte) (bool, error) {
	return via(ctx, f, "own", func(ctx context.Context, p *txn.Branches) (bool, error) { return p.Own(ctx, b, key) })
}
func (f *faulty) Prepare(ctx context.Context, b txn.Branch, r txn.NodeID) error {
	_, err := via(ctx, f, "prepare", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Prepare(ctx, b, r) })
	return err
}
func (f *faulty) Hold(ctx context.Context, b txn.Branch, r txn.NodeID) error {
	_, err := via(ctx, f, "hold", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Hold(ctx, b, r) })
	return err
}
func (f *faulty) Decide(ctx context.Context, b txn.Branch, ts txn.Timestamp) error {
	_, err := via(ctx, f, "decide", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Decide(ctx, b, ts) })
	return err
}
func (f *faulty) Apply(ctx context.Context, b txn.Branch, ts txn.Timestamp) error {
	_, err := via(ctx, f, "apply", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Apply(ctx, b, ts) })
	return err
}
func (f *faulty) Release(ctx context.Context, b txn.Branch) error {
	_, err := via(ctx, f, "release", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Release(ctx, b) })
	return err
}
func (f *faulty) Abort(ctx context.Context, b txn.Branch) error {
	_, err := via(ctx, f, "abort", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Abort(ctx, b) })
	return err
}

type outcome struct {
	ts txn.Timestamp
	o  txn.Outcome
}

func (f *faulty) Outcome(ctx context.Context, id txn.ID, fence bool) (txn.Timestamp, txn.Outcome, error) {
	o, err := via(ctx, f, "outcome", func(ctx context.Context, p *txn.Branches) (outcome, error) {
		ts, o, err := p.Outcome(ctx, id, fence)
		return outcome{ts, o}, err
	})
	return o.ts, o.o, err
}
func (f *faulty) Forget(ctx context.Context, id txn.ID) error {
	_, err := via(ctx, f, "forget", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.Forget(ctx, id) })
	return err
}
func (f *faulty) ReadNow(ctx context.Context, key []byte) ([]byte, error) {
	return via(ctx, f, "readnow", func(ctx context.Context, p *txn.Branches) ([]byte, error) { return p.ReadNow(ctx, key) })
}
func (f *faulty) SwapNow(ctx context.Context, key, old, v []byte) ([]byte, bool, error) {
	g, err := via(ctx, f, "swapnow", func(ctx context.Context, p *txn.Branches) (got, error) {
		v, ok, err := p.SwapNow(ctx, key, old, v)
		return got{v, ok}, err
	})
	return g.v, g.ok, err
}
func (f *faulty) SyncNow(ctx context.Context) error {
	_, err := via(ctx, f, "syncnow", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.SyncNow(ctx) })
	return err
}
func (f *faulty) Locks(ctx context.Context) ([]txn.LockInfo, error) {
	return via(ctx, f, "locks", func(ctx context.Context, p *txn.Branches) ([]txn.LockInfo, error) { return p.Locks(ctx) })
}
func (f *faulty) Waits(ctx context.Context) ([]txn.Wait, error) {
	return via(ctx, f, "waits", func(ctx context.Context, p *txn.Branches) ([]txn.Wait, error) { return p.Waits(ctx) })
}
func (f *faulty) CancelWait(ctx context.Context, id txn.ID, cause error) error {
	_, err := via(ctx, f, "cancelwait", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.CancelWait(ctx, id, cause) })
	return err
}
func (f *faulty) EndGateway(ctx context.Context, g txn.NodeID) error {
	_, err := via(ctx, f, "endgateway", func(ctx context.Context, p *txn.Branches) (none, error) { return none{}, p.EndGateway(ctx, g) })
	return err
}

// key is account i's, spread over the tablets.
func (c *cluster) key(i int) []byte {
	k := binary.BigEndian.AppendUint16(nil, uint16(c.place.Tablets[i%len(c.place.Tablets)].ID))
	return binary.BigEndian.AppendUint32(k, uint32(i))
}

func money(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
func amount(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b))
}

func begin(c *Coordinator, iso txn.Isolation) *transaction {
	t := c.Begin(txn.Options{Isolation: iso, ProcessID: 7}).(*transaction)
	t.BeginStatement()
	return t
}

func (c *cluster) deposit(g *Coordinator, accounts int, each int64) {
	t := begin(g, txn.ReadCommitted)
	for i := range accounts {
		_, err := t.LockUnique(ctx, c.key(i))
		must(c.t, err)
		must(c.t, t.PutNew(ctx, c.key(i), money(each)))
	}
	_, err := t.Commit(ctx)
	must(c.t, err)
}

// total reads all accounts at one snapshot.
func (c *cluster) total(g *Coordinator) (sum int64, rows int, err error) {
	t := begin(g, txn.RepeatableRead)
	defer t.Rollback()
	for _, tb := range c.place.Tablets {
		lower := binary.BigEndian.AppendUint16(nil, uint16(tb.ID))
		it, err := t.NewIter(ctx, txn.IterOptions{Lower: lower, Upper: binary.BigEndian.AppendUint16(nil, uint16(tb.ID)+1)})
		if err != nil {
			return 0, 0, err
		}
		for it.Next() {
			sum += amount(it.Value())
			rows++
		}
		if err := errors.Join(it.Err(), it.Close()); err != nil {
			return 0, 0, err
		}
	}
	return sum, rows, nil
}

// transfer moves one unit; applied reports what the client knows.
func (c *cluster) transfer(g *Coordinator, from, to int) error {
	t := begin(g, txn.ReadCommitted)
	defer t.Rollback()
	for _, x := range []struct{ i, d int }{{from, -1}, {to, 1}} {
		n, err := t.LockRow(ctx, c.key(x.i), txn.LockNoKeyUpdate, txn.WaitBlock)
		if err != nil {
			return err
		}
		if err := t.Put(ctx, c.key(x.i), money(amount(n.Value)+int64(x.d))); err != nil {
			return err
		}
		t.BeginStatement()
	}
	_, err := t.Commit(ctx)
	return err
}

func TestReadYourWrites(t *testing.T) {
	c := newCluster(t, 3)
	g := c.gateway(1)
	defer g.Close()
	c.deposit(g, 12, 100)
	x := begin(g, txn.ReadCommitted)
	defer x.Rollback()
	must(t, x.Put(ctx, c.key(3), money(5)))
	if v, _, err := x.Get(ctx, c.key(3)); err != nil || amount(v) != 100 {
		t.Fatalf("a statement sees its own write: %d, %v", amount(v), err)
	}
	sp := x.Savepoint()
	x.BeginStatement()
	must(t, x.Delete(ctx, c.key(4)))
	x.BeginStatement()
	if v, _, err := x.Get(ctx, c.key(3)); err != nil || amount(v) != 5 {
		t.Fatalf("%d, %v", amount(v), err)
	}
	if _, ok, err := x.Get(ctx, c.key(4)); err != nil || ok {
		t.Fatalf("%v, %v", ok, err)
	}
	must(t, x.RollbackTo(sp))
	x.BeginStatement()
	if v, ok, err := x.Get(ctx, c.key(4)); err != nil || !ok || amount(v) != 100 {
		t.Fatalf("%v, %v", ok, err)
	}
	if wrote, err := x.WroteKey(c.key(3)); err != nil || !wrote {
		t.Fatalf("%v, %v", wrote, err)
	}
	_, err := x.Commit(ctx)
	must(t, err)
	if sum, rows, err := c.total(g); err != nil || sum != 11*100+5 || rows != 12 {
		t.Fatalf("%d of %d rows, %v", sum, rows, err)
	}
}

// TestTransfers runs transfers from two gateways beside readers of the sum.
func TestTransfers(t *testing.T) {
	c := newCluster(t, 3)
	g1, g2 := c.gateway(1), c.gateway(2)
	defer g1.Close()
	defer g2.Close()
	const accounts = 20
	c.deposit(g1, accounts, 100)
	d := &Detector{Interval: 20 * time.Millisecond, Nodes: c.place.Nodes, Node: c.reach}
	dctx, stop := context.WithCancel(ctx)
	var wg, dwg sync.WaitGroup
	dwg.Add(1)
	go func() { defer dwg.Done(); d.Run(dctx) }()
	var deadlocks, done atomic.Int64
	for w := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(1, uint64(w)))
			g := g1
			if w%2 == 1 {
				g = g2
			}
			for range 60 {
				err := c.transfer(g, r.IntN(accounts), r.IntN(accounts))
				switch {
				case err == nil:
					done.Add(1)
				case pgerror.Is(err, pgerror.DeadlockDetected):
					deadlocks.Add(1)
				default:
					t.Error(err)
				}
			}
		}()
	}
	for range 30 {
		if sum, rows, err := c.total(g2); err != nil || sum != accounts*100 || rows != accounts {
			t.Errorf("%d of %d rows, %v", sum, rows, err)
		}
	}
	wg.Wait()
	stop()
	dwg.Wait()
	t.Logf("%d transfers, %d deadlocks", done.Load(), deadlocks.Load())
}

// TestFaults loses calls and answers, and crashes nodes, while transfers run: no
// money is lost or made, and what was acknowledged stays.
func TestFaults(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := newCluster(t, 3)
	patient := c.gateway(1)
	defer patient.Close()
	g := c.gatewayThatWaits(1, time.Second)
	defer g.Close()
	const accounts = 12
	c.deposit(patient, accounts, 100)
	var fmu sync.Mutex
	fr := rand.New(rand.NewPCG(seed, 0))
	fault := func(n txn.NodeID, call string, after bool) error {
		fmu.Lock()
		defer fmu.Unlock()
		if fr.IntN(100) < 3 {
			return errDown
		}
		return nil
	}
	c.fault.Store(&fault)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var moved atomic.Int64
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(seed, uint64(w)+1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				tctx := r.IntN(accounts / 4)
				// Disjoint accounts for each worker: no waits, only faults.
				if c.transfer(g, w+4*tctx, w+4*r.IntN(accounts/4)) == nil {
					moved.Add(1)
				}
			}
		}()
	}
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		c.crash(txn.NodeID(2 + rand.N(2)))
	}
	close(stop)
	wg.Wait()
	c.fault.Store(nil)
	deadline := time.Now().Add(time.Minute)
	for {
		sum, rows, err := c.total(g)
		if err != nil || sum != accounts*100 || rows != accounts {
			t.Fatalf("%d of %d rows, %v", sum, rows, err)
		}
		free := true
		for _, n := range c.nodes {
			l, err := n.br.Locks(ctx)
			must(t, err)
			free = free && len(l) == 0
		}
		if free {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("locks are left")
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%d transfers", moved.Load())
}

// TestGatewayDies kills a gateway at every step of a commit, and lets recovery end it.
func TestGatewayDies(t *testing.T) {
	for _, step := range []string{"write", "prepare", "decide", "apply", "release"} {
		for _, after := range []bool{false, true} {
			for skip := range 2 {
				c := newCluster(t, 3)
				g1, g2 := c.gateway(1), c.gatewayThatWaits(9, time.Second)
				c.deposit(g1, 6, 100)
				var dead atomic.Bool
				var left atomic.Int64
				left.Store(int64(skip))
				fault := func(n txn.NodeID, call string, a bool) error {
					if dead.Load() || call == step && a == after && left.Add(-1) < 0 {
						dead.Store(true)
						return errDown
					}
					return nil
				}
				c.fault.Store(&fault)
				short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				go func() { <-short.Done(); g2.cancel() }()
				x := begin(g2, txn.ReadCommitted)
				var err error
				for i := range 6 {
					if _, err = x.LockRow(short, c.key(i), txn.LockNoKeyUpdate, txn.WaitBlock); err != nil {
						break
					}
					if err = x.Put(short, c.key(i), money(int64(100+(i%2)*2-1))); err != nil {
						break
					}
				}
				done := make(chan struct{})
				if err == nil {
					go func() { defer close(done); _, _ = x.Commit(short) }()
					<-short.Done()
					time.Sleep(20 * time.Millisecond)
				} else {
					close(done)
				}
				cancel()
				c.fault.Store(nil)
				rec := &Recovery{Oracle: c.oracle, Nodes: c.place.Nodes, Node: c.reach, Dead: func(txn.NodeID) bool { return false }}
				must(t, rec.EndGateway(ctx, 9))
				for _, n := range c.nodes {
					if r := n.br.TestingRecords(); r > 0 {
						t.Errorf("%s, after %v, %d: %d records of aborts are left", step, after, skip, r)
					}
					if l, _ := n.br.Locks(ctx); len(l) > 0 {
						t.Errorf("%s, after %v, %d: locks are left: %+v", step, after, skip, l)
					}
				}
				if sum, rows, err := c.total(g1); err != nil || sum != 600 || rows != 6 {
					t.Errorf("%s, after %v, %d: %d of %d rows, %v", step, after, skip, sum, rows, err)
				}
				must(t, c.transfer(g1, 0, 5))
				c.fault.Store(&fault)
				<-done
				must(t, g2.Close())
				must(t, g1.Close())
			}
		}
	}
}

// TestLockFreshAgain: a key that comes twice is found written the second time.
func TestLockFreshAgain(t *testing.T) {
	c := newCluster(t, 2)
	g := c.gateway(1)
	defer g.Close()
	tx := g.Begin(txn.Options{}).(txn.RowTxn)
	tx.BeginStatement()
	a, b := []byte("\x00\x02twice"), []byte("\x00\x03once")
	var found []bool
	must(t, tx.LockFresh(ctx, [][]byte{a, b, a, b}, func(i int, n txn.Newest) error {
		found = append(found, n.Exists)
		return tx.PutNew(ctx, [][]byte{a, b, a, b}[i], []byte("v"))
	}))
	if len(found) != 4 || found[0] || found[1] || !found[2] || !found[3] {
		t.Errorf("found %v", found)
	}
	for _, k := range [][]byte{a, b} {
		if own, err := tx.WroteKey(k); err != nil || !own {
			t.Errorf("own write of %q: %v %v", k, own, err)
		}
	}
	tx.Rollback()
}

// TestLocksLost: a commit fails when a node has restarted and lost a lock it relied on.
func TestLocksLost(t *testing.T) {
	c := newCluster(t, 3)
	g := c.gateway(1)
	defer g.Close()
	tx := g.Begin(txn.Options{}).(txn.RowTxn)
	tx.BeginStatement()
	// Tablet 3 lies on node 2, tablet 4 on node 3.
	if _, err := tx.LockRow(ctx, []byte("\x00\x03parent"), txn.LockKeyShare, txn.WaitBlock); err != nil {
		t.Fatal(err)
	}
	must(t, tx.PutNew(ctx, []byte("\x00\x04child"), []byte("v")))
	c.crash(2)
	if _, err := tx.Commit(ctx); !pgerror.Is(err, txn.BranchLost) {
		t.Errorf("commit without the lock: %v", err)
	}
}
