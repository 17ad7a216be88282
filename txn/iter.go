package txn

import (
	"bytes"
	"context"

	"github.com/basaltdb/basalt/storage/engine"
)

// NewIter implements Txn.
func (t *transaction) NewIter(ctx context.Context, o IterOptions) (Iter, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	at := t.snapshotInForce().ts
	if o.At != 0 {
		at = o.At
	}
	return t.newIter(ctx, o, at, t.stmt)
}

// newIter iterates at a timestamp with the own writes of statements before stmt.
func (t *transaction) newIter(ctx context.Context, o IterOptions, at Timestamp, stmt uint32) (Iter, error) {
	committed, err := t.m.eng.NewIter(engine.IterOptions{Lower: o.Lower, Upper: o.Upper, At: engine.Timestamp(at), Reverse: o.Reverse})
	if err != nil {
		return nil, err
	}
	if o.CommittedOnly || !t.HasWrites() {
		return committedIter{committed}, nil
	}
	if b := t.bulk.Load(); b != nil {
		if err := b.failed(); err != nil {
			committed.Recycle()
			return nil, err
		}
	}
	src, err := t.ownRows(o.Lower, o.Upper, stmt, o.Reverse)
	if err == nil && t.bulk.Load() != nil {
		src, err = t.withBulk(src, o.Lower, o.Upper, stmt, o.Reverse)
	}
	if err != nil {
		committed.Recycle()
		return nil, err
	}
	if src == nil {
		return committedIter{committed}, nil
	}
	return &mergedIter{ctx: ctx, committed: committed, own: src, reverse: o.Reverse}, nil
}

// ownRows walks the own writes of statements before stmt in a range, without those of
// bulk inserts; nil for none.
func (t *transaction) ownRows(lower, upper []byte, stmt uint32, reverse bool) (writeSource, error) {
	own := t.writes.collect(lower, upper, stmt)
	if s := t.spill.Load(); s != nil {
		return s.open(lower, upper, stmt, reverse, own)
	}
	if len(own) == 0 {
		return nil, nil
	}
	return &sliceSource{writes: own, reverse: reverse}, nil
}

// withBulk lays a source of own writes, which may be nil, over the rows of bulk inserts.
func (t *transaction) withBulk(src writeSource, lower, upper []byte, stmt uint32, reverse bool) (writeSource, error) {
	segs, err := t.bulk.Load().visible(lower, upper, stmt)
	if err != nil && src != nil {
		_ = src.close()
	}
	if err != nil || len(segs) == 0 {
		return src, err
	}
	rows := bulkSource(segs, lower, upper, reverse)
	if src == nil {
		return rows, nil
	}
	return &overlaidSource{newer: src, older: rows, reverse: reverse}, nil
}

// view implements View.
type view struct {
	t    *transaction
	snap *snapshot
	stmt uint32
	get  *engine.Getter // made at the second Get
	gets int
	buf  []byte
}

// NewView implements Txn.
func (t *transaction) NewView() (View, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	s := t.snapshotInForce()
	t.m.oracle.repin(s)
	return &view{t: t, snap: s, stmt: t.stmt}, nil
}

func (v *view) Snapshot() Timestamp { return v.snap.ts }

func (v *view) NewIter(ctx context.Context, o IterOptions) (Iter, error) {
	o.CommittedOnly = false
	at := v.snap.ts
	if mutantNewestScan {
		at = v.t.m.oracle.fresh()
	}
	return v.t.newIter(ctx, o, at, v.stmt)
}

func (v *view) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	at := engine.Timestamp(v.snap.ts)
	if mutantNewestGet {
		at = engine.MaxTimestamp
	}
	if w, err := v.t.own(key, v.stmt); err != nil || w != nil {
		if err != nil {
			return nil, false, err
		}
		return w.value, !w.del, nil
	}
	if v.gets++; v.gets == 1 {
		val, _, found, deleted, err := v.t.m.eng.Get(key, at, v.buf[:0])
		if err != nil || !found || deleted {
			return nil, false, err
		}
		v.buf = val
		return val, true, nil
	}
	if v.get == nil {
		g, err := v.t.m.eng.NewGetter()
		if err != nil {
			return nil, false, err
		}
		v.get = g
	}
	val, _, found, deleted, err := v.get.Get(key, at)
	return val, found && !deleted, err
}

func (v *view) Close() {
	if v.snap == nil {
		return
	}
	if v.get != nil {
		v.get.Close()
	}
	v.t.m.oracle.unpin(v.snap)
	v.snap = nil
}

// committedIter is an engine iterator as an Iter.
type committedIter struct{ *engine.Iter }

func (i committedIter) Close() error { return i.Iter.Close() }

// writeSource yields own writes in iteration order, one per key, tombstones included.
type writeSource interface {
	next() (*write, error) // nil at the end; valid until the next call
	close() error
}

// sliceSource yields collected writes.
type sliceSource struct {
	writes  []*write
	reverse bool
}

func (s *sliceSource) next() (*write, error) {
	n := len(s.writes)
	if n == 0 {
		return nil, nil
	}
	var w *write
	if s.reverse {
		w, s.writes = s.writes[n-1], s.writes[:n-1]
	} else {
		w, s.writes = s.writes[0], s.writes[1:]
	}
	return w, nil
}

func (s *sliceSource) close() error { s.writes = nil; return nil }

// mergedIter lays own writes over committed rows.
type mergedIter struct {
	ctx       context.Context
	committed *engine.Iter
	own       writeSource
	reverse   bool

	started        bool
	cOK            bool   // committed stands on a row not yet delivered
	w              *write // own write not yet delivered
	fromOwn, fromC bool   // what Key and Value read
	key, value     []byte
	err            error
	closed         bool
}

func (i *mergedIter) Next() bool {
	if i.err != nil || i.closed {
		return false
	}
	if !i.started {
		i.started, i.fromOwn, i.fromC = true, true, true
	}
	for {
		if i.fromOwn {
			if i.w, i.err = i.own.next(); i.err != nil {
				return false
			}
		}
		if i.fromC {
			if i.cOK = i.committed.Next(); !i.cOK {
				if i.err = i.committed.Err(); i.err != nil {
					return false
				}
			}
		}
		i.fromOwn, i.fromC = false, false
		switch {
		case i.w == nil && !i.cOK:
			return false
		case i.w == nil:
			i.fromC = true
		case !i.cOK:
			i.fromOwn = true
		default:
			c := bytes.Compare(i.w.key, i.committed.Key())
			if i.reverse {
				c = -c
			}
			i.fromOwn, i.fromC = c <= 0, c >= 0
		}
		if !i.fromOwn {
			i.key, i.value = i.committed.Key(), i.committed.Value()
			return true
		}
		if !i.w.del {
			i.key, i.value = i.w.key, i.w.value
			return true
		}
	}
}

func (i *mergedIter) Key() []byte   { return i.key }
func (i *mergedIter) Value() []byte { return i.value }
func (i *mergedIter) Err() error    { return i.err }

func (i *mergedIter) Close() error {
	if i.closed {
		return i.err
	}
	i.closed = true
	if err := i.own.close(); i.err == nil {
		i.err = err
	}
	if err := i.committed.Close(); i.err == nil {
		i.err = err
	}
	return i.err
}
