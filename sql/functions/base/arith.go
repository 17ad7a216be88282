package base

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/expr"
)

type signedInt interface{ int16 | int32 | int64 }

func outOfRange[R signedInt]() error {
	name := "bigint"
	switch any(R(0)).(type) {
	case int16:
		name = "smallint"
	case int32:
		name = "integer"
	}
	return pgerror.New(pgerror.NumericValueOutOfRange, "%s out of range", name)
}

func divisionByZero() error { return pgerror.New(pgerror.DivisionByZero, "division by zero") }

func minInt[R signedInt]() R {
	var r R
	switch p := any(&r).(type) {
	case *int16:
		*p = math.MinInt16
	case *int32:
		*p = math.MinInt32
	case *int64:
		*p = math.MinInt64
	}
	return r
}

// intArith is a checked operation in R over arguments A and B. fast computes the
// whole batch and reports whether any row overflowed (NULL rows included); one
// computes a single row exactly and is asked only then.
func intArith[A, B, R signedInt](fast func(a []A, b []B, out []R) bool, one func(a, b R) (R, bool)) expr.Kernel {
	slow := adapt.E2(func(a A, b B) (R, error) {
		v, ok := one(R(a), R(b))
		if !ok {
			return 0, outOfRange[R]()
		}
		return v, nil
	})
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		out := make([]R, n)
		if fast(adapt.Values[A](call.ArgTypes[0], args[0]), adapt.Values[B](call.ArgTypes[1], args[1]), out) {
			return slow(ctx, call, args, n)
		}
		valid, nulls := adapt.Validity(args, n)
		return adapt.Build(call.Result, out, valid, nulls), nil
	}
}

func addInts[A, B, R signedInt]() expr.Kernel {
	return intArith(func(a []A, b []B, out []R) bool {
		var over R
		b = b[:len(a)]
		for i, v := range a {
			x, y := R(v), R(b[i])
			s := x + y
			over |= (x ^ s) & (y ^ s)
			out[i] = s
		}
		return over < 0
	}, func(a, b R) (R, bool) { s := a + b; return s, (a^s)&(b^s) >= 0 })
}

func subInts[A, B, R signedInt]() expr.Kernel {
	return intArith(func(a []A, b []B, out []R) bool {
		var over R
		b = b[:len(a)]
		for i, v := range a {
			x, y := R(v), R(b[i])
			s := x - y
			over |= (x ^ y) & (x ^ s)
			out[i] = s
		}
		return over < 0
	}, func(a, b R) (R, bool) { s := a - b; return s, (a^b)&(a^s) >= 0 })
}

func mulInts[A, B, R signedInt]() expr.Kernel {
	over := func(a, b R) bool {
		p := int64(a) * int64(b)
		return mulOverflows(int64(a), int64(b)) || int64(R(p)) != p
	}
	return intArith(func(a []A, b []B, out []R) bool {
		bad := false
		b = b[:len(a)]
		for i, v := range a {
			x, y := R(v), R(b[i])
			bad = bad || over(x, y)
			out[i] = x * y
		}
		return bad
	}, func(a, b R) (R, bool) { return a * b, !over(a, b) })
}

func divInts[A, B, R signedInt]() expr.Kernel {
	return adapt.E2(func(a A, b B) (R, error) {
		x, y := R(a), R(b)
		switch y {
		case 0:
			return 0, divisionByZero()
		case -1:
			if x == minInt[R]() {
				return 0, outOfRange[R]()
			}
			return -x, nil
		}
		return x / y, nil
	})
}

func modInts[R signedInt]() expr.Kernel {
	return adapt.E2(func(a, b R) (R, error) {
		switch b {
		case 0:
			return 0, divisionByZero()
		case -1:
			return 0, nil
		}
		return a % b, nil
	})
}

func registerIntPair[A, B, R signedInt](r *expr.Registry, name, args string) {
	adapt.Add(r, name+"pl("+args+")", addInts[A, B, R]())
	adapt.Add(r, name+"mi("+args+")", subInts[A, B, R]())
	adapt.Add(r, name+"mul("+args+")", mulInts[A, B, R]())
	adapt.Add(r, name+"div("+args+")", divInts[A, B, R]())
}

