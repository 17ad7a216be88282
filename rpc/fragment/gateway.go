package fragment

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/txnrpc"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Gateway starts statements that were cut into pieces.
type Gateway struct {
	// Self is this node, whose pieces Server runs without a network.
	Self   txn.NodeID
	Server *Server
	// Peer reaches another node's service and tells the address at which other nodes
	// reach it too.
	Peer func(node txn.NodeID) (p Peer, addr string, err error)
	// Addr is where other nodes reach this one.
	Addr func() string
	// AddRows takes how many rows more tables have by what pieces have written, and how many rows they have written,
	// once that is committed; nil: nobody counts.
	AddRows func(added, changed map[uint64]int64)
}

// Statement is one run of a statement with pieces.
type Statement struct {
	// Root is the gateway's part.
	Root   *planpb.Statement
	Pieces []vexec.Piece
	// Slots[i] are the EXEC parameters that go with piece i; values in Env.ExecParams,
	// types in SlotTypes.
	Slots     [][]uint32
	SlotTypes map[uint32]types.T
	Env       vexec.Exec
	// Tx is what Env.Store reads through; a txn.Sharer unless all pieces are the gateway's.
	Tx          txn.Txn
	LockTimeout time.Duration
	// Writes: Root changes or locks rows. The gateway's own pieces then run before it:
	// a store is not read and changed at once.
	Writes bool
}

// SiteRun is what one site did of a piece.
type SiteRun struct {
	Exchange uint32
	Node     txn.NodeID
	Stats    *rpcpb.FragmentStats
}

// Cursor is a statement that runs in pieces. After its end, or Close, Runs tells
// what the sites did.
type Cursor struct {
	root    vexec.Cursor
	in      *inputs
	cancel  context.CancelCauseFunc
	analyze bool
	writes  bool                                  // pieces change rows
	count   func(added, changed map[uint64]int64) // once the transaction commits
	eager   bool                                  // the gateway's own pieces come before the root

	runs    sync.WaitGroup
	before  sync.WaitGroup // eager pieces that have not produced all yet
	writers sync.WaitGroup // pieces that write
	mu      sync.Mutex
	err     error // the first of any piece
	sites   []SiteRun
	rows    int64            // changed by pieces
	added   map[uint64]int64 // by pieces, by storage id
	changed map[uint64]int64
	ended   bool
	failed  error // what Next has reported
	stats   *vexec.Stats
}

var _ vexec.Cursor = (*Cursor)(nil)

// errOver is why pieces are cancelled whose rows nobody needs any more.
var errOver = errors.New("the statement is over")

// statsWait bounds waiting for the statistics of pieces that are being ended.
const statsWait = time.Second

// Start starts the pieces of a statement on their sites and the statement itself.
// Errors of pieces come from Next. Cancelling ctx later has no effect on what runs: that
// is for the contexts of Next, and for Close.
func (g *Gateway) Start(ctx context.Context, s Statement) (*Cursor, error) {
	var query queryID
	if _, err := rand.Read(query[:]); err != nil {
		return nil, pgerror.Internal("random numbers: %v", err)
	}
	shared, err := g.share(ctx, &s)
	if err != nil {
		return nil, err
	}
	producers, err := g.producers(&s)
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
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	c := &Cursor{cancel: cancel, eager: s.Writes, analyze: s.Env.Stats != nil, stats: s.Env.Stats, added: map[uint64]int64{}, changed: map[uint64]int64{}}
	if g.AddRows != nil {
		c.count = func(added, changed map[uint64]int64) {
			s.Tx.OnCommit(func(txn.Timestamp) { g.AddRows(added, changed) })
		}
	}
	fail := func(err error) (*Cursor, error) {
		cancel(errOver)
		c.runs.Wait()
		return nil, err
	}
	for i := range s.Pieces {
		p := &s.Pieces[i]
		var slots []uint32
		if i < len(s.Slots) {
			slots = s.Slots[i]
		}
		plan, err := g.complete(p, slots, &s)
		if err != nil {
			return fail(err)
		}
		for k, site := range p.Sites {
			node := txn.NodeID(site.Node)
			b := shared.Branches[node]
			req := &rpcpb.RunRequest{Query: query[:], Fragment: uint32(i), Plan: plan, Site: uint32(k), Tablets: site.Tablets, Settings: set,
				Branch: txnrpc.BranchToProto(b), At: txnrpc.ReadAtToProto(shared.At), WorkMem: s.Env.WorkMem, Analyze: c.analyze, LockTimeoutNanos: int64(s.LockTimeout)}
			if p.Writes {
				c.writes = true
				req.Seq, req.SeqEnd = shared.Seq.First, shared.Seq.End
			}
			for _, ex := range p.Sources {
				src, ok := producers[ex]
				if !ok {
					return fail(pgerror.Internal("no piece feeds exchange %d", ex))
				}
				req.Sources = append(req.Sources, src)
			}
			c.start(run, g, p, site, req, s.Env)
		}
	}
	// the gateway's part
	all := &rpcpb.RunRequest{Query: query[:]}
	for _, src := range producers {
		all.Sources = append(all.Sources, src)
	}
	c.in = g.Server.inputs(run, s.Root, all)
	for ex := range c.in.from { // what other pieces read is not for here
		if c.in.ts[ex] == nil {
			delete(c.in.from, ex)
		}
	}
	s.Env.Sources = c.in.open
	if err := wait(ctx, &c.before); err != nil {
		return fail(err)
	}
	if c.root, err = g.Server.ex.Run(ctx, s.Root, s.Env); err != nil {
		return fail(err)
	}
	return c, nil
}

