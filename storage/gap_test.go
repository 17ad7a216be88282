package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// insertEvery inserts rows of measurements with every step-th key of [from, to) in one transaction.
func insertEvery(t *testing.T, n *Node, tb *planpb.Table, from, to, step int32) {
	t.Helper()
	tx := n.DB().Begin(txn.Options{})
	defer tx.Rollback()
	tx.BeginStatement()
	var rows [][]types.Datum
	for i := from; i < to; i += step {
		rows = append(rows, row(i, int32(0), "red", nil, nil, nil, nil, nil))
	}
	must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows...)))
	_, err := tx.Commit(ctx)
	must(t, err)
}

// TestMergeGaps: rows with keys before the first segment, and between segments that bulk writes
// have made, are merged as those behind the last one are.
func TestMergeGaps(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 100, FileRowsMax: 1000}})
	defer func() { must(t, n.Close()) }()
	tb := measurements()
	insert := func(from, to, step int32) { insertEvery(t, n, tb, from, to, step) }
	sp := columns.MakeSpace(uint16(1), tb.StorageId)
	left := func() (versions int) {
		lower, upper := sp[:], append(append([]byte{}, sp[:]...), 0xff)
		it, pin, err := n.eng.OpenParts(engine.IterOptions{Lower: lower, Upper: upper, At: engine.MaxTimestamp})
		must(t, err)
		for it.Next() {
			versions++
		}
		must(t, it.Close())
		if pin != nil {
			pin.Release()
		}
		return versions
	}
	insert(10000, 14000, 1) // in bulk
	insert(30000, 34000, 1)
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))
	spans, loose := n.Columns().TestingSpans(sp)
	if v := left(); v != 0 || spans == 0 || loose != 0 {
		t.Fatalf("%d versions, %d spans, %d loose segments after the first merge", v, spans, loose)
	}
	insert(0, 50, 1)        // before the first
	insert(20000, 20050, 1) // between
	insert(50000, 50050, 1) // behind the last
	if left() != 150 {
		t.Fatalf("%d versions", left())
	}
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))
	if v := left(); v != 0 {
		t.Fatalf("%d versions are left", v)
	}
}

// TestMergeLayers: bulk writes in another order than the key's leave loose segments over each other, and over many spans;
// all are merged.
func TestMergeLayers(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 100, FileRowsMax: 1000}})
	defer func() { must(t, n.Close()) }()
	tb := measurements()
	layer := func(from int32) { insertEvery(t, n, tb, from, 30000, 5) }
	sp := columns.MakeSpace(uint16(1), tb.StorageId)
	merge := func() {
		t.Helper()
		if _, loose := n.Columns().TestingSpans(sp); loose == 0 {
			t.Fatal("the rows were not written in bulk")
		}
		must(t, n.Columns().MergeNow(ctx, tb.StorageId))
		if spans, loose := n.Columns().TestingSpans(sp); spans < 5 || loose != 0 {
			t.Fatalf("%d spans and %d loose segments are left", spans, loose)
		}
	}
	layer(0)
	layer(3)
	merge()
	layer(1)
	layer(4)
	merge()
	if rows := n.Columns().Rows(sp); rows != 24000 {
		t.Fatalf("%d rows", rows)
	}
}

// TestMergeSmallSpans: many small segments with changes in each are merged at once, not some at a time.
func TestMergeSmallSpans(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 100, FileRowsMax: 100}})
	defer func() { must(t, n.Close()) }()
	tb := measurements()
	insert := func(from, to, step int32) { insertEvery(t, n, tb, from, to, step) }
	insert(0, 10000, 4) // in bulk, over each other
	insert(2, 10000, 4)
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))
	sp := columns.MakeSpace(uint16(1), tb.StorageId)
	spans, _ := n.Columns().TestingSpans(sp)
	if spans < 40 {
		t.Fatalf("%d segments", spans)
	}
	insert(1, 9999, 50)
	before := n.Columns().Totals().Merges
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))
	if merges := n.Columns().Totals().Merges - before; merges != 1 {
		t.Errorf("%d merges of %d segments", merges, spans)
	}
	if rows := n.Columns().Rows(sp); rows != 5200 {
		t.Fatalf("%d rows", rows)
	}
}

// TestMergeLeavesNothing: what a merge removes from the engine goes for good, or scans would pass over it, where it is
// many rows or many bytes.
func TestMergeLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct{ rows, bytes int }{"many": {5000, 3}, "long": {300, 10000}} {
		t.Run(name, func(t *testing.T) {
			n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 100}})
			defer func() { must(t, n.Close()) }()
			tb := measurements()
			text := strings.Repeat("x", c.bytes)
			for from := 0; from < c.rows; from += 50 { // too few for bulk
				tx := n.DB().Begin(txn.Options{})
				tx.BeginStatement()
				var rows [][]types.Datum
				for i := from; i < from+50; i++ {
					rows = append(rows, row(int32(i), int32(0), text, nil, nil, nil, nil, nil))
				}
				must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows...)))
				_, err := tx.Commit(ctx)
				must(t, err)
			}
			must(t, n.Engine().Pebble().Flush())
			left := func() int64 { m := n.Engine().Pebble().Metrics(); total := m.Total(); return total.TablesSize }
			before := left()
			must(t, n.Columns().MergeNow(ctx, tb.StorageId))
			for end := time.Now().Add(20 * time.Second); left() > before/4 && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond) // removing goes on in the background
			}
			if left() > before/4 {
				t.Errorf("%d of %d bytes are left\n%s", left(), before, n.Engine().Pebble().Metrics())
			}
		})
	}
}
