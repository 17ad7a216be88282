package vexec

import (
	"github.com/basaltdb/basalt/sql/pgerror"
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
	m.q.ex.memory.Add(n - m.used)
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
