package table

import (
	"bytes"
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// bulkTally counts the rows that a statement inserts into a table: beyond some
// thousands they go in bulk (txn.BulkTxn).
type bulkTally struct {
	statement uint32
	storage   uint64
	rows      int
}

// bulkTxn is the transaction, if n more rows should be inserted in bulk; nil if not.
func (s *Store) bulkTxn(sc *schema, table *planpb.Table, n int) txn.BulkTxn {
	tx, ok := s.tx.(txn.BulkTxn)
	if !ok || sc.spread.copied || table.Placement == planpb.Placement_SYSTEM || types.OID(uint32(table.RelationId)) < types.FirstNormalOID {
		return nil
	}
	if st := tx.Statement(); s.tally.statement != st || s.tally.storage != table.StorageId {
		s.tally = bulkTally{statement: st, storage: table.StorageId}
	}
	s.tally.rows += n
	if least := tx.BulkRowsMin(); least == 0 || s.tally.rows < least {
		return nil
	}
	return tx
}

// insertBulk inserts rows in bulk, tablet by tablet. It gives the positions of the
// rows that have to go the long way; and, when a key is taken, the first row that has
// such a key (else −1).
func (s *Store) insertBulk(ctx context.Context, sc *schema, tx txn.BulkTxn, ext *vexec.Batch, stored []arrow.Array, keys [][]byte) (rest []int, taken int, err error) {
	taken = -1
	violates := func(row int) {
		if taken < 0 || row < taken {
			taken = row
		}
	}
	n := len(keys)
	var order []int32 // nil: as they come
	for i := 1; i < n; i++ {
		if bytes.Compare(keys[i-1], keys[i]) >= 0 {
			order = make([]int32, n)
			break
		}
	}
	if order != nil {
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int { return bytes.Compare(keys[a], keys[b]) })
		for i := 1; i < n; i++ {
			if bytes.Equal(keys[order[i-1]], keys[order[i]]) {
				violates(int(order[i]))
			}
		}
	}
	if taken >= 0 {
		// Perhaps an earlier row has a key that somebody else took: the long way finds the first.
		for j := range n {
			rest = append(rest, j)
		}
		return rest, -1, nil
	}
	row := func(i int) int {
		if order != nil {
			return int(order[i])
		}
		return i
	}
	for from := 0; from < n; {
		if len(rest) > 0 {
			// Going on past keys that have to be waited for would make deadlocks of queues.
			rest = append(rest, row(from))
			from++
			continue
		}
		tablet := keys[row(from)][:keyenc.PrefixLen]
		to := from + 1
		for to < n && bytes.HasPrefix(keys[row(to)], tablet) {
			to++
		}
		r := txn.BulkRows{Fresh: len(sc.key) == 0, Columns: sc.segment, Keys: keys, Vectors: stored}
		if order != nil || to-from < n || ext.Sel != nil {
			r.Keys = make([][]byte, 0, to-from)
			sel := make([]int32, 0, to-from)
			for i := from; i < to; i++ {
				j := row(i)
				r.Keys = append(r.Keys, keys[j])
				if ext.Sel != nil {
					j = int(ext.Sel[j])
				}
				sel = append(sel, int32(j))
			}
			r.Vectors = kernel.TakeCols(stored, sel)
		}
		done, clash, err := tx.InsertRows(ctx, r)
		if err != nil {
			return nil, -1, err
		}
		for _, i := range clash {
			violates(row(from + i))
		}
		if !done && clash == nil {
			for i := from; i < to; i++ {
				rest = append(rest, row(i))
			}
		}
		from = to
	}
	slices.Sort(rest)
	return rest, taken, nil
}
