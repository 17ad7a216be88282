package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// bulkAccounts is accounts as a user's table, which takes rows in bulk.
func bulkAccounts() *planpb.Table {
	tb := accounts()
	tb.RelationId = 20000
	return tb
}

// model is what a bulkAccounts table holds: balances by id. Names are made of ids.
type model map[int32]int64

func (m model) String() string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%d|n%d|%d", id, id, m[id]))
	}
	return strings.Join(out, " ")
}

func accountRow(id int32, balance int64) []types.Datum {
	return row(id, fmt.Sprintf("n%d", id), balance)
}

// readAccounts scans the table, or its index of names.
func readAccounts(t testing.TB, n *Node, tx txn.Txn, tb *planpb.Table, rnd *rand.Rand) string {
	t.Helper()
	s := n.Store(tx, nil)
	m := model{}
	var lines []string
	collect := func(r vexec.Reader, err error) {
		for _, l := range strings.Fields(dump(t, r, err, types.Int4, types.Text, types.Int8)) {
			lines = append(lines, l)
		}
	}
	switch k := rnd.IntN(4); k {
	case 0, 1:
		r, _, err := s.Scan(ctx, &planpb.Scan{Table: tb, Columns: []int32{0, 1, 2}, Ordered: true, Reverse: k == 1}, vexec.ScanRequest{Parts: 1})
		collect(r, err)
	case 2:
		parts := 1 + rnd.IntN(3)
		for p := range parts {
			r, _, err := s.Scan(ctx, &planpb.Scan{Table: tb, Columns: []int32{0, 1, 2}}, vexec.ScanRequest{Part: p, Parts: parts})
			collect(r, err)
		}
	case 3:
		r, _, err := s.IndexScan(ctx, &planpb.IndexScan{Table: tb, Index: uint32(rnd.IntN(2)), Columns: []int32{0, 1, 2}}, vexec.ScanRequest{Parts: 1})
		collect(r, err)
	}
	for _, l := range lines {
		var id int32
		var name string
		var balance int64
		if _, err := fmt.Sscanf(strings.ReplaceAll(l, "|", " "), "%d %s %d", &id, &name, &balance); err != nil || name != fmt.Sprintf("n%d", id) {
			t.Fatalf("row %q", l)
		}
		if _, twice := m[id]; twice {
			t.Fatalf("row %d twice", id)
		}
		m[id] = balance
	}
	return m.String()
}

// TestBulkModel runs random transactions of bulk inserts, in any order and with keys
// that are taken, updates, deletes and savepoints, beside background merging, and
// compares every read with a map. Restarts find what was committed and no files else.
func TestBulkModel(t *testing.T) { eachSetting(t, testBulkModel) }

func testBulkModel(t *testing.T) {
	seeds := uint64(24)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 7))
		fs := vfs.NewMem()
		o := Options{SpillBytes: int64(2+rnd.IntN(30)) << 10, Columns: columns.Options{RowsMin: 1 + rnd.IntN(12), FileRowsMax: 1 + rnd.IntN(40), BlockRows: 4}}
		if rnd.IntN(2) == 0 {
			o.Columns.Mode = columns.Always
		}
		n := openMem(t, fs, o)
		tb := bulkAccounts()
		committed := model{}
		for range 12 {
			runBulkTxn(t, n, tb, rnd, committed)
			if rnd.IntN(4) == 0 {
				must(t, n.Close())
				n = openMem(t, fs, o)
				check := n.DB().Begin(txn.Options{})
				check.BeginStatement()
				if got := readAccounts(t, n, check, tb, rnd); got != committed.String() {
					t.Fatalf("seed %d, after a restart:\n%s\nwant\n%s", seed, got, committed)
				}
				check.Rollback()
			}
		}
		must(t, n.Close())
	}
}

