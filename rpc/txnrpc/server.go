package txnrpc

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// RegisterParticipant serves a participant.
func RegisterParticipant(s grpc.ServiceRegistrar, p txn.Participant) {
	rpcpb.RegisterParticipantServer(s, &participantServer{p: p})
}

type participantServer struct {
	rpcpb.UnimplementedParticipantServer
	p txn.Participant
}

// Bounds of a page, whatever a caller asks for.
const (
	pageRowsMax  = 64 << 10
	pageBytesMax = 2 << 20
)

func (s *participantServer) Get(ctx context.Context, q *rpcpb.GetRequest) (*rpcpb.GetReply, error) {
	v, ok, err := s.p.Get(ctx, BranchFromProto(q.Branch), ReadAtFromProto(q.At), q.Key)
	return &rpcpb.GetReply{Value: v, Ok: ok}, err
}

func (s *participantServer) GetMany(ctx context.Context, q *rpcpb.GetManyRequest) (*rpcpb.GetManyReply, error) {
	vs, err := s.p.GetMany(ctx, BranchFromProto(q.Branch), ReadAtFromProto(q.At), q.Keys)
	r := &rpcpb.GetManyReply{Rows: make([]*rpcpb.GetReply, len(vs))}
	for i, v := range vs {
		r.Rows[i] = &rpcpb.GetReply{Value: v, Ok: v != nil}
	}
	return r, err
}

func (s *participantServer) Scan(ctx context.Context, q *rpcpb.ScanRequest) (*rpcpb.ScanReply, error) {
	p, err := s.p.Scan(ctx, BranchFromProto(q.Branch), ReadAtFromProto(q.At), txn.ScanPage{Lower: q.Lower, Upper: q.Upper, Reverse: q.Reverse,
		CommittedOnly: q.CommittedOnly, RowsMax: bounded(q.RowsMax, pageRowsMax), BytesMax: bounded(q.BytesMax, pageBytesMax)})
	return &rpcpb.ScanReply{Keys: p.Keys, Values: p.Values, More: p.More}, err
}

func bounded(n int32, max int) int {
	if n <= 0 || int(n) > max {
		return max
	}
	return int(n)
}

func (s *participantServer) Lock(ctx context.Context, q *rpcpb.LockRequest) (*rpcpb.LockReply, error) {
	if q.Strength > uint32(txn.LockUpdate) || q.Policy > uint32(txn.WaitError) {
		return nil, pgerror.New(pgerror.ProtocolViolation, "malformed lock request")
	}
	ns, err := s.p.Lock(ctx, BranchFromProto(q.Branch), ReadAtFromProto(q.At), txn.LockCall{Writes: writesFromProto(q.Writes), Kind: txn.LockKind(q.Kind),
		Keys: q.Keys, Strength: txn.LockStrength(q.Strength), Policy: txn.WaitPolicy(q.Policy), Seq: q.Seq, Timeout: time.Duration(q.TimeoutNanos),
		OwnSnapshot: txn.Timestamp(q.OwnSnapshot)})
	r := &rpcpb.LockReply{Newest: make([]*rpcpb.Newest, len(ns))}
	for i, n := range ns {
		r.Newest[i] = &rpcpb.Newest{Exists: n.Exists, Value: n.Value, CommitTs: uint64(n.CommitTS), Changed: n.Changed, OwnStatement: n.OwnStatement, Skipped: n.Skipped}
	}
	return r, err
}

func (s *participantServer) Write(ctx context.Context, q *rpcpb.WriteRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Write(ctx, BranchFromProto(q.Branch), ReadAtFromProto(q.At), writesFromProto(q.Writes))
}

func (s *participantServer) LockRelation(ctx context.Context, q *rpcpb.LockRelationRequest) (*rpcpb.Empty, error) {
	if q.Mode < uint32(txn.AccessShare) || q.Mode > uint32(txn.AccessExclusive) || q.Policy > uint32(txn.WaitError) {
		return nil, pgerror.New(pgerror.ProtocolViolation, "malformed lock request")
	}
	return empty, s.p.LockRelation(ctx, BranchFromProto(q.Branch), q.Id, txn.RelationLock(q.Mode), txn.WaitPolicy(q.Policy), q.Seq, time.Duration(q.TimeoutNanos))
}

func (s *participantServer) RollbackTo(ctx context.Context, q *rpcpb.RollbackToRequest) (*rpcpb.Empty, error) {
	return empty, s.p.RollbackTo(ctx, BranchFromProto(q.Branch), q.Seq)
}

