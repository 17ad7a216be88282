package engine

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Sorted files outside the store: runs of a transaction's spilled writes
// (temporary, never synced, a key's writes ordered newest first by sequence
// number) and files of versions to be ingested. Both are tables of Pebble's
// format with engine keys; in a run the sequence number stands where a version
// has its timestamp, and the value is
//
//	offset  size  what
//	0       4     statement number, little endian
//	4       1     flags: 1 tombstone, 2 overwrites
//	5       n     the value

// Spilled is one entry of a run.
type Spilled struct {
	Key        []byte
	Value      []byte
	Statement  uint32
	Seq        uint64
	Deleted    bool
	Overwrites bool
}

const (
	spillDeleted    = 1
	spillOverwrites = 2
	spillHeaderLen  = 5
)

// FileWriter writes one sorted file.
type FileWriter struct {
	e    *Engine
	w    *sstable.Writer
	path string
	key  []byte
	val  []byte
	size uint64
	// tally counts versions added
	tally writeTally
}

// unsynced is a file whose loss does not matter.
type unsynced struct{ vfs.File }

func (unsynced) Sync() error { return nil }

func (e *Engine) newFile(path string, temporary bool) (*FileWriter, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	f, err := e.opts.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, e.wrap(err)
	}
	o := e.popt.MakeWriterOptions(6, e.db.TableFormat())
	if temporary {
		f = unsynced{f}
		o.FilterPolicy = pebble.NoFilterPolicy
		o.Compression = sstable.NoCompression
	}
	return &FileWriter{e: e, w: sstable.NewWriter(objstorageprovider.NewFileWritable(f), o), path: path}, nil
}

// NewRun starts a run. NewVersionFile starts a file for Ingest. Keys must come in order.
func (e *Engine) NewRun(path string) (*FileWriter, error)         { return e.newFile(path, true) }
func (e *Engine) NewVersionFile(path string) (*FileWriter, error) { return e.newFile(path, false) }

// AddSpilled adds an entry to a run.
func (w *FileWriter) AddSpilled(s *Spilled) error {
	w.key = AppendKey(w.key[:0], s.Key, s.Seq)
	w.val = binary.LittleEndian.AppendUint32(w.val[:0], s.Statement)
	var flags byte
	if s.Deleted {
		flags |= spillDeleted
	}
	if s.Overwrites {
		flags |= spillOverwrites
	}
	w.val = append(append(w.val, flags), s.Value...)
	return w.add()
}

// AddVersion adds a version to a file for Ingest.
func (w *FileWriter) AddVersion(key, value []byte, deleted bool, ts Timestamp) error {
	w.tally.add(key, ts)
	w.key = AppendKey(w.key[:0], key, ts)
	if deleted {
		w.val = append(w.val[:0], kindTombstone)
	} else {
		w.val = append(append(w.val[:0], kindValue), value...)
	}
	return w.add()
}

func (w *FileWriter) add() error {
	w.size += uint64(len(w.key) + len(w.val))
	return w.e.wrap(w.w.Set(w.key, w.val))
}

// Size is about how much was added.
func (w *FileWriter) Size() uint64 { return w.size }

// Path is the file's name.
func (w *FileWriter) Path() string { return w.path }

// Finish completes the file; files for Ingest are then durable.
func (w *FileWriter) Finish() error {
	w.tally.tell(w.e.columns) // what is not ingested is counted all the same: an estimate
	return w.e.wrap(w.w.Close())
}

// AddLocal adds a local key to a file for Ingest that has nothing else.
func (w *FileWriter) AddLocal(key, value []byte) error {
	w.key, w.val = appendLocal(w.key[:0], key), append(w.val[:0], value...)
	return w.add()
}

// Ingest makes files of versions at ts part of the store, all or none, durably. The
// files are used up.
func (e *Engine) Ingest(ctx context.Context, paths []string, ts Timestamp) error {
	if err := e.Failed(); err != nil {
		return err
	}
	err := e.finish(e.ingest(ctx, paths))
	e.rows.ingested()
	if err == nil && e.columns != nil {
		e.columns.Ingested(ts)
	}
	return err
}

// RunIter walks the entries of runs merged, one key after another.
type RunIter struct {
	e       *Engine
	it      *pebble.Iterator
	reverse bool
	started bool
	valid   bool
	prefix  []byte
	cur     Spilled
	val     []byte
	lo, hi  []byte
}

