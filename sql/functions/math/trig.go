package math

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/functions/math/libm"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/expr"
)

func inputOutOfRange() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "input is out of range")
}

// angle adapts a function of an angle: NaN passes, infinities are out of range.
func angle(f func(float64) float64) expr.Kernel {
	return adapt.E1(func(x float64) (float64, error) {
		switch {
		case math.IsNaN(x):
			return x, nil
		case math.IsInf(x, 0):
			return 0, inputOutOfRange()
		}
		return f(x), nil
	})
}

// arc adapts the inverse of a ratio: defined on −1 … 1.
func arc(f func(float64) float64) expr.Kernel {
	return adapt.E1(func(x float64) (float64, error) {
		switch {
		case math.IsNaN(x):
			return x, nil
		case x < -1 || x > 1:
			return 0, inputOutOfRange()
		}
		return f(x), nil
	})
}

// Degree functions. Results at the multiples of 30 and 45 degrees are exact
// because each piece is scaled by the library's own value at its end point.
//
// NB: the products are made at run time, in float64, as for any other angle.
const toRadians = 0.0174532925199432957692

var (
	thirty   = 30.0
	sixty    = 60.0
	sin30    = libm.Sin(thirty * toRadians)
	cos60    = 1 - libm.Cos(sixty*toRadians)
	asinHalf = libm.Asin(0.5)
	acosHalf = libm.Acos(0.5)
	atanOne  = libm.Atan(1)
	tan45    = sinQuadrant(45) / cosQuadrant(45)
	cot45    = cosQuadrant(45) / sinQuadrant(45)
)

func sin0to30(x float64) float64 { return libm.Sin(x*toRadians) / sin30 / 2 }
func cos0to60(x float64) float64 { return 1 - (1-libm.Cos(x*toRadians))/cos60/2 }

func sinQuadrant(x float64) float64 {
	if x <= 30 {
		return sin0to30(x)
	}
	return cos0to60(90 - x)
}

func cosQuadrant(x float64) float64 {
	if x <= 60 {
		return cos0to60(x)
	}
	return sin0to30(90 - x)
}

func sind(x float64) float64 {
	x, sign := math.Mod(x, 360), 1.0
	if x < 0 {
		x, sign = -x, -sign
	}
	if x > 180 {
		x, sign = 360-x, -sign
	}
	if x > 90 {
		x = 180 - x
	}
	return sign * sinQuadrant(x)
}

func cosd(x float64) float64 {
	x, sign := math.Abs(math.Mod(x, 360)), 1.0
	if x > 180 {
		x = 360 - x
	}
	if x > 90 {
		x, sign = 180-x, -sign
	}
	return sign * cosQuadrant(x)
}

// tanReduce brings the angle of tand and cotd into the first quadrant.
func tanReduce(x float64) (float64, float64) {
	x, sign := math.Mod(x, 360), 1.0
	if x < 0 {
		x, sign = -x, -sign
	}
	if x > 180 {
		x, sign = 360-x, -sign
	}
	if x > 90 {
		x, sign = 180-x, -sign
	}
	return x, sign
}

// unsignedZero drops the sign of a zero.
func unsignedZero(x float64) float64 {
	if x == 0 {
		return 0
	}
	return x
}

func tand(x float64) float64 {
	x, sign := tanReduce(x)
	return unsignedZero(sign * (sinQuadrant(x) / cosQuadrant(x) / tan45))
}

func cotd(x float64) float64 {
	x, sign := tanReduce(x)
	return unsignedZero(sign * (cosQuadrant(x) / sinQuadrant(x) / cot45))
}

func asinQuadrant(x float64) float64 {
	if x <= 0.5 {
		return libm.Asin(x) / asinHalf * 30
	}
	return 90 - libm.Acos(x)/acosHalf*60
}

func acosQuadrant(x float64) float64 {
	if x <= 0.5 {
		return 90 - libm.Asin(x)/asinHalf*30
	}
	return libm.Acos(x) / acosHalf * 60
}

func asind(x float64) float64 {
	if x >= 0 {
		return asinQuadrant(x)
	}
	return -asinQuadrant(-x)
}

func acosd(x float64) float64 {
	if x >= 0 {
		return acosQuadrant(x)
	}
	return 90 + asinQuadrant(-x)
}

func registerTrig(r *expr.Registry) {
	adapt.Add(r, "sin(float8)", angle(libm.Sin))
	adapt.Add(r, "cos(float8)", angle(libm.Cos))
	adapt.Add(r, "tan(float8)", angle(libm.Tan))
	adapt.Add(r, "cot(float8)", angle(func(x float64) float64 { return 1 / libm.Tan(x) }))
	adapt.Add(r, "asin(float8)", arc(libm.Asin))
	adapt.Add(r, "acos(float8)", arc(libm.Acos))
	adapt.Add(r, "atan(float8)", adapt.F1(libm.Atan))
	adapt.Add(r, "atan2(float8,float8)", adapt.F2(libm.Atan2))
	adapt.Add(r, "sind(float8)", angle(sind))
	adapt.Add(r, "cosd(float8)", angle(cosd))
	adapt.Add(r, "tand(float8)", angle(tand))
	adapt.Add(r, "cotd(float8)", angle(cotd))
	adapt.Add(r, "asind(float8)", arc(asind))
	adapt.Add(r, "acosd(float8)", arc(acosd))
	adapt.Add(r, "atand(float8)", adapt.F1(func(x float64) float64 { return libm.Atan(x) / atanOne * 45 }))
	adapt.Add(r, "atan2d(float8,float8)", adapt.F2(func(y, x float64) float64 { return libm.Atan2(y, x) / atanOne * 45 }))
	adapt.Add(r, "sinh(float8)", adapt.F1(libm.Sinh))
	adapt.Add(r, "cosh(float8)", adapt.F1(libm.Cosh))
	adapt.Add(r, "tanh(float8)", adapt.F1(libm.Tanh))
	adapt.Add(r, "asinh(float8)", adapt.F1(libm.Asinh))
	adapt.Add(r, "acosh(float8)", adapt.E1(func(x float64) (float64, error) {
		if x < 1 {
			return 0, inputOutOfRange()
		}
		return libm.Acosh(x), nil
	}))
	adapt.Add(r, "atanh(float8)", arc(libm.Atanh))
	adapt.Add(r, "pi()", adapt.C0(func(*expr.Context, *expr.Call) (float64, error) { return math.Pi, nil }))
	adapt.Add(r, "degrees(float8)", adapt.E1(func(x float64) (float64, error) { return checked(x/0.0174532925199432957692, x == 0 || isInf(x)) }))
	adapt.Add(r, "radians(float8)", adapt.E1(func(x float64) (float64, error) { return checked(x*0.0174532925199432957692, x == 0 || isInf(x)) }))
}

func isInf(x float64) bool { return math.IsInf(x, 0) }

// checked reports a result that overflowed or vanished, unless the arguments excuse it.
func checked(r float64, excused bool) (float64, error) {
	switch {
	case excused || math.IsNaN(r):
		return r, nil
	case isInf(r):
		return 0, pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: overflow")
	case r == 0:
		return 0, pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: underflow")
	}
	return r, nil
}
