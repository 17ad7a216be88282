package txn

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/basaltdb/basalt/storage/engine"
)

// Sorted runs: many writes of keys that nobody else knows, such as the entries of a
// new index, given in any order. They are sorted in pieces that fit memory and go to
// the transaction's spilled runs (spill.go) as they are: no write buffer keeps them in
// order one by one, no lock table knows them.

// SortedTxn is a Txn that takes sorted runs. Those of a Manager are.
type SortedTxn interface {
	RowTxn
	// NewSortedRuns starts a set of writes with room for so many writers, nil when the
	// transaction takes none. Until Done or Discard nothing else may write.
	NewSortedRuns(writers int) *SortedRuns
}

var _ SortedTxn = (*transaction)(nil)

// SortedRuns are writes that become the transaction's with Done.
type SortedRuns struct {
	t      *transaction
	budget int // bytes of a writer

	mu   sync.Mutex
	seq  uint64
	runs []*run
	// kept are the writers' last pieces, when there was nothing before them.
	kept []*SortedWriter
}

// sortedKeptMax is how many bytes of writes stay in memory, per set.
const sortedKeptMax = 1 << 20

// sortedPieceMax bounds a piece, so that offsets fit.
const sortedPieceMax = 1 << 30

// NewSortedRuns implements SortedTxn.
func (t *transaction) NewSortedRuns(writers int) *SortedRuns {
	if t.external || t.usable() != nil {
		return nil
	}
	t.snapshotInForce()
	return &SortedRuns{t: t, seq: t.seq, budget: int(min(t.m.cfg.SpillBytes/int64(max(1, writers)), sortedPieceMax))}
}

// SortedWriter collects writes. Each belongs to one goroutine.
type SortedWriter struct {
	set     *SortedRuns
	data    []byte // keys and values, one after the other
	entries []sortedEntry
}

// sortedEntry is one write: its place in data, and eight bytes of its key behind what all keys have in common.
type sortedEntry struct {
	head     uint64
	at       uint32
	key, val uint32 // lengths
}

const sortedEntryBytes = 24

// Writer adds a writer.
func (s *SortedRuns) Writer() *SortedWriter { return &SortedWriter{set: s} }

// Add writes a key, which nobody wrote before. Both are copied.
func (w *SortedWriter) Add(ctx context.Context, key, value []byte) error {
	if n := w.bytes() + len(key) + len(value) + sortedEntryBytes; n > w.set.budget && len(w.entries) > 0 {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.entries = append(w.entries, sortedEntry{at: uint32(len(w.data)), key: uint32(len(key)), val: uint32(len(value))})
	w.data = append(append(w.data, key...), value...)
	return nil
}

// Close ends the writer's part.
func (w *SortedWriter) Close(ctx context.Context) error {
	if len(w.entries) == 0 {
		return nil
	}
	s := w.set
	s.mu.Lock()
	kept := len(w.data)
	for _, k := range s.kept {
		kept += len(k.data)
	}
	keep := len(s.runs) == 0 && kept <= sortedKeptMax
	if keep {
		s.kept = append(s.kept, w)
	}
	s.mu.Unlock()
	if keep {
		return nil
	}
	return w.flush(ctx)
}

// bytes is the memory that the writes take.
func (w *SortedWriter) bytes() int { return len(w.data) + len(w.entries)*sortedEntryBytes }

func (w *SortedWriter) keyOf(e *sortedEntry) []byte { return w.data[e.at : e.at+e.key] }

// sort orders the entries by key.
func (w *SortedWriter) sort() {
	if len(w.entries) == 0 {
		return
	}
	common := w.keyOf(&w.entries[0])
	for i := range w.entries {
		k := w.keyOf(&w.entries[i])
		n := min(len(common), len(k))
		if !bytes.Equal(common[:n], k[:n]) {
			for n = 0; common[n] == k[n]; n++ {
			}
		}
		common = common[:n]
	}
	skip := len(common)
	for i := range w.entries {
		e := &w.entries[i]
		var head [8]byte
		copy(head[:], w.keyOf(e)[skip:])
		e.head = binary.BigEndian.Uint64(head[:])
	}
	slices.SortFunc(w.entries, func(a, b sortedEntry) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return bytes.Compare(w.keyOf(&a)[skip:], w.keyOf(&b)[skip:])
	})
}

