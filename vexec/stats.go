package vexec

import (
	"sync"
	"time"
)

// Stats collects what the operators of one statement did, by planpb.Plan.id.
// Safe for concurrent use; the workers of a Gather add into the same counters.
type Stats struct {
	// Timing makes operators read the clock around every batch.
	Timing bool

	mu  sync.Mutex
	ops map[uint32]*OpStats
}

// OpStats are the counters of one operator. Time includes its inputs.
type OpStats struct {
	Loops      int64 // times it was started (per worker, per rescan)
	Rows       int64 // rows delivered, all loops together
	Batches    int64
	Startup    time.Duration // until the first batch, all loops together
	Total      time.Duration
	MemoryPeak int64 // bytes
	SpillBytes int64
	SpillFiles int64
	// RowsRemoved counts rows that the operator's filter (Filter, Scan, join residual) dropped.
	RowsRemoved int64
	// JoinRemoved counts rows that a scan dropped because a hash join above it has no such key.
	JoinRemoved int64
	// HashBuckets, HashBatches and SortMethod describe hash and sort operators.
	HashBuckets int64
	HashBatches int64
	SortMethod  string
	// Workers counts the workers a Gather launched.
	Workers int64
}

// NewStats makes an empty collection.
func NewStats(timing bool) *Stats { return &Stats{Timing: timing, ops: map[uint32]*OpStats{}} }

// Op gives a copy of an operator's counters; ok is false when it never started.
func (s *Stats) Op(id uint32) (OpStats, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.ops[id]
	if !ok {
		return OpStats{}, false
	}
	return *o, true
}

// update changes an operator's counters under the lock.
func (s *Stats) update(id uint32, f func(*OpStats)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ops[id]
	if o == nil {
		o = &OpStats{}
		s.ops[id] = o
	}
	f(o)
}

// Add adds the counters of an operator that ran elsewhere.
func (s *Stats) Add(id uint32, a OpStats) {
	s.update(id, func(o *OpStats) {
		o.Loops += a.Loops
		o.Rows += a.Rows
		o.Batches += a.Batches
		o.Startup = max(o.Startup, a.Startup)
		o.Total = max(o.Total, a.Total)
		o.MemoryPeak = max(o.MemoryPeak, a.MemoryPeak)
		o.SpillBytes += a.SpillBytes
		o.SpillFiles += a.SpillFiles
		o.RowsRemoved += a.RowsRemoved
		o.JoinRemoved += a.JoinRemoved
		o.HashBuckets += a.HashBuckets
		o.HashBatches = max(o.HashBatches, a.HashBatches)
		o.Workers = max(o.Workers, a.Workers)
		if a.SortMethod != "" {
			o.SortMethod = a.SortMethod
		}
	})
}

// Each calls f with the counters of every operator that was started, in no order.
func (s *Stats) Each(f func(id uint32, o OpStats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, o := range s.ops {
		f(id, *o)
	}
}
