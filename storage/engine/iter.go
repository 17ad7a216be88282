package engine

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Get reads the newest version of key at or below at. found is false when there
// is none; deleted tells a tombstone from a value, the value is then where the key has
// moved, if it has. The value is appended to buf.
func (e *Engine) Get(key []byte, at Timestamp, buf []byte) (value []byte, ts Timestamp, found, deleted bool, err error) {
	return e.GetColumns(key, at, buf, nil)
}

// GetColumns is Get for who wants the columns with some attribute numbers: others may
// be NULL in the value. nil: all are wanted.
func (e *Engine) GetColumns(key []byte, at Timestamp, buf []byte, atts []int) (value []byte, ts Timestamp, found, deleted bool, err error) {
	if err := e.Failed(); err != nil {
		return nil, 0, false, false, err
	}
	value, ts, found, fill := e.rows.get(key, at, buf)
	if found {
		return value, ts, true, false, nil
	}
	if fill.wanted {
		value, ts, found, deleted, err := e.search(key, MaxTimestamp, buf, nil)
		if err == nil && found && !deleted {
			e.rows.fill(fill, key, value[len(buf):], ts)
		}
		if err != nil || !found || ts <= at {
			return value, ts, found, deleted, err
		}
	}
	return e.search(key, at, buf, atts)
}

// search is GetColumns past the row cache.
func (e *Engine) search(key []byte, at Timestamp, buf []byte, atts []int) (value []byte, ts Timestamp, found, deleted bool, err error) {
	if e.lacks(key) {
		if value, ts, found, covered, err := e.columns.Get(key, at, buf, atts); covered {
			return value, ts, found, false, e.wrap(err)
		}
	}
	g, err := e.NewGetter()
	if err != nil {
		return nil, 0, false, false, err
	}
	v, ts, found, deleted, err := g.Get(key, at)
	if v != nil {
		value = append(buf, v...)
		if value == nil {
			value = []byte{}
		}
	}
	if g.pin != nil {
		e.presence.searched(e, key)
	}
	if cerr := g.Close(); err == nil && cerr != nil {
		return nil, 0, false, false, cerr
	}
	return value, ts, found, deleted, err
}

// Getter reads single keys of the engine as it was when the getter was made.
type Getter struct {
	e   *Engine
	it  *pebble.Iterator
	buf []byte
	pin ColumnPin // segments of the key read last, nil for none
	val []byte    // a row from there
}

var getterOptions = &pebble.IterOptions{KeyTypes: pebble.IterKeyTypePointsOnly}

// NewGetter makes a getter. Close it.
func (e *Engine) NewGetter() (*Getter, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	it, err := e.db.NewIter(getterOptions)
	if err != nil {
		return nil, e.wrap(err)
	}
	g := e.getters.Get().(*Getter)
	g.e, g.it = e, it
	return g, nil
}

// Get is Engine.Get; the value is valid until the next call.
func (g *Getter) Get(key []byte, at Timestamp) (value []byte, ts Timestamp, found, deleted bool, err error) {
	value, ts, found, deleted, err = g.get(key, at)
	if g.e.columns == nil || err != nil {
		return value, ts, found, deleted, err
	}
	if g.pin == nil || !g.pin.Covers(key) {
		if g.pin != nil {
			g.pin.Release()
		}
		if g.pin = g.e.columns.PinKey(key); g.pin == nil {
			return value, ts, found, deleted, err
		}
	}
	v, cts, cfound, use, err := getColumns(g.pin, key, at, ts, found, deleted, g.val[:0])
	if err != nil {
		return nil, 0, false, false, g.e.wrap(err)
	}
	if !use {
		return value, ts, found, deleted, nil
	}
	if cfound {
		g.val = v
	}
	return v, cts, cfound, false, nil
}