// share gets the transaction ready.
func (g *Gateway) share(ctx context.Context, s *Statement) (txn.Shared, error) {
	var readers, writers []txn.NodeID
	for i := range s.Pieces {
		for _, site := range s.Pieces[i].Sites {
			switch {
			case site.Tablets == nil && txn.NodeID(site.Node) == g.Self: // with the transaction itself
			case s.Pieces[i].Writes:
				writers = append(writers, txn.NodeID(site.Node))
			default:
				readers = append(readers, txn.NodeID(site.Node))
			}
		}
	}
	if len(readers)+len(writers) == 0 {
		return txn.Shared{}, nil
	}
	t, ok := s.Tx.(txn.Sharer)
	if !ok {
		return txn.Shared{}, pgerror.Internal("pieces of a statement in a transaction that cannot be shared")
	}
	return t.Share(ctx, readers, writers)
}

// producers are the sites that feed each exchange.
func (g *Gateway) producers(s *Statement) (map[uint32]*rpcpb.Source, error) {
	out := map[uint32]*rpcpb.Source{}
	for i := range s.Pieces {
		p := &s.Pieces[i]
		ex := p.Fragment.GetExchange()
		if ex == 0 || out[ex] != nil || len(p.Sites) == 0 {
			return nil, pgerror.Internal("piece %d of a statement feeds exchange %d from %d sites", i, ex, len(p.Sites))
		}
		src := &rpcpb.Source{Exchange: ex}
		for _, site := range p.Sites {
			addr := ""
			if txn.NodeID(site.Node) == g.Self {
				if g.Addr != nil {
					addr = g.Addr()
				}
			} else if g.Peer != nil {
				_, a, err := g.Peer(txn.NodeID(site.Node))
				if err != nil {
					return nil, err
				}
				addr = a
			}
			src.Producers = append(src.Producers, &rpcpb.Producer{Node: site.Node, Addr: addr})
		}
		out[ex] = src
	}
	return out, nil
}

// complete puts version and parameters into a piece's fragment and encodes it.
func (g *Gateway) complete(p *vexec.Piece, slots []uint32, s *Statement) ([]byte, error) {
	f := proto.Clone(p.Fragment).(*planpb.Fragment)
	f.Version = planpb.FragmentVersion
	f.Params, f.ParamTypes, f.ExecParams, f.ExecParamTypes, f.ExecParamSlots = nil, nil, nil, nil, nil
	add := func(t types.T, d types.Datum) *planpb.Const {
		c := &planpb.Const{Null: d == nil}
		if d != nil {
			c.Value = types.AppendDatum(t, nil, d)
		}
		return c
	}
	if s.Env.Expr != nil && len(s.Env.Expr.Params) > 0 {
		ts := externalTypes(f, len(s.Env.Expr.Params))
		for i, d := range s.Env.Expr.Params {
			if ts[i] == nil { // not used here
				ts[i], d = planpb.NewType(types.Of(types.Text)), nil
			}
			f.Params, f.ParamTypes = append(f.Params, add(ts[i].T(), d)), append(f.ParamTypes, ts[i])
		}
	}
	for _, slot := range slots {
		t := s.SlotTypes[slot]
		f.ExecParamSlots = append(f.ExecParamSlots, slot)
		f.ExecParams, f.ExecParamTypes = append(f.ExecParams, add(t, s.Env.ExecParams[slot])), append(f.ExecParamTypes, planpb.NewType(t))
		if f.Statement.ExecSlots <= slot {
			f.Statement.ExecSlots = slot + 1
		}
	}
	b, err := proto.Marshal(f)
	if err != nil {
		return nil, pgerror.Internal("encoding a fragment: %v", err)
	}
	return b, nil
}

