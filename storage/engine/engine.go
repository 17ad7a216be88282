package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// FormatVersion is the version of everything this store writes. A store of another
// version is refused.
//
// Version 1: engine keys as in key.go, values as in value.go, rows as in
// storage/rowcodec version 1, index keys as in sql/types/keyenc; timestamps, wherever
// they are (rows, keys, column segments, trees of the catalog), count from 1970.
//
// Version 2: timestamps count from 2000 (types.Timestamp), so that they reach as far
// as PostgreSQL's. The bytes of a store of version 1 would be read thirty years off.
const FormatVersion = 2

var formatKey = []byte("format")

// Options of Open. The zero value is usable.
type Options struct {
	// FS is the file system; the operating system's when nil.
	FS vfs.FS
	// MemoryBytes is what the engine may use for its caches and write buffers, 0
	// for 512 MiB. It is a target, not a hard bound.
	MemoryBytes int64
	// Logf gets the engine's notes: recovery, stalls, background errors. May be nil.
	Logf func(format string, args ...any)
	// OnFatal is told once when the engine fails for good. The process should then
	// end: some calls may hang. May be nil.
	OnFatal func(err error)
	// PresenceReads is after how many point reads of a space with segments a filter of the
	// keys that have versions in the engine is built (see presence); 0 for 256.
	PresenceReads int
}

// Engine is an open store.
type Engine struct {
	db   *pebble.DB
	opts Options
	popt *pebble.Options
	dir  string

	cache   *pebble.Cache
	fatal   atomic.Pointer[pgerror.Error]
	once    sync.Once
	iters   sync.Pool // *Iter
	getters sync.Pool // *Getter
	columns Columns   // nil: rows only

	space    diskSpace
	presence presence
	rows     rowCache

	// unlogged counts unsynced local writes; synced is how many of them a later sync covered.
	unlogged, synced atomic.Uint64
}

// Open opens or creates the store in dir. Errors: 58P01 and 42501-like I/O
// errors with the path, 55006 when another process has it open, XX001 when it is
// damaged, 0A000 when it has another format version.
func Open(dir string, o Options) (*Engine, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = 512 << 20
	}
	e := &Engine{opts: o, dir: dir}
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, pgerror.Wrap(err, pgerror.IoError, "could not create directory \"%s\": %v", dir, cause(err))
	}
	if err := refuseForeign(dir, o.FS); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		if isLocked(err) {
			return nil, pgerror.Wrap(err, pgerror.ObjectInUse, "data directory \"%s\" is in use by another process", dir)
		}
		return nil, pgerror.Wrap(err, pgerror.IoError, "could not lock data directory \"%s\": %v", dir, cause(err))
	}
	if err := verifyManifest(dir, o.FS); err != nil {
		lock.Close()
		return nil, err
	}
	e.cache = pebble.NewCache(o.MemoryBytes * 9 / 16)
	e.rows.init(o.MemoryBytes)
	e.popt = e.pebbleOptions(lock)
	db, err := pebble.Open(dir, e.popt)
	if err != nil {
		e.cache.Unref()
		lock.Close()
		if pebble.IsCorruptionError(err) {
			return nil, pgerror.Wrap(err, pgerror.DataCorrupted, "data directory \"%s\" is damaged: %v%s", dir, err, logDetail(err))
		}
		return nil, pgerror.Wrap(err, pgerror.IoError, "could not open data directory \"%s\": %v", dir, cause(err))
	}
	e.db = db
	e.iters.New = func() any { return &Iter{} }
	e.getters.New = func() any { return &Getter{} }
	e.presence.init(o.PresenceReads)
	if err := e.checkFormat(); err != nil {
		db.Close()
		e.cache.Unref()
		lock.Close()
		return nil, err
	}
	return e, nil
}

// refuseForeign refuses a directory without a store that holds other files: the
// server takes its directory for itself. A file system's root may have lost+found.
func refuseForeign(dir string, fs vfs.FS) error {
	names, err := fs.List(dir)
	if err != nil {
		return pgerror.Wrap(err, pgerror.IoError, "could not read directory \"%s\": %v", dir, cause(err))
	}
	foreign := ""
	for _, name := range names {
		switch {
		case ofStore(name):
			return nil
		case name != "LOCK" && name != "lost+found" && name != "NODE": // NODE: rpc/node, made before the store
			foreign = name
		}
	}
	if foreign != "" {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "directory \"%s\" is not empty and holds no database: \"%s\" is in it", dir, foreign)
	}
	return nil
}

