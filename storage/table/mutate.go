package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// rowIDLen is the length of a hidden row id, the locator of tables without a primary key.
const rowIDLen = 8

func decodeRowID(loc []byte) (uint64, bool) {
	if len(loc) != rowIDLen {
		return 0, false
	}
	return binary.BigEndian.Uint64(loc), true
}

// InsertBatch implements vexec.Mutator. It goes index by index over the whole
// batch, and reports the violation that going row by row would have met first.
func (s *Store) InsertBatch(ctx context.Context, table *planpb.Table, ext *vexec.Batch) error {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return err
	}
	n := ext.Rows()
	if n == 0 {
		return nil
	}
	src := &vectorRow{s: sc, cols: ext.Cols}
	at := func(j int) *vectorRow {
		src.i = j
		if ext.Sel != nil {
			src.i = int(ext.Sel[j])
		}
		return src
	}
	stored := ext.Cols[:len(sc.cols):len(sc.cols)]
	keys, err := s.rowKeys(ctx, sc, n, at)
	if err != nil {
		return err
	}
	enc, err := sc.encoder()
	if err != nil {
		return err
	}
	defer sc.encoders.Put(enc)
	var violation error
	// rowKeys are the keys of the rows that go one by one, numbered by rowsLeft (nil: all).
	rowKeys, rowsLeft := keys, []int(nil)
	tx := s.bulkTxn(sc, table, n)
	if tx != nil {
		rest, taken, err := s.insertBulk(ctx, sc, tx, ext, stored, keys)
		if err != nil {
			return err
		}
		if taken >= 0 {
			violation, n = s.uniqueViolation(sc, sc.t.PrimaryKeyName, sc.keyOrds, at(taken), keys[taken]), taken
		}
		rowKeys, rowsLeft = nil, rest
		for _, j := range rest {
			rowKeys = append(rowKeys, keys[j])
		}
	}
	put := func(j int, key []byte, found txn.Newest) error {
		if j >= n {
			return nil
		}
		if found.Exists {
			violation, n = s.uniqueViolation(sc, sc.t.PrimaryKeyName, sc.keyOrds, at(j), key), j
			return errStop
		}
		if s.rowBuf, err = enc.AppendRow(s.rowBuf[:0], stored, at(j).i); err != nil {
			return err
		}
		return s.putFresh(ctx, sc, key, s.rowBuf, found)
	}
	if len(sc.key) > 0 && len(rowKeys) > 0 {
		if err = s.lockFresh(ctx, sc, rowKeys, rowsLeft, &n, put); err != nil {
			return err
		}
	} else {
		for i, key := range rowKeys {
			j := i
			if rowsLeft != nil {
				j = rowsLeft[i]
			}
			if err := put(j, key, txn.Newest{}); err != nil {
				return err
			}
		}
	}
	var entryKeys [][]byte
	var rows []int
	for _, x := range sc.indexes {
		entryKeys, rows = entryKeys[:0], rows[:0]
		left := rowsLeft
		for j := range n {
			bulk := tx != nil
			if bulk && len(left) > 0 && left[0] == j {
				bulk, left = false, left[1:]
			}
			e, ok, err := x.entryOf(s.env, sc, at(j), keys[j])
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if !e.unique {
				s.valBuf = e.value(s.valBuf[:0], keys[j][keyenc.PrefixLen:])
				if bulk {
					err = tx.AddEntry(ctx, e.key, s.valBuf)
				} else {
					err = s.put(ctx, sc, e.key, s.valBuf)
				}
				if err != nil {
					return err
				}
				continue
			}
			entryKeys, rows = append(entryKeys, e.key), append(rows, j)
		}
		err := s.lockFresh(ctx, sc, entryKeys, rows, &n, func(j int, key []byte, found txn.Newest) error {
			if found.Exists {
				violation, n = s.uniqueViolation(sc, x.Name, x.ords, at(j), key), j
				return errStop
			}
			e := entry{key, true}
			s.valBuf = e.value(s.valBuf[:0], keys[j][keyenc.PrefixLen:])
			return s.putFresh(ctx, sc, key, s.valBuf, found)
		})
		if err != nil {
			return err
		}
	}
	if violation != nil {
		if e, ok := violation.(*pgerror.Error); ok {
			e.Row = n + 1
		}
		return violation
	}
	s.count(table.StorageId, int64(n), int64(n))
	return nil
}

