package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/session"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// localFragments runs the pieces of statements in this process, as if its tablets
// lay on several nodes: each site reads its own tablets only, and rows pass
// through the exchanges' partitioners and bounded queues. It is for tests, of plans
// and of what they promise.
type localFragments struct {
	store    *storage.Node
	executor *vexec.Executor
	sites    *plan.Sites
}

// newLocalFragments deals the store's tablets out to n sites.
func newLocalFragments(store *storage.Node, executor *vexec.Executor, n int) *localFragments {
	f := &localFragments{store: store, executor: executor, sites: &plan.Sites{Gateway: 1}}
	for i := range n {
		f.sites.Storage = append(f.sites.Storage, vexec.Site{Node: uint32(i + 1)})
	}
	for i, t := range store.Placement().Tablets {
		s := &f.sites.Storage[i%n]
		s.Tablets = append(s.Tablets, uint32(t.ID))
		f.sites.SlotEnds = append(f.sites.SlotEnds, uint32(t.End))
		f.sites.SlotSites = append(f.sites.SlotSites, uint32(i%n))
	}
	return f
}

// Sites implements session.Fragments.
func (f *localFragments) Sites() *plan.Sites { return f.sites }

// localQueueBatches is how far a producer runs ahead of a consumer; where the
// statement changes rows, all pieces end before it begins, since a store is not
// read and changed at once.
const (
	localQueueBatches       = 2
	localQueueBatchesWrites = 1 << 14
)

// localRun is a running statement with its pieces.
type localRun struct {
	vexec.Cursor
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	streams map[localStream]chan *vexec.Batch
	gone    map[localStream]chan struct{} // closed when the consumer has left
	errs    map[uint32]error              // by exchange
	runs    []plan.FragmentRun
}

// localStream names what one producer sends one consumer.
type localStream struct {
	exchange uint32
	from, to int
}

// Start implements session.Fragments.
func (f *localFragments) Start(ctx context.Context, run session.FragmentedRun) (vexec.Cursor, error) {
	r := &localRun{streams: map[localStream]chan *vexec.Batch{}, gone: map[localStream]chan struct{}{}, errs: map[uint32]error{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	producers := map[uint32]int{}
	queue := localQueueBatches
	if run.Writes {
		queue = localQueueBatchesWrites
	}
	for _, p := range run.Pieces {
		producers[p.Fragment.GetExchange()] = len(p.Sites)
		for from := range p.Sites {
			for to := range int(p.Fragment.GetPartitions()) {
				k := localStream{p.Fragment.GetExchange(), from, to}
				r.streams[k] = make(chan *vexec.Batch, queue)
				r.gone[k] = make(chan struct{})
			}
		}
	}
	sources := func(site int) vexec.Sources {
		return func(exchange uint32) ([]vexec.Reader, error) {
			n, ok := producers[exchange]
			if !ok {
				return nil, pgerror.Internal("nothing feeds exchange %d", exchange)
			}
			var out []vexec.Reader
			for from := range n {
				out = append(out, &localReader{r: r, k: localStream{exchange, from, site}})
			}
			return out, nil
		}
	}
	for _, p := range run.Pieces {
		for i, site := range p.Sites {
			env := run.Env
			env.Observer, env.Sources = nil, sources(i)
			if site.Tablets != nil {
				var tablets []txn.TabletID
				for _, t := range site.Tablets {
					tablets = append(tablets, txn.TabletID(t))
				}
				st := f.store.Store(run.Tx, env.Expr.Env)
				st.Confine(tablets)
				env.Store = st
			} else {
				env.Sources = sources(0)
			}
			r.wg.Add(1)
			go func() {
				defer r.wg.Done()
				r.piece(f.executor, p, i, env)
			}()
		}
	}
	if run.Writes {
		r.wg.Wait()
	}
	env := run.Env
	env.Sources = sources(0)
	cur, err := f.executor.Run(ctx, run.Statement, env)
	if err != nil {
		r.stop()
		return nil, err
	}
	r.Cursor = cur
	return r, nil
}

// piece runs a piece on one site.
func (r *localRun) piece(ex *vexec.Executor, p vexec.Piece, site int, env vexec.Exec) {
	began := time.Now()
	f := p.Fragment
	run := plan.FragmentRun{Exchange: f.GetExchange(), Node: p.Sites[site].Node}
	err := func() error {
		split, err := ex.NewPartitioner(f, env)
		if err != nil {
			return err
		}
		cur, err := ex.Run(r.ctx, f.GetStatement(), env)
		if err != nil {
			return err
		}
		defer cur.Close()
		for {
			b, err := cur.Next(r.ctx)
			if err != nil || b == nil {
				return err
			}
			parts, err := split.Split(b)
			if err != nil {
				return err
			}
			for to, part := range parts {
				if part == nil || part.Rows() == 0 {
					continue
				}
				run.Rows += int64(part.Rows())
				k := localStream{f.GetExchange(), site, to}
				select {
				case r.streams[k] <- part:
				case <-r.gone[k]:
				case <-r.ctx.Done():
					return r.ctx.Err()
				}
			}
		}
	}()
	run.Time = time.Since(began)
	r.mu.Lock()
	if err != nil && r.errs[f.GetExchange()] == nil {
		r.errs[f.GetExchange()] = err
	}
	r.runs = append(r.runs, run)
	r.mu.Unlock()
	for to := range int(f.GetPartitions()) {
		close(r.streams[localStream{f.GetExchange(), site, to}])
	}
}

func (r *localRun) stop() {
	r.cancel()
	r.wg.Wait()
}

// Close implements vexec.Cursor.
func (r *localRun) Close() {
	r.Cursor.Close()
	r.stop()
}

// FragmentRuns implements session.FragmentRuns.
func (r *localRun) FragmentRuns() []plan.FragmentRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.runs)
}

// localReader reads one stream.
type localReader struct {
	r    *localRun
	k    localStream
	once sync.Once
}

// Next implements vexec.Reader.
func (l *localReader) Next(ctx context.Context) (*vexec.Batch, error) {
	select {
	case b, ok := <-l.r.streams[l.k]:
		if ok {
			return b, nil
		}
		l.r.mu.Lock()
		defer l.r.mu.Unlock()
		return nil, l.r.errs[l.k.exchange]
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements vexec.Reader.
func (l *localReader) Close() { l.once.Do(func() { close(l.r.gone[l.k]) }) }
