package engine

import (
	"context"
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/zeebo/xxh3"
)

// Most point reads of a table that lies in segments find nothing in the engine, but
// have to search its memtables and levels to know. A presence filter knows without:
// a Bloom filter of the keys of one row space that have versions in the engine, kept
// in memory. It may name keys that are not there (any more), it never misses one.
//
// A filter is built in the background by a walk over the space's versions, once point
// reads have asked for it often enough, and kept by the commits: every batch adds its
// keys before it is applied (presence.mu is held shared from the one to the other). A
// builder first shows the commits its filter, under the exclusive lock: what was
// applied before is seen by its walk, what comes after is added by the commit itself.
// Files that are ingested end the filters, and so does growth beyond what they were
// made for; reads then do without, or with the old one, until another is built.
//
// A reader asks the filter first and pins the segments after it, for the reason that
// Columns gives.
type presence struct {
	after  int32 // reads of a space before a filter is built
	mu     sync.RWMutex
	spaces atomic.Pointer[map[[spaceLen]byte]*spacePresence]

	building sync.Mutex // one builder at a time; held while it runs
	builders sync.WaitGroup
	ctx      context.Context
	stop     context.CancelFunc
}

// presenceReads is how many point reads that had to look into the engine make a filter worth its walk.
const presenceReads = 256

// Sizes of filters, in keys: beyond the most, or what memory there is, a space has no filter, until it has been
// read so many times more as it would have keys.
const (
	presenceKeysMin = 32 << 10
	presenceKeysMax = 8 << 20
	presenceKeyBits = 16
	// presenceShare is the share of Options.MemoryBytes that all filters together take at most, on top of it.
	presenceShare = 16
)

// spacePresence is the filter of one space: the one that is read, the one being built.
type spacePresence struct {
	space     [spaceLen]byte
	cur, next atomic.Pointer[presenceFilter]
	wait      atomic.Int32 // reads before the next try
	size      atomic.Int64 // keys to make room for
}

// presenceFilter is a Bloom filter that is added to and read concurrently. Every key
// has its bits in one word.
type presenceFilter struct {
	words []atomic.Uint64
	room  int64 // keys it is made for
	keys  atomic.Int64
	ended atomic.Bool // versions came that were not added
}

func newPresenceFilter(room int64) *presenceFilter {
	return &presenceFilter{words: make([]atomic.Uint64, room*presenceKeyBits/64), room: room}
}

func (f *presenceFilter) place(hash uint64) (word *atomic.Uint64, mask uint64) {
	i, _ := bits.Mul64(hash, uint64(len(f.words)))
	// The word comes from the hash's high bits, the mask from its low ones.
	return &f.words[i], 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) | 1<<(hash>>18&63)
}

func (f *presenceFilter) add(hash uint64) {
	w, mask := f.place(hash)
	if w.Load()&mask != mask && w.Or(mask)&mask != mask {
		f.keys.Add(1)
	}
}

func (f *presenceFilter) has(hash uint64) bool {
	w, mask := f.place(hash)
	return w.Load()&mask == mask
}

