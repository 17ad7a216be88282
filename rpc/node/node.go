package node

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/txnrpc"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/txn/coordinator"
)

// first is the id of the first node (txn.NodeID).
const first txn.NodeID = 1

const (
	// lease is how long a node counts as alive after a beat.
	lease = 5 * time.Second
	// beatEvery is the time between beats.
	beatEvery = 500 * time.Millisecond
	// beatWait bounds one beat.
	beatWait = time.Second
)

// Config of a node.
type Config struct {
	Dir  string
	Role Role
	// Addr is listened on for other nodes. SQLAddr and FlightAddr are told to them.
	Addr, SQLAddr, FlightAddr string
	// Join are addresses of the first node; none: this is the first node.
	Join []string
	// Tablets to cut the data into when it is placed; 0: one per node with storage.
	// For the first node.
	Tablets int
	// Store are the options of the store, if the node has one.
	Store storage.Options
	// Credentials of mutual TLS; nil: none.
	Credentials *wire.Credentials
	Version     string
	Log         *slog.Logger
}

// Node is this process among the others.
type Node struct {
	cfg         Config
	dir         *directory
	id          txn.NodeID
	incarnation uint64
	identity    wire.Identity
	pool        *pool
	lis         net.Listener
	srv         *grpc.Server

	store  *storage.Node
	gate   *gate // nil without data
	oracle txn.Oracle
	coord  *coordinator.Coordinator // nil on a storage node
	place  atomic.Pointer[txn.Placement]
	status atomic.Pointer[rpcpb.StatusReply]
	// leaseEnd in Unix nanoseconds of the monotonic clock since started.
	leaseEnd atomic.Int64
	started  time.Time
	epoch    atomic.Uint64
	secret   atomic.Pointer[[]byte]

	members *members // the first node's
	service *txn.OracleService

	onCatalog atomic.Pointer[func(ts txn.Timestamp)]

	placeMu sync.Mutex

	ctx    context.Context
	cancel context.CancelFunc
	ending sync.Mutex // between the end of ctx and what background adds to done
	done   sync.WaitGroup

	beatState beatState
}

// Start opens the directory and the store, and joins. ctx bounds the joining, which
// goes on until the first node answers. Serve must follow.
func Start(ctx context.Context, cfg Config) (_ *Node, err error) {
	n := &Node{cfg: cfg, started: time.Now(), incarnation: newIncarnation()}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	isFirst := len(cfg.Join) == 0
	if n.dir, err = openDirectory(cfg.Dir, cfg.Role, isFirst); err != nil {
		return nil, err
	}
	if n.lis, err = net.Listen("tcp", cfg.Addr); err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", cfg.Addr, err)
	}
	defer func() {
		if err != nil {
			n.lis.Close()
			n.closeStore()
		}
	}()
	n.id = n.dir.Node
	n.identity.Set(n.dir.Cluster)
	n.pool = newPool(&n.identity, n.cfg.Credentials.DialOption())
	n.srv = grpc.NewServer(append(n.identity.ServerOptions(rpcpb.Cluster_Join_FullMethodName, rpcpb.Cluster_Status_FullMethodName), n.cfg.Credentials.ServerOption(),
		grpc.MaxRecvMsgSize(messageBytesMax), grpc.MaxSendMsgSize(messageBytesMax),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 5 * time.Second, Timeout: 3 * time.Second}))...)
	if cfg.Role != Gateway || isFirst {
		o := cfg.Store
		o.Clustered, o.Tablets = true, 0
		if n.store, err = storage.Open(cfg.Dir, o); err != nil {
			return nil, err
		}
	} else {
		n.store = storage.NewGateway()
	}
	n.place.Store(storage.Unplaced(first))
	if n.store.Engine() != nil {
		p, err := n.store.StoredPlacement()
		if err != nil {
			return nil, err
		}
		if p != nil {
			n.place.Store(p)
		}
	}
	if isFirst {
		err = n.startFirst()
	} else {
		err = n.startJoined(ctx)
	}
	return n, err
}

// common makes what every node has once it has an id and an oracle.
func (n *Node) common() error {
	if n.cfg.Role != Storage || n.id == first {
		n.coord = coordinator.New(coordinator.Config{Self: n.id, Oracle: n.oracle, HoldNotes: n.id != first, Node: n.Participant, Placement: n.Placement, Nodes: n.holders,
			OnCatalog: n.catalogChanged, Logf: func(format string, args ...any) { n.cfg.Log.Debug(fmt.Sprintf(format, args...)) }})
	}
	if err := n.store.Cluster(n.place.Load(), durableNow{n}, placer{n}); err != nil {
		return err
	}
	if n.store.Engine() != nil {
		b, err := txn.NewBranches(n.store.DB(), n.Participant)
		if err != nil {
			return err
		}
		b.SetSerializer(n.oracle)
		n.gate = &gate{Branches: b, lease: n.leased}
		txnrpc.RegisterParticipant(n.srv, n.gate)
	}
	return nil
}

