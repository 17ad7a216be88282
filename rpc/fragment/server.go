package fragment

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/txnrpc"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// fetchWait is how long a Fetch waits for its producer to start.
const fetchWait = 30 * time.Second

// OpenRequest says what a fragment is to see.
type OpenRequest struct {
	Branch      txn.Branch
	At          txn.ReadAt
	Tablets     []txn.TabletID
	Seq         txn.SeqRange
	LockTimeout time.Duration
	Settings    []byte
}

// Opener gives fragments their data. Safe for concurrent use.
type Opener interface {
	// Open makes what a fragment runs with: Store and Expr. release is called once,
	// after the fragment's last use of it, with whether it succeeded.
	Open(ctx context.Context, r OpenRequest) (env vexec.Exec, release func(ok bool), err error)
}

// Server runs fragments on this node. It is the node's own Peer.
type Server struct {
	ex    *vexec.Executor
	open  Opener
	peers Peers

	mu      sync.Mutex
	queries map[queryID]*query
	running atomic.Int64 // fragments

	// Horizon is below what versions of rows may have been removed here; nil: nothing is
	// that a statement could see. To be set before use.
	Horizon func() txn.Timestamp
	// Segments is what the column segments here know (storage.Node); nil: there are none. To be set before use.
	Segments Segments
}

// Segments tells about the column segments of tables. Safe for concurrent use.
type Segments interface {
	// ColumnRows is how many rows of a table lie in segments.
	ColumnRows(storageID uint64) int64
	// SegmentColumns walks what they know of a column, with how many rows each has.
	SegmentColumns(storageID uint64, attnum int) iter.Seq2[uint64, columns.ColumnStats]
}

var _ Peer = (*Server)(nil)

// query is a statement as this node knows it: while something of it runs or is
// fetched here.
type query struct {
	refs    int
	outputs map[uint32]*output
	changed chan struct{} // closed when an output is added
}

// NewServer makes the node's server. peers reaches the producers that fragments read from.
func NewServer(ex *vexec.Executor, open Opener, peers Peers) *Server {
	return &Server{ex: ex, open: open, peers: peers, queries: map[queryID]*query{}}
}

// Active tells what the node has of statements that run in pieces: the statements with something
// here, the fragments that run, and the memory that queries hold.
func (s *Server) Active() (statements, fragments int, memory int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queries), int(s.running.Load()), s.ex.Held()
}

func (s *Server) acquire(id []byte) (q *query, release func(), err error) {
	if len(id) != len(queryID{}) {
		return nil, nil, pgerror.New(pgerror.ProtocolViolation, "a query id of %d bytes", len(id))
	}
	k := queryID(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	q = s.queries[k]
	if q == nil {
		q = &query{outputs: map[uint32]*output{}, changed: make(chan struct{})}
		s.queries[k] = q
	}
	q.refs++
	return q, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if q.refs--; q.refs == 0 {
			delete(s.queries, k)
		}
	}, nil
}

// publish makes an output known to consumers.
func (s *Server) publish(q *query, exchange uint32, o *output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.outputs[exchange] != nil {
		return pgerror.New(pgerror.ProtocolViolation, "exchange %d has two producers on a node", exchange)
	}
	q.outputs[exchange] = o
	close(q.changed)
	q.changed = make(chan struct{})
	return nil
}

