package storage

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// TestColumnScan compares scans of a table that is written and merged all the time
// with a model: random columns, bounds, filters, conditions, parts, orders, limits,
// snapshots taken long ago, own writes, own savepoints.
func TestColumnScan(t *testing.T) {
	seeds := 24
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		for _, tablets := range []int{1, 4} {
			t.Run(fmt.Sprintf("seed=%d/tablets=%d", seed, tablets), func(t *testing.T) {
				newScanTest(t, uint64(seed), tablets).run(150)
			})
		}
	}
}

func measurements() *planpb.Table {
	tb := &planpb.Table{StorageId: 20000, RelationId: 20000, Schema: "public", Name: "measurements", PrimaryKeyName: "measurements_pkey",
		PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}, {Ordinal: 1}}}
	for i, oid := range []types.OID{types.Int4, types.Int4, types.Text, types.NumericOID, types.Text, types.DateOID, types.Float8, types.Bool} {
		tb.Columns = append(tb.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: fmt.Sprintf("c%d", i), Type: pbType(oid), NotNull: i < 2})
	}
	return tb
}

// scanTest is a node, a table and what should be in it.
type scanTest struct {
	t    *testing.T
	r    *rand.Rand
	n    *Node
	tb   *planpb.Table
	rows map[[2]int32][]types.Datum // committed
	olds []oldSnapshot
}

// oldSnapshot is a transaction that sees what was there when it began.
type oldSnapshot struct {
	tx   txn.Txn
	rows map[[2]int32][]types.Datum
}

func newScanTest(t *testing.T, seed uint64, tablets int) *scanTest {
	r := rand.New(rand.NewPCG(seed, 99))
	o := Options{Tablets: tablets, Columns: columns.Options{RowsMin: 1, FileRowsMax: 1 + r.IntN(300), BlockRows: 1 + r.IntN(40), CacheBytes: 1 << uint(12+r.IntN(12)),
		OverlayBytes: 1 << uint(10+r.IntN(14)), ChunkRows: 1 + r.IntN(60)}}
	n := openMem(t, vfs.NewMem(), o)
	s := &scanTest{t: t, r: r, n: n, tb: measurements(), rows: map[[2]int32][]types.Datum{}}
	t.Cleanup(func() {
		hits, patched := n.Columns().TestingOverlayHits()
		t.Logf("%d chunks of the delta served again, %d patched", hits, patched)
		for _, o := range s.olds {
			o.tx.Rollback()
		}
		must(t, n.Close())
	})
	return s
}

