package storage

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

var tabletSeed = flag.Uint64("tablet-seed", 0, "seed of TestTabletsAlike, 0 for a new one")

// orders is a table with a primary key of three columns of different kinds, a
// unique index over other columns, and indexes that do and do not begin with what
// places its rows.
func orders(placement planpb.Placement, dist ...uint32) *planpb.Table {
	return &planpb.Table{
		StorageId: 500, RelationId: 500, Schema: "public", Name: "orders", PrimaryKeyName: "orders_pkey", Placement: placement, Distribution: dist,
		Columns: []*planpb.Column{
			{Attnum: 1, Name: "region", Type: pbType(types.Text), NotNull: true},
			{Attnum: 2, Name: "cust", Type: pbType(types.Int4), NotNull: true},
			{Attnum: 3, Name: "nr", Type: pbType(types.NumericOID), NotNull: true},
			{Attnum: 4, Name: "tag", Type: pbType(types.Text)},
			{Attnum: 5, Name: "sub", Type: pbType(types.Int8)},
		},
		PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}, {Ordinal: 1, Descending: true}, {Ordinal: 2}},
		Indexes: []*planpb.Index{
			{StorageId: 501, Oid: 501, Name: "orders_tag_sub", Unique: true, Keys: []*planpb.KeyPart{{Ordinal: 3}, {Ordinal: 4, Descending: true, NullsFirst: true}}},
			{StorageId: 502, Oid: 502, Name: "orders_sub", Keys: []*planpb.KeyPart{{Ordinal: 4}}},
			{StorageId: 503, Oid: 503, Name: "orders_cust", Keys: []*planpb.KeyPart{{Ordinal: 1}, {Ordinal: 0}}},
			{StorageId: 504, Oid: 504, Name: "orders_nnd", Unique: true, NullsNotDistinct: true, Keys: []*planpb.KeyPart{{Ordinal: 2}, {Ordinal: 1}, {Ordinal: 3}}},
		},
	}
}

// events is a table without a primary key.
func events(p planpb.Placement) *planpb.Table {
	t := orders(p)
	t.StorageId, t.RelationId, t.Name, t.PrimaryKey, t.Indexes = 600, 600, "events", nil, nil
	t.Indexes = []*planpb.Index{{StorageId: 601, Oid: 601, Name: "events_cust", Keys: []*planpb.KeyPart{{Ordinal: 1}}}}
	return t
}

// variant is one way to hold the same tables.
type variant struct {
	name   string
	n      *Node
	orders *planpb.Table
	events *planpb.Table
	tx     txn.Txn
	saves  []txn.Savepoint
}

// TestTabletsAlike runs the same random operations on stores of one and of several
// tablets, and on tables placed in every way, and compares everything that can be
// read. A failure prints the seed and the operations.
func TestTabletsAlike(t *testing.T) {
	seed := *tabletSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for i := range 3 {
		s := seed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) { tabletsAlike(t, s) })
	}
}

