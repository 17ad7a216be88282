package table

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// rowScan is a running ScanRows.
type rowScan struct {
	s     *Store
	sc    *schema
	x     *index // nil: the primary key
	req   *vexec.RowScan
	f     func(locator []byte, row []types.Datum) (bool, error)
	note  func(key []byte) error
	key   []byte // of the row an index entry leads to
	val   []byte
	row   []types.Datum
	rows  int
	bytes int
}

// ScanRows implements vexec.RowStore: no views, vectors or decoders. Transactions over
// several nodes would ask another node row by row; it leaves them to scans.
func (s *Store) ScanRows(ctx context.Context, req *vexec.RowScan, f func(locator []byte, row []types.Datum) (bool, error)) (done bool, err error) {
	if _, ok := s.tx.(txn.Sharer); ok || s.confined {
		return false, nil
	}
	sc, err := s.schema(ctx, req.Table)
	if err != nil {
		return true, err
	}
	r := &rowScan{s: s, sc: sc, req: req, f: f}
	k := keySpace{prefix: sc.prefix, end: sc.end, key: sc.key, dist: sc.spread.dist, wholeKey: true}
	if req.Index >= 0 {
		r.x, r.note = sc.indexes[req.Index], s.rowNotes(sc)
		k = keySpace{prefix: r.x.prefix, end: r.x.end, key: r.x.key, dist: r.x.dist, wholeKey: r.x.Unique && !r.x.NullsNotDistinct}
	}
	bounds := [1]vexec.KeyBounds{req.Bounds}
	ranges, err := s.ranges(sc, &k, true, bounds[:], true)
	if err != nil {
		return true, err
	}
	if err := s.noteReads(sc, ranges); err != nil {
		return true, err
	}
	for i := range ranges { // one, or none
		if more, done, err := r.walk(ctx, &ranges[i]); err != nil || !more {
			return done, err
		}
	}
	return true, nil
}

// walk reads a range of keys; more is false when f has enough, or (done false) when it is too long.
func (r *rowScan) walk(ctx context.Context, kr *keyRange) (more, done bool, err error) {
	if kr.point {
		v, ok, err := r.s.tx.GetInto(ctx, kr.lower, nil)
		if err != nil || !ok {
			return true, true, err
		}
		return r.visit(ctx, kr.lower, v)
	}
	it, err := openRange(ctx, r.s.tx, kr, r.req.Reverse)
	if err != nil {
		return false, true, err
	}
	for it.Next() {
		if more, done, err = r.visit(ctx, it.Key(), it.Value()); err != nil || !more {
			closeIter(it)
			return more, done, err
		}
	}
	return true, true, closeIter(it)
}

// closeIter closes an iterator nobody else knows of.
func closeIter(it txn.Iter) error {
	if c, ok := it.(interface{ Recycle() error }); ok {
		return c.Recycle()
	}
	return it.Close()
}

// visit looks at a row, or at an entry of the index and its row.
func (r *rowScan) visit(ctx context.Context, key, value []byte) (more, done bool, err error) {
	if r.rows++; r.rows > r.req.RowsMax {
		return false, false, nil
	}
	if r.rows%ctxCheckRows == 0 && ctx.Err() != nil {
		return false, true, pgerror.From(context.Cause(ctx))
	}
	if r.x != nil {
		if key, value, err = r.fetch(ctx, key, value); err != nil {
			return false, true, err
		}
	}
	if r.bytes += len(value); r.bytes > r.req.BytesMax {
		return false, false, nil
	}
	row := r.row
	if row == nil || !r.req.Reuse {
		row = make([]types.Datum, len(r.req.Columns))
		r.row = row
	}
	if len(row) > 0 {
		if err := rowcodec.ColumnsInto(row, r.sc.cols, r.req.Columns, value); err != nil {
			return false, true, err
		}
	}
	more, err = r.f(key[keyenc.PrefixLen:], row)
	return more, true, err
}

// fetch reads the row that an entry leads to.
func (r *rowScan) fetch(ctx context.Context, entryKey, entryValue []byte) (key, value []byte, err error) {
	loc, err := entryLocator(entryKey, entryValue)
	if err != nil {
		return nil, nil, err
	}
	r.key = append(append(r.key[:0], r.sc.prefix...), loc...)
	if copy(r.key, entryKey[:keyenc.TabletLen]); entryValue[0] == 0 { // a unique entry may lie elsewhere
		if err := r.sc.setTablet(r.s.env, r.key); err != nil {
			return nil, nil, err
		}
	}
	if r.note != nil {
		if err := r.note(r.key); err != nil {
			return nil, nil, err
		}
	}
	v, ok, err := r.s.tx.GetColumns(ctx, r.key, r.val[:0], r.s.attnums(r.sc, r.req.Columns))
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, corruptedEntry(r.sc, r.x)
	}
	r.val = v
	return r.key, v, nil
}
