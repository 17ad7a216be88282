package storage

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// TestOverlayConcurrent moves amounts between rows, deletes some and inserts them again, while scans that share chunks of
// the delta, and merges, go on: every scan sees all the money and every row once, old snapshots included.
func TestOverlayConcurrent(t *testing.T) {
	const rows, perRow = 2000, 100
	o := Options{Columns: columns.Options{RowsMin: 1, FileRowsMax: 300, BlockRows: 20, CacheBytes: 1 << 20, ChunkRows: 50}}
	n := openMem(t, vfs.NewMem(), o)
	defer func() { must(t, n.Close()) }()
	tb := &planpb.Table{StorageId: 20000, RelationId: 20000, Schema: "public", Name: "accounts", PrimaryKeyName: "accounts_pkey",
		PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}}}
	for i, name := range []string{"id", "amount"} {
		tb.Columns = append(tb.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: name, Type: pbType(types.Int4), NotNull: true})
	}
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	var all [][]types.Datum
	for i := range int32(rows) {
		all = append(all, row(i, int32(perRow)))
	}
	must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, all...)))
	_, err := tx.Commit(ctx)
	must(t, err)
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))

	var done atomic.Bool
	var scans, commits atomic.Int64
	var wg sync.WaitGroup
	fail := func(format string, args ...any) { t.Errorf(format, args...); done.Store(true) }
	worker := func(seed uint64, f func(r *rand.Rand)) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 7))
			for !done.Load() {
				f(r)
			}
		})
	}
	// change moves an amount from a row to another; a row may go and come again.
	change := func(r *rand.Rand) error {
		tx := n.DB().Begin(txn.Options{})
		defer tx.Rollback()
		tx.BeginStatement()
		st := n.Store(tx, nil)
		a := r.Int32N(rows - 20)
		b := a + 1 + r.Int32N(19)
		amount := 1 + r.Int32N(5)
		for _, m := range []struct{ id, by int32 }{{a, -amount}, {b, amount}} {
			loc := locator(m.id)
			state, old, err := st.LockRow(ctx, tb, loc, uint32(txn.LockUpdate), uint32(txn.WaitBlock))
			if err != nil || state != vexec.RowUnchanged {
				return err
			}
			v := row(m.id, old[1].(int32)+m.by)
			if r.IntN(4) == 0 {
				if err := st.Delete(ctx, tb, loc, old); err != nil {
					return err
				}
				tx.NextCommand()
				if err := n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, v)); err != nil {
					return err
				}
			} else if err := st.Update(ctx, tb, loc, old, v); err != nil {
				return err
			}
		}
		_, err := tx.Commit(ctx)
		commits.Add(1)
		return err
	}
	for i := range 3 {
		worker(uint64(i), func(r *rand.Rand) {
			var pe *pgerror.Error
			if err := change(r); err != nil && (!errors.As(err, &pe) || pe.Code != pgerror.SerializationFailure && pe.Code != "40P01") {
				fail("change: %v", err)
			}
			if r.IntN(50) == 0 { // scans without a write between them as well
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	look := func(r *rand.Rand, tx txn.Txn) {
		scan := &planpb.Scan{Table: tb, Columns: []int32{0, 1}, Ordered: r.IntN(2) == 0}
		parts := 1
		if !scan.Ordered {
			parts += r.IntN(3)
		}
		seen := make([]bool, rows)
		sum, count, last := 0, 0, int32(-1)
		st := n.Store(tx, nil) // which remembers where parts end
		for part := range parts {
			rd, _, err := st.Scan(context.Background(), scan, vexec.ScanRequest{Part: part, Parts: parts})
			if err != nil {
				fail("scan: %v", err)
				return
			}
			for {
				b, err := rd.Next(ctx)
				if err != nil {
					fail("scan: %v", err)
				}
				if b == nil || err != nil {
					break
				}
				each(b, func(i int) {
					id := types.Get(types.Of(types.Int4), b.Cols[0], i).(int32)
					if seen[id] || scan.Ordered && id <= last {
						fail("row %d comes twice or late, after %d", id, last)
					}
					seen[id], last = true, id
					sum += int(types.Get(types.Of(types.Int4), b.Cols[1], i).(int32))
					count++
				})
			}
			rd.Close()
		}
		scans.Add(1)
		if count != rows || sum != rows*perRow {
			fail("a scan (ordered %v, %d parts) saw %d rows and %d, want %d and %d", scan.Ordered, parts, count, sum, rows, rows*perRow)
		}
	}
	for i := range 3 {
		worker(uint64(10+i), func(r *rand.Rand) {
			tx := n.DB().Begin(txn.Options{Isolation: txn.RepeatableRead})
			defer tx.Rollback()
			tx.BeginStatement()
			for range 1 + r.IntN(4) {
				look(r, tx)
			}
		})
	}
	worker(20, func(r *rand.Rand) {
		time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
		if err := n.Columns().MergeNow(ctx, tb.StorageId); err != nil {
			fail("merge: %v", err)
		}
	})
	d := 4 * time.Second
	if testing.Short() {
		d = time.Second
	}
	for end := time.Now().Add(d); time.Now().Before(end) && !done.Load(); {
		time.Sleep(50 * time.Millisecond)
	}
	done.Store(true)
	wg.Wait()
	hits, patched := n.Columns().TestingOverlayHits()
	t.Logf("%d scans, %d commits, %d chunks served again, %d patched, %d bytes kept", scans.Load(), commits.Load(), hits, patched, n.Columns().OverlayBytes())
	if hits == 0 || patched == 0 {
		t.Error("no chunk served again, or none was patched")
	}
	must(t, n.DropStorage(tb.StorageId))
	if b := n.Columns().OverlayBytes(); b != 0 {
		t.Errorf("%d bytes are still accounted", b)
	}
}
