package base

import (
	"bytes"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// op is a comparison operator.
type op int

const (
	opEQ op = iota
	opNE
	opLT
	opLE
	opGT
	opGE
)

// ops in the order of the name suffixes used by pg_proc.
var ops = [...]op{opEQ, opNE, opLT, opLE, opGT, opGE}
var opNames = [...]string{"eq", "ne", "lt", "le", "gt", "ge"}

// holds says whether an ordering result satisfies the operator.
func (o op) holds(c int) bool {
	switch o {
	case opEQ:
		return c == 0
	case opNE:
		return c != 0
	case opLT:
		return c < 0
	case opLE:
		return c <= 0
	case opGT:
		return c > 0
	}
	return c >= 0
}

// flip is the operator with its sides exchanged.
func (o op) flip() op {
	switch o {
	case opLT:
		return opGT
	case opLE:
		return opGE
	case opGT:
		return opLT
	case opGE:
		return opLE
	}
	return o
}

type integer interface {
	~byte | ~int16 | ~int32 | ~int64 | ~uint32 | ~uint64
}

func b2u(b bool) byte {
	var v byte
	if b {
		v = 1
	}
	return v
}

// packBits fills a bitmap from a predicate over row numbers.
func packBits(n int, pred func(i int) bool) []byte {
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	for i := range n {
		bits[i>>3] |= b2u(pred(i)) << (i & 7)
	}
	return bits
}

// compareSlices is the dense loop: one comparison per row, both sides widened to C.
func compareSlices[A, B, C integer](o op, a []A, b []B) []byte {
	n := len(a)
	b = b[:n]
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	switch o {
	case opEQ:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) == C(b[i])) << (i & 7)
		}
	case opNE:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) != C(b[i])) << (i & 7)
		}
	case opLT:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) < C(b[i])) << (i & 7)
		}
	case opLE:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) <= C(b[i])) << (i & 7)
		}
	case opGT:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) > C(b[i])) << (i & 7)
		}
	case opGE:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) >= C(b[i])) << (i & 7)
		}
	}
	return bits
}

// compareConst is compareSlices against one value. Eight rows make a byte at a time.
func compareConst[A, C integer](o op, a []A, c C) []byte {
	n := len(a)
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	switch o {
	case opEQ:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) == c) << (i & 7)
		}
	case opNE:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) != c) << (i & 7)
		}
	case opLT:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) < c) << (i & 7)
		}
	case opLE:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) <= c) << (i & 7)
		}
	case opGT:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) > c) << (i & 7)
		}
	case opGE:
		for i, v := range a {
			bits[i>>3] |= b2u(C(v) >= c) << (i & 7)
		}
	}
	return bits
}

func boolResult(bits []byte, args []arrow.Array, n int) arrow.Array {
	valid, nulls := adapt.Validity(args, n)
	return adapt.BoolVector(bits, n, valid, nulls)
}

// constArg gives the non-NULL constant value of argument i, if it is one.
func constArg(call *expr.Call, i int) (types.Datum, bool) {
	if i < len(call.IsConst) && call.IsConst[i] && call.Const[i] != nil {
		return call.Const[i], true
	}
	return nil, false
}

// intCompare compares two integer-like types of Go forms A and B, widened to C.
func intCompare[A, B, C integer](o op) expr.Kernel {
	return func(_ *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		if d, ok := constArg(call, 1); ok {
			if c, ok := d.(B); ok {
				return boolResult(compareConst(o, adapt.Values[A](call.ArgTypes[0], args[0]), C(c)), args, n), nil
			}
		}
		if d, ok := constArg(call, 0); ok {
			if c, ok := d.(A); ok {
				return boolResult(compareConst(o.flip(), adapt.Values[B](call.ArgTypes[1], args[1]), C(c)), args, n), nil
			}
		}
		return boolResult(compareSlices[A, B, C](o, adapt.Values[A](call.ArgTypes[0], args[0]), adapt.Values[B](call.ArgTypes[1], args[1])), args, n), nil
	}
}

// compareBy compares any two Go forms by a three-way function.
func compareBy[A, B any](o op, cmp func(A, B) int) expr.Kernel {
	return func(_ *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a, b := adapt.Values[A](call.ArgTypes[0], args[0]), adapt.Values[B](call.ArgTypes[1], args[1])
		return boolResult(packBits(n, func(i int) bool { return o.holds(cmp(a[i], b[i])) }), args, n), nil
	}
}

