package txn

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// SERIALIZABLE is snapshot isolation that watches what could go wrong with it
// (Cahill, Röhm, Fekete: "Serializable Isolation for Snapshot Databases", 2008; Ports,
// Grittner: "Serializable Snapshot Isolation in PostgreSQL", 2012).
//
// A transaction T1 that reads what a concurrent T2 changes, without seeing the
// change, must come before T2 in any serial order: an rw-conflict T1 → T2. Every
// anomaly has two in a row, T1 → T2 → T3, where T3 commits first of the three. Of such
// a structure one transaction is ended with 40001, by PostgreSQL's rules: the pivot T2
// where it is still possible, and whoever acts where not.
//
// Reads are noted before they are done, as keys and key ranges
// (predicate_locks.go), index ranges included, so that rows which come later are
// met; writes are noted when they are made. Whichever of the two comes second finds the
// conflict. Notes outlive their transaction until nobody is left who ran beside it.
//
// A read only transaction is safe when no read-write transaction that ran when it
// began has committed with a conflict out to one that committed before it began:
// then it can be in no anomaly, and its reads are not noted. DEFERRABLE waits for that.
//
// All state is behind one latch. Only SERIALIZABLE transactions take it.
type serializable struct {
	mu  sync.Mutex
	seq uint64 // orders beginnings, preparations and ends
	// active have a snapshot and have not ended. finished have committed and ran
	// beside one that is active, oldest first.
	active   map[*sxact]struct{}
	finished []*sxact
	// old stands for finished transactions that were too many to keep apart.
	old   *sxact
	reads predicateLocks
	wrote writeNotes
}

// sxact is what SERIALIZABLE knows of a transaction. Guarded by serializable.mu.
type sxact struct {
	id       ID
	pid      int32
	snapshot Timestamp
	readOnly bool
	began    uint64
	// prepared and ended are sequence numbers, 0 for not yet; commitTS is 0 until the
	// timestamp is known, or when nothing was written.
	prepared, ended uint64
	committed       bool
	commitTS        Timestamp
	doomed          bool
	// in read what this one changed unseen, out changed what this one read.
	in, out map[*sxact]struct{}
	// conflictOut: it has committed, after one of its out had.
	conflictOut bool
	// firstOut is the least preparation among the out that had committed when this one did.
	firstOut uint64

	// A read only transaction waits for those that could make it unsafe.
	unsafeBy map[*sxact]struct{}
	unsafe   bool
	decided  chan struct{} // closed when it is safe or unsafe
	awaiting bool          // DEFERRABLE: it waits for decided

	locks    heldPredicates
	writings writtenKeys
}

// finishedMax bounds the finished transactions kept apart.
const finishedMax = 8192

func (s *serializable) init() {
	s.active = map[*sxact]struct{}{}
	s.reads.init()
	s.wrote.init()
}

// begin registers a transaction together with its snapshot, which it has taken. It
// gives nil for a transaction that is safe from the start.
func (s *serializable) begin(id ID, opts Options, snapshot func() Timestamp) *sxact {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &sxact{id: id, pid: opts.ProcessID, snapshot: snapshot(), readOnly: opts.ReadOnly, began: s.seq}
	if x.readOnly {
		x.unsafeBy = map[*sxact]struct{}{}
		for a := range s.active {
			if !a.readOnly {
				x.unsafeBy[a] = struct{}{}
			}
		}
		if len(x.unsafeBy) == 0 {
			return nil
		}
		x.decided = make(chan struct{})
	}
	s.active[x] = struct{}{}
	return x
}

// failure is PostgreSQL's report; reason is the code in its detail.
func failure(reason string) error {
	return pgerror.New(pgerror.SerializationFailure, "could not serialize access due to read/write dependencies among transactions").
		WithDetail("Reason code: Canceled on %s.", reason).WithHint("The transaction might succeed if retried.")
}

// safe: it cannot take part in an anomaly, so what it reads does not matter.
func (x *sxact) safe() bool { return x.readOnly && !x.unsafe && len(x.unsafeBy) == 0 }

// sees tells whether w's writes are in x's snapshot.
func (x *sxact) sees(w *sxact) bool { return w.commitTS != 0 && w.commitTS <= x.snapshot }