func tabletsAlike(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	spill := []int64{0, 4 << 10}[r.IntN(2)]
	var vs []*variant
	for _, v := range []struct {
		name      string
		tablets   int
		placement planpb.Placement
		dist      []uint32
	}{
		{"lone", 1, planpb.Placement_HASH, nil}, {"by region", 8, planpb.Placement_HASH, nil}, {"by cust", 8, planpb.Placement_HASH, []uint32{1}},
		{"by nr, region", 5, planpb.Placement_HASH, []uint32{2, 0}}, {"all", 8, planpb.Placement_ALL, nil}, {"system", 8, planpb.Placement_SYSTEM, nil},
		{"all, read near", 8, planpb.Placement_ALL, nil},
	} {
		vs = append(vs, &variant{name: v.name, n: openMem(t, vfs.NewMem(), Options{Tablets: v.tablets, SpillBytes: spill}),
			orders: orders(v.placement, v.dist...), events: events(v.placement)})
	}
	near := vs[len(vs)-1].n
	near.shared.SetPlacement(txn.EvenPlacement(1, []txn.NodeID{1, 2}, 8))
	near.shared.SetSelf(2)
	defer func() {
		for _, v := range vs {
			if v.tx != nil {
				v.tx.Rollback()
			}
			must(t, v.n.Close())
		}
	}()
	var log []string
	// all runs f on every variant and compares what it says.
	all := func(what string, f func(v *variant) string) string {
		t.Helper()
		log = append(log, what)
		var want string
		for i, v := range vs {
			got := f(v)
			if i == 0 {
				want = got
				log[len(log)-1] += " -> " + want
			} else if got != want {
				t.Fatalf("%s\n%s: %s\nlone: %s", strings.Join(log[max(0, len(log)-30):], "\n"), v.name, got, want)
			}
		}
		return want
	}
	begin := func() {
		o := txn.Options{Isolation: []txn.Isolation{txn.ReadCommitted, txn.RepeatableRead}[r.IntN(2)]}
		for _, v := range vs {
			v.tx, v.saves = v.n.DB().Begin(o), nil
			v.tx.BeginStatement()
		}
	}
	newRow := func() []types.Datum {
		x := row([]string{"eu", "us", "asia", "", "a\x00b"}[r.IntN(5)], r.Int32N(6)-2, types.NumericFromInt64(r.Int64N(4)*5, 1), nil, nil)
		if r.IntN(3) > 0 {
			x[3] = fmt.Sprint("t", r.IntN(8))
		}
		if r.IntN(3) > 0 {
			x[4] = r.Int64N(5)
		}
		return x
	}
	begin()
	for range 250 {
		switch op := r.IntN(20); {
		case op < 5:
			rows := make([][]types.Datum, 1+r.IntN(6))
			for i := range rows {
				rows[i] = newRow()
			}
			which := r.IntN(3)
			all(fmt.Sprint("insert ", which, rows), func(v *variant) string {
				sp, tb := v.tx.Savepoint(), v.orders
				if which == 0 {
					tb = v.events
				}
				err := v.n.Store(v.tx, nil).InsertBatch(ctx, tb, batchOf(tb, rows...))
				if err != nil {
					must(t, v.tx.RollbackTo(sp))
				}
				return report(err)
			})
		case op < 7:
			x, oc := newRow(), &planpb.OnConflict{AnyIndex: true, Update: r.IntN(2) == 0}
			all(fmt.Sprint("upsert ", x, oc), func(v *variant) string {
				c, err := v.n.Store(v.tx, nil).InsertOrConflict(ctx, v.orders, oc, x)
				if c != nil {
					return fmt.Sprintf("%x %s %v", c.Locator, c.Constraint, c.SameStatement)
				}
				return report(err)
			})
		case op < 12:
			old, x, remove := newRow(), newRow(), r.IntN(3) == 0
			for c := range 3 {
				if r.IntN(3) > 0 {
					x[c] = old[c]
				}
			}
			all(fmt.Sprint("change ", old, x, remove), func(v *variant) string {
				sp := v.tx.Savepoint()
				err := func() error {
					s := v.n.Store(v.tx, nil)
					loc := orderLocator(t, v.orders, old)
					st, was, err := s.LockRow(ctx, v.orders, loc, uint32(txn.LockUpdate), 0)
					if err != nil || st != vexec.RowUnchanged {
						return err
					}
					if remove {
						return s.Delete(ctx, v.orders, loc, was)
					}
					return s.Update(ctx, v.orders, loc, was, x)
				}()
				if err != nil {
					must(t, v.tx.RollbackTo(sp))
				}
				return report(err)
			})
		case op < 13:
			all("savepoint", func(v *variant) string { v.saves = append(v.saves, v.tx.Savepoint()); return "" })
		case op < 14 && len(vs[0].saves) > 0:
			k := r.IntN(len(vs[0].saves))
			all(fmt.Sprint("rollback to ", k), func(v *variant) string {
				must(t, v.tx.RollbackTo(v.saves[k]))
				v.saves = v.saves[:k+1]
				return ""
			})
		case op < 15:
			commit := r.IntN(4) > 0
			all(fmt.Sprint("end ", commit), func(v *variant) string {
				if !commit {
					v.tx.Rollback()
					return ""
				}
				_, err := v.tx.Commit(ctx)
				return report(err)
			})
			begin()
		default:
			all("statement", func(v *variant) string { v.tx.BeginStatement(); return "" })
			compareReads(t, r, all, newRow)
		}
	}
	all("check", func(v *variant) string {
		_, err := v.tx.Commit(ctx)
		must(t, err)
		v.tx = nil
		must(t, v.n.DB().CollectNow())
		return report(inTxn(t, v.n, func(tx txn.Txn) error {
			if err := v.n.Store(tx, nil).Check(ctx, v.events, nil); err != nil {
				return err
			}
			return v.n.Store(tx, nil).Check(ctx, v.orders, nil)
		}))
	})
}

// orderLocator is the locator of a row of orders.
func orderLocator(t testing.TB, tb *planpb.Table, x []types.Datum) []byte {
	var loc []byte
	var err error
	for _, k := range tb.PrimaryKey {
		c := keyenc.Column{T: table.TypeOf(tb.Columns[k.Ordinal].Type), Desc: k.Descending}
		if loc, err = c.Append(nil, loc, x[k.Ordinal]); err != nil {
			t.Fatal(err)
		}
	}
	return loc
}

