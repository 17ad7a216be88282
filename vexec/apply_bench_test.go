package vexec_test

import (
	"context"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// pointStore answers every index scan with one prepared row.
type pointStore struct {
	batchStore
	row *vexec.Batch
}

func (s *pointStore) IndexScan(_ context.Context, scan *planpb.IndexScan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	return &batchReader{[]*vexec.Batch{s.row}, scan.Columns}, false, nil
}

// BenchmarkApply measures what one index lookup of a nested loop costs the executor.
func BenchmarkApply(b *testing.B) {
	s := &pointStore{batchStore: *benchStore()}
	s.row = s.tables["orders"][0]
	cut := *s.row
	cut.N = 1
	s.row = &vexec.Batch{N: 1, Cols: TakeOne(cut.Cols)}
	scan, ts := benchScan("line", lineTs, 0, 1)
	index := &planpb.IndexScan{Table: &planpb.Table{Name: "orders"}, Columns: []int32{0, 1}, Spans: []*planpb.Span{{Eq: []*planpb.Expr{
		{Type: planpb.NewType(tInt), Kind: &planpb.Expr_Param{Param: &planpb.Param{Kind: planpb.Param_EXEC, Index: 0}}}}}},
		Filter: Func(tBool, "int4ge(int4,int4)", planpb.NewColumn(tInt, 1), planpb.NewConst(tInt, int32(0)))}
	ots := []types.T{tInt, tInt}
	out := append(append([]types.T{}, ts...), ots...)
	limit := Node(ts, &planpb.Limit{Input: Node(ts, scan), Count: planpb.NewConst(tBig, int64(100000))})
	root := Node(out, &planpb.Apply{Left: limit, Right: Node(ots, index), Bindings: []*planpb.SlotBinding{{Slot: 0, Value: planpb.NewColumn(tInt, 0)}}})
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), TempDir: b.TempDir()})
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		cur, err := e.Run(ctx, &planpb.Statement{Root: root, ExecSlots: 1}, vexec.Exec{Store: s, Expr: &expr.Context{Ctx: ctx, Env: types.DefaultEnv()}})
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
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100000, "ns/lookup")
}