// Run implements Peer.
func (s *Server) Run(ctx context.Context, req *rpcpb.RunRequest, emit func(ipc.Message) error) (*rpcpb.FragmentStats, error) {
	f, r, err := request(req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	env, release, err := s.environment(ctx, f, r)
	if err != nil {
		return nil, err
	}
	ok := false
	defer func() { release(ok) }()
	env.WorkMem = req.GetWorkMem()
	if req.GetAnalyze() {
		env.Stats = vexec.NewStats(true)
	}
	stats, err := s.run(ctx, f, env, req, emit, nil, flusher(env.Store))
	ok = err == nil
	return stats, err
}

// request checks what is to be run.
func request(req *rpcpb.RunRequest) (*planpb.Fragment, OpenRequest, error) {
	var f planpb.Fragment
	if err := proto.Unmarshal(req.GetPlan(), &f); err != nil {
		return nil, OpenRequest{}, pgerror.New(pgerror.ProtocolViolation, "malformed plan: %v", err)
	}
	if err := f.Validate(); err != nil {
		return nil, OpenRequest{}, err
	}
	r := OpenRequest{Branch: txnrpc.BranchFromProto(req.GetBranch()), At: txnrpc.ReadAtFromProto(req.GetAt()),
		Seq: txn.SeqRange{First: req.GetSeq(), End: req.GetSeqEnd()}, LockTimeout: time.Duration(req.GetLockTimeoutNanos()), Settings: req.GetSettings()}
	for _, t := range req.GetTablets() {
		r.Tablets = append(r.Tablets, txn.TabletID(t))
	}
	return &f, r, nil
}

// environment is what a fragment runs with, its parameters included.
func (s *Server) environment(ctx context.Context, f *planpb.Fragment, r OpenRequest) (vexec.Exec, func(ok bool), error) {
	env, done, err := s.open.Open(ctx, r)
	if err != nil {
		return env, nil, err
	}
	s.running.Add(1)
	release := func(ok bool) {
		s.running.Add(-1)
		done(ok)
	}
	if env.Expr == nil {
		release(false)
		return env, nil, pgerror.Internal("a fragment without an environment")
	}
	if env.Expr.Params, env.ExecParams, err = params(f); err != nil {
		release(false)
		return env, nil, err
	}
	env.Expr.Ctx = ctx
	return env, release, nil
}

// flusher sends the notes that a fragment's transaction holds back (txn.Noter).
func flusher(st vexec.Store) func(ctx context.Context) error {
	if n, ok := st.(txn.Noter); ok {
		return n.FlushNotes
	}
	return func(context.Context) error { return nil }
}

// run runs a fragment whose environment is complete. With produced, its output does
// not wait for consumers, and produced is called when all of it is there. noted is
// called before rows leave, and at the end: what was read for them is noted by then.
func (s *Server) run(ctx context.Context, f *planpb.Fragment, env vexec.Exec, req *rpcpb.RunRequest, emit func(ipc.Message) error, produced func(), noted func(context.Context) error) (stats *rpcpb.FragmentStats, err error) {
	start := time.Now()
	q, release, err := s.acquire(req.GetQuery())
	if err != nil {
		return nil, err
	}
	defer release()
	in := s.inputs(ctx, f.GetStatement(), req)
	env.Sources = in.open
	out := &sender{ts: outputTypes(f.GetStatement().GetRoot()), emit: emit}
	if f.GetExchange() != 0 {
		if out.part, err = s.ex.NewPartitioner(f, env); err != nil {
			return nil, err
		}
		out.out = newOutput(s.ex, out.part.Partitions())
		out.out.eager = produced != nil
		if err := s.publish(q, f.GetExchange(), out.out); err != nil {
			return nil, err
		}
		defer out.out.close()
		defer func() { out.out.end(err) }()
	} else if emit == nil {
		return nil, pgerror.New(pgerror.ProtocolViolation, "a fragment whose rows go nowhere")
	}
	out.begin()
	affected, err := s.drive(ctx, f.GetStatement(), env, func(b *vexec.Batch) (bool, error) {
		if err := s.kept(req); err != nil {
			return false, err
		}
		if err := noted(ctx); err != nil {
			return false, err
		}
		return out.send(ctx, b)
	})
	if err == nil {
		err = noted(ctx)
	}
	if produced != nil {
		produced()
	}
	in.discard(ctx)
	if err == nil {
		err = s.kept(req)
	}
	if err != nil {
		return nil, err
	}
	if out.out != nil {
		out.out.end(nil)
		if err := out.out.drained(ctx); err != nil {
			return nil, err
		}
	}
	return collectStats(env.Stats, &rpcpb.FragmentStats{BytesSent: out.bytes, RowsSent: out.rows, Nanos: time.Since(start).Nanoseconds(), RowsAffected: affected}), nil
}

// drive pulls the fragment's rows and sends them, until its end or until nobody wants more.
func (s *Server) drive(ctx context.Context, stmt *planpb.Statement, env vexec.Exec, send func(*vexec.Batch) (wanted bool, err error)) (affected int64, err error) {
	cur, err := s.ex.Run(ctx, stmt, env)
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	writes := hasModify(stmt.GetRoot())
	for {
		b, err := cur.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = pgerror.From(context.Cause(ctx))
			}
			return 0, err
		}
		if b == nil {
			return cur.RowsAffected(), nil
		}
		wanted, err := send(b)
		if err != nil {
			return 0, err
		}
		if !wanted && !writes {
			return cur.RowsAffected(), nil
		}
	}
}

