package vexec

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// cteState is a common table expression: its plan runs once, as far as the most
// eager of its readers has read, and its rows are kept for the others.
type cteState struct {
	q    *query
	cte  *planpb.CTE
	mu   sync.Mutex
	op   operator
	rows *rowStore
	end  bool
	err  error
}

// batch gives batch i, running the plan if need be; nil past the end.
func (c *cteState) batch(ctx context.Context, i int) (*Batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	if c.op == nil && !c.end {
		if c.err = c.start(ctx); c.err != nil {
			return nil, c.err
		}
	}
	for i >= c.rows.len() {
		if c.end {
			return nil, nil
		}
		b, err := c.op.next(ctx)
		if err != nil {
			c.err = err
			return nil, err
		}
		if b == nil {
			c.end = true
			c.op.close()
			return nil, nil
		}
		if b.Rows() == 0 {
			continue
		}
		if err := c.rows.add(b); err != nil {
			c.err = err
			return nil, err
		}
	}
	return c.rows.get(i)
}

func (c *cteState) start(ctx context.Context) error {
	w := &worker{q: c.q, frame: c.q.fresh.Clone(), parts: 1, chunks: c.q.w.chunks, workTables: map[uint32]*workTable{}, probed: cloneProbes(nil)}
	op, err := w.build(c.cte.GetPlan())
	if err != nil {
		return err
	}
	c.op = op
	c.rows = &rowStore{mem: w.memory(c.cte.GetPlan(), "CTE Scan"), ts: outputTypes(c.cte.GetPlan())}
	return op.open(ctx)
}

// finish runs the plan to its end (modifying CTEs).
func (c *cteState) finish(ctx context.Context) error {
	at := 0
	if c.rows != nil {
		at = c.rows.len()
	}
	for ; ; at++ {
		b, err := c.batch(ctx, at)
		if err != nil || b == nil {
			return err
		}
	}
}

func (c *cteState) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.op != nil {
		c.op.close()
	}
	if c.rows != nil {
		c.rows.clear()
	}
}

// cteScan reads a CTE from its first row.
type cteScan struct {
	c  *cteState
	at int
}

func newCTEScan(w *worker, p *planpb.Plan, s *planpb.CTEScan) (operator, error) {
	c := w.q.ctes[s.GetCte()]
	if c == nil {
		return nil, pgerror.Internal("plan without CTE %d", s.GetCte())
	}
	return &cteScan{c: c}, nil
}

func (s *cteScan) open(context.Context) error {
	s.at = 0
	return nil
}

func (s *cteScan) next(ctx context.Context) (*Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.c.batch(ctx, s.at)
	if b != nil {
		s.at++
	}
	return b, err
}

func (s *cteScan) close() {}

// materializeOp keeps its input's rows so that starting over is cheap: the
// input runs once, unless EXEC slots it may depend on have changed.
type materializeOp struct {
	in    operator
	rows  *rowStore
	at    int
	begun bool
	end   bool
}

func newMaterialize(w *worker, p *planpb.Plan, m *planpb.Materialize) (operator, error) {
	in, err := w.build(m.GetInput())
	if err != nil {
		return nil, err
	}
	return &materializeOp{in: in, rows: &rowStore{mem: w.memory(p, "Materialize"), ts: outputTypes(m.GetInput())}}, nil
}

func (m *materializeOp) open(ctx context.Context) error {
	m.at = 0
	if m.begun {
		return nil
	}
	m.begun = true
	return m.in.open(ctx)
}

func (m *materializeOp) next(ctx context.Context) (*Batch, error) {
	for m.at >= m.rows.len() {
		if m.end {
			return nil, ctx.Err()
		}
		b, err := m.in.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			m.end = true
			m.in.close()
			return nil, nil
		}
		if err := m.rows.add(b); err != nil {
			return nil, err
		}
	}
	m.at++
	return m.rows.get(m.at - 1)
}

// close frees the rows: a later open runs the input again.
func (m *materializeOp) close() {
	m.rows.clear()
	m.begun, m.end = false, false
	m.in.close()
}

// chunkScan delivers rows handed in under a slot.
type chunkScan struct {
	w    *worker
	slot uint32
	at   int
	r    Reader
}

func newChunkScan(w *worker, p *planpb.Plan, s *planpb.ChunkScan) (operator, error) {
	return &chunkScan{w: w, slot: s.GetSlot()}, nil
}

func (s *chunkScan) open(context.Context) error {
	s.close()
	s.at = 0
	if s.w.chunks[s.slot] == nil {
		if f := s.w.q.env.Chunks[s.slot]; f != nil {
			s.r = f()
			return nil
		}
		return pgerror.Internal("no rows given for slot %d", s.slot)
	}
	return nil
}

func (s *chunkScan) next(ctx context.Context) (*Batch, error) {
	if s.r != nil {
		return s.r.Next(ctx)
	}
	c := s.w.chunks[s.slot]
	if c == nil || s.at >= len(c.batches) {
		return nil, nil
	}
	s.at++
	return c.batches[s.at-1], nil
}

func (s *chunkScan) close() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}

// workTable is what RecursiveUnion shows to its recursive side.
type workTable struct{ rows *rowStore }

type workTableScan struct {
	w  *worker
	id uint32
	at int
}

func newWorkTableScan(w *worker, p *planpb.Plan, s *planpb.WorkTableScan) (operator, error) {
	return &workTableScan{w: w, id: s.GetWorkTable()}, nil
}

func (s *workTableScan) open(context.Context) error {
	s.at = 0
	return nil
}

func (s *workTableScan) next(ctx context.Context) (*Batch, error) {
	t := s.w.workTables[s.id]
	if t == nil {
		return nil, pgerror.Internal("no work table %d", s.id)
	}
	if s.at >= t.rows.len() {
		return nil, ctx.Err()
	}
	s.at++
	return t.rows.get(s.at - 1)
}

func (s *workTableScan) close() {}
