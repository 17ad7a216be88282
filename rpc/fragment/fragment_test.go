package fragment_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/basaltdb/basalt/rpc/fragment"
	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

var (
	tInt  = types.Of(types.Int4)
	tInt8 = types.Of(types.Int8)
	tText = types.Of(types.Text)
	tBool = types.Of(types.Bool)
)

// cluster is three storage nodes (1 … 3) and a gateway (9) in one process.
type cluster struct {
	t       *testing.T
	exs     map[uint32]*vexec.Executor
	servers map[uint32]*fragment.Server
	grpc    map[uint32]*grpc.Server
	clients map[uint32]fragment.Peer
	gateway *fragment.Gateway
	stores  map[uint32]*Store
}

type host struct {
	c    *cluster
	node uint32
}

func (h host) Open(_ context.Context, r fragment.OpenRequest) (vexec.Exec, func(bool), error) {
	return vexec.Exec{Store: h.c.stores[h.node], Expr: &expr.Context{Env: types.DefaultEnv()}}, func(bool) {}, nil
}

// shared is a transaction that fragments share.
type shared struct{ txn.Txn }

func (shared) Pin(context.Context) (func(), error) { return func() {}, nil }

func (shared) Share(_ context.Context, r, w []txn.NodeID) (txn.Shared, error) {
	out := txn.Shared{At: txn.ReadAt{Snapshot: 1, Statement: 1}, Branches: map[txn.NodeID]txn.Branch{}}
	if len(w) > 0 {
		out.Seq = txn.SeqRange{First: 1, End: 1 << 30}
	}
	return out, nil
}

