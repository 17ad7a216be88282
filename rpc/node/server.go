package node

import (
	"context"
	"encoding/hex"
	"net"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

// clusterServer serves the Cluster service on the first node.
type clusterServer struct {
	rpcpb.UnimplementedClusterServer
	n *Node
}

// joinWait bounds what joining has to wait for.
const joinWait = 30 * time.Second

func (s *clusterServer) Join(ctx context.Context, q *rpcpb.JoinRequest) (*rpcpb.JoinReply, error) {
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	id, err := s.n.members.join(ctx, q, reachable(ctx, q.RpcAddr), reachable(ctx, q.FlightAddr))
	if err != nil {
		return nil, err
	}
	s.n.refreshStatus()
	cluster, err := hex.DecodeString(s.n.dir.Cluster)
	if err != nil {
		return nil, err
	}
	return &rpcpb.JoinReply{Node: uint32(id), Cluster: cluster, Epoch: s.n.service.Epoch(), Status: s.n.status.Load(), Secret: s.n.Secret()}, nil
}

// reachable puts the caller's own address in the place of a host that names none.
func reachable(ctx context.Context, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	if p, ok := peer.FromContext(ctx); ok {
		if h, _, err := net.SplitHostPort(p.Addr.String()); err == nil {
			return net.JoinHostPort(h, port)
		}
	}
	return addr
}

func (s *clusterServer) Heartbeat(_ context.Context, q *rpcpb.HeartbeatRequest) (*rpcpb.HeartbeatReply, error) {
	n := s.n
	r, ok := n.members.heartbeat(q)
	if !ok {
		return &rpcpb.HeartbeatReply{Fenced: true, Epoch: n.service.Epoch()}, nil
	}
	n.hearChanged(q.Rows)
	r.Horizon, r.Epoch, r.Status, r.Secret = uint64(n.service.Horizon()), n.service.Epoch(), n.status.Load(), n.Secret()
	r.PlacementVersion = r.Status.PlacementVersion
	return r, nil
}

func (s *clusterServer) Status(context.Context, *rpcpb.Empty) (*rpcpb.StatusReply, error) {
	s.n.refreshStatus()
	return s.n.status.Load(), nil
}

func (s *clusterServer) Place(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.PlacementReply, error) {
	p, err := s.n.placeNow(ctx)
	if err != nil {
		return nil, err
	}
	return &rpcpb.PlacementReply{Tablets: tabletsToProto(p), Version: p.Version, SystemNode: uint32(p.System)}, nil
}

// refreshStatus makes the first node's picture of the cluster anew.
func (n *Node) refreshStatus() {
	p := n.store.Placement()
	r := &rpcpb.StatusReply{Tablets: tabletsToProto(p), PlacementVersion: p.Version, SystemNode: uint32(p.System)}
	r.Nodes = append(r.Nodes, &rpcpb.NodeInfo{Id: uint32(first), Role: rpcpb.Role(n.cfg.Role), RpcAddr: n.lis.Addr().String(), SqlAddr: n.cfg.SQLAddr,
		FlightAddr: n.cfg.FlightAddr, Version: n.cfg.Version, Alive: true, LastHeartbeatNanos: time.Now().UnixNano(), StartedNanos: n.started.UnixNano()})
	r.Nodes = append(r.Nodes, n.members.status(r.Tablets)...)
	for _, t := range r.Tablets {
		if txn.NodeID(t.Node) == first {
			t.Bytes = uint64(n.store.TabletBytes(txn.TabletID(t.Id)))
		}
	}
	for _, x := range r.Nodes[1:] {
		n.pool.set(txn.NodeID(x.Id), x.RpcAddr, x.Alive)
	}
	n.status.Store(r)
}

// Status is the newest picture of the cluster that this node has.
func (n *Node) Status() *rpcpb.StatusReply { return n.status.Load() }

// AskStatus asks the first node of a cluster, at addr, for its picture.
func AskStatus(ctx context.Context, addr string, creds *wire.Credentials) (*rpcpb.StatusReply, error) {
	p := newPool(&wire.Identity{}, creds.DialOption())
	defer p.close()
	p.set(first, addr, true)
	r, err := rpcpb.NewClusterClient(nodeConn{p, first}).Status(ctx, &rpcpb.Empty{})
	return r, wire.FromStatus(ctx, err)
}
