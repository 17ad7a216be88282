package txnrpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/basaltdb/basalt/rpc/txnrpc"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/txn/coordinator"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cluster is three nodes behind loopback sockets, the oracle at node 1.
type cluster struct {
	place   *txn.Placement
	servers map[txn.NodeID]*grpc.Server
	parts   map[txn.NodeID]txn.Participant
	oracle  txn.Oracle
}

const messageMax = 64 << 20

func start(t testing.TB) *cluster {
	c := &cluster{place: txn.EvenPlacement(1, []txn.NodeID{1, 2, 3}, 6), servers: map[txn.NodeID]*grpc.Server{}, parts: map[txn.NodeID]txn.Participant{}}
	var identity wire.Identity
	identity.Set("0011")
	for id := txn.NodeID(1); id <= 3; id++ {
		eng, err := engine.Open("data", engine.Options{FS: vfs.NewMem(), MemoryBytes: 16 << 20})
		must(t, err)
		mgr, err := txn.NewManager(eng, txn.Config{PreparedMax: 2})
		must(t, err)
		br, err := txn.NewBranches(mgr, func(n txn.NodeID) (txn.Participant, error) { return c.parts[n], nil })
		must(t, err)
		s := grpc.NewServer(append(identity.ServerOptions(), grpc.MaxRecvMsgSize(messageMax), grpc.MaxSendMsgSize(messageMax))...)
		txnrpc.RegisterParticipant(s, br)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		cc, err := grpc.NewClient("passthrough:///"+l.Addr().String(), append(identity.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMax), grpc.MaxCallSendMsgSize(messageMax)))...)
		must(t, err)
		c.servers[id], c.parts[id] = s, txnrpc.NewParticipant(cc)
		if id == 1 {
			service, err := txn.NewOracleService(mgr)
			must(t, err)
			run, stop := context.WithCancel(ctx)
			var ending sync.WaitGroup
			service.SetCluster(txn.Cluster{Node: func(n txn.NodeID) (txn.Participant, error) { return c.parts[n], nil }, Dead: func(txn.NodeID) bool { return false },
				Go: func(f func(ctx context.Context)) { ending.Go(func() { f(run) }) }})
			defer t.Cleanup(func() { stop(); ending.Wait() }) // before the nodes are closed
			txnrpc.RegisterOracle(s, service)
			c.oracle = txnrpc.NewOracle(cc)
		}
		go s.Serve(l)
		t.Cleanup(func() {
			cc.Close()
			s.Stop()
			must(t, mgr.Close())
			must(t, eng.Close())
		})
	}
	return c
}

func (c *cluster) gateway(t testing.TB, id txn.NodeID) *coordinator.Coordinator {
	g := coordinator.New(coordinator.Config{Self: id, Oracle: c.oracle, Node: func(n txn.NodeID) (txn.Participant, error) { return c.parts[n], nil },
		Placement: func() *txn.Placement { return c.place }, Nodes: c.place.Nodes, OutcomeWait: time.Second, EndWait: 200 * time.Millisecond})
	t.Cleanup(func() { g.Close() })
	return g
}

// key is account i's, in a tablet of its own choosing.
func key(i int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, uint16(2+i%6)), uint32(i))
}

