package coordinator

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// hosting is a cluster whose first node ends prepared transactions.
type hosting struct {
	*cluster
	gateways []*Coordinator

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	dead sync.Map // NodeID
}

func newHosting(t *testing.T, nodes int) *hosting {
	h := &hosting{cluster: newCluster(t, nodes)}
	near, far := h.twoGateways()
	h.gateways = []*Coordinator{near, far}
	h.serve()
	t.Cleanup(func() { h.stop(); h.wg.Wait() })
	return h
}

// serve has the first node end what it has decided.
func (h *hosting) serve() {
	h.ctx, h.stop = context.WithCancel(ctx)
	run := h.ctx
	h.oracle.SetCluster(txn.Cluster{Node: h.reach, Dead: func(n txn.NodeID) bool { _, ok := h.dead.Load(n); return ok }, Go: func(f func(ctx context.Context)) {
		h.wg.Add(1)
		go func() { defer h.wg.Done(); f(run) }()
	}})
}

// restart crashes a node; the first one comes back with a new epoch, and all settle.
func (h *hosting) restart(id txn.NodeID) {
	if id != 1 {
		h.crash(id)
		return
	}
	h.stop()
	h.wg.Wait()
	h.crash(1)
	var err error
	h.oracle, err = txn.NewOracleService(h.nodes[1].mgr)
	must(h.t, err)
	for _, g := range h.gateways {
		g.cfg.Oracle = h.oracle
	}
	for _, n := range h.nodes { // before it serves anything, as Resolve demands
		n.br.SetSerializer(h.oracle)
		must(h.t, n.br.Resolve(ctx))
	}
	h.serve()
}

// endGateway is a gateway's death.
func (h *hosting) endGateway(g txn.NodeID) error {
	rec := &Recovery{Oracle: h.oracle, Nodes: h.place.Nodes, Node: h.reach, Dead: func(txn.NodeID) bool { return false }}
	return rec.EndGateway(ctx, g)
}

// prepare prepares a transaction of a gateway that writes accounts 0 to n-1, locks account n
// and a relation, and has an advisory lock.
func (h *hosting) prepare(g *Coordinator, gid string, n int, value int64) error {
	s := g.AdvisoryLocks(7)
	tx := begin(g, txn.Serializable)
	s.Bind(tx)
	defer s.Close()
	if _, err := s.Lock(ctx, txn.AdvisoryKey{Key: 1}, false, true, txn.WaitError, 0, 0); err != nil {
		tx.Rollback()
		return err
	}
	err := func() error {
		for i := range n {
			if _, err := tx.LockRow(ctx, h.key(i), txn.LockNoKeyUpdate, txn.WaitError); err != nil {
				return err
			}
			if err := tx.Put(ctx, h.key(i), money(value)); err != nil {
				return err
			}
		}
		if _, err := tx.LockRow(ctx, h.key(n), txn.LockShare, txn.WaitError); err != nil {
			return err
		}
		return tx.LockRelation(ctx, 5<<32|77, txn.RowExclusive, txn.WaitError)
	}()
	if err != nil {
		tx.Rollback()
		return err
	}
	return tx.Prepare(ctx, txn.PreparedInfo{GID: gid, Owner: 10, Database: 5, Time: time.UnixMicro(77), Note: []byte("n")}, s)
}

func (h *hosting) finish(g *Coordinator, gid string, commit bool) error {
	p, err := g.ClaimPrepared(ctx, gid, func(*txn.PreparedInfo) error { return nil })
	if err != nil {
		return err
	}
	if !commit {
		return p.Rollback(ctx)
	}
	_, err = p.Commit(ctx)
	return err
}

// locked checks that what a prepared transaction has locked is, or is not.
func (h *hosting) locked(n int, want bool) {
	h.t.Helper()
	g := h.gateways[0]
	s := g.AdvisoryLocks(9)
	defer s.Close()
	tries := map[string]func(tx *transaction) error{
		"relation": func(tx *transaction) error { return tx.LockRelation(ctx, 5<<32|77, txn.ShareLock, txn.WaitError) },
		"shared": func(tx *transaction) error {
			_, err := tx.LockRow(ctx, h.key(n), txn.LockUpdate, txn.WaitError)
			return err
		},
		"advisory": func(tx *transaction) error {
			got, err := s.Lock(ctx, txn.AdvisoryKey{Key: 1}, false, false, txn.WaitError, 0, 0)
			if err == nil && !got {
				err = pgerror.New(pgerror.LockNotAvailable, "held")
			}
			return err
		},
	}
	for i := range n {
		tries[fmt.Sprint("row ", i)] = func(tx *transaction) error {
			_, err := tx.LockRow(ctx, h.key(i), txn.LockShare, txn.WaitError)
			return err
		}
	}
	for what, try := range tries {
		tx := begin(g, txn.ReadCommitted)
		if err := try(tx); pgerror.Is(err, pgerror.LockNotAvailable) != want || !want && err != nil {
			h.t.Errorf("%s: %v, locked should be %v", what, err, want)
		}
		tx.Rollback()
	}
}