var orderTypes = []types.OID{types.Text, types.Int4, types.NumericOID, types.Text, types.Int8}

// compareReads reads in every way.
func compareReads(t *testing.T, r *rand.Rand, all func(string, func(*variant) string) string, newRow func() []types.Datum) {
	t.Helper()
	x, y := newRow(), newRow()
	n := r.IntN(4)
	var bounds []vexec.KeyBounds
	key := -1 // the primary key
	if k := r.IntN(6); k < 4 {
		key = k
	}
	parts := [][]int{{3, 4}, {4}, {1, 0}, {2, 1, 3}}
	cols := []int{0, 1, 2}
	if key >= 0 {
		cols = parts[key]
	}
	for range 1 + r.IntN(3) {
		b := vexec.KeyBounds{}
		z := []([]types.Datum){x, y, newRow()}[r.IntN(3)]
		for _, c := range cols[:min(n, len(cols))] {
			b.Eq = append(b.Eq, z[c])
		}
		if k := len(b.Eq); k < len(cols) && r.IntN(2) == 0 {
			b.HasLower, b.Lower, b.LowerInclusive = true, y[cols[k]], r.IntN(2) == 0
			if r.IntN(2) == 0 {
				b.HasUpper, b.Upper, b.UpperInclusive = true, x[cols[k]], r.IntN(2) == 0
			}
		}
		bounds = append(bounds, b)
	}
	if r.IntN(4) == 0 {
		bounds = nil
	}
	reverse, ordered, hint, workers := r.IntN(2) == 0, r.IntN(2) == 0, uint64(r.IntN(3)), 1+r.IntN(4)
	columns := []int32{0, 1, 2, 3, 4}
	read := func(v *variant, tb *planpb.Table, key, part, parts int) []string {
		s := v.n.Store(v.tx, nil)
		var rd vexec.Reader
		var err error
		rev := reverse && ordered
		if key < 0 {
			rd, _, err = s.Scan(ctx, &planpb.Scan{Table: tb, Columns: columns, Ordered: ordered, Reverse: rev, LimitHint: hint}, vexec.ScanRequest{Bounds: bounds, Part: part, Parts: parts})
		} else {
			rd, _, err = s.IndexScan(ctx, &planpb.IndexScan{Table: tb, Index: uint32(key), Columns: columns, Ordered: ordered, Reverse: rev, LimitHint: hint}, vexec.ScanRequest{Bounds: bounds, Part: part, Parts: parts})
		}
		out := strings.Split(dump(t, rd, err, orderTypes...), " ")
		if !ordered {
			slices.Sort(out)
		}
		return out
	}
	all(fmt.Sprint("read ", key, bounds, reverse, ordered), func(v *variant) string { return strings.Join(read(v, v.orders, key, 0, 1), " ") })
	if !ordered {
		all(fmt.Sprint("read in parts ", key, bounds, workers), func(v *variant) string {
			var out []string
			s := v.n.Store(v.tx, nil)
			for p := range workers {
				var rd vexec.Reader
				var err error
				if key < 0 {
					rd, _, err = s.Scan(ctx, &planpb.Scan{Table: v.orders, Columns: columns}, vexec.ScanRequest{Bounds: bounds, Part: p, Parts: workers})
				} else {
					rd, _, err = s.IndexScan(ctx, &planpb.IndexScan{Table: v.orders, Index: uint32(key), Columns: columns}, vexec.ScanRequest{Bounds: bounds, Part: p, Parts: workers})
				}
				out = append(out, strings.Fields(dump(t, rd, err, orderTypes...))...)
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		})
		// What each of two nodes would read of its own tablets is all there is.
		all(fmt.Sprint("read by nodes ", key, bounds), func(v *variant) string {
			tablets := v.n.tablets()
			var out []string
			for node := range 2 {
				s := v.n.Store(v.tx, nil)
				var own []txn.TabletID
				for i, tab := range tablets {
					if i%2 == node {
						own = append(own, tab)
					}
				}
				if strings.HasPrefix(v.name, "all") && node == 1 {
					break
				}
				s.Confine(own)
				var rd vexec.Reader
				var err error
				if key < 0 {
					rd, _, err = s.Scan(ctx, &planpb.Scan{Table: v.orders, Columns: columns}, vexec.ScanRequest{Bounds: bounds, Parts: 1})
				} else {
					rd, _, err = s.IndexScan(ctx, &planpb.IndexScan{Table: v.orders, Index: uint32(key), Columns: columns}, vexec.ScanRequest{Bounds: bounds, Parts: 1})
				}
				out = append(out, strings.Fields(dump(t, rd, err, orderTypes...))...)
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		})
	}
	bounds = nil
	all("events", func(v *variant) string { return strings.Join(read(v, v.events, -1, 0, 1), " ") })
}

// TestSharedRowIDs has several processes take ids of one table.
func TestSharedRowIDs(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{})
	defer func() { must(t, n.Close()) }()
	seen := map[uint64]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 3 {
		ids := table.NewSharedRowIDs(n.DB())
		for range 2 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range 200 {
					first, err := ids.NextRowIDs(context.Background(), 7, nil, 1+i*3)
					must(t, err)
					mu.Lock()
					for k := range uint64(1 + i*3) {
						if seen[first+k] || first+k == 0 {
							t.Errorf("row id %d comes twice", first+k)
						}
						seen[first+k] = true
					}
					mu.Unlock()
				}
			}()
		}
	}
	wg.Wait()
}

