package table

import (
	"encoding/binary"
	"maps"
	"sync"

	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
)

// counts are estimates of the rows of every table, for planning before ANALYZE
// and between runs of it: kept in memory, adjusted at commit, saved now and then.
// After a crash they are as of the last save.
type counts struct {
	mu    sync.RWMutex
	rows  map[uint64]int64
	dirty bool
	// changes since they were taken last, where several processes write; else nil.
	changes map[uint64]int64
}

// The local record "rowcounts": storage id and count, 16 bytes each, little endian.
var countsKey = []byte("rowcounts")

func (c *counts) load(eng *engine.Engine) error {
	c.rows = map[uint64]int64{}
	if eng == nil {
		return nil
	}
	v, ok, err := eng.LocalGet(countsKey)
	if err != nil || !ok {
		return err
	}
	for ; len(v) >= 16; v = v[16:] {
		c.rows[binary.LittleEndian.Uint64(v)] = int64(binary.LittleEndian.Uint64(v[8:]))
	}
	return nil
}

func (c *counts) save(eng *engine.Engine) error {
	c.mu.Lock()
	if !c.dirty || eng == nil {
		c.mu.Unlock()
		return nil
	}
	c.dirty = false
	var v []byte
	for id, n := range c.rows {
		v = binary.LittleEndian.AppendUint64(v, id)
		v = binary.LittleEndian.AppendUint64(v, uint64(n))
	}
	c.mu.Unlock()
	return eng.LocalSet(countsKey, v, false)
}

func (c *counts) add(delta map[uint64]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
	for id, n := range delta {
		c.rows[id] = max(0, c.rows[id]+n)
		if c.changes != nil {
			c.changes[id] += n
		}
	}
}

// AllRows are the counts of all tables.
func (s *Shared) AllRows() map[uint64]int64 {
	s.counts.mu.RLock()
	defer s.counts.mu.RUnlock()
	return maps.Clone(s.counts.rows)
}

// TakeRowChanges gives what the commits of this process have changed since it was
// called last: where several write, somebody adds it up and SetRows brings the sums.
func (s *Shared) TakeRowChanges() map[uint64]int64 {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	out := s.counts.changes
	s.counts.changes = map[uint64]int64{}
	return out
}

// ReturnRowChanges takes back changes that nobody has added up.
func (s *Shared) ReturnRowChanges(back map[uint64]int64) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	for id, n := range back {
		s.counts.changes[id] += n
	}
}

// SetRows sets counts to the sums of what all processes have changed.
func (s *Shared) SetRows(sums map[uint64]int64) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	for id, n := range sums {
		s.counts.rows[id] = max(0, n+s.counts.changes[id])
		s.counts.dirty = true
	}
}

// SaveCounts writes the row counts down.
func (s *Shared) SaveCounts() error { return s.counts.save(s.eng) }

// Rows is an estimate of a table's rows.
func (s *Shared) Rows(storageID uint64) int64 {
	s.counts.mu.RLock()
	defer s.counts.mu.RUnlock()
	return s.counts.rows[storageID]
}

// Forget drops what is known of a table whose storage is gone.
func (s *Shared) Forget(storageID uint64) {
	s.counts.mu.Lock()
	delete(s.counts.rows, storageID)
	s.counts.dirty = true
	s.counts.mu.Unlock()
	if s.cols != nil {
		s.cols.Forget(storageID)
	}
	s.rowIDs.ForgetRowIDs(storageID)
}

// RowChanges are the rows that the transaction has written so far, by storage id.
func (s *Store) RowChanges() map[uint64]int64 { return s.delta }

// AddRows adjusts counts after a commit that no Store has seen.
func (s *Shared) AddRows(changes map[uint64]int64) { s.counts.add(changes) }

// count notes rows written by the transaction; it counts when it commits. Rows
// undone by a savepoint are counted nonetheless: an estimate.
func (s *Store) count(storageID uint64, n int64) {
	if s.delta == nil {
		s.delta = map[uint64]int64{}
		s.tx.OnCommit(func(txn.Timestamp) { s.shared.counts.add(s.delta) })
	}
	s.delta[storageID] += n
}
