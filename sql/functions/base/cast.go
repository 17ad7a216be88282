package base

import (
	"crypto/rand"
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func narrow[A, R signedInt](a A) (R, error) {
	if v := R(a); A(v) == a {
		return v, nil
	}
	return 0, outOfRange[R]()
}

// floatToInt rounds half to even and checks the range.
func floatToInt[A float, R signedInt](a A) (R, error) {
	f := math.RoundToEven(float64(a))
	lo := float64(minInt[R]())
	if f >= lo && f < -lo { // false for NaN
		return R(f), nil
	}
	return 0, outOfRange[R]()
}

func numericToInt[R signedInt](n types.Numeric) (R, error) {
	name := "bigint"
	switch any(R(0)).(type) {
	case int16:
		name = "smallint"
	case int32:
		name = "integer"
	}
	switch {
	case n.IsNaN():
		return 0, pgerror.New(pgerror.FeatureNotSupported, "cannot convert NaN to %s", name)
	case n.IsInf():
		return 0, pgerror.New(pgerror.FeatureNotSupported, "cannot convert infinity to %s", name)
	}
	v, ok := n.ToInt64()
	if r := R(v); ok && int64(r) == v {
		return r, nil
	}
	return 0, outOfRange[R]()
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func registerCasts(r *expr.Registry) {
	// integers
	adapt.Add(r, "int2(int4)", adapt.E1(narrow[int32, int16]), adapt.Value1(narrow[int32, int16]))
	adapt.Add(r, "int2(int8)", adapt.E1(narrow[int64, int16]))
	adapt.Add(r, "int4(int2)", adapt.F1(func(a int16) int32 { return int32(a) }))
	adapt.Add(r, "int4(int8)", adapt.E1(narrow[int64, int32]), adapt.Value1(narrow[int64, int32]))
	adapt.Add(r, "int8(int2)", adapt.F1(func(a int16) int64 { return int64(a) }))
	adapt.Add(r, "int8(int4)", adapt.F1(func(a int32) int64 { return int64(a) }), adapt.Value1(func(a int32) (int64, error) { return int64(a), nil }))
	adapt.Add(r, "int8(oid)", adapt.F1(func(a types.OID) int64 { return int64(a) }))
	adapt.Add(r, "oid(int8)", adapt.E1(func(a int64) (types.OID, error) {
		if a < 0 || a > math.MaxUint32 {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "OID out of range")
		}
		return types.OID(a), nil
	}))
	adapt.Add(r, "bool(int4)", adapt.F1(func(a int32) bool { return a != 0 }))
	adapt.Add(r, "int4(bool)", adapt.F1(func(b bool) int32 { return int32(b2u(b)) }))
	adapt.Add(r, "int4(char)", adapt.F1(func(c byte) int32 { return int32(int8(c)) }))
	adapt.Add(r, "char(int4)", adapt.E1(func(a int32) (byte, error) {
		if a < math.MinInt8 || a > math.MaxInt8 {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "\"char\" out of range")
		}
		return byte(a), nil
	}))
	adapt.Add(r, "xid(xid8)", adapt.F1(func(x uint64) types.OID { return types.OID(x) }))
	// floats
	adapt.Add(r, "int2(float4)", adapt.E1(floatToInt[float32, int16]))
	adapt.Add(r, "int2(float8)", adapt.E1(floatToInt[float64, int16]))
	adapt.Add(r, "int4(float4)", adapt.E1(floatToInt[float32, int32]))
	adapt.Add(r, "int4(float8)", adapt.E1(floatToInt[float64, int32]))
	adapt.Add(r, "int8(float4)", adapt.E1(floatToInt[float32, int64]))
	adapt.Add(r, "int8(float8)", adapt.E1(floatToInt[float64, int64]))
	adapt.Add(r, "float4(int2)", adapt.F1(func(a int16) float32 { return float32(a) }))
	adapt.Add(r, "float4(int4)", adapt.F1(func(a int32) float32 { return float32(a) }))
	adapt.Add(r, "float4(int8)", adapt.F1(func(a int64) float32 { return float32(a) }))
	adapt.Add(r, "float8(int2)", adapt.F1(func(a int16) float64 { return float64(a) }))
	adapt.Add(r, "float8(int4)", adapt.F1(func(a int32) float64 { return float64(a) }))
	adapt.Add(r, "float8(int8)", adapt.F1(func(a int64) float64 { return float64(a) }))
	adapt.Add(r, "float8(float4)", adapt.F1(func(a float32) float64 { return float64(a) }))
	adapt.Add(r, "float4(float8)", adapt.E1(func(a float64) (float32, error) {
		f := float32(a)
		switch {
		case isInf(f) && !isInf(a):
			return 0, overflowError()
		case f == 0 && a != 0:
			return 0, underflowError()
		}
		return f, nil
	}))
	// numeric
	adapt.Add(r, "int2(numeric)", adapt.E1(numericToInt[int16]))
	adapt.Add(r, "int4(numeric)", adapt.E1(numericToInt[int32]), adapt.Value1(numericToInt[int32]))
	adapt.Add(r, "int8(numeric)", adapt.E1(numericToInt[int64]), adapt.Value1(numericToInt[int64]))
	adapt.Add(r, "float8(numeric)", adapt.E1(func(n types.Numeric) (float64, error) {
		f := n.Float64()
		if isInf(f) && n.IsFinite() || f == 0 && !n.IsZero() {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type double precision", n)
		}
		return f, nil
	}))
	adapt.Add(r, "float4(numeric)", adapt.E1(func(n types.Numeric) (float32, error) {
		f := n.Float32()
		if isInf(f) && n.IsFinite() || f == 0 && !n.IsZero() {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type real", n)
		}
		return f, nil
	}))
	// strings
	adapt.Add(r, "varchar(varchar,int4,bool)", adapt.E3(types.VarCharTypmod), adapt.Value3(types.VarCharTypmod))
	adapt.Add(r, "bpchar(bpchar,int4,bool)", adapt.E3(types.BPCharTypmod), adapt.Value3(types.BPCharTypmod))
	same := adapt.F1(func(s string) string { return s })
	adapt.Add(r, "text(bpchar)", adapt.F1(types.TrimBPChar), adapt.Value1(adapt.Never1(types.TrimBPChar)))
	adapt.Add(r, "text(name)", same)
	adapt.Add(r, "varchar(name)", same)
	adapt.Add(r, "bpchar(name)", same)
	adapt.Add(r, "name(text)", adapt.F1(types.TruncateName))
	adapt.Add(r, "name(varchar)", adapt.F1(types.TruncateName))
	adapt.Add(r, "name(bpchar)", adapt.F1(func(s string) string { return types.TruncateName(types.TrimBPChar(s)) }))
	adapt.Add(r, "text(bool)", adapt.F1(boolText))
	charText := adapt.F1(func(c byte) string { return string(types.AppendChar(nil, c)) })
	adapt.Add(r, "text(char)", charText)
	adapt.Add(r, "bpchar(char)", charText)
	adapt.Add(r, "char(text)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, s string) (byte, error) {
		d, err := types.In(ctx.Env, types.Of(types.Char), s)
		if err != nil {
			return 0, err
		}
		return d.(byte), nil
	}))
	adapt.Add(r, "nameconcatoid(name,oid)", adapt.F2(func(n string, o types.OID) string {
		tail := types.NumericFromInt64(int64(o), 0).String()
		return types.CharPrefix(n, min(types.CharLen(n), 63-1-len(tail))) + "_" + tail
	}))
	registerLSN(r)
	adapt.Add(r, "gen_random_uuid()", adapt.C0(func(*expr.Context, *expr.Call) (types.UUID, error) {
		var u types.UUID
		if _, err := rand.Read(u[:]); err != nil {
			return u, pgerror.Wrap(err, pgerror.InternalError, "could not generate random values")
		}
		u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
		return u, nil
	}))
}
