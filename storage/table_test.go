package storage

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// inTxn runs f in a transaction of its own.
func inTxn(t testing.TB, n *Node, f func(tx txn.Txn) error) error {
	t.Helper()
	tx := n.DB().Begin(txn.Options{})
	defer tx.Rollback()
	tx.BeginStatement()
	if err := f(tx); err != nil {
		return err
	}
	_, err := tx.Commit(ctx)
	return err
}

// report is an error as a client sees it.
func report(err error) string {
	e := pgerror.From(err)
	if e == nil {
		return "ok"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s [%s.%s %s]", e.Code, e.Message, e.Detail, e.Schema, e.Table, e.Constraint))
}

func TestInsertOrConflict(t *testing.T) { eachSetting(t, testInsertOrConflict) }

func testInsertOrConflict(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{})
	defer func() { must(t, n.Close()) }()
	tb := accounts()
	must(t, inTxn(t, n, func(tx txn.Txn) error {
		return n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, row(int32(1), "a", int64(10)), row(int32(2), "b", nil)))
	}))
	try := func(tx txn.Txn, oc *planpb.OnConflict, r []types.Datum) string {
		c, err := n.Store(tx, nil).InsertOrConflict(ctx, tb, oc, r)
		if err != nil {
			return report(err)
		}
		if c == nil {
			return "inserted"
		}
		return fmt.Sprintf("conflict %x %s same=%v", c.Locator, c.Constraint, c.SameStatement)
	}
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	for _, c := range []struct {
		oc   *planpb.OnConflict
		r    []types.Datum
		want string
	}{
		{&planpb.OnConflict{AnyIndex: true}, row(int32(1), "z", nil), "conflict 0180000001 accounts_pkey same=false"},
		{&planpb.OnConflict{AnyIndex: true}, row(int32(9), "b", nil), "conflict 0180000002 accounts_name_key same=false"},
		{&planpb.OnConflict{PrimaryKey: true}, row(int32(9), "b", nil),
			`23505 duplicate key value violates unique constraint "accounts_name_key" Key (name)=(b) already exists. [public.accounts accounts_name_key]`},
		{&planpb.OnConflict{Indexes: []uint32{0}, Update: true}, row(int32(1), "b", nil), "conflict 0180000002 accounts_name_key same=false"},
		{&planpb.OnConflict{PrimaryKey: true, Update: true}, row(int32(5), nil, nil), "inserted"},
		{&planpb.OnConflict{PrimaryKey: true, Update: true}, row(int32(5), nil, nil), "conflict 0180000005 accounts_pkey same=true"},
		{&planpb.OnConflict{AnyIndex: true}, row(int32(6), nil, nil), "inserted"},
	} {
		if got := try(tx, c.oc, c.r); got != c.want {
			t.Errorf("%v %v: %s", c.oc, c.r, got)
		}
	}
	// DO NOTHING left the row it met unlocked, DO UPDATE locked it.
	other := n.DB().Begin(txn.Options{})
	other.BeginStatement()
	if st, _, err := n.Store(other, nil).LockRow(ctx, tb, locator(1), uint32(txn.LockUpdate), uint32(txn.WaitError)); err != nil || st != vexec.RowUnchanged {
		t.Error(st, err)
	}
	_, _, err := n.Store(other, nil).LockRow(ctx, tb, locator(2), uint32(txn.LockUpdate), uint32(txn.WaitError))
	if got := report(err); got != `55P03 could not obtain lock on row in relation "accounts"  [. ]` {
		t.Error(got)
	}
	if st, _, err := n.Store(other, nil).LockRow(ctx, tb, locator(2), uint32(txn.LockUpdate), uint32(txn.WaitSkip)); err != nil || st != vexec.RowSkipped {
		t.Error(st, err)
	}
	other.Rollback()
	_, err = tx.Commit(ctx)
	must(t, err)
}

// TestBatchViolation: a batch reports what going row by row would have met first.
func TestBatchViolation(t *testing.T) { eachSetting(t, testBatchViolation) }

