package columns

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/segment"
)

// folder is where segment files lie, in the store's directory.
const folder = "segments"

// Mode says when rows move into segments.
type Mode uint8

const (
	// Adaptive merges what is worth it.
	Adaptive Mode = iota
	// Off leaves rows where they are but for MergeNow; segments that exist are read and stay.
	Off
	// Always merges whatever can be, all the time (tests).
	Always
)

// ParseMode reads a mode's name: auto, off or always.
func ParseMode(s string) (Mode, error) {
	for m, name := range []string{"auto", "off", "always"} {
		if s == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("%q: want auto, off or always", s)
}

// Options of Open. The zero value is usable.
type Options struct {
	Mode Mode
	// RowsMin is how many rows a space must have to get segments; 0: 16 Ki, or 1 under Always.
	RowsMin int
	// FileRowsMax is how many rows a segment holds at most; 0: 128 Ki, or 1 to 3 under
	// Always, by the segment's number.
	FileRowsMax int
	// BlockRows makes smaller blocks (tests); 0: as segment has them.
	BlockRows int
	// CacheBytes bounds the blocks kept in memory; 0 for 64 MiB.
	CacheBytes int64
	// OverlayBytes bounds what is kept in memory of the delta for scans; 0: a quarter of CacheBytes, below 0: nothing is.
	OverlayBytes int64
	// ChunkRows makes smaller chunks of it (tests); 0: 4096.
	ChunkRows int
	// Logf gets notes for the operator. May be nil.
	Logf func(format string, args ...any)
}

// Store is the column segments of a store. It implements engine.Columns.
type Store struct {
	eng   *engine.Engine
	fs    vfs.FS
	dir   string
	opts  Options
	cache *segment.Cache

	cells atomic.Pointer[cells]

	// mu serialises changes of the directory.
	mu   sync.Mutex
	next atomic.Uint64 // number of the next record
	// prepared are the segments of prepared transactions that wait for TakePrepared.
	prepared map[uint64]*Segment
	// dropping are ranges of keys about to go (Drop).
	dropping []*dropping

	schemas schemas
	merger  merger

	// newest is the highest timestamp that versions in the engine have been given since the start; overlayBytes
	// what all overlays take.
	newest       atomic.Uint64
	overlayBytes atomic.Int64
}

var _ engine.Columns = (*Store)(nil)

// ResizeCache changes Options.CacheBytes.
func (s *Store) ResizeCache(bytes int64) { s.cache.Resize(bytes) }

// CacheStats is the state of the block cache.
func (s *Store) CacheStats() segment.CacheStats { return s.cache.Stats() }

// Open reads the directory of segments and removes files that nothing refers to. It
// makes itself the engine's columns. XX001 when a file is missing or a record malformed.
func Open(eng *engine.Engine, o Options) (*Store, error) {
	if o.RowsMin <= 0 {
		o.RowsMin = 16 << 10
		if o.Mode == Always {
			o.RowsMin = 1
		}
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.ChunkRows <= 0 {
		o.ChunkRows = chunkRows
	}
	if o.OverlayBytes == 0 {
		o.OverlayBytes = o.CacheBytes / 4
	}
	s := &Store{eng: eng, fs: eng.FS(), opts: o, cache: segment.NewCache(o.CacheBytes), prepared: map[uint64]*Segment{}}
	s.dir = s.fs.PathJoin(eng.Dir(), folder)
	s.schemas.init()
	s.merger.init(s)
	if err := s.load(); err != nil {
		return nil, err
	}
	eng.SetColumns(s)
	return s, nil
}

// load reads the directory and the folder.
func (s *Store) load() error {
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return s.wrap(err, s.dir)
	}
	if err := s.sync(s.eng.Dir()); err != nil { // the folder's own name
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return s.wrap(err, s.dir)
	}
	files := map[uint64]string{}
	highest := uint64(0)
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimSuffix(name, ".seg"), 16, 64)
		if err != nil || fileName(n) != name {
			n = 0 // numbers begin at 1: nobody refers to it
		}
		highest = max(highest, n)
		if n == 0 {
			_ = s.fs.RemoveAll(s.fs.PathJoin(s.dir, name))
			continue
		}
		files[n] = name
	}
	spans, loose := map[Space][]*span{}, map[Space][]*Segment{}
	err = s.eng.LocalScan([]byte(recordPrefix), recordsEnd, func(key, value []byte) error {
		r, err := decodeRecord(key, value)
		if err != nil {
			return err
		}
		highest = max(highest, r.number)
		if r.hasFile {
			if files[r.number] == "" {
				return pgerror.New(pgerror.DataCorrupted, "file \"%s\" is missing", s.path(r.number))
			}
			delete(files, r.number)
		}
		switch r.kind {
		case kindPrepared:
			s.prepared[r.number] = s.segmentOf(r)
			return nil
		case kindLoose:
			loose[r.space] = append(loose[r.space], s.segmentOf(r))
			return nil
		}
		spans[r.space] = append(spans[r.space], s.spanOf(r))
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range files { // what a crash has left
		if err := s.fs.Remove(s.fs.PathJoin(s.dir, name)); err != nil {
			return s.wrap(err, s.fs.PathJoin(s.dir, name))
		}
	}
	s.next.Store(highest + 1)
	all := &cells{byKey: map[Space]*cell{}}
	add := func(sp Space) {
		if all.byKey[sp] == nil {
			c := &cell{space: sp}
			st := s.newState(sortSpans(spans[sp]), sortLoose(loose[sp]))
			c.cur.Store(st)
			all = all.with(c)
		}
	}
	for sp := range spans {
		add(sp)
	}
	for sp := range loose {
		add(sp)
	}
	for _, c := range all.list {
		st := c.cur.Load()
		for i := 1; i < len(st.spans); i++ {
			if string(st.spans[i-1].upper) > string(st.spans[i].lower) {
				return pgerror.New(pgerror.DataCorrupted, "the spans of column segments %d and %d overlap", st.spans[i-1].number, st.spans[i].number)
			}
		}
	}
	s.cells.Store(all)
	return nil
}

func (s *Store) segmentOf(r *record) *Segment {
	return &Segment{fileRef: &fileRef{store: s, number: r.number, rows: r.rows}, space: r.space, ts: r.ts, bytes: r.bytes,
		first: r.first, last: r.last, cols: r.cols}
}

func (s *Store) spanOf(r *record) *span {
	sp := &span{number: r.number, lower: r.lower, upper: r.upper, floor: r.ts}
	if r.hasFile {
		sp.seg = s.segmentOf(r)
		sp.seg.merged = true
	}
	return sp
}

// path is the file of a record.
func (s *Store) path(number uint64) string { return s.fs.PathJoin(s.dir, fileName(number)) }

// StopMerging ends background merging, for good.
func (s *Store) StopMerging() error { return s.merger.stop() }

// Close stops merging and closes the files. REQUIRES: nothing is pinned.
func (s *Store) Close() error {
	err := s.merger.stop()
	for _, c := range s.cells.Load().list {
		if st := c.cur.Swap(nil); st != nil {
			st.release()
		}
	}
	return err
}

// syncDir makes the names of new files durable.
func (s *Store) syncDir() error { return s.sync(s.dir) }

func (s *Store) sync(dir string) error {
	d, err := s.fs.OpenDir(dir)
	if err != nil {
		return s.wrap(err, dir)
	}
	return s.wrap(errors.Join(d.Sync(), d.Close()), dir)
}

// removeFile removes a file that nothing refers to any more. One that stays is
// removed by the next start.
func (s *Store) removeFile(number uint64) {
	if s.eng.Failed() != nil {
		return // what the directory says is for the next start to find out
	}
	if err := s.fs.Remove(s.path(number)); err != nil {
		s.logf("could not remove file \"%s\": %v", s.path(number), err)
	}
}

func (s *Store) logf(format string, args ...any) {
	if s.opts.Logf != nil {
		s.opts.Logf("storage: "+format, args...)
	}
}

// wrap words an error of a file.
func (s *Store) wrap(err error, path string) error {
	if err == nil {
		return nil
	}
	var pe *pgerror.Error
	switch {
	case errors.As(err, &pe):
		return pe
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return pgerror.From(err)
	case vfs.IsNoSpaceError(err):
		return pgerror.Wrap(err, pgerror.DiskFull, "could not write file \"%s\": %v", path, err)
	}
	return pgerror.Wrap(err, pgerror.IoError, "could not access file \"%s\": %v", path, err)
}

func corruptFile(path, format string, args ...any) error {
	return pgerror.New(pgerror.DataCorrupted, "damaged column segment \"%s\": "+format, append([]any{path}, args...)...)
}
