package txnrpc

import (
	"context"

	"google.golang.org/grpc"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

// Oracle is the oracle of the node behind a connection.
type Oracle struct{ c rpcpb.OracleClient }

var _ txn.Oracle = (*Oracle)(nil)

// NewOracle makes the client.
func NewOracle(cc grpc.ClientConnInterface) *Oracle { return &Oracle{rpcpb.NewOracleClient(cc)} }

var empty = &rpcpb.Empty{}

// Snapshot implements txn.Oracle.
func (o *Oracle) Snapshot(ctx context.Context) (txn.SnapshotInfo, error) {
	r, err := o.c.Snapshot(ctx, empty)
	if err != nil {
		return txn.SnapshotInfo{}, wire.FromStatus(ctx, err)
	}
	return snapshotFromProto(r), nil
}

func snapshotToProto(i txn.SnapshotInfo) *rpcpb.SnapshotReply {
	return &rpcpb.SnapshotReply{Snapshot: uint64(i.Snapshot), Catalog: uint64(i.Catalog), Epoch: i.Epoch, Notified: uint64(i.Notified)}
}

func snapshotFromProto(r *rpcpb.SnapshotReply) txn.SnapshotInfo {
	return txn.SnapshotInfo{Snapshot: txn.Timestamp(r.GetSnapshot()), Catalog: txn.Timestamp(r.GetCatalog()), Epoch: r.GetEpoch(), Notified: txn.Timestamp(r.GetNotified())}
}

// NextIDs implements txn.Oracle.
func (o *Oracle) NextIDs(ctx context.Context, n int) (txn.ID, error) {
	r, err := o.c.NextIDs(ctx, &rpcpb.NextIDsRequest{N: int32(n)})
	return txn.ID(r.GetFirst()), wire.FromStatus(ctx, err)
}

// BeginCommit implements txn.Oracle.
func (o *Oracle) BeginCommit(ctx context.Context, c txn.CommitRequest) (txn.Timestamp, error) {
	r, err := o.c.BeginCommit(ctx, commitToProto(c))
	return txn.Timestamp(r.GetTs()), wire.FromStatus(ctx, err)
}

func commitToProto(c txn.CommitRequest) *rpcpb.BeginCommitRequest {
	q := &rpcpb.BeginCommitRequest{Txn: uint64(c.ID), Gateway: uint32(c.Gateway), Epoch: c.Epoch, Catalog: c.Catalog, Serial: c.Serial, Notes: notesToProto(c.Notes),
		Notifications: notificationsToProto(c.Notifications)}
	for _, n := range c.Participants {
		q.Participants = append(q.Participants, uint32(n))
	}
	return q
}

func commitFromProto(q *rpcpb.BeginCommitRequest) txn.CommitRequest {
	c := txn.CommitRequest{ID: txn.ID(q.Txn), Gateway: txn.NodeID(q.Gateway), Epoch: q.Epoch, Catalog: q.Catalog, Serial: q.Serial, Notes: notesFromProto(q.Notes),
		Notifications: notificationsFromProto(q.Notifications)}
	for _, n := range q.Participants {
		c.Participants = append(c.Participants, txn.NodeID(n))
	}
	return c
}

// FinishCommit implements txn.Oracle.
func (o *Oracle) FinishCommit(ctx context.Context, ts txn.Timestamp, committed bool) error {
	_, err := o.c.FinishCommit(ctx, &rpcpb.FinishCommitRequest{Ts: uint64(ts), Committed: committed})
	return wire.FromStatus(ctx, err)
}

// RegisterOracle serves an oracle.
func RegisterOracle(s grpc.ServiceRegistrar, o txn.Oracle) {
	rpcpb.RegisterOracleServer(s, &oracleServer{o: o})
}

type oracleServer struct {
	rpcpb.UnimplementedOracleServer
	o txn.Oracle
}

func (s *oracleServer) Snapshot(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.SnapshotReply, error) {
	i, err := s.o.Snapshot(ctx)
	return snapshotToProto(i), err
}

func (s *oracleServer) NextIDs(ctx context.Context, q *rpcpb.NextIDsRequest) (*rpcpb.NextIDsReply, error) {
	id, err := s.o.NextIDs(ctx, int(q.N))
	return &rpcpb.NextIDsReply{First: uint64(id)}, err
}

func (s *oracleServer) BeginCommit(ctx context.Context, q *rpcpb.BeginCommitRequest) (*rpcpb.TimestampReply, error) {
	ts, err := s.o.BeginCommit(ctx, commitFromProto(q))
	return &rpcpb.TimestampReply{Ts: uint64(ts)}, err
}

func (s *oracleServer) FinishCommit(ctx context.Context, q *rpcpb.FinishCommitRequest) (*rpcpb.Empty, error) {
	return empty, s.o.FinishCommit(ctx, txn.Timestamp(q.Ts), q.Committed)
}
