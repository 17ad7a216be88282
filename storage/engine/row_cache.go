package engine

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/zeebo/xxh3"
)

// rowCache keeps the newest versions of keys that point reads (Engine.Get) ask for
// again and again: a read of one searches neither memtables and levels nor segments.
//
// An entry is the newest committed version of its key, which is a value. It answers
// every read at or above its timestamp; others, and all who find none, search the store.
// It stays true because whoever changes the store tells the cache after the change is
// applied and before its timestamp is anybody's snapshot (wrote, ingested, forget): until
// then only reads below that timestamp find the old version, which is theirs. Reads at
// MaxTimestamp without the key's lock may find either, as they may in the store.
//
// A reader fills the cache with what a read at MaxTimestamp has found, unless its shard
// has heard of a write since before that read (seq): then what it has read may be old.
// Once there is no room left, keys are taken in when they are asked for a second time (seen),
// so that reads spread over a large table do not drive others out.
//
// The memory is bounded and has no pointers for the garbage collector to follow: a ring
// of bytes per shard, where the oldest entries make room for new ones. An entry is
//
//	offset  size  what
//	0       8     hash of the key
//	8       8     timestamp
//	16      4     size of the entry, a multiple of 8
//	20      4     length of the value
//	24      4     length of the key
//	28            the key, the value, unused room
type rowCache struct {
	bytesMax int // of a shard's ring; 0: nothing is kept
	seen     []atomic.Uint32
	shards   [rowShards]rowShard
}

type rowShard struct {
	mu  sync.Mutex
	seq uint64 // changes heard of
	at  map[uint64]uint32
	// Entries lie in ring[tail:head], or, when wrapped, in ring[tail:end] and ring[:head].
	ring            []byte
	head, tail, end int
	wrapped         bool
	full            bool // it has been wrapped once
}

const (
	rowShards      = 64
	rowHeaderLen   = 28
	rowRingMin     = 16 << 10
	rowCacheMax    = 256 << 20
	rowCacheShare  = 16 // of Options.MemoryBytes
	rowSeenKeys    = 1 << 18
	rowSeenKeysMin = 1 << 10
)

// init makes the cache for a store that may use so much memory.
func (c *rowCache) init(memory int64) {
	total := min(memory/rowCacheShare, rowCacheMax)
	if c.bytesMax = int(total / rowShards); c.bytesMax < rowRingMin {
		c.bytesMax = 0
		return
	}
	c.seen = make([]atomic.Uint32, max(rowSeenKeysMin, min(rowSeenKeys, total/256)))
}

// rowFill is what a reader that found nothing in the cache needs to fill it.
type rowFill struct {
	hash, seq uint64
	wanted    bool
}

func (c *rowCache) shard(hash uint64) *rowShard { return &c.shards[hash%rowShards] }

// get appends the value of key at at to buf; found is false when the cache does not know it.
func (c *rowCache) get(key []byte, at Timestamp, buf []byte) (value []byte, ts Timestamp, found bool, f rowFill) {
	if c.bytesMax == 0 {
		return nil, 0, false, f
	}
	f.hash = xxh3.Hash(key)
	s := c.shard(f.hash)
	s.mu.Lock()
	if e := s.find(f.hash, key); e != nil {
		if ts = e.timestamp(); ts <= at {
			if value = append(buf, e.value()...); value == nil {
				value = []byte{}
			}
			s.mu.Unlock()
			return value, ts, true, f
		}
		s.mu.Unlock()
		return nil, 0, false, f
	}
	f.seq, f.wanted = s.seq, !s.full
	s.mu.Unlock()
	if !f.wanted {
		seen, tag := &c.seen[f.hash/rowShards%uint64(len(c.seen))], uint32(f.hash>>32)
		if f.wanted = seen.Load() == tag; !f.wanted {
			seen.Store(tag)
		}
	}
	return nil, 0, false, f
}

// fill takes in the newest version of key, which was read after get.
func (c *rowCache) fill(f rowFill, key, value []byte, ts Timestamp) {
	s := c.shard(f.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seq == f.seq && s.find(f.hash, key) == nil {
		s.put(f.hash, key, value, ts, c.bytesMax)
	}
}

// wrote hears of a batch's representation.
func (c *rowCache) wrote(repr []byte) {
	if c.bytesMax == 0 {
		return
	}
	for r := batchrepr.Read(repr); ; {
		kind, ek, v, ok, err := r.Next()
		if !ok || err != nil {
			return // the batch was applied: it is not malformed
		}
		if kind != pebble.InternalKeyKindSet {
			continue
		}
		key, ts, versioned := DecodeKey(ek)
		if !versioned || bytes.HasPrefix(ek, localPrefix) || len(v) == 0 {
			continue
		}
		hash := xxh3.Hash(key)
		s := c.shard(hash)
		s.mu.Lock()
		s.seq++
		if e := s.find(hash, key); e != nil && e.timestamp() <= ts {
			if v[0] != kindValue {
				delete(s.at, hash)
			} else if !e.set(v[1:], ts) {
				delete(s.at, hash)
				s.put(hash, key, v[1:], ts, c.bytesMax)
			}
		}
		s.mu.Unlock()
	}
}

// ingested hears of versions of any keys.
func (c *rowCache) ingested() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.seq++
		s.at, s.ring = nil, nil
		s.head, s.tail, s.end, s.wrapped, s.full = 0, 0, 0, false, false
		s.mu.Unlock()
	}
}