func newCluster(t *testing.T, network bool, tables map[string]*Table) *cluster {
	c := &cluster{t: t, exs: map[uint32]*vexec.Executor{}, servers: map[uint32]*fragment.Server{}, grpc: map[uint32]*grpc.Server{},
		clients: map[uint32]fragment.Peer{}, stores: map[uint32]*Store{}}
	addrs := map[uint32]string{}
	for _, n := range []uint32{1, 2, 3, 9} {
		c.exs[n] = vexec.New(vexec.Options{Registry: functions.Builtins(), TempDir: t.TempDir()})
		c.stores[n] = &Store{Tables: map[string]*Table{}}
		for name, tb := range tables {
			part := &Table{Types: tb.Types}
			for i, r := range tb.Rows {
				if uint32(i%3+1) == n {
					part.Rows = append(part.Rows, r)
				}
			}
			c.stores[n].Tables[name] = part
		}
		c.servers[n] = fragment.NewServer(c.exs[n], host{c, n}, func(node uint32, addr string) (fragment.Peer, error) {
			if network && addr != addrs[node] {
				return nil, fmt.Errorf("node %d at %q", node, addr)
			}
			return c.peer(node, node == n), nil
		})
		if !network {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs[n] = l.Addr().String()
		s := grpc.NewServer()
		rpcpb.RegisterFragmentsServer(s, c.servers[n].Service())
		go s.Serve(l)
		c.grpc[n] = s
		cc, err := grpc.NewClient(addrs[n], grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		c.clients[n] = fragment.NewClient(cc)
		t.Cleanup(func() {
			cc.Close()
			s.Stop()
		})
	}
	c.gateway = &fragment.Gateway{Self: 9, Server: c.servers[9], Addr: func() string { return addrs[9] },
		Peer: func(n txn.NodeID) (fragment.Peer, string, error) {
			return c.peer(uint32(n), false), addrs[uint32(n)], nil
		}}
	return c
}

func (c *cluster) peer(n uint32, own bool) fragment.Peer {
	if p := c.clients[n]; p != nil && !own {
		return p
	}
	return c.servers[n]
}

var everywhere = []vexec.Site{{Node: 1, Tablets: []uint32{2}}, {Node: 2, Tablets: []uint32{3}}, {Node: 3, Tablets: []uint32{4}}}

func (c *cluster) start(root *planpb.Plan, env vexec.Exec, pieces ...vexec.Piece) *fragment.Cursor {
	c.t.Helper()
	if env.Expr == nil {
		env.Expr = &expr.Context{Ctx: context.Background(), Env: types.DefaultEnv()}
	}
	cur, err := c.gateway.Start(context.Background(), fragment.Statement{Root: &planpb.Statement{Root: root}, Pieces: pieces, Env: env, Tx: shared{}})
	if err != nil {
		c.t.Fatal(err)
	}
	return cur
}

func rows(root *planpb.Plan, cur vexec.Cursor) (out []string, err error) {
	for {
		b, err := cur.Next(context.Background())
		if err != nil || b == nil {
			return out, err
		}
		for i := range b.N {
			if b.Sel != nil && !slices.Contains(b.Sel, int32(i)) {
				continue
			}
			var f []string
			for k, ot := range root.GetOutput() {
				s := ""
				if d := types.Get(ot.T(), b.Cols[k], i); d != nil {
					s, _ = types.Out(types.DefaultEnv(), ot.T(), d)
				}
				f = append(f, s)
			}
			out = append(out, strings.Join(f, "|"))
		}
	}
}

// quiet checks that nothing is left of a statement on any node.
func (c *cluster) quiet() {
	c.t.Helper()
	deadline := time.Now().Add(2 * time.Second)
	for n, s := range c.servers {
		for left(s) > 0 || c.exs[n].Held() != 0 {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				c.t.Fatalf("node %d: %d statements, %d bytes are left\n%s", n, left(s), c.exs[n].Held(), buf[:runtime.Stack(buf, true)])
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func both(t *testing.T, tables map[string]*Table, f func(t *testing.T, c *cluster)) {
	for _, network := range []bool{false, true} {
		t.Run(map[bool]string{false: "process", true: "network"}[network], func(t *testing.T) {
			c := newCluster(t, network, tables)
			f(t, c)
			c.quiet()
		})
	}
}

func table(n int) (*planpb.Table, *Table) {
	ts := []types.T{tInt, tInt, tText}
	tb := &Table{Types: ts}
	for i := range n {
		tb.Rows = append(tb.Rows, []types.Datum{int32(i), int32(i % 7), strings.Repeat("x", i%50)})
	}
	pt := &planpb.Table{Name: "t"}
	for i, ct := range ts {
		pt.Columns = append(pt.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: fmt.Sprint("c", i), Type: planpb.NewType(ct)})
	}
	return pt, tb
}

func scan(pt *planpb.Table) *planpb.Plan {
	return Node([]types.T{tInt, tInt, tText}, &planpb.Scan{Table: pt, Columns: []int32{0, 1, 2}})
}

func col(t types.T, i int) *planpb.Expr { return planpb.NewColumn(t, i) }

func piece(exchange uint32, root *planpb.Plan, kind planpb.Exchange_Kind, partitions uint32, keys ...*planpb.Expr) vexec.Piece {
	return vexec.Piece{Sites: everywhere, Fragment: &planpb.Fragment{Statement: &planpb.Statement{Root: root}, Exchange: exchange, Output: kind,
		Partitions: partitions, OutputKeys: keys}}
}

// TestAggregation: scan → PARTIAL → by hash of the key → FINAL, sorted → merged at the gateway.
func TestAggregation(t *testing.T) {
	pt, tb := table(10000)
	both(t, map[string]*Table{"t": tb}, func(t *testing.T, c *cluster) {
		call := &planpb.AggCall{Func: Proc("sum(int4)"), Args: []*planpb.Expr{col(tInt, 0)}, Result: planpb.NewType(tInt8)}
		keys := []*planpb.Expr{col(tInt, 1)}
		states := []types.T{tInt, types.Of(types.Bytea)}
		out := []types.T{tInt, tInt8}
		partial := Node(states, &planpb.Agg{Phase: planpb.Agg_PARTIAL, Input: scan(pt), Keys: keys, Calls: []*planpb.AggCall{call}})
		final := Node(out, &planpb.Agg{Phase: planpb.Agg_FINAL, Input: Node(states, &planpb.ExchangeSource{Exchange: 1}), Keys: keys, Calls: []*planpb.AggCall{call}})
		byKey := []*planpb.SortKey{{Expr: col(tInt, 0)}}
		p2 := piece(2, Node(out, &planpb.Sort{Input: final, Keys: byKey}), planpb.Exchange_GATHER, 1)
		p2.Sources = []uint32{1}
		root := Node(out, &planpb.ExchangeSource{Exchange: 2, MergeKeys: byKey})
		stats := vexec.NewStats(true)
		cur := c.start(root, vexec.Exec{Stats: stats}, piece(1, partial, planpb.Exchange_HASH, 3, col(tInt, 0)), p2)
		defer cur.Close()
		got, err := rows(root, cur)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for k := range 7 {
			sum := 0
			for i := k; i < 10000; i += 7 {
				sum += i
			}
			want = append(want, fmt.Sprintf("%d|%d", k, sum))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if runs := cur.Runs(); len(runs) != 6 || runs[0].Stats.GetNanos() == 0 {
			t.Errorf("statistics of %d runs", len(runs))
		}
		if o, ok := stats.Op(partial.GetAgg().GetInput().GetId()); !ok || o.Rows != 10000 {
			t.Errorf("the scans delivered %d rows", o.Rows)
		}
	})
}

// TestJoin: both sides by hash, and the right side broadcast.
func TestJoin(t *testing.T) {
	pt, tb := table(2000)
	both(t, map[string]*Table{"t": tb}, func(t *testing.T, c *cluster) {
		ts := []types.T{tInt, tInt, tText}
		wide := append(append([]types.T{}, ts...), ts...)
		for _, kind := range []planpb.Exchange_Kind{planpb.Exchange_HASH, planpb.Exchange_BROADCAST} {
			left := Node(ts, &planpb.ExchangeSource{Exchange: 1})
			pieces := []vexec.Piece{piece(1, scan(pt), planpb.Exchange_HASH, 3, col(tInt, 0))}
			if kind == planpb.Exchange_BROADCAST {
				left, pieces = scan(pt), nil
			}
			join := Node(wide, &planpb.HashJoin{Left: left, Right: Node(ts, &planpb.ExchangeSource{Exchange: 2}),
				LeftKeys: []*planpb.Expr{col(tInt, 0)}, RightKeys: []*planpb.Expr{col(tInt, 1)}})
			p := piece(3, join, planpb.Exchange_GATHER, 1)
			p.Sources = []uint32{1, 2}[len([]int{1, 2})-1-len(pieces):]
			pieces = append(pieces, piece(2, scan(pt), kind, 3, col(tInt, 1)), p)
			if kind == planpb.Exchange_BROADCAST {
				pieces[0].Fragment.OutputKeys = nil
			}
			root := Node(wide, &planpb.ExchangeSource{Exchange: 3})
			cur := c.start(root, vexec.Exec{}, pieces...)
			got, err := rows(root, cur)
			cur.Close()
			if err != nil || len(got) != 2000 {
				t.Fatalf("%v: %d rows, %v", kind, len(got), err)
			}
		}
	})
}

// TestErrors: the error of a piece ends the statement everywhere and is the one reported.
func TestErrors(t *testing.T) {
	pt, tb := table(5000)
	both(t, map[string]*Table{"t": tb}, func(t *testing.T, c *cluster) {
		div := Node([]types.T{tInt}, &planpb.Project{Input: scan(pt), Exprs: []*planpb.Expr{
			Func(tInt, "int4div(int4,int4)", col(tInt, 0), Func(tInt, "int4mi(int4,int4)", col(tInt, 0), planpb.NewConst(tInt, int32(4321))))}})
		p2 := piece(2, Node([]types.T{tInt}, &planpb.ExchangeSource{Exchange: 1}), planpb.Exchange_GATHER, 1)
		p2.Sources = []uint32{1}
		root := Node([]types.T{tInt}, &planpb.ExchangeSource{Exchange: 2})
		for range 5 {
			cur := c.start(root, vexec.Exec{}, piece(1, div, planpb.Exchange_HASH, 3, col(tInt, 0)), p2)
			_, err := rows(root, cur)
			if !pgerror.Is(err, pgerror.DivisionByZero) {
				t.Fatalf("got %v", err)
			}
			if _, err := cur.Next(context.Background()); !pgerror.Is(err, pgerror.DivisionByZero) {
				t.Errorf("again: %v", err)
			}
			cur.Close()
		}
	})
}

// product is a statement that sends far more than buffers hold.
func (c *cluster) product(pt *planpb.Table) (*planpb.Plan, vexec.Piece) {
	ts := []types.T{tInt, tInt, tText}
	wide := append(append([]types.T{}, ts...), ts...)
	loop := Node(wide, &planpb.NestLoop{Left: scan(pt), Right: scan(pt), Condition: planpb.NewConst(tBool, true)})
	return Node(wide, &planpb.ExchangeSource{Exchange: 1}), piece(1, loop, planpb.Exchange_GATHER, 1)
}

// TestEarlyEnd: a LIMIT, a cancelled statement and a cursor that is closed end the
// pieces at once; one that is slow does not make memory grow.
func TestEarlyEnd(t *testing.T) {
	pt, tb := table(9000)
	both(t, map[string]*Table{"t": tb}, func(t *testing.T, c *cluster) {
		ctx := context.Background()
		root, p := c.product(pt)
		lim := Node(rowTypes(root), &planpb.Limit{Input: root, Count: planpb.NewConst(tInt8, int64(10))})
		start := time.Now()
		cur := c.start(lim, vexec.Exec{}, p)
		got, err := rows(lim, cur)
		if err != nil || len(got) != 10 {
			t.Fatal(len(got), err)
		}
		cur.Close()
		c.quiet()

		cur = c.start(root, vexec.Exec{}, p)
		if _, err := cur.Next(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		for n, e := range c.exs {
			if h := e.Held(); h > 12<<20 {
				t.Errorf("node %d holds %d bytes for a slow consumer", n, h)
			}
		}
		stop, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(20*time.Millisecond, func() {
			cancel(pgerror.New(pgerror.QueryCanceled, "canceling statement due to statement timeout"))
		})
		for err == nil {
			var b *vexec.Batch
			if b, err = cur.Next(stop); b == nil && err == nil {
				t.Fatal("it ended")
			}
		}
		if !errors.Is(err, context.Canceled) && !pgerror.Is(err, pgerror.QueryCanceled) {
			t.Errorf("got %v", err)
		}
		cur.Close()
		c.quiet()

		cur = c.start(root, vexec.Exec{}, p) // nothing read at all
		cur.Close()
		c.quiet()
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func rowTypes(p *planpb.Plan) []types.T {
	var ts []types.T
	for _, t := range p.GetOutput() {
		ts = append(ts, t.T())
	}
	return ts
}

// TestTwoConsumers: an exchange much larger than its buffers, between three
// producers and two consumers.
func TestTwoConsumers(t *testing.T) {
	pt, tb := table(30000)
	for i := range tb.Rows {
		tb.Rows[i][2] = strings.Repeat("y", 1000)
	}
	both(t, map[string]*Table{"t": tb}, func(t *testing.T, c *cluster) {
		ts := []types.T{tInt, tInt, tText}
		p1 := piece(1, scan(pt), planpb.Exchange_HASH, 2, col(tInt, 0))
		count := &planpb.AggCall{Func: Proc("count()"), Star: true, Result: planpb.NewType(tInt8)}
		p2 := piece(2, Node([]types.T{tInt8}, &planpb.Agg{Input: Node(ts, &planpb.ExchangeSource{Exchange: 1}), Calls: []*planpb.AggCall{count}}), planpb.Exchange_GATHER, 1)
		p2.Sites, p2.Sources = everywhere[:2], []uint32{1}
		root := Node([]types.T{tInt8}, &planpb.Agg{Input: Node([]types.T{tInt8}, &planpb.ExchangeSource{Exchange: 2}),
			Calls: []*planpb.AggCall{{Func: Proc("sum(int8)"), Args: []*planpb.Expr{col(tInt8, 0)}, Result: planpb.NewType(types.Of(types.NumericOID))}}})
		root.Output = []*planpb.Type{planpb.NewType(types.Of(types.NumericOID))}
		cur := c.start(root, vexec.Exec{}, p1, p2)
		defer cur.Close()
		got, err := rows(root, cur)
		if err != nil || !slices.Equal(got, []string{"30000"}) {
			t.Fatal(got, err)
		}
	})
}

// TestVanishedNode: a node that goes away gives a connection error, not a hang.
func TestVanishedNode(t *testing.T) {
	pt, tb := table(9000)
	c := newCluster(t, true, map[string]*Table{"t": tb})
	root, p := c.product(pt)
	cur := c.start(root, vexec.Exec{}, p)
	defer cur.Close()
	if _, err := cur.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.grpc[2].Stop()
	done := make(chan error, 1)
	go func() {
		for {
			b, err := cur.Next(context.Background())
			if b == nil {
				done <- err
				return
			}
		}
	}()
	select {
	case err := <-done:
		if !pgerror.Is(err, pgerror.ConnectionFailure) && !pgerror.Is(err, pgerror.QueryCanceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it hangs")
	}
	cur.Close()
	c.quiet()
}

// TestMalformedRequests: what is not a fragment is refused.
func TestMalformedRequests(t *testing.T) {
	c := newCluster(t, true, nil)
	ctx := context.Background()
	for _, r := range []*rpcpb.RunRequest{
		{},
		{Query: make([]byte, 16), Plan: []byte{1, 2, 3}},
		{Query: make([]byte, 3), Plan: nil},
	} {
		if _, err := c.clients[1].Run(ctx, r, nil); !pgerror.Is(err, pgerror.ProtocolViolation) {
			t.Errorf("got %v", err)
		}
	}
	s, err := c.clients[1].Fetch(ctx, &rpcpb.FetchRequest{Query: []byte{1}})
	if err == nil {
		_, _, err = s.Recv()
	}
	if !pgerror.Is(err, pgerror.ProtocolViolation) {
		t.Errorf("got %v", err)
	}
}

// left are the statements and fragments that a server still has.
func left(s *fragment.Server) int {
	statements, fragments, _ := s.Active()
	return statements + fragments
}
