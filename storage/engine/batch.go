package engine

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// The bytes of a stored version's value (frozen, format version 1):
//
//	offset  size  what
//	0       1     kind: 0 tombstone, 1 value
//	1       n     the value; of a tombstone mostly nothing: the key under which what was
//	              deleted goes on, which only helps those who wait for it
const (
	kindTombstone = 0
	kindValue     = 1
)

var tombstone = []byte{kindTombstone}

// Batch collects versions and local keys to be applied at once.
type Batch struct {
	e *Engine
	b *pebble.Batch
	// tally counts versions put
	tally writeTally
	// forgotten are the ranges of ForgetRange
	forgotten [][2][]byte
}

// NewBatch makes a batch with room for size bytes.
func (e *Engine) NewBatch(size int) *Batch {
	return &Batch{e: e, b: e.db.NewBatchWithSize(size)}
}

// Put adds a version of key.
func (b *Batch) Put(key, value []byte, ts Timestamp) error {
	b.tally.add(key, ts)
	d := b.b.SetDeferred(len(key)+1+suffixLen, 1+len(value))
	AppendKey(d.Key[:0], key, ts)
	d.Value[0] = kindValue
	copy(d.Value[1:], value)
	return b.e.wrap(d.Finish())
}

// Delete adds a tombstone.
func (b *Batch) Delete(key []byte, ts Timestamp) error {
	b.tally.add(key, ts)
	d := b.b.SetDeferred(len(key)+1+suffixLen, 1)
	AppendKey(d.Key[:0], key, ts)
	d.Value[0] = kindTombstone
	return b.e.wrap(d.Finish())
}

// DeleteMoved is Delete for what goes on under the key to.
func (b *Batch) DeleteMoved(key, to []byte, ts Timestamp) error {
	b.tally.add(key, ts)
	d := b.b.SetDeferred(len(key)+1+suffixLen, 1+len(to))
	AppendKey(d.Key[:0], key, ts)
	d.Value[0] = kindTombstone
	copy(d.Value[1:], to)
	return b.e.wrap(d.Finish())
}

// Forget removes one version for good (garbage collection).
func (b *Batch) Forget(key []byte, ts Timestamp) error {
	d := b.b.DeleteDeferred(len(key) + 1 + suffixLen)
	AppendKey(d.Key[:0], key, ts)
	return b.e.wrap(d.Finish())
}

// ForgetEngineKey is Forget by engine key.
func (b *Batch) ForgetEngineKey(ek []byte) error { return b.e.wrap(b.b.Delete(ek, nil)) }

// ForgetRange removes all versions of the keys in [lower, upper).
func (b *Batch) ForgetRange(lower, upper []byte) error {
	b.forgotten = append(b.forgotten, [2][]byte{lower, upper})
	return b.e.wrap(b.b.DeleteRange(AppendPrefix(nil, lower), AppendPrefix(nil, upper), nil))
}

// LocalSet and LocalDelete change local keys.
func (b *Batch) LocalSet(key, value []byte) error {
	return b.e.wrap(b.b.Set(appendLocal(nil, key), value, nil))
}

func (b *Batch) LocalDelete(key []byte) error {
	return b.e.wrap(b.b.Delete(appendLocal(nil, key), nil))
}

// LocalDeleteRange removes the local keys in [lower, upper).
func (b *Batch) LocalDeleteRange(lower, upper []byte) error {
	return b.e.wrap(b.b.DeleteRange(appendLocal(nil, lower), appendLocal(nil, upper), nil))
}

// Len is the batch's size in bytes.
func (b *Batch) Len() int { return b.b.Len() }

// Commit applies the batch and, with sync, returns after it is durable; commits
// of several goroutines share one sync of the log. An error leaves the engine
// failed unless nothing was applied; the batch is closed either way.
func (b *Batch) Commit(sync bool) error {
	defer b.b.Close()
	if err := b.e.Failed(); err != nil {
		return err
	}
	n := b.e.unlogged.Load()
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	repr := b.b.Repr() // a large batch is empty once it is applied: its memory is the store's then
	if err := b.e.finish(b.e.apply(b.b, opts)); err != nil {
		return err
	}
	if sync {
		b.e.covered(n)
	}
	b.e.rows.wrote(repr)
	if b.tally.tell(b.e.columns) {
		b.tellVersions(repr)
	}
	for _, r := range b.forgotten {
		b.e.presence.forget(r[0], r[1])
	}
	b.e.rows.forget(b.forgotten)
	return nil
}

// tellVersions tells the columns of the versions in a batch's representation. REQUIRES: they have been applied.
func (b *Batch) tellVersions(repr []byte) {
	r := batchrepr.Read(repr)
	for {
		kind, ek, _, ok, err := r.Next()
		if !ok || err != nil {
			return // the batch was applied: it is not malformed
		}
		if kind != pebble.InternalKeyKindSet || bytes.HasPrefix(ek, localPrefix) {
			continue
		}
		if key, ts, ok := DecodeKey(ek); ok {
			b.e.columns.Written(key, ts)
		}
	}
}

// localPrefix is what local keys begin with in the store.
var localPrefix = []byte{0, 0}

// Close drops a batch that was not committed.
func (b *Batch) Close() { b.b.Close() }
