package table

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
)

// RowIDs gives hidden row ids, unique in a table across tablets and processes,
// never reused. Safe for concurrent use.
type RowIDs interface {
	// NextRowIDs reserves n ids of a table whose rows lie in tablets; the first is returned.
	NextRowIDs(ctx context.Context, storageID uint64, tablets []txn.TabletID, n int) (uint64, error)
	// ForgetRowIDs says that a table is gone.
	ForgetRowIDs(storageID uint64)
}

// ownRowIDs counts on from the highest id in the engine: the row ids of the only
// process that writes.
type ownRowIDs struct {
	shared *Shared
	mu     sync.Mutex
	next   map[uint64]*atomic.Uint64
}

func (r *ownRowIDs) NextRowIDs(_ context.Context, storageID uint64, tablets []txn.TabletID, n int) (uint64, error) {
	r.mu.Lock()
	a := r.next[storageID]
	if a == nil {
		highest, err := r.highest(storageID, tablets)
		if err != nil {
			r.mu.Unlock()
			return 0, err
		}
		a = new(atomic.Uint64)
		a.Store(highest)
		r.next[storageID] = a
	}
	r.mu.Unlock()
	return a.Add(uint64(n)) - uint64(n) + 1, nil
}

// highest finds a table's highest row id. It looks at the newest version of the
// highest key of each tablet, tombstone or not: ids are not reused while anything
// remembers them.
func (r *ownRowIDs) highest(storageID uint64, tablets []txn.TabletID) (uint64, error) {
	if r.shared.eng == nil {
		return 0, pgerror.Internal("no store at hand to find row ids in")
	}
	var highest uint64
	for _, t := range tablets {
		it, err := r.shared.eng.NewIter(engine.IterOptions{Lower: keyenc.Prefix(t, storageID), Upper: keyenc.PrefixEnd(t, storageID),
			At: engine.MaxTimestamp, Reverse: true, Tombstones: true})
		if err != nil {
			return 0, err
		}
		if it.Next() {
			if id, ok := decodeRowID(it.Key()[keyenc.PrefixLen:]); ok {
				highest = max(highest, id)
			}
		}
		if err := it.Recycle(); err != nil {
			return 0, err
		}
	}
	return highest, nil
}

func (r *ownRowIDs) ForgetRowIDs(storageID uint64) {
	r.mu.Lock()
	delete(r.next, storageID)
	r.mu.Unlock()
}

// Now is the part of txn.DB that SharedRowIDs needs.
type Now interface {
	UpdateNow(ctx context.Context, key []byte, f func(old []byte) ([]byte, error)) error
}

// SharedRowIDs are the row ids of one of several processes that write: each
// reserves chunks under the UpdateNow key "rowids/" and the storage id (8 bytes,
// big endian), whose value is the highest id reserved (8 bytes, big endian).
type SharedRowIDs struct {
	db     Now
	mu     sync.Mutex
	chunks map[uint64]*rowIDChunk
}

type rowIDChunk struct {
	mu         sync.Mutex
	next, last uint64
}

// NewSharedRowIDs reserves through db.
func NewSharedRowIDs(db Now) *SharedRowIDs {
	return &SharedRowIDs{db: db, chunks: map[uint64]*rowIDChunk{}}
}

// rowIDChunkLen is how many ids a process reserves at once.
const rowIDChunkLen = 1 << 14

func rowIDsKey(storageID uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("rowids/"), storageID)
}

// NextRowIDs implements RowIDs.
func (r *SharedRowIDs) NextRowIDs(ctx context.Context, storageID uint64, _ []txn.TabletID, n int) (uint64, error) {
	r.mu.Lock()
	c := r.chunks[storageID]
	if c == nil {
		c = &rowIDChunk{next: 1}
		r.chunks[storageID] = c
	}
	r.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next+uint64(n)-1 > c.last {
		want := uint64(max(n, rowIDChunkLen))
		err := r.db.UpdateNow(ctx, rowIDsKey(storageID), func(old []byte) ([]byte, error) {
			var used uint64
			if old != nil {
				if len(old) != 8 {
					return nil, pgerror.New(pgerror.DataCorrupted, "malformed record of row ids")
				}
				used = binary.BigEndian.Uint64(old)
			}
			c.next, c.last = used+1, used+want
			return binary.BigEndian.AppendUint64(nil, c.last), nil
		})
		if err != nil {
			c.next, c.last = 1, 0
			return 0, err
		}
	}
	first := c.next
	c.next += uint64(n)
	return first, nil
}

// ForgetRowIDs implements RowIDs. The record stays: 23 bytes, and ids are never reused.
func (r *SharedRowIDs) ForgetRowIDs(storageID uint64) {
	r.mu.Lock()
	delete(r.chunks, storageID)
	r.mu.Unlock()
}
