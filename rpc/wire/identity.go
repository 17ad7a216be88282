package wire

import (
	"context"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ProtocolVersion is the version of rpc/proto/node.proto and of the values it carries.
// Version 2: timestamps count from 2000 (types.Timestamp), in version 1 from 1970.
// Version 3: SERIALIZABLE, whose reads every node has to note.
// Version 4: notifications travel with commits.
// Version 5: prepared transactions.
const ProtocolVersion = 5

const (
	protocolKey = "basalt-protocol"
	clusterKey  = "basalt-cluster"
)

// Identity is which database a process belongs to: the cluster's id in hex,
// empty until it has joined. Safe for concurrent use.
type Identity struct{ cluster atomic.Pointer[string] }

// Set fixes the cluster.
func (i *Identity) Set(cluster string) { i.cluster.Store(&cluster) }

// Cluster is the id, empty when there is none yet.
func (i *Identity) Cluster() string {
	if c := i.cluster.Load(); c != nil {
		return *c
	}
	return ""
}

func (i *Identity) outgoing(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, protocolKey, strconv.Itoa(ProtocolVersion), clusterKey, i.Cluster())
}

// DialOptions put the identity on every call.
func (i *Identity) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(i.outgoing(ctx), method, req, reply, cc, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, s grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return s(i.outgoing(ctx), d, cc, method, opts...)
		}),
	}
}

// check refuses strangers. A caller without a cluster may only call methods of open.
func (i *Identity) check(ctx context.Context, method string, open map[string]bool) error {
	md, _ := metadata.FromIncomingContext(ctx)
	get := func(k string) string {
		if v := md.Get(k); len(v) == 1 {
			return v[0]
		}
		return ""
	}
	if v := get(protocolKey); v != strconv.Itoa(ProtocolVersion) {
		return status.Errorf(codes.FailedPrecondition, "this node speaks protocol version %d, the caller %q", ProtocolVersion, v)
	}
	c := get(clusterKey)
	if c == "" && open[method] {
		return nil
	}
	if own := i.Cluster(); c != own || own == "" {
		return status.Errorf(codes.FailedPrecondition, "this node belongs to another database")
	}
	return nil
}

// ServerOptions check the identity of every call; open are the full names of
// methods for processes that have not joined yet. Panics of handlers become
// errors of their call.
func (i *Identity) ServerOptions(open ...string) []grpc.ServerOption {
	set := map[string]bool{}
	for _, m := range open {
		set[m] = true
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (reply any, err error) {
			if err := i.check(ctx, info.FullMethod, set); err != nil {
				return nil, err
			}
			defer guard(&err)
			reply, err = h(ctx, req)
			return reply, ToStatus(err)
		}),
		grpc.ChainStreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
			if err := i.check(ss.Context(), info.FullMethod, set); err != nil {
				return err
			}
			defer guard(&err)
			return ToStatus(h(srv, ss))
		}),
	}
}