func floatCompare[A, B float32 | float64](o op) expr.Kernel {
	slow := compareBy(o, func(a A, b B) int { return types.CompareFloat(float64(a), float64(b)) })
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		d, isConst := constArg(call, 1)
		c, ok := d.(B)
		if !isConst || !ok || c != c || o != opLT && o != opLE {
			return slow(ctx, call, args, n)
		}
		// below a number: a NaN on the left is above everything, and Go's < agrees
		bits := make([]byte, bitutil.BytesForBits(int64(n)))
		f := float64(c)
		for i, v := range adapt.Values[A](call.ArgTypes[0], args[0]) {
			x := float64(v)
			bits[i>>3] |= b2u(x < f || o == opLE && x == f) << (i & 7)
		}
		return boolResult(bits, args, n), nil
	}
}

// OverDictionary runs a kernel on a dictionary's values instead of its rows when
// the first argument is a dictionary and the others are constants; the result
// must be boolean.
func OverDictionary(k expr.Kernel) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		d, ok := args[0].(*array.Dictionary)
		if !ok {
			return k(ctx, call, args, n)
		}
		vals := d.Dictionary()
		m := vals.Len()
		if m > n || m == 0 {
			return k(ctx, call, args, n)
		}
		sub := make([]arrow.Array, len(args))
		sub[0] = vals
		for i := 1; i < len(args); i++ {
			c, ok := constArg(call, i)
			if !ok {
				return k(ctx, call, args, n)
			}
			sub[i] = types.Repeat(call.ArgTypes[i], c, m)
		}
		r, err := k(ctx, call, sub, m)
		if err != nil {
			return nil, err
		}
		res := r.(*array.Boolean)
		return boolResult(packBits(n, func(i int) bool { return d.IsValid(i) && res.Value(d.GetValueIndex(i)) }), args, n), nil
	}
}

// textEqual is = and <> of the string types without padding rules.
func textEqual(o op) expr.Kernel {
	want := o == opEQ
	return OverDictionary(func(_ *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		for i := range 2 {
			d, isConst := constArg(call, i)
			c, ok := d.(string)
			if !isConst || !ok {
				continue
			}
			a, ok := args[1-i].(*array.String)
			if !ok {
				continue
			}
			return boolResult(packBits(n, func(i int) bool { return (a.Value(i) == c) == want }), args, n), nil
		}
		if a, ok := args[0].(*array.String); ok {
			if b, ok := args[1].(*array.String); ok {
				return boolResult(packBits(n, func(i int) bool { return (a.Value(i) == b.Value(i)) == want }), args, n), nil
			}
		}
		a, b := adapt.Values[string](call.ArgTypes[0], args[0]), adapt.Values[string](call.ArgTypes[1], args[1])
		return boolResult(packBits(n, func(i int) bool { return (a[i] == b[i]) == want }), args, n), nil
	})
}

func textCompare(o op) expr.Kernel {
	if o == opEQ || o == opNE {
		return textEqual(o)
	}
	return OverDictionary(compareBy(o, strings.Compare))
}

