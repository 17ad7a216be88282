package fragment

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
)

// Peer is a node's service Fragments: the own node's Server, or a Client. Safe for
// concurrent use.
type Peer interface {
	// Run runs a fragment to its end. emit gets the rows of one that feeds no exchange.
	Run(ctx context.Context, req *rpcpb.RunRequest, emit func(ipc.Message) error) (*rpcpb.FragmentStats, error)
	// Fetch opens one consumer's share of an exchange's output there.
	Fetch(ctx context.Context, req *rpcpb.FetchRequest) (Stream, error)
}

// Stream yields messages; ok is false at the end. Close may come at any time; what
// was not received is not wanted then.
type Stream interface {
	Recv() (m ipc.Message, ok bool, err error)
	Close()
}

// Peers reaches nodes: by id, or by id and the address that a gateway told (Producer.addr).
type Peers func(node uint32, addr string) (Peer, error)

// messageBytesMax bounds a message on the wire: one row may be large.
const messageBytesMax = 1 << 30

// Client is the Fragments service of another node.
type Client struct{ c rpcpb.FragmentsClient }

var _ Peer = (*Client)(nil)

// NewClient makes the client over a connection.
func NewClient(cc grpc.ClientConnInterface) *Client { return &Client{rpcpb.NewFragmentsClient(cc)} }

var callOptions = []grpc.CallOption{grpc.MaxCallRecvMsgSize(messageBytesMax + 1<<20), grpc.MaxCallSendMsgSize(messageBytesMax)}

// Run implements Peer.
func (c *Client) Run(ctx context.Context, req *rpcpb.RunRequest, emit func(ipc.Message) error) (*rpcpb.FragmentStats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.c.Run(ctx, req, callOptions...)
	if err != nil {
		return nil, wire.FromStatus(ctx, err)
	}
	for {
		ev, err := s.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil, pgerror.New(pgerror.ProtocolViolation, "a fragment ended without its statistics")
		case err != nil:
			return nil, wire.FromStatus(ctx, err)
		case ev.GetStats() != nil:
			return ev.GetStats(), nil
		case emit == nil || ev.GetBatch() == nil:
			return nil, pgerror.New(pgerror.ProtocolViolation, "unexpected rows of a fragment")
		}
		if err := emit(fromWire(ev.GetBatch())); err != nil {
			return nil, err
		}
	}
}

// Fetch implements Peer.
func (c *Client) Fetch(ctx context.Context, req *rpcpb.FetchRequest) (Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := c.c.Fetch(ctx, req, callOptions...)
	if err != nil {
		err = wire.FromStatus(ctx, err) // before ctx ends here
		cancel()
		return nil, err
	}
	return &remoteStream{ctx: ctx, s: s, cancel: cancel}, nil
}

type remoteStream struct {
	ctx    context.Context
	s      grpc.ServerStreamingClient[rpcpb.Batch]
	cancel context.CancelFunc
}

func (r *remoteStream) Recv() (ipc.Message, bool, error) {
	b, err := r.s.Recv()
	if errors.Is(err, io.EOF) {
		return ipc.Message{}, false, nil
	}
	if err != nil {
		return ipc.Message{}, false, wire.FromStatus(r.ctx, err)
	}
	return fromWire(b), true, nil
}

func (r *remoteStream) Close() { r.cancel() }

func fromWire(b *rpcpb.Batch) ipc.Message {
	return ipc.Message{Schema: b.GetSchema(), Header: b.GetHeader(), Body: b.GetBody(), Rows: b.GetRows()}
}

func toWire(m ipc.Message) *rpcpb.Batch {
	return &rpcpb.Batch{Schema: m.Schema, Header: m.Header, Body: m.Body, Rows: m.Rows}
}

// source reads one producer's stream as batches. The stream is opened by the first
// Next, under the context of the run.
type source struct {
	ctx  context.Context
	peer func() (Peer, error)
	req  *rpcpb.FetchRequest
	dec  *ipc.Decoder
	s    Stream
	done bool
}

func newSource(ctx context.Context, ts []types.T, req *rpcpb.FetchRequest, peer func() (Peer, error)) *source {
	return &source{ctx: ctx, peer: peer, req: req, dec: ipc.NewDecoder(ts)}
}

var _ vexec.Reader = (*source)(nil)

// Next implements vexec.Reader.
func (r *source) Next(ctx context.Context) (*vexec.Batch, error) {
	if r.done {
		return nil, nil
	}
	if r.s == nil {
		p, err := r.peer()
		if err != nil {
			return nil, err
		}
		if r.s, err = p.Fetch(r.ctx, r.req); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, r.s.Close) // Recv ends soon
	defer stop()
	m, ok, err := r.s.Recv()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	if !ok {
		if err := ctx.Err(); err != nil { // an end by Close is none
			return nil, context.Cause(ctx)
		}
		r.done = true
		return nil, nil
	}
	return r.dec.Decode(m)
}

// Close implements vexec.Reader. Without a Next before, the producer is told by discard.
func (r *source) Close() {
	if r.s != nil {
		r.s.Close()
	}
}

// discard tells the producer of a stream that was never opened that nobody will.
func discard(ctx context.Context, peer func() (Peer, error), req *rpcpb.FetchRequest) {
	p, err := peer()
	if err != nil {
		return
	}
	s, err := p.Fetch(ctx, &rpcpb.FetchRequest{Query: req.Query, Exchange: req.Exchange, Partition: req.Partition, Discard: true})
	if err != nil {
		return
	}
	defer s.Close()
	_, _, _ = s.Recv() // the answer: it has been heard
}
