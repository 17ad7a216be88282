package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/txnrpc"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

// beatState is what the loop of beats keeps.
type beatState struct {
	reaped []uint64
	// fenced: the lease has ended, and with it everything begun; join comes next.
	fenced bool
	addr   string    // where the first node answered
	asked  time.Time // when join asked for the lease it got
}

// leased reports whether the node has a lease. The first node always has.
func (n *Node) leased() bool {
	return n.id == first || int64(time.Since(n.started)) < n.leaseEnd.Load()
}

// renew counts a lease from when it was asked for: it ends here no later than there.
func (n *Node) renew(asked time.Time) {
	n.leaseEnd.Store(int64(asked.Sub(n.started) + lease))
}

func (n *Node) startJoined(ctx context.Context) error {
	if n.dir.Node != 0 {
		n.cfg.Log.Info("joining the cluster", "node", n.dir.Node, "first", n.cfg.Join)
	} else {
		n.cfg.Log.Info("joining the cluster", "first", n.cfg.Join)
	}
	var said time.Time
	for {
		err := n.join(ctx)
		if err == nil {
			n.renew(n.beatState.asked) // the gate is not open before it has settled
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if final(err) {
			return fmt.Errorf("cannot join the cluster: %w", err)
		}
		if time.Since(said) > 5*time.Second {
			n.cfg.Log.Warn("the first node does not answer, trying on", "err", err)
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	n.oracle = txnrpc.NewOracle(n.Conn(first))
	if err := n.common(); err != nil {
		return err
	}
	if err := n.setPlacement(placementOf(n.status.Load().Tablets, n.status.Load().PlacementVersion, n.status.Load().SystemNode)); err != nil {
		return err
	}
	n.done.Add(1)
	go n.beats()
	return nil
}

// final reports an answer that trying again does not change.
func final(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return false
	}
	return true
}

// join asks for a lease at each of the addresses in turn. The node does not use it before the
// caller has called renew: what it finds may have to be settled first.
func (n *Node) join(ctx context.Context) error {
	dir, err := hex.DecodeString(n.dir.Directory)
	if err != nil {
		return err
	}
	var errs []error
	for _, addr := range n.cfg.Join {
		cc, err := grpc.NewClient("passthrough:///"+addr, n.pool.opts...)
		if err != nil {
			return err
		}
		asked := time.Now()
		wait, cancel := context.WithTimeout(ctx, joinWait)
		r, err := rpcpb.NewClusterClient(cc).Join(wait, &rpcpb.JoinRequest{Node: uint32(n.id), Directory: dir, Role: rpcpb.Role(n.cfg.Role),
			RpcAddr: n.lis.Addr().String(), SqlAddr: n.cfg.SQLAddr, FlightAddr: n.cfg.FlightAddr, Version: n.cfg.Version, Incarnation: n.incarnation})
		cancel()
		cc.Close()
		if err != nil {
			if final(err) {
				return wire.FromStatus(ctx, err)
			}
			errs = append(errs, err)
			continue
		}
		if time.Since(asked) > lease { // the lease counts from the answer: it was waited for
			asked = time.Now().Add(-lease / 2)
		}
		if n.dir.Node == 0 {
			n.dir.Node, n.dir.Cluster = txn.NodeID(r.Node), hex.EncodeToString(r.Cluster)
			if err := n.dir.write(n.cfg.Dir); err != nil {
				return err
			}
			n.identity.Set(n.dir.Cluster)
		}
		n.id = txn.NodeID(r.Node)
		n.beatState.addr = addr
		n.epoch.Store(r.Epoch)
		n.secret.Store(&r.Secret)
		n.hear(r.Status)
		n.beatState.asked = asked
		return nil
	}
	return errs[len(errs)-1]
}

// hear takes the first node's picture of the cluster.
func (n *Node) hear(s *rpcpb.StatusReply) {
	n.status.Store(s)
	for _, x := range s.Nodes {
		addr := x.RpcAddr
		if txn.NodeID(x.Id) == first {
			if host, _, err := net.SplitHostPort(addr); err == nil {
				if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
					addr = n.beatState.addr
				}
			}
		}
		if txn.NodeID(x.Id) != n.id {
			n.pool.set(txn.NodeID(x.Id), addr, x.Alive)
		}
	}
}

// beats keeps the lease until the node is closed.
func (n *Node) beats() {
	defer n.done.Done()
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		n.beat()
		select {
		case <-n.ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (n *Node) beat() {
	s := &n.beatState
	if !s.fenced && !n.leased() {
		n.fence("no contact to the first node")
	}
	if s.fenced {
		n.rejoin()
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, beatWait)
	defer cancel()
	asked := time.Now()
	q := &rpcpb.HeartbeatRequest{Node: uint32(n.id), Incarnation: n.incarnation, Reaped: s.reaped}
	if n.coord != nil {
		_ = n.coord.Refresh(ctx) // what the beat itself will find out
		q.OldestSnapshot = uint64(n.coord.OldestSnapshot())
		q.Rows = n.rowChanges()
	}
	if n.gate != nil {
		for _, t := range n.Placement().On(n.id) {
			q.Tablets = append(q.Tablets, &rpcpb.TabletInfo{Id: uint32(t), Node: uint32(n.id), Bytes: uint64(n.store.TabletBytes(t))})
		}
	}
	r, err := rpcpb.NewClusterClient(n.Conn(first)).Heartbeat(ctx, q)
	if err != nil {
		n.rowsUnsent(q.Rows)
		return // the lease goes on, or ends
	}
	if r.Fenced {
		n.fence("the cluster has given this node up")
		n.rejoin()
		return
	}
	n.renew(asked)
	s.reaped = nil
	n.epoch.Store(r.Epoch)
	n.secret.Store(&r.Secret)
	n.hear(r.Status)
	if err := n.setPlacement(placementOf(r.Status.Tablets, r.Status.PlacementVersion, r.Status.SystemNode)); err != nil {
		n.cfg.Log.Error("placement", "err", err)
	}
	n.setRows(r.Rows)
	if n.gate == nil {
		return
	}
	if n.gate.epoch.Load() != 0 {
		if err := n.gate.settle(ctx, r.Epoch); err != nil {
			n.cfg.Log.Debug("settling", "err", err)
		}
	}
	n.store.DB().SetHorizon(txn.Timestamp(r.Horizon))
	drop := r.Dropped[:min(len(r.Dropped), dropsPerBeat)]
	if len(drop) == 0 {
		return
	}
	if err := n.store.DropStorage(drop...); err != nil {
		n.cfg.Log.Warn("removing dropped tables", "err", err)
		return
	}
	s.reaped = drop
}

// dropsPerBeat bounds the dropped tables and indexes that are removed at a time: the lease must not wait
// for all there are.
const dropsPerBeat = 64

// fence ends what the node had begun: it has no lease.
func (n *Node) fence(why string) {
	n.cfg.Log.Warn("this node has lost its lease", "why", why)
	n.beatState.fenced = true
	n.leaseEnd.Store(0)
	if n.coord != nil {
		n.coord.Fence()
	}
}

// rejoin gets a new lease. What the gateways had open here is ended: recovery may
// have passed this node over.
func (n *Node) rejoin() {
	ctx, cancel := context.WithTimeout(n.ctx, joinWait)
	defer cancel()
	n.incarnation = newIncarnation()
	if err := n.join(ctx); err != nil {
		if !errors.Is(err, context.Canceled) {
			n.cfg.Log.Debug("joining again", "err", err)
		}
		return
	}
	if n.gate != nil {
		for _, x := range n.status.Load().Nodes {
			if err := n.gate.EndGateway(ctx, txn.NodeID(x.Id)); err != nil {
				n.cfg.Log.Warn("ending what was open", "err", err)
				return
			}
		}
		if err := n.gate.settle(ctx, n.epoch.Load()); err != nil {
			n.cfg.Log.Warn("settling", "err", err)
			return
		}
	}
	n.renew(n.beatState.asked)
	n.beatState.fenced = false
	if n.coord != nil {
		n.coord.Resume()
	}
	n.cfg.Log.Info("joined again", "node", n.id)
}
