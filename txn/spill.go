package txn

import (
	"bytes"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/storage/engine"
)

// spilled is the part of a transaction's writes that lies in runs. Every run is
// newer than the ones before it and older than the writes in memory.
type spilled struct {
	t *transaction

	// mu guards the rest: the writer adds and cuts, readers and those who ask for
	// the transaction's locks look.
	mu   sync.Mutex
	runs []*run
	// cuts are the rolled back intervals of sequence numbers, (from, to].
	cuts []seqInterval
	get  *engine.RunIter // for single keys; nil until needed, and after a new run
}

type seqInterval struct{ from, to uint64 }

// run is one file with what answers most questions about it from memory.
type run struct {
	path         string
	first, last  []byte
	filter       bloom // of the keys; the zero filter excludes none
	minStatement uint32
}

// noStatement accepts the writes of all statements.
const noStatement = math.MaxUint32

// spillWrites moves the writes in memory to a new run, and gives the locks on
// their keys back to the lock table in the cheap form of implicit holders.
func (t *transaction) spillWrites(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return contextError(ctx)
	}
	r := &run{path: t.m.bulk.path(t.m, "run"), filter: newBloom(t.writes.len()), minStatement: math.MaxUint32}
	w, err := t.m.eng.NewRun(r.path)
	if err != nil {
		return err
	}
	err = t.writes.ascend(func(x *write) error {
		if r.first == nil {
			r.first = bytes.Clone(x.key)
		}
		r.last = append(r.last[:0], x.key...)
		r.filter.add(x.key)
		// Newest first. Of one statement only the newest write counts, unless a
		// savepoint may cut in between: keep them all.
		for ; x != nil; x = x.prev {
			r.minStatement = min(r.minStatement, x.stmt)
			if err := w.AddSpilled(&engine.Spilled{Key: x.key, Value: x.value, Statement: x.stmt, Seq: x.seq,
				Deleted: x.del, Overwrites: x.overwrites}); err != nil {
				return err
			}
		}
		return nil
	})
	if ferr := w.Finish(); err == nil {
		err = ferr
	}
	if err != nil {
		_ = t.m.eng.FS().Remove(r.path)
		return err
	}
	if err := t.addRuns([]*run{r}); err != nil {
		return err
	}
	t.dropSpilledLocks()
	t.writes.reset()
	return nil
}

// addRuns adds runs that are newer than those there are.
func (t *transaction) addRuns(runs []*run) error {
	s := t.spill.Load()
	if s == nil {
		s = &spilled{t: t}
		t.spill.Store(s)
	}
	s.mu.Lock()
	s.runs = append(s.runs, runs...)
	var err error
	if s.get != nil {
		err = s.get.Close()
		s.get = nil
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	t.m.rows.implicit.register(t)
	return nil
}

// dropSpilledLocks takes the transaction's exclusive row locks on spilled keys
// out of the lock table: the runs stand for them.
func (t *transaction) dropSpilledLocks() {
	kept := t.owner.held[:0]
	for _, h := range t.owner.held {
		if h.e.t == t.m.rows && lockMode(LockNoKeyUpdate) <= h.mode && t.writes.newest([]byte(h.e.key), noStatement) != nil && h.e.dropSole(&t.owner) {
			continue
		}
		kept = append(kept, h)
	}
	clear(t.owner.held[len(kept):])
	t.owner.held = kept
}

// dropSole removes an entry that o alone holds, in one mode, and nobody waits for.
func (e *lockEntry) dropSole(o *lockOwner) bool {
	s := e.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(e.queue) > 0 || len(e.holders) != 1 || e.holders[0].o != o || e.holders[0].mask&(e.holders[0].mask-1) != 0 {
		return false
	}
	e.holders = e.holders[:0]
	e.dropIfIdle()
	return true
}

// cut undoes the writes with sequence numbers in (from, to].
func (s *spilled) cut(from, to uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Cuts nest: one that lies in the new one has served.
	s.cuts = slices.DeleteFunc(s.cuts, func(c seqInterval) bool { return c.from >= from })
	s.cuts = append(s.cuts, seqInterval{from, to})
}

// acceptor tells whether an entry counts for a reader that sees statements before stmt.
func (s *spilled) acceptor(stmt uint32) func(e *engine.Spilled) bool {
	s.mu.Lock()
	cuts := slices.Clone(s.cuts)
	s.mu.Unlock()
	return func(e *engine.Spilled) bool {
		if stmt != noStatement && e.Statement >= stmt {
			return false
		}
		for _, c := range cuts {
			if c.from < e.Seq && e.Seq <= c.to {
				return false
			}
		}
		return true
	}
}

// paths lists the runs' files, newest first.
func (s *spilled) paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p []string
	for _, r := range slices.Backward(s.runs) {
		p = append(p, r.path)
	}
	return p
}

