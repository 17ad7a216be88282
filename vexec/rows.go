package vexec

import "github.com/basaltdb/basalt/sql/types"

// Rows keeps batches for a host (cursors): in memory as far as a budget goes, then
// in a temporary file. One goroutine uses it at a time.
type Rows struct{ store rowStore }

// NewRows makes an empty Rows for batches of the given types. budget as Exec.WorkMem.
func (e *Executor) NewRows(ts []types.T, budget int64) *Rows {
	if budget <= 0 {
		budget = DefaultWorkMem
	}
	q := &query{ex: e, env: Exec{WorkMem: budget}}
	return &Rows{rowStore{mem: &memory{q: q, name: "cursor", budget: budget}, ts: ts}}
}

// Add appends a batch; it is kept without its selection.
func (r *Rows) Add(b *Batch) error { return r.store.add(flattened(b)) }

// Len is the number of batches.
func (r *Rows) Len() int { return r.store.len() }

// Get gives batch i.
func (r *Rows) Get(i int) (*Batch, error) { return r.store.get(i) }

// Close frees what is held.
func (r *Rows) Close() { r.store.clear() }
