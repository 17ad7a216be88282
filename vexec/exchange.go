package vexec

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// newExchange builds a place where a plan may be cut, in a plan that was not: its
// input, merged by nobody since there is one stream, as the keys promise.
func newExchange(w *worker, p *planpb.Plan, x *planpb.Exchange) (operator, error) {
	return w.build(x.GetInput())
}

// exchangeSource yields the rows that other processes (or this one) send for an
// exchange: the streams of all producers as they come, or merged by the merge keys.
// Each stream is read by a goroutine of its own, up to two batches ahead; what
// waits is accounted. The streams are opened by the first next and read once: a
// source below a Gather, which every worker reads in full, and one that is started
// again go through a store that keeps the rows (and spills).
type exchangeSource struct {
	w     *worker
	id    uint32
	ex    uint32
	ts    []types.T
	keys  *sortKeys
	begun bool

	streams *sourceStreams
	shared  *sharedSource
	at      int
}

func newExchangeSource(w *worker, p *planpb.Plan, s *planpb.ExchangeSource) (operator, error) {
	if w.q.env.Sources == nil {
		return nil, pgerror.Internal("no streams for exchange %d", s.GetExchange())
	}
	op := &exchangeSource{w: w, id: p.GetId(), ex: s.GetExchange(), ts: outputTypes(p)}
	var err error
	op.keys, err = newSortKeys(w, s.GetMergeKeys())
	if err == nil && w.again {
		op.shared = w.q.sharedSource(op)
	}
	return op, err
}

func (s *exchangeSource) open(context.Context) error {
	s.at = 0
	if s.shared == nil && s.begun {
		return pgerror.Internal("exchange %d is read twice", s.ex)
	}
	return nil
}

func (s *exchangeSource) next(ctx context.Context) (*Batch, error) {
	if s.shared != nil {
		b, err := s.shared.get(ctx, s.at)
		if b != nil {
			s.at++
		}
		return b, err
	}
	if !s.begun {
		s.begun = true
		var err error
		if s.streams, err = s.start(); err != nil {
			return nil, err
		}
	}
	if s.streams == nil {
		return nil, ctx.Err()
	}
	return s.streams.next(ctx)
}

func (s *exchangeSource) close() {
	if s.streams != nil {
		s.streams.stop()
		s.streams = nil
	}
}

// sourceStreams are the running streams of an exchange.
type sourceStreams struct {
	q     *query
	run   *gatherRun
	merge *streamMerge
	once  sync.Once
}

// start opens the streams.
func (s *exchangeSource) start() (*sourceStreams, error) {
	readers, err := s.w.q.env.Sources(s.ex)
	if err != nil {
		return nil, err
	}
	q := s.w.q
	r := &gatherRun{errs: make(chan error, len(readers)+1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.pool = &pool{q: q, ctx: r.ctx}
	merge := len(s.keys.exprs) > 0
	if !merge {
		r.out = make(chan *Batch, 2*len(readers))
	}
	for _, reader := range readers {
		out := r.out
		if merge {
			out = make(chan *Batch, 2)
			r.streams = append(r.streams, out)
		}
		r.wg.Add(1)
		go func() {
			defer r.wg.Done()
			err := s.pump(r.ctx, reader, out)
			if err != nil {
				r.errs <- err
				r.cancel()
			}
			if merge {
				close(out)
			}
		}()
	}
	if !merge {
		go func() {
			r.wg.Wait()
			close(r.out)
		}()
	}
	st := &sourceStreams{q: q, run: r}
	if merge {
		st.merge = newStreamMerge(s.w, s.keys, s.ts, r)
	}
	q.onClose(st.stop)
	return st, nil
}

// pump reads one stream to its end.
func (s *exchangeSource) pump(ctx context.Context, r Reader, out chan *Batch) (err error) {
	defer r.Close()
	defer func() {
		if p := recover(); p != nil {
			err = recovered(p)
		}
	}()
	// the latest batches of the stream: one in hand, two in the channel
	var held [3]int64
	account := s.w.q.ex
	defer func() { account.hold(-held[0] - held[1] - held[2]) }()
	for i := 0; ; i++ {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if len(b.Cols) != len(s.ts) {
			return pgerror.New(pgerror.ProtocolViolation, "exchange %d delivers %d columns instead of %d", s.ex, len(b.Cols), len(s.ts))
		}
		if b.Rows() == 0 {
			continue
		}
		n := batchBytes(flattened(b))
		account.hold(n - held[i%3])
		held[i%3] = n
		select {
		case out <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *sourceStreams) next(ctx context.Context) (*Batch, error) {
	if s.merge != nil {
		return s.merge.next(ctx)
	}
	return s.run.receive(ctx, s.run.out)
}

func (s *sourceStreams) stop() { s.once.Do(func() { s.run.stop(s.q) }) }

// sharedSource keeps the rows of an exchange for several readers.
type sharedSource struct {
	mu      sync.Mutex
	op      *exchangeSource
	streams *sourceStreams
	rows    *rowStore
	begun   bool
	end     bool
	err     error
}

// sharedSource is the store of op's exchange.
func (q *query) sharedSource(op *exchangeSource) *sharedSource {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.sources[op.ex]; s != nil {
		return s
	}
	s := &sharedSource{op: op, rows: &rowStore{mem: &memory{q: q, id: op.id, name: "Exchange", budget: q.env.WorkMem}, ts: op.ts}}
	if q.sources == nil {
		q.sources = map[uint32]*sharedSource{}
	}
	q.sources[op.ex] = s
	q.closers = append(q.closers, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rows.clear()
	})
	return s
}

// get is batch i, nil beyond the last.
func (s *sharedSource) get(ctx context.Context, i int) (*Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if !s.begun {
		s.begun = true
		if s.streams, s.err = s.op.start(); s.err != nil {
			return nil, s.err
		}
	}
	for i >= s.rows.len() && !s.end {
		b, err := s.streams.next(ctx)
		if err == nil && b != nil {
			err = s.rows.add(flattened(b))
		}
		if err != nil {
			s.err = err
			return nil, err
		}
		s.end = b == nil
	}
	if i >= s.rows.len() {
		return nil, ctx.Err()
	}
	return s.rows.get(i)
}
