package engine

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// Versions walks all versions of keys, newest first: garbage collection and
// debugging.
type Versions struct {
	e      *Engine
	it     *pebble.Iterator
	prefix []byte
	buf    []byte
	ts     Timestamp
	del    bool
	size   int // of the value
	// ahead: it already stands on the next key
	ahead bool
	err   error
}

// NewVersions opens a walk over all tablets but the local one as they are now. Close it.
func (e *Engine) NewVersions() (*Versions, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: dataLower, UpperBound: dataUpper, KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return nil, e.wrap(err)
	}
	return &Versions{e: e, it: it}, nil
}

// Seek goes to the newest version of key at or below ts.
func (v *Versions) Seek(key []byte, ts Timestamp) bool {
	v.buf = AppendKey(v.buf[:0], key, ts)
	v.prefix = append(v.prefix[:0], v.buf[:split(v.buf)]...)
	return v.look(v.it.SeekGE(v.buf))
}

// SeekKey goes to the newest version of the first key at or above key.
func (v *Versions) SeekKey(key []byte) bool {
	v.buf = AppendPrefix(v.buf[:0], key)
	return v.enter(v.it.SeekGE(v.buf))
}

// NextVersion goes to the next older version of the same key.
func (v *Versions) NextVersion() bool { return v.look(v.it.Next()) }

// NextKey goes to the newest version of the next key.
func (v *Versions) NextKey() bool {
	if v.ahead {
		return v.enter(true)
	}
	if !v.it.Valid() {
		return false
	}
	return v.enter(v.it.NextPrefix())
}

// enter takes the key the iterator stands on.
func (v *Versions) enter(ok bool) bool {
	if ok {
		k := v.it.Key()
		v.prefix = append(v.prefix[:0], k[:split(k)]...)
	}
	return v.look(ok)
}

// look decodes the version the iterator stands on; false when it is of another key.
func (v *Versions) look(ok bool) bool {
	v.ahead = false
	if !ok {
		v.err = v.e.wrap(v.it.Error())
		return false
	}
	k := v.it.Key()
	if !bytes.Equal(k[:split(k)], v.prefix) {
		v.ahead = true
		return false
	}
	val, err := v.it.ValueAndErr()
	if err != nil {
		v.err = v.e.wrap(err)
		return false
	}
	_, ts, good := DecodeKey(k)
	if !good || len(val) == 0 || val[0] > kindValue {
		v.err = corruptVersion(k)
		return false
	}
	v.ts, v.del, v.size = ts, val[0] == kindTombstone, len(val)
	return true
}

// Key, EngineKey, Timestamp and Deleted describe the version stood on; valid
// until the next move.
func (v *Versions) Key() []byte          { return v.prefix[:len(v.prefix)-1] }
func (v *Versions) EngineKey() []byte    { return v.it.Key() }
func (v *Versions) Timestamp() Timestamp { return v.ts }
func (v *Versions) Deleted() bool        { return v.del }

// Size is the bytes of the version stood on.
func (v *Versions) Size() int  { return len(v.it.Key()) + v.size }
func (v *Versions) Err() error { return v.err }

// Close ends the walk.
func (v *Versions) Close() error { return v.e.wrap(v.it.Close()) }

// NewVersionsIn opens a walk over the keys in [lower, upper). Close it.
func (e *Engine) NewVersionsIn(lower, upper []byte) (*Versions, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: AppendPrefix(nil, lower), UpperBound: AppendPrefix(nil, upper),
		KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return nil, e.wrap(err)
	}
	return &Versions{e: e, it: it}, nil
}

// Compact gives back the space that removed versions in [lower, upper) still take.
func (e *Engine) Compact(ctx context.Context, lower, upper []byte) error {
	if err := e.Failed(); err != nil {
		return err
	}
	return e.wrap(e.db.Compact(ctx, AppendPrefix(nil, lower), AppendPrefix(nil, upper), false))
}
