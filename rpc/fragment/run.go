package fragment

import (
	"context"
	"sync"
	"time"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// inputs are the exchanges a run reads.
type inputs struct {
	ctx   context.Context
	peers Peers
	query []byte
	site  uint32
	from  map[uint32][]*rpcpb.Producer
	ts    map[uint32][]types.T

	mu     sync.Mutex
	opened map[uint32]bool
}

func (s *Server) inputs(ctx context.Context, stmt *planpb.Statement, req *rpcpb.RunRequest) *inputs {
	in := &inputs{ctx: ctx, peers: s.peers, query: req.GetQuery(), site: req.GetSite(), from: map[uint32][]*rpcpb.Producer{},
		ts: vexec.SourceTypes(stmt), opened: map[uint32]bool{}}
	for _, src := range req.GetSources() {
		in.from[src.GetExchange()] = src.GetProducers()
	}
	return in
}

func (in *inputs) peer(p *rpcpb.Producer) func() (Peer, error) {
	return func() (Peer, error) { return in.peers(p.GetNode(), p.GetAddr()) }
}

func (in *inputs) request(exchange uint32) *rpcpb.FetchRequest {
	return &rpcpb.FetchRequest{Query: in.query, Exchange: exchange, Partition: in.site}
}

// open is the run's vexec.Sources.
func (in *inputs) open(exchange uint32) ([]vexec.Reader, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	from, ok := in.from[exchange]
	if !ok || in.ts[exchange] == nil {
		return nil, pgerror.New(pgerror.ProtocolViolation, "no producers of exchange %d are known", exchange)
	}
	if in.opened[exchange] {
		return nil, pgerror.Internal("exchange %d is read twice", exchange)
	}
	in.opened[exchange] = true
	out := make([]vexec.Reader, len(from))
	for i, p := range from {
		out[i] = newSource(in.ctx, in.ts[exchange], in.request(exchange), in.peer(p))
	}
	return out, nil
}

// discard tells the producers of exchanges that were not read after all.
func (in *inputs) discard(ctx context.Context) {
	in.mu.Lock()
	defer in.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for ex, from := range in.from {
		if in.opened[ex] || ctx.Err() != nil {
			continue
		}
		in.opened[ex] = true
		for _, p := range from {
			wg.Add(1)
			go func() {
				defer wg.Done()
				discard(ctx, in.peer(p), in.request(ex))
			}()
		}
	}
	wg.Wait()
}

// sender encodes a run's rows and sends them to its output or its caller.
type sender struct {
	ts    []types.T
	part  *vexec.Partitioner
	out   *output
	emit  func(ipc.Message) error
	encs  []*ipc.Encoder
	gone  []bool
	buf   []ipc.Message
	rows  int64
	bytes int64
}

func (s *sender) begin() {
	n := 1
	if s.part != nil && !s.part.Broadcast() {
		n = s.part.Partitions()
	}
	for range n {
		s.encs = append(s.encs, ipc.NewEncoder(s.ts))
	}
	if s.part != nil {
		s.gone = make([]bool, s.part.Partitions())
	}
}

// send sends one batch. wanted is false when nobody wants more.
func (s *sender) send(ctx context.Context, b *vexec.Batch) (wanted bool, err error) {
	if s.out == nil {
		return true, s.encode(0, b, func(m ipc.Message) error {
			s.count(m, 1)
			return s.emit(m)
		})
	}
	if s.part.Broadcast() {
		err := s.encode(0, b, func(m ipc.Message) error {
			for p := range s.gone {
				if err := s.push(ctx, p, m); err != nil {
					return err
				}
			}
			return nil
		})
		return !s.out.unwanted(), err
	}
	parts, err := s.part.Split(b)
	if err != nil {
		return true, err
	}
	for p, x := range parts {
		if x == nil || s.gone[p] {
			continue
		}
		if err := s.encode(p, x, func(m ipc.Message) error { return s.push(ctx, p, m) }); err != nil {
			return true, err
		}
	}
	return !s.out.unwanted(), nil
}

func (s *sender) count(m ipc.Message, copies int64) {
	s.rows += m.Rows * copies
	s.bytes += m.Size() * copies
}

func (s *sender) push(ctx context.Context, p int, m ipc.Message) error {
	if s.gone[p] {
		return nil
	}
	wanted, err := s.out.push(ctx, p, m)
	if err != nil {
		return pgerror.From(err)
	}
	if s.gone[p] = !wanted; wanted {
		s.count(m, 1)
	}
	return nil
}

func (s *sender) encode(e int, b *vexec.Batch, f func(m ipc.Message) error) error {
	var err error
	if s.buf, err = s.encs[e].Encode(s.buf[:0], b); err != nil {
		return err
	}
	for i := range s.buf {
		if err := f(s.buf[i]); err != nil {
			return err
		}
	}
	clear(s.buf)
	return nil
}

// collectStats puts the operators' counters into a fragment's statistics.
func collectStats(s *vexec.Stats, out *rpcpb.FragmentStats) *rpcpb.FragmentStats {
	if s == nil {
		return out
	}
	s.Each(func(id uint32, o vexec.OpStats) {
		out.MemoryPeak += o.MemoryPeak
		out.Ops = append(out.Ops, &rpcpb.OpStats{Id: id, Rows: o.Rows, Loops: o.Loops, Nanos: int64(o.Total), SpillFiles: o.SpillFiles, SpillBytes: o.SpillBytes,
			StartupNanos: int64(o.Startup), MemoryPeak: o.MemoryPeak, Batches: o.Batches, RowsRemoved: o.RowsRemoved, Workers: o.Workers,
			HashBuckets: o.HashBuckets, HashBatches: o.HashBatches, SortMethod: o.SortMethod, JoinRemoved: o.JoinRemoved})
	})
	return out
}

// addStats puts them back into a statement's.
func addStats(s *vexec.Stats, in *rpcpb.FragmentStats) {
	if s == nil {
		return
	}
	for _, o := range in.GetOps() {
		s.Add(o.GetId(), vexec.OpStats{Rows: o.GetRows(), Loops: o.GetLoops(), Total: time.Duration(o.GetNanos()), SpillFiles: o.GetSpillFiles(), SpillBytes: o.GetSpillBytes(),
			Startup: time.Duration(o.GetStartupNanos()), MemoryPeak: o.GetMemoryPeak(), Batches: o.GetBatches(), RowsRemoved: o.GetRowsRemoved(), Workers: o.GetWorkers(),
			HashBuckets: o.GetHashBuckets(), HashBatches: o.GetHashBatches(), SortMethod: o.GetSortMethod(), JoinRemoved: o.GetJoinRemoved()})
	}
}
