package base

import (
	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// ioTypes are the types whose input, output and send functions are SQL-callable,
// with the prefix of those functions' names.
var ioTypes = map[string]types.OID{
	"bool": types.Bool, "char": types.Char, "int2": types.Int2, "int4": types.Int4, "int8": types.Int8,
	"float4": types.Float4, "float8": types.Float8, "numeric_": types.NumericOID, "text": types.Text, "varchar": types.VarChar,
	"bit_": types.Bit, "varbit_": types.VarBit, "bpchar": types.BPChar, "name": types.Name, "bytea": types.Bytea, "uuid_": types.UUIDOID, "oid": types.Oid, "xid": types.Xid,
	"cid": types.Cid, "xid8": types.Xid8, "tid": types.Tid, "pg_lsn_": types.PgLSN, "unknown": types.Unknown, "cstring_": types.CString,
	"date_": types.DateOID, "time_": types.TimeOID, "timetz_": types.TimeTZOID, "timestamp_": types.TimestampOID,
	"timestamptz_": types.TimestampTZOID, "interval_": types.IntervalOID, "json_": types.JSON, "jsonb_": types.JSONBOID,
	"regclass": types.RegClass, "regproc": types.RegProc, "regtype": types.RegType, "regrole": types.RegRole,
	"regnamespace": types.RegNamespace, "regoper": types.RegOper, "regoperator": types.RegOperator,
	"regprocedure": types.RegProcedure, "regcollation": types.RegCollation, "regconfig": types.RegConfig, "regdictionary": types.RegDictionary,
}

var ioTypeNames = map[string]string{
	"bit_": "bit", "varbit_": "varbit", "numeric_": "numeric", "uuid_": "uuid", "pg_lsn_": "pg_lsn", "cstring_": "cstring", "date_": "date", "time_": "time",
	"timetz_": "timetz", "timestamp_": "timestamp", "timestamptz_": "timestamptz", "interval_": "interval", "json_": "json", "jsonb_": "jsonb",
}

// registerIO registers input, output and send functions: int4in(cstring),
// varcharin(cstring,oid,int4), int4out(int4), int4send(int4).
func registerIO(r *expr.Registry) {
	for p, oid := range ioTypes {
		name := p
		if n, ok := ioTypeNames[p]; ok {
			name = n
		}
		in := func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[0] == nil {
				return nil, nil
			}
			t := types.Of(oid)
			if len(args) == 3 && args[2] != nil {
				t = types.WithMod(oid, args[2].(int32))
			}
			return types.In(ctx.Env, t, args[0].(string))
		}
		add := func(sig string, k expr.Kernel) {
			if _, ok := facts.Proc(sig); ok {
				adapt.Add(r, sig, k)
			}
		}
		add(p+"in(cstring)", adapt.D(in))
		add(p+"in(cstring,oid,int4)", adapt.D(in))
		add(p+"out("+name+")", adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[0] == nil {
				return nil, nil
			}
			return types.Out(ctx.Env, call.ArgTypes[0], args[0])
		}))
		add(p+"send("+name+")", adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[0] == nil {
				return nil, nil
			}
			return types.AppendSend(ctx.Env, call.ArgTypes[0], []byte{}, args[0])
		}))
	}
	// Types of many forms. Input is not here: its type is the caller's to say.
	for _, sig := range []string{"array_out(anyarray)", "record_out(record)", "enum_out(anyenum)", "jsonpath_out(jsonpath)",
		"int2vectorout(int2vector)", "oidvectorout(oidvector)"} {
		adapt.Add(r, sig, adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[0] == nil {
				return nil, nil
			}
			return types.Out(ctx.Env, call.ArgTypes[0], args[0])
		}))
	}
	for _, sig := range []string{"array_send(anyarray)", "record_send(record)", "enum_send(anyenum)", "jsonpath_send(jsonpath)",
		"int2vectorsend(int2vector)", "oidvectorsend(oidvector)"} {
		adapt.Add(r, sig, adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[0] == nil {
				return nil, nil
			}
			return types.AppendSend(ctx.Env, call.ArgTypes[0], []byte{}, args[0])
		}))
	}
	for p, oid := range map[string]types.OID{"jsonpath_in": types.JSONPath, "int2vectorin": types.Int2Vector, "oidvectorin": types.OidVector} {
		adapt.Add(r, p+"(cstring)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, s string) (types.Datum, error) {
			return types.In(ctx.Env, types.Of(oid), s)
		}))
	}
	adapt.Add(r, "void_out(void)", adapt.D(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) { return "", nil }))
}
