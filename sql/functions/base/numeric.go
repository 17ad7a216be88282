package base

import (
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// dec is one argument in Dec64 form: a vector, or one value for all rows.
type dec struct {
	v       []int64
	c       int64
	isConst bool
	scale   int32
}

// decArg reads argument i if it has a Dec64 form.
func decArg(call *expr.Call, args []arrow.Array, i int) (d dec, ok bool) {
	if c, isConst := constArg(call, i); isConst {
		u, scale, ok := c.(types.Numeric).Int64()
		return dec{c: u, isConst: true, scale: scale}, ok
	}
	a, ok := args[i].(*types.Dec64Array)
	if !ok {
		return dec{}, false
	}
	return dec{v: a.Int64Values(), scale: a.Scale()}, true
}

// rescale brings d to a larger scale; ok false when a value would overflow. Values
// at NULL rows count too: a false alarm only costs time.
func (d dec) rescale(scale int32) (dec, bool) {
	if d.scale == scale {
		return d, true
	}
	f := pow10[scale-d.scale]
	limit := int64(1<<63-1) / f
	if d.isConst {
		return dec{c: d.c * f, isConst: true, scale: scale}, d.c <= limit && d.c >= -limit
	}
	out, bad := make([]int64, len(d.v)), false
	for i, v := range d.v {
		bad = bad || v > limit || v < -limit
		out[i] = v * f
	}
	return dec{v: out, scale: scale}, !bad
}

// aligned reads both arguments as Dec64 of one scale.
func aligned(call *expr.Call, args []arrow.Array) (a, b dec, ok bool) {
	if a, ok = decArg(call, args, 0); !ok {
		return
	}
	if b, ok = decArg(call, args, 1); !ok {
		return
	}
	if a.isConst && b.isConst {
		return a, b, false
	}
	scale := max(a.scale, b.scale)
	if a, ok = a.rescale(scale); !ok {
		return
	}
	b, ok = b.rescale(scale)
	return
}

func numericCompare(o op) expr.Kernel {
	slow := compareBy(o, types.Numeric.Cmp)
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a, b, ok := aligned(call, args)
		switch {
		case !ok:
			return slow(ctx, call, args, n)
		case b.isConst:
			return boolResult(compareConst(o, a.v, b.c), args, n), nil
		case a.isConst:
			return boolResult(compareConst(o.flip(), b.v, a.c), args, n), nil
		}
		return boolResult(compareSlices[int64, int64, int64](o, a.v, b.v), args, n), nil
	}
}

// decResult wraps a Dec64 result with the arguments' NULLs.
func decResult(scale int32, out []int64, args []arrow.Array, n int) arrow.Array {
	valid, nulls := adapt.Validity(args, n)
	return types.NewDec64Array(scale, out, valid, nulls)
}

func (d dec) at(n int) []int64 {
	if !d.isConst {
		return d.v
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = d.c
	}
	return out
}

func numericAdd(sub bool) expr.Kernel {
	slow := adapt.E2(types.Numeric.Add)
	if sub {
		slow = adapt.E2(types.Numeric.Sub)
	}
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a, b, ok := aligned(call, args)
		if !ok {
			return slow(ctx, call, args, n)
		}
		out := make([]int64, n)
		var over int64
		switch {
		case sub && a.isConst:
			c := a.c
			for i, v := range b.v {
				r := c - v
				over |= (c ^ v) & (c ^ r)
				out[i] = r
			}
		case sub:
			bv := b.at(n)[:len(a.v)]
			for i, v := range a.v {
				w := bv[i]
				r := v - w
				over |= (v ^ w) & (v ^ r)
				out[i] = r
			}
		default:
			if a.isConst {
				a, b = b, a
			}
			if b.isConst {
				c := b.c
				for i, v := range a.v {
					r := v + c
					over |= (v ^ r) & (c ^ r)
					out[i] = r
				}
				break
			}
			bv := b.v[:len(a.v)]
			for i, v := range a.v {
				w := bv[i]
				r := v + w
				over |= (v ^ r) & (w ^ r)
				out[i] = r
			}
		}
		if over < 0 {
			return slow(ctx, call, args, n)
		}
		return decResult(a.scale, out, args, n), nil
	}
}

// mulOverflows reports that v × w does not fit an int64.
func mulOverflows(v, w int64) bool {
	if uint64(v+1<<31)|uint64(w+1<<31) < 1<<32 { // both in 32 bits
		return false
	}
	hi, lo := bits.Mul64(uint64(v), uint64(w))
	h := int64(hi) - v>>63&w - w>>63&v // signed high word
	return h != int64(lo)>>63
}

func numericMul(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
	a, ok := decArg(call, args, 0)
	b, ok2 := decArg(call, args, 1)
	if !ok || !ok2 || a.scale+b.scale > 18 || a.isConst && b.isConst {
		return mulSlow(ctx, call, args, n)
	}
	if a.isConst {
		a, b = b, a
	}
	out, over := make([]int64, n), false
	if b.isConst {
		for i, v := range a.v {
			over = over || mulOverflows(v, b.c)
			out[i] = v * b.c
		}
	} else {
		bv := b.v[:len(a.v)]
		for i, v := range a.v {
			over = over || mulOverflows(v, bv[i])
			out[i] = v * bv[i]
		}
	}
	if over {
		return mulSlow(ctx, call, args, n)
	}
	return decResult(a.scale+b.scale, out, args, n), nil
}

var mulSlow = adapt.E2(types.Numeric.Mul)

func numericNeg(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
	if a, ok := args[0].(*types.Dec64Array); ok {
		out, bad := make([]int64, n), false
		for i, v := range a.Int64Values() {
			bad = bad || v == -1<<63
			out[i] = -v
		}
		if !bad {
			return decResult(a.Scale(), out, args, n), nil
		}
	}
	return adapt.F1(types.Numeric.Neg)(ctx, call, args, n)
}

