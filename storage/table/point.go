package table

import (
	"context"
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Single rows by their primary keys, for vexec.Point: no ranges, views and
// decoders. Buffers are the transaction's.

var _ vexec.RowStore = (*Store)(nil)

// pointKey makes the key of a row by the values of its primary key, in keyBuf.
func (s *Store) pointKey(sc *schema, vals []types.Datum) (err error) {
	key := append(s.keyBuf[:0], sc.prefix...)
	for i := range sc.key {
		if key, err = sc.key[i].Append(s.env, key, vals[i]); err != nil {
			return err
		}
	}
	s.keyBuf = key
	if sc.spread.copied {
		binary.BigEndian.PutUint16(key, uint16(sc.spread.tablets[sc.spread.near]))
	}
	return sc.setTablet(s.env, key)
}

// GetRow implements vexec.RowStore.
func (s *Store) GetRow(ctx context.Context, table *planpb.Table, key []types.Datum, columns []int32) ([]types.Datum, error) {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return nil, err
	}
	if err := s.pointKey(sc, key); err != nil {
		return nil, err
	}
	if s.watched(sc) {
		if err := s.tx.PredicateRead(s.keyBuf, nil); err != nil {
			return nil, err
		}
	}
	v, ok, err := s.tx.GetColumns(ctx, s.keyBuf, s.valBuf[:0], s.attnums(sc, columns))
	if err != nil || !ok {
		return nil, err
	}
	if cap(v) > cap(s.valBuf) && cap(v) <= valueKeepBytes {
		s.valBuf = v[:0]
	}
	return rowcodec.Columns(sc.cols, columns, v)
}

// attnums are the attribute numbers of columns, nil for nearly all; good until the next call.
func (s *Store) attnums(sc *schema, columns []int32) []int {
	if len(columns) >= len(sc.cols) {
		return nil
	}
	if s.attBuf == nil {
		s.attBuf = make([]int, 0, 16)
	}
	s.attBuf = s.attBuf[:0]
	for _, c := range columns {
		s.attBuf = append(s.attBuf, sc.cols[c].Attnum)
	}
	return s.attBuf
}

// valueKeepBytes is the largest buffer kept for the next value.
const valueKeepBytes = 64 << 10

// LockKeyed implements vexec.RowStore. Where nobody is in the way and the newest
// version is one the snapshot sees, which is nearly always, one look at the store
// is enough.
func (s *Store) LockKeyed(ctx context.Context, table *planpb.Table, vals []types.Datum, strength uint32, wanted []int32, match func(row []types.Datum) (bool, error)) ([]byte, vexec.RowState, []types.Datum, error) {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return nil, 0, nil, err
	}
	if err := s.pointKey(sc, vals); err != nil {
		return nil, 0, nil, err
	}
	if match == nil && s.tx.Options().Isolation == txn.ReadCommitted && !sc.spread.copied {
		sp := s.tx.Savepoint()
		n, err := s.tx.LockRow(ctx, s.keyBuf, txn.LockStrength(strength), txn.WaitSkip)
		if err != nil {
			return nil, 0, nil, err
		}
		switch {
		case n.Skipped:
		case n.Exists && n.OwnStatement == 0 && !n.Changed:
			var row []types.Datum
			if wanted == nil {
				row, err = rowcodec.Row(sc.cols, n.Value)
			} else {
				row, err = rowcodec.LazyRow(sc.cols, wanted, n.Value)
			}
			return s.keyBuf[keyenc.PrefixLen:], vexec.RowUnchanged, row, err
		case !n.Exists && n.OwnStatement == 0 && !n.Changed:
			return nil, 0, nil, s.tx.RollbackTo(sp) // gives the lock back
		case n.OwnStatement == 0: // not as the snapshot has it: perhaps it has nothing
			if err := s.tx.RollbackTo(sp); err != nil {
				return nil, 0, nil, err
			}
		}
	}
	if s.watched(sc) {
		if err := s.tx.PredicateRead(s.keyBuf, nil); err != nil {
			return nil, 0, nil, err
		}
	}
	v, ok, err := s.tx.GetInto(ctx, s.keyBuf, nil)
	if err != nil || !ok {
		return nil, 0, nil, err
	}
	if match != nil {
		row, err := rowcodec.Row(sc.cols, v)
		if err != nil {
			return nil, 0, nil, err
		}
		if ok, err := match(row); err != nil || !ok {
			return nil, 0, nil, err
		}
	}
	st, row, err := s.LockRow(ctx, table, s.keyBuf[keyenc.PrefixLen:], strength, uint32(txn.WaitBlock))
	return s.keyBuf[keyenc.PrefixLen:], st, row, err
}

// InsertRow implements vexec.RowStore.
func (s *Store) InsertRow(ctx context.Context, table *planpb.Table, row []types.Datum) error {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return err
	}
	var key []byte
	if len(sc.key) == 0 {
		id, err := s.shared.rowIDs.NextRowIDs(ctx, table.StorageId, sc.spread.tablets, 1)
		if err != nil {
			return err
		}
		key = binary.BigEndian.AppendUint64(append(s.keyBuf[:0], sc.prefix...), id)
		if err := sc.setTablet(s.env, key); err != nil {
			return err
		}
		s.keyBuf = key
	} else if key, err = sc.rowKey(s.env, row); err != nil {
		return err
	}
	enc, err := sc.encoder()
	if err != nil {
		return err
	}
	defer sc.encoders.Put(enc)
	if s.rowBuf, err = enc.AppendDatums(s.rowBuf[:0], row); err != nil {
		return err
	}
	if err := s.insertRow(ctx, sc, datumRow(row), key, s.rowBuf); err != nil {
		return err
	}
	s.count(table.StorageId, 1, 1)
	return nil
}

// UpdateInPlace implements vexec.RowStore.
func (s *Store) UpdateInPlace(ctx context.Context, table *planpb.Table, locator []byte, row []types.Datum) error {
	sc, err := s.schema(ctx, table)
	if err != nil {
		return err
	}
	// The locator may be of keyBuf, where it is preceded by what is written before it.
	if s.keyBuf, err = sc.keyOf(s.env, s.keyBuf[:0], locator); err != nil {
		return err
	}
	enc, err := sc.encoder()
	if err != nil {
		return err
	}
	defer sc.encoders.Put(enc)
	if s.rowBuf, err = enc.AppendDatums(s.rowBuf[:0], row); err != nil {
		return err
	}
	if err := s.put(ctx, sc, s.keyBuf, s.rowBuf); err != nil {
		return err
	}
	s.count(table.StorageId, 0, 1)
	return nil
}