func (n *Node) startFirst() (err error) {
	if n.service, err = txn.NewOracleService(n.store.DB()); err != nil {
		return err
	}
	n.oracle = n.service
	n.epoch.Store(n.service.Epoch())
	secret := make([]byte, 32)
	if _, err := crand.Read(secret); err != nil {
		return err
	}
	n.secret.Store(&secret)
	if n.cfg.Role != Storage {
		n.service.ReportOldest(first, 0)
	}
	n.members = &members{store: n.store, oracle: n.service, tablets: n.cfg.Tablets, logf: n.logf, list: map[txn.NodeID]*member{},
		reaped: map[uint64]map[txn.NodeID]bool{}, rows: map[uint64]rowCount{}, joining: map[txn.NodeID]*sync.Mutex{}}
	n.members.recovery = &coordinator.Recovery{Oracle: n.service, Nodes: n.members.holders, Node: n.Participant, Dead: n.members.dead}
	if err := n.members.load(); err != nil {
		return err
	}
	if err := n.common(); err != nil {
		return err
	}
	for id, rows := range n.store.AllRows() {
		n.members.rowsAt++
		n.members.rows[id] = rowCount{rows, n.members.rowsAt}
	}
	n.refreshStatus()
	rpcpb.RegisterClusterServer(n.srv, &clusterServer{n: n})
	txnrpc.RegisterOracle(n.srv, n.service)
	n.service.SetCluster(txn.Cluster{Node: n.Participant, Dead: n.members.dead, Go: n.background})
	// Its own intents have their records here: nobody need be asked.
	return n.gate.settle(n.ctx, n.service.Epoch())
}

