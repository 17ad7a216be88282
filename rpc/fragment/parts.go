package fragment

import (
	"context"
	"crypto/rand"

	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/txnrpc"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Parts of a result are its only piece's fragments, one per site, that somebody
// redeems later, perhaps more than once: an encoded RunRequest without an exchange. It names no
// branch, so that it sees what is committed at its snapshot, which its maker keeps.

// Parts gives the parts of a statement with one piece. Nothing is started.
func (g *Gateway) Parts(ctx context.Context, s Statement) ([]pgwire.Part, error) {
	if len(s.Pieces) != 1 || s.Pieces[0].Writes || len(s.Pieces[0].Sources) > 0 {
		return nil, pgerror.Internal("a statement that is not the sum of its sites has no parts")
	}
	shared, err := g.share(ctx, &s)
	if err != nil {
		return nil, err
	}
	var env *types.Env
	if s.Env.Expr != nil {
		env = s.Env.Expr.Env
	}
	set, err := encodeSettings(env)
	if err != nil {
		return nil, err
	}
	p := s.Pieces[0]
	f := proto.Clone(p.Fragment).(*planpb.Fragment)
	f.Exchange, f.Output, f.OutputKeys, f.Partitions = 0, planpb.Exchange_GATHER, nil, 0
	p.Fragment = f
	var slots []uint32
	if len(s.Slots) > 0 {
		slots = s.Slots[0]
	}
	plan, err := g.complete(&p, slots, &s)
	if err != nil {
		return nil, err
	}
	var out []pgwire.Part
	for k, site := range p.Sites {
		b := shared.Branches[txn.NodeID(site.Node)]
		if b.Begun {
			return nil, pgerror.Internal("parts of a result in a transaction with writes")
		}
		var query queryID
		if _, err := rand.Read(query[:]); err != nil {
			return nil, pgerror.Internal("random numbers: %v", err)
		}
		b.Txn = 0
		req := &rpcpb.RunRequest{Query: query[:], Plan: plan, Site: uint32(k), Tablets: site.Tablets, Settings: set, Branch: txnrpc.BranchToProto(b),
			At: txnrpc.ReadAtToProto(shared.At), WorkMem: s.Env.WorkMem}
		enc, err := proto.Marshal(req)
		if err != nil {
			return nil, pgerror.Internal("encoding a fragment: %v", err)
		}
		out = append(out, pgwire.Part{Node: site.Node, Fragment: enc})
	}
	return out, nil
}

// Pull runs a part on its node and hands over its batches.
func (g *Gateway) Pull(ctx context.Context, part pgwire.Part, emit func(*vexec.Batch) error) error {
	var req rpcpb.RunRequest
	if err := proto.Unmarshal(part.Fragment, &req); err != nil {
		return pgerror.New(pgerror.ProtocolViolation, "malformed part of a result: %v", err)
	}
	if txn.NodeID(part.Node) == g.Self {
		return g.Server.pull(ctx, &req, emit)
	}
	var f planpb.Fragment
	if err := proto.Unmarshal(req.GetPlan(), &f); err != nil {
		return pgerror.New(pgerror.ProtocolViolation, "malformed plan: %v", err)
	}
	peer, _, err := g.Peer(txn.NodeID(part.Node))
	if err != nil {
		return err
	}
	dec := ipc.NewDecoder(outputTypes(f.GetStatement().GetRoot()))
	_, err = peer.Run(ctx, &req, func(m ipc.Message) error {
		b, err := dec.Decode(m)
		if err != nil || b == nil {
			return err
		}
		return emit(b)
	})
	return err
}

// pull runs a part of this node's.
func (s *Server) pull(ctx context.Context, req *rpcpb.RunRequest, emit func(*vexec.Batch) error) error {
	f, r, err := request(req)
	if err != nil {
		return err
	}
	if f.GetExchange() != 0 || len(req.GetSources()) > 0 || hasModify(f.GetStatement().GetRoot()) {
		return pgerror.New(pgerror.ProtocolViolation, "a fragment that is no part of a result")
	}
	_, release, err := s.acquire(req.GetQuery())
	if err != nil {
		return err
	}
	defer release()
	env, done, err := s.environment(ctx, f, r)
	if err != nil {
		return err
	}
	ok := false
	defer func() { done(ok) }()
	env.WorkMem = req.GetWorkMem()
	_, err = s.drive(ctx, f.GetStatement(), env, func(b *vexec.Batch) (bool, error) {
		if err := s.kept(req); err != nil {
			return false, err
		}
		return true, emit(b)
	})
	if err == nil {
		err = s.kept(req)
	}
	ok = err == nil
	return err
}
