package storage

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sys/unix"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// lineitem is TPC-H's largest table.
func lineitem() *planpb.Table {
	tb := &planpb.Table{StorageId: 20200, RelationId: 20200, Schema: "public", Name: "lineitem", PrimaryKeyName: "lineitem_pkey",
		PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}, {Ordinal: 3}}}
	for i, oid := range []types.OID{types.Int4, types.Int4, types.Int4, types.Int4, types.NumericOID, types.NumericOID, types.NumericOID, types.NumericOID,
		types.BPChar, types.BPChar, types.DateOID, types.DateOID, types.DateOID, types.BPChar, types.BPChar, types.VarChar} {
		tb.Columns = append(tb.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: fmt.Sprintf("l_%d", i), Type: pbType(oid)})
	}
	return tb
}

// lineitemBatch makes n rows from order number first on, four to an order.
func lineitemBatch(tb *planpb.Table, first, n int, r *rand.Rand) *vexec.Batch {
	b := &vexec.Batch{N: n}
	bl := make([]*types.Builder, len(tb.Columns))
	for c := range bl {
		bl[c] = types.NewBuilder(table.TypeOf(tb.Columns[c].Type), n)
	}
	for i := range n {
		num := func(max int64) types.Datum { return types.NumericFromInt64(r.Int64N(max), 2) }
		for c, v := range []types.Datum{int32(first + i/4), r.Int32N(200000), r.Int32N(10000), int32(i % 4), num(5000), num(10000000), num(10), num(8),
			string("ANR"[r.IntN(3)]), string("OF"[r.IntN(2)]), types.Date(8000 + r.IntN(2500)), types.Date(8000 + r.IntN(2500)), types.Date(8000 + r.IntN(2500)),
			"DELIVER IN PERSON        ", "TRUCK     ", "egular courts above the"} {
			bl[c].Append(v)
		}
	}
	for c := range bl {
		b.Cols = append(b.Cols, bl[c].Finish())
	}
	return b
}

func loadLineitem(b *testing.B, n *Node, rows int) *planpb.Table {
	tb := lineitem()
	r := rand.New(rand.NewPCG(1, 2))
	const chunk = 4096
	for i := 0; i < rows; {
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		s := n.Store(tx, nil)
		for j := 0; j < 10 && i < rows; j++ {
			must(b, s.InsertBatch(ctx, tb, lineitemBatch(tb, i/4, chunk, r)))
			i += chunk
		}
		_, err := tx.Commit(ctx)
		must(b, err)
	}
	return tb
}

// benchNode opens a node whose rows stay in the delta.
func benchNode(b *testing.B) *Node { return benchNodeWith(b, columns.Options{Mode: columns.Off}) }

func benchNodeWith(b *testing.B, o columns.Options) *Node {
	n, err := Open(b.TempDir(), Options{MemoryBytes: 1 << 30, Columns: o})
	must(b, err)
	b.Cleanup(func() { must(b, n.Close()) })
	return n
}