// read notes a read of the keys in [lower, upper), or of the key lower when upper
// is nil, before it is done.
func (s *serializable) read(x *sxact, lower, upper []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readLocked(x, lower, upper)
}

func (s *serializable) readLocked(x *sxact, lower, upper []byte) error {
	if x.safe() {
		return nil
	}
	if x.doomed {
		return failure("identification as a pivot, during conflict out checking")
	}
	s.reads.add(x, lower, upper)
	return s.wrote.each(lower, upper, func(w *sxact) error { return s.readAround(x, w) })
}

// readAround: x reads what w has changed or is about to.
func (s *serializable) readAround(x, w *sxact) error {
	if w == x || w.doomed || x.sees(w) {
		return nil
	}
	if x.readOnly && w.committed && (!w.conflictOut || w.firstOut > x.began) {
		return nil
	}
	return s.conflict(x, w, x)
}

// write notes a write of key. Without keep it only looks at who has read it.
func (s *serializable) write(x *sxact, key []byte, keep bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeLocked(x, key, keep)
}

func (s *serializable) writeLocked(x *sxact, key []byte, keep bool) error {
	if x.doomed {
		return failure("identification as a pivot, during conflict in checking")
	}
	if keep {
		s.wrote.add(x, key)
	}
	writers := s.wrote.of(key)
	return s.reads.each(key, func(r *sxact) error {
		if r == x || r.doomed || r.committed && r.ended <= x.began {
			return nil
		}
		// What r read is not what x replaces when somebody whom x sees and r does not
		// has replaced it before: r's conflict is with him.
		for _, w := range writers {
			if w != r && x.sees(w) && !r.sees(w) {
				return nil
			}
		}
		return s.conflict(r, x, x)
	})
}

// conflict notes reader → writer, one of which is me, unless that completes a
// dangerous structure that only ending me can break.
func (s *serializable) conflict(reader, writer, me *sxact) error {
	if _, ok := reader.out[writer]; ok {
		return nil
	}
	if s.dangerous(reader, writer) {
		switch {
		case me == writer:
			return failure("identification as a pivot, during write")
		case writer.prepared != 0:
			return failure("conflict out to pivot, during read")
		}
		writer.doomed = true
	}
	if reader.out == nil {
		reader.out = map[*sxact]struct{}{}
	}
	if writer.in == nil {
		writer.in = map[*sxact]struct{}{}
	}
	reader.out[writer] = struct{}{}
	writer.in[reader] = struct{}{}
	return nil
}

// dangerous tells whether reader → writer completes a structure whose last
// transaction commits first.
func (s *serializable) dangerous(reader, writer *sxact) bool {
	// The writer is the pivot and has committed after the last one did.
	if writer.committed && writer.conflictOut && (!reader.readOnly || writer.firstOut <= reader.began) {
		return true
	}
	// The writer is the pivot: reader → writer → last.
	for last := range writer.out {
		if last.prepared != 0 &&
			(!reader.committed || last.prepared <= reader.ended) &&
			(!writer.committed || last.prepared <= writer.ended) &&
			(!reader.readOnly || last.prepared <= reader.began) {
			return true
		}
	}
	// The reader is the pivot: first → reader → writer.
	if writer.prepared == 0 || reader.readOnly {
		return false
	}
	for first := range reader.in {
		if !first.doomed &&
			(!first.committed || first.ended >= writer.prepared) &&
			(!first.readOnly || first.began >= writer.prepared) {
			return true
		}
	}
	return false
}

// prepare is the last check before a commit, after which x is not ended by others.
// Where x is the last of a structure that has not committed yet, the pivot must not
// commit after it.
func (s *serializable) prepare(x *sxact) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.doomed {
		return failure("identification as a pivot, during commit attempt")
	}
	for pivot := range x.in {
		if pivot.committed || pivot.doomed {
			continue
		}
		for first := range pivot.in {
			if first == x || !first.committed && !first.readOnly && !first.doomed {
				if pivot.prepared != 0 {
					return failure("commit attempt with conflict in from prepared pivot")
				}
				pivot.doomed = true
				break
			}
		}
	}
	s.seq++
	x.prepared = s.seq
	return nil
}

