package table

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// watched: SERIALIZABLE notes what is read of the table. Catalogs are left out, as in PostgreSQL.
func (s *Store) watched(sc *schema) bool {
	return s.tx.Options().Isolation == txn.Serializable && types.OID(uint32(sc.t.RelationId)) >= types.FirstNormalOID
}

// noteReads notes the ranges of a scan before they are read: rows that come into
// them later are met too.
func (s *Store) noteReads(sc *schema, ranges []keyRange) error {
	if !s.watched(sc) {
		return nil
	}
	for _, r := range ranges {
		for _, t := range r.tablets {
			lower, upper := inTablet(r.lower, t), []byte(nil)
			if !r.point {
				upper = inTablet(r.upper, t)
			}
			if err := s.tx.PredicateRead(lower, upper); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowNotes gives what notes each row that an index leads to, nil when none are noted.
func (s *Store) rowNotes(sc *schema) func(key []byte) error {
	if !s.watched(sc) {
		return nil
	}
	return func(key []byte) error { return s.tx.PredicateRead(key, nil) }
}

// FlushNotes implements txn.Noter.
func (s *Store) FlushNotes(ctx context.Context) error {
	if n, ok := s.tx.(txn.Noter); ok {
		return n.FlushNotes(ctx)
	}
	return nil
}