func testBatchViolation(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{})
	defer func() { must(t, n.Close()) }()
	tb := accounts()
	insert := func(rows ...[]types.Datum) string {
		return report(inTxn(t, n, func(tx txn.Txn) error { return n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows...)) }))
	}
	if got := insert(row(int32(1), "a", nil)); got != "ok" {
		t.Fatal(got)
	}
	name := `23505 duplicate key value violates unique constraint "accounts_name_key" Key (name)=(a) already exists. [public.accounts accounts_name_key]`
	pkey := `23505 duplicate key value violates unique constraint "accounts_pkey" Key (id)=(1) already exists. [public.accounts accounts_pkey]`
	for _, c := range []struct {
		rows [][]types.Datum
		want string
	}{
		{[][]types.Datum{row(int32(2), "a", nil), row(int32(1), "c", nil)}, name},
		{[][]types.Datum{row(int32(2), "b", nil), row(int32(1), "a", nil), row(int32(3), "a", nil)}, pkey},
		{[][]types.Datum{row(int32(3), "x", nil), row(int32(3), "y", nil)}, strings.ReplaceAll(pkey, "(1)", "(3)")},
		{[][]types.Datum{row(int32(3), "x", nil), row(int32(4), "x", nil)}, strings.ReplaceAll(name, "(a)", "(x)")},
		{[][]types.Datum{row(int32(3), nil, nil), row(int32(4), nil, nil)}, "ok"},
	} {
		if got := insert(c.rows...); got != c.want {
			t.Errorf("%v: %s", c.rows, got)
		}
	}
}

// TestBuildIndex fills a new unique index and a partial one, and drops one.
func TestBuildIndex(t *testing.T) { eachSetting(t, testBuildIndex) }

func testBuildIndex(t *testing.T) {
	fs := vfs.NewMem()
	n := openMem(t, fs, Options{SpillBytes: 4 << 10})
	tb := accounts()
	tb.PrimaryKey = nil // hidden row ids
	must(t, inTxn(t, n, func(tx txn.Txn) error {
		var rs [][]types.Datum
		for i := range 500 {
			rs = append(rs, row(int32(i%250), fmt.Sprint("n", i), int64(i)))
		}
		return n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, rs...))
	}))
	tb2 := accounts()
	tb2.PrimaryKey = nil
	tb2.Indexes = append(tb2.Indexes, &planpb.Index{StorageId: 103, Name: "by_id", Unique: true, Keys: []*planpb.KeyPart{{Ordinal: 0}}})
	err := inTxn(t, n, func(tx txn.Txn) error { return n.BuildIndex(ctx, tx, nil, tb2, 2, nil) })
	if got := report(err); !regexp.MustCompile(`^23505 could not create unique index "by_id" Key \(id\)=\(\d+\) is duplicated. \[public.accounts by_id\]$`).MatchString(got) {
		t.Error(got)
	}
	tb2 = accounts() // a prepared table does not change
	tb2.PrimaryKey = nil
	tb2.Indexes = append(tb2.Indexes, &planpb.Index{StorageId: 103, Name: "by_id", Unique: true, Keys: []*planpb.KeyPart{{Ordinal: 2}}})
	must(t, inTxn(t, n, func(tx txn.Txn) error { return n.BuildIndex(ctx, tx, nil, tb2, 2, nil) }))
	must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Store(tx, nil).Check(ctx, tb2, nil) }))

	// Dropped storage goes once no snapshot needs it, also after a restart.
	old := n.DB().Begin(txn.Options{Isolation: txn.RepeatableRead})
	old.BeginStatement()
	must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Drop(ctx, tx, 103) }))
	any := func() bool {
		for _, tab := range n.tablets() {
			b, err := n.Engine().AnyIn(keyenc.Prefix(tab, 103), keyenc.PrefixEnd(tab, 103))
			must(t, err)
			if b {
				return true
			}
		}
		return false
	}
	must(t, n.ReapNow())
	if !any() {
		t.Error("dropped under a snapshot")
	}
	must(t, n.Store(old, nil).Check(ctx, tb2, nil))
	old.Rollback()
	must(t, n.Close())
	n = openMem(t, fs, Options{})
	must(t, n.ReapNow())
	if any() {
		t.Error("not dropped")
	}
	must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Store(tx, nil).Check(ctx, tb, nil) }))
	must(t, n.Close())
}