// registerInt registers what each integer type has on its own. width is its bits.
func registerInt[R signedInt](r *expr.Registry, t string, width uint) {
	tt := "(" + t + "," + t + ")"
	registerIntPair[R, R, R](r, t, t+","+t)
	adapt.Add(r, t+"mod"+tt, modInts[R]())
	adapt.Add(r, "mod"+tt, modInts[R]())
	neg := adapt.E1(func(a R) (R, error) {
		if a == minInt[R]() {
			return 0, outOfRange[R]()
		}
		return -a, nil
	})
	abs := adapt.E1(func(a R) (R, error) {
		if a == minInt[R]() {
			return 0, outOfRange[R]()
		}
		return max(a, -a), nil
	})
	adapt.Add(r, t+"um("+t+")", neg)
	adapt.Add(r, t+"up("+t+")", adapt.F1(func(a R) R { return a }))
	adapt.Add(r, t+"abs("+t+")", abs)
	adapt.Add(r, "abs("+t+")", abs)
	adapt.Add(r, t+"and"+tt, adapt.F2(func(a, b R) R { return a & b }))
	adapt.Add(r, t+"or"+tt, adapt.F2(func(a, b R) R { return a | b }))
	adapt.Add(r, t+"xor"+tt, adapt.F2(func(a, b R) R { return a ^ b }))
	adapt.Add(r, t+"not("+t+")", adapt.F1(func(a R) R { return ^a }))
	// the shift count is taken modulo the width; int2 shifts as a 32-bit int and is cut
	shift := uint32(width - 1)
	if width == 16 {
		shift = 31
	}
	adapt.Add(r, t+"shl("+t+",int4)", adapt.F2(func(a R, k int32) R { return R(int64(a) << (uint32(k) & shift)) }))
	adapt.Add(r, t+"shr("+t+",int4)", adapt.F2(func(a R, k int32) R { return a >> (uint32(k) & shift) }))
}

func overflowError() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: overflow")
}

func underflowError() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: underflow")
}

type float interface{ float32 | float64 }

func isInf[F float](f F) bool { return math.IsInf(float64(f), 0) }

func registerFloatPair[A, B, R float](r *expr.Registry, name, args string) {
	add := func(a, b R) (R, error) {
		s := a + b
		if isInf(s) && !isInf(a) && !isInf(b) {
			return 0, overflowError()
		}
		return s, nil
	}
	adapt.Add(r, name+"pl("+args+")", adapt.E2(func(a A, b B) (R, error) { return add(R(a), R(b)) }))
	adapt.Add(r, name+"mi("+args+")", adapt.E2(func(a A, b B) (R, error) { return add(R(a), -R(b)) }))
	adapt.Add(r, name+"mul("+args+")", adapt.E2(func(a A, b B) (R, error) {
		x, y := R(a), R(b)
		p := x * y
		switch {
		case isInf(p) && !isInf(x) && !isInf(y):
			return 0, overflowError()
		case p == 0 && x != 0 && y != 0:
			return 0, underflowError()
		}
		return p, nil
	}))
	adapt.Add(r, name+"div("+args+")", adapt.E2(func(a A, b B) (R, error) {
		x, y := R(a), R(b)
		if y == 0 && x == x {
			return 0, divisionByZero()
		}
		q := x / y
		switch {
		case isInf(q) && !isInf(x):
			return 0, overflowError()
		case q == 0 && x != 0 && !isInf(y):
			return 0, underflowError()
		}
		return q, nil
	}))
}

func registerFloat[F float](r *expr.Registry, t string) {
	registerFloatPair[F, F, F](r, t, t+","+t)
	adapt.Add(r, t+"um("+t+")", adapt.F1(func(a F) F { return -a }))
	adapt.Add(r, t+"up("+t+")", adapt.F1(func(a F) F { return a }))
	abs := adapt.F1(func(a F) F { return F(math.Abs(float64(a))) })
	adapt.Add(r, t+"abs("+t+")", abs)
	adapt.Add(r, "abs("+t+")", abs)
}

func registerArith(r *expr.Registry) {
	registerInt[int16](r, "int2", 16)
	registerInt[int32](r, "int4", 32)
	registerInt[int64](r, "int8", 64)
	registerIntPair[int16, int32, int32](r, "int24", "int2,int4")
	registerIntPair[int32, int16, int32](r, "int42", "int4,int2")
	registerIntPair[int16, int64, int64](r, "int28", "int2,int8")
	registerIntPair[int64, int16, int64](r, "int82", "int8,int2")
	registerIntPair[int32, int64, int64](r, "int48", "int4,int8")
	registerIntPair[int64, int32, int64](r, "int84", "int8,int4")
	inc := func(d int64) expr.Kernel {
		return adapt.E1(func(a int64) (int64, error) {
			if s := a + d; (s > a) == (d > 0) {
				return s, nil
			}
			return 0, outOfRange[int64]()
		})
	}
	adapt.Add(r, "int8inc(int8)", inc(1))
	adapt.Add(r, "int8dec(int8)", inc(-1))
	adapt.Add(r, "int4inc(int4)", adapt.E1(func(a int32) (int32, error) {
		if a == math.MaxInt32 {
			return 0, outOfRange[int32]()
		}
		return a + 1, nil
	}))
	registerFloat[float32](r, "float4")
	registerFloat[float64](r, "float8")
	registerFloatPair[float32, float64, float64](r, "float48", "float4,float8")
	registerFloatPair[float64, float32, float64](r, "float84", "float8,float4")
}