// Serve begins to answer other nodes. It returns when what the last run has left is
// settled: intents of a storage node, open transactions of the first node's sessions.
func (n *Node) Serve(ctx context.Context) error {
	n.done.Add(1)
	go func() {
		defer n.done.Done()
		if err := n.srv.Serve(n.lis); err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Error("listener for nodes failed", "err", err)
		}
	}()
	if n.id == first {
		n.done.Add(2)
		go n.lead()
		go func() {
			defer n.done.Done()
			(&coordinator.Detector{Interval: time.Second, Nodes: n.members.holders, Node: n.Participant}).Run(n.ctx)
		}()
		// What this process's last run had open as a gateway; before sessions begin anew.
		return n.members.endGateway(ctx, first)
	}
	for n.gate != nil {
		err := n.gate.settle(ctx, n.epoch.Load())
		if err == nil {
			break
		}
		n.cfg.Log.Warn("waiting for other nodes", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// lead is the first node's part that goes on by itself.
func (n *Node) lead() {
	defer n.done.Done()
	t := time.NewTicker(beatEvery / 2)
	defer t.Stop()
	for {
		n.members.expire(n.ctx)
		n.service.Sweep()
		if n.cfg.Role != Storage {
			_ = n.coord.Refresh(n.ctx) // local: it fails only at the end
			n.service.ReportOldest(first, n.coord.OldestSnapshot())
		}
		n.ownRows()
		n.store.DB().SetHorizon(n.service.Horizon())
		if err := n.members.reap(); err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Warn("removing dropped tables", "err", err)
		}
		n.refreshStatus()
		select {
		case <-n.ctx.Done():
			return
		case <-t.C:
		}
	}
}

// background runs f until the node is closed; calls still under way then get nothing done.
func (n *Node) background(f func(ctx context.Context)) {
	n.ending.Lock()
	defer n.ending.Unlock()
	if n.ctx.Err() != nil {
		return
	}
	n.done.Add(1)
	go func() {
		defer n.done.Done()
		f(n.ctx)
	}()
}

// Close leaves: the others notice when the lease ends. Sessions must be closed before.
func (n *Node) Close() error {
	n.ending.Lock()
	n.cancel()
	n.ending.Unlock()
	n.srv.Stop()
	n.lis.Close()
	var err error
	if n.coord != nil {
		err = n.coord.Close()
	}
	n.done.Wait()
	n.pool.close()
	return errors.Join(err, n.closeStore())
}

func (n *Node) closeStore() error {
	n.cancel()
	if n.store == nil {
		return nil
	}
	return n.store.Close()
}

// ID is this node's.
func (n *Node) ID() txn.NodeID { return n.id }

// First reports whether this is the first node.
func (n *Node) First() bool { return n.id == first }

// Addr is listened on for other nodes.
func (n *Node) Addr() net.Addr { return n.lis.Addr() }

// DB begins transactions over all nodes; nil on a storage node.
func (n *Node) DB() *coordinator.Coordinator { return n.coord }

// Store is the node's tables: over its own tablets, or over transactions of DB.
func (n *Node) Store() *storage.Node { return n.store }

// Secret is what all nodes know and nobody else: by it they recognize what one of them
// has given a client to show to another. It changes when the first node restarts.
func (n *Node) Secret() []byte { return *n.secret.Load() }

// Branches are those of the node's data, nil without any. Enter must precede what
// reads or changes data through them.
func (n *Node) Branches() *txn.Branches {
	if n.gate == nil {
		return nil
	}
	return n.gate.Branches
}

// Enter reports whether the node may answer a transaction of an epoch, settling
// its intents first if that is a new one.
func (n *Node) Enter(ctx context.Context, epoch uint64) error { return n.gate.enter(ctx, epoch) }

// Services is where more services are registered, before Serve.
func (n *Node) Services() grpc.ServiceRegistrar { return n.srv }

// Met says where a node is that another one has named, in case this one has not heard of
// it yet: a node that has just joined is known everywhere only after the next beats.
func (n *Node) Met(id txn.NodeID, addr string) { n.pool.met(id, addr) }

// Conn is the way to a node; calls fail while it is down.
func (n *Node) Conn(id txn.NodeID) grpc.ClientConnInterface { return nodeConn{n.pool, id} }

// Placement is the one in force here.
func (n *Node) Placement() *txn.Placement { return n.place.Load() }

// OnCatalog sets who is told of catalog changes before a snapshot that sees them is used.
func (n *Node) OnCatalog(f func(ts txn.Timestamp)) { n.onCatalog.Store(&f) }

func (n *Node) catalogChanged(ts txn.Timestamp) {
	if f := n.onCatalog.Load(); f != nil {
		(*f)(ts)
	}
}

// Participant is a node as coordinators see it; the own one without a network.
func (n *Node) Participant(id txn.NodeID) (txn.Participant, error) {
	if id == n.id && n.gate != nil {
		return n.gate, nil
	}
	return txnrpc.NewParticipant(nodeConn{n.pool, id}), nil
}

// holders are the nodes that may hold branches.
func (n *Node) holders() []txn.NodeID {
	if n.members != nil {
		return n.members.holders()
	}
	var out []txn.NodeID
	for _, x := range n.status.Load().GetNodes() {
		if id := txn.NodeID(x.Id); id == first || Role(x.Role) != Gateway {
			out = append(out, id)
		}
	}
	return out
}

func (n *Node) logf(format string, args ...any) { n.cfg.Log.Info(fmt.Sprintf(format, args...)) }

// setPlacement puts a newer placement in force.
func (n *Node) setPlacement(p *txn.Placement) error {
	n.placeMu.Lock()
	defer n.placeMu.Unlock()
	if old := n.place.Load(); len(p.Tablets) == 0 || len(old.Tablets) > 0 && old.Version >= p.Version {
		return nil
	}
	n.place.Store(p)
	return n.store.SetPlacement(p)
}

// placeWait bounds asking for the placement.
const placeWait = 10 * time.Second

// placer is the node as its tables' table.Placer.
type placer struct{ n *Node }

func (p placer) Place(ctx context.Context) (*txn.Placement, error) { return p.n.placeNow(ctx) }

// placeNow fixes the placement, or learns it.
func (n *Node) placeNow(ctx context.Context) (*txn.Placement, error) {
	if n.members != nil {
		p, err := n.members.place(n.cfg.Role)
		if err == nil {
			n.place.Store(p)
		}
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, placeWait)
	defer cancel()
	r, err := rpcpb.NewClusterClient(n.Conn(first)).Place(ctx, &rpcpb.Empty{})
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	if err := n.setPlacement(placementOf(r.Tablets, r.Version, r.SystemNode)); err != nil {
		return nil, err
	}
	return n.place.Load(), nil
}

func placementOf(tablets []*rpcpb.TabletInfo, version uint64, system uint32) *txn.Placement {
	p := &txn.Placement{Version: version, System: txn.NodeID(system)}
	for _, t := range tablets {
		p.Tablets = append(p.Tablets, txn.Tablet{ID: txn.TabletID(t.Id), Node: txn.NodeID(t.Node), First: txn.Slot(t.FirstSlot), End: txn.Slot(t.EndSlot)})
	}
	return p
}

func tabletsToProto(p *txn.Placement) []*rpcpb.TabletInfo {
	var out []*rpcpb.TabletInfo
	for _, t := range p.Tablets {
		out = append(out, &rpcpb.TabletInfo{Id: uint32(t.ID), Node: uint32(t.Node), FirstSlot: uint32(t.First), EndSlot: uint32(t.End)})
	}
	return out
}

// durableNow writes numbers that must not be given out twice even when the first
// node crashes: row ids, whose owner may outlive it.
type durableNow struct{ n *Node }

func (d durableNow) UpdateNow(ctx context.Context, key []byte, f func(old []byte) ([]byte, error)) error {
	if d.n.coord == nil {
		return pgerror.Internal("a storage node gives no row ids")
	}
	if err := d.n.coord.UpdateNow(ctx, key, f); err != nil {
		return err
	}
	return d.n.coord.SyncNow(ctx)
}

// newIncarnation draws an incarnation; 0 is none.
func newIncarnation() uint64 { return rand.Uint64() | 1 }
