package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Check verifies a table as the transaction sees it: every row decodes and
// stands under the key its columns encode to, in the tablet that is right for it,
// has exactly its entry in every index, and no index has another entry; copies are
// alike. XX001 and XX002 say what is wrong. eval as for BuildIndex.
func (s *Store) Check(ctx context.Context, t *planpb.Table, eval Eval) error {
	_, err := s.CheckCount(ctx, t, eval)
	return err
}

// Checked counts what CheckCount has read.
type Checked struct{ Rows, Entries int64 }

// CheckCount is Check and counts the rows and index entries it has read, up to
// the fault if there is one.
func (s *Store) CheckCount(ctx context.Context, t *planpb.Table, eval Eval) (n Checked, err error) {
	sc, err := s.schema(ctx, t)
	if err != nil {
		return n, err
	}
	view, err := s.tx.NewView()
	if err != nil {
		return n, err
	}
	defer view.Close()
	if !sc.spread.copied {
		_, err := s.checkTablets(ctx, view, sc, sc.spread.tablets, eval, &n)
		return n, err
	}
	var first uint64
	for i, tablet := range sc.spread.tablets {
		sum, err := s.checkTablets(ctx, view, sc, sc.spread.tablets[i:i+1], eval, &n)
		if err != nil {
			return n, err
		}
		if i == 0 {
			first = sum
		} else if sum != first {
			return n, pgerror.New(pgerror.DataCorrupted, "the copies of table \"%s\" in tablets %d and %d differ", t.Name, sc.spread.tablets[0], tablet)
		}
	}
	return n, nil
}

// checkTablets checks rows and entries of some tablets. It gives a checksum of the rows.
func (s *Store) checkTablets(ctx context.Context, view txn.View, sc *schema, tablets []txn.TabletID, eval Eval, n *Checked) (uint64, error) {
	t := sc.t
	want := make([]map[string]string, len(sc.indexes))
	for i := range want {
		want[i] = map[string]string{}
	}
	// stamp moves a key that was made for the first of the copies' tablets.
	stamp := func(key []byte) {
		if sc.spread.copied {
			binary.BigEndian.PutUint16(key, uint16(tablets[0]))
		}
	}
	var sum uint64
	err := walk(ctx, view, sc.prefix, sc.end, tablets, func(key, value []byte) error {
		n.Rows++
		sum += xxh3.Hash(append(append([]byte{}, key[keyenc.TabletLen:]...), value...))
		row, err := rowcodec.Row(sc.cols, value)
		if err != nil {
			return err
		}
		ext, err := extend(ctx, sc, row, eval)
		if err != nil {
			return err
		}
		loc := key[keyenc.PrefixLen:]
		var k []byte
		if len(sc.key) > 0 {
			k, err = sc.rowKey(s.env, ext)
		} else {
			k, err = sc.keyOf(s.env, nil, loc)
		}
		if err != nil {
			return err
		}
		if stamp(k); !bytes.Equal(k, key) {
			return pgerror.New(pgerror.DataCorrupted, "row of table \"%s\" stands under key %x, its columns say %x", t.Name, key, k)
		}
		for i, x := range sc.indexes {
			e, ok, err := x.entryOf(s.env, sc, datumRow(ext), key)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			stamp(e.key)
			if _, dup := want[i][string(e.key)]; dup {
				return pgerror.New(pgerror.IndexCorrupted, "two rows of table \"%s\" have the key %x of index \"%s\"", t.Name, e.key, x.Name)
			}
			want[i][string(e.key)] = string(e.value(nil, loc))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for i, x := range sc.indexes {
		err := walk(ctx, view, x.prefix, x.end, tablets, func(key, value []byte) error {
			n.Entries++
			w, ok := want[i][string(key)]
			switch {
			case !ok:
				return pgerror.New(pgerror.IndexCorrupted, "index \"%s\" has entry %x without a row", x.Name, key)
			case w != string(value):
				return pgerror.New(pgerror.IndexCorrupted, "index \"%s\" has entry %x for %x, its row is %x", x.Name, key, value, w)
			}
			delete(want[i], string(key))
			return nil
		})
		if err != nil {
			return 0, err
		}
		for k := range want[i] {
			return 0, pgerror.New(pgerror.IndexCorrupted, "index \"%s\" lacks entry %s", x.Name, fmt.Sprintf("%x", k))
		}
	}
	return sum, nil
}

// walk visits a range of keys in each of some tablets.
func walk(ctx context.Context, v txn.View, lower, upper []byte, tablets []txn.TabletID, f func(key, value []byte) error) error {
	for _, t := range tablets {
		it, err := v.NewIter(ctx, txn.IterOptions{Lower: inTablet(lower, t), Upper: inTablet(upper, t)})
		if err != nil {
			return err
		}
		for it.Next() {
			if err := f(it.Key(), it.Value()); err != nil {
				it.Close()
				return err
			}
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	return nil
}

// extend computes an extended row.
func extend(ctx context.Context, sc *schema, row []types.Datum, eval Eval) ([]types.Datum, error) {
	if len(sc.t.Computed) == 0 {
		return row, nil
	}
	if eval == nil {
		return nil, pgerror.Internal("table %s has computed columns and nobody to compute them", sc.t.Name)
	}
	b := &vexec.Batch{N: 1}
	for c, d := range row {
		b.Cols = append(b.Cols, types.Repeat(sc.types[c], d, 1))
	}
	b, err := eval(ctx, b)
	if err != nil {
		return nil, err
	}
	return fullRow(b.Cols, sc, 0), nil
}