// flush writes what was collected to a run.
func (w *SortedWriter) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return contextError(ctx)
	}
	s := w.set
	m := s.t.m
	if err := m.eng.Room(int64(len(w.data))); err != nil {
		return err
	}
	w.sort()
	s.mu.Lock()
	s.seq++
	seq := s.seq
	s.mu.Unlock()
	// Without a filter: only this transaction's later statements can ask for the keys.
	r := &run{path: m.bulk.path(m, "run"), minStatement: s.t.stmt}
	out, err := m.eng.NewRun(r.path)
	if err != nil {
		return err
	}
	sp := engine.Spilled{Statement: s.t.stmt}
	for i := range w.entries {
		e := &w.entries[i]
		key := w.keyOf(e)
		// A key written twice stays twice: Done tells.
		sp.Key, sp.Value, sp.Seq = key, w.data[e.at+e.key:e.at+e.key+e.val], seq
		if i > 0 && bytes.Equal(key, w.keyOf(&w.entries[i-1])) {
			err = &duplicateKey{bytes.Clone(key)}
		} else {
			err = out.AddSpilled(&sp)
		}
		if err != nil {
			break
		}
	}
	if ferr := out.Finish(); err == nil {
		err = ferr
	}
	if err != nil {
		_ = m.eng.FS().Remove(r.path)
		return err
	}
	r.first, r.last = bytes.Clone(w.keyOf(&w.entries[0])), bytes.Clone(w.keyOf(&w.entries[len(w.entries)-1]))
	w.data, w.entries = w.data[:0], w.entries[:0]
	s.mu.Lock()
	s.runs = append(s.runs, r)
	s.mu.Unlock()
	return nil
}

// duplicateKey is the error of writers and of Done when a key was written twice.
type duplicateKey struct{ key []byte }

func (e *duplicateKey) Error() string { return "a key was written twice" }

// DuplicateKey is the key that err says was written twice, nil when it says something else.
func DuplicateKey(err error) []byte {
	if d, ok := err.(*duplicateKey); ok {
		return d.key
	}
	return nil
}

// Done makes the writes the transaction's, as the current statement's. unique: keys may
// have been given twice, which is an error that DuplicateKey knows. After an error the set is to be discarded.
// REQUIRES: all writers are closed.
func (s *SortedRuns) Done(ctx context.Context, unique bool) error {
	t := s.t
	if err := t.usable(); err != nil {
		return err
	}
	for _, w := range s.kept {
		if len(s.runs) > 0 {
			if err := w.flush(ctx); err != nil {
				return err
			}
			continue
		}
		for i := range w.entries {
			e := &w.entries[i]
			key := w.keyOf(e)
			if unique && t.writes.newest(key, math.MaxUint32) != nil {
				return &duplicateKey{bytes.Clone(key)}
			}
			s.seq++
			t.seq, t.wrote = s.seq, s.seq
			t.writes.put(key, w.data[e.at+e.key:e.at+e.key+e.val], false, false, t.stmt, t.seq)
		}
	}
	s.kept = nil
	if len(s.runs) == 0 {
		if t.writes.bytes > t.m.cfg.SpillBytes {
			return t.spillWrites(ctx)
		}
		return nil
	}
	if unique && len(s.runs) > 1 {
		if err := s.checkDistinct(ctx); err != nil {
			return err
		}
	}
	if t.writes.len() > 0 { // older than the runs
		if err := t.spillWrites(ctx); err != nil {
			return err
		}
	}
	t.seq, t.wrote = s.seq, s.seq
	err := t.addRuns(s.runs)
	s.runs = nil
	return err
}

// checkDistinct looks for keys that are in several runs.
func (s *SortedRuns) checkDistinct(ctx context.Context) error {
	paths := make([]string, len(s.runs))
	for i, r := range s.runs {
		paths[len(paths)-1-i] = r.path
	}
	it, err := s.t.m.eng.OpenRuns(paths, nil, nil, false)
	if err != nil {
		return err
	}
	defer it.Close()
	key, err := it.Duplicate(ctx)
	if err == nil && key != nil {
		err = &duplicateKey{key}
	}
	if err != nil && ctx.Err() != nil {
		return contextError(ctx)
	}
	return err
}

// Discard forgets the writes that Done has not taken.
func (s *SortedRuns) Discard() {
	for _, r := range s.runs {
		_ = s.t.m.eng.FS().Remove(r.path) // a file that stays is removed at the next start
	}
	s.runs, s.kept = nil, nil
}
