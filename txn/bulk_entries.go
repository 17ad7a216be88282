package txn

import (
	"context"

	"github.com/basaltdb/basalt/storage/columns"
)

// bulkEntries are the entries that a statement's rows of bulk inserts have in indexes
// which are not unique. Nobody else asks for their keys, which have the rows' keys in
// them, and the statement itself does not either, so they wait as they come, index by
// index, and become sorted runs (sorted_runs.go): in pieces when they outgrow memory,
// all of them before another statement or savepoint begins, or the transaction ends.
//
// They belong to the transaction's own goroutine, but for err.
type bulkEntries struct {
	set   *SortedRuns
	index map[columns.Space]*SortedWriter
	bytes int
	seq   uint64 // of the first
}

// AddEntry implements BulkTxn.
func (t *transaction) AddEntry(ctx context.Context, key, value []byte) error {
	b := t.bulk.Load()
	e := b.entries
	if e == nil {
		if err := t.usable(); err != nil {
			return err
		}
		t.seq++
		t.wrote = t.seq
		e = &bulkEntries{set: &SortedRuns{t: t, budget: sortedPieceMax}, index: map[columns.Space]*SortedWriter{}, seq: t.seq}
		b.entries = e
	}
	space, _ := columns.SpaceOf(key)
	w := e.index[space]
	if w == nil {
		w = e.set.Writer()
		e.index[space] = w
	}
	if err := w.Add(ctx, key, value); err != nil {
		return err
	}
	e.bytes += len(key) + len(value) + sortedEntryBytes
	if int64(e.bytes) <= t.m.cfg.SpillBytes {
		return nil
	}
	// The longest piece goes.
	for _, x := range e.index {
		if x.bytes() > w.bytes() {
			w = x
		}
	}
	e.bytes -= w.bytes()
	e.set.seq = t.seq
	err := w.flush(ctx)
	t.seq, t.wrote = e.set.seq, e.set.seq
	return err
}

// closeEntries makes the entries writes of the transaction. An error is kept: nobody may
// read or commit without them.
func (t *transaction) closeEntries(ctx context.Context) error {
	b := t.bulk.Load()
	if b == nil {
		return nil
	}
	if e := b.entries; e != nil {
		b.entries = nil
		e.set.seq = t.seq
		var err error
		for _, w := range e.index {
			if err == nil {
				err = w.Close(ctx)
			}
		}
		if err == nil {
			err = e.set.Done(ctx, false)
		}
		if err != nil {
			e.set.Discard()
			b.mu.Lock()
			b.lost, b.lostSeq = err, e.seq
			b.mu.Unlock()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// cutEntries takes back those added after seq. REQUIRES: a savepoint closes the ones before it.
func (b *bulkWrites) cutEntries(seq uint64) {
	if e := b.entries; e != nil && e.seq > seq {
		e.set.Discard()
		b.entries = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost != nil && b.lostSeq > seq {
		b.lost = nil
	}
}
