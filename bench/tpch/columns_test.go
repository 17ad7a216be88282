package tpch_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// BenchmarkExecutor measures the executor and the planner alone: the 22 queries over
// the wire, with whole-table scans served from batches in memory that have the form
// in which column segments deliver them. TPCH_SF sets the scale factor (0.1), TPCH_DIR
// keeps the loaded store from run to run. Answers are compared where one is recorded.
//
//	TPCH_SF=1 TPCH_DIR=/tmp/sf1 go test ./bench/tpch -run XXX -bench Executor/q9 -benchtime 3x
func BenchmarkExecutor(b *testing.B) {
	sf, o := 0.1, server.Options{MemoryBytes: 6 << 30, InMemory: true}
	if s := os.Getenv("TPCH_SF"); s != "" {
		var err error
		if sf, err = strconv.ParseFloat(s, 64); err != nil {
			b.Fatal(err)
		}
	}
	if o.Dir = os.Getenv("TPCH_DIR"); o.Dir != "" {
		o.InMemory = false
	}
	cs := &columnTables{dir: o.Dir, tables: map[string]*columnTable{}}
	o.TestingStore = func(s vexec.Store) vexec.Store { return &columnStore{Store: s, shared: cs} }
	n := servertest.StartWith(b, o)
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, n.DSN("postgres"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	if res := conn.ExecParams(ctx, "select 1 from pg_class where relname = 'lineitem'", nil, nil, nil, nil).Read(); len(res.Rows) == 0 {
		if _, err := tpch.Load(ctx, conn, sf, nil); err != nil {
			b.Fatal(err)
		}
	}
	cs.ready = true
	for q := 1; q <= tpch.QueryCount; q++ {
		b.Run(fmt.Sprintf("q%d", q), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				cpu := cpuTime()
				b.StartTimer()
				rows, _, err := tpch.Run(ctx, conn, q)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/1e3, "cpu-ms")
				if want := tpch.Answer(q, sf); want != nil && strings.TrimRight(string(rows), "\n") != strings.TrimRight(string(want), "\n") {
					b.Fatalf("q%d: got\n%.2000s\nwant\n%.2000s", q, rows, want)
				}
				b.StartTimer()
			}
		})
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// columnTables are the tables read so far.
type columnTables struct {
	dir    string
	ready  bool // tables change no more
	mu     sync.Mutex
	tables map[string]*columnTable
}

// columnTable is one table in segments of at most segmentRows rows, each in batches of blockRows.
type columnTable struct {
	batches []*vexec.Batch
}

const (
	segmentRows = 128 << 10
	blockRows   = 4096
)

// columnStore answers scans of whole TPC-H tables from memory, in the order of their keys, and leaves the rest to the store beneath.
type columnStore struct {
	vexec.Store
	shared *columnTables
}

func (s *columnStore) Scan(ctx context.Context, scan *planpb.Scan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	t := scan.GetTable()
	if !s.shared.ready || !slices.Contains([]string{"lineitem", "orders", "customer", "part", "partsupp", "supplier", "nation", "region"}, t.GetName()) ||
		len(req.Bounds) > 0 || scan.GetReverse() || slices.ContainsFunc(scan.GetColumns(), func(c int32) bool { return c < 0 }) {
		return s.Store.Scan(ctx, scan, req)
	}
	ct, err := s.table(ctx, t)
	if err != nil {
		return nil, false, err
	}
	n, parts := len(ct.batches), max(req.Parts, 1)
	r := &columnReader{batches: ct.batches[req.Part*n/parts : (req.Part+1)*n/parts], cols: scan.GetColumns(), filter: req.Filter}
	return r, req.Filter != nil, nil
}

// columnReader narrows each block by the filter.
type columnReader struct {
	batches []*vexec.Batch
	cols    []int32
	filter  vexec.ScanFilter
}

func (r *columnReader) Close() { r.batches = nil }

