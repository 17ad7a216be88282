package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Options of Open. The zero value is usable.
type Options struct {
	// MemoryBytes is storage's share of the process's memory: block cache, write
	// buffers, writes of open transactions; 0 for 512 MiB.
	MemoryBytes int64
	// SpillBytes bounds the writes of one transaction held in memory; 0: an eighth
	// of MemoryBytes, at most 128 MiB.
	SpillBytes int64
	// FS is the file system, the operating system's when nil.
	FS vfs.FS
	// Logf gets notes for the operator. May be nil.
	Logf func(format string, args ...any)
	// OnFatal is told once that the store failed for good; the process should end. May be nil.
	OnFatal func(err error)
	// Tablets cuts the data of a new store into so many tablets; a store keeps the
	// number it was made with. 0: as it is, 1 for a new one.
	Tablets int
	// Clustered: the store is one node's of several; Cluster must follow.
	Clustered bool
	// Columns says which rows become column segments, and when.
	Columns columns.Options
	// PreparedMax is how many transactions may be prepared at a time (txn.TwoPhase).
	PreparedMax int
	// DisableGC leaves old versions and dropped tables in place (tests).
	DisableGC bool
}

// Node is an open store.
type Node struct {
	eng    *engine.Engine
	mgr    *txn.Manager
	cols   *columns.Store
	shared *table.Shared
	opts   Options

	closeOnce sync.Once

	stop chan struct{}
	wake chan struct{}
	done sync.WaitGroup
}

// LendToColumns lets the cache of column blocks have so many bytes beside its share of MemoryBytes,
// until the next call. A gateway without data has no cache.
func (n *Node) LendToColumns(bytes int64) {
	if n.cols == nil {
		return
	}
	n.cols.ResizeCache(n.opts.Columns.CacheBytes + max(bytes, 0))
}

// dropQueue is the storage id of the queue of dropped storage ids.
const dropQueue = 1

// Open opens or creates the store in dir. Errors are worded for the operator.
func Open(dir string, o Options) (*Node, error) {
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = 512 << 20
	}
	if o.SpillBytes <= 0 {
		o.SpillBytes = min(o.MemoryBytes/8, 128<<20)
	}
	if o.Tablets < 0 || o.Tablets > txn.Slots {
		return nil, pgerror.New(pgerror.InvalidParameterValue, "the number of tablets must be between 1 and %d", txn.Slots)
	}
	eng, err := engine.Open(dir, engine.Options{FS: o.FS, MemoryBytes: o.MemoryBytes, Logf: o.Logf, OnFatal: o.OnFatal})
	if err != nil {
		return nil, err
	}
	if o.Columns.CacheBytes <= 0 {
		o.Columns.CacheBytes = o.MemoryBytes / 4
	}
	if o.Columns.Logf == nil {
		o.Columns.Logf = o.Logf
	}
	cols, err := columns.Open(eng, o.Columns)
	if err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	n := &Node{eng: eng, cols: cols, opts: o, stop: make(chan struct{}), wake: make(chan struct{}, 1)}
	if n.mgr, err = txn.NewManager(eng, txn.Config{SpillBytes: o.SpillBytes, PreparedMax: o.PreparedMax, DisableGC: o.DisableGC}); err != nil {
		return nil, errors.Join(err, cols.Close(), eng.Close())
	}
	place, err := openPlacement(eng, o.Tablets)
	if err != nil {
		return nil, errors.Join(err, n.mgr.Close(), cols.Close(), eng.Close())
	}
	if n.shared, err = table.NewShared(eng, place, nil); err != nil {
		return nil, errors.Join(err, n.mgr.Close(), cols.Close(), eng.Close())
	}
	n.shared.SetColumns(cols)
	if o.Clustered {
		n.mgr.SetHorizon(0)
	} else {
		n.startMerging()
	}
	if !o.DisableGC {
		n.done.Add(1)
		go n.reap()
	}
	return n, nil
}

// startMerging moves rows into column segments from here on.
func (n *Node) startMerging() {
	shared := n.shared
	n.cols.Start(n.mgr, func() []uint16 {
		var out []uint16
		for _, t := range tabletsOf(shared.Placement()) {
			out = append(out, uint16(t))
		}
		return out
	})
}

// Exists reports whether there is a store in a directory of the operating system.
func Exists(dir string) (bool, error) { return engine.Exists(dir, vfs.Default) }