// TestBuildIndexAgain builds an index, rolls back to a savepoint and builds it again, with entries that fit
// memory and with many sorted runs; duplicates are found wherever they meet.
func TestBuildIndexAgain(t *testing.T) {
	eachSetting(t, func(t *testing.T) {
		for _, spill := range []int64{1 << 10, 16 << 10, 0} {
			n := openMem(t, vfs.NewMem(), Options{SpillBytes: spill})
			with := func(ordinal uint32) *planpb.Table {
				tb := accounts()
				tb.Indexes = append(tb.Indexes, &planpb.Index{StorageId: 103, Name: "new", Unique: true, Keys: []*planpb.KeyPart{{Ordinal: ordinal}}})
				return tb
			}
			const rows = 3000
			must(t, inTxn(t, n, func(tx txn.Txn) error {
				var rs [][]types.Datum
				for i := range rows {
					other := int64(i)
					if i == rows-1 {
						other = 0 // as the first
					}
					rs = append(rs, row(int32(i*7919%rows), fmt.Sprint("n", i), other))
				}
				return n.Store(tx, nil).InsertBatch(ctx, accounts(), batchOf(accounts(), rs...))
			}))
			must(t, inTxn(t, n, func(tx txn.Txn) error {
				sp := tx.Savepoint()
				must(t, n.BuildIndex(ctx, tx, nil, with(0), 2, nil))
				must(t, tx.RollbackTo(sp))
				got := report(n.BuildIndex(ctx, tx, nil, with(2), 2, nil))
				if want := `23505 could not create unique index "new" Key (balance)=(0) is duplicated. [public.accounts new]`; got != want {
					t.Errorf("spill %d: %s", spill, got)
				}
				must(t, tx.RollbackTo(sp))
				must(t, n.BuildIndex(ctx, tx, nil, with(0), 2, nil))
				tx.NextCommand()
				return n.Store(tx, nil).Check(ctx, with(0), nil)
			}))
			must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Store(tx, nil).Check(ctx, with(0), nil) }))
			must(t, n.Close())
		}
	})
}

// TestConcurrentTables changes one table from several goroutines, with
// unique conflicts, moved keys, upserts, rollbacks and savepoints, then checks that
// indexes and rows agree and that a crash keeps exactly what was acknowledged.
func TestConcurrentTables(t *testing.T) { eachSetting(t, testConcurrentTables) }

func testConcurrentTables(t *testing.T) {
	mem := vfs.NewCrashableMem()
	n := openMem(t, mem, Options{SpillBytes: 2 << 10})
	tb := accounts()
	var mu sync.Mutex
	committed := map[string]bool{} // history rows acknowledged
	hist := accounts()
	hist.StorageId, hist.RelationId, hist.Name, hist.PrimaryKey, hist.Indexes = 300, 300, "history", nil, nil
	deadline := time.Now().Add(1500 * time.Millisecond)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 9))
			for i := 0; time.Now().Before(deadline); i++ {
				tag := fmt.Sprintf("w%d-%d", w, i)
				err := inTxn(t, n, func(tx txn.Txn) error {
					if err := change(n, tx, tb, r); err != nil {
						return err
					}
					if r.IntN(5) == 0 {
						return pgerror.New("P0001", "rolled back on purpose")
					}
					return n.Store(tx, nil).InsertBatch(ctx, hist, batchOf(hist, row(int32(i), tag, nil)))
				})
				switch {
				case err == nil:
					mu.Lock()
					committed[tag] = true
					mu.Unlock()
				case pgerror.Is(err, pgerror.UniqueViolation), pgerror.Is(err, pgerror.DeadlockDetected), pgerror.Is(err, "P0001"):
				default:
					t.Error(report(err))
					return
				}
			}
		}()
	}
	wg.Wait()
	clone := mem.CrashClone(vfs.CrashCloneCfg{})
	verify := func(n *Node) {
		t.Helper()
		must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Store(tx, nil).Check(ctx, tb, nil) }))
		must(t, inTxn(t, n, func(tx txn.Txn) error {
			r, _, err := n.Store(tx, nil).Scan(ctx, &planpb.Scan{Table: hist, Columns: []int32{1}}, vexec.ScanRequest{Parts: 1})
			got := strings.Fields(dump(t, r, err, types.Text))
			sort.Strings(got)
			var want []string
			for k := range committed {
				want = append(want, k)
			}
			sort.Strings(want)
			if len(want) < 10 || strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%d rows of history, %d acknowledged", len(got), len(want))
			}
			return nil
		}))
	}
	verify(n)
	must(t, n.DB().CollectNow())
	verify(n)
	must(t, n.Close())
	n = openMem(t, clone, Options{})
	verify(n)
	must(t, n.Close())
}

