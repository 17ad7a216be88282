package txn

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// serials are the SERIALIZABLE transactions of coordinators, at the first node.
// Guarded by OracleService.serialMu, which comes before serializable.mu.
type serials struct {
	open map[serialKey]*serial
	// ending have committed at timestamps that were perhaps not visible yet.
	ending []*serial
	// ended were rolled back before they were heard of.
	ended recent[serialKey]
}

type serialKey struct {
	gateway NodeID
	number  uint64
}

// serial is one of them.
type serial struct {
	key serialKey
	x   *sxact
	ts  Timestamp // of its commit; 0: not begun
}

var _ Serializer = (*OracleService)(nil)

// serialLost is the report for a transaction that is not known any more.
func serialLost() error {
	return pgerror.New(pgerror.SerializationFailure, "could not serialize access: the first node of the cluster knows nothing of the transaction any more").
		WithDetail("The first node has restarted since it began, or its gateway was without contact.").WithHint("The transaction might succeed if retried.")
}

func (k SerialTxn) key() serialKey { return serialKey{k.Gateway, k.Number} }

// BeginSerializable implements Serializer.
func (s *OracleService) BeginSerializable(ctx context.Context, x SerialTxn, id ID, opts Options) (info SnapshotInfo, watched bool, err error) {
	s.SweepSerializable()
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	k := x.key()
	if s.serials.ended.has(k) || k.number == 0 || s.serials.open[k] != nil {
		return SnapshotInfo{}, false, serialLost()
	}
	sx := s.m.ssi.begin(id, opts, func() Timestamp {
		info, err = s.Snapshot(ctx)
		return info.Snapshot
	})
	if err != nil || sx == nil {
		if sx != nil {
			s.m.ssi.end(sx, false)
		}
		return info, false, err
	}
	s.serials.open[k] = &serial{key: k, x: sx}
	return info, true, nil
}

// serial finds a transaction that goes on. REQUIRES: serialMu held.
func (s *OracleService) serial(x SerialTxn) (*serial, error) {
	if t := s.serials.open[x.key()]; t != nil && t.ts == 0 && x.Epoch == s.epoch {
		return t, nil
	}
	return nil, serialLost()
}

// Note implements Serializer.
func (s *OracleService) Note(_ context.Context, x SerialTxn, notes []Note) (safe bool, err error) {
	s.serialMu.Lock()
	t, err := s.serial(x)
	s.serialMu.Unlock()
	if err != nil {
		return false, err
	}
	return s.m.ssi.note(t.x, notes)
}

// note takes notes of x, which may meanwhile have ended. After an error the others are
// taken all the same: the transaction may go on after a savepoint.
func (s *serializable) note(x *sxact, notes []Note) (safe bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.prepared != 0 || x.ended != 0 {
		return false, serialLost()
	}
	for _, n := range notes {
		var bad error
		switch n.Kind {
		case NoteRead:
			bad = s.readLocked(x, n.Lower, n.Upper)
		case NoteWrite, NoteTouch:
			bad = s.writeLocked(x, n.Lower, n.Kind == NoteWrite)
		default:
			bad = pgerror.New(pgerror.ProtocolViolation, "unknown kind of note %d", n.Kind)
		}
		if err == nil {
			err = bad
		}
	}
	return x.safe(), err
}

// prepareSerial is the last check before a commit with a timestamp, which draw draws.
// A commit that has been prepared is ended by Settle.
func (s *OracleService) prepareSerial(x SerialTxn, notes []Note, draw func(t *serial) (Timestamp, error)) error {
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	t, err := s.serial(x)
	if err != nil {
		return err
	}
	if _, err := s.m.ssi.note(t.x, notes); err != nil {
		return err
	}
	if !mutantNoSerialPrepare {
		if err := s.m.ssi.prepare(t.x); err != nil {
			return err
		}
	}
	if t.ts, err = draw(t); err != nil {
		return err
	}
	s.m.ssi.stamped(t.x, t.ts)
	return nil
}

// settleSerial ends a transaction whose commit has been settled: at once if it was
// rolled back, else when its commit is visible, as SweepSerializable finds. Nil is none.
func (s *OracleService) settleSerial(t *serial, committed bool) {
	if t == nil {
		return
	}
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	if committed {
		s.serials.ending = append(s.serials.ending, t)
		return
	}
	delete(s.serials.open, t.key)
	s.m.ssi.end(t.x, false)
}

// SweepSerializable ends the transactions whose commits have become visible.
func (s *OracleService) SweepSerializable() {
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	if len(s.serials.ending) == 0 {
		return
	}
	at := s.m.oracle.fresh()
	kept := s.serials.ending[:0]
	for _, t := range s.serials.ending {
		if t.ts > at {
			kept = append(kept, t)
			continue
		}
		delete(s.serials.open, t.key)
		s.m.ssi.end(t.x, true)
	}
	clear(s.serials.ending[len(kept):])
	s.serials.ending = kept
}

// EndSerializable implements Serializer.
func (s *OracleService) EndSerializable(_ context.Context, x SerialTxn, notes []Note, commit bool) error {
	if !commit {
		s.abandonSerial(x.key())
		return nil
	}
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	k := x.key()
	t, err := s.serial(x)
	if err != nil {
		return err
	}
	if _, err := s.m.ssi.note(t.x, notes); err != nil {
		return err
	}
	if !mutantNoSerialPrepare {
		if err := s.m.ssi.prepare(t.x); err != nil {
			return err
		}
	}
	delete(s.serials.open, k)
	s.m.ssi.end(t.x, true)
	return nil
}

// abandonSerial ends a transaction that is rolled back, its commit included when the
// gateway has not heard of the timestamp.
func (s *OracleService) abandonSerial(k serialKey) {
	s.serialMu.Lock()
	t := s.serials.open[k]
	if t == nil {
		s.serials.ended.add(k)
	} else if t.ts == 0 {
		delete(s.serials.open, k)
		s.m.ssi.end(t.x, false)
	}
	s.serialMu.Unlock()
	if t != nil && t.ts != 0 {
		s.Settle(t.ts, false)
	}
}

// endSerialsOf ends those of a dead gateway that have not begun to commit.
func (s *OracleService) endSerialsOf(gateway NodeID) {
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	for k, t := range s.serials.open {
		if k.gateway == gateway && t.ts == 0 {
			delete(s.serials.open, k)
			s.m.ssi.end(t.x, false)
		}
	}
}

// AwaitSafe implements Serializer.
func (s *OracleService) AwaitSafe(ctx context.Context, x SerialTxn) (safe bool, err error) {
	s.serialMu.Lock()
	t, err := s.serial(x)
	s.serialMu.Unlock()
	if err != nil {
		return false, err
	}
	if t.x.decided == nil {
		return false, pgerror.Internal("a transaction that writes waits to be safe")
	}
	return s.m.ssi.await(ctx, t.x)
}

// SafeSnapshotBlockers implements Serializer.
func (s *OracleService) SafeSnapshotBlockers(_ context.Context, pid int32) ([]int32, error) {
	return s.m.ssi.safeSnapshotBlockers(pid), nil
}

// Watched is how many transactions of coordinators are known.
func (s *OracleService) Watched() int {
	s.SweepSerializable()
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	return len(s.serials.open)
}