// get reads the engine alone.
func (g *Getter) get(key []byte, at Timestamp) (value []byte, ts Timestamp, found, deleted bool, err error) {
	g.buf = AppendKey(g.buf[:0], key, at)
	if !g.it.SeekPrefixGE(g.buf) {
		return nil, 0, false, false, g.e.wrap(g.it.Error())
	}
	v, err := g.it.ValueAndErr()
	if err != nil {
		return nil, 0, false, false, g.e.wrap(err)
	}
	_, ts, found = DecodeKey(g.it.Key())
	if !found || len(v) == 0 || v[0] > kindValue {
		return nil, 0, false, false, corruptVersion(g.it.Key())
	}
	if v[0] == kindTombstone {
		if len(v) > 1 {
			return v[1:], ts, true, true, nil
		}
		return nil, ts, true, true, nil
	}
	return v[1:], ts, true, false, nil
}

// AnyIn reports whether any version of a key in [lower, upper) exists.
func (e *Engine) AnyIn(lower, upper []byte) (bool, error) {
	any, err := e.anyVersionIn(lower, upper)
	if any || err != nil || e.columns == nil {
		return any, err
	}
	pin := e.columns.Pin(lower, upper)
	if pin == nil {
		return false, nil
	}
	defer pin.Release()
	any, err = pin.AnyIn(lower, upper)
	return any, e.wrap(err)
}

// anyVersionIn is AnyIn of the engine alone.
func (e *Engine) anyVersionIn(lower, upper []byte) (bool, error) {
	if err := e.Failed(); err != nil {
		return false, err
	}
	var lb, ub [160]byte
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: AppendPrefix(lb[:0], lower), UpperBound: AppendPrefix(ub[:0], upper),
		KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return false, e.wrap(err)
	}
	any := it.First()
	return any, e.wrap(it.Close())
}

// Empty reports whether no tablet but the local one has a key.
func (e *Engine) Empty() (bool, error) {
	if err := e.Failed(); err != nil {
		return false, err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: dataLower, UpperBound: dataUpper, KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return false, e.wrap(err)
	}
	any := it.First() || e.columns != nil && e.columns.Any()
	return !any, e.wrap(it.Close())
}

// Close ends the getter; it must not be used afterwards.
func (g *Getter) Close() error {
	if g.pin != nil {
		g.pin.Release()
		g.pin = nil
	}
	err := g.e.wrap(g.it.Close())
	g.it = nil
	g.e.getters.Put(g)
	return err
}

func corruptVersion(ek []byte) error {
	return pgerror.New(pgerror.DataCorrupted, "malformed version at engine key %x", ek)
}

// Iter walks the newest versions at a timestamp, tombstones left out unless asked for.
type Iter struct {
	e       *Engine
	it      *pebble.Iterator
	at      Timestamp
	reverse bool
	started bool
	placed  bool // SeekGE has put it on a key that Next has not looked at
	valid   bool // it stands on a key not yet looked at (forward, after the first step)
	skip    []byte
	// see advance: rows left so far, when to look next, and what was seen last
	rows, look, looked, steps int
	seek                      bool
	// deleted keys are delivered too
	deleted bool

	key, val []byte
	ts       Timestamp
	isDel    bool
	lower    []byte
	upper    []byte
	err      error
	keyBuf   []byte
	valBuf   []byte
	closed   bool

	// pin and cols: segments lie in the range; see nextMerged.
	pin                          ColumnPin
	cols                         ColumnIter
	floors                       ColumnPin // OpenParts
	merging, stepDelta, stepCols bool
	deltaOK, colsOK              bool
	dKey, dVal                   []byte
	dTS                          Timestamp
	dDel                         bool
}

// IterOptions of NewIter.
type IterOptions struct {
	Lower, Upper []byte // keys; Upper exclusive
	At           Timestamp
	Reverse      bool
	// Tombstones are delivered as well, with Deleted true.
	Tombstones bool
}

