package vexec_test

import (
	"context"
	"fmt"
	"math/rand"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// batchStore serves batches made beforehand, so that benchmarks measure the executor alone.
type batchStore struct {
	Store
	tables map[string][]*vexec.Batch
}

type batchReader struct {
	bs   []*vexec.Batch
	cols []int32
}

func (r *batchReader) Close() {}
func (r *batchReader) Next(context.Context) (*vexec.Batch, error) {
	if len(r.bs) == 0 {
		return nil, nil
	}
	b := r.bs[0]
	r.bs = r.bs[1:]
	out := &vexec.Batch{N: b.N}
	for _, c := range r.cols {
		out.Cols = append(out.Cols, b.Cols[c])
	}
	return out, nil
}

func (s *batchStore) Scan(_ context.Context, scan *planpb.Scan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	all := s.tables[scan.Table.Name]
	return &batchReader{all[req.Part*len(all)/req.Parts : (req.Part+1)*len(all)/req.Parts], scan.Columns}, false, nil
}

const benchRows = 1 << 20

var (
	tDate = types.Of(types.DateOID)
	// orderkey, quantity, price, discount, returnflag, shipdate, comment
	lineTs = []types.T{tInt, tNum, tNum, tNum, types.Of(types.BPChar), tDate, tText}
	// orderkey, custkey, priority
	orderTs = []types.T{tInt, tInt, tText}
)

func benchStore() *batchStore {
	rng := rand.New(rand.NewSource(1))
	s := &batchStore{tables: map[string][]*vexec.Batch{}}
	build := func(ts []types.T, n int, row func(i int) []types.Datum) (out []*vexec.Batch) {
		for lo := 0; lo < n; lo += 4096 {
			bl := make([]*types.Builder, len(ts))
			for c, t := range ts {
				bl[c] = types.NewBuilder(t, 4096)
			}
			k := min(4096, n-lo)
			for i := range k {
				for c, d := range row(lo + i) {
					bl[c].Append(d)
				}
			}
			b := &vexec.Batch{N: k, Cols: make([]arrow.Array, len(ts))}
			for c := range ts {
				b.Cols[c] = bl[c].Finish()
			}
			out = append(out, b)
		}
		return out
	}
	flags := []string{"A", "N", "R"}
	s.tables["line"] = build(lineTs, benchRows, func(i int) []types.Datum {
		return []types.Datum{int32(i / 4), types.NumericFromInt64(int64(rng.Intn(50)+1)*100, 2), types.NumericFromInt64(int64(rng.Intn(10000000)), 2),
			types.NumericFromInt64(int64(rng.Intn(11)), 2), flags[rng.Intn(3)], types.Date(8000 + rng.Intn(2500)), fmt.Sprintf("comment %d", rng.Intn(100000))}
	})
	s.tables["orders"] = build(orderTs, benchRows/4, func(i int) []types.Datum {
		return []types.Datum{int32(i), int32(rng.Intn(benchRows / 40)), fmt.Sprintf("%d-PRIO", rng.Intn(5))}
	})
	return s
}

func benchScan(name string, ts []types.T, cols ...int32) (*planpb.Scan, []types.T) {
	s := &planpb.Scan{Table: &planpb.Table{Name: name}, Columns: cols}
	var out []types.T
	for _, c := range cols {
		out = append(out, ts[c])
	}
	return s, out
}

func gather(ts []types.T, p *planpb.Plan, workers uint32) *planpb.Plan {
	if workers < 2 {
		return p
	}
	return Node(ts, &planpb.Gather{Input: p, Workers: workers})
}

func and(es ...*planpb.Expr) *planpb.Expr {
	return &planpb.Expr{Type: planpb.NewType(tBool), Kind: &planpb.Expr_Bool{Bool: &planpb.BoolExpr{Args: es}}}
}

// q1 groups by flag and sums expressions; q6 filters and sums; q3 joins and groups by key; q18 groups by key.
func benchPlans(workers uint32) map[string]*planpb.Plan {
	call := func(t types.T, sig string, args ...*planpb.Expr) *planpb.AggCall {
		return &planpb.AggCall{Func: Proc(sig), Args: args, Result: planpb.NewType(t)}
	}
	num := func(u int64, s int32) *planpb.Expr { return planpb.NewConst(tNum, types.NumericFromInt64(u, s)) }
	c := planpb.NewColumn
	scan, ts := benchScan("line", lineTs, 1, 2, 3, 4, 5)
	scan.Filter = Func(tBool, "date_le(date,date)", c(tDate, 4), planpb.NewConst(tDate, types.Date(10400)))
	disc := Func(tNum, "numeric_mul(numeric,numeric)", c(tNum, 1), Func(tNum, "numeric_sub(numeric,numeric)", num(1, 0), c(tNum, 2)))
	q1 := Node([]types.T{types.Of(types.BPChar), tNum, tNum, tNum, tNum, tBig}, &planpb.Agg{Input: gather(ts, Node(ts, scan), workers),
		Keys: []*planpb.Expr{c(types.Of(types.BPChar), 3)},
		Calls: []*planpb.AggCall{call(tNum, "sum(numeric)", c(tNum, 0)), call(tNum, "sum(numeric)", c(tNum, 1)), call(tNum, "sum(numeric)", disc),
			call(tNum, "avg(numeric)", c(tNum, 2)), {Func: Proc("count()"), Star: true, Result: planpb.NewType(tBig)}}})
	scan6, ts6 := benchScan("line", lineTs, 1, 2, 3, 5)
	scan6.Filter = and(Func(tBool, "date_ge(date,date)", c(tDate, 3), planpb.NewConst(tDate, types.Date(9000))),
		Func(tBool, "date_lt(date,date)", c(tDate, 3), planpb.NewConst(tDate, types.Date(9365))),
		Func(tBool, "numeric_ge(numeric,numeric)", c(tNum, 2), num(5, 2)), Func(tBool, "numeric_le(numeric,numeric)", c(tNum, 2), num(7, 2)),
		Func(tBool, "numeric_lt(numeric,numeric)", c(tNum, 0), num(24, 0)))
	q6 := Node([]types.T{tNum}, &planpb.Agg{Input: gather(ts6, Node(ts6, scan6), workers),
		Calls: []*planpb.AggCall{call(tNum, "sum(numeric)", Func(tNum, "numeric_mul(numeric,numeric)", c(tNum, 1), c(tNum, 2)))}})
	scan3, ts3 := benchScan("line", lineTs, 0, 2, 3, 5)
	scan3.Filter = Func(tBool, "date_gt(date,date)", c(tDate, 3), planpb.NewConst(tDate, types.Date(9200)))
	orders, ots := benchScan("orders", orderTs, 0, 1)
	jts := append(append([]types.T{}, ts3...), ots...)
	join := Node(jts, &planpb.HashJoin{Left: Node(ts3, scan3), Right: Node(ots, orders), LeftKeys: []*planpb.Expr{c(tInt, 0)}, RightKeys: []*planpb.Expr{c(tInt, 0)}})
	q3 := Node([]types.T{tInt, tInt, tNum}, &planpb.Agg{Input: gather(jts, join, workers), Keys: []*planpb.Expr{c(tInt, 0), c(tInt, 5)},
		Calls: []*planpb.AggCall{call(tNum, "sum(numeric)", Func(tNum, "numeric_mul(numeric,numeric)", c(tNum, 1), Func(tNum, "numeric_sub(numeric,numeric)", num(1, 0), c(tNum, 2))))}})
	scan18, ts18 := benchScan("line", lineTs, 0, 1)
	q18 := Node([]types.T{tInt, tNum}, &planpb.Agg{Input: gather(ts18, Node(ts18, scan18), workers), Keys: []*planpb.Expr{c(tInt, 0)},
		Calls: []*planpb.AggCall{call(tNum, "sum(numeric)", c(tNum, 1))}})
	scanS, tsS := benchScan("line", lineTs, 0, 2, 6)
	sort := Node(tsS, &planpb.Sort{Input: Node(tsS, scanS), Keys: []*planpb.SortKey{{Expr: c(tNum, 1), Descending: true}, {Expr: c(tInt, 0)}}})
	top := Node(tsS, &planpb.Sort{Input: Node(tsS, scanS), Limit: 10, Keys: []*planpb.SortKey{{Expr: c(tNum, 1), Descending: true}, {Expr: c(tInt, 0)}}})
	return map[string]*planpb.Plan{"q1": q1, "q6": q6, "q3": q3, "q18": q18, "sort": sort, "top": top}
}

func BenchmarkPlans(b *testing.B) {
	s := benchStore()
	for _, workers := range []uint32{1, 2} {
		for name, p := range benchPlans(workers) {
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				e := vexec.New(vexec.Options{Registry: functions.Builtins(), TempDir: b.TempDir()})
				ctx := context.Background()
				b.ReportAllocs()
				for range b.N {
					cur, err := e.Run(ctx, &planpb.Statement{Root: p}, vexec.Exec{Store: s, WorkMem: 1 << 30, Expr: &expr.Context{Ctx: ctx, Env: types.DefaultEnv()}})
					if err != nil {
						b.Fatal(err)
					}
					for {
						bt, err := cur.Next(ctx)
						if err != nil {
							b.Fatal(err)
						}
						if bt == nil {
							break
						}
					}
					cur.Close()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
			})
		}
	}
}