// newest is writeBuffer.newest over the runs.
func (s *spilled) newest(key []byte, stmt uint32) (*write, error) {
	if !s.mayHold(key, stmt) {
		return nil, nil
	}
	accept := s.acceptor(stmt)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.get == nil {
		var p []string
		for _, r := range slices.Backward(s.runs) {
			p = append(p, r.path)
		}
		var err error
		if s.get, err = s.t.m.eng.OpenRuns(p, nil, nil, false); err != nil {
			return nil, err
		}
	}
	e, err := s.get.Seek(key, accept)
	if err != nil || e == nil {
		return nil, err
	}
	return spilledWrite(e), nil
}

func spilledWrite(e *engine.Spilled) *write {
	w := &write{key: bytes.Clone(e.Key), del: e.Deleted, overwrites: e.Overwrites, stmt: e.Statement, seq: e.Seq}
	if !e.Deleted {
		w.value = append([]byte{}, e.Value...)
	}
	return w
}

// mayHold rules most keys out without touching a file.
func (s *spilled) mayHold(key []byte, stmt uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var h uint64
	hashed := false
	for _, r := range s.runs {
		if r.minStatement >= stmt || bytes.Compare(key, r.first) < 0 || bytes.Compare(key, r.last) > 0 {
			continue
		}
		if !hashed {
			h, hashed = xxh3.Hash(key), true
		}
		if r.filter.has(h) {
			return true
		}
	}
	return false
}

// discard removes the runs.
func (s *spilled) discard() {
	s.t.m.rows.implicit.unregister(s.t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.get != nil {
		_ = s.get.Close()
		s.get = nil
	}
	for _, r := range s.runs {
		// A file that stays is removed at the next start.
		_ = s.t.m.eng.FS().Remove(r.path)
	}
	s.runs = nil
}

// open walks the own writes of statements before stmt in a range: the runs, and
// over them those in memory (ascending).
func (s *spilled) open(lower, upper []byte, stmt uint32, reverse bool, memory []*write) (writeSource, error) {
	it, err := s.t.m.eng.OpenRuns(s.paths(), lower, upper, reverse)
	if err != nil {
		return nil, err
	}
	return &spilledSource{it: it, accept: s.acceptor(stmt), memory: sliceSource{writes: memory, reverse: reverse}, reverse: reverse}, nil
}

// spilledSource merges runs and memory; memory is the newer.
type spilledSource struct {
	it      *engine.RunIter
	accept  func(*engine.Spilled) bool
	memory  sliceSource
	reverse bool
	started bool
	r       *engine.Spilled
	m       *write
	w       write
}

func (s *spilledSource) next() (*write, error) {
	var err error
	if !s.started {
		s.started = true
		if s.r, err = s.it.Next(s.accept); err != nil {
			return nil, err
		}
		s.m, _ = s.memory.next()
	}
	if s.r == nil && s.m == nil {
		return nil, nil
	}
	c := 1
	switch {
	case s.r == nil:
		c = -1
	case s.m != nil:
		if c = bytes.Compare(s.m.key, s.r.Key); s.reverse {
			c = -c
		}
	}
	if c > 0 {
		s.w = write{key: append(s.w.key[:0], s.r.Key...), value: append(s.w.value[:0], s.r.Value...), del: s.r.Deleted, seq: s.r.Seq}
		s.r, err = s.it.Next(s.accept)
		return &s.w, err
	}
	w := s.m
	s.m, _ = s.memory.next()
	if c == 0 {
		s.r, err = s.it.Next(s.accept)
	}
	return w, err
}

func (s *spilledSource) close() error { return s.it.Close() }

// bloom is a Bloom filter with about ten bits to a key: under one percent of
// wrong answers.
type bloom struct {
	bits []uint64
	mask uint64
}

const bloomProbes = 6

func newBloom(keys int) bloom {
	n := uint64(16)
	for n*64 < uint64(keys)*10 {
		n *= 2
	}
	return bloom{bits: make([]uint64, n), mask: n*64 - 1}
}

func (b *bloom) add(key []byte) {
	h := xxh3.Hash(key)
	d := h>>32 | h<<32
	for range bloomProbes {
		b.bits[(h&b.mask)/64] |= 1 << (h & 63)
		h += d
	}
}

func (b *bloom) has(h uint64) bool {
	if len(b.bits) == 0 {
		return true
	}
	d := h>>32 | h<<32
	for range bloomProbes {
		if b.bits[(h&b.mask)/64]&(1<<(h&63)) == 0 {
			return false
		}
		h += d
	}
	return true
}
