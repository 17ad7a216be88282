package txn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// Transactions larger than memory. Writes that outgrow SpillBytes go to sorted
// runs in the store's folder "bulk" (spill.go). At commit the runs are merged,
// newest write of each key, into files of versions, and these enter the store in
// one atomic step; a crash before it leaves nothing but files that the next
// start removes.
//
// The files hold the commit timestamp in every key, so it must be known before
// they are written, and writing takes a while: the timestamp is taken far above
// the present ones (oracle.reserveAhead), other commits pass below it meanwhile,
// and the counter jumps to it when the files are ready. One bulk commit at a time
// does this.

// bulkState is what bulk commits share.
type bulkState struct {
	dir   string
	files atomic.Uint64
	// slots bounds the segments that bulk inserts write at once.
	slots chan struct{}
	// commit serialises bulk commits.
	commit sync.Mutex
}

// versionFileBytes is the size of the files that a bulk commit adds to the store.
const versionFileBytes = 128 << 20

func (b *bulkState) init(m *Manager) error {
	b.slots = newBulkSlots()
	fs := m.eng.FS()
	b.dir = fs.PathJoin(m.eng.Dir(), "bulk")
	if err := fs.RemoveAll(b.dir); err != nil {
		return pgerror.Wrap(err, pgerror.IoError, "could not remove directory \"%s\": %v", b.dir, err)
	}
	if err := fs.MkdirAll(b.dir, 0o700); err != nil {
		return pgerror.Wrap(err, pgerror.IoError, "could not create directory \"%s\": %v", b.dir, err)
	}
	return nil
}

// path names a new file.
func (b *bulkState) path(m *Manager, ext string) string {
	return m.eng.FS().PathJoin(b.dir, fmt.Sprintf("%06d.%s", b.files.Add(1), ext))
}

// commitBulk commits spilled writes.
func (t *transaction) commitBulk(ctx context.Context) (Timestamp, error) {
	if t.writes.len() > 0 {
		if err := t.spillWrites(ctx); err != nil {
			return 0, err
		}
	}
	m, spill := t.m, t.spill.Load()
	m.bulk.commit.Lock()
	defer m.bulk.commit.Unlock()
	ts, err := m.oracle.reserveAhead()
	if err != nil {
		return 0, err
	}
	var paths []string
	defer func() { // what was ingested is gone already
		for _, p := range paths {
			_ = m.eng.FS().Remove(p)
		}
	}()
	it, err := m.eng.OpenRuns(spill.paths(), nil, nil, false)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	var w *engine.FileWriter
	finish := func() error {
		if w == nil {
			return nil
		}
		err := w.Finish()
		w = nil
		return err
	}
	accept := spill.acceptor(noStatement)
	var stale []staleKey
	staleBytes := 0
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			_ = finish()
			return 0, contextError(ctx)
		}
		s, err := it.Next(accept)
		if err == nil && s != nil && w == nil {
			p := m.bulk.path(m, "versions")
			paths = append(paths, p)
			w, err = m.eng.NewVersionFile(p)
		}
		if err == nil && s != nil {
			err = w.AddVersion(s.Key, s.Value, s.Deleted, engine.Timestamp(ts))
		}
		if err == nil && (s == nil || w.Size() >= versionFileBytes) {
			err = finish()
		}
		if err != nil {
			_ = finish()
			return 0, err
		}
		if s == nil {
			break
		}
		if s.Overwrites && staleBytes < gcQueueBytesMax {
			stale = append(stale, staleKey{key: append([]byte{}, s.Key...), ts: ts})
			if staleBytes += len(s.Key) + gcStaleOverhead; staleBytes >= gcQueueBytesMax {
				m.gc.needSweep(ts)
			}
		}
	}
	add := t.prepareBulk(ts)
	recs := add.records()
	if t.state == txnPrepared {
		recs = append(recs, t.decidedRecord())
	}
	if len(recs) > 0 {
		p := m.bulk.path(m, "versions")
		paths = append(paths, p)
		w, err := m.eng.NewVersionFile(p)
		for _, r := range recs {
			if err == nil {
				err = w.AddLocal(r.Key, r.Value)
			}
		}
		if w != nil {
			if ferr := w.Finish(); err == nil {
				err = ferr
			}
		}
		if err != nil {
			add.done(false)
			return 0, err
		}
	}
	if err := m.eng.Sync(); err != nil { // sequence values handed out to this transaction
		add.done(false)
		return 0, err
	}
	slot, ok := m.oracle.beginAt(ts)
	if !ok {
		add.done(false)
		return 0, pgerror.New(pgerror.SerializationFailure, "could not commit: too many transactions committed meanwhile").
			WithHint("The transaction might succeed if retried.")
	}
	t.stamped(ts)
	if len(paths) > 0 {
		// Not under ctx: once begun it is seen through.
		if err := m.eng.Ingest(context.WithoutCancel(ctx), paths, engine.Timestamp(ts)); err != nil {
			m.oracle.finish(slot)
			if m.eng.Failed() != nil {
				add.lost()
				return 0, unknownOutcome(err)
			}
			add.done(false)
			return 0, err
		}
	}
	add.done(true)
	m.commits.Add(1)
	m.oracle.finish(slot)
	if t.state == txnPrepared { // lost in a crash: the next start does it
		if b := m.eng.NewBatch(0); t.deleteRecord(b) != nil {
			b.Close()
		} else {
			_ = b.Commit(false)
		}
	}
	m.gc.add(stale)
	return ts, nil
}