// BenchmarkScan reads 4 of lineitem's 16 columns; the metric that counts is rows/s.
func BenchmarkScan(b *testing.B) {
	n := benchNode(b)
	const rows = 400 * 1024
	tb := loadLineitem(b, n, rows)
	must(b, n.Engine().Pebble().Flush())
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	defer tx.Rollback()
	s := n.Store(tx, nil)
	for _, cols := range [][]int32{{4, 5, 6, 10}, {0, 8, 13, 15}, {}} {
		b.Run(fmt.Sprint(cols), func(b *testing.B) {
			for range b.N {
				r, _, err := s.Scan(ctx, &planpb.Scan{Table: tb, Columns: cols}, vexec.ScanRequest{Parts: 1})
				must(b, err)
				got := 0
				for {
					x, err := r.Next(ctx)
					must(b, err)
					if x == nil {
						break
					}
					got += x.N
				}
				if got != rows {
					b.Fatal(got)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkScanSegments is BenchmarkScan of rows in segments, and of the same rows in
// the delta, in turn; and of segments with 5 % of the rows changed since.
func BenchmarkScanSegments(b *testing.B) {
	const rows = 256 * 4096
	for _, c := range []struct {
		name    string
		merge   bool
		changed int
	}{{"delta", false, 0}, {"segments", true, 0}, {"changed", true, rows / 20}} {
		n := benchNodeIn(b, c.merge)
		tb := loadLineitem(b, n, rows)
		if c.merge {
			must(b, n.Columns().MergeNow(ctx, tb.StorageId))
		}
		must(b, n.Engine().Pebble().Flush())
		if c.changed > 0 {
			changeLineitem(b, n, tb, rows, c.changed)
		}
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		s := n.Store(tx, nil)
		for _, cols := range [][]int32{{4, 5, 6, 10}, {0, 8, 13, 15}, {}} {
			b.Run(fmt.Sprint(c.name, cols), func(b *testing.B) {
				defer reportCPU(b)()
				for range b.N {
					if got := scanAll(b, s, tb, cols); got != rows {
						b.Fatal(got)
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			})
		}
		tx.Rollback()
	}
}

// benchNodeIn opens a node whose rows stay in the delta, or go to segments.
func benchNodeIn(b *testing.B, segments bool) *Node {
	if segments {
		return benchNodeWith(b, columns.Options{})
	}
	return benchNode(b)
}

// reportCPU reports the processor time of the goroutine's thread per operation, which
// other work on the machine disturbs less than the clock. Call what it gives at the end.
func reportCPU(b *testing.B) func() {
	runtime.LockOSThread()
	now := func() int64 {
		var u unix.Rusage
		must(b, unix.Getrusage(unix.RUSAGE_THREAD, &u))
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := now()
	return func() {
		b.ReportMetric(float64(now()-start)/float64(b.N), "cpu-ns/op")
		runtime.UnlockOSThread()
	}
}

func scanAll(b *testing.B, s *table.Store, tb *planpb.Table, cols []int32) int {
	r, _, err := s.Scan(ctx, &planpb.Scan{Table: tb, Columns: cols}, vexec.ScanRequest{Parts: 1})
	must(b, err)
	defer r.Close()
	got := 0
	for {
		x, err := r.Next(ctx)
		must(b, err)
		if x == nil {
			return got
		}
		got += x.Rows()
	}
}

// changeLineitem updates some of rows.
func changeLineitem(b *testing.B, n *Node, tb *planpb.Table, rows, changed int) {
	r := rand.New(rand.NewPCG(3, 4))
	for done := 0; done < changed; {
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		s := n.Store(tx, nil)
		for range min(changed-done, 4096) {
			loc := lineitemLocator(int32(r.IntN(rows/4)), int32(r.IntN(4)))
			st, old, err := s.LockRow(ctx, tb, loc, uint32(txn.LockUpdate), uint32(txn.WaitBlock))
			must(b, err)
			if st == vexec.RowUnchanged {
				must(b, s.Update(ctx, tb, loc, old, old))
			}
			done++
		}
		_, err := tx.Commit(ctx)
		must(b, err)
	}
}

func lineitemLocator(order, line int32) []byte { return append(locator(order), locator(line)...) }

// BenchmarkPointReadSegments reads rows by key, and orders of four rows, all columns,
// from the delta and from segments.
func BenchmarkPointReadSegments(b *testing.B) {
	const rows = 64 * 4096
	for _, merge := range []bool{false, true} {
		n := benchNodeIn(b, merge)
		tb := loadLineitem(b, n, rows)
		must(b, n.Engine().Pebble().Flush())
		name := "delta"
		if merge {
			name = "segments"
			must(b, n.Columns().MergeNow(ctx, tb.StorageId))
		}
		scan := &planpb.Scan{Table: tb}
		for i := range tb.Columns {
			scan.Columns = append(scan.Columns, int32(i))
		}
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		s := n.Store(tx, nil)
		r := rand.New(rand.NewPCG(5, 6))
		read := func(b *testing.B, rows int, bounds func() vexec.KeyBounds) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				rd, _, err := s.Scan(ctx, scan, vexec.ScanRequest{Parts: 1, Bounds: []vexec.KeyBounds{bounds()}})
				must(b, err)
				x, err := rd.Next(ctx)
				must(b, err)
				if x == nil || x.Rows() != rows {
					b.Fatal("no row")
				}
				rd.Close()
			}
		}
		b.Run(name+"/row", func(b *testing.B) {
			read(b, 1, func() vexec.KeyBounds {
				return vexec.KeyBounds{Eq: []types.Datum{int32(r.IntN(rows / 4)), int32(r.IntN(4))}}
			})
		})
		b.Run(name+"/order", func(b *testing.B) {
			read(b, 4, func() vexec.KeyBounds { return vexec.KeyBounds{Eq: []types.Datum{int32(r.IntN(rows / 4))}} })
		})
		tx.Rollback()
	}
}

func BenchmarkInsert(b *testing.B) {
	n := benchNode(b)
	tb := lineitem()
	r := rand.New(rand.NewPCG(1, 2))
	batch := 0
	for b.Loop() {
		b.StopTimer()
		x := lineitemBatch(tb, batch*1024, 4096, r)
		b.StartTimer()
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		must(b, n.Store(tx, nil).InsertBatch(ctx, tb, x))
		_, err := tx.Commit(ctx)
		must(b, err)
		batch++
	}
	b.ReportMetric(4096*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func loadAccounts(b *testing.B, n *Node, rows int) *planpb.Table {
	tb := accounts()
	tb.Indexes = nil
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	s := n.Store(tx, nil)
	for i := 0; i < rows; i += 1000 {
		var rs [][]types.Datum
		for j := range 1000 {
			rs = append(rs, row(int32(i+j), "name", int64(0)))
		}
		must(b, s.InsertBatch(ctx, tb, batchOf(tb, rs...)))
	}
	_, err := tx.Commit(ctx)
	must(b, err)
	return tb
}

// BenchmarkPointGet reads one row by its primary key in a transaction of its own.
func BenchmarkPointGet(b *testing.B) {
	n := benchNode(b)
	tb := loadAccounts(b, n, 100000)
	must(b, n.Engine().Pebble().Flush())
	r := rand.New(rand.NewPCG(1, 2))
	scan := &planpb.Scan{Table: tb, Columns: []int32{2}, Spans: []*planpb.Span{{}}}
	b.ReportAllocs()
	for b.Loop() {
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		rd, _, err := n.Store(tx, nil).Scan(ctx, scan, vexec.ScanRequest{Bounds: []vexec.KeyBounds{{Eq: row(r.Int32N(100000))}}, Parts: 1})
		must(b, err)
		x, err := rd.Next(ctx)
		must(b, err)
		if x.N != 1 {
			b.Fatal(x.N)
		}
		rd.Close()
		_, err = tx.Commit(ctx)
		must(b, err)
	}
}

// BenchmarkCommit updates one row per transaction, durably, with 8 writers.
func BenchmarkCommit(b *testing.B) {
	n := benchNode(b)
	tb := loadAccounts(b, n, 100000)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 2))
			for left.Add(-1) >= 0 {
				id := r.Int32N(100000)
				tx := n.DB().Begin(txn.Options{})
				tx.BeginStatement()
				s := n.Store(tx, nil)
				_, old, err := s.LockRow(ctx, tb, locator(id), uint32(txn.LockNoKeyUpdate), 0)
				must(b, err)
				must(b, s.Update(ctx, tb, locator(id), old, row(id, "name", old[2].(int64)+1)))
				_, err = tx.Commit(ctx)
				must(b, err)
			}
		}()
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkBulkInsert loads rows in one transaction that outgrows memory.
func BenchmarkBulkInsert(b *testing.B) {
	const rows = 1 << 20
	tb := lineitem()
	r := rand.New(rand.NewPCG(1, 2))
	var batches []*vexec.Batch
	for i := range 16 {
		batches = append(batches, lineitemBatch(tb, i*1024, 4096, r))
	}
	for b.Loop() {
		n, err := Open(b.TempDir(), Options{MemoryBytes: 1 << 30})
		must(b, err)
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		s := n.Store(tx, nil)
		for i := 0; i < rows; i += 4096 {
			x := *batches[i/4096%16]
			x.Cols = append([]arrow.Array{}, x.Cols...)
			keys := make([]int32, 4096)
			for j := range keys {
				keys[j] = int32((i + j) / 4)
			}
			x.Cols[0] = types.NewFixed(arrow.PrimitiveTypes.Int32, arrow.Int32Traits.CastToBytes(keys), 4096, nil, 0)
			must(b, s.InsertBatch(ctx, tb, &x))
		}
		_, err = tx.Commit(ctx)
		must(b, err)
		must(b, n.Close())
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