func (h *hosting) value(i int) int64 {
	h.t.Helper()
	tx := begin(h.gateways[0], txn.ReadCommitted)
	defer tx.Rollback()
	v, ok, err := tx.Get(ctx, h.key(i))
	must(h.t, err)
	if !ok {
		h.t.Fatalf("account %d is gone", i)
	}
	return amount(v)
}

// TestPrepared: a prepared transaction keeps its locks and stays undecided through the end of
// its gateway and restarts of nodes, and is finished from another gateway, whole.
func TestPrepared(t *testing.T) {
	events := map[string]func(h *hosting){
		"nothing": func(h *hosting) {},
		"gateway": func(h *hosting) { must(h.t, h.endGateway(2)) },
		"node":    func(h *hosting) { h.restart(2) },
		"first":   func(h *hosting) { h.restart(1) },
		"all": func(h *hosting) {
			must(h.t, h.endGateway(2))
			for _, n := range []txn.NodeID{3, 1, 2, 1} {
				h.restart(n)
			}
		},
	}
	for what, event := range events {
		for _, commit := range []bool{true, false} {
			t.Run(fmt.Sprint(what, " ", commit), func(t *testing.T) {
				h := newHosting(t, 3)
				h.deposit(h.gateways[0], 8, 1)
				must(t, h.prepare(h.gateways[1], "g", 5, 2))
				if err := h.prepare(h.gateways[0], "other", 1, 3); !pgerror.Is(err, pgerror.LockNotAvailable) {
					if err == nil {
						t.Fatal("prepared over another's locks")
					}
				}
				event(h)
				infos, err := h.gateways[0].Prepared(ctx)
				must(t, err)
				if len(infos) != 1 || infos[0].GID != "g" || infos[0].Owner != 10 || infos[0].Database != 5 || infos[0].Time.UnixMicro() != 77 || string(infos[0].Note) != "n" {
					t.Fatalf("%+v", infos)
				}
				h.locked(5, true)
				for i := range 6 {
					if v := h.value(i); v != 1 {
						t.Errorf("account %d has %d", i, v)
					}
				}
				must(t, h.finish(h.gateways[0], "g", commit))
				want := int64(1)
				if commit {
					want = 2
				}
				check := func() {
					t.Helper()
					for i := range 5 {
						if v := h.value(i); v != want {
							t.Errorf("account %d has %d, want %d", i, v, want)
						}
					}
					if infos, err := h.gateways[0].Prepared(ctx); err != nil || len(infos) != 0 {
						t.Errorf("%v, %v", infos, err)
					}
				}
				check()
				for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) { // locks go in the background
					tx := begin(h.gateways[0], txn.ReadCommitted)
					err := tx.LockRelation(ctx, 5<<32|77, txn.ShareLock, txn.WaitError)
					for i := 0; err == nil && i < 6; i++ {
						_, err = tx.LockRow(ctx, h.key(i), txn.LockUpdate, txn.WaitError)
					}
					tx.Rollback()
					if err == nil {
						break
					}
					if time.Now().After(end) {
						t.Fatal(err)
					}
				}
				h.locked(5, false)
				if err := h.finish(h.gateways[0], "g", commit); !pgerror.Is(err, pgerror.UndefinedObject) {
					t.Errorf("once more: %v", err)
				}
				for n := range 3 {
					h.restart(txn.NodeID(n + 1))
				}
				check()
				h.locked(5, false)
			})
		}
	}
}