func (p *presence) init(after int) {
	p.after = presenceReads
	if after > 0 {
		p.after = int32(after)
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
}

// close ends builders. The filters stay as they are.
func (p *presence) close() {
	p.stop()
	p.building.Lock() // a builder that begins after this sees that it should not
	p.building.Unlock()
	p.builders.Wait()
}

func (p *presence) of(key []byte) *spacePresence {
	m := p.spaces.Load()
	if m == nil || len(key) < spaceLen {
		return nil
	}
	return (*m)[[spaceLen]byte(key)]
}

// lacks reports whether the engine has no version of key for certain.
func (e *Engine) lacks(key []byte) bool {
	s := e.presence.of(key)
	if s == nil {
		return false
	}
	f := s.cur.Load()
	return f != nil && !f.has(xxh3.Hash(key))
}

// Lacks reports whether the engine has no version of key for certain: what there is lies in column segments.
func (e *Engine) Lacks(key []byte) bool { return e.columns != nil && e.lacks(key) }

// searched hears that a read of a key whose space has segments searched the engine.
func (p *presence) searched(e *Engine, key []byte) {
	s := p.of(key)
	if s == nil {
		s = p.enter(key)
	} else if f := s.cur.Load(); f != nil && f.keys.Load() <= f.room {
		return
	}
	if s.wait.Add(-1) > 0 || !p.building.TryLock() {
		return
	}
	if p.ctx.Err() != nil || s.wait.Load() > 0 { // it was built meanwhile
		p.building.Unlock()
		return
	}
	p.builders.Add(1)
	go func() {
		defer p.builders.Done()
		defer p.building.Unlock()
		if err := p.build(e, s); err != nil && p.ctx.Err() == nil && e.Failed() == nil {
			e.logf("could not read which keys have new versions: %v", err)
		}
	}()
}

// enter makes the entry of a key's space.
func (p *presence) enter(key []byte) *spacePresence {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.of(key); s != nil {
		return s
	}
	s := &spacePresence{space: [spaceLen]byte(key)}
	s.wait.Store(p.after)
	s.size.Store(presenceKeysMin)
	m := map[[spaceLen]byte]*spacePresence{s.space: s}
	if old := p.spaces.Load(); old != nil {
		maps.Copy(m, *old)
	}
	p.spaces.Store(&m)
	return s
}

// bytes is the memory of the filters of all spaces but one's. Only a builder adds to it.
func (p *presence) bytes(but *spacePresence) (n int64) {
	for _, s := range *p.spaces.Load() {
		if f := s.cur.Load(); f != nil && s != but {
			n += f.room * presenceKeyBits / 8
		}
	}
	return n
}

// build makes a filter of a space, larger and larger until its keys fit.
func (p *presence) build(e *Engine, s *spacePresence) error {
	for room := s.size.Load(); ; room *= 4 {
		if room > presenceKeysMax || p.bytes(s)+room*presenceKeyBits/8 > e.opts.MemoryBytes/presenceShare {
			s.cur.Store(nil)
			s.size.Store(presenceKeysMin)
			s.wait.Store(presenceKeysMax)
			return nil
		}
		f := newPresenceFilter(room)
		p.mu.Lock()
		s.next.Store(f)
		p.mu.Unlock()
		fits, err := p.fill(e, s.space[:], f)
		p.mu.Lock()
		s.next.Store(nil)
		if err != nil || f.ended.Load() {
			p.mu.Unlock()
			s.wait.Store(p.after)
			return err
		}
		if fits {
			s.cur.Store(f)
			s.size.Store(max(presenceKeysMin, min(4*f.keys.Load(), presenceKeysMax)))
			s.wait.Store(p.after)
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
	}
}

// fill adds the keys that have versions; not all fit when they leave no room to grow.
func (p *presence) fill(e *Engine, space []byte, f *presenceFilter) (fits bool, err error) {
	upper := append([]byte{}, space...)
	for i := len(upper) - 1; i >= 0; i-- {
		if upper[i]++; upper[i] != 0 {
			break
		}
	}
	v, err := e.NewVersionsIn(space, upper)
	if err != nil {
		return false, err
	}
	n := 0
	for ok := v.SeekKey(space); ok; ok = v.NextKey() {
		f.add(xxh3.Hash(v.Key()))
		if n++; n&1023 == 0 {
			if err = p.ctx.Err(); err != nil || f.keys.Load() > f.room/2 || f.ended.Load() {
				break
			}
		}
	}
	if err == nil {
		err = v.Err()
	}
	if cerr := v.Close(); err == nil {
		err = cerr
	}
	return f.keys.Load() <= f.room/2, err
}

// apply applies a batch, whose keys enter the filters first.
func (e *Engine) apply(b *pebble.Batch, o *pebble.WriteOptions) error {
	p := &e.presence
	p.mu.RLock()
	defer p.mu.RUnlock()
	if spaces := p.spaces.Load(); spaces != nil {
		if err := p.add(*spaces, b); err != nil {
			return err
		}
	}
	return e.db.Apply(b, o)
}

func (p *presence) add(spaces map[[spaceLen]byte]*spacePresence, b *pebble.Batch) error {
	var (
		space     [spaceLen]byte
		cur, next *presenceFilter
	)
	for r := b.Reader(); ; {
		kind, ek, _, ok, err := r.Next()
		if err != nil || !ok {
			return err
		}
		if kind != pebble.InternalKeyKindSet {
			continue
		}
		key, _, versioned := DecodeKey(ek)
		if !versioned || len(key) < spaceLen {
			continue
		}
		if [spaceLen]byte(key) != space {
			space, cur, next = [spaceLen]byte(key), nil, nil
			if s := spaces[space]; s != nil {
				cur, next = s.cur.Load(), s.next.Load()
			}
		}
		if cur == nil && next == nil {
			continue
		}
		h := xxh3.Hash(key)
		if cur != nil {
			cur.add(h)
		}
		if next != nil {
			next.add(h)
		}
	}
}

// ingest makes files part of the store, whose keys no filter knows.
func (e *Engine) ingest(ctx context.Context, paths []string) error {
	p := &e.presence
	p.mu.RLock()
	defer p.mu.RUnlock()
	if spaces := p.spaces.Load(); spaces != nil {
		for _, s := range *spaces {
			s.cur.Store(nil)
			if f := s.next.Load(); f != nil {
				f.ended.Store(true)
			}
		}
	}
	return e.db.Ingest(ctx, paths)
}

// forget drops the filters of spaces in [lower, upper), which are gone.
func (p *presence) forget(lower, upper []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.spaces.Load()
	if old == nil {
		return
	}
	m := make(map[[spaceLen]byte]*spacePresence, len(*old))
	for k, s := range *old {
		if string(k[:]) < string(lower) || string(k[:]) >= string(upper) {
			m[k] = s
		}
	}
	p.spaces.Store(&m)
}