// Close stops background work, flushes and closes; a second call does nothing.
// REQUIRES: no transaction open. One that is left over gets errors.
func (n *Node) Close() (err error) {
	n.closeOnce.Do(func() { err = n.close() })
	return err
}

func (n *Node) close() error {
	close(n.stop)
	n.done.Wait()
	if n.eng == nil {
		return nil
	}
	// Merging asks the manager, whose garbage collector asks for segments to the last.
	err := errors.Join(n.cols.StopMerging(), n.mgr.Close(), n.cols.Close())
	if n.eng.Failed() == nil {
		err = errors.Join(err, n.shared.SaveCounts())
	}
	return errors.Join(err, n.eng.Close())
}

// Shared is what the stores of all transactions share.
func (n *Node) Shared() *table.Shared { return n.shared }

// DB begins transactions.
func (n *Node) DB() *txn.Manager { return n.mgr }

// Columns is the store's column segments; nil on a gateway without data.
func (n *Node) Columns() *columns.Store { return n.cols }

// Engine is the store beneath, for metrics and debugging.
func (n *Node) Engine() *engine.Engine { return n.eng }

// Store gives the tables as the transaction sees them. env orders enum keys and
// words error details. REQUIRES: tx is of n.DB(), or of a coordinator when the store is one of several nodes'.
func (n *Node) Store(tx txn.Txn, env *types.Env) *table.Store {
	return table.NewStore(n.shared, tx.(txn.RowTxn), env)
}

// Analyzed is what is known of a table's statistics, and NoteAnalyzed notes that new ones were made (table.Shared).
func (n *Node) Analyzed(storageID uint64) table.Analyzed { return n.shared.Analyzed(storageID) }
func (n *Node) NoteAnalyzed(storageID uint64, changed int64, auto bool) {
	n.shared.NoteAnalyzed(storageID, changed, auto, time.Now())
}

// AddRows adjusts the estimates of tables' rows after a commit that no Store has seen.
func (n *Node) AddRows(changes map[uint64]int64) { n.shared.AddRows(changes) }

// AddChanges is AddRows that tells how many rows were written, too.
func (n *Node) AddChanges(added, changed map[uint64]int64) { n.shared.AddChanges(added, changed) }

// Drop gives up the storage of tables and indexes when tx commits.
func (n *Node) Drop(ctx context.Context, tx txn.Txn, storageIDs ...uint64) error {
	for _, id := range storageIDs {
		if id < firstStorageID {
			return pgerror.Internal("storage id %d cannot be dropped", id)
		}
		if err := tx.Put(ctx, dropKey(id), nil); err != nil {
			return err
		}
	}
	tx.OnCommit(func(txn.Timestamp) {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	})
	return nil
}

// dropKey is the queue's key for a storage id.
func dropKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64(keyenc.Prefix(txn.SystemTablet, dropQueue), id)
}

// firstStorageID is the first storage id that is not the store's own.
const firstStorageID = 16

// reapInterval is how often the queue is looked at when nothing wakes the reaper.
const reapInterval = 10 * time.Second

func (n *Node) reap() {
	defer n.done.Done()
	t := time.NewTicker(reapInterval)
	defer t.Stop()
	for {
		if !n.opts.Clustered { // there the first node sees to it
			if err := n.ReapNow(); err != nil && n.opts.Logf != nil {
				n.opts.Logf("storage: removing dropped tables: %v", err)
			}
		}
		if err := n.shared.SaveCounts(); err != nil {
			return
		}
		select {
		case <-n.stop:
			return
		case <-t.C:
		case <-n.wake:
		}
	}
}

// ReapNow removes the dropped storage that no snapshot can see.
func (n *Node) ReapNow() error {
	ids, err := n.dropped(engine.Timestamp(n.mgr.OldestSnapshot()))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	if err := n.DropStorage(ids...); err != nil {
		return err
	}
	return n.Removed(ids...)
}

// DropStorage removes what this node has under some storage ids, at once. REQUIRES:
// no snapshot in use can see them.
func (n *Node) DropStorage(storageIDs ...uint64) error {
	var ranges []txn.KeyRange
	for _, id := range storageIDs {
		if id < firstStorageID {
			return pgerror.Internal("storage id %d cannot be dropped", id)
		}
		for _, t := range n.tablets() {
			r := txn.KeyRange{Lower: keyenc.Prefix(t, id), Upper: keyenc.PrefixEnd(t, id)}
			any, err := n.eng.AnyIn(r.Lower, r.Upper)
			if err != nil {
				return err
			}
			if any || t == txn.SystemTablet {
				ranges = append(ranges, r)
			}
		}
		n.shared.Forget(id)
	}
	return n.mgr.DropRanges(ranges...)
}