// runBulkTxn runs one random transaction; committed becomes what it leaves.
func runBulkTxn(t *testing.T, n *Node, tb *planpb.Table, rnd *rand.Rand, committed model) {
	t.Helper()
	iso := []txn.Isolation{txn.ReadCommitted, txn.RepeatableRead}[rnd.IntN(2)]
	tx := n.DB().Begin(txn.Options{Isolation: iso})
	defer tx.Rollback()
	now := maps.Clone(committed)
	type mark struct {
		sp  txn.Savepoint
		was model
	}
	var marks []mark
	for range 1 + rnd.IntN(8) {
		sp, was := tx.Savepoint(), maps.Clone(now)
		tx.BeginStatement()
		s := n.Store(tx, nil)
		switch rnd.IntN(8) {
		case 0, 1, 2:
			clash := int32(-1)
			for range 1 + rnd.IntN(3) {
				var rows [][]types.Datum
				next, step := int32(rnd.IntN(600)), int32(1+rnd.IntN(3))
				scattered := rnd.IntN(2) == 0
				for range 1 + rnd.IntN(40) {
					if scattered {
						next = int32(rnd.IntN(2000))
					} else {
						next += step
					}
					rows = append(rows, accountRow(next, int64(next)*10))
					if _, taken := now[next]; taken && clash < 0 {
						clash = next
					}
					now[next] = int64(next) * 10
				}
				err := s.InsertBatch(ctx, tb, batchOf(tb, rows...))
				if clash >= 0 {
					want := fmt.Sprintf(`23505 duplicate key value violates unique constraint "accounts_pkey" Key (id)=(%d) already exists. [public.accounts accounts_pkey]`, clash)
					if got := report(err); got != want {
						t.Fatalf("got %s, want %s", got, want)
					}
					break
				}
				must(t, err)
			}
			if clash >= 0 {
				must(t, tx.RollbackTo(sp))
				now = was
			}
		case 3, 4:
			for id, balance := range now {
				if rnd.IntN(3) != 0 {
					continue
				}
				loc := locator(id)
				if st, old, err := s.LockRow(ctx, tb, loc, uint32(txn.LockUpdate), uint32(txn.WaitBlock)); err != nil || st != vexec.RowUnchanged {
					t.Fatal(id, st, err)
				} else if fmt.Sprint(old[2]) != fmt.Sprint(balance) {
					t.Fatalf("row %d: %v, want %d", id, old, balance)
				} else if rnd.IntN(2) == 0 {
					must(t, s.Update(ctx, tb, loc, old, accountRow(id, balance+1)))
					now[id] = balance + 1
				} else {
					must(t, s.Delete(ctx, tb, loc, old))
					delete(now, id)
				}
			}
		case 5:
			marks = append(marks, mark{sp, was})
		case 6:
			if k := len(marks); k > 0 {
				must(t, tx.RollbackTo(marks[k-1].sp))
				now, marks = marks[k-1].was, marks[:k-1]
			}
		}
		tx.BeginStatement()
		if got := readAccounts(t, n, tx, tb, rnd); got != now.String() {
			t.Fatalf("got\n%s\nwant\n%s", got, now)
		}
	}
	if rnd.IntN(4) == 0 {
		return
	}
	_, err := tx.Commit(ctx)
	must(t, err)
	clear(committed)
	maps.Copy(committed, now)
}

// TestBulkWaits: whoever wants a key that an open transaction inserted in bulk waits
// for its end, and a bulk insert waits for those who hold its keys.
func TestBulkWaits(t *testing.T) { eachSetting(t, testBulkWaits) }

func testBulkWaits(t *testing.T) {
	tb := bulkAccounts()
	batch := func(from, to int32) *vexec.Batch {
		var rows [][]types.Datum
		for i := from; i < to; i++ {
			rows = append(rows, row(i, nil, int64(i)))
		}
		return batchOf(tb, rows...)
	}
	for _, bulk := range []bool{true, false} {
		for _, commit := range []bool{true, false} {
			n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 100}})
			first := n.DB().Begin(txn.Options{})
			first.BeginStatement()
			second := n.DB().Begin(txn.Options{Isolation: txn.RepeatableRead})
			second.BeginStatement()
			one, many := batch(500, 501), batch(0, 1000)
			if bulk { // the first inserts in bulk
				one, many = many, one
			}
			must(t, n.Store(first, nil).InsertBatch(ctx, tb, one))
			done := make(chan error, 1)
			go func() { done <- n.Store(second, nil).InsertBatch(ctx, tb, many) }()
			select {
			case err := <-done:
				t.Fatalf("did not wait: %v", err)
			case <-time.After(30 * time.Millisecond):
			}
			want := "ok"
			if commit {
				_, err := first.Commit(ctx)
				must(t, err)
				want = `23505 duplicate key value violates unique constraint "accounts_pkey" Key (id)=(500) already exists. [public.accounts accounts_pkey]`
			} else {
				first.Rollback()
			}
			if got := report(<-done); got != want {
				t.Errorf("bulk first: %v, commit: %v: %s", bulk, commit, got)
			}
			second.Rollback()
			must(t, n.Close())
		}
	}
	// Two bulk inserts of the same keys, again and again, neither sorted: one of them wins.
	n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 50}})
	for round := range int32(20) {
		errs := make(chan string, 2)
		for k := range int32(2) {
			go func() {
				tx := n.DB().Begin(txn.Options{})
				defer tx.Rollback()
				tx.BeginStatement()
				s := n.Store(tx, nil)
				for i := range int32(5) {
					if err := s.InsertBatch(ctx, tb, batch(round*1000+i*100+k*20, round*1000+i*100+k*20+90)); err != nil {
						errs <- string(report(err)[:5])
						return
					}
				}
				_, err := tx.Commit(ctx)
				errs <- report(err)
			}()
		}
		got := []string{<-errs, <-errs}
		slices.Sort(got)
		if got[0] != "23505" || got[1] != "ok" {
			t.Fatalf("round %d: %v", round, got)
		}
	}
	must(t, n.Close())
}

