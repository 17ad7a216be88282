package columns

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

// schemas knows the columns of tables by storage id: what merging needs to take rows
// apart. storage/table registers every table it prepares, so that a row's columns are
// known here before the row is written or read on this node.
//
// A description may be of a transaction that is rolled back later. That does no harm:
// a segment has the columns that rows store, no others, and of these the description
// registered last is the committed one, since attribute numbers are used again only
// after a rollback. What rows store under numbers that nobody has registered goes to
// segments as it is (rawType).
type schemas struct {
	mu  sync.RWMutex
	byS map[uint64]*tableSchema
}

type tableSchema struct {
	cols map[int]rowcodec.Column
}

// rawType is the type of a column whose values are kept as rowcodec stores them.
var rawType = types.Of(types.Bytea)

func (s *schemas) init() { s.byS = map[uint64]*tableSchema{} }

// storageOf is the storage id of a space.
func storageOf(sp Space) uint64 { return binary.BigEndian.Uint64(sp[keyenc.TabletLen:]) }

// Register says which columns a table has; columns of the same table registered
// earlier stay known.
func (s *Store) Register(storageID uint64, cols []rowcodec.Column) {
	m := &s.schemas
	if old := m.of(storageID); old != nil && !slices.ContainsFunc(cols, func(c rowcodec.Column) bool { return !old.has(&c) }) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &tableSchema{cols: map[int]rowcodec.Column{}}
	old := m.byS[storageID]
	if old != nil {
		for a, c := range old.cols {
			t.cols[a] = c
		}
	}
	for _, c := range cols {
		t.cols[c.Attnum] = c
	}
	m.byS[storageID] = t
	if old == nil {
		s.merger.registered(storageID)
	}
}

// Forget drops what is known of a table that is gone.
func (s *Store) Forget(storageID uint64) {
	s.schemas.mu.Lock()
	defer s.schemas.mu.Unlock()
	delete(s.schemas.byS, storageID)
}

// of is what is known of a table, nil for nothing.
func (m *schemas) of(storageID uint64) *tableSchema {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byS[storageID]
}

// layout are the columns of a segment of rows with up to slots slots, and how rows
// are decoded for it. unknown lists the attribute numbers nobody has registered.
func (t *tableSchema) layout(slots int) (cols []segment.Column, dec []rowcodec.Column, unknown []int) {
	for a := 1; a <= slots; a++ {
		c, ok := t.cols[a]
		if !ok {
			c = rowcodec.Column{Attnum: a, T: rawType}
			unknown = append(unknown, a)
		}
		cols = append(cols, segment.Column{Attnum: a, Type: c.T})
		dec = append(dec, c)
	}
	return cols, dec, unknown
}

// has reports whether a column is known just so.
func (t *tableSchema) has(c *rowcodec.Column) bool {
	o, ok := t.cols[c.Attnum]
	if !ok || o.T != c.T || o.HasMissing != c.HasMissing || (o.Missing == nil) != (c.Missing == nil) {
		return false
	}
	return c.Missing == nil || bytes.Equal(rowcodec.AppendValue(nil, o.Missing), rowcodec.AppendValue(nil, c.Missing))
}
