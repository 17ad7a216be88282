package txnrpc

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

// Participant is the node behind a connection.
type Participant struct{ c rpcpb.ParticipantClient }

var _ txn.Participant = (*Participant)(nil)

// NewParticipant makes the client.
func NewParticipant(cc grpc.ClientConnInterface) *Participant {
	return &Participant{rpcpb.NewParticipantClient(cc)}
}

// Get implements txn.Participant.
func (p *Participant) Get(ctx context.Context, b txn.Branch, at txn.ReadAt, key []byte) ([]byte, bool, error) {
	r, err := p.c.Get(ctx, &rpcpb.GetRequest{Branch: BranchToProto(b), At: ReadAtToProto(at), Key: key})
	if err != nil {
		return nil, false, wire.FromStatus(ctx, err)
	}
	return notNil(r.Value), r.Ok, nil
}

// GetMany implements txn.Participant.
func (p *Participant) GetMany(ctx context.Context, b txn.Branch, at txn.ReadAt, keys [][]byte) ([][]byte, error) {
	r, err := p.c.GetMany(ctx, &rpcpb.GetManyRequest{Branch: BranchToProto(b), At: ReadAtToProto(at), Keys: keys})
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	out := make([][]byte, len(r.Rows))
	for i, x := range r.Rows {
		if x.Ok {
			out[i] = notNil(x.Value)
		}
	}
	return out, nil
}

// Scan implements txn.Participant.
func (p *Participant) Scan(ctx context.Context, b txn.Branch, at txn.ReadAt, s txn.ScanPage) (txn.Page, error) {
	r, err := p.c.Scan(ctx, &rpcpb.ScanRequest{Branch: BranchToProto(b), At: ReadAtToProto(at), Lower: s.Lower, Upper: s.Upper, Reverse: s.Reverse,
		CommittedOnly: s.CommittedOnly, RowsMax: int32(s.RowsMax), BytesMax: int32(s.BytesMax)})
	if err != nil {
		return txn.Page{}, wire.FromStatus(ctx, err)
	}
	return txn.Page{Keys: r.Keys, Values: r.Values, More: r.More}, nil
}

// Lock implements txn.Participant.
func (p *Participant) Lock(ctx context.Context, b txn.Branch, at txn.ReadAt, l txn.LockCall) ([]txn.Newest, error) {
	r, err := p.c.Lock(ctx, &rpcpb.LockRequest{Branch: BranchToProto(b), At: ReadAtToProto(at), Writes: writesToProto(l.Writes), Kind: uint32(l.Kind),
		Keys: l.Keys, Strength: uint32(l.Strength), Policy: uint32(l.Policy), Seq: l.Seq, TimeoutNanos: int64(l.Timeout), OwnSnapshot: uint64(l.OwnSnapshot)})
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	out := make([]txn.Newest, len(r.Newest))
	for i, n := range r.Newest {
		out[i] = txn.Newest{Exists: n.Exists, Value: n.Value, CommitTS: txn.Timestamp(n.CommitTs), Changed: n.Changed, OwnStatement: n.OwnStatement, Skipped: n.Skipped}
		if n.Exists {
			out[i].Value = notNil(n.Value)
		}
	}
	return out, nil
}

// Write implements txn.Participant.
func (p *Participant) Write(ctx context.Context, b txn.Branch, at txn.ReadAt, w []txn.BranchWrite) error {
	_, err := p.c.Write(ctx, &rpcpb.WriteRequest{Branch: BranchToProto(b), At: ReadAtToProto(at), Writes: writesToProto(w)})
	return wire.FromStatus(ctx, err)
}

// LockRelation implements txn.Participant.
func (p *Participant) LockRelation(ctx context.Context, b txn.Branch, id uint64, mode txn.RelationLock, policy txn.WaitPolicy, seq uint64, timeout time.Duration) error {
	_, err := p.c.LockRelation(ctx, &rpcpb.LockRelationRequest{Branch: BranchToProto(b), Id: id, Mode: uint32(mode), Policy: uint32(policy), Seq: seq, TimeoutNanos: int64(timeout)})
	return wire.FromStatus(ctx, err)
}

// RollbackTo implements txn.Participant.
func (p *Participant) RollbackTo(ctx context.Context, b txn.Branch, seq uint64) error {
	_, err := p.c.RollbackTo(ctx, &rpcpb.RollbackToRequest{Branch: BranchToProto(b), Seq: seq})
	return wire.FromStatus(ctx, err)
}

// Own implements txn.Participant.
func (p *Participant) Own(ctx context.Context, b txn.Branch, key []byte) (bool, error) {
	r, err := p.c.Own(ctx, &rpcpb.OwnRequest{Branch: BranchToProto(b), Key: key})
	return r.GetWrote(), wire.FromStatus(ctx, err)
}

// Prepare implements txn.Participant.
func (p *Participant) Prepare(ctx context.Context, b txn.Branch, record txn.NodeID) error {
	_, err := p.c.Prepare(ctx, &rpcpb.PrepareRequest{Branch: BranchToProto(b), Record: uint32(record)})
	return wire.FromStatus(ctx, err)
}

