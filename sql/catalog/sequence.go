package catalog

import (
	"context"
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// sequenceKey is the UpdateNow key of a sequence's state. The state (17 bytes):
// last value, log count (big endian int64 each), called (0 or 1). No value: the
// sequence is as it was created.
func sequenceKey(db, filenode types.OID) []byte {
	b := append([]byte(nil), "catalog/seq"...)
	return binary.BigEndian.AppendUint64(b, storageID(db, filenode))
}

// SequenceState is the row of a sequence relation.
type SequenceState struct {
	Last   int64
	LogCnt int64
	Called bool
}

func readSequence(q *Sequence, b []byte) SequenceState {
	if len(b) != 17 {
		return SequenceState{Last: q.Start}
	}
	return SequenceState{Last: int64(binary.BigEndian.Uint64(b)), LogCnt: int64(binary.BigEndian.Uint64(b[8:])), Called: b[16] != 0}
}

func (s SequenceState) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.Last))
	b = binary.BigEndian.AppendUint64(b, uint64(s.LogCnt))
	if s.Called {
		return append(b, 1)
	}
	return append(b, 0)
}

// SequenceState reads a sequence's state.
func (m *Manager) SequenceState(ctx context.Context, q *Sequence) (SequenceState, error) {
	b, err := m.opts.DB.ReadNow(ctx, q.StateKey)
	if err != nil {
		return SequenceState{}, err
	}
	return readSequence(q, b), nil
}

// sequenceLogged is how many values ahead PostgreSQL logs; shown as log_cnt.
const sequenceLogged = 32

// NextValues takes the next values of a sequence: q.Cache of them, fewer at the
// bound. first is the value of this nextval, last the last one reserved (equal to
// first when the cache is 1); the caller may hand out what is between, Increment
// apart. name is for errors.
func (m *Manager) NextValues(ctx context.Context, q *Sequence, name string) (first, last int64, err error) {
	err = m.opts.DB.UpdateNow(ctx, q.StateKey, func(old []byte) ([]byte, error) {
		s := readSequence(q, old)
		fetch, log := q.Cache, s.LogCnt
		result := s.Last
		rescnt := int64(0)
		if !s.Called {
			rescnt++
			fetch--
			last = result
		}
		if log < fetch || !s.Called {
			fetch += sequenceLogged
			log = fetch
		}
		if !s.Called {
			first = result
		}
		next := s.Last
		for ; fetch > 0; fetch-- {
			v, over := step(next, q.Increment)
			if over || v > q.Max || v < q.Min {
				if rescnt > 0 {
					break
				}
				if !q.Cycle {
					if q.Increment > 0 {
						return nil, pgerror.New(pgerror.SequenceGeneratorLimitExceeded, "nextval: reached maximum value of sequence %q (%d)", name, q.Max)
					}
					return nil, pgerror.New(pgerror.SequenceGeneratorLimitExceeded, "nextval: reached minimum value of sequence %q (%d)", name, q.Min)
				}
				v = q.Min
				if q.Increment < 0 {
					v = q.Max
				}
			}
			next = v
			if rescnt < q.Cache {
				log--
				rescnt++
				last = v
				if rescnt == 1 {
					first = v
				}
			}
		}
		log -= fetch // what the bound leaves out
		return SequenceState{Last: last, LogCnt: max(log, 0), Called: true}.bytes(), nil
	})
	return first, last, err
}

func step(v, inc int64) (int64, bool) {
	n := v + inc
	return n, inc > 0 && n < v || inc < 0 && n > v
}

// SetValue is setval. name is for errors.
func (m *Manager) SetValue(ctx context.Context, q *Sequence, name string, v int64, called bool) error {
	if v < q.Min || v > q.Max {
		return pgerror.New(pgerror.NumericValueOutOfRange, "setval: value %d is out of bounds for sequence %q (%d..%d)", v, name, q.Min, q.Max)
	}
	return m.opts.DB.UpdateNow(ctx, q.StateKey, func([]byte) ([]byte, error) {
		return SequenceState{Last: v, Called: called}.bytes(), nil
	})
}
