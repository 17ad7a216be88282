package txnrpc

import (
	"context"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

func serialToProto(x txn.SerialTxn) *rpcpb.SerialTxn {
	return &rpcpb.SerialTxn{Gateway: uint32(x.Gateway), Number: x.Number, Epoch: x.Epoch}
}

func serialFromProto(x *rpcpb.SerialTxn) txn.SerialTxn {
	return txn.SerialTxn{Gateway: txn.NodeID(x.GetGateway()), Number: x.GetNumber(), Epoch: x.GetEpoch()}
}

func notesToProto(notes []txn.Note) []*rpcpb.Note {
	out := make([]*rpcpb.Note, len(notes))
	for i, n := range notes {
		out[i] = &rpcpb.Note{Kind: uint32(n.Kind), Lower: n.Lower, Upper: n.Upper, Range: n.Upper != nil}
	}
	return out
}

func notesFromProto(notes []*rpcpb.Note) []txn.Note {
	out := make([]txn.Note, len(notes))
	for i, n := range notes {
		out[i] = txn.Note{Kind: txn.NoteKind(min(n.GetKind(), 255)), Lower: n.GetLower()}
		if n.GetRange() {
			out[i].Upper = notNil(n.GetUpper())
		}
	}
	return out
}

// BeginSerializable implements txn.Serializer.
func (o *Oracle) BeginSerializable(ctx context.Context, x txn.SerialTxn, id txn.ID, opts txn.Options) (txn.SnapshotInfo, bool, error) {
	r, err := o.c.BeginSerializable(ctx, &rpcpb.BeginSerializableRequest{Txn: serialToProto(x), ReadOnly: opts.ReadOnly, Deferrable: opts.Deferrable, ProcessId: opts.ProcessID, Id: uint64(id)})
	if err != nil {
		return txn.SnapshotInfo{}, false, wire.FromStatus(ctx, err)
	}
	return snapshotFromProto(r.GetSnapshot()), r.Watched, nil
}

// Note implements txn.Serializer.
func (o *Oracle) Note(ctx context.Context, x txn.SerialTxn, notes []txn.Note) (safe bool, err error) {
	r, err := o.c.Note(ctx, &rpcpb.NoteRequest{Txn: serialToProto(x), Notes: notesToProto(notes)})
	return r.GetSafe(), wire.FromStatus(ctx, err)
}

// EndSerializable implements txn.Serializer.
func (o *Oracle) EndSerializable(ctx context.Context, x txn.SerialTxn, notes []txn.Note, commit bool) error {
	_, err := o.c.EndSerializable(ctx, &rpcpb.EndSerializableRequest{Txn: serialToProto(x), Notes: notesToProto(notes), Commit: commit})
	return wire.FromStatus(ctx, err)
}

// AwaitSafe implements txn.Serializer.
func (o *Oracle) AwaitSafe(ctx context.Context, x txn.SerialTxn) (safe bool, err error) {
	r, err := o.c.AwaitSafe(ctx, serialToProto(x))
	return r.GetSafe(), wire.FromStatus(ctx, err)
}

// SafeSnapshotBlockers implements txn.Serializer.
func (o *Oracle) SafeSnapshotBlockers(ctx context.Context, pid int32) ([]int32, error) {
	r, err := o.c.SafeSnapshotBlockers(ctx, &rpcpb.SafeSnapshotBlockersRequest{ProcessId: pid})
	return r.GetProcessIds(), wire.FromStatus(ctx, err)
}

func (s *oracleServer) BeginSerializable(ctx context.Context, q *rpcpb.BeginSerializableRequest) (*rpcpb.BeginSerializableReply, error) {
	i, watched, err := s.o.BeginSerializable(ctx, serialFromProto(q.Txn), txn.ID(q.Id),
		txn.Options{Isolation: txn.Serializable, ReadOnly: q.ReadOnly, Deferrable: q.Deferrable, ProcessID: q.ProcessId})
	return &rpcpb.BeginSerializableReply{Snapshot: snapshotToProto(i), Watched: watched}, err
}

func (s *oracleServer) Note(ctx context.Context, q *rpcpb.NoteRequest) (*rpcpb.SafeReply, error) {
	safe, err := s.o.Note(ctx, serialFromProto(q.Txn), notesFromProto(q.Notes))
	return &rpcpb.SafeReply{Safe: safe}, err
}

func (s *oracleServer) EndSerializable(ctx context.Context, q *rpcpb.EndSerializableRequest) (*rpcpb.Empty, error) {
	return empty, s.o.EndSerializable(ctx, serialFromProto(q.Txn), notesFromProto(q.Notes), q.Commit)
}

func (s *oracleServer) AwaitSafe(ctx context.Context, q *rpcpb.SerialTxn) (*rpcpb.SafeReply, error) {
	safe, err := s.o.AwaitSafe(ctx, serialFromProto(q))
	return &rpcpb.SafeReply{Safe: safe}, err
}

func (s *oracleServer) SafeSnapshotBlockers(ctx context.Context, q *rpcpb.SafeSnapshotBlockersRequest) (*rpcpb.ProcessesReply, error) {
	pids, err := s.o.SafeSnapshotBlockers(ctx, q.ProcessId)
	return &rpcpb.ProcessesReply{ProcessIds: pids}, err
}