// start runs a piece on a site.
func (c *Cursor) start(ctx context.Context, g *Gateway, p *vexec.Piece, site vexec.Site, req *rpcpb.RunRequest, env vexec.Exec) {
	c.runs.Add(1)
	produced := func() {}
	if c.eager && txn.NodeID(site.Node) == g.Self && site.Tablets == nil {
		c.before.Add(1)
		produced = sync.OnceFunc(c.before.Done)
	}
	if p.Writes {
		c.writers.Add(1)
	}
	go func() {
		defer c.runs.Done()
		defer produced()
		if p.Writes {
			defer c.writers.Done()
		}
		stats, err := c.run(ctx, g, site, req, env, produced)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			if c.err == nil && !errors.Is(context.Cause(ctx), errOver) {
				c.err = err
				c.cancel(err) // the others need not go on
			}
			return
		}
		if p.Writes {
			c.rows += stats.GetRowsAffected()
			c.added[p.Table] += p.Adds * stats.GetRowsAffected()
			c.changed[p.Table] += stats.GetRowsAffected()
		}
		c.sites = append(c.sites, SiteRun{Exchange: p.Fragment.GetExchange(), Node: txn.NodeID(site.Node), Stats: stats})
	}()
}

func (c *Cursor) run(ctx context.Context, g *Gateway, site vexec.Site, req *rpcpb.RunRequest, env vexec.Exec, produced func()) (*rpcpb.FragmentStats, error) {
	if txn.NodeID(site.Node) != g.Self {
		p, _, err := g.Peer(txn.NodeID(site.Node))
		if err != nil {
			return nil, err
		}
		stats, err := p.Run(ctx, req, nil)
		addStats(c.stats, stats)
		return stats, err
	}
	if site.Tablets != nil {
		stats, err := g.Server.Run(ctx, req, nil)
		addStats(c.stats, stats)
		return stats, err
	}
	// the gateway's own piece, with the session's transaction
	var f planpb.Fragment
	if err := proto.Unmarshal(req.GetPlan(), &f); err != nil {
		return nil, pgerror.Internal("decoding a fragment: %v", err)
	}
	var err error
	if _, env.ExecParams, err = params(&f); err != nil {
		return nil, err
	}
	if env.Expr != nil {
		x := *env.Expr
		x.Ctx = ctx
		env.Expr = &x
	}
	stats := env.Stats // shared with the statement: the operators count there
	env.Observer = nil
	if !c.eager {
		produced = nil
	}
	out, err := g.Server.run(ctx, &f, env, req, nil, produced, flusher(nil)) // the session flushes
	if stats != nil && out != nil {
		out.Ops = nil
	}
	return out, err
}

// cause is the error to report for one that Next met: what made a piece fail, rather
// than what that did to the others.
func (c *Cursor) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return err
}

// Next implements vexec.Reader.
func (c *Cursor) Next(ctx context.Context) (*vexec.Batch, error) {
	if c.ended {
		return nil, c.failed
	}
	b, err := c.root.Next(ctx)
	if err == nil && b != nil {
		return b, nil
	}
	if err != nil {
		if ctx.Err() == nil {
			err = c.settled(err)
		}
		c.failed = err
		c.finish()
		return nil, err
	}
	if err := c.finishOK(ctx); err != nil {
		return nil, err
	}
	return nil, nil
}

// settled waits a moment for the piece whose failure broke a stream to report it:
// its own report says why.
func (c *Cursor) settled(err error) error {
	deadline := time.Now().Add(200 * time.Millisecond)
	for pgerror.Is(err, pgerror.ConnectionFailure) || pgerror.Is(err, pgerror.QueryCanceled) {
		if cause := c.cause(nil); cause != nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return c.cause(err)
}

// finishOK ends the pieces after the last row: those that write are waited for.
func (c *Cursor) finishOK(ctx context.Context) error {
	c.root.Close()
	c.in.discard(c.in.ctx)
	if c.writes {
		if err := wait(ctx, &c.writers); err != nil {
			c.failed = err
			c.finish()
			return err
		}
	}
	if c.analyze {
		short, cancel := context.WithTimeout(ctx, statsWait)
		_ = wait(short, &c.runs)
		cancel()
	}
	c.failed = c.cause(nil)
	c.finish()
	if c.writes && c.failed == nil && c.count != nil {
		c.count(c.added, c.changed)
	}
	return c.failed
}

// wait waits for a group, no longer than ctx.
func wait(ctx context.Context, g *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		g.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return pgerror.From(context.Cause(ctx))
	}
}

// finish ends everything, once.
func (c *Cursor) finish() {
	if c.ended {
		return
	}
	c.ended = true
	c.cancel(errOver)
	c.root.Close()
	c.runs.Wait() // every Run ends with its context
}

// Close implements vexec.Reader.
func (c *Cursor) Close() { c.finish() }

// RowsAffected implements vexec.Cursor.
func (c *Cursor) RowsAffected() int64 {
	if c.writes {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.rows
	}
	return c.root.RowsAffected()
}

// Runs tells what each site did, as far as it came to its end.
func (c *Cursor) Runs() []SiteRun {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]SiteRun{}, c.sites...)
}