// dropped lists the queue as of at.
func (n *Node) dropped(at engine.Timestamp) ([]uint64, error) {
	it, err := n.eng.NewIter(engine.IterOptions{Lower: keyenc.Prefix(txn.SystemTablet, dropQueue), Upper: keyenc.PrefixEnd(txn.SystemTablet, dropQueue), At: at})
	if err != nil {
		return nil, err
	}
	var ids []uint64
	for it.Next() {
		if k := it.Key(); len(k) == keyenc.PrefixLen+8 {
			ids = append(ids, binary.BigEndian.Uint64(k[keyenc.PrefixLen:]))
		}
	}
	return ids, it.Recycle()
}

// DroppedIDs lists the dropped storage ids that wait to be removed.
func (n *Node) DroppedIDs() ([]uint64, error) { return n.dropped(engine.MaxTimestamp) }

// StorageIDs lists the storage ids of tables and indexes under which anything is
// stored in this node's tablets, old versions included, in order.
func (n *Node) StorageIDs() ([]uint64, error) {
	var ids []uint64
	for _, t := range n.tablets() {
		for next := uint64(firstStorageID); ; {
			key, err := n.eng.FirstKey(keyenc.Prefix(t, next), keyenc.Prefix(t+1, 0))
			if err != nil {
				return ids, err
			}
			if key == nil {
				break
			}
			if len(key) < keyenc.PrefixLen {
				return ids, pgerror.New(pgerror.DataCorrupted, "malformed key %x", key)
			}
			id := binary.BigEndian.Uint64(key[keyenc.TabletLen:])
			ids, next = append(ids, id), id+1
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// TableStats is what the planner may know of a table without ANALYZE.
type TableStats struct {
	Rows  int64 // estimate
	Bytes int64 // on disk, with what is still in memory estimated from Rows
}

// memoryRowBytes is the guess for a row that is not on disk yet.
const memoryRowBytes = 100

// Rows estimates a table's committed rows without reading anything.
func (n *Node) Rows(storageID uint64) int64 { return n.shared.Rows(storageID) }

// ColumnRows estimates how many of a table's rows lie in column segments, without
// reading anything. A gateway without data takes it that tables with enough rows for
// segments have been merged by the nodes that hold them.
func (n *Node) ColumnRows(storageID uint64) int64 {
	if n.cols == nil {
		if rows := n.shared.Rows(storageID); rows >= settledRowsMin {
			return rows
		}
		return 0
	}
	var rows int64
	for _, t := range n.tablets() {
		rows += n.cols.Rows(columns.MakeSpace(t, storageID))
	}
	return rows
}

// SegmentColumns walks what the segments of a table know of a column, with how many rows each has.
func (n *Node) SegmentColumns(storageID uint64, attnum int) iter.Seq2[uint64, columns.ColumnStats] {
	return func(yield func(uint64, columns.ColumnStats) bool) {
		if n.cols == nil {
			return
		}
		for _, t := range n.tablets() {
			for rows, c := range n.cols.ColumnStats(columns.MakeSpace(t, storageID), attnum) {
				if !yield(rows, c) {
					return
				}
			}
		}
	}
}

const settledRowsMin = 64 << 10

// Stats estimates a table's or index's size.
func (n *Node) Stats(storageID uint64) (TableStats, error) {
	s := TableStats{Rows: n.shared.Rows(storageID)}
	for _, t := range n.tablets() {
		if n.eng == nil {
			break
		}
		b, err := n.eng.Size(keyenc.Prefix(t, storageID), keyenc.PrefixEnd(t, storageID))
		if err != nil {
			return s, err
		}
		s.Bytes += b
	}
	if s.Bytes == 0 {
		s.Bytes = s.Rows * memoryRowBytes
	}
	return s, nil
}

// BuildIndex fills the new index at position pos of a table's indexes with the
// rows that tx sees. 23505 when it is unique and the rows are not.
func (n *Node) BuildIndex(ctx context.Context, tx txn.Txn, env *types.Env, t *planpb.Table, pos int, evals func() (table.Eval, error)) error {
	return n.Store(tx, env).BuildIndex(ctx, t, pos, evals)
}