func (r *columnReader) Next(ctx context.Context) (*vexec.Batch, error) {
	for len(r.batches) > 0 {
		src := r.batches[0]
		r.batches = r.batches[1:]
		b := &vexec.Batch{N: src.N, Cols: make([]arrow.Array, len(r.cols))}
		for i, c := range r.cols {
			b.Cols[i] = src.Cols[c]
		}
		if r.filter == nil {
			return b, nil
		}
		sel, err := r.filter.Select(ctx, b)
		if err != nil {
			return nil, err
		}
		if sel != nil && len(sel) == 0 {
			continue
		}
		if sel != nil && len(sel) < b.N/8 { // as ReadSelected does
			return &vexec.Batch{N: len(sel), Cols: kernel.TakeCols(b.Cols, sel)}, nil
		}
		b.Sel = sel
		return b, nil
	}
	return nil, ctx.Err()
}

// table reads a table through the store beneath, once.
func (s *columnStore) table(ctx context.Context, t *planpb.Table) (*columnTable, error) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	name := t.GetName()
	if ct := s.shared.tables[name]; ct != nil {
		return ct, nil
	}
	if ct := loadColumns(s.shared.dir, t); ct != nil {
		s.shared.tables[name] = ct
		return ct, nil
	}
	ts := make([]types.T, len(t.GetColumns()))
	scan := &planpb.Scan{Table: t}
	for i, c := range t.GetColumns() {
		ts[i] = c.GetType().T()
		scan.Columns = append(scan.Columns, int32(i))
	}
	r, _, err := s.Store.Scan(ctx, scan, vexec.ScanRequest{Parts: 1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	ct := &columnTable{}
	parts, rows := make([][]arrow.Array, len(ts)), 0
	flush := func() {
		if rows == 0 {
			return
		}
		cols := make([]arrow.Array, len(ts))
		for i := range ts {
			cols[i] = coded(kernel.Concat(ts[i], parts[i]))
			parts[i] = nil
		}
		for lo := 0; lo < rows; lo += blockRows {
			b := &vexec.Batch{N: min(blockRows, rows-lo)}
			for _, c := range cols {
				b.Cols = append(b.Cols, array.NewSlice(c, int64(lo), int64(lo+b.N)))
			}
			ct.batches = append(ct.batches, b)
		}
		rows = 0
	}
	for {
		b, err := r.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		for b.N > 0 { // cut at the segment's end
			n := min(b.N, segmentRows-rows)
			rest := &vexec.Batch{N: b.N - n}
			for i, c := range b.Cols {
				parts[i] = append(parts[i], kernel.Slice(c, 0, n))
				rest.Cols = append(rest.Cols, kernel.Slice(c, n, b.N))
			}
			if rows += n; rows == segmentRows {
				flush()
			}
			b = rest
		}
	}
	flush()
	saveColumns(s.shared.dir, t, ct)
	s.shared.tables[name] = ct
	return ct, nil
}

// coded is a dictionary-coded when it is text with few distinct values.
func coded(a arrow.Array) arrow.Array {
	if a.DataType().ID() != arrow.STRING {
		return a
	}
	s, n := kernel.Strings(a), a.Len()
	codes := map[string]int32{}
	for i := range n {
		codes[s.Str(i)] = 0
		if len(codes) > n/4 {
			return a
		}
	}
	words := make([]string, 0, len(codes))
	for w := range codes {
		words = append(words, w)
	}
	slices.Sort(words)
	b := types.NewBuilder(types.Of(types.Text), len(words))
	for i, w := range words {
		codes[w] = int32(i)
		b.Append(w)
	}
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = codes[s.Str(i)]
	}
	return dictionaryOf(idx, b.Finish())
}

func dictionaryOf(idx []int32, dict arrow.Array) arrow.Array {
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: dict.DataType()}
	return array.NewDictionaryArray(dt, kernel.MakeFixed(arrow.PrimitiveTypes.Int32, idx, nil, 0), dict)
}