func num(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// TestBank moves money between nodes through two gateways; every sum is right.
func TestBank(t *testing.T) {
	c := start(t)
	const accounts, balance = 12, 100
	gs := []*coordinator.Coordinator{c.gateway(t, 8), c.gateway(t, 9)}
	tx := gs[0].Begin(txn.Options{}).(txn.RowTxn)
	tx.BeginStatement()
	for i := range accounts {
		must(t, tx.PutNew(ctx, key(i), num(balance)))
	}
	_, err := tx.Commit(ctx)
	must(t, err)
	transfer := func(g *coordinator.Coordinator) error {
		tx := g.Begin(txn.Options{}).(txn.RowTxn)
		defer tx.Rollback()
		tx.BeginStatement()
		a, b := rand.IntN(accounts), rand.IntN(accounts)
		if a == b {
			return nil
		}
		if a > b {
			a, b = b, a
		}
		for i, d := range map[int]int64{a: -1, b: 1} {
			n, err := tx.LockRow(ctx, key(i), txn.LockUpdate, txn.WaitBlock)
			if err != nil {
				return err
			}
			if err := tx.Put(ctx, key(i), num(int64(binary.BigEndian.Uint64(n.Value))+d)); err != nil {
				return err
			}
		}
		_, err := tx.Commit(ctx)
		return err
	}
	sum := func(g *coordinator.Coordinator) (s int64) {
		tx := g.Begin(txn.Options{}).(txn.RowTxn)
		defer tx.Rollback()
		tx.BeginStatement()
		for i := range accounts {
			v, ok, err := tx.Get(ctx, key(i))
			if err != nil || !ok {
				t.Error(err, ok)
				return
			}
			s += int64(binary.BigEndian.Uint64(v))
		}
		return s
	}
	var done sync.WaitGroup
	det := &coordinator.Detector{Interval: 50 * time.Millisecond, Nodes: c.place.Nodes, Node: func(n txn.NodeID) (txn.Participant, error) { return c.parts[n], nil }}
	dctx, stop := context.WithCancel(ctx)
	defer stop()
	go det.Run(dctx)
	for w := range 4 {
		done.Add(1)
		go func() {
			defer done.Done()
			for range 25 {
				if err := transfer(gs[w%2]); err != nil && !pgerror.Is(err, pgerror.DeadlockDetected) {
					t.Error(err)
				}
				if s := sum(gs[w%2]); s != accounts*balance {
					t.Errorf("sum %d", s)
				}
			}
		}()
	}
	done.Wait()
}

// TestErrorsTravel: SQLSTATEs and their fields, deadlines, cancellation, the end of a node.
func TestErrorsTravel(t *testing.T) {
	c := start(t)
	g := c.gateway(t, 8)
	begin := func() txn.RowTxn {
		tx := g.Begin(txn.Options{ProcessID: 7}).(txn.RowTxn)
		tx.BeginStatement()
		t.Cleanup(tx.Rollback)
		return tx
	}
	a, b := begin(), begin()
	_, err := a.LockRow(ctx, key(1), txn.LockUpdate, txn.WaitBlock)
	must(t, err)
	if _, err = b.LockRow(ctx, key(1), txn.LockUpdate, txn.WaitError); !pgerror.Is(err, "55P03") {
		t.Errorf("NOWAIT: %v", err)
	}
	b.SetLockTimeout(30 * time.Millisecond)
	if _, err = b.LockRow(ctx, key(1), txn.LockUpdate, txn.WaitBlock); !pgerror.Is(err, "55P03") {
		t.Errorf("lock_timeout: %v", err)
	}
	b.SetLockTimeout(0)
	cause := pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
	wait, cancel := context.WithCancelCause(ctx)
	time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
	if _, err = b.LockRow(wait, key(1), txn.LockUpdate, txn.WaitBlock); !pgerror.Is(err, pgerror.QueryCanceled) {
		t.Errorf("cancelled: %v", err)
	}
	// A large value comes in one piece; many come in pages.
	big := make([]byte, 8<<20)
	must(t, a.Put(ctx, key(1), big))
	for i := range 500 {
		must(t, a.PutNew(ctx, append(key(7), byte(i), byte(i>>8)), make([]byte, 10<<10)))
	}
	_, err = a.Commit(ctx)
	must(t, err)
	r := begin()
	if v, ok, err := r.Get(ctx, key(1)); err != nil || !ok || len(v) != len(big) {
		t.Errorf("a large value: %d bytes, %v, %v", len(v), ok, err)
	}
	it, err := r.NewIter(ctx, txn.IterOptions{Lower: key(7), Upper: key(13)})
	must(t, err)
	n := 0
	for it.Next() {
		n++
	}
	must(t, errors.Join(it.Err(), it.Close()))
	if n != 500 {
		t.Errorf("%d rows in pages", n)
	}
	// Node 3 has tablets 4 and 7.
	d := begin()
	must(t, d.PutNew(ctx, key(2), []byte("x")))
	_, err = d.LockRow(ctx, key(5), txn.LockUpdate, txn.WaitBlock)
	must(t, err)
	c.servers[3].Stop()
	if _, _, err := d.Get(ctx, key(8)); !pgerror.Is(err, pgerror.ConnectionFailure) {
		t.Errorf("a node that is gone: %v", err)
	}
	if _, err := d.Commit(ctx); !pgerror.Is(err, "08007") { // whether the call was done, only that node knows
		t.Errorf("commit at a node that is gone: %v", err)
	}
}

// TestStrangers: another database, another protocol's callers.
func TestStrangers(t *testing.T) {
	var own, other wire.Identity
	own.Set("0011")
	other.Set("0022")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer(own.ServerOptions()...)
	txnrpc.RegisterParticipant(s, nil)
	go s.Serve(l)
	defer s.Stop()
	for name, opts := range map[string][]grpc.DialOption{"another cluster": other.DialOptions(), "no identity": nil} {
		cc, err := grpc.NewClient("passthrough:///"+l.Addr().String(), append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		must(t, err)
		if _, err := txnrpc.NewParticipant(cc).Locks(ctx); !pgerror.Is(err, pgerror.ConnectionFailure) {
			t.Errorf("%s: %v", name, err)
		}
		cc.Close()
	}
}