// forget hears that the keys in ranges [lower, upper), which are disjoint, are gone: one pass,
// however many there are.
func (c *rowCache) forget(ranges [][2][]byte) {
	if len(ranges) == 0 {
		return
	}
	ranges = slices.SortedFunc(slices.Values(ranges), func(a, b [2][]byte) int { return bytes.Compare(a[1], b[1]) })
	gone := func(key []byte) bool {
		i, _ := slices.BinarySearchFunc(ranges, key, func(r [2][]byte, key []byte) int {
			if bytes.Compare(r[1], key) <= 0 {
				return -1
			}
			return 1
		})
		return i < len(ranges) && bytes.Compare(ranges[i][0], key) <= 0
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.seq++
		for hash, off := range s.at {
			if gone(s.entry(int(off)).key()) {
				delete(s.at, hash)
			}
		}
		s.mu.Unlock()
	}
}

// find gives the entry of key, nil for none.
func (s *rowShard) find(hash uint64, key []byte) rowEntry {
	off, ok := s.at[hash]
	if !ok {
		return nil
	}
	e := s.entry(int(off))
	if !bytes.Equal(e.key(), key) {
		return nil
	}
	return e
}

// put makes an entry, the newest; an entry of another key with the same hash is lost.
func (s *rowShard) put(hash uint64, key, value []byte, ts Timestamp, bytesMax int) {
	n := (rowHeaderLen + len(key) + len(value) + 7) &^ 7
	if n > bytesMax/4 {
		return
	}
	off := s.room(n, bytesMax)
	e := rowEntry(s.ring[off : off+n])
	binary.LittleEndian.PutUint64(e, hash)
	binary.LittleEndian.PutUint32(e[16:], uint32(n))
	binary.LittleEndian.PutUint32(e[24:], uint32(len(key)))
	copy(e[rowHeaderLen:], key)
	e.set(value, ts)
	if s.at == nil {
		s.at = map[uint64]uint32{}
	}
	s.at[hash] = uint32(off)
}

// room gives the place of a new entry of n bytes. REQUIRES: n is at most a quarter of bytesMax.
func (s *rowShard) room(n, bytesMax int) (off int) {
	for {
		switch {
		case !s.wrapped && s.head+n <= len(s.ring), s.wrapped && s.head+n <= s.tail:
			off = s.head
			s.head += n
			return off
		case !s.wrapped && len(s.ring) < bytesMax:
			ring := make([]byte, min(max(2*len(s.ring), rowRingMin), bytesMax))
			copy(ring, s.ring[:s.head])
			s.ring = ring
		case !s.wrapped:
			s.end, s.head, s.wrapped, s.full = s.head, 0, true, true
		case s.tail == s.end:
			s.tail, s.wrapped = 0, false
		default:
			e := s.entry(s.tail)
			if hash := binary.LittleEndian.Uint64(e); s.at[hash] == uint32(s.tail) {
				delete(s.at, hash)
			}
			s.tail += len(e)
		}
	}
}

// entry is the entry at a place of the ring.
func (s *rowShard) entry(off int) rowEntry {
	return rowEntry(s.ring[off : off+int(binary.LittleEndian.Uint32(s.ring[off+16:]))])
}

type rowEntry []byte

func (e rowEntry) timestamp() Timestamp { return Timestamp(binary.LittleEndian.Uint64(e[8:])) }

func (e rowEntry) key() []byte {
	return e[rowHeaderLen : rowHeaderLen+binary.LittleEndian.Uint32(e[24:])]
}

func (e rowEntry) value() []byte {
	from := rowHeaderLen + binary.LittleEndian.Uint32(e[24:])
	return e[from : from+binary.LittleEndian.Uint32(e[20:])]
}

// set replaces the version; false when there is no room for it.
func (e rowEntry) set(value []byte, ts Timestamp) bool {
	room := e[rowHeaderLen+binary.LittleEndian.Uint32(e[24:]):]
	if len(value) > len(room) {
		return false
	}
	binary.LittleEndian.PutUint64(e[8:], uint64(ts))
	binary.LittleEndian.PutUint32(e[20:], uint32(len(value)))
	copy(room, value)
	return true
}
