package table

import (
	"bytes"
	"context"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/basaltdb/basalt/internal/cores"
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
type Eval = func(ctx context.Context, rows *vexec.Batch) (*vexec.Batch, error)

// BuildIndex adds the entries of all visible rows to the index at position pos.
// evals makes an Eval for a goroutine; tables without computed columns need none.
// REQUIRES: the index is empty, and the transaction's lock keeps other writers
// off the table. 23505 when a unique index meets equal keys.
func (s *Store) BuildIndex(ctx context.Context, t *planpb.Table, pos int, evals func() (Eval, error)) error {
	sc, err := s.schema(ctx, t)
	if err != nil {
		return err
	}
	if len(t.Computed) > 0 && evals == nil {
		return pgerror.Internal("table %s has computed columns and nobody to compute them", t.Name)
	}
	b := &indexBuild{s: s, sc: sc, x: sc.indexes[pos], evals: evals}
	if tx, ok := s.tx.(txn.SortedTxn); ok {
		if runs := tx.NewSortedRuns(cores.Count()); runs != nil {
			defer runs.Discard()
			return b.sorted(ctx, runs)
		}
	}
	return b.scan(ctx, 0, 1, func(e entry, value []byte, src *vectorRow) error {
		if e.unique {
			// Nobody else knows the index: own entries are all there are.
			taken, err := s.tx.WroteKey(e.key)
			if err != nil {
				return err
			}
			if taken {
				return b.duplicated(src)
			}
		}
		return s.putFresh(ctx, sc, e.key, value, txn.Newest{})
	})
}

// indexBuild is the filling of one index.
type indexBuild struct {
	s     *Store
	sc    *schema
	x     *index
	evals func() (Eval, error)
}

// sorted fills the index by sorted runs, on all cores.
func (b *indexBuild) sorted(ctx context.Context, runs *txn.SortedRuns) error {
	g, gctx := errgroup.WithContext(ctx)
	parts := cores.Count()
	for part := range parts {
		g.Go(func() error {
			w := runs.Writer()
			if err := b.scan(gctx, part, parts, func(e entry, value []byte, _ *vectorRow) error {
				if err := w.Add(gctx, e.key, value); err != nil || !b.sc.spread.copied {
					return err
				}
				return b.sc.copies(e.key, func(k []byte) error { return w.Add(gctx, k, value) })
			}); err != nil {
				return err
			}
			return w.Close(gctx)
		})
	}
	err := g.Wait()
	if err == nil {
		err = runs.Done(ctx, b.x.Unique)
	}
	if key := txn.DuplicateKey(err); key != nil {
		return b.findDuplicated(ctx, key)
	}
	return err
}

// findDuplicated is the error of a key that is there twice: the rows are read once more to tell its values.
func (b *indexBuild) findDuplicated(ctx context.Context, key []byte) error {
	err := b.scan(ctx, 0, 1, func(e entry, _ []byte, src *vectorRow) error {
		if e.unique && bytes.Equal(e.key[keyenc.TabletLen:], key[keyenc.TabletLen:]) {
			return b.duplicated(src)
		}
		return nil
	})
	if err == nil {
		err = pgerror.Internal("the duplicated key of index %s is not there", b.x.Name)
	}
	return err
}

func (b *indexBuild) duplicated(src *vectorRow) error {
	err := pgerror.New(pgerror.UniqueViolation, "could not create unique index \"%s\"", b.x.Name).
		WithTable(b.sc.t.Schema, b.sc.t.Name).WithConstraint(b.x.Name)
	if key := b.s.describeKey(b.sc, b.x.ords, src); key != "" {
		err.WithDetail("Key %s is duplicated.", key)
	}
	return err
}

// scan calls f with the entries of a part of the rows; they are f's until it returns.
func (b *indexBuild) scan(ctx context.Context, part, parts int, f func(e entry, value []byte, src *vectorRow) error) error {
	t := b.sc.t
	cols := make([]int32, 0, len(t.Columns)+1)
	for i := range t.Columns {
		cols = append(cols, int32(i))
	}
	cols = append(cols, columnLocator)
	var eval Eval
	if len(t.Computed) > 0 {
		var err error
		if eval, err = b.evals(); err != nil {
			return err
		}
	}
	r, _, err := b.s.Scan(ctx, &planpb.Scan{Table: t, Columns: cols}, vexec.ScanRequest{Part: part, Parts: parts})
	if err != nil {
		return err
	}
	defer r.Close()
	var rowKey, value []byte
	src := &vectorRow{s: b.sc}
	for {
		batch, err := r.Next(ctx)
		if err != nil || batch == nil {
			return err
		}
		batch = flat(batch)
		loc, ok := batch.Cols[len(batch.Cols)-1].(interface{ Value(int) []byte })
		if !ok {
			return pgerror.Internal("locators come as %s", batch.Cols[len(batch.Cols)-1].DataType())
		}
		rows := &vexec.Batch{Cols: batch.Cols[:len(batch.Cols)-1], N: batch.N}
		if eval != nil {
			if rows, err = eval(ctx, rows); err != nil {
				return err
			}
		}
		src.cols = rows.Cols
		for src.i = range batch.N {
			if rowKey, err = b.sc.keyOf(b.s.env, rowKey[:0], loc.Value(src.i)); err != nil {
				return err
			}
			e, ok, err := b.x.entryOf(b.s.env, b.sc, src, rowKey)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			value = e.value(value[:0], rowKey[keyenc.PrefixLen:])
			if err := f(e, value, src); err != nil {
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
