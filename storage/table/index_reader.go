package table

import (
	"bytes"
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// indexReader reads key ranges of a secondary index and fetches the rows, in
// index order.
type indexReader struct {
	note    func(key []byte) error // nil: rows are not noted
	view    txn.View
	env     *types.Env
	sc      *schema
	x       *index
	ranges  []keyRange
	reverse bool
	out     *output
	it      txn.Iter
	key     []byte
	fetcher fetcher
	done    bool
}

func newIndexReader(note func(key []byte) error, view txn.View, env *types.Env, sc *schema, x *index, ranges []keyRange, columns []int32, reverse bool, limitHint uint64) *indexReader {
	n := capacityFor(limitHint, ranges)
	return &indexReader{note: note, view: view, env: env, sc: sc, x: x, ranges: ranges, reverse: reverse,
		out: newOutput(sc, columns, n), key: append([]byte{}, sc.prefix...), fetcher: newFetcher(view, n)}
}

// rowKey puts the key of the row that an entry points to into r.key: the row is about to be read.
func (r *indexReader) rowKey(entryKey, entryValue []byte) error {
	loc, err := entryLocator(entryKey, entryValue)
	if err != nil {
		return err
	}
	r.key = append(r.key[:keyenc.PrefixLen], loc...)
	if copy(r.key, entryKey[:keyenc.TabletLen]); entryValue[0] == 0 { // a unique entry may lie elsewhere
		if err := r.sc.setTablet(r.env, r.key); err != nil {
			return err
		}
	}
	if r.note != nil {
		return r.note(r.key)
	}
	return nil
}

// fetchPoints fetches the rows of unique entries: the entries in one go, then their rows.
func (r *indexReader) fetchPoints(ctx context.Context, entries [][]byte) error {
	var keys [][]byte
	err := r.fetcher.many.GetMany(ctx, entries, func(i int, value []byte, ok bool) error {
		if !ok {
			return nil
		}
		if err := r.rowKey(entries[i], value); err != nil {
			return err
		}
		keys = append(keys, bytes.Clone(r.key))
		return nil
	})
	if err != nil {
		return err
	}
	return r.fetchRows(ctx, keys)
}

// fetchMany fetches the rows of the next entries of the range in one go.
func (r *indexReader) fetchMany(ctx context.Context) error {
	var keys [][]byte
	for n := r.fetcher.more(); len(keys) < n; {
		if !r.it.Next() {
			err := r.it.Close()
			r.it = nil
			if err != nil {
				return err
			}
			break
		}
		if err := r.rowKey(r.it.Key(), r.it.Value()); err != nil {
			return err
		}
		keys = append(keys, bytes.Clone(r.key))
	}
	return r.fetchRows(ctx, keys)
}

func (r *indexReader) fetchRows(ctx context.Context, keys [][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	return r.fetcher.get(ctx, keys, func(int) error { return r.corrupted() })
}

func (r *indexReader) corrupted() error { return corruptedEntry(r.sc, r.x) }

func corruptedEntry(sc *schema, x *index) error {
	return pgerror.New(pgerror.IndexCorrupted, "index \"%s\" has an entry without a row in table \"%s\"", x.Name, sc.t.Name).
		WithTable(sc.t.Schema, sc.t.Name).WithConstraint(x.Name)
}

// fetch appends the row an entry points to.
func (r *indexReader) fetch(ctx context.Context, entryKey, entryValue []byte) error {
	if err := r.rowKey(entryKey, entryValue); err != nil {
		return err
	}
	v, ok, err := r.view.Get(ctx, r.key)
	if err != nil {
		return err
	}
	if !ok {
		return r.corrupted()
	}
	return r.out.append(r.key[keyenc.PrefixLen:], v)
}

func (r *indexReader) Next(ctx context.Context) (*vexec.Batch, error) {
	if r.done {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, pgerror.From(context.Cause(ctx))
	}
	rows := 0
	for {
		if err := r.fetcher.deliver(r.out); err != nil {
			return nil, r.fail(err)
		}
		if r.it == nil && len(r.fetcher.rows) == 0 {
			kr, ok := nextRange(&r.ranges, r.reverse)
			if !ok {
				b := r.out.finish()
				r.Close()
				return b, nil
			}
			if kr.point && r.fetcher.many != nil {
				if err := r.fetchPoints(ctx, points(kr.lower, &r.ranges, r.reverse, r.fetcher.more())); err != nil {
					return nil, r.fail(err)
				}
				if !r.out.dec.Full() {
					continue
				}
			} else if kr.point {
				loc, ok, err := r.view.Get(ctx, kr.lower)
				if err == nil && ok {
					err = r.fetch(ctx, kr.lower, append([]byte{}, loc...))
				}
				if err != nil {
					return nil, r.fail(err)
				}
			} else {
				it, err := openRange(ctx, r.view, &kr, r.reverse)
				if err != nil {
					return nil, r.fail(err)
				}
				r.it = it
			}
		}
		for r.fetcher.many == nil && r.it != nil && !r.out.dec.Full() {
			if !r.it.Next() {
				err := r.it.Close()
				r.it = nil
				if err != nil {
					return nil, r.fail(err)
				}
				break
			}
			if err := r.fetch(ctx, r.it.Key(), r.it.Value()); err != nil {
				return nil, r.fail(err)
			}
			if rows++; rows%ctxCheckRows == 0 && ctx.Err() != nil {
				return nil, r.fail(pgerror.From(context.Cause(ctx)))
			}
		}
		if r.out.dec.Full() {
			return r.out.finish(), nil
		}
		if r.fetcher.many != nil && r.it != nil && len(r.fetcher.rows) == 0 {
			if ctx.Err() != nil {
				return nil, r.fail(pgerror.From(context.Cause(ctx)))
			}
			if err := r.fetchMany(ctx); err != nil {
				return nil, r.fail(err)
			}
		}
	}
}

func (r *indexReader) fail(err error) error {
	r.Close()
	return err
}

func (r *indexReader) Close() {
	if r.done {
		return
	}
	r.done = true
	if r.it != nil {
		r.it.Close()
		r.it = nil
	}
	r.view.Close()
}