// numericTypmod is the length coercion numeric(numeric,int4).
func numericTypmod(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
	if a, ok := args[0].(*types.Dec64Array); ok {
		if c, ok := constArg(call, 1); ok {
			if p, scale, ok := types.NumericTypmod(c.(int32)); ok && scale >= 0 && scale <= 18 && p <= 18 {
				if d, ok := (dec{v: a.Int64Values(), scale: a.Scale()}).toScale(scale); ok {
					limit, bad := pow10[p], false
					for _, v := range d {
						bad = bad || v >= limit || v <= -limit
					}
					if !bad {
						return decResult(scale, d, args, n), nil
					}
				}
			}
		}
	}
	return adapt.E2(types.Numeric.ApplyTypmod)(ctx, call, args, n)
}

// toScale rounds half away from zero, or pads.
func (d dec) toScale(scale int32) ([]int64, bool) {
	if scale >= d.scale {
		r, ok := d.rescale(scale)
		return r.v, ok
	}
	f := pow10[d.scale-scale]
	half := f / 2
	out := make([]int64, len(d.v))
	for i, v := range d.v {
		q, r := v/f, v%f
		if r >= half {
			q++
		} else if r <= -half {
			q--
		}
		out[i] = q
	}
	return out, true
}

// intToNumeric casts an integer type.
func intToNumeric[A int16 | int32 | int64](_ *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
	out := make([]int64, n)
	for i, v := range adapt.Values[A](call.ArgTypes[0], args[0]) {
		out[i] = int64(v)
	}
	return decResult(0, out, args, n), nil
}

func numericOf[A int16 | int32 | int64](v A) (types.Numeric, error) {
	return types.NumericFromInt64(int64(v), 0), nil
}

func registerNumeric(r *expr.Registry) {
	adapt.Add(r, "numeric_add(numeric,numeric)", numericAdd(false), adapt.Value2(types.Numeric.Add))
	adapt.Add(r, "numeric_sub(numeric,numeric)", numericAdd(true), adapt.Value2(types.Numeric.Sub))
	adapt.Add(r, "numeric_mul(numeric,numeric)", numericMul, adapt.Value2(types.Numeric.Mul))
	adapt.Add(r, "numeric_div(numeric,numeric)", adapt.E2(types.Numeric.Div), adapt.Value2(types.Numeric.Div))
	adapt.Add(r, "numeric_mod(numeric,numeric)", adapt.E2(types.Numeric.Mod))
	adapt.Add(r, "mod(numeric,numeric)", adapt.E2(types.Numeric.Mod))
	adapt.Add(r, "numeric_div_trunc(numeric,numeric)", adapt.E2(types.Numeric.DivTrunc))
	adapt.Add(r, "div(numeric,numeric)", adapt.E2(types.Numeric.DivTrunc))
	adapt.Add(r, "numeric_uminus(numeric)", numericNeg, adapt.Value1(adapt.Never1(types.Numeric.Neg)))
	adapt.Add(r, "numeric_uplus(numeric)", adapt.F1(func(n types.Numeric) types.Numeric { return n }))
	adapt.Add(r, "numeric_abs(numeric)", adapt.F1(types.Numeric.Abs))
	adapt.Add(r, "abs(numeric)", adapt.F1(types.Numeric.Abs))
	adapt.Add(r, "numeric_inc(numeric)", adapt.E1(func(n types.Numeric) (types.Numeric, error) { return n.Add(types.NumericFromInt64(1, 0)) }))
	adapt.Add(r, "numeric_sqrt(numeric)", adapt.E1(types.Numeric.Sqrt))
	adapt.Add(r, "sqrt(numeric)", adapt.E1(types.Numeric.Sqrt))
	adapt.Add(r, "numeric_exp(numeric)", adapt.E1(types.Numeric.Exp))
	adapt.Add(r, "exp(numeric)", adapt.E1(types.Numeric.Exp))
	adapt.Add(r, "numeric_ln(numeric)", adapt.E1(types.Numeric.Ln))
	adapt.Add(r, "ln(numeric)", adapt.E1(types.Numeric.Ln))
	log := func(base, n types.Numeric) (types.Numeric, error) { return n.LogBase(base) }
	log10 := func(n types.Numeric) (types.Numeric, error) { return n.LogBase(types.NumericFromInt64(10, 0)) }
	adapt.Add(r, "numeric_log(numeric,numeric)", adapt.E2(log))
	adapt.Add(r, "log(numeric,numeric)", adapt.E2(log))
	adapt.Add(r, "log(numeric)", adapt.E1(log10))
	adapt.Add(r, "log10(numeric)", adapt.E1(log10))
	for _, name := range []string{"numeric_power", "power", "pow"} {
		adapt.Add(r, name+"(numeric,numeric)", adapt.E2(types.Numeric.Pow))
	}
	adapt.Add(r, "numeric(numeric,int4)", numericTypmod, adapt.Value2(types.Numeric.ApplyTypmod))
	adapt.Add(r, "numeric(int2)", intToNumeric[int16], adapt.Value1(numericOf[int16]))
	adapt.Add(r, "numeric(int4)", intToNumeric[int32], adapt.Value1(numericOf[int32]))
	adapt.Add(r, "numeric(int8)", intToNumeric[int64], adapt.Value1(numericOf[int64]))
	adapt.Add(r, "numeric(float4)", adapt.E1(types.NumericFromFloat32))
	adapt.Add(r, "numeric(float8)", adapt.E1(types.NumericFromFloat64))
}
