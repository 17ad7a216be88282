package txn

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// counter hands out ascending numbers whose upper bound is durable before use, so
// that none is handed out twice, restarts included. Its local record is 8 bytes,
// little endian: every number handed out so far is below it or equal. The bound is
// raised in the background when half of a chunk is used, so that nobody waits for the
// disk who needs a number. Calls must not overlap.
type counter struct {
	eng   *engine.Engine
	name  []byte
	chunk uint64
	last  uint64        // handed out last
	bound atomic.Uint64 // durable

	raising atomic.Bool // in the background
	writing sync.Mutex  // held while the record is written
	work    sync.WaitGroup
}

func openCounter(eng *engine.Engine, name string, chunk uint64) (*counter, error) {
	c := &counter{eng: eng, name: []byte(name), chunk: chunk}
	v, ok, err := eng.LocalGet(c.name)
	if err != nil {
		return nil, err
	}
	if ok {
		if len(v) != 8 {
			return nil, pgerror.New(pgerror.DataCorrupted, "malformed counter record %q", name)
		}
		c.last = binary.LittleEndian.Uint64(v)
	}
	c.bound.Store(c.last)
	return c, nil
}

// next is the next number.
func (c *counter) next() (uint64, error) {
	if err := c.reserve(c.last + 1); err != nil {
		return 0, err
	}
	c.last++
	return c.last, nil
}

// reserve makes the bound cover n.
func (c *counter) reserve(n uint64) error {
	bound := c.bound.Load()
	if n > bound {
		return c.raise(n, n)
	}
	if bound-n < c.chunk/2 && c.raising.CompareAndSwap(false, true) {
		c.work.Go(func() {
			defer c.raising.Store(false)
			_ = c.raise(n, bound+1) // what fails here fails again for who needs it
		})
	}
	return nil
}

// raise makes the bound a chunk above n, unless it covers least already.
func (c *counter) raise(n, least uint64) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if least <= c.bound.Load() {
		return nil
	}
	if n > math.MaxUint64>>1 {
		return pgerror.New(pgerror.InsufficientResources, "counter %q is exhausted", c.name)
	}
	bound := n + c.chunk
	if err := c.eng.LocalSet(c.name, binary.LittleEndian.AppendUint64(nil, bound), true); err != nil {
		return err
	}
	c.bound.Store(bound)
	return nil
}

// close waits for work in the background.
func (c *counter) close() { c.work.Wait() }

// oracle gives commit timestamps and knows which of them are visible. The
// watermark is the newest timestamp at or below which every commit is applied:
// a snapshot is the watermark, and a commit is acknowledged when the watermark
// has reached it.
type oracle struct {
	mu        sync.Mutex
	ts        *counter
	watermark Timestamp
	// inflight are the commits not yet visible, ascending.
	inflight []*commitSlot
	snaps    snapshotList
	// clustered: the horizon is no newer than limit (see clustered.go).
	clustered bool
	limit     Timestamp
	// held are the horizons of merges that run (columns.go).
	held []Timestamp
}

// commitSlot is one commit between its timestamp and its visibility.
type commitSlot struct {
	ts      Timestamp
	done    bool
	visible chan struct{} // made when somebody waits
}

// begin gives the next commit timestamp.
func (o *oracle) begin() (*commitSlot, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.beginLocked()
}

func (o *oracle) beginLocked() (*commitSlot, error) {
	ts, err := o.ts.next()
	if err != nil {
		return nil, err
	}
	s := &commitSlot{ts: Timestamp(ts)}
	o.inflight = append(o.inflight, s)
	return s, nil
}

// beginPair is begin for a commit that needs two timestamps, the slot's and the one
// below it. Nobody gets the latter as a snapshot: the watermark goes from slot to slot.
func (o *oracle) beginPair() (*commitSlot, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.ts.next(); err != nil {
		return nil, err
	}
	return o.beginLocked()
}

// reserveAhead gives a timestamp far above the present ones without taking it:
// a bulk commit writes its files with it while others go on committing below.
func (o *oracle) reserveAhead() (Timestamp, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ts := o.ts.last + aheadGap
	return Timestamp(ts), o.ts.reserve(ts)
}

// aheadGap is how many commits may pass while one bulk commit is being written.
const aheadGap = 1 << 32

// beginAt takes a timestamp of reserveAhead, and the one below it as beginPair does;
// false when they are no longer above the others.
func (o *oracle) beginAt(ts Timestamp) (*commitSlot, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if uint64(ts)-1 <= o.ts.last {
		return nil, false
	}
	o.ts.last = uint64(ts)
	s := &commitSlot{ts: ts}
	o.inflight = append(o.inflight, s)
	return s, true
}

// finish marks a commit applied (or abandoned) and waits until it is visible.
func (o *oracle) finish(s *commitSlot) {
	if visible := o.applied(s); visible != nil && !mutantEarlyAcknowledge {
		<-visible
	}
}

// applied notes that a commit is applied, or came to nothing. The channel is closed when every commit
// before it is too; nil: they are.
func (o *oracle) applied(s *commitSlot) <-chan struct{} {
	o.mu.Lock()
	s.done = true
	for len(o.inflight) > 0 && o.inflight[0].done {
		head := o.inflight[0]
		o.inflight[0] = nil
		o.inflight = o.inflight[1:]
		o.watermark = head.ts
		if head.visible != nil {
			close(head.visible)
		}
	}
	if o.watermark < s.ts {
		s.visible = make(chan struct{})
	}
	visible := s.visible
	o.mu.Unlock()
	return visible
}

// fresh is the watermark.
func (o *oracle) fresh() Timestamp {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.watermark
}

// pin takes a snapshot at the watermark and keeps it from the garbage collector.
func (o *oracle) pin() *snapshot {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.snaps.pin(o.watermark)
}

// repin adds a reference to a snapshot that is held.
func (o *oracle) repin(s *snapshot) {
	o.mu.Lock()
	s.refs++
	o.mu.Unlock()
}

// unpin drops a reference.
func (o *oracle) unpin(s *snapshot) {
	o.mu.Lock()
	o.snaps.unpin(s)
	o.mu.Unlock()
}

// horizon is the oldest timestamp anybody reads at.
func (o *oracle) horizon() Timestamp {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.horizonLocked()
}

// horizonLocked is horizon. REQUIRES: mu held.
func (o *oracle) horizonLocked() Timestamp {
	h := o.watermark
	if o.clustered {
		h = o.limit
	}
	if s := o.snaps.head; s != nil {
		h = min(h, s.ts)
	}
	for _, ts := range o.held {
		h = min(h, ts)
	}
	return h
}

// snapshot is a read timestamp in use; equal ones share it.
type snapshot struct {
	ts         Timestamp
	refs       int
	prev, next *snapshot
}

// snapshotList holds the live snapshots, oldest first. New ones come at the
// tail, since the watermark never falls.
type snapshotList struct{ head, tail *snapshot }

func (l *snapshotList) pin(ts Timestamp) *snapshot {
	if mutantSharedSnapshot && l.tail != nil {
		ts = l.tail.ts
	}
	if l.tail != nil && l.tail.ts == ts {
		l.tail.refs++
		return l.tail
	}
	s := &snapshot{ts: ts, refs: 1, prev: l.tail}
	if l.tail != nil {
		l.tail.next = s
	} else {
		l.head = s
	}
	l.tail = s
	return s
}

func (l *snapshotList) unpin(s *snapshot) {
	if s.refs--; s.refs > 0 {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		l.head = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		l.tail = s.prev
	}
}