// Hold implements txn.Participant.
func (p *Participant) Hold(ctx context.Context, b txn.Branch, record txn.NodeID) error {
	_, err := p.c.Hold(ctx, &rpcpb.PrepareRequest{Branch: BranchToProto(b), Record: uint32(record)})
	return wire.FromStatus(ctx, err)
}

// Decide implements txn.Participant.
func (p *Participant) Decide(ctx context.Context, b txn.Branch, ts txn.Timestamp) error {
	_, err := p.c.Decide(ctx, &rpcpb.ApplyRequest{Branch: BranchToProto(b), Ts: uint64(ts)})
	return wire.FromStatus(ctx, err)
}

// Apply implements txn.Participant.
func (p *Participant) Apply(ctx context.Context, b txn.Branch, ts txn.Timestamp) error {
	_, err := p.c.Apply(ctx, &rpcpb.ApplyRequest{Branch: BranchToProto(b), Ts: uint64(ts)})
	return wire.FromStatus(ctx, err)
}

// Release implements txn.Participant.
func (p *Participant) Release(ctx context.Context, b txn.Branch) error {
	_, err := p.c.Release(ctx, &rpcpb.BranchRequest{Branch: BranchToProto(b)})
	return wire.FromStatus(ctx, err)
}

// Abort implements txn.Participant.
func (p *Participant) Abort(ctx context.Context, b txn.Branch) error {
	_, err := p.c.Abort(ctx, &rpcpb.BranchRequest{Branch: BranchToProto(b)})
	return wire.FromStatus(ctx, err)
}

// Outcome implements txn.Participant.
func (p *Participant) Outcome(ctx context.Context, id txn.ID, fence bool) (txn.Timestamp, txn.Outcome, error) {
	r, err := p.c.Outcome(ctx, &rpcpb.OutcomeRequest{Txn: uint64(id), Fence: fence})
	return txn.Timestamp(r.GetTs()), txn.Outcome(r.GetOutcome()), wire.FromStatus(ctx, err)
}

// Forget implements txn.Participant.
func (p *Participant) Forget(ctx context.Context, id txn.ID) error {
	_, err := p.c.Forget(ctx, &rpcpb.OutcomeRequest{Txn: uint64(id)})
	return wire.FromStatus(ctx, err)
}

// ReadNow implements txn.Participant.
func (p *Participant) ReadNow(ctx context.Context, key []byte) ([]byte, error) {
	r, err := p.c.ReadNow(ctx, &rpcpb.NowRequest{Key: key})
	if err != nil || !r.HasValue {
		return nil, wire.FromStatus(ctx, err)
	}
	return notNil(r.Value), nil
}

// SwapNow implements txn.Participant.
func (p *Participant) SwapNow(ctx context.Context, key, old, value []byte) ([]byte, bool, error) {
	r, err := p.c.SwapNow(ctx, &rpcpb.NowRequest{Key: key, HasOld: old != nil, Old: old, Value: value})
	if err != nil {
		return nil, false, wire.FromStatus(ctx, err)
	}
	var now []byte
	if r.HasValue {
		now = notNil(r.Value)
	}
	return now, r.Ok, nil
}

// SyncNow implements txn.Participant.
func (p *Participant) SyncNow(ctx context.Context) error {
	_, err := p.c.SyncNow(ctx, empty)
	return wire.FromStatus(ctx, err)
}

// Locks implements txn.Participant.
func (p *Participant) Locks(ctx context.Context) ([]txn.LockInfo, error) {
	r, err := p.c.Locks(ctx, empty)
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	out := make([]txn.LockInfo, len(r.Locks))
	for i, l := range r.Locks {
		out[i] = txn.LockInfo{Relation: l.Relation, Transaction: txn.ID(l.Transaction), Holder: txn.ID(l.Holder), ProcessID: l.ProcessId, Mode: l.Mode,
			Granted: l.Granted, Since: fromNanos(l.SinceNanos), Storage: l.Storage, Key: l.Key}
		if l.Advisory != nil {
			k := advisoryKeyFromProto(l.Advisory)
			out[i].Advisory = &k
		}
	}
	return out, nil
}

// Waits implements txn.Participant.
func (p *Participant) Waits(ctx context.Context) ([]txn.Wait, error) {
	r, err := p.c.Waits(ctx, empty)
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	out := make([]txn.Wait, len(r.Waits))
	for i, w := range r.Waits {
		out[i] = txn.Wait{Waiter: txn.ID(w.Waiter), Blocker: txn.ID(w.Blocker), WaiterPID: w.WaiterPid, BlockerPID: w.BlockerPid, What: w.What, Since: fromNanos(w.SinceNanos), Advisory: w.Advisory}
	}
	return out, nil
}

// CancelWait implements txn.Participant.
func (p *Participant) CancelWait(ctx context.Context, id txn.ID, cause error) error {
	_, err := p.c.CancelWait(ctx, &rpcpb.CancelWaitRequest{Txn: uint64(id), Error: wire.ToProto(cause)})
	return wire.FromStatus(ctx, err)
}

// EndGateway implements txn.Participant.
func (p *Participant) EndGateway(ctx context.Context, gateway txn.NodeID) error {
	_, err := p.c.EndGateway(ctx, &rpcpb.EndGatewayRequest{Gateway: uint32(gateway)})
	return wire.FromStatus(ctx, err)
}
