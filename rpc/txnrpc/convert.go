package txnrpc

import (
	"time"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/txn"
)

// BranchToProto and BranchFromProto carry a txn.Branch.
func BranchToProto(b txn.Branch) *rpcpb.Branch {
	return &rpcpb.Branch{Txn: uint64(b.Txn), Gateway: uint32(b.Gateway), Epoch: b.Epoch, Isolation: uint32(b.Isolation), ProcessId: b.ProcessID, Begun: b.Begun, Cuts: b.Cuts, Serial: b.Serial}
}

func BranchFromProto(b *rpcpb.Branch) txn.Branch {
	return txn.Branch{Txn: txn.ID(b.GetTxn()), Gateway: txn.NodeID(b.GetGateway()), Epoch: b.GetEpoch(), Isolation: txn.Isolation(b.GetIsolation()),
		ProcessID: b.GetProcessId(), Begun: b.GetBegun(), Cuts: b.GetCuts(), Serial: b.GetSerial()}
}

// ReadAtToProto and ReadAtFromProto carry a txn.ReadAt.
func ReadAtToProto(a txn.ReadAt) *rpcpb.ReadAt {
	return &rpcpb.ReadAt{Snapshot: uint64(a.Snapshot), Statement: a.Statement}
}

func ReadAtFromProto(a *rpcpb.ReadAt) txn.ReadAt {
	return txn.ReadAt{Snapshot: txn.Timestamp(a.GetSnapshot()), Statement: a.GetStatement()}
}

func writesToProto(w []txn.BranchWrite) []*rpcpb.BranchWrite {
	out := make([]*rpcpb.BranchWrite, len(w))
	for i := range w {
		out[i] = &rpcpb.BranchWrite{Key: w[i].Key, Value: w[i].Value, Delete: w[i].Delete, New: w[i].New, Statement: w[i].Statement, Seq: w[i].Seq}
	}
	return out
}

func writesFromProto(w []*rpcpb.BranchWrite) []txn.BranchWrite {
	out := make([]txn.BranchWrite, len(w))
	for i, x := range w {
		out[i] = txn.BranchWrite{Key: x.GetKey(), Value: x.GetValue(), Delete: x.GetDelete(), New: x.GetNew(), Statement: x.GetStatement(), Seq: x.GetSeq()}
	}
	return out
}

// A time as Unix nanoseconds, 0 for none. Clocks of nodes differ: it orders waits
// for a report, nothing depends on it.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// notNil keeps an empty value apart from none, which protobuf does not.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