// kept fails what has read at a snapshot that nobody keeps any more: rows may have been missing.
func (s *Server) kept(req *rpcpb.RunRequest) error {
	if at := txn.Timestamp(req.GetAt().GetSnapshot()); s.Horizon != nil && at != 0 && at < s.Horizon() {
		return pgerror.New("72000", "snapshot too old").WithHint("Whoever held the snapshot has let it go, or has gone.")
	}
	return nil
}

// hasModify: the rows must be pulled to the end, whoever wants them.
func hasModify(p *planpb.Plan) bool {
	switch k := p.GetOp().(type) {
	case *planpb.Plan_Modify:
		return true
	case *planpb.Plan_Project:
		return hasModify(k.Project.GetInput())
	case *planpb.Plan_Agg:
		return hasModify(k.Agg.GetInput())
	}
	return false
}

// params reads a fragment's parameter values.
func params(f *planpb.Fragment) ([]types.Datum, map[uint32]types.Datum, error) {
	read := func(t *planpb.Type, c *planpb.Const) (types.Datum, error) {
		if c.GetNull() {
			return nil, nil
		}
		return types.ReadDatum(t.T(), c.GetValue())
	}
	var ps []types.Datum
	for i, c := range f.GetParams() {
		d, err := read(f.GetParamTypes()[i], c)
		if err != nil {
			return nil, nil, err
		}
		ps = append(ps, d)
	}
	exec := map[uint32]types.Datum{}
	for i, c := range f.GetExecParams() {
		d, err := read(f.GetExecParamTypes()[i], c)
		if err != nil {
			return nil, nil, err
		}
		exec[f.GetExecParamSlots()[i]] = d
	}
	return ps, exec, nil
}

func outputTypes(p *planpb.Plan) []types.T {
	out := make([]types.T, len(p.GetOutput()))
	for i, t := range p.GetOutput() {
		out[i] = t.T()
	}
	return out
}

// Fetch implements Peer.
func (s *Server) Fetch(ctx context.Context, req *rpcpb.FetchRequest) (Stream, error) {
	q, release, err := s.acquire(req.GetQuery())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	return &localStream{s: s, q: q, req: req, ctx: ctx, cancel: cancel, release: release}, nil
}

// localStream is a consumer's share on the own node.
type localStream struct {
	s       *Server
	q       *query
	req     *rpcpb.FetchRequest
	ctx     context.Context
	cancel  context.CancelFunc
	release func()

	mu  sync.Mutex // o, closed
	o   *output
	end bool
}

// output waits for the producer to start.
func (l *localStream) output() (*output, error) {
	timeout := time.NewTimer(fetchWait)
	defer timeout.Stop()
	for {
		l.s.mu.Lock()
		o, changed := l.q.outputs[l.req.GetExchange()], l.q.changed
		l.s.mu.Unlock()
		if o != nil {
			if int(l.req.GetPartition()) >= len(o.queues) {
				return nil, pgerror.New(pgerror.ProtocolViolation, "consumer %d of an exchange of %d", l.req.GetPartition(), len(o.queues))
			}
			return o, nil
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
			return nil, pgerror.From(context.Cause(l.ctx))
		case <-timeout.C:
			return nil, pgerror.New(pgerror.ConnectionFailure, "the producer of exchange %d has not started", l.req.GetExchange())
		}
	}
}

