package node

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

// messageBytesMax bounds a message: the largest value there may be, and what goes with it.
const messageBytesMax = 1<<30 + 64<<20

// pool has one connection per node, made when it is needed. A node that is said
// dead loses its connection, which ends every call on it. Safe for concurrent use.
type pool struct {
	opts []grpc.DialOption

	mu     sync.Mutex
	conns  map[txn.NodeID]*poolConn
	closed bool
}

type poolConn struct {
	addr string
	cc   *grpc.ClientConn // nil until it is needed, and while the node is dead
	dead bool
}

func newPool(identity *wire.Identity, creds grpc.DialOption) *pool {
	return &pool{conns: map[txn.NodeID]*poolConn{}, opts: append(identity.DialOptions(), creds,
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytesMax), grpc.MaxCallSendMsgSize(messageBytesMax)),
		// A node that comes back is to be found at once.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second}),
		// gRPC sends no pings more often; leases find the dead sooner.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}))}
}

// set says where a node is.
func (p *pool) set(n txn.NodeID, addr string, alive bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.conns[n]
	if c == nil {
		c = &poolConn{}
		p.conns[n] = c
	}
	if c.cc != nil && (c.addr != addr || !alive) {
		c.cc.Close()
		c.cc = nil
	}
	c.addr, c.dead = addr, !alive
}

// met says where a node is that has not been heard of.
func (p *pool) met(n txn.NodeID, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[n] == nil && addr != "" && !p.closed {
		p.conns[n] = &poolConn{addr: addr}
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		if c.cc != nil {
			c.cc.Close()
			c.cc = nil
		}
		c.dead = true
	}
}

// conn is the connection of a node now.
func (p *pool) conn(n txn.NodeID) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.conns[n]
	if c == nil {
		return nil, status.Errorf(codes.Unavailable, "node %d is not known here", n)
	}
	if c.dead {
		return nil, status.Errorf(codes.Unavailable, "node %d does not answer", n)
	}
	if c.cc == nil {
		cc, err := grpc.NewClient("passthrough:///"+c.addr, p.opts...)
		if err != nil {
			return nil, err
		}
		c.cc = cc
	}
	return c.cc, nil
}

// nodeConn is the way to a node, whatever its connection is at the moment.
type nodeConn struct {
	p    *pool
	node txn.NodeID
}

func (c nodeConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	cc, err := c.p.conn(c.node)
	if err != nil {
		return err
	}
	return cc.Invoke(ctx, method, args, reply, opts...)
}

func (c nodeConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	cc, err := c.p.conn(c.node)
	if err != nil {
		return nil, err
	}
	return cc.NewStream(ctx, desc, method, opts...)
}