// NewIter opens an iterator over [Lower, Upper). It keeps seeing the
// engine as it was.
func (e *Engine) NewIter(o IterOptions) (*Iter, error) {
	i, err := e.newIter(o)
	if err != nil || e.columns == nil {
		return i, err
	}
	if i.pin = e.columns.Pin(o.Lower, o.Upper); i.pin == nil {
		return i, nil
	}
	if i.cols, err = i.pin.NewIter(o.Lower, o.Upper, o.At, o.Reverse); err != nil {
		_ = i.Recycle()
		return nil, e.wrap(err)
	}
	return i, nil
}

// newIter is NewIter over the engine alone.
func (e *Engine) newIter(o IterOptions) (*Iter, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	i := e.iters.Get().(*Iter)
	lower, upper, kb, vb, sk := i.lower[:0], i.upper[:0], i.keyBuf, i.valBuf, i.skip
	*i = Iter{e: e, at: o.At, reverse: o.Reverse, deleted: o.Tombstones, keyBuf: kb, valBuf: vb, skip: sk[:0]}
	i.lower = AppendPrefix(lower, o.Lower)
	i.upper = AppendPrefix(upper, o.Upper)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: i.lower, UpperBound: i.upper, KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return nil, e.wrap(err)
	}
	i.it = it
	return i, nil
}

// Next moves to the next key; false at the end or on error.
func (i *Iter) Next() bool {
	if i.err != nil || i.closed {
		return false
	}
	switch {
	case i.cols != nil:
		return i.nextMerged()
	case i.floors != nil:
		return i.nextLive()
	}
	return i.nextDelta()
}

// nextDelta is Next over the engine alone.
func (i *Iter) nextDelta() bool {
	if i.reverse {
		return i.prev()
	}
	switch {
	case !i.started:
		i.started = true
		i.valid = i.it.First()
	case i.placed:
		i.placed = false
	case i.valid:
		i.advance()
	}
	same := 0
	for i.valid {
		k := i.it.Key()
		n := len(k) - suffixLen
		if n < TabletLen+1 || k[len(k)-1] != suffixLen {
			return i.fail(corruptVersion(k))
		}
		if bytes.Equal(k[:n], i.skip) { // an older version of a key already seen
			if same++; same > 3 {
				i.valid = i.it.NextPrefix()
			} else {
				i.valid = i.it.Next()
			}
			continue
		}
		ts := ^binary.BigEndian.Uint64(k[n:])
		if ts > i.at {
			if same++; same > 3 {
				i.keyBuf = append(i.keyBuf[:0], k[:n]...)
				i.keyBuf = binary.BigEndian.AppendUint64(i.keyBuf, ^i.at)
				i.keyBuf = append(i.keyBuf, suffixLen)
				i.valid = i.it.SeekGE(i.keyBuf)
				same = 0
			} else {
				i.valid = i.it.Next()
			}
			continue
		}
		v, err := i.it.ValueAndErr()
		if err != nil {
			return i.fail(err)
		}
		if len(v) == 0 || v[0] > kindValue {
			return i.fail(corruptVersion(k))
		}
		i.skip = append(i.skip[:0], k[:n]...)
		same = 0
		if i.isDel = v[0] == kindTombstone; i.isDel && !i.deleted && i.cols == nil {
			i.valid = i.it.Next()
			continue
		}
		i.key, i.val, i.ts = i.skip[:n-1], v[1:], ts
		return true
	}
	return i.fail(i.it.Error())
}

// SeekGE makes the next Next go to the first key at or above key that counts. REQUIRES: OpenParts
// made the iterator.
func (i *Iter) SeekGE(key []byte) {
	if i.err != nil || i.closed {
		return
	}
	i.keyBuf = AppendPrefix(i.keyBuf[:0], key)
	i.started, i.placed, i.skip = true, true, i.skip[:0]
	i.valid = i.it.SeekGE(i.keyBuf)
}