// stamped tells the timestamp of a commit before anybody can see it.
func (s *serializable) stamped(x *sxact, ts Timestamp) {
	s.mu.Lock()
	x.commitTS = ts
	s.mu.Unlock()
}

// end takes a transaction from the active ones.
func (s *serializable) end(x *sxact, committed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.active[x]; !ok {
		return
	}
	delete(s.active, x)
	s.seq++
	x.ended, x.committed = s.seq, committed
	if committed {
		for w := range x.out {
			if w.committed && (x.firstOut == 0 || w.prepared < x.firstOut) {
				x.conflictOut, x.firstOut = true, w.prepared
			}
		}
		for r := range x.in { // a reader that has ended cannot become a pivot by it any more
			if r.committed || r.readOnly && r.safe() {
				delete(x.in, r)
				delete(r.out, x)
			}
		}
		s.finished = append(s.finished, x)
	} else {
		x.doomed = true
		s.forget(x)
	}
	for r := range s.active {
		if _, ok := r.unsafeBy[x]; !ok {
			continue
		}
		delete(r.unsafeBy, x)
		if committed && x.conflictOut && x.firstOut <= r.began && !r.unsafe {
			r.unsafe, r.unsafeBy = true, nil
			close(r.decided)
		} else if len(r.unsafeBy) == 0 {
			s.forget(r)
			close(r.decided)
		}
	}
	s.clean()
}

// clean forgets finished transactions that ran beside nobody who is active, and
// merges the oldest when there are too many.
func (s *serializable) clean() {
	oldest := s.seq
	for a := range s.active {
		if !a.safe() {
			oldest = min(oldest, a.began)
		}
	}
	n := 0
	for n < len(s.finished) && s.finished[n].ended <= oldest {
		s.forget(s.finished[n])
		n++
	}
	if s.old != nil && s.old.ended <= oldest {
		s.forget(s.old)
		s.old = nil
	}
	for len(s.finished)-n > finishedMax {
		s.merge(s.finished[n])
		n++
	}
	if n > 0 {
		clear(s.finished[:n])
		s.finished = s.finished[n:]
	}
}

// merge lets old stand for x: what x read and wrote, as ended as x.
func (s *serializable) merge(x *sxact) {
	if s.old == nil {
		s.old = &sxact{committed: true, prepared: x.prepared, firstOut: x.firstOut}
	}
	o := s.old
	o.ended = x.ended
	o.commitTS = max(o.commitTS, x.commitTS)
	if x.conflictOut {
		o.conflictOut = true
		if o.firstOut == 0 || x.firstOut < o.firstOut {
			o.firstOut = x.firstOut
		}
	}
	link := func(from, to *sxact) {
		if from == to {
			return
		}
		if from.out == nil {
			from.out = map[*sxact]struct{}{}
		}
		if to.in == nil {
			to.in = map[*sxact]struct{}{}
		}
		from.out[to], to.in[from] = struct{}{}, struct{}{}
	}
	for r := range x.in {
		link(r, o)
	}
	for w := range x.out {
		link(o, w)
	}
	s.reads.move(x, o)
	s.wrote.move(x, o)
	s.forget(x)
}

// forget removes every trace of a transaction.
func (s *serializable) forget(x *sxact) {
	for w := range x.out {
		delete(w.in, x)
	}
	for r := range x.in {
		delete(r.out, x)
	}
	x.in, x.out = nil, nil
	s.reads.remove(x)
	s.wrote.remove(x)
}

// await waits until it is decided whether a read only transaction is safe.
func (s *serializable) await(ctx context.Context, x *sxact) (safe bool, err error) {
	s.mu.Lock()
	x.awaiting = true
	s.mu.Unlock()
	select {
	case <-x.decided:
	case <-ctx.Done():
		err = contextError(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x.awaiting = false
	return x.safe(), err
}

// safeSnapshotBlockers are the processes that a DEFERRABLE transaction of pid waits for.
func (s *serializable) safeSnapshotBlockers(pid int32) []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int32
	for x := range s.active {
		if x.pid == pid && x.awaiting {
			for b := range x.unsafeBy {
				out = append(out, b.pid)
			}
		}
	}
	return out
}