// errStop ends a walk over keys early.
var errStop = errors.New("stop")

// lockFresh locks keys and calls f with the row of each that is below *n, which f may
// lower: rows numbers the keys' rows, nil for their positions. It goes tablet by tablet, but for
// transactions over several nodes, which ask all nodes at once.
func (s *Store) lockFresh(ctx context.Context, sc *schema, keys [][]byte, rows []int, n *int, f func(row int, key []byte, found txn.Newest) error) error {
	each := sc.eachTablet
	if _, ok := s.tx.(txn.Sharer); ok {
		each = func(keys [][]byte, do func([][]byte, []int) error) error { return do(keys, nil) }
	}
	return each(keys, func(keys [][]byte, at []int) error {
		row := func(i int) int {
			if at != nil {
				i = at[i]
			}
			if rows != nil {
				i = rows[i]
			}
			return i
		}
		if at != nil { // what comes after a violation does not matter
			keys = keys[:sort.Search(len(keys), func(i int) bool { return row(i) >= *n })]
		}
		err := s.tx.LockFresh(ctx, keys, func(i int, found txn.Newest) error { return f(row(i), keys[i], found) })
		if err == errStop {
			err = nil
		}
		return err
	})
}

// rowKeys makes the keys of n rows, of their primary keys or of new row ids.
func (s *Store) rowKeys(ctx context.Context, sc *schema, n int, at func(j int) *vectorRow) ([][]byte, error) {
	var nextID uint64
	var err error
	if len(sc.key) == 0 {
		if nextID, err = s.shared.rowIDs.NextRowIDs(ctx, sc.t.StorageId, sc.spread.tablets, n); err != nil {
			return nil, err
		}
	}
	keys := make([][]byte, n)
	buf := make([]byte, 0, n*(keyenc.PrefixLen+max(1, len(sc.key))*9))
	for j := range n {
		from := len(buf)
		buf = append(buf, sc.prefix...)
		if len(sc.key) == 0 {
			buf = binary.BigEndian.AppendUint64(buf, nextID+uint64(j))
		}
		row := at(j)
		for i := range sc.key {
			if buf, err = row.appendKey(s.env, buf, &sc.key[i], sc.keyOrds[i]); err != nil {
				return nil, err
			}
		}
		keys[j] = buf[from:len(buf):len(buf)]
		if err = sc.setTablet(s.env, keys[j]); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// insertRow writes a row and its index entries; 23505 when one is taken.
func (s *Store) insertRow(ctx context.Context, sc *schema, src rowSource, key, value []byte) error {
	if len(sc.key) == 0 {
		if err := s.putFresh(ctx, sc, key, value, txn.Newest{}); err != nil {
			return err
		}
	} else {
		n, err := s.tx.LockUnique(ctx, key)
		if err != nil {
			return err
		}
		if n.Exists {
			return s.uniqueViolation(sc, sc.t.PrimaryKeyName, sc.keyOrds, src, key)
		}
		if err := s.putFresh(ctx, sc, key, value, n); err != nil {
			return err
		}
	}
	for _, x := range sc.indexes {
		e, ok, err := x.entryOf(s.env, sc, src, key)
		if err != nil {
			return err
		}
		if ok {
			if err := s.addEntry(ctx, sc, x, src, &e, key[keyenc.PrefixLen:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// addEntry writes an index entry; 23505 when it is unique and taken.
func (s *Store) addEntry(ctx context.Context, sc *schema, x *index, src rowSource, e *entry, locator []byte) error {
	var vb [80]byte
	v := e.value(vb[:0], locator)
	if !e.unique {
		return s.put(ctx, sc, e.key, v)
	}
	n, err := s.tx.LockUnique(ctx, e.key)
	if err != nil {
		return err
	}
	if n.Exists {
		return s.uniqueViolation(sc, x.Name, x.ords, src, e.key)
	}
	return s.putFresh(ctx, sc, e.key, v, n)
}

// removeEntry deletes an index entry. A unique one is locked: whoever wants to
// take its key waits to see whether it becomes free.
func (s *Store) removeEntry(ctx context.Context, sc *schema, e *entry) error {
	if e.unique {
		if _, err := s.tx.LockKey(ctx, e.key, txn.LockUpdate, txn.WaitBlock); err != nil {
			return err
		}
	}
	return s.delete(ctx, sc, e.key)
}

// InsertOrConflict implements vexec.Mutator.
func (s *Store) InsertOrConflict(ctx context.Context, table *planpb.Table, oc *planpb.OnConflict, ext []types.Datum) (*vexec.Conflict, error) {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return nil, err
	}
	src := datumRow(ext)
	var key []byte
	if len(sc.key) == 0 {
		id, err := s.shared.rowIDs.NextRowIDs(ctx, sc.t.StorageId, sc.spread.tablets, 1)
		if err != nil {
			return nil, err
		}
		var loc [rowIDLen]byte
		binary.BigEndian.PutUint64(loc[:], id)
		if key, err = sc.keyOf(s.env, nil, loc[:]); err != nil {
			return nil, err
		}
	} else if key, err = sc.rowKey(s.env, ext); err != nil {
		return nil, err
	}
	// That a row is there was read, whatever becomes of it: it is not written when
	// nothing is to be done, and not in the end when a savepoint is rolled back to.
	// PostgreSQL notes no such reads, and lets anomalies pass here. The note comes after
	// the look, where somebody else's change that was not seen would be an error.
	noteRow := func(key []byte) error {
		if !s.watched(sc) {
			return nil
		}
		return s.tx.PredicateRead(key, nil)
	}
	sp := s.tx.Savepoint()
	found := func(n txn.Newest, locator []byte, constraint string) (*vexec.Conflict, error) {
		c := &vexec.Conflict{Locator: bytes.Clone(locator), Constraint: constraint,
			SameStatement: n.OwnStatement != 0 && n.OwnStatement == s.tx.Statement()}
		// The keys that were looked at are not ours: give their locks back.
		if err := s.tx.RollbackTo(sp); err != nil {
			return nil, err
		}
		rowKey, err := sc.keyOf(s.env, nil, c.Locator)
		if err != nil {
			return nil, err
		}
		if !oc.Update {
			if s.tx.Options().Isolation != txn.ReadCommitted && n.Changed && n.OwnStatement == 0 {
				return nil, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
			}
			return c, noteRow(rowKey)
		}
		row, err := s.tx.LockRow(ctx, rowKey, txn.LockUpdate, txn.WaitBlock)
		if err != nil {
			return nil, err
		}
		if !row.Exists { // it went away meanwhile: look again
			return nil, nil
		}
		c.SameStatement = row.OwnStatement != 0 && row.OwnStatement == s.tx.Statement()
		return c, noteRow(rowKey)
	}
retry:
	for {
		if ctx.Err() != nil {
			return nil, pgerror.From(context.Cause(ctx))
		}
		if len(sc.key) > 0 && (oc.AnyIndex || oc.PrimaryKey) {
			n, err := s.tx.LockUnique(ctx, key)
			if err != nil {
				return nil, err
			}
			if n.Exists {
				c, err := found(n, key[keyenc.PrefixLen:], sc.t.PrimaryKeyName)
				if err != nil || c != nil {
					return c, err
				}
				continue retry
			}
		}
		for _, x := range sc.indexes {
			if !x.Unique || !oc.AnyIndex && !slices.Contains(oc.Indexes, uint32(x.pos)) {
				continue
			}
			e, ok, err := x.entryOf(s.env, sc, src, key)
			if err != nil {
				return nil, err
			}
			if !ok || !e.unique {
				continue
			}
			n, err := s.tx.LockUnique(ctx, e.key)
			if err != nil {
				return nil, err
			}
			if n.Exists {
				loc, err := entryLocator(e.key, n.Value)
				if err != nil {
					return nil, err
				}
				c, err := found(n, loc, x.Name)
				if err != nil || c != nil {
					return c, err
				}
				continue retry
			}
		}
		break
	}
	enc, err := sc.encoder()
	if err != nil {
		return nil, err
	}
	defer sc.encoders.Put(enc)
	if s.rowBuf, err = enc.AppendDatums(s.rowBuf[:0], ext[:len(sc.cols)]); err != nil {
		return nil, err
	}
	if err := s.insertRow(ctx, sc, src, key, s.rowBuf); err != nil {
		return nil, err
	}
	s.count(table.StorageId, 1, 1)
	return nil, nil
}

// LockRow implements vexec.Mutator.
func (s *Store) LockRow(ctx context.Context, table *planpb.Table, locator []byte, strength, policy uint32) (vexec.RowState, []types.Datum, error) {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return 0, nil, err
	}
	if s.keyBuf, err = sc.keyOf(s.env, s.keyBuf[:0], locator); err != nil {
		return 0, nil, err
	}
	lock := s.tx.LockRow
	keyShare, fixed := txn.LockStrength(strength) == txn.LockKeyShare, s.tx.Options().Isolation != txn.ReadCommitted
	if keyShare && fixed {
		lock = s.tx.LockKey
	}
	n, err := lock(ctx, s.keyBuf, txn.LockStrength(strength), txn.WaitPolicy(policy))
	if err == nil && keyShare && n.Changed && n.OwnStatement == 0 {
		row, err := s.sharedKey(ctx, sc, n)
		switch {
		case err != nil || row != nil:
			return vexec.RowUnchanged, row, err
		case fixed:
			return 0, nil, pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update")
		}
	}
	switch {
	case err != nil:
		if pgerror.Is(err, pgerror.LockNotAvailable) && txn.WaitPolicy(policy) == txn.WaitError {
			return 0, nil, pgerror.New(pgerror.LockNotAvailable, "could not obtain lock on row in relation \"%s\"", table.Name)
		}
		return 0, nil, err
	case n.Skipped:
		return vexec.RowSkipped, nil, nil
	case n.OwnStatement != 0 && n.OwnStatement == s.tx.Statement():
		if !n.Exists {
			return vexec.RowSelfModified, nil, nil
		}
		row, err := rowcodec.Row(sc.cols, n.Value)
		return vexec.RowSelfModified, row, err
	case !n.Exists:
		if n.Changed && n.OwnStatement == 0 && len(n.Value) > keyenc.PrefixLen {
			return vexec.RowMoved, []types.Datum{bytes.Clone(n.Value[keyenc.PrefixLen:])}, nil
		}
		return vexec.RowDeleted, nil, nil
	}
	row, err := rowcodec.Row(sc.cols, n.Value)
	if err != nil {
		return 0, nil, err
	}
	if n.Changed && n.OwnStatement == 0 {
		return vexec.RowUpdated, row, nil
	}
	return vexec.RowUnchanged, row, nil
}

// sharedKey is KEY SHARE on a row that was changed after the snapshot: it protects
// keys only, so other changes do no harm and the row stays what it is in the snapshot.
// nil: the row or one of its keys has gone. s.keyBuf is the row's key.
func (s *Store) sharedKey(ctx context.Context, sc *schema, n txn.Newest) ([]types.Datum, error) {
	if !n.Exists {
		return nil, nil
	}
	value, ok, err := s.tx.Get(ctx, s.keyBuf)
	if err != nil || !ok {
		return nil, err
	}
	before, err := rowcodec.Row(sc.cols, value)
	if err != nil {
		return nil, err
	}
	after, err := rowcodec.Row(sc.cols, n.Value)
	if err != nil {
		return nil, err
	}
	for _, x := range sc.indexes {
		if !x.Unique || x.Partial || slices.ContainsFunc(x.ords, func(o int) bool { return o >= len(sc.cols) }) {
			continue
		}
		a, _, err := x.entryOf(s.env, sc, datumRow(before), s.keyBuf)
		if err != nil {
			return nil, err
		}
		b, _, err := x.entryOf(s.env, sc, datumRow(after), s.keyBuf)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(a.key, b.key) {
			return nil, nil
		}
	}
	return before, nil
}

// Update implements vexec.Mutator.
func (s *Store) Update(ctx context.Context, table *planpb.Table, locator []byte, oldExt, newExt []types.Datum) error {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return err
	}
	key, err := sc.keyOf(s.env, nil, locator)
	if err != nil {
		return err
	}
	newKey := key
	moved := false
	if len(sc.key) > 0 {
		if newKey, err = sc.rowKey(s.env, newExt); err != nil {
			return err
		}
		moved = !bytes.Equal(newKey, key)
	}
	enc, err := sc.encoder()
	if err != nil {
		return err
	}
	defer sc.encoders.Put(enc)
	if s.rowBuf, err = enc.AppendDatums(s.rowBuf[:0], newExt[:len(sc.cols)]); err != nil {
		return err
	}
	if moved {
		n, err := s.tx.LockUnique(ctx, newKey)
		if err != nil {
			return err
		}
		if n.Exists {
			return s.uniqueViolation(sc, sc.t.PrimaryKeyName, sc.keyOrds, datumRow(newExt), newKey)
		}
		// The old key was perhaps locked with a weaker strength than giving it up needs.
		if _, err := s.tx.LockKey(ctx, key, txn.LockUpdate, txn.WaitBlock); err != nil {
			return err
		}
		if err := s.deleteMoved(ctx, sc, key, newKey); err != nil {
			return err
		}
		if err := s.putFresh(ctx, sc, newKey, s.rowBuf, n); err != nil {
			return err
		}
	} else if err := s.put(ctx, sc, key, s.rowBuf); err != nil {
		return err
	}
	newLoc := newKey[keyenc.PrefixLen:]
	for _, x := range sc.indexes {
		oldE, oldOK, err := x.entryOf(s.env, sc, datumRow(oldExt), key)
		if err != nil {
			return err
		}
		newE, newOK, err := x.entryOf(s.env, sc, datumRow(newExt), newKey)
		if err != nil {
			return err
		}
		if oldOK && newOK && bytes.Equal(oldE.key, newE.key) {
			if moved && newE.unique { // the same entry leads to the row's new place
				if _, err := s.tx.LockKey(ctx, newE.key, txn.LockUpdate, txn.WaitBlock); err != nil {
					return err
				}
				if err := s.put(ctx, sc, newE.key, newE.value(nil, newLoc)); err != nil {
					return err
				}
			}
			continue
		}
		if x.Unique && !x.Partial && !moved { // a key that others may refer to changes
			if _, err := s.tx.LockKey(ctx, key, txn.LockUpdate, txn.WaitBlock); err != nil {
				return err
			}
		}
		if oldOK {
			if err := s.removeEntry(ctx, sc, &oldE); err != nil {
				return err
			}
		}
		if newOK {
			if err := s.addEntry(ctx, sc, x, datumRow(newExt), &newE, newLoc); err != nil {
				return err
			}
		}
	}
	s.count(table.StorageId, 0, 1)
	return nil
}

// Delete implements vexec.Mutator.
func (s *Store) Delete(ctx context.Context, table *planpb.Table, locator []byte, oldExt []types.Datum) error {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return err
	}
	key, err := sc.keyOf(s.env, nil, locator)
	if err != nil {
		return err
	}
	if err := s.delete(ctx, sc, key); err != nil {
		return err
	}
	for _, x := range sc.indexes {
		e, ok, err := x.entryOf(s.env, sc, datumRow(oldExt), key)
		if err != nil {
			return err
		}
		if ok {
			if err := s.removeEntry(ctx, sc, &e); err != nil {
				return err
			}
		}
	}
	s.count(table.StorageId, -1, 1)
	return nil
}

// fullRow lays table columns out as an extended row without its computed part.
func fullRow(cols []arrow.Array, sc *schema, i int) []types.Datum {
	out := make([]types.Datum, len(cols))
	for c := range cols {
		out[c] = types.Get(sc.types[c], cols[c], i)
	}
	return out
}