func change(n *Node, tx txn.Txn, tb *planpb.Table, r *rand.Rand) error {
	s := n.Store(tx, nil)
	newRow := func() []types.Datum {
		v := row(r.Int32N(40), nil, r.Int64N(5))
		if r.IntN(3) > 0 {
			v[1] = fmt.Sprint("n", r.IntN(60))
		}
		return v
	}
	for range 1 + r.IntN(4) {
		tx.BeginStatement()
		sp := tx.Savepoint()
		err := func() error {
			switch r.IntN(4) {
			case 0:
				return s.InsertBatch(ctx, tb, batchOf(tb, newRow(), newRow()))
			case 1:
				_, err := s.InsertOrConflict(ctx, tb, &planpb.OnConflict{AnyIndex: true, Update: r.IntN(2) == 0}, newRow())
				return err
			}
			loc := locator(r.Int32N(40))
			st, old, err := s.LockRow(ctx, tb, loc, uint32(txn.LockUpdate), 0)
			if err != nil || st != vexec.RowUnchanged && st != vexec.RowUpdated {
				return err
			}
			if r.IntN(3) == 0 {
				return s.Delete(ctx, tb, loc, old)
			}
			v := newRow()
			if r.IntN(2) == 0 {
				v[0] = old[0]
			}
			return s.Update(ctx, tb, loc, old, v)
		}()
		if err == nil && r.IntN(6) == 0 || err != nil && pgerror.Is(err, pgerror.UniqueViolation) && r.IntN(2) == 0 {
			err = tx.RollbackTo(sp)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestCheckFinds makes sure that Check is not blind.
func TestCheckFinds(t *testing.T) { eachSetting(t, testCheckFinds) }

func testCheckFinds(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{})
	defer func() { must(t, n.Close()) }()
	tb := accounts()
	must(t, inTxn(t, n, func(tx txn.Txn) error {
		return n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, row(int32(1), "a", int64(10)), row(int32(2), "b", nil)))
	}))
	damage := func(f func(tx txn.Txn) error) error {
		tx := n.DB().Begin(txn.Options{})
		defer tx.Rollback()
		tx.BeginStatement()
		must(t, f(tx))
		tx.BeginStatement()
		return n.Store(tx, nil).Check(ctx, tb, nil)
	}
	// key is the one that exists, in whatever tablet.
	key := func(tx txn.Txn, id uint64, rest ...byte) []byte {
		for _, tab := range n.tablets() {
			k := append(keyenc.Prefix(tab, id), rest...)
			if _, ok, err := tx.Get(ctx, k); err == nil && ok {
				return k
			}
		}
		t.Fatalf("no key %d %x", id, rest)
		return nil
	}
	must(t, damage(func(txn.Txn) error { return nil }))
	if err := damage(func(tx txn.Txn) error {
		k := key(tx, 100, locator(2)...)
		v, _, err := tx.Get(ctx, k)
		must(t, err)
		must(t, tx.Delete(ctx, k))
		tablets := n.tablets()
		if k[1]++; len(tablets) > 1 && txn.TabletOf(k) > tablets[len(tablets)-1] {
			k[1] -= 2
		}
		return tx.Put(ctx, k, v)
	}); err == nil {
		t.Error("a row in the wrong tablet was not found")
	}
	if err := damage(func(tx txn.Txn) error {
		return tx.Delete(ctx, key(tx, 101, 1, 'a', 0, 1))
	}); !pgerror.Is(err, pgerror.IndexCorrupted) {
		t.Error(err)
	}
	if err := damage(func(tx txn.Txn) error {
		return tx.Delete(ctx, key(tx, 100, locator(2)...))
	}); !pgerror.Is(err, pgerror.IndexCorrupted) {
		t.Error(err)
	}
	if err := damage(func(tx txn.Txn) error {
		return tx.Put(ctx, key(tx, 100, locator(2)...), []byte{1})
	}); !pgerror.Is(err, pgerror.DataCorrupted) {
		t.Error(err)
	}
}