// ofStore recognises the files that every store has.
func ofStore(name string) bool {
	return strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "OPTIONS-")
}

// Exists reports whether there is a store in dir, whatever its state.
func Exists(dir string, fs vfs.FS) (bool, error) {
	names, err := fs.List(dir)
	if err != nil {
		return false, pgerror.Wrap(err, pgerror.IoError, "could not read directory \"%s\": %v", dir, cause(err))
	}
	return slices.ContainsFunc(names, ofStore), nil
}

// pebbleOptions tunes for scans of wide ranges next to point writes: large
// blocks with cheap compression, bloom filters on key prefixes, a large memtable.
func (e *Engine) pebbleOptions(lock *pebble.Lock) *pebble.Options {
	mem := uint64(min(max(e.opts.MemoryBytes/16, 4<<20), 64<<20))
	p := &pebble.Options{
		FS:                          e.opts.FS,
		Lock:                        lock,
		Comparer:                    comparer,
		Cache:                       e.cache,
		Logger:                      (*logger)(e),
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                mem,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                4096,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             0,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener:               e.events(),
	}
	for i := range p.Levels {
		l := &p.Levels[i]
		l.BlockSize = 32 << 10
		l.IndexBlockSize = 256 << 10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.Compression = func() *sstable.CompressionProfile { return sstable.FastestCompression }
	}
	p.TargetFileSizes[0] = 16 << 20
	for i := 1; i < len(p.TargetFileSizes); i++ {
		p.TargetFileSizes[i] = min(p.TargetFileSizes[i-1]*2, 128<<20)
	}
	p.EnsureDefaults()
	return p
}

// events hands on what an operator should know. A damaged block fails the reads
// that need it (XX001), not the store.
func (e *Engine) events() *pebble.EventListener {
	l := &pebble.EventListener{
		BackgroundError: func(err error) { e.logf("background work failed, trying again: %v", err) },
		DataCorruption:  func(i pebble.DataCorruptionInfo) { e.logf("%s", i) },
		DiskSlow:        func(i pebble.DiskSlowInfo) { e.logf("%s", i) },
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) { e.logf("writes wait: %s", i.Reason) },
	}
	l.EnsureDefaults((*logger)(e))
	return l
}

func (e *Engine) logf(format string, args ...any) {
	if e.opts.Logf != nil {
		e.opts.Logf("storage: "+format, args...)
	}
}

func (e *Engine) checkFormat() error {
	v, ok, err := e.LocalGet(formatKey)
	if err != nil {
		return err
	}
	if ok {
		if len(v) != 4 {
			return pgerror.New(pgerror.DataCorrupted, "data directory \"%s\" has a malformed format record", e.dir)
		}
		switch got := binary.LittleEndian.Uint32(v); {
		case got == 0 || got > FormatVersion:
			return pgerror.New(pgerror.FeatureNotSupported,
				"data directory \"%s\" has format version %d, this program reads version %d", e.dir, got, FormatVersion)
		case got < FormatVersion:
			return pgerror.New(pgerror.FeatureNotSupported,
				"data directory \"%s\" has format version %d, which an older basalt wrote; this program reads version %d: dump it with that basalt (pg_dump) and load the dump into a new directory",
				e.dir, got, FormatVersion)
		}
		return nil
	}
	it, err := e.db.NewIter(nil)
	if err != nil {
		return e.wrap(err)
	}
	any := it.First()
	if err := it.Close(); err != nil {
		return e.wrap(err)
	}
	if any {
		return pgerror.New(pgerror.DataCorrupted, "data directory \"%s\" has data but no format record", e.dir)
	}
	return e.LocalSet(formatKey, binary.LittleEndian.AppendUint32(nil, FormatVersion), true)
}

// Close flushes and closes the store. REQUIRES: no iterator open.
func (e *Engine) Close() error {
	e.presence.close()
	var err error
	if e.fatal.Load() == nil {
		err = e.db.Flush()
	}
	// Whoever comes late gets an error.
	e.fatal.CompareAndSwap(nil, pgerror.New(pgerror.IoError, "the store is closed"))
	err = errors.Join(err, e.db.Close())
	e.cache.Unref()
	if e.popt.Lock != nil {
		err = errors.Join(err, e.popt.Lock.Close())
	}
	if err != nil {
		return e.wrap(err)
	}
	return nil
}

// FS and Dir are where the store lives.
func (e *Engine) FS() vfs.FS  { return e.opts.FS }
func (e *Engine) Dir() string { return e.dir }

