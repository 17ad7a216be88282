package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

func scanIDs(t testing.TB, n *Node, tx txn.Txn, tb *planpb.Table, reverse bool) []int32 {
	t.Helper()
	r, _, err := n.Store(tx, nil).Scan(ctx, &planpb.Scan{Table: tb, Columns: []int32{0}, Ordered: true, Reverse: reverse}, vexec.ScanRequest{Parts: 1})
	must(t, err)
	defer r.Close()
	var out []int32
	for {
		b, err := r.Next(ctx)
		must(t, err)
		if b == nil {
			return out
		}
		for i := range b.Rows() {
			if b.Sel != nil {
				i = int(b.Sel[i])
			}
			out = append(out, types.Get(types.Of(types.Int4), b.Cols[0], i).(int32))
		}
	}
}

// TestSpill runs a transaction far beyond its memory: own reads, locks against
// others, savepoints, commit, and what another start finds.
func TestSpill(t *testing.T) { eachSetting(t, testSpill) }

func testSpill(t *testing.T) {
	fs := vfs.NewMem()
	n := openMem(t, fs, Options{SpillBytes: 64 << 10})
	tb := accounts()
	insert := func(tx txn.Txn, from, to int32) error {
		var rs [][]types.Datum
		for i := from; i < to; i++ {
			rs = append(rs, row(i*7919%100003, nil, int64(i))) // scattered
		}
		return n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rs...))
	}
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	must(t, insert(tx, 0, 5000))
	tx.BeginStatement()
	if got := len(scanIDs(t, n, tx, tb, false)); got != 5000 {
		t.Fatal(got)
	}
	sp := tx.Savepoint()
	must(t, insert(tx, 5000, 9000))
	tx.BeginStatement()
	ids := scanIDs(t, n, tx, tb, true)
	if len(ids) != 9000 {
		t.Fatal(len(ids))
	}
	for i := 1; i < len(ids); i++ {
		if ids[i-1] <= ids[i] {
			t.Fatal("order", i, ids[i-1], ids[i])
		}
	}
	must(t, tx.RollbackTo(sp))
	tx.BeginStatement()
	if got := len(scanIDs(t, n, tx, tb, false)); got != 5000 {
		t.Fatal(got)
	}
	// an own key is found in the runs
	err := insert(tx, 17, 18)
	if !pgerror.Is(err, pgerror.UniqueViolation) {
		t.Fatal(err)
	}
	// a rolled back one is free, also for others
	other := n.DB().Begin(txn.Options{})
	other.BeginStatement()
	must(t, insert(other, 8000, 8001))
	// a spilled one is locked for others
	other.SetLockTimeout(20 * time.Millisecond)
	if err := insert(other, 17, 18); !pgerror.Is(err, pgerror.LockNotAvailable) {
		t.Fatal(err)
	}
	other.SetLockTimeout(0)
	waited := make(chan error)
	go func() { waited <- insert(other, 18, 19) }()
	time.Sleep(10 * time.Millisecond)
	// small commits go on below a bulk commit
	small := n.DB().Begin(txn.Options{})
	small.BeginStatement()
	must(t, insert(small, 20000, 20001))
	_, err = small.Commit(ctx)
	must(t, err)
	if _, err = tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; !pgerror.Is(err, pgerror.UniqueViolation) {
		t.Fatal(err)
	}
	other.Rollback()
	check := func(n *Node) {
		t.Helper()
		tx := n.DB().Begin(txn.Options{})
		defer tx.Rollback()
		tx.BeginStatement()
		if got := len(scanIDs(t, n, tx, tb, false)); got != 5001 {
			t.Fatal(got)
		}
		r, _, err := n.Store(tx, nil).IndexScan(ctx, &planpb.IndexScan{Table: tb, Index: 1, Columns: []int32{2}, Ordered: true}, vexec.ScanRequest{Bounds: []vexec.KeyBounds{{HasLower: true, Lower: int64(4998), LowerInclusive: true}}, Parts: 1})
		if got := dump(t, r, err, types.Int8); got != "20000 4999 4998" {
			t.Fatal(got)
		}
	}
	check(n)
	must(t, n.Close())
	if l, err := fs.List("data/bulk"); err != nil || len(l) > 0 {
		t.Fatal(strings.Join(l, " "), err)
	}
	n = openMem(t, fs, Options{})
	check(n)
	must(t, n.Close())
}