func compareBPChar(a, b string) int {
	return strings.Compare(types.TrimBPChar(a), types.TrimBPChar(b))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func compareUUID(a, b types.UUID) int { return bytes.Compare(a[:], b[:]) }

// three makes a btree support function.
func three[A, B any](cmp func(A, B) int) expr.Kernel {
	return adapt.F2(func(a A, b B) int32 { return int32(cmp(a, b)) })
}

func compareInts[A, B integer](a A, b B) int {
	x, y := int64(a), int64(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func compareUints[A integer](a, b A) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// six registers the six operators of one pair of types; names(eq) gives pg_proc's name.
func six(r *expr.Registry, name func(suffix string) string, args string, k func(op) expr.Kernel) {
	for i, o := range ops {
		adapt.Add(r, name(opNames[i])+"("+args+")", k(o))
	}
}

func prefix(p string) func(string) string { return func(s string) string { return p + s } }

func registerCompare(r *expr.Registry) {
	six(r, prefix("int2"), "int2,int2", intCompare[int16, int16, int16])
	six(r, prefix("int4"), "int4,int4", intCompare[int32, int32, int32])
	six(r, prefix("int8"), "int8,int8", intCompare[int64, int64, int64])
	six(r, prefix("int24"), "int2,int4", intCompare[int16, int32, int32])
	six(r, prefix("int42"), "int4,int2", intCompare[int32, int16, int32])
	six(r, prefix("int28"), "int2,int8", intCompare[int16, int64, int64])
	six(r, prefix("int82"), "int8,int2", intCompare[int64, int16, int64])
	six(r, prefix("int48"), "int4,int8", intCompare[int32, int64, int64])
	six(r, prefix("int84"), "int8,int4", intCompare[int64, int32, int64])
	six(r, prefix("oid"), "oid,oid", intCompare[types.OID, types.OID, types.OID])
	six(r, prefix("char"), "char,char", intCompare[byte, byte, byte])
	six(r, prefix("xid8"), "xid8,xid8", intCompare[uint64, uint64, uint64])
	six(r, prefix("tid"), "tid,tid", intCompare[uint64, uint64, uint64])
	six(r, prefix("pg_lsn_"), "pg_lsn,pg_lsn", intCompare[uint64, uint64, uint64])
	adapt.Add(r, "xideq(xid,xid)", intCompare[types.OID, types.OID, types.OID](opEQ))
	adapt.Add(r, "xidneq(xid,xid)", intCompare[types.OID, types.OID, types.OID](opNE))
	adapt.Add(r, "cideq(cid,cid)", intCompare[types.OID, types.OID, types.OID](opEQ))
	adapt.Add(r, "xideqint4(xid,int4)", adapt.F2(func(x types.OID, v int32) bool { return uint32(x) == uint32(v) }))
	adapt.Add(r, "xidneqint4(xid,int4)", adapt.F2(func(x types.OID, v int32) bool { return uint32(x) != uint32(v) }))

	six(r, prefix("float4"), "float4,float4", floatCompare[float32, float32])
	six(r, prefix("float8"), "float8,float8", floatCompare[float64, float64])
	six(r, prefix("float48"), "float4,float8", floatCompare[float32, float64])
	six(r, prefix("float84"), "float8,float4", floatCompare[float64, float32])
	six(r, prefix("numeric_"), "numeric,numeric", numericCompare)

	six(r, prefix("bool"), "bool,bool", func(o op) expr.Kernel { return compareBy(o, compareBool) })
	six(r, prefix("bytea"), "bytea,bytea", func(o op) expr.Kernel { return compareBy(o, bytes.Compare) })
	six(r, prefix("uuid_"), "uuid,uuid", func(o op) expr.Kernel { return compareBy(o, compareUUID) })
	six(r, prefix("bpchar"), "bpchar,bpchar", func(o op) expr.Kernel { return OverDictionary(compareBy(o, compareBPChar)) })
	six(r, prefix("name"), "name,name", textCompare)
	six(r, prefix("bit"), "bit,bit", textCompare)
	six(r, prefix("varbit"), "varbit,varbit", textCompare)
	six(r, func(s string) string {
		if s == "eq" || s == "ne" {
			return "text" + s
		}
		return "text_" + s
	}, "text,text", textCompare)
	six(r, func(s string) string { return "name" + s + "text" }, "name,text", textCompare)
	six(r, func(s string) string { return "text" + s + "name" }, "text,name", textCompare)
	for i, o := range ops[2:] {
		adapt.Add(r, "text_pattern_"+opNames[i+2]+"(text,text)", textCompare(o))
		adapt.Add(r, "bpchar_pattern_"+opNames[i+2]+"(bpchar,bpchar)", compareBy(o, compareBPChar))
	}

	adapt.Add(r, "btint2cmp(int2,int2)", three(compareInts[int16, int16]))
	adapt.Add(r, "btint4cmp(int4,int4)", three(compareInts[int32, int32]))
	adapt.Add(r, "btint8cmp(int8,int8)", three(compareInts[int64, int64]))
	adapt.Add(r, "btint24cmp(int2,int4)", three(compareInts[int16, int32]))
	adapt.Add(r, "btint42cmp(int4,int2)", three(compareInts[int32, int16]))
	adapt.Add(r, "btint28cmp(int2,int8)", three(compareInts[int16, int64]))
	adapt.Add(r, "btint82cmp(int8,int2)", three(compareInts[int64, int16]))
	adapt.Add(r, "btint48cmp(int4,int8)", three(compareInts[int32, int64]))
	adapt.Add(r, "btint84cmp(int8,int4)", three(compareInts[int64, int32]))
	adapt.Add(r, "btoidcmp(oid,oid)", three(compareUints[types.OID]))
	adapt.Add(r, "btcharcmp(char,char)", adapt.F2(func(a, b byte) int32 { return int32(a) - int32(b) }))
	adapt.Add(r, "btboolcmp(bool,bool)", three(compareBool))
	adapt.Add(r, "xid8cmp(xid8,xid8)", three(compareUints[uint64]))
	adapt.Add(r, "bttidcmp(tid,tid)", three(compareUints[uint64]))
	adapt.Add(r, "pg_lsn_cmp(pg_lsn,pg_lsn)", three(compareUints[uint64]))
	adapt.Add(r, "btfloat4cmp(float4,float4)", three(func(a, b float32) int { return types.CompareFloat(float64(a), float64(b)) }))
	adapt.Add(r, "btfloat8cmp(float8,float8)", three(types.CompareFloat))
	adapt.Add(r, "btfloat48cmp(float4,float8)", three(func(a float32, b float64) int { return types.CompareFloat(float64(a), b) }))
	adapt.Add(r, "btfloat84cmp(float8,float4)", three(func(a float64, b float32) int { return types.CompareFloat(a, float64(b)) }))
	adapt.Add(r, "numeric_cmp(numeric,numeric)", three(types.Numeric.Cmp))
	adapt.Add(r, "byteacmp(bytea,bytea)", three(bytes.Compare))
	adapt.Add(r, "uuid_cmp(uuid,uuid)", three(compareUUID))
	adapt.Add(r, "bpcharcmp(bpchar,bpchar)", three(compareBPChar))
	adapt.Add(r, "btbpchar_pattern_cmp(bpchar,bpchar)", three(compareBPChar))
	for _, sig := range []string{"bttextcmp(text,text)", "btnamecmp(name,name)", "btnametextcmp(name,text)", "bttextnamecmp(text,name)", "bttext_pattern_cmp(text,text)",
		"bitcmp(bit,bit)", "varbitcmp(varbit,varbit)"} {
		adapt.Add(r, sig, three(strings.Compare))
	}
	registerExtremes(r)
}

// larger and smaller pick by an ordering.
func larger[A any](cmp func(A, A) int) expr.Kernel {
	return adapt.F2(func(a, b A) A {
		if cmp(a, b) > 0 {
			return a
		}
		return b
	})
}

func smaller[A any](cmp func(A, A) int) expr.Kernel {
	return adapt.F2(func(a, b A) A {
		if cmp(a, b) < 0 {
			return a
		}
		return b
	})
}

func registerExtremes(r *expr.Registry) {
	add := func(name, typ string, l, s expr.Kernel) {
		adapt.Add(r, name+"larger("+typ+","+typ+")", l)
		adapt.Add(r, name+"smaller("+typ+","+typ+")", s)
	}
	add("int2", "int2", larger(compareInts[int16, int16]), smaller(compareInts[int16, int16]))
	add("int4", "int4", larger(compareInts[int32, int32]), smaller(compareInts[int32, int32]))
	add("int8", "int8", larger(compareInts[int64, int64]), smaller(compareInts[int64, int64]))
	add("oid", "oid", larger(compareUints[types.OID]), smaller(compareUints[types.OID]))
	f4 := func(a, b float32) int { return types.CompareFloat(float64(a), float64(b)) }
	add("float4", "float4", larger(f4), smaller(f4))
	add("float8", "float8", larger(types.CompareFloat), smaller(types.CompareFloat))
	add("numeric_", "numeric", larger(types.Numeric.Cmp), smaller(types.Numeric.Cmp))
	add("text_", "text", larger(strings.Compare), smaller(strings.Compare))
	add("bpchar_", "bpchar", larger(compareBPChar), smaller(compareBPChar))
	add("xid8_", "xid8", larger(compareUints[uint64]), smaller(compareUints[uint64]))
	add("tid", "tid", larger(compareUints[uint64]), smaller(compareUints[uint64]))
	add("pg_lsn_", "pg_lsn", larger(compareUints[uint64]), smaller(compareUints[uint64]))
}