// advance leaves a key that was delivered. Stepping is the cheapest where keys
// have one version. Where they have many, dead ones that the store beneath steps
// over by itself included, it is cheaper to seek the next key: the number of steps
// per row, looked at now and then, decides.
func (i *Iter) advance() {
	if i.rows++; i.rows >= i.look {
		st := i.it.Stats()
		steps := st.ForwardStepCount[pebble.InternalIterCall]
		i.seek = !i.seek && steps-i.steps > advanceStepsMax*(i.rows-i.looked)
		i.steps, i.looked = steps, i.rows
		i.look = i.rows + min(max(i.rows, 2), advanceLookRows)
		if i.seek {
			i.look = i.rows + advanceSeekRows
		}
	}
	if i.seek {
		i.valid = i.it.NextPrefix()
	} else {
		i.valid = i.it.Next()
	}
}

const (
	advanceLookRows = 64   // between looks at the number of steps
	advanceStepsMax = 6    // steps per row from which seeking is cheaper
	advanceSeekRows = 1024 // before stepping is tried again
)

// prev is Next downwards: the versions of a key come oldest first, the last one
// not above at is the key's.
func (i *Iter) prev() bool {
	if !i.started {
		i.started = true
		i.valid = i.it.Last()
	}
	for i.valid {
		found := false
		i.skip = i.skip[:0]
		for i.valid {
			k := i.it.Key()
			n := len(k) - suffixLen
			if n < TabletLen+1 || k[len(k)-1] != suffixLen {
				return i.fail(corruptVersion(k))
			}
			if len(i.skip) == 0 {
				i.skip = append(i.skip, k[:n]...)
			} else if !bytes.Equal(k[:n], i.skip) {
				break
			}
			if ts := ^binary.BigEndian.Uint64(k[n:]); ts <= i.at {
				v, err := i.it.ValueAndErr()
				if err != nil {
					return i.fail(err)
				}
				if len(v) == 0 || v[0] > kindValue {
					return i.fail(corruptVersion(k))
				}
				i.valBuf = append(i.valBuf[:0], v...)
				i.ts, found = ts, true
			}
			i.valid = i.it.Prev()
		}
		if !found {
			continue
		}
		i.isDel = i.valBuf[0] == kindTombstone
		if i.isDel && !i.deleted && i.cols == nil {
			continue
		}
		i.key, i.val = i.skip[:len(i.skip)-1], i.valBuf[1:]
		return true
	}
	return i.fail(i.it.Error())
}

func (i *Iter) fail(err error) bool {
	i.valid = false
	if err != nil {
		i.err = i.e.wrap(err)
	}
	return false
}

// Key, Value, Timestamp and Deleted describe the version the iterator stands on;
// valid until the next Next or Close.
func (i *Iter) Key() []byte          { return i.key }
func (i *Iter) Value() []byte        { return i.val }
func (i *Iter) Timestamp() Timestamp { return i.ts }
func (i *Iter) Deleted() bool        { return i.isDel }

// Err is why Next returned false, nil at the end.
func (i *Iter) Err() error { return i.err }

// Close ends the iterator; it must not be used afterwards.
func (i *Iter) Close() error {
	if i.closed {
		return i.err
	}
	i.closed = true
	err := i.err
	if i.cols != nil {
		if cerr := i.cols.Close(); err == nil && cerr != nil {
			err = i.e.wrap(cerr)
		}
		i.cols = nil
	}
	if i.pin != nil {
		i.pin.Release()
		i.pin = nil
	}
	i.floors = nil
	if cerr := i.it.Close(); err == nil && cerr != nil {
		err = i.e.wrap(cerr)
	}
	i.it = nil
	return err
}

// Recycle is Close and hands the iterator's memory to later ones. REQUIRES: no
// reference to the iterator is left.
func (i *Iter) Recycle() error {
	e, err := i.e, i.Close()
	e.iters.Put(i)
	return err
}
