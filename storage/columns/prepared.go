package columns

import (
	"bytes"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Provisional segments of prepared transactions outlive the process: directory records of
// a kind of their own keep their files. The transaction writes the records together with
// its own (PreparedRecords), its commit replaces them by those of loose segments
// (AddLoose), its rollback deletes them (Unprepare). After a start they wait for it
// (TakePrepared).

// PreparedRecords are the directory records that keep provisional segments across a
// restart, ascending by key.
func (s *Store) PreparedRecords(segs []*Segment) []LocalRecord {
	out := make([]LocalRecord, 0, len(segs))
	for _, g := range segs {
		out = append(out, LocalRecord{recordKey(g.number), g.record(kindPrepared).encode()})
	}
	slices.SortFunc(out, func(x, y LocalRecord) int { return bytes.Compare(x.Key, y.Key) })
	return out
}

// Prepared notes that PreparedRecords are durable: the files stay when the segments are
// given back.
func (s *Store) Prepared(segs []*Segment) {
	for _, g := range segs {
		g.obsolete.Store(false)
	}
}

// PreparedRecordKeys are the keys of those records.
func (s *Store) PreparedRecordKeys(segs []*Segment) [][]byte {
	out := make([][]byte, len(segs))
	for i, g := range segs {
		out[i] = recordKey(g.number)
	}
	return out
}

// Unprepare notes that the records are durably gone: the files go when the segments are
// given to Discard.
func (s *Store) Unprepare(segs []*Segment) {
	for _, g := range segs {
		g.obsolete.Store(true)
	}
}

// Number names the segment in the record of a prepared transaction.
func (g *fileRef) Number() uint64 { return g.number }

// TakePrepared gives the segments of a prepared transaction that the start has found, by
// number; they are the caller's. XX001 when one is not there.
func (s *Store) TakePrepared(numbers []uint64) ([]*Segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Segment, 0, len(numbers))
	for _, n := range numbers {
		g := s.prepared[n]
		if g == nil {
			return nil, pgerror.New(pgerror.DataCorrupted, "column segment %x of a prepared transaction has no directory record", n)
		}
		delete(s.prepared, n)
		g.refs.Store(1)
		out = append(out, g)
	}
	return out, nil
}

// Unclaimed lists the prepared segments that no transaction has taken: damage.
func (s *Store) Unclaimed() (numbers []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.prepared {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}
