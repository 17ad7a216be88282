package main

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/rpc/flight"
	"github.com/basaltdb/basalt/rpc/fragment"
	"github.com/basaltdb/basalt/rpc/node"
	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/session"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// fragments is a node's part in running plans in pieces: it serves those sent to it,
// and starts those of its sessions' statements (session.Fragments).
type fragments struct {
	node    *node.Node
	gateway *fragment.Gateway
	sitesOf atomic.Pointer[placedSites]
}

// placedSites are the sites of a placement.
type placedSites struct {
	place *txn.Placement
	sites *plan.Sites
}

// serveFragments makes the node answer for pieces of plans, which ex runs.
func serveFragments(n *node.Node, ex *vexec.Executor) *fragments {
	f := &fragments{node: n}
	var host fragment.Opener = noData{}
	if b := n.Branches(); b != nil {
		host = enteringHost{n, &fragment.TableHost{Branches: b, Shared: n.Store().Shared()}}
	}
	srv := fragment.NewServer(ex, host, f.peer)
	if n.Branches() != nil {
		srv.Horizon = n.Store().DB().OldestSnapshot
		srv.Segments = n.Store()
	}
	rpcpb.RegisterFragmentsServer(n.Services(), srv.Service())
	f.gateway = &fragment.Gateway{Self: n.ID(), Server: srv, AddRows: n.Store().AddChanges, Addr: func() string { return n.Addr().String() },
		Peer: func(id txn.NodeID) (fragment.Peer, string, error) {
			p, err := f.peer(uint32(id), "")
			return p, f.addrOf(id), err
		}}
	return f
}

// activeWait bounds asking a node what it has.
const activeWait = time.Second

// active asks every live node what it has of running statements.
func (f *fragments) active(ctx context.Context) []sys.ClusterFragments {
	ctx, cancel := context.WithTimeout(ctx, activeWait)
	defer cancel()
	nodes := f.node.Status().GetNodes()
	out := make([]sys.ClusterFragments, len(nodes))
	var asked sync.WaitGroup
	for i, n := range nodes {
		out[i].Node = int32(n.GetId())
		if !n.GetAlive() {
			continue
		}
		asked.Add(1)
		go func() {
			defer asked.Done()
			if txn.NodeID(n.GetId()) == f.node.ID() {
				s, r, m := f.gateway.Server.Active()
				out[i] = sys.ClusterFragments{Node: out[i].Node, Statements: int32(s), Fragments: int32(r), Memory: m, Known: true}
				return
			}
			r, err := rpcpb.NewFragmentsClient(f.node.Conn(txn.NodeID(n.GetId()))).Active(ctx, &rpcpb.Empty{})
			if err == nil {
				out[i] = sys.ClusterFragments{Node: out[i].Node, Statements: int32(r.GetStatements()), Fragments: int32(r.GetFragments()), Memory: r.GetMemory(), Known: true}
			}
		}()
	}
	asked.Wait()
	return out
}