// OpenRuns walks [lower, upper) of some runs; nil bounds are open.
func (e *Engine) OpenRuns(paths []string, lower, upper []byte, reverse bool) (*RunIter, error) {
	r := &RunIter{e: e, reverse: reverse, lo: dataLower, hi: dataUpper}
	if lower != nil {
		r.lo = AppendPrefix(nil, lower)
	}
	if upper != nil {
		r.hi = AppendPrefix(nil, upper)
	}
	var files [][]sstable.ReadableFile
	for _, p := range paths {
		f, err := e.opts.FS.Open(p)
		if err != nil {
			for _, l := range files {
				l[0].Close()
			}
			return nil, e.wrap(err)
		}
		files = append(files, []sstable.ReadableFile{f})
	}
	var err error
	r.it, err = pebble.NewExternalIter(e.popt, &pebble.IterOptions{LowerBound: r.lo, UpperBound: r.hi, KeyTypes: pebble.IterKeyTypePointsOnly}, files)
	if err != nil {
		return nil, e.wrap(err)
	}
	return r, nil
}

// Next gives the newest entry of the next key that accept takes, nil at the end.
// The entry is valid until the next call.
func (r *RunIter) Next(accept func(s *Spilled) bool) (*Spilled, error) {
	if !r.started {
		r.started = true
		if r.reverse {
			r.valid = r.it.Last()
		} else {
			r.valid = r.it.First()
		}
	}
	return r.take(accept)
}

// Seek gives the newest entry of key that accept takes, nil when there is none.
// REQUIRES: not reverse. It spoils Next.
func (r *RunIter) Seek(key []byte, accept func(s *Spilled) bool) (*Spilled, error) {
	k := AppendPrefix(nil, key)
	r.valid = r.it.SeekGE(k)
	if !r.valid {
		return nil, r.e.wrap(r.it.Error())
	}
	if ek := r.it.Key(); !bytes.Equal(ek[:split(ek)], k) {
		return nil, nil
	}
	s, err := r.take(accept)
	if s != nil && !bytes.Equal(s.Key, key) {
		return nil, err
	}
	return s, err
}

func (r *RunIter) take(accept func(s *Spilled) bool) (*Spilled, error) {
	for r.valid {
		k := r.it.Key()
		r.prefix = append(r.prefix[:0], k[:split(k)]...)
		found := false
		for r.valid {
			k = r.it.Key()
			n := split(k)
			if !bytes.Equal(k[:n], r.prefix) {
				break
			}
			if !found || r.reverse { // newest first, or newest last
				v, err := r.it.ValueAndErr()
				if err != nil {
					return nil, r.e.wrap(err)
				}
				if len(k)-n != suffixLen || len(v) < spillHeaderLen {
					return nil, pgerror.New(pgerror.DataCorrupted, "malformed entry in a spill file")
				}
				s := Spilled{Statement: binary.LittleEndian.Uint32(v), Seq: ^binary.BigEndian.Uint64(k[n:]),
					Deleted: v[4]&spillDeleted != 0, Overwrites: v[4]&spillOverwrites != 0}
				if accept(&s) {
					r.val = append(r.val[:0], v[spillHeaderLen:]...)
					r.cur, found = s, true
				}
			}
			if r.reverse {
				r.valid = r.it.Prev()
			} else {
				r.valid = r.it.Next()
			}
		}
		if found {
			r.cur.Key, r.cur.Value = r.prefix[:len(r.prefix)-1], r.val
			return &r.cur, nil
		}
	}
	return nil, r.e.wrap(r.it.Error())
}

// Duplicate is the first key with more than one entry, nil when there is none. It spoils Next.
func (r *RunIter) Duplicate(ctx context.Context) ([]byte, error) {
	n := 0
	for ok := r.it.First(); ok; ok = r.it.Next() {
		k := r.it.Key()
		k = k[:split(k)]
		if n > 0 && bytes.Equal(k, r.prefix) {
			return bytes.Clone(k[:len(k)-1]), nil
		}
		r.prefix = append(r.prefix[:0], k...)
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, r.e.wrap(r.it.Error())
}

// Close ends the walk.
func (r *RunIter) Close() error { return r.e.wrap(r.it.Close()) }