func clone(m map[[2]int32][]types.Datum) map[[2]int32][]types.Datum {
	out := make(map[[2]int32][]types.Datum, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (s *scanTest) randomRow(k [2]int32) []types.Datum {
	r := s.r
	null := func(d types.Datum) types.Datum {
		if r.IntN(6) == 0 {
			return nil
		}
		return d
	}
	num := types.NumericFromInt64(r.Int64N(100000), 2)
	if r.IntN(40) == 0 {
		num = types.NumericFromInt64(r.Int64N(100000), 3)
	}
	return row(k[0], k[1], null([]string{"red", "green", "blue", ""}[r.IntN(4)]), null(num), null(strings.Repeat("some words ", r.IntN(5))+fmt.Sprint(r.IntN(1000))),
		null(types.Date(9000+k[0])), null(float64(r.IntN(100))/8), null(r.IntN(2) == 0))
}

func (s *scanTest) run(steps int) {
	for range steps {
		switch p := s.r.IntN(100); {
		case p < 40:
			s.write()
		case p < 50:
			must(s.t, s.n.Columns().MergeNow(ctx, s.tb.StorageId))
		case p < 55 && len(s.olds) < 4:
			tx := s.n.DB().Begin(txn.Options{Isolation: txn.RepeatableRead})
			tx.BeginStatement()
			s.olds = append(s.olds, oldSnapshot{tx, clone(s.rows)})
		case p < 60 && len(s.olds) > 0:
			i := s.r.IntN(len(s.olds))
			s.olds[i].tx.Rollback()
			s.olds = slices.Delete(s.olds, i, i+1)
		case p < 70 && len(s.olds) > 0:
			o := s.olds[s.r.IntN(len(s.olds))]
			s.check(o.tx, o.rows)
		default:
			tx := s.n.DB().Begin(txn.Options{})
			tx.BeginStatement()
			s.check(tx, s.rows)
			tx.Rollback()
		}
	}
}

// write runs a transaction of random changes, looked at from within.
func (s *scanTest) write() {
	r := s.r
	tx := s.n.DB().Begin(txn.Options{})
	defer tx.Rollback()
	tx.BeginStatement()
	own := clone(s.rows)
	at := r.Int32N(500)
	for range 1 + r.IntN(4) {
		st := s.n.Store(tx, nil)
		switch r.IntN(3) {
		case 0: // insert
			var rows [][]types.Datum
			for i := range int32(1 + r.IntN(120)) {
				k := [2]int32{at + i/3, r.Int32N(4)}
				if _, there := own[k]; !there {
					own[k] = s.randomRow(k)
					rows = append(rows, own[k])
				}
			}
			if len(rows) > 0 {
				slices.SortFunc(rows, func(a, b []types.Datum) int {
					return cmp.Or(cmp.Compare(a[0].(int32), b[0].(int32)), cmp.Compare(a[1].(int32), b[1].(int32)))
				})
				must(s.t, st.InsertBatch(ctx, s.tb, batchOf(s.tb, rows...)))
			}
		default: // update or delete some
			for k := range own {
				if r.IntN(max(len(own)/10, 1)) != 0 {
					continue
				}
				loc := append(locator(k[0]), locator(k[1])...)
				state, old, err := st.LockRow(ctx, s.tb, loc, uint32(txn.LockUpdate), uint32(txn.WaitError))
				must(s.t, err)
				if state != vexec.RowUnchanged {
					continue
				}
				if r.IntN(2) == 0 {
					must(s.t, st.Delete(ctx, s.tb, loc, old))
					delete(own, k)
				} else {
					v := s.randomRow(k)
					must(s.t, st.Update(ctx, s.tb, loc, old, v))
					own[k] = v
				}
			}
		}
		tx.BeginStatement()
		if r.IntN(3) == 0 {
			s.check(tx, own)
		}
	}
	if r.IntN(5) > 0 {
		_, err := tx.Commit(ctx)
		must(s.t, err)
		s.rows = own
	}
}

// rangeFilter wants column at (of the scan's) in [lo, hi].
type rangeFilter struct {
	at     int
	t      types.T
	lo, hi types.Datum
}

func (f *rangeFilter) Columns() []int { return []int{f.at} }

func (f *rangeFilter) wants(d types.Datum) bool {
	env := types.DefaultEnv()
	return d != nil && (f.lo == nil || types.Compare(env, f.t, d, f.lo) >= 0) && (f.hi == nil || types.Compare(env, f.t, d, f.hi) <= 0)
}

func (f *rangeFilter) Select(_ context.Context, b *vexec.Batch) ([]int32, error) {
	out := []int32{}
	each(b, func(i int) {
		if f.wants(types.Get(f.t, b.Cols[f.at], i)) {
			out = append(out, int32(i))
		}
	})
	if len(out) == b.Rows() {
		return nil, nil
	}
	return out, nil
}

func each(b *vexec.Batch, f func(i int)) {
	if b.Sel != nil {
		for _, i := range b.Sel {
			f(int(i))
		}
		return
	}
	for i := range b.N {
		f(i)
	}
}

// check scans what tx sees in a random way and compares.
func (s *scanTest) check(tx txn.Txn, model map[[2]int32][]types.Datum) {
	r := s.r
	scan := &planpb.Scan{Table: s.tb, Ordered: r.IntN(3) == 0}
	scan.Reverse = scan.Ordered && r.IntN(4) == 0
	if r.IntN(4) == 0 {
		scan.LimitHint = uint64(1 + r.IntN(20))
	}
	ncols := len(s.tb.Columns)
	scan.Columns = []int32{0, 1}
	for range r.IntN(ncols) {
		scan.Columns = append(scan.Columns, int32(r.IntN(ncols)))
	}
	if r.IntN(4) == 0 {
		scan.Columns = append(scan.Columns, -1, -2)
	}
	req := vexec.ScanRequest{Parts: 1}
	wants := func(k [2]int32, v []types.Datum) bool { return true }
	if r.IntN(3) == 0 {
		req.Bounds = []vexec.KeyBounds{}
		var ks []int32
		for range 1 + r.IntN(3) {
			ks = append(ks, r.Int32N(520))
		}
		slices.Sort(ks)
		ks = slices.Compact(ks)
		in := map[int32]bool{}
		if r.IntN(2) == 0 {
			for _, k := range ks {
				req.Bounds = append(req.Bounds, vexec.KeyBounds{Eq: []types.Datum{k}})
				in[k] = true
			}
		} else {
			lo, hi := ks[0], ks[len(ks)-1]
			req.Bounds = []vexec.KeyBounds{{HasLower: true, Lower: lo, LowerInclusive: true, HasUpper: true, Upper: hi, UpperInclusive: true}}
			for k := lo; k <= hi; k++ {
				in[k] = true
			}
		}
		wants = func(k [2]int32, _ []types.Datum) bool { return in[k[0]] }
	}
	var filter *rangeFilter
	if r.IntN(2) == 0 {
		at := r.IntN(len(scan.Columns))
		for scan.Columns[at] < 0 {
			at = r.IntN(len(scan.Columns))
		}
		ord := int(scan.Columns[at])
		filter = &rangeFilter{at: at, t: types.Of(types.OID(s.tb.Columns[ord].Type.Oid))}
		a, b := s.randomRow([2]int32{r.Int32N(500), r.Int32N(4)})[ord], s.randomRow([2]int32{r.Int32N(500), r.Int32N(4)})[ord]
		if a != nil && b != nil && types.Compare(types.DefaultEnv(), filter.t, a, b) > 0 {
			a, b = b, a
		}
		filter.lo, filter.hi = a, b
		req.Filter = filter
		if r.IntN(2) == 0 {
			req.Ranges = []vexec.ColumnRange{{Ordinal: ord, Lower: a, Upper: b}}
		}
	}
	if !scan.Ordered && r.IntN(3) == 0 {
		req.Parts = 2 + r.IntN(3)
	}
	if r.IntN(3) == 0 { // columns that are not looked at, the filter's maybe among them
		req.Need = make([]bool, len(scan.Columns))
		for c := range req.Need {
			req.Need[c] = r.IntN(3) > 0
		}
	}
	needed := func(c int) bool { return req.Need == nil || req.Need[c] }
	var got []string
	st := s.n.Store(tx, nil)
	for part := range req.Parts {
		q := req
		q.Part = part
		rd, filtered, err := st.Scan(ctx, scan, q)
		must(s.t, err)
		for {
			b, err := rd.Next(ctx)
			must(s.t, err)
			if b == nil {
				break
			}
			each(b, func(i int) {
				var sb strings.Builder
				ok := filtered || filter == nil
				for c, o := range scan.Columns {
					if !needed(c) && (ok || c != filter.at) {
						continue
					}
					if o < 0 {
						if o == -1 {
							fmt.Fprintf(&sb, "%x ", types.Get(types.Of(types.Bytea), b.Cols[c], i))
						}
						continue
					}
					d := types.Get(types.Of(types.OID(s.tb.Columns[o].Type.Oid)), b.Cols[c], i)
					if !ok && c == filter.at {
						ok = filter.wants(d)
						if !ok {
							return
						}
						if !needed(c) {
							continue
						}
					}
					fmt.Fprintf(&sb, "%v ", show(d))
				}
				got = append(got, sb.String())
			})
		}
		rd.Close()
	}
	var want []string
	var keys [][2]int32
	for k := range model {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]int32) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	if scan.Reverse {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		v := model[k]
		if !wants(k, v) || filter != nil && !filter.wants(v[scan.Columns[filter.at]]) {
			continue
		}
		var sb strings.Builder
		for c, o := range scan.Columns {
			switch {
			case !needed(c):
			case o == -1:
				fmt.Fprintf(&sb, "%x ", append(locator(k[0]), locator(k[1])...))
			case o >= 0:
				fmt.Fprintf(&sb, "%v ", show(v[o]))
			}
		}
		want = append(want, sb.String())
	}
	if !scan.Ordered {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		for i := range max(len(got), len(want)) {
			g, w := "nothing", "nothing"
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				w = want[i]
			}
			if g != w {
				s.t.Fatalf("scan %v, %+v, filter %+v: row %d of %d is %q, want %q of %d", scan, req, filter, i, len(got), g, w, len(want))
			}
		}
	}
}

// show tells numerics of different scales apart.
func show(d types.Datum) any {
	if n, ok := d.(types.Numeric); ok {
		return fmt.Sprintf("%x", n.AppendBinary(nil))
	}
	return d
}
