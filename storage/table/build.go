package table

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Eval makes extended rows of table rows: cols has the table's columns in ordinal
// order, the result those and the computed ones. Storage cannot evaluate
// expressions; a table without computed columns needs none.
type Eval func(ctx context.Context, rows *vexec.Batch) (*vexec.Batch, error)

// BuildIndex adds the entries of all visible rows to the index at position pos.
// REQUIRES: the index is empty, and the transaction's lock keeps other writers
// off the table. 23505 when a unique index meets equal keys.
func (s *Store) BuildIndex(ctx context.Context, t *planpb.Table, pos int, eval Eval) error {
	sc, err := s.schema(ctx, t)
	if err != nil {
		return err
	}
	if len(t.Computed) > 0 && eval == nil {
		return pgerror.Internal("table %s has computed columns and nobody to compute them", t.Name)
	}
	x := sc.indexes[pos]
	cols := make([]int32, 0, len(t.Columns)+1)
	for i := range t.Columns {
		cols = append(cols, int32(i))
	}
	cols = append(cols, columnLocator)
	r, _, err := s.Scan(ctx, &planpb.Scan{Table: t, Columns: cols}, vexec.ScanRequest{Parts: 1})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		b = flat(b)
		loc := b.Cols[len(b.Cols)-1]
		rows := &vexec.Batch{Cols: b.Cols[:len(b.Cols)-1], N: b.N}
		if eval != nil {
			if rows, err = eval(ctx, rows); err != nil {
				return err
			}
		}
		src := &vectorRow{s: sc, cols: rows.Cols}
		for i := range b.N {
			src.i = i
			l := loc.(interface{ Value(int) []byte }).Value(i)
			if s.keyBuf, err = sc.keyOf(s.env, s.keyBuf[:0], l); err != nil {
				return err
			}
			if err := s.buildEntry(ctx, sc, x, src, s.keyBuf); err != nil {
				return err
			}
		}
	}
}

// flat is b without a selection and dictionary coding, both of which column segments give.
func flat(b *vexec.Batch) *vexec.Batch {
	cols := b.Cols
	if b.Sel != nil {
		cols = kernel.TakeCols(cols, b.Sel)
	}
	out := &vexec.Batch{Cols: make([]arrow.Array, len(cols)), N: b.Rows()}
	for i, c := range cols {
		out.Cols[i] = kernel.Flatten(c)
	}
	return out
}

func (s *Store) buildEntry(ctx context.Context, sc *schema, x *index, src rowSource, rowKey []byte) error {
	e, ok, err := x.entryOf(s.env, sc, src, rowKey)
	if err != nil || !ok {
		return err
	}
	if e.unique {
		// Nobody else knows the index: own entries are all there are.
		taken, err := s.tx.WroteKey(e.key)
		if err != nil {
			return err
		}
		if taken {
			err := pgerror.New(pgerror.UniqueViolation, "could not create unique index \"%s\"", x.Name).
				WithTable(sc.t.Schema, sc.t.Name).WithConstraint(x.Name)
			if key := s.describeKey(sc, x.ords, src); key != "" {
				err.WithDetail("Key %s is duplicated.", key)
			}
			return err
		}
	}
	var vb [80]byte
	return s.putFresh(ctx, sc, e.key, e.value(vb[:0], rowKey[keyenc.PrefixLen:]), txn.Newest{})
}