func (s *participantServer) Own(ctx context.Context, q *rpcpb.OwnRequest) (*rpcpb.OwnReply, error) {
	w, err := s.p.Own(ctx, BranchFromProto(q.Branch), q.Key)
	return &rpcpb.OwnReply{Wrote: w}, err
}

func (s *participantServer) Prepare(ctx context.Context, q *rpcpb.PrepareRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Prepare(ctx, BranchFromProto(q.Branch), txn.NodeID(q.Record))
}

func (s *participantServer) Hold(ctx context.Context, q *rpcpb.PrepareRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Hold(ctx, BranchFromProto(q.Branch), txn.NodeID(q.Record))
}

func (s *participantServer) Decide(ctx context.Context, q *rpcpb.ApplyRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Decide(ctx, BranchFromProto(q.Branch), txn.Timestamp(q.Ts))
}

func (s *participantServer) Apply(ctx context.Context, q *rpcpb.ApplyRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Apply(ctx, BranchFromProto(q.Branch), txn.Timestamp(q.Ts))
}

func (s *participantServer) Release(ctx context.Context, q *rpcpb.BranchRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Release(ctx, BranchFromProto(q.Branch))
}

func (s *participantServer) Abort(ctx context.Context, q *rpcpb.BranchRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Abort(ctx, BranchFromProto(q.Branch))
}

func (s *participantServer) Outcome(ctx context.Context, q *rpcpb.OutcomeRequest) (*rpcpb.OutcomeReply, error) {
	ts, o, err := s.p.Outcome(ctx, txn.ID(q.Txn), q.Fence)
	return &rpcpb.OutcomeReply{Ts: uint64(ts), Outcome: uint32(o)}, err
}

func (s *participantServer) Forget(ctx context.Context, q *rpcpb.OutcomeRequest) (*rpcpb.Empty, error) {
	return empty, s.p.Forget(ctx, txn.ID(q.Txn))
}

func (s *participantServer) ReadNow(ctx context.Context, q *rpcpb.NowRequest) (*rpcpb.NowReply, error) {
	v, err := s.p.ReadNow(ctx, q.Key)
	return &rpcpb.NowReply{HasValue: v != nil, Value: v}, err
}

func (s *participantServer) SwapNow(ctx context.Context, q *rpcpb.NowRequest) (*rpcpb.NowReply, error) {
	var old []byte
	if q.HasOld {
		old = notNil(q.Old)
	}
	now, ok, err := s.p.SwapNow(ctx, q.Key, old, q.Value)
	return &rpcpb.NowReply{HasValue: now != nil, Value: now, Ok: ok}, err
}

func (s *participantServer) SyncNow(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.Empty, error) {
	return empty, s.p.SyncNow(ctx)
}

func (s *participantServer) Locks(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.LocksReply, error) {
	ls, err := s.p.Locks(ctx)
	r := &rpcpb.LocksReply{}
	for _, l := range ls {
		r.Locks = append(r.Locks, &rpcpb.LockInfo{Relation: l.Relation, Transaction: uint64(l.Transaction), Holder: uint64(l.Holder), ProcessId: l.ProcessID,
			Mode: l.Mode, Granted: l.Granted, SinceNanos: nanos(l.Since), Storage: l.Storage, Key: l.Key})
		if l.Advisory != nil {
			r.Locks[len(r.Locks)-1].Advisory = advisoryKeyToProto(*l.Advisory)
		}
	}
	return r, err
}

func (s *participantServer) Waits(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.WaitsReply, error) {
	ws, err := s.p.Waits(ctx)
	r := &rpcpb.WaitsReply{}
	for _, w := range ws {
		r.Waits = append(r.Waits, &rpcpb.Wait{Waiter: uint64(w.Waiter), Blocker: uint64(w.Blocker), WaiterPid: w.WaiterPID, BlockerPid: w.BlockerPID,
			What: w.What, SinceNanos: nanos(w.Since), Advisory: w.Advisory})
	}
	return r, err
}

func (s *participantServer) CancelWait(ctx context.Context, q *rpcpb.CancelWaitRequest) (*rpcpb.Empty, error) {
	return empty, s.p.CancelWait(ctx, txn.ID(q.Txn), wire.FromProto(q.Error))
}

func (s *participantServer) EndGateway(ctx context.Context, q *rpcpb.EndGatewayRequest) (*rpcpb.Empty, error) {
	return empty, s.p.EndGateway(ctx, txn.NodeID(q.Gateway))
}
