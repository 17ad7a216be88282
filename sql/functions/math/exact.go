package math

import (
	"math"
	"sort"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// gcd64 is the greatest common divisor as an unsigned number.
func gcd64(a, b int64) uint64 {
	x, y := uint64(max(a, -a)), uint64(max(b, -b))
	if a == math.MinInt64 {
		x = 1 << 63
	}
	if b == math.MinInt64 {
		y = 1 << 63
	}
	for y != 0 {
		x, y = y, x%y
	}
	return x
}

func gcd4(a, b int32) (int32, error) {
	g := gcd64(int64(a), int64(b))
	if g > math.MaxInt32 {
		return 0, integerOutOfRange()
	}
	return int32(g), nil
}

func bigintOutOfRange() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "bigint out of range")
}

func gcd8(a, b int64) (int64, error) {
	g := gcd64(a, b)
	if g > math.MaxInt64 {
		return 0, bigintOutOfRange()
	}
	return int64(g), nil
}

func lcm4(a, b int32) (int32, error) {
	if a == 0 || b == 0 {
		return 0, nil
	}
	v := int64(a) / int64(gcd64(int64(a), int64(b))) * int64(b)
	if v = max(v, -v); v > math.MaxInt32 {
		return 0, integerOutOfRange()
	}
	return int32(v), nil
}

func lcm8(a, b int64) (int64, error) {
	n, err := types.NumericFromInt64(a, 0).LCM(types.NumericFromInt64(b, 0))
	if err != nil {
		return 0, err
	}
	v, ok := n.ToInt64()
	if !ok {
		return 0, bigintOutOfRange()
	}
	return v, nil
}

func signNumeric(n types.Numeric) types.Numeric {
	if n.IsNaN() {
		return n
	}
	return types.NumericFromInt64(int64(n.Sign()), 0)
}

func widthBucketNumeric(x, lo, hi types.Numeric, count int32) (int32, error) {
	switch {
	case count <= 0:
		return 0, widthBucketError("count must be greater than zero")
	case x.IsNaN() || lo.IsNaN() || hi.IsNaN():
		return 0, widthBucketError("operand, lower bound, and upper bound cannot be NaN")
	case lo.IsInf() || hi.IsInf():
		return 0, widthBucketError("lower and upper bounds must be finite")
	case lo.Cmp(hi) == 0:
		return 0, widthBucketError("lower bound cannot equal upper bound")
	}
	up := lo.Cmp(hi) < 0
	switch c, d := x.Cmp(lo), x.Cmp(hi); {
	case up && c < 0, !up && c > 0:
		return 0, nil
	case up && d >= 0, !up && d <= 0:
		if count == math.MaxInt32 {
			return 0, integerOutOfRange()
		}
		return count + 1, nil
	}
	num, err := x.Sub(lo)
	if err == nil {
		num, err = num.Mul(types.NumericFromInt64(int64(count), 0))
	}
	if err != nil {
		return 0, err
	}
	den, err := hi.Sub(lo)
	if err != nil {
		return 0, err
	}
	q, err := num.DivTrunc(den)
	if err != nil {
		return 0, err
	}
	b, _ := q.ToInt64()
	return min(int32(b), count-1) + 1, nil
}

// widthBucketArray is width_bucket(operand, thresholds): how many thresholds are ≤ operand.
func widthBucketArray(ctx *expr.Context, call *expr.Call, d types.Datum, a *types.Array) (int32, error) {
	if len(a.Dims) > 1 {
		return 0, pgerror.New(pgerror.ArraySubscriptError, "thresholds must be one-dimensional array")
	}
	for _, e := range a.Elems {
		if e == nil {
			return 0, pgerror.New(pgerror.NullValueNotAllowed, "thresholds array must not contain NULLs")
		}
	}
	t := call.ArgTypes[0]
	return int32(sort.Search(len(a.Elems), func(i int) bool { return types.Compare(ctx.Env, t, a.Elems[i], d) > 0 })), nil
}

func registerExact(r *expr.Registry) {
	adapt.Add(r, "gcd(int4,int4)", adapt.E2(gcd4))
	adapt.Add(r, "gcd(int8,int8)", adapt.E2(gcd8))
	adapt.Add(r, "lcm(int4,int4)", adapt.E2(lcm4))
	adapt.Add(r, "lcm(int8,int8)", adapt.E2(lcm8))
	adapt.Add(r, "gcd(numeric,numeric)", adapt.F2(types.Numeric.GCD))
	adapt.Add(r, "lcm(numeric,numeric)", adapt.E2(types.Numeric.LCM))
	adapt.Add(r, "factorial(int8)", adapt.E1(types.Factorial))
	adapt.Add(r, "ceil(numeric)", adapt.E1(types.Numeric.Ceil))
	adapt.Add(r, "ceiling(numeric)", adapt.E1(types.Numeric.Ceil))
	adapt.Add(r, "floor(numeric)", adapt.E1(types.Numeric.Floor))
	adapt.Add(r, "round(numeric,int4)", adapt.E2(types.Numeric.Round))
	adapt.Add(r, "round(numeric)", adapt.E1(func(n types.Numeric) (types.Numeric, error) { return n.Round(0) }))
	adapt.Add(r, "trunc(numeric,int4)", adapt.F2(types.Numeric.Trunc))
	adapt.Add(r, "trunc(numeric)", adapt.F1(func(n types.Numeric) types.Numeric { return n.Trunc(0) }))
	adapt.Add(r, "sign(numeric)", adapt.F1(signNumeric))
	scale := func(f func(types.Numeric) int32) expr.Kernel {
		return adapt.F1(func(n types.Numeric) types.Datum {
			if !n.IsFinite() {
				return nil
			}
			return f(n)
		})
	}
	adapt.Add(r, "scale(numeric)", scale(types.Numeric.Scale))
	adapt.Add(r, "min_scale(numeric)", scale(types.Numeric.MinScale))
	adapt.Add(r, "trim_scale(numeric)", adapt.F1(types.Numeric.TrimScale))
	adapt.Add(r, "width_bucket(numeric,numeric,numeric,int4)", adapt.E4(widthBucketNumeric))
	adapt.Add(r, "width_bucket(anycompatible,anycompatiblearray)", adapt.C2(widthBucketArray))
}
