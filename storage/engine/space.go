package engine

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// A full disk. A failed write of the log ends the store: what it holds is then
// uncertain, and only a restart settles it. So that a disk that fills up does not
// come to that, transactions are refused (53100) while a part of it is still free:
// for the log, for write buffers that have to be flushed, for what the store
// writes of its own. Reads go on, and so do transactions when there is room again.
type diskSpace struct {
	checked atomic.Int64 // when, in nanoseconds
	free    atomic.Int64 // then
	reserve atomic.Int64
}

// spaceCheckEvery is how old the knowledge of the disk may be.
const spaceCheckEvery = 5 * time.Millisecond

// reserveMax and reserveShare bound what is kept free: two write buffers and some,
// no more than a tenth of a small disk.
const (
	reserveExtra = 32 << 20
	reserveShare = 10
)

// Room fails with 53100 when the disk has no room for n more bytes of a transaction.
func (e *Engine) Room(n int64) error {
	s := &e.space
	now := time.Now().UnixNano()
	if now-s.checked.Load() > int64(spaceCheckEvery) {
		u, err := e.opts.FS.GetDiskUsage(e.dir)
		if err != nil { // not that kind of file system
			return nil
		}
		s.reserve.Store(min(2*int64(e.popt.MemTableSize)+reserveExtra, int64(u.TotalBytes/reserveShare)))
		s.free.Store(int64(u.AvailBytes))
		s.checked.Store(now)
	}
	if s.reserve.Load() == 0 || s.free.Load()-n >= s.reserve.Load() {
		return nil
	}
	return pgerror.New(pgerror.DiskFull, "could not write to \"%s\": No space left on device", e.dir).
		WithDetail("%d bytes are free, the transaction needs %d, and %d are kept for the log.", s.free.Load(), n, s.reserve.Load()).
		WithHint("Check free disk space.")
}

// failure is the report of an error that ends the store.
func failure(err error) *pgerror.Error {
	code := pgerror.IoError
	if vfs.IsNoSpaceError(err) {
		code = pgerror.DiskFull
	}
	return pgerror.Wrap(err, code, "the store failed and must be restarted: %v", cause(err))
}
