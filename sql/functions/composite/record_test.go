package composite

import (
	"context"
	"testing"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"

	"github.com/apache/arrow/go/v17/arrow"
)

func record(oids []types.OID, vals ...types.Datum) *types.Record {
	r := &types.Record{Type: types.Of(types.RecordOID), Fields: vals}
	for _, o := range oids {
		r.Types = append(r.Types, types.Of(o))
	}
	return r
}

// TestRecordComparison covers NULLs, rows of different shape and columns without an ordering.
func TestRecordComparison(t *testing.T) {
	reg := expr.NewRegistry()
	Register(reg)
	two := []types.OID{types.Int4, types.Text}
	for _, c := range []struct {
		sig  string
		a, b *types.Record
		want bool
		code pgerror.Code
	}{
		{"record_eq(record,record)", record(two, int32(1), "a"), record(two, int32(1), "a"), true, ""},
		{"record_lt(record,record)", record(two, int32(1), "a"), record(two, int32(1), nil), true, ""},
		{"record_eq(record,record)", record(two, int32(1), nil), record(two, int32(1), nil), true, ""},
		{"record_eq(record,record)", record(two, int32(1), "a"), record([]types.OID{types.Int4}, int32(1)), false, pgerror.DatatypeMismatch},
		{"record_eq(record,record)", record([]types.OID{types.Int4}, int32(1)), record([]types.OID{types.Int8}, int64(1)), false, pgerror.DatatypeMismatch},
		{"record_eq(record,record)", record([]types.OID{types.JSON}, "1"), record([]types.OID{types.JSON}, "1"), false, pgerror.UndefinedFunction},
		{"record_image_eq(record,record)", record([]types.OID{types.JSON}, "1"), record([]types.OID{types.JSON}, "1"), true, ""},
	} {
		f := reg.Function(adapt.Proc(c.sig))
		rt := types.Of(types.RecordOID)
		call := &expr.Call{OID: f.OID, ArgTypes: []types.T{rt, rt}, Result: types.Of(types.Bool)}
		out, err := f.Eval(&expr.Context{Ctx: context.Background(), Env: types.DefaultEnv()}, call,
			[]arrow.Array{types.Repeat(rt, c.a, 1), types.Repeat(rt, c.b, 1)}, 1)
		if c.code != "" {
			if !pgerror.Is(err, c.code) {
				t.Errorf("%s: error %v, want %s", c.sig, err, c.code)
			}
			continue
		}
		if err != nil || types.Get(call.Result, out, 0) != c.want {
			t.Errorf("%s: %v, want %v", c.sig, err, c.want)
		}
	}
}
