package math

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/functions/math/libm"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/expr"
)

func sqrt(x float64) (float64, error) {
	if x < 0 {
		return 0, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "cannot take square root of a negative number")
	}
	return checked(math.Sqrt(x), x == 0 || isInf(x))
}

func checkLog(x float64) error {
	switch {
	case x == 0:
		return pgerror.New(pgerror.InvalidArgumentForLogarithm, "cannot take logarithm of zero")
	case x < 0:
		return pgerror.New(pgerror.InvalidArgumentForLogarithm, "cannot take logarithm of a negative number")
	}
	return nil
}

func logarithm(f func(float64) float64) expr.Kernel {
	return adapt.E1(func(x float64) (float64, error) {
		if err := checkLog(x); err != nil {
			return 0, err
		}
		return checked(f(x), x == 1 || isInf(x))
	})
}

func exp(x float64) (float64, error) {
	switch {
	case math.IsNaN(x), math.IsInf(x, 1):
		return x, nil
	case math.IsInf(x, -1):
		return 0, nil
	}
	return checked(libm.Exp(x), false)
}

func power(x, y float64) (float64, error) {
	switch {
	case math.IsNaN(x):
		if y == 0 {
			return 1, nil
		}
		return x, nil
	case math.IsNaN(y):
		if x == 1 {
			return 1, nil
		}
		return y, nil
	case x == 0 && y < 0:
		return 0, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
	case x < 0 && math.Floor(y) != y:
		return 0, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "a negative number raised to a non-integer power yields a complex result")
	}
	return checked(libm.Pow(x, y), x == 0 || isInf(x) || isInf(y))
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0 // NaN too
}

func widthBucketError(msg string) error {
	return pgerror.New(pgerror.InvalidArgumentForWidthBucketFunction, "%s", msg)
}

func integerOutOfRange() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
}

func widthBucket(x, lo, hi float64, count int32) (int32, error) {
	switch {
	case count <= 0:
		return 0, widthBucketError("count must be greater than zero")
	case math.IsNaN(x) || math.IsNaN(lo) || math.IsNaN(hi):
		return 0, widthBucketError("operand, lower bound, and upper bound cannot be NaN")
	case isInf(lo) || isInf(hi):
		return 0, widthBucketError("lower and upper bounds must be finite")
	case lo == hi:
		return 0, widthBucketError("lower bound cannot equal upper bound")
	}
	before, after := x < lo, x >= hi
	if lo > hi {
		before, after = x > lo, x <= hi
	}
	switch {
	case before:
		return 0, nil
	case after && count == math.MaxInt32:
		return 0, integerOutOfRange()
	case after:
		return count + 1, nil
	}
	q := (x - lo) / (hi - lo)
	if isInf(hi - lo) {
		q = (x/2 - lo/2) / (hi/2 - lo/2)
	}
	b := int32(min(float64(count)*q, float64(count)))
	return min(b, count-1) + 1, nil
}

func registerFloat(r *expr.Registry) {
	for name, k := range map[string]expr.Kernel{
		"sqrt": adapt.E1(sqrt), "dsqrt": adapt.E1(sqrt),
		"cbrt": adapt.F1(libm.Cbrt), "dcbrt": adapt.F1(libm.Cbrt),
		"exp": adapt.E1(exp), "dexp": adapt.E1(exp),
		"ln": logarithm(libm.Log), "dlog1": logarithm(libm.Log),
		"log": logarithm(libm.Log10), "log10": logarithm(libm.Log10), "dlog10": logarithm(libm.Log10),
		"ceil": adapt.F1(math.Ceil), "ceiling": adapt.F1(math.Ceil), "floor": adapt.F1(math.Floor),
		"round": adapt.F1(math.RoundToEven), "dround": adapt.F1(math.RoundToEven),
		"trunc": adapt.F1(math.Trunc), "dtrunc": adapt.F1(math.Trunc),
		"sign": adapt.F1(sign),
	} {
		adapt.Add(r, name+"(float8)", k)
	}
	for _, name := range []string{"power", "pow", "dpow"} {
		adapt.Add(r, name+"(float8,float8)", adapt.E2(power))
	}
	adapt.Add(r, "width_bucket(float8,float8,float8,int4)", adapt.E4(widthBucket))
}