// Pebble is the store beneath, for metrics and tests.
func (e *Engine) Pebble() *pebble.DB { return e.db }

// Failed is the error the engine failed with for good, nil while it is well.
func (e *Engine) Failed() error {
	if f := e.fatal.Load(); f != nil {
		return f
	}
	return nil
}

// fail puts the engine into its failed state.
func (e *Engine) fail(err error) {
	e.once.Do(func() {
		f := failure(err)
		e.fatal.Store(f)
		if e.opts.Logf != nil {
			e.opts.Logf("storage: %s", f.Message)
		}
		if e.opts.OnFatal != nil {
			e.opts.OnFatal(f)
		}
	})
}

// wrap turns an error of the store beneath into a report.
func (e *Engine) wrap(err error) error {
	if err == nil {
		return nil
	}
	var pe *pgerror.Error
	if errors.As(err, &pe) {
		return pe
	}
	if pebble.IsCorruptionError(err) {
		return pgerror.Wrap(err, pgerror.DataCorrupted, "damaged data in \"%s\": %v", e.dir, err)
	}
	if vfs.IsNoSpaceError(err) {
		return pgerror.Wrap(err, pgerror.DiskFull, "could not write to \"%s\": %v", e.dir, cause(err))
	}
	return pgerror.Wrap(err, pgerror.IoError, "input/output error in \"%s\": %v", e.dir, cause(err))
}

func cause(err error) error {
	for {
		u := errors.Unwrap(err)
		if u == nil {
			return err
		}
		err = u
	}
}

// logger hands Pebble's notes on and turns its fatal errors into the failed state.
type logger Engine

func (l *logger) Infof(format string, args ...any) {}

func (l *logger) Errorf(format string, args ...any) {
	if l.opts.Logf != nil {
		l.opts.Logf("storage: "+format, args...)
	}
}

// Fatalf is called when going on would risk data. After a failed write of the
// log the caller (Commit) sees the failed state. Anything else must not go on
// at all: the goroutine stops here for ever, and OnFatal ends the process.
func (l *logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if c, ok := a.(error); ok {
			err = c
		}
	}
	(*Engine)(l).fail(err)
	if format == "pebble: fatal commit error: %v" {
		return
	}
	select {}
}

// LocalGet reads a local key. The value is the caller's.
func (e *Engine) LocalGet(key []byte) (value []byte, ok bool, err error) {
	if err := e.Failed(); err != nil {
		return nil, false, err
	}
	var kb [128]byte
	v, c, err := e.db.Get(appendLocal(kb[:0], key))
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return nil, false, nil
		}
		return nil, false, e.wrap(err)
	}
	value = append([]byte{}, v...)
	return value, true, closeErr(e, c)
}

func closeErr(e *Engine, c io.Closer) error { return e.wrap(c.Close()) }

// LocalSet writes a local key. Without sync it is durable no later than the next
// Commit or Sync that returns.
func (e *Engine) LocalSet(key, value []byte, sync bool) error {
	if err := e.Failed(); err != nil {
		return err
	}
	var kb [128]byte
	k := appendLocal(kb[:0], key)
	if sync {
		return e.finish(e.db.Set(k, value, pebble.Sync))
	}
	err := e.finish(e.db.Set(k, value, pebble.NoSync))
	e.unlogged.Add(1)
	return err
}

// finish gives the outcome of a write.
func (e *Engine) finish(err error) error {
	if err != nil {
		return e.wrap(err)
	}
	return e.Failed()
}

// Sync makes earlier unsynced local writes durable; free when there are none.
func (e *Engine) Sync() error {
	n := e.unlogged.Load()
	if e.synced.Load() >= n {
		return e.Failed()
	}
	if err := e.finish(e.db.LogData(nil, pebble.Sync)); err != nil {
		return err
	}
	e.covered(n)
	return nil
}

// covered notes that the first n unsynced writes are durable.
func (e *Engine) covered(n uint64) {
	for {
		old := e.synced.Load()
		if old >= n || e.synced.CompareAndSwap(old, n) {
			return
		}
	}
}

// LocalDeleteRange removes the local keys in [lower, upper).
func (e *Engine) LocalDeleteRange(lower, upper []byte) error {
	if err := e.Failed(); err != nil {
		return err
	}
	return e.finish(e.db.DeleteRange(appendLocal(nil, lower), appendLocal(nil, upper), pebble.Sync))
}
