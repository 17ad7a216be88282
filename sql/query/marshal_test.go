package query

import (
	"reflect"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

func TestMarshal(t *testing.T) {
	b := func(oid types.OID) Base { return Base{T: types.Of(oid), Loc: -1} }
	e := &BoolExpr{Base: b(types.Bool), Op: Or, Args: []Expr{
		&OpExpr{Base: b(types.Bool), Op: 96, Func: 65, Name: "=", Args: []Expr{
			&Var{Base: b(types.Int4), RTIndex: 1, AttNum: 2},
			&Const{Base: b(types.Int4), Value: int32(-7)}}},
		&Const{Base: b(types.Bool)},
		&SubscriptingRef{Base: b(types.Int4), Arg: &Const{Base: b(types.Int4Array), Value: types.NewArray(types.Of(types.Int4), []types.Datum{int32(1), nil})},
			Upper: []Expr{nil, &Const{Base: b(types.Text), Value: "x\"y"}}},
	}}
	got, err := UnmarshalExpr(MarshalExpr(e))
	if err != nil || !reflect.DeepEqual(got, Expr(e)) {
		t.Errorf("expression: %v\n%s\n%s", err, MarshalExpr(e), MarshalExpr(got))
	}
	q := &Query{RTable: []*RangeTblEntry{{Kind: RTERelation, Relid: 1259, RelKind: 'r', ERefName: "c", ERefColumns: []string{"a", ""}, ColTypes: []types.T{types.Of(types.Int4), {}}}},
		JoinTree:   &FromExpr{Items: []FromItem{&JoinExpr{Left: &RangeTblRef{1}, Right: &RangeTblRef{1}, Quals: e}}},
		TargetList: []*TargetEntry{{Expr: e, ResNo: 1, Name: "x"}},
		CTEs:       []*CommonTableExpr{{Name: "w", Query: &Query{Command: CmdSelect}}}}
	gq, err := Unmarshal(Marshal(q))
	if err != nil || !reflect.DeepEqual(gq, q) {
		t.Errorf("query: %v\n%s", err, Marshal(q))
	}
	if _, err := UnmarshalExpr([]byte(`{"v":1,"e":{"_":"FromExpr"}}`)); err == nil {
		t.Error("a join tree node passed as an expression")
	}
}
