package table

import (
	"encoding/binary"
	"maps"
	"sync"
	"time"

	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
)

// counts are estimates of the rows of every table, for planning before ANALYZE
// and between runs of it: kept in memory, adjusted at commit, saved now and then.
// After a crash they are as of the last save.
type counts struct {
	mu    sync.RWMutex
	rows  map[uint64]int64
	seen  map[uint64]*Analyzed
	dirty bool
	// changes since they were taken last, where several processes write; else nil.
	changes map[uint64]RowChange
}

// RowChange is how many rows more a table has, and how many were written.
type RowChange struct{ Rows, Changed int64 }

// Analyzed is when statistics of a table were made, and what has happened since.
type Analyzed struct {
	// Changed are the rows inserted, updated and deleted since.
	Changed int64
	// Last and LastAuto are when ANALYZE and the automatic one ended last, in microseconds of Unix time; 0: never.
	Last, LastAuto int64
	// Count and CountAuto are how often.
	Count, CountAuto int64
}

// The local record "rowcounts": storage id and count, 16 bytes each, little endian.
var countsKey = []byte("rowcounts")

// The local record "analyzed": storage id and the fields of Analyzed in their order, 8 bytes each, little
// endian. A store without it is from before it was kept: all rows count as changed.
var analyzedKey = []byte("analyzed")

const analyzedBytes = 48

func (c *counts) load(eng *engine.Engine) error {
	c.rows, c.seen = map[uint64]int64{}, map[uint64]*Analyzed{}
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
	if v, ok, err = eng.LocalGet(analyzedKey); err != nil {
		return err
	}
	if !ok {
		for id, n := range c.rows {
			c.seen[id] = &Analyzed{Changed: n}
		}
	}
	for ; len(v) >= analyzedBytes; v = v[analyzedBytes:] {
		at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(v[8*i:])) }
		c.seen[uint64(at(0))] = &Analyzed{at(1), at(2), at(3), at(4), at(5)}
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
	var v, w []byte
	for id, n := range c.rows {
		v = binary.LittleEndian.AppendUint64(v, id)
		v = binary.LittleEndian.AppendUint64(v, uint64(n))
	}
	for id, a := range c.seen {
		w = binary.LittleEndian.AppendUint64(w, id)
		for _, n := range []int64{a.Changed, a.Last, a.LastAuto, a.Count, a.CountAuto} {
			w = binary.LittleEndian.AppendUint64(w, uint64(n))
		}
	}
	c.mu.Unlock()
	if err := eng.LocalSet(countsKey, v, false); err != nil {
		return err
	}
	return eng.LocalSet(analyzedKey, w, false)
}

// tableChange is what a transaction has done to a table: how many rows it has more, and how many were written.
type tableChange struct {
	id            uint64
	rows, changed int64
}

func (c *counts) add(delta []tableChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
	for _, d := range delta {
		c.ofLocked(d.id).Changed += d.changed
		if d.rows != 0 {
			c.rows[d.id] = max(0, c.rows[d.id]+d.rows)
		}
		c.passLocked(d.id, d.rows, d.changed)
	}
}

// passLocked keeps a change for the process that adds them up.
func (c *counts) passLocked(id uint64, rows, changed int64) {
	if c.changes != nil {
		d := c.changes[id]
		c.changes[id] = RowChange{d.Rows + rows, d.Changed + changed}
	}
}

func (c *counts) ofLocked(id uint64) *Analyzed {
	a := c.seen[id]
	if a == nil {
		a = &Analyzed{}
		c.seen[id] = a
	}
	return a
}

// Analyzed is what is known of a table's statistics.
func (s *Shared) Analyzed(storageID uint64) Analyzed {
	s.counts.mu.RLock()
	defer s.counts.mu.RUnlock()
	if a := s.counts.seen[storageID]; a != nil {
		return *a
	}
	return Analyzed{}
}

// NoteAnalyzed notes that statistics of a table were made which know of changed of its changes.
func (s *Shared) NoteAnalyzed(storageID uint64, changed int64, auto bool, now time.Time) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	s.counts.dirty = true
	a := s.counts.ofLocked(storageID)
	a.Changed = max(0, a.Changed-changed)
	s.counts.passLocked(storageID, 0, -changed)
	if auto {
		a.LastAuto, a.CountAuto = now.UnixMicro(), a.CountAuto+1
	} else {
		a.Last, a.Count = now.UnixMicro(), a.Count+1
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
func (s *Shared) TakeRowChanges() map[uint64]RowChange {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	out := s.counts.changes
	s.counts.changes = map[uint64]RowChange{}
	return out
}

// ReturnRowChanges takes back changes that nobody has added up.
func (s *Shared) ReturnRowChanges(back map[uint64]RowChange) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	for id, d := range back {
		s.counts.passLocked(id, d.Rows, d.Changed)
	}
}

// HearChanged takes how many rows of tables other processes have written.
func (s *Shared) HearChanged(changed map[uint64]int64) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	for id, n := range changed {
		a := s.counts.ofLocked(id)
		a.Changed = max(0, a.Changed+n)
	}
	s.counts.dirty = true
}

// SetRows sets counts to the sums of what all processes have changed.
func (s *Shared) SetRows(sums map[uint64]int64) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	for id, n := range sums {
		s.counts.rows[id] = max(0, n+s.counts.changes[id].Rows)
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
	delete(s.counts.seen, storageID)
	s.counts.dirty = true
	s.counts.mu.Unlock()
	if s.cols != nil {
		s.cols.Forget(storageID)
	}
	s.rowIDs.ForgetRowIDs(storageID)
}

// RowChanges are the rows that the transaction has written so far, by storage id.
func (s *Store) RowChanges() map[uint64]int64 {
	out := map[uint64]int64{}
	for _, d := range s.delta {
		if d.rows != 0 {
			out[d.id] = d.rows
		}
	}
	return out
}

// RowChange is how many rows more a table has by what the transaction has written so far.
func (s *Store) RowChange(storageID uint64) int64 {
	for i := range s.delta {
		if s.delta[i].id == storageID {
			return s.delta[i].rows
		}
	}
	return 0
}

// AddRows adjusts counts after a commit that no Store has seen.
func (s *Shared) AddRows(changes map[uint64]int64) {
	delta := make([]tableChange, 0, len(changes))
	for id, n := range changes {
		delta = append(delta, tableChange{id, n, max(n, -n)})
	}
	s.counts.add(delta)
}

// AddChanges is AddRows that tells how many rows were written, too.
func (s *Shared) AddChanges(added, changed map[uint64]int64) {
	delta := make([]tableChange, 0, len(changed))
	for id, n := range changed {
		delta = append(delta, tableChange{id, added[id], n})
	}
	s.counts.add(delta)
}

// count notes rows written by the transaction: rows more, of which so many changed; it counts when it commits. Rows
// undone by a savepoint are counted nonetheless: an estimate.
func (s *Store) count(storageID uint64, rows, changed int64) {
	if s.delta == nil {
		s.tx.OnCommit(func(txn.Timestamp) { s.shared.counts.add(s.delta) })
	}
	for i := len(s.delta) - 1; i >= 0; i-- {
		if d := &s.delta[i]; d.id == storageID {
			d.rows, d.changed = d.rows+rows, d.changed+changed
			return
		}
	}
	s.delta = append(s.delta, tableChange{storageID, rows, changed})
}
