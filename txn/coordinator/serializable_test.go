package coordinator

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// twoGateways are one that notes at once and one that holds notes back.
func (c *cluster) twoGateways() (near, far *Coordinator) {
	near, far = c.gateway(1), c.gateway(2)
	far.cfg.HoldNotes = true
	c.t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// look reads account i, noted, by way of the gateway or of a fragment on its node.
func (c *cluster) look(tx *transaction, i int, inFragment bool) (int64, error) {
	key := c.key(i)
	if !inFragment {
		if err := tx.PredicateRead(key, nil); err != nil {
			return 0, err
		}
		v, _, err := tx.Get(ctx, key)
		if err != nil {
			return 0, err
		}
		return amount(v), nil
	}
	n := c.place.NodeOf(txn.TabletOf(key))
	s, err := tx.Share(ctx, []txn.NodeID{n}, nil)
	if err != nil {
		return 0, err
	}
	f, done, err := c.nodes[n].br.Fragment(s.Branches[n], s.At, s.Seq, 0)
	if err != nil {
		return 0, err
	}
	defer done(true)
	if err := f.PredicateRead(key, nil); err != nil {
		return 0, err
	}
	v, _, err := f.Get(ctx, key)
	if err == nil {
		err = f.(txn.Noter).FlushNotes(ctx)
	}
	if err != nil {
		return 0, err
	}
	return amount(v), nil
}

// change writes account i.
func (c *cluster) change(tx *transaction, i int, v int64) error {
	if _, err := tx.LockRow(ctx, c.key(i), txn.LockNoKeyUpdate, txn.WaitBlock); err != nil {
		return err
	}
	if err := tx.Put(ctx, c.key(i), money(v)); err != nil {
		return err
	}
	return tx.FlushNotes(ctx)
}

func isFailure(err error) bool { return pgerror.Is(err, pgerror.SerializationFailure) }

// TestWriteSkew: of two transactions that each read what the other changes, on other
// nodes, one fails, whatever gateways they come from and wherever they read.
func TestWriteSkew(t *testing.T) {
	c := newCluster(t, 3)
	near, far := c.twoGateways()
	c.deposit(near, 12, 1)
	for _, gs := range [][2]*Coordinator{{near, near}, {near, far}, {far, near}, {far, far}} {
		for mode := range 4 {
			a, b := begin(gs[0], txn.Serializable), begin(gs[1], txn.Serializable)
			_, err := c.look(a, 1, mode&1 != 0)
			must(t, err)
			_, err = c.look(b, 2, mode&2 != 0)
			must(t, err)
			must(t, c.change(a, 2, 5))
			err = c.change(b, 1, 5)
			if err == nil {
				_, err = a.Commit(ctx)
				must(t, err)
				if _, err = b.Commit(ctx); err == nil {
					t.Errorf("mode %d: both have committed", mode)
				}
			} else if _, err := a.Commit(ctx); err != nil {
				t.Errorf("mode %d: both have failed: %v", mode, err)
			}
			if err != nil && !isFailure(err) {
				t.Error(err)
			}
			b.Rollback()
		}
	}
	if n := c.oracle.Watched(); n != 0 {
		t.Errorf("%d transactions are still watched", n)
	}
}

// TestSkewUnderLoad: pairs of accounts of which a transaction empties one when both
// together allow it, through two gateways at once. No pair goes below zero.
func TestSkewUnderLoad(t *testing.T) {
	c := newCluster(t, 3)
	near, far := c.twoGateways()
	const pairs = 4
	c.deposit(near, 2*pairs, 1)
	var wg sync.WaitGroup
	var committed sync.Map
	for w := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			g := []*Coordinator{near, far}[w%2]
			for range 60 {
				i := 2 * rng.IntN(pairs)
				tx := begin(g, txn.Serializable)
				err := func() error {
					x, err := c.look(tx, i, rng.IntN(2) == 0)
					if err != nil {
						return err
					}
					y, err := c.look(tx, i+1, rng.IntN(2) == 0)
					if err != nil {
						return err
					}
					if x+y < 0 {
						t.Errorf("pair %d has %d and %d", i, x, y)
					}
					at, v := i, x
					if rng.IntN(2) == 0 {
						at, v = i+1, y
					}
					if x+y > 0 {
						v--
					} else {
						v += 1 - (x + y)
					}
					if err := c.change(tx, at, v); err != nil {
						return err
					}
					_, err = tx.Commit(ctx)
					return err
				}()
				tx.Rollback()
				if err == nil {
					committed.Store([2]int{w, rng.Int()}, true)
				} else if !isFailure(err) && !pgerror.Is(err, pgerror.DeadlockDetected) {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	n := 0
	committed.Range(func(any, any) bool { n++; return true })
	if n == 0 {
		t.Error("nothing has committed")
	}
	if n := c.oracle.Watched(); n != 0 {
		t.Errorf("%d transactions are still watched", n)
	}
}

// TestFirstNodeForgets: what the first node has noted is gone when it restarts, and with
// it every SERIALIZABLE transaction, those that only read included. One that is safe stays.
func TestFirstNodeForgets(t *testing.T) {
	c := newCluster(t, 3)
	g, far := c.twoGateways()
	c.deposit(g, 12, 1)
	safe := g.Begin(txn.Options{Isolation: txn.Serializable, ReadOnly: true}).(*transaction)
	safe.BeginStatement()
	reads, writes, holds := begin(g, txn.Serializable), begin(g, txn.Serializable), begin(far, txn.Serializable)
	for _, tx := range []*transaction{safe, reads, holds} {
		_, err := c.look(tx, 1, false)
		must(t, err)
	}
	must(t, c.change(writes, 2, 5))
	var err error
	old := c.oracle
	c.oracle, err = txn.NewOracleService(c.nodes[1].mgr)
	must(t, err)
	for _, x := range []*Coordinator{g, far} {
		x.cfg.Oracle = c.oracle
	}
	for what, tx := range map[string]*transaction{"reads": reads, "writes": writes, "holds": holds} {
		if _, err := tx.Commit(ctx); !isFailure(err) {
			t.Errorf("%s, committed after a restart of the first node: %v", what, err)
		}
	}
	if _, err := safe.Commit(ctx); err != nil {
		t.Error(err)
	}
	late := begin(g, txn.Serializable)
	if err := c.change(late, 1, 7); err != nil { // nobody is left who could be in the way
		t.Error(err)
	}
	_, err = late.Commit(ctx)
	must(t, err)
	_ = old
}

// TestSafeSnapshot: DEFERRABLE waits for those who could make it unsafe, also for those
// of a gateway that dies, and takes another snapshot when they did.
func TestSafeSnapshot(t *testing.T) {
	c := newCluster(t, 3)
	g, far := c.twoGateways()
	c.deposit(g, 12, 1)
	deferrable := func(g *Coordinator) (*transaction, chan error) {
		tx := g.Begin(txn.Options{Isolation: txn.Serializable, ReadOnly: true, Deferrable: true, ProcessID: 77}).(*transaction)
		done := make(chan error, 1)
		go func() { done <- tx.AwaitSafeSnapshot(ctx) }()
		return tx, done
	}
	waits := func(done chan error) {
		t.Helper()
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(30 * time.Millisecond):
		}
	}
	// T1 → T2, T2 commits before the deferrable one begins, T1 after: unsafe, so once more.
	t1, t2 := begin(far, txn.Serializable), begin(g, txn.Serializable)
	_, err := c.look(t1, 1, false)
	must(t, err)
	must(t, t1.FlushNotes(ctx))
	must(t, c.change(t2, 1, 5))
	_, err = t2.Commit(ctx)
	must(t, err)
	must(t, c.change(t1, 2, 5))
	tx, done := deferrable(g)
	waits(done)
	if b := far.SafeSnapshotBlockers(77); len(b) != 1 || b[0] != 7 {
		t.Errorf("blocked by %v", b)
	}
	before := tx.snap
	_, err = t1.Commit(ctx)
	must(t, err)
	must(t, <-done)
	if tx.snap <= before {
		t.Error("the snapshot that was unsafe is used")
	}
	if v, err := c.look(tx, 2, true); err != nil || v != 5 {
		t.Errorf("%d, %v", v, err)
	}
	_, err = tx.Commit(ctx)
	must(t, err)
	// A gateway dies.
	t3 := begin(far, txn.Serializable)
	must(t, c.change(t3, 3, 5))
	_, done = deferrable(g)
	waits(done)
	rec := &Recovery{Oracle: c.oracle, Nodes: c.place.Nodes, Node: c.reach, Dead: func(txn.NodeID) bool { return false }}
	must(t, rec.EndGateway(ctx, 2))
	must(t, <-done)
	if _, err := t3.Commit(ctx); err == nil {
		t.Error("a transaction of a gateway that was given up has committed")
	}
}

// lossy loses calls of a gateway's transactions to the Serializer.
type lossy struct {
	txn.Oracle
	lose func(call string) (before, after bool)
}

func (l *lossy) BeginSerializable(ctx context.Context, x txn.SerialTxn, id txn.ID, o txn.Options) (txn.SnapshotInfo, bool, error) {
	before, after := l.lose("begin")
	if before {
		return txn.SnapshotInfo{}, false, errDown
	}
	i, w, err := l.Oracle.BeginSerializable(ctx, x, id, o)
	if after {
		err = errDown
	}
	return i, w, err
}

func (l *lossy) Note(ctx context.Context, x txn.SerialTxn, n []txn.Note) (bool, error) {
	before, after := l.lose("note")
	if before {
		return false, errDown
	}
	safe, err := l.Oracle.Note(ctx, x, n)
	if after {
		err = errDown
	}
	return safe, err
}

func (l *lossy) BeginCommit(ctx context.Context, r txn.CommitRequest) (txn.Timestamp, error) {
	ts, err := l.Oracle.BeginCommit(ctx, r)
	if _, after := l.lose("commit"); after {
		return 0, errDown
	}
	return ts, err
}

// TestLostNotes: an answer that is lost leaves nothing behind, and what was not noted
// for it is noted before the commit.
func TestLostNotes(t *testing.T) {
	c := newCluster(t, 2)
	g, far := c.twoGateways()
	c.deposit(g, 8, 1)
	for _, after := range []bool{false, true} {
		var lost string
		far.cfg.Oracle = &lossy{c.oracle, func(call string) (bool, bool) { return call == lost && !after, call == lost && after }}
		lost = "begin"
		x := begin(far, txn.Serializable)
		if _, err := c.look(x, 1, false); err == nil {
			t.Error("a transaction without a snapshot reads")
		}
		x.Rollback()
		if n := c.oracle.Watched(); n != 0 {
			t.Errorf("%d transactions are still watched", n)
		}
		lost = "note"
		x = begin(far, txn.Serializable)
		y := begin(g, txn.Serializable)
		_, err := c.look(x, 1, false)
		must(t, err)
		sp := x.Savepoint()
		if err := x.FlushNotes(ctx); err == nil {
			t.Error("the call was not lost")
		}
		must(t, x.RollbackTo(sp))
		lost = ""
		_, err = c.look(y, 2, false)
		must(t, err)
		must(t, c.change(y, 1, 5))
		err = c.change(x, 2, 5)
		if err == nil {
			_, err = x.Commit(ctx)
		}
		if err == nil {
			_, err = y.Commit(ctx)
		}
		if !isFailure(err) {
			t.Errorf("write skew after notes that were lost: %v", err)
		}
		x.Rollback()
		y.Rollback()
	}
	// The timestamp of a commit is not heard of: it holds nobody back.
	far.cfg.Oracle = &lossy{c.oracle, func(call string) (bool, bool) { return false, call == "commit" }}
	z := begin(far, txn.Serializable)
	must(t, c.change(z, 3, 5))
	if _, err := z.Commit(ctx); err == nil {
		t.Error("a commit without a timestamp")
	}
	y := begin(g, txn.Serializable)
	must(t, c.change(y, 3, 6))
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := y.Commit(short)
	must(t, err)
	if n := c.oracle.Watched(); n != 0 {
		t.Errorf("%d transactions are still watched", n)
	}
	// The end comes before the beginning.
	ends := txn.SerialTxn{Gateway: 2, Number: 99}
	must(t, c.oracle.EndSerializable(ctx, ends, nil, false))
	if _, _, err := c.oracle.BeginSerializable(ctx, ends, 0, txn.Options{Isolation: txn.Serializable}); err == nil {
		t.Error("a transaction that was ended begins")
	}
}