// TestPrepareFails: whatever goes wrong on the way leaves nothing, and the name is free.
func TestPrepareFails(t *testing.T) {
	h := newHosting(t, 3)
	h.deposit(h.gateways[0], 8, 1)
	for _, at := range []txn.NodeID{1, 2, 3} {
		for _, after := range []bool{false, true} {
			f := func(n txn.NodeID, call string, a bool) error {
				if n == at && call == "hold" && a == after {
					return errDown
				}
				return nil
			}
			h.fault.Store(&f)
			if err := h.prepare(h.gateways[1], "g", 5, 2); err == nil {
				t.Fatalf("prepared without node %d", at)
			}
			h.fault.Store(nil)
			h.locked(5, false)
		}
	}
	// The gateway dies between: the branches are ended, and it comes too late.
	dies := false
	f := func(n txn.NodeID, call string, a bool) error { return nil }
	h.fault.Store(&f)
	far := h.gateways[1]
	far.cfg.Oracle = &interrupts{Oracle: h.oracle, confirm: func() error { dies = true; return h.endGateway(2) }}
	if err := h.prepare(far, "g", 5, 2); !isFailure(err) || !dies {
		t.Fatalf("of a gateway that was given up: %v", err)
	}
	h.locked(5, false)
	// An answer is lost: it is prepared all the same.
	far.cfg.Oracle = &interrupts{Oracle: h.oracle, after: errDown}
	must(t, h.prepare(far, "g", 5, 2))
	h.locked(5, true)
	far.cfg.Oracle = h.oracle
	if err := h.prepare(far, "h", 0, 2); err == nil {
		t.Error("an advisory lock that is held")
	}
	must(t, h.finish(far, "g", false))
	h.locked(5, false)
	// A name that is in use.
	must(t, h.prepare(far, "g", 1, 2))
	tx := begin(far, txn.ReadCommitted)
	must(t, h.change(tx, 4, 5))
	if err := tx.Prepare(ctx, txn.PreparedInfo{GID: "g"}, nil); !pgerror.Is(err, pgerror.DuplicateObject) {
		t.Errorf("a name in use: %v", err)
	}
	must(t, h.finish(far, "g", true))
	// One that has done nothing.
	tx = begin(far, txn.ReadCommitted)
	must(t, tx.Prepare(ctx, txn.PreparedInfo{GID: "empty"}, nil))
	must(t, h.finish(h.gateways[0], "empty", true))
	must(t, h.oracle.ForgoPrepared(ctx, 1<<50))
	if err := h.oracle.ReservePrepared(ctx, txn.PrepareRequest{Gateway: 2, Epoch: h.oracle.Epoch(), Info: txn.PreparedInfo{GID: "late", Txn: 1 << 50}}); !isFailure(err) {
		t.Errorf("a late call: %v", err)
	}
}

// interrupts does something around ConfirmPrepared.
type interrupts struct {
	txn.Oracle
	confirm func() error
	after   error
}

func (i *interrupts) ConfirmPrepared(ctx context.Context, r txn.PrepareRequest) error {
	if i.confirm != nil {
		if err := i.confirm(); err != nil {
			return err
		}
	}
	if err := i.Oracle.ConfirmPrepared(ctx, r); err != nil {
		return err
	}
	return i.after
}

// TestFinishWithoutNode: a node that is down keeps a prepared transaction undecided; one that
// goes down after the decision finds out by itself, and so does the first node.
func TestFinishWithoutNode(t *testing.T) {
	h := newHosting(t, 3)
	h.deposit(h.gateways[0], 8, 1)
	must(t, h.prepare(h.gateways[1], "g", 5, 2))
	fails := func(calls ...string) {
		f := func(n txn.NodeID, call string, _ bool) error {
			for _, c := range calls {
				if n == 3 && call == c {
					return errDown
				}
			}
			return nil
		}
		h.fault.Store(&f)
	}
	fails("own")
	if err := h.finish(h.gateways[0], "g", true); err == nil {
		t.Fatal("decided without a node")
	}
	h.fault.Store(nil)
	h.locked(5, true)
	fails("apply", "release", "abort")
	h.dead.Store(txn.NodeID(3), true) // its lease has ended since
	must(t, h.finish(h.gateways[0], "g", true))
	h.restart(1)
	h.restart(3) // finds the outcome
	h.fault.Store(nil)
	h.dead.Delete(txn.NodeID(3))
	for i := range 5 {
		if v := h.value(i); v != 2 {
			t.Errorf("account %d has %d", i, v)
		}
	}
	h.locked(5, false)
	// Rolled back while a node is down.
	must(t, h.prepare(h.gateways[1], "g", 5, 3))
	fails("abort")
	must(t, h.finish(h.gateways[0], "g", false))
	h.restart(3)
	h.fault.Store(nil)
	for i := range 5 {
		if v := h.value(i); v != 2 {
			t.Errorf("account %d has %d", i, v)
		}
	}
	h.locked(5, false)
	// Decided, and the first node crashes before anybody has heard of it.
	must(t, h.prepare(h.gateways[1], "g", 5, 4))
	var once sync.Once
	reached := make(chan struct{})
	f := func(_ txn.NodeID, call string, _ bool) error {
		if call == "apply" {
			once.Do(func() { close(reached) })
			return errDown
		}
		return nil
	}
	h.fault.Store(&f)
	short, cancel := context.WithCancel(ctx)
	go func() { <-reached; cancel() }()
	p, err := h.gateways[0].ClaimPrepared(ctx, "g", func(*txn.PreparedInfo) error { return nil })
	must(t, err)
	if _, err := p.Commit(short); !pgerror.Is(err, "08007") {
		t.Fatalf("given up: %v", err)
	}
	h.fault.Store(nil)
	h.restart(1)
	for i := range 5 {
		if v := h.value(i); v != 4 {
			t.Errorf("account %d has %d", i, v)
		}
	}
	h.locked(5, false)
}