// TestBulkCancel: an insert that is cancelled, or fails for want of space, leaves nothing.
func TestBulkCancel(t *testing.T) {
	fs := vfs.NewMem()
	n := openMem(t, fs, Options{Columns: columns.Options{RowsMin: 10, FileRowsMax: 64}})
	tb := bulkAccounts()
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	var rows [][]types.Datum
	for i := range int32(1000) {
		rows = append(rows, accountRow(i, 1))
	}
	must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows...)))
	tx.BeginStatement()
	if got := len(scanIDs(t, n, tx, tb, false)); got != 1000 {
		t.Fatal(got)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := tx.Commit(gone); err == nil {
		t.Fatal("committed")
	}
	names, err := fs.List("data/segments")
	must(t, err)
	if len(names) != 0 {
		t.Fatal(names)
	}
	must(t, n.Close())
}

// TestBulkEntriesLost: when index entries of bulk inserts cannot be written between two statements, the
// transaction neither reads nor commits without them; rolled back to a savepoint before, it goes on.
func TestBulkEntriesLost(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".run") {
			return syscall.ENOSPC
		}
		return nil
	}))
	n := openMem(t, fs, Options{SpillBytes: 8 << 10, Columns: columns.Options{RowsMin: 10, FileRowsMax: 64}})
	tb := bulkAccounts()
	rows := func(from int32) (out [][]types.Datum) {
		for i := range int32(1000) {
			out = append(out, accountRow(from+i, 1))
		}
		return out
	}
	for _, back := range []bool{false, true} {
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows(0)...)))
		sp := tx.Savepoint()
		tx.BeginStatement()
		must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows(5000)...)))
		full.Store(true)
		tx.BeginStatement()
		full.Store(false)
		r, _, err := n.Store(tx, nil).IndexScan(ctx, &planpb.IndexScan{Table: tb, Index: 1, Columns: []int32{0}}, vexec.ScanRequest{Parts: 1})
		if err == nil {
			_, err = r.Next(ctx)
			r.Close()
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a read: %v", err)
		}
		if !back {
			if _, err := tx.Commit(ctx); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("commit: %v", err)
			}
			continue
		}
		must(t, tx.RollbackTo(sp))
		_, err = tx.Commit(ctx)
		must(t, err)
	}
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	if got := len(scanIDs(t, n, tx, tb, false)); got != 1000 {
		t.Errorf("%d rows", got)
	}
	tx.Rollback()
	must(t, n.Close())
}

// TestBulkCrash pulls the plug while bulk inserts are written and committed, time and
// again: a transaction is there whole or not at all, the acknowledged ones are there,
// and no file stays behind that nobody refers to.
func TestBulkCrash(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	tb := bulkAccounts()
	const perTxn = 300
	for round := range rounds {
		rnd := rand.New(rand.NewPCG(uint64(round), 9))
		fs := vfs.NewCrashableMem()
		o := Options{SpillBytes: int64(4+rnd.IntN(60)) << 10, Columns: columns.Options{RowsMin: 50, FileRowsMax: 1 + rnd.IntN(200), BlockRows: 16}}
		if rnd.IntN(2) == 0 {
			o.Columns.Mode = columns.Always
		}
		n := openMem(t, fs, o)
		acked := make(chan int32, 1000)
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for k := int32(0); ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				tx := n.DB().Begin(txn.Options{})
				tx.BeginStatement()
				var rows [][]types.Datum
				for i := range int32(perTxn) {
					rows = append(rows, accountRow(k*perTxn+(i*7)%perTxn, 1))
				}
				s := n.Store(tx, nil)
				if err := s.InsertBatch(ctx, tb, batchOf(tb, rows[:120]...)); err != nil {
					t.Error(err)
				}
				if err := s.InsertBatch(ctx, tb, batchOf(tb, rows[120:]...)); err != nil {
					t.Error(err)
				}
				tx.BeginStatement()
				if st, old, err := s.LockRow(ctx, tb, locator(k*perTxn), uint32(txn.LockUpdate), uint32(txn.WaitBlock)); err != nil || st != vexec.RowUnchanged {
					t.Error(st, err)
				} else if err := s.Update(ctx, tb, locator(k*perTxn), old, accountRow(k*perTxn, 2)); err != nil {
					t.Error(err)
				}
				if k%5 == 4 {
					tx.Rollback()
					continue
				}
				if _, err := tx.Commit(ctx); err != nil {
					t.Error(err)
				}
				acked <- k
			}
		}()
		time.Sleep(time.Duration(5+rnd.IntN(60)) * time.Millisecond)
		before := len(acked)
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		close(stop)
		<-ended
		must(t, n.Close())
		n = openMem(t, crashed, o)
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		found := map[int32]int{}
		for _, id := range scanIDs(t, n, tx, tb, false) {
			found[id/perTxn]++
		}
		for k, c := range found {
			if c != perTxn || k%5 == 4 {
				t.Fatalf("round %d: %d rows of transaction %d", round, c, k)
			}
		}
		for range before {
			if k := <-acked; found[k] == 0 {
				t.Fatalf("round %d: transaction %d was acknowledged and is lost", round, k)
			}
		}
		if got, want := readAccounts(t, n, tx, tb, rnd), found; strings.Count(got, "|n") != len(want)*perTxn || strings.Count(got+" ", "|2 ") != len(want) {
			t.Fatalf("round %d: %s", round, got)
		}
		tx.Rollback()
		must(t, n.Close())
	}
}
