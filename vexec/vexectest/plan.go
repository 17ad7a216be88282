package vexectest

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Proc is the OID of a built-in function; it panics when there is none.
func Proc(signature string) uint32 {
	oid, ok := facts.Proc(signature)
	if !ok {
		panic("no function " + signature)
	}
	return oid
}

// Func calls a built-in function.
func Func(t types.T, signature string, args ...*planpb.Expr) *planpb.Expr {
	return planpb.NewFunc(t, Proc(signature), args...)
}

// Node makes a plan node of the given output types. op is one of the operator messages.
func Node(ts []types.T, op any) *planpb.Plan {
	p := &planpb.Plan{}
	nextID++
	p.Id = nextID
	for _, t := range ts {
		p.Output = append(p.Output, planpb.NewType(t))
	}
	switch k := op.(type) {
	case *planpb.Scan:
		p.Op = &planpb.Plan_Scan{Scan: k}
	case *planpb.Values:
		p.Op = &planpb.Plan_Values{Values: k}
	case *planpb.Filter:
		p.Op = &planpb.Plan_Filter{Filter: k}
	case *planpb.Project:
		p.Op = &planpb.Plan_Project{Project: k}
	case *planpb.HashJoin:
		p.Op = &planpb.Plan_HashJoin{HashJoin: k}
	case *planpb.NestLoop:
		p.Op = &planpb.Plan_NestLoop{NestLoop: k}
	case *planpb.MergeJoin:
		p.Op = &planpb.Plan_MergeJoin{MergeJoin: k}
	case *planpb.Apply:
		p.Op = &planpb.Plan_Apply{Apply: k}
	case *planpb.BatchApply:
		p.Op = &planpb.Plan_BatchApply{BatchApply: k}
	case *planpb.Agg:
		p.Op = &planpb.Plan_Agg{Agg: k}
	case *planpb.Sort:
		p.Op = &planpb.Plan_Sort{Sort: k}
	case *planpb.Limit:
		p.Op = &planpb.Plan_Limit{Limit: k}
	case *planpb.Unique:
		p.Op = &planpb.Plan_Unique{Unique: k}
	case *planpb.SetOp:
		p.Op = &planpb.Plan_SetOp{SetOp: k}
	case *planpb.Append:
		p.Op = &planpb.Plan_Append{Append: k}
	case *planpb.Window:
		p.Op = &planpb.Plan_Window{Window: k}
	case *planpb.Modify:
		p.Op = &planpb.Plan_Modify{Modify: k}
	case *planpb.Gather:
		p.Op = &planpb.Plan_Gather{Gather: k}
	case *planpb.ChunkScan:
		p.Op = &planpb.Plan_ChunkScan{ChunkScan: k}
	case *planpb.RecursiveUnion:
		p.Op = &planpb.Plan_RecursiveUnion{RecursiveUnion: k}
	case *planpb.WorkTableScan:
		p.Op = &planpb.Plan_WorkTableScan{WorkTableScan: k}
	case *planpb.IndexScan:
		p.Op = &planpb.Plan_IndexScan{IndexScan: k}
	case *planpb.Result:
		p.Op = &planpb.Plan_Result{Result: k}
	case *planpb.ProjectSet:
		p.Op = &planpb.Plan_ProjectSet{ProjectSet: k}
	case *planpb.FunctionScan:
		p.Op = &planpb.Plan_FunctionScan{FunctionScan: k}
	case *planpb.CTEScan:
		p.Op = &planpb.Plan_CteScan{CteScan: k}
	case *planpb.LockRows:
		p.Op = &planpb.Plan_LockRows{LockRows: k}
	case *planpb.Materialize:
		p.Op = &planpb.Plan_Materialize{Materialize: k}
	case *planpb.Exchange:
		p.Op = &planpb.Plan_Exchange{Exchange: k}
	case *planpb.ExchangeSource:
		p.Op = &planpb.Plan_ExchangeSource{ExchangeSource: k}
	default:
		panic(fmt.Sprintf("no node for %T", op))
	}
	return p
}

var nextID uint32

// Columns refers to all columns of the given types.
func Columns(ts []types.T) []*planpb.Expr {
	out := make([]*planpb.Expr, len(ts))
	for i, t := range ts {
		out[i] = planpb.NewColumn(t, i)
	}
	return out
}

// Run collects a statement's rows, each printed as "a|b|c" with empty NULLs.
func Run(e *vexec.Executor, stmt *planpb.Statement, env vexec.Exec) (rows []string, affected int64, err error) {
	ctx := context.Background()
	if env.Expr == nil {
		env.Expr = &expr.Context{Ctx: ctx, Env: types.DefaultEnv()}
	}
	c, err := e.Run(ctx, stmt, env)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	var ts []types.T
	for _, t := range stmt.GetRoot().GetOutput() {
		ts = append(ts, t.T())
	}
	for {
		b, err := c.Next(ctx)
		if err != nil {
			return rows, 0, err
		}
		if b == nil {
			return rows, c.RowsAffected(), nil
		}
		each := func(i int) error {
			var f []string
			for k, col := range b.Cols {
				s := ""
				if d := types.Get(ts[k], col, i); d != nil {
					if s, err = types.Out(types.DefaultEnv(), ts[k], d); err != nil {
						return err
					}
				}
				f = append(f, s)
			}
			rows = append(rows, strings.Join(f, "|"))
			return nil
		}
		if b.Sel != nil {
			for _, i := range b.Sel {
				if err := each(int(i)); err != nil {
					return rows, 0, err
				}
			}
			continue
		}
		for i := range b.N {
			if err := each(i); err != nil {
				return rows, 0, err
			}
		}
	}
}

// TakeOne gives the first row of columns.
func TakeOne(cols []arrow.Array) []arrow.Array { return kernel.TakeCols(cols, []int32{0}) }
