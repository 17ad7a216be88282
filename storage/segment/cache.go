package segment

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Cache keeps verified, parsed parts of all files, in the form they have on the disk.
// Files find their parts by their own slots; the cache decides what is kept. A nil Cache
// keeps nothing.
//
// What is kept. Time is counted in bytes asked for. Once the cache is full, a part that
// was missed takes the place of another only if it comes back sooner: if the time since
// it was last asked for is less than the other's. Every part of a scan that is larger than
// the cache and comes again and again comes back after the same time, so that such a
// scan keeps finding the share that fits instead of pushing out what it asks for next; one
// that is done once pushes out nothing; and what nobody asks for goes when others have
// been asked for twice. A clock, which the cache had, finds nothing in the first case.
// The other is the oldest of a few.
type Cache struct {
	shards [cacheShards]cacheShard
	asked  atomic.Int64 // bytes asked for
	shift  uint8        // of asked, to the time
	misses atomic.Uint64
}

const (
	cacheShards = 16
	// cacheSample is how many entries are looked at for the oldest.
	cacheSample = 8
)

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
	slot  *slot
	at    int // in the ring
}

// slot is where a part of a file is found while it is in the cache.
type slot struct {
	at atomic.Pointer[cached]
	// asked is the cache's time when the part was last asked for, there or not; 0: never.
	asked atomic.Uint32
}

// cachedOverhead is what an entry takes beside its bytes.
const cachedOverhead = 256

// never is how long a part takes to come back that has not been asked for before.
const never = int32(1<<31 - 1)

// NewCache makes a cache of so many bytes.
func NewCache(bytes int64) *Cache {
	// A cacheful is about a thousand units of time.
	c := &Cache{shift: uint8(max(bits.Len64(uint64(max(bytes, 0)))-10, 0))}
	c.Resize(bytes)
	return c
}

// Resize changes the size.
func (c *Cache) Resize(bytes int64) {
	now := c.now()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.limit = bytes / cacheShards
		s.room(0, now, 0)
		s.mu.Unlock()
	}
}

// CacheStats of a cache.
type CacheStats struct {
	Bytes, Limit int64
	Entries      int
	Misses       uint64
}

// Stats is the cache's state.
func (c *Cache) Stats() CacheStats {
	if c == nil {
		return CacheStats{}
	}
	st := CacheStats{Misses: c.misses.Load()}
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

// now is the time, which begins with 1 and may wrap.
func (c *Cache) now() uint32 { return uint32(c.asked.Load()>>c.shift) + 1 }

// since is the time from then to now; others may have gone on meanwhile.
func since(now, then uint32) int32 { return max(int32(now-then), 0) }

// hit notes that what is in a slot was asked for.
func (c *Cache) hit(s *slot) {
	if now := c.now(); s.asked.Load() != now {
		s.asked.Store(now)
	}
}

// pass lets time go on for bytes that were asked for and found.
func (c *Cache) pass(bytes int64) {
	if c != nil {
		c.asked.Add(bytes)
	}
}

func (c *Cache) shard(slot *slot) *cacheShard {
	return &c.shards[hashInt(uint64(uintptr(unsafe.Pointer(slot))))%cacheShards]
}

// admit notes that a part of so many bytes was asked for and not found. It reports
// whether to keep it, and has made room for it then.
func (c *Cache) admit(slot *slot, size int64) bool {
	if c == nil {
		return false
	}
	c.misses.Add(1)
	c.asked.Add(size)
	now, back := c.now(), never
	if last := slot.asked.Swap(now); last != 0 {
		back = since(now, last)
	}
	size += cachedOverhead
	s := c.shard(slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	return size <= s.limit && s.room(size, now, back)
}

// put keeps a value in a slot, unless there is one already or it is too large.
func (c *Cache) put(slot *slot, value any, size int64) {
	if c == nil {
		return
	}
	size += cachedOverhead
	now := c.now()
	s := c.shard(slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.limit {
		return
	}
	if slot.at.Load() != nil { // slots are filled under their shard's lock
		return
	}
	s.room(size, now, 0)
	x := &cached{value: value, size: size, slot: slot, at: len(s.ring)}
	slot.asked.Store(now)
	slot.at.Store(x)
	s.used += size
	s.ring = append(s.ring, x)
}

// room makes room for so many bytes of a part that comes back after a time; 0: at
// any cost. It reports whether there is room.
func (s *cacheShard) room(need int64, now uint32, back int32) bool {
	for s.used+need > s.limit && len(s.ring) > 0 {
		x, age := s.oldest(now)
		if back > 0 && (back == never || age <= back+back/8) {
			return false
		}
		x.slot.at.Store(nil)
		s.remove(x.at)
	}
	return true
}

// oldest is the entry of the next few that has not been asked for the longest.
// REQUIRES: there are entries.
func (s *cacheShard) oldest(now uint32) (old *cached, age int32) {
	for range min(cacheSample, len(s.ring)) {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		x := s.ring[s.hand]
		s.hand++
		if a := since(now, x.slot.asked.Load()); old == nil || a > age {
			old, age = x, a
		}
	}
	return old, age
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
func (c *Cache) drop(slots []slot) {
	if c == nil {
		return
	}
	for i := range slots {
		slot := &slots[i]
		if slot.at.Load() == nil {
			continue
		}
		s := c.shard(slot)
		s.mu.Lock()
		if x := slot.at.Load(); x != nil {
			slot.at.Store(nil)
			s.remove(x.at)
		}
		s.mu.Unlock()
	}
}
