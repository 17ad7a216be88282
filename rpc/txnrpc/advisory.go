package txnrpc

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

func sessionToProto(s txn.AdvisorySession) *rpcpb.AdvisorySession {
	return &rpcpb.AdvisorySession{Gateway: uint32(s.Gateway), Number: s.Number, ProcessId: s.ProcessID, Epoch: s.Epoch}
}

func sessionFromProto(s *rpcpb.AdvisorySession) txn.AdvisorySession {
	return txn.AdvisorySession{Gateway: txn.NodeID(s.GetGateway()), Number: s.GetNumber(), ProcessID: s.GetProcessId(), Epoch: s.GetEpoch()}
}

func advisoryKeyToProto(k txn.AdvisoryKey) *rpcpb.AdvisoryKey {
	return &rpcpb.AdvisoryKey{Database: k.Database, Key: k.Key, Pair: k.Pair}
}

func advisoryKeyFromProto(k *rpcpb.AdvisoryKey) txn.AdvisoryKey {
	return txn.AdvisoryKey{Database: k.GetDatabase(), Key: k.GetKey(), Pair: k.GetPair()}
}

// LockAdvisory implements txn.AdvisoryHost.
func (o *Oracle) LockAdvisory(ctx context.Context, s txn.AdvisorySession, c txn.AdvisoryCall) (got bool, epoch uint64, err error) {
	r, err := o.c.LockAdvisory(ctx, &rpcpb.LockAdvisoryRequest{Session: sessionToProto(s), Number: c.Number, Key: advisoryKeyToProto(c.Key), Shared: c.Shared, Xact: c.Xact,
		Policy: uint32(c.Policy), TimeoutNanos: int64(c.Timeout), DeadlockNanos: int64(c.Deadlock)})
	return r.GetGot(), r.GetEpoch(), wire.FromStatus(ctx, err)
}

// UndoAdvisory implements txn.AdvisoryHost.
func (o *Oracle) UndoAdvisory(ctx context.Context, s txn.AdvisorySession, call uint64) error {
	_, err := o.c.UndoAdvisory(ctx, &rpcpb.UndoAdvisoryRequest{Session: sessionToProto(s), Number: call})
	return wire.FromStatus(ctx, err)
}

// UnlockAdvisory implements txn.AdvisoryHost.
func (o *Oracle) UnlockAdvisory(ctx context.Context, s txn.AdvisorySession, key txn.AdvisoryKey, shared bool) (bool, error) {
	r, err := o.c.UnlockAdvisory(ctx, &rpcpb.UnlockAdvisoryRequest{Session: sessionToProto(s), Key: advisoryKeyToProto(key), Shared: shared})
	return r.GetHad(), wire.FromStatus(ctx, err)
}

// ReleaseAdvisory implements txn.AdvisoryHost.
func (o *Oracle) ReleaseAdvisory(ctx context.Context, s txn.AdvisorySession, session bool, mark int) error {
	_, err := o.c.ReleaseAdvisory(ctx, &rpcpb.ReleaseAdvisoryRequest{Session: sessionToProto(s), SessionLocks: session, Mark: uint32(mark)})
	return wire.FromStatus(ctx, err)
}

// EndAdvisory implements txn.AdvisoryHost.
func (o *Oracle) EndAdvisory(ctx context.Context, s txn.AdvisorySession) error {
	_, err := o.c.EndAdvisory(ctx, sessionToProto(s))
	return wire.FromStatus(ctx, err)
}

func (s *oracleServer) LockAdvisory(ctx context.Context, q *rpcpb.LockAdvisoryRequest) (*rpcpb.LockAdvisoryReply, error) {
	if q.Policy > uint32(txn.WaitError) {
		return nil, pgerror.New(pgerror.ProtocolViolation, "malformed lock request")
	}
	got, epoch, err := s.o.LockAdvisory(ctx, sessionFromProto(q.Session), txn.AdvisoryCall{Number: q.Number, Key: advisoryKeyFromProto(q.Key), Shared: q.Shared, Xact: q.Xact,
		Policy: txn.WaitPolicy(q.Policy), Timeout: time.Duration(q.TimeoutNanos), Deadlock: time.Duration(q.DeadlockNanos)})
	return &rpcpb.LockAdvisoryReply{Got: got, Epoch: epoch}, err
}

func (s *oracleServer) UndoAdvisory(ctx context.Context, q *rpcpb.UndoAdvisoryRequest) (*rpcpb.Empty, error) {
	return empty, s.o.UndoAdvisory(ctx, sessionFromProto(q.Session), q.Number)
}

func (s *oracleServer) UnlockAdvisory(ctx context.Context, q *rpcpb.UnlockAdvisoryRequest) (*rpcpb.UnlockAdvisoryReply, error) {
	had, err := s.o.UnlockAdvisory(ctx, sessionFromProto(q.Session), advisoryKeyFromProto(q.Key), q.Shared)
	return &rpcpb.UnlockAdvisoryReply{Had: had}, err
}

func (s *oracleServer) ReleaseAdvisory(ctx context.Context, q *rpcpb.ReleaseAdvisoryRequest) (*rpcpb.Empty, error) {
	return empty, s.o.ReleaseAdvisory(ctx, sessionFromProto(q.Session), q.SessionLocks, int(q.Mark))
}

func (s *oracleServer) EndAdvisory(ctx context.Context, q *rpcpb.AdvisorySession) (*rpcpb.Empty, error) {
	return empty, s.o.EndAdvisory(ctx, sessionFromProto(q))
}