// columns asks the nodes with data what their column segments know of a column.
func (f *fragments) columns(ctx context.Context, storageID uint64, attnum int) (rows int64, segments []server.ColumnSegment, err error) {
	nodes := f.node.Placement().Nodes()
	replies := make([]*rpcpb.ColumnsReply, len(nodes))
	g, ctx := errgroup.WithContext(ctx)
	for i, id := range nodes {
		if id == f.node.ID() {
			replies[i] = f.gateway.Server.Columns(storageID, attnum)
			continue
		}
		g.Go(func() (err error) {
			replies[i], err = rpcpb.NewFragmentsClient(f.node.Conn(id)).Columns(ctx, &rpcpb.ColumnsRequest{StorageId: storageID, Attnum: int32(attnum)})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return 0, nil, err
	}
	for _, r := range replies {
		rows += r.GetRows()
		for _, c := range r.GetSegments() {
			segments = append(segments, server.ColumnSegment{Rows: c.GetRows(), ColumnStats: columns.ColumnStats{Attnum: attnum, Nulls: c.GetNulls(), Distinct: c.GetDistinct(), Width: c.GetWidth(), Min: c.GetMin(), Max: c.GetMax()}})
		}
	}
	return rows, segments, nil
}

// peer reaches a node's pieces.
func (f *fragments) peer(id uint32, addr string) (fragment.Peer, error) {
	if txn.NodeID(id) == f.node.ID() && f.gateway != nil {
		return f.gateway.Server, nil
	}
	f.node.Met(txn.NodeID(id), addr)
	return fragment.NewClient(f.node.Conn(txn.NodeID(id))), nil
}

func (f *fragments) addrOf(id txn.NodeID) string {
	for _, x := range f.node.Status().GetNodes() {
		if txn.NodeID(x.GetId()) == id {
			return x.GetRpcAddr()
		}
	}
	return ""
}

// Sites implements session.Fragments: the nodes with data tablets, unless this one
// has them all.
func (f *fragments) Sites() *plan.Sites {
	p := f.node.Placement()
	if c := f.sitesOf.Load(); c != nil && c.place == p {
		return c.sites
	}
	c := &placedSites{place: p}
	if nodes := p.Nodes(); len(p.Tablets) > 0 && p.Tablets[0].ID != txn.SystemTablet && (len(nodes) > 1 || nodes[0] != f.node.ID()) {
		c.sites = sitesOf(p, f.node.ID())
	}
	f.sitesOf.Store(c)
	return c.sites
}

func sitesOf(p *txn.Placement, gateway txn.NodeID) *plan.Sites {
	s := &plan.Sites{Gateway: uint32(gateway), Writes: true}
	at := map[txn.NodeID]uint32{}
	for i, n := range p.Nodes() {
		at[n] = uint32(i)
		site := vexec.Site{Node: uint32(n)}
		for _, t := range p.On(n) {
			site.Tablets = append(site.Tablets, uint32(t))
		}
		s.Storage = append(s.Storage, site)
	}
	for _, t := range p.Tablets {
		s.SlotEnds, s.SlotSites = append(s.SlotEnds, uint32(t.End)), append(s.SlotSites, at[t.Node])
	}
	return s
}

// Start implements session.Fragments.
func (f *fragments) Start(ctx context.Context, r session.FragmentedRun) (vexec.Cursor, error) {
	c, err := f.gateway.Start(ctx, fragment.Statement{Root: r.Statement, Pieces: r.Pieces, Slots: r.Slots, SlotTypes: r.SlotTypes, Env: r.Env, Tx: r.Tx, LockTimeout: r.LockTimeout, Writes: r.Writes})
	if err != nil {
		return nil, err
	}
	return runningPieces{c}, nil
}

// Parts implements session.Parts.
func (f *fragments) Parts(ctx context.Context, r session.FragmentedRun) ([]pgwire.Part, error) {
	return f.gateway.Parts(ctx, fragment.Statement{Root: r.Statement, Pieces: r.Pieces, Slots: r.Slots, SlotTypes: r.SlotTypes, Env: r.Env, Tx: r.Tx})
}

// nodes are the nodes as Flight clients are sent to them.
func (f *fragments) nodes() *flight.Nodes {
	return &flight.Nodes{Key: f.node.Secret, Pull: f.gateway.Pull, Location: func(id uint32) string {
		for _, x := range f.node.Status().GetNodes() {
			if x.GetId() == id && x.GetAlive() {
				return x.GetFlightAddr()
			}
		}
		return ""
	}}
}

// runningPieces tells what the pieces did in the planner's words.
type runningPieces struct{ *fragment.Cursor }

// FragmentRuns implements session.FragmentRuns.
func (c runningPieces) FragmentRuns() []plan.FragmentRun {
	var out []plan.FragmentRun
	for _, r := range c.Runs() {
		out = append(out, plan.FragmentRun{Exchange: r.Exchange, Node: uint32(r.Node), Rows: r.Stats.GetRowsSent(), Bytes: r.Stats.GetBytesSent(),
			Time: time.Duration(r.Stats.GetNanos()), MemoryPeak: r.Stats.GetMemoryPeak()})
	}
	return out
}

// enteringHost opens fragments when the node may answer.
type enteringHost struct {
	node *node.Node
	host *fragment.TableHost
}

func (h enteringHost) Open(ctx context.Context, r fragment.OpenRequest) (vexec.Exec, func(ok bool), error) {
	if err := h.node.Enter(ctx, r.Branch.Epoch); err != nil {
		return vexec.Exec{}, nil, err
	}
	return h.host.Open(ctx, r)
}

// noData refuses fragments on a node without tables.
type noData struct{}

func (noData) Open(context.Context, fragment.OpenRequest) (vexec.Exec, func(ok bool), error) {
	return vexec.Exec{}, nil, pgerror.New(pgerror.ProtocolViolation, "a fragment was sent to a node without data")
}

// storageExecutor runs pieces on a node without sessions.
func storageExecutor(o server.Options, st *storage.Node) *vexec.Executor {
	return vexec.New(vexec.Options{Registry: functions.Fill(), Workers: cores.Count(), MemoryLimit: o.MemoryBytes / 2, TempDir: filepath.Join(o.Dir, "temp"), OnHeld: server.Lend(st, o.MemoryBytes)})
}