func (l *localStream) Recv() (ipc.Message, bool, error) {
	p := int(l.req.GetPartition())
	if l.o == nil {
		o, err := l.output()
		if err != nil {
			return ipc.Message{}, false, err
		}
		if l.req.GetDiscard() {
			if o.attach(p) {
				o.drop(p)
			}
			return ipc.Message{}, false, nil
		}
		if !o.attach(p) {
			return ipc.Message{}, false, pgerror.New(pgerror.ProtocolViolation, "consumer %d of exchange %d came twice", p, l.req.GetExchange())
		}
		l.mu.Lock()
		l.o = o
		l.mu.Unlock()
	}
	m, ok, err := l.o.next(l.ctx, p)
	if err != nil {
		err = pgerror.From(err)
	}
	return m, ok, err
}

// Close implements Stream; it may come while Recv runs.
func (l *localStream) Close() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end {
		return
	}
	l.end = true
	if l.o != nil {
		l.o.drop(int(l.req.GetPartition()))
	}
	l.release()
}

// Service is the gRPC side of a Server.
type Service struct {
	rpcpb.UnimplementedFragmentsServer
	s *Server
}

// Service makes the gRPC service.
func (s *Server) Service() *Service { return &Service{s: s} }

// errUnasked is why a run ends that its gateway holds no more. A gateway that cancels reports why
// itself; who else meets the error has lost the gateway, or a node that did, and nobody has asked
// him to stop.
var errUnasked = pgerror.New(pgerror.ConnectionFailure, "the gateway of the statement has gone")

// asked is a call's context whose end has errUnasked for its cause.
func asked(call context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(call))
	stop := context.AfterFunc(call, func() { cancel(errUnasked) })
	return ctx, func() { stop(); cancel(nil) }
}

// Run implements rpcpb.FragmentsServer.
func (v *Service) Run(req *rpcpb.RunRequest, stream rpcpb.Fragments_RunServer) error {
	ctx, stop := asked(stream.Context())
	defer stop()
	stats, err := v.s.Run(ctx, req, func(m ipc.Message) error {
		return stream.Send(&rpcpb.RunEvent{Batch: toWire(m)})
	})
	if err != nil {
		return wire.ToStatus(err)
	}
	return stream.Send(&rpcpb.RunEvent{Stats: stats})
}

// Active implements rpcpb.FragmentsServer.
func (v *Service) Active(context.Context, *rpcpb.Empty) (*rpcpb.ActiveReply, error) {
	statements, fragments, memory := v.s.Active()
	return &rpcpb.ActiveReply{Statements: uint32(statements), Fragments: uint32(fragments), Memory: memory}, nil
}

// Columns implements rpcpb.FragmentsServer.
func (v *Service) Columns(_ context.Context, r *rpcpb.ColumnsRequest) (*rpcpb.ColumnsReply, error) {
	return v.s.Columns(r.GetStorageId(), int(r.GetAttnum())), nil
}

// Columns tells what the node's column segments know of a column; attnum 0: the rows only.
func (s *Server) Columns(storageID uint64, attnum int) *rpcpb.ColumnsReply {
	out := &rpcpb.ColumnsReply{}
	if s.Segments == nil {
		return out
	}
	out.Rows = s.Segments.ColumnRows(storageID)
	if attnum == 0 {
		return out
	}
	for rows, c := range s.Segments.SegmentColumns(storageID, attnum) {
		out.Segments = append(out.Segments, &rpcpb.SegmentColumn{Rows: rows, Nulls: c.Nulls, Distinct: c.Distinct, Width: c.Width, Min: c.Min, Max: c.Max})
	}
	return out
}

// Fetch implements rpcpb.FragmentsServer.
func (v *Service) Fetch(req *rpcpb.FetchRequest, stream rpcpb.Fragments_FetchServer) error {
	s, err := v.s.Fetch(stream.Context(), req)
	if err != nil {
		return wire.ToStatus(err)
	}
	defer s.Close()
	for {
		m, ok, err := s.Recv()
		if err != nil {
			return wire.ToStatus(err)
		}
		if !ok {
			return nil
		}
		if err := stream.Send(toWire(m)); err != nil {
			return err
		}
	}
}
