package vexec

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// memory is one operator's account: what it holds counts against its budget
// (Exec.WorkMem) and against the executor's limit. One owner at a time.
type memory struct {
	q      *query
	id     uint32
	name   string
	used   int64
	peak   int64
	budget int64
}

func (w *worker) memory(p *planpb.Plan, name string) *memory {
	return &memory{q: w.q, id: p.GetId(), name: name, budget: w.q.env.WorkMem}
}

// set says how much the operator holds now.
func (m *memory) set(n int64) {
	m.q.ex.hold(n - m.used)
	m.used = n
	if n > m.peak {
		m.peak = n
		m.q.env.Stats.update(m.id, func(o *OpStats) { o.MemoryPeak = max(o.MemoryPeak, n) })
	}
}

func (m *memory) add(n int64) { m.set(m.used + n) }
func (m *memory) free()       { m.set(0) }

// over reports that the operator should spill.
func (m *memory) over() bool { return m.used > m.budget || m.exhausted() }

// exhausted: all queries together hold more than the executor may.
func (m *memory) exhausted() bool {
	l := m.q.ex.opts.MemoryLimit
	return l > 0 && m.used > 1<<20 && m.q.ex.memory.Load() > l
}

// must is for what cannot be spilled: beyond the executor's limit it is an error.
func (m *memory) must() error {
	if !m.exhausted() {
		return nil
	}
	return pgerror.New(pgerror.OutOfMemory, "out of memory").
		WithDetail("%s holds %d bytes that cannot be moved to disk; all queries together may hold %d.", m.name, m.used, m.q.ex.opts.MemoryLimit)
}

// fits fails when n bytes more would exceed the executor's limit.
func (m *memory) fits(n int64) error {
	l := m.q.ex.opts.MemoryLimit
	if l <= 0 || n < 1<<20 || m.q.ex.memory.Load()+n <= l {
		return nil
	}
	return outOfMemory(n, l)
}

func outOfMemory(n, limit int64) error {
	return pgerror.New(pgerror.OutOfMemory, "out of memory").
		WithDetail("Failed on request of size %d; all queries together may hold %d bytes.", n, limit)
}

// valueLimit is the executor's limit as expressions see it.
type valueLimit struct{ ex *Executor }

func (v valueLimit) Reserve(n int64) error {
	now := v.ex.hold(n)
	if l := v.ex.opts.MemoryLimit; l > 0 && now > l {
		v.ex.hold(-n)
		return outOfMemory(n, l)
	}
	return nil
}

func (v valueLimit) Release(n int64) { v.ex.hold(-n) }

// Reserve accounts memory that is held for no query, such as a long message of a client,
// against the executor's limit; beyond it is 53200.
func (e *Executor) Reserve(n int64) error { return valueLimit{e}.Reserve(n) }

// Release gives back what was reserved.
func (e *Executor) Release(n int64) { valueLimit{e}.Release(n) }

// resetValues lets go of what expressions reserved for the batch before.
func (w *worker) resetValues() {
	if c := w.frame.Ctx; c != nil {
		c.Memory.Reset()
	}
}

// stepBytes is how much the expressions over one batch should make at a time.
const stepBytes = 16 << 20

// steps cuts batches so that the values expressions make of a piece stay near
// stepBytes: the first piece of a statement is small and measures.
type steps struct {
	held *Batch
	at   int
	size int // rows of the next piece; 0: not measured yet
}

const firstStepRows = 64

func (s *steps) start() { s.held, s.size = nil, 0 }

// cut gives the next piece of the batch in work, or of what pull yields.
func (s *steps) cut(pull func() (*Batch, error)) (*Batch, error) {
	if s.held == nil {
		b, err := pull()
		if err != nil || b == nil {
			return nil, err
		}
		s.held, s.at = b, 0
	}
	n := s.held.Rows()
	size := s.size
	if size == 0 {
		size = firstStepRows
	}
	b := s.held
	from := s.at
	s.at = min(from+size, n)
	if s.at == n {
		s.held = nil
	}
	return sliced(b, from, s.at), nil
}

// measured takes note of how much memory a piece of so many rows took.
func (s *steps) measured(rows int, bytes int64) {
	if rows == 0 {
		return
	}
	fit := int64(1 << 30)
	if per := bytes / int64(rows); per > 0 {
		fit = max(1, stepBytes/per)
	}
	if s.size > 0 && fit > int64(s.size) { // grows gently: rows may be of many sizes
		fit = min(fit, 4*int64(s.size))
	}
	s.size = int(fit)
}

// rowsWithin is how many rows of batches like bs make a batch that is not too
// large, at most size.
func rowsWithin(size int, bs ...*Batch) int {
	per := int64(0)
	for _, b := range bs {
		if b != nil && b.N > 0 {
			per += batchBytes(b) / int64(b.N)
		}
	}
	if per*int64(size) <= stepBytes {
		return size
	}
	return int(max(1, stepBytes/per))
}

// hold accounts a batch that an operator has made, when it is large.
func (m *memory) hold(n int64) error {
	if n < 1<<20 {
		return nil
	}
	m.set(n)
	return m.must()
}

func (w *worker) takeProduced() int64 {
	if c := w.frame.Ctx; c != nil {
		return c.Memory.TakeProduced()
	}
	return 0
}

// datumBytes is what a variable-length value takes beyond its Datum.
func datumBytes(d types.Datum) int64 {
	switch v := d.(type) {
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case types.JSONB:
		return int64(len(v))
	case *types.Array:
		n := int64(0)
		if v != nil {
			for _, e := range v.Elems {
				n += 16 + datumBytes(e)
			}
		}
		return n
	}
	return 0
}
