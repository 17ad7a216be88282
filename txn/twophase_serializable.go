package txn

import "math"

// SERIALIZABLE and prepared transactions. One that is prepared has passed its last check
// (serializable.prepare): it is never ended by others, so who completes a dangerous
// structure with it is ended instead. A restart keeps what it read and wrote, and not with
// whom it was in conflict: it is then taken to have a conflict in and one out, with
// transactions that have committed, and both with every other that was prepared.

// detach notes that x is no session's any more.
func (s *serializable) detach(x *sxact) {
	s.mu.Lock()
	x.pid = 0
	s.mu.Unlock()
}

// readsOf lists what x has read.
func (s *serializable) readsOf(x *sxact) (keys [][]byte, ranges spans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range x.locks.keys {
		keys = append(keys, []byte(k))
	}
	return keys, append(spans(nil), x.locks.ranges...)
}

// recover registers a transaction that was prepared when the store was last open.
func (s *serializable) recover(snapshot Timestamp, readOnly bool) *sxact {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	x := &sxact{snapshot: snapshot, readOnly: readOnly, unsafe: readOnly, prepared: s.seq, in: map[*sxact]struct{}{}, out: map[*sxact]struct{}{}}
	link := func(from, to *sxact) {
		from.out[to], to.in[from] = struct{}{}, struct{}{}
	}
	ended := func(at uint64) *sxact {
		return &sxact{committed: true, prepared: 1, ended: at, in: map[*sxact]struct{}{}, out: map[*sxact]struct{}{}}
	}
	link(ended(math.MaxUint64), x)
	link(x, ended(1))
	for o := range s.active { // all of them recovered
		link(o, x)
		link(x, o)
	}
	s.active[x] = struct{}{}
	return x
}

// noteRead and noteWrite note what a recovered transaction read and wrote.
func (s *serializable) noteRead(x *sxact, lower, upper []byte) {
	if x == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads.add(x, lower, upper)
}

func (s *serializable) noteWrite(x *sxact, key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote.add(x, key)
}

// recoverWrite notes that a recovered transaction wrote a key, or keys of a range.
func (s *serializable) recoverWrite(x *sxact, lower, upper []byte) {
	if x == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if upper == nil {
		s.wrote.add(x, lower)
	} else {
		s.wrote.addRange(x, lower, upper)
	}
}

// writesOf lists what x has written.
func (s *serializable) writesOf(x *sxact) (keys [][]byte, ranges spans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), x.writings.keys...), append(spans(nil), x.writings.ranges...)
}
