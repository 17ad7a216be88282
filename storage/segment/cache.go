package segment

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// Cache keeps verified, parsed blocks of all files, in the form they have on the
// disk. Files find their blocks by their own slots; the cache decides what goes (a
// clock in every shard). A nil Cache keeps nothing.
type Cache struct {
	shards [cacheShards]cacheShard
	hits   atomic.Uint64
	misses atomic.Uint64
}

const cacheShards = 16

type cacheShard struct {
	mu    sync.Mutex
	limit int64
	used  int64
	ring  []*cached
	hand  int
}

// cached is a block, dictionary, … in the cache.
type cached struct {
	value any
	size  int64
	used  atomic.Bool // since the hand passed
	slot  *atomic.Pointer[cached]
	at    int // in the ring
}

// cachedOverhead is what an entry takes beside its bytes.
const cachedOverhead = 256

// NewCache makes a cache of so many bytes.
func NewCache(bytes int64) *Cache {
	c := &Cache{}
	c.Resize(bytes)
	return c
}

// Resize changes the size.
func (c *Cache) Resize(bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.limit = bytes / cacheShards
		s.evict(0)
		s.mu.Unlock()
	}
}

// CacheStats of a cache.
type CacheStats struct {
	Bytes, Limit int64
	Entries      int
	Hits, Misses uint64
}

// Stats is the cache's state.
func (c *Cache) Stats() CacheStats {
	if c == nil {
		return CacheStats{}
	}
	st := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Bytes += s.used
		st.Limit += s.limit
		st.Entries += len(s.ring)
		s.mu.Unlock()
	}
	return st
}

func (c *Cache) shard(slot *atomic.Pointer[cached]) *cacheShard {
	return &c.shards[hashInt(uint64(uintptr(unsafe.Pointer(slot))))%cacheShards]
}

// put keeps a value in a slot, unless there is one already or it is too large.
func (c *Cache) put(slot *atomic.Pointer[cached], value any, size int64) {
	if c == nil {
		return
	}
	size += cachedOverhead
	s := c.shard(slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.limit {
		return
	}
	s.evict(size)
	x := &cached{value: value, size: size, slot: slot}
	if !slot.CompareAndSwap(nil, x) {
		return
	}
	s.used += size
	x.at = len(s.ring)
	s.ring = append(s.ring, x)
}

// evict makes room for so many bytes.
func (s *cacheShard) evict(need int64) {
	for s.used+need > s.limit && len(s.ring) > 0 {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		x := s.ring[s.hand]
		if x.used.Swap(false) {
			s.hand++
			continue
		}
		x.slot.Store(nil)
		s.remove(s.hand)
	}
}

func (s *cacheShard) remove(i int) {
	s.used -= s.ring[i].size
	last := len(s.ring) - 1
	s.ring[i] = s.ring[last]
	s.ring[i].at = i
	s.ring[last] = nil
	s.ring = s.ring[:last]
}

// drop removes what is in the slots. REQUIRES: nobody puts to them any more.
func (c *Cache) drop(slots []atomic.Pointer[cached]) {
	if c == nil {
		return
	}
	for i := range slots {
		slot := &slots[i]
		if slot.Load() == nil {
			continue
		}
		s := c.shard(slot)
		s.mu.Lock()
		if x := slot.Load(); x != nil {
			slot.Store(nil)
			s.remove(x.at)
		}
		s.mu.Unlock()
	}
}