// TestPlacementRecord: the placement is kept, and another one is refused.
func TestPlacementRecord(t *testing.T) {
	fs := vfs.NewMem()
	n := openMem(t, fs, Options{Tablets: 8})
	p := n.Placement()
	if len(p.Tablets) != 8 || p.Lone() {
		t.Fatal(p)
	}
	must(t, n.Close())
	n = openMem(t, fs, Options{})
	if got := n.Placement(); fmt.Sprint(*got) != fmt.Sprint(*p) {
		t.Error(got, p)
	}
	must(t, n.Close())
	for _, tablets := range []int{1, 4, 5000, -1} {
		if _, err := Open("data", Options{FS: fs, Tablets: tablets}); err == nil {
			t.Errorf("opened with %d tablets", tablets)
		} else if e := pgerror.From(err); strings.Contains(e.Message, "\n") || e.Code == pgerror.InternalError {
			t.Error(e)
		}
	}
	lone := vfs.NewMem()
	n = openMem(t, lone, Options{})
	must(t, inTxn(t, n, func(tx txn.Txn) error {
		return n.Store(tx, nil).InsertBatch(ctx, accounts(), batchOf(accounts(), row(int32(1), nil, nil)))
	}))
	must(t, n.Close())
	if _, err := Open("data", Options{FS: lone, Tablets: 2}); err == nil {
		t.Error("a lone store opened with 2 tablets")
	}
	b := encodePlacement(p)
	for i := range b {
		if _, err := decodePlacement(b[:i]); err == nil {
			t.Errorf("a record of %d bytes is read", i)
		}
	}
	if got, err := decodePlacement(b); err != nil || fmt.Sprint(*got) != fmt.Sprint(*p) {
		t.Error(got, err)
	}
	if txn.Slots != keyenc.Slots {
		t.Error("two numbers of slots")
	}
}

// placer gives a placement when it is first needed.
type placer struct{ calls int }

func (p *placer) Place(context.Context) (*txn.Placement, error) {
	p.calls++
	return txn.EvenPlacement(1, []txn.NodeID{1}, 4), nil
}

// TestPlacedLate starts without tablets for data: system tables work, the first
// table of a user asks where to lie. Dropped tables stay queued until all nodes have removed them.
func TestPlacedLate(t *testing.T) {
	pl := &placer{}
	n := openMem(t, vfs.NewMem(), Options{DisableGC: true})
	defer func() { must(t, n.Close()) }()
	n.shared.SetPlacement(&txn.Placement{System: 1})
	sys, tb := accounts(), accounts()
	sys.Placement, sys.StorageId = planpb.Placement_SYSTEM, 900
	insert := func(tb *planpb.Table) error {
		return inTxn(t, n, func(tx txn.Txn) error {
			return n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, row(int32(1), nil, nil), row(int32(2), nil, nil)))
		})
	}
	must(t, insert(sys))
	if got := report(insert(tb)); got != `55000 there are no tablets to keep table "accounts" in  [. ]` {
		t.Error(got)
	}
	n.shared.SetPlacer(pl)
	must(t, insert(tb))
	must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Store(tx, nil).Check(ctx, tb, nil) }))
	if pl.calls != 1 || len(n.Placement().Tablets) != 4 {
		t.Error(pl.calls, n.Placement())
	}
	must(t, inTxn(t, n, func(tx txn.Txn) error { return n.Drop(ctx, tx, 100, 101, 102) }))
	ids, err := n.DroppedAt(n.DB().OldestSnapshot())
	if err != nil || len(ids) != 3 {
		t.Error(ids, err)
	}
	must(t, n.DropStorage(ids...))
	if left, err := n.DroppedIDs(); err != nil || len(left) != 3 {
		t.Error(left, err)
	}
	must(t, n.Removed(ids...))
	if left, err := n.DroppedIDs(); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
	if ids, err := n.StorageIDs(); err != nil || slices.Contains(ids, 100) || !slices.Contains(ids, 900) {
		t.Error(ids, err)
	}
}
