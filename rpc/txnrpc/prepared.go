package txnrpc

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

func preparedToProto(i txn.PreparedInfo) *rpcpb.PreparedInfo {
	return &rpcpb.PreparedInfo{Txn: uint64(i.Txn), Gid: []byte(i.GID), Owner: i.Owner, Database: i.Database, TimeMicros: i.Time.UnixMicro(), Backend: i.Backend, Note: i.Note}
}

func preparedFromProto(i *rpcpb.PreparedInfo) txn.PreparedInfo {
	return txn.PreparedInfo{Txn: txn.ID(i.GetTxn()), GID: string(i.GetGid()), Owner: i.GetOwner(), Database: i.GetDatabase(), Time: time.UnixMicro(i.GetTimeMicros()),
		Backend: i.GetBackend(), Note: i.GetNote()}
}

func prepareToProto(r txn.PrepareRequest) *rpcpb.PreparedRequest {
	q := &rpcpb.PreparedRequest{Gateway: uint32(r.Gateway), Epoch: r.Epoch, Info: preparedToProto(r.Info), Isolation: uint32(r.Isolation), ReadOnly: r.ReadOnly,
		Catalog: r.Catalog, Serial: r.Serial, Notes: notesToProto(r.Notes), Advisory: sessionToProto(r.Advisory)}
	for _, p := range r.Parts {
		q.Parts = append(q.Parts, &rpcpb.PreparedPart{Node: uint32(p.Node), Wrote: p.Wrote})
	}
	return q
}

func prepareFromProto(q *rpcpb.PreparedRequest) (txn.PrepareRequest, error) {
	if q.Isolation > uint32(txn.Serializable) {
		return txn.PrepareRequest{}, pgerror.New(pgerror.ProtocolViolation, "malformed request to prepare a transaction")
	}
	r := txn.PrepareRequest{Gateway: txn.NodeID(q.Gateway), Epoch: q.Epoch, Info: preparedFromProto(q.Info), Isolation: txn.Isolation(q.Isolation), ReadOnly: q.ReadOnly,
		Catalog: q.Catalog, Serial: q.Serial, Notes: notesFromProto(q.Notes), Advisory: sessionFromProto(q.Advisory)}
	for _, p := range q.Parts {
		r.Parts = append(r.Parts, txn.PreparedPart{Node: txn.NodeID(p.Node), Wrote: p.Wrote})
	}
	return r, nil
}

// ReservePrepared implements txn.PreparedHost.
func (o *Oracle) ReservePrepared(ctx context.Context, r txn.PrepareRequest) error {
	_, err := o.c.ReservePrepared(ctx, prepareToProto(r))
	return wire.FromStatus(ctx, err)
}

// ConfirmPrepared implements txn.PreparedHost.
func (o *Oracle) ConfirmPrepared(ctx context.Context, r txn.PrepareRequest) error {
	_, err := o.c.ConfirmPrepared(ctx, prepareToProto(r))
	return wire.FromStatus(ctx, err)
}

// ForgoPrepared implements txn.PreparedHost.
func (o *Oracle) ForgoPrepared(ctx context.Context, id txn.ID) error {
	_, err := o.c.ForgoPrepared(ctx, &rpcpb.ForgoPreparedRequest{Txn: uint64(id)})
	return wire.FromStatus(ctx, err)
}

// ListPrepared implements txn.PreparedHost.
func (o *Oracle) ListPrepared(ctx context.Context) ([]txn.PreparedInfo, error) {
	r, err := o.c.ListPrepared(ctx, empty)
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	var out []txn.PreparedInfo
	for _, i := range r.Prepared {
		out = append(out, preparedFromProto(i))
	}
	return out, nil
}

// FinishPrepared implements txn.PreparedHost.
func (o *Oracle) FinishPrepared(ctx context.Context, id txn.ID, gid string, commit bool) (txn.Timestamp, error) {
	r, err := o.c.FinishPrepared(ctx, &rpcpb.FinishPreparedRequest{Txn: uint64(id), Gid: []byte(gid), Commit: commit})
	return txn.Timestamp(r.GetTs()), wire.FromStatus(ctx, err)
}

func (s *oracleServer) ReservePrepared(ctx context.Context, q *rpcpb.PreparedRequest) (*rpcpb.Empty, error) {
	r, err := prepareFromProto(q)
	if err != nil {
		return nil, err
	}
	return empty, s.o.ReservePrepared(ctx, r)
}

func (s *oracleServer) ConfirmPrepared(ctx context.Context, q *rpcpb.PreparedRequest) (*rpcpb.Empty, error) {
	r, err := prepareFromProto(q)
	if err != nil {
		return nil, err
	}
	return empty, s.o.ConfirmPrepared(ctx, r)
}

func (s *oracleServer) ForgoPrepared(ctx context.Context, q *rpcpb.ForgoPreparedRequest) (*rpcpb.Empty, error) {
	return empty, s.o.ForgoPrepared(ctx, txn.ID(q.Txn))
}

func (s *oracleServer) ListPrepared(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.PreparedReply, error) {
	all, err := s.o.ListPrepared(ctx)
	r := &rpcpb.PreparedReply{}
	for _, i := range all {
		r.Prepared = append(r.Prepared, preparedToProto(i))
	}
	return r, err
}

func (s *oracleServer) FinishPrepared(ctx context.Context, q *rpcpb.FinishPreparedRequest) (*rpcpb.TimestampReply, error) {
	ts, err := s.o.FinishPrepared(ctx, txn.ID(q.Txn), string(q.Gid), q.Commit)
	return &rpcpb.TimestampReply{Ts: uint64(ts)}, err
}
